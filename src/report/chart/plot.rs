//! Panels: lines with interval bands and whiskers, stacked areas, stacked bars, frames and legends, as shapes.

use super::axis::Axis;
use super::canvas::{Align, Colour, Dash, GREY, GRID, INK, Marker, Picture, Point, SOFT, Shape, fit, text_width};

/// Font size of ticks, labels and legends, in pixels.
const SMALL: f64 = 21.0;
/// Height of one row of the legend.
const LEGEND_ROW: f64 = 32.0;
/// What stands behind the lines while faults were active.
const FAULT: Colour = Colour::rgb(252, 236, 224);
/// Longest label of a legend entry.
const LEGEND_LABEL: f64 = 420.0;

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Rect {
    /// Splits it into a grid of cells with a gap between them, row by row.
    pub fn grid(self, rows: usize, columns: usize, gap: f64) -> Vec<Self> {
        let width = (self.right - self.left - gap * (columns as f64 - 1.0)) / columns as f64;
        let height = (self.bottom - self.top - gap * (rows as f64 - 1.0)) / rows as f64;
        let mut cells = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            for column in 0..columns {
                let left = self.left + (width + gap) * column as f64;
                let top = self.top + (height + gap) * row as f64;
                cells.push(Self {
                    left,
                    top,
                    right: left + width,
                    bottom: top + height,
                });
            }
        }
        cells
    }

    /// The part from `share` of the height downwards, and the part above it.
    pub fn split(self, share: f64, gap: f64) -> (Self, Self) {
        let middle = self.top + (self.bottom - self.top) * share;
        (
            Self {
                bottom: middle - gap / 2.0,
                ..self
            },
            Self {
                top: middle + gap / 2.0,
                ..self
            },
        )
    }
}

/// How a series looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Line and marker colour.
    pub colour: Colour,
    /// Interruption of the line.
    pub dash: Dash,
    /// Marks at the data points.
    pub marker: Option<Marker>,
}

/// A line, with the intervals of its points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub label: String,
    /// Colour, dash, marker.
    pub look: Look,
    /// Points by ascending x; a NaN interrupts the line.
    pub points: Vec<Point>,
    /// Lower and upper end of the interval of each point, in the order of the points; empty or NaN for none.
    pub intervals: Vec<(f64, f64)>,
    /// Draw the intervals as whiskers instead of a band.
    pub whiskers: bool,
    /// For stacked areas: the lower edge of the filled area at each point.
    pub base: Option<Vec<f64>>,
}

/// One coordinate system with its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Words above it, in bold; may be empty.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Lines and areas, drawn in order.
    pub series: Vec<Series>,
    /// Warm-up ends at this x; what is before is shaded.
    pub warmup_until: f64,
    /// Stretches of x that are shaded: faults were active.
    pub shaded: Vec<(f64, f64)>,
    /// Left margin shared with other panels, so that their axes line up; 0 for its own.
    pub least_left: f64,
}

/// One horizontal bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Name at its left.
    pub label: String,
    /// Lengths of its parts, in the order of the legend; negative and NaN parts are not drawn.
    pub parts: Vec<f64>,
    /// Words at its end.
    pub total: String,
    /// Interval of the whole bar, drawn as a whisker.
    pub interval: Option<(f64, f64)>,
}

/// Stacked horizontal bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// Words above them, in bold; may be empty.
    pub title: String,
    /// Axis of the lengths.
    pub x: Axis,
    /// Bars from top to bottom.
    pub bars: Vec<Bar>,
    /// Colour of each part.
    pub colours: Vec<Colour>,
}

/// Draws title and subtitle; returns what is left of the picture.
pub fn frame(picture: &mut Picture, title: &str, subtitle: &str) -> Rect {
    let title = &capitalised(title);
    let (width, height) = (f64::from(picture.width), f64::from(picture.height));
    picture.bold(
        (32.0, 40.0),
        fit(title, 34.0, (width - 64.0) * 0.9),
        34.0,
        INK,
        Align::Left,
    );
    picture.text(
        (32.0, 80.0),
        fit(subtitle, SMALL, width - 64.0),
        SMALL,
        SOFT,
        Align::Left,
    );
    Rect {
        left: 24.0,
        top: 116.0,
        right: width - 28.0,
        bottom: height - 20.0,
    }
}

