//! Effects that should happen once, and idempotency keys that see to it.
//!
//! Model: a handler's `effect` step is what must happen once for each message, record or request: a charge, a mail, a
//! row. Deliveries that come again (a duplicate, a visibility timeout that was too short, a batch that failed as a
//! whole, a client's retry) make it happen again, and that is counted. What a handler works on has an identity that
//! survives all of them: it is that of the client's request, or of the message's first sender, and a message or record
//! that a handler sends gets one from what the handler works on. An `idempotent` step looks the identity up in a store
//! (an ordinary call), skips its steps if they were done within the window, and fails if another invocation is at them
//! right now; the claim of an invocation that ended without finishing is void. A poison message fails before its
//! effects, any other failure strikes where the handler says or at its end.
//! Not modelled: effects inside components that are called (their retries are not told apart); stores that lose keys.
//! Units: nanoseconds.
//! Sources: AWS Lambda Powertools, idempotency utility (in-progress records, expiry); Stripe API reference, idempotent
//! requests (24 h).
//! Validated by: hand-computed traces, and the law of duplicates by visibility timeouts (tests/theory).

use super::common::{Common, Component};
use super::desk::Cx;
use super::entry::Caller;
use super::kind::KINDS;
use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant, Key, Luck};
use crate::model::parts::budget::{Holder, Holding};
use crate::scenario::Target;
use crate::stats::{Observation, Value};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A message of a batch that is being handled.
#[derive(Clone, Copy, Debug)]
pub struct Handed {
    /// Its identity.
    pub identity: u64,
    /// Whether it fails before its effects.
    pub poison: bool,
}

/// What a handler is working on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Work {
    /// The invocation.
    root: Key,
    /// Messages of the batch that are left, which tells this one from the others.
    left: u16,
    identity: u64,
    poison: bool,
}

/// Where an idempotency key stands.
#[derive(Clone, Copy, Debug)]
enum Claim {
    /// Somebody is at it.
    Held(Work),
    /// It was done, and is remembered until then.
    Done(Instant),
}

/// What an idempotent step should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its steps.
    Run,
    /// Nothing: they were done.
    Skip,
    /// Fail: somebody else is at them.
    Conflict,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    effects: u64,
    duplicates: u64,
    skipped: u64,
    conflicts: u64,
}

/// A component that runs handlers: its kind and its number.
type Worker = Target;
/// Whose key: the identity, which idempotent step of its worker, and the worker. The identity first, as it nearly
/// always tells two keys apart.
type ClaimKey = (u64, u16, Worker);

/// All effects of a run.
#[derive(Debug, Default)]
pub struct Effects {
    /// Whether any handler has effects; nothing is remembered otherwise.
    pub on: bool,
    /// By what hands them over, its number, and its place for a batch; places are used again.
    batches: [Vec<Vec<Vec<Handed>>>; KINDS.len()],
    /// Effects that have happened, as [`ClaimKey`].
    seen: BTreeSet<(u64, u16, Worker)>,
    claims: BTreeMap<ClaimKey, Claim>,
    /// When keys may be forgotten, in the order in which they were settled.
    expiries: VecDeque<(Instant, ClaimKey)>,
    counts: BTreeMap<Worker, Counts>,
}

impl Effects {
    /// Nothing has happened yet.
    pub fn new(plan: &Common) -> Self {
        Self {
            on: plan.profiles.iter().any(|profile| profile.effects || profile.claims),
            ..Self::default()
        }
    }

    /// Notes what a poller, a mapping or an asynchronous invocation hands over at once.
    pub fn hand(&mut self, caller: Caller, messages: impl Iterator<Item = Handed>) {
        if let Some((kind, whose, batch)) = place(caller).filter(|_| self.on) {
            let handed = at(at(&mut self.batches[kind], whose), batch);
            handed.clear();
            handed.extend(messages);
        }
    }

    /// Keys that are remembered.
    pub fn holding(&self) -> Holding {
        let keys = self.seen.len() + self.claims.len();
        Holding::of::<(ClaimKey, Claim)>(Holder::Keys, None, keys as u64)
    }

    /// Forgets what was counted: the warm-up is over. What happened has happened.
    pub fn reset(&mut self) {
        self.counts.clear();
    }

