//! Tarballs of npm packages: everything beneath their one top directory.

use super::Tree;
use faas_archive::{ArchiveError, Entry, Format, Relative};
use std::fs::File;

/// Unpacks a tarball into the directory `place`. `name` is what errors call it.
pub(crate) fn unpack_tarball(name: &str, file: File, place: &str, tree: &mut Tree<'_>) -> Result<(), ArchiveError> {
    tree.archive(Format::TarGz, name, &file)?.read(file, |entry| {
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
