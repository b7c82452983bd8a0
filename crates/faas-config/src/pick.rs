//! One key's value: the text that wins, parsed and checked, or the default.

use crate::read::Layers;
use crate::source::{Origin, Setting};
use crate::{ConfigError, Key};
use faas_types::{ByteSize, parse_count, parse_duration};
use std::time::Duration;

/// How much of a refused value its error repeats.
const GIVEN_CHARACTERS: usize = 64;

/// Why a text is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is not what the key takes.
    Malformed,
    /// It names something real that this build does not have.
    NotBuilt {
        /// What it has instead.
        available: &'static str,
    },
}

/// The winning text parsed, or the default.
pub(crate) fn pick<T: PartialEq>(
    layers: &Layers,
    key: Key,
    default: T,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Setting<T>, ConfigError> {
    pick_built(layers, key, default, |text| parse(text).ok_or(Refused::Malformed))
}

/// The same for a key some of whose values need parts that this build may not have.
///
/// Two variables that set the key to different values are refused whatever wins: one of the two is
/// not what somebody believes it to be.
pub(crate) fn pick_built<T: PartialEq>(
    layers: &Layers,
    key: Key,
    default: T,
    parse: impl Fn(&str) -> Result<T, Refused>,
) -> Result<Setting<T>, ConfigError> {
    let parse = |text: &str, origin: &Origin| parse(text).map_err(|cause| refusal(key, text, origin, cause));
    if let [first, rest @ ..] = layers.variables(key)
        && !rest.is_empty()
    {
        let value = parse(&first.text, &first.origin())?;
        for other in rest {
            if parse(&other.text, &other.origin())? != value {
                return Err(ConfigError::Conflict { key: key.info().name, first: first.name, second: other.name });
            }
        }
    }
    let Some((text, origin)) = layers.get(key) else {
        return Ok(Setting { value: default, origin: Origin::Default });
    };
    Ok(Setting { value: parse(text, &origin)?, origin })
}

fn refusal(key: Key, text: &str, origin: &Origin, cause: Refused) -> ConfigError {
    let (given, origin) = (repeated(key, text), origin.clone());
    match cause {
        Refused::Malformed => ConfigError::Value { key: key.info().name, given, origin, accepted: key.info().accepted },
        Refused::NotBuilt { available } => ConfigError::NotBuilt { key: key.info().name, given, origin, available },
    }
}

/// What an error repeats of a refused value. An address may hold a password.
fn repeated(key: Key, text: &str) -> String {
    match (key, text.split_once(':')) {
        (Key::Database | Key::OtlpEndpoint, Some((scheme, _))) => format!("{}:…", shortened(scheme)),
        (Key::Database | Key::OtlpEndpoint, None) => "…".to_owned(),
        _ => shortened(text),
    }
}

/// The beginning of a refused value, for its error.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(GIVEN_CHARACTERS).collect()
}

/// A whole number in this range.
pub(crate) fn whole_number(text: &str, least: u32, most: u32) -> Option<u32> {
    parse_count(text, "count").ok().filter(|number| (least..=most).contains(number))
}

/// A size above zero.
pub(crate) fn size(text: &str) -> Option<ByteSize> {
    text.parse().ok()
}

/// A duration.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    parse_duration(text).ok()
}
