//! Queues and pollers as scenarios write them.
//!
//! ```yaml
//! queues:
//!   orders: { service: aws.sqs.standard, to: worker, poller: { batch_size: 100, batch_window: 1 s }, dead_letter:
//! failed }
//!   failed: { service: aws.sqs.standard }
//! ```
//!
//! Where messages go stands beside the queue, as with clients and gateways; how they are fetched is the poller's block,
//! whose defaults a preset can give without making every queue one that is polled.

use super::plan::{PollerPlan, QueuePlan, RedrivePlan};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::parts::token_bucket::{QUOTA, read_quota};
use crate::model::request::payload;
use crate::scenario::Target;
use crate::scenario::{Block, Code, Field, Kind, Table};

/// The fields of a poller.
pub const POLLER: Table = Table {
    name: "poller",
    doc: "How the messages of a queue are fetched and handed to its function, batch by batch.",
    fields: &[
        Field::default("batch_size", Kind::Count, "10", "Messages of one invocation at most.")
            .within(1.0, 10_000.0)
            .source("AWS Lambda API reference, CreateEventSourceMapping: up to 10,000, FIFO queues 10"),
        Field::default(
            "batch_window",
            Kind::Duration,
            "0 s",
            "How long a batch may wait for more messages.",
        )
        .within(0.0, 300e9)
        .source("AWS Lambda API reference, CreateEventSourceMapping: 0 to 300 s; above 10 messages at least 1 s"),
        Field::default(
            "start",
            Kind::Count,
            "5",
            "Concurrent batches at the start and without a backlog; as many pollers poll when idle.",
        )
        .within(1.0, 10_000.0)
        .source("AWS Lambda Developer Guide, scaling of SQS event source mappings"),
        Field::default(
            "add_per_minute",
            Kind::Count,
            "300",
            "How many more a minute while a backlog waits.",
        )
        .within(0.0, 1_000_000.0)
        .source("AWS Lambda Developer Guide, scaling of SQS event source mappings (60 in 2018)"),
        Field::default("ceiling", Kind::Count, "1250", "Concurrent batches at most.")
            .within(1.0, 1_000_000.0)
            .source("AWS Lambda Developer Guide, scaling of SQS event source mappings (1,000 until 2023)"),
        Field::optional(
            "maximum_concurrency",
            Kind::Count,
            "A limit of your own on concurrent batches, below the ceiling.",
        )
        .within(1.0, 1_000_000.0)
        .source("AWS Lambda Developer Guide: 2 to 1,000 on AWS"),
        Field::default(
            "partial_batch_response",
            Kind::Flag,
            "false",
            "Whether the function reports which messages failed, so that only these come back.",
        )
        .source("AWS Lambda Developer Guide, ReportBatchItemFailures"),
        Field::default(
            "poll_wait",
            Kind::Duration,
            "20 s",
            "How long a poll waits for a message; empty polls are billed, too.",
        )
        .positive()
        .source("AWS Lambda Developer Guide, using Lambda with SQS: long polling"),
    ],
};

/// The fields of a redrive.
pub const REDRIVE: Table = Table {
    name: "redrive",
    doc: "Moves the messages of a queue, usually of dead letters, to another one, where they begin anew.",
    fields: &[
        Field::required("to", Kind::Target(&["queues"]), "The queue that gets them."),
        Field::required(
            "at",
            Kind::Duration,
            "When it begins, counted from the start of the run; it ends when no message is left.",
        )
        .at_least(0.0),
        Field::default("rate", Kind::Rate, "500/s", "Messages moved.")
            .within(0.001, 500.0)
            .source("Amazon SQS API reference, StartMessageMoveTask: 500 a second at most"),
        Field::default(
            "mended",
            Kind::Share,
            "0%",
            "The share of poison messages that can be handled from then on, because the cause was mended.",
        ),
        Field::optional(
            "per_month",
            Kind::Number,
            "How often it comes in a month, for the bill; once if absent.",
        )
        .within(0.0, 1e6),
    ],
};

