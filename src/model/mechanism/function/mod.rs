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

mod metrics;
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
mod work;

pub use event::Event;

use crate::kernel::number::fit;
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck, Pack, Stream, StreamKey};
use crate::model::handler::run as program;
use crate::model::handler::run::{Cpu, Program};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::common::{Common, Profile};
use crate::model::request::desk::{self, Cx};
use crate::model::request::entry::{BatchFate, Caller, Cause, Request};
use crate::model::request::fault::{Change, Quota};
use crate::model::request::guard;
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::model::request::retry::{self, Retrier};
use crate::scenario::{Block, Table, Target};
use crate::stats::Observation;
use asynchronous::AsyncQueues;
use instance::Instances;
use plan::FunctionPlan;
use provisioned::Provisioned;
use quota::Known;
use record::{Record, Throttle};
use scaled::Scaled;

/// Steps of a luck, far from handler steps.
mod step {
    use crate::kernel::Purpose;

    pub const PLACEMENT: u64 = Purpose::Placement.step();
    pub const INIT: u64 = Purpose::Init.step();
    pub const FAILURE: u64 = Purpose::FunctionFailure.step();
    pub const CODE_INIT: u64 = Purpose::CodeInit.step();
}

/// With more requests in flight than this, they do not stay in the nearest caches.
const MANY: usize = 1_000;

/// One function while the simulation runs.
#[derive(Debug)]
struct Function {
    /// Its number among the functions.
    index: Id<FUNCTION>,
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
    /// The queues of their asynchronous invocations.
    asynchronous: AsyncQueues,
}

impl Mechanism for Functions {
    const TABLE: &'static Table = &fields::TABLE;
    const HARM: Harm = Harm {
        slow: true,
        zones: true,
        recycle: true,
        quotas: &[("reserved_concurrency", Quota::ReservedConcurrency)],
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS, guard::METRICS];
    type Id = Id<FUNCTION>;
    type Plan = FunctionPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<FunctionPlan> {
        let plan = FunctionPlan::read(block, reading);
        reading.attributes.extend(fields::attributes(block));
        Some(plan)
    }

    fn profile(plan: &FunctionPlan) -> Profile {
        Profile {
            warm: plan.initial.count,
            reaped: true,
            sets_aside: plan.account.map(|account| (account, plan.set_aside())),
            payload_limit: plan.payload_limit,
            failure: plan.failure,
            timeout: plan.timeout,
            ..plan.program.profile()
        }
    }

    fn callees(_: &FunctionPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(plan: &FunctionPlan) -> Vec<Sent> {
        let sent = plan.program.sent().into_iter();
        let sent = sent.map(|to| Sent::event("what is sent by", to));
        let outcomes = plan.asynchronous.destinations();
        sent.chain(outcomes.map(|to| Sent::event("outcomes of", to))).collect()
    }

    fn handler(plan: &mut FunctionPlan) -> Option<&mut Program> {
        Some(&mut plan.program)
    }

    fn link(plan: &mut FunctionPlan, own: Target, common: &Common) {
        let mut calls = plan.program.calls.iter();
        plan.holds_sessions = calls.any(|call| common.profile(call.to).counts_sessions);
        plan.asynchronous.used = common.profile(own).gets_events;
    }

    fn usual(plan: &FunctionPlan, _: Quota) -> Option<f64> {
        plan.reserved.map(|count| count as f64)
    }

    fn zones(plan: &FunctionPlan) -> (u16, Option<Duration>) {
        (plan.zones, None)
    }

    fn accept(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, request: Key, cx: &mut Cx) {
        self.asynchronous.accept(plan, function, request, cx);
    }

    fn delivered(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, event: u32, request: Key, cx: &mut Cx) {
        self.asynchronous.answered(plan, function, event, request, cx);
    }

    fn resume(&mut self, plan: &[FunctionPlan], request: Key, cx: &mut Cx) {
        let function = cx.requests[request].worker_id();
        self.state[usize::from(function)].go_on(&plan[usize::from(function)], function, request, cx);
    }

    fn reap(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, cx: &mut Cx) {
        self.state[usize::from(function)].reap(&plan[usize::from(function)], cx);
    }

    fn change(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, change: Change, cx: &mut Cx) {
        self.suffer(plan, function, change, cx);
    }

    fn holdings(&self, plan: &[FunctionPlan]) -> Vec<Holding> {
        self.asynchronous.holdings(plan).collect()
    }

    fn held(&self, plan: &[FunctionPlan], hold: &mut dyn FnMut(Lineage, End)) {
        self.asynchronous.held(plan, hold);
    }

    fn new(plan: &[FunctionPlan], run: u64, cx: &mut Cx) -> Self {
        let mut functions = Self {
            state: Vec::with_capacity(plan.len()),
            asynchronous: AsyncQueues::new(plan),
        };
        for (index, spec) in plan.iter().enumerate() {
            let function = Id::new(index);
            let shared = spec.concurrency_per_instance > 1;
            let dice = |purpose| Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, purpose));
            let pool = spec
                .account
                .map_or(u64::MAX, |account| cx.plan.accounts[usize::from(account)].concurrency);
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
                record: Record::with_room(cx.plan.windows()),
            });
            for (i, recycle) in spec.recycles.iter().enumerate() {
                let event = Event::Recycle {
                    function,
                    index: fit(i),
                };
                cx.at(recycle.at, Class::Timer, event);
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

    #[inline(always)]
    fn offer(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(function)];
        let state = &mut self.state[usize::from(function)];
        let now = cx.now();
        state.record.offered += 1;
        let entry = &mut cx.requests[key];
        entry.taken_by(function.target());
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

    #[inline(always)]
    fn handle(&mut self, event: Event, plan: &[FunctionPlan], cx: &mut Cx) {
        if let Event::Invocation {
            function,
            instance,
            request,
        } = event
        {
            self.invocation(plan, function, instance, request, cx);
        } else {
            self.handle_rare(event, plan, cx);
        }
    }

    fn answered(&mut self, plan: &[FunctionPlan], child: Key, parent: Key, cx: &mut Cx) {
        let function = cx.requests[parent].worker_id();
        let spec = &plan[usize::from(function)];
        let state = &mut self.state[usize::from(function)];
        if program::answered(cx, &spec.program, &mut state.retriers, child, parent) {
            state.go_on(spec, function, parent, cx);
        }
    }

    fn close_window(&mut self, plan: &[FunctionPlan], cx: &mut Cx) {
        let now = cx.now();
        for (spec, state) in plan.iter().zip(&mut self.state) {
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
        self.asynchronous.close_window(now);
    }

    fn reset(&mut self, plan: &[FunctionPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.record.reset();
            state.instances.forget_levels();
            state.retriers.iter_mut().for_each(Retrier::reset);
        }
        self.asynchronous.forget();
    }

    fn observe(self, plan: &[FunctionPlan], report: &mut Report) {
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
            out.push(Observation {
                component: spec.component,
                metric: "instances.busy",
                value: state.instances.busy_levels(),
            });
        }
        self.asynchronous.observe(plan, report);
    }
}

