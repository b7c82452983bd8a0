//! Path rules the kernel enforces on top of the mounts: a second wall behind the first.

use crate::root::{READABLE, SANDBOX_ROOT, WRITABLE};
use ::landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};
use rustix::io::Errno;

/// The newest rules this crate asks for; an older kernel enforces the part it knows.
const WANTED: ABI = ABI::V6;

/// What a sandbox's processes may do with which paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    readable: Vec<&'static str>,
}

impl Rules {
    /// The rules for the sandboxes' root as the launcher sees it, or `None` where the kernel has no
    /// landlock or it is switched off.
    #[must_use]
    pub fn prepare() -> Option<Self> {
        // Making a ruleset and dropping it restricts nothing.
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_all(ABI::V1))
            .and_then(Ruleset::create)
            .ok()?;
        // A link is resolved to what it points to, which has a rule of its own.
        let readable = READABLE
            .into_iter()
            .filter(|path| std::fs::symlink_metadata(format!("{SANDBOX_ROOT}{path}")).is_ok_and(|file| file.is_dir()));
        Some(Self { readable: readable.collect() })
    }

    /// Restricts the calling process: programs and libraries can be read and executed, `/proc`
    /// read, the writable areas used in full.
    ///
    /// # Errors
    /// `EPERM` when the rules cannot be made or enforced.
    pub fn enforce(&self) -> Result<(), Errno> {
        self.restrict().map_err(|_| Errno::PERM)
    }

    fn restrict(&self) -> Result<(), ::landlock::RulesetError> {
        let all = AccessFs::from_all(WANTED);
        let read: BitFlags<AccessFs> = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
        let devices = AccessFs::ReadFile | AccessFs::WriteFile;
        let mut rules = Ruleset::default()
            .handle_access(all)?
            .scope(Scope::AbstractUnixSocket | Scope::Signal)?
            .create()?
            .no_new_privs(false);
        // Any directory may be listed; what is in it is another matter.
        rules = allow(rules, "/", AccessFs::ReadDir.into())?;
        for path in &self.readable {
            rules = allow(rules, path, read)?;
        }
        rules = allow(rules, "/dev", devices)?;
        for path in WRITABLE {
            rules = allow(rules, path, all)?;
        }
        rules.restrict_self()?;
        Ok(())
    }
}

fn allow(
    rules: RulesetCreated,
    path: &str,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ::landlock::RulesetError> {
    match PathFd::new(path) {
        Ok(fd) => rules.add_rule(PathBeneath::new(fd, access)),
        // A path the root does not have needs no rule.
        Err(_) => Ok(rules),
    }
}
