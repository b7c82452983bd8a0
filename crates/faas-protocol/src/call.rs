//! Host and runner, over a byte stream.
//!
//! ```text
//! runner            host
//!   Hello  ------->        the runner is initialised and waits
//!          <-------  Prepare in place of the rest: what to load, and to wait with as a zygote
//!
//!          <-------  Begin   what to run
//!          <-------  Body*   the code, in pieces
//!          <-------  End     the code is complete
//!   Loaded ------->        the program is loaded
//!
//!          <-------  Request what to answer
//!          <-------  Body*   its body, in pieces
//!          <-------  End     the request is complete
//!          <-------  Credit* how much the runner may answer
//!   Head   ------->
//!   Body*  ------->
//!   End    ------->          or Failed, in place of Head or of End
//! ```
//! For the `script` and `argv-json` contracts the runner closes the socket after the first `End` and
//! before user code runs: nothing of the host's is left inside, and nothing after it is sent. The
//! `handler` contract, whose arguments are the function to call and, where the program is to answer more than
//! one call, the word `stays`, loads its program and then answers requests, each with `Head`, `Body` under
//! credit ([`crate::flow`]) and `End`; then the host may send the next one, with the next number. When the
//! host closes the stream, the runner ends like a program that has come to its end. The host may send
//! all of its frames before it has read `Hello`; stock is taken of a program that is to answer several calls
//! between `Loaded` and its first `Request`, and one that was `Busy` is asked nothing more.
//!
//! A third argument, a number from 2 to 100, has the program answer so many calls at once. Their frames are
//! mixed in both directions, the first `Credit` of each follows its `Request`, and they end in any order. What each prints comes as `Printed` of its own, and
//! what nobody can be told to have printed goes to the program's standard streams. `Busy` is said by a call
//! that leaves none under way, or where the program has to end once the others have ended.
//!
//! A runner that gets `Prepare` loads what its call is likely to need, then stops itself, and is copied. Nothing more is
//! said to it; each copy says `Hello` as if it had just been started. Runners that cannot be copied end.
//!
//! # The bytes
//!
//! Runners are written in other languages, so this table is the contract. Every frame is a 16-byte
//! header and a body of `length` bytes, at most 131072. All numbers are little endian and unsigned.
//!
//! | offset | bytes | header field | value |
//! |---|---|---|---|
//! | 0 | 4 | length | bytes of the body, without the header |
//! | 4 | 1 | type | the number in the tables below |
//! | 5 | 1 | flags | 0 |
//! | 6 | 2 | zero | 0 |
//! | 8 | 4 | call | which call; 0 in `Hello` and in `Prepare` |
//! | 12 | 4 | sequence | in `Body`: 0, 1, 2 … within the call; 0 in every other frame |
//!
//! Python's `struct` format of the header is `<IBBHII`. In a body, fields follow each other in the
//! order given, without padding, and the body ends with the last one:
//! - `u16`, `u32`, `u64`: 2, 4, 8 bytes.
//! - `string`: `u32` number of bytes, then that many bytes of UTF-8. `bytes`: the same, any bytes.
//! - `list of X`: `u32` count (at most 4096), then that many `X`.
//! - `raw`: the rest of the body as it is, without a length of its own.
//!
//! Host to runner ([`ToRunner`]):
//!
//! | type | frame | call | sequence | body |
//! |---|---|---|---|---|
//! | 0x30 | `Begin` | call | 0 | `string` contract, `string` name, `list of string` args, `list of` (`bytes` name, `bytes` value) env, `u64` code_bytes |
//! | 0x31 | `Body` | call | 0, 1, 2 … | `raw` piece of the code, 1 to 131072 bytes |
//! | 0x32 | `End` | call | 0 | empty |
//! | 0x33 | `Credit` | call | 0 | `u32` bytes |
//! | 0x34 | `Request` | call | 0 | `string` method, `string` path, `string` query, `list of` (`string` name, `bytes` value), `u64` body_bytes |
//! | 0x35 | `Prepare` | 0 | 0 | `list of string` distributions |
//!
//! Code or a body of no bytes has no `Body` at all. The pieces together are `code_bytes` or `body_bytes` long,
//! and are counted from 0 after `Begin` and again after each `Request`.
//!
//! Runner to host ([`FromRunner`]):
//!
//! | type | frame | call | sequence | body |
//! |---|---|---|---|---|
//! | 0x40 | `Hello` | 0 | 0 | `u16` version ([`crate::VERSION`]: 8) |
//! | 0x41 | `Head` | call | 0 | `u16` status, `list of` (`string` name, `bytes` value) |
//! | 0x42 | `Body` | call | 0, 1, 2 … | `raw` piece of the response, 1 to 131072 bytes |
//! | 0x43 | `End` | call | 0 | empty |
//! | 0x44 | `Failed` | call | 0 | `string` message |
//! | 0x45 | `Loaded` | call of `Begin` | 0 | empty |
//! | 0x46 | `Busy` | call | 0 | empty |
//! | 0x47 | `Printed` | call | 0 | `u8` stream (1 output, 2 error), `raw` piece, 1 to 131071 bytes |
//!
//! A call starts with no credit. Each `Credit` adds its bytes, each byte of a `Body` or of what was `Printed`
//! takes one away (the rest of a frame takes none), and a runner without credit waits for the next `Credit`.
//! [`RunnerFrames`] refuses a runner that breaks any of this.
//!
//! Example, `Hello` of version 8: `02000000 40 00 0000 00000000 00000000 0800`.
//! Example, `End` of call 7 from the host: `00000000 32 00 0000 07000000 00000000`.

