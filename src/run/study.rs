//! Runs all cells of a scenario, each many times, in parallel.
//!
//! A run is a pure function of (plan, seed, run number). It is packed into a tally where it ends, and figures are made
//! of the tallies in the order of run numbers, so the same bytes come out for any number of threads, and of tallies
//! that were made elsewhere ([`summarise`]). All cells share their dice (common random numbers).

use super::aggregate::{aggregate, count};
use super::answer::{self, Answer};
use super::assumptions;
use super::billing::BillingPlan;
use super::coarse::coarser;
use super::episodes::Month;
use super::expect::{Expectation, shares_of_windows};
use super::failure::{Cause, Failure, Refused};
use super::load::cell::Reread;
use super::progress::{Phase, Progress, Silent};
use super::promise::Promise;
use super::summary::{Axis, Cell, InputRef, Manifest, PointValue, SCHEMA, Summary};
use super::tally::{Origin, Packed, Tallies, TallyError, Twin};
use super::verdict;
use super::warmup::{self, Clock, Warmed};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::Plan;
use crate::model::world::run::{Halt, RunResult, World};
use crate::scenario::units::show_duration;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
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
    /// Digest of what decides its runs: [`super::tally::scenario_digest`].
    pub digest: u64,
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
    /// About how many units of work of each cell's first run are recorded step by step, if any ([`super::units`]).
    pub record: Option<u64>,
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
    /// What an answer must keep.
    pub promise: Promise,
    /// What must come out.
    pub expectations: Vec<Expectation>,
    /// Where each of them stands.
    pub places: Vec<String>,
    /// What it takes to repeat the study.
    pub manifest: Manifest,
    /// The data files and services of one's own that decide its runs, and their digests.
    pub data: Vec<InputRef>,
    /// What it was read from, if plausible other values of what is not said are to be tried.
    pub reread: Option<Arc<Reread>>,
}

impl Study {
    /// Runs in all, for a progress display.
    pub fn runs(&self) -> u64 {
        self.cells.len() as u64 * self.replications
    }

    /// How often the runs of one number are made, in all cells together: once, and once more for each step in which a
    /// month's episodes leave.
    fn rounds(&self) -> u64 {
        let of = |cell: &CellPlan| 1 + Month::of(&cell.plan).steps.len() as u64;
        self.cells.iter().map(of).sum()
    }

    /// Runs everything, and tells how far it has come; a closure is called once after each run, from any thread.
    ///
    /// A cell is refused, and has words instead of figures, if a run of it had to be given up or no size of a fleet
    /// keeps its goals. Where the work is cancelled, the cells that were not done are refused.
    ///
    /// # Errors
    /// If every cell was refused.
    pub fn run(mut self, progress: &dyn Progress) -> Result<Summary, Box<Refused>> {
        let (warmed, settled) = self.settle(progress);
        progress.begin(Phase::Running, self.rounds() * self.replications);
        let each = self.cells.par_iter().zip(settled);
        let outcomes: Vec<Result<Cell, Failure>> = each
            .map(|(cell, failure)| match failure {
                Some(failure) => Err(failure),
                None => replicate(cell, 0..self.replications, progress)
                    .map(|runs| self.figures(cell, &runs.iter().collect::<Vec<_>>(), progress)),
            })
            .collect();
        self.finish(outcomes, warmed, progress)
    }

    /// Runs the runs of these numbers of every cell, and keeps their tallies: a part of a study, or all of it, for
    /// [`summarise`]. `progress` is told after each run, from any thread.
    ///
    /// A cell of which a run had to be given up, or which has no size that keeps its goals, has a failure instead.
    pub fn tallies(mut self, numbers: &Range<u64>, progress: &dyn Progress) -> Vec<Result<Tallies, Failure>> {
        let (warmed, settled) = self.settle(progress);
        progress.begin(Phase::Running, self.rounds() * (numbers.end - numbers.start));
        let tallies = |(cell, failure): (&CellPlan, Option<Failure>)| {
            if let Some(failure) = failure {
                return Err(failure);
            }
            let runs = replicate(cell, numbers.clone(), progress)?;
            let origin = Arc::new(Origin::of(&self, cell, &warmed.shown));
            Ok(Tallies::new(origin, numbers.clone().zip(runs).collect()))
        };
        self.cells.par_iter().zip(settled).map(tallies).collect()
    }

