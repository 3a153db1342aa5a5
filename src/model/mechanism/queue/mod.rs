//! Queues, and the pollers that feed their messages to functions.
//!
//! Model: a sent message can be received after the queue's delay; a received one is hidden for the visibility timeout
//! and comes back unless it is deleted; one that was received too often moves to the dead-letter queue, one that is too
//! old is dropped. A standard queue may deliver twice and keeps no order among messages that come back; a FIFO queue
//! keeps the order within a message group and locks the group while one of its messages is in flight. The poller forms
//! batches by size and window and invokes its function, with a concurrency that starts small, grows steadily while a
//! backlog waits, and falls back. When the function succeeds the poller deletes the batch; when it fails the batch
//! comes back by itself (or only the failed messages, if the function reports them); when it is throttled the poller
//! tries the batch again until its visibility timeout ends, and each such round counts as a receive.
//! Whether handling a message fails is a property of the message and of how often it was received: a poison message
//! always does, any other with the function's probability of failure.
//! A redrive moves messages from one queue to another from a given moment on, at a given rate, until none is left; they
//! begin anew there, and what made them fail may have been mended.
//! Send calls beyond a quota are refused; receives and deletes, ten messages a call, would not meet theirs before.
//! Not modelled: deduplication by identifier, batched sends, receives that miss messages (short polling), the quota of
//! a single message group, provisioned pollers, several half-full batches at once (one fills at a time), scaling down
//! on errors. A handler works a batch off to its end before it fails.
//! Units: nanoseconds; concurrency in batches under way (one invocation each).
//! Sources: Amazon SQS Developer Guide (visibility timeout, FIFO delivery logic, dead-letter queues, quotas); AWS
//! Lambda Developer Guide, "Using Lambda with Amazon SQS", "Configuring scaling behavior for SQS event source
//! mappings".
//! Validated by: hand-computed traces (bursts, visibility, dead letters, batches, billed calls), M/M/c, bulk-service
//! queues, batches by renewal, the drain time
//! of 100,000 messages under the rules of 2018 and today against the closed form, and the published measurement of the
//! former (docs/validation.md); what is conserved, groups, delays (tests below).

mod event;
pub mod fields;
mod poller;
pub mod plan;
mod record;
mod redrive;
mod store;
#[cfg(test)]
mod tests;

pub use event::Event;

use crate::cost::MeterSet;
use crate::kernel::stream::{below, chance};
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck};
use crate::model::parts::budget::{Holder, Holding};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::effects::Handed;
use crate::model::request::entry::{BatchFate, Caller, Cause, Request, Status};
use crate::model::request::flow::FlowResult;
use crate::model::request::hits::Limit;
use crate::model::request::retry::{Jitter, RetryPolicy};
use crate::model::{Cx, Plan, kind};
use crate::scenario::Target;
use crate::stats::{Observation, Series};
use plan::{CALL_MESSAGES, PollerPlan, QueuePlan};
use poller::{Batches, IdlePolls, Ramp, Receipt};
use record::Record;
use std::collections::VecDeque;
use store::{Message, Store};

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    /// How long the send call takes.
    pub const SEND: u64 = 1 << 50;
    /// The message's own luck, which its sender's luck decides.
    pub const MESSAGE: u64 = (1 << 50) + 1;
    /// Its message group.
    pub const GROUP: u64 = 1 << 51;
    /// Whether it always fails.
    pub const POISON: u64 = (1 << 51) + 1;
    /// Whether what was wrong with it has been mended when it is moved back.
    pub const MENDED: u64 = (1 << 51) + 3;
    /// Whether it is delivered twice.
    pub const DUPLICATE: u64 = (1 << 51) + 2;
    /// The luck of a receipt, plus how many there were before.
    pub const RECEIPT: u64 = 1 << 52;
    /// Whether handling a receipt fails.
    pub const FAILURE: u64 = 1 << 53;
    /// How long the receive call takes.
    pub const RECEIVE: u64 = (1 << 53) + 1;
}

/// How the poller waits between tries of a throttled batch. The documentation says "backoff" and gives no figures.
const THROTTLE_BACKOFF: RetryPolicy = RetryPolicy {
    attempts: u8::MAX,
    base: Duration::from_secs(1),
    base_throttled: Duration::from_secs(1),
    cap: Duration::from_secs(60),
    factor: 2.0,
    jitter: Jitter::Equal,
    budget: None,
    adaptive: false,
};