mod runner_frames;
#[cfg(test)]
mod tests;

pub use runner_frames::{BeginError, RunnerFrames, RunnerFramesError};

use crate::frame::{FrameError, Header, RawFrame};
use crate::wire::{Reader, Writer};

/// What the host says to a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToRunner {
    /// What to run. The code follows in `Body` frames.
    Begin {
        /// Which call.
        call: u32,
        /// The contract's name.
        contract: String,
        /// The file name shown in tracebacks.
        name: String,
        /// Arguments after the program's name.
        args: Vec<String>,
        /// Variables that are added to the environment the runner was started with: those of a call for which
        /// the runner waited.
        env: Vec<(Vec<u8>, Vec<u8>)>,
        /// How many bytes of code follow.
        code_bytes: u64,
    },
    /// A piece of the code.
    Body {
        /// Which call.
        call: u32,
        /// Position of this piece, from 0.
        sequence: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The code is complete.
    End {
        /// Which call.
        call: u32,
    },
    /// What a loaded program is to answer. Its body follows in `Body` frames.
    Request {
        /// Which call.
        call: u32,
        /// The method, such as `POST`.
        method: String,
        /// The path, beginning with a slash.
        path: String,
        /// What follows the question mark, as it was sent.
        query: String,
        /// Names and values in order.
        headers: Vec<(String, Vec<u8>)>,
        /// How many bytes of body follow.
        body_bytes: u64,
    },
    /// The runner may send this many more bytes of body.
    Credit {
        /// Which call.
        call: u32,
        /// How many bytes.
        bytes: u32,
    },
    /// The runner is to load distributions of its packages, and then to wait for being copied.
    Prepare {
        /// Their names, as the lock has them.
        distributions: Vec<String>,
    },
}

