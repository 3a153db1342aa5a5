//! Expectations that would fit a scenario that has none.

use crate::run::answer::headline::{self, Kind};
use crate::run::summary::{Cell, Summary};

/// Two entries of `expect`, with bounds that what was seen keeps.
pub fn of(summary: &Summary) -> Vec<String> {
    let answer = summary.cells.iter().find(|cell| summary.answer.is(cell));
    let Some(cell) = answer.or(summary.cells.first()) else {
        return Vec::new();
    };
    let headline = headline::of(summary);
    let of = &headline.of;
    let (time, share) = match headline.kind {
        Kind::Requests => (
            "latency.p99".to_owned(),
            "{ metric: error_ratio, below: 0.1% }".to_owned(),
        ),
        Kind::Queue => (
            format!("{of}.latency.p99"),
            format!("{{ metric: {of}.dead_lettered, below: 1 }}"),
        ),
        Kind::Stream => (
            format!("{of}.iterator_age.p99"),
            format!("{{ metric: {of}.discarded, below: 1 }}"),
        ),
        Kind::Workflow => (
            format!("{of}.duration.max"),
            format!("{{ metric: {of}.failure_ratio, below: 0.1% }}"),
        ),
        Kind::Events => (
            format!("{of}.async.latency.p99"),
            format!("{{ metric: {of}.async.lost, below: 1 }}"),
        ),
        Kind::Journeys => (
            format!("{of}.journey.p99"),
            format!("{{ metric: {of}.journeys.lost, below: 1 }}"),
        ),
        Kind::Firings => (
            format!("{of}.delivery.p99"),
            format!("{{ metric: {of}.lost, below: 1 }}"),
        ),
    };
    let bound = bound(cell, &time).map(|bound| format!("- {{ metric: {time}, below: {bound} }}"));
    bound.into_iter().chain([format!("- {share}")]).collect()
}

/// A round time above what was seen.
fn bound(cell: &Cell, metric: &str) -> Option<String> {
    const ROUND: [(f64, &str); 22] = [
        (0.01, "10 ms"),
        (0.02, "20 ms"),
        (0.05, "50 ms"),
        (0.1, "100 ms"),
        (0.2, "200 ms"),
        (0.5, "500 ms"),
        (1.0, "1 s"),
        (2.0, "2 s"),
        (5.0, "5 s"),
        (10.0, "10 s"),
        (20.0, "20 s"),
        (30.0, "30 s"),
        (60.0, "1 min"),
        (120.0, "2 min"),
        (300.0, "5 min"),
        (600.0, "10 min"),
        (1200.0, "20 min"),
        (1800.0, "30 min"),
        (3600.0, "1 h"),
        (7200.0, "2 h"),
        (18_000.0, "5 h"),
        (43_200.0, "12 h"),
    ];
    const MARGIN: f64 = 1.1;
    let seen = headline::mean(cell, metric)?;
    ROUND
        .iter()
        .find(|(bound, _)| *bound >= seen * MARGIN)
        .map(|(_, words)| (*words).to_owned())
}
