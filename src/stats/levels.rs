//! How long a level lasted at each height: what capacity is sized by, such as the concurrency that is exceeded for 1 %
//! of the time.
//!
//! Time is kept by level in whole nanoseconds: exactly for levels below 1,024, above that in buckets at most 1/64 wide.
//! Adding runs up in any order gives the same bytes.

use super::histogram::{bounds_of, index_of, room_for};
use crate::kernel::number::{fit, place, whole_u128};

/// Sub-buckets per octave of high levels, as a power of two.
const PRECISION: u32 = 6;
/// Levels below this are kept one by one; it is the start of an octave.
const EXACT: u64 = 1 << 10;

/// Time by level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// By level, for those below [`EXACT`].
    exact: Vec<u64>,
    /// By bucket, for those from there on.
    coarse: Vec<u64>,
    /// The highest level of those in buckets, exactly.
    top: u64,
    /// Level x ns of those in buckets, exactly.
    coarse_area: u128,
}

impl Levels {
    /// No time at all.
    pub const fn new() -> Self {
        Self {
            exact: Vec::new(),
            coarse: Vec::new(),
            top: 0,
            coarse_area: 0,
        }
    }

    /// The level integrated over time, in level x ns, exactly.
    pub fn area(&self) -> u128 {
        let exact = self.exact.iter().zip(0..);
        let exact: u128 = exact
            .map(|(&ns, level): (_, u64)| u128::from(level) * u128::from(ns))
            .sum();
        exact + self.coarse_area
    }

    /// The level was `level` for `ns` more.
    #[inline(always)]
    pub fn add(&mut self, level: u64, ns: u64) {
        match self.exact.get_mut(place(level)) {
            Some(time) => *time += ns,
            None => self.add_rare(level, ns),
        }
    }

    /// The same for a level that is high, or was not seen before.
    #[inline(never)]
    fn add_rare(&mut self, level: u64, ns: u64) {
        if ns == 0 {
            return;
        }
        if level < EXACT {
            // Doubled, so that levels that rise one by one are seldom new.
            self.exact.resize(fit((2 * level).clamp(4, EXACT)), 0);
            self.exact[place(level)] += ns;
            return;
        }
        let index = index_of::<PRECISION>(level);
        if self.coarse.len() <= index {
            self.coarse.resize(room_for::<PRECISION>(index), 0);
        }
        self.coarse[index] += ns;
        self.top = self.top.max(level);
        self.coarse_area += u128::from(level) * u128::from(ns);
    }

    /// The places that hold time, ascending, each with its ns: a level below `EXACT`, or that plus the bucket of
    /// higher ones. With the highest level and the area of what is in buckets they are all there is.
    pub fn places(&self) -> impl Iterator<Item = (u32, u64)> {
        let all = self.exact.iter().zip(0..).chain(self.coarse.iter().zip(fit(EXACT)..));
        all.filter(|(ns, _)| **ns > 0).map(|(&ns, place)| (place, ns))
    }

    /// The highest level of those in buckets, and level x ns of these.
    pub fn beyond_exact(&self) -> (u64, u128) {
        (self.top, self.coarse_area)
    }

    /// Time at these places, as [`Self::places`] and [`Self::beyond_exact`] have it; `None` if that is not time by
    /// level.
    pub fn from_places(places: &[(u32, u64)], top: u64, coarse_area: u128) -> Option<Self> {
        let exact = fit(EXACT);
        let most = exact + fit::<u32, _>(index_of::<PRECISION>(u64::MAX));
        let sorted = places.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let last = places.last().map_or(0, |place| place.0);
        let highest = if top == 0 {
            0
        } else {
            exact + fit::<u32, _>(index_of::<PRECISION>(top))
        };
        let beyond = if last < exact {
            (0, 0, 0)
        } else {
            (last, top, coarse_area)
        };
        if !sorted || last > most || beyond != (highest, top, coarse_area) {
            return None;
        }
        let mut levels = Self {
            top,
            coarse_area,
            ..Self::default()
        };
        for &(place, ns) in places {
            let (times, at) = match place.checked_sub(exact) {
                None => (&mut levels.exact, place as usize),
                Some(bucket) => (&mut levels.coarse, bucket as usize),
            };
            times.resize(at + 1, 0);
            times[at] = ns;
        }
        Some(levels)
    }

