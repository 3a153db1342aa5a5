//! Replications of one cell to figures with intervals.
//!
//! Means get a t-interval over replications; quantiles are those of the pooled histogram, with the spread of the
//! replications' own quantiles; nothing inside a run is taken for independent (see docs/statistics.md).

use super::study::CellPlan;
use super::summary::{
    BillLine, BillSummary, CauseBreakdown, CauseShare, Cell, Distribution, Estimate, Metric, Timeline, Unit, name,
};
use super::{levels, limits};
use crate::cost::Bill;
use crate::kernel::Duration;
use crate::model::limits::Limit;
use crate::model::request::{CAUSES, Cause};
use crate::model::world::{RunResult, World};
use crate::model::{KINDS, Plan, kind};
use crate::stats::interval::{mean_interval, quantile_interval};
use crate::stats::{CauseTable, Histogram, Observation, Series, SeriesUnit, Value};

/// Confidence of all intervals.
const CONFIDENCE: f64 = 0.95;

/// The quantiles that are reported of every distribution.
const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.9", 0.999),
];

/// Adds up the replications of a cell.
pub fn aggregate(cell: &CellPlan, results: &[RunResult]) -> Cell {
    let mut metrics = Vec::new();
    let mut distributions = Vec::new();
    let mut timelines = Vec::new();
    system(&cell.plan, results, &mut metrics, &mut distributions, &mut timelines);
    components(&cell.plan, results, &mut metrics, &mut distributions);
    series(&cell.plan, results, &mut metrics, &mut timelines);
    let threshold = distributions
        .first()
        .map_or(0.0, |d: &Distribution| quantile_of(d, 0.99));
    let bill = bill_summary(cell, results, &mut metrics);
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
        levels: levels::shares(results, |o| label(&cell.plan, o.component, o.metric)),
        refused: None,
    }
}

/// The names and units of all metrics that the cells of this plan have: those of a run that ends as it begins.
pub fn metrics_of(plan: &Plan) -> Vec<(String, Unit)> {
    let still = Plan {
        length: Duration::ZERO,
        warmup: Duration::ZERO,
        ..plan.clone()
    };
    let results = [World::new(&still, 0).run()];
    let (mut metrics, mut distributions, mut timelines) = (Vec::new(), Vec::new(), Vec::new());
    system(&still, &results, &mut metrics, &mut distributions, &mut timelines);
    components(&still, &results, &mut metrics, &mut distributions);
    series(&still, &results, &mut metrics, &mut timelines);
    let mut names: Vec<(String, Unit)> = metrics.into_iter().map(|metric| (metric.name, metric.unit)).collect();
    names.extend(
        Limit::ALL
            .iter()
            .map(|limit| (limits::metric_name(*limit), Unit::Count)),
    );
    names.extend([name::BILL_MONTH, name::BILL_PER_MILLION].map(|name| (name.to_owned(), Unit::Dollars)));
    names
}

/// Every component's metrics by window, and the worst window of those that are percentiles of latency.
fn series(plan: &Plan, results: &[RunResult], metrics: &mut Vec<Metric>, timelines: &mut Vec<Timeline>) {
    let Some(first) = results.first() else { return };
    for (line, of_first) in first.series.iter().enumerate() {
        let lines: Vec<&Series> = results.iter().map(|result| &result.series[line]).collect();
        if of_first.metric == name::LATENCY_P99 {
            let worst = |line: &&Series| line.values.iter().copied().fold(f64::NAN, f64::max) / 1e9;
            let name = label(plan, of_first.component, name::LATENCY_P99_WORST);
            metrics.push(metric(name, Unit::Seconds, lines.iter().map(worst).collect()));
        }
        timelines.push(timeline(plan, label(plan, of_first.component, of_first.metric), &lines));
    }
}

/// The full name of a component's metric.
fn label(plan: &Plan, component: u32, metric: &str) -> String {
    let component = &plan.components[component as usize];
    format!("{}.{}.{metric}", KINDS[component.target.kind as usize], component.name)
}

pub(super) fn estimate(values: &[f64]) -> Estimate {
    let seen: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    convert(mean_interval(&seen, CONFIDENCE), seen.len())
}

fn convert(interval: crate::stats::Estimate, replications: usize) -> Estimate {
    Estimate {
        mean: interval.mean,
        interval: interval.low.zip(interval.high),
        replications: replications as u32,
    }
}

pub(super) fn metric(name: impl Into<String>, unit: Unit, per_replication: Vec<f64>) -> Metric {
    Metric {
        name: name.into(),
        unit,
        estimate: estimate(&per_replication),
        per_replication,
    }
}

