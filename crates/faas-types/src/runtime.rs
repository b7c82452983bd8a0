//! The language environment of a function, as it is asked for: `python`, or one minor version of it,
//! `python3.11`.

use crate::excerpt::excerpt;
use crate::{Language, UnknownLanguage};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A language, and which of its versions where that matters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Runtime {
    /// The language.
    pub language: Language,
    /// The version insisted on, such as `3.11` or `20`; `None` takes whatever the host has.
    pub version: Option<String>,
}

/// Why a text names no runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// No language of that name.
    #[error(transparent)]
    Language(#[from] UnknownLanguage),
    /// What follows the language's name is no version.
    #[error("{given:?} names no version; accepted: a language, or one with digits and dots behind it, as python3.11")]
    Version {
        /// The text as given, cut when long.
        given: String,
    },
}

impl FromStr for Runtime {
    type Err = RuntimeError;

    fn from_str(text: &str) -> Result<Self, RuntimeError> {
        // `python3` is a name of the language.
        if let Ok(language) = text.parse() {
            return Ok(Self { language, version: None });
        }
        let digits = text.find(|character: char| character.is_ascii_digit()).unwrap_or(text.len());
        let (name, version) = text.split_at(digits);
        let language = name.strip_suffix('-').unwrap_or(name).parse()?;
        let is_version = !version.is_empty()
            && version.len() <= 16
            && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_version {
            return Err(RuntimeError::Version { given: excerpt(text) });
        }
        Ok(Self { language, version: Some(version.to_owned()) })
    }
}

impl From<Language> for Runtime {
    fn from(language: Language) -> Self {
        Self { language, version: None }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.language.as_str())?;
        f.write_str(self.version.as_deref().unwrap_or_default())
    }
}

impl TryFrom<String> for Runtime {
    type Error = RuntimeError;

    fn try_from(text: String) -> Result<Self, RuntimeError> {
        text.parse()
    }
}

impl From<Runtime> for String {
    fn from(runtime: Runtime) -> Self {
        runtime.to_string()
    }
}

impl Runtime {
    /// Whether an interpreter of this version will do: `3` takes every 3, `3.11` every 3.11.
    #[must_use]
    pub fn accepts(&self, found: &str) -> bool {
        let Some(wanted) = self.version.as_deref() else { return true };
        found.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::{Runtime, RuntimeError};
    use crate::Language;

    #[test]
    fn a_runtime_is_a_language_with_or_without_a_version() {
        let parsed = |text: &str| text.parse::<Runtime>();
        assert_eq!(parsed("python"), Ok(Language::Python.into()));
        assert_eq!(parsed("python3"), Ok(Language::Python.into()));
        assert_eq!(parsed("node"), Ok(Language::JavaScript.into()));
        for (text, shown) in [("python3.11", "python3.11"), ("node-20", "javascript20"), ("node20", "javascript20")] {
            assert_eq!(parsed(text).unwrap().to_string(), shown);
            assert_eq!(parsed(shown).unwrap(), parsed(text).unwrap());
        }
        for text in ["python3.", "python.11", "python3..1", "python3x", "python12345678901234567"] {
            assert!(matches!(parsed(text), Err(RuntimeError::Version { .. } | RuntimeError::Language(_))), "{text}");
        }
        assert!(matches!(parsed("../../bin/sh"), Err(RuntimeError::Language(_))));
    }

    #[test]
    fn a_version_is_compared_part_by_part() {
        let runtime = |text: &str| text.parse::<Runtime>().unwrap();
        assert!(runtime("python").accepts("3.9.2"));
        assert!(runtime("python3.1").accepts("3.1.4"));
        assert!(!runtime("python3.1").accepts("3.11.4"));
        assert!(runtime("python3.11").accepts("3.11"));
        assert!(runtime("node20").accepts("20.1.0"));
    }
}
