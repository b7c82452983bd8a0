//! Modules are beneath their roots, whatever their names say and whatever stands there.

use faas_routes_file::{Fault, FunctionRoots, Module, ModuleBounds, ModuleError};
use rustix::fs::{CWD, Mode, mkfifoat};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

struct Root {
    directory: TempDir,
    path: PathBuf,
    roots: FunctionRoots,
}

impl Root {
    fn new() -> Self {
        Self::bounded(ModuleBounds::default())
    }

    fn bounded(bounds: ModuleBounds) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("functions");
        fs::create_dir(&path).expect("a root");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("closed");
        let roots = FunctionRoots::new([directory.path().join("absent"), path.clone()]).expect("absolute");
        let root = Self { directory, path, roots: roots.with_bounds(bounds) };
        root.put("hello.php", b"<?php");
        root
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path.join(name);
        let parent = path.parent().expect("a directory");
        fs::create_dir_all(parent).expect("directories");
        fs::set_permissions(parent, Permissions::from_mode(0o755)).expect("closed");
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("closed");
    }

    fn fault(&self, module: &str) -> Fault {
        match self.roots.read(module) {
            Err(ModuleError::Refused { fault, roots, .. }) => {
                assert!(roots.contains(&*self.path.to_string_lossy()), "the roots are not named");
                fault
            }
            other => panic!("{module}: {other:?}"),
        }
    }
}

#[test]
fn a_file_is_read_by_relative_and_absolute_name() {
    let root = Root::new();
    root.put("deep/er/a.py", b"pass");
    let file = |bytes: &[u8]| Ok(Module::File(bytes.to_vec()));
    assert_eq!(root.roots.read("hello.php"), file(b"<?php"));
    assert_eq!(root.roots.read(&root.path.join("hello.php").to_string_lossy()), file(b"<?php"));
    assert_eq!(root.roots.read("deep/er/a.py"), file(b"pass"));
    assert!(matches!(root.roots.read("absent.php"), Err(ModuleError::Missing { .. })));
    assert!(matches!(root.roots.read("absent/absent.php"), Err(ModuleError::Missing { .. })));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let root = Root::new();
    let outside = root.directory.path().join("secret");
    fs::write(&outside, b"secret").expect("a file");
    for module in
        ["../secret", "a/../../secret", ".", "", "hello.php/", "./hello.php", "a\0b", "a\nb", &"a".repeat(2000)]
    {
        assert!(matches!(root.roots.read(module), Err(ModuleError::Name { .. })), "{module:?}");
    }
    for module in ["/etc/passwd", &*outside.to_string_lossy(), &*root.path.to_string_lossy()] {
        let error = root.roots.read(module).expect_err(module);
        assert!(matches!(error, ModuleError::Outside { .. }), "{error}");
        assert!(error.to_string().contains(&*root.path.to_string_lossy()), "{error}");
    }
}

#[test]
fn links_are_not_followed_wherever_they_stand() {
    let root = Root::new();
    root.put("real/a.php", b"<?php");
    symlink("/etc/passwd", root.path.join("passwd")).expect("a link");
    symlink("hello.php", root.path.join("alias.php")).expect("a link");
    symlink("real", root.path.join("linked")).expect("a link");
    symlink("/etc", root.path.join("etc")).expect("a link");
    symlink("/proc/self/root", root.path.join("magic")).expect("a link");
    for module in ["passwd", "alias.php", "linked", "linked/a.php", "etc/passwd", "magic/etc/passwd"] {
        assert_eq!(root.fault(module), Fault::Link, "{module}");
    }
    root.put("package/a.py", b"pass");
    symlink("/etc/passwd", root.path.join("package/b.py")).expect("a link");
    assert_eq!(root.fault("package"), Fault::Link, "a link inside of a directory");
}

#[test]
fn what_is_neither_file_nor_directory_is_refused_without_waiting() {
    let root = Root::new();
    mkfifoat(CWD, root.path.join("fifo"), Mode::RUSR | Mode::WUSR).expect("a FIFO");
    assert_eq!(root.fault("fifo"), Fault::Kind);
    let listener = std::os::unix::net::UnixListener::bind(root.path.join("socket")).expect("a socket");
    assert_eq!(root.fault("socket"), Fault::Kind);
    drop(listener);
}

#[test]
fn what_another_user_could_write_is_refused() {
    let root = Root::new();
    root.put("open/a.php", b"<?php");
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(root.path.join(path), Permissions::from_mode(mode)).expect("a mode");
    };
    mode("hello.php", 0o646);
    assert_eq!(root.fault("hello.php"), Fault::Shared);
    mode("hello.php", 0o644);
    mode("open", 0o777);
    assert_eq!(root.fault("open/a.php"), Fault::Shared);
    assert_eq!(root.fault("open"), Fault::Shared);
    mode("", 0o1777);
    assert_eq!(root.fault("hello.php"), Fault::Shared);
    mode("", 0o755);
    assert!(root.roots.read("hello.php").is_ok());
    if !rustix::process::geteuid().is_root() {
        println!("SKIP: only root can give a file to another user");
        return;
    }
    let file = root.path.join("hello.php");
    chown(&file, Some(12345), Some(12345)).expect("given away");
    assert_eq!(root.fault("hello.php"), Fault::Shared);
    chown(&file, Some(0), Some(12345)).expect("given back");
    mode("hello.php", 0o664);
    assert_eq!(root.fault("hello.php"), Fault::Shared, "a group of others may write it");
    chown(&file, Some(0), Some(0)).expect("given back");
    mode("hello.php", 0o664);
    assert!(root.roots.read("hello.php").is_ok(), "a group of the owner's own");
}

#[test]
fn a_directory_is_read_whole_and_within_bounds() {
    let root = Root::bounded(ModuleBounds { bytes: 100, files: 5, depth: 2 });
    root.put("package/b.py", b"b");
    root.put("package/a.py", b"a");
    root.put("package/inner/c.py", b"c");
    let Ok(Module::Directory(files)) = root.roots.read("package") else { panic!("no directory") };
    let paths: Vec<(&str, &[u8])> = files.iter().map(|file| (file.path.as_str(), &file.bytes[..])).collect();
    assert_eq!(paths, [("a.py", &b"a"[..]), ("b.py", b"b"), ("inner/c.py", b"c")]);
    root.put("package/inner/deep/d.py", b"d");
    assert!(matches!(root.fault("package"), Fault::TooMuch { most: 2, .. }));
    root.put("big.php", &[b'x'; 101]);
    assert_eq!(root.fault("big.php"), Fault::TooMuch { most: 100, what: "bytes" });
    root.put("large/a", &[b'x'; 60]);
    root.put("large/b", &[b'x'; 60]);
    assert!(matches!(root.fault("large"), Fault::TooMuch { what: "bytes", .. }));
    for n in 0..6 {
        root.put(&format!("many/{n}"), b"");
    }
    assert!(matches!(root.fault("many"), Fault::TooMuch { most: 5, what: "files" }));
    root.put("named/a\nb", b"");
    assert_eq!(root.fault("named"), Fault::Name);
}
