//! One execution over WebSocket: its input goes in while its output comes out.
//!
//! The first frame is the request; binary frames are standard input, text frames are
//! [`ClientFrame`]s; what comes back are the stream's events.

use crate::connect::Connection;
use crate::{Client, ClientError, Event, answer, event};
use bytes::Bytes;
use faas_api_model::{ClientFrame, ExecuteBody};
use faas_types::{ErrorCode, ExecutionId};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::header::AUTHORIZATION;
use serde::Serialize;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

const PATH: &str = "/api/v1/execute/stream";
/// The largest frame that is accepted.
const FRAME_BYTES: usize = answer::ANSWER_BYTES;
/// What is read and collected for writing at once.
const BUFFER_BYTES: usize = 64 * 1024;

type Socket = WebSocketStream<Connection>;

/// A running execution. Dropping it ends the connection, and with it the execution, unless the
/// request said that it goes on without its caller.
#[derive(Debug)]
pub struct Interactive {
    client: Client,
    stream: SplitStream<Socket>,
    id: Option<ExecutionId>,
    ended: bool,
}

/// The way in to a running execution.
#[derive(Debug)]
pub struct Input {
    sink: SplitSink<Socket, Message>,
}

impl Client {
    /// Runs a program whose standard input is sent while its output arrives.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn run_interactive(&self, body: &ExecuteBody) -> Result<(Interactive, Input), ClientError> {
        // Before the server waits for it.
        let request = text(body)?;
        let connecting = self.open_socket();
        let patience = self.timeouts.answer;
        let mut socket = match tokio::time::timeout(patience, connecting).await {
            Ok(socket) => socket?,
            Err(_) => return Err(ClientError::lost(&format!("no answer within {patience:?}"))),
        };
        socket.send(request).await.map_err(|error| lost(&error))?;
        let (sink, stream) = socket.split();
        Ok((Interactive { client: self.clone(), stream, id: None, ended: false }, Input { sink }))
    }

    async fn open_socket(&self) -> Result<Socket, ClientError> {
        let connection = self.transport.connect().open(self.timeouts.connect).await?;
        let url = format!("ws://{}{PATH}", self.transport.connect().authority());
        let mut request = url.into_client_request().map_err(|error| ClientError::broken(&error.to_string()))?;
        if let Some(credentials) = self.transport.credentials() {
            request.headers_mut().insert(AUTHORIZATION, credentials.clone());
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(FRAME_BYTES))
            .max_frame_size(Some(FRAME_BYTES));
        match tokio_tungstenite::client_async_with_config(request, connection, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(SocketError::Http(response)) => {
                let (head, body) = response.into_parts();
                let body = body.unwrap_or_default();
                Err(ClientError::from_answer(head.status.as_u16(), &body, answer::retry_after(&head.headers)))
            }
            Err(error) => Err(lost(&error)),
        }
    }
}

impl Interactive {
    /// The next thing it says; `None` after `Complete` and after an error. A future that is dropped
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        if self.ended {
            return None;
        }
        let next = self.advance().await;
        if let Ok(Event::Started { execution_id, .. }) = &next {
            self.id = Some(*execution_id);
        }
        self.ended = matches!(next, Ok(Event::Complete { .. }) | Err(_));
        Some(next)
    }

    /// Its id, once it was started.
    #[must_use]
    pub const fn id(&self) -> Option<ExecutionId> {
        self.id
    }

    /// The client that it runs through.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    async fn advance(&mut self) -> Result<Event, ClientError> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    if let Some(event) = event::parse(&text)? {
                        return Ok(event);
                    }
                }
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                // Pings are answered below us; bytes have no meaning in this direction.
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(lost(&error)),
                None => return Err(closed(None)),
            }
        }
    }
}

impl Input {
    /// Bytes for its standard input; waits while the server takes no more.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn stdin(&mut self, bytes: Bytes) -> Result<(), ClientError> {
        self.send(Message::Binary(bytes)).await
    }

    /// The end of its standard input, a signal, or the wish that it ends. Stands behind the input that
    /// was sent before; [`Client::cancel`] does not.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn say(&mut self, frame: ClientFrame) -> Result<(), ClientError> {
        self.send(text(&frame)?).await
    }

    async fn send(&mut self, message: Message) -> Result<(), ClientError> {
        self.sink.send(message).await.map_err(|error| lost(&error))
    }
}

fn text(value: &impl Serialize) -> Result<Message, ClientError> {
    let text = serde_json::to_string(value)
        .map_err(|error| ClientError::ours(ErrorCode::InvalidField, format!("the request cannot be sent: {error}")))?;
    Ok(Message::text(text))
}

fn lost(error: &SocketError) -> ClientError {
    match error {
        SocketError::Capacity(_) => ClientError::broken("an event is too large"),
        _ => ClientError::lost(error),
    }
}

/// A server that closes early says why by a code as the reason.
fn closed(frame: Option<CloseFrame>) -> ClientError {
    let Some(frame) = frame else { return ClientError::ended() };
    let reason = frame.reason.as_str();
    match ErrorCode::ALL.iter().find(|code| reason.split(':').next() == Some(code.as_str())) {
        Some(code) => ClientError::ours(*code, format!("the server closed the stream: {reason}")),
        None => ClientError::lost(&format_args!("closed with {} {reason:?}", u16::from(frame.code))),
    }
}
