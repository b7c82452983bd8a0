//! Network namespaces with nothing but loopback, pooled.
//!
//! A fresh one costs 0.4 ms with millisecond tails and hundreds of kilobytes of kernel memory, so
//! clean ones are kept. Each belongs to a user namespace of its own in which nobody is, and whose owner is the zygotes'
//! user, so that what is forked from a zygote can join it: a sandbox has no privilege over its own network and cannot
//! leave anything in it but connections that the kernel still closes.
//! Those are short here, where no packet comes late: one that was closed holds no port, and one whose
//! other end does not answer is tried once more. One that was used goes back to the same tenant only,
//! and only when nothing is left in it.
//!
//! Invariant: a namespace is in at most one live sandbox. None that is kept holds a socket.

use crate::packet;
use crate::stem::clone_as_owner;
use crate::sys::{self, CloneFlags, Cloned};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use rustix::thread::LinkNameSpaceType;
use std::collections::VecDeque;
use std::ffi::CStr;

/// How many used namespaces are kept, over all tenants.
const KEEP: usize = 64;

/// Network namespaces ready for use. Owned by the launcher's one thread.
#[derive(Debug)]
pub struct NetNsPool {
    owner: u32,
    fresh: Vec<OwnedFd>,
    used: VecDeque<([u8; 16], OwnedFd)>,
}

impl NetNsPool {
    /// None yet; they will belong to this user, the zygotes'.
    #[must_use]
    pub const fn new(owner: u32) -> Self {
        Self { owner, fresh: Vec::new(), used: VecDeque::new() }
    }

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
            None => create(self.owner)?,
        };
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(namespace)
    }

    /// Whether no socket is left in it. The calling process is then in that namespace.
    pub fn is_quiet(namespace: impl AsFd) -> bool {
        let entered = rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
        entered.is_ok()
            && [c"/proc/self/net/sockstat", c"/proc/self/net/sockstat6"]
                .into_iter()
                .all(|path| read(path).is_ok_and(|text| counts_nothing(&text)))
    }

    /// Gives back the namespace of a sandbox in which no process is left.
    pub fn give_back(&mut self, tenant: [u8; 16], namespace: OwnedFd) {
        if !Self::is_quiet(&namespace) {
            // Closing the last descriptor leaves it to the kernel to wait for what is in it.
            return;
        }
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
        self.fresh.push(create(self.owner)?);
        Ok(true)
    }
}

/// A new namespace with loopback up that belongs to a new user namespace of this user's. Only a process in that one can
/// make it, and no process stays there.
fn create(owner: u32) -> Result<OwnedFd, Errno> {
    let (ours, theirs) = packet::pair()?;
    let child = match clone_as_owner(owner, CloneFlags::NETWORK, None)? {
        Cloned::Child => {
            let sent = furnish().and_then(|namespace| packet::send(theirs.as_fd(), b"n", &[namespace.as_fd()]));
            sys::exit_now(sent.map_or_else(|errno| errno.raw_os_error(), |()| 0))
        }
        Cloned::Parent { pidfd, .. } => pidfd,
    };
    drop(theirs);
    let received = packet::receive(&ours, &mut [0]);
    let ended = loop {
        match waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    // Errors are small numbers, as exit codes are.
    let errno = ended.and_then(|status| status.exit_status()).map_or(Errno::IO, sys::error_of);
    received?.descriptors.pop().ok_or(errno)
}

/// Makes the calling process's namespace what a sandbox's is.
fn furnish() -> Result<OwnedFd, Errno> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::loopback_up(socket.as_fd())?;
    shorten_closing();
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(c"/proc/self/ns/net", flags, rustix::fs::Mode::empty())
}

/// A connection that was closed is forgotten at once, and one that nobody owns any more is given up after
/// one more try. Where it cannot be so, what is left is found by [`NetNsPool::is_quiet`].
fn shorten_closing() {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    for (setting, value) in
        [(c"/proc/sys/net/ipv4/tcp_max_tw_buckets", b"0"), (c"/proc/sys/net/ipv4/tcp_orphan_retries", b"1")]
    {
        if let Ok(file) = rustix::fs::open(setting, flags, rustix::fs::Mode::empty()) {
            let _ = rustix::io::write(&file, value);
        }
    }
}

fn read(path: &CStr) -> Result<String, Errno> {
    let file =
        rustix::fs::open(path, rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    // A handful of lines, which the kernel gives at once.
    let mut buffer = [0_u8; 2048];
    let length = rustix::io::read(&file, &mut buffer)?;
    Ok(String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned())
}

/// Whether sockstat shows no socket of this namespace: `inuse` and `tw` are counted for each, `orphan`,
/// `alloc` and `mem` for the whole host.
fn counts_nothing(text: &str) -> bool {
    let protocols = text.lines().filter(|line| !line.starts_with("sockets:"));
    let mut words = protocols.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.all(|words| words.windows(2).all(|pair| !matches!(pair, ["inuse" | "tw", count] if *count != "0")))
}

#[cfg(test)]
mod tests {
    use super::counts_nothing;

    #[test]
    fn sockets_of_the_namespace_are_told_from_those_of_the_host() {
        let quiet =
            "sockets: used 2\nTCP: inuse 0 orphan 4 tw 0 alloc 8 mem 79\nUDP: inuse 0 mem 0\nFRAG: inuse 0 memory 0\n";
        assert!(counts_nothing(quiet));
        assert!(counts_nothing("TCP6: inuse 0\nUDP6: inuse 0\nFRAG6: inuse 0 memory 0\n"));
        for busy in ["TCP: inuse 2 orphan 4 tw 0 alloc 8 mem 79\n", "TCP: inuse 0 orphan 0 tw 1\n", "UDP6: inuse 1\n"] {
            assert!(!counts_nothing(busy), "{busy}");
        }
    }
}
