//! Asynchronous invocation: the queue between those who send events to a function and the function itself.
//!
//! Model: an event is accepted at once and waits in the function's own queue; after the delivery latency the function
//! is invoked with it. When the invocation fails (an error of the code, or its time limit) the event is tried again a
//! few times, after waits that double. When the function is throttled or cannot be reached the event goes back to the
//! queue and is tried again after waits that double up to a limit, until it is too old; such tries cost none of the
//! retries. An event that is given up goes to the destination for failures and to the dead-letter queue, if there are
//! any; one that is done goes to the destination for successes. A function without any concurrency of its own
//! (reserved concurrency 0) gives its events up at once. Events may be delivered twice, and some always fail (poison).
//! Not modelled: that a long queue is read more slowly and with longer waits; how long accepting takes.
//! Units: nanoseconds; ages count from the acceptance.
//! Sources: AWS Lambda Developer Guide, "Asynchronous invocation" and "Capturing records of asynchronous invocations";
//! AWS Lambda API reference, `PutFunctionEventInvokeConfig`; AWS Lambda pricing (events above 256 KB).
//! Validated by: hand-computed traces (retries, throttles, age, destinations), truncated geometric attempts and
//! Little's law (docs/validation.md).

mod record;

use super::plan::FunctionPlan;
use crate::kernel::number::fit;
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, Luck, Sampler};
use crate::model::mechanism::contract::Report;
use crate::model::parts::budget::{Holder, Holding};
use crate::model::request::desk::Cx;
use crate::model::request::effects::Handed;
use crate::model::request::entry::{BatchFate, Caller, Cause, Request, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;
use crate::model::request::lineage::{End, Lineage, Why};
use crate::model::request::payload;
use crate::model::request::retry::{Jitter, RetryPolicy};
use crate::scenario::{Block, Code, Field, Kind, Table, Target};
use record::{Reason, Record};

/// What an event that was given up, or done, may be sent to.
pub const DESTINATIONS: &[&str] = &["queues", "functions", "topics"];

/// The longest that an event may be kept, in ns: far beyond the six hours that any platform grants.
const AGE_MAX: f64 = 30.0 * 86_400e9;

/// The fields of asynchronous invocation.
pub const TABLE: Table = Table {
    name: "asynchronous invocation",
    doc: "What happens to events: invocations whose sender does not wait for an answer. A handler's `send` and every \
          source of events invoke functions this way.",
    fields: &[
        Field::default(
            "retries",
            Kind::Count,
            "2",
            "How often an event is tried again after an error of the function.",
        )
        .within(0.0, 100.0)
        .source("AWS Lambda API reference, PutFunctionEventInvokeConfig: MaximumRetryAttempts 0 to 2"),
        Field::default(
            "retry_wait",
            Kind::Duration,
            "1 min",
            "Wait before the first of these; each further one waits twice as long.",
        )
        .source("AWS Lambda Developer Guide, asynchronous invocation: one minute, then two"),
        Field::default(
            "throttle_wait",
            Kind::Duration,
            "1 s",
            "Wait after the function was throttled or not available; it doubles from there.",
        )
        .positive()
        .source("AWS Lambda Developer Guide, asynchronous invocation: from 1 s to 5 minutes"),
        Field::default(
            "throttle_wait_maximum",
            Kind::Duration,
            "5 min",
            "The longest of these waits.",
        )
        .positive()
        .source("AWS Lambda Developer Guide, asynchronous invocation: from 1 s to 5 minutes"),
        Field::default(
            "maximum_age",
            Kind::Duration,
            "6 h",
            "How long an event is kept; what is then not done is given up.",
        )
        .within(1.0, AGE_MAX)
        .source("AWS Lambda API reference, PutFunctionEventInvokeConfig: 60 s to 6 h"),
        Field::default(
            "delivery_latency",
            Kind::Sampler,
            "0 ms",
            "From accepting an event to the invocation, where nothing holds it up.",
        ),
        Field::default(
            "duplicate_rate",
            Kind::Share,
            "0%",
            "Probability that an event is delivered twice. Rare and not published, so none unless you ask for it.",
        )
        .source("AWS Lambda Developer Guide, asynchronous invocation: at least once"),
        Field::default("poison", Kind::Share, "0%", "The share of events that always fail."),
        payload::PAYLOAD_LIMIT,
        Field::default("event_size", Kind::Size, "1 KB", "Bytes of an event.")
            .within(0.0, 1_048_576.0)
            .source("AWS Lambda quotas: up to 1 MB"),
        Field::default(
            "event_size_included",
            Kind::Size,
            "256 KB",
            "Bytes of an event that are billed with its invocation.",
        )
        .source("AWS Lambda pricing: 256 KB"),
        Field::default(
            "metering_size",
            Kind::Size,
            "64 KB",
            "The size of the pieces beyond them, each of which is metered as a request of its own.",
        )
        .at_least(1.0)
        .source("AWS Lambda pricing: 64 KB"),
        Field::optional(
            "on_success",
            Kind::Target(DESTINATIONS),
            "Where a record of each event that is done goes.",
        ),
        Field::optional(
            "on_failure",
            Kind::Target(DESTINATIONS),
            "Where a record of each event that is given up goes.",
        ),
        Field::optional(
            "dead_letter",
            Kind::Target(&["queues"]),
            "The queue for events that are given up.",
        ),
    ],
};

/// Asynchronous invocation of one function, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct AsyncPlan {
    /// Whether anything sends events to the function: only then it reports about them.
    pub used: bool,
    /// Tries after an error beyond the first.
    pub retries: u8,
    /// The wait before the first of them, doubling.
    pub retry_wait: Duration,
    /// The wait after a throttle, doubling.
    pub throttle_wait: Duration,
    /// Its limit.
    pub throttle_wait_maximum: Duration,
    /// How long an event is kept.
    pub maximum_age: Duration,
    /// From acceptance to invocation.
    pub delivery_latency: Sampler,
    /// Probability that an event is delivered twice.
    pub duplicate_rate: f64,
    /// The share of events that always fail.
    pub poison: f64,
    /// Requests that are billed for each invocation beside itself.
    pub extra_requests: u64,
    /// The largest event that it takes.
    pub payload_limit: Option<u64>,
    /// Where done events go.
    pub on_success: Option<Target>,
    /// Where given-up events go.
    pub on_failure: Option<Target>,
    /// The queue for given-up events.
    pub dead_letter: Option<Target>,
}

