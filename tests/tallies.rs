//! Tallies: written, read back, joined in any order and summarised, they give what the run gave; mixtures, damage and
//! changes of more than prices are refused, and say why.

use crate::support::{Scratch, repository};
use coldcurve::model::KINDS;
use coldcurve::report::json;
use coldcurve::run::study::summarise;
use coldcurve::run::summary::Summary;
use coldcurve::run::tally::{FORMAT, Tallies, Tally, TallyError, by_cell};
use coldcurve::run::{Options, Study, load};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Scenarios of the gallery with components of every kind, faults, variants, recordings, regimes and own services.
const GALLERY: [&str; 11] = [
    "empty-start",
    "etl-workflow",
    "fan-out",
    "hello",
    "invented-provider",
    "midnight-crons",
    "photo-events",
    "picture-tagging",
    "real-traffic",
    "stream-poison",
    "veda-outage",
];

const RUNS: u64 = 6;

fn study_at(path: &Path, options: &Options) -> Study {
    let loaded = load(path, options);
    let complaints = loaded.diagnostics.render(&loaded.sources, false);
    loaded.study.unwrap_or_else(|| panic!("{complaints}"))
}

fn options() -> Options {
    Options {
        replications: Some(RUNS),
        ..Options::default()
    }
}

/// A scenario of the gallery.
fn gallery(name: &str) -> Study {
    study_at(&repository().join(format!("scenarios/{name}.yaml")), &options())
}

fn text(summary: &Summary) -> String {
    json::text(summary).expect("a summary as JSON")
}

/// All tallies of a study, cell by cell.
fn tallies(study: &Study) -> Vec<Tally> {
    let sets = study.clone().tallies(&(0..RUNS), &|| ());
    let sets = sets.into_iter().map(|set| set.expect("runs that end"));
    sets.flat_map(|set| set.iter().collect::<Vec<_>>()).collect()
}

fn bytes(tallies: &[Tally]) -> Vec<u8> {
    tallies.iter().flat_map(Tally::to_bytes).collect()
}

/// In another order: every third, beginning with the last.
fn shuffled(tallies: Vec<Tally>) -> Vec<Tally> {
    let mut thirds = [Vec::new(), Vec::new(), Vec::new()];
    for (place, tally) in tallies.into_iter().rev().enumerate() {
        thirds[place % 3].push(tally);
    }
    thirds.concat()
}

/// What a study finds out is what its tallies tell, wherever they have been: the summary, and the bytes of a tally.
fn travels(study: &Study) -> (Summary, usize) {
    let run = study.clone().run(&|| ()).expect("runs that end");
    let made = tallies(study);
    let written = bytes(&shuffled(made.clone()));
    let read = Tally::read_all(&mut &written[..]).expect("what was written");
    let summary = summarise(study.clone(), by_cell(read).expect("one study")).expect("all runs");
    assert!(text(&summary) == text(&run), "{}: another summary", run.scenario);
    (run, written.len() / made.len())
}

#[test]
fn tallies_that_were_written_and_joined_in_any_order_tell_what_the_run_told() {
    let (mut kinds, mut regimes) = (BTreeSet::new(), false);
    for name in GALLERY {
        let study = gallery(name);
        let components = study.cells.iter().flat_map(|cell| &cell.plan.components);
        kinds.extend(components.map(|component| KINDS[usize::from(component.target.kind)]));
        let (summary, size) = travels(&study);
        regimes |= summary.cells.iter().any(|cell| !cell.regimes.is_empty());
        assert!((500..200_000).contains(&size), "{name}: {size} bytes a run");
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !kinds.contains(*kind)).collect();
    assert!(
        missing.is_empty() && regimes,
        "no component of {missing:?}, or no cell with two regimes"
    );
}

/// A fleet that is sized and functions that start warm: pilot runs settle both, and tallies know what they found.
const SETTLED: &str = "title: settled
run: { replications: 6 }
clients:
  web: { to: fleet, arrivals: { poisson: 40/s } }
  app: { to: work, arrivals: { poisson: 2/s } }
fleets:
  fleet: { vcpu: 1, slots: 4, size: { utilisation: 60% }, handler: [ cpu: { exponential: 50 ms } ] }
functions:
  work: { initial_instances: steady, idle_timeout: 5 min, handler: [ wait: { exponential: 200 ms } ] }
";

#[test]
fn what_pilots_settled_travels_with_the_tallies() {
    let scratch = Scratch::new("tallies-settled");
    let study = study_at(&scratch.path().join(scratch.write("settled.yaml", SETTLED)), &options());
    travels(&study);
    let one = tallies(&study).swap_remove(0);
    assert!(one.origin.found.fleets[0] > 1 && one.origin.found.functions[0] > 0);
    let mut other = one.clone();
    std::sync::Arc::make_mut(&mut other.origin).found.fleets[0] += 1;
    other.run += 1;
    let mut set = Tallies::from(one);
    assert_eq!(set.join(other), Err(TallyError::Found("base".to_owned())));
}

