//! Connections and the schema with its migrations.
//!
//! Invariants: a migration, once shipped, is never edited; `user_version` counts those that ran, each
//! in one transaction with its count.

use crate::OpenError;
use crate::error::Failure;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// The migrations in order, each with the version it makes.
const MIGRATIONS: [(i64, &str); 4] = [
    (1, include_str!("schema/0001_executions.sql")),
    (2, include_str!("schema/0002_functions.sql")),
    (3, include_str!("schema/0003_functions_by_age.sql")),
    (4, include_str!("schema/0004_function_keys.sql")),
];

/// What both kinds of connections need. `trusted_schema` keeps a doctored file from calling functions.
const BOTH: &str = "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;";

/// What the writer needs: every commit is synced before it is answered. Its log is copied into the
/// database in larger steps than by default, and its file does not stay large after a burst.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;
    PRAGMA journal_size_limit = 67108864;";

/// Statements kept prepared per connection.
const PREPARED: usize = 64;

/// The one connection that writes, its schema up to date.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let database_error = |failure: Failure| OpenError::Database { path: path.to_path_buf(), source: failure.0 };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(path, flags).map_err(database_error)?;
    connection.execute_batch(WRITER).map_err(|error| database_error(error.into()))?;
    let found = migrate(&mut connection).map_err(|error| database_error(error.into()))?;
    let known = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(OpenError::Newer { path: path.to_path_buf(), found, known });
    }
    Ok(connection)
}

/// A connection that cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Failure> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Failure> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(BOTH)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

/// Runs what has not run; the version found before.
fn migrate(connection: &mut Connection) -> Result<i64, rusqlite::Error> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, migration) in MIGRATIONS.into_iter().filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(found)
}
