//! Whether default settings give the exact law of cold starts: the long form of `tests/defaults.rs`.
//!
//! ```text
//! cargo run --release --example defaults         # 200 seeds
//! cargo run --release --example defaults -- 1000
//! ```

mod study;

use rayon::prelude::*;
use study::{SYSTEMS, judge};

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(200_u64);
    println!("{seeds} seeds; z: standard errors from the truth; covered: 95 % intervals that hold it");
    for system in &SYSTEMS {
        let truth = system.truth();
        println!("{}: truth {truth:.8}", system.name);
        for (replications, beside) in [(4, false), (4, true), (16, false), (16, true)] {
            let one = |seed| system.study(beside, seed, replications);
            let studies: Vec<_> = (1..=seeds).into_par_iter().map(one).collect();
            let verdict = judge(&studies, truth);
            println!(
                "  {replications:>2} runs{}: mean/truth {:.4}, z {:+.2}, covered {:.1} %",
                if beside { ", beside another variant" } else { "" },
                verdict.bias,
                verdict.z,
                100.0 * verdict.covered
            );
        }
    }
}
