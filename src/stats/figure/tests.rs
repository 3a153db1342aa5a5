//! Figures against tables, hand computations and what must not happen.

use super::*;
use crate::kernel::number::whole;
use crate::kernel::sample::exp1;
use crate::kernel::stream::{Stream, StreamKey, unit};
use crate::stats::SparseHistogram;

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b} to within {tolerance}");
}

fn ends(figure: &Figure) -> (f64, f64) {
    let ends = figure.estimate.low.zip(figure.estimate.high);
    ends.unwrap_or_else(|| panic!("no interval: {figure:?}"))
}

fn of(values: &[u64]) -> Histogram {
    let mut h = Histogram::new();
    for &v in values {
        h.record(v);
    }
    h
}

#[test]
fn limits_of_clopper_and_pearson_match_tables() {
    // 2 of 20, 0 of 10, 10 of 10: exact limits at 95 %.
    let (low, high) = clopper_pearson(2.0, 20.0);
    near(low, 0.012_349, 1e-6);
    near(high, 0.316_983, 1e-6);
    let (low, high) = clopper_pearson(0.0, 10.0);
    near(low, 0.0, 0.0);
    near(high, 0.308_497, 1e-6);
    let (low, high) = clopper_pearson(10.0, 10.0);
    near(low, 0.691_503, 1e-6);
    near(high, 1.0, 0.0);
}

#[test]
fn limits_of_a_poisson_mean_match_tables() {
    for (k, low, high) in [
        (0.0, 0.0, 3.6889),
        (1.0, 0.0253, 5.5716),
        (10.0, 4.7954, 18.3904),
        (100.0, 81.364, 121.627),
    ] {
        let found = byar(k);
        near(found.0, low, 0.01 * high);
        near(found.1, high, 0.01 * high);
    }
}

#[test]
fn no_event_has_an_upper_limit_and_no_share_leaves_what_can_be() {
    let none = share(&[0; 16], &[10_000; 16]);
    near(none.estimate.mean, 0.0, 0.0);
    let (low, high) = ends(&none);
    near(low, 0.0, 0.0);
    near(high * 160_000.0, 3.689, 0.001);
    let all = ends(&share(&[100; 8], &[100; 8]));
    assert!(all.0 > 0.99 && all.0 < 1.0 && (all.1 - 1.0).abs() < 1e-12, "{all:?}");
    // Six of sixteen runs collapsed: between nothing and everything, never beyond.
    let mut collapsed = [0_u64; 16];
    collapsed[..6].fill(10_000);
    let (low, high) = ends(&share(&collapsed, &[10_000; 16]));
    assert!(
        low > 0.05 && low < 0.375 && high > 0.375 && high < 0.8,
        "{low} to {high}"
    );
}

#[test]
fn events_in_few_runs_count_as_few() {
    // 160 failures spread over all runs, and 160 in one outage of one run.
    let spread = share(
        &[10; 16],
        &[
            10_000, 10_001, 10_000, 9_999, 10_000, 10_002, 10_000, 9_998, 10_000, 10_000, 10_003, 9_997, 10_000,
            10_000, 10_000, 10_000,
        ],
    );
    let mut outage = [0_u64; 16];
    outage[3] = 160;
    let clustered = share(&outage, &[10_000; 16]);
    near(spread.estimate.mean, clustered.estimate.mean, 1e-12);
    let (narrow, wide) = (ends(&spread), ends(&clustered));
    assert!(wide.1 - wide.0 > 5.0 * (narrow.1 - narrow.0), "{narrow:?} {wide:?}");
    assert!(spread.thin().is_none() && clustered.thin().is_some_and(|times| times > 10.0));
}

#[test]
fn ratios_are_of_sums_and_stay_unbiased_where_runs_differ() {
    // A run of 10 with 5 cold starts, and one of 990 with 5: 1 %, and not 25 %.
    let figure = share(&[5, 5], &[10, 990]);
    near(figure.estimate.mean, 0.01, 1e-12);
    near(figure.leave_one_out[0], 5.0 / 990.0, 1e-12);
    near(figure.leave_one_out[1], 0.5, 1e-12);
    let empty = share(&[0, 0], &[0, 0]);
    assert!(empty.estimate.mean.is_nan() && empty.estimate.low.is_none());
}

