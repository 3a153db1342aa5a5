//! The serverless world: a closed enum of events, one file per mechanism, and the loop that runs them.
//!
//! A mechanism's file owns it from top to bottom: its table of fields, its plan, its state, its handler, its meters.
//! Components never call one another: they hand requests over through the agenda, and see only [`Cx`].

pub mod handler;
pub mod mechanism;
pub mod parts;
pub mod request;
pub mod world;

use crate::kernel::{Agenda, Class, Duration, Instant, Key, Luck, Slab};
use crate::scenario::Target;
use handler::run as program;
use mechanism::{
    client, database, external, fleet, function, gateway, queue, schedule, store, stream, topic, workflow,
};
use program::Step;
use request::account::{self, Account};
use request::entry::{Caller, Cause, Frame, Request, Status};
use request::session::Sessions;
use request::{baggage, effects, fault, guard, hits as limits};

/// The kinds of components, as scenarios call them; [`Target::kind`] is an index into this.
pub const KINDS: &[&str] = &[
    "accounts",
    "clients",
    "gateways",
    "functions",
    "queues",
    "databases",
    "proxies",
    "fleets",
    "streams",
    "workflows",
    "stores",
    "externals",
    "topics",
    "schedules",
];

/// Index of a kind in [`KINDS`].
pub mod kind {
    /// Accounts.
    pub const ACCOUNT: u8 = 0;
    /// Clients.
    pub const CLIENT: u8 = 1;
    /// Gateways and load balancers.
    pub const GATEWAY: u8 = 2;
    /// Functions.
    pub const FUNCTION: u8 = 3;
    /// Queues.
    pub const QUEUE: u8 = 4;
    /// Databases.
    pub const DATABASE: u8 = 5;
    /// Connection proxies.
    pub const PROXY: u8 = 6;
    /// Fleets.
    pub const FLEET: u8 = 7;
    /// Streams.
    pub const STREAM: u8 = 8;
    /// Workflows.
    pub const WORKFLOW: u8 = 9;
    /// Stores.
    pub const STORE: u8 = 10;
    /// External services.
    pub const EXTERNAL: u8 = 11;
    /// Topics.
    pub const TOPIC: u8 = 12;
    /// Schedules.
    pub const SCHEDULE: u8 = 13;
}

/// What can happen. Closed and `Copy`; the agenda keeps it as two words ([`crate::kernel::pack`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A request reaches a component.
    Offer {
        /// The component.
        to: Target,
        /// The request.
        request: Key,
    },
    /// A request's current attempt has ended; whoever waits for it hears.
    Reply {
        /// The request.
        request: Key,
    },
    /// A client's backoff is over: the next attempt.
    Again {
        /// The client.
        client: u16,
        /// The request.
        request: Key,
    },
    /// The handler of a function can go on. It names the instance, so that instance and request come from memory
    /// together.
    Invocation {
        /// The function.
        function: u16,
        /// The instance that it runs on.
        instance: u32,
        /// The request.
        request: Key,
    },
    /// A request's handler can go on.
    Resume {
        /// The request.
        request: Key,
    },
    /// The caller of this request gives up, if it still waits.
    Deadline {
        /// The request.
        request: Key,
    },
    /// For a client.
    Client(client::Event),
    /// For a gateway.
    Gateway(gateway::Event),
    /// For a function.
    Function(function::Event),
    /// For a fleet.
    Fleet(fleet::Event),
    /// For a database.
    Database(database::Event),
    /// For a connection proxy.
    Proxy(database::proxy::Event),
    /// For a queue.
    Queue(queue::Event),
    /// For the queue of a function's asynchronous invocations.
    Asynchronous(function::asynchronous::Event),
    /// For a stream.
    Stream(stream::Event),
    /// For a workflow.
    Workflow(workflow::Event),
    /// For a store.
    Store(store::Event),
    /// For an external service.
    External(external::Event),
    /// For a topic.
    Topic(topic::Event),
    /// For a schedule.
    Schedule(schedule::Event),
    /// For a call with guards.
    Guard(guard::Event),
    /// A fault begins or ends.
    Fault(fault::Event),
    /// A window ends.
    Window,
    /// The warm-up ends: counting begins.
    WarmedUp,
    /// The run ends.
    Stop,
}

