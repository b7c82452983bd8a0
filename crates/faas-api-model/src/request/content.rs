//! Bytes in a JSON body: text, a list of bytes, or base64.

use super::entries::MAX_ENTRIES;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::HashSet;
use std::fmt;

/// Bytes, such as a standard input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content(pub Vec<u8>);

/// A file to be passed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBody {
    /// Where, relative to the working directory.
    pub path: String,
    /// What.
    pub content: Vec<u8>,
    /// Whether it gets the execute permission.
    pub executable: bool,
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &STANDARD.encode(&self.0))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor { file: false }).map(|(bytes, _)| Self(bytes))
    }
}

/// Reads bytes, and of a file whether it is executable.
struct ContentVisitor {
    file: bool,
}

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = (Vec<u8>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list of bytes (0 to 255), or an object with base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((text.as_bytes().to_vec(), false))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok((text.into_bytes(), false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element::<u8>()? {
            bytes.push(byte);
        }
        Ok((bytes, false))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut content, mut executable) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "base64" if content.is_none() => {
                    let text = map.next_value::<String>()?;
                    content = Some(STANDARD.decode(&text).map_err(|error| {
                        A::Error::custom(format_args!(
                            "base64 is malformed ({error}); accepted: standard base64 with padding"
                        ))
                    })?);
                }
                "text" if content.is_none() => content = Some(map.next_value::<String>()?.into_bytes()),
                "executable" if self.file && executable.is_none() => executable = Some(map.next_value::<bool>()?),
                "base64" | "text" | "executable" => {
                    return Err(A::Error::custom("accepted: one of text and base64, each member once"));
                }
                _ => return Err(A::Error::custom("it has an unknown member; accepted: text or base64")),
            }
        }
        let content = content.ok_or_else(|| A::Error::custom("it has neither text nor base64"))?;
        Ok((content, executable.unwrap_or(false)))
    }
}

struct FileContent(Vec<u8>, bool);

impl<'de> Deserialize<'de> for FileContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor { file: true }).map(|(bytes, executable)| Self(bytes, executable))
    }
}

/// Files by their paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Files(pub(super) Vec<FileBody>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'de> Visitor<'de> for FilesVisitor {
    type Value = Files;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of paths and contents")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
        let mut files = Vec::new();
        let mut paths = HashSet::new();
        while let Some(path) = map.next_key::<String>()? {
            if files.len() == MAX_ENTRIES {
                return Err(A::Error::custom(format_args!("there are too many; accepted: at most {MAX_ENTRIES}")));
            }
            if !paths.insert(path.clone()) {
                return Err(A::Error::custom("a path is given twice; accepted: each path once"));
            }
            let FileContent(content, executable) = map.next_value()?;
            files.push(FileBody { path, content, executable });
        }
        Ok(Files(files))
    }
}

/// Files as they are sent.
pub(super) struct SentFiles<'a>(pub(super) &'a [FileBody]);

impl Serialize for SentFiles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|file| (&file.path, Sent(file))))
    }
}

/// A file's content as it is sent.
struct Sent<'a>(&'a FileBody);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        match str::from_utf8(&self.0.content) {
            Ok(text) => map.serialize_entry("text", text)?,
            Err(_) => map.serialize_entry("base64", &STANDARD.encode(&self.0.content))?,
        }
        map.serialize_entry("executable", &self.0.executable)?;
        map.end()
    }
}
