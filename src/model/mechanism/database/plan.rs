//! A database as scenarios write it, and checked: everything that stays the same while the simulation runs.

use super::serverless::{SERVERLESS, ServerlessPlan};
use crate::kernel::number::{fit, whole};
use crate::kernel::{Duration, Sampler};
use crate::model::request::fault;
use crate::scenario::machines::{self, Machine};
use crate::scenario::{Block, Code, Field, Kind, Table, nearest};

/// Bytes of a GiB.
const GIB: f64 = (1_u64 << 30) as f64;
/// Memory of half a capacity unit, in GiB. Source: Amazon Aurora user guide, a unit is about 2 GiB.
const GIB_PER_HALF: f64 = 1.0;
/// Cores of a database that says nothing about its size.
const USUAL_CORES: f64 = 2.0;
/// Memory, in GiB, of a database that says nothing about its size.
const USUAL_MEMORY_GIB: f64 = 8.0;

/// The fields of a database.
pub const TABLE: Table = Table {
    name: "database",
    doc: "A relational database: a limited number of connections, and cores that all queries share.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives the defaults, such as `aws.rds.postgres`.",
        ),
        Field::optional(
            "instance",
            Kind::Text,
            "The class of the server, such as `db.m6g.large`: gives cores and memory.",
        ),
        Field::optional(
            "cores",
            Kind::Number,
            "Cores that all queries share; those of `instance`, else 2.",
        )
        .within(0.01, 4096.0),
        Field::optional(
            "memory",
            Kind::Size,
            "Memory, which sets the usual limit of connections; that of `instance`, else 8 GB.",
        )
        .positive(),
        Field::optional(
            "maximum_connections",
            Kind::Count,
            "Connections at most, the reserved ones included; from the memory if absent.",
        )
        .at_least(1.0),
        Field::default(
            "connections_per_gib",
            Kind::Number,
            "112",
            "Connections per GiB of memory where no maximum is given.",
        )
        .positive()
        .source("Amazon RDS user guide, quotas: DBInstanceClassMemory / 9,531,392 (PostgreSQL), / 12,582,880 (MySQL)"),
        Field::default(
            "connections_ceiling",
            Kind::Count,
            "5000",
            "Most connections that the memory can give.",
        )
        .at_least(1.0)
        .source("Amazon RDS user guide, quotas: 5,000 for PostgreSQL"),
        Field::default(
            "reserved_connections",
            Kind::Count,
            "3",
            "Connections kept for administrators, out of the maximum.",
        )
        .source("PostgreSQL documentation, superuser_reserved_connections: 3"),
        Field::default(
            "query",
            Kind::Sampler,
            "2 ms",
            "CPU time of a query on one core, where a call does not say.",
        )
        .source("assumed; give your own"),
        Field::default(
            "latency",
            Kind::Sampler,
            "1 ms",
            "What a query waits for beside the CPU: network, storage, locks.",
        )
        .source("assumed; give your own"),
        Field::default(
            "connect_time",
            Kind::Sampler,
            "{ median: 20 ms, p99: 60 ms }",
            "Setting up a connection: network, TLS, authentication; without the CPU time below.",
        )
        .source("from memory: 3 to 10 ms bare within a zone, 20 to 50 ms with TLS and SCRAM on small instances"),
        Field::default(
            "connect_cpu",
            Kind::Duration,
            "2 ms",
            "CPU time of the server for a new connection, on the cores that queries share.",
        )
        .source("assumed: a process fork, TLS and authentication"),
        Field::optional(
            "accept_rate",
            Kind::Rate,
            "New connections that the server accepts per time, one after the other; no limit if absent.",
        )
        .positive()
        .source("users report 1,000 to 1,500 per second from one postmaster"),
        Field::default(
            "contention",
            Kind::Number,
            "0.03",
            "Sigma of the Universal Scalability Law, per load above one query per core.",
        )
        .within(0.0, 1.0)
        .source("Gunther, Guerrilla Capacity Planning (2007): 0.02 to 0.05 for transaction processing; calibrate"),
        Field::default(
            "coherency",
            Kind::Number,
            "0.0003",
            "Kappa of the Universal Scalability Law, per pair of loads above one query per core.",
        )
        .within(0.0, 1.0)
        .source("Gunther, Guerrilla Capacity Planning (2007): 0.0001 to 0.001 for transaction processing; calibrate"),
        Field::optional(
            "statement_timeout",
            Kind::Duration,
            "The server cancels a query that runs longer than this; never if absent.",
        )
        .positive(),
        Field::default(
            "connection_linger",
            Kind::Duration,
            "0 s",
            "How long an idle connection of an instance that has gone away counts on the server.",
        )
        .source("0: the client closes it; a killed client's is found by TCP keep-alive, after two hours as shipped"),
        fault::zones(
            "1",
            "Availability zones that it can run in. With more than one it fails over when its zone goes.",
        ),
        Field::default(
            "failover",
            Kind::Duration,
            "60 s",
            "How long it is down when it fails over to another zone.",
        )
        .source("Amazon RDS user guide, Multi-AZ DB instance deployments: typically 60 to 120 s"),
        Field::default("storage", Kind::Size, "0", "Size of the data volume, which is billed."),
        Field::optional(
            "serverless",
            Kind::Block(&SERVERLESS),
            "Capacity that moves with the load instead of a fixed class; `cores` and `memory` follow from it.",
        ),
    ],
};