    /// Adds another run's time.
    pub fn merge(&mut self, other: &Self) {
        for (mine, its) in [(&mut self.exact, &other.exact), (&mut self.coarse, &other.coarse)] {
            if mine.len() < its.len() {
                mine.resize(its.len(), 0);
            }
            mine.iter_mut().zip(its).for_each(|(a, b)| *a += b);
        }
        self.top = self.top.max(other.top);
        self.coarse_area += other.coarse_area;
    }

    /// Bytes of the memory it holds, beside itself.
    pub const fn held(&self) -> usize {
        (self.exact.capacity() + self.coarse.capacity()) * size_of::<u64>()
    }

    /// Forgets everything, but keeps the memory.
    pub fn clear(&mut self) {
        self.exact.fill(0);
        self.coarse.fill(0);
        self.top = 0;
        self.coarse_area = 0;
    }

    /// The levels that there were, lowest first: the lowest and the highest of the bucket, and the time in ns.
    fn parts(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let exact = self.exact.iter().zip(0..).map(|(&ns, level)| (level, level, ns));
        let bucket = |(index, &ns): (usize, &u64)| {
            let (low, high) = bounds_of::<PRECISION>(index);
            (low, high.min(self.top), ns)
        };
        let coarse = self.coarse.iter().enumerate().map(bucket);
        exact.chain(coarse).filter(|(_, _, ns)| *ns > 0)
    }

    /// All time, in ns.
    pub fn total_ns(&self) -> u128 {
        self.parts().map(|(_, _, ns)| u128::from(ns)).sum()
    }

    /// The lowest level that is not exceeded for a share `q` of the time; `None` if there was no time.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.total_ns();
        // At least one nanosecond, so that the least level is one that there was.
        let wanted = whole_u128((q * total as f64).ceil().max(1.0)).min(total);
        let mut below = 0;
        let found = self.parts().find(|(_, _, ns)| {
            below += u128::from(*ns);
            below >= wanted
        });
        found.map(|(_, high, _)| high)
    }

    /// The levels that there were, lowest first, each with the share of the time that it was so high or higher. Of a
    /// bucket it is the lowest level.
    pub fn at_or_above(&self) -> Vec<(u64, f64)> {
        let total = self.total_ns();
        let mut left = total;
        let share = |(low, _, ns): (u64, u64, u64)| {
            let share = left as f64 / total as f64;
            left -= u128::from(ns);
            (low, share)
        };
        self.parts().map(share).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_shares_by_hand() {
        let mut levels = Levels::new();
        assert_eq!(levels.quantile(0.5), None);
        for (level, ns) in [(0, 50), (3, 30), (2, 15), (9_000, 5), (7, 0), (2_000, 0)] {
            levels.add(level, ns);
        }
        let quantiles = [0.0, 0.5, 0.51, 0.65, 0.95, 0.951, 1.0].map(|q| levels.quantile(q));
        assert_eq!(quantiles, [0, 0, 2, 2, 3, 9_000, 9_000].map(Some));
        let shares = levels.at_or_above();
        let (low, _) = bounds_of::<PRECISION>(index_of::<PRECISION>(9_000));
        assert_eq!(shares, [(0, 1.0), (2, 0.5), (3, 0.35), (low, 0.05)]);
        let (top, area) = levels.beyond_exact();
        let places: Vec<(u32, u64)> = levels.places().collect();
        let again = Levels::from_places(&places, top, area).unwrap();
        assert_eq!((again.at_or_above(), again.area()), (shares.clone(), levels.area()));
        assert_eq!(
            Levels::from_places(&places, 1_000, area),
            None,
            "a bucket of another level"
        );
        assert_eq!(
            Levels::from_places(&places[..3], top, area),
            None,
            "nothing is that high"
        );
        let mut twice = levels.clone();
        twice.merge(&levels);
        assert_eq!((twice.total_ns(), twice.at_or_above()), (200, shares));
    }
}
