//! The table of limits that were run into, and the faults of a cell: replications added up, numbers to names.

use super::figures::{self, estimate, estimate_count};
use super::summary::{FaultSummary, LimitHit, Metric, name};
use super::tally::Packed;
use crate::kernel::number::place;
use crate::kernel::{Duration, Instant};
use crate::model::request::fault::FaultResult;
use crate::model::request::fault::{Effect, FaultPlan, Quota};
use crate::model::request::hits::{Hit, Hits, Limit};
use crate::model::{KINDS, Plan, kind};
use crate::scenario::Target;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The name of the metric that counts a limit's hits.
pub fn metric_name(limit: Limit) -> String {
    format!("{}{}", name::LIMITS, limit.name())
}

/// What one row adds up to over the replications.
struct Row {
    counts: Vec<u64>,
    first: Instant,
    held: u128,
    windows: BTreeMap<u32, u64>,
    with_hits: u64,
}

/// One row for each limit, whose it is, who ran into it and who had most of it; most hits first.
pub fn table(plan: &Plan, results: &[&Packed]) -> Vec<LimitHit> {
    let mut rows: BTreeMap<Hit, Row> = BTreeMap::new();
    for (run, result) in results.iter().enumerate() {
        for hits in result.limits() {
            let row = rows.entry(hits.hit).or_insert_with(|| Row {
                counts: vec![0; results.len()],
                first: hits.first,
                held: 0,
                windows: BTreeMap::new(),
                with_hits: 0,
            });
            row.counts[run] = hits.count;
            row.first = row.first.min(hits.first);
            row.held += hits.held;
            row.with_hits += hits.windows.len() as u64;
            for (window, count) in hits.windows {
                *row.windows.entry(window).or_default() += count;
            }
        }
    }
    let measured = results.first().map_or(Duration::ZERO, |result| result.measured());
    let windows = place(measured.0 / plan.window.0) * results.len();
    let mut table: Vec<LimitHit> = rows
        .into_iter()
        .map(|(hit, row)| line(plan, &hit, &row, windows))
        .collect();
    table.sort_by(|a, b| b.hits.mean.total_cmp(&a.hits.mean));
    table
}

fn line(plan: &Plan, hit: &Hit, row: &Row, windows: usize) -> LimitHit {
    let runs = row.counts.len() as f64;
    let worst = row
        .windows
        .iter()
        .max_by_key(|(window, count)| (**count, std::cmp::Reverse(**window)));
    let total = row.counts.iter().sum::<u64>() as f64;
    LimitHit {
        limit: hit.limit.name().to_owned(),
        component: full_name(plan, hit.of),
        caller: hit.by.map_or_else(String::new, |by| full_name(plan, by)),
        held_by: hit.held_by.map_or_else(String::new, |holder| holder_name(plan, holder)),
        held_mean: if hit.held_by.is_some() {
            row.held as f64 / total
        } else {
            f64::NAN
        },
        hits: estimate_count(&row.counts),
        first_s: Duration(row.first.0).as_secs_f64(),
        worst_window_s: worst.map_or(f64::NAN, |(window, _)| {
            Duration(plan.window.0 * u64::from(*window)).as_secs_f64()
        }),
        worst_window_hits: worst.map_or(f64::NAN, |(_, count)| *count as f64 / runs),
        windows_ratio: row.with_hits as f64 / windows as f64,
    }
}

/// A component by its section and name; an account that the scenario does not name is the default one.
fn full_name(plan: &Plan, target: Target) -> String {
    let named = plan.components.iter().find(|component| component.target == target);
    let name = named.map_or("default", |component| &component.name);
    format!("{}.{name}", KINDS[usize::from(target.kind)])
}

/// Whoever holds part of what is shared; what an account has taken itself is that of its neighbours.
fn holder_name(plan: &Plan, holder: Target) -> String {
    let name = full_name(plan, holder);
    if holder.kind == kind::ACCOUNT {
        return format!("{name} neighbours");
    }
    name
}

