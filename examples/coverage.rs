//! How often the intervals that coldcurve prints cover a known truth.
//!
//! `cargo run --release --example coverage -- --short` is the short form (200 studies a figure,
//! at least 88 % covered); without `--short` it runs 2,000 studies a figure and wants 93 to 97 % where at least 50
//! separate events are expected, and at least 93 % elsewhere (rarer events, jumps, bounds). `-- --only TEXT` takes the
//! systems whose name contains TEXT, `-- --studies N` another number of studies, `-- --most N` up to so many runs. Study
//! number `k` has seed `k`; every study counts, whatever marks its figures carry. Runs are shared: the study with 4
//! replications looks at the first four runs of the one with 64. The three systems whose runs cost most go up to 16
//! unless `--most` says otherwise.

use coldcurve::model::world::run::World;
use coldcurve::run::aggregate::aggregate;
use coldcurve::run::summary::{Cell, Estimate};
use coldcurve::run::tally::Packed;
use coldcurve::run::{CellPlan, Options, differences, load};
use coldcurve::stats::formulas::{KeepAlive, Mmc, erlang_b, token_bucket_refusals};
use coldcurve::stats::interval::normal_quantile;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

/// A figure whose true value is known.
struct Truth {
    metric: String,
    value: f64,
    /// Separate events that one run is expected to see: below 50 in all runs, coverage may exceed what is nominal.
    events: f64,
    /// A jump or a bound: likewise.
    loose: bool,
    /// Too few events in what the short form can afford.
    long_only: bool,
}

fn truth(metric: &str, value: f64, events: f64) -> Truth {
    Truth {
        metric: metric.to_owned(),
        value,
        events,
        loose: false,
        long_only: false,
    }
}

/// A system whose law is known.
struct System {
    name: &'static str,
    text: String,
    truths: Vec<Truth>,
    /// The most replications that the short form looks at, and the long one.
    most: (usize, usize),
    /// Whether the short form looks at p99.9.
    tail: bool,
}

const REPLICATIONS: [usize; 4] = [4, 8, 16, 64];

fn systems(short: bool) -> Vec<System> {
    let mut all = vec![
        log_normal(),
        failures(short),
        single_server("M/M/1 at .8, 10,000 a run", 125, 2.0),
        many_servers(short),
        loss(),
        keep_alive(),
        token_bucket(),
        jump(),
        free_tier(),
        pair(short),
    ];
    if !short {
        all.push(single_server("M/M/1 at .8, 100,000 a run", 1250, 20.0));
    }
    all
}

/// No queue: requests are independent.
fn log_normal() -> System {
    let (median, p99) = (0.012_f64, 0.040_f64);
    let sigma = (p99 / median).ln() / normal_quantile(0.99);
    let requests = 10_000.0;
    let mut truths: Vec<Truth> = [0.5, 0.9, 0.99, 0.999, 0.9999]
        .map(|q: f64| {
            let name = format!("latency.p{}", (q * 1e6).round() / 1e4);
            truth(&name, median * (sigma * normal_quantile(q)).exp(), requests * (1.0 - q))
        })
        .into();
    truths.push(truth("latency.mean", median * (sigma * sigma / 2.0).exp(), requests));
    System {
        name: "no queue, log-normal",
        text: "run: { length: 21 s, warmup: 1 s, window: 10 s }\n\
               clients: { web: { to: f, arrivals: { poisson: 500/s } } }\n\
               functions: { f: { handler: [{ wait: { median: 12 ms, p99: 40 ms } }] } }\n"
            .to_owned(),
        truths,
        most: (64, 64),
        tail: true,
    }
}

/// Independent failures of four probabilities.
fn failures(short: bool) -> System {
    let seconds = if short { 2 } else { 5 };
    let mut text = format!(
        "run: {{ length: {} s, warmup: 1 s, window: {seconds} s }}\n",
        seconds + 1
    );
    let (mut clients, mut functions, mut truths) = (String::new(), String::new(), Vec::new());
    for (name, share) in [("a", 1e-3), ("b", 1e-4), ("c", 1e-5), ("d", 1e-6)] {
        let _ = writeln!(clients, "  {name}: {{ to: f{name}, arrivals: {{ poisson: 1000/s }} }}");
        let _ = writeln!(
            functions,
            "  f{name}: {{ failure: {:.4}%, handler: [ wait: 1 ms ] }}",
            share * 100.0
        );
        truths.push(truth(
            &format!("clients.{name}.error_ratio"),
            share,
            1000.0 * f64::from(seconds) * share,
        ));
    }
    let _ = write!(text, "clients:\n{clients}functions:\n{functions}");
    System {
        name: if short {
            "rare failures, 2,000 a run"
        } else {
            "rare failures, 5,000 a run"
        },
        text,
        truths,
        most: (64, 64),
        tail: true,
    }
}

