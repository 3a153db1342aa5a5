//! A coordinate system with its lines: steps over windows, lines along a sweep, stacked areas.

use super::axis::Axis;
use super::braid;
use super::canvas::{Align, Colour, Dash, Marker, Picture, Point, Shape, text_width};
use super::labels::{self, Label, Taken};
use super::marks::{self, Mark};
use super::sheet::Rect;
use super::style::{AXIS, GRID, HEAD, INK, SMALL, SOFT, STROKE, TEXT, readable};
use super::text::wrap;

/// The widest name of a label before it wraps.
const LABEL: f64 = 300.0;

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

impl Look {
    /// An uninterrupted line without marks.
    pub fn line(colour: Colour) -> Self {
        Self {
            colour,
            dash: Dash::Solid,
            marker: None,
        }
    }
}

/// A line, with the intervals of its points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name.
    pub label: String,
    /// What is to be said of it beside its name, such as `growing`; may be empty.
    pub remark: String,
    /// Colour, dash, marker.
    pub look: Look,
    /// Points by ascending x; a NaN interrupts the line.
    pub points: Vec<Point>,
    /// Lower and upper end of the interval of each point, in the order of the points; empty or NaN for none.
    pub intervals: Vec<(f64, f64)>,
    /// For stacked areas: the lower edge of the filled area at each point.
    pub base: Option<Vec<f64>>,
    /// Half the width of the window of each point; 0 for points that a line joins.
    pub half: f64,
}

/// Words above a panel: what it shows, and in small its scale and the metric's name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// What it shows; may be empty.
    pub words: String,
    /// Scale and metric.
    pub note: String,
}

impl Head {
    /// A head of these words.
    pub fn new(words: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            note: note.into(),
        }
    }

    /// Draws it; returns its height.
    pub fn draw(&self, picture: &mut Picture, rect: Rect) -> f64 {
        if self.words.is_empty() && self.note.is_empty() {
            return 10.0;
        }
        let mut y = rect.top + 16.0;
        let lines = wrap(&self.words, HEAD, true, rect.width());
        let end = lines.last().map_or(0.0, |line| text_width(line, HEAD, true) + 18.0);
        for (index, line) in lines.iter().enumerate() {
            y = rect.top + 16.0 + 34.0 * index as f64;
            picture.bold((rect.left, y), line.as_str(), HEAD, INK, Align::Left);
        }
        if !self.note.is_empty() {
            let beside = end + text_width(&self.note, SMALL, false) <= rect.width();
            let notes = if beside {
                vec![self.note.clone()]
            } else {
                y += 32.0;
                wrap(&self.note, SMALL, false, rect.width())
            };
            for (index, line) in notes.into_iter().enumerate() {
                y += if index > 0 { 28.0 } else { 0.0 };
                let x = rect.left + if beside { end } else { 0.0 };
                picture.text((x, y), line, SMALL, SOFT, Align::Left);
            }
        }
        y + 26.0 - rect.top
    }
}

/// One coordinate system with its series.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Words above it.
    pub head: Head,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Lines and areas, drawn in order.
    pub series: Vec<Series>,
    /// Warm-up ends at this x.
    pub warmup_until: f64,
    /// What happened.
    pub marks: Vec<Mark>,
    /// Whether marks and warm-up are named: in the uppermost panel of those that share an axis.
    pub names: bool,
    /// Whether lines have labels at their ends.
    pub labels: bool,
    /// Left margin that it shares with others; 0 for its own.
    pub left: f64,
    /// Right margin that it shares with others; 0 for its own.
    pub right: f64,
}

impl Panel {
    /// A panel of these series.
    pub fn new(head: Head, x: Axis, y: Axis, series: Vec<Series>) -> Self {
        Self {
            head,
            x,
            y,
            series,
            warmup_until: 0.0,
            marks: Vec::new(),
            names: true,
            labels: true,
            left: 0.0,
            right: 0.0,
        }
    }

    /// The left margin that its ticks need.
    pub fn left_margin(&self) -> f64 {
        let ticks = self.y.ticks.iter().map(|(_, text)| text_width(text, SMALL, false));
        ticks.fold(0.0, f64::max) + 16.0
    }

    /// The right margin that its labels and its last tick need.
    pub fn right_margin(&self) -> f64 {
        let overhang = self.x.ticks.last().map_or(0.0, |(at, text)| {
            let from_right = (1.0 - self.x.place(*at).unwrap_or(1.0)) * 400.0;
            (text_width(text, SMALL, false) / 2.0 - from_right).max(0.0)
        });
        let labels = if self.labels {
            let all: Vec<Label> = self
                .series
                .iter()
                .map(|series| label(&[series], &self.y, 0.0))
                .collect();
            labels::width(&all) + 18.0
        } else {
            0.0
        };
        overhang.max(labels) + 10.0
    }

