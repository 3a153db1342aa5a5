//! Instances that are scaled apart from requests: traces by hand, and the queue in front of them.

use super::lab::{Lab, times};
use super::page::{Case, Group};
use super::traces::{Trace, ms};
use coldcurve::cost::Meter;
use coldcurve::stats::formulas::Mmc;
use std::sync::OnceLock;

fn pending() -> Vec<Case> {
    // A starts at 0 for the first request and B at 200 ms for the second. The third starts C at 1250, but A is free at
    // 1300 and takes it; C comes up at 1550 and finds nobody.
    let f = "functions: { f: { pending: {}, placement: 100 ms, init: 200 ms, handler: [ wait: 1 s ] } }";
    let slots = Trace::new(
        "requests wait for a slot or a start of 100 + 200 ms, work 1 s; at 0, 200, 1250 ms",
        &ms(&[0, 200, 1250]),
        "to: f",
        f,
    )
    .latencies(&ms(&[1300, 1300, 1050]))
    .metric("f", "cold_starts", 3.0)
    .level_ms("f", "instances.starting", 900.0)
    .level_ms("f", "pending", f64::from(300 + 300 + 50));
    let f = "functions: { f: { pending: { maximum_time: 2 s }, maximum_instances: 1, handler: [ wait: 1500 ms ] } }";
    let refused = Trace::new(
        "one instance at most, requests wait 2 s at most, work 1.5 s; at 0, 100, 200 ms",
        &ms(&[0, 100, 200]),
        "to: f",
        f,
    )
    .latencies(&ms(&[1500, 2000, 2900]))
    .metric("f", "throttled_pending", 1.0)
    .metric("web", "throttled_429", 1.0)
    .metric("f", "pending.peak", 2.0);
    // The first start takes the prepared place; the second is placed itself, and the first instance is free by then.
    let f = "functions: { f: { pending: {}, prewarmed: 1, placement: 1 s, init: 100 ms, handler: [ wait: 1 s ] } }";
    let prewarmed = Trace::new(
        "one place prepared, placement 1 s, init 100 ms, work 1 s; two at 0",
        &[0, 0],
        "to: f",
        f,
    )
    .latencies(&ms(&[1100, 2100]))
    .metric("f", "cold_starts", 2.0);
    // Further instances may start every 10 s only; meanwhile whoever is done takes the next one that waits.
    let f =
        "functions: { f: { pending: {}, scaling: { burst: 1, refill: 0.1/s }, init: 300 ms, handler: [ wait: 1 s ] } }";
    let limited = Trace::new(
        "a start every 10 s at most, init 300 ms, work 1 s; three at 0",
        &[0; 3],
        "to: f",
        f,
    )
    .latencies(&ms(&[1300, 2300, 3300]))
    .metric("f", "cold_starts", 1.0)
    .level_ms("f", "pending", f64::from(300 + 1300 + 2300));
    [slots.cases, refused.cases, prewarmed.cases, limited.cases].concat()
}

fn minimum() -> Vec<Case> {
    // Two serve at once; the third request starts an instance, ready at 200 ms. At least one request is on two of the
    // minimum for 1 s and on one for another 200 ms.
    let f = "functions: { f: { memory: 1024 MB, cpu: 1, minimum_instances: 2, pending: {}, billing: request, init: 200 ms, handler: [ wait: 1 s ] } }";
    Trace::new(
        "two instances at least, init 200 ms, work 1 s; three at 0, billed while they serve",
        &[0; 3],
        "to: f",
        f,
    )
    .latencies(&ms(&[1000, 1200]))
    .metric("f", "cold_starts", 1.0)
    .meter("f", Meter::ActiveVcpuMs, 3200.0 * 1000.0)
    .meter("f", Meter::VcpuMs, (200_000.0 - 2200.0) * 1000.0)
    .meter("f", Meter::ProvisionedMbMs, 200_000.0 * 1024.0)
    .meter("f", Meter::ProvisionedComputeMbMs, 2200.0 * 1024.0)
    .meter("f", Meter::ComputeMbMs, 800.0 * 1024.0)
    .cases
}

fn knative() -> Vec<Case> {
    // One pod is ready and takes ten; at 2 s the mean is 20, which asks for three pods: three times what is ready, so
    // panic. The other two are ready at 3 s, and one of them takes the ten that waited. At 64 s panic is over; the
    // mean of the last 60 s is (20 x 6 + 10 x 3) / 60, which asks for one.
    let f = "functions: { f: { cpu: 1, concurrency_per_instance: 10, idle_timeout: 0 s, billing: instance, init: 1 s, \
             pending: { maximum_time: 60 s, starts: autoscaler }, autoscaler: { panic_window: 6 s }, handler: [ wait: 10 s ] } }";
    Trace::new(
        "Knative's autoscaler: 10 per pod, 70 %, init 1 s, work 10 s; 20 at 0",
        &[0; 20],
        "to: f",
        f,
    )
    .latencies(&ms(&[10_000, 13_000]))
    .metric("f", "instances.peak", 3.0)
    .metric("f", "cold_starts", 2.0)
    .level_ms("f", "instances", 100_000.0 + 2.0 * 62_000.0)
    .level_ms("f", "pending", 30_000.0)
    .meter("f", Meter::VcpuMs, 224_000.0 * 1000.0)
    .cases
}

