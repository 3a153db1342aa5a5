//! What is counted about a function, and what it is billed for.

use super::instance::Levels;
use super::plan::FunctionPlan;
use super::provisioned::ProvisionedLevels;
use super::scaled::plan::Billing;
use crate::cost::{Meter, MeterSet};
use crate::kernel::number::{fit, whole};
use crate::kernel::{Duration, Instant};
use crate::model::request::entry::{Request, Status};
use crate::stats::{Histogram, Observation, Series, SeriesUnit, Value};

/// Which limit refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Throttle {
    /// Concurrency: the account's pool, the function's reserved part, or its number of instances.
    Concurrency,
    /// Requests a second.
    Rate,
    /// New instances a second.
    Scaling,
    /// It waited for a slot or an instance as long as it may.
    Pending,
}

/// Work that is billed, in ms.
#[derive(Clone, Copy, Debug, Default)]
struct Billed {
    compute: u64,
    init: u64,
    provisioned: u64,
}

#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) offered: u64,
    /// Requests that were not served because nobody waited for them any more.
    pub(super) dropped: u64,
    throttles: [u64; 4],
    on_provisioned: u64,
    cold: u64,
    /// Those of the invocations that ended which had waited for a cold start.
    invocations_cold: u64,
    failed: u64,
    timed_out: u64,
    duration: Histogram,
    /// Invocations that ended before the current window.
    before: u64,
    cold_start: Histogram,
    init: Histogram,
    billed_ms: Billed,
    cpu_ns: u128,
    total: Levels,
    provisioned: ProvisionedLevels,
    /// Waiting requests x ns, and the most at once.
    pending: (u128, u64),
    window: Window,
    lines: Vec<Line>,
    /// Provisioned instances in each window, and those of them that served; only of those who may have some.
    provisioned_lines: Vec<[f64; 2]>,
}

/// What is counted in a window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    cold: u64,
    throttled: u64,
}

/// What a window comes to: there may be very many.
#[derive(Clone, Copy, Debug)]
struct Line {
    invocations: f64,
    cold: f64,
    throttled: f64,
    instances: f64,
    busy: f64,
    idle: f64,
    starting: f64,
}

impl Record {
    /// Nothing yet, with room for so many windows.
    pub(super) fn with_room(windows: usize) -> Self {
        Self {
            lines: Vec::with_capacity(windows),
            ..Self::default()
        }
    }

    #[inline]
    pub(super) fn throttled(&mut self, why: Throttle) {
        self.throttles[why as usize] += 1;
        self.window.throttled += 1;
    }

    pub(super) fn cold_started(&mut self, total: Duration, init: Duration) {
        self.cold += 1;
        self.window.cold += 1;
        self.cold_start.record(total.0);
        self.init.record(init.0);
    }

    /// An invocation has ended: its handler ran from `frame.started` to `now`.
    #[inline(always)]
    pub(super) fn finished(&mut self, spec: &FunctionPlan, entry: &Request, now: Instant, status: Status) {
        let duration = now.since(entry.frame.started);
        self.duration.record(duration.0);
        self.cpu_ns += u128::from(entry.frame.cpu.0);
        let billed = spec.billed_ms(duration);
        if entry.frame.provisioned {
            self.on_provisioned += 1;
            self.billed_ms.provisioned += billed;
        } else {
            self.billed_ms.compute += billed;
        }
        if entry.frame.cold || !status.is_ok() {
            self.finished_oddly(spec, entry, duration, status);
        }
    }

    /// What there is to say of an invocation that began with a cold start or did not end well.
    #[inline(never)]
    fn finished_oddly(&mut self, spec: &FunctionPlan, entry: &Request, duration: Duration, status: Status) {
        self.failed += u64::from(!status.is_ok());
        self.timed_out += u64::from(status == Status::TimedOut);
        self.invocations_cold += u64::from(entry.frame.cold);
        if entry.frame.cold && spec.init_billed && !entry.frame.provisioned {
            self.billed_ms.init += spec.billed_ms(duration + entry.frame.prelude) - spec.billed_ms(duration);
        }
    }

    /// Invocations that ended.
    const fn invocations(&self) -> u64 {
        self.duration.count()
    }

