//! The engine against the yardsticks: same scenarios, same dice, same answers, one process. The last case, every
//! mechanism in one system, has no yardstick.
//!
//! `cargo bench --bench engine` prints criterion's intervals, then the ratios of the medians. The cost of a request may
//! at most double from 100 to 100,000 busy instances; a line at the end says by how much it grows.

mod yardstick;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use std::hint::black_box;
use std::time::{Duration, Instant};
use yardstick::Case;

/// Requests of one run at least; 50 for each busy instance, so that starting them all is a small part of it.
const REQUESTS: u64 = 1_000_000;

/// Times of the runs that criterion asked for, by side, in ns per request.
#[derive(Default)]
struct Times {
    engine: Vec<f64>,
    hand: Vec<f64>,
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A group of measurements of runs with so many requests.
fn group<'c>(criterion: &'c mut Criterion, name: &str, requests: u64) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .throughput(Throughput::Elements(requests));
    group
}

fn bench(criterion: &mut Criterion, case: &Case) -> Times {
    case.compare(REQUESTS / 4);
    let plan = case.plan(REQUESTS.max(50 * u64::from(case.busy)));
    let requests = case.by_hand(&plan).requests;
    let mut times = Times::default();
    let mut group = group(criterion, case.name, requests);
    let mut side = |name: &str, kept: &mut Vec<f64>, run: &dyn Fn()| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                (0..iterations).for_each(|_| run());
                let elapsed = start.elapsed();
                kept.push(elapsed.as_secs_f64() * 1e9 / (iterations * requests) as f64);
                elapsed
            });
        });
    };
    side("by hand", &mut times.hand, &|| {
        black_box(case.by_hand(black_box(&plan)));
    });
    side("engine", &mut times.engine, &|| {
        black_box(Case::by_engine(black_box(&plan)));
    });
    group.finish();
    times
}

/// Every mechanism in one system: the time of a request of a client, with all that it sets off.
fn bench_everything(criterion: &mut Criterion) {
    let plan = yardstick::everything(REQUESTS / 10);
    let requests = Case::by_engine(&plan).0.requests;
    let mut group = group(criterion, yardstick::EVERYTHING, requests);
    group.bench_function("engine", |bencher| {
        bencher.iter(|| black_box(Case::by_engine(black_box(&plan))));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    let mut lines = Vec::new();
    for case in Case::all() {
        let mut times = bench(&mut criterion, &case);
        lines.push((case.name, median(&mut times.engine), median(&mut times.hand)));
    }
    bench_everything(&mut criterion);
    criterion.final_summary();
    // Cases that were not asked for on the command line have no times.
    lines.retain(|line| line.1.is_finite());
    for (name, engine, hand) in &lines {
        println!(
            "{name:28} engine {engine:5.0} ns per request, by hand {hand:5.0}, ratio {:.2}",
            engine / hand
        );
    }
    let of = |name: &str| {
        lines
            .iter()
            .find(|line| line.0.starts_with(name))
            .map_or(f64::NAN, |line| line.1)
    };
    let growth = of("100,000 busy") / of("100 busy");
    if growth.is_finite() {
        println!("from 100 to 100,000 busy instances a request costs {growth:.2} times as much");
    }
}
