//! Answers as people and programs want them: tables and JSON lines.
//!
//! Invariant: nothing a terminal obeys gets into either, whatever a program or a server said.

use crate::diagnostic::CliError;
use crate::terminal::{is_control, one_line};
use serde::Serialize;
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
    let text = serde_json::to_string(value)
        .map_err(|error| CliError::invalid(format!("the answer cannot be written as JSON: {error}")))?;
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        // Outside of texts JSON has none of these.
        if character == '\u{7f}' || is_control(character) {
            write!(line, "\\u{:04x}", u32::from(character))
                .map_err(|error| CliError::invalid(format!("the answer cannot be written as JSON: {error}")))?;
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    Ok(line)
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
