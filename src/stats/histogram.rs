//! A log-linear histogram of non-negative integers, nanoseconds as a rule.
//!
//! Every power of two is cut into `2^P` buckets of equal width; below `2^(P+1)` a bucket holds one value and nothing is
//! lost. A bucket is at most `2^-P` of its values wide: with `P = 8` that is 0.39 %, and values below 512 are exact.
//! Quantiles are interpolated inside their bucket, so that they move with every value and not from midpoint to
//! midpoint: a median of replications that jumps between two midpoints has no spread to tell its uncertainty from.
//! Wherever the value stands in its bucket, the error stays below the bucket's width. Counts are integers, so merging
//! is addition: the same bytes come out whatever the order of merges, which quantile sketches with centroids cannot
//! promise.
//!
//! Values that are few and far between would each need a page of buckets, so the first ones are kept as a list of their
//! buckets' numbers.
//!
//! Sources: the layout is that of Gil Tene's `HdrHistogram` (<https://hdrhistogram.org>), with a power of two instead
//! of a number of decimal digits.

use super::paged::Paged;
use crate::kernel::number::{fit, place, whole};

/// Sub-buckets per octave of [`Histogram`], as a power of two: 256.
pub const PRECISION: u32 = 8;

/// Buckets of a page, as a power of two; they are added up at once where a quantile is looked for.
const PAGE_BITS: u32 = 4;

/// So many values are kept one by one before there are pages: no more room than a page and the way to it takes.
const FEW: usize = 256;

/// The bucket that holds `value` when every octave has `2^P` buckets.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it is shifted to less than 2 << P")]
pub const fn index_of<const P: u32>(value: u64) -> usize {
    // Setting bit P makes the first two octaves share shift 0, where a bucket is one value wide: no branch is needed.
    let shift = (value | (1 << P)).ilog2() - P;
    ((shift as usize) << P) + (value >> shift) as usize
}

/// The least and the greatest value of bucket `index` when every octave has `2^P` buckets; both belong to the bucket.
#[inline]
pub const fn bounds_of<const P: u32>(index: usize) -> (u64, u64) {
    if index < 2 << P {
        return (index as u64, index as u64);
    }
    let shift = (index >> P) - 1;
    let low = ((index - (shift << P)) as u64) << shift;
    (low, low + ((1 << shift) - 1))
}

/// How many buckets a table needs to hold bucket `index`, rounded up to whole octaves: it grows rarely, and its length
/// depends on the greatest value alone, so tables with equal contents are equal.
#[inline]
pub const fn room_for<const P: u32>(index: usize) -> usize {
    ((index >> P) + 1) << P
}

