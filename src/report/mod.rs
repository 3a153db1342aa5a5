//! Terminal, CSV, JSON, SVG and PNG.

pub mod chart;
pub mod format;
#[cfg(test)]
pub mod sample;
