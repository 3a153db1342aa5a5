//! Which requests a fleet takes when it has too many, and in which order it serves those that wait.
//!
//! Model: a request that would have to wait is refused (503) if the line is too long already, or if the first in
//! line has waited too long; what matters more or less has limits of its own, as a multiple of these. While the first
//! in line has waited longer than a third limit, the latest is served first. A fleet that heeds deadlines drops
//! requests whose time is up when their turn comes.
//! Not modelled: the cost of a refusal; limits that find themselves (`CoDel`, gradients).
//! Units: limits in requests and nanoseconds.
//! Sources: Google, "Site Reliability Engineering" (2016), chapters 21 and 22; Maurer, "Fail at Scale" (ACM Queue 2015).
//! Validated by: M/M/c/K and M/M/c+D (tests/theory), traces by hand.

use super::balancer::Dispatch;
use super::plan::FleetPlan;
use super::{Fleet, State};
use crate::kernel::{Duration, Instant, Key};
use crate::model::request::baggage::Criticality;
use crate::model::request::desk::Cx;
use crate::model::request::entry::Status;
use crate::model::request::hits::Limit;
use crate::model::request::kind::FLEET;
use crate::scenario::{Block, Code, Field, Kind, Table, Target};

/// The fields of load shedding.
pub const TABLE: Table = Table {
    name: "shedding",
    doc: "Refuses requests (503) that would have to wait, while the fleet has too many.",
    fields: &[
        Field::optional(
            "waiting",
            Kind::Count,
            "Refuses while as many wait for the instance, or in the one line for all of them.",
        ),
        Field::optional(
            "longest_wait",
            Kind::Duration,
            "Refuses while the first in line has waited longer than this.",
        ),
        Field::optional(
            "newest_first_after",
            Kind::Duration,
            "While the first in line has waited longer than this, the latest is served first.",
        ),
        Field::default(
            "critical",
            Kind::Number,
            "2",
            "Requests of clients that are `critical` have this many times the limits.",
        )
        .within(1.0, 1e6)
        .source("assumed; give your own"),
        Field::default(
            "sheddable",
            Kind::Share,
            "50%",
            "Requests of clients that are `sheddable` have this share of the limits.",
        )
        .source("assumed; give your own"),
    ],
};

/// Load shedding, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SheddingPlan {
    waiting: Option<u64>,
    longest_wait: Option<Duration>,
    newest_first_after: Option<Duration>,
    /// What a class multiplies the limits by.
    factors: [f64; 3],
}

impl SheddingPlan {
    /// Reads load shedding.
    pub(super) fn read(block: &Block) -> Self {
        let plan = Self {
            waiting: block.count_opt("waiting"),
            longest_wait: block.duration_opt("longest_wait"),
            newest_first_after: block.duration_opt("newest_first_after"),
            factors: [block.number("critical"), 1.0, block.share("sheddable")],
        };
        if (plan.waiting, plan.longest_wait, plan.newest_first_after) == (None, None, None) {
            let help = "add `waiting: 100`, `longest_wait: 200 ms` or `newest_first_after: 200 ms`";
            block.error(Code::MissingKey, block.span(), "`shedding` has no limit", help);
        }
        plan
    }

    /// Whether a request of this class is refused.
    fn refuses(&self, criticality: Criticality, waiting: usize, oldest: Duration) -> bool {
        let factor = self.factors[criticality as usize];
        let long = self.waiting.is_some_and(|most| waiting as f64 >= most as f64 * factor);
        let slow = self
            .longest_wait
            .is_some_and(|most| oldest.0 as f64 > most.0 as f64 * factor);
        long || (slow && waiting > 0)
    }
}

impl Fleet {
    /// Whether a request that would have to wait for an instance is refused instead.
    #[cold]
    pub(super) fn sheds(
        &mut self,
        spec: &FleetPlan,
        shedding: &SheddingPlan,
        instance: u32,
        key: Key,
        cx: &mut Cx,
    ) -> bool {
        let line = match spec.dispatch {
            Dispatch::SharedQueue => &self.line,
            _ => &self.instances[instance as usize].waiting,
        };
        let oldest = line.front().map_or(Duration::ZERO, |first| waited(*first, cx));
        let criticality = cx.baggage.of(key).criticality;
        let refused = shedding.refuses(criticality, line.len(), oldest);
        if refused {
            self.record.shed(criticality);
            cx.hit(Limit::LoadShedding, here(key, cx), key);
        }
        refused
    }

    /// The next request that an instance serves, if one waits for it.
    #[inline]
    pub(super) fn next_in_line(&mut self, spec: &FleetPlan, index: u32, cx: &mut Cx) -> Option<Key> {
        if spec.shedding.is_some() || spec.program.heeds_deadlines {
            return self.next_with_care(spec, index, cx);
        }
        match spec.dispatch {
            Dispatch::SharedQueue => self.line.pop_front(),
            _ => self.instances[index as usize].waiting.pop_front(),
        }
    }

    /// The same where the order may change, or where some are dropped.
    #[cold]
    fn next_with_care(&mut self, spec: &FleetPlan, index: u32, cx: &mut Cx) -> Option<Key> {
        let shared = spec.dispatch == Dispatch::SharedQueue;
        loop {
            let instance = &mut self.instances[index as usize];
            let (state, place) = (instance.state, instance.place);
            let line = if shared { &mut self.line } else { &mut instance.waiting };
            let limit = spec.shedding.and_then(|shedding| shedding.newest_first_after);
            let first = *line.front()?;
            let newest = limit.is_some_and(|limit| waited(first, cx) > limit);
            let key = if newest { line.pop_back()? } else { line.pop_front()? };
            if !spec.program.heeds_deadlines || !cx.is_expired(key) {
                return Some(key);
            }
            self.levels.queued.add(cx.now().0, -1);
            if !shared && state == State::InService {
                self.balancer.less(place);
            }
            self.drop_expired(key, cx);
        }
    }

    /// A request is not served: its time is up.
    #[cold]
    pub(super) fn drop_expired(&mut self, key: Key, cx: &mut Cx) {
        let now = cx.now();
        self.record.dropped();
        cx.hit(Limit::Deadline, here(key, cx), key);
        let entry = &mut cx.requests[key];
        if entry.mark < now {
            entry.spend_until(crate::model::request::entry::Cause::Queued, now);
        }
        cx.reply(key, Status::TimedOut);
    }
}

/// The fleet that has a request.
fn here(key: Key, cx: &Cx) -> Target {
    cx.requests[key].worker_id::<FLEET>().target()
}

/// How long a request in a line has waited.
fn waited(key: Key, cx: &Cx) -> Duration {
    let since: Instant = cx.requests[key].mark;
    cx.now().since(since)
}
