//! Where modules may be, and how they are opened.
//!
//! Invariants: nothing outside a root is opened, whatever the name and whatever changes meanwhile: each
//! step goes beneath the last one and follows no link. What another user could change is refused, from
//! the root to the file.

use crate::module::{Module, ModuleBounds, read};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The longest name of a module.
const LONGEST_NAME: usize = 1024;

/// Why a module is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// The name has no one meaning.
    #[error(
        "module {module:?} is not accepted; accepted: a path beneath a function root ({roots}) without `.`, `..`, empty segments or control characters, at most 1024 bytes"
    )]
    Name {
        /// The name, cut when long.
        module: String,
        /// The roots.
        roots: String,
    },
    /// It is absolute and beneath no root.
    #[error("module {module:?} is outside the function roots ({roots}); move it beneath one, or add a root")]
    Outside {
        /// The name, cut when long.
        module: String,
        /// The roots.
        roots: String,
    },
    /// It is beneath no root.
    #[error("module {module:?} is beneath none of the function roots ({roots}); put it there")]
    Missing {
        /// The name, cut when long.
        module: String,
        /// The roots.
        roots: String,
    },
    /// It, or something on the way to it, is not taken.
    #[error("module {module:?}: {part} {fault}; function roots: {roots}")]
    Refused {
        /// The name, cut when long.
        module: String,
        /// What of it.
        part: String,
        /// What is wrong.
        fault: Fault,
        /// The roots.
        roots: String,
    },
}

/// What is wrong with a file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is a link.
    #[error("is a symbolic link; accepted: files and directories themselves")]
    Link,
    /// It is something else.
    #[error("is neither a regular file nor a directory")]
    Kind,
    /// Others could change it.
    #[error("can be written by another user; give it to the server's user or root and run `chmod go-w` on it")]
    Shared,
    /// It is more than is accepted.
    #[error("has more than {most} {what}; make it smaller")]
    TooMuch {
        /// How much is accepted.
        most: u64,
        /// Of what.
        what: &'static str,
    },
    /// Its name is not text.
    #[error("has a name that is not UTF-8 or has control characters; rename it")]
    Name,
    /// The system does not give it.
    #[error("cannot be read: {0}")]
    Io(String),
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        match error {
            // No link is followed, and a way out of the root can only lead through one.
            Errno::LOOP | Errno::XDEV => Self::Link,
            Errno::NXIO => Self::Kind,
            error => Self::Io(io::Error::from(error).to_string()),
        }
    }
}

/// Something on the way to a module that is not taken.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) part: String,
    pub(crate) fault: Fault,
}

/// The directories that modules are beneath, the first of which has one wins.
#[derive(Debug)]
pub struct FunctionRoots {
    roots: Vec<PathBuf>,
    bounds: ModuleBounds,
}

