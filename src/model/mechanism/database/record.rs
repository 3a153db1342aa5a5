//! What is counted about a database, and what it is billed for.

use super::plan::DatabasePlan;
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::{self, fit};
use crate::kernel::{Duration, Instant};
use crate::stats::{Gauge, Histogram, Observation, Series, SeriesUnit, Value, WindowLatency};

/// Thousandths of a capacity unit in half a unit.
const HALF_UNIT_MILLI: u128 = 500;
/// Nanoseconds of a millisecond.
const NS_PER_MS: u128 = 1_000_000;
/// Levels of cores in use are kept in thousandths.
const MILLI: f64 = 1000.0;

/// What is counted per window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    queries: u64,
    refused: u64,
    opened: u64,
    length_ns: u64,
    connections: u128,
    connections_peak: u64,
    running: u128,
    running_peak: u64,
    milli_cores: u128,
    capacity: u128,
    capacity_peak: u64,
}

impl Window {
    fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.refused += other.refused;
        self.opened += other.opened;
        self.length_ns += other.length_ns;
        self.connections += other.connections;
        self.connections_peak = self.connections_peak.max(other.connections_peak);
        self.running += other.running;
        self.running_peak = self.running_peak.max(other.running_peak);
        self.milli_cores += other.milli_cores;
        self.capacity += other.capacity;
        self.capacity_peak = self.capacity_peak.max(other.capacity_peak);
    }
}

/// The record of one database. The levels live here, too, and outlive a reset.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) connections: Gauge,
    /// Half capacity units of a serverless database.
    pub(super) capacity: Gauge,
    /// How often it resumed.
    pub(super) resumes: u64,
    running: Gauge,
    milli_cores: Gauge,
    window_began: Instant,
    cancelled: u64,
    query: WindowLatency,
    connect: Histogram,
    window: Window,
    total: Window,
    lines: Vec<Window>,
}

impl Record {
    pub(super) fn refused(&mut self) {
        self.window.refused += 1;
    }

    pub(super) fn opened(&mut self, now: Instant) {
        self.window.opened += 1;
        self.connections.add(now.0, 1);
    }

    pub(super) fn connected(&mut self, took: Duration) {
        self.connect.record(took.0);
    }

    #[inline]
    pub(super) fn started(&mut self, now: Instant) {
        self.running.add(now.0, 1);
    }

    /// A query has ended that came `took` ago.
    #[inline]
    pub(super) fn ended(&mut self, now: Instant, took: Duration, cancelled: bool) {
        self.running.add(now.0, -1);
        self.window.queries += 1;
        self.cancelled += u64::from(cancelled);
        self.query.record(took.0);
    }

    #[inline]
    pub(super) fn cores_in_use(&mut self, now: Instant, cores: f64) {
        self.milli_cores.set(now.0, number::whole((cores * MILLI).round()));
    }

    pub(super) fn close_window(&mut self, now: Instant) {
        let window = &mut self.window;
        window.length_ns = now.since(self.window_began).0;
        (window.connections, window.connections_peak) = self.connections.flush(now.0);
        (window.running, window.running_peak) = self.running.flush(now.0);
        window.milli_cores = self.milli_cores.flush(now.0).0;
        (window.capacity, window.capacity_peak) = self.capacity.flush(now.0);
        self.window_began = now;
        self.total.add(window);
        self.query.close_window();
        self.lines.push(std::mem::take(window));
    }

    /// Forgets what was counted; a window must have been closed just before.
    pub(super) fn reset(&mut self) {
        *self = Self {
            connections: self.connections.carry_over(),
            capacity: self.capacity.carry_over(),
            running: self.running.carry_over(),
            milli_cores: self.milli_cores.carry_over(),
            window_began: self.window_began,
            ..Self::default()
        };
    }

