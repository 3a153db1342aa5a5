//! Streams and event source mappings as scenarios write them.
//!
//! ```yaml
//! streams:
//!   clicks:
//!     service: aws.kinesis
//!     shards: 4
//!     keys: { count: 10000, hot_share: 20% }
//!     to: count
//!     mapping: { batch_size: 100, parallelization_factor: 4, bisect_on_error: true, on_failure: failed }
//!   clicks_archive: { of: clicks, to: archive, mapping: { batch_size: 500 } }
//! ```

use super::plan::{Capacity, KeysPlan, MappingPlan, OnDemandPlan, StreamPlan};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::request::id::Id;
use crate::model::request::{kind, payload};
use crate::scenario::{Block, Code, Context, Field, Kind, Table, Target};

/// The fields of a stream's partition keys.
pub const KEYS: Table = Table {
    name: "keys",
    doc: "How the records of a stream are spread over partition keys. A key belongs to one shard.",
    fields: &[
        Field::default("count", Kind::Count, "10000", "Number of keys.")
            .within(1.0, 1_000_000.0)
            .source("assumed; give your own"),
        Field::default(
            "zipf",
            Kind::Number,
            "0",
            "Exponent by which the frequency of a key falls with its rank; 0 makes all keys alike.",
        )
        .within(0.0, 10.0),
        Field::default(
            "hot_share",
            Kind::Share,
            "0%",
            "The share of records with one and the same key, beside its part of the rest.",
        ),
    ],
};

/// The fields of what an on-demand stream does.
pub const ON_DEMAND: Table = Table {
    name: "on_demand",
    doc: "How an on-demand stream grows with its traffic. It does not shrink within a run.",
    fields: &[
        Field::default(
            "headroom",
            Kind::Number,
            "2",
            "Capacity over the greatest minute of accepted traffic so far.",
        )
        .within(1.0, 100.0)
        .source("Amazon Kinesis Data Streams Developer Guide, on-demand mode: double the peak of the last 30 days"),
        Field::default(
            "delay",
            Kind::Duration,
            "15 min",
            "From the minute that asks for more shards to when they are there.",
        )
        .within(0.0, 86_400e9)
        .source(
            "Amazon Kinesis Data Streams Developer Guide, on-demand mode: throttles if traffic more than doubles within \
             15 minutes",
        ),
        Field::default("maximum_shards", Kind::Count, "200", "Shards at most.")
            .within(1.0, 10_000.0)
            .source("Amazon Kinesis Data Streams quotas: 200 MB/s, in three regions 10 GB/s"),
    ],
};

/// The fields of an event source mapping.
pub const MAPPING: Table = Table {
    name: "mapping",
    doc: "The event source mapping: how records are read and handed to the function, batch by batch and in order.",
    fields: &[
        Field::default("batch_size", Kind::Count, "100", "Records of one invocation at most.")
            .within(1.0, 10_000.0)
            .source("AWS Lambda Developer Guide, parameters of Kinesis and DynamoDB event source mappings"),
        Field::default(
            "batch_window",
            Kind::Duration,
            "0 s",
            "How long a batch may wait for more records.",
        )
        .within(0.0, 300e9)
        .source("AWS Lambda API reference, CreateEventSourceMapping: 0 to 300 s"),
        Field::default(
            "parallelization_factor",
            Kind::Count,
            "1",
            "Batches of one shard under way at once; records of one key stay in order.",
        )
        .within(1.0, 10.0)
        .source("AWS Lambda API reference, CreateEventSourceMapping: 1 to 10"),
        Field::default(
            "starting_position",
            Kind::Choice(&["trim_horizon", "latest"]),
            "trim_horizon",
            "Where reading begins: with the oldest records, or with those put from then on.",
        )
        .source("AWS Lambda API reference, CreateEventSourceMapping (it has no default there)"),
        Field::default(
            "starts_at",
            Kind::Duration,
            "0 s",
            "When the mapping begins to read, counted from the start of the run.",
        )
        .at_least(0.0),
        Field::optional(
            "retry_attempts",
            Kind::Count,
            "How often failed records are tried again before they are given up; until they expire if absent.",
        )
        .within(0.0, 10_000.0)
        .source("AWS Lambda Developer Guide, MaximumRetryAttempts: infinite by default; throttles do not count"),
        Field::optional(
            "maximum_record_age",
            Kind::Duration,
            "The age at which records are given up; never if absent.",
        )
        .within(60e9, 604_800e9)
        .source("AWS Lambda API reference, MaximumRecordAgeInSeconds: 60 s to 7 days"),
        Field::default(
            "bisect_on_error",
            Kind::Flag,
            "false",
            "Whether a failed batch is split in two and its halves are tried one after the other.",
        )
        .source("AWS Lambda Developer Guide, BisectBatchOnFunctionError"),
        Field::default(
            "partial_batch_response",
            Kind::Flag,
            "false",
            "Whether the function reports the first record that failed, so that only it and later ones are tried again.",
        )
        .source("AWS Lambda Developer Guide, ReportBatchItemFailures of streams"),
        Field::optional(
            "on_failure",
            Kind::Target(&["queues"]),
            "The queue that gets one message for each batch that was given up.",
        ),
        Field::default(
            "read",
            Kind::Choice(&["shared", "enhanced"]),
            "shared",
            "Whether it polls and shares each shard's read limit, or has a limit of its own and is sent records.",
        )
        .source("Amazon Kinesis Data Streams Developer Guide, enhanced fan-out"),
        Field::default(
            "poll_interval",
            Kind::Duration,
            "1 s",
            "How often a shard without unread records is polled (shared reads).",
        )
        .within(0.0, 60e9)
        .source("AWS Lambda Developer Guide, using Lambda with Kinesis: once per second"),
        Field::default(
            "backoff",
            Kind::Duration,
            "1 s",
            "Wait before failed or throttled records are tried again; doubles up to 60 s.",
        )
        .within(0.0, 60e9)
        .source("assumed: the documentation says that it backs off and gives no figures"),
    ],
};

