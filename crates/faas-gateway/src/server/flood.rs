//! How many HTTP/2 frames without a purpose a connection may send.
//!
//! h2 bounds what it keeps (streams, resets before a request is taken up, continuations), not what
//! it is made to do: pings, settings, priorities, resets and empty frames cost us and not the
//! sender. They are paid for here out of a budget that refills with time; a connection that runs
//! out of it is closed. Only frame headers are read, payloads are skipped.

use tokio::time::Instant;

/// Such frames at once.
const BURST: f64 = 500.0;
/// And per second, for as long as the connection lasts.
const PER_SECOND: f64 = 100.0;

const HEADER: usize = 9;
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;

/// The reading of one direction of one connection.
#[derive(Debug)]
pub(super) struct Flood {
    header: [u8; HEADER],
    seen: usize,
    payload: usize,
    budget: f64,
    refilled: Instant,
}

impl Default for Flood {
    fn default() -> Self {
        Self { header: [0; HEADER], seen: 0, payload: 0, budget: BURST, refilled: Instant::now() }
    }
}

impl Flood {
    /// Reads on. The offset at which the budget ran out, if it did.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.payload > 0 {
                let taken = self.payload.min(bytes.len() - at);
                self.payload -= taken;
                at += taken;
                continue;
            }
            if let Some(slot) = self.header.get_mut(self.seen) {
                *slot = byte;
            }
            self.seen += 1;
            at += 1;
            if self.seen == HEADER {
                self.seen = 0;
                if !self.pay() {
                    return Err(at - 1);
                }
            }
        }
        Ok(())
    }

    /// Pays for the frame whose header is complete.
    fn pay(&mut self) -> bool {
        let [high, middle, low, kind, ..] = self.header;
        self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let useful = match kind {
            DATA | CONTINUATION => self.payload > 0,
            HEADERS | WINDOW_UPDATE => true,
            _ => false,
        };
        if useful {
            return true;
        }
        if self.budget < 1.0 {
            let now = Instant::now();
            let earned = now.duration_since(self.refilled).as_secs_f64() * PER_SECOND;
            self.budget = (self.budget + earned).min(BURST);
            self.refilled = now;
        }
        self.budget -= 1.0;
        self.budget >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::Flood;
    use std::time::Duration;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("a short payload");
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        frame
    }

    #[tokio::test(start_paused = true)]
    async fn pings_run_out_and_come_back_with_time() {
        let mut flood = Flood::default();
        let pings = frame(6, &[0; 8]).repeat(500);
        assert_eq!(flood.scan(&pings), Ok(()));
        assert!(flood.scan(&frame(6, &[0; 8])).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(flood.scan(&frame(6, &[0; 8]).repeat(50)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_and_their_bodies_cost_nothing_however_they_are_cut() {
        let mut flood = Flood::default();
        let mut bytes = frame(1, b"head");
        bytes.extend(frame(0, b"body"));
        bytes.extend(frame(8, &[0, 0, 0, 1]));
        for chunk in bytes.repeat(2000).chunks(7) {
            assert_eq!(flood.scan(chunk), Ok(()));
        }
    }
}
