//! What goes into a running execution: its standard input, and the wish that it ends.

use crate::stdin::StdinSource;
use faas_client::Input;
use faas_client::model::ClientFrame;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Asks over the execution's own connection for its end, once. For an execution that has no id yet.
pub(super) type Canceller = oneshot::Sender<()>;

/// Feeds the program on a task of its own, for the server takes input only as fast as the program reads.
pub(super) fn start(stdin: StdinSource, input: Input) -> (JoinHandle<()>, Canceller) {
    let (canceller, cancelled) = oneshot::channel();
    (tokio::spawn(feed(stdin, input, cancelled)), canceller)
}

async fn feed(stdin: StdinSource, mut input: Input, mut cancelled: oneshot::Receiver<()>) {
    let fed = async {
        let mut pieces = stdin.pieces();
        while let Some(bytes) = pieces.next().await {
            input.stdin(bytes).await?;
        }
        input.say(ClientFrame::Eof).await
    };
    let wanted = tokio::select! {
        biased;
        wanted = &mut cancelled => wanted,
        // A program that ended takes no more input; who reads its output learns how it ended.
        _ = fed => cancelled.await,
    };
    if wanted.is_ok() {
        // A connection that is gone has cancelled it already.
        drop(input.say(ClientFrame::Cancel).await);
    }
}
