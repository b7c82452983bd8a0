//! Whatever comes: an answer, and nothing in it that was not promised.

use crate::{Tar, gzipped, read, zipped};
use faas_archive::{ArchiveFile, Limits, Relative};
use proptest::prelude::*;
use std::collections::HashSet;
use std::path::{Component, Path};

/// That what was read of an archive is within its promises.
fn hold(files: &[ArchiveFile]) {
    let total: usize = files.iter().map(|file| file.content.len()).sum();
    assert!(u64::try_from(total).expect("short") <= Limits::SOURCE.unpacked.as_bytes());
    let paths: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths.len(), files.len(), "a path came twice");
    for file in files {
        let parts: Vec<_> = Path::new(&file.path).components().collect();
        assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))), "{:?}", file.path);
        let parents = file.path.match_indices('/').map(|(at, _)| &file.path[..at]);
        assert!(parents.into_iter().all(|parent| !paths.contains(parent)), "{:?}", file.path);
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let tar = Tar::default()
        .pax(b'x', &[("path", "long/name.py"), ("mtime", "1")])
        .file("cut", b"import a\n")
        .entry(b'L', "././@LongLink", 0, b"lib/a.py\0")
        .file("cut", b"a = 1\n")
        .entry(b'5', "lib/", 0o755, b"")
        .end();
    vec![gzipped(&tar), zipped(&[("a/b.py", 0o644, b"x = 1\n"), ("run", 0o755, b"#!/bin/sh\n")]), tar]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_path_that_passes_goes_down_only(path in "[a.\\\\/\u{0}\u{7f}é]{0,12}") {
        if let Ok(path) = Relative::parse(path.as_bytes()) {
            let parts: Vec<_> = Path::new(path.as_str()).components().collect();
            prop_assert!(parts.iter().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(parts.len(), path.as_str().split('/').count());
        }
    }

    #[test]
    fn bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..1500), magic in 0..4_usize) {
        let magic: &[u8] = [&b""[..], b"\x1f\x8b\x08\0", b"PK\x03\x04", b"PK\x05\x06"][magic];
        let bytes = [magic, &bytes].concat();
        if let Ok(files) = read(&bytes) {
            hold(&files);
        }
    }

    #[test]
    fn an_archive_with_other_bytes_in_it_is_answered(
        seed in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(files) = read(&bytes) {
            hold(&files);
        }
    }
}
