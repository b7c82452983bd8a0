//! The header of a CGI answer (RFC 3875, 6): lines of `Name: value` up to an empty line.
//!
//! Pure. A program may end lines with LF or CR LF and may say them in any pieces. `Status` gives the
//! status, `Location` alone is a redirect the client follows (302, also where the RFC has the server
//! follow it), everything else is a header of the response as it stands.

use faas_protocol::wire::MAX_ENTRIES;

/// The most bytes of a header with its line ends. One frame holds it.
pub const MAX_HEADER_BYTES: usize = 96 << 10;
/// How much of a line a message shows.
const SHOWN: usize = 60;

/// The head of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code, 200 to 599.
    pub status: u16,
    /// Names and values in order, without `Status`.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What is wrong with an answer's header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The program ended inside it.
    #[error(
        "the program ended before the empty line that ends the answer's header; print a header such as Content-Type: text/plain, an empty line, and the body"
    )]
    Unfinished,
    /// An empty line came first.
    #[error(
        "the answer begins with an empty line; print at least one header such as Content-Type: text/plain before it"
    )]
    Empty,
    /// A line is no field.
    #[error(
        "line {line} of the answer's header is {shown:?}; accepted: Name: value, and an empty line before the body"
    )]
    Line {
        /// Which, from 1.
        line: usize,
        /// The beginning of it.
        shown: String,
    },
    /// A value holds a control character.
    #[error(
        "the header {name} of the answer holds a control character; accepted: text without NUL, CR and other controls"
    )]
    Value {
        /// Whose.
        name: String,
    },
    /// The status is none.
    #[error(
        "the header Status of the answer is {shown:?}; accepted once: a number from 200 to 599, and words after it"
    )]
    Status {
        /// The beginning of it.
        shown: String,
    },
    /// There is too much of it.
    #[error("the answer's header is above {MAX_HEADER_BYTES} bytes; send less, or end it with an empty line")]
    TooLong,
    /// There are too many of them.
    #[error("the answer has more than {MAX_ENTRIES} headers; send fewer")]
    TooMany,
}

/// A header while it arrives.
#[derive(Debug, Default)]
pub struct Header {
    /// The line that is not whole yet.
    line: Vec<u8>,
    lines: usize,
    bytes: usize,
    status: Option<u16>,
    location: bool,
    headers: Vec<(String, Vec<u8>)>,
}

impl Header {
    /// Takes what came next. When the header is whole it gives the head and how many of these bytes
    /// belonged to the header; the rest is body. Nothing may be pushed after that or after an error.
    ///
    /// # Errors
    /// What is wrong, as soon as it shows.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<(Head, usize)>, HeaderError> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(rest.len(), |end| end + 1);
            self.bytes = self.bytes.saturating_add(length);
            if self.bytes > MAX_HEADER_BYTES {
                return Err(HeaderError::TooLong);
            }
            self.line.extend_from_slice(rest.get(..length).unwrap_or_default());
            taken += length;
            if end.is_some() && self.line_is_whole()? {
                return Ok(Some((self.finish(), taken)));
            }
        }
        Ok(None)
    }

    /// Whether this line was the end of the header.
    fn line_is_whole(&mut self) -> Result<bool, HeaderError> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.lines += 1;
        if line.is_empty() {
            return if self.lines == 1 { Err(HeaderError::Empty) } else { Ok(true) };
        }
        let refused = || HeaderError::Line { line: self.lines, shown: shown(line) };
        let colon = line.iter().position(|byte| *byte == b':').ok_or_else(refused)?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(refused());
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err(HeaderError::Value { name });
        }
        if name.eq_ignore_ascii_case("status") {
            let status = status(value).filter(|_| self.status.is_none());
            self.status = Some(status.ok_or_else(|| HeaderError::Status { shown: shown(value) })?);
            return Ok(false);
        }
        self.location |= name.eq_ignore_ascii_case("location");
        if u32::try_from(self.headers.len()).is_ok_and(|count| count >= MAX_ENTRIES) {
            return Err(HeaderError::TooMany);
        }
        self.headers.push((name, value.to_vec()));
        Ok(false)
    }

    fn finish(&mut self) -> Head {
        let status = self.status.unwrap_or(if self.location { 302 } else { 200 });
        Head { status, headers: std::mem::take(&mut self.headers) }
    }
}

/// `404`, or `404 Not Found`.
fn status(value: &[u8]) -> Option<u16> {
    let number = value.split(|byte| byte.is_ascii_whitespace()).next()?;
    if number.len() != 3 || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = str::from_utf8(number).ok()?.parse().ok()?;
    (200..=599).contains(&number).then_some(number)
}

/// A character of a token (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The beginning of it: it may be long.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests;