    /// Reports what was counted.
    pub fn observe(&self, plan: &Common, out: &mut Vec<Observation>) {
        for (place, profile) in plan.profiles.iter().enumerate() {
            let Component { target, .. } = plan.components[place];
            let counts = self.counts.get(&target).copied();
            let counts = counts.unwrap_or_default();
            let mut push = |metric, count| {
                let value = Value::Count(count);
                out.push(Observation {
                    component: fit(place),
                    metric,
                    value,
                });
            };
            if profile.effects {
                push("effects", counts.effects);
                push("effects.distinct", counts.effects - counts.duplicates);
                push("effects.duplicate", counts.duplicates);
            }
            if profile.claims {
                push("idempotency.skipped", counts.skipped);
                push("idempotency.conflicts", counts.conflicts);
            }
        }
    }
}

/// The batch that a caller has under way.
fn place(caller: Caller) -> Option<(usize, usize, usize)> {
    match caller {
        Caller::Sender { from, ticket } => Some((usize::from(from.kind), usize::from(from.index), ticket as usize)),
        _ => None,
    }
}

/// That place of a list, which grows to have it.
fn at<T: Default>(list: &mut Vec<T>, place: usize) -> &mut T {
    if list.len() <= place {
        list.resize_with(place + 1, T::default);
    }
    &mut list[place]
}

