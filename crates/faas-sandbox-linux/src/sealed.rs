//! Programs in memory that nobody can change.

use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;

/// A file in memory with this content, which can no longer be written, grown, shrunk or unsealed.
/// A process that executes it cannot be made to overwrite it (the shape of CVE-2019-5736).
///
/// # Errors
/// The kernel's answer.
pub fn sealed_file(name: &str, content: &[u8]) -> Result<OwnedFd, Errno> {
    let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut written = 0;
    while let Some(rest) = content.get(written..)
        && !rest.is_empty()
    {
        written += rustix::io::write(&file, rest)?;
    }
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o555))?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file)
}
