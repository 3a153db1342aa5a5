//! The summary for a person at a terminal: a table with one row per cell, what the slowest requests waited for, the
//! expectations, the warnings. It fits the terminal's width, and has colour only if asked.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use terminal_size::{Width, terminal_size_of};

use super::assumptions;
use super::chart::focus;
use super::columns;
use super::format::{self, span_ns};
use super::grid::{self, Kind, shortened, stacked};
use super::large;
use super::limits;
use super::offers;
use super::others;
use super::verdicts;
use crate::run::points::texts;
use crate::run::summary::{Axis, Cell, ExpectationResult, LimitHit, Outcome, Scale, Summary, Unit, name};
use crate::scenario::visible;

/// The width where there is no terminal to ask.
const USUAL: usize = 80;
/// No terminal is taken to be narrower.
const LEAST_WIDTH: usize = 20;
/// Longer lines of text are not read.
const MOST_TEXT: usize = 110;

/// Causes below this share of the time are added up.
const LEAST_SHARE: f64 = 0.02;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether to use ANSI colours.
    pub colour: bool,
}

impl View {
    /// Colour if stdout is a terminal and `NO_COLOR` is unset or empty (<https://no-color.org>); the width that
    /// `COLUMNS` tells, else that of the terminal, else 80 columns.
    pub fn detect() -> Self {
        let stdout = std::io::stdout();
        let terminal = stdout.is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let told = std::env::var("COLUMNS").ok().and_then(|value| value.parse().ok());
        let asked = || terminal_size_of(stdout).map(|(Width(columns), _)| usize::from(columns));
        let width = told.filter(|width| *width > 0).or_else(asked).unwrap_or(USUAL);
        Self {
            width: width.max(LEAST_WIDTH),
            colour: terminal && !plain,
        }
    }

    /// Columns that text is wrapped at.
    pub(super) fn text_width(self) -> usize {
        self.width.min(MOST_TEXT)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.into()
        }
    }
}

/// The whole report as text, with a newline at its end. Nothing in it steers a terminal but our own colours.
pub fn text(summary: &Summary, view: View) -> String {
    let plain = composed(summary, View { colour: false, ..view });
    match visible(&plain) {
        Cow::Owned(text) => text,
        Cow::Borrowed(_) if view.colour => composed(summary, view),
        Cow::Borrowed(_) => plain,
    }
}

fn composed(summary: &Summary, view: View) -> String {
    let mut out = String::new();
    let title = if summary.title.is_empty() {
        &summary.scenario
    } else {
        &summary.title
    };
    bold(&mut out, title, "1", view);
    let plural = if summary.replications == 1 { "" } else { "s" };
    let warmup = match summary.warmup_ns {
        0 => "no warm-up".to_owned(),
        some => format!("{} of it warm-up", span_ns(some)),
    };
    let simulated = format!(
        "{}: {} simulated, {warmup}, {} run{plural}, seed{STICKY}{}",
        summary.scenario,
        span_ns(summary.length_ns),
        summary.replications,
        summary.seed
    );
    paragraph(&mut out, &simulated, view.text_width(), "", "  ");
    if summary.cells.is_empty() {
        out.push_str("\nNothing was simulated.\n");
        return out;
    }
    answer(&mut out, summary, view);
    let shown = verdicts::by_regime(summary);
    let (some, left_out) = large::shown(&shown);
    let columns = columns::of(&some);
    let (table, left_out_heads) = table(&some, &columns.shown, view);
    let _ = writeln!(out, "\n{table}");
    let narrow = (!left_out_heads.is_empty()).then(|| {
        let names: Vec<String> = left_out_heads.iter().map(|head| grid::in_one_line(head)).collect();
        format!("Left out for want of room: {} (in summary.csv).", names.join(", "))
    });
    let there = columns
        .shown
        .iter()
        .filter(|column| !left_out_heads.contains(&column.header));
    let there: Vec<&columns::Column> = there.collect();
    for line in verdicts::sizes(summary, left_out)
        .into_iter()
        .chain(columns.remarks)
        .chain(narrow)
        .chain(verdicts::legend(summary))
        .chain(super::later::lines(summary))
    {
        paragraph(&mut out, &line, view.text_width(), "", "  ");
    }
    super::marks::explain(&mut out, &shown, &there, view);
    assumed(&mut out, summary, view);
    bill_notes(&mut out, summary, view);
    verdict_lines(&mut out, summary, view);
    if columns.has_answers {
        slowest(&mut out, &shown, view);
    }
    faults(&mut out, &shown, view);
    limits_table(&mut out, &shown, view);
    expectations(&mut out, summary, view);
    for line in others::lines(summary) {
        paragraph(&mut out, &line, view.text_width(), "", "  ");
    }
    if !summary.warnings.is_empty() {
        heading(&mut out, "Warnings", "1;33", view);
        for warning in large::first_lines(summary.warnings.clone(), "summary.json") {
            paragraph(&mut out, &warning, view.text_width(), "  ", "    ");
        }
    }
    out
}

