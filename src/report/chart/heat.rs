//! A map over two swept parameters: where it works, and what rules out the rest, in a word.

use super::Named;
use super::axis::Axis;
use super::canvas::{Align, Picture};
use super::kind::{self, Waited};
use super::sheet::{Rect, sheet};
use super::style::{ACCENT, HEAD, INK, LINE, ORDERED, QUIET, SMALL, SOFT, TEXT, on};
use super::text::wrap;
use super::words::{around, foot};
use crate::report::{format, verdicts};
use crate::run::answer::judge::State;
use crate::run::summary::{Cell, PointValue, Summary, Unit, name};
use crate::run::verdict::{Class, Loss};

/// More columns or rows than this cannot be read.
const MOST: usize = 14;
/// Height of a cell, in pixels.
const HIGH: f64 = 76.0;
/// What fails or is lost counts from this share on.
const WORTH_A_WORD: f64 = 1e-4;

/// The values of an axis in the order of the scenario.
fn values(cells: &[&Cell], axis: usize) -> Vec<PointValue> {
    let mut values: Vec<PointValue> = Vec::new();
    for value in cells.iter().filter_map(|cell| cell.point.get(axis)) {
        if !value.is_absent() && values.iter().all(|known| known.text != value.text) {
            values.push(value.clone());
        }
    }
    values
}

/// What rules a cell out, in a word and a figure; none if it keeps the promise.
fn ruled_out(summary: &Summary, cell: &Cell) -> Option<(String, String)> {
    let percent = |share: f64| {
        if share < WORTH_A_WORD {
            "< 0.01 %".to_owned()
        } else {
            format::value(Unit::Ratio, share)
        }
    };
    match verdicts::state(summary, cell) {
        State::Keeps => return None,
        State::Open => return Some(("not decided".into(), String::new())),
        State::Breaks => {}
    }
    if cell.refused.is_some() {
        return Some(("refused".into(), String::new()));
    }
    if cell.is(Class::NoTraffic) {
        return Some(("no traffic".into(), String::new()));
    }
    if cell.is(Class::TwoRegimes) {
        return Some(("two ways".into(), String::new()));
    }
    let lost = cell.losses.iter().map(Loss::ratio).fold(0.0, f64::max);
    let failed = cell.metric(name::ERROR_RATIO).map_or(0.0, |ratio| ratio.estimate.mean);
    let failed = if failed.is_finite() { failed } else { 0.0 };
    match (cell.is(Class::Growing), lost > 0.0, failed >= WORTH_A_WORD) {
        (true, true, _) => Some(("both".into(), percent(lost))),
        (true, false, _) => {
            let of = cell.verdicts.iter().find(|verdict| verdict.class == Class::Growing);
            let rate = of
                .and_then(|verdict| verdict.per_second)
                .filter(|rate| rate.is_finite());
            Some((
                "grows".into(),
                rate.map_or_else(String::new, |rate| format!("{}/s", format::value(Unit::Plain, rate))),
            ))
        }
        (false, true, _) => Some(("lost".into(), percent(lost))),
        (false, false, true) => Some(("fails".into(), percent(failed))),
        // The answer says which.
        (false, false, false) => Some(("ruled out".into(), String::new())),
    }
}

