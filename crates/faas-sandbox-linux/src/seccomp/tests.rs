//! The filters interpreted as the kernel would.

use super::{base, seal, seal_traced};
use libc::{c_long, sock_filter};

const X86_64: u32 = 0xC000_003E;

/// Runs a classic BPF program over one call.
fn answer(program: &[sock_filter], architecture: u32, call: u32, arguments: [u64; 6]) -> u32 {
    let mut accumulator = 0_u32;
    let mut at = 0_usize;
    loop {
        let instruction = program[at];
        at += 1;
        let class = u32::from(instruction.code) & 0x07;
        if class == libc::BPF_LD {
            accumulator = match instruction.k {
                0 => call,
                4 => architecture,
                offset => {
                    let argument = arguments[usize::try_from((offset - 16) / 8).expect("index")];
                    u32::try_from(argument & 0xffff_ffff).expect("half")
                }
            };
        } else if class == libc::BPF_ALU {
            assert_eq!(u32::from(instruction.code) & 0xf0, libc::BPF_AND, "an operation no filter of ours has");
            accumulator &= instruction.k;
        } else if class == libc::BPF_RET {
            return instruction.k;
        } else {
            let holds = match u32::from(instruction.code) & 0xf0 {
                libc::BPF_JEQ => accumulator == instruction.k,
                libc::BPF_JGE => accumulator >= instruction.k,
                libc::BPF_JGT => accumulator > instruction.k,
                libc::BPF_JSET => accumulator & instruction.k != 0,
                other => panic!("unexpected jump {other:#x}"),
            };
            at += usize::from(if holds { instruction.jt } else { instruction.jf });
        }
    }
}

fn call(program: &super::Program, number: c_long, arguments: [u64; 6]) -> u32 {
    answer(program.instructions(), X86_64, u32::try_from(number).expect("number"), arguments)
}

fn errno(code: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | u32::try_from(code).expect("errno")
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NONE: [u64; 6] = [0; 6];

#[test]
fn seal_is_short() {
    for seal in [seal(), seal_traced()] {
        let length = seal.instructions().len();
        assert!(length <= 30, "{length} instructions: installing the seal is on the path of every sandbox");
    }
}

/// Flags of `clone` alone and two at a time, as programs and attackers combine them.
fn clone_flags() -> impl Iterator<Item = u64> {
    let bits = || (8..32).map(|bit| 1_u64 << bit).chain([0]);
    bits().flat_map(move |one| bits().map(move |other| one | other | 17))
}

#[test]
fn both_seals_deny_the_same_calls() {
    let (seal, traced) = (seal(), seal_traced());
    let same = |number: c_long, arguments: [u64; 6]| {
        let (plain, traced) = (call(&seal, number, arguments), call(&traced, number, arguments));
        // Without a tracer the kernel answers ENOSYS.
        let alike = plain == traced || (plain == errno(libc::EPERM) && traced == libc::SECCOMP_RET_TRACE);
        assert!(alike, "call {number} {arguments:x?}: {plain:#x} and {traced:#x}");
    };
    for number in 0..500 {
        for first in [0, 1, 17, u64::MAX] {
            same(number, [first, first, first, first, first, first]);
        }
    }
    clone_flags().for_each(|flags| same(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]));
}

#[test]
fn a_tracer_is_asked_for_what_joins_a_sandbox_and_nothing_else() {
    let traced = seal_traced();
    for number in 0..500 {
        let asked = call(&traced, number, [u64::MAX; 6]) == libc::SECCOMP_RET_TRACE;
        assert_eq!(asked, [libc::SYS_clone, libc::SYS_setns].contains(&number), "call {number}");
    }
    for program in [seal(), base()] {
        assert!((0..500).all(|number| call(&program, number, [u64::MAX; 6]) != libc::SECCOMP_RET_TRACE));
    }
}

