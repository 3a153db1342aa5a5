//! Faults and limits: what breaks when, what that does to requests, and which limit was run into by whom.

use super::lab::Lab;
use super::page::{Case, Group};
use super::traces::{Trace, ms};
use coldcurve::model::request::hits::Limit;
use coldcurve::stats::formulas::Mm1;
use std::sync::OnceLock;

/// Work that begins while a component is slow takes longer; jobs on shared cores slow down at once.
fn slow() -> Vec<Case> {
    // What began before keeps its time; at the instant of its end the fault is over.
    let function = Trace::new(
        "a function computes 100 ms, 5 times as long from 1 to 3 s; at 0, 950, 1000, 2999, 3000 ms",
        &ms(&[0, 950, 1000, 2999, 3000]),
        "to: f",
        "functions: { f: { cpu: 1, handler: [ cpu: 100 ms ] } }\n\
         faults: { lag: { on: f, slow: 5, at: 1 s, for: 2 s } }",
    )
    .latencies(&ms(&[100, 100, 500, 100, 500]));
    // Of the second, half is done at 2 s, a quarter more in the second at a quarter of the speed, the rest by 3,250 ms.
    let cores = |what, target: &str| {
        Trace::new(
            what,
            &ms(&[0, 1500]),
            "to: d",
            &format!("{target}\nfaults: {{ lag: {{ on: d, slow: 4, at: 2 s, until: 3 s }} }}"),
        )
        .latencies(&ms(&[1000, 1750]))
        .cases
    };
    let database = cores(
        "queries of 1 s on one core, 4 times slower from 2 to 3 s; at 0 and 1500 ms",
        "databases: { d: { cores: 1, query: 1 s, latency: 0 ms, connect_time: 0 ms, connect_cpu: 0 ms } }",
    );
    let fleet = cores(
        "the same on an instance of a fleet",
        "fleets: { d: { vcpu: 1, memory: 1 GB, handler: [ cpu: 1 s ] } }",
    );
    let each = |what, usual: u64, slow: u64, target: &str| {
        Trace::new(
            what,
            &ms(&[0, 1000]),
            "to: x",
            &format!("{target}\nfaults: {{ lag: {{ on: x, slow: 3, at: 500 ms, for: 1 s }} }}"),
        )
        .latencies(&ms(&[usual, slow]))
        .cases
    };
    let external = each(
        "an external service of 10 ms, 3 times slower; before and during",
        10,
        30,
        "externals: { x: { latency: 10 ms } }",
    );
    let store = each(
        "a store: 10 ms on a thread and 1 ms beside, the same",
        11,
        33,
        "stores: { x: { threads: 1, read_work: 10 ms, read_latency: 1 ms } }",
    );
    let gateway = each(
        "a gateway that adds 4 ms to a function of 10 ms, the same",
        14,
        22,
        "gateways: { x: { to: f, overhead: 4 ms } }\nfunctions: { f: { handler: [ wait: 10 ms ] } }",
    );
    // Factors multiply where faults overlap: 2, then 2 x 3, then 3.
    let overlap = Trace::new(
        "two faults overlap: twice from 1 to 3 s, 3 times from 2 to 4 s; calls of 10 ms at 0, 1500, 2500, 3500, 4500 ms",
        &ms(&[0, 1500, 2500, 3500, 4500]),
        "to: x",
        "externals: { x: { latency: 10 ms } }\n\
         faults: { a: { on: x, slow: 2, at: 1 s, until: 3 s }, b: { on: x, slow: 3, at: 2 s, until: 4 s } }",
    )
    .latencies(&ms(&[10, 20, 60, 30, 10]));
    [function.cases, database, fleet, external, store, gateway, overlap.cases].concat()
}

