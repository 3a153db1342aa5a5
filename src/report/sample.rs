//! Made-up summaries of every shape, for the tests of the reports.

use crate::kernel::number::whole;
use crate::run::answer::{self, Answer};
use crate::run::ledger::{Ledger, LedgerEnd, UnitState};
use crate::run::promise::Promise;
use crate::run::summary::{
    Axis, BillLine, BillSummary, CauseBreakdown, CauseShare, Cell, Distribution, Estimate, ExpectationResult,
    FaultSummary, LimitHit, Manifest, Metric, Outcome, PointValue, PriceBookRef, SCHEMA, Scale, Summary, Timeline,
    Unit, WarmupSummary, name,
};

/// A small deterministic wobble in [-1, 1].
fn wobble(key: u64) -> f64 {
    let mixed = key.wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64 / f64::from(1_u32 << 23) - 1.0
}

fn estimate(mean: f64, relative: f64) -> Estimate {
    Estimate {
        mean,
        interval: Some((mean * (1.0 - relative), mean * (1.0 + relative))),
        replications: 16,
    }
}

fn metric(name: &str, unit: Unit, mean: f64, relative: f64) -> Metric {
    let per_replication: Vec<f64> = (0..16).map(|run| mean * (1.0 + relative * wobble(run))).collect();
    let total: f64 = per_replication.iter().sum();
    let leave_one_out = per_replication.iter().map(|value| (total - value) / 15.0).collect();
    Metric {
        name: name.into(),
        unit,
        estimate: estimate(mean, relative),
        at_least: false,
        thin: None,
        jump: None,
        per_replication,
        leave_one_out,
    }
}

fn timeline(name: &str, unit: Unit, windows: usize, value: impl Fn(usize) -> f64) -> Timeline {
    let mean: Vec<f64> = (0..windows).map(value).collect();
    let low = mean.iter().map(|value| value * 0.9).collect();
    let high = mean.iter().map(|value| value * 1.12).collect();
    Timeline {
        name: name.into(),
        unit,
        mean,
        low,
        high,
    }
}

/// Component, service, line, unit, dollars a month at scale 1, price.
type SampleLine = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    f64,
    &'static str,
);

const LINES: [SampleLine; 9] = [
    (
        "gateways.api",
        "aws.api_gateway.http",
        "requests",
        "requests",
        7000.0,
        "$1.00 per million",
    ),
    (
        "functions.checkout",
        "aws.lambda",
        "duration",
        "GB-s",
        2100.0,
        "$0.0000166667 per GB-s",
    ),
    (
        "functions.checkout",
        "aws.lambda",
        "requests",
        "requests",
        1500.0,
        "$0.20 per million",
    ),
    (
        "functions.checkout",
        "aws.lambda",
        "provisioned",
        "GB-s",
        900.0,
        "$0.0000041667 per GB-s",
    ),
    (
        "databases.orders",
        "aws.rds.postgres",
        "instance",
        "h",
        210.0,
        "$0.288 per hour",
    ),
    (
        "databases.orders",
        "aws.rds.postgres",
        "storage",
        "GB-month",
        23.0,
        "$0.115 per GB-month",
    ),
    (
        "queues.mail",
        "aws.sqs",
        "requests",
        "requests",
        120.0,
        "$0.40 per million",
    ),
    (
        "functions.mailer",
        "aws.lambda",
        "duration",
        "GB-s",
        80.0,
        "$0.0000166667 per GB-s",
    ),
    (
        "functions.mailer",
        "aws.lambda",
        "requests",
        "requests",
        60.0,
        "$0.20 per million",
    ),
];

