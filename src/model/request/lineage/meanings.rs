//! What the metrics of units of work mean.

use crate::model::request::meaning::Meaning;

/// The metrics of sources whose units of work are followed.
pub const METRICS: &[Meaning] = &[
    (
        "journeys.good",
        "Units of work that came and of which all was done, to the last thing that they caused.",
    ),
    (
        "journeys.failed",
        "Units of work whose caller got an error or gave up, or of which an execution failed.",
    ),
    ("journeys.refused", "Units of work that were turned away."),
    (
        "journeys.lost",
        "Units of work of which something is gone without having been done: dead-lettered, expired, dropped, discarded.",
    ),
    (
        "journeys.unfinished",
        "Units of work of which something waits or is being worked on when the run ends.",
    ),
    (
        "journeys.partly",
        "Of the units of work that are not good, those of which a part was done.",
    ),
    (
        "journey.unfinished",
        "Of the units in `journey`, those that were not done when the run ended.",
    ),
    (
        "journey.*",
        "From the arrival of a unit of work to the end of the last thing that it caused; unfinished ones count with the \
         age that they have reached.",
    ),
];
