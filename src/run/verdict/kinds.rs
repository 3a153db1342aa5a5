//! What a verdict on a cell is: plain data, part of `summary.json`.

use crate::run::summary::Cell;
use serde::{Deserialize, Serialize};

/// The classes, in their order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Nothing came in what was measured.
    NoTraffic,
    /// Some runs end in one place and some in another.
    TwoRegimes,
    /// Something grows and does not slow down.
    Growing,
    /// A backlog falls until the end of the run.
    Draining,
    /// What comes at times of its own was not done when the measured time ended.
    Unfinished,
    /// The input repeats itself, but not a whole number of times in what was measured.
    Periodic,
    /// It still changes at the end, or too few windows were seen to tell.
    TooShort,
    /// Everything that comes, comes once.
    Episode,
    /// None of these.
    Steady,
}

/// One finding about a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What it is.
    pub class: Class,
    /// The finding in words, with its evidence.
    pub words: String,
    /// What to change or to look at, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The timeline or metric that shows it, such as `queues.jobs.depth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Since when, in seconds from the start of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_s: Option<f64>,
    /// Change per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// In how many seconds it doubles, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubles_every_s: Option<f64>,
    /// The chance that a steady system shows as much, before the number of cells and lines is allowed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}

impl Verdict {
    pub(super) fn new(class: Class, words: String) -> Self {
        Self {
            class,
            words,
            hint: None,
            metric: None,
            since_s: None,
            per_second: None,
            doubles_every_s: None,
            p_value: None,
        }
    }
}

/// The runs of a cell that end in one of its two places, and their figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regime {
    /// What happens in them, in one or two words.
    pub name: String,
    /// Whether they are the ones that fail or fall behind.
    pub fails: bool,
    /// Their run numbers.
    pub runs: Vec<u32>,
    /// The cell as these runs alone show it.
    pub cell: Cell,
}

impl Regime {
    /// The mean of a metric over these runs; not a number if they have none.
    pub fn mean(&self, metric: &str) -> f64 {
        self.cell.metric(metric).map_or(f64::NAN, |metric| metric.estimate.mean)
    }
}

/// Work that was lost, or that failed where nobody waits for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The metric that counts it, such as `queues.jobs.dead_lettered`.
    pub metric: String,
    /// The finding in words.
    pub words: String,
    /// How much in all runs.
    pub lost: u64,
    /// Out of how much.
    pub of: u64,
    /// How much of it no design can work off: what always fails, whoever tries it, as far as chance allows.
    #[serde(default)]
    pub unavoidable: u64,
}

impl Loss {
    /// Whether nothing was lost that another design could have worked off.
    pub fn is_unavoidable(&self) -> bool {
        self.lost <= self.unavoidable
    }

    /// The share that was lost.
    pub fn ratio(&self) -> f64 {
        self.lost as f64 / self.of.max(1) as f64
    }
}

impl Cell {
    /// The verdict that comes first; steady where nothing was judged.
    pub fn class(&self) -> Class {
        self.verdicts.first().map_or(Class::Steady, |verdict| verdict.class)
    }

    /// Whether it has a verdict of that class.
    pub fn is(&self, class: Class) -> bool {
        self.verdicts.iter().any(|verdict| verdict.class == class)
    }

    /// Whether its means and its bill mean something beside another cell's.
    pub fn is_comparable(&self) -> bool {
        let not = [Class::NoTraffic, Class::TwoRegimes, Class::Growing];
        self.refused.is_none() && !not.iter().any(|class| self.is(*class))
    }

    /// Whether what was measured can stand for a month: nothing is still owed, and what came comes again.
    pub fn has_month(&self) -> bool {
        let not = [Class::Draining, Class::Unfinished, Class::Periodic, Class::Episode];
        self.is_comparable() && !not.iter().any(|class| self.is(*class))
    }

    /// Whether it was refused, or fails, loses or never catches up with a part of its work that is worth a mark: one in
    /// ten thousand.
    pub fn is_bad(&self) -> bool {
        const WORTH_A_MARK: f64 = 1e-4;
        let errors = self.metric(crate::run::summary::name::ERROR_RATIO);
        self.refused.is_some()
            || self.is(Class::Growing)
            || self.losses.iter().any(|loss| loss.ratio() >= WORTH_A_MARK)
            || errors.is_some_and(|errors| errors.estimate.mean >= WORTH_A_MARK)
    }
}
