//! How many warm instances a function has.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many sandboxes one version of a function may have, and how long they wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scaling {
    /// Kept warm even when nobody calls. Zero lets it scale to nothing.
    pub min: u32,
    /// The most of them. Calls that they have no room for wait.
    pub max: u32,
    /// Calls one instance takes at once.
    pub concurrency: u32,
    /// How long an instance waits for its next call. `None` leaves it to the platform, by how the function is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ttl: Option<Duration>,
}

/// Why a scaling is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scaling.{field} is refused: it is {given}; accepted: {accepted}")]
pub struct ScalingError {
    /// Which of its members.
    pub field: &'static str,
    /// Its value.
    pub given: String,
    /// What is accepted.
    pub accepted: &'static str,
}

impl Scaling {
    /// The most instances anybody may ask for.
    pub const MOST: u32 = 10_000;
    /// The most calls that one instance may take at once.
    pub const MOST_AT_ONCE: u32 = 100;
    /// The longest an idle instance may wait.
    pub const LONGEST_IDLE: Duration = Duration::from_secs(24 * 60 * 60);

    /// Checks what can be checked without knowing the host.
    ///
    /// # Errors
    /// Names the member and the accepted range.
    pub fn check(&self) -> Result<(), ScalingError> {
        let refused = |field, given: String, accepted| Err(ScalingError { field, given, accepted });
        if !(1..=Self::MOST).contains(&self.max) {
            return refused("max", self.max.to_string(), "1 to 10000");
        }
        if self.min > self.max {
            return refused("min", self.min.to_string(), "0 to max");
        }
        if !(1..=Self::MOST_AT_ONCE).contains(&self.concurrency) {
            return refused("concurrency", self.concurrency.to_string(), "1 to 100");
        }
        if let Some(idle_ttl) = self.idle_ttl
            && !(Duration::from_millis(1)..=Self::LONGEST_IDLE).contains(&idle_ttl)
        {
            return refused("idle_ttl", format!("{idle_ttl:?}"), "1ms to 24h");
        }
        Ok(())
    }

    /// The most calls at once, of all instances together.
    #[must_use]
    pub const fn most_calls(&self) -> u32 {
        self.max.saturating_mul(self.concurrency)
    }
}

impl Default for Scaling {
    /// None kept, at most ten, each for as long as the platform finds worth it.
    fn default() -> Self {
        Self { min: 0, max: 10, concurrency: 1, idle_ttl: None }
    }
}

#[cfg(test)]
mod tests {
    use super::Scaling;
    use std::time::Duration;

    #[test]
    fn what_makes_no_sense_is_refused_by_its_member() {
        let refused = |change: fn(&mut Scaling)| {
            let mut scaling = Scaling::default();
            change(&mut scaling);
            scaling.check().unwrap_err().field
        };
        assert_eq!(Scaling::default().check(), Ok(()));
        assert_eq!(refused(|scaling| scaling.max = 0), "max");
        assert_eq!(refused(|scaling| scaling.min = 11), "min");
        assert_eq!(refused(|scaling| scaling.concurrency = 0), "concurrency");
        assert_eq!(refused(|scaling| scaling.concurrency = 101), "concurrency");
        assert_eq!(Scaling { concurrency: 100, ..Scaling::default() }.check(), Ok(()));
        assert_eq!(refused(|scaling| scaling.idle_ttl = Some(Duration::ZERO)), "idle_ttl");
    }
}
