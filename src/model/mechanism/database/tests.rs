//! Databases and proxies in small worlds: short traces by hand. Queueing theory is in `tests/theory`.

use super::Databases;
use super::plan::DatabasePlan;
use super::proxy::ProxyPlan;
use crate::cost::Meter;
use crate::kernel::number::fit;
use crate::kernel::{Duration, Sampler};
use crate::model::handler::run::{Program, Step};
use crate::model::mechanism::client::arrivals::{ArrivalPlan, RateCurve};
use crate::model::mechanism::client::{ClientPlan, Load};
use crate::model::mechanism::contract::{Mechanism, Reading};
use crate::model::mechanism::function::plan::FunctionPlan;
use crate::model::mechanism::function::pool::Choice;
use crate::model::parts::initial::Initial;
use crate::model::request::call::CallPlan;
use crate::model::request::common::Common;
use crate::model::request::entry::Cause;
use crate::model::request::id::Id;
use crate::model::request::operation::Operation;
use crate::model::request::retry::RetryPolicy;
use crate::model::world::run::{RunResult, World};
use crate::model::{Component, KINDS, Plan, kind};
use crate::scenario::{Block, Catalog, Code, Context, Diagnostics, Names, NoFiles, Sources, Target, parse};
use crate::stats::{Histogram, Value};
use std::sync::Arc;

const MS: f64 = 1e6;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn target(kind: u8) -> Target {
    Target { kind, index: 0 }
}

/// Free connections and no law beyond processor sharing; tests set what they are about.
fn database() -> DatabasePlan {
    DatabasePlan {
        zones: 1,
        failover: Duration::from_secs(60),
        component: 0,
        cores: 1.0,
        contention: 0.0,
        coherency: 0.0,
        connections: 1_000_000,
        query: Sampler::constant(ms(10)),
        latency: Sampler::Constant(0.0),
        connect_time: Sampler::Constant(0.0),
        connect_cpu: Duration::ZERO,
        accept_interval: Duration::ZERO,
        statement_timeout: Duration::FOREVER,
        linger: Duration::ZERO,
        storage_mb: 20,
        serverless: None,
    }
}

fn proxy(connections: u64) -> ProxyPlan {
    ProxyPlan {
        component: 0,
        name: "proxy".to_owned(),
        database: Id::new(0),
        connections,
        borrow_timeout: Duration::FOREVER,
        overhead: Sampler::Constant(0.0),
        connect_time: Sampler::Constant(0.0),
        initial: Initial::default(),
        pinning: 0.0,
        billed_vcpus: 2.0,
    }
}

fn client(to: Target, load: Load) -> ClientPlan {
    ClientPlan {
        payload: None,
        background: false,
        component: 0,
        name: "client".to_owned(),
        to,
        load,
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
    }
}

fn poisson(per_second: f64) -> Load {
    let arrivals = ArrivalPlan::Poisson(RateCurve::constant(per_second));
    Load::Open {
        arrivals,
        batch: None,
        per_month: None,
    }
}

fn at(times_ms: &[u64]) -> Load {
    let arrivals = ArrivalPlan::Times(times_ms.iter().map(|t| t * 1_000_000).collect::<Vec<_>>().into());
    Load::Open {
        arrivals,
        batch: None,
        per_month: None,
    }
}

/// A function that calls `to` and does nothing else; its instances are kept for ten seconds.
fn function(to: Target, name: &str) -> FunctionPlan {
    let call = CallPlan {
        to,
        timeout: Duration::FOREVER,
        retry: RetryPolicy::NONE,
        guarding: crate::model::request::guard::Guarding::default(),
        guard: None,
        careful: false,
        follows: false,
        optional: false,
        demand: None,
        operation: Operation::default(),
        payload: None,
    };
    let program = Program {
        entries: Vec::new(),
        heeds_deadlines: false,
        steps: vec![Step::Call(0), Step::End],
        calls: [call].into(),
    };
    FunctionPlan {
        payload_limit: None,
        zones: 3,
        asynchronous: crate::model::mechanism::function::asynchronous::AsyncPlan::default(),
        code_init: Sampler::Constant(0.0),
        component: 0,
        name: name.to_owned(),
        account: None,
        memory_mb: 1769,
        vcpus: 1.0,
        timeout: Duration::from_secs(900),
        program,
        concurrency_per_instance: 1,
        placement: Sampler::Constant(0.0),
        init: Sampler::Constant(0.0),
        init_limit: Duration::from_secs(10),
        idle_timeout: Sampler::constant(Duration::from_secs(10)),
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
        init_billed: true,
        billing_step: ms(1),
        billing_minimum: Duration::ZERO,
        ephemeral_mb: 0,
        log_bytes: 0,
        transfer: crate::model::parts::transfer::TransferPlan::default(),
        platform: crate::model::mechanism::function::scaled::plan::Platform::default(),
        holds_sessions: true,
    }
}

