//! How calls of a shared program end other than by an answer: alone, all at once, with their sandbox.

use super::handler::listen;
use super::share::{begin, begin_flood, call, end, end_flood, load, refusal, share, shared, sharing};
use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, DestroyReason, Executor, Health, Interrupt, Invocation, SharedProgram, Verb};
use faas_types::{ByteSize, LimitHit, OnOutputLimit, Outcome, OutputLimits};
use std::sync::Arc;

/// More than one line of a call that prints without end, and not a whole number of them.
const OUTPUT: u64 = 1001;

async fn unreached(trial: &Trial<'_>, shared: &Arc<dyn SharedProgram>, call: Invocation) {
    let refusal = refusal(trial, shared, call).await;
    trial.holds(matches!(refusal, CallError::Unreached { .. }), format!("a call afterwards gave {refusal:?}"));
}

/// A call that is cancelled, passes its deadline or its limit of output ends alone and at once; the others end
/// well, and no further call is taken.
pub async fn shared_programs_go_on_without_a_call(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_go_on_without_a_call", executor, guest);
    let recycles = trial.executor.capabilities().offers(Verb::Recycle);
    for (spec, program) in sharing(&trial) {
        for why in [Interrupt::Cancel, Interrupt::Deadline, Interrupt::OutputLimit] {
            let (mut sandbox, shared) = shared(&trial, spec.clone(), &program).await;
            let like = |words| Invocation { deadline: trial.far(), ..call(&trial, &program, words) };
            let unread =
                [begin_flood(&trial, &shared, like("flood")).await, begin_flood(&trial, &shared, like("flood")).await];
            let (cut, expected) = match why {
                Interrupt::Cancel => (like("wait"), Outcome::Cancelled),
                Interrupt::Deadline => (Invocation { deadline: trial.soon(), ..like("wait") }, Outcome::TimedOut),
                Interrupt::OutputLimit => {
                    let bytes = ByteSize::from_bytes(OUTPUT);
                    let output = OutputLimits { bytes, on_limit: OnOutputLimit::Kill };
                    let outcome = Outcome::LimitExceeded { limit: LimitHit::Output };
                    (Invocation { output, ..like("chatter") }, outcome)
                }
            };
            let mut cut = begin(&trial, &shared, cut).await;
            if why == Interrupt::Cancel {
                trial.ready(&mut cut.session.events).await;
                cut.interrupter.interrupt(Interrupt::Cancel);
                cut.interrupter.clone().interrupt(Interrupt::Deadline);
            }
            let ended = trial.within("the end of a call that was cut off", listen(&trial, cut.session)).await;
            trial.equal(ended.outcome, expected, "the outcome of a call that was cut off");
            trial.holds(!ended.whole && ended.head.is_none(), "a call that was cut off has answered");
            if why == Interrupt::OutputLimit {
                trial.equal(ended.stdout.len() as u64, OUTPUT, "bytes of output delivered");
            }
            trial.equal(shared.health(), Health::Poisoned, "health of the program");
            trial.equal(sandbox.health(), Health::Poisoned, "health of the sandbox");
            unreached(&trial, &shared, like("count")).await;
            if recycles {
                let answer = trial.within("recycle", sandbox.recycle()).await;
                trial.holds(matches!(answer, Err(CallError::Invalid { .. })), format!("recycling gave {answer:?}"));
            }
            for flood in unread {
                end_flood(&trial, flood).await;
            }
            unreached(&trial, &shared, like("count")).await;
            if recycles {
                let answer = trial.within("recycle", sandbox.recycle()).await;
                trial.holds(matches!(answer, Err(CallError::Lost { .. })), format!("recycling gave {answer:?}"));
                trial.equal(sandbox.health(), Health::Unrecoverable, "health of a sandbox that was given up");
            }
            cut.interrupter.interrupt(Interrupt::Cancel);
            trial.destroy(sandbox).await;
        }
    }
}

