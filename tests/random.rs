//! Random systems in which every mechanism occurs, as the text of scenarios: clients that are open, closed and
//! recorded, what they call, what that calls and sends to, guards, an account, and faults.

use proptest::prelude::*;
use proptest::sample::select;
use std::fmt::Write as _;

/// Length of a window in ms, of which a run has a whole number. Nothing that happens at regular times happens when a
/// run ends: that would be in no window.
pub const WINDOW_MS: u64 = 19_700;
/// Length of a run in ms.
pub const LENGTH_MS: u64 = 12 * WINDOW_MS;

/// Requests of the client whose arrivals are recorded, a second apart.
pub const RECORDED: u64 = 200;

/// One of a few texts.
fn pick(texts: &[&'static str]) -> impl Strategy<Value = &'static str> + use<> {
    select(texts.to_vec())
}

/// Some of a few fields, each with its comma.
fn fields(texts: &[&[&'static str]]) -> impl Strategy<Value = String> + use<> {
    let each: Vec<_> = texts.iter().map(|texts| pick(texts)).collect();
    each.prop_map(|fields| fields.concat())
}

/// What stands between a caller and whom it calls.
fn patience() -> impl Strategy<Value = String> {
    fields(&[
        &["", "timeout: 40 ms, ", "timeout: 400 ms, ", "timeout: 5 s, "],
        &[
            "",
            "retry: aws-sdk-standard, ",
            "retry: aws-sdk-adaptive, ",
            "retry: { attempts: 3, base: 20 ms, base_throttled: 200 ms, jitter: equal, budget: { capacity: 9 } }, ",
        ],
        &[
            "",
            "",
            "breaker: { minimum_calls: 3, open: 2 s }, ",
            "hedge: { after: 30 ms, copies: 2, share: 50% }, ",
            "breaker: { minimum_calls: 4, open: 1 s, scope: component }, hedge: { after: 100 ms }, ",
        ],
    ])
}

/// The same, but that nobody sends twice what is kept or begun once for each time.
fn patience_with(to: &str, patience: &str) -> String {
    let once = ["jobs", "log", "news", "saga", "write"]
        .iter()
        .any(|word| to.contains(word));
    match patience.split_once("hedge") {
        Some((before, _)) if once => before.to_owned(),
        _ => patience.to_owned(),
    }
}

/// Clients that are open, closed and recorded, each with one of several first stops.
fn clients() -> impl Strategy<Value = String> {
    let to = || {
        pick(&[
            "edge", "front", "web", "ships", "jobs", "log", "news", "saga", "cache", "table", "pool", "rows", "vendor",
            "elastic",
        ])
    };
    let load = pick(&[
        "poisson: 3/s",
        "constant: 2/s, batch: 2",
        "bursty: { on: 12/s, on_for: 10 s, off_for: 20 s }",
        "rates: [{ at: 0 s, rate: 1/s }, { at: 100 s, rate: 6/s, ramp: true }]",
        "poisson: 2/s, spikes: [{ at: 60 s, for: 5 s, rate: 60/s }]",
    ]);
    let kind = pick(&["", "criticality: sheddable, ", "criticality: critical, network: 3 ms, "]);
    (to(), load, patience(), kind, to(), to(), patience()).prop_map(
        |(to, load, patience, kind, second, third, more)| {
            let (patience, more) = (patience_with(to, &patience), patience_with(second, &more));
            format!(
                "clients:\n  crowd: {{ to: {to}, arrivals: {{ {load} }}, {patience}{kind} }}\n  \
             people: {{ to: {second}, users: {{ count: 5, think: {{ exponential: 4 s }} }}, {more}network: 8 ms }}\n  \
             past: {{ to: {third}, background: true, arrivals: {{ times: {{ file: rows.csv, column: t, unit: ms }} \
             }} }}\n"
            )
        },
    )
}

/// A handler that calls and sends to whatever there is behind it.
fn handler() -> impl Strategy<Value = String> {
    let called = pick(&[
        "back",
        "elastic",
        "pool",
        "rows",
        "vendor",
        "saga",
        "jobs",
        "log",
        "news",
        "lookup",
        "vendor, items: 3",
        "rows, query: { exponential: 8 ms }",
        "cache",
        "cache, operation: write",
        "table",
        "table, operation: write, items: 2, item_size: 3 KB",
        "table, operation: query, consistency: strong",
    ]);
    let call = (called, patience(), any::<bool>()).prop_map(|(to, patience, optional)| {
        let patience = patience_with(to, &patience);
        format!("call: {{ to: {to}, {patience}optional: {optional} }}")
    });
    let step = prop_oneof![
        4 => call,
        2 => pick(&[
            "cpu: { exponential: 15 ms }", "wait: { median: 20 ms, p99: 200 ms }", "wait: 5 ms", "fail: 10%",
            "send: work", "send: jobs", "send: log", "send: news", "send: saga", "effect: charge",
            "parallel: [[call: back], [cpu: 10 ms, call: table], [send: jobs, wait: 30 ms]]",
            "loop: { times: 3, steps: [call: table] }", "batch: [call: rows]",
            "cache: { hit: 60%, lookup: 1 ms, miss: [call: rows] }",
            "idempotent: { store: table, window: 30 s, steps: [wait: 10 ms, effect: charge] }",
        ]).prop_map(str::to_owned),
    ];
    prop::collection::vec(step, 1..5).prop_map(|steps| format!("[{}]", steps.join(", ")))
}

/// How instances of a function live.
fn life() -> impl Strategy<Value = String> {
    fields(&[
        &[
            "",
            "reserved_concurrency: 4, ",
            "maximum_instances: 5, ",
            "concurrency_per_instance: 3, ",
        ],
        &[
            "",
            "scaling: { burst: 3, refill: 1/s }, ",
            "provisioned_concurrency: { count: 2, tracking: { minimum: 1, maximum: 3 } }, provisioned_preparation: 9 \
             s, ",
            "requests_per_second_factor: 10, reserved_concurrency: 3, ",
        ],
        &[
            "",
            "recycle: [{ at: 50 s, every: 70 s, spread: 5 s, share: 50% }], ",
            "maximum_age: 60 s, ",
        ],
        &["", "failure: 10%, ", "heeds_deadlines: true, "],
        &[
            "idle_timeout: 10 s, ",
            "idle_timeout: { exponential: 60 s }, ",
            "initial_instances: 2, ",
        ],
        &[
            "",
            "init: { median: 300 ms, p99: 2 s }, placement: 50 ms, ",
            "init: 12 s, ",
        ],
        &["timeout: 15 s, ", "timeout: 90 ms, "],
        &[
            "instance_choice: most-recent, ",
            "instance_choice: oldest, ",
            "instance_choice: random, ",
        ],
    ])
    // One of them only.
    .prop_map(|life| match life.matches("reserved_concurrency").count() {
        2 => life.replacen("reserved_concurrency: 4, ", "", 1),
        _ => life,
    })
}

/// A function that scales as containers do: with requests that wait, a minimum, an autoscaler.
fn elastic() -> impl Strategy<Value = String> {
    fields(&[
        &["concurrency_per_instance: 4, ", "concurrency_per_instance: 1, "],
        &[
            "pending: { maximum_time: 2 s, maximum_requests: 9 }, ",
            "autoscaler: { panic_window: 6 s, concurrency: 2 }, pending: { starts: autoscaler }, ",
            "minimum_instances: 1, pending: {}, billing: instance, ",
        ],
        &["maximum_instances: 4, ", ""],
        &[
            "init: { exponential: 1 s }, startup_boost: 2, ",
            "prewarmed: 1, placement: 500 ms, ",
        ],
        &["idle_timeout: 20 s, ", "idle_timeout: { exponential: 40 s }, "],
    ])
}

/// How events reach a function.
fn events() -> impl Strategy<Value = String> {
    fields(&[
        &["retries: 0, ", "retries: 2, retry_wait: 5 s, "],
        &["", "maximum_age: 20 s, ", "throttle_wait_maximum: 10 s, "],
        &["", "duplicate_rate: 10%, poison: 5%, "],
        &["", "dead_letter: dead, ", "on_failure: dead, on_success: kept, "],
    ])
}

/// The same life, but for how it begins.
fn without_init(life: &str) -> String {
    let begins = ["init: 12 s, ", "init: { median: 300 ms, p99: 2 s }, placement: 50 ms, "];
    begins
        .iter()
        .fold(life.to_owned(), |life, begins| life.replace(begins, ""))
}

fn functions() -> impl Strategy<Value = String> {
    let work = pick(&[
        "[wait: 50 ms]",
        "[call: { to: vendor, optional: true }, effect: parcel]",
        "[idempotent: { store: table, window: 1 min, steps: [wait: 20 ms, effect: parcel] }, fail: 10%]",
        "[wait: 2 s, batch: [call: rows]]",
    ]);
    (handler(), life(), life(), elastic(), events(), work, life()).prop_map(
        |(handler, front, back, elastic, events, work, worker)| {
            format!(
                "functions:\n  front: {{ service: aws.lambda, runtime: python3.13, account: main, {front}handler: \
                 {handler} }}\n  \
                 back: {{ service: aws.lambda, account: main, init: 100 ms, {back_rest}handler: [cpu: {{ \
                 exponential: 20 ms }}, call: {{ to: rows, optional: true }}] }}\n  \
                 elastic: {{ service: google.cloud_run, cpu: 1, {elastic}handler: [cpu: 20 ms, wait: {{ exponential: \
                 300 ms }}] }}\n  \
                 work: {{ account: main, {worker}handler: {work}, asynchronous: {{ {events}}} }}\n",
                back_rest = without_init(&back)
            )
        },
    )
}

fn queues() -> impl Strategy<Value = String> {
    let jobs = fields(&[
        &[
            "visibility_timeout: 20 s, ",
            "visibility_timeout: 91 s, ",
            "visibility_timeout: 3 s, ",
        ],
        &[
            "",
            "dead_letter: dead, maximum_receives: 2, ",
            "dead_letter: dead, maximum_receives: 1, ",
        ],
        &[
            "",
            "retention: 60 s, ",
            "delay: 3 s, ",
            "poison: 5%, poison_until: 100 s, ",
        ],
        &[
            "",
            "in_flight_limit: 4, ",
            "send_quota: { rate: 2/s, burst: 5 }, ",
            "send_latency: 8 ms, receive_latency: 5 ms, ",
        ],
        &[
            "",
            "poller: { batch_size: 5, batch_window: 2 s }, ",
            "poller: { batch_size: 3, start: 1, ceiling: 2, partial_batch_response: true }, ",
        ],
    ]);
    (
        jobs,
        any::<bool>(),
        pick(&["", "redrive: { to: jobs, at: 100 s, rate: 5/s, mended: 50% }, "]),
    )
        .prop_map(|(jobs, fifo, redrive)| {
            // Not both copies and an order.
            let order = if fifo {
                "fifo: true, groups: 5, "
            } else {
                "duplicate_rate: 5%, "
            };
            let dead = if fifo { "fifo: true, groups: 5, " } else { "" };
            format!(
                "queues:\n  jobs: {{ service: aws.sqs.standard, to: work, {order}{jobs}}}\n  dead: {{ \
                 {dead}{redrive}}}\n  kept: {{}}\n"
            )
        })
}

fn streams() -> impl Strategy<Value = String> {
    let mapping = || {
        fields(&[
            &["batch_size: 10, ", "batch_size: 100, batch_window: 2 s, "],
            &[
                "",
                "parallelization_factor: 3, ",
                "starting_position: latest, starts_at: 30 s, ",
            ],
            &[
                "",
                "retry_attempts: 2, on_failure: kept, ",
                "maximum_record_age: 1 min, backoff: 2 s, ",
            ],
            &[
                "",
                "bisect_on_error: true, retry_attempts: 3, ",
                "partial_batch_response: true, ",
            ],
            &["read: shared, ", "read: enhanced, "],
        ])
        .prop_map(|fields| match fields.matches("retry_attempts").count() {
            2 => fields.replacen("retry_attempts: 3, ", "", 1),
            _ => fields,
        })
    };
    let log = fields(&[
        &[
            "shards: 2, ",
            "shards: 1, write_records: 2/s, ",
            "capacity: on_demand, shards: 2, ",
        ],
        &["", "keys: { count: 20, zipf: 1 }, ", "keys: { hot_share: 50% }, "],
        &[
            "",
            "poison: 2%, ",
            "retention: 90 s, put_latency: 5 ms, propagation: 50 ms, ",
        ],
    ]);
    (log, mapping(), mapping()).prop_map(|(log, first, second)| {
        format!(
            "streams:\n  log: {{ service: aws.kinesis, to: back, {log}mapping: {{ {first}}} }}\n  \
             tail: {{ of: log, to: work, mapping: {{ {second}}} }}\n"
        )
    })
}

fn senders() -> impl Strategy<Value = String> {
    let news = fields(&[
        &[
            "subscriptions: [work, jobs, { to: ships, share: 50%, attempts: 3, timeout: 1 s }], ",
            "subscriptions: [{ to: saga, dead_letter: kept, attempts: 2 }, { to: web, timeout: 500 ms, maximum_age: \
             20 s }], ",
            "attributes: { kind: { big: 1, small: 3 } }, subscriptions: [{ to: work, match: { kind: [big] } }], ",
        ],
        &[
            "",
            "publish_quota: { rate: 1/s, burst: 3 }, ",
            "delivery_quota: { rate: 1/s, burst: 3 }, ",
        ],
        &[
            "",
            "duplicate_rate: 10%, publish_latency: 9 ms, delivery_latency: 30 ms, ",
        ],
        &[
            "",
            "delivery: { attempts: 4, wait: 2 s, maximum_age: 30 s, jitter: equal }, ",
        ],
    ]);
    let often = fields(&[
        &[
            "to: work, ",
            "to: jobs, ",
            "to: news, ",
            "to: saga, ",
            "to: web, ",
            "to: ships, ",
        ],
        &[
            "rate: 30 s, ",
            "cron: \"* * * * *\", ",
            "at: [2026-01-05T00:01, 2026-01-05T00:02], ",
        ],
        &["", "jobs: 5, flexible_window: 10 s, "],
        &[
            "",
            "dead_letter: kept, delivery: { attempts: 2, wait: 1 s, timeout: 200 ms }, ",
        ],
    ]);
    (news, often).prop_map(|(news, often)| {
        format!("topics:\n  news: {{ service: aws.sns.standard, {news}}}\nschedules:\n  often: {{ {often}}}\n")
    })
}

fn workflows() -> impl Strategy<Value = String> {
    let middle = pick(&[
        "pass: true",
        "wait: { exponential: 2 s }",
        "map: { items: 4, concurrency: 2, states: { one: { task: back } } }",
        "map: { mode: distributed, items: 5, tolerated_failures: 50%, states: { one: { task: web, timeout: 300 ms } \
         } }",
        "parallel: [{ states: { p: { task: back } } }, { states: { q: { wait: 1 s, next: r }, r: { task: jobs } } }]",
    ]);
    let around = fields(&[
        &[
            "",
            "retry: [{ errors: [throttled], interval: 1 s }, { max_attempts: 2, jitter: full, interval: 1 s }], ",
        ],
        &["", "catch: [{ next: undo }], "],
    ]);
    let limits = fields(&[
        &[
            "",
            "maximum_open: 5, ",
            "start_rate: 1/s, start_burst: 2, ",
            "transition_rate: 4/s, transition_burst: 10, ",
        ],
        &["", "timeout: 4 s, ", "history_limit: 22, "],
        &[
            "",
            "answer: started, start_latency: 20 ms, ",
            "task_overhead: 15 ms, transition: 10 ms, ",
        ],
        &["", "metering: duration, "],
    ]);
    (middle, around, limits).prop_map(|(middle, around, limits)| {
        let calls = middle.starts_with("map") || middle.starts_with("parallel");
        let around_middle = if calls { around.as_str() } else { "" };
        format!(
            "workflows:\n  saga: {{ account: main, {limits}states: {{ book: {{ task: back, {around}next: sort }}, \
             sort: {{ choice: [{{ probability: 70%, next: middle }}, {{ next: undo }}] }}, middle: {{ {middle}, \
             {around_middle}next: done }}, undo: {{ task: ships, retry: [{{ interval: 1 s }}], next: sad }}, sad: \
             fail, done: succeed }} }}\n"
        )
    })
}

fn stores() -> impl Strategy<Value = String> {
    let table = fields(&[
        &[
            "service: aws.dynamodb.on_demand, ",
            "capacity: provisioned, read_unit: 4 KB, write_unit: 1 KB, read_capacity: 2/s, write_capacity: 1/s, \
             burst: 10 s, ",
            "capacity: provisioned, read_capacity: 3/s, autoscaling: { maximum_read: 50 }, ",
            "partitions: 2, partition_read: 1/s, adaptive: false, keys: { count: 100, zipf: 1 }, ",
        ],
        &["", "refusal: 503, ", "failure: 5%, "],
        &[
            "read_latency: { median: 4 ms, p99: 20 ms }, write_latency: 6 ms, ",
            "transfer_rate: 1 MB, ",
        ],
    ]);
    let cache = fields(&[
        &["hit: 80%, ", "ttl: 30 s, keys: { count: 50 }, "],
        &[
            "nodes: 2, threads: 1, queue: 3, ",
            "maximum_connections: 4, connect_time: 5 ms, ",
            "instance: cache.r6g.large, bandwidth: 1 MB, ",
        ],
        &["read_work: 3 ms, ", "spread: in-turn, write_work: 2 ms, "],
    ]);
    (table, cache)
        .prop_map(|(table, cache)| format!("stores:\n  table: {{ {table}}}\n  cache: {{ {cache}misses: table }}\n"))
}

fn databases() -> impl Strategy<Value = String> {
    let rows = fields(&[
        &[
            "cores: 1, maximum_connections: 6, ",
            "service: aws.aurora.serverless_v2, serverless: { minimum: 0, maximum: 2, pause_after: 30 s }, ",
            "cores: 2, accept_rate: 5/s, connection_linger: 10 s, ",
        ],
        &[
            "query: { exponential: 10 ms }, ",
            "query: 3 ms, statement_timeout: 50 ms, ",
        ],
        &["zones: 2, failover: 8 s, ", "connect_cpu: 20 ms, "],
    ]);
    let pool = fields(&[
        &["maximum_connections_percent: 50%, ", "pinning: 30%, "],
        &["borrow_timeout: 500 ms, ", "initial_connections: 1, "],
    ]);
    let vendor = fields(&[
        &[
            "latency: { median: 50 ms, p99: 1 s }, ",
            "latency: 20 ms, latency_per_item: 5 ms, latency_per_call_under_way: 10 ms, ",
        ],
        &[
            "",
            "rate: 2/s, burst: 3, ",
            "maximum_concurrency: 2, ",
            "item_rate: 3/s, ",
        ],
        &[
            "price: $0.001, price_per_item: $0.0001, ",
            "failure: 10%, status_on_failure: 503, ",
        ],
    ]);
    (rows, pool, vendor).prop_map(|(rows, pool, vendor)| {
        format!(
            "databases:\n  rows: {{ {rows}}}\nproxies:\n  pool: {{ to: rows, {pool}}}\nexternals:\n  vendor: {{ \
        {vendor}}}\n"
        )
    })
}

fn fleets() -> impl Strategy<Value = String> {
    let ships = fields(&[
        &[
            "count: 2, ",
            "scaling: { maximum: 4, requests_per_instance: 1/s }, alarm_periods: { out: 1 min, in: 1 min }, boot: 20 \
             s, launches: { burst: 1, refill: 1/min }, ",
            "count: 3, scaling: { maximum: 3, target: 50% }, alarm_periods: { in: 1 min }, ",
        ],
        &[
            "slots: 2, ",
            "slots: 1, queue: 3, ",
            "slots: 2, shedding: { waiting: 2, newest_first_after: 200 ms }, ",
            "",
        ],
        &[
            "dispatch: round-robin, ",
            "dispatch: least-outstanding, ",
            "dispatch: shared-queue, ",
            "dispatch: random, ",
        ],
        &["", "heeds_deadlines: true, ", "failure: 10%, "],
    ]);
    let gateways = fields(&[
        &["overhead: 3 ms, ", "overhead: { exponential: 2 ms }, timeout: 200 ms, "],
        &["", "throttle: { rate: 3/s, burst: 3 }, "],
        &["", "status_on_function_error: 500, response_size: 10 KB, "],
    ]);
    (ships, gateways).prop_map(|(ships, web)| {
        // One line for all needs a number of slots, and only lines are shed.
        let lacks = ships.contains("shared-queue") && !ships.contains("slots");
        let ships = if lacks { format!("{ships}slots: 3, ") } else { ships };
        format!(
            "fleets:\n  ships: {{ service: aws.ec2, instance: m7g.large, {ships}handler: [cpu: {{ exponential: 40 ms \
             }}, call: {{ to: rows, optional: true }}, wait: 100 ms] }}\n  \
             lookup: {{ vcpu: 0.5, memory: 1 GB, billing: task, handler: [cpu: 4 ms] }}\n\
             gateways:\n  edge: {{ to: web, balancer: true }}\n  web: {{ service: aws.api_gateway.http, account: \
             main, split: {{ back: 2, ships: 1 }}, {web}}}\n"
        )
    })
}

/// What breaks: of all kinds, once or again and again.
fn faults() -> impl Strategy<Value = String> {
    let what = pick(&[
        "on: [rows, vendor, ships, back, web, table], slow: 4",
        "on: [vendor, table, news, log, jobs, saga], fail: 30%, status: 503",
        "on: [cache, rows], down: true",
        "on: [ships, pool, elastic], unreachable: true",
        "on: [ships, back, rows], zones_lost: 1, detection: 10 s",
        "on: ships, zones_lost: 3, hang: true, replace: false",
        "on: [front, back], recycle: 60%, spread: 3 s",
        "on: main, neighbours: 35",
        "on: main, lower: { concurrency: 3 }",
        "on: news, lower: { rate: 6/min }",
        "on: vendor, lower: { rate: 6/min }",
    ]);
    let when = pick(&[
        "at: 40 s, for: 30 s",
        "at: 70 s, until: 90 s",
        "for: { exponential: 5 s }, again_after: { exponential: 30 s }",
        "at: 150 s",
    ]);
    prop::collection::vec((what, when), 0..5).prop_map(|faults| {
        let mut text = "faults:\n".to_owned();
        for (i, (what, when)) in faults.iter().enumerate() {
            // A deploy is over at once.
            let when = if what.contains("recycle") { "at: 40 s" } else { when };
            let _ = writeln!(text, "  fault_{i}: {{ {what}, {when} }}");
        }
        text
    })
}

/// A whole system; `warmup` in seconds.
pub fn system(warmup: u64) -> impl Strategy<Value = String> {
    let parts = (
        clients(),
        functions(),
        queues(),
        streams(),
        senders(),
        workflows(),
        stores(),
        databases(),
        fleets(),
        faults(),
    );
    parts.prop_map(move |parts| {
        let (a, b, c, d, e, f, g, h, i, j) = parts;
        // Only quotas that there are can be lowered.
        let mut text = format!(
            "run: {{ length: {LENGTH_MS} ms, warmup: {warmup} s, window: {WINDOW_MS} ms, replications: 2, seed: 7 }}\n\
             accounts:\n  main: {{ concurrency: 40, kept_unreserved: 5 }}\n{}",
            [a, b, c, d, e, f, g, h, i, j].concat()
        );
        for (here, needs, instead) in [
            (
                "on: news, lower: { rate: 6/min }",
                "publish_quota",
                "on: news, down: true",
            ),
            (
                "on: vendor, lower: { rate: 6/min }",
                " rate: 2/s, burst: 3",
                "on: vendor, down: true",
            ),
        ] {
            if !text.contains(needs) {
                text = text.replace(here, instead);
            }
        }
        text
    })
}