    pub(super) fn close_window(&mut self, levels: Levels, provisioned: Option<ProvisionedLevels>) {
        let level = |area: u128| area as f64 / (levels.length_ns as f64).max(1.0);
        if let Some(provisioned) = provisioned {
            self.provisioned.allocated += provisioned.allocated;
            self.provisioned.busy += provisioned.busy;
            self.provisioned_lines
                .push([level(provisioned.allocated), level(provisioned.busy)]);
        }
        self.total.length_ns += levels.length_ns;
        self.total.alive += levels.alive;
        self.total.initialising += levels.initialising;
        self.total.busy += levels.busy;
        self.total.alive_peak = self.total.alive_peak.max(levels.alive_peak);
        self.total.busy_peak = self.total.busy_peak.max(levels.busy_peak);
        let ended = self.invocations();
        self.lines.push(Line {
            invocations: (ended - self.before) as f64,
            cold: self.window.cold as f64,
            throttled: self.window.throttled as f64,
            instances: level(levels.alive),
            busy: level(levels.busy),
            idle: level(levels.alive.saturating_sub(levels.busy + levels.initialising)),
            starting: level(levels.initialising),
        });
        self.window = Window::default();
        self.before = ended;
    }

    /// Requests waited for slots in a window: so many x ns, and so many at most.
    pub(super) fn pending(&mut self, area: u128, most: u64) {
        self.pending.0 += area;
        self.pending.1 = self.pending.1.max(most);
    }

    pub(super) fn reset(&mut self) {
        *self = Self::with_room(self.lines.capacity());
    }

    pub(super) fn observe(
        self,
        spec: &FunctionPlan,
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
        push("offered", Value::Count(self.offered));
        let invocations = self.invocations();
        push("invocations", Value::Count(invocations));
        push("cold_starts", Value::Count(self.cold));
        // Of those that ended: a cold start whose invocation still runs would count in one place only.
        push("cold_ratio", share(self.invocations_cold, invocations));
        push(
            "throttled_concurrency",
            Value::Count(self.throttles[Throttle::Concurrency as usize]),
        );
        push("throttled_rate", Value::Count(self.throttles[Throttle::Rate as usize]));
        push(
            "throttled_scaling",
            Value::Count(self.throttles[Throttle::Scaling as usize]),
        );
        if spec.program.heeds_deadlines {
            push("dropped_expired", Value::Count(self.dropped));
        }
        if spec.platform.scaled.is_some() {
            push(
                "throttled_pending",
                Value::Count(self.throttles[Throttle::Pending as usize]),
            );
            push("pending", mean(self.pending.0));
            push("pending.peak", Value::Peak(self.pending.1));
        }
        let throttled = self.throttles.iter().sum();
        push("throttle_ratio", share(throttled, self.offered));
        push("failed", Value::Count(self.failed));
        push("timed_out", Value::Count(self.timed_out));
        push("instances", mean(self.total.alive));
        push("instances.busy", mean(self.total.busy));
        push("instances.starting", mean(self.total.initialising));
        push("instances.peak", Value::Peak(self.total.alive_peak));
        push("instances.busy_peak", Value::Peak(self.total.busy_peak));
        if spec.provisioned.is_some() {
            push("provisioned", mean(self.provisioned.allocated));
            push("provisioned.busy", mean(self.provisioned.busy));
            let spilled = invocations - self.on_provisioned;
            push("spill_ratio", share(spilled, invocations));
        }
        push("duration", Value::Latency(Box::new(self.duration)));
        push("cold_start", Value::Latency(Box::new(self.cold_start)));
        push("init", Value::Latency(Box::new(self.init)));
        observe_windows(&self.lines, &self.provisioned_lines, component, window, series);
    }

    fn meter(&self, spec: &FunctionPlan, meters: &mut MeterSet) {
        let invocations = self.invocations();
        meters.add(Meter::Requests, invocations);
        meters.add(Meter::LogBytes, invocations * spec.log_bytes);
        let measured = Duration(self.total.length_ns);
        spec.transfer.meter(invocations, measured, meters);
        let provisioned_ms = fit(self.provisioned.allocated / 1_000_000);
        meters.add_product(Meter::ProvisionedMbMs, spec.memory_mb, provisioned_ms);
        meters.add_product(
            Meter::ProvisionedComputeMbMs,
            spec.memory_mb,
            self.billed_ms.provisioned,
        );
        meters.add(Meter::CpuUs, fit(self.cpu_ns / 1_000));
        match spec.platform.billing {
            Billing::Invocation => self.meter_invocations(spec, meters),
            Billing::Request => self.meter_requests(spec, meters),
            Billing::Instance => self.meter_instances(spec, meters),
        }
        if spec.platform.snapshot {
            meters.add_product(Meter::SnapRestoreMb, spec.memory_mb, self.cold);
            let ms = self.total.length_ns / 1_000_000;
            meters.add_product(Meter::SnapCacheMbMs, spec.memory_mb, ms);
        }
    }

