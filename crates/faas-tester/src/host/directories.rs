//! What lies in directories of ours, and loop devices in use.

use std::fs;
use std::path::{Path, PathBuf};

/// Directories, and files that are not empty, below a runtime directory. Empty files are left out: a
/// slot's lock and its empty journal stay for the next launcher. So does its list of cgroups, which are
/// looked for themselves.
pub(super) fn in_runtime_directory(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(directory, &mut found);
    found
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.filter_map(Result::ok) {
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            found.push(entry.path());
            walk(&entry.path(), found);
        } else if metadata.len() > 0 && entry.path().extension().is_none_or(|extension| extension != "cgroups") {
            found.push(entry.path());
        }
    }
}

/// Entries of a shared directory, such as `/tmp`, whose name begins with `faas` or `.faas`.
pub(super) fn ours_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().trim_start_matches('.').starts_with("faas"))
        .map(|entry| entry.path())
        .collect()
}

/// Loop devices that show a file, with the file.
pub(super) fn loop_devices() -> Vec<String> {
    let Ok(entries) = fs::read_dir("/sys/block") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("loop"))
        .filter_map(|entry| {
            let backing = fs::read_to_string(entry.path().join("loop/backing_file")).ok()?;
            Some(format!("{} of {}", entry.file_name().to_string_lossy(), backing.trim()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_listed_and_empty_files_are_not() {
        let base = std::env::temp_dir().join(format!("faas-tester-directories-{}", std::process::id()));
        fs::create_dir_all(base.join("slots/left")).unwrap();
        fs::write(base.join("slots/0.lock"), "").unwrap();
        fs::write(base.join("slots/0.journal"), "+ 1 2 3\n").unwrap();
        fs::write(base.join(".faas-x"), "").unwrap();
        let mut runtime = in_runtime_directory(&base);
        runtime.sort();
        let ours = ours_in(&base);
        fs::remove_dir_all(&base).unwrap();
        assert_eq!(runtime, [base.join("slots"), base.join("slots/0.journal"), base.join("slots/left")]);
        assert_eq!(ours, [base.join(".faas-x")]);
    }
}
