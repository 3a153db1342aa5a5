//! Streams in small worlds: traces by hand, order, and that nothing gets lost.

use super::plan::{Capacity, KeysPlan, MappingPlan, StreamPlan};
use crate::kernel::{Duration, Sampler};
use crate::model::Plan;
use crate::model::world::build::build;
use crate::model::world::run::{RunResult, World};
use crate::scenario::{Catalog, Diagnostics, Files, Sources, parse};
use crate::stats::Value;

const S: u64 = 1_000_000_000;
/// Records whose transfer takes no time.
const SMALL: &str = "record_size: 1 B, read_bytes: 900 GB,";

/// A stream of one shard without limits.
pub(crate) fn stream(mapping: Option<MappingPlan>) -> StreamPlan {
    StreamPlan {
        payload_limit: None,
        component: 0,
        name: "stream".to_owned(),
        of: None,
        capacity: Capacity::Provisioned,
        shards: 1,
        keys: KeysPlan::new(100, 0.0, 0.0),
        record_bytes: 1024,
        write_records: None,
        write_bytes: None,
        read_bytes: 2 << 20,
        reads_per_second: 5.0,
        retention: Duration::from_secs(86_400),
        put_latency: Sampler::Constant(0.0),
        propagation: Duration::ZERO,
        poison: 0.0,
        mapping,
    }
}

/// The instants of arrivals, as a file.
struct Column(String);

impl Files for Column {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

fn plan(at_ms: &[u64], length_s: u64, rest: &str) -> Plan {
    let text = format!(
        "run: {{ length: {length_s} s, warmup: 0 s, window: 10 s }}\n\
         clients: {{ producer: {{ to: records, arrivals: {{ times: {{ file: t, column: t, unit: ms }} }} }} }}\n\
         queues: {{ failed: {{}} }}\n{rest}"
    );
    let lines: Vec<String> = at_ms.iter().map(u64::to_string).collect();
    of(&text, &Column(format!("t\n{}\n", lines.join("\n"))))
}

fn of(text: &str, files: &dyn Files) -> Plan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("memory.yaml", text);
    let root = parse(&sources, file, &diagnostics).unwrap();
    let built = build(&root, &Catalog::default(), &diagnostics, files);
    built
        .unwrap_or_else(|| panic!("{}\n{text}", diagnostics.render(&sources, false)))
        .0
}

/// Records at these moments, a stream with these fields, a mapping with these, and a function of a second for each
/// record.
fn run(at_ms: &[u64], length_s: u64, fields: &str, mapping: &str) -> RunResult {
    let rest = format!(
        "streams: {{ records: {{ to: work, {fields} mapping: {{ read: enhanced, {mapping} }} }} }}\n\
         functions: {{ work: {{ timeout: 10 min, handler: [ wait: 1 s ] }} }}"
    );
    World::new(&plan(at_ms, length_s, &rest), 0).run()
}

fn value<'a>(result: &'a RunResult, component: u32, metric: &str) -> &'a Value {
    let mine = |o: &&crate::stats::Observation| o.component == component && o.metric == metric;
    let found = result.observations.iter().find(mine);
    &found.unwrap_or_else(|| panic!("no metric {metric}")).value
}

/// Components in the order of their kinds: producer, work, failed, records.
const RECORDS: u32 = 3;
const FAILED: u32 = 2;

fn count(result: &RunResult, metric: &str) -> u64 {
    count_of(result, RECORDS, metric)
}

fn count_of(result: &RunResult, component: u32, metric: &str) -> u64 {
    match value(result, component, metric) {
        Value::Count(n) | Value::Peak(n) => *n,
        other => panic!("{metric} is {other:?}"),
    }
}

fn longest(result: &RunResult, metric: &str) -> u64 {
    match value(result, RECORDS, metric) {
        Value::Latency(histogram) => histogram.max(),
        other => panic!("{metric} is {other:?}"),
    }
}

/// What came in is somewhere.
fn conserved(result: &RunResult, component: u32) {
    let n = |metric| count_of(result, component, metric);
    assert_eq!(
        n("records"),
        n("processed") + n("discarded") + n("expired") + n("skipped") + n("remaining"),
        "component {component}"
    );
}

