//! The answer to one request, on its way to the host under credit.

use crate::header::{Header, HeaderError};
use crate::host::{Host, HostError};
use crate::peer::Failure;
use faas_protocol::call::FromRunner;
use faas_protocol::flow::Window;
use std::io::Write as _;

/// The most bytes of a `Body` frame that is sent.
const PIECE: usize = 64 << 10;
/// The most characters of a message.
const MAX_MESSAGE: usize = 1000;

/// An answer.
pub(crate) struct Answer {
    call: u32,
    window: Window,
    sequence: u32,
    /// Until the head is sent.
    header: Option<Header>,
    /// What waits for credit.
    held: Vec<u8>,
}

/// Why an answer cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// What was said is none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The host's side.
    #[error(transparent)]
    Host(#[from] HostError),
}

impl Answer {
    pub(crate) fn new(call: u32) -> Self {
        Self { call, window: Window::new(), sequence: 0, header: Some(Header::default()), held: Vec::new() }
    }

    /// Whether more may be said now.
    pub(crate) const fn has_room(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) const fn head_is_sent(&self) -> bool {
        self.header.is_none()
    }

    /// Passes on what was said; what there is no credit for waits.
    pub(crate) fn say(&mut self, host: &mut Host, mut bytes: &[u8]) -> Result<(), AnswerError> {
        if let Some(header) = &mut self.header {
            let Some((head, taken)) = header.push(bytes)? else { return Ok(()) };
            self.header = None;
            host.send(&FromRunner::Head { call: self.call, status: head.status, headers: head.headers })?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        self.held.extend_from_slice(bytes);
        Ok(self.flush(host)?)
    }

    /// More may be sent.
    pub(crate) fn grant(&mut self, host: &mut Host, bytes: u32) -> Result<(), HostError> {
        self.window.grant(bytes).map_err(|_| HostError::Protocol("credit beyond what can be counted"))?;
        self.flush(host)
    }

    /// Nothing more of it is sent.
    pub(crate) fn discard(&mut self) {
        self.held = Vec::new();
    }

    fn flush(&mut self, host: &mut Host) -> Result<(), HostError> {
        let allowed = usize::try_from(self.window.available()).unwrap_or(usize::MAX).min(self.held.len());
        let rest = self.held.split_off(allowed);
        for piece in std::mem::replace(&mut self.held, rest).chunks(PIECE) {
            // Cannot fail: together they are what is available.
            if self.window.take(piece.len()).is_err() {
                return Err(HostError::Protocol("credit was counted wrongly"));
            }
            let sequence = self.sequence;
            self.sequence =
                sequence.checked_add(1).ok_or(HostError::Protocol("an answer of more pieces than can be counted"))?;
            host.send(&FromRunner::Body { call: self.call, sequence, bytes: piece.to_vec() })?;
        }
        Ok(())
    }

    /// It is whole. What the program left unsaid of its header is an error.
    pub(crate) fn end(&self, host: &mut Host) -> Result<(), AnswerError> {
        if !self.head_is_sent() {
            return Err(HeaderError::Unfinished.into());
        }
        Ok(host.send(&FromRunner::End { call: self.call })?)
    }

    /// There is none, or not the rest of it. Gives the exit code that stands for.
    pub(crate) fn fail(&self, host: &mut Host, failure: &Failure) -> Result<u8, HostError> {
        let line = failure.message.split_whitespace().collect::<Vec<_>>().join(" ");
        let letters = line.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
        let message: String = letters.take(MAX_MESSAGE).collect();
        if !failure.shown {
            // Nobody listening is fine.
            let _ = writeln!(std::io::stderr(), "cgi: {message}");
        }
        host.send(&FromRunner::Failed { call: self.call, message })?;
        Ok(failure.exit)
    }
}
