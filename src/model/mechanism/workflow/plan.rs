//! A workflow, checked: states are numbers, every arrow leads somewhere, and nothing changes while the simulation runs.

use crate::kernel::stream::unit;
use crate::kernel::{Duration, Luck, Sampler};
use crate::model::request::entry::Status;
use crate::model::request::id::Id;
use crate::model::request::kind::ACCOUNT;
use crate::scenario::Target;

/// The arrow that leads out: the scope (execution, branch or item) ends here.
pub const END: u16 = u16::MAX;

/// Most states of one workflow, those of its branches included.
pub const STATES_MAX: usize = 10_000;

/// Most retriers of one state.
pub const RETRIERS_MAX: usize = 8;

/// A set of the ways in which a state can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errors(pub u8);

impl Errors {
    /// The words of scenarios, each with the statuses that it means.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("all", Self(0b1111)),
        ("task_failed", Self(0b0111)),
        ("failed", Self(0b0001)),
        ("throttled", Self(0b0010)),
        ("unavailable", Self(0b0100)),
        ("timed_out", Self(0b1000)),
    ];

    /// Whether a state that ended like this is meant.
    pub fn contains(self, status: Status) -> bool {
        let bit = match status {
            Status::Ok => 0,
            Status::Failed | Status::BadGateway | Status::TooLarge => 0b0001,
            Status::Throttled => 0b0010,
            Status::Unavailable | Status::GatewayTimeout | Status::BreakerOpen => 0b0100,
            Status::TimedOut => 0b1000,
        };
        self.0 & bit != 0
    }
}

/// How a state that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrierPlan {
    /// After which errors.
    pub errors: Errors,
    /// The wait before the first retry.
    pub interval: Duration,
    /// Retries at most; the first try is not one.
    pub attempts: u32,
    /// Growth of the wait from one retry to the next.
    pub backoff_rate: f64,
    /// The longest wait.
    pub max_delay: Duration,
    /// Whether the wait is drawn between nothing and all of it.
    pub full_jitter: bool,
}

impl RetrierPlan {
    /// The wait before retry number `retry` (0 is the first).
    pub fn wait(&self, retry: u32, luck: Luck, step: u64) -> Duration {
        let grown = self.interval.0 as f64 * libm::pow(self.backoff_rate, f64::from(retry));
        let full = grown.min(self.max_delay.0 as f64);
        Duration::from_nanos_f64(if self.full_jitter {
            full * unit(&mut luck.dice(step))
        } else {
            full
        })
    }
}

/// When a rule of a choice holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// On the first so many visits within one execution, branch or item.
    First(u32),
    /// If the draw, uniform on [0, 1), lies below this: probabilities are summed over the rules before it.
    Below(f64),
    /// Always.
    Otherwise,
}

/// One rule of a choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// When it holds.
    pub when: When,
    /// The state it leads to.
    pub next: u16,
}

/// A map: the same states for each item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapPlan {
    /// How many items.
    pub items: u32,
    /// How many at once.
    pub concurrency: u32,
    /// Whether each item is an execution of its own.
    pub distributed: bool,
    /// How many items may fail before the map does.
    pub tolerated: u32,
    /// The first state of an item.
    pub start: u16,
}

/// What a state does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Calls a component and waits for its answer.
    Task(Target),
    /// Goes on where the first rule that holds leads.
    Choice(Vec<Rule>),
    /// Runs branches (their first states) at once and waits for all of them.
    Parallel(Vec<u16>),
    /// Runs the same states for each item.
    Map(MapPlan),
    /// Waits.
    Wait(Sampler),
    /// Does nothing.
    Pass,
    /// Ends the scope well.
    Succeed,
    /// Ends the scope with a failure.
    Fail,
}

impl Action {
    /// Events that one visit leaves in the history of its execution: entering and leaving, and what lies between.
    pub fn history_events(&self) -> u64 {
        match self {
            // Entered, scheduled, started, succeeded (or failed), exited.
            Self::Task(_) => 5,
            // Entered, started, succeeded, exited.
            Self::Parallel(_) | Self::Map(_) => 4,
            Self::Fail => 1,
            Self::Choice(_) | Self::Wait(_) | Self::Pass | Self::Succeed => 2,
        }
    }
}

/// Events of a retry: scheduled, started, failed.
pub const RETRY_EVENTS: u64 = 3;
/// Events of an item of an inline map beside those of its states: started, ended.
pub const ITEM_EVENTS: u64 = 2;
/// Events of an execution beside those of its states: started, ended.
pub const EXECUTION_EVENTS: u64 = 2;

/// The names of a state's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateMetrics {
    /// How often it was entered.
    pub visits: &'static str,
    /// How often it failed, each try counted.
    pub errors: &'static str,
    /// From entering it to leaving it.
    pub time: &'static str,
}

/// One state.
#[derive(Clone, Debug, PartialEq)]
pub struct StatePlan {
    /// What it does.
    pub action: Action,
    /// Where it leads when it is done.
    pub next: u16,
    /// How long one try of a task may take.
    pub timeout: Duration,
    /// How it is tried again; the first retrier that fits counts.
    pub retry: Vec<RetrierPlan>,
    /// Where failures lead that no retry cures; the first catcher that fits counts.
    pub catch: Vec<(Errors, u16)>,
    /// What its metrics are called.
    pub metrics: StateMetrics,
}

/// How executions are billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metering {
    /// By state transitions.
    Transitions,
    /// By executions, their duration and memory.
    Duration,
}

/// A workflow, see the module [`super`].
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowPlan {
    /// Its number among all components.
    pub component: u32,
    /// The account whose quotas it shares with other workflows that have the same ones.
    pub account: Option<Id<ACCOUNT>>,
    /// All states: those of the workflow itself, its branches and its items.
    pub states: Vec<StatePlan>,
    /// The first state.
    pub start: u16,
    /// Whether the caller hears when the execution has started, and not when it has ended.
    pub answers_at_start: bool,
    /// From the call to the first transition.
    pub start_latency: Sampler,
    /// What every transition takes.
    pub transition: Sampler,
    /// What a task takes beside what it calls.
    pub task_overhead: Sampler,
    /// How long an execution may take.
    pub timeout: Duration,
    /// Executions started: per second, and at once.
    pub starts: Option<(f64, u64)>,
    /// Transitions: per second, and at once.
    pub transitions: Option<(f64, u64)>,
    /// Executions open at once.
    pub maximum_open: u64,
    /// Events in the history of one execution.
    pub history_limit: u64,
    /// The largest input of an execution.
    pub payload_limit: Option<u64>,
    /// How executions are billed.
    pub metering: Metering,
    /// Memory that an execution is billed for, in MB (2^20 bytes).
    pub memory_mb: u64,
    /// Billed time is rounded up to a multiple of this.
    pub billing_step: Duration,
}

impl WorkflowPlan {
    /// The components that its tasks call.
    pub fn callees(&self) -> Vec<Target> {
        let task = |state: &StatePlan| match state.action {
            Action::Task(to) => Some(to),
            _ => None,
        };
        self.states.iter().filter_map(task).collect()
    }
}
