//! The language fake programs are written in: a word and its arguments.
//!
//! As an argv each word is one argument; in a file each line is one instruction, words apart by a
//! space. Bytes are written as hexadecimal digits.

use bytes::Bytes;

/// One thing a fake program does; [`crate::conformance::Guest`] says what each means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    Nothing,
    Print {
        stdout: Bytes,
        stderr: Bytes,
        exit: u8,
    },
    Steps {
        count: u32,
    },
    Flood {
        bytes: u64,
        exit: u8,
    },
    PrintForever,
    Environment,
    Arguments {
        exit: u8,
    },
    Echo,
    Sleep {
        ignores_terminate: bool,
        processes: u32,
    },
    Daemon,
    Kill {
        signal: u8,
    },
    Allocate {
        bytes: u64,
    },
    Fork {
        count: u32,
    },
    Write {
        path: String,
        content: Bytes,
    },
    Fill {
        path: String,
        bytes: u64,
    },
    Create {
        count: u64,
    },
    Read {
        path: String,
    },
    /// As a handler or a CGI program: see [`crate::conformance::HandlerTask`] and [`crate::conformance::CgiTask`].
    AnswerEcho,
    AnswerFlood {
        bytes: u64,
    },
    AnswerStart,
    Raise,
    Obey,
    Together,
}

impl Instruction {
    /// Whether it answers a request: what comes before it in a handler is run when that is loaded.
    pub(super) const fn answers(&self) -> bool {
        matches!(
            self,
            Self::AnswerEcho | Self::AnswerFlood { .. } | Self::AnswerStart | Self::Raise | Self::Obey | Self::Together
        )
    }

    /// `None` for words that are no instruction.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        let instruction = match *words {
            ["nothing"] => Self::Nothing,
            ["print", stdout, stderr, exit] => {
                Self::Print { stdout: from_hex(stdout)?, stderr: from_hex(stderr)?, exit: exit.parse().ok()? }
            }
            ["steps", count] => Self::Steps { count: count.parse().ok()? },
            ["flood", bytes, exit] => Self::Flood { bytes: bytes.parse().ok()?, exit: exit.parse().ok()? },
            ["print-forever"] => Self::PrintForever,
            ["environment"] => Self::Environment,
            ["arguments", exit] => Self::Arguments { exit: exit.parse().ok()? },
            ["echo"] => Self::Echo,
            ["sleep"] => Self::Sleep { ignores_terminate: true, processes: 1 },
            ["wait-for-signal"] => Self::Sleep { ignores_terminate: false, processes: 1 },
            ["tree"] => Self::Sleep { ignores_terminate: true, processes: 5 },
            ["daemon"] => Self::Daemon,
            ["kill", signal] => Self::Kill { signal: signal.parse().ok()? },
            ["allocate", bytes] => Self::Allocate { bytes: bytes.parse().ok()? },
            ["fork", count] => Self::Fork { count: count.parse().ok()? },
            ["write", path, content] => Self::Write { path: path.to_owned(), content: from_hex(content)? },
            ["fill", path, bytes] => Self::Fill { path: path.to_owned(), bytes: bytes.parse().ok()? },
            ["create", count] => Self::Create { count: count.parse().ok()? },
            ["answer-echo"] => Self::AnswerEcho,
            ["answer-flood", bytes] => Self::AnswerFlood { bytes: bytes.parse().ok()? },
            ["answer-start"] => Self::AnswerStart,
            ["raise"] => Self::Raise,
            ["obey"] => Self::Obey,
            ["together"] => Self::Together,
            ["read", path] => Self::Read { path: path.to_owned() },
            _ => return None,
        };
        Some(instruction)
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Bytes> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(byte).collect()
}
