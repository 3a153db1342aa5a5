//! How callers retry: a limited number of attempts, exponential backoff with jitter, and a budget that stops retries
//! when most of them fail. Policies with a name are files of the catalog.
//!
//! Model: attempt n waits min(cap, base x factor^n), jittered, before it starts; throttles (429) may have a longer
//! base. The budget is a token bucket shared by all calls of one caller: a retry takes tokens, a success gives back.
//! Adaptive policies also limit the rate of calls after throttles, see [`super::guard`].
//! Not modelled: waiting times that servers ask for (retry-after).
//! Units: waits in nanoseconds, the budget in tokens.
//! Sources: botocore `retries/standard.py` and its legacy mode; AWS Architecture Blog, "Exponential Backoff And Jitter"
//! (2015); Brooker, "Fixing retries with token buckets and circuit breakers" (2022).
//! Validated by: waits and budgets by hand below; retries of whole systems in tests/properties.rs.

use super::entry::{Request, Status};
use crate::kernel::number::fit;
use crate::kernel::stream::unit;
use crate::kernel::{Duration, Luck, Purpose};
use crate::scenario::catalog::RETRY;
use crate::scenario::{Block, Code, Context, Field, Kind, Node, Table, nearest};
use crate::stats::{Observation, Value};

/// How a waiting time is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Exactly the backoff.
    None,
    /// Uniform between half of it and all of it.
    Equal,
    /// Uniform between nothing and all of it.
    Full,
    /// Exponential with it as the mean.
    Exponential,
}

/// The token bucket that limits retries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetPlan {
    /// Tokens at the start, and at most.
    pub capacity: f64,
    /// What a retry costs.
    pub cost: f64,
    /// What a retry costs after a time-out.
    pub cost_timeout: f64,
    /// What a retry costs after a throttle.
    pub cost_throttled: f64,
    /// What a first-attempt success gives back (a success after a retry gives back what that retry took).
    pub refund: f64,
}

impl BudgetPlan {
    /// What the retry of an attempt that ended so costs.
    fn cost_after(&self, status: Status) -> f64 {
        match status {
            Status::TimedOut | Status::GatewayTimeout => self.cost_timeout,
            Status::Throttled => self.cost_throttled,
            _ => self.cost,
        }
    }
}

/// The policy of who never retries, by the name that scenarios use.
const NONE: &str = "none";

/// A caller's policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included; 1 is no retry.
    pub attempts: u8,
    /// The first wait.
    pub base: Duration,
    /// The first wait after a throttle.
    pub base_throttled: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// Growth of the wait from one retry to the next.
    pub factor: f64,
    /// Its spread.
    pub jitter: Jitter,
    /// The budget, if there is one.
    pub budget: Option<BudgetPlan>,
    /// Whether throttles also limit the rate of all calls.
    pub adaptive: bool,
}

impl RetryPolicy {
    /// Never retries.
    pub const NONE: Self = Self {
        attempts: 1,
        base: Duration::ZERO,
        base_throttled: Duration::ZERO,
        cap: Duration::ZERO,
        factor: 2.0,
        jitter: Jitter::None,
        budget: None,
        adaptive: false,
    };

    /// The wait before attempt `attempt` (1 is the first retry), for a call with this luck.
    pub fn backoff(&self, attempt: u8, after: Status, luck: Luck) -> Duration {
        let base = if after == Status::Throttled {
            self.base_throttled
        } else {
            self.base
        };
        let grown = base.0 as f64 * libm::pow(self.factor, f64::from(attempt.saturating_sub(1)));
        let full = grown.min(self.cap.0 as f64);
        let u = unit(&mut luck.dice(BACKOFF_STEP + u64::from(attempt)));
        Duration::from_nanos_f64(match self.jitter {
            Jitter::None => full,
            Jitter::Equal => full * (0.5 + 0.5 * u),
            Jitter::Full => full * u,
            Jitter::Exponential => -libm::log(1.0 - u) * full,
        })
    }
}

/// The step of a request's luck that its backoffs are drawn from; far from handler steps.
const BACKOFF_STEP: u64 = Purpose::Backoff.step();

