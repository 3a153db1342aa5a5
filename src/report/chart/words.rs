//! The words around pictures: titles that answer where that can be said, and how the figures came about.

use super::sheet::Words;
use super::text::{capitalised, list};
use super::{Focus, answer, bill};
use crate::report::format::{self, span_ns};
use crate::report::verdicts;
use crate::run::summary::{Cell, Summary, Unit, name};
use crate::run::verdict::Class;
use std::fmt::Write as _;

/// Letters of a title at most; what is longer is the question instead.
const LONGEST: usize = 80;

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
    let short = |words: &String| words.chars().count() <= LONGEST;
    match answer.filter(short) {
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

/// What the overview says of these cells: which of them is the cheapest that does its work, or what ails them all.
pub fn verdict(summary: &Summary, focus: &Focus) -> Option<String> {
    let cells = &focus.cells;
    if cells.len() < 2 {
        return None;
    }
    let all = cells.len();
    let bad: Vec<String> = cells
        .iter()
        .filter(|(_, cell)| cell.is_bad())
        .map(|cell| cell.0.clone())
        .collect();
    if bad.len() == all {
        return Some(format!("None of the {all} does all of its work"));
    }
    let (label, cell) = &cells[answer(focus)?];
    let bill = format::money_short(&cell.bill.total).0;
    if bad.is_empty() {
        let slow = cell.metric(name::LATENCY_P99).map(|metric| metric.estimate.mean);
        let quick = slow.filter(|slow| slow.is_finite());
        let quick = quick.filter(|slow| *slow > 0.0);
        let quick = quick.map(|slow| format!(", 99 of 100 within {}", format::value(Unit::Seconds, slow)));
        if let Some(other) = alike(summary, focus, cell) {
            return Some(format!("{label} costs {bill} a month, {other} not told apart from it"));
        }
        return Some(format!(
            "{label} costs least: {bill} a month{}",
            quick.unwrap_or_default()
        ));
    }
    let (growing, losing): (Vec<_>, Vec<_>) = cells
        .iter()
        .filter(|(_, cell)| cell.is_bad())
        .partition(|(_, cell)| cell.is(Class::Growing));
    let names = |cells: &[&(String, &Cell)]| list(&cells.iter().map(|cell| cell.0.clone()).collect::<Vec<_>>(), 3);
    let verb = |cells: &[&(String, &Cell)], one: &str, many: &str| match cells {
        [(name, cell)] if one == "fails" => format!("{name} fails {}", failed(cell)),
        [(name, _)] => format!("{name} {one}"),
        _ => format!("{} {many}", names(cells)),
    };
    let (losing, failing): (Vec<_>, Vec<_>) = losing.into_iter().partition(|(_, cell)| !cell.losses.is_empty());
    let ailing = [
        (growing, "never catches up", "never catch up"),
        (losing, "loses work", "lose work"),
        (failing, "fails", "fail"),
    ];
    let ailing = ailing.iter().filter(|(cells, _, _)| !cells.is_empty());
    let parts: Vec<String> = ailing
        .clone()
        .map(|(cells, one, many)| verb(cells, one, many))
        .collect();
    let counts = ailing.map(|(cells, one, many)| {
        let verb = if cells.len() == 1 { one } else { many };
        format!("{} {verb}", cells.len())
    });
    let counts: Vec<String> = counts.collect();
    let candidates = [
        format!(
            "{label} is the cheapest that works, {bill} a month: {}",
            parts.join(", ")
        ),
        format!("{label} works for {bill} a month: {}", parts.join(", ")),
        format!("{label} works for {bill} a month; of the {all}, {}", counts.join(", ")),
    ];
    candidates.into_iter().find(|words| words.chars().count() <= LONGEST)
}

/// The share of requests that a cell fails, in words.
fn failed(cell: &Cell) -> String {
    let ratio = cell
        .metric(name::ERROR_RATIO)
        .map_or(f64::NAN, |metric| metric.estimate.mean);
    format::value(Unit::Ratio, ratio)
}

/// Another cell whose bill is not told apart from that of the cheapest, if it is one that others are measured against.
fn alike<'f>(summary: &Summary, focus: &'f Focus, cheapest: &Cell) -> Option<&'f str> {
    let differences = summary.differences_of(name::BILL_MONTH);
    let of_it = |(_, cell): &&(String, &Cell)| {
        let found = differences.of(cell);
        found.is_some_and(|found| cheapest.is_at(&found.minus_variant, &found.minus_point) && !found.is_told_apart())
    };
    focus.cells.iter().find(of_it).map(|(label, _)| label.as_str())
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
        let is_least = !focus.cells.iter().any(cheaper);
        return if is_least { "least" } else { "least that works" }.into();
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
    use super::super::focus;
    use super::*;
    use crate::report::sample;
    use crate::run::verdict::{Loss, Verdict};

    fn growing() -> Verdict {
        serde_json::from_str(r#"{"class":"growing","words":"it grows"}"#).unwrap()
    }

    #[test]
    fn the_title_names_the_cheapest_that_does_its_work_and_what_ails_the_others() {
        let mut summary = sample::compared();
        let title = verdict(&summary, &focus(&summary)).unwrap();
        assert!(title.starts_with("cloud_run costs least: $"), "{title}");
        summary.cells[3].verdicts = vec![growing()];
        summary.cells[0].losses = vec![Loss {
            unavoidable: 0,
            metric: "queues.mail.dead_lettered".into(),
            words: String::new(),
            lost: 1,
            of: 10,
        }];
        let title = verdict(&summary, &focus(&summary)).unwrap();
        assert!(title.starts_with("arm works for $"), "{title}");
        assert!(
            title.ends_with(": cloud_run never catches up, base loses work"),
            "{title}"
        );
    }

    #[test]
    fn a_long_answer_gives_way_to_the_question() {
        let summary = sample::four();
        let words = around(&summary, Some("x".repeat(81)), "what", String::new());
        assert_eq!(
            (words.title.as_str(), words.subtitle.as_str()),
            (summary.title.as_str(), "what")
        );
    }
}
