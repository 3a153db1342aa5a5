//! Work over time: what ended well and what failed, stacked under the line of what was offered.

use super::axis::Axis;
use super::bars::{Bar, Bars, key, key_height};
use super::canvas::Colour;
use super::marks;
use super::panel::{Head, Look, Panel, Series};
use super::sheet::sheet;
use super::style::{FAILED, GOOD, INK, LOST};
use super::text::list;
use super::words::{around, foot};
use super::{Focus, Named, colours, time};
use crate::report::format;
use crate::run::ledger::UnitState;
use crate::run::summary::{Cell, Summary, Timeline, Unit};
use std::fmt::Write as _;

/// Panels at most.
const MOST_PANELS: usize = 8;
/// A variant of which less fails is told in a sentence.
const WORTH_A_PANEL: f64 = 0.002;
/// Height of a panel, in pixels.
const PANEL: f64 = 360.0;

/// Timelines of all clients that end so, by window: of each client its values.
fn of_clients<'a>(cell: &'a Cell, end: &str) -> Vec<&'a Timeline> {
    let is_client = |timeline: &&Timeline| {
        let name = timeline
            .name
            .strip_prefix("clients.")
            .and_then(|name| name.strip_suffix(end));
        name.and_then(|name| name.strip_suffix('.'))
            .is_some_and(|name| !name.contains('.'))
    };
    cell.timelines.iter().filter(is_client).collect()
}

/// The sum of timelines by window; a window that none has is none.
fn sum(timelines: &[&Timeline]) -> Vec<f64> {
    let windows = timelines.iter().map(|timeline| timeline.mean.len()).max().unwrap_or(0);
    let window = |window: usize| {
        let values = timelines.iter().filter_map(|timeline| timeline.mean.get(window));
        let mut seen = values.copied().filter(|value| value.is_finite()).peekable();
        if seen.peek().is_some() { seen.sum() } else { f64::NAN }
    };
    (0..windows).map(window).collect()
}

/// Requests that ended badly, per second and window, of all clients.
fn failed(cell: &Cell) -> Vec<f64> {
    let (ended, ratios) = (of_clients(cell, "requests"), of_clients(cell, "error_ratio"));
    let product = |(ended, ratio): (&&Timeline, &&Timeline)| {
        let pairs = ended.mean.iter().zip(&ratio.mean);
        let each = pairs.map(|(ended, ratio)| if *ended > 0.0 { ended * ratio } else { *ended });
        Timeline {
            mean: each.collect(),
            ..(**ended).clone()
        }
    };
    let products: Vec<Timeline> = ended.iter().zip(&ratios).map(product).collect();
    sum(&products.iter().collect::<Vec<_>>())
}

/// The share of the requests of a window that ended badly.
pub fn failed_share(cell: &Cell) -> Option<Timeline> {
    let ratios = of_clients(cell, "error_ratio");
    let first = *ratios.first()?;
    if ratios.len() == 1 {
        return Some(first.clone());
    }
    let (failed, ended) = (failed(cell), sum(&of_clients(cell, "requests")));
    let share = |(failed, ended): (f64, f64)| if ended > 0.0 { failed / ended } else { f64::NAN };
    Some(Timeline {
        mean: failed.into_iter().zip(ended).map(share).collect(),
        low: Vec::new(),
        high: Vec::new(),
        ..first.clone()
    })
}

/// The share of all requests of a cell that failed.
fn share(cell: &Cell) -> f64 {
    let ratio = cell.metric(crate::run::summary::name::ERROR_RATIO);
    ratio.map_or(0.0, |ratio| ratio.estimate.mean)
}

/// The share of the units of work of all clients that was lost, wherever.
fn lost_later(cell: &Cell) -> f64 {
    let clients = || {
        cell.ledger
            .iter()
            .filter(|ledger| ledger.source.starts_with("clients."))
    };
    let lost: u64 = clients().map(|ledger| ledger.units(UnitState::Lost)).sum();
    let arrived: u64 = clients().map(|ledger| ledger.arrived).sum();
    if lost > 0 { lost as f64 / arrived as f64 } else { 0.0 }
}

