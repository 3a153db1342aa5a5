//! A fleet, checked: everything that stays the same while the simulation runs.

use super::balancer::Dispatch;
use super::shedding::SheddingPlan;
use crate::kernel::number::whole;
use crate::kernel::{Duration, Sampler};
use crate::model::handler::run::Program;
use crate::model::parts::tracking::TrackingPlan;
use crate::model::parts::transfer::TransferPlan;

/// What a machine type comes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// Virtual CPUs.
    pub vcpus: f64,
    /// Memory in MB (2^20 bytes).
    pub memory_mb: u64,
    /// The share of each CPU that a burstable machine may use in the long run without surplus; `None` for all others.
    pub baseline: Option<f64>,
}

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// Whole machines.
    Instance,
    /// The virtual CPUs and the memory of each task.
    Task,
}

impl Billing {
    /// The names in scenarios, in the order of [`Billing::ALL`].
    pub const NAMES: &'static [&'static str] = &["instance", "task"];
    /// Both.
    pub const ALL: [Self; 2] = [Self::Instance, Self::Task];
}

/// What the autoscaler holds at its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Mean CPU utilisation.
    Cpu,
    /// Requests a second for each instance in service.
    Requests,
}

/// An autoscaler, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScalingPlan {
    /// What it looks at.
    pub metric: Metric,
    /// What it makes of it.
    pub tracking: TrackingPlan,
}

/// What a fleet must achieve: whoever runs the plan looks for the smallest count that does and writes it into
/// [`FleetPlan::count`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeGoal {
    /// The 99th percentile of the latency of its requests, at most.
    pub p99: Option<Duration>,
    /// Mean CPU utilisation, at most, as a share of one.
    pub utilisation: Option<f64>,
    /// Fewest instances.
    pub minimum: u64,
}

/// A fleet whose instances share the requests of one balancer, see the module [`super`].
#[derive(Clone, Debug, PartialEq)]
pub struct FleetPlan {
    /// Its number among all components.
    pub component: u32,
    /// Its name's part of every stream key.
    pub name: String,
    /// Instances in service when the run begins, and all along unless they are scaled. At least one.
    pub count: u64,
    /// What decides the count before the run.
    pub size: Option<SizeGoal>,
    /// What changes the count during the run.
    pub scaling: Option<ScalingPlan>,
    /// Virtual CPUs of an instance; may be a fraction of one.
    pub vcpus: f64,
    /// How fast one of them is; 1 is a full vCPU of a function.
    pub speed: f64,
    /// Memory of an instance in MB (2^20 bytes).
    pub memory_mb: u64,
    /// The long-run share of each CPU that is free of surplus charges; `None` where there are none.
    pub baseline: Option<f64>,
    /// Requests that an instance works on at once; `u32::MAX` for any number.
    pub slots: u32,
    /// Requests that may wait for a slot of an instance; `u64::MAX` for any number.
    pub queue: u64,
    /// When it refuses requests although they might wait.
    pub shedding: Option<SheddingPlan>,
    /// Which instance a request goes to.
    pub dispatch: Dispatch,
    /// From the decision to launch an instance to its first request.
    pub boot: Sampler,
    /// How many instances may be launched at once, and how many more a second; any number if absent.
    pub launches: Option<(u64, f64)>,
    /// What it does for each request.
    pub program: Program,
    /// Probability that a request fails after its work is done.
    pub failure: f64,
    /// Availability zones that its instances are spread over.
    pub zones: u16,
    /// What is paid for.
    pub billing: Billing,
    /// Least billed time of an instance.
    pub billing_minimum: Duration,
    /// Billed disk of an instance in MB.
    pub disk_mb: u64,
    /// Whether each instance has a public address.
    pub public_ipv4: bool,
    /// Bytes of log text that a request writes.
    pub log_bytes: u64,
    /// What a request moves over lines that cost money.
    pub transfer: TransferPlan,
}

impl FleetPlan {
    /// Thousandths of a virtual CPU that an instance has.
    pub fn vcpu_milli(&self) -> u64 {
        whole((self.vcpus * 1000.0).round())
    }
}
