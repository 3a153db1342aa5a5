//! Labels at the ends of lines, moved apart, and the rooms that words have taken.

use super::canvas::{Align, Colour, Picture, Point, text_width};
use super::sheet::Rect;
use super::style::{TEXT, WHITE};

/// Height of a line of a label.
pub const ROW: f64 = 29.0;

/// A label at the end of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// Where it would stand best: its middle.
    pub at: f64,
    /// Its lines, each with its colour.
    pub lines: Vec<(String, Colour)>,
}

impl Label {
    fn height(&self) -> f64 {
        ROW * self.lines.len() as f64
    }
}

/// The middles of labels of these heights that were to stand at these places, in the same order, moved apart within a
/// room as little as it takes. Where the room is too small they begin at its top.
pub fn apart(wanted: &[(f64, f64)], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].0.total_cmp(&wanted[*b].0));
    let mut tops: Vec<f64> = Vec::new();
    let mut free = top;
    for index in &order {
        let (at, height) = wanted[*index];
        let begin = (at - height / 2.0).max(free);
        tops.push(begin);
        free = begin + height;
    }
    let mut end = bottom;
    for (place, index) in order.iter().enumerate().rev() {
        let height = wanted[*index].1;
        tops[place] = tops[place].min(end - height);
        end = tops[place];
    }
    // A room that is too small.
    let below = (top - tops.first().copied().unwrap_or(top)).max(0.0);
    let mut middles = vec![0.0; wanted.len()];
    for (place, index) in order.iter().enumerate() {
        middles[*index] = tops[place] + below + wanted[*index].1 / 2.0;
    }
    middles
}

/// Draws labels from `left` on, between `top` and `bottom`.
pub fn draw(picture: &mut Picture, labels: &[Label], left: f64, top: f64, bottom: f64) {
    let wanted: Vec<(f64, f64)> = labels.iter().map(|label| (label.at, label.height())).collect();
    for (label, middle) in labels.iter().zip(apart(&wanted, top, bottom)) {
        let mut y = middle - label.height() / 2.0 + ROW / 2.0;
        for (words, colour) in &label.lines {
            picture.bold((left, y), words.as_str(), TEXT, *colour, Align::Left);
            y += ROW;
        }
    }
}

/// How much room labels take.
pub fn height(labels: &[Label]) -> f64 {
    labels.iter().map(Label::height).sum()
}

/// How wide the widest is.
pub fn width(labels: &[Label]) -> f64 {
    let lines = labels.iter().flat_map(|label| &label.lines);
    lines
        .map(|(words, _)| text_width(words, TEXT, true))
        .fold(0.0, f64::max)
}

/// Rooms that words have taken.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken(Vec<Rect>);

impl Taken {
    /// Takes a room.
    pub fn take(&mut self, room: Rect) {
        self.0.push(room);
    }

    /// The room of a line of words there.
    pub fn room(at: Point, words: &str, size: f64, bold: bool, align: Align) -> Rect {
        let width = text_width(words, size, bold);
        let left = match align {
            Align::Left => at.0,
            Align::Middle => at.0 - width / 2.0,
            Align::Right => at.0 - width,
        };
        Rect {
            left: left - 4.0,
            top: at.1 - size * 0.6,
            right: left + width + 4.0,
            bottom: at.1 + size * 0.6,
        }
    }

    /// Writes words in bold at the first of the places that is free and lies inside, on a ground that keeps lines from
    /// striking them through; says whether there was one.
    pub fn write(
        &mut self,
        picture: &mut Picture,
        inside: Rect,
        words: &str,
        colour: Colour,
        places: &[(Point, Align)],
    ) -> bool {
        let free = |(at, align): &&(Point, Align)| {
            let room = Self::room(*at, words, TEXT, true, *align);
            let within = room.left >= inside.left
                && room.right <= inside.right
                && room.top >= inside.top
                && room.bottom <= inside.bottom;
            within && self.0.iter().all(|other| !other.meets(room))
        };
        let Some((at, align)) = places.iter().find(free) else {
            return false;
        };
        let room = Self::room(*at, words, TEXT, true, *align);
        picture.rect((room.left, room.top), (room.right, room.bottom), WHITE.alpha(0.75));
        picture.bold(*at, words, TEXT, colour, *align);
        self.take(room);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_move_apart_as_little_as_it_takes() {
        let wanted = [(100.0, 30.0), (105.0, 30.0), (300.0, 30.0)];
        assert_eq!(apart(&wanted, 0.0, 400.0), [100.0, 130.0, 300.0]);
        // Those at the lower edge move up.
        assert_eq!(apart(&[(390.0, 30.0), (395.0, 30.0)], 0.0, 400.0), [355.0, 385.0]);
        // A room that is too small begins at its top.
        assert_eq!(apart(&[(5.0, 30.0), (6.0, 30.0)], 0.0, 40.0), [15.0, 45.0]);
    }
}
