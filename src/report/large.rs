//! What is shown of a study with very many cells: nobody reads ten thousand rows. Tables show the cells that matter
//! most and say where the rest is; `summary.json` leaves out what has CSV files of its own: it would be a gigabyte.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::format;
use crate::run::answer::Answer;
use crate::run::assumptions::Assumption;
use crate::run::coarse::Coarser;
use crate::run::promise::Promise;
use crate::run::summary::{Axis, Cell, ExpectationResult, Manifest, Outcome, Summary, WarmupSummary, name};

/// Tables of more cells than this show some of them.
pub const MOST_CELLS: usize = 200;
/// Cells that are shown for each of the reasons to show one.
const OF_EACH: usize = 10;
/// Lists of more lines than this end there.
pub const MOST_LINES: usize = 100;
/// With more cells than this, `summary.json` leaves out what has CSV files of its own.
const MOST_WHOLE: usize = 1000;

/// The cells of a table, and what it leaves out, in a sentence, if anything.
pub fn shown(summary: &Summary) -> (Cow<'_, Summary>, Option<String>) {
    let all = summary.cells.len();
    if all <= MOST_CELLS {
        return (Cow::Borrowed(summary), None);
    }
    let mut picked = vec![false; all];
    let mut pick = |cells: &mut dyn Iterator<Item = usize>| cells.take(OF_EACH).for_each(|cell| picked[cell] = true);
    pick(&mut (0..all));
    pick(&mut (0..all).filter(|&cell| summary.cells[cell].is_bad()));
    let bill = |cell: &Cell| Some(cell.bill.total.mean);
    let p99 = |cell: &Cell| cell.metric(name::LATENCY_P99).map(|metric| metric.estimate.mean);
    for ranked in [ranked(summary, bill), ranked(summary, p99)] {
        pick(&mut ranked.iter().copied());
        pick(&mut ranked.iter().rev().copied());
    }
    let cells: Vec<Cell> = summary
        .cells
        .iter()
        .zip(picked)
        .filter(|(_, picked)| *picked)
        .map(|(cell, _)| cell.clone())
        .collect();
    let note = format!(
        "{} of {} cells: the first, the first that fail, and those with the lowest and the highest bills and p99, \
         {OF_EACH} of each; summary.csv has all.",
        cells.len(),
        format::count(all as u64)
    );
    (Cow::Owned(with_cells(summary, cells)), Some(note))
}

/// The cells that have a figure, by that figure; of those that fail none is the best or the worst.
fn ranked(summary: &Summary, figure: impl Fn(&Cell) -> Option<f64>) -> Vec<usize> {
    let cells = summary.cells.iter().enumerate().filter(|(_, cell)| !cell.is_bad());
    let figures = cells.filter_map(|(index, cell)| Some((figure(cell).filter(|mean| mean.is_finite())?, index)));
    let mut found: Vec<(f64, usize)> = figures.collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(_, index)| index).collect()
}

/// The summary with these cells only; nothing else is copied for each cell that is left out.
fn with_cells(summary: &Summary, cells: Vec<Cell>) -> Summary {
    let here: std::collections::BTreeSet<_> = cells.iter().map(Cell::place).collect();
    let differences = summary.differences.iter();
    let of_here = differences.filter(|d| here.contains(&crate::run::summary::place(&d.variant, &d.point)));
    Summary {
        differences: of_here.cloned().collect(),
        axes: summary.axes.clone(),
        coarser: summary.coarser.clone(),
        answer: summary.answer.clone(),
        assumptions: summary.assumptions.clone(),
        scenario: summary.scenario.clone(),
        title: summary.title.clone(),
        warmup: summary.warmup.clone(),
        expectations: summary.expectations.clone(),
        warnings: summary.warnings.clone(),
        manifest: summary.manifest.clone(),
        cells,
        ..*summary
    }
}

/// The first lines of a list, and where the rest is, if there is any.
pub fn first_lines(lines: Vec<String>, file: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST_LINES);
    let mut lines = lines;
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!("{} more in {file}", format::count(more as u64)));
    }
    lines
}

/// The expectations that a list shows, those that fail first where there are very many; and how many it leaves out.
pub fn expectations(summary: &Summary) -> (Vec<&ExpectationResult>, usize) {
    let mut all: Vec<&ExpectationResult> = summary.expectations.iter().collect();
    let more = all.len().saturating_sub(MOST_CELLS);
    if more > 0 {
        all.sort_by_key(|expectation| match expectation.outcome {
            Outcome::Fails => 0,
            Outcome::Undecided => 1,
            Outcome::Holds => 2,
        });
        all.truncate(MOST_CELLS);
    }
    (all, more)
}

/// A summary without what has CSV files of its own.
#[derive(Serialize)]
pub struct Slim<'a> {
    schema: u32,
    scenario: &'a str,
    title: &'a str,
    replications: u32,
    seed: u64,
    length_ns: u64,
    warmup_ns: u64,
    warmup: &'a WarmupSummary,
    window_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    coarser: &'a Option<Coarser>,
    axes: &'a [Axis],
    left_out: &'static str,
    cells: Cells<'a>,
    promise: Promise,
    answer: &'a Answer,
    #[serde(skip_serializing_if = "<[Assumption]>::is_empty")]
    assumptions: &'a [Assumption],
    expectations: &'a [ExpectationResult],
    warnings: &'a [String],
    manifest: &'a Manifest,
}

