//! The promise: what a variant or a point must keep to be an answer, beside the expectations that name no variant.

use crate::scenario::Block;
use serde::{Deserialize, Serialize};

/// What an answer must keep. Nothing may grow or be owed in any case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// The largest share that may fail or be refused, of each source's requests, executions or firings: 0 to 1.
    pub failed: f64,
    /// The largest share that may be lost, of each component's messages, records or events: 0 to 1.
    pub lost: f64,
}

impl Default for Promise {
    /// That of a scenario that says nothing else.
    fn default() -> Self {
        Self {
            failed: 0.001,
            lost: 0.0,
        }
    }
}

impl Promise {
    /// Reads `promise` of a scenario.
    pub fn read(root: &Block) -> Self {
        root.block("promise").map_or_else(Self::default, |block| Self {
            failed: block.share("failed"),
            lost: block.share("lost"),
        })
    }

    /// It in words, and how many expectations belong to it.
    pub fn words(&self, expectations: usize) -> String {
        let share = |value: f64| format!("{} %", value * 100.0);
        let lost = if self.lost > 0.0 {
            format!("at most {} lost", share(self.lost))
        } else {
            "nothing lost".to_owned()
        };
        let failed = if self.failed > 0.0 {
            format!("at most {} failed or refused", share(self.failed))
        } else {
            "nothing failed or refused".to_owned()
        };
        let more = match expectations {
            0 => String::new(),
            1 => ", and the expectation that names no variant".to_owned(),
            more => format!(", and the {more} expectations that name no variant"),
        };
        format!("{lost}, {failed}{more}")
    }
}
