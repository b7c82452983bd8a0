//! A path inside an archive that stays inside of what it is unpacked into.

use crate::ArchiveError;
use crate::archive::shown;
use std::fmt;

const MAX_BYTES: usize = 1024;
const MAX_PARTS: usize = 64;
const MAX_PART_BYTES: usize = 255;

/// A relative path of harmless parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relative(String);

impl Relative {
    /// Checks a path as the archive has it.
    ///
    /// # Errors
    /// It is not relative, leads out, is no text, or has a part that no file should be called.
    pub fn parse(path: &[u8]) -> Result<Self, ArchiveError> {
        let refused = |why: &str| Err(ArchiveError::refused(format!("its path {} {why}", shown(path))));
        let Ok(text) = std::str::from_utf8(path) else { return refused("is not UTF-8") };
        if text.len() > MAX_BYTES || text.split('/').count() > MAX_PARTS {
            return refused("is longer than 1024 bytes or 64 parts");
        }
        if text.starts_with('/') {
            return refused("is absolute");
        }
        if text.contains('\\') || text.chars().any(char::is_control) {
            return refused("holds a backslash or a control character");
        }
        for part in text.split('/') {
            match part {
                ".." => return refused("leads out of the archive"),
                "" | "." => return refused("has an empty part"),
                part if part.len() > MAX_PART_BYTES => return refused("has a part longer than 255 bytes"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path, parts with one slash between them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same below `parent`, which is one already or empty.
    ///
    /// # Errors
    /// As [`Relative::parse`].
    pub fn beneath(parent: &str, rest: &str) -> Result<Self, ArchiveError> {
        if parent.is_empty() {
            Self::parse(rest.as_bytes())
        } else {
            Self::parse(format!("{parent}/{rest}").as_bytes())
        }
    }

    /// Every directory above it, the highest first.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
