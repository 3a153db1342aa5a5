//! The first screen, of systems of several kinds: its texts at two widths lie in `tests/screens`.
//!
//! `COLDCURVE_BLESS=1 cargo test screens` rewrites them. Read the difference before you commit it: a screen is good if
//! a person who knows the system, but not the program, draws the right conclusion from it.

use crate::support::{blessed, repository};
use coldcurve::Scenario;
use std::fs;

/// Scenarios of different kinds, and what makes their runs short.
const KINDS: [(&str, &[(&str, &str)]); 5] = [
    // Requests and answers, with faults and limits.
    ("bad-hour", &[]),
    // A queue with a worker.
    ("fifo-poison", &[]),
    // A stream with a consumer.
    ("stream-poison", &[]),
    // Workflows, along a swept parameter with a label.
    ("standard-or-express", &[]),
    // A parameter that only one of the variants has.
    (
        "provisioned-bill-pool",
        &[("run.length", "2 min"), ("run.warmup", "30 s")],
    ),
];

#[test]
fn screens_are_what_they_were() {
    let mut wrong = Vec::new();
    for (name, changes) in KINDS {
        let file = repository().join("scenarios").join(name).with_extension("yaml");
        let scenario = Scenario::from_path(file).expect("a scenario").replications(2);
        let scenario = changes
            .iter()
            .fold(scenario, |scenario, (path, value)| scenario.set(path, value));
        let results = scenario.run(&coldcurve::Silent).expect("results");
        for columns in [80, 110] {
            let golden = repository().join(format!("tests/screens/{name}-{columns}.txt"));
            wrong.extend(blessed(&golden, &results.text(columns)).err());
        }
        for columns in [40, 59, 60, 72, 80, 95, 110, 200] {
            let text = results.text(columns);
            let wide = text.lines().filter(|line| line.chars().count() > columns);
            wrong.extend(wide.map(|line| format!("{name} at {columns} columns: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_screen_is_compared() {
    let entries = fs::read_dir(repository().join("tests/screens")).expect("the screens");
    let mut found: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let both = |(name, _): &(&str, _)| [110, 80].map(|columns| format!("{name}-{columns}.txt"));
    let mut expected: Vec<String> = KINDS.iter().flat_map(both).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "COLDCURVE_BLESS=1 writes those that are missing");
}