/// Hits of each limit that was run into, as metrics of the cell.
pub fn metrics(results: &[&Packed], metrics: &mut Vec<Metric>) {
    let all: Vec<Vec<Hits>> = results.iter().map(|result| result.limits()).collect();
    for &limit in Limit::ALL {
        let of = |hits: &&Hits| hits.hit.limit == limit;
        let count = |hits: &Vec<Hits>| hits.iter().filter(of).map(|hits| hits.count).sum::<u64>();
        let counts: Vec<u64> = all.iter().map(count).collect();
        if counts.iter().any(|count| *count > 0) {
            metrics.push(figures::count(metric_name(limit), &counts));
        }
    }
}

/// What the faults of a cell were and did.
pub fn faults(plan: &Plan, results: &[&Packed]) -> Vec<FaultSummary> {
    let all: Vec<Vec<FaultResult>> = results.iter().map(|result| result.faults()).collect();
    let seconds = |instant: Instant| Duration(instant.0).as_secs_f64();
    let summary = |(index, spec): (usize, &FaultPlan)| {
        let runs = || all.iter().map(|faults| &faults[index]);
        let each = |get: &dyn Fn(&FaultResult) -> f64| estimate(&runs().map(get).collect::<Vec<_>>());
        let lasted = |fault: &FaultResult| {
            let spans = fault.spans.iter();
            spans.map(|(begin, end)| end.since(*begin).as_secs_f64()).sum()
        };
        let first = runs().next().map_or(&[][..], |fault| &fault.spans);
        FaultSummary {
            name: spec.name.clone(),
            on: spec.on.iter().map(|on| full_name(plan, *on)).collect(),
            effect: effect(spec.effect),
            fixed: spec.is_fixed(),
            spans: first
                .iter()
                .map(|(begin, end)| (seconds(*begin), seconds(*end)))
                .collect(),
            times: each(&|fault| fault.spans.len() as f64),
            active_s: each(&lasted),
            refused: each(&|fault| fault.refused as f64),
            hung: each(&|fault| fault.hung as f64),
        }
    };
    plan.faults.iter().enumerate().map(summary).collect()
}

/// What a fault does, in the words of scenarios.
fn effect(effect: Effect) -> String {
    let quota = |quota| match quota {
        Quota::Concurrency => "concurrency",
        Quota::GatewayRate => "gateway_rate",
        Quota::Rate => "rate",
        Quota::ReservedConcurrency => "reserved_concurrency",
        Quota::Connections => "connections",
        Quota::ReadCapacity => "read_capacity",
        Quota::WriteCapacity => "write_capacity",
        Quota::MaximumConcurrency => "maximum_concurrency",
    };
    match effect {
        Effect::Slow(factor) => format!("slow {factor}"),
        Effect::Fail(share, _) => format!("fail {}%", share * 100.0),
        Effect::Down => "down".to_owned(),
        Effect::Unreachable => "unreachable".to_owned(),
        Effect::Zones(zones) => format!("zones_lost {}", zones.lost),
        Effect::Recycle(share, _) => format!("recycle {}%", share * 100.0),
        Effect::Neighbours(count) => format!("neighbours {count}"),
        Effect::Lower(which, to) => format!("lower {} to {to}", quota(which)),
    }
}

/// The names of all limits.
pub fn names() -> impl Iterator<Item = &'static str> {
    Limit::ALL.iter().map(|limit| limit.name())
}

/// All limits that a run says it ran into, a line for each.
pub fn list() -> String {
    let mut text = String::from("Limits that a run says it ran into (metrics `limits.NAME`):\n");
    for limit in Limit::ALL {
        let _ = writeln!(text, "  {:<22} {}", limit.name(), limit.meaning());
    }
    text
}

/// What a limit means.
pub fn explain(word: &str) -> Option<String> {
    let limit = Limit::ALL.iter().find(|limit| limit.name() == word)?;
    Some(format!("{} (limit)\n    {}\n", limit.name(), limit.meaning()))
}
