//! Gateways and load balancers: they admit, add their own latency, route, give up after a while, and translate how
//! their targets fail.
//!
//! Model: a token bucket of the gateway's own and one shared by its account; an overhead before the target is called;
//! a target chosen by path, then by weight; an integration time-out after which the caller gets its answer and the work
//! goes on (and is billed). Gateways never retry.
//! Not modelled: caching, authorizers, connection limits.
//! Units: overhead is the whole time inside the gateway, both ways together.
//! Sources: API Gateway developer guide (throttling, gateway responses, quotas).
//! Validated by: token bucket = M/D/1/K; time-out and status traces by hand.

mod capacity;
mod metrics;

use crate::cost::Meter;
use crate::kernel::stream::unit;
use crate::kernel::{Class, Duration, Key, LaneId, Purpose, Sampler};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::shares::cumulative;
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::common::Profile;
use crate::model::request::desk::Cx;
use crate::model::request::entry::{Caller, Cause, HOPS_MAX, Status};
use crate::model::request::fault::{Change, Quota, slowed};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::{self, CALLABLE};
use crate::model::request::kind::{ACCOUNT, GATEWAY};
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::model::request::payload;
use crate::scenario::{Block, Code, Field, Kind, Node, Range, Table, Target, read_number, read_target};
use crate::stats::{Observation, Value};
use capacity::{CapacityUnits, Load};

const GIGABYTE: f64 = (1_u64 << 30) as f64;

const THROTTLE: Table = Table {
    name: "throttle",
    doc: "A token bucket: requests beyond it are refused (429).",
    fields: &[
        Field::required("rate", Kind::Rate, "Requests a second that go on for ever.").positive(),
        Field::required("burst", Kind::Count, "Requests that may come at once.").at_least(1.0),
    ],
};

const ROUTE: Table = Table {
    name: "route",
    doc: "Where a path goes. `*` at its end stands for the rest of a path.",
    fields: &[
        Field::default("path", Kind::Text, "\"*\"", "The path, such as `/webhooks/*`."),
        Field::optional("to", Kind::Target(CALLABLE), "Its target."),
        Field::optional("split", Kind::Map(&Kind::Number), "Or several targets, by weight."),
    ],
};

/// The fields of a gateway.
pub const TABLE: Table = Table {
    name: "gateway",
    doc: "A gateway or load balancer: throttles, adds latency, routes, gives up after a while, translates failures.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::optional(
            "account",
            Kind::Target(&["accounts"]),
            "The account whose request rate it shares.",
        ),
        Field::optional("to", Kind::Target(CALLABLE), "Where everything goes."),
        Field::optional("split", Kind::Map(&Kind::Number), "Or several targets, by weight."),
        Field::optional(
            "routes",
            Kind::List(&Kind::Block(&ROUTE)),
            "Or targets by path; the first match counts.",
        ),
        Field::default(
            "overhead",
            Kind::Sampler,
            "0 ms",
            "Time inside the gateway, both ways together.",
        ),
        Field::optional(
            "timeout",
            Kind::Duration,
            "How long it waits for its target; for ever if absent.",
        )
        .positive(),
        Field::optional("throttle", Kind::Block(&THROTTLE), "Its own limit on requests."),
        Field::default(
            "status_on_throttled_function",
            Kind::Choice(&STATUS_WORDS),
            "429",
            "What callers hear then.",
        ),
        Field::default(
            "status_on_function_error",
            Kind::Choice(&STATUS_WORDS),
            "502",
            "What callers hear then.",
        ),
        Field::default(
            "status_on_timeout",
            Kind::Choice(&STATUS_WORDS),
            "504",
            "What callers hear then.",
        ),
        payload::PAYLOAD_LIMIT,
        Field::default(
            "request_size",
            Kind::Size,
            "1 KB",
            "Bytes of a request (capacity units).",
        )
        .within(0.0, GIGABYTE)
        .source("assumed"),
        Field::default(
            "response_size",
            Kind::Size,
            "4 KB",
            "Bytes of an answer (capacity units, data transfer).",
        )
        .within(0.0, GIGABYTE)
        .source("assumed"),
        Field::optional(
            "metering_size",
            Kind::Size,
            "Bytes that are metered as one request; any number if absent.",
        ),
        Field::default(
            "balancer",
            Kind::Flag,
            "false",
            "Whether it is billed as a load balancer, by the hour.",
        ),
        Field::optional(
            "capacity_units",
            Kind::Block(&capacity::TABLE),
            "What makes one capacity unit, if it is billed by them, too.",
        ),
        Field::default(
            "requests_per_connection",
            Kind::Count,
            "100",
            "Requests over one client connection.",
        )
        .at_least(1.0)
        .source("assumed"),
    ],
};

