//! What is remembered of functions: what they are called and every version they ever had.
//!
//! A version never changes. What it is to run is opaque to a store: bytes that the orchestrator wrote.

use crate::Idempotency;
use faas_types::{AliasName, FunctionId, FunctionName, TenantId, Timestamp, VersionId};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFunction {
    /// Its id, never given again.
    pub id: FunctionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name, of which a tenant has one.
    pub name: FunctionName,
    /// The number of the version that its name alone means.
    pub live: u32,
    /// The number of its newest version.
    pub newest: u32,
    /// Grows by one with every change of the function: what a caller has seen, and what it changes.
    pub revision: u64,
    /// Versions by the names of aliases.
    pub aliases: BTreeMap<AliasName, u32>,
    /// The client's key against making it twice.
    pub made_with: Option<Idempotency>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A function as somebody saw it: no other function, and no other moment of it, is seen as the same. One that is
/// made anew under the name of another counts its revisions from 1 again, but has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The function.
    pub function: FunctionId,
    /// Its revision.
    pub revision: u64,
}

/// The text is none that was made of a [`Seen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not how a function was shown; take the text as it was given")]
pub struct SeenError;

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.function, self.revision)
    }
}

impl FromStr for Seen {
    type Err = SeenError;

    fn from_str(text: &str) -> Result<Self, SeenError> {
        let (function, revision) = text.rsplit_once('-').ok_or(SeenError)?;
        let seen = Self {
            function: function.parse().map_err(|_| SeenError)?,
            revision: revision.parse().map_err(|_| SeenError)?,
        };
        // One text for each: no sign and no zero in front.
        if seen.to_string() == text { Ok(seen) } else { Err(SeenError) }
    }
}

/// One version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its id.
    pub id: VersionId,
    /// Whose version it is.
    pub function: FunctionId,
    /// Counted from 1.
    pub number: u32,
    /// What it is to run.
    pub spec: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A function that is to be made, with its first version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFunction {
    /// Its id.
    pub id: FunctionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: FunctionName,
    /// The id of its first version.
    pub version: VersionId,
    /// What that is to run.
    pub spec: Vec<u8>,
    /// The client's key against making it twice; free again when the function is deleted.
    pub made_with: Option<Idempotency>,
    /// When.
    pub at: Timestamp,
}

/// A change of a function. All of it happens or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionChange {
    /// A new version, which is live at once.
    Deploy {
        /// Its id.
        version: VersionId,
        /// What it is to run.
        spec: Vec<u8>,
    },
    /// Another version is live.
    GoLive {
        /// Its number.
        version: u32,
    },
    /// An alias points to a version, or to none any more.
    Alias {
        /// Its name.
        alias: AliasName,
        /// The version's number.
        version: Option<u32>,
    },
}

/// Why a function was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is none.
    #[error("there is no such function")]
    Unknown,
    /// It has changed since the caller saw it.
    #[error("the function has changed meanwhile: its revision is {revision}")]
    Stale {
        /// What it is now.
        revision: u64,
    },
    /// It has no such version.
    #[error("the function has no version {version}; it has 1 to {newest}")]
    NoVersion {
        /// The one named.
        version: u32,
        /// The newest.
        newest: u32,
    },
    /// It has no such alias.
    #[error("the function has no alias {alias}")]
    NoAlias {
        /// The one named.
        alias: AliasName,
    },
    /// It has as many versions, or aliases, as may be.
    #[error("the function has as many versions or aliases as may be")]
    TooMany,
    /// The store failed, and nothing changed.
    #[error(transparent)]
    Store(#[from] crate::StoreError),
}

/// Why a function was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateFunctionError {
    /// The tenant has one of that name.
    #[error("there is a function of that name already")]
    Taken,
    /// The tenant made one of another name with that key.
    #[error("this Idempotency-Key was used with another request; use a new key for a new request")]
    KeyConflict,
    /// The store failed, and there is none.
    #[error(transparent)]
    Store(#[from] crate::StoreError),
}

/// The most versions of a function.
pub const MAX_VERSIONS: u32 = 1_000_000;
/// The most aliases of a function.
pub(crate) const MAX_ALIASES: usize = 100;

impl NewFunction {
    /// What is kept of it at first: the function, and its version 1.
    #[must_use]
    pub fn begin(self) -> (StoredFunction, StoredVersion) {
        let Self { id, tenant, name, version, spec, made_with, at } = self;
        let function = StoredFunction {
            id,
            tenant,
            name,
            live: 1,
            newest: 1,
            revision: 1,
            aliases: BTreeMap::new(),
            made_with,
            created_at: at,
            updated_at: at,
        };
        (function, StoredVersion { id: version, function: id, number: 1, spec, created_at: at })
    }
}

impl StoredFunction {
    /// As it is now.
    #[must_use]
    pub const fn seen(&self) -> Seen {
        Seen { function: self.id, revision: self.revision }
    }

    /// Whether it is as its caller has seen it.
    ///
    /// # Errors
    /// `Stale`.
    pub const fn check_revision(&self, expected: Option<u64>) -> Result<(), ChangeError> {
        match expected {
            Some(expected) if expected != self.revision => Err(ChangeError::Stale { revision: self.revision }),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether its name, or an alias of it, means this version.
    #[must_use]
    pub fn means(&self, number: u32) -> bool {
        self.live == number || self.aliases.values().any(|version| *version == number)
    }

    /// Makes a change; the same for every store. Gives the version that is to be kept, if one was made. After an
    /// error nothing has changed.
    ///
    /// # Errors
    /// It has no such version or alias, or too many.
    pub fn apply(&mut self, change: FunctionChange, at: Timestamp) -> Result<Option<StoredVersion>, ChangeError> {
        let known = |version: u32| match version {
            1.. if version <= self.newest => Ok(version),
            _ => Err(ChangeError::NoVersion { version, newest: self.newest }),
        };
        let made = match change {
            FunctionChange::Deploy { version, spec } => {
                let number = self.newest.checked_add(1).filter(|number| *number <= MAX_VERSIONS);
                let number = number.ok_or(ChangeError::TooMany)?;
                (self.newest, self.live) = (number, number);
                Some(StoredVersion { id: version, function: self.id, number, spec, created_at: at })
            }
            FunctionChange::GoLive { version } => {
                self.live = known(version)?;
                None
            }
            FunctionChange::Alias { alias, version: Some(version) } => {
                let version = known(version)?;
                if self.aliases.len() >= MAX_ALIASES && !self.aliases.contains_key(&alias) {
                    return Err(ChangeError::TooMany);
                }
                self.aliases.insert(alias, version);
                None
            }
            FunctionChange::Alias { alias, version: None } => {
                if self.aliases.remove(&alias).is_none() {
                    return Err(ChangeError::NoAlias { alias });
                }
                None
            }
        };
        self.revision += 1;
        self.updated_at = at;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;
    use faas_types::FunctionId;

    #[test]
    fn what_was_seen_has_one_text() {
        let seen = Seen { function: FunctionId::generate(), revision: 12 };
        assert_eq!(seen.to_string().parse(), Ok(seen));
        let function = seen.function;
        for wrong in ["", "12", "-12", &format!("{function}-+12"), &format!("{function}-012"), &format!("{function}-")]
        {
            wrong.parse::<Seen>().expect_err(wrong);
        }
    }
}