/// One panel: what was offered as a line, what ended well and what failed below it.
fn panel(summary: &Summary, label: &str, cell: &Cell) -> Option<(Panel, f64)> {
    let offered = sum(&of_clients(cell, "offered"));
    let (failed, ended) = (failed(cell), sum(&of_clients(cell, "requests")));
    if offered.is_empty() || ended.is_empty() {
        return None;
    }
    let like = of_clients(cell, "offered")
        .first()
        .map(|timeline| (*timeline).clone())?;
    let good: Vec<f64> = ended
        .iter()
        .zip(&failed)
        .map(|(ended, failed)| ended - failed)
        .collect();
    let merged = time::merged(offered.len());
    let series = |mean: Vec<f64>| {
        let timeline = Timeline {
            mean,
            low: Vec::new(),
            high: Vec::new(),
            ..like.clone()
        };
        time::over_time(summary, &timeline, merged)
    };
    let filled = |mean: Vec<f64>, base: Vec<f64>, colour: Colour| {
        let base = series(base).points.iter().map(|point| point.1).collect();
        Series {
            look: Look::line(colour),
            base: Some(base),
            ..series(mean)
        }
    };
    let top = offered
        .iter()
        .chain(&ended)
        .copied()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::max);
    let line = Series {
        look: Look::line(INK),
        ..series(offered.clone())
    };
    let all = vec![
        filled(good.clone(), vec![0.0; good.len()], GOOD),
        filled(ended, good, FAILED),
        line,
    ];
    let mut words = format!("{} fail", format::value(Unit::Ratio, share(cell)));
    let lost = lost_later(cell);
    if lost > 0.0 {
        let _ = write!(words, ", {} lost later", format::value(Unit::Ratio, lost));
    }
    let y = Axis::from_zero("", Unit::PerSecond, std::iter::once(top));
    let mut panel = Panel::new(Head::new(label, words), time::axis(summary, offered.len()), y, all);
    panel.labels = false;
    panel.warmup_until = summary.warmup_ns as f64 / 1e9;
    panel.marks = marks::of(&[(String::new(), cell)]);
    Some((panel, top))
}

/// Who got an answer, variant by variant; none if hardly anything fails anywhere.
pub fn picture(summary: &Summary, focus: &Focus) -> Option<Named> {
    let (mut drawn, quiet): (Vec<_>, Vec<_>) = focus.cells.iter().partition(|(_, cell)| {
        share(cell).max(lost_later(cell)) >= WORTH_A_PANEL && !of_clients(cell, "offered").is_empty()
    });
    let mut notes =
        vec!["The line: what was offered. Requests are counted in the window in which they end.".to_owned()];
    if drawn.len() > MOST_PANELS {
        drawn.sort_by(|a, b| share(b.1).total_cmp(&share(a.1)));
        notes.push(format!(
            "Drawn: the {MOST_PANELS} of {} of which most fail.",
            drawn.len()
        ));
        drawn.truncate(MOST_PANELS);
    }
    let mut panels: Vec<(Panel, f64)> = drawn
        .iter()
        .filter_map(|(label, cell)| panel(summary, label, cell))
        .collect();
    let top = panels.iter().map(|panel| panel.1).fold(0.0, f64::max);
    let y = Axis::from_zero("", Unit::PerSecond, std::iter::once(top * 1.02));
    for (panel, _) in &mut panels {
        panel.y = y.clone();
    }
    if !quiet.is_empty() {
        let told = |(label, cell): &&(String, &Cell)| format!("{label} ({})", format::value(Unit::Ratio, share(cell)));
        let names: Vec<String> = quiet.iter().map(told).collect();
        notes.push(format!(
            "Not drawn, since under 0.2 % fail or are lost: {}.",
            list(&names, 8)
        ));
    }
    notes.push(focus.note.clone());
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let worst = drawn.iter().max_by(|a, b| share(a.1).total_cmp(&share(b.1)))?;
    let answer = if share(worst.1) < WORTH_A_PANEL {
        "Hardly any request fails: what is lost is lost after the answer".to_owned()
    } else if focus.cells.len() == 1 {
        format!("{} of all requests fail", format::value(Unit::Ratio, share(worst.1)))
    } else {
        format!(
            "{} fails more requests than any other: {}",
            worst.0,
            format::value(Unit::Ratio, share(worst.1))
        )
    };
    let words = around(
        summary,
        Some(answer),
        "who gets an answer while it goes wrong, and for how long after",
        foot(summary, "", &notes),
    );
    let columns = if panels.len() > 1 { 2 } else { 1 };
    let rows = panels.len().div_ceil(columns);
    let colours: Vec<(String, Colour)> = [("good", GOOD), ("failed", FAILED), ("offered", INK)]
        .map(|(words, colour)| (words.to_owned(), colour))
        .into();
    let above = key_height(&colours, 1500.0);
    let (mut picture, mut rect) = sheet(&words, above + rows as f64 * (PANEL + 20.0));
    key(&mut picture, rect, &colours);
    rect.top += above;
    for (rect, (panel, _)) in rect.grid(rows, columns, 28.0).into_iter().zip(&panels) {
        panel.draw(&mut picture, rect);
    }
    Some(Named {
        stem: "good-failed-offered".into(),
        caption: "Requests that ended well and that failed, under the line of what was offered.".into(),
        picture,
    })
}

