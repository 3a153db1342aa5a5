//! Whether a level that was seen window by window settles, grows without end or falls, and whether runs of one system
//! end in two different places.
//!
//! Windows of one run are strongly correlated, so no test here takes them for independent. Each run gives one contrast,
//! runs are independent, and Student's t judges the contrasts. Two contrasts must both be above zero for growth: the
//! second half minus the first (it is symmetric, so that heavy tails make the test careful, not hasty), and the growth
//! of the last third over the middle one less half of what came before. The second one is zero on average for a steady
//! system, and below zero for one that started empty and fills up with a time constant of up to half of what was seen,
//! since `exp(-1/3 / (1/2))` is about one half; for a line that rises for good, it is half of the rise of a third.
//!
//! With fewer than four runs their spread is unknown. Then the steps from block to block are taken for the steps of a
//! random walk, which spreads faster than any queue that settles; averages over neighbouring blocks share half of their
//! steps, which at most adds half to the variance of a sum (the averages of a random walk over adjacent blocks have
//! steps with correlation 1/4).
//!
//! Sources: intersection-union tests, Berger (1982), *Technometrics* 24(4); averages of a random walk, Working (1960),
//! *Econometrica* 28(4).

use super::interval::incomplete_beta;

/// The least windows in which a trend can be seen.
pub const LEAST_WINDOWS: usize = 6;
/// Runs from which on their spread alone is trusted.
const ENOUGH_RUNS: usize = 4;
/// How much averages over neighbouring blocks of a random walk add to the variance of a sum of their steps.
const SHARED_STEPS: f64 = 1.5;
/// The part of the growth up to the middle third that a system that fills up may still have ahead.
const FILLING: f64 = 0.5;
/// The chance of taking a system that fills up as slowly as can be told for one that grows.
const GUARD: f64 = 0.01;

/// How a level went on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// Nothing that chance could not do, or too few windows to see it.
    Level,
    /// It rises and does not slow down.
    Growing(Trend),
    /// It still rises at the end, but slows down, or too little was seen to tell the two apart.
    Rising(Trend),
    /// It falls until the end.
    Falling(Trend),
}

/// The slope of a level at the end of what was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The probability that a steady system shows as much.
    pub p_value: f64,
    /// Change from window to window over the last half.
    pub per_window: f64,
    /// The window in which it began: where the line through the last half meets the level of the beginning.
    pub since: f64,
    /// The mean level of the last window.
    pub last: f64,
    /// In how many windows it doubles, if it grows by a factor and not by an amount.
    pub doubles: Option<f64>,
}

/// How many windows show a steady level, for one that still rises, but more and more slowly: until only a hundredth of
/// the way is left, and as many again to measure. From the means of its thirds, taken for those of an exponential
/// approach; none if they are not like that.
pub fn settled_after(runs: &[Vec<f64>]) -> Option<f64> {
    const LEFT: f64 = 0.01;
    let third = runs.iter().map(Vec::len).min()? / 3;
    let mean = |part: usize| {
        let values = runs
            .iter()
            .flat_map(|run| &run[run.len() - (3 - part) * third..][..third]);
        values.sum::<f64>() / (runs.len() * third) as f64
    };
    let ratio = (mean(2) - mean(1)) / (mean(1) - mean(0));
    let windows = 2.0 * third as f64 * libm::log(LEFT) / libm::log(ratio);
    (third > 0 && ratio > 0.0 && ratio < 1.0).then_some(windows)
}

/// One contrast of every run, and whether their mean is above zero.
struct Contrast {
    mean: f64,
    /// Probability of as much by chance if it is zero.
    p_value: f64,
}

/// P(t > `t`) for Student's t.
fn t_tail(t: f64, freedom: f64) -> f64 {
    let half = 0.5 * incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    if t >= 0.0 { half } else { 1.0 - half }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The chance of a mean of `error` standard error; without spread there is no chance.
fn judged(mean: f64, error: f64, freedom: f64) -> Contrast {
    let p_value = if error > 1e-12 * mean.abs() {
        t_tail(mean / error, freedom)
    } else if mean > 0.0 {
        0.0
    } else {
        1.0
    };
    Contrast { mean, p_value }
}

/// The contrasts of independent runs.
fn over_runs(values: &[f64]) -> Contrast {
    let (n, centre) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|x| (x - centre) * (x - centre)).sum();
    judged(centre, (squares / (n * (n - 1.0))).sqrt(), n - 1.0)
}

