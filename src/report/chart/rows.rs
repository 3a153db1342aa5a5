//! More variants than colours: one row each, sorted by the answer, with the median and the slowest hundredth as dots,
//! and the bill beside them.

use super::axis::Axis;
use super::canvas::{Align, Marker, Picture, Shape, text_width};
use super::panel::{Head, horizontal_axis};
use super::sheet::Rect;
use super::style::{AXIS, FAILED, GRID, INK, SMALL, SOFT, TEXT, VARIANTS, WHITE};
use super::text::wrap;
use super::{Focus, bill};
use crate::report::format;
use crate::report::verdicts;
use crate::run::summary::{Cell, Estimate, Unit, name};

/// What the picture needs to say at its foot.
pub const NOTE: &str = "Open dot: median; full dot: the slowest 1 %. Sorted by the slowest 1 %.";

/// One row.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    label: String,
    median: f64,
    slow: f64,
    interval: Option<(f64, f64)>,
    failed: f64,
    bill: Option<f64>,
    /// What the bill says in words.
    money: String,
}

/// Rows with their axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    each: Vec<Row>,
    latency: Axis,
    bill: Option<Axis>,
}

/// Height of a row.
const ROW: f64 = 44.0;

/// The rows of all cells of a focus; none if nobody has a latency.
pub fn rows(focus: &Focus) -> Option<Rows> {
    let mean = |cell: &Cell, metric: &str| cell.metric(metric).map_or(f64::NAN, |metric| metric.estimate.mean);
    let mut rows: Vec<Row> = focus
        .cells
        .iter()
        .map(|(label, cell)| {
            let whole = bill::has_bill(cell) && verdicts::has_whole_bill(cell);
            let money = if bill::has_bill(cell) {
                verdicts::bill(cell, format::money_short(&cell.bill.total)).0
            } else {
                "no bill".to_owned()
            };
            let slow = cell.metric(name::LATENCY_P99);
            Row {
                label: label.clone(),
                median: mean(cell, name::LATENCY_P50),
                slow: mean(cell, name::LATENCY_P99),
                interval: slow.and_then(|metric| Estimate::drawn_interval(&metric.estimate)),
                failed: mean(cell, name::ERROR_RATIO),
                bill: Some(cell.bill.total.mean).filter(|bill| whole && *bill > 0.0),
                money,
            }
        })
        .collect();
    rows.sort_by(|a, b| a.slow.total_cmp(&b.slow));
    let values: Vec<f64> = rows
        .iter()
        .flat_map(|row| [row.median, row.slow])
        .filter(|v| v.is_finite())
        .collect();
    if values.is_empty() {
        return None;
    }
    let bills: Vec<f64> = rows.iter().filter_map(|row| row.bill).collect();
    let bill = (!bills.is_empty()).then(|| Axis::suited("", Unit::Dollars, &bills));
    Some(Rows {
        latency: Axis::suited("", Unit::Seconds, &values),
        bill,
        each: rows,
    })
}

impl Rows {
    /// How much room they want.
    pub fn height(&self) -> f64 {
        48.0 + ROW * self.each.len() as f64 + 46.0
    }

    /// Draws them.
    pub fn draw(&self, picture: &mut Picture, rect: Rect) {
        let labels = self
            .each
            .iter()
            .map(|row| text_width(&row.label, TEXT, true))
            .fold(0.0, f64::max)
            .min(420.0);
        let left = rect.left + labels + 24.0;
        let middle = left + (rect.right - left) * 0.64;
        let one = Rect {
            left,
            right: middle - 120.0,
            ..rect
        };
        let two = Rect {
            left: middle + 20.0,
            right: rect.right - 120.0,
            ..rect
        };
        let scale = |axis: &Axis| if axis.is_log() { "log scale   " } else { "" };
        let words = format!("{}({}, {})", scale(&self.latency), name::LATENCY_P50, name::LATENCY_P99);
        let height = Head::new("Median to slowest 1 %", words).draw(
            picture,
            Rect {
                right: middle - 10.0,
                ..one
            },
        );
        if let Some(axis) = &self.bill {
            let note = scale(axis).trim_end();
            Head::new("Bill of a month", note).draw(
                picture,
                Rect {
                    right: rect.right,
                    ..two
                },
            );
        }
        let inside = |rect: Rect| Rect {
            top: rect.top + height,
            bottom: rect.bottom - 38.0,
            ..rect
        };
        let (one, two) = (inside(one), inside(two));
        grid(picture, one, &self.latency);
        if let Some(axis) = &self.bill {
            grid(picture, two, axis);
        }
        let slot = one.height() / self.each.len() as f64;
        for (index, row) in self.each.iter().enumerate() {
            let y = one.top + slot * (index as f64 + 0.5);
            self.latency_of(picture, one, row, y);
            self.bill_of(picture, two, row, y);
        }
    }

