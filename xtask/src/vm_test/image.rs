//! Makes the initramfs: everything the machine has.
//!
//! What belongs to this machine's system keeps its paths; what belongs to the checkout goes below `/vm`.

use super::Place;
use super::cpio::Archive;
use super::libraries;
use super::prerequisites::Tools;
use super::suites::Suites;
use super::tree::Tree;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages whose programs the suites, the sandbox and the interpreters use.
const PACKAGES: [&str; 12] = [
    "bash",
    "dash",
    "coreutils",
    "findutils",
    "gawk",
    "grep",
    "mawk",
    "mount",
    "perl-base",
    "procps",
    "sed",
    "util-linux",
];
/// Without them there is nothing to test with.
const NEEDED_PROGRAMS: [&str; 4] = ["/usr/bin/python3", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/setpriv"];
/// Taken when there: a suite that needs one and does not find it says so itself.
const OTHER_PROGRAMS: [&str; 4] = ["/usr/bin/node", "/usr/bin/php-cgi", "/usr/bin/awk", "/usr/sbin/ip"];
/// Paths of a merged /usr, which programs and the loader spell without it.
const ALIASES: [&str; 4] = ["/bin", "/sbin", "/lib", "/lib64"];
/// Files that programs read. PHP says on its standard error that there is no time zone, without that one.
const CONFIGURATION: [&str; 6] = [
    "/etc/ld.so.cache",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/localtime",
    "/etc/protocols",
    "/usr/share/zoneinfo/UTC",
];
/// Directories of Python's library that no program under test imports, and that are most of it.
const PYTHON_LEAVES_OUT: [&str; 8] =
    ["test", "tests", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "dist-packages"];

/// Writes it below `target/vm` and answers where.
pub(super) fn write(place: &Place, tools: &Tools, suites: &Suites, nonce: &str) -> Result<PathBuf> {
    let mut tree = Tree::default();
    add_machine(&mut tree, tools)?;
    add_runtimes(&mut tree)?;
    add_suites(&mut tree, suites, nonce)?;
    let programs: Vec<PathBuf> = tree.copied_files().into_iter().filter(|path| may_be_dynamic(path)).collect();
    for library in libraries::needed_by(&programs)? {
        tree.host(&library, &|_| true)?;
    }

    let path = place.work.join("initramfs.cpio");
    let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let mut archive = Archive::new(BufWriter::with_capacity(1 << 20, file));
    tree.write(&mut archive)?;
    archive.finish()?;
    Ok(path)
}

/// What makes it a machine: init, mount points, users.
fn add_machine(tree: &mut Tree, tools: &Tools) -> Result<()> {
    for directory in ["/proc", "/sys", "/dev", "/run", "/root", "/vm/root", "/var/lib", "/vm/modules"] {
        tree.directory(directory, 0o755);
    }
    tree.directory("/tmp", 0o1777);
    tree.directory("/var/tmp", 0o1777);
    tree.directory("/home/ordinary", 0o755);
    // The kernel opens it for init before any devtmpfs is mounted.
    tree.character_device("/dev/console", 0o600, (5, 1));
    tree.copied_to("/vm/busybox", &tools.busybox);
    for (number, module) in tools.modules.iter().enumerate() {
        tree.copied_to(&format!("/vm/modules/{number}.ko"), module);
    }
    tree.made("/vm/init", 0o755, include_str!("init.sh"));
    tree.made("/vm/probes.py", 0o644, include_str!("probes.py"));
    tree.made(
        "/etc/passwd",
        0o644,
        "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n\
         ordinary:x:1000:1000::/home/ordinary:/bin/bash\n",
    );
    tree.made("/etc/group", 0o644, "root:x:0:\nnogroup:x:65534:\nordinary:x:1000:\n");
    tree.made("/etc/hosts", 0o644, "127.0.0.1 localhost vm\n");
    for path in CONFIGURATION.map(Path::new) {
        if path.exists() {
            tree.host(path, &|_| true)?;
        }
    }
    for alias in ALIASES.map(Path::new) {
        // Only the link itself, where it is one: its directory would be all of /usr/lib.
        if alias.is_symlink() {
            tree.host(alias, &|_| false)?;
        }
    }
    Ok(())
}

fn add_runtimes(tree: &mut Tree) -> Result<()> {
    for program in NEEDED_PROGRAMS {
        tree.host(Path::new(program), &|_| true)?;
    }
    for program in OTHER_PROGRAMS.map(Path::new) {
        if program.exists() {
            tree.host(program, &|_| true)?;
        }
    }
    for program in programs_of_packages()? {
        tree.host(&program, &|_| true)?;
    }
    let python = Path::new("/usr/bin/python3").canonicalize().context("find the system's Python")?;
    let version = python.file_name().context("Python has no file name")?;
    tree.host(&Path::new("/usr/lib").join(version), &|name| {
        !PYTHON_LEAVES_OUT.contains(&name) && !name.starts_with("config-3")
    })?;
    let modules = Path::new("/usr/lib/python3");
    if modules.exists() {
        tree.host(modules, &|name| !PYTHON_LEAVES_OUT.contains(&name))?;
    }
    Ok(())
}

fn programs_of_packages() -> Result<Vec<PathBuf>> {
    // It fails when one of the packages is not installed, and lists the others all the same.
    let output = Command::new("dpkg-query").arg("--listfiles").args(PACKAGES).output().context("run dpkg-query")?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(listed
        .lines()
        .map(Path::new)
        .filter(|path| path.parent().is_some_and(|parent| parent.ends_with("bin") || parent.ends_with("sbin")))
        .filter(|path| path.is_file())
        .map(Path::to_owned)
        .collect())
}

fn add_suites(tree: &mut Tree, suites: &Suites, nonce: &str) -> Result<()> {
    for (inside, path) in &suites.files {
        tree.copied_with_all_below(inside, path)?;
    }
    let mut list = String::new();
    for suite in &suites.list {
        let user = if suite.ordinary_user { "ordinary" } else { "root" };
        list.push_str(&format!("{}|{}|{user}|{}\n", suite.name, suite.seconds, suite.command));
    }
    let mut environment = String::new();
    for (name, value) in &suites.environment {
        environment.push_str(&format!("{name}='{}'\n", value.replace('\'', r"'\''")));
    }
    tree.made("/vm/suites", 0o644, list);
    tree.made("/vm/environment", 0o644, environment);
    tree.made("/vm/nonce", 0o644, nonce);
    Ok(())
}

/// Whether the loader should be asked about it: a program or a library, not data.
fn may_be_dynamic(path: &Path) -> bool {
    let is_library = path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"));
    is_library || path.extension().is_none() || path.starts_with("/usr/bin")
}