#[test]
fn the_number_of_threads_leaves_no_trace_in_tallies() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads").install(|| bytes(&tallies(&gallery("fan-out"))))
    };
    assert!(with(1) == with(4));
}

#[test]
fn shards_join_to_the_whole() {
    let study = gallery("hello");
    let whole = study.clone().tallies(&(0..RUNS), &|| ()).swap_remove(0).expect("runs");
    let part = |numbers| study.clone().tallies(&numbers, &|| ()).swap_remove(0).expect("runs");
    let mut joined = part(4..RUNS);
    joined.join(part(0..4)).expect("the other part");
    assert_eq!(joined, whole);
    joined.join(part(2..5)).expect("the same runs again");
    assert_eq!((joined.len() as u64, &joined), (RUNS, &whole));
    let summary = summarise(study.clone(), vec![part(0..4)]).expect("four runs");
    assert_eq!(summary.replications, 4);
}

#[test]
fn tallies_are_priced_and_judged_again_without_a_run() {
    let scratch = Scratch::new("tallies-priced");
    let with = |head: &str| {
        let name = scratch.write("shop.yaml", "");
        let shop = "clients: { web: { to: api, arrivals: { poisson: 20/s } } }
functions: { api: { service: aws.lambda, memory: 512 MB, runtime: nodejs22.x, handler: [ cpu: 5 ms, call: mail ] } }
externals: { mail: { latency: 20 ms, price: $0.001 } }
";
        fs::write(scratch.path().join(name), format!("{head}\n{shop}")).expect("a scenario");
        study_at(&scratch.path().join(name), &options())
    };
    let run = "run: { length: 20 min, warmup: 5 min }";
    let old = with(&format!("title: old\n{run}"));
    let (made, before) = (tallies(&old), old.clone().run(&|| ()).expect("runs"));
    let again = "title: new
description: priced anew
run: { length: 20 min,  warmup: 5 min, percentiles: [75], replications: 40 }
billing: { free_tier: true, active_hours: 10 h }
prices: { aws.lambda: [ { line: requests, meter: requests, unit: 1M requests, price: 20 } ] }
expect: [ { metric: latency.p99, below: 1 ms } ]";
    let mut new = with(again);
    new.replications = RUNS;
    let sets = by_cell(made.clone()).expect("one study");
    let summary = summarise(new.clone(), sets).expect("the same runs");
    assert!(
        text(&summary) == text(&new.run(&|| ()).expect("runs")),
        "another summary"
    );
    assert!(summary.cells[0].bill.total.mean < before.cells[0].bill.total.mean / 10.0);
    assert!(summary.expectations[0].fails() && summary.cells[0].metric("latency.p75").is_some());
    // What decides more than that is refused.
    let refused = |head: &str| {
        let sets = by_cell(made.clone()).expect("one study");
        summarise(with(head), sets).expect_err("another run").to_string()
    };
    for (change, reason) in [
        (run.replace("5 min", "6 min"), "another warm-up"),
        (run.replace("20 min", "30 min"), "another warm-up"),
        (
            format!("{run}\naccounts: {{ aws: {{ concurrency: 5 }} }}"),
            "another scenario (base)",
        ),
        (run.replace(" }", ", seed: 7 }"), "other seeds: 7 and 1"),
        (
            format!("{run}\nvariants: {{ more: {{}} }}"),
            "the scenario has no cell base",
        ),
        (
            format!("{run}\nvariants: {{ base: {{}}, more: {{}} }}"),
            "runs of more are missing",
        ),
    ] {
        let words = refused(&change);
        assert!(words.contains(reason), "{change}: {words}");
    }
}

