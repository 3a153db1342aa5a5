//! Deadlines: events that limit a request, and mean nothing once it is gone.
//!
//! Nearly every deadline outlives what it limits, so left alone they would pile up by the length of the time-out. Those
//! with a constant delay wait in lanes, the others in the heap; both are swept of what means nothing any more whenever
//! they have doubled, so that they hold about as many as there are requests in flight. A deadline is marked as one when
//! it is put on the agenda, and its request's key fills the second word, so that sweeping need not know whose it is.

use super::desk::{Cx, Event};
use super::entry::Request;
use crate::kernel::pack::Words;
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Pack, Slab};

/// Whether an event on the agenda still means something.
fn matters(requests: &Slab<Request>, event: Words) -> bool {
    !event.is_marked() || requests.contains(event.body::<Key>())
}

impl Cx<'_> {
    /// Puts a deadline on `lane`.
    #[inline(always)]
    pub fn after(&mut self, lane: LaneId, deadline: impl Into<Event>) {
        if self.agenda.after(lane, deadline.into().marked()) {
            self.sweep(lane, |_| false);
        }
    }

    /// Puts a deadline on the agenda that comes after `delay`, which is one of the few that the plan knows.
    #[inline]
    pub fn within(&mut self, delay: Duration, deadline: impl Into<Event>) {
        let lane = self.agenda.lane(delay, Class::Timer);
        self.after(lane, deadline);
    }

    /// Puts a deadline on the agenda that comes `delay` after `start`: in a lane where that is the present, as a rule.
    #[inline]
    pub fn within_from(&mut self, start: Instant, delay: Duration, deadline: impl Into<Event>) {
        if start == self.now() {
            self.within(delay, deadline);
        } else {
            self.until(start + delay, deadline);
        }
    }

    /// Puts a deadline on the agenda that comes at an instant of its own.
    pub fn until(&mut self, at: Instant, deadline: impl Into<Event>) {
        if self.agenda.at_and_look(at, Class::Timer, deadline.into().marked()) {
            let requests = &self.requests;
            self.agenda.sweep_heap(|event| matters(requests, event));
        }
    }

    /// Puts an event on `lane` that outlives what it waits for where that comes early: `is_stale` says of which events
    /// that is known.
    #[inline]
    pub fn after_or_stale(&mut self, lane: LaneId, event: impl Into<Event>, is_stale: impl Fn(Event) -> bool) {
        if self.agenda.after(lane, event.into()) {
            self.sweep(lane, is_stale);
        }
    }

    #[cold]
    #[inline(never)]
    fn sweep(&mut self, lane: LaneId, is_stale: impl Fn(Event) -> bool) {
        let requests = &self.requests;
        let keep = |event: Words| matters(requests, event) && !is_stale(Event::unpack(event));
        self.agenda.sweep(lane, keep);
    }
}