/// The map of the first variant; none unless two parameters are swept.
pub fn picture(summary: &Summary) -> Option<Named> {
    if summary.axes.len() != 2 {
        return None;
    }
    let variants = summary.variants();
    let variant = *variants.first()?;
    let cells: Vec<&Cell> = summary.cells.iter().filter(|cell| cell.variant == variant).collect();
    let (first, second) = (values(&cells, 0), values(&cells, 1));
    // The axis with more values lies.
    let (across, up) = if second.len() > first.len() { (1, 0) } else { (0, 1) };
    let (mut columns, mut rows) = (values(&cells, across), values(&cells, up));
    if columns.len() < 2 || rows.len() < 2 {
        return None;
    }
    let mut notes = Vec::new();
    if columns.len() > MOST || rows.len() > MOST {
        notes.push(format!(
            "Drawn: the first {MOST} of {} by {} values.",
            columns.len(),
            rows.len()
        ));
        columns.truncate(MOST);
        rows.truncate(MOST);
    }
    rows.sort_by(|a, b| b.number.total_cmp(&a.number));
    if variants.len() > 1 {
        notes.push(format!("Drawn: {variant}, one of {} variants.", variants.len()));
    }
    let Waited { metric, short, .. } = kind::waited(summary);
    let find = |row: &PointValue, column: &PointValue| {
        let at = |cell: &&&Cell| cell.point[across].text == column.text && cell.point[up].text == row.text;
        cells.iter().find(at).copied()
    };
    let grid: Vec<Vec<Option<&Cell>>> = rows
        .iter()
        .map(|row| columns.iter().map(|column| find(row, column)).collect())
        .collect();
    let feasible = grid
        .iter()
        .flatten()
        .flatten()
        .filter(|cell| ruled_out(summary, cell).is_none())
        .count();
    let all = grid.iter().flatten().flatten().count();
    notes.push("Outlined: keeps the promise. Other cells name what rules them out.".to_owned());
    let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
    let answer = format!("The promise is kept in {feasible} of {all} cells");
    let what = format!(
        "{} against {}; in each cell: {short}",
        summary.axes[up].label, summary.axes[across].label
    );
    let words = around(summary, Some(answer), &what, foot(summary, "", &notes));
    let (mut picture, rect) = sheet(&words, 44.0 + HIGH * rows.len() as f64 + 80.0);
    let map = Map {
        summary,
        metric: &metric,
        rows: &rows,
        columns: &columns,
        grid: &grid,
    };
    map.draw(&mut picture, rect, &summary.axes[up].label, &summary.axes[across].label);
    Some(Named {
        stem: "heat-map".into(),
        caption: "Where it works over two swept parameters, and what rules out the rest.".into(),
        picture,
    })
}

struct Map<'a> {
    summary: &'a Summary,
    metric: &'a str,
    rows: &'a [PointValue],
    columns: &'a [PointValue],
    grid: &'a [Vec<Option<&'a Cell>>],
}

