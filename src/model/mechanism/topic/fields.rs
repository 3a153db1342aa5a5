//! Topics as scenarios write them.
//!
//! ```yaml
//! topics:
//!   orders:
//!     service: aws.eventbridge.bus
//!     attributes: { type: { created: 70, paid: 25, cancelled: 5 } }
//!     subscriptions:
//!       - { to: billing, match: { type: [paid] } }
//!       - { to: audit }
//!       - { to: partner, share: 10%, attempts: 4, dead_letter: undelivered }
//! ```

use super::{Subscription, TopicPlan};
use crate::kernel::number::fit;
use crate::model::parts::token_bucket::{QUOTA, read_quota};
use crate::model::request::delivery::{self, ChannelPlan, PolicyPlan, TARGETS};
use crate::model::request::payload;
use crate::scenario::{Block, Code, Context, Field, Key, Kind, Node, Range, Table, nearest, read_number};

/// The most subscriptions of one topic.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// The fields of a subscription.
pub const SUBSCRIPTION: Table = Table {
    name: "subscription",
    doc: "Who gets the messages of a topic, and which of them. `- billing` is short for `- { to: billing }`.",
    fields: &[
        Field::required("to", Kind::Target(TARGETS), "Who gets them."),
        Field::optional(
            "match",
            Kind::Map(&Kind::List(&Kind::Text)),
            "Only messages whose attributes have one of these values each.",
        ),
        Field::default(
            "share",
            Kind::Share,
            "100%",
            "The share of those messages that the filter lets through.",
        ),
        Field::optional(
            "attempts",
            Kind::Count,
            "Tries in all, instead of those of the topic's `delivery`.",
        )
        .within(1.0, 1e6),
        Field::optional(
            "maximum_age",
            Kind::Duration,
            "How long a message is kept, instead of that of the topic's `delivery`.",
        )
        .positive(),
        Field::optional(
            "timeout",
            Kind::Duration,
            "How long a try waits for an answer, instead of that of the topic's `delivery`.",
        )
        .positive(),
        Field::optional(
            "dead_letter",
            Kind::Target(&["queues"]),
            "The queue for messages that are given up.",
        ),
    ],
};

/// The fields of a topic.
pub const TABLE: Table = Table {
    name: "topic",
    doc: "Hands each message on to all who subscribe to it: a notification topic, an event bus, the notifications of a \
          bucket.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::optional("to", Kind::Target(TARGETS), "The one subscriber, if there is only one."),
        Field::optional(
            "subscriptions",
            Kind::List(&Kind::Any),
            "The subscribers: names, or blocks (`coldcurve explain subscription`).",
        )
        .sample("[orders]"),
        Field::optional(
            "attributes",
            Kind::Map(&Kind::Map(&Kind::Number)),
            "What subscriptions filter by: each attribute's values with their weights.",
        ),
        Field::default(
            "publish_latency",
            Kind::Sampler,
            "0 ms",
            "How long a publish call takes.",
        ),
        Field::optional(
            "publish_quota",
            Kind::Block(&QUOTA),
            "Publish calls beyond it are refused (429).",
        ),
        Field::default(
            "delivery_latency",
            Kind::Sampler,
            "0 ms",
            "From publishing to the first try of each delivery.",
        ),
        Field::optional(
            "delivery_quota",
            Kind::Block(&QUOTA),
            "Deliveries beyond it are delayed.",
        ),
        Field::default(
            "delivery",
            Kind::Block(&delivery::TABLE),
            "{}",
            "What happens when a target refuses.",
        ),
        Field::default(
            "duplicate_rate",
            Kind::Share,
            "0%",
            "Probability that a delivery comes twice. Rare and not published, so none unless you ask for it.",
        )
        .source("Amazon SNS and Amazon EventBridge guides: at least once"),
        payload::PAYLOAD_LIMIT,
        Field::default("message_size", Kind::Size, "1 KB", "Bytes of a message.")
            .within(0.0, 1_048_576.0)
            .source("assumed; give your own"),
        Field::default(
            "metering_size",
            Kind::Size,
            "64 KB",
            "Bytes that are metered as one message.",
        )
        .within(1.0, 1e12)
        .source("Amazon SNS pricing and Amazon EventBridge pricing: 64 KB chunks"),
        Field::default(
            "metered",
            Kind::Flag,
            "true",
            "Whether messages are metered at all; the notifications of a bucket are free.",
        ),
    ],
};

/// An attribute: its values, and the probability of each and all before it.
struct Attribute<'n> {
    name: &'n str,
    values: Vec<&'n str>,
    cumulative: Vec<f64>,
}

