//! A path inside an archive that stays inside of what it is unpacked into.

use super::UnpackError;
use std::fmt;

const MAX_BYTES: usize = 1024;
const MAX_PARTS: usize = 64;
const MAX_PART_BYTES: usize = 255;

/// A relative path of harmless parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relative(String);

impl Relative {
    /// Checks a path as the archive has it.
    pub(super) fn parse(path: &[u8]) -> Result<Self, UnpackError> {
        let refused = |why: &str| {
            let shown: String = String::from_utf8_lossy(path).chars().take(80).collect();
            Err(UnpackError::Refused(format!("its path {shown:?} {why}")))
        };
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
                ".." => return refused("leads out of the package"),
                "" | "." => return refused("has an empty part"),
                part if part.len() > MAX_PART_BYTES => return refused("has a part longer than 255 bytes"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same below `parent`, which is one already or empty.
    pub(super) fn beneath(parent: &str, rest: &str) -> Result<Self, UnpackError> {
        if parent.is_empty() {
            Self::parse(rest.as_bytes())
        } else {
            Self::parse(format!("{parent}/{rest}").as_bytes())
        }
    }

    /// Every directory above it, the highest first.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
