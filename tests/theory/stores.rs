//! Stores and external services: throughput, caches, threads and quotas, against formulas and by hand.

use super::lab::{Lab, with};
use super::page::{Case, Group};
use super::traces::{Trace, ms};
use coldcurve::cost::Meter;
use coldcurve::stats::formulas::{Mmc, MmcK, erlang_b, token_bucket_refusals};
use std::sync::OnceLock;

/// Clients call a component themselves, for so many seconds after a warm-up.
fn lab(lambda: f64, seconds: f64, component: &str) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: {} s, window: 10000 h }}\n\
             clients: {{ web: {{ to: it, arrivals: {{ poisson: {lambda}/s }} }} }}\n{component}\n",
            seconds * 1.02,
            seconds * 0.02
        ),
        32,
    )
}

fn throughput() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, lambda, rate, burst, store) in [
        ("a partition", 9.0, 10.0, 10, "stores: { it: { partition_read: 10/s } }"),
        (
            "a partition",
            12.0,
            10.0,
            10,
            "stores: { it: { partition_read: 10/s } }",
        ),
        (
            "a table with a bank of 5 s",
            11.0,
            10.0,
            50,
            "stores: { it: { capacity: provisioned, read_capacity: 10/s, burst: 5 s } }",
        ),
        (
            "an external service",
            11.0,
            10.0,
            5,
            "externals: { it: { rate: 10/s, burst: 5 } }",
        ),
    ] {
        let lab = lab(lambda, 200_000.0 / lambda, store);
        cases.push(Case::mean(
            format!("{what}: λ = {lambda}, rate {rate}/s, burst {burst}"),
            "refused",
            "M/D/1/K, K = burst",
            token_bucket_refusals(lambda, rate, burst),
            &lab.each("it", "throttle_ratio"),
        ));
    }
    let lab = lab(
        8.0,
        6000.0,
        "externals: { it: { maximum_concurrency: 10, latency: { exponential: 1 s } } }",
    );
    let inputs = "an external service: a = 8, 10 calls at once";
    let blocked = erlang_b(8.0, 10);
    cases.push(Case::mean(
        inputs,
        "refused",
        "Erlang B",
        blocked,
        &lab.each("it", "throttle_ratio"),
    ));
    cases.push(Case::mean(
        inputs,
        "under way",
        "a (1 - B)",
        8.0 * (1.0 - blocked),
        &lab.each("it", "concurrency"),
    ));
    cases
}

fn caches() -> Vec<Case> {
    let mut cases = Vec::new();
    // An item is fetched, then kept for T: every fetch is followed by λT hits on average.
    let hit = |lambda: f64, ttl: f64| lambda * ttl / (1.0 + lambda * ttl);
    let one_key = lab(
        5.0,
        4000.0,
        "stores: { it: { ttl: 2 s, misses: behind, keys: { count: 1 } }, behind: {} }",
    );
    cases.push(Case::mean(
        "one key, λ = 5, kept for 2 s",
        "hit ratio",
        "λT / (1 + λT)",
        hit(5.0, 2.0),
        &one_key.each("it", "hit_ratio"),
    ));
    let many = lab(
        50.0,
        2000.0,
        "stores: { it: { ttl: 2 s, misses: behind, keys: { count: 100, zipf: 1 } }, behind: {} }",
    );
    let total: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
    let share = |rank: u32| 1.0 / f64::from(rank) / total;
    cases.push(Case::mean(
        "100 keys by Zipf's law, λ = 50, kept for 2 s",
        "hit ratio",
        "Σ p λpT / (1 + λpT)",
        (1..=100).map(|rank| share(rank) * hit(50.0 * share(rank), 2.0)).sum(),
        &many.each("it", "hit_ratio"),
    ));
    let mixture = lab(
        20.0,
        4000.0,
        "stores: { it: { hit: 80%, read_latency: 1 ms, misses: behind }, \
         behind: { read_latency: { exponential: 10 ms } } }",
    );
    cases.push(Case::mean(
        "80 % hits, 1 ms; behind it 10 ms",
        "mean latency, ms",
        "1 + 0.2 × 10",
        3.0,
        &with(&mixture.each("it", "latency"), &[1e-6; 32], |ns, scale| ns * scale),
    ));
    cases
}

