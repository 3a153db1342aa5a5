//! When requests come: open arrival processes, one arrival after the other.
//!
//! Model: a rate curve (pieces of constant or linearly changing rate, repeated or not) is inverted exactly, so that the
//! n-th arrival of a Poisson process uses the same dice at every rate (common random numbers); on/off traffic is a
//! Markov-modulated Poisson process; traces give times, or counts per interval that are spread evenly or at random
//! inside it.
//! Not modelled: correlation between clients.
//! Units: rates are arrivals per nanosecond inside, per second in scenarios.
//! Sources: inversion of the cumulative rate, Cinlar, "Introduction to Stochastic Processes" (1975), section 4.7.
//! Validated by: counts and gaps against their exact distributions (unit tests), M/G/1 and MMPP formulas.

use crate::kernel::number::{fit, whole};
use crate::kernel::sample::exp1;
use crate::kernel::stream::unit;
use crate::kernel::{Duration, Instant, Sampler, Stream};
use crate::model::request::baggage::Recorded;
use std::sync::Arc;

/// A piece of a rate curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Length in nanoseconds.
    pub length_ns: u64,
    /// Arrivals per nanosecond where it begins.
    pub from: f64,
    /// Arrivals per nanosecond where it ends.
    pub to: f64,
}

impl Piece {
    /// The part of it between two offsets; what is left of an endless piece is endless.
    fn part(self, low: u64, high: u64) -> Self {
        let at = |offset: u64| self.from + (self.to - self.from) * (offset as f64 / self.length_ns as f64);
        Self {
            length_ns: if high == u64::MAX { high } else { high - low },
            from: at(low),
            to: at(high),
        }
    }
}

/// For a while the rate is this instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spike {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts.
    pub during: Duration,
    /// Arrivals per second during it.
    pub per_second: f64,
    /// How often it comes in a month, if that is said.
    pub per_month: Option<f64>,
}

impl Spike {
    /// When it ends.
    pub fn end(&self) -> Duration {
        self.at + self.during
    }
}

/// A rate over time: pieces one after the other, then the last rate for ever or all over again.
#[derive(Clone, Debug, PartialEq)]
pub struct RateCurve {
    pieces: Vec<Piece>,
    repeats: bool,
    /// After how long it comes again, exactly or but for changes of clocks.
    period: Option<Duration>,
    /// Its spikes, and what it is without them.
    spiked: Option<Box<Spiked>>,
    /// The rate (per ns) of a curve that is one endless piece of constant rate.
    steady: Option<f64>,
}

/// What a curve with spikes was made of.
#[derive(Clone, Debug, PartialEq)]
struct Spiked {
    calm: RateCurve,
    spikes: Vec<Spike>,
}

impl RateCurve {
    /// The same rate (per second) at all times.
    pub fn constant(per_second: f64) -> Self {
        let rate = per_second / 1e9;
        Self {
            pieces: vec![Piece {
                length_ns: u64::MAX,
                from: rate,
                to: rate,
            }],
            repeats: false,
            period: None,
            spiked: None,
            steady: Some(rate),
        }
    }

    /// From pieces; there must be at least one, and none of length zero. A curve that does not repeat holds the rate
    /// at which its last piece ends.
    pub fn new(mut pieces: Vec<Piece>, repeats: bool) -> Self {
        pieces.retain(|piece| piece.length_ns > 0);
        if !repeats {
            let rate = pieces.last().map_or(0.0, |piece| piece.to);
            pieces.push(Piece {
                length_ns: u64::MAX,
                from: rate,
                to: rate,
            });
        }
        let steady = match pieces[..] {
            [only] if only.length_ns == u64::MAX && only.to - only.from == 0.0 => Some(only.from),
            _ => None,
        };
        let whole = pieces
            .iter()
            .fold(0, |sum: u64, piece| sum.saturating_add(piece.length_ns));
        Self {
            pieces,
            repeats,
            period: repeats.then_some(Duration(whole)),
            spiked: None,
            steady,
        }
    }

    /// The same, said to come again after so long but for changes of clocks.
    #[must_use]
    pub fn with_period(self, period: Duration) -> Self {
        Self {
            period: Some(period),
            ..self
        }
    }

    /// The pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// After how long it comes again, exactly or but for changes of clocks; `None` if it does not.
    pub fn period(&self) -> Option<Duration> {
        self.period
    }