/// With its first letter in upper case, unless the first word is a quantity such as `p99`.
fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) if !words.starts_with("p99") => first.to_uppercase().chain(letters).collect(),
        _ => words.into(),
    }
}

/// Left margin that a panel needs for its ticks and label.
pub fn left_margin(y: &Axis) -> f64 {
    let widest = y
        .ticks
        .iter()
        .map(|(_, text)| text_width(text, SMALL, false))
        .fold(0.0, f64::max);
    widest + 14.0 + if y.label.is_empty() { 0.0 } else { 40.0 }
}

/// Draws a panel into a rectangle, axes and labels included.
pub fn panel(picture: &mut Picture, rect: Rect, panel: &Panel) {
    let title = if panel.title.is_empty() { 8.0 } else { 44.0 };
    let inside = Rect {
        left: rect.left + left_margin(&panel.y).max(panel.least_left),
        top: rect.top + title,
        right: rect.right - right_margin(&panel.x),
        bottom: rect.bottom - if panel.x.label.is_empty() { 36.0 } else { 72.0 },
    };
    if !panel.title.is_empty() {
        let words = fit(&panel.title, 23.0, (rect.right - inside.left) * 0.9);
        picture.bold((inside.left, rect.top + 18.0), words, 23.0, INK, Align::Left);
    }
    warmup(picture, inside, panel);
    shade(picture, inside, panel);
    horizontal_axis(picture, inside, &panel.x, rect.bottom);
    vertical_axis(picture, inside, &panel.y, rect.left);
    let draw = Draw {
        inside,
        x: &panel.x,
        y: &panel.y,
    };
    for series in &panel.series {
        draw.intervals(picture, series);
    }
    for series in &panel.series {
        draw.series(picture, series);
    }
    picture.line(vec![(inside.left, inside.top), (inside.left, inside.bottom)], INK, 1.5);
    picture.line(
        vec![(inside.left, inside.bottom), (inside.right, inside.bottom)],
        INK,
        1.5,
    );
    if panel
        .series
        .iter()
        .all(|series| series.points.iter().all(|point| point.1.is_nan()))
    {
        let middle = (
            f64::midpoint(inside.left, inside.right),
            f64::midpoint(inside.top, inside.bottom),
        );
        picture.text(middle, "no data", SMALL, SOFT, Align::Middle);
    }
}

/// Room at the right, so that the last tick label is not clipped.
fn right_margin(x: &Axis) -> f64 {
    let overhang = x.ticks.last().map_or(0.0, |(at, text)| {
        let from_right = (1.0 - x.place(*at).unwrap_or(1.0)) * 400.0;
        (text_width(text, SMALL, false) / 2.0 - from_right).max(0.0)
    });
    overhang + 10.0
}

fn warmup(picture: &mut Picture, inside: Rect, panel: &Panel) {
    let Some(share) = panel
        .x
        .place(panel.warmup_until)
        .filter(|share| *share > 0.0 && panel.warmup_until > 0.0)
    else {
        return;
    };
    let right = inside.left + share * (inside.right - inside.left);
    picture.rect(
        (inside.left, inside.top),
        (right, inside.bottom),
        Colour::rgb(243, 243, 243),
    );
    if right - inside.left > text_width("warm-up", 17.0, false) + 12.0 {
        picture.text(
            (f64::midpoint(inside.left, right), inside.top + 14.0),
            "warm-up",
            17.0,
            SOFT,
            Align::Middle,
        );
    }
}

/// Shades when faults were active; one without a length is a line.
fn shade(picture: &mut Picture, inside: Rect, panel: &Panel) {
    let mut free_from = f64::NEG_INFINITY;
    for (begin, end) in &panel.shaded {
        let place = |x: f64| {
            panel
                .x
                .place(x)
                .map(|share| inside.left + share * (inside.right - inside.left))
        };
        let (Some(left), Some(right)) = (place(*begin), place(*end)) else {
            continue;
        };
        picture.rect((left, inside.top), (right.max(left + 1.5), inside.bottom), FAULT);
        let (middle, half) = (f64::midpoint(left, right), text_width("fault", 17.0, false) / 2.0);
        let fits = middle - half > free_from.max(inside.left) && middle + half < inside.right;
        if fits && *begin > panel.warmup_until {
            picture.text((middle, inside.top + 14.0), "fault", 17.0, SOFT, Align::Middle);
            free_from = middle + half + 6.0;
        }
    }
}