impl FunctionRoots {
    /// Roots, which need not be there. A relative one is taken from the working directory of this moment.
    ///
    /// # Errors
    /// The working directory is gone.
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        let roots = roots.into_iter().map(std::path::absolute).collect::<io::Result<_>>()?;
        Ok(Self { roots, bounds: ModuleBounds::default() })
    }

    /// The same roots with other bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: ModuleBounds) -> Self {
        Self { bounds, ..self }
    }

    /// Whether a module of this name could be beneath a root. It looks at no file.
    ///
    /// # Errors
    /// It could not.
    pub fn check(&self, module: &str) -> Result<(), ModuleError> {
        self.places(module).map(drop)
    }

    /// A module: one file, or a directory with what is in it.
    ///
    /// # Errors
    /// It is not there, or it is not taken.
    pub fn read(&self, module: &str) -> Result<Module, ModuleError> {
        let (module_name, roots) = (crate::row::cut(module), self.listed());
        for (root, relative) in self.places(module)? {
            match self.read_beneath(root, relative) {
                Ok(Some(read)) => return Ok(read),
                Ok(None) => {}
                Err(Refusal { part, fault }) => {
                    return Err(ModuleError::Refused { module: module_name, part, fault, roots });
                }
            }
        }
        Err(ModuleError::Missing { module: module_name, roots })
    }

    /// The roots, for a message.
    fn listed(&self) -> String {
        let listed: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
        if listed.is_empty() { "none is configured".to_owned() } else { listed.join(", ") }
    }

    /// Where the module may be: roots with the path beneath each.
    fn places<'a>(&'a self, module: &'a str) -> Result<Vec<(&'a Path, &'a str)>, ModuleError> {
        let relative = module.strip_prefix('/').unwrap_or(module);
        let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
        if module.len() > LONGEST_NAME || module.contains(char::is_control) || !relative.split('/').all(is_plain) {
            return Err(ModuleError::Name { module: crate::row::cut(module), roots: self.listed() });
        }
        if !module.starts_with('/') {
            return Ok(self.roots.iter().map(|root| (root.as_path(), module)).collect());
        }
        let beneath = |root: &'a PathBuf| {
            let rest = Path::new(module).strip_prefix(root).ok()?.to_str()?;
            (!rest.is_empty()).then_some((root.as_path(), rest))
        };
        let places: Vec<_> = self.roots.iter().filter_map(beneath).collect();
        if places.is_empty() {
            return Err(ModuleError::Outside { module: crate::row::cut(module), roots: self.listed() });
        }
        Ok(places)
    }

    /// What is beneath one root; `None` when nothing is there.
    fn read_beneath(&self, root: &Path, relative: &str) -> Result<Option<Module>, Refusal> {
        let refuse = |part: &str| {
            let part = part.to_owned();
            move |fault| Refusal { part, fault }
        };
        let at_root = root.display().to_string();
        // The way to a root is its configuration's; from there on no link is followed.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = match openat(CWD, root, flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(refuse(&at_root)(error.into())),
        };
        keep_to_owner(&directory).map_err(refuse(&at_root))?;
        let (parents, last) = relative.rsplit_once('/').map_or(("", relative), |(parents, last)| (parents, last));
        for name in parents.split('/').filter(|name| !name.is_empty()) {
            directory = match beneath(&directory, name, flags) {
                Ok(next) => next,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::NOTDIR) if is_link(&directory, name) => return Err(refuse(name)(Fault::Link)),
                Err(error) => return Err(refuse(name)(error.into())),
            };
            keep_to_owner(&directory).map_err(refuse(name))?;
        }
        read(&directory, last, &self.bounds)
    }
}

/// Opens what a directory has under this name, following nothing.
pub(crate) fn beneath(directory: &impl AsFd, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(directory, name, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn is_link(directory: &impl AsFd, name: &str) -> bool {
    let opened = openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let kind = opened.and_then(|file| fstat(&file)).map(|stat| FileType::from_raw_mode(stat.st_mode));
    kind == Ok(FileType::Symlink)
}

/// Whether a user other than this process's and root could write a directory. One that is not there could be
/// anybody's, and is no one's yet.
#[must_use]
pub fn is_shared(directory: &Path) -> bool {
    let opened = openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    opened.is_ok_and(|directory| matches!(keep_to_owner(&directory), Err(Fault::Shared)))
}

/// Refuses what a user other than this process's and root could write.
pub(crate) fn keep_to_owner(file: &impl AsFd) -> Result<Stat, Fault> {
    let stat = fstat(file)?;
    let owners = [0, rustix::process::geteuid().as_raw()];
    // A group of the owner's own number has the owner as its one member: what a usual umask of 002 makes.
    let is_others = stat.st_mode & 0o002 != 0 || (stat.st_mode & 0o020 != 0 && stat.st_gid != stat.st_uid);
    if is_others || !owners.contains(&stat.st_uid) { Err(Fault::Shared) } else { Ok(stat) }
}