/// Attempts are counted up to here only; the backoff has long reached its cap.
const ATTEMPTS_COUNTED: u8 = 100;

/// The poller of a queue while the simulation runs.
#[derive(Debug)]
struct Poller {
    spec: PollerPlan,
    /// The probability that handling a message fails.
    failure: f64,
    batch_limit: usize,
    ramp: Ramp,
    polls: IdlePolls,
    batches: Batches,
    in_use: u64,
    /// The batch that waits for more messages.
    filling: Option<u32>,
    epoch: u32,
    window: LaneId,
    /// Whether a [`Event::Grown`] is on the agenda.
    growing: bool,
}

/// A message in flight, in the order in which their visibility timeouts end.
#[derive(Clone, Copy, Debug)]
struct Flight {
    until: Instant,
    receipt: Receipt,
}

/// One queue while the simulation runs.
#[derive(Debug)]
struct Queue {
    index: u16,
    store: Store,
    /// What bounds send calls, if anything does.
    sends: Option<TokenBucket>,
    visibility: Duration,
    flights: VecDeque<Flight>,
    /// Whether a [`Event::Visible`] is on the agenda.
    watched: bool,
    /// When the next [`Event::Expire`] is due; never, if the run is too short for any.
    expires: Instant,
    retention: Option<Duration>,
    delay: LaneId,
    poller: Option<Poller>,
    /// Messages on their way to the dead-letter queue.
    dead: Vec<Message>,
    /// Message groups in which a message of the batch at hand failed.
    failed_groups: Vec<u32>,
    record: Record,
}

/// All queues.
#[derive(Debug)]
pub struct Queues {
    state: Vec<Queue>,
}

impl Queues {
    /// The queues at the start of a run. All their dice are their messages' own.
    pub fn new(plan: &Plan, cx: &mut Cx) -> Self {
        for (spec, queue) in plan.queues.iter().zip(0..) {
            if let Some(task) = &spec.redrive {
                let event = crate::model::Event::Queue(Event::Redrive { queue });
                cx.agenda.at(Instant::ZERO + task.at, Class::Timer, event);
            }
        }
        let state = |(index, spec): (usize, &QueuePlan)| Queue {
            index: index as u16,
            store: Store::new(spec.fifo.then_some(spec.groups)),
            sends: spec
                .send_quota
                .map(|(rate, burst)| TokenBucket::new(rate, burst as f64)),
            visibility: spec.effective_visibility(&plan.functions),
            flights: VecDeque::new(),
            watched: false,
            expires: Instant::NEVER,
            retention: (spec.retention < plan.length).then_some(spec.retention),
            delay: cx.agenda.lane(spec.delay, Class::Timer),
            poller: spec.poller.map(|poller| Poller {
                spec: poller,
                failure: plan.functions[poller.to as usize].failure,
                batch_limit: spec.batch_limit(),
                ramp: Ramp::new(&poller),
                polls: IdlePolls::new(&poller),
                batches: Batches::default(),
                in_use: 0,
                filling: None,
                epoch: 0,
                window: cx.agenda.lane(poller.batch_window, Class::Timer),
                growing: false,
            }),
            dead: Vec::new(),
            failed_groups: Vec::new(),
            record: Record::new(),
        };
        Self {
            state: plan.queues.iter().enumerate().map(state).collect(),
        }
    }

    /// How many messages there are, in each queue.
    pub fn holdings<'q>(&'q self, plan: &'q Plan) -> impl Iterator<Item = Holding> + 'q {
        let queues = plan.queues.iter().zip(&self.state);
        queues.map(|(spec, queue)| {
            Holding::of::<Message>(Holder::Messages, Some(spec.component), queue.record.depth.level())
        })
    }

