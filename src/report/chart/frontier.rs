//! The slowest hundredth against the bill: one point a variant. The frontier are those of which whatever is cheaper is
//! slower; who is on it is decided by paired differences, since all variants have the same dice, and not by means.

use super::axis::Axis;
use super::canvas::{Align, Marker, Picture, Shape, text_width};
use super::kind::{self, Waited};
use super::labels::Taken;
use super::panel::{Draw, Head, horizontal_axis, vertical_axis};
use super::sheet::{Rect, Words, sheet};
use super::style::{ACCENT, AXIS, FAILED, GRID, QUIET, SMALL, SOFT, VARIANTS};
use super::text::list;
use super::words::{around, foot};
use super::{Focus, Named, bill, same_traffic};
use crate::report::verdicts;
use crate::run::answer::judge::State;
use crate::run::summary::{Cell, Metric, Summary, Unit, name};
use crate::stats::figure;

/// Height of the coordinate system, in pixels.
const PANEL: f64 = 720.0;
/// Width of the column of those without a bill.
const ASIDE: f64 = 56.0;

/// The 95 % interval of how much larger a figure of one cell is than that of another, run by run; none with fewer than
/// two runs of both.
fn paired(of: &Metric, minus: &Metric) -> Option<(f64, f64)> {
    let found = if of.leave_one_out.is_empty() || of.leave_one_out.len() != minus.leave_one_out.len() {
        let pairs = of.per_replication.iter().zip(&minus.per_replication);
        let each: Vec<f64> = pairs.map(|(of, minus)| of - minus).collect();
        figure::mean(&each).estimate
    } else {
        figure::difference(minus.side(), of.side())
    };
    found
        .low
        .zip(found.high)
        .filter(|(low, high)| low.is_finite() && high.is_finite())
}

/// Whether a figure of one cell is lower than that of another beyond chance. Without intervals the figures decide.
fn lower(of: &Cell, than: &Cell, metric: &str) -> bool {
    let (Some(of), Some(than)) = (of.metric(metric), than.metric(metric)) else {
        return false;
    };
    match paired(of, than) {
        Some((low, high)) => high < 0.0 || (low == 0.0 && high == 0.0 && of.estimate.mean < than.estimate.mean),
        None => of.estimate.mean < than.estimate.mean,
    }
}

/// Which of these cells, in order of their bills, are on the frontier; those that break the promise never are.
fn frontier(cells: &[(&Cell, bool)], slow: &str) -> Vec<usize> {
    let mut steps: Vec<usize> = Vec::new();
    for (index, (cell, _)) in cells.iter().enumerate().filter(|(_, (_, breaks))| !breaks) {
        let Some(last) = steps.last() else {
            steps.push(index);
            continue;
        };
        if lower(cell, cells[*last].0, slow) {
            // One that costs the same but for chance, and is slower, is no step.
            while steps
                .last()
                .is_some_and(|last| !lower(cells[*last].0, cell, name::BILL_MONTH))
            {
                steps.pop();
            }
            steps.push(index);
        }
    }
    steps
}

struct Spot<'a> {
    label: &'a str,
    cell: &'a Cell,
    /// Whether it breaks the promise.
    breaks: bool,
    /// Whether it is the answer.
    answer: bool,
    slow: f64,
    bill: Option<f64>,
}

fn spots<'a>(summary: &Summary, focus: &'a Focus, metric: &str) -> Vec<Spot<'a>> {
    let spot = |(label, cell): &'a (String, &'a Cell)| {
        let slow = cell.metric(metric)?.estimate.mean;
        let bill = cell.bill.total.mean;
        let whole = bill::has_bill(cell) && verdicts::has_whole_bill(cell) && bill > 0.0;
        (slow.is_finite() && slow > 0.0).then_some(Spot {
            label,
            cell,
            breaks: verdicts::state(summary, cell) == State::Breaks,
            answer: summary.answer.is(cell),
            slow,
            bill: whole.then_some(bill),
        })
    };
    let mut spots: Vec<Spot> = focus.cells.iter().filter_map(spot).collect();
    spots.sort_by(|a, b| a.bill.unwrap_or(0.0).total_cmp(&b.bill.unwrap_or(0.0)));
    spots
}

