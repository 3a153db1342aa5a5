//! A proxy as scenarios write it, and checked.

use crate::kernel::number::whole;
use crate::kernel::{Duration, Sampler};
use crate::model::mechanism::contract::Reading;
use crate::model::parts::initial::Initial;
use crate::model::request::id::Id;
use crate::model::request::kind::DATABASE;
use crate::scenario::{Block, Field, Kind, Table, Target};

/// The fields of a proxy.
pub const TABLE: Table = Table {
    name: "proxy",
    doc: "A connection proxy: many clients share a few connections of a database, and wait instead of being refused.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives the defaults, such as `aws.rds.proxy`.",
        ),
        Field::required("to", Kind::Target(&["databases"]), "The database behind it."),
        Field::default(
            "maximum_connections_percent",
            Kind::Share,
            "100%",
            "The share of the database's connections that the pool may open.",
        )
        .within(0.001, 1.0)
        .source("Amazon RDS API reference, ConnectionPoolConfiguration: MaxConnectionsPercent"),
        Field::default(
            "borrow_timeout",
            Kind::Duration,
            "120 s",
            "How long a query waits for a connection before it is refused.",
        )
        .source("Amazon RDS API reference, ConnectionPoolConfiguration: ConnectionBorrowTimeout (0 to 300 s)"),
        Field::default(
            "overhead",
            Kind::Sampler,
            "{ median: 1.5 ms, p99: 5 ms }",
            "Latency that it adds to a query.",
        )
        .source("secondary reports of 1 to 5 ms; AWS publishes no figure"),
        Field::default(
            "connect_time",
            Kind::Sampler,
            "{ median: 10 ms, p99: 30 ms }",
            "Setting up a client's session with the proxy.",
        )
        .source("assumed: TLS and authentication without a server process"),
        Field::default(
            "pinning",
            Kind::Share,
            "0%",
            "The share of instances whose sessions keep their connection until the instance is gone.",
        )
        .source("Amazon RDS user guide, Avoiding pinning an RDS Proxy"),
        Field::optional(
            "initial_connections",
            Kind::Any,
            "Connections of the pool that are open when the run begins: a number, or `steady` for its own mean number.",
        ),
        Field::default(
            "billed_vcpus_minimum",
            Kind::Number,
            "2",
            "vCPUs of the database that it is billed for at least.",
        )
        .within(0.0, 1e6)
        .source("Amazon RDS Proxy pricing: two vCPUs at least"),
    ],
};

/// A proxy, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyPlan {
    /// Its number among all components.
    pub component: u32,
    /// Its name's part of every stream key.
    pub name: String,
    /// The database behind it.
    pub database: Id<DATABASE>,
    /// Connections that the pool may open.
    pub connections: u64,
    /// How long a query waits for a connection.
    pub borrow_timeout: Duration,
    /// Latency that it adds.
    pub overhead: Sampler,
    /// Setting up a client's session.
    pub connect_time: Sampler,
    /// The share of instances whose sessions are pinned.
    pub pinning: f64,
    /// Connections that are open when the run begins.
    pub initial: Initial,
    /// vCPUs that it is billed for.
    pub billed_vcpus: f64,
}

impl ProxyPlan {
    /// The database behind it.
    pub const fn behind(&self) -> Target {
        self.database.target()
    }

    /// Reads a proxy; `None` after reporting that its database cannot be there.
    pub fn read(block: &Block, reading: &Reading) -> Option<Self> {
        let to = block.target("to")?;
        let database = to.into();
        let behind = reading.profile(to)?;
        let share = block.share("maximum_connections_percent");
        let connections = whole(behind.connections as f64 * share).max(1);
        Some(Self {
            component: reading.component,
            name: reading.name.to_owned(),
            database,
            connections,
            initial: Initial::read(block, "initial_connections", connections),
            borrow_timeout: block.duration("borrow_timeout"),
            overhead: block.sampler("overhead"),
            connect_time: block.sampler("connect_time"),
            pinning: block.share("pinning"),
            billed_vcpus: behind.cores.max(block.number("billed_vcpus_minimum")),
        })
    }
}
