//! Queues in small worlds: traces by hand, and what is conserved. More of them, and theory, in `tests/theory`.

use super::plan::{PollerPlan, QueuePlan};
use crate::kernel::number::fit;
use crate::kernel::{Duration, Sampler};
use crate::model::handler::run::{Program, Step};
use crate::model::mechanism::client::arrivals::{ArrivalPlan, RateCurve};
use crate::model::mechanism::client::{ClientPlan, Load};
use crate::model::mechanism::function::plan::FunctionPlan;
use crate::model::mechanism::function::pool::Choice;
use crate::model::parts::initial::Initial;
use crate::model::request::account::AccountPlan;
use crate::model::request::call::CallPlan;
use crate::model::request::common::Common;
use crate::model::request::entry::Cause;
use crate::model::request::id::Id;
use crate::model::request::operation::Operation;
use crate::model::request::retry::RetryPolicy;
use crate::model::world::run::{RunResult, World};
use crate::model::{Component, Plan, kind};
use crate::scenario::Target;
use crate::stats::Value;

/// Places of the components in the plans of these tests.
const CLIENT: u32 = 1;
const FUNCTION: u32 = 2;
const QUEUE: u32 = 3;
const DEAD: u32 = 4;

const S: u64 = 1_000_000_000;

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn target(kind: u8, index: u16) -> Target {
    Target { kind, index }
}

/// A function that waits for so long, without cold starts.
pub(super) fn function(takes: Sampler) -> FunctionPlan {
    FunctionPlan {
        payload_limit: None,
        zones: 3,
        code_init: Sampler::Constant(0.0),
        component: FUNCTION,
        name: "worker".to_owned(),
        account: Some(Id::new(0)),
        memory_mb: 128,
        vcpus: 1.0,
        timeout: secs(900),
        program: Program {
            entries: Vec::new(),
            heeds_deadlines: false,
            steps: vec![Step::Wait(takes), Step::End],
            calls: [].into(),
        },
        concurrency_per_instance: 1,
        placement: Sampler::Constant(0.0),
        init: Sampler::Constant(0.0),
        init_limit: secs(10),
        idle_timeout: Sampler::constant(secs(600)),
        initial: Initial::default(),
        maximum_age: None,
        choice: Choice::MostRecent,
        reserved: None,
        maximum_instances: None,
        scaling: None,
        requests_per_second_factor: None,
        provisioned: None,
        recycles: Vec::new(),
        failure: 0.0,
        init_billed: false,
        billing_step: Duration::from_millis(1),
        billing_minimum: Duration::ZERO,
        ephemeral_mb: 0,
        log_bytes: 0,
        transfer: crate::model::parts::transfer::TransferPlan::default(),
        asynchronous: crate::model::mechanism::function::asynchronous::AsyncPlan::default(),
        platform: crate::model::mechanism::function::scaled::plan::Platform::default(),
        holds_sessions: false,
    }
}

fn poller() -> PollerPlan {
    PollerPlan {
        to: Id::new(0),
        batch_size: 1,
        batch_window: Duration::ZERO,
        start: 5,
        add_per_minute: 300,
        ceiling: 1250,
        partial_batch_response: false,
        poll_wait: secs(20),
    }
}

fn queue(poller: Option<PollerPlan>) -> QueuePlan {
    QueuePlan {
        payload_limit: None,
        component: QUEUE,
        visibility_timeout: secs(30),
        retention: secs(4 * 86_400),
        delay: Duration::ZERO,
        fifo: false,
        groups: 1,
        dead_letter: None,
        in_flight_limit: 120_000,
        send_quota: None,
        send_latency: Sampler::Constant(0.0),
        receive_latency: Sampler::Constant(0.0),
        message_bytes: 1024,
        metering_bytes: 64 << 10,
        duplicate_rate: 0.0,
        poison: 0.0,
        poison_until: Duration::FOREVER,
        poller,
        redrive: None,
    }
}

