//! Names of npm packages with ranges of versions or a tag, without npm's paths, aliases and addresses.

use super::Entry;

pub(super) const ACCEPTED: &str =
    "a name with versions or a tag, such as left-pad, lodash@4.17.21, @types/node@^20 or express@latest";

/// The most bytes of a name.
const MAX_NAME_BYTES: usize = 214;

pub(super) fn parse(text: &str) -> Result<Entry, String> {
    // A scope begins with the sign that separates a name from its versions.
    let from = usize::from(text.starts_with('@'));
    let (name, versions) = match text.get(from..).and_then(|rest| rest.find('@')) {
        Some(at) => (text.get(..from + at).unwrap_or_default(), text.get(from + at + 1..).unwrap_or_default()),
        None => (text, "*"),
    };
    if !is_name(name) {
        return Err("a name has letters, digits, '.', '-', '_' and '~', begins with a letter or digit, and may have a scope such as @types/ before it; spell it as the registry does".to_owned());
    }
    let versions = versions.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !is_range(&versions) && !is_tag(&versions) {
        return Err(format!(
            "{versions:?} is neither a range of versions nor a tag; write one such as ^1.2.3, >=1 <3 or latest"
        ));
    }
    Ok(Entry { key: name.to_owned(), name: name.to_owned(), versions })
}

/// Whether this is the whole name of a package, and so a path of one or two harmless parts.
pub(crate) fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~'))
            && part != "node_modules"
            && !part.contains("..")
    };
    let harmless = match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    harmless && name.len() <= MAX_NAME_BYTES
}

/// A tag never looks like a version or a file.
fn is_tag(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_range(text: &str) -> bool {
    text.split("||").all(|alternative| {
        let words: Vec<&str> = alternative.split(' ').filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => false,
            [low, "-", high] => is_version(low) && is_version(high),
            words => words.iter().all(|word| is_version(word.trim_start_matches(['^', '~', '<', '>', '=']))),
        }
    })
}

/// A version, or the beginning of one.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let is_number = |number: &str| {
        matches!(number, "x" | "X" | "*") || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let suffix = text.get(numbers.len()..).unwrap_or_default();
    numbers.split('.').count() <= 3
        && numbers.split('.').all(is_number)
        && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'))
        // npm takes a word that ends so for a file.
        && ![".tgz", ".tar", ".gz"].iter().any(|ending| suffix.to_ascii_lowercase().ends_with(ending))
}
