//! Workflows: traces of each state by hand, formulas, and the workflows that were measured on AWS in 2020.

use super::lab::{Column, Lab, plan_with, times};
use super::page::{Case, Group};
use coldcurve::cost::Meter;
use coldcurve::scenario::Folder;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// One execution (or a few, at given instants) of a workflow `flow` whose transitions take 1 ms and whose tasks take
/// 10 ms beside what they call.
struct Trace {
    lab: Lab,
    what: &'static str,
    cases: Vec<Case>,
}

impl Trace {
    fn new(what: &'static str, states: &str, rest: &str) -> Self {
        Self::at(
            what,
            &[0],
            &format!("transition: 1 ms, task_overhead: 10 ms, states: {states}"),
            rest,
        )
    }

    fn at(what: &'static str, arrivals_ms: &[u64], workflow: &str, rest: &str) -> Self {
        let text = format!(
            "run: {{ length: 100 s, warmup: 0 s, window: 100 s }}\n\
             clients: {{ web: {{ to: flow, arrivals: {{ times: {{ file: t, column: t, unit: ms }} }} }} }}\n\
             workflows: {{ flow: {{ {workflow} }} }}\n{rest}"
        );
        let lab = Lab::of(plan_with(&text, &Column::of(arrivals_ms)), 1);
        let cases = Vec::new();
        Self { lab, what, cases }
    }

    fn case(mut self, quantity: &str, expected: f64, simulated: f64) -> Self {
        let case = Case::exact(self.what, quantity, "by hand", expected, simulated);
        self.cases.push(case);
        self
    }

    /// How long the one execution took, in microseconds.
    fn takes_us(self, us: u64) -> Self {
        let seen = self.lab.one("flow", "duration");
        self.case("duration, ns", us as f64 * 1e3, seen)
    }

    fn takes(self, ms: u64) -> Self {
        self.takes_us(ms * 1000)
    }

    fn metric(self, metric: &str, expected: f64) -> Self {
        let seen = self.lab.one("flow", metric);
        self.case(&metric.replace('_', " "), expected, seen)
    }

    fn of(self, component: &str, metric: &str, expected: f64) -> Self {
        let seen = self.lab.one(component, metric);
        self.case(&format!("`{component}` {}", metric.replace('_', " ")), expected, seen)
    }

    fn meter(self, component: &str, meter: Meter, expected: f64) -> Self {
        let seen = self.lab.metered(component, meter)[0];
        self.case(
            &format!("`{component}` {}", meter.name().replace('_', " ")),
            expected,
            seen,
        )
    }
}

/// A function that takes 100 ms, one that takes 250 ms, and one that fails after 30 ms.
const FUNCTIONS: &str = "functions:\n  \
    short: { memory: 1024 MB, handler: [ wait: 100 ms ] }\n  \
    long: { memory: 1024 MB, handler: [ wait: 250 ms ] }\n  \
    broken: { failure: 100 %, handler: [ wait: 30 ms ] }\n  \
    slow: { timeout: 50 ms, memory: 1024 MB, handler: [ wait: 100 ms ] }\n";