#[test]
fn records_of_a_shard_are_handled_in_order_one_batch_at_a_time() {
    // The first is read alone and done at 1 s; the next two are a batch from 1 s to 3 s, the fourth from 3 s to 4 s.
    let result = run(&[0, 0, 0, 0], 10, "", "batch_size: 2,");
    assert_eq!((count(&result, "batches"), count(&result, "processed")), (3, 4));
    assert_eq!(longest(&result, "latency"), 4 * S);
    assert_eq!(longest(&result, "iterator_age"), 3 * S);
    let Value::TimeMean { area, .. } = value(&result, RECORDS, "depth") else {
        panic!("depth is a level")
    };
    assert_eq!(*area, u128::from((1 + 3 + 3 + 4) * S));
    assert_eq!(count(&result, "concurrency.peak"), 1);
}

#[test]
fn a_window_fills_a_batch() {
    // Four at once fill a batch of four; the fifth waits for its window.
    let result = run(&[0, 0, 0, 0, 0], 20, SMALL, "batch_size: 4, batch_window: 6 s,");
    assert_eq!(count(&result, "batches"), 2);
    // Done at 4 s, when the fifth's window opens: it is handed over at 10 s.
    assert_eq!(
        (longest(&result, "iterator_age"), longest(&result, "latency")),
        (10 * S, 11 * S)
    );
}

#[test]
fn failed_records_hold_up_the_shard_until_they_are_given_up() {
    // Each fails at its first try and at its only retry, a second later: the first from 0 to 1 s and 2 to 3 s, the
    // second from 3 to 4 s and 5 to 6 s.
    let result = run(
        &[0, 0],
        20,
        "poison: 100%,",
        "batch_size: 1, retry_attempts: 1, on_failure: failed,",
    );
    assert_eq!((count(&result, "discarded"), count(&result, "processed")), (2, 0));
    assert_eq!((count(&result, "delivered"), count(&result, "redelivered")), (4, 2));
    assert_eq!(
        (longest(&result, "iterator_age"), longest(&result, "age_oldest")),
        (5 * S, 6 * S)
    );
    assert_eq!(count_of(&result, FAILED, "sent"), 2);
    let Value::TimeMean { area, .. } = value(&result, RECORDS, "blocked") else {
        panic!("blocked is a level")
    };
    assert_eq!(*area, u128::from(4 * S), "from 1 to 3 s and from 4 to 6 s");
    conserved(&result, RECORDS);
}

#[test]
fn a_failed_batch_is_split_until_its_records_are_alone() {
    // Four from 0 to 4 s, two to 6 s, one to 7 s and one to 8 s; two to 10 s, one to 11 s and one to 12 s.
    let result = run(
        &[0, 0, 0, 0],
        20,
        &format!("poison: 100%, {SMALL}"),
        "batch_size: 4, batch_window: 1 s, bisect_on_error: true, retry_attempts: 0, on_failure: failed,",
    );
    assert_eq!((count(&result, "batches"), count(&result, "bisections")), (7, 3));
    assert_eq!((count(&result, "delivered"), count(&result, "redelivered")), (12, 8));
    assert_eq!((count(&result, "discarded"), count_of(&result, FAILED, "sent")), (4, 4));
    assert_eq!(longest(&result, "age_oldest"), 12 * S);
    // Without the split the batch is given up as one.
    let whole = "batch_size: 4, batch_window: 1 s, retry_attempts: 0, on_failure: failed,";
    let result = run(&[0, 0, 0, 0], 20, "poison: 100%,", whole);
    assert_eq!((count(&result, "discarded"), count_of(&result, FAILED, "sent")), (4, 1));
}

#[test]
fn without_a_limit_on_tries_records_go_when_they_are_too_old() {
    // Tries from 0, 2, 5, 10, 19, 36 and 69 s on: waits of 1, 2, 4, 8, 16 and 32 s, and a second of work each. The next
    // would be at 70 + 60 s.
    let old = |fields, mapping| run(&[0], 200, fields, mapping);
    let result = old("poison: 100%,", "maximum_record_age: 2 min,");
    assert_eq!((count(&result, "delivered"), count(&result, "discarded")), (7, 1));
    assert_eq!(longest(&result, "age_oldest"), 130 * S);
    let result = old("poison: 100%, retention: 60 s,", "");
    assert_eq!((count(&result, "delivered"), count(&result, "expired")), (6, 1));
    assert_eq!(longest(&result, "age_oldest"), 69 * S);
}

