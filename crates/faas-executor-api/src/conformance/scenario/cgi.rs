//! CGI programs: asked once, they answer, fail, or say what is no answer.

use super::handler::answered;
use crate::conformance::trial::pattern;
use crate::conformance::{CgiTask, Guest, trial::Trial};
use crate::{Event, ExecSession, Executor, Program, SandboxSpec, Verb};
use bytes::Bytes;
use faas_types::Outcome;
use std::sync::Arc;

/// More than is under way at once.
const FLOOD: u64 = 3 << 20;

/// A sandbox and a program for each language that has one for this task.
fn programs(trial: &Trial<'_>, task: CgiTask) -> Vec<(SandboxSpec, Program)> {
    let capabilities = trial.executor.capabilities();
    if !capabilities.offers(Verb::Invoke) {
        trial.skip("this executor does not offer invoke");
        return Vec::new();
    }
    let languages = capabilities.runtimes.iter().map(|runtime| runtime.language);
    let programs = languages.filter_map(|language| Some((language, trial.guest.cgi(language, task)?)));
    programs.map(|(language, program)| (SandboxSpec { language: Some(language), ..trial.spec() }, program)).collect()
}

/// A CGI program sees the request, and its answer comes whole: head, body and end.
pub async fn cgi_answers_requests(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("cgi_answers_requests", executor, guest);
    let bodies = [Bytes::new(), Bytes::from_static(b"\0\xff text"), Bytes::from(pattern(700_000))];
    for (spec, program) in programs(&trial, CgiTask::Echo) {
        for body in &bodies {
            let call = trial.cgi_request(program.clone(), body.clone());
            let answered = answered(&trial, spec.clone(), call).await;
            let language = format!("{:?}", spec.language);
            trial.equal(answered.outcome, Outcome::Exited { code: 0 }, &language);
            let Some(head) = answered.head else { trial.fail(format!("{language}: there is no head")) };
            trial.equal(head.status, 201, &language);
            let asked = head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-asked"));
            let asked = asked.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            let seen = asked.as_deref() == Some("PUT /a/b?c=d&e somebody");
            trial.holds(seen, format!("{language}: the program saw {asked:?}"));
            trial.holds(answered.body == *body, format!("{language}: the body is not that of the request"));
            trial.holds(answered.whole && answered.failed.is_none(), format!("{language}: the answer is not whole"));
            trial.equal(answered.stderr.as_slice(), b"asked\n", "what it wrote to stderr");
            trial.equal(answered.stdout.len(), 0, "bytes of stdout, which is the answer");
        }
    }
}

/// The first piece of an answer comes while its program runs, and a long one waits for its reader and comes whole.
pub async fn cgi_streams(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("cgi_streams", executor, guest);
    for (spec, program) in programs(&trial, CgiTask::Start) {
        let mut sandbox = trial.create(spec).await;
        let call = trial.cgi_request(program, Bytes::from_static(b"never read"));
        let ExecSession { input, mut events } = trial.invoke(&mut sandbox, call).await;
        let mut body = Vec::new();
        while body.len() < b"ready\n".len() {
            match trial.next(&mut events).await {
                Event::ResponseHead(head) => trial.equal(head.status, 200, "the status"),
                Event::Body(bytes) => body.extend_from_slice(&bytes),
                other => trial.fail(format!("after {} bytes of the answer came {other:?}", body.len())),
            }
        }
        trial.equal(body.as_slice(), b"ready\n", "the first piece");
        drop((input, events));
        trial.destroy(sandbox).await;
    }
    for (spec, program) in programs(&trial, CgiTask::Flood { bytes: FLOOD }) {
        let answered = answered(&trial, spec, trial.cgi_request(program, Bytes::new())).await;
        trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome");
        trial.equal(answered.body.len() as u64, FLOOD, "bytes of the answer");
        trial.holds(answered.body == pattern(answered.body.len()), "the answer changed on its way");
        trial.holds(answered.whole, "the answer is not said to be whole");
    }
}

/// A CGI program that fails before it has answered is a result: nothing is lost, and the sandbox goes on.
pub async fn cgi_that_fails_is_a_result(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("cgi_that_fails_is_a_result", executor, guest);
    for (spec, program) in programs(&trial, CgiTask::Fail) {
        let language = format!("{:?}", spec.language);
        let answered = answered(&trial, spec, trial.cgi_request(program, Bytes::new())).await;
        let failed = matches!(answered.outcome, Outcome::Exited { code } if code != 0);
        trial.holds(failed, format!("{language}: the outcome is {:?}", answered.outcome));
        trial.holds(!answered.whole && answered.head.is_none(), format!("{language}: one that failed has answered"));
        trial
            .holds(answered.failed.is_some_and(|message| !message.is_empty()), format!("{language}: nothing says why"));
    }
}

/// What is no answer ends the program, however long it would go on, and is said to be its failure.
pub async fn cgi_output_that_is_no_answer_is_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("cgi_output_that_is_no_answer_is_refused", executor, guest);
    for (spec, program) in programs(&trial, CgiTask::Malformed) {
        let answered = answered(&trial, spec, trial.cgi_request(program, Bytes::new())).await;
        trial.equal(answered.outcome, Outcome::Exited { code: 1 }, "the outcome");
        trial.holds(!answered.whole && answered.head.is_none(), "what is no answer was passed on");
        let message = answered.failed.unwrap_or_default();
        trial.holds(message.contains("header"), format!("the message is {message:?}"));
    }
}

/// A program whose first line names an interpreter is run by that, whatever its language is said to be.
pub async fn cgi_runs_executable_scripts(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("cgi_runs_executable_scripts", executor, guest);
    for (spec, program) in programs(&trial, CgiTask::Executable) {
        let answered = answered(&trial, spec, trial.cgi_request(program, Bytes::new())).await;
        trial.equal(answered.outcome, Outcome::Exited { code: 0 }, "the outcome");
        trial.equal(answered.body.as_slice(), b"ran\n", "the answer");
        trial.holds(answered.whole, "the answer is not said to be whole");
    }
}
