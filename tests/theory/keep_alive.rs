//! The exact law of cold starts under a fixed keep-alive, other choices of instances, and the law path by path.

use super::lab::{Column, Lab, plan, plan_with};
use super::page::{Case, Group};
use coldcurve::kernel::StreamKey;
use coldcurve::model::world::run::World;
use coldcurve::scenario::{Files, Folder};
use coldcurve::stats::Value;
use coldcurve::stats::formulas::KeepAlive;
use rayon::prelude::*;
use std::path::Path;
use std::sync::OnceLock;

fn scenario(lambda: f64, service: f64, expiry: f64, choice: &str, seconds: f64) -> String {
    let warmup = expiry + 10.0 * service + expiry.min(2000.0);
    format!(
        "run: {{ length: {} s, warmup: {warmup} s, window: 100000 h }}\n\
         clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
         functions:\n  f:\n    idle_timeout: {expiry} s\n    instance_choice: {choice}\n    \
         handler: [ wait: {{ exponential: {service} s }} ]\n",
        warmup + seconds
    )
}

/// Most recently idled first: the law is known exactly.
pub fn law() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, service, expiry, requests) in [
            (1.0, 2.0, 10.0, 60_000.0),
            (0.1, 2.0, 60.0, 40_000.0),
            (5.0, 0.2, 30.0, 250_000.0),
            (20.0, 0.5, 60.0, 450_000.0),
            (0.9, 1.991, 600.0, 600_000.0),
        ] {
            let lab = Lab::run(&scenario(lambda, service, expiry, "most-recent", requests / lambda), 32);
            let exact = KeepAlive::new(lambda, service, expiry);
            let inputs = format!("λ = {lambda}, S = {service}, T = {expiry}");
            cases.extend([
                Case::mean(
                    &inputs,
                    "cold ratio",
                    "exact law",
                    exact.p_cold(),
                    &lab.each("f", "cold_ratio"),
                ),
                Case::mean(
                    &inputs,
                    "instances",
                    "exact law",
                    exact.mean_instances(),
                    &lab.each("f", "instances"),
                ),
                Case::mean(
                    &inputs,
                    "busy instances",
                    "a",
                    lambda * service,
                    &lab.each("f", "instances.busy"),
                ),
            ]);
        }
        Group {
            title: "Cold starts under a fixed keep-alive",
            about: "Unlimited instances, exponential service, cold starts that take no time, the most recently idled \
            instance \
                    first. An arrival is cold if and only if the number busy, itself included, exceeds its maximum \
                    over the last \
                    T; that makes the cold ratio and the mean number of instances sums of first-passage probabilities \
                    of a \
                    birth-death process (`stats::formulas::KeepAlive`). The last point is the README example of \
                    SimFaaS, whose \
                    own simulation of 10^6 s gave 0.00135 and 7.66 with another choice of instances (newest first).",
            cases,
        }
    })
}

/// How many instances are alive at an instant, as a distribution: each replication is looked at once.
pub fn distribution() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, service, expiry) in [
            (1.0, 2.0, 10.0),
            (4.0, 0.5, 5.0),
            (0.1, 2.0, 60.0),
            (0.5, 8.0, 4.0),
            (12.0, 0.5, 1.0),
        ] {
            let peaks = peaks_over_a_millisecond(&scenario(lambda, service, expiry, "most-recent", 0.001));
            // The most alive over a millisecond is the most busy over T and that millisecond.
            let exact = KeepAlive::new(lambda, service, expiry + 0.001);
            let inputs = format!("λ = {lambda}, S = {service}, T = {expiry}");
            for n in (1..20).filter(|&n| (0.26..0.99).contains(&exact.at_least(n))) {
                let reached: Vec<f64> = peaks.iter().map(|&peak| f64::from(u8::from(peak >= n as u64))).collect();
                cases.push(Case::mean(
                    &inputs,
                    &format!("P(at least {n} alive)"),
                    "exact law",
                    exact.at_least(n),
                    &reached,
                ));
            }
            cases.push(whole_distribution(&inputs, &peaks, &exact));
        }
        Group {
            title: "How many instances are alive",
            about: "The same law gives the whole distribution: at least n instances are alive if and only if the number \
                    busy reached n within the last T. Each of 32,000 short replications is looked at once, when it is \
                    in equilibrium: at the most instances that were alive in the last millisecond, \
                    which the warm-up precedes. \
                    Shown are the n that this many replications tell to 1 %; Pearson's χ² judges all of them together, \
                    the rare ones, too.",
            cases,
        }
    })
}