fn threads() -> Vec<Case> {
    let mut cases = Vec::new();
    let open = lab(
        24.0,
        6000.0,
        "stores: { it: { threads: 3, read_work: { exponential: 100 ms } } }",
    );
    let law = Mmc::new(24.0, 10.0, 3);
    let inputs = "3 threads, λ = 24, exponential 100 ms";
    cases.push(Case::mean(
        inputs,
        "waiting",
        "M/M/c",
        law.mean_queue(),
        &open.each("it", "waiting"),
    ));
    cases.push(Case::mean(
        inputs,
        "latency, s",
        "M/M/c",
        law.mean_response(),
        &with(&open.each("it", "latency"), &[1e-9; 32], |ns, scale| ns * scale),
    ));
    cases.push(Case::mean(
        inputs,
        "utilisation",
        "a / c",
        0.8,
        &open.each("it", "utilisation"),
    ));
    let bounded = lab(
        30.0,
        6000.0,
        "stores: { it: { threads: 3, queue: 5, read_work: { exponential: 100 ms } } }",
    );
    let rejected = with(
        &bounded.each("it", "rejected"),
        &bounded.each("it", "operations"),
        |rejected, served| rejected / (rejected + served),
    );
    cases.push(Case::mean(
        "3 threads, 5 places to wait, λ = 30",
        "rejected",
        "M/M/c/K, K = 8",
        MmcK::new(30.0, 10.0, 3, 8).blocking(),
        &rejected,
    ));
    cases
}

/// Laws.
pub fn laws() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Stores and external services",
        about: "Partitions, tables with a bank of unused capacity and quotas of calls a second are token buckets; \
                calls at once are Erlang's loss system. A cache that keeps what it fetches for a time T has λT hits \
                after each fetch of a key (Jung, Berger and Balakrishnan 2003). Threads that serve in the order of \
                arrival are M/M/c, with a bounded queue M/M/c/K.",
        cases: [throughput(), caches(), threads()].concat(),
    })
}

fn bank() -> Vec<Case> {
    // Six units are banked; the seventh read finds none until half a second has passed, and 1 ns before that is too
    // early. A refusal takes no time.
    Trace::new(
        "2 read units a second, bank of 3 s; 7 reads at 0, one at 499,999,999 ns, two at 500 ms",
        &[0, 0, 0, 0, 0, 0, 0, 499_999_999, 500_000_000, 500_000_000],
        "to: table",
        "stores: { table: { capacity: provisioned, read_capacity: 2/s, burst: 3 s, read_latency: 1 ms } }",
    )
    .metric("table", "operations", 7.0)
    .metric("table", "throttled_table", 3.0)
    .metric("web", "throttled_429", 3.0)
    .meter("table", Meter::ReadCapacityMs, 200_000.0)
    .meter("table", Meter::ReadUnits, 0.0)
    .cases
}

fn units() -> Vec<Case> {
    // Reads: 5 KB strongly, twice: 2 x 2. Query of ten items of 1 KB eventually: 3 / 2. Write of 2.5 KB, three items in
    // a transaction: 3 x 3 x 2. Write of nothing: 1.
    let calls = [
        "call: { to: table, items: 2, item_size: 5 KB, consistency: strong }",
        "call: { to: table, operation: query, items: 10 }",
        "call: { to: table, operation: write, items: 3, item_size: 2560 B, consistency: transactional }",
        "send: { to: table, operation: write, item_size: 0 B }",
    ];
    Trace::new(
        "reads, a query and writes of one handler, each 1 ms or 2 ms",
        &[0],
        "to: f",
        &format!(
            "functions: {{ f: {{ handler: [ {} ] }} }}\nstores: {{ table: {{ read_unit: 4 KB, write_unit: 1 KB, \
             read_latency: 1 ms, write_latency: 2 ms }} }}",
            calls.join(", ")
        ),
    )
    .latencies(&ms(&[4]))
    .metric("table", "reads", 2.0)
    .metric("table", "writes", 2.0)
    .meter("table", Meter::ReadUnits, 6.0)
    .meter("table", Meter::WriteUnits, 19.0)
    .cases
}

fn ttl() -> Vec<Case> {
    // The first two both ask the table, since nothing is kept before 11 ms; what the second one brings at 16 ms is
    // kept until 1,016 ms.
    Trace::new(
        "kept for 1 s, hit 1 ms, miss 10 ms more; at 0, 5, 20, 1015, 1016 ms",
        &ms(&[0, 5, 20, 1015, 1016]),
        "to: cache",
        "stores: { cache: { ttl: 1 s, misses: table, read_latency: 1 ms, keys: { count: 1 } }, \
         table: { read_latency: 10 ms } }",
    )
    .latencies(&ms(&[11, 11, 1, 1, 11]))
    .metric("cache", "hit_ratio", 0.4)
    .metric("table", "reads", 3.0)
    .cases
}

fn queue() -> Vec<Case> {
    // Two threads, one place to wait: the third starts when the first is done, the fourth is rejected.
    Trace::new(
        "2 threads of 100 ms, one may wait, 1 ms beside; at 0, 10, 20, 30, 130 ms",
        &ms(&[0, 10, 20, 30, 130]),
        "to: search",
        "stores: { search: { threads: 2, queue: 1, read_work: 100 ms, read_latency: 1 ms } }",
    )
    .metric("search", "rejected", 1.0)
    .metric("search", "operations", 4.0)
    .level_ms("search", "waiting", 80.0)
    .metric("search", "latency", (101.0 + 101.0 + 181.0 + 101.0) / 4.0 * 1e6)
    .cases
}

