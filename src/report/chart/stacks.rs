//! Stacked charts: the bill by line, the causes of the slowest requests, the instances of a function over time.

use crate::kernel::number::fit;
use std::collections::BTreeMap;

use super::axis::Axis;
use super::canvas::{Colour, Picture};
use super::plot::{self, Bar, Bars, Entry, Look, Panel, Series, stack_colour};
use super::{Focus, HEIGHT, Named, WIDTH, file_part, focus};
use crate::report::format;
use crate::report::limits;
use crate::report::verdicts;
use crate::run::summary::{Cell, Summary, Timeline, Unit, name};
use crate::run::verdict::Class;

/// Named parts of a stack; what is smaller is added up as "other".
const MOST_PARTS: usize = 6;
/// Panels of the instances chart.
const MOST_PANELS: usize = 6;

/// A named part of one stack, before it is matched across the bars.
struct Part {
    label: String,
    size: f64,
}

/// The monthly bill by line, one bar per variant.
pub fn bill(summary: &Summary) -> Option<Named> {
    let focus = focus(summary);
    let (bars, entries) = bill_bars(&focus)?;
    let picture = bars_picture("bill per month", &focus.subtitle(summary, "whiskers"), bars, &entries);
    Some(Named {
        stem: "bill".into(),
        caption: "The monthly bill by line.".into(),
        picture,
    })
}

/// The bars of [`bill`] and their legend.
pub fn bill_bars(focus: &Focus) -> Option<(Bars, Vec<Entry>)> {
    if focus
        .cells
        .iter()
        .all(|(_, cell)| cell.bill.lines.is_empty() && !cell.bill.total.mean.is_finite())
    {
        return None;
    }
    let parts = |cell: &Cell| -> Vec<Part> {
        let line = |line: &crate::run::summary::BillLine| {
            let component = line.component.rsplit('.').next().unwrap_or(&line.component);
            Part {
                label: format!("{component}: {}", line.line),
                size: line.amount.mean,
            }
        };
        cell.bill.lines.iter().map(line).collect()
    };
    let total = |cell: &Cell| {
        let (mean, half) = verdicts::bill(cell, format::money_short(&cell.bill.total));
        let interval = cell.bill.total.drawn_interval().filter(|_| cell.has_month());
        match (half.is_empty(), cell.is(Class::Growing)) {
            (_, true) => (format!("{mean} growing: no month is like that"), interval),
            (true, false) => (mean, interval),
            (false, false) => (format!("{mean} {half}"), interval),
        }
    };
    Some(stacked(focus, "bill per month", Unit::Dollars, parts, total))
}

/// What the slowest hundredth of the requests spent their time on, one bar per variant.
pub fn causes(summary: &Summary) -> Option<Named> {
    let focus = focus(summary);
    let slowest = |cell: &'_ Cell| -> Vec<Part> {
        let breakdown = cell
            .causes(name::CAUSES_SLOWEST)
            .into_iter()
            .flat_map(|breakdown| &breakdown.causes);
        breakdown
            .map(|cause| Part {
                label: cause.cause.clone(),
                size: cause.mean_s,
            })
            .collect()
    };
    if focus.cells.iter().all(|(_, cell)| slowest(cell).is_empty()) {
        return None;
    }
    let total = |cell: &Cell| {
        let sum: f64 = slowest(cell)
            .iter()
            .map(|part| part.size)
            .filter(|size| size.is_finite())
            .sum();
        (format::value(Unit::Seconds, sum), None)
    };
    let (bars, entries) = stacked(&focus, "mean time per request", Unit::Seconds, slowest, total);
    let words = "what the slowest 1 % of good answers spent their time on";
    let picture = bars_picture(words, &focus.subtitle(summary, ""), bars, &entries);
    let caption = "Mean time that the slowest hundredth of the good answers spent on each cause.".into();
    Some(Named {
        stem: "causes-slowest".into(),
        caption,
        picture,
    })
}

