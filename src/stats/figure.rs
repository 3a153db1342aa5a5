//! Figures from independent replications: shares, counts, means, ratios of sums and quantiles, each with an interval
//! made for its kind.
//!
//! A run's requests share queues and instances, so nothing inside a run is taken for independent: the spread comes from
//! the runs. What differs is the law that the spread is judged by.
//!
//! - **Ratios are ratios of sums** over all runs, never means of ratios, which are biased where runs differ in size;
//!   the spread is that of the runs' residuals (delta method).
//! - **Rare events** (fewer than [`PLENTY`] separate ones) have the limits of Clopper and Pearson at the *effective*
//!   number of events, as Korn and Graubard do for samples from clusters: the number seen over the variance that runs
//!   show beyond that of independent events, and never more than runs without any allow for (if `r` of `n` runs have
//!   events that come in separate lots, there were about `-n ln(1 - r/n)` lots). No event at all still has an upper
//!   limit.
//! - **Quantiles** have Woodruff's interval: the t-interval of the share of each run's values above the pooled
//!   quantile, mapped back through the pooled distribution. It respects skewness and jumps, stays within what was seen
//!   and has no upper limit where the share may be zero. Where few separate events lie beyond the quantile, it is
//!   widened likewise.
//!
//! Every figure carries its *leave-one-out* values, from which a paired difference of two figures takes its interval
//! (jackknife over common run numbers).
//!
//! Sources: Clopper and Pearson (1934), *Biometrika* 26(4); Korn and Graubard (1998), *Survey Methodology* 24(2);
//! Woodruff (1952), *Journal of the American Statistical Association* 47; Byar's limits of a Poisson mean: Breslow and
//! Day (1987), *Statistical Methods in Cancer Research II*, p. 69; jackknife: Efron and Tibshirani (1993), chapter 11.
//! Coverage was measured: docs/statistics.md.

use super::histogram::{PRECISION, index_of};
use super::interval::{Estimate, incomplete_beta, normal_quantile, student_t_quantile};
use super::{Histogram, SparseHistogram};
use crate::kernel::number::whole;

/// Confidence of all intervals.
pub const CONFIDENCE: f64 = 0.95;

/// From so many separate events on, the spread of the runs is taken at its word.
pub const PLENTY: f64 = 20.0;

/// From so many separate events beyond a quantile on, likewise: their lots vary in size.
pub const PLENTY_BEYOND: f64 = 30.0;

/// Shares from here on are not rare: events in every second run are no sign of few lots.
const COMMON: f64 = 0.25;

/// An estimate, and what it takes to compare it and to say how thin it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The figure and its interval.
    pub estimate: Estimate,
    /// The figure without run 0, without run 1, ...; NaN where that run alone had a value. Empty where it has no
    /// meaning.
    pub leave_one_out: Vec<f64>,
    /// How many separate events it rests on at most; `None` where that is no question.
    pub events: Option<f64>,
    /// The ends of a gap in the distribution inside the interval of a quantile.
    pub jump: Option<(f64, f64)>,
}

impl Figure {
    fn new(estimate: Estimate, leave_one_out: Vec<f64>) -> Self {
        Self {
            estimate,
            leave_one_out,
            events: None,
            jump: None,
        }
    }

    /// A figure that does not exist.
    pub fn missing() -> Self {
        Self::new(unsure(f64::NAN, 0), Vec::new())
    }

    /// The same figure in another unit.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        let scale = |value: &mut f64| *value *= factor;
        scale(&mut self.estimate.mean);
        self.estimate.low.iter_mut().for_each(scale);
        self.estimate.high.iter_mut().for_each(scale);
        self.leave_one_out.iter_mut().for_each(scale);
        self.jump = self.jump.map(|(low, high)| (low * factor, high * factor));
        self
    }

    /// How many times as many runs (or as much time) it would take for enough separate events; `None` if there are.
    pub fn thin(&self) -> Option<f64> {
        self.events
            .filter(|events| *events < PLENTY_BEYOND)
            .map(|events| PLENTY_BEYOND / events.max(0.5))
    }
}

/// An estimate about whose spread nothing is known.
fn unsure(mean: f64, n: usize) -> Estimate {
    Estimate {
        mean,
        low: None,
        high: None,
        n,
    }
}

