//! Faults on the run's timeline: what breaks, when, for how long, and what that does to the components.
//!
//! Model: a fault begins at an instant and lasts a while, once or again and again, at fixed or at random times. Work
//! that begins while a component is slow takes so many times longer; jobs on shared cores slow down at once. A
//! component that fails answers a share of the requests that reach it with an error; one that is down refuses all of
//! them; one that is unreachable lets them hang until their callers give up, and gets those that still wait when the
//! fault ends. What a component had begun goes on. A zone that goes takes its instances with it, and the work on them;
//! a fleet's balancer goes on sending requests there until health checks notice, functions start instances elsewhere, a
//! database fails over if it has a zone to go to, with all its connections gone. Neighbours take a part of an account's
//! pool. A quota is lowered; what is already beyond it goes on. A deploy replaces instances, as `recycle` of a function
//! does.
//! Where faults of one kind overlap, factors multiply, what neighbours take adds up, the lowest quota holds and the
//! largest number of zones is gone; a component is down or unreachable as long as one of them says so.
//! Not modelled: data that is lost, partial connectivity, retransmission by the network, brown-outs that grow; requests
//! that a function's instance was starting for when its zone went start elsewhere; provisioned instances of functions
//! are replaced without a gap; refusals take no time of their own.
//! Units: instants count from the start of the run.
//! Sources: Elastic Load Balancing user guide, "Health checks"; Amazon RDS user guide, "Multi-AZ deployments"; AWS
//! whitepaper "AWS Fault Isolation Boundaries".
//! Validated by: hand-computed traces of every kind; the share refused = MTTR / (MTBF + MTTR); M/M/1 with breakdowns
//! (tests/theory/faults.rs).

use super::common::Common;
use super::desk::{Cx, Desk};
use super::entry::{Caller, Cause, Request, Status};
use super::kind::KINDS;
use super::payload;
use crate::kernel::number::fit;
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, Purpose, Sampler, Slab, Stream, StreamKey};
use crate::model::request::id::FaultId;
use crate::scenario::{Field, Kind, Target};
use std::collections::VecDeque;

/// Number of availability zones, for the tables of functions, fleets and databases.
pub const fn zones(default: &'static str, doc: &'static str) -> Field {
    Field::default("zones", Kind::Count, default, doc)
        .within(1.0, 16.0)
        .source("assumed: Regions have three zones or more, and a database is in one unless you say so")
}

/// A quota that can be lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Concurrent executions of an account.
    Concurrency,
    /// Requests a second through an account's gateways.
    GatewayRate,
    /// Requests a second of a gateway, calls a second of an external service, publish calls a second of a topic.
    Rate,
    /// A function's own concurrency.
    ReservedConcurrency,
    /// Connections of a database.
    Connections,
    /// Units read a second of a store.
    ReadCapacity,
    /// Units written a second of a store.
    WriteCapacity,
    /// Calls at once of an external service.
    MaximumConcurrency,
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Work takes so many times longer.
    Slow(f64),
    /// A share of the requests is answered with an error.
    Fail(f64, Status),
    /// All requests are refused.
    Down,
    /// Requests hang.
    Unreachable,
    /// Availability zones are gone.
    Zones(Zones),
    /// Instances are replaced: this share of them, each at its own moment within a while.
    Recycle(f64, Duration),
    /// Others take this much of an account's concurrency.
    Neighbours(u64),
    /// A quota is at most this.
    Lower(Quota, f64),
}

/// Zones that are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Zones {
    /// How many.
    pub lost: u16,
    /// Whether requests to instances there hang, instead of failing.
    pub hang: bool,
    /// How long a fleet's balancer goes on sending requests there.
    pub detection: Duration,
    /// Whether a fleet launches as many instances elsewhere then.
    pub replace: bool,
}

/// What changes at a component when a fault begins or ends: what holds from now on, all faults together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Work takes so many times longer (1: no longer than usual).
    Slow(f64),
    /// These zones are gone.
    Zones(Zones),
    /// This share of the instances is replaced within a while.
    Recycle(f64, Duration),
    /// Others take this much more of the account than usual.
    Neighbours(u64),
    /// A quota is at most this, or what it usually is.
    Lower(Quota, Option<f64>),
}