impl Default for AsyncPlan {
    fn default() -> Self {
        Self {
            used: false,
            retries: 2,
            retry_wait: Duration::from_secs(60),
            throttle_wait: Duration::from_secs(1),
            throttle_wait_maximum: Duration::from_secs(300),
            maximum_age: Duration::from_secs(6 * 3600),
            delivery_latency: Sampler::Constant(0.0),
            duplicate_rate: 0.0,
            poison: 0.0,
            extra_requests: 0,
            payload_limit: None,
            on_success: None,
            on_failure: None,
            dead_letter: None,
        }
    }
}

impl AsyncPlan {
    /// Reads the block of a function.
    pub fn read(block: &Block) -> Self {
        if block.duration("throttle_wait") > block.duration("throttle_wait_maximum") {
            let message = "the wait after a throttle is longer than the longest one";
            let help = "make `throttle_wait_maximum` at least `throttle_wait`";
            block.error(Code::Inconsistent, block.span_of("throttle_wait"), message, help);
        }
        let beyond = block
            .size("event_size")
            .saturating_sub(block.size("event_size_included"));
        Self {
            used: false,
            retries: fit(block.count("retries")),
            retry_wait: block.duration("retry_wait"),
            throttle_wait: block.duration("throttle_wait"),
            throttle_wait_maximum: block.duration("throttle_wait_maximum"),
            maximum_age: block.duration("maximum_age"),
            delivery_latency: block.sampler("delivery_latency"),
            duplicate_rate: block.share("duplicate_rate"),
            poison: block.share("poison"),
            payload_limit: block.size_opt("payload_limit"),
            extra_requests: beyond.div_ceil(block.size("metering_size")),
            on_success: block.target_opt("on_success"),
            on_failure: block.target_opt("on_failure"),
            dead_letter: block.target_opt("dead_letter"),
        }
    }

