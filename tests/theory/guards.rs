//! What stands between callers and whom they call: breakers, adaptive rates, hedges, deadlines, shedding.

use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use super::traces::{Trace, ms};
use coldcurve::model::request::hits::Limit;
use std::sync::OnceLock;

fn breakers() -> Vec<Case> {
    let breaker = "breaker: { minimum_calls: 3, open: 1 s }";
    // A slot that is taken for 10 ms refuses three calls at 1, 2 and 3 ms: open until 1003 ms. The call of 0 ms ends
    // well at 10 ms, which is no concern of an open breaker. The probe of 1003 ms closes it at 1013 ms.
    let mut cases = Trace::new(
        "breaker: 3 calls at least, open 1 s; a slot taken for 10 ms; at 0, 1, 2, 3, 500, 1002, 1003, 1010, 1014 ms",
        &ms(&[0, 1, 2, 3, 500, 1002, 1003, 1010, 1014]),
        &format!("to: box, {breaker}"),
        "fleets: { box: { vcpu: 1, slots: 1, queue: 0, handler: [ wait: 10 ms ] } }",
    )
    .latencies(&ms(&[10, 10, 10]))
    .metric("web", "breaker.opened", 1.0)
    .metric("web", "breaker.refused", 3.0)
    .limit((Limit::CircuitBreaker, "box", "web", ""), 3, 500_000_000)
    .metric("web", "unavailable_503", 3.0)
    .metric("box", "requests", 6.0)
    .cases;
    // Opened at 15 ms by the call of instance A. At 105 ms A asks, at 107 ms the new instance B.
    for (scope, called, opened, refused) in [("instance", 2.0, 2.0, 1.0), ("component", 1.0, 1.0, 2.0)] {
        let what = match scope {
            "instance" => "breaker of each instance; calls fail; at 0 ms on A, at 100 ms on A and at 102 ms on B",
            _ => "breaker of all instances; the same",
        };
        let rest = format!(
            "externals: {{ s: {{ latency: 10 ms, failure: 100% }} }}\n\
             functions: {{ f: {{ handler: [ wait: 5 ms, call: {{ to: s, breaker: {{ minimum_calls: 1, open: 1 h, \
             scope: {scope} }} }} ] }} }}"
        );
        let trace = Trace::new(what, &ms(&[0, 100, 102]), "to: f", &rest)
            .metric("s", "calls", called)
            .metric("f", "breaker.opened", opened)
            .metric("f", "breaker.refused", refused)
            .metric("web", "failed_500", 3.0);
        cases.extend(trace.cases);
    }
    cases
}

