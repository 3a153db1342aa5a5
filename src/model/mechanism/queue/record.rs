//! What is counted about a queue and its poller, and what it is billed for.

use super::plan::QueuePlan;
use crate::cost::{Meter, MeterSet};
use crate::kernel::{Duration, Instant};
use crate::model::request::entry::{CAUSES, Cause, Request};
use crate::model::request::flow::FlowResult;
use crate::stats::{
    CauseRecorder, Gauge, Histogram, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats,
};

/// What is counted over the whole run and per window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub sent: u64,
    pub throttled: u64,
    pub copies: u64,
    pub moved_in: u64,
    pub received: u64,
    pub deleted: u64,
    pub dead_lettered: u64,
    pub redriven: u64,
    pub expired: u64,
    pub duplicates_processed: u64,
    pub messages_failed: u64,
    pub batches: u64,
    pub batches_failed: u64,
    pub batches_throttled: u64,
    pub batches_abandoned: u64,
    /// Requests as the service meters them.
    pub metered: u64,
}

/// A level's integral and peak.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    area: u128,
    peak: u64,
}

impl Level {
    fn add(&mut self, other: Self) {
        self.area += other.area;
        self.peak = self.peak.max(other.peak);
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    counts: Counts,
    length_ns: u64,
    depth: Level,
    in_flight: Level,
    concurrency: Level,
    age_ns: u64,
}

#[derive(Debug)]
pub(super) struct Record {
    pub counts: Counts,
    /// Messages that are there, in flight or not.
    pub depth: Gauge,
    pub in_flight: Gauge,
    /// Batches under way.
    pub concurrency: Gauge,
    /// The greatest age at which a message left in this window.
    age_ns: u64,
    wait: Histogram,
    latency: WindowLatency,
    causes: CauseRecorder<CAUSES>,
    ages: Histogram,
    /// Ages of what was not done when the run ended, and of these what nobody had taken.
    unfinished: Histogram,
    waiting: Histogram,
    total: Window,
    lines: Vec<Window>,
    since: Instant,
    /// The counts when the window began.
    before: Counts,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            counts: Counts::default(),
            depth: Gauge::new(),
            in_flight: Gauge::new(),
            concurrency: Gauge::new(),
            age_ns: 0,
            wait: Histogram::new(),
            latency: WindowLatency::new(),
            causes: CauseRecorder::default(),
            ages: Histogram::new(),
            unfinished: Histogram::new(),
            waiting: Histogram::new(),
            total: Window::default(),
            lines: Vec::new(),
            since: Instant::ZERO,
            before: Counts::default(),
        }
    }

    /// A message leaves that has been here since `enqueued`.
    #[inline]
    pub(super) fn leaves(&mut self, enqueued: Instant, now: Instant) {
        self.age_ns = self.age_ns.max(now.since(enqueued).0);
        self.depth.add(now.0, -1);
    }

    /// A message was received for the first time, so long after it was sent.
    #[inline]
    pub(super) fn waited(&mut self, wait: Duration) {
        self.wait.record(wait.0);
    }

    /// A message that was sent at `sent` has been dealt with by `invocation`, which ends now.
    #[inline]
    pub(super) fn done(&mut self, sent: Instant, invocation: &Request) {
        let age = invocation.mark.since(sent);
        let mut causes = invocation.causes;
        causes[Cause::Queued as usize] += invocation.begun.since(sent).0;
        debug_assert_eq!(causes.iter().sum::<u64>(), age.0, "causes add up to the age");
        self.latency.record(age.0);
        self.causes.record(age.0, &causes);
    }

    /// Ends a window, at the end of which the oldest message is as old as `age`.
    pub(super) fn close_window(&mut self, now: Instant, age: Duration) {
        let level = |gauge: &mut Gauge| {
            let (area, peak) = gauge.flush(now.0);
            Level { area, peak }
        };
        let line = Window {
            counts: self.counts.since(&self.before),
            length_ns: now.since(self.since).0,
            depth: level(&mut self.depth),
            in_flight: level(&mut self.in_flight),
            concurrency: level(&mut self.concurrency),
            age_ns: self.age_ns.max(age.0),
        };
        self.before = self.counts;
        self.since = now;
        self.age_ns = 0;
        self.ages.record(line.age_ns);
        self.total.length_ns += line.length_ns;
        self.total.depth.add(line.depth);
        self.total.in_flight.add(line.in_flight);
        self.total.concurrency.add(line.concurrency);
        self.latency.close_window();
        self.lines.push(line);
    }

    /// Forgets what was counted, but not what is there. A window has just been closed.
    pub(super) fn reset(&mut self) {
        *self = Self {
            depth: self.depth.carry_over(),
            in_flight: self.in_flight.carry_over(),
            concurrency: self.concurrency.carry_over(),
            since: self.since,
            ..Self::new()
        };
    }

    /// A message that was sent so long ago is not done when the run ends, and was perhaps never taken.
    pub(super) fn cut_off(&mut self, age: Duration, waits: bool) {
        self.unfinished.record(age.0);
        if waits {
            self.waiting.record(age.0);
        }
    }

    pub(super) fn observe(
        self,
        spec: &QueuePlan,
        window: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) -> FlowResult {
        let component = spec.component;
        let counts = self.counts;
        meters.add(Meter::Requests, counts.metered);
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
        push("remaining", Value::Count(self.depth.level()));
        let over_ns = self.total.length_ns;
        let mean = |level: Level| Value::TimeMean {
            area: level.area,
            over_ns,
        };
        push("depth", mean(self.total.depth));
        push("depth.peak", Value::Peak(self.total.depth.peak));
        push("in_flight", mean(self.total.in_flight));
        push("in_flight.peak", Value::Peak(self.total.in_flight.peak));
        push("depth", self.depth.levels());
        push("in_flight", self.in_flight.levels());
        push("age_oldest", Value::Latency(Box::new(self.ages)));
        if spec.poller.is_some() {
            push("concurrency", mean(self.total.concurrency));
            push("concurrency.peak", Value::Peak(self.total.concurrency.peak));
            push("concurrency", self.concurrency.levels());
            push("wait", Value::Latency(Box::new(self.wait)));
            push("wait.unfinished", Value::Latency(Box::new(self.waiting)));
        }
        let (whole, windows, worst) = self.latency.finish();
        if spec.poller.is_some() {
            push("latency.unfinished", Value::Latency(Box::new(self.unfinished)));
            push("latency", Value::Latency(Box::new(whole)));
            push("latency.p99.worst_window", Value::Latency(Box::new(worst)));
        }
        observe_windows(spec, &self.lines, &windows, window, series);
        FlowResult {
            component,
            causes: self.causes,
        }
    }
}