    /// Everything that it sends events to.
    pub fn destinations(&self) -> impl Iterator<Item = Target> {
        [self.on_success, self.on_failure, self.dead_letter]
            .into_iter()
            .flatten()
    }

    /// The wait before try number `n` (from 1) of those that follow an event's errors or throttles.
    fn wait(&self, after: Status, n: u8) -> Duration {
        let policy = RetryPolicy {
            base: self.retry_wait,
            base_throttled: self.throttle_wait,
            cap: if after == Status::Throttled {
                self.throttle_wait_maximum
            } else {
                Duration::FOREVER
            },
            jitter: Jitter::None,
            ..RetryPolicy::NONE
        };
        policy.backoff(n, after, Luck::default())
    }
}

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    /// The event's own luck, which its sender's luck decides.
    pub const EVENT: u64 = Purpose::EventSelf.step();
    /// Its way to the function.
    pub const DELIVERY: u64 = Purpose::EventDelivery.step();
    /// Whether it is delivered twice.
    pub const DUPLICATE: u64 = Purpose::EventDuplicate.step();
    /// Whether it always fails.
    pub const POISON: u64 = Purpose::EventPoison.step();
    /// The luck of the second delivery.
    pub const COPY: u64 = Purpose::EventCopy.step();
    /// The luck of what is sent to destinations, plus which.
    pub const DESTINATION: u64 = Purpose::EventDestination.step();
}

/// Tries after throttles are counted up to here only; the wait has long reached its limit.
const TRIES_COUNTED: u8 = 100;

/// An event that is neither done nor given up.
#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    accepted: Instant,
    luck: Luck,
    /// What both deliveries of an event, and all attempts of its sender, have in common.
    identity: Luck,
    path: u16,
    errors: u8,
    throttles: u8,
    poison: bool,
    /// The second delivery of an event.
    copy: bool,
    /// What it descends from.
    of: Lineage,
}

/// The queue of one function.
#[derive(Debug)]
struct Queue {
    events: Vec<Pending>,
    free: Vec<u32>,
    record: Record,
}

impl Queue {
    fn new() -> Box<Self> {
        Box::new(Self {
            events: Vec::new(),
            free: Vec::new(),
            record: Record::new(),
        })
    }
}

/// The queues of all functions.
#[derive(Debug)]
pub struct AsyncQueues {
    /// Of those functions that are sent events.
    state: Vec<Option<Box<Queue>>>,
}

impl AsyncQueues {
    /// The queues at the start of a run. All their dice are their events' own.
    pub fn new(plan: &[FunctionPlan]) -> Self {
        let state = |spec: &FunctionPlan| spec.asynchronous.used.then(Queue::new);
        Self {
            state: plan.iter().map(state).collect(),
        }
    }

    /// The queue of a function to which something was sent.
    fn queue(&mut self, function: Id<FUNCTION>) -> &mut Queue {
        self.state[usize::from(function)].get_or_insert_with(Queue::new)
    }

    fn queues(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.state.iter_mut().filter_map(|queue| queue.as_deref_mut())
    }

    /// How many events there are, for each function.
    pub fn holdings<'q>(&'q self, plan: &'q [FunctionPlan]) -> impl Iterator<Item = Holding> + 'q {
        let functions = plan.iter().zip(&self.state);
        functions.map(|(spec, queue)| {
            let events = queue.as_ref().map_or(0, |queue| queue.record.depth.level());
            Holding::of::<Pending>(Holder::Asynchronous, Some(spec.component), events)
        })
    }

    /// Events that are there when the run ends.
    pub fn held(&self, plan: &[FunctionPlan], hold: &mut dyn FnMut(Lineage, End)) {
        for (spec, queue) in plan.iter().zip(&self.state) {
            let events = queue.iter().flat_map(|queue| &queue.events);
            events.for_each(|event| hold(event.of, End::unfinished(spec.component, Why::Waiting)));
        }
    }