/// A client, a function, a queue, and a queue for dead letters that nobody reads.
fn plan(queue: QueuePlan, function: FunctionPlan, arrivals: ArrivalPlan, length: Duration) -> Plan {
    let component = |kind, index, name: &str| Component {
        target: target(kind, index),
        name: name.to_owned(),
        service: None,
        attributes: Vec::new(),
    };
    let dead = QueuePlan {
        component: DEAD,
        poller: None,
        dead_letter: None,
        delay: Duration::ZERO,
        ..queue.clone()
    };
    let common = Common {
        components: vec![
            component(kind::ACCOUNT, 0, "aws"),
            component(kind::CLIENT, 0, "sender"),
            component(kind::FUNCTION, 0, "worker"),
            component(kind::QUEUE, 0, "orders"),
            component(kind::QUEUE, 1, "dead"),
        ],
        length,
        warmup: Duration::ZERO,
        window: secs(60),
        seed: 1,
        accounts: vec![AccountPlan {
            concurrency: 100_000,
            neighbours: 0,
            kept_unreserved: 100,
            reserved: function.reserved.unwrap_or(0),
            gateway_rate: 1e6,
            gateway_burst: 1_000_000,
        }],
        ..Common::default()
    };
    let mut plan = Plan {
        common,
        clients: vec![ClientPlan {
            payload: None,
            background: false,
            component: CLIENT,
            name: "sender".to_owned(),
            to: target(kind::QUEUE, 0),
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
        gateways: Vec::new(),
        functions: vec![function],
        queues: vec![queue, dead],
        ..Plan::default()
    };
    plan.introduce();
    plan
}

/// So many messages at once.
fn at_once(count: usize, at_s: u64) -> ArrivalPlan {
    ArrivalPlan::Times(vec![at_s * S; count].into())
}

fn run(queue: QueuePlan, function: FunctionPlan, arrivals: ArrivalPlan, length_s: u64) -> RunResult {
    World::new(&plan(queue, function, arrivals, secs(length_s)), 0).run()
}

fn value<'a>(result: &'a RunResult, component: u32, metric: &str) -> &'a Value {
    let found = result
        .observations
        .iter()
        .find(|o| o.component == component && o.metric == metric);
    &found.unwrap_or_else(|| panic!("no metric {metric}")).value
}

fn count(result: &RunResult, metric: &str) -> u64 {
    count_of(result, QUEUE, metric)
}

fn count_of(result: &RunResult, component: u32, metric: &str) -> u64 {
    match value(result, component, metric) {
        Value::Count(n) | Value::Peak(n) => *n,
        other => panic!("{metric} is {other:?}"),
    }
}

/// The greatest value of a distribution of times.
fn longest(result: &RunResult, metric: &str) -> u64 {
    match value(result, QUEUE, metric) {
        Value::Latency(histogram) => histogram.max(),
        other => panic!("{metric} is {other:?}"),
    }
}

fn takes(s: u64) -> FunctionPlan {
    function(Sampler::constant(secs(s)))
}

#[test]
fn sends_beyond_the_quota_are_refused() {
    // Ten at once and a bucket of three: seven are refused. At two a second the bucket is full again after 1.5 s.
    let limited = QueuePlan {
        send_quota: Some((2.0, 3)),
        ..queue(None)
    };
    let times = [vec![S; 10], vec![S + S / 2; 2], vec![10 * S; 4]].concat();
    let result = run(limited, takes(1), ArrivalPlan::Times(times.into()), 60);
    assert_eq!(count(&result, "sent"), 3 + 1 + 3);
    assert_eq!(count(&result, "throttled"), 7 + 1 + 1);
    assert_eq!(count_of(&result, CLIENT, "throttled_429"), 9, "the sender hears of it");
    conserved(&result, QUEUE);
}

/// What came in is somewhere.
fn conserved(result: &RunResult, component: u32) {
    let n = |metric| count_of(result, component, metric);
    assert_eq!(
        n("sent") + n("copies") + n("moved_in"),
        n("deleted") + n("expired") + n("dead_lettered") + n("redriven") + n("remaining"),
        "component {component}"
    );
}

#[test]
fn throttles_send_good_messages_to_the_dead_letters_and_a_limit_of_concurrency_prevents_it() {
    let mut worker = takes(25);
    worker.reserved = Some(1);
    let spec = QueuePlan {
        dead_letter: Some((Id::new(1), 2)),
        ..queue(Some(poller()))
    };
    let result = run(spec.clone(), worker.clone(), at_once(50, 0), 1_500);
    assert_eq!(count(&result, "messages_failed"), 0, "every message is good");
    assert!(count(&result, "batches_abandoned") > 40);
    assert!(
        count(&result, "dead_lettered") > 40,
        "{}",
        count(&result, "dead_lettered")
    );
    assert_eq!(count(&result, "deleted") + count(&result, "dead_lettered"), 50);
    conserved(&result, QUEUE);
    conserved(&result, DEAD);
    let limited = QueuePlan {
        poller: Some(PollerPlan { ceiling: 1, ..poller() }),
        ..spec
    };
    let result = run(limited, worker, at_once(50, 0), 1_500);
    assert_eq!((count(&result, "deleted"), count(&result, "dead_lettered")), (50, 0));
    assert_eq!(count(&result, "batches_throttled"), 0);
}

