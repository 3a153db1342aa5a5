//! Replications of one cell to figures with intervals, metric by metric: each is unpacked from the tallies of all runs,
//! and gone before the next.
//!
//! Every figure gets an interval made for its kind ([`super::figures`]); nothing inside a run is taken for independent
//! (see docs/statistics.md).

use super::figures::{self, estimate, metric};
use super::study::CellPlan;
use super::summary::{CauseBreakdown, CauseShare, Cell, Distribution, Metric, Timeline, Unit, name};
use super::tally::{Line, Packed, Seen};
use super::{coarse, happenings, inventory, levels, limits, mean_month};
use crate::kernel::Duration;
use crate::kernel::number::{fit, whole, whole_usize};
use crate::model::request::entry::{CAUSES, Cause};
use crate::model::request::hits::Limit;
use crate::model::world::run::World;
use crate::model::{KINDS, Plan, kind};
use crate::stats::{CauseTable, Histogram, SeriesUnit, SparseHistogram, Value};

/// Adds up the replications of a cell.
pub fn aggregate(cell: &CellPlan, results: &[&Packed]) -> Cell {
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
        events: results.iter().map(|result| result.events()).sum(),
        metrics,
        distributions,
        timelines,
        causes: causes(&cell.plan, results, threshold),
        bill,
        limits: limits::table(&cell.plan, results),
        sources: inventory::sources(&cell.plan),
        sized: inventory::sized(&cell.plan),
        episodes: inventory::episodes(&cell.plan),
        faults: limits::faults(&cell.plan, results),
        happenings: happenings::of(&cell.plan),
        verdicts: Vec::new(),
        regimes: Vec::new(),
        losses: Vec::new(),
        ledger: super::ledger::of(&cell.plan, results),
        units: Vec::new(),
        levels: levels::shares(results, |seen| label(&cell.plan, seen.component(), seen.metric())),
        refused: None,
    }
}

/// The values of a metric by window in one run, in the metric's unit, if it has any.
pub fn windows_of(plan: &Plan, result: &Packed, metric: &str) -> Option<Vec<f64>> {
    let scaled = |values: Vec<f64>, unit: SeriesUnit| -> Vec<f64> {
        let factor = unit_of(unit).1;
        values.iter().map(|value| value * factor).collect()
    };
    if [name::LATENCY_P99, name::LATENCY_FAILED_P99].contains(&metric) {
        return Some(scaled(
            line_of_clients(result, plan, metric, judged),
            SeriesUnit::Nanoseconds,
        ));
    }
    let of_name = |line: &Line| label(plan, line.component(), line.metric()) == metric;
    let line = result.series().find(of_name)?;
    Some(scaled(judged(result, plan, &line), line.unit()))
}

/// Names of metrics, each with its unit.
pub type Named = Vec<(String, Unit)>;

