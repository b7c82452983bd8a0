//! Credit-based flow control.
//!
//! The receiver of a stream decides how many bytes it is ready to hold, its window, and grants that
//! many at the start; the sender spends one byte of credit for each byte it sends. As the receiver
//! consumes what came it grants the same number again, in portions of at least half of the window.
//!
//! Invariant: credit at the sender and on its way, bytes on their way and held by the receiver, and
//! bytes consumed but not granted again add up to the window. So the receiver never holds more than
//! its window, and once it has consumed everything the sender has credit or is about to get it.

#[cfg(test)]
mod tests;

/// How a side broke the rules of flow control. Ends the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
    /// More bytes than there is credit for.
    #[error("{bytes} bytes were sent with a credit of {available}; wait for more credit")]
    Exceeded {
        /// How many bytes.
        bytes: usize,
        /// How much credit there was.
        available: u32,
    },
    /// A grant brings the credit above what a `u32` holds.
    #[error("a grant of {bytes} bytes on top of a credit of {available} is out of range")]
    Overflow {
        /// How many bytes.
        bytes: u32,
        /// How much credit there was.
        available: u32,
    },
}

/// The sender's side: how much it may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    available: u32,
}

impl Window {
    /// With no credit yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { available: 0 }
    }

    /// How many bytes may be sent now.
    #[must_use]
    pub const fn available(&self) -> u32 {
        self.available
    }

    /// Spends credit for bytes about to be sent.
    ///
    /// # Errors
    /// `Exceeded`; nothing is spent then.
    pub fn take(&mut self, bytes: usize) -> Result<(), FlowError> {
        let exceeded = FlowError::Exceeded { bytes, available: self.available };
        let spent = u32::try_from(bytes).map_err(|_| exceeded)?;
        self.available = self.available.checked_sub(spent).ok_or(exceeded)?;
        Ok(())
    }

    /// Adds what the receiver granted.
    ///
    /// # Errors
    /// `Overflow`; nothing is added then.
    pub fn grant(&mut self, bytes: u32) -> Result<(), FlowError> {
        let overflow = FlowError::Overflow { bytes, available: self.available };
        self.available = self.available.checked_add(bytes).ok_or(overflow)?;
        Ok(())
    }
}

/// The receiver's side: what it granted, holds, and owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants {
    window: u32,
    /// Granted and not received yet.
    outstanding: Window,
    /// Received and not consumed yet.
    held: u32,
    /// Consumed and not granted again yet.
    owed: u32,
}

impl Grants {
    /// A receiver that is ready to hold `window` bytes and sends that as its first grant.
    #[must_use]
    pub const fn new(window: u32) -> Self {
        Self { window, outstanding: Window { available: window }, held: 0, owed: 0 }
    }

    /// Bytes came.
    ///
    /// # Errors
    /// `Exceeded` if they were not granted.
    pub fn received(&mut self, bytes: usize) -> Result<(), FlowError> {
        let before = self.outstanding.available;
        self.outstanding.take(bytes)?;
        self.held += before - self.outstanding.available;
        Ok(())
    }

    /// Bytes that came were passed on. Gives the grant to send once half of the window is owed.
    /// More bytes than are held count as all that are held, so no mistake of the caller ever
    /// grants more than the window.
    pub fn consumed(&mut self, bytes: u32) -> Option<u32> {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.owed += bytes;
        if self.owed == 0 || self.owed < self.window.div_ceil(2) {
            return None;
        }
        // Cannot fail: outstanding, held and owed together are the window.
        self.outstanding.grant(self.owed).ok()?;
        Some(std::mem::take(&mut self.owed))
    }

    /// How many bytes were received and not consumed.
    #[must_use]
    pub const fn held(&self) -> u32 {
        self.held
    }
}
