//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("published", "Messages published."),
    ("throttled", "Publish calls beyond the quota, refused (429)."),
    ("unmatched", "Messages that no subscription wanted."),
    ("duplicates", "Deliveries that were made twice."),
    ("delayed", "Deliveries that waited for the quota."),
    (
        "fan_out.*",
        "From publishing a message to the last answer of those who get it.",
    ),
    (
        "deliveries",
        "Deliveries begun: one for each target that is to get a message.",
    ),
    ("delivered", "Deliveries that their target took."),
    (
        "retried",
        "Further tries of deliveries that a target refused or failed.",
    ),
    ("dropped_attempts", "Deliveries given up after their last try."),
    ("dropped_age", "Deliveries given up because they became too old."),
    ("lost", "Deliveries given up for which there was no dead-letter queue."),
    ("pending", "Deliveries neither taken nor given up, mean over time."),
    ("pending.peak", "Most such deliveries at once."),
    (
        "delivery.*",
        "From publishing, or the moment of a job, to the target's answer; functions and queues answer at once.",
    ),
];
