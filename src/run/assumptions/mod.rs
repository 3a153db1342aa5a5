//! What a scenario does not say and what decides its answer: the cell that is the answer runs again, a few times and
//! with the same dice, with a plausible other value of each field that was left at its default, and those that move the
//! answer most are named. Only what was measured is said.

mod effort;
mod found;
mod table;

use super::aggregate::aggregate;
use super::answer::headline::{self, Headline};
use super::load::cell::Reread;
use super::progress::{Progress, Quiet};
use super::study::{CellPlan, replicate};
use super::summary::{Cell, PointValue, Summary, Unit, name};
use super::tally::Found;
use super::warmup::Shown;
use crate::kernel::number::fit;
use crate::scenario::Node;
use effort::Effort;
use found::Candidate;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How many are named at most.
const NAMED: usize = 3;
/// A p99 decides if it moves by more than this share.
const TIME_MOVES: f64 = 0.2;
/// A bill decides if it moves by more than this share, and by more than a dollar a month.
const BILL_MOVES: f64 = 0.1;
/// What fails decides if it becomes so much more or less of all requests, and twice or half of what it was.
const FAILED_MOVES: f64 = 0.001;

/// A value that nobody stated and that decides the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assumption {
    /// The components that leave it open, such as `functions.orders`.
    pub components: Vec<String>,
    /// The field, such as `code_init`.
    pub field: String,
    /// What holds as long as nobody says otherwise, in words.
    pub words: String,
    /// The value that holds, as a scenario would write it.
    pub used: String,
    /// How sure that is: `low` where a service says so, `assumed` for a default of coldcurve's own, `as written`.
    pub confidence: String,
    /// What was tried instead, in words.
    pub tried: String,
    /// What that moved.
    pub effects: Vec<Effect>,
    /// The variant that was run.
    pub variant: String,
    /// Its sweep point.
    pub point: Vec<PointValue>,
    /// Runs with either value.
    pub runs: u32,
    /// Measured time of each, in nanoseconds.
    pub measured_ns: u64,
}

/// What another value does to a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The metric.
    pub metric: String,
    /// Unit of both figures.
    pub unit: Unit,
    /// With the value that is assumed, in the runs that were made to compare.
    pub from: f64,
    /// With the other one, with the same dice.
    pub to: f64,
}

impl Effect {
    /// How many times as large or as small the figure becomes. A share of failures counts from a thousandth.
    fn strength(&self) -> f64 {
        let least = if self.unit == Unit::Ratio { FAILED_MOVES } else { 0.0 };
        let ratio = (self.to + least) / (self.from + least);
        ratio.max(ratio.recip())
    }
}

/// Tries what else is plausible for the answer of a study, or for its first cell that has figures.
pub fn measure(
    reread: &Reread,
    plans: &[CellPlan],
    pilots: &Shown,
    summary: &Summary,
    progress: &dyn Progress,
) -> Vec<Assumption> {
    let ran = |cell: &&(&Cell, &CellPlan)| cell.0.refused.is_none();
    let mut cells = summary.cells.iter().zip(plans);
    let answer = cells.clone().find(|(cell, _)| summary.answer.is(cell));
    let Some((seen, plan)) = answer.or_else(|| cells.find(|cell| ran(&cell))) else {
        return Vec::new();
    };
    // Of runs that end in two places, chance decides in which.
    if !seen.regimes.is_empty() {
        return Vec::new();
    }
    let Some(tree) = reread.tree(plan) else {
        return Vec::new();
    };
    let mut candidates = found::all(&tree, reread.catalog());
    let Some(effort) = Effort::of(summary, seen, plan, candidates.len()) else {
        return Vec::new();
    };
    candidates.truncate(effort.tries);
    let trees: Vec<Node> = candidates.iter().map(|one| one.put(&tree)).collect();
    let varied = reread.read(plan, &trees);
    let settled = Found::of(plan, pilots);
    let headline = headline::of(summary);
    let run = |mut cell: CellPlan| {
        effort.shorten(&mut cell);
        let runs = replicate(&cell, 0..effort.runs, &Quiet(progress)).ok()?;
        Some(aggregate(&cell, &runs.iter().collect::<Vec<_>>()))
    };
    let Some(base) = run(plan.clone()) else {
        return Vec::new();
    };
    let mut short = plan.clone();
    effort.shorten(&mut short);
    let tried = candidates.into_par_iter().zip(varied).filter_map(|(candidate, cell)| {
        let mut cell = cell?;
        let other = settled.settle(&mut cell).then(|| run(cell))??;
        let effects = effects(&headline, &base, &other);
        (!effects.is_empty()).then(|| Assumption {
            words: worded(&candidate),
            components: candidate
                .components
                .iter()
                .map(|one| format!("{}.{one}", candidate.open.section))
                .collect(),
            field: candidate.open.field.to_owned(),
            used: candidate.used,
            confidence: candidate.confidence,
            tried: candidate.tried,
            effects,
            variant: plan.variant.clone(),
            point: plan.point.clone(),
            runs: fit(effort.runs),
            measured_ns: (short.plan.length - short.plan.warmup).0,
        })
    });
    let mut tried: Vec<Assumption> = tried.collect();
    let strength = |one: &Assumption| one.effects.iter().map(Effect::strength).fold(0.0, f64::max);
    tried.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    tried.truncate(NAMED);
    tried
}

/// What holds as long as nobody says otherwise.
fn worded(candidate: &Candidate) -> String {
    let whose = match candidate.components.as_slice() {
        [one] => format!("`{one}`"),
        [one, other] => format!("`{one}` and `{other}`"),
        [one, other, rest @ ..] => format!("`{one}`, `{other}` and {} more", rest.len()),
        [] => String::new(),
    };
    let words = candidate.open.words.replace("{used}", &candidate.used);
    words.replace("{}", &whose)
}

/// What moves enough to decide something.
fn effects(headline: &Headline, base: &Cell, other: &Cell) -> Vec<Effect> {
    let p99 = format!("{}.p99", headline.stem());
    let figure = |metric: &str, unit| {
        Some(Effect {
            metric: metric.to_owned(),
            unit,
            from: headline::mean(base, metric)?,
            to: headline::mean(other, metric)?,
        })
    };
    let moves = |effect: &Effect, share: f64| effect.from > 0.0 && (effect.to / effect.from - 1.0).abs() > share;
    let time = figure(&p99, Unit::Seconds).filter(|effect| moves(effect, TIME_MOVES) && agreed(base, other, &p99));
    let bill = figure(name::BILL_MONTH, Unit::Dollars)
        .filter(|effect| moves(effect, BILL_MOVES) && (effect.to - effect.from).abs() > 1.0)
        .filter(|_| agreed(base, other, name::BILL_MONTH));
    let failed = figure(name::ERROR_RATIO, Unit::Ratio)
        .filter(|effect| (effect.to - effect.from).abs() > FAILED_MOVES && effect.strength() > 2.0);
    [time, failed, bill].into_iter().flatten().collect()
}

/// Whether a metric moves the same way in each pair of runs.
fn agreed(base: &Cell, other: &Cell, metric: &str) -> bool {
    let (Some(base), Some(other)) = (base.metric(metric), other.metric(metric)) else {
        return false;
    };
    let pairs = || base.per_replication.iter().zip(&other.per_replication);
    pairs().all(|(from, to)| to > from) || pairs().all(|(from, to)| to < from)
}