fn between(mean: f64, low: f64, high: f64, n: usize) -> Estimate {
    Estimate {
        mean,
        low: Some(low),
        high: Some(high),
        n,
    }
}

fn t(n: usize) -> f64 {
    student_t_quantile(0.5 + CONFIDENCE / 2.0, (n - 1) as f64)
}

/// How far an interval reaches farther to the side of the skew, for each unit of the runs' skewness: as much as makes
/// up for what t-intervals miss on that side (measured: docs/statistics.md).
const SKEW: f64 = 0.35;

/// The skewness of residuals around zero; 0 if there is no spread.
fn skewness(residuals: &[f64]) -> f64 {
    let n = residuals.len() as f64;
    let mean = |of: fn(f64) -> f64| residuals.iter().map(|r| of(*r)).sum::<f64>() / n;
    let variance = mean(|r| r * r);
    if variance > 0.0 {
        mean(|r| r * r * r) / (variance * variance.sqrt())
    } else {
        0.0
    }
}

/// How far the interval of a sum of residuals over `whole` reaches down and up: Student's t, farther to the side to
/// which the residuals are skewed. What is the same in all runs is the same but for the rounding of sums.
fn halves(residuals: &[f64], whole: f64, size: f64) -> (f64, f64) {
    let n = residuals.len() as f64;
    let squares: f64 = residuals.iter().map(|r| r * r).sum();
    let half = t(residuals.len()) * (squares * n / (n - 1.0)).sqrt() / whole;
    if half <= 1e-12 * size {
        return (0.0, 0.0);
    }
    let skew = SKEW * skewness(residuals);
    (half * (1.0 + (-skew).max(0.0)), half * (1.0 + skew.max(0.0)))
}

/// The mean of one value a run, with its t-interval, which does not go below zero if no value does. Runs without a
/// value (NaN) are left out.
pub fn mean(values: &[f64]) -> Figure {
    let ones: Vec<f64> = values.iter().map(|v| f64::from(u8::from(v.is_finite()))).collect();
    let seen: Vec<f64> = values.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect();
    ratio(&seen, &ones)
}

/// A ratio of sums over runs, such as the mean of latencies (their sum over their number), with the t-interval of its
/// residuals. Runs whose denominator is zero are left out.
pub fn ratio(parts: &[f64], wholes: &[f64]) -> Figure {
    let pairs = || parts.iter().zip(wholes).filter(|(_, whole)| **whole > 0.0);
    let n = pairs().count();
    let (part, whole) = pairs().fold((0.0, 0.0), |(a, b), (p, w)| (a + p, b + w));
    if n == 0 {
        return Figure::missing();
    }
    let centre = part / whole;
    let without = |(p, w): (&f64, &f64)| if *w > 0.0 { (part - p) / (whole - w) } else { centre };
    let leave_one_out = parts.iter().zip(wholes).map(without).collect();
    if n < 2 {
        return Figure::new(unsure(centre, n), leave_one_out);
    }
    let residuals: Vec<f64> = pairs().map(|(p, w)| p - centre * w).collect();
    let floor = if pairs().all(|(p, _)| *p >= 0.0) {
        0.0
    } else {
        f64::NEG_INFINITY
    };
    let (down, up) = halves(&residuals, whole, centre.abs());
    Figure::new(
        between(centre, (centre - down).max(floor), centre + up, n),
        leave_one_out,
    )
}

