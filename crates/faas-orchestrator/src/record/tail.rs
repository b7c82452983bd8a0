//! The end of a stream, where some contracts find their result.

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
