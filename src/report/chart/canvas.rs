//! A picture as a list of shapes in pixels, and the only code that knows plotters: it replays the list on an SVG or a
//! PNG backend. Charts above this file are pure functions from data to shapes, so that tests can look for clipped or
//! overlapping text without rendering anything.

use crate::kernel::number;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color as _, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, ShapeStyle, TextStyle,
    register_font,
};

use crate::scenario::{visible, visible_line};

/// One family for both backends: the PNG backend draws with the registered `DejaVu Sans`; a browser that shows the SVG
/// takes the first of these that it has. Verdana has almost the same widths.
const FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";

/// What every PNG file ends with.
const PNG_END: &[u8] = b"IEND\xaeB`\x82";

/// A position in pixels from the top left corner.
pub type Point = (f64, f64);

/// A colour with its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour {
    /// Red, green, blue.
    pub rgb: (u8, u8, u8),
    /// 0 transparent, 1 opaque.
    pub alpha: f64,
}

impl Colour {
    /// An opaque colour.
    pub const fn rgb(red: u8, green: u8, blue: u8) -> Self {
        Self {
            rgb: (red, green, blue),
            alpha: 1.0,
        }
    }

    /// The same colour with another opacity.
    #[must_use]
    pub const fn alpha(self, alpha: f64) -> Self {
        Self { rgb: self.rgb, alpha }
    }

    /// The colour that lies so far on the way to another one, from 0 to 1.
    #[must_use]
    pub fn mixed(self, other: Self, share: f64) -> Self {
        let part = |from: u8, to: u8| {
            let mixed = f64::from(from) + (f64::from(to) - f64::from(from)) * share;
            number::fit(number::whole_u32(mixed.round().clamp(0.0, 255.0)))
        };
        let ((red, green, blue), to) = (self.rgb, other.rgb);
        Self::rgb(part(red, to.0), part(green, to.1), part(blue, to.2))
    }

    fn plotters(self) -> RGBAColor {
        RGBColor(self.rgb.0, self.rgb.1, self.rgb.2).mix(self.alpha)
    }
}

/// How a line is interrupted, as (drawn, left out) pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    /// Uninterrupted.
    Solid,
    /// Long dashes.
    Dashed,
    /// Dots.
    Dotted,
    /// Every dash that is the turn of one of so many lines that lie on one another.
    Turn {
        /// Which of them, from 0 on.
        turn: u8,
        /// How many.
        of: u8,
    },
}

/// Length of a dash of a line that takes turns with others.
pub const TURN: f64 = 14.0;

impl Dash {
    /// What is drawn, what is left out, and what is left out first.
    fn pattern(self) -> Option<(f64, f64, f64)> {
        match self {
            Self::Solid => None,
            Self::Dashed => Some((14.0, 8.0, 0.0)),
            Self::Dotted => Some((4.0, 6.0, 0.0)),
            Self::Turn { turn, of } => Some((TURN, TURN * f64::from(of.saturating_sub(1)), TURN * f64::from(turn))),
        }
    }
}

/// A mark at a data point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle that points up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A circle that is empty.
    Ring,
    /// A cross: it ended here.
    Cross,
}

/// Where a text stands relative to its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// The position is the left end.
    Left,
    /// The position is the middle.
    Middle,
    /// The position is the right end.
    Right,
}

/// One thing to draw.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A polyline.
    Line {
        /// Corners.
        points: Vec<Point>,
        /// Stroke.
        colour: Colour,
        /// Stroke width in pixels.
        width: f64,
        /// Interruption.
        dash: Dash,
    },
    /// A filled polygon.
    Area {
        /// Corners.
        points: Vec<Point>,
        /// Fill.
        colour: Colour,
    },
    /// A filled rectangle.
    Rect {
        /// Top left corner.
        from: Point,
        /// Bottom right corner.
        to: Point,
        /// Fill.
        colour: Colour,
    },
    /// A marker.
    Mark {
        /// Centre.
        at: Point,
        /// Shape.
        marker: Marker,
        /// Fill.
        colour: Colour,
    },
    /// One line of text, centred vertically on its position.
    Text {
        /// Position.
        at: Point,
        /// The words.
        text: String,
        /// Font size in pixels.
        size: f64,
        /// Bold or regular.
        bold: bool,
        /// Colour.
        colour: Colour,
        /// Horizontal alignment.
        align: Align,
        /// Rotated to read from bottom to top.
        upright: bool,
    },
}

