//! What happened, by its name, at its place on the time axis: faults, deploys, spikes, schedules that fire.

use super::canvas::{Align, Dash, Picture, Shape, text_width};
use super::labels::Taken;
use super::sheet::Rect;
use super::style::{AXIS, EVENT, INK, QUIET, SMALL, SOFT};
use super::text::wrap;
use crate::report::chart::axis::Axis;
use crate::run::summary::Cell;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// When it began, in seconds.
    pub begin: f64,
    /// When it ended; when it began if it has no length.
    pub end: f64,
    /// What it is called.
    pub name: String,
}

/// Height of a line of names.
const ROW: f64 = 28.0;
/// Lines of a name, and rows of names on one another.
const MOST_ROWS: usize = 4;
/// The widest name before it wraps.
const WIDEST: f64 = 330.0;
/// More marks than this are drawn without names.
const MOST_NAMES: usize = 12;

/// `5:00`, as clocks of runs show it; from a day on with the day.
fn clock(seconds: f64) -> String {
    let whole: u64 = crate::kernel::number::whole(seconds.round());
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, hours) => format!("{hours}:{minutes:02}:{seconds:02}"),
        (days, hours) => format!("{days} d {hours}:{minutes:02}"),
    }
}

/// What happened in some of these cells, each once, in the order of time.
pub fn of(cells: &[(String, &Cell)]) -> Vec<Mark> {
    let short = |component: &str| component.rsplit('.').next().unwrap_or(component).to_owned();
    let mut found: Vec<Mark> = Vec::new();
    for (_, cell) in cells {
        let faults = cell.faults.iter().filter(|fault| fault.fixed);
        let faults = faults.flat_map(|fault| {
            let name = fault.name.clone();
            fault.spans.iter().map(move |span| (span.0, span.1, name.clone()))
        });
        let happened = cell.happenings.iter();
        let happened = happened.map(|one| {
            (
                one.begin_s,
                one.end_s,
                format!("{} {}", short(&one.component), one.what),
            )
        });
        for (begin, end, name) in faults.chain(happened) {
            let name = format!("{} {name}", clock(begin));
            if found.iter().all(|known| known.name != name) {
                found.push(Mark { begin, end, name });
            }
        }
    }
    found.sort_by(|a, b| a.begin.total_cmp(&b.begin));
    found
}

/// Names with the row and the left edge of each, and how many rows there are.
struct Placed {
    names: Vec<(usize, f64, Vec<String>)>,
    rows: usize,
}

/// The marks with one name for all that begin at one moment.
fn together(marks: &[Mark]) -> Vec<Mark> {
    let mut all: Vec<Mark> = Vec::new();
    for mark in marks {
        match all.last_mut() {
            Some(last) if last.begin.total_cmp(&mark.begin).is_eq() => {
                let name = mark.name.split_once(' ').map_or(mark.name.as_str(), |(_, name)| name);
                last.name.push_str(", ");
                last.name.push_str(name);
            }
            _ => all.push(mark.clone()),
        }
    }
    all
}

/// Puts names beside one another where there is room, else below.
fn placed(marks: &[Mark], axis: &Axis, left: f64, right: f64) -> Placed {
    let mut placed = Placed {
        names: Vec::new(),
        rows: 0,
    };
    let mut free = [left; MOST_ROWS];
    for mark in together(marks).iter().take(MOST_NAMES) {
        let Some(share) = axis.within(mark.begin) else { continue };
        let at = left + share * (right - left) + 8.0;
        let lines = wrap(&mark.name, SMALL, false, WIDEST.min(right - left - 16.0));
        let width = lines
            .iter()
            .map(|line| text_width(line, SMALL, false))
            .fold(0.0, f64::max);
        // One that would leave the picture stands before its moment.
        let at = if at + width > right {
            (at - width - 16.0).max(left)
        } else {
            at
        };
        let is_free = |row: &usize| free[*row..*row + lines.len()].iter().all(|from| at >= *from);
        let row = (0..=MOST_ROWS.saturating_sub(lines.len())).find(is_free);
        let Some(row) = row.filter(|_| lines.len() <= MOST_ROWS) else {
            continue;
        };
        free[row..row + lines.len()].fill(at + width + 18.0);
        placed.rows = placed.rows.max(row + lines.len());
        placed.names.push((row, at, lines));
    }
    placed
}

