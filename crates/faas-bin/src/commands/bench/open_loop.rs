//! Calls that begin when they should, whatever became of the ones before.
//!
//! Invariant: each is timed from the moment it should have begun. A system that stalls makes every call behind
//! the stall late, and that counts; a loop that waited for each answer would have asked fewer times then, and
//! would have hidden it.

use super::clock::{Alarm, Clock};
use super::tally::{Answer, Sample, Tally};
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;

/// Makes these calls, each at its time from now on, in the order of their times. `stop` ends it early, with what
/// was answered until then; the calls that are in flight are counted as unanswered.
pub(super) async fn open_loop<C, F>(
    clock: &C,
    alarm: &mut impl Alarm,
    scheduled: impl IntoIterator<Item = (Duration, F)>,
    stop: impl Future,
    mut heard: impl FnMut(usize),
) -> Tally
where
    C: Clock,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut tally = Tally::default();
    let mut scheduled = scheduled.into_iter().peekable();
    let mut calls = JoinSet::new();
    let begin = clock.now();
    tokio::pin!(stop);
    while scheduled.peek().is_some() || !calls.is_empty() {
        let next = scheduled.peek().map(|(time, _)| begin.saturating_add(*time));
        tokio::select! {
            biased;
            _ = &mut stop => break,
            () = alarm.at(next.unwrap_or_default()), if next.is_some() => {
                let Some((time, answer)) = scheduled.next() else { continue };
                let next = begin.saturating_add(time);
                let clock = clock.clone();
                calls.spawn(async move {
                    let lag = clock.now().saturating_sub(next);
                    let answer = answer.await;
                    Sample { latency: clock.now().saturating_sub(next), lag, answer }
                });
                // Where many are due at once, those that were begun go on meanwhile.
                tokio::task::yield_now().await;
            }
            Some(ended) = calls.join_next() => {
                match ended {
                    Ok(sample) => {
                        tally.add(sample);
                        heard(tally.lags.len());
                    }
                    // One that panicked has no answer.
                    Err(_) => tally.add_unanswered(1),
                }
            }
        }
    }
    tally.add_unanswered(calls.len());
    tally
}

#[cfg(test)]
mod tests {
    use super::open_loop;
    use crate::commands::bench::clock::{Alarm, Clock};
    use crate::commands::bench::pace::evenly;
    use crate::commands::bench::tally::Answer;
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::Mutex;
    use tokio::time::{Instant, sleep, sleep_until};

    /// The runtime's clock, which tests stop and move.
    #[derive(Clone, Copy)]
    struct Simulated(Instant);

    impl Clock for Simulated {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }
    }

    impl Alarm for Simulated {
        async fn at(&mut self, time: Duration) {
            sleep_until(self.0 + time).await;
        }
    }

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_makes_every_call_behind_it_late() {
        let clock = Simulated(Instant::now());
        // One at a time, and the first one takes a second.
        let server = Arc::new(Mutex::new(ms(1000)));
        let call = || {
            let server = Arc::clone(&server);
            async move {
                let mut takes = server.lock().await;
                sleep(*takes).await;
                *takes = ms(1);
                Answer::default()
            }
        };
        let tally = open_loop(&clock, &mut { clock }, evenly(5, 10.0, call), pending::<()>(), |_| {}).await;
        assert_eq!(tally.latencies, [ms(1000), ms(901), ms(802), ms(703), ms(604)]);
        assert!(tally.lags.iter().all(|lag| *lag < ms(2)), "all of them were sent in time: {:?}", tally.lags);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_keeps_what_was_answered() {
        let clock = Simulated(Instant::now());
        let call = || async {
            sleep(ms(1)).await;
            Answer::default()
        };
        let mut heard = 0;
        let tally = open_loop(&clock, &mut { clock }, evenly(1000, 10.0, call), sleep(ms(350)), |n| heard = n).await;
        assert_eq!((tally.latencies.len(), heard, tally.failed()), (4, 4, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_counts_what_was_in_flight() {
        let clock = Simulated(Instant::now());
        let call = || async {
            sleep(ms(120)).await;
            Answer::default()
        };
        let tally = open_loop(&clock, &mut { clock }, evenly(1000, 10.0, call), sleep(ms(350)), |_| {}).await;
        assert_eq!((tally.latencies.len(), tally.errors.get("unanswered")), (3, Some(&1)));
    }
}
