//! Rules about one source file: where unsafe may stand, how long it may be, what `lib.rs` may hold.

use super::source::{code_only, words};

/// The longest production part a file may have.
const LONGEST: usize = 600;

/// Where unsafe code may stand: the mechanisms, and the small programs that run before and inside.
const UNSAFE_HOMES: [&str; 2] = ["crates/faas-sandbox-linux/", "guest/"];

/// Every rule the file breaks. `path` is relative to the root, with forward slashes.
pub(super) fn refusals(path: &str, text: &str) -> Vec<String> {
    let code = code_only(text);
    let mut broken = Vec::new();
    if !UNSAFE_HOMES.iter().any(|home| path.starts_with(home)) {
        broken.extend(unsafe_lines(&code).into_iter().map(|(line, what)| {
            format!("{path}:{line}: {what} outside faas-sandbox-linux and guest/; move it behind a safe function there")
        }));
    }
    if is_production(path) {
        let production = production_part(&code);
        let lines = production.lines().count();
        if lines > LONGEST {
            broken.push(format!("{path}: {lines} lines before its tests, at most {LONGEST}; split it by idea"));
        }
        if is_index(path) {
            broken.extend(bodies(production).into_iter().map(|line| {
                format!("{path}:{line}: a function body; lib.rs and mod.rs only document and export, move it to a module of its own")
            }));
        }
    }
    broken
}

fn is_production(path: &str) -> bool {
    let in_folder = |folder: &str| path.starts_with(&format!("{folder}/")) || path.contains(&format!("/{folder}/"));
    !["tests", "benches", "fuzz", "examples"].into_iter().any(in_folder) && file_name(path) != "tests.rs"
}

fn is_index(path: &str) -> bool {
    matches!(file_name(path), "lib.rs" | "mod.rs")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The code before the module of tests.
fn production_part(code: &str) -> &str {
    let tests = code.match_indices("#[cfg(test)]").find(|(at, marker)| {
        let after = &code[at + marker.len()..];
        let module = words(after).next().is_some_and(|word| word.text == "mod");
        // `mod tests;` names a sibling file: what follows it is production code still.
        module && after.find('{').is_some_and(|brace| after.find(';').is_none_or(|semicolon| brace < semicolon))
    });
    tests.map_or(code, |(at, _)| &code[..at])
}

fn unsafe_lines(code: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut before = "";
    for word in words(code) {
        match word.text {
            "unsafe" => found.push((word.line, "unsafe code")),
            "unsafe_code" if matches!(before, "allow" | "expect" | "warn") => {
                found.push((word.line, "unsafe code allowed"))
            }
            _ => {}
        }
        before = word.text;
    }
    found
}

/// Lines of `fn` items that have a body.
fn bodies(code: &str) -> Vec<usize> {
    words(code)
        .filter(|word| word.text == "fn")
        // A function pointer type has no name: `fn(u8) -> u8`.
        .filter(|word| !word.rest.trim_start().starts_with('('))
        .filter(|word| has_body(word.rest))
        .map(|word| word.line)
        .collect()
}

/// Whether a brace comes before the semicolon that would end a declaration. Semicolons within
/// brackets belong to array types.
fn has_body(signature: &str) -> bool {
    let mut depth = 0_usize;
    for character in signature.chars() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return true,
            ';' if depth == 0 => return false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::refusals;

    const PLAIN: &str = "crates/faas-types/src/id.rs";

    #[test]
    fn unsafe_is_refused_outside_its_homes() {
        for source in [
            "fn f() { unsafe { g() } }",
            "unsafe impl Send for X {}",
            "#![allow(unsafe_code)]",
            "#[expect(unsafe_code)]",
        ] {
            assert_eq!(refusals(PLAIN, source).len(), 1, "{source}");
            assert_eq!(refusals("xtask/src/main.rs", source).len(), 1, "{source}");
            assert_eq!(refusals("crates/faas-types/tests/x.rs", source).len(), 1, "{source}");
            assert!(refusals("crates/faas-sandbox-linux/src/clone.rs", source).is_empty(), "{source}");
            assert!(refusals("guest/faas-launcher/src/main.rs", source).is_empty(), "{source}");
        }
    }

    #[test]
    fn the_word_in_text_and_denials_are_no_use_of_it() {
        for source in
            ["// unsafe", "const A: &str = \"unsafe { }\";", "#![deny(unsafe_code)]", "#![forbid(unsafe_code)]"]
        {
            assert!(refusals(PLAIN, source).is_empty(), "{source}");
        }
        assert!(refusals("crates/faas-sandbox-linux-more/src/a.rs", "unsafe fn f() {}").len() == 1);
    }

    #[test]
    fn length_counts_lines_before_the_module_of_tests() {
        let production = |lines: usize| "const A: u8 = 0;\n".repeat(lines);
        assert!(refusals(PLAIN, &production(600)).is_empty());
        assert_eq!(refusals(PLAIN, &production(601)).len(), 1);
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", production(600), production(600));
        assert!(refusals(PLAIN, &tests).is_empty());
        let early = format!("#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse a::b;\n{}", production(600));
        assert_eq!(refusals(PLAIN, &early).len(), 1, "a sibling of tests does not end the production part");
        for path in ["crates/a/tests/big.rs", "crates/a/src/b/tests.rs", "crates/a/benches/b.rs", "tests/a.rs"] {
            assert!(refusals(path, &production(601)).is_empty(), "{path}");
        }
    }

    #[test]
    fn lib_and_mod_hold_no_function_bodies() {
        for source in [
            "pub fn f() -> u8 { 0 }",
            "fn f(a: [u8; 4]) -> [u8; 2] {}",
            "impl A {\n    fn f(&self) {}\n}",
            "fn f<T>()\nwhere\n    T: A,\n{\n}",
        ] {
            assert_eq!(refusals("crates/a/src/lib.rs", source).len(), 1, "{source}");
            assert_eq!(refusals("crates/a/src/b/mod.rs", source).len(), 1, "{source}");
            assert!(refusals("crates/a/src/b.rs", source).is_empty(), "{source}");
            assert!(refusals("crates/a/tests/common/mod.rs", source).is_empty(), "{source}");
        }
        for source in [
            "mod a;\npub use a::B;",
            "pub trait A {\n    fn f(&self) -> u8;\n}",
            "pub type F = fn(u8) -> u8;\nmod a {}",
            "//! fn f() {}",
        ] {
            assert!(refusals("crates/a/src/lib.rs", source).is_empty(), "{source}");
        }
        assert!(refusals("crates/a/src/lib.rs", "mod a;\n#[cfg(test)]\nmod tests {\n    fn f() {}\n}").is_empty());
    }
}
