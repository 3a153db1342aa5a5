//! Lines that lie on one another: each takes its turn, so that all are seen.

use super::canvas::{Point, TURN};
use super::style::STROKE;
use crate::kernel::number::{fit, whole_usize};

/// A window of a line of steps, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Left end.
    pub from: f64,
    /// Right end.
    pub to: f64,
    /// Height.
    pub y: f64,
}

/// The polylines of lines of steps. Where lines differ by less than their width, each is drawn in its turn alone.
pub fn steps(lines: &[Vec<Option<Window>>]) -> Vec<Vec<Vec<Point>>> {
    (0..lines.len()).map(|line| one(lines, line)).collect()
}

/// Which lines lie on that one in a window, itself among them.
fn together(lines: &[Vec<Option<Window>>], line: usize, window: usize) -> Vec<usize> {
    let y = |line: usize| lines[line].get(window).copied().flatten().map(|window| window.y);
    let Some(own) = y(line) else { return Vec::new() };
    let near = |other: &usize| y(*other).is_some_and(|other| (other - own).abs() < STROKE);
    (0..lines.len()).filter(near).collect()
}

fn one(lines: &[Vec<Option<Window>>], line: usize) -> Vec<Vec<Point>> {
    let mut paths: Vec<Vec<Point>> = Vec::new();
    let mut open: Vec<Point> = Vec::new();
    let mut before: Option<(Window, Vec<usize>)> = None;
    for (index, window) in lines[line].iter().enumerate() {
        let Some(window) = *window else {
            paths.push(std::mem::take(&mut open));
            before = None;
            continue;
        };
        let group = together(lines, line, index);
        if let Some((previous, others)) = &before {
            let leaves = (previous.y - window.y).abs() >= STROKE && *others != group;
            if open.is_empty() && (leaves || group.len() == 1) {
                open.push((window.from, previous.y));
            }
            if !open.is_empty() {
                open.push((window.from, window.y));
            }
        }
        if group.len() == 1 {
            if open.is_empty() {
                open.push((window.from, window.y));
            }
            open.push((window.to, window.y));
        } else {
            let turn = group.iter().position(|other| *other == line).unwrap_or(0);
            in_turns(window, turn, group.len(), &mut open, &mut paths);
        }
        before = Some((window, group));
    }
    paths.push(open);
    paths.retain(|path| path.len() > 1);
    paths
}

/// Draws of a window the dashes whose turn it is. The last one stays open if it reaches the window's end.
fn in_turns(window: Window, turn: usize, of: usize, open: &mut Vec<Point>, paths: &mut Vec<Vec<Point>>) {
    let mut slot = whole_usize((window.from / TURN).floor().max(0.0));
    loop {
        let (from, to) = (
            (slot as f64 * TURN).max(window.from),
            ((slot + 1) as f64 * TURN).min(window.to),
        );
        if slot % of == turn {
            if open.is_empty() {
                open.push((from, window.y));
            }
            open.push((to, window.y));
        } else {
            paths.push(std::mem::take(open));
        }
        if to >= window.to {
            return;
        }
        slot += 1;
    }
}

/// Whose turn it is along a line that differs from others by less than its width everywhere, and of how many: none if
/// it lies alone.
pub fn turn(lines: &[Vec<Option<Point>>], line: usize) -> Option<(u8, u8)> {
    let same = |other: &&Vec<Option<Point>>| {
        other.len() == lines[line].len()
            && other.iter().zip(&lines[line]).all(|pair| match pair {
                (Some(a), Some(b)) => (a.0 - b.0).abs() < STROKE && (a.1 - b.1).abs() < STROKE,
                (a, b) => a.is_none() && b.is_none(),
            })
    };
    let of = lines.iter().filter(same).count();
    let before = lines[..line].iter().filter(same).count();
    (of > 1).then(|| (fit(before), fit(of)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(heights: &[f64]) -> Vec<Option<Window>> {
        let window = |(index, y): (usize, &f64)| {
            let from = 140.0 * index as f64;
            y.is_finite().then_some(Window {
                from,
                to: from + 140.0,
                y: *y,
            })
        };
        heights.iter().enumerate().map(window).collect()
    }

    /// How far a line is drawn along one height.
    fn drawn(paths: &[Vec<Point>], y: f64) -> u32 {
        let flat = |pair: &[Point]| pair[0].1.total_cmp(&y).is_eq() && pair[1].1.total_cmp(&y).is_eq();
        let pairs = paths.iter().flat_map(|path| path.windows(2));
        let lengths = pairs.filter(|pair| flat(pair)).map(|pair| pair[1].0 - pair[0].0);
        crate::kernel::number::whole_u32(lengths.sum::<f64>().round())
    }

    #[test]
    fn identical_lines_are_both_seen_and_cover_the_whole_together() {
        let found = steps(&[line(&[10.0; 4]), line(&[10.0; 4])]);
        assert_eq!((drawn(&found[0], 10.0), drawn(&found[1], 10.0)), (280, 280));
    }

    #[test]
    fn a_line_that_leaves_the_braid_is_joined_to_it() {
        let found = steps(&[line(&[10.0, 200.0, 10.0]), line(&[10.0; 3])]);
        assert_eq!(drawn(&found[0], 200.0), 140);
        // The one that stays is alone meanwhile.
        assert_eq!(drawn(&found[1], 10.0), 140 + 140);
        let up = found[0].iter().flat_map(|path| path.windows(2));
        assert_eq!(up.filter(|pair| (pair[0].1 - pair[1].1).abs() > 100.0).count(), 2);
    }

    #[test]
    fn a_window_without_a_value_is_a_gap() {
        let found = steps(&[line(&[10.0, f64::NAN, 10.0])]);
        assert_eq!(found[0].len(), 2);
    }
}
