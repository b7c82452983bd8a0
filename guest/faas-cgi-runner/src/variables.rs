//! The variables of a request (RFC 3875, 4): what CGI programs and PHP are told of it.
//!
//! The program answers every path: `SCRIPT_NAME` is empty and `PATH_INFO` the decoded path. Variables
//! beyond the RFC are those PHP's programs rely on (`REQUEST_URI`, `SCRIPT_FILENAME`, `DOCUMENT_ROOT`).
//!
//! A header becomes `HTTP_NAME` only if its name is letters, digits and dashes: with anything else two
//! headers could become one variable, and one could pass for the other. `Proxy` never becomes one,
//! because `HTTP_PROXY` is where many programs look for a proxy of their own.

use std::collections::BTreeMap;

/// What a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, such as `POST`.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// What follows the question mark, as it was sent.
    pub query: String,
    /// Names and values in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// How many bytes of body follow.
    pub body_bytes: u64,
}

/// Where the program lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its directory, which is the working directory.
    pub directory: String,
    /// Its path.
    pub path: String,
}

/// Names and values; every name once, no value with a NUL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables(BTreeMap<String, Vec<u8>>);

/// A request that CGI cannot carry: text ends at a NUL byte for a CGI program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request holds a NUL byte")]
pub struct NulByte;

impl Variables {
    /// Those of a request.
    ///
    /// # Errors
    /// A part of it, or the path once it is decoded, holds a NUL.
    pub fn of(request: &Request, script: &Script) -> Result<Self, NulByte> {
        let Request { method, path, query, headers, body_bytes } = request;
        let mut all = BTreeMap::new();
        for (name, value) in headers {
            let Some(name) = variable(name) else { continue };
            // Cookies have a separator of their own (RFC 9113, 8.2.3).
            let separator: &[u8] = if name == "HTTP_COOKIE" { b"; " } else { b", " };
            all.entry(name)
                .and_modify(|held: &mut Vec<u8>| *held = [held, separator, value].concat())
                .or_insert_with(|| value.clone());
        }
        let _ = all.remove("HTTP_CONTENT_LENGTH");
        if let Some(content_type) = all.remove("HTTP_CONTENT_TYPE") {
            all.insert("CONTENT_TYPE".to_owned(), content_type);
        }
        let (server, port) = server(all.get("HTTP_HOST").map_or(&[], Vec::as_slice));
        let uri = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let mut set = |name: &str, value: Vec<u8>| {
            all.insert(name.to_owned(), value);
        };
        for (name, value) in [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_SOFTWARE", "faas"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            // Nobody is told who asked; programs that insist on an address find this one.
            ("REMOTE_ADDR", "127.0.0.1"),
            // Without it php-cgi takes the request for one that went around its server.
            ("REDIRECT_STATUS", "200"),
            ("SCRIPT_NAME", ""),
            ("REQUEST_METHOD", method),
            ("QUERY_STRING", query),
            ("REQUEST_URI", &uri),
            ("SCRIPT_FILENAME", &script.path),
            ("DOCUMENT_ROOT", &script.directory),
            ("SERVER_NAME", &server),
            ("SERVER_PORT", &port),
        ] {
            set(name, value.as_bytes().to_vec());
        }
        set("PATH_INFO", decoded(path));
        if *body_bytes > 0 {
            set("CONTENT_LENGTH", body_bytes.to_string().into_bytes());
        }
        if all.values().any(|value| value.contains(&0)) {
            return Err(NulByte);
        }
        Ok(Self(all))
    }

    /// Each of them, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

/// `HTTP_X_NAME` for `x-name`.
fn variable(header: &str) -> Option<String> {
    let plain = !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain || header.eq_ignore_ascii_case("proxy") {
        return None;
    }
    Some(format!("HTTP_{}", header.to_ascii_uppercase().replace('-', "_")))
}

/// Name and port of `name:port`; a name that cannot be one is not repeated.
fn server(host: &[u8]) -> (String, String) {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(byte);
    let host = str::from_utf8(host).ok().filter(|host| !host.is_empty() && host.as_bytes().iter().all(plain));
    let host = host.unwrap_or("localhost");
    let port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, number)) if port(number) && !name.is_empty() => (name.to_owned(), number.to_owned()),
        _ => (host.to_owned(), "80".to_owned()),
    }
}

/// The path with `%41` as `A`. What is no such sequence stays as it is.
fn decoded(path: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.split_first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|(digits, after)| {
            let digits = str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = byte.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

#[cfg(test)]
mod tests;
