//! Stores: key-value tables, object stores, caches and search clusters.
//!
//! Model: an operation reads or writes a number of items of a size. It takes units of throughput from the whole and
//! from the partition that its key belongs to, or is refused at once. Capacity of the whole is provisioned (a token
//! bucket that banks what is not used, with target tracking), or on demand (twice what was taken half an hour ago), or
//! there is none. Partitions have limits of their own; those that refuse for long are split in two, which helps unless
//! a single key is hot. Then a node serves the operation: threads in the order of arrival, a bounded queue, a network
//! card. A cache finds its items with a probability or until they are too old, and asks the store behind it for the
//! rest.
//! Not modelled: what is in the items; that one operation on several items meets several partitions (it takes all of
//! its units from the first one's); transactions that conflict; secondary indexes; the size of a cache's memory and
//! evictions; replicas and zones; threads that compete for cores; a refusal's own way back (it takes no time).
//! Units: capacity in units a second; a unit is so many bytes of one item, rounded up, or a request.
//! Sources: Amazon `DynamoDB` Developer Guide (capacity modes, burst and adaptive capacity, auto scaling, quotas);
//! Elhemali and others (2022), "Amazon `DynamoDB`: a scalable, predictably performant, and fully managed `NoSQL`
//! database service", USENIX ATC; Amazon S3 user guide (request rates per prefix); `OpenSearch` documentation, thread pools.
//! Validated by: token buckets with a bank and partition limits by hand and as M/D/1/K, hits of a cache with a time to
//! live, M/M/c and M/M/c/K for threads and queues (tests/theory/stores.rs).

mod cached;
mod capacity;
pub mod fields;
pub mod keys;
mod nodes;
mod record;

use crate::cost::MeterSet;
use crate::kernel::stream::{chance, mix};
use crate::kernel::{Class, Duration, Instant, Key, Luck};
use crate::model::mechanism::database::{holder, note_callers};
use crate::model::mechanism::function;
use crate::model::parts::places::Places;
use crate::model::request::entry::{Caller, Cause, Request, Status};
use crate::model::request::fault::{Change, Quota, slowed};
use crate::model::request::hits::Limit;
use crate::model::request::operation::Operation;
use crate::model::request::session::Lease;
use crate::model::{Cx, Plan, kind};
use crate::scenario::Target;
use crate::stats::{Observation, Series};
use cached::Cached;
use capacity::{Capacity, MINUTE, Refusal};
use fields::StorePlan;
use nodes::{Nodes, Service};
use record::Record;

/// What happens to a store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A connection is set up.
    Connected {
        /// The operation that it is for.
        request: Key,
    },
    /// The functions have been asked for instances whose time is up: once more for a connection.
    Recheck {
        /// The operation.
        request: Key,
    },
    /// An operation is done here.
    Done {
        /// The operation.
        request: Key,
    },
    /// A minute is over: capacity and partitions are looked at.
    Minute {
        /// The store.
        store: u16,
    },
    /// Provisioned capacity has changed.
    Scaled {
        /// The store.
        store: u16,
        /// Reads or writes.
        side: u8,
        /// Units a second.
        capacity: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Connected { request },
    Recheck { request },
    Done { request },
    Minute { store },
    Scaled { store, side, capacity },
});

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    pub const KEY: u64 = 1 << 60;
    pub const LATENCY: u64 = KEY + 1;
    pub const WORK: u64 = KEY + 2;
    pub const HIT: u64 = KEY + 3;
    pub const FAILURE: u64 = KEY + 4;
    pub const CONNECT: u64 = KEY + 5;
    pub const BEHIND: u64 = KEY + 6;
}

/// An operation at a store.
#[derive(Clone, Copy, Debug)]
struct Op {
    operation: Operation,
    /// Where its key comes from, in this store and in the one behind it.
    key_luck: Luck,
    key: u64,
    /// How long it keeps a thread.
    work: Duration,
    arrived: Instant,
    service: Service,
    /// Whether the store behind has to be asked, too.
    goes_on: bool,
    lease: Option<Lease>,
    /// Whether it holds a connection of its own.
    own_connection: bool,
}

/// One store while the simulation runs.
#[derive(Debug)]
struct Store {
    capacity: Capacity,
    nodes: Nodes,
    /// How many times longer work takes now.
    slow: f64,
    cached: Cached,
    /// Its number among those that count sessions.
    host: usize,
    record: Record,
}

/// All stores.
#[derive(Debug)]
pub struct Stores {
    state: Vec<Store>,
    ops: Places<Op>,
}

/// Reads are side 0, writes side 1.
fn side_of(operation: Operation) -> usize {
    usize::from(operation.writes())
}

