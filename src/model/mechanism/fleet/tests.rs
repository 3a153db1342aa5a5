//! Fleets in small worlds: traces computed by hand, and laws that hold where no formula does. Those with one are in
//! `tests/theory`.

use super::balancer::Dispatch;
use super::plan::{Billing, FleetPlan, Metric, ScalingPlan};
use crate::cost::Meter;
use crate::kernel::number::fit;
use crate::kernel::{Duration, Sampler};
use crate::model::handler::run::{Program, Step};
use crate::model::mechanism::client::arrivals::{ArrivalPlan, Piece, RateCurve};
use crate::model::mechanism::client::{ClientPlan, Load};
use crate::model::parts::tracking::TrackingPlan;
use crate::model::request::call::CallPlan;
use crate::model::request::common::Common;
use crate::model::request::entry::Cause;
use crate::model::request::operation::Operation;
use crate::model::request::retry::RetryPolicy;
use crate::model::world::run::{RunResult, World};
use crate::model::{Component, Plan, kind};
use crate::scenario::Target;
use crate::stats::{Histogram, Value};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn computes(cpu: Sampler) -> FleetPlan {
    FleetPlan {
        component: 1,
        name: "fleet".to_owned(),
        count: 1,
        size: None,
        scaling: None,
        vcpus: 1.0,
        speed: 1.0,
        memory_mb: 1024,
        baseline: None,
        slots: u32::MAX,
        queue: u64::MAX,
        shedding: None,
        dispatch: Dispatch::RoundRobin,
        boot: Sampler::Constant(42e9),
        launches: None,
        program: Program::compute(cpu),
        failure: 0.0,
        zones: 1,
        billing: Billing::Instance,
        billing_minimum: Duration::from_secs(60),
        disk_mb: 0,
        public_ipv4: false,
        log_bytes: 0,
        transfer: crate::model::parts::transfer::TransferPlan::default(),
    }
}

fn constant_ms(ms: u64) -> Sampler {
    Sampler::Constant((ms * MS) as f64)
}

/// One client whose requests go to the first of some fleets.
fn plan(fleets: Vec<FleetPlan>, arrivals: ArrivalPlan, length_s: u64, warmup_s: u64) -> Plan {
    let target = |kind, index| Target { kind, index };
    let component = |target, name: &str| Component {
        target,
        name: name.to_owned(),
        service: None,
        attributes: Vec::new(),
    };
    let mut components = vec![component(target(kind::CLIENT, 0), "client")];
    for (index, fleet) in fleets.iter().enumerate() {
        components.push(component(target(kind::FLEET, fit(index)), &fleet.name));
    }
    let common = Common {
        components,
        length: Duration::from_secs(length_s),
        warmup: Duration::from_secs(warmup_s),
        window: Duration::from_secs(60),
        seed: 7,
        ..Common::default()
    };
    let mut plan = Plan {
        common,
        fleets,
        clients: vec![ClientPlan {
            payload: None,
            background: false,
            component: 0,
            name: "client".to_owned(),
            to: target(kind::FLEET, 0),
            load: Load::Open {
                arrivals,
                batch: None,
                per_month: None,
            },
            timeout: Duration::FOREVER,
            retry: RetryPolicy::NONE,
            guarding: crate::model::request::guard::Guarding::default(),
            guard: None,
            careful: false,
            follows: false,
            criticality: crate::model::request::baggage::Criticality::Normal,
            network: Sampler::Constant(0.0),
            paths: Vec::new(),
            path_metrics: Vec::new(),
        }],
        ..Plan::default()
    };
    plan.introduce();
    plan
}

fn poisson(per_second: f64) -> ArrivalPlan {
    ArrivalPlan::Poisson(RateCurve::constant(per_second))
}

/// Requests at these milliseconds.
fn at_ms(times: &[u64]) -> ArrivalPlan {
    ArrivalPlan::Times(times.iter().map(|t| t * MS).collect::<Vec<_>>().into())
}

fn value<'r>(result: &'r RunResult, component: u32, metric: &str) -> &'r Value {
    let found = result
        .observations
        .iter()
        .find(|o| o.component == component && o.metric == metric);
    &found.unwrap_or_else(|| panic!("no metric {metric}")).value
}

/// A metric of the first fleet.
fn number(result: &RunResult, metric: &str) -> f64 {
    value(result, 1, metric).number().unwrap_or(f64::NAN)
}

fn latency(result: &RunResult) -> &Histogram {
    match value(result, 0, "latency") {
        Value::Latency(histogram) => histogram,
        other => panic!("latency is {other:?}"),
    }
}

