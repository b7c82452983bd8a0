//! Quantities in every form the API accepts: bytes, processor shares, durations, counts.
//!
//! Invariant: zero, negatives, exponents, unknown suffixes and anything that would have to be
//! rounded are refused with the accepted forms; zero never means "default". Parsing never panics
//! and keeps at most an excerpt of what it was given. The edges (command line, configuration,
//! requests) call it; everything behind them works on the parsed types.

mod bytes;
mod count;
mod cpu;
mod decimal;
mod duration;
#[cfg(test)]
mod tests;

pub use bytes::ByteSize;
pub use count::parse_count;
pub use cpu::CpuAmount;
pub use duration::parse_duration;

use crate::excerpt::excerpt;

/// Why a quantity is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what} {given:?}; accepted: {accepted}")]
pub struct QuantityError {
    /// The text as given, cut after its first characters when long.
    pub given: String,
    /// What it should have been.
    pub what: &'static str,
    /// The accepted forms.
    pub accepted: &'static str,
}

impl QuantityError {
    fn new(given: &str, what: &'static str, accepted: &'static str) -> Self {
        Self { given: excerpt(given), what, accepted }
    }
}
