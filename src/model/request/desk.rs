//! The desk: what a mechanism may use while it works on requests, and the events that are nobody's own.

use super::account::Account;
use super::baggage::Baggage;
use super::common::Common;
use super::effects::Effects;
use super::entry::{Caller, Cause, Frame, Status};
use super::fault::{self, Faults};
use super::guard::{self, Guards};
use super::hits::Limits;
use super::kind;
use super::lineage::{Lineage, Tag};
use super::requests::Requests;
use super::session::Sessions;
use crate::kernel::pack::{Cursor, Words};
use crate::kernel::{Agenda, Class, Duration, Instant, Key, Luck, Pack, Purpose};
use crate::scenario::Target;

/// What the agenda keeps: an event of the desk, or one of a mechanism under the tag of that. Nothing down here knows
/// the events of mechanisms.
#[derive(Clone, Copy, Debug)]
pub struct Event(Words);

impl Event {
    /// The same as a deadline: it means nothing once the request is gone whose key fills its second word.
    #[inline(always)]
    pub(super) fn marked(self) -> Self {
        Self(self.0.marked())
    }

    /// The event of a mechanism that this is, if it is one of that.
    #[inline(always)]
    pub fn of<E: Tagged>(self) -> Option<E> {
        let (tag, mut cursor) = Cursor::reading(self.0);
        (tag == E::TAG).then(|| cursor.nested())
    }
}

impl Pack for Event {
    #[inline(always)]
    fn pack(self) -> Words {
        self.0
    }

    #[inline(always)]
    fn unpack(words: Words) -> Self {
        Self(words)
    }
}

/// An event of a mechanism. The table of mechanisms implements it.
pub trait Tagged: Pack {
    /// Its tag: from [`FIRST_TAG`] on.
    const TAG: u8;
}

/// Tags below this one are those of [`Desk`].
pub const FIRST_TAG: u8 = 32;

impl<E: Tagged> From<E> for Event {
    #[inline(always)]
    fn from(event: E) -> Self {
        let mut cursor = Cursor::writing(E::TAG);
        cursor.nest(event);
        Self(cursor.words())
    }
}

impl From<Desk> for Event {
    #[inline(always)]
    fn from(event: Desk) -> Self {
        Self(event.pack())
    }
}

/// What can happen to requests, whoever works on them, and to a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Desk {
    /// A request reaches a component.
    Offer {
        /// The component.
        to: Target,
        /// The request.
        request: Key,
    },
    /// A request's current attempt has ended; whoever waits for it hears.
    Reply {
        /// The request.
        request: Key,
    },
    /// A request's handler can go on.
    Resume {
        /// The request.
        request: Key,
    },
    /// The caller of this request gives up, if it still waits.
    Deadline {
        /// The request.
        request: Key,
    },
    /// A request for whose answer nobody waits reaches a component that takes events.
    Accept {
        /// The component.
        to: Target,
        /// The request.
        request: Key,
    },
    /// Somebody needs what idle instances of a component hold.
    Reap {
        /// The component.
        of: Target,
    },
    /// For a call with guards.
    Guard(guard::Event),
    /// A fault begins or ends.
    Fault(fault::Event),
    /// A window ends.
    Window,
    /// The warm-up ends: counting begins.
    WarmedUp,
    /// The run ends.
    Stop,
}

crate::kernel::pack::packed!(Desk {
    Offer { to, request },
    Reply { request },
    Resume { request },
    Deadline { request },
    Accept { to, request },
    Reap { of },
    Guard(event),
    Fault(event),
    Window,
    WarmedUp,
    Stop,
});

/// What a handler may use: the agenda, the requests, and what an account's components share.
#[derive(Debug)]
pub struct Cx<'p> {
    /// What everybody may look up of the plan.
    pub plan: &'p Common,
    /// What happens next.
    pub agenda: Agenda<Event>,
    /// The requests in flight.
    pub requests: Requests,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The database sessions that instances hold.
    pub sessions: Sessions,
    /// What should happen once.
    pub effects: Effects,
    /// What stands between callers and whom they call.
    pub guards: Guards,
    /// What travels with requests.
    pub baggage: Baggage,
    /// Limits that were run into.
    pub limits: Limits,
    /// What is broken.
    pub faults: Faults,
}

