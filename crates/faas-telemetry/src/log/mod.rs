//! Log lines: where they go, in which form, and what is left out.

mod neutralise;
mod setup;
mod writer;

pub use setup::{InitError, LogFormat, LogSettings, init, init_with_export};
