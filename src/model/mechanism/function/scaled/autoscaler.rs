//! The autoscaler: how many instances there should be, from averages of the requests in flight.
//!
//! Model: the Knative Pod Autoscaler. Every period it takes the mean number of requests in flight (waiting ones
//! included) over a window and divides it by the target per instance. The result is limited to `scale_up` times the
//! ready instances, and to no less than their number over `scale_down`, rounded down. A shorter panic window asks for
//! more at once: when what it asks for reaches `threshold` times the ready instances, panic begins, and until a window
//! after that was last so, the number only rises. Where the platform looks at processors too, the larger demand counts.
//! Means begin with the first request after a time without instances, if that is less than a window ago.
//! Sources: Knative Serving documentation, "About autoscaling"; its autoscaler's rules as of 2026.
//! Validated by: decisions computed by hand (unit test), traces (tests/theory).

use super::plan::AutoscalerPlan;
use crate::kernel::number::whole;
use crate::kernel::{Duration, Instant};
use std::collections::VecDeque;

/// What is known at a decision.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    /// Requests in flight x ns since the start.
    area: u128,
    /// Processors in use x ns since the start.
    cores_ns: f64,
}

/// The state of an autoscaler.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    plan: AutoscalerPlan,
    samples: VecDeque<Sample>,
    in_flight: u64,
    area: u128,
    changed: Instant,
    cores_ns: f64,
    /// When what the panic window asks for last was over the threshold, and the most that was wanted since.
    panic: Option<(Instant, u64)>,
    /// Since when nothing is wanted.
    zero_since: Option<Instant>,
}

impl Autoscaler {
    /// An autoscaler that has seen nothing.
    pub fn new(plan: AutoscalerPlan) -> Self {
        let mut new = Self {
            plan,
            samples: VecDeque::new(),
            in_flight: 0,
            area: 0,
            changed: Instant::ZERO,
            cores_ns: 0.0,
            panic: None,
            zero_since: None,
        };
        new.begin(Instant::ZERO);
        new
    }

    /// How often it decides.
    pub fn period(&self) -> Duration {
        self.plan.period
    }

    /// Forgets what was before: requests come after a time without instances.
    pub fn begin(&mut self, now: Instant) {
        self.advance(now);
        self.samples.clear();
        self.samples.push_back(self.sample(now));
        self.zero_since = None;
    }

    /// The number of requests in flight changes.
    #[inline]
    pub fn load(&mut self, now: Instant, more: i64) {
        self.advance(now);
        self.in_flight = self.in_flight.saturating_add_signed(more);
    }

    fn advance(&mut self, now: Instant) {
        self.area += u128::from(self.in_flight) * u128::from(now.since(self.changed).0);
        self.changed = now;
    }

    fn sample(&self, at: Instant) -> Sample {
        Sample {
            at,
            area: self.area,
            cores_ns: self.cores_ns,
        }
    }

    /// Means over the last `window`, or over what there is: requests in flight and processors in use.
    fn means(&self, now: Instant, window: Duration) -> (f64, f64) {
        let young = |sample: &&Sample| now.since(sample.at) <= window;
        let Some(first) = self.samples.iter().find(young) else {
            return (self.in_flight as f64, 0.0);
        };
        let length = now.since(first.at).0;
        if length == 0 {
            return (self.in_flight as f64, 0.0);
        }
        let requests = (self.area - first.area) as f64 / length as f64;
        (requests, (self.cores_ns - first.cores_ns) / length as f64)
    }

