//! The words around pictures: titles that answer where that can be said, and how the figures came about.

use super::sheet::{self, Words};
use super::style::TITLE;
use super::text::{capitalised, wrap};
use super::{Focus, bill};
use crate::report::format::{self, span_ns};
use crate::report::verdicts;
use crate::run::summary::{Cell, Summary, Unit, name};
use crate::run::verdict::Class;
use std::fmt::Write as _;

/// The question that the scenario asks.
pub fn question(summary: &Summary) -> &str {
    if summary.title.is_empty() {
        &summary.scenario
    } else {
        &summary.title
    }
}

/// How the figures came about, for the foot of a picture; `intervals` names the marks that show confidence intervals,
/// if any.
pub fn foot(summary: &Summary, intervals: &str, notes: &[&str]) -> String {
    let mut words = format!("{}: {} simulated", summary.scenario, span_ns(summary.length_ns));
    if summary.warmup_ns > 0 {
        let warmup = span_ns(summary.warmup_ns);
        let _ = write!(words, ", the first {warmup} of it warm-up and not counted");
    }
    let plural = if summary.replications == 1 { "" } else { "s" };
    let _ = write!(words, "; {} run{plural}, seed {}", summary.replications, summary.seed);
    if summary.replications > 1 && !intervals.is_empty() {
        let _ = write!(words, "; {intervals}: 95 % confidence interval");
    }
    words.push('.');
    for note in notes.iter().filter(|note| !note.is_empty()) {
        words.push(' ');
        words.push_str(&capitalised(note.trim_end_matches('.')));
        words.push('.');
    }
    words
}

/// The words around a picture whose title is the answer if there is one that is short enough, else the question.
pub fn around(summary: &Summary, answer: Option<String>, what: &str, foot: String) -> Words {
    match answer.filter(|words| fits(words)) {
        Some(title) => Words {
            title,
            subtitle: format!("{} · {what}", question(summary)),
            foot,
        },
        None => Words {
            title: capitalised(question(summary)),
            subtitle: what.to_owned(),
            foot,
        },
    }
}

/// The answer as the screen gives it: its first line if that fits, else as far as it goes in clauses that stand alone.
pub fn answer(summary: &Summary) -> Option<String> {
    let line = summary.answer.lines.first()?;
    let ends = [". ", "; ", ", $"].into_iter();
    let ends = ends.flat_map(|end| line.match_indices(end).map(|(at, _)| at));
    let mut ends: Vec<usize> = ends.chain([line.len()]).collect();
    ends.sort_unstable();
    let clauses = ends.iter().rev().map(|end| line[..*end].trim_end_matches('.'));
    clauses.map(str::to_owned).find(|words| fits(words))
}

/// Whether words have room in two lines of a title.
fn fits(words: &str) -> bool {
    wrap(words, TITLE, true, sheet::width()).len() <= 2
}

/// What is to be said behind the bill of a cell, in a few words: why it cannot be compared, or how it compares.
pub fn bill_remark(summary: &Summary, focus: &Focus, index: usize) -> String {
    let (_, cell) = &focus.cells[index];
    if cell.is(Class::Growing) {
        return "growing: leaves out what is owed".into();
    }
    if fails_all(cell) {
        return "for nothing".into();
    }
    if !verdicts::has_whole_bill(cell) {
        return "leaves out work that is still owed".into();
    }
    if !cell.has_month() {
        return "not the bill of a month".into();
    }
    let differences = summary.differences_of(name::BILL_MONTH);
    let Some(found) = differences.of(cell) else {
        if !differences.is_base(cell) || focus.cells.len() < 2 || !bill::has_bill(cell) {
            return String::new();
        }
        let bill = |cell: &Cell| cell.bill.total.mean;
        let cheaper = |(_, other): &(String, &Cell)| verdicts::has_whole_bill(other) && bill(other) < bill(cell);
        return match (focus.cells.iter().any(cheaper), summary.answer.is(cell)) {
            (false, _) => "least",
            (true, true) => "the answer",
            (true, false) => "least that works",
        }
        .into();
    };
    let base = focus
        .cells
        .iter()
        .find(|(_, other)| other.is_at(&found.minus_variant, &found.minus_point));
    let base = base.map_or("the least", |(label, _)| label.as_str());
    let (mean, least) = (cell.bill.total.mean, cell.bill.total.mean - found.difference.mean);
    if least <= 0.0 || !bill::has_bill(cell) {
        // One without a price is not cheap.
        return String::new();
    }
    let times = mean / least;
    if !found.is_told_apart() {
        format!("not told apart from {base}")
    } else if found.difference.mean.abs() < 0.005 {
        format!("as much as {base}")
    } else if times >= 1.5 && times.is_finite() {
        format!("{} times {base}", format::grouped(times, 1))
    } else {
        let words = format::estimate(Unit::Dollars, &found.difference);
        match words.strip_prefix('-') {
            Some(words) => format!("{base} \u{2212} {words}"),
            None => format!("{base} + {words}"),
        }
    }
}

/// Whether everything that a cell does is in vain.
pub fn fails_all(cell: &Cell) -> bool {
    cell.losses
        .iter()
        .any(|loss| loss.metric.starts_with("workflows.") && loss.ratio() > 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_title_is_the_answer_of_the_screen_as_far_as_two_lines_go() {
        let mut summary = sample::compared();
        let title = answer(&summary).unwrap();
        assert!(summary.answer.lines[0].starts_with(&title), "{title}");
        let long = "b fails 3 % of what comes, which nobody has asked for and ".repeat(3);
        summary.answer.lines = vec![format!(
            "a keeps the promise for $3 a month, $2 less than c. {long}; {long}."
        )];
        assert_eq!(
            answer(&summary).unwrap(),
            "a keeps the promise for $3 a month, $2 less than c"
        );
        // A list is no place to stop at.
        summary.answer.lines = vec!["a, ".repeat(200)];
        assert_eq!(answer(&summary), None);
    }

    #[test]
    fn a_long_answer_gives_way_to_the_question() {
        let summary = sample::four();
        let words = around(&summary, Some("x ".repeat(200)), "what", String::new());
        assert_eq!(
            (words.title.as_str(), words.subtitle.as_str()),
            (summary.title.as_str(), "what")
        );
    }
}
