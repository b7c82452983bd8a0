//! Archives as they are uploaded: those that tools make, and those that attackers make. The number in a name is
//! the row in the list of hostile inputs.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod accepted;
mod any;
mod row_100_zip;
mod row_101_tar;

use faas_archive::{ArchiveError, ArchiveFile, Limits, read_files};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Cursor, Write as _};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn read(bytes: &[u8]) -> Result<Vec<ArchiveFile>, ArchiveError> {
    read_files("source", bytes, &Limits::SOURCE, |_| Ok(()))
}

/// That it is refused, by a message with this in it.
#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    match read(bytes) {
        Err(ArchiveError::Refused(reason)) => assert!(reason.contains(part), "{reason}"),
        other => panic!("expected a refusal with {part:?}, got {other:?}"),
    }
}

/// That a limit is passed, named by a message with this in it.
#[track_caller]
fn too_large(bytes: &[u8], part: &str) {
    match read(bytes) {
        Err(ArchiveError::TooLarge(error)) => assert!(error.to_string().contains(part), "{error}"),
        other => panic!("expected a limit with {part:?}, got {other:?}"),
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("in memory");
    packed.finish().expect("in memory")
}

/// A zip archive of these files: name, permissions, content.
fn zipped(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).expect("begun");
        zip.write_all(content).expect("written");
    }
    zip.finish().expect("ended").into_inner()
}

/// A tar archive that is written byte by byte: no library makes what attackers send.
#[derive(Clone, Default)]
struct Tar(Vec<u8>);

impl Tar {
    /// An entry of this kind, with these bytes behind it.
    fn entry(self, kind: u8, name: &str, mode: u32, content: &[u8]) -> Self {
        self.stating(kind, name, mode, u64::try_from(content.len()).expect("short"), content)
    }

    /// The same, which states a size of its own.
    fn stating(mut self, kind: u8, name: &str, mode: u32, size: u64, content: &[u8]) -> Self {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
        if size < 1 << 33 {
            header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        } else {
            // GNU's numbers in base 256.
            header[124] = 0x80;
            header[128..136].copy_from_slice(&size.to_be_bytes());
        }
        header[148..156].copy_from_slice(b"        ");
        header[156] = kind;
        header[157..168].copy_from_slice(b"/etc/passwd");
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name, 0o644, content)
    }

    /// Attributes of the next entry.
    fn pax(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let digits = (1..).find(|digits| (rest + digits).to_string().len() == *digits).expect("a length");
            text.push_str(&format!("{} {key}={value}\n", rest + digits));
        }
        self.entry(kind, "PaxHeader", 0o644, text.as_bytes())
    }

    /// With the two empty blocks that end it.
    fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}
