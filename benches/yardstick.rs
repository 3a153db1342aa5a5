//! What the engine's speed is held against: straight-line loops, written by hand for one scenario each, that know
//! nothing of components, causes, windows, limits or bills. They draw from the same streams as the engine, so they must
//! find the same requests and the same cold starts; [`Case::compare`] says so.

// Benches and examples share this file, and none of them uses all of it.
#![allow(dead_code, missing_docs)]
#![allow(clippy::cast_possible_truncation, reason = "a yardstick is as plain as can be")]

use coldcurve::kernel::sample::exp1;
use coldcurve::kernel::{Duration, Luck, Sampler, Stream, StreamKey};
use coldcurve::model::Plan;
use coldcurve::model::world::build::build;
use coldcurve::model::world::run::{RunResult, World};
use coldcurve::scenario::{Catalog, Diagnostics, Folder, Sources, parse};
use coldcurve::stats::{Histogram, Value};
use rand::Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;

/// Steps of a request's luck, as the model numbers them.
const PLACEMENT: u64 = 1 << 46;
const INIT: u64 = 1 << 47;
const OVERHEAD: u64 = 1 << 44;

const SEED: u64 = 1;
const IDLE: Duration = Duration::from_secs(600);
const TIMEOUT: Duration = Duration::from_secs(29);

/// A scenario that both can run: some functions with a client each, behind a gateway or not.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    functions: usize,
    gateway: bool,
    /// Requests a second to each function.
    rate: f64,
    /// About so many instances are busy at once.
    pub busy: u32,
    /// Service time, as a scenario writes it and as the loop draws it.
    service: (String, Sampler),
}

/// What both count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub cold: u64,
    /// Sum of the latencies in ns, modulo 2^64.
    pub latency: u64,
}

impl Case {
    /// One function: log-normal service, about five busy instances.
    pub fn one() -> Self {
        Self {
            name: "one function",
            functions: 1,
            gateway: false,
            rate: 100.0,
            busy: 5,
            service: lognormal(40, 120),
        }
    }

    /// Client, gateway and function, with time-outs.
    pub fn gateway() -> Self {
        Self {
            name: "client, gateway, function",
            gateway: true,
            ..Self::one()
        }
    }

    /// So many busy instances: exponential service with a mean of one second.
    pub fn busy(name: &'static str, instances: u32) -> Self {
        Self {
            name,
            rate: f64::from(instances),
            busy: instances,
            service: ("{ exponential: 1 s }".into(), Sampler::Exponential { mean: 1e9 }),
            ..Self::one()
        }
    }

    /// Eight functions with a client each.
    pub fn eight() -> Self {
        Self {
            name: "8 functions",
            functions: 8,
            ..Self::one()
        }
    }

    /// All of them.
    pub fn all() -> Vec<Self> {
        vec![
            Self::one(),
            Self::gateway(),
            Self::eight(),
            Self::busy("100 busy instances", 100),
            Self::busy("1,000 busy instances", 1_000),
            Self::busy("10,000 busy instances", 10_000),
            Self::busy("100,000 busy instances", 100_000),
        ]
    }

    /// The plan of a run with about so many requests.
    pub fn plan(&self, requests: u64) -> Plan {
        let mut text = format!(
            "run: {{ length: {} ms, warmup: 0 s, seed: {SEED} }}\nclients:\n",
            (requests as f64 / (self.rate * self.functions as f64) * 1e3).ceil()
        );
        for i in 0..self.functions {
            let (to, timeout) = if self.gateway {
                ("door".to_owned(), "30 s")
            } else {
                (format!("work{i}"), "1 h")
            };
            let _ = writeln!(
                text,
                "  web{i}: {{ to: {to}, timeout: {timeout}, arrivals: {{ poisson: {}/s }} }}",
                self.rate
            );
        }
        if self.gateway {
            text += "gateways:\n  door: { to: work0, timeout: 29 s, overhead: { median: 5 ms, p99: 20 ms } }\n";
        }
        text += "functions:\n";
        for i in 0..self.functions {
            let _ = writeln!(
                text,
                "  work{i}: {{ cpu: 1, idle_timeout: 10 min, placement: {}, init: {}, handler: [ cpu: {} ] }}",
                placement().0,
                init().0,
                self.service.0
            );
        }
        plan_of(text)
    }

    /// Runs the loop over the time of `plan`.
    pub fn by_hand(&self, plan: &Plan) -> Counts {
        if self.gateway {
            return self.behind_gateway(plan.length.0);
        }
        let mut sum = Counts::default();
        for i in 0..self.functions {
            let counts = self.alone(i, plan.length.0);
            sum.requests += counts.requests;
            sum.cold += counts.cold;
            sum.latency = sum.latency.wrapping_add(counts.latency);
        }
        sum
    }

    /// Arrivals, lazy expiry last in first out, completions in a heap, a histogram: nothing else.
    fn alone(&self, client: usize, end: u64) -> Counts {
        let mut arrivals = ByHand::arrivals(client);
        let mut luck = ByHand::luck(client);
        let rate = self.rate / 1e9;
        let (placement, init) = (placement().1, init().1);
        let mut completions = BinaryHeap::<Reverse<u64>>::new();
        // When each idle instance is reclaimed, the most recent last.
        let mut idle = Vec::<u64>::new();
        let mut latency = Histogram::new();
        let mut cold = 0;
        let mut now = 0;
        loop {
            now += Duration::from_nanos_f64(exp1(&mut arrivals) / rate).0;
            if now >= end {
                break;
            }
            let luck = Luck(luck.next_u64());
            while let Some(&Reverse(done)) = completions.peek()
                && done <= now
            {
                completions.pop();
                idle.push(done + IDLE.0);
            }
            let mut done = now;
            if idle.pop().is_none_or(|expires| expires <= now) {
                // The one on top is the youngest: the others are gone, too.
                idle.clear();
                cold += 1;
                done += placement.draw(&mut luck.dice(PLACEMENT)).0 + init.draw(&mut luck.dice(INIT)).0;
            }
            done += self.service.1.draw(&mut luck.dice(0)).0;
            completions.push(Reverse(done));
            if done <= end {
                latency.record(done - now);
            }
        }
        Counts {
            requests: latency.count(),
            cold,
            latency: latency.sum() as u64,
        }
    }

