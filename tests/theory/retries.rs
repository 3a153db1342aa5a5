//! Attempts, waits between them, time-outs, and work that goes on after its caller gave up.

use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use coldcurve::cost::Meter;
use std::sync::OnceLock;

fn scenario(client: &str, function: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 100 s, window: 100 h }}\n\
             clients: {{ web: {{ to: f, arrivals: {{ poisson: 100/s }}, {client} }} }}\n\
             functions: {{ f: {{ {function} }} }}\n",
            100 + seconds
        ),
        32,
    )
}

/// Failures and attempts.
pub fn attempts() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (p, n) in [(0.5, 3_u8), (0.3, 4), (0.9, 10)] {
            let retry = format!("retry: {{ attempts: {n}, base: 100 ms, jitter: full, cap: 1 h }}");
            let lab = scenario(&retry, &format!("failure: {} %, handler: []", 100.0 * p), 1200);
            let inputs = format!("failure p = {p}, attempts n = {n}, full jitter, base 100 ms");
            let failed = f64::powi(p, n.into());
            let made = (1.0 - failed) / (1.0 - p);
            // Retry k comes with probability p^k and waits half of base x 2^(k - 1) on average.
            let waited: f64 = (1..n)
                .map(|k| f64::powi(p, k.into()) * 50.0 * f64::powi(2.0, i32::from(k) - 1))
                .sum();
            let latency = times(&lab.each("web", "latency.all"), 1e-6);
            cases.extend([
                Case::mean(
                    &inputs,
                    "attempts per request",
                    "(1 - p^n) / (1 - p)",
                    made,
                    &lab.each("web", "attempts_per_request"),
                ),
                Case::mean(&inputs, "error ratio", "p^n", failed, &lab.each("web", "error_ratio")),
                Case::mean(&inputs, "mean latency of all, ms", "Σ p^k E[wait k]", waited, &latency),
            ]);
        }
        for p in [0.6, 0.9] {
            let retry = "retry: { attempts: 2, base: 10 ms, budget: { capacity: 100, cost: 5, refund: 1 } }";
            let lab = scenario(retry, &format!("failure: {} %, handler: []", 100.0 * p), 1200);
            // What retries take, 5 each, is what successes give back: 1 at the first attempt, 5 after a retry.
            let expected = 1.0 + (1.0 - p) / (5.0 * p);
            let inputs = format!("failure p = {p}, 2 attempts, budget of 100 at 5 a retry");
            cases.push(Case::mean(
                inputs,
                "attempts per request",
                "balance of tokens",
                expected,
                &lab.each("web", "attempts_per_request"),
            ));
        }
        Group {
            title: "Retries",
            about: "Attempts that fail independently with probability p: the number made is a truncated geometric \
            one, and the \
                    mean latency is what the waits add up to, U(0, 1) x base x 2^(k - 1) before retry k. A budget that \
                    failures have emptied lets as many retries through as successes pay for: with first attempts that \
                    succeed \
                    with 1 - p giving 1 token, retries costing 5 and those that succeed giving 5 back, 5 p f = (1 - \
                    p) + \
                    5 p f (1 - p), so the share of failures that is retried is f = (1 - p) / (5 p²).",
            cases,
        }
    })
}

