//! Streams, and the event source mappings that feed their records to functions.
//!
//! Model: a put goes to the shard that owns its partition key's place in the hash range. The shard takes it if its
//! limits on records and on bytes a second allow it, and refuses it otherwise (429), whatever room other shards have.
//! Records stay in the order of their puts. A mapping reads each shard by polls, at most as fast as the shard's read
//! limit shared with its other consumers allows, or is sent records over a limit of its own (enhanced fan-out). What
//! was read goes, by key, to one of as many lanes as the parallelisation factor says. A lane forms batches by size and
//! window and has one invocation under way at a time. A batch that fails is tried again, after a wait that doubles,
//! until it succeeds, has used up its tries, or is too old; until then nothing behind it in its lane goes on. It may be
//! split in two, or resume where the function says that it failed. What is given up sends one message to a queue.
//! Throttled invocations are tried again without counting as tries. An on-demand stream looks at its traffic each
//! minute and splits its hottest shards until there is room for a multiple of the greatest minute so far; the halves
//! are read when what was split has been read to its end. Whether handling a record fails is a property of the record
//! and of how often it was handed over: a poison record always does, any other with the function's probability of
//! failure.
//! Not modelled: puts of several records in one call, tumbling windows, filters, aggregation by producer libraries,
//! merging of shards, resharding by hand, the minutes that a new mapping needs before it reads, checkpoints that are
//! lost. Records of one key are in one lane, so a poison record holds up its lane and not the shard's other lanes.
//! Units: nanoseconds; bytes; concurrency in batches under way (one invocation each).
//! Sources: Amazon Kinesis Data Streams Developer Guide (quotas, on-demand mode, enhanced fan-out); AWS Lambda
//! Developer Guide, "Using Lambda with Kinesis" and "Using Lambda with `DynamoDB`"; AWS Lambda API reference,
//! `CreateEventSourceMapping`.
//! Validated by: hand-computed traces (order, polls, bisection, ages, splits), the loss of a token bucket in each
//! shard, M/D/1 and the bulk queue M/D(1,B)/1 behind a shard (tests/theory).

