//! Connection proxies: many clients' sessions share a few connections of a database.
//!
//! Model: instances hold their sessions with the proxy, which has no limit on them. Each query takes one connection of
//! the proxy's pool for as long as it runs; when all are taken it waits, first come first served, until the borrow
//! time-out refuses it. The pool opens connections when it needs more, at the database's cost, and keeps them; a
//! database that is full because of others is asked again a little later. A share of the sessions is pinned: from its
//! first query on such a session keeps its connection until its instance is gone. A query whose caller gives up while
//! it waits is dropped.
//! Not modelled: a limit on clients, idle connections that the proxy closes, several instances of a proxy, readers.
//! Units: the overhead is the whole time inside the proxy, both ways together.
//! Sources: Amazon RDS user guide, "Using Amazon RDS Proxy" and "Avoiding pinning"; Amazon RDS API reference,
//! `ConnectionPoolConfiguration`; measured facts and confidence in catalog/aws/rds.proxy.yaml.
//! Validated by: the wait of M/M/c for a pool of c, traces of time-outs and pinning by hand (unit tests of
//! [`super`]).

mod metrics;
mod plan;
mod record;

use crate::kernel::number::fit;
use crate::kernel::stream::{mix, unit};
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck, Stream, StreamKey};
use crate::model::mechanism::contract::{Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::places::Places;
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::entry::{Caller, Cause, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind;
use crate::model::request::kind::PROXY;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::model::request::session::{Lease, holder};
use crate::scenario::{Block, Table, Target};
pub use plan::{ProxyPlan, TABLE};
use rand::Rng;
use record::Record;
use std::collections::VecDeque;

/// What happens to a proxy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A query has come through the proxy's own work and needs a connection.
    Ready {
        /// The query.
        request: Key,
    },
    /// The database has done a query: its connection is free.
    Released {
        /// The proxy.
        proxy: Id<PROXY>,
        /// The proxy's number for the query.
        job: u32,
    },
    /// The database has no connection left for the pool.
    Refused {
        /// The proxy.
        proxy: Id<PROXY>,
        /// The proxy's number for the query.
        job: u32,
    },
    /// Queries wait while sessions may be pinned: asks the functions for instances whose time is up.
    Look {
        /// The proxy.
        proxy: Id<PROXY>,
    },
    /// Waiting queries try again: the functions have been asked for instances whose time is up.
    Recheck {
        /// The proxy.
        proxy: Id<PROXY>,
    },
    /// A pool that could not grow tries again.
    Retry {
        /// The proxy.
        proxy: Id<PROXY>,
    },
    /// A query has waited for a connection for as long as it may.
    BorrowTimeout {
        /// The query.
        request: Key,
    },
}

crate::kernel::pack::packed!(Event {
    Ready { request },
    Released { proxy, job },
    Refused { proxy, job },
    Look { proxy },
    Recheck { proxy },
    Retry { proxy },
    BorrowTimeout { request },
});

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    pub const OVERHEAD: u64 = Purpose::ProxyOverhead.step();
    pub const CONNECT: u64 = Purpose::ProxyConnect.step();
}

/// How long a pool waits that the database refused a connection. Assumed: the service publishes nothing.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How often a proxy whose queries wait looks for pinned sessions that have gone.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A query inside a proxy.
#[derive(Clone, Copy, Debug)]
struct Job {
    request: Key,
    /// The session of its client with the proxy; `None` if nobody waits for the query.
    lease: Option<Lease>,
    /// Since when it needs a connection.
    since: Instant,
    /// When it got one.
    borrowed: Instant,
    /// The order in which queries came to need one.
    turn: u64,
    /// Whether it is among the waiting ones, and whether its borrow time-out is on the agenda.
    waiting: bool,
    timed: bool,
}

/// One proxy while the simulation runs.
#[derive(Debug)]
struct Proxy {
    /// Those that wait, in turn; some may be gone.
    waiting: VecDeque<(u64, Key)>,
    turns: u64,
    borrow_timeout: LaneId,
    /// Set while the database has no connection for the pool.
    refused: bool,
    /// Set while functions are asked regularly for instances whose time is up.
    looking: bool,
    /// Its number among those that count sessions.
    host: usize,
    /// Decides which instances' sessions are pinned.
    pinning: Luck,
    record: Record,
}

/// All proxies.
#[derive(Debug)]
pub struct Proxies {
    state: Vec<Proxy>,
    jobs: Places<Job>,
}