impl TopicPlan {
    /// Reads a topic.
    pub fn read(block: &Block, component: u32) -> Self {
        let quota = |field: &str| read_quota(block, field);
        let policy = block.block("delivery").map(|policy| PolicyPlan::read(&policy));
        let attributes = read_attributes(block);
        let subscriptions = policy.map_or_else(Vec::new, |policy| read_subscriptions(block, policy, &attributes));
        if subscriptions.is_empty() && !block.has("to") && block.list("subscriptions").is_empty() {
            let message = "nobody subscribes to the topic";
            block.error(
                Code::MissingKey,
                block.span(),
                message,
                "add `subscriptions: [name]`, or `to: name`",
            );
        }
        let chunk = block.size("metering_size").max(1);
        Self {
            component,
            publish_latency: block.sampler("publish_latency"),
            publish_quota: quota("publish_quota"),
            delivery_latency: block.sampler("delivery_latency"),
            delivery_quota: quota("delivery_quota"),
            duplicate_rate: block.share("duplicate_rate"),
            chunks: if block.flag("metered") {
                block.size("message_size").div_ceil(chunk).max(1)
            } else {
                0
            },
            payload_limit: block.size_opt("payload_limit"),
            attributes: attributes.into_iter().map(|attribute| attribute.cumulative).collect(),
            subscriptions,
        }
    }
}

fn read_attributes<'a>(block: &Block<'a>) -> Vec<Attribute<'a>> {
    let cx = block.context();
    let attribute = |(key, node): &'a (Key, Node)| {
        let weights: Vec<(&str, f64)> = node
            .entries()
            .iter()
            .map(|(value, weight)| (&*value.text, read_number(cx, weight, Range::AtLeast(0.0))))
            .collect();
        let total: f64 = weights.iter().map(|weight| weight.1).sum();
        if total <= 0.0 {
            let message = format!("the attribute `{}` has no values with a weight above zero", key.text);
            cx.error(
                Code::Impossible,
                key.span,
                message,
                "give them: `type: { created: 3, paid: 1 }`",
            );
            return None;
        }
        let mut sum = 0.0;
        let cumulative = weights.iter().map(|weight| {
            sum += weight.1;
            sum / total
        });
        Some(Attribute {
            name: &key.text,
            cumulative: cumulative.collect(),
            values: weights.iter().map(|weight| weight.0).collect(),
        })
    };
    block.entries("attributes").iter().filter_map(attribute).collect()
}

fn read_subscriptions(block: &Block, policy: PolicyPlan, attributes: &[Attribute]) -> Vec<Subscription> {
    let cx = block.context();
    if block.has("to") && block.has("subscriptions") {
        let message = "`to` and `subscriptions` both say who gets the messages";
        block.error(Code::Conflict, block.span_of("to"), message, "keep one of them");
    }
    let nodes = block.list("subscriptions");
    if nodes.len() > SUBSCRIPTIONS_MAX {
        let message = format!("{} subscriptions: a topic may have {SUBSCRIPTIONS_MAX}", nodes.len());
        block.error(Code::TooMany, block.span_of("subscriptions"), message, "leave some out");
        return Vec::new();
    }
    let plain = |to| Subscription {
        channel: ChannelPlan {
            to,
            policy,
            dead_letter: None,
        },
        share: 1.0,
        matches: Vec::new(),
    };
    let mut subscriptions: Vec<Subscription> = block.target_opt("to").map(plain).into_iter().collect();
    for node in nodes {
        if node.scalar().is_some() {
            subscriptions.extend(crate::scenario::read_target(cx, node, TARGETS).map(plain));
            continue;
        }
        let own = Block::new(cx, node, &SUBSCRIPTION);
        let Some(to) = own.target("to") else { continue };
        subscriptions.push(read_subscription(&own, &plain(to), attributes));
    }
    subscriptions
}

fn read_subscription(block: &Block, plain: &Subscription, attributes: &[Attribute]) -> Subscription {
    let mut policy = plain.channel.policy;
    policy.attempts = block.count_opt("attempts").map_or(policy.attempts, |n| fit(n));
    policy.maximum_age = block.duration_opt("maximum_age").unwrap_or(policy.maximum_age);
    policy.timeout = block.duration_opt("timeout").unwrap_or(policy.timeout);
    let filter = |(key, node): &(Key, Node)| read_match(block.context(), key, node, attributes);
    Subscription {
        channel: ChannelPlan {
            policy,
            dead_letter: block.target_opt("dead_letter"),
            to: plain.channel.to,
        },
        share: block.share("share"),
        matches: block.entries("match").iter().filter_map(filter).collect(),
    }
}

/// Which values of which attribute a filter lets through.
fn read_match(cx: &Context, key: &Key, node: &Node, attributes: &[Attribute]) -> Option<(u16, Vec<bool>)> {
    let Some(place) = attributes.iter().position(|attribute| attribute.name == key.text) else {
        let help = match nearest(&key.text, attributes.iter().map(|attribute| attribute.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name it with its values under `attributes` of the topic".to_owned(),
        };
        let message = format!("messages of this topic have no attribute `{}`", key.text);
        cx.error(Code::UnknownName, key.span, message, help);
        return None;
    };
    let known = &attributes[place].values;
    let mut passes = vec![false; known.len()];
    for item in node.items() {
        let value = item.scalar().unwrap_or("");
        if let Some(index) = known.iter().position(|name| *name == value) {
            passes[index] = true;
            continue;
        }
        let help = match nearest(value, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its values are {}", known.join(", ")),
        };
        let message = format!("the attribute `{}` never has the value `{value}`", key.text);
        cx.error(Code::UnknownChoice, item.span, message, help);
    }
    Some((fit(place), passes))
}