#[test]
fn what_is_the_same_in_all_runs_has_no_width() {
    assert_eq!(ends(&mean(&[4.0; 8])), (4.0, 4.0));
    assert_eq!(ends(&count(&[4; 8])), (4.0, 4.0));
    let (low, high) = ends(&count(&[0; 16]));
    assert!(low.abs() < 1e-12 && (high - 3.69 / 16.0).abs() < 0.01, "{high}");
    assert_eq!(ends(&share(&[3; 8], &[7; 8])), (3.0 / 7.0, 3.0 / 7.0));
    let h = SparseHistogram::of(&of(&[100, 200, 300]));
    let pooled = of(&[100, 100, 200, 200, 300, 300]);
    let (low, high) = ends(&quantile(&[&h, &h], &pooled, 0.5));
    near(low, high, 0.0);
}

#[test]
fn a_quantile_on_a_jump_holds_both_sides() {
    // About one request in a hundred takes 1.95 s instead of 0.1 s.
    let mut rng = Stream::new(5, 0, StreamKey::new("figure", "jump"));
    let runs: Vec<Histogram> = (0..16)
        .map(|_| {
            let value = |_| {
                if unit(&mut rng) < 0.01 {
                    1_950_000_000
                } else {
                    100_000_000
                }
            };
            of(&(0..5000).map(value).collect::<Vec<_>>())
        })
        .collect();
    let runs: Vec<SparseHistogram> = runs.iter().map(SparseHistogram::of).collect();
    let refs: Vec<&SparseHistogram> = runs.iter().collect();
    let mut pooled = Histogram::new();
    for h in &refs {
        h.add_to(&mut pooled);
    }
    let figure = quantile(&refs, &pooled, 0.99);
    let (low, high) = ends(&figure);
    assert!(low <= 100_500_000.0 && high >= 1_940_000_000.0, "{low} to {high}");
    let (from, to) = figure.jump.expect("a jump");
    assert!(
        (from / 1e8 - 1.0).abs() < 0.005 && (to / 1.95e9 - 1.0).abs() < 0.005,
        "{from} to {to}"
    );
    assert!(quantile(&refs, &pooled, 0.5).jump.is_none());
}

#[test]
fn a_quantile_beyond_the_data_has_no_upper_limit() {
    let mut rng = Stream::new(5, 1, StreamKey::new("figure", "tail"));
    let runs: Vec<Histogram> = (0..8)
        .map(|_| of(&(0..100).map(|_| whole(exp1(&mut rng) * 1e9)).collect::<Vec<_>>()))
        .collect();
    let runs: Vec<SparseHistogram> = runs.iter().map(SparseHistogram::of).collect();
    let refs: Vec<&SparseHistogram> = runs.iter().collect();
    let mut pooled = Histogram::new();
    for h in &refs {
        h.add_to(&mut pooled);
    }
    let figure = quantile(&refs, &pooled, 0.999);
    assert!(ends(&figure).1.is_infinite(), "0.8 values are beyond it");
    assert!(figure.thin().is_some());
    let median = quantile(&refs, &pooled, 0.5);
    let (low, high) = ends(&median);
    assert!(low < 0.693e9 && high > 0.693e9 && high < 0.8e9, "{low} to {high}");
    // What a run leaves behind is what the others give alone.
    for q in [0.0, 0.01, 0.5, 0.99, 0.999, 1.0] {
        let figure = quantile(&refs, &pooled, q);
        for (run, without) in figure.leave_one_out.iter().enumerate() {
            let mut others = Histogram::new();
            let rest = refs.iter().enumerate().filter(|(other, _)| *other != run);
            rest.for_each(|(_, h)| h.add_to(&mut others));
            let alone = others.quantile_at(q);
            near(*without, alone, 0.005 * alone);
        }
    }
}

