//! `tests/seeds/STATUS` and `PRINTED`, as data.

use super::server::root;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What becomes of a printed item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Works,
    /// The code of its refusal.
    Refused(String),
    /// The issue it belongs to, where there is one.
    Later(Option<u32>),
    /// The heading of `DEVIATIONS.md`.
    Deviates(String),
}

/// A line of `STATUS`.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) seed: String,
    /// Its line numbers as written.
    pub(crate) lines: String,
    pub(crate) excerpt: String,
    pub(crate) kind: String,
    pub(crate) state: State,
}

/// The kinds there are.
pub(crate) const KINDS: [&str; 9] =
    ["command", "request", "route", "body", "answer", "program", "config", "variable", "sql"];

/// The directory of the items.
pub(crate) fn directory() -> PathBuf {
    root().join("tests/seeds")
}

/// Every item.
pub(crate) fn all() -> Result<Vec<Item>> {
    let text = fs::read_to_string(directory().join("STATUS"))?;
    content(&text).map(|line| item(line).with_context(|| format!("STATUS: {line}"))).collect()
}

/// The ranges of printed lines, by seed.
pub(crate) fn printed() -> Result<Vec<(String, RangeInclusive<u32>)>> {
    let text = fs::read_to_string(directory().join("PRINTED"))?;
    let mut ranges = Vec::new();
    for line in content(&text) {
        let (seed, rest) = line.split_once(' ').with_context(|| format!("PRINTED: {line}"))?;
        for word in rest.split(' ') {
            ranges.push((seed.to_owned(), range(word).with_context(|| format!("PRINTED: {word}"))?));
        }
    }
    Ok(ranges)
}

/// The text of an item as printed.
pub(crate) fn text(seed: &str, lines: &str, extension: &str) -> Result<String> {
    let path = directory().join("printed").join(format!("{seed}-{lines}.{extension}"));
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// `54-57`, or `57` alone.
pub(crate) fn range(text: &str) -> Result<RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = first.parse()?..=last.parse()?;
    ensure!(!range.is_empty(), "{text} is no range of lines");
    Ok(range)
}

fn content(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn item(line: &str) -> Result<Item> {
    let parts: Vec<&str> = line.split(" | ").collect();
    let [seed, place, kind, state] = parts[..] else { bail!("expected: seed | lines excerpt | kind | state") };
    let (lines, excerpt) = place.split_once(' ').context("no excerpt after the lines")?;
    range(lines)?;
    ensure!(KINDS.contains(&kind), "{kind} is none of {KINDS:?}");
    Ok(Item {
        seed: seed.to_owned(),
        lines: lines.to_owned(),
        excerpt: excerpt.to_owned(),
        kind: kind.to_owned(),
        state: self::state(state)?,
    })
}

fn state(text: &str) -> Result<State> {
    if text == "works" {
        return Ok(State::Works);
    }
    let (word, rest) = text.split_once(": ").context("no state")?;
    match (word, rest) {
        ("refused", rest) => {
            let (code, until) = rest.split_once(" (until ").context("no (until …)")?;
            ensure!(until.ends_with(')'), "no (until …)");
            Ok(State::Refused(code.to_owned()))
        }
        ("later", "no issue yet") => Ok(State::Later(None)),
        ("later", rest) => Ok(State::Later(Some(rest.strip_prefix("issue ").context("no issue")?.parse()?))),
        ("deviates", heading) => Ok(State::Deviates(heading.to_owned())),
        _ => bail!("{text} is no state"),
    }
}
