//! Token buckets: `rate` tokens a second up to `burst`, refilled continuously, computed when looked at.
//!
//! Model: the generic cell rate algorithm, which is the same thing seen from the other side: it keeps the one instant
//! at which the bucket would be full again. Exact in integers (1/1024 ns).
//! Validated by: the blocking probability under Poisson traffic is that of M/D/1/K with K = burst (docs/validation.md).
//! Sources: ITU-T I.371 (2004), annex A; API Gateway developer guide, "Throttle requests".

use crate::kernel::number::{fit, whole_u128};
use crate::kernel::{Duration, Instant};
use crate::scenario::{Block, Field, Kind, Table};

/// The fields of a quota.
pub const QUOTA: Table = Table {
    name: "quota",
    doc: "A token bucket.",
    fields: &[
        Field::required("rate", Kind::Rate, "How many a second for ever.").positive(),
        Field::required("burst", Kind::Count, "How many may come at once.").at_least(1.0),
    ],
};

/// Rate and burst of the quota that stands under `field`, if one does.
pub fn read_quota(block: &Block, field: &str) -> Option<(f64, u64)> {
    block
        .block(field)
        .map(|quota| (quota.rate("rate"), quota.count("burst")))
}

/// Fractions of a nanosecond that the bucket counts in.
const FINE: f64 = 1024.0;

/// A token bucket and what is in it.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Time between two tokens, in 1/1024 ns.
    interval: u128,
    /// How far ahead of the present the full-again instant may lie, in 1/1024 ns.
    tolerance: u128,
    /// When the bucket is full again, in 1/1024 ns.
    full_at: u128,
}

impl TokenBucket {
    /// A full bucket. `rate` in tokens a second (positive), `burst` in tokens (at least one).
    pub fn new(rate: f64, burst: f64) -> Self {
        let interval = whole_u128((1e9 * FINE / rate).round()).max(1);
        let tolerance = whole_u128((burst.max(1.0) * interval as f64).round());
        Self {
            interval,
            tolerance,
            full_at: 0,
        }
    }

    /// Whether there are as many as `tokens`.
    #[inline]
    pub fn holds(&self, now: Instant, tokens: u64) -> bool {
        let now = u128::from(now.0) * whole_u128(FINE);
        self.full_at.max(now) + self.interval * u128::from(tokens) <= now + self.tolerance
    }

    /// Takes `tokens` if there are as many; otherwise takes none and says so.
    #[inline]
    pub fn take(&mut self, now: Instant, tokens: u64) -> bool {
        let now = u128::from(now.0) * whole_u128(FINE);
        let full_at = self.full_at.max(now) + self.interval * u128::from(tokens);
        let allowed = full_at <= now + self.tolerance;
        if allowed {
            self.full_at = full_at;
        }
        allowed
    }

    /// Takes a token now or in advance, and says after how long it is there: who asks first is served first.
    pub fn reserve(&mut self, now: Instant) -> Duration {
        let now = u128::from(now.0) * whole_u128(FINE);
        self.full_at = self.full_at.max(now) + self.interval;
        let early = self.full_at.saturating_sub(now + self.tolerance);
        Duration(fit(early
            .div_ceil(whole_u128(FINE))
            .min(u128::from(Duration::FOREVER.0))))
    }

    /// How long until it holds a token; nothing if it does.
    pub fn next_in(&self, now: Instant) -> Duration {
        let now = u128::from(now.0) * whole_u128(FINE);
        let early = (self.full_at.max(now) + self.interval).saturating_sub(now + self.tolerance);
        Duration(fit(early
            .div_ceil(whole_u128(FINE))
            .min(u128::from(Duration::FOREVER.0))))
    }

    /// From now on it refills at another rate and holds another burst. What is in it stays, as far as it fits.
    pub fn change(&mut self, now: Instant, rate: f64, burst: f64) {
        let now = u128::from(now.0) * whole_u128(FINE);
        let room = (now + self.tolerance).saturating_sub(self.full_at.max(now));
        let changed = Self::new(rate, burst);
        let kept = (room * changed.interval / self.interval).min(changed.tolerance);
        *self = Self {
            full_at: now + changed.tolerance - kept,
            ..changed
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says_about_the_next_token_is_true_to_the_nanosecond() {
        for rate in [14.0, 0.14, 16.0, 3.0, 1000.0 / 7.0] {
            let mut bucket = TokenBucket::new(rate, 1.0);
            let mut now = Instant(5);
            assert_eq!(bucket.next_in(now), Duration::ZERO);
            for _ in 0..100 {
                assert!(bucket.take(now, 1), "{rate} at {now:?}");
                let wait = bucket.next_in(now);
                assert!(!bucket.holds(now + Duration(wait.0 - 1), 1) && bucket.holds(now + wait, 1));
                now = now + wait;
            }
        }
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = TokenBucket::new(10.0, 3.0);
        let taken = |bucket: &mut TokenBucket, ms: u64| bucket.take(Instant(ms * 1_000_000), 1);
        assert!((0..3).all(|_| taken(&mut bucket, 0)), "the burst");
        assert!(!taken(&mut bucket, 0) && !taken(&mut bucket, 99));
        assert!(taken(&mut bucket, 100), "one token every 100 ms");
        assert!(!taken(&mut bucket, 199));
        // Refused takes cost nothing, and the bucket never holds more than its burst.
        assert!((0..3).all(|_| taken(&mut bucket, 10_000)) && !taken(&mut bucket, 10_000));
    }

    #[test]
    fn who_reserves_waits_his_turn() {
        let mut bucket = TokenBucket::new(10.0, 2.0);
        let wait = |bucket: &mut TokenBucket, ms: u64| bucket.reserve(Instant(ms * 1_000_000)).0 / 1_000_000;
        assert_eq!(
            [0, 0, 100, 200].map(|_| wait(&mut bucket, 0)),
            [0, 0, 100, 200],
            "two at once, then one every 100 ms"
        );
        // At 150 ms one more token is there, and the two in advance have the next ones.
        assert_eq!(wait(&mut bucket, 150), 150);
        assert_eq!(wait(&mut bucket, 10_000), 0);
    }

    #[test]
    fn a_change_keeps_the_tokens() {
        let mut bucket = TokenBucket::new(10.0, 30.0);
        assert!(bucket.take(Instant(0), 20) && bucket.holds(Instant(0), 10) && !bucket.holds(Instant(0), 11));
        // Ten are left; at twice the rate they are still ten, and a second later thirty.
        bucket.change(Instant(0), 20.0, 60.0);
        assert!(bucket.holds(Instant(0), 10) && !bucket.holds(Instant(0), 11));
        assert!(bucket.holds(Instant(1_000_000_000), 30) && !bucket.holds(Instant(1_000_000_000), 31));
        // A smaller bucket holds no more than its own burst.
        bucket.change(Instant(1_000_000_000), 1.0, 5.0);
        assert!(bucket.take(Instant(1_000_000_000), 5) && !bucket.take(Instant(1_000_000_000), 1));
    }

    #[test]
    fn an_odd_rate_does_not_drift() {
        // 3 a second for 1,000 s: 3,000 tokens plus the one that was there (an interval of 333,333,333.33 ns).
        let mut bucket = TokenBucket::new(3.0, 1.0);
        let taken = (0..1_000_000_u64)
            .filter(|ms| bucket.take(Instant(ms * 1_000_000), 1))
            .count();
        assert!(
            (2_995..=3_000).contains(&taken),
            "{taken}: a millisecond's grid delays a token by at most 1 ms"
        );
    }
}
