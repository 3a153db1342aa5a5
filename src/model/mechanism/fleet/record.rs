//! What is counted about a fleet, and what it is billed for.

use super::plan::{Billing, FleetPlan};
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::{fit, whole_u128};
use crate::kernel::{Duration, Instant};
use crate::model::request::baggage::Criticality;
use crate::stats::{Gauge, Histogram, Observation, Series, SeriesUnit, Value};

/// A level integrated over time without ever starting anew, so that several readers can each take their differences.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Integral {
    level: u64,
    area: u128,
    since_ns: u64,
}

impl Integral {
    /// From `now` on the level is higher by `delta`.
    #[inline]
    pub(super) fn add(&mut self, now: Instant, delta: i64) {
        self.area = self.area(now);
        self.since_ns = now.0;
        let level = self.level.checked_add_signed(delta);
        debug_assert!(level.is_some(), "level {} cannot change by {delta}", self.level);
        self.level = level.unwrap_or(0);
    }

    /// Level x ns since the start of the run.
    #[inline]
    pub(super) fn area(&self, now: Instant) -> u128 {
        self.area + u128::from(self.level) * u128::from(now.0 - self.since_ns)
    }
}

/// What there is of everything now, and how much there was over time.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// Instances that are billed: booting, in service, draining.
    pub(super) instances: Gauge,
    /// Requests with a slot.
    pub(super) busy: Gauge,
    /// Requests that wait for one.
    pub(super) queued: Gauge,
    /// Instances that can work: in service or draining.
    pub(super) running: Integral,
    /// Thousandths of a virtual CPU that compute.
    pub(super) cores: Integral,
}

/// Levels over a window, or over several added up.
#[derive(Clone, Copy, Debug, Default)]
struct Areas {
    length_ns: u64,
    instances: u128,
    instances_peak: u64,
    running: u128,
    busy: u128,
    busy_peak: u64,
    queued: u128,
    queued_peak: u64,
    cores: u128,
}

impl Areas {
    fn merge(&mut self, other: &Self) {
        self.length_ns += other.length_ns;
        self.instances += other.instances;
        self.instances_peak = self.instances_peak.max(other.instances_peak);
        self.running += other.running;
        self.busy += other.busy;
        self.busy_peak = self.busy_peak.max(other.busy_peak);
        self.queued += other.queued;
        self.queued_peak = self.queued_peak.max(other.queued_peak);
        self.cores += other.cores;
    }
}

/// What is counted per window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    requests: u64,
    refused: u64,
    areas: Areas,
}

#[derive(Debug, Default)]
pub(super) struct Record {
    requests: u64,
    refused: u64,
    shed: [u64; 3],
    dropped: u64,
    served: u64,
    failed: u64,
    launched: u64,
    /// Time that is billed although the instance was gone.
    unused_ns: u64,
    service: Histogram,
    /// From reaching the fleet to the answer.
    response: Histogram,
    wait: Histogram,
    total: Areas,
    window: Window,
    lines: Vec<Window>,
    began: Instant,
    /// Areas of the two integrals when the window began.
    running_before: u128,
    cores_before: u128,
}

impl Record {
    #[inline]
    pub(super) fn arrived(&mut self) {
        self.requests += 1;
        self.window.requests += 1;
    }

    #[cold]
    pub(super) fn refused(&mut self) {
        self.refused += 1;
        self.window.refused += 1;
    }

    /// A request of this class was refused to shed load; it is counted among the refused, too.
    #[cold]
    pub(super) fn shed(&mut self, criticality: Criticality) {
        self.shed[criticality as usize] += 1;
    }

    /// A request was not served because nobody waited for it any more.
    #[cold]
    pub(super) fn dropped(&mut self) {
        self.dropped += 1;
    }

    #[inline]
    pub(super) fn started(&mut self, wait: Duration) {
        self.wait.record(wait.0);
    }

    #[inline]
    pub(super) fn finished(&mut self, wait: Duration, service: Duration, ok: bool) {
        self.served += 1;
        self.failed += u64::from(!ok);
        self.service.record(service.0);
        self.response.record((wait + service).0);
    }

    pub(super) fn launched(&mut self) {
        self.launched += 1;
    }

    /// An instance is gone that lived for `age`.
    pub(super) fn gone(&mut self, spec: &FleetPlan, age: Duration) {
        self.unused_ns += (spec.billing_minimum - age).0;
    }

    pub(super) fn close_window(&mut self, levels: &mut Levels, now: Instant) {
        let (instances, instances_peak) = levels.instances.flush(now.0);
        let (busy, busy_peak) = levels.busy.flush(now.0);
        let (queued, queued_peak) = levels.queued.flush(now.0);
        let (running, cores) = (levels.running.area(now), levels.cores.area(now));
        self.window.areas = Areas {
            length_ns: now.since(self.began).0,
            instances,
            instances_peak,
            running: running - self.running_before,
            busy,
            busy_peak,
            queued,
            queued_peak,
            cores: cores - self.cores_before,
        };
        (self.began, self.running_before, self.cores_before) = (now, running, cores);
        self.total.merge(&self.window.areas);
        self.lines.push(self.window);
        self.window = Window::default();
    }