    /// Settles what the scenario leaves open (warm-up, sizes, what is warm at the start) by pilot runs; says why some
    /// cells cannot run.
    fn settle(&mut self, progress: &dyn Progress) -> (Warmed, Vec<Option<Failure>>) {
        let cells = self.cells.len() as u64;
        progress.begin(Phase::WarmingUp, cells);
        let warmed = warmup::find(self, progress);
        warmed.apply(&mut self.cells);
        let prepare = |cell: &mut CellPlan| {
            let seen = warmed.refused.iter().find(|failure| failure.is_of(cell));
            let mut sized = || {
                super::size::size(cell, progress)?;
                warmup::start_steady(&mut cell.plan, progress).map_err(|cause| Failure::of(cell, cause))
            };
            let failure = seen.cloned().or_else(|| sized().err());
            progress.step(Phase::Sizing);
            failure
        };
        progress.begin(Phase::Sizing, cells);
        let settled = self.cells.par_iter_mut().map(prepare).collect();
        (warmed, settled)
    }

    /// The figures of a cell, and what is said about them.
    fn figures(&self, cell: &CellPlan, runs: &[&Packed], progress: &dyn Progress) -> Cell {
        let mut figures = aggregate(cell, runs);
        shares_of_windows(&self.expectations, cell, runs, &mut figures.metrics);
        verdict::classify(&mut figures, cell, runs, self.cells_of_file, progress);
        if let Some(most) = self.record {
            figures.units = super::units::of(cell, crate::kernel::number::place(most));
        }
        figures
    }

    /// The summary of cells with their figures.
    fn finish(
        self,
        outcomes: Vec<Result<Cell, Failure>>,
        warmed: Warmed,
        progress: &dyn Progress,
    ) -> Result<Summary, Box<Refused>> {
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
        let mut summary = Summary {
            schema: SCHEMA,
            scenario: self.name,
            title: self.title,
            replications: fit(self.replications),
            seed: self.seed,
            length_ns: time(|plan| plan.length),
            warmup_ns: time(|plan| plan.warmup),
            window_ns: time(|plan| plan.window),
            coarser: first.and_then(|plan| coarser(plan, show_duration)),
            axes: self.axes,
            differences: Vec::new(),
            cells,
            promise: self.promise,
            answer: Answer::default(),
            assumptions: Vec::new(),
            expectations,
            warmup: warmed.summary,
            warnings: warmed.warnings,
            manifest: self.manifest,
        };
        answer::complete(&mut summary);
        if let Some(reread) = &self.reread {
            summary.assumptions = assumptions::measure(reread, &self.cells, &warmed.shown, &summary, progress);
        }
        if all_refused {
            return Err(Box::new(Refused { failures, summary }));
        }
        Ok(summary)
    }
}

