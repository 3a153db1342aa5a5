//! Coarser windows for long runs: nobody reads a line of half a million points, and files of them have gigabytes. Only
//! what is written and drawn is coarser; every figure about windows is made of the windows themselves.

use crate::kernel::Duration;
use crate::model::Plan;
use crate::stats::SeriesUnit;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Points of a timeline at most.
pub const MOST_POINTS: u64 = 3000;

/// Numbers of windows that are put together: of a minute each these come to times that people use.
const FACTORS: [u64; 14] = [1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720];

/// Timelines with coarser windows than those of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coarser {
    /// Width of the windows of every timeline, in nanoseconds; the last one may be cut short by the end of the run.
    pub window_ns: u64,
    /// Windows of the run in each of them.
    pub windows: u64,
    /// What that means, in a sentence.
    pub words: String,
}

/// How many windows of a run make up one of its timelines.
pub fn factor(plan: &Plan) -> u64 {
    let windows = plan.length.0.div_ceil(plan.window.0.max(1));
    let least = windows.div_ceil(MOST_POINTS).max(1);
    let whole_days = || least.div_ceil(1440) * 1440;
    FACTORS
        .into_iter()
        .find(|factor| *factor >= least)
        .unwrap_or_else(whole_days)
}

/// How the timelines of a plan are coarser, if they are.
pub fn coarser(plan: &Plan, show: impl Fn(Duration) -> String) -> Option<Coarser> {
    let windows = factor(plan);
    let window = Duration(plan.window.0 * windows);
    (windows > 1).then(|| Coarser {
        window_ns: window.0,
        windows,
        words: format!(
            "Timelines show {} at a time, {windows} windows of {}: the longest of times, the mean of everything else. \
             Figures about windows are of single ones.",
            show(window),
            show(plan.window)
        ),
    })
}

/// The measured windows, counted from the end of the warm-up, that make up each window of a timeline that has any.
pub fn spans(before: usize, windows: usize, factor: usize) -> impl Iterator<Item = Range<usize>> {
    // Windows of a timeline are counted from the start of the run.
    let edge = move |place: usize| (place * factor).saturating_sub(before).min(windows);
    (before / factor..(before + windows).div_ceil(factor)).map(move |place| edge(place)..edge(place + 1))
}

/// One value for several windows, of those that have one: the largest time, the mean of anything else.
pub fn merged(unit: SeriesUnit, mut span: Range<usize>, value: impl Fn(usize) -> f64) -> f64 {
    if span.len() == 1 {
        return value(span.start);
    }
    if unit == SeriesUnit::Nanoseconds {
        return span.map(value).fold(f64::NAN, f64::max);
    }
    let add = |(sum, seen): (f64, f64), value: f64| (sum + value, seen + 1.0);
    let (sum, seen) = span
        .by_ref()
        .map(value)
        .filter(|value| value.is_finite())
        .fold((0.0, 0.0), add);
    sum / seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(length_s: u64, window_s: u64) -> Plan {
        let mut plan = Plan::default();
        (plan.length, plan.window) = (Duration::from_secs(length_s), Duration::from_secs(window_s));
        plan
    }

    #[test]
    fn windows_get_coarser_only_where_there_are_very_many_and_by_round_times() {
        let day = 86_400;
        for (length_s, expected) in [
            (3000 * 60, 1),
            (3001 * 60, 2),
            (14 * day, 10),
            (30 * day, 15),
            (365 * day, 180),
            (20 * 365 * day, 1440 * 3),
        ] {
            assert_eq!(factor(&plan(length_s, 60)), expected, "{length_s}");
            assert!(length_s / 60 / expected <= MOST_POINTS);
        }
        assert_eq!(coarser(&plan(60, 60), |_| String::new()), None);
        let year = coarser(&plan(365 * day, 60), |time| format!("{} s", time.0 / 1_000_000_000)).expect("coarser");
        assert_eq!((year.window_ns, year.windows), (10_800_000_000_000, 180));
        assert!(
            year.words.contains("10800 s at a time, 180 windows of 60 s"),
            "{}",
            year.words
        );
    }

    #[test]
    fn every_measured_window_is_in_one_place_of_its_timeline() {
        for (before, windows, factor) in [
            (0, 7, 1),
            (3, 7, 1),
            (0, 7, 3),
            (4, 9, 3),
            (3, 6, 3),
            (7, 2, 5),
            (2, 0, 3),
        ] {
            let spans: Vec<Range<usize>> = spans(before, windows, factor).collect();
            assert_eq!(spans.iter().map(Range::len).sum::<usize>(), windows);
            for (place, span) in (before / factor..).zip(spans) {
                assert!(span.clone().all(|window| (before + window) / factor == place));
            }
        }
    }

    #[test]
    fn times_are_the_longest_and_the_rest_is_the_mean_of_what_was_seen() {
        let values = [1.0, f64::NAN, 5.0, 0.0];
        let of = |unit, span| merged(unit, span, |window| values[window]);
        assert_eq!(of(SeriesUnit::Nanoseconds, 0..3).to_bits(), 5.0_f64.to_bits());
        assert_eq!(of(SeriesUnit::Level, 0..4).to_bits(), 2.0_f64.to_bits());
        assert!(of(SeriesUnit::Level, 1..2).is_nan() && of(SeriesUnit::Nanoseconds, 1..2).is_nan());
    }
}