/// How much room the names of marks take above a panel whose inside is from `left` to `right`.
pub fn height(marks: &[Mark], axis: &Axis, left: f64, right: f64) -> f64 {
    let rows = placed(marks, axis, left, right).rows;
    if rows == 0 { 0.0 } else { ROW * rows as f64 + 6.0 }
}

/// Shades spans and draws instants as dotted lines, from `top` on through the inside of a panel, and writes the names
/// between `top` and the inside if they are wanted.
pub fn draw(picture: &mut Picture, marks: &[Mark], axis: &Axis, inside: Rect, top: f64) {
    let across = |x: f64| axis.place(x).map(|share| inside.left + share * inside.width());
    let named = inside.top - top >= ROW;
    for mark in marks.iter().filter(|mark| axis.within(mark.begin).is_some()) {
        let (Some(left), Some(right)) = (across(mark.begin), across(mark.end)) else {
            continue;
        };
        if right - left >= 2.0 {
            picture.rect((left, top), (right, inside.bottom), EVENT);
        } else {
            picture.shapes.push(Shape::Line {
                points: vec![(left, top), (left, inside.bottom)],
                colour: AXIS,
                width: 2.0,
                dash: Dash::Dotted,
            });
        }
    }
    if named {
        for (row, left, lines) in placed(marks, axis, inside.left, inside.right).names {
            for (line, words) in lines.into_iter().enumerate() {
                let y = top + ROW * ((row + line) as f64 + 0.5);
                picture.text((left, y), words, SMALL, INK, Align::Left);
            }
        }
    }
}

/// Shades the warm-up, which is not counted, and names it if there is room and it is wanted.
/// Returns the room of its name.
pub fn warmup(picture: &mut Picture, until: f64, axis: &Axis, inside: Rect, named: bool) -> Option<Rect> {
    let share = axis.place(until).filter(|share| *share > 0.0 && until > 0.0)?;
    let right = inside.left + share * inside.width();
    picture.rect((inside.left, inside.top), (right, inside.bottom), QUIET);
    if named && right - inside.left > text_width("warm-up", SMALL, false) + 8.0 {
        let at = (f64::midpoint(inside.left, right), inside.top + 18.0);
        picture.text(at, "warm-up", SMALL, SOFT, Align::Middle);
        return Some(Taken::room(at, "warm-up", SMALL, false, Align::Middle));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_happened_is_named_once_with_its_time() {
        let summary = sample::troubled();
        let cells: Vec<(String, &Cell)> = summary.cells.iter().map(|cell| (cell.variant.clone(), cell)).collect();
        let names: Vec<String> = of(&cells).into_iter().map(|mark| mark.name).collect();
        assert_eq!(names, ["10:00 slow-orders", "12:00 deploy"]);
        assert_eq!(
            (clock(3661.0), clock(90_000.0)),
            ("1:01:01".to_owned(), "1 d 1:00".to_owned())
        );
    }

    #[test]
    fn what_begins_at_one_moment_shares_its_time() {
        let mark = |begin: f64, name: &str| Mark {
            begin,
            end: begin,
            name: name.into(),
        };
        let all = together(&[
            mark(600.0, "10:00 deploy"),
            mark(600.0, "10:00 outage"),
            mark(660.0, "11:00 spike"),
        ]);
        let names: Vec<&str> = all.iter().map(|mark| mark.name.as_str()).collect();
        assert_eq!(names, ["10:00 deploy, outage", "11:00 spike"]);
    }

    #[test]
    fn names_that_would_touch_stand_below_one_another() {
        let mark = |begin: f64| Mark {
            begin,
            end: begin,
            name: "10:00 a long name of something".into(),
        };
        let marks = [mark(60.0), mark(70.0), mark(3000.0)];
        let found = placed(&marks, &Axis::time(3600.0), 100.0, 1400.0);
        let rows: Vec<usize> = found.names.iter().map(|name| name.0).collect();
        assert_eq!((rows[0], rows[2], found.rows > rows[1]), (0, 0, true));
        assert!(rows[1] > 0, "{rows:?}");
    }
}
