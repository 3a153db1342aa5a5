//! Sizes fleets: the smallest number of instances that keeps a fleet's goals, found by pilot runs.
//!
//! CPU utilisation falls and response times shorten with every instance, so the search first finds a number that is
//! enough, takes from it the load that the traffic brings, gallops up from the number that this load needs at least,
//! and halves the distance to the largest that is not enough.

use super::study::CellPlan;
use crate::kernel::Duration;
use crate::model::Plan;
use crate::model::fleet::plan::SizeGoal;
use crate::model::world::{RunResult, World};
use crate::stats::Value;

/// Run numbers of pilot runs: far from those that are measured, and another one than the warm-up's.
const PILOT: u64 = u64::MAX - 1;
/// Longest pilot run.
const PILOT_LENGTH: Duration = Duration::from_secs(600);
/// Where the search begins: plenty, so that the pilot run is not overloaded.
const FIRST_GUESS: u64 = 64;
/// More instances than anybody wants; the search ends there.
const MOST: u64 = 1 << 20;

/// Sets the number of instances of every fleet of a cell that is to be sized.
pub fn size(cell: &mut CellPlan) {
    for fleet in 0..cell.plan.fleets.len() {
        if let Some(goal) = cell.plan.fleets[fleet].size {
            cell.plan.fleets[fleet].count = smallest(&cell.plan, fleet, &goal);
        }
    }
}

fn smallest(plan: &Plan, fleet: usize, goal: &SizeGoal) -> u64 {
    let mut pilot = plan.clone();
    // The busiest stretch may come late, so the pilot is as long as the run where that is affordable.
    pilot.length = Duration(plan.length.0.min(plan.warmup.0 + PILOT_LENGTH.0));
    let mut enough = |count: u64| {
        pilot.fleets[fleet].count = count;
        let result = World::new(&pilot, PILOT).run();
        (meets(plan, &result, fleet, goal), load(plan, &result, fleet, count))
    };
    // With more than enough instances the load is what the traffic brings, not what the fleet can take.
    let mut high = plan.fleets[fleet].count.max(FIRST_GUESS);
    let (mut ok, mut load) = enough(high);
    while !ok && high < MOST {
        let wanted = load / goal.utilisation.unwrap_or(0.9);
        high = (wanted.ceil() as u64).clamp(high + 1, high * 4);
        (ok, load) = enough(high);
    }
    // The load alone rules out everything below this; it is often enough, so the search gallops up from it.
    let least = (load / goal.utilisation.unwrap_or(1.0)).ceil().max(goal.minimum as f64) as u64;
    let (mut low, mut step) = (least - 1, 1);
    while low + step < high {
        if enough(low + step).0 {
            high = low + step;
            break;
        }
        low += step;
        step *= 2;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if enough(middle).0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
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

fn meets(plan: &Plan, result: &RunResult, fleet: usize, goal: &SizeGoal) -> bool {
    let fast = goal
        .p99
        .is_none_or(|p99| match metric(plan, result, fleet, "response_time") {
            Some(Value::Latency(response)) => response.quantile(0.99) <= p99.0,
            _ => true,
        });
    let refused = matches!(metric(plan, result, fleet, "refused"), Some(Value::Count(n)) if *n > 0);
    fast && !refused
        && goal
            .utilisation
            .is_none_or(|most| utilisation(plan, result, fleet) <= most)
}
