//! What a system remembers: how long what happened in it still shows, read from its plan.
//!
//! A run that starts empty is not like the system in the middle of its life before everything that a component
//! remembers has come round once: idle instances must have been able to expire, cooldowns to pass, windows of
//! autoscalers to fill, requests to be served. That gives every warm-up a lower bound which no pilot run has to find.
//!
//! Retention, maximum ages and the lifetimes of idempotency keys are no part of it: they are long, and most runs mean
//! to look at what happens between them. Where a run is too short for one of them to act, that is said.

use crate::kernel::sample::Z99;
use crate::kernel::{Duration, Instant, Sampler};
use crate::model::handler::run::{Program, Step};
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::{ArrivalPlan, RateCurve};
use crate::model::mechanism::function::plan::FunctionPlan;
use crate::model::mechanism::schedule::Times;
use crate::model::parts::tracking::{PERIOD, TrackingPlan};
use crate::model::{KINDS, Plan, kind};

/// How long a component remembers, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The component, such as `functions.api`.
    pub component: String,
    /// What it is that remembers, such as `idle_timeout`.
    pub what: &'static str,
    /// The time itself, as written: a run shorter than this never sees it act.
    pub time: Duration,
    /// The time until a system that starts empty has forgotten that it did.
    pub settles: Duration,
}

/// Mean times of service after which a start has left no trace in the number of requests in service: e^-6 = 0.25 %.
const SERVICES: f64 = 6.0;
/// Depth of calls that are looked through for the length of a service.
const DEPTH: u32 = 8;
/// Longer than any run: what is written as good as for ever ends here.
const LONGEST: f64 = 100.0 * 365.0 * 86_400e9;

/// A value that at most one draw in a hundred exceeds; the largest where there is one.
pub fn long(sampler: &Sampler) -> f64 {
    match sampler {
        Sampler::Constant(value) => *value,
        Sampler::Uniform { high, .. } => *high,
        Sampler::Exponential { mean } => mean * libm::log(100.0),
        Sampler::LogNormal { mu, sigma } => libm::exp(mu + Z99 * sigma),
        // Four standard deviations and two scales above the mean lie beyond the 99th percentile for every shape.
        Sampler::Gamma { shape, scale } => scale * (shape + 4.0 * shape.sqrt() + 2.0),
        Sampler::Weibull { shape, scale } => scale * libm::pow(libm::log(100.0), 1.0 / shape),
        Sampler::Pareto { minimum, shape } => minimum * libm::pow(100.0, 1.0 / shape),
        Sampler::Empirical(values) => values.iter().copied().fold(0.0, f64::max),
        Sampler::Quantiles(points) => {
            let beyond = points.iter().find(|point| point.0 >= 0.99);
            beyond.or(points.last()).map_or(0.0, |point| point.1)
        }
        Sampler::Mixture(parts) => parts.iter().map(|part| long(&part.1)).fold(0.0, f64::max),
        Sampler::Adjusted {
            inner,
            factor,
            offset,
            maximum,
        } => (long(inner) * factor + offset).min(*maximum),
    }
}

/// A value that few draws fall below; the smallest where there is one.
fn short(sampler: &Sampler) -> f64 {
    match sampler {
        Sampler::Constant(value) => *value,
        Sampler::Uniform { low, .. } => *low,
        Sampler::Pareto { minimum, .. } => *minimum,
        Sampler::LogNormal { mu, sigma } => libm::exp(mu - Z99 * sigma),
        Sampler::Empirical(values) => values.iter().copied().fold(f64::INFINITY, f64::min),
        Sampler::Quantiles(points) => points.first().map_or(0.0, |point| point.1),
        Sampler::Mixture(parts) => parts.iter().map(|part| short(&part.1)).fold(f64::INFINITY, f64::min),
        Sampler::Adjusted {
            inner,
            factor,
            offset,
            maximum,
        } => (short(inner) * factor + offset).min(*maximum),
        Sampler::Exponential { .. } | Sampler::Gamma { .. } | Sampler::Weibull { .. } => 0.0,
    }
}

fn time(ns: f64) -> Duration {
    Duration::from_nanos_f64(ns.min(LONGEST))
}

/// The name of a component as results have it.
fn path(plan: &Plan, component: u32) -> String {
    plan.components
        .get(component as usize)
        .map_or_else(String::new, |c| format!("{}.{}", KINDS[c.target.kind as usize], c.name))
}