/// A histogram of `u64` values with a relative error of at most 0.4 %, exact below 512.
///
/// Count, sum, least and greatest value are exact.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Empty while the values are few; once there were pages, values go there for good.
    counts: Paged<u64, PAGE_BITS>,
    /// The buckets of values that are few, in the order in which they came.
    few: Vec<u16>,
    count: u64,
    sum: u128,
    /// `u64::MAX` while empty, so that recording needs no special case.
    min: u64,
    max: u64,
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let exact = |h: &Self| (h.count, h.sum, h.min, h.max);
        exact(self) == exact(other) && self.buckets().eq(other.buckets())
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram; it allocates on the first record.
    pub const fn new() -> Self {
        Self {
            counts: Paged::new(),
            few: Vec::new(),
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Adds one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let Some(bucket) = self.counts.get_mut(index_of::<PRECISION>(value)) else {
            return self.record_first(value);
        };
        *bucket += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds a value where it is one of few, or the first in its page.
    #[cold]
    #[inline(never)]
    fn record_first(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Adds `n` equal values; nothing happens if `n` is zero.
    #[inline]
    pub fn record_n(&mut self, value: u64, n: u64) {
        if n == 0 {
            return;
        }
        self.fill(index_of::<PRECISION>(value), n);
        self.count += n;
        self.sum += u128::from(value) * u128::from(n);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Puts `n` values into bucket `index`, without counting them.
    fn fill(&mut self, index: usize, n: u64) {
        let paged = self.counts.capacity() > 0;
        if !paged && self.few.len() as u64 + n <= FEW as u64 {
            self.few.extend(std::iter::repeat_n(fit::<u16, _>(index), fit(n)));
            return;
        }
        if !paged {
            self.spread();
        }
        *self.counts.cell(index) += n;
    }

    /// There are too many values to keep them one by one.
    #[cold]
    fn spread(&mut self) {
        for index in std::mem::take(&mut self.few) {
            *self.counts.cell(usize::from(index)) += 1;
        }
    }

    /// The buckets of values that are few, ascending.
    fn sorted(&self) -> Vec<u16> {
        let mut few = self.few.clone();
        few.sort_unstable();
        few
    }

    /// How many values there are in the buckets that are asked for.
    fn count_of(&self, wanted: impl Fn(usize) -> bool) -> u64 {
        let few = self.few.iter().filter(|index| wanted(usize::from(**index)));
        let cells = self.counts.cells().filter(|(index, _)| wanted(*index));
        few.count() as u64 + cells.map(|(_, n)| n).sum::<u64>()
    }

    /// Adds everything that `other` holds. Integer additions: the order of merges leaves no trace.
    pub fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        other.few.iter().for_each(|index| self.fill(usize::from(*index), 1));
        for (first, theirs) in other.counts.pages() {
            self.spread();
            self.counts.cell(first);
            for (index, n) in (first..).zip(theirs) {
                if let Some(mine) = self.counts.get_mut(index) {
                    *mine += n;
                }
            }
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Adds buckets (number and count, ascending, none of them empty) of values with this sum, from `min` to `max`.
    pub(super) fn add_buckets(&mut self, buckets: &[(u32, u64)], sum: u128, min: u64, max: u64) {
        for &(index, n) in buckets {
            self.fill(index as usize, n);
            self.count += n;
        }
        self.sum += sum;
        self.min = self.min.min(min);
        self.max = self.max.max(max);
    }

    /// How many values were recorded.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// True before the first record and after a reset.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The exact sum of the values.
    pub const fn sum(&self) -> u128 {
        self.sum
    }

    /// The mean of the values, from their exact sum; 0 if there are none.
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum as f64 / self.count as f64
        }
    }

    /// The least value, exactly; 0 if there is none.
    pub const fn min(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min }
    }

    /// The greatest value, exactly; 0 if there is none.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The `q`-quantile, `q` in 0..=1, to the nearest integer; see [`Self::quantile_at`]. 0 if there are no values.
    pub fn quantile(&self, q: f64) -> u64 {
        self.quantiles([q])[0]
    }

    /// Several of them in one pass, for `q` in ascending order.
    pub fn quantiles<const N: usize>(&self, q: [f64; N]) -> [u64; N] {
        // Rounding must not lead past the greatest value, which a float may not be able to tell.
        self.quantiles_at(q)
            .map(|value| whole(value + 0.5).clamp(self.min(), self.max))
    }

    /// The `q`-quantile, `q` in 0..=1: the value with a fraction `q` of all values at or below it, to within 0.4 %.
    /// Inside a bucket the values are taken to be spread evenly between its ends, which the least and the greatest
    /// value narrow. 0 if there are no values.
    pub fn quantile_at(&self, q: f64) -> f64 {
        self.quantiles_at([q])[0]
    }

    fn quantiles_at<const N: usize>(&self, q: [f64; N]) -> [f64; N] {
        if self.count == 0 {
            return [0.0; N];
        }
        if !self.few.is_empty() {
            let few = self.sorted();
            return q.map(|q| self.quantile_of_few(&few, q));
        }
        // The page that is looked at, and the values in those before.
        let mut pages = self.counts.pages();
        let (mut page, mut below) = (pages.next(), 0);
        q.map(|q| {
            let (rank, wanted) = self.rank(q);
            while let Some((first, counts)) = page {
                let all: u64 = counts.iter().sum();
                if below + all < wanted {
                    below += all;
                    page = pages.next();
                    continue;
                }
                let mut seen = below;
                for (index, &n) in (first..).zip(counts) {
                    if seen + n >= wanted {
                        return self.inside(index, (rank - seen as f64).max(0.0) / n as f64);
                    }
                    seen += n;
                }
            }
            self.max as f64
        })
    }

    /// The rank of the `q`-quantile, and the number of the value that holds it.
    fn rank(&self, q: f64) -> (f64, u64) {
        // 0.07 x 100 is a little more than 7 in binary; that must not lead to the next value.
        let rank = q.clamp(0.0, 1.0) * self.count as f64 * (1.0 - 4.0 * f64::EPSILON);
        // At least the first value; a whole number is compared faster.
        (rank, whole(rank.ceil()).max(1))
    }

    /// The `q`-quantile of values that are few, whose buckets are given in ascending order.
    fn quantile_of_few(&self, few: &[u16], q: f64) -> f64 {
        let (rank, wanted) = self.rank(q);
        let Some(&bucket) = few.get(place(wanted) - 1) else {
            return self.max as f64;
        };
        let seen = few.partition_point(|other| *other < bucket);
        let n = few.partition_point(|other| *other <= bucket) - seen;
        self.inside(usize::from(bucket), (rank - seen as f64).max(0.0) / n as f64)
    }

    /// The value below which `share` of the values of bucket `index` lie.
    pub(super) fn inside(&self, index: usize, share: f64) -> f64 {
        let (low, high) = self.ends(index);
        low + (high - low) * share
    }

    /// Where the values of bucket `index` may lie: its ends, kept within the least and the greatest value. A bucket of
    /// one value has no width.
    fn ends(&self, index: usize) -> (f64, f64) {
        let (low, high) = bounds_of::<PRECISION>(index);
        (low.max(self.min) as f64, high.min(self.max) as f64)
    }

    /// How finely the histogram sees at `value`: half the width of its bucket, times how much the bucket's count
    /// differs from those beside it. Between equal buckets values are spread evenly, as interpolation takes them to be;
    /// in one that stands out they may all be at one place. 0 where the histogram is exact.
    pub fn resolution(&self, value: f64) -> f64 {
        if self.min() == self.max || self.count == 0 {
            return 0.0;
        }
        let index = index_of::<PRECISION>(whole(value).clamp(self.min, self.max));
        let (low, high) = self.ends(index);
        let beside = [
            index.checked_sub(1).map_or(0, |before| self.at(before)),
            self.at(index + 1),
        ];
        let differs = beside
            .map(|n| n.abs_diff(self.at(index)))
            .into_iter()
            .max()
            .unwrap_or(0);
        (high - low) / 2.0 * (differs as f64 / self.at(index).max(1) as f64).min(1.0)
    }

    /// The end of an interval, moved to the end of its bucket where that borders a gap: there the values need not be
    /// spread evenly.
    pub(super) fn outward(&self, value: f64, up: bool) -> f64 {
        if !value.is_finite() || self.count == 0 {
            return value;
        }
        let index = index_of::<PRECISION>(whole(value).clamp(self.min, self.max));
        let beside_a_gap = self.at(index + 1) == 0 || index == 0 || self.at(index - 1) == 0;
        let (low, high) = self.ends(index);
        match (beside_a_gap, up) {
            (false, _) => value,
            (true, false) => value.min(low),
            (true, true) => value.max(high),
        }
    }

    /// How many values there are in buckets beyond `index`.
    pub(super) fn above_bucket(&self, index: usize) -> u64 {
        self.count_of(|other| other > index)
    }

    /// How many values there are in buckets before `index`.
    pub(super) fn below_bucket(&self, index: usize) -> u64 {
        self.count_of(|other| other < index)
    }

    /// How many values there are in bucket `index`.
    pub(super) fn at(&self, index: usize) -> u64 {
        let few = self.few.iter().filter(|other| usize::from(**other) == index);
        self.counts.get(index) + few.count() as u64
    }

    /// The fraction (0..=1) of values strictly above `value`. 0 if there are no values.
    pub fn fraction_above(&self, value: u64) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.above(value as f64) / self.count as f64
        }
    }

    /// How many values lie above `value`; those in its bucket are taken to be spread evenly, so this undoes
    /// [`Self::quantile_at`].
    pub fn above(&self, value: f64) -> f64 {
        if self.count == 0 || value >= self.max as f64 {
            return 0.0;
        }
        if value < self.min as f64 {
            return self.count as f64;
        }
        let index = index_of::<PRECISION>(whole(value));
        let (low, high) = self.ends(index);
        let share = if high > low {
            ((high - value) / (high - low)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.at(index) as f64 * share + self.above_bucket(index) as f64
    }

    /// The buckets that hold something, in ascending order: (least value, greatest value, count).
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let few = self.sorted();
        let few: Vec<(usize, u64)> = few
            .chunk_by(|one, other| one == other)
            .map(|alike| (usize::from(alike[0]), alike.len() as u64))
            .collect();
        let cells = self.counts.cells().map(|(index, n)| (index, *n));
        let filled = few.into_iter().chain(cells.filter(|(_, n)| *n > 0));
        filled.map(|(index, n)| {
            let (low, high) = bounds_of::<PRECISION>(index);
            (low, high, n)
        })
    }

    /// Bytes of the memory it holds, beside itself.
    pub fn held(&self) -> usize {
        self.counts.held() + self.few.capacity() * size_of::<u16>()
    }

    /// Forgets all values but keeps the memory.
    pub fn reset(&mut self) {
        self.counts.clear();
        self.few.clear();
        self.count = 0;
        self.sum = 0;
        self.min = u64::MAX;
        self.max = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::whole_usize;
    use crate::kernel::stream::{Stream, StreamKey, unit_open};

    fn lognormal_like(n: usize, run: u64) -> Vec<u64> {
        let mut rng = Stream::new(7, run, StreamKey::new("histogram", "values"));
        (0..n).map(|_| whole(20.0e6 * unit_open(&mut rng).powf(-0.7))).collect()
    }

    fn of(values: &[u64]) -> Histogram {
        let mut h = Histogram::new();
        for &v in values {
            h.record(v);
        }
        h
    }

    #[test]
    fn buckets_tile_the_integers() {
        fn tile<const P: u32>() {
            let last = index_of::<P>(u64::MAX);
            let mut next = 0_u64;
            for index in 0..=last {
                let (low, high) = bounds_of::<P>(index);
                assert_eq!(low, next, "no gap and no overlap before bucket {index}");
                assert_eq!((index_of::<P>(low), index_of::<P>(high)), (index, index));
                next = high.wrapping_add(1);
            }
            assert_eq!(next, 0, "the last bucket ends at u64::MAX");
        }
        tile::<4>();
        tile::<7>();
    }

    #[test]
    fn the_midpoint_is_within_the_stated_error() {
        for index in 0..=index_of::<PRECISION>(u64::MAX) {
            let (low, high) = bounds_of::<PRECISION>(index);
            let error = ((high - low) as f64 / 2.0 + 0.5) / low.max(1) as f64;
            assert!(
                low == high || error <= 1.0 / 512.0 + 1e-12,
                "bucket {index} errs by {error}"
            );
            assert!(low >= 512 || low == high, "values below 512 are exact");
        }
    }

    #[test]
    fn small_values_are_exact() {
        let h = of(&(1..=100).collect::<Vec<_>>());
        assert_eq!(
            [0.0, 0.01, 0.07, 0.5, 0.9, 0.99, 0.991, 1.0].map(|q| h.quantile(q)),
            [1, 1, 7, 50, 90, 99, 100, 100]
        );
        assert_eq!((h.count(), h.sum(), h.min(), h.max()), (100, 5050, 1, 100));
        assert!((h.mean() - 50.5).abs() < 1e-12);
        assert!((h.fraction_above(90) - 0.1).abs() < 1e-12);
        assert!((h.fraction_above(0) - 1.0).abs() < 1e-12 && h.fraction_above(100) == 0.0);
    }

    #[test]
    fn quantiles_of_wide_values_stay_within_four_per_mille() {
        let mut values = lognormal_like(200_000, 0);
        let h = of(&values);
        values.sort_unstable();
        for q in [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999] {
            let exact = values[whole_usize((q * values.len() as f64).ceil()) - 1] as f64;
            let error = (h.quantile(q) as f64 - exact).abs() / exact;
            assert!(error <= 0.004, "quantile {q}: {error}");
            // The inverse: the bucket of the quantile holds at most a few thousandths of all values here.
            assert!(
                (h.fraction_above(whole(exact)) - (1.0 - q)).abs() < 2e-3,
                "fraction above quantile {q}"
            );
        }
        assert_eq!(
            (h.quantile(0.0), h.quantile(1.0)),
            (values[0], values[values.len() - 1])
        );
        assert_eq!(h.sum(), values.iter().map(|&v| u128::from(v)).sum::<u128>());
    }

    #[test]
    fn merging_in_any_order_equals_recording_at_once() {
        let parts: Vec<Vec<u64>> = (0..5).map(|run| lognormal_like(2000 + place(run), run)).collect();
        let whole = of(&parts.concat());
        let (mut forward, mut backward) = (Histogram::new(), Histogram::new());
        for part in &parts {
            forward.merge(&of(part));
        }
        for part in parts.iter().rev() {
            backward.merge(&of(part));
        }
        assert_eq!(whole, forward);
        assert_eq!(whole, backward);
        assert_eq!(whole.buckets().map(|b| b.2).sum::<u64>(), whole.count());
        let unchanged = forward.clone();
        forward.merge(&Histogram::new());
        assert_eq!(forward, unchanged, "merging nothing changes nothing");
    }

    #[test]
    fn room_follows_the_values_and_not_their_range() {
        let mut h = Histogram::new();
        for value in [5, 1_000_000, 1_000_001, 60_000_000_000, u64::MAX] {
            h.record(value);
        }
        assert!(h.held() <= 16, "{} bytes for 5 values", h.held());
        let mut whole = Histogram::new();
        for _ in 0..=FEW {
            whole.merge(&h);
        }
        // Pages of 16 counts, four of them and a half, and two bytes for each that there could be.
        let most = 6 * 128 + 2 * (index_of::<PRECISION>(u64::MAX) >> PAGE_BITS) * 2;
        assert!(whole.held() <= most, "{} bytes for 4 pages", whole.held());
    }

    #[test]
    fn few_values_are_told_like_many() {
        let mut values = lognormal_like(FEW, 3);
        values.extend([0, 7, 7, 511, 512, u64::MAX]);
        for n in [0, 1, 2, 7, 100, FEW - 1, FEW, FEW + 1, values.len()] {
            let few = of(&values[values.len() - n..]);
            let mut paged = few.clone();
            paged.spread();
            // Pages for good, as after more values that were forgotten.
            paged.counts.cell(0);
            assert_eq!(few.few.len(), if n <= FEW { n } else { 0 }, "{n} values");
            assert!(few == paged && few.buckets().eq(paged.buckets()));
            for q in [0.0, 0.001, 0.07, 0.5, 0.9, 0.99, 1.0] {
                assert_eq!(few.quantile_at(q).to_bits(), paged.quantile_at(q).to_bits());
                assert_eq!(few.quantile(q), paged.quantile(q));
            }
            for value in [0, 7, 8, 512, 20_000_000, 21_000_000, u64::MAX] {
                let tell = |h: &Histogram| [h.above(value as f64), h.resolution(value as f64)].map(f64::to_bits);
                assert_eq!(tell(&few), tell(&paged), "{value} among {n}");
                let index = index_of::<PRECISION>(value);
                let told = |h: &Histogram| (h.at(index), h.below_bucket(index), h.above_bucket(index));
                assert_eq!(told(&few), told(&paged));
            }
            let (mut one, mut other) = (few.clone(), paged.clone());
            one.merge(&paged);
            other.merge(&few);
            assert!(one == other && one.count() == 2 * n as u64);
            paged.reset();
            paged.merge(&few);
            assert!(paged == few && paged.few.is_empty(), "pages stay");
        }
    }

    #[test]
    fn extremes_empty_and_reset() {
        let mut h = Histogram::new();
        assert!(h.is_empty());
        assert_eq!((h.quantile(0.5), h.min(), h.max(), h.buckets().count()), (0, 0, 0, 0));
        assert_eq!((h.mean(), h.fraction_above(0)), (0.0, 0.0));
        h.record_n(u64::MAX, 3);
        h.record(0);
        h.record_n(5, 0);
        assert_eq!((h.count(), h.min(), h.max()), (4, 0, u64::MAX));
        assert_eq!((h.quantile(0.25), h.quantile(1.0)), (0, u64::MAX));
        assert_eq!(h.sum(), 3 * u128::from(u64::MAX));
        h.reset();
        assert_eq!(h, Histogram::new());
        h.record(9);
        assert_eq!(h, of(&[9]), "a used histogram equals a fresh one");
    }
}
