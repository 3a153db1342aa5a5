//! Closed clients: users who wait for each answer.

use super::lab::{Lab, times};
use super::page::{Case, Group};
use std::sync::OnceLock;

fn scenario(users: u32, function: &str, seconds: u32) -> Lab {
    Lab::run(
        &format!(
            "run: {{ length: {} s, warmup: 60 s, window: 10000 h }}\n\
             clients: {{ people: {{ to: f, users: {{ count: {users}, think: {{ exponential: 2 s }} }} }} }}\n\
             functions: {{ f: {{ {function} }} }}\n",
            60 + seconds
        ),
        32,
    )
}

/// The share of calls that find all c busy when `n` sources offer `alpha` erlangs each while idle (Engset 1918).
fn engset(n: u32, alpha: f64, c: u32) -> f64 {
    (1..=c).fold(1.0, |blocked, k| {
        let offered = f64::from(n - k) * alpha * blocked;
        offered / (f64::from(k) + offered)
    })
}

/// Throughput of `n` users who think for `think` on average and share one server of mean service time `service`.
fn repairman(n: u32, think: f64, service: f64) -> f64 {
    let (mut weight, mut sum) = (1.0, 1.0);
    for k in 0..n {
        weight *= f64::from(n - k) * service / think;
        sum += weight;
    }
    (1.0 - 1.0 / sum) / service
}

/// Users with thinking time.
pub fn users() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (n, service) in [(20, "{ exponential: 500 ms }"), (20, "{ constant: 500 ms }")] {
            let lab = scenario(n, &format!("handler: [ wait: {service} ]"), 2000);
            let inputs = format!("{n} users, think 2 s, unlimited, `{service}`");
            let (rate, busy) = (f64::from(n) / 2.5, f64::from(n) / 5.0);
            cases.extend([
                Case::mean(
                    &inputs,
                    "throughput, 1/s",
                    "N / (Z + S)",
                    rate,
                    &lab.per_second("people", "requests"),
                ),
                Case::mean(
                    &inputs,
                    "busy instances",
                    "N S / (Z + S)",
                    busy,
                    &lab.each("f", "instances.busy"),
                ),
            ]);
        }
        for (n, c) in [(10, 3), (30, 8)] {
            let lab = scenario(
                n,
                &format!("reserved_concurrency: {c}, handler: [ wait: {{ exponential: 500 ms }} ]"),
                4000,
            );
            let expected = engset(n, 0.25, c);
            let inputs = format!("{n} users, think 2 s, limit {c}, exponential 0.5 s");
            cases.push(Case::mean(
                inputs,
                "throttle ratio",
                "Engset",
                expected,
                &lab.each("f", "throttle_ratio"),
            ));
        }
        for (n, service) in [
            (5, "{ exponential: 500 ms }"),
            (5, "{ mean: 500 ms, cv: 2 }"),
            (10, "{ constant: 250 ms }"),
        ] {
            let seconds = if n == 10 { 250 } else { 500 };
            let one = "cpu: 1, concurrency_per_instance: 1000, maximum_instances: 1, idle_timeout: 10 h";
            let lab = scenario(n, &format!("{one}, handler: [ cpu: {service} ]"), 4000);
            let rate = repairman(n, 2.0, f64::from(seconds) / 1e3);
            let response = 1e3 * (f64::from(n) / rate - 2.0);
            let inputs = format!("{n} users, think 2 s, one shared core, `{service}`");
            let latency = times(&lab.each("people", "latency"), 1e-6);
            cases.extend([
                Case::mean(
                    &inputs,
                    "throughput, 1/s",
                    "machine repairman",
                    rate,
                    &lab.per_second("people", "requests"),
                ),
                Case::mean(&inputs, "mean response, ms", "N / X - Z", response, &latency),
            ]);
        }
        Group {
            title: "Users who think",
            about: "Closed clients: N users who call, wait for the answer and think for Z = 2 s (exponential). \
            Without a limit \
                    their throughput is N / (Z + S). Refused by a limit they think again, which is Engset's loss \
                    system. On one \
                    shared core they are the machine repairman's machines; sharing makes the throughput depend on the \
                    mean \
                    demand only (a product-form network: Baskett, Chandy, Muntz and Palacios 1975).",
            cases,
        }
    })
}

#[test]
fn users_wait_for_their_answers() {
    users().assert_holds();
}

#[test]
fn users_who_always_think_for_as_long_do_not_start_together() {
    // Nearly Poisson: 99 busy on average, with a standard deviation of 9.4. A crowd would keep together for ever.
    let lab = Lab::run(
        "run: { length: 100 s, warmup: 0 s }\n\
         clients: { people: { to: f, users: { count: 1000, think: 10 s } } }\n\
         functions: { f: { placement: 0 s, init: 0 s, handler: [ wait: 1.1 s ] } }\n",
        1,
    );
    let peak = lab.one("f", "instances.busy_peak");
    assert!((100.0..150.0).contains(&peak), "{peak} busy at the peak");
}