impl Event {
    /// The request without which this event means nothing, where that is so.
    pub const fn limits(self) -> Option<Key> {
        match self {
            Self::Deadline { request }
            | Self::Resume { request }
            | Self::Function(function::Event::TimeLimit { request, .. } | function::Event::Waited { request, .. })
            | Self::Gateway(gateway::Event::Deadline { request, .. })
            | Self::Workflow(workflow::Event::TimeLimit { request, .. })
            | Self::Database(database::Event::StatementTimeout { request })
            | Self::Proxy(database::proxy::Event::BorrowTimeout { request })
            | Self::Guard(guard::Event::Hedge { request, .. }) => Some(request),
            _ => None,
        }
    }
}

crate::kernel::pack::packed!(Event {
    Offer { to, request },
    Reply { request },
    Again { client, request },
    Invocation { function, instance, request },
    Resume { request },
    Deadline { request },
    Client(event),
    Gateway(event),
    Function(event),
    Fleet(event),
    Database(event),
    Proxy(event),
    Queue(event),
    Asynchronous(event),
    Stream(event),
    Workflow(event),
    Store(event),
    External(event),
    Topic(event),
    Schedule(event),
    Guard(event),
    Fault(event),
    Window,
    WarmedUp,
    Stop,
});

/// What a handler may use: the agenda, the requests, and what an account's components share.
#[derive(Debug)]
pub struct Cx {
    /// What happens next.
    pub agenda: Agenda<Event>,
    /// The requests in flight.
    pub requests: Slab<Request>,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The database sessions that instances hold.
    pub sessions: Sessions,
    /// What should happen once.
    pub effects: effects::Effects,
    /// What stands between callers and whom they call.
    pub guards: guard::Guards,
    /// What travels with requests.
    pub baggage: baggage::Baggage,
    /// Limits that were run into.
    pub limits: limits::Limits,
    /// What is broken.
    pub faults: fault::Faults,
}

impl Cx {
    /// The present.
    #[inline]
    pub fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// Hands `request` to the component `to` now.
    #[inline(always)]
    pub fn offer(&mut self, to: Target, request: Key) {
        self.agenda.hand_over(Event::Offer { to, request });
    }

    /// Hands `request` to the component `to` as an event, when the delays that are already accounted to it have passed:
    /// a function takes it into the queue of its asynchronous
    /// invocations and answers at once that it was accepted; others are called as by [`Cx::offer`]. Every sender that
    /// does not wait comes in here. Functions that are named in a new kind of sender must be marked as used in
    /// `build::event_targets`, so that they report about their events.
    #[inline]
    pub fn offer_async(&mut self, to: Target, request: Key) {
        if to.kind == kind::FUNCTION {
            let function = to.index;
            let event = Event::Asynchronous(function::asynchronous::Event::Accept { function, request });
            let at = self.requests[request].mark;
            if at <= self.now() {
                self.agenda.hand_over(event);
            } else {
                self.agenda.at(at, Class::Arrival, event);
            }
        } else {
            self.offer_at_mark(to, request);
        }
    }

    /// Hands `request` to the component `to` when the delays that are already accounted to it have passed.
    #[inline(always)]
    pub fn offer_at_mark(&mut self, to: Target, request: Key) {
        let at = self.requests[request].mark;
        if at <= self.now() {
            self.offer(to, request);
        } else {
            self.agenda.at(at, Class::Arrival, Event::Offer { to, request });
        }
    }

    /// Ends the current attempt of `request` now.
    #[inline(always)]
    pub fn reply(&mut self, request: Key, status: Status) {
        self.requests[request].status = status;
        self.agenda.hand_over(Event::Reply { request });
    }

    /// Lets the handler of `request` go on now.
    #[inline]
    pub fn resume(&mut self, request: Key) {
        self.agenda.hand_over(Event::Resume { request });
    }

