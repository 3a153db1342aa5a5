//! Limits that were run into: which one, whose, by whom, when first, how often, and in which windows.
//!
//! Model: every place that refuses, delays or cuts off because of a limit says so here, in its cold path. A hit belongs
//! to the component whose limit it is and to the one that ran into it: the caller, or, where components share an
//! account, the function or gateway that was refused. Of what is shared, it is noted who had most of it then.
//! Not modelled: how close a component came to a limit without running into it.
//! Units: instants count from the start of the run; windows are those of the timelines.
//! Sources: for the limits themselves, those of each mechanism.
//! Validated by: counts, instants and windows by hand (tests/theory/faults.rs).

use super::desk::Cx;
use super::entry::Caller;
use super::id::Id;
use super::kind::ACCOUNT;
use crate::kernel::number::{fit, whole_u32};
use crate::kernel::{Duration, Instant, Key};
use crate::scenario::Target;
use std::collections::BTreeMap;

macro_rules! limits {
    ($($variant:ident $name:literal $meaning:literal)*) => {
        /// A limit that can be run into.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Limit {
            $(#[doc = $meaning] $variant,)*
        }

        impl Limit {
            /// All limits, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it in output and documentation.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

limits! {
    AccountConcurrency "account_concurrency" "The account's pool of concurrent executions was used up (429)."
    ReservedConcurrency "reserved_concurrency" "The function's own concurrency was used up (429)."
    MaximumInstances "maximum_instances" "The function had as many instances as it may (429)."
    ScalingRate "scaling_rate" "The function may start no more instances at this moment (429)."
    RequestRate "request_rate" "More requests a second than the function's concurrency allows (429)."
    PendingRequests "pending_requests" "Too many requests waited for an instance, or one waited too long (429 or 500)."
    TimeLimit "time_limit" "An invocation or an execution took longer than it may and was cut off."
    InitLimit "init_limit" "An initialisation took longer than it may and was done again in the invocation."
    CpuLimit "cpu_limit" "An invocation used more CPU time than it may."
    EventAge "event_age" "An event was given up because it was too old."
    Payload "payload" "A request was larger than its target takes (413)."
    AccountGatewayRate "account_gateway_rate" "All gateways of the account together let no more requests in (429)."
    GatewayRate "gateway_rate" "The gateway's own throttle let no more requests in (429)."
    GatewayTimeout "gateway_timeout" "The gateway gave up on its target (504); the work went on."
    Connections "connections" "The database or store had no connection left (503)."
    StatementTimeout "statement_timeout" "A query took longer than the database lets it and was cancelled."
    BorrowTimeout "borrow_timeout" "A query waited for a connection of the proxy's pool as long as it may (503)."
    TableThroughput "table_throughput" "The store as a whole had no throughput left."
    PartitionThroughput "partition_throughput" "The partition of the key had no throughput left."
    StoreQueue "store_queue" "The queue of the store's node was full."
    ExternalRate "external_rate" "The external service's quota of calls or items a second was used up (429)."
    ExternalConcurrency "external_concurrency" "The external service had as many calls under way as it takes (429)."
    OpenExecutions "open_executions" "The workflow had as many executions open as it may (429)."
    StartRate "start_rate" "The workflow's quota of starts was used up (429)."
    TransitionRate "transition_rate" "A transition waited for the workflow's quota of transitions."
    History "history" "An execution left more events in its history than it may, and failed."
    PublishRate "publish_rate" "The topic's quota of publish calls was used up (429)."
    DeliveryRate "delivery_rate" "A delivery waited for the topic's quota of deliveries."
    ShardThroughput "shard_throughput" "The shard of the key takes no more records or bytes at this moment (429)."
    SendRate "send_rate" "The queue's quota of send calls was used up (429)."
    InFlight "in_flight" "Messages waited because the queue had as many in flight as it may."
    PollerConcurrency "poller_concurrency" "Messages waited because the pollers had as many batches under way as they may."
    PollerGrowth "poller_growth" "Messages waited because the pollers' concurrency was still growing."
    Retention "retention" "A message was dropped because it was older than the queue keeps messages."
    FleetQueue "fleet_queue" "All slots were taken and the line was full (503)."
    LoadShedding "load_shedding" "The fleet shed load: too many waited already, or the first in line for too long (503)."
    Deadline "deadline" "A request was not served, or a call not made, because nobody waited for it any more."
    CircuitBreaker "circuit_breaker" "The caller's circuit breaker for this component was open: the call was not made."
}

/// What ran into what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The limit.
    pub limit: Limit,
    /// The component whose limit it is.
    pub of: Target,
    /// Who ran into it, where somebody did.
    pub by: Option<Target>,
    /// Who had most of what is shared; an account for those outside the scenario.
    pub held_by: Option<Target>,
}

/// How often, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// What ran into what.
    pub hit: Hit,
    /// How often.
    pub count: u64,
    /// The first time, from the start of the run.
    pub first: Instant,
    /// What the holder had, summed over the hits.
    pub held: u128,
    /// The windows with hits (counted from the start of the run) and how many each had, ascending.
    pub windows: Vec<(u32, u64)>,
}

/// What has been counted so far.
#[derive(Clone, Debug)]
pub struct Limits {
    window: Duration,
    /// When counting began, and how many windows were over then.
    began: Instant,
    windows_before: u32,
    places: BTreeMap<Hit, usize>,
    hits: Vec<Hits>,
    /// The place of the last hit: the next one is often its like.
    last: usize,
    /// The window of the last hit and its end.
    current: (u32, Instant),
    /// The account whose pool was just found empty: whoever knows says who has it.
    asked: Option<Id<ACCOUNT>>,
    /// All components, by their numbers.
    components: Vec<Target>,
}

impl Limits {
    /// None yet, over windows of this length, in a plan with these components.
    pub fn new(window: Duration, components: Vec<Target>) -> Self {
        Self {
            window,
            began: Instant::ZERO,
            windows_before: 0,
            places: BTreeMap::new(),
            hits: Vec::new(),
            last: 0,
            current: (0, Instant::ZERO + window),
            asked: None,
            components,
        }
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self, now: Instant) {
        let over = whole_u32((now.0 as f64 / self.window.0 as f64).round());
        *self = Self::new(self.window, std::mem::take(&mut self.components));
        (self.began, self.windows_before) = (now, over);
        self.current = (over, now + self.window);
    }

    /// Counts a hit; what `held_by` had of it was `held`.
    #[cold]
    #[inline(never)]
    pub fn count(&mut self, hit: Hit, held: u64, now: Instant) {
        if now >= self.current.1 {
            let over = now.since(self.began).0 / self.window.0;
            let ends = Duration(self.window.0.saturating_mul(over + 1));
            self.current = (self.windows_before + fit::<u32, _>(over), self.began + ends);
        }
        if self.hits.get(self.last).is_none_or(|last| last.hit != hit) {
            let next = self.hits.len();
            self.last = *self.places.entry(hit).or_insert(next);
            if self.last == next {
                self.hits.push(Hits {
                    hit,
                    count: 0,
                    first: now,
                    held: 0,
                    windows: Vec::new(),
                });
            }
        }
        let hits = &mut self.hits[self.last];
        hits.count += 1;
        hits.held += u128::from(held);
        match hits.windows.last_mut() {
            Some((window, count)) if *window == self.current.0 => *count += 1,
            _ => hits.windows.push((self.current.0, 1)),
        }
    }

    /// An account's pool is empty: see [`Self::asked`].
    pub fn ask(&mut self, account: Id<ACCOUNT>) {
        self.asked = Some(account);
    }

    /// The account whose pool was found empty since this was last asked.
    #[inline]
    pub fn asked(&mut self) -> Option<Id<ACCOUNT>> {
        self.asked.take()
    }

    /// Everything, in the order of the limits, over windows that are whole: those before number `windows`.
    pub fn finish(self, windows: usize) -> Vec<Hits> {
        let end = self.windows_before as usize + windows;
        let mut hits = self.hits;
        hits.sort_by_key(|hits| hits.hit);
        for hits in &mut hits {
            hits.windows.retain(|(window, _)| (*window as usize) < end);
        }
        hits
    }
}

impl Cx<'_> {
    /// A request found no connection left with the component `of`, which counts sessions as number `host`.
    #[cold]
    #[inline(never)]
    pub fn no_connection(&mut self, of: Target, host: usize, request: Key) {
        let hit = Hit {
            limit: Limit::Connections,
            of,
            by: self.caller_of(request, of),
            held_by: None,
        };
        let most = self.sessions.most_open(host);
        let held_by = most.and_then(|(component, _)| self.limits.components.get(component as usize).copied());
        let held = most.map_or(0, |(_, open)| u64::from(open));
        self.limits.count(Hit { held_by, ..hit }, held, self.agenda.now());
    }

    /// A request ran into a limit of the component `of`.
    #[cold]
    #[inline(never)]
    pub fn hit(&mut self, limit: Limit, of: Target, request: Key) {
        let by = self.caller_of(request, of);
        self.hit_by(limit, of, by);
    }

    /// The component `by` ran into a limit of the component `of`.
    #[cold]
    #[inline(never)]
    pub fn hit_by(&mut self, limit: Limit, of: Target, by: Option<Target>) {
        let hit = Hit {
            limit,
            of,
            by,
            held_by: None,
        };
        self.limits.count(hit, 0, self.agenda.now());
    }

    /// The component that made a call to `of`, if it still waits or has left its name.
    pub fn caller_of(&self, request: Key, of: Target) -> Option<Target> {
        let entry = self.requests.get(request)?;
        match entry.caller {
            Caller::Client(client) | Caller::User { client, .. } => Some(client.target()),
            Caller::Handler(parent) | Caller::Store(parent) => Some(self.requests.get(parent)?.worker()),
            Caller::Hedged { call, .. } => self.caller_of(call, of),
            Caller::Sender { from, .. } => Some(from),
            // What was sent without waiting carries its sender until somebody takes it.
            Caller::Nobody => {
                let sender = entry.worker();
                (self.plan.calls(sender).is_some() && sender != of).then_some(sender)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::kind::FUNCTION;

    fn hit(limit: Limit, index: u16) -> Hit {
        let of = Id::<FUNCTION>::new(usize::from(index)).target();
        Hit {
            limit,
            of,
            by: None,
            held_by: None,
        }
    }

    #[test]
    fn hits_fall_into_windows_from_the_end_of_the_warmup_on() {
        let mut limits = Limits::new(Duration(100), Vec::new());
        limits.count(hit(Limit::TimeLimit, 0), 0, Instant(50));
        limits.reset(Instant(300));
        for at in [300, 399, 400, 700] {
            limits.count(hit(Limit::TimeLimit, 1), 3, Instant(at));
        }
        limits.count(hit(Limit::Payload, 0), 0, Instant(750));
        limits.count(hit(Limit::TimeLimit, 1), 3, Instant(799));
        let all = limits.finish(4);
        let seen: Vec<_> = all.iter().map(|h| (h.hit.limit, h.count, h.first.0, h.held)).collect();
        assert_eq!(
            seen,
            [(Limit::TimeLimit, 5, 300, 15), (Limit::Payload, 1, 750, 0)],
            "in the order of the limits, and nothing of the warm-up"
        );
        assert_eq!(
            all[0].windows,
            [(3, 2), (4, 1)],
            "the window that begins at 700 is not whole"
        );
    }

    #[test]
    fn names_are_words_and_no_two_are_alike() {
        for (i, limit) in Limit::ALL.iter().enumerate() {
            assert_eq!(*limit as usize, i);
            assert!(limit.meaning().ends_with('.') && limit.name().chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!(Limit::ALL[..i].iter().all(|other| other.name() != limit.name()));
        }
    }
}
