//! Tarballs of npm packages: everything beneath their one top directory.

use super::path::Relative;
use super::{Archive, Tree, UnpackError};
use crate::limits::{Limits, TooLarge};
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, Read};
use tar::EntryType;

/// The most bytes of a long name or of the attributes of one entry.
const MAX_EXTENSION: u64 = 64 * 1024;

/// Unpacks a tarball into the directory `place`. `name` is what errors call it.
pub(crate) fn unpack_tarball(name: &str, file: File, place: &str, tree: &mut Tree<'_>) -> Result<(), UnpackError> {
    let mut archive = Archive::new(name, &file)?;
    let limits = tree.limits;
    let bound =
        archive.packed.saturating_mul(u64::from(limits.ratio)).max(super::SMALL).min(limits.unpacked.as_bytes());
    // Headers and padding come out of the same stream: an entry of each file, and as much again.
    let bound = bound.saturating_add(u64::from(limits.entries) * 2048);
    let stream = Bounded { inner: GzDecoder::new(io::BufReader::new(file)), left: bound };
    let mut tar = tar::Archive::new(stream);
    let damaged = |error: io::Error, archive: &Archive, limits: &Limits| match error.get_ref() {
        Some(inner) if inner.is::<Endless>() => {
            let limit = format!("{} times its packed size", limits.ratio);
            UnpackError::TooLarge(TooLarge::new(format!("{} unpacked", archive.name), limit))
        }
        _ => UnpackError::Refused(format!("it is not a gzipped tarball: {error}")),
    };
    let mut long_name: Option<Vec<u8>> = None;
    // Raw: the extensions are read here, where they have a bound.
    for entry in tar.entries().map_err(|error| damaged(error, &archive, limits))?.raw(true) {
        let mut entry = entry.map_err(|error| damaged(error, &archive, limits))?;
        archive.count_entry(limits)?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::GNULongName | EntryType::XHeader => {
                let mut text = Vec::new();
                entry
                    .by_ref()
                    .take(MAX_EXTENSION + 1)
                    .read_to_end(&mut text)
                    .map_err(|error| damaged(error, &archive, limits))?;
                if text.len() as u64 > MAX_EXTENSION {
                    return Err(UnpackError::Refused("an entry's attributes are longer than 64 KiB".to_owned()));
                }
                long_name = match kind {
                    EntryType::XHeader => pax_path(&text)?.or(long_name),
                    _ => Some(text.strip_suffix(b"\0").unwrap_or(&text).to_owned()),
                };
                continue;
            }
            _ => {
                return Err(UnpackError::Refused(format!(
                    "{:?} is a link or another special file",
                    shown(&entry.path_bytes())
                )));
            }
        }
        let path = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        // Whatever the top directory is called, npm installs what is in it.
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        let inner = Relative::parse(path)?;
        let Some((_, inner)) = inner.as_str().split_once('/') else { continue };
        let path = Relative::beneath(place, inner)?;
        let executable = entry.header().mode().unwrap_or_default() & 0o111 != 0;
        let mut content = Damaged { inner: &mut entry, failed: None };
        let written = tree.write(&mut archive, &path, executable, &mut content);
        if let Some(error) = content.failed {
            return Err(damaged(error, &archive, limits));
        }
        written?;
    }
    Ok(())
}

fn pax_path(text: &[u8]) -> Result<Option<Vec<u8>>, UnpackError> {
    for extension in tar::PaxExtensions::new(text) {
        let extension =
            extension.map_err(|error| UnpackError::Refused(format!("an entry's attributes are damaged: {error}")))?;
        match extension.key_bytes() {
            b"path" => return Ok(Some(extension.value_bytes().to_owned())),
            // It would change where the next entry begins.
            b"size" => return Err(UnpackError::Refused("an entry has its size among its attributes".to_owned())),
            _ => {}
        }
    }
    Ok(None)
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(80).collect()
}

/// A stream that was longer than it may be.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than it may")]
struct Endless;

/// Ends a stream with an error where it passes its bound.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(Endless))?;
        Ok(count)
    }
}

/// Keeps the error that ended an entry, which says more than that its file is damaged.
struct Damaged<R> {
    inner: R,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Damaged<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed = Some(error);
            }
            kind.into()
        })
    }
}
