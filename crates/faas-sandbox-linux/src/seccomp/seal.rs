//! The seal: what the launcher needs and user code must not have.

use super::{Action, Condition, Program, Rule};
use Condition::{Call, CallUnless, CallWithBitsOrExactly, Calls};

const fn deny(condition: Condition) -> Rule {
    Rule { condition, action: Action::Errno(libc::EPERM) }
}

/// Namespace flags of `clone`, and `CLONE_PARENT`, which would hand children to init's parent.
const CLONE_FLAGS: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT) as u32;

/// Of these flags `CLONE_VM` alone: a process that shares another's memory for longer than until it
/// executes. Only what starts programs from zygotes makes such.
const SHARED_MEMORY: (u32, u32) =
    ((libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_THREAD) as u32, libc::CLONE_VM as u32);

/// `open_tree_attr`, Linux 6.15; newer than the headers we build with.
const OPEN_TREE_ATTR: libc::c_long = 467;

/// Only oneself (pid 0): another process of the same uid is init.
const ONESELF: &[u32] = &[0];

/// Frequent calls first: a filter is walked in order where the kernel's bitmap cannot answer. `joining` is
/// what happens to the calls by which a copy of a zygote joins a sandbox.
const fn rules(joining: Action) -> [Rule; 13] {
    [
        Rule { condition: CallWithBitsOrExactly(libc::SYS_clone, 0, CLONE_FLAGS, SHARED_MEMORY), action: joining },
        // Its flags are behind a pointer no filter can read; libc then falls back to `clone`.
        Rule { condition: Call(libc::SYS_clone3), action: Action::Errno(libc::ENOSYS) },
        deny(CallUnless(libc::SYS_prlimit64, 0, ONESELF)),
        deny(Call(libc::SYS_ptrace)),
        deny(Call(libc::SYS_pivot_root)),
        deny(Call(libc::SYS_chroot)),
        // mount, umount2, swapon, swapoff, reboot, sethostname, setdomainname.
        deny(Calls(libc::SYS_mount, libc::SYS_setdomainname)),
        deny(Call(libc::SYS_unshare)),
        Rule { condition: Call(libc::SYS_setns), action: joining },
        deny(Call(libc::SYS_seccomp)),
        // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick.
        deny(Calls(libc::SYS_open_tree, libc::SYS_fspick)),
        deny(Call(libc::SYS_mount_setattr)),
        deny(Call(OPEN_TREE_ATTR)),
    ]
}

/// The seal, to be stacked on the base filter.
#[must_use]
pub fn seal() -> Program {
    Program::compile(&rules(Action::Errno(libc::EPERM)), false)
}

/// The seal of zygotes and of the programs started from them: the calls by which a copy of a zygote joins
/// a sandbox are the tracer's to allow. A program has no tracer and can get none, so it has them no more
/// than with the other seal; it is told `ENOSYS`.
#[must_use]
pub fn seal_traced() -> Program {
    Program::compile(&rules(Action::Trace), false)
}