/// The mean time that a handler takes, as far as its steps and the functions that it calls say. Branches add up: an
/// upper bound is what is wanted.
fn service(plan: &Plan, program: &Program, factor: f64, depth: u32) -> f64 {
    let step = |step: &Step| match step {
        Step::Cpu(sampler) => sampler.mean() * factor,
        Step::Wait(sampler) => sampler.mean(),
        Step::Recorded { computes } => plan.recorded_mean_ns() * if *computes { factor } else { 1.0 },
        Step::Call(call) if depth > 0 => {
            let to = program.calls[*call as usize].to;
            let called = plan.functions.get(to.index as usize);
            called
                .filter(|_| to.kind == kind::FUNCTION)
                .map_or(0.0, |f| service(plan, &f.program, f.cpu_factor(), depth - 1))
        }
        _ => 0.0,
    };
    let sum: f64 = program.steps.iter().map(step).sum();
    sum.min(LONGEST)
}

/// Everything that the components of a plan remember.
pub fn memories(plan: &Plan) -> Vec<Memory> {
    let mut list = Vec::new();
    for function in &plan.functions {
        of_function(plan, function, &mut list);
    }
    for fleet in &plan.fleets {
        let component = path(plan, fleet.component);
        let served = service(plan, &fleet.program, 1.0 / fleet.speed.max(1e-3), DEPTH);
        let mut push = |what, ns: f64, settles: f64| remember(&mut list, &component, what, ns, settles);
        push("handler", served, SERVICES * served);
        if let Some(scaling) = &fleet.scaling {
            let cycle = tracking(&scaling.tracking) + long(&fleet.boot);
            push("scaling", cycle, cycle + SERVICES * served);
        }
    }
    for database in &plan.databases {
        if let Some(moving) = &database.serverless {
            let component = path(plan, database.component);
            let pause = if moving.minimum == 0 {
                moving.pause_after.0 as f64
            } else {
                0.0
            };
            let falls = f64::from(moving.shrink_after) * 1e9;
            remember(&mut list, &component, "serverless", pause.max(falls), pause + falls);
        }
        let linger = database.linger.0 as f64;
        remember(
            &mut list,
            &path(plan, database.component),
            "connection_linger",
            linger,
            linger,
        );
    }
    for store in &plan.stores {
        let sides = store.capacity.sides.iter().filter_map(|side| side.tracking.as_ref());
        if let Some(cycle) = sides.map(tracking).reduce(f64::max) {
            let cycle = cycle + store.capacity.scaling_delay.0 as f64;
            // What was provisioned and not used can be used later: the bank is full when the run begins.
            let banked = cycle + store.capacity.bank.0 as f64;
            remember(&mut list, &path(plan, store.component), "autoscaling", cycle, banked);
        }
    }
    for guard in &plan.guards {
        if let Some(breaker) = &guard.guarding.breaker {
            let cycle = (breaker.window + breaker.open).0 as f64;
            remember(&mut list, &path(plan, guard.component), "breaker", cycle, cycle);
        }
    }
    list
}

fn remember(list: &mut Vec<Memory>, component: &str, what: &'static str, ns: f64, settles: f64) {
    if ns > 0.0 {
        list.push(Memory {
            component: component.to_owned(),
            what,
            time: time(ns),
            settles: time(settles.max(ns)),
        });
    }
}

/// A whole cycle of target tracking: until it has scaled in after the load has fallen.
fn tracking(plan: &TrackingPlan) -> f64 {
    let period = PERIOD.0 as f64;
    let scale_in = f64::from(plan.in_periods) * period + plan.in_cooldown.0 as f64;
    let scale_out = f64::from(plan.out_periods) * period + plan.out_cooldown.0 as f64;
    scale_in.max(scale_out)
}

fn of_function(plan: &Plan, function: &FunctionPlan, list: &mut Vec<Memory>) {
    let component = path(plan, function.component);
    let served = service(plan, &function.program, function.cpu_factor(), DEPTH);
    let start = [&function.placement, &function.init, &function.code_init];
    let started: f64 = start.iter().map(|sampler| sampler.mean()).sum();
    let busy = SERVICES * served + started.min(LONGEST);
    let mut push = |what, ns: f64, settles: f64| remember(list, &component, what, ns, settles);
    push("handler", served, busy);
    let scaled = function.platform.scaled.as_ref();
    if let Some(scaler) = scaled.and_then(|scaled| scaled.autoscaler.as_ref()) {
        let cycle = (scaler.window + scaler.zero_after + scaler.period).0 as f64;
        push("autoscaler", cycle, 2.0 * cycle + busy);
    } else {
        // The instances alive are the most that were busy at once within the last idle time-out.
        let kept = long(&function.idle_timeout);
        push("idle_timeout", kept, kept + busy);
    }
    if let Some(provisioned) = &function.provisioned
        && let Some(policy) = &provisioned.tracking
    {
        let cycle = tracking(policy) + long(&provisioned.preparation);
        push("provisioned_concurrency", cycle, cycle + busy);
    }
}

