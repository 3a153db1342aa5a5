//! The fields of a store, and the plan that they make.

use super::cached::CachePlan;
use super::capacity::{CapacityPlan, MINUTE, Mode, PARTITIONS_MAX, SIDES, SidePlan};
use super::keys::{KEYS, Keys};
use super::nodes::NodesPlan;
use crate::kernel::number::{fit, whole};
use crate::kernel::{Duration, Sampler};
use crate::model::parts::tracking::TrackingPlan;
use crate::model::request::entry::Status;
use crate::scenario::{Block, Code, Field, Kind, Table, Target};

/// Kinds of components that a cache can ask for what it lacks.
const BEHIND: &[&str] = &["stores"];
/// The words for [`Mode`], in its order.
const MODES: &[&str] = &["unlimited", "on-demand", "provisioned"];
/// How operations are spread over nodes.
const SPREADS: &[&str] = &["by-key", "in-turn"];
/// What callers hear when a limit refuses.
const REFUSALS: &[&str] = &["429", "503"];
/// Most threads of a node.
const THREADS_MAX: f64 = 100_000.0;

/// The fields of autoscaling.
pub const AUTOSCALING: Table = Table {
    name: "capacity autoscaling",
    doc: "Target tracking of provisioned capacity: used over provisioned capacity, looked at once a minute.",
    fields: &[
        Field::default("target", Kind::Share, "70%", "What used over provisioned capacity should be.")
            .within(0.2, 0.9)
            .source("Amazon DynamoDB Developer Guide, auto scaling: 20 % to 90 %; 70 % is what the console proposes"),
        Field::optional("minimum_read", Kind::Count, "Least read units a second; `read_capacity` if absent.").at_least(1.0),
        Field::default("maximum_read", Kind::Count, "40000", "Most read units a second.").at_least(1.0).source("Amazon DynamoDB quotas: 40,000 units a second for a table"),
        Field::optional("minimum_write", Kind::Count, "Least write units a second; `write_capacity` if absent.")
            .at_least(1.0),
        Field::default("maximum_write", Kind::Count, "40000", "Most write units a second.").at_least(1.0).source("Amazon DynamoDB quotas: 40,000 units a second for a table"),
        Field::default("out_periods", Kind::Count, "2", "Minutes in a row above the target before it grows.")
            .within(1.0, 1440.0)
            .source("Amazon DynamoDB Developer Guide, auto scaling: two consecutive minutes"),
        Field::default("in_periods", Kind::Count, "15", "Minutes in a row below the band before it shrinks.")
            .within(1.0, 1440.0)
            .source("Amazon DynamoDB Developer Guide, auto scaling: 15 consecutive data points"),
        Field::default("band", Kind::Share, "20%", "How far below the target, in points, the use must fall before it shrinks.")
            .source("AWS knowledge centre, DynamoDB auto scaling: 20 points, 70 % to 50 %"),
        Field::default("delay", Kind::Duration, "3 min", "From the last of these minutes until the capacity has changed.")
            .source("Amazon DynamoDB Developer Guide, auto scaling: alarms may lag by up to a few minutes, the update takes several; 3 min assumed"),
    ],
};

