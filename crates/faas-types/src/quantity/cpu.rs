//! Processor shares.

use super::QuantityError;
use super::decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const ACCEPTED: &str = "cores, to a thousandth (\"1\", \"0.5\"), or thousandths of a core (\"100m\"); from 1m to 1024; \
    no space, sign or exponent";

/// A share of processors in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CpuAmount(u32);

impl CpuAmount {
    /// The smallest share that can be asked for.
    pub const MIN: Self = Self(1);
    /// The largest share that can be asked for: 1024 cores.
    pub const MAX: Self = Self(1_024_000);

    /// From thousandths of a core.
    #[must_use]
    pub const fn from_milli(milli: u32) -> Self {
        Self(milli)
    }

    /// In thousandths of a core.
    #[must_use]
    pub const fn as_milli(self) -> u32 {
        self.0
    }
}

impl FromStr for CpuAmount {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Decimal::parse(text)
            .and_then(|number| match number.suffix {
                "" => number.times(1000),
                "m" => number.times(1),
                _ => None,
            })
            .and_then(|milli| u32::try_from(milli).ok())
            .map(Self)
            .filter(|amount| (Self::MIN..=Self::MAX).contains(amount))
            .ok_or_else(|| QuantityError::new(text, "processor share", ACCEPTED))
    }
}

/// Whole cores bare (`2`), anything else in thousandths (`1500m`).
impl fmt::Display for CpuAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 && self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            write!(f, "{}m", self.0)
        }
    }
}