    /// Draws it into a rectangle, axes and labels included.
    pub fn draw(&self, picture: &mut Picture, rect: Rect) {
        let top = rect.top + self.head.draw(picture, rect);
        let mut inside = Rect {
            left: rect.left + self.left_margin().max(self.left),
            top,
            right: rect.right - self.right_margin().max(self.right),
            bottom: rect.bottom - self.below(),
        };
        let marked = if self.names {
            marks::height(&self.marks, &self.x, inside.left, inside.right)
        } else {
            0.0
        };
        inside.top += marked;
        let warmup = marks::warmup(picture, self.warmup_until, &self.x, inside, self.names);
        marks::draw(picture, &self.marks, &self.x, inside, top);
        horizontal_axis(picture, inside, &self.x);
        vertical_axis(picture, inside, &self.y);
        let draw = Draw {
            inside,
            x: &self.x,
            y: &self.y,
        };
        for (index, series) in self.series.iter().enumerate() {
            draw.intervals(picture, series, &self.series[..index]);
        }
        draw.all(picture, &self.series);
        let (corner, end) = ((inside.left, inside.bottom), (inside.right, inside.bottom));
        picture.line(vec![corner, end], AXIS, 2.0);
        if self.labels {
            let labels = draw.labels(&self.series);
            labels::draw(picture, &labels, inside.right + 16.0, rect.top, inside.bottom + 12.0);
        }
        if self
            .series
            .iter()
            .all(|series| series.half > 0.0 && series.base.is_none())
        {
            let mut taken = Taken::default();
            if let Some(room) = warmup {
                taken.take(room);
            }
            draw.peaks(picture, &self.series, self.labels, taken);
        }
    }

    /// Room below the axis for its ticks and words.
    fn below(&self) -> f64 {
        let ticks = self.x.ticks.iter().any(|(_, text)| !text.is_empty());
        let words = !self.x.label.is_empty();
        let words = if words { 32.0 } else { 0.0 };
        if ticks { 38.0 + words } else { 8.0 + words }
    }
}

/// The label of lines that end in one place.
fn label(series: &[&Series], y: &Axis, at: f64) -> Label {
    let colour = |series: &Series| readable(series.look.colour);
    let last = |series: &Series| {
        series
            .points
            .iter()
            .rev()
            .find(|point| point.1.is_finite())
            .map(|p| p.1)
    };
    let mut lines: Vec<(String, Colour)> = Vec::new();
    let said: Vec<Option<String>> = series.iter().map(|one| last(one).map(|value| y.say(value))).collect();
    let together = said.len() > 1 && said.windows(2).all(|pair| pair[0] == pair[1]);
    for (one, value) in series.iter().zip(&said) {
        let value = value.as_ref().filter(|_| !together);
        let words: Vec<&str> = [one.label.as_str(), value.map_or("", String::as_str)]
            .into_iter()
            .filter(|words| !words.is_empty())
            .collect();
        let whole = words.join("  ");
        if text_width(&whole, TEXT, true) <= LABEL {
            lines.push((whole, colour(one)));
        } else {
            let parts = words.iter().flat_map(|words| wrap(words, TEXT, true, LABEL));
            lines.extend(parts.map(|part| (part, colour(one))));
        }
        if !one.remark.is_empty() {
            let parts = wrap(&one.remark, TEXT, true, LABEL);
            lines.extend(parts.into_iter().map(|part| (part, colour(one))));
        }
    }
    if let Some(value) = said.first().cloned().flatten().filter(|_| together) {
        let all = if series.len() == 2 {
            "both".to_owned()
        } else {
            format!("all {}", series.len())
        };
        lines.push((format!("{all}: {value}"), INK));
    }
    Label { at, lines }
}

/// Draws ticks and the axis' words; leaves out labels that would touch another one, but never that of the answer.
pub fn horizontal_axis(picture: &mut Picture, inside: Rect, axis: &Axis) {
    let mut taken: Vec<(f64, f64)> = Vec::new();
    let place = |at: f64| axis.place(at).map(|share| inside.left + share * inside.width());
    let is_answer = |at: f64| axis.answer.is_some_and(|answer| answer.total_cmp(&at).is_eq());
    let (first, rest): (Vec<_>, Vec<_>) = axis.ticks.iter().partition(|tick| is_answer(tick.0));
    for (at, text) in first.into_iter().chain(rest).filter(|tick| !tick.1.is_empty()) {
        let Some(x) = place(*at) else { continue };
        let half = text_width(text, SMALL, is_answer(*at)) / 2.0 + 7.0;
        if taken.iter().all(|(from, to)| x + half <= *from || x - half >= *to) {
            picture.line(vec![(x, inside.bottom), (x, inside.bottom + 6.0)], AXIS, 2.0);
            let below = (x, inside.bottom + 22.0);
            if is_answer(*at) {
                picture.bold(below, text.as_str(), SMALL, INK, Align::Middle);
            } else {
                picture.text(below, text.as_str(), SMALL, SOFT, Align::Middle);
            }
            taken.push((x - half, x + half));
        }
    }
    if !axis.label.is_empty() {
        let at = (inside.right, inside.bottom + 52.0);
        picture.bold(at, axis.label.as_str(), SMALL, INK, Align::Right);
    }
}