/// The fields of a store.
pub const TABLE: Table = Table {
    name: "store",
    doc: "A key-value table, an object store, a cache or a search cluster: throughput by partitions, nodes with threads, hits and misses.",
    fields: &[
        Field::optional("service", Kind::Text, "The catalog entry that gives defaults and prices."),
        Field::default("item_size", Kind::Size, "1 KB", "Size of an item where a call does not say.").source("assumed; give your own"),
        Field::default("storage", Kind::Size, "0", "Data that it holds: billed, and spread over partitions."),
        Field::optional("keys", Kind::Block(&KEYS), "Which items are asked for; a million keys, all alike, if absent."),
        Field::default("read_latency", Kind::Sampler, "0 ms", "Time that a read takes beside what follows."),
        Field::default("write_latency", Kind::Sampler, "0 ms", "Time that a write takes beside what follows."),
        Field::optional("transfer_rate", Kind::Size, "Bytes a second at which one request's items are moved; at once if absent.")
            .at_least(1.0),
        Field::default("failure", Kind::Share, "0%", "Probability that an operation fails (500) when it is done."),
        Field::default("refusal", Kind::Choice(REFUSALS), "429", "What callers hear when throughput is exhausted: throttled (429) or unavailable (503)."),
        Field::default("capacity", Kind::Choice(MODES), "unlimited", "How throughput of the whole is limited: by its partitions only, on demand, or as provisioned."),
        Field::optional("read_unit", Kind::Size, "Bytes that one read unit reads; each request is a unit if absent.").at_least(1.0),
        Field::optional("write_unit", Kind::Size, "Bytes that one write unit writes; each request is a unit if absent.").at_least(1.0),
        Field::default("read_capacity", Kind::Rate, "5/s", "Provisioned read units a second.")
            .positive()
            .source("Amazon DynamoDB console: 5 units"),
        Field::default("write_capacity", Kind::Rate, "5/s", "Provisioned write units a second.")
            .positive()
            .source("Amazon DynamoDB console: 5 units"),
        Field::default("burst", Kind::Duration, "300 s", "How long provisioned capacity that was not used can be used later; the bank is full at the start.")
            .within(1e9, 86_400e9)
            .source("Amazon DynamoDB Developer Guide, burst capacity: up to 300 s, without guarantee"),
        Field::optional("autoscaling", Kind::Block(&AUTOSCALING), "Target tracking of provisioned capacity."),
        Field::default("new_read_capacity", Kind::Rate, "12000/s", "On demand: read units a second that a new table takes.")
            .positive()
            .source("Amazon DynamoDB Developer Guide, on-demand capacity: 12,000"),
        Field::default("new_write_capacity", Kind::Rate, "4000/s", "On demand: write units a second that a new table takes.")
            .positive()
            .source("Amazon DynamoDB Developer Guide, on-demand capacity: 4,000"),
        Field::default("peak_read", Kind::Rate, "0/s", "On demand: the most read units a second that it took before the run."),
        Field::default("peak_write", Kind::Rate, "0/s", "On demand: the most write units a second that it took before the run."),
        Field::default("growth_time", Kind::Duration, "30 min", "On demand: after this, a minute's traffic counts as taken before, and twice as much is allowed.")
            .within(60e9, 86_400e9)
            .source("Amazon DynamoDB Developer Guide, on-demand capacity: more than double within 30 minutes may be throttled"),
        Field::default("maximum_read_capacity", Kind::Rate, "40000/s", "On demand: quota of the table, reads.")
            .positive()
            .source("Amazon DynamoDB Developer Guide, quotas: 40,000"),
        Field::default("maximum_write_capacity", Kind::Rate, "40000/s", "On demand: quota of the table, writes.")
            .positive()
            .source("Amazon DynamoDB Developer Guide, quotas: 40,000"),
        Field::optional("partition_read", Kind::Rate, "Read units a second that one partition takes; no limit if absent.").positive(),
        Field::optional("partition_write", Kind::Rate, "Write units a second that one partition takes; no limit if absent.").positive(),
        Field::optional("partition_size", Kind::Size, "Data that one partition holds; any if absent.").at_least(1.0),
        Field::optional("partitions", Kind::Count, "Partitions at the start; as many as capacity and data need if absent.")
            .within(1.0, 100_000.0),
        Field::default("adaptive", Kind::Flag, "true", "Whether a partition may take all that the table has left. If not, each has an equal part of what is provisioned, as until 2017.")
            .source("Amazon DynamoDB Developer Guide, adaptive capacity"),
        Field::optional("split_after", Kind::Duration, "A partition that has refused operations in each minute of this time is split in two; never if absent.")
            .at_least(60e9),
        Field::optional("instance", Kind::Text, "Type of a node, such as `cache.r6g.large`: nodes are billed, and requests are not."),
        Field::default("nodes", Kind::Count, "1", "Nodes.").within(1.0, 10_000.0),
        Field::optional("threads", Kind::Count, "Operations that a node works on at once, in the order of arrival; any number if absent.")
            .within(1.0, THREADS_MAX),
        Field::optional("queue", Kind::Count, "Operations that may wait at a node, further ones are refused (429); any number if absent."),
        Field::default("spread", Kind::Choice(SPREADS), "by-key", "Which node serves an operation: that of its key, or the next one in turn."),
        Field::default("read_work", Kind::Sampler, "0 ms", "Time that a read keeps a thread; a call's `query` says otherwise."),
        Field::default("write_work", Kind::Sampler, "0 ms", "Time that a write keeps a thread; a call's `query` says otherwise."),
        Field::optional("bandwidth", Kind::Size, "Bytes a second through the network card of a node; no limit if absent.").at_least(1.0),
        Field::optional("maximum_connections", Kind::Count, "Connections that a node accepts; every instance that calls keeps one with each node. No connections are counted if absent.")
            .at_least(1.0),
        Field::default("connect_time", Kind::Sampler, "1 ms", "Setting up a connection, where connections are counted.").source("assumed: one round trip and a handshake within a zone"),
        Field::optional("hit", Kind::Share, "A cache: the share of the reads that find their item."),
        Field::optional("ttl", Kind::Duration, "A cache: how long an item is kept after it was read from behind or written.").positive(),
        Field::optional("misses", Kind::Target(BEHIND), "A cache: the store that is asked for what it lacks, and told of what is written."),
    ],
};

