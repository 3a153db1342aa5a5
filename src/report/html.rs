//! `report.html`: one file without scripts or links to other files, to be mailed or attached. It holds the table, the
//! expectations, the warnings, every picture as inline SVG, the bill line by line, and how to repeat the run.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::Named;
use super::format::{self, span_ns};
use super::large;
use super::limits;
use super::terminal::judged;
use super::verdicts;
use crate::run::summary::{BillLine, Cell, Differences, Estimate, LimitHit, Outcome, Summary, Unit, name};
use crate::run::verdict::Class;
use crate::scenario::visible;

const STYLE: &str = "body{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;color:#222;max-width:1200px;\
margin:2rem auto;padding:0 1rem;line-height:1.5}h1{margin-bottom:.2rem}.soft{color:#5f5f5f}\
table{border-collapse:collapse;margin:1rem 0;font-size:.9rem}th,td{padding:.3rem .7rem;text-align:right;\
border-bottom:1px solid #e1e1e1}th:first-child,td:first-child,td.words{text-align:left}th{border-bottom:2px solid #222}\
.figures td{white-space:nowrap}figure{margin:2rem 0;overflow-x:auto}svg{width:100%;min-width:640px;height:auto}\
figcaption{color:#5f5f5f}.ok{color:#00704f}.fail{color:#b34700;\
font-weight:bold}code{background:#f3f3f3;padding:.1rem .3rem}.wide{overflow-x:auto}";

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

fn body(summary: &Summary, pictures: &[Named], documents: &[String], notes: &[String]) -> Markup {
    let all = verdicts::by_regime(summary);
    let (shown, left_out) = large::shown(&all);
    let cells: Vec<(String, &Cell)> = shown.cells.iter().map(|cell| (label(cell), cell)).collect();
    html! {
        p.soft {
            (summary.scenario) ": " (span_ns(summary.length_ns)) " simulated, " (span_ns(summary.warmup_ns))
            " of it warm-up, " (summary.replications) " replications, seed " (summary.seed) ". "
        } "\n"
        (results(&shown))
        @for line in verdicts::sizes(summary, left_out) { (soft(&line)) }
        @for line in verdicts::legend(summary) { (soft(&line)) }
        (list(verdicts::HEADING, verdicts::lines(summary), "verdicts.csv"))
        (list("Faults", limits::faults(&cells), "faults.csv"))
        (limits_table(&shown))
        (expectations(summary))
        (list("Warnings", summary.warnings.clone(), "summary.json"))
        @for note in notes { (soft(note)) }
        @for (named, document) in pictures.iter().zip(documents) {
            figure { "\n"
                (PreEscaped(document)) "\n"
                figcaption { (named.caption) } "\n"
            } "\n"
        }
        (bills(&shown))
        (repeat(summary))
    }
}

