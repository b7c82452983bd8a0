//! Where one HTTP/1 request ends and the next begins, decided strictly.
//!
//! A reading of the stream in front of hyper, which forgives some framing that a proxy in front may read
//! differently (request smuggling): a bare line feed, `Content-Length` twice or beside
//! `Transfer-Encoding`, any coding but `chunked`. [`Framing::scan`] says how much may pass. A head passes
//! as a whole or not at all, so that what is wrong with it can be answered in full; a body passes as it
//! comes.
//!
//! Invariants: for what passes, hyper and this reading agree on every boundary; a head that passes is one
//! that hyper takes ([`head`]). It also knows what the connection is waiting for, which decides its
//! deadline.

mod head;

use super::flood::Flood;
use crate::limits::HttpLimits;
use crate::server::bytes;
pub(super) use head::HeadFault;
use head::Search;

/// What an HTTP/2 client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
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

/// Why no more may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A head does not pass.
    Head(HeadFault),
    /// The framing of a body is broken by the byte at this offset.
    Body(usize),
    /// HTTP/2 frames without a purpose.
    Flood,
}

/// How long a head may be, in bytes and in fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    bytes: usize,
    fields: usize,
}

impl HeadLimits {
    pub(super) fn of(limits: &HttpLimits) -> Self {
        Self { bytes: bytes(limits.header_bytes), fields: usize::try_from(limits.headers).unwrap_or(usize::MAX) }
    }
}

/// The reading of one connection.
#[derive(Debug)]
pub(super) struct Framing {
    limits: HeadLimits,
    state: State,
    /// Whether the other side may still turn out to speak HTTP/2.
    first: bool,
    /// Requests whose first byte was seen.
    requests: u64,
}

#[derive(Debug)]
enum State {
    /// Before a head or in one.
    Head(Search),
    Fixed(u64),
    ChunkSize {
        size: u64,
        digits: u8,
    },
    ChunkExtension {
        size: u64,
        length: usize,
    },
    /// The line feed after a chunk's size.
    ChunkSizeEnd(u64),
    ChunkData(u64),
    ChunkDataEnd {
        carriage_return: bool,
    },
    Trailers {
        bytes: usize,
        /// The length of the line so far.
        line: usize,
        carriage_return: bool,
    },
    Http2(Flood),
    Upgraded,
    Refused,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Fixed(u64),
    Chunked,
}

impl Framing {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head(Search::default()), first: true, requests: 0 }
    }

    /// What the other side has to send next.
    pub(super) const fn phase(&self) -> Phase {
        match &self.state {
            State::Head(search) if !search.begun() => Phase::Idle,
            State::Head(_) => Phase::Head,
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
        if self.phase() == Phase::Idle {
            self.state = State::Upgraded;
        }
    }

    /// Reads on, up to the end of a request at most, and says how many bytes may pass. The others are to
    /// be given again with what follows them: a head that is not whole, and the next request.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let scanned = self.read(bytes);
        if scanned.is_err() {
            self.state = State::Refused;
        }
        scanned
    }

    fn read(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut at = 0;
        while let Some(rest @ [byte, ..]) = bytes.get(at..) {
            match &mut self.state {
                State::Upgraded => return Ok(bytes.len()),
                State::Http2(flood) => return flood.scan(rest).map(|()| bytes.len()).map_err(|_| Fault::Flood),
                State::Head(_) => match self.head(rest)? {
                    0 => return Ok(at),
                    taken => at += taken,
                },
                State::Fixed(left) => {
                    at += skip(left, rest.len());
                    if *left == 0 {
                        self.end();
                    }
                }
                State::ChunkData(left) => {
                    at += skip(left, rest.len());
                    if *left == 0 {
                        self.state = State::ChunkDataEnd { carriage_return: false };
                    }
                }
                _ => {
                    let next = self.chunk_byte(*byte).ok_or(Fault::Body(at))?;
                    self.state = next;
                    at += 1;
                }
            }
            if self.phase() == Phase::Idle {
                return Ok(at);
            }
        }
        Ok(at)
    }

    /// A request is whole; what comes next is another.
    fn end(&mut self) {
        self.state = State::Head(Search::default());
    }

    /// Looks for the end of a head that begins with these bytes. Its length, or 0 while it is not whole.
    fn head(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let State::Head(search) = &mut self.state else { return Ok(0) };
        if self.first {
            let seen = bytes.len().min(PREFACE.len());
            if bytes.get(..seen) == PREFACE.get(..seen) {
                self.requests = 1;
                search.begin();
                if seen == PREFACE.len() {
                    self.state = State::Http2(Flood::default());
                    return Ok(seen);
                }
                return Ok(0);
            }
        }
        let begun = search.begun();
        let whole = search.advance(bytes, &self.limits).map_err(Fault::Head)?;
        if search.begun() && !begun {
            self.requests += 1;
        }
        let Some(length) = whole else { return Ok(0) };
        self.first = false;
        match search.body(bytes.get(..length).unwrap_or_default()).map_err(Fault::Head)? {
            Body::None => self.end(),
            Body::Fixed(length) => self.state = State::Fixed(length),
            Body::Chunked => self.state = State::ChunkSize { size: 0, digits: 0 },
        }
        Ok(length)
    }

    /// One byte around a chunk's data: what comes next, or `None` when it may not pass.
    fn chunk_byte(&self, byte: u8) -> Option<State> {
        match self.state {
            State::ChunkSize { size, digits } => match byte {
                b'\r' if digits > 0 => Some(State::ChunkSizeEnd(size)),
                b';' if digits > 0 => Some(State::ChunkExtension { size, length: 0 }),
                // Sixteen digits fill 64 bits; a seventeenth can only be an overflow or a disguise.
                _ if digits < 16 => {
                    let digit = char::from(byte).to_digit(16)?;
                    Some(State::ChunkSize { size: size << 4 | u64::from(digit), digits: digits + 1 })
                }
                _ => None,
            },
            State::ChunkExtension { size, .. } if byte == b'\r' => Some(State::ChunkSizeEnd(size)),
            State::ChunkExtension { size, length } if length < CHUNK_LINE && matches!(byte, b'\t' | b' '..=b'~') => {
                Some(State::ChunkExtension { size, length: length + 1 })
            }
            State::ChunkSizeEnd(size) if byte == b'\n' => Some(match size {
                0 => State::Trailers { bytes: 0, line: 0, carriage_return: false },
                size => State::ChunkData(size),
            }),
            State::ChunkDataEnd { carriage_return: false } if byte == b'\r' => {
                Some(State::ChunkDataEnd { carriage_return: true })
            }
            State::ChunkDataEnd { carriage_return: true } if byte == b'\n' => {
                Some(State::ChunkSize { size: 0, digits: 0 })
            }
            State::Trailers { bytes, line, carriage_return } if bytes < TRAILERS => {
                let bytes = bytes + 1;
                match (carriage_return, byte) {
                    (true, b'\n') if line == 0 => Some(State::Head(Search::default())),
                    (true, b'\n') => Some(State::Trailers { bytes, line: 0, carriage_return: false }),
                    (true, _) | (false, b'\n') => None,
                    (false, b'\r') => Some(State::Trailers { bytes, line, carriage_return: true }),
                    // A folded line.
                    (false, b' ' | b'\t') if line == 0 => None,
                    (false, _) => Some(State::Trailers { bytes, line: line + 1, carriage_return: false }),
                }
            }
            _ => None,
        }
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
