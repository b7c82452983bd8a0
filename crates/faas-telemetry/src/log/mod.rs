//! Log lines: where they go, in which form, and what is left out.

mod background;
mod neutralise;
mod plain;
mod setup;
mod writer;

pub use background::Log;
pub(crate) use background::dropped;
pub use setup::{InitError, LogFormat, LogSettings, init, init_with_export};