/// Errors, refusals, silence.
fn gone() -> Vec<Case> {
    let fail = Trace::new(
        "every call fails (504) from 1 to 2 s; calls of 10 ms at 0, 1000, 1999, 2000 ms",
        &ms(&[0, 1000, 1999, 2000]),
        "to: x",
        "externals: { x: { latency: 10 ms } }\n\
         faults: { bad: { on: x, fail: 100%, status: 504, at: 1 s, for: 1 s } }",
    )
    .metric("web", "gateway_timeout_504", 2.0)
    .metric("x", "calls", 2.0)
    .fault("bad refused", 2.0, |fault| fault.refused);
    // Attempts at 1, 2 and 4 s: the third one is served.
    let down = Trace::new(
        "down from 1 to 3.5 s, retries after 1 and 2 s; work of 10 ms, at 0 and 1 s",
        &ms(&[0, 1000]),
        "to: f, retry: { attempts: 3, base: 1 s, jitter: none }",
        "functions: { f: { handler: [ wait: 10 ms ] } }\nfaults: { out: { on: f, down: true, at: 1 s, until: 3500 ms } }",
    )
    .latencies(&ms(&[10, 3010]))
    .metric("f", "invocations", 2.0)
    .fault("out refused", 2.0, |fault| fault.refused);
    // The first gives up; the second still waits when the function can be reached again.
    let silent = Trace::new(
        "unreachable from 1 to 3 s, time-out 500 ms; work of 10 ms, at 0, 1000 and 2800 ms",
        &ms(&[0, 1000, 2800]),
        "to: f, timeout: 500 ms",
        "functions: { f: { handler: [ wait: 10 ms ] } }\nfaults: { cut: { on: f, unreachable: true, at: 1 s, for: 2 s } }",
    )
    .latencies(&ms(&[10, 500, 210]))
    .metric("web", "timed_out", 1.0)
    .metric("f", "invocations", 2.0)
    .fault("cut hung", 2.0, |fault| fault.hung);
    // Down in [1, 2), [4, 5), [7, 8) and so on.
    let again = Trace::new(
        "down for 1 s, again 2 s after each end, from 1 s on; calls of 10 ms at 0, 1500, 2500, 4500, 5500, 7999, 8000 ms",
        &ms(&[0, 1500, 2500, 4500, 5500, 7999, 8000]),
        "to: x",
        "externals: { x: { latency: 10 ms } }\n\
         faults: { flap: { on: x, down: true, at: 1 s, for: 1 s, again_after: 2 s } }",
    )
    .metric("web", "unavailable_503", 3.0)
    .fault("flap times in 100 s", 33.0, |fault| fault.spans.len() as u64);
    [fail.cases, down.cases, silent.cases, again.cases].concat()
}

