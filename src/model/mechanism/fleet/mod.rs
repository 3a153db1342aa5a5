//! Fleets: instances that are there whether requests come or not, each of which serves many at once.
//!
//! Model: a balancer gives each request to an instance in service. An instance has cores, shared by whatever computes
//! on it, and slots; a request without a slot waits in the instance's queue (or in one line for all instances), and is
//! refused (503) when that is full or no instance is in service. Handler steps that wait hold their slot but no core.
//! The count is fixed, or follows a target: the metric of a minute is seen a minute later, a new instance boots before
//! it serves, and one that is not wanted any more takes no new requests and goes when its last one is done. A quota of
//! launches makes those beyond it wait for their turn.
//! Not modelled: health checks but for a zone that goes, slow start, connection draining that is cut short, deploys,
//! time limits of the instance itself (those of clients, calls and gateways apply, and the work goes on), throttling of
//! fractional CPUs in periods (they are slow cores here).
//! Units: memory and disk in MB of 2^20 bytes, CPU in thousandths of a virtual CPU.
//! Sources: EC2 Auto Scaling and Application Auto Scaling user guides, "Target tracking scaling policies"; Elastic Load
//! Balancing user guide, "Target groups"; start-up times and their confidence in catalog/aws/ec2.yaml, ecs.*.yaml.
//! Validated by: M/M/c, M/M/c/K, Erlang B, M/D/1, M/G/1, M/G/1-PS and random splitting (docs/validation.md); Little's
//! law and an autoscaling trace by hand (tests below); a measured ramp to 3,500 tasks (docs/validation.md).

mod metrics;
pub mod balancer;
pub mod fields;
pub mod plan;
mod outage;
mod quota;
mod record;
pub mod shedding;
#[cfg(test)]
mod tests;

use crate::kernel::number::{fit, whole_u32};
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, Luck, Purpose, Stream, StreamKey};
use crate::model::handler::run as program;
use crate::model::handler::run::{Cpu, Next, Program};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::station::{Speeds, Station};
use crate::model::parts::tracking::{PERIOD, Tracking};
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::entry::{Cause, Status};
use crate::model::request::fault::Change;
use crate::model::request::guard;
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::FLEET;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::model::request::retry::{self, Retrier};
use crate::scenario::{Block, Table, Target};
use crate::stats::Observation;
use balancer::{Balancer, Dispatch};
use outage::Trouble;
use plan::{FleetPlan, Metric, ScalingPlan};
use quota::Quota;
use rand::Rng;
use record::{Levels, Record};
use std::collections::VecDeque;

/// What happens to a fleet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The cores of an instance must be looked at.
    Cores {
        /// The fleet.
        fleet: Id<FLEET>,
        /// The instance.
        instance: u32,
        /// The epoch of the station.
        epoch: u32,
    },
    /// An instance is ready to serve, if it is still wanted.
    Booted {
        /// The fleet.
        fleet: Id<FLEET>,
        /// The instance.
        instance: u32,
        /// Which launch of the fleet it was.
        launch: u32,
    },
    /// A minute of the autoscaler's metric is over.
    Tracked {
        /// The fleet.
        fleet: Id<FLEET>,
    },
    /// The quota allows one more launch.
    Allowed {
        /// The fleet.
        fleet: Id<FLEET>,
    },
    /// The balancer notices that instances have gone with their zone.
    Noticed {
        /// The fleet.
        fleet: Id<FLEET>,
    },
}

crate::kernel::pack::packed!(Event {
    Cores { fleet, instance, epoch },
    Booted { fleet, instance, launch },
    Tracked { fleet },
    Allowed { fleet },
    Noticed { fleet },
});

/// The step of a request's luck that decides whether it fails.
const FAILURE_STEP: u64 = Purpose::FleetFailure.step();

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Booting,
    InService,
    Draining,
    /// Its zone is gone, and the balancer has not noticed.
    Dark,
    Gone,
}