/// The fields of a queue.
pub const TABLE: Table = Table {
    name: "queue",
    doc: "Takes messages, keeps them, and hands them to a function in batches.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::optional(
            "to",
            Kind::Target(&["functions"]),
            "The function that handles its messages; without it they stay (a dead-letter queue).",
        ),
        Field::default("poller", Kind::Block(&POLLER), "{}", "How they are fetched."),
        Field::default(
            "visibility_timeout",
            Kind::Duration,
            "30 s",
            "How long a received message is hidden from others.",
        )
        .within(0.0, 43_200e9)
        .source("Amazon SQS API reference, CreateQueue"),
        Field::default(
            "retention",
            Kind::Duration,
            "96 h",
            "After how long a message is dropped.",
        )
        .positive()
        .source("Amazon SQS API reference, CreateQueue: 60 s to 14 days"),
        Field::default("delay", Kind::Duration, "0 s", "How long a new message stays hidden.")
            .within(0.0, 900e9)
            .source("Amazon SQS API reference, CreateQueue"),
        Field::default(
            "fifo",
            Kind::Flag,
            "false",
            "Whether the messages of a group are handled in order, one batch at a time.",
        ),
        Field::default(
            "groups",
            Kind::Count,
            "100",
            "Message groups of a FIFO queue; each message belongs to one of them, all alike.",
        )
        .within(1.0, 1_000_000.0)
        .source("assumed; give your own"),
        Field::optional(
            "dead_letter",
            Kind::Target(&["queues"]),
            "Where messages go that were received too often.",
        ),
        Field::default(
            "maximum_receives",
            Kind::Count,
            "10",
            "How often a message is received before it goes there.",
        )
        .within(1.0, 1_000.0)
        .source("Amazon SQS API reference, maxReceiveCount"),
        Field::default(
            "in_flight_limit",
            Kind::Count,
            "120000",
            "Messages received and not yet deleted, at most.",
        )
        .at_least(1.0)
        .source("Amazon SQS Developer Guide, quotas"),
        Field::default("send_latency", Kind::Sampler, "0 ms", "How long a send call takes."),
        Field::optional(
            "send_quota",
            Kind::Block(&QUOTA),
            "Send calls beyond it are refused (429); unlimited if absent.",
        )
        .source("Amazon SQS Developer Guide, quotas of FIFO queues"),
        Field::default(
            "receive_latency",
            Kind::Sampler,
            "0 ms",
            "How long a receive call takes to bring what is there.",
        ),
        payload::PAYLOAD_LIMIT,
        Field::default("message_size", Kind::Size, "1 KB", "Bytes of a message.")
            .within(1.0, 1_048_576.0)
            .source("Amazon SQS quotas: up to 1 MiB"),
        Field::default(
            "metering_size",
            Kind::Size,
            "64 KB",
            "Bytes of messages that are metered as one request.",
        )
        .at_least(1.0)
        .source("Amazon SQS pricing: 64 KB"),
        Field::default(
            "duplicate_rate",
            Kind::Share,
            "0%",
            "Probability that a message is delivered twice. Rare and not published, so none unless you ask for it.",
        )
        .source("Amazon SQS Developer Guide, at-least-once delivery"),
        Field::default("poison", Kind::Share, "0%", "The share of messages that always fail."),
        Field::optional(
            "poison_until",
            Kind::Duration,
            "When what makes them fail is mended, counted from the start of the run; never if absent.",
        ),
        Field::optional(
            "redrive",
            Kind::Block(&REDRIVE),
            "When its messages are moved to another queue.",
        ),
    ],
};

/// How many times the function's timeout the visibility timeout should be. Source: AWS Lambda Developer Guide, "Using
/// Lambda with Amazon SQS".
const VISIBILITY_FACTOR: u64 = 6;

