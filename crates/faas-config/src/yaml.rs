//! YAML as a tree whose scalars are texts: configuration files, and the files that describe functions.
//!
//! What a scalar means is its key's business, so `yes` is never a truth nor `1:30` a number. Anchors,
//! aliases and tags are refused, and with them files that grow when they are read.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use std::collections::HashSet;

/// No file of ours is deeper.
const DEPTH: usize = 8;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its line, counted from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, a number, a truth or nothing: what, its reader decides.
    Scalar {
        /// As it stands there, without its quotes.
        text: String,
        /// Whether it has no quotes.
        plain: bool,
    },
    /// Values in their order.
    List(Vec<Node>),
    /// Values by their names, each once, in their order.
    Mapping(Vec<(String, Node)>),
}

/// The names and values of a file.
///
/// # Errors
/// Says what is wrong with it and in which line.
pub fn read(text: &str) -> Result<Vec<(String, Node)>, String> {
    let mut events = Events(Parser::new_from_str(text));
    events.expect("a beginning", |event| matches!(event, Event::StreamStart))?;
    match events.next()?.0 {
        Event::StreamEnd => return Ok(Vec::new()),
        Event::DocumentStart(_) => {}
        _ => return Err("a document is expected".to_owned()),
    }
    let first = events.next()?;
    let mapping = match events.value(first, DEPTH)?.value {
        Value::Mapping(mapping) => mapping,
        // Nothing but comments behind a beginning.
        Value::Scalar { text, plain: true } if text == "~" || text.is_empty() => Vec::new(),
        Value::Scalar { .. } | Value::List(_) => return Err("the file is to hold names with values".to_owned()),
    };
    events.expect("its end", |event| matches!(event, Event::DocumentEnd))?;
    events.expect("one document only", |event| matches!(event, Event::StreamEnd))?;
    Ok(mapping)
}

/// A configuration file's tree, as the same file in TOML gives it, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<toml::Table, String> {
    Ok(table(read(text)?))
}

fn table(mapping: Vec<(String, Node)>) -> toml::Table {
    mapping.into_iter().map(|(name, node)| (name, in_toml(node))).collect()
}

fn in_toml(node: Node) -> toml::Value {
    match node.value {
        Value::Scalar { text, .. } => toml::Value::String(text),
        Value::List(items) => toml::Value::Array(items.into_iter().map(in_toml).collect()),
        Value::Mapping(mapping) => toml::Value::Table(table(mapping)),
    }
}

struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    /// The next event and its line.
    fn next(&mut self) -> Result<(Event<'a>, usize), String> {
        match self.0.next() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn expect(&mut self, what: &str, is_it: impl Fn(&Event<'a>) -> bool) -> Result<(), String> {
        let (event, line) = self.next()?;
        if is_it(&event) { Ok(()) } else { Err(format!("line {line}: expected {what}")) }
    }

    /// The value that begins with this event.
    fn value(&mut self, (first, line): (Event<'a>, usize), depth: usize) -> Result<Node, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("line {line}: it is deeper than {DEPTH} levels"))?;
        let value = match first {
            Event::Scalar(text, style, 0, None) => {
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Value::List(items),
                        first => items.push(self.value(first, depth)?),
                    }
                }
            }
            Event::MappingStart(0, None) => self.mapping(depth)?,
            _ => {
                return Err(format!("line {line}: anchors, aliases and tags are not read; write the value itself"));
            }
        };
        Ok(Node { line, value })
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, String> {
        let mut mapping: Vec<(String, Node)> = Vec::new();
        let mut names = HashSet::new();
        loop {
            let (name, line) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Mapping(mapping)),
                (Event::Scalar(name, _, 0, None), line) => (name.into_owned(), line),
                (_, line) => return Err(format!("line {line}: names are plain texts")),
            };
            let first = self.next()?;
            let node = self.value(first, depth)?;
            if !names.insert(name.clone()) {
                return Err(format!("line {line}: {name:?} stands there twice"));
            }
            mapping.push((name, Node { line, ..node }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, parse, read};

    #[test]
    fn a_file_is_the_tree_that_the_same_in_toml_is() {
        let yaml = "# a comment\nlisten: [':1', ':2']\nqueue:\n  waiting: 7  # seven\nlimits: {memory: 256Mi}\n";
        let toml = "listen = [':1', ':2']\nqueue.waiting = '7'\nlimits.memory = '256Mi'\n";
        assert_eq!(parse(yaml), Ok(toml.parse().expect("TOML")));
        assert_eq!(parse("list:\n  - a==1\n  - b\n"), Ok("list = ['a==1', 'b']".parse().expect("TOML")));
        for empty in ["", "# nothing\n", "---\n{}\n"] {
            assert_eq!(parse(empty), Ok(toml::Table::new()), "{empty:?}");
        }
    }

    #[test]
    fn what_is_not_plain_is_refused_with_the_reason() {
        let deep = format!("a: {}1{}", "[".repeat(40), "]".repeat(40));
        for (text, reason) in [
            ("a: &x 1\nb: *x", "anchors"),
            ("a: !!str 1", "anchors"),
            ("a: 1\na: 2", "twice"),
            ("- a", "names with values"),
            ("a: 1\n---\nb: 2", "one document"),
            ("[a]: 1", "plain texts"),
            (deep.as_str(), "deeper"),
            ("a: [1", "line"),
            ("a: 'b", "line"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn quotes_and_lines_are_remembered() {
        let mapping = read("a: 1\n\nb:\n  c: '1'\n").expect("YAML");
        let scalar = |text: &str, plain| Value::Scalar { text: text.to_owned(), plain };
        assert_eq!((mapping[0].1.line, &mapping[0].1.value), (1, &scalar("1", true)));
        let Value::Mapping(inner) = &mapping[1].1.value else { panic!("a mapping: {mapping:?}") };
        assert_eq!((mapping[1].1.line, inner[0].1.line, &inner[0].1.value), (3, 4, &scalar("1", false)));
        assert!(read("a: 1\nb: &x 2\n").expect_err("an anchor").starts_with("line 2: "));
    }
}
