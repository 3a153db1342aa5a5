//! The summary for a person at a terminal: a table with one row per cell, what the slowest requests waited for, the
//! expectations, the warnings. It fits 80 columns by moving intervals to a second line, and has colour only if asked.

use crate::kernel::number::fit;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::chart::focus;
use super::format::{self, MISSING, span_ns};
use super::large;
use super::limits;
use super::verdicts;
use crate::run::summary::{Cell, Estimate, ExpectationResult, Outcome, Summary, Unit, name};
use crate::scenario::visible;

/// The style of all tables.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

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
    /// `COLUMNS` tells, else 80 columns on a terminal and 160 in a pipe, where nothing wraps.
    pub fn detect() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let told = std::env::var("COLUMNS")
            .ok()
            .and_then(|value| value.parse().ok())
            .filter(|width| *width >= 40);
        Self {
            width: told.unwrap_or(if terminal { 80 } else { 160 }),
            colour: terminal && !plain,
        }
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
    let _ = writeln!(out, "{}", view.paint("1", title));
    let plural = if summary.replications == 1 { "" } else { "s" };
    let _ = writeln!(
        out,
        "{}: {} simulated, {} of it warm-up, {} replication{plural}, seed {}",
        summary.scenario,
        span_ns(summary.length_ns),
        span_ns(summary.warmup_ns),
        summary.replications,
        summary.seed
    );
    if summary.cells.is_empty() {
        out.push_str("\nNothing was simulated.\n");
        return out;
    }
    let shown = verdicts::by_regime(summary);
    let (some, left_out) = large::shown(&shown);
    let _ = writeln!(out, "\n{}", table(&some, view));
    for line in verdicts::sizes(summary, left_out)
        .into_iter()
        .chain(verdicts::legend(summary))
    {
        paragraph(&mut out, &line, view.width, "", "  ");
    }
    super::marks::explain(&mut out, &shown, view);
    verdict_lines(&mut out, summary, view);
    bill_notes(&mut out, summary, view);
    slowest(&mut out, &shown, view);
    faults(&mut out, &shown, view);
    limits_table(&mut out, &shown, view);
    expectations(&mut out, summary, view);
    if !summary.warnings.is_empty() {
        let _ = writeln!(out, "\n{}", view.paint("1;33", "Warnings"));
        for warning in large::first_lines(summary.warnings.clone(), "summary.json") {
            paragraph(&mut out, &warning, view.width, "  ", "    ");
        }
    }
    out
}

/// What was found about each cell that is not plainly steady, in words.
fn verdict_lines(out: &mut String, summary: &Summary, view: View) {
    let lines = verdicts::lines(summary);
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", view.paint("1;33", verdicts::HEADING));
    for line in large::first_lines(lines, "verdicts.csv") {
        paragraph(out, &line, view.width, "  ", "      ");
    }
    out.push('\n');
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
        paragraph(out, &format!("Bill{whose}: {note}."), view.width, "", "  ");
    }
}

/// A column of the table: its header, and the number and its half-width for each cell.
struct Column {
    header: String,
    fields: Vec<(String, String)>,
}

impl Column {
    /// Present if any cell has the metric.
    fn metric(summary: &Summary, header: &str, metric: &str) -> Option<Self> {
        let found: Vec<_> = summary.cells.iter().map(|cell| (cell, cell.metric(metric))).collect();
        found.iter().any(|(_, metric)| metric.is_some()).then(|| Self {
            header: header.into(),
            fields: found
                .into_iter()
                .map(|(cell, metric)| {
                    metric.map_or((MISSING.into(), String::new()), |metric| {
                        verdicts::marked(cell, field(metric.unit, &metric.estimate))
                    })
                })
                .collect(),
        })
    }
}

fn field(unit: Unit, estimate: &Estimate) -> (String, String) {
    if unit == Unit::Dollars {
        return format::money_short(estimate);
    }
    let (mut mean, half) = format::figure(unit, estimate);
    if let Some(suffix) = match unit {
        Unit::PerSecond => Some("/s"),
        Unit::Ratio => Some(" %"),
        _ => None,
    } {
        // The header says it.
        mean.truncate(mean.trim_end_matches(suffix).len());
    }
    (mean, half)
}

