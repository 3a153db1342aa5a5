//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("queries", "Queries that passed."),
    ("timeouts", "Queries that found no connection in time."),
    ("abandoned", "Queries whose caller gave up while they waited."),
    ("pool.busy", "Connections of the pool in use, mean over time."),
    ("pool.peak", "Most connections of the pool in use at once."),
    ("waiting", "Queries waiting for a connection, mean over time."),
    ("waiting.peak", "Most queries waiting at once."),
    ("borrow.*", "Time that a query waits for a connection."),
    (
        "pool.busy.p*",
        "Connections in use, not exceeded for this share of the time.",
    ),
    (
        "waiting.p*",
        "Queries waiting, not exceeded for this share of the time.",
    ),
];
