//! The library used from Rust: reads a scenario, runs it, and prints a figure with its confidence interval.
//!
//! `cargo run --release --example library`

use coldcurve::run::{Options, load};
use std::path::Path;

fn main() {
    let options = Options {
        set: vec!["clients.web.arrivals.poisson=50/s".to_owned()],
        replications: Some(4),
        ..Options::default()
    };
    let loaded = load(Path::new("scenarios/hello.yaml"), &options);
    let Some(study) = loaded.study else {
        return eprint!("{}", loaded.diagnostics.render(&loaded.sources, false));
    };
    let summary = match study.run(&|| ()) {
        Ok(summary) => summary,
        Err(refused) => return eprint!("{}", refused.diagnostics().render(&loaded.sources, false)),
    };
    for cell in &summary.cells {
        let Some(p99) = cell.metric("latency.p99") else {
            continue;
        };
        let half = p99.estimate.half_width().unwrap_or(f64::NAN);
        println!(
            "{}: p99 {:.1} ms ± {:.1}",
            cell.variant,
            p99.estimate.mean * 1e3,
            half * 1e3
        );
    }
}
