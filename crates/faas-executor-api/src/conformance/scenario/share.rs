//! Programs that are shared: what their calls have in common, what each has for itself, and what is refused.

use super::handler::{Answered, handlers, listen};
use super::verbs::call_unsupported;
use crate::conformance::trial::{file, pattern};
use crate::conformance::{Guest, HandlerTask, TOGETHER_FLOOD, trial::Trial};
use crate::{
    CallError, Event, Executor, Health, Interrupt, Invocation, Program, Sandbox, SandboxSpec, SharedCall,
    SharedProgram, Stay, Verb,
};
use bytes::Bytes;
use faas_types::{LimitKind, Outcome, Resources};
use std::sync::Arc;

pub(super) const ENDED: Outcome = Outcome::Exited { code: 0 };

/// How many calls the programs of these scenarios answer at once.
const AT_ONCE: u32 = 3;

/// A sandbox and a program for each language; none, and said so, where none are shared.
pub(super) fn sharing(trial: &Trial<'_>) -> Vec<(SandboxSpec, Program)> {
    if !trial.executor.capabilities().offers(Verb::Share) {
        trial.skip("share is not declared");
        return Vec::new();
    }
    handlers(trial, HandlerTask::Together)
}

pub(super) fn call(trial: &Trial<'_>, program: &Program, words: &'static str) -> Invocation {
    let request = trial.request(program.clone(), Bytes::from_static(words.as_bytes()));
    Invocation { stay: Stay::Answered, at_once: AT_ONCE, ..request }
}

/// A sandbox in which the program is loaded and shared.
pub(super) async fn shared(
    trial: &Trial<'_>,
    spec: SandboxSpec,
    program: &Program,
) -> (Box<dyn Sandbox>, Arc<dyn SharedProgram>) {
    let mut sandbox = trial.create(spec).await;
    load(trial, &mut sandbox, program).await;
    let shared = share(trial, &mut sandbox);
    (sandbox, shared)
}

pub(super) async fn load(trial: &Trial<'_>, sandbox: &mut Box<dyn Sandbox>, program: &Program) {
    let load = Invocation { stay: Stay::Loaded, ..call(trial, program, "load") };
    let loaded = listen(trial, trial.invoke(sandbox, load).await).await;
    trial.equal(loaded.outcome, ENDED, "the outcome of loading");
    trial.holds(loaded.loaded && loaded.head.is_none(), "it is not said to be loaded, or has answered");
}

pub(super) fn share(trial: &Trial<'_>, sandbox: &mut Box<dyn Sandbox>) -> Arc<dyn SharedProgram> {
    match sandbox.share() {
        Ok(shared) => {
            trial.equal(shared.health(), Health::Ready, "health of a program that is shared");
            shared
        }
        Err(error) => trial.fail(format!("share is declared and gave {error:?}")),
    }
}

pub(super) async fn begin(trial: &Trial<'_>, shared: &Arc<dyn SharedProgram>, call: Invocation) -> SharedCall {
    match trial.within("ask", shared.ask(call)).await {
        Ok(asked) => asked,
        Err(error) => trial.fail(format!("asking a program that is shared gave {error:?}")),
    }
}

/// Why this call is refused.
pub(super) async fn refusal(trial: &Trial<'_>, shared: &Arc<dyn SharedProgram>, call: Invocation) -> CallError {
    match trial.within("ask", shared.ask(call)).await {
        Err(error) => error,
        Ok(_) => trial.fail("a call that is to be refused was taken"),
    }
}

/// Reads a call that is to answer; the answer and what it printed.
pub(super) async fn end(trial: &Trial<'_>, asked: SharedCall) -> Answered {
    let answered = listen(trial, asked.session).await;
    trial.equal(answered.outcome, ENDED, "the outcome of a call that answered");
    trial.holds(answered.loaded, "a call is not told that its program is loaded");
    trial.holds(answered.whole && answered.failed.is_none(), "the answer is not said to be whole");
    answered
}

/// Begins a call that answers at length, of which no more is read than that it answers.
pub(super) async fn begin_flood(trial: &Trial<'_>, shared: &Arc<dyn SharedProgram>, call: Invocation) -> SharedCall {
    let mut asked = begin(trial, shared, call).await;
    trial.equal(trial.next(&mut asked.session.events).await, Event::Loaded, "the first event of a call");
    match trial.next(&mut asked.session.events).await {
        Event::ResponseHead(_) => asked,
        other => trial.fail(format!("a call that answers at length gave {other:?}")),
    }
}

