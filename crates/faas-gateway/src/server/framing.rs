//! Where one HTTP/1 request ends and the next begins, decided strictly.
//!
//! A byte-by-byte reading of the stream in front of hyper, which forgives some framing that a proxy
//! in front may read differently (request smuggling): a bare line feed, a folded header line,
//! `Content-Length` twice or beside `Transfer-Encoding`, any coding but `chunked`. [`Framing::scan`]
//! names the first byte that breaks the rules, and the caller never lets it through.
//!
//! Invariant: for what passes, hyper and this reading agree on every boundary. It also knows what
//! the connection is waiting for, which decides its deadline.

use super::flood::Flood;

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The part of a header line that is kept: enough for every line that decides about framing.
const KEPT: usize = 256;
/// The longest line of a chunk's size with its extensions, and the most bytes of trailers.
const CHUNK_LINE: usize = 1024;
const TRAILERS: usize = 8192;

/// What the other side has to send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A new request, or nothing.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// Frames of HTTP/2.
    Http2,
    /// Something that is not HTTP any more.
    Upgraded,
}

/// The reading of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    line: Line,
    head: Head,
    /// Requests whose first byte was seen.
    requests: u64,
    /// The byte before was a request's last.
    ended: bool,
}

#[derive(Debug)]
enum State {
    /// So many bytes of HTTP/2's preface; it is HTTP/1 as soon as one differs.
    Preface(usize),
    /// Before a request line; one empty line may precede it.
    Start {
        blank: bool,
    },
    RequestLine,
    FieldLine,
    Fixed(u64),
    ChunkSize {
        size: u64,
        digits: u8,
    },
    ChunkExtension(usize),
    ChunkSizeEnd,
    ChunkData(u64),
    ChunkDataEnd {
        carriage_return: bool,
    },
    Trailers(usize),
    Http2(Flood),
    Upgraded,
    Refused,
}

/// What the head has said about the body so far.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    chunked: bool,
}

/// The line being read.
#[derive(Debug, Default)]
struct Line {
    kept: Vec<u8>,
    length: usize,
    carriage_return: bool,
}

/// What a byte did to a line.
enum Step {
    More,
    End,
    Broken,
}

impl Line {
    fn push(&mut self, byte: u8) -> Step {
        match (self.carriage_return, byte) {
            (true, b'\n') => Step::End,
            (true, _) | (false, b'\n') => Step::Broken,
            (false, b'\r') => {
                self.carriage_return = true;
                Step::More
            }
            (false, _) => {
                if self.kept.len() < KEPT {
                    self.kept.push(byte);
                }
                self.length += 1;
                Step::More
            }
        }
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.length = 0;
        self.carriage_return = false;
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self { state: State::Preface(0), line: Line::default(), head: Head::default(), requests: 0, ended: false }
    }
}

impl Framing {
    /// What the other side has to send next.
    pub(super) const fn phase(&self) -> Phase {
        match self.state {
            State::Preface(0) | State::Start { .. } => Phase::Idle,
            State::Preface(_) | State::RequestLine | State::FieldLine => Phase::Head,
            State::Http2(_) => Phase::Http2,
            State::Upgraded => Phase::Upgraded,
            _ => Phase::Body,
        }
    }

    /// How many requests have begun, so that two waits of one phase can be told apart.
    pub(super) const fn requests(&self) -> u64 {
        self.requests
    }

    /// The server has agreed to speak something else from the next byte on.
    pub(super) fn upgrade(&mut self) {
        if matches!(self.state, State::Start { .. }) {
            self.state = State::Upgraded;
        }
    }