/// A single server: requests wait for one another. `episodes` is the number of separate excursions beyond p99.9 that a
/// run is expected to see.
fn single_server(name: &'static str, seconds: u64, episodes: f64) -> System {
    let quantile = |q: f64| -(1.0 - q).ln() / 20.0;
    let mut truths: Vec<Truth> = [(0.5, 1.0), (0.9, 0.2), (0.99, 0.05), (0.999, 0.005)]
        .map(|(q, share): (f64, f64)| {
            let metric = format!("latency.p{}", (q * 1e6).round() / 1e4);
            truth(&metric, quantile(q), episodes * share / 0.005)
        })
        .into();
    truths.push(truth("latency.mean", 0.05, episodes * 100.0));
    System {
        name,
        text: format!(
            "run: {{ length: {} s, warmup: 5 s, window: {seconds} s }}\n\
             clients: {{ web: {{ to: s, arrivals: {{ poisson: 80/s }} }} }}\n\
             fleets: {{ s: {{ count: 1, slots: 1, vcpu: 1, memory: 1 GB, handler: [{{ wait: {{ exponential: 10 ms }} }}] }} }}\n",
            seconds + 5
        ),
        truths,
        // Enough for 50 separate excursions beyond p99.9 where runs are long.
        most: (16, if episodes > 10.0 { 16 } else { 64 }),
        tail: false,
    }
}

/// Ten servers at 85 %. Most slow requests have a long service; what makes the p99 differ from run to run are the few
/// times in which a long queue builds up, a handful in a minute and a half.
fn many_servers(short: bool) -> System {
    let queue = Mmc::new(850.0, 100.0, 10);
    let seconds = if short { 20 } else { 100 };
    let mut p99 = truth("latency.p99", queue.response_quantile(0.99), 5.0);
    p99.long_only = true;
    System {
        name: "M/M/10 at .85",
        text: format!(
            "run: {{ length: {} s, warmup: 1 s, window: 10 s }}\n\
             clients: {{ web: {{ to: s, arrivals: {{ poisson: 850/s }} }} }}\n\
             fleets: {{ s: {{ count: 1, slots: 10, vcpu: 10, memory: 1 GB, handler: [{{ wait: {{ exponential: 10 ms }} }}] }} }}\n",
            seconds + 1
        ),
        truths: vec![
            truth("latency.mean", queue.mean_response(), 1000.0),
            truth("latency.p50", queue.response_quantile(0.5), 1000.0),
            truth("latency.p90", queue.response_quantile(0.9), 500.0),
            p99,
        ],
        most: (16, 16),
        tail: false,
    }
}

/// Calls beyond ten at once are refused.
fn loss() -> System {
    System {
        name: "Erlang B, 10 places, 7 erlangs",
        text: "run: { length: 21 s, warmup: 1 s, window: 10 s }\n\
               clients: { web: { to: f, arrivals: { poisson: 70/s } } }\n\
               functions: { f: { reserved_concurrency: 10, idle_timeout: 1 h, handler: [{ wait: { exponential: 100 ms } }] } }\n"
            .to_owned(),
        truths: vec![truth("error_ratio", erlang_b(7.0, 10), 40.0)],
        most: (16, 64),
        tail: false,
    }
}

fn keep_alive() -> System {
    let law = KeepAlive::new(5.0, 0.2, 30.0);
    System {
        name: "keep-alive of 30 s, 5/s",
        text: "run: { length: 1100 s, warmup: 100 s, window: 10 min }\n\
               clients: { web: { to: f, arrivals: { poisson: 5/s } } }\n\
               functions: { f: { idle_timeout: 30 s, handler: [{ wait: { exponential: 200 ms } }] } }\n"
            .to_owned(),
        truths: vec![
            truth("cold_ratio", law.p_cold(), 5000.0 * law.p_cold()),
            truth("functions.f.instances", law.mean_instances(), 30.0),
        ],
        most: (16, 64),
        tail: false,
    }
}

