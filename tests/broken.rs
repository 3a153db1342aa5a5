//! What the program says about scenarios that cannot run: every file under `tests/broken` has its complaint beside it.
//!
//! `COLDCURVE_BLESS=1 cargo test broken` rewrites the complaints. Read the difference before you commit it: a message
//! is good if a person who has never seen the program knows from it where to look and what to write instead.

use crate::support::{Scratch, blessed, coldcurve, contents, repository};
use std::fs;

/// The broken scenarios, sorted.
fn scenarios() -> Vec<String> {
    let folder = repository().join("tests/broken");
    let entries = fs::read_dir(folder).expect("the broken scenarios");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.strip_suffix(".yaml").is_some()).collect();
    names.sort();
    names
}

#[test]
fn every_broken_scenario_is_refused_with_its_complaint_and_touches_no_results() {
    let folder = repository().join("tests/broken");
    let scratch = Scratch::new("broken");
    let out = scratch.path().join("out");
    fs::create_dir_all(out.join("kept")).expect("a folder");
    for (name, text) in [
        ("manifest.json", "{}"),
        ("summary.json", "earlier"),
        ("kept/note.txt", "mine"),
    ] {
        fs::write(out.join(name), text).expect("a file");
    }
    let before = contents(scratch.path());
    let mut wrong = Vec::new();
    for name in scenarios() {
        let outcome = coldcurve(&folder, &["run", &name, "--out", &out.to_string_lossy()]);
        if outcome.code != Some(2) || !outcome.stdout.is_empty() {
            wrong.push(format!(
                "{name}: exit code {:?}, prints {:?}",
                outcome.code, outcome.stdout
            ));
        }
        if outcome.stderr.contains("panicked") {
            wrong.push(format!("{name} panics: {}", outcome.stderr));
        }
        let complaint = folder.join(&name).with_extension("stderr");
        wrong.extend(blessed(&complaint, &outcome.stderr).err());
        let checked = coldcurve(&folder, &["check", &name]);
        if (checked.code, &checked.stderr) != (Some(2), &outcome.stderr) {
            wrong.push(format!(
                "{name}: `check` says something else than `run`: {}",
                checked.stderr
            ));
        }
    }
    assert!(
        contents(scratch.path()) == before,
        "the results of an earlier run were touched"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_complaint_names_a_place_and_a_remedy() {
    let mut wrong = Vec::new();
    for name in scenarios() {
        let file = repository().join("tests/broken").join(&name).with_extension("stderr");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let errors = text
            .lines()
            .filter(|line| line.starts_with("error[") || line.starts_with("warning["));
        let errors = errors.count();
        let places = text.lines().filter(|line| line.trim_start().starts_with("-->")).count();
        let help = text.lines().filter(|line| line.contains("help: ")).count();
        if errors == 0 || places < errors || help < errors {
            wrong.push(format!("{name}: {errors} problems, {places} places, {help} remedies"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_complaint_belongs_to_a_scenario() {
    let orphans: Vec<String> = fs::read_dir(repository().join("tests/broken"))
        .expect("the broken scenarios")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "stderr") && !path.with_extension("yaml").exists())
        .map(|path| path.display().to_string())
        .collect();
    assert!(orphans.is_empty(), "complaints without a scenario: {orphans:?}");
}