/// One instance. Its place in the list may be used again when it is gone.
#[derive(Debug)]
struct Instance {
    state: State,
    station: Station,
    /// Requests that wait for one of its slots.
    waiting: VecDeque<Key>,
    /// Slots in use.
    used: u32,
    /// Its place with the balancer, while it is in service.
    place: u32,
    launch: u32,
    launched_at: Instant,
    zone: u16,
    /// When the balancer notices that it is gone.
    noticed_at: Instant,
    /// Thousandths of a virtual CPU that compute, as last counted.
    cores: u32,
}

/// What the autoscaler has seen.
#[derive(Debug)]
struct Scaler {
    plan: ScalingPlan,
    tracking: Tracking,
    /// The minute that is over but not seen yet.
    pending: Option<f64>,
    /// Readings when the minute began.
    cores: u128,
    running: u128,
    requests: u64,
}

/// One fleet while the simulation runs.
#[derive(Debug)]
struct Fleet {
    instances: Vec<Instance>,
    free: Vec<u32>,
    balancer: Balancer,
    /// Instances that boot, in the order of their launch.
    booting: Vec<u32>,
    /// The one line for all instances.
    line: VecDeque<Key>,
    launches: u32,
    quota: Option<Quota>,
    boot_luck: Luck,
    trouble: Trouble,
    scaler: Option<Scaler>,
    retriers: Vec<Retrier>,
    arrived: u64,
    levels: Levels,
    record: Record,
}

/// All fleets.
#[derive(Debug)]
pub struct Fleets {
    state: Vec<Fleet>,
}

impl Mechanism for Fleets {
    const TABLE: &'static Table = &fields::TABLE;
    const HARM: Harm = Harm {
        slow: true,
        zones: true,
        ..Harm::NONE
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS, guard::METRICS];
    type Id = Id<FLEET>;
    type Plan = FleetPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<FleetPlan> {
        let plan = FleetPlan::read(block, reading);
        reading.attributes.extend(fields::attributes(block));
        Some(plan)
    }

    fn profile(plan: &FleetPlan) -> Profile {
        Profile {
            needs_baggage: plan.shedding.is_some(),
            ..plan.program.profile()
        }
    }

    fn callees(_: &FleetPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(plan: &FleetPlan) -> Vec<Sent> {
        let sent = plan.program.sent().into_iter();
        sent.map(|to| Sent::event("what is sent by", to)).collect()
    }

    fn handler(plan: &mut FleetPlan) -> Option<&mut Program> {
        Some(&mut plan.program)
    }

    fn zones(plan: &FleetPlan) -> (u16, Option<Duration>) {
        (plan.zones, None)
    }

    fn holdings(&self, _: &[FleetPlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[FleetPlan], _: &mut dyn FnMut(Lineage, End)) {}

    fn change(&mut self, plan: &[FleetPlan], fleet: Id<FLEET>, change: Change, cx: &mut Cx) {
        self.suffer(plan, fleet, change, cx);
    }

    fn new(plan: &[FleetPlan], run: u64, cx: &mut Cx) -> Self {
        let mut state = Vec::with_capacity(plan.len());
        for (index, spec) in plan.iter().enumerate() {
            let mut dice = Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, "boot"));
            let mut fleet = Fleet {
                instances: Vec::new(),
                free: Vec::new(),
                balancer: Balancer::default(),
                booting: Vec::new(),
                line: VecDeque::new(),
                launches: 0,
                quota: spec.launches.map(Quota::new),
                trouble: Trouble::default(),
                boot_luck: Luck(dice.next_u64()),
                scaler: spec.scaling.map(Scaler::new),
                retriers: spec.program.retriers(),
                arrived: 0,
                levels: Levels::default(),
                record: Record::default(),
            };
            for _ in 0..spec.count {
                let instance = fleet.create(spec, Instant::ZERO);
                fleet.enter_service(instance, Instant::ZERO);
            }
            if fleet.scaler.is_some() {
                let event = Event::Tracked { fleet: Id::new(index) };
                cx.at(Instant::ZERO + PERIOD, Class::Timer, event);
            }
            state.push(fleet);
        }
        Self { state }
    }