/// A share, such as that of failed requests: `parts` of `wholes`, run by run.
pub fn share(parts: &[u64], wholes: &[u64]) -> Figure {
    let float = |values: &[u64]| values.iter().map(|v| *v as f64).collect::<Vec<f64>>();
    let mut figure = ratio(&float(parts), &float(wholes));
    let (part, whole): (u64, u64) = (parts.iter().sum(), wholes.iter().sum());
    let n = figure.estimate.n;
    if n == 0 {
        return figure;
    }
    let p = figure.estimate.mean;
    let rare = part.min(whole - part);
    let has = |(part, whole): (&u64, &u64)| if p <= 0.5 { *part > 0 } else { part < whole };
    let with_any = parts.iter().zip(wholes).filter(|pair| has(*pair)).count();
    let events = lots(rare as f64, p.min(1.0 - p), with_any, n);
    figure.events = Some(events);
    if n < 2 {
        return figure;
    }
    let same = parts.windows(2).all(|w| w[0] == w[1]) && wholes.windows(2).all(|w| w[0] == w[1]);
    let estimate = &mut figure.estimate;
    if rare > 0 && same {
        // No chance is at work.
        figure.events = None;
    } else if events < PLENTY {
        let own = |(part, whole): (&u64, &u64)| *part as f64 - p * *whole as f64;
        let squares: f64 = parts.iter().zip(wholes).map(own).map(|r| r * r).sum();
        let excess = squares * n as f64 / (n - 1) as f64 / (p * (1.0 - p) * whole as f64);
        let excess = excess.max(1.0);
        let seen = if rare == 0 {
            0.0
        } else {
            (rare as f64 / excess).min(events)
        };
        let scale = if rare == 0 { 1.0 } else { seen / rare as f64 };
        let (low, high) = clopper_pearson(seen, whole as f64 * scale);
        (estimate.low, estimate.high) = if p <= 0.5 {
            (Some(low), Some(high))
        } else {
            (Some(1.0 - high), Some(1.0 - low))
        };
    }
    estimate.low = estimate.low.map(|low| low.max(0.0));
    estimate.high = estimate.high.map(|high| high.min(1.0));
    figure
}

/// A number of events a run.
pub fn count(counts: &[u64]) -> Figure {
    let values: Vec<f64> = counts.iter().map(|c| *c as f64).collect();
    let mut figure = mean(&values);
    let (total, n) = (counts.iter().sum::<u64>() as f64, counts.len());
    if n < 2 || (total > 0.0 && counts.windows(2).all(|w| w[0] == w[1])) {
        return figure;
    }
    let events = lots(total, 0.0, counts.iter().filter(|c| **c > 0).count(), n);
    figure.events = Some(events);
    if events < PLENTY {
        let centre = figure.estimate.mean;
        let squares: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
        let excess = squares * n as f64 / (n - 1) as f64 / total;
        let excess = if total > 0.0 { excess.max(1.0) } else { 1.0 };
        let seen = (total / excess).min(events);
        let lot = if total > 0.0 { total / seen } else { 1.0 };
        let (low, high) = byar(seen);
        figure.estimate.low = Some(low * lot / n as f64);
        figure.estimate.high = Some(high * lot / n as f64);
    }
    figure
}

/// How many separate events there were at most: those seen, and what the runs without any allow for.
fn lots(seen: f64, share: f64, with_any: usize, n: usize) -> f64 {
    if with_any == n || share >= COMMON {
        return seen;
    }
    seen.min(-(n as f64) * libm::log1p(-(with_any as f64) / n as f64))
}

/// Limits of a share of which `events` (not necessarily whole) of `whole` were seen, at 95 %.
fn clopper_pearson(events: f64, whole: f64) -> (f64, f64) {
    let tail = 0.5 - CONFIDENCE / 2.0;
    let low = if events > 0.0 {
        beta_quantile(tail, events, whole - events + 1.0)
    } else {
        0.0
    };
    (low, beta_quantile(1.0 - tail, events + 1.0, whole - events))
}

