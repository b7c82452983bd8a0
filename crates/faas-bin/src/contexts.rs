//! The servers a user knows by name: `~/.config/faas/contexts.toml`.
//!
//! Invariants: the file may hold API keys, so it is readable by its owner only, and one that is not is
//! refused; a change replaces it whole or not at all.

use crate::diagnostic::CliError;
use faas_client::Address;
use faas_types::ErrorCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What stands for no server: executions run in this process.
pub(crate) const LOCAL: &str = "local";
/// The largest file that is read.
const FILE_BYTES: u64 = 1024 * 1024;
const NAME_CHARACTERS: usize = 64;

/// A server known by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Its address.
    pub(crate) server: String,
    /// What opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

/// All of them, and which one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one in use; `None` is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

impl Contexts {
    /// Where the file lies.
    pub(crate) fn path() -> Option<PathBuf> {
        std::env::var_os("HOME").map(|home| Path::new(&home).join(".config/faas/contexts.toml"))
    }

    /// Reads the file; where there is none, nothing is known.
    pub(crate) fn load() -> Result<Self, CliError> {
        Self::path().map_or_else(|| Ok(Self::default()), |path| Self::read(&path))
    }

    fn read(path: &Path) -> Result<Self, CliError> {
        let wrong = |reason: &dyn std::fmt::Display| {
            CliError::new(ErrorCode::ConfigInvalid, format!("the contexts in {} are refused: {reason}", path.display()))
        };
        let file = match File::open(path) {
            Ok(file) => file,
            // A home that this user may not look into holds no file of theirs.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
                ) =>
            {
                return Ok(Self::default());
            }
            Err(error) => return Err(wrong(&error)),
        };
        let mode = file.metadata().map_err(|error| wrong(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong(&format_args!("others may read or write it; run: chmod 600 {}", path.display())));
        }
        let mut text = String::new();
        file.take(FILE_BYTES).read_to_string(&mut text).map_err(|error| wrong(&error))?;
        toml::from_str(&text).map_err(|error| wrong(&error.to_string().trim_end()))
    }

    /// Replaces the file.
    pub(crate) fn save(&self) -> Result<(), CliError> {
        let path =
            Self::path().ok_or_else(|| CliError::invalid("HOME is not set; contexts are kept below it".to_owned()))?;
        self.write(&path)
            .map_err(|error| CliError::io(&format!("contexts cannot be written to {}", path.display()), &error))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let directory = path.parent().ok_or(io::ErrorKind::NotFound)?;
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let fresh = path.with_extension(format!("toml.{}", std::process::id()));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&fresh, path)
        });
        if written.is_err() {
            // Nothing is lost with it.
            drop(std::fs::remove_file(&fresh));
        }
        written
    }

    /// The context of this name.
    pub(crate) fn get(&self, name: &str) -> Result<&Context, CliError> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            CliError::invalid(format!("there is no context {name:?}; known: {known}; add one with `faas context add`"))
        })
    }
}

/// Checks the name of a new context.
pub(crate) fn check_name(name: &str) -> Result<(), CliError> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name == LOCAL {
        return Err(CliError::invalid(format!("the name {LOCAL} is taken: it means this process, without a server")));
    }
    if name.is_empty() || name.len() > NAME_CHARACTERS || !name.bytes().all(fine) {
        return Err(CliError::invalid(format!(
            "the name {name:?} is refused; accepted: 1 to {NAME_CHARACTERS} letters, digits, dots, dashes and underscores"
        )));
    }
    Ok(())
}

/// Checks an address.
pub(crate) fn address(field: &str, text: &str) -> Result<Address, CliError> {
    text.parse().map_err(|error| CliError::invalid(format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::{Context, Contexts, check_name};
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn some() -> Contexts {
        let context = Context { server: "http://h:1".to_owned(), key: Some("a \"key\"\n[x]".to_owned()) };
        Contexts { current: Some("a".to_owned()), contexts: BTreeMap::from([("a".to_owned(), context)]) }
    }

    #[test]
    fn what_is_written_is_read_and_is_its_owners_alone() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("new/contexts.toml");
        assert_eq!(Contexts::read(&path).unwrap(), Contexts::default());
        some().write(&path).unwrap();
        some().write(&path).unwrap();
        assert_eq!(Contexts::read(&path).unwrap(), some());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_others_may_read_and_one_that_makes_no_sense_are_refused() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("contexts.toml");
        some().write(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Contexts::read(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("contexts.toml"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["[", "unknown = 1", "[contexts.a]\nserver = 1"] {
            fs::write(&path, text).unwrap();
            assert!(Contexts::read(&path).unwrap_err().to_string().contains("contexts.toml"), "{text}");
        }
    }

    #[test]
    fn names_are_plain() {
        for name in ["a", "prod-1.eu_x"] {
            check_name(name).unwrap();
        }
        for name in ["", "local", "a b", "a\n", "ü", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
