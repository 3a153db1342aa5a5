//! The warm-up that is found: a function of file and seed alone, the same for all cells, and marked where it is not
//! what the system needs.

use crate::support::Scratch;
use coldcurve::run::summary::Summary;
use coldcurve::run::{Options, load};
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

const MINUTE: u64 = 60_000_000_000;

fn run_with(text: &str, options: &Options) -> Summary {
    static CASES: AtomicU32 = AtomicU32::new(0);
    let case = CASES.fetch_add(1, Ordering::Relaxed);
    let scratch = Scratch::new(&format!("warmup-{case}"));
    let file = scratch.path().join("case.yaml");
    fs::write(&file, text).expect("a scenario");
    let loaded = load(&file, options);
    let complaints = loaded.diagnostics.render(&loaded.sources, false);
    let study = loaded.study.unwrap_or_else(|| panic!("{complaints}\n{text}"));
    study.run(&|| ()).expect("runs that end")
}

fn run(text: &str) -> Summary {
    let options = Options {
        replications: Some(2),
        ..Options::default()
    };
    run_with(text, &options)
}

/// One warning that has all these words, and no other warning but those about ages.
fn warned(summary: &Summary, words: &[&str]) {
    let has = |warning: &&String| words.iter().all(|word| warning.contains(word));
    assert_eq!(
        summary.warnings.iter().filter(has).count(),
        1,
        "{words:?} in {:#?}",
        summary.warnings
    );
}

fn json(summary: &Summary) -> String {
    serde_json::to_string(summary).expect("plain data")
}

const CLIENT: &str = "clients: { web: { to: f, arrivals: { poisson: 2/s } } }\n";

fn function(idle: &str) -> String {
    format!("{CLIENT}functions: {{ f: {{ idle_timeout: {idle}, handler: [ wait: {{ exponential: 1 s }} ] }} }}\n")
}

#[test]
fn an_hour_is_measured_after_the_warm_up() {
    let summary = run(&function("10 min"));
    assert!(
        summary.warmup_ns >= 10 * MINUTE && summary.warmup_ns <= 20 * MINUTE,
        "{}",
        summary.warmup_ns
    );
    assert_eq!(summary.length_ns, summary.warmup_ns + 60 * MINUTE);
    assert_eq!(summary.warmup.floor_of.as_deref(), Some("functions.f.idle_timeout"));
    assert!(summary.warmup.automatic && summary.warmup.settled && summary.warmup.pilots > 1);
    assert!(summary.warnings.is_empty(), "{:?}", summary.warnings);
    let given = run(&format!("run: {{ warmup: 15 min }}\n{}", function("10 min")));
    assert_eq!((given.warmup_ns, given.length_ns), (15 * MINUTE, 75 * MINUTE));
    assert!(!given.warmup.automatic && given.warnings.is_empty());
}

#[test]
fn replications_variants_and_threads_leave_it_alone() {
    let text = format!(
        "{}variants:\n  short: {{}}\n  long: {{ functions: {{ f: {{ idle_timeout: 23 min }} }} }}\n",
        function("2 min")
    );
    let with = |replications, variants: &[&str]| {
        let options = Options {
            replications: Some(replications),
            variants: variants.iter().map(ToString::to_string).collect(),
            ..Options::default()
        };
        run_with(&text, &options)
    };
    let all = with(2, &[]);
    assert!(
        all.warmup_ns >= 23 * MINUTE,
        "the longest memory of all cells: {}",
        all.warmup_ns
    );
    for other in [with(3, &[]), with(2, &["short"]), with(1, &["long"])] {
        assert_eq!((other.warmup_ns, other.length_ns), (all.warmup_ns, all.length_ns));
        assert_eq!(other.warmup, all.warmup);
    }
    let short = with(2, &["short"]);
    let figures = |summary: &Summary| serde_json::to_string(&summary.cells[0]).expect("plain data");
    assert!(figures(&short) == figures(&all), "figures depend on who else runs");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    assert!(
        json(&pool.install(|| with(2, &[]))) == json(&all),
        "another number of threads, other figures"
    );
}

