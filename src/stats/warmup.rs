//! Where the warm-up ends: MSER-5.
//!
//! A run that starts empty tells lies at first. MSER looks for the cut that makes the mean of what remains most
//! certain: it minimises the marginal standard error, which falls as transient values are dropped and rises again as
//! good ones are wasted. MSER-5 does so on means of five values, which smooths noise that would otherwise attract the
//! cut.
//!
//! Sources: White (1997), *Simulation* 69(6); White, Cobb and Spratt (2000), Winter Simulation Conference; the last
//! five batches left out and cuts beyond the middle rejected, after Hoad, Robinson and Davies (2010), *Journal of the
//! Operational Research Society* 61(9).

/// How many values are averaged into one.
pub const BATCH: usize = 5;

/// The fewest batches that a verdict can rest on.
const MIN_BATCHES: usize = 10;

/// How many batches at the end may not stand alone: a handful of values that happen to be alike would win.
const KEPT_BATCHES: usize = 5;

/// How many values at the start of `series` belong to the warm-up, a multiple of 5.
///
/// `None` if it cannot tell: fewer than 50 values, values that are not finite, or a best cut in the second half, which
/// means that the series is still drifting when it ends.
pub fn mser5(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> = series
        .chunks_exact(BATCH)
        .map(|b| b.iter().sum::<f64>() / BATCH as f64)
        .collect();
    if batches.len() < MIN_BATCHES || batches.iter().any(|b| !b.is_finite()) {
        return None;
    }
    let last = batches.len() - KEPT_BATCHES;
    // From the end backwards, mean and squared deviations of the rest are updated one batch at a time (Welford).
    let (mut mean, mut squares) = (0.0, 0.0);
    let (mut best, mut least) = (last, f64::INFINITY);
    for (cut, &batch) in batches.iter().enumerate().rev() {
        let kept = (batches.len() - cut) as f64;
        let delta = batch - mean;
        mean += delta / kept;
        squares += delta * (batch - mean);
        let statistic = squares / (kept * kept);
        // On a tie the earlier cut wins: it wastes less.
        if cut <= last && statistic <= least {
            (best, least) = (cut, statistic);
        }
    }
    (2 * best <= batches.len()).then_some(best * BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sample::{exp1, normal};
    use crate::kernel::stream::{Stream, StreamKey};

    fn noise(run: u64, n: usize) -> Vec<f64> {
        let mut rng = Stream::new(3, run, StreamKey::new("warmup", "noise"));
        (0..n).map(|_| normal(&mut rng)).collect()
    }

    #[test]
    fn a_step_is_cut_where_it_ends() {
        // 100 values at 20, then noise around 0: nothing but the step may go, give or take a batch of noise.
        let mut series = noise(0, 1000);
        series[..100].iter_mut().for_each(|v| *v += 20.0);
        let cut = mser5(&series);
        assert!(cut >= Some(100) && cut <= Some(115), "{cut:?}");
    }

    #[test]
    fn the_smallest_case_by_hand() {
        // Batches 9, 1, 1, 1, ...: without the first the spread is zero.
        let mut series = vec![1.0; 50];
        series[..5].fill(9.0);
        assert_eq!(mser5(&series), Some(5));
        assert_eq!(mser5(&[1.0; 50]), Some(0), "a constant series has no warm-up");
        assert_eq!(mser5(&[1.0; 53]), Some(0), "the incomplete last batch is left out");
    }

    #[test]
    fn an_exponential_transient_leaves_little_bias() {
        // e^(-i/60) x 10 over noise of 1: at the cut the transient must have sunk into the noise of the mean.
        for run in 0..20 {
            let mut series = noise(run, 2000);
            for (i, v) in series.iter_mut().enumerate() {
                *v += 10.0 * (-(i as f64) / 60.0).exp();
            }
            let cut = mser5(&series).expect("a clear transient");
            assert!((100..=500).contains(&cut), "run {run} cuts at {cut}");
            let mean = series[cut..].iter().sum::<f64>() / (series.len() - cut) as f64;
            assert!(
                mean.abs() < 4.0 / 1500.0_f64.sqrt(),
                "run {run} is left with a bias of {mean}"
            );
        }
    }

    #[test]
    fn a_full_queue_is_waited_out() {
        // An M/M/1 at half load that starts with 200 units of work drains at half a unit per unit of time.
        let mut rng = Stream::new(3, 0, StreamKey::new("warmup", "queue"));
        let mut wait = 200.0_f64;
        let waits: Vec<f64> = (0..5000)
            .map(|_| {
                let now = wait;
                wait = (wait + exp1(&mut rng) - 2.0 * exp1(&mut rng)).max(0.0);
                now
            })
            .collect();
        let emptied = waits.iter().position(|&w| w == 0.0).unwrap_or(0);
        let cut = mser5(&waits).expect("a clear transient");
        assert!(
            cut + 60 >= emptied && cut <= emptied + 300,
            "emptied at {emptied}, cut at {cut}"
        );
    }

    #[test]
    fn it_says_when_it_cannot_tell() {
        assert_eq!(mser5(&[1.0; 49]), None, "too short");
        let drift: Vec<f64> = (0..1000).map(f64::from).collect();
        assert_eq!(mser5(&drift), None, "a ramp never settles");
        let mut holes = noise(0, 100);
        holes[3] = f64::NAN;
        assert_eq!(mser5(&holes), None);
    }
}