impl Mechanism for Proxies {
    const TABLE: &'static Table = &plan::TABLE;
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<PROXY>;
    type Plan = ProxyPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<ProxyPlan> {
        ProxyPlan::read(block, reading)
    }

    fn profile(plan: &ProxyPlan) -> Profile {
        Profile {
            counts_sessions: true,
            waits_for: vec![plan.behind()],
            warm: plan.initial.count.min(plan.connections),
            ..Profile::default()
        }
    }

    fn callees(_: &ProxyPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(_: &ProxyPlan) -> Vec<Sent> {
        Vec::new()
    }

    fn holdings(&self, _: &[ProxyPlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[ProxyPlan], _: &mut dyn FnMut(Lineage, End)) {}

    fn new(plan: &[ProxyPlan], run: u64, cx: &mut Cx) -> Self {
        let state = |(index, spec): (usize, &ProxyPlan)| Proxy {
            waiting: VecDeque::new(),
            turns: 0,
            borrow_timeout: cx.agenda.lane(spec.borrow_timeout, Class::Timer),
            refused: false,
            looking: false,
            host: cx.plan.host(Id::<PROXY>::new(index).target()),
            pinning: Luck(Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, "pinning")).next_u64()),
            record: Record::default(),
        };
        let proxies = Self {
            state: plan.iter().enumerate().map(state).collect(),
            jobs: Places::new(),
        };
        proxies.begin_warm(cx);
        proxies
    }

