//! Charts of lines: latency distribution, p99 per window, p99 and bill against a swept parameter.

use std::collections::{BTreeMap, BTreeSet};

use super::axis::{Axis, sweep_position};
use super::canvas::{Marker, Point};
use super::kind;
use super::panel::{Head, Look, Panel, Series};
use super::stack::{self, Block};
use super::text::capitalised;
use super::time::{self, Timed};
use super::words::{self, around, foot};
use super::{Focus, MOST_LINES, Named, colours, look};
use crate::run::summary::{Axis as Parameter, Cell, Estimate, PointValue, Summary, Unit, name};

/// Height of a picture of one panel.
const PANEL: f64 = 620.0;

/// The remark beside what fails.
pub const FAILS: &str = "fails";

/// Cumulative latency of every variant: logarithmic latency, and a share axis on which each nine takes equal room.
pub fn latency_distribution(summary: &Summary, focus: &Focus) -> Option<Named> {
    let colours = colours(summary, focus);
    let found: Vec<_> = focus
        .cells
        .iter()
        .enumerate()
        .filter_map(|(index, (label, cell))| Some((index, label, cell.distribution(name::LATENCY)?)))
        .filter(|(_, _, distribution)| distribution.count > 0 && !distribution.points.is_empty())
        .take(MOST_LINES)
        .collect();
    let count = found.iter().map(|(_, _, distribution)| distribution.count).max()?;
    let points = || found.iter().flat_map(|(_, _, distribution)| &distribution.points);
    let positive = || {
        points()
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
    let y = Axis::nines("", count);
    let series: Vec<Series> = found
        .iter()
        .map(|(index, label, distribution)| {
            // The largest of n values exceeds a share of about 1 - 1/n; its own share of 1 has no place on the axis.
            let top = 1.0 - 1.0 / distribution.count as f64;
            Series {
                label: (*label).clone(),
                remark: String::new(),
                look: Look::line(colours[*index]),
                points: visible(&distribution.points, floor, top, y.high),
                intervals: Vec::new(),
                base: None,
                half: 0.0,
            }
        })
        .collect();
    let several = series.len() > 1;
    let head = Head::new(
        "Share of requests answered within",
        "log scale; each further nine takes the same height",
    );
    let mut panel = Panel::new(head, x, y, series);
    panel.labels = false;
    let key = if several {
        panel
            .series
            .iter()
            .map(|series| (series.label.clone(), series.look.colour))
            .collect()
    } else {
        Vec::new()
    };
    let left_out = left_out(focus);
    let foot = foot(summary, "", &[&focus.note, &left_out]);
    let words = around(summary, None, "how latency is distributed", foot);
    Some(Named {
        stem: "latency-distribution".into(),
        caption: "Share of requests at or below a latency; each further nine takes the same height.".into(),
        picture: stack::picture(&words, vec![Block::Key(key), Block::panel(panel, PANEL)]),
    })
}

/// What a picture of the first lines leaves out, in words; may be empty.
fn left_out(focus: &Focus) -> String {
    let all = focus.cells.len();
    if all > MOST_LINES {
        format!("Drawn: the first {MOST_LINES} of {all}.")
    } else {
        String::new()
    }
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
pub fn p99_over_time(summary: &Summary, focus: &Focus) -> Option<Named> {
    let waited = kind::waited(summary);
    let what = Timed {
        words: waited.words,
        metric: &waited.metric,
        of: &|cell| cell.timeline(&waited.metric).cloned(),
        from_zero: false,
    };
    let (panel, left_out) = time::panel(summary, focus, &what)?;
    let answer = slowest(&panel, &time::window_words(summary));
    let foot = foot(
        summary,
        time::bands(focus),
        &[&focus.note, &left_out, "Lines that coincide are drawn in turns."],
    );
    let words = around(
        summary,
        answer,
        &format!("the slowest 1 % of each {}", time::window_words(summary)),
        foot,
    );
    let coarser = summary.coarser.as_ref().map(|coarser| format!(" {}", coarser.words));
    let caption = format!(
        "p99 latency per {} of simulated time.{}",
        time::window_words(summary),
        coarser.unwrap_or_default()
    );
    Some(Named {
        stem: "latency-p99-over-time".into(),
        caption,
        picture: stack::picture(&words, vec![Block::panel(panel, PANEL)]),
    })
}

/// The highest value of a panel over time as a sentence: whose it is, and how high the others come.
fn slowest(panel: &Panel, window: &str) -> Option<String> {
    let peak = |series: &Series| {
        series
            .points
            .iter()
            .map(|point| point.1)
            .filter(|y| y.is_finite())
            .fold(0.0, f64::max)
    };
    let mut peaks: Vec<(f64, &str)> = panel
        .series
        .iter()
        .map(|series| (peak(series), series.label.as_str()))
        .collect();
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    match peaks[..] {
        [(most, _)] => Some(format!(
            "The slowest 1 % of the worst {window} wait {}",
            panel.y.say(most)
        )),
        [(most, label), (next, _), ..] if most > 1.2 * next => Some(format!(
            "In the worst {window} the slowest 1 % of {label} wait {}, of the others {}",
            panel.y.say(most),
            panel.y.say(next)
        )),
        _ => None,
    }
}

/// What is drawn against a swept parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept<'m> {
    /// Dollars per month.
    Bill,
    /// A metric by its name, with its unit.
    Metric(&'m str, Unit),
}

/// p99 latency against the swept parameter.
pub fn p99_against_sweep(summary: &Summary) -> Option<Named> {
    let waited = kind::waited(summary);
    let what = Swept::Metric(&waited.metric, Unit::Seconds);
    against_sweep(summary, what, "latency-p99-sweep", waited.words, waited.short)
}

/// Monthly bill against the swept parameter.
pub fn bill_against_sweep(summary: &Summary) -> Option<Named> {
    against_sweep(summary, Swept::Bill, "bill-sweep", "Bill of a month", "Bill of a month")
}

fn against_sweep(summary: &Summary, what: Swept, stem: &str, head: &str, short: &str) -> Option<Named> {
    let mut panel = sweep_panel(summary, what)?;
    panel.head.words = head.into();
    let against = capitalised(&format!("{short} against {}", panel.x.label));
    let foot = foot(
        summary,
        "whiskers",
        &[&sweep_note(summary), "Lines that coincide are drawn in turns."],
    );
    let words = around(summary, None, &against, foot);
    Some(Named {
        stem: stem.into(),
        caption: format!("{against}."),
        picture: stack::picture(&words, vec![Block::panel(panel, PANEL)]),
    })
}

/// The panel of a chart against the sweep axis with the most values, one line per variant and point of other axes.
pub fn sweep_panel(summary: &Summary, what: Swept) -> Option<Panel> {
    let (across, values) = main_axis(summary)?;
    let axis = &summary.axes[across];
    let (chosen, _) = sweep_lines(summary, across);
    let mut series: Vec<Series> = chosen
        .iter()
        .enumerate()
        .map(|(index, (label, cells))| sweep_series(cells, across, axis, &values, what, (index, label)))
        .filter(|series| series.points.iter().any(|point| point.1.is_finite()))
        .collect();
    if series
        .iter()
        .all(|series| series.points.iter().all(|point| point.1.is_nan() || point.1 == 0.0))
    {
        return None;
    }
    if let [only] = series.as_mut_slice() {
        only.label.clear();
    }
    // Intervals do not set the range: one that leaves it is cut.
    let reach: Vec<f64> = series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point.1))
        .collect();
    let (metric, unit) = match what {
        Swept::Bill => (name::BILL_MONTH, Unit::Dollars),
        Swept::Metric(metric, unit) => (metric, unit),
    };
    let mut x = Axis::sweep(axis.label.clone(), axis.scale, &values);
    x.answer = answer_at(summary, across, axis, &values);
    let y = Axis::suited("", unit, &reach);
    let scale = if y.is_log() { "log scale   " } else { "" };
    let head = Head::new("", format!("{scale}({metric})"));
    Some(Panel::new(head, x, y, series))
}

