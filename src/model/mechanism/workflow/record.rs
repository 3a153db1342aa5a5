//! What is counted about a workflow, and what it is billed for.

use super::plan::{Metering, WorkflowPlan};
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant};
use crate::model::request::entry::{CAUSES, Cause, Request, Status};
use crate::model::request::flow::FlowResult;
use crate::stats::{
    CauseRecorder, Gauge, Histogram, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats,
};

/// What is counted over the whole run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub offered: u64,
    pub throttled: u64,
    pub started: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub items: u64,
    pub transitions: u64,
    pub transitions_delayed: u64,
    pub retries: u64,
    pub caught: u64,
    pub history_exceeded: u64,
}

/// What is counted about a state.
#[derive(Clone, Debug, Default)]
pub(super) struct OfState {
    pub visits: u64,
    pub errors: u64,
    pub time: Histogram,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    started: u64,
    ended: u64,
    failed: u64,
    open_area: u128,
    length_ns: u64,
}

#[derive(Debug)]
pub(super) struct Record {
    pub counts: Counts,
    pub open: Gauge,
    pub states: Vec<OfState>,
    duration: WindowLatency,
    causes: CauseRecorder<CAUSES>,
    /// Nanoseconds of executions: all, on transitions and overheads, on waits before retries.
    time_ns: [u128; 3],
    /// Transitions of the executions that ended.
    transitions_ended: u64,
    /// Executions that the bill counts, items included, and their time.
    billed: u64,
    billed_ms: u64,
    open_area: u128,
    open_peak: u64,
    length_ns: u64,
    lines: Vec<Window>,
    window: Window,
    since: Instant,
}

impl Record {
    pub(super) fn new(states: usize) -> Self {
        Self {
            counts: Counts::default(),
            open: Gauge::new(),
            states: vec![OfState::default(); states],
            duration: WindowLatency::new(),
            causes: CauseRecorder::default(),
            time_ns: [0; 3],
            transitions_ended: 0,
            billed: 0,
            billed_ms: 0,
            open_area: 0,
            open_peak: 0,
            length_ns: 0,
            lines: Vec::new(),
            window: Window::default(),
            since: Instant::ZERO,
        }
    }

    pub(super) fn started(&mut self, now: Instant) {
        self.counts.started += 1;
        self.window.started += 1;
        self.open.add(now.0, 1);
    }

    /// An execution or an item of a distributed map has ended, so long after it began: what the bill counts.
    pub(super) fn bill(&mut self, spec: &WorkflowPlan, duration: Duration) {
        self.billed += 1;
        let step_ns = spec.billing_step.0.max(1);
        self.billed_ms += Duration(duration.0.div_ceil(step_ns) * step_ns).millis_ceil();
    }

    /// An execution has ended; `root` has its whole time.
    pub(super) fn ended(&mut self, root: &Request, transitions: u64, status: Status, now: Instant) {
        self.open.add(now.0, -1);
        self.window.ended += 1;
        match status {
            Status::Ok => self.counts.succeeded += 1,
            Status::TimedOut => self.counts.timed_out += 1,
            _ => self.counts.failed += 1,
        }
        self.window.failed += u64::from(!status.is_ok());
        self.transitions_ended += transitions;
        let age = root.age();
        self.duration.record(age.0);
        self.causes.record(age.0, &root.causes);
        let spent = |cause: Cause| u128::from(root.causes[cause as usize]);
        self.time_ns[0] += u128::from(age.0);
        self.time_ns[1] += spent(Cause::Gateway);
        self.time_ns[2] += spent(Cause::Backoff) + spent(Cause::Throttled);
    }

    pub(super) fn close_window(&mut self, now: Instant) {
        let (area, peak) = self.open.flush(now.0);
        let length_ns = now.since(self.since).0;
        self.lines.push(Window {
            open_area: area,
            length_ns,
            ..self.window
        });
        self.open_area += area;
        self.open_peak = self.open_peak.max(peak);
        self.length_ns += length_ns;
        self.since = now;
        self.window = Window::default();
        self.duration.close_window();
    }