fn bill(scale: f64) -> BillSummary {
    let line = |&(component, service, line, unit, dollars, price): &SampleLine| {
        let amount = match line {
            "provisioned" => dollars * (scale - 0.6).max(0.0),
            "instance" | "storage" => dollars,
            _ => dollars * scale,
        };
        BillLine {
            component: component.into(),
            service: service.into(),
            line: line.into(),
            unit: unit.into(),
            quantity: estimate(amount * 1e5, 0.01),
            price: price.into(),
            amount: estimate(amount, 0.01),
            confidence: "high".into(),
        }
    };
    let lines: Vec<BillLine> = LINES.iter().map(line).collect();
    let total = lines.iter().map(|line| line.amount.mean).sum();
    BillSummary {
        missing: None,
        lines,
        total: estimate(total, 0.01),
        per_million: Some(estimate(total / 7800.0, 0.01)),
        notes: vec!["Data transfer out is not in the bill.".into()],
    }
}

fn causes(slow: f64) -> Vec<CauseBreakdown> {
    let parts = [
        ("cold start: init", 0.62 * slow),
        ("compute", 0.05),
        ("connection wait", 0.03 * slow),
        ("queued", 0.01),
    ];
    let total: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    let shares = |factor: f64| {
        let share = |&(cause, seconds): &(&str, f64)| CauseShare {
            cause: cause.into(),
            mean_s: seconds * factor,
            share: seconds / total,
        };
        parts.iter().map(share).collect()
    };
    vec![
        CauseBreakdown {
            name: name::CAUSES_ALL.into(),
            causes: shares(0.1),
        },
        CauseBreakdown {
            name: name::CAUSES_SLOWEST.into(),
            causes: shares(1.0),
        },
    ]
}

/// A cell whose latency and load scale with the arguments.
pub fn cell(variant: &str, point: Vec<PointValue>, slow: f64, load: f64, windows: usize) -> Cell {
    let p99 = 0.18 * slow;
    let wave = move |window: usize| 1.0 + 0.3 * libm::sin(window as f64 / 6.0) + 0.08 * wobble(window as u64);
    let points = (0..=120)
        .map(|step| f64::from(step) / 20.0)
        .map(|nines| {
            (
                0.008 * libm::pow(10.0, nines * 0.3 * slow.sqrt()),
                1.0 - libm::pow(10.0, -nines),
            )
        })
        .chain([(3.0 * slow, 1.0)])
        .collect();
    let level = |end: &str, size: f64| {
        timeline(
            &format!("functions.checkout.{end}"),
            Unit::Level,
            windows,
            move |window| size * load * wave(window),
        )
    };
    Cell {
        variant: variant.into(),
        point,
        requests: whole(172_000_000.0 * load),
        events: whole(1_900_000_000.0 * load),
        metrics: vec![
            metric(name::OFFERED, Unit::PerSecond, 3000.0 * load, 0.002),
            metric(name::THROUGHPUT, Unit::PerSecond, 2998.0 * load, 0.002),
            metric(name::LATENCY_P50, Unit::Seconds, 0.0123 * slow.sqrt(), 0.01),
            metric(name::LATENCY_P99, Unit::Seconds, p99, 0.022),
            metric(name::LATENCY_P99_WORST, Unit::Seconds, p99 * 2.1, 0.1),
            metric(name::ERROR_RATIO, Unit::Ratio, 0.0012 * load, 0.2),
            metric(name::COLD_RATIO, Unit::Ratio, 0.0041 * slow, 0.1),
            metric("functions.checkout.cold_ratio", Unit::Ratio, 0.0041 * slow, 0.1),
            metric(name::BILL_MONTH, Unit::Dollars, 11_000.0 * load, 0.01),
        ],
        distributions: vec![Distribution {
            name: name::LATENCY.into(),
            unit: Unit::Seconds,
            count: 2_000_000,
            points,
        }],
        timelines: vec![
            timeline(name::LATENCY_P99, Unit::Seconds, windows, move |window| {
                p99 * wave(window)
            }),
            level(name::INSTANCES_BUSY, 60.0),
            level(name::INSTANCES_IDLE, 25.0),
            level(name::INSTANCES_STARTING, 4.0 * slow),
            timeline("queues.mail.depth", Unit::Level, windows, move |window| {
                900.0 * slow * wave(window)
            }),
            timeline("queues.mail.age_oldest", Unit::Seconds, windows, move |window| {
                14.0 * slow * wave(window)
            }),
        ],
        causes: causes(slow),
        bill: bill(load),
        ..Cell::empty(variant, &[])
    }
}

