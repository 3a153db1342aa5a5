//! What happens to single units of work, step by step: for whoever wants to see each try of a message.
//!
//! A run that is recorded is the same run: nothing is drawn for it, and it is made beside the ones that are counted.

use super::{End, Unit};
use crate::kernel::Instant;
use crate::kernel::number::fit;
use crate::model::request::entry::Status;
use std::collections::BTreeMap;

/// A unit by its source, which is the place of that among all components, and its number among all of its arrivals.
pub type Number = (u32, u64);

/// Something that happens to a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It reaches a component, as itself or in a batch.
    Reaches,
    /// What was done for it there is answered.
    Answered(Status),
    /// It is known to have ended there so, or a part of it.
    Ends(End),
}

/// A step of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// The component, by its place among all.
    pub place: u32,
    /// What.
    pub what: What,
}

/// How a unit ended, and what happened to it if that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which unit.
    pub unit: Number,
    /// When it came.
    pub arrived: Instant,
    /// When the last thing that it caused ended.
    pub last: Instant,
    /// How, where and why it ended.
    pub end: End,
    /// Whether a part of it was done.
    pub partly: bool,
    /// Its steps, in the order of time.
    pub steps: Vec<Step>,
}

/// A journal while a run goes on.
#[derive(Debug, Default)]
pub struct Journal {
    /// Units that came so far, by source.
    arrived: BTreeMap<u32, u64>,
    /// The number of the unit at each place.
    numbers: Vec<Number>,
    /// Whose steps are kept.
    steps: BTreeMap<Number, Vec<Step>>,
    /// Units that have ended.
    entries: Vec<Entry>,
}

impl Journal {
    /// Keeps the steps of these units, and the ends of all.
    pub fn of(units: impl IntoIterator<Item = Number>) -> Self {
        Self {
            steps: units.into_iter().map(|unit| (unit, Vec::new())).collect(),
            ..Self::default()
        }
    }

    pub(super) fn arrive(&mut self, place: u32, source: u32) {
        let number = self.arrived.entry(source).or_default();
        *number += 1;
        let place = place as usize;
        if self.numbers.len() <= place {
            self.numbers.resize(place + 1, (0, 0));
        }
        self.numbers[place] = (source, *number);
    }

    pub(super) fn step(&mut self, unit: u32, step: Step) {
        if let Some(steps) = self.steps.get_mut(&self.numbers[unit as usize]) {
            steps.push(step);
        }
    }

    pub(super) fn close(&mut self, place: u32, unit: &Unit, end: End) {
        let number = self.numbers[place as usize];
        self.entries.push(Entry {
            unit: number,
            arrived: unit.arrived,
            last: unit.fate.last,
            end,
            partly: unit.fate.partly,
            steps: self.steps.remove(&number).unwrap_or_default(),
        });
    }

    /// All units that came since counting began and have ended, in the order of their arrival.
    pub(super) fn finish(mut self, since: Instant) -> Vec<Entry> {
        self.entries.retain(|entry| entry.arrived >= since);
        self.entries.sort_by_key(|entry| (entry.arrived, entry.unit));
        self.entries
    }
}

/// Which units to look at more closely: every n-th, so that there are about `most` of them, the slowest, and the first
/// that ended in each way that is not good; a tenth of `most` of each of these.
pub fn choice(entries: &[Entry], most: usize) -> Vec<Number> {
    let few = (most / 10).max(1);
    let every = entries.len().div_ceil(most.max(1)).max(1);
    let mut chosen: Vec<Number> = entries.iter().step_by(every).map(|entry| entry.unit).collect();
    let mut slowest: Vec<&Entry> = entries.iter().collect();
    slowest.sort_by_key(|entry| std::cmp::Reverse(entry.last.since(entry.arrived)));
    chosen.extend(slowest.iter().take(few).map(|entry| entry.unit));
    let mut by_end: BTreeMap<(super::State, u32, super::Why), usize> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.end.state != super::State::Good) {
        let seen = by_end
            .entry((entry.end.state, entry.end.place, entry.end.why))
            .or_default();
        *seen += 1;
        if *seen <= few {
            chosen.push(entry.unit);
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

impl super::Lineages {
    /// Keeps a journal from now on.
    pub fn record(&mut self, journal: Journal) {
        self.journal = Some(Box::new(journal));
    }

    /// Something happens to whatever descends from this.
    #[cold]
    pub fn step(&mut self, of: super::Lineage, at: Instant, place: u32, what: What) {
        let Some(journal) = &mut self.journal else { return };
        let (mut left, mut units) = (vec![of], Vec::new());
        while let Some(next) = left.pop() {
            match next.batch() {
                Some(batch) => left.extend(&self.batches[batch].members),
                None if next.is_none() => {}
                None => units.push(fit::<u32, _>(next.0)),
            }
        }
        units.sort_unstable();
        units.dedup();
        for unit in units {
            journal.step(unit, Step { at, place, what });
        }
    }
}
