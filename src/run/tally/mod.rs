//! The tally of a run: everything that it counted, as integers, in kilobytes, with what decides the run in front.
//!
//! A run ends in a [`Tally`]. Tallies of a cell join into [`Tallies`] in any order, and a summary is a pure function of
//! them and of the scenario ([`summarise`](super::study::summarise)): figures, bills and expectations are made from
//! tallies and nothing else, so that tallies of other machines, of other days, or from before the prices changed, are
//! as good as those of this process. One tally is one replication and stays one: intervals come from what differs
//! between runs, so runs are packed, not merged.
//!
//! A tally as bytes: the word `CCTALLY`, the number of its [`FORMAT`], the length of the rest, what decides the run
//! ([`Origin`]), the run's number, what it counted ([`Packed`]), and a checksum. Numbers are LEB128; histograms keep
//! the buckets that hold something, each as the distance to the one before and its count. Several tallies are one after
//! the other.

mod bytes;
pub mod header;
mod join;
mod pack;
mod read;
mod windows;

pub use header::{Found, Origin, scenario_digest};
pub use join::{Tallies, by_cell};
pub use read::{Line, Packed, Seen, Twin};

use bytes::{CHECKSUM, In, Out};
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Version of the layout of tallies; others are refused.
pub const FORMAT: u64 = 3;

const MAGIC: &[u8; 7] = b"CCTALLY";

/// Why tallies cannot be read, joined or summarised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TallyError {
    /// They could not be read from where they are, or written.
    Unreadable(String),
    /// These bytes do not begin like a tally.
    NotATally,
    /// The bytes end too early.
    Cut,
    /// The bytes are not those that were written.
    Damaged,
    /// The layout is of this version and not of ours.
    Format(u64),
    /// They come from these two versions of coldcurve.
    Version(String, String),
    /// The scenario of this cell was changed in more than prices, billing, expectations and titles.
    Scenario(String),
    /// This data file, or service of one's own, was changed, or is not there.
    Data(String),
    /// They have these two seeds.
    Seed(u64, u64),
    /// They are of these two cells.
    Cell(String, String),
    /// Pilot runs settled this cell otherwise: its warm-up, its length, the sizes of its fleets.
    Found(String),
    /// There are two different runs of this number of this cell.
    Twice(u64, String),
    /// There is no such cell in the scenario.
    NoSuchCell(String),
    /// There are no runs of this cell, or not those that others have.
    Missing(String),
}

impl fmt::Display for TallyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "tallies cannot be read or written: {why}"),
            Self::NotATally => f.write_str("these bytes are no tally"),
            Self::Cut => f.write_str("the tally is cut short"),
            Self::Damaged => f.write_str("the tally is damaged: its bytes are not those that were written"),
            Self::Format(other) => write!(f, "a tally of format {other}; this version reads format {FORMAT}"),
            Self::Version(one, other) => write!(f, "tallies of coldcurve {one} and {other}: results may differ"),
            Self::Scenario(cell) => write!(
                f,
                "another scenario ({cell}): more than prices, billing, expectations and titles differs"
            ),
            Self::Data(file) => write!(f, "other data: `{file}` was changed or is not there"),
            Self::Seed(one, other) => write!(f, "other seeds: {one} and {other}"),
            Self::Cell(one, other) => write!(f, "other cells: {one}, and {other}"),
            Self::Found(cell) => write!(f, "{cell}: another warm-up, length or size was found before the runs"),
            Self::Twice(run, cell) => write!(f, "run {run} of {cell} is there twice and not the same"),
            Self::NoSuchCell(cell) => write!(f, "the scenario has no cell {cell}"),
            Self::Missing(cell) => write!(f, "runs of {cell} are missing: all cells need runs of the same numbers"),
        }
    }
}

impl std::error::Error for TallyError {}

impl From<io::Error> for TallyError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// What one run counted, and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What decides the runs of its cell.
    pub origin: Arc<Origin>,
    /// The run's number.
    pub run: u64,
    /// What it counted.
    pub packed: Packed,
}

impl Tally {
    /// The tally as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        record(&self.origin, self.run, &self.packed)
    }

    /// Writes the tally, of 5 to 70 kB as a rule.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&self.to_bytes())
    }

    /// Reads the tally at the start of these bytes, and says how many are its own.
    ///
    /// # Errors
    /// If they are no tally, cut short, damaged, or of another format.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, usize), TallyError> {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(start) {
            return Err(TallyError::NotATally);
        }
        let mut read = In::new(bytes, start.len());
        let format = read.number().ok_or(TallyError::Cut)?;
        if format != FORMAT {
            return Err(TallyError::Format(format));
        }
        let length = read.number().ok_or(TallyError::Cut)?;
        let length = usize::try_from(length).map_err(|_| TallyError::Damaged)?;
        let end = read.at().checked_add(length).and_then(|end| end.checked_add(CHECKSUM));
        let end = end.ok_or(TallyError::Damaged)?;
        let sealed = bytes.get(..end).ok_or(TallyError::Cut)?;
        let body = bytes::unseal(sealed).ok_or(TallyError::Damaged)?;
        let mut read = In::new(body, read.at());
        let mut rest = || {
            let origin = Arc::new(Origin::read(&mut read)?);
            let run = read.number()?;
            let packed = Packed::from_bytes(read.take(read.left())?)?;
            Some(Self { origin, run, packed })
        };
        rest().map(|tally| (tally, end)).ok_or(TallyError::Damaged)
    }

    /// Reads all tallies that there are, of whatever cells.
    ///
    /// # Errors
    /// If they cannot be read, or one of them is no tally, cut short, damaged, or of another format.
    pub fn read_all(from: &mut dyn Read) -> Result<Vec<Self>, TallyError> {
        let (mut bytes, mut tallies, mut at) = (Vec::new(), Vec::new(), 0);
        from.read_to_end(&mut bytes)?;
        while at < bytes.len() {
            let (tally, length) = Self::from_bytes(&bytes[at..])?;
            tallies.push(tally);
            at += length;
        }
        Ok(tallies)
    }
}

/// A tally's bytes.
fn record(origin: &Origin, run: u64, packed: &Packed) -> Vec<u8> {
    let mut body = Out::default();
    origin.write(&mut body);
    body.number(run);
    body.0.extend_from_slice(packed.bytes());
    let mut out = Out(MAGIC.to_vec());
    out.number(FORMAT);
    out.length(body.0.len());
    out.0.append(&mut body.0);
    bytes::seal(&mut out.0, 0);
    out.0
}

#[cfg(test)]
mod tests;