impl Stores {
    /// The stores at the start of a run.
    pub fn new(plan: &Plan, cx: &mut Cx) -> Self {
        let mut host = plan.databases.len() + plan.proxies.len();
        let mut state = Vec::new();
        for (index, spec) in plan.stores.iter().enumerate() {
            let store = index as u16;
            let mut record = Record::default();
            let capacity = Capacity::new(&spec.capacity);
            for (side, gauge) in record.capacity.iter_mut().enumerate() {
                gauge.set(0, capacity.of(side).round() as u64);
            }
            record.partitions = capacity.partitions();
            if spec.capacity.ticks() {
                let event = crate::model::Event::Store(Event::Minute { store });
                cx.agenda.at(Instant::ZERO + MINUTE, Class::Release, event);
            }
            state.push(Store {
                capacity,
                nodes: Nodes::new(&spec.nodes),
                slow: 1.0,
                cached: Cached::default(),
                host,
                record,
            });
            host += usize::from(spec.connections.is_some());
        }
        let counts = |store: usize| plan.stores[store].connections.map(|_| state[store].host);
        note_callers(plan, kind::STORE, counts, cx);
        Self {
            state,
            ops: Places::new(),
        }
    }

    /// A request reaches a store.
    #[inline]
    pub fn offer(&mut self, plan: &Plan, store: u16, key: Key, cx: &mut Cx) {
        let spec = &plan.stores[store as usize];
        let now = cx.now();
        let (operation, key_luck) = self.asked(plan, key, cx);
        let demand = plan.call(key, cx).and_then(|call| call.demand.as_ref());
        let work = demand.unwrap_or(&spec.work[side_of(operation)]);
        let nothing = Service { starts: now, sent: now };
        let place = self.ops.insert(Op {
            operation,
            key_luck,
            key: spec.keys.draw(&mut key_luck.dice(step::KEY)),
            work: work.draw(&mut cx.requests[key].luck.dice(step::WORK)),
            arrived: now,
            service: nothing,
            goes_on: false,
            lease: None,
            own_connection: false,
        });
        let entry = &mut cx.requests[key];
        entry.worker_kind = kind::STORE;
        entry.worker = store;
        entry.frame.instance = place;
        if spec.connections.is_some() {
            self.connect(plan, key, false, cx);
        } else {
            self.begin(plan, key, cx);
        }
    }

    /// What a request asks for, and the luck from which its key is drawn: that of the first attempt, as a retry asks
    /// for the same item; for a cache's own question, that of whoever asked the cache.
    fn asked(&mut self, plan: &Plan, key: Key, cx: &Cx) -> (Operation, Luck) {
        let entry = &cx.requests[key];
        if let Caller::Store(parent) = entry.caller {
            let op = self.ops.at_mut(cx.requests[parent].frame.instance);
            return (op.operation, op.key_luck);
        }
        let operation = plan.call(key, cx).map_or(Operation::default(), |call| call.operation);
        (operation, entry.first_luck())
    }

    /// Finds a connection for an operation: an idle one of its instance, a new one, or none.
    fn connect(&mut self, plan: &Plan, key: Key, last_try: bool, cx: &mut Cx) {
        let store = cx.requests[key].worker;
        let spec = &plan.stores[store as usize];
        let state = &mut self.state[store as usize];
        let now = cx.now();
        let holder = holder(plan, key, cx);
        let op = self.ops.at_mut(cx.requests[key].frame.instance);
        if let Some((component, instance)) = holder
            && let Some(lease) = cx.sessions.borrow(state.host, component, instance)
        {
            op.lease = Some(lease);
            return self.begin(plan, key, cx);
        }
        state.settle(cx);
        if state.record.connections.level() < spec.connections.unwrap_or(u64::MAX) {
            op.lease = holder.map(|(component, instance)| cx.sessions.open(state.host, component, instance));
            op.own_connection = op.lease.is_none();
            state.record.connections.add(now.0, 1);
            let takes = spec.connect_time.draw(&mut cx.requests[key].luck.dice(step::CONNECT));
            let event = crate::model::Event::Store(Event::Connected { request: key });
            cx.agenda.at(now + takes, Class::Release, event);
        } else if last_try || !cx.sessions.has_callers(state.host) {
            state.record.window.refused += 1;
            cx.no_connection(target(store), state.host, key);
            self.leave(key, Status::Unavailable, cx);
        } else {
            for function in cx.sessions.take_due(state.host, now) {
                let event = crate::model::Event::Function(function::Event::Reap { function });
                cx.agenda.hand_over(event);
            }
            cx.agenda
                .hand_over(crate::model::Event::Store(Event::Recheck { request: key }));
        }
    }

