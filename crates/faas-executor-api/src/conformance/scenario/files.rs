//! Files: what persists, what is shared, what is placed, what is refused.

use crate::conformance::trial::file;
use crate::conformance::{Guest, trial::Trial};
use crate::{CallError, Executor, FileIn, Health};
use bytes::Bytes;
use faas_types::Outcome;
use std::sync::Arc;

/// Calls in one sandbox see the files of earlier ones; another sandbox does not.
pub async fn files_belong_to_one_sandbox(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("files_belong_to_one_sandbox", executor, guest);
    let mut one = trial.sandbox().await;
    let mut other = trial.sandbox().await;
    trial.succeed(&mut one, guest.write_file("note", b"one")).await;
    let absent = trial.run(&mut other, guest.read_file("note")).await;
    trial.equal(absent.done.outcome, Outcome::Exited { code: 1 }, "reading another sandbox's file");
    trial.succeed(&mut other, guest.write_file("note", b"other")).await;
    for (sandbox, expected) in [(&mut one, "one"), (&mut other, "other")] {
        let content = trial.succeed(sandbox, guest.read_file("note")).await;
        trial.equal(content.as_str(), expected, "the file's content in a later call");
    }
    trial.destroy(one).await;
    trial.still_works(&mut other).await;
    trial.destroy(other).await;
    let mut later = trial.sandbox().await;
    let absent = trial.run(&mut later, guest.read_file("note")).await;
    trial.equal(absent.done.outcome, Outcome::Exited { code: 1 }, "reading a destroyed sandbox's file");
    trial.destroy(later).await;
}

/// Files passed in are there, whole, beneath the working directory, executable only when asked.
pub async fn files_are_placed_before_the_program_runs(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("files_are_placed_before_the_program_runs", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let content: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let mut command = trial.command(guest.read_file("deeply/nested/π file"));
    command.files = vec![
        file("deeply/nested/π file", content.clone()),
        file("deeply/empty", Bytes::new()),
        FileIn { path: "tool".to_owned(), content: guest.executable_file(), executable: true },
        file("text", guest.executable_file()),
    ];
    let transcript = trial.run_command(&mut sandbox, command).await;
    trial.equal(transcript.done.outcome, Outcome::Exited { code: 0 }, "the outcome of reading a file passed in");
    trial.holds(transcript.stdout == content, "the file's content changed");
    let empty = trial.succeed(&mut sandbox, guest.read_file("deeply/empty")).await;
    trial.equal(empty.as_str(), "", "the content of an empty file");
    let said = trial.succeed(&mut sandbox, vec!["./tool".to_owned()]).await;
    trial.equal(said.as_str(), "ran\n", "what the executable file says");
    let refusal = trial.refusal(&mut sandbox, trial.command(vec!["./text".to_owned()])).await;
    trial.holds(
        matches!(refusal, CallError::NotFound { .. }),
        format!("running a file that is not executable gave {refusal:?}"),
    );

    let mut replacing = trial.command(guest.read_file("deeply/empty"));
    replacing.files = vec![file("deeply/empty", "new")];
    let transcript = trial.run_command(&mut sandbox, replacing).await;
    trial.equal(transcript.text().as_str(), "new", "the content of a file passed in again");
    trial.destroy(sandbox).await;
}

/// Paths that leave the working directory, or are not plain, are refused and nothing runs.
pub async fn malformed_paths_are_refused(executor: Arc<dyn Executor>, guest: &dyn Guest) {
    let trial = Trial::new("malformed_paths_are_refused", executor, guest);
    let mut sandbox = trial.sandbox().await;
    let long_name = "n".repeat(256);
    let long_path = format!("{}x", "d/".repeat(2048));
    let malformed =
        ["../x", "a/../../x", "/abs", "a//b", "a/", "", ".", "./a", "a/.", "nul\0byte", &long_name, &long_path];
    for path in malformed {
        let mut command = trial.command(guest.write_file("ran", b"yes"));
        command.files = vec![file("fine", "x"), file(path, "x")];
        match trial.refusal(&mut sandbox, command).await {
            CallError::File { path: named, .. } => trial.equal(named.as_str(), path, "the path named"),
            other => trial.fail(format!("{path:?} gave {other:?}")),
        }
        trial.equal(sandbox.health(), Health::Ready, "health after a refused file");
    }
    let ran = trial.run(&mut sandbox, guest.read_file("ran")).await;
    trial.equal(ran.done.outcome, Outcome::Exited { code: 1 }, "reading what a refused command would have written");
    trial.destroy(sandbox).await;
}
