//! Which rows are good. Pure.

use crate::image::{Field, RawRow};
use crate::roots::FunctionRoots;
use crate::row::RowFunction;
use faas_routes::{Reserved, Route};
use std::sync::Arc;

/// The longest reason, in characters. A row can put its own words into one.
const LONGEST_REASON: usize = 400;

/// A row that is not used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadRow {
    /// Its `k`, cut when long; its place in the table where that is no text.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl BadRow {
    pub(crate) fn new(key: &str, reason: &str) -> Self {
        Self { key: printable(key, 64), reason: printable(reason, LONGEST_REASON) }
    }
}

/// Text that is safe in a line of a log.
fn printable(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// What rows are judged by.
#[derive(Debug)]
pub struct Rules {
    /// The system's paths, which no row takes.
    pub reserved: Reserved,
    /// Where modules may be.
    pub roots: Arc<FunctionRoots>,
}

impl Rules {
    /// What a row says, or what is wrong with it.
    pub(crate) fn judge(&self, row: &RawRow<'_>) -> Result<(Route, RowFunction), String> {
        let key = match row.key {
            Field::Text(key) => key,
            Field::Long(bytes) => return Err(format!("k has {bytes} bytes, which is no route")),
            Field::Other(what) => return Err(format!("k is {what}; accepted: a route as text")),
        };
        let route: Route = key.parse().map_err(|error: faas_routes::RouteError| error.to_string())?;
        if let Some(system) = self.reserved.shadowing(&route) {
            return Err(format!(
                "the route {route} matches requests that belong to {system} of the system; change its path"
            ));
        }
        let value = match row.value {
            Field::Text(value) => value,
            Field::Long(bytes) => {
                return Err(format!("v has {bytes} bytes; accepted: a JSON object as text, at most 64 KiB"));
            }
            Field::Other(what) => return Err(format!("v is {what}; accepted: a JSON object as text")),
        };
        let updated = row.updated.ok_or("updated is not accepted; accepted: seconds since 1970 as an integer")?;
        let function = RowFunction::parse(value, updated, &self.roots).map_err(|error| error.to_string())?;
        Ok((route, function))
    }
}
