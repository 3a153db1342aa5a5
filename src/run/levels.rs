//! Levels over time to figures: the levels that are exceeded for a given share of the time, and that share by level.

use super::figures::metric;
use super::summary::{LevelShares, Metric, Unit};
use crate::model::world::run::RunResult;
use crate::stats::levels::Levels;
use crate::stats::{Observation, Value};

/// The quantiles over time that are reported of every level.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

fn of(observation: &Observation) -> Option<&Levels> {
    match &observation.value {
        Value::Levels(levels) => Some(levels),
        _ => None,
    }
}

/// The quantiles of the observation at `place` of each run.
pub(super) fn quantiles(name: &str, results: &[RunResult], place: usize, metrics: &mut Vec<Metric>) {
    for (word, q) in QUANTILES {
        let each = results.iter().map(|result| {
            let level = of(&result.observations[place]).and_then(|levels| levels.quantile(q));
            level.map_or(f64::NAN, |level| level as f64)
        });
        metrics.push(metric(format!("{name}.{word}"), Unit::Level, each.collect()));
    }
}

/// For how much of the time each level was reached, over all runs; `label` names an observation.
pub(super) fn shares(results: &[RunResult], label: impl Fn(&Observation) -> String) -> Vec<LevelShares> {
    let first = results.first().map_or(&[][..], |result| &result.observations);
    let mut list = Vec::new();
    for (place, observation) in first.iter().enumerate().filter(|(_, o)| of(o).is_some()) {
        let mut all = Levels::new();
        results
            .iter()
            .filter_map(|result| of(&result.observations[place]))
            .for_each(|levels| all.merge(levels));
        list.push(LevelShares {
            name: label(observation),
            points: all
                .at_or_above()
                .into_iter()
                .map(|(level, share)| (level as f64, share))
                .collect(),
        });
    }
    list
}