/// The answer in words, and what was promised.
fn answer(out: &mut String, summary: &Summary, view: View) {
    if summary.answer.lines.is_empty() {
        return;
    }
    out.push('\n');
    for line in &summary.answer.lines {
        bold(out, line, "1", view);
    }
    let promise = format!("Promise: {}.", summary.answer.promise);
    paragraph(out, &promise, view.text_width(), "", "  ");
}

/// Words that stand out, in as many lines as they take.
fn bold(out: &mut String, words: &str, code: &str, view: View) {
    let mut wrapped = String::new();
    paragraph(&mut wrapped, words, view.text_width(), "", "");
    for line in wrapped.lines() {
        let _ = writeln!(out, "{}", view.paint(code, line));
    }
}

/// The heading of a block, with an empty line before it.
fn heading(out: &mut String, words: &str, code: &str, view: View) {
    out.push('\n');
    bold(out, words, code, view);
}

/// What was found about each cell that is not plainly steady, in words.
fn verdict_lines(out: &mut String, summary: &Summary, view: View) {
    let mut lines = verdicts::lines(summary);
    // What the answer says word by word is not said again.
    let said = summary.answer.lines.join(" ").to_lowercase();
    lines.retain(|line| !said.contains(&line.to_lowercase()));
    if lines.is_empty() {
        return;
    }
    heading(out, verdicts::HEADING, "1;33", view);
    for line in large::first_lines(lines, "verdicts.csv") {
        paragraph(out, &line, view.text_width(), "  ", "      ");
    }
}

/// What the scenario does not say and what decides its answer.
fn assumed(out: &mut String, summary: &Summary, view: View) {
    if let Some(words) = assumptions::heading(summary) {
        heading(out, &words, "1;33", view);
        for line in assumptions::lines(summary) {
            paragraph(out, &line, view.text_width(), "  ", "      ");
        }
        out.push('\n');
    }
}

/// What the reader should know about the bills, each note once, with the variants that it is about unless it is all.
fn bill_notes(out: &mut String, summary: &Summary, view: View) {
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for cell in &summary.cells {
        for note in &cell.bill.notes {
            let variant = cell.variant.as_str();
            match notes.iter_mut().find(|other| other.0 == note) {
                // The cells of a variant stand together.
                Some(other) if other.1.last() == Some(&variant) => {}
                Some(other) => other.1.push(variant),
                None => notes.push((note, vec![variant])),
            }
        }
    }
    let all = summary.variants().len();
    for (note, variants) in notes {
        let whose = if variants.len() == all {
            String::new()
        } else {
            format!(" ({})", variants.join(", "))
        };
        paragraph(out, &format!("Bill{whose}: {note}."), view.text_width(), "", "  ");
    }
}

/// A swept parameter in a heading: its label, and the last part of its path if it has none.
pub(super) fn swept(axis: &Axis) -> &str {
    if axis.label == axis.parameter {
        axis.parameter.rsplit('.').next().unwrap_or(&axis.parameter)
    } else {
        &axis.label
    }
}

/// What every row is about: its variant where there are several, and its values of the swept parameters.
fn names(summary: &Summary) -> Vec<grid::Column> {
    let several = summary.variants().len() > 1 || summary.axes.is_empty();
    let variant = several.then(|| grid::Column {
        head: "variant".into(),
        kind: Kind::Name,
        fields: summary.cells.iter().map(|cell| cell.variant.clone()).collect(),
    });
    let value = |(index, axis): (usize, &Axis)| grid::Column {
        head: stacked(&swept(axis).replace('_', " "), 16),
        // Words may be shortened, numbers never.
        kind: if axis.scale == Scale::Category {
            Kind::Name
        } else {
            Kind::Figure(0)
        },
        fields: summary
            .cells
            .iter()
            .map(|cell| cell.point[index].text.clone())
            .collect(),
    };
    variant
        .into_iter()
        .chain(summary.axes.iter().enumerate().map(value))
        .collect()
}

