//! The world: which mechanisms there are, from a scenario to a plan, and the loop that runs it.

pub mod build;
pub mod faults;
mod follow;
mod guards;
mod lint;
mod loops;
pub mod percentiles;
pub mod reach;
mod registry;
pub mod run;
mod ways;

pub use registry::{METRICS, Plan};