    /// A request reaches a queue: a send call. Its time is the caller's waiting.
    #[inline]
    pub fn offer(&mut self, plan: &Plan, queue: u16, key: Key, cx: &mut Cx) {
        let spec = &plan.queues[queue as usize];
        let state = &mut self.state[queue as usize];
        if let Some(sends) = &mut state.sends
            && !sends.take(cx.now(), 1)
        {
            state.record.counts.throttled += 1;
            let target = Target {
                kind: kind::QUEUE,
                index: queue,
            };
            cx.hit(Limit::SendRate, target, key);
            return cx.reply(key, Status::Throttled);
        }
        if spec.send_latency.is_zero() {
            return self.sent(plan, queue, key, cx);
        }
        let entry = &mut cx.requests[key];
        entry.spend(Cause::Waiting, spec.send_latency.draw(&mut entry.luck.dice(step::SEND)));
        let event = Event::Sent { queue, request: key };
        let at = entry.mark;
        cx.agenda.at(at, Class::Release, crate::model::Event::Queue(event));
    }

    /// Handles an event.
    pub fn handle(&mut self, event: Event, plan: &Plan, cx: &mut Cx) {
        match event {
            Event::Sent { queue, request } => self.sent(plan, queue, request, cx),
            Event::Show { queue, message } => {
                let state = &mut self.state[queue as usize];
                // It may have become too old while it was delayed.
                if state.store.get(message).is_some() {
                    state.store.show(message);
                    self.pull(plan, queue, cx);
                }
            }
            Event::Visible { queue } => {
                self.state[queue as usize].come_back(cx);
                self.pull(plan, queue, cx);
            }
            Event::Expire { queue } => {
                self.state[queue as usize].expire(cx);
                self.pull(plan, queue, cx);
            }
            Event::Pull { queue } => self.pull(plan, queue, cx),
            Event::Grown { queue } => {
                if let Some(poller) = &mut self.state[queue as usize].poller {
                    poller.growing = false;
                }
                self.pull(plan, queue, cx);
            }
            Event::Flush { queue, epoch } => {
                self.state[queue as usize].window_over(&plan.queues[queue as usize], epoch, cx);
                self.pull(plan, queue, cx);
            }
            Event::Again { queue, batch } => {
                self.state[queue as usize].try_again(batch, cx);
                self.pull(plan, queue, cx);
            }
            Event::Redrive { queue } => self.redrive(plan, queue, cx),
        }
    }

    /// A send call has taken effect: the message is there, and the sender hears of it.
    fn sent(&mut self, plan: &Plan, queue: u16, key: Key, cx: &mut Cx) {
        if !cx.requests.contains(key) {
            return;
        }
        let spec = &plan.queues[queue as usize];
        let state = &mut self.state[queue as usize];
        let now = cx.now();
        let entry = &cx.requests[key];
        // A sender that sends again, because it saw no answer, sends the same message, if that matters to anybody.
        let luck = if cx.effects.on {
            entry.luck.first_attempt(entry.attempt)
        } else {
            entry.luck
        };
        let luck = luck.derive(step::MESSAGE);
        cx.reply(key, Status::Ok);
        let mut message = Message::new(now, luck);
        message.poison = chance(&mut luck.dice(step::POISON), spec.poison);
        if spec.fifo {
            message.group = below(&mut luck.dice(step::GROUP), u64::from(spec.groups)) as u32;
        }
        state.record.counts.sent += 1;
        state.record.counts.metered += spec.metered(1);
        state.enqueue(message, spec.delay, cx);
        if chance(&mut luck.dice(step::DUPLICATE), spec.duplicate_rate) {
            state.record.counts.copies += 1;
            message.copy = true;
            state.enqueue(message, spec.delay, cx);
        }
        self.pull(plan, queue, cx);
    }

    /// The poller takes what it may, and what was received too often moves on.
    fn pull(&mut self, plan: &Plan, queue: u16, cx: &mut Cx) {
        let spec = &plan.queues[queue as usize];
        let state = &mut self.state[queue as usize];
        state.pull(spec, cx);
        if state.dead.is_empty() {
            return;
        }
        let Some((to, _)) = spec.dead_letter else { return };
        let mut dead = std::mem::take(&mut state.dead);
        let (target, now) = (&mut self.state[to as usize], cx.now());
        for mut message in dead.drain(..) {
            if plan.queues[to as usize].fifo {
                message.enqueued = now;
            }
            message.group %= plan.queues[to as usize].groups.max(1);
            message.receives = 0;
            target.record.counts.moved_in += 1;
            target.enqueue(message, Duration::ZERO, cx);
        }
        self.state[queue as usize].dead = dead;
        cx.agenda
            .hand_over(crate::model::Event::Queue(Event::Pull { queue: to }));
    }