/// Quantiles, mean and maximum of the histograms of all replications, and the pooled distribution.
fn latency(stem: &str, histograms: &[&Histogram], metrics: &mut Vec<Metric>, distributions: &mut Vec<Distribution>) {
    let mut pooled = Histogram::new();
    for histogram in histograms {
        pooled.merge(histogram);
    }
    let each = |get: &dyn Fn(&Histogram) -> f64| -> Vec<f64> {
        histograms
            .iter()
            .map(|h| if h.is_empty() { f64::NAN } else { get(h) / 1e9 })
            .collect()
    };
    metrics.push(metric(format!("{stem}.mean"), Unit::Seconds, each(&Histogram::mean)));
    for (word, q) in QUANTILES {
        let per_replication = each(&|h| h.quantile(q) as f64);
        let seen: Vec<f64> = per_replication.iter().copied().filter(|v| v.is_finite()).collect();
        let centre = if pooled.is_empty() {
            f64::NAN
        } else {
            pooled.quantile(q) as f64 / 1e9
        };
        let estimate = convert(quantile_interval(centre, &seen, CONFIDENCE), seen.len());
        metrics.push(Metric {
            name: format!("{stem}.{word}"),
            unit: Unit::Seconds,
            estimate,
            per_replication,
        });
    }
    metrics.push(metric(format!("{stem}.max"), Unit::Seconds, each(&|h| h.max() as f64)));
    distributions.push(distribution(stem, &pooled));
}

