//! The figures that the scenario's `expect` list names, side by side: they are what its author asks about, and most of
//! them have no other chart.

use super::axis::Axis;
use super::bars::{Bar, Bars};
use super::lines::{self, Swept};
use super::panel::{Head, Panel};
use super::sheet::sheet;
use super::style::VARIANTS;
use super::words::{around, foot};
use super::{Focus, MOST_LINES, Named, colours};
use crate::report::format;
use crate::run::metrics;
use crate::run::summary::{Estimate, Summary, Unit, name};

/// Panels at most; the rest is left to the table of expectations.
const MOST_PANELS: usize = 6;
/// Metrics that the overview shows already: they come last.
const SHOWN_ELSEWHERE: [&str; 2] = [name::LATENCY_P99, name::BILL_MONTH];
/// Height of a panel of lines, in pixels.
const LINES_HEIGHT: f64 = 440.0;
/// Width of half a picture, in pixels.
const HALF: f64 = 760.0;

/// One panel for each metric that the scenario has expectations of: bars by variant, or curves over a sweep.
pub fn expected(summary: &Summary, focus: &Focus) -> Option<Named> {
    let metrics = asked(summary);
    metrics.first()?;
    let swept = focus.cells.len() < summary.cells.len() && !summary.axes.is_empty();
    let bars: Vec<Bars> = metrics
        .iter()
        .map(|(metric, unit)| bars(summary, focus, metric, *unit))
        .collect();
    let curves = if swept { curves(summary, &metrics) } else { Vec::new() };
    if swept && curves.is_empty() {
        return None;
    }
    let columns = if swept { 1 } else { metrics.len().clamp(1, 2) };
    let rows = if swept {
        curves.len()
    } else {
        metrics.len().div_ceil(columns)
    };
    let high = if swept {
        LINES_HEIGHT
    } else {
        bars.iter().map(|bars| bars.height(HALF)).fold(0.0, f64::max)
    };
    let note = if swept { "" } else { focus.note.as_str() };
    let left_out = if swept {
        lines::sweep_note(summary)
    } else {
        String::new()
    };
    let words = around(
        summary,
        None,
        "what it is judged by",
        foot(summary, "whiskers", &[note, &left_out]),
    );
    let (mut picture, rect) = sheet(&words, rows as f64 * (high + 24.0));
    let cells = rect.grid(rows, columns, 24.0);
    for (rect, panel) in cells.iter().zip(&curves) {
        panel.draw(&mut picture, *rect);
    }
    for (rect, bars) in cells.iter().zip(&bars).filter(|_| !swept) {
        bars.draw(&mut picture, *rect);
    }
    Some(Named {
        stem: "expected".into(),
        caption: "The metrics that the scenario's expectations name.".into(),
        picture,
    })
}

/// The metrics that expectations name, each once, in their order; those that are zero in every cell say nothing.
fn asked(summary: &Summary) -> Vec<(&str, Unit)> {
    let mut found: Vec<(&str, Unit)> = Vec::new();
    for expectation in &summary.expectations {
        // Of a ratio to another variant, `bill.month / one`, both parts are drawn.
        let metric = expectation.metric.split(" / ").next().unwrap_or_default();
        let seen = || summary.cells.iter().filter_map(|cell| cell.metric(metric));
        let told = seen().find(|metric| metric.estimate.mean.abs() > 0.0);
        if let Some(told) = told.filter(|_| found.iter().all(|(known, _)| *known != metric)) {
            found.push((metric, told.unit));
        }
    }
    found.sort_by_key(|(metric, _)| SHOWN_ELSEWHERE.contains(metric));
    found.truncate(MOST_PANELS);
    found
}

/// One bar per cell, each in the colour that its line has in other charts.
fn bars(summary: &Summary, focus: &Focus, metric: &str, unit: Unit) -> Bars {
    let colours = colours(summary, focus);
    let several = focus.cells.len() > MOST_LINES;
    let fill = |index: usize| if several { VARIANTS[0] } else { colours[index] };
    let estimates = || {
        focus
            .cells
            .iter()
            .map(|(_, cell)| cell.metric(metric).map(|metric| metric.estimate))
    };
    let x = Axis::from_zero("", unit, estimates().flatten().map(|estimate| estimate.mean));
    let bar = |index: usize, label: &str, estimate: Option<Estimate>| Bar {
        label: label.into(),
        colour: colours[index],
        parts: vec![(estimate.map_or(0.0, |estimate| estimate.mean), fill(index))],
        words: Vec::new(),
        hatched: false,
        total: estimate.map_or_else(|| format::MISSING.into(), |estimate| said(&x, unit, estimate.mean)),
        remark: String::new(),
        interval: estimate.and_then(|estimate| estimate.drawn_interval()),
    };
    Bars {
        head: head(metric),
        bars: focus
            .cells
            .iter()
            .zip(estimates())
            .enumerate()
            .map(|(index, ((label, _), estimate))| bar(index, label, estimate))
            .collect(),
        x: x.clone(),
        key: Vec::new(),
        left: 0.0,
    }
}