/// A picture: its size in pixels and its shapes, drawn in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What it says, in a sentence.
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// What to draw.
    pub shapes: Vec<Shape>,
}

impl Picture {
    /// An empty white picture.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            title: String::new(),
            description: String::new(),
            shapes: Vec::new(),
        }
    }

    /// Adds a solid polyline.
    pub fn line(&mut self, points: Vec<Point>, colour: Colour, width: f64) {
        self.shapes.push(Shape::Line {
            points,
            colour,
            width,
            dash: Dash::Solid,
        });
    }

    /// Adds a filled rectangle.
    pub fn rect(&mut self, from: Point, to: Point, colour: Colour) {
        self.shapes.push(Shape::Rect { from, to, colour });
    }

    /// Adds regular text.
    pub fn text(&mut self, at: Point, text: impl Into<String>, size: f64, colour: Colour, align: Align) {
        let text = visible_line(&text.into()).into_owned();
        self.shapes.push(Shape::Text {
            at,
            text,
            size,
            bold: false,
            colour,
            align,
            upright: false,
        });
    }

    /// Adds bold text.
    pub fn bold(&mut self, at: Point, text: impl Into<String>, size: f64, colour: Colour, align: Align) {
        let text = visible_line(&text.into()).into_owned();
        self.shapes.push(Shape::Text {
            at,
            text,
            size,
            bold: true,
            colour,
            align,
            upright: false,
        });
    }

    /// Adds text that reads from bottom to top, centred on its position.
    pub fn upright(&mut self, at: Point, text: impl Into<String>, size: f64, colour: Colour) {
        let text = visible_line(&text.into()).into_owned();
        let align = Align::Middle;
        self.shapes.push(Shape::Text {
            at,
            text,
            size,
            bold: false,
            colour,
            align,
            upright: true,
        });
    }

    /// The picture as an SVG document.
    pub fn svg(&self) -> io::Result<String> {
        let mut document = String::new();
        {
            let area = SVGBackend::with_string(&mut document, (self.width, self.height)).into_drawing_area();
            self.replay(&area, Replay { scale: 1.0, sink: 0.0 })?;
        }
        let words = format!(
            "<title>{}</title>\n<desc>{}</desc>",
            escaped(&self.title),
            escaped(&self.description)
        );
        // The first element is the picture itself, whose attributes the backend writes.
        let document = document
            .replacen("<svg ", "<svg role=\"img\" ", 1)
            .replacen(">\n", &format!(">\n{words}\n"), 1);
        Ok(visible(&document).into_owned())
    }

    /// Writes the picture as a PNG file, drawn at twice the size and averaged down for smooth edges.
    pub fn write_png(&self, path: &Path) -> io::Result<()> {
        let (wide, high) = (self.width * 2, self.height * 2);
        let mut large = vec![0_u8; (wide * high * 3) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut large, (wide, high)).into_drawing_area();
            self.replay(&area, Replay { scale: 2.0, sink: 0.14 })?;
        }
        let small = halve(&large, self.width as usize, self.height as usize);
        let mut backend = BitMapBackend::new(path, (self.width, self.height));
        backend
            .blit_bitmap((0, 0), (self.width, self.height), &small)
            .map_err(io::Error::other)?;
        backend
            .present()
            .map_err(|error| io::Error::other(innermost(&error.to_string())))?;
        // The encoder writes the last of its buffer where nobody asks how that went.
        let written = std::fs::read(path)?;
        if written.ends_with(PNG_END) {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::WriteZero,
                "only a part of it could be written",
            ))
        }
    }

    fn replay<B: DrawingBackend>(&self, area: &DrawingArea<B, plotters::coord::Shift>, how: Replay) -> io::Result<()>
    where
        B::ErrorType: 'static,
    {
        register_fonts()?;
        area.fill(&plotters::style::WHITE).map_err(io::Error::other)?;
        for shape in &self.shapes {
            draw(area, shape, how).map_err(io::Error::other)?;
        }
        area.present().map_err(io::Error::other)
    }
}

