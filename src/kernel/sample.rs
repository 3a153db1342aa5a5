//! Samplers: a distribution of durations (or of any non-negative number), compiled once and drawn many times.
//!
//! The ziggurats for the unit exponential and the standard normal come from `rand_distr`; everything that needs `ln`,
//! `exp` or `pow` calls the `libm` crate by name, because `rand_distr`'s own transforms change their last bit with the
//! cargo features of unrelated crates.
//! Sources: gamma by Marsaglia and Tsang (2000), doi 10.1145/358407.358414.

use super::stream::{below, unit, unit_open};
use super::time::Duration;
use crate::kernel::number::place;
use rand::Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};
use std::sync::Arc;

/// The 99th percentile of the standard normal distribution.
pub const Z99: f64 = 2.326_347_874_040_840_8;

/// A distribution over non-negative numbers. Parameters of a distribution of durations are in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Sampler {
    /// Always the same value.
    Constant(f64),
    /// Uniform between two values.
    Uniform {
        /// The smallest value.
        low: f64,
        /// The largest value.
        high: f64,
    },
    /// Exponential with this mean.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Log-normal: `exp(mu + sigma z)`.
    LogNormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Gamma.
    Gamma {
        /// Shape (1 is exponential; larger is narrower).
        shape: f64,
        /// Scale; the mean is shape x scale.
        scale: f64,
    },
    /// Weibull.
    Weibull {
        /// Shape (1 is exponential; smaller has a heavier tail).
        shape: f64,
        /// Scale.
        scale: f64,
    },
    /// Pareto, from `minimum` upwards.
    Pareto {
        /// The smallest value.
        minimum: f64,
        /// Tail exponent; the mean is infinite at 1 and below.
        shape: f64,
    },
    /// One of the measured values, each as likely as the others.
    Empirical(Arc<[f64]>),
    /// A quantile table: (probability, value) with both ascending from probability 0 to 1; between two points the
    /// logarithm of the value is interpolated.
    Quantiles(Arc<[(f64, f64)]>),
    /// One of several samplers, by weight: (cumulative probability, sampler), the last at 1.
    Mixture(Arc<[(f64, Sampler)]>),
    /// A sampler whose values are multiplied, shifted, then cut off from above.
    Adjusted {
        /// What is drawn first.
        inner: Arc<Sampler>,
        /// Multiplies the draw.
        factor: f64,
        /// Added after multiplying.
        offset: f64,
        /// The largest value that comes out.
        maximum: f64,
    },
}

impl Sampler {
    /// Always this long.
    pub fn constant(d: Duration) -> Self {
        Self::Constant(d.0 as f64)
    }

    /// Log-normal from its median and its 99th percentile (`p99 >= median > 0`).
    pub fn lognormal_median_p99(median: f64, p99: f64) -> Self {
        Self::LogNormal {
            mu: libm::log(median),
            sigma: libm::log(p99 / median) / Z99,
        }
    }

    /// Log-normal from its mean and its coefficient of variation (standard deviation over mean).
    pub fn lognormal_mean_cv(mean: f64, cv: f64) -> Self {
        let variance = libm::log1p(cv * cv);
        Self::LogNormal {
            mu: libm::log(mean) - variance / 2.0,
            sigma: variance.sqrt(),
        }
    }

    /// A mixture from (weight, sampler); the weights need not sum to one.
    pub fn mixture(parts: Vec<(f64, Self)>) -> Self {
        let total: f64 = parts.iter().map(|p| p.0).sum();
        let last = parts.len().saturating_sub(1);
        let mut sum = 0.0;
        let cumulative = parts.into_iter().enumerate().map(|(i, (weight, sampler))| {
            sum += weight / total;
            (if i == last { 1.0 } else { sum }, sampler)
        });
        Self::Mixture(cumulative.collect())
    }