fn side(figure: &Figure) -> Side<'_> {
    Side {
        mean: figure.estimate.mean,
        interval: figure.estimate.low.zip(figure.estimate.high),
        leave_one_out: &figure.leave_one_out,
    }
}

#[test]
fn a_quantile_at_a_value_that_most_requests_have_is_sure() {
    let run = |fast: u64, slow: u64| {
        let mut h = Histogram::new();
        h.record_n(50_000_000, fast);
        h.record_n(80_000_000, slow);
        h
    };
    for slow in [0, 2] {
        let runs = [run(990, slow), run(1_010, slow), run(1_003, slow), run(1_000, slow)];
        let runs: Vec<SparseHistogram> = runs.iter().map(SparseHistogram::of).collect();
        let refs: Vec<&SparseHistogram> = runs.iter().collect();
        let mut pooled = Histogram::new();
        for h in &refs {
            h.add_to(&mut pooled);
        }
        for q in [0.5, 0.99] {
            let figure = quantile(&refs, &pooled, q);
            let (low, high) = ends(&figure);
            assert!(figure.thin().is_none(), "{slow} {q}: {:?}", figure.events);
            assert!(
                (low - 50e6).abs() < 0.2e6 && (high - 50e6).abs() < 0.2e6,
                "{low} to {high}"
            );
        }
        assert!(quantile(&refs, &pooled, 0.9999).thin().is_some());
    }
}

#[test]
fn differences_are_as_lopsided_as_their_figures() {
    let without = [[9.0, 10.0, 11.0], [18.0, 21.0, 22.0]];
    let at = |mean, interval, leave_one_out| Side {
        mean,
        interval: Some(interval),
        leave_one_out,
    };
    let even = difference(at(10.0, (8.0, 12.0), &without[0]), at(20.0, (15.0, 25.0), &without[1]));
    let (low, high) = (even.low.unwrap(), even.high.unwrap());
    let open = difference(
        at(10.0, (8.0, 12.0), &without[0]),
        at(20.0, (15.0, f64::INFINITY), &without[1]),
    );
    near(open.low.unwrap(), low, 1e-9);
    // 5 down and 15 up, beside 2 and 2.
    let (down, up) = (5.0_f64.hypot(2.0), 15.0_f64.hypot(2.0));
    near(
        open.high.unwrap() - 10.0,
        (high - 10.0) * up / f64::midpoint(down, up),
        1e-9,
    );
}

#[test]
fn pairs_tell_apart_what_two_intervals_do_not() {
    let a = mean(&[10.0, 20.0, 30.0, 40.0]);
    let b = mean(&[11.0, 21.1, 30.9, 41.0]);
    let found = difference(side(&a), side(&b));
    near(found.mean, 1.0, 1e-12);
    assert!(found.low > Some(0.8) && found.high < Some(1.2), "{found:?}");
    assert!(ends(&a).1 > ends(&b).0, "the figures' own intervals overlap");
    let ratio = quotient(side(&a), side(&b));
    near(ratio.mean, 1.04, 1e-12);
    assert!(ratio.low.is_some());
}

#[test]
fn the_jackknife_of_a_mean_is_its_t_interval() {
    let figure = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    let found = jackknife(figure.estimate.mean, &figure.leave_one_out);
    near(found.low.unwrap_or(f64::NAN), ends(&figure).0, 1e-9);
    // Variance 2.5, t(4) = 2.776445, no skew.
    near(ends(&figure).1, 3.0 + 2.776_445_105 * 0.5_f64.sqrt(), 1e-8);
}

#[test]
fn intervals_reach_farther_to_the_side_of_the_skew() {
    let (low, high) = ends(&mean(&[1.0, 1.0, 1.0, 9.0]));
    assert!(high - 3.0 > 3.0 - low, "{low} to {high}");
    near(low, 0.0, 0.0);
}
