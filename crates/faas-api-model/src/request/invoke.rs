//! The body of `POST /functions/{id}/invoke`: a command, its variables, its standard input.

use super::content::Content;
use super::entries::{Texts, Variables};
use super::error::BodyError;
use super::object::{Object, Value, read};
use serde::de::MapAccess;

/// The body of `POST /functions/{id}/invoke`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InvokeBody {
    /// An image's name. Its form is checked; without a container executor nothing else happens to it.
    pub image: Option<String>,
    /// Program and arguments; not empty.
    pub command: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// Its standard input.
    pub payload: Vec<u8>,
}

impl InvokeBody {
    /// Reads a body.
    ///
    /// # Errors
    /// Names the field and what is accepted.
    pub fn from_json(body: &[u8]) -> Result<Self, BodyError> {
        let body: Self = read(body)?;
        if body.command.first().is_none_or(String::is_empty) {
            return Err(BodyError::field(
                "command",
                "it names no program; accepted: a list of a program and its arguments",
            ));
        }
        Ok(body)
    }
}

impl Object for InvokeBody {
    const FIELDS: &'static [&'static str] = &["image", "command", "env_vars", "payload"];
    const PREFIX: &'static str = "";

    fn read<'de, A: MapAccess<'de>>(&mut self, field: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match field {
            "image" => self.image = value.parse(|name: String| check_image(&name).map(|()| name))?,
            "command" => self.command = value.get::<Texts>()?.unwrap_or_default().0,
            "env_vars" => self.env = value.get::<Variables>()?.unwrap_or_default().0,
            _ => self.payload = value.get::<Content>()?.unwrap_or_default().0,
        }
        Ok(())
    }
}

/// `[host[:port]/]path[:tag][@digest]`, at most 255 characters.
fn check_image(name: &str) -> Result<(), &'static str> {
    const ACCEPTED: &str =
        "accepted: an image's name such as python:3.12-slim or registry.example/team/tool:1, at most 255 characters";
    let (rest, digest) = name.split_once('@').map_or((name, None), |(rest, digest)| (rest, Some(digest)));
    let digest_fits = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(kind, hex)| {
            kind == "sha256" && hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        Some(_) | None => (rest, None),
    };
    let tag_fits = tag.is_none_or(|tag| {
        (1..=128).contains(&tag.len())
            && !tag.starts_with(['.', '-'])
            && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    });
    let mut parts = path.split('/');
    let path_fits = parts.clone().count() > 0
        && parts.all(|part| {
            let (host, port) = part.split_once(':').unwrap_or((part, "0"));
            host.starts_with(|first: char| first.is_ascii_alphanumeric())
                && host.ends_with(|last: char| last.is_ascii_alphanumeric())
                && !host.contains("..")
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
                && !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
        });
    if name.len() <= 255 && path_fits && tag_fits && digest_fits { Ok(()) } else { Err(ACCEPTED) }
}
