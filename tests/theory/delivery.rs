//! Queues and streams: deliveries that come again, shards as single servers, and a measured drain.

use super::lab::{Column, Lab, plan_with, with};
use super::page::{Case, Group};
use coldcurve::stats::formulas::{BulkQueue, Md1, mean_receives, token_bucket_refusals};
use std::sync::OnceLock;

/// A visibility timeout shorter than the work brings the message again while it is being handled.
pub fn visibility() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (work_s, timeout_s) in [(10.0, 30.0), (30.0, 30.0), (60.0, 30.0)] {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: 12000 s, warmup: 2000 s, window: 100000 s }}\n\
                     clients: {{ sender: {{ to: q, arrivals: {{ poisson: 1/s }} }} }}\n\
                     queues: {{ q: {{ to: f, visibility_timeout: {timeout_s} s, poller: {{ batch_size: 1, start: \
                     1000 }} }} }}\n\
                     functions:\n  f: {{ timeout: 3 h, handler: [ wait: {{ exponential: {work_s} s }}, effect: mail ] \
                     }}\n"
                ),
                32,
            );
            let inputs = format!("work `{{ exponential: {work_s} s }}`, timeout {timeout_s} s");
            let expected = mean_receives(|j| libm::exp(-f64::from(j) * timeout_s / work_s));
            let per_message = |name, metric| with(&lab.each(name, metric), &lab.each("q", "deleted"), |a, b| a / b);
            let source = "Σ Π P(S > jV)";
            cases.extend([
                Case::mean(
                    &inputs,
                    "handled in vain, per message",
                    source,
                    expected - 1.0,
                    &per_message("q", "duplicates_processed"),
                ),
                Case::mean(
                    &inputs,
                    "effects, per message",
                    source,
                    expected,
                    &per_message("f", "effects"),
                ),
            ]);
        }
        Group {
            title: "Visibility timeouts that are too short",
            about: "A message is received at 0, V, 2V, ... until the first of its handlings ends and deletes it. \
                    There are more than n receipts if the handlings that began V, 2V, ..., nV ago all still run, so \
                    the mean is 1 + P(S > V) + P(S > V) P(S > 2V) + ...; for exponential work of mean m it is the sum \
                    of exp(-V/m n (n + 1) / 2). Each receipt but one is handled in vain, and its effect happens \
                    again.",
            cases,
        }
    })
}

/// One shard read by a mapping is a single server, and its limit is a token bucket.
pub fn shards() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let lab = |rate: f64, shard: &str, batch: u32, handler: &str| {
            Lab::run(
                &format!(
                    "run: {{ length: {} s, warmup: 500 s, window: 100000 s }}\n\
                     clients: {{ producer: {{ to: s, arrivals: {{ poisson: {rate}/s }} }} }}\n\
                     streams: {{ s: {{ to: f, record_size: 1 B, read_bytes: 900 GB, {shard} mapping: {{ read: \
                     enhanced, batch_size: {batch} }} }} }}\n\
                     functions: {{ f: {{ timeout: 10 min, handler: [ {handler} ] }} }}\n",
                    500.0 + 40_000.0 / rate
                ),
                32,
            )
        };
        for rho in [0.5, 0.8] {
            let lab = lab(rho, "", 1, "wait: 1 s");
            cases.push(Case::mean(
                format!("batches of 1, λ = {rho}/s, 1 s each"),
                "latency, s",
                "M/D/1",
                Md1::new(rho, 1.0).mean_wait() + 1.0,
                &super::lab::times(&lab.each("s", "latency"), 1e-9),
            ));
        }
        for (rate, batch) in [(2.0, 10), (4.0, 5), (8.0, 10)] {
            let lab = lab(rate, "", batch, "batch: [ wait: 1 s ]");
            let queue = BulkQueue::new(rate, 1.0, batch as usize);
            let inputs = format!("batches up to {batch}, λ = {rate}/s, 1 s for all");
            cases.extend([
                Case::mean(
                    &inputs,
                    "latency, s",
                    "M/D(1,B)/1",
                    queue.mean_response(),
                    &super::lab::times(&lab.each("s", "latency"), 1e-9),
                ),
                Case::mean(
                    &inputs,
                    "records of a batch",
                    "M/D(1,B)/1",
                    queue.mean_batch(),
                    &with(&lab.each("s", "delivered"), &lab.each("s", "batches"), |a, b| a / b),
                ),
            ]);
        }
        for (rate, limit) in [(4.5, 5), (8.0, 5)] {
            let lab = lab(rate, &format!("write_records: {limit}/s,"), 100, "");
            cases.push(Case::mean(
                format!("λ = {rate}/s on a shard that takes {limit}/s"),
                "refused",
                "M/D/1/K, K = limit",
                token_bucket_refusals(rate, f64::from(limit), limit),
                &lab.each("s", "throttle_ratio"),
            ));
        }
        Group {
            title: "Shards",
            about: "A mapping has one batch of a shard under way, so a shard is a single server. With batches of one \
                    and constant work it is M/D/1; where the work is done once for a batch, it is the bulk queue \
                    M/D(1,B)/1, which takes whoever waits, up to B, when the server becomes free (Bailey 1954). A \
                    shard's write limit is a token bucket that holds a second's worth.",
            cases,
        }
    })
}

