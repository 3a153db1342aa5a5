//! From the cheapest bill to the dearest, by what is paid for: each step is a difference, and they add up exactly.

use super::axis::Axis;
use super::bars::hatch;
use super::bill::Paid;
use super::canvas::{Align, Picture, text_width};
use super::panel::horizontal_axis;
use super::sheet::{Rect, sheet};
use super::style::{AXIS, GRID, INK, LINE, TEXT, readable};
use super::text::wrap;
use super::words::{self, around, foot};
use super::{Focus, Named, bill, colours, same_traffic};
use crate::report::format;
use crate::report::verdicts;
use crate::run::summary::{Cell, Summary, Unit};
use std::collections::BTreeMap;

/// Steps at most; the rest is one.
const MOST_STEPS: usize = 7;
/// A step that is less than this share of the difference is part of the rest.
const LEAST_STEP: f64 = 0.005;
/// Height of a step, in pixels.
const ROW: f64 = 78.0;
/// From so many times on, where a difference comes from is a question.
const WORTH_ASKING: f64 = 1.2;

/// One difference between two bills.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    words: String,
    paid: Paid,
    dollars: f64,
}

/// The steps from one bill to another: what falls away first, then what is added, the largest first.
fn steps(from: &Cell, to: &Cell) -> Vec<Step> {
    let mut found: BTreeMap<(Paid, String), f64> = BTreeMap::new();
    for (cell, sign) in [(from, -1.0), (to, 1.0)] {
        for line in cell.bill.lines.iter().filter(|line| line.amount.mean.is_finite()) {
            let component = line.component.rsplit('.').next().unwrap_or(&line.component);
            let words = format!("{} of {component}", line.line);
            *found.entry((Paid::of(line), words)).or_default() += sign * line.amount.mean;
        }
    }
    let mut steps: Vec<Step> = found
        .into_iter()
        .map(|((paid, words), dollars)| Step { words, paid, dollars })
        .filter(|step| step.dollars != 0.0)
        .collect();
    steps.sort_by(|a, b| b.dollars.abs().total_cmp(&a.dollars.abs()));
    // What cannot be seen is not named by itself, if there is more of it.
    let between: f64 = steps.iter().map(|step| step.dollars).sum();
    let large = |step: &&Step| step.dollars.abs() >= LEAST_STEP * between.abs();
    let shown = steps.iter().filter(large).count().min(MOST_STEPS - 1);
    if shown + 1 < steps.len() {
        let rest: f64 = steps.drain(shown..).map(|step| step.dollars).sum();
        steps.push(Step {
            words: "everything else".into(),
            paid: Paid::Other,
            dollars: rest,
        });
    }
    steps.sort_by_key(|step| step.dollars > 0.0);
    steps
}

/// The sum of the lines of a bill.
fn whole(cell: &Cell) -> f64 {
    bill::parts(cell).iter().sum()
}

/// The cheapest and the dearest of the cells whose bills may be compared, if the one is several times the other.
fn ends(focus: &Focus) -> Option<(usize, usize)> {
    if !same_traffic(focus) {
        return None;
    }
    let comparable = |index: &usize| {
        let cell = focus.cells[*index].1;
        bill::has_bill(cell) && verdicts::has_whole_bill(cell) && cell.has_month() && !words::fails_all(cell)
    };
    let by_bill = |a: &usize, b: &usize| whole(focus.cells[*a].1).total_cmp(&whole(focus.cells[*b].1));
    let found: Vec<usize> = (0..focus.cells.len()).filter(comparable).collect();
    let (least, most) = (
        found.iter().copied().min_by(by_bill)?,
        found.iter().copied().max_by(by_bill)?,
    );
    let times = whole(focus.cells[most].1) / whole(focus.cells[least].1);
    (times >= WORTH_ASKING).then_some((least, most))
}

fn money(dollars: f64, decimals: usize) -> String {
    format!("${}", format::grouped(dollars.abs(), decimals))
}

/// The picture; none unless two bills that may be compared differ.
pub fn picture(summary: &Summary, focus: &Focus) -> Option<Named> {
    let (least, most) = ends(focus)?;
    let ((from_label, from), (to_label, to)) = (&focus.cells[least], &focus.cells[most]);
    let steps = steps(from, to);
    let (low, high) = (whole(from), whole(to));
    let decimals = if high < 99.995 { 2 } else { 0 };
    let largest = steps
        .iter()
        .filter(|step| step.dollars > 0.0)
        .max_by(|a, b| a.dollars.total_cmp(&b.dollars))?;
    let share = format::grouped(largest.dollars / (high - low) * 100.0, 0);
    let answer = format!(
        "{to_label} costs {} times {from_label}: {share} % of the difference is {}",
        format::grouped(high / low, 1),
        largest.words
    );
    let what = format!(
        "from {from_label} ({} a month) to {to_label} ({}), by what is paid for",
        money(low, decimals),
        money(high, decimals)
    );
    let between = format!(
        "Shares are of the {} between the two; hatched: falls away.",
        money(high - low, decimals)
    );
    let words = around(
        summary,
        Some(answer),
        &what,
        foot(summary, "", &[&focus.note, &between]),
    );
    let (mut picture, rect) = sheet(&words, ROW * (steps.len() + 2) as f64 + 48.0);
    let colours = colours(summary, focus);
    let fall = Fall {
        steps: &steps,
        low,
        high,
        decimals,
    };
    fall.draw(
        &mut picture,
        rect,
        [(from_label, colours[least]), (to_label, colours[most])],
    );
    Some(Named {
        stem: "bill-difference".into(),
        caption: format!("From the bill of {from_label} to that of {to_label}, by what is paid for."),
        picture,
    })
}