/// A store, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct StorePlan {
    /// Its number among all components.
    pub component: u32,
    /// Usual size of an item.
    pub item_bytes: u64,
    /// Data that it holds, in MB.
    pub storage_mb: u64,
    /// Which items are asked for.
    pub keys: Keys,
    /// Latency of reads, then of writes.
    pub latency: [Sampler; 2],
    /// Bytes a second of one request.
    pub transfer_rate: Option<u64>,
    /// Probability of a failure.
    pub failure: f64,
    /// What callers hear when throughput is exhausted.
    pub refusal: Status,
    /// Throughput.
    pub capacity: CapacityPlan,
    /// Nodes.
    pub nodes: NodesPlan,
    /// Whether nodes are billed instead of requests.
    pub nodes_billed: bool,
    /// Thread time of reads, then of writes.
    pub work: [Sampler; 2],
    /// Connections that each node accepts; `None` if they are not counted.
    pub connections: Option<u64>,
    /// Setting one up.
    pub connect_time: Sampler,
    /// What it holds, if it is a cache.
    pub cache: Option<CachePlan>,
    /// What is asked for the rest.
    pub behind: Option<Target>,
}

impl StorePlan {
    /// Reads a store.
    pub fn read(block: &Block, component: u32) -> Self {
        let cache = match (block.share_opt("hit"), block.duration_opt("ttl")) {
            (Some(_), Some(_)) => {
                let message = "`hit` and `ttl` both say what the cache holds";
                block.error(Code::Conflict, block.span_of("hit"), message, "keep one of them");
                None
            }
            (Some(share), None) => Some(CachePlan::Hits(share)),
            (None, Some(ttl)) => Some(CachePlan::Ttl(ttl)),
            (None, None) => None,
        };
        let behind = block.target_opt("misses");
        if behind.is_some() && cache.is_none() {
            let help = "say what it holds: `hit: 95%` or `ttl: 5 min`";
            block.error(
                Code::MissingKey,
                block.span(),
                "a store with `misses` is a cache that holds nothing",
                help,
            );
        }
        if matches!(cache, Some(CachePlan::Ttl(_))) && behind.is_none() {
            let help = "name the store that is asked for what it lacks: `misses: table`";
            block.error(
                Code::MissingKey,
                block.span(),
                "a cache with a `ttl` has nothing to keep without `misses`",
                help,
            );
        }
        Self {
            component,
            item_bytes: block.size("item_size"),
            storage_mb: block.size("storage").div_ceil(1 << 20),
            keys: Keys::read(block.block("keys").as_ref()),
            latency: [block.sampler("read_latency"), block.sampler("write_latency")],
            transfer_rate: block.size_opt("transfer_rate"),
            failure: block.share("failure"),
            refusal: [Status::Throttled, Status::Unavailable][block.choice("refusal")],
            capacity: read_capacity(block),
            nodes: NodesPlan {
                count: block.count("nodes"),
                threads: block.count_opt("threads"),
                queue: block.count_opt("queue"),
                bandwidth: block.size_opt("bandwidth"),
                in_turn: block.choice("spread") == 1,
            },
            nodes_billed: block.has("instance"),
            work: [block.sampler("read_work"), block.sampler("write_work")],
            connections: block.count_opt("maximum_connections"),
            connect_time: block.sampler("connect_time"),
            cache,
            behind,
        }
    }
}

