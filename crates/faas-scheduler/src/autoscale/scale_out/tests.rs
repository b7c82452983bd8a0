use super::{Crowd, FIRST, ScaleOut, Verdict};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

const START: Duration = Duration::from_millis(30);
const CLIENTS: u32 = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Call,
    /// One that began then is over.
    Served(Duration),
    Started(Duration),
    Ask,
}

/// What became of so many clients that call again as soon as they were answered, first in, first out.
#[derive(Debug, Default)]
struct World {
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u32, Event)>>,
    number: u32,
    waiting: VecDeque<Duration>,
    /// When one of them got an instance last.
    got: Duration,
    /// Whether it is asked again by itself.
    is_asked: bool,
    free: u32,
    serving: u32,
    starting: u32,
    /// When starts were begun.
    starts: Vec<Duration>,
    longest: Duration,
    answered: u32,
}

impl World {
    fn at(&mut self, at: Duration, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    fn live(&self) -> u32 {
        self.free + self.serving + self.starting
    }

    fn crowd(&self, room: u32) -> Crowd {
        Crowd {
            waiting: u32::try_from(self.waiting.len()).expect("few"),
            stalled: self.waiting.front().map_or(Duration::ZERO, |since| self.now.saturating_sub(self.got.max(*since))),
            serving: self.serving,
            starting: self.starting,
            room: room.saturating_sub(self.live()),
        }
    }

    fn run(mut self, room: u32, calls: u32, mut service: impl FnMut(u32) -> Duration) -> (Self, ScaleOut) {
        let mut scale = ScaleOut::new(START);
        let mut given = 0;
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            self.now = now;
            match event {
                Event::Call => self.waiting.push_back(now),
                Event::Served(since) => {
                    scale.served(now.saturating_sub(since));
                    (self.serving, self.free) = (self.serving - 1, self.free + 1);
                    self.answered += 1;
                    if self.answered + CLIENTS <= calls {
                        self.at(now, Event::Call);
                    }
                }
                Event::Started(since) => {
                    scale.started(now.saturating_sub(since));
                    (self.starting, self.free) = (self.starting - 1, self.free + 1);
                }
                Event::Ask => self.is_asked = false,
            }
            while let Some(since) = self.waiting.front().copied().filter(|_| self.free > 0) {
                self.waiting.pop_front();
                self.got = now;
                (self.free, self.serving) = (self.free - 1, self.serving + 1);
                self.longest = self.longest.max(now.saturating_sub(since));
                self.at(now + service(given), Event::Served(now));
                given += 1;
            }
            if self.waiting.is_empty() {
                continue;
            }
            match scale.decide(self.crowd(room)) {
                Verdict::Start(more) => {
                    self.starting += more;
                    assert!(self.live() <= room, "no more than there is room for");
                    for _ in 0..more {
                        self.starts.push(now);
                        self.at(now + START, Event::Started(now));
                    }
                }
                Verdict::Wait(time) if !self.is_asked => {
                    self.is_asked = true;
                    self.at(now + time, Event::Ask);
                }
                Verdict::Wait(_) => {}
            }
        }
        (self, scale)
    }
}

/// Clients that call at once, of a version of which so many instances are there.
fn herd(clients: u32, free: u32) -> World {
    let mut world = World { free, ..World::default() };
    (0..clients).for_each(|_| world.at(Duration::ZERO, Event::Call));
    world
}

/// From so many seconds to so many times as much, each scale as often as another.
fn scaled(least: f64, times: f64) -> impl Strategy<Value = Duration> {
    (0.0..times.ln()).prop_map(move |log| Duration::from_secs_f64(least * log.exp()))
}

#[test]
fn calls_that_are_shorter_than_a_start_wait_for_each_other() {
    let (world, scale) = herd(32, 0).run(1000, 20_000, |_| Duration::from_micros(300));
    assert_eq!(world.starts.len(), usize::try_from(FIRST).expect("few"), "before anything is known of it");
    assert_eq!(scale.service_time().map(|time| time.as_micros()), Some(300));
    let (world, _) = herd(32, 2).run(1000, 20_000, |_| Duration::from_micros(300));
    assert!(world.starts.len() <= usize::try_from(FIRST).expect("few"), "{:?}", world.starts);
    assert!(world.answered + CLIENTS >= 20_000 && world.waiting.is_empty());
}

#[test]
fn one_long_call_among_short_ones_keeps_nobody_waiting() {
    // The first instance is asleep for a minute, and everything known says that calls are short.
    let (world, _) =
        herd(3, 1).run(64, 500, |call| if call == 100 { Duration::from_secs(60) } else { Duration::from_millis(1) });
    assert!(world.longest < START * 3, "{:?}", world.longest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_started_is_bounded_and_something_always_is(
        waiting in 1..1000_u32, serving in 0..1000_u32, starting in 0..1000_u32, room in 0..1000_u32,
        stalled in scaled(1e-6, 1e9), served in scaled(1e-9, 1e12), start in scaled(1e-9, 1e12), is_known: bool,
    ) {
        let mut scale = ScaleOut::new(start);
        if is_known {
            scale.served(served);
        }
        match scale.decide(Crowd { waiting, stalled, serving, starting, room }) {
            Verdict::Start(more) => {
                prop_assert!(more > 0 && more <= room);
                prop_assert!(starting + more <= waiting && starting + more <= serving.max(FIRST));
            }
            Verdict::Wait(time) => {
                prop_assert!(!time.is_zero());
                let nothing_comes = serving == 0 && starting == 0;
                prop_assert!(room == 0 || !nothing_comes);
                // Where nothing went on for as long as a start takes something is on its way.
                prop_assert!(room == 0 || stalled < start || starting >= waiting.min(serving.max(FIRST)));
            }
        }
    }

    /// No oscillation: with the same load nothing is started any more. No starvation: nobody waits for much longer
    /// than doubling takes.
    #[test]
    fn an_even_load_settles(service in scaled(1e-4, 3e4), clients in 1..CLIENTS, free in 0..8_u32) {
        let calls = 4000;
        let (world, _) = herd(clients, free).run(1000, calls, |_| service);
        prop_assert!(world.answered + CLIENTS >= calls);
        let half = world.now / 2;
        let late = world.starts.iter().filter(|at| **at > half).count();
        prop_assert!(late == 0, "{late} starts in the second half");
        prop_assert!(world.live() <= clients.max(free) + FIRST, "{} for {clients} clients", world.live());
        let doublings = u32::BITS - clients.leading_zeros();
        prop_assert!(world.longest <= START * (3 + doublings), "{:?}", world.longest);
    }

    /// Where there is no room for more, calls wait and all are answered.
    #[test]
    fn room_is_kept_to(service in scaled(1e-4, 1e4), clients in 1..CLIENTS, room in 1..8_u32) {
        let (world, _) = herd(clients, 0).run(room, 500, |_| service);
        prop_assert!(world.waiting.is_empty() && world.answered + CLIENTS >= 500);
        prop_assert!(world.live() <= room);
    }
}