/// Weights over `blocks` equal blocks of a run.
fn weights(blocks: usize, weight: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..blocks)
        .map(|block| weight((block as f64 + 0.5) / blocks as f64))
        .collect()
}

/// The second half over the first.
fn half(at: f64) -> f64 {
    if at > 0.5 { 1.0 } else { -1.0 }
}

/// What the last third adds beyond what a system that fills up may.
fn sustained(at: f64) -> f64 {
    match at {
        at if at < 1.0 / 3.0 => FILLING,
        at if at < 2.0 / 3.0 => -1.0 - FILLING,
        _ => 1.0,
    }
}

/// The last third over the middle one.
fn late(at: f64) -> f64 {
    match at {
        at if at < 1.0 / 3.0 => 0.0,
        at if at < 2.0 / 3.0 => -1.0,
        _ => 1.0,
    }
}

/// The end of the last third over its beginning.
fn last(at: f64) -> f64 {
    match at {
        at if at < 2.0 / 3.0 => 0.0,
        at if at < 5.0 / 6.0 => -1.0,
        _ => 1.0,
    }
}

/// Each run as the means of blocks of nearly the same length: six, or twelve where steps are to be judged and there are
/// windows enough, so that halves, thirds and sixths are whole.
fn blocks(runs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let windows = runs.iter().map(Vec::len).min().unwrap_or(0);
    let fine = runs.len() < ENOUGH_RUNS && windows >= 2 * LEAST_WINDOWS;
    let count = if fine { 2 * LEAST_WINDOWS } else { LEAST_WINDOWS };
    let cut = |run: &Vec<f64>| {
        let run = &run[run.len() - windows..];
        let block = |block: usize| mean(&run[block * windows / count..(block + 1) * windows / count]);
        (0..count).map(block).collect()
    };
    runs.iter().map(cut).collect()
}

/// A contrast with the weights of `weight`, by runs if there are enough, else by steps.
fn contrast(blocks: &[Vec<f64>], weight: fn(f64) -> f64, sign: f64) -> Contrast {
    let count = blocks[0].len();
    let weights = weights(count, weight);
    let parts = weights.iter().filter(|w| **w > 0.0).sum::<f64>();
    let of_run = |run: &Vec<f64>| sign * run.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>() / parts;
    let values: Vec<f64> = blocks.iter().map(of_run).collect();
    // Runs that are all the same have no dice that could matter.
    let same = blocks.len() > 1 && blocks.iter().all(|run| run == &blocks[0]);
    if same || blocks.len() >= ENOUGH_RUNS {
        return over_runs(&values);
    }
    let steps: Vec<f64> = blocks
        .iter()
        .flat_map(|run| run.windows(2).map(|pair| pair[1] - pair[0]))
        .collect();
    let centre = mean(&steps);
    let freedom = steps.len() as f64 - 1.0;
    let variance = steps.iter().map(|step| (step - centre) * (step - centre)).sum::<f64>() / freedom;
    // A contrast of levels is a sum of steps: each counts with the weight of all blocks that come after it.
    let of_steps = (1..count).map(|first| weights[first..].iter().sum::<f64>() / parts);
    let squares: f64 = of_steps.map(|w| w * w).sum();
    let error = (SHARED_STEPS * variance * squares / blocks.len() as f64).sqrt();
    judged(mean(&values), error, freedom)
}

/// The chance that a steady system, or one that fills up from nothing, shows as much growth as these runs of it, window
/// by window; 1 if there are too few windows.
pub fn growth(runs: &[Vec<f64>]) -> f64 {
    if runs.iter().map(Vec::len).min().unwrap_or(0) < LEAST_WINDOWS {
        return 1.0;
    }
    let blocks = blocks(runs);
    let both = [half, sustained].map(|weight| contrast(&blocks, weight, 1.0).p_value);
    both[0].max(both[1])
}

