use super::{Lanes, Placement, Policy};
use crate::score::{Parts, Sample};
use proptest::prelude::*;

fn sample(share: f64) -> Sample {
    Sample::new(Parts { cpu: share, memory: share, io: share }).expect("a share")
}

fn in_use(lanes: &Lanes<u8>) -> Vec<u32> {
    lanes.states().map(|lane| lane.in_use).collect()
}

fn equal_lanes(policy: Policy, count: u8, capacity: u32) -> Lanes<u8> {
    let mut lanes = Lanes::new(policy);
    for id in 0..count {
        lanes.set(id, capacity);
    }
    lanes
}

/// What may happen to lanes.
#[derive(Debug, Clone)]
enum Step {
    Set(u8, u32),
    Remove(u8),
    Sample(u8, f64),
    Place,
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4_u8, 0..6_u32).prop_map(|(id, capacity)| Step::Set(id, capacity)),
        1 => (0..4_u8).prop_map(Step::Remove),
        4 => (0..4_u8, 0.0..1.0_f64).prop_map(|(id, share)| Step::Sample(id, share)),
        8 => Just(Step::Place),
        4 => any::<usize>().prop_map(Step::End),
    ]
}

fn run(policy: Policy, steps: &[Step]) -> (Vec<Option<u8>>, String) {
    let mut lanes = Lanes::new(policy);
    let mut placed: Vec<Placement<u8>> = Vec::new();
    let mut chosen = Vec::new();
    for step in steps {
        match step {
            Step::Set(id, capacity) => lanes.set(*id, *capacity),
            Step::Remove(id) => {
                let known = lanes.states().any(|lane| lane.id == id);
                assert_eq!(lanes.remove(id), known);
            }
            Step::Sample(id, share) => lanes.sample(id, sample(*share)),
            Step::Place => {
                let before = in_use(&lanes);
                let has_room = lanes.states().any(|lane| lane.in_use < lane.capacity);
                let placement = lanes.place();
                assert_eq!(placement.is_some(), has_room, "{before:?}");
                chosen.push(placement.as_ref().map(|placement| *placement.lane()));
                placed.extend(placement);
                let grown = lanes.states().zip(before).filter(|(lane, before)| lane.in_use > *before);
                assert!(grown.into_iter().all(|(lane, _)| lane.in_use <= lane.capacity));
            }
            Step::End(place) if !placed.is_empty() => {
                let place = place % placed.len();
                lanes.end(placed.remove(place));
            }
            Step::End(_) => {}
        }
        for lane in lanes.states() {
            assert!(lane.score.is_none_or(|score| score.is_finite() && score >= 0.0), "{lane:?}");
        }
    }
    for placement in placed {
        lanes.end(placement);
    }
    // Nothing that ended counts any more, not even as something that no sample has shown.
    assert!(lanes.lanes.iter().all(|lane| lane.in_use == 0 && lane.unseen == 0.0), "{lanes:?}");
    (chosen, format!("{lanes:?}"))
}