/// The quantile of the beta distribution, by bisection on a logarithmic scale.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if b <= 0.0 {
        return 1.0;
    }
    let (mut low, mut high) = (-700.0_f64, 0.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if incomplete_beta(libm::exp(middle), a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    libm::exp(f64::midpoint(low, high))
}

/// Limits of a Poisson mean of which `events` were seen, at 95 %, to within a hundredth.
fn byar(events: f64) -> (f64, f64) {
    let z = normal_quantile(0.5 + CONFIDENCE / 2.0);
    let limit = |k: f64, z: f64| {
        let root = 1.0 - 1.0 / (9.0 * k) + z / (3.0 * k.sqrt());
        if root > 0.0 { k * root * root * root } else { 0.0 }
    };
    let low = if events > 0.0 { limit(events, -z) } else { 0.0 };
    (low, limit(events + 1.0, z))
}

/// The `q`-quantile of everything that the runs saw; `pooled` is their sum.
pub fn quantile(runs: &[&SparseHistogram], pooled: &Histogram, q: f64) -> Figure {
    let seen: Vec<&SparseHistogram> = runs.iter().copied().filter(|h| !h.is_empty()).collect();
    let n = seen.len();
    if n == 0 {
        return Figure::missing();
    }
    let centre = pooled.quantile_at(q);
    let leave_one_out = without_each(runs, pooled, q);
    let same = seen.windows(2).all(|w| w[0] == w[1]);
    let mut figure = Figure::new(unsure(centre, n), leave_one_out);
    let beyond = 1.0 - q;
    let total = pooled.count() as f64;
    if n < 2 {
        figure.events = Some(beyond * total);
        return figure;
    }
    if same {
        figure.estimate = between(centre, centre, centre, n);
        return figure;
    }
    let above = beyond_each(&seen, pooled, centre, beyond * total);
    let sizes: Vec<f64> = seen.iter().map(|h| h.count() as f64).collect();
    let exact = above.iter().sum::<f64>() / total;
    let residuals: Vec<f64> = above.iter().zip(&sizes).map(|(a, size)| a - exact * size).collect();
    // A share skewed upwards has its lots in few runs; too few of them seen would put the quantile too low.
    let (up, down) = halves(&residuals, total, 0.0);
    let (mut least, mut most) = (beyond - down, beyond + up);
    let with_any = above.iter().filter(|a| **a > 0.0).count();
    let events = lots(beyond * total, beyond, with_any, n);
    if events < PLENTY_BEYOND && beyond < COMMON {
        // Lots of exponential sizes have twice the variance of single events; the fewer, the less is known of the
        // sizes.
        let excess = 2.0 + 6.0 / events.max(0.5);
        most = most.max(beyond * (1.0 + t(n) * (excess / events.max(0.5)).sqrt()));
        least = 0.0;
    }
    let low = if most < 1.0 {
        pooled.quantile_at(1.0 - most)
    } else {
        0.0
    };
    // A share of less than one value says nothing of where the distribution ends.
    let high = if least * total >= 1.0 {
        pooled.quantile_at(1.0 - least)
    } else {
        f64::INFINITY
    };
    let floor = pooled.resolution(centre);
    let (low, high) = (pooled.outward(low, false), pooled.outward(high, true));
    let (low, high) = (low.min(centre - floor).max(0.0), high.max(centre + floor));
    figure.estimate = between(centre, low, high, n);
    figure.events = Some(events);
    figure.jump = jump(pooled, low, high);
    figure
}

/// How many values of each run lie beyond the value of which `beyond` of all runs' are: those in its bucket are split
/// as those of all runs together are, also where all of them are one value.
fn beyond_each(runs: &[&SparseHistogram], pooled: &Histogram, value: f64, beyond: f64) -> Vec<f64> {
    let index = index_of::<PRECISION>(whole(value));
    let rest = beyond - pooled.above_bucket(index) as f64;
    let share = (rest / pooled.at(index).max(1) as f64).clamp(0.0, 1.0);
    runs.iter()
        .map(|run| run.above_bucket(index) as f64 + share * run.at(index) as f64)
        .collect()
}

/// The pooled quantile without each of the runs: never far from the one with all of them, so the walk begins there.
fn without_each(runs: &[&SparseHistogram], pooled: &Histogram, q: f64) -> Vec<f64> {
    let home = index_of::<PRECISION>(whole(pooled.quantile_at(q)));
    let (before_home, last) = (pooled.below_bucket(home), index_of::<PRECISION>(pooled.max()));
    let without = |run: &&SparseHistogram| {
        let rank = q * (pooled.count() - run.count()) as f64 * (1.0 - 4.0 * f64::EPSILON);
        let others = |index: usize| pooled.at(index) - run.at(index);
        let (mut index, mut below) = (home, before_home - run.below_bucket(home));
        while below > 0 && below as f64 >= rank {
            index -= 1;
            below -= others(index);
        }
        while index <= last {
            let here = others(index);
            if here > 0 && (below + here) as f64 >= rank {
                return pooled.inside(index, (rank - below as f64).max(0.0) / here as f64);
            }
            below += here;
            index += 1;
        }
        f64::NAN
    };
    runs.iter().map(without).collect()
}

/// Values on each side of a jump, so that it is not merely a thin tail.
const BESIDE_A_JUMP: u64 = 10;
/// How much larger the upper end of a jump is than its lower one.
const JUMP: f64 = 1.25;

/// The widest gap of a distribution between `low` and `high`, if it makes up most of the way between them.
fn jump(pooled: &Histogram, low: f64, high: f64) -> Option<(f64, f64)> {
    let high = high.min(pooled.max() as f64);
    let mut last: Option<u64> = None;
    let mut widest: Option<(f64, f64)> = None;
    for (from, to, _) in pooled.buckets() {
        let (from, to) = (from.max(pooled.min()), to.min(pooled.max()));
        if let Some(last) = last
            && last as f64 >= low * 0.99
            && from as f64 <= high * 1.01
        {
            let gap = (last as f64, from as f64);
            if widest.is_none_or(|(a, b)| gap.1 - gap.0 > b - a) {
                widest = Some(gap);
            }
        }
        last = Some(to);
    }
    let (a, b) = widest?;
    let near = |from: f64, to: f64| whole((pooled.above(from) - pooled.above(to)).round());
    let dense = near(a / JUMP, a + 1.0) >= BESIDE_A_JUMP && near(b - 1.0, b * JUMP) >= BESIDE_A_JUMP;
    (b > JUMP * a && b - a > 0.5 * (high - low) && dense).then_some((a, b))
}

/// A figure that was computed as a whole and again without each run: the jackknife's interval, not below zero if no
/// value is negative.
pub fn jackknife(centre: f64, leave_one_out: &[f64]) -> Estimate {
    let n = leave_one_out.len();
    if n < 2 || !centre.is_finite() || leave_one_out.iter().any(|v| !v.is_finite()) {
        return unsure(centre, n);
    }
    let middle = leave_one_out.iter().sum::<f64>() / n as f64;
    // Without a run that is high the rest is low.
    let residuals: Vec<f64> = leave_one_out.iter().map(|v| (middle - v) * (n - 1) as f64).collect();
    let (down, up) = halves(&residuals, n as f64, centre.abs());
    between(centre, centre - down, centre + up, n)
}

/// One of two figures with common run numbers.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The figure.
    pub mean: f64,
    /// Its own interval, if it has one.
    pub interval: Option<(f64, f64)>,
    /// The figure without each of the runs.
    pub leave_one_out: &'a [f64],
}