    /// Reads on, up to the end of a request at most. How much was read, or the offset of the first
    /// byte that may not pass.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.len() - at;
            let taken = match &mut self.state {
                State::Upgraded => return Ok(bytes.len()),
                State::Http2(flood) => {
                    let frames = bytes.get(at..).unwrap_or_default();
                    return flood.scan(frames).map(|()| bytes.len()).map_err(|offset| at + offset);
                }
                State::Fixed(left) | State::ChunkData(left) => skip(left, rest),
                _ => 0,
            };
            if taken > 0 {
                at += taken;
                self.skipped();
            } else if self.byte(byte) {
                at += 1;
            } else {
                self.state = State::Refused;
                return Err(at);
            }
            if std::mem::take(&mut self.ended) {
                return Ok(at);
            }
        }
        Ok(at)
    }

    /// A request is whole; what comes next is another.
    fn end(&mut self) {
        self.state = State::Start { blank: false };
        self.ended = true;
    }

    /// After a skip: whether that was the last of it.
    fn skipped(&mut self) {
        match self.state {
            State::Fixed(0) => self.end(),
            State::ChunkData(0) => self.state = State::ChunkDataEnd { carriage_return: false },
            _ => {}
        }
    }

    /// One byte outside of a body's data; `false` when it may not pass.
    fn byte(&mut self, byte: u8) -> bool {
        match &mut self.state {
            State::Preface(seen) => {
                if PREFACE.get(*seen) == Some(&byte) {
                    self.requests = 1;
                    *seen += 1;
                    if *seen == PREFACE.len() {
                        self.state = State::Http2(Flood::default());
                    }
                    return true;
                }
                // What was seen is the beginning of a request line after all, or no HTTP.
                let seen = *seen;
                self.state = State::Start { blank: false };
                self.requests = 0;
                PREFACE.iter().take(seen).all(|&seen| self.head_byte(seen)) && self.head_byte(byte)
            }
            State::Start { .. } | State::RequestLine | State::FieldLine => self.head_byte(byte),
            State::ChunkSize { .. } | State::ChunkExtension(_) | State::ChunkSizeEnd => self.chunk_size_byte(byte),
            State::ChunkDataEnd { carriage_return } => match (*carriage_return, byte) {
                (false, b'\r') => {
                    *carriage_return = true;
                    true
                }
                (true, b'\n') => {
                    self.state = State::ChunkSize { size: 0, digits: 0 };
                    true
                }
                _ => false,
            },
            State::Trailers(bytes) => {
                *bytes += 1;
                if *bytes > TRAILERS {
                    return false;
                }
                match self.line.push(byte) {
                    Step::More => true,
                    Step::Broken => false,
                    Step::End => {
                        let folded = matches!(self.line.kept.first(), Some(b' ' | b'\t'));
                        if self.line.length == 0 {
                            self.end();
                        }
                        self.line.clear();
                        !folded
                    }
                }
            }
            State::Fixed(_) | State::ChunkData(_) | State::Http2(_) | State::Upgraded | State::Refused => false,
        }
    }

    fn head_byte(&mut self, byte: u8) -> bool {
        match self.line.push(byte) {
            Step::Broken => return false,
            Step::More => {
                if matches!(self.state, State::Start { .. }) && self.line.length == 1 {
                    self.requests += 1;
                    self.head = Head::default();
                    self.state = State::RequestLine;
                }
                return true;
            }
            Step::End => {}
        }
        let passes = match (&self.state, self.line.length) {
            (State::Start { blank: false }, _) => {
                self.state = State::Start { blank: true };
                true
            }
            (State::RequestLine, _) => {
                self.state = State::FieldLine;
                true
            }
            (State::FieldLine, 0) => {
                match (self.head.chunked, self.head.length) {
                    (true, _) => self.state = State::ChunkSize { size: 0, digits: 0 },
                    (false, None | Some(0)) => self.end(),
                    (false, Some(length)) => self.state = State::Fixed(length),
                }
                true
            }
            (State::FieldLine, _) => self.head.field(&self.line),
            _ => false,
        };
        self.line.clear();
        passes
    }

    fn chunk_size_byte(&mut self, byte: u8) -> bool {
        let (size, digits) = match &mut self.state {
            State::ChunkSize { size, digits } => (size, digits),
            State::ChunkExtension(length) => {
                *length += 1;
                return match byte {
                    b'\r' => {
                        self.state = State::ChunkSizeEnd;
                        true
                    }
                    byte => *length <= CHUNK_LINE && (byte == b'\t' || (b' '..=b'~').contains(&byte)),
                };
            }
            _ => {
                // The line feed after the size: `head.length` holds the size meanwhile.
                self.state = match self.head.length.take() {
                    Some(0) | None => State::Trailers(0),
                    Some(size) => State::ChunkData(size),
                };
                return byte == b'\n';
            }
        };
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' | b';' if *digits > 0 => {
                self.head.length = Some(*size);
                self.state = if byte == b'\r' { State::ChunkSizeEnd } else { State::ChunkExtension(0) };
                return true;
            }
            _ => return false,
        };
        // Sixteen digits fill 64 bits; a seventeenth can only be an overflow or a disguise.
        *digits += 1;
        *size = (*size << 4) | u64::from(digit);
        *digits <= 16
    }
}

impl Head {
    /// A whole header line; `false` when it may not pass.
    fn field(&mut self, line: &Line) -> bool {
        if matches!(line.kept.first(), Some(b' ' | b'\t')) {
            return false;
        }
        let Some(colon) = line.kept.iter().position(|&byte| byte == b':') else { return line.length > line.kept.len() };
        let (name, value) = line.kept.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.iter().any(u8::is_ascii_whitespace) {
            return false;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            let passes = line.length <= KEPT && digits && length.is_some() && self.length.is_none() && !self.chunked;
            self.length = length;
            return passes;
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let passes =
                line.length <= KEPT && value.eq_ignore_ascii_case(b"chunked") && self.length.is_none() && !self.chunked;
            self.chunked = true;
            return passes;
        }
        true
    }
}

/// Takes up to `rest` bytes off `left`.
fn skip(left: &mut u64, rest: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest);
    *left -= u64::try_from(taken).unwrap_or(*left);
    taken
}

#[cfg(test)]
mod tests;
