//! How often which time was taken, in buckets that grow: eight for each doubling, so that a value is known
//! within an eighth, and a histogram takes little more than a kilobyte.

/// Buckets of one microsecond each, before they grow.
const EXACT: u64 = 16;
/// Buckets for each doubling, as a power of two.
const STEPS: u32 = 3;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// Only as many as there is something in.
    buckets: Vec<u32>,
    total: u64,
}

impl Histogram {
    pub(super) fn add(&mut self, microseconds: u64) {
        let index = bucket(microseconds);
        if self.buckets.len() <= index {
            self.buckets.resize(index + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(index) {
            *count = count.saturating_add(1);
            self.total += 1;
        }
    }

    /// What this share of all took at most; `None` of none.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among counts, where one more or less means nothing"
    )]
    pub(super) fn at(&self, share: f64) -> Option<u64> {
        let rank = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets.iter().enumerate().find_map(|(index, count)| {
            seen += u64::from(*count);
            (seen >= rank).then(|| last_of(index))
        })
    }
}

fn bucket(value: u64) -> usize {
    let index = match value {
        0..EXACT => value,
        _ => {
            let doublings = u64::from(value.ilog2());
            let step = (value >> (doublings - u64::from(STEPS))) & ((1 << STEPS) - 1);
            EXACT + ((doublings - 4) << STEPS) + step
        }
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value of a bucket.
fn last_of(index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    match index {
        0..EXACT => index,
        _ => {
            let (doublings, step) = (4 + ((index - EXACT) >> STEPS), (index - EXACT) & ((1 << STEPS) - 1));
            let width = 1_u64 << (doublings - u64::from(STEPS));
            (((1 << STEPS) + step) * width).saturating_add(width - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, last_of};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_is_known_within_an_eighth(value in 0..(1_u64 << 60)) {
            let shown = last_of(bucket(value));
            prop_assert!(shown >= value && shown - value <= value / 8, "{value} as {shown}");
            prop_assert_eq!(bucket(shown), bucket(value));
            prop_assert_eq!(bucket(shown + 1), bucket(value) + 1);
        }
    }

    #[test]
    fn shares_are_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.at(0.5), None);
        (1..=10).for_each(|value| histogram.add(value));
        assert_eq!((histogram.at(0.5), histogram.at(0.95), histogram.at(0.0)), (Some(5), Some(10), Some(1)));
    }
}