#[test]
fn files_of_prices_decide_no_run_and_what_own_services_preset_does() {
    const BOOK: &str = "book: { name: acme, currency: USD, region: eu, as_of: 2026-11 }
sources: { list: Acme's price list }
services:
  acme.functions:
    - { line: requests, meter: requests, unit: 1M requests, price: 0.4, source: list, as_of: 2026-11, confidence: high }
";
    const SERVICE: &str = "service: acme.functions
kind: functions
title: Acme Functions
defaults:
  timeout: { value: 30 s, source: theirs }
";
    let scratch = Scratch::new("tallies-files");
    fs::create_dir(scratch.path().join("own")).expect("a folder");
    let scenario = "run: { length: 20 min, warmup: 5 min }
catalog: own
prices: list.book
clients: { web: { to: api, arrivals: { poisson: 1/s } } }
functions: { api: { service: acme.functions, handler: [ wait: 5 ms ] } }
";
    let with = |book: &str, service: &str| {
        scratch.write("list.book", book);
        scratch.write("own/acme.yaml", service);
        study_at(&scratch.path().join(scratch.write("shop.yaml", scenario)), &options())
    };
    let old = with(BOOK, SERVICE);
    let files: Vec<&str> = old.data.iter().map(|input| &input.file[..]).collect();
    assert_eq!(files, ["acme.functions"]);
    assert!(old.manifest.inputs.iter().any(|input| input.file == "list.book"));
    let sets = || by_cell(tallies(&old)).expect("one study");
    let source = SERVICE.replace("theirs", "theirs, read again");
    let bill = |book: &str| {
        let summary = summarise(with(book, &source), sets()).expect("the same runs");
        summary.cells[0].bill.total.mean
    };
    let (cheap, dear) = (bill(BOOK), bill(&BOOK.replace("0.4", "4")));
    assert!((dear / cheap - 10.0).abs() < 1e-6, "{cheap} and {dear}");
    let refused = summarise(with(BOOK, &SERVICE.replace("30 s", "31 s")), sets());
    assert_eq!(refused, Err(TallyError::Data("acme.functions".to_owned())));
}

#[test]
fn mixtures_are_refused_and_say_why() {
    let study = gallery("real-traffic");
    let made = tallies(&study);
    let one = made[0].clone();
    let joined = |other: Tally| {
        let mut set = Tallies::from(one.clone());
        let before = set.clone();
        let outcome = set.join(other);
        assert!(outcome.is_ok() || set == before, "what is refused changes nothing");
        outcome
    };
    let changed = |change: &dyn Fn(&mut coldcurve::run::tally::Origin)| {
        let mut other = made[1].clone();
        change(std::sync::Arc::make_mut(&mut other.origin));
        joined(other)
    };
    assert_eq!(joined(made[1].clone()), Ok(()));
    assert_eq!(joined(one.clone()), Ok(()), "the same run with the same content");
    let mut twice = made[1].clone();
    twice.run = one.run;
    assert_eq!(
        joined(twice),
        Err(TallyError::Twice(one.run, one.origin.variant.clone()))
    );
    let cell = one.origin.variant.clone();
    assert_eq!(
        changed(&|origin| origin.scenario += 1),
        Err(TallyError::Scenario(cell.clone()))
    );
    assert_eq!(
        changed(&|origin| origin.seed = 9),
        Err(TallyError::Seed(one.origin.seed, 9))
    );
    let other = changed(&|origin| origin.variant.push('x'));
    assert_eq!(other, Err(TallyError::Cell(cell.clone(), format!("{cell}x"))));
    let file = one.origin.data[0].file.clone();
    assert_eq!(
        changed(&|origin| origin.data[0].digest.push('0')),
        Err(TallyError::Data(file.clone()))
    );
    assert_eq!(changed(&|origin| origin.data.clear()), Err(TallyError::Data(file)));
    let version = changed(&|origin| origin.version = "0.0.1".to_owned());
    assert!(matches!(version, Err(TallyError::Version(..))));
    let next = |found: &mut coldcurve::run::tally::Found| found.warmup.0 += 1;
    assert_eq!(changed(&|origin| next(&mut origin.found)), Err(TallyError::Found(cell)));
}

#[test]
fn cells_are_told_apart_and_all_are_needed() {
    let study = gallery("invented-provider");
    let mut made = tallies(&study);
    let sets = by_cell(made.clone()).expect("one study");
    assert_eq!(sets.len(), study.cells.len());
    let (first, second) = (sets[0].clone(), sets[1].clone());
    assert!(matches!(first.clone().join(second), Err(TallyError::Cell(..))));
    made.pop();
    let missing = summarise(study.clone(), by_cell(made).expect("one study"));
    assert!(matches!(missing, Err(TallyError::Missing(_))));
    let missing = summarise(study, vec![first]);
    assert!(matches!(missing, Err(TallyError::Missing(_))));
}

#[test]
fn every_damaged_byte_and_every_cut_is_noticed() {
    let one = tallies(&gallery("hello")).swap_remove(0);
    let written = one.to_bytes();
    assert_eq!(Tally::from_bytes(&written), Ok((one, written.len())));
    for at in 0..written.len() {
        let mut damaged = written.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(Tally::from_bytes(&damaged).is_err(), "byte {at}");
        let cut = Tally::from_bytes(&written[..at]);
        assert!(matches!(cut, Err(TallyError::Cut)), "cut at {at}: {cut:?}");
    }
    let mut other = written.clone();
    other[7] = FORMAT as u8 + 1;
    assert_eq!(Tally::from_bytes(&other), Err(TallyError::Format(FORMAT + 1)));
    assert_eq!(Tally::from_bytes(b"{}").err(), Some(TallyError::NotATally));
    assert_eq!(
        Tally::read_all(&mut &[&written[..], b"rest"].concat()[..]).err(),
        Some(TallyError::NotATally)
    );
}
