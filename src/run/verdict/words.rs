//! The words of verdicts: part of the result, the same in `summary.json`, on the terminal and in the report.

use super::Regime;
use crate::kernel::Duration;
use crate::kernel::number::whole;
use crate::model::kind;
use crate::run::summary::{Cell, name};
use crate::scenario::units::show_duration;

/// What is said about the course of a level.
pub struct Evidence<'a> {
    /// Which.
    pub line: &'a str,
    /// What is counted.
    pub things: &'a str,
    /// Since when, from the start of the run.
    pub since_s: f64,
    /// Whether that is only from when on it could be judged.
    pub or_before: bool,
    /// How much it changes.
    pub per_second: f64,
    /// In how much time it doubles.
    pub doubles_s: Option<f64>,
    /// Its level in the last window.
    pub last: f64,
    /// What would have to be measured.
    pub wanted_s: f64,
    /// At what age what waits is lost, if nothing can have become so old.
    pub kept_s: Option<f64>,
}

/// A whole number, with commas.
fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Two significant digits, with commas from a thousand on.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 99.5 {
        return count(whole(size.round()));
    }
    let places = match size {
        s if s >= 9.95 => 0,
        s if s >= 0.995 => 1,
        s if s >= 0.0995 => 2,
        _ => 3,
    };
    format!("{size:.places$}")
}

/// A time in the largest unit that leaves at least two of it.
fn time(seconds: f64) -> String {
    let (size, unit) = match seconds.abs() {
        s if s >= 172_800.0 => (86_400.0, "d"),
        s if s >= 7_200.0 => (3_600.0, "h"),
        s if s >= 120.0 => (60.0, "min"),
        _ => (1.0, "s"),
    };
    let value = seconds / size;
    let whole = (value - value.round()).abs() < 0.005 || value >= 99.5;
    if whole {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A length as it would stand in a scenario: in whole seconds, and not rounded.
fn length(seconds: f64) -> String {
    show_duration(Duration::from_secs(whole(seconds.ceil())))
}

/// A share in per cent; what is not nothing is never called nothing, and what is not all is never called all.
fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        v if v <= 0.0 => "0 %".to_owned(),
        v if v < 0.01 => "less than 0.01 %".to_owned(),
        v if v < 1.0 => format!("{v:.2} %"),
        v if v < 10.0 || (v > 99.0 && v < 100.0) => format!("{:.1} %", v.min(99.9)),
        v => format!("{v:.0} %"),
    }
}

/// A rate of change and its unit of time, that which leaves a digit before the point.
pub fn per_time(per_second: f64) -> (String, &'static str) {
    let (factor, unit) = match per_second.abs() {
        r if r >= 0.5 => (1.0, "s"),
        r if r >= 0.5 / 60.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    };
    (number(per_second * factor), unit)
}

/// The same with what is counted.
fn rate(per_second: f64, things: &str) -> String {
    let (number, unit) = per_time(per_second);
    format!("{number} {things}/{unit}")
}

pub fn no_traffic() -> String {
    "no traffic: nothing came in what was measured".to_owned()
}

pub fn steady(cell: &Cell) -> String {
    let errors = cell
        .metric(name::ERROR_RATIO)
        .map_or(0.0, |metric| metric.estimate.mean);
    if errors >= 0.01 {
        format!("steady; refuses or fails {}", percent(errors))
    } else {
        "steady".to_owned()
    }
}

pub fn growing(evidence: &Evidence) -> String {
    let Evidence { line, things, .. } = evidence;
    let (since, last) = (time(evidence.since_s), number(evidence.last));
    let speed = rate(evidence.per_second, things);
    let before = if evidence.or_before { " or before" } else { "" };
    let lost = evidence.kept_s.map_or(String::new(), |age| {
        format!("; none became {} old, when {things} are lost", time(age))
    });
    match evidence.doubles_s {
        Some(doubles) => format!(
            "{line} grows: it doubles every {}, to {last} {things} at the end{lost}",
            time(doubles)
        ),
        None => format!("{line} grows by {speed} since {since}{before}, to {last} at the end{lost}"),
    }
}

pub fn draining(evidence: &Evidence) -> String {
    let Evidence { line, things, .. } = evidence;
    let left = evidence.last / -evidence.per_second;
    let empty = if evidence.last >= 0.5 && left.is_finite() {
        format!(
            ": {} are left at the end, about {} of work",
            number(evidence.last),
            time(left)
        )
    } else {
        String::new()
    };
    format!("{line} still falls, by {}{empty}", rate(evidence.per_second, things))
}