    /// Says how many instances there should be. `ready` of them serve; `cores_ns` is processors in use x ns so far.
    pub fn decide(&mut self, now: Instant, ready: u64, cores_ns: f64) -> u64 {
        self.advance(now);
        self.cores_ns = cores_ns;
        let plan = self.plan;
        let base = ready.max(1) as f64;
        let (most, least) = ((plan.scale_up * base).ceil(), (base / plan.scale_down).floor());
        let asked = |(requests, cores): (f64, f64)| {
            let by_cores = plan.cpu.map_or(0.0, |cpu| (cores / cpu).ceil());
            (requests / plan.target).ceil().max(by_cores)
        };
        let stable = asked(self.means(now, plan.window));
        let mut wanted = whole(stable.max(least).min(most));
        if let Some((window, threshold)) = plan.panic {
            let urgent = asked(self.means(now, window));
            let over = urgent / base >= threshold;
            let before = self.panic.map_or(0, |panic| panic.1);
            if over {
                self.panic = Some((now, before));
            } else if self.panic.is_some_and(|panic| now > panic.0 + plan.window) {
                self.panic = None;
            }
            if let Some((since, most_wanted)) = self.panic {
                wanted = wanted.max(whole(urgent.max(least).min(most))).max(most_wanted);
                self.panic = Some((since, wanted));
            }
        }
        let sample = self.sample(now);
        self.samples.push_back(sample);
        // One sample older than a window stays, so that a period that does not divide the window loses nothing.
        while self.samples.get(1).is_some_and(|next| now.since(next.at) > plan.window) {
            self.samples.pop_front();
        }
        self.last_one(now, wanted, stable, ready)
    }

    /// The last instance stays for a while after nothing was asked for over a window.
    fn last_one(&mut self, now: Instant, wanted: u64, stable: f64, ready: u64) -> u64 {
        if wanted > 0 || stable > 0.0 || self.in_flight > 0 || ready == 0 {
            self.zero_since = None;
            return wanted;
        }
        let since = *self.zero_since.get_or_insert(now);
        u64::from(now.since(since) < self.plan.zero_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knative() -> AutoscalerPlan {
        AutoscalerPlan {
            period: Duration::from_secs(2),
            window: Duration::from_secs(60),
            target: 7.0,
            cpu: None,
            panic: Some((Duration::from_secs(6), 2.0)),
            scale_up: 1000.0,
            scale_down: 2.0,
            zero_after: Duration::from_secs(30),
        }
    }

    fn s(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000_000)
    }

    #[test]
    fn a_burst_panics_and_is_kept_for_a_window() {
        let mut scaler = Autoscaler::new(knative());
        for t in (2..=60).step_by(2) {
            // One request in flight throughout.
            if t == 2 {
                scaler.load(s(0), 1);
            }
            assert_eq!(scaler.decide(s(t), 1, 0.0), 1, "1 / 7 rounded up, at {t} s");
        }
        // 60 requests more at 60 s. At 62 s the panic window of 6 s holds 4 s of 1 and 2 s of 61: a mean of 21, which
        // asks for 3 instances, 3 times the one that is ready. The stable mean is 3.
        scaler.load(s(60), 60);
        assert_eq!(scaler.decide(s(62), 1, 0.0), 3);
        assert_eq!(scaler.decide(s(64), 1, 0.0), 6, "mean 41 over 7");
        assert_eq!(scaler.decide(s(66), 3, 0.0), 9, "mean 61 over 7; 3 times what is ready");
        // All done at 66 s. What is wanted does not fall while there is panic: until 60 s after the last time that
        // the panic window asked for twice what is ready, at 66 s.
        scaler.load(s(66), -61);
        for t in (68..=126).step_by(2) {
            assert_eq!(scaler.decide(s(t), 9, 0.0), 9, "at {t} s");
        }
        // At 128 s there are no requests in the window any more: half of the ready instances go, rounded down.
        assert_eq!(scaler.decide(s(128), 9, 0.0), 4);
        assert_eq!(scaler.decide(s(130), 4, 0.0), 2);
        assert_eq!(scaler.decide(s(132), 2, 0.0), 1);
        // Half of one is none, but the last one stays for 30 s after that.
        assert_eq!(scaler.decide(s(134), 1, 0.0), 1);
        assert_eq!(scaler.decide(s(162), 1, 0.0), 1);
        assert_eq!(scaler.decide(s(164), 1, 0.0), 0);
    }

    #[test]
    fn processors_count_where_they_are_looked_at() {
        let plan = AutoscalerPlan {
            cpu: Some(0.6),
            target: 48.0,
            panic: None,
            ..knative()
        };
        let mut scaler = Autoscaler::new(plan);
        scaler.load(s(0), 10);
        // Ten in flight are few for 48, but they keep a whole processor busy: 1 / 0.6 rounded up.
        assert_eq!(scaler.decide(s(5), 1, 5e9), 2);
        assert_eq!(scaler.decide(s(10), 2, 15e9), 3, "a mean of 1.5");
    }
}