    /// The same distribution with every value multiplied by `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::Constant(v) => Self::Constant(v * factor),
            Self::Exponential { mean } => Self::Exponential { mean: mean * factor },
            Self::LogNormal { mu, sigma } if factor > 0.0 => Self::LogNormal {
                mu: mu + libm::log(factor),
                sigma: *sigma,
            },
            other => Self::Adjusted {
                inner: Arc::new(other.clone()),
                factor,
                offset: 0.0,
                maximum: f64::INFINITY,
            },
        }
    }

    /// Draws a value.
    #[inline]
    pub fn value(&self, rng: &mut impl Rng) -> f64 {
        self.value_inlined(rng)
    }

    /// [`Sampler::value`] for the one place that draws for every request.
    #[inline(always)]
    pub fn value_inlined(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Constant(v) => *v,
            Self::Exponential { mean } => mean * exp1(rng),
            Self::LogNormal { mu, sigma } => libm::exp(mu + sigma * normal(rng)),
            _ => self.value_rare(rng),
        }
    }

    /// The distributions that are not worth inlining into every caller.
    fn value_rare(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Constant(_) | Self::Exponential { .. } | Self::LogNormal { .. } => self.value(rng),
            Self::Uniform { low, high } => low + (high - low) * unit(rng),
            Self::Gamma { shape, scale } => gamma(*shape, rng) * scale,
            Self::Weibull { shape, scale } => scale * libm::pow(exp1(rng), 1.0 / shape),
            Self::Pareto { minimum, shape } => minimum * libm::pow(unit_open(rng), -1.0 / shape),
            Self::Empirical(values) => values[place(below(rng, values.len() as u64))],
            Self::Quantiles(points) => quantile(points, unit(rng)),
            Self::Mixture(parts) => {
                let u = unit(rng);
                let part = parts.iter().find(|p| u < p.0).or(parts.last());
                part.map_or(0.0, |p| p.1.value_boxed(rng))
            }
            Self::Adjusted {
                inner,
                factor,
                offset,
                maximum,
            } => (inner.value_boxed(rng) * factor + offset).min(*maximum),
        }
    }

    /// Breaks the infinite type recursion of a generic call into itself.
    #[inline(never)]
    fn value_boxed(&self, rng: &mut impl Rng) -> f64 {
        self.value(rng)
    }

    /// Draws a duration (parameters in nanoseconds), rounded to the nearest nanosecond.
    #[inline]
    pub fn draw(&self, rng: &mut impl Rng) -> Duration {
        Duration::from_nanos_f64(self.value(rng))
    }

    /// The one value this sampler gives, if it is a constant (it can then use a FIFO lane instead of the heap).
    pub fn as_constant(&self) -> Option<Duration> {
        match self {
            Self::Constant(v) => Some(Duration::from_nanos_f64(*v)),
            _ => None,
        }
    }

    /// A value that no draw is below, in the unit of the parameters; 0 where that is not known.
    pub fn least(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, .. } => *low,
            Self::Pareto { minimum, .. } => *minimum,
            Self::Empirical(values) => values.iter().copied().reduce(f64::min).unwrap_or(0.0),
            _ => 0.0,
        }
        .max(0.0)
    }

    /// Whether it always gives zero: nothing needs to be scheduled for it.
    #[inline]
    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Constant(v) if *v < 0.5)
    }

    /// The mean of the distribution (infinite for a Pareto with a shape of 1 or less). A cut-off is ignored.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Constant(v) => *v,
            Self::Uniform { low, high } => low.midpoint(*high),
            Self::Exponential { mean } => *mean,
            Self::LogNormal { mu, sigma } => libm::exp(mu + sigma * sigma / 2.0),
            Self::Gamma { shape, scale } => shape * scale,
            Self::Weibull { shape, scale } => scale * libm::tgamma(1.0 + 1.0 / shape),
            Self::Pareto { minimum, shape } if *shape > 1.0 => minimum * shape / (shape - 1.0),
            Self::Pareto { .. } => f64::INFINITY,
            Self::Empirical(values) => values.iter().sum::<f64>() / values.len() as f64,
            Self::Quantiles(points) => points
                .windows(2)
                .map(|w| (w[1].0 - w[0].0) * segment_mean(w[0].1, w[1].1))
                .sum(),
            Self::Mixture(parts) => {
                let mut before = 0.0;
                parts
                    .iter()
                    .map(|(cumulative, sampler)| {
                        let weight = cumulative - before;
                        before = *cumulative;
                        weight * sampler.mean()
                    })
                    .sum()
            }
            Self::Adjusted {
                inner, factor, offset, ..
            } => inner.mean() * factor + offset,
        }
    }
}

/// A unit exponential (ziggurat).
#[inline]
pub fn exp1(rng: &mut impl Rng) -> f64 {
    Exp1.sample(rng)
}

/// A standard normal (ziggurat).
#[inline]
pub fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A gamma draw of scale 1 (Marsaglia and Tsang); shapes below one use the boost of their section 6.
fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    let boost = if shape < 1.0 {
        libm::pow(unit_open(rng), 1.0 / shape)
    } else {
        1.0
    };
    let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(rng);
        let v = 1.0 + c * x;
        if v <= 0.0 {
            continue;
        }
        let v = v * v * v;
        let u = unit_open(rng);
        if libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return boost * d * v;
        }
    }
}

/// The value at probability `u`; between two points the logarithm is interpolated (linearly where a value is zero).
fn quantile(points: &[(f64, f64)], u: f64) -> f64 {
    let upper = points.partition_point(|p| p.0 <= u).clamp(1, points.len() - 1);
    let ((p0, v0), (p1, v1)) = (points[upper - 1], points[upper]);
    let share = if p1 > p0 { (u - p0) / (p1 - p0) } else { 0.0 };
    if v0 > 0.0 {
        v0 * libm::pow(v1 / v0, share)
    } else {
        v0 + (v1 - v0) * share
    }
}

