//! Integer time: nanoseconds since the start of a run (584 years fit), as two types so that a point in time and a
//! length of time cannot be mixed up. There is no epsilon anywhere because there is no rounding anywhere.

use crate::kernel::number::whole_i64;
use std::ops::{Add, AddAssign, Sub};

/// A point in simulated time: nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

/// A length of simulated time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub u64);

impl Instant {
    /// The start of every run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that happens. A quarter of the `u64` range, so that a class fits below the time in a
    /// sorting key and sums with it cannot overflow: about 146 years.
    pub const NEVER: Self = Self(u64::MAX >> 2);

    /// The time passed since `earlier`; zero if `earlier` is in fact later.
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the start of the run.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Longer than any run, see [`Instant::NEVER`].
    pub const FOREVER: Self = Self(u64::MAX >> 2);

    /// A length given in whole microseconds.
    pub const fn from_micros(us: u64) -> Self {
        Self(us * 1_000)
    }

    /// A length given in whole milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// A length given in whole seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000_000)
    }

    /// Rounds a number of seconds to the nearest nanosecond; negative and not-a-number become zero, too large becomes
    /// [`Duration::FOREVER`].
    pub fn from_secs_f64(s: f64) -> Self {
        Self::from_nanos_f64(s * 1e9)
    }

    /// Rounds a number of nanoseconds to the nearest; negative and not-a-number become zero, too large becomes
    /// [`Duration::FOREVER`].
    #[inline]
    pub fn from_nanos_f64(ns: f64) -> Self {
        // A float-to-integer cast saturates and sends NaN to zero, which is what the docstring promises. To a signed
        // integer it is one instruction, to an unsigned one a dozen.
        let rounded = whole_i64(ns + 0.5).max(0).cast_unsigned();
        Self(if rounded < Self::FOREVER.0 {
            rounded
        } else {
            Self::FOREVER.0
        })
    }

    /// This length in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This length in milliseconds.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// This length in whole milliseconds, rounded up (how function platforms bill).
    #[inline]
    pub const fn millis_ceil(self) -> u64 {
        self.0.div_ceil(1_000_000)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    /// Saturates at [`Instant::NEVER`], so that "forever from now" is "never".
    #[inline]
    fn add(self, d: Duration) -> Self {
        let sum = self.0.saturating_add(d.0);
        Self(if sum < Self::NEVER.0 { sum } else { Self::NEVER.0 })
    }
}

impl Add for Duration {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        let sum = self.0.saturating_add(other.0);
        Self(if sum < Self::FOREVER.0 { sum } else { Self::FOREVER.0 })
    }
}

impl AddAssign for Duration {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Duration {
    type Output = Self;
    /// Saturates at zero.
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forever_from_now_is_never() {
        assert_eq!(Instant(5) + Duration::FOREVER, Instant::NEVER);
        assert_eq!(Instant::NEVER + Duration(1), Instant::NEVER);
    }

    #[test]
    fn rounding_is_to_nearest_and_total() {
        assert_eq!(Duration::from_secs_f64(1.5), Duration(1_500_000_000));
        assert_eq!(Duration::from_nanos_f64(-3.0), Duration::ZERO);
        assert_eq!(Duration::from_nanos_f64(f64::NAN), Duration::ZERO);
        assert_eq!(Duration::from_nanos_f64(f64::INFINITY), Duration::FOREVER);
        assert_eq!(Duration(1).millis_ceil(), 1);
        assert_eq!(Duration::from_millis(3).millis_ceil(), 3);
    }
}
