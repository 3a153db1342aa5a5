//! A call that a handler makes, as it was planned.

use super::guard::Guarding;
use super::operation::Operation;
use super::retry::RetryPolicy;
use crate::kernel::{Duration, Sampler};
use crate::model::request::id::GuardId;
use crate::scenario::Target;

/// A call that a handler makes.
#[derive(Clone, Debug, PartialEq)]
pub struct CallPlan {
    /// Whom.
    pub to: Target,
    /// How long it waits for the answer of one attempt ([`Duration::FOREVER`] for as long as it takes).
    pub timeout: Duration,
    /// How it retries.
    pub retry: RetryPolicy,
    /// What stands between caller and called, and the number of that.
    pub guarding: Guarding,
    /// See [`CallPlan::guarding`].
    pub guard: Option<GuardId>,
    /// Whether it has guards, or somebody looks at what travels with requests.
    pub careful: bool,
    /// Whether what it asks for may lead to something that nobody waits for.
    pub follows: bool,
    /// Whether the handler goes on when the call fails in the end.
    pub optional: bool,
    /// What a database has to do for it, as CPU time on one core; `None` for that database's usual query.
    pub demand: Option<Sampler>,
    /// What a store or an external service has to do for it.
    pub operation: Operation,
    /// Bytes of what is sent.
    pub payload: Option<Sampler>,
}
