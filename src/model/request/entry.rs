//! What flows: a request is one call from a caller to whatever answers it, with the time it spent on each cause.
//!
//! One entry serves for the whole way through gateways to the component that does the work, and back. When a caller
//! gives up, its side of the entry moves to a new one and the old one goes on as an orphan: the work is done (and
//! billed) although nobody waits for it. The accounting is exact: the causes of a request always add up to its age.

use super::id::Id;
use super::kind::{self, CLIENT, GATEWAY};
use crate::kernel::{Duration, Instant, Key, Luck};
use crate::scenario::Target;

/// Where the time of a request goes. A small closed set, so that any report can say what the slowest were waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// On the way between client and system.
    Network,
    /// Inside gateways, load balancers and workflow engines.
    Gateway,
    /// A cold start: finding room and starting a sandbox, fetching code.
    Placement,
    /// A cold start: starting the runtime and the code.
    Init,
    /// Waiting for a slot or a message's turn.
    Queued,
    /// Waiting for a database connection: set-up, or a proxy's pool.
    Connection,
    /// Computing in a function or a fleet.
    Compute,
    /// Waiting parts of a handler that use no CPU of its own.
    Waiting,
    /// A store at work: database queries.
    Store,
    /// Waiting before a retry after a throttle (429).
    Throttled,
    /// Waiting before a retry after any other failure.
    Backoff,
    /// Waiting for an answer that did not come before the caller gave up.
    TimedOut,
}

/// Number of causes.
pub const CAUSES: usize = 12;

impl Cause {
    /// All causes, in the order of their numbers.
    pub const ALL: [Self; CAUSES] = [
        Self::Network,
        Self::Gateway,
        Self::Placement,
        Self::Init,
        Self::Queued,
        Self::Connection,
        Self::Compute,
        Self::Waiting,
        Self::Store,
        Self::Throttled,
        Self::Backoff,
        Self::TimedOut,
    ];

    /// The word for it in output and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Gateway => "gateway",
            Self::Placement => "placement",
            Self::Init => "init",
            Self::Queued => "queued",
            Self::Connection => "connection",
            Self::Compute => "compute",
            Self::Waiting => "waiting",
            Self::Store => "store",
            Self::Throttled => "throttled",
            Self::Backoff => "backoff",
            Self::TimedOut => "timed out",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Status {
    /// Answered (HTTP 200).
    #[default]
    Ok,
    /// Refused for a rate or concurrency limit (429).
    Throttled,
    /// The work itself failed (500).
    Failed,
    /// A gateway's word for a failed target (502).
    BadGateway,
    /// Nobody could take it: no slot, no connection, no healthy target (503).
    Unavailable,
    /// A gateway gave up waiting for its target (504).
    GatewayTimeout,
    /// The caller gave up waiting; no answer was seen.
    TimedOut,
    /// The caller's own circuit breaker refused to make the call.
    BreakerOpen,
    /// What was sent is larger than the target takes (413).
    TooLarge,
}

/// Number of statuses.
pub const STATUSES: usize = 9;

impl Status {
    /// All statuses, in the order of their numbers.
    pub const ALL: [Self; STATUSES] = [
        Self::Ok,
        Self::Throttled,
        Self::Failed,
        Self::BadGateway,
        Self::Unavailable,
        Self::GatewayTimeout,
        Self::TimedOut,
        Self::BreakerOpen,
        Self::TooLarge,
    ];