fn mean_s(result: &RunResult) -> f64 {
    latency(result).mean() / 1e9
}

/// Standard errors between the mean of independent values and what it should be.
fn z(values: &[f64], expected: f64) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean - expected) / (variance / n).sqrt()
}

fn replications(plan: &Plan, n: u64) -> Vec<RunResult> {
    (0..n).map(|run| World::new(plan, run).run()).collect()
}

/// Judges a statistic over replications. With 24 of them, 4.5 standard errors are a chance of about 1 in 6,000.
fn judge(what: &str, results: &[RunResult], expected: f64, of: impl Fn(&RunResult) -> f64) {
    let values: Vec<f64> = results.iter().map(of).collect();
    let z = z(&values, expected);
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    assert!(z.abs() < 4.5, "{what}: {mean} against {expected}, z {z}");
}

const RUNS: u64 = 24;

#[test]
fn littles_law_holds_where_no_formula_does() {
    let mut fleet = FleetPlan {
        count: 3,
        vcpus: 1.5,
        slots: 4,
        dispatch: Dispatch::LeastOutstanding,
        ..computes(constant_ms(1))
    };
    fleet.program.steps = vec![
        Step::Cpu(Sampler::lognormal_median_p99(3e7, 2e8)),
        Step::Wait(Sampler::Exponential { mean: 5e7 }),
        Step::Skip { hit: 0.3, to: 4 },
        Step::Cpu(Sampler::Exponential { mean: 4e7 }),
        Step::End,
    ];
    let results = replications(&plan(vec![fleet], poisson(45.0), 600, 60), RUNS);
    judge("L - lambda W", &results, 0.0, |r| {
        let inside = number(r, "slots.busy") + number(r, "queue");
        inside - number(r, "served") / r.measured.as_secs_f64() * mean_s(r)
    });
    assert!(
        results.iter().all(|r| number(r, "queue.peak") > 0.0),
        "the test is about queues, too"
    );
}

#[test]
fn more_instances_are_never_worse_for_the_same_requests() {
    let with = |count| {
        let fleet = FleetPlan {
            count,
            slots: 1,
            dispatch: Dispatch::SharedQueue,
            ..computes(Sampler::lognormal_median_p99(6e7, 5e8))
        };
        World::new(&plan(vec![fleet], poisson(30.0), 300, 0), 3).run()
    };
    let results: Vec<RunResult> = (2..8).map(with).collect();
    for pair in results.windows(2) {
        let (fewer, more) = (latency(&pair[0]), latency(&pair[1]));
        assert!(more.mean() <= fewer.mean());
        for q in [0.1, 0.5, 0.9, 0.99, 1.0] {
            assert!(more.quantile(q) <= fewer.quantile(q), "quantile {q}");
        }
    }
    let counts = |r: &RunResult| number(r, "requests");
    assert!(
        results
            .iter()
            .all(|r| counts(r).to_bits() == counts(&results[0]).to_bits())
    );
}

#[test]
fn slots_queues_and_refusals_by_hand() {
    let fleet = FleetPlan {
        slots: 1,
        queue: 1,
        shedding: None,
        ..computes(constant_ms(50))
    };
    let result = World::new(&plan(vec![fleet], at_ms(&[0, 10, 20, 60]), 60, 0), 0).run();
    // 0 to 50; waits from 10, 50 to 100; refused at 20; waits from 60, 100 to 150.
    let latency = latency(&result);
    assert_eq!(latency.sum(), u128::from((50 + 90 + 90) * MS));
    assert_eq!((latency.count(), latency.max()), (4, 90 * MS));
    assert_eq!((number(&result, "refused"), number(&result, "served")), (1.0, 3.0));
    assert_eq!(value(&result, 1, "queue_wait").number(), Some((80 * MS) as f64 / 3.0));
    let (_, causes) = result.flows[0].causes.table().total();
    assert_eq!(causes[Cause::Queued as usize], u128::from(80 * MS));
    assert_eq!(value(&result, 1, "service_time").number(), Some((50 * MS) as f64));
    assert_eq!(value(&result, 1, "queue").number(), Some(0.08 / 60.0));
    assert_eq!(
        (number(&result, "queue.peak"), number(&result, "slots.busy_peak")),
        (1.0, 1.0)
    );
    assert_eq!(value(&result, 0, "unavailable_503"), &Value::Count(1));
    assert_eq!(result.in_flight, 0);
    assert_eq!(result.meters[1].get(Meter::InstanceMs), 60_000);
}