fn single_states() -> Vec<Case> {
    let mut cases = Vec::new();
    // 1 into the task, 10 beside it, 100 in it, 1 out.
    let task = Trace::new("a task of 100 ms", "{ a: { task: short } }", FUNCTIONS);
    cases.extend(
        task.takes(112)
            .metric("transitions", 2.0)
            .of("web", "latency", 112e6)
            .cases,
    );
    let rest = "{ a: { pass: true, next: b }, b: { wait: 5 s, next: c }, c: succeed }";
    let rest = Trace::new("pass, wait 5 s, succeed", rest, FUNCTIONS);
    cases.extend(
        rest.takes(5004)
            .metric("transitions", 4.0)
            .metric("state.b.time", 5001e6)
            .cases,
    );
    // Four tries of 1 + 10 + 30 ms, waits of 1, 2 and 4 s between them, and the way out.
    let again = Trace::new(
        "a task that fails after 30 ms, retried by default",
        "{ a: { task: broken, retry: [{}] } }",
        FUNCTIONS,
    );
    let again = again.takes(4 * 41 + 7000 + 1).metric("transitions", 5.0);
    let again = again
        .metric("failed", 1.0)
        .metric("retries", 3.0)
        .metric("state.a.errors", 4.0);
    cases.extend(again.metric("state.a.visits", 1.0).cases);
    let capped = Trace::new(
        "the same with waits of 3 s at most, then caught",
        "{ a: { task: broken, retry: [{ max_delay: 3 s }], catch: [{ next: b }] }, b: { pass: true } }",
        FUNCTIONS,
    );
    let capped = capped.takes(4 * 41 + 6000 + 1 + 1).metric("succeeded", 1.0);
    cases.extend(capped.metric("caught", 1.0).metric("transitions", 6.0).cases);
    // The first retrier that fits does not want to; time-outs are not meant by the second.
    let picky = Trace::new(
        "only throttles are retried",
        "{ a: { task: broken, retry: [{ errors: [throttled] }], catch: [{ errors: [timed_out], next: b }] }, b: fail }",
        FUNCTIONS,
    );
    cases.extend(
        picky
            .metric("state.a.visits", 1.0)
            .takes(42)
            .metric("state.b.visits", 0.0)
            .cases,
    );
    // 1 + 10 + 40, then 1 into the failure and 1 out; what was called goes on and is billed.
    let late = Trace::new(
        "a task of 100 ms that may take 40",
        "{ a: { task: short, timeout: 40 ms, catch: [{ errors: [timed_out], next: b }] }, b: fail }",
        FUNCTIONS,
    );
    let late = late.takes(53).metric("failed", 1.0);
    cases.extend(late.meter("short", Meter::ComputeMbMs, 102_400.0).cases);
    // The function is cut off after 50 ms, and the execution goes on.
    let survives = Trace::new(
        "a function that runs into its time limit of 50 ms",
        "{ a: { task: slow, catch: [{ errors: [failed], next: b }] }, b: { task: short } }",
        FUNCTIONS,
    );
    cases.extend(survives.takes(61 + 111 + 1).metric("succeeded", 1.0).cases);
    cases
}

fn forks() -> Vec<Case> {
    let mut cases = Vec::new();
    let both = "{ a: { parallel: [{ states: { b: { task: short } } }, { states: { c: { task: long } } }] } }";
    let both = Trace::new("branches of 100 and 250 ms", both, FUNCTIONS);
    cases.extend(both.takes(1 + 261 + 1).metric("transitions", 4.0).cases);
    let broken = "{ a: { parallel: [{ states: { b: { task: broken } } }, { states: { c: { task: long } } }] } }";
    let broken = Trace::new(
        "a branch fails after 30 ms: the other one is left to itself",
        broken,
        FUNCTIONS,
    );
    let broken = broken
        .takes(1 + 41 + 1)
        .metric("failed", 1.0)
        .metric("state.c.visits", 1.0);
    cases.extend(broken.meter("long", Meter::ComputeMbMs, 256_000.0).cases);
    // Three waves of 1 + 10 + 100 ms.
    let items = "{ a: { map: { items: 7, concurrency: 3, states: { b: { task: short } } } } }";
    let items = Trace::new("a map of 7 items, 3 at once", items, FUNCTIONS);
    cases.extend(items.takes(1 + 3 * 111 + 1).metric("transitions", 9.0).cases);
    // Each item is an execution with a transition out of it.
    let items = "{ a: { map: { mode: distributed, items: 4, states: { b: { task: short } } } } }";
    let items = Trace::new("a distributed map of 4 items", items, FUNCTIONS);
    cases.extend(
        items
            .takes(1 + 112 + 1)
            .metric("transitions", 10.0)
            .metric("items", 4.0)
            .cases,
    );
    let items = "{ a: { map: { mode: distributed, items: 4, tolerated_failures: 100 %, concurrency: 2, \
                 states: { b: { task: broken } } } } }";
    let items = Trace::new("all items fail, and all may, 2 at once", items, FUNCTIONS);
    cases.extend(items.takes(1 + 2 * 42 + 1).metric("succeeded", 1.0).cases);
    let items = "{ a: { map: { mode: distributed, items: 4, tolerated_failures: 25 %, concurrency: 2, \
                 states: { b: { task: broken } } } } }";
    let items = Trace::new("all items fail, and one in four may", items, FUNCTIONS);
    cases.extend(items.takes(1 + 42 + 1).metric("failed", 1.0).metric("items", 3.0).cases);
    // A map in a branch: its failure is the branch's, and the branch of 250 ms is left to itself.
    let nested = "{ a: { parallel: [{ states: { b: { map: { items: 2, states: { c: { task: broken } } } } } }, \
                  { states: { d: { task: long } } }], catch: [{ next: e }] }, e: succeed }";
    let nested = Trace::new(
        "an item fails in a branch, and the parallel state catches",
        nested,
        FUNCTIONS,
    );
    cases.extend(nested.takes(1 + 1 + 41 + 1 + 1).metric("succeeded", 1.0).cases);
    cases
}

