//! What the contracts make of a finished program's output. Pure.

mod argv_json;
pub(crate) mod response;
#[cfg(test)]
mod tests;

pub use argv_json::{ArgvJsonError, MAX_RESULT_BYTES, MAX_RESULT_DEPTH, argv_json, error_message};
