//! A few requests each, computed by hand to the nanosecond.
//!
//! Arrivals are written as instants. Each request ends in a window of its own, so that the series of the longest
//! latency by window is the list of latencies.

use super::lab::{Column, Lab, plan_with};
use super::page::{Case, Group};
use coldcurve::cost::Meter;
use coldcurve::model::request::entry::Cause;
use coldcurve::model::request::fault::FaultResult;
use coldcurve::model::request::hits::Limit;
use std::sync::OnceLock;

/// One run over arrivals in ms, or in ns where that matters, and the list of cases that it fills.
pub struct Trace {
    lab: Lab,
    what: &'static str,
    /// What was compared so far.
    pub cases: Vec<Case>,
}

impl Trace {
    /// `scenario` says what there is besides the client; `client` is what its block says besides its arrivals.
    pub fn new(what: &'static str, arrivals_ns: &[u64], client: &str, scenario: &str) -> Self {
        Self::over("length: 100 s, window: 1 ms", what, arrivals_ns, client, scenario)
    }

    /// The same with a length and a window of its own.
    pub fn over(run: &str, what: &'static str, arrivals_ns: &[u64], client: &str, scenario: &str) -> Self {
        let text = format!(
            "run: {{ {run}, warmup: 0 s }}\n\
             clients: {{ web: {{ arrivals: {{ times: {{ file: t, column: t, unit: ns }} }}, {client} }} }}\n{scenario}"
        );
        let lab = Lab::of(plan_with(&text, &Column::of(arrivals_ns)), 1);
        Self {
            lab,
            what,
            cases: Vec::new(),
        }
    }

    /// A number by hand and what came out.
    pub fn case(mut self, quantity: &str, expected: f64, simulated: f64) -> Self {
        self.cases
            .push(Case::exact(self.what, quantity, "by hand", expected, simulated));
        self
    }

    /// The latencies in the order in which requests end, well or badly. That of a single request is its p99, too.
    pub fn latencies(mut self, expected_ns: &[u64]) -> Self {
        let [good, failed] = ["latency.max", "latency.failed.p99"].map(|metric| self.lab.windows("web", metric)[0]);
        let each = good.iter().zip(failed).map(|(good, failed)| good.max(*failed));
        let seen: Vec<f64> = each.filter(|&ns| ns > 0.0).collect();
        assert_eq!(seen.len(), expected_ns.len(), "{}: {seen:?}", self.what);
        for (k, (&expected, seen)) in expected_ns.iter().zip(seen).enumerate() {
            let quantity = format!("latency {}, ns", k + 1);
            self = self.case(&quantity, expected as f64, seen);
        }
        self
    }

    /// A count, a peak or a ratio.
    pub fn metric(self, component: &str, metric: &str, expected: f64) -> Self {
        let simulated = self.lab.one(component, metric);
        let quantity = format!("`{component}` {}", metric.replace('_', " "));
        self.case(&quantity, expected, simulated)
    }

    /// The longest of some times.
    pub fn longest(self, component: &str, metric: &str, expected_ns: u64) -> Self {
        let simulated = self.lab.histograms(component, metric)[0].max() as f64;
        let quantity = format!("`{component}` longest {}, ns", metric.replace('_', " "));
        self.case(&quantity, expected_ns as f64, simulated)
    }

    /// A mean level as level x ms over the run.
    pub fn level_ms(self, component: &str, metric: &str, expected_ms: f64) -> Self {
        let simulated = self.lab.one(component, metric) * (self.lab.seconds() * 1e3);
        let quantity = format!("`{component}` {metric} × ms");
        // A mean level is one division away from an integer; its product is rounded back.
        self.case(&quantity, expected_ms, (simulated * 1e6).round() / 1e6)
    }

    /// What the requests of a component spent on a cause, all of them together.
    pub fn caused(self, component: &str, cause: Cause, expected_ns: u64) -> Self {
        let simulated = self.lab.caused(component, cause);
        let quantity = format!("`{component}` {}, ns", cause.name());
        self.case(&quantity, expected_ns as f64, simulated)
    }

    /// What the first fault of the scenario did.
    pub fn fault(self, what: &str, expected: f64, get: fn(&FaultResult) -> u64) -> Self {
        let simulated = get(self.lab.fault(0)) as f64;
        self.case(&format!("fault: {what}"), expected, simulated)
    }

