use super::{FairQueue, Full};
use proptest::prelude::*;
use std::collections::HashMap;

/// Key, line and number of arrival.
type Item = (u8, u8, usize);

/// What is done to a queue.
#[derive(Debug, Clone)]
enum Step {
    Push(u8, u8),
    Pop,
    PutBack,
    Remove(u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u8, 0..3_u8).prop_map(|(key, line)| Step::Push(key, line)),
        3 => Just(Step::Pop),
        1 => Just(Step::PutBack),
        1 => (0..5_u8, 0..4_usize).prop_map(|(key, place)| Step::Remove(key, place)),
    ]
}

proptest! {
    /// Against a plain list of what arrived: the bound holds, each line's order is kept, and nothing
    /// appears twice or is lost.
    #[test]
    fn it_is_bounded_and_in_order_within_a_line(bound in 0..12_usize, steps in prop::collection::vec(step(), 0..200)) {
        let mut queue = FairQueue::new(bound);
        let mut model: Vec<Item> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(key, line) => {
                    let taken = queue.push(key, line, (key, line, number));
                    prop_assert_eq!(taken.is_ok(), model.len() < bound);
                    match taken {
                        Ok(()) => model.push((key, line, number)),
                        Err(Full(item)) => prop_assert_eq!(item, (key, line, number)),
                    }
                }
                Step::Pop => match queue.pop() {
                    None => prop_assert!(model.is_empty()),
                    Some(item) => {
                        let is_same_line = |known: &Item| (known.0, known.1) == (item.0, item.1);
                        let oldest = model.iter().position(is_same_line).expect("it waited");
                        prop_assert_eq!(model.remove(oldest), item);
                    }
                },
                Step::PutBack => {
                    // Several may be out at once, and come back in any order.
                    let out: Vec<_> = (0..3).map_while(|_| queue.pop()).collect();
                    for item in out {
                        queue.put_back(item.0, item.1, item, |waiting, item| waiting.2 < item.2);
                    }
                }
                Step::Remove(key, place) => {
                    let wanted = model.iter().filter(|known| known.0 == key).nth(place).copied();
                    let found = queue.remove(&key, |item| Some(*item) == wanted);
                    prop_assert_eq!(found, wanted);
                    model.retain(|known| Some(*known) != wanted);
                }
            }
            prop_assert!(queue.len() <= bound);
            prop_assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        }
        let mut rest = queue.take_all();
        rest.sort_unstable();
        model.sort_unstable();
        prop_assert_eq!(rest, model);
    }

    /// Between two turns of a key that keeps waiting, every other key has at most one; and so has every other line
    /// of its own, between two of the key's turns in which that line is not served.
    #[test]
    fn neither_a_key_nor_a_line_starves(
        mut crowd in prop::collection::vec((0..6_u8, 0..4_u8), 1..120),
        own in prop::collection::vec(0..4_u8, 0..60),
        extra in prop::collection::vec((0..6_u8, 0..4_u8), 0..120),
    ) {
        crowd.extend(own.into_iter().map(|line| (9, line)));
        crowd.push((9, 9));
        let mut queue = FairQueue::new(1000);
        for (key, line) in &crowd {
            queue.push(*key, *line, (*key, *line)).expect("room");
        }
        let mut since_own_turn: HashMap<u8, u32> = HashMap::new();
        let mut own_lines: HashMap<u8, u32> = HashMap::new();
        let mut more = extra.into_iter();
        while let Some((key, line)) = queue.pop() {
            if (key, line) == (9, 9) {
                return Ok(());
            }
            if key == 9 {
                since_own_turn.clear();
                let turns = own_lines.entry(line).or_default();
                *turns += 1;
                prop_assert!(*turns <= 1, "line {} had a second turn while line 9 waited", line);
            } else {
                let turns = since_own_turn.entry(key).or_default();
                *turns += 1;
                prop_assert!(*turns <= 1, "{} had a second turn while 9 waited", key);
            }
            // A crowd that grows while it is served changes nothing.
            if let Some((key, line)) = more.next() {
                queue.push(key, line, (key, line)).expect("room");
            }
        }
        prop_assert!(false, "9 never had its turn");
    }

    /// One key floods, through as many lines as it likes: each of the others waits for at most one item per key.
    #[test]
    fn a_flood_delays_the_others_by_one_item_a_turn(
        flood in 1..400_usize, lines in 1..20_u8, others in 1..8_u8, each in 1..5_usize,
    ) {
        let mut queue = FairQueue::new(1000);
        for (number, line) in (0..flood).zip((0..lines).cycle()) {
            queue.push(0, line, (0, number)).expect("room");
        }
        for key in 1..=others {
            for number in 0..each {
                queue.push(key, 0, (key, number)).expect("room");
            }
        }
        for (place, (key, number)) in queue.take_all().into_iter().enumerate() {
            let turns = usize::from(others) + 1;
            prop_assert!(key == 0 || place < (number + 1) * turns, "item {number} of {key} came as number {place}");
        }
    }

    /// Only the first item of each line is asked about, however many wait.
    #[test]
    fn a_long_line_is_not_searched(lengths in prop::collection::vec(1..50_usize, 1..10)) {
        let mut queue = FairQueue::new(1000);
        for (line, length) in lengths.iter().enumerate() {
            for _ in 0..*length {
                queue.push(0_u8, line, line).expect("room");
            }
        }
        let mut asked = 0;
        prop_assert_eq!(queue.pop_where(|_| { asked += 1; false }), None);
        prop_assert_eq!(asked, lengths.len());
    }
}

#[test]
fn what_may_not_go_keeps_its_place_and_holds_nobody_up() {
    let mut queue = FairQueue::new(8);
    for (key, line, item) in [('a', 'x', 1), ('a', 'y', 2), ('b', 'x', 3), ('b', 'x', 4)] {
        queue.push(key, line, item).expect("room");
    }
    assert_eq!(queue.pop_where(|item| *item != 1), Some(2));
    assert_eq!(queue.pop_where(|item| *item == 3), Some(3));
    assert_eq!(queue.pop_where(|_| false), None);
    assert!(queue.any(|item| *item == 4) && !queue.any(|item| *item == 2));
    assert_eq!((queue.len(), queue.pop(), queue.pop(), queue.pop()), (2, Some(1), Some(4), None));
}