/// Where the answer stands, if it is one for all values.
fn answer_at(summary: &Summary, across: usize, axis: &Parameter, values: &[PointValue]) -> Option<f64> {
    let [winner] = summary.answer.winners.as_slice() else {
        return None;
    };
    let here = winner.point.get(across)?;
    let place = values.iter().position(|value| value.text == here.text)?;
    Some(sweep_position(axis.scale, values, place))
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
    if all > MOST_LINES {
        let mut shown = (0..MOST_LINES)
            .map(|line| line * (all - 1) / (MOST_LINES - 1))
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
    format!("Drawn: {} of {all} lines, evenly spaced.", lines.len())
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
    let fails = !cells.is_empty() && cells.iter().all(|cell| words::fails_all(cell));
    if fails {
        // It ended there, at no value in particular.
        found.truncate(1);
    }
    let mut look = look(index);
    if fails {
        look.marker = Some(Marker::Cross);
        look.colour = super::style::FAILED;
    }
    Series {
        label: label.into(),
        remark: if fails { FAILS.into() } else { String::new() },
        look,
        points: found.iter().map(|(x, estimate)| (*x, finite(estimate.mean))).collect(),
        intervals: found
            .iter()
            .map(|(_, estimate)| estimate.drawn_interval().unwrap_or((f64::NAN, f64::NAN)))
            .collect(),
        base: None,
        half: 0.0,
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
