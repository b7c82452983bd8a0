//! Which of a function's versions is meant by its name or an alias.

use super::error::BodyError;
use super::object::{Object, Value, read};
use super::scalar::Scalar;
use faas_types::{AliasName, VersionSelector};
use serde::de::MapAccess;

/// Which version is to be live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackBody {
    /// The version; `None` is the one before the live one.
    pub version: Option<VersionSelector>,
}

/// Which version an alias is to mean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AliasBody {
    /// Its number.
    pub version: Option<u32>,
}

impl RollbackBody {
    /// Reads a body; an empty one is one that says nothing.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn from_json(body: &[u8]) -> Result<Self, BodyError> {
        if body.trim_ascii().is_empty() { Ok(Self::default()) } else { read(body) }
    }
}

impl AliasBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn from_json(body: &[u8]) -> Result<u32, BodyError> {
        let Self { version } = read(body)?;
        version.ok_or_else(|| BodyError::field("version", "it is missing; accepted: the number of a version"))
    }
}

impl Object for RollbackBody {
    const FIELDS: &'static [&'static str] = &["version"];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, _field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        self.version = value.parse(|Scalar(text)| selector(&text))?;
        Ok(())
    }
}

fn selector(text: &str) -> Result<VersionSelector, faas_types::NameError> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(VersionSelector::Number(number)),
        Ok(_) | Err(_) => text.parse::<AliasName>().map(VersionSelector::Alias),
    }
}

impl Object for AliasBody {
    const FIELDS: &'static [&'static str] = &["version"];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, _field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        self.version = value.get()?;
        Ok(())
    }
}
