//! Handlers: the short programs of whatever works on requests, how they are read and how they run.

pub mod read;
pub mod run;
