//! Overload: impatience, customers who come back, and services that a short spike brings down for good.

use super::lab::{Lab, times, with};
use super::page::{Case, Group};
use std::sync::OnceLock;

/// M/M/c with customers who wait for service exactly so long: the share that is not served, and the mean wait of the
/// others. The density of the wait that an arrival is offered is λ p(c-1) e^((λ - cμ) x) up to the patience T, and
/// λ p(c-1) e^(λT - cμx) beyond.
fn impatient(lambda: f64, mu: f64, servers: u32, patience: f64) -> (f64, f64) {
    let load = lambda / mu;
    let mut term = 1.0;
    let mut free = 0.0;
    for j in 0..servers {
        if j > 0 {
            term *= load / f64::from(j);
        }
        free += term;
    }
    let work = f64::from(servers) * mu;
    let r = lambda - work;
    let at_limit = libm::exp(r * patience);
    let within = (at_limit - 1.0) / r;
    let beyond = at_limit / work;
    let whole = free + lambda * term * (within + beyond);
    let lost = lambda * term * beyond / whole;
    let waits = lambda * term * (at_limit * (r * patience - 1.0) + 1.0) / (r * r) / whole;
    (lost, waits / (1.0 - lost))
}

/// Deadlines that travel.
pub fn patience() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, servers, patience_ms, scenario) in [
            (90.0, 1, 30.0, "count: 1"),
            (150.0, 1, 20.0, "count: 1"),
            (270.0, 3, 10.0, "count: 3, dispatch: shared-queue"),
        ] {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: 1000 s, warmup: 10 s, window: 100 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }}, timeout: {patience_ms} ms }} }}\n\
                     fleets: {{ f: {{ vcpu: 1, slots: 1, heeds_deadlines: true, {scenario}, \
                     handler: [ wait: {{ exponential: 10 ms }} ] }} }}\n"
                ),
                32,
            );
            let (lost, wait) = impatient(lambda, 100.0, servers, patience_ms / 1e3);
            let inputs = format!("λ = {lambda}, S = 0.01, c = {servers}, patience {patience_ms} ms");
            let share = |metric| {
                with(&lab.each("f", metric), &lab.each("f", "requests"), |part, whole| {
                    part / whole
                })
            };
            cases.extend([
                Case::mean(&inputs, "share dropped", "M/M/c+D", lost, &share("dropped_expired")),
                Case::mean(
                    &inputs,
                    "wait of those served, ms",
                    "M/M/c+D",
                    wait * 1e3,
                    &times(&lab.each("f", "queue_wait"), 1e-6),
                ),
                Case::mean(
                    &inputs,
                    "busy servers",
                    "λ S (1 - lost)",
                    lambda / 100.0 * (1.0 - lost),
                    &lab.each("f", "slots.busy"),
                ),
            ]);
        }
        Group {
            title: "Deadlines passed on: a line with impatient customers",
            about: "A fleet that heeds deadlines does not serve requests whose callers have given up: a time-out \
                    is the customers' patience, and what was begun is finished. Barrer (1957), Baccelli and \
                    Hebuterne (1981). Without it the same fleets serve everybody, in vain if it is too late.",
            cases,
        }
    })
}

/// Customers who find no server and try again.
pub fn retrial() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        for (lambda, wait_ms) in [(5.0, 200.0), (7.0, 50.0), (3.0, 1000.0)] {
            let lab = Lab::run(
                &format!(
                    "run: {{ length: 12000 s, warmup: 100 s, window: 1000 h }}\n\
                     clients: {{ web: {{ to: f, arrivals: {{ poisson: {lambda}/s }}, retry: {{ attempts: 100, base: \
                     {wait_ms} ms, factor: 1, jitter: exponential }} }} }}\n\
                     fleets: {{ f: {{ vcpu: 1, slots: 1, queue: 0, handler: [ wait: {{ exponential: 100 ms }} ] }} }}\n"
                ),
                32,
            );
            let load = lambda / 10.0;
            let between = wait_ms / 1e3;
            let waits = load / (1.0 - load) * (0.1 + between);
            let inputs = format!("λ = {lambda}, S = 0.1, mean wait before a retry {wait_ms} ms");
            cases.extend([
                Case::mean(
                    &inputs,
                    "mean latency of all, ms",
                    "S + ρ (S + 1/θ) / (1 - ρ)",
                    1e3 * (0.1 + waits),
                    &times(&lab.each("web", "latency.all"), 1e-6),
                ),
                Case::mean(
                    &inputs,
                    "attempts per request",
                    "1 + θ × time in orbit",
                    1.0 + waits / between,
                    &lab.each("web", "attempts_per_request"),
                ),
                Case::mean(&inputs, "busy servers", "ρ", load, &lab.each("f", "slots.busy")),
            ]);
        }
        Group {
            title: "Retries to one server without a line",
            about: "The M/M/1/1 retrial queue: who finds the server busy tries again after an exponential time \
                    of mean 1/θ, until served (a hundred attempts here, which nobody needs). Falin and \
                    Templeton, Retrial Queues (1997), chapter 1: the mean number in orbit is ρ (λ + ρθ) / ((1 - \
                    ρ) θ).",
            cases,
        }
    })
}