mod metrics;
pub mod fields;
pub mod plan;
mod record;
mod shard;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use crate::kernel::number::whole_u32;
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Stream, StreamKey};
use crate::model::mechanism::contract::{Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::{Holder, Holding};
use crate::model::request::common::Profile;
use crate::model::request::desk::Cx;
use crate::model::request::entry::{Cause, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::STREAM;
use crate::model::request::lineage::{End, Lineage, Why};
use crate::model::request::meaning::Meaning;
use crate::scenario::{Block, Table, Target};
use plan::{Capacity, MappingPlan, OnDemandPlan, StreamPlan};
use record::{Record as Books, level};
use shard::{Pace, Reader, Record, Shards};

/// What happens to a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A put call reaches the shard.
    Put {
        /// The stream.
        stream: Id<STREAM>,
        /// The call.
        request: Key,
    },
    /// A mapping begins to read.
    Start {
        /// The stream.
        stream: Id<STREAM>,
    },
    /// A shard is read.
    Read {
        /// The stream.
        stream: Id<STREAM>,
        /// The shard.
        shard: u32,
    },
    /// A batch has waited for more records long enough, or for its next try.
    Wake {
        /// The stream.
        stream: Id<STREAM>,
        /// The lane of the shard.
        lane: u8,
        /// The shard.
        shard: u32,
        /// The number of the wait.
        epoch: u32,
    },
    /// A minute of traffic is over (on demand).
    Look {
        /// The stream.
        stream: Id<STREAM>,
    },
    /// The splits that were asked for are done.
    Grown {
        /// The stream.
        stream: Id<STREAM>,
        /// How many shards there are to be.
        shards: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Put { stream, request },
    Start { stream },
    Read { stream, shard },
    Wake { stream, lane, shard, epoch },
    Look { stream },
    Grown { stream, shards },
});

/// Steps of a luck, far from those of handlers and other mechanisms ("STRE" in front).
mod step {
    use crate::kernel::Purpose;

    /// How long the put call takes.
    pub const PUT: u64 = Purpose::StreamPut.step();
    /// The record's own luck, which its producer's luck decides.
    pub const RECORD: u64 = Purpose::StreamRecord.step();
    /// Whether it has the hot key.
    pub const HOT: u64 = Purpose::StreamHot.step();
    /// Its key.
    pub const KEY: u64 = Purpose::StreamKeyOf.step();
    /// Whether it always fails.
    pub const POISON: u64 = Purpose::StreamPoison.step();
    /// Whether handling a delivery fails.
    pub const FAILURE: u64 = Purpose::StreamFailure.step();
    /// Where in a batch calls failed.
    pub const PLACE: u64 = Purpose::StreamPlace.step();
    /// The luck of a delivery, plus how many there were before.
    pub const DELIVERY: u64 = Purpose::StreamDelivery.step();
}

/// Lanes of a shard have their numbers in these bits of a caller's number.
const LANE_BITS: u32 = 4;

/// How often the traffic of an on-demand stream is looked at.
const LOOK: Duration = Duration::from_secs(60);

/// What a consumer knows.
#[derive(Debug)]
struct Consumer {
    spec: MappingPlan,
    batch_limit: usize,
    /// The probability that handling a record fails.
    failure: f64,
    pace: Pace,
    window: LaneId,
    /// One for each shard of the stream that it reads.
    readers: Vec<Reader>,
    started: bool,
    dice: Stream,
}

/// What an on-demand stream remembers of its traffic.
#[derive(Debug)]
struct Growth {
    spec: OnDemandPlan,
    /// Records accepted up to the last look.
    before: u64,
    /// Records accepted in the greatest minute.
    peak: u64,
    /// Shards that there are or will be.
    wanted: u32,
}

/// One stream while the simulation runs.
#[derive(Debug)]
struct State {
    index: Id<STREAM>,
    /// The stream that has its records: itself, or the one it reads.
    source: Id<STREAM>,
    shards: Shards,
    growth: Option<Growth>,
    /// Those that read this stream, itself among them.
    consumers: Vec<Id<STREAM>>,
    consumer: Option<Consumer>,
    /// Accepted since the start of the run, whatever was reset.
    accepted: u64,
    books: Books,
}

/// All streams.
#[derive(Debug)]
pub struct Streams {
    state: Vec<State>,
}

impl Mechanism for Streams {
    const TABLE: &'static Table = &fields::TABLE;
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<STREAM>;
    type Plan = StreamPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<StreamPlan> {
        Some(StreamPlan::read(block, reading.component, reading.name))
    }

    fn profile(plan: &StreamPlan) -> Profile {
        Profile {
            payload_limit: plan.payload_limit,
            ..Profile::default()
        }
    }

    fn callees(_: &StreamPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(plan: &StreamPlan) -> Vec<Sent> {
        let worker = plan.mapping.iter().map(|mapping| mapping.to.target());
        worker.map(|to| Sent::awaited("records of", to)).collect()
    }

    fn holdings(&self, plan: &[StreamPlan]) -> Vec<Holding> {
        let streams = plan.iter().zip(&self.state);
        let holdings = streams.map(|(spec, state)| {
            let records = state.books.levels[record::level::DEPTH].level();
            Holding::of::<shard::Record>(Holder::Records, Some(spec.component), records)
        });
        holdings.collect()
    }

    fn held(&self, plan: &[StreamPlan], hold: &mut dyn FnMut(Lineage, End)) {
        for (spec, state) in plan.iter().zip(&self.state) {
            let readers = state.consumer.iter().flat_map(|consumer| &consumer.readers);
            let records = readers.flat_map(Reader::all);
            records.for_each(|record| hold(record.of, End::unfinished(spec.component, Why::Waiting)));
        }
    }

    fn new(plan: &[StreamPlan], run: u64, cx: &mut Cx) -> Self {
        let mut streams = Self {
            state: Vec::with_capacity(plan.len()),
        };
        for (index, spec) in plan.iter().enumerate() {
            let index = Id::new(index);
            let source = spec.of.unwrap_or(index);
            let of = &plan[usize::from(source)];
            let shards = Shards::new(of);
            let growth = match of.capacity {
                Capacity::OnDemand(grow) if spec.of.is_none() => Some(Growth {
                    spec: grow,
                    before: 0,
                    peak: 0,
                    wanted: spec.shards,
                }),
                _ => None,
            };
            if growth.is_some() {
                let event = Event::Look { stream: index };
                cx.at(Instant::ZERO + LOOK, Class::Release, event);
            }
            let reads = |other: &StreamPlan, i| other.mapping.is_some() && other.of.unwrap_or(i) == index;
            let consumers = plan.iter().zip(Id::all()).filter(|(other, i)| reads(other, *i));
            let mut state = State {
                index,
                source,
                growth,
                consumers: consumers.map(|(_, i)| i).collect(),
                consumer: spec.mapping.map(|mapping| consumer(plan, run, spec, mapping, cx)),
                accepted: 0,
                books: Books::new(),
                shards,
            };
            state.books.levels[level::SHARDS].set(0, u64::from(of.shards));
            state.open_readers();
            streams.state.push(state);
        }
        streams
    }

    #[inline]
    fn offer(&mut self, plan: &[StreamPlan], stream: Id<STREAM>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(stream)];
        if spec.put_latency.is_zero() {
            return self.put(plan, stream, key, cx);
        }
        let entry = &mut cx.requests[key];
        entry.spend(Cause::Waiting, spec.put_latency.draw(&mut entry.luck.dice(step::PUT)));
        let at = entry.mark;
        let event = Event::Put { stream, request: key };
        cx.at(at, Class::Release, event);
    }

    fn handle(&mut self, event: Event, plan: &[StreamPlan], cx: &mut Cx) {
        match event {
            Event::Put { stream, request } => self.put(plan, stream, request, cx),
            Event::Start { stream } => {
                let state = &mut self.state[usize::from(stream)];
                if let Some(consumer) = &mut state.consumer {
                    consumer.started = true;
                }
                for shard in 0..state.readers() {
                    state.want(plan, shard, cx);
                }
            }
            Event::Read { stream, shard } => self.state[usize::from(stream)].read(plan, shard, cx),
            Event::Wake {
                stream,
                lane,
                shard,
                epoch,
            } => {
                self.state[usize::from(stream)].wake(plan, (shard, lane), epoch, cx);
            }
            Event::Look { stream } => self.look(plan, stream, cx),
            Event::Grown { stream, shards } => self.grow(plan, stream, shards, cx),
        }
    }

    fn delivered(&mut self, plan: &[StreamPlan], stream: Id<STREAM>, number: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        let entry = *entry;
        cx.requests.remove(key);
        let place = (number >> LANE_BITS, (number & ((1 << LANE_BITS) - 1)) as u8);
        self.state[usize::from(stream)].answered(plan, place, &entry, cx);
    }

    fn close_window(&mut self, _: &[StreamPlan], cx: &mut Cx) {
        let now = cx.now();
        for state in &mut self.state {
            let readers = || state.consumer.iter().flat_map(|consumer| &consumer.readers);
            debug_assert_eq!(
                state.books.levels[level::DEPTH].level(),
                readers().map(Reader::depth).sum::<u64>(),
                "every record is counted"
            );
            let oldest = readers().filter_map(Reader::oldest).min();
            let age = oldest.map_or(Duration::ZERO, |put| now.since(put));
            state.books.close_window(now, age);
        }
    }

    fn reset(&mut self, plan: &[StreamPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.books.reset();
            state.shards.reset();
        }
    }

    fn observe(self, plan: &[StreamPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            flows,
            meters,
            end,
            ..
        } = report;
        for (spec, mut state) in plan.iter().zip(self.state) {
            let readers = state.consumer.iter().flat_map(|consumer| &consumer.readers);
            for record in readers.flat_map(Reader::all) {
                state.books.cut_off(end.since(record.put));
            }
            let hottest = spec.of.is_none().then(|| state.shards.hottest());
            // What a record costs is written at the stream that has it.
            let of = &plan[usize::from(state.source)];
            let billed = StreamPlan {
                capacity: of.capacity,
                record_bytes: of.record_bytes,
                ..spec.clone()
            };
            let meters = &mut meters[spec.component as usize];
            let flow = state.books.observe(&billed, hottest, *window, out, series, meters);
            flows.extend(spec.mapping.is_some().then_some(flow));
        }
    }
}

impl Streams {
    /// A put reaches its shard, which takes it or refuses.
    fn put(&mut self, plan: &[StreamPlan], stream: Id<STREAM>, key: Key, cx: &mut Cx) {
        if !cx.requests.contains(key) {
            return;
        }
        let source = self.state[usize::from(stream)].source;
        let spec = &plan[usize::from(source)];
        let now = cx.now();
        let entry = &cx.requests[key];
        // A producer that puts again, because it was refused or saw no answer, puts the same record.
        let luck = entry.luck.first_attempt(entry.attempt).derive(step::RECORD);
        let partition = spec.keys.draw(luck, step::HOT, step::KEY);
        let state = &mut self.state[usize::from(source)];
        let shard = state.shards.of(partition);
        if !state.shards.get(shard).take(now, spec.record_bytes) {
            state.books.counts.throttled += 1;
            cx.hit(Limit::ShardThroughput, source.target(), key);
            return cx.reply(key, Status::Throttled);
        }
        state.accepted += 1;
        let reads_itself = state.consumer.is_some();
        state.books.counts.records += u64::from(!reads_itself);
        cx.reply(key, Status::Ok);
        let record = Record {
            of: cx.requests.lineages.tag(key).of,
            put: now,
            luck,
            lane: 0,
            poison: chance(&mut luck.dice(step::POISON), spec.poison),
            tries: 0,
        };
        for i in 0..self.state[usize::from(source)].consumers.len() {
            let consumer = self.state[usize::from(source)].consumers[i];
            self.state[usize::from(consumer)].take(plan, shard, partition, record, cx);
        }
    }

    /// A minute of an on-demand stream's traffic is over: is there room for more than it was?
    fn look(&mut self, plan: &[StreamPlan], stream: Id<STREAM>, cx: &mut Cx) {
        let spec = &plan[usize::from(stream)];
        let state = &mut self.state[usize::from(stream)];
        let accepted = state.accepted;
        let Some(growth) = &mut state.growth else { return };
        growth.peak = growth.peak.max(accepted - growth.before);
        growth.before = accepted;
        let rate = growth.spec.headroom * growth.peak as f64 / LOOK.as_secs_f64();
        let by_records = spec.write_records.map_or(0.0, |limit| rate / limit);
        let by_bytes = spec
            .write_bytes
            .map_or(0.0, |limit| rate * spec.record_bytes as f64 / limit as f64);
        let wanted = whole_u32(by_records.max(by_bytes).ceil()).min(growth.spec.maximum);
        if wanted > growth.wanted {
            growth.wanted = wanted;
            let event = Event::Grown { stream, shards: wanted };
            let at = cx.now() + growth.spec.delay;
            cx.at(at, Class::Release, event);
        }
        if state.shards.open() >= wanted {
            state.shards.looked();
        }
        let next = cx.now() + LOOK;
        cx.at(next, Class::Release, Event::Look { stream });
    }

    /// Splits the hottest shards until there are so many.
    fn grow(&mut self, plan: &[StreamPlan], stream: Id<STREAM>, wanted: u32, cx: &mut Cx) {
        let spec = &plan[usize::from(stream)];
        while self.state[usize::from(stream)].shards.open() < wanted {
            self.state[usize::from(stream)].shards.split(spec);
        }
        let shards = self.state[usize::from(stream)].shards.clone();
        self.state[usize::from(stream)].shards.looked();
        for state in &mut self.state {
            if state.source != stream {
                continue;
            }
            state.books.levels[level::SHARDS].set(cx.now().0, u64::from(shards.open()));
            if state.index != stream {
                state.shards = shards.clone();
            }
            state.open_readers();
        }
    }
}

/// The consumer of a stream at the start of a run.
fn consumer(plan: &[StreamPlan], run: u64, spec: &StreamPlan, mapping: MappingPlan, cx: &mut Cx) -> Consumer {
    let stream = plan.iter().position(|other| other.component == spec.component);
    let stream = Id::new(stream.unwrap_or(0));
    let source = spec.of.unwrap_or(stream);
    let of = &plan[usize::from(source)];
    let shares = |other: &StreamPlan, i| {
        other.of.unwrap_or(i) == source && other.mapping.is_some_and(|mapping| mapping.polls.is_some())
    };
    let sharing = plan.iter().zip(Id::all()).filter(|(other, i)| shares(other, *i));
    let sharing = if mapping.polls.is_none() {
        1
    } else {
        sharing.count().max(1)
    };
    let between = Duration::from_nanos_f64(1e9 * sharing as f64 / of.reads_per_second);
    let pace = Pace {
        interval: mapping.polls.unwrap_or(Duration::ZERO),
        spacing: mapping.polls.map_or(Duration::ZERO, |_| between),
        byte_ns: 1e9 * sharing as f64 / of.read_bytes as f64,
    };
    if mapping.starts_at > Duration::ZERO {
        let event = Event::Start { stream };
        cx.at(Instant::ZERO + mapping.starts_at, Class::Release, event);
    }
    let batches = StreamPlan {
        record_bytes: of.record_bytes,
        ..spec.clone()
    };
    Consumer {
        spec: mapping,
        batch_limit: batches.batch_limit(),
        failure: cx.plan.profile(mapping.to.target()).failure,
        pace,
        window: cx.agenda.lane(mapping.batch_window, Class::Timer),
        readers: Vec::new(),
        started: mapping.starts_at == Duration::ZERO,
        dice: Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, "poll")),
    }
}
