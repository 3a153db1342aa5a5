//! Levels over time against the laws of their distributions, and figures that must not exceed what there is.

use super::lab::plan;
use coldcurve::model::request::hits::Limit;
use coldcurve::model::world::run::{RunResult, World};
use coldcurve::stats::Value;

fn value<'r>(run: &'r RunResult, metric: &str, levels: bool) -> &'r Value {
    let fits = |value: &Value| matches!(value, Value::Levels(_)) == levels;
    let found = run.observations.iter().find(|o| o.metric == metric && fits(&o.value));
    &found.unwrap_or_else(|| panic!("no {metric}")).value
}

/// The share of time at or above a level.
fn above(value: &Value, level: u64) -> f64 {
    let Value::Levels(levels) = value else { panic!("levels") };
    let points = levels.at_or_above();
    points
        .iter()
        .find(|point| point.0 >= level)
        .map_or(0.0, |point| point.1)
}

/// P(N >= n) of a Poisson number with mean a.
fn poisson_tail(a: f64, n: u64) -> f64 {
    let (mut term, mut below) = ((-a).exp(), 0.0);
    for k in 0..n {
        below += term;
        term *= a / (k + 1) as f64;
    }
    1.0 - below
}

fn z(values: &[f64], truth: f64) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean - truth) / (variance / n).sqrt()
}

#[test]
fn busy_instances_without_a_limit_are_poisson_in_time() {
    for (rate, seconds) in [(20.0, 1.0), (4.0, 0.5)] {
        let plan = plan(&format!(
            "run: {{ length: 2020 s, warmup: 20 s, window: 100 h }}
clients: {{ web: {{ to: f, arrivals: {{ poisson: {rate}/s }} }} }}
functions: {{ f: {{ handler: [ wait: {{ exponential: {seconds} s }} ] }} }}
"
        ));
        let runs: Vec<RunResult> = (0..32).map(|run| World::new(&plan, run).run()).collect();
        let load = rate * seconds;
        for level in [load as u64, load as u64 + 3, (1.4 * load) as u64 + 1] {
            let shares: Vec<f64> = runs
                .iter()
                .map(|run| above(value(run, "instances.busy", true), level))
                .collect();
            let z = z(&shares, poisson_tail(load, level));
            assert!(z.abs() < 3.5, "load {load}, level {level}: z = {z}");
        }
        // The quantile over time is the law's, or its neighbour where a run's share lies at the edge of a step.
        let exact = (0..1_000)
            .find(|&n| 1.0 - poisson_tail(load, n + 1) >= 0.99)
            .unwrap_or(0);
        for run in &runs {
            let Value::Levels(levels) = value(run, "instances.busy", true) else {
                panic!("levels")
            };
            let seen = levels.quantile(0.99).unwrap_or(0);
            assert!(seen.abs_diff(exact) <= 1, "load {load}: {seen} instead of {exact}");
        }
    }
}

#[test]
fn the_mean_of_the_levels_is_the_mean_level() {
    // Nothing waits here above 127, so that each level is kept exactly.
    let plan = plan(
        "run: { length: 10 min, warmup: 1 min, window: 1 min }
clients: { web: { to: q, arrivals: { poisson: 8/s } } }
queues: { q: { to: f, poller: { maximum_concurrency: 3, batch_size: 1 } } }
functions: { f: { handler: [ wait: { exponential: 300 ms } ] } }
",
    );
    let run = World::new(&plan, 0).run();
    for metric in ["depth", "concurrency", "in_flight", "instances.busy"] {
        let Value::Levels(levels) = value(&run, metric, true) else {
            panic!("levels")
        };
        assert_eq!(levels.total_ns(), 540_000_000_000, "{metric} covers the measured time");
        let shares = levels.at_or_above();
        let mut mean = 0.0;
        for (i, (level, share)) in shares.iter().enumerate() {
            mean += *level as f64 * (share - shares.get(i + 1).map_or(0.0, |next| next.1));
        }
        let exact = value(&run, metric, false).number().unwrap_or(f64::NAN);
        assert!((mean - exact).abs() < 1e-6 * exact, "{metric}: {mean} and {exact}");
    }
}

#[test]
fn threads_of_a_store_do_no_more_than_there_is_time_for() {
    for (rate, busy) in [(30.0, 1.0), (2.0, 0.4)] {
        for length in ["10 min", "7 s"] {
            let text = format!(
                "run: {{ length: {length}, warmup: 2 s, window: 1 s }}
clients: {{ w: {{ to: s, arrivals: {{ constant: {rate}/s }} }} }}
stores: {{ s: {{ nodes: 1, threads: 1, read_work: 200 ms }} }}
"
            );
            let run = World::new(&plan(&text), 0).run();
            let seen = value(&run, "utilisation", false).number().unwrap_or(f64::NAN);
            assert!(seen <= 1.0 && (seen - busy).abs() < 0.03, "{rate}/s, {length}: {seen}");
        }
    }
}

#[test]
fn a_send_quota_is_among_the_limits() {
    let plan = plan(
        "run: { length: 1 min, warmup: 0 s }
clients: { web: { to: q, arrivals: { poisson: 100/s } } }
queues: { q: { to: f, send_quota: { rate: 10/s, burst: 10 } } }
functions: { f: { handler: [ cpu: 1 ms ] } }
",
    );
    let run = World::new(&plan, 0).run();
    let hits = run
        .limits
        .iter()
        .find(|hits| hits.hit.limit == Limit::SendRate)
        .expect("the quota was hit");
    let Value::Count(throttled) = value(&run, "throttled", false) else {
        panic!("a count")
    };
    assert!(
        hits.count > 4_000 && hits.count >= *throttled,
        "{} and {throttled}",
        hits.count
    );
    assert!(hits.hit.by.is_some(), "somebody ran into it");
}

#[test]
fn the_kinds_of_failures_add_up_behind_a_breaker() {
    let plan = plan(
        "run: { length: 2 min, warmup: 10 s }
clients:
  web:
    to: f
    arrivals: { poisson: 20/s }
    timeout: 2 s
    breaker: {}
functions: { f: { failure: 90%, handler: [ cpu: 5 ms ] } }
",
    );
    let run = World::new(&plan, 0).run();
    let Value::Ratio { part: failed, .. } = value(&run, "error_ratio", false) else {
        panic!("a ratio")
    };
    let kinds: Vec<&str> = coldcurve::model::request::entry::Status::ALL[1..]
        .iter()
        .map(|s| s.name())
        .collect();
    let of_client = |o: &&coldcurve::stats::Observation| o.component == plan.clients[0].component;
    let counts = run
        .observations
        .iter()
        .filter(of_client)
        .filter(|o| kinds.contains(&o.metric));
    let sum: f64 = counts.filter_map(|o| o.value.number()).sum();
    assert!(*failed > 500, "{failed}");
    assert!((sum - *failed as f64).abs() < 0.5, "{sum} and {failed}");
}