    fn meter_invocations(&self, spec: &FunctionPlan, meters: &mut MeterSet) {
        let memory_mb = spec.platform.billed_memory_mb.unwrap_or(spec.memory_mb);
        meters.add_product(Meter::ComputeMbMs, memory_mb, self.billed_ms.compute);
        meters.add_product(Meter::InitMbMs, memory_mb, self.billed_ms.init);
        let all_ms = self.billed_ms.compute + self.billed_ms.init + self.billed_ms.provisioned;
        meters.add_product(Meter::EphemeralMbMs, spec.ephemeral_mb, all_ms);
    }

    /// Instances while they serve or start; those of the minimum that do not, apart; and the same without the minimum,
    /// which some platforms bill at another price.
    fn meter_requests(&self, spec: &FunctionPlan, meters: &mut MeterSet) {
        let vcpu_milli = whole((spec.vcpus * 1000.0).round());
        let boost = whole((vcpu_milli as f64 * spec.platform.startup_boost.max(1.0)).round());
        let (busy, starting) = (whole_ms(self.total.busy), whole_ms(self.total.initialising));
        meters.add_product(Meter::ActiveVcpuMs, vcpu_milli, busy);
        meters.add_product(Meter::ActiveVcpuMs, boost, starting);
        meters.add_product(Meter::ActiveMemoryMbMs, spec.memory_mb, busy + starting);
        let idle = self.provisioned.allocated.saturating_sub(self.provisioned.busy);
        let beyond = self.total.busy.saturating_sub(self.provisioned.busy);
        if spec.platform.scaled.is_some() {
            meters.add_product(Meter::VcpuMs, vcpu_milli, whole_ms(idle));
            meters.add_product(Meter::MemoryMbMs, spec.memory_mb, whole_ms(idle));
            let minimum_ms = whole_ms(self.provisioned.busy);
            meters.add_product(Meter::ProvisionedComputeMbMs, spec.memory_mb, minimum_ms);
        }
        meters.add_product(Meter::ComputeMbMs, spec.memory_mb, whole_ms(beyond));
    }

    fn meter_instances(&self, spec: &FunctionPlan, meters: &mut MeterSet) {
        let alive_ms = whole_ms(self.total.alive);
        let vcpu_milli = whole((spec.vcpus * 1000.0).round());
        meters.add_product(Meter::VcpuMs, vcpu_milli, alive_ms);
        meters.add_product(Meter::MemoryMbMs, spec.memory_mb, alive_ms);
        if let Some(vcpus) = spec.platform.machine_vcpus {
            let machines_ms = alive_ms as f64 * spec.vcpus / vcpus;
            meters.add(Meter::InstanceMs, whole(machines_ms.round()));
        }
    }
}

fn whole_ms(area_ns: u128) -> u64 {
    fit(area_ns / 1_000_000)
}

fn observe_windows(
    lines: &[Line],
    provisioned: &[[f64; 2]],
    component: u32,
    window: Duration,
    series: &mut Vec<Series>,
) {
    let seconds = window.as_secs_f64();
    let mut push = |metric, unit, values| {
        series.push(Series {
            component,
            metric,
            unit,
            values,
        });
    };
    let each = |value: fn(&Line) -> f64| lines.iter().map(value).collect::<Vec<f64>>();
    let mut invocations = each(|w| w.invocations);
    for count in &mut invocations {
        *count /= seconds;
    }
    push("invocations", SeriesUnit::PerSecond, invocations);
    push("cold_starts", SeriesUnit::Count, each(|w| w.cold));
    push("throttled", SeriesUnit::Count, each(|w| w.throttled));
    push("instances", SeriesUnit::Level, each(|w| w.instances));
    push("instances.busy", SeriesUnit::Level, each(|w| w.busy));
    push("instances.idle", SeriesUnit::Level, each(|w| w.idle));
    push("instances.starting", SeriesUnit::Level, each(|w| w.starting));
    if provisioned.iter().any(|levels| levels[0] > 0.0) {
        let levels = |which: usize| provisioned.iter().map(move |levels| levels[which]).collect();
        push("provisioned", SeriesUnit::Level, levels(0));
        push("provisioned.busy", SeriesUnit::Level, levels(1));
    }
}
