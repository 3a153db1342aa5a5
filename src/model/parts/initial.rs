//! Runs that start warm: instances and connections that are there, idle, when the run begins.
//!
//! Model: so many instances are alive and idle at the start, as if they had just been used, with ages spread over their
//! lives; each holds one session with every database and proxy that its handler calls. A proxy's pool holds so many
//! open connections. `steady` stands for the mean number that the system itself keeps up, which whoever runs the plan
//! finds by pilot runs and writes into it.
//! Not modelled: caches, queues and streams that are full at the start.
//! Validated by: traces by hand, a start at the steady number against the exact law (`tests/theory/warm_start.rs`).

use crate::scenario::{Block, Code, Range, read_count, units};

/// How many there are at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Initial {
    /// The number.
    pub count: u64,
    /// Whether the number is still to be found.
    pub steady: bool,
}

impl Initial {
    /// Reads a field that holds a number, at most `most`, or the word `steady`.
    pub fn read(block: &Block, field: &str, most: u64) -> Self {
        let Some(node) = block.node(field) else {
            return Self::default();
        };
        if node.scalar() == Some("steady") {
            return Self { count: 0, steady: true };
        }
        if node.scalar().is_some_and(|text| units::parse_count(text).is_err()) {
            let message = format!("`{field}` is neither a whole number nor `steady`");
            let help = "write how many, such as `20`, or `steady` for the system's own mean number";
            block.error(Code::BadQuantity, node.span, message, help);
            return Self::default();
        }
        Self {
            count: read_count(block.context(), node, Range::Within(0.0, most as f64)),
            steady: false,
        }
    }
}