struct Fall<'a> {
    steps: &'a [Step],
    low: f64,
    high: f64,
    decimals: usize,
}

impl Fall<'_> {
    fn draw(&self, picture: &mut Picture, rect: Rect, ends: [(&String, super::canvas::Colour); 2]) {
        let names = self
            .steps
            .iter()
            .map(|step| step.words.as_str())
            .chain(ends.iter().map(|end| end.0.as_str()));
        let widest = names
            .flat_map(|name| wrap(name, TEXT, true, 420.0))
            .map(|line| text_width(&line, TEXT, true));
        let inside = Rect {
            left: rect.left + widest.fold(0.0, f64::max) + 18.0,
            right: rect.right - 190.0,
            bottom: rect.bottom - 40.0,
            ..rect
        };
        let tops = self.levels();
        let axis = Axis::from_zero("", Unit::Dollars, tops.iter().copied());
        for (at, _) in &axis.ticks {
            let Some(share) = axis.within(*at) else { continue };
            let x = inside.left + share * inside.width();
            picture.line(vec![(x, inside.top), (x, inside.bottom)], GRID, 1.5);
        }
        horizontal_axis(picture, inside, &axis);
        picture.line(
            vec![(inside.left, inside.bottom), (inside.right, inside.bottom)],
            AXIS,
            2.0,
        );
        let across = |value: f64| inside.left + axis.place(value).unwrap_or(0.0) * inside.width();
        let rows = self.steps.len() + 2;
        let slot = inside.height() / rows as f64;
        let middle = |row: usize| inside.top + slot * (row as f64 + 0.5);
        let half = slot * 0.31;
        for (row, ((label, colour), value)) in [(0, (ends[0], self.low)), (rows - 1, (ends[1], self.high))] {
            let y = middle(row);
            picture.rect((inside.left, y - half), (across(value), y + half), colour);
            name(picture, inside.left, y, label, readable(colour));
            let at = (across(value) + 12.0, y);
            picture.bold(at, money(value, self.decimals), TEXT, INK, Align::Left);
        }
        for (index, step) in self.steps.iter().enumerate() {
            let (before, after) = (tops[index], tops[index + 1]);
            let y = middle(index + 1);
            let (left, right) = (across(before.min(after)), across(before.max(after)));
            let joint = across(before);
            picture.line(vec![(joint, y - slot + half), (joint, y - half)], AXIS, 2.0);
            let colour = step.paid.colour();
            if step.dollars < 0.0 {
                hatch(picture, (left, y - half), (right.max(left + 2.0), y + half), colour);
            } else {
                picture.rect((left, y - half), (right.max(left + 2.0), y + half), colour);
            }
            name(picture, inside.left, y, &step.words, INK);
            let sign = if step.dollars < 0.0 { "\u{2212}" } else { "+" };
            let share = format::grouped(step.dollars / (self.high - self.low) * 100.0, 0).replace('-', "\u{2212}");
            let words = format!("{sign}{}   {share} %", money(step.dollars, self.decimals));
            picture.text((right + 12.0, y), words, TEXT, INK, Align::Left);
        }
        let end = across(self.high);
        picture.line(
            vec![(end, middle(rows - 2) + half), (end, middle(rows - 1) - half)],
            AXIS,
            2.0,
        );
    }

    /// The sums after no step, after the first one, and so on.
    fn levels(&self) -> Vec<f64> {
        let mut levels = vec![self.low];
        for step in self.steps {
            levels.push(levels[levels.len() - 1] + step.dollars);
        }
        levels
    }
}

fn name(picture: &mut Picture, left: f64, middle: f64, words: &str, colour: super::canvas::Colour) {
    let lines = wrap(words, TEXT, true, 420.0);
    let mut y = middle - LINE * (lines.len() as f64 - 1.0) / 2.0;
    for line in lines {
        picture.bold((left - 16.0, y), line, TEXT, colour, Align::Right);
        y += LINE;
    }
}

#[cfg(test)]
mod tests {
    use super::super::focus;
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_steps_add_up_to_the_difference_of_the_bills() {
        let summary = sample::compared();
        let focus = focus(&summary);
        let (least, most) = ends(&focus).unwrap();
        let (from, to) = (focus.cells[least].1, focus.cells[most].1);
        assert_eq!(
            (from.variant.as_str(), to.variant.as_str()),
            ("cloud_run", "provisioned concurrency 400")
        );
        let found = steps(from, to);
        let sum: f64 = found.iter().map(|step| step.dollars).sum();
        assert!(
            (sum - (to.bill.total.mean - from.bill.total.mean)).abs() < 1e-6 * sum,
            "{sum}"
        );
        assert!(found.len() <= MOST_STEPS);
    }

    #[test]
    fn what_falls_away_comes_first() {
        let summary = sample::compared();
        let mut dear = summary.cells[1].clone();
        dear.bill.lines.retain(|line| !line.component.starts_with("databases."));
        let found = steps(&summary.cells[0], &dear);
        assert!(
            found[0].dollars < 0.0 && found.is_sorted_by_key(|step| step.dollars > 0.0),
            "{found:?}"
        );
    }

    #[test]
    fn bills_that_leave_something_out_are_not_compared() {
        let mut summary = sample::compared();
        let growing = serde_json::from_str(r#"{"class":"growing","words":"it grows"}"#).unwrap();
        summary.cells[3].verdicts = vec![growing];
        let focus = focus(&summary);
        let (least, _) = ends(&focus).unwrap();
        assert_eq!(focus.cells[least].0, "arm");
    }
}
