//! Which shared libraries a set of programs needs, as the dynamic loader of this machine says.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// The loader and libraries of all `programs`. Scripts and static programs among them need none.
pub(super) fn needed_by(programs: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    // Many at once: ldd starts the loader for each, and a shell around all.
    for batch in programs.chunks(200) {
        // It fails when one of them is not dynamic, and lists the others all the same.
        let output = Command::new("ldd").args(batch).output().context("run ldd")?;
        found.extend(String::from_utf8_lossy(&output.stdout).lines().filter_map(library).map(PathBuf::from));
    }
    Ok(found)
}

/// The file that one line of ldd's names: `libc.so.6 => /lib/libc.so.6 (0x7f…)` or `/lib64/ld.so (0x7f…)`.
fn library(line: &str) -> Option<&str> {
    let described = line.split_once(" => ").map_or(line, |(_, path)| path).trim();
    let (path, _) = described.rsplit_once(" (0x")?;
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_of_line() {
        assert_eq!(
            library("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)"),
            Some("/lib/x86_64-linux-gnu/libc.so.6")
        );
        assert_eq!(library("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)"), Some("/lib64/ld-linux-x86-64.so.2"));
        for other in ["/usr/bin/env:", "\tlinux-vdso.so.1 (0x00007f)", "\tstatically linked", "\tx.so => not found"] {
            assert_eq!(library(other), None, "{other}");
        }
    }
}