/// Draws ticks with their grid lines and the axis' words; leaves out labels that would touch the one before.
fn horizontal_axis(picture: &mut Picture, inside: Rect, axis: &Axis, bottom: f64) {
    let mut free_from = f64::NEG_INFINITY;
    for (at, text) in &axis.ticks {
        let Some(share) = axis.place(*at) else { continue };
        let x = inside.left + share * (inside.right - inside.left);
        picture.line(vec![(x, inside.top), (x, inside.bottom)], GRID, 1.0);
        let half = text_width(text, SMALL, false) / 2.0;
        if x - half > free_from {
            picture.line(vec![(x, inside.bottom), (x, inside.bottom + 6.0)], INK, 1.5);
            picture.text((x, inside.bottom + 22.0), text.as_str(), SMALL, INK, Align::Middle);
            free_from = x + half + 14.0;
        }
    }
    if !axis.label.is_empty() {
        let middle = (f64::midpoint(inside.left, inside.right), bottom - 18.0);
        picture.text(
            middle,
            fit(&axis.label, SMALL, inside.right - inside.left),
            SMALL,
            SOFT,
            Align::Middle,
        );
    }
}

fn vertical_axis(picture: &mut Picture, inside: Rect, axis: &Axis, left: f64) {
    let mut free_below = f64::INFINITY;
    for (at, text) in &axis.ticks {
        let Some(share) = axis.place(*at) else { continue };
        let y = inside.bottom - share * (inside.bottom - inside.top);
        picture.line(vec![(inside.left, y), (inside.right, y)], GRID, 1.0);
        if y + SMALL / 2.0 <= free_below {
            picture.text((inside.left - 10.0, y), text.as_str(), SMALL, INK, Align::Right);
            free_below = y - SMALL / 2.0;
        }
    }
    if !axis.label.is_empty() {
        let middle = (left + 14.0, f64::midpoint(inside.top, inside.bottom));
        picture.upright(middle, fit(&axis.label, SMALL, inside.bottom - inside.top), SMALL, SOFT);
    }
}

/// A coordinate system in pixels.
struct Draw<'a> {
    inside: Rect,
    x: &'a Axis,
    y: &'a Axis,
}

