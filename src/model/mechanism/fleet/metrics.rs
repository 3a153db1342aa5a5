//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    (
        "effects",
        "Times that the effects of its handler happened, each time counted.",
    ),
    (
        "effects.distinct",
        "Messages, records or requests whose effects happened at least once.",
    ),
    (
        "effects.duplicate",
        "Times that an effect happened again for the same message, record or request.",
    ),
    (
        "idempotency.skipped",
        "Requests whose idempotent steps were skipped, because they had been done.",
    ),
    (
        "idempotency.conflicts",
        "Requests that failed, because another one was at the same idempotent steps.",
    ),
    ("requests", "Requests that arrived."),
    ("refused", "Requests refused because the queue was full."),
    ("refused_ratio", "Refused requests over all."),
    ("served", "Requests that were served."),
    ("failed", "Requests that failed."),
    ("instances", "Instances launched and not yet gone, mean over time."),
    ("instances.peak", "Most instances at once."),
    ("instances.running", "Instances that take requests, mean over time."),
    ("launches", "Instances launched."),
    ("slots.busy", "Slots in use, mean over time."),
    ("slots.busy_peak", "Most slots in use at once."),
    ("queue", "Requests waiting for a slot, mean over time."),
    ("queue.peak", "Most requests waiting at once."),
    ("cpu_utilisation", "Share of its processors in use."),
    ("service_time.*", "Time that a request is worked on."),
    ("queue_wait.*", "Time that a request waits for a slot."),
    (
        "slots.busy.p*",
        "Slots in use, not exceeded for this share of the time.",
    ),
    ("queue.p*", "Requests waiting, not exceeded for this share of the time."),
    (
        "dropped_expired",
        "Requests that were not started because nobody waited for them any more.",
    ),
    (
        "shed",
        "Requests refused to shed load; they are among the refused, too.",
    ),
    ("shed.critical", "Those of them that were critical."),
    ("shed.sheddable", "Those of them that were sheddable."),
];
