//! Where the units of work of each source ended: plain data, part of `summary.json`.

use super::summary::Estimate;
use serde::{Deserialize, Serialize};

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
