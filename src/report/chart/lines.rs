//! Charts of lines: latency distribution, p99 per window, p99 and bill against a swept parameter, queues over time.

use crate::kernel::number::fit;
use std::collections::{BTreeMap, BTreeSet};

use super::axis::{Axis, sweep_position};
use super::canvas::{Picture, Point};
use super::plot::{self, Entry, Panel, Series};
use super::{Focus, HEIGHT, MOST_SERIES, Named, WIDTH, file_part, focus, look, subtitle};
use crate::report::format::span_ns;
use crate::report::limits;
use crate::run::summary::{Axis as Parameter, Cell, Estimate, PointValue, Summary, Timeline, Unit, name};

/// With more lines than this, their bands would hide one another and are left out.
pub const MOST_BANDS: usize = 6;

/// What shows the intervals of a chart over time with this legend.
fn bands(entries: &[Entry]) -> &'static str {
    if entries.len() > MOST_BANDS { "" } else { "bands" }
}

/// More windows than this are merged, so that a month by the minute stays a small file.
const MOST_WINDOWS: usize = 600;

/// Cumulative latency of every variant: logarithmic latency, and a share axis on which each nine takes equal room.
pub fn latency_distribution(summary: &Summary) -> Option<Named> {
    let focus = focus(summary);
    let found: Vec<_> = focus
        .cells
        .iter()
        .filter_map(|(label, cell)| Some((label, cell.distribution(name::LATENCY)?)))
        .filter(|(_, distribution)| distribution.count > 0 && !distribution.points.is_empty())
        .collect();
    let count = found.iter().map(|(_, distribution)| distribution.count).max()?;
    let positive = || {
        let points = found.iter().flat_map(|(_, distribution)| &distribution.points);
        points
            .map(|point| point.0)
            .filter(|value| *value > 0.0 && value.is_finite())
    };
    let (least, largest) = (positive().fold(f64::INFINITY, f64::min), positive().fold(0.0, f64::max));
    let x = if least.is_finite() {
        Axis::log("latency", Unit::Seconds, least, largest)
    } else {
        Axis::from_zero("latency", Unit::Seconds, std::iter::empty())
    };
    let floor = x.low;
    let y = Axis::nines("share of requests at or below", count);
    let series: Vec<Series> = found
        .iter()
        .enumerate()
        .map(|(index, (label, distribution))| {
            // The largest of n values exceeds a share of about 1 - 1/n; its own share of 1 has no place on the axis.
            let top = 1.0 - 1.0 / distribution.count as f64;
            Series {
                label: (*label).clone(),
                look: look(index, false),
                points: visible(&distribution.points, floor, top, y.high),
                intervals: Vec::new(),
                whiskers: false,
                base: None,
            }
        })
        .collect();
    let entries: Vec<Entry> = series.iter().map(Entry::of).collect();
    let panel = Panel {
        title: String::new(),
        x,
        y,
        series,
        warmup_until: 0.0,
        shaded: Vec::new(),
        least_left: 0.0,
    };
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let rect = plot::frame(&mut picture, "latency distribution", &focus.subtitle(summary, ""));
    let rect = plot::legend(&mut picture, rect, &entries);
    plot::panel(&mut picture, rect, &panel);
    let caption = "Share of requests at or below a latency; each further nine takes the same height.".into();
    Some(Named {
        stem: "latency-distribution".into(),
        caption,
        picture,
    })
}

/// The points up to the first one that reaches the end of the share axis: beyond it a line would only run along the
/// edge.
fn visible(points: &[(f64, f64)], floor: f64, top: f64, high: f64) -> Vec<Point> {
    let mut shown: Vec<Point> = Vec::new();
    for (value, share) in points {
        if value.is_finite() && share.is_finite() {
            shown.push((value.max(floor), share.min(top)));
        }
        if *share >= high {
            break;
        }
    }
    shown
}

/// p99 per window over simulated time, one line per variant.
pub fn p99_over_time(summary: &Summary) -> Option<Named> {
    let focus = focus(summary);
    let (panel, entries) = p99_panel(summary, &focus)?;
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let title = format!("p99 latency per {}", window_words(summary));
    let rect = plot::frame(&mut picture, &title, &focus.subtitle(summary, bands(&entries)));
    let rect = plot::legend(&mut picture, rect, &entries);
    plot::panel(
        &mut picture,
        rect,
        &Panel {
            title: String::new(),
            ..panel
        },
    );
    let coarser = summary.coarser.as_ref().map(|coarser| format!(" {}", coarser.words));
    let caption = format!(
        "p99 latency per {} of simulated time.{}",
        window_words(summary),
        coarser.unwrap_or_default()
    );
    Some(Named {
        stem: "latency-p99-over-time".into(),
        caption,
        picture,
    })
}

