//! What stands between a caller and whom it calls: circuit breakers, adaptive rates, hedged requests.
//!
//! Model: each attempt of a guarded call asks the breaker, then takes a token of the adaptive rate, then goes out; its
//! time-out counts from there. A hedged call stays with its caller, and copies of it go out: one at once, a further one
//! each time that it has gone without an answer for a while. The first good answer is the call's; a bad one is only if
//! no other copy is under way. The other copies go on as orphans, hold what they hold, and are billed. A copy asks for
//! the same thing with dice of its own. The share of copies may be limited: each attempt earns that much of one.
//! Not modelled: hedges by a measured percentile, servers that push back, breakers that count copies (the call counts).
//! Units: durations in nanoseconds.
//! Sources: Dean and Barroso, "The Tail at Scale" (CACM 2013); gRPC proposal A6, "Client Retries" (hedging policy).
//! Validated by: the minimum of two exponentials after a delay, traces by hand (tests/theory).

mod adaptive;
pub mod breaker;

use super::common::Common;
use super::desk::{Cx, Desk};
use super::entry::{Caller, Cause, Request, Status};
use super::hits::Limit;
use super::kind::{self, KINDS};
use super::meaning::Meaning;
use crate::kernel::number::fit;
use crate::kernel::{Class, Duration, Key, Purpose, Sampler};
use crate::model::request::id::GuardId;
use crate::scenario::{Block, Code, Field, Kind, Table, Target};
use crate::stats::{Observation, Value};
use adaptive::Adaptive;
use breaker::{Breaker, BreakerPlan};
use std::collections::BTreeMap;

/// The fields of a hedge.
pub const HEDGE: Table = Table {
    name: "hedge",
    doc: "Sends the request again if there is no answer after a while, and takes the first good answer.",
    fields: &[
        Field::required(
            "after",
            Kind::Duration,
            "How long a copy goes without an answer before the next one is sent, such as the 95th percentile of the \
             latency.",
        ),
        Field::default("copies", Kind::Count, "1", "Further copies of an attempt at most.")
            .within(1.0, 10.0)
            .source("Dean and Barroso, The Tail at Scale (2013): a second request"),
        Field::optional(
            "share",
            Kind::Share,
            "Copies for each attempt at most, on average, with ten to spare; any number if absent.",
        ),
    ],
};

/// What the metrics of whoever makes calls mean.
pub const METRICS: &[Meaning] = &[
    (
        "retries",
        "Attempts after the first ones; of a function or a fleet, those of the calls in its handler.",
    ),
    (
        "retries.budget_empty",
        "Attempts that were not made because the retry budget was empty.",
    ),
    (
        "breaker.opened",
        "How often a circuit breaker in front of what it calls opened.",
    ),
    ("breaker.refused", "Calls that such a breaker refused."),
    (
        "hedges.sent",
        "Copies of requests that were sent because there was no answer yet.",
    ),
    ("hedges.won", "Copies whose answer came first."),
    (
        "hedges.held_back",
        "Copies that were not sent because their share is limited.",
    ),
    (
        "adaptive.delayed",
        "Attempts that waited for a token of the adaptive rate.",
    ),
];

/// When copies of a call are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HedgePlan {
    /// After how long without an answer.
    pub after: Duration,
    /// How many at most.
    pub copies: u8,
    /// How many for each attempt at most, on average.
    pub share: Option<f64>,
}

/// What a client or a call says about its guards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Guarding {
    /// Its circuit breaker.
    pub breaker: Option<BreakerPlan>,
    /// Its hedge.
    pub hedge: Option<HedgePlan>,
}

impl Guarding {
    /// Reads the fields `breaker` and `hedge` of a caller of `to`.
    pub fn read(block: &Block, to: Target) -> Self {
        let hedge = block.block("hedge").map(|hedge| HedgePlan {
            after: hedge.duration("after"),
            copies: fit(hedge.count("copies")),
            share: hedge.share_opt("share"),
        });
        if hedge.is_some() && kind::abilities(to.kind).accepts {
            let message = format!(
                "a hedged request to one of the `{}` would be sent twice",
                KINDS[to.kind as usize]
            );
            let help = "hedge calls that answer with a result; leave `hedge` out here";
            block.error(Code::Conflict, block.span_of("hedge"), message, help);
        }
        let timeout = block.duration_opt("timeout").unwrap_or(Duration::FOREVER);
        if hedge.is_some_and(|hedge| hedge.after >= timeout) {
            let message = "a copy would be sent after the time-out: it never is";
            let help = "make `after` shorter than `timeout`, such as the 95th percentile of the latency";
            block.warn(Code::NoEffect, block.span_of("hedge"), message, help);
        }
        Self {
            breaker: block.block("breaker").map(|block| BreakerPlan::read(&block)),
            hedge,
        }
    }
}

