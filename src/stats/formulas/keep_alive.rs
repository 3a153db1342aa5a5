//! The exact law of cold starts under a fixed keep-alive, when the most recently idled instance is chosen.
//!
//! Unlimited instances, each takes one request at a time and expires after `expiry` of idleness; an arrival takes the
//! instance that became idle last, as AWS Lambda did in 99.5 % of the choices in the logs published by pacslab (2020).
//! Idle instances then form a stack, and the arrival that lifts the number of busy instances from n - 1 to n takes the
//! instance that was left when that number last fell from n to n - 1. So, path by path and whatever the arrivals:
//!
//! - an arrival is cold if and only if the number busy, itself included, exceeds its maximum over the last `expiry`;
//! - the instances alive are that sliding maximum.
//!
//! With Poisson arrivals and exponential service, cold or warm, the number busy is M/M/infinity, which looks the same
//! backwards in time. P(no visit to n within `expiry`) is then the survival of a birth-death process that is killed on
//! reaching n; its generator, made symmetric, is tridiagonal, and its eigenvalues give the answer in closed form.
//!
//! Sources: derived for this project; the number busy, Kleinrock, *Queueing Systems* I (1975), section 3.4; spectral
//! form of birth-death passage times, Keilson, *Markov Chain Models: Rarity and Exponentiality* (1979), chapter 5.

use super::tridiagonal::diagonalise;
use crate::kernel::number::whole_usize;

/// Probabilities below this are taken to be zero: less than what rounding does to the others.
const NEGLIGIBLE: f64 = 1e-18;

/// How often requests are cold and how many instances are alive, in equilibrium.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepAlive {
    lambda: f64,
    p_cold: f64,
    /// Element n - 1 is P(at least n alive).
    at_least: Vec<f64>,
}

impl KeepAlive {
    /// Poisson arrivals at rate `lambda`, exponential service of mean `service`, keep-alive `expiry` (all in the same
    /// unit of time; `lambda` and `service` positive). Probabilities come out to about 1e-12 absolutely. For `a` =
    /// `lambda` x `service` the work grows as the power 2.5 of `a`: at 100 it takes tenths of a second, at 400 seconds.
    pub fn new(lambda: f64, service: f64, expiry: f64) -> Self {
        let busy = poisson(lambda * service);
        let mut law = Self {
            lambda,
            p_cold: 0.0,
            at_least: Vec::new(),
        };
        let (mut below, mut above) = (0.0, 1.0);
        for n in 1..busy.len() {
            below += busy[n - 1];
            above -= busy[n - 1];
            // Fewer than n alive now implies fewer than n busy now.
            if below < NEGLIGIBLE {
                law.at_least.push(1.0);
                continue;
            }
            // At least n alive: at least n busy now, or an arrival at n - 1 within the last `expiry`.
            if n as f64 > lambda * service && above + lambda * expiry * busy[n - 1] < NEGLIGIBLE {
                break;
            }
            let tail: f64 = busy[n..].iter().rev().sum();
            let (cold, reached) = Killed {
                lambda,
                service,
                busy: &busy[..n],
            }
            .within(expiry);
            law.p_cold += cold;
            law.at_least.push((tail + reached).min(1.0));
        }
        law
    }

    /// The probability that a request finds no warm instance.
    pub const fn p_cold(&self) -> f64 {
        self.p_cold
    }

    /// P(at least `n` instances alive).
    pub fn at_least(&self, n: usize) -> f64 {
        if n == 0 {
            1.0
        } else {
            self.at_least.get(n - 1).copied().unwrap_or(0.0)
        }
    }

    /// The mean number of instances alive, busy or idle.
    pub fn mean_instances(&self) -> f64 {
        self.at_least.iter().rev().sum()
    }

    /// The mean time from an instance's first request to its expiry (Little's law).
    pub fn lifespan(&self) -> f64 {
        self.mean_instances() / (self.lambda * self.p_cold)
    }
}

/// M/M/infinity on the states below n, gone as soon as it reaches n.
struct Killed<'a> {
    lambda: f64,
    service: f64,
    /// Probabilities of the states below n, before the killing.
    busy: &'a [f64],
}