/// What was lost or is still owed at a component, cell by cell: bars of what was lost, words of what waits.
pub fn lost(summary: &Summary, focus: &Focus, component: &str, left: f64) -> Bars {
    let runs = f64::from(summary.replications.max(1));
    let colours = colours(summary, focus);
    let count = |cell: &Cell, end: &str| {
        let found = cell.metric(&format!("{component}.{end}"));
        found.map_or(f64::NAN, |metric| metric.estimate.mean)
    };
    let bar = |(index, (label, cell)): (usize, &(String, &Cell))| {
        let losses = || cell.losses.iter().filter(|loss| loss.lost > 0);
        let lost = losses().map(|loss| loss.lost).sum::<u64>() as f64 / runs;
        let share = losses().map(crate::run::verdict::Loss::ratio).fold(0.0, f64::max);
        let owed = count(cell, "remaining");
        let owes = !cell.is_comparable() || !cell.has_month();
        let words = if lost > 0.0 {
            format!(
                "{} ({})",
                format::value(Unit::Count, lost),
                format::value(Unit::Ratio, share)
            )
        } else {
            "none".to_owned()
        };
        let remark = if owes && owed > 0.5 {
            format!(
                "{} still wait at the end",
                format::count(crate::kernel::number::whole(owed.round()))
            )
        } else {
            String::new()
        };
        Bar {
            label: label.clone(),
            colour: colours[index],
            parts: vec![(lost, LOST)],
            words: Vec::new(),
            hatched: false,
            total: words,
            remark,
            interval: None,
        }
    };
    let bars: Vec<Bar> = focus.cells.iter().enumerate().map(bar).collect();
    let x = Axis::from_zero("", Unit::Count, bars.iter().map(|bar| bar.parts[0].0));
    Bars {
        head: Head::new("Lost", "a run; dead letters, expired, discarded, failed"),
        x,
        bars,
        key: Vec::new(),
        left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn timeline(name: &str, mean: &[f64]) -> Timeline {
        Timeline {
            name: name.into(),
            unit: Unit::PerSecond,
            mean: mean.to_vec(),
            low: Vec::new(),
            high: Vec::new(),
        }
    }

    fn two_clients() -> Cell {
        let mut cell = sample::one().cells[0].clone();
        for (client, requests, ratio) in [("a", [30.0, 10.0], [0.0, 0.5]), ("b", [10.0, 0.0], [0.4, f64::NAN])] {
            cell.timelines
                .push(timeline(&format!("clients.{client}.requests"), &requests));
            cell.timelines
                .push(timeline(&format!("clients.{client}.error_ratio"), &ratio));
        }
        // A path of a client is not another client.
        cell.timelines
            .push(timeline("clients.a.paths.x.requests", &[99.0, 99.0]));
        cell
    }

    #[test]
    fn what_failed_is_added_up_over_clients() {
        let cell = two_clients();
        assert_eq!(failed(&cell), [4.0, 5.0]);
        assert_eq!(failed_share(&cell).unwrap().mean, [0.1, 0.5]);
    }
}