impl QueuePlan {
    /// Reads a queue; `timeout_of` says how long an invocation of a function may take.
    pub fn read(block: &Block, component: u32, timeout_of: &dyn Fn(Target) -> Option<Duration>) -> Self {
        let fifo = block.flag("fifo");
        let poller = read_poller(block, fifo);
        let plan = Self {
            component,
            visibility_timeout: block.duration("visibility_timeout"),
            retention: block.duration("retention"),
            delay: block.duration("delay"),
            fifo,
            groups: fit(block.count("groups")),
            dead_letter: block
                .target_opt("dead_letter")
                .map(|to| (to.into(), fit(block.count("maximum_receives")))),
            in_flight_limit: block.count("in_flight_limit"),
            send_latency: block.sampler("send_latency"),
            send_quota: read_quota(block, "send_quota"),
            receive_latency: block.sampler("receive_latency"),
            payload_limit: block.size_opt("payload_limit"),
            message_bytes: block.size("message_size"),
            metering_bytes: block.size("metering_size"),
            duplicate_rate: block.share("duplicate_rate"),
            poison: block.share("poison"),
            poison_until: block.duration_opt("poison_until").unwrap_or(Duration::FOREVER),
            poller,
            redrive: read_redrive(block),
        };
        plan.check(block, timeout_of);
        plan
    }

    /// Finds what cannot be true together, and what is likely to be a mistake.
    fn check(&self, block: &Block, timeout_of: &dyn Fn(Target) -> Option<Duration>) {
        if self.fifo && self.duplicate_rate > 0.0 {
            let message = "a FIFO queue delivers no duplicates of its own";
            let help = "leave `duplicate_rate` out, or use a standard queue";
            block.error(Code::Inconsistent, block.span_of("duplicate_rate"), message, help);
        }
        if block.has("groups") && !self.fifo {
            let message = "only FIFO queues have message groups";
            block.warn(Code::NoEffect, block.span_of("groups"), message, "write `fifo: true`");
        }
        let names = block.context().names;
        let dead_letter = block.target_opt("dead_letter");
        if dead_letter.is_some_and(|target| names.span(target) == block.span()) {
            let message = "a queue cannot be its own dead-letter queue";
            block.error(Code::Cycle, block.span_of("dead_letter"), message, "name another queue");
        }
        let Some(limit) = self.poller.as_ref().and_then(|poller| timeout_of(poller.worker())) else {
            return;
        };
        if self.visibility_timeout < limit {
            let message = "the visibility timeout is shorter than the function's timeout";
            let help = "messages come back while they are being handled; AWS refuses such a mapping";
            block.warn(
                Code::VisibilityTimeout,
                block.span_of("visibility_timeout"),
                message,
                help,
            );
        } else if self.visibility_timeout < Duration(limit.0.saturating_mul(VISIBILITY_FACTOR)) {
            let message = "the visibility timeout is below six times the function's timeout";
            let help = "a throttled batch may run out of time for its tries";
            block.warn(
                Code::VisibilityTimeout,
                block.span_of("visibility_timeout"),
                message,
                help,
            );
        }
    }
}

/// Reads when the messages of a queue are moved.
fn read_redrive(block: &Block) -> Option<RedrivePlan> {
    let redrive = block.node("redrive").and(block.block("redrive"))?;
    let to = redrive.target("to")?;
    if block.context().names.span(to) == block.span() {
        let message = "a queue's messages cannot be moved to itself";
        redrive.error(Code::Cycle, redrive.span_of("to"), message, "name another queue");
    }
    Some(RedrivePlan {
        to: to.into(),
        at: redrive.duration("at"),
        rate: redrive.rate("rate"),
        mended: redrive.share("mended"),
        per_month: redrive.number_opt("per_month"),
    })
}

