//! A function, checked: everything that stays the same while the simulation runs.

use super::asynchronous::AsyncPlan;
use super::changes::Dated;
use super::pool::Choice;
use super::scaled::plan::Platform;
use crate::kernel::{Duration, Instant, Sampler};
use crate::model::handler::run::Program;
use crate::model::parts::initial::Initial;
use crate::model::parts::tracking::TrackingPlan;
use crate::model::parts::transfer::TransferPlan;
use crate::model::request::id::Id;
use crate::model::request::kind::ACCOUNT;

/// Instances that are kept ready.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvisionedPlan {
    /// How many at the start; they are ready when the run begins.
    pub count: u64,
    /// Changes: from this instant on so many are wanted, ascending; repeated every `period` if there is one.
    pub schedule: Vec<(Instant, u64)>,
    /// What the changes are by the calendar, if all of them come by it and nothing else moves the count.
    pub dated: Option<Dated>,
    /// After how long the schedule begins again.
    pub period: Option<Duration>,
    /// A policy that moves the count with its utilisation.
    pub tracking: Option<TrackingPlan>,
    /// From asking for more to using them.
    pub preparation: Sampler,
}

/// Instances that are replaced all at once, or over a while: a deploy, or the platform's maintenance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recycle {
    /// When.
    pub at: Instant,
    /// How often again, if at all.
    pub every: Option<Duration>,
    /// Over how long each instance's own moment is spread.
    pub spread: Duration,
    /// The share of instances that it meets.
    pub share: f64,
    /// How often it comes in a month, if that is said and it does not come again by itself.
    pub per_month: Option<f64>,
}

/// Functions whose utilisation decides, who pays for what and how: see the module [`super`].
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionPlan {
    /// Its number among all components.
    pub component: u32,
    /// Its name's part of every stream key.
    pub name: String,
    /// The account whose concurrency it uses; `None` for platforms without such a pool.
    pub account: Option<Id<ACCOUNT>>,
    /// Memory in MB (2^20 bytes).
    pub memory_mb: u64,
    /// Virtual CPUs that the memory comes with.
    pub vcpus: f64,
    /// The longest that one invocation may take.
    pub timeout: Duration,
    /// What it does.
    pub program: Program,
    /// Requests that one instance serves at once.
    pub concurrency_per_instance: u16,
    /// Cold start: room, sandbox, code.
    pub placement: Sampler,
    /// Cold start: runtime and initialisation code.
    pub init: Sampler,
    /// Cold start: what dependencies and start-up code of one's own add to the runtime's init.
    pub code_init: Sampler,
    /// An init longer than this is done again inside the first invocation.
    pub init_limit: Duration,
    /// How long an idle instance is kept.
    pub idle_timeout: Sampler,
    /// Instances that are warm when the run begins.
    pub initial: Initial,
    /// How old an instance may become.
    pub maximum_age: Option<Sampler>,
    /// Which available instance serves.
    pub choice: Choice,
    /// Concurrency set aside for it, which also caps it.
    pub reserved: Option<u64>,
    /// Instances at most.
    pub maximum_instances: Option<u64>,
    /// New instances: at once, and per second after that.
    pub scaling: Option<(u64, f64)>,
    /// Requests a second at most, per unit of the concurrency that it may use.
    pub requests_per_second_factor: Option<f64>,
    /// Instances kept ready.
    pub provisioned: Option<ProvisionedPlan>,
    /// Mass replacements.
    pub recycles: Vec<Recycle>,
    /// Probability that an invocation fails after doing its work.
    pub failure: f64,
    /// Whether cold-start initialisation is billed.
    pub init_billed: bool,
    /// Billed time is rounded up to a multiple of this.
    pub billing_step: Duration,
    /// Least billed time of one invocation.
    pub billing_minimum: Duration,
    /// Scratch disk above what is free, in MB.
    pub ephemeral_mb: u64,
    /// Log text per invocation, in bytes.
    pub log_bytes: u64,
    /// What an invocation moves over lines that cost money.
    pub transfer: TransferPlan,
    /// How it is invoked by those who do not wait.
    pub asynchronous: AsyncPlan,
    /// What its platform does otherwise than another.
    pub platform: Platform,
    /// The largest request that it takes.
    pub payload_limit: Option<u64>,
    /// Availability zones that its instances are in.
    pub zones: u16,
    /// Whether its handler talks to databases (its instances then hold sessions).
    pub holds_sessions: bool,
}

impl FunctionPlan {
    /// How many times longer computing takes than at one full vCPU, for a handler that computes in one thread: no
    /// faster above one vCPU.
    pub fn cpu_factor(&self) -> f64 {
        (1.0 / self.vcpus).max(1.0)
    }

    /// Concurrency that the account sets aside for it.
    pub fn set_aside(&self) -> u64 {
        self.reserved.unwrap_or(0).max(self.provisioned_most())
    }

    /// Reserved concurrency that is left for running on demand beside the provisioned instances, which are a part of
    /// it.
    pub fn reserved_on_demand(&self) -> u64 {
        self.reserved.unwrap_or(0).saturating_sub(self.provisioned_most())
    }

    /// The most instances that are ever provisioned.
    fn provisioned_most(&self) -> u64 {
        self.provisioned.as_ref().map_or(0, |p| {
            let scheduled = p.schedule.iter().map(|change| change.1).max().unwrap_or(0);
            let tracked = p.tracking.map_or(0, |t| t.maximum);
            p.count.max(scheduled).max(tracked)
        })
    }

    /// Billed milliseconds of an invocation that took this long.
    #[inline]
    pub fn billed_ms(&self, duration: Duration) -> u64 {
        let least = Duration(duration.0.max(self.billing_minimum.0));
        if self.billing_step == Duration::from_millis(1) {
            // The rule as a rule, and a division by a constant.
            return least.millis_ceil();
        }
        let step = self.billing_step.0.max(1);
        Duration(least.0.div_ceil(step) * step).millis_ceil()
    }
}
