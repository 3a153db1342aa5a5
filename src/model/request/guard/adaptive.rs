//! Adaptive retry mode: after a throttle a caller limits the rate of all its calls, and feels its way up again.
//!
//! Model: off until the first throttle. From then on each attempt takes a token from a bucket and waits for it in line
//! if there is none. Each answer measures the rate of answers in bins of half a second, smoothed; a throttle multiplies
//! the smaller of that and the bucket's rate by 0.7, any other end moves the rate along a cubic that flattens where it
//! last was throttled; it never exceeds twice the measured rate, nor falls below one token in two seconds.
//! A time-out counts as any other end, as it does there. Waiting calls are served in their order.
//! Not modelled: a state for each instance of a caller (all of its instances share one).
//! Units: rates in attempts a second, times in seconds, as the SDK has them.
//! Sources: botocore `retries/adaptive.py`, `throttling.py`, `bucket.py`.
//! Validated by: a trace by hand below and in tests/theory.

use crate::kernel::number::whole;
use crate::kernel::{Duration, Instant, Key};
use std::collections::VecDeque;

/// What a throttle leaves of the rate.
const BETA: f64 = 0.7;
/// How steep the cubic is.
const SCALE: f64 = 0.4;
/// Length of a bin in seconds.
const BIN_S: f64 = 0.5;
/// Weight of the newest bin.
const SMOOTHING: f64 = 0.8;
/// How much more than the measured rate is allowed.
const MOST: f64 = 2.0;
/// Tokens a second at least.
const LEAST: f64 = 0.5;

/// The rate limit of one caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Adaptive {
    on: bool,
    /// The rate at the last throttle, that throttle, and how long the cubic takes to come back to that rate.
    highest: f64,
    throttled_s: f64,
    back_s: f64,
    /// Answers in this bin, the bin's number, and the rate that the bins before make.
    count: f64,
    bin: f64,
    measured: f64,
    /// The bucket: tokens a second, tokens at most, tokens in it, and since when.
    rate: f64,
    capacity: f64,
    tokens: f64,
    filled_s: f64,
    /// Attempts that wait for a token.
    line: VecDeque<Key>,
    /// The epoch of the event on the agenda that serves the line.
    epoch: u32,
}

/// When the line must be looked at, and the epoch of that.
pub(super) type Look = Option<(Instant, u32)>;