const STATUS_WORDS: [&str; 5] = ["429", "500", "502", "503", "504"];
const STATUS_OF_WORD: [Status; 5] = [
    Status::Throttled,
    Status::Failed,
    Status::BadGateway,
    Status::Unavailable,
    Status::GatewayTimeout,
];

/// A gateway, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayPlan {
    /// Its number among all components.
    pub component: u32,
    /// The account whose request rate it draws from.
    pub account: Option<Id<ACCOUNT>>,
    /// Where each path goes: (cumulative share, target), by path number; a path without a route
    /// fails (404).
    pub routes: Vec<Vec<(f64, Target)>>,
    /// Latency that it adds.
    pub overhead: Sampler,
    /// How long it waits for its target.
    pub timeout: Duration,
    /// Its own limit: requests a second and burst.
    pub throttle: Option<(f64, u64)>,
    /// What callers hear when the target was throttled.
    pub on_throttled: Status,
    /// What callers hear when the target failed.
    pub on_failed: Status,
    /// What callers hear when the target took too long.
    pub on_timeout: Status,
    /// The largest request that it takes.
    pub payload_limit: Option<u64>,
    /// Bytes of a request.
    pub request_bytes: u64,
    /// Bytes of an answer.
    pub response_bytes: u64,
    /// Bytes that count as one request when metered (zero: however large).
    pub metering_bytes: u64,
    /// Whether it is a load balancer: billed by the hour.
    pub balancer: bool,
    /// What makes one capacity unit, if it is billed by them.
    pub capacity_units: Option<CapacityUnits>,
    /// Requests that share one client connection (load balancers bill new connections).
    pub requests_per_connection: u64,
}

impl GatewayPlan {
    /// Reads a gateway. `paths` are all paths that clients of the scenario ask for; `account` is used if none is named.
    pub fn read(block: &Block, reading: &Reading) -> Option<Self> {
        let named = block.target_opt("account").map(Id::from);
        let status = |field: &str| STATUS_OF_WORD[block.choice(field)];
        Some(Self {
            component: reading.component,
            account: named.or(reading.account),
            routes: read_routes(block, reading.paths)?,
            overhead: block.sampler("overhead"),
            timeout: block.duration_opt("timeout").unwrap_or(Duration::FOREVER),
            throttle: block.block("throttle").map(|t| (t.rate("rate"), t.count("burst"))),
            on_throttled: status("status_on_throttled_function"),
            on_failed: status("status_on_function_error"),
            on_timeout: status("status_on_timeout"),
            payload_limit: block.size_opt("payload_limit"),
            request_bytes: block.size("request_size"),
            response_bytes: block.size("response_size"),
            metering_bytes: block.size_opt("metering_size").unwrap_or(0),
            balancer: block.flag("balancer"),
            capacity_units: block.block("capacity_units").map(|units| CapacityUnits::read(&units)),
            requests_per_connection: block.count("requests_per_connection"),
        })
    }
}

/// A single target or a split by weight, under `to` or `split` of a block.
fn read_targets(block: &Block) -> Option<Vec<(f64, Target)>> {
    let cx = block.context();
    if block.has("to") && block.has("split") {
        let message = "`to` and `split` both say where requests go";
        block.error(Code::Conflict, block.span_of("split"), message, "keep one of them");
    }
    if let Some(target) = block.target_opt("to") {
        return Some(vec![(1.0, target)]);
    }
    let weight = |(key, node): &(crate::scenario::Key, Node)| {
        let name = Node {
            span: key.span,
            kind: crate::scenario::NodeKind::Scalar(key.text.clone()),
        };
        Some((
            read_number(cx, node, Range::AtLeast(0.0)),
            read_target(cx, &name, CALLABLE)?,
        ))
    };
    let weights: Vec<_> = block.entries("split").iter().filter_map(weight).collect();
    let total: f64 = weights.iter().map(|w| w.0).sum();
    (total > 0.0).then(|| cumulative(&weights))
}

