//! All integration tests in one binary: one link step, one command.

mod broken;
mod cli;
mod properties;
mod support;
mod tidy;
mod theory;
