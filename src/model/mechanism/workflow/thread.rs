//! What runs within an execution: its root, the branches of its parallel states and the items of its maps are threads,
//! each in one state at a time. A thread's time is accounted in a request of its own; the rest is here.

use super::plan::RETRIERS_MAX;
use crate::kernel::number::fit;
use crate::kernel::{Instant, Key};
use crate::model::request::entry::{Cause, Status};

/// Where a thread is within its state.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Phase {
    /// A transition into the state comes next.
    #[default]
    Entering,
    /// The transition was delayed by the quota, up to now.
    Delayed,
    /// The delays of the transition pass; then the state acts.
    Acting,
    /// A wait passes; then the state is done.
    Waiting,
    /// It waits for the answer of its task.
    Calling,
    /// It waits for its branches or items.
    Forked,
    /// A wait before a retry passes, which is accounted to this cause.
    BackingOff(Cause),
    /// The last transition passes; then the execution has ended.
    Closing(Status),
    /// It has ended, and whoever forked it is about to hear.
    Ended,
}

/// A thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    pub phase: Phase,
    /// The state it is in.
    pub state: u16,
    /// When it came into the state.
    pub entered: Instant,
    /// Retries in this state so far, by retrier.
    pub retries: [u32; RETRIERS_MAX],
    /// Transitions so far; every one has dice of its own.
    pub visits: u64,
    /// How often each choice that counts has been visited.
    pub counters: Vec<(u16, u32)>,
    /// The execution it belongs to.
    pub execution: u32,
    /// Its place among the children of whoever forked it.
    pub place: u32,
    /// When it forked.
    pub forked: Instant,
    /// The branches or items that run.
    pub children: Vec<Key>,
    /// Branches or items started, done and failed.
    pub started: u32,
    pub done: u32,
    pub failed: u32,
}

impl Thread {
    /// Comes into a state.
    pub(super) fn enter(&mut self, state: u16, now: Instant) {
        self.phase = Phase::Entering;
        self.state = state;
        self.entered = now;
        self.retries = [0; RETRIERS_MAX];
    }

    /// Forgets the branches or items of the last fork.
    pub(super) fn fork(&mut self, now: Instant) {
        debug_assert!(self.children.is_empty(), "a fork begins when the last one is over");
        self.phase = Phase::Forked;
        self.forked = now;
        (self.started, self.done, self.failed) = (0, 0, 0);
    }

    /// Counts a visit of a choice that counts; says how many there were, this one included.
    pub(super) fn visit(&mut self, state: u16) -> u32 {
        if let Some((_, count)) = self.counters.iter_mut().find(|counter| counter.0 == state) {
            *count += 1;
            return *count;
        }
        self.counters.push((state, 1));
        1
    }
}

/// An execution: of the workflow, or of one item of a distributed map.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Execution {
    /// The thread that it begins and ends with.
    pub root: Key,
    /// Whether somebody waits for the end.
    pub awaited: bool,
    /// Whether it is an item of another one.
    pub item: bool,
    pub begun: Instant,
    /// Events in its history.
    pub history: u64,
    pub transitions: u64,
}

/// Numbered places that live as long as the requests that carry their numbers. A freed one is used again.
#[derive(Clone, Debug)]
pub(super) struct Places<T> {
    list: Vec<T>,
    free: Vec<u32>,
}

impl<T: Default> Places<T> {
    pub(super) const fn new() -> Self {
        Self {
            list: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.list[place as usize] = value;
            return place;
        }
        self.list.push(value);
        fit(self.list.len() - 1)
    }

    #[inline]
    pub(super) fn at(&mut self, place: u32) -> &mut T {
        &mut self.list[place as usize]
    }

    pub(super) fn take(&mut self, place: u32) -> T {
        self.free.push(place);
        std::mem::take(&mut self.list[place as usize])
    }
}
