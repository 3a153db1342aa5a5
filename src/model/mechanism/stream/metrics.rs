//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    (
        "records",
        "Records that were put and accepted, or that reached a further consumer.",
    ),
    ("throttled", "Puts refused by their shard's limits."),
    ("throttle_ratio", "Refused puts over all."),
    (
        "hottest_shard",
        "Puts offered to the shard that was offered most, over all.",
    ),
    ("shards", "Open shards, mean over time."),
    ("shards.peak", "Most open shards at once."),
    ("delivered", "Records handed to the function, each time counted."),
    ("redelivered", "Of these, records that were handed over before."),
    ("processed", "Records done with."),
    (
        "discarded",
        "Records given up after their tries or at their maximum age.",
    ),
    ("expired", "Records older than the retention period."),
    ("skipped", "Records put before a mapping that begins with the latest."),
    ("remaining", "Records not done with at the end of the run."),
    ("batches", "Batches handed to the function, each try counted."),
    ("batches_failed", "Batches of which at least one record failed."),
    ("batches_throttled", "Batches that the function refused."),
    ("bisections", "Failed batches that were split in two."),
    ("depth", "Records put and not done, mean over time."),
    ("depth.peak", "Most records put and not done at once."),
    ("concurrency", "Batches being worked on, mean over time."),
    ("concurrency.peak", "Most batches being worked on at once."),
    (
        "blocked",
        "Lanes of shards held up by records that failed, mean over time.",
    ),
    ("blocked.peak", "Most lanes held up at once."),
    (
        "iterator_age.*",
        "Age of the last record of a batch when it was handed over.",
    ),
    ("age_oldest.*", "Age of the oldest record not done, by window."),
    (
        "latency.*",
        "From the put of a record to the end of its work; those that are not done count with their age.",
    ),
    (
        "latency.unfinished",
        "Of the records in `latency`, those that were not done when the run ended.",
    ),
    (
        "latency.p99.worst_window",
        "The largest p99, from put to done, among the windows of a run.",
    ),
    (
        "depth.p*",
        "Records put and not done, not exceeded for this share of the time.",
    ),
    (
        "concurrency.p*",
        "Batches being worked on, not exceeded for this share of the time.",
    ),
    ("blocked.p*", "Lanes held up, not exceeded for this share of the time."),
    ("shards.p*", "Open shards, not exceeded for this share of the time."),
];