    /// Its spikes, in the order in which they were laid over it.
    pub fn spikes(&self) -> &[Spike] {
        self.spiked.as_ref().map_or(&[], |spiked| &spiked.spikes)
    }

    /// The curve without its spikes.
    pub fn calm(&self) -> &Self {
        self.spiked.as_ref().map_or(self, |spiked| &spiked.calm)
    }

    /// The rate for ever at which a curve that does not repeat ends.
    #[must_use]
    pub fn held(&self) -> Self {
        let rate = self.pieces.last().map_or(0.0, |piece| piece.to);
        Self::constant(rate * 1e9)
    }

    /// The same curve with another rate during a spike. A curve that repeats is written out over the `length` of the
    /// run first.
    #[must_use]
    pub fn with_spike(&self, laid: Spike, length: Duration) -> Self {
        let (at, end) = (laid.at, laid.end());
        let rate = laid.per_second / 1e9;
        let spike = Piece {
            length_ns: laid.during.0,
            from: rate,
            to: rate,
        };
        let until = if self.repeats { length.max(end).0 } else { u64::MAX };
        let mut pieces = Vec::new();
        let mut begin = 0_u64;
        for piece in self.pieces.iter().cycle() {
            if begin >= until {
                break;
            }
            let finish = begin.saturating_add(piece.length_ns);
            if begin < at.0 {
                pieces.push(piece.part(0, finish.min(at.0) - begin));
            }
            if (begin..finish).contains(&at.0) {
                pieces.push(spike);
            }
            if finish > end.0 {
                pieces.push(piece.part(begin.max(end.0) - begin, piece.length_ns));
            }
            begin = finish;
        }
        // What was written out ends with the run; beyond it nobody looks, but the next arrival is searched for there.
        if self.repeats {
            let rate = pieces.last().map_or(0.0, |piece| piece.to);
            pieces.push(Piece {
                length_ns: u64::MAX,
                from: rate,
                to: rate,
            });
        }
        Self {
            pieces,
            repeats: false,
            period: self.period,
            spiked: Some(Box::new(Spiked {
                calm: self.calm().clone(),
                spikes: self.spikes().iter().copied().chain([laid]).collect(),
            })),
            steady: None,
        }
    }

    /// The mean rate per second over the first `length` of the run.
    pub fn mean_per_second(&self, length: Duration) -> f64 {
        let (mut left, mut sum) = (length.0, 0.0);
        let mut index = 0;
        while left > 0 && index < 1_000_000 {
            let piece = self.pieces[index % self.pieces.len()];
            let part = piece.length_ns.min(left);
            let end = piece.from + (piece.to - piece.from) * (part as f64 / piece.length_ns as f64);
            sum += piece.from.midpoint(end) * part as f64;
            left -= part;
            index += 1;
        }
        sum / length.0 as f64 * 1e9
    }
}

/// How the counts of a trace are spread inside an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// At equal distances.
    Even,
    /// Uniformly at random, as a Poisson process would place them.
    Uniform,
}

/// Recorded arrivals.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// When (nanoseconds since the start, ascending).
    pub at: Arc<[u64]>,
    /// What each brings, if that was recorded.
    pub rows: Option<Arc<Rows>>,
}

/// What recorded requests bring, in the order in which they come; empty where it was not recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// How long each took (ns).
    pub durations: Vec<u64>,
    /// How large each was (bytes).
    pub sizes: Vec<u64>,
}

impl From<Vec<u64>> for Recording {
    fn from(at: Vec<u64>) -> Self {
        Self {
            at: at.into(),
            rows: None,
        }
    }
}

/// An open arrival process.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrivalPlan {
    /// Equally spaced along a rate curve.
    Constant(RateCurve),
    /// Poisson along a rate curve.
    Poisson(RateCurve),
    /// Markov-modulated Poisson: (rate per nanosecond, mean stay in nanoseconds) of each state, visited in turn.
    Modulated(Vec<(f64, f64)>),
    /// Exactly at recorded times.
    Times(Recording),
    /// With gaps of this distribution, each independent of the others: a renewal process.
    Gaps(Sampler),
    /// So many in each interval of this length.
    Counts {
        /// When the first interval begins.
        begin_ns: u64,
        /// Length of an interval.
        interval_ns: u64,
        /// Arrivals in each.
        counts: Arc<[u32]>,
        /// Where in the interval.
        spread: Spread,
        /// Whether the trace begins again at its end.
        repeats: bool,
    },
}

