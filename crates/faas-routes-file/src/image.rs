//! Rows out of a database in memory, with everything switched off but reading them.

use crate::file::{Bounds, ReadError};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use std::time::Instant;

/// The longest text or blob SQLite itself handles, the schema's statements included.
const LONGEST: i32 = 1 << 20;
/// The longest statement.
const LONGEST_SQL: i32 = 64 << 10;
/// Instructions of SQLite between two looks at the clock: well below a millisecond.
const INSTRUCTIONS: i32 = 10_000;
/// The longest key that is read: the longest route with its method.
const KEY_BYTES: u32 = 1024 + 16;

/// What is switched on or off whatever the file says.
const SWITCHES: [(DbConfig, bool); 7] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
];

const PRAGMAS: &str = "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;";

/// A value that is too long is not loaded: its length is in the row's header.
const ROWS: &str = "SELECT octet_length(k), CASE WHEN octet_length(k) <= ?1 THEN k END,
    octet_length(v), CASE WHEN octet_length(v) <= ?2 THEN v END,
    CASE WHEN octet_length(updated) <= 32 THEN updated ELSE '?' END
    FROM main.functions NOT INDEXED LIMIT ?3";

/// A row as it is in the table.
#[derive(Debug, Clone)]
pub(crate) struct RawRow<'r> {
    /// Its place in the table's order, from 1.
    pub(crate) number: u32,
    pub(crate) key: Field<'r>,
    pub(crate) value: Field<'r>,
    /// `None` when it is neither an integer, nor digits, nor NULL.
    pub(crate) updated: Option<Option<i64>>,
}

/// A column of a row.
#[derive(Debug, Clone, Hash)]
pub(crate) enum Field<'r> {
    Text(&'r str),
    /// It has so many bytes, which is too many.
    Long(i64),
    /// It is something else.
    Other(&'static str),
}

/// Gives every row of the table `functions` to `take`, in the table's order.
pub(crate) fn each_row(image: Vec<u8>, bounds: &Bounds, mut take: impl FnMut(RawRow<'_>)) -> Result<(), ReadError> {
    if image.is_empty() {
        return Err(ReadError::Table { found: "the routes file is empty".to_owned() });
    }
    let connection = open(image, bounds).map_err(|error| explain(&error))?;
    check_table(&connection)?;
    let most = bounds.rows;
    let mut read = || -> Result<u32, rusqlite::Error> {
        let mut statement = connection.prepare(ROWS)?;
        let mut rows = statement.query((KEY_BYTES, bounds.value_bytes, i64::from(most) + 1))?;
        let mut number = 0_u32;
        while let Some(row) = rows.next()? {
            number += 1;
            if number <= most {
                take(raw(row, number)?);
            }
        }
        Ok(number)
    };
    match read() {
        Ok(number) if number > most => Err(ReadError::TooManyRows { rows: most }),
        Ok(_) => Ok(()),
        Err(error) => Err(explain(&error)),
    }
}

fn raw<'r>(row: &'r Row<'_>, number: u32) -> Result<RawRow<'r>, rusqlite::Error> {
    let updated = match row.get_ref(4)? {
        ValueRef::Null => Some(None),
        ValueRef::Integer(seconds) => Some(Some(seconds)),
        ValueRef::Text(text) => str::from_utf8(text).ok().and_then(|text| text.parse().ok()).map(Some),
        ValueRef::Real(_) | ValueRef::Blob(_) => None,
    };
    Ok(RawRow { number, key: field(row, 0)?, value: field(row, 2)?, updated })
}

fn field<'r>(row: &'r Row<'_>, at: usize) -> Result<Field<'r>, rusqlite::Error> {
    Ok(match (row.get_ref(at)?, row.get_ref(at + 1)?) {
        (_, ValueRef::Text(text)) => str::from_utf8(text).map_or(Field::Other("not UTF-8"), Field::Text),
        (ValueRef::Integer(length), ValueRef::Null) => Field::Long(length),
        (_, ValueRef::Null) => Field::Other("NULL"),
        (_, ValueRef::Integer(_) | ValueRef::Real(_)) => Field::Other("a number"),
        (_, ValueRef::Blob(_)) => Field::Other("a blob"),
    })
}

fn open(image: Vec<u8>, bounds: &Bounds) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_MEMORY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(":memory:", flags)?;
    for (switch, on) in SWITCHES {
        connection.set_db_config(switch, on)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_SQL)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    connection.execute_batch(PRAGMAS)?;
    let length = image.len();
    connection.deserialize_read_exact("main", &image[..], length, true)?;
    drop(image);
    let end = Instant::now() + bounds.time;
    connection.progress_handler(INSTRUCTIONS, Some(move || Instant::now() > end))?;
    connection.authorizer(Some(|context: AuthContext<'_>| authorize(&context.action)))?;
    Ok(connection)
}

/// What may be read: the schema, what it says about the one table, and three columns of that.
fn authorize(action: &AuthAction<'_>) -> Authorization {
    let allowed = match action {
        AuthAction::Select => true,
        AuthAction::Read { table_name, column_name } => match *table_name {
            "sqlite_master" | "sqlite_schema" => true,
            // No column is named where rows are only counted.
            table => table.eq_ignore_ascii_case("functions") && matches!(*column_name, "" | "k" | "v" | "updated"),
        },
        AuthAction::Pragma { pragma_name, .. } => matches!(*pragma_name, "table_list" | "table_xinfo"),
        AuthAction::Function { function_name } => *function_name == "octet_length",
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// Whether `functions` is an ordinary table with the three columns, and nothing else has the name.
fn check_table(connection: &Connection) -> Result<(), ReadError> {
    let refuse = |found: &str| Err(ReadError::Table { found: found.to_owned() });
    let kinds = described(
        connection,
        "SELECT type, 0 FROM main.sqlite_schema WHERE name = 'functions' COLLATE NOCASE",
        (0, 1),
    )?;
    if kinds.is_empty() {
        return refuse("the routes file has no table functions");
    }
    if let Some((other, _)) = kinds.iter().find(|(kind, _)| kind != "table") {
        let kind = ["view", "trigger", "index"].into_iter().find(|known| known == other).unwrap_or("something else");
        return refuse(&format!("functions is the name of a {kind}"));
    }
    // A virtual table is a "table" in the schema, too.
    if described(connection, "PRAGMA main.table_list(functions)", (2, 3))?.iter().any(|(kind, _)| kind != "table") {
        return refuse("functions is a virtual table");
    }
    let columns = described(connection, "PRAGMA main.table_xinfo(functions)", (1, 6))?;
    for wanted in ["k", "v", "updated"] {
        match columns.iter().find(|(name, _)| name == wanted) {
            None => return refuse(&format!("the table functions has no column {wanted}")),
            Some((_, 0)) => {}
            Some(_) => return refuse(&format!("the column {wanted} of functions is a generated one")),
        }
    }
    Ok(())
}

/// A text and a number of each row of an answer about the schema. No table has more columns than are taken.
fn described(
    connection: &Connection,
    sql: &str,
    (text, number): (usize, usize),
) -> Result<Vec<(String, i64)>, ReadError> {
    let read = || -> Result<Vec<(String, i64)>, rusqlite::Error> {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(text)?, row.get(number)?)))?;
        rows.take(40_000).collect()
    };
    read().map_err(|error| explain(&error))
}

fn explain(error: &rusqlite::Error) -> ReadError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => "it takes too long to read".to_owned(),
        // What SQLite says here can quote the file.
        _ => error.to_string().chars().filter(|character| !character.is_control()).take(200).collect(),
    };
    ReadError::Database { reason }
}