fn read_routes(block: &Block, paths: &[String]) -> Option<Vec<Vec<(f64, Target)>>> {
    let cx = block.context();
    let mut routes: Vec<(String, Vec<(f64, Target)>)> = Vec::new();
    for node in block.list("routes") {
        let route = Block::new(cx, node, &ROUTE);
        match read_targets(&route) {
            Some(targets) => routes.push((route.text("path").to_owned(), targets)),
            None => block.error(
                Code::MissingKey,
                node.span,
                "a route without a target",
                "add `to: name` to it",
            ),
        }
    }
    if let Some(targets) = read_targets(block) {
        routes.push(("*".to_owned(), targets));
    }
    let find = |path: &String| {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == pattern,
        };
        routes.iter().find(|route| fits(&route.0)).map(|route| route.1.clone())
    };
    if routes.is_empty() {
        let help = "add `to: name`, `split` or `routes`";
        block.error(Code::MissingKey, block.span(), "the gateway goes nowhere", help);
        return None;
    }
    Some(paths.iter().map(|path| find(path).unwrap_or_default()).collect())
}

/// What happens to a gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The integration time-out of a request.
    Deadline {
        /// The request.
        request: Key,
        /// Which gateway on the request's way.
        hop: u8,
    },
}

crate::kernel::pack::packed!(Event {
    Deadline { request, hop },
});

/// The step of a luck that a gateway draws from, plus the hop.
const OVERHEAD_STEP: u64 = Purpose::GatewayOverhead.step();
/// The step of a luck that a weighted choice is drawn from, plus the hop.
const ROUTE_STEP: u64 = Purpose::Route.step();

#[derive(Debug)]
struct Gateway {
    bucket: Option<TokenBucket>,
    timeout: LaneId,
    requests: u64,
    throttled: u64,
    timed_out: u64,
    answered: u64,
    /// Requests that went on to a function, whose bytes make more capacity units.
    to_functions: u64,
    /// How many times longer its overhead takes now.
    slow: f64,
}

/// All gateways.
#[derive(Debug)]
pub struct Gateways {
    state: Vec<Gateway>,
}