fn limits() -> Vec<Case> {
    let mut cases = Vec::new();
    // Four times 1 + 10 + 100 in the task and 1 in the choice; then `c` and the way out.
    let counted = "{ a: { task: short, next: b }, b: { choice: [{ first: 3, next: a }, { next: c }] }, c: succeed }";
    let counted = Trace::new("a loop that counts to 3", counted, FUNCTIONS);
    cases.extend(counted.takes(4 * 112 + 2).metric("state.a.visits", 4.0).cases);
    let late = Trace::at(
        "an execution that may take 2 s waits for 10 s",
        &[0],
        "timeout: 2 s, states: { a: { wait: 10 s } }",
        FUNCTIONS,
    );
    cases.extend(
        late.takes(2000)
            .metric("timed_out", 1.0)
            .of("web", "failed_500", 1.0)
            .cases,
    );
    // Two transitions at once, then one every 100 ms.
    let quota = Trace::at(
        "four passes under a quota of 10 transitions a second, 2 at once",
        &[0],
        "transition_rate: 10/s, transition_burst: 2, states: { a: { pass: true, next: b }, b: { pass: true, next: c }, \
         c: { pass: true, next: d }, d: { pass: true } }",
        FUNCTIONS,
    );
    cases.extend(quota.takes(200).metric("transitions_delayed", 2.0).cases);
    let starts = Trace::at(
        "starts at 0, 500 and 1000 ms under a quota of one a second",
        &[0, 500, 1000],
        "start_rate: 1/s, states: { a: { task: short } }",
        FUNCTIONS,
    );
    cases.extend(
        starts
            .metric("started", 2.0)
            .metric("throttled", 1.0)
            .of("web", "throttled_429", 1.0)
            .cases,
    );
    let open = Trace::at(
        "starts at 0 and 50 ms, one may be open",
        &[0, 50],
        "maximum_open: 1, states: { a: { task: short } }",
        FUNCTIONS,
    );
    cases.extend(open.metric("started", 1.0).metric("open.peak", 1.0).cases);
    // Started and ended make 2 events, each pass 2: the 12th is one too many.
    let history = Trace::at(
        "a loop of passes under a limit of 25 events",
        &[0],
        "history_limit: 25, transition: 1 ms, states: { a: { pass: true, next: a } }",
        FUNCTIONS,
    );
    cases.extend(
        history
            .takes(11)
            .metric("history_exceeded", 1.0)
            .metric("state.a.visits", 12.0)
            .cases,
    );
    let started = Trace::at(
        "the caller hears when the execution has started, after 25 ms",
        &[0],
        "answer: started, start_latency: 25 ms, states: { a: { task: long } }",
        FUNCTIONS,
    );
    cases.extend(started.takes(250).of("web", "latency", 25e6).cases);
    let nested = "{ a: { task: inner } }, task_overhead: 10 ms } , inner: { states: { b: { task: short } }";
    let nested = Trace::at(
        "a workflow that waits for another one",
        &[0],
        &format!("states: {nested}"),
        FUNCTIONS,
    );
    cases.extend(nested.takes(110).of("inner", "duration", 100e6).cases);
    let express = Trace::at(
        "112 ms and 100 MB, metered by duration in steps of 100 ms and 64 MB",
        &[0],
        "metering: duration, memory: 100 MB, states: { a: { task: short } }, transition: 1 ms, task_overhead: 10 ms",
        FUNCTIONS,
    );
    let express = express.takes(112).meter("flow", Meter::ComputeMbMs, 128.0 * 200.0);
    cases.extend(express.meter("flow", Meter::Requests, 1.0).cases);
    cases
}

/// Each kind of state, each limit.
pub fn traces() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Workflows by hand",
        about: "One execution of a few states, where not said otherwise: a transition takes 1 ms, the one out of the \
                execution included, and a task 10 ms beside what it calls.",
        cases: [single_states(), forks(), limits()].concat(),
    })
}

fn harmonic(n: u32) -> f64 {
    (1..=n).map(|k| 1.0 / f64::from(k)).sum()
}

