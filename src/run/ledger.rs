//! Where the units of work of each source ended, part of `summary.json`.
//!
//! Of sources from which something asynchronous can be reached the model follows each unit to its last descendant
//! ([`crate::model::request::lineage`]); of all others the caller's answer is the end.

use super::figures::estimate_count;
use super::summary::Estimate;
use super::tally::Packed;
use crate::kernel::number::fit;
use crate::model::request::lineage::{EndCount, State};
use crate::model::{Plan, kind};
use crate::run::verdict::label;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the units of work of one source ended. A unit is one arrival of a source in the measured time (a request of a
/// client, a firing of a schedule) with all that it causes: what is tried, delivered or done again is the same unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// The source, such as `clients.web` or `schedules.report`.
    pub source: String,
    /// Units that arrived, in all replications. Those of [`Ledger::ends`] add up to it.
    pub arrived: u64,
    /// Whether something goes on behind the source's answer: a queue, a stream, an event, an execution.
    pub goes_on: bool,
    /// Each state, place and reason with a unit in it, the worst state first.
    pub ends: Vec<LedgerEnd>,
}

/// Units of a source that ended in one state at one place for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEnd {
    /// The state that decides: the worst of all descendants.
    pub state: UnitState,
    /// The component where that happened, such as `queues.jobs`; empty for good units.
    pub place: String,
    /// Why, in a word or two: `dead-lettered`, `expired`, `waiting`; empty for good units.
    pub why: String,
    /// Units in all replications.
    pub units: u64,
    /// Units of one replication.
    pub per_run: Estimate,
    /// Those of [`LedgerEnd::units`] of which a part had ended well.
    pub partly: u64,
}

/// The state in which a unit of work ends, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Gone without having been done: dead-lettered, expired, dropped, discarded.
    Lost,
    /// Its caller got an error or gave up.
    Failed,
    /// It was turned away.
    Refused,
    /// It waits or is being worked on when the run ends.
    Unfinished,
    /// All of it was done.
    Good,
}

impl From<State> for UnitState {
    fn from(state: State) -> Self {
        match state {
            State::Good => Self::Good,
            State::Unfinished => Self::Unfinished,
            State::Refused => Self::Refused,
            State::Failed => Self::Failed,
            State::Lost => Self::Lost,
        }
    }
}

impl Ledger {
    /// Units in this state, in all replications.
    pub fn units(&self, state: UnitState) -> u64 {
        let ends = self.ends.iter().filter(|end| end.state == state);
        ends.map(|end| end.units).sum()
    }

    /// The share of units in this state; not a number if none came.
    pub fn share(&self, state: UnitState) -> f64 {
        self.units(state) as f64 / self.arrived as f64
    }
}

/// The key of an end: its state, its place, its words.
type Key = (UnitState, String, &'static str);

/// The ledgers of the sources of a plan, in the order of its components; of those only to which something came.
pub fn of(plan: &Plan, results: &[&Packed]) -> Vec<Ledger> {
    let all: Vec<Vec<EndCount>> = results.iter().map(|run| run.ends()).collect();
    let sources = (0..plan.components.len()).map(fit::<u32, _>).filter(|component| {
        let kind = plan.components[*component as usize].target.kind;
        kind == kind::CLIENT || kind == kind::SCHEDULE
    });
    let ledgers = sources.map(|component| {
        let goes_on = plan.common.followed.contains(&component);
        let ends = if goes_on {
            followed(plan, component, &all)
        } else {
            answered(plan, component, results)
        };
        Ledger {
            source: label(plan, component),
            arrived: ends.iter().map(|end| end.units).sum(),
            goes_on,
            ends,
        }
    });
    ledgers.filter(|ledger| ledger.arrived > 0).collect()
}

/// Ends that the model followed.
fn followed(plan: &Plan, source: u32, all: &[Vec<EndCount>]) -> Vec<LedgerEnd> {
    let mut found: BTreeMap<Key, (Vec<u64>, u64)> = BTreeMap::new();
    for (run, ends) in all.iter().enumerate() {
        for count in ends.iter().filter(|count| count.source == source) {
            let state = UnitState::from(count.end.state);
            let place = match state {
                UnitState::Good => String::new(),
                _ => label(plan, count.end.place),
            };
            let seen = found.entry((state, place, count.end.why.name())).or_default();
            seen.0.resize(all.len(), 0);
            seen.0[run] += count.units;
            seen.1 += count.partly;
        }
    }
    let mut ends: Vec<LedgerEnd> = found
        .into_iter()
        .map(|((state, place, why), (each, partly))| LedgerEnd {
            state,
            place,
            why: why.to_owned(),
            units: each.iter().sum(),
            per_run: estimate_count(&each),
            partly,
        })
        .collect();
    // The worst state first, and of each the place with the most.
    ends.sort_by_key(|end| (end.state, std::cmp::Reverse(end.units)));
    ends
}

/// Ends of requests after whose answer nothing goes on.
fn answered(plan: &Plan, client: u32, results: &[&Packed]) -> Vec<LedgerEnd> {
    let states = [
        (UnitState::Failed, "failed"),
        (UnitState::Refused, "refused"),
        (UnitState::Unfinished, "unfinished"),
        (UnitState::Good, "good"),
    ];
    let end = |(state, metric): (UnitState, &str)| {
        let count = |run: &&Packed| run.find(client, metric).and_then(|seen| seen.count()).unwrap_or(0);
        let each: Vec<u64> = results.iter().map(count).collect();
        LedgerEnd {
            state,
            place: if state == UnitState::Good {
                String::new()
            } else {
                label(plan, client)
            },
            why: if state == UnitState::Unfinished {
                "under way".to_owned()
            } else {
                String::new()
            },
            units: each.iter().sum(),
            per_run: estimate_count(&each),
            partly: 0,
        }
    };
    let all = states.into_iter().map(end);
    all.filter(|end| end.units > 0).collect()
}
