//! Instances that are scaled apart from requests: on container platforms several requests share an instance, requests
//! wait for a free slot or for an instance that starts, and an autoscaler decides how many instances there are.
//!
//! Model: a request takes a slot on an instance that is meant to serve, or waits. Whoever has a slot first takes the
//! request that has waited longest: an instance that was busy, or one that started. Waiting requests start instances
//! at once (`starts: demand`: as many as they need slots), or only the autoscaler does, except for the first one. An
//! instance more than the autoscaler wants gets no more requests unless all others are full, and expires when it is
//! idle. Places prepared in advance (`prewarmed`) save a start its placement. With an autoscaler the instance with the
//! fewest requests serves, without one that with the most, so that others expire. A request that waits longer than it
//! may is refused (429 if there may be no more instances, else 500).
//! Not modelled: instances that are starting are not given up; moving requests between instances.
//! Sources: Cloud Run documentation, "About instance autoscaling"; Knative Serving documentation, "About autoscaling";
//! Azure Functions documentation, "Event-driven scaling".
//! Validated by: traces computed by hand, M/M/c (tests/theory).

pub mod autoscaler;
pub mod plan;

use super::plan::FunctionPlan;
use super::provisioned::ProvisionedLevels;
use super::record::Throttle;
use super::{Cx, Event, Function};
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Stream};
use crate::model::request::entry::{Cause, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;
use crate::stats::Gauge;
use autoscaler::Autoscaler;
use plan::ScaledPlan;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A start under way.
#[derive(Clone, Copy, Debug)]
struct Start {
    began: Instant,
    placed: Instant,
}

/// The pool of one function.
#[derive(Debug)]
pub(super) struct Scaled {
    plan: ScaledPlan,
    waiting: VecDeque<Key>,
    /// Instances that are meant to serve, by creation.
    serving: BTreeSet<(u64, u32)>,
    /// Those of them with a free slot: (requests, creation, instance).
    free: BTreeSet<(u16, u64, u32)>,
    /// Instances that are more than is wanted, by creation.
    parked: BTreeSet<(u64, u32)>,
    starting: BTreeMap<u32, Start>,
    autoscaler: Option<Autoscaler>,
    /// Whether an event of this instant is on the agenda that hands waiting requests to instances.
    pulling: bool,
    /// When it is looked at again whether the scaling limit allows one more start.
    looks_at: Instant,
    limit: LaneId,
    dice: Stream,
    /// When each place prepared in advance is ready, ascending but for a little chance.
    prewarmed: VecDeque<Instant>,
    /// Instances of the minimum that serve something.
    needed: Gauge,
    pending: Gauge,
    began: Instant,
}

impl Scaled {
    pub(super) fn new(plan: &ScaledPlan, dice: Stream, cx: &mut Cx) -> Self {
        Self {
            plan: plan.clone(),
            waiting: VecDeque::new(),
            serving: BTreeSet::new(),
            free: BTreeSet::new(),
            parked: BTreeSet::new(),
            starting: BTreeMap::new(),
            autoscaler: plan.autoscaler.map(Autoscaler::new),
            pulling: false,
            looks_at: Instant::ZERO,
            limit: cx.agenda.lane(plan.pending, Class::Timer),
            dice,
            prewarmed: (0..plan.prewarmed).map(|_| Instant::ZERO).collect(),
            needed: Gauge::new(),
            pending: Gauge::new(),
            began: Instant::ZERO,
        }
    }

    /// Instances there are or will be, those that are not wanted any more included.
    fn alive(&self) -> u64 {
        (self.serving.len() + self.parked.len() + self.starting.len()) as u64
    }

    fn load(&mut self, now: Instant, more: i64) {
        if let Some(autoscaler) = &mut self.autoscaler {
            autoscaler.load(now, more);
        }
    }

    /// Paid as the minimum, and how much of it served; how many requests waited, and the most at once.
    pub(super) fn close_window(&mut self, now: Instant) -> (ProvisionedLevels, u128, u64) {
        let length = u128::from(now.since(self.began).0);
        self.began = now;
        let (waiting, most) = self.pending.flush(now.0);
        let levels = ProvisionedLevels {
            allocated: u128::from(self.plan.minimum) * length,
            busy: self.needed.flush(now.0).0,
        };
        (levels, waiting, most)
    }
}

impl Function {
    /// The pool; only called where there is one.
    fn pool(&mut self) -> &mut Scaled {
        self.scaled.as_mut().expect("a function that is scaled apart")
    }

    /// The start of a run: the first instances are ready.
    pub(super) fn begin_scaled(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, cx: &mut Cx) {
        let now = cx.now();
        for _ in 0..self.pool().plan.initial.max(spec.initial.count) {
            let instance = self.instances.create_apart(spec, now);
            self.instances.started_apart(spec, instance, now);
            let (_, created, _) = self.instances.state_apart(instance);
            let pool = self.pool();
            pool.serving.insert((created, instance));
            pool.free.insert((0, created, instance));
        }
        if let Some(period) = self.pool().autoscaler.as_ref().map(Autoscaler::period) {
            let event = Event::Scale { function };
            cx.at(now + period, Class::Timer, event);
        }
    }

    /// A request comes.
    pub(super) fn offer_scaled(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let pool = self.pool();
        if pool.alive() == 0
            && pool.waiting.is_empty()
            && let Some(autoscaler) = &mut pool.autoscaler
        {
            autoscaler.begin(now);
        }
        if pool.waiting.is_empty()
            && let Some(instance) = self.choose(spec, now, cx)
        {
            self.pool().load(now, 1);
            return self.seat(spec, function, key, instance, cx);
        }
        let pool = self.pool();
        if pool.plan.pending == Duration::ZERO || pool.waiting.len() as u64 >= pool.plan.pending_most {
            let none_may_wait = pool.plan.pending == Duration::ZERO;
            let limit = if none_may_wait {
                Limit::MaximumInstances
            } else {
                Limit::PendingRequests
            };
            return self.throttle(Throttle::Concurrency, limit, key, cx);
        }
        pool.load(now, 1);
        pool.waiting.push_back(key);
        pool.pending.add(now.0, 1);
        cx.requests[key].frame.started = Instant::NEVER;
        cx.after(pool.limit, Event::Waited { function, request: key });
        self.start_for_waiting(spec, function, cx);
    }

    /// Starts what the waiting requests need: slots for all of them, or the first instance.
    fn start_for_waiting(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, cx: &mut Cx) {
        let pool = self.pool();
        let starting = pool.starting.len() as u64;
        let needed = if pool.plan.on_demand {
            (pool.waiting.len() as u64).div_ceil(u64::from(spec.concurrency_per_instance))
        } else {
            u64::from(pool.serving.is_empty() && !pool.waiting.is_empty())
        };
        for _ in starting..needed {
            if !self.start_instance(spec, function, cx) {
                break;
            }
        }
    }

    /// Starts one more instance, if the limits allow it.
    fn start_instance(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, cx: &mut Cx) -> bool {
        let now = cx.now();
        if spec.maximum_instances.is_some_and(|most| self.pool().alive() >= most) {
            self.reap_scaled(spec, now, cx);
            if spec.maximum_instances.is_some_and(|most| self.pool().alive() >= most) {
                return false;
            }
        }
        if let Some(bucket) = &mut self.scaling
            && !bucket.take(now, 1)
        {
            // Further instances come as the bucket fills: looked at again when there is a token.
            let pool = self.scaled.as_mut().expect("a function that is scaled apart");
            if pool.looks_at <= now {
                let at = now + bucket.next_in(now);
                pool.looks_at = at;
                cx.at(at, Class::Timer, Event::Pull { function });
            }
            return false;
        }
        let instance = self.instances.create_apart(spec, now);
        let pool = self.pool();
        let dice = &mut pool.dice;
        let (mut placement, init, code) = (
            spec.placement.draw(dice),
            spec.init.draw(dice),
            spec.code_init.draw(dice),
        );
        if pool.prewarmed.front().is_some_and(|&at| at <= now) {
            // It is replaced at once, by one that takes as long as this one would have taken.
            pool.prewarmed.pop_front();
            pool.prewarmed.push_back(now + placement);
            placement = Duration::ZERO;
        }
        let (placed, ready) = (now + placement, now + placement + init + code);
        pool.starting.insert(instance, Start { began: now, placed });
        self.record.cold_started(ready.since(now), ready.since(placed));
        let event = Event::Up { function, instance };
        cx.at(ready, Class::Release, event);
        true
    }

    /// An instance has started: it serves those who waited for it, or nobody any more.
    pub(super) fn up(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, instance: u32, cx: &mut Cx) {
        let now = cx.now();
        let Some(start) = self.pool().starting.remove(&instance) else {
            return;
        };
        self.instances.started_apart(spec, instance, now);
        let (_, created, _) = self.instances.state_apart(instance);
        let pool = self.pool();
        pool.serving.insert((created, instance));
        pool.free.insert((0, created, instance));
        let mut first = true;
        for _ in 0..spec.concurrency_per_instance {
            let Some(key) = self.next_waiting(spec, cx) else { break };
            let entry = &mut cx.requests[key];
            for (cause, until) in [
                (Cause::Queued, start.began),
                (Cause::Placement, start.placed),
                (Cause::Init, now),
            ] {
                let until = until.max(entry.mark);
                entry.spend_until(cause, until);
            }
            entry.frame.cold = true;
            if std::mem::take(&mut first) {
                entry.frame.prelude = now.since(start.placed);
            }
            self.seat(spec, function, key, instance, cx);
        }
    }

    /// The next of those who wait; one whose time is up is dropped if the function knows of that.
    fn next_waiting(&mut self, spec: &FunctionPlan, cx: &mut Cx) -> Option<Key> {
        let now = cx.now();
        loop {
            let key = self.take_waiting(now)?;
            if !spec.program.heeds_deadlines || !cx.is_expired(key) {
                return Some(key);
            }
            self.pool().load(now, -1);
            cx.requests[key].spend_until(Cause::Queued, now);
            self.drop_expired(key, cx);
        }
    }

    fn take_waiting(&mut self, now: Instant) -> Option<Key> {
        let pool = self.pool();
        let key = pool.waiting.pop_front()?;
        pool.pending.add(now.0, -1);
        Some(key)
    }

    /// The instance that the next request goes to, if one has a free slot.
    fn choose(&mut self, spec: &FunctionPlan, now: Instant, cx: &mut Cx) -> Option<u32> {
        loop {
            let pool = self.pool();
            let spread = pool.autoscaler.is_some();
            let best = if spread { pool.free.first() } else { pool.free.last() };
            if let Some(&(used, created, instance)) = best {
                let (_, _, expires) = self.instances.state_apart(instance);
                if used == 0 && expires <= now && self.may_expire() {
                    self.pool().serving.remove(&(created, instance));
                    self.pool().free.remove(&(used, created, instance));
                    self.instances
                        .remove_apart(spec, instance, expires, now, &mut cx.sessions);
                    continue;
                }
                return Some(instance);
            }
            // All are full: one that was not wanted any more is better than none.
            let parked = pool.parked.iter().copied().collect::<Vec<_>>();
            let slots = spec.concurrency_per_instance;
            let usable = |&(_, instance): &(u64, u32)| {
                let (used, _, expires) = self.instances.state_apart(instance);
                used < slots && (used > 0 || expires > now)
            };
            let (created, instance) = parked.into_iter().find(usable)?;
            self.unpark(created, instance, spec);
        }
    }

    fn unpark(&mut self, created: u64, instance: u32, spec: &FunctionPlan) {
        let (used, _, _) = self.instances.state_apart(instance);
        let pool = self.pool();
        pool.parked.remove(&(created, instance));
        pool.serving.insert((created, instance));
        if used < spec.concurrency_per_instance {
            pool.free.insert((used, created, instance));
        }
    }

    /// Whether idle instances that are meant to serve expire: with an autoscaler only that takes them away.
    fn may_expire(&mut self) -> bool {
        let pool = self.pool();
        pool.autoscaler.is_none() && pool.alive() > pool.plan.minimum
    }

    /// Puts a request on an instance with a free slot.
    fn seat(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, instance: u32, cx: &mut Cx) {
        let now = cx.now();
        let (used, created, _) = self.instances.state_apart(instance);
        self.instances.occupy_apart(instance, now);
        let busy = self.instances.busy();
        let pool = self.pool();
        pool.free.remove(&(used, created, instance));
        if used + 1 < spec.concurrency_per_instance {
            pool.free.insert((used + 1, created, instance));
        }
        pool.needed.set(now.0, busy.min(pool.plan.minimum));
        let entry = &mut cx.requests[key];
        entry.frame.instance = instance;
        if entry.mark < now {
            entry.spend_until(Cause::Queued, now);
        }
        self.begin(spec, function, key, cx);
    }

    /// A request on an instance is done, or was cut off with it (`gone`).
    pub(super) fn leave(
        &mut self,
        spec: &FunctionPlan,
        function: Id<FUNCTION>,
        instance: u32,
        gone: bool,
        cx: &mut Cx,
    ) {
        let now = cx.now();
        let (used, created, _) = self.instances.state_apart(instance);
        self.instances.vacate_apart(spec, instance, now);
        let busy = self.instances.busy();
        let (used_now, _, expires) = self.instances.state_apart(instance);
        let pool = self.pool();
        pool.load(now, -1);
        pool.needed.set(now.0, busy.min(pool.plan.minimum));
        let parked = pool.parked.contains(&(created, instance));
        pool.free.remove(&(used, created, instance));
        let idle = used_now == 0;
        if idle && (gone || (parked && expires <= now)) {
            pool.serving.remove(&(created, instance));
            pool.parked.remove(&(created, instance));
            self.instances.remove_apart(spec, instance, now, now, &mut cx.sessions);
            if gone {
                self.keep_minimum(spec, function, cx);
            }
        } else if !parked {
            pool.free.insert((used_now, created, instance));
        }
        let pool = self.pool();
        if !pool.waiting.is_empty() && !pool.pulling {
            pool.pulling = true;
            cx.hand_over(Event::Pull { function });
        }
    }

    /// Instances that were cut off with their requests are replaced.
    fn keep_minimum(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, cx: &mut Cx) {
        let missing = self.pool().plan.minimum.saturating_sub(self.pool().alive());
        for _ in 0..missing {
            self.start_instance(spec, function, cx);
        }
    }

    /// Hands waiting requests to instances with free slots, and starts what those that are left need.
    pub(super) fn pull(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, cx: &mut Cx) {
        let now = cx.now();
        self.pool().pulling = false;
        while !self.pool().waiting.is_empty() {
            let Some(instance) = self.choose(spec, now, cx) else {
                break;
            };
            let Some(key) = self.next_waiting(spec, cx) else { break };
            self.seat(spec, function, key, instance, cx);
        }
        self.start_for_waiting(spec, function, cx);
    }

    /// A request has waited as long as it may.
    pub(super) fn waited(&mut self, spec: &FunctionPlan, key: Key, cx: &mut Cx) {
        let now = cx.now();
        // Those who wait are served in their order and wait equally long, so this one is the first or is not there.
        if self.pool().waiting.front() != Some(&key) {
            return;
        }
        let _ = self.take_waiting(now);
        self.pool().load(now, -1);
        cx.hit(Limit::PendingRequests, cx.requests[key].worker(), key);
        cx.requests[key].spend_until(Cause::Queued, now);
        let full = spec.maximum_instances.is_some_and(|most| self.pool().alive() >= most);
        self.record.throttled(Throttle::Pending);
        cx.reply(key, if full { Status::Throttled } else { Status::Failed });
    }

    /// The autoscaler decides.
    pub(super) fn scale(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, cx: &mut Cx) {
        let now = cx.now();
        let looks = spec
            .platform
            .scaled
            .as_ref()
            .and_then(|s| s.autoscaler)
            .is_some_and(|a| a.cpu.is_some());
        let cores_ns = if looks { self.instances.cores_ns(now) } else { 0.0 };
        let Some(pool) = &mut self.scaled else { return };
        let ready = pool.serving.len() as u64;
        let Some(autoscaler) = &mut pool.autoscaler else { return };
        let at = now + autoscaler.period();
        let wanted = autoscaler.decide(now, ready, cores_ns).max(pool.plan.minimum);
        cx.at(at, Class::Timer, Event::Scale { function });
        self.approach(spec, function, wanted, cx);
    }

    /// Has so many instances serve, or start.
    fn approach(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, wanted: u64, cx: &mut Cx) {
        let now = cx.now();
        self.reap_scaled(spec, now, cx);
        let coming = |pool: &Scaled| (pool.serving.len() + pool.starting.len()) as u64;
        while coming(self.pool()) < wanted
            && let Some(&(created, instance)) = self.pool().parked.first()
        {
            self.unpark(created, instance, spec);
        }
        while coming(self.pool()) < wanted && self.start_instance(spec, function, cx) {}
        let waiting = u64::from(!self.pool().waiting.is_empty());
        while coming(self.pool()) > wanted
            && self.pool().serving.len() as u64 > waiting
            && let Some((created, instance)) = self.pool().serving.pop_last()
        {
            let (used, _, expires) = self.instances.state_apart(instance);
            let pool = self.pool();
            pool.free.remove(&(used, created, instance));
            if used == 0 && (expires <= now || spec.idle_timeout.is_zero()) {
                self.instances.remove_apart(spec, instance, now, now, &mut cx.sessions);
            } else {
                pool.parked.insert((created, instance));
            }
        }
        let pool = self.pool();
        if !pool.waiting.is_empty() && !pool.pulling {
            pool.pulling = true;
            cx.hand_over(Event::Pull { function });
        }
    }

    /// Idle instances are gone with their zone; others start in their place, as far as a minimum asks for them.
    pub(super) fn drop_idle(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, gone: &[(u32, u64)], cx: &mut Cx) {
        let now = cx.now();
        for &(instance, created) in gone {
            let pool = self.pool();
            let place = (created, instance);
            if !pool.serving.contains(&place) && !pool.parked.contains(&place) {
                continue;
            }
            if self.instances.state_apart(instance).0 == 0 {
                let pool = self.pool();
                pool.serving.remove(&place);
                pool.parked.remove(&place);
                pool.free.remove(&(0, created, instance));
                self.instances.remove_apart(spec, instance, now, now, &mut cx.sessions);
            }
        }
        self.keep_minimum(spec, function, cx);
    }

    /// Finds the idle instances whose time is up.
    pub(super) fn reap_scaled(&mut self, spec: &FunctionPlan, now: Instant, cx: &mut Cx) {
        let instances = &self.instances;
        let Some(pool) = &mut self.scaled else { return };
        let idle = |&(_, instance): &(u64, u32)| instances.state_apart(instance).0 == 0;
        let dead = |&(created, instance): &(u64, u32)| {
            let expires = instances.state_apart(instance).2;
            (expires <= now).then_some((expires, created, instance))
        };
        let mut gone: Vec<_> = pool.parked.iter().filter(|i| idle(i)).filter_map(dead).collect();
        if pool.autoscaler.is_none() {
            gone.extend(pool.serving.iter().filter(|i| idle(i)).filter_map(dead));
        }
        gone.sort_unstable();
        for (end, created, instance) in gone {
            if pool.alive() <= pool.plan.minimum {
                break;
            }
            pool.parked.remove(&(created, instance));
            pool.serving.remove(&(created, instance));
            pool.free.remove(&(0, created, instance));
            self.instances.remove_apart(spec, instance, end, now, &mut cx.sessions);
        }
    }
}