fn zero() -> Vec<Case> {
    // The request ends at 2 s. From 62 s on no decision sees it in its window; 20 s later the pod goes. The request at
    // 89 s starts one at once, without waiting for a decision.
    let f = "functions: { f: { cpu: 1, concurrency_per_instance: 10, idle_timeout: 0 s, init: 1 s, \
             pending: { starts: autoscaler }, autoscaler: { initial: 0, zero_after: 20 s }, handler: [ wait: 1 s ] } }";
    Trace::new(
        "to zero and back: init 1 s, work 1 s, 20 s after a window of 60 s; at 0 and 89 s",
        &ms(&[0, 89_000]),
        "to: f",
        f,
    )
    .latencies(&ms(&[2000, 2000]))
    .metric("f", "cold_starts", 2.0)
    .level_ms("f", "instances", f64::from(82_000 + 11_000))
    .cases
}

fn limits() -> Vec<Case> {
    let f = "functions: { f: { cpu_limit: 50 ms, cpu: 0.5, handler: [ cpu: 60 ms, wait: 1 s ] } }";
    let cpu =
        Trace::new("60 ms of processor time where 50 ms are allowed", &[0], "to: f", f).metric("f", "failed", 1.0);
    let f = "functions: { f: { memory: 1024 MB, snapstart: true, restore: 300 ms, init: 5 s, code_init: 3 s, handler: [ wait: 10 ms ] } }";
    let snapshot = Trace::new(
        "a snapshot restored in 300 ms instead of an init of 8 s, work 10 ms",
        &[0],
        "to: f",
        f,
    )
    .latencies(&ms(&[310]))
    .meter("f", Meter::SnapRestoreMb, 1024.0)
    .meter("f", Meter::SnapCacheMbMs, 100_000.0 * 1024.0);
    let f = "functions: { f: { startup_boost: 2, init: 300 ms, code_init: 100 ms, handler: [ wait: 10 ms ] } }";
    let boost =
        Trace::new("twice the processors at the start, init 300 + 100 ms", &[0], "to: f", f).latencies(&ms(&[210]));
    [cpu.cases, snapshot.cases, boost.cases].concat()
}

/// Traces by hand.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Instances scaled apart from requests, by hand",
        about: "Requests that wait for a slot or for an instance that starts, instances kept ready, Knative's \
                autoscaler through a burst and to zero, and what else platforms do otherwise: each number worked out \
                on paper.",
        cases: [pending(), minimum(), knative(), zero(), limits()].concat(),
    })
}

/// Requests that wait for slots of a limited number of instances.
pub fn queues() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, slots, instances, seconds) in [(8.0, 1, 10, 18_000), (16.0, 5, 4, 14_000), (0.7, 1, 1, 120_000)] {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: 500 s, window: 10000 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }}, timeout: 10 h }} }}\n\
                     functions:\n  f:\n    concurrency_per_instance: {slots}\n    maximum_instances: {instances}\n    \
                     idle_timeout: 10 h\n    pending: {{ maximum_time: 10 h }}\n    handler: [ wait: {{ exponential: 1 s }} ]\n",
                    500 + seconds
                ),
                32,
            );
            let inputs = format!("λ = {lambda}, S = 1, {instances} instances of {slots}");
            let law = Mmc::new(lambda, 1.0, slots * instances);
            let mean = times(&lab.each("web", "latency"), 1e-6);
            let expected = 1e3 * law.mean_response();
            cases.push(Case::mean(&inputs, "mean response, ms", "M/M/c", expected, &mean));
            if slots == 1 {
                let waiting = lab.each("f", "pending");
                let expected = lambda * (law.mean_response() - 1.0);
                cases.push(Case::mean(&inputs, "requests that wait", "M/M/c, Little's law", expected, &waiting));
            }
        }
        Group {
            title: "Requests that wait for slots",
            about: "A limited number of instances, with a number of slots each, in front of which requests wait for as \
                    long as it takes: M/M/c, with c the slots of all instances together.",
            cases,
        }
    })
}

#[test]
fn scaled_instances_come_out_as_computed_by_hand() {
    by_hand().assert_holds();
}

#[test]
fn waiting_requests_are_a_queue() {
    queues().assert_holds();
}
