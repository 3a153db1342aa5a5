//! A histogram that keeps only the buckets that hold something: what is left of a run's [`Histogram`] when it has
//! ended.
//!
//! A latency has thousands of buckets, of which most components fill a few hundred. It answers what estimators ask of
//! one run, bucket by bucket the same as the histogram that it was made of, and adds up into a [`Histogram`].

use super::histogram::{Histogram, PRECISION, bounds_of, index_of};
use crate::kernel::number::{fit, whole};

/// The buckets of a [`Histogram`] that are not empty, with its exact count, sum, least and greatest value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseHistogram {
    /// Number of the bucket and count, ascending; no count is zero.
    buckets: Vec<(u32, u64)>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

impl SparseHistogram {
    /// What `histogram` holds.
    pub fn of(histogram: &Histogram) -> Self {
        let bucket = |(low, _, count)| (fit(index_of::<PRECISION>(low)), count);
        Self {
            buckets: histogram.buckets().map(bucket).collect(),
            count: histogram.count(),
            sum: histogram.sum(),
            min: histogram.min(),
            max: histogram.max(),
        }
    }

    /// A histogram of these buckets (number and count), of values with this sum, from `min` to `max`; `None` if no
    /// values can be in such buckets.
    pub fn from_buckets(buckets: Vec<(u32, u64)>, sum: u128, min: u64, max: u64) -> Option<Self> {
        let count = buckets
            .iter()
            .try_fold(0_u64, |all, bucket| all.checked_add(bucket.1))?;
        let ends = buckets.first().zip(buckets.last());
        let sound = match ends {
            None => (sum, min, max) == (0, 0, 0),
            Some((first, last)) => {
                first.0 as usize == index_of::<PRECISION>(min)
                    && last.0 as usize == index_of::<PRECISION>(max)
                    && buckets.windows(2).all(|pair| pair[0].0 < pair[1].0)
                    && buckets.iter().all(|bucket| bucket.1 > 0)
                    && sum >= u128::from(min) * u128::from(count)
                    && sum <= u128::from(max) * u128::from(count)
            }
        };
        sound.then_some(Self {
            buckets,
            count,
            sum,
            min,
            max,
        })
    }

    /// The buckets that hold something, in ascending order: number and count.
    pub fn buckets(&self) -> &[(u32, u64)] {
        &self.buckets
    }

    /// How many values were recorded.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact sum of the values.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The least value, exactly; 0 if there is none.
    pub const fn min(&self) -> u64 {
        self.min
    }

