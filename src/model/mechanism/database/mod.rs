//! Databases: a limited number of connections, and cores that queries and new connections share.
//!
//! Model: an instance keeps its sessions for as long as it lives; a query takes an idle one of its instance or opens a
//! new one. A new session waits its turn where the server limits how fast it accepts, takes its set-up time, and burns
//! CPU of the server, on the same cores as the queries: a connection storm slows everybody. At the limit a new session
//! is refused at once (SQLSTATE 53300, error 1040): there is no queue in the server. A query waits for its latency
//! (network, storage), then computes on the shared cores: processor sharing, and with m > 1 queries per core all of
//! them are slower by the loss of the Universal Scalability Law, 1 + sigma (m - 1) + kappa m (m - 1), so that
//! throughput falls under overload instead of staying at its best (see [`crate::model::parts::station`]). It goes on
//! when its caller gives up, unless the server has a statement time-out. A connection whose instance has gone away may
//! linger on the server. A client that calls a database itself has one pool of sessions, as many as it has queries at
//! the same time; a query that nobody waits for opens a session of its own. A serverless database has a capacity that
//! moves with the use of its cores, and may pause (see [`serverless`]).
//! Not modelled: locks between queries, memory and swapping, the cost of idle connections and of refusals, replicas,
//! bursting credits, disconnecting by choice (clients that close after each query, idle time-outs).
//! Units: query times are CPU time on one core; limits are connections that clients may open.
//! Sources: Amazon RDS user guide, "Quotas"; Postgres documentation, chapters 19.3 and 19.11; Gunther, "Guerrilla
//! Capacity Planning" (2007); measured facts and confidence in `catalog/aws/rds.postgres.yaml`.
//! Validated by: M/G/1-PS and M/M/c response times, M/M/c/K refusals, the scalability law in a closed system, traces of
//! refusals and of a connection storm by hand (docs/validation.md); sessions and limits under fire (tests below).

mod metrics;
mod outage;
pub mod plan;
pub mod proxy;
mod record;
pub mod serverless;
mod warm;
#[cfg(test)]
mod tests;

use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::places::Places;
use crate::model::parts::station::{Speeds, Station};
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::entry::{Cause, Status};
use crate::model::request::fault::{Change, Quota, slowed};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::{DATABASE, PROXY};
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::model::request::session::{Lease, holder};
use crate::scenario::{Block, Table, Target};
use plan::DatabasePlan;
use record::Record;
use serverless::Capacity;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What happens to a database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A proxy hands over a query for one of its own connections.
    Forwarded {
        /// The proxy.
        proxy: Id<PROXY>,
        /// The database.
        database: Id<DATABASE>,
        /// The query.
        request: Key,
    },
    /// The functions have been asked for instances whose time is up: once more for a session.
    Recheck {
        /// The query.
        request: Key,
    },
    /// A new session is set up, but for the server's CPU time.
    Connected {
        /// The query that it is for.
        request: Key,
    },
    /// A query has waited for its latency: it needs CPU.
    Started {
        /// The query.
        request: Key,
    },
    /// A query's time is up, if it still runs.
    StatementTimeout {
        /// The query.
        request: Key,
    },
    /// The shared cores must be looked at.
    Cores {
        /// The database.
        database: Id<DATABASE>,
        /// The epoch of the station.
        epoch: u32,
    },
    /// Serverless capacity must be looked at.
    Capacity {
        /// The database.
        database: Id<DATABASE>,
        /// The epoch of the capacity.
        epoch: u32,
    },
    /// The functions have been asked for instances whose time is up: a serverless database may pause.
    Pause {
        /// The database.
        database: Id<DATABASE>,
    },
}

crate::kernel::pack::packed!(Event {
    Forwarded { proxy, database, request },
    Recheck { request },
    Connected { request },
    Started { request },
    StatementTimeout { request },
    Cores { database, epoch },
    Capacity { database, epoch },
    Pause { database },
});

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    pub const QUERY: u64 = Purpose::Query.step();
    pub const LATENCY: u64 = Purpose::QueryLatency.step();
    pub const CONNECT: u64 = Purpose::DatabaseConnect.step();
    pub const RESUME: u64 = Purpose::DatabaseResume.step();
}

/// Where a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has no session yet, or one that is being set up.
    Connecting,
    /// Its new session burns CPU.
    LoggingOn,
    /// It waits for its latency.
    Waiting,
    /// It is on the cores.
    Computing,
}

