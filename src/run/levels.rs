//! Levels over time to figures: the levels that are exceeded for a given share of the time, and that share by level.

use super::figures::metric;
use super::summary::{LevelShares, Metric, Unit};
use super::tally::{Packed, Seen};
use crate::stats::levels::Levels;

/// The quantiles over time that are reported of every level.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// The quantiles of a level, from how long it lasted at each height in each run.
pub(super) fn quantiles(name: &str, runs: impl Iterator<Item = Option<Levels>>, metrics: &mut Vec<Metric>) {
    let runs: Vec<Option<Levels>> = runs.collect();
    for (word, q) in QUANTILES {
        let each = runs.iter().map(|levels| {
            let level = levels.as_ref().and_then(|levels| levels.quantile(q));
            level.map_or(f64::NAN, |level| level as f64)
        });
        metrics.push(metric(format!("{name}.{word}"), Unit::Level, each.collect()));
    }
}

/// For how much of the time each level was reached, over all runs; `label` names a metric.
pub(super) fn shares(results: &[&Packed], label: impl Fn(&Seen) -> String) -> Vec<LevelShares> {
    let first = results.first().into_iter().flat_map(|result| result.observations());
    let mut list = Vec::new();
    for (place, observation) in first.enumerate().filter(|(_, seen)| seen.is_levels()) {
        let mut all = Levels::new();
        let each = results
            .iter()
            .filter_map(|result| result.like(place, &observation)?.levels());
        each.for_each(|levels| all.merge(&levels));
        list.push(LevelShares {
            name: label(&observation),
            points: all
                .at_or_above()
                .into_iter()
                .map(|(level, share)| (level as f64, share))
                .collect(),
        });
    }
    list
}
