//! What a process holds, as the kernel counts it.

use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// What a process holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Open descriptors.
    pub descriptors: usize,
    /// How many of them are sockets.
    pub sockets: usize,
    /// Threads.
    pub threads: u64,
    /// Memory in use, in KiB.
    pub memory_kib: u64,
}

impl Usage {
    /// What this process holds now.
    ///
    /// # Errors
    /// It is gone, or belongs to somebody else.
    pub fn of(process: u32) -> Result<Self> {
        let open = fs::read_dir(format!("/proc/{process}/fd")).context("the descriptors of the process")?;
        // One that is closed meanwhile shows nothing.
        let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
        let is_socket = |target: &&PathBuf| target.to_string_lossy().starts_with("socket:");
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        Ok(Self {
            descriptors: open.len(),
            sockets: open.iter().filter(is_socket).count(),
            threads: value(&status, "Threads:").context("no Threads in the status of the process")?,
            memory_kib: value(&status, "VmRSS:").context("no VmRSS in the status of the process")?,
        })
    }
}

/// The most memory that this process ever used, in KiB.
///
/// # Errors
/// It is gone.
pub fn peak_memory_of(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    value(&status, "VmHWM:").context("no VmHWM in the status of the process")
}

fn value(status: &str, key: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_one_more_descriptor() {
        let before = Usage::of(std::process::id()).unwrap();
        let files: Vec<_> = (0..64).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let after = Usage::of(std::process::id()).unwrap();
        drop(files);
        // Other tests of this process open and close some, too.
        assert!(after.descriptors >= before.descriptors + 32, "{before:?} {after:?}");
        assert!(after.memory_kib > 0 && after.threads > 0, "{after:?}");
        assert!(peak_memory_of(std::process::id()).unwrap() >= after.memory_kib);
    }
}