/// Callers who give up.
pub fn timeouts() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (mean, limit) in [(100.0, 200.0), (100.0, 50.0)] {
            let client = format!("timeout: {limit} ms");
            let lab = scenario(
                &client,
                &format!("memory: 1024 MB, handler: [ wait: {{ exponential: {mean} ms }} ]"),
                800,
            );
            let inputs = format!("exponential {mean} ms, client gives up after {limit} ms");
            let late = libm::exp(-limit / mean);
            let ended = lab.each("web", "requests");
            let given_up = with(&lab.each("web", "timed_out"), &ended, |part, whole| part / whole);
            let atom: Vec<f64> = lab
                .histograms("web", "latency.all")
                .iter()
                .map(|h| h.fraction_above((limit * 1e6) as u64 - 1_000_000))
                .collect();
            let late_but_1_ms = libm::exp(-(limit - 1.0) / mean);
            let latency = times(&lab.each("web", "latency.all"), 1e-6);
            let longest = lab
                .histograms("web", "latency.all")
                .iter()
                .map(|h| h.max())
                .max()
                .unwrap_or(0);
            let failed = lab.histograms("web", "latency.failed");
            let least = failed.iter().map(|h| h.min()).min().unwrap_or(0);
            let billed = with(
                &lab.metered("f", Meter::ComputeMbMs),
                &lab.each("f", "invocations"),
                |mb_ms, n| mb_ms / n / 1024.0,
            );
            let rounded_up = -1.0 / libm::expm1(-1.0 / mean);
            cases.extend([
                Case::mean(&inputs, "timed out", "e^(-τ/S)", late, &given_up),
                Case::mean(
                    &inputs,
                    "mean latency of all, ms",
                    "S (1 - e^(-τ/S))",
                    mean * (1.0 - late),
                    &latency,
                ),
                Case::mean(
                    &inputs,
                    "mean latency of good answers, ms",
                    "S - τ e^(-τ/S) / (1 - e^(-τ/S))",
                    mean - limit * late / (1.0 - late),
                    &times(&lab.each("web", "latency"), 1e-6),
                ),
                Case::exact(
                    &inputs,
                    "least latency of failed ones, ns",
                    "τ",
                    limit * 1e6,
                    least as f64,
                ),
                Case::mean(
                    &inputs,
                    "latency of all above τ - 1 ms",
                    "e^(-(τ - 1 ms)/S)",
                    late_but_1_ms,
                    &atom,
                ),
                Case::exact(&inputs, "longest latency of all, ns", "τ", limit * 1e6, longest as f64),
                Case::mean(
                    &inputs,
                    "busy instances",
                    "λ S: work goes on",
                    mean / 10.0,
                    &lab.each("f", "instances.busy"),
                ),
                Case::mean(
                    &inputs,
                    "billed ms per invocation",
                    "1 / (1 - e^(-1 ms/S))",
                    rounded_up,
                    &billed,
                ),
            ]);
        }
        let client = "timeout: 100 ms, retry: { attempts: 3, base: 20 ms, jitter: none }";
        let lab = scenario(client, "handler: [ wait: { exponential: 100 ms } ]", 800);
        let q = libm::exp(-1.0);
        let made = 1.0 + q + q * q;
        // Each attempt lasts S (1 - q) on average; the waits are 20 and 40 ms.
        let latency = made * 100.0 * (1.0 - q) + q * 20.0 + q * q * 40.0;
        let inputs = "exponential 100 ms, gives up after 100 ms, 3 attempts, waits 20 and 40 ms";
        cases.extend([
            Case::mean(
                inputs,
                "attempts per request",
                "1 + q + q²",
                made,
                &lab.each("web", "attempts_per_request"),
            ),
            Case::mean(inputs, "error ratio", "q³", q * q * q, &lab.each("web", "error_ratio")),
            Case::mean(
                inputs,
                "mean latency of all, ms",
                "sum of the parts",
                latency,
                &times(&lab.each("web", "latency.all"), 1e-6),
            ),
            Case::mean(
                inputs,
                "busy instances",
                "λ S × attempts",
                10.0 * made,
                &lab.each("f", "instances.busy"),
            ),
        ]);
        let lab = scenario(
            "retry: none",
            "timeout: 100 ms, memory: 1024 MB, handler: [ wait: { exponential: 100 ms } ]",
            800,
        );
        let cut = with(
            &lab.each("f", "timed_out"),
            &lab.each("f", "invocations"),
            |part, whole| part / whole,
        );
        let inputs = "exponential 100 ms, function cut off after 100 ms";
        cases.extend([
            Case::mean(inputs, "cut off", "q = e^(-1)", q, &cut),
            Case::mean(
                inputs,
                "mean duration, ms",
                "S (1 - q)",
                100.0 * (1.0 - q),
                &times(&lab.each("f", "duration"), 1e-6),
            ),
            Case::mean(
                inputs,
                "busy instances",
                "λ S (1 - q)",
                10.0 * (1.0 - q),
                &lab.each("f", "instances.busy"),
            ),
        ]);
        Group {
            title: "Time-outs",
            about: "A caller who gives up after τ sees the atom of latency at τ that an exponential tail leaves; the \
            function does \
                    not hear of it, works on and is billed, by the millisecond, rounded up: E[ceil X] = 1 / (1 - \
                    e^(-1/S)) ms \
                    for an exponential X of mean S ms. A function's own time limit does cut the work off.",
            cases,
        }
    })
}

#[test]
fn retries_are_a_truncated_geometric_number() {
    attempts().assert_holds();
}

#[test]
fn who_gives_up_does_not_stop_the_work() {
    timeouts().assert_holds();
}
