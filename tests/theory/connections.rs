//! Databases and proxies by hand: refusals, a connection storm, statement time-outs, borrowing.

use super::page::{Case, Group};
use super::traces::{Trace, ms};
use coldcurve::cost::Meter;
use std::sync::OnceLock;

/// Queries of a client at these milliseconds to a database that has nothing but these fields.
fn queries(what: &'static str, at_ms: &[u64], client: &str, database: &str) -> Trace {
    let rest = format!("databases: {{ db: {{ {FREE}, {database} }} }}\n");
    Trace::over(RUN, what, &ms(at_ms), &format!("to: db{client}"), &rest)
}

/// The same through a proxy with one connection; queries take 100 ms.
fn borrowing(what: &'static str, at_ms: &[u64], client: &str, proxy: &str) -> Trace {
    let rest = format!(
        "databases: {{ db: {{ {FREE}, maximum_connections: 5, query: 100 ms, connect_time: 0 s, connect_cpu: 0 s }} }}\n\
         proxies: {{ p: {{ to: db, maximum_connections_percent: 20 %, overhead: 0 s, connect_time: 0 s, {proxy} }} }}\n"
    );
    Trace::over(RUN, what, &ms(at_ms), &format!("to: p{client}"), &rest)
}

const RUN: &str = "length: 10 s, window: 1 ms";
const FREE: &str = "latency: 0 s, contention: 0, coherency: 0, reserved_connections: 0";

fn connections() -> Vec<Case> {
    // Two share the core; the third is refused at once; the fourth finds an idle session.
    let refused = queries(
        "two connections, one core, queries of 10 ms; three at 0, one at 100 ms",
        &[0, 0, 0, 100],
        "",
        "cores: 1, maximum_connections: 2, query: 10 ms, connect_time: 0 s, connect_cpu: 0 s",
    )
    .latencies(&ms(&[20, 10]))
    .metric("db", "refused", 1.0)
    .metric("web", "unavailable_503", 1.0)
    .metric("db", "connections.peak", 2.0);
    // Set up until 20, then eight times 10 ms on two cores until 60, then the queries until 100; the second wave finds
    // idle sessions.
    let storm = queries(
        "eight queries of 10 ms on two cores, log-on 20 ms and 10 ms of computing; again at 1 s",
        &[[0; 8], [1000; 8]].concat(),
        "",
        "cores: 2, maximum_connections: 100, query: 10 ms, connect_time: 20 ms, connect_cpu: 10 ms",
    )
    .latencies(&ms(&[100, 40]))
    .longest("db", "connect", 60_000_000)
    .metric("db", "connections.new", 8.0)
    .meter("db", Meter::NewConnections, 8.0)
    .metric("db", "cpu", 0.24 / 20.0)
    .meter("db", Meter::DatabaseMs, 10_000.0);
    // Accepted at 0, 100 and 200 ms.
    let accepted = queries(
        "ten log-ons a second, queries of 10 ms; three at 0",
        &[0, 0, 0],
        "",
        "cores: 1, maximum_connections: 100, accept_rate: 10/s, query: 10 ms, connect_time: 0 s, connect_cpu: 0 s",
    )
    .latencies(&ms(&[10, 110, 210]));
    [refused.cases, storm.cases, accepted.cases].concat()
}

fn giving_up() -> Vec<Case> {
    let one = "cores: 1, maximum_connections: 100, query: 1 s, connect_time: 0 s, connect_cpu: 0 s";
    let patient = queries(
        "query of 1 s, caller gives up after 50 ms",
        &[0],
        ", timeout: 50 ms",
        one,
    )
    .latencies(&ms(&[50]))
    .metric("web", "timed_out", 1.0)
    .longest("db", "query", 1_000_000_000)
    .level_ms("db", "running", 1000.0)
    .metric("db", "cpu", 0.1);
    let strict = queries(
        "the same, statement time-out 30 ms",
        &[0],
        ", timeout: 50 ms",
        &format!("{one}, statement_timeout: 30 ms"),
    )
    .latencies(&ms(&[30]))
    .metric("web", "failed_500", 1.0)
    .metric("db", "cancelled", 1.0)
    .level_ms("db", "running", 30.0)
    .metric("db", "cpu", 0.003);
    [patient.cases, strict.cases].concat()
}

fn pools() -> Vec<Case> {
    let waiting = borrowing(
        "pool of one, queries of 100 ms; three at 0",
        &[0, 0, 0],
        "",
        "borrow_timeout: 60 s",
    )
    .latencies(&ms(&[100, 200, 300]))
    .longest("p", "borrow", 200_000_000)
    .metric("p", "waiting.peak", 2.0)
    .level_ms("p", "waiting", 300.0)
    .level_ms("p", "pool.busy", 300.0)
    .metric("db", "connections.new", 1.0)
    .meter("p", Meter::ProxyVcpuMs, 2_000.0 * 10_000.0);
    let impatient = borrowing(
        "the same, borrow time-out 150 ms",
        &[0, 0, 0],
        "",
        "borrow_timeout: 150 ms",
    )
    .latencies(&ms(&[100, 150, 200]))
    .metric("p", "timeouts", 1.0)
    .metric("web", "unavailable_503", 1.0);
    // The second runs from 100 to 200 although nobody waits for it; the third has gone when its turn comes.
    let gone = borrowing(
        "the same, callers give up after 150 ms",
        &[0, 0, 0],
        ", timeout: 150 ms",
        "borrow_timeout: 60 s",
    )
    .latencies(&ms(&[100, 150]))
    .metric("db", "queries", 2.0)
    .metric("p", "abandoned", 1.0)
    .metric("web", "timed_out", 2.0);
    [waiting.cases, impatient.cases, gone.cases].concat()
}

/// All traces of connections.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Databases and proxies, computed by hand",
        about: "Refusals at the limit of connections, a storm of log-ons that burns the cores, queries that outlive their \
                callers, and a proxy that makes wait for a connection.",
        cases: [connections(), giving_up(), pools()].concat(),
    })
}

#[test]
fn connections_are_refused_opened_and_borrowed_as_computed_by_hand() {
    by_hand().assert_holds();
}