impl Side<'_> {
    /// How far its own interval reaches down and up. Where the data give no upper limit, three times as far as down.
    fn reach(&self) -> (f64, f64) {
        let (low, high) = self.interval.unwrap_or((self.mean, self.mean));
        let down = (self.mean - low).max(0.0);
        (down, (high - self.mean).clamp(0.0, 3.0 * down))
    }
}

/// How much larger `b` is than `a`: what is common to a run's two figures falls away.
pub fn difference(a: Side, b: Side) -> Estimate {
    combined(a, b, (1.0, 1.0), |a, b| b - a)
}

/// `b` over `a`, likewise.
pub fn quotient(a: Side, b: Side) -> Estimate {
    combined(a, b, (1.0 / a.mean, 1.0 / b.mean), |a, b| b / a)
}

/// The jackknife of what becomes of two figures, which `b` raises and `a` lowers. It knows nothing of how lopsided the
/// figures are, so its longer side is as much longer as it would be without pairs.
fn combined(a: Side, b: Side, (of_a, of_b): (f64, f64), of: impl Fn(f64, f64) -> f64) -> Estimate {
    let centre = of(a.mean, b.mean);
    if a.leave_one_out.len() != b.leave_one_out.len() {
        return unsure(centre, 0);
    }
    let pairs = a.leave_one_out.iter().zip(b.leave_one_out);
    let each: Vec<f64> = pairs.map(|(a, b)| of(*a, *b)).collect();
    let mut estimate = jackknife(centre, &each);
    let ((a_down, a_up), (b_down, b_up)) = (a.reach(), b.reach());
    let down = libm::hypot(b_down * of_b, a_up * of_a);
    let up = libm::hypot(b_up * of_b, a_down * of_a);
    let middle = f64::midpoint(down, up);
    if middle > 0.0 && middle.is_finite() {
        let longer = |end: &mut f64, side: f64| *end = centre + (*end - centre) * (side / middle).max(1.0);
        estimate.low.iter_mut().for_each(|low| longer(low, down));
        estimate.high.iter_mut().for_each(|high| longer(high, up));
    }
    estimate
}

#[cfg(test)]
mod tests;