#[test]
fn memory_is_shared_by_threads_and_until_execution_only() {
    let seal = seal();
    let (vm, vfork, thread) = (0x100_u64, 0x4000, 0x1_0000);
    for flags in clone_flags() {
        let namespaces_or_parent = flags & 0x7E02_8000 != 0;
        let lasting = flags & vm != 0 && flags & (vfork | thread) == 0;
        let expected = if namespaces_or_parent || lasting { errno(libc::EPERM) } else { ALLOW };
        assert_eq!(call(&seal, libc::SYS_clone, [flags, 0, 0, 0, 0, 0]), expected, "{flags:#x}");
    }
}

#[test]
fn other_architectures_are_killed() {
    let base = base();
    assert_eq!(answer(base.instructions(), 0x4000_0003, 1, NONE), libc::SECCOMP_RET_KILL_PROCESS, "int 0x80");
    assert_eq!(answer(base.instructions(), X86_64, 0x4000_0001, NONE), libc::SECCOMP_RET_KILL_PROCESS, "x32");
}

#[test]
fn base_denies_what_nobody_needs() {
    let base = base();
    for (number, code) in [
        (libc::SYS_io_uring_setup, libc::ENOSYS),
        (libc::SYS_io_uring_enter, libc::ENOSYS),
        (libc::SYS_io_uring_register, libc::ENOSYS),
        (libc::SYS_keyctl, libc::EPERM),
        (libc::SYS_add_key, libc::EPERM),
        (libc::SYS_request_key, libc::EPERM),
        (libc::SYS_bpf, libc::EPERM),
        (libc::SYS_userfaultfd, libc::EPERM),
        (libc::SYS_perf_event_open, libc::EPERM),
        (libc::SYS_kexec_load, libc::EPERM),
        (libc::SYS_init_module, libc::EPERM),
        (libc::SYS_delete_module, libc::EPERM),
        (libc::SYS_finit_module, libc::EPERM),
        (libc::SYS_swapon, libc::EPERM),
        (libc::SYS_reboot, libc::EPERM),
        (libc::SYS_open_by_handle_at, libc::EPERM),
        (libc::SYS_process_vm_readv, libc::EPERM),
        (libc::SYS_process_vm_writev, libc::EPERM),
        (libc::SYS_kcmp, libc::EPERM),
        (libc::SYS_pidfd_getfd, libc::EPERM),
        (libc::SYS_clock_settime, libc::EPERM),
        (libc::SYS_iopl, libc::EPERM),
        (libc::SYS_io_setup, libc::ENOSYS),
        (libc::SYS_io_submit, libc::ENOSYS),
        (libc::SYS_mbind, libc::EPERM),
        (libc::SYS_remap_file_pages, libc::ENOSYS),
    ] {
        assert_eq!(call(&base, number, NONE), errno(code), "call {number}");
    }
    for number in [libc::SYS_read, libc::SYS_mount, libc::SYS_clone3, libc::SYS_setns, libc::SYS_execve] {
        assert_eq!(call(&base, number, NONE), ALLOW, "the launcher needs call {number}");
    }
}

#[test]
fn base_allows_three_socket_families() {
    let base = base();
    for family in 0..50_u64 {
        let expected = if [1, 2, 10].contains(&family) { ALLOW } else { errno(libc::EAFNOSUPPORT) };
        assert_eq!(call(&base, libc::SYS_socket, [family, 0, 0, 0, 0, 0]), expected, "family {family}");
        let expected = if family == 1 { ALLOW } else { errno(libc::EAFNOSUPPORT) };
        assert_eq!(call(&base, libc::SYS_socketpair, [family, 0, 0, 0, 0, 0]), expected, "pair of family {family}");
    }
}

#[test]
fn base_looks_at_the_low_half_only_where_the_kernel_does() {
    let base = base();
    let high = 0xdead_beef_0000_0000_u64;
    assert_eq!(call(&base, libc::SYS_ioctl, [0, high | libc::TIOCSTI, 0, 0, 0, 0]), errno(libc::EPERM));
    assert_eq!(call(&base, libc::SYS_ioctl, [0, libc::TIOCGWINSZ, 0, 0, 0, 0]), ALLOW);
    assert_eq!(call(&base, libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0, 0]), errno(libc::EPERM));
    assert_eq!(call(&base, libc::SYS_personality, [0xffff_ffff, 0, 0, 0, 0, 0]), ALLOW);
}