impl Map<'_> {
    fn value(&self, cell: &Cell) -> f64 {
        cell.metric(self.metric).map_or(f64::NAN, |metric| metric.estimate.mean)
    }

    fn is_feasible(&self, row: usize, column: usize) -> bool {
        self.grid[row][column].is_some_and(|cell| ruled_out(self.summary, cell).is_none())
    }

    /// The least and the largest value of feasible cells.
    fn reach(&self) -> (f64, f64) {
        let feasible = self
            .grid
            .iter()
            .flatten()
            .flatten()
            .filter(|cell| ruled_out(self.summary, cell).is_none());
        let values = feasible
            .map(|cell| self.value(cell))
            .filter(|value| value.is_finite() && *value > 0.0);
        values.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), value| {
            (low.min(value), high.max(value))
        })
    }

    fn draw(&self, picture: &mut Picture, rect: Rect, up: &str, across: &str) {
        picture.bold((rect.left, rect.top + 16.0), up, HEAD, INK, Align::Left);
        let widest = self
            .rows
            .iter()
            .map(|row| super::canvas::text_width(&row.text, TEXT, false))
            .fold(0.0, f64::max);
        let inside = Rect {
            left: rect.left + widest + 18.0,
            top: rect.top + 44.0,
            right: rect.right,
            bottom: rect.bottom - 80.0,
        };
        let boxes = inside.grid(self.rows.len(), self.columns.len(), 4.0);
        let at = |row: usize, column: usize| boxes[row * self.columns.len() + column];
        let reach = self.reach();
        for row in 0..self.rows.len() {
            let left = at(row, 0);
            let middle = (inside.left - 14.0, f64::midpoint(left.top, left.bottom));
            picture.text(middle, self.rows[row].text.as_str(), TEXT, SOFT, Align::Right);
            for column in 0..self.columns.len() {
                self.cell(picture, at(row, column), self.grid[row][column], reach);
            }
        }
        for (column, value) in self.columns.iter().enumerate() {
            let below = at(self.rows.len() - 1, column);
            let middle = (f64::midpoint(below.left, below.right), inside.bottom + 20.0);
            picture.text(middle, value.text.as_str(), TEXT, SOFT, Align::Middle);
        }
        picture.bold((inside.right, inside.bottom + 56.0), across, HEAD, INK, Align::Right);
        self.outline(picture, &at);
    }

    fn cell(&self, picture: &mut Picture, room: Rect, cell: Option<&Cell>, (low, high): (f64, f64)) {
        let Some(cell) = cell else { return };
        let middle = f64::midpoint(room.left, room.right);
        let out = ruled_out(self.summary, cell);
        let value = self.value(cell);
        let scale = Axis::from_zero("", Unit::Seconds, std::iter::once(high));
        let share = if high > low {
            libm::log(value / low) / libm::log(high / low)
        } else {
            1.0
        };
        let ground = match out {
            None if share.is_finite() => ORDERED[0].mixed(ORDERED[3], share.clamp(0.0, 1.0)),
            None => ORDERED[0],
            Some(_) => QUIET,
        };
        picture.rect((room.left, room.top), (room.right, room.bottom), ground);
        let lines: Vec<String> = match &out {
            None => wrap(&scale.say(value), TEXT, true, room.width() - 6.0),
            Some((word, figure)) => [word, figure]
                .into_iter()
                .filter(|words| !words.is_empty())
                .cloned()
                .collect(),
        };
        let mut y = f64::midpoint(room.top, room.bottom) - LINE * (lines.len() as f64 - 1.0) / 2.0;
        for line in lines {
            if out.is_none() {
                picture.bold((middle, y), line, TEXT, on(ground), Align::Middle);
            } else {
                picture.text((middle, y), line, SMALL, SOFT, Align::Middle);
            }
            y += LINE;
        }
    }

    /// Draws the edges between what is feasible and what is not.
    fn outline(&self, picture: &mut Picture, at: &dyn Fn(usize, usize) -> Rect) {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        for row in 0..rows {
            for column in (0..columns).filter(|column| self.is_feasible(row, *column)) {
                let (room, out) = (at(row, column), 2.0);
                let (left, top) = (room.left - out, room.top - out);
                let (right, bottom) = (room.right + out, room.bottom + out);
                let other = |there: bool, row: usize, column: usize| there && self.is_feasible(row, column);
                let edges = [
                    (
                        other(row > 0, row.wrapping_sub(1), column),
                        vec![(left, top), (right, top)],
                    ),
                    (
                        other(row + 1 < rows, row + 1, column),
                        vec![(left, bottom), (right, bottom)],
                    ),
                    (
                        other(column > 0, row, column.wrapping_sub(1)),
                        vec![(left, top), (left, bottom)],
                    ),
                    (
                        other(column + 1 < columns, row, column + 1),
                        vec![(right, top), (right, bottom)],
                    ),
                ];
                for (_, edge) in edges.into_iter().filter(|(inner, _)| !inner) {
                    picture.line(edge, ACCENT, 5.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use crate::run::summary::Estimate;
    use crate::run::verdict::Verdict;

    #[test]
    fn each_cell_says_in_a_word_what_rules_it_out() {
        let mut cell = sample::one().cells[0].clone();
        let errors = cell
            .metrics
            .iter_mut()
            .find(|metric| metric.name == name::ERROR_RATIO)
            .unwrap();
        errors.estimate = Estimate::exact(0.0);
        let summary = sample::no_cells();
        assert_eq!(ruled_out(&summary, &cell), None);
        let growing = r#"{"class":"growing","words":"it grows","per_second":8.6}"#;
        let growing: Verdict = serde_json::from_str(growing).unwrap();
        let loss = Loss {
            unavoidable: 0,
            metric: "m".into(),
            words: String::new(),
            lost: 3,
            of: 100,
        };
        let with = |verdicts: Vec<Verdict>, losses: Vec<Loss>| {
            let cell = Cell {
                verdicts,
                losses,
                ..cell.clone()
            };
            ruled_out(&summary, &cell)
        };
        let words = |word: &str, figure: &str| Some((word.to_owned(), figure.to_owned()));
        assert_eq!(with(vec![growing.clone()], Vec::new()), words("grows", "8.60/s"));
        assert_eq!(with(Vec::new(), vec![loss.clone()]), words("lost", "3.00 %"));
        assert_eq!(with(vec![growing], vec![loss]), words("both", "3.00 %"));
    }

    #[test]
    fn two_swept_parameters_have_a_map_and_one_has_none() {
        assert!(picture(&sample::words()).is_some());
        assert!(picture(&sample::sweep()).is_none());
    }
}
