//! What one queue does: keeps messages, hands them over, takes them back.

use super::event::Event;
use super::plan::{CALL_MESSAGES, QueuePlan};
use super::poller::Receipt;
use super::store::Message;
use super::{ATTEMPTS_COUNTED, Flight, Queue, THROTTLE_BACKOFF, fails, receipt_luck, step};
use crate::kernel::number::fit;
use crate::kernel::{Class, Duration, Instant, Key};
use crate::model::request::desk::Cx;
use crate::model::request::effects::Handed;
use crate::model::request::entry::{BatchFate, Caller, Cause, Request, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::QUEUE;
use crate::model::request::lineage::{End, Lineage, Why};

impl Queue {
    #[inline]
    pub(super) fn event(&self, event: impl Fn(Id<QUEUE>) -> Event) -> Event {
        event(self.index)
    }

    /// A message is there, and can be received after `delay`.
    pub(super) fn enqueue(&mut self, mut message: Message, delay: Duration, cx: &mut Cx) {
        if self.unread && message.dead.is_none() {
            // Where nobody reads, the scenario ends.
            cx.requests.lineages.done(message.of, cx.agenda.now());
            message.of = Lineage::NONE;
        }
        let message = self.store.insert(message);
        self.record.depth.add(cx.now().0, 1);
        if delay == Duration::ZERO {
            self.store.show(message);
        } else {
            cx.agenda
                .after(self.delay, self.event(|queue| Event::Show { queue, message }).into());
        }
        self.watch_retention(cx);
    }

    /// Sees to it that the oldest message goes when its time has come.
    pub(super) fn watch_retention(&mut self, cx: &mut Cx) {
        if let (Some(retention), Some((_, oldest))) = (self.retention, self.store.oldest()) {
            let due = (oldest.enqueued + retention).max(cx.now());
            if due < self.expires {
                self.expires = due;
                cx.at(due, Class::Timer, self.event(|queue| Event::Expire { queue }));
            }
        }
    }

    /// Messages that are too old go, in flight or not.
    pub(super) fn expire(&mut self, cx: &mut Cx) {
        let now = cx.now();
        let Some(retention) = self.retention else { return };
        if now < self.expires {
            return;
        }
        self.expires = Instant::NEVER;
        while let Some((key, message)) = self.store.oldest()
            && message.enqueued + retention <= now
        {
            self.record.leaves(message.enqueued, now);
            let place = cx.plan.place(self.index.target());
            let end = match message.dead {
                Some(by) => End::lost(by, Why::DeadLettered),
                None => End::lost(place, Why::Expired),
            };
            cx.requests.lineages.end(message.of, now, end);
            self.store.remove(key);
            self.record.counts.expired += 1;
            cx.hit_by(Limit::Retention, self.index.target(), None);
        }
        self.record.in_flight.set(now.0, self.store.in_flight());
        self.watch_retention(cx);
    }

    /// Messages whose visibility timeout is over can be received again.
    pub(super) fn come_back(&mut self, cx: &mut Cx) {
        let now = cx.now();
        self.watched = false;
        while let Some(flight) = self.flights.front().copied() {
            let held = self.store.holds(flight.receipt.message, flight.receipt.receives);
            if held && flight.until > now {
                break;
            }
            self.flights.pop_front();
            if held {
                self.store.show(flight.receipt.message);
            }
        }
        self.record.in_flight.set(now.0, self.store.in_flight());
        self.watch_flights(cx);
    }

    /// Sees to it that the next message comes back when its time has come.
    pub(super) fn watch_flights(&mut self, cx: &mut Cx) {
        if let Some(first) = self.flights.front()
            && !self.watched
        {
            self.watched = true;
            cx.at(first.until, Class::Timer, self.event(|queue| Event::Visible { queue }));
        }
    }

    /// Forgets the first flights that are over, so that memory follows what is in flight.
    pub(super) fn forget_landed(&mut self) {
        while let Some(first) = self.flights.front()
            && !self.store.holds(first.receipt.message, first.receipt.receives)
        {
            self.flights.pop_front();
        }
    }

    /// Starts as many batches as there are messages and room for.
    pub(super) fn pull(&mut self, spec: &QueuePlan, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        // Nothing changes while there is no message and nobody has been waiting for more room.
        if !self.store.is_receivable() && !poller.ramp.limited {
            poller.ramp.allowed(now, poller.in_use);
            return;
        }
        loop {
            let Some(poller) = &mut self.poller else { return };
            let room = self.store.in_flight() < spec.in_flight_limit;
            let allowed = poller.ramp.allowed(now, poller.in_use);
            let batch = match poller.filling {
                Some(batch) => batch,
                None if poller.in_use < allowed && room && self.store.is_receivable() => {
                    poller.in_use += 1;
                    self.record.concurrency.set(now.0, poller.in_use);
                    poller.batches.begin(now + self.visibility)
                }
                None => break,
            };
            self.fill(spec, batch, cx);
            if !self.after_filling(spec, batch, cx) {
                break;
            }
        }
        self.record.in_flight.set(now.0, self.store.in_flight());
        self.watch_flights(cx);
        self.watch_growth(spec, cx);
    }

    /// Notes whether a backlog waits for more concurrency, and when there will be some.
    pub(super) fn watch_growth(&mut self, spec: &QueuePlan, cx: &mut Cx) {
        let now = cx.now();
        let room = self.store.in_flight() < spec.in_flight_limit;
        let waiting = room && self.store.is_receivable();
        let event = self.event(|queue| Event::Grown { queue });
        let Some(poller) = &mut self.poller else { return };
        let allowed = poller.ramp.allowed(now, poller.in_use);
        let limited = waiting && poller.in_use >= allowed;
        if limited {
            let growing = allowed < poller.spec.ceiling;
            let limit = if growing {
                Limit::PollerGrowth
            } else {
                Limit::PollerConcurrency
            };
            cx.hit_by(limit, self.index.target(), Some(poller.spec.worker()));
        } else if !room && self.store.is_receivable() {
            cx.hit_by(Limit::InFlight, self.index.target(), Some(poller.spec.worker()));
        }
        if poller.ramp.limited && !limited {
            poller.polls.freed(now);
        }
        poller.ramp.limited = limited;
        if !poller.growing
            && let Some(wait) = poller.ramp.next_in()
        {
            poller.growing = true;
            cx.at(now + wait, Class::Timer, event);
        }
    }

    /// Receives messages for a batch, up to its size. What was received too often goes to the dead letters instead.
    pub(super) fn fill(&mut self, spec: &QueuePlan, batch: u32, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        let messages = &mut poller.batches.get(batch).messages;
        let before = messages.len();
        while messages.len() < poller.batch_limit
            && self.store.in_flight() < spec.in_flight_limit
            && let Some(key) = self.store.next()
        {
            let Some(mut message) = self.store.get(key).copied() else {
                continue;
            };
            if spec.dead_letter.is_some_and(|(_, most)| message.receives >= most) {
                self.store.remove(key);
                self.record.leaves(message.enqueued, now);
                self.record.counts.dead_lettered += 1;
                message.dead = Some(cx.plan.place(self.index.target()));
                self.dead.push(message);
                continue;
            }
            if message.poison && Instant::ZERO + spec.poison_until <= now {
                self.store.mend(key);
            }
            let receives = self.store.receive(key);
            if receives == 1 {
                self.record.waited(now.since(message.sent));
            }
            let receipt = Receipt { message: key, receives };
            messages.push(receipt);
            self.flights.push_back(Flight {
                until: now + self.visibility,
                receipt,
            });
        }
        self.store.end_receive();
        let received = (messages.len() - before) as u64;
        self.record.counts.received += received;
        self.record.counts.metered += spec.metered(received);
        for _ in 0..received.div_ceil(CALL_MESSAGES) {
            poller.polls.served(now);
        }
    }

    /// Sends a batch on its way if it is complete; says whether another one may begin.
    pub(super) fn after_filling(&mut self, spec: &QueuePlan, batch: u32, cx: &mut Cx) -> bool {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return false };
        let size = poller.batches.get(batch).messages.len();
        if size == 0 {
            self.end_batch(batch, now);
            return false;
        }
        if size >= poller.batch_limit || poller.spec.batch_window == Duration::ZERO {
            poller.filling = None;
            self.invoke(spec, batch, cx);
            return true;
        }
        if poller.filling.is_none() {
            poller.filling = Some(batch);
            poller.epoch = poller.epoch.wrapping_add(1);
            let (lane, epoch) = (poller.window, poller.epoch);
            // An old one is not swept: whenever a window ends, the queue looks for what its pollers may take.
            cx.agenda
                .after(lane, self.event(|queue| Event::Flush { queue, epoch }).into());
        }
        false
    }

    /// The batch that waits for more messages has waited long enough, unless it was full before.
    pub(super) fn window_over(&mut self, spec: &QueuePlan, epoch: u32, cx: &mut Cx) {
        if let Some(poller) = &mut self.poller
            && poller.epoch == epoch
            && let Some(batch) = poller.filling.take()
        {
            self.invoke(spec, batch, cx);
        }
    }

    /// Invokes the function with a batch.
    pub(super) fn invoke(&mut self, spec: &QueuePlan, batch: u32, cx: &mut Cx) {
        let Some(poller) = &mut self.poller else { return };
        let messages = &poller.batches.get(batch).messages;
        let (mut luck, mut doomed) = (None, false);
        for receipt in messages {
            if let Some(message) = self.store.get(receipt.message) {
                luck = luck.or(Some(receipt_luck(message, receipt.receives)));
                doomed |= fails(message, receipt.receives, poller.failure);
            }
        }
        let luck = luck.unwrap_or_default();
        let caller = Caller::Sender {
            from: self.index.target(),
            ticket: batch,
        };
        let mut request = Request::new(caller, luck, cx.now());
        request.spend(Cause::Waiting, spec.receive_latency.draw(&mut luck.dice(step::RECEIVE)));
        request.frame.batch_left = fit(messages.len());
        request.frame.batch_fate = match poller.spec.partial_batch_response {
            true => BatchFate::Partial,
            false if doomed => BatchFate::Doomed,
            false => BatchFate::Whole,
        };
        self.record.counts.batches += 1;
        let handed = messages.iter().map(|receipt| {
            let message = self.store.get(receipt.message).copied().unwrap_or_default();
            Handed {
                identity: message.luck.0,
                poison: message.poison,
            }
        });
        cx.effects.hand(caller, handed);
        let key = cx.requests.insert(request);
        if cx.requests.lineages.on {
            let of = messages.iter().filter_map(|receipt| self.store.get(receipt.message));
            cx.requests.works_on(key, of.map(|message| message.of));
        }
        cx.offer_at_mark(poller.spec.worker(), key);
    }

    /// The function refused a batch: it is tried again, until its messages become visible again.
    pub(super) fn throttled(&mut self, batch: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        self.record.counts.batches_throttled += 1;
        let event = self.event(|queue| Event::Again { queue, batch });
        let Some(poller) = &mut self.poller else { return };
        let batch = poller.batches.get(batch);
        let entry = &mut cx.requests[key];
        entry.attempt = entry.attempt.min(ATTEMPTS_COUNTED);
        let (fate, luck) = (entry.frame.batch_fate, entry.luck);
        let wait = THROTTLE_BACKOFF.backoff(entry.attempt + 1, Status::Throttled, luck);
        let left = batch.expires.since(now);
        let again = cx.next_attempt(key, if wait < left { wait } else { left });
        let entry = &mut cx.requests[again];
        entry.frame.batch_left = fit(batch.messages.len());
        entry.frame.batch_fate = fate;
        batch.retrying = Some(again);
        let at = entry.mark;
        cx.at(at, Class::Timer, event);
    }

    /// A throttled batch has waited: the next try, or the end of tries.
    pub(super) fn try_again(&mut self, batch: u32, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        let to = poller.spec.worker();
        let waiting = poller.batches.get(batch);
        let Some(key) = waiting.retrying.take() else { return };
        if now < waiting.expires {
            return cx.offer(to, key);
        }
        cx.requests.remove(key);
        self.record.counts.batches_abandoned += 1;
        self.end_batch(batch, now);
    }

    /// The function succeeded: the poller deletes the messages, but for those that failed.
    pub(super) fn settle(&mut self, spec: &QueuePlan, batch: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        let (requests, lineages) = cx.requests.apart();
        let invocation = &requests[key];
        let partial = invocation.frame.batch_fate == BatchFate::Partial;
        // Which of the messages failed calls belong to is not known; any will do, because it is not their fault.
        let mut calls_failed = invocation.frame.batch_failed;
        let messages = std::mem::take(&mut poller.batches.get(batch).messages);
        let failure = poller.failure;
        let (mut deletions, mut failed) = (0, 0);
        self.failed_groups.clear();
        for receipt in &messages {
            let counts = &mut self.record.counts;
            let Some(message) = self.store.get(receipt.message).copied() else {
                counts.duplicates_processed += 1;
                continue;
            };
            let mut fails = partial && fails(&message, receipt.receives, failure);
            if !fails && calls_failed > 0 {
                calls_failed -= 1;
                fails = true;
            }
            // In a group nothing may overtake what failed.
            fails |= spec.fifo && self.failed_groups.contains(&message.group);
            if fails {
                if spec.fifo {
                    self.failed_groups.push(message.group);
                }
                failed += 1;
                continue;
            }
            // A message that became visible again can be deleted all the same, but not on a FIFO queue.
            let stale = !self.store.holds(receipt.message, receipt.receives);
            if stale && spec.fifo {
                counts.duplicates_processed += 1;
                continue;
            }
            counts.duplicates_processed += u64::from(message.copy);
            counts.deleted += 1;
            deletions += 1;
            lineages.done(message.of, now);
            self.record.leaves(message.enqueued, now);
            if !message.copy {
                self.record.done(message.sent, invocation);
            }
            self.store.remove(receipt.message);
        }
        self.record.counts.messages_failed += failed;
        // A delete call carries receipts, not bodies, so ten of them are one request.
        self.record.counts.metered += u64::div_ceil(deletions, CALL_MESSAGES);
        if let Some(poller) = &mut self.poller {
            poller.batches.get(batch).messages = messages;
        }
        self.record.in_flight.set(now.0, self.store.in_flight());
        self.forget_landed();
    }

    /// A batch is no longer under way.
    pub(super) fn end_batch(&mut self, batch: u32, now: Instant) {
        if let Some(poller) = &mut self.poller {
            // The time until now counts with it.
            poller.ramp.allowed(now, poller.in_use);
            poller.batches.end(batch);
            poller.in_use -= 1;
            self.record.concurrency.set(now.0, poller.in_use);
        }
    }
}
