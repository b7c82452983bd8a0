//! What a client may say on a WebSocket after the request: text frames. Binary frames are bytes for
//! the program's standard input.

use super::error::BodyError;
use super::object::{Object, Value, read};
use super::scalar::Number;
use serde::de::MapAccess;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// A text frame from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFrame {
    /// The end of standard input.
    Eof,
    /// A signal for the program.
    Signal(u8),
    /// Cancel the execution.
    Cancel,
}

impl ClientFrame {
    /// Reads a text frame.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn from_json(text: &[u8]) -> Result<Self, BodyError> {
        let Frame { kind, signal } = read(text)?;
        match (kind.as_deref(), signal) {
            (Some("eof"), None) => Ok(Self::Eof),
            (Some("cancel"), None) => Ok(Self::Cancel),
            (Some("signal"), Some(signal)) => Ok(Self::Signal(signal)),
            (Some("signal"), None) => Err(BodyError::field("signal", "it is missing; accepted: 1 to 64")),
            (Some("eof" | "cancel"), Some(_)) => {
                Err(BodyError::field("signal", "it is given; accepted: only where type is signal"))
            }
            (Some(_) | None, _) => Err(BodyError::field("type", "it is not known; accepted: eof, signal, cancel")),
        }
    }
}

impl Serialize for ClientFrame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Eof => map.serialize_entry("type", "eof")?,
            Self::Cancel => map.serialize_entry("type", "cancel")?,
            Self::Signal(signal) => {
                map.serialize_entry("type", "signal")?;
                map.serialize_entry("signal", signal)?;
            }
        }
        map.end()
    }
}

#[derive(Default)]
struct Frame {
    kind: Option<String>,
    signal: Option<u8>,
}

impl Object for Frame {
    const FIELDS: &'static [&'static str] = &["type", "signal"];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match field {
            "type" => self.kind = value.get()?,
            _ => {
                self.signal = value.parse(|Number(text)| {
                    text.parse::<u8>().ok().filter(|signal| (1..=64).contains(signal)).ok_or("accepted: 1 to 64")
                })?;
            }
        }
        Ok(())
    }
}