/// The table, and the heads of what it leaves out where the terminal is too narrow for it.
fn table(summary: &Summary, columns: &[columns::Column], view: View) -> (String, Vec<String>) {
    let mut all = Vec::new();
    let marks: Vec<String> = verdicts::marks(summary).into_iter().map(str::to_owned).collect();
    if marks.iter().any(|mark| !mark.is_empty()) {
        all.push(grid::Column {
            head: String::new(),
            kind: Kind::Mark,
            fields: marks,
        });
    }
    all.extend(names(summary));
    all.extend(columns.iter().map(|column| {
        grid::Column {
            head: column.header.clone(),
            kind: Kind::Figure(column.rank),
            fields: column
                .fields
                .iter()
                .map(|(mean, half)| format!("{mean} {half}").trim_end().to_owned())
                .collect(),
        }
    }));
    let (mut text, left_out) = grid::fitted(&all, view.width);
    if view.width < grid::NARROW {
        text.push('\n');
    }
    (text, left_out)
}

/// What the slowest hundredth of the requests spent their time on; of a large sweep, only at its last point.
fn slowest(out: &mut String, summary: &Summary, view: View) {
    let focus = focus(summary);
    let found: Vec<_> = focus
        .cells
        .iter()
        .filter_map(|(label, cell)| Some((label, cell.causes(name::CAUSES_SLOWEST)?)))
        .filter(|(_, breakdown)| !breakdown.causes.is_empty())
        .collect();
    if found.is_empty() {
        return;
    }
    heading(
        out,
        "What the slowest 1 % of good answers spent their time on",
        "1",
        view,
    );
    if !focus.note.is_empty() {
        paragraph(out, &format!("({})", focus.note), view.text_width(), "  ", "  ");
    }
    for (label, breakdown) in found {
        let mut causes: Vec<_> = breakdown.causes.iter().filter(|cause| cause.share > 0.0).collect();
        causes.sort_by(|a, b| b.share.total_cmp(&a.share));
        let (large, small): (Vec<_>, Vec<_>) = causes.into_iter().partition(|cause| cause.share >= LEAST_SHARE);
        let mut parts: Vec<String> = large
            .iter()
            .map(|cause| {
                let share = format::grouped(cause.share * 100.0, 0);
                format!(
                    "{} {share} % ({})",
                    cause.cause,
                    format::value(Unit::Seconds, cause.mean_s)
                )
            })
            .collect();
        let rest: f64 = small.iter().map(|cause| cause.share).sum();
        if rest >= 0.005 {
            parts.push(format!("other {} %", format::grouped(rest * 100.0, 0)));
        }
        // A cause, its share and its time stay on one line.
        let parts: Vec<String> = parts.into_iter().map(|part| part.replace(' ', STICKY)).collect();
        paragraph(
            out,
            &format!("{label}: {}", parts.join(", ")),
            view.text_width(),
            "  ",
            "      ",
        );
    }
}

/// When what broke.
fn faults(out: &mut String, summary: &Summary, view: View) {
    let lines = limits::faults(&focus(summary).cells);
    if lines.is_empty() {
        return;
    }
    heading(out, "Faults", "1", view);
    for line in lines {
        paragraph(out, &line, view.text_width(), "  ", "      ");
    }
}

/// Rows of the table of limits of one cell at most: the rest is in the files.
const MOST_LIMITS: usize = 6;
/// With more rows than this, the table of limits shows only some of the cells.
const MOST_ROWS: usize = 30;

