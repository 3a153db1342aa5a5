//! Functions: instances with a warm and cold life, limits on how many there may be, and a bill by the millisecond.
//!
//! Model: an instance is placed, initialised, busy, idle, and reclaimed after an idle time or at a maximum age; a
//! deploy or the platform may replace many at once. A request takes provisioned capacity first, then an available
//! instance by an explicit policy, then a new one, if its function's and its account's limits allow; otherwise it is
//! refused (429). Memory buys a share of CPU. An invocation that runs out of time is cut off, and its instance starts
//! anew. Provisioned capacity is replaced without a gap.
//! Not modelled: placement failures, extensions, per-tenant pools; provisioned instances that spill over never
//! wait.
//! Units: durations in nanoseconds, memory in MB of 2^20 bytes, billing in MB·ms.
//! Sources: AWS Lambda Developer Guide, "Lambda execution environment", "Understanding Lambda function scaling";
//! measured facts and confidence in catalog/aws/lambda.yaml.
//! Validated by: the exact keep-alive law, Erlang B, M/G/1-PS (tests/theory); raw AWS logs replayed
//! (docs/validation.md).

pub mod asynchronous;
mod changes;
mod event;
pub mod fields;
pub mod instance;
pub mod plan;
pub mod pool;
mod provisioned;
mod quota;
mod record;
pub mod scaled;
mod troubled;

pub use event::Event;

use crate::cost::MeterSet;
use crate::kernel::stream::{chance, unit};
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck, Pack, Stream, StreamKey};
use crate::model::handler::run as program;
use crate::model::handler::run::{Cpu, Next};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::entry::{BatchFate, Caller, Cause, Request, Status};
use crate::model::request::hits::Limit;
use crate::model::request::retry::{self, Retrier};
use crate::model::{Cx, Plan, kind};
use crate::scenario::Target;
use crate::stats::{Observation, Series};
use instance::{Instances, Taken};
use plan::FunctionPlan;
use provisioned::Provisioned;
use quota::Known;
use record::{Record, Throttle};
use scaled::Scaled;

/// Steps of a luck, far from handler steps.
mod step {
    pub const PLACEMENT: u64 = 1 << 46;
    pub const INIT: u64 = 1 << 47;
    pub const FAILURE: u64 = 1 << 48;
    pub const CODE_INIT: u64 = 1 << 49;
}

/// With more requests in flight than this, they do not stay in the nearest caches.
const MANY: usize = 1_000;

/// One function while the simulation runs.
#[derive(Debug)]
struct Function {
    /// Its number among the functions.
    index: u16,
    instances: Instances,
    provisioned: Option<Box<Provisioned>>,
    /// Instances that are scaled apart from requests.
    scaled: Option<Box<Scaled>>,
    /// Invocations running or starting on demand.
    on_demand: u64,
    /// What its account knows of that.
    known: Known,
    /// Concurrency of its own that is still free (functions with reserved concurrency); below zero while there is less
    /// than was taken.
    reserved_free: i64,
    /// The reserved concurrency now.
    reserved: u64,
    scaling: Option<TokenBucket>,
    rate: Option<TokenBucket>,
    time_limit: LaneId,
    /// Whether time limits need a timer: the length of an invocation is not known when it starts.
    timed: bool,
    /// Whether its handler does nothing but take time, on an instance of its own.
    straight: bool,
    /// Whether an invocation may fail although it did all its work.
    may_fail: bool,
    cpu: Cpu,
    retriers: Vec<Retrier>,
    recycle_dice: Stream,
    record: Record,
}

/// All functions.
#[derive(Debug)]
pub struct Functions {
    state: Vec<Function>,
}

