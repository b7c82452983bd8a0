//! A configuration file in YAML, as the tree that the same file in TOML gives.
//!
//! Every scalar is a text: what it means is its key's business, so `yes` is never a truth nor `1:30` a
//! number. Anchors, aliases and tags are refused, and with them files that grow when they are read.

use saphyr_parser::{Event, Parser, StrInput};
use toml::{Table, Value};

/// No configuration is deeper.
const DEPTH: usize = 8;

/// The file's tree, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Table, String> {
    let mut events = Events(Parser::new_from_str(text));
    events.expect("a beginning", |event| matches!(event, Event::StreamStart))?;
    match events.next()? {
        Event::StreamEnd => return Ok(Table::new()),
        Event::DocumentStart(_) => {}
        _ => return Err("a document is expected".to_owned()),
    }
    let first = events.next()?;
    let Value::Table(table) = events.value(first, DEPTH)? else {
        return Err("the file is to hold names with values".to_owned());
    };
    events.expect("its end", |event| matches!(event, Event::DocumentEnd))?;
    events.expect("one document only", |event| matches!(event, Event::StreamEnd))?;
    Ok(table)
}

struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.0.next() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(error)) => Err(error.to_string()),
            None => Err("it ends too early".to_owned()),
        }
    }

    fn expect(&mut self, what: &str, is_it: impl Fn(&Event<'a>) -> bool) -> Result<(), String> {
        if is_it(&self.next()?) { Ok(()) } else { Err(format!("expected {what}")) }
    }

    /// The value that begins with this event.
    fn value(&mut self, first: Event<'a>, depth: usize) -> Result<Value, String> {
        let depth = depth.checked_sub(1).ok_or_else(|| format!("it is deeper than {DEPTH} levels"))?;
        match first {
            Event::Scalar(text, _, 0, None) => Ok(Value::String(text.into_owned())),
            Event::SequenceStart(0, None) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => return Ok(Value::Array(items)),
                        first => items.push(self.value(first, depth)?),
                    }
                }
            }
            Event::MappingStart(0, None) => {
                let mut table = Table::new();
                loop {
                    let name = match self.next()? {
                        Event::MappingEnd => return Ok(Value::Table(table)),
                        Event::Scalar(name, _, 0, None) => name.into_owned(),
                        _ => return Err("names are plain texts".to_owned()),
                    };
                    let first = self.next()?;
                    let value = self.value(first, depth)?;
                    if table.insert(name.clone(), value).is_some() {
                        return Err(format!("{name:?} stands there twice"));
                    }
                }
            }
            _ => Err("anchors, aliases and tags are not read; write the value itself".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

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
}
