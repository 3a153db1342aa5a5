//! The model against theory: every mechanism is held against a formula, a trace computed by hand, or a measurement.
//!
//! Each group is a function that makes a [`page::Group`] once; a test of its own judges it, and [`page`] writes all of
//! them to `docs/validation.md`. A new mechanism adds a file here, with a `group` and its line in [`page::groups`].

mod batches;
mod bursts;
mod calls;
mod closed;
mod connections;
mod databases;
mod delivery;
mod events;
mod faults;
mod fleets;
mod guards;
mod keep_alive;
mod lab;
mod levels;
mod loss;
mod measured;
mod messages;
mod overload;
mod page;
mod platforms;
mod pollers;
mod replay;
mod retries;
mod scaled;
mod sharing;
mod small_rules;
mod stability;
mod stores;
mod topics;
mod traces;
mod traffic;
mod warm_start;
mod workflows;
