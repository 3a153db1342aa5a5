//! How fast the engine is, and how much slower than a loop written by hand for the same scenario.
//!
//! `cargo run --release --example speed` prints times; `-- --instructions` counts instructions under valgrind instead,
//! which a busy machine does not disturb. `-- --only NAME` takes the cases whose name contains NAME. What a change does
//! to all of this shows `ratios`.

#[path = "../benches/yardstick.rs"]
mod yardstick;
#[path = "../benches/counted.rs"]
mod counted;

use std::time::Instant;
use yardstick::Case;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| {
        let place = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(place + 1).cloned()
    };
    let wanted = |case: &Case| value("--only").is_none_or(|name| case.name.contains(&name));
    let cases: Vec<Case> = Case::all().into_iter().filter(wanted).collect();
    let all = value("--only").is_none_or(|name| yardstick::EVERYTHING.contains(&name));
    let requests = value("--requests").and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    if let Some(side) = value("--side") {
        // One side alone, for valgrind, perf and other tools that look at a whole process.
        for case in &cases {
            let plan = case.plan(requests);
            let counts = match side.as_str() {
                "engine" => Case::by_engine(&plan).0,
                "hand" => case.by_hand(&plan),
                _ => yardstick::Counts::default(),
            };
            println!("{counts:?}");
        }
        if all {
            let plan = yardstick::everything(requests);
            if side == "engine" {
                println!("{:?}", Case::by_engine(&plan).0);
            }
        }
    } else if arguments.iter().any(|argument| argument == "--instructions") {
        cases.iter().for_each(count);
        if all {
            count_everything();
        }
    } else {
        println!(
            "{:28} {:>10} {:>10} {:>10} {:>8} {:>6}",
            "", "requests/s", "events/s", "ns/request", "by hand", "ratio"
        );
        let mut few = f64::NAN;
        for case in &cases {
            // So many that what is served counts, and not that as many instances had to be started first.
            let took = time(case, requests.max(50 * u64::from(case.busy)));
            match case.busy {
                100 => few = took,
                101.. => println!("{:28} {:.2} times the cost at 100 busy instances", "", took / few),
                _ => {}
            }
        }
        if all {
            time_everything(requests / 5);
        }
    }
}

/// Every mechanism in one system: the median of a few runs, per request of a client.
fn time_everything(requests: u64) {
    let plan = yardstick::everything(requests);
    let (mut seconds, mut counts) = (Vec::new(), (0.0, 0.0));
    for _ in 0..5 {
        let start = Instant::now();
        let (_, result) = Case::by_engine(&plan);
        counts = (result.requests as f64, result.events as f64);
        seconds.push(start.elapsed().as_secs_f64() / counts.0);
    }
    let engine = median(seconds);
    let events = counts.1 / counts.0;
    println!(
        "{:28} {:>9.2}M {:>9.1}M {:>10.0}    {events:.1} events per request",
        yardstick::EVERYTHING,
        1e-6 / engine,
        1e-6 * events / engine,
        1e9 * engine
    );
}

/// Medians of runs that take turns, so that both meet the same neighbours; the engine's time per request.
fn time(case: &Case, requests: u64) -> f64 {
    case.compare(requests / 4);
    let plan = case.plan(requests);
    let (mut engine, mut hand, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut events = 0.0;
    for _ in 0..7 {
        let start = Instant::now();
        let (counts, result) = Case::by_engine(&plan);
        let by_engine = start.elapsed().as_secs_f64() / counts.requests as f64;
        let start = Instant::now();
        let counts = case.by_hand(&plan);
        let by_hand = start.elapsed().as_secs_f64() / counts.requests as f64;
        events = result.events as f64 / result.requests as f64;
        engine.push(by_engine);
        hand.push(by_hand);
        ratios.push(by_engine / by_hand);
    }
    let (engine, hand, ratio) = (median(engine), median(hand), median(ratios));
    println!(
        "{:28} {:>9.2}M {:>9.1}M {:>10.0} {:>8.0} {ratio:>6.2}",
        case.name,
        1e-6 / engine,
        1e-6 * events / engine,
        1e9 * engine,
        1e9 * hand
    );
    engine
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Instructions per request: the difference between two lengths, so that what happens once does not count.
fn count(case: &Case) {
    match (per_request(case.name, "engine"), per_request(case.name, "hand")) {
        (Some(engine), Some(hand)) => println!(
            "{:28} {engine:>6.0} instructions per request, by hand {hand:>5.0}, ratio {:.2}",
            case.name,
            engine / hand
        ),
        _ => println!("valgrind is not there: skipped"),
    }
}

fn count_everything() {
    match per_request(yardstick::EVERYTHING, "engine") {
        Some(engine) => println!("{:28} {engine:>6.0} instructions per request", yardstick::EVERYTHING),
        None => println!("valgrind is not there: skipped"),
    }
}

/// Instructions per request of one side of a case, in this very program.
fn per_request(name: &str, side: &str) -> Option<f64> {
    counted::per_request(&std::env::current_exe().ok()?, name, side)
}
