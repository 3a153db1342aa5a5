//! What is counted about a store, and what it is billed for.

use super::capacity::{Mode, SIDES};
use super::fields::StorePlan;
use crate::cost::{Meter, MeterSet};
use crate::kernel::{Duration, Instant};
use crate::stats::{Gauge, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats};

/// What is counted per window. Pairs are reads and writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) done: [u64; SIDES],
    /// Refused for lack of capacity of the whole, of a partition.
    pub(super) throttled_table: u64,
    pub(super) throttled_partition: u64,
    /// Refused by a full queue.
    pub(super) rejected: u64,
    /// Refused for lack of a connection.
    pub(super) refused: u64,
    pub(super) failed: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) half_units: [u64; SIDES],
    /// Thread time of what was done (of what arrived, as long as the window is open), and waiting time of what arrived.
    pub(super) work_ns: u128,
    pub(super) wait_ns: u128,
    pub(super) waiting_peak: u64,
    length_ns: u64,
    capacity: [u128; SIDES],
    connections: u128,
    connections_peak: u64,
    partitions: u64,
}

impl Window {
    fn add(&mut self, other: &Self) {
        for side in 0..SIDES {
            self.done[side] += other.done[side];
            self.half_units[side] += other.half_units[side];
            self.capacity[side] += other.capacity[side];
        }
        self.throttled_table += other.throttled_table;
        self.throttled_partition += other.throttled_partition;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.failed += other.failed;
        self.hits += other.hits;
        self.misses += other.misses;
        self.work_ns += other.work_ns;
        self.wait_ns += other.wait_ns;
        self.waiting_peak = self.waiting_peak.max(other.waiting_peak);
        self.length_ns += other.length_ns;
        self.connections += other.connections;
        self.connections_peak = self.connections_peak.max(other.connections_peak);
        self.partitions = self.partitions.max(other.partitions);
    }

    fn operations(&self) -> u64 {
        self.done[0] + self.done[1]
    }

    fn throttled(&self) -> u64 {
        self.throttled_table + self.throttled_partition
    }
}

/// The record of one store. The levels live here, too, and outlive a reset.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) window: Window,
    /// Provisioned or on-demand capacity, in units a second.
    pub(super) capacity: [Gauge; SIDES],
    pub(super) connections: Gauge,
    /// Partitions that there are.
    pub(super) partitions: u64,
    latency: WindowLatency,
    window_began: Instant,
    /// Work that threads had taken on and not done when the window began.
    backlog_ns: u128,
    total: Window,
    lines: Vec<Window>,
}

impl Record {
    /// An operation has ended that came `took` ago.
    #[inline]
    pub(super) fn ended(&mut self, side: usize, took: Duration) {
        self.window.done[side] += 1;
        self.latency.record(took.0);
    }

    /// Ends a window; threads have taken on so much work that they have not done.
    pub(super) fn close_window(&mut self, backlog_ns: u128, now: Instant) {
        let window = &mut self.window;
        // What was done is what was taken on, without what is left.
        window.work_ns = (window.work_ns + self.backlog_ns).saturating_sub(backlog_ns);
        self.backlog_ns = backlog_ns;
        window.length_ns = now.since(self.window_began).0;
        for (area, gauge) in window.capacity.iter_mut().zip(&mut self.capacity) {
            *area = gauge.flush(now.0).0;
        }
        (window.connections, window.connections_peak) = self.connections.flush(now.0);
        window.partitions = self.partitions;
        self.window_began = now;
        self.total.add(window);
        self.latency.close_window();
        self.lines.push(std::mem::take(window));
    }

    /// Forgets what was counted; a window must have been closed just before.
    pub(super) fn reset(&mut self) {
        *self = Self {
            capacity: std::mem::take(&mut self.capacity),
            connections: self.connections.carry_over(),
            partitions: self.partitions,
            window_began: self.window_began,
            backlog_ns: self.backlog_ns,
            ..Self::default()
        };
    }

    pub(super) fn observe(
        self,
        spec: &StorePlan,
        window: Duration,
        measured: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) {
        let component = spec.component;
        bill(spec, &self.total, measured, meters);
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        observe_whole(spec, &self.total, &self.connections, &mut push);
        let (latency, lines, worst) = self.latency.finish();
        push("latency", Value::Latency(Box::new(latency)));
        push("latency.p99.worst_window", Value::Latency(Box::new(worst)));
        let mut line = |metric, unit, values: Vec<f64>| {
            series.push(Series {
                component,
                metric,
                unit,
                values,
            });
        };
        let ns = SeriesUnit::Nanoseconds;
        line("latency.p50", ns, WindowStats::line(&lines, |w| w.p50_ns));
        line("latency.p99", ns, WindowStats::line(&lines, |w| w.p99_ns));
        observe_windows(&self.lines, window, &mut line);
        if spec.nodes.threads.is_some() {
            let each = self.lines.iter().map(|w| level(w.wait_ns, w));
            line("waiting", SeriesUnit::Level, each.collect());
        }
    }
}

