//! Archives that try to get out, to fill the disk, or to bring rights along.

use super::{Manifests, Tree, unpack_left, unpack_tarball, unpack_wheel};
use crate::limits::Limits;
use faas_archive::ArchiveError;
use faas_types::ByteSize;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zip::write::SimpleFileOptions;

/// A wheel of these files: name, Unix mode, content.
fn wheel(files: &[(&str, u32, &[u8])]) -> File {
    let mut zip = zip::ZipWriter::new(tempfile::tempfile().expect("a file"));
    for (name, mode, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).expect("begun");
        zip.write_all(content).expect("written");
    }
    rewound(zip.finish().expect("ended"))
}

fn rewound(mut file: File) -> File {
    file.seek(SeekFrom::Start(0)).expect("rewound");
    file
}

/// A tarball of these raw headers and contents.
fn tarball(files: &[(&str, tar::EntryType, u32, &[u8])]) -> File {
    let mut tar = tar::Builder::new(GzEncoder::new(tempfile::tempfile().expect("a file"), Compression::fast()));
    for (name, kind, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        // The library refuses what an attacker writes.
        header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").expect("set");
        }
        header.set_cksum();
        tar.append(&header, *content).expect("appended");
    }
    rewound(tar.into_inner().expect("ended").finish().expect("ended"))
}

fn small() -> Limits {
    Limits { unpacked: ByteSize::mib(32), entries: 1000, ..Limits::default() }
}

struct Unpacked {
    place: tempfile::TempDir,
    result: Result<(), ArchiveError>,
}

impl Unpacked {
    fn refused(&self, part: &str) {
        match &self.result {
            Err(ArchiveError::Refused(reason)) => assert!(reason.contains(part), "{reason}"),
            other => panic!("expected a refusal with {part:?}, got {other:?}"),
        }
        self.nothing_outside();
    }

    fn too_large(&self, part: &str) {
        match &self.result {
            Err(ArchiveError::TooLarge(error)) => assert!(error.to_string().contains(part), "{error}"),
            other => panic!("expected a limit with {part:?}, got {other:?}"),
        }
        self.nothing_outside();
    }

    /// Beside the directory it was unpacked into there is nothing.
    fn nothing_outside(&self) {
        let names: Vec<_> =
            fs::read_dir(self.place.path()).expect("listed").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(names, ["tree"]);
    }

    fn text(&self, path: &str) -> String {
        self.result.as_ref().expect("unpacked");
        fs::read_to_string(self.place.path().join("tree").join(path)).expect(path)
    }
}