    /// An event that waits for another try has become too old.
    pub fn expire(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, event: u32, cx: &mut Cx) {
        cx.hit_by(Limit::EventAge, function.target(), None);
        self.queue(function)
            .give_up(&plan[usize::from(function)], event, Reason::Age, cx);
    }

    /// A sender's request becomes an event, and the sender hears that it was accepted.
    pub fn accept(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, request: Key, cx: &mut Cx) {
        // A caller that gave up meanwhile has sent the event all the same.
        if !cx.requests.contains(request) {
            return;
        }
        let spec = &plan[usize::from(function)];
        if let Some(limit) = spec.asynchronous.payload_limit.filter(|_| cx.faults.armed)
            && payload::exceeds(function.target(), limit, request, cx)
        {
            return cx.reply(request, Status::TooLarge);
        }
        let state = self.queue(function);
        let sent = &cx.requests[request];
        let luck = sent.luck.derive(step::EVENT);
        let (identity, path) = (sent.luck.first_attempt(sent.attempt), sent.path);
        let (of, _) = cx.requests.keep(request);
        let pending = Pending {
            of,
            accepted: cx.now(),
            luck,
            identity,
            path,
            poison: chance(&mut luck.dice(step::POISON), spec.asynchronous.poison),
            ..Pending::default()
        };
        cx.reply(request, Status::Ok);
        state.record.counts.received += 1;
        state.enqueue(spec, function, pending, cx);
        if chance(&mut luck.dice(step::DUPLICATE), spec.asynchronous.duplicate_rate) {
            state.record.counts.duplicates += 1;
            let luck = luck.derive(step::COPY);
            cx.requests.lineages.fork(of);
            state.enqueue(
                spec,
                function,
                Pending {
                    luck,
                    copy: true,
                    ..pending
                },
                cx,
            );
        }
    }

    /// The function has answered for an event.
    pub fn answered(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, event: u32, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(function)];
        self.queue(function).answered(spec, function, event, key, cx);
    }

    /// Ends a window.
    pub fn close_window(&mut self, now: Instant) {
        self.queues().for_each(|queue| queue.record.close_window(now));
    }

    /// Forgets what was counted: the warm-up is over, and its last window closed.
    pub fn forget(&mut self) {
        self.queues().for_each(|queue| queue.record.reset());
    }

    /// Reports what was counted; the last window must have been closed. What large events cost is a matter of
    /// `meters`.
    pub fn observe(self, plan: &[FunctionPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            meters,
            end,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            if spec.asynchronous.used
                && let Some(mut queue) = state
            {
                queue.cut_off(*end);
                queue
                    .record
                    .observe(spec, *window, out, series, &mut meters[spec.component as usize]);
            }
        }
    }
}

impl Queue {
    /// An event is in the queue; its first try is on the way, unless the function is switched off.
    fn enqueue(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, pending: Pending, cx: &mut Cx) {
        let now = cx.now();
        self.record.depth.add(now.0, 1);
        let event = self.free.pop().unwrap_or_else(|| fit(self.events.len()));
        if event as usize == self.events.len() {
            self.events.push(pending);
        } else {
            self.events[event as usize] = pending;
        }
        if spec.reserved == Some(0) && spec.provisioned.is_none() {
            return self.give_up(spec, event, Reason::SwitchedOff, cx);
        }
        let caller = Caller::Sender {
            from: function.target(),
            ticket: event,
        };
        let handed = Handed {
            identity: pending.identity.0,
            poison: pending.poison,
        };
        cx.effects.hand(caller, std::iter::once(handed));
        let mut request = Request::new(caller, pending.luck, now);
        request.path = pending.path;
        if !spec.asynchronous.delivery_latency.is_zero() {
            let latency = &spec.asynchronous.delivery_latency;
            request.spend(Cause::Queued, latency.draw(&mut pending.luck.dice(step::DELIVERY)));
        }
        self.send(spec, function, request, cx);
    }