    /// Forgets what was counted, but not what is open. A window has just been closed.
    pub(super) fn reset(&mut self) {
        *self = Self {
            open: self.open.carry_over(),
            since: self.since,
            ..Self::new(self.states.len())
        };
    }

    pub(super) fn observe(
        self,
        spec: &WorkflowPlan,
        window: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) -> FlowResult {
        match spec.metering {
            Metering::Transitions => meters.add(Meter::Transitions, self.counts.transitions),
            Metering::Duration => {
                meters.add(Meter::Requests, self.billed);
                meters.add_product(Meter::ComputeMbMs, spec.memory_mb, self.billed_ms);
            }
        }
        let component = spec.component;
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        for (metric, count) in self.counts.named() {
            push(metric, Value::Count(count));
        }
        let ended = self.counts.succeeded + self.counts.failed + self.counts.timed_out;
        let ratio = |part, whole| Value::Ratio { part, whole };
        push("failure_ratio", ratio(ended - self.counts.succeeded, ended));
        let each = Value::PerEach {
            sum: self.transitions_ended,
            count: ended,
        };
        push("transitions_per_execution", each);
        // In microseconds, so that the sums of long executions fit.
        let [all, orchestrating, retrying] = self.time_ns.map(|ns| fit(ns / 1_000));
        push("orchestration_share", ratio(orchestrating, all));
        push("retry_share", ratio(retrying, all));
        let open = Value::TimeMean {
            area: self.open_area,
            over_ns: self.length_ns,
        };
        push("open", open);
        push("open.peak", Value::Peak(self.open_peak));
        push("open", self.open.levels());
        let (whole, windows, _) = self.duration.finish();
        push("duration", Value::Latency(Box::new(whole)));
        for (state, record) in spec.states.iter().zip(self.states) {
            push(state.metrics.visits, Value::Count(record.visits));
            push(state.metrics.errors, Value::Count(record.errors));
            push(state.metrics.time, Value::Latency(Box::new(record.time)));
        }
        observe_windows(component, &self.lines, &windows, window, series);
        FlowResult {
            component,
            causes: self.causes,
            failed: None,
        }
    }
}

fn observe_windows(
    component: u32,
    lines: &[Window],
    windows: &[WindowStats],
    window: Duration,
    series: &mut Vec<Series>,
) {
    let mut line = |metric, unit, values| {
        series.push(Series {
            component,
            metric,
            unit,
            values,
        });
    };
    let seconds = window.as_secs_f64();
    let each = |value: &dyn Fn(&Window) -> f64| lines.iter().map(value).collect();
    let level = |w: &Window| w.open_area as f64 / (w.length_ns as f64).max(1.0);
    line("started", SeriesUnit::PerSecond, each(&|w| w.started as f64 / seconds));
    line("ended", SeriesUnit::PerSecond, each(&|w| w.ended as f64 / seconds));
    line("failed", SeriesUnit::Count, each(&|w| w.failed as f64));
    line("open", SeriesUnit::Level, each(&level));
    let p99 = windows.iter().map(|w| w.seen(w.p99_ns as f64)).collect();
    line("duration.p99", SeriesUnit::Nanoseconds, p99);
    let max = windows.iter().map(|w| w.seen(w.max_ns as f64)).collect();
    line("duration.max", SeriesUnit::Nanoseconds, max);
}

impl Counts {
    fn named(&self) -> [(&'static str, u64); 12] {
        [
            ("offered", self.offered),
            ("throttled", self.throttled),
            ("started", self.started),
            ("succeeded", self.succeeded),
            ("failed", self.failed),
            ("timed_out", self.timed_out),
            ("items", self.items),
            ("transitions", self.transitions),
            ("transitions_delayed", self.transitions_delayed),
            ("retries", self.retries),
            ("caught", self.caught),
            ("history_exceeded", self.history_exceeded),
        ]
    }
}
