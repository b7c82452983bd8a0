//! What a write-ahead log adds to its database: the pages of its committed transactions.
//!
//! The format is SQLite's (<https://sqlite.org/fileformat2.html#walformat>). A frame counts when its
//! salts are the header's and the running checksum is right, up to the last frame that ends a
//! transaction. Everything in it is hostile: no length of it is trusted before it is compared.

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The last bit says in which order checksums read words.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// The committed pages are more than a database may have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Puts the committed pages of the log over the database's. A log without any changes nothing.
pub(crate) fn replay(database: &mut Vec<u8>, log: &[u8], most: u64) -> Result<(), TooLarge> {
    // As SQLite does: a log beside an empty database is a leftover.
    if database.is_empty() {
        return Ok(());
    }
    let Some(frames) = Frames::of(log) else { return Ok(()) };
    let page_size = frames.page_size;
    let mut waiting: Vec<(usize, &[u8])> = Vec::new();
    for frame in frames {
        waiting.push((frame.page, frame.data));
        let Some(pages) = frame.commit else { continue };
        let bytes = (pages as u64).saturating_mul(page_size as u64);
        if bytes > most {
            return Err(TooLarge);
        }
        database.resize(usize::try_from(bytes).map_err(|_| TooLarge)?, 0);
        for (page, data) in waiting.drain(..) {
            // A page behind the end was given up within the same transaction.
            let begin = (page - 1).saturating_mul(page_size);
            if let Some(place) = database.get_mut(begin..begin.saturating_add(page_size)) {
                place.copy_from_slice(data);
            }
        }
    }
    Ok(())
}

struct Frame<'l> {
    /// Counted from 1.
    page: usize,
    data: &'l [u8],
    /// The database's size in pages, when the frame ends a transaction.
    commit: Option<usize>,
}

/// The valid frames of a log, in order.
struct Frames<'l> {
    rest: &'l [u8],
    page_size: usize,
    salts: [u8; 8],
    checksum: Checksum,
}

impl<'l> Frames<'l> {
    fn of(log: &'l [u8]) -> Option<Self> {
        let (header, rest) = log.split_first_chunk::<HEADER>()?;
        let magic = word(header, 0)?;
        let page_size = usize::try_from(word(header, 8)?).ok()?;
        let sound = magic & !1 == MAGIC
            && word(header, 4)? == VERSION
            && page_size.is_power_of_two()
            && (512..=65_536).contains(&page_size);
        let mut checksum = Checksum { is_big_endian: magic & 1 == 1, sums: (0, 0) };
        checksum.add(&header[..24]);
        let salts = header[16..24].try_into().ok()?;
        let told = (word(header, 24)?, word(header, 28)?);
        (sound && checksum.sums == told).then_some(Self { rest, page_size, salts, checksum })
    }
}

impl<'l> Iterator for Frames<'l> {
    type Item = Frame<'l>;

    fn next(&mut self) -> Option<Frame<'l>> {
        let (header, rest) = self.rest.split_at_checked(FRAME_HEADER)?;
        let (data, rest) = rest.split_at_checked(self.page_size)?;
        self.checksum.add(&header[..8]);
        self.checksum.add(data);
        let told = (word(header, 16)?, word(header, 20)?);
        let page = usize::try_from(word(header, 0)?).ok()?;
        if header[8..16] != self.salts || self.checksum.sums != told || page == 0 {
            self.rest = &[];
            return None;
        }
        self.rest = rest;
        let pages = usize::try_from(word(header, 4)?).ok()?;
        Some(Frame { page, data, commit: (pages > 0).then_some(pages) })
    }
}

struct Checksum {
    is_big_endian: bool,
    sums: (u32, u32),
}

impl Checksum {
    /// Adds bytes, a multiple of eight.
    fn add(&mut self, bytes: &[u8]) {
        let (pairs, _) = bytes.as_chunks::<8>();
        let (mut first, mut second) = self.sums;
        for &[a, b, c, d, e, f, g, h] in pairs {
            let read = if self.is_big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
            first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
            second = second.wrapping_add(read([e, f, g, h])).wrapping_add(first);
        }
        self.sums = (first, second);
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::{Frames, TooLarge, replay};
    use proptest::prelude::*;
    use rusqlite::Connection;
    use std::fs;

    const PLENTY: u64 = 1 << 30;

    /// A database with a log beside it: one row in the database, the others in the log only.
    fn logged(rows: u32) -> (Vec<u8>, Vec<u8>) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.db");
        let connection = Connection::open(&path).expect("a database");
        let made = "PRAGMA journal_mode = WAL; CREATE TABLE t (x INTEGER, y BLOB); INSERT INTO t VALUES (0, x'');
            PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0;";
        connection.execute_batch(made).expect("a table");
        for row in 1..=rows {
            connection.execute("INSERT INTO t VALUES (?1, randomblob(1000))", [row]).expect("a row");
        }
        let log = fs::read(directory.path().join("a.db-wal")).expect("a log");
        (fs::read(&path).expect("a database"), log)
    }

    fn count(mut image: Vec<u8>) -> u32 {
        image[18..20].fill(1);
        let mut connection = Connection::open_in_memory().expect("a connection");
        let length = image.len();
        connection.deserialize_read_exact("main", &image[..], length, true).expect("an image");
        let whole: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(whole, "ok");
        connection.query_row("SELECT max(x) FROM t", [], |row| row.get(0)).expect("a count")
    }

    #[test]
    fn committed_frames_count_and_a_torn_end_does_not() {
        let (database, log) = logged(50);
        let frames = Frames::of(&log).expect("a log").count();
        assert!(frames >= 50, "{frames}");
        assert_eq!(count(database.clone()), 0);
        let mut whole = database.clone();
        replay(&mut whole, &log, PLENTY).expect("small");
        assert_eq!(count(whole), 50);
        let mut torn = database.clone();
        replay(&mut torn, &log[..log.len() - 1], PLENTY).expect("small");
        assert_eq!(count(torn), 49);
        let mut bounded = database;
        assert_eq!(replay(&mut bounded, &log, 8192), Err(TooLarge));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Bytes that were changed anywhere give an earlier state, never another one.
        #[test]
        fn a_damaged_log_gives_an_earlier_state(at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let (database, mut log) = logged(8);
            *at.get_mut(&mut log) ^= flip;
            let mut image = database;
            replay(&mut image, &log, PLENTY).expect("small");
            prop_assert!(count(image) <= 8);
        }

        #[test]
        fn any_bytes_are_taken_without_harm(mut database in prop::collection::vec(any::<u8>(), 0..2000),
                log in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = replay(&mut database, &log, 4096);
        }
    }
}