    /// How often a limit was run into and when first: the limit, whose it is, by whom, and who had most of it (empty
    /// for nobody). It was so in as many windows, which are a millisecond long.
    pub fn limit(self, (limit, of, by, held_by): (Limit, &str, &str, &str), count: u64, first_ns: u64) -> Self {
        let hits = self.lab.hits(limit, of, by, held_by);
        let (hits, first, windows) = hits.map_or((0, 0, 0), |hits| (hits.count, hits.first.0, hits.windows.len()));
        let what = format!("`{}` of `{of}` by `{by}`", limit.name());
        self.case(&format!("{what}, hits"), count as f64, hits as f64)
            .case(&format!("{what}, first, ns"), first_ns as f64, first as f64)
            .case(&format!("{what}, windows"), count as f64, windows as f64)
    }

    /// What is billed.
    pub fn meter(self, component: &str, meter: Meter, expected: f64) -> Self {
        let simulated = self.lab.metered(component, meter)[0];
        let quantity = format!("`{component}` {}", meter.name().replace('_', " "));
        self.case(&quantity, expected, simulated)
    }
}

/// Milliseconds in ns.
pub fn ms(values: &[u64]) -> Vec<u64> {
    values.iter().map(|ms| ms * 1_000_000).collect()
}

fn cold_starts() -> Vec<Case> {
    // 100 ms placement, 200 ms + 50 ms init, 10 ms work; the second request overlaps the first's cold start.
    let f = "functions: { f: { memory: 1024 MB, placement: 100 ms, init: 200 ms, code_init: 50 ms, handler: [ wait: 10 ms ] } }";
    Trace::new(
        "cold start of 100 + 200 + 50 ms, work 10 ms; at 0, 305, 1000, 1005 ms",
        &ms(&[0, 305, 1000, 1005]),
        "to: f",
        f,
    )
    .latencies(&ms(&[360, 360, 10, 10]))
    .metric("f", "cold_starts", 2.0)
    .level_ms("f", "instances.starting", 700.0)
    .level_ms("f", "instances.busy", 40.0)
    .meter("f", Meter::ComputeMbMs, 4.0 * 10.0 * 1024.0)
    .meter("f", Meter::InitMbMs, 2.0 * 250.0 * 1024.0)
    .cases
}

fn expiry() -> Vec<Case> {
    // Idle from 10 ms on: 1 ns before its time is up the instance serves, at that instant it is gone.
    let f = "functions: { f: { idle_timeout: 1 s, placement: 100 ms, handler: [ wait: 10 ms ] } }";
    let second = 110_000_000 + 1_000_000_000 - 1;
    let third = second + 10_000_000 + 1_000_000_000;
    Trace::new(
        "idle timeout 1 s, placement 100 ms, work 10 ms; arrivals 1 ns before expiry and at it",
        &[0, second, third],
        "to: f",
        f,
    )
    .latencies(&ms(&[110, 10, 110]))
    .metric("f", "cold_starts", 2.0)
    .level_ms("f", "instances", 110.0 + 999.999_999 + 10.0 + 1000.0 + 110.0 + 1000.0)
    .cases
}

fn choice() -> Vec<Case> {
    // Work 1 s, idle timeout 2 s. A serves 0-1000, B 500-1500. At 2000 most recent and newest take B, so A is gone at
    // 3000 and the request at 3300, when B serves the one of 3200, is cold. The other two take A, which is idle again
    // at 3000; B waits until 3500, and both are there when they are needed.
    let trace = |choice: &str, cold: f64, instances_ms: f64| {
        let f =
            format!("functions: {{ f: {{ idle_timeout: 2 s, instance_choice: {choice}, handler: [ wait: 1 s ] }} }}");
        let what = match choice {
            "most-recent" => "most recent first: work 1 s, idle timeout 2 s; at 0, 500, 2000, 3200, 3300 ms",
            "newest" => "newest first, the same",
            "least-recent" => "least recent first, the same",
            _ => "oldest first, the same",
        };
        let trace = Trace::new(what, &ms(&[0, 500, 2000, 3200, 3300]), "to: f", &f);
        trace
            .metric("f", "cold_starts", cold)
            .level_ms("f", "instances", instances_ms)
            .cases
    };
    // A lives 0-3000, B 500-6200, C 3300-6300; or A and B live until both have been idle for 2 s: least recent takes B
    // for the request at 3200 and A for that at 3300, oldest the other way round.
    [
        trace("most-recent", 3.0, 3000.0 + 5700.0 + 3000.0),
        trace("newest", 3.0, 3000.0 + 5700.0 + 3000.0),
        trace("least-recent", 2.0, 6300.0 + 5700.0),
        trace("oldest", 2.0, 6200.0 + 5800.0),
    ]
    .concat()
}