fn observe_windows(
    spec: &QueuePlan,
    lines: &[Window],
    latencies: &[WindowStats],
    window: Duration,
    series: &mut Vec<Series>,
) {
    let mut line = |metric, unit, values| {
        series.push(Series {
            component: spec.component,
            metric,
            unit,
            values,
        });
    };
    let seconds = window.as_secs_f64();
    let each = |value: &dyn Fn(&Window) -> f64| lines.iter().map(value).collect();
    let level = |level: Level, window: &Window| level.area as f64 / (window.length_ns as f64).max(1.0);
    line("sent", SeriesUnit::PerSecond, each(&|w| w.counts.sent as f64 / seconds));
    line("depth", SeriesUnit::Level, each(&|w| level(w.depth, w)));
    line("in_flight", SeriesUnit::Level, each(&|w| level(w.in_flight, w)));
    line("age_oldest", SeriesUnit::Nanoseconds, each(&|w| w.age_ns as f64));
    if spec.poller.is_none() {
        return;
    }
    line(
        "deleted",
        SeriesUnit::PerSecond,
        each(&|w| w.counts.deleted as f64 / seconds),
    );
    line("concurrency", SeriesUnit::Level, each(&|w| level(w.concurrency, w)));
    let latency = |figure| WindowStats::line(latencies, figure);
    line("latency.p50", SeriesUnit::Nanoseconds, latency(|w| w.p50_ns));
    line("latency.p99", SeriesUnit::Nanoseconds, latency(|w| w.p99_ns));
    line("latency.max", SeriesUnit::Nanoseconds, latency(|w| w.max_ns));
}

impl Counts {
    /// What was counted after `before`, as far as windows show it.
    fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            deleted: self.deleted - before.deleted,
            ..Self::default()
        }
    }

    fn named(&self) -> [(&'static str, u64); 15] {
        [
            ("sent", self.sent),
            ("throttled", self.throttled),
            ("copies", self.copies),
            ("moved_in", self.moved_in),
            ("received", self.received),
            ("deleted", self.deleted),
            ("dead_lettered", self.dead_lettered),
            ("redriven", self.redriven),
            ("expired", self.expired),
            ("duplicates_processed", self.duplicates_processed),
            ("messages_failed", self.messages_failed),
            ("batches", self.batches),
            ("batches_failed", self.batches_failed),
            ("batches_throttled", self.batches_throttled),
            ("batches_abandoned", self.batches_abandoned),
        ]
    }
}
