//! Limits that refuse: reserved concurrency, provisioned capacity that spills over, token buckets.

use super::lab::{Lab, with};
use super::page::{Case, Group};
use coldcurve::stats::formulas::{erlang_b, token_bucket_refusals};
use std::sync::OnceLock;

/// Reserved concurrency c is Erlang's loss system.
pub fn reserved() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (a, c, service) in [
            (2.0, 3, "{ exponential: 1 s }"),
            (8.0, 10, "{ exponential: 1 s }"),
            (8.0, 10, "{ constant: 1 s }"),
            (8.0, 10, "{ mean: 1 s, cv: 2 }"),
            (50.0, 50, "{ exponential: 1 s }"),
            (84.06, 100, "{ exponential: 1 s }"),
        ] {
            let seconds = if c == 100 { 9000.0 } else { 2000.0 + 40_000.0 / a };
            let lab = Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: 20 s, window: 100 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {a}/s }} }} }}\n\
                     functions: {{ f: {{ reserved_concurrency: {c}, handler: [ wait: {service} ] }} }}\n",
                    20.0 + seconds
                ),
                32,
            );
            let inputs = format!("a = {a}, c = {c}, `{service}`");
            let blocked = erlang_b(a, c);
            cases.extend([
                Case::mean(
                    &inputs,
                    "throttle ratio",
                    "Erlang B",
                    blocked,
                    &lab.each("f", "throttle_ratio"),
                ),
                Case::mean(
                    &inputs,
                    "busy instances",
                    "a (1 - B)",
                    a * (1.0 - blocked),
                    &lab.each("f", "instances.busy"),
                ),
            ]);
        }
        Group {
            title: "Reserved concurrency",
            about: "A function with reserved concurrency c refuses what finds all c in use. Under Poisson traffic \
            that is \
                    Erlang's loss system, whose loss depends on the mean service time only, not on its distribution \
                    (Erlang 1917; Sevastyanov 1957 for the insensitivity).",
            cases,
        }
    })
}

/// What does not fit on provisioned instances runs on demand.
pub fn provisioned() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (a, p, service) in [
            (10.0, 8, "{ exponential: 1 s }"),
            (10.0, 15, "{ exponential: 1 s }"),
            (10.0, 12, "{ mean: 1 s, cv: 2 }"),
            (100.0, 110, "{ exponential: 1 s }"),
        ] {
            let seconds = if p == 15 { 12_000 } else { 3000 };
            let lab = Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: 20 s, window: 100 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {a}/s }} }} }}\n\
                     functions: {{ f: {{ provisioned_concurrency: {p}, handler: [ wait: {service} ] }} }}\n",
                    20 + seconds
                ),
                32,
            );
            let inputs = format!("a = {a}, provisioned {p}, `{service}`");
            let spilled = erlang_b(a, p);
            let on_demand = with(
                &lab.each("f", "instances.busy"),
                &lab.each("f", "provisioned.busy"),
                |all, p| all - p,
            );
            cases.extend([
                Case::mean(
                    &inputs,
                    "spill ratio",
                    "Erlang B",
                    spilled,
                    &lab.each("f", "spill_ratio"),
                ),
                Case::mean(
                    &inputs,
                    "busy, provisioned",
                    "a (1 - B)",
                    a * (1.0 - spilled),
                    &lab.each("f", "provisioned.busy"),
                ),
                Case::mean(&inputs, "busy, on demand", "a B", a * spilled, &on_demand),
            ]);
        }
        Group {
            title: "Provisioned concurrency that spills over",
            about: "Requests take provisioned instances first; what finds none runs on demand. The share that spills \
            over is \
                    Erlang B with as many servers as are provisioned, whatever the distribution of service.",
            cases,
        }
    })
}

/// A token bucket is the queue M/D/1/K seen from the other side.
pub fn buckets() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, rate, burst) in [
            (9.0, 10.0, 10),
            (11.0, 10.0, 5),
            (20.0, 10.0, 3),
            (100.0, 100.0, 20),
            (3.0, 1.0, 1),
        ] {
            let seconds = if burst == 20 { 3000.0 } else { 200_000.0 / lambda };
            let lab = Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: {} s, window: 10000 h }}\n\
                     clients: {{ web: {{ to: g, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
                     gateways: {{ g: {{ to: f, throttle: {{ rate: {rate}/s, burst: {burst} }} }} }}\n\
                     functions: {{ f: {{ handler: [] }} }}\n",
                    seconds * 1.02,
                    seconds * 0.02
                ),
                32,
            );
            let refused = with(
                &lab.each("g", "throttled"),
                &lab.each("g", "requests"),
                |part, whole| part / whole,
            );
            cases.push(Case::mean(
                format!("λ = {lambda}, rate {rate}/s, burst {burst}"),
                "refused",
                "M/D/1/K, K = burst",
                token_bucket_refusals(lambda, rate, burst),
                &refused,
            ));
        }
        Group {
            title: "Token buckets",
            about: "A bucket that refills continuously at a rate and holds a burst refuses the same share of Poisson \
            traffic as \
                    M/D/1/K loses, with service time 1/rate and K = burst: missing tokens are its work in queue (loss \
                    from \
                    the departures' chain, Cooper 1981, chapter 5).",
            cases,
        }
    })
}

#[test]
fn reserved_concurrency_is_erlangs_loss_system() {
    reserved().assert_holds();
}

#[test]
fn spill_over_is_erlangs_loss() {
    provisioned().assert_holds();
}

#[test]
fn a_token_bucket_is_a_queue_of_constant_service() {
    buckets().assert_holds();
}