    /// Forgets everything but where the next window begins.
    pub(super) fn reset(&mut self) {
        *self = Self {
            began: self.began,
            running_before: self.running_before,
            cores_before: self.cores_before,
            ..Self::default()
        };
    }

    pub(super) fn observe(
        self,
        spec: &FleetPlan,
        window: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut MeterSet,
    ) {
        self.meter(spec, meters);
        let component = spec.component;
        let over_ns = self.total.length_ns;
        let mut push = |metric, value| {
            out.push(Observation {
                component,
                metric,
                value,
            });
        };
        let mean = |area| Value::TimeMean { area, over_ns };
        let share = |part, whole| Value::Ratio { part, whole };
        push("requests", Value::Count(self.requests));
        push("refused", Value::Count(self.refused));
        push("refused_ratio", share(self.refused, self.requests));
        if spec.shedding.is_some() {
            push("shed", Value::Count(self.shed.iter().sum()));
            push("shed.critical", Value::Count(self.shed[Criticality::Critical as usize]));
            push(
                "shed.sheddable",
                Value::Count(self.shed[Criticality::Sheddable as usize]),
            );
        }
        if spec.program.heeds_deadlines {
            push("dropped_expired", Value::Count(self.dropped));
        }
        push("served", Value::Count(self.served));
        push("failed", Value::Count(self.failed));
        push("instances", mean(self.total.instances));
        push("instances.peak", Value::Peak(self.total.instances_peak));
        push("instances.running", mean(self.total.running));
        push("launches", Value::Count(self.launched));
        push("slots.busy", mean(self.total.busy));
        push("slots.busy_peak", Value::Peak(self.total.busy_peak));
        push("queue", mean(self.total.queued));
        push("queue.peak", Value::Peak(self.total.queued_peak));
        // In thousandths of a virtual CPU times microseconds, of which 64 bits hold centuries of a large fleet.
        let busy = fit(self.total.cores / 1_000);
        let all = fit(self.total.running * u128::from(spec.vcpu_milli()) / 1_000);
        push("cpu_utilisation", share(busy, all));
        push("response_time", Value::Latency(Box::new(self.response)));
        push("service_time", Value::Latency(Box::new(self.service)));
        push("queue_wait", Value::Latency(Box::new(self.wait)));
        observe_windows(&self.lines, spec, window, series);
    }

    fn meter(&self, spec: &FleetPlan, meters: &mut MeterSet) {
        let ms = fit((self.total.instances + u128::from(self.unused_ns)) / 1_000_000);
        match spec.billing {
            Billing::Instance => meters.add(Meter::InstanceMs, ms),
            Billing::Task => {
                meters.add_product(Meter::VcpuMs, spec.vcpu_milli(), ms);
                meters.add_product(Meter::MemoryMbMs, spec.memory_mb, ms);
            }
        }
        meters.add_product(Meter::StorageMbMs, spec.disk_mb, ms);
        meters.add(Meter::LogBytes, self.served * spec.log_bytes);
        let measured = Duration(self.total.length_ns);
        spec.transfer.meter(self.served, measured, meters);
        if spec.public_ipv4 {
            meters.add(Meter::PublicIpv4Ms, ms);
        }
        if let Some(baseline) = spec.baseline {
            // Credits are earned whenever the machine runs and last for a day, so only the balance of the whole counts.
            let earned = whole_u128(baseline * spec.vcpu_milli() as f64 * self.total.running as f64);
            let surplus = self.total.cores.saturating_sub(earned) / 1_000_000;
            meters.add(Meter::SurplusVcpuMs, fit(surplus));
        }
    }
}

fn observe_windows(lines: &[Window], spec: &FleetPlan, window: Duration, series: &mut Vec<Series>) {
    let seconds = window.as_secs_f64();
    let level = |area: u128, window: &Window| area as f64 / (window.areas.length_ns as f64).max(1.0);
    let mut line = |metric, unit, value: &dyn Fn(&Window) -> f64| {
        series.push(Series {
            component: spec.component,
            metric,
            unit,
            values: lines.iter().map(value).collect(),
        });
    };
    line("requests", SeriesUnit::PerSecond, &|w| w.requests as f64 / seconds);
    line("refused", SeriesUnit::Count, &|w| w.refused as f64);
    line("instances", SeriesUnit::Level, &|w| level(w.areas.instances, w));
    line("instances.running", SeriesUnit::Level, &|w| level(w.areas.running, w));
    line("slots.busy", SeriesUnit::Level, &|w| level(w.areas.busy, w));
    line("queue", SeriesUnit::Level, &|w| level(w.areas.queued, w));
    let vcpu_milli = spec.vcpu_milli() as f64;
    line("cpu_utilisation", SeriesUnit::Ratio, &|w| {
        w.areas.cores as f64 / (w.areas.running as f64 * vcpu_milli).max(1.0)
    });
}
