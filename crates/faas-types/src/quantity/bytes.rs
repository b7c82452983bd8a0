//! Sizes in bytes: memory limits, writable areas, output limits.

use super::QuantityError;
use super::decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const ACCEPTED: &str = "a number above zero, in MiB when bare (\"256\"), or with Ki, Mi, Gi, Ti (also KiB … TiB; \
    powers of 1024), k, K, M, G, T, KB, MB, GB, TB (powers of 1000) or B (bytes); a fraction only where it gives whole \
    bytes (\"1.5Gi\"); no space, sign or exponent";

/// The suffixes that print, largest first.
const BINARY: [(&str, u64); 4] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ByteSize(u64);

impl ByteSize {
    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// From mebibytes.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib * 1024 * 1024)
    }

    /// In bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

/// A bare number is MiB, as in the API's `memory` field.
impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Decimal::parse(text)
            .and_then(|number| number.times(unit(number.suffix)?))
            .filter(|bytes| *bytes > 0)
            .map(Self)
            .ok_or_else(|| QuantityError::new(text, "size", ACCEPTED))
    }
}

fn unit(suffix: &str) -> Option<u64> {
    Some(match suffix {
        "B" => 1,
        "Ki" | "KiB" => 1 << 10,
        "" | "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        "Ti" | "TiB" => 1 << 40,
        "k" | "K" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000,
        _ => return None,
    })
}

/// The shortest exact form: the largest binary suffix that divides it, else plain bytes.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = BINARY.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match fitting {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}B", self.0),
        }
    }
}
