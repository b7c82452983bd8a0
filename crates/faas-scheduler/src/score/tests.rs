use super::{Parts, Sample, Smoothed, Weights, WeightsError};
use proptest::prelude::*;

fn parts(cpu: f64, memory: f64, io: f64) -> Parts {
    Parts { cpu, memory, io }
}

#[test]
fn the_score_is_that_of_seed_004() {
    let mut smoothed = Smoothed::default();
    assert_eq!(smoothed.shares(), None);
    for cpu in [0.2, 1.0] {
        smoothed.add(Sample::new(parts(cpu, 0.5, 0.1)).expect("shares"));
    }
    let shares = smoothed.shares().expect("sampled");
    assert!((shares.cpu - (0.7 * 0.2 + 0.3)).abs() < 1e-12, "{shares:?}");
    let score = Weights::default().score(shares);
    assert!((score - (0.5 * 0.44 + 0.3 * 0.5 + 0.2 * 0.1)).abs() < 1e-12, "{score}");
}

#[test]
fn weights_that_say_nothing_are_refused_by_name() {
    assert_eq!(Weights::new(parts(0.0, 0.0, 0.0)), Err(WeightsError::AllZero));
    assert_eq!(Weights::new(parts(-0.0, 0.0, 0.0)), Err(WeightsError::AllZero));
    for given in [-0.1, f64::NAN, f64::INFINITY] {
        let refused = Weights::new(parts(1.0, given, 1.0)).expect_err("no weight").to_string();
        assert!(refused.starts_with("weight memory is "), "{refused}");
        assert!(Sample::new(parts(0.0, 0.0, given)).is_err_and(|error| error.part == "io"));
    }
}

proptest! {
    #[test]
    fn a_score_is_from_0_to_1_and_depends_on_ratios_only(
        weights in prop::array::uniform3(prop_oneof![Just(0.0), Just(f64::MAX), Just(f64::MIN_POSITIVE), 0.0..10.0_f64]),
        shares in prop::array::uniform3(0.0..3.0_f64),
        scale in 0.001..1000.0_f64,
    ) {
        prop_assume!(weights.iter().any(|weight| *weight > 0.0));
        let mut smoothed = Smoothed::default();
        smoothed.add(Sample::new(parts(shares[0], shares[1], shares[2])).expect("shares"));
        let shares = smoothed.shares().expect("sampled");
        let score = Weights::new(parts(weights[0], weights[1], weights[2])).expect("weights").score(shares);
        prop_assert!((0.0..=1.0 + 1e-12).contains(&score), "{score}");
        let scaled = weights.map(|weight| weight * scale);
        if scaled.iter().all(|weight| weight.is_finite()) && scaled.iter().all(|weight| *weight == 0.0 || *weight > 1e-290) {
            let same = Weights::new(parts(scaled[0], scaled[1], scaled[2])).expect("weights").score(shares);
            prop_assert!((score - same).abs() < 1e-9, "{score} and {same}");
        }
    }
}