#[test]
fn what_waits_holds_a_slot_and_no_core() {
    let mut fleet = computes(constant_ms(10));
    fleet.program.steps = vec![
        Step::Cpu(constant_ms(10)),
        Step::Wait(constant_ms(30)),
        Step::Cpu(constant_ms(10)),
        Step::End,
    ];
    // With two slots both computing parts of one fall into the waiting part of the other.
    fleet.slots = 2;
    let result = World::new(&plan(vec![fleet.clone()], at_ms(&[0, 10]), 60, 0), 0).run();
    assert_eq!(latency(&result).sum(), u128::from(100 * MS));
    assert_eq!(value(&result, 1, "cpu_utilisation").number(), Some(0.04 / 60.0));
    // With one slot the second must wait for the whole of the first.
    fleet.slots = 1;
    let result = World::new(&plan(vec![fleet], at_ms(&[0, 10]), 60, 0), 0).run();
    assert_eq!(latency(&result).sum(), u128::from((50 + 90) * MS));
}

#[test]
fn speed_and_fractions_of_a_cpu() {
    let of = |vcpus, speed| {
        let fleet = FleetPlan {
            vcpus,
            speed,
            ..computes(constant_ms(60))
        };
        let result = World::new(&plan(vec![fleet], at_ms(&[0]), 60, 0), 0).run();
        (
            latency(&result).max() / MS,
            number(&result, "cpu_utilisation") * 60_000.0,
        )
    };
    assert_eq!(of(1.0, 1.0), (60, 60.0));
    assert_eq!(of(1.0, 1.5), (40, 40.0));
    assert_eq!(of(0.5, 1.0), (120, 120.0));
    assert_eq!(of(4.0, 1.0), (60, 15.0));
}

#[test]
fn branches_share_the_cores_of_their_instance() {
    let of = |vcpus| {
        let mut fleet = FleetPlan {
            vcpus,
            ..computes(constant_ms(1))
        };
        fleet.program.steps = vec![
            Step::Parallel(vec![2, 4]),
            Step::End,
            Step::Cpu(constant_ms(100)),
            Step::End,
            Step::Cpu(constant_ms(100)),
            Step::End,
        ];
        latency(&World::new(&plan(vec![fleet], at_ms(&[0]), 60, 0), 0).run()).max() / MS
    };
    assert_eq!((of(2.0), of(1.0)), (100, 200));
}

#[test]
fn a_fleet_calls_a_fleet_and_gives_up_on_it() {
    let mut front = computes(constant_ms(5));
    front.program.steps.insert(1, Step::Call(0));
    let call = CallPlan {
        payload: None,
        demand: None,
        operation: Operation::default(),
        to: Target {
            kind: kind::FLEET,
            index: 1,
        },
        timeout: Duration::from_millis(40),
        retry: RetryPolicy::NONE,
        guarding: crate::model::request::guard::Guarding::default(),
        guard: None,
        careful: false,
        follows: false,
        optional: true,
    };
    front.program.calls = [call].into();
    let back = FleetPlan {
        component: 2,
        name: "back".to_owned(),
        slots: 1,
        ..computes(constant_ms(30))
    };
    let result = World::new(&plan(vec![front, back], at_ms(&[0, 1]), 60, 0), 0).run();
    // On one core both fronts compute until 9 and 10. The first call runs from 9 to 39; the second waits from 10 and
    // would run from 39 to 69, but its caller gives up at 50, and the work is done all the same.
    assert_eq!(latency(&result).sum(), u128::from((39 + 49) * MS));
    assert_eq!(value(&result, 2, "served"), &Value::Count(2));
    assert_eq!(value(&result, 0, "error_ratio").number(), Some(0.0));
}

#[test]
fn clients_give_up_and_the_work_goes_on() {
    let fleet = FleetPlan {
        slots: 1,
        failure: 0.0,
        ..computes(constant_ms(100))
    };
    let mut plan = plan(vec![fleet], at_ms(&[0, 10]), 60, 0);
    plan.clients[0].timeout = Duration::from_millis(120);
    let result = World::new(&plan, 0).run();
    assert_eq!(latency(&result).sum(), u128::from((100 + 120) * MS));
    assert_eq!(value(&result, 0, "timed_out"), &Value::Count(1));
    assert_eq!(
        (number(&result, "served"), number(&result, "slots.busy")),
        (2.0, 0.2 / 60.0)
    );
}

