//! A change of a function that tells what it does until it is done.
//!
//! What is refused before anything was told is answered as everywhere, with its own status. A reader that goes
//! away or stays behind changes nothing about the change.

use super::deliver::{Manner, deliver};
use super::frame::named;
use super::source::{event_stream, patience};
use crate::ApiError;
use axum::response::Response;
use bytes::Bytes;
use faas_api_model::{FunctionAnswer, ProgressEvent};
use faas_orchestrator::Progress;
use faas_types::ErrorCode;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{self, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Lines that wait for a reader; what comes above is left out, for whoever installs must not wait.
const LINES: usize = 1024;

/// The change, and what it tells.
pub(crate) struct Told {
    change: BoxFuture<'static, Result<FunctionAnswer, ApiError>>,
    lines: mpsc::Receiver<ProgressEvent>,
    /// What became of the change, until every line before it was told.
    answer: Option<Result<FunctionAnswer, ApiError>>,
    over: bool,
}

/// What comes next.
enum Next {
    Line(ProgressEvent),
    Done(Result<FunctionAnswer, ApiError>),
}

impl Told {
    /// A change that is given where to tell what it does.
    pub(crate) fn new<F>(change: impl FnOnce(Progress) -> F) -> Self
    where
        F: Future<Output = Result<FunctionAnswer, ApiError>> + Send + 'static,
    {
        let (sender, lines) = mpsc::channel(LINES);
        let progress: Progress = Arc::new(move |phase, line| {
            // Without a reader, and with one that is far behind, it is told to nobody.
            let _ = sender.try_send(ProgressEvent { phase: phase.as_str().to_owned(), line: line.to_owned() });
        });
        Self { change: Box::pin(change(progress)), lines, answer: None, over: false }
    }

    /// The answer: events from the first line on, `function` or `error` at their end.
    pub(crate) async fn respond(mut self, write_timeout: Duration) -> Result<Response, ApiError> {
        let first = match self.next().await {
            Next::Line(line) => progress(&line),
            Next::Done(answer) => {
                self.over = true;
                named(None, "function", &answer?)
            }
        };
        let manner = Manner {
            patience: patience(write_timeout),
            too_slow: Some(failed(&too_slow())),
            keep_alive: Some(Bytes::from_static(b": still here\n\n")),
        };
        let events = stream::once(ready(first)).chain(stream::unfold(self, Self::event));
        Ok(event_stream(deliver(events, manner)))
    }

    async fn event(mut self) -> Option<(Bytes, Self)> {
        if self.over {
            return None;
        }
        let event = match self.next().await {
            Next::Line(line) => progress(&line),
            Next::Done(answer) => {
                self.over = true;
                match answer {
                    Ok(function) => named(None, "function", &function),
                    Err(error) => failed(&error),
                }
            }
        };
        Some((event, self))
    }

    async fn next(&mut self) -> Next {
        loop {
            if let Ok(line) = self.lines.try_recv() {
                return Next::Line(line);
            }
            if let Some(answer) = self.answer.take() {
                return Next::Done(answer);
            }
            tokio::select! {
                biased;
                Some(line) = self.lines.recv() => return Next::Line(line),
                answer = &mut self.change => self.answer = Some(answer),
            }
        }
    }
}

fn progress(line: &ProgressEvent) -> Bytes {
    named(None, "progress", line)
}

fn failed(error: &ApiError) -> Bytes {
    named(None, "error", &error.problem(None))
}

fn too_slow() -> ApiError {
    let detail = "this reader stayed behind and was cut off; the change goes on: look at the function";
    ApiError::new(ErrorCode::ReaderTooSlow, detail)
}

#[cfg(test)]
mod tests {
    use super::Told;
    use crate::ApiError;
    use axum::body::to_bytes;
    use axum::response::Response;
    use faas_api_model::FunctionAnswer;
    use faas_orchestrator::{Phase, Progress};
    use faas_types::ErrorCode;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(45);

    fn failing(log: &str) -> Result<FunctionAnswer, ApiError> {
        let mut error = ApiError::new(ErrorCode::BuildFailed, "it could not be built").field("dependencies");
        error.log = Some(log.to_owned());
        Err(error)
    }

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("whole");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn lines_come_as_they_are_said_and_the_problem_at_the_end() {
        let told = Told::new(|progress: Progress| async move {
            progress(Phase::Resolving, "one");
            tokio::task::yield_now().await;
            progress(Phase::Building, "two");
            failing("one\ntwo\n")
        });
        let response = told.respond(PATIENCE).await.expect("events");
        assert_eq!(response.status(), 200);
        let said = text(response).await;
        let events: Vec<&str> = said.trim_end().split("\n\n").collect();
        let [one, two, error] = events.as_slice() else { panic!("{said}") };
        assert_eq!(*one, "event: progress\ndata: {\"phase\":\"resolving\",\"line\":\"one\"}");
        assert_eq!(*two, "event: progress\ndata: {\"phase\":\"building\",\"line\":\"two\"}");
        let problem = error.strip_prefix("event: error\ndata: ").expect("an error");
        let problem: serde_json::Value = serde_json::from_str(problem).expect("JSON");
        assert_eq!(problem["code"], "build_failed");
        assert_eq!((&problem["field"], &problem["log"]), (&"dependencies".into(), &"one\ntwo\n".into()));
        assert_eq!(problem["status"], crate::problem::status_of(ErrorCode::BuildFailed).as_u16());
    }

    #[tokio::test]
    async fn what_is_refused_before_a_line_keeps_its_status() {
        let told = Told::new(|_: Progress| async { failing("") });
        assert_eq!(told.respond(PATIENCE).await.expect_err("refused").code, ErrorCode::BuildFailed);
    }

    #[tokio::test]
    async fn a_flood_of_lines_neither_waits_nor_piles_up() {
        let told = Told::new(|progress: Progress| async move {
            for _ in 0..100_000 {
                progress(Phase::Building, "line");
            }
            failing("")
        });
        let said = text(told.respond(PATIENCE).await.expect("events")).await;
        let lines = said.matches("event: progress").count();
        assert!((1..=super::LINES).contains(&lines), "{lines}");
        assert!(said.contains("event: error"), "the end is never left out");
    }
}