    #[inline]
    fn offer(&mut self, plan: &[FleetPlan], fleet: Id<FLEET>, key: Key, cx: &mut Cx) {
        let entry = &mut cx.requests[key];
        entry.taken_by(fleet.target());
        entry.frame.step = plan[usize::from(fleet)].program.entry(entry.path);
        self.state[usize::from(fleet)].offer(&plan[usize::from(fleet)], fleet, key, cx);
    }

    #[inline]
    fn handle(&mut self, event: Event, plan: &[FleetPlan], cx: &mut Cx) {
        match event {
            Event::Cores { fleet, instance, epoch } => {
                self.state[usize::from(fleet)].work_done(&plan[usize::from(fleet)], fleet, (instance, epoch), cx);
            }
            Event::Booted {
                fleet,
                instance,
                launch,
            } => self.state[usize::from(fleet)].booted(&plan[usize::from(fleet)], instance, launch, cx),
            Event::Tracked { fleet } => {
                self.state[usize::from(fleet)].tracked(&plan[usize::from(fleet)], fleet, cx);
            }
            Event::Allowed { fleet } => {
                let state = &mut self.state[usize::from(fleet)];
                if state.quota.as_mut().is_some_and(Quota::release) {
                    state.launch(&plan[usize::from(fleet)], fleet, cx);
                }
            }
            Event::Noticed { fleet } => self.state[usize::from(fleet)].noticed(&plan[usize::from(fleet)], fleet, cx),
        }
    }

    #[inline]
    fn resume(&mut self, plan: &[FleetPlan], key: Key, cx: &mut Cx) {
        let fleet = cx.requests[key].worker_id();
        self.state[usize::from(fleet)].proceed(&plan[usize::from(fleet)], fleet, key, cx);
    }

    fn answered(&mut self, plan: &[FleetPlan], child: Key, parent: Key, cx: &mut Cx) {
        let fleet = cx.requests[parent].worker_id();
        let spec = &plan[usize::from(fleet)];
        let state = &mut self.state[usize::from(fleet)];
        if program::answered(cx, &spec.program, &mut state.retriers, child, parent) {
            state.proceed(spec, fleet, parent, cx);
        }
    }

    fn close_window(&mut self, _: &[FleetPlan], cx: &mut Cx) {
        for state in &mut self.state {
            state.record.close_window(&mut state.levels, cx.now());
        }
    }

    fn reset(&mut self, plan: &[FleetPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.record.reset();
            state.retriers.iter_mut().for_each(Retrier::reset);
            state.levels.busy.forget_levels();
            state.levels.queued.forget_levels();
        }
    }

    fn observe(self, plan: &[FleetPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            retry::observe(spec.component, &state.retriers, out);
            state
                .record
                .observe(spec, *window, out, series, &mut meters[spec.component as usize]);
            let levels = [("slots.busy", &state.levels.busy), ("queue", &state.levels.queued)];
            out.extend(levels.map(|(metric, gauge)| Observation {
                component: spec.component,
                metric,
                value: gauge.levels(),
            }));
        }
    }
}