impl Cx<'_> {
    /// What the handler of a request, or of a branch of it, is working on.
    fn work(&self, request: Key) -> (Worker, Work) {
        let mut root = request;
        while let Caller::Handler(parent) = self.requests[root].caller
            && self.requests[root].is_branch()
            && self.requests.contains(parent)
        {
            root = parent;
        }
        let entry = &self.requests[root];
        let left = entry.frame.batch_left;
        let batch = place(entry.caller)
            .and_then(|(kind, whose, batch)| self.effects.batches[kind].get(whose).and_then(|own| own.get(batch)));
        let handed = batch.and_then(|handed| handed.get(handed.len().checked_sub(usize::from(left.max(1)))?));
        let own = Handed {
            identity: entry.first_luck().0,
            poison: false,
        };
        let Handed { identity, poison } = handed.copied().unwrap_or(own);
        let work = Work {
            root,
            left,
            identity,
            poison,
        };
        (entry.worker(), work)
    }

    /// The luck that what a handler sends derives from: the same whenever the same thing is handled again, if that
    /// matters to anybody.
    pub fn luck_of_sent(&self, request: Key) -> Luck {
        if self.effects.on {
            Luck(self.work(request).1.identity)
        } else {
            self.requests[request].luck
        }
    }

    /// Effect number `effect` of a handler happens.
    pub fn happens(&mut self, request: Key, effect: u16) {
        let (worker, work) = self.work(request);
        if work.poison {
            return;
        }
        let first = self.effects.seen.insert((work.identity, effect, worker));
        let counts = self.effects.counts.entry(worker).or_default();
        counts.effects += 1;
        counts.duplicates += u64::from(!first);
    }

    /// A handler comes to its idempotent step number `claim`, whose key it has looked up.
    pub fn claim(&mut self, request: Key, claim: u16) -> Verdict {
        let now = self.now();
        let (worker, work) = self.work(request);
        while let Some((until, key)) = self.effects.expiries.front()
            && *until <= now
        {
            if let Some(Claim::Done(until)) = self.effects.claims.get(key)
                && *until <= now
            {
                self.effects.claims.remove(key);
            }
            self.effects.expiries.pop_front();
        }
        let key = (work.identity, claim, worker);
        // Whoever holds it may have failed since, or gone on to its next message.
        let held = |by: &Work| {
            self.requests.contains(by.root) && *by != work && self.requests[by.root].frame.batch_left == by.left
        };
        let verdict = match self.effects.claims.get(&key) {
            Some(Claim::Done(until)) if *until > now => Verdict::Skip,
            Some(Claim::Held(by)) if held(by) => Verdict::Conflict,
            _ => Verdict::Run,
        };
        let counts = self.effects.counts.entry(worker).or_default();
        match verdict {
            Verdict::Run => _ = self.effects.claims.insert(key, Claim::Held(work)),
            Verdict::Skip => counts.skipped += 1,
            Verdict::Conflict => counts.conflicts += 1,
        }
        verdict
    }

    /// The steps of idempotent step number `claim` are done, and remembered for so long.
    pub fn settle(&mut self, request: Key, claim: u16, window: Duration) {
        let (worker, work) = self.work(request);
        if work.poison {
            return;
        }
        let (key, until) = ((work.identity, claim, worker), self.now() + window);
        self.effects.claims.insert(key, Claim::Done(until));
        self.effects.expiries.push_back((until, key));
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::number::fit;
    use crate::model::world::build::build;
    use crate::model::world::run::World;
    use crate::scenario::{Catalog, Diagnostics, Files, Sources, parse};
    use crate::stats::Value;

    /// Arrivals at these seconds.
    struct Seconds(&'static str);

    impl Files for Seconds {
        fn read(&self, _: &str) -> Result<Vec<u8>, String> {
            Ok(format!("t\n{}\n", self.0).into_bytes())
        }
    }

    /// Runs a scenario whose client sends at these seconds, and finds counts by component and metric.
    fn run(seconds: &'static str, client: &str, rest: &str) -> impl Fn(&str, &str) -> u64 + use<> {
        let text = format!(
            "run: {{ length: 1000 s, warmup: 0 s }}\nclients: {{ sender: {{ {client}, arrivals: {{ times: {{ file: t, \
             column: t, unit: s }} }} }} }}\n{rest}"
        );
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("memory.yaml", text);
        let root = parse(&sources, file, &diagnostics).unwrap();
        let built = build(&root, &Catalog::default(), &diagnostics, &Seconds(seconds));
        let plan = built
            .unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)))
            .0;
        let result = World::new(&plan, 0).run();
        move |name, metric| {
            let component: u32 = fit(plan.components.iter().position(|c| c.name == name).unwrap());
            let mine = |o: &&crate::stats::Observation| o.component == component && o.metric == metric;
            match result.observations.iter().find(mine).map(|o| &o.value) {
                Some(Value::Count(n)) => *n,
                other => panic!("{name} {metric} is {other:?}"),
            }
        }
    }

    #[test]
    fn a_visibility_timeout_that_is_too_short_repeats_effects_and_a_key_prevents_it() {
        // Received at 0 and 30 s, done at 45 and 75 s.
        let plain = run(
            "0",
            "to: orders",
            "queues: { orders: { to: work, visibility_timeout: 30 s } }\n\
             functions: { work: { timeout: 1 min, handler: [ wait: 45 s, effect: charge ] } }",
        );
        assert_eq!((plain("work", "effects"), plain("work", "effects.duplicate")), (2, 1));
        // The second delivery finds that the first is at it, and fails; the first deletes the message.
        let keyed = run(
            "0",
            "to: orders",
            "queues: { orders: { to: work, visibility_timeout: 30 s } }\n\
             functions:\n  store: { handler: [] }\n  work: { timeout: 1 min, handler: [ { idempotent: { store: store, \
             steps: [ wait: 45 s, effect: charge ] } } ] }",
        );
        assert_eq!((keyed("work", "effects"), keyed("work", "effects.duplicate")), (1, 0));
        assert_eq!(
            (keyed("work", "idempotency.conflicts"), keyed("orders", "deleted")),
            (1, 1)
        );
        assert_eq!(keyed("store", "invocations"), 3, "two look-ups and one note");
    }

    #[test]
    fn a_client_that_tries_again_repeats_effects_and_a_key_prevents_it() {
        let retry = "to: work, retry: { attempts: 3, base: 100 s, cap: 1 h, jitter: none }";
        let plain = run(
            "0\n5",
            retry,
            "functions: { work: { handler: [ effect: charge, fail: 100% ] } }",
        );
        assert_eq!((plain("work", "effects"), plain("work", "effects.distinct")), (6, 2));
        let keyed = |window: &str, steps: &str| {
            let rest = format!(
                "functions:\n  store: {{ handler: [] }}\n  work: {{ handler: [ {{ idempotent: {{ store: store, window: \
                 {window}, steps: [ {steps} ] }} }}, fail: 100% ] }}"
            );
            let found = run("0\n5", retry, &rest);
            (found("work", "effects"), found("work", "idempotency.skipped"))
        };
        assert_eq!(keyed("1 h", "effect: charge"), (2, 4));
        // Attempts at 0, 100 and 300 s: a key of 150 s knows the first at the second, and not at the third.
        assert_eq!(keyed("150 s", "effect: charge"), (4, 2));
        // What fails inside the steps is not done, and its claim is void.
        assert_eq!(keyed("1 h", "effect: charge, fail: 100%"), (6, 0));
    }

    #[test]
    fn good_messages_of_a_batch_with_a_poison_one_are_handled_again_each_time() {
        // Ten at once in one batch, of which the dice make some poison; it is received three times.
        let queue = "queues:\n  orders: { to: work, visibility_timeout: 60 s, poison: 50%, dead_letter: dead, \
                     maximum_receives: 3, poller: { batch_size: 10, batch_window: 1 s MORE } }\n  dead: {}\n";
        let plain = "functions: { work: { timeout: 10 s, handler: [ effect: charge ] } }";
        let once = "functions:\n  store: { handler: [] }\n  work: { timeout: 10 s, handler: [ { idempotent: { store: \
                    store, steps: [ effect: charge ] } } ] }";
        let ten = "0\n0\n0\n0\n0\n0\n0\n0\n0\n0";
        let of = |more: &str, functions: &str| run(ten, "to: orders", &(queue.replace("MORE", more) + functions));
        let whole = of("", plain);
        let good = whole("work", "effects.distinct");
        assert!((1..10).contains(&good), "the dice make some poison: {good} are good");
        assert_eq!((whole("work", "effects"), whole("dead", "moved_in")), (3 * good, 10));
        let partial = of(", partial_batch_response: true", plain);
        assert_eq!(
            (partial("work", "effects"), partial("dead", "moved_in")),
            (good, 10 - good)
        );
        let keyed = of("", once);
        assert_eq!(
            (keyed("work", "effects"), keyed("work", "idempotency.skipped")),
            (good, 2 * good)
        );
    }

    #[test]
    fn what_a_handler_sends_again_is_the_same_thing() {
        // The relay dies after sending, so its message comes back twice and the event is sent three times.
        let relay = run(
            "0\n100",
            "to: outbox",
            "queues:\n  outbox: { to: relay, visibility_timeout: 30 s, dead_letter: dead, maximum_receives: 3 }\n  \
             dead: {}\n  events: { to: consumer }\n\
             functions:\n  relay: { handler: [ call: events, fail: 100% ] }\n  consumer: { handler: [ effect: mail ] }",
        );
        assert_eq!((relay("events", "sent"), relay("consumer", "effects")), (6, 6));
        assert_eq!(relay("consumer", "effects.distinct"), 2);
    }

    #[test]
    fn steps_of_a_batch_are_done_with_its_last_message() {
        let found = run(
            "0\n0\n0\n0\n0",
            "to: orders",
            "queues: { orders: { to: work, visibility_timeout: 60 s, poller: { batch_size: 5, batch_window: 1 s } } }\n\
             functions:\n  store: { handler: [] }\n  work: { handler: [ effect: one, batch: [ call: store ] ] }",
        );
        assert_eq!(
            (found("work", "effects.distinct"), found("store", "invocations")),
            (5, 1)
        );
    }

    #[test]
    fn dead_letters_are_moved_back_at_a_rate_and_may_have_been_mended() {
        // Three poison messages are dead at 30 s; from 100 s on they go back, one every two seconds.
        let back = |mended: &str| {
            let rest = format!(
                "queues:\n  orders: {{ to: work, visibility_timeout: 30 s, poison: 100%, dead_letter: dead, \
                 maximum_receives: 1 }}\n  dead: {{ redrive: {{ to: orders, at: 100 s, rate: 0.5/s, mended: {mended} \
                 }} }}\nfunctions: {{ work: {{ handler: [ effect: charge ] }} }}"
            );
            run("0\n0\n0", "to: orders", &rest)
        };
        let mended = back("100%");
        assert_eq!((mended("dead", "redriven"), mended("orders", "moved_in")), (3, 3));
        assert_eq!((mended("orders", "deleted"), mended("dead", "remaining")), (3, 0));
        assert_eq!(mended("work", "effects.distinct"), 3);
        let broken = back("0%");
        assert_eq!((broken("orders", "deleted"), broken("dead", "remaining")), (0, 3));
    }
}
