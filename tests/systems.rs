//! Random systems in which every mechanism occurs, with faults, guards and accounts: what comes in goes out or is
//! still there, windows add up to totals, causes to latencies, lines to bills; the same dice give the same run,
//! whatever keeps the agenda; and what a run tells survives being written and read.

use crate::random::{LENGTH_MS, RECORDED, WINDOW_MS, system};
use crate::support::Scratch;
use coldcurve::kernel::Agenda;
use coldcurve::model::world::run::{RunResult, World};
use coldcurve::model::{KINDS, Plan};
use coldcurve::report::json;
use coldcurve::run::study::summarise;
use coldcurve::run::tally::{Packed, Tally, by_cell};
use coldcurve::run::{Options, Study, load};
use coldcurve::stats::{Histogram, SeriesUnit, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

/// The study of a text; its recordings stand beside it.
fn study(text: &str) -> Study {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let scratch = Scratch::new(&format!("systems-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let rows: Vec<String> = (0..RECORDED).map(|i| (i * 1000).to_string()).collect();
    scratch.write("rows.csv", &format!("t\n{}\n", rows.join("\n")));
    let loaded = load(
        &scratch.path().join(scratch.write("system.yaml", text)),
        &Options::default(),
    );
    let complaints = loaded.diagnostics.render(&loaded.sources, false);
    loaded.study.unwrap_or_else(|| panic!("{complaints}\n{text}"))
}

fn plan(text: &str) -> Plan {
    study(text).cells.swap_remove(0).plan
}

/// A run and the plan it is of.
struct Ran<'p> {
    plan: &'p Plan,
    result: RunResult,
}

impl<'p> Ran<'p> {
    fn new(plan: &'p Plan, run: u64) -> Self {
        let result = World::new(plan, run).run();
        Self { plan, result }
    }

    fn component(&self, name: &str) -> u32 {
        let place = self.plan.components.iter().position(|component| component.name == name);
        place.unwrap_or_else(|| panic!("no component {name}")) as u32
    }

    fn find(&self, name: &str, metric: &str) -> Option<&Value> {
        let component = self.component(name);
        let named = self
            .result
            .observations
            .iter()
            .find(|o| o.component == component && o.metric == metric);
        named.map(|o| &o.value)
    }

    /// A count or a peak; 0 if the component does not count that.
    fn count(&self, name: &str, metric: &str) -> u64 {
        match self.find(name, metric) {
            Some(Value::Count(n) | Value::Peak(n)) => *n,
            None => 0,
            other => panic!("{name}.{metric} is {other:?}"),
        }
    }

    fn sum(&self, name: &str, metrics: &[&str]) -> u64 {
        metrics.iter().map(|metric| self.count(name, metric)).sum()
    }

    fn times(&self, component: u32, metrics: &[&str]) -> Option<&Histogram> {
        let mine = |o: &&coldcurve::stats::Observation| o.component == component && metrics.contains(&o.metric);
        self.result
            .observations
            .iter()
            .filter(mine)
            .find_map(|o| match &o.value {
                Value::Latency(histogram) => Some(histogram.as_ref()),
                _ => None,
            })
    }
}

/// What came in has gone out, or is still there: `came` less `went` is at most `room`.
fn conserved(what: &str, came: u64, went: u64, room: u64) -> Result<(), TestCaseError> {
    prop_assert!(went <= came, "{}: {} came and {} went", what, came, went);
    prop_assert!(
        came - went <= room,
        "{}: {} came, {} went, and there is room for {}",
        what,
        came,
        went,
        room
    );
    Ok(())
}

/// Requests, messages, records, deliveries, events and executions are conserved.
fn nothing_is_lost(ran: &Ran) -> Result<(), TestCaseError> {
    let (mut requests, mut unfinished) = (0, 0);
    for client in &ran.plan.clients {
        let name = &ran.plan.components[client.component as usize].name;
        let ended = ran.count(name, "requests");
        let Some(Value::Ratio { part, whole }) = ran.find(name, "error_ratio") else {
            return Err(TestCaseError::fail("error_ratio is no ratio"));
        };
        let bad = [
            "throttled_429",
            "failed_500",
            "bad_gateway_502",
            "unavailable_503",
            "gateway_timeout_504",
            "timed_out",
            "breaker_open",
            "too_large_413",
        ];
        prop_assert_eq!((*part, *whole), (ran.sum(name, &bad), ended), "{}", name);
        requests += ended;
        // Each request that came in the measured time ended in one place, or had not ended.
        let places = ran.sum(name, &["good", "failed", "refused", "unfinished"]);
        prop_assert_eq!(ran.count(name, "offered"), places, "{}", name);
        unfinished += ran.count(name, "unfinished");
    }
    prop_assert!(unfinished <= ran.result.in_flight);
    if ran.plan.warmup == coldcurve::kernel::Duration::ZERO {
        prop_assert_eq!(unfinished, ran.result.in_flight);
    }
    prop_assert_eq!(requests, ran.result.requests);
    conserved(
        "recorded requests",
        RECORDED,
        ran.count("past", "requests"),
        ran.result.in_flight,
    )?;
    for queue in ["jobs", "dead", "kept"] {
        let came = ran.sum(queue, &["sent", "copies", "moved_in"]);
        let went = ran.sum(queue, &["deleted", "dead_lettered", "redriven", "expired", "remaining"]);
        conserved(queue, came, went, 0)?;
    }
    prop_assert_eq!(ran.count("dead", "moved_in"), ran.count("jobs", "dead_lettered"));
    prop_assert_eq!(ran.count("jobs", "moved_in"), ran.count("dead", "redriven"));
    for stream in ["log", "tail"] {
        let went = ran.sum(stream, &["processed", "discarded", "expired", "skipped", "remaining"]);
        conserved(stream, ran.count(stream, "records"), went, 0)?;
    }
    for sender in ["news", "often"] {
        let went = ran.sum(sender, &["delivered", "dropped_attempts", "dropped_age"]);
        conserved(
            sender,
            ran.count(sender, "deliveries"),
            went,
            ran.count(sender, "pending.peak"),
        )?;
        let given_up = ran.sum(sender, &["dropped_attempts", "dropped_age"]);
        conserved("given up", given_up, ran.count(sender, "lost"), given_up)?;
    }
    for function in ["front", "back", "elastic", "work"] {
        let throttled = [
            "throttled_concurrency",
            "throttled_rate",
            "throttled_scaling",
            "throttled_pending",
            "dropped_expired",
        ];
        let went = ran.count(function, "invocations") + ran.sum(function, &throttled);
        let place = ran
            .plan
            .functions
            .iter()
            .find(|f| f.name == function)
            .expect("a function");
        let room = ran.count(function, "instances.peak") * u64::from(place.concurrency_per_instance);
        conserved(
            function,
            ran.count(function, "offered"),
            went,
            room + ran.count(function, "pending.peak"),
        )?;
        let came = ran.sum(function, &["async.received", "async.duplicates"]);
        let went = ran.sum(
            function,
            &[
                "async.done",
                "async.duplicates_processed",
                "async.dropped_errors",
                "async.dropped_age",
                "async.dropped_switched_off",
            ],
        );
        conserved("events", came, went, ran.count(function, "async.depth.peak"))?;
    }
    let ended = ran.sum("saga", &["succeeded", "failed", "timed_out"]);
    conserved(
        "executions",
        ran.count("saga", "started"),
        ended,
        ran.count("saga", "open.peak"),
    )?;
    for fleet in ["ships", "lookup"] {
        let went = ran.sum(fleet, &["refused", "served", "dropped_expired"]);
        // What is sent to an instance that is gone with its zone may hang; what waits there when that goes is answered
        // (503), and counted neither among the served nor among the refused.
        let faults = &ran.result.faults;
        let hung: u64 = faults.iter().map(|fault| fault.hung).sum();
        let lines = 1 + faults.iter().map(|fault| fault.spans.len() as u64).sum::<u64>();
        let room = ran.count(fleet, "slots.busy_peak") + lines * ran.count(fleet, "queue.peak") + hung;
        conserved(fleet, ran.count(fleet, "requests"), went, room)?;
    }
    Ok(())
}

/// Windows add up to totals. Says how many metrics have both.
fn windows_add_up(ran: &Ran) -> Result<usize, TestCaseError> {
    let (mut compared, window_s) = (0, WINDOW_MS as f64 / 1e3);
    for line in &ran.result.series {
        prop_assert_eq!(line.values.len() as u64, LENGTH_MS / WINDOW_MS, "{}", line.metric);
        let windows: f64 = line.values.iter().sum();
        let name = &ran.plan.components[line.component as usize].name;
        let mine = |o: &&coldcurve::stats::Observation| o.component == line.component && o.metric == line.metric;
        for total in ran.result.observations.iter().filter(mine) {
            let (total, windows) = match (line.unit, &total.value) {
                (SeriesUnit::PerSecond, Value::Count(n)) => (*n as f64, windows * window_s),
                (SeriesUnit::Count, Value::Count(n)) => {
                    // By window, executions of workflows that took too long are among the failed; in all, they are not.
                    let late = if line.metric == "failed" {
                        ran.count(name, "timed_out")
                    } else {
                        0
                    };
                    ((n + late) as f64, windows)
                }
                (SeriesUnit::Level, level @ Value::TimeMean { .. }) => {
                    (level.number().unwrap_or(0.0) * (LENGTH_MS / WINDOW_MS) as f64, windows)
                }
                _ => continue,
            };
            let near = (windows - total).abs() <= 1e-9 * total.max(1.0);
            prop_assert!(
                near,
                "{}.{}: {} by windows, {} in all",
                name,
                line.metric,
                windows,
                total
            );
            compared += 1;
        }
    }
    Ok(compared)
}

/// The causes of a flow add up to the sum of its latencies, and are known of each of them: of what ended well, and of
/// what failed.
fn causes_add_up(ran: &Ran) -> Result<(), TestCaseError> {
    for flow in &ran.result.flows {
        let name = &ran.plan.components[flow.component as usize].name;
        let kept: [&[&str]; 2] = [&["latency", "duration"], &["latency.failed"]];
        for (table, metrics) in flow.tables().iter().zip(kept) {
            let (count, sums) = table.total();
            let Some(latency) = ran.times(flow.component, metrics) else {
                prop_assert_eq!(count, 0, "{} has causes and no latency", name);
                continue;
            };
            prop_assert_eq!(
                (count, sums.iter().sum::<u128>()),
                (latency.count(), latency.sum()),
                "{}",
                name
            );
        }
    }
    Ok(())
}

/// Everything that a run found out, as text: NaN equals NaN there.
fn everything(result: &RunResult) -> String {
    format!("{result:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_that_comes_goes_or_stays_and_adds_up(text in system(0)) {
        let plan = plan(&text);
        let ran = Ran::new(&plan, 0);
        nothing_is_lost(&ran)?;
        causes_add_up(&ran)?;
        let compared = windows_add_up(&ran)?;
        prop_assert!(compared >= 30, "only {} metrics have windows and a total", compared);
    }

    #[test]
    fn the_same_dice_give_the_same_run_in_any_agenda(text in system(40)) {
        let plan = plan(&text);
        let fast = World::new(&plan, 3).run();
        prop_assert_eq!(everything(&fast), everything(&World::new(&plan, 3).run()));
        let plain = World::with_agenda(&plan, 3, Agenda::plain()).run();
        // The heap meets deadlines of answered requests one by one, where lanes drop them: that is no difference.
        let same = |result: RunResult| everything(&RunResult { events: 0, ..result });
        prop_assert_eq!(same(fast), same(plain));
    }

    #[test]
    fn tallies_tell_what_runs_told_and_lines_add_up_to_bills(text in system(0)) {
        let study = study(&text);
        let plan = &study.cells[0].plan;
        let ran = Ran::new(plan, 1);
        let packed = Packed::of(&ran.result, plan.window);
        prop_assert_eq!(packed.meters(), &ran.result.meters[..]);
        prop_assert_eq!(packed.limits(), &ran.result.limits[..]);
        let bill = study.cells[0].billing.bill(plan, &ran.result.meters, ran.result.measured);
        let lines: i128 = bill.lines.iter().map(|line| line.amount.0).sum();
        let components: i128 = bill.by_component().values().map(|amount| amount.0).sum();
        prop_assert_eq!((lines, components), (bill.total.0, bill.total.0));
        prop_assert!(!bill.lines.is_empty(), "a fleet costs something");
        let summary = study.clone().run(&|| ()).expect("runs that end");
        let mut bytes = Vec::new();
        for set in study.clone().tallies(&(0..2), &|| ()) {
            set.expect("runs that end").write_to(&mut bytes).expect("a vector takes all");
        }
        let read = Tally::read_all(&mut &bytes[..]).expect("what was written");
        prop_assert!(read[1].packed.bytes().starts_with(packed.bytes()), "run 1 is run 1, and its twins come after");
        let again = summarise(study, by_cell(read).expect("one study")).expect("all runs");
        let text = |summary| json::text(summary).expect("a summary as JSON");
        prop_assert!(text(&again) == text(&summary), "another summary");
        let bill = &summary.cells[0].bill;
        let sum: f64 = bill.lines.iter().map(|line| line.amount.mean).sum();
        let total = bill.total.mean;
        prop_assert!((sum - total).abs() <= 1e-9 * sum.max(1.0), "{} in lines, {} in all", sum, total);
    }
}

#[test]
fn every_kind_occurs() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let text = system(0).new_tree(&mut runner).expect("a system").current();
    let plan = plan(&text);
    let there: BTreeSet<&str> = plan
        .components
        .iter()
        .map(|c| KINDS[usize::from(c.target.kind)])
        .collect();
    let missing: Vec<&&str> = KINDS.iter().filter(|kind| !there.contains(**kind)).collect();
    assert!(missing.is_empty(), "no component of {missing:?}");
}