impl ArrivalPlan {
    /// Arrivals a second on average over the first `length` of the run (for lints and for sizing).
    pub fn mean_per_second(&self, length: Duration) -> f64 {
        match self {
            Self::Constant(curve) | Self::Poisson(curve) => curve.mean_per_second(length),
            Self::Modulated(states) => {
                let time: f64 = states.iter().map(|s| s.1).sum();
                states.iter().map(|s| s.0 * s.1).sum::<f64>() / time * 1e9
            }
            Self::Times(Recording { at: times, .. }) => {
                times.partition_point(|&t| t < length.0) as f64 / length.as_secs_f64().max(f64::MIN_POSITIVE)
            }
            Self::Gaps(gap) => 1e9 / gap.mean().max(f64::MIN_POSITIVE),
            Self::Counts {
                begin_ns,
                interval_ns,
                counts,
                repeats,
                ..
            } => {
                let wanted = fit((length.0 / interval_ns.max(&1)).max(1));
                let n = if *repeats { counts.len().max(1) } else { wanted };
                let late = if *repeats {
                    0
                } else {
                    fit(begin_ns / interval_ns.max(&1))
                };
                let sum: u64 = counts.iter().take(n.saturating_sub(late)).map(|&c| u64::from(c)).sum();
                sum as f64 / (n as f64 * *interval_ns as f64) * 1e9
            }
        }
    }
}

/// Where an arrival process is.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// The piece, state or row it is at.
    index: usize,
    /// When that piece or state began, or ends.
    edge: Instant,
    /// What is left to give in the current interval of a count trace, latest first.
    pending: Vec<u64>,
    /// Whether there was an arrival, for those that come evenly.
    begun: bool,
}

impl Arrivals {
    /// At the start of a run.
    pub fn new(plan: &ArrivalPlan, dice: &mut Stream) -> Self {
        let edge = match plan {
            ArrivalPlan::Modulated(states) => Instant::ZERO + Duration::from_nanos_f64(states[0].1 * exp1(dice)),
            _ => Instant::ZERO,
        };
        Self {
            index: 0,
            edge,
            pending: Vec::new(),
            begun: false,
        }
    }

    /// The next arrival after the one at `now` (or after the start); [`Instant::NEVER`] when there is none.
    #[inline(always)]
    pub fn next(&mut self, plan: &ArrivalPlan, now: Instant, dice: &mut Stream) -> Instant {
        if let ArrivalPlan::Poisson(curve) = plan
            && let Some(rate) = curve.steady
        {
            // The same rate for ever, as in most scenarios. (Rate zero gives infinity, which is never.)
            return now + Duration::from_nanos_f64(exp1(dice) / rate);
        }
        self.next_by_other_process(plan, now, dice)
    }

    /// What the arrival brings that was given last, before the next one is asked for.
    pub fn brings(&self, plan: &ArrivalPlan) -> Option<Recorded> {
        let ArrivalPlan::Times(Recording { rows: Some(rows), .. }) = plan else {
            return None;
        };
        let row = self.index.checked_sub(1)?;
        Some(Recorded {
            duration: rows.durations.get(row).copied().map(Duration),
            size: rows.sizes.get(row).copied(),
        })
    }

    #[inline(never)]
    fn next_by_other_process(&mut self, plan: &ArrivalPlan, now: Instant, dice: &mut Stream) -> Instant {
        match plan {
            ArrivalPlan::Constant(curve) => self.evenly(curve, now),
            ArrivalPlan::Gaps(gap) => now + gap.draw(dice),
            ArrivalPlan::Poisson(curve) => self.along(curve, now, exp1(dice)),
            ArrivalPlan::Modulated(states) => self.modulated(states, now, dice),
            ArrivalPlan::Times(Recording { at: times, .. }) => {
                let at = times.get(self.index).map_or(Instant::NEVER, |&t| Instant(t));
                self.index += 1;
                at
            }
            ArrivalPlan::Counts {
                begin_ns,
                interval_ns,
                counts,
                spread,
                repeats,
            } => self.counted((*begin_ns, *interval_ns), counts, *spread, *repeats, dice),
        }
    }

