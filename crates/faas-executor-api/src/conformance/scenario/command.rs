//! Commands: how programs are found, what they are given, what is refused.

use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, Executor, Health, InputItem};
use bytes::Bytes;
use faas_types::Outcome;
use std::sync::Arc;

/// A program that does not exist is named, and nothing else happens.
pub async fn missing_program_is_named(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("missing_program_is_named", executor, guest);
    let mut sandbox = trial.sandbox().await;
    for missing in ["/nonexistent/program", "no-such-program", "./missing", "/usr/bin"] {
        let refusal = trial.refusal(&mut sandbox, trial.command(vec![missing.to_owned()])).await;
        match refusal {
            CallError::NotFound { program, .. } => trial.equal(program.as_str(), missing, "the program named"),
            other => trial.fail(format!("{missing:?} gave {other:?}")),
        }
        trial.equal(sandbox.health(), Health::Ready, "health after a program that was not found");
    }
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}

/// A bare name is searched in the environment's PATH, else in the usual directories.
pub async fn bare_names_are_searched(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("bare_names_are_searched", executor, guest);
    let mut sandbox = trial.sandbox().await;
    for (path, found) in [(None, true), (Some("/nonexistent:/usr/bin"), true), (Some("/nonexistent"), false)] {
        let mut command = trial.command(guest.bare_program());
        command.env = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
        if found {
            let transcript = trial.run_command(&mut sandbox, command).await;
            trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome");
        } else {
            let refusal = trial.refusal(&mut sandbox, command).await;
            trial.holds(matches!(refusal, CallError::NotFound { .. }), format!("PATH={path:?} gave {refusal:?}"));
        }
    }
    trial.destroy(sandbox).await;
}

/// The environment is exactly what was given: nothing added, nothing of the host's.
pub async fn environment_is_exactly_what_was_given(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("environment_is_exactly_what_was_given", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let given = [("GREETING", "two words"), ("EMPTY", ""), ("π", "a=b"), ("lower", "x")];
    for count in [0, given.len()] {
        let mut command = trial.command(guest.print_environment());
        command.env = given[..count].iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = trial.run_command(&mut sandbox, command).await.text();
        let mut seen: Vec<&str> = text.lines().collect();
        seen.sort_unstable();
        let mut expected: Vec<String> = given[..count].iter().map(|(name, value)| format!("{name}={value}")).collect();
        expected.sort_unstable();
        trial.equal(seen, expected.iter().map(String::as_str).collect(), "the environment");
    }
    trial.destroy(sandbox).await;
}

/// While one call runs a second is refused, and the first does not notice.
pub async fn second_call_while_one_runs_is_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("second_call_while_one_runs_is_refused", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let session = trial.start(&mut sandbox, trial.command(guest.echo_stdin())).await;
    let refusal = trial.refusal(&mut sandbox, trial.command(guest.print(b"", b"", 0))).await;
    trial.holds(matches!(refusal, CallError::Invalid { .. }), format!("a second call gave {refusal:?}"));
    let sent = trial.within("stdin", session.input.send(InputItem::Stdin(Bytes::from_static(b"still here")))).await;
    trial.equal(sent, Ok(()), "stdin of the first call");
    let transcript = trial.finish(session).await;
    trial.equal(transcript.text().as_str(), "still here", "stdout of the first call");
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome of the first call");
    // Once Done was read the next call is taken at once.
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}

/// Calls no program can be given are refused, and nothing runs.
pub async fn malformed_commands_are_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("malformed_commands_are_refused", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let mut with_nul = guest.print(b"", b"", 0);
    with_nul.push("a\0b".to_owned());
    let mut nameless = trial.command(guest.print(b"", b"", 0));
    nameless.env = vec![(String::new(), "x".to_owned())];
    let mut too_large = trial.command(guest.print(b"", b"", 0));
    too_large.env = vec![("A".to_owned(), "x".repeat(crate::MAX_ARGUMENT_BYTES))];
    let commands =
        [trial.command(Vec::new()), trial.command(vec![String::new()]), trial.command(with_nul), nameless, too_large];
    for (index, command) in commands.into_iter().enumerate() {
        let refusal = trial.refusal(&mut sandbox, command).await;
        trial
            .holds(matches!(refusal, CallError::Invalid { .. }), format!("malformed command {index} gave {refusal:?}"));
    }
    trial.still_works(&mut sandbox).await;
    trial.destroy(sandbox).await;
}
