//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("offered", "Executions asked for, throttled ones included."),
    ("throttled", "Executions refused: too many started, or too many open."),
    ("started", "Executions that were started."),
    ("succeeded", "Executions that ended well."),
    (
        "failed",
        "Executions that ended with a failure; time-outs are not among them.",
    ),
    ("timed_out", "Executions that took longer than they may."),
    (
        "failure_ratio",
        "Executions that failed or timed out, over all that ended.",
    ),
    ("items", "Items of maps that were started."),
    (
        "transitions",
        "State transitions as the service counts them, retries included.",
    ),
    ("transitions_delayed", "Transitions that waited for the quota on them."),
    (
        "transitions_per_execution",
        "Transitions of an execution that ended, on average.",
    ),
    ("retries", "Times that a state was tried again."),
    ("caught", "Failures that a catcher led on."),
    (
        "history_exceeded",
        "Executions and items that failed because of the size of their history.",
    ),
    (
        "orchestration_share",
        "Share of the time of executions that transitions and overheads take, those of gateways included.",
    ),
    (
        "retry_share",
        "Share of the time of executions that passes waiting for retries and quotas.",
    ),
    ("open", "Executions open, mean over time."),
    ("open.peak", "Most executions open at once."),
    (
        "duration.*",
        "Time from the start of an execution to its end, those that failed or timed out included.",
    ),
    ("state.STATE.visits", "How often the state was entered."),
    ("state.STATE.errors", "How often the state failed, each try counted."),
    (
        "state.STATE.time.*",
        "Time from entering the state to leaving it, retries and overheads included.",
    ),
    ("open.p*", "Open executions, not exceeded for this share of the time."),
];