    /// Equal shares of the curve's integral, an arrival in the middle of each: so that an hour at one a minute has 60
    /// of them, and an integral that is no whole number is rounded to the nearest.
    fn evenly(&mut self, curve: &RateCurve, now: Instant) -> Instant {
        if let Some(rate) = curve.steady {
            // Each from the start, so that what a gap is rounded by does not add up.
            let at = Instant::ZERO + Duration::from_nanos_f64((self.index as f64 + 0.5) / rate);
            self.index += 1;
            return at;
        }
        let share = if std::mem::replace(&mut self.begun, true) {
            1.0
        } else {
            0.5
        };
        self.along(curve, now, share)
    }

    /// The time at which the integral of the curve since `now` reaches `mass`.
    fn along(&mut self, curve: &RateCurve, now: Instant, mut mass: f64) -> Instant {
        let mut at = now;
        // A repeating curve whose every piece has rate zero would never reach anything.
        for _ in 0..=MAX_PIECES_WITHOUT_ARRIVAL {
            let piece = curve.pieces[self.index];
            if piece.length_ns == u64::MAX && piece.to - piece.from == 0.0 {
                return at + Duration::from_nanos_f64(mass / piece.from);
            }
            let offset = at.since(self.edge).0 as f64;
            let slope = (piece.to - piece.from) / piece.length_ns as f64;
            let rate = piece.from + slope * offset;
            let left = piece.length_ns as f64 - offset;
            let available = left * rate.midpoint(piece.to);
            if mass < available {
                // Solves slope/2 x^2 + rate x = mass in the form that does not cancel.
                let root = (rate * rate + 2.0 * slope * mass).max(0.0).sqrt();
                return at + Duration::from_nanos_f64(2.0 * mass / (rate + root));
            }
            if piece.length_ns == u64::MAX {
                return Instant::NEVER;
            }
            mass -= available;
            self.edge = self.edge + Duration(piece.length_ns);
            at = self.edge;
            self.index += 1;
            if self.index == curve.pieces.len() {
                debug_assert!(curve.repeats, "the last piece of a curve that ends is endless");
                self.index = 0;
            }
        }
        Instant::NEVER
    }

    fn modulated(&mut self, states: &[(f64, f64)], now: Instant, dice: &mut Stream) -> Instant {
        let mut at = now;
        for _ in 0..=MAX_PIECES_WITHOUT_ARRIVAL {
            let (rate, _) = states[self.index];
            let next = if rate > 0.0 {
                at + Duration::from_nanos_f64(exp1(dice) / rate)
            } else {
                Instant::NEVER
            };
            if next < self.edge {
                return next;
            }
            // The exponential has no memory: what was left of it is drawn anew at the next state's rate.
            at = self.edge;
            self.index = (self.index + 1) % states.len();
            self.edge = at + Duration::from_nanos_f64(states[self.index].1 * exp1(dice));
        }
        Instant::NEVER
    }

    fn counted(
        &mut self,
        (first_ns, interval_ns): (u64, u64),
        counts: &[u32],
        spread: Spread,
        repeats: bool,
        dice: &mut Stream,
    ) -> Instant {
        let mut empty = 0;
        while self.pending.is_empty() {
            if counts.is_empty() || (!repeats && self.index >= counts.len()) || empty > counts.len() {
                return Instant::NEVER;
            }
            let count = counts[self.index % counts.len()];
            let begin = first_ns + self.index as u64 * interval_ns;
            self.index += 1;
            empty += 1;
            match spread {
                Spread::Even => {
                    let gap = interval_ns as f64 / f64::from(count.max(1));
                    let place = |i: u32| begin + whole((f64::from(i) + 0.5) * gap);
                    self.pending.extend((0..count).rev().map(place));
                }
                Spread::Uniform => {
                    self.pending
                        .extend((0..count).map(|_| begin + whole(unit(dice) * interval_ns as f64)));
                    self.pending.sort_unstable_by(|a, b| b.cmp(a));
                }
            }
        }
        self.pending.pop().map_or(Instant::NEVER, Instant)
    }
}

