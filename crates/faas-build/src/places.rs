//! Who builds now, and who waits for it.
//!
//! Invariants: no more build than there are places; none is free while somebody waits; who builds already comes
//! behind the tenants that wait and do not, so that one tenant cannot keep the others from all of them.

use faas_types::TenantId;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// The places of all tenants.
#[derive(Debug)]
pub(crate) struct Places {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u32,
    /// The tenant of each place that is taken.
    taken: Vec<TenantId>,
    waiting: VecDeque<(TenantId, oneshot::Sender<Place>)>,
}

/// A place, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    tenant: TenantId,
}

impl Places {
    pub(crate) fn new(free: u32) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { free, taken: Vec::new(), waiting: VecDeque::new() }) })
    }

    /// Waits for a place: there is one for everybody in time. Dropping it gives up the turn.
    pub(crate) async fn take(self: &Arc<Self>, tenant: TenantId) -> Option<Place> {
        let (sender, turn) = oneshot::channel();
        self.change(|state| state.waiting.push_back((tenant, sender)));
        turn.await.ok()
    }

    /// Changes the state, and gives the places that are free then to those whose turn it is.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let mut unwanted = Vec::new();
        while let Some((tenant, sender)) = state.next() {
            let place = Place { places: Arc::clone(self), tenant };
            unwanted.extend(sender.send(place).err());
        }
        drop(state);
        // Each changes the state as any other place does that becomes free.
        drop(unwanted);
    }
}

impl State {
    /// Takes a free place for whoever is next.
    fn next(&mut self) -> Option<(TenantId, oneshot::Sender<Place>)> {
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        let others = self.waiting.iter().position(|(tenant, _)| !self.taken.contains(tenant));
        let left = self.free.checked_sub(1)?;
        let next = self.waiting.remove(others.unwrap_or(0))?;
        self.free = left;
        self.taken.push(next.0);
        Some(next)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.change(|state| {
            state.free += 1;
            if let Some(one) = state.taken.iter().position(|tenant| *tenant == self.tenant) {
                state.taken.swap_remove(one);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Places};
    use faas_types::TenantId;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    const ONE: TenantId = TenantId::from_bytes([1; 16]);
    const OTHER: TenantId = TenantId::from_bytes([2; 16]);

    /// The place, if it is this one's turn.
    fn now(waiting: Pin<&mut impl Future<Output = Option<Place>>>) -> Option<Place> {
        match waiting.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place.expect("it ends with a place")),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_tenant_that_builds_comes_behind_one_that_does_not() {
        let places = Places::new(2);
        let (mut first, mut second) = (pin!(places.take(ONE)), pin!(places.take(ONE)));
        let (first, second) = (now(first.as_mut()), now(second.as_mut()));
        assert!(first.is_some() && second.is_some(), "while nobody else waits it may have all");
        let (mut third, mut others) = (pin!(places.take(ONE)), pin!(places.take(OTHER)));
        assert!(now(third.as_mut()).is_none() && now(others.as_mut()).is_none());
        drop(first);
        assert!(now(third.as_mut()).is_none(), "it came before, and has one");
        let others = now(others.as_mut());
        assert!(others.is_some());
        drop(others);
        assert!(now(third.as_mut()).is_some(), "nobody else waits any more");
        drop(second);
    }

    #[test]
    fn who_gave_up_takes_no_place() {
        let places = Places::new(1);
        let first = now(pin!(places.take(ONE)));
        let mut last = pin!(places.take(ONE));
        {
            let (mut unasked, mut given) = (pin!(places.take(OTHER)), pin!(places.take(OTHER)));
            assert!(now(unasked.as_mut()).is_none() && now(given.as_mut()).is_none() && now(last.as_mut()).is_none());
            // The turn of one of them comes, and it never looks.
            drop(first);
            assert!(now(last.as_mut()).is_none());
        }
        let last = now(last.as_mut());
        assert!(last.is_some());
        assert!(now(pin!(places.take(OTHER))).is_none());
        drop(last);
        assert!(now(pin!(places.take(OTHER))).is_some());
    }
}
