//! What the replications of a cell saw to metrics: each figure with the interval that suits its kind
//! ([`crate::stats::figure`]), and with what it takes to compare it with that of another cell.

use super::summary::{Distribution, Estimate, Metric, Unit};
use crate::kernel::number::fit;
use crate::stats::figure::{self, Figure};
use crate::stats::{Histogram, SparseHistogram, Value};

/// The percentiles that are reported of every distribution.
pub const PERCENTILES: [f64; 6] = [50.0, 90.0, 95.0, 99.0, 99.9, 99.99];

/// The end of the name of the metric of a percentile: `p99.9`.
pub fn percentile_name(percentile: f64) -> String {
    format!("p{percentile}")
}

/// An estimate as summaries have it.
pub fn estimate_of(found: &crate::stats::Estimate) -> Estimate {
    Estimate {
        mean: found.mean,
        interval: found.low.zip(found.high),
        replications: fit(found.n),
    }
}

/// The mean of one value a run; runs without one (NaN) are left out.
pub fn estimate(values: &[f64]) -> Estimate {
    estimate_of(&figure::mean(values).estimate)
}

/// The mean of a number of events a run.
pub fn estimate_count(counts: &[u64]) -> Estimate {
    estimate_of(&figure::count(counts).estimate)
}

/// A figure as a metric.
pub fn metric_of(name: impl Into<String>, unit: Unit, found: Figure, per_replication: Vec<f64>) -> Metric {
    Metric {
        name: name.into(),
        unit,
        estimate: estimate_of(&found.estimate),
        at_least: false,
        thin: found.thin(),
        jump: found.jump,
        per_replication,
        leave_one_out: found.leave_one_out,
    }
}

/// The mean of one value a run, as a metric.
pub fn metric(name: impl Into<String>, unit: Unit, per_replication: Vec<f64>) -> Metric {
    metric_of(name, unit, figure::mean(&per_replication), per_replication)
}

/// A share of events, as a metric: parts and wholes run by run.
pub fn share(name: impl Into<String>, parts: &[u64], wholes: &[u64]) -> Metric {
    let each = parts.iter().zip(wholes).map(|(p, w)| *p as f64 / *w as f64).collect();
    // More than the whole: attempts per request, transitions per execution. That is a ratio, and no share.
    if parts.iter().zip(wholes).any(|(part, whole)| part > whole) {
        let float = |values: &[u64]| values.iter().map(|v| *v as f64).collect::<Vec<f64>>();
        return metric_of(name, Unit::Plain, figure::ratio(&float(parts), &float(wholes)), each);
    }
    metric_of(name, Unit::Ratio, figure::share(parts, wholes), each)
}

/// A number of events a run, as a metric.
pub fn count(name: impl Into<String>, counts: &[u64]) -> Metric {
    let each = counts.iter().map(|c| *c as f64).collect();
    metric_of(name, Unit::Count, figure::count(counts), each)
}

/// The metric of a component's value that is no distribution.
pub fn of_values(name: String, values: &[Value]) -> Metric {
    let numbers = || values.iter().map(|value| value.number().unwrap_or(f64::NAN)).collect();
    match values.first() {
        Some(Value::Count(_)) => {
            let counts: Vec<u64> = values
                .iter()
                .map(|v| if let Value::Count(n) = v { *n } else { 0 })
                .collect();
            count(name, &counts)
        }
        Some(Value::Ratio { .. }) => {
            let pair = |v: &Value| {
                if let Value::Ratio { part, whole } = v {
                    (*part, *whole)
                } else {
                    (0, 0)
                }
            };
            let (parts, wholes): (Vec<u64>, Vec<u64>) = values.iter().map(pair).unzip();
            share(name, &parts, &wholes)
        }
        Some(Value::PerEach { .. }) => {
            let pair = |v: &Value| {
                if let Value::PerEach { sum, count } = v {
                    (*sum as f64, *count as f64)
                } else {
                    (0.0, 0.0)
                }
            };
            let (sums, counts): (Vec<f64>, Vec<f64>) = values.iter().map(pair).unzip();
            metric_of(name, Unit::Plain, figure::ratio(&sums, &counts), numbers())
        }
        Some(Value::Peak(_) | Value::Halves(_)) => metric(name, Unit::Count, numbers()),
        _ => metric(name, Unit::Level, numbers()),
    }
}