    /// The word for it in output: the HTTP status where there is one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled_429",
            Self::Failed => "failed_500",
            Self::BadGateway => "bad_gateway_502",
            Self::Unavailable => "unavailable_503",
            Self::GatewayTimeout => "gateway_timeout_504",
            Self::TimedOut => "timed_out",
            Self::BreakerOpen => "breaker_open",
            Self::TooLarge => "too_large_413",
        }
    }

    /// Whether an answer came back from somebody else.
    #[inline]
    pub const fn is_answer(self) -> bool {
        !matches!(self, Self::TimedOut | Self::BreakerOpen)
    }

    /// Whether nobody took the call: it was turned away before anybody worked on it.
    #[inline]
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Unavailable | Self::TooLarge | Self::BreakerOpen
        )
    }

    /// Whether the call was answered as it should be.
    #[inline]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// Who made a call and hears of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody any more: the caller gave up.
    Nobody,
    /// An open client.
    Client(Id<CLIENT>),
    /// A user of a closed client, who thinks after the answer.
    User {
        /// The client.
        client: Id<CLIENT>,
        /// The user's number.
        user: u32,
    },
    /// A step of a handler: the request whose handler it is.
    Handler(Key),
    /// A cache that asks the store behind it: the operation at the cache.
    Store(Key),
    /// A call of which several copies may be under way, see [`super::guard`].
    Hedged {
        /// The call.
        call: Key,
        /// Which copy of it this is; 0 is the first.
        copy: u8,
    },
    /// Whoever hands over what it keeps or was told: the poller of a queue, the mapping of a stream, a topic, a
    /// schedule, the queue of a function's asynchronous invocations.
    Sender {
        /// The sender.
        from: Target,
        /// Its number for the batch, message or event.
        ticket: u32,
    },
}

/// How many gateways a call may pass on its way.
pub const HOPS_MAX: usize = 4;

/// What becomes of a batch of messages when one of them fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchFate {
    /// It fails as a whole.
    #[default]
    Whole,
    /// Only that message fails: failed calls do not fail the invocation.
    Partial,
    /// It will fail as a whole, whatever its calls do: its poller knows a message that fails.
    Doomed,
}

/// What the component that works on a request remembers about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    /// When the work began (billing and the work's own time limit count from here).
    pub started: Instant,
    /// What the work waited for on its host before it began: initialisation (functions), a slot (fleets).
    pub prelude: Duration,
    /// CPU time of the work so far, at one full vCPU, branches not counted.
    pub cpu: Duration,
    /// The instance that does the work.
    pub instance: u32,
    /// The next step of the handler.
    pub step: u16,
    /// Answers the handler still waits for.
    pub pending: u16,
    /// Messages in the batch that the handler runs for, and which of them it is at.
    pub batch_left: u16,
    /// Messages of a batch whose calls failed, if the batch may fail in part.
    pub batch_failed: u16,
    /// What becomes of the batch when one of its messages fails.
    pub batch_fate: BatchFate,
    /// The worst status among the answers it waits for.
    pub worst: Status,
    /// Set while the work runs on capacity that was provisioned.
    pub provisioned: bool,
    /// Set when the work began with a cold start.
    pub cold: bool,
}

/// A request, see the module. Three lines of the cache, and no more are touched when it is.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Request {
    /// Who hears of the end.
    pub caller: Caller,
    /// This request's dice.
    pub luck: Luck,
    /// When the caller first made the call; attempts do not reset it.
    pub begun: Instant,
    /// Up to when the causes are accounted. May lie ahead of the present while a known delay runs.
    pub mark: Instant,
    /// Nanoseconds by cause.
    pub causes: [u64; CAUSES],
    /// How the current attempt ended.
    pub status: Status,
    /// Attempts made before this one.
    pub attempt: u8,
    /// How the attempt before this one ended, if there was one.
    pub before: Status,
    /// Which state of its caller's circuit breaker let it through (counted, the last eight bits of it).
    pub permit: u8,
    /// Gateways that wait for the answer, in `route`.
    pub depth: u8,
    /// The kind of component that works on it (an index into [`super::kind::KINDS`]); for answers to nested calls.
    pub worker_kind: u8,
    /// The component of that kind.
    worker: u16,
    /// Which of its handler's calls this is.
    pub call: u16,
    /// The path that it asks for, for gateways that route and hosts with several handlers.
    pub path: u16,
    /// The gateways passed, first one first.
    pub route: [Id<GATEWAY>; HOPS_MAX],
    /// The worker's memory of it.
    pub frame: Frame,
}

