use super::{FairQueue, Full};
use proptest::prelude::*;
use std::collections::HashMap;

/// What is done to a queue.
#[derive(Debug, Clone)]
enum Step {
    Push(u8),
    Pop,
    PutBack,
    Remove(u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u8).prop_map(Step::Push),
        3 => Just(Step::Pop),
        1 => Just(Step::PutBack),
        1 => (0..5_u8, 0..4_usize).prop_map(|(key, place)| Step::Remove(key, place)),
    ]
}

proptest! {
    /// Against a plain list of what arrived: the bound holds, each key's order is kept, and nothing
    /// appears twice or is lost.
    #[test]
    fn it_is_bounded_and_in_order_within_a_key(bound in 0..12_usize, steps in prop::collection::vec(step(), 0..200)) {
        let mut queue = FairQueue::new(bound);
        let mut model: Vec<(u8, usize)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push(key) => {
                    let taken = queue.push(key, (key, number));
                    prop_assert_eq!(taken.is_ok(), model.len() < bound);
                    match taken {
                        Ok(()) => model.push((key, number)),
                        Err(Full(item)) => prop_assert_eq!(item, (key, number)),
                    }
                }
                Step::Pop => match queue.pop() {
                    None => prop_assert!(model.is_empty()),
                    Some(item) => {
                        let oldest = model.iter().position(|known| known.0 == item.0).expect("it waited");
                        prop_assert_eq!(model.remove(oldest), item);
                    }
                },
                Step::PutBack => {
                    // Several may be out at once, and come back in any order.
                    let out: Vec<_> = (0..3).map_while(|_| queue.pop()).collect();
                    for item in out {
                        queue.put_back(item.0, item, |waiting, item| waiting.1 < item.1);
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

    /// Between two turns of a key that keeps waiting, every other key has at most one.
    #[test]
    fn no_key_starves(mut crowd in prop::collection::vec(0..6_u8, 1..120), extra in prop::collection::vec(0..6_u8, 0..120)) {
        crowd.push(9);
        let mut queue = FairQueue::new(1000);
        for key in &crowd {
            queue.push(*key, *key).expect("room");
        }
        let mut since: HashMap<u8, u32> = HashMap::new();
        let mut more = extra.into_iter();
        while let Some(key) = queue.pop() {
            if key == 9 {
                return Ok(());
            }
            let turns = since.entry(key).or_default();
            *turns += 1;
            prop_assert!(*turns <= 1, "{} had a second turn while 9 waited", key);
            // A crowd that grows while it is served changes nothing.
            if let Some(key) = more.next() {
                queue.push(key, key).expect("room");
            }
        }
        prop_assert!(false, "9 never had its turn");
    }
}

#[test]
fn what_may_not_go_keeps_its_place_and_holds_nobody_up() {
    let mut queue = FairQueue::new(8);
    for (key, item) in [('a', 1), ('a', 2), ('b', 3), ('b', 4)] {
        queue.push(key, item).expect("room");
    }
    assert_eq!(queue.pop_where(|item| *item != 1), Some(2));
    assert_eq!(queue.pop_where(|item| *item == 4), Some(4));
    assert_eq!(queue.pop_where(|_| false), None);
    assert_eq!((queue.len(), queue.pop(), queue.pop(), queue.pop()), (2, Some(1), Some(3), None));
}
