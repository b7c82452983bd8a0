//! Host and init (pid 1).
//!
//! The host may send everything it has to say before init has even started: the messages wait in
//! the socket. Init answers in order.

use crate::frame::{FrameError, Header, RawFrame};
use crate::leftover::Leftover;
use crate::wire::{Reader, Writer};

/// What the host says to init.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToInit {
    /// Opens the conversation.
    Hello {
        /// [`crate::VERSION`] of the host.
        version: u16,
    },
    /// A piece of a file. The first piece creates it (parents included) and must not find it
    /// already there as anything but a regular file; later pieces append. Never follows a symlink.
    PutFile {
        /// Absolute path inside the sandbox, beneath `/workspace` or `/code`.
        path: Vec<u8>,
        /// Whether the file gets the execute permission.
        executable: bool,
        /// Whether this piece is appended to what earlier pieces wrote.
        append: bool,
        /// The bytes, at most [`MAX_PIECE`].
        content: Vec<u8>,
    },
    /// Starts the program. Answered by `Spawned` with descriptors, or `SpawnFailed`.
    Spawn(Spawn),
    /// A signal for the main program of the running call.
    Signal {
        /// Its number.
        signal: u8,
    },
    /// Kills and removes whatever earlier calls left. Only between calls. Answered by `Recycled`. A program that
    /// init has taken stock of is spared, and so is what was there then.
    Recycle,
    /// The program that runs waits for files that were put before this. Answered by `Settled`.
    Settle,
    /// Takes stock: the program that runs is loaded and will stay, with every file there is. Answered by `Kept`.
    Keep,
    /// A child that init did not start is the program of a call. Not answered; its end is told as any program's, also
    /// one before this.
    Adopt {
        /// Which call this is.
        call: u32,
        /// The child's pid inside the sandbox.
        pid: u32,
    },
}

/// The most file bytes in one `PutFile`.
pub const MAX_PIECE: usize = 48 * 1024;

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spawn {
    /// Which call this is; comes back in every answer.
    pub call: u32,
    /// Program and arguments; a name without a slash is searched in `PATH` of `env`, else in
    /// `/usr/bin:/bin`.
    pub argv: Vec<Vec<u8>>,
    /// The whole environment, `NAME=value`.
    pub env: Vec<Vec<u8>>,
    /// Absolute working directory.
    pub cwd: Vec<u8>,
    /// Whether the program is a runner and gets a call socket as descriptor 3.
    pub runner: bool,
}

/// What init says to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromInit {
    /// The sandbox is assembled and init is running.
    Ready {
        /// [`crate::VERSION`] of init.
        version: u16,
    },
    /// A step of the assembly failed; init never ran. Sent by the assembling child itself.
    AssemblyFailed {
        /// Which step ([`crate::launcher::Step`] as a number).
        step: u8,
        /// The kernel's answer.
        errno: i32,
    },
    /// A file could not be written. Sent for the first such file before a `Spawn`, which then fails, or a `Settle`,
    /// which says so too.
    FileFailed {
        /// Its path as given.
        path: Vec<u8>,
        /// The kernel's answer.
        errno: i32,
    },
    /// The program runs. Carries descriptors in this order: the write end of its stdin, the read
    /// ends of its stdout and stderr, and the host's end of the call socket if it is a runner.
    Spawned {
        /// Which call.
        call: u32,
        /// Its pid inside the sandbox.
        pid: u32,
    },
    /// The program could not be started.
    SpawnFailed {
        /// Which call.
        call: u32,
        /// The kernel's answer.
        errno: i32,
    },
    /// Nothing of earlier calls runs any more.
    Recycled {
        /// What could not be made as new; `None` when everything is.
        left: Option<Leftover>,
    },
    /// Stock is taken.
    Kept,
    /// What was put is there.
    Settled {
        /// Whether a file of it could not be written; the files of the next call are counted anew.
        failed: bool,
    },
    /// The main program of a call ended.
    Exited {
        /// Which call.
        call: u32,
        /// Its exit code if it ended by itself.
        code: u8,
        /// The signal that ended it, else 0.
        signal: u8,
    },
}

const TO_HELLO: u8 = 0x10;
const PUT_FILE: u8 = 0x11;
const SPAWN: u8 = 0x12;
const SIGNAL: u8 = 0x13;
const RECYCLE: u8 = 0x14;
const KEEP: u8 = 0x15;
const SETTLE: u8 = 0x16;
const ADOPT: u8 = 0x17;

