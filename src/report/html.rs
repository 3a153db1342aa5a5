//! `report.html`: one file without scripts or links to other files, to be mailed or attached. It holds the table, the
//! expectations, the warnings, every picture as inline SVG, the bill line by line, and how to repeat the run.

use std::fmt::Write as _;

use super::chart::Named;
use super::format::{self, span_ns};
use super::large;
use super::limits;
use super::terminal::judged;
use super::verdicts;
use crate::run::summary::{BillLine, Cell, Differences, Estimate, Outcome, Summary, Unit, name};
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
    let title = escaped(if summary.title.is_empty() {
        &summary.scenario
    } else {
        &summary.title
    });
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n"
    );
    let _ = writeln!(
        out,
        "<p class=\"soft\">{}: {} simulated, {} of it warm-up, {} replications, seed {}. </p>",
        escaped(&summary.scenario),
        span_ns(summary.length_ns),
        span_ns(summary.warmup_ns),
        summary.replications,
        summary.seed
    );
    let all = verdicts::by_regime(summary);
    let (shown, left_out) = large::shown(&all);
    results(&mut out, &shown);
    for line in verdicts::sizes(summary, left_out)
        .into_iter()
        .chain(verdicts::legend(summary))
    {
        soft(&mut out, &line);
    }
    list(&mut out, verdicts::HEADING, verdicts::lines(summary), "verdicts.csv");
    let cells: Vec<(String, &Cell)> = shown.cells.iter().map(|cell| (label(cell), cell)).collect();
    list(&mut out, "Faults", limits::faults(&cells), "faults.csv");
    limits_table(&mut out, &shown);
    expectations(&mut out, summary);
    list(&mut out, "Warnings", summary.warnings.clone(), "summary.json");
    for note in notes {
        soft(&mut out, note);
    }
    for (named, document) in pictures.iter().zip(documents) {
        let _ = writeln!(
            out,
            "<figure>\n{document}\n<figcaption>{}</figcaption>\n</figure>",
            escaped(&named.caption)
        );
    }
    bills(&mut out, &shown);
    repeat(&mut out, summary);
    out.push_str("</body>\n</html>\n");
    visible(&out).into_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn label(cell: &Cell) -> String {
    let points = cell.point.iter().map(|value| value.text.as_str());
    std::iter::once(cell.variant.as_str())
        .chain(points)
        .collect::<Vec<_>>()
        .join(", ")
}

fn cell_name(cell: &Cell) -> String {
    escaped(&label(cell))
}

