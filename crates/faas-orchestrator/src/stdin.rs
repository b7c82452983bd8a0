//! Standard input on its way into a running program.

use bytes::Bytes;
use faas_executor_api::{InputItem, InputReceiver, InputSink};

/// Bytes given to the program at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Where a program's standard input comes from.
#[derive(Debug)]
pub(crate) enum Input {
    /// All of it is here; empty for none.
    Bytes(Bytes),
    /// It comes from the caller, held back while nobody takes it.
    Open(InputReceiver),
}

impl Input {
    /// Feeds the program until there is no more or it takes no more.
    pub(crate) async fn feed(self, program: InputSink) {
        match self {
            Self::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
                    if program.send(InputItem::Stdin(piece)).await.is_err() {
                        return;
                    }
                }
            }
            Self::Open(mut receiver) => loop {
                let item = tokio::select! {
                    item = receiver.next() => item,
                    () = program.closed() => return,
                };
                let Some(item) = item else { break };
                if program.send(item).await.is_err() {
                    return;
                }
            },
        }
        // A program that ended meanwhile needs no end of input.
        let _ = program.send(InputItem::Eof).await;
    }
}
