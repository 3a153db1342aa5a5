//! Lines over simulated time, one for each cell.

use super::axis::Axis;
use super::marks;
use super::panel::{Head, Look, Panel, Series};
use super::{Focus, MOST_LINES, colours};
use crate::kernel::number::fit;
use crate::report::format::span_ns;
use crate::run::summary::{Cell, Summary, Timeline};
use crate::run::verdict::Class;
use std::fmt::Write as _;

/// With more lines than this, their bands would hide one another and are left out.
const MOST_BANDS: usize = 4;
/// More windows than this are merged, so that a month by the minute stays a small file.
const MOST_WINDOWS: usize = 600;

/// What is drawn over time.
pub struct Timed<'a> {
    /// Words above the panel.
    pub words: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// The values of a cell.
    pub of: &'a dyn Fn(&Cell) -> Option<Timeline>,
    /// Whether the axis begins at zero whatever the values span: levels that fill and drain in straight lines.
    pub from_zero: bool,
}

/// What shows the intervals of lines over time of these cells, if they are drawn.
pub fn bands(focus: &Focus) -> &'static str {
    if focus.cells.len() > MOST_BANDS { "" } else { "bands" }
}

/// `minute` rather than `1 min`.
pub fn window_words(summary: &Summary) -> String {
    match summary.timeline_window_ns() {
        60_000_000_000 => "minute".into(),
        1_000_000_000 => "second".into(),
        3_600_000_000_000 => "hour".into(),
        other => format!("window of {}", span_ns(other)),
    }
}

/// How many neighbouring windows of timelines are drawn as one.
pub fn merged(windows: usize) -> usize {
    windows.div_ceil(MOST_WINDOWS).max(1)
}

/// The time axis of a run.
pub fn axis(summary: &Summary, windows: usize) -> Axis {
    Axis::time(windows as f64 * summary.timeline_window_ns() as f64 / 1e9)
}

/// The panel and what it leaves out, in words; none if no cell has such values or all are zero.
pub fn panel(summary: &Summary, focus: &Focus, what: &Timed) -> Option<(Panel, String)> {
    let colours = colours(summary, focus);
    let mut found: Vec<(usize, Timeline)> = focus
        .cells
        .iter()
        .enumerate()
        .filter_map(|(index, (_, cell))| Some((index, (what.of)(cell)?)))
        .filter(|(_, timeline)| !timeline.mean.is_empty())
        .collect();
    if found.iter().all(|(_, timeline)| peak(timeline) <= 0.0) {
        return None;
    }
    let all = found.len();
    let left_out = highest(&mut found, &window_words(summary));
    let windows = found.iter().map(|(_, timeline)| timeline.mean.len()).max()?;
    let merged = merged(windows);
    let mut series: Vec<Series> = found
        .iter()
        .enumerate()
        .map(|(place, (index, timeline))| {
            let (label, cell) = &focus.cells[*index];
            let colour = if all > MOST_LINES {
                super::style::VARIANTS[place]
            } else {
                colours[*index]
            };
            let remark = if grows(cell, what.metric) { "growing" } else { "" };
            Series {
                label: if focus.cells.len() == 1 {
                    String::new()
                } else {
                    label.clone()
                },
                remark: remark.into(),
                look: Look::line(colour),
                ..over_time(summary, timeline, merged)
            }
        })
        .collect();
    if series.len() > MOST_BANDS {
        for series in &mut series {
            series.intervals.clear();
        }
    }
    let unit = found[0].1.unit;
    let values: Vec<f64> = series
        .iter()
        .flat_map(|s| s.points.iter().map(|point| point.1))
        .collect();
    let y = if what.from_zero {
        Axis::from_zero("", unit, values.into_iter())
    } else {
        Axis::suited("", unit, &values)
    };
    let head = Head::new(
        what.words,
        format!("{}   ({})", note(summary, merged, y.is_log()), what.metric),
    );
    let mut panel = Panel::new(head, axis(summary, windows), y, series);
    panel.warmup_until = summary.warmup_ns as f64 / 1e9;
    panel.marks = marks::of(&focus.cells);
    Some((panel, left_out))
}

/// The largest value of a timeline.
fn peak(timeline: &Timeline) -> f64 {
    let finite = timeline.mean.iter().copied().filter(|value| value.is_finite());
    finite.fold(0.0, f64::max)
}

/// Keeps as many timelines as there are colours, those with the highest windows, and says what it left out.
fn highest(found: &mut Vec<(usize, Timeline)>, window: &str) -> String {
    let all = found.len();
    if all <= MOST_LINES {
        return String::new();
    }
    found.sort_by(|a, b| peak(&b.1).total_cmp(&peak(&a.1)).then(a.0.cmp(&b.0)));
    found.truncate(MOST_LINES);
    found.sort_by_key(|(index, _)| *index);
    format!("Drawn: the {MOST_LINES} of {all} with the highest {window}.")
}

/// What a window of a panel is, and its scale.
fn note(summary: &Summary, merged: usize, log: bool) -> String {
    // Windows of the run in each that is drawn.
    let together = merged * summary.coarser.as_ref().map_or(1, |coarser| fit(coarser.windows));
    let mut note = format!("per {}", window_words(summary));
    if together > 1 {
        let _ = write!(note, ", the largest of {together}");
    }
    if log {
        note.push_str(", log scale");
    }
    note
}

/// Whether a backlog of the component that a metric is of grows.
fn grows(cell: &Cell, metric: &str) -> bool {
    let component = |name: &str| name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    cell.verdicts.iter().any(|verdict| {
        let of = verdict.metric.as_deref().map(component);
        verdict.class == Class::Growing && of == Some(component(metric))
    })
}

/// A timeline as a series; of `merged` neighbouring windows only the one with the largest mean is drawn.
pub fn over_time(summary: &Summary, timeline: &Timeline, merged: usize) -> Series {
    let width = summary.timeline_window_ns() as f64 / 1e9;
    let at = |values: &[f64], window: usize| values.get(window).copied().unwrap_or(f64::NAN);
    let finite = |window: usize| Some(timeline.mean[window]).filter(|mean| mean.is_finite());
    let mut points = Vec::new();
    let mut intervals = Vec::new();
    for first in (0..timeline.mean.len()).step_by(merged) {
        let last = (first + merged).min(timeline.mean.len());
        let key = |window: &usize| finite(*window).unwrap_or(f64::MIN);
        let worst = (first..last).max_by(|a, b| key(a).total_cmp(&key(b))).unwrap_or(first);
        let middle = (first as f64 + merged as f64 / 2.0) * width;
        points.push((middle, finite(worst).unwrap_or(f64::NAN)));
        intervals.push((at(&timeline.low, worst), at(&timeline.high, worst)));
    }
    Series {
        label: String::new(),
        remark: String::new(),
        look: Look::line(super::style::INK),
        points,
        intervals,
        base: None,
        half: merged as f64 * width / 2.0,
    }
}
