//! What the slowest hundredth of the good answers waited for.

use super::axis::Axis;
use super::bars::{Bar, Bars};
use super::panel::Head;
use super::stack::{self, Block};
use super::words::{around, foot};
use super::{Focus, Named, colours, style};
use crate::report::format;
use crate::run::summary::{CauseShare, Cell, Summary, Unit, name};

/// Causes in the order in which all bars have them: starting, in line, working, the way.
const ORDER: [&str; 12] = [
    "placement",
    "init",
    "queued",
    "connection",
    "throttled",
    "backoff",
    "timed out",
    "compute",
    "waiting",
    "store",
    "gateway",
    "network",
];

fn rank(cause: &str) -> usize {
    let known = |word: &str| cause == word || cause.ends_with(&format!(": {word}"));
    ORDER.iter().position(|word| known(word)).unwrap_or(ORDER.len())
}

fn slowest(cell: &Cell) -> Vec<&CauseShare> {
    let breakdown = cell.causes(name::CAUSES_SLOWEST).into_iter();
    let mut causes: Vec<&CauseShare> = breakdown
        .flat_map(|breakdown| &breakdown.causes)
        .filter(|cause| cause.mean_s > 0.0 && cause.mean_s.is_finite())
        .collect();
    causes.sort_by_key(|cause| rank(&cause.cause));
    causes
}

/// One bar a cell: the length is the share, the mean stands at its end. Causes have the same colours in all pictures.
pub fn picture(summary: &Summary, focus: &Focus) -> Option<Named> {
    if focus.cells.iter().all(|(_, cell)| slowest(cell).is_empty()) {
        return None;
    }
    let colours = colours(summary, focus);
    let mut key: Vec<(String, super::canvas::Colour)> = Vec::new();
    let mut bars = Vec::new();
    for (index, (label, cell)) in focus.cells.iter().enumerate() {
        let causes = slowest(cell);
        let sum: f64 = causes.iter().map(|cause| cause.mean_s).sum();
        for cause in causes.iter().filter(|cause| cause.mean_s >= 0.005 * sum) {
            if key.iter().all(|(known, _)| *known != cause.cause) {
                key.push((cause.cause.clone(), style::cause(&cause.cause)));
            }
        }
        let percent = |cause: &&CauseShare| format!("{} %", format::grouped(cause.mean_s / sum * 100.0, 0));
        let part = |cause: &&CauseShare| (cause.mean_s / sum, style::cause(&cause.cause));
        bars.push(Bar {
            label: label.clone(),
            colour: colours[index],
            parts: causes.iter().map(part).collect(),
            words: causes.iter().map(percent).collect(),
            hatched: false,
            total: if causes.is_empty() {
                format::MISSING.into()
            } else {
                format::value(Unit::Seconds, sum)
            },
            remark: String::new(),
            interval: None,
        });
    }
    key.sort_by_key(|(cause, _)| rank(cause));
    let bars = Bars {
        head: Head::new("Share of their time", "the mean time of each is at the end of its bar"),
        x: Axis::from_zero("", Unit::Ratio, std::iter::once(1.0)),
        bars,
        key,
        left: 0.0,
    };
    let foot = foot(summary, "", &[&focus.note, "A cause has one colour in all pictures."]);
    let words = around(
        summary,
        None,
        "what the slowest 1 % of good answers spent their time on",
        foot,
    );
    Some(Named {
        stem: "causes-slowest".into(),
        caption: "What the slowest hundredth of the good answers spent their time on.".into(),
        picture: stack::picture(&words, vec![Block::Bars(bars)]),
    })
}