/// The summary of tallies of a study's cells: what [`Study::run`] finds out, from runs that were made before, in
/// whatever order and wherever. The scenario gives names, prices and expectations, and these may have changed since. A
/// cell that ends in two places has its empty start tried with as many more runs, as in [`Study::run`]; nothing else is
/// run.
///
/// Its number of replications is that of the tallies.
///
/// # Errors
/// If the tallies are of another version, scenario, seed or data, or of a cell that the scenario has not, or if a cell
/// lacks runs that another one has.
pub fn summarise(mut study: Study, sets: Vec<Tallies>) -> Result<Summary, TallyError> {
    let mut by_cell: BTreeMap<usize, Tallies> = BTreeMap::new();
    for set in sets {
        let Some(origin) = set.origin() else { continue };
        let place = study.cells.iter().position(|cell| origin.is_of(cell));
        let place = place.ok_or_else(|| TallyError::NoSuchCell(origin.cell()))?;
        by_cell.entry(place).or_default().join(set)?;
    }
    let Some((numbers, shown)) = by_cell.first_entry().and_then(|first| {
        let shown = first.get().origin()?.found.pilots.clone();
        Some((first.get().numbers(), shown))
    }) else {
        return Err(TallyError::Missing("all cells".to_owned()));
    };
    let warmed = warmup::after(&study, &shown);
    warmed.apply(&mut study.cells);
    for place in 0..study.cells.len() {
        let found = by_cell.get(&place).filter(|set| set.numbers() == numbers);
        let missing = || TallyError::Missing(Origin::of(&study, &study.cells[place], &shown).cell());
        let origin = found.and_then(Tallies::origin).ok_or_else(missing)?;
        let mut cell = study.cells[place].clone();
        if !origin.found.settle(&mut cell) {
            return Err(TallyError::Scenario(origin.cell()));
        }
        // The warm-up is the scenario's, or follows from what the pilots showed; it cannot be another one.
        let time = |plan: &Plan| (plan.warmup, plan.length);
        if time(&cell.plan) != time(&study.cells[place].plan) {
            return Err(TallyError::Found(origin.cell()));
        }
        Origin::of(&study, &cell, &shown).same_as(origin)?;
        if !by_cell[&place].packed().iter().all(|run| run.fits(&cell.plan)) {
            return Err(TallyError::Damaged);
        }
        study.cells[place] = cell;
    }
    (study.replications, study.reread) = (numbers.len() as u64, None);
    let figures = |(place, cell): (usize, &CellPlan)| {
        let mut figures = study.figures(cell, &by_cell[&place].packed(), &Silent);
        for regime in &mut figures.regimes {
            regime
                .runs
                .iter_mut()
                .for_each(|run| *run = fit(numbers[*run as usize]));
        }
        Ok(figures)
    };
    let cells = study
        .cells
        .par_iter()
        .enumerate()
        .map(|(place, cell)| figures((place, cell)))
        .collect();
    study
        .finish(cells, warmed, &|| ())
        .map_err(|refused| TallyError::Missing(refused.summary.scenario))
}

/// Runs of a cell, in the order of their numbers, each with what its twins counted.
pub(super) fn replicate(cell: &CellPlan, numbers: Range<u64>, progress: &dyn Progress) -> Result<Vec<Packed>, Failure> {
    let pack = |result: RunResult| Packed::of(&result, cell.plan.window);
    let refused = |plan: &Plan, halt| Failure::of(cell, Cause::halted(plan, halt));
    let results = side_by_side(&cell.plan, numbers.clone(), cell.plan.length, progress, &pack);
    let mut results = results.map_err(|halt| refused(&cell.plan, halt))?;
    for plan in Month::of(&cell.plan).twins(&cell.plan) {
        let keep = |result: RunResult| {
            let packed = Packed::of(&result, plan.window);
            Twin {
                requests: count(&packed, &plan, super::summary::name::OFFERED),
                owed: result.owed,
                meters: result.meters,
            }
        };
        let twins = side_by_side(&plan, numbers.clone(), plan.length, progress, &keep);
        let twins = twins.map_err(|halt| refused(&plan, halt))?;
        let both = results.into_iter().zip(&twins);
        results = both.map(|(run, twin)| run.with_twin(twin)).collect();
    }
    Ok(results)
}

/// Runs of these numbers, in that order, and what is to be kept of each. One that has to be given up, alone or if it
/// were to go on until `end`, ends those with higher numbers, and only those, so that always the same one is named.
pub(super) fn side_by_side<T: Send>(
    plan: &Plan,
    numbers: Range<u64>,
    end: Duration,
    progress: &dyn Progress,
    keep: &(dyn Fn(RunResult) -> T + Sync),
) -> Result<Vec<T>, Halt> {
    let given_up = AtomicU64::new(u64::MAX);
    let run = |number: u64| {
        if progress.is_cancelled() {
            return Some(Err(Halt::Unwanted));
        }
        let wanted = || given_up.load(Ordering::Relaxed) > number && !progress.is_cancelled();
        if !wanted() {
            return None;
        }
        let result = World::new(plan, number).on_behalf_of(end).run_while(&wanted);
        progress.step(Phase::Running);
        if let Some(halt) = result.halted {
            given_up.fetch_min(number, Ordering::Relaxed);
            return Some(Err(halt));
        }
        Some(Ok(keep(result)))
    };
    let results: Vec<Option<Result<T, Halt>>> = numbers.into_par_iter().map(run).collect();
    results.into_iter().flatten().collect()
}
