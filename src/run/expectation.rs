//! How an expectation comes out: plain data, part of `summary.json`.

use super::summary::{Estimate, PointValue, Unit};
use serde::{Deserialize, Serialize};

/// One entry of the scenario's `expect` list, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationResult {
    /// Variant that was judged.
    pub variant: String,
    /// Sweep point that was judged, one value per axis.
    pub point: Vec<PointValue>,
    /// Metric that was judged.
    pub metric: String,
    /// Unit of the bounds and of what was seen.
    pub unit: Unit,
    /// The condition as written, such as `within [150 ms, 260 ms]`.
    pub condition: String,
    /// What was seen; absent if the metric does not exist in that cell.
    pub seen: Option<Estimate>,
    /// Whether it is part of the promise: it names no variant, no point and no ratio.
    #[serde(default)]
    pub promised: bool,
    /// Whether it holds.
    pub outcome: Outcome,
    /// About how many more runs would decide it, where it is not decided and that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_runs: Option<u64>,
    /// Where it stands in the scenario, such as `checkout.yaml:31`.
    pub place: String,
}

/// How an expectation comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The whole interval keeps the bounds.
    Holds,
    /// The whole interval is beyond a bound, or there is no such figure.
    Fails,
    /// A bound lies within the interval: another seed may decide either way.
    Undecided,
}

impl ExpectationResult {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.outcome == Outcome::Holds
    }

    /// Whether it fails.
    pub fn fails(&self) -> bool {
        self.outcome == Outcome::Fails
    }
}
