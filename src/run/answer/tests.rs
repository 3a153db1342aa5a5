//! The rules of the answer, on summaries made by hand.

use super::*;
use crate::run::figures;
use crate::run::ledger::{Ledger, LedgerEnd, UnitState};
use crate::run::promise::Promise;
use crate::run::summary::{
    Axis, Estimate, ExpectationResult, Manifest, Outcome, SCHEMA, Scale, Source, Unit, WarmupSummary, name,
};
use crate::run::verdict::{Class, Loss, Verdict};

/// A cell with a bill and a p99 of each of four runs.
fn cell(variant: &str, bills: [f64; 4], p99: f64) -> Cell {
    let bill = figures::metric(name::BILL_MONTH, Unit::Dollars, bills.to_vec());
    let mut cell = Cell::empty(variant, &[]);
    cell.bill.total = bill.estimate;
    cell.metrics = vec![figures::metric(name::LATENCY_P99, Unit::Seconds, vec![p99; 4]), bill];
    cell.verdicts = vec![verdict(Class::Steady)];
    cell
}

fn verdict(class: Class) -> Verdict {
    serde_json::from_value(serde_json::json!({ "class": class, "words": "what came: so it is" })).expect("a verdict")
}

/// It fails so many of 10,000 requests in each of four runs.
fn failing(mut cell: Cell, failed: [u64; 4]) -> Cell {
    cell.metrics
        .push(figures::share(name::ERROR_RATIO, &failed, &[10_000; 4]));
    cell
}

/// It loses so many of 1,000 messages in each of four runs.
fn losing(mut cell: Cell, lost: [u64; 4], unavoidable: u64) -> Cell {
    let metric = "queues.jobs.dead_lettered".to_owned();
    cell.metrics.push(figures::count(metric.clone(), &lost));
    cell.losses = vec![Loss {
        metric,
        words: String::new(),
        lost: lost.iter().sum(),
        of: 4000,
        unavoidable,
    }];
    cell
}

fn summary(cells: Vec<Cell>) -> Summary {
    let mut summary = Summary {
        schema: SCHEMA,
        scenario: "s".into(),
        title: String::new(),
        replications: 4,
        seed: 1,
        length_ns: 600_000_000_000,
        warmup_ns: 0,
        warmup: WarmupSummary::default(),
        window_ns: 60_000_000_000,
        coarser: None,
        axes: Vec::new(),
        cells,
        differences: Vec::new(),
        promise: Promise::default(),
        answer: Answer::default(),
        assumptions: Vec::new(),
        expectations: Vec::new(),
        warnings: Vec::new(),
        manifest: Manifest::default(),
    };
    complete(&mut summary);
    summary
}

fn winner(summary: &Summary) -> Option<&str> {
    summary.answer.winners.first().map(|winner| winner.variant.as_str())
}

fn said(summary: &Summary) -> String {
    summary.answer.lines.join(" ")
}

const HUNDRED: [f64; 4] = [100.0, 100.1, 99.9, 100.0];

#[test]
fn the_cheapest_that_keeps_the_promise_is_the_answer_and_the_rest_has_its_reasons() {
    let dearer = cell("dearer", HUNDRED.map(|bill| bill + 20.0), 0.1);
    let fails = failing(cell("fails", HUNDRED.map(|bill| bill - 50.0), 0.1), [400; 4]);
    let summary = summary(vec![dearer, cell("good", HUNDRED, 0.1), fails]);
    assert_eq!(winner(&summary), Some("good"));
    assert_eq!(
        said(&summary),
        "good is the cheapest that keeps the promise (2 keep it): $100 ±<1 a month, $20.00 less than dearer. \
         fails fails 4.00 % of the requests."
    );
    let reasons: Vec<(&str, State)> = summary
        .answer
        .reasons
        .iter()
        .map(|r| (r.variant.as_str(), r.state))
        .collect();
    assert_eq!(reasons, [("dearer", State::Keeps), ("fails", State::Breaks)]);
    // What others are measured against is the answer, whatever is cheaper.
    assert!(summary.differences.iter().all(|found| found.minus_variant == "good"));
}

#[test]
fn within_a_hundredth_of_the_cheapest_the_fastest_wins_and_its_surcharge_is_named() {
    let slow = cell("slow", HUNDRED, 0.5);
    let fast = cell("fast", HUNDRED.map(|bill| bill + 0.5), 0.1);
    let faster = cell("faster", HUNDRED.map(|bill| bill + 5.0), 0.05);
    let summary = summary(vec![slow, fast, faster]);
    assert_eq!(winner(&summary), Some("fast"));
    assert!(said(&summary).contains("$0.50 more than slow"), "{}", said(&summary));
}

#[test]
fn of_equal_bills_the_one_that_loses_least_comes_before_the_fastest() {
    let mut lossy = summary(vec![
        losing(cell("fast", HUNDRED, 0.1), [3, 4, 3, 2], 0),
        losing(cell("slow", HUNDRED, 0.5), [1, 0, 0, 1], 0),
    ]);
    assert_eq!(winner(&lossy), None);
    lossy.promise.lost = 0.01;
    complete(&mut lossy);
    assert_eq!(winner(&lossy), Some("slow"));
}