    fn offer(&mut self, plan: &[ProxyPlan], proxy: Id<PROXY>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(proxy)];
        let now = cx.now();
        let host = self.state[usize::from(proxy)].host;
        let luck = cx.requests[key].luck;
        let mut takes = spec.overhead.draw(&mut luck.dice(step::OVERHEAD));
        let lease = holder(key, cx).map(|(component, instance)| {
            let idle = cx.sessions.borrow(host, component, instance);
            idle.unwrap_or_else(|| {
                takes += spec.connect_time.draw(&mut luck.dice(step::CONNECT));
                cx.sessions.open(host, component, instance)
            })
        });
        let job = self.jobs.insert(Job {
            request: key,
            lease,
            since: now,
            borrowed: now,
            turn: 0,
            waiting: false,
            timed: false,
        });
        let entry = &mut cx.requests[key];
        entry.taken_by(proxy.target());
        entry.frame.instance = job;
        let event = Event::Ready { request: key };
        cx.at(now + takes, Class::Release, event);
    }

    fn handle(&mut self, event: Event, plan: &[ProxyPlan], cx: &mut Cx) {
        match event {
            Event::Ready { request } => self.ready(plan, request, cx),
            Event::Released { proxy, job } => self.released(plan, proxy, job, cx),
            Event::Refused { proxy, job } => self.refused(plan, proxy, job, cx),
            Event::Look { proxy } => self.state[usize::from(proxy)].look(proxy, cx),
            Event::Recheck { proxy } => self.recheck(plan, proxy, cx),
            Event::Retry { proxy } => {
                self.state[usize::from(proxy)].refused = false;
                self.serve(plan, proxy, cx);
            }
            Event::BorrowTimeout { request } => self.borrow_timeout(plan, request, cx),
        }
    }

    fn close_window(&mut self, plan: &[ProxyPlan], cx: &mut Cx) {
        for proxy in (0..plan.len()).map(Id::new) {
            self.serve(plan, proxy, cx);
            self.state[usize::from(proxy)].record.close_window(cx.now());
        }
    }

    fn reset(&mut self, plan: &[ProxyPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        self.state.iter_mut().for_each(|state| state.record.reset());
    }

    fn observe(self, plan: &[ProxyPlan], report: &mut Report) {
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

impl Proxies {
    /// Opens the sessions of warm instances.
    fn begin_warm(&self, cx: &mut Cx) {
        for (state, index) in self.state.iter().zip(Id::<PROXY>::all()) {
            for (component, count, _) in cx.plan.warm_callers(index.target()) {
                for instance in 0..fit(count) {
                    let lease = cx.sessions.open(state.host, component, instance);
                    cx.sessions.give_back(state.host, lease);
                }
            }
        }
    }

    /// A query needs a connection: it takes one that is free, or waits.
    fn ready(&mut self, plan: &[ProxyPlan], key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.spend_until(Cause::Connection, now);
        let proxy = entry.worker_id();
        let job = entry.frame.instance;
        // Those that came before go first, and what is left of those that are gone is cleared away.
        self.serve(plan, proxy, cx);
        let spec = &plan[usize::from(proxy)];
        let state = &mut self.state[usize::from(proxy)];
        state.turns += 1;
        let query = self.jobs.at_mut(job);
        (query.since, query.turn) = (now, state.turns);
        let pinned = query.lease.is_some_and(|lease| lease.pinned);
        if pinned || (state.waiting.is_empty() && state.has_connection(spec)) {
            return self.forward(plan, proxy, job, cx);
        }
        query.timed = true;
        cx.after(state.borrow_timeout, Event::BorrowTimeout { request: key });
        if spec.pinning > 0.0 && !state.looking {
            state.looking = true;
            state.look(proxy, cx);
        }
        self.wait(proxy, job, cx);
    }

    /// The functions were asked: serves whom that helps, and asks again later if queries still wait.
    fn recheck(&mut self, plan: &[ProxyPlan], proxy: Id<PROXY>, cx: &mut Cx) {
        self.serve(plan, proxy, cx);
        let state = &mut self.state[usize::from(proxy)];
        state.looking = !state.waiting.is_empty();
        if state.looking {
            let event = Event::Look { proxy };
            cx.at(cx.agenda.now() + LOOK_EVERY, Class::Timer, event);
        }
    }

    /// Puts a query among the waiting ones, in its turn.
    fn wait(&mut self, proxy: Id<PROXY>, job: u32, cx: &Cx) {
        let state = &mut self.state[usize::from(proxy)];
        let query = self.jobs.at_mut(job);
        query.waiting = true;
        let place = state.waiting.partition_point(|(turn, _)| *turn < query.turn);
        state.waiting.insert(place, (query.turn, query.request));
        state.record.waits(cx.now(), 1);
    }

    /// Serves those that wait, as far as there are connections.
    fn serve(&mut self, plan: &[ProxyPlan], proxy: Id<PROXY>, cx: &mut Cx) {
        self.settle(plan, proxy, cx);
        let spec = &plan[usize::from(proxy)];
        while let Some(&(_, key)) = self.state[usize::from(proxy)].waiting.front() {
            if !self.still_waits(proxy, key, cx) {
                self.state[usize::from(proxy)].waiting.pop_front();
                continue;
            }
            let job = cx.requests[key].frame.instance;
            let query = *self.jobs.at_mut(job);
            let state = &mut self.state[usize::from(proxy)];
            let pinned = query.lease.is_some_and(|lease| lease.pinned);
            if abandoned(&query, cx) {
                state.waiting.pop_front();
                state.record.abandoned();
                self.drop_waiting(plan, proxy, job, cx);
                cx.requests[key].spend_until(Cause::Connection, cx.agenda.now());
                cx.reply(key, Status::Unavailable);
                continue;
            }
            if !pinned && !state.has_connection(spec) {
                return;
            }
            state.waiting.pop_front();
            state.record.waits(cx.agenda.now(), -1);
            self.forward(plan, proxy, job, cx);
        }
    }

    /// Whether an entry of the waiting list still means something.
    fn still_waits(&mut self, proxy: Id<PROXY>, key: Key, cx: &Cx) -> bool {
        if !cx.requests.contains(key) {
            return false;
        }
        let entry = &cx.requests[key];
        if entry.worker() != proxy.target() {
            return false;
        }
        let job = self.jobs.at_mut(entry.frame.instance);
        job.request == key && job.waiting
    }

    /// Hands a query to the database, on one of the pool's connections.
    fn forward(&mut self, plan: &[ProxyPlan], proxy: Id<PROXY>, job: u32, cx: &mut Cx) {
        let spec = &plan[usize::from(proxy)];
        let host = self.state[usize::from(proxy)].host;
        let now = cx.now();
        let state = &mut self.state[usize::from(proxy)];
        let query = self.jobs.at_mut(job);
        query.waiting = false;
        query.borrowed = now;
        let is_pinned = query.lease.is_some_and(|lease| lease.pinned);
        if !is_pinned {
            state.record.take_connection(now);
            query.lease = query.lease.map(|lease| {
                let u = unit(&mut state.pinning.dice(mix(lease.holder())));
                if u < spec.pinning {
                    cx.sessions.pin(host, lease)
                } else {
                    lease
                }
            });
        }
        cx.requests[query.request].spend_until(Cause::Connection, now);
        let event = super::Event::Forwarded {
            proxy,
            database: spec.database,
            request: query.request,
        };
        cx.hand_over(event);
    }

    /// The database has done a query.
    fn released(&mut self, plan: &[ProxyPlan], proxy: Id<PROXY>, job: u32, cx: &mut Cx) {
        let query = self.jobs.take(job);
        let host = self.state[usize::from(proxy)].host;
        let state = &mut self.state[usize::from(proxy)];
        let kept = query
            .lease
            .is_some_and(|lease| cx.sessions.give_back(host, lease) && lease.pinned);
        state.record.done(query.borrowed.since(query.since));
        if !kept {
            state.record.free_connections(cx.now(), 1, Duration::ZERO);
        }
        self.serve(plan, proxy, cx);
    }

    /// The database has no connection for a query: it waits on, and the pool tries again later.
    fn refused(&mut self, plan: &[ProxyPlan], proxy: Id<PROXY>, job: u32, cx: &mut Cx) {
        let spec = &plan[usize::from(proxy)];
        let now = cx.now();
        let query = self.jobs.at_mut(job);
        let key = query.request;
        let deadline = query.since + spec.borrow_timeout;
        let was_timed = std::mem::replace(&mut query.timed, true);
        let keeps = query.lease.is_some_and(|lease| lease.pinned);
        let state = &mut self.state[usize::from(proxy)];
        if !keeps {
            state.record.free_connections(now, 1, Duration::ZERO);
        }
        let entry = &mut cx.requests[key];
        entry.taken_by(proxy.target());
        entry.frame.instance = job;
        if !std::mem::replace(&mut state.refused, true) {
            let event = Event::Retry { proxy };
            cx.at(now + RETRY_AFTER, Class::Timer, event);
        }
        if !was_timed {
            let event = Event::BorrowTimeout { request: key };
            cx.until(deadline.max(now), event);
        }
        self.wait(proxy, job, cx);
    }

    /// A query has waited for as long as it may.
    fn borrow_timeout(&mut self, plan: &[ProxyPlan], key: Key, cx: &mut Cx) {
        if !cx.requests.contains(key) {
            return;
        }
        if cx.requests[key].worker_kind != kind::PROXY {
            return;
        }
        let (proxy, job) = (cx.requests[key].worker_id(), cx.requests[key].frame.instance);
        if !self.still_waits(proxy, key, cx) {
            return;
        }
        let now = cx.now();
        self.state[usize::from(proxy)].record.timed_out();
        cx.hit(Limit::BorrowTimeout, proxy.target(), key);
        self.drop_waiting(plan, proxy, job, cx);
        cx.requests[key].spend_until(Cause::Connection, now);
        cx.reply(key, Status::Unavailable);
    }

    /// A query waits no longer and goes away without a connection.
    fn drop_waiting(&mut self, _plan: &[ProxyPlan], proxy: Id<PROXY>, job: u32, cx: &mut Cx) {
        let now = cx.now();
        self.jobs.at_mut(job).waiting = false;
        let query = self.jobs.take(job);
        let state = &mut self.state[usize::from(proxy)];
        state.record.waits(now, -1);
        if let Some(lease) = query.lease
            && !cx.sessions.give_back(state.host, lease)
            && lease.pinned
        {
            state.record.free_connections(now, 1, Duration::ZERO);
        }
    }

    /// Frees the connections of pinned sessions whose instances have gone away.
    fn settle(&mut self, _plan: &[ProxyPlan], proxy: Id<PROXY>, cx: &mut Cx) {
        let now = cx.now();
        let state = &mut self.state[usize::from(proxy)];
        let (host, record) = (state.host, &mut state.record);
        while let Some(gone) = cx.sessions.take_vanished(host) {
            if gone.idle_pinned > 0 {
                record.free_connections(now, gone.idle_pinned, now.since(gone.at));
            }
        }
    }
}

impl Proxy {
    /// Asks the functions for instances whose time is up: they keep connections until somebody looks.
    fn look(&self, proxy: Id<PROXY>, cx: &mut Cx) {
        for of in cx.sessions.take_due(self.host, cx.now()) {
            cx.hand_over(Desk::Reap { of });
        }
        cx.hand_over(Event::Recheck { proxy });
    }

    /// Whether the pool has a connection for one more query, or may open one.
    #[inline]
    const fn has_connection(&self, spec: &ProxyPlan) -> bool {
        !self.refused && self.record.busy() < spec.connections
    }
}

/// Whether the caller of a waiting query has gone since. Nobody ever waited for a query without a session.
fn abandoned(query: &Job, cx: &Cx) -> bool {
    query.lease.is_some()
        && match cx.requests[query.request].caller {
            Caller::Nobody => true,
            Caller::Handler(parent) | Caller::Hedged { call: parent, .. } => !cx.requests.contains(parent),
            _ => false,
        }
}
