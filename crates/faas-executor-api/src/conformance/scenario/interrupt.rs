//! Interrupts from outside: during a call, without one, several.

use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, Executor, Health, Interrupt};
use faas_types::{LimitHit, Outcome};
use std::sync::Arc;

/// Each reason ends a running call with its own outcome, and a later reason changes nothing.
pub async fn first_interrupt_decides(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("first_interrupt_decides", executor, guest);
    let cases = [
        (Interrupt::Cancel, Interrupt::Deadline, Outcome::Cancelled),
        (Interrupt::Deadline, Interrupt::Cancel, Outcome::TimedOut),
        (Interrupt::OutputLimit, Interrupt::Cancel, Outcome::LimitExceeded { limit: LimitHit::Output }),
    ];
    for (first, second, expected) in cases {
        let mut sandbox = trial.sandbox().await;
        let mut session = trial.start(&mut sandbox, trial.endless_command(guest.stubborn_tree())).await;
        trial.ready(&mut session.events).await;
        let interrupter = sandbox.interrupter();
        interrupter.interrupt(first);
        interrupter.clone().interrupt(second);
        let transcript = trial.finish(session).await;
        trial.equal(transcript.done.outcome, expected, "the outcome");
        trial.equal(sandbox.health(), Health::Unrecoverable, "health afterwards");
        let refusal = trial.refusal(&mut sandbox, trial.command(guest.print(b"", b"", 0))).await;
        trial.holds(matches!(refusal, CallError::Lost { .. }), format!("a call afterwards gave {refusal:?}"));
        interrupter.interrupt(Interrupt::Cancel);
        trial.destroy(sandbox).await;
    }
}

/// A program that never stops writing, and whose output nobody takes, can be cancelled.
pub async fn cancel_ends_a_call_nobody_reads(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("cancel_ends_a_call_nobody_reads", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let session = trial.start(&mut sandbox, trial.endless_command(guest.print_forever())).await;
    sandbox.interrupter().interrupt(Interrupt::Cancel);
    trial.within("the end of the call while nobody reads", session.input.closed()).await;
    let transcript = trial.finish(session).await;
    trial.equal(transcript.done.outcome, Outcome::Cancelled, "the outcome");
    trial.destroy(sandbox).await;
}

/// Without a running call an interrupt does nothing, not even to the next call.
pub async fn interrupt_without_a_call_is_harmless(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("interrupt_without_a_call_is_harmless", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let interrupter = sandbox.interrupter();
    for why in [Interrupt::Cancel, Interrupt::Deadline, Interrupt::OutputLimit] {
        interrupter.interrupt(why);
        trial.equal(sandbox.health(), Health::Ready, "health after an interrupt without a call");
        trial.still_works(&mut sandbox).await;
    }
    trial.destroy(sandbox).await;
    interrupter.interrupt(Interrupt::Cancel);
}