/// Pearson's statistic over all numbers of instances that are expected ten times or more, the rest together.
fn whole_distribution(inputs: &str, peaks: &[u64], exact: &KeepAlive) -> Case {
    let runs = peaks.len() as f64;
    let (mut statistic, mut bins, mut from) = (0.0, 0, 0);
    for next in 1..=200 {
        // The last bin takes all that is left, so it must not be small either.
        let (expected, left) = (exact.at_least(from) - exact.at_least(next), exact.at_least(next));
        let last = runs * left < 10.0;
        if runs * expected < 10.0 && !last {
            continue;
        }
        let expected = if last { expected + left } else { expected };
        let within = |&peak: &u64| peak >= from as u64 && (last || peak < next as u64);
        let seen = peaks.iter().filter(|peak| within(peak)).count() as f64;
        statistic += (seen - runs * expected).powi(2) / (runs * expected);
        bins += 1;
        from = next;
        if last {
            break;
        }
    }
    // Wilson and Hilferty (1931): the cube root is nearly normal. 3.3 of its standard deviations: 1 in 2,000.
    let freedom = f64::from(bins - 1);
    let spread = 2.0 / (9.0 * freedom);
    let limit = freedom * (1.0 - spread + 3.3 * spread.sqrt()).powi(3);
    Case::at_most(
        inputs,
        &format!("χ² of the whole distribution, {freedom} degrees of freedom"),
        "1 in 2,000 by chance",
        limit,
        statistic,
    )
}

/// Of each of 32,000 replications the most instances alive in its measured time.
fn peaks_over_a_millisecond(text: &str) -> Vec<u64> {
    let mut plan = plan(text);
    plan.seed = StreamKey::new(text, "seed").0;
    let peak = |run| {
        let result = World::new(&plan, run).run();
        let peak = result.observations.iter().find(|o| o.metric == "instances.peak");
        match peak.map(|observation| &observation.value) {
            Some(Value::Peak(peak)) => *peak,
            other => panic!("not a peak: {other:?}"),
        }
    };
    (0..32_000).into_par_iter().map(peak).collect()
}

/// The same point with other choices of instances, against an independent simulation.
pub fn choices() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        // Half a unit of the last published digit, as a standard deviation.
        let rounding = |unit: f64| unit / 12.0_f64.sqrt();
        for (choice, cold, instances) in [
            ("newest", 0.0922, 4.60),
            ("oldest", 0.0922, 4.60),
            ("random", 0.0545, 5.07),
            ("least-recent", 0.0186, 6.14),
        ] {
            let lab = Lab::run(&scenario(1.0, 2.0, 10.0, choice, 60_000.0), 32);
            let inputs = format!("`{choice}`");
            cases.extend([
                Case::mean_known_to(
                    &inputs,
                    "cold ratio",
                    "independent simulation",
                    (cold, rounding(1e-4)),
                    &lab.each("f", "cold_ratio"),
                ),
                Case::mean_known_to(
                    &inputs,
                    "instances",
                    "independent simulation",
                    (instances, rounding(1e-2)),
                    &lab.each("f", "instances"),
                ),
            ]);
        }
        Group {
            title: "Which instance serves matters",
            about: "The first point of the table above (λ = 1, S = 2, T = 10) with the other choices of instances. \
            For them no \
                    exact law is known; the expected values come from a separate program of a few lines, known to the \
                    digits \
                    shown. Newest first and oldest first agree by symmetry.",
            cases,
        }
    })
}

