//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("requests", "Requests that arrived."),
    ("throttled", "Requests refused by its own or its account's rate limit."),
    ("timeouts", "Requests whose target took longer than the gateway waits."),
];