/// The points of a distribution: no closer than a fiftieth of a decade of the tail, so that files stay small.
fn distribution(stem: &str, pooled: &Histogram) -> Distribution {
    let total = pooled.count();
    let (mut points, mut below, mut last) = (Vec::new(), 0, (-1.0, -1.0));
    for (_, high, count) in pooled.buckets() {
        below += count;
        let share = below as f64 / total as f64;
        let tail = -libm::log10((1.0 - share).max(0.5 / total as f64));
        if share - last.0 >= 0.005 || tail - last.1 >= 0.02 || below == total {
            points.push(((high.min(pooled.max())) as f64 / 1e9, share));
            last = (share, tail);
        }
    }
    Distribution {
        name: stem.to_owned(),
        unit: Unit::Seconds,
        count: total,
        points,
    }
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

fn count(result: &RunResult, plan: &Plan, metric: &str) -> u64 {
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
    let errors = |result: &RunResult| {
        let mut part = 0;
        for o in of_clients(result, plan, "error_ratio") {
            if let Value::Ratio { part: failed, .. } = o.value {
                part += failed;
            }
        }
        part as f64
    };
    let requests = |result: &RunResult| count(result, plan, "requests") as f64;
    metrics.push(metric(
        name::OFFERED,
        Unit::PerSecond,
        each(&|r| requests(r) / seconds(r)),
    ));
    metrics.push(metric(
        name::THROUGHPUT,
        Unit::PerSecond,
        each(&|r| (requests(r) - errors(r)) / seconds(r)),
    ));
    metrics.push(metric(
        name::ERROR_RATIO,
        Unit::Ratio,
        each(&|r| errors(r) / requests(r)),
    ));
    let pooled: Vec<Histogram> = results
        .iter()
        .map(|result| {
            let mut all = Histogram::new();
            for o in of_clients(result, plan, "latency").filter(|o| in_foreground(plan, o.component)) {
                if let Value::Latency(h) = &o.value {
                    all.merge(h);
                }
            }
            all
        })
        .collect();
    latency(
        name::LATENCY,
        &pooled.iter().collect::<Vec<_>>(),
        metrics,
        distributions,
    );
    let lines: Vec<Series> = results.iter().map(|result| worst_of_clients(result, plan)).collect();
    let worst = |line: &Series| line.values.iter().copied().fold(f64::NAN, f64::max) / 1e9;
    metrics.push(metric(
        name::LATENCY_P99_WORST,
        Unit::Seconds,
        lines.iter().map(worst).collect(),
    ));
    timelines.push(timeline(
        plan,
        name::LATENCY_P99.to_owned(),
        &lines.iter().collect::<Vec<_>>(),
    ));
    if !plan.functions.is_empty() {
        metrics.push(metric(name::COLD_RATIO, Unit::Ratio, each(&cold_ratio)));
    }
}

/// Cold starts of all functions over all their invocations.
fn cold_ratio(result: &RunResult) -> f64 {
    let (mut part, mut whole) = (0, 0);
    for o in result.observations.iter().filter(|o| o.metric == name::COLD_RATIO) {
        if let Value::Ratio { part: p, whole: w } = o.value {
            part += p;
            whole += w;
        }
    }
    part as f64 / whole as f64
}

/// The p99 by window over all clients that somebody waits for: that of the client with the highest one.
fn worst_of_clients(result: &RunResult, plan: &Plan) -> Series {
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

/// Every component's own metrics.
fn components(plan: &Plan, results: &[RunResult], metrics: &mut Vec<Metric>, distributions: &mut Vec<Distribution>) {
    let Some(first) = results.first() else { return };
    for (i, observation) in first.observations.iter().enumerate() {
        let name = label(plan, observation.component, observation.metric);
        if let Value::Latency(_) = observation.value {
            let histograms: Vec<&Histogram> = results
                .iter()
                .filter_map(|r| {
                    if let Value::Latency(h) = &r.observations[i].value {
                        Some(&**h)
                    } else {
                        None
                    }
                })
                .collect();
            latency(&name, &histograms, metrics, distributions);
            continue;
        }
        if let Value::Levels(_) = observation.value {
            levels::quantiles(&name, results, i, metrics);
            continue;
        }
        let unit = match observation.value {
            Value::Count(_) | Value::Halves(_) | Value::Peak(_) => Unit::Count,
            Value::Ratio { .. } => Unit::Ratio,
            Value::PerEach { .. } => Unit::Plain,
            _ => Unit::Level,
        };
        let value = |result: &RunResult| result.observations[i].value.number().unwrap_or(f64::NAN);
        metrics.push(metric(name, unit, results.iter().map(value).collect()));
    }
}

fn timeline(plan: &Plan, name: String, lines: &[&Series]) -> Timeline {
    let windows = lines.iter().map(|line| line.values.len()).max().unwrap_or(0);
    let (unit, factor) = match lines.first().map(|line| line.unit) {
        Some(SeriesUnit::Nanoseconds) => (Unit::Seconds, 1e-9),
        Some(SeriesUnit::PerSecond) => (Unit::PerSecond, 1.0),
        Some(SeriesUnit::Level) => (Unit::Level, 1.0),
        Some(SeriesUnit::Ratio) => (Unit::Ratio, 1.0),
        _ => (Unit::Count, 1.0),
    };
    // Windows are counted from the start of the run; those of the warm-up were not measured.
    let before = (plan.warmup.0 as f64 / plan.window.0 as f64).round() as usize;
    let mut timeline = Timeline {
        name,
        unit,
        mean: vec![f64::NAN; before],
        low: vec![f64::NAN; before],
        high: vec![f64::NAN; before],
    };
    for window in 0..windows {
        let value = |line: &&Series| line.values.get(window).map_or(f64::NAN, |value| value * factor);
        let estimate = estimate(&lines.iter().map(value).collect::<Vec<_>>());
        let (low, high) = estimate.interval.unwrap_or((f64::NAN, f64::NAN));
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

/// The bill: one for each replication, so that its lines have intervals too.
fn bill_summary(cell: &CellPlan, results: &[RunResult], metrics: &mut Vec<Metric>) -> BillSummary {
    let bills: Vec<Bill> = results
        .iter()
        .map(|result| cell.billing.bill(&cell.plan, &result.meters, result.measured))
        .collect();
    let totals: Vec<f64> = bills.iter().map(|bill| bill.total.as_f64()).collect();
    let per_million = |(bill, result): (&f64, &RunResult)| {
        let requests = count(result, &cell.plan, "requests") as f64 * cell.billing.repeats(result.measured);
        bill / requests * 1e6
    };
    let millions: Vec<f64> = totals.iter().zip(results).map(per_million).collect();
    metrics.push(metric(name::BILL_MONTH, Unit::Dollars, totals.clone()));
    metrics.push(metric(name::BILL_PER_MILLION, Unit::Dollars, millions.clone()));
    let mut lines: Vec<BillLine> = Vec::new();
    for line in bills.iter().flat_map(|bill| &bill.lines) {
        let known = |other: &BillLine| {
            other.component == line.component && other.line == line.line && other.service == line.service
        };
        if lines.iter().any(known) {
            continue;
        }
        // A line that a replication does not have is one of nothing.
        let same = |bill: &Bill| {
            let mine = bill
                .lines
                .iter()
                .find(|l| l.component == line.component && l.line == line.line);
            mine.map_or((0.0, 0.0), |l| (l.quantity, l.amount.as_f64()))
        };
        let values: Vec<(f64, f64)> = bills.iter().map(same).collect();
        lines.push(BillLine {
            component: line.component.clone(),
            service: line.service.clone(),
            line: line.line.clone(),
            unit: line.unit.clone(),
            quantity: estimate(&values.iter().map(|v| v.0).collect::<Vec<_>>()),
            price: line.price.clone(),
            amount: estimate(&values.iter().map(|v| v.1).collect::<Vec<_>>()),
            confidence: line.confidence.name().to_owned(),
        });
    }
    let mut notes: Vec<String> = bills.first().map_or(Vec::new(), |bill| bill.notes.clone());
    for unpriced in bills.first().map_or(&[][..], |bill| &bill.unpriced) {
        notes.push(format!(
            "no price for {} of {} ({})",
            unpriced.meter.name(),
            unpriced.component,
            unpriced.service
        ));
    }
    let measured = results.first().map_or(Duration::ZERO, |result| result.measured);
    notes.push(cell.billing.month_in_words(measured));
    let per_million = millions.iter().any(|v| v.is_finite()).then(|| estimate(&millions));
    BillSummary {
        lines,
        total: estimate(&totals),
        per_million,
        notes,
    }
}
