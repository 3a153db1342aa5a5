//! Integer meters, dated price books, and the bill they make.

pub mod meters;

pub use meters::{Dimension, Meter, MeterSet, Scaling};