impl Functions {
    /// The functions at the start of replication `run`, with what is scheduled for them on the agenda.
    pub fn new(plan: &Plan, run: u64, cx: &mut Cx) -> Self {
        let mut functions = Self {
            state: Vec::with_capacity(plan.functions.len()),
        };
        for (index, spec) in plan.functions.iter().enumerate() {
            let function = index as u16;
            let shared = spec.concurrency_per_instance > 1;
            let dice = |purpose| Stream::new(plan.seed, run, StreamKey::new(&spec.name, purpose));
            let pool = spec
                .account
                .map_or(u64::MAX, |account| plan.accounts[account as usize].concurrency);
            let quota = spec.reserved.unwrap_or(pool) as f64;
            let rate = spec.requests_per_second_factor.map(|factor| factor * quota);
            functions.state.push(Function {
                index: function,
                instances: Instances::new(spec, dice("keep-alive"), dice("choice")),
                provisioned: spec
                    .provisioned
                    .as_ref()
                    .map(|p| Box::new(Provisioned::new(p, spec, dice("provisioned")))),
                scaled: spec
                    .platform
                    .scaled
                    .as_ref()
                    .map(|p| Box::new(Scaled::new(p, dice("starts"), cx))),
                on_demand: 0,
                known: Known::default(),
                reserved_free: spec.reserved_on_demand().cast_signed(),
                reserved: spec.reserved.unwrap_or(0),
                scaling: spec
                    .scaling
                    .map(|(burst, refill)| TokenBucket::new(refill, burst as f64)),
                rate: rate.map(|rate| TokenBucket::new(rate, rate)),
                time_limit: cx.agenda.lane(spec.timeout, Class::Timer),
                timed: shared || spec.program.blocks(),
                straight: !shared && spec.program.only_delays(),
                may_fail: spec.failure > 0.0 || spec.platform.cpu_limit.is_some(),
                cpu: if shared {
                    Cpu::Shared
                } else {
                    Cpu::Alone(spec.cpu_factor())
                },
                retriers: spec.program.retriers(),
                recycle_dice: dice("recycle"),
                record: Record::default(),
            });
            for (i, recycle) in spec.recycles.iter().enumerate() {
                let event = Event::Recycle {
                    function,
                    index: i as u16,
                };
                cx.agenda
                    .at(recycle.at, Class::Timer, crate::model::Event::Function(event));
            }
            let state = &mut functions.state[index];
            if state.scaled.is_none() && spec.initial.count > 0 {
                state.instances.begin_warm(spec);
                state.note_due(spec, cx);
            }
            if let Some(provisioned) = &mut state.provisioned {
                provisioned.begin(function, spec, &mut state.instances, cx);
            }
            if state.scaled.is_some() {
                // Its pool keeps no account of what is due.
                cx.sessions.note_due(spec.component, Instant::ZERO);
                state.begin_scaled(spec, function, cx);
            }
        }
        functions
    }

    /// A request reaches a function.
    #[inline(always)]
    pub fn offer(&mut self, plan: &Plan, function: u16, key: Key, cx: &mut Cx) {
        let spec = &plan.functions[function as usize];
        let state = &mut self.state[function as usize];
        let now = cx.now();
        state.record.offered += 1;
        let entry = &mut cx.requests[key];
        entry.worker_kind = kind::FUNCTION;
        entry.worker = function;
        if let Some(rate) = &mut state.rate
            && !rate.take(now, 1)
        {
            return state.throttle(Throttle::Rate, Limit::RequestRate, key, cx);
        }
        if spec.program.heeds_deadlines && cx.is_expired(key) {
            return state.drop_expired(key, cx);
        }
        if state.scaled.is_some() {
            return state.offer_scaled(spec, function, key, cx);
        }
        if let Some(provisioned) = &mut state.provisioned
            && let Some(instance) = provisioned.take(now)
        {
            let taken = state.instances.occupy_provisioned(instance, now);
            cx.requests[key].frame.provisioned = true;
            return state.start_provisioned(spec, function, key, taken, cx);
        }
        if let Some(taken) = state.take_on_demand(spec, function, key, cx) {
            state.start(spec, function, key, taken, cx);
        } else if let Some(account) = cx.limits.asked() {
            self.name_holder(account, function, cx);
        }
    }