/// The pooled histogram of all runs.
pub fn pooled(histograms: &[&SparseHistogram]) -> Histogram {
    let mut all = Histogram::new();
    for histogram in histograms {
        histogram.add_to(&mut all);
    }
    all
}

/// A percentile of what all runs saw together, in seconds.
pub fn percentile(name: String, histograms: &[&SparseHistogram], all: &Histogram, percentile: f64) -> Metric {
    let q = percentile / 100.0;
    let each = |h: &&SparseHistogram| if h.is_empty() { f64::NAN } else { h.quantile_at(q) / 1e9 };
    let found = figure::quantile(histograms, all, q).scaled(1e-9);
    metric_of(name, Unit::Seconds, found, histograms.iter().map(each).collect())
}

/// Mean, percentiles and maximum of the histograms of all runs; the pooled distribution.
pub fn latency(
    stem: &str,
    histograms: &[&SparseHistogram],
    own_percentiles: &[f64],
    metrics: &mut Vec<Metric>,
) -> Distribution {
    let all = pooled(histograms);
    let each = |get: &dyn Fn(&SparseHistogram) -> f64| -> Vec<f64> {
        let value = |h: &&SparseHistogram| if h.is_empty() { f64::NAN } else { get(h) / 1e9 };
        histograms.iter().map(value).collect()
    };
    let sums: Vec<f64> = histograms.iter().map(|h| h.sum() as f64 / 1e9).collect();
    let counts: Vec<f64> = histograms.iter().map(|h| h.count() as f64).collect();
    let mean = figure::ratio(&sums, &counts);
    metrics.push(metric_of(
        format!("{stem}.mean"),
        Unit::Seconds,
        mean,
        each(&SparseHistogram::mean),
    ));
    let own = own_percentiles.iter().copied().filter(|own| !PERCENTILES.contains(own));
    for p in PERCENTILES.into_iter().chain(own) {
        let name = format!("{stem}.{}", percentile_name(p));
        metrics.push(percentile(name, histograms, &all, p));
    }
    metrics.push(Metric {
        // The greatest of all runs: more runs find a greater one, so there is nothing that it estimates.
        estimate: Estimate {
            mean: if all.is_empty() {
                f64::NAN
            } else {
                all.max() as f64 / 1e9
            },
            interval: None,
            replications: fit(histograms.iter().filter(|h| !h.is_empty()).count()),
        },
        ..metric_of(
            format!("{stem}.max"),
            Unit::Seconds,
            Figure::missing(),
            each(&|h| h.max() as f64),
        )
    });
    distribution(stem, &all)
}

/// Marks those figures of a distribution that are at least so much: what was not done counts with the age that it had
/// reached, and if it lasted for ever instead, they would be more than a tenth larger. Their intervals then have no
/// upper end.
pub fn bound_below(metrics: &mut [Metric], done: &Histogram, all: &Histogram) {
    const LARGER: f64 = 1.1;
    /// What is cut off of so much is said of means and maxima.
    const MEAN: f64 = 0.01;
    let (done_count, count) = (done.count() as f64, all.count() as f64);
    let at_least = |q: f64| {
        let place = q * count / done_count;
        place >= 1.0 || done.quantile_at(place) > LARGER * all.quantile_at(q)
    };
    for metric in metrics {
        let percentile = metric
            .name
            .rsplit_once(".p")
            .map(|(_, percentile)| percentile.parse::<f64>());
        metric.at_least = match percentile {
            Some(Ok(percentile)) => at_least(percentile / 100.0),
            _ => count - done_count > MEAN * count,
        };
        if metric.at_least && metric.estimate.mean.is_finite() {
            metric.estimate.interval = Some((metric.estimate.mean, f64::INFINITY));
        }
    }
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
