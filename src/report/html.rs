//! `report.html`: one file without scripts or links to other files, to be mailed or attached. It holds the table, the
//! expectations, the warnings, every picture as inline SVG, the bill line by line, and how to repeat the run.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assumptions;
use super::chart::{Named, focus};
use super::columns;
use super::ended;
use super::format::{self, span_ns};
use super::grid;
use super::inputs;
use super::large;
use super::limits;
use super::terminal::{judged, swept, whose};
use super::verdicts;
use crate::run::summary::{BillLine, Cell, Estimate, LimitHit, Outcome, Summary, Unit};
use crate::scenario::visible;

/// Light and dark, on paper and on a telephone: tables and pictures scroll within their own boxes there.
const STYLE: &str = include_str!("page.css");

/// Rows of a table of limits or of a bill at most: the rest is in the files.
const MOST_ROWS: usize = 200;

/// The document; `documents` are the SVG texts of `pictures`, `notes` say what these leave out.
pub fn text(summary: &Summary, pictures: &[Named], documents: &[String], notes: &[String]) -> String {
    let title = if summary.title.is_empty() {
        &summary.scenario
    } else {
        &summary.title
    };
    let page = html! {
        (DOCTYPE) "\n"
        html lang="en" { "\n"
            head { "\n"
                meta charset="utf-8"; "\n"
                meta name="viewport" content="width=device-width"; "\n"
                title { (title) } "\n"
                style { (PreEscaped(STYLE)) } "\n"
            } "\n"
            body { "\n"
                h1 { (title) } "\n"
                (body(summary, pictures, documents, notes))
            } "\n"
        } "\n"
    };
    visible(&page.into_string()).into_owned()
}

/// A part of the page: its anchor, its heading, and what stands below.
struct Section {
    anchor: &'static str,
    heading: String,
    content: Markup,
}

impl Section {
    fn new(anchor: &'static str, heading: &str, content: Markup) -> Self {
        Self {
            anchor,
            heading: heading.to_owned(),
            content,
        }
    }

    fn markup(&self) -> Markup {
        html! {
            section id=(self.anchor) { "\n"
                h2 { a href={ "#" (self.anchor) } { (self.heading) } } "\n"
                (self.content)
            } "\n"
        }
    }
}

fn body(summary: &Summary, pictures: &[Named], documents: &[String], notes: &[String]) -> Markup {
    let all = verdicts::by_regime(summary);
    let (shown, left_out) = large::shown(&all);
    let cells: Vec<(String, &Cell)> = shown.cells.iter().map(|cell| (verdicts::label(cell), cell)).collect();
    let figures = html! {
        (results(&shown))
        @for line in verdicts::sizes(summary, left_out) { (soft(&line)) }
        @for line in verdicts::legend(summary) { (soft(&line.replace("  ", "; "))) }
    };
    let drawn = html! {
        @for note in notes { (soft(note)) }
        @for (named, document) in pictures.iter().zip(documents) {
            figure { "\n"
                div.wide { (PreEscaped(document)) } "\n"
                figcaption { (named.caption) } "\n"
            } "\n"
        }
    };
    let sections: Vec<Section> = [
        Some(Section::new("results", "Results", figures)),
        ended::content(&shown).map(|content| Section::new("ended", "Where the work ended", content)),
        assumed(summary),
        list("verdicts", verdicts::HEADING, verdicts::lines(summary), "verdicts.csv"),
        list("faults", "Faults", limits::faults(&cells), "faults.csv"),
        limits_table(&shown),
        expectations(summary),
        list("warnings", "Warnings", summary.warnings.clone(), "summary.json"),
        (!documents.is_empty() || !notes.is_empty()).then(|| Section::new("pictures", "Pictures", drawn)),
        bills(&shown),
        inputs::content(&shown).map(|content| Section::new("inputs", "How sure the inputs are", content)),
        Some(Section::new("repeat", "To repeat this run", repeat(summary))),
    ]
    .into_iter()
    .flatten()
    .collect();
    html! {
        @if !summary.answer.lines.is_empty() {
            div class=(if summary.answer.winners.is_empty() { "answer open" } else { "answer" }) { "\n"
                @for line in &summary.answer.lines { p { (line) } "\n" }
                (soft(&format!("Promise: {}.", summary.answer.promise)))
            } "\n"
        }
        p.soft { (simulated(summary)) } "\n"
        nav { @for section in &sections { a href={ "#" (section.anchor) } { (section.heading) } " " } } "\n"
        @for section in &sections { (section.markup()) }
    }
}

