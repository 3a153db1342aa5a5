//! What must hold for every system, tried on small random ones: nothing is lost, nothing is busier than it can be, the
//! agenda's fast lanes change nothing, a run is a pure function, and more capacity refuses nobody whom less let in.

use coldcurve::kernel::Agenda;
use coldcurve::model::Plan;
use coldcurve::model::request::flow::FlowResult;
use coldcurve::model::request::hits::Limit;
use coldcurve::model::world::build::build;
use coldcurve::model::world::run::{RunResult, World};
use coldcurve::scenario::{Catalog, Diagnostics, NoFiles, Sources, parse};
use coldcurve::stats::Value;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::LazyLock;

/// Read once: most of the time of small systems would go into it.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::load(None, &mut Sources::new(), &Diagnostics::new()));

/// The plan of a scenario that is known to be sound.
fn plan(text: &str) -> Plan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("random.yaml", text);
    let root = parse(&sources, file, &diagnostics);
    let built = root.and_then(|root| build(&root, &CATALOG, &diagnostics, &NoFiles));
    assert!(
        !diagnostics.has_errors(),
        "{}\n{text}",
        diagnostics.render(&sources, false)
    );
    built.expect("a plan").0
}

/// The value of a component's metric.
fn value<'r>(plan: &Plan, result: &'r RunResult, component: &str, metric: &str) -> &'r Value {
    let named = |o: &&coldcurve::stats::Observation| {
        plan.components[o.component as usize].name == component && o.metric == metric
    };
    let found = result.observations.iter().find(named);
    &found
        .unwrap_or_else(|| panic!("{component} has no metric {metric}"))
        .value
}

fn count(plan: &Plan, result: &RunResult, component: &str, metric: &str) -> u64 {
    match value(plan, result, component, metric) {
        Value::Count(n) | Value::Peak(n) => *n,
        other => panic!("{component}.{metric} is {other:?}"),
    }
}

fn level(plan: &Plan, result: &RunResult, component: &str, metric: &str) -> f64 {
    value(plan, result, component, metric).number().unwrap_or(0.0)
}

/// One of a few durations or distributions.
fn sampler() -> impl Strategy<Value = &'static str> {
    select(vec![
        "0 ms",
        "7 ms",
        "{ exponential: 20 ms }",
        "{ median: 10 ms, p99: 80 ms }",
        "{ uniform: [0 ms, 30 ms] }",
        "{ gamma: { mean: 15 ms, cv: 2 }, offset: 1 ms }",
        "{ mixture: [{ weight: 9, constant: 2 ms }, { weight: 1, pareto: { minimum: 40 ms, shape: 2 } }] }",
    ])
}

/// Where requests come from.
fn load() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..60_u32).prop_map(|rate| format!("arrivals: {{ poisson: {rate}/s }}")),
        (1..60_u32).prop_map(|rate| format!("arrivals: {{ constant: {rate}/s, batch: 3 }}")),
        (5..200_u32).prop_map(|on| format!("arrivals: {{ bursty: {{ on: {on}/s, on_for: 2 s, off_for: 5 s }} }}")),
        (1..90_u32).prop_map(|to| {
            format!("arrivals: {{ rates: [{{ at: 0, rate: 1/s }}, {{ at: 10 s, rate: {to}/s, ramp: true }}], repeat: 15 s }}")
        }),
        (1..30_u32, sampler()).prop_map(|(n, think)| format!("users: {{ count: {n}, think: {think} }}")),
    ]
}

