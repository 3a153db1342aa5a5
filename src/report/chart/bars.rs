//! Horizontal bars: stacked by colour, with the value at their end and a remark below it; and their key.

use super::axis::Axis;
use super::canvas::{Align, Colour, Picture, Point, Shape, text_width};
use super::panel::{Head, horizontal_axis};
use super::sheet::Rect;
use super::style::{AXIS, GRID, INK, LINE, SMALL, SOFT, TEXT, WHITE, on, readable};
use super::text::wrap;

/// One horizontal bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Name at its left.
    pub label: String,
    /// Colour of the name.
    pub colour: Colour,
    /// Length and colour of its parts; negative and NaN parts are not drawn.
    pub parts: Vec<(f64, Colour)>,
    /// Words in each part that has room for them; may be shorter.
    pub words: Vec<String>,
    /// Hatched: not what it would be.
    pub hatched: bool,
    /// Words at its end.
    pub total: String,
    /// Words beside or below those, in small; may be empty.
    pub remark: String,
    /// Interval of the whole bar, drawn as a whisker.
    pub interval: Option<(f64, f64)>,
}

/// Stacked horizontal bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// Words above them.
    pub head: Head,
    /// Axis of the lengths.
    pub x: Axis,
    /// Bars from top to bottom.
    pub bars: Vec<Bar>,
    /// What the colours mean.
    pub key: Vec<(String, Colour)>,
    /// Left margin that it shares with others; 0 for its own.
    pub left: f64,
}

/// The widest label before it wraps.
const LABEL: f64 = 400.0;

impl Bars {
    /// How high the bars are, each with the room around it.
    fn slot(&self) -> f64 {
        let remarks = self.bars.iter().any(|bar| !bar.remark.is_empty());
        let least = if self.bars.len() > 8 {
            38.0
        } else if remarks {
            76.0
        } else {
            62.0
        };
        let lines = |bar: &Bar| wrap(&bar.label, TEXT, true, LABEL).len();
        let most = self.bars.iter().map(lines).max().unwrap_or(1);
        (LINE * most as f64 + 8.0).max(least)
    }

    /// How much room they want in that width.
    pub fn height(&self, width: f64) -> f64 {
        let key = key_height(&self.key, width);
        let notes = if text_width(&self.head.note, SMALL, false) > width * 0.5 {
            34.0
        } else {
            0.0
        };
        44.0 + notes + key + self.slot() * self.bars.len() as f64 + if self.x.label.is_empty() { 48.0 } else { 80.0 }
    }

    /// Draws them into a rectangle.
    pub fn draw(&self, picture: &mut Picture, rect: Rect) {
        let head = self.head.draw(picture, rect);
        let labels = self.bars.iter().flat_map(|bar| wrap(&bar.label, TEXT, true, LABEL));
        let labels = labels.map(|label| text_width(&label, TEXT, true)).fold(0.0, f64::max);
        let beside = self.bars.len() > 8;
        let ends = self.bars.iter().map(|bar| {
            let (total, remark) = (
                text_width(&bar.total, TEXT, true),
                text_width(&bar.remark, SMALL, false),
            );
            let remark = if bar.remark.is_empty() { 0.0 } else { remark };
            if beside {
                total + 14.0 + remark
            } else {
                total.max(remark)
            }
        });
        let ends = ends.fold(0.0, f64::max).min(rect.width() * 0.45);
        let inside = Rect {
            left: rect.left + (labels + 18.0).max(self.left),
            top: rect.top + head + key_height(&self.key, rect.width()),
            right: rect.right - ends - 24.0,
            bottom: rect.bottom - if self.x.label.is_empty() { 38.0 } else { 70.0 },
        };
        let at = Rect {
            left: inside.left,
            top: rect.top + head,
            ..rect
        };
        key(picture, at, &self.key);
        for (at, _) in &self.x.ticks {
            let Some(share) = self.x.within(*at).filter(|share| *share > 0.0) else {
                continue;
            };
            let x = inside.left + share * inside.width();
            picture.line(vec![(x, inside.top), (x, inside.bottom)], GRID, 1.5);
        }
        horizontal_axis(picture, inside, &self.x);
        let slot = inside.height() / self.bars.len().max(1) as f64;
        let thickness = (slot * 0.64).min(52.0);
        for (index, bar) in self.bars.iter().enumerate() {
            let middle = inside.top + slot * (index as f64 + 0.5);
            self.one(picture, inside, bar, (middle, thickness), beside);
            let lines = wrap(&bar.label, TEXT, true, LABEL);
            let mut y = middle - LINE * (lines.len() as f64 - 1.0) / 2.0;
            for line in lines {
                picture.bold((inside.left - 14.0, y), line, TEXT, readable(bar.colour), Align::Right);
                y += LINE;
            }
        }
        let (top, bottom) = ((inside.left, inside.top), (inside.left, inside.bottom));
        picture.line(vec![top, bottom, (inside.right, inside.bottom)], AXIS, 2.0);
    }

