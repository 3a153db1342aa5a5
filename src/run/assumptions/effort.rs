//! How much is run to find out what plausible other values do: a share of what the study itself took, counted in
//! events, so that the same is done on every machine.

use super::super::episodes::Month;
use super::super::study::CellPlan;
use super::super::summary::{Cell, Summary};
use crate::kernel::Duration;
use crate::kernel::number::whole;

/// The part of the study's own events that may be spent.
const SHARE: f64 = 0.2;
/// So many events may be spent on any study: a moment.
const FREE: f64 = 1e6;
/// Candidates that are tried, at most.
const TRIES: usize = 6;
/// The fewest runs of each: of one, nobody can say whether chance did it.
const RUNS_LEAST: u64 = 2;
/// The most runs of each.
const RUNS_MOST: u64 = 4;
/// The least part of the measured time that still tells something.
const PART_LEAST: f64 = 0.2;

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Candidates that are tried.
    pub tries: usize,
    /// Runs of the cell as it is, and of each candidate.
    pub runs: u64,
    /// The part of the measured time that each takes.
    pub part: f64,
}

/// What the study took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Events of the whole study.
    study: f64,
    /// Events of one run of the cell.
    run: f64,
    /// The part of them that the warm-up takes.
    warm: f64,
    /// Runs of each cell.
    replications: u64,
    /// Whether runs can be made shorter: nothing happens at times of its own.
    shorter: bool,
}

impl Effort {
    /// What can be run for a cell, if there is room for anything.
    pub fn of(summary: &Summary, cell: &Cell, plan: &CellPlan, candidates: usize) -> Option<Self> {
        let steps = Month::of(&plan.plan).steps.len();
        let replications = u64::from(summary.replications);
        let cost = Cost {
            study: summary.cells.iter().map(|cell| cell.events as f64).sum(),
            run: cell.events as f64 / replications.max(1) as f64 * (1 + steps) as f64,
            warm: plan.plan.warmup.0 as f64 / plan.plan.length.0.max(1) as f64,
            replications,
            shorter: steps == 0 && plan.plan.faults.is_empty(),
        };
        Self::within(cost, candidates)
    }

    fn within(cost: Cost, candidates: usize) -> Option<Self> {
        let budget = (cost.study * SHARE).max(FREE);
        (1..=candidates.min(TRIES)).rev().find_map(|tries| {
            // The cell as it is runs as often.
            let each = budget / (tries + 1) as f64;
            let most = RUNS_MOST.min(cost.replications);
            let whole = (RUNS_LEAST..=most).rev().find(|runs| *runs as f64 * cost.run <= each);
            if let Some(runs) = whole {
                return Some(Self { tries, runs, part: 1.0 });
            }
            let room = each / (RUNS_LEAST as f64 * cost.run) - cost.warm;
            let part = room / (1.0 - cost.warm).max(f64::MIN_POSITIVE);
            let possible = cost.shorter && most >= RUNS_LEAST && part >= PART_LEAST;
            possible.then_some(Self {
                tries,
                runs: RUNS_LEAST,
                part: part.min(1.0),
            })
        })
    }

    /// Makes the runs of a cell as long as there is room for, in whole windows.
    pub fn shorten(&self, cell: &mut CellPlan) {
        if self.part < 1.0 {
            let plan = &mut cell.plan;
            let (warmup, window) = (plan.warmup, plan.window.0.max(1));
            let measured = (plan.length.0 - warmup.0) as f64 * self.part;
            let windows = (whole(measured) / window).max(1);
            plan.length = Duration(plan.length.0.min(warmup.0 + windows * window));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_spent_than_there_is_room_for() {
        let mut found = 0;
        for run in [1e3, 1e5, 3e5, 1e6, 1e7, 1e9] {
            for cells in [1, 3, 40] {
                for replications in [1, 2, 4, 16] {
                    for warm in [0.0, 0.1, 0.6] {
                        for (candidates, shorter) in [(0, true), (1, true), (6, false), (30, true)] {
                            let study = run * f64::from(cells) * replications as f64;
                            let cost = Cost {
                                study,
                                run,
                                warm,
                                replications,
                                shorter,
                            };
                            let Some(effort) = Effort::within(cost, candidates) else {
                                continue;
                            };
                            found += 1;
                            let runs = (effort.tries as u64 + 1) * effort.runs;
                            let spent = runs as f64 * run * (warm + (1.0 - warm) * effort.part);
                            assert!(spent <= (study * SHARE).max(FREE) * 1.000_001, "{cost:?}: {effort:?}");
                            assert!(effort.tries <= candidates.min(6), "{cost:?}: {effort:?}");
                            assert!((2..=replications.min(4)).contains(&effort.runs), "{cost:?}: {effort:?}");
                            assert!(shorter || effort.part >= 1.0, "{cost:?}: {effort:?}");
                        }
                    }
                }
            }
        }
        assert!(found > 100, "{found}");
    }
}
