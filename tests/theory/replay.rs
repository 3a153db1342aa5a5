//! Logs of AWS Lambda, call by call: the logged arrivals and durations through the model's own pool of instances.

use super::lab::plan;
use super::page::{Case, Group};
use coldcurve::kernel::{Duration, Instant, Stream, StreamKey};
use coldcurve::model::mechanism::function::instance::Instances;
use coldcurve::model::request::session::Sessions;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// A logged call.
struct Call {
    start: Instant,
    end: Instant,
    cold: bool,
    instance: u32,
}

fn read(name: &str) -> Vec<Call> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/lambda-poisson-2020")
        .join(name);
    let file = std::fs::File::open(path).expect("data that comes with the source");
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    let mut first = None;
    let mut calls: Vec<Call> = reader
        .records()
        .map(|row| {
            let row = row.expect("a row");
            let number = |i: usize| row[i].parse::<f64>().expect("a number");
            let origin = *first.get_or_insert(number(0));
            let at = |i| Instant(((number(i) - origin) * 1e9).round() as u64);
            Call {
                start: at(0),
                end: at(1),
                cold: &row[2] == "1",
                instance: row[3].parse().expect("a number"),
            }
        })
        .collect();
    calls.sort_by_key(|call| call.start);
    calls
}

/// What the pool does with the logged calls: whether each finds no instance.
fn replayed(calls: &[Call], idle_timeout: &str, choice: &str) -> Vec<bool> {
    let plan = plan(&format!(
        "clients: {{ web: {{ to: f, arrivals: {{ poisson: 1/s }} }} }}\n\
         functions: {{ f: {{ idle_timeout: {idle_timeout}, instance_choice: {choice} }} }}\n"
    ));
    let spec = &plan.functions[0];
    let dice = |purpose| Stream::new(1, 0, StreamKey::new("f", purpose));
    let mut pool = Instances::new(spec, dice("keep-alive"), dice("choice"));
    let mut sessions = Sessions::new(&plan.common);
    // Ends of calls and their instances, soonest first; ends come before starts at the same instant.
    let mut busy = BTreeMap::new();
    let place = |(k, call): (usize, &Call)| {
        while let Some(((end, _), instance)) = busy.first_key_value().map(|(key, instance)| (*key, *instance))
            && end <= call.start
        {
            busy.pop_first();
            pool.give_back(spec, instance, end, &mut sessions);
        }
        let warm = pool.take(spec, call.start, &mut sessions).map(|taken| taken.instance);
        let instance = warm.unwrap_or_else(|| {
            let instance = pool.create(spec, call.start);
            pool.initialised(instance, call.start);
            instance
        });
        busy.insert((call.end, k), instance);
        warm.is_none()
    };
    calls.iter().enumerate().map(place).collect()
}

/// How often the log shows the most recently idled of several idle instances at work, among warm calls.
fn most_recent_share(calls: &[Call], expiry: Duration) -> (u64, u64) {
    let mut last_end: BTreeMap<u32, Instant> = BTreeMap::new();
    let (mut choices, mut most_recent) = (0, 0);
    for call in calls {
        let idle = |end: Instant| end <= call.start && call.start.since(end) < expiry;
        let candidates = last_end.values().filter(|end| idle(**end)).count();
        if let Some(&chosen) = last_end.get(&call.instance)
            && !call.cold
            && idle(chosen)
            && candidates > 1
        {
            choices += 1;
            most_recent += u64::from(last_end.values().all(|&end| !idle(end) || end <= chosen));
        }
        last_end.insert(call.instance, call.end);
    }
    (choices, most_recent)
}

/// The logs that come with the source.
const RATES: [&str; 5] = ["0.0019", "0.0029", "0.0042", "0.0078", "0.0501"];
/// The share of calls that must be classified as logged.
const LEAST: f64 = 0.977;

/// Each file's calls, classified.
pub fn logs() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for rate in RATES {
            let calls = read(&format!("rate-{rate}.csv.gz"));
            let cold = replayed(&calls, "635 s", "most-recent");
            let right = calls
                .iter()
                .zip(&cold)
                .filter(|(call, cold)| call.cold == **cold)
                .count();
            let (seen, predicted) = (
                calls.iter().filter(|call| call.cold).count(),
                cold.iter().filter(|cold| **cold).count(),
            );
            let both = calls
                .iter()
                .zip(&cold)
                .filter(|(call, cold)| call.cold && **cold)
                .count();
            let inputs = format!(
                "`rate-{rate}`, {} calls: {seen} cold as logged, {predicted} in the pool, {both} in both",
                calls.len()
            );
            let share = right as f64 / calls.len() as f64;
            cases.push(Case::at_least(
                inputs,
                "classified as logged",
                "threshold",
                LEAST,
                share,
            ));
            let (choices, most_recent) = most_recent_share(&calls, Duration::from_secs(635));
            if choices > 1000 {
                let inputs = format!("`rate-{rate}`, {choices} warm calls with several instances idle");
                let share = most_recent as f64 / choices as f64;
                cases.push(Case::at_least(
                    inputs,
                    "on the most recently idled",
                    "threshold",
                    0.99,
                    share,
                ));
                let other = replayed(&calls, "635 s", "least-recent")
                    .iter()
                    .filter(|cold| **cold)
                    .count();
                let inputs = format!("`rate-{rate}`, {seen} cold as logged");
                cases.push(Case::at_most(
                    inputs,
                    "cold, least recent first",
                    "cold as logged / 2",
                    seen as f64 / 2.0,
                    other as f64,
                ));
            }
        }
        Group {
            title: "Measured: logs of AWS Lambda, call by call",
            about: "The logged arrivals and response times of `data/lambda-poisson-2020` through the model's pool of \
            instances \
                    (most recently idled first, idle timeout 635 s): is each call cold exactly where the log says so? \
                    The two \
                    files at the lowest rates leave one or two calls to explain. The share alone says little where \
                    cold calls are \
                    rare: in `rate-0.0501` calling every call warm would be right in 99.3 %, and only half of the \
                    calls logged as \
                    cold are cold in the pool. Most of the others were no slower than warm ones: their instances seem \
                    to have \
                    been initialised ahead of them, which this model does not know. The log also says how AWS chose \
                    among \
                    several idle instances, and that taking the least recent one instead would have left fewer than \
                    half of \
                    the cold starts.",
            cases,
        }
    })
}

#[test]
fn logged_calls_are_cold_where_the_pool_says_so() {
    logs().assert_holds();
}
