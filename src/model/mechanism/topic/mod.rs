//! Topics: each message goes to everyone who subscribes to it. Notification topics, event buses and the notifications
//! of a bucket are presets.
//!
//! Model: a publish call is refused beyond the topic's quota, or takes its time and is done. Each message has a value
//! for each of the topic's attributes; a subscription gets those that match its filter, or a share of them. Each
//! delivery is on its own: it comes after the delivery latency, later when the quota of deliveries is used up, and is
//! tried again as `delivery` says; the same message may be delivered twice.
//! Not modelled: ordered (FIFO) topics; batches of messages; the size of what a subscriber gets; e-mail and text
//! messages.
//! Units: nanoseconds; quotas in calls or deliveries a second.
//! Sources: Amazon SNS Developer Guide (delivery, filter policies, quotas); Amazon `EventBridge` User Guide (rules,
//! quotas: throttled invocations are delayed, not lost); Amazon S3 User Guide, "Event notifications".
//! Validated by: hand-computed traces; fork-join (the last of n exponential times) and M^\[X\]/M/1
//! (docs/validation.md).

mod metrics;
pub mod fields;

use crate::cost::Meter;
use crate::kernel::number::fit;
use crate::kernel::stream::{chance, unit};
use crate::kernel::{Class, Duration, Instant, Key, Luck, Sampler};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::{Holder, Holding};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::common::Profile;
use crate::model::request::delivery::{ChannelPlan, Deliveries, Delivery, NO_MESSAGE, Outcome};
use crate::model::request::desk::{self, Cx};
use crate::model::request::entry::{Cause, Status};
use crate::model::request::fault::{Change, Quota};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind;
use crate::model::request::kind::TOPIC;
use crate::model::request::lineage::{End, Lineage, Why};
use crate::model::request::meaning::Meaning;
use crate::scenario::{Block, Table, Target};
use crate::stats::{Histogram, Observation, Series, SeriesUnit, Value};

/// Who gets messages of a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// The way there.
    pub channel: ChannelPlan,
    /// The share of matching messages that comes through.
    pub share: f64,
    /// For each attribute that it filters by, which values pass.
    pub matches: Vec<(u16, Vec<bool>)>,
}

/// A topic, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicPlan {
    /// Its number among all components.
    pub component: u32,
    /// How long a publish call takes.
    pub publish_latency: Sampler,
    /// Publish calls a second, and at once.
    pub publish_quota: Option<(f64, u64)>,
    /// From publishing to a delivery's first try.
    pub delivery_latency: Sampler,
    /// Deliveries a second, and at once.
    pub delivery_quota: Option<(f64, u64)>,
    /// Probability that a delivery comes twice.
    pub duplicate_rate: f64,
    /// The largest message that it takes.
    pub payload_limit: Option<u64>,
    /// Messages that a message is metered as; zero where they are free.
    pub chunks: u64,
    /// The cumulative probabilities of each attribute's values.
    pub attributes: Vec<Vec<f64>>,
    /// Who gets messages.
    pub subscriptions: Vec<Subscription>,
}

/// What happens to a topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A publish call is over.
    Published {
        /// The topic.
        topic: Id<TOPIC>,
        /// The call.
        request: Key,
    },
    /// A message that waits for another try has become too old.
    Expire {
        /// The topic.
        topic: Id<TOPIC>,
        /// The delivery.
        delivery: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Published { topic, request },
    Expire { topic, delivery },
});

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    /// How long the publish call takes.
    pub const PUBLISH: u64 = Purpose::Publish.step();
    /// The message's own luck, which its publisher's luck decides.
    pub const MESSAGE: u64 = Purpose::TopicMessage.step();
    /// The value of an attribute, plus which.
    pub const ATTRIBUTE: u64 = Purpose::TopicAttribute.step();
    /// The luck of a delivery, plus which subscription.
    pub const DELIVERY: u64 = Purpose::TopicDelivery.step();
    /// Of a delivery: whether the filter lets it through, how long it takes, whether it comes twice, and the copy.
    pub const SHARE: u64 = Purpose::TopicShare.step();
    pub const LATENCY: u64 = Purpose::TopicLatency.step();
    pub const DUPLICATE: u64 = Purpose::TopicDuplicate.step();
    pub const COPY: u64 = Purpose::TopicCopy.step();
}

/// A message that has not reached everyone yet.
#[derive(Clone, Copy, Debug, Default)]
struct Message {
    published: Instant,
    pending: u32,
}

#[derive(Debug)]
struct Topic {
    index: Id<TOPIC>,
    publish: Option<TokenBucket>,
    quota: Option<TokenBucket>,
    deliveries: Deliveries,
    messages: Vec<Message>,
    free: Vec<u32>,
    record: Record,
}

#[derive(Debug, Default)]
struct Record {
    published: u64,
    throttled: u64,
    unmatched: u64,
    duplicates: u64,
    delayed: u64,
    /// Deliveries over HTTP, which some services bill.
    http: u64,
    fan_out: Histogram,
    window: u64,
    lines: Vec<u64>,
}

/// All topics.
#[derive(Debug)]
pub struct Topics {
    state: Vec<Topic>,
}

