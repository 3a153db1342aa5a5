//! What one consumer does: it reads shards, forms batches, hands them over, and deals with what failed.

use super::plan::{self, StreamPlan};
use super::record::level;
use super::shard::{Doing, Lane, Reader, Record, Segment};
use super::{Event, LANE_BITS, State, step};
use crate::kernel::number::fit;
use crate::kernel::stream::{below, chance, mix};
use crate::kernel::{Class, Duration, Instant, Luck};
use crate::model::request::desk::{self, Cx};
use crate::model::request::effects::Handed;
use crate::model::request::entry::{BatchFate, Caller, Request, Status};
use crate::model::request::lineage::{End, Lineage, Why};

/// Whether handling a record fails at its next delivery.
#[inline]
fn fails(record: &Record, failure: f64) -> bool {
    record.poison || chance(&mut delivery(record).dice(step::FAILURE), failure)
}

/// What a record brings when it is handed over next.
#[inline]
fn delivery(record: &Record) -> Luck {
    record.luck.derive(step::DELIVERY + u64::from(record.tries))
}

impl State {
    /// Makes readers for shards that have none yet. Each is polled at a moment of its own.
    pub(super) fn open_readers(&mut self) {
        let Some(consumer) = &mut self.consumer else { return };
        let interval = consumer.pace.interval;
        for shard in fit(consumer.readers.len())..self.shards.ever() {
            let mut after = self.shards.get(shard).parent;
            while let Some(parent) = after.map(|parent| &consumer.readers[parent as usize])
                && parent.is_empty()
            {
                after = parent.after;
            }
            let first = match interval.0 {
                0 => 0,
                nanos => below(&mut consumer.dice, nanos),
            };
            let lanes = consumer.spec.parallelization_factor;
            consumer.readers.push(Reader::new(lanes, after, Instant(first)));
        }
    }

    pub(super) fn readers(&self) -> u32 {
        self.consumer.as_ref().map_or(0, |consumer| fit(consumer.readers.len()))
    }

    /// A record was put that this consumer will read.
    pub(super) fn take(&mut self, plan: &[StreamPlan], shard: u32, partition: u32, mut record: Record, cx: &mut Cx) {
        self.books.counts.records += 1;
        let Some(consumer) = &mut self.consumer else { return };
        if !consumer.started && !consumer.spec.from_oldest {
            self.books.counts.skipped += 1;
            return;
        }
        let lanes = u64::from(consumer.spec.parallelization_factor);
        record.lane = fit(mix(plan::position(partition)) % lanes);
        self.books.levels[level::DEPTH].add(cx.now().0, 1);
        cx.requests.lineages.fork(record.of);
        consumer.readers[shard as usize].log.push_back(record);
        self.want(plan, shard, cx);
    }

    /// Sees to it that a shard is read when there is something to read.
    pub(super) fn want(&mut self, plan: &[StreamPlan], shard: u32, cx: &mut Cx) {
        let Some(consumer) = &mut self.consumer else { return };
        if !consumer.started {
            return;
        }
        let propagation = plan[usize::from(self.source)].propagation;
        let reader = &mut consumer.readers[shard as usize];
        if let Some(at) = reader.due(cx.now(), propagation, &consumer.pace) {
            reader.reading = true;
            let event = Event::Read {
                stream: self.index,
                shard,
            };
            cx.at(at, Class::Timer, event);
        }
    }

    /// A shard is read: its lanes get what is there.
    pub(super) fn read(&mut self, plan: &[StreamPlan], shard: u32, cx: &mut Cx) {
        let of = &plan[usize::from(self.source)];
        let now = cx.now();
        let Some(consumer) = &mut self.consumer else { return };
        let reader = &mut consumer.readers[shard as usize];
        while let Some(record) = reader.log.front()
            && record.put + of.retention <= now
        {
            self.books.leaves(record.put, now);
            self.books.counts.expired += 1;
            let place = cx.plan.place(self.index.target());
            cx.requests.lineages.end(record.of, now, End::lost(place, Why::Expired));
            reader.log.pop_front();
        }
        let read = reader.read(now, of.record_bytes, of.propagation, &consumer.pace);
        self.books.counts.read += read;
        let lanes = fit(reader.lanes.len());
        for lane in 0..lanes {
            self.fill(plan, (shard, lane), false, cx);
        }
        self.want(plan, shard, cx);
        self.drained(plan, shard, cx);
    }

