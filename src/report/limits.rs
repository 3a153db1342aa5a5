//! Limits that were run into and faults, in words and as tables: what the terminal, the page and the CSV files share.

use super::format::{self, MISSING, span_ns};
use crate::kernel::number::whole;
use crate::run::summary::{Cell, FaultSummary, LimitHit, Unit};
use std::fmt::Write as _;

/// The columns of the table of limits, the cell's own name left out.
pub const COLUMNS: [&str; 8] = [
    "limit",
    "of",
    "run into by",
    "mostly held by",
    "hits",
    "first",
    "worst window",
    "windows",
];

/// The fields of a row, in the order of [`COLUMNS`].
pub fn fields(hit: &LimitHit) -> [String; 8] {
    let or_missing = |text: &str| {
        if text.is_empty() {
            MISSING.to_owned()
        } else {
            text.to_owned()
        }
    };
    let seconds = |value| format::value(Unit::Seconds, value);
    let held = if hit.held_by.is_empty() {
        MISSING.to_owned()
    } else {
        format!("{} ({})", hit.held_by, format::value(Unit::Level, hit.held_mean))
    };
    let worst = if hit.worst_window_hits.is_finite() {
        format!(
            "{} at {}",
            format::value(Unit::Count, hit.worst_window_hits),
            span_ns(whole((hit.worst_window_s * 1e9).round()))
        )
    } else {
        MISSING.to_owned()
    };
    [
        hit.limit.clone(),
        or_missing(&hit.component),
        or_missing(&hit.caller),
        held,
        format::value(Unit::Count, hit.hits.mean),
        seconds(hit.first_s),
        worst,
        format::value(Unit::Ratio, hit.windows_ratio),
    ]
}

/// A limit that was run into, in one line: what of whom, by whom, how often and when.
pub fn in_line(hit: &LimitHit) -> String {
    let [limit, of, by, held, hits, first, worst, windows] = fields(hit);
    let mut text = limit;
    for (before, words) in [(" of ", of), (", by ", by)] {
        if words != MISSING {
            let _ = write!(text, "{before}{words}");
        }
    }
    let plural = if hits == "1" { "" } else { "s" };
    let _ = write!(text, ": {hits} time{plural} a run");
    for (before, words, behind) in [
        (", first at ", first, ""),
        (", worst window ", worst, ""),
        (", in ", windows, " of the windows"),
        ("; mostly held by ", held, ""),
    ] {
        if words != MISSING {
            let _ = write!(text, "{before}{words}{behind}");
        }
    }
    text
}

/// A fault in one line, and what it did in these cells.
fn in_words(fault: &FaultSummary, cells: &[(String, &FaultSummary)]) -> String {
    let seconds = |value: f64| span_ns(whole((value * 1e9).round()));
    let when = match fault.spans[..] {
        _ if !fault.fixed => format!(
            "at random, {} times for {} in all",
            format::value(Unit::Count, fault.times.mean),
            format::value(Unit::Seconds, fault.active_s.mean)
        ),
        [] => "not during the run".to_owned(),
        [(begin, end)] if begin.total_cmp(&end).is_eq() => format!("at {}", seconds(begin)),
        [(begin, end)] => format!("from {} to {}", seconds(begin), seconds(end)),
        [(begin, _), ..] => format!("{} times from {} on", fault.spans.len(), seconds(begin)),
    };
    let mut text = format!("{}: {} on {}, {when}", fault.name, fault.effect, fault.on.join(", "));
    for (label, seen) in cells {
        let parts = [("refused", seen.refused.mean), ("hung", seen.hung.mean)];
        let parts = parts.iter().filter(|(_, count)| *count > 0.0);
        let words: Vec<String> = parts
            .map(|(word, count)| format!("{} {word}", format::value(Unit::Count, *count)))
            .collect();
        if !words.is_empty() {
            let _ = write!(text, "; {label}: {}", words.join(", "));
        }
    }
    text
}

/// All faults of some cells, a line for each; one that several cells have alike is told once.
pub fn faults(cells: &[(String, &Cell)]) -> Vec<String> {
    let mut told: Vec<(&FaultSummary, Vec<(String, &FaultSummary)>)> = Vec::new();
    for (label, cell) in cells {
        for fault in &cell.faults {
            let alike = |other: &FaultSummary| {
                let what = (&other.name, &other.effect, &other.on, other.fixed);
                what == (&fault.name, &fault.effect, &fault.on, fault.fixed)
                    && (!fault.fixed || other.spans == fault.spans)
            };
            match told.iter_mut().find(|(other, _)| alike(other)) {
                Some((_, cells)) => cells.push((label.clone(), fault)),
                None => told.push((fault, vec![(label.clone(), fault)])),
            }
        }
    }
    let several = cells.len() > 1;
    told.into_iter()
        .map(|(fault, seen)| {
            let line = in_words(fault, &seen);
            let only: Vec<&str> = seen.iter().map(|(label, _)| label.as_str()).collect();
            if several && only.len() < cells.len() {
                format!("{line} (only {})", only.join(", "))
            } else {
                line
            }
        })
        .collect()
}

/// When faults that come at fixed times are active in some of these cells, in seconds; parts that touch are one.
pub fn active(cells: &[(String, &Cell)]) -> Vec<(f64, f64)> {
    let faults = cells.iter().flat_map(|(_, cell)| &cell.faults);
    let mut spans: Vec<(f64, f64)> = faults
        .filter(|fault| fault.fixed)
        .flat_map(|f| f.spans.clone())
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (begin, end) in spans {
        match merged.last_mut() {
            Some(last) if last.1 >= begin => last.1 = last.1.max(end),
            _ => merged.push((begin, end)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn faults_are_told_once_and_their_spans_are_joined() {
        let summary = sample::troubled();
        let cells: Vec<(String, &Cell)> = summary.cells.iter().map(|cell| (cell.variant.clone(), cell)).collect();
        let lines = faults(&cells);
        assert_eq!(
            lines,
            [
                "slow-orders: slow 5 on databases.orders, from 10 min to 12 min",
                "deploy: recycle 100% on functions.checkout, at 12 min",
                "flaky: fail 20% on externals.payment, at random, 4.5 times for 270 s in all; base: 120 refused, 3 \
                 hung; capped: 120 refused, 3 hung",
            ]
        );
        assert_eq!(active(&cells), [(600.0, 720.0)]);
    }
}
