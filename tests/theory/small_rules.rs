//! Small rules that no formula tells of: each trace is there because a change to one of them once went unnoticed.

use super::lab::{Column, Lab, plan_with};
use super::page::{Case, Group};
use super::traces::{Trace, ms};
use crate::support::Scratch;
use coldcurve::cost::Meter;
use coldcurve::model::request::entry::Cause;
use coldcurve::model::request::hits::Limit;
use coldcurve::run::summary::name;
use coldcurve::run::{Options, load};
use std::fmt::Write as _;
use std::sync::OnceLock;

/// What callers wait for between tries, and how long they wait for an answer to each.
fn retries() -> Vec<Case> {
    // Refused at 500 and 800 ms, served at 1,400 ms.
    let throttled = Trace::new(
        "one at once, work 1 s, retries 300 and 600 ms after throttles; at 0 and 500 ms",
        &ms(&[0, 500]),
        "to: f, retry: { attempts: 3, base: 5 ms, base_throttled: 300 ms, jitter: none }",
        "functions: { f: { reserved_concurrency: 1, handler: [ wait: 1 s ] } }",
    )
    .latencies(&ms(&[1000, 1900]))
    .caused("web", Cause::Throttled, 900_000_000)
    .caused("web", Cause::Backoff, 0);
    let failed = Trace::new(
        "work of 10 ms fails twice, retry after 5 ms, 300 ms after throttles",
        &[0],
        "to: f, retry: { attempts: 2, base: 5 ms, base_throttled: 300 ms, jitter: none }",
        "functions: { f: { failure: 100 %, handler: [ wait: 10 ms ] } }",
    )
    .latencies(&ms(&[25]))
    .caused("web", Cause::Backoff, 5_000_000)
    .caused("web", Cause::Throttled, 0);
    let call = Trace::new(
        "a call of 1 s is given up after 100 ms, and again 50 ms later",
        &[0],
        "to: outer",
        "functions:\n  outer: { handler: [ call: { to: inner, timeout: 100 ms, retry: { attempts: 2, base: 50 ms, \
         jitter: none } } ] }\n  inner: { handler: [ wait: 1 s ] }",
    )
    .latencies(&ms(&[250]))
    .metric("inner", "invocations", 2.0);
    [throttled.cases, failed.cases, call.cases].concat()
}

/// How instances start and go.
fn instances() -> Vec<Case> {
    // 100 ms placement, 10 s of an init of 15 s, which is then done again within the invocation, and billed there.
    let init = Trace::new(
        "init of 15 s under a limit of 10 s, placement 100 ms, work 10 ms",
        &[0],
        "to: f",
        "functions: { f: { memory: 1024 MB, placement: 100 ms, init: 15 s, handler: [ wait: 10 ms ] } }",
    )
    .latencies(&ms(&[100 + 10_000 + 15_000 + 10]))
    .limit((Limit::InitLimit, "f", "web", ""), 1, 0)
    .meter("f", Meter::InitMbMs, 10_000.0 * 1024.0)
    .meter("f", Meter::ComputeMbMs, 15_010.0 * 1024.0);
    // Replaced at 10, 30, 50 s: between two of these an instance lives on.
    let recycle = Trace::new(
        "all instances replaced at 10 s and every 20 s; placement 1 s, work 10 ms; at 0, 15, 25, 35, 45 s",
        &ms(&[0, 15_000, 25_000, 35_000, 45_000]),
        "to: f",
        "functions: { f: { placement: 1 s, recycle: [{ at: 10 s, every: 20 s }], handler: [ wait: 10 ms ] } }",
    )
    .latencies(&ms(&[1010, 1010, 10, 1010, 10]))
    .metric("f", "cold_starts", 3.0);
    // The minute until 60 s is seen at 120 s: the oldest instance goes, and the session that it held.
    let drained = Trace::over(
        "length: 200 s, window: 1 ms",
        "a fleet of two with a database session each, one of which goes at 120 s; run of 200 s",
        &[0, 0],
        "to: w",
        "fleets: { w: { vcpu: 1, memory: 1 GB, count: 2, scaling: { maximum: 2 }, alarm_periods: { in: 1 min }, \
         handler: [ call: d ] } }\n\
         databases: { d: { cores: 2, query: 1 ms, latency: 0 ms, connect_time: 0 ms, connect_cpu: 0 ms, contention: 0, \
         coherency: 0 } }",
    )
    .level_ms("w", "instances", 120_000.0 + 200_000.0)
    .level_ms("d", "connections", 120_000.0 + 200_000.0);
    // One of two is gone with its zone at 115 s. That is the oldest, which nobody wants from 120 s on.
    let dark = Trace::over(
        "length: 200 s, window: 1 ms",
        "a fleet of two, one goes dark at 115 s; the fleet shrinks at 120 s, its balancer notices at 125 s; run of \
         200 s",
        &[0],
        "to: w",
        "fleets: { w: { vcpu: 1, memory: 1 GB, zones: 2, count: 2, scaling: { maximum: 2 }, alarm_periods: { in: 1 \
         min } } }\n\
         faults: { az: { on: w, zones_lost: 1, at: 115 s, detection: 10 s } }",
    )
    .level_ms("w", "instances", 120_000.0 + 200_000.0)
    .level_ms("w", "instances.running", 115_000.0 + 200_000.0);
    [init.cases, recycle.cases, drained.cases, dark.cases].concat()
}

