//! Accounts: what the functions and gateways of one account in one Region share: a pool of concurrency and a request
//! rate.
//!
//! Model: a pool of concurrent executions, of which functions with reserved concurrency carve out their own part, and
//! a token bucket that all gateways of the account draw from. A neighbour outside the scenario may take part of the
//! pool.
//! Not modelled: quotas of other services.
//! Units: concurrency in executions, rates in requests per second.
//! Sources: AWS Lambda Developer Guide, "Understanding Lambda function scaling"; API Gateway quotas (10,000 requests
//! per second, burst 5,000).
//! Validated by: Erlang B for the pool and M/D/1/K for the bucket (tests/theory); tests/properties.rs.

use super::fault::{Change, Quota};
use super::id::Id;
use super::kind::FUNCTION;
use crate::kernel::Instant;
use crate::kernel::number::whole;
use crate::model::parts::token_bucket::TokenBucket;
use crate::scenario::{Block, Field, Kind, Table};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The fields of an account.
pub const TABLE: Table = Table {
    name: "accounts",
    doc: "What all functions and gateways of one account share in one Region.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives the defaults, such as `aws.account`.",
        ),
        Field::default(
            "concurrency",
            Kind::Count,
            "1000",
            "Concurrent executions of all its functions together.",
        )
        .within(1.0, 1e9)
        .source("AWS Lambda Developer Guide: 1,000 by default, raised on request"),
        Field::default(
            "kept_unreserved",
            Kind::Count,
            "100",
            "Concurrency that functions cannot reserve.",
        )
        .within(0.0, 1e9)
        .source("AWS Lambda Developer Guide, Configuring reserved concurrency (100, from memory)"),
        Field::default(
            "neighbours",
            Kind::Count,
            "0",
            "Concurrency that functions outside the scenario take.",
        )
        .within(0.0, 1e9),
        Field::default(
            "gateway_rate",
            Kind::Rate,
            "10000/s",
            "Requests a second through all its gateways together.",
        )
        .positive()
        .source("API Gateway quotas"),
        Field::default(
            "gateway_burst",
            Kind::Count,
            "5000",
            "Requests that may come at once on top of the rate.",
        )
        .at_least(1.0)
        .source("API Gateway quotas"),
    ],
};

/// An account, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountPlan {
    /// Concurrent executions in all.
    pub concurrency: u64,
    /// Concurrency that functions cannot reserve.
    pub kept_unreserved: u64,
    /// Concurrency taken by others.
    pub neighbours: u64,
    /// Concurrency that its functions reserved (filled in when they are read).
    pub reserved: u64,
    /// Gateway requests a second.
    pub gateway_rate: f64,
    /// Gateway burst.
    pub gateway_burst: u64,
}

impl AccountPlan {
    /// Reads an account.
    pub fn read(block: &Block) -> Self {
        Self {
            concurrency: block.count("concurrency"),
            kept_unreserved: block.count("kept_unreserved"),
            neighbours: block.count("neighbours"),
            reserved: 0,
            gateway_rate: block.rate("gateway_rate"),
            gateway_burst: block.count("gateway_burst"),
        }
    }
}

/// An account while the simulation runs. Shared by mechanisms, so it lives in [`super::desk::Cx`].
#[derive(Clone, Debug)]
pub struct Account {
    /// Unreserved concurrency that may still be taken; below zero while there is less than was taken.
    free: i64,
    /// Concurrency that others take now.
    neighbours: u64,
    /// The quota now.
    concurrency: u64,
    gateway: TokenBucket,
    /// Functions that run something from the pool, by how much, the one with the most last: as it was when they were
    /// counted last.
    holders: BTreeSet<(u64, Reverse<Id<FUNCTION>>)>,
    /// Functions whose part has changed since.
    changed: Vec<Id<FUNCTION>>,
}

impl Account {
    /// The account at the start of a run.
    pub fn new(plan: &AccountPlan) -> Self {
        Self {
            free: plan.concurrency.cast_signed() - plan.reserved.cast_signed() - plan.neighbours.cast_signed(),
            neighbours: plan.neighbours,
            concurrency: plan.concurrency,
            gateway: TokenBucket::new(plan.gateway_rate, plan.gateway_burst as f64),
            holders: BTreeSet::new(),
            changed: Vec::new(),
        }
    }

    /// A function's part of the pool changes, for the first time since it was counted.
    #[cold]
    pub fn note_change(&mut self, function: Id<FUNCTION>) {
        self.changed.push(function);
    }

    /// The functions whose parts have changed since this was last asked.
    pub fn take_changed(&mut self) -> Vec<Id<FUNCTION>> {
        std::mem::take(&mut self.changed)
    }

    /// A function runs `after` from the pool, and no longer `before`.
    pub fn recount(&mut self, function: Id<FUNCTION>, before: u64, after: u64) {
        self.holders.remove(&(before, Reverse(function)));
        if after > 0 {
            self.holders.insert((after, Reverse(function)));
        }
    }

    /// The function that ran most from the pool when they were counted last, and how much.
    pub fn most(&self) -> Option<(Id<FUNCTION>, u64)> {
        let most = self.holders.last();
        most.map(|&(running, Reverse(function))| (function, running))
    }

    /// Takes one concurrent execution from the unreserved pool, if there is one.
    #[inline]
    pub fn take_concurrency(&mut self) -> bool {
        let some = self.free > 0;
        self.free -= i64::from(some);
        some
    }

    /// Gives one back.
    #[inline]
    pub fn give_concurrency(&mut self) {
        self.free += 1;
    }

    /// A fault takes part of the pool, or lowers a quota, or gives it back. What is taken beyond it goes on.
    pub fn change(&mut self, plan: &AccountPlan, change: Change, now: Instant) {
        match change {
            Change::Neighbours(more) => {
                let neighbours = plan.neighbours + more;
                self.free += self.neighbours.cast_signed() - neighbours.cast_signed();
                self.neighbours = neighbours;
            }
            Change::Lower(Quota::Concurrency, to) => {
                let concurrency = to.map_or(plan.concurrency, |to| plan.concurrency.min(whole(to)));
                self.free += concurrency.cast_signed() - self.concurrency.cast_signed();
                self.concurrency = concurrency;
            }
            Change::Lower(_, to) => {
                let rate = to.map_or(plan.gateway_rate, |to| plan.gateway_rate.min(to));
                self.gateway.change(now, rate, plan.gateway_burst as f64);
            }
            Change::Slow(_) | Change::Zones(_) | Change::Recycle(..) => {}
        }
    }

    /// Concurrency that those outside the scenario take now.
    pub fn neighbours(&self) -> u64 {
        self.neighbours
    }

    /// Whether a gateway may let one more request in.
    #[inline]
    pub fn admit(&mut self, now: Instant) -> bool {
        self.gateway.take(now, 1)
    }
}
