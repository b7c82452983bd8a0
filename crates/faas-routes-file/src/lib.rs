//! Functions from a SQLite file that anybody may have written: `faas_meta.db`, its table `functions(k, v,
//! updated)`, and the modules its rows name.
//!
//! Invariants: the file is never written after it was created, never locked and never mapped, so neither
//! side can stop the other; of it only bounded copies are looked at, and SQLite sees those in memory, with
//! everything switched off but reading three columns; a row, a file or a module that is wrong is told by
//! name while what was good before stays. Its caller is the composition root.

mod create;
mod file;
mod image;
mod judge;
mod module;
mod roots;
mod row;
mod serving;
mod snapshot;
mod wal;
mod watch;

pub use create::{CreateError, Created, INIT_SQL, create_when_absent};
pub use file::{Bounds, ReadError, RoutesFile};
pub use judge::{BadRow, Rules};
pub use module::{Module, ModuleBounds, ModuleFile};
pub use roots::{Fault, FunctionRoots, ModuleError, is_shared};
pub use row::{RowFunction, RowRuntime};
pub use serving::{Change, Serving, Update};
pub use watch::{Event, Watch, WatchError};