impl Killed<'_> {
    /// What level n contributes: P(an arrival lifts the number busy to n, not seen for `expiry`), and
    /// P(fewer than n busy, but n reached within `expiry`).
    fn within(&self, expiry: f64) -> (f64, f64) {
        let n = self.busy.len();
        let mut rates: Vec<f64> = (0..n).map(|i| self.lambda + i as f64 / self.service).collect();
        let mut off: Vec<f64> = (0..n)
            .map(|i| -(self.lambda * (i + 1) as f64 / self.service).sqrt())
            .collect();
        let roots: Vec<f64> = self.busy.iter().map(|p| p.sqrt()).collect();
        let top = roots[n - 1];
        let mut last = vec![0.0; n];
        last[n - 1] = 1.0;
        let mut rows = [roots, last];
        diagonalise(&mut rates, &mut off, &mut rows);
        if let (Some(slowest), Some(rate)) = ((0..n).min_by(|&i, &j| rates[i].total_cmp(&rates[j])), self.slowest()) {
            rates[slowest] = rate;
        }
        let (mut cold, mut reached) = (0.0, 0.0);
        for k in 0..n {
            let decay = rates[k].max(0.0) * expiry;
            cold += rows[0][k] * rows[1][k] * libm::exp(-decay);
            reached -= rows[0][k] * rows[0][k] * libm::expm1(-decay);
        }
        ((top * cold).max(0.0), reached.max(0.0))
    }

    /// The slowest rate of decay with a small *relative* error, or `None` if it does not stand out.
    ///
    /// QL errs by a rounding of the fastest rate, which over an `expiry` of many service times would show. Inverse
    /// iteration on expected passage times only ever adds positive numbers. It converges fast when the slowest rate is
    /// much smaller than the next, and that is just when its error would matter.
    fn slowest(&self) -> Option<f64> {
        let n = self.busy.len();
        let mut x = vec![1.0; n];
        let mut rate = f64::INFINITY;
        for _ in 0..60 {
            // The cost of going from i to i + 1 for the first time, when state j costs x[j] per unit of time.
            let mut step = 0.0;
            let mut cost: Vec<f64> = (0..n)
                .map(|i| {
                    step = (x[i] + i as f64 / self.service * step) / self.lambda;
                    step
                })
                .collect();
            for i in (0..n - 1).rev() {
                cost[i] += cost[i + 1];
            }
            let weigh = |u: &[f64], v: &[f64]| self.busy.iter().zip(u).zip(v).map(|((p, u), v)| p * u * v).sum::<f64>();
            let next = weigh(&x, &cost) / weigh(&cost, &cost);
            if !next.is_finite() {
                return None;
            }
            if (next - rate).abs() <= 1e-15 * next {
                return Some(next);
            }
            rate = next;
            let scale = 1.0 / cost[0];
            x = cost.iter().map(|c| c * scale).collect();
        }
        None
    }
}