#[test]
fn a_spike_is_buffered_and_drained() {
    // 1,000 messages at 60 s, five at a time, a second each: the last one is done 200 s later.
    let steady = PollerPlan {
        add_per_minute: 0,
        ..poller()
    };
    let mut spec = queue(Some(steady));
    spec.visibility_timeout = secs(600);
    let result = run(spec, takes(1), at_once(1_000, 60), 300);
    assert_eq!(count(&result, "deleted"), 1_000);
    assert_eq!(
        (longest(&result, "latency"), longest(&result, "wait")),
        (200 * S, 199 * S)
    );
    assert_eq!(count(&result, "depth.peak"), 1_000);
    assert_eq!(count(&result, "concurrency.peak"), 5);
    let ages = result
        .series
        .iter()
        .find(|s| s.component == QUEUE && s.metric == "age_oldest");
    let seconds: Vec<f64> = ages.unwrap().values.iter().map(|ns| ns / 1e9).collect();
    assert_eq!(seconds, [0.0, 60.0, 120.0, 180.0, 200.0]);
    // Little's law, to the nanosecond: the area under the depth is the sum of the times that messages were there.
    let Value::TimeMean { area, .. } = value(&result, QUEUE, "depth") else {
        panic!("depth is a level")
    };
    assert_eq!(*area, u128::from(5 * (1..=200).sum::<u64>() * S));
    // The slowest messages did nothing but wait.
    let flow = result.flows.iter().find(|flow| flow.component == QUEUE).unwrap();
    let (n, causes) = flow.causes.table().total();
    assert_eq!((n, causes[Cause::Waiting as usize]), (1_000, 1_000 * u128::from(S)));
    assert_eq!(causes[Cause::Queued as usize], area - 1_000 * u128::from(S));
}

#[test]
fn everything_that_came_in_is_somewhere() {
    for fifo in [false, true] {
        let spec = QueuePlan {
            fifo,
            groups: 20,
            delay: secs(5),
            retention: secs(120),
            dead_letter: Some((Id::new(1), 3)),
            duplicate_rate: if fifo { 0.0 } else { 0.05 },
            poison: 0.02,
            ..queue(Some(PollerPlan {
                batch_size: 10,
                batch_window: secs(2),
                partial_batch_response: true,
                add_per_minute: 5,
                ..poller()
            }))
        };
        let mut worker = function(Sampler::Exponential { mean: 1e9 });
        worker.failure = 0.3;
        worker.timeout = secs(20);
        worker.reserved = Some(30);
        let arrivals = ArrivalPlan::Poisson(RateCurve::constant(15.0));
        let result = run(spec, worker, arrivals, 900);
        for component in [QUEUE, DEAD] {
            conserved(&result, component);
        }
        let n = |metric| count(&result, metric);
        for metric in ["sent", "deleted", "expired", "dead_lettered", "messages_failed"] {
            assert!(n(metric) > 0, "{metric} happens (fifo {fifo})");
        }
        assert_eq!(n("copies") > 0, !fifo);
        assert_eq!(count_of(&result, DEAD, "moved_in"), n("dead_lettered"));
        assert!(n("received") >= n("deleted"));
        assert!(count_of(&result, DEAD, "expired") > 0, "a dead letter keeps its age");
    }
}

#[test]
fn concurrency_of_a_fifo_queue_stays_within_its_groups() {
    let spec = QueuePlan {
        fifo: true,
        groups: 3,
        ..queue(Some(poller()))
    };
    let result = run(spec, takes(1), at_once(300, 0), 400);
    assert_eq!(count(&result, "deleted"), 300);
    assert_eq!(count(&result, "concurrency.peak"), 3);
    // The largest of the three groups decides: at least 100 s, and within four standard deviations (8.2) above.
    let drained = longest(&result, "latency");
    assert!((100 * S..133 * S).contains(&drained), "{drained}");
}

