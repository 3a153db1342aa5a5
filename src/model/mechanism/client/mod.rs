//! Clients: where requests come from, when callers give up, and how they try again.
//!
//! Model: an open client sends requests at the instants of an arrival process, whatever becomes of the earlier ones; a
//! closed one has a number of users who each wait for the answer and then think. Each request gets its dice when it is
//! made. A request ends when it is answered well, or when its attempts are used up; its latency runs from the first
//! attempt to that end, failed requests included.
//! Not modelled: users who go away for good; clients that share one retry budget.
//! Units: latency in nanoseconds from the client's side, the network included if the client has one.
//! Sources: retry policies in `retry`; Schroeder, Wierman and Harchol-Balter, "Open versus closed" (NSDI 2006).
//! Validated by: M/M/c, M/G/1 (open), machine-repairman (closed) in tests/theory; retry traces by hand.

mod metrics;
pub mod arrivals;
pub mod counts;
pub mod diurnal;
pub mod fields;
pub mod path;
pub mod recorded;

use self::path::{PathMetrics, PathRecord};
use crate::kernel::number::whole;
use crate::kernel::stream::unit;
use crate::kernel::{
    Class, Duration, Instant, Key, LaneId, Luck, Purpose, Sampler, SourceId, Stream, StreamKey, Ticket,
};
use crate::model::mechanism::contract::{Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::request::baggage::{Bag, Criticality};
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::entry::{Caller, Cause, Request};
use crate::model::request::flow::Flow;
use crate::model::request::guard::{self, Guarding};
use crate::model::request::id::GuardId;
use crate::model::request::id::Id;
use crate::model::request::kind::CLIENT;
use crate::model::request::lineage::{End, Lineage, meanings};
use crate::model::request::meaning::Meaning;
use crate::model::request::retry::{self, Retrier, RetryPolicy};
use crate::scenario::{Block, Table, Target};
use arrivals::{ArrivalPlan, Arrivals, Rows};
use rand::Rng;

/// Who sends, and when.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// An arrival process; each arrival brings a batch of requests if there is a sampler for its size.
    Open {
        /// When.
        arrivals: ArrivalPlan,
        /// How many at once.
        batch: Option<Sampler>,
        /// How often what its rates do once comes in a month, if that is said.
        per_month: Option<f64>,
    },
    /// Users who send, wait and think.
    Closed {
        /// How many.
        users: u32,
        /// How long they think after an answer.
        think: Sampler,
    },
}

/// A client, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientPlan {
    /// Its number among all components.
    pub component: u32,
    /// Its name's part of every stream key.
    pub name: String,
    /// Where its requests go.
    pub to: Target,
    /// Who sends, and when.
    pub load: Load,
    /// When it gives up on an attempt.
    pub timeout: Duration,
    /// How it tries again.
    pub retry: RetryPolicy,
    /// What stands between it and whom it calls, and the number of that.
    pub guarding: Guarding,
    /// See [`ClientPlan::guarding`].
    pub guard: Option<GuardId>,
    /// Whether it has guards, or somebody looks at what travels with requests.
    pub careful: bool,
    /// Whether its units of work are followed.
    pub follows: bool,
    /// How much its requests matter.
    pub criticality: Criticality,
    /// Round-trip time of the network; half of it passes each way.
    pub network: Sampler,
    /// Bytes of a request.
    pub payload: Option<Sampler>,
    /// Whether nobody waits for its answers: left out of the latency of the whole system.
    pub background: bool,
    /// The paths it asks for: (cumulative probability, path number).
    pub paths: Vec<(f64, u16)>,
    /// What the metrics of each of these are called.
    pub path_metrics: Vec<PathMetrics>,
}

impl ClientPlan {
    /// What its requests bring, if they were recorded with that.
    pub fn rows(&self) -> Option<&Rows> {
        match &self.load {
            Load::Open {
                arrivals: ArrivalPlan::Times(recording),
                ..
            } => recording.rows.as_deref(),
            _ => None,
        }
    }

    /// Whether it was recorded how long each request took.
    pub fn records_durations(&self) -> bool {
        self.rows().is_some_and(|rows| !rows.durations.is_empty())
    }

