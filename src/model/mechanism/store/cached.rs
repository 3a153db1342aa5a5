//! What a cache holds: a share of what is asked for, or every item until it is too old.

use crate::kernel::stream::chance;
use crate::kernel::{Duration, Instant, Luck};
use std::collections::BTreeMap;

/// How a cache knows an item, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CachePlan {
    /// It has a share of what is asked for.
    Hits(f64),
    /// It keeps what it was given for so long.
    Ttl(Duration),
}

/// The items of one cache while the simulation runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Cached {
    /// Until when each key's item is fresh.
    fresh_until: BTreeMap<u64, Instant>,
}

impl Cached {
    /// Whether the cache has the item of a key.
    pub(super) fn has(&self, plan: CachePlan, now: Instant, key: u64, luck: Luck, step: u64) -> bool {
        match plan {
            CachePlan::Hits(share) => chance(&mut luck.dice(step), share),
            CachePlan::Ttl(_) => self.fresh_until.get(&key).is_some_and(|until| now < *until),
        }
    }

    /// Takes the item of a key in.
    pub(super) fn keep(&mut self, plan: CachePlan, now: Instant, key: u64) {
        if let CachePlan::Ttl(ttl) = plan {
            self.fresh_until.insert(key, now + ttl);
        }
    }

    /// Forgets what is too old.
    pub(super) fn purge(&mut self, now: Instant) {
        self.fresh_until.retain(|_, until| now < *until);
    }
}
