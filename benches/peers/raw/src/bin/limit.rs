//! The raw limit of a warm call: axum, a Unix socket, one Python process, and nothing else.
//!
//! `limit PORT PYTHON WORKER one|many` starts the worker with one end of a socket pair as standard
//! input and answers every request with what the worker says. With `one`, a request is written when
//! the one before it is answered, as an instance of a function takes one call at a time; with `many`
//! they do not wait, so that clients keep the worker busy. No sandbox, no limit, no record: what a
//! platform adds is the difference to this.
//!
//! A frame is a length of four bytes, big end first, and that many bytes. The worker ends when its
//! end of the pair is closed.

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::oneshot;

/// The answers that are awaited, oldest first: the worker answers in order.
type Waiting = Arc<Mutex<VecDeque<oneshot::Sender<Vec<u8>>>>>;

struct Worker {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    waiting: Waiting,
    many: bool,
}

impl Worker {
    async fn call(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut frame = u32::try_from(request.len())?.to_be_bytes().to_vec();
        frame.extend_from_slice(request);
        let (sender, answer) = oneshot::channel();
        let mut writer = self.writer.lock().await;
        // In the order of the frames: under the writer's lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(sender);
        writer.write_all(&frame).await?;
        let until_answered = if self.many { None } else { Some(writer) };
        let answer = answer.await.context("the worker ended");
        drop(until_answered);
        answer
    }
}

// One thread: the Python process and the client need the other processors more.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, python, script, at_once] = words.as_slice() else {
        anyhow::bail!("usage: limit PORT PYTHON WORKER one|many");
    };
    let many = match at_once.as_str() {
        "one" => false,
        "many" => true,
        other => anyhow::bail!("{other:?} is neither one nor many"),
    };
    let (ours, theirs) = StdUnixStream::pair()?;
    let mut child = Command::new(python)
        .args(["-I", "-B", script])
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .with_context(|| format!("starting {python}"))?;
    ours.set_nonblocking(true)?;
    let (reader, writer) = UnixStream::from_std(ours)?.into_split();
    let waiting = Waiting::default();
    let reading = tokio::spawn(read_answers(reader, Arc::clone(&waiting)));

    let worker = Arc::new(Worker { writer: tokio::sync::Mutex::new(writer), waiting, many });
    let router = Router::new().fallback(answer).with_state(worker);
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served.context("serving"),
        ended = reading => ended?.context("reading from the worker"),
    }?;
    child.wait()?;
    Ok(())
}

async fn answer(State(worker): State<Arc<Worker>>, path: axum::http::Uri) -> Result<Vec<u8>, StatusCode> {
    worker.call(path.path().as_bytes()).await.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn read_answers(reader: OwnedReadHalf, waiting: Waiting) -> anyhow::Result<()> {
    let mut reader = BufReader::new(reader);
    loop {
        let length = usize::try_from(reader.read_u32().await?)?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await?;
        let sender = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        // A client that has gone away no longer wants its answer.
        let _ = sender.context("the worker answered what nobody asked")?.send(body);
    }
}
