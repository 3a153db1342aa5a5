//! Levels of one component over time: backlog, age, connections, utilisation, size of a fleet. One panel each, below
//! one another on one time axis; levels that are zero throughout are left out.

use super::overview::done_panel;
use super::stack::{self, Block};
use super::time::{self, Timed};
use super::words::{around, foot};
use super::{Focus, Named, file_part};
use crate::report::format;
use crate::run::summary::{Cell, Estimate, Summary, Unit, name};

/// A level: the end of its timeline, and what it is called.
pub type Level = (&'static str, &'static str);

/// Levels of queues and streams, in the order of their panels.
pub const WAITING: [Level; 3] = [
    (name::QUEUE_DEPTH, "Waiting"),
    (name::QUEUE_AGE, "Age of the oldest"),
    ("iterator_age", "Age of what is read"),
];

/// Levels of everything else that has some.
pub const LEVELS: [Level; 12] = [
    ("connections", "Connections"),
    ("running", "Queries at work"),
    ("cpu", "Utilisation of the processors"),
    ("capacity", "Capacity"),
    ("pool.busy", "Connections of the pool in use"),
    ("waiting", "Waiting"),
    ("open", "Executions under way"),
    ("concurrency", "At once"),
    ("queue", "Waiting"),
    ("slots.busy", "Slots in use"),
    ("async.depth", "Events waiting"),
    ("async.age", "Age of the oldest event"),
];

/// Panels of one picture.
const MOST_PANELS: usize = 4;
/// Height of the first panel, and of those below.
const HEIGHTS: [f64; 2] = [420.0, 300.0];

/// The picture of a queue or a stream, by its dotted path.
pub fn waiting(summary: &Summary, focus: &Focus, path: &str) -> Option<Named> {
    let mut named = picture(summary, focus, path, &WAITING, "queue")?;
    let component = path.rsplit('.').next().unwrap_or(path);
    named.caption = format!("Messages waiting in {component}, and the age of the oldest.");
    Some(named)
}

/// The picture of a component with levels, by its dotted path.
pub fn picture(summary: &Summary, focus: &Focus, path: &str, levels: &[Level], kind: &str) -> Option<Named> {
    let mut blocks = Vec::new();
    let mut notes = vec![focus.note.clone()];
    let mut answer = None;
    for (end, words) in levels {
        let metric = format!("{path}.{end}");
        let of = |cell: &Cell| cell.timeline(&metric).cloned();
        let what = Timed {
            words,
            metric: &metric,
            of: &of,
            from_zero: true,
        };
        let Some((mut panel, note)) = time::panel(summary, focus, &what) else {
            continue;
        };
        if blocks.is_empty() {
            answer = highest(focus, path, end, words);
            notes.push(note);
        } else {
            // Names stand at the first; what is below has its colours.
            for series in &mut panel.series {
                series.remark.clear();
            }
            panel.labels = panel.series.len() < super::MOST_LINES - 1;
        }
        blocks.push(Block::panel(panel, HEIGHTS[usize::from(!blocks.is_empty())]));
        if blocks.len() == MOST_PANELS {
            break;
        }
    }
    let ends = [("sent", "deleted"), ("records", "processed")];
    let flow = ends
        .iter()
        .find_map(|(came, done)| done_panel(summary, focus, path, came, done));
    if let Some(panel) = flow.filter(|_| kind == "queue" && !blocks.is_empty()) {
        blocks.push(Block::panel(panel, HEIGHTS[1]));
    }
    if blocks.is_empty() {
        return None;
    }
    notes.push("Lines that coincide are drawn in turns.".to_owned());
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let component = path.rsplit('.').next().unwrap_or(path);
    let words = around(
        summary,
        answer,
        &format!("{component} over time"),
        foot(summary, time::bands(focus), &notes),
    );
    Some(Named {
        stem: format!("{kind}-{}", file_part(component)),
        caption: format!("Levels of {component} over time."),
        picture: stack::picture(&words, blocks),
    })
}

/// The highest level as a sentence: whose it is, and how high the next comes.
fn highest(focus: &Focus, path: &str, end: &str, words: &str) -> Option<String> {
    let component = path.rsplit('.').next().unwrap_or(path);
    let metric = |cell: &Cell| {
        let peak = cell
            .metric(&format!("{path}.{end}.peak"))
            .or_else(|| cell.metric(&format!("{path}.{end}.max")));
        let found: Option<(Estimate, Unit)> = peak.map(|metric| (metric.estimate, metric.unit));
        found.filter(|(estimate, _)| estimate.mean.is_finite())
    };
    let mut found: Vec<(f64, Unit, &str)> = focus
        .cells
        .iter()
        .filter_map(|(label, cell)| metric(cell).map(|(estimate, unit)| (estimate.mean, unit, label.as_str())))
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let say = |(value, unit, _): (f64, Unit, &str)| {
        format::value(if unit == Unit::Level { Unit::Count } else { unit }, value)
    };
    match found[..] {
        [] => None,
        [one] => Some(format!("{component}, {}: at most {}", words.to_lowercase(), say(one))),
        [first, .., last] => Some(format!(
            "{component}, {}: at most {} with {}, {} with {}",
            words.to_lowercase(),
            say(first),
            first.2,
            say(last),
            last.2
        )),
    }
}
