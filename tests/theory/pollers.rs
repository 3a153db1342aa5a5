//! Queues and their pollers: a line with as many servers as batches may run.

use super::lab::{Lab, times};
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
            Case::mean(
                format!("λ = {lambda}, S = 1, c = {servers}"),
                "from sending to the end, s",
                "M/M/c",
                Mmc::new(lambda, 1.0, servers).mean_response(),
                &times(&lab.each("q", "latency"), 1e-9),
            )
        };
        Group {
            title: "A queue with a poller",
            about: "Messages one by one, so many batches at once: the queue and its function are M/M/c.",
            cases: [(8.0, 10, 6500), (1.5, 2, 12_500), (18.0, 20, 3500)].map(case).into(),
        }
    })
}

#[test]
fn a_poller_of_fixed_concurrency_is_so_many_servers() {
    lines().assert_holds();
}