/// The picture; none with fewer than three variants that have a bill, of which two differ.
pub fn picture(summary: &Summary, focus: &Focus) -> Option<Named> {
    let waited = kind::waited(summary);
    let spots = spots(summary, focus, &waited.metric);
    let billed: Vec<&Spot> = spots.iter().filter(|spot| spot.bill.is_some()).collect();
    if billed.len() < 3 || !same_traffic(focus) {
        return None;
    }
    let cells: Vec<(&Cell, bool)> = billed.iter().map(|spot| (spot.cell, spot.breaks)).collect();
    let steps = frontier(&cells, &waited.metric);
    let on: Vec<&str> = steps.iter().map(|step| billed[*step].label).collect();
    let aside = spots.iter().any(|spot| spot.bill.is_none());
    let mut notes = vec![
        "The line is the frontier: whatever is cheaper is slower, by the paired difference of the same runs. Grey on \
         the line: not told apart from it."
            .to_owned(),
    ];
    if spots.iter().any(|spot| spot.answer) {
        notes.push("Red dot: the answer.".to_owned());
    }
    if aside {
        notes.push("Hollow: without a bill that can be compared.".to_owned());
    }
    if spots.iter().any(|spot| spot.breaks) {
        notes.push("Cross: does not keep the promise, and is not compared.".to_owned());
    }
    notes.push(focus.note.clone());
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let names: Vec<String> = on.iter().map(|name| (*name).to_owned()).collect();
    let answer = match steps.len() {
        0 => None,
        1 => Some(format!(
            "Nothing is cheaper or quicker than {}, beyond chance",
            list(&names, 1)
        )),
        _ => Some(format!("Worth their price: {}", list(&names, 5))),
    };
    let words = around(
        summary,
        answer,
        &format!("{} against the bill of a month: left and low is better", waited.short),
        foot(summary, "bars", &notes),
    );
    let picture = drawn(&words, &waited, &spots, &billed, &steps);
    Some(Named {
        stem: "p99-against-bill".into(),
        caption: "p99 latency against the bill of a month, one point a variant, and the frontier.".into(),
        picture,
    })
}

/// The coordinate system with its points.
fn drawn(words: &Words, waited: &Waited, spots: &[Spot], billed: &[&Spot], steps: &[usize]) -> Picture {
    let on: Vec<&str> = steps.iter().map(|step| billed[*step].label).collect();
    let aside = spots.iter().any(|spot| spot.bill.is_none());
    let (mut picture, rect) = sheet(words, PANEL);
    let slow: Vec<f64> = spots.iter().map(|spot| spot.slow).collect();
    let bills: Vec<f64> = billed.iter().filter_map(|spot| spot.bill).collect();
    let (mut x, y) = (
        Axis::around("", Unit::Dollars, &bills),
        Axis::around("", Unit::Seconds, &slow),
    );
    x.label = if x.is_log() {
        "bill of a month, log scale".into()
    } else {
        "bill of a month".into()
    };
    let scale = if y.is_log() { "log scale   " } else { "" };
    let head = Head::new(waited.words, format!("{scale}({})", waited.metric));
    let top = rect.top + head.draw(&mut picture, rect);
    let ticks = y
        .ticks
        .iter()
        .map(|(_, text)| text_width(text, SMALL, false))
        .fold(0.0, f64::max);
    let left = rect.left + ticks + 16.0;
    let whole = Rect {
        left,
        top,
        right: rect.right - 40.0,
        bottom: rect.bottom - 72.0,
    };
    let inside = Rect {
        left: left + if aside { ASIDE + 14.0 } else { 0.0 },
        ..whole
    };
    vertical_axis(&mut picture, whole, &y);
    ground(&mut picture, whole, inside, &x);
    let draw = Draw { inside, x: &x, y: &y };
    let taken = line(&mut picture, &draw, steps, billed);
    points(&mut picture, &draw, spots, (&on, &waited.metric), (whole, taken));
    picture
}

fn ground(picture: &mut Picture, whole: Rect, inside: Rect, x: &Axis) {
    if inside.left > whole.left {
        picture.rect((whole.left, whole.top), (whole.left + ASIDE, whole.bottom), QUIET);
        let at = (whole.left + ASIDE / 2.0, whole.bottom + 22.0);
        picture.text(at, "no bill", SMALL, SOFT, Align::Middle);
    }
    for (at, _) in &x.ticks {
        let Some(share) = x.within(*at) else { continue };
        let x = inside.left + share * inside.width();
        picture.line(vec![(x, inside.top), (x, inside.bottom)], GRID, 1.5);
    }
    let mut axis = x.clone();
    if inside.left > whole.left {
        // The first tick would touch the words below the column.
        axis.ticks
            .retain(|(at, _)| x.place(*at).is_some_and(|share| share * inside.width() > 40.0));
    }
    horizontal_axis(picture, inside, &axis);
    picture.line(
        vec![(whole.left, whole.bottom), (inside.right, whole.bottom)],
        AXIS,
        2.0,
    );
}

/// Draws the frontier, and takes its room so that no name covers it.
fn line(picture: &mut Picture, draw: &Draw, steps: &[usize], billed: &[&Spot]) -> Taken {
    let mut taken = Taken::default();
    let mut path = Vec::new();
    for step in steps {
        let spot = billed[*step];
        let Some(at) = draw.pixel((spot.bill.unwrap_or(0.0), spot.slow)) else {
            continue;
        };
        if let Some((_, y)) = path.last().copied() {
            path.push((at.0, y));
        }
        path.push(at);
    }
    if let Some((_, y)) = path.last().copied() {
        path.push((draw.inside.right, y));
        for pair in path.windows(2) {
            taken.take(Rect {
                left: pair[0].0.min(pair[1].0) - 2.0,
                top: pair[0].1.min(pair[1].1) - 2.0,
                right: pair[0].0.max(pair[1].0) + 2.0,
                bottom: pair[0].1.max(pair[1].1) + 2.0,
            });
        }
        picture.line(path, AXIS, 3.0);
    }
    taken
}

