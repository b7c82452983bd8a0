//! The end of sandboxes, and what an earlier run left behind.

use crate::conformance::{Guest, trial::Trial};
use crate::{DestroyReason, Executor, Interrupt};
use faas_types::Outcome;
use std::sync::Arc;

/// Destroying is prompt whatever the sandbox is doing, and a call it cuts off still ends once.
pub async fn destroy_ends_everything(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("destroy_ends_everything", executor, guest);
    trial.destroy(trial.sandbox().await).await;

    let mut bystander = trial.sandbox().await;
    for argv in [guest.stubborn_tree(), guest.print_forever(), guest.echo_stdin()] {
        let mut sandbox = trial.sandbox().await;
        let mut session = trial.start(&mut sandbox, trial.endless_command(argv)).await;
        let interrupter = sandbox.interrupter();
        trial.within("destroy during a call", sandbox.destroy(DestroyReason::Cancelled)).await;
        interrupter.interrupt(Interrupt::Deadline);
        let transcript = trial.rest(&mut session.events).await;
        trial.holds(
            matches!(transcript.done.outcome, Outcome::Cancelled | Outcome::SandboxLost),
            format!("a call cut off by destroy ended with {:?}", transcript.done.outcome),
        );
        trial.within("the input to close", session.input.closed()).await;
    }
    trial.still_works(&mut bystander).await;
    trial.destroy(bystander).await;

    let mut ended = trial.sandbox().await;
    let session = trial.start(&mut ended, trial.endless_command(guest.sleep_forever())).await;
    ended.interrupter().interrupt(Interrupt::Cancel);
    trial.finish(session).await;
    trial.destroy(ended).await;
}

/// Recovering twice finds nothing the second time, and leaves what this run owns alone.
pub async fn recover_is_idempotent(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("recover_is_idempotent", executor, guest);
    let mut sandbox = trial.sandbox().await;
    for (round, expected) in [("first", None), ("second", Some(0))] {
        match trial.within("recover", trial.executor.recover()).await {
            Ok(removed) => trial.holds(
                expected.is_none_or(|expected| removed == expected),
                format!("the {round} recovery removed {removed} sandboxes"),
            ),
            Err(error) => trial.fail(format!("the {round} recovery failed: {error}")),
        }
    }
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}