/// `minute` rather than `1 min`.
fn window_words(summary: &Summary) -> String {
    match summary.window_ns {
        60_000_000_000 => "minute".into(),
        1_000_000_000 => "second".into(),
        3_600_000_000_000 => "hour".into(),
        other => format!("{} window", span_ns(other)),
    }
}

/// The panel of [`p99_over_time`] and its legend; none if no cell has that timeline.
pub fn p99_panel(summary: &Summary, focus: &Focus) -> Option<(Panel, Vec<Entry>)> {
    let title = format!("p99 latency per {}", window_words(summary));
    timeline_panel(summary, focus, name::LATENCY_P99, "p99 latency", title)
}

fn timeline_panel(
    summary: &Summary,
    focus: &Focus,
    timeline: &str,
    words: &str,
    title: String,
) -> Option<(Panel, Vec<Entry>)> {
    let found: Vec<(&String, &Timeline)> = focus
        .cells
        .iter()
        .filter_map(|(label, cell)| Some((label, cell.timeline(timeline)?)))
        .filter(|(_, timeline)| !timeline.mean.is_empty())
        .collect();
    let windows = found.iter().map(|(_, timeline)| timeline.mean.len()).max()?;
    let merged = windows.div_ceil(MOST_WINDOWS);
    // Windows of the run in each that is drawn.
    let together = merged * summary.coarser.as_ref().map_or(1, |coarser| fit(coarser.windows));
    let mut series: Vec<Series> = found
        .iter()
        .enumerate()
        .map(|(index, (label, timeline))| over_time(summary, label, timeline, index, merged))
        .collect();
    let values: Vec<f64> = reach(&series).collect();
    let unit = found[0].1.unit;
    let label = if together > merged && unit != Unit::Seconds {
        let span = span_ns(summary.timeline_window_ns());
        format!("{words}, largest of {merged} means of {span}")
    } else if together > 1 {
        format!("{words}, largest of {together} windows")
    } else {
        words.to_owned()
    };
    if series.len() > MOST_BANDS {
        for series in &mut series {
            series.intervals.clear();
        }
    }
    let entries = series.iter().map(Entry::of).collect();
    let title = if together > 1 && !title.is_empty() {
        format!("{title}, largest of {together}")
    } else {
        title
    };
    let panel = Panel {
        title,
        x: Axis::time(windows as f64 * summary.timeline_window_ns() as f64 / 1e9),
        y: Axis::suited(label, unit, &values),
        series,
        warmup_until: summary.warmup_ns as f64 / 1e9,
        shaded: limits::active(&focus.cells),
        least_left: 0.0,
    };
    Some((panel, entries))
}

/// Every value that the lines and their bands come to.
fn reach(series: &[Series]) -> impl Iterator<Item = f64> + '_ {
    series.iter().flat_map(|series| {
        let highs = series.intervals.iter().map(|(_, high)| *high);
        series.points.iter().map(|point| point.1).chain(highs)
    })
}

/// A timeline as a series; of `merged` neighbouring windows only the one with the largest mean is drawn.
fn over_time(summary: &Summary, label: &str, timeline: &Timeline, index: usize, merged: usize) -> Series {
    let width = summary.timeline_window_ns() as f64 / 1e9;
    let at = |values: &[f64], window: usize| values.get(window).copied().unwrap_or(f64::NAN);
    let mut points: Vec<Point> = Vec::new();
    let mut intervals = Vec::new();
    for first in (0..timeline.mean.len()).step_by(merged) {
        let last = (first + merged).min(timeline.mean.len());
        let key = |window: &usize| {
            Some(timeline.mean[*window])
                .filter(|mean| mean.is_finite())
                .unwrap_or(f64::MIN)
        };
        let worst = (first..last).max_by(|a, b| key(a).total_cmp(&key(b))).unwrap_or(first);
        let mean = Some(timeline.mean[worst])
            .filter(|mean| mean.is_finite())
            .unwrap_or(f64::NAN);
        points.push((f64::midpoint(first as f64, last as f64) * width, mean));
        intervals.push((at(&timeline.low, worst), at(&timeline.high, worst)));
    }
    Series {
        label: label.into(),
        look: look(index, false),
        points,
        intervals,
        whiskers: false,
        base: None,
    }
}

