//! What grows without end: refused in words, by itself, and the same for any number of threads.

use crate::support::{Scratch, coldcurve};
use serde_json::Value;
use std::fs;

/// A queue that gets a thousand times what its workers do, beside one that does not.
const BACKLOG: &str = "run: { length: 1 h, warmup: 0 s, window: 1 min, replications: 3 }
clients: { w: { to: jobs, arrivals: { poisson: 2000/s } } }
queues: { jobs: { to: f, poller: { maximum_concurrency: 2 } } }
functions: { f: { handler: [{ wait: 1 s }] } }
variants:
  flood: {}
  trickle: { clients: { w: { arrivals: { poisson: 1/s } } } }
";

/// Each message becomes two, as fast as the pollers grow.
const LOOP: &str = "run: { length: 1 h, warmup: 0 s, window: 1 min, replications: 2 }
clients: { w: { to: f, arrivals: { poisson: 1/s } } }
functions: { f: { handler: [{ cpu: 5 ms }, { send: q }, { send: q }] } }
queues: { q: { to: f } }
";

/// Each invocation becomes two, a second later.
const DOUBLING: &str = "run: { length: 1 h, warmup: 0 s, window: 1 min, replications: 2 }
clients: { w: { to: f, arrivals: { poisson: 1/s } } }
functions: { f: { handler: [{ wait: { exponential: 1 s } }, { send: f }, { send: f }] } }
";

fn write(scratch: &Scratch, name: &str, text: &str) {
    fs::write(scratch.path().join(name), text).expect("a scenario");
}

#[test]
fn a_cell_that_grows_is_refused_and_the_others_are_not() {
    let scratch = Scratch::new("budget");
    write(&scratch, "backlog.yaml", BACKLOG);
    let run = |threads: &str| {
        let arguments = ["run", "backlog.yaml", "--memory", "64MB", "--threads", threads];
        let outcome = coldcurve(scratch.path(), &arguments);
        let summary = fs::read_to_string(scratch.path().join("output/backlog/summary.json")).expect("a summary");
        (outcome, summary)
    };
    let (outcome, summary) = run("1");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("trickle"), "{}", outcome.stdout);
    for words in [
        "messages in the queue `jobs`",
        "messages a second; stopped at t = ",
        "variant `flood`",
        "--memory",
    ] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    let read: Value = serde_json::from_str(&summary).expect("JSON");
    let [flood, trickle] = [0, 1].map(|cell| &read["cells"][cell]);
    assert!(flood["refused"].is_string() && flood["metrics"].as_array().is_some_and(Vec::is_empty));
    assert!(trickle["refused"].is_null() && trickle["requests"].as_u64().is_some_and(|n| n > 9_000));
    // What arrives less what two workers take: 2,000 a second, and no more than 2.
    let words = flood["refused"].as_str().unwrap_or_default();
    let rate: f64 = words
        .split("grows by ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|rate| rate.parse().ok())
        .unwrap_or(0.0);
    assert!((1_900.0..2_100.0).contains(&rate), "{words}");
    let (again, same) = run("3");
    assert_eq!((again.stderr, same), (outcome.stderr, summary));
}

#[test]
fn a_loop_that_doubles_is_named_so() {
    let scratch = Scratch::new("doubling");
    write(&scratch, "loop.yaml", LOOP);
    write(&scratch, "doubling.yaml", DOUBLING);
    let run = |name| coldcurve(scratch.path(), &["run", name, "--no-files", "--memory", "64MB"]);
    let outcome = run("loop.yaml");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    for words in [
        "W008",
        "`q` leads to 2 others",
        "stopped at t = ",
        "they double until",
        "sends to itself",
    ] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    let outcome = run("doubling.yaml");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let every = outcome.stderr.split("doubles every ").nth(1);
    let every: f64 = every
        .and_then(|rest| rest.split(' ').next())
        .and_then(|every| every.parse().ok())
        .unwrap_or(f64::NAN);
    // Each ends at a rate of 1/s and leaves two: their number grows by a factor of e every second.
    assert!((every - std::f64::consts::LN_2).abs() < 0.07, "{}", outcome.stderr);
}

#[test]
fn work_that_cannot_succeed_in_time_is_said_before_the_run() {
    let scratch = Scratch::new("hopeless");
    let check = |timeout: &str, visibility: &str, patience: &str| {
        let text = format!(
            "run: {{ length: 1 min, warmup: 0 s }}
clients:
  w: {{ to: q, arrivals: {{ poisson: 2/s }} }}
  x: {{ to: f, arrivals: {{ poisson: 1/s }}, timeout: {patience} }}
queues: {{ q: {{ to: f, visibility_timeout: {visibility} }} }}
functions: {{ f: {{ timeout: {timeout}, cpu: 1, handler: [{{ wait: 4 s }}, {{ cpu: {{ uniform: [6 s, 9 s] }} }}] }} }}
"
        );
        write(&scratch, "hopeless.yaml", &text);
        let said = coldcurve(scratch.path(), &["check", "hopeless.yaml"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
        said.stderr.matches("W007").count()
    };
    assert_eq!(check("12 s", "72 s", "20 s"), 0);
    assert_eq!(check("9 s", "60 s", "20 s"), 1);
    assert_eq!(check("9 s", "9 s", "20 s"), 2);
    assert_eq!(check("12 s", "72 s", "9 s"), 1);
}

#[test]
fn long_studies_say_so_and_sizes_of_memory_have_units() {
    let scratch = Scratch::new("effort");
    write(
        &scratch,
        "long.yaml",
        "run: { length: 10 h, warmup: 0 s, replications: 2 }
clients: { w: { to: jobs, arrivals: { poisson: 1M/s } } }
queues: { jobs: { to: f, poller: { maximum_concurrency: 2 } } }
functions: { f: { handler: [{ wait: 1 s }] } }
",
    );
    let outcome = coldcurve(
        scratch.path(),
        &["run", "long.yaml", "--no-files", "--memory", "32MB", "--threads", "2"],
    );
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.contains("million requests in 2 runs: expect roughly"),
        "{}",
        outcome.stderr
    );
    for size in ["12", "MB", "0MB", "-3GB", "1 furlong"] {
        let outcome = coldcurve(scratch.path(), &["run", "long.yaml", "--no-files", "--memory", size]);
        assert_eq!(outcome.code, Some(2), "{size}");
        assert!(!outcome.stderr.contains("expect roughly"), "{size} was taken");
    }
}