/// How the figures came about.
fn simulated(summary: &Summary) -> String {
    let warmup = match summary.warmup_ns {
        0 => "no warm-up".to_owned(),
        some => format!("{} of it warm-up", span_ns(some)),
    };
    let plural = if summary.replications == 1 { "" } else { "s" };
    format!(
        "{}: {} simulated, {warmup}, {} run{plural}, seed {}.",
        summary.scenario,
        span_ns(summary.length_ns),
        summary.replications,
        summary.seed
    )
}

/// What the scenario does not say and what decides its answer.
fn assumed(summary: &Summary) -> Option<Section> {
    const COLUMNS: [&str; 5] = [
        "what is assumed",
        "confidence",
        "tried instead",
        "what that does",
        "how to say it",
    ];
    let heading = assumptions::heading(summary)?;
    let content = html! {
        div.wide { table { "\n"
            tr { @for column in COLUMNS { th.words { (column) } } } "\n"
            @for one in &summary.assumptions {
                tr {
                    td.words { (one.words) }
                    td.words { (one.confidence) }
                    td.words { (one.tried) }
                    td.words { @for effect in &one.effects { div { (assumptions::effect(effect)) } } }
                    td.words { (assumptions::say(one)) }
                } "\n"
            }
        } } "\n"
    };
    Some(Section::new("assumptions", &heading, content))
}

/// The limits that were run into, of all cells.
fn limits_table(summary: &Summary) -> Option<Section> {
    let hits: Vec<(&Cell, &LimitHit)> = summary.cells.iter().flat_map(limits_of).collect();
    let several = summary.variants().len() > 1;
    let content = html! {
        div.wide { table { "\n"
            tr { th { (whose(summary)) } @for (place, column) in limits::COLUMNS.iter().enumerate() {
                th class=[(place < 4).then_some("words")] { (column) }
            } } "\n"
            @for (cell, hit) in hits.iter().take(MOST_ROWS) {
                tr {
                    td { (verdicts::short_label(cell, several)) }
                    @for (place, field) in limits::fields(hit).iter().enumerate() {
                        td class=[(place < 4).then_some("words")] { (field) }
                    }
                } "\n"
            }
        } } "\n"
        (rest(hits.len(), "limits.csv"))
        (soft("Hits are per replication; windows are those of the timelines."))
    };
    (!hits.is_empty()).then(|| Section::new("limits", "Limits that were run into", content))
}

fn limits_of(cell: &Cell) -> impl Iterator<Item = (&Cell, &LimitHit)> {
    cell.limits.iter().map(move |hit| (cell, hit))
}

/// Where the rest of a table is that has so many rows.
fn rest(rows: usize, file: &str) -> Markup {
    html! {
        @if rows > MOST_ROWS {
            (soft(&format!("{} more in {file}.", format::count((rows - MOST_ROWS) as u64))))
        }
    }
}

/// One row per cell with the figures that suit what is in the system: those of the first screen.
fn results(summary: &Summary) -> Markup {
    let several = summary.variants().len() > 1 || summary.axes.is_empty();
    let columns = columns::of(summary);
    let marks = verdicts::marks(summary);
    let fields: Vec<Vec<String>> = columns.shown.iter().map(|column| column.texts().collect()).collect();
    let names = |cell: &Cell| -> Vec<String> {
        let values = cell.point.iter().map(|value| value.text.clone());
        several
            .then(|| cell.variant.clone())
            .into_iter()
            .chain(values)
            .collect()
    };
    html! {
        div.wide { table.figures { "\n"
            tr {
                @if several { th { "variant" } }
                @for axis in &summary.axes { th { (swept(axis)) } }
                @for column in &columns.shown { th { (grid::in_one_line(&column.header)) } }
                th { "per million requests" }
            } "\n"
            @for (row, cell) in summary.cells.iter().enumerate() {
                tr class=[(marks[row] == verdicts::ANSWER).then_some("best")] {
                    @for (index, name) in names(cell).into_iter().enumerate() {
                        td {
                            @if index == 0 && !marks[row].is_empty() {
                                span class=(class_of(marks[row])) { (marks[row]) "\u{a0}" }
                            }
                            (name)
                        }
                    }
                    @for column in &fields { td { (column[row]) } }
                    td { (cell.bill.per_million.as_ref().map_or_else(|| format::MISSING.into(), |e| money(cell, e))) }
                } "\n"
            }
        } } "\n"
        @for remark in &columns.remarks { (soft(remark)) }
    }
}

