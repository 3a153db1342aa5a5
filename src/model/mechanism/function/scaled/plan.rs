//! Platforms that scale apart from requests, as scenarios write them.

use crate::kernel::{Duration, Sampler};
use crate::scenario::{Block, Code, Field, Kind, Table};

const INSTANCES_MAX: f64 = 1e6;

/// The fields of `pending`.
pub const PENDING: Table = Table {
    name: "pending requests",
    doc: "Requests that find no free slot wait for one, or for an instance that starts. Without this block a function \
          starts an instance for each of them, or refuses.",
    fields: &[
        Field::default(
            "maximum_time",
            Kind::Duration,
            "10 s",
            "How long a request waits at least before it is refused.",
        )
        .source("Cloud Run documentation, pending requests: 10 s at least"),
        Field::default(
            "start_factor",
            Kind::Number,
            "0",
            "It waits this many times the mean time of a start if that is longer.",
        )
        .within(0.0, 1000.0),
        Field::default(
            "maximum_requests",
            Kind::Count,
            "1000000",
            "Requests that may wait at once.",
        )
        .within(0.0, 1e9)
        .source("assumed: as good as no limit"),
        Field::default(
            "starts",
            Kind::Choice(&["demand", "autoscaler"]),
            "demand",
            "Whether waiting requests start instances at once, or only the autoscaler does.",
        ),
    ],
};

/// The fields of `autoscaler`.
pub const AUTOSCALER: Table = Table {
    name: "autoscaler",
    doc: "Moves the number of instances with the requests in flight, as the Knative Pod Autoscaler does.",
    fields: &[
        Field::default("period", Kind::Duration, "2 s", "How often it decides.")
            .at_least(1e7)
            .source("Knative Serving, config-autoscaler: tick interval"),
        Field::default("window", Kind::Duration, "60 s", "The time over which it averages.")
            .at_least(1e8)
            .source("Knative Serving, config-autoscaler: stable-window"),
        Field::optional(
            "concurrency",
            Kind::Number,
            "Requests in flight that an instance is meant for; `concurrency_per_instance` if absent.",
        )
        .within(0.01, 10_000.0),
        Field::default("utilisation", Kind::Share, "70%", "How much of that it aims at.")
            .within(0.01, 1.0)
            .source("Knative Serving, config-autoscaler: container-concurrency-target-percentage"),
        Field::optional(
            "cpu",
            Kind::Share,
            "Share of the processors that it aims at; it takes no notice if absent.",
        )
        .within(0.01, 1.0),
        Field::optional(
            "panic_window",
            Kind::Duration,
            "A shorter time; if the average over it asks for many more instances, none is taken away for a window.",
        )
        .at_least(1e8),
        Field::default(
            "panic_threshold",
            Kind::Share,
            "200%",
            "How many times the instances that are ready that is.",
        )
        .within(1.1, 1000.0)
        .source("Knative Serving, config-autoscaler: panic-threshold-percentage"),
        Field::default(
            "scale_up",
            Kind::Number,
            "1000",
            "Most instances after a decision, over those that are ready.",
        )
        .within(1.01, 1e6)
        .source("Knative Serving, config-autoscaler: max-scale-up-rate"),
        Field::default(
            "scale_down",
            Kind::Number,
            "2",
            "Instances that are ready over the fewest after a decision.",
        )
        .within(1.01, 1e6)
        .source("Knative Serving, config-autoscaler: max-scale-down-rate"),
        Field::default(
            "zero_after",
            Kind::Duration,
            "30 s",
            "How long the last instance stays after there was no request for a window.",
        )
        .source("Knative Serving, config-autoscaler: scale-to-zero-grace-period, an upper limit"),
        Field::default(
            "initial",
            Kind::Count,
            "1",
            "Instances that are ready when the run begins.",
        )
        .within(0.0, INSTANCES_MAX)
        .source("Knative Serving, config-autoscaler: initial-scale"),
    ],
};

/// An autoscaler, checked. See [`super::autoscaler`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutoscalerPlan {
    /// How often it decides.
    pub period: Duration,
    /// The time over which it averages.
    pub window: Duration,
    /// Requests in flight per instance that it aims at.
    pub target: f64,
    /// Processors in use per instance that it aims at, if it looks at them.
    pub cpu: Option<f64>,
    /// The panic window, and how many times the ready instances its average must ask for.
    pub panic: Option<(Duration, f64)>,
    /// Most instances after a decision, over those that are ready.
    pub scale_up: f64,
    /// Ready instances over the fewest after a decision.
    pub scale_down: f64,
    /// How long the last instance stays without need.
    pub zero_after: Duration,
}

/// How instances are kept apart from requests, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledPlan {
    /// Fewest instances; they are ready when the run begins and never expire.
    pub minimum: u64,
    /// Instances that are ready when the run begins.
    pub initial: u64,
    /// Places prepared in advance, without code: a start takes one and skips placement.
    pub prewarmed: u64,
    /// How long a request waits before it is refused.
    pub pending: Duration,
    /// Requests that may wait at once.
    pub pending_most: u64,
    /// Whether waiting requests start instances at once.
    pub on_demand: bool,
    /// What moves the number of instances.
    pub autoscaler: Option<AutoscalerPlan>,
}

