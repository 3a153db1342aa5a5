//! How long a level lasted at each height: what capacity is sized by, such as the concurrency that is exceeded for 1 %
//! of the time.
//!
//! Time is kept by level in whole nanoseconds: exactly for levels below 128, above that in buckets at most 1/64 wide.
//! Adding runs up in any order gives the same bytes.

use super::histogram::{bounds_of, index_of, room_for};

/// Sub-buckets per octave, as a power of two.
const PRECISION: u32 = 6;

/// Time by level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    ns: Vec<u64>,
    /// The highest level that lasted, exactly.
    top: u64,
}

impl Levels {
    /// No time at all.
    pub const fn new() -> Self {
        Self { ns: Vec::new(), top: 0 }
    }

    /// The level was `level` for `ns` more.
    #[inline]
    pub fn add(&mut self, level: u64, ns: u64) {
        match self.ns.get_mut(index_of::<PRECISION>(level)) {
            Some(time) if level <= self.top => *time += ns,
            _ => self.grow(level, ns),
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, level: u64, ns: u64) {
        if ns == 0 {
            return;
        }
        let index = index_of::<PRECISION>(level);
        if self.ns.len() <= index {
            self.ns.resize(room_for::<PRECISION>(index), 0);
        }
        self.ns[index] += ns;
        self.top = self.top.max(level);
    }

    /// Adds another run's time.
    pub fn merge(&mut self, other: &Self) {
        if self.ns.len() < other.ns.len() {
            self.ns.resize(other.ns.len(), 0);
        }
        self.ns.iter_mut().zip(&other.ns).for_each(|(a, b)| *a += b);
        self.top = self.top.max(other.top);
    }

    /// Forgets everything, but keeps the memory.
    pub fn clear(&mut self) {
        self.ns.fill(0);
        self.top = 0;
    }

    /// All time, in ns.
    pub fn total_ns(&self) -> u128 {
        self.ns.iter().map(|&ns| u128::from(ns)).sum()
    }

    /// The lowest level that is not exceeded for a share `q` of the time; `None` if there was no time.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.total_ns();
        // At least one nanosecond, so that the least level is one that there was.
        let wanted = (q * total as f64).ceil().max(1.0) as u128;
        let mut below = 0;
        let found = self.ns.iter().position(|&ns| {
            below += u128::from(ns);
            below >= wanted.min(total)
        });
        found
            .filter(|_| total > 0)
            .map(|index| bounds_of::<PRECISION>(index).1.min(self.top))
    }

    /// The levels that there were, lowest first, each with the share of the time that it was so high or higher. Of a
    /// bucket it is the lowest level.
    pub fn at_or_above(&self) -> Vec<(u64, f64)> {
        let total = self.total_ns();
        let mut left = total;
        let mut points = Vec::new();
        for (index, &ns) in self.ns.iter().enumerate().filter(|(_, ns)| **ns > 0) {
            points.push((bounds_of::<PRECISION>(index).0, left as f64 / total as f64));
            left -= u128::from(ns);
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_shares_by_hand() {
        let mut levels = Levels::new();
        assert_eq!(levels.quantile(0.5), None);
        for (level, ns) in [(0, 50), (3, 30), (2, 15), (900, 5), (7, 0)] {
            levels.add(level, ns);
        }
        let quantiles = [0.0, 0.5, 0.51, 0.65, 0.95, 0.951, 1.0].map(|q| levels.quantile(q));
        assert_eq!(quantiles, [0, 0, 2, 2, 3, 900, 900].map(Some));
        let shares = levels.at_or_above();
        let (low, _) = bounds_of::<PRECISION>(index_of::<PRECISION>(900));
        assert_eq!(shares, [(0, 1.0), (2, 0.5), (3, 0.35), (low, 0.05)]);
        let mut twice = levels.clone();
        twice.merge(&levels);
        assert_eq!((twice.total_ns(), twice.at_or_above()), (200, shares));
    }
}