/// Which limits were run into, by whom, how often and when: of all cells, or of those that it names.
fn limits_table(out: &mut String, summary: &Summary, view: View) {
    let all = summary
        .cells
        .iter()
        .map(|cell| cell.limits.len().min(MOST_LIMITS))
        .sum::<usize>();
    let several = summary.variants().len() > 1;
    let focus = focus(summary);
    let some = all > MOST_ROWS && focus.cells.len() < summary.cells.len();
    let cells: Vec<(String, &Cell)> = if some {
        focus.cells
    } else {
        let each = summary.cells.iter();
        each.map(|cell| (verdicts::short_label(cell, several), cell)).collect()
    };
    let shown = |(label, cell): &(String, &Cell)| -> Vec<(String, LimitHit)> {
        let hits = cell.limits.iter().take(MOST_LIMITS);
        hits.map(|hit| (label.clone(), hit.clone())).collect()
    };
    let hits: Vec<(String, LimitHit)> = cells.iter().flat_map(shown).collect();
    let left_out: usize = cells
        .iter()
        .map(|(_, cell)| cell.limits.len().saturating_sub(MOST_LIMITS))
        .sum();
    if all == 0 {
        return;
    }
    heading(out, "Limits that were run into", "1", view);
    if some {
        let note = format!("(only {}; limits.csv has all)", focus.note);
        paragraph(out, &note, view.text_width(), "  ", "  ");
    }
    let columns = limit_columns(&whose(summary), &hits);
    if grid::width(&columns) <= view.width {
        let _ = writeln!(out, "{}", grid::ruled(&columns));
    } else {
        for (label, hit) in &hits {
            let line = format!("{label}: {}", limits::in_line(hit));
            paragraph(out, &line, view.text_width(), "  ", "      ");
        }
    }
    if left_out > 0 {
        let _ = writeln!(out, "({left_out} more in limits.csv)");
    }
}

