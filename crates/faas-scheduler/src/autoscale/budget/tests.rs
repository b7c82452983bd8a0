use super::{Budget, Claim, share};
use proptest::prelude::*;

const ONE: Claim = Claim { wanted: 4, min: 0, had: 0, memory: 10, while_made: 1.0, worth: 1.0 };

fn claim() -> impl Strategy<Value = Claim> {
    (0..9_u32, 0..3_u32, 0..9_u32, 1..50_u64, 0.0..1000.0_f64, 0.0..100.0_f64).prop_map(
        |(wanted, min, had, memory, while_made, worth)| Claim {
            wanted,
            min: min.min(wanted),
            had,
            memory,
            while_made,
            worth,
        },
    )
}

proptest! {
    #[test]
    fn what_is_granted_fits_and_lower_bounds_come_first(
        claims in prop::collection::vec(claim(), 0..12), bytes in 0..1500_u64, most in 0..40_u32,
    ) {
        let budget = Budget { bytes, most };
        let granted = share(budget, &claims);
        prop_assert_eq!(&granted, &share(budget, &claims));
        prop_assert!(granted.iter().sum::<u32>() <= most);
        let is_full = granted.iter().sum::<u32>() == most;
        let sum = |counts: &[u32]| claims.iter().zip(counts).map(|(claim, count)| claim.memory * u64::from(*count)).sum::<u64>();
        let used = sum(&granted);
        prop_assert!(used <= bytes, "{used} of {bytes}: {granted:?}");
        let mins: Vec<_> = claims.iter().map(|claim| claim.min).collect();
        for (claim, granted) in claims.iter().zip(&granted) {
            prop_assert!(*granted <= claim.wanted);
            let mins_fit = sum(&mins) <= bytes && mins.iter().sum::<u32>() <= most;
            prop_assert!(!mins_fit || *granted >= claim.min, "{granted} for {claim:?}");
            // Nobody goes short while there is room.
            prop_assert!(is_full || *granted == claim.wanted || used + claim.memory > bytes, "{granted} for {claim:?}");
        }
    }
}

const fn bytes(bytes: u64) -> Budget {
    Budget { bytes, most: u32::MAX }
}

#[test]
fn where_few_are_left_they_go_to_the_first_of_each() {
    let many = |most| Budget { bytes: 1000, most };
    assert_eq!(share(many(2), &[ONE, ONE]), [1, 1]);
    assert_eq!(share(many(3), &[ONE, Claim { worth: 2.0, ..ONE }]), [1, 2]);
    assert_eq!(share(many(0), &[ONE]), [0]);
}

#[test]
fn memory_goes_where_it_saves_most_and_to_the_first_spare_of_each_before_a_second() {
    let often = Claim { worth: 3.0, ..ONE };
    let large = Claim { worth: 3.0 / 4.0, memory: 40, ..ONE };
    // In their order: 3.0 and 1.9 of the second, 1.0 of the first, 0.8 of the second, 0.75 of the large one.
    assert_eq!(share(bytes(80), &[ONE, often, large]), [1, 3, 1]);
    assert_eq!(share(bytes(20), &[ONE, ONE]), [1, 1]);
    // A second one saves nothing while it is certain that one is enough.
    assert_eq!(share(bytes(20), &[Claim { while_made: 0.0, worth: 9.0, ..ONE }, ONE]), [1, 1]);
    assert_eq!(share(bytes(20), &[Claim { min: 4, worth: 0.0, ..ONE }, Claim { min: 1, ..ONE }]), [1, 1]);
}

#[test]
fn who_has_memory_keeps_it_until_somebody_saves_twice_as_much() {
    let has = Claim { wanted: 1, had: 1, ..ONE };
    let wants = |worth| Claim { wanted: 1, worth, ..ONE };
    assert_eq!(share(bytes(10), &[wants(1.9), has]), [0, 1]);
    assert_eq!(share(bytes(10), &[wants(2.1), has]), [1, 0]);
}