fn flow(states: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 100 s, window: 100 h }}\n\
             clients: {{ web: {{ to: flow, arrivals: {{ poisson: 10/s }} }} }}\n\
             workflows: {{ flow: {{ states: {states} }} }}\n\
             functions: {{ leaf: {{ handler: [ wait: {{ exponential: 100 ms }} ] }}, \
             moody: {{ failure: 30 %, handler: [ wait: {{ exponential: 100 ms }} ] }} }}\n",
            100 + seconds
        ),
        32,
    )
}

/// Branches, items and retries with chance in them.
pub fn formulas() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for n in [2_u32, 10] {
            let branches = vec!["{ states: { bN: { task: leaf } } }"; n as usize];
            let named = branches
                .iter()
                .enumerate()
                .map(|(k, branch)| branch.replace('N', &k.to_string()));
            let states = format!("{{ a: {{ parallel: [{}] }} }}", named.collect::<Vec<_>>().join(", "));
            let lab = flow(&states, 500);
            let inputs = format!("{n} branches, each exponential 100 ms");
            cases.push(Case::mean(
                inputs,
                "mean duration, ms",
                "S × (1 + 1/2 + ... + 1/n)",
                100.0 * harmonic(n),
                &times(&lab.each("flow", "duration"), 1e-6),
            ));
        }
        for (n, c) in [(12_u32, 3_u32), (40, 8)] {
            let states =
                format!("{{ a: {{ map: {{ items: {n}, concurrency: {c}, states: {{ b: {{ task: leaf }} }} }} }} }}");
            let lab = flow(&states, 300);
            // While items wait, one ends every S/c; then c are left.
            cases.push(Case::mean(
                format!("a map of {n} items, {c} at once, each exponential 100 ms"),
                "mean duration, ms",
                "S × ((n - c) / c + 1 + 1/2 + ... + 1/c)",
                100.0 * (f64::from(n - c) / f64::from(c) + harmonic(c)),
                &times(&lab.each("flow", "duration"), 1e-6),
            ));
        }
        let states = "{ a: { task: moody, retry: [{ interval: 500 ms, backoff_rate: 1, max_attempts: 1000 }] } }";
        let lab = flow(states, 1000);
        let inputs = "a task of 100 ms that fails in 30 %, tried again after 500 ms until it succeeds";
        cases.extend([
            Case::mean(
                inputs,
                "transitions",
                "1 / (1 - p) + 1",
                1.0 / 0.7 + 1.0,
                &lab.each("flow", "transitions_per_execution"),
            ),
            Case::mean(
                inputs,
                "mean duration, ms",
                "(S + p W) / (1 - p)",
                (100.0 + 0.3 * 500.0) / 0.7,
                &times(&lab.each("flow", "duration"), 1e-6),
            ),
        ]);
        for (n, c) in [(40_u32, 40_u32), (41, 40), (100, 7), (1000, 40)] {
            let map =
                format!("{{ a: {{ map: {{ items: {n}, concurrency: {c}, states: {{ b: {{ task: short }} }} }} }} }}");
            let trace = Trace::at(
                "a map of n tasks of 100 ms, c at once",
                &[0],
                &format!("states: {map}"),
                FUNCTIONS,
            );
            cases.push(Case::exact(
                format!("a map of {n} tasks of 100 ms, {c} at once"),
                "duration, ms",
                "S × ⌈n / c⌉",
                100.0 * f64::from(n.div_ceil(c)),
                trace.lab.one("flow", "duration") * 1e-6,
            ));
        }
        Group {
            title: "Workflows: branches, items, retries",
            about: "Transitions take no time here, functions are never refused, and no start is cold.",
            cases,
        }
    })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/step-functions-2020")
}

fn rows(file: &str, app: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(folder().join(file)).expect("data that comes with the source");
    let rows = reader
        .records()
        .map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    rows.filter(|row: &Vec<String>| row[0] == app).collect()
}

