//! One request: its body goes in as it comes, the answer goes out as it is said.
//!
//! The host sends credit behind the body, and a program may answer before it has read its body; so
//! everything that comes from the host is taken at once, and only the answer waits for its reader.

use crate::answer::{Answer, AnswerError};
use crate::host::{Host, HostError};
use crate::peer::{AskError, Failure, Peer};
use faas_protocol::call::{FromRunner, ToRunner};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// What the runner ends with when the answer of its last request was refused.
const REFUSED: u8 = 1;

/// What came of a request.
struct Exchange<'a> {
    host: &'a mut Host,
    peer: &'a mut dyn Peer,
    answer: Answer,
    call: u32,
    /// How much of the body has not come yet.
    missing: u64,
    /// Whether the host said that the body is whole.
    asked: bool,
    /// Why there is no answer, once that is known.
    refused: Option<String>,
}

/// What can be done next.
#[derive(Default)]
struct Ready {
    host: bool,
    input: bool,
    output: bool,
    process: bool,
}

/// Lets a peer answer. Gives the exit code its failure stands for, 0 for none.
pub(crate) fn exchange(host: &mut Host, peer: &mut dyn Peer, call: u32, body_bytes: u64) -> Result<u8, AskError> {
    let answer = Answer::new(call);
    Exchange { host, peer, answer, call, missing: body_bytes, asked: false, refused: None }.run()
}

/// Answers in place of a program, when there is none or when it cannot be asked.
pub(crate) fn refuse(host: &mut Host, call: u32, body_bytes: u64, refusal: Refusal) -> Result<u8, AskError> {
    let mut missing = body_bytes;
    loop {
        match host.next()? {
            ToRunner::Body { call: of, bytes, .. } if of == call => missing = left(missing, bytes.len())?,
            ToRunner::Credit { call: of, .. } if of == call => {}
            ToRunner::End { call: of } if of == call && missing == 0 => break,
            _ => return Err(HostError::Protocol("a frame that is not due inside a request").into()),
        }
    }
    match refusal {
        Refusal::Failed(failure) => Ok(Answer::new(call).fail(host, &failure)?),
        // Only the client is to blame, which asked for what CGI cannot carry.
        Refusal::Status(status) => {
            host.send(&FromRunner::Head { call, status, headers: Vec::new() })?;
            host.send(&FromRunner::End { call })?;
            Ok(0)
        }
    }
}

/// Why no program is asked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot be.
    Failed(Failure),
    /// The request is answered with this status.
    Status(u16),
}

fn left(missing: u64, length: usize) -> Result<u64, HostError> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    missing.checked_sub(length).ok_or(HostError::Protocol("more body than was announced"))
}

impl Exchange<'_> {
    fn run(mut self) -> Result<u8, AskError> {
        let mut said = Vec::new();
        loop {
            while let Some(frame) = self.host.waiting()? {
                self.take(frame)?;
            }
            // The host is heard to the end of its request before the answer has one.
            if self.asked
                && self.answer.has_room()
                && let Some(end) = self.peer.end()
            {
                return self.finish(end);
            }
            let ready = self.wait()?;
            if ready.process {
                self.peer.ended();
            }
            if ready.input {
                self.peer.write();
            }
            if ready.output {
                said.clear();
                self.peer.hear(&mut said);
                self.pass(&said)?;
            }
            if ready.host {
                self.host.read()?;
            }
        }
    }

    fn wait(&self) -> Result<Ready, AskError> {
        let room = self.answer.has_room() || self.refused.is_some();
        let output = self.peer.output().filter(|_| room);
        let ended = self.peer.process().is_none();
        let interests = [
            Some((self.host.descriptor(), PollFlags::IN)),
            self.peer.input().map(|input| (input, PollFlags::OUT)),
            output.map(|output| (output, PollFlags::IN)),
            self.peer.process().map(|process| (process, PollFlags::IN)),
        ];
        let mut polled: Vec<PollFd<'_>> = interests
            .iter()
            .flatten()
            .map(|(descriptor, flags)| PollFd::from_borrowed_fd(*descriptor, *flags))
            .collect();
        let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        // What a peer that has ended said is there already, and a descendant may keep its output open.
        let timeout = (ended && output.is_some()).then_some(&at_once);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut polled = polled.iter();
        let mut is_ready = |index: usize| {
            interests.get(index).is_some_and(Option::is_some)
                && polled.next().is_some_and(|polled| !polled.revents().is_empty())
        };
        let (host, input, readable, process) = (is_ready(0), is_ready(1), is_ready(2), is_ready(3));
        Ok(Ready { host, input, output: readable || (ended && output.is_some()), process })
    }

    fn take(&mut self, frame: ToRunner) -> Result<(), AskError> {
        match frame {
            ToRunner::Credit { call, bytes } if call == self.call => Ok(self.answer.grant(self.host, bytes)?),
            ToRunner::Body { call, bytes, .. } if call == self.call && !self.asked => {
                self.missing = left(self.missing, bytes.len())?;
                self.peer.take_body(&bytes);
                Ok(())
            }
            ToRunner::End { call } if call == self.call && !self.asked && self.missing == 0 => {
                self.asked = true;
                self.peer.end_body();
                Ok(())
            }
            _ => Err(HostError::Protocol("a frame that is not due inside a request").into()),
        }
    }

    fn pass(&mut self, said: &[u8]) -> Result<(), AskError> {
        if self.refused.is_some() || (self.peer.has_failed() && !self.answer.head_is_sent()) {
            return Ok(());
        }
        match self.answer.say(self.host, said) {
            Ok(()) => Ok(()),
            Err(AnswerError::Host(error)) => Err(error.into()),
            Err(AnswerError::Header(error)) => {
                // It may go on for ever; nobody listens any more.
                self.refused = Some(error.to_string());
                self.answer.discard();
                self.peer.abort();
                Ok(())
            }
        }
    }

    fn finish(self, end: Result<(), Failure>) -> Result<u8, AskError> {
        let Self { host, answer, refused, .. } = self;
        let refusal = |message: String| Failure { message, exit: REFUSED, shown: false };
        let failure = match (refused, end) {
            (Some(message), _) => refusal(message),
            (None, Err(failure)) => failure,
            (None, Ok(())) => match answer.end(host) {
                Ok(()) => return Ok(0),
                Err(AnswerError::Host(error)) => return Err(error.into()),
                Err(AnswerError::Header(error)) => refusal(error.to_string()),
            },
        };
        Ok(answer.fail(host, &failure)?)
    }
}
