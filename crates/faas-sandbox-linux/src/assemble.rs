//! The assembly of one sandbox, seen from the child that becomes its init.
//!
//! The order is not free: ids must be mapped before anything belongs to the sandbox's user, the
//! cgroup namespace must be unshared after the child was placed (else its path leaks), landlock
//! forbids mounting, and the seal forbids most of what comes before it.
//!
//! Called by the launcher only, in a freshly cloned child, which never returns from here.

use crate::root::{NULL_DEVICE, areas, packages, pivot, procfs};
use crate::{caps, landlock, seccomp, sys};
use faas_protocol::control::FromInit;
use faas_protocol::launcher::Step;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Signal, Uid};
use rustix::thread::UnshareFlags;
use std::ffi::CStr;

/// The user inside every sandbox.
pub const INNER_ID: u32 = 1000;

/// Init's control socket.
const CONTROL: i32 = 3;
/// Init's own program, closed on exec.
const PROGRAM: i32 = 4;
/// What the launcher said go on, closed on exec: so it learns that init runs.
const GO: i32 = 5;
/// The packages, where there are some, until they are mounted.
const PACKAGES: i32 = 6;

/// What the child needs to know. Everything that takes time to make is made by the launcher once.
#[derive(Debug)]
pub struct Plan<'a> {
    /// One byte arrives here when ids are mapped and the cgroup is set; its end means give up. It is closed when init
    /// runs, or will not.
    pub go: BorrowedFd<'a>,
    /// Init's end of the control socket.
    pub control: BorrowedFd<'a>,
    /// Init, in sealed memory.
    pub init: BorrowedFd<'a>,
    /// What `/proc` must not show.
    pub masks: &'a [procfs::Mask],
    /// The seal.
    pub seal: &'a seccomp::Program,
    /// What landlock is to enforce; `None` where the kernel has none.
    pub landlock: Option<&'a landlock::Rules>,
    /// Bytes of the writable areas.
    pub disk_bytes: u64,
    /// Inodes of the writable areas.
    pub inodes: u64,
    /// Packages to mount, from [`packages::open`].
    pub packages: Option<BorrowedFd<'a>>,
    /// Resource limits that stand in for missing cgroup controllers.
    pub stand_in: StandIn,
    /// A step to fail at, for tests.
    pub fail_at: Option<Step>,
}

/// Resource limits that stand in for a cgroup controller the host does not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StandIn {
    /// Processes of the sandbox's user in its own user namespace: as good as the controller.
    pub pids: Option<u64>,
    /// Private writable memory of each process: weaker than the controller, reported as missing.
    pub memory_bytes: Option<u64>,
}

/// Assembles the sandbox around the calling process and becomes its init. On failure tells the
/// host which step failed and exits.
pub fn run(plan: &Plan<'_>) -> ! {
    if let Err((step, errno)) = wait(plan) {
        fail(plan.control, step, errno);
    }
    let Err((step, errno)) = assemble(plan);
    sys::with_descriptor(CONTROL, |control| fail(control, step, errno))
}

fn fail(control: BorrowedFd<'_>, step: Step, errno: Errno) -> ! {
    let message = FromInit::AssemblyFailed { step: step as u8, errno: errno.raw_os_error() };
    if let Ok(frame) = message.encode() {
        // The host learns of it by the end of the conversation too.
        let _ = crate::packet::send(control, &frame, &[]);
    }
    sys::exit_now(125)
}

type Failure = (Step, Errno);

impl Plan<'_> {
    fn step(&self, step: Step, action: impl FnOnce() -> Result<(), Errno>) -> Result<(), Failure> {
        if self.fail_at == Some(step) {
            return Err((step, Errno::IO));
        }
        action().map_err(|errno| (step, errno))
    }
}

/// Until the launcher has done its part; afterwards the descriptors are init's.
fn wait(plan: &Plan<'_>) -> Result<(), Failure> {
    plan.step(Step::DeathSignal, die_with_launcher)?;
    plan.step(Step::Go, || wait_for_go(plan.go))?;
    plan.step(Step::Fds, || arrange_descriptors(plan))
}