/// The graph of one of the three applications as states. The second and the third add steps to the first.
fn graph(app: &str) -> String {
    let (look, fast) = match app {
        "App8" => ("next: f6", String::new()),
        _ => (
            "next: kind",
            "kind: { choice: [{ probability: 80 %, next: f9 }, { next: f10 }] }, \
             f9: { task: f9, next: f6 }, f10: { task: f10, next: f6 }, "
                .to_owned(),
        ),
    };
    let (f5, tail) = match app {
        "App12" => (
            "next: both",
            "both: { parallel: [{ states: { f11: { task: f11 } } }, { states: { f12: { task: f12 } } }] }",
        ),
        _ => ("", ""),
    };
    let f5 = if f5.is_empty() {
        "f5: { task: f5 }".to_owned()
    } else {
        format!("f5: {{ task: f5, {f5} }}, {tail}")
    };
    format!(
        "{{ f1: {{ task: f1, next: fork }}, fork: {{ parallel: [\
         {{ states: {{ f2: {{ task: f2, next: way }}, \
         way: {{ choice: [{{ probability: 60 %, next: f4 }}, {{ next: f5 }}] }}, f4: {{ task: f4 }}, {f5} }} }}, \
         {{ states: {{ f3: {{ task: f3, {look} }}, {fast}f6: {{ task: f6, next: again }}, \
         again: {{ choice: [{{ probability: 10 %, next: f3 }}, {{ next: found }}] }}, found: succeed }} }}], \
         next: f7 }}, f7: {{ task: f7, next: more }}, \
         more: {{ choice: [{{ probability: 20 %, next: f7 }}, {{ next: f8 }}] }}, f8: {{ task: f8 }} }}"
    )
}

/// An application with the durations of its functions: as logged one by one where they are published, else their means.
fn application(app: &str) -> Lab {
    let mut functions = String::new();
    for row in rows("means.csv", app) {
        let (name, mean) = (&row[1], &row[4]);
        let time = if app == "App8" {
            format!("{{ empirical: {{ file: app8-{name}.csv.gz, column: duration_ms, unit: ms }} }}")
        } else {
            format!("{mean} ms")
        };
        let _ = writeln!(functions, "  {name}: {{ handler: [ wait: {time} ] }}");
    }
    let text = format!(
        "run: {{ length: 12000 s, warmup: 0 s, window: 100 h }}\n\
         clients: {{ web: {{ to: flow, arrivals: {{ constant: 0.1/s }} }} }}\n\
         workflows: {{ flow: {{ service: aws.step_functions.standard, states: {} }} }}\nfunctions:\n{functions}",
        graph(app)
    );
    let plan = plan_with(&text, &Folder(folder()));
    Lab::of(plan, 16)
}

/// The three workflows of Lin and Khazaei, 2020.
pub fn measured() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for app in ["App8", "App10", "App12"] {
            let row = &rows("executions.csv", app)[0];
            let mean: f64 = row[2].parse().expect("a number");
            let lab = application(app);
            let inputs = format!("{app}, {} executions", row[1]);
            let seen = times(&lab.each("flow", "duration"), 1e-6);
            let shown = Case::shown(&inputs, "mean duration, ms", "AWS", mean, &seen);
            let error = (100.0 * shown.relative_error(), 100.0 * shown.relative_se());
            cases.push(shown);
            cases.push(Case::estimate_at_most(
                &inputs,
                "error of the mean, %",
                "threshold",
                3.0,
                error,
            ));
            for name in ["f3", "f7"] {
                let of = |row: &&Vec<String>| row[1] == name;
                let logged = rows("means.csv", app).iter().find(of).map(|row| row[3].clone());
                let logged: f64 = logged.and_then(|count| count.parse().ok()).expect("a count");
                let per = super::lab::with(
                    &lab.each(name, "invocations"),
                    &lab.each("flow", "started"),
                    |calls, executions| calls / executions,
                );
                let quantity = format!("calls of `{name}` per execution");
                cases.push(Case::shown(&inputs, &quantity, "AWS", logged / 3000.0, &per));
            }
        }
        Group {
            title: "Measured: three workflows on AWS Step Functions, 2020",
            about: "Three applications of 8, 10 and 12 functions with branches, choices and loops, executed 3,000 \
                    times each (Lin and Khazaei, `data/step-functions-2020`). Inputs are the graph with the \
                    probabilities that its authors gave it, the durations that Lambda logged (one \
                    by one for the first, means for \
                    the others), and the delays of the preset `aws.step_functions.standard`: 1 ms a transition and \
                    18.81 ms a task, which the authors fitted to other logs. The mean must come out within 3 %; its \
                    own standard error is 0.3 %.",
            cases,
        }
    })
}

#[test]
fn states_take_the_time_worked_out_by_hand() {
    traces().assert_holds();
}

#[test]
fn branches_items_and_retries_follow_their_formulas() {
    formulas().assert_holds();
}

#[test]
fn measured_workflows_come_out_within_three_percent() {
    measured().assert_holds();
}
