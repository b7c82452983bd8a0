//! Modules beneath the function roots, as functions name them that are deployed.
//!
//! Invariant: whoever names a module learns whether it is beneath a root and what is wrong with it there;
//! never where the roots are, nor what is beside them.

use crate::source::{files_of, main_of};
use faas_executor_api::{FileIn, MAX_CODE_BYTES};
use faas_routes_file::{Fault, FunctionRoots, ModuleBounds, ModuleError};
use faas_types::{ErrorCode, Language};
use std::io;
use std::path::{Path, PathBuf};

/// The function roots of this host.
#[derive(Debug)]
pub struct FunctionModules {
    roots: FunctionRoots,
}

/// The files of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFiles {
    /// The path of the file that is run: the only one, or of a directory the one with the usual name.
    pub main: String,
    /// All of them.
    pub files: Vec<FileIn>,
}

/// Why a module is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleRefused {
    /// Its name has no one meaning.
    #[error(
        "module is no path beneath a function root; accepted: one without `.`, `..`, empty segments or control characters, at most 1024 bytes"
    )]
    Name,
    /// It is beneath no root.
    #[error(
        "module is beneath none of the server's function roots; put it there on the server's host (its setting function_roots), or send code, files or an archive"
    )]
    Missing,
    /// It is larger than source may be.
    #[error("module is too large: {part} {fault}")]
    TooLarge {
        /// What of it.
        part: String,
        /// What is wrong.
        fault: Fault,
    },
    /// It, or something on the way to it, is not taken.
    #[error("module is not taken: {part} {fault}")]
    Refused {
        /// What of it.
        part: String,
        /// What is wrong.
        fault: Fault,
    },
}

impl ModuleRefused {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Name => ErrorCode::InvalidField,
            Self::Missing | Self::Refused { .. } => ErrorCode::FileRefused,
            Self::TooLarge { .. } => ErrorCode::CodeTooLarge,
        }
    }
}

impl From<ModuleError> for ModuleRefused {
    fn from(error: ModuleError) -> Self {
        match error {
            ModuleError::Name { .. } => Self::Name,
            // Told apart, they would tell where the roots are.
            ModuleError::Outside { .. } | ModuleError::Missing { .. } => Self::Missing,
            ModuleError::Refused { part, fault, .. } => {
                // What is beneath a root is named from there.
                let part = if Path::new(&part).is_absolute() { "a function root".to_owned() } else { part };
                match fault {
                    Fault::TooMuch { .. } => Self::TooLarge { part, fault },
                    Fault::Link | Fault::Kind | Fault::Shared | Fault::Name | Fault::Io(_) => {
                        Self::Refused { part, fault }
                    }
                }
            }
        }
    }
}

impl FunctionModules {
    /// Of these roots, which need not be there.
    ///
    /// # Errors
    /// One is relative, and the working directory is gone.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let bounds = ModuleBounds { bytes: MAX_CODE_BYTES as u64, ..ModuleBounds::default() };
        Ok(Self { roots: FunctionRoots::new(roots)?.with_bounds(bounds) })
    }

    /// Reads a module; it blocks.
    ///
    /// # Errors
    /// It is not there, or it is not taken.
    pub fn read(&self, module: &str, language: Language) -> Result<ModuleFiles, ModuleRefused> {
        let (files, is_directory) = files_of(module, self.roots.read(module)?);
        Ok(ModuleFiles { main: main_of(language, &files, is_directory), files })
    }
}

#[cfg(test)]
mod tests {
    use super::{FunctionModules, ModuleRefused};
    use faas_types::{ErrorCode, Language};
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_file_and_a_directory_say_which_file_is_run() {
        let root = tempfile::tempdir().expect("a directory");
        fs::write(root.path().join("greet.py"), "one").expect("written");
        fs::create_dir(root.path().join("site")).expect("made");
        fs::write(root.path().join("site/index.js"), "two").expect("written");
        fs::write(root.path().join("site/lib.js"), "three").expect("written");
        let modules = FunctionModules::new([root.path().to_owned()]).expect("absolute");
        let one = modules.read("greet.py", Language::Python).expect("read");
        assert_eq!((one.main.as_str(), one.files.len(), &one.files[0].content[..]), ("greet.py", 1, &b"one"[..]));
        let many = modules.read("site", Language::JavaScript).expect("read");
        assert_eq!((many.main.as_str(), many.files.len()), ("index.js", 2));
        let absolute = root.path().join("greet.py");
        assert_eq!(modules.read(absolute.to_str().expect("text"), Language::Python), Ok(one));
    }

    #[test]
    fn a_refusal_does_not_tell_where_the_roots_are_nor_what_is_outside() {
        let place = tempfile::tempdir().expect("a directory");
        let (root, outside) = (place.path().join("roots"), place.path().join("secret.py"));
        fs::create_dir(&root).expect("made");
        fs::write(&outside, "secret").expect("written");
        symlink(&outside, root.join("link.py")).expect("linked");
        symlink("/etc", root.join("etc")).expect("linked");
        fs::write(root.join("large.py"), vec![b'#'; (16 << 20) + 1]).expect("written");
        let modules = FunctionModules::new([root.clone()]).expect("absolute");
        let (there, not_there) = (outside.display().to_string(), place.path().join("nothing").display().to_string());
        for (module, code) in [
            ("../secret.py", ErrorCode::InvalidField),
            ("", ErrorCode::InvalidField),
            ("a\0b", ErrorCode::InvalidField),
            ("nothing.py", ErrorCode::FileRefused),
            (&there, ErrorCode::FileRefused),
            (&not_there, ErrorCode::FileRefused),
            ("/etc/passwd", ErrorCode::FileRefused),
            ("link.py", ErrorCode::FileRefused),
            ("etc/passwd", ErrorCode::FileRefused),
            ("large.py", ErrorCode::CodeTooLarge),
        ] {
            let refused = modules.read(module, Language::Python).expect_err(module);
            assert_eq!(refused.code(), code, "{module}");
            let text = refused.to_string();
            assert!(text.starts_with("module ") && !text.contains(&place.path().display().to_string()), "{text}");
        }
        assert_eq!(modules.read(&there, Language::Python), Err(ModuleRefused::Missing));
        assert_eq!(modules.read(&not_there, Language::Python), Err(ModuleRefused::Missing));
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).expect("opened");
        let shared = modules.read("nothing.py", Language::Python).expect_err("shared").to_string();
        assert!(shared.contains("a function root can be written by another user"), "{shared}");
    }
}