/// A guarded call, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardPlan {
    /// The caller's number among all components.
    pub component: u32,
    /// Whom it calls.
    pub to: Target,
    /// When it gives up on an attempt.
    pub timeout: Duration,
    /// Round-trip time between the two.
    pub network: Sampler,
    /// What it says about its guards.
    pub guarding: Guarding,
    /// Whether throttles limit its rate.
    pub adaptive: bool,
}

/// What happens to guarded calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A backoff is over: the next attempt.
    Attempt {
        /// The guard.
        guard: GuardId,
        /// The attempt.
        request: Key,
    },
    /// A token of an adaptive rate is there.
    Token {
        /// The guard.
        guard: GuardId,
        /// The epoch of the line that waits for it.
        epoch: u32,
    },
    /// A call has gone without an answer for a while.
    Hedge {
        /// The guard.
        guard: GuardId,
        /// The call.
        request: Key,
    },
    /// The answer to a copy has come back to the caller.
    Arrived {
        /// The copy.
        request: Key,
    },
}

crate::kernel::pack::packed!(Event {
    Attempt { guard, request },
    Token { guard, epoch },
    Hedge { guard, request },
    Arrived { request },
});

/// How long the network between caller and called takes.
const NETWORK: u64 = Purpose::Network.step();

/// The step of a luck that the further copies of a call derive theirs with, plus the copy.
const COPY_STEP: u64 = Purpose::Copy.step();

/// The step that copy number `copy` derives its luck with.
pub const fn copy_step(copy: u8) -> u64 {
    COPY_STEP + copy as u64
}

/// The step of a hedged call that has its answer.
const SETTLED: u16 = u16::MAX;

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    opened: u64,
    refused: u64,
    hedged: u64,
    held_back: u64,
    won: u64,
    delayed: u64,
}

/// The guards of one call.
#[derive(Debug)]
struct Guard {
    plan: GuardPlan,
    /// By instance of the caller, or one for all.
    breakers: BTreeMap<u32, Breaker>,
    adaptive: Adaptive,
    /// Copies that may be sent, where their share is limited.
    copies: f64,
    counts: Counts,
}

/// Copies to spare where their share is limited.
const COPIES_SPARE: f64 = 10.0;

impl Guard {
    /// The breaker of whoever makes or made a call.
    fn breaker(&mut self, plan: &BreakerPlan, host: Option<Request>) -> &mut Breaker {
        let place = host.filter(|_| plan.per_instance).map_or(0, |host| host.frame.instance);
        let breaker = self.breakers.entry(place).or_insert_with(Breaker::new);
        // A new instance may have the number of one that is gone.
        if plan.per_instance && host.is_some_and(|host| host.frame.cold && breaker.used < host.frame.started) {
            *breaker = Breaker::new();
        }
        breaker
    }
}

/// The guards of all calls that have some.
#[derive(Debug, Default)]
pub struct Guards {
    state: Vec<Guard>,
}

impl Guards {
    /// The guards at the start of a run.
    pub fn new(plan: &Common) -> Self {
        let state = |plan: &GuardPlan| Guard {
            plan: plan.clone(),
            breakers: BTreeMap::new(),
            adaptive: Adaptive::default(),
            copies: COPIES_SPARE,
            counts: Counts::default(),
        };
        Self {
            state: plan.guards.iter().map(state).collect(),
        }
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self) {
        self.state.iter_mut().for_each(|guard| guard.counts = Counts::default());
    }

    /// Reports what was counted, for each caller over all its calls.
    pub fn observe(&self, out: &mut Vec<Observation>) {
        let mut callers: BTreeMap<u32, Vec<&Guard>> = BTreeMap::new();
        for guard in &self.state {
            callers.entry(guard.plan.component).or_default().push(guard);
        }
        for (component, guards) in callers {
            let mut push = |metric, has: fn(&GuardPlan) -> bool, count: fn(&Counts) -> u64| {
                if guards.iter().any(|guard| has(&guard.plan)) {
                    let value = Value::Count(guards.iter().map(|guard| count(&guard.counts)).sum());
                    out.push(Observation {
                        component,
                        metric,
                        value,
                    });
                }
            };
            let breaker = |plan: &GuardPlan| plan.guarding.breaker.is_some();
            push("breaker.opened", breaker, |counts| counts.opened);
            push("breaker.refused", breaker, |counts| counts.refused);
            let hedge = |plan: &GuardPlan| plan.guarding.hedge.is_some();
            push("hedges.sent", hedge, |counts| counts.hedged);
            push("hedges.won", hedge, |counts| counts.won);
            let limited = |plan: &GuardPlan| plan.guarding.hedge.is_some_and(|hedge| hedge.share.is_some());
            push("hedges.held_back", limited, |counts| counts.held_back);
            push("adaptive.delayed", |plan| plan.adaptive, |counts| counts.delayed);
        }
    }
}

