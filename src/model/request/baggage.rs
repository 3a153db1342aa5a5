//! What travels with a request beside the request: until when somebody waits for it, how much it matters, and what was
//! recorded of it.
//!
//! Model: a caller with a time-out tells whom it calls until when it waits. A component that heeds deadlines drops
//! requests whose time is up instead of starting them, gives up calls of its own at the deadline that it was told, and
//! tells it to those whom it calls, if it is earlier than its own time-out. Others do not know of it and start anew.
//! How much a request matters is its client's to say and travels with all calls. What was recorded of a request (how
//! long it took, how large it was) comes from the row of its arrival: all attempts and copies of it have the same, and
//! calls made on its behalf know how long it took. Nothing of this goes into queues, streams, topics or workflows.
//! Not modelled: clocks that differ, deadlines across queues, streams, topics and workflows (nobody waits there), work
//! that stops halfway (what was started goes on to its next call).
//! Units: instants; classes 0 (matters most) to 2; nanoseconds; bytes.
//! Sources: gRPC documentation, "Deadlines" (deadline propagation); Google, "Site Reliability Engineering" (2016),
//! chapter 21, "Criticality".
//! Validated by: M/M/c+D and traces by hand (tests/theory).

use super::desk::Cx;
use crate::kernel::{Duration, Instant, Key};
use crate::scenario::{Field, Kind};

/// How much a request matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Criticality {
    /// Shed last.
    Critical,
    /// The usual.
    #[default]
    Normal,
    /// Shed first.
    Sheddable,
}

impl Criticality {
    /// The names in scenarios, in the order of [`Criticality::ALL`].
    pub const NAMES: &'static [&'static str] = &["critical", "normal", "sheddable"];
    /// All classes.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Normal, Self::Sheddable];
}

/// What clients say about how much their requests matter.
pub const FIELD: Field = Field::default(
    "criticality",
    Kind::Choice(Criticality::NAMES),
    "normal",
    "How much its requests matter to fleets that shed load; calls on their behalf matter as much.",
);

/// What was recorded of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How long it took.
    pub duration: Option<Duration>,
    /// How large it was (bytes).
    pub size: Option<u64>,
}

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bag {
    /// Until when somebody waits for it.
    pub deadline: Instant,
    /// How much it matters.
    pub criticality: Criticality,
    /// What was recorded of it.
    pub recorded: Recorded,
}

impl Default for Bag {
    fn default() -> Self {
        Self {
            deadline: Instant::NEVER,
            criticality: Criticality::Normal,
            recorded: Recorded::default(),
        }
    }
}

/// What all requests carry, beside the requests: only kept where somebody looks at it.
#[derive(Debug, Default)]
pub struct Baggage {
    /// Whether anybody looks at it.
    pub on: bool,
    /// By the place of a request: the generation that it belongs to, and the bag.
    bags: Vec<(u32, Bag)>,
}

impl Baggage {
    /// Nothing yet.
    pub const fn new(on: bool) -> Self {
        Self { on, bags: Vec::new() }
    }

    /// What a request carries.
    pub fn of(&self, request: Key) -> Bag {
        let bag = self.bags.get(request.index as usize);
        bag.filter(|bag| bag.0 == request.generation)
            .map_or_else(Bag::default, |bag| bag.1)
    }

    /// From now on a request carries this.
    pub fn put(&mut self, request: Key, bag: Bag) {
        let place = request.index as usize;
        if self.bags.len() <= place {
            self.bags.resize(place + 1, (u32::MAX, Bag::default()));
        }
        self.bags[place] = (request.generation, bag);
    }
}

impl Cx<'_> {
    /// Whether whoever waits for `request` does not wait any more, as far as it knows.
    #[inline]
    pub fn is_expired(&self, request: Key) -> bool {
        self.baggage.on && self.baggage.of(request).deadline <= self.now()
    }

    /// Notes that somebody waits for `request` until `at` at most; gives the earlier of what is noted.
    #[cold]
    pub fn waits_until(&mut self, request: Key, at: Instant) -> Instant {
        let mut bag = self.baggage.of(request);
        bag.deadline = bag.deadline.min(at);
        self.baggage.put(request, bag);
        bag.deadline
    }

    /// `child`, a call that `parent` makes, carries what that carries: how much it matters, how long it took, and its
    /// deadline if its handler knows of that. How large it is, is its own.
    #[cold]
    pub fn inherit(&mut self, parent: Key, child: Key, heeds: bool) {
        let mut bag = self.baggage.of(parent);
        if !heeds {
            bag.deadline = Instant::NEVER;
        }
        bag.recorded.size = None;
        self.baggage.put(child, bag);
    }

    /// `other`, a branch or a copy of `request`, carries the same.
    #[cold]
    pub fn carry_over(&mut self, request: Key, other: Key) {
        let bag = self.baggage.of(request);
        self.baggage.put(other, bag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_belongs_to_one_generation() {
        let mut baggage = Baggage::new(true);
        let key = |generation| Key { index: 5, generation };
        let bag = Bag {
            deadline: Instant(7),
            criticality: Criticality::Critical,
            ..Bag::default()
        };
        baggage.put(key(1), bag);
        assert_eq!([baggage.of(key(1)), baggage.of(key(2))], [bag, Bag::default()]);
        let other = Key {
            index: 9,
            generation: 0,
        };
        assert_eq!(baggage.of(other), Bag::default());
    }
}