#[test]
fn failed_calls_fail_their_message_alone_if_the_function_reports_them() {
    // The worker calls a function that fails with probability f. A message is received 1 / (1 - f) times
    // on average, with variance f / (1 - f)^2.
    let (n, f) = (5_000_u64, 0.2);
    let spec = queue(Some(PollerPlan {
        batch_size: 10,
        partial_batch_response: true,
        start: 500,
        ..poller()
    }));
    let mut worker = takes(1);
    worker.program = Program {
        entries: Vec::new(),
        heeds_deadlines: false,
        steps: vec![Step::Call(0), Step::End],
        calls: [CallPlan {
            demand: None,
            operation: Operation::default(),
            payload: None,
            to: target(kind::FUNCTION, 1),
            timeout: Duration::FOREVER,
            retry: RetryPolicy::NONE,
            guarding: crate::model::request::guard::Guarding::default(),
            guard: None,
            careful: false,
            follows: false,
            optional: false,
        }]
        .into(),
    };
    let mut callee = takes(1);
    (callee.component, callee.failure) = (FUNCTION + 1, f);
    let mut plan = plan(spec, worker, at_once(fit(n), 0), secs(2_000));
    plan.functions.push(callee);
    let component = Component {
        target: target(kind::FUNCTION, 1),
        name: "callee".to_owned(),
        service: None,
        attributes: Vec::new(),
    };
    plan.components.insert(FUNCTION as usize + 1, component);
    plan.queues.iter_mut().for_each(|queue| queue.component += 1);
    plan.introduce();
    let result = World::new(&plan, 0).run();
    let count = |metric| count_of(&result, QUEUE + 1, metric);
    assert_eq!((count("deleted"), count("batches_failed")), (n, 0));
    let received = count("received") as f64;
    assert_eq!(count("messages_failed"), count("received") - n);
    let z = (received - n as f64 / (1.0 - f)) / (n as f64 * f).sqrt() * (1.0 - f);
    assert!(z.abs() < 4.0, "z = {z}");
}

#[test]
fn delays_and_retention_and_send_calls_take_their_time() {
    let mut spec = queue(Some(poller()));
    spec.delay = secs(10);
    spec.send_latency = Sampler::constant(Duration::from_millis(20));
    spec.receive_latency = Sampler::constant(Duration::from_millis(5));
    let result = run(spec, takes(1), at_once(1, 0), 60);
    assert_eq!(longest(&result, "wait"), 10 * S);
    assert_eq!(longest(&result, "latency"), 11 * S + 5_000_000);
    let Value::Latency(calls) = value(&result, CLIENT, "latency") else {
        panic!("latency is a distribution")
    };
    assert_eq!((calls.count(), calls.max()), (1, 20_000_000));
    // Nobody reads: each message goes when it is 60 s old.
    let mut spec = queue(None);
    spec.retention = secs(60);
    let result = run(spec, takes(1), ArrivalPlan::Times(vec![0, 10 * S, 90 * S].into()), 100);
    assert_eq!((count(&result, "expired"), count(&result, "remaining")), (2, 1));
    assert_eq!(longest(&result, "age_oldest"), 60 * S);
    let Value::TimeMean { area, .. } = value(&result, QUEUE, "depth") else {
        panic!("depth is a level")
    };
    assert_eq!(*area, u128::from((60 + 60 + 10) * S));
}

#[test]
fn copies_are_handled_again_and_counted() {
    let mut spec = queue(Some(poller()));
    spec.duplicate_rate = 0.1;
    let result = run(spec, takes(0), at_once(10_000, 0), 60);
    let copies = count(&result, "copies");
    let z = (copies as f64 - 1_000.0) / 900.0_f64.sqrt();
    assert!(z.abs() < 4.0, "{copies} copies, z = {z}");
    assert_eq!(count(&result, "duplicates_processed"), copies);
    assert_eq!(count(&result, "received"), 10_000 + copies);
}

#[test]
fn window_and_time_limit_together_stretch_the_visibility_timeout() {
    let mut worker = takes(1);
    worker.timeout = secs(60);
    let visibility = |window_s, visibility_s| {
        let mut spec = queue(Some(PollerPlan {
            batch_window: secs(window_s),
            ..poller()
        }));
        spec.visibility_timeout = secs(visibility_s);
        spec.effective_visibility(|_| worker.timeout)
    };
    assert_eq!(visibility(60, 90), secs(150), "60 + 60 + 30");
    assert_eq!(visibility(60, 120), secs(120));
    assert_eq!(visibility(0, 30), secs(30), "no window, no stretch");
}

#[test]
fn counting_begins_anew_after_the_warm_up_but_messages_stay() {
    let mut plan = plan(
        queue(Some(PollerPlan {
            start: 1,
            ceiling: 1,
            ..poller()
        })),
        takes(1),
        at_once(100, 0),
        secs(90),
    );
    // Done at 31, 32, ... 90 s.
    plan.warmup = Duration::from_millis(30_500);
    plan.queues[0].visibility_timeout = secs(600);
    let result = World::new(&plan, 0).run();
    assert_eq!((count(&result, "sent"), count(&result, "deleted")), (0, 60));
    assert_eq!((count(&result, "depth.peak"), count(&result, "remaining")), (70, 10));
}