impl Draw<'_> {
    fn pixel(&self, (x, y): Point) -> Option<Point> {
        let (across, up) = (self.x.place(x)?, self.y.place(y)?);
        let inside = self.inside;
        Some((
            inside.left + across * (inside.right - inside.left),
            inside.bottom - up * (inside.bottom - inside.top),
        ))
    }

    fn intervals(&self, picture: &mut Picture, series: &Series) {
        if series.whiskers {
            for (&(x, _), &(low, high)) in series.points.iter().zip(&series.intervals) {
                let (Some(from), Some(to)) = (self.pixel((x, low)), self.pixel((x, high))) else {
                    continue;
                };
                if from.1 - to.1 >= 2.0 {
                    picture.line(vec![from, to], series.look.colour, 2.0);
                    for end in [from, to] {
                        picture.line(
                            vec![(end.0 - 7.0, end.1), (end.0 + 7.0, end.1)],
                            series.look.colour,
                            2.0,
                        );
                    }
                }
            }
            return;
        }
        let edges: Vec<Option<(Point, Point)>> = series
            .points
            .iter()
            .zip(&series.intervals)
            .map(|(&(x, _), &(low, high))| self.pixel((x, low)).zip(self.pixel((x, high))))
            .collect();
        for run in edges.split(Option::is_none).filter(|run| run.len() > 1) {
            let lower = run.iter().flatten().map(|(low, _)| *low);
            let upper = run.iter().flatten().map(|(_, high)| *high).rev();
            picture.shapes.push(Shape::Area {
                points: lower.chain(upper).collect(),
                colour: series.look.colour.alpha(0.16),
            });
        }
    }

    fn series(&self, picture: &mut Picture, series: &Series) {
        if let Some(base) = &series.base {
            self.area(picture, series, base);
            return;
        }
        let pixels: Vec<Option<Point>> = series.points.iter().map(|point| self.pixel(*point)).collect();
        for run in pixels.split(Option::is_none).filter(|run| !run.is_empty()) {
            let points: Vec<Point> = run.iter().flatten().copied().collect();
            if points.len() == 1 && series.look.marker.is_none() {
                // A line of one point would be invisible.
                picture.shapes.push(Shape::Mark {
                    at: points[0],
                    marker: Marker::Circle,
                    colour: series.look.colour,
                });
                continue;
            }
            picture.shapes.push(Shape::Line {
                points: points.clone(),
                colour: series.look.colour,
                width: 3.0,
                dash: series.look.dash,
            });
            if let Some(marker) = series.look.marker {
                let colour = series.look.colour;
                picture
                    .shapes
                    .extend(points.into_iter().map(|at| Shape::Mark { at, marker, colour }));
            }
        }
    }

    fn area(&self, picture: &mut Picture, series: &Series, base: &[f64]) {
        let upper = series.points.iter().filter_map(|point| self.pixel(*point));
        let lower = series
            .points
            .iter()
            .zip(base)
            .filter_map(|(point, base)| self.pixel((point.0, *base)));
        let mut points: Vec<Point> = upper.collect();
        if points.len() == 1 {
            // One window: a bar over the whole width.
            let base = base.first().and_then(|base| self.pixel((series.points[0].0, *base)));
            let bottom = base.map_or(self.inside.bottom, |point| point.1);
            let (left, right) = (self.inside.left, self.inside.right);
            picture.rect((left, points[0].1), (right, bottom), series.look.colour);
            return;
        }
        points.extend(lower.collect::<Vec<_>>().into_iter().rev());
        if points.len() > 2 {
            picture.shapes.push(Shape::Area {
                points,
                colour: series.look.colour,
            });
        }
    }
}

/// Draws stacked horizontal bars into a rectangle.
pub fn bars(picture: &mut Picture, rect: Rect, bars: &Bars) {
    let labels = bars
        .bars
        .iter()
        .map(|bar| text_width(&bar.label, SMALL, false))
        .fold(0.0, f64::max);
    let totals = bars
        .bars
        .iter()
        .map(|bar| text_width(&bar.total, SMALL, true))
        .fold(0.0, f64::max);
    let room = (rect.right - rect.left) * 0.3;
    let title = if bars.title.is_empty() { 8.0 } else { 44.0 };
    let inside = Rect {
        left: rect.left + labels.min(room) + 20.0,
        top: rect.top + title,
        right: rect.right - totals - 24.0,
        bottom: rect.bottom - if bars.x.label.is_empty() { 36.0 } else { 72.0 },
    };
    if !bars.title.is_empty() {
        let words = fit(&bars.title, 23.0, (rect.right - inside.left) * 0.9);
        picture.bold((inside.left, rect.top + 18.0), words, 23.0, INK, Align::Left);
    }
    horizontal_axis(picture, inside, &bars.x, rect.bottom);
    let slot = (inside.bottom - inside.top) / bars.bars.len().max(1) as f64;
    let thickness = (slot * 0.62).min(64.0);
    for (index, bar) in bars.bars.iter().enumerate() {
        let middle = inside.top + slot * (index as f64 + 0.5);
        one_bar(picture, inside, bars, bar, middle, thickness);
        picture.text(
            (inside.left - 12.0, middle),
            fit(&bar.label, SMALL, room),
            SMALL,
            INK,
            Align::Right,
        );
    }
    picture.line(vec![(inside.left, inside.top), (inside.left, inside.bottom)], INK, 1.5);
}

