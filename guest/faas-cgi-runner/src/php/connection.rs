//! One request of PHP's.

use super::Running;
use super::fatal::Log;
use crate::executable::{exit_code, how};
use crate::fastcgi::{self, Decoder, RecordError, Said, VariableTooLong};
use crate::outgoing::Outgoing;
use crate::peer::{Failure, Peer};
use crate::variables::Variables;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;

/// Bytes read at once.
const BUFFER: usize = 64 << 10;
/// How long a process that closed its connection is given to end: it closes before it ends.
const ENDING: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// What a program that failed stands for.
const FAILED: u8 = 255;

/// A request under way.
pub(crate) struct Connection<'a> {
    php: &'a mut Running,
    /// Until it is closed.
    stream: Option<UnixStream>,
    outgoing: Outgoing,
    decoder: Decoder,
    log: Log,
    /// Whether PHP said that the answer is whole.
    whole: bool,
    /// What PHP said that nobody understands.
    broken: Option<RecordError>,
    /// Its process, once that has ended.
    status: Option<ExitStatus>,
}

impl<'a> Connection<'a> {
    /// Asks; the body comes later.
    pub(crate) fn ask(
        php: &'a mut Running,
        stream: UnixStream,
        variables: &Variables,
    ) -> Result<Self, VariableTooLong> {
        let mut outgoing = Outgoing::default();
        outgoing.push(&fastcgi::begin(variables.iter())?);
        Ok(Self {
            php,
            stream: Some(stream),
            outgoing,
            decoder: Decoder::default(),
            log: Log::default(),
            whole: false,
            broken: None,
            status: None,
        })
    }

    fn decode(&mut self, bytes: &[u8], answer: &mut Vec<u8>) {
        let mut said = Vec::new();
        let decoded = self.decoder.push(bytes, &mut said);
        for said in said {
            match said {
                // What comes after the end is a descendant's, which shares the connection.
                _ if self.whole => {}
                Said::Stdout(bytes) => answer.extend_from_slice(&bytes),
                Said::Stderr(bytes) => {
                    self.log.push(&bytes);
                    // Nobody listening is fine.
                    let _ = std::io::stderr().write_all(&bytes);
                }
                Said::End => self.whole = true,
            }
        }
        if let Err(error) = decoded
            && !self.whole
        {
            self.broken = Some(error);
            self.abort();
        }
        if self.whole {
            self.close();
        }
    }

    fn close(&mut self) {
        self.stream = None;
        self.outgoing.clear();
    }

    /// The connection is closed and the answer is not whole: how did the process end, if it did?
    fn await_end(&mut self) {
        let mut process = [PollFd::new(&self.php.process, PollFlags::IN)];
        // A process that goes on regardless is ended by `end`.
        let _ = poll(&mut process, Some(&ENDING));
        self.ended();
    }
}

impl Peer for Connection<'_> {
    fn take_body(&mut self, bytes: &[u8]) {
        if self.stream.is_some() {
            self.outgoing.push(&fastcgi::stdin(bytes));
        }
    }

    fn end_body(&mut self) {
        if self.stream.is_some() {
            self.outgoing.push(&fastcgi::stdin_end());
        }
    }

    fn input(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().filter(|_| !self.outgoing.is_empty()).map(AsFd::as_fd)
    }

    fn write(&mut self) {
        if let Some(stream) = &self.stream
            && self.outgoing.write_to(stream).is_err()
        {
            // It may have said something before it closed its side.
            self.outgoing.clear();
        }
    }

    fn output(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().map(AsFd::as_fd)
    }

    fn hear(&mut self, answer: &mut Vec<u8>) {
        let Some(stream) = &self.stream else { return };
        let mut buffer = vec![0; BUFFER];
        match rustix::io::read(stream, &mut buffer) {
            Ok(length) if length > 0 => self.decode(buffer.get(..length).unwrap_or_default(), answer),
            Err(Errno::INTR) => {}
            // Its process has ended: what a descendant might say is no answer.
            Err(Errno::AGAIN) if self.status.is_none() => {}
            Ok(_) | Err(_) => {
                self.close();
                self.await_end();
            }
        }
    }

    fn process(&self) -> Option<BorrowedFd<'_>> {
        self.status.is_none().then(|| self.php.process.as_fd())
    }

    fn ended(&mut self) {
        if let Ok(Some(status)) = self.php.child.try_wait() {
            self.status = Some(status);
        }
    }

    fn has_failed(&self) -> bool {
        self.log.fatal().is_some()
    }

    fn end(&mut self) -> Option<Result<(), Failure>> {
        if self.stream.is_some() {
            return None;
        }
        if let Some(fatal) = self.log.fatal() {
            let exit = self.status.map_or(FAILED, exit_code);
            return Some(Err(Failure { message: fatal.to_owned(), exit, shown: true }));
        }
        if self.whole {
            return Some(Ok(()));
        }
        let (what, exit) = match (self.broken, self.status) {
            (Some(error), _) => (format!("broke its protocol: {error}"), FAILED),
            (None, Some(status)) => (how(status), exit_code(status).max(1)),
            (None, None) => ("closed the connection".to_owned(), FAILED),
        };
        self.php.end();
        Some(Err(Failure { message: format!("php-cgi {what} before the answer was whole"), exit, shown: false }))
    }

    fn abort(&mut self) {
        self.close();
        self.php.end();
    }
}
