//! WebSocket (RFC 6455) as far as a client needs it that reads byte by byte.
//!
//! A library would read ahead; here the reader's pace is what is tested.

use super::{CallError, Connection};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;

/// Opens a WebSocket. The connection then gives frames instead of answers.
///
/// # Errors
/// The server does not switch.
pub async fn open_socket(address: SocketAddr, path: &str) -> Result<Connection, CallError> {
    let mut connection = Connection::open(address).await?;
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        // The key only proves that the answer was made for this request.
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    connection.send("GET", path, &headers, None).await?;
    let head = connection.head().await?;
    if head.status != 101 {
        return Err(CallError::NotHttp(format!("the status is {}, not 101", head.status)));
    }
    Ok(connection)
}

/// Sends one text frame.
///
/// # Errors
/// The connection is gone.
pub async fn text_frame(connection: &mut Connection, text: &str) -> io::Result<()> {
    connection.stream().write_all(&masked(text.as_bytes())).await
}

/// A text frame of a client. A mask of zeros changes nothing and is as valid as any.
fn masked(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => frame.push(0x80 | u8::try_from(length).unwrap_or_default()),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// One frame of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text.
    Text(String),
    /// The end, with its code and reason.
    Close(u16, String),
    /// Any other.
    Other(u8),
}

/// Frames out of bytes as they come.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

impl Iterator for Frames {
    type Item = Frame;

    /// The next whole frame, once there is one.
    fn next(&mut self) -> Option<Frame> {
        let (&first, &second) = (self.bytes.first()?, self.bytes.get(1)?);
        let (start, length) = match second & 0x7f {
            126 => (4, u64::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, u64::from_be_bytes(self.bytes.get(2..10)?.try_into().ok()?)),
            short => (2, u64::from(short)),
        };
        let end = start + usize::try_from(length).ok()?;
        let payload = self.bytes.get(start..end)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let frame = match (first & 0x0f, payload) {
            (1, payload) => Frame::Text(text(payload)),
            (8, [high, low, reason @ ..]) => Frame::Close(u16::from_be_bytes([*high, *low]), text(reason)),
            (8, _) => Frame::Close(1005, String::new()),
            (other, _) => Frame::Other(other),
        };
        self.bytes.drain(..end);
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_and_a_cut_one_is_not() {
        for length in [0_usize, 125, 126, 65_535, 65_536] {
            let mut bytes = masked("x".repeat(length).as_bytes());
            // What a server sends is the same without the mask.
            let mask = bytes.len() - length - 4;
            bytes.drain(mask..mask + 4);
            bytes[1] &= 0x7f;
            let mut frames = Frames::default();
            frames.push(&bytes[..bytes.len() - 1]);
            assert_eq!(frames.next(), None, "{length}");
            frames.push(&bytes[bytes.len() - 1..]);
            assert_eq!(frames.next(), Some(Frame::Text("x".repeat(length))), "{length}");
            assert_eq!(frames.next(), None, "{length}");
        }
    }

    #[test]
    fn the_code_of_a_close_is_read() {
        let mut frames = Frames::default();
        frames.push(&[0x88, 5, 0x03, 0xf0, b'o', b'u', b't', 0x88, 0, 0x89, 0]);
        let all: Vec<_> = frames.collect();
        assert_eq!(all, [Frame::Close(1008, "out".to_owned()), Frame::Close(1005, String::new()), Frame::Other(9)]);
    }
}
