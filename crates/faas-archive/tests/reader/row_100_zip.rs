//! Row 100: zip archives with `..`, absolute paths, a link to write through, bombs, ten million entries, entries
//! that overlap, sizes that are not true.

use crate::{refused, too_large, zipped};
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Where the only such bytes are.
#[track_caller]
fn only(bytes: &[u8], part: &[u8]) -> usize {
    let found: Vec<_> = bytes.windows(part.len()).enumerate().filter(|(_, window)| *window == part).collect();
    assert_eq!(found.len(), 1, "{part:?}");
    found[0].0
}

/// The same archive with other bytes in the place of the only such ones.
#[track_caller]
fn changed(mut bytes: Vec<u8>, signature: &[u8], offset: usize, new: &[u8]) -> Vec<u8> {
    let at = only(&bytes, signature) + offset;
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";

#[test]
fn row_100_paths_that_lead_out_are_refused() {
    for (path, part) in [
        ("../evil.py", "leads out"),
        ("a/../../evil.py", "leads out"),
        ("/etc/cron.d/evil", "absolute"),
        ("a\\..\\..\\evil", "backslash"),
        ("a//b", "empty part"),
        ("../evil/", "leads out"),
    ] {
        refused(&zipped(&[("good.py", 0o644, b"x"), (path, 0o644, b"")]), part);
    }
}

#[test]
fn row_100_a_link_is_refused_before_anything_goes_through_it() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("evil", "/etc", SimpleFileOptions::default()).expect("added");
    zip.start_file("evil/passwd", SimpleFileOptions::default()).expect("begun");
    refused(&zip.finish().expect("ended").into_inner(), "\"evil\" is a link");
}

#[test]
fn row_100_setuid_is_refused() {
    // The library masks it; the attributes are the four bytes at 38 of the entry.
    let mode: u32 = 0o104_755 << 16;
    let evil = changed(zipped(&[("evil", 0o755, b"x")]), CENTRAL, 38, &mode.to_le_bytes());
    refused(&evil, "\"evil\" is setuid");
    let device: u32 = 0o060_644 << 16;
    refused(&changed(zipped(&[("evil", 0o755, b"x")]), CENTRAL, 38, &device.to_le_bytes()), "\"evil\" is a link");
}

#[test]
fn row_100_bombs_end_at_their_limit() {
    too_large(&zipped(&[("a", 0o644, &vec![0; 15 << 20])]), "100 times its packed size");
    too_large(&zipped(&[("a", 0o644, &vec![0; 17 << 20])]), "16Mi");
    // An archive of archives is unpacked once: what is in it stays packed.
    let inner = zipped(&[("a", 0o644, &vec![0; 8 << 20])]);
    let nested = zipped(&[("0.zip", 0o644, &inner), ("1.zip", 0o644, &inner)]);
    let files = crate::read(&nested).expect("files");
    assert!(files.iter().all(|file| file.content == inner), "as they are");
}

#[test]
fn row_100_millions_of_entries_are_counted_before_they_are_read() {
    // Whatever its end says of their number: each of these could be one.
    for count in [[0; 4], [1, 0, 1, 0], [0xff; 4]] {
        let mut bytes = [LOCAL, &CENTRAL.repeat(10_000), b"PK\x05\x06\0\0\0\0"].concat();
        bytes.extend_from_slice(&count);
        bytes.extend_from_slice(&[0; 10]);
        too_large(&bytes, "8192 entries");
    }
    let some: Vec<String> = (0..4097).map(|number| number.to_string()).collect();
    let some: Vec<_> = some.iter().map(|name| (name.as_str(), 0o644, &b""[..])).collect();
    too_large(&zipped(&some), "4096 files");
}

#[test]
fn row_100_entries_that_overlap_are_refused() {
    // Both entries of the directory point to the first one's bytes.
    let mut bytes = zipped(&[("a", 0o644, b"the same"), ("b", 0o644, b"the same")]);
    let last = bytes.windows(4).rposition(|window| window == CENTRAL).expect("two");
    bytes[last + 42..last + 46].copy_from_slice(&0_u32.to_le_bytes());
    refused(&bytes, "inconsistency");
    // The first one's bytes go on into the second one's header.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a", "b"] {
        zip.start_file(name, stored).expect("begun");
        zip.write_all(b"12345678").expect("written");
    }
    let mut bytes = zip.finish().expect("ended").into_inner();
    let first = bytes.windows(4).position(|window| window == CENTRAL).expect("two");
    for at in [first + 20, first + 24] {
        bytes[at..at + 4].copy_from_slice(&40_u32.to_le_bytes());
    }
    for at in [18, 22] {
        bytes[at..at + 4].copy_from_slice(&40_u32.to_le_bytes());
    }
    refused(&bytes, "overlapping");
}

#[test]
fn row_100_sizes_that_are_not_true_are_refused() {
    let honest = zipped(&[("evil", 0o644, &[b'x'; 500])]);
    for (size, part) in [(4_u32, "larger than its declared"), (4000, "\"evil\" is shorter")] {
        let both = changed(honest.clone(), CENTRAL, 24, &size.to_le_bytes());
        let both = changed(both, LOCAL, 22, &size.to_le_bytes());
        refused(&both, part);
        // The two headers do not agree.
        refused(&changed(honest.clone(), CENTRAL, 24, &size.to_le_bytes()), "inconsistency");
    }
    let wrong = changed(honest.clone(), CENTRAL, 16, &[1, 2, 3, 4]);
    refused(&changed(wrong, LOCAL, 14, &[1, 2, 3, 4]), "cannot be read");
    let far = changed(honest, CENTRAL, 42, &0x7fff_ffff_u32.to_le_bytes());
    refused(&far, "cannot be read");
}

#[test]
fn row_100_what_another_reader_would_find_is_refused() {
    // The local header has another name than the directory.
    let honest = zipped(&[("good.py", 0o644, b"x")]);
    refused(&changed(honest.clone(), LOCAL, 30, b"evil.py"), "inconsistency");
    // A program in front of it, and an entry that the directory does not list.
    refused(&[b"#!/bin/sh\n".to_vec(), honest.clone()].concat(), "it is no archive");
    let directory = only(&honest, CENTRAL);
    let hidden = zipped(&[("hidden.py", 0o644, b"x")]);
    let hidden = &hidden[..only(&hidden, CENTRAL)];
    let mut both = honest[..directory].to_vec();
    both.extend_from_slice(hidden);
    let shift = u32::try_from(hidden.len()).expect("short");
    let mut rest = honest[directory..].to_vec();
    let end = only(&rest, b"PK\x05\x06");
    let moved = u32::try_from(directory).expect("short") + shift;
    rest[end + 16..end + 20].copy_from_slice(&moved.to_le_bytes());
    both.extend_from_slice(&rest);
    refused(&both, "missing from central directory");
}

#[test]
fn row_100_one_path_for_two_entries_is_refused() {
    let two = zipped(&[("one.py", 0o644, b"1"), ("two.py", 0o644, b"2")]);
    let same: Vec<u8> = two.windows(6).enumerate().fold(two.clone(), |mut same, (at, window)| {
        if window == b"two.py" {
            same[at..at + 6].copy_from_slice(b"one.py");
        }
        same
    });
    refused(&same, "duplicate");
    refused(&zipped(&[("a", 0o644, b"x"), ("a/b", 0o644, b"x")]), "\"a\" is a file and a directory");
    refused(&zipped(&[("a/b", 0o644, b"x"), ("a", 0o644, b"x")]), "\"a\" is a file and a directory");
    refused(&zipped(&[]), "no file");
}
