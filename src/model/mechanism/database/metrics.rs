//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("queries", "Queries that were run."),
    ("refused", "Queries refused for lack of a connection."),
    ("refused_ratio", "Refused queries over all."),
    ("cancelled", "Queries that the server cancelled at their time-out."),
    ("connections", "Connections open, mean over time."),
    ("connections.peak", "Most connections open at once."),
    ("connections.new", "Connections opened."),
    ("running", "Queries running, mean over time."),
    ("running.peak", "Most queries running at once."),
    ("cpu", "Share of its processors in use."),
    (
        "capacity",
        "Capacity units of a serverless one, mean over time; 0 of another.",
    ),
    ("capacity.peak", "Most capacity units, rounded up to whole ones."),
    ("resumes", "How often a serverless one was woken from a pause."),
    ("connect.*", "Time that opening a connection takes."),
    ("query.*", "Time from a query's arrival to its end."),
    (
        "connections.p*",
        "Open connections, not exceeded for this share of the time.",
    ),
    (
        "running.p*",
        "Running queries, not exceeded for this share of the time.",
    ),
];
