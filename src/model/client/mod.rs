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

pub mod arrivals;
pub mod fields;

use super::flow::{Flow, FlowResult};
use super::request::{Caller, Cause, Request};
use super::retry::{Retrier, RetryPolicy};
use super::{Cx, Plan};
use crate::kernel::stream::unit;
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck, Sampler, SourceId, Stream, StreamKey};
use crate::scenario::Target;
use crate::stats::{Observation, Series};
use arrivals::{ArrivalPlan, Arrivals};
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
    /// Round-trip time of the network; half of it passes each way.
    pub network: Sampler,
    /// Bytes of a request.
    pub payload: Option<Sampler>,
    /// Whether nobody waits for its answers: left out of the latency of the whole system.
    pub background: bool,
    /// The paths it asks for: (cumulative probability, path number).
    pub paths: Vec<(f64, u16)>,
}

/// What happens to a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The next arrival of an open client.
    Arrive {
        /// The client.
        client: u16,
    },
    /// A user has finished thinking.
    Think {
        /// The client.
        client: u16,
        /// The user.
        user: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Arrive { client },
    Think { client, user },
});

/// The step of a luck that the path is drawn from.
const PATH_STEP: u64 = 1 << 41;
/// The step of a luck that the network's time is drawn from.
const NETWORK_STEP: u64 = 1 << 42;
/// The step of a luck that a user's thinking is drawn from.
const THINK_STEP: u64 = 1 << 43;

/// One client while the simulation runs.
#[derive(Debug)]
struct Client {
    arrivals: Option<Arrivals>,
    source: SourceId,
    timeout: LaneId,
    /// When requests come.
    arrival_dice: Stream,
    /// What they bring.
    luck_dice: Stream,
    retrier: Retrier,
    flow: Flow,
    started: u64,
    sent: u64,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    state: Vec<Client>,
}

impl Clients {
    /// The clients at the start of replication `run`, with their first arrivals on the agenda.
    pub fn new(plan: &Plan, run: u64, cx: &mut Cx) -> Self {
        let mut clients = Self {
            state: Vec::with_capacity(plan.clients.len()),
        };
        for (index, spec) in plan.clients.iter().enumerate() {
            let mut arrival_dice = Stream::new(plan.seed, run, StreamKey::new(&spec.name, "arrivals"));
            let luck_dice = Stream::new(plan.seed, run, StreamKey::new(&spec.name, "luck"));
            let arrivals = match &spec.load {
                Load::Open { arrivals, .. } => Some(Arrivals::new(arrivals, &mut arrival_dice)),
                Load::Closed { .. } => None,
            };
            clients.state.push(Client {
                arrivals,
                source: cx.agenda.source(),
                timeout: cx.agenda.lane(spec.timeout, Class::Timer),
                arrival_dice,
                luck_dice,
                retrier: Retrier::new(spec.retry),
                flow: Flow::default(),
                started: 0,
                sent: 0,
            });
            clients.state[index].begin(spec, index as u16, cx);
        }
        clients
    }

    /// Handles an event.
    #[inline]
    pub fn handle(&mut self, event: Event, plan: &Plan, cx: &mut Cx) {
        match event {
            Event::Arrive { client } => self.state[client as usize].arrive(&plan.clients[client as usize], client, cx),
            Event::Think { client, user } => {
                let state = &mut self.state[client as usize];
                let caller = Caller::User { client, user };
                state.start(&plan.clients[client as usize], caller, cx);
            }
        }
    }

    /// A backoff is over: sends the next attempt.
    pub fn send_again(&mut self, plan: &Plan, client: u16, key: Key, cx: &mut Cx) {
        self.state[client as usize].send(&plan.clients[client as usize], key, cx);
    }

