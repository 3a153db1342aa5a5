//! Where units of work end: systems small enough to be worked out by hand, and random ones of all mechanisms, in which
//! the places add up to what arrived and agree with what each component counted. Builds with debug assertions compare
//! every unit with a slow reference besides.

use crate::random::{LENGTH_MS, system};
use crate::support::Scratch;
use coldcurve::model::request::lineage::{State, Why};
use coldcurve::run::ledger::{Ledger, UnitState};
use coldcurve::run::summary::{Cell, Summary};
use coldcurve::run::{Options, load};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

fn study(text: &str) -> coldcurve::run::Study {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let scratch = Scratch::new(&format!("ledger-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let rows: Vec<String> = (0..crate::random::RECORDED).map(|i| (i * 1000).to_string()).collect();
    scratch.write("rows.csv", &format!("t\n{}\n", rows.join("\n")));
    let file = scratch.path().join(scratch.write("system.yaml", text));
    let loaded = load(&file, &Options::default());
    let complaints = loaded.diagnostics.render(&loaded.sources, false);
    loaded.study.unwrap_or_else(|| panic!("{complaints}\n{text}"))
}

fn summary(text: &str) -> Summary {
    study(text).run(&|| ()).expect("runs that end")
}

/// The units of a source that ended in a state, and the first place and reason.
fn ended(ledger: &Ledger, state: UnitState) -> (u64, &str, &str) {
    let first = ledger.ends.iter().find(|end| end.state == state);
    let (place, why) = first.map_or(("", ""), |end| (&end.place, &end.why));
    (ledger.units(state), place, why)
}

fn mean(cell: &Cell, metric: &str) -> f64 {
    cell.metric(metric)
        .unwrap_or_else(|| panic!("no {metric}"))
        .estimate
        .mean
}

/// A client that sends `rate` requests a second to `to` until `end`, and then none.
fn client(to: &str, rate: u32, end: &str, fields: &str) -> String {
    let arrivals = format!("{{ rates: [{{ at: 0 s, rate: {rate}/s }}, {{ at: {end}, rate: 0/s }}] }}");
    format!("clients: {{ web: {{ to: {to}, {fields}arrivals: {arrivals} }} }}")
}

const RUN: &str = "run: { length: 10 min, warmup: 0 s, replications: 1, seed: 11 }\n";

#[test]
fn what_fails_too_often_is_lost_where_it_was_given_up_although_its_sender_was_answered() {
    let text = format!(
        "{RUN}{}
queues:
  jobs: {{ to: work, visibility_timeout: 30 s, maximum_receives: 3, dead_letter: dead, poller: {{ batch_size: 1 }} }}
  dead: {{}}
functions: {{ work: {{ cpu: 1, timeout: 5 s, handler: [ cpu: 10 ms, fail: 100% ] }} }}\n",
        client("jobs", 1, "5 min", "")
    );
    let summary = summary(&text);
    let cell = &summary.cells[0];
    let ledger = &cell.ledger[0];
    let dead = mean(cell, "queues.jobs.dead_lettered");
    assert!(ledger.goes_on && ledger.arrived > 250);
    assert_eq!(
        ended(ledger, UnitState::Lost),
        (ledger.arrived, "queues.jobs", "dead-lettered")
    );
    assert!((dead - ledger.arrived as f64).abs() < 0.5);
    assert!(mean(cell, "error_ratio").abs() < 1e-9, "its sender was answered well");
    assert!(
        mean(cell, "clients.web.journey.p50").is_nan(),
        "what is lost has no journey"
    );
}

#[test]
fn a_dead_letter_that_is_done_later_is_not_lost() {
    let text = format!(
        "{RUN}{}
queues:
  jobs:
    {{ to: work, visibility_timeout: 30 s, maximum_receives: 1, dead_letter: dead, poison: 100%, poison_until: 5 min }}
  dead: {{ redrive: {{ to: jobs, at: 6 min, rate: 10/s }} }}
functions: {{ work: {{ cpu: 1, timeout: 5 s, handler: [ cpu: 10 ms ] }} }}\n",
        client("jobs", 1, "2 min", "")
    );
    let summary = summary(&text);
    let (cell, ledger) = (&summary.cells[0], &summary.cells[0].ledger[0]);
    assert!((mean(cell, "queues.jobs.dead_lettered") - ledger.arrived as f64).abs() < 0.5);
    assert_eq!(ended(ledger, UnitState::Good).0, ledger.arrived);
    let fastest = mean(cell, "clients.web.journey.p50");
    assert!(
        fastest > 240.0,
        "their journeys end after the sixth minute: {fastest} s"
    );
}

#[test]
fn of_several_descendants_the_worst_decides_and_that_a_part_was_done_is_said() {
    let text = format!(
        "{RUN}{}
topics: {{ news: {{ subscriptions: [{{ to: good }}, {{ to: bad }}] }} }}
functions:
  good: {{ cpu: 1, handler: [ cpu: 10 ms ] }}
  bad: {{ cpu: 1, handler: [ cpu: 10 ms, fail: 100% ], asynchronous: {{ retries: 0 }} }}\n",
        client("news", 1, "2 min", "")
    );
    let summary = summary(&text);
    let ledger = &summary.cells[0].ledger[0];
    let (lost, place, why) = ended(ledger, UnitState::Lost);
    assert_eq!(
        (lost, place, why),
        (ledger.arrived, "functions.bad", "discarded after its last try")
    );
    assert_eq!(ledger.ends[0].partly, ledger.arrived);
}

#[test]
fn what_is_done_once_for_a_batch_ends_for_all_its_messages() {
    let text = format!(
        "{RUN}{}
queues: {{ jobs: {{ to: work, visibility_timeout: 1 min, poller: {{ batch_size: 10, batch_window: 2 s }} }} }}
functions:
  work: {{ cpu: 1, timeout: 10 s, handler: [ cpu: 1 ms, send: each, batch: [ send: once ] ] }}
  each: {{ cpu: 1, handler: [ wait: 1 s ] }}
  once: {{ cpu: 1, timeout: 1 min, handler: [ wait: 20 s, fail: 100% ], asynchronous: {{ retries: 0 }} }}\n",
        client("jobs", 10, "1 min", "")
    );
    let summary = summary(&text);
    let (cell, ledger) = (&summary.cells[0], &summary.cells[0].ledger[0]);
    assert!((mean(cell, "functions.each.async.done") - ledger.arrived as f64).abs() < 0.5);
    let batches = mean(cell, "functions.once.async.lost");
    assert!(
        batches < ledger.arrived as f64 / 3.0 && batches > 10.0,
        "{batches} batches"
    );
    // A batch that fails loses all of its messages, and with it their units.
    assert_eq!(ended(ledger, UnitState::Lost).0, ledger.arrived);
}

#[test]
fn what_feeds_itself_is_one_unfinished_unit() {
    let text = format!(
        "{RUN}{}
queues: {{ jobs: {{ to: work, visibility_timeout: 1 min, delay: 5 s, poller: {{ batch_size: 5 }} }} }}
functions: {{ work: {{ cpu: 1, timeout: 10 s, handler: [ cpu: 1 ms, batch: [ send: jobs ] ] }} }}\n",
        client("jobs", 1, "10 s", "")
    );
    let summary = summary(&text);
    let ledger = &summary.cells[0].ledger[0];
    assert!(ledger.arrived > 3);
    assert_eq!(ended(ledger, UnitState::Unfinished).0, ledger.arrived);
}

#[test]
fn an_execution_that_fails_fails_the_unit_of_its_schedule() {
    let text = "run: { length: 10 min, warmup: 0 s, replications: 2, start: 2026-01-05T01:55 }
schedules: { nightly: { to: flow, cron: 0 2 * * * } }
workflows: { flow: { answer: started, states: { do: { task: work, next: done }, done: succeed } } }
functions: { work: { cpu: 1, handler: [ cpu: 10 ms, fail: 100% ] } }\n";
    let summary = summary(text);
    let ledger = &summary.cells[0].ledger[0];
    assert_eq!((ledger.source.as_str(), ledger.arrived), ("schedules.nightly", 2));
    let (failed, place, _) = ended(ledger, UnitState::Failed);
    assert_eq!((failed, place), (2, "workflows.flow"));
}

#[test]
fn a_caller_that_gives_up_has_failed_though_its_work_is_done() {
    let text = format!(
        "{RUN}{}
functions:
  api: {{ cpu: 1, timeout: 10 s, handler: [ wait: 3 s, send: later ] }}
  later: {{ cpu: 1, handler: [ cpu: 1 ms ] }}\n",
        client("api", 1, "1 min", "timeout: 1 s, ")
    );
    let summary = summary(&text);
    let ledger = &summary.cells[0].ledger[0];
    assert_eq!(ended(ledger, UnitState::Failed).0, ledger.arrived);
    assert_eq!(ledger.ends[0].partly, ledger.arrived, "what it sent was done");
}

/// Twenty a second into ten a second for an hour, all of one length: half of it is done, and what waits is up to half
/// an hour old. All of it takes up to an hour, half of that more than half an hour.
#[test]
fn what_falls_behind_gives_lower_bounds() {
    let text = "run: { length: 1 h, warmup: 0 s, replications: 2, seed: 5 }
clients: { web: { to: jobs, arrivals: { constant: 20/s } } }
queues: { jobs: { to: work, visibility_timeout: 5 min, poller: { batch_size: 1, maximum_concurrency: 10 } } }
functions: { work: { cpu: 1, handler: [ wait: 1 s ] } }\n";
    let summary = summary(text);
    let cell = &summary.cells[0];
    for stem in ["clients.web.journey", "queues.jobs.latency", "queues.jobs.wait"] {
        for (percentile, least) in [("p50", 880.0..920.0), ("p99", 1750.0..1800.0)] {
            let metric = cell.metric(&format!("{stem}.{percentile}")).expect("it is reported");
            assert!(metric.at_least, "{} is a lower bound", metric.name);
            assert!(
                least.contains(&metric.estimate.mean),
                "{}: {}",
                metric.name,
                metric.estimate.mean
            );
        }
    }
    let latency = cell.metric("clients.web.latency.p99").expect("it is reported");
    assert!(!latency.at_least, "its sender has had its answer");
}

#[test]
fn nothing_is_a_lower_bound_where_nothing_piles_up() {
    let text = "run: { length: 1 h, warmup: 0 s, replications: 2, seed: 5 }
clients: { web: { to: jobs, arrivals: { poisson: 5/s } } }
queues: { jobs: { to: work, visibility_timeout: 5 min, poller: { batch_size: 1, maximum_concurrency: 10 } } }
functions: { work: { cpu: 1, handler: [ wait: { exponential: 1 s } ] } }\n";
    let summary = summary(text);
    let bound = |metric: &&coldcurve::run::summary::Metric| metric.at_least && metric.name.ends_with("p99");
    let bounds: Vec<&str> = summary.cells[0]
        .metrics
        .iter()
        .filter(bound)
        .map(|m| m.name.as_str())
        .collect();
    assert!(bounds.is_empty(), "{bounds:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_unit_ends_in_one_place(text in system(0), shape in 0..4_usize) {
        let (length, warmup) = [("1 s", 0), ("37 s", 0), ("5 min", 20), ("37 s", 20)][shape];
        let of_system = format!("length: {LENGTH_MS} ms, warmup: 0 s");
        prop_assert!(text.contains(&of_system));
        let text = text.replace(&of_system, &format!("length: {length}, warmup: {warmup} s"));
        let study = study(&text);
        let plan = &study.cells[0].plan;
        let result = coldcurve::model::world::run::World::new(plan, 5).run();
        let count = |component: u32, metric: &str| {
            let seen = result.observations.iter().find(|o| o.component == component && o.metric == metric);
            match seen.map(|o| &o.value) {
                Some(coldcurve::stats::Value::Count(n)) => *n,
                _ => 0,
            }
        };
        for source in &plan.common.followed {
            let ended: u64 = result.ends.iter().filter(|end| end.source == *source).map(|end| end.units).sum();
            let came = count(*source, "offered") + count(*source, "deliveries");
            prop_assert_eq!(came, ended, "{}", plan.components[*source as usize].name);
            // What the caller knows of is the least that is known of the unit.
            let worse = |states: &[State]| -> u64 {
                let ends = result.ends.iter().filter(|end| end.source == *source && states.contains(&end.end.state));
                ends.map(|end| end.units).sum()
            };
            prop_assert!(worse(&[State::Failed, State::Lost]) >= count(*source, "failed"));
            let turned_away = count(*source, "failed") + count(*source, "refused");
            prop_assert!(worse(&[State::Failed, State::Lost, State::Refused]) >= turned_away);
        }
        if warmup == 0 {
            // Whatever a component lost, somebody's unit lost.
            let components = plan.components.len() as u32;
            let all = |metric: &str| -> u64 { (0..components).map(|place| count(place, metric)).sum() };
            let lost = |why: Why| -> u64 {
                let ends = result.ends.iter().filter(|end| end.end.state == State::Lost && end.end.why == why);
                ends.map(|end| end.units).sum()
            };
            let all_lost = result.ends.iter().filter(|end| end.end.state == State::Lost);
            let any_lost: u64 = all_lost.map(|end| end.units).sum();
            prop_assert!(lost(Why::Discarded) <= all("async.lost") + all("discarded"));
            prop_assert!(lost(Why::Dropped) <= all("dropped_attempts"));
            prop_assert!(all("async.lost") + all("lost") == 0 || any_lost > 0);
            let given_up = all("dead_lettered") + all("dropped_attempts") + all("dropped_age") + all("discarded")
                + all("async.dropped_errors") + all("async.dropped_age") + all("async.dropped_switched_off");
            prop_assert!(lost(Why::DeadLettered) <= given_up * 10, "a batch has ten");
        }
    }
}
