//! What is packed is what was counted, and bytes that nobody packed make no run panic.

use super::*;
use crate::kernel::number::{fit, whole_u32, whole_usize};
use crate::kernel::stream::{Stream, StreamKey, unit};
use crate::model::Plan;
use crate::model::request::entry::CAUSES;
use crate::model::world::build::build;
use crate::model::world::run::{RunResult, World};
use crate::run::Silent;
use crate::run::aggregate::aggregate;
use crate::run::billing::BillingPlan;
use crate::run::episodes::Month;
use crate::run::study::CellPlan;
use crate::run::summary::Cell;
use crate::run::verdict::classify;
use crate::run::warmup::Shown;
use crate::scenario::{Catalog, Diagnostics, NoFiles, Sources, parse, prices};
use crate::stats::{CauseTable, SparseHistogram, Value};

const SHOP: &str = "run: { length: 12 min, warmup: 2 min, window: 30 s }
accounts: { aws: { concurrency: 3 } }
clients: { web: { to: door, arrivals: { poisson: 4/s }, timeout: 900 ms } }
gateways: { door: { to: work, overhead: 2 ms } }
functions:
  work: { init: 300 ms, account: aws, handler: [ cpu: { exponential: 100 ms }, call: rows, send: jobs ] }
  slow: { account: aws, handler: [ wait: { exponential: 400 ms } ] }
databases: { rows: { cores: 1, maximum_connections: 2, reserved_connections: 0, query: { exponential: 50 ms } } }
queues: { jobs: { to: slow } }
faults: { gone: { on: rows, down: true, at: 5 min, for: 20 s } }
";

fn cell() -> CellPlan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("shop.yaml", SHOP);
    let root = parse(&sources, file, &diagnostics).unwrap();
    let built = build(&root, &Catalog::default(), &diagnostics, &NoFiles);
    let plan = built
        .unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)))
        .0;
    CellPlan {
        variant: "base".to_owned(),
        point: Vec::new(),
        billing: BillingPlan {
            book: Arc::new(prices::built_in().clone()),
            free_tier: false,
            active_hours: None,
            month: None,
        },
        digest: 1,
        plan,
    }
}

fn runs(plan: &Plan) -> Vec<RunResult> {
    (0..3).map(|run| World::new(plan, run).run()).collect()
}

/// A run, packed, with what the first run without the fault counted.
fn with_twin(plan: &Plan, result: &RunResult) -> Packed {
    let calm = Month::of(plan).twins(plan);
    assert_eq!(calm.len(), 1);
    let twin = World::new(&calm[0], 0).run();
    let twin = Twin {
        requests: twin.requests,
        owed: twin.owed,
        meters: twin.meters,
    };
    let packed = Packed::of(result, plan.window).with_twin(&twin);
    assert_eq!(packed.twins(), [twin]);
    packed
}

fn figures(cell: &CellPlan, runs: &[&Packed]) -> Cell {
    let mut figures = aggregate(cell, runs);
    classify(&mut figures, cell, runs, 1, &Silent);
    figures
}