    fn one(&self, picture: &mut Picture, inside: Rect, bar: &Bar, (middle, thickness): (f64, f64), beside: bool) {
        let across = |value: f64| inside.left + self.x.place(value).unwrap_or(0.0) * inside.width();
        let (top, bottom) = (middle - thickness / 2.0, middle + thickness / 2.0);
        let mut sum = 0.0;
        for (index, &(part, colour)) in bar.parts.iter().enumerate().filter(|(_, part)| part.0 > 0.0) {
            let (left, right) = (across(sum), across(sum + part));
            sum += part;
            if right - left < 0.5 {
                continue;
            }
            if bar.hatched {
                hatch(picture, (left, top), (right, bottom), colour);
                continue;
            }
            picture.rect((left, top), (right, bottom), colour);
            // A thin white edge keeps neighbouring parts apart for those who cannot tell their colours.
            picture.line(vec![(right, top), (right, bottom)], WHITE, 2.0);
            let words = bar.words.get(index).map_or("", String::as_str);
            if text_width(words, SMALL, false) + 16.0 <= right - left && thickness >= SMALL + 4.0 {
                let at = (f64::midpoint(left, right), middle);
                picture.text(at, words, SMALL, on(colour), Align::Middle);
            }
        }
        let mut end = across(sum);
        if let Some((low, high)) = bar.interval.filter(|(low, high)| across(*high) - across(*low) >= 3.0) {
            let (low, high) = (across(low.max(self.x.low)), across(high));
            picture.line(vec![(low, middle), (high, middle)], INK, 2.0);
            for x in [low, high] {
                picture.line(vec![(x, middle - 8.0), (x, middle + 8.0)], INK, 2.0);
            }
            end = end.max(high);
        }
        let (x, bold) = (end + 12.0, text_width(&bar.total, TEXT, true));
        if bar.remark.is_empty() || beside {
            picture.bold((x, middle), bar.total.as_str(), TEXT, INK, Align::Left);
            if !bar.remark.is_empty() {
                picture.text((x + bold + 14.0, middle), bar.remark.as_str(), SMALL, SOFT, Align::Left);
            }
        } else if bar.total.is_empty() {
            picture.text((x, middle), bar.remark.as_str(), SMALL, SOFT, Align::Left);
        } else {
            picture.bold((x, middle - 14.0), bar.total.as_str(), TEXT, INK, Align::Left);
            picture.text((x, middle + 15.0), bar.remark.as_str(), SMALL, SOFT, Align::Left);
        }
    }
}

/// Fills a rectangle with slanted lines and draws its edge.
pub fn hatch(picture: &mut Picture, from: Point, to: Point, colour: Colour) {
    let (width, height) = (to.0 - from.0, to.1 - from.1);
    picture.rect(from, to, WHITE);
    let mut begin = -height;
    while begin < width {
        // A line that rises from the lower edge, cut at the sides.
        let low = (from.0 + begin.max(0.0), to.1 - (-begin).max(0.0));
        let reach = (begin + height).min(width);
        let high = (from.0 + reach, to.1 - (reach - begin));
        if high.0 - low.0 > 1.0 {
            picture.line(vec![low, high], colour, 2.0);
        }
        begin += 14.0;
    }
    let corners = vec![from, (to.0, from.1), to, (from.0, to.1), from];
    picture.line(corners, colour, 2.0);
}

/// The rows of a key in that width, each with its entries.
fn rows(key: &[(String, Colour)], width: f64) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = Vec::new();
    let mut used = f64::INFINITY;
    for (index, (words, _)) in key.iter().enumerate() {
        let wide = entry_width(words);
        if used + wide > width * 0.8 {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += wide;
        if let Some(row) = rows.last_mut() {
            row.push(index);
        }
    }
    rows
}

fn entry_width(words: &str) -> f64 {
    22.0 + 10.0 + text_width(words, SMALL, false) + 34.0
}

/// How much room a key takes.
pub fn key_height(key: &[(String, Colour)], width: f64) -> f64 {
    let rows = rows(key, width).len();
    if rows == 0 { 0.0 } else { 32.0 * rows as f64 + 8.0 }
}

/// Draws what colours mean, from the top left corner of a rectangle on.
pub fn key(picture: &mut Picture, rect: Rect, key: &[(String, Colour)]) {
    let mut y = rect.top + 14.0;
    for row in rows(key, rect.width()) {
        let mut x = rect.left;
        for index in row {
            let (words, colour) = &key[index];
            picture.shapes.push(Shape::Rect {
                from: (x, y - 11.0),
                to: (x + 22.0, y + 11.0),
                colour: *colour,
            });
            picture.text((x + 32.0, y), words.as_str(), SMALL, INK, Align::Left);
            x += entry_width(words);
        }
        y += 32.0;
    }
}