#[test]
fn a_partial_response_keeps_what_was_done_before_the_failure() {
    // Whether a record fails is its own affair, so as many are poison in both; in one batch what stands before the
    // first of them is not done again.
    let at: Vec<u64> = vec![0; 50];
    let run = |more: &str| {
        let mapping = format!("batch_size: 50, batch_window: 5 s, retry_attempts: 0, bisect_on_error: true,{more}");
        run(&at, 600, "poison: 10%,", &mapping)
    };
    let (whole, partial) = (run(""), run(" partial_batch_response: true,"));
    assert!(count(&whole, "discarded") > 0);
    assert_eq!(count(&whole, "discarded"), count(&partial, "discarded"));
    assert_eq!(count(&whole, "processed"), count(&partial, "processed"));
    assert!(count(&partial, "redelivered") < count(&whole, "redelivered"));
    conserved(&partial, RECORDS);
}

#[test]
fn parallel_batches_help_many_keys_and_not_one() {
    let twenty = vec![0; 20];
    let lasts = |keys: &str, factor: u32| {
        let mapping = format!("batch_size: 1, parallelization_factor: {factor},");
        let result = run(&twenty, 30, &format!("keys: {{ {keys} }},"), &mapping);
        assert_eq!(count(&result, "processed"), 20);
        longest(&result, "latency")
    };
    assert_eq!(lasts("count: 1000", 1), 20 * S);
    assert_eq!(lasts("hot_share: 100%", 10), 20 * S);
    let most = lasts("count: 1000", 10);
    assert!((2 * S..8 * S).contains(&most), "the fullest of ten lanes: {most}");
}

#[test]
fn a_shard_refuses_what_is_beyond_its_limits_and_more_shards_do_not_help_one_key() {
    let accepted = |fields: &str| {
        let result = run(&[0; 25], 10, fields, "");
        assert_eq!(count(&result, "throttled"), 25 - count(&result, "records"));
        count(&result, "records")
    };
    assert_eq!(accepted("write_records: 10/s,"), 10);
    assert_eq!(
        accepted("write_records: 10/s, shards: 8, keys: { hot_share: 100% },"),
        10
    );
    let spread = accepted("write_records: 10/s, shards: 8,");
    assert_eq!(spread, 25, "about three for each");
    assert_eq!(accepted("write_bytes: 5 KB,"), 5);
}

#[test]
fn a_mapping_begins_where_it_is_told() {
    let began = |position: &str| {
        run(
            &[0, 10_000],
            20,
            "",
            &format!("starts_at: 5 s, starting_position: {position},"),
        )
    };
    let result = began("latest");
    assert_eq!((count(&result, "skipped"), count(&result, "processed")), (1, 1));
    assert_eq!(longest(&result, "latency"), S);
    let result = began("trim_horizon");
    assert_eq!((count(&result, "skipped"), count(&result, "processed")), (0, 2));
    assert_eq!(longest(&result, "latency"), 6 * S);
}

#[test]
fn halves_of_a_shard_wait_for_what_was_put_before_the_split() {
    // 480 records in the first minute ask for ceil(2 x 8 / 10) = 2 shards, at once. The record at 61 s is in a
    // half, and handled when the 480 before it have been, a second each.
    let mut at: Vec<u64> = (0..480).map(|i| i * 125).collect();
    at.push(61_000);
    let fields = "write_records: 10/s, capacity: on_demand, on_demand: { delay: 0 s },";
    let result = run(&at, 480, fields, "batch_size: 1,");
    assert_eq!((count(&result, "shards.peak"), count(&result, "throttled")), (2, 0));
    assert_eq!((count(&result, "processed"), count(&result, "remaining")), (480, 1));
    let result = run(&at, 481, fields, "batch_size: 1,");
    assert_eq!(count(&result, "remaining"), 0);
    // What asks for more only gets it after the delay.
    let later = "write_records: 10/s, capacity: on_demand,";
    assert_eq!(count(&run(&at, 959, later, ""), "shards.peak"), 1);
    assert_eq!(count(&run(&at, 961, later, ""), "shards.peak"), 2);
}