/// What a run is too short for although it belongs to the system: the name in scenarios, what is missing from the
/// figures then, and how long it takes until it acts.
pub fn beyond(plan: &Plan) -> Vec<(String, &'static str, Duration)> {
    let mut list = Vec::new();
    for function in &plan.functions {
        let age = function.maximum_age.as_ref().map(|age| time(short(age)));
        if let Some(age) = age.filter(|age| *age >= plan.length) {
            list.push((path(plan, function.component), "maximum_age", age));
        }
        for recycle in function.recycles.iter().filter(|r| r.at >= Instant::ZERO + plan.length) {
            let at = recycle.at.since(Instant::ZERO);
            list.push((path(plan, function.component), "recycle", at));
        }
        effects(plan, &function.program, function.component, &mut list);
    }
    for fleet in &plan.fleets {
        effects(plan, &fleet.program, fleet.component, &mut list);
    }
    list
}

fn effects(plan: &Plan, program: &Program, component: u32, list: &mut Vec<(String, &'static str, Duration)>) {
    let window = |step: &Step| match step {
        Step::Settle { window, .. } => Some(*window),
        _ => None,
    };
    let shortest = program.steps.iter().filter_map(window).min();
    if let Some(window) = shortest.filter(|window| *window >= plan.length) {
        list.push((path(plan, component), "idempotent", window));
    }
}

/// The first thing that the scenario places at one instant of the run and that is over for good when a warm-up of
/// `warmup` has passed it, with words for it.
pub fn first_event(plan: &Plan, warmup: Duration) -> Option<(Duration, String)> {
    let mut first: Option<(Duration, String)> = None;
    let mut see = |at: Duration, words: &dyn Fn() -> String| {
        if at < warmup && first.as_ref().is_none_or(|(before, _)| at < *before) {
            first = Some((at, words()));
        }
    };
    for fault in plan.faults.iter().filter(|fault| fault.again_after.is_none()) {
        let at = fault.at.map(|at| at.since(Instant::ZERO));
        // What is broken from the first to the last instant is no event.
        if let Some(at) = at.filter(|at| *at > Duration::ZERO || fault.lasts.is_some()) {
            see(at, &|| format!("the fault `{}` begins", fault.name));
        }
    }
    for function in &plan.functions {
        let name = || path(plan, function.component);
        for recycle in function.recycles.iter().filter(|recycle| recycle.every.is_none()) {
            see(recycle.at.since(Instant::ZERO), &|| format!("{} is recycled", name()));
        }
        let provisioned = function.provisioned.as_ref().filter(|p| p.period.is_none());
        for change in provisioned.map_or(&[][..], |p| &p.schedule) {
            if change.0 > Instant::ZERO {
                let words = || format!("the provisioned concurrency of {} changes", name());
                see(change.0.since(Instant::ZERO), &words);
            }
        }
    }
    for client in &plan.clients {
        let Load::Open { arrivals, .. } = &client.load else {
            continue;
        };
        let (ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve)) = arrivals else {
            continue;
        };
        if let Some(at) = first_turn(curve) {
            see(at, &|| {
                format!("the traffic of {} changes", path(plan, client.component))
            });
        }
    }
    for schedule in &plan.schedules {
        if let Times::At(instants) = &schedule.times
            && let (Some(at), Some(last)) = (instants.first(), instants.last())
            && *last < warmup
        {
            see(*at, &|| format!("{} fires", path(plan, schedule.component)));
        }
    }
    first
}

/// Pieces of a rate curve from which on it is taken for a daily course rather than for an event: its bends are no
/// events then, only its jumps are.
const COURSE: usize = 16;

