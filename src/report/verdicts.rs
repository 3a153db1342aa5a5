//! How verdicts are shown: the marks behind and around figures, the lines in words, and one row a regime.

use super::format::MISSING;
use crate::run::answer::Reason;
use crate::run::answer::judge::State;
use crate::run::points::texts;
use crate::run::summary::{Cell, Summary, place};
use crate::run::verdict::{Class, Regime};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Above the lines in words.
pub const HEADING: &str = "What to know before believing these figures";

/// Behind figures of a system that grows.
const GROWING: &str = "\u{25b2}";

/// A figure and its half-width with the mark of a cell that grows: its value is that of the moment, so its interval
/// means nothing.
pub fn marked(cell: &Cell, field: (String, String)) -> (String, String) {
    if cell.is(Class::Growing) && field.0 != MISSING {
        (format!("{} {GROWING}", field.0), String::new())
    } else {
        field
    }
}

/// A monthly bill and its half-width: in parentheses, and without the half-width, if no month is like that.
pub fn bill(cell: &Cell, field: (String, String)) -> (String, String) {
    if cell.is(Class::NoTraffic) || cell.bill.missing.is_some() {
        return (MISSING.into(), String::new());
    }
    // The rows of a regime are of one kind, and were still not meant to be compared.
    if cell.has_month() || cell.is(Class::TwoRegimes) || field.0 == MISSING {
        return field;
    }
    (format!("({})", field.0), String::new())
}

/// What bills are called: where all that comes, comes once, none of them is that of a month.
pub fn bill_title(summary: &Summary) -> &'static str {
    let mut billed = summary.cells.iter().filter(|cell| cell.refused.is_none()).peekable();
    if billed.peek().is_some() && billed.all(|cell| cell.is(Class::Episode)) {
        "bill of the\nepisode"
    } else {
        "bill per\nmonth"
    }
}

/// Whether a bill holds all the work that came, so that it may stand beside others of the same traffic.
pub fn has_whole_bill(cell: &Cell) -> bool {
    cell.is_comparable() && !cell.is(Class::Draining) && !cell.is(Class::Unfinished)
}

/// Before the row of the answer.
pub const ANSWER: &str = "\u{25b8}";

/// What stands before each row: that it is the answer, that it breaks the promise, or that it is not decided.
pub fn marks(summary: &Summary) -> Vec<&'static str> {
    let answer = &summary.answer;
    let winners: BTreeSet<_> = answer
        .winners
        .iter()
        .map(|winner| place(&winner.variant, &winner.point))
        .collect();
    let reasons = answer.reasons.iter();
    let states: BTreeMap<_, _> = reasons
        .map(|reason| (place(&reason.variant, &reason.point), reason.state))
        .collect();
    let mark = |cell: &Cell| {
        if winners.contains(&cell.place()) {
            return if summary.cells.len() > 1 { ANSWER } else { "" };
        }
        match states.get(&cell.place()) {
            Some(State::Breaks) => "!",
            Some(State::Open) => "?",
            // Rows of a regime are none of the cells that were judged.
            None if cell.is_bad() => "!",
            Some(State::Keeps) | None => "",
        }
    };
    summary.cells.iter().map(mark).collect()
}

/// Whether a cell keeps the promise.
pub fn state(summary: &Summary, cell: &Cell) -> State {
    let of_it = |reason: &&Reason| cell.is_at(&reason.variant, &reason.point);
    match summary.answer.reasons.iter().find(of_it) {
        Some(reason) => reason.state,
        None if !summary.answer.is(cell) && cell.is_bad() => State::Breaks,
        None => State::Keeps,
    }
}

/// A cell of one regime, as a row of a table.
fn of_regime(cell: &Cell, regime: &Regime, alone: bool) -> Cell {
    let runs = regime.runs.len();
    let all: usize = cell.regimes.iter().map(|regime| regime.runs.len()).sum();
    Cell {
        // Along a sweep, those of one kind make up a line.
        variant: if texts(&cell.point).next().is_none() {
            let whose = if alone {
                String::new()
            } else {
                format!("{}: ", cell.variant)
            };
            format!("{whose}{runs} of {all} {}", regime.name)
        } else {
            format!("{}: {}", cell.variant, regime.name)
        },
        verdicts: cell.verdicts.clone(),
        ..regime.cell.clone()
    }
}