impl Adaptive {
    /// Asks for a token. Without one the attempt waits in line, and the line may have to be looked at.
    pub(super) fn take(&mut self, now: Instant, attempt: Key) -> (bool, Look) {
        if !self.on {
            return (true, None);
        }
        self.fill(now);
        if self.line.is_empty() && self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return (true, None);
        }
        self.line.push_back(attempt);
        let look = (self.line.len() == 1).then(|| self.look(now)).flatten();
        (false, look)
    }

    /// The first in line gets a token, if this is the look that was asked for.
    pub(super) fn next(&mut self, now: Instant, epoch: u32) -> Option<Key> {
        if epoch != self.epoch {
            return None;
        }
        self.fill(now);
        let first = self.line.pop_front()?;
        // The look was set to the nanosecond after the token came.
        self.tokens = (self.tokens - 1.0).max(0.0);
        Some(first)
    }

    /// Gives a token back that was not used.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.capacity);
    }

    /// When the line must be looked at next; looks asked for before mean nothing any more.
    pub(super) fn look(&mut self, now: Instant) -> Look {
        if self.line.is_empty() {
            return None;
        }
        self.epoch = self.epoch.wrapping_add(1);
        let missing = (1.0 - self.tokens).max(0.0);
        let wait = Duration(whole((missing / self.rate * 1e9).ceil()));
        Some((now + wait, self.epoch))
    }

    /// An attempt has ended. Says when the line must be looked at, if the rate has changed.
    pub(super) fn ended(&mut self, now: Instant, throttled: bool) -> Look {
        let now_s = now.as_secs_f64();
        self.measure(now_s);
        let rate = if throttled {
            let used = if self.on {
                self.measured.min(self.rate)
            } else {
                self.measured
            };
            self.highest = used;
            self.back_s = libm::cbrt(used * (1.0 - BETA) / SCALE);
            self.throttled_s = now_s;
            self.on = true;
            used * BETA
        } else {
            let s = now_s - self.throttled_s - self.back_s;
            SCALE * s * s * s + self.highest
        };
        self.change(now, rate.min(MOST * self.measured));
        if self.on { self.look(now) } else { None }
    }

    fn measure(&mut self, now_s: f64) {
        let bin = (now_s / BIN_S).floor();
        self.count += 1.0;
        if bin > self.bin {
            let rate = self.count / ((bin - self.bin) * BIN_S);
            self.measured = SMOOTHING * rate + (1.0 - SMOOTHING) * self.measured;
            (self.count, self.bin) = (0.0, bin);
        }
    }

    fn change(&mut self, now: Instant, rate: f64) {
        self.fill(now);
        self.rate = rate.max(LEAST);
        self.capacity = rate.max(1.0);
        self.tokens = self.tokens.min(self.capacity);
    }

    fn fill(&mut self, now: Instant) {
        let now_s = now.as_secs_f64();
        self.tokens = (self.tokens + (now_s - self.filled_s) * self.rate).min(self.capacity);
        self.filled_s = now_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> Key {
        Key { index, generation: 0 }
    }

    fn at(ms: u64) -> Instant {
        Instant(ms * 1_000_000)
    }

    #[test]
    fn a_throttle_turns_it_on_and_the_cubic_comes_back() {
        let mut limit = Adaptive::default();
        // Ten answers in the first half second, the eleventh in the second bin: 22/s x 0.8.
        for i in 0..10 {
            assert_eq!(limit.ended(at(40 * i), false), None);
            assert!(limit.take(at(40 * i), key(0)).0, "off: no limit");
        }
        assert_eq!(limit.ended(at(500), true), None, "nobody waits");
        assert!(limit.on);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * b, "{a} is not {b}");
        near(limit.measured, 17.6);
        near(limit.rate, 17.6 * 0.7);
        near(limit.back_s, libm::cbrt(17.6 * 0.3 / 0.4));
        // Where the cubic flattens the rate is what it was at the throttle, if as much is measured.
        (limit.measured, limit.bin, limit.count) = (17.6, 1e9, 0.0);
        let back = at(500) + Duration::from_secs_f64(limit.back_s);
        limit.ended(back, false);
        near(limit.rate, 17.6);
        // A second later it is 0.4 higher; much later twice what was measured.
        limit.ended(back + Duration::from_secs(1), false);
        near(limit.rate, 18.0);
        limit.ended(back + Duration::from_secs(100), false);
        near(limit.rate, 35.2);
    }

    #[test]
    fn who_finds_no_token_waits_in_line() {
        let mut limit = Adaptive {
            on: true,
            rate: 2.0,
            capacity: 2.0,
            tokens: 1.0,
            ..Adaptive::default()
        };
        assert_eq!(limit.take(at(0), key(1)), (true, None));
        assert_eq!(limit.take(at(0), key(2)), (false, Some((at(500), 1))));
        assert_eq!(limit.take(at(100), key(3)), (false, None), "the first look serves both");
        assert_eq!(limit.next(at(500), 0), None, "a look of before");
        assert_eq!(limit.next(at(500), 1), Some(key(2)));
        assert_eq!(limit.look(at(500)), Some((at(1000), 2)));
        // At 4/s the token that half came after 250 ms takes another 125 ms.
        limit.change(at(750), 4.0);
        assert_eq!(limit.look(at(750)), Some((at(875), 3)));
        assert_eq!(limit.next(at(875), 3), Some(key(3)));
        assert_eq!(limit.look(at(875)), None);
    }
}