    /// Handles an event.
    #[inline(never)]
    pub fn handle(&mut self, event: Event, plan: &Plan, cx: &mut Cx) {
        let now = cx.now();
        match event {
            Event::Ready { function, request } => {
                let spec = &plan.functions[function as usize];
                let state = &mut self.state[function as usize];
                state.instances.initialised(cx.requests[request].frame.instance, now);
                state.begin(spec, function, request, cx);
            }
            Event::TimeLimit { function, request } => {
                if cx.requests.contains(request) {
                    let spec = &plan.functions[function as usize];
                    self.state[function as usize].cut_off(spec, request, cx);
                }
            }
            Event::Cores {
                function,
                instance,
                epoch,
            } => {
                self.cores(plan, function, instance, epoch, cx);
            }
            Event::Recycle { function, index } => self.recycle(plan, function, index, cx),
            Event::Reap { function } => {
                self.state[function as usize].reap(&plan.functions[function as usize], cx);
            }
            Event::Up { .. } | Event::Pull { .. } | Event::Waited { .. } | Event::Scale { .. } => {
                self.handle_scaled(event, plan, cx);
            }
            Event::Scheduled { function, .. } | Event::Prepared { function, .. } | Event::Tracked { function } => {
                let spec = &plan.functions[function as usize];
                let state = &mut self.state[function as usize];
                if let Some(provisioned) = &mut state.provisioned {
                    provisioned.handle(event, function, spec, &mut state.instances, cx);
                }
            }
        }
    }

    fn handle_scaled(&mut self, event: Event, plan: &Plan, cx: &mut Cx) {
        let (Event::Up { function, .. }
        | Event::Pull { function }
        | Event::Waited { function, .. }
        | Event::Scale { function }) = event
        else {
            return;
        };
        let (spec, state) = (&plan.functions[function as usize], &mut self.state[function as usize]);
        match event {
            Event::Up { instance, .. } => state.up(spec, function, instance, cx),
            Event::Waited { request, .. } => state.waited(spec, request, cx),
            Event::Scale { .. } => state.scale(spec, function, cx),
            _ => state.pull(spec, function, cx),
        }
    }

    /// The handler of a request on an instance can go on, if it has not been cut off.
    #[inline]
    pub fn resume(&mut self, plan: &Plan, function: u16, instance: u32, key: Key, cx: &mut Cx) {
        if cx.agenda.coming().len() > 0 && cx.requests.len() > MANY {
            self.look_ahead(cx);
        }
        let spec = &plan.functions[function as usize];
        let state = &mut self.state[function as usize];
        let Some(entry) = cx.requests.get(key) else {
            return;
        };
        // What most requests are resumed for: their computing is done, and nothing comes after it.
        if program::is_over(entry) && !entry.is_branch() {
            return state.finish(spec, instance, key, entry.frame.worst, cx);
        }
        state.go_on(spec, function, key, cx);
    }

    /// Reads from the requests and instances that are resumed soon, so that they come from memory together and not one
    /// after the other: with many requests in flight that is the longest wait of all.
    #[inline(never)]
    fn look_ahead(&self, cx: &Cx) {
        let mut read = 0;
        for words in cx.agenda.coming() {
            let crate::model::Event::Invocation {
                function,
                instance,
                request,
            } = crate::model::Event::unpack(words)
            else {
                continue;
            };
            read ^= cx.requests.get(request).map_or(0, Request::read);
            read ^= self.state[function as usize].instances.read(instance);
        }
        std::hint::black_box(read);
    }

    /// A branch of a handler can begin.
    pub fn branch(&mut self, plan: &Plan, function: u16, key: Key, cx: &mut Cx) {
        self.state[function as usize].go_on(&plan.functions[function as usize], function, key, cx);
    }

    /// A call or branch of a handler on a function has been answered.
    pub fn answered(&mut self, plan: &Plan, child: Key, parent: Key, cx: &mut Cx) {
        let function = cx.requests[parent].worker;
        let spec = &plan.functions[function as usize];
        let state = &mut self.state[function as usize];
        if program::answered(cx, &spec.program, &mut state.retriers, child, parent) {
            state.go_on(spec, function, parent, cx);
        }
    }

    /// Replaces a share of the instances, each at its own moment within the spread.
    fn recycle(&mut self, plan: &Plan, function: u16, index: u16, cx: &mut Cx) {
        let spec = &plan.functions[function as usize];
        let state = &mut self.state[function as usize];
        let recycle = spec.recycles[index as usize];
        let now = cx.now();
        state.replace(recycle.share, recycle.spread, now);
        state.note_due(spec, cx);
        if let Some(every) = recycle.every {
            cx.agenda.at(
                now + every,
                Class::Timer,
                crate::model::Event::Function(Event::Recycle { function, index }),
            );
        }
    }