/// The limits that were run into, of all cells.
fn limits_table(out: &mut String, summary: &Summary) {
    if summary.cells.iter().all(|cell| cell.limits.is_empty()) {
        return;
    }
    out.push_str("<h2>Limits that were run into</h2>\n<div class=\"wide\"><table>\n<tr><th>variant</th>");
    for column in limits::COLUMNS {
        let _ = write!(out, "<th>{column}</th>");
    }
    out.push_str("</tr>\n");
    let hits = || {
        summary
            .cells
            .iter()
            .flat_map(|cell| cell.limits.iter().map(move |hit| (cell, hit)))
    };
    for (cell, hit) in hits().take(MOST_ROWS) {
        let _ = write!(out, "<tr><td>{}</td>", cell_name(cell));
        for (place, field) in limits::fields(hit).iter().enumerate() {
            let class = if place < 4 { " class=\"words\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", escaped(field));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
    rest(out, hits().count(), "limits.csv");
    out.push_str("<p class=\"soft\">Hits are per replication; windows are those of the timelines.</p>\n");
}

/// Where the rest of a table is that has so many rows.
fn rest(out: &mut String, rows: usize, file: &str) {
    if rows > MOST_ROWS {
        let more = format::count((rows - MOST_ROWS) as u64);
        soft(out, &format!("{more} more in {file}."));
    }
}

/// One row per cell with the main metrics.
fn results(out: &mut String, summary: &Summary) {
    let columns = [
        ("requests", name::THROUGHPUT),
        ("p50", name::LATENCY_P50),
        ("p99", name::LATENCY_P99),
        ("p99, worst window", name::LATENCY_P99_WORST),
        ("errors", name::ERROR_RATIO),
        ("cold starts", name::COLD_RATIO),
    ];
    out.push_str("<div class=\"wide\"><table class=\"figures\">\n<tr><th>variant</th>");
    for (header, _) in columns {
        let _ = write!(out, "<th>{header}</th>");
    }
    out.push_str("<th>bill per month</th><th>minus least</th><th>per million requests</th></tr>\n");
    let differences = summary.differences_of(name::BILL_MONTH);
    for cell in &summary.cells {
        let bad = if cell.is_bad() {
            "<span class=\"fail\">!</span> "
        } else {
            ""
        };
        let _ = write!(out, "<tr><td>{bad}{}</td>", cell_name(cell));
        for (_, metric) in columns {
            let words = cell.metric(metric).map(|metric| {
                let bare = Estimate {
                    interval: None,
                    ..metric.estimate
                };
                let shown = if cell.is(Class::Growing) {
                    &bare
                } else {
                    &metric.estimate
                };
                verdicts::marked(cell, (format::estimate(metric.unit, shown), String::new())).0
            });
            let _ = write!(
                out,
                "<td>{}</td>",
                escaped(&words.unwrap_or_else(|| format::MISSING.into()))
            );
        }
        let month = cell.has_month();
        let money = |estimate: &Estimate| {
            let bare = Estimate {
                interval: estimate.interval.filter(|_| month),
                ..*estimate
            };
            verdicts::bill(cell, (format::estimate(Unit::Dollars, &bare), String::new())).0
        };
        let million = cell.bill.per_million.as_ref().map(money);
        let _ = writeln!(
            out,
            "<td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&money(&cell.bill.total)),
            escaped(&minus(&differences, cell)),
            escaped(&million.unwrap_or_else(|| format::MISSING.into()))
        );
    }
    out.push_str("</table></div>\n");
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

fn expectations(out: &mut String, summary: &Summary) {
    if summary.expectations.is_empty() {
        return;
    }
    out.push_str("<h2>Expectations</h2>\n<ul>\n");
    let (shown, more) = large::expectations(summary);
    for expectation in shown {
        let (class, mark) = match expectation.outcome {
            Outcome::Holds => ("ok", "ok"),
            Outcome::Fails => ("fail", "FAIL"),
            Outcome::Undecided => ("soft", "?"),
        };
        let _ = writeln!(
            out,
            "<li><span class=\"{class}\">{mark}</span> {}</li>",
            escaped(&judged(expectation))
        );
    }
    if more > 0 {
        let _ = writeln!(out, "<li>{} more in summary.json</li>", format::count(more as u64));
    }
    out.push_str("</ul>\n");
}

fn soft(out: &mut String, line: &str) {
    let _ = writeln!(out, "<p class=\"soft\">{}</p>", escaped(line));
}

/// A list of lines; where there are very many, the rest is in a file.
fn list(out: &mut String, heading: &str, lines: Vec<String>, file: &str) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "<h2>{heading}</h2>\n<ul>");
    for line in large::first_lines(lines, file) {
        let _ = writeln!(out, "<li>{}</li>", escaped(&line));
    }
    out.push_str("</ul>\n");
}

/// The bill of every cell, folded away.
fn bills(out: &mut String, summary: &Summary) {
    let found: Vec<&Cell> = summary
        .cells
        .iter()
        .filter(|cell| !cell.bill.lines.is_empty())
        .collect();
    if found.is_empty() {
        return;
    }
    out.push_str("<h2>Bills per month</h2>\n");
    for cell in found {
        let total = format::estimate(Unit::Dollars, &cell.bill.total);
        let total = escaped(&verdicts::bill(cell, (total, String::new())).0);
        let _ = writeln!(
            out,
            "<details><summary>{}: {total}</summary>\n<div class=\"wide\"><table>",
            cell_name(cell)
        );
        out.push_str(
            "<tr><th>component</th><th>service</th><th>line</th><th>quantity</th><th>price</th><th>amount</th>",
        );
        out.push_str("<th>confidence in the price</th></tr>\n");
        for line in largest(&cell.bill.lines) {
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"words\">{}</td><td class=\"words\">{}</td><td>{} {}</td><td>{}</td><td>{}</td>\
                 <td>{}</td></tr>",
                escaped(&line.component),
                escaped(&line.service),
                escaped(&line.line),
                format::value(Unit::Level, line.quantity.mean),
                escaped(&line.unit),
                escaped(&line.price),
                escaped(&format::estimate(Unit::Dollars, &line.amount)),
                escaped(&line.confidence)
            );
        }
        out.push_str("</table></div>\n");
        rest(out, cell.bill.lines.len(), "bill.csv");
        for note in &cell.bill.notes {
            let _ = writeln!(out, "<p class=\"soft\">{}</p>", escaped(note));
        }
        out.push_str("</details>\n");
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

fn repeat(out: &mut String, summary: &Summary) {
    let manifest = &summary.manifest;
    let _ = writeln!(
        out,
        "<h2>To repeat this run</h2>\n<p>In the scenario's folder: <code>{}</code></p>",
        escaped(&manifest.command)
    );
    let _ = writeln!(
        out,
        "<p class=\"soft\">coldcurve {}, scenario {} ({})",
        escaped(&manifest.coldcurve),
        escaped(&manifest.scenario_file),
        escaped(&manifest.scenario_digest)
    );
    for input in &manifest.inputs {
        let _ = write!(out, "; {} ({})", escaped(&input.file), escaped(&input.digest));
    }
    for book in &manifest.price_books {
        let name = escaped(&format!("{} {}", book.name, book.region));
        let _ = writeln!(out, "; prices of {name} as of {}", escaped(&book.as_of));
    }
    out.push_str(".</p>\n");
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
