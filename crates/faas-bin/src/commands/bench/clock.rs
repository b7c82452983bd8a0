//! The clock of an open loop.
//!
//! Timers of the runtime fire up to a millisecond late, which is more than a warm call takes. Those of the
//! kernel do not, so a thread waits for each moment; the moment itself is the event that is waited for.

use crate::diagnostic::CliError;
use rustix::thread::{NanosleepRelativeResult, Timespec, nanosleep};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc as passing;

/// What tells an open loop the time.
pub(super) trait Clock: Clone + Send + 'static {
    /// Time since the clock was made.
    fn now(&self) -> Duration;
}

/// What waits for a moment of a clock.
pub(super) trait Alarm {
    /// Returns at this time of its clock, or at once where that has passed. Dropped and asked again for the same
    /// time, it goes on waiting.
    async fn at(&mut self, time: Duration);
}

/// The kernel's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Monotonic {
    begin: Instant,
}

/// The thread that waits for moments of it. It ends behind the last moment it was asked for.
pub(super) struct Timer {
    clock: Monotonic,
    wanted: mpsc::Sender<Duration>,
    passed: passing::UnboundedReceiver<Duration>,
    asked: Option<Duration>,
}

impl Monotonic {
    pub(super) fn new() -> Self {
        Self { begin: Instant::now() }
    }

    /// A timer of this clock.
    pub(super) fn timer(self) -> Result<Timer, CliError> {
        let (wanted, moments) = mpsc::channel::<Duration>();
        let (pass, passed) = passing::unbounded_channel();
        let wait = move || {
            for moment in moments {
                self.wait_for(moment);
                if pass.send(moment).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("timer".to_owned())
            .spawn(wait)
            .map_err(|error| CliError::io("no timer can be made", &error))?;
        Ok(Timer { clock: self, wanted, passed, asked: None })
    }

    fn wait_for(self, moment: Duration) {
        while let Some(left) = moment.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
            let time = Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() };
            match nanosleep(&time) {
                NanosleepRelativeResult::Ok | NanosleepRelativeResult::Interrupted(_) => {}
                // The kernel refuses only what is no time at all.
                NanosleepRelativeResult::Err(_) => return,
            }
        }
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.begin.elapsed()
    }
}

impl Alarm for Timer {
    async fn at(&mut self, time: Duration) {
        if self.clock.now() >= time {
            return;
        }
        if self.asked != Some(time) {
            self.asked = Some(time);
            // The thread is there as long as this is.
            let _ = self.wanted.send(time);
        }
        while let Some(passed) = self.passed.recv().await {
            if passed >= time {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarm as _, Clock as _, Monotonic};
    use std::time::Duration;

    #[tokio::test]
    async fn a_moment_is_waited_for_also_where_the_wait_was_dropped_once() {
        let clock = Monotonic::new();
        let mut timer = clock.timer().expect("a thread");
        timer.at(Duration::ZERO).await;
        let moment = clock.now() + Duration::from_millis(20);
        tokio::select! {
            biased;
            () = timer.at(moment) => panic!("too early"),
            () = std::future::ready(()) => {}
        }
        timer.at(moment).await;
        assert!(clock.now() >= moment);
        timer.at(moment).await;
    }
}
