//! The world: which mechanisms there are, from a scenario to a plan, and the loop that runs it.

pub mod build;
pub mod faults;
mod lint;
pub mod percentiles;
pub mod reach;
pub mod run;
