//! Who the launcher is: real root, or root of a user namespace of its own.

use faas_sandbox_linux::{caps, sys};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

/// Who the launcher is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Real root: every sandbox gets a host uid of its own.
    Root,
    /// An ordinary user, root of its own user namespace.
    Rootless {
        /// The user's uid on the host.
        uid: u32,
    },
}

impl Identity {
    /// Finds out who started us, and becomes root of a user namespace unless it was real root.
    ///
    /// # Errors
    /// The kernel does not give this user a user namespace, or it is uid 0 of the host without the
    /// capabilities of root.
    pub(crate) fn establish() -> Result<Self, Errno> {
        if caps::is_real_root() {
            return Ok(Self::Root);
        }
        if caps::is_host_uid_zero() {
            // Its sandboxes would have the host's uid 0.
            return Err(Errno::PERM);
        }
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        sys::unshare(UnshareFlags::NEWUSER)?;
        let write = |file: &str, text: String| {
            std::fs::write(format!("/proc/self/{file}"), text)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("0 {uid} 1"))?;
        write("gid_map", format!("0 {gid} 1"))?;
        Ok(Self::Rootless { uid })
    }

    /// The owner of delegated cgroups; `None` for real root.
    pub(crate) fn owner(self) -> Option<u32> {
        match self {
            Self::Root => None,
            Self::Rootless { uid } => Some(uid),
        }
    }

    /// Gives up what assembling sandboxes does not take.
    ///
    /// # Errors
    /// The kernel's answer.
    pub(crate) fn reduce(self) -> Result<(), Errno> {
        if self != Self::Root {
            // All of it is good for this user's own namespace only.
            return Ok(());
        }
        rustix::thread::set_thread_groups(&[])?;
        // DAC_OVERRIDE: a hierarchy's root directory is not writable, not even for root, and the
        // common directory in it is removed at the end.
        let kept = CapabilitySet::SYS_ADMIN
            | CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::SETUID
            | CapabilitySet::SETGID
            | CapabilitySet::KILL
            | CapabilitySet::NET_ADMIN;
        rustix::thread::set_capabilities(
            None,
            CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
        )
    }
}