/// Minutes until 100,000 messages of so many seconds each are done, one for each invocation, and how many invocations
/// there were at once; concurrency begins at 5 and grows by `per_minute`.
fn drained(work_s: f64, per_minute: u32) -> (f64, f64) {
    let text = format!(
        "run: {{ length: 15 min, warmup: 0 s, window: 1 min }}\n\
         clients: {{ sender: {{ to: q, arrivals: {{ times: {{ file: t, column: t, unit: s }} }} }} }}\n\
         queues: {{ q: {{ to: f, visibility_timeout: 1 h, poller: {{ batch_size: 1, add_per_minute: {per_minute} }} \
         }} }}\n\
         functions: {{ f: {{ handler: [ wait: {work_s} s ] }} }}\n"
    );
    let lab = Lab::of(plan_with(&text, &Column::of(vec![0; 100_000])), 1);
    assert!(lab.one("q", "remaining") < 0.5, "all are done");
    let minutes = lab.histograms("q", "latency")[0].max() as f64 / 60e9;
    (minutes, lab.one("q", "concurrency.peak"))
}

/// 100,000 messages as they were drained in 2018, and as the rules of today drain them.
pub fn drain() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        // With c(t) = 5 + r t at once, each of w seconds, n messages take the root of (60 / w) (5 T + r T^2 / 2) = n.
        let root = |r: f64, w: f64| ((25.0 + 2.0 * r * 100_000.0 * w / 60.0).sqrt() - 5.0) / r;
        let off = |seen: f64, expected: f64| 100.0 * (seen / expected - 1.0).abs();
        let mut cases = Vec::new();
        for (work_s, per_minute, measured) in [(0.5, 60, Some(5.5)), (1.7, 60, Some(10.0)), (0.5, 300, None)] {
            let (minutes, at_once) = drained(work_s, per_minute);
            let inputs = format!("{work_s} s each, 5 + {per_minute} a minute");
            let law = root(f64::from(per_minute), work_s);
            cases.push(Case::shown(
                &inputs,
                "drained, min",
                "closed form",
                law,
                &[minutes, minutes],
            ));
            cases.push(Case::at_most(
                &inputs,
                "drained, off by %",
                "closed form",
                1.0,
                off(minutes, law),
            ));
            cases.push(Case::at_most(
                &inputs,
                "at once at the end, off by %",
                "5 + r T",
                1.0,
                off(at_once, 5.0 + f64::from(per_minute) * law),
            ));
            if let Some(measured) = measured {
                cases.push(Case::shown(
                    &inputs,
                    "drained, min",
                    "AWS, 2018",
                    measured,
                    &[minutes, minutes],
                ));
                cases.push(Case::at_most(
                    &inputs,
                    "drained, off by %",
                    "threshold",
                    8.0,
                    off(minutes, measured),
                ));
            }
            if work_s < 1.0 && measured.is_some() {
                cases.push(Case::shown(
                    &inputs,
                    "at once at the end",
                    "AWS, 2018",
                    335.0,
                    &[at_once, at_once],
                ));
                cases.push(Case::at_most(
                    &inputs,
                    "at once, off by %",
                    "threshold",
                    8.0,
                    off(at_once, 335.0),
                ));
            }
        }
        Group {
            title: "Measured: 100,000 messages drained by AWS Lambda, 2018",
            about: "100,000 messages in an SQS queue, one for each invocation, under the scaling of 2018: 5 at once, \
                    and 60 more each minute (M. Stephenson's experiment as told by M. Shilkov, November 2018): half a \
                    second of sleep each took 5.5 minutes and ended with some 335 instances, 1.7 s of work each took \
                    almost 10 minutes. The threshold is 8 %: the times are published to half a minute, which is 5 % \
                    and 3 % of them, the number of instances was read from a chart, and the poller of 2018 had a few \
                    percent of overhead between two messages that nobody measured. The model has no chance in it \
                    here. The closed form is (60 / w) (5 T + r T²/2) = 100,000; by the rules of today (300 more a \
                    minute) the same takes 2.3 minutes.",
            cases,
        }
    })
}

#[test]
fn short_visibility_timeouts_repeat_work_as_often_as_the_law_says() {
    visibility().assert_holds();
}

#[test]
fn a_shard_is_a_single_server_and_a_token_bucket() {
    shards().assert_holds();
}

#[test]
fn the_measured_drain_comes_out() {
    drain().assert_holds();
}
