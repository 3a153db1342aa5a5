//! Handlers that call: parallel branches, chains, caches.

use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use coldcurve::cost::Meter;
use std::sync::OnceLock;

fn scenario(functions: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 100 s, window: 100 h }}\n\
             clients: {{ web: {{ to: outer, arrivals: {{ poisson: 50/s }} }} }}\n\
             functions:\n{functions}",
            100 + seconds
        ),
        32,
    )
}

/// The sum of the first n reciprocals.
fn harmonic(n: u32) -> f64 {
    (1..=n).map(|k| 1.0 / f64::from(k)).sum()
}

/// Where the tail of a sum of three exponentials of mean 1 comes down to 1 %: e^-t (1 + t + t²/2) = 0.01.
fn erlang_3_p99() -> f64 {
    let (mut low, mut high) = (3.0, 20.0);
    for _ in 0..60 {
        let t = f64::midpoint(low, high);
        if libm::exp(-t) * (1.0 + t + t * t / 2.0) > 0.01 {
            low = t;
        } else {
            high = t;
        }
    }
    low
}

fn fork_join(cases: &mut Vec<Case>) {
    for n in [2_u32, 5, 20] {
        let calls = vec!["[ call: leaf ]"; n as usize].join(", ");
        let lab = scenario(
            &format!(
                "  outer: {{ handler: [ parallel: [ {calls} ] ] }}\n  leaf: {{ handler: [ wait: {{ exponential: 100 ms }} ] }}\n"
            ),
            if n == 20 { 400 } else { 1000 },
        );
        let inputs = format!("{n} calls at once, each exponential 100 ms");
        let latency = lab.histograms("web", "latency");
        // P(all n within t) = (1 - e^-t)^n.
        let p99 = -100.0 * libm::log(-libm::expm1(libm::log(0.99) / f64::from(n)));
        let expected = 100.0 * harmonic(n);
        cases.extend([
            Case::mean(
                &inputs,
                "mean latency, ms",
                "S × (1 + 1/2 + ... + 1/n)",
                expected,
                &times(&lab.each("web", "latency"), 1e-6),
            ),
            Case::quantile(
                &inputs,
                "p99 latency, ms",
                "-S ln(1 - 0.99^(1/n))",
                p99,
                (&latency, 0.99),
            ),
            Case::mean(
                &inputs,
                "busy leaves",
                "λ n S",
                5.0 * f64::from(n),
                &lab.each("leaf", "instances.busy"),
            ),
            Case::mean(
                &inputs,
                "busy callers",
                "λ × latency",
                0.05 * expected,
                &lab.each("outer", "instances.busy"),
            ),
        ]);
    }
}

fn chain(cases: &mut Vec<Case>) {
    let lab = scenario(
        "  outer: { memory: 1024 MB, handler: [ wait: { exponential: 100 ms }, call: middle ] }\n  \
         middle: { memory: 512 MB, handler: [ wait: { exponential: 100 ms }, call: inner ] }\n  \
         inner: { memory: 256 MB, handler: [ wait: { exponential: 100 ms } ] }\n",
        1000,
    );
    let inputs = "three functions in a chain, each exponential 100 ms of its own";
    let latency = lab.histograms("web", "latency");
    let level = |name: &str| lab.each(name, "instances.busy");
    // Each is busy until the ones that it called are done.
    let billed = |name: &str, mb: f64| {
        with(
            &lab.metered(name, Meter::ComputeMbMs),
            &lab.each(name, "invocations"),
            |q, n| q / n / mb,
        )
    };
    // The part after the point of a smooth sum is as good as uniform, so rounding up adds half a millisecond.
    cases.extend([
        Case::mean(
            inputs,
            "mean latency, ms",
            "3 S",
            300.0,
            &times(&lab.each("web", "latency"), 1e-6),
        ),
        Case::quantile(
            inputs,
            "p99 latency, ms",
            "Erlang-3",
            100.0 * erlang_3_p99(),
            (&latency, 0.99),
        ),
        Case::mean(inputs, "busy, first", "3 λ S", 15.0, &level("outer")),
        Case::mean(inputs, "busy, second", "2 λ S", 10.0, &level("middle")),
        Case::mean(inputs, "busy, third", "λ S", 5.0, &level("inner")),
        Case::mean(inputs, "billed ms, first", "3 S + 0.5", 300.5, &billed("outer", 1024.0)),
        Case::mean(
            inputs,
            "billed ms, second",
            "2 S + 0.5",
            200.5,
            &billed("middle", 512.0),
        ),
    ]);
}

/// Handlers that call others.
pub fn compositions() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        fork_join(&mut cases);
        chain(&mut cases);
        let lab = scenario(
            "  outer: { handler: [ loop: { times: 3, steps: [ cache: { hit: 80 %, lookup: 1 ms, miss: [ call: store ] \
            } ] } ] }\n  \
             store: { failure: 10 %, handler: [ wait: { exponential: 50 ms } ] }\n",
            1000,
        );
        let inputs = "three look-ups of 1 ms, hit ratio 80 %, a miss calls 50 ms that fail in 10 %";
        let calls = with(
            &lab.each("store", "invocations"),
            &lab.each("outer", "invocations"),
            |part, whole| part / whole,
        );
        // The handler ends at the first call that fails: look-up k happens with probability r^(k - 1), r = 1 - 0.2 x
        // 0.1.
        let rounds = 1.0 + 0.98 + 0.98 * 0.98;
        cases.extend([
            Case::mean(inputs, "calls per request", "0.2 (1 + r + r²)", 0.2 * rounds, &calls),
            Case::mean(
                inputs,
                "mean latency of all, ms",
                "(1 + 0.2 × 50) (1 + r + r²)",
                11.0 * rounds,
                &times(&lab.each("web", "latency.all"), 1e-6),
            ),
            Case::mean(
                inputs,
                "error ratio",
                "1 - r³, r = 0.98",
                1.0 - f64::powi(0.98, 3),
                &lab.each("web", "error_ratio"),
            ),
        ]);
        Group {
            title: "Functions that call functions",
            about: "Without queueing, n calls at once last as long as the longest of n exponentials, a chain as long \
            as their \
                    sum, and every caller is busy, and billed, until the ones that it called are done.",
            cases,
        }
    })
}

#[test]
fn calls_take_the_time_of_what_they_call() {
    compositions().assert_holds();
}