    /// Something on an instance's shared cores may be done.
    fn cores(&mut self, plan: &Plan, function: u16, instance: u32, epoch: u32, cx: &mut Cx) {
        let spec = &plan.functions[function as usize];
        let now = cx.now();
        let state = &mut self.state[function as usize];
        let Some(station) = state.instances.station(instance) else {
            return;
        };
        if !station.is_current(epoch) {
            return;
        }
        station.woken();
        while let Some(done) = state
            .instances
            .station(instance)
            .and_then(|station| station.pop_done(now))
        {
            if cx.requests.contains(done) {
                cx.requests[done].spend_until(Cause::Compute, now);
                state.go_on(spec, function, done, cx);
            }
        }
        state.schedule_cores(function, instance, cx);
    }

    /// Ends a window.
    pub fn close_window(&mut self, plan: &Plan, cx: &mut Cx) {
        let now = cx.now();
        for (spec, state) in plan.functions.iter().zip(&mut self.state) {
            state.reap(spec, cx);
            let mut provisioned = state.provisioned.as_mut().map(|p| p.close_window(now));
            if let Some(scaled) = &mut state.scaled {
                let (minimum, waiting, most) = scaled.close_window(now);
                provisioned = Some(minimum);
                state.record.pending(waiting, most);
            }
            state
                .record
                .close_window(state.instances.close_window(now), provisioned);
        }
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self, plan: &Plan, cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.record.reset();
            state.instances.forget_levels();
            state.retriers.iter_mut().for_each(Retrier::reset);
        }
    }

    /// Instances alive now, by function (for tests and for warm-up detection).
    pub fn alive(&self) -> impl Iterator<Item = u64> + '_ {
        self.state.iter().map(|state| state.instances.alive())
    }

    /// Reports what was counted; the last window must have been closed.
    pub fn observe(self, plan: &Plan, out: &mut Vec<Observation>, series: &mut Vec<Series>, meters: &mut [MeterSet]) {
        for (spec, state) in plan.functions.iter().zip(self.state) {
            retry::observe(spec.component, &state.retriers, out);
            state
                .record
                .observe(spec, plan.window, out, series, &mut meters[spec.component as usize]);
            out.push(Observation {
                component: spec.component,
                metric: "instances.busy",
                value: state.instances.busy_levels(),
            });
        }
    }
}

const fn target(index: u16) -> Target {
    Target {
        kind: kind::FUNCTION,
        index,
    }
}

/// The initialisation that a cold start with this luck needs: the runtime's and the code's own.
fn draw_init(spec: &FunctionPlan, luck: Luck) -> Duration {
    let code = if spec.code_init.is_zero() {
        Duration::ZERO
    } else {
        spec.code_init.draw(&mut luck.dice(step::CODE_INIT))
    };
    spec.init.draw(&mut luck.dice(step::INIT)) + code
}

/// Whether an invocation that did all its work fails all the same.
#[inline(never)]
fn fails(spec: &FunctionPlan, entry: &Request) -> bool {
    // Whether handling a message fails is that message's luck, which its poller knows.
    let luckless = match entry.caller {
        Caller::Poller { .. } | Caller::Mapping { .. } => entry.frame.batch_fate == BatchFate::Doomed,
        Caller::Asynchronous { .. } if entry.frame.batch_fate == BatchFate::Doomed => true,
        _ => chance(&mut entry.luck.dice(step::FAILURE), spec.failure),
    };
    luckless || is_over(spec, entry)
}

/// Whether an invocation has used more CPU time than it may.
fn is_over(spec: &FunctionPlan, entry: &Request) -> bool {
    spec.platform.cpu_limit.is_some_and(|limit| entry.frame.cpu > limit)
}