    /// An attempt has ended: tries again or records the request.
    #[inline]
    pub fn answered(&mut self, plan: &Plan, client: u16, key: Key, cx: &mut Cx) {
        let spec = &plan.clients[client as usize];
        let state = &mut self.state[client as usize];
        let now = cx.now();
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        if !spec.network.is_zero() && entry.status != super::request::Status::TimedOut {
            let round_trip = spec.network.draw(&mut entry.luck.dice(NETWORK_STEP));
            entry.spend(Cause::Network, Duration(round_trip.0.div_ceil(2)));
        }
        if let Some(wait) = state.retrier.after(entry.attempt, entry.status, entry.luck) {
            let again = cx.next_attempt(key, wait);
            let at = cx.requests[again].mark;
            cx.agenda
                .at(at, Class::Arrival, super::Event::Again { client, request: again });
            return;
        }
        state.flow.record(entry);
        if let (Load::Closed { think, .. }, Caller::User { client, user }) = (&spec.load, entry.caller) {
            let at = entry.mark + think.draw(&mut entry.luck.dice(THINK_STEP));
            cx.agenda
                .at(at, Class::Arrival, super::Event::Client(Event::Think { client, user }));
        }
        cx.requests.remove(key);
    }

    /// Ends a window.
    pub fn close_window(&mut self) {
        self.state.iter_mut().for_each(|client| client.flow.close_window());
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self) {
        for client in &mut self.state {
            client.flow.reset();
            client.started = 0;
            client.sent = 0;
        }
    }

    /// Requests that ended since counting began.
    pub fn ended(&self) -> u64 {
        self.state.iter().map(|client| client.flow.ended()).sum()
    }

    /// Requests begun since counting began.
    pub fn started(&self) -> u64 {
        self.state.iter().map(|client| client.started).sum()
    }

    /// Reports what was counted.
    pub fn observe(self, plan: &Plan, out: &mut Vec<Observation>, series: &mut Vec<Series>) -> Vec<FlowResult> {
        let flows = plan.clients.iter().zip(self.state);
        flows
            .map(|(spec, client)| client.flow.observe(spec.component, plan.window, out, series))
            .collect()
    }
}

impl Client {
    fn begin(&mut self, spec: &ClientPlan, client: u16, cx: &mut Cx) {
        match &spec.load {
            Load::Open { arrivals, .. } => self.schedule(arrivals, client, cx),
            Load::Closed { users, think } => {
                // Users start spread over one thinking time, not all at once.
                for user in 0..*users {
                    let luck = Luck(self.luck_dice.next_u64());
                    let wait = think.draw(&mut luck.dice(THINK_STEP));
                    let event = super::Event::Client(Event::Think { client, user });
                    cx.agenda.at(Instant::ZERO + wait, Class::Arrival, event);
                }
            }
        }
    }

    #[inline(always)]
    fn schedule(&mut self, plan: &ArrivalPlan, client: u16, cx: &mut Cx) {
        if let Some(arrivals) = &mut self.arrivals {
            let at = arrivals.next(plan, cx.agenda.now(), &mut self.arrival_dice);
            cx.agenda
                .next_arrival(self.source, at, super::Event::Client(Event::Arrive { client }));
        }
    }

    #[inline]
    fn arrive(&mut self, spec: &ClientPlan, client: u16, cx: &mut Cx) {
        let Load::Open { arrivals, batch } = &spec.load else {
            return;
        };
        self.schedule(arrivals, client, cx);
        let Some(size) = batch else {
            return self.start(spec, Caller::Client(client), cx);
        };
        let count = libm::round(size.value(&mut self.luck_dice)).max(0.0) as u64;
        for _ in 0..count {
            self.start(spec, Caller::Client(client), cx);
        }
    }

    #[inline(always)]
    fn start(&mut self, spec: &ClientPlan, caller: Caller, cx: &mut Cx) {
        self.started += 1;
        let luck = Luck(self.luck_dice.next_u64());
        let mut request = Request::new(caller, luck, cx.now());
        if !spec.paths.is_empty() {
            request.path = choose_path(&spec.paths, luck);
        }
        let key = cx.requests.insert(request);
        self.send(spec, key, cx);
    }

    /// Sends an attempt now.
    #[inline(always)]
    fn send(&mut self, spec: &ClientPlan, key: Key, cx: &mut Cx) {
        self.sent += 1;
        cx.after(self.timeout, super::Event::Deadline { request: key });
        if spec.network.is_zero() {
            return cx.offer(spec.to, key);
        }
        let entry = &mut cx.requests[key];
        let round_trip = spec.network.draw(&mut entry.luck.dice(NETWORK_STEP));
        entry.spend(Cause::Network, Duration(round_trip.0 / 2));
        cx.offer_at_mark(spec.to, key);
    }
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
