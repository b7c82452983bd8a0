//! The file: where it is, how large it may be, what is wrong with it.

use crate::image;
use crate::judge::Rules;
use crate::serving::{Serving, Update};
use crate::snapshot::{Files, Stamp};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How much of a file is looked at.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Bytes of the database, of its log, and of both together.
    pub database_bytes: u64,
    /// Rows of the table.
    pub rows: u32,
    /// Bytes of one row's `v`.
    pub value_bytes: u32,
    /// How long SQLite may work on one reading.
    pub time: Duration,
}

impl Default for Bounds {
    /// Twice the rows a server is measured with.
    fn default() -> Self {
        Self { database_bytes: 128 << 20, rows: 200_000, value_bytes: 64 << 10, time: Duration::from_secs(5) }
    }
}

/// Why a file was not read. What it gave before is served on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("the routes file is not there; create it, or name another one with --routes-db")]
    Missing,
    /// It, or what SQLite keeps beside it, is no regular file.
    #[error("{name} is {kind}; accepted: a regular file")]
    Kind {
        /// The file's name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// It was written while it was read.
    #[error("the routes file was being written all the time; the next quiet moment is taken")]
    Moving,
    /// A transaction has begun and not ended.
    #[error(
        "a transaction on the routes file has not ended; commit it, or, when its writer died, open the file once with sqlite3, which rolls it back"
    )]
    UnderWay,
    /// It is larger than a file may be.
    #[error("the routes file or its log has more than {bytes} bytes; delete rows and run VACUUM")]
    TooLarge {
        /// How much is accepted.
        bytes: u64,
    },
    /// It has more rows than a table may have.
    #[error("the table functions has more than {rows} rows; delete some")]
    TooManyRows {
        /// How many are accepted.
        rows: u32,
    },
    /// There is no table of this name, or something else has it.
    #[error("{found}; accepted: an ordinary table functions with columns k, v and updated")]
    Table {
        /// What is there.
        found: String,
    },
    /// SQLite cannot read it.
    #[error("the routes file cannot be read as a database: {reason}")]
    Database {
        /// What SQLite said.
        reason: String,
    },
    /// The system cannot read it.
    #[error("the routes file cannot be read: {0}")]
    Io(#[source] io::Error),
}

/// A routes file and what its rows are judged by.
#[derive(Debug)]
pub struct RoutesFile {
    files: Files,
    rules: Rules,
    bounds: Bounds,
}

impl RoutesFile {
    /// A file that need not be there yet.
    #[must_use]
    pub fn new(path: &Path, rules: Rules, bounds: Bounds) -> Self {
        Self { files: Files::new(path), rules, bounds }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.files.database
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.files.stamp()
    }

    /// Brings what is served up to date with the file.
    ///
    /// # Errors
    /// The file as a whole cannot be used, and nothing was changed. What is being written may be readable a
    /// moment later.
    pub fn read(&self, serving: &mut Serving) -> Result<Update, ReadError> {
        self.read_with_stamp(serving).map(|(update, _)| update)
    }

    pub(crate) fn read_with_stamp(&self, serving: &mut Serving) -> Result<(Update, Stamp), ReadError> {
        let (bytes, stamp) = self.files.copy(&self.bounds)?;
        let mut reading = serving.begin();
        image::each_row(bytes, &self.bounds, |row| reading.row(&row, &self.rules))?;
        Ok((reading.finish(), stamp))
    }
}