/// A query at a database.
#[derive(Clone, Copy, Debug)]
struct Query {
    request: Key,
    phase: Phase,
    arrived: Instant,
    demand: Duration,
    /// Component and instance whose sessions it uses.
    holder: Option<(u32, u32)>,
    lease: Option<Lease>,
    /// The proxy that sent it, and the proxy's number for it.
    via: Option<(Id<PROXY>, u32)>,
}

/// One database while the simulation runs.
#[derive(Debug)]
struct Database {
    station: Station,
    /// When connections that outlive their instances go, and how many.
    lingering: BinaryHeap<Reverse<(Instant, u32)>>,
    /// When the server can accept the next connection.
    accepts_at: Instant,
    statement_timeout: LaneId,
    /// Capacity that moves, if it does.
    moving: Option<Capacity>,
    /// Connections at most, now.
    connections: u64,
    /// How many times longer work takes now.
    slow: f64,
    /// Its number among those that count sessions.
    host: usize,
    record: Record,
}

/// All databases.
#[derive(Debug)]
pub struct Databases {
    state: Vec<Database>,
    queries: Places<Query>,
}

impl Mechanism for Databases {
    const TABLE: &'static Table = &plan::TABLE;
    const HARM: Harm = Harm {
        slow: true,
        zones: true,
        quotas: &[("connections", Quota::Connections)],
        ..Harm::NONE
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<DATABASE>;
    type Plan = DatabasePlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<DatabasePlan> {
        let class = block.text_opt("instance");
        class.inspect(|class| reading.select("instance_type", class));
        Some(DatabasePlan::read(block, reading.component))
    }

    fn profile(plan: &DatabasePlan) -> Profile {
        Profile {
            counts_sessions: true,
            connections: plan.connections,
            cores: plan.cores,
            ..Profile::default()
        }
    }

    fn callees(_: &DatabasePlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(_: &DatabasePlan) -> Vec<Sent> {
        Vec::new()
    }

    fn usual(plan: &DatabasePlan, _: Quota) -> Option<f64> {
        Some(plan.connections as f64)
    }

    fn zones(plan: &DatabasePlan) -> (u16, Option<Duration>) {
        (plan.zones, Some(plan.failover))
    }

    fn change(&mut self, plan: &[DatabasePlan], database: Id<DATABASE>, change: Change, cx: &mut Cx) {
        self.suffer(plan, database, change, cx);
    }

    fn holdings(&self, _: &[DatabasePlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[DatabasePlan], _: &mut dyn FnMut(Lineage, End)) {}

    fn new(plan: &[DatabasePlan], _: u64, cx: &mut Cx) -> Self {
        let state = |(index, spec): (usize, &DatabasePlan)| Database {
            station: Station::new(Speeds::new(spec.cores_at_start(), spec.contention, spec.coherency)),
            lingering: BinaryHeap::new(),
            accepts_at: Instant::ZERO,
            statement_timeout: cx.agenda.lane(spec.statement_timeout, Class::Timer),
            moving: spec.serverless.as_ref().map(Capacity::new),
            connections: spec.connections,
            slow: 1.0,
            host: cx.plan.host(Id::<DATABASE>::new(index).target()),
            record: Record::default(),
        };
        let mut databases = Self {
            state: plan.iter().enumerate().map(state).collect(),
            queries: Places::new(),
        };
        for (index, (spec, state)) in plan.iter().zip(&mut databases.state).enumerate() {
            state.note_capacity(Instant::ZERO);
            if spec.serverless.as_ref().is_some_and(|moving| moving.minimum == 0) {
                state.look_in(serverless::IDLE_TICK, Id::new(index), cx);
            }
        }
        databases.begin_warm(cx);
        databases
    }

    #[inline]
    fn offer(&mut self, plan: &[DatabasePlan], database: Id<DATABASE>, key: Key, cx: &mut Cx) {
        let holder = holder(key, cx);
        self.admit(plan, database, key, holder, None, cx);
    }

    fn handle(&mut self, event: Event, plan: &[DatabasePlan], cx: &mut Cx) {
        match event {
            Event::Forwarded {
                proxy,
                database,
                request,
            } => {
                let job = cx.requests[request].frame.instance;
                if cx.faults.armed && outage::keeps_out(database, (proxy, job), request, cx) {
                    return;
                }
                let holder = Some((cx.plan.place(proxy.target()), 0));
                self.admit(plan, database, request, holder, Some((proxy, job)), cx);
            }
            Event::Recheck { request } => {
                let database = cx.requests[request].worker_id();
                self.seat(plan, database, request, true, cx);
            }
            Event::Connected { request } => {
                if cx.requests.contains(request) {
                    self.connected(plan, request, cx);
                }
            }
            Event::Started { request } => {
                if cx.requests.contains(request) {
                    self.compute(request, cx);
                }
            }
            Event::StatementTimeout { request } => {
                if cx.requests.contains(request) {
                    self.cancel(request, cx);
                }
            }
            Event::Cores { database, epoch } => self.cores(plan, database, epoch, cx),
            Event::Capacity { database, epoch } => {
                let spec = &plan[usize::from(database)];
                self.state[usize::from(database)].look(spec, database, epoch, cx);
            }
            Event::Pause { database } => {
                let spec = &plan[usize::from(database)];
                self.state[usize::from(database)].pause(spec, database, cx);
            }
        }
    }

    fn close_window(&mut self, plan: &[DatabasePlan], cx: &mut Cx) {
        for (spec, state) in plan.iter().zip(&mut self.state) {
            state.settle(spec, cx);
            state.record.close_window(cx.now());
        }
    }

    fn reset(&mut self, plan: &[DatabasePlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        self.state.iter_mut().for_each(|state| state.record.reset());
    }

    fn observe(self, plan: &[DatabasePlan], report: &mut Report) {
        let Report {
            window,
            measured,
            observations: out,
            series,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            let meters = &mut meters[spec.component as usize];
            state.record.observe(spec, *window, *measured, out, series, meters);
        }
    }
}

impl Databases {
    fn admit(
        &mut self,
        plan: &[DatabasePlan],
        database: Id<DATABASE>,
        key: Key,
        holder: Option<(u32, u32)>,
        via: Option<(Id<PROXY>, u32)>,
        cx: &mut Cx,
    ) {
        let spec = &plan[usize::from(database)];
        let demand = cx.plan.call(key, &cx.requests).and_then(|call| call.demand.as_ref());
        let sampler = demand.unwrap_or(&spec.query);
        let luck = cx.requests[key].luck;
        self.state[usize::from(database)].wake(spec, database, luck, cx);
        let query = self.queries.insert(Query {
            request: key,
            phase: Phase::Connecting,
            arrived: cx.now(),
            demand: sampler.draw(&mut luck.dice(step::QUERY)),
            holder,
            lease: None,
            via,
        });
        let entry = &mut cx.requests[key];
        entry.taken_by(database.target());
        entry.frame.instance = query;
        self.seat(plan, database, key, false, cx);
    }

    /// Finds a session for a query: an idle one, a new one, or none.
    #[inline]
    fn seat(&mut self, plan: &[DatabasePlan], database: Id<DATABASE>, key: Key, last_try: bool, cx: &mut Cx) {
        let spec = &plan[usize::from(database)];
        let state = &mut self.state[usize::from(database)];
        let now = cx.now();
        let query = self.queries.at_mut(cx.requests[key].frame.instance);
        let host = state.host;
        if let Some((component, instance)) = query.holder
            && let Some(lease) = cx.sessions.borrow(host, component, instance)
        {
            query.lease = Some(lease);
            return self.begin(plan, key, cx);
        }
        state.settle(spec, cx);
        if state.record.connections.level() < state.connections {
            query.lease = query
                .holder
                .map(|(component, instance)| cx.sessions.open(host, component, instance));
            state.record.opened(now);
            if let Some(moving) = &mut state.moving {
                moving.deserted_since = None;
            }
            let turn = now.max(state.accepts_at);
            state.accepts_at = turn + spec.accept_interval;
            let takes = spec.connect_time.draw(&mut cx.requests[key].luck.dice(step::CONNECT));
            let takes = slowed(takes, state.slow);
            let event = Event::Connected { request: key };
            cx.at(turn + takes, Class::Release, event);
        } else if last_try || !cx.sessions.has_callers(host) {
            self.refuse(database, key, cx);
        } else {
            // Instances whose time is up hold sessions until somebody looks: they go first, then this query tries
            // again.
            for of in cx.sessions.take_due(host, now) {
                cx.hand_over(Desk::Reap { of });
            }
            cx.hand_over(Event::Recheck { request: key });
        }
    }

    /// There is no connection for a query.
    fn refuse(&mut self, database: Id<DATABASE>, key: Key, cx: &mut Cx) {
        let query = self.queries.take(cx.requests[key].frame.instance);
        let state = &mut self.state[usize::from(database)];
        state.record.refused();
        cx.no_connection(database.target(), state.host, key);
        match query.via {
            Some((proxy, job)) => {
                let event = proxy::Event::Refused { proxy, job };
                cx.hand_over(event);
            }
            None => cx.reply(key, Status::Unavailable),
        }
    }

    /// A new session is set up; now it costs the server CPU time.
    fn connected(&mut self, plan: &[DatabasePlan], key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.spend_until(Cause::Connection, now);
        let database = entry.worker_id::<DATABASE>();
        let spec = &plan[usize::from(database)];
        let query = self.queries.at_mut(entry.frame.instance);
        if spec.connect_cpu == Duration::ZERO {
            self.state[usize::from(database)]
                .record
                .connected(now.since(query.arrived));
            return self.begin(plan, key, cx);
        }
        query.phase = Phase::LoggingOn;
        let state = &mut self.state[usize::from(database)];
        state.station.add(now, spec.connect_cpu, key);
        state.schedule_cores(database, cx);
    }

    /// A query has its session.
    #[inline]
    fn begin(&mut self, plan: &[DatabasePlan], key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &cx.requests[key];
        let database = entry.worker_id::<DATABASE>();
        let spec = &plan[usize::from(database)];
        let state = &mut self.state[usize::from(database)];
        let latency = slowed(spec.latency.draw(&mut entry.luck.dice(step::LATENCY)), state.slow);
        self.queries.at_mut(entry.frame.instance).phase = Phase::Waiting;
        state.record.started(now);
        cx.after(state.statement_timeout, Event::StatementTimeout { request: key });
        if latency == Duration::ZERO {
            return self.compute(key, cx);
        }
        let event = Event::Started { request: key };
        cx.at(now + latency, Class::Release, event);
    }

    /// A query goes to the cores.
    #[inline]
    fn compute(&mut self, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.spend_until(Cause::Store, now);
        let database = entry.worker_id::<DATABASE>();
        let query = self.queries.at_mut(entry.frame.instance);
        query.phase = Phase::Computing;
        if query.demand == Duration::ZERO {
            return self.end(key, Status::Ok, cx);
        }
        let state = &mut self.state[usize::from(database)];
        state.station.add(now, query.demand, key);
        state.schedule_cores(database, cx);
    }

    /// Something on the cores may be done.
    fn cores(&mut self, plan: &[DatabasePlan], database: Id<DATABASE>, epoch: u32, cx: &mut Cx) {
        let now = cx.now();
        let station = &mut self.state[usize::from(database)].station;
        if !station.is_current(epoch) {
            return;
        }
        station.woken();
        while let Some(done) = self.state[usize::from(database)].station.pop_done(now) {
            let entry = &mut cx.requests[done];
            let query = self.queries.at_mut(entry.frame.instance);
            if query.phase == Phase::LoggingOn {
                entry.spend_until(Cause::Connection, now);
                let took = now.since(query.arrived);
                self.state[usize::from(database)].record.connected(took);
                self.begin(plan, done, cx);
            } else {
                entry.spend_until(Cause::Store, now);
                self.end(done, Status::Ok, cx);
            }
        }
        self.state[usize::from(database)].schedule_cores(database, cx);
    }

    /// A query's time is up: the server cancels it (SQLSTATE 57014).
    fn cancel(&mut self, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.spend_until(Cause::Store, now);
        let database = entry.worker_id::<DATABASE>();
        cx.hit(Limit::StatementTimeout, database.target(), key);
        let entry = &cx.requests[key];
        if self.queries.at_mut(entry.frame.instance).phase == Phase::Computing {
            let state = &mut self.state[usize::from(database)];
            state.station.cancel(now, key);
            state.schedule_cores(database, cx);
        }
        self.end(key, Status::Failed, cx);
    }

    /// A query has ended: its session is free, its caller hears.
    #[inline]
    fn end(&mut self, key: Key, status: Status, cx: &mut Cx) {
        let now = cx.now();
        let entry = &cx.requests[key];
        let database = usize::from(entry.worker_id::<DATABASE>());
        let query = self.queries.take(entry.frame.instance);
        let state = &mut self.state[database];
        let (host, record) = (state.host, &mut state.record);
        record.ended(now, now.since(query.arrived), !status.is_ok());
        if !query.lease.is_some_and(|lease| cx.sessions.give_back(host, lease)) {
            // A session of its own, or one whose instance has gone: the server notices when it sends the answer.
            record.connections.add(now.0, -1);
            self.state[database].deserted(now);
        }
        if let Some((proxy, job)) = query.via {
            let event = proxy::Event::Released { proxy, job };
            cx.hand_over(event);
        }
        cx.reply(key, status);
    }
}

impl Database {
    /// Lets connections go whose instances have gone away.
    #[inline]
    fn settle(&mut self, spec: &DatabasePlan, cx: &mut Cx) {
        let now = cx.now();
        while let Some(gone) = cx.sessions.take_vanished(self.host) {
            self.lingering.push(Reverse((gone.at + spec.linger, gone.idle)));
        }
        while let Some(&Reverse((at, count))) = self.lingering.peek()
            && at <= now
        {
            self.lingering.pop();
            let connections = &mut self.record.connections;
            connections.add(now.0, -i64::from(count));
            connections.subtract_past(now.since(at).0 * u64::from(count));
            self.deserted(at);
        }
    }

    /// A query comes: a serverless database wakes up, and is looked at each second from now on.
    #[inline]
    fn wake(&mut self, spec: &DatabasePlan, database: Id<DATABASE>, luck: Luck, cx: &mut Cx) {
        let (Some(plan), Some(moving)) = (&spec.serverless, &mut self.moving) else {
            return;
        };
        if !moving.dozing {
            return;
        }
        let now = cx.now();
        if moving.halves == 0 {
            moving.halves = plan.least_awake();
            self.accepts_at = self
                .accepts_at
                .max(now + plan.resume.draw(&mut luck.dice(step::RESUME)));
            self.record.resumes += 1;
            self.note_capacity(now);
        }
        if let Some(moving) = &mut self.moving {
            moving.wake(now);
        }
        self.look_in(serverless::TICK, database, cx);
    }

    /// Puts the next look at serverless capacity on the agenda.
    fn look_in(&mut self, wait: Duration, database: Id<DATABASE>, cx: &mut Cx) {
        let Some(moving) = &mut self.moving else { return };
        moving.epoch = moving.epoch.wrapping_add(1);
        moving.dozing = wait > serverless::TICK;
        let event = Event::Capacity {
            database,
            epoch: moving.epoch,
        };
        cx.at(cx.now() + wait, Class::Release, event);
    }

    /// Looks at serverless capacity: moves it, lets it pause, or does nothing until somebody comes.
    fn look(&mut self, spec: &DatabasePlan, database: Id<DATABASE>, epoch: u32, cx: &mut Cx) {
        let now = cx.now();
        let (Some(plan), Some(moving)) = (&spec.serverless, &mut self.moving) else {
            return;
        };
        if moving.epoch != epoch {
            return;
        }
        let before = moving.halves;
        moving.look(plan, now);
        let halves = moving.halves;
        if halves != before {
            let cores = halves as f64 * plan.cores_per_half;
            self.station.change(
                now,
                Speeds::new(cores, spec.contention, spec.coherency).slowed(self.slow),
            );
            self.note_capacity(now);
            self.schedule_cores(database, cx);
        }
        let resuming = self.accepts_at > now;
        if resuming || !self.station.is_empty() || halves > plan.least_awake() {
            return self.look_in(serverless::TICK, database, cx);
        }
        if plan.minimum > 0 {
            if let Some(moving) = &mut self.moving {
                moving.dozing = true;
            }
            return;
        }
        for of in cx.sessions.take_due(self.host, now) {
            cx.hand_over(Desk::Reap { of });
        }
        let event = Event::Pause { database };
        cx.hand_over(event);
    }

    /// Pauses if nobody has been connected for long enough; else looks again a little later.
    fn pause(&mut self, spec: &DatabasePlan, database: Id<DATABASE>, cx: &mut Cx) {
        let now = cx.now();
        self.settle(spec, cx);
        let (Some(plan), Some(moving)) = (&spec.serverless, &mut self.moving) else {
            return;
        };
        let deserted = moving.deserted_since.map(|since| now.since(since));
        if deserted.is_some_and(|time| time >= plan.pause_after) {
            (moving.halves, moving.dozing) = (0, true);
            self.note_capacity(now);
        } else {
            self.look_in(serverless::IDLE_TICK, database, cx);
        }
    }

    /// Notes since when nobody has been connected, if that is so.
    #[inline]
    fn deserted(&mut self, since: Instant) {
        if let Some(moving) = &mut self.moving
            && self.record.connections.level() == 0
        {
            moving.deserted_since = Some(since);
        }
    }

    /// Writes down what capacity there is now.
    fn note_capacity(&mut self, now: Instant) {
        if let Some(moving) = &self.moving {
            self.record.capacity.set(now.0, moving.halves);
        }
    }

    /// Puts the next look at the cores on the agenda, after every change of who is on them.
    #[inline]
    fn schedule_cores(&mut self, database: Id<DATABASE>, cx: &mut Cx) {
        let now = cx.now();
        let cores = self.station.cores_in_use();
        self.record.cores_in_use(now, cores);
        if let Some(moving) = &mut self.moving {
            moving.cores_in_use(now, cores);
        }
        if let Some(wake) = self.station.wake(now) {
            let event = Event::Cores {
                database,
                epoch: wake.epoch,
            };
            cx.at(wake.at, Class::Release, event);
        }
    }
}