/// As high as its bars need.
fn bars_picture(words: &str, subtitle: &str, bars: Bars, entries: &[Entry]) -> Picture {
    let mut picture = Picture::new(WIDTH, HEIGHT.min(330 + 95 * fit::<u32, _>(bars.bars.len())));
    let rect = plot::frame(&mut picture, words, subtitle);
    let rect = plot::legend(&mut picture, rect, entries);
    plot::bars(
        &mut picture,
        rect,
        &Bars {
            title: String::new(),
            ..bars
        },
    );
    picture
}

/// The labels that get a colour of their own, the largest first, and whether others are left.
fn named_parts(stacks: &[Vec<Part>]) -> (Vec<String>, bool) {
    // What is named is what matters most in any one bar; a small bar's parts would else all be "other".
    let mut sizes: Vec<(String, f64, f64)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for stack in stacks {
        let seen = || stack.iter().filter(|part| part.size > 0.0 && part.size.is_finite());
        let whole: f64 = seen().map(|part| part.size).sum();
        for part in seen() {
            let place = *places.entry(&part.label).or_insert_with(|| {
                sizes.push((part.label.clone(), 0.0, 0.0));
                sizes.len() - 1
            });
            let (_, size, share) = &mut sizes[place];
            (*size, *share) = (*size + part.size, share.max(part.size / whole));
        }
    }
    sizes.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    // "other" for a single part would only hide its name.
    let named = if sizes.len() > MOST_PARTS + 1 {
        MOST_PARTS
    } else {
        sizes.len()
    };
    let other = sizes.len() > named;
    sizes.truncate(named);
    sizes.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    (sizes.into_iter().map(|(label, _, _)| label).collect(), other)
}

/// Bars whose parts are the labels with the largest shares of any bar, in order of size, and "other".
fn stacked(
    focus: &Focus,
    label: &str,
    unit: Unit,
    parts: impl Fn(&Cell) -> Vec<Part>,
    total: impl Fn(&Cell) -> (String, Option<(f64, f64)>),
) -> (Bars, Vec<Entry>) {
    let stacks: Vec<Vec<Part>> = focus.cells.iter().map(|(_, cell)| parts(cell)).collect();
    let (labels, other) = named_parts(&stacks);
    let mut bars = Vec::new();
    for ((name, cell), stack) in focus.cells.iter().zip(&stacks) {
        let mut lengths = vec![0.0; labels.len() + usize::from(other)];
        for part in stack.iter().filter(|part| part.size > 0.0 && part.size.is_finite()) {
            let slot = labels
                .iter()
                .position(|label| *label == part.label)
                .unwrap_or(labels.len());
            lengths[slot] += part.size;
        }
        let (total, interval) = total(cell);
        bars.push(Bar {
            label: name.clone(),
            parts: lengths,
            total,
            interval,
        });
    }
    let colours: Vec<Colour> = (0..labels.len() + usize::from(other))
        .map(|index| stack_colour(index, index >= labels.len()))
        .collect();
    let names = labels.into_iter().chain(other.then(|| "other".to_owned()));
    let entries = names
        .zip(&colours)
        .map(|(label, colour)| Entry::filled(label, *colour))
        .collect();
    let ends = bars.iter().map(end_of);
    let mut x = Axis::from_zero(label, unit, ends);
    if unit == Unit::Dollars {
        // The title says it.
        x.label.clear();
    }
    (
        Bars {
            title: label.into(),
            x,
            bars,
            colours,
        },
        entries,
    )
}

/// Where a bar ends, its interval included.
fn end_of(bar: &Bar) -> f64 {
    let sum: f64 = bar.parts.iter().sum();
    let high = bar.interval.map_or(0.0, |(_, high)| high);
    if high.is_finite() { sum.max(high) } else { sum }
}

