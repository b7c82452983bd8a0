//! `docs/configuration.md` lists every key, and every variable without effect, exactly as the code has it. `FAAS_UPDATE_GOLDEN=1` rewrites the list.

use faas_config::{Unused, reference};
use std::fs;
use std::path::Path;

const MARK: &str =
    "<!-- Every key; written by: FAAS_UPDATE_GOLDEN=1 cargo test -p faas-config --test documentation -->\n";

#[test]
fn the_page_lists_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).expect("docs/configuration.md is readable");
    let (before, found) = page.split_once(MARK).expect("the page has the mark above the list");
    let expected = format!("\n{}\n## Variables without effect\n\n{}", reference(), Unused::reference());
    if std::env::var_os("FAAS_UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{before}{MARK}{expected}")).expect("docs/configuration.md is writable");
    } else {
        assert!(found == expected, "docs/configuration.md is behind; run this test with FAAS_UPDATE_GOLDEN=1");
    }
}
