//! The library used from Rust: reads a scenario, changes it, runs it with a count of runs on the way, and prints
//! figures with their confidence intervals and the bill.
//!
//! `cargo run --release --example library`

use coldcurve::{Error, Scenario};
use std::sync::atomic::{AtomicU64, Ordering};

fn main() -> Result<(), Error> {
    let scenario = Scenario::from_path("scenarios/hello.yaml")?
        .set("clients.web.arrivals.poisson", "50/s")
        .replications(4);
    let done = AtomicU64::new(0);
    let results = scenario.run(&|| eprintln!("{} runs done", done.fetch_add(1, Ordering::Relaxed) + 1))?;
    for warning in results.warnings() {
        eprintln!("{warning}");
    }
    for row in results.table().iter().filter(|row| row.metric.starts_with("latency.p")) {
        let half = row.interval.map_or(f64::NAN, |(low, high)| (high - low) / 2.0);
        println!(
            "{} {}: {:.1} ms ± {:.1}",
            row.variant,
            row.metric,
            row.mean * 1e3,
            half * 1e3
        );
    }
    if let Some(bill) = results.bill("base") {
        for line in &bill.lines {
            println!("{} {}: ${:.2} a month", line.component, line.line, line.amount.mean);
        }
        println!("in all ${:.2} a month", bill.total.mean);
    }
    Ok(())
}