/// A database, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabasePlan {
    /// Its number among all components.
    pub component: u32,
    /// Cores.
    pub cores: f64,
    /// Sigma of the Universal Scalability Law.
    pub contention: f64,
    /// Kappa of the Universal Scalability Law.
    pub coherency: f64,
    /// Connections that clients may open.
    pub connections: u64,
    /// CPU time of a query on one core.
    pub query: Sampler,
    /// What a query waits for beside the CPU.
    pub latency: Sampler,
    /// Setting up a connection.
    pub connect_time: Sampler,
    /// CPU time of setting up a connection.
    pub connect_cpu: Duration,
    /// Time between two accepted connections; zero for no limit.
    pub accept_interval: Duration,
    /// The longest that a query may run ([`Duration::FOREVER`] for as long as it takes).
    pub statement_timeout: Duration,
    /// How long an idle connection outlives its instance.
    pub linger: Duration,
    /// Availability zones that it can run in.
    pub zones: u16,
    /// How long failing over takes.
    pub failover: Duration,
    /// Size of the data volume in MB.
    pub storage_mb: u64,
    /// Capacity that moves, if it does.
    pub serverless: Option<ServerlessPlan>,
}

impl DatabasePlan {
    /// Cores when the run begins.
    pub fn cores_at_start(&self) -> f64 {
        let moving = self.serverless.as_ref();
        moving.map_or(self.cores, |moving| moving.least_awake() as f64 * moving.cores_per_half)
    }

    /// Reads a database.
    pub fn read(block: &Block, component: u32) -> Self {
        let serverless = block.block("serverless");
        let capacity = serverless.as_ref().map(ServerlessPlan::read);
        let machine = capacity
            .as_ref()
            .map_or_else(|| size(block), |moving| largest(block, moving));
        let reserved = block.count("reserved_connections");
        let maximum = block.count_opt("maximum_connections").unwrap_or_else(|| {
            let by_memory = block.number("connections_per_gib") * machine.memory_gib;
            let few = serverless.filter(|_| capacity.as_ref().is_some_and(|moving| moving.minimum <= 1));
            let ceiling = few.map_or(u64::MAX, |block| block.count("low_minimum_connections"));
            whole(by_memory).min(block.count("connections_ceiling")).min(ceiling)
        });
        if maximum <= reserved {
            block.error(
                Code::Inconsistent,
                block.span_of("maximum_connections"),
                format!("{maximum} connections at most, of which {reserved} are reserved, leave none"),
                "raise `maximum_connections` or lower `reserved_connections`",
            );
        }
        Self {
            component,
            cores: machine.vcpus,
            contention: block.number("contention"),
            coherency: block.number("coherency"),
            connections: maximum.saturating_sub(reserved).max(1),
            query: block.sampler("query"),
            latency: block.sampler("latency"),
            connect_time: block.sampler("connect_time"),
            connect_cpu: block.duration("connect_cpu"),
            accept_interval: block
                .rate_opt("accept_rate")
                .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
            statement_timeout: block.duration_opt("statement_timeout").unwrap_or(Duration::FOREVER),
            linger: block.duration("connection_linger"),
            zones: fit(block.count("zones")),
            failover: block.duration("failover"),
            storage_mb: block.size("storage").div_ceil(1 << 20),
            serverless: capacity,
        }
    }
}

/// Cores and memory of a serverless database at its largest: its connections are counted for that.
fn largest(block: &Block, moving: &ServerlessPlan) -> Machine {
    if let Some(field) = ["instance", "cores", "memory"]
        .into_iter()
        .find(|field| block.has(field))
    {
        let message = format!("`{field}` is of a fixed size, and `serverless` moves");
        block.error(
            Code::Conflict,
            block.span_of(field),
            message,
            "keep one of them; `null` takes a preset's away",
        );
    }
    let halves = moving.maximum as f64;
    Machine {
        vcpus: halves * moving.cores_per_half,
        memory_gib: halves * GIB_PER_HALF,
    }
}

/// Cores and memory: what is written, else those of the class, else the usual ones.
fn size(block: &Block) -> Machine {
    let class = block.text_opt("instance");
    let machine = class.and_then(machines::machine).unwrap_or(Machine {
        vcpus: USUAL_CORES,
        memory_gib: USUAL_MEMORY_GIB,
    });
    let (cores, memory) = (block.number_opt("cores"), block.size_opt("memory"));
    if let Some(class) = class
        && machines::machine(class).is_none()
        && (cores.is_none() || memory.is_none())
    {
        let bare = class.strip_prefix("db.").unwrap_or(class);
        let near =
            nearest(bare, machines::classes()).map_or(String::new(), |near| format!("did you mean `db.{near}`? "));
        block.error(
            Code::UnknownChoice,
            block.span_of("instance"),
            format!("the size of `{class}` is not known"),
            format!("{near}give `cores` and `memory` instead"),
        );
    }
    Machine {
        vcpus: cores.unwrap_or(machine.vcpus),
        memory_gib: memory.map_or(machine.memory_gib, |bytes| bytes as f64 / GIB),
    }
}
