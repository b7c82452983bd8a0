//! Every error code has its page in `docs/errors/`, complete and listed; no page is left over.

use faas_types::{ErrorCode, RetryClass};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

fn pages() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

fn read(name: &str) -> String {
    let path = pages().join(name);
    fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

fn retry_word(class: RetryClass) -> &'static str {
    match class {
        RetryClass::Never => "never",
        RetryClass::Later => "later",
        RetryClass::Unknown => "unknown",
    }
}

/// The text under a heading, up to the next heading of the same level.
fn section<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let (_, after) = page.split_once(&format!("\n{heading}\n"))?;
    Some(after.split("\n## ").next().unwrap_or(after).trim())
}

#[test]
fn every_code_has_a_complete_page() {
    for code in ErrorCode::ALL {
        let name = code.as_str();
        let page = read(&format!("{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}: the title is the code");
        let retry = format!("\nRetry: {}\n", retry_word(code.retry_class()));
        assert!(page.contains(&retry), "{name}: the page should say {:?}", retry.trim());
        for heading in ["## What it means", "## Why it happens", "## What to do", "## Example"] {
            let text = section(&page, heading).unwrap_or_else(|| panic!("{name}: no section {heading:?}"));
            assert!(text.split_whitespace().count() >= 8, "{name}: section {heading:?} says next to nothing");
        }
    }
}

#[test]
fn every_code_is_listed_in_the_index_with_its_retry_class() {
    let index = read("README.md");
    for code in ErrorCode::ALL {
        let row = format!("| [{0}]({0}.md) | {1} | ", code.as_str(), retry_word(code.retry_class()));
        assert!(index.contains(&row), "docs/errors/README.md has no row that starts with {row:?}");
    }
}

#[test]
fn every_page_belongs_to_a_code_and_codes_are_distinct() {
    let mut expected: BTreeSet<String> = ErrorCode::ALL.iter().map(|code| format!("{}.md", code.as_str())).collect();
    assert_eq!(expected.len(), ErrorCode::ALL.len(), "two codes share a name");
    expected.insert("README.md".to_owned());
    let found: BTreeSet<String> = fs::read_dir(pages())
        .expect("docs/errors can be listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a UTF-8 name"))
        .collect();
    assert_eq!(found, expected);
}