#[test]
fn what_a_given_length_has_no_room_for_is_cut_and_said() {
    let summary = run(&format!("run: {{ length: 16 min }}\n{}", function("10 min")));
    assert_eq!((summary.warmup_ns, summary.length_ns), (8 * MINUTE, 16 * MINUTE));
    warned(
        &summary,
        &["cut to 8 min", "functions.f", "10 min", "write `length: 27 min`"],
    );
    assert!(!summary.warmup.settled);
    // What it says to write is enough.
    let longer = run(&format!("run: {{ length: 27 min }}\n{}", function("10 min")));
    assert!(
        longer.warnings.is_empty() && longer.warmup_ns >= 10 * MINUTE,
        "{:?}",
        longer.warnings
    );
}

#[test]
fn a_given_warm_up_that_is_too_short_is_said_and_kept() {
    let summary = run(&format!(
        "run: {{ length: 40 min, warmup: 1 min }}\n{}",
        function("10 min")
    ));
    assert_eq!(summary.warmup_ns, MINUTE);
    warned(
        &summary,
        &["the warm-up of 1 min", "functions.f", "write `warmup: 11 min`"],
    );
    let none = run(&format!(
        "run: {{ length: 40 min, warmup: 0 s }}\n{}",
        function("10 min")
    ));
    assert!(
        none.warnings.is_empty(),
        "who wants to see the start sees it: {:?}",
        none.warnings
    );
    let too_short = run(&format!(
        "run: {{ length: 9 min, warmup: 0 s }}\n{}",
        function("10 min")
    ));
    warned(&too_short, &["functions.f", "idle", "10 min"]);
}

#[test]
fn ages_that_no_instance_reached_are_one_line() {
    let aged = |length: &str| {
        run(&format!(
            "run: {{ length: {length}, warmup: 1 min }}\n{CLIENT}functions:\n  f: {{ idle_timeout: 30 s, maximum_age: \
             {{ uniform: [2 h, 3 h] }}, recycle: [{{ at: 5 h }}], handler: [ wait: 1 ms, call: g ] }}\n  g: {{ \
             idle_timeout: 30 s, maximum_age: {{ uniform: [2 h, 3 h] }}, handler: [ wait: 1 ms ] }}\n"
        ))
    };
    let short = aged("1 h");
    warned(
        &short,
        &[
            "functions.f, functions.g",
            "maximum age (2 h)",
            "recycling is not in these figures",
        ],
    );
    warned(&short, &["functions.f", "recycled at 5 h"]);
    assert_eq!(short.warnings.len(), 2);
    assert!(aged("6 h").warnings.is_empty());
}

#[test]
fn a_warm_up_does_not_swallow_what_is_to_be_seen() {
    let events = [
        (
            "faults: { slow: { on: f, at: 5 min, for: 3 min, slow: 3 } }\n",
            "",
            "slow",
        ),
        ("", "spikes: [{ at: 5 min, for: 1 min, rate: 50/s }]", "traffic"),
    ];
    for (faults, spikes, word) in events {
        let text = format!(
            "run: {{ length: 60 min }}\n{faults}clients: {{ web: {{ to: f, arrivals: {{ poisson: 2/s, \
             {spikes} }} }} }}\n\
             functions: {{ f: {{ idle_timeout: 10 min, handler: [ wait: 1 s ] }} }}\n"
        );
        let summary = run(&text);
        assert_eq!(summary.warmup_ns, 5 * MINUTE, "{text}");
        warned(&summary, &["the warm-up ends after 5 min", word, "functions.f"]);
        // One that comes later, or again and again, shortens nothing.
        let later = run(&text.replace("at: 5 min", "at: 30 min"));
        assert!(
            later.warmup_ns >= 10 * MINUTE && later.warnings.is_empty(),
            "{:?}",
            later.warnings
        );
    }
}

