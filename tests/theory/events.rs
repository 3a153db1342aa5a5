//! Events: what happens to invocations whose sender does not wait.

use super::lab::{Column, Lab, plan_with, times, with};
use super::page::{Case, Group};
use std::sync::OnceLock;

/// One run over events at instants in ms, and the list of cases that it fills. A client calls `door`, whose handler is
/// `sends` and takes no time.
pub(super) struct Trace {
    lab: Lab,
    what: &'static str,
    pub(super) cases: Vec<Case>,
}

impl Trace {
    fn new(what: &'static str, at_ms: &[u64], sends: &str, functions: &str, rest: &str) -> Self {
        let rest = format!("functions: {{ door: {{ handler: {sends} }}, {functions} }}\n{rest}");
        Self::of(what, at_ms, "length: 1000 s", &rest)
    }

    /// The client calls what is called `door` in `rest`; `run` is the run's length and start.
    pub(super) fn of(what: &'static str, at_ms: &[u64], run: &str, rest: &str) -> Self {
        let text = format!(
            "run: {{ warmup: 0 s, window: 100 s, {run} }}\n\
             clients: {{ web: {{ to: door, arrivals: {{ times: {{ file: t, column: t, unit: ms }} }} }} }}\n{rest}"
        );
        let lab = Lab::of(plan_with(&text, &Column::of(at_ms)), 1);
        let cases = Vec::new();
        Self { lab, what, cases }
    }

    fn case(mut self, quantity: &str, expected: f64, simulated: f64) -> Self {
        let case = Case::exact(self.what, quantity, "by hand", expected, simulated);
        self.cases.push(case);
        self
    }

    pub(super) fn count(self, component: &str, metric: &str, expected: f64) -> Self {
        let simulated = self.lab.one(component, metric);
        self.case(
            &format!("`{component}` {}", metric.replace('_', " ")),
            expected,
            simulated,
        )
    }

    /// The mean of a time in ns, and the greatest exactly.
    pub(super) fn time(self, component: &str, metric: &str, mean_ns: f64, max_ns: f64) -> Self {
        let mean = self.lab.one(component, metric);
        let max = self.lab.histograms(component, metric)[0].max() as f64;
        self.case(&format!("`{component}` {metric}, mean in ns"), mean_ns, mean)
            .case(&format!("`{component}` {metric}, longest in ns"), max_ns, max)
    }

    /// A mean level as level x ms over the run's 1000 s.
    pub(super) fn level_ms(self, component: &str, metric: &str, expected_ms: f64) -> Self {
        let simulated = (self.lab.one(component, metric) * 1e6 * 1e6).round() / 1e6;
        self.case(&format!("`{component}` {metric} × ms"), expected_ms, simulated)
    }
}

/// Errors are tried again after one and two minutes.
fn errors() -> Vec<Case> {
    // Work of 10 ms that always fails: it begins at 0, 60.010 and 180.020 s after the event and ends 10 ms later.
    Trace::new(
        "every invocation fails after 10 ms; 2 retries after 1 and 2 min",
        &[5_000],
        "[ send: f ]",
        "f: { failure: 100%, handler: [ wait: 10 ms ], asynchronous: { dead_letter: dead, on_failure: told } }",
        "queues: { dead: {}, told: {} }",
    )
    .count("f", "invocations", 3.0)
    .count("f", "async.retried", 2.0)
    .count("f", "async.dropped_errors", 1.0)
    .count("f", "async.lost", 0.0)
    .count("dead", "sent", 1.0)
    .count("told", "sent", 1.0)
    .time("f", "async.age", (60.010e9 + 180.020e9) / 3.0, 180.020e9)
    .level_ms("f", "async.depth", 180_030.0)
    .cases
}

/// A throttled event goes back, and waits twice as long each time.
fn throttles() -> Vec<Case> {
    // The first event holds the only slot for 100 s. The second, at 1 s, is refused 0, 1, 3, 7, 15, 31 and 63 s after
    // it came, and begins 127 s after it.
    let patient = Trace::new(
        "one slot, work 100 s; events at 0 and 1 s, waits from 1 s on, doubling",
        &[0, 1_000],
        "[ send: f ]",
        "f: { reserved_concurrency: 1, handler: [ wait: 100 s ] }",
        "accounts: { aws: {} }",
    )
    .count("f", "async.throttled", 7.0)
    .count("f", "async.retried", 0.0)
    .count("f", "async.done", 2.0)
    .time("f", "async.age", 63.5e9, 127e9)
    .time("f", "async.latency", 163.5e9, 227e9);
    // With waits of 8 s at most it is refused at 0, 1, 3, 7, 15, 23, ... 95 s and begins 103 s after it came.
    let capped = Trace::new(
        "the same with waits of at most 8 s",
        &[0, 1_000],
        "[ send: f ]",
        "f: { reserved_concurrency: 1, handler: [ wait: 100 s ], asynchronous: { throttle_wait_maximum: 8 s } }",
        "accounts: { aws: {} }",
    )
    .count("f", "async.throttled", 15.0)
    .time("f", "async.age", 51.5e9, 103e9);
    // At an age of 60 s it is given up: after 31 s it would wait for 32 more.
    let old = Trace::new(
        "the same, events kept for 60 s",
        &[0, 1_000],
        "[ send: f ]",
        "f: { reserved_concurrency: 1, handler: [ wait: 100 s ], asynchronous: { maximum_age: 60 s } }",
        "accounts: { aws: {} }",
    )
    .count("f", "async.throttled", 6.0)
    .count("f", "async.dropped_age", 1.0)
    .count("f", "async.lost", 1.0)
    .level_ms("f", "async.depth", 160_000.0);
    // An error at 10 ms would be tried again at 60.010 s.
    let error = Trace::new(
        "an error after 10 ms, events kept for 60 s",
        &[0],
        "[ send: f ]",
        "f: { failure: 100%, handler: [ wait: 10 ms ], asynchronous: { maximum_age: 60 s } }",
        "",
    )
    .count("f", "invocations", 1.0)
    .count("f", "async.retried", 0.0)
    .count("f", "async.dropped_age", 1.0)
    .level_ms("f", "async.depth", 60_000.0);
    [patient.cases, capped.cases, old.cases, error.cases].concat()
}