    /// Whether it was recorded how large each request was.
    pub fn records_sizes(&self) -> bool {
        self.rows().is_some_and(|rows| !rows.sizes.is_empty())
    }
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The next arrival of an open client.
    Arrive {
        /// The client.
        client: Id<CLIENT>,
    },
    /// A backoff is over: the next attempt.
    Again {
        /// The client.
        client: Id<CLIENT>,
        /// The request.
        request: Key,
    },
    /// A user has finished thinking.
    Think {
        /// The client.
        client: Id<CLIENT>,
        /// The user.
        user: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Arrive { client },
    Again { client, request },
    Think { client, user },
});

/// The step of a luck that the path is drawn from.
const PATH_STEP: u64 = Purpose::Path.step();
/// The step of a luck that the network's time is drawn from.
const NETWORK_STEP: u64 = Purpose::Network.step();
/// The step of a luck that a user's thinking is drawn from.
const THINK_STEP: u64 = Purpose::Think.step();
/// The step of a luck that says how far a user has thought at the start.
const START_STEP: u64 = Purpose::Begin.step();

/// One client while the simulation runs.
#[derive(Debug)]
struct Client {
    arrivals: Option<Arrivals>,
    source: SourceId,
    timeout: LaneId,
    /// Whether the network takes time.
    remote: bool,
    /// When requests come.
    arrival_dice: Stream,
    /// What they bring.
    luck_dice: Stream,
    retrier: Retrier,
    flow: Flow,
    /// The same by path.
    by_path: Vec<PathRecord>,
    sent: u64,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    state: Vec<Client>,
    /// The client whose arrival was popped last, if its next one is not on the agenda yet.
    arrived: Option<(Id<CLIENT>, Ticket)>,
}

impl Mechanism for Clients {
    const TABLE: &'static Table = &fields::TABLE;
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS, guard::METRICS, meanings::METRICS];
    type Id = Id<CLIENT>;
    type Plan = ClientPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<ClientPlan> {
        ClientPlan::read(block, reading)
    }

    fn profile(plan: &ClientPlan) -> Profile {
        Profile {
            payload: plan.payload.clone(),
            takes_recorded: plan.records_sizes(),
            ..Profile::default()
        }
    }

    fn callees(_: &ClientPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(_: &ClientPlan) -> Vec<Sent> {
        Vec::new()
    }

    fn new(plan: &[ClientPlan], run: u64, cx: &mut Cx) -> Self {
        let mut clients = Self {
            state: Vec::with_capacity(plan.len()),
            arrived: None,
        };
        for spec in plan {
            let mut arrival_dice = Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, "arrivals"));
            let luck_dice = Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, "luck"));
            let arrivals = match &spec.load {
                Load::Open { arrivals, .. } => Some(Arrivals::new(arrivals, &mut arrival_dice)),
                Load::Closed { .. } => None,
            };
            clients.state.push(Client {
                arrivals,
                source: cx.agenda.source(),
                timeout: cx.agenda.lane(spec.timeout, Class::Timer),
                remote: !spec.network.is_zero(),
                arrival_dice,
                luck_dice,
                retrier: Retrier::new(spec.retry),
                flow: Flow::with_room(cx.plan.windows()),
                by_path: vec![PathRecord::default(); spec.path_metrics.len()],
                sent: 0,
            });
        }
        clients
    }

    fn begin(&mut self, plan: &[ClientPlan], cx: &mut Cx) {
        for ((spec, state), client) in plan.iter().zip(&mut self.state).zip(Id::all()) {
            state.begin(spec, client, cx);
        }
    }

    fn offer(&mut self, _: &[ClientPlan], _: Id<CLIENT>, _: Key, _: &mut Cx) {
        unreachable!("nobody calls a client")
    }

    fn holdings(&self, _: &[ClientPlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[ClientPlan], _: &mut dyn FnMut(Lineage, End)) {}

    #[inline(always)]
    fn handle(&mut self, event: Event, plan: &[ClientPlan], cx: &mut Cx) {
        if let Event::Arrive { client } = event {
            self.arrived = Some((client, cx.agenda.ticket()));
            self.state[usize::from(client)].arrive(&plan[usize::from(client)], client, cx);
        } else {
            self.handle_rare(event, plan, cx);
        }
    }

    fn close_window(&mut self, _: &[ClientPlan], _: &mut Cx) {
        self.state.iter_mut().for_each(|client| client.flow.close_window());
    }

    /// A window that is not full is not compared with the others.
    fn close_last_window(&mut self, _: &[ClientPlan], _: &mut Cx) {}

    fn reset(&mut self, _: &[ClientPlan], cx: &mut Cx) {
        for client in &mut self.state {
            client.flow.reset(cx.now());
            client.by_path.fill(PathRecord::default());
            client.retrier.reset();
            client.sent = 0;
        }
    }

    fn observe(self, plan: &[ClientPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            flows,
            ..
        } = report;
        for (spec, client) in plan.iter().zip(self.state) {
            retry::observe(spec.component, &[client.retrier], out);
            flows.push(client.flow.observe(spec.component, *window, out, series));
            path::observe(spec, client.by_path, out);
        }
    }
}