/// A plan of these parts; components are numbered in this order: clients, functions, the database, the proxy.
fn plan(
    clients: Vec<ClientPlan>,
    functions: Vec<FunctionPlan>,
    database: DatabasePlan,
    proxy: Option<ProxyPlan>,
    length: Duration,
) -> Plan {
    let common = Common {
        length,
        window: Duration::from_secs(60),
        seed: 5,
        ..Common::default()
    };
    let mut plan = Plan {
        common,
        clients,
        functions,
        databases: vec![database],
        proxies: proxy.into_iter().collect(),
        ..Plan::default()
    };
    let mut number = 0;
    let mut next = |kind, index: usize, components: &mut Vec<Component>| {
        let index = fit(index);
        components.push(Component {
            target: Target { kind, index },
            name: format!("{kind}.{index}"),
            service: None,
            attributes: Vec::new(),
        });
        number += 1;
        number - 1
    };
    let components = &mut plan.common.components;
    for (i, part) in plan.clients.iter_mut().enumerate() {
        part.component = next(kind::CLIENT, i, components);
    }
    for (i, part) in plan.functions.iter_mut().enumerate() {
        part.component = next(kind::FUNCTION, i, components);
    }
    plan.databases[0].component = next(kind::DATABASE, 0, components);
    for (i, part) in plan.proxies.iter_mut().enumerate() {
        part.component = next(kind::PROXY, i, components);
    }
    plan.introduce();
    plan
}

fn value<'r>(plan: &Plan, result: &'r RunResult, kind: u8, metric: &str) -> &'r Value {
    let of_kind = |number: u32| plan.components[number as usize].target == target(kind);
    let mut found = result.observations.iter();
    let found = found.find(|o| of_kind(o.component) && o.metric == metric);
    &found.unwrap_or_else(|| panic!("no metric {metric}")).value
}

fn number(plan: &Plan, result: &RunResult, kind: u8, metric: &str) -> f64 {
    value(plan, result, kind, metric).number().unwrap_or(0.0)
}

fn count(plan: &Plan, result: &RunResult, kind: u8, metric: &str) -> u64 {
    match value(plan, result, kind, metric) {
        Value::Count(n) | Value::Peak(n) => *n,
        other => panic!("{metric} is {other:?}"),
    }
}

fn latency<'r>(plan: &Plan, result: &'r RunResult, kind: u8, metric: &str) -> &'r Histogram {
    match value(plan, result, kind, metric) {
        Value::Latency(histogram) => histogram,
        other => panic!("{metric} is {other:?}"),
    }
}

/// Reads a database and, if the text has one, a proxy; the codes of what is wrong.
fn read(text: &str) -> (DatabasePlan, Option<ProxyPlan>, Vec<Code>) {
    let mut sources = Sources::new();
    let file = sources.add("test.yaml", text);
    let diagnostics = Diagnostics::new();
    let root = parse(&sources, file, &diagnostics).expect("the text is YAML");
    let names = Names::collect(&root, KINDS, &diagnostics);
    let cx = Context {
        diagnostics: &diagnostics,
        names: &names,
        files: &NoFiles,
        catalog: &Catalog::default(),
    };
    let block = |section: &str, table| {
        let (key, node) = root.get(section)?.entries().first()?;
        Some(Block::keyed(&cx, key, node, table))
    };
    let spec = DatabasePlan::read(
        &block("databases", &super::plan::TABLE).expect("there is a database"),
        0,
    );
    let proxied = block("proxies", &super::proxy::TABLE);
    let proxied = proxied.and_then(|block| {
        let profiles = [Databases::profile(&spec)];
        let reading = Reading {
            profiles: &profiles,
            ..Reading::alone(1, "p")
        };
        ProxyPlan::read(&block, &reading)
    });
    let codes = diagnostics.sorted().iter().map(|problem| problem.code).collect();
    (spec, proxied, codes)
}