impl Cx<'_> {
    /// The request whose handler makes a call, if a handler does.
    fn host(&self, call: Key) -> Option<Request> {
        match self.requests[call].caller {
            Caller::Handler(host) => self.requests.get(host).copied(),
            _ => None,
        }
    }

    /// Makes an attempt of a guarded call, when the delays that are already accounted to it have passed.
    #[cold]
    pub fn attempt_guarded(&mut self, guard: GuardId, request: Key) {
        let (now, at) = (self.now(), self.requests[request].mark);
        if at > now {
            let event = Desk::Guard(Event::Attempt { guard, request });
            return self.at(at, Class::Arrival, event);
        }
        let host = self.host(request);
        let state = &mut self.guards.state[usize::from(guard)];
        if let Some(plan) = state.plan.guarding.breaker {
            let permit = state.breaker(&plan, host).admit(&plan, now);
            let Some(permit) = permit else {
                state.counts.refused += 1;
                let to = state.plan.to;
                self.hit(Limit::CircuitBreaker, to, request);
                return self.reply(request, Status::BreakerOpen);
            };
            self.requests[request].permit = permit;
        }
        if state.plan.adaptive {
            let (taken, look) = state.adaptive.take(now, request);
            self.look_at_line(guard, look);
            if !taken {
                self.guards.state[usize::from(guard)].counts.delayed += 1;
                return;
            }
        }
        self.launch(guard, request);
    }

    fn look_at_line(&mut self, guard: GuardId, look: adaptive::Look) {
        if let Some((at, epoch)) = look {
            let event = Desk::Guard(Event::Token { guard, epoch });
            self.at(at, Class::Timer, event);
        }
    }

    /// Sends an attempt, as one copy if it is hedged.
    fn launch(&mut self, guard: GuardId, request: Key) {
        let now = self.now();
        let plan = &self.guards.state[usize::from(guard)].plan;
        let (to, hedge) = (plan.to, plan.guarding.hedge);
        let timeout = plan.timeout;
        let own = now + timeout;
        let until = if self.baggage.on {
            self.waits_until(request, own)
        } else {
            own
        };
        let deadline = Desk::Deadline { request };
        if until == own {
            self.within(timeout, deadline);
        } else {
            self.until(until.max(now), deadline);
        }
        if until <= now {
            // Nobody waits any more: the call is not made.
            return self.hit(Limit::Deadline, to, request);
        }
        if let Some(hedge) = hedge {
            let copies = &mut self.guards.state[usize::from(guard)].copies;
            *copies = (*copies + hedge.share.unwrap_or(0.0)).min(COPIES_SPARE);
            self.requests[request].frame.instance = guard.into();
            self.send_copy(guard, request, 0);
            return self.hedge_in(guard, request, hedge);
        }
        self.go_out(guard, request);
        self.offer_at_mark(to, request);
    }

    fn hedge_in(&mut self, guard: GuardId, request: Key, hedge: HedgePlan) {
        let event = Desk::Guard(Event::Hedge { guard, request });
        self.within(hedge.after, event);
    }

    /// Half of the round trip passes on the way there.
    fn go_out(&mut self, guard: GuardId, request: Key) {
        let (plan, entry) = (&self.guards.state[usize::from(guard)].plan, &mut self.requests[request]);
        if !plan.network.is_zero() {
            let round_trip = plan.network.draw(&mut entry.luck.dice(NETWORK));
            entry.spend(Cause::Network, Duration(round_trip.0 / 2));
        }
    }

    /// Sends copy number `copy` of a hedged call.
    fn send_copy(&mut self, guard: GuardId, call: Key, copy: u8) {
        let entry = self.requests[call];
        let host = self.host(call);
        let luck = if copy == 0 {
            entry.luck
        } else {
            entry.luck.derive(copy_step(copy))
        };
        let mut request = Request::new(Caller::Hedged { call, copy }, luck, self.now());
        (request.path, request.call, request.attempt) = (entry.path, entry.call, entry.attempt);
        if let Some(host) = host {
            request.taken_by(host.worker());
        }
        let key = self.requests.insert(request);
        self.requests.descends(key, call);
        if self.baggage.on {
            self.carry_over(call, key);
        }
        let frame = &mut self.requests[call].frame;
        frame.pending += 1;
        frame.step = u16::from(copy) + 1;
        self.go_out(guard, key);
        self.offer_at_mark(self.guards.state[usize::from(guard)].plan.to, key);
    }

    /// A copy has been answered: the answer goes back to the caller.
    #[cold]
    pub fn copy_answered(&mut self, copy: Key, call: Key) {
        let Some(asked) = self.requests.get(call) else {
            return self.requests.remove(copy);
        };
        let plan = &self.guards.state[asked.frame.instance as usize].plan;
        if plan.network.is_zero() {
            return self.copy_arrived(copy);
        }
        // On its way back it is a new entry, so that whatever still refers to the work finds it gone, and nobody works
        // on it any more: it cannot be lost with the instance that did.
        let mut entry = self.requests[copy];
        entry.let_go();
        let tag = self.requests.hand_on(copy);
        self.requests.remove(copy);
        let round_trip = plan.network.draw(&mut entry.luck.dice(NETWORK));
        let now = self.agenda.now();
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        entry.spend(Cause::Network, Duration(round_trip.0.div_ceil(2)));
        let at = entry.mark;
        let request = self.requests.insert(entry);
        self.requests.goes_on(request, tag);
        let event = Desk::Guard(Event::Arrived { request });
        self.at(at, Class::Release, event);
    }

    /// The answer to a copy is there: it is the call's, unless there is one already or there may be a better one.
    fn copy_arrived(&mut self, copy: Key) {
        let now = self.now();
        let mut entry = self.requests[copy];
        let Caller::Hedged { call, copy: number } = entry.caller else {
            return;
        };
        self.requests.remove(copy);
        if !self.requests.contains(call) {
            return;
        }
        let asked = &mut self.requests[call];
        asked.frame.pending -= 1;
        let other = !entry.status.is_ok() && asked.frame.pending > 0;
        if other || asked.frame.step == SETTLED {
            return;
        }
        asked.frame.step = SETTLED;
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        if asked.caller != Caller::Nobody {
            asked.adopt(&entry);
            let won = number > 0 && entry.status.is_ok();
            let guard = asked.frame.instance as usize;
            self.guards.state[guard].counts.won += u64::from(won);
        }
        self.reply(call, entry.status);
    }

    /// An attempt of a guarded call has ended.
    #[cold]
    pub fn guarded_ended(&mut self, guard: GuardId, request: Key) {
        let (now, host) = (self.now(), self.host(request));
        let entry = &self.requests[request];
        let (status, permit) = (entry.status, entry.permit);
        if status == Status::BreakerOpen {
            return;
        }
        let state = &mut self.guards.state[usize::from(guard)];
        if let Some(plan) = state.plan.guarding.breaker {
            let opened = state.breaker(&plan, host).ended(&plan, now, permit, status.is_ok());
            state.counts.opened += u64::from(opened);
        }
        if state.plan.adaptive {
            let look = state.adaptive.ended(now, status == Status::Throttled);
            self.look_at_line(guard, look);
        }
    }

    /// Handles an event of guarded calls.
    #[cold]
    pub fn handle_guard(&mut self, event: Event) {
        match event {
            Event::Attempt { guard, request } => {
                if self.requests.contains(request) {
                    self.attempt_guarded(guard, request);
                }
            }
            Event::Token { guard, epoch } => self.token(guard, epoch),
            Event::Hedge { guard, request } => self.hedge(guard, request),
            Event::Arrived { request } => self.copy_arrived(request),
        }
    }

    /// A token is there for the first in line, if whoever made that call is still there.
    fn token(&mut self, guard: GuardId, epoch: u32) {
        let now = self.now();
        let Some(request) = self.guards.state[usize::from(guard)].adaptive.next(now, epoch) else {
            return;
        };
        let gone = match self.requests.get(request).map(|entry| entry.caller) {
            Some(Caller::Handler(host)) => !self.requests.contains(host),
            Some(_) => false,
            None => true,
        };
        if gone {
            self.guards.state[usize::from(guard)].adaptive.give_back();
            if self.requests.contains(request) {
                self.requests.remove(request);
            }
        } else {
            self.requests[request].spend_until(Cause::Throttled, now);
            self.launch(guard, request);
        }
        let look = self.guards.state[usize::from(guard)].adaptive.look(now);
        self.look_at_line(guard, look);
    }

    /// A hedged call has gone without an answer for a while: the next copy.
    fn hedge(&mut self, guard: GuardId, call: Key) {
        let Some(asked) = self.requests.get(call) else {
            return;
        };
        let sent = asked.frame.step;
        let gone = match asked.caller {
            Caller::Nobody => true,
            Caller::Handler(host) => !self.requests.contains(host),
            _ => false,
        };
        if gone || sent == SETTLED {
            return;
        }
        let state = &mut self.guards.state[usize::from(guard)];
        let Some(hedge) = state.plan.guarding.hedge else {
            return;
        };
        if hedge.share.is_some() {
            if state.copies < 1.0 {
                state.counts.held_back += 1;
                return;
            }
            state.copies -= 1.0;
        }
        state.counts.hedged += 1;
        self.send_copy(guard, call, fit(sent));
        if sent < u16::from(hedge.copies) {
            self.hedge_in(guard, call, hedge);
        }
    }
}
