//! Layer 1: what the platform remembers, as a contract.
//!
//! [`ExecutionStore`] keeps executions: the row of a queued execution *is* the queue, and what ends is
//! history. Everything is said in the words of `faas-types`; a store knows neither HTTP nor executors.
//! [`MemoryStore`] is the store of a platform that is embedded and forgets. The suite in
//! `conformance` (feature `test-util`) holds every store to the same promises.

#[cfg(feature = "test-util")]
pub mod conformance;
mod error;
mod execution;
mod function;
mod function_store;
mod memory;
mod query;
mod store;

pub use error::{InsertError, StoreError};
pub use execution::{
    Expected, Finished, Idempotency, Insertion, Journaled, Lease, NewExecution, QueuedExecution, Recovered,
};
pub use function::{
    ChangeError, CreateFunctionError, FunctionChange, MAX_VERSIONS, NewFunction, Seen, SeenError, StoredFunction,
    StoredVersion,
};
pub use function_store::{FunctionStore, VERSIONS_PAGE_BYTES, within_page};
pub use memory::MemoryStore;
pub use query::{Counts, Cursor, Filter, ListQuery, Page, Retention};
pub use store::{ExecutionStore, QUEUED_PAGE_BYTES, Store};