#[test]
fn shared_reads_take_turns_and_enhanced_ones_do_not() {
    // Records of 1 MB at 0 s. Sent at 2 MB/s: the first at once, the others half a second later.
    let consumers = |read: &str, further: &str| {
        let text = format!(
            "streams:\n  records: {{ to: work, record_size: 1 MB, mapping: {{ {read} }} }}\n{further}\
             functions: {{ work: {{ memory: 512 MB, handler: [] }} }}"
        );
        let result = World::new(&plan(&[0, 0, 0], 10, &text), 0).run();
        assert_eq!(count(&result, "processed"), 3);
        longest(&result, "latency")
    };
    assert_eq!(consumers("read: enhanced", ""), S / 2);
    assert_eq!(consumers("poll_interval: 0 s", ""), S / 2);
    let second = "  more: { of: records, to: work, mapping: { poll_interval: 0 s } }\n";
    assert_eq!(consumers("poll_interval: 0 s", second), S);
    assert_eq!(consumers("read: enhanced", second), S / 2);
    let enhanced = "  more: { of: records, to: work, mapping: { read: enhanced } }\n";
    assert_eq!(consumers("poll_interval: 0 s", enhanced), S / 2);
}

#[test]
fn an_idle_shard_is_polled_once_a_second() {
    // Records come long after one another, each at any moment between two polls: half a second on average.
    let at: Vec<u64> = (0..4_000).map(|i| i * 7_777 % 1_000 + i * 5_000).collect();
    let rest = "streams: { records: { to: work, shards: 4, mapping: {} } }\nfunctions: { work: { handler: [] } }";
    let result = World::new(&plan(&at, 20_010, rest), 0).run();
    let mean = value(&result, RECORDS, "latency").number().unwrap() / 1e9;
    // Standard deviation sqrt(1/12 / 4000) = 0.0046.
    assert!((mean - 0.5).abs() < 0.015, "mean {mean}");
    assert!(longest(&result, "latency") <= S);
}

#[test]
fn throttled_invocations_are_tried_again_and_are_no_failures() {
    // Two streams share a function that does one thing at a time; with retries forbidden nothing is given up.
    let text = "streams:\n  records: { to: work, mapping: { read: enhanced, retry_attempts: 0, batch_size: 1 } }\n  \
                more: { of: records, to: work, mapping: { read: enhanced, retry_attempts: 0, batch_size: 1 } }\n\
                accounts: { a: {} }\n\
                functions: { work: { account: a, reserved_concurrency: 1, handler: [ wait: 1 s ] } }";
    let result = World::new(&plan(&[0, 0, 0, 0, 0], 3_000, text), 0).run();
    for component in [RECORDS + 1, RECORDS + 2] {
        assert_eq!(count_of(&result, component, "processed"), 5);
        assert_eq!(count_of(&result, component, "discarded"), 0);
        conserved(&result, component);
    }
    assert!(
        count_of(&result, RECORDS + 1, "batches_throttled") + count_of(&result, RECORDS + 2, "batches_throttled") > 0
    );
}

#[test]
fn everything_that_was_put_is_somewhere() {
    let text = "run: { length: 30 min, warmup: 100 s, window: 10 s }\n\
         clients: { producer: { to: records, arrivals: { poisson: 60/s } } }\n\
         queues: { failed: {} }\n\
         streams:\n  records:\n    to: work\n    shards: 2\n    capacity: on_demand\n    on_demand: { delay: 5 min \
         }\n    \
         write_records: 30/s\n    retention: 3 min\n    poison: 0.5%\n    keys: { zipf: 1, hot_share: 10% }\n    \
         propagation: 200 ms\n    mapping: { batch_size: 20, batch_window: 2 s, parallelization_factor: 3, \
         bisect_on_error: true, partial_batch_response: true, retry_attempts: 3, maximum_record_age: 100 s, \
         on_failure: \
         failed }\n  more: { of: records, to: work, mapping: { starts_at: 4 min, starting_position: latest } }\n\
         functions: { work: { failure: 5%, timeout: 2 min, handler: [ wait: { exponential: 150 ms } ] } }";
    let mut plan = of(text, &Column(String::new()));
    plan.warmup = Duration::ZERO;
    let result = World::new(&plan, 0).run();
    for component in [RECORDS, RECORDS + 1] {
        conserved(&result, component);
        assert!(count_of(&result, component, "processed") > 1_000);
    }
    for metric in ["throttled", "discarded", "redelivered", "bisections"] {
        assert!(count(&result, metric) > 0, "{metric} happens");
    }
    let more = |metric| count_of(&result, RECORDS + 1, metric);
    assert!(
        more("skipped") > 1_000 && more("expired") > 0,
        "a batch that never succeeds blocks to the end"
    );
    assert!(count(&result, "shards.peak") > 2);
}
