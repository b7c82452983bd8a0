//! Tar archives, plain or packed.
//!
//! The names that extensions give are read here, where they have a bound and belong to the very next entry.

use crate::archive::{Archive, Entry, Found, shown};
use crate::error::ArchiveError;
use crate::pax;
use std::io::{self, Read};
use tar::EntryType;

/// The most bytes of a long name or of the attributes of one entry.
const MAX_EXTENSION: u64 = 64 * 1024;
/// What stands in the archive beside each file's content: its header, its padding, a long name with its own.
const OVERHEAD: u64 = 2048;
/// A header, and the least that an end consists of.
const BLOCK: u64 = 512;

/// Reads a tar archive out of a stream.
pub(crate) fn read<E: From<ArchiveError>>(
    archive: &mut Archive,
    stream: &mut dyn Read,
    mut take: impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let limits = archive.limits;
    let unpacked = archive.packed.saturating_mul(u64::from(limits.ratio)).max(limits.small.as_bytes());
    let bound = unpacked.min(limits.unpacked.as_bytes()).saturating_add(u64::from(limits.entries) * OVERHEAD);
    let mut stream = Bounded { inner: stream, left: bound, zeros: 0 };
    read_entries(archive, &mut stream, &mut take)?;
    if archive.is_exact {
        end_of(archive, &mut stream)?;
    }
    Ok(())
}

fn read_entries<E: From<ArchiveError>>(
    archive: &mut Archive,
    stream: &mut Bounded<'_>,
    take: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut tar = tar::Archive::new(stream);
    let mut named: Option<Vec<u8>> = None;
    // Raw: the library would read extensions of any length.
    for entry in tar.entries().map_err(|error| archive.damaged(error))?.raw(true) {
        let mut entry = entry.map_err(|error| archive.damaged(error))?;
        let kind = entry.header().entry_type();
        let is_directory = match kind {
            EntryType::Regular | EntryType::Continuous => false,
            EntryType::Directory => true,
            EntryType::GNULongName => {
                let text = extension(archive, &mut entry)?;
                rename(&mut named, Some(text.strip_suffix(b"\0").unwrap_or(&text).to_owned()))?;
                continue;
            }
            EntryType::XHeader => {
                let text = extension(archive, &mut entry)?;
                rename(&mut named, pax::path_of_next(&text)?)?;
                continue;
            }
            EntryType::XGlobalHeader => {
                pax::check_of_all(&extension(archive, &mut entry)?)?;
                continue;
            }
            _ => {
                let path = named.unwrap_or_else(|| entry.path_bytes().into_owned());
                let reason = format!("{} is a link or another special file", shown(&path));
                return Err(ArchiveError::Refused(reason).into());
            }
        };
        let path = named.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        // What `tar -c .` puts before every path, and the directory itself.
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        if is_directory && matches!(path, b"" | b".") {
            continue;
        }
        let mode = match entry.header().mode() {
            Ok(mode) => mode,
            Err(_) if archive.is_exact => {
                return Err(ArchiveError::Refused(format!("{} has no permissions", shown(path))).into());
            }
            Err(_) => 0,
        };
        let found = Found { path, is_directory, mode, size: entry.size() };
        archive.give(found, &mut entry, take)?;
    }
    match named {
        Some(path) => Err(ArchiveError::Refused(format!("it ends before the file {}", shown(&path))).into()),
        None => Ok(()),
    }
}

/// The content of an entry that says something of another one.
fn extension(archive: &Archive, entry: &mut tar::Entry<'_, &mut Bounded<'_>>) -> Result<Vec<u8>, ArchiveError> {
    let stated = entry.size();
    if stated > MAX_EXTENSION {
        return Err(ArchiveError::refused("an entry's attributes are longer than 64 KiB"));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text).map_err(|error| archive.damaged(error))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) < stated {
        return Err(ArchiveError::refused("it ends in the middle of an entry's attributes"));
    }
    Ok(text)
}

/// A file has one name: tools differ in which of two they use.
fn rename(named: &mut Option<Vec<u8>>, path: Option<Vec<u8>>) -> Result<(), ArchiveError> {
    match (named.as_deref(), path) {
        (Some(one), Some(other)) if one != other => {
            Err(ArchiveError::Refused(format!("{} has a second name, {}", shown(one), shown(&other))))
        }
        (_, Some(path)) => {
            *named = Some(path);
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

/// Reads on behind the last entry: an archive that was cut off, or that goes on, is another one to other tools.
fn end_of(archive: &Archive, stream: &mut Bounded<'_>) -> Result<(), ArchiveError> {
    if stream.zeros < BLOCK {
        return Err(ArchiveError::refused("it ends without the mark of an end; was it cut off on its way?"));
    }
    let mut buffer = [0; 8 * 1024];
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(archive.damaged(error)),
        };
        if buffer.iter().take(count).any(|byte| *byte != 0) {
            return Err(ArchiveError::refused("it goes on behind its end"));
        }
    }
}

/// A stream that was longer than it may be.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than it may")]
pub(crate) struct Endless;

/// Ends a stream with an error where it passes its bound, and knows how many zeros came last.
struct Bounded<'a> {
    inner: &'a mut dyn Read,
    left: u64,
    zeros: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let length = u64::try_from(count).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or_else(|| io::Error::other(Endless))?;
        let read = buffer.get(..count).unwrap_or_default();
        match read.iter().rev().position(|byte| *byte != 0) {
            Some(zeros) => self.zeros = u64::try_from(zeros).unwrap_or(u64::MAX),
            None => self.zeros = self.zeros.saturating_add(length),
        }
        Ok(count)
    }
}
