//! What the bridge in the sandbox and the relay here say to each other.
//!
//! A frame is a kind (1 byte), a number (4) and a length (4, little endian), and so many bytes. What comes
//! from the sandbox is as hostile as the packages are.

use bytes::{BufMut as _, Bytes, BytesMut};

const HEADER: usize = 9;
/// The most bytes in one frame.
pub(crate) const LONGEST: usize = 64 * 1024;

/// What the bridge says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FromBridge {
    /// The tool asks for a path.
    Get { number: u32, accept: String, path: String },
    /// The tool says a line.
    Line(String),
    /// A file that the tool left, with the SHA-256 of its content.
    File { name: String, sha256: [u8; 32] },
    /// A piece of the document that the tool left.
    Piece(Bytes),
    /// The tool ended with this status.
    Done(u32),
    /// There is no such tool.
    Missing,
}

/// What the relay says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToBridge<'a> {
    /// The head of an answer.
    Head { status: u16, content_type: &'a str },
    /// A piece of it, of at most [`LONGEST`] bytes.
    Body(&'a [u8]),
    /// The end of it.
    End,
    /// There is no answer, or no more of it.
    Broken,
}

/// The bridge said something that it does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bridge in the sandbox broke the protocol")]
pub(crate) struct Nonsense;

/// Takes what the bridge wrote apart.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<FromBridge>, Nonsense> {
        let Some(head) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let [kind, n0, n1, n2, n3, l0, l1, l2, l3] = *head;
        let number = u32::from_le_bytes([n0, n1, n2, n3]);
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).map_err(|_| Nonsense)?;
        if length > LONGEST {
            return Err(Nonsense);
        }
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        let payload = self.buffer.split_to(HEADER + length).freeze().slice(HEADER..);
        decode(kind, number, payload).map(Some)
    }
}

fn decode(kind: u8, number: u32, payload: Bytes) -> Result<FromBridge, Nonsense> {
    let text = || std::str::from_utf8(&payload).map_err(|_| Nonsense);
    Ok(match kind {
        1 => {
            let (accept, path) = text()?.split_once('\n').ok_or(Nonsense)?;
            FromBridge::Get { number, accept: accept.to_owned(), path: path.to_owned() }
        }
        2 => FromBridge::Line(String::from_utf8_lossy(&payload).into_owned()),
        3 => {
            let (digest, name) = text()?.split_once(' ').ok_or(Nonsense)?;
            // The text of a digest has one form, that of an id of packages.
            let digest: faas_types::PackagesId = digest.parse().map_err(|_| Nonsense)?;
            FromBridge::File { name: name.to_owned(), sha256: *digest.as_bytes() }
        }
        4 => FromBridge::Piece(payload),
        5 => FromBridge::Done(number),
        6 => FromBridge::Missing,
        _ => return Err(Nonsense),
    })
}

impl ToBridge<'_> {
    /// As one frame.
    pub(crate) fn encode(self, number: u32) -> Bytes {
        let head;
        let (kind, payload): (u8, &[u8]) = match self {
            Self::Head { status, content_type } => {
                let plain: String =
                    content_type.chars().filter(|letter| (' '..='~').contains(letter)).take(200).collect();
                head = format!("{status} {plain}");
                (1, head.as_bytes())
            }
            Self::Body(piece) => (2, piece),
            Self::End => (3, &[]),
            Self::Broken => (4, &[]),
        };
        let mut frame = BytesMut::with_capacity(HEADER + payload.len());
        frame.put_u8(kind);
        frame.put_u32_le(number);
        frame.put_u32_le(u32::try_from(payload.len()).unwrap_or(u32::MAX));
        frame.put_slice(payload);
        frame.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, FromBridge, Nonsense, ToBridge};
    use proptest::prelude::*;

    fn frame(kind: u8, number: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_le_bytes();
        [&[kind][..], &number.to_le_bytes(), &length, payload].concat()
    }

    #[test]
    fn frames_come_in_any_pieces() {
        let stream = [frame(1, 7, b"*/*\n/simple/a/"), frame(2, 0, b"a\xffb"), frame(5, 1, b"")].concat();
        let mut frames = Frames::default();
        let mut heard = Vec::new();
        for byte in stream {
            frames.push(&[byte]);
            while let Some(frame) = frames.next().expect("a frame") {
                heard.push(frame);
            }
        }
        let get = FromBridge::Get { number: 7, accept: "*/*".to_owned(), path: "/simple/a/".to_owned() };
        assert_eq!(heard, [get, FromBridge::Line("a\u{fffd}b".to_owned()), FromBridge::Done(1)]);
    }

    #[test]
    fn a_length_is_believed_only_when_it_is_short() {
        let mut frames = Frames::default();
        frames.push(&[2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(frames.next(), Err(Nonsense));
    }

    #[test]
    fn what_is_said_is_one_frame() {
        assert_eq!(ToBridge::Head { status: 200, content_type: "a/b\r\n" }.encode(3), frame(1, 3, b"200 a/b"));
        assert_eq!(ToBridge::Body(b"x").encode(3), frame(2, 3, b"x"));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut frames = Frames::default();
            frames.push(&bytes);
            while let Ok(Some(_)) = frames.next() {}
        }
    }
}
