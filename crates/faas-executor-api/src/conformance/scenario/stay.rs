//! Programs that stay for the next call: what is kept, what is not, and how they end.

use super::handler::{Answered, handlers, listen};
use super::verbs::call_unsupported;
use crate::conformance::trial::file;
use crate::conformance::{Guest, HandlerTask, trial::Trial};
use crate::{CallError, Event, Executor, Health, Interrupt, Invocation, Program, Sandbox, SandboxSpec, Stay, Verb};
use bytes::Bytes;
use faas_types::{Contract, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// How often a program that is to end between two calls may end within the first one.
const ENDINGS: u32 = 10;
/// Between two looks for what has no event.
const LOOK: Duration = Duration::from_millis(1);

/// A sandbox and a program for each language; none, and said so, where none stay.
fn staying(trial: &Trial<'_>) -> Vec<(SandboxSpec, Program)> {
    if !trial.executor.capabilities().offers(Verb::Stay) {
        trial.skip("stay is not declared");
        return Vec::new();
    }
    handlers(trial, HandlerTask::Obey)
}

fn call(trial: &Trial<'_>, program: &Program, word: &'static str) -> Invocation {
    Invocation { stay: Stay::Answered, ..trial.request(program.clone(), Bytes::from_static(word.as_bytes())) }
}

async fn run(trial: &Trial<'_>, sandbox: &mut Box<dyn Sandbox>, call: Invocation) -> Answered {
    listen(trial, trial.invoke(sandbox, call).await).await
}

/// Asks for a word that is answered; the answer and what was printed.
async fn ask(trial: &Trial<'_>, sandbox: &mut Box<dyn Sandbox>, call: Invocation) -> (String, String) {
    let answered = run(trial, sandbox, call).await;
    trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome of a program that answered and stays");
    trial.holds(answered.whole && answered.failed.is_none(), "the answer is not said to be whole");
    trial.equal(sandbox.health(), Health::Ready, "health while a program stays");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&answered.body), text(&answered.stdout))
}

/// Recycles where that is offered; whether the sandbox is still there.
async fn recycle(trial: &Trial<'_>, sandbox: &mut Box<dyn Sandbox>) -> bool {
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        return true;
    }
    match trial.within("recycle", sandbox.recycle()).await {
        Ok(()) => trial.equal(sandbox.health(), Health::Ready, "health after recycling"),
        Err(CallError::Lost { .. }) => {
            trial.equal(sandbox.health(), Health::Unrecoverable, "health of one that was given up");
            return false;
        }
        Err(error) => trial.fail(format!("recycling gave {error:?}")),
    }
    true
}

/// Waits until the sandbox takes no further call.
async fn unready(sandbox: &mut Box<dyn Sandbox>) {
    while sandbox.health() == Health::Ready {
        tokio::time::sleep(LOOK).await;
    }
}

/// `stay` is as declared, and a matter of handlers.
pub async fn programs_that_stay_are_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_are_as_declared", executor, guest);
    let offered = trial.executor.capabilities().offers(Verb::Stay);
    for (spec, program) in handlers(&trial, HandlerTask::Obey) {
        let mut sandbox = trial.create(spec).await;
        if offered {
            let script = Invocation { contract: Contract::Script, request: None, ..call(&trial, &program, "count") };
            match trial.within("invoke", sandbox.invoke(script)).await {
                Err(CallError::Invalid { field: "stay", .. }) => {}
                other => trial.fail(format!("a script that is to stay gave {other:?}")),
            }
            ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
        } else {
            let answer = trial.within("invoke", sandbox.invoke(call(&trial, &program, "count"))).await;
            call_unsupported(&trial, Verb::Stay, answer);
            let answered = run(&trial, &mut sandbox, trial.request(program, Bytes::new())).await;
            trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome of one that need not stay");
        }
        trial.destroy(sandbox).await;
    }
}

/// What a program has in memory is there in the next call, whose output is its own; the last call need not stay.
pub async fn programs_that_stay_keep_their_state(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_keep_their_state", executor, guest);
    for (spec, program) in staying(&trial) {
        let mut sandbox = trial.create(spec).await;
        for number in 1..=3 {
            let (answer, printed) = ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
            trial.equal(answer, number.to_string(), "how many calls the program counted");
            trial.equal(printed, format!("call {number}\n"), "the output of this call");
            trial.holds(recycle(&trial, &mut sandbox).await, "a sandbox in which nothing is left was given up");
        }
        let failed = run(&trial, &mut sandbox, call(&trial, &program, "raise")).await;
        trial.equal(failed.outcome, Outcome::Exited { code: 0 }, "the outcome of one that failed and stays");
        trial.holds(!failed.whole && failed.failed.is_some_and(|why| why.contains("mine")), "the failure is not told");
        trial.holds(recycle(&trial, &mut sandbox).await, "a sandbox was given up for a failure");
        let last = run(&trial, &mut sandbox, Invocation { stay: Stay::No, ..call(&trial, &program, "count") }).await;
        trial.equal(last.body.as_slice(), b"5", "how many calls the program counted");
        trial.equal(last.outcome, Outcome::Exited { code: 0 }, "the outcome of the last call");
        trial.still_works(&mut sandbox).await;
        trial.destroy(sandbox).await;
    }
}

