//! All integration tests in one binary: one link step, one command.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    reason = "the numbers of a test are known"
)]
#![allow(clippy::too_many_lines, reason = "a group of cases is a list, and lists are long")]

mod assumptions;
mod broken;
mod budget;
mod cases;
mod cli;
mod cron;
mod defaults;
mod fields;
mod fuzz;
mod gallery;
mod imports;
mod ledger;
mod month;
mod output;
mod properties;
mod random;
mod screens;
mod support;
mod systems;
mod tallies;
mod tidy;
mod theory;
mod warmup;
