//! Instances of a function or a fleet over time: busy, idle and starting, stacked, one panel a variant with the same
//! axes.

use super::axis::Axis;
use super::bars::{key, key_height};
use super::canvas::Colour;
use super::panel::{Head, Look, Panel, Series};
use super::sheet::sheet;
use super::words::{around, foot};
use super::{Focus, Named, file_part, marks, time};
use crate::report::format;
use crate::run::summary::{Cell, Summary, Timeline, Unit, name};

/// Panels at most.
const MOST_PANELS: usize = 8;
/// Height of a panel, in pixels.
const PANEL: f64 = 330.0;

const KINDS: [(&str, &str, Colour); 3] = [
    (name::INSTANCES_BUSY, "busy", Colour::rgb(0x2e, 0x83, 0xbb)),
    (name::INSTANCES_IDLE, "idle", Colour::rgb(0xa9, 0xd0, 0xe8)),
    (
        name::INSTANCES_STARTING,
        "starting (cold)",
        Colour::rgb(0xb5, 0x43, 0x2b),
    ),
];

/// Instances of a function or fleet over time, by its dotted path.
pub fn picture(summary: &Summary, focus: &Focus, component: &str) -> Option<Named> {
    let has = |cell: &Cell| {
        cell.timeline(&format!("{component}.{}", name::INSTANCES_BUSY))
            .is_some()
    };
    let all: Vec<&(String, &Cell)> = focus.cells.iter().filter(|(_, cell)| has(cell)).collect();
    let found = &all[..all.len().min(MOST_PANELS)];
    let stacks: Vec<Vec<Series>> = found.iter().map(|(_, cell)| stack(summary, cell, component)).collect();
    let tops = stacks
        .iter()
        .flatten()
        .flat_map(|series| series.points.iter().map(|point| point.1));
    let y = Axis::from_zero("", Unit::Level, tops);
    let windows = found.iter().flat_map(|(_, cell)| &cell.timelines);
    let windows = windows.map(|timeline| timeline.mean.len()).max()?;
    let short = component.rsplit('.').next().unwrap_or(component);
    let mut notes = vec![focus.note.clone()];
    if all.len() > found.len() {
        notes.push(format!("Drawn: the first {} of {}.", found.len(), all.len()));
    }
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let words = around(
        summary,
        answer(found, component, short),
        &format!("instances of {short}: busy, idle and starting"),
        foot(summary, "", &notes),
    );
    let columns = if found.len() > 1 { 2 } else { 1 };
    let rows = found.len().div_ceil(columns);
    let colours: Vec<(String, Colour)> = KINDS.map(|(_, words, colour)| (words.to_owned(), colour)).into();
    let above = key_height(&colours, 1500.0);
    let high = if found.len() > 1 { PANEL } else { 1.5 * PANEL };
    let (mut picture, mut rect) = sheet(&words, above + rows as f64 * (high + 20.0));
    key(&mut picture, rect, &colours);
    rect.top += above;
    for ((rect, series), (label, cell)) in rect.grid(rows, columns, 28.0).into_iter().zip(stacks).zip(found) {
        let title = if found.len() > 1 { label.as_str() } else { "Instances" };
        let note = format!("per {}", time::window_words(summary));
        let mut panel = Panel::new(Head::new(title, note), time::axis(summary, windows), y.clone(), series);
        panel.labels = false;
        panel.warmup_until = summary.warmup_ns as f64 / 1e9;
        panel.marks = marks::of(&[(String::new(), *cell)]);
        panel.draw(&mut picture, rect);
    }
    Some(Named {
        stem: format!("instances-{}", file_part(short)),
        caption: format!("Instances of {short}: busy, idle and starting."),
        picture,
    })
}

/// The most instances as a sentence.
fn answer(found: &[&(String, &Cell)], component: &str, short: &str) -> Option<String> {
    let peak = |cell: &Cell| {
        let metric = cell.metric(&format!("{component}.instances.peak"))?;
        Some(metric.estimate.mean).filter(|mean| mean.is_finite())
    };
    let mut peaks: Vec<(f64, &str)> = found
        .iter()
        .filter_map(|(label, cell)| Some((peak(cell)?, label.as_str())))
        .collect();
    peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
    let say = |peak: f64| format::value(Unit::Count, peak.round());
    match peaks[..] {
        [] => None,
        [(one, _)] => Some(format!("Up to {} instances of {short}", say(one))),
        [(most, label), .., (least, other)] => Some(format!(
            "Up to {} instances of {short} with {label}, {} with {other}",
            say(most),
            say(least)
        )),
    }
}

/// Busy, idle and starting instances, stacked from below.
fn stack(summary: &Summary, cell: &Cell, component: &str) -> Vec<Series> {
    let width = summary.timeline_window_ns() as f64 / 1e9;
    let mut base: Vec<f64> = Vec::new();
    let mut stack = Vec::new();
    for (end, label, colour) in KINDS {
        let Some(timeline) = cell.timeline(&format!("{component}.{end}")) else {
            continue;
        };
        let values = averaged(timeline);
        base.resize(base.len().max(values.len()), 0.0);
        let step = timeline.mean.len() as f64 / values.len().max(1) as f64;
        // The windows of the warm-up have no values.
        let top = |(value, base): (&f64, &f64)| if value.is_nan() { *base } else { base + value };
        let tops: Vec<f64> = values.iter().zip(&base).map(top).collect();
        let at = |(index, top): (usize, &f64)| ((index as f64 + 0.5) * step * width, *top);
        stack.push(Series {
            label: label.into(),
            remark: String::new(),
            look: Look::line(colour),
            points: tops.iter().enumerate().map(at).collect(),
            intervals: Vec::new(),
            base: Some(base.clone()),
            half: step * width / 2.0,
        });
        base[..tops.len()].copy_from_slice(&tops);
    }
    stack
}

/// The values of a timeline averaged down to at most 600; NaN where there is none.
fn averaged(timeline: &Timeline) -> Vec<f64> {
    let mean = |chunk: &[f64]| {
        let seen: Vec<f64> = chunk.iter().copied().filter(|value| value.is_finite()).collect();
        seen.iter().map(|value| value.max(0.0)).sum::<f64>() / seen.len() as f64
    };
    timeline
        .mean
        .chunks(time::merged(timeline.mean.len()))
        .map(mean)
        .collect()
}