const _: () = assert!(size_of::<Request>() == 192, "a request fits three lines of the cache");

impl Default for Request {
    fn default() -> Self {
        Self::new(Caller::Nobody, Luck::default(), Instant::ZERO)
    }
}

impl Request {
    /// A request that begins now.
    #[inline]
    pub fn new(caller: Caller, luck: Luck, now: Instant) -> Self {
        Self {
            caller,
            luck,
            begun: now,
            mark: now,
            causes: [0; CAUSES],
            status: Status::Ok,
            attempt: 0,
            before: Status::Ok,
            permit: 0,
            depth: 0,
            worker_kind: 0,
            worker: 0,
            call: 0,
            path: 0,
            route: [Id::new(0); HOPS_MAX],
            frame: Frame::default(),
        }
    }

    /// Reads from each of its lines of the cache; the value means nothing.
    #[inline]
    pub fn read(&self) -> u64 {
        self.causes[0] ^ self.mark.0 ^ u64::from(self.frame.instance)
    }

    /// Accounts the time from the mark to `until` to `cause`. `until` may lie in the future (a known delay).
    #[inline]
    pub fn spend_until(&mut self, cause: Cause, until: Instant) {
        debug_assert!(until >= self.mark, "a request's time runs forwards");
        self.causes[cause as usize] += until.since(self.mark).0;
        self.mark = until;
    }

    /// Accounts a known delay from the mark on.
    #[inline]
    pub fn spend(&mut self, cause: Cause, delay: Duration) {
        self.spend_until(cause, self.mark + delay);
    }

    /// Takes over the time that a nested call spent, which ended at its own mark.
    pub fn adopt(&mut self, child: &Self) {
        debug_assert!(child.mark >= self.mark, "an answer comes after its question");
        // The child began when this request last did something itself, so the child's causes cover the gap exactly;
        // a child of a fork that began earlier (never) or later (a retry of a sibling) would leave a rest.
        let mut rest = child.mark.since(self.mark).0;
        for (mine, its) in self.causes.iter_mut().zip(child.causes) {
            let part = its.min(rest);
            *mine += part;
            rest -= part;
        }
        self.causes[Cause::Waiting as usize] += rest;
        self.mark = child.mark;
    }

    /// Splits at `now` because the caller gives up, or gateway number `hop` on its way does: what lies ahead of the
    /// present is taken back, what is not known is time lost waiting. Returns the caller's side, which keeps the
    /// gateways before the one that gave up; the deeper ones stay with the orphan and still hear of its end.
    #[must_use]
    pub fn give_up(&mut self, hop: Option<u8>, now: Instant) -> Self {
        let mut callers = *self;
        callers.depth = hop.unwrap_or(0);
        callers.settle_at(now);
        let gone = hop.map_or(0, |hop| hop + 1);
        self.route.rotate_left(gone as usize);
        self.depth -= gone;
        self.caller = Caller::Nobody;
        callers
    }

    /// Makes the accounting end at `now`.
    fn settle_at(&mut self, now: Instant) {
        if self.mark <= now {
            return self.spend_until(Cause::TimedOut, now);
        }
        let mut ahead = self.mark.since(now).0;
        // Delays are accounted ahead in the order in which a request meets them, so the last ones go first.
        for cause in [
            Cause::Waiting,
            Cause::Compute,
            Cause::Init,
            Cause::Placement,
            Cause::Gateway,
            Cause::Network,
        ] {
            let part = self.causes[cause as usize].min(ahead);
            self.causes[cause as usize] -= part;
            ahead -= part;
        }
        debug_assert_eq!(ahead, 0, "only these causes are accounted ahead");
        self.mark = now;
    }

