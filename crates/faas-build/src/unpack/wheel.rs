//! Wheels: zip archives, unpacked as `pip install --target` lays them out, without its scripts.

use super::path::Relative;
use super::{Archive, Tree, UnpackError};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use zip::ZipArchive;

/// How a zip archive begins the description of an entry.
const ENTRY: &[u8] = b"PK\x01\x02";
/// The kinds of a file in the high half of an entry's attributes (stat(2)).
const KIND: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;

/// Unpacks a wheel. `name` is what errors call it.
pub(crate) fn unpack_wheel(name: &str, mut file: File, tree: &mut Tree<'_>) -> Result<(), UnpackError> {
    let mut archive = Archive::new(name, &file)?;
    bound_entries(&mut file, &mut archive, tree)?;
    let refused = |error: zip::result::ZipError| UnpackError::Refused(format!("it is not a zip archive: {error}"));
    let mut zip = ZipArchive::new(file).map_err(refused)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(refused)?;
        let raw = entry.name_raw().to_owned();
        if raw.ends_with(b"/") {
            continue;
        }
        let path = Relative::parse(&raw)?;
        let mode = entry.unix_mode().unwrap_or_default();
        match mode & KIND {
            0 | PLAIN => {}
            DIRECTORY => continue,
            _ => return Err(UnpackError::Refused(format!("{path} is a link or another special file"))),
        }
        let Some(path) = installed(&path)? else { continue };
        tree.write(&mut archive, &path, mode & 0o111 != 0, &mut entry)?;
    }
    Ok(())
}

/// Counts what any reader of the file could take for an entry, before one allocates for them.
fn bound_entries(file: &mut File, archive: &mut Archive, tree: &Tree<'_>) -> Result<(), UnpackError> {
    let mut window = Vec::with_capacity(1 << 20);
    loop {
        let read = file.by_ref().take((1 << 20) - 3).read_to_end(&mut window)?;
        if read == 0 {
            break;
        }
        for _ in memchr::memmem::find_iter(&window, ENTRY) {
            archive.count_entry(tree.limits)?;
        }
        // One that is cut here is found with the next piece.
        let tail = window.len().saturating_sub(ENTRY.len() - 1);
        window.drain(..tail);
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// Where a file of a wheel goes; `None` for what is not installed. `NAME.data` holds files for the
/// directories of an installation, and of these a function needs what is imported and what is run.
fn installed(path: &Relative) -> Result<Option<Relative>, UnpackError> {
    let Some((top, rest)) = path.as_str().split_once('/') else { return Ok(Some(path.clone())) };
    if !top.ends_with(".data") {
        return Ok(Some(path.clone()));
    }
    match rest.split_once('/') {
        Some(("purelib" | "platlib" | "data", rest)) => Relative::parse(rest.as_bytes()).map(Some),
        Some(("scripts", rest)) => Relative::beneath("bin", rest).map(Some),
        _ => Ok(None),
    }
}
