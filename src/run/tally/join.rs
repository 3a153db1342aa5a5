//! Tallies of one cell, joined in any order.

use super::{Origin, Packed, Tally, TallyError, record};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// The tallies of one cell, by the numbers of their runs.
///
/// Joining them in another order gives the same set: nothing is added up until a summary is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    origin: Option<Arc<Origin>>,
    runs: BTreeMap<u64, Packed>,
}

impl From<Tally> for Tallies {
    fn from(tally: Tally) -> Self {
        Self {
            origin: Some(tally.origin),
            runs: BTreeMap::from([(tally.run, tally.packed)]),
        }
    }
}

impl Tallies {
    /// No tallies of a cell with this origin yet.
    pub(in crate::run) fn new(origin: Arc<Origin>, runs: BTreeMap<u64, Packed>) -> Self {
        Self {
            origin: Some(origin),
            runs,
        }
    }

    /// What decided their runs; `None` as long as there are none.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The numbers of the runs, ascending.
    pub fn numbers(&self) -> Vec<u64> {
        self.runs.keys().copied().collect()
    }

    /// What the runs counted, in the order of their numbers.
    pub fn packed(&self) -> Vec<&Packed> {
        self.runs.values().collect()
    }

    /// The tallies one by one.
    pub fn iter(&self) -> impl Iterator<Item = Tally> + '_ {
        let origin = self.origin.iter().flat_map(|origin| std::iter::repeat(origin).cloned());
        origin.zip(&self.runs).map(|(origin, (run, packed))| Tally {
            origin,
            run: *run,
            packed: packed.clone(),
        })
    }

    /// Adds a tally or a set of them. A run that is there already, with the same content, is kept once.
    ///
    /// # Errors
    /// If they are not of one cell, one scenario, the same data, one seed and one version, or a run is there twice with
    /// different contents. The set then stays as it was.
    pub fn join(&mut self, other: impl Into<Self>) -> Result<(), TallyError> {
        let other = other.into();
        if let Some((mine, its)) = self.origin.as_ref().zip(other.origin.as_ref()) {
            mine.same_as(its)?;
            let differs = |(run, packed): &(&u64, &Packed)| self.runs.get(run).is_some_and(|mine| mine != *packed);
            if let Some((run, _)) = other.runs.iter().find(differs) {
                return Err(TallyError::Twice(*run, mine.cell()));
            }
        }
        self.runs.extend(other.runs);
        self.origin = self.origin.take().or(other.origin);
        Ok(())
    }

    /// Writes them one after the other.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, to: &mut dyn Write) -> io::Result<()> {
        let Some(origin) = &self.origin else { return Ok(()) };
        let mut runs = self.runs.iter();
        runs.try_for_each(|(run, packed)| to.write_all(&record(origin, *run, packed)))
    }

    /// Reads and joins all tallies that there are; of several cells, see [`Tally::read_all`] and [`by_cell`].
    ///
    /// # Errors
    /// As [`Tally::read_all`] and [`Self::join`] have them.
    pub fn read_from(from: &mut dyn Read) -> Result<Self, TallyError> {
        let mut all = Self::default();
        for tally in Tally::read_all(from)? {
            all.join(tally)?;
        }
        Ok(all)
    }
}

/// Joins tallies of several cells of one study: a set for each cell, in the order of variants and points.
///
/// # Errors
/// If they are not of one version, one seed and the same data, or cannot be joined within their cells.
pub fn by_cell(tallies: impl IntoIterator<Item = Tally>) -> Result<Vec<Tallies>, TallyError> {
    let mut cells: BTreeMap<(String, Vec<String>), Tallies> = BTreeMap::new();
    let mut first: Option<Arc<Origin>> = None;
    for tally in tallies {
        first
            .get_or_insert_with(|| tally.origin.clone())
            .same_study_as(&tally.origin)?;
        let key = (tally.origin.variant.clone(), tally.origin.point.clone());
        cells.entry(key).or_default().join(tally)?;
    }
    Ok(cells.into_values().collect())
}