    pub(super) fn observe(
        self,
        spec: &DatabasePlan,
        window: Duration,
        measured: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) {
        let component = spec.component;
        let total = self.total;
        if spec.serverless.is_some() {
            let milli_unit_ms = total.capacity * HALF_UNIT_MILLI / NS_PER_MS;
            meters.add(Meter::AcuMs, u64::try_from(milli_unit_ms).unwrap_or(u64::MAX));
        } else {
            meters.add(Meter::DatabaseMs, measured.millis_ceil());
        }
        meters.add_product(Meter::StorageMbMs, spec.storage_mb, measured.millis_ceil());
        meters.add(Meter::NewConnections, total.opened);
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
        push("queries", Value::Count(total.queries));
        push("refused", Value::Count(total.refused));
        let (part, whole) = (total.refused, total.refused + total.queries);
        push("refused_ratio", Value::Ratio { part, whole });
        push("cancelled", Value::Count(self.cancelled));
        push("connections", mean(total.connections));
        push("connections.peak", Value::Peak(total.connections_peak));
        push("connections.new", Value::Count(total.opened));
        push("running", mean(total.running));
        push("running.peak", Value::Peak(total.running_peak));
        for (metric, gauge) in [("connections", &self.connections), ("running", &self.running)] {
            push(metric, gauge.levels());
        }
        push(
            "cpu",
            Value::Ratio {
                part: fit(total.milli_cores / 1_000),
                whole: number::whole(core_ns(spec, &total)),
            },
        );
        observe_capacity(&total, self.resumes, &mut push);
        push("connect", Value::Latency(Box::new(self.connect)));
        let (query, lines, _) = self.query.finish();
        push("query", Value::Latency(Box::new(query)));
        let mut line = |metric, unit, values: Vec<f64>| {
            series.push(Series {
                component,
                metric,
                unit,
                values,
            });
        };
        let ns = SeriesUnit::Nanoseconds;
        line("query.p50", ns, lines.iter().map(|w| w.seen(w.p50_ns as f64)).collect());
        line("query.p99", ns, lines.iter().map(|w| w.seen(w.p99_ns as f64)).collect());
        observe_windows(&self.lines, spec, window, &mut line);
    }
}

fn observe_capacity(total: &Window, resumes: u64, push: &mut impl FnMut(&'static str, Value)) {
    // The gauge counts halves.
    push(
        "capacity",
        Value::TimeMean {
            area: total.capacity,
            over_ns: 2 * total.length_ns,
        },
    );
    push("capacity.peak", Value::Peak(total.capacity_peak.div_ceil(2)));
    push("resumes", Value::Count(resumes));
}

/// All that the cores could do in a window, in core ns.
fn core_ns(spec: &DatabasePlan, window: &Window) -> f64 {
    let moving = spec.serverless.as_ref();
    let all = moving.map_or(spec.cores * window.length_ns as f64, |moving| {
        moving.cores_per_half * window.capacity as f64
    });
    all.round()
}

fn observe_windows(
    lines: &[Window],
    spec: &DatabasePlan,
    window: Duration,
    line: &mut impl FnMut(&'static str, SeriesUnit, Vec<f64>),
) {
    let seconds = window.as_secs_f64();
    let level = |area: u128, w: &Window| area as f64 / (w.length_ns as f64).max(1.0);
    let mut each = |metric, unit, value: &dyn Fn(&Window) -> f64| {
        line(metric, unit, lines.iter().map(value).collect());
    };
    each("queries", SeriesUnit::PerSecond, &|w| w.queries as f64 / seconds);
    each("refused", SeriesUnit::Count, &|w| w.refused as f64);
    each("connections", SeriesUnit::Level, &|w| level(w.connections, w));
    each("connections.peak", SeriesUnit::Level, &|w| w.connections_peak as f64);
    each("connections.new", SeriesUnit::Count, &|w| w.opened as f64);
    each("running", SeriesUnit::Level, &|w| level(w.running, w));
    each("cpu", SeriesUnit::Ratio, &|w| {
        w.milli_cores as f64 / MILLI / core_ns(spec, w).max(1.0)
    });
    each("capacity", SeriesUnit::Level, &|w| level(w.capacity, w) / 2.0);
}