/// The mean of a segment of [`quantile`].
fn segment_mean(v0: f64, v1: f64) -> f64 {
    if v0 > 0.0 && (v1 / v0 - 1.0).abs() > 1e-9 {
        (v1 - v0) / libm::log(v1 / v0)
    } else {
        v0.midpoint(v1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::stream::{Stream, StreamKey};

    /// Compares mean and one tail probability of 400,000 draws with their exact values by z-scores.
    fn check(sampler: &Sampler, variance: f64, threshold: f64, tail: f64) {
        let mut rng = Stream::new(11, 0, StreamKey::new("sample", "test"));
        let n = 400_000.0_f64;
        let (mut sum, mut above) = (0.0, 0.0);
        for _ in 0..400_000 {
            let v = sampler.value(&mut rng);
            sum += v;
            above += f64::from(u8::from(v > threshold));
        }
        let z_mean = (sum / n - sampler.mean()) / (variance / n).sqrt();
        let z_tail = (above / n - tail) / (tail * (1.0 - tail) / n).sqrt();
        assert!(
            z_mean.abs() < 4.0,
            "{sampler:?}: mean {} against {}, z {z_mean}",
            sum / n,
            sampler.mean()
        );
        assert!(
            z_tail.abs() < 4.0,
            "{sampler:?}: tail {} against {tail}, z {z_tail}",
            above / n
        );
    }

    #[test]
    fn moments_and_tails_are_those_of_the_textbook() {
        check(&Sampler::Exponential { mean: 2.0 }, 4.0, 6.0, (-3.0_f64).exp());
        check(&Sampler::Uniform { low: 1.0, high: 3.0 }, 4.0 / 12.0, 2.5, 0.25);
        let lognormal = Sampler::lognormal_median_p99(12.0, 40.0);
        let m = lognormal.mean();
        let sigma2 = ((40.0_f64 / 12.0).ln() / Z99).powi(2);
        check(&lognormal, m * m * (sigma2.exp() - 1.0), 40.0, 0.01);
        check(
            &Sampler::Gamma { shape: 2.0, scale: 1.0 },
            2.0,
            3.0,
            4.0 * (-3.0_f64).exp(),
        );
        // Gamma with shape one half is half a squared normal: P(X > 0.5 x 1.96^2) = 0.05.
        check(
            &Sampler::Gamma { shape: 0.5, scale: 1.0 },
            0.5,
            0.5 * 1.959_963_985_f64.powi(2),
            0.05,
        );
        check(
            &Sampler::Weibull { shape: 2.0, scale: 1.0 },
            1.0 - std::f64::consts::FRAC_PI_4,
            1.5,
            (-2.25_f64).exp(),
        );
        check(
            &Sampler::Pareto {
                minimum: 1.0,
                shape: 3.0,
            },
            0.75,
            2.0,
            0.125,
        );
        check(
            &Sampler::Empirical(Arc::new([1.0, 2.0, 9.0])),
            38.0 / 3.0,
            2.5,
            1.0 / 3.0,
        );
        let mixture = Sampler::mixture(vec![(3.0, Sampler::Constant(1.0)), (1.0, Sampler::Constant(5.0))]);
        check(&mixture, 3.0, 2.0, 0.25);
        check(
            &Sampler::Exponential { mean: 1.0 }.scaled(2.0),
            4.0,
            6.0,
            (-3.0_f64).exp(),
        );
        check(
            &Sampler::Uniform { low: 0.0, high: 1.0 }.scaled(4.0),
            16.0 / 12.0,
            3.0,
            0.25,
        );
        check(&Sampler::lognormal_mean_cv(5.0, 0.4), 4.0, 5.0, 0.423_5);
    }

    #[test]
    fn a_quantile_table_gives_its_own_quantiles_back() {
        let table = Sampler::Quantiles(Arc::new([(0.0, 10.0), (0.5, 100.0), (1.0, 1000.0)]));
        // The logarithm is uniform between 10 and 1000, so the mean is 990 / ln 100.
        assert!((table.mean() - 990.0 / 100.0_f64.ln()).abs() < 1e-9);
        let second_moment = (1e6 - 1e2) / (2.0 * 100.0_f64.ln());
        check(&table, second_moment - table.mean().powi(2), 100.0, 0.5);
        check(&table, second_moment - table.mean().powi(2), 562.341_325, 0.125);
    }

    /// Known answers: these bits must not change with cargo features, platforms or releases.
    #[test]
    fn the_bits_are_pinned() {
        let mut rng = Stream::new(1, 0, StreamKey::new("pinned", "bits"));
        let samplers = [
            Sampler::Exponential { mean: 1e6 },
            Sampler::lognormal_median_p99(1e6, 4e6),
            Sampler::Gamma { shape: 1.7, scale: 1e6 },
            Sampler::Weibull { shape: 0.7, scale: 1e6 },
            Sampler::Pareto {
                minimum: 1e6,
                shape: 1.5,
            },
        ];
        let mut digest = 0_u64;
        for _ in 0..100_000 {
            for sampler in &samplers {
                digest = digest.rotate_left(5) ^ sampler.value(&mut rng).to_bits();
            }
        }
        assert_eq!(digest, 0x599a_5d9f_7be0_b032, "digest {digest:#x}");
    }
}
