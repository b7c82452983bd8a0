//! Passes output on as it comes until the execution is complete.
//!
//! What a reader of ours does not take is kept here: a server ends what nobody reads. It is bounded by
//! the output limit, which the server holds.

use super::feed::Canceller;
use super::{Cancelled, received};
use crate::output::{Output, Stream};
use bytes::{Bytes, BytesMut};
use faas_client::model::StreamName;
use faas_client::{Client, ClientError, Event, Interactive};
use faas_types::{ExecutionId, ExecutionRecord};
use std::collections::VecDeque;

/// A kept piece this large is not added to.
const PIECE_BYTES: usize = 64 * 1024;

/// How an execution ended and what of its output was passed on.
pub(super) struct End {
    pub(super) record: Box<ExecutionRecord>,
    pub(super) forwarded: Forwarded,
}

/// Bytes that were passed on.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Forwarded {
    pub(super) stdout: u64,
    pub(super) stderr: u64,
}

/// Passes output on. Where nobody wants it any more, the execution is cancelled and the rest is dropped.
pub(super) async fn forward(
    mut running: Interactive,
    output: &Output,
    json: bool,
    canceller: Canceller,
    mut cancelled: Cancelled,
) -> Result<End, ClientError> {
    let mut cancelling = Cancelling { client: running.client().clone(), canceller: Some(canceller), wanted: false };
    let mut forwarded = Forwarded::default();
    let mut kept = Kept::default();
    let mut record = None;
    loop {
        if let Some(record) = record.take_if(|_| kept.pieces.is_empty() || cancelling.wanted) {
            return Ok(End { record, forwarded });
        }
        tokio::select! {
            event = running.next(), if record.is_none() => match event {
                Some(Ok(Event::Started { execution_id, .. })) => cancelling.began(execution_id),
                Some(Ok(Event::Output { stream, bytes, .. })) if !json && !cancelling.wanted => {
                    let stream = match stream {
                        StreamName::Stdout => Stream::Stdout,
                        StreamName::Stderr => Stream::Stderr,
                    };
                    forwarded.count(stream, &bytes);
                    kept.push(stream, &bytes);
                }
                Some(Ok(Event::Output { .. })) => {}
                Some(Ok(Event::Complete { record: ended, .. })) => record = Some(ended),
                Some(Err(error)) => return Err(error),
                // Only after an end, which is kept above.
                None => return Err(ClientError::ended()),
            },
            room = output.room(), if !kept.pieces.is_empty() && !cancelling.wanted => match (room, kept.pieces.pop_front()) {
                (Ok(room), Some((stream, bytes))) => room.send((stream, bytes.freeze())),
                (Ok(_), None) => {}
                (Err(_), _) => cancelling.begin(running.id()),
            },
            () = nobody_wants_it(output, &mut cancelled), if !cancelling.wanted => cancelling.begin(running.id()),
        }
    }
}

/// Output that was not taken yet, in order.
#[derive(Debug, Default)]
struct Kept {
    pieces: VecDeque<(Stream, BytesMut)>,
}

impl Kept {
    /// Small pieces are put together: a program that writes single bytes must not cost much more.
    fn push(&mut self, stream: Stream, bytes: &Bytes) {
        match self.pieces.back_mut() {
            Some((last, piece)) if *last == stream && piece.len() < PIECE_BYTES => piece.extend_from_slice(bytes),
            _ => self.pieces.push_back((stream, BytesMut::from(bytes.as_ref()))),
        }
    }
}

/// The wish that the execution ends.
struct Cancelling {
    client: Client,
    canceller: Option<Canceller>,
    wanted: bool,
}

impl Cancelling {
    fn begin(&mut self, id: Option<ExecutionId>) {
        if std::mem::replace(&mut self.wanted, true) {
            return;
        }
        match id {
            // Not over its own connection, where the wish would stand behind input that nobody reads.
            Some(id) => self.ask(id),
            None => {
                // A feeder that is gone has lost the connection, which cancels as well.
                let _ = self.canceller.take().map(|canceller| canceller.send(()));
            }
        }
    }

    /// It has an id now; a wish that came before may stand behind input.
    fn began(&self, id: ExecutionId) {
        if self.wanted {
            self.ask(id);
        }
    }

    fn ask(&self, id: ExecutionId) {
        let client = self.client.clone();
        // An execution that ended meanwhile needs no cancelling; its end is seen by the loop.
        tokio::spawn(async move { drop(client.cancel(&id.to_string()).await) });
    }
}

impl Forwarded {
    fn count(&mut self, stream: Stream, bytes: &Bytes) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        match stream {
            Stream::Stdout => self.stdout = self.stdout.saturating_add(length),
            Stream::Stderr => self.stderr = self.stderr.saturating_add(length),
        }
    }
}

async fn nobody_wants_it(output: &Output, cancelled: &mut Cancelled) {
    tokio::select! {
        () = output.broken() => {}
        _ = received(cancelled) => {}
    }
}
