//! How much is measured where the scenario leaves it open and has schedules: until each that fires within a day has
//! fired, and its work had time.
//!
//! An hour from midnight on shows nothing of a nightly job, and an hour that ends just after a job has begun shows half
//! of it. What comes within the hour again and again is measured a whole number of times. Where so many hours of its
//! traffic would take long to simulate, the run stays as it is, and the bill says what is not in it.

use super::episodes::fired_until;
use super::study::CellPlan;
use super::verdict::label;
use crate::kernel::Duration;
use crate::model::Plan;
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::ArrivalPlan;
use crate::model::mechanism::schedule::{Recurrence, SchedulePlan, Times};
use crate::model::world::build::FIRINGS_MOST;
use crate::scenario::units::show_duration;

/// Arrivals and jobs of a run, all together, up to which it is made longer.
const CHEAP: f64 = 300_000.0;

/// A run that is longer than its traffic asks for.
pub struct Longer {
    /// How long it is, the warm-up included.
    pub length: Duration,
    /// Why, in words.
    pub words: String,
}

/// Of cells whose runs are so long, the warm-up included; `None` if that will do.
pub fn longer(cells: &[CellPlan], warmup: Duration, length: Duration) -> Option<Longer> {
    let wanted = |cell: &CellPlan| -> Option<(Duration, String)> {
        let schedules = cell.plan.schedules.iter();
        let each = schedules.filter_map(|schedule| {
            let (end, at) = wanted(schedule, warmup, length)?;
            let name = label(&cell.plan, schedule.component);
            let what = match at {
                Some(at) => format!("{name} fires, at {}, and its work has time", show_duration(at)),
                None => format!("{name} fires a whole number of times"),
            };
            Some((end, what))
        });
        each.max_by_key(|(end, _)| *end).filter(|(end, _)| *end > length)
    };
    let (end, what) = cells.iter().filter_map(wanted).max_by_key(|(end, _)| *end)?;
    let cheap = cells.iter().all(|cell| events(&cell.plan, end) <= CHEAP);
    cheap.then(|| Longer {
        length: end,
        words: format!(
            "{} are measured instead of {}, so that {what}; `run.length` says otherwise",
            show_duration(end - warmup),
            show_duration(length - warmup)
        ),
    })
}

/// When a run would end that has seen a schedule, and when that fires, if it would not have done so by the end.
fn wanted(schedule: &SchedulePlan, warmup: Duration, length: Duration) -> Option<(Duration, Option<Duration>)> {
    if !matches!(schedule.recurrence, Recurrence::Always(_)) {
        return None;
    }
    let measured = length - warmup;
    let first = match &schedule.times {
        Times::At(instants) => *instants.get(instants.partition_point(|at| *at < warmup))?,
        Times::Every { first, interval } => {
            if *interval <= measured && *first < length {
                let whole = measured.0.div_ceil(interval.0.max(1)).saturating_mul(interval.0);
                return Some((warmup + Duration(whole), None));
            }
            let before = warmup.0.saturating_sub(first.0).div_ceil(interval.0.max(1));
            Duration(first.0.saturating_add(before.saturating_mul(interval.0)))
        }
    };
    // Its work has as long as all of a run has where nothing is scheduled.
    let soon = first.0 - warmup.0 <= FIRINGS_MOST.0 - measured.0;
    let often = again(schedule, first).is_some_and(|next| next - first <= measured);
    (soon && !(often && first < length)).then(|| (first + schedule.window + measured, Some(first)))
}

/// When a schedule fires after an instant at which it does.
fn again(schedule: &SchedulePlan, at: Duration) -> Option<Duration> {
    match &schedule.times {
        Times::At(instants) => instants.get(instants.partition_point(|other| *other <= at)).copied(),
        Times::Every { interval, .. } => Some(at + *interval),
    }
}

/// About how many arrivals and jobs a run of that length has; endless where that cannot be told beforehand.
fn events(plan: &Plan, length: Duration) -> f64 {
    let clients = plan.clients.iter().map(|client| match &client.load {
        Load::Open {
            arrivals: ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve),
            ..
        } => curve.mean_per_second(length) * length.as_secs_f64(),
        _ => f64::INFINITY,
    });
    let jobs = plan.schedules.iter().map(|schedule| {
        let fired = fired_until(&schedule.times, length);
        fired as f64 * f64::from(schedule.jobs)
    });
    clients.sum::<f64>() + jobs.sum::<f64>()
}
