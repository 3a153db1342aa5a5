//! Which item an operation is about: a number, drawn from the request's luck.
//!
//! Model: all keys alike; or by Zipf's law, the key of rank k in proportion to k^-s; or a share of the operations on a
//! few hot keys and the rest on all others alike. A retry asks for the same key. Stores with the same distribution draw
//! the same key for the same request, so a cache in front of a table keeps the table's hot keys.
//! Sources: Hörmann and Derflinger (1996), "Rejection-inversion to generate variates from monotone discrete
//! distributions".

use crate::kernel::number::whole;
use crate::kernel::stream::{below, chance, unit_open};
use crate::scenario::{Block, Code, Field, Kind, Table};
use rand::Rng;

/// The fields of a distribution of keys.
pub const KEYS: Table = Table {
    name: "key distribution",
    doc: "How operations spread over the keys of a store: all alike, by Zipf's law, or with a few hot ones.",
    fields: &[
        Field::default("count", Kind::Count, "1000000", "How many keys there are.")
            .within(1.0, 1e12)
            .source("assumed; give your own"),
        Field::optional(
            "zipf",
            Kind::Number,
            "Exponent of Zipf's law: the key of rank k is asked for in proportion to 1 / k^zipf.",
        )
        .within(0.01, 10.0),
        Field::optional(
            "hot_share",
            Kind::Share,
            "Share of the operations that go to the hot keys.",
        ),
        Field::default("hot_keys", Kind::Count, "1", "How many keys are hot, all alike.").at_least(1.0),
    ],
};

/// A distribution of keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// All alike.
    Uniform(u64),
    /// By Zipf's law.
    Zipf(Zipf),
    /// The first `hot` keys get a share, the rest the others.
    Hot {
        /// All keys.
        count: u64,
        /// Hot ones.
        hot: u64,
        /// Their share of the operations.
        share: f64,
    },
}

impl Keys {
    /// Reads a distribution; without a block all of a million keys are alike.
    pub fn read(block: Option<&Block>) -> Self {
        let Some(block) = block else {
            return Self::Uniform(1_000_000);
        };
        let count = block.count("count");
        if block.has("zipf") && block.has("hot_share") {
            let help = "keep one of them";
            block.error(
                Code::Conflict,
                block.span_of("zipf"),
                "`zipf` and `hot_share` are two distributions of keys",
                help,
            );
        }
        if let Some(exponent) = block.number_opt("zipf") {
            return Self::Zipf(Zipf::new(count, exponent));
        }
        let Some(share) = block.share_opt("hot_share") else {
            return Self::Uniform(count);
        };
        let hot = block.count("hot_keys");
        if hot >= count {
            let message = format!("{hot} hot keys of {count} leave no others");
            block.error(
                Code::Inconsistent,
                block.span_of("hot_keys"),
                message,
                "raise `count` or lower `hot_keys`",
            );
        }
        Self::Hot {
            count: count.max(hot + 1),
            hot,
            share,
        }
    }

    /// Draws a key: a number from zero on.
    #[inline]
    pub fn draw(&self, dice: &mut impl Rng) -> u64 {
        match self {
            Self::Uniform(1) => 0,
            Self::Uniform(count) => below(dice, *count),
            Self::Zipf(zipf) => zipf.draw(dice),
            Self::Hot { hot, share, .. } if chance(dice, *share) => below(dice, *hot),
            Self::Hot { count, hot, .. } => hot + below(dice, count - hot),
        }
    }
}

/// Zipf's law over the ranks 1 to n.
#[derive(Clone, Debug, PartialEq)]
pub struct Zipf {
    n: f64,
    exponent: f64,
    /// Area below the hat up to half a step before the second rank, and up to half a step behind the last one.
    first: f64,
    last: f64,
    /// Distances from a rank below this are accepted without looking.
    squeeze: f64,
}

impl Zipf {
    /// `n` ranks.
    pub fn new(n: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            n: n as f64,
            exponent,
            first: 0.0,
            last: 0.0,
            squeeze: 0.0,
        };
        zipf.first = zipf.area(1.5) - 1.0;
        zipf.last = zipf.area(zipf.n + 0.5);
        zipf.squeeze = 2.0 - zipf.rank_at(zipf.area(2.5) - zipf.weight(2.0));
        zipf
    }

    fn weight(&self, x: f64) -> f64 {
        libm::exp(-self.exponent * libm::log(x))
    }

    /// The integral of the weight, up to a constant: (x^(1-s) - 1) / (1 - s), and ln x for s = 1.
    fn area(&self, x: f64) -> f64 {
        let ln = libm::log(x);
        let t = (1.0 - self.exponent) * ln;
        ln * if t.abs() > 1e-8 {
            libm::expm1(t) / t
        } else {
            1.0 + t / 2.0
        }
    }

    /// The inverse of the area.
    fn rank_at(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        libm::exp(
            area * if t.abs() > 1e-8 {
                libm::log1p(t) / t
            } else {
                1.0 - t / 2.0
            },
        )
    }

    fn draw(&self, dice: &mut impl Rng) -> u64 {
        loop {
            let area = self.last + unit_open(dice) * (self.first - self.last);
            let x = self.rank_at(area);
            let rank = x.round().clamp(1.0, self.n);
            if rank - x <= self.squeeze || area >= self.area(rank + 0.5) - self.weight(rank) {
                return whole(rank) - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::{fit, place};
    use crate::kernel::{Stream, StreamKey};

    /// How often the first ranks came in a million draws, in standard deviations from what the law says.
    fn deviations(exponent: f64, n: u64) -> Vec<f64> {
        let keys = Keys::Zipf(Zipf::new(n, exponent));
        let mut stream = Stream::new(5, n, StreamKey::new("keys", "zipf"));
        let draws = 1_000_000;
        let mut seen = vec![0_u64; fit(n)];
        (0..draws).for_each(|_| seen[place(keys.draw(&mut stream))] += 1);
        let weight = |rank: u64| (rank as f64).powf(-exponent);
        let total: f64 = (1..=n).map(weight).sum();
        let score = |rank: u64| {
            let p = weight(rank) / total;
            let mean = f64::from(draws) * p;
            (seen[place(rank) - 1] as f64 - mean) / (mean * (1.0 - p)).sqrt().max(1e-9)
        };
        (1..=n.min(5)).map(score).collect()
    }

    #[test]
    fn ranks_come_in_proportion_to_their_power() {
        for (exponent, n) in [(0.8, 100), (1.0, 1000), (1.2, 50), (2.5, 7), (1.0, 1)] {
            let scores = deviations(exponent, n);
            assert!(scores.iter().all(|z| z.abs() < 4.0), "{exponent} {n}: {scores:?}");
        }
    }

    #[test]
    fn hot_keys_get_their_share() {
        let keys = Keys::Hot {
            count: 100,
            hot: 2,
            share: 0.3,
        };
        let mut stream = Stream::new(5, 0, StreamKey::new("keys", "hot"));
        let hot = (0..100_000).filter(|_| keys.draw(&mut stream) < 2).count();
        // 30,000 expected, standard deviation 145.
        assert!((29_420..30_580).contains(&hot), "{hot}");
        assert!((0..1000).all(|_| Keys::Uniform(3).draw(&mut stream) < 3));
    }
}
