//! What a cell's plan says that its figures do not: who sends to whom, what `size` chose, and what comes once.

use super::episodes::Month;
use super::verdict::label;
use crate::model::Plan;
use crate::scenario::Target;
use serde::{Deserialize, Serialize};

/// Who sends, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name, such as `clients.web` or `schedules.report`.
    pub name: String,
    /// Where its work goes first, such as `queues.jobs`.
    pub to: String,
    /// Whether nobody waits for its answers.
    pub background: bool,
}

/// A fleet whose number of instances `size` chose, by pilot runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizedFleet {
    /// Its name, such as `fleets.shop`.
    pub fleet: String,
    /// The number that was chosen.
    pub count: u64,
}

/// What comes at times of its own, once in the measured time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeSummary {
    /// What it is, such as `the spike of clients.web at 5 min`.
    pub name: String,
    /// When it begins, in seconds from the start of the run.
    pub from_s: f64,
    /// When it ends; its consequences may last longer.
    pub until_s: f64,
}

/// Who sends, and to whom.
pub fn sources(plan: &Plan) -> Vec<Source> {
    let at = |to: Target| {
        let mut all = (0..).zip(&plan.components);
        let found = all.find(|(_, component)| component.target == to);
        found.map_or_else(String::new, |(number, _)| label(plan, number))
    };
    let client = |client: &crate::model::mechanism::client::ClientPlan| Source {
        name: label(plan, client.component),
        to: at(client.to),
        background: client.background,
    };
    let schedule = |schedule: &crate::model::mechanism::schedule::SchedulePlan| Source {
        name: label(plan, schedule.component),
        to: at(schedule.channel.to),
        background: true,
    };
    let clients = plan.clients.iter().map(client);
    clients.chain(plan.schedules.iter().map(schedule)).collect()
}

/// The fleets that were sized, and how many instances they have.
pub fn sized(plan: &Plan) -> Vec<SizedFleet> {
    let fleets = plan.fleets.iter().filter(|fleet| fleet.size.is_some());
    let sized = fleets.map(|fleet| SizedFleet {
        fleet: label(plan, fleet.component),
        count: fleet.count,
    });
    sized.collect()
}

/// What comes once, with its name and its time.
pub fn episodes(plan: &Plan) -> Vec<EpisodeSummary> {
    let each = Month::of(plan).episodes.into_iter();
    let timed = each.filter_map(|episode| {
        let (from, until) = episode.span?;
        Some(EpisodeSummary {
            name: episode.label,
            from_s: from.as_secs_f64(),
            until_s: until.as_secs_f64(),
        })
    });
    timed.collect()
}
