//! A response on its way from a program to its caller, as it is made.
//!
//! Invariants: parts come in order, and a whole response ends with [`ResponsePart::End`]; whoever reads slowly
//! holds the program back for as long as it may run, and whoever stops reading does not.

use bytes::Bytes;
use faas_executor_api::ResponseHead;
use tokio::sync::mpsc;

/// Parts that may be on their way.
const PARTS: usize = 4;

/// One part of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponsePart {
    /// Status and headers, before everything else.
    Head(ResponseHead),
    /// A piece of its body.
    Body(Bytes),
    /// It is whole. Nothing follows.
    End,
    /// User code gave none, or not the rest of it, and why, in a line. Nothing follows.
    Failed(String),
}

/// The receiving half.
#[derive(Debug)]
pub struct ResponseStream {
    parts: mpsc::Receiver<ResponsePart>,
}

/// The sending half.
pub(crate) type ResponseSender = mpsc::Sender<ResponsePart>;

impl ResponseStream {
    /// A response of nobody yet.
    pub(crate) fn open() -> (ResponseSender, Self) {
        let (sender, parts) = mpsc::channel(PARTS);
        (sender, Self { parts })
    }

    /// The next part. `None` where no more comes: after the last one, or when the program ended before.
    pub async fn next(&mut self) -> Option<ResponsePart> {
        self.parts.recv().await
    }

    /// The next part, when it is there already.
    pub fn try_next(&mut self) -> Option<ResponsePart> {
        self.parts.try_recv().ok()
    }
}