/// Cold starts and the mean number of instances on one path, by the sliding maximum: an independent way to both.
fn sliding_maximum(arrivals: &[u64], service: u64, expiry: u64, end: u64) -> (u64, f64) {
    let mut steps: Vec<(u64, i64)> = arrivals.iter().flat_map(|&at| [(at, 1), (at + service, -1)]).collect();
    steps.sort_unstable();
    // The number busy as a step function: (from, level), and within T of its end each level still holds an instance.
    let (mut levels, mut level, mut cold) = (vec![(0_u64, 0_i64)], 0, 0);
    for &(at, step) in &steps {
        level += step;
        if step > 0 {
            // A level that ended exactly T ago is over.
            let within = |i: usize| levels.get(i + 1).is_none_or(|next: &(u64, i64)| next.0 + expiry > at);
            let highest = (0..levels.len())
                .rev()
                .take_while(|&i| within(i))
                .map(|i| levels[i].1)
                .max();
            cold += u64::from(highest.is_none_or(|highest| level > highest));
        }
        levels.push((at, level));
    }
    let mut alive = 0.0;
    for n in 1..=levels.iter().map(|l| l.1).max().unwrap_or(0) {
        // At least n instances are alive while the number busy is at least n, and for T after that.
        let mut until = 0;
        for (i, &(from, level)) in levels.iter().enumerate() {
            if level >= n {
                let to = levels
                    .get(i + 1)
                    .map_or(u64::MAX, |next| next.0)
                    .saturating_add(expiry)
                    .min(end);
                alive += to.saturating_sub(from.max(until)) as f64;
                until = until.max(to);
            }
        }
    }
    (cold, alive / end as f64)
}

/// The sliding maximum on measured arrivals, count by count.
pub fn paths() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let folder = Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/azure-llm-2023"));
        let arrivals = arrivals_ns(&folder);
        let mut cases = Vec::new();
        for (service_ms, expiry_ms) in [(200, 10_000), (2000, 30_000), (2000, 300_000), (20_000, 60_000)] {
            let text = format!(
                "run: {{ length: 3600 s, warmup: 0 s, window: 1 h }}\n\
                 clients: {{ web: {{ to: f, arrivals: {{ times: {{ file: a, column: t, unit: ns }} }} }} }}\n\
                 functions: {{ f: {{ idle_timeout: {expiry_ms} ms, handler: [ wait: {service_ms} ms ] }} }}\n"
            );
            let lab = Lab::of(plan_with(&text, &Column::of(&arrivals)), 1);
            let (cold, alive) = sliding_maximum(
                &arrivals,
                service_ms * 1_000_000,
                expiry_ms * 1_000_000,
                3_600_000_000_000,
            );
            let inputs = format!("S = {} s, T = {} s", service_ms as f64 / 1e3, expiry_ms as f64 / 1e3);
            cases.extend([
                Case::exact(
                    &inputs,
                    "cold starts",
                    "sliding maximum",
                    cold as f64,
                    lab.one("f", "cold_starts"),
                ),
                Case::exact(
                    &inputs,
                    "instances",
                    "sliding maximum",
                    alive,
                    lab.one("f", "instances"),
                ),
            ]);
        }
        Group {
            title: "The law, path by path",
            about: "The same law holds for any arrivals, not only on average: the 8,819 arrivals of \
            `data/azure-llm-2023` (57 \
                    minutes, gaps with a coefficient of variation of 13), constant service S. The expected numbers \
                    come from the \
                    sliding maximum of the number busy, without any instances.",
            cases,
        }
    })
}

/// The arrivals of the trace in ns since the first.
fn arrivals_ns(folder: &Folder) -> Vec<u64> {
    let bytes = folder.read("arrivals.csv.gz").expect("data that comes with the source");
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(bytes.as_slice()));
    let seconds = reader
        .records()
        .map(|row| row.expect("a row")[0].parse::<f64>().expect("a number"));
    let mut all: Vec<u64> = seconds.map(|s| (s * 1e9).round() as u64).collect();
    all.sort_unstable();
    let first = all[0];
    all.iter().map(|at| at - first).collect()
}

#[test]
fn cold_starts_follow_the_exact_law() {
    law().assert_holds();
}

#[test]
fn the_number_of_instances_has_the_laws_distribution() {
    distribution().assert_holds();
}

#[test]
fn the_choice_of_instances_matters_as_much_as_it_should() {
    choices().assert_holds();
}

#[test]
fn the_law_holds_on_every_path() {
    paths().assert_holds();
}
