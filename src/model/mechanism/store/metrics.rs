//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("operations", "Operations that were done."),
    ("reads", "Reads and queries that were done."),
    ("writes", "Writes that were done."),
    ("read_units", "Read units that were taken."),
    ("write_units", "Write units that were taken."),
    ("throttled", "Operations refused for lack of throughput."),
    (
        "throttled_table",
        "Operations refused because the whole had no capacity left.",
    ),
    (
        "throttled_partition",
        "Operations refused because their partition had none left: hot keys.",
    ),
    ("throttle_ratio", "Operations refused for lack of throughput, over all."),
    ("rejected", "Operations refused because a queue was full."),
    ("refused", "Operations refused for lack of a connection."),
    ("failed", "Operations that failed."),
    ("hit_ratio", "Reads that a cache answered itself, over all."),
    ("read_capacity", "Read units a second of the whole, mean over time."),
    ("write_capacity", "Write units a second of the whole, mean over time."),
    ("partitions", "Most partitions."),
    ("utilisation", "Share of its threads in use."),
    ("waiting", "Operations waiting for a thread, mean over time."),
    ("waiting.peak", "Most operations waiting at one node."),
    ("connections", "Connections open, mean over time."),
    ("connections.peak", "Most connections open at once."),
    (
        "latency.*",
        "Time from an operation's arrival to its end, misses included.",
    ),
    (
        "connections.p*",
        "Open connections, not exceeded for this share of the time.",
    ),
];
