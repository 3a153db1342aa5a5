//! How topics and schedules hand messages to their targets: one try after another, until it is taken, too often
//! refused, or too old.
//!
//! Model: a message is offered to its target as an event, so that functions take it into the queue of their
//! asynchronous invocations and queues keep it; a workflow that answers at its start begins; gateways, fleets and other
//! workflows answer when the work is done. What is not taken is tried again after a wait that grows, as often as the
//! policy says and up to its age; then it goes to the dead-letter queue, if there is one.
//! Not modelled: errors that are not worth another try (there are none: a target that is there takes what it is given);
//! the phases of waits of Amazon SNS, of which the one that lasts is kept.
//! Units: nanoseconds; ages count from the publishing.
//! Sources: Amazon SNS Developer Guide, "Message delivery retries"; Amazon `EventBridge` User Guide, "How `EventBridge`
//! retries delivering events".
//! Validated by: hand-computed traces, fork-join and bulk arrivals (docs/validation.md).

use super::desk::{Cx, Desk, Event};
use super::entry::{Caller, Cause, Request, Status};
use super::kind;
use super::lineage::{End, Lineage, Why};
use super::retry::{Jitter, RetryPolicy};
use crate::kernel::number::fit;
use crate::kernel::{Class, Duration, Instant, Luck};
use crate::scenario::{Block, Field, Kind, Table, Target};
use crate::stats::{Gauge, Histogram, Value};

/// What takes events.
pub const TARGETS: &[&str] = &["functions", "queues", "topics", "workflows", "gateways", "fleets"];

/// The longest that a message may be kept, in ns.
const AGE_MAX: f64 = 60.0 * 86_400e9;

/// The fields of a delivery policy.
pub const TABLE: Table = Table {
    name: "delivery policy",
    doc: "How often and how long a message is offered to a target that refuses it. Functions never do.",
    fields: &[
        Field::default("attempts", Kind::Count, "100", "Tries in all, the first one included.")
            .within(1.0, 1e6)
            .source("assumed; services have policies of their own"),
        Field::default("wait", Kind::Duration, "1 s", "Wait before the second try.")
            .source("assumed; services have policies of their own"),
        Field::default("wait_maximum", Kind::Duration, "5 min", "The longest wait.")
            .source("assumed; services have policies of their own"),
        Field::default(
            "factor",
            Kind::Number,
            "2",
            "Growth of the wait from one try to the next.",
        )
        .at_least(1.0)
        .source("assumed; services have policies of their own"),
        Field::default(
            "jitter",
            Kind::Choice(&["none", "equal", "full"]),
            "none",
            "How waits are spread.",
        ),
        Field::default(
            "maximum_age",
            Kind::Duration,
            "24 h",
            "How long a message is kept; what is then not taken is given up.",
        )
        .within(1.0, AGE_MAX)
        .source("assumed; services have policies of their own"),
        Field::optional(
            "timeout",
            Kind::Duration,
            "How long a try waits for the answer of a gateway, a fleet or a workflow; for ever if absent.",
        )
        .positive(),
    ],
};

/// A policy, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicyPlan {
    /// Tries in all.
    pub attempts: u32,
    /// Waits between them.
    pub waits: RetryPolicy,
    /// How long a message is kept.
    pub maximum_age: Duration,
    /// How long a try waits for its answer.
    pub timeout: Duration,
}

impl PolicyPlan {
    /// Reads a policy.
    pub fn read(block: &Block) -> Self {
        let wait = block.duration("wait");
        Self {
            attempts: fit(block.count("attempts")),
            waits: RetryPolicy {
                base: wait,
                base_throttled: wait,
                cap: block.duration("wait_maximum"),
                factor: block.number("factor"),
                jitter: [Jitter::None, Jitter::Equal, Jitter::Full][block.choice("jitter")],
                ..RetryPolicy::NONE
            },
            maximum_age: block.duration("maximum_age"),
            timeout: block.duration_opt("timeout").unwrap_or(Duration::FOREVER),
        }
    }
}

/// The way from a sender to one of its targets.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelPlan {
    /// Whom.
    pub to: Target,
    /// How.
    pub policy: PolicyPlan,
    /// Where what is given up goes.
    pub dead_letter: Option<Target>,
}

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    /// The luck of what goes to the dead-letter queue.
    pub const DEAD: u64 = Purpose::DeadLetter.step();
}

