//! The poller's side: how many batches it may have under way, the batches themselves, and its idle polls.

use super::plan::PollerPlan;
use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant, Key};
use std::collections::VecDeque;

/// One concurrent batch in the units of [`Ramp`]: nanoseconds of a minute, so that growth a minute is growth a
/// nanosecond.
const ONE: u64 = 60_000_000_000;

/// The number of batches that may be under way at once. It grows steadily while a backlog waits, falls as fast once
/// there is none (the documentation gives no figure), and never below the start or what is in use. Computed when
/// looked at.
#[derive(Clone, Debug)]
pub(super) struct Ramp {
    level: u64,
    floor: u64,
    cap: u64,
    per_minute: u64,
    at: Instant,
    /// Whether a backlog waits for more of them.
    pub limited: bool,
}

impl Ramp {
    pub(super) fn new(plan: &PollerPlan) -> Self {
        let floor = plan.start.min(plan.ceiling);
        Self {
            level: floor * ONE,
            floor,
            cap: plan.ceiling,
            per_minute: plan.add_per_minute,
            at: Instant::ZERO,
            limited: false,
        }
    }

    /// How many there may be now, `in_use` of which have been so since this was last asked.
    pub(super) fn allowed(&mut self, now: Instant, in_use: u64) -> u64 {
        let change = now.since(self.at).0.saturating_mul(self.per_minute);
        self.at = now;
        self.level = if self.limited {
            self.level.saturating_add(change).min(self.cap * ONE)
        } else {
            self.level.saturating_sub(change).max(self.floor.max(in_use) * ONE)
        };
        self.level / ONE
    }

    /// How long until there may be one more, if a backlog waits for it.
    pub(super) fn next_in(&self) -> Option<Duration> {
        let next = (self.level / ONE + 1) * ONE;
        let grows = self.limited && self.per_minute > 0 && next <= self.cap * ONE;
        grows.then(|| Duration((next - self.level).div_ceil(self.per_minute)))
    }
}

/// A message of a batch, and which of its receipts that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub message: Key,
    pub receives: u32,
}

/// Messages that go to the function together.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub messages: Vec<Receipt>,
    /// When the first of them becomes visible again.
    pub expires: Instant,
    /// The invocation that waits for another try.
    pub retrying: Option<Key>,
}

/// The batches under way; a freed one keeps its memory for the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    slots: Vec<Batch>,
    free: Vec<u32>,
}

impl Batches {
    pub(super) fn begin(&mut self, expires: Instant) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Batch::default());
            fit(self.slots.len() - 1)
        });
        self.slots[index as usize].expires = expires;
        index
    }

    pub(super) fn end(&mut self, index: u32) {
        let batch = &mut self.slots[index as usize];
        batch.messages.clear();
        batch.retrying = None;
        self.free.push(index);
    }

    pub(super) fn get(&mut self, index: u32) -> &mut Batch {
        &mut self.slots[index as usize]
    }
}

/// Long polls that come back empty. Nothing happens in the model when they do, so they are counted afterwards: of the
/// idle pollers the one that has waited longest gets the next message, and until then it has polled once per wait.
#[derive(Clone, Debug)]
pub(super) struct IdlePolls {
    /// Since when each poller waits, the longest first.
    since: VecDeque<Instant>,
    wait: Duration,
    /// The pollers have been free to poll since then.
    free_since: Instant,
    /// Polls that came back empty.
    pub empty: u64,
}

impl IdlePolls {
    pub(super) fn new(plan: &PollerPlan) -> Self {
        let pollers = fit(plan.start.min(plan.ceiling));
        Self {
            since: vec![Instant::ZERO; pollers].into(),
            wait: plan.poll_wait,
            free_since: Instant::ZERO,
            empty: 0,
        }
    }

    /// A receive call brings messages now.
    pub(super) fn served(&mut self, now: Instant) {
        if let Some(since) = self.since.pop_front() {
            self.empty += now.since(since.max(self.free_since)).0 / self.wait.0;
            self.since.push_back(now);
        }
    }

    /// Until now all pollers were held up by a backlog.
    pub(super) fn freed(&mut self, now: Instant) {
        self.free_since = now;
    }

    /// Counts what is complete by now.
    pub(super) fn settle(&mut self, now: Instant) {
        for since in &mut self.since {
            let start = (*since).max(self.free_since);
            let polls = now.since(start).0 / self.wait.0;
            self.empty += polls;
            *since = start + Duration(polls * self.wait.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::id::Id;

    fn plan() -> PollerPlan {
        PollerPlan {
            to: Id::new(0),
            batch_size: 10,
            batch_window: Duration::ZERO,
            start: 5,
            add_per_minute: 60,
            ceiling: 8,
            partial_batch_response: false,
            poll_wait: Duration::from_secs(20),
        }
    }

    #[test]
    fn a_backlog_adds_one_a_second_up_to_the_ceiling_and_its_end_takes_them_back() {
        let mut ramp = Ramp::new(&plan());
        let at = |ms: u64| Instant(ms * 1_000_000);
        assert_eq!((ramp.allowed(at(0), 5), ramp.next_in()), (5, None));
        ramp.limited = true;
        assert_eq!(ramp.next_in(), Some(Duration::from_secs(1)));
        assert_eq!(ramp.allowed(at(999), 5), 5);
        assert_eq!(ramp.next_in(), Some(Duration::from_millis(1)));
        assert_eq!(ramp.allowed(at(1000), 6), 6);
        assert_eq!((ramp.allowed(at(9000), 8), ramp.next_in()), (8, None));
        ramp.limited = false;
        assert_eq!(ramp.allowed(at(11_000), 7), 7, "what is in use stays");
        assert_eq!(ramp.allowed(at(12_500), 2), 5, "5.5, and then the start");
    }

    #[test]
    fn idle_pollers_poll_every_twenty_seconds() {
        let mut polls = IdlePolls::new(&plan());
        let at = |s: u64| Instant(s * 1_000_000_000);
        polls.settle(at(60));
        assert_eq!(polls.empty, 15, "five pollers, three polls each");
        // The first poller gets a message after 30 s: one empty poll; the others go on, its next begins anew.
        polls.served(at(90));
        assert_eq!(polls.empty, 16);
        polls.settle(at(100));
        assert_eq!(polls.empty, 24, "four of them have two more");
        polls.settle(at(110));
        assert_eq!(polls.empty, 25);
    }
}