fn unpack(limits: &Limits, action: impl FnOnce(&mut Tree<'_>) -> Result<(), ArchiveError>) -> Unpacked {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path().join("tree");
    fs::create_dir(&root).expect("made");
    let result = action(&mut Tree::new(&root, limits));
    Unpacked { place, result }
}

fn of_wheel(files: &[(&str, u32, &[u8])]) -> Unpacked {
    unpack(&small(), |tree| unpack_wheel("evil", wheel(files), tree))
}

fn of_tarball(files: &[(&str, tar::EntryType, u32, &[u8])]) -> Unpacked {
    unpack(&small(), |tree| unpack_tarball("evil", tarball(files), "node_modules/evil", tree))
}

const FILE: tar::EntryType = tar::EntryType::Regular;

#[test]
fn a_wheel_is_laid_out_as_installed() {
    let unpacked = of_wheel(&[
        ("a/", 0o755, b""),
        ("a/__init__.py", 0o644, b"one"),
        ("a-1.dist-info/METADATA", 0o644, b"two"),
        ("a-1.data/purelib/b.py", 0o644, b"three"),
        ("a-1.data/scripts/run", 0o755, b"four"),
        ("a-1.data/headers/a.h", 0o644, b"five"),
    ]);
    assert_eq!(unpacked.text("a/__init__.py") + &unpacked.text("a-1.dist-info/METADATA"), "onetwo");
    assert_eq!(unpacked.text("b.py") + &unpacked.text("bin/run"), "threefour");
    assert!(!unpacked.place.path().join("tree/a-1.data").exists());
}

#[test]
fn a_tarball_loses_its_top_directory_and_keeps_long_names() {
    let long = format!("package/{}/file.js", "d".repeat(120));
    let unpacked = of_tarball(&[
        ("package/index.js", FILE, 0o644, b"one"),
        ("other/bin.js", FILE, 0o755, b"two"),
        ("././@LongLink", tar::EntryType::GNULongName, 0o644, long.as_bytes()),
        ("package/cut", FILE, 0o644, b"three"),
    ]);
    assert_eq!(unpacked.text("node_modules/evil/index.js") + &unpacked.text("node_modules/evil/bin.js"), "onetwo");
    assert_eq!(unpacked.text(&long.replacen("package", "node_modules/evil", 1)), "three");
}

#[test]
fn paths_that_lead_out_are_refused() {
    for path in ["../evil.py", "a/../../evil.py", "a/..", "a\\..\\evil.py", "a/\u{1b}[2J", "a//b", "a/./b"] {
        of_wheel(&[(path, 0o644, b"x")]).refused("its path");
        of_tarball(&[(&format!("package/{path}"), FILE, 0o644, b"x")]).refused("its path");
    }
    of_wheel(&[("/etc/cron.d/evil", 0o644, b"x")]).refused("absolute");
    of_tarball(&[("/etc/cron.d/evil", FILE, 0o644, b"x")]).refused("absolute");
    of_wheel(&[("a-1.data/purelib/../../evil", 0o644, b"x")]).refused("leads out");
    of_wheel(&[(&"d/".repeat(100), 0o644, b""), (&format!("{}x", "d/".repeat(100)), 0o644, b"")]).refused("64 parts");
    of_tarball(&[
        ("././@LongLink", tar::EntryType::GNULongName, 0o644, b"package/../../../evil"),
        ("package/x", FILE, 0o644, b"x"),
    ])
    .refused("leads out");
    let pax = b"30 path=package/../../../evil\n";
    of_tarball(&[("PaxHeader/x", tar::EntryType::XHeader, 0o644, pax), ("package/x", FILE, 0o644, b"x")])
        .refused("leads out");
}

#[test]
fn links_and_devices_are_refused() {
    let mut zip = zip::ZipWriter::new(tempfile::tempfile().expect("a file"));
    zip.add_symlink("a", "/etc", SimpleFileOptions::default()).expect("added");
    zip.start_file("a/passwd", SimpleFileOptions::default()).expect("begun");
    let file = rewound(zip.finish().expect("ended"));
    unpack(&small(), |tree| unpack_wheel("evil", file, tree)).refused("link");
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char, tar::EntryType::Fifo] {
        of_tarball(&[("package/a", kind, 0o777, b""), ("package/a/b", FILE, 0o644, b"x")]).refused("link");
    }
}

#[test]
fn rights_beyond_reading_and_executing_are_lost() {
    let check = |unpacked: &Unpacked, path: &str, mode: u32| {
        unpacked.result.as_ref().expect("unpacked");
        let found = fs::metadata(unpacked.place.path().join("tree").join(path)).expect(path).permissions().mode();
        assert_eq!(found & 0o7777, mode, "{path}");
    };
    let of_wheel = of_wheel(&[("a", 0o6755, b"x"), ("b", 0o666, b"x")]);
    check(&of_wheel, "a", 0o555);
    check(&of_wheel, "b", 0o444);
    check(&of_tarball(&[("package/a", FILE, 0o7777, b"x")]), "node_modules/evil/a", 0o555);
}

#[test]
fn what_unpacks_to_far_more_than_it_is_is_stopped_early() {
    let zeros = vec![0; 24 << 20];
    let unpacked = of_wheel(&[("a", 0o644, &zeros)]);
    unpacked.too_large("100 times its packed size");
    let written = fs::metadata(unpacked.place.path().join("tree/a")).map_or(0, |file| file.len());
    assert!(written <= 17 << 20, "{written}");
    of_tarball(&[("package/a", FILE, 0o644, &zeros)]).too_large("100 times its packed size");
    let extension = vec![b'a'; 1 << 20];
    of_tarball(&[("././@LongLink", tar::EntryType::GNULongName, 0o644, &extension)]).refused("64 KiB");
}

