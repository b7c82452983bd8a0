//! The output limit: discard or kill, counted exactly.

use crate::conformance::trial::{Transcript, pattern};
use crate::conformance::{Guest, trial::Trial};
use crate::{Executor, Health};
use faas_types::{ByteSize, LimitHit, OnOutputLimit, Outcome, OutputLimits};
use std::sync::Arc;

async fn run_limited(
    trial: &Trial<'_>,
    argv: Vec<String>,
    bytes: u64,
    on_limit: OnOutputLimit,
) -> (Transcript, Health) {
    let mut sandbox = trial.sandbox().await;
    let mut command = trial.command(argv);
    command.output = OutputLimits { bytes: ByteSize::from_bytes(bytes), on_limit };
    let transcript = trial.run_command(&mut sandbox, command).await;
    let health = sandbox.health();
    trial.destroy(sandbox).await;
    (transcript, health)
}

/// Past the limit the rest is discarded, flagged and counted, and the program goes on to its end.
pub async fn output_past_the_limit_is_discarded(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    const LIMIT: u64 = 100_001;
    const WRITTEN: u64 = 3_000_000;
    let trial = Trial::new("output_past_the_limit_is_discarded", executor, guest);
    let (transcript, health) = run_limited(&trial, guest.flood(WRITTEN, 42), LIMIT, OnOutputLimit::Discard).await;
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 42 }, "the outcome of a program that goes on");
    trial.equal(transcript.stdout.len() as u64, LIMIT, "bytes delivered");
    trial.holds(transcript.stdout == pattern(transcript.stdout.len()), "not the first bytes are delivered");
    let stats = transcript.done.output;
    trial.equal(stats.stdout_bytes, WRITTEN, "bytes written");
    trial.holds(stats.stdout_truncated, "cut stdout is not flagged");
    trial.holds(!stats.stderr_truncated, "empty stderr is flagged as cut");
    trial.equal(health, Health::Ready, "health afterwards");

    let (transcript, _) =
        run_limited(&trial, guest.print(&[b'o'; 600], &[b'e'; 600], 0), 1000, OnOutputLimit::Discard).await;
    trial.equal(transcript.stdout.len() + transcript.stderr.len(), 1000, "bytes delivered of both streams together");
    let stats = transcript.done.output;
    trial.equal((stats.stdout_bytes, stats.stderr_bytes), (600, 600), "bytes written");
    trial.equal(stats.stdout_truncated, transcript.stdout.len() < 600, "stdout's flag");
    trial.equal(stats.stderr_truncated, transcript.stderr.len() < 600, "stderr's flag");
}

/// Output of exactly the limit is whole under both policies.
pub async fn output_at_the_limit_is_whole(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("output_at_the_limit_is_whole", executor, guest);
    for on_limit in [OnOutputLimit::Discard, OnOutputLimit::Kill] {
        let (transcript, _) = run_limited(&trial, guest.flood(70_000, 0), 70_000, on_limit).await;
        trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
        trial.equal(transcript.stdout.len(), 70_000, "bytes delivered");
        trial.holds(!transcript.done.output.stdout_truncated, "whole output is flagged as cut");
    }
}

/// When the caller asked for it, passing the limit kills; the bytes before it still arrive.
pub async fn output_past_the_limit_kills_when_asked(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("output_past_the_limit_kills_when_asked", executor, guest);
    let (transcript, health) = run_limited(&trial, guest.print_forever(), 50_000, OnOutputLimit::Kill).await;
    trial.equal(transcript.done.outcome, Outcome::LimitExceeded { limit: LimitHit::Output }, "the outcome");
    trial.equal(transcript.stdout.len(), 50_000, "bytes delivered");
    trial.holds(transcript.done.output.stdout_truncated, "cut stdout is not flagged");
    trial.equal(health, Health::Unrecoverable, "health afterwards");
}
