//! Layer 3: executions and functions in SQLite, in a directory of their own.
//!
//! ```text
//! insert, claim, finish … ──▶ channel ──▶ writer thread ──▶ one transaction, one fsync ──▶ answers
//! journal ──▶ one write(2) to journal.0 or journal.1 ──▶ imported by the writer within 50 ms
//! get, list, queued, counts ──▶ read-only connections on blocking threads
//! ```
//!
//! Invariants: the directory has one server (`lock`); one connection writes; an operation is answered
//! after the commit that holds it has been synced; a journal file is emptied only after a commit holds
//! its entries, and importing an entry twice changes nothing. One database file serves both the queue
//! and history: imports share the transaction, and the sync, of the operations that wait with them.

mod directory;
mod error;
mod function_store;
mod functions;
mod journal;
mod pending;
mod read;
mod readers;
mod row;
mod schema;
mod store;
mod transaction;
mod write;
mod writer;

pub use directory::keep_others_out;
pub use error::OpenError;
pub use store::SqliteStore;
