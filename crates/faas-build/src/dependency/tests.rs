//! Hostile row 94, by what each entry tries, and the forms that are accepted.

use super::{Dependencies, DependencyError, MAX_DEPENDENCIES};
use faas_types::Language;
use proptest::prelude::*;

fn parse(language: Language, entry: &str) -> Result<Dependencies, DependencyError> {
    Dependencies::parse(language, &[entry.to_owned()], false)
}

fn canonical(language: Language, entry: &str) -> String {
    parse(language, entry).unwrap_or_else(|error| panic!("{error}")).canonical()
}

#[test]
fn what_is_hostile_is_refused_in_both_languages() {
    let tried = [
        ("another index", "--index-url=http://x"),
        ("another index, in two words", "requests --index-url http://x"),
        ("an extra index", "--extra-index-url=http://x"),
        ("a file of requirements", "-r /etc/passwd"),
        ("a file of requirements, joined", "-r/etc/passwd"),
        ("a checkout", "-e ."),
        ("a checkout of the network's", "git+ssh://git@host/repo"),
        ("an address", "https://host/package.tar.gz"),
        ("a named address", "package @ https://host/package.whl"),
        ("a file's address", "package@file:///etc/passwd"),
        ("a path", "/etc/passwd"),
        ("a path here", "./package"),
        ("a path above", "../package"),
        ("a path at home", "~/package"),
        ("a command", "a; rm -rf /"),
        ("a command's output", "$(id)"),
        ("a command's output, older", "`id`"),
        ("a pipe", "a | sh"),
        ("a second entry", "requests\n--index-url=http://x"),
        ("a second line", "requests\r\n-r /etc/passwd"),
        ("an end of text", "requests\0"),
        ("a tab", "requests\t--pre"),
        ("a space that is none", "requests\u{a0}==1"),
        ("letters that look alike", "reque\u{455}ts"),
        ("nothing", ""),
        ("blanks", "   "),
        ("a comment", "requests # --index-url=http://x"),
        ("an option behind", "requests --hash=sha256:0"),
        ("a continued line", "requests\\"),
        ("a variable", "${HOME}"),
        ("a long one", &"a".repeat(300)),
    ];
    for language in [Language::Python, Language::JavaScript] {
        for (what, entry) in tried {
            let Err(DependencyError::Entry { entry: named, reason, accepted }) = parse(language, entry) else {
                panic!("{language}: {what} passed: {entry:?}")
            };
            assert!(!named.chars().any(|letter| letter == '\u{1b}') && named.chars().count() <= 65, "{what}");
            assert!(!reason.is_empty() && !accepted.is_empty(), "{what}");
        }
    }
}

#[test]
fn what_only_one_tool_understands_is_refused() {
    for entry in [
        "requests; python_version > '3'",
        "requests===1",
        "requests==1.*.2",
        "requests>=1.*",
        "requests 2",
        "requests=2",
        "[security]",
        "requests[security",
        "requests[a b]",
        "requests[]",
        "requests==",
        "requests>=1,",
        "(requests)",
        "requests (>=1)",
        "-requests",
        "requests-",
        "requests==*",
        "requests==1/../..",
    ] {
        assert!(parse(Language::Python, entry).is_err(), "{entry:?}");
    }
    for entry in [
        "npm:other@1",
        "a@npm:other@1",
        "user/repository",
        "a@user/repository",
        "a@file:x",
        "a@./x",
        "a@..",
        "a@",
        "@scope",
        "@/name",
        "@scope/",
        "@scope/a/b",
        "@../a",
        "node_modules",
        "@a/node_modules",
        ".bin",
        "_a",
        "a@1.0.0-x.tgz",
        "a@x.tar.gz",
        "a@1.2.3.4",
        "a@1 -- 2",
        "a@||",
        "a@github:x",
        "a@workspace",
        "a@workspace:*",
        "a@^",
        "A b",
    ] {
        if entry == "a@workspace" {
            // A word without a colon is a tag like any other.
            assert!(parse(Language::JavaScript, entry).is_ok());
            continue;
        }
        assert!(parse(Language::JavaScript, entry).is_err(), "{entry:?}");
    }
}

#[test]
fn accepted_forms_have_one_text() {
    for (entry, text) in [
        ("requests==2.28.0", "requests ==2.28.0"),
        ("Zope.Interface", "zope-interface "),
        ("uvicorn[standard, Foo] >= 0.30 , <1", "uvicorn[foo,standard] <1,>=0.30"),
        ("a!=1.*,~=1.4", "a !=1.*,~=1.4"),
        ("a==1!2.0+local.1", "a ==1!2.0+local.1"),
    ] {
        assert_eq!(canonical(Language::Python, entry), format!("python\n{text}\n"));
    }
    for (entry, text) in [
        ("left-pad", "left-pad *"),
        ("lodash@4.17.21", "lodash 4.17.21"),
        ("@types/node@^20", "@types/node ^20"),
        ("a@>=1  <3 || 5.x", "a >=1 <3 || 5.x"),
        ("a@1.0.0 - 2.0.0", "a 1.0.0 - 2.0.0"),
        ("express@latest", "express latest"),
        ("JSONStream@1.3.5-beta.1+build", "JSONStream 1.3.5-beta.1+build"),
    ] {
        assert_eq!(canonical(Language::JavaScript, entry), format!("javascript\n{text}\n"));
    }
}

#[test]
fn lists_are_sorted_bounded_and_without_repetition() {
    let list = |entries: &[&str]| {
        Dependencies::parse(
            Language::Python,
            &entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>(),
            false,
        )
    };
    assert_eq!(list(&["b", "a"]), list(&["a", "b"]));
    assert!(list(&[]).is_ok_and(|none| none.is_empty()));
    let error = list(&["requests", "Requests>1"]).expect_err("twice").to_string();
    assert!(error.contains("Requests>1") && error.contains("twice"), "{error}");
    let many = vec!["a".to_owned(); MAX_DEPENDENCIES + 1];
    assert_eq!(Dependencies::parse(Language::Python, &many, false), Err(DependencyError::TooMany { given: 101 }));
    assert!(Dependencies::parse(Language::Bash, &[], false).is_ok());
    for language in [Language::Bash, Language::Php] {
        assert_eq!(Dependencies::parse(language, &[], true), Err(DependencyError::Build { language }));
    }
    assert!(matches!(parse(Language::Bash, "jq"), Err(DependencyError::Language { .. })));
}

proptest! {
    #[test]
    fn whatever_passes_is_no_option_path_or_address(text in "[ -~]{0,40}", python in any::<bool>()) {
        let language = if python { Language::Python } else { Language::JavaScript };
        if let Ok(parsed) = parse(language, &text) {
            for entry in parsed.entries() {
                prop_assert!(!entry.name.starts_with(['-', '.', '/', '~']));
                prop_assert!(!entry.versions.starts_with(['-', '.', '/']));
                let whole = format!("{}{}", entry.name, entry.versions);
                prop_assert!(!whole.contains([':', ';', '\\', '$', '`', '\'', '"', '#', '&', '(']));
                prop_assert!(!entry.versions.contains('/') && !entry.name.contains(".."), "{whole}");
            }
        }
    }
}