fn token_bucket() -> System {
    System {
        name: "token bucket, 100/s, burst 5, 90/s",
        text: "run: { length: 41 s, warmup: 1 s, window: 10 s }\n\
               clients: { web: { to: g, arrivals: { poisson: 90/s } } }\n\
               gateways: { g: { to: f, throttle: { rate: 100/s, burst: 5 } } }\n\
               functions: { f: { handler: [ wait: 1 ms ] } }\n"
            .to_owned(),
        truths: vec![truth("error_ratio", token_bucket_refusals(90.0, 100.0, 5), 60.0)],
        most: (16, 64),
        tail: false,
    }
}

/// One request in a hundred takes twenty times as long: the p99 sits on the jump.
fn jump() -> System {
    let mut p99 = truth("latency.p99", 0.11, 50.0);
    p99.loose = true;
    System {
        name: "a jump at p99",
        // The warm-up is longer than any request, so that slow ones are among those that end first, too.
        text: "run: { length: 13 s, warmup: 3 s, window: 10 s }\n\
               clients: { web: { to: f, arrivals: { poisson: 500/s } } }\n\
               functions: { f: { handler: [{ wait: { mixture: [{ weight: 99, uniform: [90 ms, 110 ms] }, \
               { weight: 1, uniform: [1900 ms, 2000 ms] }] } }] } }\n"
            .to_owned(),
        truths: vec![
            truth("latency.p50", 0.09 + 0.02 * 50.0 / 99.0, 2500.0),
            p99,
            truth("latency.p99.9", 1.9 + 0.1 * 0.9, 5.0),
        ],
        most: (64, 64),
        tail: true,
    }
}

/// A little more than the million free requests of a month, from ten minutes; and a little less.
fn free_tier() -> System {
    let month_s = 730.0 * 3600.0;
    let bill = |rate: f64| (rate * month_s - 1e6).max(0.0) * 2e-7;
    let mut near = truth("bill.month", bill(0.4), 240.0);
    near.loose = true;
    System {
        name: "free tier near its edge",
        text: "run: { length: 611 s, warmup: 11 s, window: 10 min }\n\
               billing: { free_tier: true }\n\
               clients: { web: { to: f, arrivals: { poisson: 0.4/s } } }\n\
               functions: { f: { service: aws.lambda, memory: 128 MB, log_size: 0 B, handler: [ wait: 1 ms ] } }\n"
            .to_owned(),
        truths: vec![near],
        most: (64, 64),
        tail: true,
    }
}

/// Two servers of which one is a tenth faster, with the same dice.
fn pair(short: bool) -> System {
    let quantile = |q: f64, mu: f64| -(1.0 - q).ln() / (mu - 80.0);
    let slower = 1000.0 / 11.0;
    let seconds = if short { 160 } else { 500 };
    let difference = |q: f64| quantile(q, slower) - quantile(q, 100.0);
    let mut p99 = truth("latency.p99", difference(0.99), 4.0);
    p99.long_only = true;
    System {
        name: "paired difference, M/M/1 at .8 and .88",
        text: format!(
            "run: {{ length: {} s, warmup: 5 s, window: {seconds} s }}\n\
             clients: {{ web: {{ to: s, arrivals: {{ poisson: 80/s }} }} }}\n\
             fleets: {{ s: {{ count: 1, slots: 1, vcpu: 1, memory: 1 GB, handler: [{{ wait: {{ exponential: 11 ms }} }}] }} }}\n\
             variants: {{ faster: {{ fleets: {{ s: {{ handler: [{{ wait: {{ exponential: 10 ms }} }}] }} }} }}, slower: {{}} }}\n",
            seconds + 5
        ),
        truths: vec![
            truth("latency.mean", 1.0 / (slower - 80.0) - 1.0 / 20.0, 60.0),
            truth("latency.p50", difference(0.5), 60.0),
            truth("latency.p90", difference(0.9), 15.0),
            p99,
        ],
        most: (16, 16),
        tail: false,
    }
}

/// What came of the studies of one figure.
#[derive(Clone, Copy, Default)]
struct Score {
    studies: u64,
    covered: u64,
    open: u64,
    missed_above: u64,
    flat: u64,
}

impl Score {
    fn add(&mut self, estimate: Option<&Estimate>, value: f64) {
        self.studies += 1;
        let Some((low, high)) = estimate.and_then(|estimate| estimate.interval) else {
            return;
        };
        self.covered += u64::from(low <= value && value <= high);
        self.open += u64::from(high == f64::INFINITY);
        self.missed_above += u64::from(high < value);
        self.flat += u64::from(high - low <= 0.0);
    }

    fn merge(mut self, other: Self) -> Self {
        self.studies += other.studies;
        self.covered += other.covered;
        self.open += other.open;
        self.missed_above += other.missed_above;
        self.flat += other.flat;
        self
    }
}

