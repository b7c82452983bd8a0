//! Flow control as a simulated exchange, and its refusals.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{FlowError, Grants, Window};

/// A sender and a receiver with the queues between them.
struct Exchange {
    size: u32,
    sender: Window,
    receiver: Grants,
    pieces: VecDeque<u32>,
    grants: VecDeque<u32>,
}

impl Exchange {
    fn new(size: u32) -> Self {
        Self {
            size,
            sender: Window::new(),
            receiver: Grants::new(size),
            pieces: VecDeque::new(),
            grants: VecDeque::from([size]),
        }
    }

    fn send(&mut self, most: u32) -> u32 {
        let bytes = most.min(self.sender.available());
        if bytes > 0 {
            self.sender.take(usize::try_from(bytes).unwrap()).unwrap();
            self.pieces.push_back(bytes);
        }
        bytes
    }

    fn deliver_grant(&mut self) {
        if let Some(bytes) = self.grants.pop_front() {
            self.sender.grant(bytes).unwrap();
        }
    }

    fn deliver_piece(&mut self) {
        if let Some(bytes) = self.pieces.pop_front() {
            self.receiver.received(usize::try_from(bytes).unwrap()).unwrap();
        }
    }

    fn consume(&mut self, most: u32) {
        self.grants.extend(self.receiver.consumed(most));
    }

    /// What the module documentation calls the invariant. The sum also shows that none of its
    /// parts was ever below zero, since all are unsigned.
    fn check(&self) {
        let on_their_way: u32 = self.pieces.iter().sum();
        let granted: u32 = self.grants.iter().sum();
        let parts = self.sender.available() + granted + on_their_way + self.receiver.held() + self.receiver.owed;
        assert_eq!(parts, self.size);
        assert_eq!(self.receiver.outstanding.available(), self.sender.available() + granted + on_their_way);
    }
}

proptest! {
    /// Steps in any order keep the sum; and from wherever that leads, an exchange whose consumer
    /// goes on always finishes.
    #[test]
    fn the_sum_is_conserved_and_nothing_deadlocks(
        size in 1..2000u32,
        steps in vec((0..4u8, 1..700u32), 0..200),
        rest in 0..10_000u32,
        piece in 1..3000u32,
    ) {
        let mut exchange = Exchange::new(size);
        for (step, bytes) in steps {
            match step {
                0 => { exchange.send(bytes); }
                1 => exchange.deliver_grant(),
                2 => exchange.deliver_piece(),
                _ => exchange.consume(bytes),
            }
            exchange.check();
        }
        // At most 200 pieces and grants are still on their way, then every second round sends.
        let mut left = rest;
        for _ in 0..2 * rest + 600 {
            exchange.deliver_grant();
            exchange.deliver_piece();
            exchange.consume(u32::MAX);
            left -= exchange.send(piece.min(left));
            exchange.check();
            if left == 0 && exchange.pieces.is_empty() {
                break;
            }
        }
        prop_assert_eq!((left, exchange.pieces.len(), exchange.receiver.held()), (0, 0, 0));
    }
}

#[test]
fn a_sender_cannot_spend_what_it_was_not_granted() {
    let mut window = Window::new();
    assert_eq!(window.take(1), Err(FlowError::Exceeded { bytes: 1, available: 0 }));
    window.grant(10).unwrap();
    assert_eq!(window.take(11), Err(FlowError::Exceeded { bytes: 11, available: 10 }));
    assert_eq!(window.take(usize::MAX), Err(FlowError::Exceeded { bytes: usize::MAX, available: 10 }));
    window.take(10).unwrap();
    assert_eq!(window.available(), 0);
}

#[test]
fn a_grant_that_overflows_is_refused_and_changes_nothing() {
    let mut window = Window::new();
    window.grant(u32::MAX).unwrap();
    assert_eq!(window.grant(1), Err(FlowError::Overflow { bytes: 1, available: u32::MAX }));
    assert_eq!(window.available(), u32::MAX);
}

#[test]
fn grants_come_in_halves_of_the_window_and_never_exceed_it() {
    let mut grants = Grants::new(10);
    grants.received(10).unwrap();
    assert_eq!(grants.received(1), Err(FlowError::Exceeded { bytes: 1, available: 0 }));
    assert_eq!(grants.consumed(4), None);
    assert_eq!(grants.consumed(1), Some(5));
    assert_eq!(grants.consumed(1000), Some(5));
    assert_eq!(grants.consumed(1000), None);
}
