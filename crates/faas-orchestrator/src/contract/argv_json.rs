//! The argv-json contract: the last complete JSON document on stdout is the result.
//!
//! The rule:
//! - A document begins in the first column of a line and ends at the end of a line. It may span
//!   lines. Several documents may share a line when only blanks stand between them.
//! - Everything else on stdout is ignored: log lines before, between and after the documents.
//!   `{"a":1} trailing` is such a line and `NaN` is no JSON.
//! - The last document counts. A program can thus print as many as it likes; nothing it prints
//!   forges anything, for it is its own result.
//! - Nesting up to [`MAX_RESULT_DEPTH`] levels: the result is read again inside of its record, and by
//!   clients inside of what they make of it.
//! - Of more than [`MAX_RESULT_BYTES`] only the end is looked at, and then only a document that is
//!   the very last thing on stdout counts: an inner part of a cut one must not be taken for it.

use serde::de::IgnoredAny;
use serde_json::Value;

/// How much of the end of stdout is looked at, in bytes.
pub const MAX_RESULT_BYTES: usize = 1024 * 1024;

/// How many levels of objects and arrays a result may have.
pub const MAX_RESULT_DEPTH: usize = 64;

/// How often the text may be read over while documents are looked for. Unclosed brackets at line
/// starts make a reader come back; a hostile program must not buy host time with them.
const MAX_PASSES: usize = 8;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArgvJsonError {
    /// No line begins a document.
    #[error("the program printed no JSON document on stdout; print one, alone on its line or lines")]
    NoDocument,
    /// Output was cut and does not end in a document.
    #[error("the last JSON document is not whole in the last 1Mi of stdout; print a smaller one, as the last thing")]
    Cut,
    /// A string or a number in it cannot be read, or it is nested too deeply.
    #[error(
        "the last JSON document on stdout cannot be read: a string is not Unicode text (a lone surrogate?), a number is out of range or it has above {MAX_RESULT_DEPTH} levels"
    )]
    Invalid,
    /// Looking for documents takes too long.
    #[error("stdout is full of JSON that begins and never ends; print one document, alone on its line or lines")]
    Unreadable,
}

/// The last complete document in `tail`, the end of a program's stdout; `cut` says that something
/// came before it.
///
/// # Errors
/// There is none.
pub fn argv_json(tail: &[u8], cut: bool) -> Result<Value, ArgvJsonError> {
    let text = if cut { after_line_end(tail) } else { tail };
    let (document, at_the_end) =
        last_document(text)?.ok_or(if cut { ArgvJsonError::Cut } else { ArgvJsonError::NoDocument })?;
    if cut && !at_the_end {
        return Err(ArgvJsonError::Cut);
    }
    // Finding a document does not read its strings and numbers; reading them can still fail.
    let result = serde_json::from_slice(document).map_err(|_| ArgvJsonError::Invalid)?;
    if is_deeper_than(&result, MAX_RESULT_DEPTH) { Err(ArgvJsonError::Invalid) } else { Ok(result) }
}

/// Goes no deeper than `levels`, and reading the value went not much deeper.
pub(super) fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let inner = |value: &Value| is_deeper_than(value, levels.saturating_sub(1));
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(inner),
        Value::Object(fields) => levels == 0 || fields.values().any(inner),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The message of a result that reports failure: `{"error": x}` with `x` neither absent nor null.
#[must_use]
pub fn error_message(result: &Value) -> Option<String> {
    match result.get("error")? {
        Value::Null => None,
        Value::String(message) => Some(message.clone()),
        other => Some(other.to_string()),
    }
}

/// The last document and whether only blanks follow it.
fn last_document(text: &[u8]) -> Result<Option<(&[u8], bool)>, ArgvJsonError> {
    let mut budget = text.len().saturating_mul(MAX_PASSES);
    let mut rest = text;
    let mut last = None;
    while !rest.is_empty() {
        let line = read_line_of_documents(rest);
        budget = budget.checked_sub(line.cost).ok_or(ArgvJsonError::Unreadable)?;
        match line.last {
            Some(document) => {
                rest = &rest[line.consumed..];
                last = Some((document, rest.iter().all(u8::is_ascii_whitespace)));
            }
            None => rest = after_line_end(rest),
        }
    }
    Ok(last)
}

/// What stands at the start of a line.
struct Line<'a> {
    /// The last document, when the line holds documents and nothing else.
    last: Option<&'a [u8]>,
    /// Bytes up to the end of that line; only meaningful with a document.
    consumed: usize,
    /// Bytes read to find out.
    cost: usize,
}

fn read_line_of_documents(text: &[u8]) -> Line<'_> {
    let none = |cost| Line { last: None, consumed: 0, cost };
    if !may_begin_document(text[0]) {
        return none(0);
    }
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    let mut begin = 0;
    loop {
        let document = match documents.next() {
            Some(Ok(IgnoredAny)) => &text[begin..documents.byte_offset()],
            Some(Err(error)) => return none(position(text, &error)),
            None => return none(documents.byte_offset()),
        };
        let end = documents.byte_offset();
        let blanks = text[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        match text.get(end + blanks) {
            None => return Line { last: Some(document), consumed: text.len(), cost: text.len() },
            Some(b'\n') => {
                let consumed = end + blanks + 1;
                return Line { last: Some(document), consumed, cost: consumed };
            }
            Some(_) => begin = end + blanks,
        }
    }
}

/// Saves the parser the log lines.
const fn may_begin_document(first: u8) -> bool {
    matches!(first, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

/// How far the parser came before it failed.
fn position(text: &[u8], error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.len();
    }
    let lines_before = error.line().saturating_sub(1);
    let line_start: usize = text.split_inclusive(|byte| *byte == b'\n').take(lines_before).map(<[u8]>::len).sum();
    line_start.saturating_add(error.column()).min(text.len())
}

fn after_line_end(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| *byte == b'\n').map_or(&[], |end| &text[end + 1..])
}