/// Reads the rest of it.
pub(super) async fn end_flood(trial: &Trial<'_>, asked: SharedCall) {
    let flood = listen(trial, asked.session).await;
    trial.equal(flood.outcome, ENDED, "the outcome of a call that answered at length");
    trial.holds(flood.whole && flood.failed.is_none(), "the answer is not said to be whole");
    trial.equal(flood.body.len() as u64, TOGETHER_FLOOD, "bytes of the answer");
    trial.holds(flood.body == pattern(flood.body.len()), "the answer changed on its way");
    trial.equal(flood.stdout.as_slice(), b"", "what a call printed that prints nothing");
}

async fn count(trial: &Trial<'_>, shared: &Arc<dyn SharedProgram>, program: &Program) -> String {
    let counted = end(trial, begin(trial, shared, call(trial, program, "count")).await).await;
    trial.equal(counted.stdout.as_slice(), b"", "what a call printed that prints nothing");
    String::from_utf8_lossy(&counted.body).into_owned()
}

fn invalid<T>(trial: &Trial<'_>, what: &str, answer: Result<T, CallError>) {
    match answer {
        Err(CallError::Invalid { .. }) => {}
        Err(other) => trial.fail(format!("{what} gave {other:?}")),
        Ok(_) => trial.fail(format!("{what} was not refused")),
    }
}

/// `share` is as declared, and a matter of programs that were loaded for it.
pub async fn shared_programs_are_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_are_as_declared", executor, guest);
    let offers = |verb| trial.executor.capabilities().offers(verb);
    trial.holds(!offers(Verb::Share) || offers(Verb::Stay), "share is declared and stay is not");
    if !offers(Verb::Share) {
        let mut sandbox = trial.sandbox().await;
        call_unsupported(&trial, Verb::Share, sandbox.share());
        trial.destroy(sandbox).await;
    }
    for (spec, program) in handlers(&trial, HandlerTask::Together) {
        let mut sandbox = trial.create(spec).await;
        let load = Invocation { stay: Stay::Loaded, ..call(&trial, &program, "load") };
        if offers(Verb::Share) {
            invalid(&trial, "sharing what is not loaded", sandbox.share());
            let answers = trial.within("invoke", sandbox.invoke(call(&trial, &program, "count"))).await;
            invalid(&trial, "loading and asking a program at once that is to be shared", answers);
            self::load(&trial, &mut sandbox, &program).await;
            let answers = trial.within("invoke", sandbox.invoke(call(&trial, &program, "count"))).await;
            invalid(&trial, "asking a program otherwise that is to be shared", answers);
            let shared = share(&trial, &mut sandbox);
            trial.equal(count(&trial, &shared, &program).await.as_str(), "1", "how many calls the program counted");
        } else if offers(Verb::Stay) {
            let answer = trial.within("invoke", sandbox.invoke(load)).await;
            call_unsupported(&trial, Verb::Share, answer);
        }
        trial.destroy(sandbox).await;
    }
}

/// Calls run at once, each with its own answer and output, which is never another's.
pub async fn shared_programs_answer_at_once(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_answer_at_once", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (sandbox, shared) = shared(&trial, spec, &program).await;
        let endless = Invocation { deadline: trial.far(), ..call(&trial, &program, "chatter") };
        let mut chatter = begin(&trial, &shared, endless).await;
        let said = trial.stdout_of(&mut chatter.session.events, b"late\n".len()).await;
        trial.holds(said.starts_with(b"late\n"), "what a call printed is not what it is told to print");
        let one = begin(&trial, &shared, call(&trial, &program, "meet 2 one")).await;
        let other = begin(&trial, &shared, call(&trial, &program, "meet 2 other")).await;
        for (asked, name) in [(one, "one"), (other, "other")] {
            let met = end(&trial, asked).await;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            trial.equal(text(&met.body).as_str(), name, "the answer");
            trial.equal(text(&met.stdout), format!("{name}\n{name}\n"), "what a call printed");
            trial.equal(text(&met.stderr).as_str(), "", "what a call printed to stderr");
        }
        let raised = listen(&trial, begin(&trial, &shared, call(&trial, &program, "raise")).await.session).await;
        trial.equal(raised.outcome, ENDED, "the outcome of one that failed and stays");
        trial.holds(!raised.whole && raised.failed.is_some_and(|why| why.contains("mine")), "the failure is not told");
        trial.equal(shared.health(), Health::Ready, "health after calls that answered or failed");
        trial.equal(sandbox.health(), Health::Ready, "health of the sandbox");
        chatter.interrupter.interrupt(Interrupt::Cancel);
        let chatter = trial.within("the end of a call that is cancelled", listen(&trial, chatter.session)).await;
        let said = [said, chatter.stdout].concat();
        let late = b"late\n".iter().copied().cycle().take(said.len());
        trial.holds(said.iter().copied().eq(late), "what other calls printed is in its output");
        trial.destroy(sandbox).await;
    }
}

