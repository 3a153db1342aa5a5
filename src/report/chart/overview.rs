//! The picture to open first. It fits the kind of system, and always shows what fails, what is lost and what is owed.

use super::axis::Axis;
use super::bars::{Bar, Bars};
use super::canvas::Colour;
use super::kind::{self, Kind};
use super::panel::Head;
use super::stack::{self, Block};
use super::style::{FAILED, GOOD, LOST, VARIANTS};
use super::text::{capitalised, list};
use super::time::{self, Timed};
use super::words::{self, around, foot};
use super::{Focus, Named, bill, lines, rows, work};
use crate::report::{format, later};
use crate::run::ledger::UnitState;
use crate::run::summary::{Cell, Summary, Timeline, Unit, name};
use crate::run::verdict::Class;

/// Height of the panel that comes first, in pixels.
const FIRST: f64 = 500.0;
/// Height of the panels after it.
const SECOND: f64 = 330.0;
/// Height of a panel of what failed.
const FAILED_PANEL: f64 = 230.0;

/// The overview of a summary, if it has any figures.
pub fn overview(summary: &Summary, focus: &Focus) -> Option<Named> {
    let over_time = summary.axes.is_empty() || focus.cells.len() == summary.cells.len();
    let kind = kind::of(summary);
    let mut notes = vec![focus.note.clone()];
    let blocks = match &kind {
        Kind::Job(metric) => {
            notes.clear();
            job(summary, focus, metric)?
        }
        _ if !over_time => {
            notes = vec![lines::sweep_note(summary)];
            swept(summary)?
        }
        _ if focus.cells.len() > super::MOST_LINES => {
            notes.push(rows::NOTE.to_owned());
            vec![Block::Rows(Box::new(rows::rows(focus)?))]
        }
        Kind::Queue(path) => flow(summary, focus, path, &QUEUE, &mut notes),
        Kind::Stream(path) => flow(summary, focus, path, &STREAM, &mut notes),
        Kind::Requests if summary.axes.is_empty() => requests(summary, focus, &mut notes)?,
        Kind::Requests => swept(summary)?,
    };
    let what = match kind {
        Kind::Requests => "how slow is the slowest 1 %, who fails, and what is a month?",
        Kind::Queue(_) => "does it keep up, is anything lost, and what is a month?",
        Kind::Stream(_) => "does its consumer keep up, is anything lost, and what is a month?",
        Kind::Job(_) => "how long does it take, does it end well, and what is a month?",
    };
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let curves = blocks.iter().any(|block| matches!(block, Block::Panel(..)));
    let braid = if curves && focus.cells.len() > 1 {
        "Lines that coincide are drawn in turns."
    } else {
        ""
    };
    let marks = if over_time && curves && !time::bands(focus).is_empty() {
        "bands, whiskers and ±"
    } else {
        "whiskers and ±"
    };
    let foot = foot(summary, marks, &[notes.as_slice(), &[braid]].concat());
    let answer = words::answer(summary);
    Some(Named {
        stem: "overview".into(),
        caption: "The result in one picture: what is waited for, what fails, what is lost, and the bill of a month."
            .into(),
        picture: stack::picture(&around(summary, answer, what, foot), blocks),
    })
}

/// Latency, failures and the bill, below one another.
fn requests(summary: &Summary, focus: &Focus, notes: &mut Vec<String>) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let slow = Timed {
        words: "99 of 100 requests are answered within",
        metric: name::LATENCY_P99,
        of: &|cell| cell.timeline(name::LATENCY_P99).cloned(),
        from_zero: false,
    };
    if let Some((panel, note)) = time::panel(summary, focus, &slow) {
        blocks.push(Block::panel(panel, FIRST));
        notes.push(note);
    }
    blocks.extend(failures(summary, focus));
    blocks.extend(journeys(focus));
    blocks.extend(lost(focus));
    blocks.extend(bill::bars(summary, focus).map(Block::Bars));
    (!blocks.is_empty()).then_some(blocks)
}

/// The share that failed over time, or a sentence if nothing did.
fn failures(summary: &Summary, focus: &Focus) -> Option<Block> {
    let failed = Timed {
        words: "Requests that failed",
        metric: name::ERROR_RATIO,
        of: &work::failed_share,
        from_zero: true,
    };
    if let Some((mut panel, _)) = time::panel(summary, focus, &failed) {
        panel.labels = false;
        for series in &mut panel.series {
            series.intervals.clear();
        }
        return Some(Block::panel(panel, FAILED_PANEL));
    }
    let requests: u64 = focus.cells.iter().map(|(_, cell)| cell.requests).sum();
    (requests > 0).then(|| Block::Sentence(format!("None of {} requests failed.", format::count(requests))))
}