#[test]
fn the_limit_of_connections_comes_from_the_memory() {
    let limit = |text: &str| {
        let (spec, _, codes) = read(&format!("databases: {{ d: {{ {text} }} }}"));
        assert!(codes.is_empty(), "{codes:?}");
        (spec.connections, spec.cores)
    };
    // 112 per GiB, at most 5,000, three of them reserved.
    assert_eq!(limit("instance: db.r6g.large"), (16 * 112 - 3, 2.0));
    assert_eq!(limit("instance: db.r6g.4xlarge"), (4_997, 16.0));
    assert_eq!(
        limit("instance: db.r6g.large, memory: 4 GB, cores: 1"),
        (4 * 112 - 3, 1.0)
    );
    assert_eq!(limit("maximum_connections: 100"), (97, 2.0));
    assert_eq!(
        limit("memory: 16 GB, connections_per_gib: 85, reserved_connections: 0"),
        (1_360, 2.0)
    );
    let codes = |text: &str| read(&format!("databases: {{ d: {{ {text} }} }}")).2;
    assert_eq!(codes("instance: db.r6g.lareg"), [Code::UnknownChoice]);
    assert_eq!(codes("maximum_connections: 3"), [Code::Inconsistent]);
}

#[test]
fn a_proxy_has_a_share_of_its_databases_connections() {
    let text = "databases: { d: { maximum_connections: 103, cores: 8, accept_rate: 1000/s } }
proxies: { p: { to: d, maximum_connections_percent: 70%, borrow_timeout: 5 s } }";
    let (spec, proxied, codes) = read(text);
    assert!(codes.is_empty(), "{codes:?}");
    let proxied = proxied.unwrap();
    assert_eq!(
        (proxied.connections, proxied.billed_vcpus, proxied.borrow_timeout),
        (70, 8.0, Duration::from_secs(5))
    );
    let least = read(&text.replace("to: d,", "to: d, billed_vcpus_minimum: 12,"))
        .1
        .unwrap();
    assert_eq!((least.connections, least.billed_vcpus), (70, 12.0));
    assert_eq!(
        (spec.accept_interval, spec.statement_timeout),
        (ms(1), Duration::FOREVER)
    );
}

#[test]
fn a_call_may_say_what_its_query_costs() {
    let mut costly = function(target(kind::DATABASE), "costly");
    Arc::make_mut(&mut costly.program.calls)[0].demand = Some(Sampler::constant(ms(70)));
    let usual = function(target(kind::DATABASE), "usual");
    let clients = [0, 1].map(|index| {
        let kind = kind::FUNCTION;
        client(Target { kind, index }, at(&[u64::from(index) * 1_000]))
    });
    let plan = plan(
        clients.to_vec(),
        vec![costly, usual],
        database(),
        None,
        Duration::from_secs(10),
    );
    let result = World::new(&plan, 0).run();
    let queries = latency(&plan, &result, kind::DATABASE, "query");
    assert_eq!((queries.max() / 1_000_000, queries.min() / 1_000_000), (70, 10));
}

fn trace(client_times: &[u64], database: DatabasePlan, proxied: Option<ProxyPlan>) -> (Plan, RunResult) {
    let to = target(if proxied.is_some() { kind::PROXY } else { kind::DATABASE });
    let clients = vec![client(to, at(client_times))];
    let plan = plan(clients, Vec::new(), database, proxied, Duration::from_secs(10));
    let result = World::new(&plan, 0).run();
    (plan, result)
}

/// Milliseconds of all requests together, by cause.
fn cause_ms(result: &RunResult, cause: Cause) -> u128 {
    let (_, sums) = result.flows[0].causes.table().total();
    sums[cause as usize] / 1_000_000
}

fn extremes_ms(plan: &Plan, result: &RunResult) -> (u64, u64) {
    let all = latency(plan, result, kind::CLIENT, "latency");
    (all.min() / 1_000_000, all.max() / 1_000_000)
}

#[test]
fn a_connection_storm_burns_the_cores_and_a_warm_wave_does_not() {
    let spec = DatabasePlan {
        cores: 2.0,
        connect_time: Sampler::constant(ms(20)),
        connect_cpu: ms(10),
        ..database()
    };
    let cold = [0; 10];
    let (plan, result) = trace(&cold, spec.clone(), None);
    // Set up until 20, then ten times 10 ms on two cores until 70, then the queries until 120.
    assert_eq!(extremes_ms(&plan, &result), (120, 120));
    assert_eq!(cause_ms(&result, Cause::Connection), 700);
    assert_eq!(cause_ms(&result, Cause::Store), 500);
    let connect = latency(&plan, &result, kind::DATABASE, "connect");
    assert_eq!((connect.min() / 1_000_000, connect.max() / 1_000_000), (70, 70));
    // A second wave finds idle sessions.
    let both: Vec<u64> = [[0; 10], [1000; 10]].concat();
    let (plan, result) = trace(&both, spec, None);
    assert_eq!(extremes_ms(&plan, &result), (50, 120));
    assert_eq!(count(&plan, &result, kind::DATABASE, "connections.new"), 10);
    let meters = &result.meters[plan.databases[0].component as usize];
    assert_eq!(meters.get(Meter::NewConnections), 10);
    assert_eq!(meters.get(Meter::DatabaseMs), 10_000);
    assert_eq!(meters.get(Meter::StorageMbMs), 200_000);
    // 2 x 10 queries and 10 log-ons of 10 ms, of 2 cores x 10 s.
    assert!((number(&plan, &result, kind::DATABASE, "cpu") - 0.3 / 20.0).abs() < 1e-9);
}