/// A service of 1 s and 10 ms for each call under way, callers who give up after 3 s and make three attempts.
fn collapse(arrivals: &str, retry: &str, run: &str, replications: u64) -> Lab {
    Lab::run(
        &format!(
            "run: {{ {run}, window: 100 h }}\n\
             clients: {{ web: {{ to: s, arrivals: {{ {arrivals} }}, timeout: 3 s, \
             retry: {{ attempts: 3, {retry} }} }} }}\n\
             externals: {{ s: {{ latency: 1 s, latency_per_call_under_way: 10 ms }} }}\n"
        ),
        replications,
    )
}

/// The same with a network between: the share of each run's requests that fail from 50 to 60 s.
fn collapsed(arrivals: &str, retry: &str, replications: u64) -> Vec<f64> {
    let lab = Lab::run(
        &format!(
            "run: {{ length: 60 s, warmup: 50 s, window: 1 h }}\n\
             clients: {{ web: {{ to: way, arrivals: {{ {arrivals} }}, timeout: 3 s, \
             retry: {{ attempts: 3, {retry} }} }} }}\n\
             fleets: {{ way: {{ vcpu: 1, handler: [ wait: {{ exponential: 100 ms }}, call: s, \
             wait: {{ exponential: 100 ms }} ] }} }}\n\
             externals: {{ s: {{ latency: 1 s, latency_per_call_under_way: 10 ms }} }}\n"
        ),
        replications,
    );
    lab.each("web", "error_ratio")
}

/// Metastable failure.
pub fn metastable() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let mut cases = Vec::new();
        let at_once = "base: 0 s, jitter: none";
        for (lambda, spike, attempts) in [(20.0, true, 1.0), (30.0, false, 1.0), (30.0, true, 3.0)] {
            let spikes = if spike {
                ", spikes: [ { at: 10 s, for: 10 s, rate: 100/s } ]"
            } else {
                ""
            };
            let arrivals = format!("poisson: {lambda}/s{spikes}");
            let lab = collapse(&arrivals, at_once, "length: 4000 s, warmup: 1500 s", 16);
            let sent = lambda * attempts;
            let inputs = format!("λ = {lambda}{}", if spike { ", after 10 s of 100/s" } else { "" });
            cases.extend([
                Case::mean(
                    &inputs,
                    "calls under way",
                    "1.01 kλ / (1 - 0.01 kλ)",
                    1.01 * sent / (1.0 - 0.01 * sent),
                    &lab.each("s", "concurrency"),
                ),
                Case::exact(
                    &inputs,
                    "attempts per request",
                    "k",
                    attempts,
                    lab.each("web", "attempts_per_request").iter().sum::<f64>() / 16.0,
                ),
            ]);
        }
        // Each run's share of failures from 50 to 60 s is 1 or 0: it has collapsed or not.
        let spike = "poisson: 40/s, spikes: [ { at: 20 s, for: 5 s, rate: 80/s } ]";
        let inputs = "λ = 40, 5 s of 80/s, 0.1 s exponential each way";
        cases.push(Case::mean_known_to(
            inputs,
            "collapsed",
            "another simulator",
            (0.740, 0.007 / 1.96),
            &collapsed(spike, at_once, 4_000),
        ));
        let share = |runs: Vec<f64>| runs.iter().sum::<f64>() / runs.len() as f64;
        cases.extend([
            Case::at_most(
                "the same, waits of 20 and 40 s, full jitter",
                "collapsed",
                "another simulator: 0.0003",
                0.005,
                share(collapsed(spike, "base: 20 s, cap: 1 h", 400)),
            ),
            Case::at_most(
                "the same without the spike",
                "collapsed",
                "another simulator: none",
                0.005,
                share(collapsed("poisson: 40/s", at_once, 400)),
            ),
        ]);
        Group {
            title: "A service that slows down under load, and callers who try again",
            about: "Brooker's model of a metastable failure: a call takes 1 s and 10 ms for each call under way, \
                    itself included; callers give up after 3 s, the work goes on, and each request makes up to \
                    three attempts. By Little's law, and because Poisson arrivals see averages, kλ attempts a \
                    second keep 1.01 kλ / (1 - 0.01 kλ) calls under way. Healthy, k = 1. Once calls take longer \
                    than 3 s everybody makes k = 3 attempts, which keeps them that long if λ > 22: at 30/s both \
                    states last, and a spike decides which; at 20/s the same spike is forgotten. Beyond 33/s the \
                    second state has no end. The last lines are his experiment with a spike of 5 s and a network \
                    between, held against another simulator of it.",
            cases,
        }
    })
}

#[test]
fn who_gave_up_is_not_served() {
    patience().assert_holds();
}

#[test]
fn who_finds_no_server_comes_back() {
    retrial().assert_holds();
}

#[test]
fn a_spike_can_bring_a_service_down_for_good() {
    metastable().assert_holds();
}
