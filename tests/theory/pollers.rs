//! Queues and their pollers: a line with as many servers as batches may run, and messages that come back.

use super::lab::{Column, Lab, plan_with, times, with};
use super::page::{Case, Group};
use coldcurve::stats::formulas::Mmc;
use std::sync::OnceLock;

/// A poller of fixed concurrency.
pub fn lines() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let case = |(lambda, servers, length): (f64, u32, u32)| {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: {length} s, warmup: 500 s, window: 1000 h }}\n\
                     clients: {{ web: {{ to: q, arrivals: {{ poisson: {lambda}/s }} }} }}\n\
                     queues:\n  q:\n    to: f\n    visibility_timeout: 1 h\n    \
                     poller: {{ batch_size: 1, start: {servers}, ceiling: {servers} }}\n\
                     functions: {{ f: {{ handler: [ wait: {{ exponential: 1 s }} ] }} }}\n"
                ),
                32,
            );
            let (inputs, theory) = (format!("λ = {lambda}, S = 1, c = {servers}"), Mmc::new(lambda, 1.0, servers));
            let (waiting, latency) = (lab.shares_above("q", "wait", 0), times(&lab.each("q", "latency"), 1e-9));
            let response = theory.mean_response();
            [
                Case::mean(&inputs, "share that waits", "Erlang C", theory.p_wait(), &waiting),
                Case::mean(&inputs, "from sending to the end, s", "M/M/c", response, &latency),
            ]
        };
        let mut cases: Vec<Case> = [(8.0, 10, 6500), (1.5, 2, 12_500), (18.0, 20, 3500)]
            .into_iter()
            .flat_map(case)
            .collect();
        cases.extend(repeats());
        Group {
            title: "A queue with a poller",
            about: "Messages one by one, so many batches at once: the queue and its function are M/M/c. A message whose \
                    handling fails with probability f comes back alone if the function reports it, and is received \
                    1 / (1 - f) times; otherwise its whole batch comes back.",
            cases,
        }
    })
}

/// How often messages are received whose handling fails one time in five.
fn repeats() -> [Case; 2] {
    let received = |reports: bool, runs: u64| {
        let text = format!(
            "run: {{ length: 3000 s, warmup: 0 s, window: 1000 h }}\n\
             clients: {{ web: {{ to: q, arrivals: {{ times: {{ file: a, column: t, unit: s }} }} }} }}\n\
             queues:\n  q:\n    to: f\n    \
             poller: {{ batch_size: 10, start: 1000, partial_batch_response: {reports} }}\n\
             functions: {{ f: {{ failure: 20 %, handler: [ wait: 1 s ] }} }}\n"
        );
        let lab = Lab::of(plan_with(&text, &Column::of(vec![0; 10_000])), runs);
        with(&lab.each("q", "received"), &lab.each("q", "deleted"), |n, done| {
            n / done
        })
    };
    [
        Case::mean(
            "batches of 10, f = 0.2, failures reported",
            "received per message",
            "1 / (1 - f)",
            1.25,
            &received(true, 16),
        ),
        Case::at_least(
            "the same, not reported",
            "received per message",
            "threshold",
            5.0,
            received(false, 1)[0],
        ),
    ]
}

#[test]
fn a_poller_of_fixed_concurrency_is_so_many_servers() {
    lines().assert_holds();
}
