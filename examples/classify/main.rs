//! How often a steady cell is taken for one that is not, and how often one that grows is named.
//!
//! `cargo run --release --example classify` tries 2,000 cells of each steady system for their p-values, 20 files of 500
//! cells for false alarms, and 100 overloaded queues: about seven CPU minutes. A number divides all that:
//! `cargo run --release --example classify -- 10`.

mod systems;

use systems::{RUNS, STEADY, overloaded, study};

fn main() {
    let divisor = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
        .max(1);
    let (cells, files, overloads) = (2000 / divisor, 20_u64.div_ceil(divisor), 100 / divisor);
    println!("{RUNS} runs a cell; {cells} cells a system for the shares, then {files} files of 500 cells in all\n");
    println!("{:44} p <= .1   p <= .01  named  too short", "steady system");
    for (name, text) in STEADY {
        let found = study(text, cells, 1, 1);
        let share = |count: usize| count as f64 / cells as f64;
        println!(
            "{name:44} {:7.3}   {:8.4}  {:5}  {:9}",
            share(found.tenth),
            share(found.hundredth),
            found.named,
            found.short
        );
    }
    // The cells of a file are of all systems in turn, as in a sweep over many designs.
    let each = (500 * files).div_ceil(STEADY.len() as u64);
    let alarms: usize = STEADY
        .iter()
        .map(|(_, text)| study(text, each, 500, 1_000_000).named)
        .sum();
    println!("\n{files} files of 500 steady cells: {alarms} cells named as growing, draining or of two regimes");
    let found = study(&overloaded(10), overloads, 1, 2_000_000);
    println!(
        "M/M/1 at 1.05, 1,000/s, 10 min: growth named in {} of {overloads}",
        found.named
    );
}
