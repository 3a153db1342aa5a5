//! Replications of one cell to figures with intervals.
//!
//! Every figure gets an interval made for its kind ([`super::figures`]); nothing inside a run is taken for independent
//! (see docs/statistics.md).

use super::figures::{self, estimate, metric};
use super::study::CellPlan;
use super::summary::{CauseBreakdown, CauseShare, Cell, Distribution, Metric, Timeline, Unit, name};
use super::{coarse, levels, limits, mean_month};
use crate::kernel::Duration;
use crate::model::request::entry::{CAUSES, Cause};
use crate::model::request::hits::Limit;
use crate::model::world::run::{RunResult, World};
use crate::model::{KINDS, Plan, kind};
use crate::stats::{CauseTable, Histogram, Observation, Series, SeriesUnit, Value};

/// Adds up the replications of a cell.
pub fn aggregate(cell: &CellPlan, results: &[RunResult]) -> Cell {
    let mut metrics = Vec::new();
    let mut distributions = Vec::new();
    let mut timelines = Vec::new();
    system(&cell.plan, results, &mut metrics, &mut distributions, &mut timelines);
    components(&cell.plan, results, &mut metrics, &mut distributions);
    series(&cell.plan, results, &mut timelines);
    let threshold = distributions
        .first()
        .map_or(0.0, |d: &Distribution| quantile_of(d, 0.99));
    let bill = mean_month::bill_summary(cell, results, &mut metrics);
    limits::metrics(results, &mut metrics);
    Cell {
        variant: cell.variant.clone(),
        point: cell.point.clone(),
        requests: results.iter().map(|result| count(result, &cell.plan, "requests")).sum(),
        events: results.iter().map(|result| result.events).sum(),
        metrics,
        distributions,
        timelines,
        causes: causes(&cell.plan, results, threshold),
        bill,
        limits: limits::table(&cell.plan, results),
        faults: limits::faults(&cell.plan, results),
        verdicts: Vec::new(),
        regimes: Vec::new(),
        losses: Vec::new(),
        levels: levels::shares(results, |o| label(&cell.plan, o.component, o.metric)),
        refused: None,
    }
}

/// The values of a metric by window in one run, in the metric's unit, if it has any.
pub fn windows_of(plan: &Plan, result: &RunResult, metric: &str) -> Option<Vec<f64>> {
    let scaled = |line: &Series| -> Vec<f64> {
        let factor = unit_of(line.unit).1;
        line.values.iter().map(|value| value * factor).collect()
    };
    if metric == name::LATENCY_P99 {
        return Some(scaled(&line_of_clients(result, plan)));
    }
    let of_name = |line: &&Series| label(plan, line.component, line.metric) == metric;
    result.series.iter().find(of_name).map(scaled)
}

/// Names of metrics, each with its unit.
pub type Named = Vec<(String, Unit)>;

/// The names and units of all metrics that the cells of this plan have, and those of which there is a value for each
/// window: those of a run that ends as it begins.
pub fn metrics_of(plan: &Plan) -> (Named, Named) {
    let mut still = plan.clone();
    (still.length, still.warmup) = (Duration::ZERO, Duration::ZERO);
    let results = [World::new(&still, 0).run()];
    let (mut metrics, mut distributions, mut timelines) = (Vec::new(), Vec::new(), Vec::new());
    system(&still, &results, &mut metrics, &mut distributions, &mut timelines);
    components(&still, &results, &mut metrics, &mut distributions);
    series(&still, &results, &mut timelines);
    let mut names: Vec<(String, Unit)> = metrics.into_iter().map(|metric| (metric.name, metric.unit)).collect();
    names.extend(
        Limit::ALL
            .iter()
            .map(|limit| (limits::metric_name(*limit), Unit::Count)),
    );
    names.extend([name::BILL_MONTH, name::BILL_PER_MILLION].map(|name| (name.to_owned(), Unit::Dollars)));
    (
        names,
        timelines.into_iter().map(|line| (line.name, line.unit)).collect(),
    )
}

/// Every component's metrics by window.
fn series(plan: &Plan, results: &[RunResult], timelines: &mut Vec<Timeline>) {
    let Some(first) = results.first() else { return };
    for (line, of_first) in first.series.iter().enumerate() {
        let lines: Vec<&Series> = results.iter().map(|result| &result.series[line]).collect();
        timelines.push(timeline(plan, label(plan, of_first.component, of_first.metric), &lines));
    }
}

/// The full name of a component's metric.
fn label(plan: &Plan, component: u32, metric: &str) -> String {
    let component = &plan.components[component as usize];
    format!("{}.{}.{metric}", KINDS[component.target.kind as usize], component.name)
}

fn quantile_of(distribution: &Distribution, q: f64) -> f64 {
    distribution
        .points
        .iter()
        .find(|point| point.1 >= q)
        .map_or(0.0, |point| point.0)
}

