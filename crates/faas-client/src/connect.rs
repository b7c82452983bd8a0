//! How the server is reached, and the two kinds of connection as one.

use crate::{Address, ClientError};
use faas_types::ErrorCode;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

/// How the server is reached.
#[derive(Clone)]
pub enum Connect {
    /// Over the network.
    Tcp(Address),
    /// In this process: each call makes a pipe to the server and answers with its near end.
    InProcess(Arc<dyn Fn() -> DuplexStream + Send + Sync>),
}

impl Connect {
    /// What stands in the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        match self {
            Self::Tcp(address) => address.as_str(),
            Self::InProcess(_) => "localhost",
        }
    }

    pub(crate) async fn open(&self, patience: Duration) -> Result<Connection, ClientError> {
        match self {
            Self::Tcp(address) => {
                let connecting = TcpStream::connect((address.host(), address.port()));
                let stream = match tokio::time::timeout(patience, connecting).await {
                    Ok(Ok(stream)) => stream,
                    Ok(Err(error)) => return Err(unreachable(address, &error.to_string())),
                    Err(_) => return Err(unreachable(address, &format!("no answer within {patience:?}"))),
                };
                // Small frames of a dialogue must not wait for one another. Without it they are only slower.
                drop(stream.set_nodelay(true));
                Ok(Connection::Tcp(stream))
            }
            Self::InProcess(open) => Ok(Connection::InProcess(open())),
        }
    }
}

fn unreachable(address: &Address, reason: &str) -> ClientError {
    ClientError::ours(
        ErrorCode::ServerUnreachable,
        format!("no server answers at {address}: {reason}; start one with `faas serve`, or correct the address"),
    )
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.debug_tuple("Tcp").field(address).finish(),
            Self::InProcess(_) => f.write_str("InProcess"),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Connection {
    Tcp(TcpStream),
    InProcess(DuplexStream),
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::InProcess(pipe) => Pin::new(pipe).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::InProcess(pipe) => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::InProcess(pipe) => Pin::new(pipe).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::InProcess(pipe) => Pin::new(pipe).poll_shutdown(context),
        }
    }
}