impl Fleet {
    /// Gives a request a slot, a place in a queue, or a refusal.
    #[inline]
    fn offer(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, key: Key, cx: &mut Cx) {
        let now = cx.now();
        self.arrived += 1;
        self.record.arrived();
        if spec.program.heeds_deadlines && cx.is_expired(key) {
            return self.drop_expired(key, cx);
        }
        let Some(place) = self.balancer.choose(spec.dispatch, cx.requests[key].luck) else {
            return self.refuse(key, cx);
        };
        let index = self.balancer.member(place);
        let instance = &mut self.instances[index as usize];
        if instance.state == State::Dark {
            return self.meet_the_dark(fit(place), key, fleet, cx);
        }
        if self.balancer.load(place) < spec.slots {
            self.balancer.more(fit(place));
            instance.used += 1;
            self.levels.busy.add(now.0, 1);
            self.start(index, key, cx);
            return self.proceed(spec, fleet, key, cx);
        }
        if let Some(shedding) = &spec.shedding
            && self.sheds(spec, shedding, index, key, cx)
        {
            return self.refuse(key, cx);
        }
        let instance = &mut self.instances[index as usize];
        let (queue, room) = if spec.dispatch == Dispatch::SharedQueue {
            let room = spec.queue.saturating_mul(self.balancer.len() as u64);
            (&mut self.line, room)
        } else {
            (&mut instance.waiting, spec.queue)
        };
        if queue.len() as u64 >= room {
            cx.hit(Limit::FleetQueue, fleet.target(), key);
            return self.refuse(key, cx);
        }
        queue.push_back(key);
        self.levels.queued.add(now.0, 1);
        if spec.dispatch != Dispatch::SharedQueue {
            self.balancer.more(fit(place));
        }
    }

    #[cold]
    fn refuse(&mut self, key: Key, cx: &mut Cx) {
        self.record.refused();
        cx.reply(key, Status::Unavailable);
    }

    /// A request has got a slot of an instance.
    #[inline]
    fn start(&mut self, instance: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.frame.prelude = now.since(entry.mark);
        self.record.started(entry.frame.prelude);
        if entry.mark < now {
            entry.spend_until(Cause::Queued, now);
        }
        entry.frame.started = now;
        entry.frame.instance = instance;
        // What is provisioned here is the slot.
        entry.frame.provisioned = true;
    }

    /// Runs the handler until it needs something.
    #[inline]
    fn proceed(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, key: Key, cx: &mut Cx) {
        match program::advance(cx, &spec.program, key, Cpu::Shared) {
            Next::At(at) => cx.at(at, Class::Release, Desk::Resume { request: key }),
            Next::Compute(demand) => {
                let index = cx.requests[key].frame.instance;
                let demand = Duration::from_nanos_f64(demand.0 as f64 / spec.speed);
                self.instances[index as usize].station.add(cx.now(), demand, key);
                self.look_at_cores(fleet, index, cx);
            }
            Next::Answers => {}
            Next::Done(status) if cx.requests[key].is_branch() => cx.reply(key, status),
            Next::Done(status) => self.finish(spec, key, status, cx),
        }
    }

    /// The jobs on an instance's cores have changed.
    #[inline]
    fn look_at_cores(&mut self, fleet: Id<FLEET>, index: u32, cx: &mut Cx) {
        let now = cx.now();
        let instance = &mut self.instances[index as usize];
        let cores = whole_u32((instance.station.cores_in_use() * 1000.0).round());
        if cores != instance.cores {
            self.levels.cores.add(now, i64::from(cores) - i64::from(instance.cores));
            instance.cores = cores;
        }
        if let Some(wake) = instance.station.wake(now) {
            let event = Event::Cores {
                fleet,
                instance: index,
                epoch: wake.epoch,
            };
            cx.at(wake.at, Class::Release, event);
        }
    }

    /// Something on an instance's cores may be done.
    fn work_done(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, (index, epoch): (u32, u32), cx: &mut Cx) {
        let now = cx.now();
        if !self.instances[index as usize].station.is_current(epoch) {
            return;
        }
        self.instances[index as usize].station.woken();
        while let Some(done) = self.instances[index as usize].station.pop_done(now) {
            cx.requests[done].spend_until(Cause::Compute, now);
            self.proceed(spec, fleet, done, cx);
        }
        self.look_at_cores(fleet, index, cx);
    }

