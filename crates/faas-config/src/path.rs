//! Paths, and where things lie when nobody says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A path that means the same from every directory.
pub(crate) fn absolute(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    (path.is_absolute() && !text.contains('\0')).then_some(path)
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