/// What is drawn against a swept parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept<'m> {
    /// p99 latency of the whole run.
    Latency,
    /// Dollars per month.
    Bill,
    /// A metric by its name, with its unit.
    Metric(&'m str, Unit),
}

/// p99 latency against the swept parameter.
pub fn p99_against_sweep(summary: &Summary) -> Option<Named> {
    against_sweep(summary, Swept::Latency, "latency-p99-sweep", "p99 latency")
}

/// Monthly bill against the swept parameter.
pub fn bill_against_sweep(summary: &Summary) -> Option<Named> {
    against_sweep(summary, Swept::Bill, "bill-sweep", "bill per month")
}

fn against_sweep(summary: &Summary, what: Swept, stem: &str, words: &str) -> Option<Named> {
    let (panel, entries) = sweep_panel(summary, what)?;
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let against = format!("{words} against {}", panel.x.label);
    let rect = plot::frame(
        &mut picture,
        &against,
        &subtitle(summary, &sweep_note(summary), "whiskers"),
    );
    let rect = plot::legend(&mut picture, rect, &entries);
    plot::panel(
        &mut picture,
        rect,
        &Panel {
            title: String::new(),
            ..panel
        },
    );
    let mut caption = against;
    caption.push('.');
    let caption = caption.replacen('b', "B", usize::from(what == Swept::Bill));
    Some(Named {
        stem: stem.into(),
        caption,
        picture,
    })
}

/// The panel of a chart against the sweep axis with the most values, one line per variant and point of other axes.
pub fn sweep_panel(summary: &Summary, what: Swept) -> Option<(Panel, Vec<Entry>)> {
    let (across, values) = main_axis(summary)?;
    let axis = &summary.axes[across];
    let (chosen, _) = sweep_lines(summary, across);
    let series: Vec<Series> = chosen
        .iter()
        .enumerate()
        .map(|(index, (label, cells))| sweep_series(cells, across, axis, &values, what, (index, label)))
        .filter(|series| !series.points.is_empty())
        .collect();
    if series.is_empty() {
        return None;
    }
    let numbers = series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point.1));
    let ends = series
        .iter()
        .flat_map(|series| &series.intervals)
        .flat_map(|(low, high)| [*low, *high]);
    let reach: Vec<f64> = numbers.chain(ends.filter(|end| *end > 0.0)).collect();
    let (title, unit) = match what {
        Swept::Latency => ("p99 latency", Unit::Seconds),
        Swept::Bill => ("bill per month", Unit::Dollars),
        Swept::Metric(metric, unit) => (metric, unit),
    };
    let entries = series.iter().map(Entry::of).collect();
    let panel = Panel {
        title: title.into(),
        x: Axis::sweep(axis.label.clone(), axis.scale, &values),
        y: Axis::suited(title, unit, &reach),
        series,
        warmup_until: 0.0,
        shaded: Vec::new(),
        least_left: 0.0,
    };
    Some((panel, entries))
}

/// The cells of one line of a chart against a sweep axis, with its label.
type Line<'a> = (String, Vec<&'a Cell>);

/// The lines of a chart against an axis, and how many there are in all. Of very many it shows some, from the first to
/// the last at equal distances.
fn sweep_lines(summary: &Summary, across: usize) -> (Vec<Line<'_>>, usize) {
    let several = summary.variants().len() > 1;
    let mut lines: Vec<Line> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for cell in &summary.cells {
        let place = *places
            .entry(line_label(cell, across, several))
            .or_insert_with_key(|label| {
                lines.push((label.clone(), Vec::new()));
                lines.len() - 1
            });
        lines[place].1.push(cell);
    }
    let all = lines.len();
    if all > MOST_SERIES {
        let mut shown = (0..MOST_SERIES)
            .map(|line| line * (all - 1) / (MOST_SERIES - 1))
            .peekable();
        let mut index = 0;
        lines.retain(|_| {
            index += 1;
            shown.next_if_eq(&(index - 1)).is_some()
        });
    }
    (lines, all)
}

/// What a chart of a sweep leaves out, in words; may be empty.
pub fn sweep_note(summary: &Summary) -> String {
    let Some((across, _)) = main_axis(summary) else {
        return String::new();
    };
    let (lines, all) = sweep_lines(summary, across);
    if lines.len() == all {
        return String::new();
    }
    format!("{} of {all} lines, evenly spaced", lines.len())
}

