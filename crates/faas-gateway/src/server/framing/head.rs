//! The head of one HTTP/1 request: where it ends, and whether hyper will take it.
//!
//! Invariant: what passes here is parsed by the parser hyper uses, with the same settings, and by more
//! rules than hyper has; so hyper never answers a head by itself.

use super::{Body, HeadLimits};
use axum::http::Uri;
use httparse::{Header, Request, Status};

/// The longest target hyper takes.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;
/// The longest body hyper can count, rounded down.
const LONGEST_BODY: u64 = u64::MAX >> 1;

/// Why a head does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum HeadFault {
    /// It is malformed, in this way.
    Malformed(&'static str),
    /// Its request line alone is longer than a head may be, or its target than any may be.
    TargetTooLong,
    /// It is longer than a head may be.
    TooLong,
    /// It has more fields than it may.
    TooManyFields,
}

/// How far the end of a head has been looked for. The bytes before are not looked at again.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Where the current line begins, and where the next byte to look at is.
    line: usize,
    next: usize,
    /// Whole lines, the request line included.
    lines: usize,
    /// An empty line was before the request line.
    blank: bool,
    begun: bool,
}

impl Search {
    /// Whether more than an empty line has come.
    pub(super) const fn begun(&self) -> bool {
        self.begun
    }

    /// More than an empty line has come.
    pub(super) const fn begin(&mut self) {
        self.begun = true;
    }

    /// Looks on in the bytes of the head, which begin where they began before; its length once it is
    /// whole.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadFault> {
        while let Some(found) = memchr::memchr(b'\n', bytes.get(self.next..).unwrap_or_default()) {
            let end = self.next + found;
            let line = bytes.get(self.line..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                self.begun = true;
                return Err(HeadFault::Malformed("has a line that does not end with carriage return and line feed"));
            };
            self.next = end + 1;
            if self.next > limits.bytes {
                break;
            }
            self.line = self.next;
            match (line.is_empty(), self.lines) {
                (true, 0) if self.blank => return Err(HeadFault::Malformed("has no request line")),
                (true, 0) => self.blank = true,
                (true, _) => return Ok(Some(self.next)),
                (false, lines) if lines > limits.fields => return Err(HeadFault::TooManyFields),
                (false, lines) => self.lines = lines + 1,
            }
        }
        // A carriage return may be the beginning of an empty line.
        self.begun |= self.lines > 0 || !matches!(bytes.get(self.line..), None | Some(b"" | b"\r"));
        if bytes.len() >= limits.bytes {
            return Err(if self.lines == 0 { HeadFault::TargetTooLong } else { HeadFault::TooLong });
        }
        self.next = bytes.len();
        Ok(None)
    }

    /// What a whole head says about its body.
    pub(super) fn body(&self, head: &[u8]) -> Result<Body, HeadFault> {
        let mut fields = vec![httparse::EMPTY_HEADER; self.lines.saturating_sub(1)];
        let mut request = Request::new(&mut fields);
        match request.parse(head) {
            Ok(Status::Complete(length)) if length == head.len() => {}
            Ok(_) => return Err(HeadFault::Malformed("ends before its last line")),
            Err(error) => return Err(HeadFault::Malformed(explained(error))),
        }
        let target = request.path.unwrap_or_default();
        if target.len() > LONGEST_TARGET {
            return Err(HeadFault::TargetTooLong);
        }
        if !is_plain(target) && Uri::try_from(target).is_err() {
            return Err(HeadFault::Malformed("has a target that is no path, address or authority"));
        }
        body(request.headers, request.version == Some(1))
    }
}

/// What the fields that decide about framing say. Each may be there once, and one excludes the other.
fn body(fields: &[Header<'_>], chunks: bool) -> Result<Body, HeadFault> {
    let mut body = Body::None;
    let mut decided = false;
    for field in fields {
        let value = field.value.trim_ascii();
        let says = if field.name.eq_ignore_ascii_case("content-length") {
            let length = length(value).ok_or(HeadFault::Malformed("has a content-length that is no length"))?;
            if length == 0 { Body::None } else { Body::Fixed(length) }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !chunks || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadFault::Malformed("has a transfer-encoding other than chunked, or one in version 1.0"));
            }
            Body::Chunked
        } else {
            continue;
        };
        if decided {
            return Err(HeadFault::Malformed("says twice how long its body is"));
        }
        decided = true;
        body = says;
    }
    Ok(body)
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let length = std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()?;
    (length <= LONGEST_BODY).then_some(length)
}

/// Whether a target is a path of nothing but characters that may stand in one, as most are.
fn is_plain(target: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(byte);
    target.starts_with('/') && target.as_bytes().iter().all(plain)
}

const fn explained(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => "has a field whose name is not followed by a colon, or is no name",
        httparse::Error::HeaderValue => "has a field whose value holds a control character",
        httparse::Error::Version => "has a version other than 1.1 and 1.0",
        httparse::Error::NewLine | httparse::Error::Status | httparse::Error::TooManyHeaders => {
            "has a line that does not end where it should"
        }
        httparse::Error::Token => {
            "has a request line that is not a method, a target and a version with one space between"
        }
    }
}