    /// Takes units and a thread for an operation, or refuses it.
    #[inline]
    fn begin(&mut self, plan: &Plan, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &cx.requests[key];
        let (store, luck) = (entry.worker, entry.luck);
        let spec = &plan.stores[store as usize];
        let state = &mut self.state[store as usize];
        let window = &mut state.record.window;
        let op = self.ops.at_mut(entry.frame.instance);
        let side = side_of(op.operation);
        if let Some(cache) = spec.cache {
            let hit = side == 0 && state.cached.has(cache, now, op.key, luck, step::HIT);
            window.hits += u64::from(hit);
            window.misses += u64::from(side == 0 && !hit);
            op.goes_on = !hit && spec.behind.is_some();
        }
        let unit = spec.capacity.sides[side].unit_bytes;
        let halves = op.operation.half_units(unit, spec.item_bytes);
        match state.capacity.take(now, side, op.key, halves) {
            Ok(()) => window.half_units[side] += halves,
            Err(refusal) => {
                let limit = match refusal {
                    Refusal::Table => {
                        window.throttled_table += 1;
                        Limit::TableThroughput
                    }
                    Refusal::Partition => {
                        window.throttled_partition += 1;
                        Limit::PartitionThroughput
                    }
                };
                cx.hit(limit, target(store), key);
                return self.leave(key, spec.refusal, cx);
            }
        }
        let bytes = op.operation.bytes(spec.item_bytes);
        op.work = slowed(op.work, state.slow);
        let hash = mix(op.key.wrapping_add(1));
        let Some((service, waiting)) = state.nodes.serve(&spec.nodes, now, hash, op.work, bytes) else {
            window.rejected += 1;
            cx.hit(Limit::StoreQueue, target(store), key);
            return self.leave(key, Status::Throttled, cx);
        };
        window.work_ns += u128::from(op.work.0);
        window.wait_ns += u128::from(service.starts.since(now).0);
        window.waiting_peak = window.waiting_peak.max(waiting as u64);
        op.service = service;
        let mut takes = spec.latency[side].draw(&mut luck.dice(step::LATENCY));
        if let Some(rate) = spec.transfer_rate {
            takes += Duration::from_secs_f64(bytes as f64 / rate as f64);
        }
        let takes = slowed(takes, state.slow);
        let event = crate::model::Event::Store(Event::Done { request: key });
        cx.agenda.at(service.sent + takes, Class::Release, event);
    }

    /// A fault begins or ends.
    pub fn change(&mut self, plan: &Plan, store: u16, change: Change, cx: &Cx) {
        let state = &mut self.state[store as usize];
        let side = usize::from(!matches!(change, Change::Lower(Quota::ReadCapacity, _)));
        match change {
            Change::Slow(factor) => state.slow = factor,
            Change::Lower(_, to) => {
                let spec = &plan.stores[store as usize].capacity;
                state.capacity.lower(spec, side, to, cx.now());
            }
            Change::Zones(_) | Change::Recycle(..) | Change::Neighbours(_) => {}
        }
    }

    /// Handles an event.
    pub fn handle(&mut self, event: Event, plan: &Plan, cx: &mut Cx) {
        match event {
            Event::Connected { request } => {
                let now = cx.now();
                cx.requests[request].spend_until(Cause::Connection, now);
                self.begin(plan, request, cx);
            }
            Event::Recheck { request } => self.connect(plan, request, true, cx),
            Event::Done { request } => self.done(plan, request, cx),
            Event::Minute { store } => self.minute(plan, store, cx),
            Event::Scaled { store, side, capacity } => {
                let state = &mut self.state[store as usize];
                let spec = &plan.stores[store as usize];
                state
                    .capacity
                    .changed(&spec.capacity, side as usize, u64::from(capacity), cx.now());
                state.note_capacity(cx.now());
            }
        }
    }

    /// An operation is done here; what a cache lacks, and what is written, goes on to the store behind.
    #[inline]
    fn done(&mut self, plan: &Plan, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        let spec = &plan.stores[entry.worker as usize];
        let op = self.ops.at_mut(entry.frame.instance);
        entry.spend_until(Cause::Queued, op.service.starts.max(entry.mark));
        entry.spend_until(Cause::Store, now);
        if chance(&mut entry.luck.dice(step::FAILURE), spec.failure) {
            self.state[entry.worker as usize].record.window.failed += 1;
            return self.end(key, Status::Failed, cx);
        }
        let Some(behind) = spec.behind.filter(|_| op.goes_on) else {
            return self.end(key, Status::Ok, cx);
        };
        let child = Request::new(Caller::Store(key), entry.luck.derive(step::BEHIND), now);
        let child = cx.requests.insert(child);
        cx.offer(behind, child);
    }