/// A zone goes.
fn zones() -> Vec<Case> {
    // The first instance is in the zone that goes, with its request; the second serves on, and a third one starts.
    let function = Trace::new(
        "a function in 2 zones, placement 100 ms, work 1 s; a zone goes at 400 ms; at 0, 10, 1900, 1910 ms",
        &ms(&[0, 10, 1900, 1910]),
        "to: f",
        "functions: { f: { zones: 2, placement: 100 ms, handler: [ wait: 1 s ] } }\n\
         faults: { az: { on: f, zones_lost: 1, at: 400 ms, for: 10 s } }",
    )
    .latencies(&ms(&[400, 1100, 1000, 1100]))
    .metric("f", "cold_starts", 3.0)
    .metric("f", "failed", 1.0)
    .metric("web", "failed_500", 1.0);
    let fleet = |what, client: &str, hang: &str| {
        Trace::new(
            what,
            &ms(&[0, 10, 550, 650, 2550, 2650, 8050, 8061]),
            client,
            &format!(
                "fleets: {{ w: {{ vcpu: 1, memory: 1 GB, count: 2, zones: 2, boot: 5 s, handler: [ wait: 100 ms ] }} }}\n\
                 faults: {{ az: {{ on: w, zones_lost: 1, at: 50 ms, for: 20 s, detection: 2 s{hang} }} }}"
            ),
        )
    };
    // A is gone at 50 ms with its request and refuses until 2,050; then all goes to B until C is there at 7,050 ms.
    let fails = fleet(
        "2 instances in 2 zones, one goes at 50 ms, noticed at 2,050, replaced at 7,050; work of 100 ms",
        "to: w",
        "",
    )
    .latencies(&ms(&[50, 100, 100, 100, 100, 100, 100]))
    .metric("web", "unavailable_503", 2.0)
    .level_ms("w", "instances", 2_050.0 + 100_000.0 + 97_950.0);
    let hangs = fleet(
        "the same, but requests to it hang; time-out 1 s",
        "to: w, timeout: 1 s",
        ", hang: true",
    )
    .latencies(&ms(&[100, 100, 1000, 1000, 100, 100, 100, 100]))
    .metric("web", "timed_out", 2.0)
    .fault("az hung", 2.0, |fault| fault.hung);
    let for_ever = fleet("the same without a time-out", "to: w", ", hang: true")
        .metric("web", "unavailable_503", 2.0)
        .longest("web", "latency", 100_000_000)
        .longest("web", "latency.failed", 20_050_000_000);
    // It is back, with no connections, after the fail-over; a database in one zone when the zone is.
    let database = |what, zones: u32, latencies: &[u64], refused: f64| {
        Trace::new(
            what,
            &ms(&[0, 800, 1800, 11_300]),
            "to: d",
            &format!(
                "databases: {{ d: {{ zones: {zones}, failover: 1 s, query: 500 ms, latency: 0 ms, connect_time: 100 ms, \
                 connect_cpu: 0 ms }} }}\nfaults: {{ az: {{ on: d, zones_lost: 1, at: 300 ms, for: 10 s }} }}"
            ),
        )
        .latencies(&ms(latencies))
        .metric("web", "unavailable_503", refused)
        .cases
    };
    let moved = database(
        "a database fails over in 1 s: connect 100 ms, query 500 ms; its zone goes at 300 ms; at 0, 800, 1800, 11300 ms",
        2,
        &[300, 600, 500],
        2.0,
    );
    let stuck = database("the same in one zone, which is back at 10.3 s", 1, &[300, 600], 3.0);
    [
        function.cases,
        fails.cases,
        hangs.cases,
        for_ever.cases,
        moved,
        stuck,
        zones_together(),
    ]
    .concat()
}

/// A caller and what it calls lose their zone at the same instant.
fn zones_together() -> Vec<Case> {
    // Whoever is named first, the client has one answer.
    let both = |what, on: &str, host: &str, latencies: &[u64], status: &str| {
        Trace::new(
            what,
            &ms(&[0, 2000]),
            "to: door",
            &format!(
                "gateways: {{ door: {{ to: h }} }}\n{host}\n\
                 databases: {{ d: {{ zones: 2, failover: 1 s, query: 1 s, latency: 0 ms, connect_time: 0 ms, \
                 connect_cpu: 0 ms }} }}\nfaults: {{ az: {{ on: {on}, zones_lost: 1, at: 500 ms, for: 1 s }} }}"
            ),
        )
        .latencies(&ms(latencies))
        .metric("web", status, 1.0)
        .cases
    };
    let function = "functions: { h: { zones: 1, placement: 100 ms, handler: [ call: d ] } }";
    let fleet = "fleets: { h: { vcpu: 1, memory: 1 GB, zones: 1, handler: [ call: d ] } }";
    [
        both(
            "a function and its database lose their zone at 500 ms, behind a gateway; at 0 and 2 s",
            "[h, d]",
            function,
            &[500, 1100],
            "bad_gateway_502",
        ),
        both(
            "the same, named the other way round",
            "[d, h]",
            function,
            &[500, 1100],
            "bad_gateway_502",
        ),
        both(
            "the same with an instance of a fleet",
            "[h, d]",
            fleet,
            &[500, 1000],
            "unavailable_503",
        ),
    ]
    .concat()
}

