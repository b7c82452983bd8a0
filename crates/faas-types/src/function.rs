//! What a function is called, and which of its versions is meant.
//!
//! `hello` is its live version, `hello@3` its third, `hello@stable` the one its alias `stable` points to. In
//! place of the name its id may stand.

use crate::excerpt::excerpt;
use crate::id::FunctionId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest name of a function or an alias.
const LONGEST: usize = 63;
/// Names that are none: routes of the API stand in their place.
const RESERVED: [&str; 2] = ["live", "latest"];

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has other characters, or is too long or too short.
    #[error(
        "{given:?} is not a name; accepted: 1 to 63 letters, digits, `-` and `_`, a letter or a digit first, and no beginning `fn_`"
    )]
    Malformed {
        /// The text as given, cut after its first characters when long.
        given: String,
    },
    /// It means something else.
    #[error("{given:?} is reserved; take another name")]
    Reserved {
        /// The text as given.
        given: String,
    },
    /// A version is counted from 1, and an alias is no number.
    #[error("{given:?} is no version; accepted: a number from 1, or the name of an alias")]
    Version {
        /// What stands behind the `@`, cut when long.
        given: String,
    },
}

/// The name of a function, unique within its tenant. Upper and lower case differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(String);

/// The name of an alias, unique within its function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AliasName(String);

fn check(text: &str) -> Result<(), NameError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !(1..=LONGEST).contains(&text.len())
        || !begins_well
        || !text.bytes().all(is_plain)
        || text.starts_with(FunctionId::PREFIX)
    {
        return Err(NameError::Malformed { given: excerpt(text) });
    }
    if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(NameError::Reserved { given: text.to_owned() });
    }
    Ok(())
}

impl FunctionName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text).map(|()| Self(text.to_owned()))
    }
}

impl AliasName {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AliasName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text)?;
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NameError::Version { given: excerpt(text) });
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )+};
}

text!(FunctionName, AliasName);

/// Which function is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FunctionKey {
    /// By its name.
    Name(FunctionName),
    /// By its id, which outlives no function and is never given again.
    Id(FunctionId),
}

impl FromStr for FunctionKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.starts_with(FunctionId::PREFIX) {
            return text.parse().map(Self::Id).map_err(|_| NameError::Malformed { given: excerpt(text) });
        }
        text.parse().map(Self::Name)
    }
}

impl fmt::Display for FunctionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// Which of a function's versions is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VersionSelector {
    /// The one that calls reach by the function's name alone.
    Live,
    /// By its number, counted from 1.
    Number(u32),
    /// The one an alias points to.
    Alias(AliasName),
}

/// A function and one of its versions: `hello`, `hello@3`, `hello@stable`, `fn_…@3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FunctionRef {
    /// The function.
    pub function: FunctionKey,
    /// The version.
    pub version: VersionSelector,
}

impl FromStr for FunctionRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((function, version)) = text.split_once('@') else {
            return Ok(Self { function: text.parse()?, version: VersionSelector::Live });
        };
        let version = match version {
            "live" => VersionSelector::Live,
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = digits.parse().ok().filter(|number| *number > 0 && !digits.starts_with('0'));
                VersionSelector::Number(number.ok_or_else(|| NameError::Version { given: excerpt(digits) })?)
            }
            alias => VersionSelector::Alias(alias.parse()?),
        };
        Ok(Self { function: function.parse()?, version })
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.function.fmt(f)?;
        match &self.version {
            VersionSelector::Live => Ok(()),
            VersionSelector::Number(number) => write!(f, "@{number}"),
            VersionSelector::Alias(alias) => write!(f, "@{alias}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AliasName, FunctionKey, FunctionName, FunctionRef, NameError, VersionSelector};
    use crate::id::FunctionId;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_seeds_and_of_most_people_pass() {
        for name in ["hello", "image-resize", "data_processor", "A", "7zip", "x2", &"n".repeat(63)] {
            assert_eq!(name.parse::<FunctionName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_refused() {
        for name in ["", "-a", "_a", "a b", "a/b", "a@b", "a.b", "ä", "a\n", "..", "fn_x", &"n".repeat(64)] {
            assert!(matches!(name.parse::<FunctionName>(), Err(NameError::Malformed { .. })), "{name:?}");
        }
        for name in ["live", "LATEST"] {
            assert!(matches!(name.parse::<FunctionName>(), Err(NameError::Reserved { .. })), "{name}");
        }
        assert!(matches!("12".parse::<AliasName>(), Err(NameError::Version { .. })));
        assert!("12".parse::<FunctionName>().is_ok());
    }

    #[test]
    fn a_reference_names_a_function_and_a_version() {
        let parsed = |text: &str| text.parse::<FunctionRef>().unwrap();
        assert_eq!(parsed("hello").version, VersionSelector::Live);
        assert_eq!(parsed("hello@live"), parsed("hello"));
        assert_eq!(parsed("hello@3").version, VersionSelector::Number(3));
        assert_eq!(parsed("hello@stable").version, VersionSelector::Alias("stable".parse().unwrap()));
        let id = FunctionId::generate();
        assert_eq!(parsed(&format!("{id}@1")).function, FunctionKey::Id(id));
        for text in ["hello@", "hello@0", "hello@01", "hello@4294967296", "hello@1@2", "@1", "fn_1", "hello@a b"] {
            assert!(text.parse::<FunctionRef>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_reference_survives_its_text(text in "[a-zA-Z0-9_@-]{0,12}") {
            if let Ok(parsed) = text.parse::<FunctionRef>() {
                prop_assert_eq!(parsed.to_string().parse::<FunctionRef>(), Ok(parsed));
            }
        }
    }
}