#[test]
fn what_no_design_can_work_off_disqualifies_nobody() {
    // It is poison, as the scenario says.
    let known = summary(vec![
        losing(cell("a", HUNDRED, 0.1), [5; 4], 30),
        cell("b", HUNDRED.map(|b| b + 9.0), 0.1),
    ]);
    assert_eq!(winner(&known), Some("a"));
    assert!(
        said(&known).contains("20 of 1,000 messages") || said(&known).contains("5 of 1,000 messages"),
        "{}",
        said(&known)
    );
    // All lose it alike.
    let alike = summary(vec![
        losing(cell("a", HUNDRED, 0.1), [20, 25, 22, 21], 0),
        losing(cell("b", HUNDRED.map(|b| b + 9.0), 0.1), [21, 23, 24, 20], 0),
    ]);
    assert_eq!(winner(&alike), Some("a"));
    // One loses more: then there is a design that loses less, and it loses as well.
    let unlike = summary(vec![
        losing(cell("a", HUNDRED, 0.1), [20, 25, 22, 21], 0),
        losing(cell("b", HUNDRED.map(|b| b + 9.0), 0.1), [90, 95, 92, 91], 0),
    ]);
    assert_eq!(winner(&unlike), None);
    // A single system that loses has nothing to be alike to.
    assert_eq!(
        winner(&summary(vec![losing(cell("a", HUNDRED, 0.1), [20; 4], 0)])),
        None
    );
}

#[test]
fn bills_that_chance_may_turn_round_are_not_called_cheaper() {
    let noisy = cell("noisy", [95.0, 108.0, 99.0, 103.0], 0.1);
    let summary = summary(vec![cell("calm", HUNDRED, 0.2), noisy]);
    assert!(
        said(&summary).contains("not distinguishable from"),
        "{}",
        said(&summary)
    );
    assert!(!said(&summary).contains("cheapest"), "{}", said(&summary));
}

#[test]
fn what_owes_or_grows_is_no_answer_however_cheap() {
    for class in [Class::Growing, Class::Draining, Class::Unfinished, Class::TwoRegimes] {
        let mut owing = cell("owing", HUNDRED.map(|bill| bill / 10.0), 0.1);
        owing.verdicts = vec![verdict(class)];
        let found = summary(vec![owing.clone(), cell("good", HUNDRED, 0.1)]);
        assert_eq!(winner(&found), Some("good"), "{class:?}");
        assert_eq!(winner(&summary(vec![owing])), None, "{class:?}");
    }
    // One that is too short to judge is not decided.
    let mut short = cell("short", HUNDRED, 0.1);
    short.verdicts = vec![verdict(Class::TooShort)];
    let found = summary(vec![short]);
    assert_eq!((winner(&found), found.answer.reasons[0].state), (None, State::Open));
}

#[test]
fn where_none_loses_none_and_none_is_done_there_is_no_answer() {
    let lossy = losing(cell("as_is", HUNDRED, 0.1), [92; 4], 0);
    let mut late = cell("capped", HUNDRED, 0.1);
    late.verdicts = vec![verdict(Class::Draining)];
    for (metric, count) in [("sent", 1000), ("remaining", 700)] {
        late.metrics
            .push(figures::count(format!("queues.jobs.{metric}"), &[count; 4]));
    }
    late.metrics
        .push(figures::metric("queues.jobs.concurrency", Unit::Level, vec![5.0; 4]));
    let found = summary(vec![lossy, late]);
    assert_eq!(winner(&found), None);
    assert_eq!(
        said(&found),
        "No answer: none keeps the promise. as_is loses 92 of 1,000 messages; capped still owes 700 of 1,000 messages at \
         the end."
    );
}

#[test]
fn few_failures_are_not_decided() {
    let few = failing(cell("few", HUNDRED, 0.1), [30, 0, 2, 5]);
    let found = summary(vec![few, cell("good", HUNDRED.map(|bill| bill + 9.0), 0.1)]);
    assert_eq!(winner(&found), Some("good"));
    assert_eq!(found.answer.reasons[0].state, State::Open);
    assert!(
        said(&found).contains("few is not decided: it fails"),
        "{}",
        said(&found)
    );
}

fn expectation(variant: &str, seen: Option<Estimate>, outcome: Outcome, promised: bool) -> ExpectationResult {
    ExpectationResult {
        variant: variant.to_owned(),
        point: Vec::new(),
        metric: "latency.p99".to_owned(),
        unit: Unit::Seconds,
        condition: "below 1 s".to_owned(),
        seen,
        promised,
        outcome,
        more_runs: None,
        place: "s.yaml:9".to_owned(),
    }
}

