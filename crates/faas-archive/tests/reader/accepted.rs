//! What tools make.

use crate::{Tar, gzipped, read, zipped};
use faas_archive::{ArchiveFile, Format, Limits, read_files};

fn files(bytes: &[u8]) -> Vec<(String, String, bool)> {
    let text =
        |ArchiveFile { path, content, executable }| (path, String::from_utf8(content).expect("text"), executable);
    read(bytes).expect("read").into_iter().map(text).collect()
}

fn expected() -> Vec<(String, String, bool)> {
    [("lib/a.py", "a = 1\n", false), ("main.py", "import lib.a\n", false), ("run", "#!/bin/sh\n", true)]
        .map(|(path, content, executable)| (path.to_owned(), content.to_owned(), executable))
        .to_vec()
}

#[test]
fn the_same_files_come_out_of_every_format() {
    let tar = Tar::default()
        .entry(b'5', "./", 0o755, b"")
        .file("./main.py", b"import lib.a\n")
        .entry(b'5', "./lib/", 0o2775, b"")
        .file("./lib/a.py", b"a = 1\n")
        .entry(b'0', "./run", 0o755, b"#!/bin/sh\n")
        .end();
    let zip = zipped(&[
        ("lib/", 0o755, b""),
        ("main.py", 0o644, b"import lib.a\n"),
        ("lib/a.py", 0o664, b"a = 1\n"),
        ("run", 0o755, b"#!/bin/sh\n"),
    ]);
    assert_eq!(files(&tar), expected());
    assert_eq!(files(&gzipped(&tar)), expected());
    assert_eq!(files(&zip), expected());
    let (one, other) = tar.split_at(700);
    assert_eq!(files(&[gzipped(one), gzipped(other)].concat()), expected(), "as parallel packers write it");
}

#[test]
fn a_format_is_told_by_its_bytes() {
    for (bytes, format) in [
        (Tar::default().file("a", b"").end(), Some(Format::Tar)),
        (vec![0; 1024], Some(Format::Tar)),
        (gzipped(b""), Some(Format::TarGz)),
        (zipped(&[]), Some(Format::Zip)),
        (b"#!/bin/sh\n".repeat(100), None),
        (b"BZh91AY&SY".to_vec(), None),
        (Vec::new(), None),
    ] {
        assert_eq!(Format::of(&bytes), format, "{:?}", bytes.get(..8));
    }
}

#[test]
fn long_names_come_with_the_entry_they_belong_to() {
    let long = format!("{}/main.py", "d".repeat(120));
    let tar = Tar::default()
        .pax(b'g', &[("comment", "what git archive writes")])
        .entry(b'L', "././@LongLink", 0, format!("{}/\0", "d".repeat(120)).as_bytes())
        .entry(b'5', "cut/", 0o755, b"")
        .file("a", b"1")
        .pax(b'x', &[("path", &long), ("mtime", "1.5")])
        .file("cut", b"2")
        .pax(b'x', &[("SCHILY.xattr.a", "b\nc")])
        .file("z", b"3")
        .end();
    let names: Vec<_> = files(&tar).into_iter().map(|(path, content, _)| (path, content)).collect();
    let expected = [("a", "1"), (long.as_str(), "2"), ("z", "3")];
    assert_eq!(names, expected.map(|(path, content)| (path.to_owned(), content.to_owned())));
}

#[test]
fn each_piece_is_paid_for_before_it_is_kept() {
    #[derive(Debug, thiserror::Error)]
    enum Broke {
        #[error(transparent)]
        Archive(#[from] faas_archive::ArchiveError),
        #[error("no more money")]
        Money,
    }
    let tar = Tar::default().file("a", &[b'x'; 600]).file("b", &[b'y'; 600]).end();
    let mut paid = 0;
    let all = read_files::<Broke>("source", &tar, &Limits::SOURCE, |bytes| {
        paid += bytes;
        Ok(())
    });
    assert_eq!((all.expect("read").len(), paid), (2, 2 * 601));
    // What only says that it is large costs what it is.
    let bomb = gzipped(&Tar::default().stating(b'0', "a", 0o644, 15 << 20, b"").0);
    let mut paid = 0;
    let refused = read_files::<Broke>("source", &bomb, &Limits::SOURCE, |bytes| {
        paid += bytes;
        Ok(())
    });
    assert!(matches!(refused, Err(Broke::Archive(_))) && paid == 1, "{refused:?}: {paid}");
    let mut money = 700_usize;
    let some = read_files::<Broke>("source", &tar, &Limits::SOURCE, |bytes| {
        money = money.checked_sub(bytes).ok_or(Broke::Money)?;
        Ok(())
    });
    assert!(matches!(some, Err(Broke::Money)), "{some:?}");
}
