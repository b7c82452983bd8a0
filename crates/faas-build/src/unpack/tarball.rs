//! Tarballs of npm packages, and what install scripts left of them.

use super::{Tree, archive};
use faas_archive::{ArchiveError, Entry, Format, Relative};
use std::fs::File;

/// Unpacks everything beneath the one top directory of a tarball into the directory `place`. `name` is what
/// errors call it.
pub(crate) fn unpack_tarball(name: &str, file: File, place: &str, tree: &mut Tree<'_>) -> Result<(), ArchiveError> {
    archive(tree.limits, Format::TarGz, name, &file)?.read(file, |entry| {
        let Entry { path, is_directory, mode, content } = entry;
        if is_directory {
            return Ok(());
        }
        let inner = Relative::parse(path)?;
        // Whatever the top directory is called, npm installs what is in it.
        let Some((_, inner)) = inner.as_str().split_once('/') else { return Ok(()) };
        tree.write(&Relative::beneath(place, inner)?, mode & 0o111 != 0, content)
    })
}

/// Unpacks what install scripts left, over what is there. `name` is what errors call it.
pub(crate) fn unpack_left(name: &str, file: File, tree: &mut Tree<'_>) -> Result<(), ArchiveError> {
    archive(tree.limits, Format::TarGz, name, &file)?.read(file, |entry| {
        let Entry { path, is_directory, mode, content } = entry;
        let path = Relative::parse(path)?;
        if is_directory {
            return Ok(());
        }
        if !path.as_str().starts_with("node_modules/") {
            return Err(ArchiveError::Refused(format!("its path {path} is not in node_modules")));
        }
        tree.write(&path, mode & 0o111 != 0, content)
    })
}
