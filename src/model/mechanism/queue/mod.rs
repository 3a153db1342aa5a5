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

mod metrics;
mod event;
pub mod fields;
mod poller;
pub mod plan;
mod record;
mod redrive;
mod store;
mod work;
#[cfg(test)]
mod tests;

pub use event::Event;

use crate::kernel::number::fit;
use crate::kernel::stream::{below, chance};
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck};
use crate::model::mechanism::contract::{Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::{Holder, Holding};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::common::Profile;
use crate::model::request::desk::Cx;
use crate::model::request::entry::{Cause, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::QUEUE;
use crate::model::request::lineage::{End, Lineage, Why};
use crate::model::request::meaning::Meaning;
use crate::model::request::retry::{Jitter, RetryPolicy};
use crate::scenario::{Block, Table, Target};
use plan::{PollerPlan, QueuePlan};
use poller::{Batches, IdlePolls, Ramp, Receipt};
use record::Record;
use std::collections::VecDeque;
use store::{Message, Store};

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    /// How long the send call takes.
    pub const SEND: u64 = Purpose::QueueSend.step();
    /// The message's own luck, which its sender's luck decides.
    pub const MESSAGE: u64 = Purpose::QueueMessage.step();
    /// Its message group.
    pub const GROUP: u64 = Purpose::QueueGroup.step();
    /// Whether it always fails.
    pub const POISON: u64 = Purpose::QueuePoison.step();
    /// Whether what was wrong with it has been mended when it is moved back.
    pub const MENDED: u64 = Purpose::QueueMended.step();
    /// Whether it is delivered twice.
    pub const DUPLICATE: u64 = Purpose::QueueDuplicate.step();
    /// The luck of a receipt, plus how many there were before.
    pub const RECEIPT: u64 = Purpose::QueueReceipt.step();
    /// Whether handling a receipt fails.
    pub const FAILURE: u64 = Purpose::QueueFailure.step();
    /// How long the receive call takes.
    pub const RECEIVE: u64 = Purpose::QueueReceive.step();
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
    index: Id<QUEUE>,
    /// Whether nobody takes anything out of it.
    unread: bool,
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

impl Mechanism for Queues {
    const TABLE: &'static Table = &fields::TABLE;
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<QUEUE>;
    type Plan = QueuePlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<QueuePlan> {
        let timeout_of = |function| Some(reading.profile(function)?.timeout);
        Some(QueuePlan::read(block, reading.component, &timeout_of))
    }

    fn profile(plan: &QueuePlan) -> Profile {
        Profile {
            payload_limit: plan.payload_limit,
            ..Profile::default()
        }
    }

    fn callees(_: &QueuePlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(plan: &QueuePlan) -> Vec<Sent> {
        let worker = plan.poller.iter().map(PollerPlan::worker);
        worker.map(|to| Sent::awaited("messages of", to)).collect()
    }

    fn new(plan: &[QueuePlan], _: u64, cx: &mut Cx) -> Self {
        for (spec, queue) in plan.iter().zip(Id::all()) {
            if let Some(task) = &spec.redrive {
                let event = Event::Redrive { queue };
                cx.at(Instant::ZERO + task.at, Class::Timer, event);
            }
        }
        let state = |(index, spec): (usize, &QueuePlan)| Queue {
            index: Id::new(index),
            unread: spec.poller.is_none() && spec.redrive.is_none(),
            store: Store::new(spec.fifo.then_some(spec.groups)),
            sends: spec
                .send_quota
                .map(|(rate, burst)| TokenBucket::new(rate, burst as f64)),
            visibility: spec.effective_visibility(|to| cx.plan.profile(to).timeout),
            flights: VecDeque::new(),
            watched: false,
            expires: Instant::NEVER,
            retention: (spec.retention < cx.plan.length).then_some(spec.retention),
            delay: cx.agenda.lane(spec.delay, Class::Timer),
            poller: spec.poller.map(|poller| Poller {
                spec: poller,
                failure: cx.plan.profile(poller.worker()).failure,
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
            state: plan.iter().enumerate().map(state).collect(),
        }
    }

    fn holdings(&self, plan: &[QueuePlan]) -> Vec<Holding> {
        let queues = plan.iter().zip(&self.state);
        let holdings = queues.map(|(spec, queue)| {
            Holding::of::<Message>(Holder::Messages, Some(spec.component), queue.record.depth.level())
        });
        holdings.collect()
    }

    fn held(&self, plan: &[QueuePlan], hold: &mut dyn FnMut(Lineage, End)) {
        for (spec, queue) in plan.iter().zip(&self.state) {
            for message in queue.store.all() {
                let end = match message.dead.filter(|_| queue.unread) {
                    Some(by) => End::lost(by, Why::DeadLettered),
                    None => End::unfinished(spec.component, Why::Waiting),
                };
                hold(message.of, end);
            }
        }
    }

    #[inline]
    fn offer(&mut self, plan: &[QueuePlan], queue: Id<QUEUE>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(queue)];
        let state = &mut self.state[usize::from(queue)];
        if let Some(sends) = &mut state.sends
            && !sends.take(cx.now(), 1)
        {
            state.record.counts.throttled += 1;
            cx.hit(Limit::SendRate, queue.target(), key);
            return cx.reply(key, Status::Throttled);
        }
        if spec.send_latency.is_zero() {
            return self.sent(plan, queue, key, cx);
        }
        let entry = &mut cx.requests[key];
        entry.spend(Cause::Waiting, spec.send_latency.draw(&mut entry.luck.dice(step::SEND)));
        let event = Event::Sent { queue, request: key };
        let at = entry.mark;
        cx.at(at, Class::Release, event);
    }

    fn handle(&mut self, event: Event, plan: &[QueuePlan], cx: &mut Cx) {
        match event {
            Event::Sent { queue, request } => self.sent(plan, queue, request, cx),
            Event::Show { queue, message } => {
                let state = &mut self.state[usize::from(queue)];
                // It may have become too old while it was delayed.
                if state.store.get(message).is_some() {
                    state.store.show(message);
                    self.pull(plan, queue, cx);
                }
            }
            Event::Visible { queue } => {
                self.state[usize::from(queue)].come_back(cx);
                self.pull(plan, queue, cx);
            }
            Event::Expire { queue } => {
                self.state[usize::from(queue)].expire(cx);
                self.pull(plan, queue, cx);
            }
            Event::Pull { queue } => self.pull(plan, queue, cx),
            Event::Grown { queue } => {
                if let Some(poller) = &mut self.state[usize::from(queue)].poller {
                    poller.growing = false;
                }
                self.pull(plan, queue, cx);
            }
            Event::Flush { queue, epoch } => {
                self.state[usize::from(queue)].window_over(&plan[usize::from(queue)], epoch, cx);
                self.pull(plan, queue, cx);
            }
            Event::Again { queue, batch } => {
                self.state[usize::from(queue)].try_again(batch, cx);
                self.pull(plan, queue, cx);
            }
            Event::Redrive { queue } => self.redrive(plan, queue, cx),
        }
    }

    fn delivered(&mut self, plan: &[QueuePlan], queue: Id<QUEUE>, batch: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        let status = entry.status;
        let spec = &plan[usize::from(queue)];
        let state = &mut self.state[usize::from(queue)];
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

    fn close_window(&mut self, _: &[QueuePlan], cx: &mut Cx) {
        let now = cx.now();
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

    fn reset(&mut self, plan: &[QueuePlan], cx: &mut Cx) {
        let now = cx.now();
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.record.reset();
            if let Some(poller) = &mut state.poller {
                poller.polls.settle(now);
                poller.polls.empty = 0;
            }
        }
    }

    fn observe(self, plan: &[QueuePlan], report: &mut Report) {
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
            if let Some(poller) = &mut state.poller {
                if !poller.ramp.limited {
                    poller.polls.settle(*end);
                }
                state.record.counts.metered += poller.polls.empty;
                for message in state.store.all().filter(|message| !message.copy) {
                    state.record.cut_off(end.since(message.sent), message.receives == 0);
                }
            }
            let meters = &mut meters[spec.component as usize];
            let flow = state.record.observe(spec, *window, out, series, meters);
            flows.extend(spec.poller.is_some().then_some(flow));
        }
    }
}

impl Queues {
    /// A send call has taken effect: the message is there, and the sender hears of it.
    fn sent(&mut self, plan: &[QueuePlan], queue: Id<QUEUE>, key: Key, cx: &mut Cx) {
        if !cx.requests.contains(key) {
            return;
        }
        let spec = &plan[usize::from(queue)];
        let state = &mut self.state[usize::from(queue)];
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
        let (of, dead) = cx.requests.keep(key);
        let mut message = Message::new(now, luck);
        (message.of, message.dead) = (of, dead);
        message.poison = chance(&mut luck.dice(step::POISON), spec.poison);
        if spec.fifo {
            message.group = fit(below(&mut luck.dice(step::GROUP), u64::from(spec.groups)));
        }
        state.record.counts.sent += 1;
        state.record.counts.metered += spec.metered(1);
        state.enqueue(message, spec.delay, cx);
        if chance(&mut luck.dice(step::DUPLICATE), spec.duplicate_rate) {
            state.record.counts.copies += 1;
            message.copy = true;
            cx.requests.lineages.fork(of);
            state.enqueue(message, spec.delay, cx);
        }
        self.pull(plan, queue, cx);
    }

    /// The poller takes what it may, and what was received too often moves on.
    fn pull(&mut self, plan: &[QueuePlan], queue: Id<QUEUE>, cx: &mut Cx) {
        let spec = &plan[usize::from(queue)];
        let state = &mut self.state[usize::from(queue)];
        state.pull(spec, cx);
        if state.dead.is_empty() {
            return;
        }
        let Some((to, _)) = spec.dead_letter else { return };
        let mut dead = std::mem::take(&mut state.dead);
        let (target, now) = (&mut self.state[usize::from(to)], cx.now());
        for mut message in dead.drain(..) {
            if plan[usize::from(to)].fifo {
                message.enqueued = now;
            }
            message.group %= plan[usize::from(to)].groups.max(1);
            message.receives = 0;
            target.record.counts.moved_in += 1;
            target.enqueue(message, Duration::ZERO, cx);
        }
        self.state[usize::from(queue)].dead = dead;
        cx.hand_over(Event::Pull { queue: to });
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