/// A program is loaded before anybody calls it: it answers nothing then, and its first call finds it as loaded.
pub async fn programs_are_loaded_ahead(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_are_loaded_ahead", executor, guest);
    for (spec, program) in staying(&trial) {
        let mut sandbox = trial.create(spec).await;
        let ahead = Invocation { stay: Stay::Loaded, ..call(&trial, &program, "count") };
        let loaded = run(&trial, &mut sandbox, ahead).await;
        trial.equal(loaded.outcome, Outcome::Exited { code: 0 }, "the outcome of loading");
        trial.holds(loaded.loaded, "it is not said to be loaded");
        trial.holds(loaded.head.is_none() && !loaded.whole && loaded.failed.is_none(), "it has answered");
        trial.equal(sandbox.health(), Health::Ready, "health while a program stays");
        trial.holds(recycle(&trial, &mut sandbox).await, "a sandbox in which nothing is left was given up");
        for number in 1..=2 {
            let (answer, printed) = ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
            trial.equal(answer, number.to_string(), "how many calls the program counted");
            trial.equal(printed, format!("call {number}\n"), "the output of this call");
            trial.holds(recycle(&trial, &mut sandbox).await, "a sandbox in which nothing is left was given up");
        }
        trial.destroy(sandbox).await;
    }
}

/// While a program stays nothing else runs, and what is refused changes nothing.
pub async fn programs_that_stay_take_no_other(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_take_no_other", executor, guest);
    for (spec, program) in staying(&trial) {
        let mut sandbox = trial.create(spec).await;
        ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
        let like = call(&trial, &program, "count");
        let others = [
            Invocation { env: vec![("OTHER".to_owned(), "1".to_owned())], ..like.clone() },
            Invocation { files: vec![file("other", "")], ..like.clone() },
            Invocation { contract: Contract::Script, request: None, stay: Stay::No, ..like.clone() },
            Invocation { program: Program { name: "other".to_owned(), ..program.clone() }, ..like.clone() },
        ];
        for other in others {
            match trial.within("invoke", sandbox.invoke(other)).await {
                Err(CallError::Invalid { .. }) => {}
                answer => trial.fail(format!("a call of another program gave {answer:?}")),
            }
        }
        let refusal = trial.refusal(&mut sandbox, trial.command(guest.print(b"", b"", 0))).await;
        trial.holds(matches!(refusal, CallError::Invalid { .. }), format!("a command gave {refusal:?}"));
        let (answer, _) = ask(&trial, &mut sandbox, like).await;
        trial.equal(answer.as_str(), "2", "how many calls the program counted");
        trial.destroy(sandbox).await;
    }
}

/// A file that a call writes is not the next one's, and a file that was placed is as it was placed.
pub async fn programs_that_stay_find_no_files_of_calls(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_find_no_files_of_calls", executor, guest);
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        return trial.skip("recycle is not declared");
    }
    for (spec, program) in staying(&trial) {
        for (files, found) in [(vec![], "absent"), (vec![file("note", "placed")], "placed")] {
            let mut sandbox = trial.create(spec.clone()).await;
            let mut there = true;
            for round in 0..3 {
                if there {
                    let call = Invocation { files: files.clone(), ..call(&trial, &program, "note") };
                    let (answer, _) = ask(&trial, &mut sandbox, call).await;
                    trial.equal(answer.as_str(), found, &format!("the file in round {round}"));
                    there = recycle(&trial, &mut sandbox).await;
                    trial.holds(there || found == "placed", "a sandbox was given up for a file that can be removed");
                }
            }
            trial.destroy(sandbox).await;
        }
    }
}

/// A process that a call left is not there in the next one.
pub async fn programs_that_stay_are_rid_of_processes(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_are_rid_of_processes", executor, guest);
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        return trial.skip("recycle is not declared");
    }
    for (spec, program) in staying(&trial) {
        let mut sandbox = trial.create(spec).await;
        let (before, _) = ask(&trial, &mut sandbox, call(&trial, &program, "processes")).await;
        let mut there = recycle(&trial, &mut sandbox).await;
        trial.holds(there, "a sandbox in which nothing is left was given up");
        for round in 0..3 {
            if there {
                ask(&trial, &mut sandbox, call(&trial, &program, "process")).await;
                there = recycle(&trial, &mut sandbox).await;
            }
            if there {
                let (now, _) = ask(&trial, &mut sandbox, call(&trial, &program, "processes")).await;
                trial.equal(&now, &before, &format!("processes after round {round}"));
            }
        }
        trial.destroy(sandbox).await;
    }
}