/// What a metric means, and its name.
fn head(metric: &str) -> Head {
    if let Some(limit) = metric.strip_prefix(name::LIMITS) {
        let words = format!("How often the limit was run into: {}", limit.replace('_', " "));
        return Head::new(words, format!("({metric})"));
    }
    let explained = metrics::explain(metric).unwrap_or_default();
    let meaning = explained
        .lines()
        .nth(1)
        .unwrap_or_default()
        .trim()
        .trim_end_matches('.');
    if meaning.is_empty() {
        Head::new(metric, "")
    } else {
        Head::new(meaning, format!("({metric})"))
    }
}

/// A value in words: times in the unit of the axis, money to the cent.
fn said(x: &Axis, unit: Unit, value: f64) -> String {
    if unit == Unit::Seconds && value.is_finite() {
        x.say(value)
    } else {
        format::value(unit, value)
    }
}

/// A panel of lines for each metric, over the swept parameter.
fn curves(summary: &Summary, metrics: &[(&str, Unit)]) -> Vec<Panel> {
    let panel = |(metric, unit): &(&str, Unit)| {
        let mut panel = lines::sweep_panel(summary, Swept::Metric(metric, *unit))?;
        let scale = panel.head.note;
        panel.head = Head {
            note: scale,
            ..head(metric)
        };
        Some(panel)
    };
    metrics.iter().filter_map(panel).collect()
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Shape;
    use super::*;
    use crate::report::sample;

    fn words(summary: &Summary) -> Vec<String> {
        let named = expected(summary, &super::super::focus(summary)).expect("a picture");
        let text = |shape: &Shape| match shape {
            Shape::Text { text, .. } => Some(text.clone()),
            _ => None,
        };
        named.picture.shapes.iter().filter_map(text).collect()
    }

    #[test]
    fn each_metric_has_a_panel_and_each_variant_a_bar() {
        let mut summary = sample::four();
        let mut other = summary.expectations[0].clone();
        other.metric = "functions.checkout.cold_ratio / base".into();
        summary.expectations.push(other);
        let words = words(&summary);
        let count = |word: &str| words.iter().filter(|seen| *seen == word).count();
        assert_eq!(count("(functions.checkout.cold_ratio)"), 1);
        assert_eq!(count("(latency.p99)"), 1);
        assert_eq!(count(&summary.cells[0].variant), 2, "one bar in each of two panels");
        // The overview has the p99 already: it comes last.
        assert_eq!(
            asked(&summary).last().map(|(metric, _)| *metric),
            Some(name::LATENCY_P99)
        );
    }

    #[test]
    fn what_nobody_asks_for_or_is_zero_has_none() {
        let mut summary = sample::four();
        for metric in summary.cells.iter_mut().flat_map(|cell| &mut cell.metrics) {
            metric.estimate = Estimate::exact(0.0);
        }
        assert!(expected(&summary, &super::super::focus(&summary)).is_none());
        let one = sample::one();
        assert!(
            expected(&one, &super::super::focus(&one)).is_none(),
            "it expects nothing"
        );
    }

    #[test]
    fn an_interval_drags_no_axis_along() {
        let mut summary = sample::sweep();
        for cell in &mut summary.cells {
            let metric = cell.metrics.iter_mut().find(|metric| metric.name == name::LATENCY_P99);
            let estimate = &mut metric.expect("a p99").estimate;
            *estimate = Estimate::exact(1.0);
            estimate.interval = Some((1e-9, 7000.0));
        }
        let what = Swept::Metric(name::LATENCY_P99, Unit::Seconds);
        let panel = lines::sweep_panel(&summary, what).expect("a panel");
        assert!(panel.y.high <= 2.0 && !panel.y.is_log(), "{:?}", panel.y);
    }

    #[test]
    fn a_sweep_gets_curves_with_the_names_at_their_ends() {
        let mut summary = sample::sweep();
        summary.expectations = sample::four().expectations;
        let words = words(&summary);
        for variant in summary.variants() {
            let named = words.iter().filter(|seen| seen.split("  ").next() == Some(variant));
            assert_eq!(named.count(), 1, "{variant}");
        }
    }
}