    /// The next attempt of a request whose last one ended, `wait` from now on. It is a new entry, so that whatever
    /// still refers to the old attempt finds it gone.
    pub fn next_attempt(&mut self, request: Key, wait: Duration) -> Key {
        let mut next = self.requests[request];
        let bag = self.baggage.on.then(|| self.baggage.of(request));
        self.requests.remove(request);
        let cause = if next.status == Status::Throttled {
            Cause::Throttled
        } else {
            Cause::Backoff
        };
        next.attempt += 1;
        next.before = next.status;
        next.luck = next.luck.derive(ATTEMPT_STEP);
        next.status = Status::Ok;
        next.depth = 0;
        next.frame = Frame::default();
        next.spend(cause, wait);
        let key = self.requests.insert(next);
        if let Some(bag) = bag {
            self.baggage.put(key, bag);
        }
        key
    }

    /// The caller of `request`, or gateway number `hop` on its way, gives up now: the work goes on as an orphan, and
    /// the caller's side, a new entry, hears `status`.
    pub fn give_up(&mut self, request: Key, hop: Option<u8>, status: Status) {
        let now = self.now();
        let callers = self.requests[request].give_up(hop, now);
        let key = self.requests.insert(callers);
        if self.baggage.on {
            self.carry_over(request, key);
        }
        self.reply(key, status);
    }

    /// What happens at a caller's deadline: if it still waits for `request`, it gives up.
    pub fn deadline(&mut self, request: Key) {
        if self.requests.contains(request) && self.requests[request].caller != Caller::Nobody {
            self.give_up(request, None, Status::TimedOut);
        }
    }
}

/// The part of a luck that each further attempt derives.
const ATTEMPT_STEP: u64 = 1 << 34;

impl Luck {
    /// The luck of a request's first attempt, which all its attempts have in common, from that of its attempt number
    /// `attempt`.
    #[must_use]
    pub fn first_attempt(self, attempt: u8) -> Self {
        (0..attempt).fold(self, |luck, _| luck.underive(ATTEMPT_STEP))
    }
}

/// A component of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// Which one, by kind.
    pub target: Target,
    /// Its name in the scenario.
    pub name: String,
    /// The service whose prices apply, such as `aws.lambda`.
    pub service: Option<String>,
    /// What selects among the service's prices, such as (`architecture`, `arm`).
    pub attributes: Vec<(String, String)>,
}

/// A scenario, checked: names are numbers, everything is consistent, nothing changes any more. Shared by all runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// All components; metrics and meters refer to them by their place here.
    pub components: Vec<Component>,
    /// Length of a run, the warm-up included.
    pub length: Duration,
    /// How much of it is not measured.
    pub warmup: Duration,
    /// Length of a window of the timelines.
    pub window: Duration,
    /// Percentiles that are reported of every distribution, beside the usual ones.
    pub percentiles: Vec<f64>,
    /// The master seed.
    pub seed: u64,
    /// Accounts.
    pub accounts: Vec<account::AccountPlan>,
    /// Clients.
    pub clients: Vec<client::ClientPlan>,
    /// Gateways.
    pub gateways: Vec<gateway::GatewayPlan>,
    /// Functions.
    pub functions: Vec<function::plan::FunctionPlan>,
    /// Fleets.
    pub fleets: Vec<fleet::plan::FleetPlan>,
    /// Databases.
    pub databases: Vec<database::plan::DatabasePlan>,
    /// Connection proxies.
    pub proxies: Vec<database::proxy::ProxyPlan>,
    /// Queues.
    pub queues: Vec<queue::plan::QueuePlan>,
    /// Streams.
    pub streams: Vec<stream::plan::StreamPlan>,
    /// Workflows.
    pub workflows: Vec<workflow::plan::WorkflowPlan>,
    /// Stores.
    pub stores: Vec<store::fields::StorePlan>,
    /// External services.
    pub externals: Vec<external::ExternalPlan>,
    /// Topics.
    pub topics: Vec<topic::TopicPlan>,
    /// Schedules.
    pub schedules: Vec<schedule::SchedulePlan>,
    /// Calls that have guards.
    pub guards: Vec<guard::GuardPlan>,
    /// Whether anybody looks at what travels with requests.
    pub baggage: bool,
    /// Faults.
    pub faults: Vec<fault::FaultPlan>,
}

