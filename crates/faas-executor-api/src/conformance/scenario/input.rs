//! Input: bytes as they come, back-pressure, its end, signals.

use crate::conformance::trial::pattern;
use crate::conformance::{Guest, trial::Trial};
use crate::{ExecSession, Executor, InputItem};
use bytes::Bytes;
use faas_types::Outcome;
use std::sync::Arc;

/// A program that reads and one that writes talk with each other while both run.
pub async fn stdin_is_echoed_as_it_comes(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("stdin_is_echoed_as_it_comes", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let ExecSession { input, mut events } = trial.start(&mut sandbox, trial.command(guest.echo_stdin())).await;
    for said in [b"first\n".as_slice(), b"\0\xff\0", b"last"] {
        let sent = trial.within("stdin", input.send(InputItem::Stdin(Bytes::copy_from_slice(said)))).await;
        trial.equal(sent, Ok(()), "stdin of a running program");
        let heard = trial.stdout_of(&mut events, said.len()).await;
        trial.equal(heard.as_slice(), said, "the echo, before the next is said");
    }
    // Meant for terminals: a program without one does not notice.
    let resized = trial.within("resize", input.send(InputItem::Resize { columns: 80, rows: 25 })).await;
    trial.equal(resized, Ok(()), "a resize of a running program");
    let ended = trial.within("the end of stdin", input.send(InputItem::Eof)).await;
    trial.equal(ended, Ok(()), "the end of stdin");
    let transcript = trial.rest(&mut events).await;
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome after the end of stdin");
    trial.within("the input to close", input.closed()).await;
    trial.destroy(sandbox).await;
}

/// Large stdin passes whole while its echo is read.
pub async fn large_stdin_passes_whole(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    const LENGTH: usize = 8 * 1024 * 1024;
    const PIECE: usize = 100_000;
    let trial = Trial::new("large_stdin_passes_whole", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let ExecSession { input, mut events } = trial.start(&mut sandbox, trial.command(guest.echo_stdin())).await;
    let content = Bytes::from(pattern(LENGTH));
    let sending = async {
        for start in (0..LENGTH).step_by(PIECE) {
            let piece = content.slice(start..LENGTH.min(start + PIECE));
            let sent = trial.within("stdin", input.send(InputItem::Stdin(piece))).await;
            trial.equal(sent, Ok(()), "stdin of a running program");
        }
        drop(input);
    };
    let ((), transcript) = tokio::join!(sending, trial.rest(&mut events));
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
    trial.equal(transcript.stdout.len(), LENGTH, "bytes echoed");
    trial.holds(transcript.stdout == content, "the bytes arrive in another order or changed");
    trial.destroy(sandbox).await;
}

/// A program that does not read holds the sender back, and its end lets the sender go.
pub async fn unread_stdin_holds_the_sender_back(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    const PIECE: usize = 64 * 1024;
    const MOST: usize = 48 * 1024 * 1024;
    let trial = Trial::new("unread_stdin_holds_the_sender_back", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let session = trial.start(&mut sandbox, trial.doomed_command(guest.sleep_forever())).await;
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let mut accepted = 0;
    while trial.within("stdin", session.input.send(InputItem::Stdin(piece.clone()))).await.is_ok() {
        accepted += PIECE;
        trial.holds(accepted < MOST, "stdin nobody reads is taken without end");
    }
    let transcript = trial.finish(session).await;
    trial.equal(transcript.done.outcome, Outcome::TimedOut, "the outcome");
    trial.destroy(sandbox).await;
}

/// Dropping the sink is the end of stdin, also when nothing was ever sent.
pub async fn dropped_sink_is_the_end_of_stdin(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("dropped_sink_is_the_end_of_stdin", executor, guest);
    let mut sandbox = trial.sandbox().await;
    for said in ["", "once"] {
        let ExecSession { input, mut events } = trial.start(&mut sandbox, trial.command(guest.echo_stdin())).await;
        if !said.is_empty() {
            let sent = trial.within("stdin", input.send(InputItem::Stdin(Bytes::from(said)))).await;
            trial.equal(sent, Ok(()), "stdin of a running program");
        }
        drop(input);
        let transcript = trial.rest(&mut events).await;
        trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome after the sink was dropped");
        trial.equal(transcript.text().as_str(), said, "what was sent before");
    }
    trial.destroy(sandbox).await;
}

/// A signal goes to the program; one it ignores does not end it.
pub async fn signals_reach_the_program(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    const TERMINATE: u8 = 15;
    const KILL: u8 = 9;
    let trial = Trial::new("signals_reach_the_program", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let programs = [(guest.wait_for_signal(), TERMINATE, TERMINATE), (guest.sleep_forever(), TERMINATE, KILL)];
    for (argv, first, ends_with) in programs {
        let ExecSession { input, mut events } = trial.start(&mut sandbox, trial.endless_command(argv)).await;
        trial.ready(&mut events).await;
        let sent = trial.within("a signal", input.send(InputItem::Signal(first))).await;
        trial.equal(sent, Ok(()), "a signal for a running program");
        if first != ends_with {
            let sent = trial.within("a signal", input.send(InputItem::Signal(ends_with))).await;
            trial.equal(sent, Ok(()), "a signal for a program that ignored the one before");
        }
        let transcript = trial.rest(&mut events).await;
        trial.equal(transcript.done.outcome, Outcome::Signaled { signal: ends_with }, "the outcome");
    }
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}