fn points(
    picture: &mut Picture,
    draw: &Draw,
    spots: &[Spot],
    (on, metric): (&[&str], &str),
    (whole, mut taken): (Rect, Taken),
) {
    let at = |spot: &Spot, slow: f64| match spot.bill {
        Some(bill) => draw.pixel((bill, slow)),
        None => draw
            .pixel((draw.x.low, slow))
            .map(|(_, y)| (whole.left + ASIDE / 2.0, y)),
    };
    for spot in spots {
        let colour = colour(spot, on);
        let Some(centre) = at(spot, spot.slow) else { continue };
        let metric = spot.cell.metric(metric);
        if let Some((low, high)) = metric.and_then(|metric| metric.estimate.drawn_interval())
            && let (Some(from), Some(to)) = (at(spot, low.max(draw.y.low)), at(spot, high))
        {
            picture.line(vec![from, to], colour, 3.0);
        }
        let marker = match (spot.breaks, spot.bill) {
            (true, _) => Marker::Cross,
            (false, None) => Marker::Ring,
            _ => Marker::Circle,
        };
        picture.shapes.push(Shape::Mark {
            at: centre,
            marker,
            colour,
        });
        taken.take(Rect {
            left: centre.0 - 9.0,
            top: centre.1 - 9.0,
            right: centre.0 + 9.0,
            bottom: centre.1 + 9.0,
        });
    }
    for spot in spots {
        let Some((x, y)) = at(spot, spot.slow) else { continue };
        let mut places = Vec::new();
        for shift in [0.0, -22.0, 22.0, -48.0, 48.0, -74.0, 74.0, -100.0, 100.0] {
            places.push(((x + 16.0, y + shift), Align::Left));
            places.push(((x - 16.0, y + shift), Align::Right));
        }
        taken.write(
            picture,
            whole,
            spot.label,
            super::style::readable(colour(spot, on)),
            &places,
        );
    }
}

fn colour(spot: &Spot, on: &[&str]) -> super::canvas::Colour {
    if spot.breaks {
        FAILED
    } else if spot.answer {
        ACCENT
    } else if on.contains(&spot.label) {
        VARIANTS[0]
    } else {
        SOFT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// A cell with these values of p99 and of the bill in each run.
    fn cell(slow: &[f64], bill: &[f64]) -> Cell {
        let mut cell = sample::cell("x", Vec::new(), 1.0, 1.0, 1);
        for (metric, values) in [
            (name::LATENCY_P99, slow),
            (name::BILL_MONTH, bill),
            (name::ERROR_RATIO, &[0.0][..]),
        ] {
            let found = cell.metrics.iter_mut().find(|found| found.name == metric).unwrap();
            found.leave_one_out.clear();
            found.per_replication = values.to_vec();
            found.estimate.mean = values.iter().sum::<f64>() / values.len() as f64;
        }
        cell
    }

    #[test]
    fn the_frontier_is_decided_by_pairs_and_not_by_means() {
        // Runs differ by far more than variants, and in every run the second is a little quicker than the first.
        let cheap = cell(&[1.0, 2.0, 3.0, 4.0], &[5.0; 4]);
        let quick = cell(&[0.90, 1.91, 2.90, 3.91], &[7.0; 4]);
        // Its mean is the lowest, but in half of the runs it is slower than the second.
        let lucky = cell(&[0.1, 2.2, 2.5, 4.4], &[9.0; 4]);
        assert_eq!(
            frontier(&[&cheap, &quick, &lucky].map(|cell| (cell, false)), name::LATENCY_P99),
            [0, 1]
        );
    }

    #[test]
    fn what_costs_the_same_and_is_slower_is_no_step() {
        let slow = cell(&[1.0, 1.1, 1.0, 1.1], &[5.0, 5.2, 5.1, 5.0]);
        let quick = cell(&[0.5, 0.6, 0.5, 0.6], &[5.1, 5.1, 5.0, 5.2]);
        assert_eq!(
            frontier(&[&slow, &quick].map(|cell| (cell, false)), name::LATENCY_P99),
            [1]
        );
    }

    #[test]
    fn what_breaks_the_promise_is_never_on_the_frontier() {
        let cheap = cell(&[0.1; 4], &[1.0; 4]);
        let other = cell(&[1.0, 1.1, 1.0, 1.1], &[5.0; 4]);
        assert_eq!(frontier(&[(&cheap, true), (&other, false)], name::LATENCY_P99), [1]);
    }
}