/// Nodes are billed by the hour; else provisioned capacity is; else what was read and written.
fn bill(spec: &StorePlan, total: &Window, measured: Duration, meters: &mut MeterSet) {
    meters.add_product(Meter::StorageMbMs, spec.storage_mb, measured.millis_ceil());
    if spec.nodes_billed {
        meters.add_product(Meter::InstanceMs, spec.nodes.count, measured.millis_ceil());
    } else if spec.capacity.mode == Mode::Provisioned {
        let ms = |area: u128| u64::try_from(area / 1_000_000).unwrap_or(u64::MAX);
        meters.add(Meter::ReadCapacityMs, ms(total.capacity[0]));
        meters.add(Meter::WriteCapacityMs, ms(total.capacity[1]));
    } else {
        meters.add(Meter::ReadUnits, total.half_units[0].div_ceil(2));
        meters.add(Meter::WriteUnits, total.half_units[1].div_ceil(2));
    }
}

fn observe_whole(spec: &StorePlan, total: &Window, connections: &Gauge, push: &mut impl FnMut(&'static str, Value)) {
    let mean = |area| Value::TimeMean {
        area,
        over_ns: total.length_ns,
    };
    push("operations", Value::Count(total.operations()));
    push("reads", Value::Count(total.done[0]));
    push("writes", Value::Count(total.done[1]));
    push("read_units", Value::Halves(total.half_units[0]));
    push("write_units", Value::Halves(total.half_units[1]));
    push("throttled", Value::Count(total.throttled()));
    push("throttled_table", Value::Count(total.throttled_table));
    push("throttled_partition", Value::Count(total.throttled_partition));
    push(
        "throttle_ratio",
        Value::Ratio {
            part: total.throttled(),
            whole: total.operations() + total.throttled() + total.rejected + total.refused,
        },
    );
    push("rejected", Value::Count(total.rejected));
    push("refused", Value::Count(total.refused));
    push("failed", Value::Count(total.failed));
    push(
        "hit_ratio",
        Value::Ratio {
            part: total.hits,
            whole: total.hits + total.misses,
        },
    );
    push("read_capacity", mean(total.capacity[0]));
    push("write_capacity", mean(total.capacity[1]));
    push("partitions", Value::Peak(total.partitions));
    let threads = spec.nodes.threads.unwrap_or(0) * spec.nodes.count;
    push(
        "utilisation",
        Value::Ratio {
            part: u64::try_from(total.work_ns).unwrap_or(u64::MAX),
            whole: threads * total.length_ns,
        },
    );
    push("waiting", mean(total.wait_ns));
    push("waiting.peak", Value::Peak(total.waiting_peak));
    push("connections", mean(total.connections));
    push("connections.peak", Value::Peak(total.connections_peak));
    push("connections", connections.levels());
}

/// A time that adds up over a window, by its length.
fn level(area: u128, w: &Window) -> f64 {
    area as f64 / (w.length_ns as f64).max(1.0)
}

fn observe_windows(lines: &[Window], window: Duration, line: &mut impl FnMut(&'static str, SeriesUnit, Vec<f64>)) {
    let seconds = window.as_secs_f64();
    let mut each = |metric, unit, value: &dyn Fn(&Window) -> f64| {
        line(metric, unit, lines.iter().map(value).collect());
    };
    each("operations", SeriesUnit::PerSecond, &|w| {
        w.operations() as f64 / seconds
    });
    each("throttled", SeriesUnit::Count, &|w| w.throttled() as f64);
    each("rejected", SeriesUnit::Count, &|w| w.rejected as f64);
    each("read_units", SeriesUnit::PerSecond, &|w| {
        w.half_units[0] as f64 / 2.0 / seconds
    });
    each("write_units", SeriesUnit::PerSecond, &|w| {
        w.half_units[1] as f64 / 2.0 / seconds
    });
    each("read_capacity", SeriesUnit::Level, &|w| level(w.capacity[0], w));
    each("write_capacity", SeriesUnit::Level, &|w| level(w.capacity[1], w));
    each("partitions", SeriesUnit::Level, &|w| w.partitions as f64);
    each("hit_ratio", SeriesUnit::Ratio, &|w| match w.hits + w.misses {
        0 => f64::NAN,
        all => w.hits as f64 / all as f64,
    });
    each("connections", SeriesUnit::Level, &|w| level(w.connections, w));
}