/// Deploys, neighbours and quotas.
fn shared() -> Vec<Case> {
    let deploy = Trace::new(
        "a deploy of two functions at 1 s, placement 100 ms; f calls g, at 0 and 2 s",
        &ms(&[0, 2000]),
        "to: f",
        "functions: { f: { placement: 100 ms, handler: [ call: g ] }, g: { placement: 100 ms, handler: [ wait: 10 ms ] } }\n\
         faults: { deploy: { on: [f, g], recycle: 100%, at: 1 s } }",
    )
    .latencies(&ms(&[210, 210]))
    .metric("f", "cold_starts", 2.0)
    .metric("g", "cold_starts", 2.0);
    // Two at once are allowed, then one (and none is left while the first two are running), then two again.
    let neighbour = Trace::new(
        "an account of 2, neighbours take 1 from 100 ms to 1.1 s; work 300 ms; at 0, 10, 250, 400, 410, 1200, 1210 ms",
        &ms(&[0, 10, 250, 400, 410, 1200, 1210]),
        "to: f",
        "accounts: { aws: { concurrency: 2 } }\nfunctions: { f: { account: aws, handler: [ wait: 300 ms ] } }\n\
         faults: { loud: { on: aws, neighbours: 1, at: 100 ms, for: 1 s } }",
    )
    .metric("web", "throttled_429", 2.0)
    .metric("f", "invocations", 5.0)
    .limit((Limit::AccountConcurrency, "aws", "f", "f"), 1, 250_000_000)
    .limit((Limit::AccountConcurrency, "aws", "f", "aws"), 1, 410_000_000);
    // A token each 100 ms, then one a second.
    let gateway = Trace::new(
        "a gateway of 10/s, 1 at once, lowered to 1/s from 1 to 10 s; at 0, 100, 1100, 1500, 2100, 10000, 10100 ms",
        &ms(&[0, 100, 1100, 1500, 2100, 10_000, 10_100]),
        "to: door",
        "gateways: { door: { to: f, throttle: { rate: 10/s, burst: 1 } } }\nfunctions: { f: { handler: [ wait: 10 ms ] } }\n\
         faults: { less: { on: door, lower: { rate: 1/s }, at: 1 s, until: 10 s } }",
    )
    .metric("door", "throttled", 1.0)
    .limit((Limit::GatewayRate, "door", "web", ""), 1, 1_500_000_000);
    let lowered = |what, target: &str, lower: &str, metric: &str, limit| {
        Trace::new(
            what,
            &ms(&[0, 1000, 1001, 3000, 3001]),
            "to: x",
            &format!("{target}\nfaults: {{ less: {{ on: x, lower: {{ {lower} }}, at: 500 ms, for: 2 s }} }}"),
        )
        .metric("x", metric, 1.0)
        .limit(
            (limit, "x", "web", if metric == "refused" { "web" } else { "" }),
            1,
            1_001_000_000,
        )
        .cases
    };
    let external = lowered(
        "2 calls at once, lowered to 1 from 0.5 to 2.5 s; calls of 100 ms at 0, 1000, 1001, 3000, 3001 ms",
        "externals: { x: { latency: 100 ms, maximum_concurrency: 2 } }",
        "maximum_concurrency: 1",
        "throttled_concurrency",
        Limit::ExternalConcurrency,
    );
    let reserved = lowered(
        "reserved concurrency of 2, lowered to 1; the same",
        "functions: { x: { reserved_concurrency: 2, handler: [ wait: 100 ms ] } }",
        "reserved_concurrency: 1",
        "throttled_concurrency",
        Limit::ReservedConcurrency,
    );
    let connections = lowered(
        "2 connections, lowered to 1; the same",
        "databases: { x: { maximum_connections: 2, reserved_connections: 0, query: 100 ms, latency: 0 ms, \
         connect_time: 0 ms, connect_cpu: 0 ms, cores: 2 } }",
        "connections: 1",
        "refused",
        Limit::Connections,
    );
    [
        deploy.cases,
        neighbour.cases,
        gateway.cases,
        external,
        reserved,
        connections,
    ]
    .concat()
}