/// What goes on in a program's own process is never mixed with the next call.
pub async fn programs_that_stay_never_mix_output(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_never_mix_output", executor, guest);
    if !trial.executor.capabilities().offers(Verb::Recycle) {
        return trial.skip("recycle is not declared");
    }
    for (spec, program) in staying(&trial) {
        let mut sandbox = trial.create(spec).await;
        let first = run(&trial, &mut sandbox, call(&trial, &program, "thread")).await;
        trial.equal(first.outcome, Outcome::Exited { code: 0 }, "the outcome of one that leaves something");
        if recycle(&trial, &mut sandbox).await {
            let (_, printed) = ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
            trial.equal(printed.as_str(), "call 2\n", "the output of the next call");
        }
        trial.destroy(sandbox).await;
    }
}

/// A program that ended between two calls is not asked, and the refusal says that nothing ran.
pub async fn programs_that_stay_may_end_between_calls(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_may_end_between_calls", executor, guest);
    for (spec, program) in staying(&trial) {
        let mut seen = false;
        for _ in 0..ENDINGS {
            let mut sandbox = trial.create(spec.clone()).await;
            let first = run(&trial, &mut sandbox, call(&trial, &program, "die")).await;
            if !seen && first.outcome == (Outcome::Exited { code: 0 }) {
                seen = true;
                trial.within("the end of the program", unready(&mut sandbox)).await;
                match trial.within("invoke", sandbox.invoke(call(&trial, &program, "count"))).await {
                    Err(CallError::Unreached { .. }) => {}
                    answer => trial.fail(format!("a call of a program that has ended gave {answer:?}")),
                }
            }
            trial.destroy(sandbox).await;
        }
        trial.holds(seen, "the program always ended within its call");
    }
}

/// The second call ends by its deadline, a cancel, or the program's own end, as every call does.
pub async fn programs_that_stay_end_like_any_other(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_end_like_any_other", executor, guest);
    for (spec, program) in staying(&trial) {
        for cancelled in [false, true] {
            let mut sandbox = trial.create(spec.clone()).await;
            ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
            let deadline = if cancelled { trial.far() } else { trial.soon() };
            let mut session =
                trial.invoke(&mut sandbox, Invocation { deadline, ..call(&trial, &program, "sleep") }).await;
            let said = trial.stdout_of(&mut session.events, "call 2\nready\n".len()).await;
            trial.equal(said.as_slice(), b"call 2\nready\n", "what it said before");
            if cancelled {
                sandbox.interrupter().interrupt(Interrupt::Cancel);
            }
            let ended = listen(&trial, session).await;
            let expected = if cancelled { Outcome::Cancelled } else { Outcome::TimedOut };
            trial.equal(ended.outcome, expected, "the outcome of the second call");
            trial.equal(sandbox.health(), Health::Unrecoverable, "health afterwards");
            trial.destroy(sandbox).await;
        }
        let mut sandbox = trial.create(spec.clone()).await;
        ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
        let ended = run(&trial, &mut sandbox, call(&trial, &program, "exit")).await;
        trial.equal(ended.outcome, Outcome::Exited { code: 3 }, "the outcome of one that ends its process");
        trial.equal(sandbox.health(), Health::Ready, "health afterwards");
        trial.holds(recycle(&trial, &mut sandbox).await, "a sandbox was given up for a program that ended");
        let (answer, _) = ask(&trial, &mut sandbox, call(&trial, &program, "count")).await;
        trial.equal(answer.as_str(), "1", "how many calls a program that was loaded anew counted");
        trial.destroy(sandbox).await;
    }
}

/// An answer of the second call waits for a slow reader and comes whole, and what each call used is its own.
pub async fn programs_that_stay_answer_at_length(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("programs_that_stay_answer_at_length", executor, guest);
    if !trial.executor.capabilities().offers(Verb::Stay) {
        return trial.skip("stay is not declared");
    }
    for (spec, program) in handlers(&trial, HandlerTask::Flood { bytes: 1 << 20 }) {
        let mut sandbox = trial.create(spec).await;
        for round in 0..2 {
            let call =
                Invocation { stay: Stay::Answered, ..trial.request(program.clone(), Bytes::from(vec![b'x'; 300_000])) };
            let mut session = trial.invoke(&mut sandbox, call).await;
            trial.equal(trial.next(&mut session.events).await, Event::Loaded, "the first event");
            match trial.next(&mut session.events).await {
                Event::ResponseHead(head) => trial.equal(head.status, 200, "the status"),
                other => trial.fail(format!("the first event of round {round} is {other:?}")),
            }
            let answered = listen(&trial, session).await;
            trial.equal(answered.body.len(), 1 << 20, "bytes of the answer");
            trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome");
        }
        trial.destroy(sandbox).await;
    }
}
