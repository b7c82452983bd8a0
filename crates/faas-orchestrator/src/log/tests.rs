use super::{LogReader, LogWriter, Logs, StreamName};
use faas_types::ExecutionId;
use proptest::prelude::*;
use std::fs;
use std::io::Write as _;

fn stream() -> impl Strategy<Value = StreamName> {
    prop_oneof![Just(StreamName::Stdout), Just(StreamName::Stderr)]
}

/// Lengths around the two forms of a head and the longest frame.
fn pieces() -> impl Strategy<Value = Vec<(StreamName, usize)>> {
    let length = prop_oneof![1..300_usize, 120..135_usize, 65_530..65_540_usize, Just(200_000)];
    prop::collection::vec((stream(), length), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A reader that follows reads what was written, in order, whole, and never beyond what it was told.
    #[test]
    fn a_reader_that_follows_sees_everything_once(pieces in pieces(), reads in prop::collection::vec(0..4_usize, 12)) {
        let logs = Logs::memory();
        let mut writer = LogWriter::new(logs, ExecutionId::generate());
        let mut reader = None;
        let mut written: Vec<(StreamName, u8)> = Vec::new();
        let mut read = Vec::new();
        for (number, ((stream, length), reads)) in pieces.into_iter().zip(reads).enumerate() {
            let bytes: Vec<u8> = (0..length).map(|place| u8::try_from((place + number) % 251).unwrap_or(0)).collect();
            writer.append(stream, &bytes).expect("written");
            written.extend(bytes.iter().map(|byte| (stream, *byte)));
            let file = writer.file().expect("there is one").clone();
            let reader = reader.get_or_insert_with(|| LogReader::new(file));
            for _ in 0..reads {
                if let Some((stream, bytes)) = reader.next(writer.length()).expect("readable") {
                    read.extend(bytes.iter().map(|byte| (stream, *byte)));
                }
            }
        }
        if let Some(reader) = &mut reader {
            while let Some((stream, bytes)) = reader.next(writer.length()).expect("readable") {
                read.extend(bytes.iter().map(|byte| (stream, *byte)));
            }
        }
        prop_assert!(read == written);
    }

    /// A log that ends anywhere, or holds anything, is read up to its last whole frame without panic.
    #[test]
    fn a_torn_log_is_read_up_to_its_last_whole_frame(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let logs = Logs::memory();
        let file = logs.create(ExecutionId::generate()).expect("made");
        (&*file).write_all(&bytes).expect("written");
        let mut reader = LogReader::new(file);
        let length = u64::try_from(bytes.len()).expect("short");
        let mut sum = 0;
        while let Ok(Some((_, piece))) = reader.next(length) {
            sum += piece.len() + 1;
        }
        prop_assert!(sum <= bytes.len());
    }
}

fn write(logs: &Logs, bytes: usize) -> ExecutionId {
    let id = ExecutionId::generate();
    let mut writer = LogWriter::new(logs.clone(), id);
    writer.append(StreamName::Stdout, &vec![b'x'; bytes]).expect("written");
    if logs.keep(id, writer.file().expect("there is one")) {
        logs.evict();
    }
    id
}

#[test]
fn the_oldest_logs_go_when_there_are_too_many_bytes() {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("logs");
    let logs = Logs::directory(&directory).expect("made");
    logs.bound(300_000);
    let ids: Vec<_> = (0..5).map(|_| write(&logs, 100_000)).collect();
    let kept = |logs: &Logs| ids.iter().map(|id| logs.open(*id).expect("looked").is_some()).collect::<Vec<_>>();
    assert_eq!(kept(&logs), [false, false, false, true, true]);
    assert_eq!(fs::read_dir(&directory).expect("listed").count(), 2);

    // They are found again, in their order, and go with the execution they belong to.
    let logs = Logs::directory(&directory).expect("opened");
    assert!((200_000..300_000).contains(&logs.bytes()), "{}", logs.bytes());
    logs.bound(150_000);
    assert_eq!(kept(&logs), [false, false, false, false, true]);
    logs.remove(ids[4]);
    assert_eq!((logs.bytes(), fs::read_dir(&directory).expect("listed").count()), (0, 0));
}

#[test]
fn what_goes_out_of_turn_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a directory");
    let logs = Logs::directory(&place.path().join("logs")).expect("made");
    let ids: Vec<_> = (0..4).map(|_| write(&logs, 10_000)).collect();
    let one = logs.bytes() / 4;
    // One that is kept again counts once and is the newest.
    let (file, _) = logs.open(ids[0]).expect("looked").expect("it is there");
    logs.keep(ids[0], &file);
    assert_eq!(logs.bytes(), 4 * one);
    logs.remove(ids[2]);
    logs.remove(ids[2]);
    assert_eq!(logs.bytes(), 3 * one);
    logs.bound(one);
    let kept: Vec<_> = ids.iter().map(|id| logs.open(*id).expect("looked").is_some()).collect();
    assert_eq!((kept.as_slice(), logs.bytes()), ([true, false, false, false].as_slice(), one));
    assert_eq!(fs::read_dir(place.path().join("logs")).expect("listed").count(), 1);
}

#[test]
fn the_newest_log_stays_even_above_the_bound() {
    let logs = Logs::memory();
    logs.bound(1000);
    let small = write(&logs, 10);
    let large = write(&logs, 100_000);
    assert!(logs.open(large).expect("looked").is_some() && logs.open(small).expect("looked").is_none());
}

#[test]
fn logs_in_memory_hold_few_descriptors() {
    let logs = Logs::memory();
    let ids: Vec<_> = (0..100).map(|_| write(&logs, 1)).collect();
    let kept = ids.iter().filter(|id| logs.open(**id).expect("looked").is_some()).count();
    assert_eq!(kept, 64);
    assert!(logs.open(ids[99]).expect("looked").is_some() && logs.open(ids[0]).expect("looked").is_none());
}

#[test]
fn a_log_that_cannot_be_written_has_no_gap() {
    let place = tempfile::tempdir().expect("a directory");
    let logs = Logs::directory(&place.path().join("logs")).expect("made");
    fs::remove_dir(place.path().join("logs")).expect("removed");
    let mut writer = LogWriter::new(logs, ExecutionId::generate());
    assert!(writer.append(StreamName::Stdout, b"lost").is_err());
    fs::create_dir(place.path().join("logs")).expect("made again");
    assert!(writer.append(StreamName::Stdout, b"later").is_ok(), "it is said once");
    assert!(writer.is_broken() && writer.length() == 0 && writer.file().is_none());
}