    /// The function has answered for a batch.
    pub fn answered(&mut self, plan: &Plan, queue: u16, batch: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        let status = entry.status;
        let spec = &plan.queues[queue as usize];
        let state = &mut self.state[queue as usize];
        match status {
            Status::Throttled => return state.throttled(batch, key, cx),
            Status::Ok => state.settle(spec, batch, key, cx),
            _ => {
                state.record.counts.batches_failed += 1;
                let count = state.poller.as_mut().map_or(0, |p| p.batches.get(batch).messages.len());
                state.record.counts.messages_failed += count as u64;
            }
        }
        cx.requests.remove(key);
        state.end_batch(batch, now);
        self.pull(plan, queue, cx);
    }

    /// Ends a window.
    pub fn close_window(&mut self, now: Instant) {
        for state in &mut self.state {
            debug_assert_eq!(
                state.record.depth.level(),
                state.store.len(),
                "every message is counted"
            );
            let age = state
                .store
                .oldest()
                .map_or(Duration::ZERO, |(_, m)| now.since(m.enqueued));
            state.record.close_window(now, age);
        }
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self, now: Instant) {
        self.close_window(now);
        for state in &mut self.state {
            state.record.reset();
            if let Some(poller) = &mut state.poller {
                poller.polls.settle(now);
                poller.polls.empty = 0;
            }
        }
    }

    /// Reports what was counted; the last window must have been closed, at the end of the run.
    pub fn observe(
        self,
        plan: &Plan,
        out: &mut Vec<Observation>,
        series: &mut Vec<Series>,
        meters: &mut [MeterSet],
    ) -> Vec<FlowResult> {
        let mut flows = Vec::new();
        for (spec, mut state) in plan.queues.iter().zip(self.state) {
            if let Some(poller) = &mut state.poller {
                if !poller.ramp.limited {
                    poller.polls.settle(Instant::ZERO + plan.length);
                }
                state.record.counts.metered += poller.polls.empty;
            }
            let meters = &mut meters[spec.component as usize];
            let flow = state.record.observe(spec, plan.window, out, series, meters);
            flows.extend(spec.poller.is_some().then_some(flow));
        }
        flows
    }
}

/// Whether handling a message fails after this receipt of it.
#[inline]
fn fails(message: &Message, receives: u32, failure: f64) -> bool {
    message.poison || chance(&mut receipt_luck(message, receives).dice(step::FAILURE), failure)
}

/// What a message brings when it is received for the `receives`-th time.
#[inline]
fn receipt_luck(message: &Message, receives: u32) -> Luck {
    message.luck.derive(step::RECEIPT + u64::from(receives))
}

impl Queue {
    #[inline]
    fn event(&self, event: impl Fn(u16) -> Event) -> crate::model::Event {
        crate::model::Event::Queue(event(self.index))
    }

    /// A message is there, and can be received after `delay`.
    fn enqueue(&mut self, message: Message, delay: Duration, cx: &mut Cx) {
        let message = self.store.insert(message);
        self.record.depth.add(cx.now().0, 1);
        if delay == Duration::ZERO {
            self.store.show(message);
        } else {
            cx.agenda
                .after(self.delay, self.event(|queue| Event::Show { queue, message }));
        }
        self.watch_retention(cx);
    }

    /// Sees to it that the oldest message goes when its time has come.
    fn watch_retention(&mut self, cx: &mut Cx) {
        if let (Some(retention), Some((_, oldest))) = (self.retention, self.store.oldest()) {
            let due = (oldest.enqueued + retention).max(cx.now());
            if due < self.expires {
                self.expires = due;
                cx.agenda
                    .at(due, Class::Timer, self.event(|queue| Event::Expire { queue }));
            }
        }
    }