/// How a level went on in several runs of one system, window by window. `alpha` is the chance of a false alarm that is
/// allowed; `period` is the length in windows of what repeats itself in the input, 1 if nothing does.
pub fn course(runs: &[Vec<f64>], period: usize, alpha: f64) -> Course {
    let windows = runs.iter().map(Vec::len).min().unwrap_or(0);
    let seen = |run: &Vec<f64>| run.iter().all(|x| x.is_finite());
    if windows < LEAST_WINDOWS || !runs.iter().all(seen) {
        return Course::Level;
    }
    let periods = windows / period.max(1);
    if period > 1 && periods < LEAST_WINDOWS {
        return few_periods(runs, period, alpha);
    }
    let whole = |run: &Vec<f64>| -> Vec<f64> {
        let start = run.len() - periods * period;
        run[start..].chunks(period).map(mean).collect()
    };
    let means: Vec<Vec<f64>> = runs.iter().map(whole).collect();
    let blocks = blocks(&means);
    let of = |weight: fn(f64) -> f64, sign| contrast(&blocks, weight, sign);
    let (rise, rest) = (of(half, 1.0), of(late, 1.0));
    let level = mean(&blocks.iter().map(|run| mean(run)).collect::<Vec<_>>()).abs();
    // A change of a fiftieth of the level is no growth that anybody plans for.
    let matters = |change: f64| change > (0.02 * level).max(0.2);
    // Of a straight rise, the last third has a third of what the halves differ by; a step has nothing.
    let goes_on = |sign: f64| sign * of(last, 1.0).mean >= 0.25 / 3.0 * (sign * rise.mean);
    let trend = |p_value| trend(&means, period, p_value);
    if matters(rise.mean) && rise.p_value <= alpha {
        if of(sustained, 1.0).p_value <= GUARD && goes_on(1.0) {
            return Course::Growing(trend(rise.p_value));
        }
        let still = rest.mean > 0.05 * level && matters(rest.mean) && rest.p_value <= alpha;
        if still && goes_on(1.0) {
            return Course::Rising(trend(rest.p_value));
        }
    }
    let (fall, ebb) = (of(half, -1.0), of(late, -1.0));
    let falls = matters(fall.mean) && fall.p_value.max(ebb.p_value) <= alpha;
    if falls && ebb.mean > 0.1 * level && goes_on(-1.0) {
        return Course::Falling(trend(fall.p_value.max(ebb.p_value)));
    }
    Course::Level
}

/// Two to five periods: growth if every moment of a period is higher one period later.
fn few_periods(runs: &[Vec<f64>], period: usize, alpha: f64) -> Course {
    let windows = runs.iter().map(Vec::len).min().unwrap_or(0);
    if windows < 2 * period {
        return Course::Level;
    }
    let steps = |run: &Vec<f64>| -> Vec<f64> { run.windows(period + 1).map(|w| w[period] - w[0]).collect() };
    let steps: Vec<Vec<f64>> = runs.iter().map(steps).collect();
    let means: Vec<f64> = steps.iter().map(|run| mean(run)).collect();
    let rise = mean(&means);
    let higher = steps.iter().flatten().filter(|step| **step >= rise / 2.0).count();
    let all: usize = steps.iter().map(Vec::len).sum();
    let level = mean(&runs.iter().map(|run| mean(run)).collect::<Vec<_>>());
    let p_value = if runs.len() > 1 { over_runs(&means).p_value } else { 0.0 };
    if rise > (0.02 * level).max(0.2) && higher as f64 >= 0.95 * all as f64 && p_value <= alpha {
        let mut trend = trend(runs, 1, p_value);
        trend.per_window = rise / period as f64;
        return Course::Growing(trend);
    }
    Course::Level
}

/// The slope of the mean of all runs over the last half of `runs`, whose values are `period` windows apart.
fn trend(runs: &[Vec<f64>], period: usize, p_value: f64) -> Trend {
    let count = runs.iter().map(Vec::len).min().unwrap_or(0);
    let level = |at: usize| runs.iter().map(|run| run[run.len() - count + at]).sum::<f64>() / runs.len() as f64;
    let levels: Vec<f64> = (0..count).map(level).collect();
    let first = count / 2;
    let (centre, middle) = (mean(&levels[first..]), f64::midpoint(first as f64, count as f64 - 1.0));
    let (mut up, mut down) = (0.0, 0.0);
    for (at, level) in levels.iter().enumerate().skip(first) {
        up += (at as f64 - middle) * (level - centre);
        down += (at as f64 - middle) * (at as f64 - middle);
    }
    let slope = up / down.max(1.0);
    let start = mean(&levels[..(count / 12).max(1)]);
    let since = (middle - (centre - start) / slope).clamp(0.0, count as f64);
    let third = count / 3;
    let [a, b, c] = [0, 1, 2].map(|part| mean(&levels[count - (3 - part) * third..count - (2 - part) * third]));
    let factor = (c - b) / (b - a);
    let doubles = (b > a && factor > 2.5 && b > 1.3 * a.max(0.0))
        .then(|| third as f64 * std::f64::consts::LN_2 / libm::log(factor) * period as f64);
    Trend {
        p_value,
        per_window: slope / period as f64,
        since: if since.is_finite() { since * period as f64 } else { 0.0 },
        last: levels[count - 1],
        doubles,
    }
}

