//! Durations: timeouts and idle times.

use super::QuantityError;
use super::decimal::Decimal;
use std::time::Duration;

const ACCEPTED: &str = "seconds when bare (\"30\", \"0.5\"), or with ms, s, m, h (\"1500ms\", \"5m\"); whole \
    milliseconds, from 1ms to 24h; no space, sign or exponent";

const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Parses a duration: a bare number is seconds; suffixes `ms`, `s`, `m`, `h`.
///
/// # Errors
/// Anything but whole milliseconds from 1 ms to 24 h, written as the error lists it.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    Decimal::parse(text)
        .and_then(|number| {
            number.times(match number.suffix {
                "ms" => 1,
                "" | "s" => 1000,
                "m" => 60 * 1000,
                "h" => 60 * 60 * 1000,
                _ => return None,
            })
        })
        .filter(|milliseconds| (1..=LONGEST_MS).contains(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(|| QuantityError::new(text, "duration", ACCEPTED))
}