    /// Messages that are too old go, in flight or not.
    fn expire(&mut self, cx: &mut Cx) {
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
            self.store.remove(key);
            self.record.counts.expired += 1;
            cx.hit_by(Limit::Retention, queue(self.index), None);
        }
        self.record.in_flight.set(now.0, self.store.in_flight());
        self.watch_retention(cx);
    }

    /// Messages whose visibility timeout is over can be received again.
    fn come_back(&mut self, cx: &mut Cx) {
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
    fn watch_flights(&mut self, cx: &mut Cx) {
        if let Some(first) = self.flights.front()
            && !self.watched
        {
            self.watched = true;
            cx.agenda
                .at(first.until, Class::Timer, self.event(|queue| Event::Visible { queue }));
        }
    }

    /// Forgets the first flights that are over, so that memory follows what is in flight.
    fn forget_landed(&mut self) {
        while let Some(first) = self.flights.front()
            && !self.store.holds(first.receipt.message, first.receipt.receives)
        {
            self.flights.pop_front();
        }
    }

    /// Starts as many batches as there are messages and room for.
    fn pull(&mut self, spec: &QueuePlan, cx: &mut Cx) {
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
    fn watch_growth(&mut self, spec: &QueuePlan, cx: &mut Cx) {
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
            cx.hit_by(limit, queue(self.index), Some(function(&poller.spec)));
        } else if !room && self.store.is_receivable() {
            cx.hit_by(Limit::InFlight, queue(self.index), Some(function(&poller.spec)));
        }
        if poller.ramp.limited && !limited {
            poller.polls.freed(now);
        }
        poller.ramp.limited = limited;
        if !poller.growing
            && let Some(wait) = poller.ramp.next_in()
        {
            poller.growing = true;
            cx.agenda.at(now + wait, Class::Timer, event);
        }
    }

    /// Receives messages for a batch, up to its size. What was received too often goes to the dead letters instead.
    fn fill(&mut self, spec: &QueuePlan, batch: u32, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        let messages = &mut poller.batches.get(batch).messages;
        let before = messages.len();
        while messages.len() < poller.batch_limit
            && self.store.in_flight() < spec.in_flight_limit
            && let Some(key) = self.store.next()
        {
            let Some(message) = self.store.get(key).copied() else {
                continue;
            };
            if spec.dead_letter.is_some_and(|(_, most)| message.receives >= most) {
                self.store.remove(key);
                self.record.leaves(message.enqueued, now);
                self.record.counts.dead_lettered += 1;
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
    fn after_filling(&mut self, spec: &QueuePlan, batch: u32, cx: &mut Cx) -> bool {
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
            cx.agenda.after(lane, self.event(|queue| Event::Flush { queue, epoch }));
        }
        false
    }

    /// The batch that waits for more messages has waited long enough, unless it was full before.
    fn window_over(&mut self, spec: &QueuePlan, epoch: u32, cx: &mut Cx) {
        if let Some(poller) = &mut self.poller
            && poller.epoch == epoch
            && let Some(batch) = poller.filling.take()
        {
            self.invoke(spec, batch, cx);
        }
    }

    /// Invokes the function with a batch.
    fn invoke(&mut self, spec: &QueuePlan, batch: u32, cx: &mut Cx) {
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
        let caller = Caller::Poller {
            queue: self.index,
            batch,
        };
        let mut request = Request::new(caller, luck, cx.now());
        request.spend(Cause::Waiting, spec.receive_latency.draw(&mut luck.dice(step::RECEIVE)));
        request.frame.batch_left = messages.len() as u16;
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
        cx.offer_at_mark(function(&poller.spec), key);
    }

    /// The function refused a batch: it is tried again, until its messages become visible again.
    fn throttled(&mut self, batch: u32, key: Key, cx: &mut Cx) {
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
        entry.frame.batch_left = batch.messages.len() as u16;
        entry.frame.batch_fate = fate;
        batch.retrying = Some(again);
        let at = entry.mark;
        cx.agenda.at(at, Class::Timer, event);
    }

    /// A throttled batch has waited: the next try, or the end of tries.
    fn try_again(&mut self, batch: u32, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        let to = function(&poller.spec);
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
    fn settle(&mut self, spec: &QueuePlan, batch: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let Some(poller) = &mut self.poller else { return };
        let invocation = &cx.requests[key];
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
    fn end_batch(&mut self, batch: u32, now: Instant) {
        if let Some(poller) = &mut self.poller {
            // The time until now counts with it.
            poller.ramp.allowed(now, poller.in_use);
            poller.batches.end(batch);
            poller.in_use -= 1;
            self.record.concurrency.set(now.0, poller.in_use);
        }
    }
}

const fn queue(index: u16) -> Target {
    Target {
        kind: kind::QUEUE,
        index,
    }
}

/// The function that a poller feeds.
fn function(poller: &PollerPlan) -> Target {
    Target {
        kind: kind::FUNCTION,
        index: poller.to,
    }
}