/// No message: a second copy, whose end nobody waits for.
pub const NO_MESSAGE: u32 = u32::MAX;

/// A message on its way to one target.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    /// Which of the sender's channels.
    pub channel: u16,
    /// What it asks its target for.
    pub path: u16,
    /// Since when it is known.
    pub published: Instant,
    /// Its dice.
    pub luck: Luck,
    /// The sender's number for the message as a whole.
    pub message: u32,
    /// Tries made.
    pub tries: u32,
    /// What it descends from.
    pub of: Lineage,
    /// Who gave it up, if it is a dead letter.
    pub dead: Option<u32>,
}

/// What has become of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Pending,
    /// It has ended, well or not, for this message.
    Ended(u32),
}

/// All deliveries of one sender that are under way, and what is counted about them.
#[derive(Debug)]
pub struct Deliveries {
    sender: Target,
    slots: Vec<Delivery>,
    free: Vec<u32>,
    /// What is counted.
    pub tally: Tally,
}

impl Deliveries {
    /// None yet, of this sender. `expired` in `Deliveries::send` makes the event by which a delivery becomes too old.
    pub fn new(sender: Target) -> Self {
        Self {
            sender,
            slots: Vec::new(),
            free: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Begins a delivery; its first try comes when `delay` has passed.
    pub fn begin(
        &mut self,
        plan: &ChannelPlan,
        delivery: Delivery,
        delay: Duration,
        expired: fn(Target, u32) -> Event,
        cx: &mut Cx,
    ) -> Outcome {
        let now = cx.now();
        self.tally.begun += 1;
        self.tally.pending.add(now.0, 1);
        let slot = self.free.pop().unwrap_or_else(|| fit(self.slots.len()));
        if slot as usize == self.slots.len() {
            self.slots.push(delivery);
        } else {
            self.slots[slot as usize] = delivery;
        }
        let caller = Caller::Sender {
            from: self.sender,
            ticket: slot,
        };
        let mut request = Request::new(caller, delivery.luck, now);
        request.path = delivery.path;
        request.spend(Cause::Queued, delay);
        self.send(plan, slot, request, expired, cx)
    }

    /// Offers a message to its target when the delays that are accounted to it have passed, or gives it up when it
    /// becomes too old before.
    fn send(
        &mut self,
        plan: &ChannelPlan,
        slot: u32,
        request: Request,
        expired: fn(Target, u32) -> Event,
        cx: &mut Cx,
    ) -> Outcome {
        let too_old = self.slots[slot as usize].published + plan.policy.maximum_age;
        let at = request.mark;
        if at > too_old {
            let event = expired(self.sender, slot);
            cx.at(too_old.max(cx.now()), Class::Timer, event);
            return Outcome::Pending;
        }
        let key = cx.requests.insert(request);
        let Delivery { of, dead, .. } = self.slots[slot as usize];
        cx.sends(key, of, plan.to, dead);
        if plan.policy.timeout < Duration::FOREVER {
            cx.within_from(at, plan.policy.timeout, Desk::Deadline { request: key });
        }
        cx.offer_async(plan.to, key);
        Outcome::Pending
    }

    /// What is on its way when the run ends.
    pub fn held(&self, place: u32, hold: &mut dyn FnMut(Lineage, End)) {
        let of = self.slots.iter().map(|slot| slot.of);
        of.for_each(|of| hold(of, End::unfinished(place, Why::Waiting)));
    }

    /// The channel of a delivery.
    pub fn channel(&self, delivery: u32) -> u16 {
        self.slots[delivery as usize].channel
    }

    /// A target has answered.
    pub fn answered(
        &mut self,
        plan: &ChannelPlan,
        delivery: u32,
        key: crate::kernel::Key,
        expired: fn(Target, u32) -> Event,
        cx: &mut Cx,
    ) -> Outcome {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        let (status, luck) = (entry.status, entry.luck);
        let slot = &mut self.slots[delivery as usize];
        slot.tries += 1;
        if status.is_ok() {
            cx.requests.remove(key);
            self.tally.delivered += 1;
            self.tally.latency.record(now.since(slot.published).0);
            // Whoever keeps or invokes has it as its own by now; others have done it.
            let of = std::mem::take(&mut slot.of);
            if kind::abilities(plan.to.kind).web {
                cx.requests.lineages.note(of, now, End::of(Status::Ok, 0));
            }
            cx.requests.lineages.touch(of, now);
            cx.requests.lineages.leave(of);
            return self.end(delivery, now);
        }
        if slot.tries >= plan.policy.attempts {
            cx.requests.remove(key);
            self.tally.dropped_attempts += 1;
            return self.give_up(plan, delivery, Why::Dropped, cx);
        }
        let n = slot.tries.min(TRIES_COUNTED) as u8;
        let wait = plan.policy.waits.backoff(n, Status::Failed, luck);
        entry.attempt = n;
        let again = cx.next_attempt(key, wait);
        let request = cx.requests[again];
        cx.requests.remove(again);
        self.tally.retried += 1;
        self.send(plan, delivery, request, expired, cx)
    }

    /// A message has become too old.
    pub fn expire(&mut self, plan: &ChannelPlan, delivery: u32, cx: &mut Cx) -> Outcome {
        self.tally.dropped_age += 1;
        self.give_up(plan, delivery, Why::Expired, cx)
    }

    fn give_up(&mut self, plan: &ChannelPlan, delivery: u32, why: Why, cx: &mut Cx) -> Outcome {
        let now = cx.now();
        let slot = &mut self.slots[delivery as usize];
        let Delivery { luck, path, .. } = *slot;
        let of = std::mem::take(&mut slot.of);
        let sender = cx.plan.place(self.sender);
        if let Some(dead) = plan.dead_letter {
            let mut request = Request::new(Caller::Nobody, luck.derive(step::DEAD), now);
            request.path = path;
            let key = cx.requests.insert(request);
            cx.sends(key, of, dead, Some(sender));
            cx.offer_async(dead, key);
            cx.requests.lineages.leave(of);
        } else {
            self.tally.lost += 1;
            cx.requests.lineages.end(of, now, End::lost(sender, why));
        }
        self.end(delivery, now)
    }

    fn end(&mut self, delivery: u32, now: Instant) -> Outcome {
        self.tally.pending.add(now.0, -1);
        self.free.push(delivery);
        Outcome::Ended(self.slots[delivery as usize].message)
    }
}

/// Tries are counted up to here only for the wait, which has long reached its limit.
const TRIES_COUNTED: u32 = 100;

/// What is counted about deliveries.
#[derive(Debug, Default)]
pub struct Tally {
    /// Deliveries begun.
    pub begun: u64,
    delivered: u64,
    retried: u64,
    dropped_attempts: u64,
    dropped_age: u64,
    lost: u64,
    pending: Gauge,
    latency: Histogram,
    area: u128,
    peak: u64,
    length_ns: u64,
    since: Instant,
}

impl Tally {
    /// Deliveries under way now.
    pub const fn pending(&self) -> u64 {
        self.pending.level()
    }

    /// Ends a window.
    pub fn close_window(&mut self, now: Instant) {
        let (area, peak) = self.pending.flush(now.0);
        self.area += area;
        self.peak = self.peak.max(peak);
        self.length_ns += now.since(self.since).0;
        self.since = now;
    }

    /// Forgets what was counted, but not what is under way. A window has just been closed.
    pub fn reset(&mut self) {
        *self = Self {
            pending: self.pending.carry_over(),
            since: self.since,
            ..Self::default()
        };
    }

    /// The metrics; those of a sender's own come before or after.
    pub fn observe(self) -> [(&'static str, Value); 9] {
        let (area, over_ns) = (self.area, self.length_ns);
        [
            ("deliveries", Value::Count(self.begun)),
            ("delivered", Value::Count(self.delivered)),
            ("retried", Value::Count(self.retried)),
            ("dropped_attempts", Value::Count(self.dropped_attempts)),
            ("dropped_age", Value::Count(self.dropped_age)),
            ("lost", Value::Count(self.lost)),
            ("pending", Value::TimeMean { area, over_ns }),
            ("pending.peak", Value::Peak(self.peak)),
            ("delivery", Value::Latency(Box::new(self.latency))),
        ]
    }
}
