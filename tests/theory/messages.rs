//! Queues by hand: a burst that is buffered and drained, messages that come back, batches, limits.

use super::page::{Case, Group};
use super::traces::{Trace, ms};
use coldcurve::cost::Meter;
use std::sync::OnceLock;

const S: u64 = 1_000_000_000;

/// A queue `q` in front of a function `f`, both with these fields; messages are sent at these instants.
fn trace(what: &'static str, sent_ns: &[u64], queue: &str, function: &str) -> Trace {
    let rest = format!(
        "queues:\n  q: {{ to: f, {queue} }}\n  dead: {{}}\n\
         functions: {{ f: {{ {function} }} }}\n"
    );
    Trace::over("length: 100 s, window: 1 s", what, sent_ns, "to: q", &rest)
}

/// Five batches of one message at once, and no more.
const FIVE: &str = "poller: { batch_size: 1, add_per_minute: 0 }";

fn bursts() -> Vec<Case> {
    // Five at a time, a second each: message k is done after ceil(k / 5) s, so the depth's integral is 5 x
    // (1 + ... + 80).
    let burst = trace(
        "400 messages at once, 5 at a time, work 1 s",
        &[0; 400],
        &format!("visibility_timeout: 600 s, {FIVE}"),
        "handler: [ wait: 1 s ]",
    )
    .metric("q", "deleted", 400.0)
    .longest("q", "wait", 79 * S)
    .longest("q", "latency", 80 * S)
    .longest("q", "age_oldest", 80 * S)
    .metric("q", "depth.peak", 400.0)
    .metric("q", "concurrency.peak", 5.0)
    .level_ms("q", "depth", 5.0 * 3240.0 * 1e3)
    .level_ms("q", "concurrency", 400.0 * 1e3)
    .level_ms("f", "instances.busy", 400.0 * 1e3);
    // Twenty of the hundred may be in flight, whatever the pollers could take.
    let held = trace(
        "100 messages at once, 20 in flight at most, 50 pollers, work 1 s",
        &[0; 100],
        "in_flight_limit: 20, poller: { batch_size: 1, start: 50 }",
        "handler: [ wait: 1 s ]",
    )
    .metric("q", "deleted", 100.0)
    .metric("q", "in_flight.peak", 20.0)
    .longest("q", "latency", 5 * S);
    [burst.cases, held.cases].concat()
}

fn repeats() -> Vec<Case> {
    // Received at 0 and, visible again, at 30 s; the first handling deletes it at 45 s all the same, and the
    // second one,
    // which ends at 75 s, was in vain.
    let standard = trace(
        "visibility timeout 30 s, work 45 s, one message",
        &[0],
        "visibility_timeout: 30 s, poller: { batch_size: 1 }",
        "memory: 1024 MB, handler: [ wait: 45 s ]",
    )
    .metric("q", "received", 2.0)
    .metric("q", "deleted", 1.0)
    .metric("q", "duplicates_processed", 1.0)
    .longest("q", "latency", 45 * S)
    .metric("f", "invocations", 2.0)
    .meter("f", Meter::ComputeMbMs, 2.0 * 45_000.0 * 1024.0);
    // A FIFO queue does not accept the late deletion: received at 0, 30, 60, 90 s; in vain at 45 and 75 s.
    let fifo = trace(
        "the same, FIFO",
        &[0],
        "fifo: true, visibility_timeout: 30 s, poller: { batch_size: 1 }",
        "handler: [ wait: 45 s ]",
    )
    .metric("q", "received", 4.0)
    .metric("q", "deleted", 0.0)
    .metric("q", "duplicates_processed", 2.0)
    .metric("q", "remaining", 1.0);
    // Received at 0, 30 and 60 s; the fourth try at 90 s finds three receives.
    let poison = trace(
        "a message that always fails, three receives, visibility timeout 30 s",
        &[0],
        "poison: 100 %, dead_letter: dead, maximum_receives: 3, visibility_timeout: 30 s, poller: { batch_size: 1 }",
        "handler: [ wait: 1 s ]",
    )
    .metric("q", "received", 3.0)
    .metric("q", "messages_failed", 3.0)
    .metric("q", "dead_lettered", 1.0)
    .longest("q", "age_oldest", 90 * S)
    .metric("dead", "remaining", 1.0)
    .level_ms("dead", "depth", 10.0 * 1e3)
    .metric("f", "failed", 3.0);
    [standard.cases, fifo.cases, poison.cases].concat()
}

fn batches() -> Vec<Case> {
    // The handler works on each message. Five are received one by one, the rest at 1 s in two calls of ten,
    // which end at
    // 11 s. Sends 25, receives 7, deletes 7; each poller is free from 1 or 11 s on and has four empty polls by 100 s.
    let burst = trace(
        "25 messages at once, batches of 10, 5 pollers, work 1 s for each",
        &[0; 25],
        "poller: { batch_size: 10, add_per_minute: 0 }",
        "handler: [ wait: 1 s ]",
    )
    .metric("q", "batches", 7.0)
    .metric("q", "deleted", 25.0)
    .longest("q", "latency", 11 * S)
    .level_ms("f", "instances.busy", 25.0 * 1e3)
    .meter("q", Meter::Requests, f64::from(25 + 7 + 7 + 20));
    // Two chunks of 64 KB each, and sixteen for ten messages; deletions carry no bodies.
    let large = trace(
        "the same, 100 KB each",
        &[0; 25],
        "message_size: 100 KB, poller: { batch_size: 10, add_per_minute: 0 }",
        "handler: [ wait: 1 s ]",
    )
    .meter("q", Meter::Requests, f64::from(2 * 25 + (5 * 2 + 2 * 16) + 7 + 20));
    // Full batches leave 2 s after their first message; the seventh has no company and leaves when its window ends.
    let window = trace(
        "a message a second, 7 in all, batches of 3, window 4 s",
        &ms(&[0, 1000, 2000, 3000, 4000, 5000, 6000]),
        "poller: { batch_size: 3, batch_window: 4 s }",
        "handler: []",
    )
    .metric("q", "batches", 3.0)
    .metric("q", "deleted", 7.0)
    .longest("q", "wait", 0)
    .longest("q", "latency", 4 * S)
    .metric("f", "invocations", 3.0);
    [burst.cases, large.cases, window.cases].concat()
}

/// All traces of messages.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Queues, computed by hand",
        about: "A burst that is buffered and drained, messages that become visible while they are being handled, batches \
                by size and by window, and the calls that are billed.",
        cases: [bursts(), repeats(), batches()].concat(),
    })
}

#[test]
fn messages_wait_and_come_back_as_computed_by_hand() {
    by_hand().assert_holds();
}