/// Draws the ticks of a vertical axis with their grid lines.
pub fn vertical_axis(picture: &mut Picture, inside: Rect, axis: &Axis) {
    let mut free_below = f64::INFINITY;
    for (at, text) in &axis.ticks {
        let Some(share) = axis.within(*at) else { continue };
        let y = inside.bottom - share * inside.height();
        if share > 0.0 {
            picture.line(vec![(inside.left, y), (inside.right, y)], GRID, 1.5);
        }
        if y + SMALL / 2.0 <= free_below {
            picture.text((inside.left - 12.0, y), text.as_str(), SMALL, SOFT, Align::Right);
            free_below = y - SMALL / 2.0;
        }
    }
}

/// A coordinate system in pixels.
pub struct Draw<'a> {
    /// Where the curves are.
    pub inside: Rect,
    /// Horizontal axis.
    pub x: &'a Axis,
    /// Vertical axis.
    pub y: &'a Axis,
}

impl Draw<'_> {
    /// Where a point is.
    pub fn pixel(&self, (x, y): Point) -> Option<Point> {
        let (across, up) = (self.x.place(x)?, self.y.place(y)?);
        let inside = self.inside;
        Some((
            inside.left + across * inside.width(),
            inside.bottom - up * inside.height(),
        ))
    }

    /// Bands of windows and whiskers of points. Where lines lie on one another only the first has a band.
    fn intervals(&self, picture: &mut Picture, series: &Series, before: &[Series]) {
        let colour = series.look.colour;
        if series.half > 0.0 {
            let height = |one: &Series, window: usize| self.pixel(*one.points.get(window)?).map(|point| point.1);
            for (window, (&(x, _), &(low, high))) in series.points.iter().zip(&series.intervals).enumerate() {
                let own = height(series, window);
                let near = |one: &Series| {
                    height(one, window)
                        .zip(own)
                        .is_some_and(|(a, b)| (a - b).abs() < STROKE)
                };
                if before.iter().any(near) {
                    continue;
                }
                let corners = (self.pixel((x - series.half, high)), self.pixel((x + series.half, low)));
                if let (Some(from), Some(to)) = corners
                    && to.1 - from.1 >= 1.0
                {
                    picture.rect(from, to, colour.alpha(0.16));
                }
            }
            return;
        }
        for (&(x, _), &(low, high)) in series.points.iter().zip(&series.intervals) {
            let (Some(from), Some(to)) = (self.pixel((x, low)), self.pixel((x, high))) else {
                continue;
            };
            if from.1 - to.1 >= 2.0 {
                picture.line(vec![from, to], colour, 2.0);
            }
            if high > self.y.high * 1.000_001 {
                let points = vec![(to.0 - 7.0, to.1 + 10.0), to, (to.0 + 7.0, to.1 + 10.0)];
                picture.line(points, colour, 2.0);
            }
        }
    }

    /// All series: areas, then lines; those that lie on one another take turns.
    fn all(&self, picture: &mut Picture, series: &[Series]) {
        for one in series {
            if let Some(base) = &one.base {
                self.area(picture, one, base);
            }
        }
        let lines: Vec<&Series> = series.iter().filter(|series| series.base.is_none()).collect();
        let (steps, joined): (Vec<&Series>, Vec<&Series>) = lines.iter().partition(|series| series.half > 0.0);
        for (one, paths) in steps.iter().zip(braid::steps(&self.windows(&steps))) {
            for points in paths {
                picture.shapes.push(Shape::Line {
                    points,
                    colour: one.look.colour,
                    width: STROKE,
                    dash: one.look.dash,
                });
            }
        }
        let pixels: Vec<Vec<Option<Point>>> = joined.iter().map(|one| self.pixels(one)).collect();
        for (index, one) in joined.iter().enumerate() {
            joined_line(picture, one, &pixels[index], braid::turn(&pixels, index));
        }
    }

    fn pixels(&self, series: &Series) -> Vec<Option<Point>> {
        series.points.iter().map(|point| self.pixel(*point)).collect()
    }

    /// The windows of each series: from, to and height in pixels.
    fn windows(&self, series: &[&Series]) -> Vec<Vec<Option<braid::Window>>> {
        let window = |half: f64, (x, y): Point| {
            let (from, to) = (self.pixel((x - half, y))?, self.pixel((x + half, y))?);
            Some(braid::Window {
                from: from.0,
                to: to.0,
                y: from.1,
            })
        };
        let all = |one: &&Series| one.points.iter().map(|point| window(one.half, *point)).collect();
        series.iter().map(all).collect()
    }

    fn area(&self, picture: &mut Picture, series: &Series, base: &[f64]) {
        let colour = series.look.colour;
        if series.half > 0.0 {
            for (&(x, top), &base) in series.points.iter().zip(base) {
                let corners = (self.pixel((x - series.half, top)), self.pixel((x + series.half, base)));
                if let (Some(from), Some(to)) = corners
                    && to.1 - from.1 > 0.2
                {
                    picture.rect(from, to, colour);
                }
            }
            return;
        }
        let upper = series.points.iter().filter_map(|point| self.pixel(*point));
        let lower = series.points.iter().zip(base);
        let lower: Vec<Point> = lower.filter_map(|(point, base)| self.pixel((point.0, *base))).collect();
        let mut points: Vec<Point> = upper.collect();
        points.extend(lower.into_iter().rev());
        if points.len() > 2 {
            picture.shapes.push(Shape::Area { points, colour });
        }
    }

    /// The labels of lines at their ends, one for those that end in one place.
    fn labels(&self, series: &[Series]) -> Vec<Label> {
        let last = |one: &Series| self.pixels(one).into_iter().flatten().next_back();
        let ends: Vec<(&Series, f64)> = series
            .iter()
            .filter_map(|one| last(one).map(|point| (one, point.1)))
            .collect();
        let mut groups: Vec<(Vec<&Series>, f64)> = Vec::new();
        for (one, y) in ends {
            let same = groups.iter_mut().find(|(_, other)| (other - y).abs() < STROKE);
            match same {
                Some((members, _)) => members.push(one),
                None => groups.push((vec![one], y)),
            }
        }
        groups.iter().map(|(members, y)| label(members, self.y, *y)).collect()
    }

    /// A remark at the highest window of each line that stands out, where the eye stops; of lines without labels also
    /// where they end there.
    fn peaks(&self, picture: &mut Picture, series: &[Series], labels: bool, mut taken: Taken) {
        for one in series.iter().filter(|one| one.base.is_none() && !one.label.is_empty()) {
            let finite = one.points.iter().filter(|point| point.1.is_finite());
            let Some(peak) = finite.max_by(|a, b| a.1.total_cmp(&b.1)) else {
                continue;
            };
            let Some(last) = one.points.iter().rfind(|point| point.1.is_finite()) else {
                continue;
            };
            let pixels = (self.pixel(*peak), self.pixel(*last));
            let (Some(top), Some(end)) = pixels else { continue };
            let from = if labels { end.1 } else { self.inside.bottom };
            if from - top.1 < 0.12 * self.inside.height() {
                continue;
            }
            let words = format!("{}: {}", one.label, self.y.say(peak.1));
            let half = one.half / (self.x.high - self.x.low).max(f64::MIN_POSITIVE) * self.inside.width();
            let y = top.1.max(self.inside.top + 16.0);
            let mut places = vec![
                ((top.0 + half + 14.0, y), Align::Left),
                ((top.0 - half - 14.0, y), Align::Right),
            ];
            let shifts = [32.0, 64.0, -32.0];
            places.extend(shifts.map(|shift| ((top.0 + half + 14.0, y + shift), Align::Left)));
            places.extend(shifts.map(|shift| ((top.0 - half - 14.0, y + shift), Align::Right)));
            taken.write(picture, self.inside, &words, readable(one.look.colour), &places);
        }
    }
}

/// Draws a line along a sweep, in its turns if it lies on others.
fn joined_line(picture: &mut Picture, series: &Series, pixels: &[Option<Point>], turn: Option<(u8, u8)>) {
    let Look { colour, dash, marker } = series.look;
    let dash = turn.map_or(dash, |(turn, of)| Dash::Turn { turn, of });
    for run in pixels.split(Option::is_none).filter(|run| !run.is_empty()) {
        let points: Vec<Point> = run.iter().flatten().copied().collect();
        if points.len() > 1 {
            picture.shapes.push(Shape::Line {
                points: points.clone(),
                colour,
                width: STROKE,
                dash,
            });
        }
        // A line of one point would be invisible.
        let Some(marker) = marker.or((points.len() == 1).then_some(Marker::Circle)) else {
            continue;
        };
        let is_turn = |index: usize| turn.is_none_or(|(turn, of)| index % usize::from(of) == usize::from(turn));
        let own = points.into_iter().enumerate().filter(|(index, _)| is_turn(*index));
        picture
            .shapes
            .extend(own.map(|(_, at)| Shape::Mark { at, marker, colour }));
    }
}
