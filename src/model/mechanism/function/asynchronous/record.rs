//! What is counted about the events of a function.

use super::super::plan::FunctionPlan;
use crate::cost::{Meter, MeterSet};
use crate::kernel::{Duration, Instant};
use crate::stats::{Gauge, Histogram, Observation, Series, SeriesUnit, Value};

/// Why an event is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The function failed too often.
    Errors,
    /// It became too old.
    Age,
    /// The function may not run at all.
    SwitchedOff,
}

/// What is counted over the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub received: u64,
    pub duplicates: u64,
    pub retried: u64,
    pub throttled: u64,
    invoked: u64,
    done: u64,
    effects_doubled: u64,
    dropped: [u64; 3],
    lost: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    received: u64,
    dropped: u64,
    area: u128,
    length_ns: u64,
    age_ns: u64,
}

#[derive(Debug)]
pub(super) struct Record {
    pub counts: Counts,
    /// Events neither done nor given up.
    pub depth: Gauge,
    age: Histogram,
    latency: Histogram,
    /// Ages of what was not done when the run ended.
    unfinished: Histogram,
    area: u128,
    peak: u64,
    length_ns: u64,
    age_ns: u64,
    since: Instant,
    before: Counts,
    lines: Vec<Window>,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            counts: Counts::default(),
            depth: Gauge::new(),
            age: Histogram::new(),
            latency: Histogram::new(),
            unfinished: Histogram::new(),
            area: 0,
            peak: 0,
            length_ns: 0,
            age_ns: 0,
            since: Instant::ZERO,
            before: Counts::default(),
            lines: Vec::new(),
        }
    }

    /// An invocation has ended that began when its event was so old.
    pub(super) fn invoked(&mut self, age: Duration) {
        self.counts.invoked += 1;
        self.age.record(age.0);
        self.age_ns = self.age_ns.max(age.0);
    }

    /// An event is done, so long after it was accepted; a copy does again what was done.
    pub(super) fn done(&mut self, latency: Duration, copy: bool) {
        if copy {
            self.counts.effects_doubled += 1;
        } else {
            self.counts.done += 1;
            self.latency.record(latency.0);
        }
    }

    /// An event that was accepted so long ago is not done when the run ends.
    pub(super) fn cut_off(&mut self, age: Duration) {
        self.unfinished.record(age.0);
    }

    /// An event is given up, and goes somewhere or is lost.
    pub(super) fn dropped(&mut self, why: Reason, kept: bool) {
        self.counts.dropped[why as usize] += 1;
        self.counts.lost += u64::from(!kept);
    }

    pub(super) fn close_window(&mut self, now: Instant) {
        let (area, peak) = self.depth.flush(now.0);
        let line = Window {
            received: self.counts.received - self.before.received,
            dropped: self.counts.all_dropped() - self.before.all_dropped(),
            area,
            length_ns: now.since(self.since).0,
            age_ns: self.age_ns,
        };
        self.area += area;
        self.peak = self.peak.max(peak);
        self.length_ns += line.length_ns;
        self.before = self.counts;
        self.since = now;
        self.age_ns = 0;
        self.lines.push(line);
    }

    /// Forgets what was counted, but not what is there. A window has just been closed.
    pub(super) fn reset(&mut self) {
        *self = Self {
            depth: self.depth.carry_over(),
            since: self.since,
            ..Self::new()
        };
    }

    pub(super) fn observe(
        self,
        spec: &FunctionPlan,
        window: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) {
        let component = spec.component;
        let counts = self.counts;
        meters.add(Meter::Requests, counts.invoked * spec.asynchronous.extra_requests);
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        for (metric, count) in counts.named() {
            push(metric, Value::Count(count));
        }
        let area = self.area;
        let over_ns = self.length_ns;
        push("async.depth", Value::TimeMean { area, over_ns });
        push("async.depth.peak", Value::Peak(self.peak));
        push("async.depth", self.depth.levels());
        push("async.age", Value::Latency(Box::new(self.age)));
        push("async.latency.unfinished", Value::Latency(Box::new(self.unfinished)));
        push("async.latency", Value::Latency(Box::new(self.latency)));
        let mut line = |metric, unit, value: &dyn Fn(&Window) -> f64| {
            series.push(Series {
                component,
                metric,
                unit,
                values: self.lines.iter().map(value).collect(),
            });
        };
        let seconds = window.as_secs_f64();
        line("async.received", SeriesUnit::PerSecond, &|w| {
            w.received as f64 / seconds
        });
        line("async.dropped", SeriesUnit::Count, &|w| w.dropped as f64);
        line("async.depth", SeriesUnit::Level, &|w| {
            w.area as f64 / (w.length_ns as f64).max(1.0)
        });
        line("async.age", SeriesUnit::Nanoseconds, &|w| w.age_ns as f64);
    }
}

impl Counts {
    fn all_dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("async.received", self.received),
            ("async.duplicates", self.duplicates),
            ("async.duplicates_processed", self.effects_doubled),
            ("async.retried", self.retried),
            ("async.throttled", self.throttled),
            ("async.done", self.done),
            ("async.dropped_errors", self.dropped[Reason::Errors as usize]),
            ("async.dropped_age", self.dropped[Reason::Age as usize]),
            ("async.dropped_switched_off", self.dropped[Reason::SwitchedOff as usize]),
            ("async.lost", self.lost),
        ]
    }
}