impl Function {
    /// Replaces this share of the instances, each at its own moment within a while.
    fn replace(&mut self, share: f64, spread: Duration, now: Instant) {
        let dice = &mut self.recycle_dice;
        self.instances.retire(|| {
            let moment = now + Duration::from_nanos_f64(spread.0 as f64 * unit(dice));
            chance(dice, share).then_some(moment)
        });
    }

    /// Whoever counts sessions hears when instances are due, after changes to many at once.
    fn note_due(&mut self, spec: &FunctionPlan, cx: &mut Cx) {
        if self.scaled.is_none() {
            self.instances.note_due(spec, &mut cx.sessions);
        }
    }

    /// Takes an available instance for a request on demand. Without one it starts a new one, where the limits allow it.
    #[inline(always)]
    fn take_on_demand(&mut self, spec: &FunctionPlan, function: u16, key: Key, cx: &mut Cx) -> Option<Taken> {
        if !self.take_concurrency(spec, cx) {
            self.refuse_concurrency(spec, key, cx);
            return None;
        }
        let taken = self.instances.take(spec, cx.now(), &mut cx.sessions);
        if taken.is_none() {
            self.scale_out(spec, function, key, cx);
        }
        taken
    }

    /// There is no concurrency left for a request.
    #[cold]
    #[inline(never)]
    fn refuse_concurrency(&mut self, spec: &FunctionPlan, key: Key, cx: &mut Cx) {
        match spec.account.filter(|_| spec.reserved.is_none()) {
            // Who has it is known to all functions together.
            Some(account) => {
                cx.limits.ask(account);
                self.refuse(Throttle::Concurrency, key, cx);
            }
            None => self.throttle(Throttle::Concurrency, Limit::ReservedConcurrency, key, cx),
        }
    }

    /// Serves a request on a new instance, where the limits allow it.
    #[cold]
    fn scale_out(&mut self, spec: &FunctionPlan, function: u16, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let full = spec
            .maximum_instances
            .is_some_and(|most| self.instances.alive() >= most);
        if full || !self.scaling.as_mut().is_none_or(|bucket| bucket.take(now, 1)) {
            self.give_concurrency(spec, cx);
            let (why, limit) = if full {
                (Throttle::Concurrency, Limit::MaximumInstances)
            } else {
                (Throttle::Scaling, Limit::ScalingRate)
            };
            return self.throttle(why, limit, key, cx);
        }
        let instance = self.instances.create(spec, now);
        self.start_cold(spec, function, key, instance, true, cx);
    }

    #[inline]
    fn take_concurrency(&mut self, spec: &FunctionPlan, cx: &mut Cx) -> bool {
        let taken = match (spec.reserved, spec.account) {
            (Some(_), _) => {
                let some = self.reserved_free > 0;
                self.reserved_free -= i64::from(some);
                some
            }
            (None, Some(account)) => {
                let taken = cx.accounts[account as usize].take_concurrency();
                if taken && !self.known.outdated {
                    self.note_change(account, cx);
                }
                taken
            }
            (None, None) => true,
        };
        self.on_demand += u64::from(taken);
        taken
    }

    #[inline]
    fn give_concurrency(&mut self, spec: &FunctionPlan, cx: &mut Cx) {
        self.on_demand -= 1;
        match (spec.reserved, spec.account) {
            (Some(_), _) => self.reserved_free += 1,
            (None, Some(account)) => {
                cx.accounts[account as usize].give_concurrency();
                if !self.known.outdated {
                    self.note_change(account, cx);
                }
            }
            (None, None) => {}
        }
    }

    #[cold]
    fn throttle(&mut self, why: Throttle, limit: Limit, key: Key, cx: &mut Cx) {
        cx.hit(limit, target(cx.requests[key].worker), key);
        self.refuse(why, key, cx);
    }

    #[cold]
    fn refuse(&mut self, why: Throttle, key: Key, cx: &mut Cx) {
        self.record.throttled(why);
        cx.reply(key, Status::Throttled);
    }

    /// A request is not served: nobody waits for it any more.
    #[cold]
    fn drop_expired(&mut self, key: Key, cx: &mut Cx) {
        self.record.dropped += 1;
        cx.hit(Limit::Deadline, target(cx.requests[key].worker), key);
        cx.reply(key, Status::TimedOut);
    }