/// Poisson probabilities of mean `a` from 0 up to where they vanish, from the likeliest outwards.
fn poisson(a: f64) -> Vec<f64> {
    let mode = whole_usize(a.floor());
    let mut weights = vec![0.0; mode + 1];
    weights[mode] = 1.0;
    for n in (1..=mode).rev() {
        weights[n - 1] = weights[n] * n as f64 / a;
    }
    while weights[weights.len() - 1] > 1e-60 {
        weights.push(weights[weights.len() - 1] * a / weights.len() as f64);
    }
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sample::exp1;
    use crate::kernel::stream::{Stream, StreamKey};
    use std::collections::BTreeSet;

    fn near(a: f64, b: f64, relative: f64) {
        assert!(
            (a - b).abs() <= relative * b.abs(),
            "{a} is not {b} to within {relative}"
        );
    }

    #[test]
    fn the_reference_points() {
        near(KeepAlive::new(1.0, 2.0, 10.0).p_cold(), 0.099_699_8, 1e-6);
        // SimFaaS's example: its own simulation says .00135, 7.66 and 6335 s, for newest-created dispatch.
        let lambda = KeepAlive::new(0.9, 1.991, 600.0);
        near(lambda.p_cold(), 0.001_329_3, 5e-5);
        near(lambda.mean_instances(), 7.6919, 1e-5);
        near(lambda.lifespan(), 6429.0, 1e-4);
    }

    #[test]
    fn without_keep_alive_all_are_cold_and_only_busy_ones_live() {
        for a in [0.3, 2.0, 40.0] {
            let law = KeepAlive::new(a / 1.7, 1.7, 0.0);
            near(law.p_cold(), 1.0, 1e-12);
            near(law.mean_instances(), a, 1e-12);
            near(law.lifespan(), 1.7, 1e-12);
        }
    }

    #[test]
    fn the_number_alive_is_a_distribution() {
        let law = KeepAlive::new(3.0, 1.0, 20.0);
        assert!((1..60).all(|n| law.at_least(n) <= law.at_least(n - 1) && law.at_least(n) >= 0.0));
        assert!(law.at_least(0) >= 1.0 && law.at_least(1000) <= 0.0);
        // None alive: no arrival within the keep-alive and nobody in service at its start, e^-(3 x 20 + 3).
        near(
            KeepAlive::new(0.3, 1.0, 2.0).at_least(1),
            1.0 - (-0.3 * 3.0_f64).exp(),
            1e-13,
        );
    }

    #[test]
    fn long_and_short_keep_alives_agree_with_a_direct_exponential() {
        // Taylor series of the killed generator in small steps, for one level: an independent way to the same number.
        let (lambda, service, expiry, n) = (2.0, 0.5, 3.0, 4);
        let busy = poisson(lambda * service);
        let mut survival = vec![1.0; n];
        let steps = 3000;
        let h = expiry / f64::from(steps);
        for _ in 0..steps {
            let (mut term, mut sum) = (survival.clone(), survival.clone());
            for order in 1..8 {
                let next: Vec<f64> = (0..n)
                    .map(|i| {
                        let up = if i + 1 < n { term[i + 1] } else { 0.0 };
                        let down = if i > 0 { term[i - 1] } else { 0.0 };
                        let leave = lambda + i as f64 / service;
                        (lambda * up + i as f64 / service * down - leave * term[i]) * h / f64::from(order)
                    })
                    .collect();
                sum.iter_mut().zip(&next).for_each(|(s, t)| *s += t);
                term = next;
            }
            survival = sum;
        }
        let (cold, reached) = Killed {
            lambda,
            service,
            busy: &busy[..n],
        }
        .within(expiry);
        near(cold, busy[n - 1] * survival[n - 1], 1e-12);
        let stays: f64 = (0..n).map(|i| busy[i] * survival[i]).sum();
        near(reached, busy[..n].iter().sum::<f64>() - stays, 1e-12);
    }

    #[test]
    fn extreme_ratios_keep_their_digits() {
        // Rare arrivals never overlap: cold if the gap from the last departure exceeds the keep-alive. With service
        // 1e-5 of the gap, p = e^-(lambda T) to first order in lambda S.
        let law = KeepAlive::new(1e-3, 1e-2, 600.0);
        near(law.p_cold(), (-0.6_f64).exp(), 2e-5);
        near(law.at_least(1), 1.0 - (-0.600_01_f64).exp(), 1e-12);
        // The balance of the two sums: instances are born at lambda p and the mean level obeys Little's law, so the
        // derivative of the mean in the keep-alive is lambda p (each birth that a longer keep-alive would save).
        for (lambda, service, expiry) in [(0.9, 1.991, 600.0), (50.0, 1.0, 300.0), (5.0, 0.01, 600.0)] {
            let h = expiry * 1e-3;
            let law = |t| KeepAlive::new(lambda, service, t);
            let slope = (law(expiry + h).mean_instances() - law(expiry - h).mean_instances()) / (2.0 * h);
            near(slope, lambda * law(expiry).p_cold(), 1e-5);
        }
    }

    /// Cold starts of a simulated pool that hands out the most recently idled instance, after a warm-up.
    fn pool(lambda: f64, service: f64, expiry: f64, run: u64) -> f64 {
        const REQUESTS: u32 = 30_000;
        const WARM_UP: u32 = 1000;
        let mut rng = Stream::new(9, run, StreamKey::new("keep alive", "pool"));
        let (mut now, mut idle, mut cold) = (0.0, Vec::<f64>::new(), 0);
        let mut busy = BTreeSet::<u64>::new();
        for k in 0..REQUESTS + WARM_UP {
            now += exp1(&mut rng) / lambda;
            // Non-negative floats order as their bits do.
            while let Some(end) = busy.first().copied().filter(|end| f64::from_bits(*end) <= now) {
                busy.remove(&end);
                idle.push(f64::from_bits(end));
            }
            idle.retain(|since| now - since < expiry);
            cold += u32::from(idle.pop().is_none() && k >= WARM_UP);
            busy.insert((now + service * exp1(&mut rng)).to_bits());
        }
        f64::from(cold) / f64::from(REQUESTS)
    }

    #[test]
    fn the_law_agrees_with_a_simulation() {
        const RUNS: u64 = 40;
        let truth = KeepAlive::new(1.0, 2.0, 10.0).p_cold();
        let runs: Vec<f64> = (0..RUNS).map(|run| pool(1.0, 2.0, 10.0, run)).collect();
        let mean = runs.iter().sum::<f64>() / RUNS as f64;
        let variance = runs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (RUNS * (RUNS - 1)) as f64;
        let z = (mean - truth) / variance.sqrt();
        assert!(
            z.abs() < 3.3 && variance.sqrt() < 0.01 * truth,
            "{mean} +- {}, z {z}",
            variance.sqrt()
        );
    }
}
