//! What may be asked for: names and versions from a package index, and nothing else.
//!
//! Invariant: an entry that passes is data to the tools, whatever it says: no option, no path, no
//! address, no marker, no text outside printable ASCII.

mod javascript;
mod python;

pub(crate) use javascript::is_name as is_npm_name;
pub(crate) use python::normalised;
#[cfg(test)]
mod tests;

use faas_types::{ErrorCode, Language};

/// The most dependencies of one function.
pub const MAX_DEPENDENCIES: usize = 100;
/// The most bytes of one entry.
pub const MAX_ENTRY_BYTES: usize = 256;

/// How much of a refused entry an error repeats.
const SHOWN: usize = 64;

/// Why a list of dependencies is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// One entry is not a name with versions.
    #[error("dependency {entry:?} is refused: {reason}; accepted: {accepted}")]
    Entry {
        /// The entry as given, cut when long.
        entry: String,
        /// What is wrong with it, and what to do instead.
        reason: String,
        /// The accepted form.
        accepted: &'static str,
    },
    /// There are too many.
    #[error(
        "dependencies has {given} entries; accepted: at most {MAX_DEPENDENCIES}; leave out what others bring along"
    )]
    TooMany {
        /// How many there are.
        given: usize,
    },
    /// The language has nothing to build.
    #[error(
        "allow_build is not offered for {language}, which has no packages; accepted: true for python and javascript; leave it out"
    )]
    Build {
        /// The language.
        language: Language,
    },
    /// The language has no package index.
    #[error("{language} has no dependencies; accepted: dependencies of python and javascript; leave them out")]
    Language {
        /// The language.
        language: Language,
    },
}

impl DependencyError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Build { .. } => ErrorCode::FieldUnsupported,
            Self::Entry { .. } | Self::TooMany { .. } | Self::Language { .. } => ErrorCode::InvalidField,
        }
    }

    /// The field of the function that is to blame.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Build { .. } => "allow_build",
            Self::Entry { .. } | Self::TooMany { .. } | Self::Language { .. } => "dependencies",
        }
    }
}

/// One name with what is said of its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The name as the index compares it.
    pub(crate) key: String,
    /// The name as the tool is given it, extras included.
    pub(crate) name: String,
    /// The versions, in the tool's own words.
    pub(crate) versions: String,
}

/// How the entries of a language are read; the error says what is wrong and what to do instead.
type Parse = fn(&str) -> Result<Entry, String>;

/// A checked list of dependencies of one language, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependencies {
    language: Language,
    entries: Vec<Entry>,
    allow_build: bool,
}

impl Dependencies {
    /// Checks a list. With `allow_build` what has no wheel may be built from its source, and install scripts run.
    ///
    /// # Errors
    /// Names the entry, what is accepted and the next step.
    pub fn parse(language: Language, entries: &[String], allow_build: bool) -> Result<Self, DependencyError> {
        if allow_build && matches!(language, Language::Bash | Language::Php) {
            return Err(DependencyError::Build { language });
        }
        if entries.len() > MAX_DEPENDENCIES {
            return Err(DependencyError::TooMany { given: entries.len() });
        }
        let (parse, accepted): (Parse, _) = match language {
            Language::Python => (python::parse, python::ACCEPTED),
            Language::JavaScript => (javascript::parse, javascript::ACCEPTED),
            Language::Bash | Language::Php if entries.is_empty() => {
                return Ok(Self { language, entries: Vec::new(), allow_build });
            }
            Language::Bash | Language::Php => return Err(DependencyError::Language { language }),
        };
        let mut parsed: Vec<Entry> = Vec::with_capacity(entries.len());
        for text in entries {
            let refused = |reason| DependencyError::Entry { entry: shown(text), reason, accepted };
            let entry = plain(text).and_then(parse).map_err(refused)?;
            if parsed.iter().any(|earlier| earlier.key == entry.key) {
                return Err(refused(
                    "its name is there twice; put all that is said of its versions in one entry".to_owned(),
                ));
            }
            parsed.push(entry);
        }
        parsed.sort();
        Ok(Self { language, entries: parsed, allow_build })
    }

    /// The language.
    #[must_use]
    pub const fn language(&self) -> Language {
        self.language
    }

    /// Whether code of packages may run to build them.
    #[must_use]
    pub const fn allow_build(&self) -> bool {
        self.allow_build
    }

    /// Whether there are none, so that nothing has to be built.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same text for the same list, whatever its order and spacing.
    pub(crate) fn canonical(&self) -> String {
        let lines = self.entries.iter().map(|entry| format!("{} {}\n", entry.name, entry.versions));
        let build = if self.allow_build { " built" } else { "" };
        std::iter::once(format!("{}{build}\n", self.language)).chain(lines).collect()
    }
}

/// What every language asks of an entry, and words for what is tried most.
fn plain(text: &str) -> Result<&str, String> {
    let reason = if text.is_empty() {
        "it is empty; leave it out"
    } else if text.len() > MAX_ENTRY_BYTES {
        "it is longer than 256 bytes; name a package and its versions"
    } else if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        "it holds something else than printable ASCII on one line; write one entry for each dependency"
    } else if text.starts_with('-') {
        "it is an option of the tool, and which index is used is the host's matter; name a package"
    } else if text.contains("://") || text.contains("git@") {
        "it is an address; name a package of the index the host is configured with"
    } else if text.starts_with(['.', '/', '~']) || text.contains('\\') {
        "it is a path; send the file with the function's code, or name a package of the index"
    } else {
        return Ok(text);
    };
    Err(reason.to_owned())
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
