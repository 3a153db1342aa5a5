//! The answer in words: which cells keep the promise, the cheapest of them and how far the next is, and what is wrong
//! with each of the rest, with the number that makes it wrong. A pure function of the summary.

pub mod along;
pub mod choose;
pub mod headline;
pub mod judge;
pub mod words;
pub mod work;

#[cfg(test)]
mod tests;

use super::differences;
use super::summary::{Cell, PointValue, Summary};
use choose::Group;
use judge::{Judged, State};
use serde::{Deserialize, Serialize};

/// What a run answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// One to three lines.
    pub lines: Vec<String>,
    /// What was promised, in one line.
    pub promise: String,
    /// The variant and point to take: one, or one for each value of what cannot be chosen, such as traffic; none if
    /// nothing keeps the promise.
    pub winners: Vec<Winner>,
    /// What is wrong with the others, or how much more they cost.
    pub reasons: Vec<Reason>,
}

/// A cell to take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Winner {
    /// Its variant.
    pub variant: String,
    /// Its sweep point.
    pub point: Vec<PointValue>,
}

/// Why a cell is not the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Its variant.
    pub variant: String,
    /// Its sweep point.
    pub point: Vec<PointValue>,
    /// Whether it keeps the promise.
    pub state: State,
    /// Why.
    pub words: String,
}

impl Answer {
    /// Whether a cell is the answer, or one of them.
    pub fn is(&self, cell: &Cell) -> bool {
        self.winners
            .iter()
            .any(|winner| cell.is_at(&winner.variant, &winner.point))
    }
}

/// Everything that the words are made of.
pub struct Found<'s> {
    /// What was found out.
    pub summary: &'s Summary,
    /// What is wrong with each cell.
    pub judged: Vec<Judged>,
    /// What can be chosen between.
    pub groups: Vec<Group>,
    /// What the system is about.
    pub headline: headline::Headline,
}

impl<'s> Found<'s> {
    fn of(summary: &'s Summary) -> Self {
        let judged = judge::all(summary);
        let headline = headline::of(summary);
        let groups = choose::groups(summary, &judged, &headline);
        Self {
            summary,
            judged,
            groups,
            headline,
        }
    }

    fn answer(&self) -> Answer {
        let cells = &self.summary.cells;
        // Along what nobody chooses, a single system has nothing to be chosen.
        let choice = self.groups.iter().any(|group| group.members.len() > 1) || cells.len() == 1;
        let mut winners: Vec<usize> = self
            .groups
            .iter()
            .filter_map(|group| group.winner)
            .filter(|_| choice)
            .collect();
        winners.sort_unstable();
        winners.dedup();
        let promised = |result: &&super::summary::ExpectationResult| result.promised;
        let mut named: Vec<&str> = Vec::new();
        for result in self.summary.expectations.iter().filter(promised) {
            if !named.contains(&result.place.as_str()) {
                named.push(&result.place);
            }
        }
        let winner = |place: &usize| Winner {
            variant: cells[*place].variant.clone(),
            point: cells[*place].point.clone(),
        };
        Answer {
            lines: words::lines(self),
            promise: self.summary.promise.words(named.len()),
            winners: winners.iter().map(winner).collect(),
            reasons: self.reasons(&winners),
        }
    }

    fn reasons(&self, winners: &[usize]) -> Vec<Reason> {
        let cells = self.summary.cells.iter().zip(&self.judged).enumerate();
        let others = cells.filter(|(place, _)| !winners.contains(place));
        let reason = |(_, (cell, judged)): (usize, (&Cell, &Judged))| {
            let words = match judged.worst() {
                Some(fault) => fault.words(),
                None => words::surcharge(self.summary, cell).unwrap_or_else(|| "keeps the promise".to_owned()),
            };
            Reason {
                variant: cell.variant.clone(),
                point: cell.point.clone(),
                state: judged.state(),
                words,
            }
        };
        others.map(reason).collect()
    }
}

/// Finds the answer of a summary, and measures all others against it.
pub fn complete(summary: &mut Summary) {
    let groups = Found::of(summary).groups;
    let winners: Vec<usize> = groups.iter().filter_map(|group| group.winner).collect();
    summary.differences = differences::of(&summary.cells, &summary.axes, &winners);
    summary.answer = Found::of(summary).answer();
}
