//! The files of a folder: each is source of its function, or left out by name.
//!
//! Invariants: nothing from outside of the folder gets into a function (a link that leads out is refused);
//! what is read is bounded in number and in size before it is read; the order is that of the paths.

use super::ignored::{IGNORE_FILE, Ignored};
use crate::diagnostic::CliError;
use faas_client::model::{FileBody, MAX_ENTRIES};
use faas_types::ErrorCode;
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// All files together.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// The largest `.faasignore` and `faas.yaml`.
pub(super) const TEXT_BYTES: u64 = 256 * 1024;
/// How deep folders may lie in each other.
const DEPTH: usize = 32;

/// When and as what the files of a folder were written last: equal while nobody changes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(BTreeMap<PathBuf, (u64, u64, i64, i64, u32)>);

impl Stamp {
    /// Of everything a deployment of this folder or file reads.
    pub(crate) fn of(target: &Path) -> Result<Self, CliError> {
        let mut stamps = BTreeMap::new();
        let mut note = |path: PathBuf, metadata: &Metadata| {
            let time = (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.mode());
            stamps.insert(path, time);
        };
        if target.is_dir() {
            for name in [super::MANIFEST, IGNORE_FILE] {
                let path = target.join(name);
                if let Ok(metadata) = fs::metadata(&path) {
                    note(path, &metadata);
                }
            }
            for found in Walk::new(target)?.files()? {
                note(found.on_disk, &found.metadata);
            }
        } else if let Ok(metadata) = fs::metadata(target) {
            note(target.to_path_buf(), &metadata);
        }
        Ok(Self(stamps))
    }
}

/// The source in a folder.
pub(super) fn read(folder: &Path) -> Result<Vec<FileBody>, CliError> {
    let found = Walk::new(folder)?.files()?;
    let total: u64 = found.iter().map(|found| found.metadata.len()).sum();
    if total > MOST_BYTES {
        return Err(too_much(folder));
    }
    let mut left = MOST_BYTES;
    let mut files = Vec::with_capacity(found.len());
    for Found { path, on_disk, metadata } in found {
        let mut content = Vec::new();
        let open = File::open(&on_disk);
        let read = open.and_then(|file| file.take(left.saturating_add(1)).read_to_end(&mut content));
        read.map_err(|error| unreadable(&on_disk, &error))?;
        // A file may have grown since it was looked at.
        left = left.checked_sub(u64::try_from(content.len()).unwrap_or(u64::MAX)).ok_or_else(|| too_much(folder))?;
        files.push(FileBody { path, content, executable: metadata.permissions().mode() & 0o111 != 0 });
    }
    Ok(files)
}

/// The text of a small file; `None` where there is none.
pub(super) fn text(path: &Path) -> Result<Option<String>, CliError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > TEXT_BYTES {
        let shown = path.display();
        return Err(refused(format!("{shown} is above {TEXT_BYTES} bytes, which is the most it may have")));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        CliError::new(ErrorCode::NotText, format!("{} is not UTF-8 at byte {place}", path.display()))
    })
}

/// A file that is source.
struct Found {
    /// From the folder's root, with slashes.
    path: String,
    on_disk: PathBuf,
    metadata: Metadata,
}

struct Walk {
    root: PathBuf,
    /// Without links, to tell what leads out.
    real_root: PathBuf,
    ignored: Ignored,
    found: Vec<Found>,
}

impl Walk {
    fn new(folder: &Path) -> Result<Self, CliError> {
        let real_root = fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?;
        let ignored = text(&folder.join(IGNORE_FILE))?.map_or_else(Ignored::default, |text| Ignored::read(&text));
        Ok(Self { root: folder.to_path_buf(), real_root, ignored, found: Vec::new() })
    }

    fn files(mut self) -> Result<Vec<Found>, CliError> {
        self.walk(&self.root.clone(), "", DEPTH)?;
        self.found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(self.found)
    }

    fn walk(&mut self, folder: &Path, below: &str, depth: usize) -> Result<(), CliError> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(refused(format!("{} lies more than {DEPTH} folders deep", folder.display())));
        };
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let on_disk = entry.path();
            let Ok(name) = entry.file_name().into_string() else {
                return Err(refused(format!("the name of {} is not UTF-8", on_disk.display())));
            };
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            if self.ignored.holds(&path, &name) {
                continue;
            }
            // Editors replace files while we look.
            let metadata = match fs::symlink_metadata(&on_disk) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&on_disk, &error)),
            };
            if metadata.is_dir() {
                self.walk(&on_disk, &path, depth)?;
                continue;
            }
            let metadata = if metadata.is_symlink() { self.behind_link(&on_disk)? } else { metadata };
            if !metadata.is_file() {
                return Err(refused(format!("{} is no file", on_disk.display())));
            }
            if self.found.len() == MAX_ENTRIES {
                let shown = self.root.display();
                return Err(refused(format!("{shown} has more than {MAX_ENTRIES} files")));
            }
            self.found.push(Found { path, on_disk, metadata });
        }
        Ok(())
    }

    /// What a link leads to, which is a file of the same folder.
    fn behind_link(&self, link: &Path) -> Result<Metadata, CliError> {
        let target = fs::canonicalize(link).map_err(|error| unreadable(link, &error))?;
        if !target.starts_with(&self.real_root) {
            return Err(refused(format!("{} is a link that leads out of the folder", link.display())));
        }
        let metadata = fs::metadata(&target).map_err(|error| unreadable(link, &error))?;
        if metadata.is_dir() {
            return Err(refused(format!("{} is a link to a folder", link.display())));
        }
        Ok(metadata)
    }
}

fn too_much(folder: &Path) -> CliError {
    refused(format!("the files in {} are above {MOST_BYTES} bytes together", folder.display()))
}

fn refused(what: String) -> CliError {
    CliError::new(ErrorCode::FileRefused, what).help("name it in .faasignore, or take it out of the folder")
}

fn unreadable(path: &Path, error: &io::Error) -> CliError {
    CliError::new(ErrorCode::ProgramUnreadable, format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
#[path = "folder/tests.rs"]
mod tests;
