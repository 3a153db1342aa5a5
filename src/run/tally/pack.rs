//! The result of a run as bytes.
//!
//! All names first, each once; then totals, metrics, windows, causes, meters, limits, faults and where units of work
//! ended, in the order in which the model reports them; then what its twins counted, the runs without its episodes
//! ([`crate::run::episodes`]). What reads them back is [`super::read`]; both walk the same order.

use super::bytes::Out;
use super::read::Twin;
use super::windows;
use crate::cost::MeterSet;
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::request::flow::FlowResult;
use crate::model::request::hits::{Hits, Limit};
use crate::model::request::lineage::{EndCount, Why};
use crate::model::world::run::RunResult;
use crate::scenario::Target;
use crate::stats::histogram::{PRECISION, index_of};
use crate::stats::levels::Levels;
use crate::stats::{CauseTable, Histogram, SeriesUnit, Value};
use std::collections::BTreeMap;

/// What a value is, in front of it.
pub(super) mod tag {
    pub const COUNT: u8 = 0;
    pub const RATIO: u8 = 1;
    pub const PER_EACH: u8 = 2;
    pub const TIME_MEAN: u8 = 3;
    pub const HALVES: u8 = 4;
    pub const PEAK: u8 = 5;
    pub const LEVELS: u8 = 6;
    pub const LATENCY: u8 = 7;
}

/// The units of series, by their numbers.
pub(super) const UNITS: [SeriesUnit; 5] = [
    SeriesUnit::Nanoseconds,
    SeriesUnit::Count,
    SeriesUnit::PerSecond,
    SeriesUnit::Level,
    SeriesUnit::Ratio,
];

/// The names of metrics, numbered in the order in which they are met.
struct Names<'r> {
    numbers: BTreeMap<&'r str, usize>,
    list: Vec<&'r str>,
}

impl<'r> Names<'r> {
    fn of(result: &'r RunResult) -> Self {
        let mut names = Names {
            numbers: BTreeMap::new(),
            list: Vec::new(),
        };
        let metrics = result.observations.iter().map(|o| o.metric);
        for name in metrics.chain(result.series.iter().map(|line| line.metric)) {
            names.numbers.entry(name).or_insert_with(|| {
                names.list.push(name);
                names.list.len() - 1
            });
        }
        names
    }

    fn number(&self, name: &str) -> usize {
        self.numbers.get(name).copied().unwrap_or(0)
    }
}

/// The bytes of a result whose windows have this length.
pub(super) fn pack(result: &RunResult, window: Duration) -> Vec<u8> {
    let names = Names::of(result);
    let mut out = Out::default();
    out.length(names.list.len());
    names.list.iter().for_each(|name| out.text(name));
    for total in [
        window.0,
        result.measured.0,
        result.requests,
        result.events,
        result.in_flight,
        result.owed,
    ] {
        out.number(total);
    }
    out.length(result.observations.len());
    for observation in &result.observations {
        out.number(u64::from(observation.component));
        out.length(names.number(observation.metric));
        value(&observation.value, &mut out);
    }
    out.length(result.series.len());
    for line in &result.series {
        out.number(u64::from(line.component));
        out.length(names.number(line.metric));
        let unit = UNITS.iter().position(|unit| *unit == line.unit);
        out.length(unit.unwrap_or_default());
        windows::write(&line.values, line.unit, window, &mut out);
    }
    out.length(result.flows.len());
    result.flows.iter().for_each(|flow| causes(flow, &mut out));
    meters(&result.meters, &mut out);
    out.length(result.limits.len());
    result.limits.iter().for_each(|hits| limit(hits, &mut out));
    out.length(result.faults.len());
    for fault in &result.faults {
        out.length(fault.spans.len());
        for (begin, end) in &fault.spans {
            out.number(begin.0);
            out.number(end.since(*begin).0);
        }
        out.number(fault.refused);
        out.number(fault.hung);
    }
    out.length(result.ends.len());
    result.ends.iter().for_each(|count| end(count, &mut out));
    out.0
}

/// What a twin of the run counted: behind everything else.
pub(super) fn twin(twin: &Twin, out: &mut Out) {
    out.number(twin.requests);
    out.number(twin.owed);
    meters(&twin.meters, out);
}

