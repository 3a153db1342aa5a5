//! The gallery: every scenario has its question, its picture and its answer, and the pictures stay small.

use crate::support::repository;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Bytes of one picture, at most.
const LARGEST: u64 = 90_000;
/// Bytes of all pictures, at most.
const ALL: u64 = 1_600_000;

/// The names of the files in a folder that end like that, without the end.
fn stems(folder: &str, end: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(repository().join(folder)).expect("a folder");
    let name = |path: &Path| Some(path.file_name()?.to_str()?.strip_suffix(end)?.to_owned());
    entries
        .filter_map(|entry| name(&entry.expect("an entry").path()))
        .collect()
}

#[test]
fn every_scenario_is_in_the_gallery_with_its_picture() {
    let page = fs::read_to_string(repository().join("scenarios/README.md")).expect("the gallery");
    let mut wrong = Vec::new();
    for scenario in stems("scenarios", ".yaml") {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| [{scenario}]({scenario}.yaml) | ")));
        let time = row.and_then(|row| row.trim_end_matches([' ', '|']).rsplit("| ").next());
        let seconds = time.and_then(|time| time.strip_suffix(" s")).map(str::parse::<f64>);
        if !matches!(seconds, Some(Ok(seconds)) if seconds > 0.0) {
            wrong.push(format!(
                "{scenario}: no row with its question and its CPU seconds, but {row:?}"
            ));
        }
        if !page.contains(&format!("](../docs/images/gallery/{scenario}.svg)")) {
            wrong.push(format!("{scenario}: its picture is not shown"));
        }
    }
    let drawn = stems("docs/images/gallery", ".svg");
    for (_, rest) in page
        .match_indices("](../docs/images/gallery/")
        .map(|(at, link)| (at, &page[at + link.len()..]))
    {
        let picture = rest.split(".svg)").next().unwrap_or_default();
        if !drawn.contains(picture) {
            wrong.push(format!("{picture}: there is no such picture"));
        }
    }
    for picture in drawn.difference(&stems("scenarios", ".yaml")) {
        wrong.push(format!("{picture}.svg: a picture without a scenario"));
    }
    assert!(
        wrong.is_empty(),
        "see `cargo run --release --example gallery` in CONTRIBUTING.md:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn pictures_are_small() {
    let folder = repository().join("docs/images/gallery");
    let sizes = stems("docs/images/gallery", ".svg").into_iter().map(|name| {
        let bytes = fs::metadata(folder.join(format!("{name}.svg")))
            .expect("a picture")
            .len();
        assert!(bytes <= LARGEST, "{name}.svg has {bytes} bytes");
        bytes
    });
    assert!(sizes.sum::<u64>() <= ALL);
}