/// Where the work of all sources ended, if some of it went wrong where no caller sees it.
fn journeys(focus: &Focus) -> Option<Block> {
    const STATES: [(UnitState, Colour); 5] = [
        (UnitState::Good, GOOD),
        (UnitState::Failed, FAILED),
        (UnitState::Refused, Colour::rgb(0xe5, 0x8a, 0x4b)),
        (UnitState::Lost, LOST),
        (UnitState::Unfinished, Colour::rgb(0xc4, 0xc8, 0xcc)),
    ];
    let is_news = |(_, cell): &(String, &Cell)| cell.ledger.iter().any(|ledger| !later::ends(ledger).is_empty());
    if !focus.cells.iter().any(is_news) {
        return None;
    }
    let units = |cell: &Cell, state| -> u64 { cell.ledger.iter().map(|ledger| ledger.units(state)).sum() };
    let bar = |(label, cell): &(String, &Cell)| {
        let all: u64 = cell.ledger.iter().map(|ledger| ledger.arrived).sum();
        let share = |state| units(cell, state) as f64 / all as f64;
        let bad = STATES.iter().skip(1).filter(|(state, _)| units(cell, *state) > 0);
        let bad: Vec<String> = bad
            .map(|(state, _)| format!("{} {}", format::value(Unit::Ratio, share(*state)), state.name()))
            .collect();
        Bar {
            label: label.clone(),
            colour: super::style::INK,
            parts: STATES.iter().map(|(state, colour)| (share(*state), *colour)).collect(),
            words: Vec::new(),
            hatched: false,
            total: match bad.first() {
                Some(worst) => worst.clone(),
                None => "all good".to_owned(),
            },
            remark: bad.iter().skip(1).cloned().collect::<Vec<_>>().join(", "),
            interval: None,
        }
    };
    let counted = focus.cells.iter().filter(|(_, cell)| !cell.ledger.is_empty());
    let bars: Vec<Bar> = counted.map(bar).collect();
    let seen = |(state, _): &(UnitState, Colour)| focus.cells.iter().any(|(_, cell)| units(cell, *state) > 0);
    let key = STATES.into_iter().filter(seen);
    let key = key.map(|(state, colour)| (state.name().to_owned(), colour)).collect();
    Some(Block::Bars(Bars {
        head: Head::new(
            "Where the work ended",
            "share of what arrived, with all that it caused   (ledger)",
        ),
        x: Axis::from_zero("", Unit::Ratio, std::iter::once(1.0)),
        bars,
        key,
        left: 0.0,
    }))
}

/// What was lost where no client sees it, in sentences.
fn lost(focus: &Focus) -> Option<Block> {
    let told = |(label, cell): &(String, &Cell)| {
        let words = cell
            .losses
            .iter()
            .map(|loss| loss.words.clone())
            .collect::<Vec<_>>()
            .join("; ");
        (!words.is_empty()).then(|| {
            if focus.cells.len() > 1 {
                format!("{label}: {words}")
            } else {
                words
            }
        })
    };
    let found: Vec<String> = focus.cells.iter().filter_map(told).collect();
    (!found.is_empty()).then(|| Block::Sentence(format!("Lost: {}.", list(&found, 4))))
}

/// How messages of a queue, or records of a stream, are called and counted.
struct Flow {
    things: &'static str,
    came: &'static str,
    done: &'static str,
}

const QUEUE: Flow = Flow {
    things: "message",
    came: "sent",
    done: "deleted",
};

const STREAM: Flow = Flow {
    things: "record",
    came: "records",
    done: "processed",
};

