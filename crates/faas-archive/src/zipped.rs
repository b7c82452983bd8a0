//! Zip archives, by their central directory.

use crate::archive::{Archive, Entry, Found, shown};
use crate::error::ArchiveError;
use std::io::{Read, Seek, SeekFrom};
use zip::ZipArchive;

/// How a zip archive begins the description of an entry.
const ENTRY: &[u8] = b"PK\x01\x02";
/// The kinds of a file in the high half of an entry's attributes (stat(2)).
const KIND: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
/// How much is looked through at once.
const WINDOW: u64 = 1 << 20;

/// Reads a zip archive.
pub(crate) fn read<E: From<ArchiveError>>(
    archive: &mut Archive,
    mut file: impl Read + Seek,
    mut take: impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    bound_entries(archive, &mut file)?;
    let mut zip = ZipArchive::new(file).map_err(|error| archive.damaged(error))?;
    let kinds = kinds(archive, &zip)?;
    if archive.is_exact {
        if zip.offset() != 0 {
            return Err(ArchiveError::refused("it has bytes before its begin").into());
        }
        zip.validate_header_consistency().map_err(|error| archive.damaged(error))?;
    }
    for (index, (is_directory, mode)) in kinds.into_iter().enumerate() {
        let mut entry = zip.by_index(index).map_err(|error| archive.damaged(error))?;
        let path = entry.name_raw().to_owned();
        let found = Found { path: &path, is_directory, mode, size: entry.size() };
        archive.give(found, &mut entry, &mut take)?;
    }
    Ok(())
}

/// Counts what any reader of the file could take for an entry, before one allocates for them.
fn bound_entries(archive: &Archive, file: &mut (impl Read + Seek)) -> Result<(), ArchiveError> {
    let mut window = Vec::new();
    let mut count: u64 = 0;
    file.seek(SeekFrom::Start(0))?;
    loop {
        let read = file.by_ref().take(WINDOW).read_to_end(&mut window)?;
        if read == 0 {
            break;
        }
        for _ in memchr::memmem::find_iter(&window, ENTRY) {
            count += 1;
            archive.check_entries(count)?;
        }
        // One that is cut here is found with the next piece.
        let tail = window.len().saturating_sub(ENTRY.len() - 1);
        window.drain(..tail);
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// Of each entry whether it is a directory, else it is a plain file, and its permissions. Nothing is unpacked
/// before all were looked at.
fn kinds<R: Read + Seek>(archive: &Archive, zip: &ZipArchive<R>) -> Result<Vec<(bool, u32)>, ArchiveError> {
    let kind = |index| {
        let entry = zip.by_index_data(index).map_err(|error| archive.damaged(error))?;
        // The library clears the bits that make a program run as another user.
        let mode = match entry.external_attributes() >> 16 {
            0 => entry.unix_mode().unwrap_or_default(),
            mode => mode,
        };
        let permissions = mode & !KIND;
        match mode & KIND {
            0 | PLAIN => Ok((entry.name_raw().ends_with(b"/"), permissions)),
            DIRECTORY => Ok((true, permissions)),
            _ => {
                let name = shown(entry.name_raw());
                Err(ArchiveError::Refused(format!("{name} is a link or another special file")))
            }
        }
    };
    (0..zip.len()).map(kind).collect()
}