/// A fault, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// Its name.
    pub name: String,
    /// The components that it hits.
    pub on: Vec<Target>,
    /// How long each of them is down if its zone goes: until it has failed over, or as long as the fault lasts where it
    /// has no zone to go to. `None` for those that lose instances only.
    pub fails_over: Vec<Option<Duration>>,
    /// What it does to them.
    pub effect: Effect,
    /// When it begins for the first time; at random if absent.
    pub at: Option<Instant>,
    /// How long it lasts; to the end of the run if absent.
    pub lasts: Option<Sampler>,
    /// After how long it begins again, if it does.
    pub again_after: Option<Sampler>,
    /// How often it comes in a month, if that is said and it does not begin again by itself.
    pub per_month: Option<f64>,
}

impl FaultPlan {
    /// Whether it is over as soon as it began.
    pub fn is_momentary(&self) -> bool {
        matches!(self.effect, Effect::Recycle(..))
    }

    /// Whether it comes at the same times in every run.
    pub fn is_fixed(&self) -> bool {
        let constant = |sampler: &Option<Sampler>| matches!(sampler, None | Some(Sampler::Constant(_)));
        self.at.is_some() && constant(&self.lasts) && constant(&self.again_after)
    }
}

/// What happens to faults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A fault begins.
    Begin {
        /// The fault.
        fault: FaultId,
    },
    /// A fault ends.
    End {
        /// The fault.
        fault: FaultId,
    },
    /// A database has failed over to another zone.
    FailedOver {
        /// The fault.
        fault: FaultId,
        /// Which of the components that it hits.
        place: u16,
        /// The how-manieth time of the fault.
        round: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Begin { fault },
    End { fault },
    FailedOver { fault, place, round },
});

/// The step of a request's luck that decides whether it fails, plus the fault ("FAUL" in front).
const FAIL_STEP: u64 = Purpose::FaultFails.step();

/// No fault lasts or pauses for less, so that no run stands still.
const SHORTEST: Duration = Duration::from_millis(1);

/// Hanging requests are looked through when there are so many, to forget those whose callers have given up.
const SWEEP: usize = 64;

/// What becomes of a request that wants to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Enter,
    /// It is answered with this.
    Refused(Status),
    /// It hangs.
    Hangs,
}

/// What stands between requests and one component.
#[derive(Clone, Debug, Default)]
struct Door {
    down: u16,
    unreachable: u16,
    /// The fault that its zones went with, if those who were there hang.
    lost_to: Option<FaultId>,
    /// Faults that let a share of the requests fail.
    fails: Vec<(FaultId, f64, Status)>,
    /// The largest request that it takes, if requests have sizes.
    payload: Option<u64>,
}

/// What a fault did in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultResult {
    /// When it began and ended, from the start of the run; an end beyond the run is that of the run.
    pub spans: Vec<(Instant, Instant)>,
    /// Requests that it answered with an error since counting began.
    pub refused: u64,
    /// Requests that it let hang since then.
    pub hung: u64,
}

/// One fault while the simulation runs.
#[derive(Debug)]
struct Fault {
    active: bool,
    round: u32,
    /// The components that are down because of it, where that is not all of the time.
    down: Vec<bool>,
    dice: Stream,
    result: FaultResult,
}

/// A request that hangs, and where it wanted to go; nowhere, if it was lost with the instance that served it.
#[derive(Clone, Copy, Debug)]
struct Hanging {
    request: Key,
    to: Option<Target>,
    /// The fault to which it is lost.
    fault: FaultId,
}

/// All faults.
#[derive(Debug)]
pub struct Faults {
    /// Whether requests have to be looked at before they reach their components.
    pub armed: bool,
    /// Whether some request could be too large for its target.
    sizes: bool,
    doors: Vec<Door>,
    /// The first door of each kind.
    first: [u32; KINDS.len()],
    state: Vec<Fault>,
    hanging: VecDeque<Hanging>,
    sweep_at: usize,
}

impl Faults {
    /// The faults at the start of replication `run`; see [`Cx::schedule_faults`].
    pub fn new(plan: &Common, run: u64) -> Self {
        let sizes = payload::matters(plan);
        let mut faults = Self {
            armed: sizes,
            sizes,
            doors: Vec::new(),
            first: [0; KINDS.len()],
            state: Vec::new(),
            hanging: VecDeque::new(),
            sweep_at: SWEEP,
        };
        for fault in &plan.faults {
            faults.state.push(Fault {
                active: false,
                round: 0,
                down: vec![false; fault.on.len()],
                dice: Stream::new(plan.seed, run, StreamKey::new(&fault.name, "fault")),
                result: FaultResult::default(),
            });
        }
        if sizes || !plan.faults.is_empty() {
            for (kind, first) in faults.first.iter_mut().enumerate() {
                *first = fit(faults.doors.len());
                let of_kind = plan.components.iter().filter(|c| usize::from(c.target.kind) == kind);
                for component in of_kind {
                    faults.doors.push(Door {
                        payload: plan.profile(component.target).payload_limit.filter(|_| sizes),
                        ..Door::default()
                    });
                }
            }
        }
        faults
    }

