//! Recorded durations and sizes, by hand: five calls, in no order, each with how long it took and how large it was.

use crate::kernel::number::whole;
use crate::model::Plan;
use crate::model::world::run::{RunResult, World};
use crate::scenario::{Catalog, Diagnostics, Files, Sources, parse};
use crate::stats::Value;

/// Seconds, milliseconds, bytes.
const CALLS: &str = "t,took,bytes,func\n5,2.5,400,b\n1,100,2000,a\n3,0.000123,10,a\n2,250.25,30000000,b\n4,0.5,7,a\n";
/// What it takes in ns, in the order of the calls.
const TOOK: [u64; 5] = [100_000_000, 250_250_000, 123, 500_000, 2_500_000];
/// The fields of a client that plays it, but for what follows.
const PLAY: &str = "arrivals: { times: { file: calls.csv, column: t, zero: 0 s, duration: took, duration_unit: ms";

/// One file, whatever it is called.
struct One(String);

impl Files for One {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }
}

/// The plan of a scenario of a minute over one file, and what is said about it.
fn plan(file: &str, scenario: &str) -> (Option<Plan>, String) {
    let text = format!("run: {{ length: 1 min, warmup: 0 s, window: 1 ms }}\n{scenario}\n");
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let number = sources.add("test.yaml", text);
    let root = parse(&sources, number, &diagnostics).expect("YAML");
    let files = One(file.to_owned());
    let built = crate::model::world::build::build(&root, &Catalog::default(), &diagnostics, &files);
    (built.map(|built| built.0), diagnostics.render(&sources, false))
}

/// The longest latency of the first client in each window in which requests ended, well or badly: (ends before,
/// latency), in ns. That of a single request is its p99, too.
fn ends(plan: &Plan, result: &RunResult) -> Vec<(u64, u64)> {
    let client = plan.clients[0].component;
    let windows = |metric: &str| {
        let mut of_client = result.series.iter().filter(|series| series.component == client);
        &of_client
            .find(|series| series.metric == metric)
            .expect("a client's series")
            .values
    };
    let each = windows("latency.max").iter().zip(windows("latency.failed.p99"));
    let some = each
        .map(|(good, failed)| good.max(*failed))
        .zip(1_u64..)
        .filter(|(ns, _)| *ns > 0.0);
    some.map(|(ns, window)| (window * 1_000_000, whole(ns))).collect()
}

/// The latencies of the first client in the order in which requests end; each ends in a millisecond of its own.
fn latencies(file: &str, scenario: &str) -> Vec<u64> {
    let (plan, said) = plan(file, scenario);
    let plan = plan.unwrap_or_else(|| panic!("{said}"));
    let ends = ends(&plan, &World::new(&plan, 0).run());
    ends.into_iter().map(|end| end.1).collect()
}

/// The latencies of a client with these fields, at a function that waits for as long as was recorded.
fn waited(client: &str) -> Vec<u64> {
    let f = "functions: { f: { handler: [ wait: recorded ] } }";
    latencies(CALLS, &format!("clients: {{ web: {{ to: f, {client} }} }}\n{f}"))
}

fn said(file: &str, client: &str, rest: &str) -> String {
    plan(file, &format!("clients: {{ {client} }}\n{rest}")).1
}

#[test]
fn each_call_takes_as_long_as_it_took() {
    assert_eq!(waited(&format!("{PLAY} }} }}")), TOOK);
    // Twice as fast and a second later, it takes no less.
    assert_eq!(waited(&format!("{PLAY}, speed: 2, offset: 1 s }} }}")), TOOK);
    assert_eq!(waited(&format!("{PLAY}, from: 2 s, until: 4 s }} }}")), TOOK[1..3]);
    assert_eq!(
        waited(&format!("{PLAY}, where: {{ func: b }} }} }}")),
        [TOOK[1], TOOK[4]]
    );
    let late = PLAY.replace("zero: 0 s", "zero: 3 s");
    assert_eq!(waited(&format!("{late} }} }}")), TOOK[2..]);
    // A time on the way comes on top, on each way half of it.
    let far = waited(&format!("{PLAY} }} }}, network: 3 ms"));
    assert_eq!(far, TOOK.map(|ns| ns + 3_000_000));
}

#[test]
fn calls_that_are_known_by_their_ends_begin_earlier() {
    let scenario = format!(
        "clients: {{ web: {{ to: f, {PLAY}, marks: end }} }} }} }}\nfunctions: {{ f: {{ handler: [ wait: recorded ] }} }}"
    );
    let (plan, said) = plan(CALLS, &scenario);
    let plan = plan.unwrap_or_else(|| panic!("{said}"));
    let ends = ends(&plan, &World::new(&plan, 0).run());
    // They end at the full second that is recorded: the window that begins there.
    let expected: Vec<(u64, u64)> = TOOK
        .iter()
        .zip(1..)
        .map(|(took, s)| (s * 1_000_000_000 + 1_000_000, *took))
        .collect();
    assert_eq!(ends, expected);
}