fn columns(summary: &Summary) -> Vec<Column> {
    let window = match summary.window_ns {
        60_000_000_000 => "minute".into(),
        1_000_000_000 => "second".into(),
        other => span_ns(other),
    };
    let metrics = [
        ("requests\n/s", name::THROUGHPUT),
        ("p50", name::LATENCY_P50),
        ("p99", name::LATENCY_P99),
        (&format!("p99 of\nworst\n{window}"), name::LATENCY_P99_WORST),
        ("errors\n%", name::ERROR_RATIO),
        ("cold\n%", name::COLD_RATIO),
    ];
    let mut columns: Vec<Column> = metrics
        .into_iter()
        .filter_map(|(header, metric)| Column::metric(summary, header, metric))
        .collect();
    let bills = summary
        .cells
        .iter()
        .map(|cell| verdicts::bill(cell, format::money_short(&cell.bill.total)))
        .collect();
    columns.push(Column {
        header: "bill per\nmonth".into(),
        fields: bills,
    });
    columns.extend(minus(summary));
    columns
}

/// How much more every bill is than that of the cheapest, with the same dice; with `?` where chance does not let them
/// be told apart.
fn minus(summary: &Summary) -> Option<Column> {
    if summary.differences.is_empty() {
        return None;
    }
    let bills = summary.differences_of(name::BILL_MONTH);
    let mut against: Vec<String> = Vec::new();
    let field = |cell: &Cell| {
        let Some(found) = bills.of(cell) else {
            let base = bills.is_base(cell);
            return (if base { "·" } else { MISSING }.to_owned(), String::new());
        };
        if !against.contains(&found.minus_variant) {
            against.push(found.minus_variant.clone());
        }
        let (mean, half) = format::money_short(&found.difference);
        let sign = if found.difference.mean > 0.0 { "+" } else { "" };
        let doubt = if found.is_told_apart() { "" } else { "?" };
        (format!("{sign}{mean}"), format!("{half}{doubt}"))
    };
    let fields = summary.cells.iter().map(field).collect();
    let header = match (summary.variants().len(), against.as_slice()) {
        (2.., [one]) => format!("minus\n{}", shortened(one, 11)),
        _ => "minus\nleast".to_owned(),
    };
    Some(Column { header, fields })
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(std::iter::once('…'))
        .collect()
}

/// The table: intervals beside their numbers if that fits, else below them with long names cut, else with narrower
/// gaps, else wrapped wherever needed.
fn table(summary: &Summary, view: View) -> String {
    let columns = columns(summary);
    let longest = summary
        .variants()
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .min(32);
    let tries = [(" ", longest, 2), ("\n", longest, 2), ("\n", 10, 2), ("\n", 10, 1)];
    let mut table = Table::new();
    for (between, most, gap) in tries {
        table = build(summary, &columns, between, most, gap);
        let widths = table.column_max_content_widths();
        let total = widths
            .iter()
            .map(|width| usize::from(*width) + usize::from(gap))
            .sum::<usize>();
        if total <= view.width + usize::from(gap) {
            return lines(&table);
        }
    }
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(fit(view.width));
    lines(&table)
}