    /// Invokes the function with an event when the delays that are accounted to it have passed, or gives the event up
    /// when it becomes too old before.
    fn send(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, mut request: Request, cx: &mut Cx) {
        let Caller::Sender { ticket: event, .. } = request.caller else {
            return;
        };
        let pending = &self.events[event as usize];
        let too_old = pending.accepted + spec.asynchronous.maximum_age;
        if request.mark > too_old {
            let expire = super::Event::Expire { function, event };
            return cx.at(too_old.max(cx.now()), Class::Timer, expire);
        }
        if pending.poison {
            request.frame.batch_fate = BatchFate::Doomed;
        }
        let of = pending.of;
        let key = cx.requests.insert(request);
        cx.requests.descends_from(key, of);
        cx.offer_at_mark(function.target(), key);
    }

    fn answered(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, event: u32, key: Key, cx: &mut Cx) {
        let now = cx.now();
        if cx.requests[key].mark < now {
            cx.requests[key].spend_until(Cause::Waiting, now);
        }
        let entry = cx.requests[key];
        let pending = &mut self.events[event as usize];
        let busy = matches!(entry.status, Status::Throttled | Status::Unavailable);
        if !busy {
            self.record.invoked(entry.frame.started.since(pending.accepted));
        }
        if entry.status.is_ok() {
            cx.requests.remove(key);
            let copy = pending.copy;
            self.record.done(now.since(pending.accepted), copy);
            let to = spec.asynchronous.on_success;
            return self.leave(event, [to, None], None, cx);
        }
        let tries = if busy {
            &mut pending.throttles
        } else {
            &mut pending.errors
        };
        *tries = (*tries + 1).min(TRIES_COUNTED);
        let tries = *tries;
        if busy {
            self.record.counts.throttled += 1;
        } else if tries > spec.asynchronous.retries {
            cx.requests.remove(key);
            return self.give_up(spec, event, Reason::Errors, cx);
        }
        let after = if busy { Status::Throttled } else { Status::Failed };
        cx.requests[key].attempt = entry.attempt.min(TRIES_COUNTED);
        let again = cx.next_attempt(key, spec.asynchronous.wait(after, tries));
        let request = cx.requests[again];
        cx.requests.remove(again);
        let too_old = self.events[event as usize].accepted + spec.asynchronous.maximum_age;
        if !busy && request.mark <= too_old {
            self.record.counts.retried += 1;
        }
        self.send(spec, function, request, cx);
    }

    /// The run ends: what is there is not done.
    fn cut_off(&mut self, end: Instant) {
        let mut there = vec![true; self.events.len()];
        for &event in &self.free {
            there[event as usize] = false;
        }
        let events = self.events.iter().zip(there);
        for (event, _) in events.filter(|(event, there)| *there && !event.copy) {
            self.record.cut_off(end.since(event.accepted));
        }
    }

    /// An event is not tried again.
    fn give_up(&mut self, spec: &FunctionPlan, event: u32, why: Reason, cx: &mut Cx) {
        let asynchronous = &spec.asynchronous;
        let to = [asynchronous.on_failure, asynchronous.dead_letter];
        self.record.dropped(why, to != [None, None]);
        let reason = match why {
            Reason::Age => Why::Expired,
            Reason::Errors | Reason::SwitchedOff => Why::Discarded,
        };
        self.leave(event, to, Some(End::lost(spec.component, reason)), cx);
    }

    /// An event leaves the queue, for these destinations: it is done, or `given_up`.
    fn leave(&mut self, event: u32, destinations: [Option<Target>; 2], given_up: Option<End>, cx: &mut Cx) {
        let now = cx.now();
        self.record.depth.add(now.0, -1);
        self.free.push(event);
        let pending = &mut self.events[event as usize];
        let Pending { luck, path, .. } = *pending;
        let of = std::mem::take(&mut pending.of);
        for (i, to) in destinations.into_iter().enumerate() {
            let Some(to) = to else { continue };
            let mut request = Request::new(Caller::Nobody, luck.derive(step::DESTINATION + i as u64), now);
            request.path = path;
            let key = cx.requests.insert(request);
            cx.sends(key, of, to, given_up.map(|end| end.place));
            cx.offer_async(to, key);
        }
        match given_up {
            None => cx.requests.lineages.done(of, now),
            Some(_) if destinations != [None, None] => cx.requests.lineages.leave(of),
            Some(end) => cx.requests.lineages.end(of, now, end),
        }
    }
}