fn gateway_timeout() -> Vec<Case> {
    // The gateway's 1 s count from the request's arrival there. Both invocations run to their end, and are billed.
    let rest = "gateways: { g: { to: f, overhead: 20 ms, timeout: 1 s } }\n\
                functions: { f: { memory: 512 MB, handler: [ wait: 3 s ] } }";
    Trace::new(
        "gateway timeout 1 s, overhead 20 ms, work 3 s; at 0 and 1500 ms",
        &ms(&[0, 1500]),
        "to: g",
        rest,
    )
    .latencies(&ms(&[1000, 1000]))
    .metric("web", "gateway_timeout_504", 2.0)
    .metric("g", "timeouts", 2.0)
    .metric("f", "invocations", 2.0)
    .level_ms("f", "instances.busy", 6000.0)
    .meter("f", Meter::ComputeMbMs, 2.0 * 3000.0 * 512.0)
    .cases
}

fn retries() -> Vec<Case> {
    let f = "functions: { f: { failure: 100 %, handler: [ wait: 10 ms ] } }";
    let client = "to: f, retry: { attempts: 4, base: 100 ms, cap: 250 ms, jitter: none }";
    let failing = Trace::new(
        "4 attempts of 10 ms fail, waits 100, 200, 250 ms (cap)",
        &[0],
        client,
        f,
    )
    .latencies(&ms(&[4 * 10 + 100 + 200 + 250]))
    .metric("web", "attempts_per_request", 4.0)
    .metric("web", "failed_500", 1.0);
    let f = "functions: { f: { memory: 1024 MB, handler: [ wait: 1 s ] } }";
    let client = "to: f, timeout: 100 ms, retry: { attempts: 2, base: 50 ms, jitter: none }";
    let given_up = Trace::new(
        "caller gives up after 100 ms, one retry after 50 ms, work 1 s",
        &[0],
        client,
        f,
    )
    .latencies(&ms(&[250]))
    .metric("web", "timed_out", 1.0)
    .metric("f", "invocations", 2.0)
    .metric("f", "cold_starts", 2.0)
    .level_ms("f", "instances.busy", 2000.0)
    .meter("f", Meter::ComputeMbMs, 2.0 * 1000.0 * 1024.0);
    [failing.cases, given_up.cases].concat()
}

fn time_limit() -> Vec<Case> {
    // Cut off after 1 s; the instance stays, and initialises again (without placement) before it serves.
    let f = "functions: { f: { memory: 1024 MB, timeout: 1 s, placement: 100 ms, init: 200 ms, handler: [ wait: 1500 ms ] } }";
    Trace::new(
        "function timeout 1 s, work 1.5 s, cold start 100 + 200 ms; at 0 and 2 s",
        &ms(&[0, 2000]),
        "to: f",
        f,
    )
    .latencies(&ms(&[1300, 1200]))
    .metric("f", "timed_out", 2.0)
    .metric("web", "failed_500", 2.0)
    .metric("f", "instances.peak", 1.0)
    .level_ms("f", "instances.starting", 500.0)
    .level_ms("f", "instances.busy", 2000.0)
    .meter("f", Meter::ComputeMbMs, 2.0 * 1000.0 * 1024.0)
    .meter("f", Meter::InitMbMs, 2.0 * 200.0 * 1024.0)
    .cases
}

fn limits() -> Vec<Case> {
    // What ends at an instant makes room for what arrives at it.
    let f = "functions: { f: { reserved_concurrency: 1, handler: [ wait: 1 s ] } }";
    let reserved = Trace::new(
        "reserved concurrency 1, work 1 s; at 0, 1 s - 1 ns, 1 s",
        &[0, 999_999_999, 1_000_000_000],
        "to: f",
        f,
    )
    .metric("f", "throttled_concurrency", 1.0)
    .metric("web", "throttled_429", 1.0)
    .metric("f", "cold_starts", 1.0);
    let rest = "gateways: { g: { to: f, throttle: { rate: 1/s, burst: 2 } } }\nfunctions: { f: { handler: [] } }";
    let arrivals = [
        0,
        0,
        0,
        999_999_999,
        1_000_000_000,
        1_000_000_001,
        4_000_000_000,
        4_000_000_000,
        4_000_000_000,
    ];
    let bucket = Trace::new(
        "bucket of 2, one a second; 3 at 0, then 1 s - 1 ns, 1 s, 1 s + 1 ns, 3 at 4 s",
        &arrivals,
        "to: g",
        rest,
    )
    .metric("g", "throttled", 4.0);
    // One instance is ready; the second request spills over and starts cold; billed apart.
    let f = "functions: { f: { memory: 1024 MB, provisioned_concurrency: 1, init: 200 ms, handler: [ wait: 1 s ] } }";
    let provisioned = Trace::new(
        "provisioned 1, init 200 ms, work 1 s; at 0, 500, 2000 ms",
        &ms(&[0, 500, 2000]),
        "to: f",
        f,
    )
    .latencies(&ms(&[1000, 1200, 1000]))
    .metric("f", "cold_starts", 1.0)
    .meter("f", Meter::ProvisionedMbMs, 100_000.0 * 1024.0)
    .meter("f", Meter::ProvisionedComputeMbMs, 2000.0 * 1024.0)
    .meter("f", Meter::ComputeMbMs, 1000.0 * 1024.0)
    .meter("f", Meter::InitMbMs, 200.0 * 1024.0);
    let instances = Trace::new(
        "two instances at most, two requests on each, work 1 s; 5 at 0",
        &[0; 5],
        "to: f",
        "functions: { f: { maximum_instances: 2, concurrency_per_instance: 2, handler: [ wait: 1 s ] } }",
    )
    .metric("f", "throttled_concurrency", 1.0)
    .metric("f", "instances.busy_peak", 2.0);
    [reserved.cases, bucket.cases, provisioned.cases, instances.cases].concat()
}