fn lines(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A table with `between` a number and its half-width, names of at most `most` letters and `gap` blanks between
/// columns.
fn build(summary: &Summary, columns: &[Column], between: &str, most: usize, gap: u16) -> Table {
    let mut table = Table::new();
    table.load_style(RULED);
    let axes = summary
        .axes
        .iter()
        .map(|axis| axis.parameter.rsplit('.').next().unwrap_or(&axis.parameter).to_owned());
    let variants = summary.variants().len() > 1 || summary.axes.is_empty();
    let names = variants.then(|| "variant".to_owned()).into_iter().chain(axes);
    let bad = summary.cells.iter().any(Cell::is_bad);
    let names = bad.then(String::new).into_iter().chain(names);
    let labels = names.clone().count();
    table.set_header(names.chain(columns.iter().map(|column| column.header.clone())));
    for (index, cell) in summary.cells.iter().enumerate() {
        let variant = variants.then(|| shortened(&cell.variant, most)).into_iter();
        let points = cell.point.iter().map(|value| value.text.clone());
        let numbers = columns.iter().map(|column| {
            let (mean, half) = &column.fields[index];
            if half.is_empty() {
                mean.clone()
            } else {
                format!("{mean}{between}{half}")
            }
        });
        let mark = bad.then(|| if cell.is_bad() { "!" } else { "" }.to_owned()).into_iter();
        table.add_row(mark.chain(variant).chain(points).chain(numbers));
    }
    for index in 0..labels + columns.len() {
        if let Some(column) = table.column_mut(index) {
            let last = index + 1 == labels + columns.len();
            let gap = if bad && index == 0 { 1 } else { gap };
            column.set_padding((0, if last { 0 } else { gap }));
            if index >= labels {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
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
    let _ = writeln!(
        out,
        "\n{}",
        view.paint("1", "What the slowest 1 % of requests spent their time on")
    );
    if !focus.note.is_empty() {
        paragraph(out, &format!("({})", focus.note), view.width, "  ", "  ");
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
            view.width,
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
    let _ = writeln!(out, "\n{}", view.paint("1", "Faults"));
    for line in lines {
        paragraph(out, &line, view.width, "  ", "      ");
    }
}

/// Rows of the table of limits of one cell at most: the rest is in the files.
const MOST_LIMITS: usize = 6;

/// Which limits were run into, by whom, how often and when.
fn limits_table(out: &mut String, summary: &Summary, view: View) {
    let focus = focus(summary);
    let mut rows = Vec::new();
    let mut left_out = 0;
    for (label, cell) in &focus.cells {
        let shown = cell.limits.iter().take(MOST_LIMITS);
        rows.extend(shown.map(|hit| (shortened(label, 20), limits::fields(hit))));
        left_out += cell.limits.len().saturating_sub(MOST_LIMITS);
    }
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", view.paint("1", "Limits that were run into"));
    let mut table = limits_in(&rows, false);
    if table
        .column_max_content_widths()
        .iter()
        .map(|width| usize::from(*width) + 2)
        .sum::<usize>()
        > view.width + 2
    {
        table = limits_in(&rows, true);
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(fit(view.width));
    }
    let _ = writeln!(out, "{}", lines(&table));
    if left_out > 0 {
        let _ = writeln!(out, "({left_out} more in limits.csv)");
    }
}

/// The table of limits; `stacked` puts whose and by whom below one another.
fn limits_in(rows: &[(String, [String; 8])], stacked: bool) -> Table {
    let mut table = Table::new();
    table.load_style(RULED);
    let arrange = |name: &str, fields: [&str; 8]| -> Vec<String> {
        let [limit, of, by, held, hits, first, worst, windows] = fields;
        let numbers = [hits, first, worst, windows].map(str::to_owned);
        let words = if stacked {
            vec![format!("{limit}\n{of}"), format!("{by}\n{held}")]
        } else {
            [limit, of, by, held].map(str::to_owned).to_vec()
        };
        std::iter::once(name.to_owned()).chain(words).chain(numbers).collect()
    };
    table.set_header(arrange("variant", limits::COLUMNS));
    for (label, fields) in rows {
        table.add_row(arrange(label, std::array::from_fn(|i| fields[i].as_str())));
    }
    let columns = if stacked { 7 } else { 9 };
    for index in 0..columns {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, if index + 1 == columns { 0 } else { 2 }));
            if index + 4 >= columns {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table
}

fn expectations(out: &mut String, summary: &Summary, view: View) {
    if summary.expectations.is_empty() {
        return;
    }
    let held = summary
        .expectations
        .iter()
        .filter(|expectation| expectation.holds())
        .count();
    let open = summary
        .expectations
        .iter()
        .filter(|e| e.outcome == Outcome::Undecided)
        .count();
    let open = if open == 0 {
        String::new()
    } else {
        format!(", {open} not decided")
    };
    let words = format!("Expectations: {held} of {} hold{open}", summary.expectations.len());
    let _ = writeln!(out, "\n{}", view.paint("1", &words));
    let (shown, more) = large::expectations(summary);
    for expectation in shown {
        let (mark, code) = match expectation.outcome {
            Outcome::Holds => ("ok", "32"),
            Outcome::Fails => ("FAIL", "1;31"),
            Outcome::Undecided => ("?", "1;33"),
        };
        let mut lines = String::new();
        paragraph(
            &mut lines,
            &judged(expectation),
            view.width,
            &format!("  {mark:4}  "),
            "        ",
        );
        out.push_str(&lines.replacen(mark, &view.paint(code, mark), 1));
    }
    if more > 0 {
        let _ = writeln!(out, "  ({} more in summary.json)", format::count(more as u64));
    }
}

/// One expectation in one line: who, what, the bounds, what was seen, and where it is written if it fails.
pub fn judged(expectation: &ExpectationResult) -> String {
    let points = expectation.point.iter().map(|value| value.text.as_str());
    let cell = std::iter::once(expectation.variant.as_str())
        .chain(points)
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

/// Wraps words at `width` columns.
pub(super) fn paragraph(out: &mut String, text: &str, width: usize, first: &str, further: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for (name, summary) in sample::all() {
            for width in [80, 100, 160] {
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
                "4,047 ±8",
                "11.7 ms ±0.1",
                "162 ms ±4",
                "340 ms ±34",
                "0.162 ±0.032",
                "0.369 ±0.037",
                "$15,569 ±156",
                "+$7,150 ±22"
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
            for width in [80, 160] {
                let path = std::path::Path::new(&folder).join(format!("{name}-{width}.txt"));
                std::fs::write(path, text(&summary, View { width, colour: false })).unwrap();
            }
        }
    }
}
