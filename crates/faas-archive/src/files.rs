//! The files of an archive that somebody uploaded, in memory.
//!
//! Stricter than what packages need: what one tool would unpack otherwise than another is refused, and so is
//! every right but reading and executing. The first entry that is not accepted ends it, by its name.

use crate::archive::{Archive, Content, Entry, shown};
use crate::error::ArchiveError;
use crate::{Format, Limits, Relative};
use std::collections::{BTreeMap, btree_map};
use std::io::Cursor;
use std::ops::Bound;

/// Permissions that run a program as somebody else, or mean something of a directory.
const SPECIAL: u32 = 0o7000;
const EXECUTABLE: u32 = 0o111;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveFile {
    /// Its path.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Reads the files of a tar, tar.gz or zip archive, in the order of their paths. `name` is what errors call it;
/// each path and each piece of a content is paid for before it is kept.
///
/// # Errors
/// It is no such archive, it is refused or too large, or `pay` fails.
pub fn read_files<E: From<ArchiveError>>(
    name: &str,
    bytes: &[u8],
    limits: &Limits,
    mut pay: impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<ArchiveFile>, E> {
    let format = Format::of(bytes).ok_or_else(|| ArchiveError::refused("it is no archive that is known here"))?;
    let packed = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let mut files = Files::default();
    Archive::new(format, name, packed, *limits)
        .exact()
        .read(Cursor::new(bytes), |entry| files.take(entry, &mut pay))?;
    let files = files.into_files();
    if files.is_empty() {
        return Err(ArchiveError::refused("it holds no file").into());
    }
    Ok(files)
}

/// What was read so far: a directory has no file of its own.
#[derive(Debug, Default)]
struct Files(BTreeMap<String, Option<(Vec<u8>, bool)>>);

impl Files {
    fn take<E: From<ArchiveError>>(
        &mut self,
        entry: Entry<'_>,
        pay: &mut impl FnMut(usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let Entry { path, is_directory, mode, content } = entry;
        let path = Relative::parse(path)?;
        self.check_place(&path, is_directory)?;
        pay(path.as_str().len())?;
        if is_directory {
            self.0.entry(path.as_str().to_owned()).or_default();
            return Ok(());
        }
        if mode & SPECIAL != 0 {
            let reason = format!("{path} is setuid, setgid or sticky; accepted: plain permissions");
            return Err(ArchiveError::refused(reason).into());
        }
        let content = read_content(content, pay)?;
        match self.0.entry(path.as_str().to_owned()) {
            btree_map::Entry::Vacant(place) => {
                place.insert(Some((content, mode & EXECUTABLE != 0)));
                Ok(())
            }
            btree_map::Entry::Occupied(_) => Err(twice(&path).into()),
        }
    }

    /// Refuses a second entry of one path, and a file that is a directory too.
    fn check_place(&self, path: &Relative, is_directory: bool) -> Result<(), ArchiveError> {
        let both =
            |path: &str| Err(ArchiveError::refused(format!("{} is a file and a directory", shown(path.as_bytes()))));
        match self.0.get(path.as_str()) {
            // Tools repeat directories.
            Some(None) if is_directory => return Ok(()),
            Some(Some(_)) if !is_directory => return Err(twice(path)),
            Some(_) => return both(path.as_str()),
            None => {}
        }
        if let Some(file) = path.parents().find(|parent| self.0.get(*parent).is_some_and(Option::is_some)) {
            return both(file);
        }
        if is_directory {
            return Ok(());
        }
        // What lies beneath it would come next in order, but for names with a character before the slash.
        let beneath = format!("{path}/", path = path.as_str());
        let mut next = self.0.range::<str, _>((Bound::Included(beneath.as_str()), Bound::Unbounded));
        match next.next() {
            Some((other, _)) if other.starts_with(&beneath) => both(path.as_str()),
            _ => Ok(()),
        }
    }

    fn into_files(self) -> Vec<ArchiveFile> {
        let file = |(path, file): (String, Option<(Vec<u8>, bool)>)| {
            file.map(|(content, executable)| ArchiveFile { path, content, executable })
        };
        self.0.into_iter().filter_map(file).collect()
    }
}

fn read_content<E: From<ArchiveError>>(
    mut content: Content<'_>,
    pay: &mut impl FnMut(usize) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    // The archive's own word, which is within the limits and which the content is held to. It is paid for as far
    // as it is true, so that a few bytes cannot take what others need; untouched memory takes none.
    let mut whole = Vec::with_capacity(usize::try_from(content.size()).unwrap_or(usize::MAX));
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            return Ok(whole);
        }
        pay(count)?;
        whole.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}

fn twice(path: &Relative) -> ArchiveError {
    ArchiveError::Refused(format!("{path} is in it twice"))
}