fn label(cell: &Cell) -> String {
    let points = cell.point.iter().map(|value| value.text.as_str());
    std::iter::once(cell.variant.as_str())
        .chain(points)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The limits that were run into, of all cells.
fn limits_table(summary: &Summary) -> Markup {
    let hits: Vec<(&Cell, &LimitHit)> = summary.cells.iter().flat_map(limits_of).collect();
    html! {
        @if !hits.is_empty() {
            h2 { "Limits that were run into" } "\n"
            div.wide { table { "\n"
                tr { th { "variant" } @for column in limits::COLUMNS { th { (column) } } } "\n"
                @for (cell, hit) in hits.iter().take(MOST_ROWS) {
                    tr {
                        td { (label(cell)) }
                        @for (place, field) in limits::fields(hit).iter().enumerate() {
                            td class=[(place < 4).then_some("words")] { (field) }
                        }
                    } "\n"
                }
            } } "\n"
            (rest(hits.len(), "limits.csv"))
            (soft("Hits are per replication; windows are those of the timelines."))
        }
    }
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

/// The main metrics and what they are called.
const COLUMNS: [(&str, &str); 6] = [
    ("requests", name::THROUGHPUT),
    ("p50", name::LATENCY_P50),
    ("p99", name::LATENCY_P99),
    ("p99, worst window", name::LATENCY_P99_WORST),
    ("errors", name::ERROR_RATIO),
    ("cold starts", name::COLD_RATIO),
];

/// One row per cell with the main metrics.
fn results(summary: &Summary) -> Markup {
    let differences = summary.differences_of(name::BILL_MONTH);
    html! {
        div.wide { table.figures { "\n"
            tr {
                th { "variant" }
                @for (header, _) in COLUMNS { th { (header) } }
                th { "bill per month" } th { "minus least" } th { "per million requests" }
            } "\n"
            @for cell in &summary.cells {
                tr {
                    td { @if cell.is_bad() { span.fail { "!" } " " } (label(cell)) }
                    @for (_, metric) in COLUMNS { td { (figure(cell, metric)) } }
                    td { (money(cell, &cell.bill.total)) }
                    td { (minus(&differences, cell)) }
                    td { (cell.bill.per_million.as_ref().map_or_else(|| format::MISSING.into(), |e| money(cell, e))) }
                } "\n"
            }
        } } "\n"
    }
}

/// A metric of a cell; what grows has no interval.
fn figure(cell: &Cell, metric: &str) -> String {
    let Some(metric) = cell.metric(metric) else {
        return format::MISSING.into();
    };
    let shown = Estimate {
        interval: metric.estimate.interval.filter(|_| !cell.is(Class::Growing)),
        ..metric.estimate
    };
    verdicts::marked(cell, (format::estimate(metric.unit, &shown), String::new())).0
}

/// What a cell costs; without a month there is no interval.
fn money(cell: &Cell, estimate: &Estimate) -> String {
    let shown = Estimate {
        interval: estimate.interval.filter(|_| cell.has_month()),
        ..*estimate
    };
    verdicts::bill(cell, (format::estimate(Unit::Dollars, &shown), String::new())).0
}

/// How much more the bill is than the least, with the same dice.
fn minus(bills: &Differences, cell: &Cell) -> String {
    let Some(found) = bills.of(cell) else {
        return if bills.is_base(cell) { "·" } else { format::MISSING }.into();
    };
    let words = format::estimate(Unit::Dollars, &found.difference);
    let doubt = if found.is_told_apart() { "" } else { " (not told apart)" };
    format!("{words}{doubt}")
}

fn expectations(summary: &Summary) -> Markup {
    let (shown, more) = large::expectations(summary);
    let mark = |outcome| match outcome {
        Outcome::Holds => ("ok", "ok"),
        Outcome::Fails => ("fail", "FAIL"),
        Outcome::Undecided => ("soft", "?"),
    };
    html! {
        @if !summary.expectations.is_empty() {
            h2 { "Expectations" } "\n"
            ul { "\n"
                @for expectation in shown {
                    @let (class, mark) = mark(expectation.outcome);
                    li { span class=(class) { (mark) } " " (judged(expectation)) } "\n"
                }
                @if more > 0 { li { (format::count(more as u64)) " more in summary.json" } "\n" }
            } "\n"
        }
    }
}

fn soft(line: &str) -> Markup {
    html! { p.soft { (line) } "\n" }
}

/// A list of lines; where there are very many, the rest is in a file.
fn list(heading: &str, lines: Vec<String>, file: &str) -> Markup {
    html! {
        @if !lines.is_empty() {
            h2 { (heading) } "\n"
            ul { "\n"
                @for line in large::first_lines(lines, file) { li { (line) } "\n" }
            } "\n"
        }
    }
}

/// The bill of every cell, folded away.
fn bills(summary: &Summary) -> Markup {
    let mut found = summary
        .cells
        .iter()
        .filter(|cell| !cell.bill.lines.is_empty())
        .peekable();
    html! {
        @if found.peek().is_some() {
            h2 { "Bills per month" } "\n"
            @for cell in found {
                details {
                    summary { (label(cell)) ": " (bill_total(cell)) } "\n"
                    div.wide { table { "\n"
                        tr {
                            th { "component" } th { "service" } th { "line" } th { "quantity" } th { "price" }
                            th { "amount" } th { "confidence in the price" }
                        } "\n"
                        @for line in largest(&cell.bill.lines) { (bill_line(line)) }
                    } } "\n"
                    (rest(cell.bill.lines.len(), "bill.csv"))
                    @for note in &cell.bill.notes { (soft(note)) }
                } "\n"
            }
        }
    }
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
            td { (format::value(Unit::Level, line.quantity.mean)) " " (line.unit) }
            td { (line.price) }
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
        h2 { "To repeat this run" } "\n"
        p { "In the scenario's folder: " code { (manifest.command) } } "\n"
        p.soft {
            "coldcurve " (manifest.coldcurve) ", scenario " (manifest.scenario_file)
            " (" (manifest.scenario_digest) ")\n"
            @for input in &manifest.inputs { "; " (input.file) " (" (input.digest) ")" }
            @for book in &manifest.price_books {
                "; prices of " (book.name) " " (book.region) " as of " (book.as_of) "\n"
            }
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
        assert!(!page.contains("href=") && !page.contains("src="));
        assert_eq!(page.matches("<svg").count(), pictures.len());
        for tag in ["table", "tr", "ul", "div", "figure", "details"] {
            let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
