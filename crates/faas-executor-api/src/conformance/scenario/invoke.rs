//! Calls of user code, in each language this host has.

use crate::conformance::trial::file;
use crate::conformance::{Guest, ScriptTask, trial::Trial};
use crate::{CallError, ExecSession, Executor, Health, InputItem, Program, SandboxSpec, Verb};
use bytes::Bytes;
use faas_types::{Language, Outcome};
use std::sync::Arc;

/// The languages to try; empty, and said so, where user code cannot be called.
fn scripts(trial: &Trial<'_>, task: ScriptTask) -> Vec<(SandboxSpec, Program)> {
    if !trial.executor.capabilities().offers(Verb::Invoke) {
        trial.skip("this executor does not offer invoke");
        return Vec::new();
    }
    let of_language = |language: Language| SandboxSpec { language: Some(language), ..trial.spec() };
    trial.scripts(task).into_iter().map(|(language, program)| (of_language(language), program)).collect()
}

/// A script gets its arguments, its files are placed, and its exit code is the outcome.
pub async fn scripts_get_arguments_and_exit(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("scripts_get_arguments_and_exit", executor, guest);
    for (spec, program) in scripts(&trial, ScriptTask::PrintArguments { exit: 7 }) {
        let mut sandbox = trial.create(spec).await;
        let mut call = trial.invocation(program, &["one", "two words", "", "π", "-x"]);
        call.files = vec![file("data/in.txt", "passed in")];
        let session = trial.invoke(&mut sandbox, call).await;
        let transcript = trial.finish(session).await;
        trial.equal(transcript.text().as_str(), "one\ntwo words\n\nπ\n-x\n", "the arguments");
        trial.equal(transcript.done.outcome, Outcome::Exited { code: 7 }, "the outcome");
        trial.equal(sandbox.health(), Health::Ready, "health afterwards");
        let content = trial.succeed(&mut sandbox, guest.read_file("data/in.txt")).await;
        trial.equal(content.as_str(), "passed in", "a file passed to the script");
        trial.destroy(sandbox).await;
    }
}

/// A script's stdin is the session's input.
pub async fn scripts_read_stdin(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("scripts_read_stdin", executor, guest);
    for (spec, program) in scripts(&trial, ScriptTask::EchoStdin) {
        let mut sandbox = trial.create(spec).await;
        let ExecSession { input, mut events } = trial.invoke(&mut sandbox, trial.invocation(program, &[])).await;
        for piece in [b"text\n".as_slice(), b"\0\xff"] {
            let sent = trial.within("stdin", input.send(InputItem::Stdin(Bytes::copy_from_slice(piece)))).await;
            trial.equal(sent, Ok(()), "stdin of a running script");
        }
        drop(input);
        let transcript = trial.rest(&mut events).await;
        trial.equal(transcript.stdout.as_slice(), b"text\n\0\xff", "the echo");
        trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
        trial.destroy(sandbox).await;
    }
}

/// The deadline ends a script that ignores SIGTERM.
pub async fn deadline_ends_scripts(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("deadline_ends_scripts", executor, guest);
    for (spec, program) in scripts(&trial, ScriptTask::SleepForever) {
        let mut sandbox = trial.create(spec).await;
        let session = trial.invoke(&mut sandbox, trial.doomed_invocation(program)).await;
        let transcript = trial.finish(session).await;
        trial.equal(transcript.done.outcome, Outcome::TimedOut, "the outcome");
        trial.equal(transcript.text().as_str(), "ready\n", "what it said before");
        trial.equal(sandbox.health(), Health::Unrecoverable, "health afterwards");
        trial.destroy(sandbox).await;
    }
}

/// Code that is empty, too large or not text is refused, and nothing runs.
pub async fn malformed_code_is_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("malformed_code_is_refused", executor, guest);
    for (spec, program) in scripts(&trial, ScriptTask::EchoStdin) {
        let mut sandbox = trial.create(spec).await;
        let malformed = [
            Program { code: Bytes::new(), ..program.clone() },
            Program { code: Bytes::from_static(b"a\0b"), ..program.clone() },
            Program { code: Bytes::from_static(b"\xff\xfe"), ..program.clone() },
            Program { code: Bytes::from(vec![b'#'; crate::MAX_CODE_BYTES + 1]), ..program.clone() },
            Program { name: "../main".to_owned(), ..program },
        ];
        for (index, program) in malformed.into_iter().enumerate() {
            match trial.within("invoke", sandbox.invoke(trial.invocation(program, &[]))).await {
                Err(CallError::Invalid { .. }) => {}
                Err(other) => trial.fail(format!("malformed program {index} gave {other:?}")),
                Ok(_) => trial.fail(format!("malformed program {index} was not refused")),
            }
        }
        trial.equal(sandbox.health(), Health::Ready, "health after refused code");
        trial.destroy(sandbox).await;
    }
}