/// What queues count, keep and forget.
fn queues() -> Vec<Case> {
    let dead = Trace::new(
        "a message that always fails: 2 receives, then 3 from the dead letters, then further",
        &[0],
        "to: q",
        "functions: { f: { timeout: 1 s, handler: [ wait: 10 ms ] } }\n\
         queues:\n  q: { to: f, poison: 100 %, visibility_timeout: 6 s, maximum_receives: 2, dead_letter: d }\n  \
         d: { to: f, visibility_timeout: 6 s, maximum_receives: 3, dead_letter: e }\n  e: {}",
    )
    .metric("q", "received", 2.0)
    .metric("d", "received", 3.0)
    .metric("e", "remaining", 1.0);
    // The first message goes alone; five at a time are in flight after it, though a batch holds ten.
    let filling = Trace::new(
        "20 messages of 1 s each, batches of 10, one at once, 5 in flight at most",
        &[0; 20],
        "to: q",
        "functions: { f: { timeout: 5 min, handler: [ wait: 1 s ] } }\n\
         queues: { q: { to: f, visibility_timeout: 1 h, in_flight_limit: 5, poller: { batch_size: 10, start: 1, \
         ceiling: 1 } } }",
    )
    .metric("q", "in_flight.peak", 5.0)
    .metric("q", "batches", 5.0)
    .longest("q", "latency", 20_000_000_000);
    // The function is taken until 24 s by others, whose work of 8 s follows upon one another. The message of 1 s is
    // received then and at 13 and 25 s, when it becomes visible again; the last time it is handled at once.
    let text = "run: { length: 100 s, window: 1 s, warmup: 0 s }\n\
         clients:\n  web: { to: f, arrivals: { times: { file: t, column: t, unit: s, until: 100 s } } }\n  \
         sender: { to: q, arrivals: { times: { file: t, column: t, unit: s, from: 101 s, zero: 100 s } } }\n\
         functions: { f: { timeout: 9 s, reserved_concurrency: 1, handler: [ wait: 8 s ] } }\n\
         queues: { q: { to: f, visibility_timeout: 12 s } }";
    let lab = Lab::of(plan_with(text, &Column::of([0, 8, 16, 101])), 1);
    let throttled = |metric: &str, expected| {
        let what = "a batch throttled until 24 s, received at 1 s, visible again every 12 s";
        Case::exact(
            what,
            &metric.replace('_', " "),
            "by hand",
            expected,
            lab.one("q", metric),
        )
    };
    let throttled = [
        throttled("received", 3.0),
        throttled("batches_abandoned", 2.0),
        throttled("deleted", 1.0),
    ];
    // Five pollers poll five times each in 100 s: one of them from 10 s on, so that its polls end at 30 s and so on.
    let text = "run: { length: 200 s, window: 10 s, warmup: 100 s }\n\
         clients: { web: { to: q, arrivals: { times: { file: t, column: t, unit: s, zero: 0 s } } } }\n\
         functions: { f: { timeout: 1 s, handler: [ wait: 10 ms ] } }\nqueues: { q: { to: f } }";
    let lab = Lab::of(plan_with(text, &Column::of([10])), 1);
    let polls = Case::exact(
        "an idle queue with 5 pollers of 20 s, one message at 10 s; measured from 100 to 200 s",
        "`q` requests billed",
        "by hand",
        25.0,
        lab.metered("q", Meter::Requests)[0],
    );
    [dead.cases, filling.cases, throttled.to_vec(), vec![polls]].concat()
}