/// What a runner says to the host. Hostile: user code may hold the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromRunner {
    /// It is initialised and waits.
    Hello {
        /// [`crate::VERSION`] of the runner.
        version: u16,
    },
    /// The head of a response.
    Head {
        /// Which call.
        call: u32,
        /// The status code.
        status: u16,
        /// Names and values in order.
        headers: Vec<(String, Vec<u8>)>,
    },
    /// A piece of a response; takes credit.
    Body {
        /// Which call.
        call: u32,
        /// Position of this piece, from 0.
        sequence: u32,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The response is complete.
    End {
        /// Which call.
        call: u32,
    },
    /// User code gave no response, or not the rest of it.
    Failed {
        /// Which call.
        call: u32,
        /// Why, in a line.
        message: String,
    },
    /// The program is loaded, under a contract that answers. Said once, before anything is answered.
    Loaded {
        /// The call that began it.
        call: u32,
    },
    /// Something that user code began in this call goes on by itself once it is answered, so that it would
    /// mix with the next one. Said before the call's `End` or `Failed`.
    Busy {
        /// Which call.
        call: u32,
    },
    /// What a call printed, in a program that answers several at once; takes credit.
    Printed {
        /// Which call.
        call: u32,
        /// Whether it went to standard error.
        is_error: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

const BEGIN: u8 = 0x30;
const CODE: u8 = 0x31;
const CODE_END: u8 = 0x32;
const CREDIT: u8 = 0x33;
const REQUEST: u8 = 0x34;
const PREPARE: u8 = 0x35;

impl ToRunner {
    /// As one frame.
    ///
    /// # Errors
    /// `TooLong` or `TooMany` for what does not fit in one frame.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::Begin { call, contract, name, args, env, code_bytes } => {
                let mut body = Writer::new(Header::of_call(BEGIN, *call));
                body.string(contract);
                body.string(name);
                body.list("args", args, |body, arg| body.string(arg));
                body.list("env", env, |body, (name, value)| {
                    body.bytes(name);
                    body.bytes(value);
                });
                body.u64(*code_bytes);
                body.finish()
            }
            Self::Body { call, sequence, bytes } => piece(CODE, *call, *sequence, bytes),
            Self::End { call } => Writer::new(Header::of_call(CODE_END, *call)).finish(),
            Self::Request { call, method, path, query, headers, body_bytes } => {
                let mut body = Writer::new(Header::of_call(REQUEST, *call));
                body.string(method);
                body.string(path);
                body.string(query);
                write_headers(&mut body, headers);
                body.u64(*body_bytes);
                body.finish()
            }
            Self::Credit { call, bytes } => {
                let mut body = Writer::new(Header::of_call(CREDIT, *call));
                body.u32(*bytes);
                body.finish()
            }
            Self::Prepare { distributions } => {
                let mut body = Writer::new(Header::plain(PREPARE));
                body.list("distributions", distributions, |body, name| body.string(name));
                body.finish()
            }
        }
    }

    /// From one whole frame.
    ///
    /// # Errors
    /// Anything that `encode` does not produce.
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        let frame = RawFrame::parse(frame)?;
        let header = frame.header();
        let mut body = Reader::new(frame.body());
        let message = match header.kind {
            BEGIN => Self::Begin {
                call: header.expect_of_call()?,
                contract: body.string("contract")?,
                name: body.string("name")?,
                args: body.list("args", |body| body.string("args"))?,
                env: body.list("env", |body| Ok((body.bytes()?.to_vec(), body.bytes()?.to_vec())))?,
                code_bytes: body.u64()?,
            },
            CODE => Self::Body { call: header.call, sequence: header.sequence, bytes: body.rest().to_vec() },
            CODE_END => Self::End { call: header.expect_of_call()? },
            REQUEST => Self::Request {
                call: header.expect_of_call()?,
                method: body.string("method")?,
                path: body.string("path")?,
                query: body.string("query")?,
                headers: read_headers(&mut body)?,
                body_bytes: body.u64()?,
            },
            CREDIT => Self::Credit { call: header.expect_of_call()?, bytes: body.u32()? },
            PREPARE => {
                header.expect_plain()?;
                Self::Prepare { distributions: body.list("distributions", |body| body.string("distributions"))? }
            }
            kind => return Err(FrameError::UnknownType { kind }),
        };
        body.finish()?;
        Ok(message)
    }
}