/// Where the rate of a curve that does not repeat first jumps or bends.
fn first_turn(curve: &RateCurve) -> Option<Duration> {
    if curve.period().is_some() {
        return curve.spikes().iter().map(|spike| spike.at).min();
    }
    let pieces = curve.pieces();
    let bends = pieces.len() <= COURSE;
    let scale = pieces.iter().map(|piece| piece.from.max(piece.to)).fold(0.0, f64::max);
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-9 * scale;
    if bends && pieces.first().is_some_and(|piece| !same(piece.from, piece.to)) {
        return Some(Duration::ZERO);
    }
    let mut at = 0_u64;
    for pair in pieces.windows(2) {
        at = at.saturating_add(pair[0].length_ns);
        let jumps = !same(pair[0].to, pair[1].from);
        if jumps || (bends && !same(pair[1].from, pair[1].to)) {
            return Some(Duration(at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn one_draw_in_a_hundred_lies_beyond_the_long_one() {
        // Against the definition, distribution by distribution.
        let share = |value: f64, survival: &dyn Fn(f64) -> f64| survival(value);
        let exponential = long(&Sampler::Exponential { mean: 5.0 });
        assert!((share(exponential, &|x| (-x / 5.0).exp()) - 0.01).abs() < 1e-12);
        let weibull = long(&Sampler::Weibull { shape: 0.7, scale: 3.0 });
        assert!((share(weibull, &|x| (-(x / 3.0).powf(0.7)).exp()) - 0.01).abs() < 1e-12);
        let pareto = long(&Sampler::Pareto {
            minimum: 2.0,
            shape: 1.5,
        });
        assert!((share(pareto, &|x| (2.0 / x).powf(1.5)) - 0.01).abs() < 1e-12);
        assert!((long(&Sampler::Uniform { low: 3.0, high: 6.0 }) - 6.0).abs() < 1e-12);
        let log_normal = long(&Sampler::lognormal_median_p99(12.0, 40.0));
        assert!((log_normal - 40.0).abs() < 1e-9, "{log_normal}");
        let mixture = Sampler::mixture(vec![(1.0, Sampler::Constant(1.0)), (3.0, Sampler::Constant(7.0))]);
        assert!((long(&mixture) - 7.0).abs() < 1e-12 && (short(&mixture) - 1.0).abs() < 1e-12);
        let cut = Sampler::Adjusted {
            inner: Arc::new(Sampler::Exponential { mean: 5.0 }),
            factor: 2.0,
            offset: 1.0,
            maximum: 20.0,
        };
        assert!((long(&cut) - 20.0).abs() < 1e-12);
    }

    #[test]
    fn a_gamma_hardly_ever_exceeds_its_long_value() {
        use crate::kernel::stream::{Stream, StreamKey};
        for shape in [0.2, 1.0, 3.0, 50.0] {
            let sampler = Sampler::Gamma { shape, scale: 1.0 };
            let bound = long(&sampler);
            let mut rng = Stream::new(1, 0, StreamKey::new("memory", "gamma"));
            let beyond = (0..20_000).filter(|_| sampler.value(&mut rng) > bound).count();
            assert!(beyond <= 200, "shape {shape}: {beyond} of 20,000 above {bound}");
        }
    }

    fn curve(pieces: &[(u64, f64, f64)], repeats: bool) -> RateCurve {
        let piece = |&(length_ns, from, to): &(u64, f64, f64)| crate::model::mechanism::client::arrivals::Piece {
            length_ns,
            from,
            to,
        };
        RateCurve::new(pieces.iter().map(piece).collect(), repeats)
    }

    #[test]
    fn a_step_and_a_ramp_are_events_and_a_daily_course_is_not() {
        assert_eq!(first_turn(&RateCurve::constant(5.0)), None);
        assert_eq!(
            first_turn(&curve(&[(10, 1.0, 1.0), (5, 9.0, 9.0)], false)),
            Some(Duration(10))
        );
        assert_eq!(
            first_turn(&curve(&[(10, 1.0, 1.0), (5, 1.0, 9.0)], false)),
            Some(Duration(10))
        );
        assert_eq!(first_turn(&curve(&[(10, 1.0, 9.0)], false)), Some(Duration::ZERO));
        assert_eq!(first_turn(&curve(&[(10, 1.0, 9.0), (10, 9.0, 1.0)], true)), None);
        let long_day: Vec<(u64, f64, f64)> = (0..24).map(|h| (1, f64::from(h), f64::from(h + 1))).collect();
        assert_eq!(first_turn(&curve(&long_day, false)), None);
    }
}