#[test]
fn what_is_larger_than_everything_may_be_is_stopped() {
    // Nothing that can be packed, so that the ratio has no say.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[7]
    })
    .take(600 << 10)
    .collect();
    let files = ["a", "b", "c", "d"].map(|name| (name, 0o644, noise.as_slice()));
    let limits = Limits { unpacked: ByteSize::mib(2), ..small() };
    unpack(&limits, |tree| unpack_wheel("evil", wheel(&files), tree)).too_large("2Mi");
}

#[test]
fn a_million_entries_are_stopped_before_they_are_read() {
    let mut zip = zip::ZipWriter::new(tempfile::tempfile().expect("a file"));
    for number in 0..2000 {
        zip.start_file(number.to_string(), SimpleFileOptions::default()).expect("begun");
    }
    let file = rewound(zip.finish().expect("ended"));
    let unpacked = unpack(&small(), |tree| unpack_wheel("evil", file, tree));
    unpacked.too_large("1000 entries");
    assert!(is_empty(&unpacked.place.path().join("tree")), "nothing is written before they are counted");
    let many: Vec<_> = (0..2000).map(|number| format!("package/{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), FILE, 0o644, &b""[..])).collect();
    of_tarball(&many).too_large("1000 files and directories");
    let directories: Vec<_> = (0..40).map(|number| format!("{number}/{}x", "d/".repeat(50))).collect();
    let directories: Vec<_> = directories.iter().map(|name| (name.as_str(), 0o644, &b""[..])).collect();
    of_wheel(&directories).too_large("1000 files and directories");
}

fn is_empty(path: &Path) -> bool {
    fs::read_dir(path).expect("listed").next().is_none()
}

#[test]
fn a_file_in_the_way_and_the_locks_name_are_refused() {
    of_wheel(&[("a", 0o644, b"x"), ("a/b", 0o644, b"x")]).refused("a file and a directory");
    of_wheel(&[("a/b", 0o644, b"x"), ("a", 0o644, b"x")]).refused("a file and a directory");
    of_wheel(&[("faas.lock", 0o644, b"x")]).refused("faas.lock");
    let twice = of_wheel(&[("a-1.data/purelib/a", 0o644, b"one"), ("a", 0o644, b"two")]);
    assert_eq!(twice.text("a"), "two");
}

#[test]
fn what_is_no_archive_is_refused() {
    let noise = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("written");
        rewound(file)
    };
    for bytes in [&b""[..], b"PK", b"\x1f\x8b\x08", b"<html>"] {
        unpack(&small(), |tree| unpack_wheel("evil", noise(bytes), tree)).refused("zip");
    }
    for bytes in [&b"PK"[..], b"\x1f\x8b\x08", b"<html>"] {
        unpack(&small(), |tree| unpack_tarball("evil", noise(bytes), "node_modules/evil", tree)).refused("tarball");
    }
}

fn with_scripts(files: &[(&str, &[u8])], limits: &Limits) -> Result<Vec<String>, ArchiveError> {
    let files: Vec<_> = files.iter().map(|(path, content)| (*path, FILE, 0o644, *content)).collect();
    Manifests::new(limits).with_scripts("evil", tarball(&files), "node_modules/evil")
}

#[test]
fn install_scripts_are_found_in_the_archive_itself() {
    let of = |manifest: &str, gyp: bool| {
        let mut files = vec![("package/package.json", manifest.as_bytes())];
        files.extend(gyp.then_some(("package/binding.gyp", &b"{}"[..])));
        with_scripts(&files, &small()).expect("read").len()
    };
    for event in ["preinstall", "install", "postinstall"] {
        assert_eq!(of(&format!(r#"{{"scripts": {{"{event}": "x"}}}}"#), false), 1, "{event}");
    }
    assert_eq!(of("\u{feff}{\"scripts\": {\"install\": \"x\"}}", false), 1, "npm does not mind its first letter");
    assert_eq!((of("{}", true), of(r#"{"gypfile": false}"#, true)), (1, 0));
    for none in [r#"{"scripts": {"test": "x", "prepare": "x", "install": ""}}"#, r#"{"scripts": ["x"]}"#, "[]", "{"] {
        assert_eq!(of(none, false), 0, "{none}");
    }
    let script = &br#"{"scripts": {"install": "x"}}"#[..];
    let twice = [("package/package.json", &b"{}"[..]), ("other/package.json", script)];
    assert_eq!(with_scripts(&twice, &small()).expect("read").len(), 1, "the last one is installed");
}

#[test]
fn packages_that_an_archive_brings_along_are_looked_at_and_its_other_directories_are_not() {
    let script = &br#"{"scripts": {"install": "x"}}"#[..];
    let files = [
        ("package/node_modules/@s/a/node_modules/b/package.json", script),
        ("package/test/package.json", script),
        ("package/test/node_modules/c/package.json", script),
        ("package/node_modules/d/lib/package.json", script),
    ];
    let found = with_scripts(&files, &small()).expect("read");
    assert_eq!(found, ["node_modules/evil/node_modules/@s/a/node_modules/b"]);
}

#[test]
fn what_is_only_looked_at_is_bounded_as_what_is_unpacked() {
    let long = vec![b' '; (1 << 20) + 1];
    match with_scripts(&[("package/package.json", &long)], &small()) {
        Err(ArchiveError::Refused(reason)) => assert!(reason.contains("larger than 1Mi"), "{reason}"),
        other => panic!("{other:?}"),
    }
    match with_scripts(&[("package/../../package.json", b"{}")], &small()) {
        Err(ArchiveError::Refused(reason)) => assert!(reason.contains("leads out"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let limits = Limits { unpacked: ByteSize::mib(1), entries: 3, ..Limits::default() };
    let mut manifests = Manifests::new(&limits);
    let mut look = |content: &[u8]| {
        manifests.with_scripts("evil", tarball(&[("package/a", FILE, 0o644, content)]), "node_modules/evil")
    };
    look(&long[..600 << 10]).expect("small enough");
    for (content, limit) in [(&long[..600 << 10], "1Mi"), (b"", "1Mi"), (b"", "3 files and directories")] {
        match look(content) {
            Err(ArchiveError::TooLarge(error)) => assert!(error.to_string().contains(limit), "{error}"),
            other => panic!("{limit}: {other:?}"),
        }
    }
}

#[test]
fn what_install_scripts_left_stays_among_the_packages() {
    let of_left = |files: &[(&str, tar::EntryType, u32, &[u8])]| {
        unpack(&small(), |tree| {
            unpack_tarball("a", tarball(&[("package/one", FILE, 0o644, b"old")]), "node_modules/a", tree)?;
            unpack_left("what the scripts left", tarball(files), tree)
        })
    };
    let unpacked =
        of_left(&[("node_modules/a/one", FILE, 0o4755, b"new"), ("node_modules/.b/two", FILE, 0o644, b"two")]);
    assert_eq!(unpacked.text("node_modules/a/one") + &unpacked.text("node_modules/.b/two"), "newtwo");
    let mode = fs::metadata(unpacked.place.path().join("tree/node_modules/a/one")).expect("there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o555);
    for path in ["a", "faas.lock", "node_modules", "node_modules2/a", "NODE_MODULES/a"] {
        of_left(&[(path, FILE, 0o644, b"x")]).refused("is not in node_modules");
    }
    for path in ["node_modules/../../evil", "/node_modules/a", "node_modules/../faas.lock"] {
        of_left(&[(path, FILE, 0o644, b"x")]).refused("its path");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link, tar::EntryType::Char, tar::EntryType::Fifo] {
        of_left(&[("node_modules/a/link", kind, 0o777, b"")]).refused("link");
    }
    of_left(&[("node_modules/a", FILE, 0o644, b"x")]).refused("a file and a directory");
}

proptest! {
    #[test]
    fn whatever_comes_as_an_archive_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..256), wheel in any::<bool>()) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("written");
        let file = rewound(file);
        let unpacked = unpack(&small(), |tree| if wheel {
            unpack_wheel("evil", file, tree)
        } else {
            unpack_tarball("evil", file, "node_modules/evil", tree)
        });
        unpacked.nothing_outside();
    }
}
