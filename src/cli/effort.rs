//! How much work a study is, before and while it is done.

use crate::model::mechanism::client::Load;
use crate::model::parts::budget;
use crate::model::world::run::World;
use crate::report::format;
use crate::run::Study;
use crate::run::summary::Unit;
use std::time::{Duration, Instant};

/// Requests that one thread simulates a second at least: below what this comes to, nobody looks how long it takes.
const REQUESTS_PER_SECOND: f64 = 1e6;
/// Estimates above this are worth a line, in seconds.
const LONG_S: f64 = 30.0;

/// Requests that the clients of all cells send in all runs; users of closed clients are taken to wait for nothing.
fn requests(study: &Study) -> f64 {
    let of_run = |plan: &crate::model::Plan| -> f64 {
        let seconds = plan.length.as_secs_f64();
        let rate = |load: &Load| match load {
            Load::Open { arrivals, batch, .. } => {
                arrivals.mean_per_second(plan.length) * batch.as_ref().map_or(1.0, crate::kernel::Sampler::mean)
            }
            Load::Closed { users, think } => f64::from(*users) / (think.mean() / 1e9).max(1e-3),
        };
        plan.clients.iter().map(|client| rate(&client.load)).sum::<f64>() * seconds
    };
    let cells = study.cells.iter().map(|cell| of_run(&cell.plan));
    cells.sum::<f64>() * study.replications as f64
}

/// How long the beginning of a run is looked at.
const LOOK: Duration = Duration::from_millis(60);
/// Cells whose beginning is looked at, at most.
const LOOKS: usize = 8;

/// Seconds of work in all runs, from how fast the beginnings of some of them go.
fn measured_s(study: &Study) -> f64 {
    let (mut took, mut looks) = (0.0, 0.0);
    for cell in study.cells.iter().step_by(study.cells.len().div_ceil(LOOKS)) {
        let (before, start) = (budget::simulated_ns(), Instant::now());
        World::new(&cell.plan, 0).run_while(&|| start.elapsed() < LOOK);
        let seconds = budget::simulated_ns().saturating_sub(before) as f64 / 1e9;
        let seconds = seconds.clamp(1e-9, cell.plan.length.as_secs_f64());
        // Each of them stands for as much of the study, however fast it went.
        took += start.elapsed().as_secs_f64() / seconds;
        looks += 1.0;
    }
    took / f64::max(looks, 1.0) * simulated_s(study)
}

/// What there is to say before a study that takes long.
pub(super) fn words(study: &Study, threads: usize) -> Option<String> {
    let requests = requests(study);
    let at_once = (threads.max(1) as u64).min(study.runs().max(1));
    if requests / REQUESTS_PER_SECOND / (at_once as f64) < LONG_S {
        return None;
    }
    let seconds = measured_s(study) / at_once as f64;
    (seconds > LONG_S).then(|| {
        format!(
            "about {} million requests in {} runs: expect roughly {} on {} thread{}; a shorter `length` or fewer \
             `--replications` take less",
            format::value(Unit::Plain, requests / 1e6),
            study.runs(),
            format::value(Unit::Seconds, seconds),
            at_once,
            if at_once == 1 { "" } else { "s" }
        )
    })
}

/// The time that all runs simulate together, in seconds.
pub(super) fn simulated_s(study: &Study) -> f64 {
    let cells = study.cells.iter().map(|cell| cell.plan.length.as_secs_f64());
    cells.sum::<f64>() * study.replications as f64
}
