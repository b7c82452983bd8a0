//! Output: order, separation, back-pressure, readers that go away.

use crate::conformance::trial::pattern;
use crate::conformance::{Guest, trial::Trial};
use crate::{Event, ExecSession, Executor};
use faas_types::Outcome;
use std::sync::Arc;

/// Each stream keeps its order, and the end comes once.
pub async fn output_keeps_its_order(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("output_keeps_its_order", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let transcript = trial.run(&mut sandbox, guest.print_in_steps(200)).await;
    let expected: String = (0..200).map(|step| format!("{step}\n")).collect();
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
    trial.equal(transcript.text(), expected.clone(), "stdout");
    trial.equal(String::from_utf8_lossy(&transcript.stderr).into_owned(), expected, "stderr");
    trial.destroy(sandbox).await;
}

/// Stdout and stderr stay apart, whatever bytes they hold.
pub async fn output_is_separate_and_binary_safe(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("output_is_separate_and_binary_safe", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let stdout = b"out\0\xff\xfe\xc3(\r\n\x1b[0m";
    let stderr = b"\0\0err\x80\n";
    let transcript = trial.run(&mut sandbox, guest.print(stdout, stderr, 0)).await;
    trial.equal(transcript.stdout.as_slice(), stdout, "stdout");
    trial.equal(transcript.stderr.as_slice(), stderr, "stderr");
    let stats = transcript.done.output;
    trial.equal(
        (stats.stdout_bytes, stats.stderr_bytes),
        (stdout.len() as u64, stderr.len() as u64),
        "the byte counts",
    );
    trial.holds(!stats.stdout_truncated && !stats.stderr_truncated, "whole output is flagged as cut");

    let silent = trial.run(&mut sandbox, guest.print(b"", b"", 0)).await;
    trial.equal((silent.stdout.len(), silent.stderr.len()), (0, 0), "the output of a silent program");
    trial.destroy(sandbox).await;
}

/// A reader that is slower than the program gets every byte.
pub async fn slow_reader_loses_nothing(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    const LENGTH: usize = 8 * 1024 * 1024;
    let trial = Trial::new("slow_reader_loses_nothing", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let ExecSession { input, mut events } =
        trial.start(&mut sandbox, trial.command(guest.flood(LENGTH as u64, 3))).await;
    drop(input);
    let mut received = Vec::with_capacity(LENGTH);
    let done = loop {
        // Lets the backend run ahead as far as it will before each piece is taken.
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
        match trial.next(&mut events).await {
            Event::Stdout(bytes) => received.extend_from_slice(&bytes),
            Event::Done(done) => break done,
            other => trial.fail(format!("unexpected {other:?}")),
        }
    };
    trial.equal(received.len(), LENGTH, "bytes received");
    trial.holds(received == pattern(LENGTH), "the bytes arrive in another order or changed");
    trial.equal(done.outcome, Outcome::Exited { code: 3 }, "the outcome");
    trial.equal(done.output.stdout_bytes, LENGTH as u64, "the byte count");
    trial.destroy(sandbox).await;
}

/// While nobody reads, the program is held back (it cannot finish), and its deadline still holds.
pub async fn unread_output_holds_the_program_back(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    const LENGTH: u64 = 48 * 1024 * 1024;
    let trial = Trial::new("unread_output_holds_the_program_back", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let session = trial.start(&mut sandbox, trial.doomed_command(guest.flood(LENGTH, 0))).await;
    trial.within("the deadline while nobody reads", session.input.closed()).await;
    let transcript = trial.finish(session).await;
    trial.equal(transcript.done.outcome, Outcome::TimedOut, "the outcome of a program nobody reads");
    trial.holds((transcript.stdout.len() as u64) < LENGTH, "everything was buffered: nothing held the program back");
    trial.holds(transcript.stdout == pattern(transcript.stdout.len()), "what was read is not what was written first");
    trial.destroy(sandbox).await;
}

/// Dropping the events neither stops the program nor hangs the sandbox.
pub async fn dropped_events_do_not_stop_the_call(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("dropped_events_do_not_stop_the_call", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let ExecSession { input, events } = trial.start(&mut sandbox, trial.command(guest.flood(4 * 1024 * 1024, 0))).await;
    drop(events);
    trial.within("the end of a program nobody reads any more", input.closed()).await;
    trial.idle(&mut sandbox).await;
    trial.still_works(&mut sandbox).await;

    let ExecSession { input, events } = trial.start(&mut sandbox, trial.endless_command(guest.print_forever())).await;
    drop(events);
    drop(input);
    trial.destroy(sandbox).await;
}

/// A grandchild that keeps stdout open does not delay the end of the call.
pub async fn open_stdout_of_a_grandchild_does_not_delay_done(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("open_stdout_of_a_grandchild_does_not_delay_done", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let said = trial.succeed(&mut sandbox, guest.spawn_daemon_then_exit()).await;
    trial.equal(said.as_str(), "parent\n", "stdout");
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}
