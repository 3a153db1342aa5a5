//! What the marks in the table mean, only those that occur; and what the reader should know of single figures: which
//! rest on too few events, which sit on a jump of the distribution, and where windows are too small for a p99.

use std::fmt::Write as _;

use super::columns::{Column, MINUS};
use super::format::{self, span_ns};
use super::large;
use super::terminal::{View, paragraph};
use crate::run::points::texts;
use crate::run::summary::{Cell, Difference, Metric, Summary, Unit, name, place};

/// Requests in a window that a p99 takes at least: ten are beyond it then.
const ENOUGH_REQUESTS: f64 = 1000.0;

/// The lines below a table with columns of these metrics.
pub fn explain(out: &mut String, summary: &Summary, shown: &[&Column], view: View) {
    for line in lines(summary, shown) {
        paragraph(out, &line, view.text_width(), "", "  ");
    }
}

/// The same as sentences.
pub fn lines(summary: &Summary, shown: &[&Column]) -> Vec<String> {
    let mut lines: Vec<String> = legend(summary, shown).into_iter().collect();
    lines.extend(times_the_least(summary));
    let metrics: Vec<&str> = shown.iter().map(|column| column.metric.as_str()).collect();
    lines.extend(thin(summary, &metrics));
    let jumps = metrics.iter().flat_map(|metric| jumps(summary, metric)).collect();
    lines.extend(large::first_lines(jumps, "summary.json"));
    if metrics.contains(&name::LATENCY_P99_WORST) {
        lines.extend(small_windows(summary));
    }
    lines
}

/// Every shown figure of every cell.
fn figures<'s>(summary: &'s Summary, metrics: &'s [&str]) -> impl Iterator<Item = (&'s Cell, &'s Metric)> {
    let of = |cell| {
        metrics
            .iter()
            .filter_map(move |name| Some((cell, Cell::metric(cell, name)?)))
    };
    summary.cells.iter().flat_map(of)
}

fn legend(summary: &Summary, shown: &[&Column]) -> Option<String> {
    if summary.replications < 2 {
        return None;
    }
    let any = |is: &dyn Fn(&(String, String)) -> bool| shown.iter().flat_map(|column| &column.fields).any(is);
    let mut text = "± is half of the 95 % confidence interval over replications".to_owned();
    if any(&|words| words.1.starts_with('[')) {
        text.push_str("; [a, b] are its ends where it is lopsided");
    }
    if any(&|words| words.0.trim_start_matches('\u{25b2}').starts_with('>')) {
        text.push_str("; >x: at least x, the data give no upper limit");
    }
    if any(&|words| words.0.starts_with('<')) {
        text.push_str("; <x: none seen, at most x");
    }
    if !summary.differences.is_empty() && shown.iter().any(|column| column.metric == MINUS) {
        text.push_str("; minus: paired, the same dice");
        let bills = || summary.differences.iter().filter(|d| d.metric == name::BILL_MONTH);
        if bills().any(|found| !found.is_told_apart()) {
            text.push_str(", ? not told apart");
        }
    }
    text.push('.');
    Some(text)
}

/// Who has a figure: nobody in particular if there is one cell.
fn whose(summary: &Summary, cell: &Cell) -> String {
    if summary.cells.len() < 2 {
        return String::new();
    }
    let words: Vec<&str> = std::iter::once(cell.variant.as_str())
        .chain(texts(&cell.point))
        .collect();
    format!(" of {}", words.join(" "))
}

/// The most cells that a sentence names.
const NAMED: usize = 4;

fn and_more(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let mut text = names.join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

/// From so many times the least bill on, the ratio is said in words.
const SEVERAL_TIMES: f64 = 1.5;

/// Bills that are several times the least.
fn times_the_least(summary: &Summary) -> Option<String> {
    let bills = || {
        summary
            .differences
            .iter()
            .filter(|found| found.metric == name::BILL_MONTH)
    };
    let cells = summary.by_place();
    let ratio = |found: &&Difference| {
        let cell = cells.get(&place(&found.variant, &found.point))?;
        let bill = cell.bill.total.mean;
        let ratio = bill / (bill - found.difference.mean);
        (found.is_told_apart() && ratio >= SEVERAL_TIMES).then(|| {
            let whose = whose(summary, cell).replacen(" of ", "", 1);
            format!("{whose} {}", format::factor(ratio))
        })
    };
    let found: Vec<String> = bills().filter_map(|found| ratio(&found)).collect();
    (!found.is_empty()).then(|| format!("Bill over the least: {}.", and_more(found)))
}

/// Figures that rest on few separate events.
fn thin(summary: &Summary, metrics: &[&str]) -> Option<String> {
    let found: Vec<(&Cell, &Metric, f64)> = figures(summary, metrics)
        // Of what nobody and of what everybody met, the bound says all.
        .filter(|(_, metric)| metric.estimate.mean > 0.0)
        .filter(|(_, metric)| metric.unit != Unit::Ratio || metric.estimate.mean < 1.0)
        .filter_map(|(cell, metric)| Some((cell, metric, metric.thin?)))
        .collect();
    let most = found.iter().map(|found| found.2).fold(0.0, f64::max);
    let names = found
        .iter()
        .map(|(cell, metric, _)| format!("{}{}", metric.name, whose(summary, cell)))
        .collect();
    (!found.is_empty()).then(|| {
        let times = format::grouped(most.max(2.0).ceil(), 0);
        format!(
            "Thin: {} {} on few separate events; {times} times as many replications (or as long a run) would do.",
            and_more(names),
            if found.len() == 1 { "rests" } else { "rest" }
        )
    })
}

/// Percentiles that sit on a jump.
fn jumps<'s>(summary: &'s Summary, metric: &'s str) -> impl Iterator<Item = String> + 's {
    summary.cells.iter().filter_map(move |cell| {
        let (from, to) = cell.metric(metric)?.jump?;
        let (from, to) = (format::value(Unit::Seconds, from), format::value(Unit::Seconds, to));
        Some(format!(
            "{metric}{} jumps here from {from} to {to}: hardly more or fewer slow requests decide which.",
            whose(summary, cell)
        ))
    })
}

/// Windows in which too few requests end well for a p99 of each.
fn small_windows(summary: &Summary) -> Option<String> {
    let window_s = summary.window_ns as f64 / 1e9;
    let few = |cell: &&Cell| {
        let good = cell.metric(name::THROUGHPUT).map_or(0.0, |metric| metric.estimate.mean);
        good > 0.0 && good * window_s < ENOUGH_REQUESTS && cell.metric(name::LATENCY_P99_WORST).is_some()
    };
    let cells: Vec<&Cell> = summary.cells.iter().filter(few).collect();
    let all = cells.len() == summary.cells.len();
    (!cells.is_empty()).then(|| {
        let names = cells
            .iter()
            .map(|cell| whose(summary, cell).replacen(" of ", "", 1))
            .collect();
        let of = if all {
            String::new()
        } else {
            format!(" of {}", and_more(names))
        };
        format!(
            "The worst window{of} has fewer than 1,000 requests in {}: its p99 is more the worst luck than the worst \
             time; make `run.window` longer, or ask for a share of windows in `expect`.",
            span_ns(summary.window_ns)
        )
    })
}
