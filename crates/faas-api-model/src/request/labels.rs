//! Labels: what an owner marks executions with, and filters lists by.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// The most labels of one execution.
pub const MAX_LABELS: usize = 32;
const MAX_NAME: usize = 63;
const MAX_VALUE: usize = 256;

/// Checks one label.
///
/// # Errors
/// Says what is accepted.
pub fn check_label(name: &str, value: &str) -> Result<(), &'static str> {
    let name_fits = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/'));
    if !name_fits {
        return Err("a name is malformed; accepted: 1 to 63 letters, digits, '.', '_', '-', '/'");
    }
    if value.len() > MAX_VALUE || value.chars().any(char::is_control) {
        return Err("a value is malformed; accepted: at most 256 bytes of text without control characters");
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Labels(pub(super) BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<String>()?;
            check_label(&name, &value).map_err(A::Error::custom)?;
            if labels.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is given twice; accepted: each name once"));
            }
            if labels.len() > MAX_LABELS {
                return Err(A::Error::custom(format_args!("there are too many; accepted: at most {MAX_LABELS}")));
            }
        }
        Ok(Labels(labels))
    }
}
