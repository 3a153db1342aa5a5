//! What is counted about a stream and its mapping, and what it is billed for.

use super::plan::{Capacity, StreamPlan};
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant};
use crate::model::request::entry::{CAUSES, Cause, Request};
use crate::model::request::flow::FlowResult;
use crate::stats::{
    CauseRecorder, Gauge, Histogram, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats,
};

/// What is counted over the whole run and per window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub records: u64,
    pub throttled: u64,
    pub delivered: u64,
    pub redelivered: u64,
    pub processed: u64,
    pub discarded: u64,
    pub expired: u64,
    pub skipped: u64,
    pub batches: u64,
    pub batches_failed: u64,
    pub batches_throttled: u64,
    pub bisections: u64,
    /// Records that were read, for what reading costs.
    pub read: u64,
}

/// Levels, in the order of [`LEVELS`].
pub(super) mod level {
    /// Records put and not done.
    pub const DEPTH: usize = 0;
    /// Batches at work.
    pub const CONCURRENCY: usize = 1;
    /// Batches that hold up their shard.
    pub const BLOCKED: usize = 2;
    /// Open shards.
    pub const SHARDS: usize = 3;
}

/// The names of levels and of their peaks.
const LEVELS: [(&str, &str); 4] = [
    ("depth", "depth.peak"),
    ("concurrency", "concurrency.peak"),
    ("blocked", "blocked.peak"),
    ("shards", "shards.peak"),
];

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    counts: Counts,
    length_ns: u64,
    /// Area and peak of each level.
    levels: [(u128, u64); LEVELS.len()],
    age_ns: u64,
    iterator_age_ns: u64,
}