/// A program that ends during its calls ends each of them with the same outcome.
pub async fn shared_programs_end_every_call(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_end_every_call", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (mut sandbox, shared) = shared(&trial, spec, &program).await;
        let like = |words| Invocation { deadline: trial.far(), ..call(&trial, &program, words) };
        let mut waits = begin(&trial, &shared, like("wait")).await;
        trial.ready(&mut waits.session.events).await;
        let unread = begin_flood(&trial, &shared, like("flood")).await;
        let exits = begin(&trial, &shared, like("exit")).await;
        for (asked, what) in [(exits, "that ends the program"), (waits, "that waits"), (unread, "nobody read")] {
            let ended = listen(&trial, asked.session).await;
            trial.equal(ended.outcome, Outcome::Exited { code: 3 }, &format!("the outcome of the call {what}"));
            trial.holds(!ended.whole && ended.failed.is_none(), "a call of a program that ended has answered");
        }
        trial.holds(shared.health() != Health::Ready, "a program that has ended is said to be ready");
        unreached(&trial, &shared, like("count")).await;
        trial.equal(sandbox.health(), Health::Ready, "health of the sandbox");
        if trial.executor.capabilities().offers(Verb::Recycle)
            && let Err(error) = trial.within("recycle", sandbox.recycle()).await
        {
            trial.fail(format!("recycling after a program ended gave {error:?}"));
        }
        load(&trial, &mut sandbox, &program).await;
        let anew = share(&trial, &mut sandbox);
        let counted = end(&trial, begin(&trial, &anew, like("count")).await).await;
        trial.equal(counted.body.as_slice(), b"1", "how many calls a program that was loaded anew counted");
        unreached(&trial, &shared, like("count")).await;
        trial.destroy(sandbox).await;
    }
}

/// Recycling refuses while a call runs, which goes on; then the program is spared, and may be shared again.
pub async fn shared_programs_are_spared_by_recycling(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_are_spared_by_recycling", executor, guest);
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        return trial.skip("recycle is not declared");
    }
    for (spec, program) in sharing(&trial) {
        let (mut sandbox, mut shared) = shared(&trial, spec, &program).await;
        let like = |words| call(&trial, &program, words);
        for round in 0..2 {
            let unread = begin_flood(&trial, &shared, like("flood")).await;
            let answer = trial.within("recycle", sandbox.recycle()).await;
            trial.holds(
                matches!(answer, Err(CallError::Invalid { .. })),
                format!("recycling while a call runs gave {answer:?}"),
            );
            end_flood(&trial, unread).await;
            if let Err(error) = trial.within("recycle", sandbox.recycle()).await {
                trial.fail(format!("recycling a program of which nothing is left gave {error:?} in round {round}"));
            }
            trial.equal(sandbox.health(), Health::Ready, "health after recycling");
            unreached(&trial, &shared, like("count")).await;
            shared = share(&trial, &mut sandbox);
            let counted = end(&trial, begin(&trial, &shared, like("count")).await).await;
            let expected = (2 * (round + 1)).to_string();
            trial.equal(counted.body.as_slice(), expected.as_bytes(), "how many calls the program counted");
        }
        trial.destroy(sandbox).await;
    }
}

/// Destroying ends every call, whatever each is doing and whether or not it is read.
pub async fn shared_programs_end_with_their_sandbox(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_end_with_their_sandbox", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (sandbox, shared) = shared(&trial, spec, &program).await;
        let like = |words| Invocation { deadline: trial.far(), ..call(&trial, &program, words) };
        let calls = [
            begin(&trial, &shared, like("wait")).await,
            begin_flood(&trial, &shared, like("flood")).await,
            begin(&trial, &shared, like("chatter")).await,
        ];
        trial.within("destroy during calls", sandbox.destroy(DestroyReason::Cancelled)).await;
        trial.holds(shared.health() != Health::Ready, "a program whose sandbox is gone is said to be ready");
        unreached(&trial, &shared, like("count")).await;
        for asked in calls {
            trial.within("the input to close", asked.session.input.closed()).await;
            let ended = listen(&trial, asked.session).await;
            trial.holds(
                matches!(ended.outcome, Outcome::Cancelled | Outcome::SandboxLost),
                format!("a call cut off by destroy ended with {:?}", ended.outcome),
            );
        }
    }
}