/// What gateways say and send.
fn gateways() -> Vec<Case> {
    // The second request waits for the instance until its caller's time is up: the instance drops it at that instant,
    // and the gateway says what it says of all failures.
    let dropped = Trace::new(
        "a fleet that heeds deadlines drops what waited 1 s for its only slot; time-out 1 s, work 1 s, two at 0",
        &[0, 0],
        "to: g, timeout: 1 s",
        "gateways: { g: { to: w } }\n\
         fleets: { w: { vcpu: 1, memory: 1 GB, slots: 1, heeds_deadlines: true, handler: [ wait: 1 s ] } }",
    )
    .metric("w", "dropped_expired", 1.0)
    .metric("web", "bad_gateway_502", 1.0)
    .metric("web", "timed_out", 0.0);
    // What a gateway behind it says of a time-out is passed on as it is.
    let nested = Trace::new(
        "a gateway's 504 behind another one, which says 503 of failures and 500 of its own time-outs",
        &[0],
        "to: outer",
        "gateways:\n  outer: { to: inner, timeout: 5 s, status_on_function_error: 503, status_on_timeout: 500 }\n  \
         inner: { to: f, timeout: 1 s }\nfunctions: { f: { handler: [ wait: 3 s ] } }",
    )
    .latencies(&ms(&[1000]))
    .metric("web", "gateway_timeout_504", 1.0);
    let bytes = Trace::new(
        "answers of 1,000 B, one a second at most; 3 at 0",
        &[0, 0, 0],
        "to: g",
        "gateways: { g: { to: f, response_size: 1000 B, throttle: { rate: 1/s, burst: 1 } } }\nfunctions: { f: {} }",
    )
    .metric("g", "throttled", 2.0)
    .meter("g", Meter::BytesOut, 1000.0);
    [dropped.cases, nested.cases, bytes.cases].concat()
}

/// Faults that overlap, and what they slow down.
fn faults() -> Vec<Case> {
    let connections = Trace::new(
        "new connections of 100 ms for queries of 1 ms, 4 times slower from 500 ms on; instances idle for 200 ms; at \
         0 and 1 s",
        &ms(&[0, 1000]),
        "to: f",
        "functions: { f: { idle_timeout: 200 ms, handler: [ call: d ] } }\n\
         databases: { d: { cores: 1, query: 1 ms, latency: 0 ms, connect_time: 100 ms, connect_cpu: 0 ms } }\n\
         faults: { lag: { on: d, slow: 4, at: 500 ms } }",
    )
    .latencies(&ms(&[101, 404]));
    let function = "functions: { f: { handler: [ wait: 10 ms ] } }";
    // Requests reach it again when the second fault ends, and have hung once each; `late` is blamed, as the first one.
    let silent = Trace::new(
        "unreachable from 1 to 3 s and from 2 to 4 s; work of 10 ms, at 0, 2500 and 3500 ms",
        &ms(&[0, 2500, 3500]),
        "to: f",
        &format!(
            "{function}\nfaults: {{ late: {{ on: f, unreachable: true, at: 2 s, until: 4 s }}, early: {{ on: f, \
             unreachable: true, at: 1 s, until: 3 s }} }}"
        ),
    )
    .longest("web", "latency", 1_510_000_000)
    .caused("web", Cause::Network, 2_000_000_000)
    .fault("late hung", 2.0, |fault| fault.hung);
    let down = Trace::new(
        "down from 1 to 3 s and from 2 to 4 s; work of 10 ms, at 0, 1500, 2500, 3500, 4500 ms",
        &ms(&[0, 1500, 2500, 3500, 4500]),
        "to: f",
        &format!(
            "{function}\nfaults: {{ a: {{ on: f, down: true, at: 1 s, until: 3 s }}, b: {{ on: f, down: true, at: 2 s, \
             until: 4 s }} }}"
        ),
    )
    .metric("web", "unavailable_503", 3.0);
    // What is lost with its zone is let go when that is back, whatever else ends before.
    let lost = Trace::new(
        "a zone of a fleet is lost from 1 to 5 s and hangs, a function is down from 2 to 3 s; work 2 s, at 0",
        &[0],
        "to: w",
        &format!(
            "{function}\nfleets: {{ w: {{ vcpu: 1, memory: 1 GB, zones: 1, handler: [ wait: 2 s ] }} }}\n\
             faults: {{ az: {{ on: w, zones_lost: 1, hang: true, at: 1 s, until: 5 s }}, other: {{ on: f, down: true, \
             at: 2 s, until: 3 s }} }}"
        ),
    )
    .latencies(&ms(&[5000]))
    .metric("web", "unavailable_503", 1.0);
    [connections.cases, silent.cases, down.cases, lost.cases].concat()
}

