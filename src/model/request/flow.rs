//! What is counted of requests: when they came, how long they took as a whole and by window and what for, and how they
//! ended.
//!
//! Those that ended well and those that failed are kept apart: what fails at once is not fast, and the time of a
//! time-out is not that of an answer.
//!
//! What became of the requests that came in the measured time adds up to them: good, failed, refused, or on their way
//! when it ended.

use super::entry::{CAUSES, Request, STATUSES, Status};
use crate::kernel::{Duration, Instant};
use crate::stats::{CauseRecorder, CauseTable, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats};

/// The record of one flow of requests.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Those that ended well.
    good: Times,
    /// Those that did not, once there is one.
    failed: Option<Box<Times>>,
    /// The same by status.
    statuses: [u64; STATUSES],
    /// Requests that came, per closed window.
    window_offered: Vec<f64>,
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
            good: Times::default(),
            failed: None,
            statuses: [0; STATUSES],
            window_offered: Vec::new(),
            retries: 0,
            since: Instant::ZERO,
            offered: 0,
            offered_before: 0,
            carried: [0; STATUSES],
        }
    }
}

/// How long requests took, and what for.
#[derive(Clone, Debug, Default)]
struct Times {
    latency: WindowLatency,
    causes: CauseRecorder<CAUSES>,
}

impl Times {
    #[inline]
    fn record(&mut self, request: &Request) {
        let age = request.age();
        debug_assert_eq!(
            request.causes.iter().sum::<u64>(),
            age.0,
            "the causes of a request add up to its age"
        );
        self.latency.record(age.0);
        self.causes.record(age.0, &request.causes);
    }
}

/// The whole record, when a run has ended.
#[derive(Clone, Debug)]
pub struct FlowResult {
    /// The component whose flow it is.
    pub component: u32,
    /// Causes by latency bucket, of what ended well.
    pub causes: CauseRecorder<CAUSES>,
    /// The same of requests of clients that failed, if any did.
    pub failed: Option<Box<CauseRecorder<CAUSES>>>,
}

impl FlowResult {
    /// The causes of what ended well, and of what failed.
    pub fn tables(&self) -> [CauseTable; 2] {
        let failed = self.failed.as_ref();
        let failed = failed.map_or_else(|| CauseTable::new(CAUSES), |failed| failed.table());
        [self.causes.table(), failed]
    }
}

impl Flow {
    /// Nothing yet, with room for so many windows.
    pub fn with_room(windows: usize) -> Self {
        let mut flow = Self::default();
        flow.good.latency.make_room(windows);
        flow.window_offered.reserve_exact(windows);
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
        // One test for all that is rare: it came before counting began, it failed, or it took several attempts.
        let rare = u8::from(request.begun < self.since) | request.status as u8 | request.attempt;
        if rare != 0 && !self.record_rare(request) {
            return;
        }
        self.good.record(request);
    }

    /// Counts what is rare about a request; whether it ended well.
    #[cold]
    #[inline(never)]
    fn record_rare(&mut self, request: &Request) -> bool {
        self.retries += u64::from(request.attempt);
        if request.begun < self.since {
            self.carried[request.status as usize] += 1;
        }
        if request.status.is_ok() {
            return true;
        }
        self.statuses[request.status as usize] += 1;
        let closed = &self.good.latency;
        let failed = self.failed.get_or_insert_with(|| {
            Box::new(Times {
                latency: closed.another(),
                causes: CauseRecorder::default(),
            })
        });
        failed.record(request);
        false
    }

    /// Ends a window.
    pub fn close_window(&mut self) {
        self.good.latency.close_window();
        if let Some(failed) = &mut self.failed {
            failed.latency.close_window();
        }
        self.window_offered.push((self.offered - self.offered_before) as f64);
        self.offered_before = self.offered;
    }

    /// Forgets everything: the warm-up is over, counting begins.
    pub fn reset(&mut self, now: Instant) {
        *self = Self::with_room(self.window_offered.capacity());
        self.since = now;
    }

    /// How many have come since counting began, and in how many ways they ended.
    fn places(&self) -> [(&'static str, u64); 5] {
        let good = self.good.latency.count() - self.carried[Status::Ok as usize];
        let [mut failed, mut refused] = [0, 0];
        for status in &Status::ALL[1..] {
            let place = if status.is_refusal() { &mut refused } else { &mut failed };
            *place += self.statuses[*status as usize] - self.carried[*status as usize];
        }
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
        self.good.latency.count() + self.statuses.iter().sum::<u64>()
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
        let ok = self.good.latency.count();
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
        let (whole, good, worst) = self.good.latency.finish();
        let (failed, failed_causes) = match self.failed {
            Some(failed) => (failed.latency, Some(Box::new(failed.causes))),
            None => (WindowLatency::new(), None),
        };
        let (in_vain, mut bad, _) = failed.finish();
        bad.resize(good.len(), WindowStats::default());
        push("latency", Value::Latency(Box::new(whole)));
        push("latency.p99.worst_window", Value::Latency(Box::new(worst)));
        push("latency.failed", Value::Latency(Box::new(in_vain)));
        observe_windows(component, &self.window_offered, (&good, &bad), window, series);
        FlowResult {
            component,
            causes: self.good.causes,
            failed: failed_causes,
        }
    }
}

/// Reports the windows of a flow: how many came, and what ended well and badly.
fn observe_windows(
    component: u32,
    offered: &[f64],
    (good, bad): (&[WindowStats], &[WindowStats]),
    window: Duration,
    series: &mut Vec<Series>,
) {
    let mut line = |metric, unit, values: Vec<f64>| {
        series.push(Series {
            component,
            metric,
            unit,
            values,
        });
    };
    let seconds = window.as_secs_f64();
    let came = offered.iter().map(|count| count / seconds);
    line("offered", SeriesUnit::PerSecond, came.collect());
    let ended = || good.iter().zip(bad).map(|(good, bad)| (good.count + bad.count) as f64);
    line(
        "requests",
        SeriesUnit::PerSecond,
        ended().map(|n| n / seconds).collect(),
    );
    let well = good.iter().map(|w| w.count as f64 / seconds);
    line("good", SeriesUnit::PerSecond, well.collect());
    for (metric, windows, figure) in [
        ("latency.p50", good, (|w| w.p50_ns) as fn(&WindowStats) -> u64),
        ("latency.p99", good, |w| w.p99_ns),
        ("latency.max", good, |w| w.max_ns),
        ("latency.failed.p99", bad, |w| w.p99_ns),
    ] {
        line(metric, SeriesUnit::Nanoseconds, WindowStats::line(windows, figure));
    }
    let ratios = bad.iter().zip(ended()).map(|(bad, n)| bad.count as f64 / n);
    line("error_ratio", SeriesUnit::Ratio, ratios.collect());
}