fn tracking(metric: Metric, target: f64) -> ScalingPlan {
    ScalingPlan {
        metric,
        tracking: TrackingPlan {
            target,
            minimum: 2,
            maximum: 20,
            out_periods: 3,
            in_periods: 15,
            low_ratio: 0.9,
            out_cooldown: Duration::from_secs(300),
            in_cooldown: Duration::from_secs(300),
        },
    }
}

/// Evenly spaced requests: so many a second, each for so many seconds.
fn steps(pieces: &[(f64, u64)]) -> ArrivalPlan {
    let piece = |&(rate, seconds): &(f64, u64)| Piece {
        length_ns: seconds * SECOND,
        from: rate / 1e9,
        to: rate / 1e9,
    };
    ArrivalPlan::Constant(RateCurve::new(pieces.iter().map(piece).collect(), false))
}

#[test]
fn capacity_follows_a_step_after_more_than_four_minutes() {
    // 100 ms of work each: 20/s are half of four cores, 34/s are 85 %, which asks for ceil(4 x 0.85 / 0.6) = 6.
    let load = steps(&[(20.0, 600), (34.0, 1_200), (5.0, 1_200)]);
    for (metric, target) in [(Metric::Cpu, 0.6), (Metric::Requests, 6.0)] {
        let fleet = FleetPlan {
            count: 4,
            scaling: Some(tracking(metric, target)),
            ..computes(constant_ms(100))
        };
        let result = World::new(&plan(vec![fleet], load.clone(), 3_000, 0), 0).run();
        let line = |name| {
            let found = result.series.iter().find(|s| s.component == 1 && s.metric == name);
            &found.expect("a series").values
        };
        let (instances, running) = (line("instances"), line("instances.running"));
        let near = |a: f64, b: f64| (a - b).abs() < 0.01;
        // The minutes that end at 660, 720 and 780 s are seen at 720, 780 and 840 s; two instances boot for 42 s.
        assert!(instances[..14].iter().all(|&n| near(n, 4.0)) && near(instances[14], 6.0));
        assert!(running[..14].iter().all(|&n| near(n, 4.0)));
        assert!(
            near(running[14], 4.0 + 2.0 * 18.0 / 60.0) && near(running[15], 6.0),
            "{running:?}"
        );
        // 5/s from 1,800 s on: the 15 minutes until 2,700 s are seen by 2,760 s.
        assert!(running[15..46].iter().all(|&n| near(n, 6.0)));
        assert!(running[46..].iter().all(|&n| near(n, 2.0)), "{running:?}");
        assert_eq!(
            (number(&result, "launches"), number(&result, "instances.peak")),
            (2.0, 6.0)
        );
        let billed = f64::from(4 * 840 + 6 * (2_760 - 840) + 2 * (3_000 - 2_760));
        let metered = result.meters[1].get(Meter::InstanceMs) as f64 / 1e3;
        assert!((metered - billed).abs() < 1.0, "{metered} s against {billed} s");
        assert_eq!(value(&result, 1, "refused").number(), Some(0.0));
    }
}

#[test]
fn a_drained_instance_finishes_its_work_and_nothing_more() {
    // Two requests of 100 s each wait without computing, one on each of two instances; the fleet shrinks to one.
    let mut scaling = tracking(Metric::Cpu, 0.6);
    (scaling.tracking.minimum, scaling.tracking.in_periods) = (1, 1);
    let mut fleet = FleetPlan {
        count: 2,
        scaling: Some(scaling),
        ..computes(constant_ms(1))
    };
    fleet.program.steps = vec![Step::Wait(constant_ms(100_000)), Step::End];
    // The first minute is seen at 120 s: the oldest instance goes, on which the request of 100 s runs until 200 s.
    let result = World::new(&plan(vec![fleet], at_ms(&[100_000, 110_000, 130_000]), 300, 0), 0).run();
    assert_eq!(latency(&result).sum(), u128::from(300 * SECOND));
    assert_eq!(result.meters[1].get(Meter::InstanceMs), 200_000 + 300_000);
    let Value::TimeMean { area, .. } = value(&result, 1, "slots.busy") else {
        panic!("a level")
    };
    assert_eq!(*area, u128::from(300 * SECOND));
}

