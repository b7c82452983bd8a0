//! Handlers: asked once, they answer, fail or end.

use crate::conformance::trial::pattern;
use crate::conformance::{Guest, HandlerTask, ScriptTask, trial::Trial};
use crate::{Event, ExecSession, Executor, Health, Invocation, Program, ResponseHead, SandboxSpec, Verb};
use bytes::Bytes;
use faas_types::{Outcome, Usage};
use std::sync::Arc;

/// More than is under way at once.
const FLOOD: u64 = 3 << 20;

/// What came of a call.
pub(super) struct Answered {
    pub(super) loaded: bool,
    pub(super) head: Option<ResponseHead>,
    pub(super) body: Vec<u8>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) whole: bool,
    pub(super) failed: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) usage: Usage,
}

/// A sandbox and a program for each language that has handlers.
pub(super) fn handlers(trial: &Trial<'_>, task: HandlerTask) -> Vec<(SandboxSpec, Program)> {
    let capabilities = trial.executor.capabilities();
    if !capabilities.offers(Verb::Invoke) {
        trial.skip("this executor does not offer invoke");
        return Vec::new();
    }
    let languages = capabilities.runtimes.iter().map(|runtime| runtime.language);
    let programs = languages.filter_map(|language| Some((language, trial.guest.handler(language, task)?)));
    programs.map(|(language, program)| (SandboxSpec { language: Some(language), ..trial.spec() }, program)).collect()
}

async fn ask(trial: &Trial<'_>, spec: SandboxSpec, program: Program, body: Bytes) -> Answered {
    answered(trial, spec, trial.request(program, body)).await
}

/// What comes of a call whose program answers.
pub(super) async fn answered(trial: &Trial<'_>, spec: SandboxSpec, call: Invocation) -> Answered {
    let mut sandbox = trial.create(spec).await;
    let session = trial.invoke(&mut sandbox, call).await;
    let answered = listen(trial, session).await;
    trial.equal(sandbox.health(), Health::Ready, "health after an answer");
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
    answered
}

/// Closes the input and reads to the end.
pub(super) async fn listen(trial: &Trial<'_>, session: ExecSession) -> Answered {
    let ExecSession { input, mut events } = session;
    drop(input);
    let mut answered = Answered {
        loaded: false,
        head: None,
        body: Vec::new(),
        stdout: Vec::new(),
        stderr: Vec::new(),
        whole: false,
        failed: None,
        outcome: Outcome::SandboxLost,
        usage: Usage::default(),
    };
    loop {
        match trial.next(&mut events).await {
            Event::Loaded => {
                trial.holds(!answered.loaded && answered.head.is_none(), "loaded was said late or twice");
                answered.loaded = true;
            }
            Event::ResponseHead(head) => {
                trial.holds(answered.head.is_none() && answered.body.is_empty(), "the head came late or twice");
                answered.head = Some(head);
            }
            Event::Body(bytes) => answered.body.extend_from_slice(&bytes),
            Event::ResponseEnd => answered.whole = true,
            Event::Failed(message) => answered.failed = Some(message),
            Event::Stdout(bytes) => answered.stdout.extend_from_slice(&bytes),
            Event::Stderr(bytes) => answered.stderr.extend_from_slice(&bytes),
            Event::Done(done) => {
                answered.outcome = done.outcome;
                answered.usage = done.usage;
                return answered;
            }
        }
    }
}

/// A handler sees the request, and its answer comes whole: head, body, end, and what it printed.
pub async fn handlers_answer_requests(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("handlers_answer_requests", executor, guest);
    let bodies = [Bytes::new(), Bytes::from_static(b"\0\xff text"), Bytes::from(pattern(700_000))];
    for (spec, program) in handlers(&trial, HandlerTask::Echo) {
        for body in &bodies {
            let answered = ask(&trial, spec.clone(), program.clone(), body.clone()).await;
            trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome");
            let Some(head) = answered.head else { trial.fail("there is no head") };
            trial.equal(head.status, 201, "the status");
            let asked = head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-asked"));
            let asked = asked.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            trial.holds(asked.as_deref() == Some("PUT /a/b?c=d&e somebody"), format!("the handler saw {asked:?}"));
            trial.holds(answered.body == *body, "the body of the answer is not that of the request");
            trial.holds(answered.whole && answered.failed.is_none(), "the answer is not said to be whole");
            trial.equal(answered.stdout.as_slice(), b"asked\n", "what it printed");
        }
    }
}

/// A response is held back while nobody reads it, and comes whole.
pub async fn handlers_wait_for_slow_readers(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("handlers_wait_for_slow_readers", executor, guest);
    for (spec, program) in handlers(&trial, HandlerTask::Flood { bytes: FLOOD }) {
        let answered = ask(&trial, spec, program, Bytes::new()).await;
        trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome");
        trial.equal(answered.body.len() as u64, FLOOD, "bytes of the answer");
        trial.holds(answered.body == pattern(answered.body.len()), "the answer changed on its way");
        trial.holds(answered.whole, "the answer is not said to be whole");
    }
}

/// A handler that raises, or ends its process, is a result: nothing is lost, and the sandbox goes on.
pub async fn handlers_that_fail_are_results(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("handlers_that_fail_are_results", executor, guest);
    for (spec, program) in handlers(&trial, HandlerTask::Raise) {
        let answered = ask(&trial, spec, program, Bytes::new()).await;
        trial.equal(answered.outcome, Outcome::Exited { code: 1 }, "the outcome of one that raises");
        trial.holds(!answered.whole && answered.head.is_none(), "one that raises has answered");
        let message = answered.failed.unwrap_or_default();
        trial.holds(message.contains("mine"), format!("the message is {message:?}"));
    }
    for (spec, program) in handlers(&trial, HandlerTask::Exit { code: 3 }) {
        let answered = ask(&trial, spec, program, Bytes::new()).await;
        trial.equal(answered.outcome, Outcome::Exited { code: 3 }, "the outcome of one that ends its process");
        trial.holds(!answered.whole && answered.failed.is_none(), "one that ended its process has answered");
    }
}

/// A handler says that it is loaded before it answers, and one that ends before never says it.
pub async fn handlers_say_that_they_are_loaded(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("handlers_say_that_they_are_loaded", executor, guest);
    for (spec, program) in handlers(&trial, HandlerTask::Echo) {
        let language = spec.language;
        let answered = ask(&trial, spec.clone(), program, Bytes::new()).await;
        trial.holds(answered.loaded && answered.whole, "one that answers was never loaded");
        let ends = language.and_then(|language| trial.guest.script(language, ScriptTask::PrintArguments { exit: 3 }));
        let Some(ends) = ends else { trial.fail("the guest has no program that prints") };
        let ended = ask(&trial, spec, ends, Bytes::new()).await;
        let failed = matches!(ended.outcome, Outcome::Exited { code } if code != 0);
        trial.holds(failed, format!("one that ends while it is loaded gave {:?}", ended.outcome));
        trial.holds(!ended.loaded && ended.head.is_none(), "one that ended before was loaded");
    }
}