    /// The handler is done: answers, and gives the slot to the next in line.
    #[inline]
    fn finish(&mut self, spec: &FleetPlan, key: Key, status: Status, cx: &mut Cx) {
        let now = cx.now();
        let entry = &cx.requests[key];
        let frame = entry.frame;
        let ok = status.is_ok() && !chance(&mut entry.luck.dice(FAILURE_STEP), spec.failure);
        self.record.finished(frame.prelude, now.since(frame.started), ok);
        cx.reply(key, if ok { Status::Ok } else { Status::Failed });
        self.release(spec, frame.instance, cx);
    }

    /// A slot of an instance is free again.
    #[inline]
    fn release(&mut self, spec: &FleetPlan, index: u32, cx: &mut Cx) {
        let now = cx.now();
        let instance = &self.instances[index as usize];
        let shared = spec.dispatch == Dispatch::SharedQueue;
        let in_service = instance.state == State::InService;
        let place = instance.place;
        let next = if shared && !in_service {
            None
        } else {
            self.next_in_line(spec, index, cx)
        };
        if in_service && !(shared && next.is_some()) {
            self.balancer.less(place);
        }
        if let Some(key) = next {
            self.levels.queued.add(now.0, -1);
            self.start(index, key, cx);
            // Through the agenda, lest a long line of handlers without work nest as deeply as it is long.
            return cx.resume(key);
        }
        let instance = &mut self.instances[index as usize];
        instance.used -= 1;
        self.levels.busy.add(now.0, -1);
        if instance.state == State::Draining && instance.used == 0 {
            self.remove(spec, index, cx);
        }
    }
}

/// Launching, draining, scaling.
impl Fleet {
    /// A new instance, which is billed from now on.
    fn create(&mut self, spec: &FleetPlan, now: Instant) -> u32 {
        self.launches += 1;
        self.levels.instances.add(now.0, 1);
        let index = self.free.pop().unwrap_or_else(|| {
            self.instances.push(Instance {
                state: State::Gone,
                station: Station::new(Speeds::new(spec.vcpus, 0.0, 0.0).slowed(self.trouble.slow)),
                waiting: VecDeque::new(),
                used: 0,
                place: 0,
                launch: 0,
                launched_at: now,
                zone: 0,
                noticed_at: Instant::NEVER,
                cores: 0,
            });
            fit(self.instances.len() - 1)
        });
        let instance = &mut self.instances[index as usize];
        debug_assert!(
            instance.used == 0 && instance.station.is_empty(),
            "an instance leaves nothing behind"
        );
        (instance.state, instance.launch, instance.launched_at) = (State::Booting, self.launches, now);
        instance.zone = self.trouble.zone(self.launches, spec.zones);
        index
    }

    fn enter_service(&mut self, index: u32, now: Instant) {
        let instance = &mut self.instances[index as usize];
        instance.state = State::InService;
        instance.place = self.balancer.join(index);
        self.levels.running.add(now, 1);
    }

    fn launch(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, cx: &mut Cx) {
        let now = cx.now();
        if self.trouble.zones.lost >= spec.zones {
            // There is no zone to launch it in.
            return;
        }
        let index = self.create(spec, now);
        self.record.launched();
        self.booting.push(index);
        let launch = self.launches;
        let boot = spec.boot.draw(&mut self.boot_luck.dice(u64::from(launch)));
        let event = Event::Booted {
            fleet,
            instance: index,
            launch,
        };
        cx.at(now + boot, Class::Timer, event);
    }

    /// An instance is ready; it takes what waits in the one line, as far as it has slots.
    fn booted(&mut self, spec: &FleetPlan, index: u32, launch: u32, cx: &mut Cx) {
        let now = cx.now();
        let instance = &self.instances[index as usize];
        if instance.state != State::Booting || instance.launch != launch {
            return;
        }
        self.booting.retain(|&other| other != index);
        self.enter_service(index, now);
        let place = self.instances[index as usize].place;
        while self.balancer.load(place as usize) < spec.slots
            && !self.line.is_empty()
            && let Some(key) = self.next_in_line(spec, index, cx)
        {
            self.balancer.more(place);
            self.instances[index as usize].used += 1;
            self.levels.busy.add(now.0, 1);
            self.levels.queued.add(now.0, -1);
            self.start(index, key, cx);
            cx.resume(key);
        }
    }

