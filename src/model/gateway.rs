//! Gateways and load balancers: they admit, add their own latency, route, give up after a while, and translate how
//! their targets fail.
//!
//! Model: a token bucket of the gateway's own and one shared by its account; an overhead before the target is called;
//! a target chosen by path, then by weight; an integration time-out after which the caller gets its answer and the work
//! goes on (and is billed). Gateways never retry.
//! Not modelled: caching, authorizers, connection limits, zones.
//! Units: overhead is the whole time inside the gateway, both ways together.
//! Sources: API Gateway developer guide (throttling, gateway responses, quotas); Elastic Load Balancing user guide,
//! "Load balancer capacity units".
//! Validated by: token bucket = M/D/1/K; time-out and status traces by hand.

use super::limit::TokenBucket;
use super::request::{Caller, Cause, HOPS_MAX, Status};
use super::{Cx, Plan};
use crate::cost::{Meter, MeterSet};
use crate::kernel::stream::unit;
use crate::kernel::{Class, Duration, Key, LaneId, Sampler};
use crate::scenario::Target;
use crate::stats::{Observation, Value};

/// A gateway, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayPlan {
    /// Its number among all components.
    pub component: u32,
    /// The account whose request rate it draws from.
    pub account: Option<u16>,
    /// Where each path goes: (cumulative share, target), by path number.
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
    /// Bytes of a request.
    pub request_bytes: u64,
    /// Bytes of an answer.
    pub response_bytes: u64,
    /// Bytes that count as one request when metered (zero: however large).
    pub metering_bytes: u64,
    /// Requests that share one client connection (load balancers bill new connections).
    pub requests_per_connection: u64,
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

/// The step of a luck that a gateway draws from, plus the hop.
const OVERHEAD_STEP: u64 = 1 << 44;
/// The step of a luck that a weighted choice is drawn from, plus the hop.
const ROUTE_STEP: u64 = 1 << 45;

#[derive(Debug)]
struct Gateway {
    bucket: Option<TokenBucket>,
    timeout: LaneId,
    requests: u64,
    throttled: u64,
    timed_out: u64,
    answered: u64,
}

/// All gateways.
#[derive(Debug)]
pub struct Gateways {
    state: Vec<Gateway>,
}

impl Gateways {
    /// The gateways at the start of a run.
    pub fn new(plan: &Plan, cx: &mut Cx) -> Self {
        let state = |spec: &GatewayPlan| Gateway {
            bucket: spec.throttle.map(|(rate, burst)| TokenBucket::new(rate, burst as f64)),
            timeout: cx.agenda.lane(spec.timeout, Class::Timer),
            requests: 0,
            throttled: 0,
            timed_out: 0,
            answered: 0,
        };
        Self {
            state: plan.gateways.iter().map(state).collect(),
        }
    }

    /// A request reaches a gateway.
    #[inline]
    pub fn offer(&mut self, plan: &Plan, gateway: u16, key: Key, cx: &mut Cx) {
        let spec = &plan.gateways[gateway as usize];
        let state = &mut self.state[gateway as usize];
        let now = cx.now();
        state.requests += 1;
        let shared = spec
            .account
            .is_none_or(|account| cx.accounts[account as usize].admit(now));
        if !shared || !state.bucket.as_mut().is_none_or(|bucket| bucket.take(now, 1)) {
            state.throttled += 1;
            return cx.reply(key, Status::Throttled);
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
        entry.spend(Cause::Gateway, overhead);
        let routes = &spec.routes[(entry.call as usize).min(spec.routes.len() - 1)];
        let target = if let [(_, only)] = routes[..] {
            only
        } else {
            let u = unit(&mut entry.luck.dice(ROUTE_STEP + u64::from(hop)));
            routes[routes.partition_point(|route| route.0 <= u).min(routes.len() - 1)].1
        };
        cx.agenda.after(
            state.timeout,
            super::Event::Gateway(Event::Deadline { request: key, hop }),
        );
        cx.offer_at_mark(target, key);
    }

    /// The target of the last gateway on a request's way has answered.
    #[inline]
    pub fn answered(&mut self, plan: &Plan, key: Key, cx: &mut Cx) {
        let entry = &mut cx.requests[key];
        entry.depth -= 1;
        let gateway = entry.route[entry.depth as usize] as usize;
        self.state[gateway].answered += 1;
        let spec = &plan.gateways[gateway];
        let status = match entry.status {
            Status::Throttled => spec.on_throttled,
            Status::Failed | Status::TimedOut => spec.on_failed,
            other => other,
        };
        cx.reply(key, status);
    }

    /// Handles an event.
    pub fn handle(&mut self, event: Event, plan: &Plan, cx: &mut Cx) {
        let Event::Deadline { request, hop } = event;
        if !cx.requests.contains(request) || cx.requests[request].depth <= hop {
            return;
        }
        let entry = &cx.requests[request];
        // An orphan keeps only the gateways behind the one that gave up, so its numbering has moved.
        if entry.caller == Caller::Nobody {
            return;
        }
        let gateway = entry.route[hop as usize] as usize;
        self.state[gateway].timed_out += 1;
        cx.give_up(request, Some(hop), plan.gateways[gateway].on_timeout);
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self) {
        for state in &mut self.state {
            (state.requests, state.throttled, state.timed_out, state.answered) = (0, 0, 0, 0);
        }
    }

    /// Reports what was counted over `measured`.
    pub fn observe(self, plan: &Plan, measured: Duration, out: &mut Vec<Observation>, meters: &mut [MeterSet]) {
        for (spec, state) in plan.gateways.iter().zip(self.state) {
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
            meters.add(Meter::LoadBalancerMs, measured.millis_ceil());
            meters.add(Meter::LcuMs, lcu_ms(spec, state.requests));
        }
    }
}

/// Thousandths of a load balancer capacity unit times milliseconds: the largest of 25 new connections a second, 1 GB an
/// hour, and (rarely) 1,000 rule evaluations a second beyond ten free rules; taken over the whole run instead of hour by
/// hour. Source: Elastic Load Balancing pricing.
fn lcu_ms(spec: &GatewayPlan, requests: u64) -> u64 {
    let connections = requests as f64 / spec.requests_per_connection.max(1) as f64;
    let bytes = requests as f64 * (spec.request_bytes + spec.response_bytes) as f64;
    let by_connections_s = connections / 25.0;
    let by_bytes_s = bytes / (1_u64 << 30) as f64 * 3600.0;
    (by_connections_s.max(by_bytes_s) * 1e6).round() as u64
}
