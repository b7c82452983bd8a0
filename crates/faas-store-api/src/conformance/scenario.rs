//! The scenarios, one file for each family.

mod accept;
mod claim;
mod function;
mod journal;
mod key;
mod list;
mod prune;
mod recover;

pub use accept::*;
pub use claim::*;
pub use function::*;
pub use journal::*;
pub use key::*;
pub use list::*;
pub use prune::*;
pub use recover::*;
