//! Runs all cells of a scenario, each many times, in parallel.
//!
//! A run is a pure function of (plan, seed, run number), and results are added up in the order of run numbers, so the
//! same bytes come out for any number of threads. All cells share their dice (common random numbers).

use super::aggregate::aggregate;
use super::billing::BillingPlan;
use super::coarse::coarser;
use super::expect::{Expectation, shares_of_windows};
use super::failure::{Cause, Failure, Refused};
use super::progress::{Phase, Progress};
use super::summary::{Axis, Cell, Manifest, PointValue, SCHEMA, Summary};
use super::warmup::{self, Clock};
use super::{differences, verdict};
use crate::kernel::Duration;
use crate::model::Plan;
use crate::model::world::run::{Halt, RunResult, World};
use crate::scenario::units::show_duration;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// One variant at one sweep point.
#[derive(Clone, Debug)]
pub struct CellPlan {
    /// The variant.
    pub variant: String,
    /// The sweep point.
    pub point: Vec<PointValue>,
    /// What runs.
    pub plan: Plan,
    /// How it is billed.
    pub billing: BillingPlan,
}

/// A scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Study {
    /// File stem of the scenario.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The master seed.
    pub seed: u64,
    /// Runs per cell.
    pub replications: u64,
    /// Swept parameters.
    pub axes: Vec<Axis>,
    /// Variants outermost, then the axes in order, the last one fastest.
    pub cells: Vec<CellPlan>,
    /// All cells of the file, where only some of its variants run: they have a say in the warm-up, which must not
    /// depend on who is picked. Empty where all run.
    pub file: Vec<CellPlan>,
    /// What the scenario leaves open about its time.
    pub clock: Clock,
    /// Cells of the whole file, those of variants that were not picked included.
    pub cells_of_file: usize,
    /// What must come out.
    pub expectations: Vec<Expectation>,
    /// Where each of them stands.
    pub places: Vec<String>,
    /// What it takes to repeat the study.
    pub manifest: Manifest,
}

impl Study {
    /// Runs in all, for a progress display.
    pub fn runs(&self) -> u64 {
        self.cells.len() as u64 * self.replications
    }

    /// Runs everything, and tells how far it has come; a closure is called once after each run, from any thread.
    ///
    /// A cell is refused, and has words instead of figures, if a run of it had to be given up or no size of a fleet
    /// keeps its goals.
    ///
    /// # Errors
    /// If every cell was refused.
    pub fn run(mut self, progress: &dyn Progress) -> Result<Summary, Box<Refused>> {
        let cells = self.cells.len() as u64;
        progress.begin(Phase::WarmingUp, cells);
        let warmed = warmup::find(&self);
        warmed.apply(&mut self.cells);
        let prepare = |cell: &mut CellPlan| {
            let seen = warmed.refused.iter().find(|failure| failure.is_of(cell));
            let mut sized = || {
                super::size::size(cell)?;
                warmup::start_steady(&mut cell.plan).map_err(|cause| Failure::of(cell, cause))
            };
            let failure = seen.cloned().or_else(|| sized().err());
            progress.step(Phase::Sizing);
            failure
        };
        progress.begin(Phase::Sizing, cells);
        let sized: Vec<Option<Failure>> = self.cells.par_iter_mut().map(prepare).collect();
        let figures = |cell: &CellPlan, results: &[RunResult]| {
            let mut figures = aggregate(cell, results);
            shares_of_windows(&self.expectations, cell, results, &mut figures.metrics);
            verdict::classify(&mut figures, cell, results, self.cells_of_file);
            figures
        };
        progress.begin(Phase::Running, self.runs());
        let each = self.cells.par_iter().zip(sized);
        let outcomes: Vec<Result<Cell, Failure>> = each
            .map(|(cell, failure)| match failure {
                Some(failure) => Err(failure),
                None => replicate(cell, self.replications, progress).map(|results| figures(cell, &results)),
            })
            .collect();
        let failures: Vec<Failure> = outcomes.iter().filter_map(|outcome| outcome.clone().err()).collect();
        let each = self.cells.iter().zip(outcomes);
        let cells: Vec<Cell> = each
            .map(|(cell, outcome)| outcome.unwrap_or_else(|failure| super::failure::refused(cell, &failure)))
            .collect();
        progress.begin(Phase::Judging, self.expectations.len() as u64);
        let judge = |(expectation, place): (&Expectation, &String)| {
            let judged = expectation.judge(&cells, place);
            progress.step(Phase::Judging);
            judged
        };
        let expectations = self.expectations.iter().zip(&self.places).flat_map(judge).collect();
        let first = self.cells.first().map(|cell| &cell.plan);
        let time = |get: fn(&Plan) -> Duration| first.map_or(0, |plan| get(plan).0);
        let all_refused = !cells.is_empty() && failures.len() == cells.len();
        let summary = Summary {
            schema: SCHEMA,
            scenario: self.name,
            title: self.title,
            replications: self.replications as u32,
            seed: self.seed,
            length_ns: time(|plan| plan.length),
            warmup_ns: time(|plan| plan.warmup),
            window_ns: time(|plan| plan.window),
            coarser: first.and_then(|plan| coarser(plan, show_duration)),
            axes: self.axes,
            differences: differences::of(&cells),
            cells,
            expectations,
            warmup: warmed.summary,
            warnings: warmed.warnings,
            manifest: self.manifest,
        };
        if all_refused {
            return Err(Box::new(Refused { failures, summary }));
        }
        Ok(summary)
    }
}

/// All replications of a cell, in the order of their numbers.
fn replicate(cell: &CellPlan, replications: u64, progress: &dyn Progress) -> Result<Vec<RunResult>, Failure> {
    let results = side_by_side(&cell.plan, 0..replications, cell.plan.length, progress);
    results.map_err(|halt| Failure::of(cell, Cause::halted(&cell.plan, halt)))
}

/// Runs of these numbers, in that order. One that has to be given up, alone or if it were to go on until `end`, ends
/// those with higher numbers, and only those, so that always the same one is named.
pub(super) fn side_by_side(
    plan: &Plan,
    numbers: Range<u64>,
    end: Duration,
    progress: &dyn Progress,
) -> Result<Vec<RunResult>, Halt> {
    let given_up = AtomicU64::new(u64::MAX);
    let run = |number: u64| {
        let wanted = || given_up.load(Ordering::Relaxed) > number;
        if !wanted() {
            return None;
        }
        let result = World::new(plan, number).on_behalf_of(end).run_while(&wanted);
        progress.step(Phase::Running);
        if result.halted.is_some() {
            given_up.fetch_min(number, Ordering::Relaxed);
        }
        Some(result)
    };
    let results: Vec<Option<RunResult>> = numbers.into_par_iter().map(run).collect();
    let results: Vec<RunResult> = results.into_iter().flatten().collect();
    match results.iter().find_map(|result| result.halted) {
        Some(halt) => Err(halt),
        None => Ok(results),
    }
}
