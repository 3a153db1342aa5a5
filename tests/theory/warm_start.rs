//! Runs that start warm: traces by hand, and a start at the system's own steady number against the exact law.

use super::lab::{Lab, plan};
use coldcurve::kernel::StreamKey;
use coldcurve::run::Silent;
use coldcurve::run::warmup::start_steady;
use coldcurve::stats::formulas::KeepAlive;

/// What a trace gives to the last digit.
fn is(value: f64, wanted: f64) {
    assert!((value - wanted).abs() < 1e-9, "{value} instead of {wanted}");
}

/// A request every ten seconds, served in one; two warm instances, of which the same one serves all.
#[test]
fn two_warm_instances_by_hand() {
    let lab = Lab::run(
        "run: { length: 100 s, warmup: 0 s, window: 10 s }
clients: { web: { to: f, arrivals: { constant: 0.1/s } } }
databases: { db: { latency: 0 ms, query: 1 ms, connect_time: 50 ms } }
functions: { f: { initial_instances: 2, idle_timeout: 25 s, init: 1 s, handler: [ wait: 1 s, call: db ] } }
",
        1,
    );
    is(lab.one("f", "cold_starts"), 0.0);
    // One lives for the whole 100 s, the other for the 25 s of its idle time-out.
    assert!(
        (lab.one("f", "instances") - 1.25).abs() < 1e-9,
        "{}",
        lab.one("f", "instances")
    );
    // Its session was open.
    is(lab.one("db", "connections.new"), 0.0);
    assert!(lab.one("db", "queries") >= 9.0);
}

/// The same without: the first request is cold, and opens the connection.
#[test]
fn the_same_from_nothing() {
    let lab = Lab::run(
        "run: { length: 100 s, warmup: 0 s, window: 10 s }
clients: { web: { to: f, arrivals: { constant: 0.1/s } } }
databases: { db: { latency: 0 ms, query: 1 ms, connect_time: 50 ms } }
functions: { f: { idle_timeout: 25 s, init: 1 s, handler: [ wait: 1 s, call: db ] } }
",
        1,
    );
    assert_eq!(
        (lab.one("f", "cold_starts"), lab.one("db", "connections.new")),
        (1.0, 1.0)
    );
}

/// A pool that begins with three open connections keeps them and opens no more; the database's limit bounds it.
#[test]
fn a_warm_pool_by_hand() {
    let with = |connections: u32, most: u32| {
        Lab::run(
            &format!(
                "run: {{ length: 100 s, warmup: 0 s, window: 10 s }}
clients: {{ web: {{ to: f, arrivals: {{ constant: 1/s }} }} }}
databases: {{ db: {{ latency: 0 ms, query: 1 ms, reserved_connections: 0, maximum_connections: {most} }} }}
proxies: {{ p: {{ to: db, initial_connections: {connections} }} }}
functions: {{ f: {{ handler: [ call: p ] }} }}
"
            ),
            1,
        )
    };
    let lab = with(3, 10);
    assert_eq!(
        (lab.one("db", "connections"), lab.one("db", "connections.new")),
        (3.0, 0.0)
    );
    is(with(10, 10).one("db", "connections"), 10.0);
    is(with(0, 10).one("db", "connections.new"), 1.0);
}

/// Instances of a platform that scales them apart are there, too.
#[test]
fn a_pool_of_its_own_starts_warm() {
    let lab = Lab::run(
        "run: { length: 100 s, warmup: 0 s, window: 10 s }
clients: { web: { to: f, arrivals: { constant: 1/s } } }
functions: { f: { initial_instances: 3, idle_timeout: 1 h, init: 1 s, pending: {}, handler: [ wait: 100 ms ] } }
",
        1,
    );
    assert_eq!((lab.one("f", "cold_starts"), lab.one("f", "instances")), (0.0, 3.0));
}

/// The steady number is that of the law, and from it even the first hour of a run is close to the law; from nothing it
/// has about twice as many cold starts.
#[test]
fn a_start_at_the_steady_number_against_the_law() {
    let law = KeepAlive::new(0.9, 1.991, 600.0);
    let hour = |start: &str| {
        let text = format!(
            "run: {{ length: 1 h, warmup: 0 s }}
clients: {{ web: {{ to: f, arrivals: {{ poisson: 0.9/s }} }} }}
functions: {{ f: {{ {start} idle_timeout: 600 s, handler: [ wait: {{ exponential: 1.991 s }} ] }} }}
"
        );
        let mut plan = plan(&text);
        plan.seed = StreamKey::new("steady", "seed").0;
        start_steady(&mut plan, &Silent).expect("pilots that end");
        let count = plan.functions[0].initial.count;
        let ratios = Lab::of(plan, 64).each("f", "cold_ratio");
        (count, ratios.iter().sum::<f64>() / 64.0 / law.p_cold())
    };
    let (count, warm) = hour("initial_instances: steady,");
    let mean: f64 = (1..100).map(|n| law.at_least(n)).sum();
    assert!(
        (count as f64 - mean).abs() <= 1.0,
        "{count} instances, {mean} by the law"
    );
    assert!(
        (0.7..1.3).contains(&warm),
        "{warm} of the law's cold starts from a warm start"
    );
    let (none, cold) = hour("");
    assert_eq!(none, 0);
    assert!(cold > 1.7, "{cold} of the law's cold starts from nothing");
}