/// What is written of a summary with very many cells; `None` of others.
pub fn slim(summary: &Summary) -> Option<Slim<'_>> {
    if summary.cells.len() <= MOST_WHOLE {
        return None;
    }
    // A new field is not to be forgotten here.
    let Summary {
        schema,
        scenario,
        title,
        replications,
        seed,
        length_ns,
        warmup_ns,
        warmup,
        window_ns,
        coarser,
        axes,
        cells,
        differences: _,
        promise,
        answer,
        assumptions,
        expectations,
        warnings,
        manifest,
    } = summary;
    Some(Slim {
        schema: *schema,
        scenario,
        title,
        replications: *replications,
        seed: *seed,
        length_ns: *length_ns,
        warmup_ns: *warmup_ns,
        warmup,
        window_ns: *window_ns,
        coarser,
        axes,
        left_out: "more than 1,000 cells: distributions are in latency.csv, timelines in timeline.csv, levels in \
                   levels.csv, differences in differences.csv, the value of each replication in runs.csv",
        cells: Cells(cells),
        promise: *promise,
        answer,
        assumptions,
        expectations,
        warnings,
        manifest,
    })
}

/// Cells that are written one by one, each without what has CSV files of its own.
struct Cells<'a>(&'a [Cell]);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for cell in self.0 {
            let mut cell = cell.clone();
            cell.distributions.clear();
            cell.timelines.clear();
            cell.levels.clear();
            cell.metrics
                .iter_mut()
                .for_each(|metric| metric.per_replication.clear());
            list.serialize_element(&cell)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{html, json, sample, terminal};

    /// A sweep of so many cells, one bill and p99 higher than the other; the one numbered 700 is the cheapest.
    fn many(cells: usize) -> Summary {
        let mut summary = sample::sweep();
        let (pattern, points) = (summary.cells[0].clone(), summary.axes.len());
        summary.differences.clear();
        summary.cells = (0..cells)
            .map(|number| {
                let mut cell = pattern.clone();
                cell.point = vec![pattern.point[0].clone(); points];
                cell.point[0].text = format!("{number}/s");
                cell.point[0].number = number as f64;
                cell.bill.total.mean = if number == 700 { 1.0 } else { 10.0 + number as f64 };
                for metric in cell
                    .metrics
                    .iter_mut()
                    .filter(|metric| metric.name == name::LATENCY_P99)
                {
                    metric.estimate.mean = (cells - number) as f64;
                }
                cell
            })
            .collect();
        summary
    }

    #[test]
    fn a_table_of_many_cells_shows_those_at_the_ends() {
        let summary = many(1500);
        let (some, note) = shown(&summary);
        let numbers: Vec<f64> = some.cells.iter().map(|cell| cell.point[0].number).collect();
        let first = (0..11).map(f64::from);
        let last = (1490..1500).map(f64::from);
        // The p99 falls as the bill rises.
        assert!(
            first.take(10).chain([700.0]).chain(last).eq(numbers.iter().copied()),
            "{numbers:?}"
        );
        assert!(note.expect("a note").starts_with("21 of 1,500 cells: "));
        assert_eq!(shown(&many(MOST_CELLS)), (Cow::Owned(many(MOST_CELLS)), None));
    }

    #[test]
    fn what_is_printed_of_many_cells_stays_short_and_says_where_the_rest_is() {
        let summary = many(1500);
        let view = terminal::View {
            width: 100,
            colour: false,
        };
        for text in [terminal::text(&summary, view), html::text(&summary, &[], &[], &[])] {
            assert!(text.contains("21 of 1,500 cells: ") && text.contains("700/s"), "{text}");
            assert!(!text.contains(">55/s<") && !text.contains("\n55/s"));
            assert!(text.len() < 60_000, "{}", text.len());
        }
    }

    #[test]
    fn the_summary_of_very_many_cells_leaves_out_what_has_files_of_its_own() {
        let summary = many(1500);
        let (whole, slim) = (json::text(&many(MOST_WHOLE)).unwrap(), json::text(&summary).unwrap());
        assert!(!whole.contains("left_out") && slim.contains("\"left_out\":\"more than 1,000 cells: "));
        let back: Summary = serde_json::from_str(&slim).unwrap();
        assert_eq!(back.cells.len(), 1500);
        assert!(
            back.cells
                .iter()
                .all(|cell| cell.timelines.is_empty() && cell.distributions.is_empty())
        );
        assert_eq!(back.cells[700].bill, summary.cells[700].bill);
        assert_eq!(back.cells[3].metrics.len(), summary.cells[3].metrics.len());
    }

    #[test]
    fn long_lists_end_and_say_where_they_go_on() {
        let lines: Vec<String> = (0..MOST_LINES + 5).map(|line| line.to_string()).collect();
        let short = first_lines(lines.clone(), "verdicts.csv");
        assert_eq!(
            (short.len(), short[MOST_LINES].as_str()),
            (MOST_LINES + 1, "5 more in verdicts.csv")
        );
        assert_eq!(first_lines(lines[..3].to_vec(), "verdicts.csv"), lines[..3]);
    }
}
