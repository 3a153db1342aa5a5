//! Runs all cells of a scenario, each many times, in parallel.
//!
//! A run is a pure function of (plan, seed, run number), and results are added up in the order of run numbers, so the
//! same bytes come out for any number of threads. All cells share their dice (common random numbers).

use super::aggregate::aggregate;
use super::billing::BillingPlan;
use super::expect::Expectation;
use super::failure::{Cause, Failure};
use super::summary::{Axis, Cell, Manifest, PointValue, SCHEMA, Summary};
use super::verdict;
use crate::kernel::Duration;
use crate::model::Plan;
use crate::model::world::{RunResult, World};
use crate::stats::mser5;
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
    /// Whether its warm-up is to be found by a pilot run.
    pub warmup_auto: bool,
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
    /// Cells of the whole file, those of variants that were not picked included.
    pub cells_of_file: usize,
    /// What must come out.
    pub expectations: Vec<Expectation>,
    /// Where each of them stands.
    pub places: Vec<String>,
    /// What it takes to repeat the study.
    pub manifest: Manifest,
}

/// Pilot runs have a run number of their own, so that they do not share dice with what is measured.
const PILOT: u64 = u64::MAX;
/// Windows of a pilot run, in which the end of the transient is looked for.
const PILOT_WINDOWS: u64 = 400;

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
        self.find_warmup();
        self.cells.par_iter_mut().try_for_each(super::size::size)?;
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
            let mut found = aggregate(cell, &results);
            verdict::classify(&mut found, cell, &results, self.cells_of_file);
            Ok(found)
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
            cells,
            expectations,
            warnings: Vec::new(),
            manifest: self.manifest,
        })
    }

    /// Finds the warm-up where a scenario leaves it open: the longest transient that MSER-5 sees in a pilot run of each
    /// variant, in whole windows, and at most half of the run. It is one for all cells, so that they stay comparable.
    fn find_warmup(&mut self) {
        if !self.cells.iter().any(|cell| cell.warmup_auto) {
            return;
        }
        let mut pilots: Vec<&CellPlan> = Vec::new();
        for cell in &self.cells {
            if !pilots.iter().any(|pilot| pilot.variant == cell.variant) {
                pilots.push(cell);
            }
        }
        let longest = pilots
            .into_par_iter()
            .map(|cell| transient(&cell.plan))
            .max()
            .unwrap_or_default();
        for cell in &mut self.cells {
            let plan = &mut cell.plan;
            let windows = longest.0.div_ceil(plan.window.0);
            let most = plan.length.0 / 2 / plan.window.0;
            plan.warmup = Duration(windows.min(most) * plan.window.0);
        }
    }
}

/// The length of the transient at the start of a run: levels and latencies by short windows, each judged by MSER-5.
fn transient(plan: &Plan) -> Duration {
    let window = Duration((plan.length.0 / PILOT_WINDOWS).max(1));
    let pilot = Plan {
        warmup: Duration::ZERO,
        window,
        // What a fault does is no transient at the start.
        faults: Vec::new(),
        ..plan.clone()
    };
    let result = World::new(&pilot, PILOT).run();
    let judged = ["latency.p50", "instances", "depth"];
    let lines = result.series.iter().filter(|line| judged.contains(&line.metric));
    let dropped = lines.filter_map(|line| mser5(&line.values)).max().unwrap_or(0);
    Duration(dropped as u64 * window.0)
}
