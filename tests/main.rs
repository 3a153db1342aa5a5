//! All integration tests in one binary: one link step, one command.

mod theory;
