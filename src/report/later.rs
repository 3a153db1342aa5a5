//! Where the caller's answers and the ledger differ: what was answered well, and went wrong later.

use std::fmt::Write as _;

use super::format;
use super::verdicts;
use crate::run::answer::judge::State;
use crate::run::answer::words::capped;
use crate::run::ledger::{Ledger, LedgerEnd, UnitState};
use crate::run::summary::{Cell, Summary, Unit};

/// What is under way when a run ends is told from this share on: something always is.
pub const WORTH_TELLING: f64 = 0.01;
/// Places that are named.
const PLACES: usize = 3;
/// Lines on a screen.
const MOST: usize = 4;

/// The ends of a source's work that its callers were not told of, the worst first.
pub fn ends(ledger: &Ledger) -> Vec<&LedgerEnd> {
    let share = |end: &LedgerEnd| end.units as f64 / ledger.arrived as f64;
    let told = |end: &&LedgerEnd| match end.state {
        UnitState::Good => false,
        UnitState::Unfinished => end.place != ledger.source && share(end) >= WORTH_TELLING,
        _ => end.place != ledger.source,
    };
    ledger.ends.iter().filter(told).collect()
}

/// A client's answers and what became of them, if that differs: `clients.web: answered 100 %, 3.1 % lost later
/// (dead-lettered at queues.jobs)`.
pub fn words(cell: &Cell, ledger: &Ledger) -> Option<String> {
    let count = |end: &str| Some(cell.metric(&format!("{}.{end}", ledger.source))?.estimate.mean);
    let answered = count("good")? / count("offered")?;
    let ends = ends(ledger);
    if ends.is_empty() || !answered.is_finite() {
        return None;
    }
    let mut words = format!("{}: answered {}", ledger.source, nearly_all(answered));
    let mut states: Vec<UnitState> = ends.iter().map(|end| end.state).collect();
    states.dedup();
    for state in states {
        let of_it = || ends.iter().filter(|end| end.state == state);
        let units: u64 = of_it().map(|end| end.units).sum();
        let share = format::value(Unit::Ratio, units as f64 / ledger.arrived as f64);
        let when = if state == UnitState::Unfinished {
            "at the end"
        } else {
            "later"
        };
        let places: Vec<String> = of_it().map(|end| format!("{} at {}", end.why, end.place)).collect();
        let places: Vec<String> = places.iter().map(|place| place.trim().to_owned()).collect();
        let _ = write!(words, ", {share} {} {when} ({})", state.name(), capped(&places, PLACES));
    }
    Some(words)
}

/// A share that is not all is never rounded to all.
pub fn nearly_all(share: f64) -> String {
    let words = format::value(Unit::Ratio, share);
    if share < 1.0 && words == format::value(Unit::Ratio, 1.0) {
        return ">99.9 %".to_owned();
    }
    words
}

/// The lines of a screen: cells with equal words together, without what the answer says of a cell already.
pub fn lines(summary: &Summary) -> Vec<String> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for cell in summary.cells.iter().filter(|cell| !is_said(summary, cell)) {
        for words in cell.ledger.iter().filter_map(|ledger| words(cell, ledger)) {
            let label = verdicts::label(cell);
            match found.iter_mut().find(|(known, _)| *known == words) {
                Some((_, labels)) => labels.push(label),
                None => found.push((words, vec![label])),
            }
        }
    }
    let more = found.len().saturating_sub(MOST);
    let line = |(words, labels): &(String, Vec<String>)| {
        if labels.len() == summary.cells.len() {
            format!("{words}.")
        } else {
            format!("{}: {words}.", capped(labels, PLACES))
        }
    };
    let mut lines: Vec<String> = found.iter().take(MOST).map(line).collect();
    if more > 0 {
        lines.push(format!("{more} more of what went wrong after an answer in ledger.csv."));
    }
    lines
}

/// Whether the answer says of a cell that it loses work, or owes it.
fn is_said(summary: &Summary, cell: &Cell) -> bool {
    let reasons = summary.answer.reasons.iter();
    let of_it = reasons.filter(|reason| reason.state == State::Breaks && cell.is_at(&reason.variant, &reason.point));
    let mut words = of_it.map(|reason| reason.words.as_str());
    words.any(|words| words.starts_with("loses") || words.contains("owes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_was_answered_well_and_lost_later_is_said_unless_the_answer_says_it() {
        let mut summary = sample::asynchronous();
        assert_eq!(
            lines(&summary),
            ["clients.web: answered 100 %, 3.00 % lost later (dead-lettered at queues.mail)."]
        );
        let mut other = summary.cells[0].clone();
        other.variant = "other".into();
        other.ledger[0].ends.clear();
        summary.cells.push(other);
        assert!(lines(&summary)[0].starts_with("base: clients.web: answered 100 %"));
        summary.answer.winners.clear();
        summary.answer.reasons = vec![crate::run::answer::Reason {
            variant: "base".into(),
            point: Vec::new(),
            state: State::Breaks,
            words: "loses 3 of 100 messages".into(),
        }];
        assert_eq!(lines(&summary), Vec::<String>::new());
    }

    #[test]
    fn what_a_caller_was_told_is_no_later_news() {
        let mut summary = sample::asynchronous();
        let ledger = &mut summary.cells[0].ledger[0];
        ledger.ends[0].place = ledger.source.clone();
        assert_eq!(lines(&summary), Vec::<String>::new());
    }

    #[test]
    fn not_all_is_not_all() {
        assert_eq!(nearly_all(1.0), "100 %");
        assert_eq!(nearly_all(0.999_999), ">99.9 %");
        assert_eq!(nearly_all(0.5), "50.0 %");
    }
}
