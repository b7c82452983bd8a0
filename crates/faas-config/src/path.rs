//! Paths, and where things lie when nobody says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A path that means the same from every directory.
pub(crate) fn absolute(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    (path.is_absolute() && !text.contains('\0')).then_some(path)
}

/// A path that means the same from every directory, or that says that it begins at the working one.
pub(crate) fn anywhere(text: &str) -> Option<PathBuf> {
    let begins = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
    (begins && !text.contains('\0')).then(|| PathBuf::from(text))
}

/// The path of a file, which has a name.
pub(crate) fn file(text: &str) -> Option<PathBuf> {
    let path = anywhere(text)?;
    let is_directory = text.ends_with('/') || text.ends_with("/.") || path.file_name().is_none();
    (!is_directory).then_some(path)
}

/// Paths with commas between them, each once.
pub(crate) fn several(text: &str) -> Option<Vec<PathBuf>> {
    let paths: Vec<PathBuf> = text.split(',').map(|path| anywhere(path.trim())).collect::<Option<_>>()?;
    let is_first = |(index, path): (usize, &PathBuf)| paths.iter().position(|other| other == path) == Some(index);
    paths.iter().enumerate().all(is_first).then(|| paths.clone())
}

/// The data directory when no layer names one. `None`: an ordinary user without a home must name one.
#[must_use]
pub fn default_data_dir(root: bool, env: &BTreeMap<String, String>) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/faas"));
    }
    let directory = |name: &str| env.get(name).and_then(|text| absolute(text));
    let data = directory("XDG_DATA_HOME").or_else(|| directory("HOME").map(|home| home.join(".local/share")));
    data.as_deref().map(|data: &Path| data.join("faas"))
}
