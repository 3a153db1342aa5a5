//! What is counted about a proxy, and what it is billed for.

use super::plan::ProxyPlan;
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::whole;
use crate::kernel::{Duration, Instant};
use crate::stats::{Gauge, Observation, Series, SeriesUnit, Value, WindowLatency};

/// What is counted per window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    timeouts: u64,
    abandoned: u64,
    length_ns: u64,
    busy: u128,
    busy_peak: u64,
    waiting: u128,
    waiting_peak: u64,
}

impl Window {
    fn add(&mut self, other: &Self) {
        self.timeouts += other.timeouts;
        self.abandoned += other.abandoned;
        self.length_ns += other.length_ns;
        self.busy += other.busy;
        self.busy_peak = self.busy_peak.max(other.busy_peak);
        self.waiting += other.waiting;
        self.waiting_peak = self.waiting_peak.max(other.waiting_peak);
    }
}

/// The record of one proxy. The levels live here, too, and outlive a reset.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Connections of the pool that queries or pinned sessions have.
    busy: Gauge,
    waiting: Gauge,
    window_began: Instant,
    borrow: WindowLatency,
    window: Window,
    total: Window,
    lines: Vec<Window>,
}

impl Record {
    /// Connections of the pool that are taken.
    #[inline]
    pub(super) const fn busy(&self) -> u64 {
        self.busy.level()
    }

    #[inline]
    pub(super) fn take_connection(&mut self, now: Instant) {
        self.busy.add(now.0, 1);
    }

    /// Connections became free `ago`.
    #[inline]
    pub(super) fn free_connections(&mut self, now: Instant, count: u32, ago: Duration) {
        self.busy.add(now.0, -i64::from(count));
        if ago > Duration::ZERO {
            self.busy.subtract_past(ago.0 * u64::from(count));
        }
    }

    /// One more query waits, or one less.
    #[inline]
    pub(super) fn waits(&mut self, now: Instant, change: i64) {
        self.waiting.add(now.0, change);
    }

    /// A query was done that had waited this long for its connection.
    #[inline]
    pub(super) fn done(&mut self, waited: Duration) {
        self.borrow.record(waited.0);
    }

    pub(super) fn timed_out(&mut self) {
        self.window.timeouts += 1;
    }

    pub(super) fn abandoned(&mut self) {
        self.window.abandoned += 1;
    }

    pub(super) fn close_window(&mut self, now: Instant) {
        let window = &mut self.window;
        window.length_ns = now.since(self.window_began).0;
        (window.busy, window.busy_peak) = self.busy.flush(now.0);
        (window.waiting, window.waiting_peak) = self.waiting.flush(now.0);
        self.window_began = now;
        self.total.add(window);
        self.borrow.close_window();
        self.lines.push(std::mem::take(window));
    }

    /// Forgets what was counted; a window must have been closed just before.
    pub(super) fn reset(&mut self) {
        *self = Self {
            busy: self.busy.carry_over(),
            waiting: self.waiting.carry_over(),
            window_began: self.window_began,
            ..Self::default()
        };
    }

    pub(super) fn observe(
        self,
        spec: &ProxyPlan,
        window: Duration,
        measured: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) {
        let component = spec.component;
        let total = self.total;
        let milli_vcpus = whole((spec.billed_vcpus * 1000.0).round());
        meters.add_product(Meter::ProxyVcpuMs, milli_vcpus, measured.millis_ceil());
        let (borrow, lines, _) = self.borrow.finish();
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        let mean = |area| Value::TimeMean {
            area,
            over_ns: total.length_ns,
        };
        push("queries", Value::Count(borrow.count()));
        push("timeouts", Value::Count(total.timeouts));
        push("abandoned", Value::Count(total.abandoned));
        push("pool.busy", mean(total.busy));
        push("pool.peak", Value::Peak(total.busy_peak));
        push("waiting", mean(total.waiting));
        push("waiting.peak", Value::Peak(total.waiting_peak));
        push("pool.busy", self.busy.levels());
        push("waiting", self.waiting.levels());
        push("borrow", Value::Latency(Box::new(borrow)));
        let mut line = |metric, unit, values: Vec<f64>| {
            series.push(Series {
                component,
                metric,
                unit,
                values,
            });
        };
        let seconds = window.as_secs_f64();
        let level = |area: u128, w: &Window| area as f64 / (w.length_ns as f64).max(1.0);
        let (rate, ns) = (SeriesUnit::PerSecond, SeriesUnit::Nanoseconds);
        line(
            "queries",
            rate,
            lines.iter().map(|w| w.count as f64 / seconds).collect(),
        );
        line(
            "borrow.p99",
            ns,
            lines.iter().map(|w| w.seen(w.p99_ns as f64)).collect(),
        );
        let lines = &self.lines;
        let mut each = |metric, unit, value: &dyn Fn(&Window) -> f64| {
            line(metric, unit, lines.iter().map(value).collect());
        };
        each("timeouts", SeriesUnit::Count, &|w| w.timeouts as f64);
        each("pool.busy", SeriesUnit::Level, &|w| level(w.busy, w));
        each("waiting", SeriesUnit::Level, &|w| level(w.waiting, w));
    }
}