impl Plan {
    /// What feeds a function and gets something from it, with how much it always gets for each: queues, and the
    /// function itself as an asynchronous one. Handlers with a way around some of their steps are left out.
    pub fn loops(&self, function: u16) -> impl Iterator<Item = (Target, usize)> + '_ {
        let program = &self.functions[usize::from(function)].program;
        let always = |step: &Step| matches!(step, Step::Cpu(_) | Step::Wait(_) | Step::Send(_) | Step::End);
        let straight = program.entries.is_empty() && program.steps.iter().all(always);
        let target = |kind, index| Target { kind, index };
        let polled = self.queues.iter().zip(0..).filter(move |(queue, _)| {
            let poller = queue.poller.as_ref();
            straight && poller.is_some_and(|poller| poller.to == function)
        });
        let itself = straight.then_some(target(kind::FUNCTION, function));
        let sources = polled.map(move |(_, index)| target(kind::QUEUE, index)).chain(itself);
        let copies = |to: Target| {
            let sends = |step: &&Step| matches!(step, Step::Send(call) if program.calls[usize::from(*call)].to == to);
            program.steps.iter().filter(sends).count()
        };
        sources.map(move |source| (source, copies(source)))
    }

    /// The function that works on what a component holds and always sends that component several more for each.
    pub fn multiplier(&self, component: u32) -> Option<u16> {
        let held = self.components.get(component as usize)?.target;
        let multiplies = |index: &u16| self.loops(*index).any(|(source, copies)| source == held && copies > 1);
        (0..self.functions.len() as u16).find(multiplies)
    }

    /// How long a component keeps what nobody works on, if it is a queue or a function that is invoked asynchronously.
    pub fn kept(&self, component: u32) -> Option<Duration> {
        let Target { kind, index } = self.components.get(component as usize)?.target;
        match kind {
            kind::QUEUE => Some(self.queues[usize::from(index)].retention),
            kind::FUNCTION => Some(self.functions[usize::from(index)].asynchronous.maximum_age),
            _ => None,
        }
    }

    /// How many components there are that count sessions: databases first, then proxies, then stores that do.
    pub fn session_hosts(&self) -> usize {
        let stores = self.stores.iter().filter(|store| store.connections.is_some());
        self.databases.len() + self.proxies.len() + stores.count()
    }

    /// The call of a handler that a request is, if it is one.
    pub fn call(&self, request: Key, cx: &Cx) -> Option<&program::CallPlan> {
        let entry = &cx.requests[request];
        let (worker_kind, worker) = match entry.caller {
            Caller::Handler(parent) if cx.requests.contains(parent) => {
                let host = &cx.requests[parent];
                (host.worker_kind, host.worker)
            }
            Caller::Hedged { call, .. } if cx.requests.contains(call) => return self.call(call, cx),
            // Sent without waiting: until somebody takes it, it carries its sender.
            Caller::Nobody => (entry.worker_kind, entry.worker),
            _ => return None,
        };
        let (_, program) = self.worker(worker_kind, worker)?;
        program.calls.get(entry.call as usize)
    }

    /// What runs handlers: the number among all components and the handler, of the component `worker` of the kind
    /// `worker_kind`.
    #[inline]
    pub fn worker(&self, worker_kind: u8, worker: u16) -> Option<(u32, &program::Program)> {
        match worker_kind {
            kind::FUNCTION => self
                .functions
                .get(worker as usize)
                .map(|function| (function.component, &function.program)),
            kind::FLEET => {
                let fleet = self.fleets.get(worker as usize);
                fleet.map(|fleet| (fleet.component, &fleet.program))
            }
            _ => None,
        }
    }
}
