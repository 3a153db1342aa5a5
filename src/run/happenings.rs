//! What happens at known times of a run beside faults: deploys, spikes, schedules that fire. Plain data, part of
//! `summary.json`, by which pictures name what their curves show.

use super::verdict::label;
use crate::kernel::Duration;
use crate::model::Plan;
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::ArrivalPlan;
use crate::model::mechanism::schedule::Times;
use serde::{Deserialize, Serialize};

/// A component with more of them than this has a rhythm: no single one explains a curve.
const MOST: usize = 4;

/// Something that happens to a component at a known time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// The component, such as `functions.checkout`.
    pub component: String,
    /// What happens, such as `spike of 60/s more`.
    pub what: String,
    /// When it begins, in seconds from the start of the run.
    pub begin_s: f64,
    /// When it ends; when it begins if it has no length.
    pub end_s: f64,
}

/// What happens in a run of this plan, in the order of time.
pub fn of(plan: &Plan) -> Vec<Happening> {
    let mut found = Vec::new();
    for client in &plan.clients {
        if let Load::Open { arrivals, .. } = &client.load
            && let ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve) = arrivals
        {
            let spikes = curve.spikes().iter();
            let each = spikes.map(|spike| (spike.at, spike.end(), format!("spike: {}/s more", spike.per_second)));
            add(&mut found, plan, client.component, each.collect());
        }
    }
    for function in &plan.functions {
        let recycles = function.recycles.iter().flat_map(|recycle| {
            let share = recycle.share * 100.0;
            let what = if share < 100.0 {
                format!("recycle {share}%")
            } else {
                "recycle".to_owned()
            };
            let times = if recycle.every.is_some() { MOST as u64 + 1 } else { 1 };
            let again = recycle.every.map_or(0, |every| every.0);
            let at = move |time: u64| Duration(recycle.at.0.saturating_add(again.saturating_mul(time)));
            (0..times).map(move |time| (at(time), at(time) + recycle.spread, what.clone()))
        });
        add(&mut found, plan, function.component, recycles.collect());
    }
    for schedule in &plan.schedules {
        let Times::At(instants) = &schedule.times else { continue };
        let what = if schedule.jobs > 1 {
            format!("fires {} jobs", schedule.jobs)
        } else {
            "fires".to_owned()
        };
        let firings = instants.iter().map(|at| (*at, *at + schedule.window, what.clone()));
        add(&mut found, plan, schedule.component, firings.collect());
    }
    found.sort_by(|a, b| a.begin_s.total_cmp(&b.begin_s));
    found
}

/// Adds what lies within the run, unless there is so much of it that it is a rhythm.
fn add(found: &mut Vec<Happening>, plan: &Plan, component: u32, mut all: Vec<(Duration, Duration, String)>) {
    all.retain(|(begin, _, _)| *begin < plan.length);
    if all.len() > MOST {
        return;
    }
    found.extend(all.into_iter().map(|(begin, end, what)| Happening {
        component: label(plan, component),
        what,
        begin_s: begin.as_secs_f64(),
        end_s: end.min(plan.length).as_secs_f64(),
    }));
}

#[cfg(test)]
mod tests {
    use crate::run::Scenario;

    #[test]
    fn deploys_spikes_and_firings_are_named_in_the_order_of_time() {
        let scenario: Scenario = "
run: { start: 2026-01-05T01:30, length: 1 h, warmup: 0 s }
clients:
  web: { to: api, arrivals: { poisson: 1/s, spikes: [{ at: 40 min, for: 2 min, rate: 5/s }] } }
schedules: { night: { service: aws.eventbridge.scheduler, to: api, cron: '0 2 * * *', jobs: 3 } }
functions:
  api:
    service: aws.lambda
    handler: [{ cpu: 5 ms }]
    recycle: [{ at: 5 min }, { at: 50 min, share: 60%, spread: 1 s }, { at: 2 h }]
"
        .parse()
        .unwrap();
        let results = scenario.replications(1).run(&crate::run::Silent).unwrap();
        let happenings = &results.cell("base", &[]).unwrap().happenings;
        let seen: Vec<(&str, &str, f64, f64)> = happenings
            .iter()
            .map(|one| (one.component.as_str(), one.what.as_str(), one.begin_s, one.end_s))
            .collect();
        assert_eq!(
            seen,
            [
                ("functions.api", "recycle", 300.0, 300.0),
                ("schedules.night", "fires 3 jobs", 1800.0, 1800.0),
                ("clients.web", "spike: 5/s more", 2400.0, 2520.0),
                ("functions.api", "recycle 60%", 3000.0, 3001.0),
            ]
        );
    }
}