/// The age of the oldest, what is done against what arrives, what was lost, and the bill.
fn flow(summary: &Summary, focus: &Focus, path: &str, flow: &Flow, notes: &mut Vec<String>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let metric = format!("{path}.{}", name::QUEUE_AGE);
    let what = Timed {
        words: &format!("Age of the oldest {}", flow.things),
        metric: &metric,
        of: &|cell| cell.timeline(&metric).cloned(),
        from_zero: true,
    };
    if let Some((panel, note)) = time::panel(summary, focus, &what) {
        blocks.push(Block::panel(panel, FIRST));
        notes.push(note);
    }
    blocks.extend(done(summary, focus, path, flow));
    blocks.extend(failures(summary, focus).filter(|block| matches!(block, Block::Panel(..))));
    blocks.extend(journeys(focus));
    let lost = work::lost(summary, focus, path, 0.0);
    blocks.push(match bill::bars(summary, focus) {
        Some(mut bill) => {
            bill.key.clear();
            for bar in &mut bill.bars {
                bar.words.clear();
            }
            bill.head.note = "hatched: leaves out work that is owed".into();
            Block::Pair(lost, bill)
        }
        None => Block::Bars(lost),
    });
    blocks
}

/// What is done by window, and what arrived, dashed.
pub fn done_panel(summary: &Summary, focus: &Focus, path: &str, came: &str, done: &str) -> Option<super::panel::Panel> {
    let metric = format!("{path}.{done}");
    let what = Timed {
        words: "Done, and arrivals (dashed)",
        metric: &metric,
        of: &|cell| cell.timeline(&metric).cloned(),
        from_zero: true,
    };
    let (mut panel, _) = time::panel(summary, focus, &what)?;
    // What is turned away does not arrive: those of the cell that takes the most.
    let all = |timeline: &&Timeline| timeline.mean.iter().filter(|value| value.is_finite()).sum::<f64>();
    let found = focus
        .cells
        .iter()
        .filter_map(|(_, cell)| cell.timeline(&format!("{path}.{came}")));
    let arrivals = found.max_by(|a, b| all(a).total_cmp(&all(b)))?;
    let merged = time::merged(arrivals.mean.len());
    let mut line = time::over_time(summary, arrivals, merged);
    line.label = "arrivals".into();
    line.look.dash = super::canvas::Dash::Dashed;
    line.intervals.clear();
    for series in &mut panel.series {
        series.intervals.clear();
        series.remark.clear();
    }
    panel.series.push(line);
    panel.labels = panel.series.len() < super::MOST_LINES;
    let values = panel
        .series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point.1));
    panel.y = Axis::from_zero("", Unit::PerSecond, values);
    Some(panel)
}

fn done(summary: &Summary, focus: &Focus, path: &str, flow: &Flow) -> Option<Block> {
    let panel = done_panel(summary, focus, path, flow.came, flow.done)?;
    Some(Block::panel(panel, SECOND))
}

/// In how many points of a sweep a backlog grows or work is lost, in a sentence.
fn ailing(summary: &Summary) -> Option<Block> {
    let all = summary.cells.len();
    let grows = summary.cells.iter().filter(|cell| cell.is(Class::Growing)).count();
    let loses = summary.cells.iter().filter(|cell| !cell.losses.is_empty()).count();
    let told = [(grows, "a backlog grows to the end"), (loses, "work is lost")];
    let told = told.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told
        .map(|(count, words)| format!("in {count} of {all} cells {words}"))
        .collect();
    (!told.is_empty()).then(|| Block::Sentence(format!("{}.", capitalised(&told.join(", ")))))
}

/// Latency, failures and the bill along the swept parameter.
fn swept(summary: &Summary) -> Option<Vec<Block>> {
    use lines::Swept;
    let waited = kind::waited(summary);
    let mut blocks = Vec::new();
    if let Some(mut panel) = lines::sweep_panel(summary, Swept::Metric(&waited.metric, Unit::Seconds)) {
        panel.head.words = waited.words.into();
        blocks.push(Block::panel(panel, FIRST));
    }
    let share = |cell: &Cell| cell.metric(name::ERROR_RATIO).map_or(0.0, |ratio| ratio.estimate.mean);
    if summary.cells.iter().any(|cell| share(cell) > 1e-4)
        && let Some(mut panel) = lines::sweep_panel(summary, Swept::Metric(name::ERROR_RATIO, Unit::Ratio))
    {
        panel.head.words = "Requests that failed".into();
        blocks.push(Block::panel(panel, SECOND));
    } else {
        blocks.push(Block::Sentence(
            "Fewer than one request in 10,000 fails anywhere.".into(),
        ));
    }
    blocks.extend(ailing(summary));
    if let Some(mut panel) = lines::sweep_panel(summary, Swept::Bill) {
        panel.head.words = "Bill of a month".into();
        blocks.push(Block::panel(panel, FIRST));
    }
    // Curves come first, so that the axis is below the last of them.
    blocks.sort_by_key(|block| matches!(block, Block::Sentence(_)));
    (!blocks.is_empty()).then_some(blocks)
}

