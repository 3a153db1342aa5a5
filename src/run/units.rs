//! What happened to single units of work in the first run of a cell: each n-th, the slowest, and some of those that did
//! not end well. For whoever wants to see when a message was tried, and what came of it.

use super::study::CellPlan;
use super::verdict::label;
use crate::kernel::Instant;
use crate::kernel::number::fit;
use crate::model::Plan;
use crate::model::request::lineage::journal::{Entry, Journal, Step, What, choice};
use crate::model::world::run::World;
use crate::run::ledger::UnitState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A unit of work of which it is known what happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Its source, such as `clients.web`.
    pub source: String,
    /// Its number among all arrivals of that source in the run, the warm-up included, from 1 on.
    pub number: u64,
    /// When it came, in seconds from the start of the run.
    pub arrived_s: f64,
    /// From then to the end of the last thing that it caused, or of the run if it is unfinished.
    pub journey_s: f64,
    /// How it ended.
    pub state: UnitState,
    /// Where; empty if it is good.
    pub place: String,
    /// Why; empty if it is good.
    pub why: String,
    /// Whether a part of it was done.
    pub partly: bool,
    /// What happened, in the order of time.
    pub steps: Vec<UnitStep>,
}

/// Something that happened to a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitStep {
    /// When, in seconds from the start of the run.
    pub at_s: f64,
    /// The component.
    pub component: String,
    /// The how manieth time it reached that component, from 1 on.
    pub attempt: u32,
    /// What: `reaches`, `answered ok`, `answered timed_out`, `done`, `dead-lettered`.
    pub what: String,
}

/// About `most` units of the first run of a cell, with their steps. Two more runs are made for it; they count nowhere.
pub fn of(cell: &CellPlan, most: usize) -> Vec<Unit> {
    let mut plan = cell.plan.clone();
    plan.follow_all();
    let recorded = |journal: Journal| World::new(&plan, 0).recording(journal).run().journal;
    let chosen = choice(&recorded(Journal::default()), most);
    let mut entries = recorded(Journal::of(chosen.iter().copied()));
    entries.retain(|entry| chosen.binary_search(&entry.unit).is_ok());
    entries.iter().map(|entry| unit(&plan, entry)).collect()
}

fn seconds(at: Instant) -> f64 {
    at.since(Instant::ZERO).as_secs_f64()
}

fn unit(plan: &Plan, entry: &Entry) -> Unit {
    let state = UnitState::from(entry.end.state);
    let good = state == UnitState::Good;
    let mut reached: BTreeMap<u32, u32> = BTreeMap::new();
    let step = |step: &Step| {
        let attempt = reached.entry(step.place).or_default();
        *attempt += u32::from(step.what == What::Reaches);
        UnitStep {
            at_s: seconds(step.at),
            component: label(plan, step.place),
            attempt: (*attempt).max(1),
            what: words(step.what),
        }
    };
    Unit {
        source: label(plan, entry.unit.0),
        number: entry.unit.1,
        arrived_s: seconds(entry.arrived),
        journey_s: entry.last.since(entry.arrived).as_secs_f64(),
        state,
        place: if good {
            String::new()
        } else {
            label(plan, fit(entry.end.place))
        },
        why: entry.end.why.name().to_owned(),
        partly: entry.partly,
        steps: entry.steps.iter().map(step).collect(),
    }
}

fn words(what: What) -> String {
    match what {
        What::Reaches => "reaches".to_owned(),
        What::Answered(status) => format!("answered {}", status.name()),
        What::Ends(end) if end.why.name().is_empty() => "done".to_owned(),
        What::Ends(end) => end.why.name().to_owned(),
    }
}