/// The event by which a delivery becomes too old.
fn expired(sender: Target, delivery: u32) -> desk::Event {
    let topic = sender.into();
    Event::Expire { topic, delivery }.into()
}

impl Mechanism for Topics {
    const TABLE: &'static Table = &fields::TABLE;
    const HARM: Harm = Harm {
        quotas: &[("rate", Quota::Rate)],
        ..Harm::NONE
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<TOPIC>;
    type Plan = TopicPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<TopicPlan> {
        Some(TopicPlan::read(block, reading.component))
    }

    fn profile(plan: &TopicPlan) -> Profile {
        Profile {
            payload_limit: plan.payload_limit,
            ..Profile::default()
        }
    }

    fn callees(_: &TopicPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(plan: &TopicPlan) -> Vec<Sent> {
        let targets = plan.subscriptions.iter().map(|subscription| subscription.channel.to);
        targets.map(|to| Sent::event("messages of", to)).collect()
    }

    fn usual(plan: &TopicPlan, _: Quota) -> Option<f64> {
        plan.publish_quota.map(|quota| quota.0)
    }

    fn holdings(&self, plan: &[TopicPlan]) -> Vec<Holding> {
        let topics = plan.iter().zip(&self.state);
        let holdings = topics.map(|(spec, state)| {
            let pending = state.deliveries.tally.pending();
            Holding::of::<Delivery>(Holder::Deliveries, Some(spec.component), pending)
        });
        holdings.collect()
    }

    fn held(&self, plan: &[TopicPlan], hold: &mut dyn FnMut(Lineage, End)) {
        for (spec, state) in plan.iter().zip(&self.state) {
            state.deliveries.held(spec.component, hold);
        }
    }

    fn new(plan: &[TopicPlan], _: u64, _: &mut Cx) -> Self {
        let bucket = |quota: Option<(f64, u64)>| quota.map(|(rate, burst)| TokenBucket::new(rate, burst as f64));
        let state = |(index, spec): (usize, &TopicPlan)| Topic {
            index: Id::new(index),
            publish: bucket(spec.publish_quota),
            quota: bucket(spec.delivery_quota),
            deliveries: Deliveries::new(Id::<TOPIC>::new(index).target()),
            messages: Vec::new(),
            free: Vec::new(),
            record: Record::default(),
        };
        Self {
            state: plan.iter().enumerate().map(state).collect(),
        }
    }

    fn offer(&mut self, plan: &[TopicPlan], topic: Id<TOPIC>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(topic)];
        let state = &mut self.state[usize::from(topic)];
        let now = cx.now();
        if let Some(quota) = &mut state.publish
            && !quota.take(now, 1)
        {
            state.record.throttled += 1;
            cx.hit(Limit::PublishRate, topic.target(), key);
            return cx.reply(key, Status::Throttled);
        }
        if spec.publish_latency.is_zero() {
            return state.published(spec, key, cx);
        }
        let entry = &mut cx.requests[key];
        entry.spend(
            Cause::Waiting,
            spec.publish_latency.draw(&mut entry.luck.dice(step::PUBLISH)),
        );
        let at = entry.mark;
        let event = Event::Published { topic, request: key };
        cx.at(at, Class::Release, event);
    }

    fn change(&mut self, plan: &[TopicPlan], topic: Id<TOPIC>, change: Change, cx: &mut Cx) {
        let state = &mut self.state[usize::from(topic)];
        if let (Change::Lower(_, to), Some(bucket), Some((rate, burst))) =
            (change, &mut state.publish, plan[usize::from(topic)].publish_quota)
        {
            bucket.change(cx.now(), to.map_or(rate, |to| rate.min(to)), burst as f64);
        }
    }

    fn handle(&mut self, event: Event, plan: &[TopicPlan], cx: &mut Cx) {
        match event {
            Event::Published { topic, request } => {
                if cx.requests.contains(request) {
                    self.state[usize::from(topic)].published(&plan[usize::from(topic)], request, cx);
                }
            }
            Event::Expire { topic, delivery } => {
                let state = &mut self.state[usize::from(topic)];
                let channel = state.deliveries.channel(delivery) as usize;
                let spec = &plan[usize::from(topic)].subscriptions[channel].channel;
                let outcome = state.deliveries.expire(spec, delivery, cx);
                state.ended(outcome, cx.now());
            }
        }
    }

    fn delivered(&mut self, plan: &[TopicPlan], topic: Id<TOPIC>, delivery: u32, key: Key, cx: &mut Cx) {
        let state = &mut self.state[usize::from(topic)];
        let channel = state.deliveries.channel(delivery) as usize;
        let spec = &plan[usize::from(topic)].subscriptions[channel].channel;
        if kind::abilities(spec.to.kind).web {
            state.record.http += 1;
        }
        let outcome = state.deliveries.answered(spec, delivery, key, expired, cx);
        state.ended(outcome, cx.now());
    }

    fn close_window(&mut self, _: &[TopicPlan], cx: &mut Cx) {
        let now = cx.now();
        for state in &mut self.state {
            state.deliveries.tally.close_window(now);
            state.record.lines.push(std::mem::take(&mut state.record.window));
        }
    }

    fn reset(&mut self, plan: &[TopicPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.deliveries.tally.reset();
            state.record = Record::default();
        }
    }

    fn observe(self, plan: &[TopicPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            let (component, record) = (spec.component, state.record);
            let mut push = |metric, value| {
                out.push(Observation {
                    component,
                    metric,
                    value,
                });
            };
            push("published", Value::Count(record.published));
            push("throttled", Value::Count(record.throttled));
            push("unmatched", Value::Count(record.unmatched));
            push("duplicates", Value::Count(record.duplicates));
            push("delayed", Value::Count(record.delayed));
            for (metric, value) in state.deliveries.tally.observe() {
                push(metric, value);
            }
            push("fan_out", Value::Latency(Box::new(record.fan_out)));
            let seconds = window.as_secs_f64();
            series.push(Series {
                component,
                metric: "published",
                unit: SeriesUnit::PerSecond,
                values: record.lines.iter().map(|n| *n as f64 / seconds).collect(),
            });
            let meters = &mut meters[component as usize];
            meters.add(Meter::Messages, record.published * spec.chunks);
            meters.add(Meter::Requests, record.http * spec.chunks);
        }
    }
}

impl Topic {
    /// A publish call has taken effect: the message goes to everyone it concerns, and the publisher hears of it.
    fn published(&mut self, spec: &TopicPlan, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let (luck, path) = (cx.requests[key].luck.derive(step::MESSAGE), cx.requests[key].path);
        cx.reply(key, Status::Ok);
        let (of, dead) = cx.requests.keep(key);
        self.record.published += 1;
        self.record.window += 1;
        let message = self.free.pop().unwrap_or_else(|| fit(self.messages.len()));
        let fresh = Message {
            published: now,
            pending: 0,
        };
        if message as usize == self.messages.len() {
            self.messages.push(fresh);
        } else {
            self.messages[message as usize] = fresh;
        }
        for (index, subscription) in spec.subscriptions.iter().enumerate() {
            let own = luck.derive(step::DELIVERY + index as u64);
            if !concerns(spec, subscription, luck, own) {
                continue;
            }
            self.messages[message as usize].pending += 1;
            let delivery = Delivery {
                channel: fit(index),
                path,
                published: now,
                luck: own,
                message,
                of: cx.requests.lineages.fork(of),
                dead,
                ..Delivery::default()
            };
            self.deliver(spec, delivery, cx);
            if chance(&mut own.dice(step::DUPLICATE), spec.duplicate_rate) {
                self.record.duplicates += 1;
                let copy = Delivery {
                    luck: own.derive(step::COPY),
                    message: NO_MESSAGE,
                    of: cx.requests.lineages.fork(of),
                    ..delivery
                };
                self.deliver(spec, copy, cx);
            }
        }
        if self.messages[message as usize].pending == 0 {
            self.record.unmatched += 1;
            self.free.push(message);
            if let Some(by) = dead {
                cx.requests.lineages.note(of, now, End::lost(by, Why::DeadLettered));
            }
        }
        cx.requests.lineages.leave(of);
    }