/// The summary with one cell a regime in place of each cell that has two: what tables and pictures are made of.
pub fn by_regime(summary: &Summary) -> Cow<'_, Summary> {
    if summary.cells.iter().all(|cell| cell.regimes.is_empty()) {
        return Cow::Borrowed(summary);
    }
    let rows = |cell: &Cell| -> Vec<Cell> {
        if cell.regimes.is_empty() {
            return vec![cell.clone()];
        }
        let alone = summary.cells.len() == 1;
        cell.regimes
            .iter()
            .map(|regime| of_regime(cell, regime, alone))
            .collect()
    };
    Cow::Owned(Summary {
        cells: summary.cells.iter().flat_map(rows).collect(),
        ..summary.clone()
    })
}

/// What tables leave out, how timelines are coarser than the run, and why the run is longer than asked for, if so.
pub fn sizes(summary: &Summary, left_out: Option<String>) -> Vec<String> {
    let coarser = summary.coarser.as_ref().map(|coarser| coarser.words.clone());
    let longer = summary.warmup.longer.clone();
    left_out.into_iter().chain(coarser).chain(longer).collect()
}

/// What the marks mean, of those that occur.
pub fn legend(summary: &Summary) -> Vec<String> {
    let mut marks = Vec::new();
    let before = self::marks(&by_regime(summary));
    for (sign, words) in [
        (ANSWER, "\u{25b8} the answer"),
        ("!", "! does not keep the promise"),
        ("?", "? not decided"),
    ] {
        if before.contains(&sign) {
            marks.push(words.to_owned());
        }
    }
    let mut add = |occurs: fn(&Cell) -> bool, words: &str| {
        if summary.cells.iter().any(occurs) {
            marks.push(words.to_owned());
        }
    };
    add(
        |cell| cell.is(Class::Growing),
        "\u{25b2} growing at the end: no steady value, shown for its size",
    );
    add(
        |cell| {
            let billed = cell.refused.is_none() && cell.regimes.is_empty() && !cell.is(Class::NoTraffic);
            billed && cell.bill.missing.is_none() && !has_whole_bill(cell)
        },
        "($...) leaves out work that is still owed; never compared",
    );
    add(
        |cell| has_whole_bill(cell) && !cell.has_month() && cell.bill.missing.is_none(),
        "($...) is not the bill of a month: what was measured does not repeat itself",
    );
    if marks.is_empty() {
        marks
    } else {
        vec![marks.join("  ")]
    }
}

/// What was found about each cell that is not plainly steady or loses work: one line a finding, cells that share one
/// named together.
pub fn lines(summary: &Summary) -> Vec<String> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for cell in &summary.cells {
        for words in words(cell) {
            let place = *places.entry(words).or_insert_with_key(|words| {
                found.push((words.clone(), Vec::new()));
                found.len() - 1
            });
            found[place].1.push(label(cell));
        }
    }
    let line = |(words, cells): (String, Vec<String>)| {
        if cells.len() == summary.cells.len() {
            return words;
        }
        let more = cells.len().saturating_sub(MOST_NAMES);
        let mut names = cells[..cells.len() - more].join("; ");
        if more > 0 {
            let _ = write!(names, "; {more} more");
        }
        format!("{names}: {words}")
    };
    found.into_iter().map(line).collect()
}

/// So many cells are named in a line; the others are counted.
const MOST_NAMES: usize = 4;

/// The findings about one cell, in words, those that say that all is well left out.
pub fn words(cell: &Cell) -> Vec<String> {
    let findings = cell.verdicts.iter().filter(|verdict| verdict.class != Class::Steady);
    let findings = findings.map(|verdict| match &verdict.hint {
        Some(hint) => format!("{}; {hint}", verdict.words),
        None => verdict.words.clone(),
    });
    let refused = cell.refused.iter().map(|why| format!("refused, no figures: {why}"));
    refused
        .chain(findings)
        .chain(cell.losses.iter().map(|loss| loss.words.clone()))
        .collect()
}

/// A cell in words: its variant and its sweep point.
pub fn label(cell: &Cell) -> String {
    let parts: Vec<&str> = std::iter::once(cell.variant.as_str())
        .chain(texts(&cell.point))
        .collect();
    parts.join(", ")
}

/// A cell in as few words as tell it from the others: without its variant if there is but one and it has a sweep point.
pub fn short_label(cell: &Cell, several: bool) -> String {
    let points: Vec<&str> = texts(&cell.point).collect();
    if several || points.is_empty() {
        label(cell)
    } else {
        points.join(", ")
    }
}

/// The name of a class, as in `summary.json`.
pub fn class_name(class: Class) -> &'static str {
    match class {
        Class::NoTraffic => "no_traffic",
        Class::TwoRegimes => "two_regimes",
        Class::Growing => "growing",
        Class::Draining => "draining",
        Class::Unfinished => "unfinished",
        Class::Periodic => "periodic",
        Class::TooShort => "too_short",
        Class::Episode => "episode",
        Class::Steady => "steady",
    }
}
