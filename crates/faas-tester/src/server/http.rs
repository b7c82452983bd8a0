//! HTTP/1.1 as a careful client speaks it, telling apart how far a request came.

use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// How much is read at once. Small, so that a reader that stops leaves the rest to the server.
const BUFFER: usize = 16 << 10;

/// How far a request came before it failed.
#[derive(Debug)]
pub enum CallError {
    /// There was no connection: nobody took it.
    NotConnected(io::Error),
    /// The connection ended before the first byte of an answer: it may have been taken or not.
    NoAnswer(io::Error),
    /// The connection ended within the answer.
    Cut(io::Error),
    /// The answer is not HTTP.
    NotHttp(String),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnected(error) => write!(formatter, "not connected: {error}"),
            Self::NoAnswer(error) => write!(formatter, "the connection ended before an answer: {error}"),
            Self::Cut(error) => write!(formatter, "the connection ended within the answer: {error}"),
            Self::NotHttp(what) => write!(formatter, "not HTTP: {what}"),
        }
    }
}

impl std::error::Error for CallError {}

/// The beginning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header field; `name` is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its beginning.
    pub head: Head,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Its status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.head.status
    }

    /// Its body as JSON; `Null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A text of its JSON body, empty when it is not there.
    #[must_use]
    pub fn text(&self, field: &str) -> String {
        self.json().get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

/// What of the body is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Bytes(u64),
    Chunks,
}

/// One connection, used for one request after another.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
    rest: Rest,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`CallError::NotConnected`].
    pub async fn open(address: SocketAddr) -> Result<Self, CallError> {
        let stream = TcpStream::connect(address).await.map_err(CallError::NotConnected)?;
        stream.set_nodelay(true).map_err(CallError::NotConnected)?;
        let stream = BufReader::with_capacity(BUFFER, stream);
        Ok(Self { stream, host: address.to_string(), rest: Rest::Nothing })
    }

    /// One request and its whole answer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, CallError> {
        self.send(method, path, headers, body).await?;
        let head = self.head().await?;
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(Answer { head, body: whole })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`].
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<(), CallError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&body);
        // A server that refuses early may close before it has read all: its answer is still there.
        drop(self.stream.write_all(text.as_bytes()).await);
        Ok(())
    }

    /// The beginning of the answer. What follows comes by [`Connection::piece`].
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn head(&mut self) -> Result<Head, CallError> {
        let first = self.line().await.map_err(CallError::NoAnswer)?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or(CallError::NotHttp(first))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await.map_err(CallError::Cut)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let head = Head { status, headers };
        self.rest = if head.header("transfer-encoding") == Some("chunked") {
            Rest::Chunks
        } else {
            let length = head.header("content-length").and_then(|length| length.parse().ok());
            length.filter(|length| *length > 0).map_or(Rest::Nothing, Rest::Bytes)
        };
        Ok(head)
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// [`CallError::Cut`], [`CallError::NotHttp`].
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        match self.rest {
            Rest::Nothing => Ok(None),
            Rest::Bytes(left) => {
                let most = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER);
                let mut piece = vec![0; most];
                let count = self.stream.read(&mut piece).await.map_err(CallError::Cut)?;
                if count == 0 {
                    return Err(CallError::Cut(io::ErrorKind::UnexpectedEof.into()));
                }
                piece.truncate(count);
                let left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                self.rest = if left == 0 { Rest::Nothing } else { Rest::Bytes(left) };
                Ok(Some(piece))
            }
            Rest::Chunks => {
                let line = self.line().await.map_err(CallError::Cut)?;
                let size = usize::from_str_radix(&line, 16).map_err(|_| CallError::NotHttp(line))?;
                let mut piece = vec![0; size];
                self.stream.read_exact(&mut piece).await.map_err(CallError::Cut)?;
                self.line().await.map_err(CallError::Cut)?;
                if size == 0 {
                    self.rest = Rest::Nothing;
                    return Ok(None);
                }
                Ok(Some(piece))
            }
        }
    }

    /// The connection itself, for what is not HTTP any more or for a reader that is slow.
    pub const fn stream(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 || !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A connection to somebody who answers each request so and then closes.
    async fn answered(answer: &'static str) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        Connection::open(address).await.unwrap()
    }

    async fn call(answer: &'static str) -> Result<Answer, CallError> {
        answered(answer).await.call("GET", "/", &[], None).await
    }

    #[tokio::test]
    async fn bodies_of_both_kinds_are_read() {
        let sized = call("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nA: b\r\n\r\n{\"a\":1}").await.unwrap();
        assert_eq!((sized.status(), sized.head.header("a")), (200, Some("b")));
        assert_eq!(sized.json(), serde_json::json!({"a": 1}));
        let chunked = "HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let chunked = call(chunked).await.unwrap();
        assert_eq!((chunked.status(), chunked.body.as_slice()), (503, b"abcd".as_slice()));
    }

    #[tokio::test]
    async fn it_is_told_how_far_a_request_came() {
        assert!(matches!(call("").await, Err(CallError::NoAnswer(_))));
        assert!(matches!(call("HTTP/1.1 200 OK\r\n").await, Err(CallError::Cut(_))));
        assert!(matches!(call("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await, Err(CallError::Cut(_))));
        let cut = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n";
        assert!(matches!(call(cut).await, Err(CallError::Cut(_))));
        assert!(matches!(call("SSH-2.0\r\n").await, Err(CallError::NotHttp(_))));
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert!(matches!(Connection::open(closed).await, Err(CallError::NotConnected(_))));
    }
}
