//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("calls", "Calls that were answered."),
    ("failed", "Calls that were answered badly."),
    ("items", "Items that are billed."),
    ("throttled", "Calls refused by a quota."),
    (
        "throttled_rate",
        "Calls refused by the quota of calls or items a second.",
    ),
    ("throttled_concurrency", "Calls refused by the quota of calls at once."),
    ("throttle_ratio", "Refused calls over all."),
    ("concurrency", "Calls under way, mean over time."),
    ("concurrency.peak", "Most calls under way at once."),
    (
        "latency.*",
        "Time from a call to its answer, good or bad; refused calls take none and are left out.",
    ),
    (
        "concurrency.p*",
        "Calls under way, not exceeded for this share of the time.",
    ),
];
