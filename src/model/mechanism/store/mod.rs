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

mod metrics;
mod cached;
mod capacity;
pub mod fields;
pub mod keys;
mod nodes;
mod record;

use crate::kernel::number::{fit, whole};
use crate::kernel::stream::{chance, mix};
use crate::kernel::{Class, Duration, Instant, Key, Luck};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::places::Places;
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::entry::{Caller, Cause, Request, Status};
use crate::model::request::fault::{Change, Quota, slowed};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::STORE;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::model::request::operation::Operation;
use crate::model::request::session::{Lease, holder};
use crate::scenario::{Block, Table, Target};
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
        store: Id<STORE>,
    },
    /// Provisioned capacity has changed.
    Scaled {
        /// The store.
        store: Id<STORE>,
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
    use crate::kernel::Purpose;

    pub const KEY: u64 = Purpose::StoreKey.step();
    pub const LATENCY: u64 = Purpose::StoreLatency.step();
    pub const WORK: u64 = Purpose::StoreWork.step();
    pub const HIT: u64 = Purpose::StoreHit.step();
    pub const FAILURE: u64 = Purpose::StoreFailure.step();
    pub const CONNECT: u64 = Purpose::StoreConnect.step();
    pub const BEHIND: u64 = Purpose::StoreBehind.step();
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

impl Mechanism for Stores {
    const TABLE: &'static Table = &fields::TABLE;
    const HARM: Harm = Harm {
        slow: true,
        quotas: &[
            ("read_capacity", Quota::ReadCapacity),
            ("write_capacity", Quota::WriteCapacity),
        ],
        ..Harm::NONE
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<STORE>;
    type Plan = StorePlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<StorePlan> {
        let class = block.text_opt("instance");
        class.inspect(|class| reading.select("instance_type", class));
        Some(StorePlan::read(block, reading.component))
    }

    fn profile(plan: &StorePlan) -> Profile {
        Profile {
            counts_sessions: plan.connections.is_some(),
            ..Profile::default()
        }
    }

    fn callees(plan: &StorePlan) -> Vec<Target> {
        plan.behind.into_iter().collect()
    }

    fn sends(_: &StorePlan) -> Vec<Sent> {
        Vec::new()
    }

    fn usual(plan: &StorePlan, quota: Quota) -> Option<f64> {
        let side = usize::from(quota == Quota::WriteCapacity);
        plan.capacity.limits_whole().then(|| plan.capacity.sides[side].start)
    }

    fn holdings(&self, _: &[StorePlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[StorePlan], _: &mut dyn FnMut(Lineage, End)) {}

    fn new(plan: &[StorePlan], _: u64, cx: &mut Cx) -> Self {
        let mut state = Vec::new();
        for (index, spec) in plan.iter().enumerate() {
            let store = Id::<STORE>::new(index);
            let mut record = Record::default();
            let capacity = Capacity::new(&spec.capacity);
            for (side, gauge) in record.capacity.iter_mut().enumerate() {
                gauge.set(0, whole(capacity.of(side).round()));
            }
            record.partitions = capacity.partitions();
            if spec.capacity.ticks() {
                let event = Event::Minute { store };
                cx.at(Instant::ZERO + MINUTE, Class::Release, event);
            }
            state.push(Store {
                capacity,
                nodes: Nodes::new(&spec.nodes),
                slow: 1.0,
                cached: Cached::default(),
                host: cx.plan.host(store.target()),
                record,
            });
        }
        Self {
            state,
            ops: Places::new(),
        }
    }

    #[inline]
    fn offer(&mut self, plan: &[StorePlan], store: Id<STORE>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(store)];
        let now = cx.now();
        let (operation, key_luck) = self.asked(plan, key, cx);
        let demand = cx.plan.call(key, &cx.requests).and_then(|call| call.demand.as_ref());
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
        entry.taken_by(store.target());
        entry.frame.instance = place;
        if spec.connections.is_some() {
            self.connect(plan, key, false, cx);
        } else {
            self.begin(plan, key, cx);
        }
    }

    fn change(&mut self, plan: &[StorePlan], store: Id<STORE>, change: Change, cx: &mut Cx) {
        let state = &mut self.state[usize::from(store)];
        let side = usize::from(!matches!(change, Change::Lower(Quota::ReadCapacity, _)));
        match change {
            Change::Slow(factor) => state.slow = factor,
            Change::Lower(_, to) => {
                let spec = &plan[usize::from(store)].capacity;
                state.capacity.lower(spec, side, to, cx.now());
            }
            Change::Zones(_) | Change::Recycle(..) | Change::Neighbours(_) => {}
        }
    }

    fn handle(&mut self, event: Event, plan: &[StorePlan], cx: &mut Cx) {
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
                let state = &mut self.state[usize::from(store)];
                let spec = &plan[usize::from(store)];
                state
                    .capacity
                    .changed(&spec.capacity, side as usize, u64::from(capacity), cx.now());
                state.note_capacity(cx.now());
            }
        }
    }

    fn answered(&mut self, plan: &[StorePlan], child: Key, parent: Key, cx: &mut Cx) {
        let now = cx.now();
        let mut answer = cx.requests[child];
        if answer.mark < now {
            answer.spend_until(Cause::Waiting, now);
        }
        cx.requests.remove(child);
        let entry = &mut cx.requests[parent];
        entry.adopt(&answer);
        let op = self.ops.at_mut(entry.frame.instance);
        if let Some(cache) = plan[usize::from(entry.worker_id::<STORE>())]
            .cache
            .filter(|_| answer.status.is_ok())
        {
            self.state[usize::from(entry.worker_id::<STORE>())]
                .cached
                .keep(cache, now, op.key);
        }
        self.end(parent, answer.status, cx);
    }

    fn close_window(&mut self, plan: &[StorePlan], cx: &mut Cx) {
        for (spec, state) in plan.iter().zip(&mut self.state) {
            if spec.connections.is_some() {
                state.settle(cx);
            }
            state.cached.purge(cx.now());
            state.record.close_window(state.nodes.backlog_ns(cx.now()), cx.now());
        }
    }

    fn reset(&mut self, plan: &[StorePlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        self.state.iter_mut().for_each(|state| state.record.reset());
    }

    fn observe(self, plan: &[StorePlan], report: &mut Report) {
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

impl Stores {
    /// What a request asks for, and the luck from which its key is drawn: that of the first attempt, as a retry asks
    /// for the same item; for a cache's own question, that of whoever asked the cache.
    fn asked(&mut self, _plan: &[StorePlan], key: Key, cx: &Cx) -> (Operation, Luck) {
        let entry = &cx.requests[key];
        if let Caller::Store(parent) = entry.caller {
            let op = self.ops.at_mut(cx.requests[parent].frame.instance);
            return (op.operation, op.key_luck);
        }
        let operation = cx
            .plan
            .call(key, &cx.requests)
            .map_or(Operation::default(), |call| call.operation);
        (operation, entry.first_luck())
    }

    /// Finds a connection for an operation: an idle one of its instance, a new one, or none.
    fn connect(&mut self, plan: &[StorePlan], key: Key, last_try: bool, cx: &mut Cx) {
        let store = cx.requests[key].worker_id::<STORE>();
        let spec = &plan[usize::from(store)];
        let state = &mut self.state[usize::from(store)];
        let now = cx.now();
        let holder = holder(key, cx);
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
            let event = Event::Connected { request: key };
            cx.at(now + takes, Class::Release, event);
        } else if last_try || !cx.sessions.has_callers(state.host) {
            state.record.window.refused += 1;
            cx.no_connection(store.target(), state.host, key);
            self.leave(key, Status::Unavailable, cx);
        } else {
            for of in cx.sessions.take_due(state.host, now) {
                cx.hand_over(Desk::Reap { of });
            }
            cx.hand_over(Event::Recheck { request: key });
        }
    }

    /// Takes units and a thread for an operation, or refuses it.
    #[inline]
    fn begin(&mut self, plan: &[StorePlan], key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &cx.requests[key];
        let (store, luck) = (entry.worker_id::<STORE>(), entry.luck);
        let spec = &plan[usize::from(store)];
        let state = &mut self.state[usize::from(store)];
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
                cx.hit(limit, store.target(), key);
                return self.leave(key, spec.refusal, cx);
            }
        }
        let bytes = op.operation.bytes(spec.item_bytes);
        op.work = slowed(op.work, state.slow);
        let hash = mix(op.key.wrapping_add(1));
        let Some((service, waiting)) = state.nodes.serve(&spec.nodes, now, hash, op.work, bytes) else {
            window.rejected += 1;
            cx.hit(Limit::StoreQueue, store.target(), key);
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
        let event = Event::Done { request: key };
        cx.at(service.sent + takes, Class::Release, event);
    }

    /// An operation is done here; what a cache lacks, and what is written, goes on to the store behind.
    #[inline]
    fn done(&mut self, plan: &[StorePlan], key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        let spec = &plan[usize::from(entry.worker_id::<STORE>())];
        let op = self.ops.at_mut(entry.frame.instance);
        entry.spend_until(Cause::Queued, op.service.starts.max(entry.mark));
        entry.spend_until(Cause::Store, now);
        if chance(&mut entry.luck.dice(step::FAILURE), spec.failure) {
            self.state[usize::from(entry.worker_id::<STORE>())].record.window.failed += 1;
            return self.end(key, Status::Failed, cx);
        }
        let Some(behind) = spec.behind.filter(|_| op.goes_on) else {
            return self.end(key, Status::Ok, cx);
        };
        let child = Request::new(Caller::Store(key), entry.luck.derive(step::BEHIND), now);
        let child = cx.requests.insert(child);
        cx.offer(behind, child);
    }

    /// An operation has ended.
    #[inline]
    fn end(&mut self, key: Key, status: Status, cx: &mut Cx) {
        let entry = &cx.requests[key];
        let op = self.ops.at_mut(entry.frame.instance);
        let took = cx.now().since(op.arrived);
        let record = &mut self.state[usize::from(entry.worker_id::<STORE>())].record;
        record.ended(side_of(op.operation), took);
        self.leave(key, status, cx);
    }

    /// An operation leaves the store, served or not: its connection is free, its caller hears.
    #[inline]
    fn leave(&mut self, key: Key, status: Status, cx: &mut Cx) {
        let entry = &cx.requests[key];
        let op = self.ops.take(entry.frame.instance);
        let state = &mut self.state[usize::from(entry.worker_id::<STORE>())];
        let kept = op.lease.is_some_and(|lease| cx.sessions.give_back(state.host, lease));
        if (op.lease.is_some() && !kept) || op.own_connection {
            state.record.connections.add(cx.now().0, -1);
        }
        cx.reply(key, status);
    }

    fn minute(&mut self, plan: &[StorePlan], store: Id<STORE>, cx: &mut Cx) {
        let now = cx.now();
        let spec = &plan[usize::from(store)].capacity;
        let state = &mut self.state[usize::from(store)];
        let wanted = state.capacity.minute(spec, now);
        for (side, capacity) in wanted.into_iter().enumerate() {
            let Some(capacity) = capacity else { continue };
            let event = Event::Scaled {
                store,
                side: fit(side),
                capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            };
            cx.at(now + spec.scaling_delay, Class::Release, event);
        }
        state.note_capacity(now);
        let event = Event::Minute { store };
        cx.at(now + MINUTE, Class::Release, event);
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
            gauge.set(now.0, whole(self.capacity.of(side).round()));
        }
        self.record.partitions = self.capacity.partitions();
    }
}
