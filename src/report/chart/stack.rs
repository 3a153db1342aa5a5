//! Panels and bars below one another. Panels of one time share its axis: their sides are in line, the uppermost names
//! what happened, the lowest has the ticks.

use super::bars::{Bars, key, key_height};
use super::canvas::{Align, Colour, Picture};
use super::panel::Panel;
use super::rows::Rows;
use super::sheet::{Rect, Words, sheet};
use super::style::{INK, LINE, TEXT};
use super::text::wrap;

/// A part of a picture, with its height where it has no own.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A coordinate system of that height.
    Panel(Box<Panel>, f64),
    /// Bars.
    Bars(Bars),
    /// Bars beside one another.
    Pair(Bars, Bars),
    /// Rows with two dots each, instead of more colours than can be told apart.
    Rows(Box<Rows>),
    /// What colours mean.
    Key(Vec<(String, Colour)>),
    /// A sentence in the place of a panel that would show nothing.
    Sentence(String),
}

/// Between parts.
const GAP: f64 = 22.0;

impl Block {
    /// A coordinate system of that height.
    pub fn panel(panel: Panel, height: f64) -> Self {
        Self::Panel(Box::new(panel), height)
    }

    fn height(&self, width: f64) -> f64 {
        match self {
            Self::Panel(_, height) => *height,
            Self::Bars(bars) => bars.height(width),
            Self::Pair(left, right) => left.height(width / 2.0).max(right.height(width / 2.0)),
            Self::Rows(rows) => rows.height(),
            Self::Key(key) => key_height(key, width),
            Self::Sentence(words) => 16.0 + LINE * wrap(words, TEXT, false, width).len() as f64,
        }
    }
}

/// Lets panels that follow one another share the margins and, if there are several, the axis below.
fn share(blocks: &mut [Block]) {
    let panels = || {
        blocks.iter().filter_map(|block| match block {
            Block::Panel(panel, _) => Some(panel),
            _ => None,
        })
    };
    let left = panels().map(|panel| panel.left_margin()).fold(0.0, f64::max);
    let right = panels().map(|panel| panel.right_margin()).fold(0.0, f64::max);
    let count = panels().count();
    let mut seen = 0;
    for block in blocks {
        let Block::Panel(panel, _) = block else { continue };
        seen += 1;
        (panel.left, panel.right) = (left, right);
        panel.names = seen == 1;
        if seen < count {
            panel.x = panel.x.clone().silent();
            panel.x.label.clear();
        }
    }
}

/// The picture of these parts.
pub fn picture(words: &Words, mut blocks: Vec<Block>) -> Picture {
    share(&mut blocks);
    let width = f64::from(super::WIDTH) - 56.0;
    let heights: Vec<f64> = blocks.iter().map(|block| block.height(width)).collect();
    let gaps = GAP * blocks.len().saturating_sub(1) as f64;
    let (mut picture, rect) = sheet(words, heights.iter().sum::<f64>() + gaps);
    let mut top = rect.top;
    for (block, height) in blocks.iter().zip(heights) {
        let rect = Rect {
            top,
            bottom: top + height,
            ..rect
        };
        draw(&mut picture, block, rect);
        top += height + GAP;
    }
    picture
}

fn draw(picture: &mut Picture, block: &Block, rect: Rect) {
    match block {
        Block::Panel(panel, _) => panel.draw(picture, rect),
        Block::Bars(bars) => bars.draw(picture, rect),
        Block::Pair(left, right) => {
            let halves = rect.grid(1, 2, 40.0);
            left.draw(picture, halves[0]);
            right.draw(picture, halves[1]);
        }
        Block::Rows(rows) => rows.draw(picture, rect),
        Block::Key(entries) => key(picture, rect, entries),
        Block::Sentence(words) => {
            for (index, line) in wrap(words, TEXT, false, rect.width()).into_iter().enumerate() {
                let y = rect.top + 8.0 + LINE * (index as f64 + 0.5);
                picture.text((rect.left, y), line, TEXT, INK, Align::Left);
            }
        }
    }
}
