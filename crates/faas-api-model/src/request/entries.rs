//! Lists of short texts: arguments and environment variables.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::collections::HashSet;
use std::fmt;

/// The most arguments, environment variables or files of one request.
pub const MAX_ENTRIES: usize = 4096;

/// Texts, bounded in number while they are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = list.next_element::<String>()? {
            bound::<A::Error>(texts.len())?;
            texts.push(text);
        }
        Ok(Texts(texts))
    }
}

/// Variables: an object, or a list of `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Variables(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VariablesVisitor)
    }
}

struct VariablesVisitor;

impl<'de> Visitor<'de> for VariablesVisitor {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and texts, or a list of \"NAME=VALUE\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Variables, A::Error> {
        let mut variables = Variables::default();
        while let Some(pair) = list.next_element::<String>()? {
            // The text stays out of the message: it may be a secret.
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                let entry = variables.0.len();
                A::Error::custom(format_args!("entry {entry} has no equals sign; accepted: NAME=VALUE"))
            })?;
            variables.push::<A::Error>(name.to_owned(), value.to_owned())?;
        }
        variables.distinct()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
        let mut variables = Variables::default();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<String>()?;
            variables.push::<A::Error>(name, value)?;
        }
        variables.distinct()
    }
}

impl Variables {
    fn push<E: Error>(&mut self, name: String, value: String) -> Result<(), E> {
        bound::<E>(self.0.len())?;
        if name.is_empty() {
            let entry = self.0.len();
            return Err(E::custom(format_args!("entry {entry} has no name; accepted: NAME=VALUE")));
        }
        self.0.push((name, value));
        Ok(())
    }

    fn distinct<E: Error>(self) -> Result<Self, E> {
        let mut names = HashSet::with_capacity(self.0.len());
        if self.0.iter().all(|(name, _)| names.insert(name)) {
            drop(names);
            return Ok(self);
        }
        Err(E::custom("a name is given twice; accepted: each name once"))
    }
}

fn bound<E: Error>(count: usize) -> Result<(), E> {
    if count < MAX_ENTRIES {
        return Ok(());
    }
    Err(E::custom(format_args!("there are too many; accepted: at most {MAX_ENTRIES}")))
}

/// Variables as they are sent.
pub(super) struct SentVariables<'a>(pub(super) &'a [(String, String)]);

impl Serialize for SentVariables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
