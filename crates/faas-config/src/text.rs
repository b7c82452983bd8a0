//! A configuration as a file that gives the same configuration again.

use crate::{Entry, EntryValue, Origin};

/// The entries as TOML, each with where it came from in a comment.
///
/// Read back as a file it gives the same values; what nobody chose is a comment.
#[must_use]
pub fn to_toml(entries: &[Entry]) -> String {
    let mut out = String::new();
    let mut section = "";
    // Keys outside any section have to stand before the first.
    let (top, sectioned): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| !entry.key.info().name.contains('.'));
    for entry in top.into_iter().chain(sectioned) {
        let (of, name) = entry.key.info().name.split_once('.').unwrap_or(("", entry.key.info().name));
        if of != section {
            section = of;
            out.push_str(&format!("\n[{section}]\n"));
        }
        line(&mut out, name, entry);
    }
    out
}

fn line(out: &mut String, name: &str, entry: &Entry) {
    let (value, default) = (literal(&entry.value), entry.key.info().default);
    match (&entry.value, &entry.origin) {
        (EntryValue::Unset, _) => out.push_str(&format!("# {name} is not set: {default}\n")),
        // What depends on something else says so.
        (EntryValue::Text(text), Origin::Default) if text != default && default.starts_with(text.as_str()) => {
            out.push_str(&format!("# {name} = {value}  # default: {default}\n"));
        }
        (_, origin) => out.push_str(&format!("{name} = {value}  # {}\n", visible(&origin.to_string()))),
    }
}

fn literal(value: &EntryValue) -> String {
    match value {
        EntryValue::Unset => String::new(),
        EntryValue::Text(text) => quoted(text),
        EntryValue::Number(number) => number.to_string(),
        EntryValue::Truth(value) => value.to_string(),
        EntryValue::List(parts) => {
            format!("[{}]", parts.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => escape(&mut out, control),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A comment ends with its line, so a path with a newline in it must not go on as a key.
fn visible(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_control() { escape(&mut out, character) } else { out.push(character) }
    }
    out
}

fn escape(out: &mut String, character: char) {
    out.push_str(&format!("\\u{:04X}", u32::from(character)));
}