const BUDGET: Table = Table {
    name: "retry budget",
    doc: "A token bucket that stops retries when most of them fail.",
    fields: &[
        Field::default("capacity", Kind::Number, "500", "Tokens at the start, and at most.")
            .at_least(0.0)
            .source("botocore, standard retry quota: 500 tokens"),
        Field::default("cost", Kind::Number, "5", "Tokens that a retry takes.")
            .at_least(0.0)
            .source("botocore, standard retry quota: 5 tokens for a retry"),
        Field::default(
            "cost_timeout",
            Kind::Number,
            "10",
            "Tokens that a retry after a time-out takes.",
        )
        .at_least(0.0)
        .source("botocore, standard retry quota: 10 tokens after a time-out"),
        Field::optional(
            "cost_throttled",
            Kind::Number,
            "Tokens that a retry after a throttle (429) takes; as `cost` if absent.",
        )
        .at_least(0.0),
        Field::default(
            "refund",
            Kind::Number,
            "1",
            "Tokens that a success at the first attempt gives back; one after a retry gives back what that took.",
        )
        .at_least(0.0),
    ],
};

/// The fields of a retry policy that is written out.
pub const TABLE: Table = Table {
    name: "retry policy",
    doc: "How a caller tries again: a name such as `aws-sdk-standard` or `none`, or a block with these fields.",
    fields: &[
        Field::default("attempts", Kind::Count, "3", "Attempts in all, the first one included.")
            .within(1.0, 100.0)
            .source("AWS SDKs and Tools Reference Guide, retry behavior: three attempts in standard mode"),
        Field::default(
            "base",
            Kind::Duration,
            "100 ms",
            "Wait before the first retry; it doubles from there.",
        )
        .source("assumed; named policies have those of their SDK"),
        Field::optional(
            "base_throttled",
            Kind::Duration,
            "The same after a throttle (429); as `base` if absent.",
        ),
        Field::default("cap", Kind::Duration, "20 s", "The longest wait.")
            .source("AWS SDKs and Tools Reference Guide, retry behavior: 20 s at most"),
        Field::default(
            "factor",
            Kind::Number,
            "2",
            "Growth of the wait from one retry to the next.",
        )
        .at_least(1.0)
        .source("AWS SDKs and Tools Reference Guide, retry behavior: base 2"),
        Field::default(
            "jitter",
            Kind::Choice(&["full", "equal", "none", "exponential"]),
            "full",
            "How waits are spread: uniform from nothing, uniform from half, not at all, exponential with that mean.",
        ),
        Field::optional("budget", Kind::Block(&BUDGET), "Limits retries when most of them fail."),
        Field::default(
            "adaptive",
            Kind::Flag,
            "false",
            "Whether throttles limit the rate of all calls of this caller, first attempts included, until they stop.",
        )
        .source("botocore retries/adaptive.py, throttling.py, bucket.py"),
    ],
};

impl RetryPolicy {
    /// Reads a policy: a name, or a block.
    pub fn read(cx: &Context, node: &Node) -> Self {
        let Some(name) = node.scalar() else {
            return Self::read_block(&Block::new(cx, node, &TABLE));
        };
        if name == NONE {
            return Self::NONE;
        }
        if let Some(named) = cx.catalog.of_kind(RETRY).find(|named| named.name == name) {
            return Self::read_block(&Block::new(cx, named.preset(), &TABLE));
        }
        let named = cx.catalog.of_kind(RETRY).map(|named| named.name.as_str());
        let names: Vec<&str> = std::iter::once(NONE).chain(named).collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "write one of {}, or a block with `attempts` and `base`",
                names.join(", ")
            ),
        };
        cx.error(
            Code::UnknownChoice,
            node.span,
            format!("no retry policy is called `{name}`"),
            help,
        );
        Self::NONE
    }

    fn read_block(block: &Block) -> Self {
        let base = block.duration("base");
        Self {
            attempts: fit(block.count("attempts")),
            base,
            base_throttled: block.duration_opt("base_throttled").unwrap_or(base),
            cap: block.duration("cap"),
            factor: block.number("factor"),
            jitter: [Jitter::Full, Jitter::Equal, Jitter::None, Jitter::Exponential][block.choice("jitter")],
            budget: block.block("budget").map(|budget| BudgetPlan {
                capacity: budget.number("capacity"),
                cost: budget.number("cost"),
                cost_timeout: budget.number("cost_timeout"),
                cost_throttled: budget.number_opt("cost_throttled").unwrap_or(budget.number("cost")),
                refund: budget.number("refund"),
            }),
            adaptive: block.flag("adaptive"),
        }
    }
}