#[test]
fn an_expectation_without_a_variant_is_part_of_the_promise_and_no_value_fails_it() {
    let mut found = summary(vec![
        cell("a", HUNDRED, 0.1),
        cell("b", HUNDRED.map(|bill| bill + 9.0), 0.1),
    ]);
    assert_eq!(winner(&found), Some("a"));
    let seen = Some(Estimate::exact(2.0));
    // One that names its variant tests it, and promises nothing.
    found.expectations = vec![expectation("a", seen, Outcome::Fails, false)];
    complete(&mut found);
    assert_eq!(winner(&found), Some("a"));
    for missing in [seen, None] {
        found.expectations = vec![expectation("a", missing, Outcome::Fails, true)];
        complete(&mut found);
        assert_eq!(winner(&found), Some("b"));
        assert!(
            found
                .answer
                .promise
                .ends_with("and the expectation that names no variant")
        );
    }
    assert!(
        said(&found).contains("a has no latency.p99, wanted below 1 s"),
        "{}",
        said(&found)
    );
}

/// A variant at a point of one axis.
fn at(cell: &Cell, number: f64) -> Cell {
    let point = vec![PointValue {
        text: format!("{number}/s"),
        number,
    }];
    Cell { point, ..cell.clone() }
}

fn swept(parameter: &str, cells: Vec<Cell>) -> Summary {
    let mut found = summary(cells);
    found.axes = vec![Axis {
        parameter: parameter.to_owned(),
        label: parameter.to_owned(),
        unit: Unit::PerSecond,
        scale: Scale::Linear,
    }];
    complete(&mut found);
    found
}

#[test]
fn what_is_chosen_has_one_answer_and_what_comes_has_one_at_each_point() {
    let cells = || {
        let (a, b) = (cell("a", HUNDRED, 0.1), cell("b", [110.0; 4], 0.1));
        let bad = failing(cell("a", HUNDRED, 0.1), [400; 4]);
        let cheap = cell("b", [80.0; 4], 0.1);
        vec![at(&a, 1.0), at(&bad, 9.0), at(&b, 1.0), at(&cheap, 9.0)]
    };
    let chosen = swept("queues.jobs.poller.maximum_concurrency", cells());
    assert_eq!(chosen.answer.winners.len(), 1);
    let traffic = swept("clients.web.arrivals.poisson", cells());
    assert_eq!(traffic.answer.winners.len(), 2);
    assert_eq!(
        said(&traffic),
        "a keeps the promise up to 1/s (at 9/s: fails 4.00 % of the requests); b keeps the promise at all values, 1/s to \
         9/s. The cheapest that keeps it: a at 1/s, b at 9/s."
    );
    // A single system along traffic is described; the least traffic is nobody's answer.
    let one = swept("clients.web.arrivals.poisson", cells()[..2].to_vec());
    assert_eq!(
        said(&one),
        "Keeps the promise up to 1/s (at 9/s: fails 4.00 % of the requests)."
    );
    assert!(one.answer.winners.is_empty() && one.differences.is_empty());
}

#[test]
fn equal_reasons_share_a_clause_and_long_lists_are_cut() {
    let bad = |number: u32| failing(cell(&format!("v{number}"), HUNDRED, 0.1), [400; 4]);
    let found = summary((0..13).map(bad).chain([cell("good", HUNDRED, 0.1)]).collect());
    assert!(
        said(&found).contains("v0, v1, v2, v3 and 9 more fail 4.00 % of the requests."),
        "{}",
        said(&found)
    );
}

#[test]
fn failures_within_what_comes_once_count_there() {
    let mut hidden = failing(cell("hidden", HUNDRED, 0.1), [1; 4]);
    hidden.sources = vec![Source {
        name: "clients.web".into(),
        to: "functions.f".into(),
        background: false,
    }];
    hidden
        .metrics
        .push(figures::share("clients.web.error_ratio", &[6; 4], &[100_000; 4]));
    hidden.episodes = vec![crate::run::summary::EpisodeSummary {
        name: "the spike of clients.web at 5 min".into(),
        from_s: 300.0,
        until_s: 330.0,
    }];
    let line = |end: &str, unit, values: Vec<f64>| crate::run::summary::Timeline {
        name: format!("clients.web.{end}"),
        unit,
        mean: values,
        low: Vec::new(),
        high: Vec::new(),
    };
    let mut errors = vec![0.0; 10];
    errors[5] = 0.006;
    hidden.timelines = vec![
        line("error_ratio", Unit::Ratio, errors),
        line("offered", Unit::PerSecond, vec![16.7; 10]),
    ];
    let found = summary(vec![hidden]);
    assert_eq!(winner(&found), None);
    assert!(
        said(&found).contains("in the minutes around the spike of clients.web at 5 min"),
        "{}",
        said(&found)
    );
}

#[test]
fn a_ledger_tells_more_than_metrics_do() {
    let end = |state, units: u64| LedgerEnd {
        state,
        place: "queues.jobs".into(),
        why: "dead-lettered".into(),
        units,
        per_run: figures::estimate_count(&[units / 4; 4]),
        partly: 0,
    };
    let mut kept = cell("kept", HUNDRED, 0.1);
    kept.ledger = vec![Ledger {
        source: "clients.web".into(),
        arrived: 4000,
        goes_on: true,
        ends: vec![end(UnitState::Lost, 400), end(UnitState::Good, 3600)],
    }];
    let found = summary(vec![kept]);
    assert_eq!(
        said(&found),
        "Does not keep the promise: it loses 100 of 1,000 messages."
    );
}
