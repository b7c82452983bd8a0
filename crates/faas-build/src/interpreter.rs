//! Which interpreter packages are resolved and built for.
//!
//! Invariant: another one has another identity; it is in the name of every list, and in the lock of what a
//! package's own code made, for that may load in this one only.

use crate::tool;
use faas_types::{Language, PackagesId};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The interpreter of the host that runs what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    name: &'static str,
    identity: Option<String>,
}

impl Interpreter {
    pub(crate) fn of(language: Language) -> Self {
        match language {
            Language::JavaScript => Self::at("node", Path::new("/usr/bin/node")),
            Language::Python | Language::Bash | Language::Php => Self::at("python", Path::new(tool::PYTHON)),
        }
    }

    /// Another version has another size or another time: to ask for its version it would have to run.
    pub(crate) fn at(name: &'static str, path: &Path) -> Self {
        let file = std::fs::metadata(path).map(|file| (file.ino(), file.len(), file.mtime()));
        let identity = file.ok().map(|file| {
            let digest = PackagesId::from_bytes(*blake3::hash(format!("{file:?}").as_bytes()).as_bytes());
            digest.to_string().chars().take(16).collect()
        });
        Self { name, identity }
    }
}

impl std::fmt::Display for Interpreter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.name, self.identity.as_deref().unwrap_or("that is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::Interpreter;

    #[test]
    fn another_one_in_its_place_has_another_identity() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("node");
        let shown = || Interpreter::at("node", &path).to_string();
        assert_eq!(shown(), "node that is missing");
        std::fs::write(&path, "20").expect("written");
        let before = shown();
        assert_eq!((shown().as_str(), before.len()), (before.as_str(), "node ".len() + 16));
        // Of the same size, and as it is upgraded.
        let new = directory.path().join("new");
        std::fs::write(&new, "22").expect("written");
        std::fs::rename(&new, &path).expect("renamed");
        assert_ne!(shown(), before);
    }
}
