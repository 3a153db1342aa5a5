//! Runs all cells of a scenario, each many times, in parallel.
//!
//! A run is a pure function of (plan, seed, run number), and results are added up in the order of run numbers, so the
//! same bytes come out for any number of threads. All cells share their dice (common random numbers).

use super::aggregate::aggregate;
use super::billing::BillingPlan;
use super::differences;
use super::expect::{Expectation, shares_of_windows};
use super::failure::{Cause, Failure};
use super::summary::{Axis, Cell, Manifest, PointValue, SCHEMA, Summary};
use super::verdict;
use super::warmup::{self, Clock};
use crate::kernel::Duration;
use crate::model::Plan;
use crate::model::world::{RunResult, World};
use rayon::prelude::*;

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

    /// Runs everything. `progress` is called once after each run, from any thread.
    ///
    /// # Errors
    /// If a run had to be given up, or no size of a fleet keeps its goals.
    pub fn run(mut self, progress: &(dyn Fn() + Sync)) -> Result<Summary, Failure> {
        let warmed = warmup::find(&self);
        warmed.apply(&mut self.cells);
        self.cells.par_iter_mut().try_for_each(super::size::size)?;
        self.cells
            .par_iter_mut()
            .for_each(|cell| warmup::start_steady(&mut cell.plan));
        let cell = |cell: &CellPlan| {
            let run = |number: u64| {
                let result = World::new(&cell.plan, number).run();
                progress();
                match result.halted {
                    None => Ok(result),
                    Some(halt) => Err(Failure {
                        variant: cell.variant.clone(),
                        cause: Cause::Halted(halt),
                    }),
                }
            };
            let results: Result<Vec<RunResult>, Failure> = (0..self.replications).into_par_iter().map(run).collect();
            let results = results?;
            let mut figures = aggregate(cell, &results);
            shares_of_windows(&self.expectations, cell, &results, &mut figures.metrics);
            verdict::classify(&mut figures, cell, &results, self.cells_of_file);
            Ok(figures)
        };
        let cells: Vec<Cell> = self.cells.par_iter().map(cell).collect::<Result<_, Failure>>()?;
        let judge = |(expectation, place): (&Expectation, &String)| expectation.judge(&cells, place);
        let expectations = self.expectations.iter().zip(&self.places).flat_map(judge).collect();
        let first = self.cells.first().map(|cell| &cell.plan);
        let time = |get: fn(&Plan) -> Duration| first.map_or(0, |plan| get(plan).0);
        Ok(Summary {
            schema: SCHEMA,
            scenario: self.name,
            title: self.title,
            replications: self.replications as u32,
            seed: self.seed,
            length_ns: time(|plan| plan.length),
            warmup_ns: time(|plan| plan.warmup),
            window_ns: time(|plan| plan.window),
            axes: self.axes,
            differences: differences::of(&cells),
            cells,
            expectations,
            warmup: warmed.summary,
            warnings: warmed.warnings,
            manifest: self.manifest,
        })
    }
}