    /// The same with a delay before the function, so that requests no longer reach it in the order of arrival.
    fn behind_gateway(&self, end: u64) -> Counts {
        let mut arrivals = ByHand::arrivals(0);
        let mut luck = ByHand::luck(0);
        let rate = self.rate / 1e9;
        let (placement, init) = (placement().1, init().1);
        let overhead = Sampler::lognormal_median_p99(5e6, 20e6);
        let mut on_the_way = BinaryHeap::<Reverse<(u64, u64, u64)>>::new();
        let mut completions = BinaryHeap::<Reverse<u64>>::new();
        let mut idle = Vec::<u64>::new();
        let mut latency = Histogram::new();
        let mut cold = 0;
        let mut arrival = 0;
        loop {
            if arrival < end {
                arrival += Duration::from_nanos_f64(exp1(&mut arrivals) / rate).0;
            }
            if arrival < end {
                let luck = Luck(luck.next_u64());
                let reaches = arrival + overhead.draw(&mut luck.dice(OVERHEAD)).0;
                on_the_way.push(Reverse((reaches, arrival, luck.0)));
            } else if on_the_way.is_empty() {
                break;
            }
            while let Some(&Reverse((now, began, luck))) = on_the_way.peek()
                && (now <= arrival || arrival >= end)
            {
                on_the_way.pop();
                if now >= end {
                    continue;
                }
                let luck = Luck(luck);
                while let Some(&Reverse(done)) = completions.peek()
                    && done <= now
                {
                    completions.pop();
                    idle.push(done + IDLE.0);
                }
                let mut done = now;
                if idle.pop().is_none_or(|expires| expires <= now) {
                    idle.clear();
                    cold += 1;
                    done += placement.draw(&mut luck.dice(PLACEMENT)).0 + init.draw(&mut luck.dice(INIT)).0;
                }
                done += self.service.1.draw(&mut luck.dice(0)).0;
                completions.push(Reverse(done));
                let age = (done - began).min(TIMEOUT.0);
                if began + age <= end {
                    latency.record(age);
                }
            }
        }
        Counts {
            requests: latency.count(),
            cold,
            latency: latency.sum() as u64,
        }
    }

    /// Runs the engine.
    pub fn by_engine(plan: &Plan) -> (Counts, RunResult) {
        let result = World::new(plan, 0).run();
        let mut counts = Counts {
            requests: result.requests,
            ..Counts::default()
        };
        for observation in &result.observations {
            match (observation.metric, &observation.value) {
                ("cold_starts", Value::Count(cold)) => counts.cold += cold,
                ("latency", Value::Latency(latency)) => {
                    counts.latency = counts.latency.wrapping_add(latency.sum() as u64);
                }
                _ => {}
            }
        }
        (counts, result)
    }

    /// Asserts that both find the same.
    pub fn compare(&self, requests: u64) {
        let plan = self.plan(requests);
        assert_eq!(self.by_hand(&plan), Self::by_engine(&plan).0, "{}", self.name);
    }
}

/// The plan of a scenario's text.
fn plan_of(text: String) -> Plan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("bench.yaml", text);
    let catalog = Catalog::load(None, &mut sources, &diagnostics);
    let plan =
        parse(&sources, file, &diagnostics).and_then(|root| build(&root, &catalog, &diagnostics, &Folder(".".into())));
    match plan {
        Some((plan, _)) if !diagnostics.has_errors() => plan,
        _ => panic!("{}", diagnostics.render(&sources, false)),
    }
}

/// Every mechanism in one system, which nobody would write by hand.
pub const EVERYTHING: &str = "every mechanism";

/// The plan of a run of it with about so many requests of clients.
pub fn everything(requests: u64) -> Plan {
    let mut plan = plan_of(include_str!("everything.yaml").to_owned());
    // 1,000/s and 500/s, those of partners 100/s on average, and 600 users about every 2.03 s.
    plan.length = Duration::from_secs_f64(requests as f64 / 1895.0);
    plan.seed = SEED;
    plan
}

/// The streams of a client.
struct ByHand;

impl ByHand {
    fn arrivals(client: usize) -> Stream {
        Stream::new(SEED, 0, StreamKey::new(&format!("web{client}"), "arrivals"))
    }

    fn luck(client: usize) -> Stream {
        Stream::new(SEED, 0, StreamKey::new(&format!("web{client}"), "luck"))
    }
}

fn lognormal(median_ms: u32, p99_ms: u32) -> (String, Sampler) {
    let (median, p99) = (f64::from(median_ms) * 1e6, f64::from(p99_ms) * 1e6);
    (
        format!("{{ median: {median_ms} ms, p99: {p99_ms} ms }}"),
        Sampler::lognormal_median_p99(median, p99),
    )
}

fn placement() -> (String, Sampler) {
    lognormal(200, 400)
}

fn init() -> (String, Sampler) {
    lognormal(300, 800)
}