impl ScaledPlan {
    /// Reads the fields of a function that make its instances a pool of their own; `None` if it has none of them.
    /// `start_ns` is the mean time of a start in nanoseconds.
    pub fn read(block: &Block, vcpus: f64, start_ns: f64) -> Option<Self> {
        let minimum = block.count("minimum_instances");
        let (pending, autoscaler) = (block.block("pending"), block.block("autoscaler"));
        if minimum == 0 && pending.is_none() && autoscaler.is_none() {
            return None;
        }
        for field in [
            "provisioned_concurrency",
            "reserved_concurrency",
            "recycle",
            "maximum_age",
        ] {
            if block.has(field) {
                let message = format!("`{field}` with requests that wait for instances is not modelled");
                let help = "use `minimum_instances` and `maximum_instances`, or remove `pending` and `autoscaler`";
                block.error(Code::Unsupported, block.span_of(field), message, help);
            }
        }
        if block.count_opt("maximum_instances").is_some_and(|most| most < minimum) {
            let help = "swap them";
            block.error(
                Code::Inconsistent,
                block.span_of("minimum_instances"),
                "the minimum is above the maximum",
                help,
            );
        }
        let concurrency = block.count("concurrency_per_instance") as f64;
        let initial = autoscaler.as_ref().map_or(0, |a| a.count("initial")).max(minimum);
        let pending = pending.as_ref();
        let waits = pending.map_or(Duration::ZERO, |p| {
            let start = Duration::from_nanos_f64(p.number("start_factor") * start_ns);
            Duration(p.duration("maximum_time").0.max(start.0))
        });
        Some(Self {
            minimum,
            initial,
            prewarmed: block.count("prewarmed"),
            pending: waits,
            pending_most: pending.map_or(0, |p| p.count("maximum_requests")),
            on_demand: pending.is_none_or(|p| p.choice("starts") == 0),
            autoscaler: autoscaler.as_ref().map(|a| read_autoscaler(a, concurrency, vcpus)),
        })
    }
}

fn read_autoscaler(block: &Block, concurrency: f64, vcpus: f64) -> AutoscalerPlan {
    let window = block.duration("window");
    let panic = block.duration_opt("panic_window");
    if panic.is_some_and(|panic| panic > window) {
        let message = "the panic window is longer than the window";
        block.error(Code::Inconsistent, block.span_of("panic_window"), message, "swap them");
    }
    AutoscalerPlan {
        period: block.duration("period"),
        window,
        target: block.number_opt("concurrency").unwrap_or(concurrency) * block.share("utilisation"),
        cpu: block.share_opt("cpu").map(|share| share * vcpus),
        panic: panic.map(|panic| (panic, block.share("panic_threshold"))),
        scale_up: block.number("scale_up"),
        scale_down: block.number("scale_down"),
        zero_after: block.duration("zero_after"),
    }
}

/// What the instances of a function are billed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Billing {
    /// Each invocation's own time.
    #[default]
    Invocation,
    /// The time in which an instance serves at least one request, or starts.
    Request,
    /// The time in which an instance is alive.
    Instance,
}

impl Billing {
    /// The names in scenarios and price books, in the order of [`Billing::ALL`].
    pub const NAMES: &'static [&'static str] = &["invocation", "request", "instance"];
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Invocation, Self::Request, Self::Instance];
}

/// What one platform does otherwise than another, beside the life of a plain instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Platform {
    /// Instances that are scaled apart from requests.
    pub scaled: Option<ScaledPlan>,
    /// Processor time that an invocation may use; `None` for no limit.
    pub cpu_limit: Option<Duration>,
    /// What is billed.
    pub billing: Billing,
    /// Memory that an invocation is billed for, if that is not the instance's, in MB.
    pub billed_memory_mb: Option<u64>,
    /// How many times the processors there are while an instance starts.
    pub startup_boost: f64,
    /// Whether instances start from a snapshot, whose cache and restores are billed.
    pub snapshot: bool,
    /// vCPUs of the machines that the instances run on, where those are billed.
    pub machine_vcpus: Option<f64>,
}

impl Platform {
    /// Reads what a function says of its platform. A start of instances draws from `start`.
    pub fn read(block: &Block, vcpus: f64, start: &[&Sampler]) -> Self {
        let shared = block.count("concurrency_per_instance") > 1;
        let usual = if shared { Billing::Request } else { Billing::Invocation };
        Self {
            scaled: ScaledPlan::read(block, vcpus, start.iter().map(|sampler| sampler.mean()).sum()),
            cpu_limit: block.duration_opt("cpu_limit"),
            billing: block.choice_opt("billing").map_or(usual, |choice| Billing::ALL[choice]),
            billed_memory_mb: block.size_opt("billed_memory").map(|bytes| (bytes >> 20).max(1)),
            startup_boost: block.number("startup_boost"),
            snapshot: block.flag("snapstart"),
            machine_vcpus: None,
        }
    }
}