/// The fields of a stream.
pub const TABLE: Table = Table {
    name: "stream",
    doc: "Keeps records in shards, in order, and hands them to a function in batches.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::optional(
            "of",
            Kind::Target(&["streams"]),
            "Another stream: this is a further consumer of its records, with no shards of its own.",
        ),
        Field::optional(
            "to",
            Kind::Target(&["functions"]),
            "The function that handles its records; without it they are only kept.",
        ),
        Field::default("mapping", Kind::Block(&MAPPING), "{}", "How they are read."),
        Field::default(
            "capacity",
            Kind::Choice(&["provisioned", "on_demand", "included"]),
            "provisioned",
            "Whether shards are fixed and billed, follow the traffic, or come with a table and cost nothing.",
        ),
        Field::default(
            "on_demand",
            Kind::Block(&ON_DEMAND),
            "{}",
            "How an on-demand stream grows.",
        ),
        Field::default("shards", Kind::Count, "1", "Shards at the start.").within(1.0, 10_000.0),
        Field::default(
            "keys",
            Kind::Block(&KEYS),
            "{}",
            "How records are spread over partition keys.",
        ),
        payload::PAYLOAD_LIMIT,
        Field::default("record_size", Kind::Size, "1 KB", "Bytes of a record.")
            .within(1.0, 10_485_760.0)
            .source("Amazon Kinesis Data Streams quotas: up to 10 MiB"),
        Field::optional(
            "write_records",
            Kind::Rate,
            "Records that a shard takes; any number if absent.",
        )
        .within(1.0, 1e9)
        .source("Amazon Kinesis Data Streams quotas: 1,000 a second"),
        Field::optional(
            "write_bytes",
            Kind::Size,
            "Bytes that a shard takes in a second; any number if absent.",
        )
        .within(1024.0, 1e12)
        .source("Amazon Kinesis Data Streams quotas: 1 MB a second"),
        Field::default(
            "read_bytes",
            Kind::Size,
            "2 MB",
            "Bytes that a shard gives in a second.",
        )
        .within(1024.0, 1e12)
        .source("Amazon Kinesis Data Streams quotas: 2 MB a second, shared or for each enhanced consumer"),
        Field::default(
            "reads_per_second",
            Kind::Rate,
            "5/s",
            "Reads of a shard, of all consumers that share it together.",
        )
        .within(0.1, 1e6)
        .source("Amazon Kinesis Data Streams quotas: five GetRecords calls a second for each shard"),
        Field::default(
            "retention",
            Kind::Duration,
            "24 h",
            "After how long a record is dropped.",
        )
        .positive()
        .source("Amazon Kinesis Data Streams quotas: 24 h to 365 days; DynamoDB Streams 24 h"),
        Field::default("put_latency", Kind::Sampler, "0 ms", "How long a put call takes."),
        Field::default(
            "propagation",
            Kind::Duration,
            "0 ms",
            "From the end of a put to when the record can be read.",
        )
        .within(0.0, 60e9),
        Field::default("poison", Kind::Share, "0%", "The share of records that always fail."),
    ],
};

impl StreamPlan {
    /// Reads a stream.
    pub fn read(block: &Block, component: u32, name: &str) -> Self {
        let keys = block.block("keys");
        let plan = Self {
            component,
            name: name.to_owned(),
            of: block.target_opt("of").map(Id::from),
            capacity: read_capacity(block),
            shards: fit(block.count("shards")),
            keys: keys.map_or(KeysPlan::new(1, 0.0, 0.0), |keys| {
                KeysPlan::new(fit(keys.count("count")), keys.number("zipf"), keys.share("hot_share"))
            }),
            payload_limit: block.size_opt("payload_limit"),
            record_bytes: block.size("record_size"),
            write_records: block.rate_opt("write_records"),
            write_bytes: block.size_opt("write_bytes"),
            read_bytes: block.size("read_bytes"),
            reads_per_second: block.rate("reads_per_second"),
            retention: block.duration("retention"),
            put_latency: block.sampler("put_latency"),
            propagation: block.duration("propagation"),
            poison: block.share("poison"),
            mapping: read_mapping(block),
        };
        plan.check(block);
        plan
    }

