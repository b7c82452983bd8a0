//! The base filter: what neither the launcher nor any sandbox ever needs.

#![expect(clippy::cast_possible_truncation, reason = "the kernel compares the low half of an argument")]

use super::{Action, Condition, Program, Rule};
use Condition::{Call, CallUnless, CallUnlessBoth, CallWith, CallWithBits, CallWithPair, Calls};

const DENY: Action = Action::Errno(libc::EPERM);

const fn deny(condition: Condition) -> Rule {
    Rule { condition, action: DENY }
}

const fn absent(condition: Condition) -> Rule {
    Rule { condition, action: Action::Errno(libc::ENOSYS) }
}

/// The families user code may have: Unix, IPv4, IPv6.
const FAMILIES: &[u32] = &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32];

/// The protocols they may have: the family's own, and the internet's ICMP, TCP, UDP and ICMPv6. Others
/// (SCTP, DCCP, MPTCP, UDP-Lite) are large parsers that nothing here needs.
const PROTOCOLS: &[u32] =
    &[0, libc::IPPROTO_ICMP as u32, libc::IPPROTO_TCP as u32, libc::IPPROTO_UDP as u32, libc::IPPROTO_ICMPV6 as u32];

/// The family that has connected pairs.
const UNIX: &[u32] = &[libc::AF_UNIX as u32];

/// The bit of `flock` for mandatory locks (`include/uapi/asm-generic/fcntl.h`), which the kernel no
/// longer has: it answers with a line in the host's log.
const LOCK_MAND: u32 = 32;

/// Options of sockets by which something outlives the process that set them. The first three make both ends
/// of a connection deaf, or patient for weeks, so that the kernel keeps it, with what was sent, when its
/// processes are gone; filters do the same. A flow label is kept after its socket.
const OUTLIVING_OPTIONS: &[[u32; 2]] = &[
    [libc::IPPROTO_IP as u32, libc::IP_MINTTL as u32],
    [libc::IPPROTO_IPV6 as u32, IPV6_MINHOPCOUNT],
    [libc::IPPROTO_TCP as u32, libc::TCP_USER_TIMEOUT as u32],
    [libc::SOL_SOCKET as u32, libc::SO_ATTACH_FILTER as u32],
    [libc::SOL_SOCKET as u32, libc::SO_ATTACH_BPF as u32],
    [libc::IPPROTO_IPV6 as u32, IPV6_FLOWLABEL_MGR],
];

/// Options of `include/uapi/linux/in6.h` that the headers we build with lack.
const IPV6_MINHOPCOUNT: u32 = 73;
const IPV6_FLOWLABEL_MGR: u32 = 32;

/// `cachestat`, Linux 6.5; newer than the headers we build with.
const CACHESTAT: libc::c_long = 451;

/// The execution domains that change nothing: Linux, and asking which one it is.
const PERSONALITIES: &[u32] = &[0, 0xffff_ffff];

/// Terminal calls that type into, or paste into, somebody's terminal (CVE-2017-5226).
const TERMINAL_INJECTION: &[u32] = &[libc::TIOCSTI as u32, libc::TIOCLINUX as u32];

const RULES: &[Rule] = &[
    // io_uring runs operations outside the filter's sight.
    absent(Calls(libc::SYS_io_uring_setup, libc::SYS_io_uring_register)),
    // Keyrings are not namespaced.
    deny(Calls(libc::SYS_add_key, libc::SYS_keyctl)),
    deny(Call(libc::SYS_bpf)),
    deny(Call(libc::SYS_userfaultfd)),
    deny(Call(libc::SYS_perf_event_open)),
    // The host's kernel, clock, swap, accounting and quotas.
    deny(Call(libc::SYS_kexec_load)),
    deny(Call(libc::SYS_kexec_file_load)),
    deny(Calls(libc::SYS_init_module, libc::SYS_delete_module)),
    deny(Call(libc::SYS_finit_module)),
    deny(Calls(libc::SYS_swapon, libc::SYS_reboot)),
    deny(Call(libc::SYS_acct)),
    deny(Call(libc::SYS_quotactl)),
    deny(Call(libc::SYS_quotactl_fd)),
    deny(Call(libc::SYS_settimeofday)),
    deny(Call(libc::SYS_adjtimex)),
    deny(Call(libc::SYS_clock_settime)),
    deny(Call(libc::SYS_clock_adjtime)),
    deny(Call(libc::SYS_syslog)),
    deny(Call(libc::SYS_vhangup)),
    deny(Calls(libc::SYS_iopl, libc::SYS_ioperm)),
    deny(Call(libc::SYS_modify_ldt)),
    deny(Call(libc::SYS_lookup_dcookie)),
    deny(Call(libc::SYS_nfsservctl)),
    // Files by handle pass over every directory's permissions.
    deny(Calls(libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at)),
    // Other processes' memory and descriptors.
    deny(Calls(libc::SYS_process_vm_readv, libc::SYS_kcmp)),
    deny(Call(libc::SYS_pidfd_getfd)),
    deny(Call(libc::SYS_process_madvise)),
    deny(Calls(libc::SYS_fanotify_init, libc::SYS_fanotify_mark)),
    deny(Call(libc::SYS_memfd_secret)),
    deny(Call(libc::SYS_migrate_pages)),
    deny(Call(libc::SYS_move_pages)),
    deny(CallUnless(libc::SYS_personality, 0, PERSONALITIES)),
    deny(CallWith(libc::SYS_ioctl, 1, TERMINAL_INJECTION)),
    // Placement of memory on processors, statistics of others' page cache, and calls nobody uses.
    deny(Calls(libc::SYS_mbind, libc::SYS_get_mempolicy)),
    deny(Call(libc::SYS_set_mempolicy_home_node)),
    deny(Call(CACHESTAT)),
    deny(Call(libc::SYS_uselib)),
    deny(Call(libc::SYS_ustat)),
    deny(Call(libc::SYS_sysfs)),
    // Writes back every file system of the host, on which others then wait. All a sandbox can write is
    // in memory, so there is nothing to do, and it is done.
    Rule { condition: Call(libc::SYS_sync), action: Action::Errno(0) },
    // Emulated for programs of long ago, and remarked on in the host's log.
    absent(Call(libc::SYS_remap_file_pages)),
    Rule { condition: CallWithBits(libc::SYS_flock, 1, LOCK_MAND), action: Action::Errno(libc::EINVAL) },
    Rule {
        condition: CallWithPair(libc::SYS_setsockopt, [1, 2], OUTLIVING_OPTIONS),
        action: Action::Errno(libc::ENOPROTOOPT),
    },
    // Asynchronous requests are counted for the whole host.
    absent(Calls(libc::SYS_io_setup, libc::SYS_io_cancel)),
    Rule {
        condition: CallUnlessBoth(libc::SYS_socket, [(0, FAMILIES), (2, PROTOCOLS)]),
        action: Action::Errno(libc::EAFNOSUPPORT),
    },
    Rule { condition: CallUnless(libc::SYS_socketpair, 0, UNIX), action: Action::Errno(libc::EAFNOSUPPORT) },
];

/// The base filter. Also kills calls of other architectures.
#[must_use]
pub fn base() -> Program {
    Program::compile(RULES, true)
}
