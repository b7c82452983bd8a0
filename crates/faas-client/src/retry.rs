//! Whether and when a call is tried again. Pure.

use crate::ClientError;
use std::time::Duration;

/// How often and how patiently a call that may be repeated is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries altogether; 1 means no repetition.
    pub attempts: u32,
    /// The wait after the first failure where the server names none; doubled each time.
    pub first_wait: Duration,
    /// The longest wait that is accepted; where the server asks for more, its answer is the end.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 4, first_wait: Duration::from_millis(200), longest_wait: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// Every call is tried once.
    pub const NEVER: Self = Self { attempts: 1, first_wait: Duration::ZERO, longest_wait: Duration::ZERO };

    /// How long to wait before the next try after `tried` of them; `None` when this error is the answer.
    pub(crate) fn wait_after(&self, error: &ClientError, tried: u32) -> Option<Duration> {
        let asked_to = matches!(error.status, Some(429 | 503));
        if !asked_to || tried >= self.attempts {
            return None;
        }
        let doubled = self.first_wait.saturating_mul(1_u32.checked_shl(tried.saturating_sub(1)).unwrap_or(u32::MAX));
        match error.retry_after {
            Some(wait) => (wait <= self.longest_wait).then_some(wait),
            None => Some(doubled.min(self.longest_wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RetryPolicy;
    use crate::ClientError;
    use std::time::Duration;

    fn error(status: Option<u16>, retry_after: Option<u64>) -> ClientError {
        ClientError { status, retry_after: retry_after.map(Duration::from_secs), ..ClientError::broken("a test") }
    }

    #[test]
    fn only_an_answer_that_asks_for_patience_is_followed_by_another_try() {
        let policy = RetryPolicy::default();
        for status in [None, Some(400), Some(404), Some(409), Some(422), Some(500), Some(502)] {
            assert_eq!(policy.wait_after(&error(status, Some(1)), 1), None, "{status:?}");
        }
        for status in [429, 503] {
            assert_eq!(policy.wait_after(&error(Some(status), Some(3)), 1), Some(Duration::from_secs(3)));
        }
    }

    #[test]
    fn waits_double_and_end() {
        let policy = RetryPolicy::default();
        let waits: Vec<_> = (1..6).map(|tried| policy.wait_after(&error(Some(503), None), tried)).collect();
        let milliseconds = |count| Some(Duration::from_millis(count));
        assert_eq!(waits, [milliseconds(200), milliseconds(400), milliseconds(800), None, None]);
        let endless = RetryPolicy { attempts: u32::MAX, ..policy };
        assert_eq!(endless.wait_after(&error(Some(503), None), 100), Some(policy.longest_wait));
    }

    #[test]
    fn a_server_that_asks_for_too_much_patience_gets_none() {
        assert_eq!(RetryPolicy::default().wait_after(&error(Some(503), Some(31)), 1), None);
        assert_eq!(RetryPolicy::NEVER.wait_after(&error(Some(503), Some(0)), 1), None);
    }
}
