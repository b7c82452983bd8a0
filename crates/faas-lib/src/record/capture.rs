//! What is kept of a stream while it passes: its beginning for the record, its end for a result.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How much of each stream a record holds.
pub(super) const INLINE_BYTES: usize = 1024 * 1024;

/// The beginning of a stream.
#[derive(Debug, Default)]
pub(super) struct Head {
    bytes: Vec<u8>,
    more: bool,
}

/// A stream's beginning as text.
pub(super) struct Inline {
    pub(super) text: String,
    /// The exact bytes, when the text does not say them.
    pub(super) base64: Option<String>,
    /// Whether something came after it.
    pub(super) cut: bool,
}

impl Head {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = INLINE_BYTES - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.more |= bytes.len() > room;
    }

    pub(super) fn finish(mut self) -> Inline {
        if self.more {
            self.drop_character_cut_by_us();
        }
        match String::from_utf8(self.bytes) {
            Ok(text) => Inline { text, base64: None, cut: self.more },
            Err(error) => Inline {
                base64: Some(STANDARD.encode(error.as_bytes())),
                text: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                cut: self.more,
            },
        }
    }

    /// Our own cut must not make good UTF-8 look bad.
    fn drop_character_cut_by_us(&mut self) {
        if let Some(chunk) = self.bytes.utf8_chunks().last() {
            let invalid = chunk.invalid();
            // An error that could become a character with more bytes ends the text and is short.
            if !invalid.is_empty() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
                self.bytes.truncate(self.bytes.len() - invalid.len());
            }
        }
    }
}

/// The end of a stream, at most `limit` bytes of it.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    limit: usize,
    cut: bool,
}

impl Tail {
    pub(super) const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, cut: false }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        // Cutting only at twice the limit makes the copying linear in what passes.
        if self.bytes.len() > self.limit * 2 {
            self.cut_to_limit();
        }
    }

    /// The end and whether something came before it.
    pub(super) fn finish(mut self) -> (Vec<u8>, bool) {
        self.cut_to_limit();
        (self.bytes, self.cut)
    }

    fn cut_to_limit(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.limit);
        if excess > 0 {
            self.bytes.drain(..excess);
            self.cut = true;
        }
    }
}