    /// The store behind a cache has answered.
    pub fn answered(&mut self, plan: &Plan, child: Key, parent: Key, cx: &mut Cx) {
        let now = cx.now();
        let mut answer = cx.requests[child];
        if answer.mark < now {
            answer.spend_until(Cause::Waiting, now);
        }
        cx.requests.remove(child);
        let entry = &mut cx.requests[parent];
        entry.adopt(&answer);
        let op = self.ops.at_mut(entry.frame.instance);
        if let Some(cache) = plan.stores[entry.worker as usize]
            .cache
            .filter(|_| answer.status.is_ok())
        {
            self.state[entry.worker as usize].cached.keep(cache, now, op.key);
        }
        self.end(parent, answer.status, cx);
    }

    /// An operation has ended.
    #[inline]
    fn end(&mut self, key: Key, status: Status, cx: &mut Cx) {
        let entry = &cx.requests[key];
        let op = self.ops.at_mut(entry.frame.instance);
        let took = cx.now().since(op.arrived);
        let record = &mut self.state[entry.worker as usize].record;
        record.ended(side_of(op.operation), took);
        self.leave(key, status, cx);
    }

    /// An operation leaves the store, served or not: its connection is free, its caller hears.
    #[inline]
    fn leave(&mut self, key: Key, status: Status, cx: &mut Cx) {
        let entry = &cx.requests[key];
        let op = self.ops.take(entry.frame.instance);
        let state = &mut self.state[entry.worker as usize];
        let kept = op.lease.is_some_and(|lease| cx.sessions.give_back(state.host, lease));
        if (op.lease.is_some() && !kept) || op.own_connection {
            state.record.connections.add(cx.now().0, -1);
        }
        cx.reply(key, status);
    }

    fn minute(&mut self, plan: &Plan, store: u16, cx: &mut Cx) {
        let now = cx.now();
        let spec = &plan.stores[store as usize].capacity;
        let state = &mut self.state[store as usize];
        let wanted = state.capacity.minute(spec, now);
        for (side, capacity) in wanted.into_iter().enumerate() {
            let Some(capacity) = capacity else { continue };
            let event = Event::Scaled {
                store,
                side: side as u8,
                capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            };
            cx.agenda.at(
                now + spec.scaling_delay,
                Class::Release,
                crate::model::Event::Store(event),
            );
        }
        state.note_capacity(now);
        let event = crate::model::Event::Store(Event::Minute { store });
        cx.agenda.at(now + MINUTE, Class::Release, event);
    }

    /// Ends a window.
    pub fn close_window(&mut self, plan: &Plan, cx: &mut Cx) {
        for (spec, state) in plan.stores.iter().zip(&mut self.state) {
            if spec.connections.is_some() {
                state.settle(cx);
            }
            state.cached.purge(cx.now());
            state.record.close_window(state.nodes.backlog_ns(cx.now()), cx.now());
        }
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self, plan: &Plan, cx: &mut Cx) {
        self.close_window(plan, cx);
        self.state.iter_mut().for_each(|state| state.record.reset());
    }

    /// Reports what was counted over `measured`; the last window must have been closed.
    pub fn observe(
        self,
        plan: &Plan,
        measured: Duration,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut [MeterSet],
    ) {
        for (spec, state) in plan.stores.iter().zip(self.state) {
            let meters = &mut meters[spec.component as usize];
            state.record.observe(spec, plan.window, measured, out, series, meters);
        }
    }
}

impl Store {
    /// Lets connections go whose instances have gone away.
    fn settle(&mut self, cx: &mut Cx) {
        let now = cx.now();
        while let Some(gone) = cx.sessions.take_vanished(self.host) {
            let connections = &mut self.record.connections;
            connections.add(now.0, -i64::from(gone.idle));
            connections.subtract_past(now.since(gone.at).0 * u64::from(gone.idle));
        }
    }

    /// Writes down what capacity there is now.
    fn note_capacity(&mut self, now: Instant) {
        for (side, gauge) in self.record.capacity.iter_mut().enumerate() {
            gauge.set(now.0, self.capacity.of(side).round() as u64);
        }
        self.record.partitions = self.capacity.partitions();
    }
}

const fn target(index: u16) -> Target {
    Target {
        kind: kind::STORE,
        index,
    }
}

/// Whether a store counts connections, so that instances hold sessions with it.
pub fn counts_connections(stores: &[StorePlan], target: Target) -> bool {
    target.kind == kind::STORE
        && stores
            .get(target.index as usize)
            .is_some_and(|s| s.connections.is_some())
}