/// As many calls as the program was loaded for are taken and no more, until one of them has ended.
pub async fn shared_programs_take_so_many_calls(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_take_so_many_calls", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (sandbox, shared) = shared(&trial, spec, &program).await;
        let endless = || Invocation { deadline: trial.far(), ..call(&trial, &program, "wait") };
        let mut waiting = Vec::new();
        for _ in 1..AT_ONCE {
            let mut asked = begin(&trial, &shared, endless()).await;
            trial.ready(&mut asked.session.events).await;
            waiting.push(asked);
        }
        for round in 0..2 {
            let last = begin_flood(&trial, &shared, call(&trial, &program, "flood")).await;
            let refusal = refusal(&trial, &shared, call(&trial, &program, "count")).await;
            trial.holds(
                matches!(refusal, CallError::Invalid { field: "call", .. }),
                format!("one call too many gave {refusal:?} in round {round}"),
            );
            trial.equal(shared.health(), Health::Ready, "health after a call that was refused");
            end_flood(&trial, last).await;
        }
        trial.equal(count(&trial, &shared, &program).await.as_str(), "5", "how many calls the program counted");
        trial.destroy(sandbox).await;
    }
}

/// While a program is shared nothing else runs, and what is refused changes nothing.
pub async fn shared_programs_take_no_other(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_take_no_other", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (mut sandbox, shared) = shared(&trial, spec, &program).await;
        let like = || call(&trial, &program, "count");
        let mut entry = like();
        entry.request.iter_mut().for_each(|request| request.entry = "other".to_owned());
        let others = [
            entry,
            Invocation { env: vec![("OTHER".to_owned(), "1".to_owned())], ..like() },
            Invocation { files: vec![file("other", "")], ..like() },
            Invocation { at_once: AT_ONCE - 1, ..like() },
            Invocation { stay: Stay::Loaded, ..like() },
            Invocation { program: Program { name: "other".to_owned(), ..program.clone() }, ..like() },
        ];
        for other in others {
            let refusal = refusal(&trial, &shared, other).await;
            trial.holds(matches!(refusal, CallError::Invalid { .. }), format!("another program gave {refusal:?}"));
        }
        invalid(&trial, "a call of it otherwise", trial.within("invoke", sandbox.invoke(like())).await);
        let refusal = trial.refusal(&mut sandbox, trial.command(guest.print(b"", b"", 0))).await;
        trial.holds(matches!(refusal, CallError::Invalid { .. }), format!("a command gave {refusal:?}"));
        trial.equal(count(&trial, &shared, &program).await.as_str(), "1", "how many calls the program counted");
        let again = share(&trial, &mut sandbox);
        trial.equal(count(&trial, &again, &program).await.as_str(), "2", "how many calls the same program counted");
        trial.destroy(sandbox).await;
    }
}

/// A reader that takes nothing of one call's answer holds no other call up, and loses nothing.
pub async fn shared_programs_wait_for_no_other_reader(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_wait_for_no_other_reader", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (sandbox, shared) = shared(&trial, spec, &program).await;
        let unread = [
            begin_flood(&trial, &shared, call(&trial, &program, "flood")).await,
            begin_flood(&trial, &shared, call(&trial, &program, "flood")).await,
        ];
        for number in 3..6 {
            let counted = count(&trial, &shared, &program).await;
            trial.equal(counted, number.to_string(), "how many calls the program counted");
        }
        for flood in unread {
            end_flood(&trial, flood).await;
        }
        trial.destroy(sandbox).await;
    }
}

/// Where memory and processor time are accounted for, each of two calls at once says what it used.
pub async fn shared_programs_say_what_was_used(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("shared_programs_say_what_was_used", executor, guest);
    for (spec, program) in sharing(&trial) {
        let (sandbox, shared) = shared(&trial, spec, &program).await;
        let one = begin(&trial, &shared, call(&trial, &program, "meet 2 one")).await;
        let other = begin(&trial, &shared, call(&trial, &program, "meet 2 other")).await;
        let used = [end(&trial, one).await.usage, end(&trial, other).await.usage];
        let limits = sandbox.isolation().limits.clone();
        if limits.contains_key(&LimitKind::Cpu) {
            let together = used.iter().map(|used| used.cpu_us).sum::<Option<u64>>();
            trial.holds(together.is_some_and(|used| used > 0), format!("processor time of both is {together:?}"));
        }
        if limits.contains_key(&LimitKind::Memory) {
            for used in used {
                let within = 1..=Resources::default().memory.as_bytes();
                trial.holds(
                    used.memory_peak_bytes.is_some_and(|peak| within.contains(&peak)),
                    format!("a peak of {:?}", used.memory_peak_bytes),
                );
            }
        }
        trial.destroy(sandbox).await;
    }
}
