//! How callers retry: a limited number of attempts, exponential backoff with jitter, and a budget that stops retries
//! when most of them fail, as the AWS SDKs ship them.
//!
//! Model: attempt n waits min(cap, base x factor^n), jittered, before it starts; throttles (429) may have a longer
//! base. The budget is a token bucket shared by all calls of one caller: a retry takes tokens, a success gives back.
//! Not modelled: adaptive mode, server-sent retry-after.
//! Units: waits in nanoseconds, the budget in tokens.
//! Sources: botocore `retries/standard.py` and its legacy mode; AWS Architecture Blog, "Exponential Backoff And Jitter"
//! (2015); Brooker, "Fixing retries with token buckets and circuit breakers" (2022).
//! Validated by: waits and budgets by hand below; retries of whole systems in tests/properties.rs.

use super::request::Status;
use crate::kernel::stream::unit;
use crate::kernel::{Duration, Luck};
use crate::scenario::{Block, Code, Context, Field, Kind, Node, Table, nearest};

/// How a waiting time is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Exactly the backoff.
    None,
    /// Uniform between half of it and all of it.
    Equal,
    /// Uniform between nothing and all of it.
    Full,
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
    /// What a first-attempt success gives back (a success after a retry gives back what that retry took).
    pub refund: f64,
}

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
    };

    /// The policies that SDKs ship, by the name that scenarios use.
    pub const NAMED: [(&'static str, Self); 5] = [
        ("none", Self::NONE),
        (
            // botocore "standard": 3 attempts, U(0,1) x min(2^(i-1), 20) s, quota 500, cost 5 (10 after a time-out).
            "aws-sdk-standard",
            Self {
                attempts: 3,
                base: Duration::from_secs(1),
                base_throttled: Duration::from_secs(1),
                cap: Duration::from_secs(20),
                factor: 2.0,
                jitter: Jitter::Full,
                budget: Some(BudgetPlan {
                    capacity: 500.0,
                    cost: 5.0,
                    cost_timeout: 10.0,
                    refund: 1.0,
                }),
            },
        ),
        (
            // botocore "legacy": 5 attempts, U(0,1) x 2^(i-1) s, no quota.
            "aws-sdk-legacy",
            Self {
                attempts: 5,
                base: Duration::from_secs(1),
                base_throttled: Duration::from_secs(1),
                cap: Duration::FOREVER,
                factor: 2.0,
                jitter: Jitter::Full,
                budget: None,
            },
        ),
        (
            // botocore with AWS_NEW_RETRIES_2026: 50 ms, 1 s after throttles, cost 14 (5 after throttles).
            "aws-sdk-2026",
            Self {
                attempts: 3,
                base: Duration::from_millis(50),
                base_throttled: Duration::from_secs(1),
                cap: Duration::from_secs(20),
                factor: 2.0,
                jitter: Jitter::Full,
                budget: Some(BudgetPlan {
                    capacity: 500.0,
                    cost: 14.0,
                    cost_timeout: 14.0,
                    refund: 1.0,
                }),
            },
        ),
        (
            // AWS SDK for JavaScript v3 (smithy): 100 ms, 500 ms after throttles.
            "aws-sdk-js-v3",
            Self {
                attempts: 3,
                base: Duration::from_millis(100),
                base_throttled: Duration::from_millis(500),
                cap: Duration::from_secs(20),
                factor: 2.0,
                jitter: Jitter::Full,
                budget: Some(BudgetPlan {
                    capacity: 500.0,
                    cost: 5.0,
                    cost_timeout: 10.0,
                    refund: 1.0,
                }),
            },
        ),
    ];

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
        })
    }
}

/// The step of a request's luck that its backoffs are drawn from; far from handler steps.
const BACKOFF_STEP: u64 = 1 << 40;

const BUDGET: Table = Table {
    name: "retry budget",
    doc: "A token bucket that stops retries when most of them fail.",
    fields: &[
        Field::default("capacity", Kind::Number, "500", "Tokens at the start, and at most.").at_least(0.0),
        Field::default("cost", Kind::Number, "5", "Tokens that a retry takes.").at_least(0.0),
        Field::default(
            "cost_timeout",
            Kind::Number,
            "10",
            "Tokens that a retry after a time-out takes.",
        )
        .at_least(0.0),
        Field::default(
            "refund",
            Kind::Number,
            "1",
            "Tokens that a success at the first attempt gives back.",
        )
        .at_least(0.0),
    ],
};