/// How long it takes, and the bill: along the sweep if there is one, with a cross where a variant fails.
fn job(summary: &Summary, focus: &Focus, metric: &str) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let all = super::every(summary);
    let shown = if summary.axes.is_empty() || summary.cells.len() > super::MOST_LINES * 2 {
        focus
    } else {
        &all
    };
    if let Some(panel) = lines::sweep_panel(summary, lines::Swept::Metric(metric, Unit::Seconds)) {
        let mut panel = panel;
        panel.head.words = "How long it takes".into();
        if panel.series.iter().any(|series| series.remark == lines::FAILS) {
            panel.head.note.push_str("   cross: it fails then");
        }
        blocks.push(Block::panel(panel, FIRST));
    } else {
        blocks.push(Block::Bars(durations(shown, metric)?));
    }
    blocks.extend(journeys(shown));
    blocks.extend(lost(shown));
    blocks.extend(bill::bars(summary, shown).map(Block::Bars));
    Some(blocks)
}

/// Bars of how long it takes.
fn durations(focus: &Focus, metric: &str) -> Option<Bars> {
    let found = |cell: &Cell| cell.metric(metric).map(|metric| metric.estimate);
    let values = || {
        focus
            .cells
            .iter()
            .filter_map(|(_, cell)| found(cell))
            .map(|estimate| estimate.mean)
    };
    values().find(|value| value.is_finite())?;
    let x = Axis::from_zero("", Unit::Seconds, values());
    let bar = |(label, cell): &(String, &Cell)| {
        let fails = words::fails_all(cell);
        let estimate = found(cell);
        let at_least = cell.metric(metric).is_some_and(|metric| metric.at_least);
        let mean = estimate.map_or(f64::NAN, |estimate| estimate.mean);
        Bar {
            label: label.clone(),
            colour: if fails { FAILED } else { super::style::INK },
            parts: vec![(mean, if fails { FAILED } else { VARIANTS[0] })],
            words: Vec::new(),
            hatched: fails,
            total: if mean.is_finite() {
                format!("{}{}", if at_least { ">" } else { "" }, x.say(mean))
            } else {
                format::MISSING.to_owned()
            },
            remark: if fails {
                "\u{d7} it fails then".into()
            } else {
                String::new()
            },
            interval: estimate
                .and_then(|estimate| estimate.drawn_interval())
                .filter(|_| !fails),
        }
    };
    Some(Bars {
        head: Head::new("How long it takes", format!("({metric})")),
        bars: focus.cells.iter().map(bar).collect(),
        x: x.clone(),
        key: Vec::new(),
        left: 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{canvas::Shape, focus};
    use super::*;
    use crate::report::sample;
    use crate::run::summary::Metric;

    fn texts(summary: &Summary) -> Vec<String> {
        let named = overview(summary, &focus(summary)).expect("an overview");
        let text = |shape: &Shape| match shape {
            Shape::Text { text, .. } => Some(text.clone()),
            _ => None,
        };
        named.picture.shapes.iter().filter_map(text).collect()
    }

    #[test]
    fn a_queue_has_its_age_first_and_what_was_lost() {
        let mut summary = sample::one();
        let cell = &mut summary.cells[0];
        let like = cell.metrics[0].clone();
        for name in ["clients.web.offered", "queues.mail.sent", "queues.mail.deleted"] {
            cell.metrics.push(Metric {
                name: name.into(),
                ..like.clone()
            });
        }
        let texts = texts(&summary);
        let at = |words: &str| texts.iter().position(|text| text == words);
        let (age, lost) = (at("Age of the oldest message"), at("Lost"));
        assert!(age.is_some() && age < lost && lost < at("Bill of a month"), "{texts:?}");
        assert!(texts.contains(&"none".to_owned()));
        assert_eq!(at("99 of 100 requests are answered within"), None);
    }

    #[test]
    fn requests_have_latency_failures_and_the_bill() {
        let texts = texts(&sample::four());
        assert!(
            texts.contains(&"99 of 100 requests are answered within".to_owned()),
            "{texts:?}"
        );
        assert!(texts.iter().any(|text| text.ends_with("requests failed.")), "{texts:?}");
        assert!(texts.contains(&"Bill of a month".to_owned()));
    }
}