    fn door(&mut self, of: Target) -> &mut Door {
        &mut self.doors[self.first[usize::from(of.kind)] as usize + usize::from(of.index)]
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self) {
        for fault in &mut self.state {
            (fault.result.refused, fault.result.hung) = (0, 0);
        }
    }

    /// What each of them did, at the end of the run.
    pub fn finish(self, end: Instant) -> Vec<FaultResult> {
        let finish = |mut fault: Fault| {
            if fault.active
                && let Some(span) = fault.result.spans.last_mut()
            {
                span.1 = end;
            }
            // What begins when the run ends is no part of it.
            fault.result.spans.retain(|span| span.0 < end);
            fault.result
        };
        self.state.into_iter().map(finish).collect()
    }

    /// A fault begins or ends: opens and closes doors, and says what changes at the components.
    fn turn(&mut self, plan: &Common, fault: FaultId) -> Vec<(Target, Change)> {
        let spec = &plan.faults[usize::from(fault)];
        let active = self.state[usize::from(fault)].active;
        let step = |count: &mut u16| *count = if active { *count + 1 } else { *count - 1 };
        let mut changes = Vec::new();
        for &on in &spec.on {
            match spec.effect {
                Effect::Down => step(&mut self.door(on).down),
                Effect::Unreachable => step(&mut self.door(on).unreachable),
                Effect::Fail(share, status) => {
                    let fails = &mut self.door(on).fails;
                    fails.retain(|fail| fail.0 != fault);
                    if active {
                        fails.push((fault, share, status));
                        fails.sort_by_key(|fail| fail.0);
                    }
                }
                Effect::Recycle(share, spread) if active => changes.push((on, Change::Recycle(share, spread))),
                Effect::Recycle(..) => {}
                Effect::Zones(_) => {
                    if active {
                        self.door(on).lost_to = Some(fault);
                    }
                    changes.push((on, self.together(plan, on, spec.effect)));
                }
                Effect::Slow(_) | Effect::Neighbours(_) | Effect::Lower(..) => {
                    changes.push((on, self.together(plan, on, spec.effect)));
                }
            }
        }
        self.arm(plan);
        changes
    }

    fn arm(&mut self, plan: &Common) {
        let stops = |(spec, state): (&FaultPlan, &Fault)| {
            let door = matches!(spec.effect, Effect::Down | Effect::Unreachable | Effect::Fail(..));
            state.active && door || state.down.contains(&true)
        };
        self.armed = self.sizes || plan.faults.iter().zip(&self.state).any(stops);
    }

    /// What all active faults of one kind together do to a component.
    fn together(&self, plan: &Common, on: Target, like: Effect) -> Change {
        let active = plan.faults.iter().zip(&self.state).filter(|(_, state)| state.active);
        let effects = active
            .filter(|(spec, _)| spec.on.contains(&on))
            .map(|(spec, _)| spec.effect);
        match like {
            Effect::Slow(_) => {
                Change::Slow(effects.fold(
                    1.0,
                    |all, effect| if let Effect::Slow(by) = effect { all * by } else { all },
                ))
            }
            Effect::Neighbours(_) => Change::Neighbours(
                effects
                    .map(|effect| if let Effect::Neighbours(n) = effect { n } else { 0 })
                    .sum(),
            ),
            Effect::Lower(quota, _) => {
                let to = effects.filter_map(|effect| match effect {
                    Effect::Lower(other, to) if other == quota => Some(to),
                    _ => None,
                });
                Change::Lower(quota, to.reduce(f64::min))
            }
            _ => {
                let zones = effects.filter_map(|effect| if let Effect::Zones(z) = effect { Some(z) } else { None });
                Change::Zones(zones.max_by_key(|zones| zones.lost).unwrap_or_default())
            }
        }
    }