fn empty() -> Summary {
    Summary {
        schema: SCHEMA,
        scenario: "checkout".into(),
        title: "A public API at a few thousand requests a second".into(),
        replications: 16,
        seed: 1,
        length_ns: 3_600_000_000_000,
        warmup_ns: 300_000_000_000,
        warmup: WarmupSummary::default(),
        window_ns: 60_000_000_000,
        coarser: None,
        axes: Vec::new(),
        cells: Vec::new(),
        differences: Vec::new(),
        promise: Promise::default(),
        answer: Answer::default(),
        assumptions: Vec::new(),
        expectations: Vec::new(),
        warnings: vec!["functions.checkout: the timeout (60 s) is longer than the gateway's (30 s)".into()],
        manifest: Manifest {
            coldcurve: "0.1.0".into(),
            command: "coldcurve run checkout.yaml --seed 1".into(),
            scenario_file: "checkout.yaml".into(),
            scenario_digest: "fnv1a64:85944171f73967e8".into(),
            overrides: Vec::new(),
            inputs: Vec::new(),
            services: Vec::new(),
            price_books: vec![PriceBookRef {
                name: "aws".into(),
                region: "us-east-1".into(),
                as_of: "2026-09-30".into(),
            }],
        },
    }
}

fn expectation(variant: &str, seen: Option<Estimate>, passed: bool) -> ExpectationResult {
    ExpectationResult {
        variant: variant.into(),
        point: Vec::new(),
        metric: name::LATENCY_P99.into(),
        unit: Unit::Seconds,
        condition: "within [150 ms, 260 ms]".into(),
        seen,
        promised: false,
        outcome: if passed { Outcome::Holds } else { Outcome::Fails },
        more_runs: None,
        place: "checkout.yaml:31".into(),
    }
}

/// The summary with its answer, and with what all others are measured against it.
fn answered(mut summary: Summary) -> Summary {
    answer::complete(&mut summary);
    summary
}

/// One variant.
pub fn one() -> Summary {
    answered(Summary {
        cells: vec![cell("base", Vec::new(), 1.0, 1.0, 60)],
        ..empty()
    })
}

/// One variant of which three in a hundred requests are answered well and lost later.
pub fn asynchronous() -> Summary {
    let mut summary = one();
    let cell = &mut summary.cells[0];
    let like = cell.metrics[0].clone();
    for end in ["offered", "good"] {
        cell.metrics.push(Metric {
            name: format!("clients.web.{end}"),
            estimate: Estimate::exact(100.0),
            ..like.clone()
        });
    }
    let end = |state, place: &str, why: &str, units: u64| LedgerEnd {
        state,
        place: place.into(),
        why: why.into(),
        units,
        per_run: Estimate::exact(units as f64),
        partly: 0,
    };
    cell.ledger = vec![Ledger {
        source: "clients.web".into(),
        arrived: 100,
        goes_on: true,
        ends: vec![
            end(UnitState::Lost, "queues.mail", "dead-lettered", 3),
            end(UnitState::Good, "", "", 97),
        ],
    }];
    summary
}

/// Four variants and three expectations.
pub fn four() -> Summary {
    let cells = vec![
        cell("base", Vec::new(), 3.0, 1.0, 60),
        cell("provisioned concurrency 400", Vec::new(), 0.9, 1.35, 60),
        cell("arm", Vec::new(), 2.4, 0.82, 60),
        cell("cloud_run", Vec::new(), 1.4, 0.7, 60),
    ];
    let expectations = vec![
        expectation("provisioned concurrency 400", Some(estimate(0.162, 0.02)), true),
        expectation("base", Some(estimate(0.54, 0.02)), false),
        expectation("arm", None, false),
    ];
    answered(Summary {
        cells,
        expectations,
        ..empty()
    })
}

