//! Which files of a folder are no source: what tools keep there, and what `.faasignore` names.
//!
//! A line of `.faasignore` is the name of a file or folder anywhere, or, with a slash in it, a path from the
//! folder's root. `*` stands for any characters but a slash. Lines that are empty or begin with `#` say nothing.

use super::manifest::MANIFEST;

/// The file's name.
pub(super) const IGNORE_FILE: &str = ".faasignore";
/// What no function needs of its folder.
const ALWAYS: [&str; 4] = [".git", "node_modules", "__pycache__", ".venv"];

/// What is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ignored {
    patterns: Vec<String>,
}

impl Ignored {
    /// What the text of a `.faasignore` names.
    pub(super) fn read(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        // A slash at the end says that a folder is meant, which its name says as well.
        Self { patterns: lines.map(|line| line.trim_end_matches('/').to_owned()).collect() }
    }

    /// Whether the file or folder of this name, at this path from the root, is left out.
    pub(super) fn holds(&self, path: &str, name: &str) -> bool {
        let at_root = path == name && (name == MANIFEST || name == IGNORE_FILE);
        at_root
            || ALWAYS.contains(&name)
            || self.patterns.iter().any(|pattern| match pattern.contains('/') {
                true => matches(pattern.trim_start_matches('/'), path),
                false => matches(pattern, name),
            })
    }

    /// Whether the file at this path, or a folder that it is in, is left out.
    pub(super) fn holds_below(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let mut parts = ends.map(|end| path.get(..end).unwrap_or(path));
        parts.any(|part| self.holds(part, part.rsplit('/').next().unwrap_or(part)))
    }
}

/// Whether a pattern with `*` matches the whole text. Takes time in proportion to both lengths' product at most.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    // Where the last star stands, and where what it takes ends.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == text[from] => (at, from) = (at + 1, from + 1),
            Some(_) | None => match star {
                Some((begin, end)) if text[end] != b'/' => {
                    star = Some((begin, end + 1));
                    (at, from) = (begin + 1, end + 1);
                }
                Some(_) | None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::{Ignored, matches};
    use proptest::prelude::*;

    #[test]
    fn what_is_in_a_folder_that_is_left_out_is_left_out() {
        let ignored = Ignored::read("data/*.csv\nold\n");
        for path in [".git/config", "a/node_modules/b/c.js", "old/x.py", "a/old/x.py", "data/a.csv", "faas.yaml"] {
            assert!(ignored.holds_below(path), "{path}");
        }
        for path in ["main.py", "data/a.json", "a/.gitignore", "a/faas.yaml", "older/x.py"] {
            assert!(!ignored.holds_below(path), "{path}");
        }
    }

    #[test]
    fn names_hold_everywhere_and_paths_from_the_root() {
        let ignored = Ignored::read("# mine\n\n*.log\ntests/\n/data/*.csv\n");
        for (path, name, held) in [
            ("a.log", "a.log", true),
            ("deep/a.log", "a.log", true),
            ("deep/tests", "tests", true),
            ("data/a.csv", "a.csv", true),
            ("data/deep/a.csv", "a.csv", false),
            ("other/data/a.csv", "a.csv", false),
            ("main.py", "main.py", false),
            (".git", ".git", true),
            ("deep/node_modules", "node_modules", true),
            ("faas.yaml", "faas.yaml", true),
            ("deep/faas.yaml", "faas.yaml", false),
        ] {
            assert_eq!(ignored.holds(path, name), held, "{path}");
        }
    }

    #[test]
    fn stars_take_as_much_as_they_must() {
        for (pattern, text, matched) in [
            ("*", "", true),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b", "axxbc", false),
            ("*a*", "bab", true),
            ("", "a", false),
            ("a*", "a/b", false),
        ] {
            assert_eq!(matches(pattern, text), matched, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "[a*/]{0,8}", text in "[ab/]{0,12}") {
            let _ = matches(&pattern, &text);
            prop_assert!(matches(&text.replace('*', ""), &text));
        }
    }
}