fn assemble(plan: &Plan<'_>) -> Result<std::convert::Infallible, Failure> {
    let step = |step, action: &mut dyn FnMut() -> Result<(), Errno>| plan.step(step, action);
    step(Step::Uid, &mut become_inner_user)?;
    // Changing ids cleared it.
    step(Step::DeathSignal, &mut die_with_launcher)?;
    step(Step::CgroupNs, &mut || sys::unshare(UnshareFlags::NEWCGROUP))?;
    step(Step::Session, &mut || rustix::process::setsid().map(drop))?;
    step(Step::HostName, &mut || rustix::system::sethostname(b"sandbox"))?;
    step(Step::Root, &mut pivot::prepare)?;
    step(Step::Proc, &mut procfs::mount)?;
    step(Step::ProcMasks, &mut || procfs::cover(plan.masks))?;
    step(Step::Areas, &mut || areas::mount(plan.disk_bytes, plan.inodes))?;
    step(Step::Packages, &mut || attach_packages(plan))?;
    step(Step::Pivot, &mut pivot::enter)?;
    step(Step::Rlimits, &mut || set_rlimits(plan.stand_in))?;
    step(Step::Caps, &mut caps::drop_all)?;
    step(Step::NoNewPrivs, &mut || rustix::thread::set_no_new_privs(true))?;
    if let Some(rules) = plan.landlock {
        step(Step::Landlock, &mut || rules.enforce())?;
    }
    step(Step::Seal, &mut || plan.seal.install())?;
    step(Step::Exec, &mut || Err(execute_init()))?;
    Err((Step::Exec, Errno::NOEXEC))
}

pub(crate) fn die_with_launcher() -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
}

fn wait_for_go(go: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut byte = [0_u8];
    loop {
        match rustix::io::read(go, &mut byte) {
            Ok(1) => return Ok(()),
            // The launcher is gone or gave up: nobody is left to tell.
            Ok(_) => sys::exit_now(125),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Takes the sandbox's ids and keeps its capabilities in the new user namespace, which the mounts
/// still need.
fn become_inner_user() -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(INNER_ID), Gid::from_raw(INNER_ID));
    rustix::thread::set_keep_capabilities(true)?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    rustix::thread::set_keep_capabilities(false)?;
    // Keeping them kept the permitted set; the effective set was emptied.
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective = sets.permitted;
    rustix::thread::set_capabilities(None, sets)
}

/// Limits of each process. A limit is never raised: lowering needs no privilege.
pub(crate) fn set_rlimits(stand_in: StandIn) -> Result<(), Errno> {
    let fixed = [
        // One byte: no file is that small, and a core handler behind a pipe, which would run as the
        // host's root, is started for a limit of 0 but not for this one (core(5)).
        (Resource::Core, 1),
        (Resource::Memlock, 64 * 1024),
        (Resource::Nofile, 4096),
        // Message queues outlive the programs that make them, and nobody can list them.
        (Resource::Msgqueue, 0),
        (Resource::Sigpending, 1024),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ];
    let stand_in = [(Resource::Nproc, stand_in.pids), (Resource::Data, stand_in.memory_bytes)];
    let all = fixed.into_iter().chain(stand_in.into_iter().filter_map(|(name, limit)| Some((name, limit?))));
    for (resource, limit) in all {
        let maximum = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX).min(limit);
        let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(())
}

fn attach_packages(plan: &Plan<'_>) -> Result<(), Errno> {
    if plan.packages.is_none() {
        return Ok(());
    }
    sys::with_descriptor(PACKAGES, packages::attach)?;
    sys::close_range(PACKAGES.unsigned_abs())
}

/// Leaves exactly: 0, 1, 2 on `/dev/null`, 3 the control socket, 4 init's program, 5 the launcher's pipe, and 6 where
/// there are packages to mount.
fn arrange_descriptors(plan: &Plan<'_>) -> Result<(), Errno> {
    let control = out_of_the_way(plan.control)?;
    let program = out_of_the_way(plan.init)?;
    let go = out_of_the_way(plan.go)?;
    let packages = plan.packages.map(out_of_the_way).transpose()?;
    let null = out_of_the_way(rustix::fs::open(NULL_DEVICE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?.as_fd())?;
    for target in 0..3 {
        sys::dup_onto(null.as_fd(), target)?;
    }
    sys::dup_onto(control.as_fd(), CONTROL)?;
    sys::dup_onto(program.as_fd(), PROGRAM)?;
    sys::dup_onto(go.as_fd(), GO)?;
    let mut last = GO;
    if let Some(packages) = &packages {
        sys::dup_onto(packages.as_fd(), PACKAGES)?;
        last = PACKAGES;
    }
    // What owned the numbers above must not close them again: this process executes or exits.
    std::mem::forget((control, program, go, null, packages));
    sys::close_range(last.unsigned_abs() + 1)
}

pub(crate) fn out_of_the_way(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    rustix::io::fcntl_dupfd_cloexec(fd, 64)
}

fn execute_init() -> Errno {
    let close_on_exec = |number| {
        sys::with_descriptor(number, |descriptor| rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC))
    };
    if let Err(errno) = close_on_exec(PROGRAM).and_then(|()| close_on_exec(GO)) {
        return errno;
    }
    sys::with_descriptor(PROGRAM, |program| {
        let argv: [&CStr; 1] = [c"faas-init"];
        sys::execveat(program, &argv, &[])
    })
}
