//! Row 101: tar archives with a hard link to `/etc/passwd`, a device, a FIFO, setuid, a path that attributes
//! override, a sparse file of 8 EB.

use crate::{Tar, gzipped, refused, too_large};

/// Refused plain and packed alike.
#[track_caller]
fn both_refused(tar: Tar, part: &str) {
    let bytes = tar.end();
    refused(&bytes, part);
    refused(&gzipped(&bytes), part);
}

#[test]
fn row_101_links_devices_and_fifos_are_refused_by_name() {
    // Hard link, symbolic link, devices, FIFO, and what GNU tar has beside them.
    for kind in [b'1', b'2', b'3', b'4', b'6', b'D', b'M', b'V', b'K', b'Z'] {
        let tar = Tar::default().file("good.py", b"x").entry(kind, "evil", 0o777, b"").file("evil/passwd", b"x");
        both_refused(tar, "\"evil\" is a link or another special file");
    }
}

#[test]
fn row_101_setuid_setgid_and_sticky_files_are_refused() {
    for mode in [0o4755, 0o2755, 0o1755, 0o7777] {
        both_refused(Tar::default().entry(b'0', "evil", mode, b"x"), "\"evil\" is setuid");
    }
}

#[test]
fn row_101_paths_that_lead_out_are_refused() {
    for (path, part) in [
        ("../evil.py", "leads out"),
        ("a/../../evil.py", "leads out"),
        ("..", "leads out"),
        ("/etc/cron.d/evil", "absolute"),
        (".//etc/cron.d/evil", "absolute"),
        ("a//b", "empty part"),
        ("a/./b", "empty part"),
        ("a\\..\\b", "backslash"),
        ("a\u{1b}[2Jb", "control"),
    ] {
        both_refused(Tar::default().file(path, b"x"), part);
        both_refused(Tar::default().entry(b'5', path, 0o755, b""), part);
    }
}

#[test]
fn row_101_attributes_that_override_a_path_are_held_to_the_same() {
    for path in ["../evil", "/etc/passwd", "a/../../evil"] {
        both_refused(Tar::default().pax(b'x', &[("path", path)]).file("good", b"x"), "its path");
        let long = format!("{path}\0");
        both_refused(Tar::default().entry(b'L', "././@LongLink", 0, long.as_bytes()).file("good", b"x"), "its path");
    }
    let link = Tar::default().pax(b'x', &[("path", "evil"), ("linkpath", "/etc/passwd")]);
    both_refused(link.entry(b'2', "a", 0o777, b""), "target of a link");
    both_refused(Tar::default().pax(b'g', &[("path", "evil")]).file("good", b"x"), "one path for all");
}

#[test]
fn row_101_a_file_with_two_names_is_refused() {
    let two = Tar::default().pax(b'x', &[("path", "one")]).pax(b'x', &[("path", "other")]);
    both_refused(two.file("good", b"x"), "second name");
    let mixed = Tar::default().entry(b'L', "././@LongLink", 0, b"one\0").pax(b'x', &[("path", "other")]);
    both_refused(mixed.file("good", b"x"), "second name");
    both_refused(Tar::default().pax(b'x', &[("path", "one"), ("path", "other")]).file("good", b"x"), "two paths");
    both_refused(Tar::default().file("good", b"x").pax(b'x', &[("path", "nothing")]), "ends before the file");
}

#[test]
fn row_101_sparse_files_are_refused() {
    both_refused(Tar::default().stating(b'S', "evil", 0o644, 512, &[1; 512]), "\"evil\" is a link or another special");
    let sparse = [("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "8000000000000000000")];
    both_refused(Tar::default().pax(b'x', &sparse).file("good", b"x"), "sparse");
    both_refused(Tar::default().pax(b'x', &[("size", "8000000000000000000")]).file("good", b"x"), "size");
}

#[test]
fn row_101_a_size_of_eight_exabytes_is_refused_before_it_is_believed() {
    let evil = Tar::default().stating(b'0', "evil", 0o644, 8 << 60, b"x");
    too_large(&evil.clone().end(), "16Mi");
    too_large(&gzipped(&evil.end()), "16Mi");
    let attributes = Tar::default().stating(b'x', "PaxHeader", 0o644, 8 << 60, b"x").end();
    refused(&attributes, "64 KiB");
    refused(&Tar::default().stating(b'0', "evil", 0o644, u64::MAX, b"x").end(), "cannot be read");
}

#[test]
fn row_101_sizes_that_are_not_true_are_refused() {
    let mut cut = Tar::default().file("good", b"x").stating(b'0', "evil", 0o644, 4096, b"only this").0;
    refused(&cut, "\"evil\" is shorter");
    cut.truncate(512);
    refused(&cut, "\"good\" is shorter");
    refused(&Tar::default().entry(b'5', "evil/", 0o755, b"content").end(), "directory with content");
}

#[test]
fn row_101_what_is_cut_off_or_goes_on_is_refused() {
    let whole = Tar::default().file("good", b"x");
    refused(&whole.0, "cut off");
    let mut longer = whole.clone().end();
    longer.extend_from_slice(&Tar::default().file("hidden", b"x").0);
    refused(&longer, "goes on behind its end");
    refused(&gzipped(&longer), "goes on behind its end");
    let packed = gzipped(&whole.clone().end());
    for length in [3, 12, packed.len() / 2, packed.len() - 1] {
        refused(&packed[..length], "gzipped tarball");
    }
    refused(&[packed.clone(), b"#!/bin/sh".to_vec()].concat(), "gzipped tarball");
    let mut wrong = whole.end();
    wrong[0] ^= 1;
    refused(&wrong, "it is no archive");
    refused(&gzipped(&wrong), "checksum");
}

#[test]
fn row_101_one_path_for_two_entries_is_refused() {
    both_refused(Tar::default().file("a", b"1").file("a", b"2"), "\"a\" is in it twice");
    both_refused(Tar::default().file("a", b"1").file("./a", b"2"), "\"a\" is in it twice");
    both_refused(Tar::default().file("a", b"1").file("a/b", b"2"), "\"a\" is a file and a directory");
    both_refused(Tar::default().file("a/b", b"1").file("a-c", b"1").file("a", b"2"), "\"a\" is a file and a directory");
    both_refused(Tar::default().entry(b'5', "a/", 0o755, b"").file("a", b"2"), "\"a\" is a file and a directory");
    both_refused(Tar::default().file("a", b"2").entry(b'5', "a/", 0o755, b""), "\"a\" is a file and a directory");
}

#[test]
fn row_101_bombs_end_at_their_limit() {
    let zeros = vec![0; 15 << 20];
    too_large(&gzipped(&Tar::default().file("a", &zeros).end()), "100 times its packed size");
    let half = &zeros[..9 << 20];
    too_large(&Tar::default().file("a", half).file("b", half).end(), "16Mi");
    let empty = Tar::default().end();
    refused(&empty, "no file");
    let mut endless = vec![0_u8; 33 << 20];
    endless[..512].copy_from_slice(&Tar::default().entry(b'0', "a", 0o644, b"").0);
    too_large(&gzipped(&endless), "100 times its packed size");
    let many = (0..4097).fold(Tar::default(), |tar, number| tar.file(&number.to_string(), b"")).end();
    too_large(&many, "4096 files");
    let many = (0..8193).fold(Tar::default(), |tar, number| tar.entry(b'5', &format!("{number}/"), 0o755, b""));
    too_large(&many.end(), "8192 entries");
}