/// The fields of a retry policy that is written out.
pub const TABLE: Table = Table {
    name: "retry policy",
    doc: "How a caller tries again: a name such as `aws-sdk-standard` or `none`, or a block with these fields.",
    fields: &[
        Field::default("attempts", Kind::Count, "3", "Attempts in all, the first one included.").within(1.0, 100.0),
        Field::default(
            "base",
            Kind::Duration,
            "100 ms",
            "Wait before the first retry; it doubles from there.",
        ),
        Field::optional(
            "base_throttled",
            Kind::Duration,
            "The same after a throttle (429); as `base` if absent.",
        ),
        Field::default("cap", Kind::Duration, "20 s", "The longest wait."),
        Field::default(
            "factor",
            Kind::Number,
            "2",
            "Growth of the wait from one retry to the next.",
        )
        .at_least(1.0),
        Field::default(
            "jitter",
            Kind::Choice(&["full", "equal", "none"]),
            "full",
            "How waits are spread.",
        ),
        Field::optional("budget", Kind::Block(&BUDGET), "Limits retries when most of them fail."),
    ],
};

impl RetryPolicy {
    /// Reads a policy: a name, or a block.
    pub fn read(cx: &Context, node: &Node) -> Self {
        let Some(name) = node.scalar() else {
            return Self::read_block(&Block::new(cx, node, &TABLE));
        };
        if let Some((_, policy)) = Self::NAMED.iter().find(|named| named.0 == name) {
            return *policy;
        }
        let names = Self::NAMED.map(|named| named.0);
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
            attempts: block.count("attempts") as u8,
            base,
            base_throttled: block.duration_opt("base_throttled").unwrap_or(base),
            cap: block.duration("cap"),
            factor: block.number("factor"),
            jitter: [Jitter::Full, Jitter::Equal, Jitter::None][block.choice("jitter")],
            budget: block.block("budget").map(|budget| BudgetPlan {
                capacity: budget.number("capacity"),
                cost: budget.number("cost"),
                cost_timeout: budget.number("cost_timeout"),
                refund: budget.number("refund"),
            }),
        }
    }
}

/// What is left of a caller's budget.
#[derive(Clone, Debug)]
pub struct Retrier {
    policy: RetryPolicy,
    tokens: f64,
}

impl Retrier {
    /// A full budget.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            tokens: policy.budget.map_or(0.0, |b| b.capacity),
        }
    }

    /// Decides after attempt number `attempt` (0 is the first) ended with `status`: the wait before the next one, or
    /// `None` for giving up. Keeps the budget.
    #[inline]
    pub fn after(&mut self, attempt: u8, status: Status, luck: Luck) -> Option<Duration> {
        if status.is_ok() {
            if let Some(budget) = self.policy.budget {
                let back = if attempt > 0 { budget.cost } else { budget.refund };
                self.tokens = (self.tokens + back).min(budget.capacity);
            }
            return None;
        }
        if attempt + 1 >= self.policy.attempts {
            return None;
        }
        if let Some(budget) = self.policy.budget {
            let timed_out = matches!(status, Status::TimedOut | Status::GatewayTimeout);
            let cost = if timed_out { budget.cost_timeout } else { budget.cost };
            if self.tokens < cost {
                return None;
            }
            self.tokens -= cost;
        }
        Some(self.policy.backoff(attempt + 1, status, luck))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> RetryPolicy {
        RetryPolicy::NAMED.iter().find(|p| p.0 == name).unwrap().1
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

    #[test]
    fn the_budget_stops_a_storm() {
        let mut retrier = Retrier::new(policy("aws-sdk-standard"));
        let retries = (0..1_000)
            .filter(|&i| retrier.after(0, Status::Failed, Luck(i)).is_some())
            .count();
        assert_eq!(retries, 100, "500 tokens at 5 each");
        for _ in 0..5 {
            assert_eq!(retrier.after(0, Status::Ok, Luck(0)), None);
        }
        assert!(
            retrier.after(0, Status::Failed, Luck(0)).is_some(),
            "five successes pay for one retry"
        );
        assert!(retrier.after(0, Status::Failed, Luck(0)).is_none());
    }

    #[test]
    fn attempts_are_counted_with_the_first() {
        let mut retrier = Retrier::new(policy("aws-sdk-legacy"));
        assert!(retrier.after(3, Status::Failed, Luck(0)).is_some());
        assert!(retrier.after(4, Status::Failed, Luck(0)).is_none());
        assert!(
            Retrier::new(RetryPolicy::NONE)
                .after(0, Status::Failed, Luck(0))
                .is_none()
        );
    }
}