#[derive(Debug)]
pub(super) struct Record {
    pub counts: Counts,
    pub levels: [Gauge; LEVELS.len()],
    /// The greatest age at which a record was done or given up in this window.
    age_ns: u64,
    window_iterator_age_ns: u64,
    iterator_age: Histogram,
    latency: WindowLatency,
    causes: CauseRecorder<CAUSES>,
    ages: Histogram,
    /// Ages of what was not done when the run ended.
    unfinished: Histogram,
    total: Window,
    lines: Vec<Window>,
    since: Instant,
    before: Counts,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            counts: Counts::default(),
            levels: std::array::from_fn(|_| Gauge::new()),
            age_ns: 0,
            window_iterator_age_ns: 0,
            iterator_age: Histogram::new(),
            latency: WindowLatency::new(),
            causes: CauseRecorder::default(),
            ages: Histogram::new(),
            unfinished: Histogram::new(),
            total: Window::default(),
            lines: Vec::new(),
            since: Instant::ZERO,
            before: Counts::default(),
        }
    }

    /// A record that was put at `put` leaves the stream's sight: done, given up or too old.
    #[inline]
    pub(super) fn leaves(&mut self, put: Instant, now: Instant) {
        self.age_ns = self.age_ns.max(now.since(put).0);
        self.levels[level::DEPTH].add(now.0, -1);
    }

    /// The function was invoked with a batch whose last record was so old then.
    #[inline]
    pub(super) fn invoked(&mut self, iterator_age: Duration) {
        self.iterator_age.record(iterator_age.0);
        self.window_iterator_age_ns = self.window_iterator_age_ns.max(iterator_age.0);
    }

    /// A record that was put at `put` is done by `invocation`, which ends now.
    #[inline]
    pub(super) fn done(&mut self, put: Instant, invocation: &Request) {
        let age = invocation.mark.since(put);
        let mut causes = invocation.causes;
        causes[Cause::Queued as usize] += invocation.begun.since(put).0;
        debug_assert_eq!(causes.iter().sum::<u64>(), age.0, "causes add up to the age");
        self.latency.record(age.0);
        self.causes.record(age.0, &causes);
    }

    /// Ends a window, at the end of which the oldest record that is not done is as old as `age`.
    pub(super) fn close_window(&mut self, now: Instant, age: Duration) {
        let line = Window {
            counts: self.counts.since(&self.before),
            length_ns: now.since(self.since).0,
            levels: std::array::from_fn(|i| self.levels[i].flush(now.0)),
            age_ns: self.age_ns.max(age.0),
            iterator_age_ns: self.window_iterator_age_ns,
        };
        self.before = self.counts;
        self.since = now;
        (self.age_ns, self.window_iterator_age_ns) = (0, 0);
        self.ages.record(line.age_ns);
        self.total.length_ns += line.length_ns;
        for (total, (area, peak)) in self.total.levels.iter_mut().zip(line.levels) {
            total.0 += area;
            total.1 = total.1.max(peak);
        }
        self.latency.close_window();
        self.lines.push(line);
    }

    /// Forgets what was counted, but not what is there. A window has just been closed.
    pub(super) fn reset(&mut self) {
        *self = Self {
            levels: std::array::from_fn(|level| self.levels[level].carry_over()),
            since: self.since,
            ..Self::new()
        };
    }

    /// Counts what is billed.
    fn meter(&self, spec: &StreamPlan, meters: &mut MeterSet) {
        let counts = self.counts;
        let (length_ms, shard_ms) = (
            self.total.length_ns / 1_000_000,
            fit(self.total.levels[level::SHARDS].0 / 1_000_000),
        );
        let enhanced = spec.mapping.is_some_and(|mapping| mapping.polls.is_none());
        match spec.capacity {
            Capacity::Included => {}
            Capacity::Provisioned => {
                if spec.of.is_none() {
                    meters.add(Meter::InstanceMs, shard_ms);
                    meters.add(Meter::Messages, counts.records * spec.put_units());
                }
                if enhanced {
                    meters.add(Meter::ConsumerMs, shard_ms);
                    meters.add(Meter::EnhancedBytes, counts.read * spec.record_bytes);
                }
            }
            Capacity::OnDemand(_) => {
                if spec.of.is_none() {
                    meters.add(Meter::InstanceMs, length_ms);
                    meters.add(Meter::BytesIn, counts.records * spec.billed_bytes());
                }
                let meter = if enhanced {
                    Meter::EnhancedBytes
                } else {
                    Meter::BytesRead
                };
                meters.add(meter, counts.read * spec.billed_bytes());
            }
        }
    }

    /// A record that was put so long ago is not done when the run ends.
    pub(super) fn cut_off(&mut self, age: Duration) {
        self.unfinished.record(age.0);
    }

    pub(super) fn observe(
        self,
        spec: &StreamPlan,
        hottest: Option<(u64, u64)>,
        window: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) -> FlowResult {
        let component = spec.component;
        let counts = self.counts;
        self.meter(spec, meters);
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        for (metric, count) in counts.named(spec) {
            push(metric, Value::Count(count));
        }
        let offered = counts.records + counts.throttled;
        let ratio = |part, whole| Value::Ratio { part, whole };
        if let Some((most, all)) = hottest {
            push("throttle_ratio", ratio(counts.throttled, offered));
            push("hottest_shard", ratio(most, all));
        }
        let over_ns = self.total.length_ns;
        let shown = if spec.mapping.is_some() { 0..4 } else { 3..4 };
        for i in shown {
            let (area, peak) = self.total.levels[i];
            push(LEVELS[i].0, Value::TimeMean { area, over_ns });
            push(LEVELS[i].1, Value::Peak(peak));
            push(LEVELS[i].0, self.levels[i].levels());
        }
        let (whole, windows, worst) = self.latency.finish();
        if spec.mapping.is_some() {
            push("latency.unfinished", Value::Latency(Box::new(self.unfinished)));
            push("remaining", Value::Count(self.levels[level::DEPTH].level()));
            push("iterator_age", Value::Latency(Box::new(self.iterator_age)));
            push("age_oldest", Value::Latency(Box::new(self.ages)));
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
    spec: &StreamPlan,
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
    let rate = |count: fn(&Counts) -> u64| each(&|w| count(&w.counts) as f64 / seconds);
    let mean = |i: usize| each(&|w| w.levels[i].0 as f64 / (w.length_ns as f64).max(1.0));
    line("records", SeriesUnit::PerSecond, rate(|c| c.records));
    line("shards", SeriesUnit::Level, mean(level::SHARDS));
    if spec.of.is_none() {
        line("throttled", SeriesUnit::PerSecond, rate(|c| c.throttled));
    }
    if spec.mapping.is_none() {
        return;
    }
    line("processed", SeriesUnit::PerSecond, rate(|c| c.processed));
    line("depth", SeriesUnit::Level, mean(level::DEPTH));
    line("concurrency", SeriesUnit::Level, mean(level::CONCURRENCY));
    line("blocked", SeriesUnit::Level, mean(level::BLOCKED));
    line("age_oldest", SeriesUnit::Nanoseconds, each(&|w| w.age_ns as f64));
    line(
        "iterator_age",
        SeriesUnit::Nanoseconds,
        each(&|w| w.iterator_age_ns as f64),
    );
    let latency = |figure| WindowStats::line(latencies, figure);
    line("latency.p50", SeriesUnit::Nanoseconds, latency(|w| w.p50_ns));
    line("latency.p99", SeriesUnit::Nanoseconds, latency(|w| w.p99_ns));
    line("latency.max", SeriesUnit::Nanoseconds, latency(|w| w.max_ns));
}

impl Counts {
    /// What was counted after `before`, as far as windows show it.
    fn since(&self, before: &Self) -> Self {
        Self {
            records: self.records - before.records,
            throttled: self.throttled - before.throttled,
            processed: self.processed - before.processed,
            ..Self::default()
        }
    }

    /// What a stream reports: putting is the affair of the stream itself, reading that of a mapping.
    fn named(&self, spec: &StreamPlan) -> Vec<(&'static str, u64)> {
        let mut named = vec![("records", self.records)];
        if spec.of.is_none() {
            named.push(("throttled", self.throttled));
        }
        if spec.mapping.is_some() {
            named.extend([
                ("delivered", self.delivered),
                ("redelivered", self.redelivered),
                ("processed", self.processed),
                ("discarded", self.discarded),
                ("expired", self.expired),
                ("skipped", self.skipped),
                ("batches", self.batches),
                ("batches_failed", self.batches_failed),
                ("batches_throttled", self.batches_throttled),
                ("bisections", self.bisections),
            ]);
        }
        named
    }
}
