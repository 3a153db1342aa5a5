//! Metrics of callers and callees that protect themselves, which several kinds of components share.

/// Kind, name and meaning, as in [`super::metrics::METRICS`].
pub const GUARDED: &[(&str, &str, &str)] = &[
    (
        "clients",
        "retries",
        "Attempts after the first ones; of a function or a fleet, those of the calls in its handler.",
    ),
    (
        "clients",
        "retries.budget_empty",
        "Attempts that were not made because the retry budget was empty.",
    ),
    (
        "clients",
        "breaker.opened",
        "How often a circuit breaker in front of what it calls opened.",
    ),
    ("clients", "breaker.refused", "Calls that such a breaker refused."),
    (
        "clients",
        "hedges.sent",
        "Copies of requests that were sent because there was no answer yet.",
    ),
    ("clients", "hedges.won", "Copies whose answer came first."),
    (
        "clients",
        "hedges.held_back",
        "Copies that were not sent because their share is limited.",
    ),
    (
        "clients",
        "adaptive.delayed",
        "Attempts that waited for a token of the adaptive rate.",
    ),
    (
        "functions",
        "retries",
        "Attempts after the first ones; of a function or a fleet, those of the calls in its handler.",
    ),
    (
        "functions",
        "retries.budget_empty",
        "Attempts that were not made because the retry budget was empty.",
    ),
    (
        "functions",
        "breaker.opened",
        "How often a circuit breaker in front of what it calls opened.",
    ),
    ("functions", "breaker.refused", "Calls that such a breaker refused."),
    (
        "functions",
        "hedges.sent",
        "Copies of requests that were sent because there was no answer yet.",
    ),
    ("functions", "hedges.won", "Copies whose answer came first."),
    (
        "functions",
        "hedges.held_back",
        "Copies that were not sent because their share is limited.",
    ),
    (
        "functions",
        "adaptive.delayed",
        "Attempts that waited for a token of the adaptive rate.",
    ),
    (
        "fleets",
        "retries",
        "Attempts after the first ones; of a function or a fleet, those of the calls in its handler.",
    ),
    (
        "fleets",
        "retries.budget_empty",
        "Attempts that were not made because the retry budget was empty.",
    ),
    (
        "fleets",
        "breaker.opened",
        "How often a circuit breaker in front of what it calls opened.",
    ),
    ("fleets", "breaker.refused", "Calls that such a breaker refused."),
    (
        "fleets",
        "hedges.sent",
        "Copies of requests that were sent because there was no answer yet.",
    ),
    ("fleets", "hedges.won", "Copies whose answer came first."),
    (
        "fleets",
        "hedges.held_back",
        "Copies that were not sent because their share is limited.",
    ),
    (
        "fleets",
        "adaptive.delayed",
        "Attempts that waited for a token of the adaptive rate.",
    ),
    (
        "functions",
        "dropped_expired",
        "Requests that were not started because nobody waited for them any more.",
    ),
    (
        "fleets",
        "dropped_expired",
        "Requests that were not started because nobody waited for them any more.",
    ),
    (
        "fleets",
        "shed",
        "Requests refused to shed load; they are among the refused, too.",
    ),
    ("fleets", "shed.critical", "Those of them that were critical."),
    ("fleets", "shed.sheddable", "Those of them that were sheddable."),
];