fn hedges() -> Vec<Case> {
    // The first request starts A (ready at 500 ms), its copy of 100 ms starts B (ready at 600 ms, an orphan until 610
    // ms). At 505 ms both are busy or starting, so the second request starts C; its copy of 605 ms finds A idle.
    let mut cases = Trace::new(
        "hedge after 100 ms; cold start 500 ms, work 10 ms; at 0, 505 ms",
        &ms(&[0, 505]),
        "to: f, hedge: { after: 100 ms }",
        "functions: { f: { placement: 500 ms, handler: [ wait: 10 ms ] } }",
    )
    .latencies(&ms(&[510, 110]))
    .metric("web", "hedges.sent", 2.0)
    .metric("web", "hedges.won", 1.0)
    .metric("f", "cold_starts", 3.0)
    .metric("f", "invocations", 4.0)
    .metric("web", "attempts_per_request", 1.0)
    .cases;
    // Copies at 0, 20 and 40 ms of 100 ms each; the caller gives up at 50 ms and tries again at 60 ms, with copies at
    // 60, 80 and 100 ms of which the first has its answer at 160 ms only: given up at 110 ms.
    let trace = Trace::new(
        "two further copies after 20 ms each, work 100 ms, time-out 50 ms, one retry after 10 ms",
        &[0],
        "to: s, timeout: 50 ms, hedge: { after: 20 ms, copies: 2 }, \
         retry: { attempts: 2, base: 10 ms, jitter: none }",
        "externals: { s: { latency: 100 ms } }",
    )
    .latencies(&ms(&[110]))
    .metric("web", "timed_out", 1.0)
    .metric("web", "retries", 1.0)
    .metric("web", "hedges.sent", 4.0)
    .metric("s", "calls", 6.0);
    cases.extend(trace.cases);
    // Each copy spends half of the round trip on its way there and half on its way back.
    let trace = Trace::new(
        "hedge after 30 ms, network 20 ms, work 100 ms",
        &[0],
        "to: s, network: 20 ms, hedge: { after: 30 ms }",
        "externals: { s: { latency: 100 ms } }",
    )
    .latencies(&ms(&[120]))
    .metric("s", "calls", 2.0);
    cases.extend(trace.cases);
    // An eighth of a copy for each attempt and ten to spare, of which the first attempt finds all. Ten attempts later
    // 1.25 were earned, so the eleventh has a copy, and the twelfth finds 0.375 of one.
    let twelve: Vec<u64> = (0..12).map(|i| 1_000 * i).collect();
    let trace = Trace::new(
        "hedge after 20 ms, an eighth of a copy per attempt and ten to spare; 12 attempts of 50 ms",
        &ms(&twelve),
        "to: s, hedge: { after: 20 ms, share: 12.5% }",
        "externals: { s: { latency: 50 ms } }",
    )
    .metric("web", "hedges.sent", 11.0)
    .metric("web", "hedges.held_back", 1.0)
    .metric("s", "calls", 23.0);
    cases.extend(trace.cases);
    // A slot refuses the copy of 20 ms at once; a bad answer counts only if no other copy is under way.
    let trace = Trace::new(
        "hedge after 20 ms, one slot, no queue, work 50 ms",
        &[0],
        "to: box, hedge: { after: 20 ms }",
        "fleets: { box: { vcpu: 1, slots: 1, queue: 0, handler: [ wait: 50 ms ] } }",
    )
    .latencies(&ms(&[50]))
    .metric("web", "unavailable_503", 0.0)
    .metric("box", "refused", 1.0);
    cases.extend(trace.cases);
    cases
}

fn rates() -> Vec<Case> {
    // One call a second is allowed. Refused at 600 ms: two answers in the first half second make 0.8 x 4/s = 3.2/s, so
    // the bucket fills with 0.7 x 3.2/s on top of 0.59 s x 0.5/s. The call of 1000 ms finds 1.191 tokens. Its answer at
    // 1010 ms moves the rate to 3.2 - 0.4 (cbrt(2.4) - 0.41)³ = 2.87943/s. The call of 1100 ms finds 0.472549 tokens.
    Trace::new(
        "adaptive: 1 call/s allowed, latency 10 ms; at 0, 600, 1000, 1100 ms",
        &ms(&[0, 600, 1000, 1100]),
        "to: s, retry: { attempts: 1, adaptive: true }",
        "externals: { s: { latency: 10 ms, rate: 1/s, burst: 1 } }",
    )
    .latencies(&[10_000_000, 10_000_000, WAIT_NS])
    .metric("web", "adaptive.delayed", 1.0)
    .metric("web", "throttled_429", 2.0)
    .metric("s", "throttled", 2.0)
    .cases
}

/// (1 - 0.472549) / 2.87943 s, in full.
const WAIT_NS: u64 = 183_178_799;

