//! The task that listens to a shared program: its frames, its own streams, and its end.
//!
//! What a program prints beside the streams of its language is of no call. The end of it is kept, and shown where
//! the program ends: it is what tells why.

use super::hub::{Ended, Hub};
use crate::call::{End, Parts, exit, finish};
use crate::link::State;
use crate::pipes::OutputPipe;
use bytes::{Bytes, BytesMut};
use faas_executor_api::Health;
use faas_protocol::call::FromRunner;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

/// How much of what is nobody's is kept, of each stream.
const LAST_WORDS: usize = 64 << 10;
/// How often what a program said before its end is read at most: a descendant may go on.
const READS: usize = 64;

/// See the module.
pub(super) struct Listener {
    hub: Arc<Hub>,
    parts: Parts,
    stdout: BytesMut,
    stderr: BytesMut,
}

/// What became of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// More may come.
    More,
    /// Nothing is there now.
    Nothing,
    /// Nothing will come any more.
    Over,
}

impl Listener {
    pub(super) fn new(hub: &Arc<Hub>, parts: Parts) -> Self {
        Self { hub: Arc::clone(hub), parts, stdout: BytesMut::new(), stderr: BytesMut::new() }
    }

    /// Listens until it is stopped, and gives back what it listened to; `None` when the program has ended.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Option<Parts> {
        let shared = Arc::clone(&self.hub.shared);
        let mut state = self.hub.state();
        let (started_by, stocked) = (self.hub.started_by(), Notify::new());
        let gone = async {
            tokio::select! {
                biased;
                end = exit(&shared, started_by, &stocked) => end,
                _ = state.wait_for(|state| *state != State::Alive) => End::Lost,
            }
        };
        tokio::pin!(gone);
        let (mut hears, mut out, mut err) = (true, true, true);
        let end = loop {
            tokio::select! {
                biased;
                // Whoever shared it has gone too when the sender is dropped.
                _ = &mut stop => {
                    self.keep_waiting();
                    return Some(self.parts);
                }
                _ = self.parts.socket.readable(), if hears => {
                    hears = self.read().await != Read::Over;
                    if !hears {
                        // It reads no request either, or is ending.
                        self.hub.poison();
                    }
                }
                bytes = self.parts.stdout.read(), if out => out = keep(&mut self.stdout, &bytes),
                bytes = self.parts.stderr.read(), if err => err = keep(&mut self.stderr, &bytes),
                end = &mut gone => break end,
            }
        };
        self.hub.poison();
        for _ in 0..READS {
            if !hears || self.read().await != Read::More {
                break;
            }
        }
        self.keep_waiting();
        let (end, counters) = finish(&shared, self.hub.state(), end).await;
        let [stdout, stderr] = [self.stdout, self.stderr].map(BytesMut::freeze);
        self.hub.end(Ended { end, counters, stdout, stderr });
        if self.hub.health_of_sandbox() != Health::Ready {
            shared.link.kill(shared.id).await;
        }
        None
    }

    /// Reads what is there and passes it on. A runner that breaks the protocol loses its sandbox.
    async fn read(&mut self) -> Read {
        let Parts { socket, decoder, buffer, .. } = &mut self.parts;
        let length = match socket.try_read(buffer) {
            Ok(0) => return Read::Over,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Read::Nothing,
            Err(_) => return Read::Over,
        };
        decoder.push(buffer.get(..length).unwrap_or_default());
        loop {
            let heard = match decoder.next_frame() {
                Ok(None) => return Read::More,
                Ok(Some(raw)) => FromRunner::decode(raw.as_bytes()).is_ok_and(|frame| self.hub.hear(frame).is_ok()),
                Err(_) => false,
            };
            if !heard {
                self.hub.shared.link.kill(self.hub.shared.id).await;
                return Read::Over;
            }
        }
    }

    /// Keeps what waits in the program's own streams.
    fn keep_waiting(&mut self) {
        keep_all(&mut self.stdout, &mut self.parts.stdout);
        keep_all(&mut self.stderr, &mut self.parts.stderr);
    }
}

fn keep_all(kept: &mut BytesMut, pipe: &mut OutputPipe) {
    let waiting = pipe.waiting();
    if waiting > 0 {
        keep(kept, &pipe.read_waiting(waiting));
    }
}

/// Keeps the end of a stream; whether it goes on.
fn keep(kept: &mut BytesMut, bytes: &Bytes) -> bool {
    kept.extend_from_slice(bytes);
    let over = kept.len().saturating_sub(LAST_WORDS);
    drop(kept.split_to(over));
    !bytes.is_empty()
}