#[test]
fn what_is_packed_is_what_was_counted() {
    let cell = cell();
    for result in runs(&cell.plan) {
        assert!(
            !Packed::of(&result, cell.plan.window).fits(&cell.plan),
            "the run without the fault is missing"
        );
        let packed = with_twin(&cell.plan, &result);
        let dense = result.observations.iter().map(|o| (o.component, o.metric));
        assert!(dense.eq(packed.observations().map(|seen| (seen.component(), seen.metric()))));
        for (place, (seen, o)) in packed.observations().zip(&result.observations).enumerate() {
            match &o.value {
                Value::Latency(h) => assert_eq!(seen.latency(), Some(SparseHistogram::of(h))),
                Value::Levels(levels) => {
                    let back = seen.levels().unwrap();
                    assert_eq!((back.area(), back.at_or_above()), (levels.area(), levels.at_or_above()));
                }
                value => assert_eq!(seen.value().as_ref(), Some(value)),
            }
            let found = packed.find(o.component, o.metric).unwrap();
            assert_eq!(
                packed.like(place, &seen).map(|like| like.entry_at()),
                Some(seen.entry_at())
            );
            assert_eq!((found.component(), found.metric()), (o.component, o.metric));
        }
        assert!(packed.find(0, "happiness").is_none() && packed.find(99, "requests").is_none());
        for (line, series) in packed.series().zip(&result.series) {
            let bits = |values: &[f64]| {
                values
                    .iter()
                    .map(|v| if v.is_nan() { 0 } else { v.to_bits() })
                    .collect::<Vec<_>>()
            };
            assert_eq!(bits(&line.values()), bits(&series.values), "{}", series.metric);
            assert_eq!(
                (line.component(), line.metric(), line.unit()),
                (series.component, series.metric, series.unit)
            );
        }
        let empty = || [CauseTable::new(CAUSES), CauseTable::new(CAUSES)];
        let ([mut good, mut failed], mut expected) = (empty(), empty());
        packed.add_causes(|_| true, &mut good, &mut failed);
        for flow in &result.flows {
            let tables = expected.iter_mut().zip(flow.tables());
            tables.for_each(|(expected, table)| expected.merge(&table));
        }
        assert!(failed.total().0 > 0, "something has failed");
        assert_eq!([good, failed], expected);
        assert_eq!(
            (packed.meters(), packed.limits(), packed.faults()),
            (result.meters, result.limits, result.faults)
        );
        let totals = (
            packed.requests(),
            packed.events(),
            packed.in_flight(),
            packed.measured(),
        );
        assert_eq!(
            totals,
            (result.requests, result.events, result.in_flight, result.measured)
        );
        assert!(
            !packed.limits().is_empty() && packed.faults()[0].spans.len() == 1,
            "something to pack"
        );
        assert!(packed.bytes().len() < 20_000, "{} bytes", packed.bytes().len());
        assert!(packed.fits(&cell.plan));
        assert_eq!(Packed::from_bytes(packed.bytes()), Some(packed));
    }
}

/// Bytes with a few of them changed, moved, left out or put in.
fn mutated(bytes: &[u8], dice: &mut Stream) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=whole_usize(unit(dice) * 3.0) {
        let at = whole_usize(unit(dice) * bytes.len() as f64);
        let byte = fit(whole_u32(unit(dice) * 256.0));
        match whole_u32(unit(dice) * 5.0) {
            0 => bytes[at] = byte,
            1 => bytes[at] ^= 1 << (byte % 8),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, byte),
            _ => bytes[at] = if byte < 128 { 0x7f } else { 0xff },
        }
    }
    bytes
}

#[test]
fn bytes_that_nobody_packed_are_refused_or_make_figures() {
    let cell = cell();
    let packed: Vec<Packed> = runs(&cell.plan).iter().map(|run| with_twin(&cell.plan, run)).collect();
    let mut dice = Stream::new(3, 0, StreamKey::new("tally", "fuzz"));
    let (mut refused, mut strange) = (0, 0);
    for _ in 0..3_000 {
        let bytes = mutated(packed[0].bytes(), &mut dice);
        let Some(other) = Packed::from_bytes(&bytes).filter(|other| other.fits(&cell.plan)) else {
            refused += 1;
            continue;
        };
        strange += 1;
        // First or last: what the first run has decides what is looked for in the others.
        let two = [&packed[1], &packed[2]];
        let order = if strange % 2 == 0 {
            [&other, two[0], two[1]]
        } else {
            [two[0], two[1], &other]
        };
        let _ = figures(&cell, &order);
    }
    assert!(refused > 300 && strange > 300, "{refused} refused, {strange} not");
}

#[test]
fn what_was_found_at_the_start_is_known_to_all_components() {
    let mut warm = cell();
    warm.plan.functions[0].initial.count = 7;
    warm.plan.introduce();
    let found = Found::of(&warm, &Shown::default());
    let mut cell = cell();
    assert!(found.settle(&mut cell));
    assert_eq!(
        cell.plan, warm.plan,
        "sessions with the database are opened by what is known of the function"
    );
}

#[test]
fn runs_that_lack_a_metric_are_left_out_of_it() {
    let cell = cell();
    let whole = runs(&cell.plan);
    let mut less = whole[1].clone();
    less.observations
        .retain(|o| o.metric != "cold_starts" && o.metric != "duration");
    less.series.remove(3);
    let pack = |run: &RunResult| with_twin(&cell.plan, run);
    let (first, second, third) = (pack(&whole[0]), pack(&less), pack(&whole[2]));
    let figures = figures(&cell, &[&first, &second, &third]);
    let metric = |name: &str| &figures.metric(name).unwrap().estimate;
    assert_eq!(metric("functions.work.duration.p50").replications, 2);
    assert_eq!(metric("latency.p50").replications, 3);
}
