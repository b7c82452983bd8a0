//! Answers as people and programs want them: tables and JSON lines.
//!
//! Invariant: nothing a terminal obeys gets into either, whatever a program or a server said.

use crate::diagnostic::CliError;
use crate::terminal::{is_control, one_line};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;

/// Rows under headings, each cell on one line.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|cell| one_line(cell)).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "{cell:<0$}  ", *width)?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// One JSON document on a line of its own. What a terminal obeys is written as `\u` escapes, which
/// mean the same.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, CliError> {
    Ok(escaped(&serde_json::to_string(value).map_err(no_json)?))
}

/// A result: a text as it is, everything else as JSON, indented for people.
pub(crate) fn result_text(result: &Value, for_people: bool) -> Result<Vec<u8>, CliError> {
    match result {
        Value::String(text) => {
            // A prompt behind it stands on a line of its own.
            let end = if text.is_empty() || text.ends_with('\n') || !for_people { "" } else { "\n" };
            Ok(format!("{text}{end}").into_bytes())
        }
        value if for_people => Ok(escaped(&serde_json::to_string_pretty(value).map_err(no_json)?).into_bytes()),
        value => Ok(json_line(value)?.into_bytes()),
    }
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        // Outside of texts JSON has none of these.
        if character == '\u{7f}' || is_control(character) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text.push('\n');
    text
}

fn no_json(error: serde_json::Error) -> CliError {
    CliError::invalid(format!("the answer cannot be written as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Table, json_line};
    use crate::terminal::is_control;
    use proptest::prelude::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["ID", "STATUS"]);
        table.row(&["exe_1", "failed"]);
        table.row(&["ü\nx", ""]);
        assert_eq!(table.to_string(), "ID     STATUS\nexe_1  failed\nü^Jx\n");
    }

    proptest! {
        #[test]
        fn nothing_a_terminal_obeys_gets_into_a_table_or_a_line(text in "\\PC{0,20}|.{0,20}|[\\x00-\\x20\\x7f-\\u{9f}\\u{2028}-\\u{202e}]{0,20}") {
            let mut table = Table::new(&["A"]);
            table.row(&[&text]);
            let table = table.to_string();
            prop_assert_eq!(table.lines().count(), 2);
            let line = json_line(&text).expect("JSON");
            prop_assert_eq!(&serde_json::from_str::<String>(&line).expect("JSON"), &text);
            for shown in [table, line] {
                prop_assert!(!shown.chars().any(|character|
                    (character.is_control() && character != '\n') || is_control(character)), "{:?}", shown);
            }
        }
    }
}
