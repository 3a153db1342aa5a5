//! Pictures of a summary. Each is a pure function from the summary to shapes in pixels ([`Picture`]), which
//! [`canvas`] replays on plotters' SVG or PNG backend; nothing else knows plotters.

pub mod axis;
pub mod bars;
pub mod bill;
pub mod braid;
pub mod canvas;
pub mod causes;
pub mod expected;
pub mod frontier;
pub mod heat;
pub mod instances;
pub mod kind;
pub mod labels;
pub mod levels;
pub mod lines;
pub mod marks;
pub mod overview;
pub mod panel;
pub mod parts;
pub mod rows;
pub mod sheet;
pub mod stack;
pub mod style;
pub mod text;
pub mod time;
pub mod waterfall;
pub mod words;
pub mod work;

use std::collections::BTreeSet;

use rayon::prelude::*;

use self::canvas::{Colour, Dash, Marker, Picture};
use self::panel::Look;
use super::verdicts;
use crate::run::summary::{Axis, Cell, Scale, Summary, name};

/// Width of every picture in pixels.
pub const WIDTH: u32 = 1600;
/// A chart with more bars than this cannot be read; the rest is left to the tables.
pub const MOST_SERIES: usize = 14;
/// As many lines as there are colours that everybody can tell apart.
pub const MOST_LINES: usize = style::VARIANTS.len();

/// A picture with its file stem and what it shows in one sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// File stem, such as `latency-p99`.
    pub stem: String,
    /// What it shows, for captions.
    pub caption: String,
    /// The picture.
    pub picture: Picture,
}

/// What is drawn of a summary.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drawn {
    /// The pictures, the overview first.
    pub pictures: Vec<Named>,
    /// What they leave out, in sentences.
    pub notes: Vec<String>,
}

/// Every picture that the summary has data for, the overview first. Runs of two regimes are shown apart.
pub fn pictures(summary: &Summary) -> Vec<Named> {
    drawn(summary).pictures
}

/// Every picture that the summary has data for, and what they leave out. They are drawn side by side.
pub fn drawn(summary: &Summary) -> Drawn {
    let summary = &*verdicts::by_regime(summary);
    let focus = &focus(summary);
    let parts = parts::parts(focus);
    let mut plans: Vec<Plan> = vec![
        Box::new(|| overview::overview(summary, focus)),
        Box::new(|| expected::expected(summary, focus)),
        Box::new(|| work::picture(summary, focus)),
        Box::new(|| frontier::picture(summary, focus)),
        Box::new(|| heat::picture(summary)),
        Box::new(|| lines::p99_against_sweep(summary)),
        Box::new(|| lines::bill_against_sweep(summary)),
        Box::new(|| lines::p99_over_time(summary, focus)),
        Box::new(|| lines::latency_distribution(summary, focus)),
        Box::new(|| bill::picture(summary, focus)),
        Box::new(|| waterfall::picture(summary, focus)),
        Box::new(|| causes::picture(summary, focus)),
    ];
    for part in &parts.instances {
        plans.push(Box::new(|| instances::picture(summary, focus, part)));
    }
    for part in &parts.queues {
        plans.push(Box::new(|| levels::waiting(summary, focus, part)));
    }
    for part in &parts.levels {
        plans.push(Box::new(|| {
            levels::picture(summary, focus, part, &levels::LEVELS, "levels")
        }));
    }
    let mut pictures: Vec<Named> = plans.par_iter().filter_map(|plan| plan()).collect();
    distinct(&mut pictures);
    Drawn {
        pictures,
        notes: parts.notes,
    }
}

/// A picture that is still to be drawn, if there are data for it.
type Plan<'a> = Box<dyn Fn() -> Option<Named> + Sync + 'a>;

/// Gives pictures whose stems would be the same file, also where letters' cases do not count, a number at their end.
fn distinct(pictures: &mut [Named]) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for named in pictures {
        let stem = named.stem.clone();
        let mut number = 1;
        while !seen.insert(named.stem.to_lowercase()) {
            number += 1;
            named.stem = format!("{stem}-{number}");
        }
    }
}

/// The cells that a chart without a sweep axis shows, each with its name.
pub struct Focus<'a> {
    /// Cells with the words for the legend.
    pub cells: Vec<(String, &'a Cell)>,
    /// What was left out or held fixed, in words; may be empty.
    pub note: String,
}