/// When callers give up, how they try again, and what stands between them and whom they call.
fn patience() -> impl Strategy<Value = String> {
    let timeout = select(vec!["", "timeout: 15 ms, ", "timeout: 60 ms, ", "timeout: 2 s, "]);
    let retry = select(vec![
        "none",
        "aws-sdk-standard",
        "aws-sdk-legacy",
        "{ attempts: 4, base: 5 ms, cap: 50 ms, jitter: none }",
        "{ attempts: 3, base: 0 ms, jitter: equal, budget: { capacity: 5, cost: 2 } }",
        "{ attempts: 3, base: 5 ms, adaptive: true }",
    ]);
    let guard = select(vec![
        "",
        "",
        ", breaker: { minimum_calls: 3, open: 500 ms, probes: 2 }",
        ", breaker: { minimum_calls: 2, open: 2 s, scope: component }, hedge: { after: 20 ms, share: 50% }",
        ", hedge: { after: 10 ms, copies: 2 }",
    ]);
    (timeout, retry, guard).prop_map(|(timeout, retry, guard)| format!("{timeout}retry: {retry}{guard}"))
}

/// A handler that may call the function `back` in any way there is.
fn handler() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        sampler().prop_map(|s| format!("cpu: {s}")),
        sampler().prop_map(|s| format!("wait: {s}")),
        (patience(), any::<bool>())
            .prop_map(|(p, optional)| format!("call: {{ to: back, {p}, optional: {optional} }}")),
        Just("send: back".to_owned()),
        sampler().prop_map(|s| format!("parallel: [[call: back], [wait: {s}], [cpu: {s}, call: back]]")),
        (0..100_u32).prop_map(|hit| format!("cache: {{ hit: {hit}%, lookup: 1 ms, miss: [call: back] }}")),
        (0..4_u32).prop_map(|n| format!("loop: {{ times: {n}, steps: [call: back, cpu: 1 ms] }}")),
    ];
    prop::collection::vec(step, 0..4).prop_map(|steps| format!("[{}]", steps.join(", ")))
}

/// How many instances a function may have, and how they live.
fn limits() -> impl Strategy<Value = String> {
    (
        select(vec![
            "",
            "reserved_concurrency: 3, ",
            "reserved_concurrency: 20, ",
            "maximum_instances: 2, ",
        ]),
        select(vec!["", "concurrency_per_instance: 4, "]),
        select(vec![
            "",
            "scaling: { burst: 2, refill: 1/s }, ",
            "requests_per_second_factor: 10, ",
        ]),
        select(vec!["", "provisioned_concurrency: 2, provisioned_preparation: 1 s, "]),
        select(vec!["", "recycle: [{ at: 7 s, spread: 2 s }], "]),
        select(vec!["", "failure: 10%, ", "heeds_deadlines: true, "]),
        select(vec!["1 s", "{ exponential: 3 s }", "10 min"]),
        select(vec!["0 ms", "{ median: 100 ms, p99: 900 ms }"]),
        select(vec!["40 ms", "15 min"]),
        select(vec!["most-recent", "random"]),
    )
        .prop_map(|(a, b, c, d, e, f, idle, init, timeout, choice)| {
            let some = if d.is_empty() { c } else { "" };
            format!(
                "account: aws, {a}{b}{some}{d}{e}{f}idle_timeout: {idle}, init: {init}, timeout: {timeout}, \
                 instance_choice: {choice}, "
            )
        })
}

/// What breaks, if anything does.
fn faults() -> impl Strategy<Value = String> {
    let fault = select(vec![
        "on: back, slow: 3, at: 3 s, for: 5 s",
        "on: [front, back], zones_lost: 1, at: 5 s, for: { exponential: 2 s }, again_after: 3 s",
        "on: [back, front], zones_lost: 3, again_after: { exponential: 4 s }, for: 1 s",
        "on: back, unreachable: true, again_after: { exponential: 3 s }, for: { exponential: 1 s }",
        "on: front, unreachable: true, at: 20 s",
        "on: front, fail: 30%, status: 429, at: 2 s, until: 25 s",
        "on: back, down: true, at: 8 s, for: 2 s, again_after: 2 s",
        "on: aws, neighbours: 148, at: 6 s, for: 6 s",
        "on: aws, lower: { concurrency: 1 }, at: 9 s, for: 6 s",
    ]);
    prop::collection::vec(fault, 0..4).prop_map(|faults| {
        let named = faults
            .iter()
            .enumerate()
            .map(|(i, fault)| format!("  fault_{i}: {{ {fault} }}\n"));
        format!("faults:\n{}", named.collect::<String>())
    })
}