/// Four variants to which the same work comes, all of which is done.
pub fn compared() -> Summary {
    let mut summary = four();
    for metric in summary.cells.iter_mut().flat_map(|cell| &mut cell.metrics) {
        match metric.name.as_str() {
            name::OFFERED => metric.estimate = Estimate::exact(3000.0),
            name::ERROR_RATIO => metric.estimate = Estimate::exact(0.0),
            _ => {}
        }
    }
    summary
}

/// Six arrival rates times three variants.
pub fn sweep() -> Summary {
    let axes = vec![Axis {
        parameter: "clients.web.arrivals.poisson".into(),
        label: "arrivals of web".into(),
        unit: Unit::PerSecond,
        scale: Scale::Log,
    }];
    let mut cells = Vec::new();
    for (variant, slow) in [("base", 2.0), ("provisioned", 0.8), ("arm", 1.5)] {
        for rate in [100.0, 300.0, 500.0, 1000.0, 3000.0, 10_000.0] {
            let point = vec![PointValue {
                text: format!("{rate}/s"),
                number: rate,
            }];
            let knee = slow * (1.0 + libm::pow(rate / 6000.0, 3.0));
            cells.push(cell(variant, point, knee, rate / 3000.0 * (1.0 + 0.1 * slow), 60));
        }
    }
    answered(Summary { axes, cells, ..empty() })
}

/// A runtime (words) times a memory size, one variant.
pub fn words() -> Summary {
    let axis = |parameter: &str, label: &str, unit, scale| Axis {
        parameter: parameter.into(),
        label: label.into(),
        unit,
        scale,
    };
    let axes = vec![
        axis(
            "functions.checkout.runtime",
            "runtime of checkout",
            Unit::Plain,
            Scale::Category,
        ),
        axis(
            "functions.checkout.memory",
            "memory of checkout",
            Unit::Bytes,
            Scale::Log,
        ),
    ];
    let mut cells = Vec::new();
    for (runtime, slow) in [("java21", 3.0), ("python3.13", 1.2), ("rust", 0.3)] {
        for memory in [256.0, 1024.0] {
            let point = vec![
                PointValue {
                    text: runtime.into(),
                    number: f64::NAN,
                },
                PointValue {
                    text: format!("{memory} MB"),
                    number: memory * 1_048_576.0,
                },
            ];
            cells.push(cell("base", point, slow * 700.0 / memory, memory / 512.0, 60));
        }
    }
    answered(Summary { axes, cells, ..empty() })
}

/// Zeros, missing numbers, empty and single windows, huge numbers, long names, no replications.
pub fn extremes() -> Summary {
    let missing = Estimate {
        mean: f64::NAN,
        interval: None,
        replications: 0,
    };
    let mut nothing = cell("nothing completed", Vec::new(), 1.0, 0.0, 0);
    for metric in &mut nothing.metrics {
        metric.estimate = missing;
        metric.per_replication = vec![f64::NAN; 16];
    }
    nothing.distributions[0].points.clear();
    nothing.distributions[0].count = 0;
    nothing.causes.clear();
    nothing.bill = BillSummary {
        missing: None,
        lines: Vec::new(),
        total: Estimate::exact(0.0),
        per_million: None,
        notes: Vec::new(),
    };
    let mut gaps = cell("gaps", Vec::new(), 1.0, 1.0, 60);
    for timeline in &mut gaps.timelines {
        for window in (0..60).filter(|window| window % 7 < 2) {
            timeline.mean[window] = f64::NAN;
            timeline.low[window] = f64::NAN;
        }
    }
    let mut zeros = cell("zeros", Vec::new(), 1.0, 0.0, 60);
    zeros.distributions[0].points = vec![(0.0, 1.0)];
    for timeline in &mut zeros.timelines {
        timeline.mean.fill(0.0);
        timeline.low.fill(0.0);
        timeline.high.fill(0.0);
    }
    let huge = cell(
        "huge: a variant whose name somebody wrote as a whole sentence, <b>& so on</b>",
        Vec::new(),
        90.0,
        1e7,
        60,
    );
    answered(Summary {
        cells: vec![nothing, gaps, zeros, huge],
        ..empty()
    })
}