    /// Finds what cannot be true together, and what is likely to be a mistake.
    fn check(&self, block: &Block) {
        let names = block.context().names;
        if let Some(of) = block.target_opt("of") {
            if names.span(of) == block.span() {
                let message = "a stream cannot be a consumer of itself";
                block.error(Code::Cycle, block.span_of("of"), message, "name another stream");
            }
            if self.mapping.is_none() {
                let message = "a further consumer of a stream needs a function";
                block.error(Code::MissingKey, block.span_of("of"), message, "add `to: name`");
            }
            let own = [
                "shards",
                "keys",
                "record_size",
                "write_records",
                "write_bytes",
                "retention",
                "poison",
            ];
            for field in own.into_iter().filter(|field| block.has(field)) {
                let message = format!("`{field}` is that of the stream it reads");
                block.warn(Code::NoEffect, block.span_of(field), message, "write it there");
            }
        }
        let on_demand = matches!(self.capacity, Capacity::OnDemand(_));
        if block.has("on_demand") && !on_demand {
            let message = "only a stream on demand grows with its traffic";
            block.warn(
                Code::NoEffect,
                block.span_of("on_demand"),
                message,
                "write `capacity: on_demand`",
            );
        }
        if on_demand && self.write_records.is_none() && self.write_bytes.is_none() {
            let message = "a stream without write limits has nothing to grow for";
            let help = "add `write_records: 1000/s`, or use a preset: `service: aws.kinesis.on_demand`";
            block.error(Code::Inconsistent, block.span_of("capacity"), message, help);
        }
        if let Capacity::OnDemand(grow) = self.capacity
            && self.shards > grow.maximum
        {
            let message = format!("{} shards at the start, at most {}", self.shards, grow.maximum);
            block.error(
                Code::Inconsistent,
                block.span_of("shards"),
                message,
                "raise `maximum_shards`",
            );
        }
        if let Some(bytes) = self.write_bytes
            && self.record_bytes > bytes
        {
            let message = "a record is larger than what a shard takes in a second";
            let help = "no put would ever be accepted: make `record_size` smaller";
            block.error(Code::Inconsistent, block.span_of("record_size"), message, help);
        }
    }
}

/// Checks that further consumers read a stream that has records of its own.
pub fn further_consumers(plan: &[StreamPlan], cx: &Context) {
    for (index, stream) in plan.iter().enumerate() {
        let source = stream.of.and_then(|of| plan.get(usize::from(of)));
        if source.is_none_or(|source| source.of.is_none()) || stream.of == Some(Id::new(index)) {
            continue;
        }
        let target = Target::new(kind::STREAM, index);
        let message = "a further consumer reads a stream that is itself a further consumer";
        let help = "name the stream that the records are put into under `of`";
        cx.error(Code::Inconsistent, cx.names.span(target), message, help);
    }
}

fn read_capacity(block: &Block) -> Capacity {
    match block.choice("capacity") {
        0 => Capacity::Provisioned,
        1 => block.block("on_demand").map_or(Capacity::Provisioned, |grow| {
            Capacity::OnDemand(OnDemandPlan {
                headroom: grow.number("headroom"),
                delay: grow.duration("delay"),
                maximum: fit(grow.count("maximum_shards")),
            })
        }),
        _ => Capacity::Included,
    }
}

/// Reads the mapping, if there is a function to read for.
fn read_mapping(block: &Block) -> Option<MappingPlan> {
    let to = block.target_opt("to")?;
    let mapping = block.block("mapping")?;
    let starts_at = mapping.duration("starts_at");
    let latest = mapping.choice("starting_position") == 1;
    if latest && starts_at == Duration::ZERO {
        let message = "all records come after the start of the run";
        let help = "say when the mapping is made, such as `starts_at: 10 min`, or leave `starting_position` out";
        mapping.warn(Code::NoEffect, mapping.span_of("starting_position"), message, help);
    }
    Some(MappingPlan {
        to: to.into(),
        batch_size: fit(mapping.count("batch_size")),
        batch_window: mapping.duration("batch_window"),
        parallelization_factor: fit(mapping.count("parallelization_factor")),
        starts_at,
        from_oldest: !latest,
        retry_attempts: mapping.count_opt("retry_attempts").map(|n| fit(n)),
        maximum_age: mapping.duration_opt("maximum_record_age"),
        bisect: mapping.flag("bisect_on_error"),
        partial_batch_response: mapping.flag("partial_batch_response"),
        on_failure: mapping.target_opt("on_failure").map(Id::from),
        polls: (mapping.choice("read") == 0).then(|| mapping.duration("poll_interval")),
        backoff: mapping.duration("backoff"),
    })
}