#[test]
fn seal_denies_new_namespaces_and_mounts() {
    let seal = seal();
    for flag in [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_PARENT,
    ] {
        let flags = u64::from(flag.cast_unsigned()) | 17;
        assert_eq!(call(&seal, libc::SYS_clone, [flags, 0, 0, 0, 0, 0]), errno(libc::EPERM), "flag {flag:#x}");
    }
    let thread = u64::from((libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND).cast_unsigned());
    assert_eq!(call(&seal, libc::SYS_clone, [thread, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(call(&seal, libc::SYS_clone3, NONE), errno(libc::ENOSYS));
    for number in [
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_ptrace,
        libc::SYS_seccomp,
        libc::SYS_sethostname,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsconfig,
        libc::SYS_fsmount,
        libc::SYS_fspick,
        libc::SYS_mount_setattr,
        467,
    ] {
        assert_eq!(call(&seal, number, NONE), errno(libc::EPERM), "call {number}");
    }
    assert_eq!(call(&seal, libc::SYS_prlimit64, [0; 6]), ALLOW);
    assert_eq!(call(&seal, libc::SYS_prlimit64, [1, 0, 0, 0, 0, 0]), errno(libc::EPERM));
    for number in [libc::SYS_read, libc::SYS_execve, libc::SYS_openat, libc::SYS_pidfd_open, libc::SYS_clock_nanosleep]
    {
        assert_eq!(call(&seal, number, NONE), ALLOW, "call {number}");
    }
}

#[test]
fn base_knows_no_mandatory_locks() {
    let base = base();
    let shared_and_exclusive = [libc::LOCK_SH, libc::LOCK_EX, libc::LOCK_UN | libc::LOCK_NB];
    for operation in shared_and_exclusive {
        let operation = u64::from(operation.cast_unsigned());
        assert_eq!(call(&base, libc::SYS_flock, [3, operation, 0, 0, 0, 0]), ALLOW);
        assert_eq!(call(&base, libc::SYS_flock, [3, operation | 32, 0, 0, 0, 0]), errno(libc::EINVAL));
    }
}

#[test]
fn base_allows_five_protocols_of_sockets() {
    let base = base();
    for protocol in 0..300_u64 {
        let expected = if [0, 1, 6, 17, 58].contains(&protocol) { ALLOW } else { errno(libc::EAFNOSUPPORT) };
        for family in [1, 2, 10] {
            assert_eq!(call(&base, libc::SYS_socket, [family, 1, protocol, 0, 0, 0]), expected, "protocol {protocol}");
        }
    }
}

#[test]
fn options_that_outlive_their_socket_are_denied_and_no_others() {
    let base = base();
    let set = |level: i32, option: u64| {
        let level = u64::try_from(level).expect("a level");
        call(&base, libc::SYS_setsockopt, [3, level, option, 0, 0, 0])
    };
    let denied = [
        (libc::IPPROTO_IP, 21),
        (libc::IPPROTO_IPV6, 73),
        (libc::IPPROTO_IPV6, 32),
        (libc::IPPROTO_TCP, 18),
        (libc::SOL_SOCKET, 26),
        (libc::SOL_SOCKET, 50),
    ];
    for level in [libc::IPPROTO_IP, libc::SOL_SOCKET, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_IPV6] {
        for option in 0..100 {
            let expected = if denied.contains(&(level, option)) { errno(libc::ENOPROTOOPT) } else { ALLOW };
            assert_eq!(set(level, option), expected, "{level} {option}");
        }
    }
    assert_eq!(call(&base, libc::SYS_getsockopt, [3, 6, 18, 0, 0, 0]), ALLOW);
}

#[test]
fn jumps_of_the_base_filter_reach_its_end() {
    assert!(base().instructions().len() < 255, "a jump is one byte long");
}
