//! The sheet that a picture is drawn on: title, subtitle and foot wrap, and it grows as high as they and its contents
//! need.

use super::WIDTH;
use super::canvas::{Align, Picture};
use super::style::{INK, LINE, SMALL, SOFT, SUBTITLE, TITLE};
use super::text::{capitalised, wrap};
use crate::kernel::number::whole_u32;

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
        let width = (self.width() - gap * (columns as f64 - 1.0)) / columns as f64;
        let height = (self.height() - gap * (rows as f64 - 1.0)) / rows as f64;
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

    /// Its width.
    pub fn width(self) -> f64 {
        self.right - self.left
    }

    /// Its height.
    pub fn height(self) -> f64 {
        self.bottom - self.top
    }

    /// Whether two have a point in common.
    pub fn meets(self, other: Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }
}

/// The words around a picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    /// The answer, or the question.
    pub title: String,
    /// What is drawn.
    pub subtitle: String,
    /// How it came about, and what is left out.
    pub foot: String,
}

/// Left and right edge of everything.
const EDGE: f64 = 28.0;

/// How wide words may be.
pub fn width() -> f64 {
    f64::from(WIDTH) - 2.0 * EDGE
}

/// An empty picture with these words, and the room of that height between them.
pub fn sheet(words: &Words, height: f64) -> (Picture, Rect) {
    let width = width();
    let titles = wrap(&words.title, TITLE, true, width);
    let subtitles = wrap(&capitalised(&words.subtitle), SUBTITLE, false, width);
    let foot = wrap(&words.foot, SMALL, false, width);
    let top = 22.0 + 44.0 * titles.len() as f64 + 34.0 * subtitles.len() as f64 + 18.0;
    let bottom = top + height;
    let whole = bottom + 14.0 + LINE * foot.len() as f64 + 14.0;
    let mut picture = Picture::new(WIDTH, whole_u32(whole.ceil()));
    picture.title.clone_from(&words.title);
    picture.description.clone_from(&words.subtitle);
    let mut y = 22.0;
    for line in titles {
        picture.bold((EDGE, y + 22.0), line, TITLE, INK, Align::Left);
        y += 44.0;
    }
    for line in subtitles {
        picture.text((EDGE, y + 17.0), line, SUBTITLE, SOFT, Align::Left);
        y += 34.0;
    }
    for (index, line) in foot.into_iter().enumerate() {
        let y = bottom + 14.0 + LINE * (index as f64 + 0.5);
        picture.text((EDGE, y), line, SMALL, SOFT, Align::Left);
    }
    let rect = Rect {
        left: EDGE,
        top,
        right: f64::from(WIDTH) - EDGE,
        bottom,
    };
    (picture, rect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::canvas::Shape;

    #[test]
    fn long_words_make_a_picture_higher_and_are_all_there() {
        let long = "how long the slowest hundredth of all requests takes ".repeat(6);
        let short = sheet(&Words::default(), 100.0).0;
        let words = Words {
            title: long.clone(),
            subtitle: long.clone(),
            foot: long.clone(),
        };
        let (picture, rect) = sheet(&words, 100.0);
        assert!(picture.height > short.height + 200 && (rect.height() - 100.0).abs() < 1e-9);
        let text = |shape: &Shape| match shape {
            Shape::Text { text, .. } => Some(text.clone()),
            _ => None,
        };
        let all: Vec<String> = picture.shapes.iter().filter_map(text).collect();
        assert_eq!(all.join(" ").to_lowercase(), [long.trim(); 3].join(" "));
        assert!(picture.title.starts_with("how long"));
    }
}
