//! The percentiles that a scenario asks for beside the usual ones.

use crate::scenario::{Block, Code, Node, units};

/// Percentiles that somebody asks for: above 0 and below 100.
pub fn read(block: &Block) -> Vec<f64> {
    let cx = block.context();
    let read = |node: &Node| {
        let number = node.scalar().and_then(|text| units::parse_number(text).ok());
        let found = number.filter(|percentile| *percentile > 0.0 && *percentile < 100.0);
        if found.is_none() && number.is_some() {
            let message = format!("there is no percentile {}", node.scalar().unwrap_or_default());
            let help = "percentiles lie between 0 and 100, such as `99.5`; `max` is reported anyway";
            cx.error(Code::OutOfRange, node.span, message, help);
        }
        found
    };
    block.list("percentiles").iter().filter_map(read).collect()
}