#[test]
fn a_server_accepts_connections_one_after_the_other() {
    let spec = DatabasePlan {
        accept_interval: ms(100),
        ..database()
    };
    // Accepted at 0, 100 and 200; each query then takes 10 ms alone.
    let (plan, result) = trace(&[0, 0, 0], spec, None);
    assert_eq!(extremes_ms(&plan, &result), (10, 210));
    assert_eq!(cause_ms(&result, Cause::Connection), 300);
}

/// One request to each of two functions, at 0 and after `second_ms`; both call the database or its proxy.
fn two_functions(second_ms: u64, spec: DatabasePlan, proxied: Option<ProxyPlan>) -> (Plan, RunResult) {
    let to = target(if proxied.is_some() { kind::PROXY } else { kind::DATABASE });
    let to_function = |index| Target {
        kind: kind::FUNCTION,
        index,
    };
    let clients = vec![
        client(to_function(0), at(&[0])),
        client(to_function(1), at(&[second_ms])),
    ];
    let functions = vec![function(to, "first"), function(to, "second")];
    let plan = plan(clients, functions, spec, proxied, Duration::from_secs(100));
    let result = World::new(&plan, 0).run();
    (plan, result)
}

#[test]
fn a_session_is_kept_by_its_instance_and_may_linger_after_it() {
    let full = DatabasePlan {
        connections: 1,
        ..database()
    };
    let refused = |second_ms, spec: &DatabasePlan| {
        let (plan, result) = two_functions(second_ms, spec.clone(), None);
        count(&plan, &result, kind::DATABASE, "refused")
    };
    // The first instance is idle from 10 ms on and gone 10 s later; nobody but the database asks for it.
    assert_eq!(refused(9_000, &full), 1);
    assert_eq!(refused(20_000, &full), 0);
    let lingering = DatabasePlan {
        linger: Duration::from_secs(30),
        ..full
    };
    assert_eq!(refused(40_000, &lingering), 1, "gone from the server at 40.01 s");
    assert_eq!(refused(40_011, &lingering), 0);
    // Connection-seconds are exact although the end of an instance is found later: 10.01 and 10.01 of 100.
    let (plan, result) = two_functions(20_000, database(), None);
    let mean = number(&plan, &result, kind::DATABASE, "connections");
    assert!((mean - 20.02 / 100.0).abs() < 1e-9, "mean {mean}");
}

#[test]
fn a_proxy_makes_wait_until_the_borrow_time_out() {
    let slow = DatabasePlan {
        connections: 5,
        query: Sampler::constant(ms(100)),
        ..database()
    };
    let (plan, result) = trace(&[0, 0, 0], slow.clone(), Some(proxy(1)));
    assert_eq!(extremes_ms(&plan, &result), (100, 300));
    assert_eq!(cause_ms(&result, Cause::Connection), 300);
    assert_eq!(count(&plan, &result, kind::PROXY, "waiting.peak"), 2);
    assert_eq!(count(&plan, &result, kind::DATABASE, "connections.new"), 1);
    let meters = &result.meters[plan.proxies[0].component as usize];
    assert_eq!(meters.get(Meter::ProxyVcpuMs), 2_000 * 10_000);
    let impatient = ProxyPlan {
        borrow_timeout: ms(150),
        ..proxy(1)
    };
    let (plan, result) = trace(&[0, 0, 0], slow, Some(impatient));
    assert_eq!(extremes_ms(&plan, &result), (100, 200));
    assert_eq!(count(&plan, &result, kind::PROXY, "timeouts"), 1);
    assert_eq!(count(&plan, &result, kind::CLIENT, "unavailable_503"), 1);
}

#[test]
fn a_pinned_session_keeps_its_connection_until_its_instance_is_gone() {
    let pinning = ProxyPlan {
        pinning: 1.0,
        ..proxy(1)
    };
    let (plan, result) = two_functions(5_000, database(), Some(pinning));
    // The first instance ends at 10.01 s; the proxy looks every second from 5 s on.
    let borrow = latency(&plan, &result, kind::PROXY, "borrow");
    assert_eq!((borrow.count(), borrow.max() / 1_000_000), (2, 6_000));
    let (plan, result) = two_functions(5_000, database(), Some(proxy(1)));
    assert_eq!(latency(&plan, &result, kind::PROXY, "borrow").max(), 0);
}