    /// The greatest value, exactly; 0 if there is none.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The mean of the values, from their exact sum; 0 if there are none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / self.count as f64
        }
    }

    /// The `q`-quantile, `q` in 0..=1, as [`Histogram::quantile_at`] has it. 0 if there are no values.
    pub fn quantile_at(&self, q: f64) -> f64 {
        let rank = q.clamp(0.0, 1.0) * self.count as f64 * (1.0 - 4.0 * f64::EPSILON);
        let wanted = whole(rank.ceil()).max(1);
        let mut seen = 0;
        for &(index, n) in &self.buckets {
            if seen + n >= wanted {
                let (low, high) = bounds_of::<PRECISION>(index as usize);
                let (low, high) = (low.max(self.min) as f64, high.min(self.max) as f64);
                return low + (high - low) * ((rank - seen as f64).max(0.0) / n as f64);
            }
            seen += n;
        }
        self.max as f64
    }

    /// The same to the nearest integer, as [`Histogram::quantile`] has it.
    pub fn quantile(&self, q: f64) -> u64 {
        whole(self.quantile_at(q) + 0.5).clamp(self.min, self.max)
    }

    /// Adds everything that this one holds to `all`.
    pub fn add_to(&self, all: &mut Histogram) {
        if !self.is_empty() {
            all.add_buckets(&self.buckets, self.sum, self.min, self.max);
        }
    }

    fn place(&self, index: usize) -> usize {
        self.buckets.partition_point(|bucket| (bucket.0 as usize) < index)
    }

    /// How many values there are in bucket `index`.
    pub(super) fn at(&self, index: usize) -> u64 {
        let found = self.buckets.get(self.place(index));
        found
            .filter(|bucket| bucket.0 as usize == index)
            .map_or(0, |bucket| bucket.1)
    }

    /// How many values there are in buckets before `index`.
    pub(super) fn below_bucket(&self, index: usize) -> u64 {
        self.buckets[..self.place(index)].iter().map(|bucket| bucket.1).sum()
    }

    /// How many values there are in buckets beyond `index`.
    pub(super) fn above_bucket(&self, index: usize) -> u64 {
        self.buckets[self.place(index + 1)..]
            .iter()
            .map(|bucket| bucket.1)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::place;
    use crate::kernel::stream::{Stream, StreamKey, unit_open};

    fn dense(n: usize, run: u64) -> Histogram {
        let mut rng = Stream::new(7, run, StreamKey::new("sparse", "values"));
        let mut histogram = Histogram::new();
        (0..n).for_each(|_| histogram.record(whole(20.0e6 * unit_open(&mut rng).powf(-0.7))));
        histogram
    }

    #[test]
    fn it_answers_like_the_histogram_it_was_made_of() {
        for n in [0, 1, 2, 100, 20_000] {
            let dense = dense(n, n as u64);
            let sparse = SparseHistogram::of(&dense);
            for q in [0.0, 0.001, 0.07, 0.5, 0.9, 0.99, 0.9999, 1.0] {
                assert_eq!(sparse.quantile_at(q).to_bits(), dense.quantile_at(q).to_bits());
                assert_eq!(sparse.quantile(q), dense.quantile(q));
            }
            let totals = (
                sparse.count(),
                sparse.sum(),
                sparse.min(),
                sparse.max(),
                sparse.mean().to_bits(),
            );
            let expected = (
                dense.count(),
                dense.sum(),
                dense.min(),
                dense.max(),
                dense.mean().to_bits(),
            );
            assert_eq!(totals, expected);
            for index in (0..8_000).step_by(7) {
                assert_eq!(sparse.at(index), dense.at(index));
                assert_eq!(sparse.below_bucket(index), dense.below_bucket(index));
                assert_eq!(sparse.above_bucket(index), dense.above_bucket(index));
            }
        }
    }

    #[test]
    fn sparse_ones_add_up_like_dense_ones() {
        let (mut all, mut expected) = (Histogram::new(), Histogram::new());
        for run in 0..5 {
            let dense = dense(300 * place(run), run);
            SparseHistogram::of(&dense).add_to(&mut all);
            expected.merge(&dense);
        }
        assert_eq!(all, expected);
    }

    type Change<'c> = &'c dyn Fn(&mut Vec<(u32, u64)>);

    #[test]
    fn only_buckets_that_values_can_be_in_make_a_histogram() {
        let sound = SparseHistogram::of(&dense(500, 1));
        let of = |change: Change, sum, min, max| {
            let mut buckets = sound.buckets.clone();
            change(&mut buckets);
            SparseHistogram::from_buckets(buckets, sum, min, max)
        };
        let (sum, min, max) = (sound.sum, sound.min, sound.max);
        assert_eq!(of(&|_| (), sum, min, max), Some(sound.clone()));
        assert_eq!(of(&|buckets| buckets[3].1 = 0, sum, min, max), None);
        assert_eq!(of(&|buckets| buckets.swap(2, 3), sum, min, max), None);
        assert_eq!(of(&|buckets| buckets[2].1 = u64::MAX, sum, min, max), None);
        assert_eq!(of(&|_| (), sum, min / 2, max), None);
        assert_eq!(of(&|_| (), sum, min, max * 2), None);
        assert_eq!(of(&|_| (), 500 * u128::from(max) + 1, min, max), None);
        assert_eq!(of(&|_| (), 1, min, max), None);
        assert_eq!(of(&Vec::clear, sum, min, max), None);
        assert_eq!(of(&Vec::clear, 0, 0, 0), Some(SparseHistogram::default()));
    }
}