impl Clients {
    /// Puts the next arrival of the client whose last one was popped on the agenda, before anything else that is due.
    /// That it is done after what was handed over lets the processor work on it while it waits for the request's dice:
    /// the two have nothing to do with each other.
    #[inline(always)]
    pub fn set_next_arrival(&mut self, plan: &[ClientPlan], cx: &mut Cx) {
        if let Some((client, ticket)) = self.arrived.take()
            && let Load::Open { arrivals, .. } = &plan[usize::from(client)].load
        {
            self.state[usize::from(client)].schedule(arrivals, ticket, client, cx);
        }
    }

    /// An attempt has ended: tries again or records the request.
    #[inline(always)]
    pub fn answered_client(&mut self, plan: &[ClientPlan], client: Id<CLIENT>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(client)];
        let state = &mut self.state[usize::from(client)];
        let now = cx.now();
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        // The copies of a hedged request have come back by themselves.
        if state.remote && entry.status.is_answer() && spec.guarding.hedge.is_none() {
            let round_trip = spec.network.draw(&mut entry.luck.dice(NETWORK_STEP));
            entry.spend(Cause::Network, Duration(round_trip.0.div_ceil(2)));
        }
        let entry = match spec.guard {
            Some(guard) => {
                cx.guarded_ended(guard, key);
                &mut cx.requests[key]
            }
            None => entry,
        };
        if let Some(wait) = state.retrier.after(entry) {
            let again = cx.next_attempt(key, wait);
            let at = cx.requests[again].mark;
            cx.at(at, Class::Arrival, Event::Again { client, request: again });
            return;
        }
        state.flow.record(entry);
        if !state.by_path.is_empty() {
            path::record(&mut state.by_path, spec, entry);
        }
        if let (Load::Closed { think, .. }, Caller::User { client, user }) = (&spec.load, entry.caller) {
            let at = entry.mark + think.draw(&mut entry.luck.dice(THINK_STEP));
            cx.at(at, Class::Arrival, Event::Think { client, user });
        }
        cx.requests.remove_answered(key, spec.component);
    }

    /// Handles what happens less often than arrivals.
    #[inline(never)]
    fn handle_rare(&mut self, event: Event, plan: &[ClientPlan], cx: &mut Cx) {
        match event {
            Event::Arrive { .. } => unreachable!("arrivals are handled before"),
            Event::Again { client, request } => {
                self.state[usize::from(client)].send(&plan[usize::from(client)], request, cx);
            }
            Event::Think { client, user } => {
                let state = &mut self.state[usize::from(client)];
                let caller = Caller::User { client, user };
                state.start(&plan[usize::from(client)], caller, cx);
            }
        }
    }

    /// Requests that ended since counting began.
    pub fn ended(&self) -> u64 {
        self.state.iter().map(|client| client.flow.ended()).sum()
    }

    /// Requests begun since counting began.
    pub fn started(&self) -> u64 {
        self.state.iter().map(|client| client.flow.offered()).sum()
    }
}

impl Client {
    fn begin(&mut self, spec: &ClientPlan, client: Id<CLIENT>, cx: &mut Cx) {
        match &spec.load {
            Load::Open { arrivals, .. } => {
                let ticket = cx.agenda.ticket();
                self.schedule(arrivals, ticket, client, cx);
            }
            Load::Closed { users, think } => {
                // Users start spread over one thinking time, not all at once. Where it is always the same, they have
                // thought for a part of it already.
                let always = think.as_constant().is_some();
                for user in 0..*users {
                    let luck = Luck(self.luck_dice.next_u64());
                    let whole = think.draw(&mut luck.dice(THINK_STEP));
                    let wait = if always {
                        Duration::from_nanos_f64(whole.0 as f64 * unit(&mut luck.dice(START_STEP)))
                    } else {
                        whole
                    };
                    let event = Event::Think { client, user };
                    cx.at(Instant::ZERO + wait, Class::Arrival, event);
                }
            }
        }
    }

