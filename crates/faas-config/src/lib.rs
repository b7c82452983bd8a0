//! Layer 1: the configuration, in layers: defaults, then the file, then the environment, then flags.
//!
//! Pure: [`Config::resolve`] takes the file's text, the environment and the flags as arguments and
//! reads nothing itself. Every value keeps its [`Origin`], so that an error and a listing can say
//! where it came from. What nobody knows is refused naming the nearest known key, and so are two
//! variables that set one key to different values. [`reference`] describes every key.

mod config;
mod database;
mod declared;
mod entry;
mod error;
mod foreign;
mod key;
mod listen;
mod log_filter;
mod nearest;
mod otlp;
mod path;
mod pick;
mod read;
mod reference;
mod server;
mod source;
mod text;
mod unused;
mod value;
pub mod yaml;

pub use config::Config;
pub use declared::{DeclaredFunction, DeclaredFunctions};
pub use entry::{Entry, EntryValue};
pub use error::ConfigError;
pub use key::{Key, KeyInfo};
pub use nearest::nearest;
pub use path::default_data_dir;
pub use read::is_own_variable;
pub use reference::reference;
pub use server::{HttpConfig, ServerConfig};
pub use source::{ConfigFile, Flags, Origin, Setting};
pub use text::to_toml;
pub use unused::Unused;
pub use value::{ExecutorChoice, LogFormat};
