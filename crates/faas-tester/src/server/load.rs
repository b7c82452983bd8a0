//! One execution as a client sees it, and what it may say of it afterwards.

use super::{CallError, Connection, EXECUTIONS, Frame, Frames, open_socket, text_frame};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt as _;

/// What became of one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was waited for, and this is its record.
    Ended(Value),
    /// It was accepted under this id.
    Accepted(String),
    /// The server said that it was not taken, or there was nobody to take it.
    NotTaken(String),
    /// The connection ended before an answer.
    Unknown(String),
    /// What no server of ours may do: a cut answer, another status.
    Wrong(String),
}

/// A client that keeps its connection while it can.
#[derive(Debug, Default)]
pub struct Client {
    connection: Option<(SocketAddr, Connection)>,
}

impl Client {
    /// One request to execute `body`.
    pub async fn execute(&mut self, address: SocketAddr, headers: &[(&str, &str)], body: &Value) -> Outcome {
        let mut connection = match self.connection.take() {
            Some((known, connection)) if known == address => connection,
            _ => match Connection::open(address).await {
                Ok(connection) => connection,
                Err(error) => return Outcome::NotTaken(error.to_string()),
            },
        };
        match connection.call("POST", EXECUTIONS, headers, Some(body)).await {
            Ok(answer) => {
                if answer.head.header("connection") != Some("close") {
                    self.connection = Some((address, connection));
                }
                match (answer.status(), answer.text("code").as_str()) {
                    (200, _) => Outcome::Ended(answer.json()),
                    (202, _) => Outcome::Accepted(answer.text("id")),
                    (503, "stopping") => Outcome::NotTaken("stopping".to_owned()),
                    (status, _) => Outcome::Wrong(format!("{status} {}", String::from_utf8_lossy(&answer.body))),
                }
            }
            Err(error @ CallError::NoAnswer(_)) => Outcome::Unknown(error.to_string()),
            Err(error) => Outcome::Wrong(error.to_string()),
        }
    }

    /// Ends its connection.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }
}

/// Events over a WebSocket.
#[derive(Debug)]
pub struct Socket {
    connection: Connection,
    frames: Frames,
}

impl Socket {
    /// Asks for an execution whose events are streamed.
    ///
    /// # Errors
    /// The server does not switch protocols.
    pub async fn execute(address: SocketAddr, body: &Value) -> Result<Self, CallError> {
        let mut connection = open_socket(address, "/api/v1/execute/stream").await?;
        text_frame(&mut connection, &body.to_string()).await.map_err(CallError::Cut)?;
        Ok(Self { connection, frames: Frames::default() })
    }

    /// The next frame.
    ///
    /// # Errors
    /// The connection ended without a closing frame.
    pub async fn next(&mut self) -> io::Result<Frame> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Ok(frame);
            }
            let mut piece = [0; 16 << 10];
            match self.connection.stream().read(&mut piece).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.frames.push(&piece[..count]),
            }
        }
    }

    /// Reads to the end and answers what became of the execution: what was started has to complete.
    pub async fn outcome(mut self) -> Outcome {
        let mut started = false;
        loop {
            let event = match self.next().await {
                Ok(Frame::Text(text)) => serde_json::from_str::<Value>(&text).unwrap_or_default(),
                Ok(Frame::Other(_)) => continue,
                Ok(Frame::Close(code, reason)) if started => {
                    return Outcome::Wrong(format!("closed with {code} {reason:?} after it had started"));
                }
                Ok(Frame::Close(code, reason)) => return Outcome::NotTaken(format!("closed with {code} {reason:?}")),
                Err(error) if started => return Outcome::Wrong(format!("cut after it had started: {error}")),
                Err(error) => return Outcome::Unknown(error.to_string()),
            };
            match event["type"].as_str() {
                Some("started") => started = true,
                Some("output") => {}
                Some("complete") => return Outcome::Ended(event["execution"].clone()),
                Some("error") if !started && event["code"] == "stopping" => {
                    return Outcome::NotTaken("stopping".to_owned());
                }
                _ => return Outcome::Wrong(format!("the event {event}")),
            }
        }
    }
}