    #[inline(always)]
    fn schedule(&mut self, plan: &ArrivalPlan, ticket: Ticket, client: Id<CLIENT>, cx: &mut Cx) {
        if let Some(arrivals) = &mut self.arrivals {
            let at = arrivals.next(plan, cx.agenda.now(), &mut self.arrival_dice);
            let event = Event::Arrive { client };
            cx.agenda.next_arrival_at(ticket, self.source, at, event.into());
        }
    }

    #[inline(always)]
    fn arrive(&mut self, spec: &ClientPlan, client: Id<CLIENT>, cx: &mut Cx) {
        match &spec.load {
            Load::Open { batch: None, .. } => self.start(spec, Caller::Client(client), cx),
            Load::Open { batch: Some(size), .. } => self.arrive_together(size, spec, client, cx),
            Load::Closed { .. } => {}
        }
    }

    /// Several requests arrive at once.
    #[inline(never)]
    fn arrive_together(&mut self, size: &Sampler, spec: &ClientPlan, client: Id<CLIENT>, cx: &mut Cx) {
        let count = whole(libm::round(size.value(&mut self.luck_dice)).max(0.0)).min(fields::BATCH_MAX);
        for _ in 0..count {
            self.start(spec, Caller::Client(client), cx);
        }
    }

    #[inline(always)]
    fn start(&mut self, spec: &ClientPlan, caller: Caller, cx: &mut Cx) {
        self.flow.arrive();
        let luck = Luck(self.luck_dice.next_u64());
        let mut request = Request::new(caller, luck, cx.now());
        if !spec.paths.is_empty() {
            request.path = choose_path(&spec.paths, luck);
        }
        let key = cx.requests.insert(request);
        if spec.careful {
            if spec.follows {
                cx.requests.arrives(key, spec.component, cx.agenda.now());
            }
            self.note_recorded(spec, key, cx);
        }
        self.send(spec, key, cx);
    }

    /// Notes what was recorded of a request that has just come.
    #[cold]
    fn note_recorded(&self, spec: &ClientPlan, key: Key, cx: &mut Cx) {
        if let (Load::Open { arrivals: plan, .. }, Some(arrivals)) = (&spec.load, &self.arrivals)
            && cx.baggage.on
            && let Some(recorded) = arrivals.brings(plan)
        {
            let bag = Bag {
                recorded,
                ..Bag::default()
            };
            cx.baggage.put(key, bag);
        }
    }

    /// Sends an attempt now.
    #[inline(always)]
    fn send(&mut self, spec: &ClientPlan, key: Key, cx: &mut Cx) {
        self.sent += 1;
        if spec.careful {
            pack(spec, key, cx);
            if let Some(guard) = spec.guard {
                return cx.attempt_guarded(guard, key);
            }
        }
        cx.after(self.timeout, Desk::Deadline { request: key });
        if !self.remote {
            return cx.offer(spec.to, key);
        }
        let entry = &mut cx.requests[key];
        let round_trip = spec.network.draw(&mut entry.luck.dice(NETWORK_STEP));
        entry.spend(Cause::Network, Duration(round_trip.0 / 2));
        let at = entry.mark;
        cx.offer_at(at, spec.to, key);
    }
}

/// What a request carries.
#[cold]
fn pack(spec: &ClientPlan, key: Key, cx: &mut Cx) {
    if !cx.baggage.on {
        return;
    }
    // A guarded attempt may have to wait before it goes out.
    let deadline = match spec.guard {
        Some(_) => Instant::NEVER,
        None => cx.now() + spec.timeout,
    };
    let bag = Bag {
        deadline,
        criticality: spec.criticality,
        recorded: cx.baggage.of(key).recorded,
    };
    cx.baggage.put(key, bag);
}

/// Which of the paths a request with this luck asks for.
fn choose_path(paths: &[(f64, u16)], luck: Luck) -> u16 {
    if let [(_, only)] = *paths {
        return only;
    }
    let u = unit(&mut luck.dice(PATH_STEP));
    let path = paths.iter().find(|path| u < path.0).or(paths.last());
    path.map_or(0, |path| path.1)
}