fn connections() -> Vec<Case> {
    // Two instances, one connection: the second call finds none. The third call has the first one's instance.
    Trace::new(
        "one connection, 5 ms to set up; calls at 0, 1, 100 ms",
        &ms(&[0, 1, 100]),
        "to: f",
        "functions: { f: { handler: [ call: cache ] } }\n\
         stores: { cache: { maximum_connections: 1, connect_time: 5 ms, read_latency: 2 ms } }",
    )
    .metric("cache", "refused", 1.0)
    .metric("cache", "operations", 2.0)
    .metric("cache", "connections.peak", 1.0)
    .metric("web", "failed_500", 1.0)
    .cases
}

fn external() -> Vec<Case> {
    // 10 ms and 1 ms for each of five items; ten items a second, ten at once: the third call finds none.
    Trace::new(
        "an external service: 10 ms and 1 ms an item, 10 items a second; calls of 5 items at 0, 50, 100 ms",
        &ms(&[0, 50, 100]),
        "to: f",
        "functions: { f: { handler: [ call: { to: model, items: 5 } ] } }\n\
         externals: { model: { latency: 10 ms, latency_per_item: 1 ms, item_rate: 10/s, minimum_items: 7 } }",
    )
    .metric("model", "calls", 2.0)
    .metric("model", "throttled_rate", 1.0)
    .metric("model", "latency", 15e6)
    .meter("model", Meter::Items, 14.0)
    .meter("model", Meter::Requests, 2.0)
    .cases
}

fn capacity_moves() -> Vec<Case> {
    // One query of 10 s. Half a unit is half a core: after one second half a second is done. Then there is a core, and
    // the query needs no more; but the target is half of the cores, so capacity grows to two cores in two more seconds:
    // 0.5 units for 1 s, 1 for 1 s, 1.5 for 1 s, 2 until it has been below the target for two looks (11 s and 12 s),
    // and half a unit less every two seconds.
    Trace::new(
        "serverless, 1 core a unit, target 50 %, falls after 2 s; a query of 10 s at 0",
        &[0],
        "to: d, timeout: 1 h",
        "databases: { d: { query: 10 s, latency: 0 ms, connect_time: 0 ms, connect_cpu: 0 ms, contention: 0, \
         coherency: 0, serverless: { maximum: 4, cores_per_unit: 1, target: 50%, shrink_after: 2 s } } }",
    )
    .latencies(&ms(&[10_500]))
    .metric("d", "capacity.peak", 2.0)
    .meter(
        "d",
        Meter::AcuMs,
        (0.5 + 1.0 + 1.5 + 2.0 * 9.0 + 1.5 * 2.0 + 1.0 * 2.0 + 0.5 * 84.0) * 1e6,
    )
    .meter("d", Meter::DatabaseMs, 0.0)
    .cases
}

fn pause() -> Vec<Case> {
    // The instance of the first call is gone at 10.1 s. The database is looked at after 1 s, then every 15 s: 30 s have
    // passed at 46 s, and it pauses. The call at 80 s wakes it up and waits for 15 s.
    Trace::new(
        "serverless, pauses 30 s after the last connection, resumes in 15 s; calls at 0 and 80 s",
        &ms(&[0, 80_000]),
        "to: f, timeout: 1 h",
        "functions: { f: { idle_timeout: 10 s, timeout: 1 min, handler: [ call: d ] } }\n\
         databases: { d: { query: 100 ms, latency: 0 ms, connect_time: 0 ms, connect_cpu: 0 ms, \
         serverless: { minimum: 0, cores_per_unit: 2, pause_after: 30 s } } }",
    )
    .latencies(&ms(&[100, 15_100]))
    .metric("d", "resumes", 1.0)
    .meter("d", Meter::AcuMs, 0.5 * (46.0 + 20.0) * 1e6)
    .cases
}

/// Traces.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Stores, external services and serverless databases, by hand",
        about: "A few operations each, computed by hand to the nanosecond: the bank of unused capacity, units by size \
                and consistency, a cache whose item is fetched twice, a full queue, a lack of connections, a quota of \
                items; capacity that moves with the use of its cores, pauses and resumes.",
        cases: [
            bank(),
            units(),
            ttl(),
            queue(),
            connections(),
            external(),
            capacity_moves(),
            pause(),
        ]
        .concat(),
    })
}

#[test]
fn stores_and_externals_follow_their_laws() {
    laws().assert_holds();
}

#[test]
fn stores_and_externals_by_hand() {
    by_hand().assert_holds();
}
