//! What a program prints, and which processes there are: for tests of spares and of zygotes.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

use faas_executor_api::{Done, Event, Invocation, Sandbox};

/// Runs a program to its end: what it printed, and how it ended.
pub(crate) async fn ran(sandbox: &mut dyn Sandbox, call: Invocation) -> (String, Done) {
    let mut session = sandbox.invoke(call).await.expect("a call");
    drop(session.input);
    let mut output = Vec::new();
    loop {
        match session.events.next().await.expect("an end") {
            Event::Stdout(bytes) | Event::Stderr(bytes) => output.extend_from_slice(&bytes),
            Event::Done(done) => return (String::from_utf8_lossy(&output).into_owned(), done),
            _ => {}
        }
    }
}

/// The processes that a process has started and that live.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    // Each thread has its own.
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    texts.flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}