#[test]
fn computing_scales_and_shares_as_computing_does() {
    let web = format!("clients: {{ web: {{ to: f, {PLAY} }} }} }} }}");
    let at = |f: &str| latencies(CALLS, &format!("{web}\n{f}"));
    assert_eq!(
        at("functions: { f: { cpu: 0.5, handler: [ cpu: recorded ] } }"),
        TOOK.map(|ns| 2 * ns)
    );
    assert_eq!(
        at("fleets: { f: { vcpu: 1, memory: 1 GB, handler: [ cpu: recorded ] } }"),
        TOOK
    );
    let steps = "[ wait: 1 ms, cpu: recorded, wait: recorded, cpu: 2 ms ]";
    let thrice = TOOK.map(|ns| 2 * ns + 3_000_000);
    assert_eq!(
        at(&format!("functions: {{ f: {{ cpu: 1, handler: {steps} }} }}")),
        thrice
    );
    assert_eq!(
        at(&format!(
            "fleets: {{ f: {{ vcpu: 1, memory: 1 GB, handler: {steps} }} }}"
        )),
        thrice
    );
}

#[test]
fn attempts_copies_branches_and_calls_take_the_same_time() {
    let f = "functions: { f: { handler: [ wait: recorded ] } }";
    let one = |client: &str, rest: &str| {
        latencies(
            CALLS,
            &format!("clients: {{ web: {{ {PLAY}, where: {{ t: 2 }} }} }}, {client} }} }}\n{rest}"),
        )
    };
    let retried = one(
        "to: f, timeout: 200 ms, retry: { attempts: 3, base: 10 ms, jitter: none }",
        f,
    );
    assert_eq!(retried, [200_000_000 * 3 + 30_000_000]);
    assert_eq!(one("to: f, hedge: { after: 50 ms, copies: 2 }", f), [TOOK[1]]);
    let both = "to: f, timeout: 200 ms, hedge: { after: 50 ms }, retry: { attempts: 2, base: 10 ms, jitter: none }";
    assert_eq!(one(both, f), [410_000_000]);
    let far = "gateways: { door: { to: g, overhead: 1 ms } }\n\
               functions: { g: { handler: [ parallel: [[ call: { to: f, timeout: 200 ms, \
               retry: { attempts: 2, base: 10 ms, jitter: none }, optional: true } ], [ wait: 1 ms ]] ] }, \
               f: { handler: [ wait: recorded ] } }";
    assert_eq!(one("to: door", far), [411_000_000]);
    let branch = "functions: { f: { handler: [ parallel: [[ wait: recorded ], [ wait: 1 ms ]] ] } }";
    assert_eq!(one("to: f", branch), [TOOK[1]]);
    let hedged = "functions: { g: { handler: [ call: { to: f, hedge: { after: 20 ms } } ] }, \
                  f: { handler: [ wait: recorded ] } }";
    assert_eq!(one("to: g", hedged), [TOOK[1]]);
}

#[test]
fn variants_see_the_same_requests() {
    let client = format!("clients: {{ web: {{ to: f, {PLAY} }} }} }} }}");
    let small = format!("{client}\nfunctions: {{ f: {{ memory: 128 MB, cpu: 1, handler: [ wait: recorded ] }} }}");
    let slow = format!(
        "{client}\nfunctions: {{ f: {{ placement: 1 ms, idle_timeout: 1 h, handler: [ wait: recorded ] }} }}\n\
         faults: {{ x: {{ on: f, fail: 50%, at: 30 s, for: 1 s }} }}"
    );
    assert_eq!(latencies(CALLS, &small), TOOK);
    let mut cold = TOOK;
    cold[0] += 1_000_000;
    assert_eq!(latencies(CALLS, &slow), cold);
}

#[test]
fn sizes_are_payloads() {
    let count = |client: &str, rest: &str| {
        let play = PLAY.replace(", duration: took, duration_unit: ms", "");
        let scenario = format!("clients: {{ web: {{ {play}, size: bytes }} }}, {client} }} }}\n{rest}");
        let (plan, said) = plan(CALLS, &scenario);
        let plan = plan.unwrap_or_else(|| panic!("{said}"));
        let result = World::new(&plan, 0).run();
        let client = plan.clients[0].component;
        let refused = result
            .observations
            .iter()
            .find(|o| o.component == client && o.metric == "too_large_413");
        match refused.map(|o| &o.value) {
            Some(Value::Count(count)) => *count,
            other => panic!("{other:?}"),
        }
    };
    let f = "functions: { f: { payload_limit: 6 MB, handler: [ wait: 1 ms ] } }";
    assert_eq!(count("to: f", f), 1);
    assert_eq!(count("to: f, retry: { attempts: 3, base: 10 ms, jitter: none }", f), 1);
    assert_eq!(count("to: f, hedge: { after: 50 ms }", f), 1);
    assert_eq!(count("to: f", &f.replace("6 MB", "1 KB")), 2);
    // What its handler sends on has a size of its own.
    let on = "functions: { f: { handler: [ call: g ] }, g: { payload_limit: 1 KB, handler: [ wait: 1 ms ] } }";
    assert_eq!(count("to: f", on), 0);
    let both = said(
        CALLS,
        "web: { to: f, payload: 1 KB, arrivals: { times: { file: c, column: t, size: bytes } } }",
        f,
    );
    assert!(both.contains("sizes of its requests are recorded"), "{both}");
}