    fn lane(&mut self, (shard, lane): (u32, u8)) -> Option<&mut Lane> {
        let reader = self.consumer.as_mut()?.readers.get_mut(shard as usize)?;
        reader.lanes.get_mut(lane as usize)
    }

    /// Forms a batch if the lane has none at hand and there are enough records, or the window is over.
    fn fill(&mut self, plan: &[StreamPlan], place: (u32, u8), over: bool, cx: &mut Cx) {
        let Some(consumer) = &mut self.consumer else { return };
        let (limit, window) = (consumer.batch_limit, consumer.window);
        let patient = consumer.spec.batch_window > Duration::ZERO;
        let stream = self.index;
        let Some(lane) = self.lane(place) else { return };
        let waits = matches!(lane.doing, Doing::Idle | Doing::Filling);
        if !waits || lane.records.is_empty() {
            return;
        }
        if lane.records.len() >= limit || !patient || over {
            let len = lane.records.len().min(limit);
            lane.segments.push(Segment { len, failed: 0 });
            return self.invoke(plan, place, cx);
        }
        if lane.doing == Doing::Idle {
            lane.doing = Doing::Filling;
            lane.epoch = lane.epoch.wrapping_add(1);
            let (shard, lane, epoch) = (place.0, place.1, lane.epoch);
            let event = Event::Wake {
                stream,
                lane,
                shard,
                epoch,
            };
            cx.after_or_stale(window, event, |event| self.is_stale(event));
        }
    }

    /// Whether an event is for a wait of one of these lanes that has ended otherwise.
    fn is_stale(&self, event: desk::Event) -> bool {
        let Some(Event::Wake {
            stream,
            lane,
            shard,
            epoch,
        }) = event.of()
        else {
            return false;
        };
        let readers = self.consumer.as_ref().filter(|_| stream == self.index);
        readers.is_some_and(|consumer| consumer.readers[shard as usize].lanes[lane as usize].epoch != epoch)
    }

    /// A wait of a lane is over.
    pub(super) fn wake(&mut self, plan: &[StreamPlan], place: (u32, u8), epoch: u32, cx: &mut Cx) {
        let Some(lane) = self.lane(place) else { return };
        if lane.epoch != epoch {
            return;
        }
        match lane.doing {
            Doing::Filling => self.fill(plan, place, true, cx),
            Doing::Resting => self.invoke(plan, place, cx),
            Doing::Idle | Doing::Working => {}
        }
    }

    /// Hands the next part of the batch at hand to the function, or goes on to the next batch if there is none left.
    fn invoke(&mut self, plan: &[StreamPlan], place: (u32, u8), cx: &mut Cx) {
        self.give_up_old(plan, place, cx);
        let now = cx.now();
        let stream = self.index;
        let Some(consumer) = &mut self.consumer else { return };
        let (spec, failure) = (consumer.spec, consumer.failure);
        let Some(lane) = self.lane(place) else { return };
        let Some(&Segment { len, .. }) = lane.segments.last() else {
            return self.next_batch(plan, place, cx);
        };
        let batch = lane.records.iter().take(len);
        let handed = batch.clone().map(|record| Handed {
            identity: record.luck.0,
            poison: record.poison,
        });
        let doomed = !spec.partial_batch_response && batch.clone().any(|record| fails(record, failure));
        let luck = lane.records.front().map(delivery).unwrap_or_default();
        lane.doing = Doing::Working;
        lane.epoch = lane.epoch.wrapping_add(1);
        let caller = Caller::Sender {
            from: stream.target(),
            ticket: (place.0 << LANE_BITS) | u32::from(place.1),
        };
        cx.effects.hand(caller, handed);
        let mut request = Request::new(caller, luck, now);
        request.frame.batch_left = fit(len);
        request.frame.batch_fate = match spec.partial_batch_response {
            true => BatchFate::Partial,
            false if doomed => BatchFate::Doomed,
            false => BatchFate::Whole,
        };
        self.books.counts.batches += 1;
        self.books.levels[level::CONCURRENCY].add(now.0, 1);
        let to = spec.to.target();
        let key = cx.requests.insert(request);
        if cx.requests.lineages.on
            && let Some(lane) = self.lane(place)
        {
            let of = lane.records.iter().take(len).map(|record| record.of);
            cx.requests.works_on(key, of);
        }
        cx.offer(to, key);
    }