/// After this many pieces without an arrival a process counts as having ended (its rate is zero).
const MAX_PIECES_WITHOUT_ARRIVAL: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::StreamKey;
    use crate::kernel::number::whole_usize;

    fn spike(at: Duration, during: Duration, per_second: f64) -> Spike {
        Spike {
            at,
            during,
            per_second,
            per_month: None,
        }
    }

    fn times(plan: &ArrivalPlan, until_s: f64) -> Vec<f64> {
        let mut dice = Stream::new(5, 0, StreamKey::new("client", "arrivals"));
        let mut arrivals = Arrivals::new(plan, &mut dice);
        let (mut now, mut out) = (Instant::ZERO, Vec::new());
        loop {
            now = arrivals.next(plan, now, &mut dice);
            if now.as_secs_f64() > until_s {
                return out;
            }
            out.push(now.as_secs_f64());
        }
    }

    fn piece(seconds: u64, from: f64, to: f64) -> Piece {
        Piece {
            length_ns: seconds * 1_000_000_000,
            from: from / 1e9,
            to: to / 1e9,
        }
    }

    #[test]
    fn constant_arrivals_follow_the_integral_of_the_curve() {
        // A ramp from 0 to 10 a second over 10 s: the n-th arrival is at sqrt(2 (n - 1/2)) seconds, then every 0.1 s.
        let plan = ArrivalPlan::Constant(RateCurve::new(vec![piece(10, 0.0, 10.0)], false));
        let times = times(&plan, 11.0);
        for (i, at) in times.iter().take(49).enumerate() {
            assert!(
                (at - (2.0 * (i as f64 + 0.5)).sqrt()).abs() < 1e-7,
                "arrival {i} at {at}"
            );
        }
        assert!((times[59] - 10.95).abs() < 1e-7, "{}", times[59]);
    }

    #[test]
    fn even_arrivals_are_as_many_as_the_rate_says() {
        let count = |per_second: f64, seconds: u64| {
            let plan = ArrivalPlan::Constant(RateCurve::constant(per_second));
            times(&plan, seconds as f64 - 1e-9).len()
        };
        assert_eq!(count(1.0 / 60.0, 3600), 60);
        assert_eq!(count(1.0 / 7.0, 70), 10);
        assert_eq!(count(3.0, 3600), 10_800);
        // A gap of 1428.57 ns is no whole number of nanoseconds.
        assert_eq!(count(700_000.0, 2), 1_400_000);
        let spiked = RateCurve::constant(1.0).with_spike(spike(secs(10), secs(10), 3.0), secs(60));
        assert_eq!(times(&ArrivalPlan::Constant(spiked), 60.0).len(), 10 + 30 + 40);
    }

    #[test]
    fn gaps_have_their_distribution() {
        let plan = ArrivalPlan::Gaps(Sampler::Uniform { low: 5e7, high: 1.5e8 });
        assert!((plan.mean_per_second(secs(60)) - 10.0).abs() < 1e-9);
        let times = times(&plan, 10_000.0);
        // A renewal process: the count has mean t / m and variance t s^2 / m^3.
        let sd = (10_000.0 * (1e-1_f64.powi(2) / 12.0) / 1e-3).sqrt();
        assert!((times.len() as f64 - 1e5).abs() < 4.0 * sd, "{}", times.len());
        assert!(
            times
                .windows(2)
                .all(|w| (0.049_999..=0.150_001).contains(&(w[1] - w[0])))
        );
    }

    #[test]
    fn poisson_counts_have_the_right_mean_and_variance_in_each_piece() {
        let plan = ArrivalPlan::Poisson(RateCurve::new(vec![piece(1, 100.0, 100.0), piece(1, 20.0, 60.0)], true));
        let times = times(&plan, 20_000.0);
        let mut counts = vec![0.0_f64; 20_000];
        for t in &times {
            counts[whole_usize(t.floor().min(19_999.0))] += 1.0;
        }
        for (parity, mean) in [(0, 100.0), (1, 40.0)] {
            let sample: Vec<f64> = counts.iter().copied().skip(parity).step_by(2).collect();
            let n = sample.len() as f64;
            let average = sample.iter().sum::<f64>() / n;
            let variance = sample.iter().map(|c| (c - average).powi(2)).sum::<f64>() / (n - 1.0);
            assert!((average - mean).abs() < 4.0 * (mean / n).sqrt(), "mean {average}");
            assert!(
                (variance / mean - 1.0).abs() < 4.0 * (2.0 / n).sqrt(),
                "variance {variance} of mean {mean}"
            );
        }
    }

    #[test]
    fn a_spike_replaces_the_rate_for_its_time_only() {
        let lay = |curve: RateCurve| curve.with_spike(spike(secs(3), secs(2), 7.0), secs(10));
        let flat = ArrivalPlan::Constant(lay(RateCurve::constant(1.0)));
        assert_eq!(times(&flat, 6.7).len(), 3 + 14 + 2);
        // A saw-tooth from 0 to 2 every second has mean 1 outside the spike.
        let teeth = lay(RateCurve::new(vec![piece(1, 0.0, 2.0)], true));
        assert!((teeth.mean_per_second(secs(10)) - (8.0 + 14.0) / 10.0).abs() < 1e-9);
        // The spike begins and ends inside pieces.
        let long = RateCurve::new(vec![piece(10, 0.0, 10.0)], false).with_spike(spike(secs(3), secs(2), 7.0), secs(10));
        let expected = (4.5 + 14.0 + (50.0 - 12.5)) / 10.0;
        assert!(
            (long.mean_per_second(secs(10)) - expected).abs() < 1e-9,
            "{}",
            long.mean_per_second(secs(10))
        );
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn modulated_traffic_has_its_mean_rate_and_more_than_poisson_variance() {
        let plan = ArrivalPlan::Modulated(vec![(200.0 / 1e9, 1e9), (20.0 / 1e9, 3e9)]);
        assert!((plan.mean_per_second(Duration::from_secs(1)) - 65.0).abs() < 1e-9);
        let times = times(&plan, 40_000.0);
        // The mean rate of an on/off process over T has variance 2 s^2 tau / T with s the sd of the rate and tau its
        // correlation time (1 / (1/1 + 1/3) = 0.75 s), plus the Poisson part.
        let rate_variance = 0.25 * 0.75 * 180.0_f64.powi(2);
        let sd = (2.0 * rate_variance * 0.75 / 40_000.0 + 65.0 / 40_000.0).sqrt();
        let rate = times.len() as f64 / 40_000.0;
        assert!((rate - 65.0).abs() < 4.0 * sd, "rate {rate}");
    }

    #[test]
    fn traces_come_back_as_they_are() {
        let plan = ArrivalPlan::Times(vec![1_000_000_000, 1_000_000_000, 2_500_000_000].into());
        assert_eq!(times(&plan, 10.0), [1.0, 1.0, 2.5]);
        let counts: Arc<[u32]> = Arc::new([2, 0, 4]);
        let even = ArrivalPlan::Counts {
            begin_ns: 0,
            interval_ns: 1_000_000_000,
            counts,
            spread: Spread::Even,
            repeats: true,
        };
        assert_eq!(times(&even, 4.0), [0.25, 0.75, 2.125, 2.375, 2.625, 2.875, 3.25, 3.75]);
        let counts: Arc<[u32]> = Arc::new([0, 0]);
        let none = ArrivalPlan::Counts {
            begin_ns: 0,
            interval_ns: 1_000_000_000,
            counts,
            spread: Spread::Uniform,
            repeats: true,
        };
        assert!(times(&none, 1e6).is_empty());
    }

    #[test]
    fn after_a_spike_a_curve_goes_on_for_ever() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let nothing = RateCurve::constant(0.0).with_spike(spike(second, second, 100.0), minute);
        let spiked = times(&ArrivalPlan::Poisson(nothing), 1e9);
        assert!(spiked.len() > 50 && spiked.iter().all(|&at| (1.0..2.0).contains(&at)));
        // A curve that repeats is written out for the run; the search for the arrival after its end finds one, or none.
        let wave = RateCurve::new(
            vec![
                Piece {
                    length_ns: 1_000_000_000,
                    from: 1e-8,
                    to: 1e-8,
                },
                Piece {
                    length_ns: 1_000_000_000,
                    from: 0.0,
                    to: 0.0,
                },
            ],
            true,
        );
        let spiked = times(
            &ArrivalPlan::Poisson(wave.with_spike(spike(second, second, 0.0), minute)),
            60.0,
        );
        assert!((200..400).contains(&spiked.len()), "{}", spiked.len());
    }
}
