//! Wheels: zip archives, unpacked as `pip install --target` lays them out, without its scripts.

use super::{Tree, archive};
use faas_archive::{ArchiveError, Entry, Format, Relative};
use std::fs::File;

/// Unpacks a wheel. `name` is what errors call it.
pub(crate) fn unpack_wheel(name: &str, file: File, tree: &mut Tree<'_>) -> Result<(), ArchiveError> {
    archive(tree.limits, Format::Zip, name, &file)?.read(file, |entry| {
        let Entry { path, is_directory, mode, content } = entry;
        if is_directory {
            return Ok(());
        }
        let Some(path) = installed(&Relative::parse(path)?)? else { return Ok(()) };
        tree.write(&path, mode & 0o111 != 0, content)
    })
}

/// Where a file of a wheel goes; `None` for what is not installed. `NAME.data` holds files for the
/// directories of an installation, and of these a function needs what is imported and what is run.
fn installed(path: &Relative) -> Result<Option<Relative>, ArchiveError> {
    let Some((top, rest)) = path.as_str().split_once('/') else { return Ok(Some(path.clone())) };
    if !top.ends_with(".data") {
        return Ok(Some(path.clone()));
    }
    match rest.split_once('/') {
        Some(("purelib" | "platlib" | "data", rest)) => Ok(Some(Relative::parse(rest.as_bytes())?)),
        Some(("scripts", rest)) => Ok(Some(Relative::beneath("bin", rest)?)),
        _ => Ok(None),
    }
}