    /// Drops records at the front of a batch that are too old to be handed over.
    fn give_up_old(&mut self, plan: &[StreamPlan], place: (u32, u8), cx: &mut Cx) {
        let now = cx.now();
        let retention = plan[usize::from(self.source)].retention;
        let Some(consumer) = &mut self.consumer else { return };
        let limit = consumer.spec.maximum_age.unwrap_or(Duration::FOREVER);
        let reader = &mut consumer.readers[place.0 as usize];
        let lane = &mut reader.lanes[place.1 as usize];
        let mine = cx.plan.place(self.index.target());
        let mut first: Option<Luck> = None;
        let mut given_up = Vec::new();
        while let Some(segment) = lane.segments.last_mut() {
            let old = lane.records.front().filter(|record| {
                let age = now.since(record.put);
                age >= retention || age > limit
            });
            if segment.len == 0 {
                lane.segments.pop();
                continue;
            }
            let Some(record) = old else { break };
            let expired = now.since(record.put) >= retention;
            let counts = &mut self.books.counts;
            *(if expired {
                &mut counts.expired
            } else {
                &mut counts.discarded
            }) += 1;
            first = first.or((!expired).then_some(record.luck));
            if expired {
                cx.requests.lineages.end(record.of, now, End::lost(mine, Why::Expired));
            } else {
                given_up.push(record.of);
            }
            self.books.leaves(record.put, now);
            lane.records.pop_front();
            reader.buffered -= 1;
            segment.len -= 1;
        }
        if let Some(luck) = first {
            self.report(luck, &given_up, cx);
        }
    }

    /// Tells the queue for failures, if there is one, that records were given up.
    fn report(&self, luck: Luck, given_up: &[Lineage], cx: &mut Cx) {
        let (now, place) = (cx.now(), cx.plan.place(self.index.target()));
        let queue = self.consumer.as_ref().and_then(|consumer| consumer.spec.on_failure);
        let Some(queue) = queue else {
            let lost = End::lost(place, Why::Discarded);
            return given_up.iter().for_each(|of| cx.requests.lineages.end(*of, now, lost));
        };
        let request = Request::new(Caller::Nobody, luck, now);
        let key = cx.requests.insert(request);
        let all = cx.requests.lineages.join(given_up.iter().copied());
        cx.sends(key, all, queue.target(), Some(place));
        cx.requests.lineages.leave(all);
        for of in given_up {
            cx.requests.lineages.leave(*of);
        }
        cx.offer(queue.target(), key);
    }

    /// The batch at hand is done with.
    fn next_batch(&mut self, plan: &[StreamPlan], place: (u32, u8), cx: &mut Cx) {
        if let Some(lane) = self.lane(place) {
            lane.doing = Doing::Idle;
        }
        self.unblock(place, cx.now());
        self.want(plan, place.0, cx);
        self.fill(plan, place, false, cx);
        self.drained(plan, place.0, cx);
    }

    /// Lets the halves of a shard that was split be read, once it is read to its end.
    fn drained(&mut self, plan: &[StreamPlan], shard: u32, cx: &mut Cx) {
        let Some(consumer) = &mut self.consumer else { return };
        if !consumer.readers[shard as usize].is_empty() {
            return;
        }
        for child in shard as usize + 1..consumer.readers.len() {
            let Some(consumer) = &mut self.consumer else { return };
            if consumer.readers[child].after == Some(shard) {
                consumer.readers[child].after = None;
                self.want(plan, fit(child), cx);
                // A half that was split in its turn and never got a record is at its end, too.
                self.drained(plan, fit(child), cx);
            }
        }
    }

    /// Counts a lane as held up by records that failed.
    fn block(&mut self, place: (u32, u8), now: Instant) {
        if let Some(lane) = self.lane(place)
            && !lane.blocked
        {
            lane.blocked = true;
            self.books.levels[level::BLOCKED].add(now.0, 1);
        }
    }

    fn unblock(&mut self, place: (u32, u8), now: Instant) {
        if let Some(lane) = self.lane(place)
            && lane.blocked
        {
            lane.blocked = false;
            self.books.levels[level::BLOCKED].add(now.0, -1);
        }
    }