    /// A new instance, or one that must initialise again: the request waits for it.
    fn start_cold(&mut self, spec: &FunctionPlan, function: u16, key: Key, instance: u32, place: bool, cx: &mut Cx) {
        let entry = &mut cx.requests[key];
        entry.frame.instance = instance;
        entry.frame.cold = true;
        let start = entry.mark;
        if place {
            entry.spend(
                Cause::Placement,
                spec.placement.draw(&mut entry.luck.dice(step::PLACEMENT)),
            );
        }
        let placed = entry.mark;
        let init = draw_init(spec, entry.luck);
        if init > spec.init_limit {
            entry.spend(Cause::Init, spec.init_limit);
            cx.hit(Limit::InitLimit, target(function), key);
        } else {
            entry.spend(Cause::Init, init);
        }
        let entry = &mut cx.requests[key];
        entry.frame.prelude = entry.mark.since(placed);
        self.record.cold_started(entry.mark.since(start), entry.frame.prelude);
        let at = entry.mark;
        cx.agenda.at(
            at,
            Class::Release,
            crate::model::Event::Function(Event::Ready { function, request: key }),
        );
    }

    /// Starts a request on a provisioned instance.
    #[inline(never)]
    fn start_provisioned(&mut self, spec: &FunctionPlan, function: u16, key: Key, taken: Taken, cx: &mut Cx) {
        self.start(spec, function, key, taken, cx);
    }

    /// Starts a request on an instance that was available.
    #[inline(always)]
    fn start(&mut self, spec: &FunctionPlan, function: u16, key: Key, taken: Taken, cx: &mut Cx) {
        let (now, instance) = (cx.now(), taken.instance);
        if taken.spoiled {
            self.instances.initialise_again(instance, now);
            return self.start_cold(spec, function, key, instance, false, cx);
        }
        let entry = &mut cx.requests[key];
        entry.frame.instance = instance;
        entry.frame.started = now;
        entry.frame.step = spec.program.entry(entry.path);
        if !self.straight || entry.frame.batch_left > 0 {
            return self.start_timed(spec, function, key, cx);
        }
        // What most handlers do: they compute, and that is all.
        let at = program::run_through(&spec.program, entry, self.cpu);
        if at > now {
            self.wait_until(at, now + spec.timeout, function, instance, key, cx);
        } else {
            let status = entry.frame.worst;
            self.finish_early(spec, key, status, cx);
        }
    }

    /// The handler begins on an instance that has just been initialised.
    fn begin(&mut self, spec: &FunctionPlan, function: u16, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.frame.started = now;
        entry.frame.step = spec.program.entry(entry.path);
        if entry.frame.cold {
            // An init that was cut off at its limit is done again as a part of this invocation.
            let init = draw_init(spec, entry.luck);
            if init > spec.init_limit {
                entry.spend(Cause::Init, init);
            }
        }
        self.start_timed(spec, function, key, cx);
    }

    /// The handler begins; how long it takes is not known yet as a rule.
    #[inline(never)]
    fn start_timed(&mut self, spec: &FunctionPlan, function: u16, key: Key, cx: &mut Cx) {
        if self.timed {
            cx.after(
                self.time_limit,
                crate::model::Event::Function(Event::TimeLimit { function, request: key }),
            );
        }
        self.go_on(spec, function, key, cx);
    }

    /// Runs the handler until it needs something.
    fn go_on(&mut self, spec: &FunctionPlan, function: u16, key: Key, cx: &mut Cx) {
        match program::advance(cx, &spec.program, key, self.cpu) {
            Next::At(at) => {
                let frame = &cx.requests[key].frame;
                let (instance, limit) = (frame.instance, frame.started + spec.timeout);
                self.wait_until(at, limit, function, instance, key, cx);
            }
            Next::Compute(demand) => {
                let instance = cx.requests[key].frame.instance;
                if let Some(station) = self.instances.station(instance) {
                    station.add(cx.agenda.now(), demand, key);
                    self.schedule_cores(function, instance, cx);
                }
            }
            Next::Answers => {}
            Next::Done(status) if cx.requests[key].is_branch() => cx.reply(key, status),
            Next::Done(status) => self.finish_early(spec, key, status, cx),
        }
    }