/// How far apart two groups of runs must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gap {
    /// The least of the upper group is higher by so much than the greatest of the lower; shares, levels of failure.
    Difference(f64),
    /// The same by a factor; levels below the floor count as the floor.
    Factor {
        /// How many times higher.
        times: f64,
        /// What is as good as nothing.
        floor: f64,
    },
}

/// Runs of one system that end in two places: true for those in the upper one. `None` if there is one place.
///
/// The last half of every run is looked at. Its mean must leave a gap between the groups, and all but a tenth of its
/// windows must lie on their group's side: what changes sides within the run is one system with slow swings. A group of
/// a single run counts only if `alone`.
pub fn two_places(runs: &[Vec<f64>], gap: Gap, alone: bool) -> Option<Vec<bool>> {
    let scale = |value: f64| match gap {
        Gap::Difference(_) => value,
        Gap::Factor { floor, .. } => libm::log(value.max(floor)),
    };
    let wanted = match gap {
        Gap::Difference(least) => least,
        Gap::Factor { times, .. } => libm::log(times),
    };
    let late = |run: &Vec<f64>| -> Vec<f64> {
        let late = run[run.len() / 2..].iter().copied().filter(|x| x.is_finite());
        late.map(scale).collect()
    };
    let lates: Vec<Vec<f64>> = runs.iter().map(late).collect();
    if runs.len() < 2 || lates.iter().any(Vec::is_empty) {
        return None;
    }
    let means: Vec<f64> = lates.iter().map(|run| mean(run)).collect();
    let mut sorted = means.clone();
    sorted.sort_by(f64::total_cmp);
    let widest = (1..sorted.len()).max_by(|a, b| {
        let gap = |at: &usize| sorted[*at] - sorted[*at - 1];
        gap(a).total_cmp(&gap(b))
    })?;
    let least = if alone { 1 } else { 2 };
    let wide = sorted[widest] - sorted[widest - 1] >= wanted;
    if !wide || widest < least || sorted.len() - widest < least {
        return None;
    }
    let border = f64::midpoint(sorted[widest], sorted[widest - 1]);
    let stays = |(run, mean): (&Vec<f64>, &f64)| {
        let same = run.iter().filter(|x| (**x > border) == (*mean > border)).count();
        same as f64 >= 0.9 * run.len() as f64
    };
    let stay = lates.iter().zip(&means).all(stays);
    stay.then(|| means.iter().map(|mean| *mean > border).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sample::exp1;
    use crate::kernel::stream::{Stream, StreamKey, unit};

    /// Windows of an M/M/1 queue by its embedded walk, started empty.
    fn queue(rho: f64, windows: usize, steps: usize, run: u64) -> Vec<f64> {
        let mut dice = Stream::new(5, run, StreamKey::new("stability", "queue"));
        let mut level = 0.0_f64;
        let mut window = || {
            let mut sum = 0.0;
            for _ in 0..steps {
                let up = unit(&mut dice) < rho / (1.0 + rho);
                level = if up { level + 1.0 } else { (level - 1.0).max(0.0) };
                sum += level;
            }
            sum / steps as f64
        };
        (0..windows).map(|_| window()).collect()
    }

    fn study(rho: f64, runs: u64, first: u64) -> Vec<Vec<f64>> {
        (0..runs).map(|run| queue(rho, 30, 400, first * 100 + run)).collect()
    }

    #[test]
    fn a_level_that_slows_down_is_settled_in_time() {
        // Towards 10 with a time constant of 20 windows: a hundredth is left after 92.
        let run: Vec<f64> = (0..60)
            .map(|window| 10.0 - 10.0 * libm::exp(-f64::from(window) / 20.0))
            .collect();
        let found = settled_after(&[run.clone(), run]).expect("an approach");
        assert!((found - 2.0 * 20.0 * libm::log(100.0)).abs() < 0.01, "{found}");
        let line: Vec<f64> = (0..60).map(f64::from).collect();
        assert_eq!(settled_after(&[line]), None, "what rises for ever does not settle");
        assert_eq!(settled_after(&[vec![1.0, 2.0]]), None, "too few windows");
    }

    #[test]
    fn a_steady_queue_rarely_looks_like_growth() {
        for runs in [1, 2, 4, 8] {
            let p: Vec<f64> = (0..400).map(|first| growth(&study(0.8, runs, first))).collect();
            let below = |alpha: f64| p.iter().filter(|p| **p <= alpha).count();
            assert!(below(0.1) <= 60, "{runs} runs: {} of 400 at .1", below(0.1));
            assert!(below(0.01) <= 11, "{runs} runs: {} of 400 at .01", below(0.01));
        }
    }

    #[test]
    fn growth_is_found_and_measured() {
        for (runs, wanted) in [(1, 50), (2, 80), (4, 90), (8, 98)] {
            let found = (0..100).filter(|first| {
                let course = course(&study(1.3, runs, *first), 1, 0.01);
                matches!(course, Course::Growing(trend) if (trend.per_window / 52.2 - 1.0).abs() < 0.5)
            });
            let found = found.count();
            assert!(found >= wanted, "{runs} runs: {found} of 100");
        }
    }

    #[test]
    fn filling_up_is_no_growth() {
        let fill = |run: u64| -> Vec<f64> {
            let mut dice = Stream::new(6, run, StreamKey::new("stability", "fill"));
            (0..30)
                .map(|w| 100.0 * (1.0 - libm::exp(-f64::from(w) / 12.0)) + exp1(&mut dice))
                .collect()
        };
        let runs: Vec<Vec<f64>> = (0..8).map(fill).collect();
        assert!(growth(&runs) > 0.1);
        assert!(matches!(course(&runs, 1, 0.001), Course::Rising(_)));
    }

    #[test]
    fn steps_of_a_clockwork_and_doublings_are_told_apart() {
        let line: Vec<f64> = (0..60).map(|w| 5.0 + 3.0 * f64::from((w - 12).max(0))).collect();
        let Course::Growing(trend) = course(&[line.clone(), line], 1, 1e-6) else {
            panic!("a straight line grows");
        };
        assert!((trend.per_window - 3.0).abs() < 1e-9 && (trend.since - 12.0).abs() < 3.0);
        assert_eq!(trend.doubles, None);
        let double: Vec<f64> = (0..60).map(|w| libm::exp2(f64::from(w) / 5.0)).collect();
        let Course::Growing(trend) = course(&[double.clone(), double], 1, 1e-6) else {
            panic!("a doubling grows");
        };
        assert!((trend.doubles.unwrap_or(0.0) - 5.0).abs() < 0.2, "{trend:?}");
        let step: Vec<f64> = (0..60).map(|w| if w < 30 { 1.0 } else { 9.0 }).collect();
        let runs = vec![step; 4];
        assert_eq!(course(&runs, 1, 0.01), Course::Level, "a step has come to rest");
        let falling: Vec<f64> = (0..60).map(|w| 900.0 - 12.0 * f64::from(w)).collect();
        assert!(matches!(course(&vec![falling; 4], 1, 0.01), Course::Falling(_)));
    }

    #[test]
    fn what_repeats_itself_is_compared_with_itself() {
        let saw: Vec<f64> = (0..48).map(|w| f64::from(w % 12)).collect();
        assert_eq!(course(&vec![saw; 4], 12, 0.01), Course::Level);
        let stairs: Vec<f64> = (0..48).map(|w| f64::from(w % 12 / 6 + w / 12)).collect();
        let Course::Growing(trend) = course(&vec![stairs; 2], 12, 0.01) else {
            panic!("each period begins higher");
        };
        assert!((trend.per_window * 12.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn two_places_need_a_gap_and_must_be_kept() {
        let run = |level: f64| vec![level; 20];
        let runs: Vec<Vec<f64>> = [0.0, 1.0, 0.01, 0.0, 1.0].map(run).into();
        let split = two_places(&runs, Gap::Difference(0.2), true);
        assert_eq!(split, Some(vec![false, true, false, false, true]));
        assert_eq!(two_places(&runs[..4], Gap::Difference(0.2), false), None, "one alone");
        let swings: Vec<Vec<f64>> = (0..8)
            .map(|run| (0..20).map(|w| f64::from((w / 3 + run) % 2)).collect())
            .collect();
        assert_eq!(two_places(&swings, Gap::Difference(0.05), true), None);
        let near: Vec<Vec<f64>> = [0.30, 0.35, 0.42, 0.46].map(run).into();
        assert_eq!(two_places(&near, Gap::Difference(0.2), true), None);
        // A run without any value, such as the latency of one in which all fails, is in neither place.
        let with_none = [run(0.0), run(1.0), vec![f64::NAN; 20]];
        assert_eq!(two_places(&with_none, Gap::Difference(0.2), true), None);
    }
}
