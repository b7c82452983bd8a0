//! Network namespaces with nothing but loopback, pooled.
//!
//! A fresh one costs 0.4 ms with millisecond tails and hundreds of kilobytes of kernel memory, so
//! clean ones are kept. They belong to the launcher's user namespace: a sandbox has no privilege
//! over its own network and cannot leave anything in it but sockets, which die with its processes: a
//! closed connection does not hold its port for a minute as elsewhere, where packets may still come.
//! One that was used goes back to the same tenant only.
//!
//! Invariant: a namespace is in at most one live sandbox.

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};
use std::collections::VecDeque;

/// How many used namespaces are kept, over all tenants.
const KEEP: usize = 64;

/// Network namespaces ready for use. Owned by the launcher's one thread.
#[derive(Debug, Default)]
pub struct NetNsPool {
    fresh: Vec<OwnedFd>,
    used: VecDeque<([u8; 16], OwnedFd)>,
}

impl NetNsPool {
    /// Moves the calling process into a namespace for a sandbox of this tenant: one the tenant used
    /// before, a fresh one, or a new one. Children are born in it.
    ///
    /// # Errors
    /// The kernel's answer; the caller's namespace is then unspecified.
    pub fn enter(&mut self, tenant: &[u8; 16]) -> Result<OwnedFd, Errno> {
        let kept = self
            .used
            .iter()
            .position(|(owner, _)| owner == tenant)
            .and_then(|index| self.used.remove(index))
            .map(|(_, namespace)| namespace)
            .or_else(|| self.fresh.pop());
        let namespace = match kept {
            Some(namespace) => namespace,
            None => create()?,
        };
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(namespace)
    }

    /// Gives back the namespace of a sandbox in which no process is left.
    pub fn give_back(&mut self, tenant: [u8; 16], namespace: OwnedFd) {
        if self.used.len() == KEEP {
            self.used.pop_front();
        }
        self.used.push_back((tenant, namespace));
    }

    /// Makes one fresh namespace if fewer than `wanted` are there. Called while there is nothing
    /// else to do; `true` when one was made.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn prepare(&mut self, wanted: usize) -> Result<bool, Errno> {
        if self.fresh.len() + self.used.len() >= wanted {
            return Ok(false);
        }
        self.fresh.push(create()?);
        Ok(true)
    }
}

/// A new namespace with loopback up; the calling process is left in it.
fn create() -> Result<OwnedFd, Errno> {
    crate::sys::unshare(UnshareFlags::NEWNET)?;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    crate::sys::loopback_up(socket.as_fd())?;
    forget_closed_connections();
    rustix::fs::open(
        c"/proc/self/ns/net",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
}

/// A connection that was closed is forgotten at once. Where it cannot be so, a port may be in use that
/// nobody uses; that harms nobody but the tenant.
fn forget_closed_connections() {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let setting = c"/proc/sys/net/ipv4/tcp_max_tw_buckets";
    if let Ok(file) = rustix::fs::open(setting, flags, rustix::fs::Mode::empty()) {
        let _ = rustix::io::write(&file, b"0");
    }
}