/// The names of the fields of one side.
struct SideFields {
    unit: &'static str,
    provisioned: &'static str,
    new: &'static str,
    peak: &'static str,
    most: &'static str,
    partition: &'static str,
}

const SIDE_FIELDS: [SideFields; SIDES] = [
    SideFields {
        unit: "read_unit",
        provisioned: "read_capacity",
        new: "new_read_capacity",
        peak: "peak_read",
        most: "maximum_read_capacity",
        partition: "partition_read",
    },
    SideFields {
        unit: "write_unit",
        provisioned: "write_capacity",
        new: "new_write_capacity",
        peak: "peak_write",
        most: "maximum_write_capacity",
        partition: "partition_write",
    },
];

fn read_side(block: &Block, mode: Mode, fields: &SideFields) -> SidePlan {
    SidePlan {
        unit_bytes: block.size_opt(fields.unit),
        start: match mode {
            Mode::Provisioned => block.rate(fields.provisioned),
            Mode::OnDemand => (2.0 * block.rate(fields.peak)).max(block.rate(fields.new)),
            Mode::Unlimited => 0.0,
        },
        most: block.rate(fields.most),
        partition: block.rate_opt(fields.partition),
        tracking: None,
    }
}

fn read_capacity(block: &Block) -> CapacityPlan {
    let mode = [Mode::Unlimited, Mode::OnDemand, Mode::Provisioned][block.choice("capacity")];
    let minutes = |time: Duration| time.0 / MINUTE.0;
    let mut plan = CapacityPlan {
        mode,
        sides: SIDE_FIELDS.map(|fields| read_side(block, mode, &fields)),
        bank: block.duration("burst"),
        growth_minutes: fit(minutes(block.duration("growth_time"))),
        partitions: 1,
        split_after: block.duration_opt("split_after").map(|time| fit(minutes(time))),
        adaptive: block.flag("adaptive"),
        scaling_delay: Duration::ZERO,
    };
    if let Some(scaling) = block.block("autoscaling") {
        if mode != Mode::Provisioned {
            let help = "write `capacity: provisioned`, or leave `autoscaling` out";
            let message = "only provisioned capacity is scaled";
            block.error(Code::Inconsistent, scaling.span(), message, help);
        }
        plan.scaling_delay = scaling.duration("delay");
        for (side, minimum, maximum) in [
            (0, "minimum_read", "maximum_read"),
            (1, "minimum_write", "maximum_write"),
        ] {
            let start = plan.sides[side].start;
            plan.sides[side].tracking = Some(read_tracking(&scaling, start, minimum, maximum));
        }
    }
    let data = block.size("storage");
    let by_size = block
        .size_opt("partition_size")
        .map_or(1, |most| data.div_ceil(most).max(1));
    let needed = plan.partitions_for(plan.sides.map(|side| side.start)).max(by_size);
    plan.partitions = block
        .count_opt("partitions")
        .unwrap_or(needed.min(PARTITIONS_MAX as u64))
        .max(1);
    plan
}

fn read_tracking(block: &Block, start: f64, minimum: &str, maximum: &str) -> TrackingPlan {
    let (target, band) = (block.share("target"), block.share("band"));
    let least = block.count_opt(minimum).unwrap_or(whole(start.ceil()));
    let most = block.count(maximum);
    if least > most {
        let message = format!("at least {least} and at most {most} units a second leave nothing");
        let help = format!("raise `{maximum}` or lower `{minimum}`");
        block.error(Code::Inconsistent, block.span_of(maximum), message, help);
    }
    TrackingPlan {
        target,
        minimum: least.max(1).min(most),
        maximum: most,
        out_periods: fit(block.count("out_periods")),
        in_periods: fit(block.count("in_periods")),
        low_ratio: ((target - band) / target).max(0.0),
        out_cooldown: Duration::ZERO,
        in_cooldown: Duration::ZERO,
    }
}