    /// The handler goes on at `at`, unless its time is up before that.
    #[inline(always)]
    fn wait_until(&self, at: Instant, limit: Instant, function: u16, instance: u32, request: Key, cx: &mut Cx) {
        if at > limit && !self.timed {
            let event = Event::TimeLimit { function, request };
            cx.agenda.at(limit, Class::Timer, crate::model::Event::Function(event));
        } else {
            let event = crate::model::Event::Invocation {
                function,
                instance,
                request,
            };
            cx.agenda.at_often(at, Class::Release, event);
        }
    }

    fn schedule_cores(&mut self, function: u16, instance: u32, cx: &mut Cx) {
        let now = cx.now();
        if let Some(wake) = self.instances.station(instance).and_then(|station| station.wake(now)) {
            let event = Event::Cores {
                function,
                instance,
                epoch: wake.epoch,
            };
            cx.agenda
                .at(wake.at, Class::Release, crate::model::Event::Function(event));
        }
    }

    /// The handler is done without having waited.
    #[inline(never)]
    fn finish_early(&mut self, spec: &FunctionPlan, key: Key, status: Status, cx: &mut Cx) {
        self.finish(spec, cx.requests[key].frame.instance, key, status, cx);
    }

    /// The handler is done: bills it, frees the instance, answers.
    #[inline(always)]
    fn finish(&mut self, spec: &FunctionPlan, instance: u32, key: Key, status: Status, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        let provisioned = entry.frame.provisioned;
        let in_doubt = self.may_fail || entry.frame.batch_fate == BatchFate::Doomed;
        let status = if status.is_ok() && !(in_doubt && fails(spec, entry)) {
            Status::Ok
        } else {
            Status::Failed
        };
        self.record.finished(spec, entry, now, status);
        if self.scaled.is_some() {
            let function = entry.worker;
            self.leave(spec, function, instance, false, cx);
        } else {
            self.release(spec, instance, provisioned, now, cx);
        }
        if self.may_fail && is_over(spec, &cx.requests[key]) {
            cx.hit(Limit::CpuLimit, target(cx.requests[key].worker), key);
        }
        cx.reply(key, status);
    }

    /// Finds the idle instances whose time is up.
    fn reap(&mut self, spec: &FunctionPlan, cx: &mut Cx) {
        if self.scaled.is_some() {
            self.reap_scaled(spec, cx.now(), cx);
        } else {
            self.instances.reap(spec, cx.now(), &mut cx.sessions);
        }
    }

    /// An invocation ran out of time: it is cut off, and its instance must initialise again.
    fn cut_off(&mut self, spec: &FunctionPlan, key: Key, cx: &mut Cx) {
        let now = cx.now();
        cx.hit(Limit::TimeLimit, target(cx.requests[key].worker), key);
        let entry = &mut cx.requests[key];
        let (instance, provisioned) = (entry.frame.instance, entry.frame.provisioned);
        entry.cut_off_at(now);
        self.record.finished(spec, entry, now, Status::TimedOut);
        self.instances.spoil(instance, key, now);
        cx.sessions.close_all(spec.component, instance, now);
        if self.scaled.is_some() {
            // An instance that serves one request at a time is given up with it.
            let (function, alone) = (cx.requests[key].worker, spec.concurrency_per_instance == 1);
            self.leave(spec, function, instance, alone, cx);
        } else {
            self.release(spec, instance, provisioned, now, cx);
        }
        cx.reply(key, Status::Failed);
    }

    #[inline(always)]
    fn release(&mut self, spec: &FunctionPlan, instance: u32, provisioned: bool, now: Instant, cx: &mut Cx) {
        if provisioned {
            self.instances.vacate_provisioned(instance, now);
            if let Some(pool) = &mut self.provisioned
                && !pool.give_back(instance, now)
            {
                self.instances.remove_provisioned(spec, instance, now, &mut cx.sessions);
            }
        } else {
            self.give_concurrency(spec, cx);
            self.instances.give_back(spec, instance, now, &mut cx.sessions);
        }
    }
}