/// What is left of a caller's budget, and what became of its calls.
#[derive(Clone, Debug)]
pub struct Retrier {
    policy: RetryPolicy,
    tokens: f64,
    retries: u64,
    refused: u64,
}

impl Retrier {
    /// A full budget.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            tokens: policy.budget.map_or(0.0, |b| b.capacity),
            retries: 0,
            refused: 0,
        }
    }

    /// Decides when an attempt has ended: the wait before the next one, or `None` for giving up. Keeps the budget.
    #[inline]
    pub fn after(&mut self, ended: &Request) -> Option<Duration> {
        if ended.status.is_ok() {
            if let Some(budget) = self.policy.budget {
                let back = if ended.attempt > 0 {
                    budget.cost_after(ended.before)
                } else {
                    budget.refund
                };
                self.tokens = (self.tokens + back).min(budget.capacity);
            }
            return None;
        }
        self.after_failure(ended)
    }

    #[cold]
    fn after_failure(&mut self, ended: &Request) -> Option<Duration> {
        // What the caller's own breaker refused is not tried again: it ends at once.
        if ended.attempt + 1 >= self.policy.attempts || ended.status == Status::BreakerOpen {
            return None;
        }
        if let Some(budget) = self.policy.budget {
            let cost = budget.cost_after(ended.status);
            if self.tokens < cost {
                self.refused += 1;
                return None;
            }
            self.tokens -= cost;
        }
        self.retries += 1;
        Some(self.policy.backoff(ended.attempt + 1, ended.status, ended.luck))
    }

    /// Forgets what was counted: the warm-up is over.
    pub fn reset(&mut self) {
        (self.retries, self.refused) = (0, 0);
    }
}

