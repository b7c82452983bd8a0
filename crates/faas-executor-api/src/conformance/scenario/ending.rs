//! How programs end by themselves or at their deadline, and what the sandbox is good for then.

use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, Executor, Health};
use faas_types::Outcome;
use std::sync::Arc;
use std::time::Instant;

/// Exit codes are exact.
pub async fn exit_codes_are_exact(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("exit_codes_are_exact", executor, guest);
    let mut sandbox = trial.sandbox().await;
    for code in [0, 1, 42, 126, 127, 128, 137, 255] {
        let transcript = trial.run(&mut sandbox, guest.print(b"", b"", code)).await;
        trial.equal(transcript.done.outcome, Outcome::Exited { code }, "the outcome");
        trial.equal(sandbox.health(), Health::Ready, "health after a program that exited");
    }
    trial.destroy(sandbox).await;
}

/// Death by a signal is told from an exit code.
pub async fn death_by_signal_is_reported(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("death_by_signal_is_reported", executor, guest);
    let mut sandbox = trial.sandbox().await;
    for signal in [6, 9, 11, 15] {
        let transcript = trial.run(&mut sandbox, guest.kill_self(signal)).await;
        trial.equal(transcript.done.outcome, Outcome::Signaled { signal }, "the outcome");
        trial.equal(sandbox.health(), Health::Ready, "health after a program that a signal ended");
    }
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}

/// The deadline ends programs that ignore SIGTERM and hide in sessions of their own.
pub async fn deadline_ends_the_whole_tree(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("deadline_ends_the_whole_tree", executor, guest);
    for argv in [guest.sleep_forever(), guest.stubborn_tree()] {
        let mut sandbox = trial.sandbox().await;
        let command = trial.doomed_command(argv);
        let transcript = trial.run_command(&mut sandbox, command).await;
        trial.equal(transcript.done.outcome, Outcome::TimedOut, "the outcome");
        trial.equal(transcript.text().as_str(), "ready\n", "what it said before");
        trial.equal(sandbox.health(), Health::Unrecoverable, "health afterwards");
        let refusal = trial.refusal(&mut sandbox, trial.command(guest.print(b"", b"", 0))).await;
        trial.holds(matches!(refusal, CallError::Lost { .. }), format!("a call afterwards gave {refusal:?}"));
        trial.destroy(sandbox).await;
    }
}

/// A deadline that has passed already ends the call at once.
pub async fn passed_deadline_ends_the_call(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("passed_deadline_ends_the_call", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let mut command = trial.command(guest.sleep_forever());
    command.deadline = Instant::now();
    let transcript = trial.run_command(&mut sandbox, command).await;
    trial.equal(transcript.done.outcome, Outcome::TimedOut, "the outcome");
    trial.destroy(sandbox).await;
}