    /// A minute is over: the autoscaler sees the one before it.
    fn tracked(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, cx: &mut Cx) {
        let now = cx.now();
        let Some(scaler) = &mut self.scaler else { return };
        cx.at(now + PERIOD, Class::Timer, Event::Tracked { fleet });
        let current = (self.balancer.len() + self.booting.len()) as u64 + self.quota.as_ref().map_or(0, |q| q.held);
        if let Some(wanted) = scaler.look(spec, &self.levels, self.arrived, now, current) {
            self.want(wanted, spec, fleet, cx);
        }
    }

    /// Changes the number of instances.
    fn want(&mut self, wanted: u64, spec: &FleetPlan, fleet: Id<FLEET>, cx: &mut Cx) {
        let held = self.quota.as_ref().map_or(0, |quota| quota.held);
        let mut current = (self.balancer.len() + self.booting.len()) as u64 + held;
        while current < wanted {
            if !self.quota.as_mut().is_some_and(|quota| quota.holds_back(fleet, cx)) {
                self.launch(spec, fleet, cx);
            }
            current += 1;
        }
        while current > wanted {
            if self.quota.as_mut().is_some_and(Quota::release) {
                current -= 1;
                continue;
            }
            // What does not serve yet goes first, the latest before the others; then the oldest in service.
            if let Some(index) = self.booting.pop() {
                self.remove(spec, index, cx);
            } else {
                self.drain(spec, cx);
            }
            current -= 1;
        }
    }

    /// The oldest instance in service takes no more requests and goes when it has none left.
    fn drain(&mut self, spec: &FleetPlan, cx: &mut Cx) {
        let index = self.balancer.leave(0);
        for place in 0..self.balancer.len() {
            self.instances[self.balancer.member(place) as usize].place = fit(place);
        }
        let instance = &mut self.instances[index as usize];
        // One that is gone with its zone, which nobody has noticed yet, has nothing left to do.
        if instance.state != State::Dark {
            instance.state = State::Draining;
        }
        if instance.used == 0 {
            self.remove(spec, index, cx);
        }
    }

    /// An instance is gone, and its database sessions with it.
    fn remove(&mut self, spec: &FleetPlan, index: u32, cx: &mut Cx) {
        let now = cx.now();
        let instance = &mut self.instances[index as usize];
        if instance.state == State::Draining {
            self.levels.running.add(now, -1);
        }
        instance.state = State::Gone;
        self.levels.instances.add(now.0, -1);
        self.record.gone(spec, now.since(instance.launched_at));
        cx.sessions.close_all(spec.component, index, now);
        self.free.push(index);
    }
}

impl Scaler {
    fn new(plan: ScalingPlan) -> Self {
        Self {
            plan,
            tracking: Tracking::default(),
            pending: None,
            cores: 0,
            running: 0,
            requests: 0,
        }
    }

    /// Reads the minute that is over and decides on the one before it: metrics are published a minute late.
    fn look(&mut self, spec: &FleetPlan, levels: &Levels, requests: u64, now: Instant, current: u64) -> Option<u64> {
        let (cores, running) = (levels.cores.area(now), levels.running.area(now));
        let instance_ns = (running - self.running) as f64;
        let metric = match self.plan.metric {
            Metric::Cpu => (cores - self.cores) as f64 / (instance_ns * spec.vcpu_milli() as f64).max(1.0),
            Metric::Requests => (requests - self.requests) as f64 / instance_ns.max(1.0) * 1e9,
        };
        (self.cores, self.running, self.requests) = (cores, running, requests);
        let seen = self.pending.replace(metric)?;
        self.tracking.observe(&self.plan.tracking, now, seen, current)
    }
}