/// Reports the retries of a caller's calls, if it ever tries again.
pub fn observe(component: u32, retriers: &[Retrier], out: &mut Vec<Observation>) {
    let mut push = |metric, value| {
        out.push(Observation {
            component,
            metric,
            value: Value::Count(value),
        });
    };
    if retriers.iter().any(|retrier| retrier.policy.attempts > 1) {
        push("retries", retriers.iter().map(|retrier| retrier.retries).sum());
    }
    if retriers.iter().any(|retrier| retrier.policy.budget.is_some()) {
        push(
            "retries.budget_empty",
            retriers.iter().map(|retrier| retrier.refused).sum(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::whole;
    use crate::scenario::{Catalog, Diagnostics, Names, NoFiles, Sources, parse};

    /// The policy of this name with a catalog of one's own above the embedded one, and what was reported.
    fn policy_of(name: &str, own: &str) -> (RetryPolicy, String) {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let mut catalog = Catalog::default();
        if !own.is_empty() {
            let file = sources.add("own.yaml", own);
            catalog.add(file, &sources, &diagnostics);
        }
        for service in Catalog::load(None, &mut sources, &diagnostics).services() {
            catalog.push(service.clone());
        }
        let file = sources.add("test.yaml", name);
        let node = parse(&sources, file, &diagnostics).expect("YAML");
        let cx = Context {
            diagnostics: &diagnostics,
            names: &Names::default(),
            files: &NoFiles,
            catalog: &catalog,
        };
        let policy = RetryPolicy::read(&cx, &node);
        (policy, diagnostics.render(&sources, false))
    }

    fn policy(name: &str) -> RetryPolicy {
        let (policy, problems) = policy_of(name, "");
        assert_eq!(problems, "", "{name}");
        policy
    }

    /// What botocore and smithy say, by hand: attempts, base, base after a throttle, cap, budget and its costs.
    #[test]
    fn the_policies_of_the_catalog_are_those_of_the_sdks() {
        let (second, ms) = (Duration::from_secs(1), Duration::from_millis);
        let standard = RetryPolicy {
            attempts: 3,
            base: second,
            base_throttled: second,
            cap: Duration::from_secs(20),
            factor: 2.0,
            jitter: Jitter::Full,
            budget: Some(BudgetPlan {
                capacity: 500.0,
                cost: 5.0,
                cost_timeout: 10.0,
                cost_throttled: 5.0,
                refund: 1.0,
            }),
            adaptive: false,
        };
        assert_eq!(policy("none"), RetryPolicy::NONE);
        assert_eq!(policy("aws-sdk-standard"), standard);
        let adaptive = policy("aws-sdk-adaptive");
        assert!(
            adaptive.adaptive
                && adaptive
                    == RetryPolicy {
                        adaptive: true,
                        ..standard
                    }
        );
        let bases = |name| {
            let policy = policy(name);
            (policy.attempts, policy.base, policy.base_throttled, policy.jitter)
        };
        assert_eq!(bases("aws-sdk-legacy"), (5, second, second, Jitter::Full));
        assert_eq!(bases("aws-sdk-legacy-dynamodb"), (10, ms(50), ms(50), Jitter::None));
        assert_eq!(bases("aws-sdk-2026"), (3, ms(50), second, Jitter::Full));
        assert_eq!(bases("aws-sdk-2026-dynamodb"), (4, ms(25), second, Jitter::Full));
        assert_eq!(bases("aws-sdk-js-v3"), (3, ms(100), ms(500), Jitter::Full));
        let costs = |name| policy(name).budget.map(|b| (b.cost, b.cost_timeout, b.cost_throttled));
        assert_eq!(costs("aws-sdk-js-v3"), Some((5.0, 10.0, 5.0)));
        assert_eq!(costs("aws-sdk-2026"), Some((14.0, 14.0, 5.0)));
        assert_eq!(costs("aws-sdk-2026-dynamodb"), Some((14.0, 14.0, 5.0)));
        // The legacy policies have no cap: their longest waits come as they grow.
        for (name, longest) in [("aws-sdk-legacy", 8), ("aws-sdk-legacy-dynamodb", 13)] {
            let policy = policy(name);
            assert!(
                policy.budget.is_none() && policy.cap > Duration::from_secs(longest),
                "{name}"
            );
        }
    }

    #[test]
    fn a_catalog_of_ones_own_adds_policies_and_replaces_them() {
        let own = |name: &str, attempts: &str| {
            let attempts = format!("attempts: {{ value: {attempts}, source: ours }}");
            format!("service: {name}\nkind: retry\ntitle: ours\ndefaults:\n  {attempts}\n")
        };
        let (added, problems) = policy_of("acme-sdk", &own("acme-sdk", "7"));
        assert_eq!(
            (added.attempts, added.base, problems.as_str()),
            (7, Duration::from_millis(100), "")
        );
        let (replaced, problems) = policy_of("aws-sdk-standard", &own("aws-sdk-standard", "2"));
        assert_eq!((replaced.attempts, replaced.budget, problems.as_str()), (2, None, ""));
        let (_, problems) = policy_of("acme-sdk", &own("acme-sdk", "0"));
        assert!(problems.contains("own.yaml:5"), "{problems}");
        let (_, problems) = policy_of("acme-sdc", &own("acme-sdk", "7"));
        assert!(problems.contains("did you mean `acme-sdk`?"), "{problems}");
        let (_, problems) = policy_of("aws.lambda", "");
        assert!(
            problems.contains("no retry policy is called `aws.lambda`"),
            "{problems}"
        );
    }

    #[test]
    fn waits_grow_to_the_cap_and_jitter_stays_below() {
        let plain = RetryPolicy {
            jitter: Jitter::None,
            attempts: 9,
            ..policy("aws-sdk-2026")
        };
        let wait = |n| plain.backoff(n, Status::Failed, Luck(3)).0 / 1_000_000;
        assert_eq!([wait(1), wait(2), wait(3)], [50, 100, 200]);
        assert_eq!(plain.backoff(1, Status::Throttled, Luck(3)), Duration::from_secs(1));
        assert_eq!(plain.backoff(9, Status::Throttled, Luck(3)), Duration::from_secs(20));
        let full = policy("aws-sdk-standard");
        let mean: f64 = (0..10_000)
            .map(|i| full.backoff(1, Status::Failed, Luck(i)).as_secs_f64())
            .sum::<f64>()
            / 10_000.0;
        assert!(
            (mean - 0.5).abs() < 4.0 * (1.0 / 12.0_f64).sqrt() / 100.0,
            "mean {mean}"
        );
    }

    /// Attempt number `attempt` ended with `status`, the one before it with `before`.
    fn ended(attempt: u8, before: Status, status: Status) -> Request {
        let mut request = Request::default();
        (request.status, request.attempt, request.before) = (status, attempt, before);
        request
    }

    const FIRST: (u8, Status) = (0, Status::Ok);

    fn after(retrier: &mut Retrier, (attempt, before): (u8, Status), status: Status) -> bool {
        retrier.after(&ended(attempt, before, status)).is_some()
    }

    #[test]
    fn the_budget_stops_a_storm() {
        let mut retrier = Retrier::new(policy("aws-sdk-standard"));
        let retries = (0..1_000)
            .filter(|_| after(&mut retrier, FIRST, Status::Failed))
            .count();
        assert_eq!(retries, 100, "500 tokens at 5 each");
        assert_eq!((retrier.retries, retrier.refused), (100, 900));
        for _ in 0..5 {
            assert!(!after(&mut retrier, FIRST, Status::Ok));
        }
        assert!(
            after(&mut retrier, FIRST, Status::Failed),
            "five successes pay for one retry"
        );
        assert!(!after(&mut retrier, FIRST, Status::Failed));
    }

    #[test]
    fn a_success_gives_back_what_its_own_retry_took() {
        let tokens = |retrier: &Retrier| whole(retrier.tokens);
        for (name, before, taken) in [
            ("aws-sdk-standard", Status::TimedOut, 10),
            ("aws-sdk-standard", Status::Throttled, 5),
            ("aws-sdk-standard", Status::Unavailable, 5),
            ("aws-sdk-2026", Status::TimedOut, 14),
            ("aws-sdk-2026", Status::Failed, 14),
            ("aws-sdk-2026", Status::Throttled, 5),
        ] {
            let mut retrier = Retrier::new(policy(name));
            // Two retries, of which the second succeeds: what the first took stays taken.
            assert!(after(&mut retrier, FIRST, before));
            assert_eq!(tokens(&retrier), 500 - taken, "{name} after {before:?}");
            assert!(after(&mut retrier, (1, before), Status::Failed));
            let left = tokens(&retrier);
            assert!(!after(&mut retrier, (2, Status::Failed), Status::Ok));
            assert_eq!(
                tokens(&retrier) - left,
                policy(name).budget.map_or(0, |b| whole(b.cost))
            );
            let mut retrier = Retrier::new(policy(name));
            assert!(after(&mut retrier, FIRST, before));
            assert!(!after(&mut retrier, (1, before), Status::Ok));
            assert_eq!(tokens(&retrier), 500, "{name} after {before:?}");
        }
    }

    #[test]
    fn attempts_are_counted_with_the_first() {
        let mut retrier = Retrier::new(policy("aws-sdk-legacy"));
        assert!(after(&mut retrier, (3, Status::Failed), Status::Failed));
        assert!(!after(&mut retrier, (4, Status::Failed), Status::Failed));
        assert!(
            !after(&mut retrier, FIRST, Status::BreakerOpen),
            "its own breaker refused it"
        );
        assert!(!after(&mut Retrier::new(RetryPolicy::NONE), FIRST, Status::Failed));
    }
}
