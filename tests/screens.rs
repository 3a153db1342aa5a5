//! The first screen, of systems of several kinds: its texts at two widths lie in `tests/screens`.
//!
//! `COLDCURVE_BLESS=1 cargo test screens` rewrites them. Read the difference before you commit it: a screen is good if
//! a person who knows the system, but not the program, draws the right conclusion from it.

use crate::support::{blessed, repository};
use coldcurve::Scenario;
use std::fs;

/// What makes the runs of a scenario short.
type Changes = &'static [(&'static str, &'static str)];

/// Scenarios of different kinds, how often each is run, and what makes the runs short. Those that are not among the
/// scenarios lie in `tests/data/screens`.
const KINDS: [(&str, u64, Changes); 13] = [
    // Requests and answers, with variants, faults and limits.
    ("bad-hour", 2, &[]),
    // Requests and answers, with sizes, sources beside the headline, and a deploy.
    (
        "provisioned-bill",
        2,
        &[("run.length", "7 min"), ("run.warmup", "1 min")],
    ),
    // A queue with a worker, and poison.
    ("fifo-poison", 2, &[]),
    // A queue with a worker, swept.
    ("worker", 4, &[]),
    // A queue whose losses nobody sees, and one that is not done.
    ("quiet-dlq", 2, &[]),
    // A stream with a consumer.
    ("stream-poison", 2, &[]),
    // A stream whose consumer lags: a single system.
    ("lagging-stream", 2, &[]),
    // Workflows, along a swept parameter with a label.
    ("standard-or-express", 2, &[]),
    // A scheduled workflow.
    ("nightly-map", 2, &[]),
    // A schedule alone.
    ("nightly", 1, &[]),
    // A pipeline of events.
    ("thumbnails", 2, &[("run.length", "40 min")]),
    // Two regimes.
    ("pinned-proxy", 16, &[("run.length", "4 min")]),
    // A parameter that only one of the variants has.
    (
        "provisioned-bill-pool",
        2,
        &[("run.length", "2 min"), ("run.warmup", "30 s")],
    ),
];

#[test]
fn screens_are_what_they_were() {
    let mut wrong = Vec::new();
    for (name, replications, changes) in KINDS {
        let folders = ["scenarios", "tests/data/screens"].map(|folder| repository().join(folder));
        let files = folders.map(|folder| folder.join(name).with_extension("yaml"));
        let file = files.into_iter().find(|file| file.exists()).expect("a file");
        let scenario = Scenario::from_path(file)
            .expect("a scenario")
            .assumptions()
            .replications(replications);
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
    let both = |(name, ..): &(&str, u64, Changes)| [110, 80].map(|columns| format!("{name}-{columns}.txt"));
    let mut expected: Vec<String> = KINDS.iter().flat_map(both).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "COLDCURVE_BLESS=1 writes those that are missing");
}
