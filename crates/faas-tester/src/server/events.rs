//! Server-sent events, as far as the server writes them.

use super::{CallError, Connection};
use serde_json::Value;
use std::collections::VecDeque;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: Value,
}

/// The events of an answer whose head was read.
#[derive(Debug)]
pub struct EventStream {
    connection: Connection,
    pending: Pending,
}

impl EventStream {
    /// Reads on after the head.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { connection, pending: Pending::default() }
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// The connection ended before the stream did.
    pub async fn next(&mut self) -> Result<Option<Event>, CallError> {
        loop {
            if let Some(event) = self.pending.events.pop_front() {
                return Ok(Some(event));
            }
            match self.connection.piece().await? {
                Some(piece) => self.pending.push(&piece),
                None => return Ok(None),
            }
        }
    }
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    events: VecDeque<Event>,
}

impl Pending {
    fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        while let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
            let block = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
            self.bytes.drain(..end + 2);
            self.events.extend(parse(&block));
        }
    }
}

/// Reads one block; `None` for a comment, which keeps a connection alive.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
    };
    let data = field("data");
    (!data.is_empty()).then(|| Event { name: field("event"), data: serde_json::from_str(&data).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text =
            ": hello\n\nevent: output\nid: 2\ndata: {\"seq\":2}\n\nevent: complete\ndata: {\"seq\":3}\n\nevent: cut";
        for size in 1..text.len() {
            let mut pending = Pending::default();
            for piece in text.as_bytes().chunks(size) {
                pending.push(piece);
            }
            let found: Vec<_> = pending.events.iter().map(|event| (event.name.as_str(), &event.data["seq"])).collect();
            assert_eq!(found, [("output", &Value::from(2)), ("complete", &Value::from(3))], "in pieces of {size}");
        }
    }
}