/// Reads the poller, if there is a function to poll for.
fn read_poller(block: &Block, fifo: bool) -> Option<PollerPlan> {
    let to = block.target_opt("to")?;
    let poller = block.block("poller")?;
    let batch_size = poller.count("batch_size");
    let batch_window = poller.duration("batch_window");
    if fifo && batch_size > 10 {
        let message = "a batch of a FIFO queue holds at most 10 messages";
        let help = "make `batch_size` 10 or less";
        poller.error(Code::OutOfRange, poller.span_of("batch_size"), message, help);
    } else if batch_size > 10 && batch_window < Duration::from_secs(1) {
        let message = "a batch of more than 10 messages needs a window";
        let help = "add `batch_window: 1 s` or more";
        poller.error(Code::Inconsistent, poller.span_of("batch_size"), message, help);
    }
    let ceiling = poller.count("ceiling");
    Some(PollerPlan {
        to: to.into(),
        batch_size: fit(batch_size),
        batch_window,
        start: poller.count("start"),
        add_per_minute: poller.count("add_per_minute"),
        ceiling: poller
            .count_opt("maximum_concurrency")
            .map_or(ceiling, |own| own.min(ceiling)),
        partial_batch_response: poller.flag("partial_batch_response"),
        poll_wait: poller.duration("poll_wait"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::id::Id;
    use crate::scenario::{Catalog, Context, Diagnostics, Names, NoFiles, Node, Sources, parse};

    /// Reads the first queue of a scenario whose functions, all alike, have a timeout of 10 s; with the problems'
    /// codes.
    fn read(text: &str) -> (QueuePlan, Vec<&'static str>) {
        let diagnostics = Diagnostics::new();
        let mut sources = Sources::new();
        let file = sources.add(
            "scenario.yaml",
            format!("functions: {{worker: {{}}}}\nqueues:\n  {text}\n"),
        );
        let root = parse(&sources, file, &diagnostics).unwrap_or_else(|| panic!("not YAML: {text}"));
        let names = Names::collect(&root, crate::model::request::kind::KINDS, &diagnostics);
        let cx = Context {
            diagnostics: &diagnostics,
            names: &names,
            files: &NoFiles,
            catalog: &Catalog::default(),
        };
        let (key, node) = &root.get("queues").map_or(&[][..], Node::entries)[0];
        let timeout_of = |_: Target| Some(Duration::from_secs(10));
        let plan = QueuePlan::read(&Block::keyed(&cx, key, node, &TABLE), 0, &timeout_of);
        let codes = diagnostics.sorted().iter().map(|problem| problem.code.id()).collect();
        (plan, codes)
    }

    #[test]
    fn a_queue_is_read_with_its_poller_and_its_dead_letters() {
        let (plan, problems) = read(
            "orders: {to: worker, visibility_timeout: 90 s, dead_letter: failed, maximum_receives: 5, poison: 0.1%, \
             poller: {batch_size: 100, batch_window: 2 s, maximum_concurrency: 50}}\n  failed: {}",
        );
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(plan.dead_letter, Some((Id::new(1), 5)));
        assert_eq!((plan.poison, plan.retention), (0.001, Duration::from_secs(96 * 3600)));
        let poller = plan.poller.unwrap();
        assert_eq!(
            (poller.to, poller.batch_size, poller.ceiling, poller.start),
            (Id::new(0), 100, 50, 5)
        );
        assert_eq!(read("failed: {}").0.poller, None, "nobody reads it");
    }

    #[test]
    fn messages_are_metered_by_the_piece() {
        let metered = |size: &str| read(&format!("q: {{message_size: 100 KB{size}}}")).0.metered(11);
        // Ten messages of 100 KB and one more, in pieces of 64 KB and of 1,000 KB.
        assert_eq!(metered(""), 16 + 2);
        assert_eq!(metered(", metering_size: 1000 KB"), 2);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let problems = |text: &str| read(text).1;
        assert_eq!(problems("q: {dead_letter: q}"), ["C036"]);
        assert_eq!(problems("q: {fifo: true, duplicate_rate: 1%}"), ["C061"]);
        assert_eq!(problems("q: {groups: 3}"), ["W005"]);
        assert_eq!(
            problems("q: {to: worker, visibility_timeout: 60 s, poller: {batch_size: 11}}"),
            ["C061"]
        );
        let fifo = "q: {to: worker, fifo: true, visibility_timeout: 60 s, poller: {batch_size: 11, batch_window: 1 s}}";
        assert_eq!(problems(fifo), ["C023"]);
        assert_eq!(problems("q: {to: worker, visibility_timeout: 59 s}"), ["W002"]);
        assert_eq!(problems("q: {to: worker, visibility_timeout: 60 s}"), [""; 0]);
    }
}
