//! Tables with commas, as the datasets are published: a head, then lines with as many fields, nothing quoted.
//!
//! The file may be anything. A line is read up to a bound, and a value is refused with the names of its file, line
//! and column. Pure but for its reader.

use super::error::TraceError;
use std::io::{BufRead, Read as _};
use std::str::FromStr;

/// Far above a line of a day's minutes.
const LINE_BYTES: usize = 256 * 1024;
/// Ids are digests in hexadecimal.
const ID_BYTES: usize = 128;
/// How much of a refused value an error repeats.
const GIVEN_CHARACTERS: usize = 60;

/// A table while it is read.
pub(super) struct Table<R> {
    file: String,
    reader: R,
    head: Vec<String>,
    line: u64,
    text: String,
}

/// One line.
pub(super) struct Record<'a> {
    file: &'a str,
    line: u64,
    head: &'a [String],
    fields: Vec<&'a str>,
}

impl<R: BufRead> Table<R> {
    /// Reads the head.
    pub(super) fn open(file: &str, reader: R) -> Result<Self, TraceError> {
        let mut table = Self { file: file.to_owned(), reader, head: Vec::new(), line: 0, text: String::new() };
        table.read_line()?;
        table.head = table.text.split(',').map(str::to_owned).collect();
        Ok(table)
    }

    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Result<usize, TraceError> {
        let found = self.head.iter().position(|column| column == name);
        found.ok_or_else(|| TraceError::NoColumn { file: self.file.clone(), column: name.to_owned() })
    }

    /// The places of those columns that this picks, with what it makes of their names.
    pub(super) fn columns<T>(&self, pick: impl Fn(&str) -> Option<T>) -> Vec<(usize, T)> {
        self.head.iter().enumerate().filter_map(|(place, name)| Some((place, pick(name)?))).collect()
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, TraceError> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            if !self.text.is_empty() {
                break;
            }
        }
        let fields: Vec<&str> = self.text.split(',').collect();
        if fields.len() != self.head.len() {
            let (found, wanted) = (fields.len(), self.head.len());
            return Err(TraceError::Fields { file: self.file.clone(), line: self.line, found, wanted });
        }
        Ok(Some(Record { file: &self.file, line: self.line, head: &self.head, fields }))
    }

    /// Whether there was one more.
    fn read_line(&mut self) -> Result<bool, TraceError> {
        self.line += 1;
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        bytes.clear();
        let most = u64::try_from(LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| TraceError::Io { file: self.file.clone(), source })?;
        if read > LINE_BYTES {
            return Err(TraceError::LineTooLong { file: self.file.clone(), line: self.line, limit: LINE_BYTES });
        }
        let end = bytes.trim_ascii_end().len();
        bytes.truncate(end);
        self.text =
            String::from_utf8(bytes).map_err(|_| TraceError::NotText { file: self.file.clone(), line: self.line })?;
        Ok(read > 0)
    }
}

impl<'a> Record<'a> {
    /// What names something.
    pub(super) fn id(&self, column: usize) -> Result<&'a str, TraceError> {
        let id = self.field(column);
        if id.is_empty() || id.len() > ID_BYTES {
            return Err(self.refused(column, "an id of 1 to 128 bytes"));
        }
        Ok(id)
    }

    pub(super) fn count(&self, column: usize) -> Result<u32, TraceError> {
        self.number(column, "a number from 0 to 4294967295")
    }

    /// A number that something can be measured with.
    pub(super) fn measure(&self, column: usize) -> Result<f64, TraceError> {
        const ACCEPTED: &str = "a number from 0 to 1e9";
        let number: f64 = self.number(column, ACCEPTED)?;
        if (0.0..=1e9).contains(&number) { Ok(number) } else { Err(self.refused(column, ACCEPTED)) }
    }

    /// That this column's value is not what is accepted there.
    pub(super) fn refused(&self, column: usize, accepted: &'static str) -> TraceError {
        TraceError::Value {
            file: self.file.to_owned(),
            line: self.line,
            column: self.head.get(column).cloned().unwrap_or_default(),
            given: self.field(column).chars().take(GIVEN_CHARACTERS).collect(),
            accepted,
        }
    }

    fn number<T: FromStr>(&self, column: usize, accepted: &'static str) -> Result<T, TraceError> {
        self.field(column).trim().parse().map_err(|_| self.refused(column, accepted))
    }

    fn field(&self, column: usize) -> &'a str {
        self.fields.get(column).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES, Table};
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Vec<(String, u32)>, String> {
        let mut table = Table::open("x.csv", text).map_err(|error| error.to_string())?;
        let (name, count) = (table.column("name"), table.column("count"));
        let (name, count) = (name.map_err(|error| error.to_string())?, count.map_err(|error| error.to_string())?);
        let mut rows = Vec::new();
        while let Some(record) = table.next().map_err(|error| error.to_string())? {
            let id = record.id(name).map_err(|error| error.to_string())?.to_owned();
            rows.push((id, record.count(count).map_err(|error| error.to_string())?));
        }
        Ok(rows)
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let rows = read(b"count,more,name\r\n3,,a\r\n\r\n4,x,b").expect("a table");
        assert_eq!(rows, [("a".to_owned(), 3), ("b".to_owned(), 4)]);
    }

    #[test]
    fn what_is_refused_is_named_by_file_line_and_column() {
        let long = format!("name,count\n{},1\n", "a".repeat(LINE_BYTES));
        let id = format!("name,count\n{},1\n", "a".repeat(129));
        for (text, parts) in [
            (b"".as_slice(), ["x.csv line 1", "column name"].as_slice()),
            (b"name,number\n", &["x.csv line 1", "column count"]),
            (b"name,count\na,1\nb,2,3\n", &["x.csv line 3", "3 fields", "accepted: 2"]),
            (b"name,count\na,-1\n", &["x.csv line 2, column count", "\"-1\"", "accepted"]),
            (b"name,count\na,99999999999\n", &["line 2, column count"]),
            (b"name,count\n,1\n", &["line 2, column name"]),
            (b"name,count\n\xff,1\n", &["line 2", "UTF-8"]),
            (long.as_bytes(), &["line 2", "longer than 262144"]),
            (id.as_bytes(), &["line 2, column name", "128 bytes"]),
        ] {
            let error = read(text).expect_err("refused");
            for part in parts {
                assert!(error.contains(part), "{part}: {error}");
            }
            assert!(error.len() < 300, "{error}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_the_answer_is_rows_or_a_place(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"name,count\n".to_vec();
            text.extend(bytes);
            if let Err(error) = read(&text) {
                prop_assert!(error.contains("x.csv line "), "{}", error);
            }
        }

        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(("[a-z0-9]{1,20}", any::<u32>()), 0..20)) {
            let lines = rows.iter().map(|(name, count)| format!("{name},{count}\n"));
            let text = std::iter::once("name,count\n".to_owned()).chain(lines).collect::<String>();
            prop_assert_eq!(read(text.as_bytes()), Ok(rows));
        }
    }
}