    /// Forgets those that hang although nobody waits for them any more, now and then.
    fn sweep(&mut self, requests: &mut super::requests::Requests) {
        if self.hanging.len() < self.sweep_at {
            return;
        }
        self.hanging.retain(|hanging| {
            let gone = abandoned(hanging.request, requests);
            if gone && requests.contains(hanging.request) {
                requests.remove(hanging.request);
            }
            !gone
        });
        self.sweep_at = (2 * self.hanging.len()).max(SWEEP);
    }
}

/// Whether nobody waits for a request any more.
fn abandoned(request: Key, requests: &Slab<Request>) -> bool {
    requests.get(request).is_none_or(|entry| match entry.caller {
        Caller::Nobody => true,
        Caller::Handler(parent) | Caller::Store(parent) => !requests.contains(parent),
        _ => false,
    })
}

/// Something that takes `usual`, while work takes so many times longer.
#[inline]
pub fn slowed(usual: Duration, factor: f64) -> Duration {
    if factor > 1.0 {
        Duration::from_nanos_f64(usual.0 as f64 * factor)
    } else {
        usual
    }
}

impl Cx<'_> {
    /// Puts the beginnings of all faults on the agenda.
    pub fn schedule_faults(&mut self) {
        let plan = self.plan;
        for (spec, fault) in plan.faults.iter().zip(FaultId::all()) {
            let dice = &mut self.faults.state[usize::from(fault)].dice;
            let first = spec.at.or_else(|| {
                let wait = spec.again_after.as_ref()?.draw(dice).max(SHORTEST);
                Some(Instant::ZERO + wait)
            });
            if let Some(at) = first {
                let event = Desk::Fault(Event::Begin { fault });
                self.at(at, Class::Timer, event);
            }
        }
    }

    /// Handles an event of a fault, and says what changes at which components.
    pub fn fault(&mut self, event: Event) -> Vec<(Target, Change)> {
        match event {
            Event::Begin { fault } => self.begin(fault),
            Event::End { fault } => self.end(fault),
            Event::FailedOver { fault, place, round } => {
                if self.faults.state[usize::from(fault)].round == round {
                    self.bring_back(fault, place as usize);
                }
                Vec::new()
            }
        }
    }

    fn begin(&mut self, fault: FaultId) -> Vec<(Target, Change)> {
        let plan = self.plan;
        let now = self.now();
        let spec = &plan.faults[usize::from(fault)];
        let state = &mut self.faults.state[usize::from(fault)];
        state.active = true;
        state.round += 1;
        let lasts = match (&spec.lasts, spec.effect) {
            (_, Effect::Recycle(..)) => Some(Duration::ZERO),
            (Some(lasts), _) => Some(lasts.draw(&mut state.dice).max(SHORTEST)),
            (None, _) => None,
        };
        let end = lasts.map_or(Instant::NEVER, |lasts| now + lasts);
        state.result.spans.push((now, end.min(Instant::ZERO + plan.length)));
        if lasts.is_some() {
            let event = Desk::Fault(Event::End { fault });
            self.at(end, Class::Timer, event);
        }
        if let Effect::Zones(_) = spec.effect {
            self.fail_over(fault, end);
        }
        self.faults.turn(plan, fault)
    }

    /// Databases whose zone is gone are down until they have failed over, or as long as the fault lasts.
    fn fail_over(&mut self, fault: FaultId, end: Instant) {
        let plan = self.plan;
        let now = self.now();
        let round = self.faults.state[usize::from(fault)].round;
        for (place, &on) in plan.faults[usize::from(fault)].on.iter().enumerate() {
            let Some(takes) = plan.faults[usize::from(fault)].fails_over[place] else {
                continue;
            };
            self.faults.state[usize::from(fault)].down[place] = true;
            self.faults.door(on).down += 1;
            let back = now + takes;
            if back < end {
                let place = fit(place);
                let event = Desk::Fault(Event::FailedOver { fault, place, round });
                self.at(back, Class::Timer, event);
            }
        }
    }

    fn bring_back(&mut self, fault: FaultId, place: usize) {
        let plan = self.plan;
        if std::mem::take(&mut self.faults.state[usize::from(fault)].down[place]) {
            let on = plan.faults[usize::from(fault)].on[place];
            self.faults.door(on).down -= 1;
            self.faults.arm(plan);
        }
    }

    fn end(&mut self, fault: FaultId) -> Vec<(Target, Change)> {
        let plan = self.plan;
        let now = self.now();
        let spec = &plan.faults[usize::from(fault)];
        let state = &mut self.faults.state[usize::from(fault)];
        state.active = false;
        if let Some(again) = &spec.again_after {
            let at = now + again.draw(&mut state.dice).max(SHORTEST);
            let event = Desk::Fault(Event::Begin { fault });
            self.at(at, Class::Timer, event);
        }
        for place in 0..spec.on.len() {
            self.bring_back(fault, place);
        }
        let changes = self.faults.turn(plan, fault);
        self.let_go(fault);
        changes
    }

    /// Those that hang reach their components if these can be reached again; what was lost with its instance fails.
    fn let_go(&mut self, fault: FaultId) {
        let now = self.now();
        let hanging = std::mem::take(&mut self.faults.hanging);
        for waiting in hanging {
            if abandoned(waiting.request, &self.requests) {
                if self.requests.contains(waiting.request) {
                    self.requests.remove(waiting.request);
                }
                continue;
            }
            match waiting.to {
                Some(to) if self.faults.door(to).unreachable == 0 => {
                    let entry = &mut self.requests[waiting.request];
                    entry.spend_until(Cause::Network, now.max(entry.mark));
                    self.offer(to, waiting.request);
                }
                None if waiting.fault == fault => {
                    let entry = &mut self.requests[waiting.request];
                    entry.cut_off_at(now);
                    self.reply(waiting.request, Status::Unavailable);
                }
                _ => self.faults.hanging.push_back(waiting),
            }
        }
    }

    /// A request was lost with the instance that served it: it hangs until its caller gives up, or all zones are back.
    /// Nothing that it waited for reaches it any more.
    pub fn lose(&mut self, request: Key, on: Target) {
        self.requests[request].let_go();
        let fault = self.faults.door(on).lost_to.expect("zones go with a fault");
        self.hang(request, None, fault);
    }

    fn hang(&mut self, request: Key, to: Option<Target>, fault: FaultId) {
        self.faults.state[usize::from(fault)].result.hung += 1;
        self.faults.hanging.push_back(Hanging { request, to, fault });
        self.faults.sweep(&mut self.requests);
    }

    /// Whether a request may reach the component `to`.
    #[cold]
    #[inline(never)]
    pub fn verdict(&mut self, to: Target, request: Key) -> Verdict {
        let luck = self.requests[request].luck;
        let door = self.faults.door(to);
        if door.unreachable > 0 {
            return Verdict::Hangs;
        }
        if door.down > 0 {
            self.blame(to);
            return Verdict::Refused(Status::Unavailable);
        }
        let fails = |fail: &&(FaultId, f64, Status)| chance(&mut luck.dice(FAIL_STEP + u64::from(fail.0)), fail.1);
        if let Some(&(fault, _, status)) = door.fails.iter().find(fails) {
            self.faults.state[usize::from(fault)].result.refused += 1;
            return Verdict::Refused(status);
        }
        let limit = door.payload;
        if limit.is_some_and(|limit| payload::exceeds(to, limit, request, self)) {
            return Verdict::Refused(Status::TooLarge);
        }
        Verdict::Enter
    }

    /// Counts a refusal for the first fault that keeps a component down.
    fn blame(&mut self, to: Target) {
        let plan = self.plan;
        for (spec, state) in plan.faults.iter().zip(&mut self.faults.state) {
            let place = spec.on.iter().position(|on| *on == to);
            let down = spec.effect == Effect::Down || place.is_some_and(|place| state.down[place]);
            if state.active && place.is_some() && down {
                state.result.refused += 1;
                return;
            }
        }
    }

    /// Stops a request that may not reach the component `to`; says whether it did.
    #[cold]
    #[inline(never)]
    pub fn stops(&mut self, to: Target, request: Key) -> bool {
        let plan = self.plan;
        match self.verdict(to, request) {
            Verdict::Enter => return false,
            Verdict::Refused(status) => self.reply(request, status),
            Verdict::Hangs => {
                let unreachable = |(spec, state): (&FaultPlan, &Fault)| {
                    state.active && spec.effect == Effect::Unreachable && spec.on.contains(&to)
                };
                let fault = plan.faults.iter().zip(&self.faults.state).position(unreachable);
                let fault = fault.expect("what cannot be reached is cut off by a fault");
                self.hang(request, Some(to), FaultId::new(fault));
            }
        }
        true
    }
}