/// The observations of one metric of all clients in one run.
fn of_clients<'r>(result: &'r RunResult, plan: &'r Plan, metric: &'r str) -> impl Iterator<Item = &'r Observation> {
    let client = |o: &&Observation| plan.components[o.component as usize].target.kind == kind::CLIENT;
    result
        .observations
        .iter()
        .filter(move |o| o.metric == metric)
        .filter(client)
}

/// Whether a client's answers count for the latency of the whole system: not those that nobody waits for, unless there
/// are no others.
fn in_foreground(plan: &Plan, component: u32) -> bool {
    let only_background = plan.clients.iter().all(|client| client.background);
    only_background
        || plan
            .clients
            .iter()
            .any(|client| client.component == component && !client.background)
}

pub(super) fn count(result: &RunResult, plan: &Plan, metric: &str) -> u64 {
    of_clients(result, plan, metric)
        .map(|o| if let Value::Count(n) = o.value { n } else { 0 })
        .sum()
}

/// What the clients see, all of them together.
fn system(
    plan: &Plan,
    results: &[RunResult],
    metrics: &mut Vec<Metric>,
    distributions: &mut Vec<Distribution>,
    timelines: &mut Vec<Timeline>,
) {
    let each = |get: &dyn Fn(&RunResult) -> f64| results.iter().map(get).collect::<Vec<f64>>();
    let seconds = |result: &RunResult| result.measured.as_secs_f64();
    let errors: Vec<u64> = results.iter().map(|result| failed(result, plan)).collect();
    let requests: Vec<u64> = results.iter().map(|result| count(result, plan, "requests")).collect();
    let lengths: Vec<f64> = each(&seconds);
    let rate = |counts: &dyn Fn(usize) -> u64| (0..results.len()).map(|i| counts(i) as f64 / lengths[i]).collect();
    metrics.push(metric(name::OFFERED, Unit::PerSecond, rate(&|i| requests[i])));
    metrics.push(metric(
        name::THROUGHPUT,
        Unit::PerSecond,
        rate(&|i| requests[i] - errors[i]),
    ));
    metrics.push(figures::share(name::ERROR_RATIO, &errors, &requests));
    let of_all = |metric: &str| -> Vec<Histogram> {
        let all = |result| figures::pooled(&answers(result, plan, metric).collect::<Vec<_>>());
        results.iter().map(all).collect()
    };
    let histograms = of_all("latency");
    let histograms: Vec<&Histogram> = histograms.iter().collect();
    figures::latency(name::LATENCY, &histograms, &plan.percentiles, metrics, distributions);
    let worst: Vec<&Histogram> = results.iter().map(|result| worst_of_clients(result, plan)).collect();
    let all = figures::pooled(&worst);
    metrics.push(figures::percentile(
        name::LATENCY_P99_WORST.to_owned(),
        &worst,
        &all,
        99.0,
    ));
    let lines: Vec<Series> = results.iter().map(|result| line_of_clients(result, plan)).collect();
    timelines.push(timeline(
        plan,
        name::LATENCY_P99.to_owned(),
        &lines.iter().collect::<Vec<_>>(),
    ));
    if !plan.functions.is_empty() {
        let (cold, invocations): (Vec<u64>, Vec<u64>) = results.iter().map(cold_starts).unzip();
        metrics.push(figures::share(name::COLD_RATIO, &cold, &invocations));
    }
}

/// Requests of all clients that failed.
fn failed(result: &RunResult, plan: &Plan) -> u64 {
    let part = |o: &Observation| {
        if let Value::Ratio { part, .. } = o.value {
            part
        } else {
            0
        }
    };
    of_clients(result, plan, name::ERROR_RATIO).map(part).sum()
}

/// A distribution of each client that somebody waits for.
fn answers<'r>(result: &'r RunResult, plan: &'r Plan, metric: &'r str) -> impl Iterator<Item = &'r Histogram> {
    of_clients(result, plan, metric)
        .filter(|o| in_foreground(plan, o.component))
        .filter_map(|o| histogram(&o.value))
}

/// The answers in the worst window of a run: that of the client whose worst window is the worst.
fn worst_of_clients<'r>(result: &'r RunResult, plan: &'r Plan) -> &'r Histogram {
    const NOTHING: &Histogram = &Histogram::new();
    // Answers that take no time are answers, too.
    let p99 = |h: &Histogram| (!h.is_empty()).then(|| h.quantile(0.99));
    let worse = |a: &'r Histogram, b: &'r Histogram| if p99(b) > p99(a) { b } else { a };
    answers(result, plan, name::LATENCY_P99_WORST).fold(NOTHING, worse)
}

/// Cold starts of all functions, and all their invocations.
fn cold_starts(result: &RunResult) -> (u64, u64) {
    let (mut part, mut whole) = (0, 0);
    for o in result.observations.iter().filter(|o| o.metric == name::COLD_RATIO) {
        if let Value::Ratio { part: p, whole: w } = o.value {
            part += p;
            whole += w;
        }
    }
    (part, whole)
}