fn deadlines() -> Vec<Case> {
    let mut cases = Vec::new();
    // Work of 40 ms, callers wait for 50 ms. The second is served from 40 to 80 ms though given up at 60 ms; the others
    // wait until 70 and 80 ms, when their turn comes at 80 ms.
    for (heeds, served, dropped) in [(true, 2.0, Some(2.0)), (false, 4.0, None)] {
        let what = if heeds {
            "deadlines heeded; one slot, work 40 ms, time-out 50 ms; at 0, 10, 20, 30 ms"
        } else {
            "deadlines not heeded; the same"
        };
        let rest =
            format!("fleets: {{ box: {{ vcpu: 1, slots: 1, heeds_deadlines: {heeds}, handler: [ wait: 40 ms ] }} }}");
        let mut trace = Trace::new(what, &ms(&[0, 10, 20, 30]), "to: box, timeout: 50 ms", &rest)
            .latencies(&ms(&[40, 50, 50, 50]))
            .metric("box", "served", served);
        if let Some(dropped) = dropped {
            trace = trace.metric("box", "dropped_expired", dropped);
        }
        cases.extend(trace.cases);
    }
    let trace = Trace::new(
        "deadlines heeded by a function of one instance on which requests wait; the same",
        &ms(&[0, 10, 20, 30]),
        "to: f, timeout: 50 ms",
        "functions: { f: { maximum_instances: 1, pending: {}, heeds_deadlines: true, handler: [ wait: 40 ms ] } }",
    )
    .latencies(&ms(&[40, 50, 50, 50]))
    .metric("f", "invocations", 2.0)
    .metric("f", "dropped_expired", 2.0);
    cases.extend(trace.cases);
    // The front calls the back after some time; the client waits for 50 ms.
    for (what, heeds, wait, called, service_ms) in [
        (
            "deadline passed on: call after 30 ms of work of 40 ms, client waits 50 ms",
            true,
            30,
            1.0,
            50,
        ),
        ("deadline not passed on: the same", false, 30, 1.0, 70),
        ("deadline passed on: call after 60 ms is not made", true, 60, 0.0, 60),
    ] {
        let rest = format!(
            "fleets:\n  front: {{ vcpu: 1, heeds_deadlines: {heeds}, handler: [ wait: {wait} ms, call: back ] }}\n  \
             back: {{ vcpu: 1, handler: [ wait: 40 ms ] }}"
        );
        let trace = Trace::new(what, &[0], "to: front, timeout: 50 ms", &rest)
            .latencies(&ms(&[50]))
            .metric("back", "requests", called)
            .longest("front", "service_time", service_ms * 1_000_000);
        let trace = if called == 0.0 {
            trace.limit((Limit::Deadline, "back", "front", ""), 1, 60_000_000)
        } else {
            trace
        };
        cases.extend(trace.cases);
    }
    cases
}

fn shedding() -> Vec<Case> {
    let mut cases = Vec::new();
    for (class, served) in [("critical", 5.0), ("normal", 3.0), ("sheddable", 2.0)] {
        let what = match class {
            "critical" => "shedding at 2 waiting, critical: at 4; 8 requests within 8 ms, work 100 ms",
            "normal" => "shedding at 2 waiting, normal; the same",
            _ => "shedding at 2 waiting, sheddable: at 1; the same",
        };
        let trace = Trace::new(
            what,
            &ms(&[0, 1, 2, 3, 4, 5, 6, 7]),
            &format!("to: box, criticality: {class}"),
            "fleets: { box: { vcpu: 1, slots: 1, shedding: { waiting: 2 }, handler: [ wait: 100 ms ] } }",
        )
        .metric("box", "served", served)
        .metric("box", "shed", 8.0 - served)
        .metric("web", "unavailable_503", 8.0 - served)
        .limit(
            (Limit::LoadShedding, "box", "web", ""),
            8 - served as u64,
            served as u64 * 1_000_000,
        );
        cases.extend(trace.cases);
    }
    // At 61 ms the first in line has waited for 51 ms, at 130 ms for 90 ms.
    let trace = Trace::new(
        "shedding after a wait of 50 ms, work 100 ms; at 0, 10, 40, 61, 130 ms",
        &ms(&[0, 10, 40, 61, 130]),
        "to: box",
        "fleets: { box: { vcpu: 1, slots: 1, shedding: { longest_wait: 50 ms }, handler: [ wait: 100 ms ] } }",
    )
    .latencies(&ms(&[100, 190, 260]))
    .metric("box", "shed", 2.0);
    cases.extend(trace.cases);
    let trace = Trace::new(
        "newest first after a wait of 50 ms, work 100 ms; at 0, 10, 20 ms",
        &ms(&[0, 10, 20]),
        "to: box",
        "fleets: { box: { vcpu: 1, slots: 1, shedding: { newest_first_after: 50 ms }, handler: [ wait: 100 ms ] } }",
    )
    .latencies(&ms(&[100, 180, 290]));
    cases.extend(trace.cases);
    cases
}

