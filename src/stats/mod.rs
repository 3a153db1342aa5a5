//! Histograms, confidence intervals, warm-up detection and the queueing formulas that tests use.

pub mod histogram;
pub mod observe;

pub use histogram::Histogram;
pub use observe::{CauseTable, Gauge, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats};