impl Functions {
    /// Handles what happens less often than invocations.
    #[inline(never)]
    fn handle_rare(&mut self, event: Event, plan: &[FunctionPlan], cx: &mut Cx) {
        let now = cx.now();
        match event {
            Event::Invocation { .. } => unreachable!("invocations are handled before"),
            Event::Ready { function, request } => {
                let spec = &plan[usize::from(function)];
                let state = &mut self.state[usize::from(function)];
                state.instances.initialised(cx.requests[request].frame.instance, now);
                state.begin(spec, function, request, cx);
            }
            Event::TimeLimit { function, request } => {
                if cx.requests.contains(request) {
                    let spec = &plan[usize::from(function)];
                    self.state[usize::from(function)].cut_off(spec, request, cx);
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
            Event::Expire { function, event } => self.asynchronous.expire(plan, function, event, cx),
            Event::Up { .. } | Event::Pull { .. } | Event::Waited { .. } | Event::Scale { .. } => {
                self.handle_scaled(event, plan, cx);
            }
            Event::Scheduled { function, .. } | Event::Prepared { function, .. } | Event::Tracked { function } => {
                let spec = &plan[usize::from(function)];
                let state = &mut self.state[usize::from(function)];
                if let Some(provisioned) = &mut state.provisioned {
                    provisioned.handle(event, function, spec, &mut state.instances, cx);
                }
            }
        }
    }

    fn handle_scaled(&mut self, event: Event, plan: &[FunctionPlan], cx: &mut Cx) {
        let (Event::Up { function, .. }
        | Event::Pull { function }
        | Event::Waited { function, .. }
        | Event::Scale { function }) = event
        else {
            return;
        };
        let (spec, state) = (&plan[usize::from(function)], &mut self.state[usize::from(function)]);
        match event {
            Event::Up { instance, .. } => state.up(spec, function, instance, cx),
            Event::Waited { request, .. } => state.waited(spec, request, cx),
            Event::Scale { .. } => state.scale(spec, function, cx),
            _ => state.pull(spec, function, cx),
        }
    }

    /// The handler of a request on an instance can go on, if it has not been cut off.
    #[inline]
    fn invocation(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, instance: u32, key: Key, cx: &mut Cx) {
        if cx.agenda.coming().len() > 0 && cx.requests.len() > MANY {
            self.look_ahead(cx);
        }
        let spec = &plan[usize::from(function)];
        let state = &mut self.state[usize::from(function)];
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
            let Some(Event::Invocation {
                function,
                instance,
                request,
            }) = desk::Event::unpack(words).of()
            else {
                continue;
            };
            read ^= cx.requests.get(request).map_or(0, Request::read);
            read ^= self.state[usize::from(function)].instances.read(instance);
        }
        std::hint::black_box(read);
    }

    /// Replaces a share of the instances, each at its own moment within the spread.
    fn recycle(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, index: u16, cx: &mut Cx) {
        let spec = &plan[usize::from(function)];
        let state = &mut self.state[usize::from(function)];
        let recycle = spec.recycles[index as usize];
        let now = cx.now();
        state.replace(recycle.share, recycle.spread, now);
        state.note_due(spec, cx);
        if let Some(every) = recycle.every {
            cx.at(now + every, Class::Timer, Event::Recycle { function, index });
        }
    }

    /// Something on an instance's shared cores may be done.
    fn cores(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, instance: u32, epoch: u32, cx: &mut Cx) {
        let spec = &plan[usize::from(function)];
        let now = cx.now();
        let state = &mut self.state[usize::from(function)];
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

    /// Instances alive now, by function (for tests and for warm-up detection).
    pub fn alive(&self) -> impl Iterator<Item = u64> + '_ {
        self.state.iter().map(|state| state.instances.alive())
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
        _ if entry.is_fetched() => entry.frame.batch_fate == BatchFate::Doomed,
        Caller::Sender { .. } if entry.frame.batch_fate == BatchFate::Doomed => true,
        _ => chance(&mut entry.luck.dice(step::FAILURE), spec.failure),
    };
    luckless || is_over(spec, entry)
}

/// Whether an invocation has used more CPU time than it may.
fn is_over(spec: &FunctionPlan, entry: &Request) -> bool {
    spec.platform.cpu_limit.is_some_and(|limit| entry.frame.cpu > limit)
}