fn nested() -> Vec<Case> {
    // 5 ms + the longer of (20 ms cold + 30 ms) and 40 ms + 7 ms; half of the network's 10 ms passes each way.
    let rest = "functions:\n  outer: { memory: 1024 MB, handler: [ wait: 5 ms, parallel: [ [ call: inner ], [ wait: \
    40 ms ] ], wait: 7 ms ] }\n  \
                inner: { memory: 512 MB, init: 20 ms, handler: [ wait: 30 ms ] }";
    let both = Trace::new(
        "5 ms, then 20 ms cold + 30 ms called beside 40 ms, then 7 ms; network 10 ms; at 0 and 1 s",
        &ms(&[0, 1000]),
        "to: outer, network: 10 ms",
        rest,
    )
    .latencies(&ms(&[72, 62]))
    .meter("outer", Meter::ComputeMbMs, f64::from(62 + 52) * 1024.0)
    .meter("inner", Meter::ComputeMbMs, 60.0 * 512.0)
    .meter("inner", Meter::InitMbMs, 20.0 * 512.0);
    // The call fails for good after two attempts and a wait of 100 ms; the handler's 50 ms after it are not done.
    let rest = "functions:\n  outer: { handler: [ call: { to: inner, retry: { attempts: 2, base: 100 ms, jitter: none \
    } }, wait: 50 ms ] }\n  \
                inner: { failure: 100 %, handler: [ wait: 30 ms ] }";
    let failing = Trace::new(
        "a call of 30 ms fails twice, wait 100 ms; the 50 ms after it are not done",
        &[0],
        "to: outer",
        rest,
    )
    .latencies(&ms(&[160]))
    .metric("outer", "failed", 1.0)
    .metric("inner", "invocations", 2.0);
    let optional = rest.replace("to: inner,", "to: inner, optional: true,");
    let optional = Trace::new("the same call, but optional", &[0], "to: outer", &optional)
        .latencies(&ms(&[210]))
        .metric("outer", "failed", 0.0);
    [both.cases, failing.cases, optional.cases].concat()
}

fn computing() -> Vec<Case> {
    // Half a vCPU takes twice as long to compute, and as long to wait. Shared cores: two requests of 100 ms on one
    // core, the second 50 ms later: both run at half speed from 50 to 150 ms; the second has 50 ms left then.
    let f = "functions: { f: { cpu: 0.5, handler: [ cpu: 10 ms, wait: 10 ms ] } }";
    let half = Trace::new(
        "10 ms of computing and 10 ms of waiting at half a vCPU",
        &[0],
        "to: f",
        f,
    )
    .latencies(&ms(&[30]));
    let f = "functions: { f: { cpu: 1, concurrency_per_instance: 2, maximum_instances: 1, handler: [ cpu: 100 ms ] } }";
    let shared = Trace::new(
        "two requests of 100 ms share one core; at 0 and 50 ms",
        &ms(&[0, 50]),
        "to: f",
        f,
    )
    .latencies(&ms(&[150, 150]));
    [half.cases, shared.cases].concat()
}

/// All traces.
pub fn by_hand() -> &'static Group {
    static GROUP: OnceLock<Group> = OnceLock::new();
    GROUP.get_or_init(|| Group {
        title: "Traces computed by hand",
        about: "A few requests each, every number worked out on paper and met to the nanosecond.",
        cases: [
            cold_starts(),
            expiry(),
            choice(),
            gateway_timeout(),
            retries(),
            time_limit(),
            limits(),
            nested(),
            computing(),
        ]
        .concat(),
    })
}

#[test]
fn traces_come_out_as_computed_by_hand() {
    by_hand().assert_holds();
}
