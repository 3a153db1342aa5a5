//! Sizes fleets: the smallest number of instances that keeps a fleet's goals, found by pilot runs.
//!
//! CPU utilisation falls and response times shorten with every instance, so the search first finds a number that is
//! enough, takes from it the load that the traffic brings, gallops up from the number that this load needs at least,
//! and halves the distance to the largest that is not enough. Where instances that idle nearly all the time are still
//! not enough, more of them are no remedy, and the search fails. Where requests pile up before the fleet until a pilot
//! run has to be given up, it is much too small. A fleet is sized for the ordinary day: pilot runs have no faults.

use super::failure::{Cause, Failure};
use super::progress::Progress;
use super::study::CellPlan;
use crate::kernel::Duration;
use crate::kernel::number::whole;
use crate::model::Plan;
use crate::model::mechanism::fleet::plan::SizeGoal;
use crate::model::parts::budget::{Crowd, Holder};
use crate::model::world::run::{Halt, RunResult, World};
use crate::stats::Value;

/// Run numbers of pilot runs: far from those that are measured, and another one than the warm-up's.
const PILOT: u64 = u64::MAX - 1;
/// Longest pilot run.
const PILOT_LENGTH: Duration = Duration::from_secs(600);
/// Where the search begins: plenty for most, so that the pilot run is not overloaded.
const FIRST_GUESS: u64 = 64;
/// More instances than anybody wants; the search ends there.
const MOST: u64 = 1 << 20;

/// Utilisation below which another instance makes no request faster.
const IDLE: f64 = 0.01;

/// Sets the number of instances of every fleet of a cell that is to be sized.
///
/// # Errors
/// If no number of instances keeps a fleet's goals, or a pilot run had to be given up.
pub fn size(cell: &mut CellPlan, progress: &dyn Progress) -> Result<(), Failure> {
    for fleet in 0..cell.plan.fleets.len() {
        if let Some(goal) = cell.plan.fleets[fleet].size {
            let found = smallest(&cell.plan, fleet, &goal, progress);
            cell.plan.fleets[fleet].count = found.map_err(|cause| Failure::of(cell, cause))?;
        }
    }
    Ok(())
}

/// The outcome of a pilot run.
struct Pilot {
    enough: bool,
    /// Instances' worth of CPU in use.
    load: f64,
    /// The 99th percentile of response times, in ns.
    p99_ns: u64,
    /// Why the pilot was given up, where that may be because there are far too few instances.
    given_up: Option<Cause>,
}

/// Whether more instances of a fleet may be the remedy for what there was too much of: not if requests wait elsewhere.
fn may_be_too_few(pilot: &Plan, fleet: usize, crowd: &Crowd) -> bool {
    let own = pilot.fleets[fleet].component;
    crowd.most.holder != Holder::Requests || crowd.place.is_none_or(|place| place == own)
}

/// Runs the pilot with so many instances.
fn try_out(
    pilot: &mut Plan,
    fleet: usize,
    goal: &SizeGoal,
    count: u64,
    progress: &dyn Progress,
) -> Result<Pilot, Cause> {
    pilot.fleets[fleet].count = count;
    let result = World::new(pilot, PILOT).run_while(&|| !progress.is_cancelled());
    match result.halted {
        Some(Halt::Crowded(crowd)) if may_be_too_few(pilot, fleet, &crowd) => {
            return Ok(Pilot {
                enough: false,
                load: f64::INFINITY,
                p99_ns: u64::MAX,
                given_up: Some(Cause::halted(pilot, Halt::Crowded(crowd))),
            });
        }
        Some(halt) => return Err(Cause::halted(pilot, halt)),
        None => {}
    }
    let p99_ns = p99(pilot, &result, fleet);
    Ok(Pilot {
        enough: meets(pilot, &result, fleet, goal),
        load: load(pilot, &result, fleet, count),
        p99_ns,
        given_up: None,
    })
}

fn smallest(plan: &Plan, fleet: usize, goal: &SizeGoal, progress: &dyn Progress) -> Result<u64, Cause> {
    let mut pilot = plan.clone();
    pilot.faults.clear();
    // The busiest stretch may come late, so the pilot is as long as the run where that is affordable.
    pilot.length = Duration(plan.length.0.min(plan.warmup.0 + PILOT_LENGTH.0));
    let mut with = |count: u64| try_out(&mut pilot, fleet, goal, count, progress);
    // With more than enough instances the load is what the traffic brings, not what the fleet can take.
    let mut high = plan.fleets[fleet].count.max(FIRST_GUESS);
    let mut seen = with(high)?;
    while !seen.enough {
        if high >= MOST || seen.load < IDLE * high as f64 {
            return Err(seen.given_up.unwrap_or_else(|| Cause::Unreachable {
                fleet: plan.components[plan.fleets[fleet].component as usize].name.clone(),
                count: high,
                p99_ns: seen.p99_ns,
            }));
        }
        let wanted = seen.load / goal.utilisation.unwrap_or(0.9);
        high = whole(wanted.ceil()).clamp(high * 2, high * 4);
        seen = with(high)?;
    }
    // The load alone rules out everything below this; it is often enough, so the search gallops up from it.
    let least = whole(
        (seen.load / goal.utilisation.unwrap_or(1.0))
            .ceil()
            .max(goal.minimum as f64),
    );
    let (mut low, mut step) = (least - 1, 1);
    while low + step < high {
        if with(low + step)?.enough {
            high = low + step;
            break;
        }
        low += step;
        step *= 2;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if with(middle)?.enough {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

/// The metric of a fleet in a run.
fn metric<'r>(plan: &Plan, result: &'r RunResult, fleet: usize, name: &str) -> Option<&'r Value> {
    let component = plan.fleets[fleet].component;
    result
        .observations
        .iter()
        .find(|o| o.component == component && o.metric == name)
        .map(|o| &o.value)
}

fn utilisation(plan: &Plan, result: &RunResult, fleet: usize) -> f64 {
    metric(plan, result, fleet, "cpu_utilisation")
        .and_then(Value::number)
        .unwrap_or(0.0)
}

/// Instances' worth of CPU in use.
fn load(plan: &Plan, result: &RunResult, fleet: usize, count: u64) -> f64 {
    utilisation(plan, result, fleet) * count as f64
}

fn p99(plan: &Plan, result: &RunResult, fleet: usize) -> u64 {
    match metric(plan, result, fleet, "response_time") {
        Some(Value::Latency(response)) => response.quantile(0.99),
        _ => 0,
    }
}

fn meets(plan: &Plan, result: &RunResult, fleet: usize, goal: &SizeGoal) -> bool {
    let fast = goal.p99.is_none_or(|most| p99(plan, result, fleet) <= most.0);
    let refused = matches!(metric(plan, result, fleet, "refused"), Some(Value::Count(n)) if *n > 0);
    fast && !refused
        && goal
            .utilisation
            .is_none_or(|most| utilisation(plan, result, fleet) <= most)
}