fn one_bar(picture: &mut Picture, inside: Rect, bars: &Bars, bar: &Bar, middle: f64, thickness: f64) {
    let across = |value: f64| inside.left + bars.x.place(value).unwrap_or(0.0) * (inside.right - inside.left);
    let (top, bottom) = (middle - thickness / 2.0, middle + thickness / 2.0);
    let mut sum = 0.0;
    for (part, colour) in bar.parts.iter().zip(&bars.colours).filter(|(part, _)| **part > 0.0) {
        let (left, right) = (across(sum), across(sum + part));
        sum += part;
        if right - left >= 0.5 {
            picture.rect((left, top), (right, bottom), *colour);
            // A thin white edge keeps neighbouring parts apart for those who cannot tell their colours.
            picture.line(vec![(right, top), (right, bottom)], Colour::rgb(255, 255, 255), 1.5);
        }
    }
    let mut end = across(sum);
    if let Some((low, high)) = bar.interval.filter(|(low, high)| across(*high) - across(*low) >= 3.0) {
        let (low, high) = (across(low), across(high));
        picture.line(vec![(low, middle), (high, middle)], INK, 2.0);
        for x in [low, high] {
            picture.line(vec![(x, middle - 8.0), (x, middle + 8.0)], INK, 2.0);
        }
        end = end.max(high);
    }
    picture.bold((end + 12.0, middle), bar.total.as_str(), SMALL, INK, Align::Left);
}

/// An entry of a legend: words, and the look of a line or the colour of an area.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The words.
    pub label: String,
    /// A line's look.
    pub look: Look,
    /// Drawn as a filled square.
    pub filled: bool,
}

impl Entry {
    /// The entry of a filled part.
    pub fn filled(label: impl Into<String>, colour: Colour) -> Self {
        Self {
            label: label.into(),
            look: Look {
                colour,
                dash: Dash::Solid,
                marker: None,
            },
            filled: true,
        }
    }

    /// The entry of a series.
    pub fn of(series: &Series) -> Self {
        Self {
            label: series.label.clone(),
            look: series.look,
            filled: series.base.is_some(),
        }
    }
}

/// Draws the legend along the bottom of a rectangle, where it cannot cover data; returns the rectangle above it.
/// Nothing is drawn for fewer than two entries.
pub fn legend(picture: &mut Picture, rect: Rect, entries: &[Entry]) -> Rect {
    if entries.len() < 2 {
        return rect;
    }
    let labels: Vec<String> = entries
        .iter()
        .map(|entry| fit(&entry.label, SMALL, LEGEND_LABEL))
        .collect();
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    let mut used = 0.0;
    let widths: Vec<f64> = labels
        .iter()
        .zip(entries)
        .map(|(label, entry)| swatch_width(entry) + 10.0 + text_width(label, SMALL, false) + 36.0)
        .collect();
    for (index, width) in widths.iter().enumerate() {
        if used + width > rect.right - rect.left && used > 0.0 {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += width;
        rows.last_mut().expect("rows starts with one row").push(index);
    }
    let height = LEGEND_ROW * rows.len() as f64;
    for (row, members) in rows.iter().enumerate() {
        let total: f64 = members.iter().map(|index| widths[*index]).sum();
        let mut x = f64::midpoint(rect.left, rect.right) - total / 2.0;
        let y = rect.bottom - height + LEGEND_ROW * (row as f64 + 0.5);
        for index in members {
            swatch(picture, (x, y), &entries[*index]);
            picture.text(
                (x + swatch_width(&entries[*index]) + 10.0, y),
                labels[*index].as_str(),
                SMALL,
                INK,
                Align::Left,
            );
            x += widths[*index];
        }
    }
    Rect {
        bottom: rect.bottom - height - 10.0,
        ..rect
    }
}

fn swatch_width(entry: &Entry) -> f64 {
    if entry.filled { 22.0 } else { 42.0 }
}

fn swatch(picture: &mut Picture, (x, y): Point, entry: &Entry) {
    let Look { colour, dash, marker } = entry.look;
    if entry.filled {
        picture.rect((x, y - 9.0), (x + swatch_width(entry), y + 9.0), colour);
        return;
    }
    picture.shapes.push(Shape::Line {
        points: vec![(x, y), (x + 42.0, y)],
        colour,
        width: 3.0,
        dash,
    });
    if let Some(marker) = marker {
        picture.shapes.push(Shape::Mark {
            at: (x + 21.0, y),
            marker,
            colour,
        });
    }
}

/// The colour of the part with that index in a stack of `count` named parts.
pub fn stack_colour(index: usize, other: bool) -> Colour {
    if other {
        GREY
    } else {
        super::canvas::PALETTE[index % super::canvas::PALETTE.len()]
    }
}