const HELLO: u8 = 0x40;
const HEAD: u8 = 0x41;
const RESPONSE: u8 = 0x42;
const RESPONSE_END: u8 = 0x43;
const FAILED: u8 = 0x44;
const LOADED: u8 = 0x45;
const BUSY: u8 = 0x46;
const PRINTED: u8 = 0x47;

/// The streams of `Printed`: numbers of their descriptors.
const OUTPUT: u8 = 1;
const ERROR: u8 = 2;

impl FromRunner {
    /// As one frame.
    ///
    /// # Errors
    /// `TooLong` or `TooMany` for what does not fit in one frame.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::Hello { version } => {
                let mut body = Writer::new(Header::plain(HELLO));
                body.u16(*version);
                body.finish()
            }
            Self::Head { call, status, headers } => {
                let mut body = Writer::new(Header::of_call(HEAD, *call));
                body.u16(*status);
                write_headers(&mut body, headers);
                body.finish()
            }
            Self::Body { call, sequence, bytes } => piece(RESPONSE, *call, *sequence, bytes),
            Self::End { call } => Writer::new(Header::of_call(RESPONSE_END, *call)).finish(),
            Self::Failed { call, message } => {
                let mut body = Writer::new(Header::of_call(FAILED, *call));
                body.string(message);
                body.finish()
            }
            Self::Loaded { call } => Writer::new(Header::of_call(LOADED, *call)).finish(),
            Self::Busy { call } => Writer::new(Header::of_call(BUSY, *call)).finish(),
            Self::Printed { call, is_error, bytes } => {
                let mut body = Writer::new(Header::of_call(PRINTED, *call));
                body.u8(if *is_error { ERROR } else { OUTPUT });
                body.raw(bytes);
                body.finish()
            }
        }
    }

    /// From one whole frame.
    ///
    /// # Errors
    /// Anything that `encode` does not produce.
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        let frame = RawFrame::parse(frame)?;
        let header = frame.header();
        let mut body = Reader::new(frame.body());
        let message = match header.kind {
            HELLO => {
                header.expect_plain()?;
                Self::Hello { version: body.u16()? }
            }
            HEAD => {
                Self::Head { call: header.expect_of_call()?, status: body.u16()?, headers: read_headers(&mut body)? }
            }
            RESPONSE => Self::Body { call: header.call, sequence: header.sequence, bytes: body.rest().to_vec() },
            RESPONSE_END => Self::End { call: header.expect_of_call()? },
            FAILED => Self::Failed { call: header.expect_of_call()?, message: body.string("message")? },
            LOADED => Self::Loaded { call: header.expect_of_call()? },
            BUSY => Self::Busy { call: header.expect_of_call()? },
            PRINTED => Self::Printed {
                call: header.expect_of_call()?,
                is_error: match body.u8()? {
                    OUTPUT => false,
                    ERROR => true,
                    value => return Err(FrameError::BadValue { field: "stream", value }),
                },
                bytes: body.rest().to_vec(),
            },
            kind => return Err(FrameError::UnknownType { kind }),
        };
        body.finish()?;
        Ok(message)
    }
}

fn write_headers(body: &mut Writer, headers: &[(String, Vec<u8>)]) {
    body.list("headers", headers, |body, (name, value)| {
        body.string(name);
        body.bytes(value);
    });
}

fn read_headers(body: &mut Reader<'_>) -> Result<Vec<(String, Vec<u8>)>, FrameError> {
    body.list("headers", |body| Ok((body.string("header name")?, body.bytes()?.to_vec())))
}

/// A `Body` frame of either direction.
fn piece(kind: u8, call: u32, sequence: u32, bytes: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut body = Writer::new(Header { kind, call, sequence });
    body.raw(bytes);
    body.finish()
}
