//! One archive that is being read, what it has taken of its limits, and what it hands on.

use crate::error::{ArchiveError, TooLarge};
use crate::limits::Limits;
use crate::tarball::Endless;
use crate::{Format, tarball, zipped};
use flate2::read::MultiGzDecoder;
use std::io::{self, BufReader, Read, Seek};

/// One archive.
#[derive(Debug)]
pub struct Archive {
    format: Format,
    /// What its limits are said of.
    name: String,
    /// Its size as it came.
    pub(crate) packed: u64,
    pub(crate) limits: Limits,
    /// Whether it is refused where two readers could disagree about it.
    pub(crate) is_exact: bool,
    unpacked: u64,
    files: u32,
    entries: u32,
}

/// A plain file or a directory of an archive.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Its path as the archive has it; a directory's without the slash at its end.
    pub path: &'a [u8],
    /// Whether it is a directory, which has no content.
    pub is_directory: bool,
    /// Its permissions; the archive's own bits, whatever they ask for.
    pub mode: u32,
    /// What is in it.
    pub content: Content<'a>,
}

/// The content of an entry, counted while it is read.
pub struct Content<'a> {
    inner: &'a mut dyn Read,
    archive: &'a mut Archive,
    path: &'a [u8],
    /// What the archive says is still to come.
    left: u64,
}

impl Archive {
    /// One of this kind and size. `name` is what errors call it.
    #[must_use]
    pub fn new(format: Format, name: &str, packed: u64, limits: Limits) -> Self {
        let name = name.to_owned();
        Self { format, name, packed, limits, is_exact: false, unpacked: 0, files: 0, entries: 0 }
    }

    /// Refuses also what another reader could read as something else: entries that overlap or that only some
    /// tools find, bytes behind its end, an end that is missing.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.is_exact = true;
        self
    }

    /// Reads it, and hands on what is in it, one entry after the other.
    ///
    /// # Errors
    /// It is refused or too large, or `take` fails.
    pub fn read<E: From<ArchiveError>>(
        &mut self,
        mut file: impl Read + Seek,
        take: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.format {
            Format::Tar => tarball::read(self, &mut file, take),
            Format::TarGz => tarball::read(self, &mut MultiGzDecoder::new(BufReader::new(file)), take),
            Format::Zip => zipped::read(self, file, take),
        }
    }

    /// Why its bytes cannot be read.
    pub(crate) fn damaged(&self, error: impl Into<io::Error>) -> ArchiveError {
        let error = error.into();
        if error.get_ref().is_some_and(|inner| inner.is::<Endless>()) {
            return TooLarge::new(self.unpacked_name(), format!("{} times its packed size", self.limits.ratio)).into();
        }
        ArchiveError::Refused(format!("it cannot be read as a {}: {error}", self.format))
    }

    fn unpacked_name(&self) -> String {
        format!("{} unpacked", self.name)
    }

    /// Refuses a number of entries of which nothing is known yet.
    pub(crate) fn check_entries(&self, count: u64) -> Result<(), TooLarge> {
        if count <= u64::from(self.limits.entries) {
            return Ok(());
        }
        Err(TooLarge::new(format!("the list of files of {}", self.name), format!("{} entries", self.limits.entries)))
    }

    /// Hands an entry on, counted.
    pub(crate) fn give<E: From<ArchiveError>>(
        &mut self,
        found: Found<'_>,
        content: &mut dyn Read,
        take: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Found { path, is_directory, mode, size } = found;
        let refused = |what: &str| Err(E::from(ArchiveError::refused(format!("{} {what}", shown(path)))));
        self.entries += 1;
        self.check_entries(u64::from(self.entries)).map_err(ArchiveError::from)?;
        if is_directory && size > 0 {
            return refused("is a directory with content");
        }
        if !is_directory {
            self.files += 1;
            if self.files > self.limits.files {
                let limit = format!("{} files", self.limits.files);
                return Err(
                    ArchiveError::from(TooLarge::new(format!("the list of files of {}", self.name), limit)).into()
                );
            }
        }
        // What cannot fit is not begun.
        self.check_room(size)?;
        let path = if is_directory { path.strip_suffix(b"/").unwrap_or(path) } else { path };
        let content = Content { inner: content, archive: self, path, left: size };
        take(Entry { path, is_directory, mode, content })
    }

    fn check_room(&self, count: u64) -> Result<(), ArchiveError> {
        if self.unpacked.saturating_add(count) > self.limits.unpacked.as_bytes() {
            return Err(TooLarge::new(self.unpacked_name(), self.limits.unpacked).into());
        }
        Ok(())
    }

    fn count_bytes(&mut self, count: u64) -> Result<(), ArchiveError> {
        self.check_room(count)?;
        self.unpacked = self.unpacked.saturating_add(count);
        let most = self.packed.saturating_mul(u64::from(self.limits.ratio)).max(self.limits.small.as_bytes());
        if self.unpacked > most { Err(self.damaged(io::Error::other(Endless))) } else { Ok(()) }
    }
}

/// What the header of an entry says.
pub(crate) struct Found<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) is_directory: bool,
    pub(crate) mode: u32,
    pub(crate) size: u64,
}

impl Content<'_> {
    /// How much it holds by what the archive says, which is within the limits.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.left
    }

    /// Reads the next piece; 0 at its end.
    ///
    /// # Errors
    /// It is damaged, not as long as the archive says, or past a limit.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let count = loop {
            match self.inner.read(buffer) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.archive.damaged(error)),
            }
        };
        let length = u64::try_from(count).unwrap_or(u64::MAX);
        let wrong = |how: &str| ArchiveError::refused(format!("{} is {how} than its header says", shown(self.path)));
        if count == 0 && self.left > 0 {
            return Err(wrong("shorter"));
        }
        self.left = self.left.checked_sub(length).ok_or_else(|| wrong("longer"))?;
        self.archive.count_bytes(length)?;
        Ok(count)
    }
}

impl std::fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("left", &self.left).finish_non_exhaustive()
    }
}

/// A path as messages show it.
pub(crate) fn shown(path: &[u8]) -> String {
    let cut: String = String::from_utf8_lossy(path).chars().take(80).collect();
    format!("{cut:?}")
}
