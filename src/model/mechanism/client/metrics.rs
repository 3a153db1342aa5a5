//! What its metrics mean.

use crate::model::request::meaning::Meaning;

/// The metrics of these components, beside those that several kinds share.
pub const METRICS: &[Meaning] = &[
    ("requests", "Requests that ended."),
    (
        "offered",
        "Requests that came: the good, the failed, the refused and the unfinished ones add up to them.",
    ),
    (
        "good",
        "Of those that came, the ones that ended well, after retries or not.",
    ),
    (
        "failed",
        "Of those that came, the ones that somebody worked on in vain, or that the client gave up on.",
    ),
    (
        "refused",
        "Of those that came, the ones that nobody took (429, 503, 413, an open breaker).",
    ),
    (
        "unfinished",
        "Of those that came, the ones on their way when the run ended.",
    ),
    (
        "latency.p99.worst_window",
        "The largest p99 of its good answers among the windows of a run.",
    ),
    (
        "error_ratio",
        "Requests that ended badly, after their retries, over all.",
    ),
    ("attempts_per_request", "Attempts per request: 1 is no retry."),
    ("throttled_429", "Requests that ended throttled (429)."),
    ("failed_500", "Requests that ended in an error of a handler (500)."),
    (
        "bad_gateway_502",
        "Requests that ended in an error behind a gateway (502).",
    ),
    ("unavailable_503", "Requests that nobody could take (503)."),
    ("gateway_timeout_504", "Requests that a gateway gave up on (504)."),
    ("timed_out", "Requests that the client gave up on."),
    (
        "too_large_413",
        "Requests that were larger than their target takes (413).",
    ),
    (
        "latency.*",
        "From sending a request to its good answer, retries included.",
    ),
    (
        "latency.failed.*",
        "From sending a request to its end where that was bad: refused, failed, or given up on.",
    ),
    (
        "latency.all.*",
        "The same of all its requests that ended, well or badly.",
    ),
    ("paths.PATH.requests", "Requests for this path that ended."),
    (
        "paths.PATH.error_ratio",
        "Requests for this path that ended badly, after their retries, over all.",
    ),
    (
        "paths.PATH.latency.*",
        "From sending a request for this path to its good answer, retries included.",
    ),
    (
        "paths.PATH.latency.failed.*",
        "From sending a request for this path to its end where that was bad.",
    ),
    (
        "paths.PATH.latency.all.*",
        "The same of all requests for this path that ended, well or badly.",
    ),
    (
        "breaker_open",
        "Requests that ended because the client's own circuit breaker was open.",
    ),
];