/// One window, one replication, no warm-up.
pub fn single_window() -> Summary {
    let mut cell = cell("base", Vec::new(), 1.0, 1.0, 1);
    for metric in &mut cell.metrics {
        metric.estimate = Estimate::exact(metric.estimate.mean);
        metric.per_replication.truncate(1);
    }
    for timeline in &mut cell.timelines {
        timeline.low.clear();
        timeline.high.clear();
    }
    let length_ns = 60_000_000_000;
    answered(Summary {
        replications: 1,
        length_ns,
        warmup_ns: 0,
        warmup: WarmupSummary::default(),
        cells: vec![cell],
        ..empty()
    })
}

/// A month by the minute, seventeen variants.
pub fn many() -> Summary {
    let cells = (0..17).map(|index| {
        cell(
            &format!("variant {index}"),
            Vec::new(),
            1.0 + f64::from(index) / 3.0,
            1.0,
            43_200,
        )
    });
    answered(Summary {
        cells: cells.collect(),
        length_ns: 2_592_000_000_000_000,
        ..empty()
    })
}

/// Two variants that ran into limits while things broke.
pub fn troubled() -> Summary {
    let hit = |limit: &str, component: &str, held_by: &str, hits: f64| LimitHit {
        limit: limit.into(),
        component: component.into(),
        caller: "functions.api".into(),
        held_by: held_by.into(),
        held_mean: if held_by.is_empty() { f64::NAN } else { 812.4 },
        hits: estimate(hits, 0.1),
        first_s: 612.25,
        worst_window_s: 660.0,
        worst_window_hits: hits / 3.0,
        windows_ratio: 0.05,
    };
    let fault = |name: &str, effect: &str, on: &str, spans: Vec<(f64, f64)>| FaultSummary {
        name: name.into(),
        on: vec![on.into()],
        effect: effect.into(),
        fixed: name != "flaky",
        times: estimate(4.5, 0.1),
        active_s: estimate(270.0, 0.1),
        refused: Estimate::exact(if name == "flaky" { 120.0 } else { 0.0 }),
        hung: Estimate::exact(if name == "flaky" { 3.0 } else { 0.0 }),
        spans,
    };
    let troubled = |variant: &str, hits: f64| Cell {
        limits: vec![
            hit("account_concurrency", "accounts.aws", "functions.report", hits),
            hit("time_limit", "functions.api", "", hits / 9.0),
        ],
        faults: vec![
            fault("slow-orders", "slow 5", "databases.orders", vec![(600.0, 720.0)]),
            fault("deploy", "recycle 100%", "functions.checkout", vec![(720.0, 720.0)]),
            fault(
                "flaky",
                "fail 20%",
                "externals.payment",
                vec![(100.0, 130.0), (900.0, 950.0)],
            ),
        ],
        ..cell(variant, Vec::new(), 2.0, 1.0, 60)
    };
    answered(Summary {
        cells: vec![troubled("base", 12_345.0), troubled("capped", 87.0)],
        ..empty()
    })
}

/// A run without cells.
pub fn no_cells() -> Summary {
    empty()
}

/// All of them, named.
pub fn all() -> Vec<(&'static str, Summary)> {
    vec![
        ("one", one()),
        ("four", four()),
        ("sweep", sweep()),
        ("words", words()),
        ("extremes", extremes()),
        ("single", single_window()),
        ("many", many()),
        ("troubled", troubled()),
        ("none", no_cells()),
    ]
}
