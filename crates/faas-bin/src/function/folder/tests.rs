use super::{Stamp, read};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use tempfile::TempDir;

fn write(folder: &Path, path: &str, content: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, content).expect("written");
}

fn paths(folder: &Path) -> Vec<String> {
    read(folder).expect("readable").into_iter().map(|file| file.path).collect()
}

#[test]
fn every_file_is_source_but_what_is_left_out_by_name() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path();
    for path in ["faas.yaml", "main.py", "lib/util.py", ".git/HEAD", "lib/__pycache__/x.pyc", "notes.txt", "big.log"] {
        write(root, path, b"x");
    }
    write(root, ".faasignore", b"notes.txt\n*.log\n");
    write(root, "lib/data", b"\xff\0");
    fs::set_permissions(root.join("main.py"), fs::Permissions::from_mode(0o755)).expect("ours");
    assert_eq!(paths(root), ["lib/data", "lib/util.py", "main.py"]);
    let files = read(root).expect("readable");
    assert_eq!((files[0].content.as_slice(), files[0].executable, files[2].executable), (&b"\xff\0"[..], false, true));
}

#[test]
fn links_inside_are_followed_and_those_that_lead_out_are_refused() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("inside");
    write(&root, "main.py", b"x");
    symlink("main.py", root.join("same.py")).expect("a link");
    assert_eq!(paths(&root), ["main.py", "same.py"]);
    write(folder.path(), "secret", b"x");
    for (target, reason) in [("../secret", "leads out"), ("/etc/passwd", "leads out"), (".", "link to a folder")] {
        symlink(target, root.join("wrong")).expect("a link");
        let error = read(&root).expect_err(target).to_string();
        assert!(error.contains(reason) && error.contains("wrong"), "{error}");
        fs::remove_file(root.join("wrong")).expect("there");
    }
}

#[test]
fn what_is_too_much_or_no_file_is_refused_by_name() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path();
    let large = fs::File::create(root.join("large")).expect("a file");
    large.set_len(17 * 1024 * 1024).expect("sparse");
    assert!(read(root).expect_err("too large").to_string().contains("16777216 bytes"));
    fs::remove_file(root.join("large")).expect("there");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("a socket");
    assert!(read(root).expect_err("no file").to_string().contains("socket is no file"));
}

#[test]
fn a_stamp_changes_with_its_files_and_only_with_them() {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path();
    write(root, "faas.yaml", b"name: a\n");
    write(root, "main.py", b"x");
    let stamp = || Stamp::of(root).expect("readable");
    let before = stamp();
    write(root, "__pycache__/x.pyc", b"x");
    assert_eq!(stamp(), before);
    write(root, "main.py", b"xy");
    let changed = stamp();
    assert_ne!(changed, before);
    write(root, "faas.yaml", b"name: ab\n");
    assert_ne!(stamp(), changed);
}