fn meters(all: &[MeterSet], out: &mut Out) {
    out.length(all.len());
    for meters in all {
        out.length(meters.iter().count());
        for (meter, quanta) in meters.iter() {
            out.byte(meter as u8);
            out.wide(quanta);
        }
    }
}

fn value(value: &Value, out: &mut Out) {
    let mut put = |tag: u8, numbers: &[u128]| {
        out.byte(tag);
        for number in numbers {
            out.wide(*number);
        }
    };
    match value {
        Value::Count(n) => put(tag::COUNT, &[u128::from(*n)]),
        Value::Ratio { part, whole } => put(tag::RATIO, &[u128::from(*part), u128::from(*whole)]),
        Value::PerEach { sum, count } => put(tag::PER_EACH, &[u128::from(*sum), u128::from(*count)]),
        Value::TimeMean { area, over_ns } => put(tag::TIME_MEAN, &[*area, u128::from(*over_ns)]),
        Value::Halves(n) => put(tag::HALVES, &[u128::from(*n)]),
        Value::Peak(n) => put(tag::PEAK, &[u128::from(*n)]),
        Value::Levels(levels) => {
            put(tag::LEVELS, &[]);
            time_by_level(levels, out);
        }
        Value::Latency(histogram) => {
            put(tag::LATENCY, &[]);
            latency(histogram, out);
        }
    }
}

/// Numbers that ascend, each with another: the first ones as distances from the one before.
fn ascending(pairs: impl Iterator<Item = (u32, u64)> + Clone, out: &mut Out) {
    out.length(pairs.clone().count());
    let mut next = 0;
    for (number, count) in pairs {
        out.number(u64::from(number - next));
        out.number(count);
        next = number + 1;
    }
}

fn latency(histogram: &Histogram, out: &mut Out) {
    let bucket = |(low, _, count)| (fit(index_of::<PRECISION>(low)), count);
    let buckets: Vec<(u32, u64)> = histogram.buckets().map(bucket).collect();
    ascending(buckets.iter().copied(), out);
    if !histogram.is_empty() {
        out.wide(histogram.sum());
        out.number(histogram.min());
        out.number(histogram.max() - histogram.min());
    }
}

fn time_by_level(levels: &Levels, out: &mut Out) {
    let places: Vec<(u32, u64)> = levels.places().collect();
    ascending(places.iter().copied(), out);
    let (top, area) = levels.beyond_exact();
    out.number(top);
    if top > 0 {
        out.wide(area);
    }
}

fn causes(flow: &FlowResult, out: &mut Out) {
    out.number(u64::from(flow.component));
    let table = flow.causes.table();
    out.length(table.causes());
    out.length(table.rows().count());
    let mut next = 0;
    for (low, _, count, sums_ns) in table.rows() {
        let bucket = CauseTable::bucket_of(low);
        out.number(u64::from(bucket - next));
        out.number(count);
        for sum in sums_ns {
            out.wide(*sum);
        }
        next = bucket + 1;
    }
}

fn target(target: Target, out: &mut Out) {
    out.byte(target.kind);
    out.number(u64::from(target.index));
}

fn some_target(some: Option<Target>, out: &mut Out) {
    out.byte(u8::from(some.is_some()));
    if let Some(there) = some {
        target(there, out);
    }
}

fn end(count: &EndCount, out: &mut Out) {
    out.number(u64::from(count.source));
    out.byte(count.end.state as u8);
    out.number(u64::from(count.end.place));
    let why = Why::all().position(|why| why == count.end.why);
    out.length(why.unwrap_or_default());
    out.number(count.units);
    out.number(count.partly);
}

fn limit(hits: &Hits, out: &mut Out) {
    let number = Limit::ALL.iter().position(|limit| *limit == hits.hit.limit);
    out.length(number.unwrap_or_default());
    target(hits.hit.of, out);
    some_target(hits.hit.by, out);
    some_target(hits.hit.held_by, out);
    out.number(hits.count);
    out.number(hits.first.0);
    out.wide(hits.held);
    ascending(hits.windows.iter().copied(), out);
}