#[test]
fn whoever_comes_without_a_duration_is_named() {
    let web = format!("web: {{ to: f, {PLAY} }} }} }}");
    let f = "functions: { f: { handler: [ wait: recorded ] } }";
    assert_eq!(said(CALLS, &web, f).matches("error[").count(), 0);
    let two = said(
        CALLS,
        &format!("{web}, dice: {{ to: f, arrivals: {{ poisson: 1/s }} }}"),
        f,
    );
    assert!(two.contains("requests of `dice` carry no recorded duration"), "{two}");
    let bare = said(CALLS, "web: { to: f, arrivals: { times: { file: c, column: t } } }", f);
    assert!(bare.contains("requests of `web` carry no"), "{bare}");
    let timed = said(
        CALLS,
        &web,
        &format!("{f}\nschedules: {{ nightly: {{ to: f, rate: 5 s }} }}"),
    );
    assert!(timed.contains("what is invoked by `nightly` carry no"), "{timed}");
    let queued = said(
        CALLS,
        &web.replace("to: f", "to: jobs"),
        &format!("{f}\nqueues: {{ jobs: {{ to: f }} }}"),
    );
    assert!(queued.contains("messages of `jobs` carry no"), "{queued}");
    let sent = "functions: { f: { handler: [ send: g ] }, g: { handler: [ wait: recorded ] } }";
    let sent = said(CALLS, &web, sent);
    assert!(sent.contains("what is sent by `f` carry no"), "{sent}");
    // A path of its own is a way out, through gateways, too.
    let ways = "gateways: { door: { to: f } }\n\
                functions: { f: { handler: [ wait: 1 ms ], handlers: { /calls: [ wait: recorded ] } } }";
    let dice = "dice: { to: door, arrivals: { poisson: 1/s }, paths: { /other: 1 } }";
    let calls = web.replace("to: f", "to: door, paths: { /calls: 1 }");
    let ways = said(CALLS, &format!("{calls}, {dice}"), ways);
    assert_eq!(ways.matches("error[").count(), 0, "{ways}");
    let unused = said(CALLS, &web, "functions: { f: { handler: [ wait: 1 ms ] } }");
    assert!(
        unused.contains("no handler that `web` reaches takes the recorded durations"),
        "{unused}"
    );
}

#[test]
fn rows_without_a_duration_are_pointed_at() {
    let client = format!("web: {{ to: f, {PLAY} }} }} }}");
    let f = "functions: { f: { handler: [ wait: recorded ] } }";
    let said = |file: &str| said(file, &client, f);
    let blank = said("t,took\n1,5\n2,\n");
    assert!(blank.contains("line 3: nothing in column `took`"), "{blank}");
    assert!(blank.contains("write a number from 0 on, or remove the row"), "{blank}");
    let word = said("t,took\n1,5\n2,soon\n");
    assert!(word.contains("line 3: `soon` is not a number"), "{word}");
    let negative = said("t,took\n1,-5\n2,1\n");
    assert!(negative.contains("line 2: `-5` is not a duration"), "{negative}");
    let infinite = said("t,took\n1,inf\n2,1\n");
    assert!(infinite.contains("line 2: `inf` is not a number"), "{infinite}");
    // A row without an instant is left out, whatever else it lacks.
    let left_out = said("t,took\n1,5\n,\n2,5\n");
    assert!(
        left_out.contains("1 rows have no instant") && !left_out.contains("error["),
        "{left_out}"
    );
}

#[test]
fn a_late_instant_stays_an_instant() {
    // A duration of three centuries is longer than any run, and than what instants may be.
    let scenario =
        format!("clients: {{ web: {{ to: f, {PLAY} }} }} }} }}\nfunctions: {{ f: {{ handler: [ wait: recorded ] }} }}");
    let (plan, said) = plan("t,took\n1,1e13\n2,5\n", &scenario);
    let plan = plan.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(ends(&plan, &World::new(&plan, 0).run()).len(), 1);
}
