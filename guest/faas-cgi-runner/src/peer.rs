//! What answers one request: an executable, or PHP.

use crate::host::HostError;
use rustix::fd::BorrowedFd;

/// Why a request has no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In a line.
    pub(crate) message: String,
    /// What the runner ends with, when this was its last request.
    pub(crate) exit: u8,
    /// Whether whoever reads standard error and exit code knows already.
    pub(crate) shown: bool,
}

/// The other side of one request.
pub(crate) trait Peer {
    /// What came of the request's body.
    fn take_body(&mut self, bytes: &[u8]);
    /// There is no more of it.
    fn end_body(&mut self);
    /// Where something waits to be written, if anything does.
    fn input(&self) -> Option<BorrowedFd<'_>>;
    /// Writes what is taken now.
    fn write(&mut self);
    /// Where there is something to be read, until it is closed.
    fn output(&self) -> Option<BorrowedFd<'_>>;
    /// Reads once, without waiting; what belongs to the answer is appended.
    fn hear(&mut self, answer: &mut Vec<u8>);
    /// Readable when the process has ended; `None` once that is known.
    fn process(&self) -> Option<BorrowedFd<'_>>;
    /// The process has ended.
    fn ended(&mut self);
    /// Whether user code has failed already, so that nothing of what it says from now on is an answer.
    fn has_failed(&self) -> bool;
    /// How it came to its end, once it has and all it said was heard.
    fn end(&mut self) -> Option<Result<(), Failure>>;
    /// Ends what still runs for this request: its answer is refused.
    fn abort(&mut self);
}

/// Why a request was not answered by its peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The host's side.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The kernel refused to wait.
    #[error("waiting failed: {0}")]
    Wait(#[from] rustix::io::Errno),
}