pub fn rising(evidence: &Evidence, input_changes: bool) -> String {
    let Evidence { line, things, .. } = evidence;
    let why = if input_changes {
        "the traffic changes until too near the end to tell whether it would settle"
    } else {
        "it slows down, but has not settled"
    };
    let longer = time(evidence.wanted_s);
    format!(
        "too short to say: {line} still rises by {} at the end ({}): {why}; measure about {longer}",
        rate(evidence.per_second, things),
        number(evidence.last)
    )
}

pub fn few_windows(windows: usize, left: u64, of: u64) -> String {
    format!(
        "too short to say: only {windows} windows, and {} of what came is still under way at the end; run longer, or \
         give a shorter `run.window`",
        percent(left as f64 / of.max(1) as f64)
    )
}

pub fn episode(end_s: f64, length_s: f64) -> String {
    format!(
        "an episode: everything comes once, the last of it at {} of {}; a month of it is nobody's bill",
        time(end_s),
        time(length_s)
    )
}

pub fn no_month(who: &str, period_s: f64, measured_s: f64, warmup_s: f64) -> String {
    let more = if warmup_s > 0.0 { ", the warm-up included" } else { "" };
    format!(
        "no monthly bill: {who} repeats itself every {}, and {} are measured; write `length: {}`{more}",
        time(period_s),
        time(measured_s),
        length(period_s + warmup_s)
    )
}

pub fn periodic(who: &str, period_s: f64, measured_s: f64, warmup_s: f64) -> String {
    let wanted = (measured_s / period_s).ceil().max(1.0) * period_s + warmup_s;
    format!(
        "{who} repeats itself every {}, and {} are measured, no whole number of times: `run.length` of {} would do",
        time(period_s),
        time(measured_s),
        length(wanted)
    )
}

pub fn two_regimes(regimes: &[Regime], all: usize) -> String {
    let [well, bad] = regimes else { return String::new() };
    let (low, high) = (well.mean(name::ERROR_RATIO), bad.mean(name::ERROR_RATIO));
    let (bad_runs, rest) = (bad.runs.len(), well.runs.len());
    let start = format!("two regimes: {bad_runs} of {all} runs collapsed");
    if high - low >= 0.1 {
        return format!(
            "{start} (errors {}); the other {rest}: errors {}",
            percent(high),
            percent(low)
        );
    }
    let (fast, slow) = (well.mean(name::LATENCY_P50), bad.mean(name::LATENCY_P50));
    if slow > 2.0 * fast {
        return format!(
            "{start} (p50 {} s); the other {rest}: p50 {} s",
            number(slow),
            number(fast)
        );
    }
    format!("{start}: their work piles up; in the other {rest} it does not")
}

pub fn start(collapsed: usize, all: usize, before: usize, ramp: crate::kernel::Duration) -> String {
    let ramp = time(ramp.as_secs_f64());
    if 2 * collapsed < before {
        format!(
            "the empty start decides: with traffic that ramps up over {ramp}, {collapsed} of {all} runs collapse; say \
             how your system begins (`arrivals: {{ rates: [...] }}` with `ramp: true`)"
        )
    } else {
        format!(
            "the empty start is not the cause: with traffic that ramps up over {ramp}, {collapsed} of {all} collapse"
        )
    }
}

pub fn loss(who: &str, of_kind: u8, lost: u64, of: u64, what: &str) -> String {
    let things = match of_kind {
        kind::STREAM => "records",
        kind::FUNCTION => "events",
        kind::TOPIC | kind::SCHEDULE => "deliveries",
        kind::WORKFLOW => "executions",
        _ => "messages",
    };
    let share = percent(lost as f64 / of.max(1) as f64);
    format!(
        "{who}: {share} of its {things} {what} ({} of {})",
        count(lost),
        count(of)
    )
}

/// Work of something that comes at times of its own, which was not done.
pub fn unfinished(what: &str) -> String {
    format!(
        "{what}: not done when the measured time ended, and the bill leaves out the rest; measure longer, or set \
         `run.start` or `at` so that it begins earlier"
    )
}

/// A backlog that grew by leaps, to so many of what came.
pub fn left_behind(line: &str, things: &str, left: f64, came: f64) -> String {
    format!(
        "{line}: {} of {} {things} wait at the end, more and more; the bill leaves them out",
        number(left),
        number(came)
    )
}