/// Traces.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Callers and callees that protect themselves, by hand",
        about: "Breakers, hedged requests, adaptive rates, deadlines that travel with calls, and load shedding, a few \
                requests each, to the nanosecond.",
        cases: [breakers(), hedges(), rates(), deadlines(), shedding()].concat(),
    })
}

/// The minimum of several times, of which the later ones begin later.
pub fn hedging() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (delay, copies, by_call) in [(100.0, 1, false), (300.0, 1, false), (50.0, 2, false), (100.0, 1, true)] {
            let hedge = format!("to: s, hedge: {{ after: {delay} ms, copies: {copies} }}");
            let (client, fleets) = if by_call {
                let front = format!("fleets: {{ front: {{ vcpu: 1, handler: [ call: {{ {hedge} }} ] }} }}\n");
                ("to: front".to_owned(), front)
            } else {
                (hedge, String::new())
            };
            let lab = Lab::run(
                &format!(
                    "run: {{ length: 600 s, warmup: 10 s, window: 100 h }}\n\
                     clients: {{ web: {{ arrivals: {{ poisson: 100/s }}, {client} }} }}\n{fleets}\
                     externals: {{ s: {{ latency: {{ exponential: 100 ms }} }} }}\n"
                ),
                32,
            );
            let who = if by_call { "front" } else { "web" };
            let inputs = format!(
                "exponential 100 ms, {copies} further after {delay} ms{}",
                if by_call { ", by a handler" } else { "" }
            );
            // Hazards of 1/S until d, 2/S until 2d, 3/S from then on.
            let q = libm::exp(-delay / 100.0);
            let (mean, sent, tail) = if copies == 1 {
                (100.0 * (1.0 - q) + 50.0 * q, q, 50.0 * libm::log(100.0) + delay / 2.0)
            } else {
                let mean = 100.0 * (1.0 - q) + 50.0 * q * (1.0 - q * q) + 100.0 / 3.0 * q * q * q;
                (mean, q + q * q * q, (100.0 * libm::log(100.0) + 3.0 * delay) / 3.0)
            };
            let requests = lab.each("web", "requests");
            let per_request = |metric: &str| with(&lab.each(who, metric), &requests, |part, whole| part / whole);
            let late = (&lab.histograms("web", "latency")[..], 0.99);
            cases.extend([
                Case::mean(
                    &inputs,
                    "mean latency, ms",
                    "hazards",
                    mean,
                    &times(&lab.each("web", "latency"), 1e-6),
                ),
                Case::quantile(&inputs, "p99 of latency, ms", "hazards", tail, late),
                Case::mean(
                    &inputs,
                    "further copies per request",
                    "hazards",
                    sent,
                    &per_request("hedges.sent"),
                ),
                Case::mean(
                    &inputs,
                    "calls under way at the service",
                    "λ S (1 + copies): orphans go on",
                    10.0 * (1.0 + sent),
                    &lab.each("s", "concurrency"),
                ),
            ]);
            if copies == 1 {
                let won = per_request("hedges.won");
                cases.push(Case::mean(&inputs, "won by the copy", "q / 2", q / 2.0, &won));
            }
        }
        Group {
            title: "Hedged requests",
            about: "A copy of a request that has had no answer after d, at 100 requests a second; q = e^(-d/S). \
                    The latency is the smaller of X and d + Y, both exponential: with one copy the mean is S (1 \
                    - q) + q S / 2, and P(latency > t) = e^(-(2t - d)/S) beyond d. A further copy at 2d makes \
                    the hazard 3/S from there on. The copies that lose go on: each costs the service its whole \
                    S.",
            cases,
        }
    })
}

#[test]
fn guards_do_what_was_computed_by_hand() {
    by_hand().assert_holds();
}

#[test]
fn hedged_requests_take_the_smaller_of_two_times() {
    hedging().assert_holds();
}