/// Instances of a function or fleet over time, by its dotted path; one panel per variant.
pub fn instances(summary: &Summary, focus: &Focus, component: &str) -> Option<Named> {
    let found: Vec<(&String, &Cell)> = focus
        .cells
        .iter()
        .filter(|(_, cell)| {
            cell.timeline(&format!("{component}.{}", name::INSTANCES_BUSY))
                .is_some()
        })
        .map(|(label, cell)| (label, *cell))
        .take(MOST_PANELS)
        .collect();
    let stacks: Vec<Vec<Series>> = found
        .iter()
        .map(|(_, cell)| stack_over_time(summary, cell, component))
        .collect();
    let tops = || {
        stacks
            .iter()
            .flatten()
            .flat_map(|series| series.points.iter().map(|point| point.1))
    };
    let y = Axis::from_zero("instances", Unit::Level, tops());
    let windows = found
        .iter()
        .flat_map(|(_, cell)| &cell.timelines)
        .map(|timeline| timeline.mean.len())
        .max()?;
    let x = Axis::time(windows as f64 * summary.timeline_window_ns() as f64 / 1e9);
    let entries: Vec<Entry> = stacks.first()?.iter().map(Entry::of).collect();
    let short = component.rsplit('.').next().unwrap_or(component);
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let mut subtitle = focus.subtitle(summary, "");
    if focus.cells.len() > found.len() {
        subtitle = format!("{} of {} shown · {subtitle}", found.len(), focus.cells.len());
    }
    let rect = plot::frame(&mut picture, &format!("instances of {short}"), &subtitle);
    let rect = plot::legend(&mut picture, rect, &entries);
    let columns = match found.len() {
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    let cells = rect.grid(found.len().div_ceil(columns), columns, 20.0);
    for ((rect, series), (label, _)) in cells.into_iter().zip(stacks).zip(&found) {
        let title = if found.len() > 1 {
            (*label).clone()
        } else {
            String::new()
        };
        let warmup_until = summary.warmup_ns as f64 / 1e9;
        let panel = Panel {
            title,
            x: x.clone(),
            y: y.clone(),
            series,
            warmup_until,
            shaded: limits::active(&focus.cells),
            least_left: 0.0,
        };
        plot::panel(&mut picture, rect, &panel);
    }
    let caption = format!("Instances of {short}: busy, idle and starting.");
    Some(Named {
        stem: format!("instances-{}", file_part(short)),
        caption,
        picture,
    })
}

/// Busy, idle and starting instances, stacked from below.
fn stack_over_time(summary: &Summary, cell: &Cell, component: &str) -> Vec<Series> {
    let kinds = [
        (name::INSTANCES_BUSY, "busy", Colour::rgb(0, 114, 178)),
        (name::INSTANCES_IDLE, "idle", Colour::rgb(174, 214, 241)),
        (name::INSTANCES_STARTING, "starting (cold)", Colour::rgb(213, 94, 0)),
    ];
    let width = summary.timeline_window_ns() as f64 / 1e9;
    let mut base: Vec<f64> = Vec::new();
    let mut stack = Vec::new();
    for (end, label, colour) in kinds {
        let Some(timeline) = cell.timeline(&format!("{component}.{end}")) else {
            continue;
        };
        // The windows of the warm-up have no values: the areas begin after it, and do not rise from nothing.
        let values = merged(timeline);
        let unseen = values.iter().take_while(|value| value.is_nan()).count();
        base.resize(base.len().max(values.len()), 0.0);
        let step = timeline.mean.len() as f64 / values.len().max(1) as f64;
        let sum = |(value, base): (&f64, &f64)| if value.is_nan() { *base } else { base + value };
        let tops: Vec<f64> = values.iter().zip(&base).map(sum).collect();
        stack.push(Series {
            label: label.into(),
            look: Look {
                colour,
                dash: super::canvas::Dash::Solid,
                marker: None,
            },
            points: tops
                .iter()
                .enumerate()
                .skip(unseen)
                .map(|(index, top)| ((index as f64 + 0.5) * step * width, *top))
                .collect(),
            intervals: Vec::new(),
            whiskers: false,
            base: Some(base[unseen..].to_vec()),
        });
        base[..tops.len()].copy_from_slice(&tops);
    }
    stack
}

/// The values of a timeline averaged down to at most 600; NaN where there is none.
fn merged(timeline: &Timeline) -> Vec<f64> {
    let every = timeline.mean.len().div_ceil(600).max(1);
    let mean = |chunk: &[f64]| {
        let seen: Vec<f64> = chunk.iter().copied().filter(|value| value.is_finite()).collect();
        seen.iter().map(|value| value.max(0.0)).sum::<f64>() / seen.len() as f64
    };
    timeline.mean.chunks(every).map(mean).collect()
}
