//! Path rules the kernel enforces on top of the mounts: a second wall behind the first.

use crate::root::{READABLE, SANDBOX_ROOT, WRITABLE};
use ::landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};
use rustix::io::Errno;

/// The newest rules this crate asks for; an older kernel enforces the part it knows.
const WANTED: ABI = ABI::V6;

/// What stays among processes of one domain. Signals do not: init has to send them to programs that were forked from a
/// zygote, whose domain is beside its own, and the pid namespace keeps them in.
const SCOPE: Scope = Scope::AbstractUnixSocket;

/// What the kernel may know, newest first.
const KNOWN: [ABI; 6] = [WANTED, ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];

/// What a sandbox's processes may do with which paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    readable: Vec<&'static str>,
    /// What this kernel enforces of [`WANTED`].
    enforced: ABI,
}

/// The rules as the kernel's own numbers (`include/uapi/linux/landlock.h`), for a process that is made to
/// call it from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawRules {
    /// `struct landlock_ruleset_attr`: accesses of files, of the network, scopes.
    pub(crate) handled: [u64; 3],
    /// What is allowed beneath which paths.
    pub(crate) allowed: Vec<(&'static str, u64)>,
}

impl Rules {
    /// The rules for the sandboxes' root as the launcher sees it, or `None` where the kernel has no
    /// landlock or it is switched off.
    #[must_use]
    pub fn prepare() -> Option<Self> {
        let enforced = KNOWN.into_iter().find(|abi| knows(*abi))?;
        // A link is resolved to what it points to, which has a rule of its own.
        let readable = READABLE
            .into_iter()
            .filter(|path| std::fs::symlink_metadata(format!("{SANDBOX_ROOT}{path}")).is_ok_and(|file| file.is_dir()));
        Some(Self { readable: readable.collect(), enforced })
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
        let mut rules =
            Ruleset::default().handle_access(AccessFs::from_all(WANTED))?.scope(SCOPE)?.create()?.no_new_privs(false);
        for (path, access) in self.allowed() {
            rules = allow(rules, path, access)?;
        }
        rules.restrict_self()?;
        Ok(())
    }

    /// What is allowed beneath which paths of the sandbox's root.
    fn allowed(&self) -> impl Iterator<Item = (&'static str, BitFlags<AccessFs>)> {
        let read: BitFlags<AccessFs> = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
        // Any directory may be listed; what is in it is another matter.
        std::iter::once(("/", AccessFs::ReadDir.into()))
            .chain(self.readable.iter().map(move |path| (*path, read)))
            .chain([("/dev", AccessFs::ReadFile | AccessFs::WriteFile)])
            .chain(WRITABLE.into_iter().map(|path| (path, AccessFs::from_all(WANTED))))
    }

    /// The rules as this kernel takes them.
    pub(crate) fn raw(&self) -> RawRules {
        let files = AccessFs::from_all(self.enforced);
        let scopes = if self.enforced == WANTED { BitFlags::from(SCOPE).bits() } else { 0 };
        RawRules {
            handled: [files.bits(), 0, scopes],
            allowed: self.allowed().map(|(path, access)| (path, (access & files).bits())).collect(),
        }
    }
}

/// Whether the kernel enforces all of this. Making a ruleset and dropping it restricts nothing.
fn knows(abi: ABI) -> bool {
    let files =
        Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::from_all(abi));
    let all = if abi == WANTED { files.and_then(|rules| rules.scope(Scope::from_all(abi))) } else { files };
    all.and_then(Ruleset::create).is_ok()
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
