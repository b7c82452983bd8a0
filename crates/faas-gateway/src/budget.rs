//! The memory of bodies under way, counted in bytes over all connections.
//!
//! A limit for one body bounds nothing while thousands arrive at once. Each piece of a body is paid
//! for before it is kept, and what was paid comes back when the last holder of the [`Lease`] is gone:
//! the body itself, then whoever parses it, until the request is handed on. The first message of a
//! WebSocket is paid for by the connection's IO, because nothing above it sees a piece of a message.

use crate::limits::HttpLimits;
use crate::problem::ApiError;
use faas_types::ErrorCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all bodies may hold together.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    whole: u64,
}

impl Budget {
    pub(crate) fn new(limits: &HttpLimits) -> Self {
        let whole = limits.all_bodies().as_bytes();
        let permits = usize::try_from(whole).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(permits)), whole }
    }

    /// What one body has paid: nothing so far.
    pub(crate) fn lease(&self) -> Lease {
        Lease(Arc::new(Paid { budget: self.clone(), paid: Mutex::new(None), refused: AtomicBool::new(false) }))
    }
}

/// What one body has paid. Clones share it; with the last one the bytes are free again.
#[derive(Debug, Clone)]
pub(crate) struct Lease(Arc<Paid>);

#[derive(Debug)]
struct Paid {
    budget: Budget,
    paid: Mutex<Option<OwnedSemaphorePermit>>,
    refused: AtomicBool,
}

impl Lease {
    /// Pays for more bytes, or says why they cannot be kept.
    pub(crate) fn pay(&self, bytes: usize) -> Result<(), ApiError> {
        let Paid { budget, paid, refused } = &*self.0;
        let more =
            u32::try_from(bytes).ok().and_then(|bytes| Arc::clone(&budget.free).try_acquire_many_owned(bytes).ok());
        let Some(more) = more else {
            refused.store(true, Ordering::Release);
            return Err(self.refusal());
        };
        let mut paid = paid.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *paid {
            Some(paid) => paid.merge(more),
            None => *paid = Some(more),
        }
        Ok(())
    }

    /// A lease of the same budget that has paid nothing.
    pub(crate) fn fresh(&self) -> Self {
        self.0.budget.lease()
    }

    /// The refusal, where a payment was refused.
    pub(crate) fn refused(&self) -> Option<ApiError> {
        self.0.refused.load(Ordering::Acquire).then(|| self.refusal())
    }

    fn refusal(&self) -> ApiError {
        let whole = self.0.budget.whole;
        let detail = format!("the bodies of all requests under way hold {whole} bytes, as many as may be; retry later");
        ApiError::new(ErrorCode::AtCapacity, detail).limit(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use crate::HttpLimits;
    use faas_types::{ByteSize, ErrorCode};

    fn budget(all: u64, one: u64) -> Budget {
        let [all_bodies_bytes, body_bytes] = [all, one].map(ByteSize::from_bytes);
        Budget::new(&HttpLimits { all_bodies_bytes, body_bytes, ..HttpLimits::default() })
    }

    #[test]
    fn bytes_are_paid_for_once_and_come_back_with_the_last_holder() {
        let budget = budget(100, 60);
        let (first, second) = (budget.lease(), budget.lease());
        first.pay(30).expect("room");
        first.pay(30).expect("room");
        let error = second.pay(41).expect_err("40 are left");
        assert_eq!((error.code, error.limit), (ErrorCode::AtCapacity, Some(100)));
        assert_eq!((second.refused(), first.refused()), (Some(error), None));
        second.pay(40).expect("room");
        let parser = first.clone();
        drop(first);
        assert!(second.pay(1).is_err(), "given back while it is being parsed");
        drop(parser);
        second.pay(60).expect("all came back");
    }

    #[test]
    fn one_longest_body_always_fits() {
        budget(10, 1 << 33).lease().pay(1 << 30).expect("within the limit of one body");
    }
}
