//! Layer 2: dependencies of functions, from a list of names to a directory of packages.
//!
//! [`Dependencies::parse`] says what may be asked for. [`Builder::build`] fetches it in two phases: pip or
//! npm resolve it in a sandbox without network, where they run no code of a package and reach the index
//! through a relay here, which knows the host's indexes and their credentials; then what was fetched is
//! unpacked here, offline, as the hostile archives it may be. The result is a read-only directory that a
//! tenant's sandboxes share, named by the digest of its lock.
//!
//! Between the two, what has no wheel is built from its source and install scripts of npm packages run, where
//! the function allows it: in a sandbox of its own, which has no relay either.
//!
//! Invariants: code of a package runs only where it may, and there nothing can be reached; a sandbox never
//! has credentials; nothing is installed but what was fetched from the configured indexes, or built from it.

mod builder;
mod dependency;
mod error;
mod frame;
mod index;
mod interpreter;
mod limits;
mod lock;
mod log;
mod places;
mod relay;
mod resolve;
mod run;
mod scripts;
mod source;
mod store;
mod tool;
mod unpack;
mod upstream;

pub use builder::{Builder, MAX_BUILDS};
pub use dependency::{Dependencies, DependencyError, MAX_DEPENDENCIES, MAX_ENTRY_BYTES};
pub use error::{BuildError, Built};
pub use index::{Index, IndexError, Indexes};
pub use limits::{Limits, TooLarge};
pub use log::{Phase, Progress};
