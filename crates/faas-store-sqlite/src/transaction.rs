//! Transactions of the writer, and what becomes of one that was not synced.
//!
//! When the sync of a commit fails, SQLite forgets the commit, but its log's file still has all of it,
//! valid: whoever reads the file after a `kill -9` takes it for committed. SQLite's next commit writes
//! over it, and so would make it good; until there is one, [`write_over`] does. Invariants: what a
//! transaction that failed wrote is in no database that is opened after its answer; SQLite counts no
//! commit as made whose sync failed, for the next one then writes the same pages again and syncs them.

use crate::error::Failure;
use rusqlite::Connection;

/// Does the work in a transaction of its own; when this has returned well it is synced.
pub(crate) fn transaction(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Asked for each time: `write_over` may have failed to, and nothing is accepted that is not synced.
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    run(connection, "BEGIN IMMEDIATE")?;
    let worked = work(connection);
    let is_committing = worked.is_ok();
    let outcome = worked.and_then(|()| run(connection, "COMMIT"));
    if outcome.is_err() {
        // The failure that led here is what is answered.
        if !connection.is_autocommit() {
            let _ = run(connection, "ROLLBACK");
        }
        if is_committing {
            // A disk that does not even take this cannot be helped.
            let _ = write_over(connection);
        }
    }
    outcome
}

/// Puts something else where the frames of a commit that failed begin in the log: as each frame's
/// checksum covers those before it, none of them is valid any more. It is not a commit itself, and
/// syncs nothing: it must work on a disk that does not sync, and must not seem to be durable.
fn write_over(connection: &Connection) -> Result<(), Failure> {
    // What is written is random, so that it is never what stood there.
    let written = connection
        .execute_batch(
            "PRAGMA synchronous = OFF; BEGIN IMMEDIATE; INSERT INTO node (id, epoch) VALUES (randomblob(16), 0)",
        )
        .and_then(|()| connection.cache_flush());
    let ended = if connection.is_autocommit() { Ok(()) } else { run(connection, "ROLLBACK") };
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    ended.and(written.map_err(Failure::from))
}

fn run(connection: &Connection, statement: &str) -> Result<(), Failure> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// All of the work or nothing of it, within the transaction: what became of it. An error when the
/// whole transaction is lost.
pub(crate) fn in_savepoint(
    connection: &Connection,
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<Result<(), Failure>, Failure> {
    run(connection, "SAVEPOINT one")?;
    let outcome = work();
    if connection.is_autocommit() {
        // A full disk, for one, makes SQLite give up all of it.
        return Err(outcome.err().unwrap_or_else(|| Failure::unavailable("the transaction was given up")));
    }
    if outcome.is_err() {
        run(connection, "ROLLBACK TO one")?;
    }
    run(connection, "RELEASE one")?;
    Ok(outcome)
}
