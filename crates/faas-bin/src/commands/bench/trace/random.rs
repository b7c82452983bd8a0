//! Numbers that look random and are the same for the same seed (SplitMix64). Pure.

/// A sequence.
#[derive(Debug, Clone)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The one of another subject under the same seed.
    pub(super) const fn of(seed: u64, subject: u64) -> Self {
        let mut mixed = Self::new(seed ^ subject.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        mixed.state = mixed.next();
        mixed
    }

    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// At least 0 and below 1.
    pub(super) fn unit(&mut self) -> f64 {
        // What a float holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The time until the next of events that come independently at this mean distance.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_means_one_sequence_with_the_right_mean() {
        let take = |mut random: Random| (0..1000).map(|_| random.unit()).collect::<Vec<f64>>();
        assert_eq!(take(Random::new(7)), take(Random::new(7)));
        assert_ne!(take(Random::new(7)), take(Random::new(8)));
        assert_ne!(take(Random::of(7, 1)), take(Random::of(7, 2)));
        let units = take(Random::of(7, 3));
        let mean = units.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean) && units.iter().all(|unit| (0.0..1.0).contains(unit)), "{mean}");
        let mut random = Random::new(1);
        let mean = (0..10_000).map(|_| random.exponential(3.0)).sum::<f64>() / 10_000.0;
        assert!((2.8..3.2).contains(&mean), "{mean}");
    }
}