/// One cell per variant; for a sweep, all points of a single variant, or the last point of each.
pub fn focus(summary: &Summary) -> Focus<'_> {
    let variants = summary.variants();
    let point_text = |cell: &Cell| {
        cell.point
            .iter()
            .map(|value| value.text.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    if summary.axes.is_empty() {
        return shortened(
            summary.cells.iter().map(|cell| (cell.variant.clone(), cell)).collect(),
            String::new(),
        );
    }
    if variants.len() == 1 && summary.cells.len() <= 8 {
        let labels: Vec<&str> = summary.axes.iter().map(|axis| axis.label.as_str()).collect();
        let note = format!("by {}", labels.join(", "));
        return shortened(
            summary.cells.iter().map(|cell| (point_text(cell), cell)).collect(),
            note,
        );
    }
    let last = |variant: &&str| summary.cells.iter().rfind(|cell| cell.variant == **variant);
    let cells: Vec<(String, &Cell)> = variants
        .iter()
        .filter_map(last)
        .map(|cell| (cell.variant.clone(), cell))
        .collect();
    // Whichever variant has the parameter.
    let at = |(index, axis): (usize, &Axis)| {
        let mut values = cells.iter().filter_map(|(_, cell)| cell.point.get(index));
        let value = values.find(|value| !value.is_absent())?;
        Some(format!("{} = {}", axis.label, value.text))
    };
    let held: Vec<String> = summary.axes.iter().enumerate().filter_map(at).collect();
    shortened(cells, format!("at {}", held.join(", ")))
}

fn shortened(mut cells: Vec<(String, &Cell)>, mut note: String) -> Focus<'_> {
    if cells.len() > MOST_SERIES {
        let more = format!("the first {MOST_SERIES} of {}", cells.len());
        note = if note.is_empty() {
            more
        } else {
            format!("{note}; {more}")
        };
        cells.truncate(MOST_SERIES);
    }
    Focus { cells, note }
}

/// All cells, each with its name.
pub fn every(summary: &Summary) -> Focus<'_> {
    let several = summary.variants().len() > 1;
    let named = |cell| (verdicts::short_label(cell, several), cell);
    shortened(summary.cells.iter().map(named).collect(), String::new())
}

/// Whether the same work comes to all cells, so that the bill of one can stand beside that of another.
pub fn same_traffic(focus: &Focus) -> bool {
    let offered = focus.cells.iter().filter_map(|(_, cell)| cell.metric(name::OFFERED));
    let offered = offered
        .map(|metric| metric.estimate.mean)
        .filter(|mean| mean.is_finite());
    let (least, most) = offered.fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), mean| {
        (least.min(mean), most.max(mean))
    });
    most <= 1.05 * least
}

/// The colour of each cell: one hue from light to dark along a sweep of one variant, with the answer in the accent;
/// else those of the variants. More cells than colours have ink.
pub fn colours(summary: &Summary, focus: &Focus) -> Vec<Colour> {
    let count = focus.cells.len();
    let numbers = summary.axes.iter().all(|axis| axis.scale != Scale::Category);
    if count > MOST_LINES {
        return vec![style::INK; count];
    }
    let variants = summary.variants();
    if !summary.axes.is_empty() && variants.len() > 1 {
        let place = |cell: &Cell| {
            variants
                .iter()
                .position(|variant| *variant == cell.variant)
                .unwrap_or(0)
        };
        let colour = |(_, cell): &(String, &Cell)| style::VARIANTS[place(cell) % MOST_LINES];
        return focus.cells.iter().map(colour).collect();
    }
    if summary.axes.is_empty() || !numbers || count < 2 {
        return style::VARIANTS[..count].to_vec();
    }
    // Where the answer is another one at each value, none stands out.
    let one = summary.answer.winners.len() == 1;
    let colour = |index: usize| {
        if one && summary.answer.is(focus.cells[index].1) {
            style::ACCENT
        } else {
            style::ordered(index, count)
        }
    };
    (0..count).map(colour).collect()
}

/// The look of the line with that index along a sweep.
pub fn look(index: usize) -> Look {
    const MARKERS: [Marker; 4] = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond];
    Look {
        colour: style::VARIANTS[index % style::VARIANTS.len()],
        dash: Dash::Solid,
        marker: Some(MARKERS[index % MARKERS.len()]),
    }
}

/// Letters of a name that go into a file name at most: file systems have limits.
const FILE_PART_MAX: usize = 80;

