//! What was asked of a cell and what became of it: from its ledger where it has one, else from the metrics of its
//! components. Only this file knows which.

use super::headline::mean;
use crate::run::ledger::{Ledger, UnitState};
use crate::run::summary::{Cell, Estimate, name};
use crate::run::verdict::Class;

/// A share of a source's work that failed or was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Whose work, such as `clients.web`; empty for that of all clients.
    pub whose: String,
    /// What is counted.
    pub things: &'static str,
    /// The share, 0 to 1.
    pub share: Estimate,
}

/// Work that was lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Where, such as `queues.jobs`.
    pub place: String,
    /// What is counted.
    pub things: &'static str,
    /// How much in all runs.
    pub units: u64,
    /// How much in a run.
    pub per_run: Estimate,
    /// Out of how much in a run.
    pub of: f64,
    /// Whether no design can work it off.
    pub unavoidable: bool,
}

/// Work that was not done when the runs ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Owed {
    /// What is counted.
    pub things: &'static str,
    /// How much in a run.
    pub units: f64,
    /// Out of how much.
    pub of: f64,
}

/// What is counted at a component.
pub fn things(place: &str) -> &'static str {
    match place.split('.').next().unwrap_or_default() {
        "clients" => "requests",
        "queues" => "messages",
        "streams" => "records",
        "functions" => "events",
        "topics" => "deliveries",
        "schedules" => "jobs",
        "workflows" => "executions",
        _ => "units",
    }
}

fn runs(cell: &Cell) -> f64 {
    let of = |metric: &crate::run::summary::Metric| metric.per_replication.len();
    cell.metrics.first().map_or(1, of).max(1) as f64
}

/// What failed or was refused, source by source.
pub fn failed(cell: &Cell) -> Vec<Failed> {
    if !cell.ledger.is_empty() {
        return cell.ledger.iter().map(failed_of).collect();
    }
    let mut found = Vec::new();
    let mut add = |whose: &str, things, share: &Estimate| {
        found.push(Failed {
            whose: whose.to_owned(),
            things,
            share: *share,
        });
    };
    for source in &cell.sources {
        if let Some(errors) = cell.metric(&format!("{}.{}", source.name, name::ERROR_RATIO)) {
            add(&source.name, "requests", &errors.estimate);
        }
    }
    if cell.sources.is_empty()
        && let Some(errors) = cell.metric(name::ERROR_RATIO)
    {
        add("", "requests", &errors.estimate);
    }
    for metric in &cell.metrics {
        let of = metric.name.strip_suffix(".failure_ratio");
        let Some(workflow) = of.filter(|of| of.starts_with("workflows.")) else {
            continue;
        };
        let count = |what: &str| mean(cell, &format!("{workflow}.{what}")).unwrap_or(0.0);
        let (refused, offered) = (count("throttled"), count("offered"));
        if refused > 0.0 && offered > 0.0 {
            let share = (refused + count("failed") + count("timed_out")) / offered;
            add(workflow, "executions", &Estimate::exact(share));
        } else {
            add(workflow, "executions", &metric.estimate);
        }
    }
    found
}

fn failed_of(ledger: &Ledger) -> Failed {
    let bad = |state| matches!(state, UnitState::Failed | UnitState::Refused);
    let ends: Vec<_> = ledger.ends.iter().filter(|end| bad(end.state)).collect();
    let units: u64 = ends.iter().map(|end| end.units).sum();
    let share = units as f64 / ledger.arrived.max(1) as f64;
    // The interval is known where there is one kind of end: that of its number in a run, over what came.
    let interval = match ends[..] {
        [end] if end.per_run.mean > 0.0 => end.per_run.interval.map(|(low, high)| {
            let scale = share / end.per_run.mean;
            (low * scale, high * scale)
        }),
        _ => None,
    };
    Failed {
        whose: ledger.source.clone(),
        things: things(&ledger.source),
        share: Estimate {
            mean: share,
            interval,
            replications: ends.first().map_or(1, |end| end.per_run.replications),
        },
    }
}