proptest! {
    #[test]
    fn no_lane_overflows_none_with_room_is_missed_and_the_same_steps_lead_to_the_same_lanes(
        steps in prop::collection::vec(step(), 0..150), by_score in any::<bool>(),
    ) {
        let policy = if by_score { Policy::default() } else { Policy::RoundRobin };
        prop_assert_eq!(run(policy, &steps), run(policy, &steps));
    }

    /// A herd between two samples spreads: equal lanes differ by one, and unequal ones by what their samples differ.
    #[test]
    fn a_herd_is_bounded(
        count in 1..8_u8, capacity in 1..64_u32, herd in 0..300_u32, base in 0.0..0.9_f64, error in 0.0..0.1_f64,
        noise in prop::collection::vec(0.0..1.0_f64, 8),
    ) {
        let mut lanes = equal_lanes(Policy::default(), count, capacity);
        for (id, noise) in (0..count).zip(&noise) {
            lanes.sample(&id, sample(base + noise * error));
        }
        let placed: Vec<_> = (0..herd).filter_map(|_| lanes.place()).collect();
        let all = u32::from(count) * capacity;
        prop_assert_eq!(placed.len(), usize::try_from(herd.min(all)).expect("few"));
        let in_use = in_use(&lanes);
        let most = in_use.iter().max().expect("a lane");
        let least = in_use.iter().min().expect("a lane");
        // An error of the samples is worth so many of those that are placed.
        let unequal = (error * f64::from(capacity)).ceil();
        prop_assert!(f64::from(most - least) <= 1.0 + unequal, "{in_use:?} with an error of {error}");
    }

    #[test]
    fn a_herd_on_equal_lanes_differs_by_one(count in 1..8_u8, capacity in 1..64_u32, herd in 0..300_u32, by_score in any::<bool>()) {
        let policy = if by_score { Policy::default() } else { Policy::RoundRobin };
        let mut lanes = equal_lanes(policy, count, capacity);
        let placed: Vec<_> = (0..herd).filter_map(|_| lanes.place()).collect();
        let in_use = in_use(&lanes);
        prop_assert!(in_use.iter().max().expect("a lane") - in_use.iter().min().expect("a lane") <= 1, "{in_use:?}");
        drop(placed);
    }

    /// While samples follow what is placed, what is placed counts once: seen and unseen together stay the same.
    #[test]
    fn nothing_counts_twice(placed in 0..20_u32, samples in 0..30_u32) {
        let mut lanes = equal_lanes(Policy::default(), 1, 20);
        lanes.sample(&0, sample(0.0));
        let kept: Vec<_> = (0..placed).filter_map(|_| lanes.place()).collect();
        for _ in 0..samples {
            lanes.sample(&0, sample(f64::from(placed) / 20.0));
        }
        let score = lanes.states().next().and_then(|lane| lane.score).expect("a score");
        prop_assert!((score - f64::from(placed) / 20.0).abs() < 1e-9, "{score} after {samples} samples of {placed}");
        drop(kept);
    }
}

#[test]
fn the_least_loaded_is_taken_and_short_ones_do_not_count_when_they_are_gone() {
    let mut lanes = equal_lanes(Policy::default(), 2, 8);
    lanes.sample(&0, sample(0.9));
    lanes.sample(&1, sample(0.1));
    for _ in 0..1000 {
        let placement = lanes.place().expect("room");
        assert_eq!(*placement.lane(), 1);
        lanes.end(placement);
    }
    // A placement of a lane that was removed since gives nothing back to the one that has its name now.
    let old = lanes.place().expect("room");
    assert!(lanes.remove(&1));
    lanes.set(1, 8);
    let new = lanes.place().expect("room");
    assert_eq!(*new.lane(), 1);
    lanes.end(old);
    assert_eq!(in_use(&lanes), [0, 1]);
}

/// What sleeps takes nothing that a sample shows; the emptier lane is taken all the same.
#[test]
fn among_equal_scores_the_emptiest_for_its_size_is_taken() {
    let mut lanes = equal_lanes(Policy::default(), 2, 8);
    lanes.set(1, 4);
    let sleeping: Vec<_> = (0..3).filter_map(|_| lanes.place()).collect();
    assert_eq!(in_use(&lanes), [2, 1]);
    lanes.sample(&0, sample(0.0));
    lanes.sample(&1, sample(0.0));
    lanes.end(sleeping.into_iter().next().expect("placed"));
    let placed: Vec<_> = (0..2).filter_map(|_| lanes.place()).collect();
    assert_eq!(placed.iter().map(|placement| *placement.lane()).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn lanes_take_turns_past_full_ones() {
    let mut lanes = equal_lanes(Policy::RoundRobin, 3, 2);
    lanes.set(1, 1);
    let placed: Vec<_> = std::iter::from_fn(|| lanes.place()).collect();
    let order: Vec<_> = placed.iter().map(|placement| *placement.lane()).collect();
    assert_eq!(order, [0, 1, 2, 0, 2]);
    assert!(lanes.states().all(|lane| lane.score.is_none()));
}
