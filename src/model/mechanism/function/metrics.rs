//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("offered", "Invocations asked for, throttled ones included."),
    ("invocations", "Invocations that found an instance."),
    ("cold_starts", "Invocations that had to start an instance."),
    ("cold_ratio", "Invocations that had to start an instance, over all."),
    (
        "throttled_concurrency",
        "Refused for lack of concurrency: reserved, or of the account.",
    ),
    ("throttled_rate", "Refused by the limit on requests per second."),
    (
        "throttled_scaling",
        "Refused because instances may not be added that fast.",
    ),
    (
        "throttled_pending",
        "Refused after waiting for a slot or an instance as long as they may.",
    ),
    (
        "pending",
        "Requests that wait for a slot or an instance, mean over time.",
    ),
    ("pending.peak", "Most requests that waited at once."),
    ("throttle_ratio", "Refused invocations over offered ones."),
    ("failed", "Invocations that failed."),
    ("timed_out", "Invocations cut off by the function's timeout."),
    ("instances", "Instances alive, mean over time."),
    ("instances.busy", "Instances at work, mean over time."),
    (
        "instances.starting",
        "Instances being placed or initialised, mean over time.",
    ),
    ("instances.peak", "Most instances alive at once."),
    ("instances.busy_peak", "Most instances at work at once."),
    ("provisioned", "Instances provisioned, mean over time."),
    ("provisioned.busy", "Provisioned instances at work, mean over time."),
    (
        "spill_ratio",
        "Invocations that found no provisioned instance, over all.",
    ),
    ("duration.*", "Time that the handler takes, the init left out."),
    (
        "cold_start.*",
        "Placement and init together, of invocations that waited for them.",
    ),
    ("init.*", "Init of the instances that were started."),
    ("async.received", "Events accepted for asynchronous invocation."),
    ("async.duplicates", "Events that were delivered twice."),
    (
        "async.duplicates_processed",
        "Second deliveries that were worked on to the end.",
    ),
    (
        "async.retried",
        "Further tries of events after an error of the function.",
    ),
    (
        "async.throttled",
        "Tries that the function refused; their events went back to its queue.",
    ),
    ("async.done", "Events done, duplicates not counted."),
    ("async.dropped_errors", "Events given up after their last retry."),
    ("async.dropped_age", "Events given up because they became too old."),
    (
        "async.dropped_switched_off",
        "Events given up because the function has no concurrency at all.",
    ),
    (
        "async.lost",
        "Events given up that went to no dead-letter queue and no destination.",
    ),
    ("async.depth", "Events neither done nor given up, mean over time."),
    ("async.depth.peak", "Most such events at once."),
    (
        "async.age.*",
        "From accepting an event to the start of each of its invocations.",
    ),
    (
        "async.latency.*",
        "From accepting an event to the end of the invocation that did it; those that are not done count with their age.",
    ),
    (
        "async.latency.unfinished",
        "Of the events in `async.latency`, those that were not done when the run ended.",
    ),
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
        "Deliveries whose idempotent steps were skipped, because they had been done.",
    ),
    (
        "idempotency.conflicts",
        "Deliveries that failed, because another invocation was at the same idempotent steps.",
    ),
    (
        "instances.busy.p*",
        "Busy instances that are not exceeded for this share of the time.",
    ),
    (
        "async.depth.p*",
        "Events waiting, not exceeded for this share of the time.",
    ),
    (
        "dropped_expired",
        "Requests that were not started because nobody waited for them any more.",
    ),
];