/// Words as text of a document.
fn escaped(words: &str) -> String {
    let line = visible_line(words);
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What the system said, which the backend passes on only within names of its own types, in quotes.
fn innermost(message: &str) -> String {
    message.rsplit('"').nth(1).unwrap_or(message).to_owned()
}

/// How shapes become pixels.
#[derive(Debug, Clone, Copy)]
struct Replay {
    /// Pixels per pixel of the picture.
    scale: f64,
    /// How far text has to sink to stand centred, in font sizes: the PNG backend centres on a box that is too high.
    sink: f64,
}

/// The mean of each block of 2 x 2 pixels.
fn halve(large: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut small = Vec::with_capacity(width * height * 3);
    let row = width * 2 * 3;
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let at = y * 2 * row + x * 6 + channel;
                let sum: u32 = [at, at + 3, at + row, at + row + 3]
                    .iter()
                    .map(|&i| u32::from(large[i]))
                    .sum();
                small.push(number::fit((sum + 2) / 4));
            }
        }
    }
    small
}

type Drawn<B> = Result<(), plotters::drawing::DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

fn draw<B: DrawingBackend>(area: &DrawingArea<B, plotters::coord::Shift>, shape: &Shape, how: Replay) -> Drawn<B> {
    let scale = how.scale;
    let pixel = |(x, y): Point| {
        (
            number::whole_i32((x * scale).round()),
            number::whole_i32((y * scale).round()),
        )
    };
    match shape {
        Shape::Line {
            points,
            colour,
            width,
            dash,
        } => {
            let style = ShapeStyle {
                color: colour.plotters(),
                filled: false,
                stroke_width: number::whole_u32((width * scale).round().max(1.0)),
            };
            for part in dashes(points, *dash) {
                area.draw(&PathElement::new(
                    part.into_iter().map(pixel).collect::<Vec<_>>(),
                    style,
                ))?;
            }
            Ok(())
        }
        Shape::Area { points, colour } => area.draw(&Polygon::new(
            points.iter().copied().map(pixel).collect::<Vec<_>>(),
            colour.plotters().filled(),
        )),
        Shape::Rect { from, to, colour } => {
            area.draw(&Rectangle::new([pixel(*from), pixel(*to)], colour.plotters().filled()))
        }
        Shape::Mark { at, marker, colour } => {
            let style = colour.plotters().filled();
            match marker {
                Marker::Circle => return area.draw(&Circle::new(pixel(*at), 7.0 * scale, style)),
                Marker::Ring => {
                    area.draw(&Circle::new(pixel(*at), 8.0 * scale, style))?;
                    let ground = Colour::rgb(255, 255, 255).plotters().filled();
                    return area.draw(&Circle::new(pixel(*at), 5.0 * scale, ground));
                }
                _ => {}
            }
            let corners: Vec<(i32, i32)> = corners(*marker)
                .iter()
                .map(|(x, y)| pixel((at.0 + x, at.1 + y)))
                .collect();
            area.draw(&Polygon::new(corners, style))
        }
        Shape::Text {
            at,
            text,
            size,
            bold,
            colour,
            align,
            upright,
        } => {
            let ink = colour.plotters();
            let style = text_style(*size * scale, *bold, *align, *upright).color(&ink);
            let sink = how.sink * size;
            let (right, down) = if *upright { (sink, 0.0) } else { (0.0, sink) };
            area.draw_text(text, &style, pixel((at.0 + right, at.1 + down)))
        }
    }
}

fn text_style(size: f64, bold: bool, align: Align, upright: bool) -> TextStyle<'static> {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let font = FontDesc::new(FontFamily::Name(FAMILY), size, style);
    let font = if upright {
        font.transform(FontTransform::Rotate270)
    } else {
        font
    };
    let horizontal = match align {
        Align::Left => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Right => HPos::Right,
    };
    TextStyle::from(font).pos(Pos::new(horizontal, VPos::Center))
}

