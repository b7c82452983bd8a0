//! Layer 1: the configuration, in layers: defaults, then the file, then the environment, then flags.
//!
//! Pure: [`Config::resolve`] takes the file's text, the environment and the flags as arguments and
//! reads nothing itself. Every value keeps its [`Origin`], so that an error and a listing can say
//! where it came from. What nobody knows is refused naming the nearest known key.

mod config;
mod error;
mod key;
mod nearest;
mod read;
mod source;

pub use config::Config;
pub use error::ConfigError;
pub use key::{Key, KeyInfo};
pub use source::{ConfigFile, Flags, Origin, Setting};
