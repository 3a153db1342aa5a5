//! coldcurve simulates serverless systems, request by request, and answers in curves: p99 latency and monthly bill
//! against traffic, memory, provisioned concurrency, connection limits and architecture.
//!
//! A module imports only from the lines above it (`tests/tidy.rs` checks this):
//! `kernel < stats < cost < scenario < model < run < report < cli`.

pub mod kernel;
pub mod stats;
pub mod cost;
pub mod scenario;
pub mod model;
pub mod run;
pub mod report;
pub mod cli;
