//! What is counted of requests: when they came, how long they took as a whole and by window and what for, and how they
//! ended.
//!
//! What became of the requests that came in the measured time adds up to them: good, failed, refused, or on their way
//! when it ended.

use super::entry::{CAUSES, Request, STATUSES, Status};
use crate::kernel::{Duration, Instant};
use crate::stats::{CauseRecorder, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats};

/// The record of one flow of requests.
#[derive(Clone, Debug)]
pub struct Flow {
    latency: WindowLatency,
    causes: CauseRecorder<CAUSES>,
    /// Those that ended well at the first attempt.
    smooth: u64,
    /// The others, by status.
    statuses: [u64; STATUSES],
    /// Requests that came and those that did not end well, per closed window.
    window_offered: Vec<f64>,
    window_failures: Vec<f64>,
    failures: u64,
    /// Attempts after the first one.
    retries: u64,
    /// When counting began.
    since: Instant,
    /// Requests that have come since then, and those of them in closed windows.
    offered: u64,
    offered_before: u64,
    /// Of those that ended, those that had come before counting began.
    carried: [u64; STATUSES],
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            latency: WindowLatency::new(),
            causes: CauseRecorder::default(),
            smooth: 0,
            statuses: [0; STATUSES],
            window_offered: Vec::new(),
            window_failures: Vec::new(),
            failures: 0,
            retries: 0,
            since: Instant::ZERO,
            offered: 0,
            offered_before: 0,
            carried: [0; STATUSES],
        }
    }
}

/// The whole record, when a run has ended.
#[derive(Clone, Debug)]
pub struct FlowResult {
    /// The component whose flow it is.
    pub component: u32,
    /// Causes by latency bucket.
    pub causes: CauseRecorder<CAUSES>,
}

impl Flow {
    /// Nothing yet, with room for so many windows.
    pub fn with_room(windows: usize) -> Self {
        let mut flow = Self::default();
        flow.latency.make_room(windows);
        flow.window_offered.reserve_exact(windows);
        flow.window_failures.reserve_exact(windows);
        flow
    }

    /// Counts a request that comes.
    #[inline(always)]
    pub const fn arrive(&mut self) {
        self.offered += 1;
    }

    /// Requests that came so far.
    pub const fn offered(&self) -> u64 {
        self.offered
    }

    /// Counts a request that has ended for good; its accounting is complete.
    #[inline]
    pub fn record(&mut self, request: &Request) {
        let age = request.age();
        debug_assert_eq!(
            request.causes.iter().sum::<u64>(),
            age.0,
            "the causes of a request add up to its age"
        );
        if request.begun < self.since {
            self.carry(request.status);
        }
        self.latency.record(age.0);
        self.causes.record(age.0, &request.causes);
        if request.status.is_ok() && request.attempt == 0 {
            self.smooth += 1;
        } else {
            self.record_trouble(request);
        }
    }

    /// Counts one that came before counting began.
    #[cold]
    fn carry(&mut self, status: Status) {
        self.carried[status as usize] += 1;
    }

    #[inline(never)]
    fn record_trouble(&mut self, request: &Request) {
        self.statuses[request.status as usize] += 1;
        self.retries += u64::from(request.attempt);
        self.failures += u64::from(!request.status.is_ok());
    }

    /// Ends a window.
    pub fn close_window(&mut self) {
        self.latency.close_window();
        self.window_offered.push((self.offered - self.offered_before) as f64);
        self.offered_before = self.offered;
        self.window_failures.push(self.failures as f64);
        self.failures = 0;
    }

    /// Forgets everything: the warm-up is over, counting begins.
    pub fn reset(&mut self, now: Instant) {
        *self = Self::with_room(self.window_failures.capacity());
        self.since = now;
    }

    /// How many have come since counting began, and in how many ways they ended.
    fn places(&self) -> [(&'static str, u64); 5] {
        let mut places = [self.smooth, 0, 0];
        for status in Status::ALL {
            let place = if status.is_ok() {
                0
            } else if status.is_refusal() {
                2
            } else {
                1
            };
            places[place] += self.statuses[status as usize];
            places[place] -= self.carried[status as usize];
        }
        let [good, failed, refused] = places;
        [
            ("offered", self.offered),
            ("good", good),
            ("failed", failed),
            ("refused", refused),
            ("unfinished", self.offered - good - failed - refused),
        ]
    }

    /// Requests that ended so far.
    pub fn ended(&self) -> u64 {
        self.smooth + self.statuses.iter().sum::<u64>()
    }

    /// Reports the flow of `component` over windows of length `window`.
    pub fn observe(
        self,
        component: u32,
        window: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
    ) -> FlowResult {
        let ended = self.ended();
        let ok = self.smooth + self.statuses[Status::Ok as usize];
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        push("requests", Value::Count(ended));
        for (place, count) in self.places() {
            push(place, Value::Count(count));
        }
        push(
            "error_ratio",
            Value::Ratio {
                part: ended - ok,
                whole: ended,
            },
        );
        push(
            "attempts_per_request",
            Value::PerEach {
                sum: ended + self.retries,
                count: ended,
            },
        );
        // All of them, so that the kinds of failures add up to the failures.
        for status in &Status::ALL[1..] {
            push(status.name(), Value::Count(self.statuses[*status as usize]));
        }
        let (whole, windows, worst) = self.latency.finish();
        push("latency", Value::Latency(Box::new(whole)));
        push("latency.p99.worst_window", Value::Latency(Box::new(worst)));
        let mut line = |metric, unit, values: Vec<f64>| {
            series.push(Series {
                component,
                metric,
                unit,
                values,
            });
        };
        let each = |get: fn(&WindowStats) -> u64| windows.iter().map(move |w| w.seen(get(w) as f64));
        let seconds = window.as_secs_f64();
        let offered = self.window_offered.iter().map(|count| count / seconds);
        line("offered", SeriesUnit::PerSecond, offered.collect());
        let rates = windows.iter().map(|w| w.count as f64 / seconds).collect();
        line("requests", SeriesUnit::PerSecond, rates);
        let good = windows.iter().zip(&self.window_failures);
        let good = good.map(|(w, failures)| (w.count as f64 - failures) / seconds);
        line("good", SeriesUnit::PerSecond, good.collect());
        line("latency.p50", SeriesUnit::Nanoseconds, each(|w| w.p50_ns).collect());
        line("latency.p99", SeriesUnit::Nanoseconds, each(|w| w.p99_ns).collect());
        line("latency.max", SeriesUnit::Nanoseconds, each(|w| w.max_ns).collect());
        let failures = self.window_failures.iter().zip(each(|w| w.count));
        let ratios = failures.map(|(failures, n)| failures / n).collect();
        line("error_ratio", SeriesUnit::Ratio, ratios);
        FlowResult {
            component,
            causes: self.causes,
        }
    }
}