/// Where the items of a map and the bytes of an item count.
fn items() -> Vec<Case> {
    // An execution makes 2 events, a map 4, a pass 2; an item makes 4 with its pass, in a history of its own if the
    // map is distributed.
    let map = |what, mode: &str, limit: u32, exceeded: f64| {
        Trace::new(
            what,
            &[0],
            "to: s",
            &format!(
                "workflows: {{ s: {{ history_limit: {limit}, states: {{ a: {{ map: {{ {mode}items: 5, states: {{ b: {{ \
                 pass: true }} }} }}, next: c }}, c: {{ pass: true }} }} }} }}"
            ),
        )
        .metric("s", "history_exceeded", exceeded)
        .metric("s", "state.c.visits", 1.0)
        .cases
    };
    let distributed = map(
        "a distributed map of 5 items, then a pass, under a limit of 10 events",
        "mode: distributed, ",
        10,
        0.0,
    );
    let inline = map("the same inline, under 28 events", "", 28, 0.0);
    let too_many = map("the same under 27 events", "", 27, 1.0);
    let bytes = Trace::new(
        "items of 1 MB at 10 MB/s, 5 ms to begin with",
        &[0],
        "to: s",
        "stores: { s: { item_size: 1 MB, transfer_rate: 10 MB, read_latency: 5 ms } }",
    )
    .latencies(&ms(&[105]));
    [distributed, inline, too_many, bytes.cases].concat()
}

/// All of them.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Small rules, by hand",
        about: "Rules that no formula tells of: what counts where, what ends with what, what is told to whom.",
        cases: [retries(), instances(), queues(), gateways(), faults(), items()].concat(),
    })
}

#[test]
fn small_rules_hold() {
    by_hand().assert_holds();
}

#[test]
fn causes_are_those_of_the_slowest_hundredth_that_somebody_waits_for() {
    // 196 take 10 ms, two 100 ms (the 99th percentile), two 1 s; others, for which nobody waits, compute for 3 s each.
    let mut rows = "t,d\n".to_owned();
    for i in 0..200 {
        let takes = match i {
            50 | 150 => 100,
            100 | 199 => 1000,
            _ => 10,
        };
        let _ = writeln!(rows, "{},{takes}", 100 * i);
    }
    let scratch = Scratch::new("small-rules");
    scratch.write("rows.csv", &rows);
    let text = "run: { length: 100 s, warmup: 0 s, replications: 1 }\n\
         clients:\n  web: { to: f, arrivals: { times: { file: rows.csv, column: t, unit: ms, duration: d, \
         duration_unit: ms } } }\n  night: { to: long, background: true, arrivals: { constant: 5/s } }\n\
         functions:\n  f: { handler: [ wait: recorded ] }\n  long: { cpu: 1, handler: [ cpu: 3 s ] }\n";
    let loaded = load(
        &scratch.path().join(scratch.write("causes.yaml", text)),
        &Options::default(),
    );
    let complaints = loaded.diagnostics.render(&loaded.sources, false);
    let study = loaded.study.unwrap_or_else(|| panic!("{complaints}"));
    let summary = study.run(&|| ()).expect("runs that end");
    let of = |name: &str| -> Vec<(String, u64)> {
        let breakdown = summary.cells[0].causes.iter().find(|causes| causes.name == name);
        let causes = &breakdown.expect("two breakdowns").causes;
        causes
            .iter()
            .map(|c| (c.cause.clone(), (c.mean_s * 1e9).round() as u64))
            .collect()
    };
    let waiting = |ns| vec![("waiting".to_owned(), ns)];
    assert_eq!(
        of(name::CAUSES_ALL),
        waiting((196 * 10 + 2 * 100 + 2 * 1000) * 1_000_000 / 200)
    );
    assert_eq!(of(name::CAUSES_SLOWEST), waiting(550_000_000));
}