/// The colour of a mark before a row.
fn class_of(mark: &str) -> &'static str {
    match mark {
        verdicts::ANSWER => "ok",
        "!" => "fail",
        _ => "soft",
    }
}

/// What a cell costs; without a month there is no interval.
fn money(cell: &Cell, estimate: &Estimate) -> String {
    let shown = Estimate {
        interval: estimate.interval.filter(|_| cell.has_month()),
        ..*estimate
    };
    verdicts::bill(cell, (format::estimate(Unit::Dollars, &shown), String::new())).0
}

fn expectations(summary: &Summary) -> Option<Section> {
    let (shown, more) = large::expectations(summary);
    let mark = |outcome| match outcome {
        Outcome::Holds => ("ok", "ok"),
        Outcome::Fails => ("fail", "FAIL"),
        Outcome::Undecided => ("soft", "?"),
    };
    let content = html! {
        ul { "\n"
            @for expectation in shown {
                @let (class, mark) = mark(expectation.outcome);
                li { span class=(class) { (mark) } " " (judged(expectation)) } "\n"
            }
            @if more > 0 { li { (format::count(more as u64)) " more in summary.json" } "\n" }
        } "\n"
    };
    (!summary.expectations.is_empty()).then(|| Section::new("expectations", "Expectations", content))
}

fn soft(line: &str) -> Markup {
    html! { p.soft { (line) } "\n" }
}

/// A list of lines; where there are very many, the rest is in a file.
fn list(anchor: &'static str, heading: &str, lines: Vec<String>, file: &str) -> Option<Section> {
    if lines.is_empty() {
        return None;
    }
    let content = html! {
        ul { "\n"
            @for line in large::first_lines(lines, file) { li { (line) } "\n" }
        } "\n"
    };
    Some(Section::new(anchor, heading, content))
}

/// The bills beside one another, and that of every cell line by line, folded away.
fn bills(summary: &Summary) -> Option<Section> {
    let found: Vec<&Cell> = summary
        .cells
        .iter()
        .filter(|cell| !cell.bill.lines.is_empty())
        .collect();
    if found.is_empty() {
        return None;
    }
    let content = html! {
        (side_by_side(summary))
        @for cell in found {
            details {
                summary { (verdicts::label(cell)) ": " (bill_total(cell)) } "\n"
                div.wide { table { "\n"
                    tr {
                        th { "component" } th.words { "service" } th.words { "line" } th { "quantity" } th { "price" }
                        th { "amount" } th { "confidence in the price" }
                    } "\n"
                    @for line in largest(&cell.bill.lines) { (bill_line(line)) }
                    tr.total { td { "total" } td {} td {} td {} td {} td { (bill_total(cell)) } td {} } "\n"
                } } "\n"
                (rest(cell.bill.lines.len(), "bill.csv"))
                @for note in &cell.bill.notes { (soft(note)) }
            } "\n"
        }
    };
    Some(Section::new("bills", "Bills per month", content))
}

/// Lines that are compared at most; the others are added up.
const MOST_COMPARED: usize = 30;

/// What is paid for in each bill, the largest lines first, with the totals below.
fn side_by_side(summary: &Summary) -> Markup {
    let focus = focus(summary);
    let amounts: Vec<BTreeMap<(&str, &str), f64>> = focus.cells.iter().map(|(_, cell)| amounts(cell)).collect();
    let mut lines: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for (line, amount) in amounts.iter().flatten() {
        let largest = lines.entry(*line).or_insert(0.0);
        *largest = largest.max(*amount);
    }
    let mut order: Vec<((&str, &str), f64)> = lines.into_iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let (compared, others) = order.split_at(order.len().min(MOST_COMPARED));
    let amount =
        |amount: Option<f64>| amount.map_or_else(|| format::MISSING.into(), |a| format::value(Unit::Dollars, a));
    let rest = |cell: &BTreeMap<(&str, &str), f64>| others.iter().filter_map(|(line, _)| cell.get(line)).sum();
    html! {
        @if focus.cells.len() > 1 {
            @if !focus.note.is_empty() { (soft(&format!("Side by side, {}.", focus.note))) }
            div.wide { table.figures { "\n"
                tr { th { "paid for" } @for (label, _) in &focus.cells { th { (label) } } } "\n"
                @for (line, _) in compared {
                    tr {
                        td { (line.0) ": " (line.1) }
                        @for cell in &amounts { td { (amount(cell.get(line).copied())) } }
                    } "\n"
                }
                @if !others.is_empty() {
                    tr {
                        td { (format::count(others.len() as u64)) " smaller lines" }
                        @for cell in &amounts { td { (amount(Some(rest(cell)))) } }
                    } "\n"
                }
                tr.total { td { "total" } @for (_, cell) in &focus.cells { td { (bill_total(cell)) } } } "\n"
            } } "\n"
        }
    }
}