/// A whole system: a client, perhaps a gateway, a function, and a function behind it.
fn system() -> impl Strategy<Value = String> {
    let gateway = select(vec![
        None,
        Some("overhead: 3 ms"),
        Some("timeout: 50 ms, overhead: { exponential: 2 ms }"),
        Some("throttle: { rate: 10/s, burst: 5 }"),
    ]);
    let times = (select(vec!["0 s", "4 s", "7 s"]), select(vec!["5 s", "9 s"]));
    (
        load(),
        patience(),
        gateway,
        handler(),
        sampler(),
        (limits(), limits()),
        faults(),
        times,
    )
        .prop_map(
            |(load, patience, gateway, handler, work, (front, back), faults, (warmup, window))| {
                // Users who do not think would call an open breaker again at the same instant for ever: refused.
                let patience = match patience.split_once(", breaker") {
                    Some((patience, _)) if load.contains("think: 0 ms") => patience.to_owned(),
                    _ => patience,
                };
                let to = if gateway.is_some() { "api" } else { "front" };
                let api = gateway.map_or(String::new(), |fields| {
                    format!("gateways:\n  api: {{ account: aws, to: front, {fields} }}\n")
                });
                format!(
                    "run: {{ length: 30 s, warmup: {warmup}, window: {window}, seed: 5 }}\n\
                 accounts:\n  aws: {{ concurrency: 150 }}\n\
                 clients:\n  web: {{ to: {to}, {load}, {patience}, network: 1 ms }}\n{api}\
                 functions:\n  front: {{ {front}handler: {handler} }}\n  back: {{ {back}handler: [cpu: {work}] }}\n{faults}"
                )
            },
        )
}

