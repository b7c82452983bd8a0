//! A key and what is to be known about it. The keys themselves stand in the table.
//!
//! The documentation, the error messages and the lookup of unknown names all read that one table.

mod table;

pub use table::Key;

/// What is to be known about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its dotted name in the file.
    pub name: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// Variables of other programs' making that mean the same. An empty one counts as unset.
    pub also: &'static [&'static str],
    /// Its command line flag.
    pub flag: &'static str,
    /// What is accepted.
    pub accepted: &'static str,
    /// The value when no layer gives one.
    pub default: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
}

impl Key {
    /// The key of this dotted name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.info().name == name)
    }

    /// The key of this environment variable, by any of its names.
    #[must_use]
    pub fn from_env(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.variables().any(|known| known == name))
    }

    /// Every variable that sets it, its own first.
    pub fn variables(self) -> impl Iterator<Item = &'static str> {
        let KeyInfo { env, also, .. } = self.info();
        std::iter::once(env).chain(also.iter().copied())
    }
}