/// Which limit, whose, by whom, when first, how often.
fn limits() -> Vec<Case> {
    let rate = Trace::new(
        "10 requests a second and unit of concurrency, 1 unit; 12 requests 2 ms apart from 0 on",
        &ms(&std::array::from_fn::<u64, 12, _>(|i| 2 * i as u64)),
        "to: f",
        "functions: { f: { reserved_concurrency: 1, requests_per_second_factor: 10, handler: [ wait: 1 ms ] } }",
    )
    .limit((Limit::RequestRate, "f", "web", ""), 2, 20_000_000);
    let time = Trace::new(
        "a function may take 1 s and takes 3; its gateway waits for 2; at 0 and 45 s",
        &ms(&[0, 45_000]),
        "to: door",
        "gateways: { door: { to: f, timeout: 2 s } }\nfunctions: { f: { timeout: 1 s, handler: [ call: g ] }, \
         g: { handler: [ wait: 3 s ] } }",
    )
    .limit((Limit::TimeLimit, "f", "web", ""), 2, 1_000_000_000);
    let gateway = Trace::new(
        "the same, but the gateway waits for 500 ms",
        &ms(&[0, 45_000]),
        "to: door",
        "gateways: { door: { to: f, timeout: 500 ms } }\nfunctions: { f: { timeout: 10 s, handler: [ wait: 3 s ] } }",
    )
    .limit((Limit::GatewayTimeout, "door", "web", ""), 2, 500_000_000);
    // Two callers of one service: the second function runs into the limit that the first one uses up.
    let caller = Trace::new(
        "f calls g and x, g calls x while f does; x takes 1 call at once, of 100 ms",
        &ms(&[0]),
        "to: f",
        "functions: { f: { handler: [ parallel: [[ call: x ], [ call: { to: g, optional: true } ]] ] }, \
         g: { handler: [ wait: 50 ms, call: x ] } }\nexternals: { x: { latency: 100 ms, maximum_concurrency: 1 } }",
    )
    .limit((Limit::ExternalConcurrency, "x", "g", ""), 1, 50_000_000);
    // The third finds both pollers busy.
    let pollers = Trace::new(
        "pollers with 2 batches of one message at once, work of 1 s; messages at 0, 10, 20 ms",
        &ms(&[0, 10, 20]),
        "to: q",
        "queues: { q: { to: f, poller: { batch_size: 1, maximum_concurrency: 2 } } }\n\
         functions: { f: { handler: [ wait: 1 s ] } }",
    )
    .limit((Limit::PollerConcurrency, "q", "f", ""), 1, 20_000_000);
    // The function takes 6 MB, the gateway 10; events may have 1 MB.
    let payload = |what, client: &str, entries| {
        let trace = Trace::new(
            what,
            &ms(&[0, 1000]),
            client,
            "gateways: { door: { to: f, payload_limit: 10 MB } }\n\
             functions: { f: { payload_limit: 6 MB, handler: [ send: { to: g, payload: 2 MB }, wait: 10 ms ] }, \
             g: { asynchronous: { payload_limit: 1 MB } } }",
        );
        let (too_large, of): (f64, &str) = entries;
        let by = if of == "g" { "f" } else { "web" };
        trace
            .metric("web", "too_large_413", too_large)
            .limit((Limit::Payload, of, by, ""), 2, 0)
            .cases
    };
    let middle = payload(
        "requests of 7 MB through a gateway that takes 10 MB to a function that takes 6 MB",
        "to: door, payload: 7 MB",
        (2.0, "f"),
    );
    let large = payload("the same of 11 MB", "to: door, payload: 11 MB", (2.0, "door"));
    let hedged = payload(
        "the same of 7 MB, hedged",
        "to: door, payload: 7 MB, hedge: { after: 50 ms }",
        (2.0, "f"),
    );
    let event = payload(
        "requests of 5 MB, and an event of 2 MB to a function that takes 1 MB",
        "to: door, payload: 5 MB",
        (0.0, "g"),
    );
    [
        rate.cases,
        time.cases,
        gateway.cases,
        caller.cases,
        pollers.cases,
        middle,
        large,
        hedged,
        event,
    ]
    .concat()
}

