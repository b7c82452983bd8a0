//! What one sandbox uses, read through descriptors that are opened once.
//!
//! The launcher opens them and hands them to the server, which then asks nobody for a reading. They show numbers and
//! let the highest memory begin anew; no limit can be changed through them.

use super::files::{self, keyed};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

/// Room for the first lines of `cpu.stat`, where the number stands first.
const ROOM: usize = 128;

/// The open files of one sandbox.
#[derive(Debug)]
pub struct Meters {
    cpu: OwnedFd,
    peak: OwnedFd,
}

impl Meters {
    /// Of the file that counts processor time (`cpuacct.usage`, or `cpu.stat` on v2), and the one that shows the
    /// highest memory.
    #[must_use]
    pub const fn new(cpu: OwnedFd, peak: OwnedFd) -> Self {
        Self { cpu, peak }
    }

    /// The files, in the order in which they are handed over.
    #[must_use]
    pub const fn files(&self) -> [&OwnedFd; 2] {
        [&self.cpu, &self.peak]
    }

    /// Processor time in microseconds; `None` when the sandbox is gone.
    #[must_use]
    pub fn cpu_us(&self) -> Option<u64> {
        let mut buffer = [0_u8; ROOM];
        let length = rustix::io::pread(&self.cpu, &mut buffer, 0).ok()?;
        // The next lines may be cut within a character that is none of ours.
        let text = buffer.get(..length)?.split(|byte| *byte == b'\n').next()?;
        let text = std::str::from_utf8(text).ok()?;
        // One number is that of v1, in nanoseconds.
        keyed(text, "usage_usec").or_else(|| text.trim().parse::<u64>().ok().map(|nanoseconds| nanoseconds / 1000))
    }

    /// The highest memory in bytes since it began anew; `None` when the sandbox is gone.
    #[must_use]
    pub fn peak_bytes(&self) -> Option<u64> {
        files::read_number_again(&self.peak)
    }

    /// From here on the highest memory counts anew.
    ///
    /// # Errors
    /// The kernel's answer; the sandbox is gone.
    pub fn restart_peak(&self) -> Result<(), Errno> {
        rustix::io::pwrite(&self.peak, b"0", 0).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::Meters;
    use rustix::fd::OwnedFd;
    use rustix::fs::{MemfdFlags, memfd_create};

    fn file(text: &str) -> OwnedFd {
        let file = memfd_create("meter", MemfdFlags::CLOEXEC).expect("a file");
        assert_eq!(rustix::io::write(&file, text.as_bytes()), Ok(text.len()));
        file
    }

    #[test]
    fn both_forms_of_the_kernel_are_read_again_and_again() {
        let two =
            "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n".to_owned() + &"nr_periods 0\n".repeat(20);
        for (cpu, expected) in [("1234567890\n", Some(1_234_567)), (&*two, Some(1_234_567)), ("", None), ("no\n", None)]
        {
            let meters = Meters::new(file(cpu), file("4096\n"));
            for _ in 0..2 {
                assert_eq!((meters.cpu_us(), meters.peak_bytes()), (expected, Some(4096)), "{cpu:?}");
            }
        }
    }
}
