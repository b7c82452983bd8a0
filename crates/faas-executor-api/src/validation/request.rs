//! What a handler may be asked: what fits one frame, and what every language can hold.

use super::{ENTRY_OVERHEAD, MAX_ARGUMENT_BYTES, MAX_ENTRIES, invalid};
use crate::{CallError, HandlerRequest};

/// The most bytes of a handler's name and of a method.
const MAX_WORD_BYTES: usize = 64;

/// Checks the name of a handler.
pub(super) fn check_entry(entry: &str) -> Result<(), CallError> {
    const ACCEPTED: &str = "the name of a function: letters, digits and underscores, no digit first";
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if entry.len() > MAX_WORD_BYTES
        || !entry.bytes().all(is_word)
        || !entry.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    {
        return Err(invalid("handler", format!("{:?} is not one", shown(entry)), ACCEPTED));
    }
    Ok(())
}

pub(super) fn check_request(request: &HandlerRequest) -> Result<(), CallError> {
    const ACCEPTED_METHOD: &str = "an HTTP method such as POST";
    const ACCEPTED_HEADERS: &str = "names of an HTTP token's characters, values without CR, LF and NUL";
    let HandlerRequest { entry: _, method, path, query, headers, body: _ } = request;
    if !(1..=MAX_WORD_BYTES).contains(&method.len()) || !method.bytes().all(is_token) {
        return Err(invalid("method", format!("{:?} is not one", shown(method)), ACCEPTED_METHOD));
    }
    if !path.starts_with('/') {
        return Err(invalid("path", format!("{:?} is not one", shown(path)), "a path that begins with a slash"));
    }
    if headers.len() > MAX_ENTRIES {
        return Err(invalid("headers", format!("there are {}", headers.len()), "at most 4096"));
    }
    for (name, value) in headers {
        if name.is_empty() || !name.bytes().all(is_token) || value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
        {
            return Err(invalid("headers", format!("{:?} is refused", shown(name)), ACCEPTED_HEADERS));
        }
    }
    let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 2 * ENTRY_OVERHEAD).sum();
    let total = path.len() + query.len() + header_bytes;
    if total > MAX_ARGUMENT_BYTES {
        let reason = format!("path, query and headers together have {total} bytes, 8 more for each header included");
        return Err(invalid("headers", reason, "at most 98304 bytes"));
    }
    Ok(())
}

/// A character of a token (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The beginning of it: it may be long.
fn shown(text: &str) -> String {
    text.chars().take(MAX_WORD_BYTES).collect()
}