    fn latency_of(&self, picture: &mut Picture, inside: Rect, row: &Row, y: f64) {
        let colour = if row.failed >= 1e-4 { FAILED } else { VARIANTS[0] };
        let lines = wrap(&row.label, TEXT, true, 420.0);
        let label = lines.first().cloned().unwrap_or_default();
        let label = if lines.len() > 1 { lines.concat() } else { label };
        picture.bold((inside.left - 16.0, y), label, TEXT, INK, Align::Right);
        let across = |value: f64| {
            self.latency
                .place(value)
                .map(|share| inside.left + share * inside.width())
        };
        let Some(slow) = across(row.slow) else {
            picture.text((inside.left + 12.0, y), "no answer", SMALL, SOFT, Align::Left);
            return;
        };
        if let Some(median) = across(row.median) {
            picture.line(vec![(median, y), (slow, y)], colour.mixed(WHITE, 0.4), 5.0);
            picture.shapes.push(Shape::Mark {
                at: (median, y),
                marker: Marker::Ring,
                colour,
            });
        }
        if let Some((low, high)) = row.interval
            && let (Some(low), Some(high)) = (across(low), across(high))
        {
            picture.line(vec![(low, y), (high, y)], INK, 3.0);
        }
        picture.shapes.push(Shape::Mark {
            at: (slow, y),
            marker: Marker::Circle,
            colour,
        });
        let failed = if row.failed >= 1e-4 {
            format!(", {} fail", format::value(Unit::Ratio, row.failed))
        } else {
            String::new()
        };
        let words = format!("{}{failed}", self.latency.say(row.slow));
        beside(picture, (slow, y), &words, inside.right + 118.0);
    }

    fn bill_of(&self, picture: &mut Picture, inside: Rect, row: &Row, y: f64) {
        let Some((axis, bill)) = self.bill.as_ref().zip(row.bill) else {
            picture.text((inside.left + 8.0, y), row.money.as_str(), SMALL, SOFT, Align::Left);
            return;
        };
        let x = inside.left + axis.place(bill).unwrap_or(0.0) * inside.width();
        let colour = VARIANTS[0];
        picture.shapes.push(Shape::Mark {
            at: (x, y),
            marker: Marker::Circle,
            colour,
        });
        beside(picture, (x, y), &row.money, inside.right + 118.0);
    }
}

/// Words to the right of a dot if they fit, else to its left.
fn beside(picture: &mut Picture, (x, y): (f64, f64), words: &str, right: f64) {
    let width = text_width(words, SMALL, false) + 8.0;
    let fits = x + 16.0 + width <= right;
    let (at, align) = if fits {
        (x + 16.0, Align::Left)
    } else {
        (x - 16.0, Align::Right)
    };
    let from = if fits { at - 4.0 } else { at - width + 4.0 };
    picture.rect((from, y - 12.0), (from + width, y + 12.0), WHITE.alpha(0.8));
    picture.text((at, y), words, SMALL, INK, align);
}

fn grid(picture: &mut Picture, inside: Rect, axis: &Axis) {
    for (at, _) in &axis.ticks {
        let Some(share) = axis.within(*at) else { continue };
        let x = inside.left + share * inside.width();
        picture.line(vec![(x, inside.top), (x, inside.bottom)], GRID, 1.5);
    }
    horizontal_axis(picture, inside, axis);
    picture.line(
        vec![(inside.left, inside.bottom), (inside.right, inside.bottom)],
        AXIS,
        2.0,
    );
}

#[cfg(test)]
mod tests {
    use super::super::focus;
    use super::*;
    use crate::report::sample;

    #[test]
    fn rows_are_sorted_by_the_slowest_and_what_has_no_bill_says_so() {
        let mut summary = sample::many();
        summary.cells[3].bill.lines.clear();
        let rows = rows(&focus(&summary)).unwrap();
        assert!(rows.each.is_sorted_by(|a, b| a.slow <= b.slow));
        let without = rows.each.iter().find(|row| row.label == "variant 3").unwrap();
        assert_eq!((without.bill, without.money.as_str()), (None, "no bill"));
    }
}
