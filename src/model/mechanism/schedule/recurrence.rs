//! How often a month has what a schedule does.

use crate::kernel::Duration;
use crate::scenario::calendar::{Beginning, Zone};
use crate::scenario::cron::Cron;
use crate::scenario::month::CalendarMonth;

/// A twelfth of a year of 365 days.
const MEAN_MONTH: Duration = Duration::from_secs(730 * 3_600);

/// How often a month has what a schedule does.
#[derive(Clone, Debug, PartialEq)]
pub enum Recurrence {
    /// It fires by its expression.
    Always(Expression),
    /// What it does once comes so often in a month, if that is said.
    Once(Option<f64>),
}

/// What says when a schedule fires again and again.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// After each interval.
    Every(Duration),
    /// By a cron expression.
    Cron {
        /// The expression.
        cron: Box<Cron>,
        /// The zone whose clocks it is on.
        zone: Zone,
        /// Firings in each of the twelve months from the start of the run.
        by_month: [u64; 12],
    },
}

impl Expression {
    /// A cron expression of runs that begin then.
    pub fn cron(cron: Cron, zone: Zone, start: Beginning) -> Self {
        Self::Cron {
            by_month: start.firings_by_month(&cron, &zone),
            cron: Box::new(cron),
            zone,
        }
    }

    /// Firings in a month: in that one, or in the mean of the twelve from the start of the run.
    pub fn firings(&self, month: Option<&CalendarMonth>) -> f64 {
        match (self, month) {
            (Self::Every(interval), _) => {
                let length = month.map_or(MEAN_MONTH, CalendarMonth::length);
                length.0 as f64 / interval.0.max(1) as f64
            }
            (Self::Cron { cron, zone, .. }, Some(month)) => month.firings(cron, zone) as f64,
            (Self::Cron { by_month, .. }, None) => by_month.iter().sum::<u64>() as f64 / 12.0,
        }
    }

    /// Firings month by month: what two schedules have in common that fire equally often in any month. Intervals
    /// differ between months only with their lengths.
    pub fn by_month(&self) -> [u64; 12] {
        match self {
            Self::Every(_) => [0; 12],
            Self::Cron { by_month, .. } => *by_month,
        }
    }
}
