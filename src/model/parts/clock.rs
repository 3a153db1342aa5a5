//! The clock of a run: when it begins, how long it lasts, and what the instants of recordings count from.

use crate::kernel::Duration;
use crate::scenario::calendar::Beginning;
use crate::scenario::dates::Nanos;

/// What runs and recordings agree on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// When runs begin.
    pub start: Beginning,
    /// Whether the scenario says so.
    pub told: bool,
    /// How long they last.
    pub length: Duration,
    /// How long they last at most: a warm-up that is found later may come on top.
    pub horizon: Duration,
    /// The zero of recordings with dates.
    pub dated: Option<Nanos>,
    /// The zero of recordings without.
    pub plain: Option<Nanos>,
}

impl Clock {
    /// Of runs that begin then and last so long, before any recording was looked at.
    pub fn new(start: Beginning, told: bool, length: Duration) -> Self {
        Self {
            start,
            told,
            length,
            horizon: length,
            dated: told.then(|| start.nanos()),
            plain: None,
        }
    }
}