type Scores = BTreeMap<(usize, usize), Score>;

fn merged(mut a: Scores, b: Scores) -> Scores {
    for (key, score) in b {
        let entry = a.entry(key).or_default();
        *entry = entry.merge(score);
    }
    a
}

fn study(system: &System, cells: &[CellPlan], seed: u64, replications: &[usize]) -> Scores {
    let most = *replications.last().expect("some replications") as u64;
    let runs: Vec<(CellPlan, Vec<Packed>)> = cells
        .iter()
        .map(|cell| {
            let mut cell = cell.clone();
            cell.plan.seed = seed;
            let pack = |number| Packed::of(&World::new(&cell.plan, number).run(), cell.plan.window);
            let results = (0..most).map(pack).collect();
            (cell, results)
        })
        .collect();
    let mut scores = Scores::new();
    for &n in replications {
        let cells: Vec<Cell> = runs
            .iter()
            .map(|(cell, results)| aggregate(cell, &results[..n].iter().collect::<Vec<_>>()))
            .collect();
        let differences = differences::of(&cells, &[], &[]);
        for (number, truth) in system.truths.iter().enumerate() {
            let estimate = if cells.len() > 1 {
                let of = |found: &&coldcurve::run::summary::Difference| found.metric == truth.metric;
                differences.iter().find(of).map(|found| &found.difference)
            } else {
                cells[0].metric(&truth.metric).map(|metric| &metric.estimate)
            };
            let sign = match differences.first().map(|found| found.variant.as_str()) {
                Some("faster") => -1.0,
                _ => 1.0,
            };
            scores.entry((number, n)).or_default().add(estimate, sign * truth.value);
        }
    }
    scores
}

fn cells_of(system: &System) -> Vec<CellPlan> {
    let path = std::env::temp_dir().join(format!("coldcurve-coverage-{}.yaml", std::process::id()));
    std::fs::write(&path, &system.text).expect("a temporary file");
    let loaded = load(&path, &Options::default());
    std::fs::remove_file(&path).expect("a temporary file");
    let text = loaded.diagnostics.render(&loaded.sources, false);
    loaded.study.unwrap_or_else(|| panic!("{}: {text}", system.name)).cells
}

/// What a share of covered truths has to be.
fn required(short: bool, truth: &Truth, replications: usize) -> (f64, f64) {
    if short {
        return (0.88, 1.0);
    }
    let plenty = truth.events * replications as f64 >= 50.0 && !truth.loose;
    (0.93, if plenty { 0.97 } else { 1.0 })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(place + 1).cloned()
    };
    let short = arguments.iter().any(|argument| argument == "--short");
    let studies = value("--studies")
        .and_then(|n| n.parse().ok())
        .unwrap_or(if short { 200 } else { 2000 });
    let only = value("--only").unwrap_or_default();
    println!("| system | figure | replications | covered | no upper limit | missed above | without width |");
    println!("|---|---|---|---|---|---|---|");
    let mut missed = 0;
    for system in systems(short).iter().filter(|system| system.name.contains(&only)) {
        let cells = cells_of(system);
        let most = if short { system.most.0 } else { system.most.1 };
        let most = value("--most").and_then(|n| n.parse().ok()).unwrap_or(most);
        let replications: Vec<usize> = REPLICATIONS.into_iter().filter(|n| *n <= most).collect();
        let scores = (1..=studies)
            .into_par_iter()
            .map(|seed| study(system, &cells, seed, &replications))
            .reduce(Scores::new, merged);
        for ((number, n), score) in scores {
            let truth = &system.truths[number];
            if short && (truth.long_only || !system.tail && truth.metric.ends_with("p99.9")) {
                continue;
            }
            let share = |part: u64| part as f64 / score.studies as f64;
            let (least, most) = required(short, truth, n);
            let covered = share(score.covered);
            // Two standard errors of the study itself.
            let chance = if short {
                0.0
            } else {
                2.0 * (0.95_f64 * 0.05 / score.studies as f64).sqrt()
            };
            let fine = covered >= least - chance && covered <= most + chance;
            missed += usize::from(!fine);
            println!(
                "| {} | `{}` | {n} | {:.1} %{} | {:.1} % | {:.1} % | {:.1} % |",
                system.name,
                truth.metric,
                covered * 100.0,
                if fine { "" } else { " **misses**" },
                share(score.open) * 100.0,
                share(score.missed_above) * 100.0,
                share(score.flat) * 100.0
            );
        }
    }
    if missed > 0 {
        println!("\n{missed} figures are not covered as often as they have to be");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