#[test]
fn what_grows_is_not_settled_and_has_no_say() {
    let text = "clients: { web: { to: jobs, arrivals: { poisson: 5/s } } }
queues: { jobs: { to: work, visibility_timeout: 6 min } }
functions: { work: { timeout: 1 min, reserved_concurrency: 2, idle_timeout: 30 s, handler: [ wait: 4 s ] } }
";
    let summary = run(text);
    assert!(!summary.warmup.settled);
    assert!(
        summary
            .warmup
            .drifting
            .iter()
            .any(|metric| metric.contains("queues.jobs.depth"))
    );
    assert!(summary.warmup_ns <= 2 * MINUTE, "{}", summary.warmup_ns);
    warned(&summary, &["not settled", "queues.jobs.depth"]);
}

#[test]
fn a_slow_fill_that_no_plan_shows_is_found_by_pilots() {
    // Half an hour until as many callers wait as ever will: the handler is quick to read, what it waits for is not.
    let text = "clients: { web: { to: f, arrivals: { poisson: 0.2/s } } }
externals: { slow: { latency: { exponential: 5 min } } }
functions: { f: { timeout: 15 min, idle_timeout: 1 s, handler: [ call: slow ] } }
";
    let summary = run(text);
    assert!(
        summary.warmup.transient_ns > summary.warmup.floor_ns,
        "{:?}",
        summary.warmup
    );
    assert!(
        (5 * MINUTE..40 * MINUTE).contains(&summary.warmup_ns),
        "{}",
        summary.warmup_ns
    );
}

#[test]
fn many_cells_have_few_pilots() {
    let text = format!(
        "run: {{ length: 30 min, window: 1 min }}\n{}sweep: [{{ parameter: functions.f.idle_timeout, values: [1 min, \
         2 min, \
         3 min, 4 min, 5 min, 6 min, 7 min, 8 min, 9 min, 11 min] }}]\n",
        function("10 min")
    );
    let summary = run(&text);
    assert!(summary.warmup.pilot_cells <= 8, "{:?}", summary.warmup);
    assert!(
        summary.warmup_ns >= 11 * MINUTE,
        "the last of the sweep remembers the longest"
    );
}

#[test]
fn cold_starts_that_die_out_are_settled() {
    // At 50 a second every cold start comes in the first minutes; a burst at the start is no drift.
    let text = "run: { length: 30 min }
clients: { web: { to: f, arrivals: { poisson: 50/s } } }
functions: { f: { idle_timeout: 5 min, handler: [ wait: { exponential: 100 ms } ] } }
";
    for seed in 1..=6 {
        let options = Options {
            seed: Some(seed),
            replications: Some(1),
            ..Options::default()
        };
        let summary = run_with(text, &options);
        assert!(summary.warmup.settled, "seed {seed}: {:?}", summary.warnings);
        assert!(summary.warmup_ns <= 10 * MINUTE, "seed {seed}: {}", summary.warmup_ns);
    }
}

#[test]
fn a_start_at_which_nothing_fails_yet_is_left_out_by_the_errors() {
    // The table's unused capacity of 300 s lasts for 500 s; from then on it refuses, and good answers are as fast as
    // before.
    let summary = run("run: { length: 3 h, warmup: auto }
clients: { web: { to: f, arrivals: { poisson: 16/s } } }
functions: { f: { idle_timeout: 10 s, handler: [ wait: 5 ms, call: { to: orders, operation: write } ] } }
stores: { orders: { service: aws.dynamodb.provisioned, write_capacity: 10/s, read_capacity: 5/s } }
");
    let seconds = summary.warmup.transient_ns / 1_000_000_000;
    assert!((480..=700).contains(&seconds), "{seconds} s");
    assert!(summary.warmup.settled, "{:?}", summary.warnings);
}
