//! Writes a cpio archive in the `newc` form, the one the kernel unpacks as an initramfs.
//!
//! Written here because the archive needs a device node (`/dev/console`, before any devtmpfs is
//! mounted), which the cpio program can only copy from a real one that needs root to make. Everything
//! in it belongs to root. Called by [`super::image`].

use std::io::{self, Write};

const FORMAT_DIRECTORY: u32 = 0o040_000;
const FORMAT_FILE: u32 = 0o100_000;
const FORMAT_SYMLINK: u32 = 0o120_000;
const FORMAT_CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive being written. [`Archive::finish`] must be called, else the kernel reads on past it.
pub(super) struct Archive<W> {
    out: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, entries: 0 }
    }

    pub(super) fn directory(&mut self, name: &str, permissions: u32) -> io::Result<()> {
        self.entry(&Header { name, mode: FORMAT_DIRECTORY | permissions, ..Header::default() }, &[])
    }

    /// A regular file. The time matters: Python only trusts compiled modules whose source has it.
    pub(super) fn file(&mut self, name: &str, permissions: u32, modified: u32, content: &[u8]) -> io::Result<()> {
        self.entry(&Header { name, mode: FORMAT_FILE | permissions, modified, ..Header::default() }, content)
    }

    pub(super) fn symlink(&mut self, name: &str, target: &str) -> io::Result<()> {
        self.entry(&Header { name, mode: FORMAT_SYMLINK | 0o777, ..Header::default() }, target.as_bytes())
    }

    pub(super) fn character_device(&mut self, name: &str, permissions: u32, device: (u32, u32)) -> io::Result<()> {
        self.entry(&Header { name, mode: FORMAT_CHARACTER_DEVICE | permissions, device, ..Header::default() }, &[])
    }

    /// Ends the archive and hands the writer back, flushed.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.entry(&Header { name: "TRAILER!!!", ..Header::default() }, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, header: &Header<'_>, content: &[u8]) -> io::Result<()> {
        let size = u32::try_from(content.len())
            .map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, format!("{} is 4 GiB or more", header.name)))?;
        let name_size = u32::try_from(header.name.len() + 1).map_err(io::Error::other)?;
        self.entries += 1;
        // inode, mode, uid, gid, links, mtime, size, device of the file system, device, name size, checksum.
        let (major, minor) = header.device;
        let fields = [self.entries, header.mode, 0, 0, 1, header.modified, size, 0, 0, major, minor, name_size, 0];
        self.out.write_all(b"070701")?;
        for field in fields {
            write!(self.out, "{field:08x}")?;
        }
        self.out.write_all(header.name.as_bytes())?;
        self.out.write_all(b"\0")?;
        self.pad(6 + 8 * fields.len() + header.name.len() + 1)?;
        self.out.write_all(content)?;
        self.pad(content.len())
    }

    /// Headers with their names, and contents, each end on a multiple of four bytes.
    fn pad(&mut self, written: usize) -> io::Result<()> {
        self.out.write_all(&[0; 3][..written.next_multiple_of(4) - written])
    }
}

#[derive(Default)]
struct Header<'a> {
    name: &'a str,
    mode: u32,
    modified: u32,
    device: (u32, u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_kernels_layout_and_end_aligned() {
        let mut archive = Archive::new(Vec::new());
        archive.directory("d", 0o755).unwrap();
        archive.file("d/f", 0o644, 0x1234, b"hello").unwrap();
        archive.symlink("l", "d/f").unwrap();
        archive.character_device("c", 0o600, (5, 1)).unwrap();
        let bytes = archive.finish().unwrap();

        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8(bytes).unwrap();
        let headers: Vec<usize> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert_eq!(headers.len(), 5);
        assert!(headers.iter().all(|at| at % 4 == 0));

        let field = |entry: usize, index: usize| {
            let at = headers[entry] + 6 + 8 * index;
            u32::from_str_radix(&text[at..at + 8], 16).unwrap()
        };
        let name = |entry: usize| {
            let at = headers[entry] + 110;
            &text[at..at + field(entry, 11) as usize - 1]
        };
        assert_eq!((name(0), field(0, 1)), ("d", 0o040_755));
        assert_eq!((name(1), field(1, 1), field(1, 5), field(1, 6)), ("d/f", 0o100_644, 0x1234, 5));
        assert_eq!((name(2), field(2, 1), field(2, 6)), ("l", 0o120_777, 3));
        assert_eq!((name(3), field(3, 9), field(3, 10)), ("c", 5, 1));
        assert_eq!(name(4), "TRAILER!!!");
        assert!(text.contains("hello\0\0\0"));
    }
}