impl ToInit {
    /// As one frame.
    ///
    /// # Errors
    /// `TooLong`, `TooMany` or `PieceTooLong` for what does not fit in one frame.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::Hello { version } => {
                let mut body = Writer::new(Header::plain(TO_HELLO));
                body.u16(*version);
                body.finish()
            }
            Self::PutFile { path, executable, append, content } => {
                let mut body = Writer::new(Header::plain(PUT_FILE));
                body.bytes(path);
                body.bool(*executable);
                body.bool(*append);
                if content.len() > MAX_PIECE {
                    body.refuse(FrameError::PieceTooLong { length: content.len() });
                }
                body.bytes(content);
                body.finish()
            }
            Self::Spawn(spawn) => spawn.encode(),
            Self::Signal { signal } => {
                let mut body = Writer::new(Header::plain(SIGNAL));
                body.u8(*signal);
                body.finish()
            }
            Self::Recycle => Writer::new(Header::plain(RECYCLE)).finish(),
            Self::Keep => Writer::new(Header::plain(KEEP)).finish(),
            Self::Settle => Writer::new(Header::plain(SETTLE)).finish(),
            Self::Adopt { call, pid } => {
                let mut body = Writer::new(Header::of_call(ADOPT, *call));
                body.u32(*pid);
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
            TO_HELLO => {
                header.expect_plain()?;
                Self::Hello { version: body.u16()? }
            }
            PUT_FILE => {
                header.expect_plain()?;
                let path = body.bytes()?.to_vec();
                let executable = body.bool("executable")?;
                let append = body.bool("append")?;
                let content = body.bytes()?;
                if content.len() > MAX_PIECE {
                    return Err(FrameError::PieceTooLong { length: content.len() });
                }
                Self::PutFile { path, executable, append, content: content.to_vec() }
            }
            SPAWN => Self::Spawn(Spawn::decode(header.expect_of_call()?, &mut body)?),
            SIGNAL => {
                header.expect_plain()?;
                Self::Signal { signal: body.u8()? }
            }
            RECYCLE => {
                header.expect_plain()?;
                Self::Recycle
            }
            KEEP => {
                header.expect_plain()?;
                Self::Keep
            }
            SETTLE => {
                header.expect_plain()?;
                Self::Settle
            }
            ADOPT => Self::Adopt { call: header.expect_of_call()?, pid: body.u32()? },
            kind => return Err(FrameError::UnknownType { kind }),
        };
        body.finish()?;
        Ok(message)
    }
}

impl Spawn {
    fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut body = Writer::new(Header::of_call(SPAWN, self.call));
        body.list("argv", &self.argv, |body, argument| body.bytes(argument));
        body.list("env", &self.env, |body, variable| body.bytes(variable));
        body.bytes(&self.cwd);
        body.bool(self.runner);
        body.finish()
    }

    fn decode(call: u32, body: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            call,
            argv: body.list("argv", |body| body.bytes().map(<[u8]>::to_vec))?,
            env: body.list("env", |body| body.bytes().map(<[u8]>::to_vec))?,
            cwd: body.bytes()?.to_vec(),
            runner: body.bool("runner")?,
        })
    }
}

const READY: u8 = 0x20;
const ASSEMBLY_FAILED: u8 = 0x21;
const FILE_FAILED: u8 = 0x22;
const SPAWNED: u8 = 0x23;
const SPAWN_FAILED: u8 = 0x24;
const EXITED: u8 = 0x25;
const RECYCLED: u8 = 0x26;
const KEPT: u8 = 0x27;
const SETTLED: u8 = 0x28;

impl FromInit {
    /// As one frame.
    ///
    /// # Errors
    /// `TooLong` for what does not fit in one frame.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut body = Writer::new(match self {
            Self::Ready { .. } => Header::plain(READY),
            Self::AssemblyFailed { .. } => Header::plain(ASSEMBLY_FAILED),
            Self::FileFailed { .. } => Header::plain(FILE_FAILED),
            Self::Spawned { call, .. } => Header::of_call(SPAWNED, *call),
            Self::SpawnFailed { call, .. } => Header::of_call(SPAWN_FAILED, *call),
            Self::Exited { call, .. } => Header::of_call(EXITED, *call),
            Self::Recycled { .. } => Header::plain(RECYCLED),
            Self::Kept => Header::plain(KEPT),
            Self::Settled { .. } => Header::plain(SETTLED),
        });
        match self {
            Self::Ready { version } => body.u16(*version),
            Self::Kept => {}
            Self::AssemblyFailed { step, errno } => {
                body.u8(*step);
                body.i32(*errno);
            }
            Self::FileFailed { path, errno } => {
                body.bytes(path);
                body.i32(*errno);
            }
            Self::Spawned { call: _, pid } => body.u32(*pid),
            Self::SpawnFailed { call: _, errno } => body.i32(*errno),
            Self::Exited { call: _, code, signal } => {
                body.u8(*code);
                body.u8(*signal);
            }
            Self::Recycled { left } => Leftover::write(*left, &mut body),
            Self::Settled { failed } => body.bool(*failed),
        }
        body.finish()
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
            READY => {
                header.expect_plain()?;
                Self::Ready { version: body.u16()? }
            }
            ASSEMBLY_FAILED => {
                header.expect_plain()?;
                Self::AssemblyFailed { step: body.u8()?, errno: body.i32()? }
            }
            FILE_FAILED => {
                header.expect_plain()?;
                Self::FileFailed { path: body.bytes()?.to_vec(), errno: body.i32()? }
            }
            SPAWNED => Self::Spawned { call: header.expect_of_call()?, pid: body.u32()? },
            SPAWN_FAILED => Self::SpawnFailed { call: header.expect_of_call()?, errno: body.i32()? },
            EXITED => Self::Exited { call: header.expect_of_call()?, code: body.u8()?, signal: body.u8()? },
            RECYCLED => {
                header.expect_plain()?;
                Self::Recycled { left: Leftover::read(&mut body)? }
            }
            KEPT => {
                header.expect_plain()?;
                Self::Kept
            }
            SETTLED => {
                header.expect_plain()?;
                Self::Settled { failed: body.bool("failed")? }
            }
            kind => return Err(FrameError::UnknownType { kind }),
        };
        body.finish()?;
        Ok(message)
    }
}