fn sweep_series(
    cells: &[&Cell],
    across: usize,
    axis: &Parameter,
    values: &[PointValue],
    what: Swept,
    (index, label): (usize, &str),
) -> Series {
    let at = |position: usize| sweep_position(axis.scale, values, position);
    let mut found: Vec<(f64, Estimate)> = cells
        .iter()
        .filter_map(|cell| {
            let estimate = match what {
                Swept::Latency => cell.metric(name::LATENCY_P99)?.estimate,
                Swept::Bill => cell.bill.total,
                Swept::Metric(metric, _) => cell.metric(metric)?.estimate,
            };
            let here = cell.point.get(across)?;
            // What does not have the parameter is the same at all of its values.
            let is_here = |value: &PointValue| here.is_absent() || value.text == here.text;
            let positions = (0..values.len()).filter(|position| is_here(&values[*position]));
            Some(positions.map(|position| (at(position), estimate)).collect::<Vec<_>>())
        })
        .flatten()
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    Series {
        label: label.into(),
        look: look(index, true),
        points: found.iter().map(|(x, estimate)| (*x, finite(estimate.mean))).collect(),
        intervals: found
            .iter()
            .map(|(_, estimate)| estimate.drawn_interval().unwrap_or((f64::NAN, f64::NAN)))
            .collect(),
        whiskers: true,
        base: None,
    }
}

fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { f64::NAN }
}

/// The axis with the most different values, with these in the order of the scenario.
fn main_axis(summary: &Summary) -> Option<(usize, Vec<PointValue>)> {
    let mut best: Option<(usize, Vec<PointValue>)> = None;
    for index in 0..summary.axes.len() {
        let mut values: Vec<PointValue> = Vec::new();
        let mut seen = BTreeSet::new();
        let values_of = summary.cells.iter().filter_map(|cell| cell.point.get(index));
        for value in values_of.filter(|value| !value.is_absent()) {
            if seen.insert(value.text.as_str()) {
                values.push(value.clone());
            }
        }
        if best.as_ref().is_none_or(|(_, most)| values.len() > most.len()) {
            best = Some((index, values));
        }
    }
    best.filter(|(_, values)| !values.is_empty())
}

/// The variant and the values on all axes but the one the chart runs along.
fn line_label(cell: &Cell, across: usize, several: bool) -> String {
    let others = cell
        .point
        .iter()
        .enumerate()
        .filter(|(index, value)| *index != across && !value.is_absent())
        .map(|(_, value)| &value.text);
    let variant = (several || cell.point.len() < 2).then_some(&cell.variant);
    variant
        .into_iter()
        .chain(others)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Depth and age of a queue or stream, by its dotted path.
pub fn queue(summary: &Summary, focus: &Focus, stem: &str) -> Option<Named> {
    let component = stem.rsplit('.').next().unwrap_or(stem);
    let part = |end: &str, words: &str| {
        let (mut panel, entries) = timeline_panel(summary, focus, &format!("{stem}.{end}"), words, String::new())?;
        // A queue fills and drains in straight lines, and ends at nothing: no place for logarithms.
        let unit = if end == name::QUEUE_AGE {
            Unit::Seconds
        } else {
            Unit::Level
        };
        panel.y = Axis::from_zero(panel.y.label, unit, reach(&panel.series));
        Some((panel, entries))
    };
    let parts: Vec<(Panel, Vec<Entry>)> = [
        part(name::QUEUE_DEPTH, "messages waiting"),
        part(name::QUEUE_AGE, "age of the oldest"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let entries = parts.first()?.1.clone();
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let title = format!("messages waiting in {component}");
    let rect = plot::frame(&mut picture, &title, &focus.subtitle(summary, bands(&entries)));
    let rect = plot::legend(&mut picture, rect, &entries);
    let left = parts
        .iter()
        .map(|(panel, _)| plot::left_margin(&panel.y))
        .fold(0.0, f64::max);
    for (rect, (panel, _)) in rect.grid(parts.len(), 1, 10.0).into_iter().zip(&parts) {
        plot::panel(
            &mut picture,
            rect,
            &Panel {
                least_left: left,
                ..panel.clone()
            },
        );
    }
    let caption = format!("Messages waiting in {component}, and the age of the oldest.");
    Some(Named {
        stem: format!("queue-{}", file_part(component)),
        caption,
        picture,
    })
}
