//! Recycling: what the next call must not find, and what cannot be recycled.

use super::verbs::call_unsupported;
use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, Executor, Health, Interrupt, Sandbox, Verb};
use faas_types::{LimitKind, Outcome, Resources};
use std::sync::Arc;

/// Memory of the call before, and what is less than it but more than a small program needs.
const LARGE: u64 = 96 << 20;
const SMALL: u64 = 48 << 20;

async fn recycle(trial: &Trial<'_>, sandbox: &mut Box<dyn Sandbox>) {
    if let Err(error) = trial.within("recycle", sandbox.recycle()).await {
        trial.fail(format!("recycle is declared and gave {error:?}"));
    }
    trial.equal(sandbox.health(), Health::Ready, "health after recycling");
}

/// `recycle` is as declared: the next call finds no file and no process of the one before.
pub async fn recycle_is_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("recycle_is_as_declared", executor, guest);
    let mut sandbox = trial.create(trial.spec_with(Resources { pids: 24, ..Resources::default() })).await;
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        call_unsupported(&trial, Verb::Recycle, trial.within("recycle", sandbox.recycle()).await);
        trial.still_works(&mut sandbox).await;
        trial.destroy(sandbox).await;
        return;
    }
    recycle(&trial, &mut sandbox).await;
    let children = trial.succeed(&mut sandbox, guest.fork_many(100)).await;
    for round in 0..3 {
        trial.succeed(&mut sandbox, guest.write_file("note", b"of an earlier call")).await;
        trial.succeed(&mut sandbox, guest.create_files(20)).await;
        for _ in 0..4 {
            trial.succeed(&mut sandbox, guest.spawn_daemon_then_exit()).await;
        }
        recycle(&trial, &mut sandbox).await;
        let absent = trial.run(&mut sandbox, guest.read_file("note")).await;
        trial.equal(absent.done.outcome, Outcome::Exited { code: 1 }, "reading an earlier call's file");
        let again = trial.succeed(&mut sandbox, guest.create_files(20)).await;
        trial.equal(again.as_str(), "wrote 20\n", "files of the names of earlier ones");
        let now = trial.succeed(&mut sandbox, guest.fork_many(100)).await;
        trial.equal(&now, &children, &format!("processes there is room for after round {round}"));
        recycle(&trial, &mut sandbox).await;
    }
    trial.destroy(sandbox).await;
}

/// The memory of an earlier call is not the next one's.
pub async fn recycling_starts_the_count_anew(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("recycling_starts_the_count_anew", executor, guest);
    let capabilities = trial.executor.capabilities();
    if !capabilities.offers(Verb::Recycle) {
        return trial.skip("recycle is not declared");
    }
    if !capabilities.report.limits.contains_key(&LimitKind::Memory) {
        return trial.skip("memory is not measured");
    }
    let mut sandbox = trial.sandbox().await;
    let large = trial.run(&mut sandbox, guest.allocate(LARGE)).await.done.usage;
    let peak = |usage: faas_types::Usage| usage.memory_peak_bytes;
    trial.holds(peak(large).is_none_or(|bytes| bytes >= LARGE), format!("a peak of {large:?} after {LARGE} bytes"));
    recycle(&trial, &mut sandbox).await;
    let small = trial.run(&mut sandbox, guest.print(b"x", b"", 0)).await.done.usage;
    trial.holds(
        peak(small).is_none_or(|bytes| bytes < SMALL),
        format!("a small call after a large one has a peak of {small:?}"),
    );
    trial.destroy(sandbox).await;
}

/// A call that runs goes on, and what a call broke stays broken.
pub async fn recycling_spares_what_runs(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("recycling_spares_what_runs", executor, guest);
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        return trial.skip("recycle is not declared");
    }
    let mut sandbox = trial.sandbox().await;
    let mut session = trial.start(&mut sandbox, trial.endless_command(guest.wait_for_signal())).await;
    trial.ready(&mut session.events).await;
    let answer = trial.within("recycle", sandbox.recycle()).await;
    trial.holds(matches!(answer, Err(CallError::Invalid { .. })), format!("recycling a running call gave {answer:?}"));
    sandbox.interrupter().interrupt(Interrupt::Cancel);
    let transcript = trial.finish(session).await;
    trial.equal(transcript.done.outcome, Outcome::Cancelled, "the outcome of the call that ran");
    let answer = trial.within("recycle", sandbox.recycle()).await;
    trial.holds(matches!(answer, Err(CallError::Lost { .. })), format!("recycling after a cancel gave {answer:?}"));
    trial.equal(sandbox.health(), Health::Unrecoverable, "health after a cancel");
    trial.destroy(sandbox).await;
}