impl Cx<'_> {
    /// The present.
    #[inline]
    pub fn now(&self) -> Instant {
        self.agenda.now()
    }

    /// Puts an event on the agenda.
    #[inline(always)]
    pub fn at(&mut self, at: Instant, class: Class, event: impl Into<Event>) {
        self.agenda.at(at, class, event.into());
    }

    /// Hands an event over: it is the next to happen at this instant, after those handed over before.
    #[inline(always)]
    pub fn hand_over(&mut self, event: impl Into<Event>) {
        self.agenda.hand_over(event.into());
    }

    /// Hands `request` to the component `to` now.
    #[inline(always)]
    pub fn offer(&mut self, to: Target, request: Key) {
        self.hand_over(Desk::Offer { to, request });
    }

    /// Hands `request` to the component `to` as an event, when the delays that are already accounted to it have passed:
    /// what is invoked takes it into the queue of its asynchronous invocations and answers at once that it was
    /// accepted; others are called as by [`Cx::offer_at_mark`]. Every sender that does not wait comes in here.
    #[inline]
    pub fn offer_async(&mut self, to: Target, request: Key) {
        if !kind::abilities(to.kind).invoked {
            return self.offer_at_mark(to, request);
        }
        let at = self.requests[request].mark;
        if at <= self.now() {
            self.hand_over(Desk::Accept { to, request });
        } else {
            self.at(at, Class::Arrival, Desk::Accept { to, request });
        }
    }

    /// Notes that `request` descends from `of` and goes to `to` without anybody waiting for an answer; and who gave up
    /// what it is about, if it is a dead letter.
    #[inline]
    pub fn sends(&mut self, request: Key, of: Lineage, to: Target, dead: Option<u32>) {
        if self.requests.lineages.on {
            let of = self.requests.lineages.fork(of);
            let to = Some(self.plan.place(to));
            self.requests.lineages.put(request, Tag { of, to, dead });
        }
    }

    /// Hands `request` to the component `to` when the delays that are already accounted to it have passed.
    #[inline(always)]
    pub fn offer_at_mark(&mut self, to: Target, request: Key) {
        self.offer_at(self.requests[request].mark, to, request);
    }

    /// Hands `request` to the component `to` at `at`, or now if that is over.
    #[inline(always)]
    pub fn offer_at(&mut self, at: Instant, to: Target, request: Key) {
        if at <= self.now() {
            self.offer(to, request);
        } else {
            self.at(at, Class::Arrival, Desk::Offer { to, request });
        }
    }

    /// Ends the current attempt of `request` now.
    #[inline(always)]
    pub fn reply(&mut self, request: Key, status: Status) {
        self.requests[request].status = status;
        self.replied(request);
    }

    /// The same where the status is there already.
    #[inline(always)]
    pub fn replied(&mut self, request: Key) {
        self.hand_over(Desk::Reply { request });
    }

    /// Lets the handler of `request` go on now.
    #[inline]
    pub fn resume(&mut self, request: Key) {
        self.hand_over(Desk::Resume { request });
    }

    /// The next attempt of a request whose last one ended, `wait` from now on. It is a new entry, so that whatever
    /// still refers to the old attempt finds it gone.
    pub fn next_attempt(&mut self, request: Key, wait: Duration) -> Key {
        let mut next = self.requests[request];
        let bag = self.baggage.on.then(|| self.baggage.of(request));
        let tag = self.requests.hand_on(request);
        self.requests.remove(request);
        let cause = if next.status == Status::Throttled {
            Cause::Throttled
        } else {
            Cause::Backoff
        };
        next.attempt += 1;
        next.before = next.status;
        next.luck = next.luck.derive(ATTEMPT_STEP);
        next.status = Status::Ok;
        next.depth = 0;
        next.frame = Frame::default();
        next.spend(cause, wait);
        let key = self.requests.insert(next);
        if let Some(bag) = bag {
            self.baggage.put(key, bag);
        }
        self.requests.goes_on(key, tag);
        key
    }

    /// The caller of `request`, or gateway number `hop` on its way, gives up now: the work goes on as an orphan, and
    /// the caller's side, a new entry, hears `status`.
    pub fn give_up(&mut self, request: Key, hop: Option<u8>, status: Status) {
        let now = self.now();
        let callers = self.requests[request].give_up(hop, now);
        let key = self.requests.insert(callers);
        self.requests.part(request, key);
        if self.baggage.on {
            self.carry_over(request, key);
        }
        self.reply(key, status);
    }

    /// What happens at a caller's deadline: if it still waits for `request`, it gives up.
    pub fn deadline(&mut self, request: Key) {
        if self.requests.contains(request) && self.requests[request].caller != Caller::Nobody {
            self.give_up(request, None, Status::TimedOut);
        }
    }
}

/// The part of a luck that each further attempt derives.
const ATTEMPT_STEP: u64 = Purpose::NextAttempt.step();

impl Luck {
    /// The luck of a request's first attempt, which all its attempts have in common, from that of its attempt number
    /// `attempt`.
    #[must_use]
    pub fn first_attempt(self, attempt: u8) -> Self {
        (0..attempt).fold(self, |luck, _| luck.underive(ATTEMPT_STEP))
    }
}