/// What was lost, place by place.
pub fn lost(cell: &Cell) -> Vec<Lost> {
    let runs = runs(cell);
    let poison = |place: &str| {
        let of_place = cell.losses.iter().filter(|loss| loss.metric.starts_with(place));
        of_place.map(|loss| loss.unavoidable).max().unwrap_or(0)
    };
    if !cell.ledger.is_empty() {
        let ends = |ledger: &Ledger| {
            let of = ledger.arrived as f64 / runs;
            let lost = ledger.ends.iter().filter(|end| end.state == UnitState::Lost);
            let each = lost.map(|end| Lost {
                place: end.place.clone(),
                things: things(&end.place),
                units: end.units,
                per_run: end.per_run,
                of,
                unavoidable: end.units <= poison(&end.place),
            });
            each.collect::<Vec<_>>()
        };
        return cell.ledger.iter().flat_map(ends).collect();
    }
    // An execution that fails has failed; it is not lost.
    let losses = cell.losses.iter().filter(|loss| !loss.metric.starts_with("workflows."));
    let each = losses.map(|loss| Lost {
        place: component(&loss.metric).to_owned(),
        things: things(&loss.metric),
        units: loss.lost,
        per_run: cell
            .metric(&loss.metric)
            .map_or_else(|| Estimate::exact(loss.lost as f64 / runs), |metric| metric.estimate),
        of: loss.of as f64 / runs,
        unavoidable: loss.is_unavoidable(),
    });
    each.filter(|lost| lost.units > 0).collect()
}

/// The component of a metric: its first two parts.
pub fn component(metric: &str) -> &str {
    let second = metric.match_indices('.').nth(1);
    second.map_or(metric, |(end, _)| &metric[..end])
}

/// What is still owed where the verdicts say that something is.
pub fn owed(cell: &Cell) -> Option<Owed> {
    let is_owing = |class| matches!(class, Class::Growing | Class::Draining | Class::Unfinished);
    let owing = cell.verdicts.iter().filter(|verdict| is_owing(verdict.class));
    let owing: Vec<_> = owing.collect();
    if owing.is_empty() {
        return None;
    }
    let unfinished = |ledger: &Ledger| {
        let left = ledger.ends.iter().filter(|end| end.state == UnitState::Unfinished);
        let units: f64 = left.map(|end| end.per_run.mean).sum();
        let of = ledger.arrived as f64 / runs(cell);
        let things = things(&ledger.source);
        (units > 0.0).then_some(Owed { things, units, of })
    };
    let of_ledger = cell.ledger.iter().filter_map(unfinished);
    let most = |a: &Owed, b: &Owed| a.units.total_cmp(&b.units);
    if let Some(found) = of_ledger.max_by(most) {
        return Some(found);
    }
    let named = owing.iter().filter_map(|verdict| verdict.metric.as_deref());
    let waiting = cell.metrics.iter().map(|metric| metric.name.as_str());
    let places: Vec<&str> = named
        .chain(waiting.filter(|name| name.ends_with(".remaining")))
        .collect();
    let left = |metric: &&str| {
        let place = component(metric);
        let of = [".sent", ".records"]
            .iter()
            .find_map(|end| mean(cell, &format!("{place}{end}")))?;
        // Nobody works on what a queue without a reader holds.
        cell.metric(&format!("{place}.concurrency"))?;
        let units = mean(cell, &format!("{place}.remaining"))?;
        (units >= 0.5).then(|| Owed {
            things: things(place),
            units,
            of: of.max(units),
        })
    };
    let client = |metric: &crate::run::summary::Metric| {
        let client = metric
            .name
            .strip_suffix(".unfinished")
            .filter(|name| name.starts_with("clients."))?;
        let (units, of) = (metric.estimate.mean, mean(cell, &format!("{client}.offered"))?);
        // A few are always on their way.
        let things = "requests";
        (units >= 0.01 * of && units >= 0.5).then_some(Owed { things, units, of })
    };
    let behind = places.iter().filter_map(left).max_by(most);
    behind.or_else(|| cell.metrics.iter().filter_map(client).max_by(most))
}