/// What the names of cells are: variants, or values of swept parameters, or both.
pub(super) fn whose(summary: &Summary) -> String {
    let several = summary.variants().len() > 1 || summary.axes.is_empty();
    let variant = several.then_some("variant").into_iter();
    variant
        .chain(summary.axes.iter().map(swept))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The columns of the table of limits.
fn limit_columns(whose: &str, hits: &[(String, LimitHit)]) -> Vec<grid::Column> {
    let rows: Vec<[String; 8]> = hits.iter().map(|(_, hit)| limits::fields(hit)).collect();
    let first = grid::Column {
        head: stacked(whose, 20),
        kind: Kind::Words,
        fields: hits.iter().map(|(label, _)| shortened(label, 28)).collect(),
    };
    let column = |(index, head): (usize, &&str)| grid::Column {
        head: (*head).to_owned(),
        // Four columns of words, then figures.
        kind: if index < 4 { Kind::Words } else { Kind::Figure(0) },
        fields: rows.iter().map(|row| row[index].clone()).collect(),
    };
    std::iter::once(first)
        .chain(limits::COLUMNS.iter().enumerate().map(column))
        .collect()
}

/// The expectations: all hold, or those that do not; where there are none, two that would fit.
fn expectations(out: &mut String, summary: &Summary, view: View) {
    let all = summary.expectations.len();
    if all == 0 {
        let offers = offers::of(summary);
        if !offers.is_empty() {
            heading(
                out,
                "Expectations: none, so that `coldcurve test` would check nothing. For example:",
                "1",
                view,
            );
            for offer in &offers {
                paragraph(out, offer, view.text_width(), "  ", "      ");
            }
        }
        return;
    }
    let of = |outcome| summary.expectations.iter().filter(|e| e.outcome == outcome).count();
    let (held, open) = (of(Outcome::Holds), of(Outcome::Undecided));
    let words = match (held == all, open) {
        (true, _) if all == 1 => "Expectations: the only one holds".to_owned(),
        (true, _) => format!("Expectations: all {all} hold"),
        (_, 0) => format!("Expectations: {held} of {all} hold"),
        _ => format!("Expectations: {held} of {all} hold, {open} not decided"),
    };
    heading(out, &words, "1", view);
    let (shown, more) = large::expectations(summary);
    for expectation in shown.into_iter().filter(|expectation| !expectation.holds()) {
        let (mark, code) = if expectation.fails() {
            ("FAIL", "1;31")
        } else {
            ("?", "1;33")
        };
        let mut lines = String::new();
        let first = format!("  {mark:4}  ");
        paragraph(&mut lines, &judged(expectation), view.text_width(), &first, "        ");
        out.push_str(&lines.replacen(mark, &view.paint(code, mark), 1));
    }
    if more > 0 {
        let _ = writeln!(out, "  ({} more in summary.json)", format::count(more as u64));
    }
}

/// One expectation in one line: who, what, the bounds, what was seen, and where it is written if it fails.
pub fn judged(expectation: &ExpectationResult) -> String {
    let cell = std::iter::once(expectation.variant.as_str())
        .chain(texts(&expectation.point))
        .collect::<Vec<_>>()
        .join(", ");
    let seen = expectation.seen.as_ref().map_or_else(
        || "no such metric".into(),
        |seen| format!("is {}", format::estimate(expectation.unit, seen)),
    );
    let place = if expectation.holds() || expectation.place.is_empty() {
        String::new()
    } else {
        format!(" ({})", expectation.place)
    };
    format!(
        "{cell}: {} {seen}, expected {}{}{place}",
        expectation.metric,
        expectation.condition,
        undecided(expectation)
    )
}

/// What would decide an expectation that is not.
fn undecided(expectation: &ExpectationResult) -> String {
    match (expectation.outcome, expectation.more_runs) {
        (Outcome::Undecided, Some(more)) => format!(": not decided, about {} more runs would", format::count(more)),
        (Outcome::Undecided, None) => ": not decided, the figure is too close to the bound".to_owned(),
        _ => String::new(),
    }
}

/// A blank at which [`paragraph`] does not break; printed as a blank.
const STICKY: &str = "\u{a0}";

/// Wraps words at `width` columns. A word that has no room in a line of its own goes on in the next one, at a dot or
/// another place between its parts, so that no number is cut.
pub(super) fn paragraph(out: &mut String, text: &str, width: usize, first: &str, further: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    let room = width.saturating_sub(first.chars().count().max(further.chars().count()));
    for word in text.split(' ').flat_map(|word| pieces(word, room)) {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{}", line.replace(STICKY, " "));
            further.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(out, "{}", line.replace(STICKY, " "));
}

/// A word in pieces of at most `room` letters, broken behind what joins its parts, if it is longer than that.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    let mut rest = word;
    let mut found = Vec::new();
    while rest.chars().count() > room {
        let places = rest.char_indices().take(room).skip(3);
        let joins = places.filter(|(at, letter)| {
            let before = rest[..*at].chars().next_back();
            let number = before.is_some_and(|before| before.is_ascii_digit());
            "._-/=,".contains(*letter) && !number
        });
        let Some((at, _)) = joins.last() else { break };
        let (piece, other) = rest.split_at(at + 1);
        found.push(piece);
        rest = other;
    }
    found.push(rest);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for (name, summary) in sample::all() {
            for width in [40, 59, 60, 80, 100, 160] {
                let printed = text(&summary, View { width, colour: false });
                for line in printed.lines() {
                    assert!(line.chars().count() <= width, "{name} at {width}: {line}");
                }
                assert!(!printed.contains('\u{1b}'), "{name}");
            }
        }
    }

    #[test]
    fn a_wide_table_keeps_a_cell_on_one_line() {
        let printed = text(
            &sample::four(),
            View {
                width: 160,
                colour: false,
            },
        );
        let row = printed.lines().find(|line| line.starts_with("! provisioned")).unwrap();
        let fields: Vec<&str> = row
            .split("  ")
            .map(str::trim)
            .filter(|field| !field.is_empty())
            .collect();
        assert_eq!(
            fields,
            [
                "! provisioned concurrency 400",
                "4,050 ±8",
                "11.7 ±0.1",
                "162 ±4",
                "340 ±30",
                "0.16 ±0.03",
                "0.37 ±0.04",
                "$15,570 ±160",
                "+$7,150 ±20"
            ]
        );
    }

    #[test]
    fn failed_expectations_say_what_was_seen_and_where_they_stand() {
        let printed = text(
            &sample::four(),
            View {
                width: 160,
                colour: false,
            },
        );
        assert!(printed.contains("Expectations: 1 of 3 hold"));
        assert!(
            printed
                .contains("FAIL  base: latency.p99 is 540 ms ±11, expected within [150 ms, 260 ms] (checkout.yaml:31)")
        );
        assert!(printed.contains("arm: latency.p99 no such metric"));
    }

    #[test]
    fn colour_is_only_used_when_asked_for() {
        assert!(
            text(
                &sample::four(),
                View {
                    width: 80,
                    colour: true
                }
            )
            .contains("\u{1b}[1;31mFAIL")
        );
    }

    /// `COLDCURVE_TEXTS=folder cargo test print_samples` leaves every sample text there for a look.
    #[test]
    fn print_samples() {
        let Some(folder) = std::env::var_os("COLDCURVE_TEXTS") else {
            return;
        };
        for (name, summary) in sample::all() {
            for width in [48, 80, 110, 160] {
                let path = std::path::Path::new(&folder).join(format!("{name}-{width}.txt"));
                std::fs::write(path, text(&summary, View { width, colour: false })).unwrap();
            }
        }
    }
}