    /// The function has answered for the part of a batch that was handed over.
    pub(super) fn answered(&mut self, plan: &[StreamPlan], place: (u32, u8), invocation: &Request, cx: &mut Cx) {
        let now = cx.now();
        self.books.levels[level::CONCURRENCY].add(now.0, -1);
        let Some(lane) = self.lane(place) else { return };
        let Some(&Segment { len, failed }) = lane.segments.last() else {
            return;
        };
        if invocation.status == Status::Throttled {
            lane.throttles += 1;
            let throttles = lane.throttles;
            self.books.counts.batches_throttled += 1;
            return self.rest(place, throttles, cx);
        }
        lane.throttles = 0;
        let newest = lane.records.get(len - 1).map_or(now, |record| record.put);
        let again = lane.records.iter().take(len).filter(|record| record.tries > 0).count();
        self.books.invoked(invocation.begun.since(newest));
        self.books.counts.delivered += len as u64;
        self.books.counts.redelivered += again as u64;
        let good = self.good(place, len, invocation);
        let Some(consumer) = &mut self.consumer else { return };
        let reader = &mut consumer.readers[place.0 as usize];
        let lane = &mut reader.lanes[place.1 as usize];
        for record in lane.records.drain(..good) {
            self.books.counts.processed += 1;
            cx.requests.lineages.done(record.of, now);
            self.books.leaves(record.put, now);
            self.books.done(record.put, invocation);
        }
        reader.buffered -= good as u64;
        lane.segments.pop();
        if good == len {
            if lane.segments.is_empty() {
                return self.next_batch(plan, place, cx);
            }
            return self.invoke(plan, place, cx);
        }
        let rest = lane.records.iter_mut().take(len - good);
        rest.for_each(|record| record.tries += 1);
        self.books.counts.batches_failed += 1;
        // What follows the records that were good has not been refused before.
        let failed = if good > 0 { 0 } else { failed };
        self.failed(
            plan,
            place,
            Segment {
                len: len - good,
                failed,
            },
            cx,
        );
    }

    /// How many records of a batch are done: all, none, or those before the first that failed.
    fn good(&mut self, place: (u32, u8), len: usize, invocation: &Request) -> usize {
        if !invocation.status.is_ok() {
            return 0;
        }
        let Some(consumer) = &mut self.consumer else { return len };
        let (partial, failure) = (consumer.spec.partial_batch_response, consumer.failure);
        let Some(lane) = self.lane(place).filter(|_| partial) else {
            return len;
        };
        let own = lane.records.iter().take(len).position(|record| fails(record, failure));
        let mut good = own.unwrap_or(len);
        // Calls failed for so many records, which is known, but not for which: any are as likely.
        let dice = &mut invocation.luck.dice(step::PLACE);
        for _ in 0..invocation.frame.batch_failed {
            good = good.min(fit(below(dice, len as u64)));
        }
        good
    }

    /// Part of a batch failed: it is split, tried again later, or given up.
    fn failed(&mut self, plan: &[StreamPlan], place: (u32, u8), mut part: Segment, cx: &mut Cx) {
        self.block(place, cx.now());
        let Some(consumer) = &mut self.consumer else { return };
        let spec = consumer.spec;
        let reader = &mut consumer.readers[place.0 as usize];
        let lane = &mut reader.lanes[place.1 as usize];
        if spec.bisect && part.len > 1 {
            let half = part.len / 2;
            for len in [part.len - half, half] {
                lane.segments.push(Segment { len, ..part });
            }
            self.books.counts.bisections += 1;
            return self.invoke(plan, place, cx);
        }
        part.failed += 1;
        if spec.retry_attempts.is_none_or(|most| part.failed <= most) {
            lane.segments.push(part);
            return self.rest(place, part.failed, cx);
        }
        let luck = lane.records.front().map(|record| record.luck).unwrap_or_default();
        let mut given_up = Vec::with_capacity(part.len);
        for record in lane.records.drain(..part.len) {
            self.books.leaves(record.put, cx.now());
            given_up.push(record.of);
        }
        reader.buffered -= part.len as u64;
        self.books.counts.discarded += part.len as u64;
        self.report(luck, &given_up, cx);
        self.invoke(plan, place, cx);
    }

    /// Waits before the next try.
    fn rest(&mut self, place: (u32, u8), tries: u32, cx: &mut Cx) {
        let stream = self.index;
        let Some(consumer) = &mut self.consumer else { return };
        let wait = consumer.spec.backoff_after(tries);
        let Some(lane) = self.lane(place) else { return };
        lane.doing = Doing::Resting;
        lane.epoch = lane.epoch.wrapping_add(1);
        let event = Event::Wake {
            stream,
            lane: place.1,
            shard: place.0,
            epoch: lane.epoch,
        };
        cx.at(cx.now() + wait, Class::Timer, event);
    }
}
