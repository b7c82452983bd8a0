//! The bodies of the fuzz targets over a fixed sequence of inputs: what continuous integration runs
//! without nightly. A failure prints the input.

#[path = "../../../fuzz/src/lib.rs"]
pub mod bodies;

use std::panic::{AssertUnwindSafe, catch_unwind};

use faas_protocol::frame::{FrameError, HEADER, RawFrame};
use faas_protocol::launcher::FromLauncher;

const INPUTS: usize = 20_000;

/// Numbers that look random and are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below a bound that is far below 65536.
    fn below(&mut self, bound: usize) -> usize {
        let [_, _, low, high, ..] = self.next().to_le_bytes();
        usize::from(u16::from_le_bytes([low, high])) % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    /// A byte at the edge of some range as often as any other byte.
    fn edge(&mut self) -> u8 {
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => 0x7f,
            3 => 0xff,
            _ => self.byte(),
        }
    }

    /// Every fourth input is noise; the others are seeds with a few changes, half of them with the
    /// header's length put right again so that the fields behind it are reached.
    fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        if self.below(4) == 0 {
            let length = self.below(80);
            return (0..length).map(|_| self.byte()).collect();
        }
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..self.below(4) {
            self.change(&mut input, seeds);
        }
        if self.below(2) == 0
            && let Ok(length) = u32::try_from(input.len().saturating_sub(HEADER))
            && let Some(head) = input.first_chunk_mut::<4>()
        {
            *head = length.to_le_bytes();
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(6) {
            0 => input.truncate(at),
            1 => input.insert(at, self.edge()),
            2 => input.extend_from_slice(&seeds[self.below(seeds.len())]),
            3 if at < input.len() => drop(input.remove(at)),
            4 if at < input.len() => input[at] ^= 1 << self.below(8),
            _ if at < input.len() => input[at] = self.edge(),
            _ => {}
        }
    }
}

fn run(body: fn(&[u8])) {
    let seeds = bodies::seeds();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for seed in &seeds {
        body(seed);
    }
    for count in 0..INPUTS {
        let input = numbers.input(&seeds);
        if catch_unwind(AssertUnwindSafe(|| body(&input))).is_err() {
            panic!("input {count} breaks a promise: {input:02x?}");
        }
    }
}

#[test]
fn control() {
    run(bodies::control);
}

#[test]
fn call() {
    run(bodies::call);
}

#[test]
fn launcher() {
    run(bodies::launcher);
}

#[test]
fn quantities() {
    run(bodies::quantities);
}

/// The inputs would prove nothing if all of them were refused at the first byte, or none.
#[test]
fn the_inputs_reach_behind_the_header_and_are_not_all_accepted() {
    let seeds = bodies::seeds();
    assert_eq!(seeds.len(), 46 + 1 + 9, "a seed could not be encoded");
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut sound, mut accepted, mut refused_by_field) = (0, 0, 0);
    for _ in 0..INPUTS {
        let input = numbers.input(&seeds);
        sound += usize::from(RawFrame::parse(&input).is_ok());
        match FromLauncher::decode(&input) {
            Ok(_) => accepted += 1,
            Err(FrameError::BadValue { .. } | FrameError::TooMany { .. } | FrameError::NotUtf8 { .. }) => {
                refused_by_field += 1;
            }
            Err(_) => {}
        }
    }
    assert!(sound > 2000 && accepted > 500 && refused_by_field > 50, "{sound} {accepted} {refused_by_field}");
}