    /// Begins a delivery, when its latency has passed and the quota has room.
    fn deliver(&mut self, spec: &TopicPlan, delivery: Delivery, cx: &mut Cx) {
        let now = cx.now();
        let channel = &spec.subscriptions[delivery.channel as usize].channel;
        let latency = spec.delivery_latency.draw(&mut delivery.luck.dice(step::LATENCY));
        let mut delay = latency;
        if let Some(quota) = &mut self.quota {
            let turn = quota.reserve(now);
            if turn > Duration::ZERO {
                self.record.delayed += 1;
                cx.hit_by(Limit::DeliveryRate, self.index.target(), Some(channel.to));
            }
            delay = Duration(latency.0 + turn.0);
        }
        self.deliveries.begin(channel, delivery, delay, expired, cx);
    }

    /// A delivery may have been the last one of its message.
    fn ended(&mut self, outcome: Outcome, now: Instant) {
        let Outcome::Ended(message) = outcome else { return };
        if message == NO_MESSAGE {
            return;
        }
        let whole = &mut self.messages[message as usize];
        whole.pending -= 1;
        if whole.pending == 0 {
            self.record.fan_out.record(now.since(whole.published).0);
            self.free.push(message);
        }
    }
}

/// Whether a subscription gets a message with this luck; `own` is the luck of that delivery.
fn concerns(spec: &TopicPlan, subscription: &Subscription, luck: Luck, own: Luck) -> bool {
    let value = |attribute: u16| {
        let u = unit(&mut luck.dice(step::ATTRIBUTE + u64::from(attribute)));
        let cumulative = &spec.attributes[attribute as usize];
        cumulative
            .partition_point(|share| *share <= u)
            .min(cumulative.len() - 1)
    };
    let passes = |(attribute, values): &(u16, Vec<bool>)| values[value(*attribute)];
    subscription.matches.iter().all(passes)
        && (subscription.share >= 1.0 || chance(&mut own.dice(step::SHARE), subscription.share))
}
