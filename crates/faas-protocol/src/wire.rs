//! Reading and writing the fields of a body.
//!
//! Numbers are little endian. A byte string or text is a `u32` length and its bytes, a list a `u32`
//! count and its entries, an optional field one byte 0 or 1 and then the value if 1. Every value has
//! exactly one encoding. The reader checks each length and count against the bytes at hand before
//! it allocates; the writer refuses what the reader would refuse.

use crate::frame::{FrameError, HEADER, Header, MAX_BODY};

#[cfg(test)]
mod tests;

/// The most entries of one list.
pub const MAX_ENTRIES: u32 = 4096;

/// Takes the fields of one body apart, front to back.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// At the start of a body.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A fixed number of bytes.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A number of one byte.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_le_bytes)
    }

    /// A number of two bytes.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_le_bytes)
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of four bytes with a sign.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn i32(&mut self) -> Result<i32, FrameError> {
        self.array().map(i32::from_le_bytes)
    }

    /// One byte, 0 or 1.
    ///
    /// # Errors
    /// `Truncated`, or `BadValue` for any other number.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, FrameError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(FrameError::BadValue { field, value }),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn bytes(&mut self) -> Result<&'a [u8], FrameError> {
        let length = self.u32()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A text.
    ///
    /// # Errors
    /// `Truncated` or `NotUtf8`.
    pub fn string(&mut self, field: &'static str) -> Result<String, FrameError> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| FrameError::NotUtf8 { field })?;
        Ok(text.to_owned())
    }

    /// A field that may be absent.
    ///
    /// # Errors
    /// `Truncated`, `BadValue`, or what `read` answers.
    pub fn optional<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, FrameError>,
    ) -> Result<Option<T>, FrameError> {
        if self.bool(field)? { read(self).map(Some) } else { Ok(None) }
    }

    /// A list. Grows as entries are really there; the announced count allocates nothing.
    ///
    /// # Errors
    /// `Truncated`, `TooMany`, or what `read` answers.
    pub fn list<T>(
        &mut self,
        field: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T, FrameError>,
    ) -> Result<Vec<T>, FrameError> {
        let count = self.u32()?;
        if count > MAX_ENTRIES {
            return Err(FrameError::TooMany { field, count });
        }
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(read(self)?);
        }
        Ok(entries)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The message is complete.
    ///
    /// # Errors
    /// `TrailingBytes` if anything is left.
    pub fn finish(self) -> Result<(), FrameError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(FrameError::TrailingBytes { count }),
        }
    }
}

/// Puts one frame together. Remembers the first refusal until [`finish`](Self::finish) and keeps
/// at most one frame in memory whatever it is given.
#[derive(Debug)]
pub struct Writer {
    header: Header,
    frame: Vec<u8>,
    /// Bytes of body given so far, also those not kept.
    length: u64,
    refused: Option<FrameError>,
}

impl Writer {
    /// A frame with an empty body.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self { header, frame: vec![0; HEADER], length: 0, refused: None }
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if usize::try_from(self.length).is_ok_and(|length| length <= MAX_BODY) {
            self.frame.extend_from_slice(bytes);
        }
    }

    /// A number of one byte.
    pub fn u8(&mut self, value: u8) {
        self.raw(&value.to_le_bytes());
    }

    /// A number of two bytes.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_le_bytes());
    }

    /// A number of four bytes.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    /// A number of eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// A number of four bytes with a sign.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_le_bytes());
    }

    /// One byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        // A length beyond u32 is beyond MAX_BODY too, so `finish` refuses the whole frame.
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.raw(value);
    }

    /// A text.
    pub fn string(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A field that may be absent.
    pub fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// A list.
    pub fn list<T>(&mut self, field: &'static str, entries: &[T], mut write: impl FnMut(&mut Self, &T)) {
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        if count > MAX_ENTRIES {
            self.refuse(FrameError::TooMany { field, count });
            return;
        }
        self.u32(count);
        for entry in entries {
            write(self, entry);
        }
    }

    /// Makes [`finish`](Self::finish) fail, with the first error it is given.
    pub fn refuse(&mut self, error: FrameError) {
        self.refused.get_or_insert(error);
    }

    /// Header and body.
    ///
    /// # Errors
    /// What was refused, else `TooLong`.
    pub fn finish(mut self) -> Result<Vec<u8>, FrameError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let too_long = FrameError::TooLong { length: self.length };
        let length = u32::try_from(self.length).map_err(|_| too_long)?;
        if self.frame.len() - HEADER < usize::try_from(length).map_err(|_| too_long)? {
            return Err(too_long);
        }
        let head = self.frame.first_chunk_mut::<HEADER>().ok_or(too_long)?;
        *head = self.header.to_bytes(length);
        Ok(self.frame)
    }
}
