//! Default settings against the exact law of cold starts: the short form of `cargo run --release --example defaults`.

#[path = "../examples/defaults/study.rs"]
mod study;

use rayon::prelude::*;
use study::{SYSTEMS, judge};

/// Estimates lie around the truth, and most intervals hold it. A warm-up that is too short by half shows here: a run
/// without any has 1.9 to 2.6 times the cold starts of the law.
#[test]
fn default_settings_give_the_law_of_cold_starts() {
    const SEEDS: u64 = 12;
    for system in &SYSTEMS {
        let truth = system.truth();
        for (replications, beside) in [(4, false), (16, true)] {
            let one = |seed| system.study(beside, seed, replications);
            let studies: Vec<_> = (1..=SEEDS).into_par_iter().map(one).collect();
            let verdict = judge(&studies, truth);
            let what = format!("{}, {replications} runs", system.name);
            assert!(
                verdict.z.abs() < 3.5,
                "{what}: z {} (mean/truth {})",
                verdict.z,
                verdict.bias
            );
            // Twelve at 95 %: fewer than eight has a probability below one in ten thousand.
            assert!(verdict.covered >= 8.0 / 12.0, "{what}: covered {}", verdict.covered);
        }
    }
}
