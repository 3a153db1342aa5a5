//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    (
        "latency.p99.worst_window",
        "The largest p99, from sending to deleting a message, among the windows of a run.",
    ),
    ("sent", "Messages that senders put in."),
    ("throttled", "Send calls that were refused because of the quota."),
    ("copies", "Second copies that the service made of its own accord."),
    (
        "moved_in",
        "Messages moved in from other queues, as a dead-letter queue gets them.",
    ),
    ("received", "Messages handed to workers, each time counted."),
    ("deleted", "Messages done with."),
    ("dead_lettered", "Messages moved to the dead-letter queue."),
    ("redriven", "Messages moved to another queue by a redrive."),
    ("expired", "Messages older than the retention period."),
    (
        "duplicates_processed",
        "Messages worked on again after they had been done.",
    ),
    ("messages_failed", "Times that the work on a message failed."),
    ("batches", "Batches handed to workers."),
    ("batches_failed", "Batches whose work failed."),
    ("batches_throttled", "Batches that the function refused."),
    (
        "batches_abandoned",
        "Batches whose messages came back while they were worked on.",
    ),
    ("remaining", "Messages in the queue at the end of the run."),
    ("depth", "Messages waiting, mean over time."),
    ("depth.peak", "Most messages waiting at once."),
    ("in_flight", "Messages received and not yet deleted, mean over time."),
    ("in_flight.peak", "Most messages in flight at once."),
    ("age_oldest.*", "Age of the oldest message waiting."),
    ("concurrency", "Batches being worked on, mean over time."),
    ("concurrency.peak", "Most batches being worked on at once."),
    (
        "wait.*",
        "From sending a message to the start of its work; those that nobody has taken count with their age.",
    ),
    (
        "wait.unfinished",
        "Of the messages in `wait`, those that nobody had taken when the run ended.",
    ),
    (
        "latency.*",
        "From sending a message to the end of its work; those that are not done count with their age.",
    ),
    (
        "latency.unfinished",
        "Of the messages in `latency`, those that were not done when the run ended.",
    ),
    ("depth.p*", "Messages there, not exceeded for this share of the time."),
    (
        "in_flight.p*",
        "Messages in flight, not exceeded for this share of the time.",
    ),
    (
        "concurrency.p*",
        "Batches being worked on, not exceeded for this share of the time.",
    ),
];
