use super::Recent;
use proptest::prelude::*;

proptest! {
    /// Against a list in order of use.
    #[test]
    fn the_one_used_longest_ago_is_forgotten(
        most in 0..6_usize, steps in prop::collection::vec((0..10_u8, prop::option::weighted(0.2, any::<bool>())), 0..200),
    ) {
        let mut recent = Recent::new(most);
        let mut model: Vec<(u8, bool)> = Vec::new();
        for (key, pin) in steps {
            if let Some(pinned) = pin {
                recent.pin(&key, pinned);
                model.iter_mut().filter(|known| known.0 == key).for_each(|known| known.1 = pinned);
            } else {
                let known = model.iter().position(|known| known.0 == key);
                let oldest = model.iter().position(|known| !known.1);
                let entry = match (known, oldest) {
                    (Some(place), _) => Some(model.remove(place)),
                    (None, _) if model.len() < most => Some((key, false)),
                    (None, Some(oldest)) => { model.remove(oldest); Some((key, false)) }
                    (None, None) => None,
                };
                prop_assert_eq!(recent.touch(&key, || key).copied(), entry.map(|_| key));
                model.extend(entry);
            }
            let mut keys: Vec<_> = model.iter().map(|known| known.0).collect();
            keys.sort_unstable();
            prop_assert_eq!(recent.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys);
            prop_assert!(recent.order.len() <= recent.known.len() && recent.known.len() <= most);
        }
    }
}
