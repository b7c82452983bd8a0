//! What a handler is asked: the HTTP request somebody sent, or one that carries the input of a call.

use super::PIECE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use faas_executor_api::HandlerRequest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An HTTP request, as a handler is asked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCall {
    /// The method, such as `POST`.
    pub method: String,
    /// The path, beginning with a slash.
    pub path: String,
    /// What follows the question mark, as it was sent.
    pub query: String,
    /// Names and values in order.
    #[serde(serialize_with = "store_headers", deserialize_with = "read_headers")]
    pub headers: Vec<(String, Bytes)>,
    /// The whole body.
    #[serde(serialize_with = "store", deserialize_with = "read")]
    pub body: Bytes,
}

impl HttpCall {
    /// A request with this input, as JSON, or without a body.
    pub(super) fn with_input(input: Option<Value>) -> Self {
        let body = input.map(|input| Bytes::from(input.to_string()));
        let json = || ("content-type".to_owned(), Bytes::from_static(b"application/json"));
        Self {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: body.iter().map(|_| json()).collect(),
            body: body.unwrap_or_default(),
        }
    }

    pub(super) fn into_request(self, entry: String) -> HandlerRequest {
        let Self { method, path, query, headers, body } = self;
        HandlerRequest { entry, method, path, query, headers, body }
    }

    /// What it takes in memory, nearly.
    pub(super) fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| PIECE + name.len() + value.len()).sum();
        PIECE + self.method.len() + self.path.len() + self.query.len() + headers + self.body.len()
    }
}

fn store<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
}

fn store_headers<S: Serializer>(headers: &[(String, Bytes)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|(name, value)| (name, STANDARD.encode(value))))
}

fn read_headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Bytes)>, D::Error> {
    let read = |(name, value): (String, String)| {
        STANDARD.decode(value).map(|value| (name, Bytes::from(value))).map_err(serde::de::Error::custom)
    };
    Vec::<(String, String)>::deserialize(deserializer)?.into_iter().map(read).collect()
}
