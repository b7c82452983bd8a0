//! How many streams there are, and how many of one execution.
//!
//! Every stream holds a connection for as long as it likes, so all of them together may have half of
//! the connections; the rest is left to requests.

use crate::ApiError;
use faas_types::{ErrorCode, ExecutionId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most readers of one execution at once.
pub(crate) const MAX_WATCHERS: u32 = 64;

/// All streams, and the readers of every execution that has any.
#[derive(Debug, Clone)]
pub(crate) struct Watchers {
    counts: Arc<Mutex<HashMap<ExecutionId, u32>>>,
    free: Arc<Semaphore>,
    most: u32,
}

/// A stream's place among all streams; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
}

/// A reader's place at its execution; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    watchers: Watchers,
    id: ExecutionId,
    _seat: Seat,
}

impl Watchers {
    /// So many streams at once.
    pub(crate) fn new(most: u32) -> Self {
        let permits = usize::try_from(most).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { counts: Arc::default(), free: Arc::new(Semaphore::new(permits)), most }
    }

    /// A place among all streams, unless all are taken.
    pub(crate) fn seat(&self) -> Result<Seat, ApiError> {
        Arc::clone(&self.free).try_acquire_owned().map(|permit| Seat { _permit: permit }).map_err(|_| {
            let detail = format!("there are {} streams, as many as may be; retry when one has ended", self.most);
            ApiError::new(ErrorCode::AtCapacity, detail).limit(u64::from(self.most))
        })
    }

    /// A place at an execution, unless all are taken.
    pub(crate) fn enter(&self, seat: Seat, id: ExecutionId) -> Result<Place, ApiError> {
        let mut counts = self.lock();
        let count = counts.entry(id).or_insert(0);
        if *count == MAX_WATCHERS {
            let detail = format!("{id} has {MAX_WATCHERS} readers, as many as may be; retry when one has gone");
            return Err(ApiError::new(ErrorCode::AtCapacity, detail).limit(u64::from(MAX_WATCHERS)));
        }
        *count += 1;
        Ok(Place { watchers: self.clone(), id, _seat: seat })
    }

    /// Counts are changed whole, so a panic elsewhere is no reason to give up.
    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.watchers.lock();
        if let Some(count) = counts.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_WATCHERS, Watchers};
    use faas_types::{ErrorCode, ExecutionId};

    #[test]
    fn places_are_bounded_given_back_and_forgotten() {
        let watchers = Watchers::new(1000);
        let enter = |id| watchers.enter(watchers.seat().expect("a seat"), id);
        let id = ExecutionId::generate();
        let mut places: Vec<_> = (0..MAX_WATCHERS).map(|_| enter(id).expect("a place")).collect();
        assert_eq!(enter(id).expect_err("none is left").code, ErrorCode::AtCapacity);
        assert!(enter(ExecutionId::generate()).is_ok(), "another execution has its own");
        places.pop();
        places.push(enter(id).expect("the place given back"));
        drop(places);
        assert!(watchers.lock().is_empty());
        assert_eq!(watchers.free.available_permits(), 1000);
    }

    #[test]
    fn all_streams_together_are_bounded() {
        let watchers = Watchers::new(2);
        let seat = watchers.seat().expect("a seat");
        let place = watchers.enter(watchers.seat().expect("a seat"), ExecutionId::generate()).expect("a place");
        let error = watchers.seat().expect_err("none is left");
        assert_eq!((error.code, error.limit), (ErrorCode::AtCapacity, Some(2)));
        drop(place);
        drop((seat, watchers.seat().expect("a seat given back")));
    }
}