/// A component's or a name's letters that are safe in a file name.
pub fn file_part(name: &str) -> String {
    name.chars()
        .take(FILE_PART_MAX)
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::canvas::{Align, Shape, text_width};
    use super::*;
    use crate::report::sample;

    /// Left, top, right and bottom edge of a text.
    fn extent(shape: &Shape) -> Option<(f64, f64, f64, f64, &str)> {
        let Shape::Text {
            at,
            text,
            size,
            bold,
            align,
            upright,
            ..
        } = shape
        else {
            return None;
        };
        let (width, height) = (text_width(text, *size, *bold), size * 0.7);
        let left = match align {
            Align::Left => at.0,
            Align::Middle => at.0 - width / 2.0,
            Align::Right => at.0 - width,
        };
        Some(if *upright {
            (
                at.0 - height / 2.0,
                at.1 - width / 2.0,
                at.0 + height / 2.0,
                at.1 + width / 2.0,
                text,
            )
        } else {
            (left, at.1 - height / 2.0, left + width, at.1 + height / 2.0, text)
        })
    }

    #[test]
    fn no_text_is_clipped_or_covers_another() {
        for (name, summary) in sample::all() {
            for named in pictures(&summary) {
                let texts: Vec<_> = named.picture.shapes.iter().filter_map(extent).collect();
                for (index, a) in texts.iter().enumerate() {
                    let inside = a.0 >= 0.0
                        && a.1 >= 0.0
                        && a.2 <= f64::from(named.picture.width)
                        && a.3 <= f64::from(named.picture.height);
                    assert!(inside, "{name}/{}: {a:?} is clipped", named.stem);
                    for b in &texts[index + 1..] {
                        let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                        assert!(apart, "{name}/{}: {a:?} covers {b:?}", named.stem);
                    }
                }
            }
        }
    }

    #[test]
    fn every_coordinate_is_a_number_inside_the_picture() {
        for (name, summary) in sample::all() {
            for named in pictures(&summary) {
                for shape in &named.picture.shapes {
                    let points = match shape {
                        Shape::Line { points, .. } | Shape::Area { points, .. } => points.clone(),
                        Shape::Rect { from, to, .. } => vec![*from, *to],
                        Shape::Mark { at, .. } | Shape::Text { at, .. } => vec![*at],
                    };
                    for (x, y) in points {
                        let inside = (0.0..=f64::from(WIDTH)).contains(&x)
                            && (0.0..=f64::from(named.picture.height)).contains(&y);
                        assert!(inside, "{name}/{}: {shape:?}", named.stem);
                    }
                }
            }
        }
    }

    #[test]
    fn a_sweep_gets_its_curves_and_a_plain_run_does_not() {
        let stems = |summary: &Summary| {
            pictures(summary)
                .into_iter()
                .map(|named| named.stem)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            stems(&sample::sweep()),
            [
                "overview",
                "latency-p99-sweep",
                "bill-sweep",
                "latency-p99-over-time",
                "latency-distribution",
                "bill",
                "causes-slowest",
                "instances-checkout",
                "queue-mail"
            ]
        );
        let compared = stems(&sample::compared());
        assert!(!compared.contains(&"bill-sweep".to_owned()));
        for stem in ["p99-against-bill", "bill-difference"] {
            assert!(compared.contains(&stem.to_owned()), "{compared:?}");
        }
        assert!(stems(&sample::no_cells()).is_empty());
    }

    #[test]
    fn components_with_like_names_get_files_of_their_own() {
        let mut summary = sample::one();
        let mut timelines = summary.cells[0].timelines.clone();
        for timeline in &mut timelines {
            timeline.name = timeline.name.replace("functions.checkout", "fleets.Checkout");
        }
        summary.cells[0].timelines.extend(timelines);
        let stems: Vec<String> = pictures(&summary).into_iter().map(|named| named.stem).collect();
        assert!(stems.contains(&"instances-checkout".to_owned()), "{stems:?}");
        assert!(stems.contains(&"instances-Checkout-2".to_owned()), "{stems:?}");
    }

    #[test]
    fn svg_is_the_same_every_time_and_escapes_names() {
        let all = pictures(&sample::extremes());
        for named in &all {
            let svg = named.picture.svg().unwrap();
            assert_eq!(svg, named.picture.svg().unwrap());
            assert!(!svg.contains("<b>"), "{}", named.stem);
        }
        let mut picture = Picture::new(100, 100);
        picture.text((0.0, 50.0), "<b>&", 20.0, style::INK, Align::Left);
        assert!(picture.svg().unwrap().contains("&lt;b&gt;&amp;"));
    }

    /// `COLDCURVE_PICTURES=folder cargo test draw_samples` leaves every sample picture there for a look.
    #[test]
    fn draw_samples() {
        let Some(folder) = std::env::var_os("COLDCURVE_PICTURES") else {
            return;
        };
        for (name, summary) in sample::all() {
            for named in pictures(&summary) {
                let stem = std::path::Path::new(&folder).join(format!("{name}-{}", named.stem));
                named.picture.write_png(&stem.with_extension("png")).unwrap();
                std::fs::write(stem.with_extension("svg"), named.picture.svg().unwrap()).unwrap();
            }
        }
    }
}
