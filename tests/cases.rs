//! Systems as people have them, small: what must be said about each, in the table and in `summary.json`.
//!
//! They hold relations and words, and no counts that a better model may move.

use crate::support::{Outcome, Scratch, coldcurve};
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Instant;

/// Runs a scenario and writes no results.
fn run(scratch: &Scratch, name: &str, text: &str, more: &[&str]) -> Outcome {
    let file = scratch.write(name, text);
    coldcurve(scratch.path(), &[&["run", file, "--no-files"], more].concat())
}

/// Its summary.
fn summary(scratch: &Scratch, name: &str, text: &str) -> Value {
    let outcome = run(scratch, name, text, &["--format", "json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

/// The values of a timeline, times its window.
fn timeline(summary: &Value, name: &str, window_s: f64) -> Vec<f64> {
    let all = summary["cells"][0]["timelines"].as_array().expect("timelines");
    let line = all.iter().find(|line| line["name"] == name);
    let means = line.unwrap_or_else(|| panic!("no {name}"))["mean"]
        .as_array()
        .expect("values");
    means
        .iter()
        .map(|v| v.as_f64().unwrap_or(f64::NAN) * window_s)
        .collect()
}

/// The value of a metric of a cell.
fn metric(summary: &Value, cell: usize, name: &str) -> f64 {
    let all = summary["cells"][cell]["metrics"].as_array().expect("metrics");
    let found = all.iter().find(|metric| metric["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))["estimate"]["mean"]
        .as_f64()
        .unwrap_or(f64::NAN)
}

#[track_caller]
pub fn says(text: &str, words: &[&str]) {
    // Lines are wrapped where they do not fit.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in words {
        assert!(flat.contains(part), "{part:?} is not said: {text}");
    }
}

/// A job that starts itself again at its end, and one more every hour: nothing ever stops.
const CHASER: &str = "run: { length: 3 h, warmup: 0 s, replications: 2 }
schedules: { hourly: { rate: 1 h, first: 30 s, to: chaser } }
functions:
  chaser: { service: aws.lambda, memory: 256 MB, timeout: 2 min, handler: [{ wait: 30 s }, { send: chaser }] }
";

#[test]
fn what_invokes_itself_grows_and_has_no_monthly_bill() {
    let scratch = Scratch::new("chaser");
    for length in ["run.length=3h", "run.length=20h"] {
        let outcome = run(&scratch, "chaser.yaml", CHASER, &["--set", length]);
        says(
            &outcome.stdout,
            &["functions.chaser.instances.busy grows by", "growing at the end"],
        );
        let row = outcome
            .stdout
            .lines()
            .find(|line| line.contains("base"))
            .expect("a row");
        let bill = row.split_whitespace().last().unwrap_or_default();
        assert!(row.starts_with('!') && bill.starts_with("($"), "{row}");
    }
    // With work that ends there is a month.
    let ends = CHASER.replace(", { send: chaser }", "");
    let outcome = run(&scratch, "ends.yaml", &ends, &[]);
    assert!(
        !outcome.stdout.contains("grows by") && !outcome.stdout.contains("($"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn blank_counts_are_minutes_without_requests() {
    let scratch = Scratch::new("gaps");
    scratch.write("gaps.csv", "at,calls\n1,60\n2,\n3,\n4,7\n5,\n6,1\n");
    let text = "run: { length: 6 min, warmup: 0 s, replications: 1 }
clients: { a: { to: f, arrivals: { counts: { file: gaps.csv, column: calls, interval: 1 min } } } }
functions: { f: { handler: [{ wait: 10 ms }] } }
";
    let seen = timeline(&summary(&scratch, "gaps.yaml", text), "clients.a.requests", 60.0);
    let expected = [60.0, 0.0, 0.0, 7.0, 0.0, 1.0];
    assert_eq!(seen.len(), expected.len());
    assert!(seen.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{seen:?}");
}

#[test]
fn two_recordings_of_one_log_keep_their_distance() {
    let scratch = Scratch::new("clock");
    scratch.write("a.csv", "t\n500\n501\n502\n");
    scratch.write("b.csv", "t\n507\n509\n");
    let text = "run: { length: 5 min, warmup: 0 s, window: 1 s, replications: 1 }
clients:
  a: { to: f, arrivals: { times: { file: a.csv, column: t } } }
  b: { to: f, arrivals: { times: { file: b.csv, column: t } } }
functions: { f: { service: aws.lambda, handler: [{ wait: 10 ms }] } }
";
    let read = summary(&scratch, "clock.yaml", text);
    let seconds = |client: &str| -> Vec<usize> {
        let seen = timeline(&read, client, 1.0);
        (0..seen.len()).filter(|second| seen[*second] > 0.0).collect()
    };
    assert_eq!(seconds("clients.a.requests"), [0, 1, 2]);
    assert_eq!(seconds("clients.b.requests"), [7, 9]);
    // The silence after it is said, and the bill is not that of a month.
    let outcome = run(&scratch, "clock.yaml", text, &[]);
    says(
        &outcome.stderr,
        &[
            "W005",
            "the recording ends 9 s after the start, and the run lasts 5 min",
        ],
    );
    says(&outcome.stdout, &["an episode: everything comes once", "($"]);
}

#[test]
fn dates_of_every_export_are_instants_whatever_their_order() {
    let scratch = Scratch::new("dates");
    for dates in [
        [
            "2026-10-01 00:00:04.500",
            "2026-10-01 00:00:02.000",
            "2026-10-01 00:00:00.250",
        ],
        [
            "2026-10-01T00:00:00.25Z",
            "2026-10-01T00:00:02Z",
            "2026-10-01T00:00:04.5Z",
        ],
        ["2026/10/01 00:00:02", "2026/10/01 00:00:00", "2026/10/01 00:00:04"],
        [
            "01/Oct/2026:02:00:04 +0200",
            "01/Oct/2026:02:00:00 +0200",
            "01/Oct/2026:02:00:02 +0200",
        ],
    ] {
        let rows = dates.map(|date| format!("{date},48.5,\n")).concat();
        scratch.write(
            "log.csv",
            &format!("@timestamp,@duration,@initDuration\n{rows}2026-10-01 00:00:05,60,444\n"),
        );
        let text = "run: { length: 6 s, warmup: 0 s, window: 1 s, replications: 1 }
clients: { a: { to: f, arrivals: { times: { file: log.csv, column: '@timestamp' } } } }
functions:
  f:
    init: { empirical: { file: log.csv, column: '@initDuration' } }
    handler: [{ wait: { empirical: { file: log.csv, column: '@duration' } } }]
";
        let seen = timeline(&summary(&scratch, "log.yaml", text), "clients.a.requests", 1.0);
        let busy: Vec<usize> = (0..seen.len()).filter(|second| seen[*second] > 0.0).collect();
        // From the first: with a quarter of a second before it, the last comes in the fifth second after it.
        let last = if dates.iter().any(|date| date.contains(".25")) {
            4
        } else {
            5
        };
        let mut expected = vec![0, if last == 4 { 1 } else { 2 }, 4];
        if last == 5 {
            expected.push(5);
        }
        assert_eq!(busy, expected, "{dates:?}: {seen:?}");
        assert!((seen.iter().sum::<f64>() - 4.0).abs() < 1e-9, "{seen:?}");
    }
}

/// Hundreds of instances start at once, and their first queries come at once: in some runs the database gets over it,
/// in the others it has all its connections at work and does less with them than comes, for ever.
const CROWDED_START: &str = "run: { length: 4 min, warmup: 2 min, replications: 12 }
clients: { web: { to: api, arrivals: { poisson: 300/s } } }
functions:
  api:
    service: aws.lambda
    memory: 512 MB
    runtime: nodejs22.x
    handler: [{ call: { to: pool, query: 3 ms } }, { wait: 500 ms }]
proxies: { pool: { service: aws.rds.proxy, to: db } }
databases: { db: { service: aws.rds.postgres, instance: db.t3.medium, maximum_connections: 100 } }
";

#[test]
fn runs_that_end_in_two_places_are_not_averaged() {
    let scratch = Scratch::new("regimes");
    let outcome = run(&scratch, "start.yaml", CROWDED_START, &[]);
    let words = outcome.stdout.split("Two regimes: ").nth(1).unwrap_or_default();
    let collapsed: u32 = words
        .split(" of 12 runs collapsed (errors ")
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap_or(0);
    assert!((1..12).contains(&collapsed), "{}", outcome.stdout);
    let well = format!("{} of 12 run well", 12 - collapsed);
    says(
        &outcome.stdout,
        &[
            &format!("{collapsed} of 12 collapse"),
            &well,
            "the empty start decides",
            "ramps up",
            "0 of 12 runs collapse",
        ],
    );
    // No mean over both: each row is of one kind.
    let read = summary(&scratch, "start.yaml", CROWDED_START);
    let regimes = read["cells"][0]["regimes"].as_array().expect("regimes");
    let mut errors = regimes.iter().map(|regime| {
        let metrics = regime["cell"]["metrics"].as_array().expect("metrics");
        let found = metrics.iter().find(|metric| metric["name"] == "error_ratio");
        found
            .and_then(|metric| metric["estimate"]["mean"].as_f64())
            .unwrap_or(f64::NAN)
    });
    let (some, other) = (errors.next().unwrap_or(f64::NAN), errors.next().unwrap_or(f64::NAN));
    assert!(some.min(other) < 0.01 && some.max(other) > 0.9, "{some} and {other}");
    // With the ramp that it names, no run collapses.
    let ramped = CROWDED_START.replace(
        "poisson: 300/s",
        "rates: [{ at: 0 s, rate: 1/s }, { at: 1 min, rate: 300/s, ramp: true }]",
    );
    let outcome = run(&scratch, "ramped.yaml", &ramped, &["--replications", "4"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stdout.contains("collapse"), "{}", outcome.stdout);
}

#[test]
fn pings_in_one_variant_need_no_handler_in_the_other() {
    let scratch = Scratch::new("pings");
    let text = "run: { length: 2 h, warmup: 0 s, replications: 3 }
clients: { web: { to: door, arrivals: { bursty: { on: 2/s, on_for: 30 s, off_for: 25 min } }, paths: { /work: 1 } } }
gateways: { door: { to: f } }
functions: { f: { service: aws.lambda, handlers: { /work: [{ wait: 300 ms }], /ping: [{ wait: 20 ms }] } } }
variants:
  plain: {}
  pings:
    clients:
      ping: { to: door, background: true, arrivals: { constant: 12/h, batch: 4 }, paths: { /ping: 1 } }
";
    let outcome = run(&scratch, "pings.yaml", text, &[]);
    assert_eq!(outcome.code, Some(0));
    says(
        &outcome.stderr,
        &[
            "warning[W004]: no client asks for `/ping`",
            "with the variant `plain`",
            "0 errors, 1 warning",
        ],
    );
    let read = summary(&scratch, "pings.yaml", text);
    let cold = |cell| metric(&read, cell, "cold_ratio");
    assert!(
        cold(1) < cold(0),
        "pings keep instances warm: {} and {}",
        cold(1),
        cold(0)
    );
}

#[test]
fn a_full_send_quota_is_among_the_limits() {
    let scratch = Scratch::new("quota");
    let text = "run: { length: 1 min, replications: 1, warmup: 0 s }
clients: { web: { to: q, arrivals: { poisson: 50/s } } }
queues: { q: { to: f, send_quota: { rate: 10/s, burst: 10 } } }
functions: { f: { cpu: 1, handler: [ cpu: 1 ms ] } }
";
    let read = summary(&scratch, "quota.yaml", text);
    let limit = &read["cells"][0]["limits"][0];
    assert_eq!(
        (&limit["limit"], &limit["component"]),
        (&"send_rate".into(), &"queues.q".into())
    );
    assert_eq!(limit["caller"], "clients.web");
    let (hits, first) = (&limit["hits"]["mean"], &limit["first_s"]);
    // What comes less what the quota lets through, from the moment when the burst is used up.
    let refused = metric(&read, 0, "clients.web.requests") * metric(&read, 0, "error_ratio");
    assert!(
        hits.as_f64()
            .is_some_and(|hits| hits > 1_000.0 && (hits / refused - 1.0).abs() < 0.01)
    );
    assert!(first.as_f64().is_some_and(|first| first > 0.0 && first < 10.0));
    let outcome = run(&scratch, "quota.yaml", text, &[]);
    says(
        &outcome.stdout,
        &["Limits that were run into", "send_rate of queues.q, by clients.web"],
    );
}

#[test]
fn a_store_is_never_more_than_busy() {
    let scratch = Scratch::new("busy");
    let text = "run: { length: 2 s, warmup: 1 s, window: 1 s, replications: 4 }
clients: { w: { to: search, arrivals: { poisson: 30/s } } }
stores: { search: { service: aws.opensearch, nodes: 1, threads: 1, read_work: 200 ms } }
";
    for (length, rate) in [("2s", "30/s"), ("90s", "4/s")] {
        let sets = [
            format!("run.length={length}"),
            format!("clients.w.arrivals.poisson={rate}"),
        ];
        let arguments = ["--set", &sets[0], "--set", &sets[1], "--format", "json"];
        let outcome = run(&scratch, "busy.yaml", text, &arguments);
        let read: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let metrics = read["cells"][0]["metrics"].as_array().expect("metrics");
        let busy = metrics
            .iter()
            .find(|metric| metric["name"] == "stores.search.utilisation");
        let runs = busy.expect("a utilisation")["per_replication"]
            .as_array()
            .expect("runs")
            .clone();
        let runs: Vec<f64> = runs.iter().filter_map(Value::as_f64).collect();
        assert_eq!(runs.len(), 4);
        assert!(runs.iter().all(|busy| (0.5..=1.0).contains(busy)), "{runs:?}");
    }
}

/// An endless backlog, and one in which every message fails.
const ENDLESS: [(&str, &str, &[&str]); 2] = [
    (
        "flood.yaml",
        "run: { length: 1 h, warmup: 0, window: 1 min, replications: 2 }
clients: { w: { to: q, arrivals: { poisson: 200k/s } } }
queues: { q: { to: f, poller: { maximum_concurrency: 2 } } }
functions: { f: { handler: [{ wait: 1 s }] } }
",
        &["messages in the queue `q`", "grows by"],
    ),
    (
        "hopeless.yaml",
        "run: { length: 1 h, warmup: 0, window: 1 min, replications: 2 }
clients: { w: { to: q, arrivals: { poisson: 20k/s } } }
queues: { q: { service: aws.sqs.standard, to: f } }
functions: { f: { service: aws.lambda, memory: 128 MB, timeout: 5 s, handler: [{ wait: 10 s }] } }
",
        &[
            "W007",
            "takes at least 10 s, and is cut off after 5 s",
            "messages in the queue `q`",
            "grows by",
        ],
    ),
];

#[test]
fn an_endless_backlog_is_refused_in_words_and_a_table() {
    let scratch = Scratch::new("endless");
    for (name, text, words) in ENDLESS {
        let outcome = run(&scratch, name, text, &["--memory", "128MB"]);
        assert_eq!(outcome.code, Some(2), "{name}: {}", outcome.stderr);
        says(&outcome.stderr, words);
        says(
            &outcome.stdout,
            &[
                "! base",
                "refused, no figures:",
                "messages in the queue `q`",
                "does not keep the promise",
            ],
        );
        assert!(
            !outcome.stdout.contains("NaN") && !outcome.stdout.contains("($"),
            "{}",
            outcome.stdout
        );
    }
}

#[test]
fn a_study_without_any_figures_says_why_for_each_cell_and_keeps_what_was_there() {
    let scratch = Scratch::new("reasons");
    let (_, flood, _) = ENDLESS[0];
    let text = format!(
        "{flood}variants:\n  wide: {{}}\n  narrow: {{ queues: {{ q: {{ poller: {{ maximum_concurrency: 3 }} }} }} }}\n"
    );
    let file = scratch.write("reasons.yaml", &text);
    let fine = [
        "run",
        file,
        "--set",
        "clients.w.arrivals.poisson=1/s",
        "--set",
        "run.length=2min",
        "--out",
        "out",
    ];
    assert_eq!(coldcurve(scratch.path(), &fine).code, Some(0));
    let before = crate::support::contents(scratch.path());
    let outcome = coldcurve(scratch.path(), &["run", file, "--memory", "64MB", "--out", "out"]);
    assert_eq!(outcome.code, Some(2));
    says(
        &outcome.stdout,
        &[
            "! wide",
            "! narrow",
            "wide: refused, no figures",
            "narrow: refused, no figures",
        ],
    );
    says(
        &outcome.stderr,
        &["error[C081]", "(variant `wide`)", "(variant `narrow`)"],
    );
    assert!(
        crate::support::contents(scratch.path()) == before,
        "earlier results were touched"
    );
    let outcome = coldcurve(
        scratch.path(),
        &["run", file, "--memory", "64MB", "--no-files", "--format", "json"],
    );
    let read: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert!(
        read["cells"]
            .as_array()
            .is_some_and(|cells| cells.iter().all(|cell| cell["refused"].is_string()))
    );
    // One that cannot run does not keep the others of a list from being tested.
    scratch.write("fine.yaml", "run: { length: 1 min, warmup: 0 s, replications: 2 }\nclients: { w: { to: f, arrivals: { poisson: 5/s } } }\nfunctions: { f: { handler: [{ wait: 1 s }] } }\nexpect: [{ metric: throughput, above: 1/s }]\n");
    let outcome = coldcurve(scratch.path(), &["test", file, "fine.yaml", "--memory", "64MB"]);
    assert_eq!(outcome.code, Some(2));
    says(&outcome.stdout, &["1 expectations hold"]);
}

#[test]
fn a_loop_that_doubles_is_refused_within_seconds() {
    let scratch = Scratch::new("loop");
    let text = "run: { length: 1 h, warmup: 0, window: 1 min }
clients: { w: { to: f, arrivals: { poisson: 1/s } } }
functions: { f: { handler: [{ cpu: 5 ms }, { send: q }, { send: q }] } }
queues: { q: { to: f } }
";
    // With all the memory that there is by default, which would take a minute to fill.
    let began = Instant::now();
    let outcome = run(&scratch, "loop.yaml", text, &["--threads", "2"]);
    let took = began.elapsed().as_secs_f64();
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    says(
        &outcome.stderr,
        &[
            "W008",
            "`q` leads to 2 others",
            "would come to need more than the 2.0 GB",
            "they double until it is at its limit",
        ],
    );
    assert!(took < 20.0, "{took} s");
    // What is kept only shortly cannot pile up, and is let run.
    let bounded = text.replace("to: f }", "to: f, retention: 1 min, visibility_timeout: 30 s }");
    let bounded = bounded.replace("length: 1 h", "length: 2 min, replications: 1");
    let outcome = run(&scratch, "bounded.yaml", &bounded, &[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn what_grows_is_named_with_the_age_at_which_it_is_lost() {
    let scratch = Scratch::new("grows");
    // Twelve a second for one thread that does ten.
    let store = "run: { length: 10 min, warmup: 0 s, replications: 4 }
clients: { w: { to: search, arrivals: { poisson: 12/s } } }
stores: { search: { service: aws.opensearch, nodes: 1, threads: 1, queue: 100000, read_work: 100 ms } }
";
    let outcome = run(&scratch, "store.yaml", store, &[]);
    says(&outcome.stdout, &["stores.search.waiting grows by"]);
    let queue = "run: { length: 20 min, warmup: 0 s, replications: 4 }
clients: { w: { to: q, arrivals: { poisson: 30/s } } }
queues: { q: { to: f, retention: 4 d, poller: { batch_size: 1, maximum_concurrency: 2 } } }
functions: { f: { handler: [{ wait: 100 ms }] } }
";
    let outcome = run(&scratch, "queue.yaml", queue, &[]);
    says(
        &outcome.stdout,
        &["queues.q.depth grows by", "none became 4 d old, when messages are lost"],
    );
    let shortly = queue.replace("retention: 4 d", "retention: 5 min, visibility_timeout: 30 s");
    let outcome = run(&scratch, "shortly.yaml", &shortly, &[]);
    assert!(!outcome.stdout.contains("when messages are lost"), "{}", outcome.stdout);
    says(&outcome.stdout, &["of its messages expire unread"]);
}

#[test]
fn answers_that_take_no_time_have_a_worst_window() {
    let scratch = Scratch::new("no-time");
    let text = "run: { length: 2 min, warmup: 0 s, replications: 2 }
clients: { w: { to: f, arrivals: { poisson: 20/s } } }
functions: { f: { handler: [{ wait: 0 s }] } }
";
    let read = summary(&scratch, "none.yaml", text);
    let metrics = read["cells"][0]["metrics"].as_array().expect("metrics");
    let worst = metrics
        .iter()
        .find(|metric| metric["name"] == "latency.p99.worst_window");
    assert_eq!(worst.expect("the metric")["estimate"]["mean"].as_f64(), Some(0.0));
}

#[test]
fn runs_of_two_regimes_are_drawn_apart() {
    let scratch = Scratch::new("apart");
    let file = scratch.write("start.yaml", CROWDED_START);
    let outcome = coldcurve(scratch.path(), &["run", file, "--out", "out"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for picture in ["overview.svg", "bill.svg", "causes-slowest.svg"] {
        let drawn = std::fs::read_to_string(scratch.path().join("out").join(picture)).expect("a picture");
        assert!(
            drawn.contains("of 12 run well") && drawn.contains("of 12 collapse"),
            "{picture}"
        );
    }
}

#[test]
fn a_week_is_a_week_also_where_clocks_are_changed() {
    let scratch = Scratch::new("clocks");
    let text = "run: { length: 10 d, replications: 2, window: 1 h, start: 2026-03-23 }
clients:
  web:
    to: f
    arrivals: { diurnal: { mean: 36/h, weekdays: [1, 1, 1, 1, 1, 0.9, 0.9], time_zone: Europe/Berlin } }
functions: { f: { idle_timeout: 2 h, handler: [{ wait: 50 ms }] } }
";
    for start in ["2026-03-23", "2026-05-04"] {
        let outcome = run(&scratch, "week.yaml", &text.replace("2026-03-23", start), &[]);
        says(&outcome.stdout, &["clients.web repeats itself every 7 d"]);
        // Its hours are no changes that would end a warm-up.
        assert!(
            !outcome.stdout.contains("the traffic of clients.web changes"),
            "{}",
            outcome.stdout
        );
        says(&outcome.stdout, &["10 d simulated, 3 h of it warm-up"]);
    }
    // Nor does a spike end the week.
    let spiky = text.replace(
        "Europe/Berlin }",
        "Europe/Berlin }, spikes: [{ at: 3 d, for: 5 min, rate: 1/s }]",
    );
    let outcome = run(&scratch, "spiky.yaml", &spiky, &[]);
    says(
        &outcome.stdout,
        &[
            "clients.web repeats itself every 7 d",
            "10 d simulated, 3 h of it warm-up",
        ],
    );
}

#[test]
fn an_hour_of_a_week_is_no_month() {
    let scratch = Scratch::new("hour");
    let text = "clients: { web: { to: f, arrivals: { diurnal: { mean: 2/s } } } }
functions: { f: { service: aws.lambda, handler: [{ wait: 50 ms }] } }
";
    let outcome = run(&scratch, "hour.yaml", text, &["--replications", "2"]);
    says(
        &outcome.stdout,
        &[
            "no monthly bill: clients.web repeats itself every 24 h",
            "write `length: 24.1 h`, the warm-up included",
        ],
    );
}

#[test]
fn sizing_grows_until_it_is_enough_though_the_first_try_drowns() {
    let scratch = Scratch::new("drowns");
    let text = "run: { length: 30 s, warmup: 5 s, window: 5 s, replications: 1 }
clients: { w: { to: f, arrivals: { poisson: 10k/s } } }
fleets: { f: { vcpu: 1, memory: 1 GB, slots: 1, size: { p99: 50 ms }, handler: [cpu: 10 ms] } }
";
    // With the 64 instances of the first try 3,600 requests a second pile up, for which this is not enough.
    let outcome = run(&scratch, "f.yaml", text, &["--memory", "16MB", "--format", "json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let found: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let instances = metric(&found, 0, "fleets.f.instances");
    assert!((100.0..=200.0).contains(&instances), "{instances}");
    let p99 = metric(&found, 0, "fleets.f.response_time.p99");
    assert!(p99 < 0.06, "{p99}");
    let fixed = text.replace("size: { p99: 50 ms }", "count: 64");
    let outcome = run(&scratch, "f.yaml", &fixed, &["--memory", "16MB"]);
    says(
        &outcome.stderr,
        &["error[C081]", "requests under way, most of them at `f`"],
    );
}

#[test]
fn what_piles_up_elsewhere_is_not_cured_by_a_larger_fleet() {
    let scratch = Scratch::new("elsewhere");
    let text = "run: { length: 30 s, warmup: 5 s, window: 5 s, replications: 1 }
clients: { w: { to: f, arrivals: { poisson: 10k/s } }, other: { to: g, arrivals: { poisson: 1k/s } } }
fleets:
  f: { vcpu: 1, memory: 1 GB, slots: 1, count: 50, handler: [cpu: 10 ms] }
  g: { vcpu: 1, memory: 1 GB, slots: 1, size: { p99: 50 ms }, handler: [cpu: 10 ms] }
";
    let outcome = run(&scratch, "g.yaml", text, &["--memory", "16MB"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stdout);
    says(
        &outcome.stderr,
        &["error[C081]", "requests under way, most of them at `f`"],
    );
}

#[test]
fn a_fleet_is_sized_for_the_ordinary_day() {
    let scratch = Scratch::new("ordinary");
    let text = "run: { length: 60 s, warmup: 5 s, window: 5 s, replications: 2 }
clients: { w: { to: f, arrivals: { poisson: 200/s } } }
fleets: { f: { vcpu: 1, memory: 1 GB, size: { utilisation: 50% }, handler: [cpu: 10 ms] } }
";
    let instances = |text: &str| metric(&summary(&scratch, "f.yaml", text), 0, "fleets.f.instances");
    let ordinary = instances(text);
    let troubled = format!("{text}faults: {{ neighbour: {{ on: f, slow: 4, at: 10 s, for: 50 s }} }}\n");
    assert_eq!(ordinary.to_bits(), instances(&troubled).to_bits(), "{ordinary}");
}

#[test]
fn very_many_windows_are_written_coarser_and_still_judged_one_by_one() {
    let scratch = Scratch::new("windows");
    let text = "run: { length: 4000 s, warmup: 0 s, window: 1 s, replications: 1 }
clients: { w: { to: f, arrivals: { poisson: 3/s } } }
functions: { f: { cpu: 1, handler: [cpu: { median: 10 ms, p99: 40 ms }] } }
expect: [{ metric: latency.p99, below: 20 ms, windows: 50% }]
";
    let file = scratch.write("w.yaml", text);
    let outcome = coldcurve(scratch.path(), &["run", file, "--out", "out", "--no-pictures"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    says(&outcome.stdout, &["Timelines show 2 s at a time, 2 windows of 1 s"]);
    let read = |name: &str| std::fs::read_to_string(scratch.path().join("out").join(name)).expect(name);
    let found: Value = serde_json::from_str(&read("summary.json")).expect("JSON");
    assert_eq!(found["coarser"]["window_ns"], 2_000_000_000_u64);
    let p99 = timeline(&found, "latency.p99", 1.0);
    assert_eq!(p99.len(), 2000);
    let csv = read("timeline.csv");
    let header = csv.lines().next().expect("a header");
    assert!(header.ends_with(",window_s"), "{header}");
    let second = csv.lines().nth(2).expect("a second window");
    assert!(
        second.starts_with("base,latency.p99,s,1,2,") && second.ends_with(",2"),
        "{second}"
    );
    // What is judged is the share of single windows: of two windows put together the slower one counts.
    assert_eq!(found["expectations"][0]["outcome"], "holds");
    let share = found["expectations"][0]["seen"]["mean"].as_f64().expect("a share");
    let seen: Vec<f64> = p99.into_iter().filter(|p99| p99.is_finite()).collect();
    let coarse = seen.iter().filter(|p99| **p99 < 0.02).count() as f64 / seen.len() as f64;
    assert!(share > coarse + 0.1 && share < 0.9, "{share} {coarse}");

    let minutes = text
        .replace("window: 1 s", "window: 10 s")
        .replace("below: 20 ms", "below: 1 s");
    let plain = summary(&scratch, "w.yaml", &minutes);
    assert!(plain.get("coarser").is_none());
    assert_eq!(timeline(&plain, "latency.p99", 1.0).len(), 400);
}

#[test]
fn many_ways_through_gateways_are_each_followed_once() {
    let scratch = Scratch::new("ways");
    let mut text = "run: {length: 1 min, replications: 1, warmup: 0 s}
clients: { web: { to: g0, arrivals: { poisson: 1/s }, paths: {/a: 1, /b: 1} } }
functions: { f: { cpu: 1, handler: [ cpu: 1 ms ] } }
gateways:\n"
        .to_owned();
    // With 60 gateways there are more ways than could be followed in a lifetime.
    for gateway in 0..60 {
        let to = if gateway == 59 {
            "f".to_owned()
        } else {
            format!("g{}", gateway + 1)
        };
        writeln!(
            text,
            "  g{gateway}: {{ routes: [ {{ path: /a, to: {to} }}, {{ path: /b, to: {to} }} ] }}"
        )
        .expect("memory");
    }
    let file = scratch.write("ways.yaml", &text);
    let outcome = coldcurve(scratch.path(), &["check", file]);
    assert_eq!(outcome.code, Some(2));
    says(
        &outcome.stderr,
        &["error[C062]: more than 4 gateways in a row", "g0: { routes"],
    );
    // Four in a row are allowed.
    let four = text.replace("to: g4 }", "to: f }").replace("to: web", "to: g0");
    let four: String = four
        .lines()
        .filter(|line| {
            let number = line
                .trim()
                .strip_prefix('g')
                .and_then(|rest| rest.split(':').next()?.parse::<u32>().ok());
            number.is_none_or(|number| number < 4)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let outcome = coldcurve(scratch.path(), &["check", scratch.write("four.yaml", &four)]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn calls_may_go_through_very_many_functions_but_not_in_a_circle() {
    let scratch = Scratch::new("chain");
    let most = 20_000;
    let chain = |last: &str| {
        let mut text = "run: {length: 1 min, replications: 1, warmup: 0 s}
clients: { web: { to: f0, arrivals: { poisson: 1/s } } }
functions:\n"
            .to_owned();
        for function in 0..most {
            let to = if function + 1 == most {
                last.to_owned()
            } else {
                format!("f{}", function + 1)
            };
            writeln!(text, "  f{function}: {{ cpu: 1, handler: [ call: {to} ] }}").expect("memory");
        }
        text + "externals: { end: { latency: 1 ms } }\n"
    };
    let check = |text: &str| coldcurve(scratch.path(), &["check", scratch.write("chain.yaml", text)]);
    let straight = check(&chain("end"));
    assert_eq!(straight.code, Some(0), "{}", straight.stderr);
    let round = check(&chain("f19998"));
    assert_eq!(round.code, Some(2));
    says(
        &round.stderr,
        &["these call one another for ever: f19998 -> f19999 -> f19998"],
    );
}

#[test]
fn what_fails_has_no_latency_and_is_never_the_fastest() {
    let scratch = Scratch::new("good");
    let text = "run: { length: 60 s, warmup: 0 s, window: 10 s, replications: 3 }
clients: { web: { to: f, arrivals: { poisson: 50/s } } }
functions: { f: { handler: [ wait: 20 ms ] } }
variants:
  well: {}
  broken: { functions: { f: { failure: 100% } } }
  late: { faults: { out: { on: f, fail: 100%, at: 29 s, until: 60 s } } }
expect:
  - { variant: well, metric: latency.all.p99, below: 10 s }
  - { variant: broken, metric: latency.failed.p99, below: 10 s }
  - { variant: broken, metric: latency.p99, below: 1 h }
  - { variant: broken, metric: latency.p99, ratio_to: well, below: 1000 }
  - { variant: late, metric: latency.p99, below: 10 s, windows: 1% }
";
    let file = scratch.write("good.yaml", text);
    let outcome = coldcurve(scratch.path(), &["run", file, "--out", "out"]);
    let row = outcome.stdout.lines().find(|line| line.starts_with("! broken"));
    let row = row.unwrap_or_else(|| panic!("{}", outcome.stdout));
    assert!(
        row.contains('–') && !row.contains(" 0 s") && !row.contains("ms"),
        "{row}"
    );
    let file = std::fs::read_to_string(scratch.path().join("out/summary.json")).expect("a summary");
    let found: Value = serde_json::from_str(&file).expect("JSON");
    let of = |cell: usize, metric_name: &str| {
        let metrics = found["cells"][cell]["metrics"].as_array().expect("metrics");
        let named = metrics.iter().find(|metric| metric["name"] == metric_name);
        named.unwrap_or_else(|| panic!("no {metric_name}"))["estimate"]["mean"].as_f64()
    };
    let [well, broken, late] = [0, 1, 2];
    for end in ["mean", "p50", "p99", "max", "p99.worst_window"] {
        assert_eq!(of(broken, &format!("latency.{end}")), None, "{end}");
    }
    assert_eq!(of(well, "latency.all.p99"), of(well, "latency.p99"));
    assert!(of(broken, "latency.failed.p50").is_some_and(|took| took >= 0.02));
    // What is refused at once halves the mean of all, and leaves that of good answers alone.
    let (good, all) = (of(late, "latency.p50"), of(late, "latency.all.mean"));
    assert!(
        good > Some(0.0195) && all < of(late, "latency.mean"),
        "{good:?} {all:?}"
    );
    let mut differences = found["differences"].as_array().expect("a list").iter();
    assert!(!differences.any(|d| d["variant"] == "broken" && d["metric"] == "latency.p99"));
    let causes = |cell: usize, place: usize| {
        found["cells"][cell]["causes"][place]["causes"]
            .as_array()
            .map_or(0, Vec::len)
    };
    assert!(causes(broken, 2) > 0 && causes(broken, 0) == 0 && causes(well, 2) == 0);
    let outcomes: Vec<&Value> = (0..5).map(|at| &found["expectations"][at]["outcome"]).collect();
    assert_eq!(outcomes[..4], ["holds", "holds", "fails", "fails"]);
    assert_eq!(found["expectations"][4]["seen"]["mean"], 0.5);
}