/// The names and units of all metrics that the cells of this plan have, and those of which there is a value for each
/// window: those of a run that ends as it begins.
pub fn metrics_of(plan: &Plan) -> (Named, Named) {
    let mut still = plan.clone();
    (still.length, still.warmup) = (Duration::ZERO, Duration::ZERO);
    let run = Packed::of(&World::new(&still, 0).run(), still.window);
    let results = [&run];
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
fn series(plan: &Plan, results: &[&Packed], timelines: &mut Vec<Timeline>) {
    let Some(first) = results.first() else { return };
    for (place, line) in first.series().enumerate() {
        let values = |result: &&Packed| {
            let same = result.line_like(place, &line);
            same.map_or_else(Vec::new, |line| line.values())
        };
        let lines: Vec<Vec<f64>> = results.iter().map(values).collect();
        let name = label(plan, line.component(), line.metric());
        timelines.push(timeline(plan, name, line.unit(), &lines));
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
fn of_clients<'r>(result: &'r Packed, plan: &'r Plan, metric: &str) -> impl Iterator<Item = Seen<'r>> + use<'r> {
    let client = |seen: &Seen| plan.components[seen.component() as usize].target.kind == kind::CLIENT;
    result.named(metric).filter(client)
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

pub(super) fn count(result: &Packed, plan: &Plan, metric: &str) -> u64 {
    of_clients(result, plan, metric).filter_map(|seen| seen.count()).sum()
}

/// What the clients see, all of them together.
fn system(
    plan: &Plan,
    results: &[&Packed],
    metrics: &mut Vec<Metric>,
    distributions: &mut Vec<Distribution>,
    timelines: &mut Vec<Timeline>,
) {
    let errors: Vec<u64> = results.iter().map(|result| failed(result, plan)).collect();
    let requests: Vec<u64> = results.iter().map(|result| count(result, plan, "requests")).collect();
    let lengths: Vec<f64> = results.iter().map(|result| result.measured().as_secs_f64()).collect();
    let rate = |counts: &dyn Fn(usize) -> u64| (0..results.len()).map(|i| counts(i) as f64 / lengths[i]).collect();
    let offered: Vec<u64> = results
        .iter()
        .map(|result| count(result, plan, name::OFFERED))
        .collect();
    metrics.push(metric(name::OFFERED, Unit::PerSecond, rate(&|i| offered[i])));
    metrics.push(metric(
        name::THROUGHPUT,
        Unit::PerSecond,
        rate(&|i| requests[i].saturating_sub(errors[i])),
    ));
    metrics.push(figures::share(name::ERROR_RATIO, &errors, &requests));
    let of = |metric: &str| {
        results
            .iter()
            .map(|result| pooled(answers(result, plan, metric)))
            .collect()
    };
    let good: Vec<SparseHistogram> = of(name::LATENCY);
    let borrowed: Vec<&SparseHistogram> = good.iter().collect();
    distributions.push(figures::latency(name::LATENCY, &borrowed, &plan.percentiles, metrics));
    not_good(
        plan,
        name::LATENCY,
        &good,
        &of(name::LATENCY_FAILED),
        metrics,
        distributions,
    );
    let worst: Vec<SparseHistogram> = results.iter().map(|result| worst_of_clients(result, plan)).collect();
    let worst: Vec<&SparseHistogram> = worst.iter().collect();
    let all = figures::pooled(&worst);
    metrics.push(figures::percentile(
        name::LATENCY_P99_WORST.to_owned(),
        &worst,
        &all,
        99.0,
    ));
    for metric in [name::LATENCY_P99, name::LATENCY_FAILED_P99] {
        let line = |result: &&Packed| line_of_clients(result, plan, metric, |_, _, line| line.values());
        let lines: Vec<Vec<f64>> = results.iter().map(line).collect();
        timelines.push(timeline(plan, metric.to_owned(), SeriesUnit::Nanoseconds, &lines));
    }
    if !plan.functions.is_empty() {
        let (cold, invocations): (Vec<u64>, Vec<u64>) = results.iter().map(|result| cold_starts(result)).unzip();
        metrics.push(figures::share(name::COLD_RATIO, &cold, &invocations));
    }
}

/// Requests of all clients that failed.
fn failed(result: &Packed, plan: &Plan) -> u64 {
    let ratios = of_clients(result, plan, name::ERROR_RATIO).filter_map(|seen| seen.ratio());
    ratios.map(|(part, _)| part).sum()
}

/// The share of a run's requests that failed; not a number if there were none.
pub(super) fn error_ratio(result: &Packed, plan: &Plan) -> f64 {
    failed(result, plan) as f64 / count(result, plan, "requests") as f64
}

/// A distribution of each client that somebody waits for.
fn answers<'r>(result: &'r Packed, plan: &'r Plan, metric: &str) -> impl Iterator<Item = SparseHistogram> + use<'r> {
    of_clients(result, plan, metric)
        .filter(|seen| in_foreground(plan, seen.component()))
        .filter_map(|seen| seen.latency())
}

/// All of these together.
fn pooled(each: impl Iterator<Item = SparseHistogram>) -> SparseHistogram {
    let mut each = each.filter(|histogram| !histogram.is_empty());
    let Some(first) = each.next() else {
        return SparseHistogram::default();
    };
    let rest: Vec<SparseHistogram> = each.collect();
    if rest.is_empty() {
        return first;
    }
    SparseHistogram::of(&figures::pooled(&rest.iter().chain([&first]).collect::<Vec<_>>()))
}

/// How long those took that failed, run by run, and those together with the good ones.
fn not_good(
    plan: &Plan,
    stem: &str,
    good: &[SparseHistogram],
    failed: &[SparseHistogram],
    metrics: &mut Vec<Metric>,
    distributions: &mut Vec<Distribution>,
) {
    let borrowed: Vec<&SparseHistogram> = failed.iter().collect();
    let pooled_failed = figures::latency(&format!("{stem}.failed"), &borrowed, &plan.percentiles, metrics);
    distributions.extend(Some(pooled_failed).filter(|failed| failed.count > 0));
    let both = good
        .iter()
        .zip(failed)
        .map(|(a, b)| pooled([a, b].into_iter().cloned()));
    let both: Vec<SparseHistogram> = both.collect();
    let borrowed: Vec<&SparseHistogram> = both.iter().collect();
    // Its distribution would be that of the good ones once more as a rule.
    figures::latency(&format!("{stem}.all"), &borrowed, &plan.percentiles, metrics);
}

/// The answers in the worst window of a run: that of the client whose worst window is the worst.
fn worst_of_clients(result: &Packed, plan: &Plan) -> SparseHistogram {
    // Answers that take no time are answers, too.
    let p99 = |h: &SparseHistogram| (!h.is_empty()).then(|| h.quantile(0.99));
    let worse = |a: SparseHistogram, b: SparseHistogram| if p99(&b) > p99(&a) { b } else { a };
    answers(result, plan, name::LATENCY_P99_WORST).fold(SparseHistogram::default(), worse)
}

/// Cold starts of all functions, and all their invocations.
fn cold_starts(result: &Packed) -> (u64, u64) {
    let ratios = result.named(name::COLD_RATIO).filter_map(|seen| seen.ratio());
    ratios.fold((0, 0), |all, (part, whole)| (all.0 + part, all.1 + whole))
}

/// The values of a line as bounds judge them: where a client got no good answer in a window, though requests of it
/// ended, it took longer than any bound. Where nothing ended there is nothing to judge.
fn judged(result: &Packed, plan: &Plan, line: &Line) -> Vec<f64> {
    let mut values = line.values();
    let of_good = [name::LATENCY_P50, name::LATENCY_P99, "latency.max"].contains(&line.metric());
    if of_good && plan.components[line.component() as usize].target.kind == kind::CLIENT {
        let errors = |other: &Line| other.component() == line.component() && other.metric() == name::ERROR_RATIO;
        let errors = result
            .series()
            .find(errors)
            .map_or_else(Vec::new, |errors| errors.values());
        for (value, _) in values.iter_mut().zip(errors).filter(|(_, errors)| *errors >= 1.0) {
            *value = f64::INFINITY;
        }
    }
    values
}

/// A p99 by window over all clients that somebody waits for: that of the client with the highest one.
fn line_of_clients(
    result: &Packed,
    plan: &Plan,
    metric: &str,
    values: impl Fn(&Packed, &Plan, &Line) -> Vec<f64>,
) -> Vec<f64> {
    let mut lines = result.series().filter(|line| {
        line.metric() == metric
            && plan.components[line.component() as usize].target.kind == kind::CLIENT
            && in_foreground(plan, line.component())
    });
    let mut worst = lines.next().map_or_else(Vec::new, |line| values(result, plan, &line));
    for line in lines {
        for (a, b) in worst.iter_mut().zip(values(result, plan, &line)) {
            *a = a.max(b);
        }
    }
    worst
}

/// Every component's own metrics.
fn components(plan: &Plan, results: &[&Packed], metrics: &mut Vec<Metric>, distributions: &mut Vec<Distribution>) {
    let Some(first) = results.first() else { return };
    for (place, observation) in first.observations().enumerate() {
        let name = label(plan, observation.component(), observation.metric());
        let each = || results.iter().map(|result| result.like(place, &observation));
        if observation.is_levels() {
            levels::quantiles(&name, each().map(|seen| seen?.levels()), metrics);
            continue;
        }
        if !observation.is_latency() {
            let value = |seen: Option<Seen>| seen.and_then(|seen| seen.value()).unwrap_or(NO_TIME);
            metrics.push(figures::of_values(name, &each().map(value).collect::<Vec<_>>()));
            continue;
        }
        let histograms = each().map(|seen| seen.and_then(|seen| seen.latency()).unwrap_or_default());
        let mut own: Vec<SparseHistogram> = histograms.collect();
        if observation.metric().ends_with(UNFINISHED) {
            metrics.push(figures::count(
                name,
                &own.iter().map(SparseHistogram::count).collect::<Vec<_>>(),
            ));
            continue;
        }
        let done = cut_off(results, &observation, &mut own);
        let histograms: Vec<&SparseHistogram> = own.iter().collect();
        if observation.metric() == name::LATENCY_P99_WORST {
            let all = figures::pooled(&histograms);
            metrics.push(figures::percentile(name, &histograms, &all, 99.0));
        } else if let Some(stem) = observation.metric().strip_suffix(".failed") {
            let good = |result: &&Packed| result.find(observation.component(), stem)?.latency();
            let good: Vec<SparseHistogram> = results.iter().map(|r| good(r).unwrap_or_default()).collect();
            let stem = label(plan, observation.component(), stem);
            not_good(plan, &stem, &good, &own, metrics, distributions);
        } else {
            let from = metrics.len();
            distributions.push(figures::latency(&name, &histograms, &plan.percentiles, metrics));
            if let Some(done) = done {
                figures::bound_below(&mut metrics[from..], &done, &figures::pooled(&histograms));
            }
        }
    }
}

/// The end of the name of the ages that what was not done had reached when the run ended.
const UNFINISHED: &str = ".unfinished";

/// Adds to the values of a distribution the ages that what was not done had reached when the run ended, if there was
/// anything; what was done alone.
fn cut_off(results: &[&Packed], of: &Seen, histograms: &mut [SparseHistogram]) -> Option<Histogram> {
    let name = format!("{}{UNFINISHED}", of.metric());
    let done = figures::pooled(&histograms.iter().collect::<Vec<_>>());
    let mut any = false;
    for (run, histogram) in results.iter().zip(histograms) {
        let ages = run.find(of.component(), &name).and_then(|seen| seen.latency());
        if let Some(ages) = ages.filter(|ages| !ages.is_empty()) {
            *histogram = SparseHistogram::of(&figures::pooled(&[histogram, &ages]));
            any = true;
        }
    }
    any.then_some(done)
}

/// The value of a run that has none, in whatever unit: no number at all.
const NO_TIME: Value = Value::TimeMean { area: 0, over_ns: 0 };

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

fn timeline(plan: &Plan, name: String, kind: SeriesUnit, lines: &[Vec<f64>]) -> Timeline {
    let windows = lines.iter().map(Vec::len).max().unwrap_or(0);
    let (unit, factor) = unit_of(kind);
    // Windows are counted from the start of the run; those of the warm-up were not measured.
    let before = whole_usize((plan.warmup.0 as f64 / plan.window.0 as f64).round());
    let together = fit(coarse::factor(plan));
    let mut timeline = Timeline {
        name,
        unit,
        mean: vec![f64::NAN; before / together],
        low: vec![f64::NAN; before / together],
        high: vec![f64::NAN; before / together],
    };
    for span in coarse::spans(before, windows, together) {
        let window = |line: &[f64], window: usize| line.get(window).map_or(f64::NAN, |value| value * factor);
        let value = |line: &Vec<f64>| coarse::merged(kind, span.clone(), |at| window(line, at));
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

fn causes(plan: &Plan, results: &[&Packed], threshold_s: f64) -> Vec<CauseBreakdown> {
    let (mut good, mut failed) = (CauseTable::new(CAUSES), CauseTable::new(CAUSES));
    for result in results {
        result.add_causes(|component| in_foreground(plan, component), &mut good, &mut failed);
    }
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
    let slowest = good.above(whole(threshold_s * 1e9));
    vec![
        breakdown(name::CAUSES_ALL, good.total()),
        breakdown(name::CAUSES_SLOWEST, slowest),
        breakdown(name::CAUSES_FAILED, failed.total()),
    ]
}