/// Traces.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Faults and limits, by hand",
        about: "A few requests for each kind of fault, computed by hand to the nanosecond: slow components, errors, \
                refusals, silence, a zone that goes (functions, fleets, databases), deploys, neighbours and lowered \
                quotas. Then limits: which one, whose, by whom, when first and how often.",
        cases: [slow(), gone(), zones(), shared(), limits()].concat(),
    })
}

/// Faults at random against formulas.
pub fn formulas() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| {
        let availability = Lab::run(
            "run: { length: 20000 s, warmup: 100 s }\nclients: { web: { to: x, arrivals: { poisson: 5/s } } }\n\
             externals: { x: { latency: 1 ms } }\n\
             faults: { out: { on: x, down: true, again_after: { exponential: 9 s }, for: { exponential: 1 s } } }",
            32,
        );
        let share = Lab::run(
            "run: { length: 1000 s, warmup: 0 s }\nclients: { web: { to: x, arrivals: { poisson: 200/s } } }\n\
             externals: { x: { latency: 1 ms } }\nfaults: { bad: { on: x, fail: 20%, at: 0 s, for: 500 s } }",
            8,
        );
        let tail = Lab::run(
            "run: { length: 1000 s, warmup: 0 s }\n\
             clients: { web: { to: f, arrivals: { poisson: 400/s }, payload: 1 MB, payload_p99: 6 MB } }\n\
             functions: { f: { payload_limit: 6 MB } }",
            8,
        );
        let breakdowns = Lab::run(
            "run: { length: 2000 s, warmup: 10 s }\nclients: { web: { to: d, arrivals: { poisson: 50/s } } }\n\
             databases: { d: { cores: 1, query: { exponential: 10 ms }, latency: 0 ms, connect_time: 0 ms, \
             connect_cpu: 0 ms, contention: 0, coherency: 0, maximum_connections: 100000, \
             connections_ceiling: 100000 } }\n\
             faults: { stop: { on: d, slow: 1000000, again_after: { exponential: 900 ms }, \
             for: { exponential: 100 ms } } }",
            32,
        );
        Group {
            title: "Faults at random",
            about: "The share of requests refused by a service that is up and down in turn is that of the time that it \
                    is down, 1 - MTBF / (MTBF + MTTR), for exponential times. M/M/1 whose server breaks down at \
                    random, busy or not, and then goes on where it stopped: White and Christie, *Queuing with \
                    preemptive priorities or with breakdown*, Operations Research 6 (1958); the server is 1,000,000 \
                    times slower while it is broken.",
            cases: vec![
                Case::mean(
                    "up 9 s, down 1 s on average, λ = 5",
                    "share refused",
                    "1 s / 10 s",
                    0.1,
                    &availability.each("web", "error_ratio"),
                ),
                Case::mean(
                    "20 % of the calls fail in half of the time, λ = 200",
                    "share failed",
                    "0.2 / 2",
                    0.1,
                    &share.each("web", "error_ratio"),
                ),
                Case::mean(
                    "sizes of median 1 MB and p99 6 MB, limit 6 MB, λ = 400",
                    "share refused (413)",
                    "1 - 0.99",
                    0.01,
                    &tail.each("web", "error_ratio"),
                ),
                Case::mean(
                    "M/M/1, λ = 50, S = 10 ms, up 0.9 s, down 0.1 s",
                    "mean latency, ms",
                    "M/M/1 with breakdowns",
                    Mm1::new(50.0, 100.0).mean_response_with_breakdowns(0.9, 0.1) * 1e3,
                    &super::lab::times(&breakdowns.each("web", "latency"), 1e-6),
                ),
            ],
        }
    })
}

#[test]
fn faults_and_limits_by_hand() {
    by_hand().assert_holds();
}

#[test]
fn faults_at_random_follow_formulas() {
    formulas().assert_holds();
}