/// Everything that a run found out, as text: NaN equals NaN there.
fn everything(result: &RunResult) -> String {
    format!("{result:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost(text in system()) {
        let mut plan = plan(&text);
        plan.warmup = coldcurve::kernel::Duration::ZERO;
        let result = World::new(&plan, 0).run();
        let number = |component: &str, metric: &str| count(&plan, &result, component, metric);
        prop_assert_eq!(number("web", "requests"), result.requests);
        let tables = result.flows.iter().flat_map(FlowResult::tables);
        let ended: u64 = tables.map(|table| table.total().0).sum();
        prop_assert_eq!(ended, result.requests, "requests whose causes are known");
        let bad = ["throttled_429", "failed_500", "bad_gateway_502", "unavailable_503", "gateway_timeout_504", "timed_out"];
        let bad: u64 = bad.iter().map(|status| number("web", status)).sum();
        // What the client's own breaker refuses is not tried again, and has no metric of its own.
        let web = plan.clients[0].component;
        let refused = result.observations.iter().find(|o| o.component == web && o.metric == "breaker.refused");
        let bad = bad + refused.map_or(0, |refused| refused.value.number().unwrap_or(0.0) as u64);
        let Value::Ratio { part, whole } = value(&plan, &result, "web", "error_ratio") else {
            return Err(TestCaseError::fail("error_ratio is no ratio"));
        };
        prop_assert_eq!((*part, *whole), (bad, result.requests));
        let refusals = result.observations.iter().filter(|o| o.metric == "breaker.refused");
        let refusals: u64 = refusals.map(|o| o.value.number().unwrap_or(0.0) as u64).sum();
        let hits = |limit| result.limits.iter().filter(|h| h.hit.limit == limit).map(|h| h.count).sum::<u64>();
        prop_assert_eq!(hits(Limit::CircuitBreaker), refusals, "what breakers refuse is in the table of limits");
        let mut late = 0;
        for (name, spec) in ["front", "back"].into_iter().zip(&plan.functions) {
            let throttled = ["throttled_concurrency", "throttled_rate", "throttled_scaling"];
            let throttled: u64 = throttled.iter().map(|metric| number(name, metric)).sum();
            let dropped = if spec.program.heeds_deadlines { number(name, "dropped_expired") } else { 0 };
            late += dropped;
            let throttled = throttled + dropped;
            let (offered, invoked) = (number(name, "offered"), number(name, "invocations"));
            prop_assert!(offered >= invoked + throttled, "{}: {} offered, {} and {}", name, offered, invoked, throttled);
            let running = offered - invoked - throttled;
            let room = number(name, "instances.peak") * u64::from(spec.concurrency_per_instance);
            prop_assert!(running <= room, "{}: {} neither ended nor refused, room for {}", name, running, room);
        }
        prop_assert!(hits(Limit::Deadline) >= late, "{} dropped, {} in the table", late, hits(Limit::Deadline));
    }

    #[test]
    fn nothing_is_busier_than_it_can_be(text in system()) {
        let plan = plan(&text);
        let result = World::new(&plan, 1).run();
        for (name, spec) in ["front", "back"].into_iter().zip(&plan.functions) {
            let levels = ["instances.busy", "instances.starting", "instances"].map(|m| level(&plan, &result, name, m));
            let [busy, starting, alive] = levels;
            prop_assert!(busy + starting <= alive * (1.0 + 1e-12), "{}: {:?}", name, levels);
            let peaks = ["instances.busy_peak", "instances.peak"].map(|m| count(&plan, &result, name, m));
            prop_assert!(peaks[0] <= peaks[1] && busy <= peaks[0] as f64 && alive <= peaks[1] as f64, "{}: {:?} {:?}", name, levels, peaks);
            if spec.provisioned.is_none() && spec.recycles.is_empty() {
                prop_assert!(spec.maximum_instances.is_none_or(|most| peaks[1] <= most), "{}: {:?}", name, peaks);
            }
            for ratio in ["cold_ratio", "throttle_ratio"] {
                let share = value(&plan, &result, name, ratio).number().unwrap_or(0.0);
                prop_assert!((0.0..=1.0).contains(&share) || plan.warmup.0 > 0, "{}.{} is {}", name, ratio, share);
            }
        }
    }

    #[test]
    fn the_agendas_lanes_change_nothing(text in system()) {
        let plan = plan(&text);
        let fast = World::new(&plan, 2).run();
        let plain = World::with_agenda(&plan, 2, Agenda::plain()).run();
        // The heap meets deadlines of answered requests one by one, where lanes drop them: that is no difference.
        let same = |result: RunResult| everything(&RunResult { events: 0, ..result });
        prop_assert_eq!(same(fast), same(plain));
    }

    #[test]
    fn a_run_is_a_pure_function_of_plan_seed_and_number(text in system()) {
        let mut other = plan(&text);
        let result = everything(&World::new(&other, 3).run());
        prop_assert_eq!(&result, &everything(&World::new(&plan(&text), 3).run()));
        other.seed += 1;
        let reseeded = World::new(&other, 3).run();
        // An idle system looks the same with any dice; one that did something does not.
        prop_assert!(reseeded.requests < 20 || !text.contains("poisson") || everything(&reseeded) != result, "the seed has no effect");
    }

    /// In a loss system, requests that few servers accept are accepted by more of them, too: with equal arrivals and
    /// equal service times, the further servers see only what the others refused (ordered entry).
    #[test]
    fn more_reserved_concurrency_never_refuses_more(
        load in load(),
        work in sampler(),
        few in 1..12_u64,
        more in 1..12_u64,
    ) {
        prop_assume!(!load.contains("users"));
        let refused = |reserved: u64| {
            let plan = plan(&format!(
                "run: {{ length: 30 s, warmup: 0, seed: 9 }}\n\
                 clients:\n  web: {{ to: front, {load} }}\n\
                 functions:\n  front: {{ reserved_concurrency: {reserved}, handler: [cpu: {work}, wait: 20 ms] }}\n"
            ));
            count(&plan, &World::new(&plan, 4).run(), "front", "throttled_concurrency")
        };
        let (few, more) = (refused(few), refused(few + more));
        prop_assert!(more <= few, "{} refused, with more concurrency {}", few, more);
    }
}
