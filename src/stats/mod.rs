//! Histograms, confidence intervals, warm-up detection and the queueing formulas that tests use.

pub mod causes;
pub mod figure;
pub mod formulas;
pub mod histogram;
pub mod interval;
pub mod levels;
pub mod observe;
mod paged;
pub mod sparse;
pub mod stability;
pub mod warmup;

pub use causes::{CauseRecorder, CauseTable};
pub use histogram::Histogram;
pub use interval::Estimate;
pub use observe::{Gauge, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats};
pub use sparse::SparseHistogram;
pub use warmup::mser5;