#[test]
fn what_boots_in_vain_is_billed_for_a_minute_at_least() {
    // One busy minute asks for a second instance; it boots for 100 s and is not wanted any more after 60 s.
    let mut scaling = tracking(Metric::Requests, 1.0);
    let policy = &mut scaling.tracking;
    (policy.minimum, policy.maximum, policy.out_periods, policy.in_periods) = (1, 2, 1, 1);
    (policy.out_cooldown, policy.in_cooldown) = (Duration::ZERO, Duration::ZERO);
    let fleet = FleetPlan {
        count: 1,
        scaling: Some(scaling),
        boot: constant_ms(100_000),
        billing_minimum: Duration::from_secs(90),
        ..computes(constant_ms(1))
    };
    let burst: Vec<u64> = (0..90).map(|i| 1_000 + i * 500).collect();
    let result = World::new(&plan(vec![fleet], at_ms(&burst), 600, 0), 0).run();
    // Launched at 120 s, when the minute until 60 s is seen; cancelled at 180 s, billed until 210 s.
    assert_eq!(result.meters[1].get(Meter::InstanceMs), 600_000 + 90_000);
    assert_eq!(
        (number(&result, "launches"), number(&result, "instances.running")),
        (1.0, 1.0)
    );
}

#[test]
fn an_instance_that_joins_takes_from_the_one_line() {
    let mut scaling = tracking(Metric::Requests, 0.01);
    (scaling.tracking.minimum, scaling.tracking.out_periods) = (1, 1);
    scaling.tracking.maximum = 2;
    let fleet = FleetPlan {
        slots: 1,
        dispatch: Dispatch::SharedQueue,
        scaling: Some(scaling),
        ..computes(constant_ms(200_000))
    };
    // All at 0: the first runs until 200 s. The second instance is launched at 120 s and serves from 162 s: the second
    // request until 362 s; the third one from 200 to 400 s on the first instance.
    let result = World::new(&plan(vec![fleet], at_ms(&[0, 0, 0]), 600, 0), 0).run();
    assert_eq!(latency(&result).sum(), u128::from((200 + 362 + 400) * SECOND));
    assert_eq!(latency(&result).max(), 400 * SECOND);
}

#[test]
fn launches_beyond_the_quota_wait_for_their_turn() {
    let mut scaling = tracking(Metric::Requests, 0.01);
    (scaling.tracking.minimum, scaling.tracking.out_periods) = (1, 1);
    scaling.tracking.maximum = 4;
    let fleet = FleetPlan {
        slots: 1,
        dispatch: Dispatch::SharedQueue,
        scaling: Some(scaling),
        launches: Some((1, 1.0 / 30.0)),
        ..computes(constant_ms(200_000))
    };
    // Three more are wanted at 120 s and launched at 120, 150 and 180 s; they serve 42 s later. The fourth request
    // finds the first instance free at 200 s.
    let result = World::new(&plan(vec![fleet], at_ms(&[0, 0, 0, 0]), 600, 0), 0).run();
    assert_eq!(latency(&result).sum(), u128::from((200 + 362 + 392 + 400) * SECOND));
    assert_eq!(number(&result, "launches").to_bits(), 3.0_f64.to_bits());
    // What waits for its turn is not billed.
    let billed = result.meters[1].get(Meter::InstanceMs);
    assert_eq!(billed, 1000 * (600 + 480 + 450 + 420));
}

#[test]
fn tasks_pay_for_cpu_memory_and_extra_disk() {
    let fleet = FleetPlan {
        count: 3,
        vcpus: 0.5,
        billing: Billing::Task,
        disk_mb: 100,
        public_ipv4: true,
        ..computes(constant_ms(1))
    };
    let result = World::new(&plan(vec![fleet], at_ms(&[]), 120, 20), 0).run();
    let meter = |meter| result.meters[1].get(meter);
    assert_eq!(meter(Meter::VcpuMs), 3 * 500 * 100_000);
    assert_eq!(meter(Meter::MemoryMbMs), 3 * 1024 * 100_000);
    assert_eq!(meter(Meter::StorageMbMs), 3 * 100 * 100_000);
    assert_eq!((meter(Meter::PublicIpv4Ms), meter(Meter::InstanceMs)), (300_000, 0));
}

#[test]
fn burstable_machines_pay_for_what_exceeds_their_baseline() {
    let of = |per_second| {
        let fleet = FleetPlan {
            vcpus: 2.0,
            baseline: Some(0.2),
            ..computes(constant_ms(100))
        };
        let result = World::new(&plan(vec![fleet], steps(&[(per_second, 600)]), 600, 0), 0).run();
        result.meters[1].get(Meter::SurplusVcpuMs) as f64 / 1e3
    };
    // 10/s keep one of two vCPUs busy; 0.4 of them are free: 600 s x 0.6 = 360,000 ms.
    assert!((of(10.0) / 360_000.0 - 1.0).abs() < 1e-3, "{}", of(10.0));
    assert!(of(3.0) < 1.0);
}
