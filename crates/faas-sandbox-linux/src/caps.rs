//! Giving up privilege for good.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Empties every capability set, the bounding and ambient sets included. What the process executes
/// afterwards cannot gain any back.
///
/// # Errors
/// The kernel's answer.
pub fn drop_all() -> Result<(), Errno> {
    empty_bounding_set()?;
    rustix::thread::clear_ambient_capability_set()?;
    empty_sets()
}

/// Empties the capability sets, and the bounding set where the caller may: under `no_new_privs`, which
/// must follow, nothing can be gained from it.
///
/// # Errors
/// The kernel's answer.
pub(crate) fn drop_what_can_be_used() -> Result<(), Errno> {
    if rustix::thread::capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        empty_bounding_set()?;
    }
    rustix::thread::clear_ambient_capability_set()?;
    empty_sets()
}

/// Whether the calling process can do what assembling sandboxes as real root takes.
#[must_use]
pub fn is_real_root() -> bool {
    let needed = CapabilitySet::SYS_ADMIN
        | CapabilitySet::SETUID
        | CapabilitySet::SETGID
        | CapabilitySet::CHOWN
        | CapabilitySet::KILL
        | CapabilitySet::MKNOD;
    is_host_uid_zero() && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

/// Whether the calling process has uid 0 of the host, and not only of a user namespace.
#[must_use]
pub fn is_host_uid_zero() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let whole = map.split_whitespace().eq(["0", "0", "4294967295"]);
    rustix::process::geteuid().is_root() && whole
}

/// Becomes an ordinary user for good: no groups, no capabilities, no way back. The calling process
/// must have one thread, because the kernel keeps credentials per thread.
///
/// # Errors
/// The kernel's answer; the process may then hold less privilege than before and must exit.
pub fn become_user(uid: u32) -> Result<(), Errno> {
    let (user, group) = (rustix::process::Uid::from_raw(uid), rustix::process::Gid::from_raw(uid));
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(group, group, group)?;
    // The bounding set can only be emptied while CAP_SETPCAP is there, and changing the uid away
    // from 0 empties the other sets.
    empty_bounding_set()?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    empty_sets()?;
    rustix::thread::set_no_new_privs(true)
}

/// Does something as another user, whose what it makes then is. The calling process must be that user, or have the
/// capability to become it; it has no capability meanwhile.
///
/// # Errors
/// The kernel's answer. A caller that cannot become itself again has ended.
pub fn as_user<T>(uid: u32, action: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    let ourselves = rustix::process::geteuid();
    if ourselves.as_raw() == uid {
        return action();
    }
    let become_user = |user| rustix::thread::set_thread_res_uid(None, user, None);
    become_user(rustix::process::Uid::from_raw(uid))?;
    let result = action();
    // The saved user makes this possible without a capability, and brings them back.
    if become_user(ourselves).is_err() {
        crate::sys::exit_now(125);
    }
    result
}

fn empty_bounding_set() -> Result<(), Errno> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // An older kernel than the list: it has no such capability to drop.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn empty_sets() -> Result<(), Errno> {
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        },
    )
}
