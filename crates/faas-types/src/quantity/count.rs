//! Counts: processes, sandboxes, retries.

use super::QuantityError;

const ACCEPTED: &str = "a whole number from 1 to 4294967295, digits only";

/// Parses a count of at least one; `field` is named in the error.
///
/// # Errors
/// Zero, a sign, a fraction, a suffix, or more than 32 bits hold.
pub fn parse_count(text: &str, field: &'static str) -> Result<u32, QuantityError> {
    // `u32::from_str` alone would accept a leading plus sign.
    Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<u32>().ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| QuantityError::new(text, field, ACCEPTED))
}