    /// The work is cut off at `now`: what lies ahead is taken back, what it waited for is time lost.
    pub fn cut_off_at(&mut self, now: Instant) {
        self.settle_at(now);
    }

    /// Whether this is a branch of a handler, on the same host as the rest of it.
    #[inline]
    pub fn is_branch(&self) -> bool {
        self.call == u16::MAX && matches!(self.caller, Caller::Handler(_))
    }

    /// The luck of its first attempt, which all attempts and all copies have in common.
    #[inline]
    pub fn first_luck(&self) -> Luck {
        let luck = match self.caller {
            Caller::Hedged { copy: copy @ 1.., .. } => self.luck.underive(super::guard::copy_step(copy)),
            _ => self.luck,
        };
        luck.first_attempt(self.attempt)
    }

    /// The component that works on it, or sent it.
    #[inline]
    pub const fn worker(&self) -> Target {
        Target {
            kind: self.worker_kind,
            index: self.worker,
        }
    }

    /// The component that works on it, for one of the same kind that asks.
    ///
    /// # Panics
    /// In builds with debug assertions, if it is of another kind: kind and component are only set together, and who
    /// asks hears of the request because it has it.
    #[inline(always)]
    pub fn worker_id<const KIND: u8>(&self) -> Id<KIND> {
        debug_assert!(self.worker_kind == KIND, "somebody else works on this request");
        Id::from(Target {
            kind: KIND,
            index: self.worker,
        })
    }

    /// From now on `worker` works on it.
    #[inline(always)]
    pub const fn taken_by(&mut self, worker: Target) {
        (self.worker_kind, self.worker) = (worker.kind, worker.index);
    }

    /// Nobody works on it any more.
    #[inline]
    pub const fn let_go(&mut self) {
        self.worker_kind = kind::NOBODY;
    }

    /// Whether it comes from where messages or records are kept, whose batches are known to fail or not.
    #[inline]
    pub const fn is_fetched(&self) -> bool {
        matches!(self.caller, Caller::Sender { from, .. } if kind::abilities(from.kind).keeps)
    }

    /// The request's age at its mark.
    #[inline]
    pub fn age(&self) -> Duration {
        self.mark.since(self.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(request: &Request) -> u64 {
        request.causes.iter().sum()
    }

    #[test]
    fn causes_add_up_to_the_age_when_a_caller_gives_up_early_or_late() {
        let mut request = Request::new(Caller::Client(Id::new(0)), Luck(1), Instant(100));
        request.route[0] = Id::new(7);
        request.depth = 1;
        request.spend(Cause::Gateway, Duration(10));
        request.spend(Cause::Compute, Duration(50));
        request.spend(Cause::Waiting, Duration(20));
        let mut early = request;
        let callers = early.give_up(Some(0), Instant(130));
        assert_eq!((callers.age(), sum(&callers)), (Duration(30), 30));
        assert_eq!(callers.causes[Cause::Compute as usize], 20);
        assert_eq!((early.caller, early.depth, callers.depth), (Caller::Nobody, 0, 0));
        let callers = request.give_up(None, Instant(1_000));
        assert_eq!((callers.age(), sum(&callers)), (Duration(900), 900));
        assert_eq!(callers.causes[Cause::TimedOut as usize], 820);
        assert_eq!(
            (request.depth, request.route[0]),
            (1, Id::new(7)),
            "the gateway did not give up, so it still hears"
        );
    }

    #[test]
    fn an_answer_hands_its_causes_to_the_question() {
        let mut parent = Request::new(Caller::Client(Id::new(0)), Luck(1), Instant(0));
        parent.spend(Cause::Compute, Duration(5));
        let mut child = Request::new(Caller::Handler(Key::NONE), Luck(2), Instant(5));
        child.spend(Cause::Store, Duration(40));
        parent.adopt(&child);
        assert_eq!((parent.age(), sum(&parent)), (Duration(45), 45));
        assert_eq!(parent.causes[Cause::Store as usize], 40);
    }
}