#[test]
fn a_pool_waits_for_a_database_that_others_have_filled() {
    // A client holds the only connection until 500 ms as a query of nobody's; the proxy's query gets it then.
    let to = |kind| client(target(kind), at(&[0]));
    let full = DatabasePlan {
        connections: 1,
        linger: ms(200),
        query: Sampler::constant(ms(500)),
        ..database()
    };
    let functions = vec![FunctionPlan {
        timeout: ms(300),
        ..function(target(kind::DATABASE), "first")
    }];
    let clients = vec![
        ClientPlan {
            to: target(kind::FUNCTION),
            ..to(kind::DATABASE)
        },
        ClientPlan {
            load: at(&[100]),
            ..to(kind::PROXY)
        },
    ];
    let plan = plan(clients, functions, full, Some(proxy(1)), Duration::from_secs(10));
    let result = World::new(&plan, 0).run();
    // The function is cut off at 300 ms but its query runs to 500; asked every 100 ms from 100 on, the database has a
    // connection at 500 (after the end at the same instant), so the wait is 400 ms.
    let borrow = latency(&plan, &result, kind::PROXY, "borrow");
    assert_eq!((borrow.count(), borrow.max() / 1_000_000), (1, 400));
    assert_eq!(count(&plan, &result, kind::DATABASE, "queries"), 2);
    let mean = number(&plan, &result, kind::DATABASE, "connections");
    assert!((mean - (0.5 + 9.5) / 10.0).abs() < 1e-9, "mean {mean}");
}

#[test]
fn limits_hold_and_nothing_is_lost_when_everything_goes_wrong_at_once() {
    // Overload, impatient callers, functions cut off in the middle, cancelled statements, pinned sessions, a pool that
    // competes with direct sessions for the database's connections. Levels below zero and causes that do not add up
    // panic by themselves.
    for seed in 0..8 {
        let cut_off = |to, name, timeout| FunctionPlan {
            timeout: ms(timeout),
            idle_timeout: Sampler::Exponential { mean: 500.0 * MS },
            ..function(target(to), name)
        };
        let functions = vec![
            cut_off(kind::DATABASE, "direct", 120),
            cut_off(kind::PROXY, "proxied", 200),
        ];
        let clients = [
            (kind::FUNCTION, 0, 150.0),
            (kind::FUNCTION, 1, 250.0),
            (kind::PROXY, 0, 80.0),
        ];
        let clients = clients.map(|(kind, index, rate)| ClientPlan {
            timeout: ms(if kind == kind::PROXY { 60 } else { 170 }),
            name: format!("client {kind} {index}"),
            ..client(Target { kind, index }, poisson(rate))
        });
        let spec = DatabasePlan {
            cores: 2.0,
            contention: 0.03,
            coherency: 0.0003,
            connections: 24,
            query: Sampler::Exponential { mean: 4.5 * MS },
            latency: Sampler::Exponential { mean: 5.0 * MS },
            connect_time: Sampler::Exponential { mean: 20.0 * MS },
            connect_cpu: ms(2),
            accept_interval: ms(1),
            statement_timeout: ms(150),
            linger: ms(100),
            ..database()
        };
        let proxied = ProxyPlan {
            borrow_timeout: ms(90),
            overhead: Sampler::Exponential { mean: MS },
            connect_time: Sampler::Exponential { mean: 5.0 * MS },
            pinning: 0.3,
            ..proxy(16)
        };
        let mut plan = plan(
            clients.to_vec(),
            functions,
            spec,
            Some(proxied),
            Duration::from_secs(100),
        );
        plan.seed = seed;
        let result = World::new(&plan, 0).run();
        let counted = |kind, metric| count(&plan, &result, kind, metric);
        assert!(counted(kind::DATABASE, "connections.peak") <= 24);
        assert!(counted(kind::PROXY, "pool.peak") <= 16);
        for (kind, metric) in [
            (kind::DATABASE, "refused"),
            (kind::DATABASE, "cancelled"),
            (kind::PROXY, "timeouts"),
            (kind::PROXY, "abandoned"),
        ] {
            assert!(counted(kind, metric) > 0, "seed {seed}: no {metric}");
        }
        assert!(number(&plan, &result, kind::DATABASE, "cpu") <= 1.0);
        assert!(result.in_flight < 200, "{} in flight", result.in_flight);
    }
}
