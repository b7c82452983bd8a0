//! What is recorded of an execution while it runs, and its output put back when the record is read.

mod inline;
mod message;
mod recorder;
mod tail;
#[cfg(test)]
mod tests;

pub use inline::INLINE_BYTES;
pub(crate) use inline::shown;
pub(crate) use recorder::{Recorder, Times, microseconds};
