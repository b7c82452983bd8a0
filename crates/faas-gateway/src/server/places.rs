//! The places of a listener: how many connections there may be, and who has to give way.
//!
//! Invariant: there are never more than the limit, and a caller with a request is never turned away
//! for the sake of one without: a connection that waits for a request loses its place to a new one.
//! Those that never sent a request go first, then those that have been idle for longest.

use super::activity::Activity;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All places of a server.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    connections: HashMap<u64, Arc<Activity>>,
    /// Connections that gave their place away and have not ended yet.
    leaving: usize,
}

/// One place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a connection; `None` when all others are busy with requests.
    pub(super) fn take(self: &Arc<Self>, activity: &Arc<Activity>) -> Option<Place> {
        let mut taken = self.lock();
        if taken.connections.len() >= self.most && !taken.evict() {
            return None;
        }
        let number = taken.next;
        taken.next += 1;
        taken.connections.insert(number, Arc::clone(activity));
        Some(Place { places: Arc::clone(self), number })
    }

    /// Frees the place of one connection that waits for a request; `false` when there is none.
    pub(super) fn evict(&self) -> bool {
        self.lock().evict()
    }

    /// Ends when no connection is left.
    pub(super) async fn empty(&self) {
        loop {
            let freed = self.freed.notified();
            {
                let taken = self.lock();
                if taken.connections.is_empty() && taken.leaving == 0 {
                    return;
                }
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn evict(&mut self) -> bool {
        let idle = self.connections.iter().filter_map(|(&number, activity)| {
            activity.idle_since().map(|since| (activity.served() > 0, since, number))
        });
        let Some((.., number)) = idle.min() else { return false };
        if let Some(activity) = self.connections.remove(&number) {
            activity.evict();
            self.leaving += 1;
        }
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if taken.connections.remove(&self.number).is_none() {
            taken.leaving = taken.leaving.saturating_sub(1);
        }
        drop(taken);
        self.places.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::Places;
    use crate::server::activity::{Activity, InFlight};
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn whoever_never_asked_gives_way_first_and_whoever_is_busy_never() {
        let places = Places::new(3);
        let [busy, regular, silent, fresh] = std::array::from_fn(|_| Arc::new(Activity::new()));
        let _request = InFlight::begin(&busy);
        drop(InFlight::begin(&regular));
        let _taken: Vec<_> = [&busy, &regular, &silent].map(|activity| places.take(activity)).into_iter().collect();
        tokio::time::advance(Duration::from_secs(1)).await;

        let place = places.take(&fresh).expect("the silent one gives way");
        silent.evicted().await;
        let _other = InFlight::begin(&fresh);
        assert!(places.evict(), "the regular one is idle");
        regular.evicted().await;
        assert!(!places.evict(), "two busy ones are left");
        drop(place);
    }

    #[tokio::test]
    async fn it_is_empty_only_when_those_who_gave_way_have_gone_too() {
        let places = Places::new(1);
        let [first, second] = std::array::from_fn(|_| Arc::new(Activity::new()));
        let evicted = places.take(&first).expect("a place");
        let place = places.take(&second).expect("the first gives way");
        drop(place);
        assert!(tokio::time::timeout(Duration::from_millis(1), places.empty()).await.is_err());
        drop(evicted);
        places.empty().await;
    }
}
