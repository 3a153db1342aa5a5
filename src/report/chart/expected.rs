//! The figures that the scenario's `expect` list names, side by side: they are what its author asks about, and most of
//! them have no other chart.

use super::axis::Axis;
use super::canvas::Picture;
use super::lines::{self, Swept};
use super::plot::{self, Bar, Bars, Entry, Panel};
use super::{Focus, Named, WIDTH, focus, look, provenance, unlabelled};
use crate::kernel::number::fit;
use crate::report::format;
use crate::run::summary::{Estimate, Summary, Unit, name};

/// Panels at most; the rest is left to the table of expectations.
const MOST_PANELS: usize = 6;
/// Metrics that the overview shows already: they come last.
const SHOWN_ELSEWHERE: [&str; 2] = [name::LATENCY_P99, name::BILL_MONTH];
/// Height of a panel of lines, in pixels.
const LINES_HEIGHT: u32 = 400;

/// One panel for each metric that the scenario has expectations of: bars by variant, or curves over a sweep.
pub fn expected(summary: &Summary) -> Option<Named> {
    let focus = focus(summary);
    let metrics = metrics(summary);
    let columns = metrics.len().clamp(1, 2);
    let rows = metrics.len().div_ceil(columns);
    let swept = focus.cells.len() < summary.cells.len() && !summary.axes.is_empty();
    let panel_height = if swept {
        LINES_HEIGHT
    } else {
        96 + 42 * fit::<u32, _>(focus.cells.len())
    };
    let mut picture = Picture::new(WIDTH, 180 + fit::<u32, _>(rows) * (panel_height + 24));
    let title = if summary.title.is_empty() {
        &summary.scenario
    } else {
        &summary.title
    };
    let note = if swept { "" } else { focus.note.as_str() };
    let words = [note, &provenance(summary, "whiskers")];
    let words: Vec<&str> = words.into_iter().filter(|words| !words.is_empty()).collect();
    let rect = plot::frame(
        &mut picture,
        title,
        &format!("what it is judged by · {}", words.join(" · ")),
    );
    if swept {
        let panels = curves(summary, &metrics);
        let rect = plot::legend(&mut picture, rect, &panels.first()?.1);
        for (rect, (panel, _)) in rect.grid(rows, columns, 24.0).into_iter().zip(&panels) {
            plot::panel(&mut picture, rect, panel);
        }
    } else {
        metrics.first()?;
        for (rect, (metric, unit)) in rect.grid(rows, columns, 24.0).into_iter().zip(&metrics) {
            plot::bars(&mut picture, rect, &bars(&focus, metric, *unit));
        }
    }
    Some(Named {
        stem: "expected".into(),
        caption: "The metrics that the scenario's expectations name.".into(),
        picture,
    })
}

/// The metrics that expectations name, each once, in their order; those that are zero in every cell say nothing.
fn metrics(summary: &Summary) -> Vec<(&str, Unit)> {
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
fn bars(focus: &Focus, metric: &str, unit: Unit) -> Bars {
    let estimates = || {
        focus
            .cells
            .iter()
            .map(|(_, cell)| cell.metric(metric).map(|metric| metric.estimate))
    };
    let ends = estimates().flatten().flat_map(|estimate| {
        let high = estimate.drawn_interval().map_or(estimate.mean, |(_, high)| high);
        [estimate.mean, high]
    });
    let mut x = Axis::from_zero(metric, unit, ends);
    // The title says it.
    x.label.clear();
    let bar = |index: usize, label: &str, estimate: Option<Estimate>| {
        let mut parts = vec![0.0; focus.cells.len()];
        parts[index] = estimate.map_or(0.0, |estimate| estimate.mean);
        Bar {
            label: label.into(),
            parts,
            total: estimate.map_or_else(|| format::MISSING.into(), |estimate| format::value(unit, estimate.mean)),
            interval: estimate.and_then(|estimate| estimate.drawn_interval()),
        }
    };
    Bars {
        title: metric.into(),
        x,
        bars: focus
            .cells
            .iter()
            .zip(estimates())
            .enumerate()
            .map(|(index, ((label, _), estimate))| bar(index, label, estimate))
            .collect(),
        colours: (0..focus.cells.len()).map(|index| look(index, false).colour).collect(),
    }
}

/// A panel of lines for each metric, over the swept parameter.
fn curves(summary: &Summary, metrics: &[(&str, Unit)]) -> Vec<(Panel, Vec<Entry>)> {
    metrics
        .iter()
        .filter_map(|(metric, unit)| lines::sweep_panel(summary, Swept::Metric(metric, *unit)))
        .map(|(panel, entries)| (unlabelled(panel), entries))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Shape;
    use super::*;
    use crate::report::sample;

    fn words(summary: &Summary) -> Vec<String> {
        let named = expected(summary).expect("a picture");
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
        assert_eq!(count("functions.checkout.cold_ratio"), 1);
        assert_eq!(count(name::LATENCY_P99), 1);
        assert_eq!(count(&summary.cells[0].variant), 2, "one bar in each of two panels");
        // The overview has the p99 already: it comes last.
        assert_eq!(
            metrics(&summary).last().map(|(metric, _)| *metric),
            Some(name::LATENCY_P99)
        );
    }

    #[test]
    fn what_nobody_asks_for_or_is_zero_has_none() {
        let mut summary = sample::four();
        for metric in summary.cells.iter_mut().flat_map(|cell| &mut cell.metrics) {
            metric.estimate = Estimate::exact(0.0);
        }
        assert!(expected(&summary).is_none());
        assert!(expected(&sample::one()).is_none(), "it expects nothing");
    }

    #[test]
    fn an_interval_is_not_cut_off_where_another_value_is_zero() {
        let mut summary = sample::sweep();
        let last = summary.cells.len() - 1;
        for (index, cell) in summary.cells.iter_mut().enumerate() {
            let metric = cell.metrics.iter_mut().find(|metric| metric.name == name::LATENCY_P99);
            let estimate = &mut metric.expect("a p99").estimate;
            *estimate = Estimate::exact(if index == 0 { 0.0 } else { 1.0 });
            if index == last {
                estimate.interval = Some((0.5, 7.0));
            }
        }
        let what = Swept::Metric(name::LATENCY_P99, Unit::Seconds);
        let (panel, _) = lines::sweep_panel(&summary, what).expect("a panel");
        assert!(panel.y.high >= 7.0, "{}", panel.y.high);
    }

    #[test]
    fn a_sweep_gets_curves_with_one_legend() {
        let mut summary = sample::sweep();
        summary.expectations = sample::four().expectations;
        let words = words(&summary);
        for variant in summary.variants() {
            assert_eq!(words.iter().filter(|seen| *seen == variant).count(), 1, "{variant}");
        }
    }
}
