//! Paths of files to be passed in: relative, without tricks, one file for each path.

use super::{MAX_NAME_BYTES, MAX_PATH_BYTES, refused};
use crate::{CallError, FileIn};
use std::collections::HashSet;

/// Checks the path of a file to be passed in.
///
/// # Errors
/// `File`, naming the path and the rule.
pub fn check_file(file: &FileIn) -> Result<(), CallError> {
    check_path(&file.path).map_err(|reason| refused(file, reason))
}

/// Checks every path, and that no path is used twice or is a directory of another one.
pub(super) fn check_files(files: &[FileIn]) -> Result<(), CallError> {
    let mut paths = HashSet::with_capacity(files.len());
    for file in files {
        check_file(file)?;
        if !paths.insert(file.path.as_str()) {
            return Err(refused(file, "the path is given twice; give each file its own path"));
        }
    }
    for file in files {
        let directories = file.path.match_indices('/').map(|(end, _)| &file.path[..end]);
        for directory in directories {
            if paths.contains(directory) {
                return Err(refused(file, format!("{directory:?} is given as a file; it cannot be a directory too")));
            }
        }
    }
    Ok(())
}

/// Checks one part of a path; the reason otherwise.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    match name {
        "" => Err("it is empty".to_owned()),
        "." | ".." => Err(format!("{name:?} is a directory")),
        _ if name.contains('/') => Err("it holds a slash".to_owned()),
        _ if name.contains('\0') => Err("it holds a NUL".to_owned()),
        _ if name.len() > MAX_NAME_BYTES => {
            Err(format!("it has {} bytes, more than the {MAX_NAME_BYTES} of a file name", name.len()))
        }
        // Interpreters would take it for an option.
        _ if name.starts_with('-') => Err("it starts with a dash".to_owned()),
        _ => Ok(()),
    }
}

fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("the path is empty; accepted: a path relative to the working directory".to_owned());
    }
    if path.len() > MAX_PATH_BYTES {
        return Err(format!("the path has {} bytes; accepted: at most {MAX_PATH_BYTES}", path.len()));
    }
    if path.contains('\0') {
        return Err("the path holds a NUL".to_owned());
    }
    if path.starts_with('/') {
        return Err("the path is absolute; accepted: a path relative to the working directory".to_owned());
    }
    for part in path.split('/') {
        match part {
            "" => {
                return Err("the path has an empty part; write one slash between names and none at the end".to_owned());
            }
            "." | ".." => return Err(format!("the path has a part {part:?}; write it without")),
            _ if part.len() > MAX_NAME_BYTES => {
                return Err(format!("a part of the path has {} bytes; accepted: at most {MAX_NAME_BYTES}", part.len()));
            }
            _ => {}
        }
    }
    Ok(())
}
