//! Verbs, both ways: what is declared works, what is not declared answers `Unsupported`.

use crate::conformance::{Guest, ScriptTask, trial::Trial};
use crate::{CallError, CreateError, ExecSession, Executor, InputItem, Program, Sandbox, SandboxSpec, Verb};
use bytes::Bytes;
use faas_types::{Outcome, SandboxId};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// How long a paused program is listened to. Waiting longer would only find more liars.
const SILENCE: Duration = Duration::from_millis(100);

pub(super) fn call_unsupported<T>(trial: &Trial<'_>, verb: Verb, answer: Result<T, CallError>) {
    match answer {
        Err(CallError::Unsupported(named)) => trial.equal(named, verb, "the verb named"),
        Err(other) => trial.fail(format!("{verb} is not declared and gave {other:?}")),
        Ok(_) => trial.fail(format!("{verb} is not declared and works")),
    }
}

fn create_unsupported<T>(trial: &Trial<'_>, verb: Verb, answer: Result<T, CreateError>) {
    match answer {
        Err(CreateError::Unsupported(named)) => trial.equal(named, verb, "the verb named"),
        Err(other) => trial.fail(format!("{verb} is not declared and gave {other:?}")),
        Ok(_) => trial.fail(format!("{verb} is not declared and works")),
    }
}

fn works<T, E: Debug>(trial: &Trial<'_>, verb: Verb, answer: Result<T, E>) -> T {
    match answer {
        Ok(value) => value,
        Err(error) => trial.fail(format!("{verb} is declared and gave {error:?}")),
    }
}

/// `exec` is as declared.
pub async fn exec_is_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("exec_is_as_declared", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let answer = trial.within("exec", sandbox.exec(trial.command(guest.print(b"x", b"", 0)))).await;
    if trial.executor.capabilities().offers(Verb::Exec) {
        let transcript = trial.finish(works(&trial, Verb::Exec, answer)).await;
        trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
    } else {
        call_unsupported(&trial, Verb::Exec, answer);
    }
    trial.destroy(sandbox).await;
}

/// `invoke` is as declared, in a sandbox made for a language this host has.
pub async fn invoke_is_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("invoke_is_as_declared", executor, guest);
    let offered = trial.executor.capabilities().offers(Verb::Invoke);
    let script = trial.scripts(ScriptTask::PrintArguments { exit: 0 }).into_iter().next();
    trial.holds(!offered || script.is_some(), "invoke is declared and no runtime is");
    let (language, program) = match script {
        Some((language, program)) => (Some(language), program),
        None => (None, Program { code: Bytes::from_static(b"1"), name: "main".to_owned() }),
    };
    let mut sandbox = trial.create(SandboxSpec { language, ..trial.spec() }).await;
    let answer = trial.within("invoke", sandbox.invoke(trial.invocation(program, &[]))).await;
    if offered {
        let transcript = trial.finish(works(&trial, Verb::Invoke, answer)).await;
        trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
    } else {
        call_unsupported(&trial, Verb::Invoke, answer);
    }
    trial.destroy(sandbox).await;
}

/// `pause` and `resume` are as declared: a paused program says nothing, a resumed one goes on.
pub async fn pause_is_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("pause_is_as_declared", executor, guest);
    let (pauses, resumes) = {
        let capabilities = trial.executor.capabilities();
        (capabilities.offers(Verb::Pause), capabilities.offers(Verb::Resume))
    };
    trial.equal(pauses, resumes, "pause is declared as resume is");
    let mut sandbox = trial.sandbox().await;
    if !pauses {
        let answer = trial.within("pause", sandbox.pause()).await;
        call_unsupported(&trial, Verb::Pause, answer);
        let answer = trial.within("resume", sandbox.resume()).await;
        call_unsupported(&trial, Verb::Resume, answer);
        trial.destroy(sandbox).await;
        return;
    }
    let ExecSession { input, mut events } = trial.start(&mut sandbox, trial.command(guest.echo_stdin())).await;
    let send = async |text: &'static str| {
        let sent = trial.within("stdin", input.send(InputItem::Stdin(Bytes::from_static(text.as_bytes())))).await;
        trial.equal(sent, Ok(()), "stdin of a running program");
    };
    send("before").await;
    trial.stdout_of(&mut events, "before".len()).await;
    works(&trial, Verb::Pause, trial.within("pause", sandbox.pause()).await);
    send("during").await;
    if let Ok(event) = tokio::time::timeout(SILENCE, events.next()).await {
        trial.fail(format!("a paused program gave {event:?}"));
    }
    works(&trial, Verb::Resume, trial.within("resume", sandbox.resume()).await);
    let said = trial.stdout_of(&mut events, "during".len()).await;
    trial.equal(said.as_slice(), b"during", "what a resumed program says");
    drop(input);
    let transcript = trial.rest(&mut events).await;
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
    trial.destroy(sandbox).await;
}

/// `checkpoint`, `restore` and `branch` are as declared: the files of the saved moment, apart.
pub async fn saved_state_is_as_declared(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("saved_state_is_as_declared", executor, guest);
    let offers = |verb| trial.executor.capabilities().offers(verb);
    let mut source = trial.sandbox().await;
    trial.succeed(&mut source, guest.write_file("note", b"saved")).await;
    let answer = trial.within("checkpoint", source.checkpoint()).await;
    let snapshot = if offers(Verb::Checkpoint) {
        works(&trial, Verb::Checkpoint, answer)
    } else {
        call_unsupported(&trial, Verb::Checkpoint, answer);
        trial
            .holds(!offers(Verb::Restore) && !offers(Verb::Branch), "restore or branch is declared without checkpoint");
        String::new()
    };
    if offers(Verb::Checkpoint) {
        if offers(Verb::Resume) {
            works(&trial, Verb::Resume, trial.within("resume", source.resume()).await);
        }
        trial.succeed(&mut source, guest.write_file("note", b"later")).await;
    }
    let id = SandboxId::generate();
    let answer = trial.within("restore", trial.executor.restore(&snapshot, id)).await;
    if offers(Verb::Restore) {
        let restored = works(&trial, Verb::Restore, answer);
        started_from_saved(&trial, restored, id).await;
    } else {
        create_unsupported(&trial, Verb::Restore, answer);
    }
    let ids = [SandboxId::generate(), SandboxId::generate()];
    let answer = trial.within("branch", trial.executor.branch(&snapshot, &ids)).await;
    if offers(Verb::Branch) {
        let branches = works(&trial, Verb::Branch, answer);
        trial.equal(branches.len(), ids.len(), "the number of branches");
        for (branch, id) in branches.into_iter().zip(ids) {
            started_from_saved(&trial, branch, id).await;
        }
    } else {
        create_unsupported(&trial, Verb::Branch, answer);
    }
    trial.destroy(source).await;
}

/// It has its own id and the saved file, and what it writes is its own.
async fn started_from_saved(trial: &Trial<'_>, mut sandbox: Box<dyn Sandbox>, id: SandboxId) {
    trial.equal(sandbox.id(), id, "the id of a sandbox from a saved state");
    let content = trial.succeed(&mut sandbox, trial.guest.read_file("note")).await;
    trial.equal(content.as_str(), "saved", "the file of the saved moment");
    trial.succeed(&mut sandbox, trial.guest.write_file("note", b"of a sibling")).await;
    trial.destroy(sandbox).await;
}