/// What is paid for each line of a bill, by component and line.
fn amounts(cell: &Cell) -> BTreeMap<(&str, &str), f64> {
    let mut found = BTreeMap::new();
    for line in &cell.bill.lines {
        *found
            .entry((line.component.as_str(), line.line.as_str()))
            .or_insert(0.0) += line.amount.mean;
    }
    found
}

fn bill_total(cell: &Cell) -> String {
    let total = format::estimate(Unit::Dollars, &cell.bill.total);
    verdicts::bill(cell, (total, String::new())).0
}

fn bill_line(line: &BillLine) -> Markup {
    html! {
        tr {
            td { (line.component) }
            td.words { (line.service) }
            td.words { (line.line) }
            td { (format::quantity(line.quantity.mean, &line.unit)) }
            td { (format::price(&line.price, &line.unit)) }
            td { (format::estimate(Unit::Dollars, &line.amount)) }
            td { (line.confidence) }
        } "\n"
    }
}

/// The lines of a bill that its table shows: all, or the largest in their order.
fn largest(lines: &[BillLine]) -> Vec<&BillLine> {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    if lines.len() > MOST_ROWS {
        order.sort_by(|a, b| lines[*b].amount.mean.total_cmp(&lines[*a].amount.mean));
        order.truncate(MOST_ROWS);
        order.sort_unstable();
    }
    order.into_iter().map(|line| &lines[line]).collect()
}

fn repeat(summary: &Summary) -> Markup {
    let manifest = &summary.manifest;
    html! {
        p { "In the scenario's folder: " code { (manifest.command) } } "\n"
        p.soft {
            "coldcurve " (manifest.coldcurve) ", scenario " (manifest.scenario_file) " (" (manifest.scenario_digest) ")"
            @for input in &manifest.inputs { "; " (input.file) " (" (input.digest) ")" }
            @for book in &manifest.price_books { "; prices of " (inputs::dated(book)) }
            "."
        } "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::super::chart;
    use super::super::sample;
    use super::*;

    #[test]
    fn the_page_stands_alone_and_escapes_names() {
        let mut summary = sample::extremes();
        summary.title = "<script>alert(1)</script>".into();
        let pictures = chart::pictures(&summary);
        let documents: Vec<String> = pictures.iter().map(|named| named.picture.svg().unwrap()).collect();
        let page = text(&summary, &pictures, &documents, &[]);
        assert!(!page.contains("<script") && !page.contains("<b>"));
        assert_eq!(page.matches("href=").count(), page.matches("href=\"#").count());
        assert!(!page.contains("src="));
        assert_eq!(page.matches("<svg").count(), pictures.len());
        for anchor in page
            .split("href=\"#")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
        {
            assert_eq!(page.matches(&format!("id=\"{anchor}\"")).count(), 1, "{anchor}");
        }
        for tag in ["table", "tr", "ul", "div", "figure", "details", "section", "nav"] {
            let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn bills_stand_side_by_side_and_add_up() {
        let summary = sample::four();
        let page = text(&summary, &[], &[], &[]);
        let table = page
            .split("id=\"bills\"")
            .nth(1)
            .unwrap()
            .split("</table>")
            .next()
            .unwrap();
        let amounts = |row: &str| -> Vec<f64> {
            let fields = row
                .split("<td>")
                .skip(2)
                .map(|field| field.split("</td>").next().unwrap());
            let digits = |field: &str| field.split(' ').next().unwrap().replace(['$', ','], "");
            fields.map(|field| digits(field).parse().unwrap_or(0.0)).collect()
        };
        let rows: Vec<Vec<f64>> = table.split("<tr").skip(2).map(amounts).collect();
        let (total, lines) = rows.split_last().unwrap();
        assert_eq!(total.len(), summary.cells.len());
        for (cell, total) in total.iter().enumerate() {
            let sum: f64 = lines.iter().map(|line| line[cell]).sum();
            assert!((sum - total).abs() <= 0.01 * total, "{sum} {total}");
        }
    }
}