/// Where events go, and how often.
fn destinations() -> Vec<Case> {
    let off = Trace::new(
        "a function that is switched off (reserved concurrency 0)",
        &[0, 1_000],
        "[ send: f ]",
        "f: { reserved_concurrency: 0, handler: [ wait: 1 s ], asynchronous: { dead_letter: dead } }",
        "queues: { dead: {} }\naccounts: { aws: {} }",
    )
    .count("f", "offered", 0.0)
    .count("f", "async.dropped_switched_off", 2.0)
    .count("dead", "sent", 2.0);
    // The sender is done at once; f takes 250 ms on the way and 1 s, and what it is done with goes to g.
    let chain = Trace::new(
        "delivery 250 ms, work 1 s, successes go to another function of 2 s",
        &[0],
        "[ send: f ]",
        "f: { handler: [ wait: 1 s ], asynchronous: { delivery_latency: 250 ms, on_success: g } }, \
         g: { handler: [ wait: 2 s ] }",
        "",
    )
    .time("web", "latency", 0.0, 0.0)
    .time("f", "async.age", 0.25e9, 0.25e9)
    .time("f", "async.latency", 1.25e9, 1.25e9)
    .time("g", "async.latency", 2e9, 2e9);
    let twice = Trace::new(
        "every event is delivered twice",
        &[0, 5_000],
        "[ send: f ]",
        "f: { handler: [ wait: 1 s ], asynchronous: { duplicate_rate: 100% } }",
        "",
    )
    .count("f", "invocations", 4.0)
    .count("f", "async.done", 2.0)
    .count("f", "async.duplicates_processed", 2.0);
    let poison = Trace::new(
        "every event is poisoned",
        &[0],
        "[ send: f ]",
        "f: { handler: [ wait: 1 s ], asynchronous: { poison: 100%, retries: 1 } }",
        "",
    )
    .count("f", "failed", 2.0)
    .count("f", "async.dropped_errors", 1.0);
    [off.cases, chain.cases, twice.cases, poison.cases].concat()
}

/// Independent errors: a truncated geometric number of invocations.
fn tries(p: f64, retries: i32) -> Vec<Case> {
    let text = format!(
        "run: {{ length: 12000 s, warmup: 1000 s, window: 100 h }}\n\
         clients: {{ web: {{ to: door, arrivals: {{ poisson: 20/s }} }} }}\n\
         functions: {{ door: {{ handler: [ send: f ] }}, f: {{ failure: {} %, \
         handler: [ wait: {{ exponential: 1 s }} ], asynchronous: {{ retries: {retries}, retry_wait: 10 s }} }} }}\n",
        100.0 * p
    );
    let lab = Lab::run(&text, 16);
    let inputs = format!("errors p = {p}, {retries} retries after 10 s and twice that each, exponential 1 s, 20/s");
    let all = retries + 1;
    let received = lab.each("f", "async.received");
    let made = (1.0 - f64::powi(p, all)) / (1.0 - p);
    // Done at try k (from 0) after k + 1 services and the waits before it, 10 s x (2^k - 1).
    let done_at = |k: i32| f64::powi(p, k) * (1.0 - p);
    let took = |k: i32| f64::from(k + 1) + 10.0 * (f64::powi(2.0, k) - 1.0);
    let mean = (0..all).map(|k| done_at(k) * took(k)).sum::<f64>() / (1.0 - f64::powi(p, all));
    // Little's law for the queue: what is given up has been there for all services and waits.
    let stay = (0..all).map(|k| done_at(k) * took(k)).sum::<f64>() + f64::powi(p, all) * took(all - 1);
    let share = |metric: &str| with(&lab.each("f", metric), &received, |part, whole| part / whole);
    vec![
        Case::mean(
            &inputs,
            "invocations per event",
            "(1 - p^(r+1)) / (1 - p)",
            made,
            &share("invocations"),
        ),
        Case::mean(
            &inputs,
            "given up",
            "p^(r+1)",
            f64::powi(p, all),
            &share("async.dropped_errors"),
        ),
        Case::mean(
            &inputs,
            "mean time to be done, s",
            "Σ P(done at k) (k S + waits)",
            mean,
            &times(&lab.each("f", "async.latency"), 1e-9),
        ),
        Case::mean(
            &inputs,
            "events in the queue",
            "λ E[stay]",
            20.0 * stay,
            &lab.each("f", "async.depth"),
        ),
    ]
}

/// Asynchronous invocation.
pub fn asynchronous() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Asynchronous invocation",
        about: "Events that a function takes into its own queue: tries after errors and throttles, their age, where \
                they go, followed by hand; then errors that come independently with probability p, so that the number \
                of invocations is a truncated geometric one and the rest follows from it and from Little's law.",
        cases: [errors(), throttles(), destinations(), tries(0.3, 2), tries(0.6, 1)].concat(),
    })
}

#[test]
fn events_are_tried_again_and_given_up_as_by_hand() {
    asynchronous().assert_holds();
}