/// The p99 by window over all clients that somebody waits for: that of the client with the highest one.
fn line_of_clients(result: &RunResult, plan: &Plan) -> Series {
    let mut lines = result.series.iter().filter(|line| {
        line.metric == "latency.p99"
            && plan.components[line.component as usize].target.kind == kind::CLIENT
            && in_foreground(plan, line.component)
    });
    let empty = Series {
        component: 0,
        metric: "latency.p99",
        unit: SeriesUnit::Nanoseconds,
        values: Vec::new(),
    };
    let mut worst = lines.next().cloned().unwrap_or(empty);
    for line in lines {
        for (a, b) in worst.values.iter_mut().zip(&line.values) {
            *a = a.max(*b);
        }
    }
    worst
}

fn histogram(value: &Value) -> Option<&Histogram> {
    if let Value::Latency(h) = value { Some(h) } else { None }
}

/// Every component's own metrics.
fn components(plan: &Plan, results: &[RunResult], metrics: &mut Vec<Metric>, distributions: &mut Vec<Distribution>) {
    let Some(first) = results.first() else { return };
    for (i, observation) in first.observations.iter().enumerate() {
        let name = label(plan, observation.component, observation.metric);
        let values: Vec<&Value> = results.iter().map(|result| &result.observations[i].value).collect();
        let histograms: Vec<&Histogram> = values.iter().copied().filter_map(histogram).collect();
        if let Value::Levels(_) = observation.value {
            levels::quantiles(&name, results, i, metrics);
        } else if !matches!(observation.value, Value::Latency(_)) {
            metrics.push(figures::of_values(name, &values));
        } else if observation.metric == name::LATENCY_P99_WORST {
            metrics.push(figures::percentile(
                name,
                &histograms,
                &figures::pooled(&histograms),
                99.0,
            ));
        } else {
            figures::latency(&name, &histograms, &plan.percentiles, metrics, distributions);
        }
    }
}

/// The unit of a series in summaries, and how much of it one of the series is.
fn unit_of(unit: SeriesUnit) -> (Unit, f64) {
    match unit {
        SeriesUnit::Nanoseconds => (Unit::Seconds, 1e-9),
        SeriesUnit::PerSecond => (Unit::PerSecond, 1.0),
        SeriesUnit::Level => (Unit::Level, 1.0),
        SeriesUnit::Ratio => (Unit::Ratio, 1.0),
        SeriesUnit::Count => (Unit::Count, 1.0),
    }
}

fn timeline(plan: &Plan, name: String, lines: &[&Series]) -> Timeline {
    let windows = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let (unit, factor) = lines.first().map_or((Unit::Count, 1.0), |line| unit_of(line.unit));
    // Windows are counted from the start of the run; those of the warm-up were not measured.
    let before = (plan.warmup.0 as f64 / plan.window.0 as f64).round() as usize;
    let together = coarse::factor(plan) as usize;
    let mut timeline = Timeline {
        name,
        unit,
        mean: vec![f64::NAN; before / together],
        low: vec![f64::NAN; before / together],
        high: vec![f64::NAN; before / together],
    };
    for span in coarse::spans(before, windows, together) {
        let window = |line: &Series, window: usize| line.values.get(window).map_or(f64::NAN, |value| value * factor);
        let value = |line: &&Series| coarse::merged(line.unit, span.clone(), |at| window(line, at));
        let estimate = estimate(&lines.iter().map(value).collect::<Vec<_>>());
        let (low, mut high) = estimate.interval.unwrap_or((f64::NAN, f64::NAN));
        if unit == Unit::Ratio {
            high = high.min(1.0);
        }
        timeline.mean.push(estimate.mean);
        timeline.low.push(low);
        timeline.high.push(high);
    }
    timeline
}

fn causes(plan: &Plan, results: &[RunResult], threshold_s: f64) -> Vec<CauseBreakdown> {
    let mut table = CauseTable::new(CAUSES);
    let flows = results.iter().flat_map(|result| &result.flows);
    flows
        .filter(|flow| in_foreground(plan, flow.component))
        .for_each(|flow| table.merge(&flow.causes));
    let breakdown = |name: &str, (count, sums): (u64, Vec<u128>)| {
        let total: u128 = sums.iter().sum();
        let share = |(cause, sum): (&Cause, u128)| CauseShare {
            cause: cause.name().to_owned(),
            mean_s: sum as f64 / (count.max(1) as f64) / 1e9,
            share: sum as f64 / (total.max(1) as f64),
        };
        let causes = Cause::ALL
            .iter()
            .zip(sums)
            .filter(|(_, sum)| *sum > 0)
            .map(share)
            .collect();
        CauseBreakdown {
            name: name.to_owned(),
            causes,
        }
    };
    let slowest = table.above((threshold_s * 1e9) as u64);
    vec![
        breakdown(name::CAUSES_ALL, table.total()),
        breakdown(name::CAUSES_SLOWEST, slowest),
    ]
}