/// Corners of a marker around its centre.
fn corners(marker: Marker) -> &'static [Point] {
    match marker {
        Marker::Circle | Marker::Ring | Marker::Square => &[(-5.5, -5.5), (5.5, -5.5), (5.5, 5.5), (-5.5, 5.5)],
        Marker::Triangle => &[(0.0, -7.5), (7.0, 5.5), (-7.0, 5.5)],
        Marker::Diamond => &[(0.0, -8.0), (8.0, 0.0), (0.0, 8.0), (-8.0, 0.0)],
        Marker::Cross => &[
            (-11.0, -7.0),
            (-7.0, -11.0),
            (0.0, -4.0),
            (7.0, -11.0),
            (11.0, -7.0),
            (4.0, 0.0),
            (11.0, 7.0),
            (7.0, 11.0),
            (0.0, 4.0),
            (-7.0, 11.0),
            (-11.0, 7.0),
            (-4.0, 0.0),
        ],
    }
}

/// Cuts a polyline into its dashes: the SVG backend of plotters has no dash attribute.
fn dashes(points: &[Point], dash: Dash) -> Vec<Vec<Point>> {
    let Some((on, off, lead)) = dash.pattern() else {
        return vec![points.to_vec()];
    };
    let mut parts = Vec::new();
    let mut current = points.first().copied().into_iter().collect::<Vec<_>>();
    let (mut drawing, mut left) = (true, on);
    if lead > 0.0 {
        (drawing, left) = (false, lead);
        current.clear();
    }
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = libm::hypot(to.0 - from.0, to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            length -= left;
            if drawing {
                current.push(from);
                parts.push(std::mem::take(&mut current));
            } else {
                current = vec![from];
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
        left -= length;
        if drawing {
            current.push(to);
        }
    }
    if current.len() > 1 {
        parts.push(current);
    }
    parts
}

/// Registers the embedded fonts once; without them the PNG backend refuses every text.
fn register_fonts() -> io::Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        register_font(FAMILY, FontStyle::Normal, dejavu::sans::regular()).is_ok()
            && register_font(FAMILY, FontStyle::Bold, dejavu::sans::bold()).is_ok()
    });
    if *done {
        Ok(())
    } else {
        Err(io::Error::other("the embedded font cannot be read"))
    }
}

/// Width of a text in pixels.
pub fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    if register_fonts().is_err() {
        return text.chars().count() as f64 * size * 0.55;
    }
    let style = text_style(size, bold, Align::Left, false);
    style
        .font
        .layout_box(text)
        .map_or(0.0, |((left, _), (right, _))| f64::from(right - left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_the_line_in_order() {
        let parts = dashes(&[(0.0, 0.0), (100.0, 0.0)], Dash::Dashed);
        assert_eq!(parts.len(), 5);
        assert!(parts[0].len() == 2 && (parts[0][1].0 - 14.0).abs() < 1e-9);
        assert!((parts[1][0].0 - 22.0).abs() < 1e-9);
        assert_eq!(dashes(&[(0.0, 0.0), (3.0, 0.0)], Dash::Solid).len(), 1);
        assert!(dashes(&[], Dash::Dotted).is_empty());
    }

    #[test]
    fn halving_averages_blocks() {
        let large: Vec<u8> = [0, 100, 200, 40].iter().flat_map(|&grey| [grey; 3]).collect();
        assert_eq!(halve(&large, 1, 1), vec![85, 85, 85]);
    }

    #[test]
    fn lines_on_one_another_take_turns() {
        let part = |turn| dashes(&[(0.0, 0.0), (TURN * 6.0, 0.0)], Dash::Turn { turn, of: 2 });
        let starts = |parts: &[Vec<Point>]| parts.iter().map(|part| part[0].0).collect::<Vec<_>>();
        assert_eq!(starts(&part(0)), [0.0, TURN * 2.0, TURN * 4.0]);
        assert_eq!(starts(&part(1)), [TURN, TURN * 3.0, TURN * 5.0]);
    }

    #[test]
    fn a_picture_says_in_words_what_it_shows() {
        let mut picture = Picture::new(10, 10);
        picture.title = "a < b".into();
        let svg = picture.svg().unwrap();
        assert!(svg.starts_with("<svg role=\"img\" "), "{svg}");
        assert!(svg.contains("<title>a &lt; b</title>"), "{svg}");
    }
}