impl Mechanism for Gateways {
    const TABLE: &'static Table = &TABLE;
    const HARM: Harm = Harm {
        slow: true,
        quotas: &[("rate", Quota::Rate)],
        ..Harm::NONE
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<GATEWAY>;
    type Plan = GatewayPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<GatewayPlan> {
        GatewayPlan::read(block, reading)
    }

    fn profile(plan: &GatewayPlan) -> Profile {
        Profile {
            payload_limit: plan.payload_limit,
            ..Profile::default()
        }
    }

    fn callees(plan: &GatewayPlan) -> Vec<Target> {
        plan.routes.iter().flatten().map(|route| route.1).collect()
    }

    fn sends(_: &GatewayPlan) -> Vec<Sent> {
        Vec::new()
    }

    fn usual(plan: &GatewayPlan, _: Quota) -> Option<f64> {
        plan.throttle.map(|throttle| throttle.0)
    }

    fn holdings(&self, _: &[GatewayPlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[GatewayPlan], _: &mut dyn FnMut(Lineage, End)) {}

    /// Gateways have no figures by window.
    fn close_window(&mut self, _: &[GatewayPlan], _: &mut Cx) {}

    fn new(plan: &[GatewayPlan], _: u64, cx: &mut Cx) -> Self {
        let state = |spec: &GatewayPlan| Gateway {
            bucket: spec.throttle.map(|(rate, burst)| TokenBucket::new(rate, burst as f64)),
            timeout: cx.agenda.lane(spec.timeout, Class::Timer),
            requests: 0,
            throttled: 0,
            timed_out: 0,
            answered: 0,
            to_functions: 0,
            slow: 1.0,
        };
        Self {
            state: plan.iter().map(state).collect(),
        }
    }

    #[inline]
    fn offer(&mut self, plan: &[GatewayPlan], gateway: Id<GATEWAY>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(gateway)];
        let state = &mut self.state[usize::from(gateway)];
        let now = cx.now();
        state.requests += 1;
        let shared = spec
            .account
            .is_none_or(|account| cx.accounts[usize::from(account)].admit(now));
        if !shared || !state.bucket.as_mut().is_none_or(|bucket| bucket.take(now, 1)) {
            state.throttled += 1;
            return refuse(spec.account.filter(|_| !shared), gateway, key, cx);
        }
        let entry = &mut cx.requests[key];
        let hop = entry.depth;
        assert!(
            (hop as usize) < HOPS_MAX,
            "the plan bounds the number of gateways on a way"
        );
        entry.route[hop as usize] = gateway;
        entry.depth += 1;
        let overhead = spec.overhead.draw(&mut entry.luck.dice(OVERHEAD_STEP + u64::from(hop)));
        entry.spend(Cause::Gateway, slowed(overhead, state.slow));
        let routes = &spec.routes[entry.path as usize];
        if routes.is_empty() {
            // No route: a 404, which counts among the failed.
            entry.depth -= 1;
            return cx.reply(key, Status::Failed);
        }
        let target = if let [(_, only)] = routes[..] {
            only
        } else {
            let u = unit(&mut entry.luck.dice(ROUTE_STEP + u64::from(hop)));
            routes[routes.partition_point(|route| route.0 <= u).min(routes.len() - 1)].1
        };
        state.to_functions += u64::from(kind::abilities(target.kind).invoked);
        cx.after(state.timeout, Event::Deadline { request: key, hop });
        cx.offer_at_mark(target, key);
    }

    fn change(&mut self, plan: &[GatewayPlan], gateway: Id<GATEWAY>, change: Change, cx: &mut Cx) {
        let state = &mut self.state[usize::from(gateway)];
        match (change, &mut state.bucket, plan[usize::from(gateway)].throttle) {
            (Change::Slow(factor), ..) => state.slow = factor,
            (Change::Lower(_, to), Some(bucket), Some((rate, burst))) => {
                bucket.change(cx.now(), to.map_or(rate, |to| rate.min(to)), burst as f64);
            }
            _ => {}
        }
    }

    fn handle(&mut self, event: Event, plan: &[GatewayPlan], cx: &mut Cx) {
        let Event::Deadline { request, hop } = event;
        let Some(entry) = cx.requests.get(request).filter(|entry| entry.depth > hop) else {
            return;
        };
        // An orphan keeps only the gateways behind the one that gave up, so its numbering has moved.
        if entry.caller == Caller::Nobody {
            return;
        }
        let gateway = usize::from(entry.route[hop as usize]);
        self.state[gateway].timed_out += 1;
        cx.hit(Limit::GatewayTimeout, Id::<GATEWAY>::new(gateway).target(), request);
        cx.give_up(request, Some(hop), plan[gateway].on_timeout);
    }

    fn reset(&mut self, _: &[GatewayPlan], _: &mut Cx) {
        for state in &mut self.state {
            (state.requests, state.throttled, state.timed_out) = (0, 0, 0);
            (state.answered, state.to_functions) = (0, 0);
        }
    }

    fn observe(self, plan: &[GatewayPlan], report: &mut Report) {
        let Report {
            measured,
            observations: out,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            let mut push = |metric, value| {
                out.push(Observation {
                    component: spec.component,
                    metric,
                    value,
                });
            };
            push("requests", Value::Count(state.requests));
            push("throttled", Value::Count(state.throttled));
            push("timeouts", Value::Count(state.timed_out));
            let meters = &mut meters[spec.component as usize];
            let chunks = |bytes: u64| {
                if spec.metering_bytes == 0 {
                    1
                } else {
                    bytes.div_ceil(spec.metering_bytes).max(1)
                }
            };
            meters.add(
                Meter::Requests,
                state.requests * chunks(spec.request_bytes.max(spec.response_bytes)),
            );
            meters.add(Meter::BytesOut, state.answered * spec.response_bytes);
            if spec.balancer {
                meters.add(Meter::LoadBalancerMs, measured.millis_ceil());
            }
            if let Some(units) = &spec.capacity_units {
                let load = Load {
                    requests: state.requests,
                    to_functions: state.to_functions,
                    requests_per_connection: spec.requests_per_connection,
                    bytes: spec.request_bytes + spec.response_bytes,
                };
                meters.add(Meter::LcuMs, units.used_ms(&load));
            }
        }
    }
}

impl Gateways {
    /// The target of the last gateway on a request's way has answered.
    #[inline]
    pub fn pass_back(&mut self, plan: &[GatewayPlan], key: Key, cx: &mut Cx) {
        let entry = &mut cx.requests[key];
        entry.depth -= 1;
        let gateway = usize::from(entry.route[entry.depth as usize]);
        self.state[gateway].answered += 1;
        let spec = &plan[gateway];
        let status = match entry.status {
            Status::Throttled => spec.on_throttled,
            Status::Failed | Status::TimedOut => spec.on_failed,
            other => other,
        };
        cx.reply(key, status);
    }
}

/// Refuses a request: `account` is the one whose rate is used up, else it is the gateway's own.
#[cold]
fn refuse(account: Option<Id<ACCOUNT>>, gateway: Id<GATEWAY>, key: Key, cx: &mut Cx) {
    match account {
        Some(account) => cx.hit_by(Limit::AccountGatewayRate, account.target(), Some(gateway.target())),
        None => cx.hit(Limit::GatewayRate, gateway.target(), key),
    }
    cx.reply(key, Status::Throttled);
}
