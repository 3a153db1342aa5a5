//! The fields of a fleet, and how they are read.

use super::balancer::Dispatch;
use super::plan::{Billing, FleetPlan, Machine, Metric, ScalingPlan, SizeGoal};
use super::shedding::{self, SheddingPlan};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::handler::read::{HEEDS_DEADLINES, read_program};
use crate::model::mechanism::contract::{Attributes, Reading};
use crate::model::parts::tracking::{PERIOD, TrackingPlan};
use crate::model::parts::transfer::{self, TransferPlan};
use crate::model::request::fault;
use crate::scenario::{Block, Code, Diagnostic, Field, Kind, Table, prices};

/// What the autoscaler waits for after a change.
const COOLDOWNS: Table = Table {
    name: "cooldowns",
    doc: "How long the autoscaler rests after a change.",
    fields: &[
        Field::default(
            "out",
            Kind::Duration,
            "300 s",
            "After adding instances, before adding more.",
        )
        .source("from memory: EC2 Auto Scaling and ECS defaults"),
        Field::default(
            "in",
            Kind::Duration,
            "300 s",
            "After any change, before removing instances.",
        )
        .source("from memory: EC2 Auto Scaling and ECS defaults"),
    ],
};

/// How long the metric must be off its target.
const ALARM_PERIODS: Table = Table {
    name: "alarm_periods",
    doc: "How long the metric must be off its target before the autoscaler acts; whole minutes.",
    fields: &[
        Field::default("out", Kind::Duration, "3 min", "Above the target.")
            .at_least(6e10)
            .source("alarms that target tracking creates: 3 of 3 one-minute points"),
        Field::default("in", Kind::Duration, "15 min", "Below the band under the target.")
            .at_least(6e10)
            .source("alarms that target tracking creates: 15 of 15 one-minute points"),
    ],
};

const LAUNCHES: Table = Table {
    name: "launches",
    doc: "How fast instances may be launched: a token bucket. Those beyond it wait for their turn.",
    fields: &[
        Field::required("burst", Kind::Count, "Instances that may be launched at once.").within(1.0, 1e6),
        Field::required("refill", Kind::Rate, "Further instances per time.").positive(),
    ],
};

/// The fields of an autoscaler.
const SCALING: Table = Table {
    name: "scaling",
    doc: "Target tracking: the number of instances follows the load.",
    fields: &[
        Field::default("minimum", Kind::Count, "1", "Fewest instances.").at_least(1.0),
        Field::required("maximum", Kind::Count, "Most instances.").at_least(1.0),
        Field::optional(
            "target",
            Kind::Share,
            "Mean CPU utilisation that it keeps; 60% unless `requests_per_instance` is the target.",
        )
        .within(0.01, 1.0),
        Field::optional(
            "requests_per_instance",
            Kind::Rate,
            "Requests for each instance that it keeps, in place of a CPU utilisation.",
        )
        .positive(),
    ],
};

/// What a size must achieve.
const SIZE: Table = Table {
    name: "size",
    doc: "coldcurve looks for the smallest count that achieves all of this.",
    fields: &[
        Field::optional(
            "p99",
            Kind::Duration,
            "The 99th percentile of the latency of its requests, at most.",
        )
        .positive(),
        Field::optional("utilisation", Kind::Share, "Mean CPU utilisation, at most.").within(0.01, 1.0),
        Field::default(
            "minimum",
            Kind::Count,
            "1",
            "Fewest instances, such as one for each of two zones.",
        )
        .at_least(1.0),
    ],
};

/// The fields of a fleet.
pub const TABLE: Table = Table {
    name: "fleets",
    doc: "Machines or containers that run all the time, behind a balancer that spreads requests over them.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives the defaults, such as `aws.ec2` or `aws.fargate`.",
        ),
        Field::optional("handler", Kind::Steps, "What it does for each request; nothing if absent."),
        Field::optional("handlers", Kind::Map(&Kind::Steps), "Handlers of their own for some paths."),
        Field::optional(
            "instance",
            Kind::Text,
            "The machine type, such as `m7g.large`; gives `vcpu` and `memory`.",
        ),
        Field::optional(
            "vcpu",
            Kind::Number,
            "Virtual CPUs of an instance; may be a fraction of one.",
        )
        .within(0.01, 1024.0),
        Field::optional("memory", Kind::Size, "Memory of an instance.").positive(),
        Field::optional(
            "architecture",
            Kind::Choice(&["x86", "arm"]),
            "Processor architecture, which selects prices.",
        ),
        Field::default(
            "speed",
            Kind::Number,
            "1",
            "How fast one virtual CPU computes; 1 is a full vCPU of a function.",
        )
        .within(0.01, 100.0),
        Field::optional(
            "count",
            Kind::Count,
            "Instances in service when the run begins, and all along unless they are scaled; 1 if nothing else decides.",
        )
        .within(1.0, 100_000.0),
        Field::optional("scaling", Kind::Block(&SCALING), "An autoscaler that changes the count."),
        Field::optional("size", Kind::Block(&SIZE), "What decides the count before the run."),
        Field::default("cooldowns", Kind::Block(&COOLDOWNS), "{}", "How long the autoscaler rests after a change."),
        Field::default(
            "alarm_periods",
            Kind::Block(&ALARM_PERIODS),
            "{}",
            "How long the metric must be off its target before the autoscaler acts.",
        ),
        Field::default(
            "low_threshold_ratio",
            Kind::Share,
            "90%",
            "The autoscaler removes instances below this share of the target.",
        )
        .source("alarms that target tracking creates: 90 % for ECS, 70 % for EC2 Auto Scaling"),
        Field::default(
            "boot",
            Kind::Sampler,
            "60 s",
            "From the decision to launch an instance to its first request.",
        ).source("assumed; services say their own"),
        Field::optional(
            "launches",
            Kind::Block(&LAUNCHES),
            "How fast instances may be launched; any number at once if absent.",
        ),
        Field::optional(
            "slots",
            Kind::Count,
            "Requests that an instance works on at once, such as its worker threads; any number if absent.",
        )
        .within(1.0, 4e9),
        Field::optional(
            "queue",
            Kind::Count,
            "Requests that may wait for a slot of an instance; beyond it they are refused (503). Any number if absent.",
        ),
        Field::optional(
            "shedding",
            Kind::Block(&shedding::TABLE),
            "Which requests it refuses (503) although they might wait.",
        ),
        HEEDS_DEADLINES,
        Field::default(
            "dispatch",
            Kind::Choice(Dispatch::NAMES),
            "round-robin",
            "Which instance a request goes to; `shared-queue` is one ideal queue for all.",
        )
        .source("Elastic Load Balancing user guide: round robin by default"),
        Field::default(
            "failure",
            Kind::Share,
            "0%",
            "Share of requests that fail (500) after their work is done.",
        ),
        fault::zones("3", "Availability zones that its instances are spread over, one after the other."),
        Field::default(
            "billing",
            Kind::Choice(Billing::NAMES),
            "instance",
            "What is paid for: machines, or CPU and memory of tasks.",
        ),
        Field::default(
            "billing_minimum",
            Kind::Duration,
            "60 s",
            "Least billed time of an instance.",
        )
        .source("EC2 and Fargate pricing: per second with a minimum of one minute"),
        Field::default(
            "commitment",
            Kind::Choice(&["none", "savings_1y", "savings_3y", "reserved_1y", "reserved_3y", "spot"]),
            "none",
            "The kind of price that is paid.",
        ),
        Field::default("disk", Kind::Size, "0 B", "Disk of an instance."),
        Field::default("disk_free", Kind::Size, "0 B", "Disk of an instance that costs nothing."),
        Field::default(
            "transfer",
            Kind::Block(&transfer::TABLE),
            "{}",
            "What its requests move over lines that cost money: internet, zones, address translation.",
        ),
        Field::default("log_size", Kind::Size, "0 KB", "Log text that each request writes.").within(0.0, 1e9),
        Field::default("public_ipv4", Kind::Flag, "false", "Whether each instance has a public address."),
    ],
};

/// What a type of machine in the price book comes with.
pub fn machine(name: &str) -> Option<Machine> {
    prices::instance_type(name).map(|machine| Machine {
        vcpus: f64::from(machine.vcpu_milli) / 1000.0,
        memory_mb: machine.memory_mb,
        baseline: machine.baseline_milli.map(|milli| f64::from(milli) / 1000.0),
    })
}

impl FleetPlan {
    /// Reads a fleet.
    pub fn read(block: &Block, reading: &Reading) -> Self {
        let name = reading.name;
        let program = read_program(block, reading.paths);
        let cx = block.context();
        let known = block.text_opt("instance").and_then(|text| {
            let found = machine(text);
            if found.is_none() && !block.has("vcpu") {
                let help = "use a listed type, or give `vcpu` and `memory`";
                let message = format!("no machine type is called `{text}`");
                cx.error(Code::UnknownChoice, block.span_of("instance"), message, help);
            }
            found
        });
        let vcpus = block.number_opt("vcpu").or(known.map(|m| m.vcpus));
        if vcpus.is_none() && !block.has("instance") {
            let help = "add `instance: m7g.large`, or `vcpu` and `memory`";
            cx.error(Code::MissingKey, block.span(), format!("`{name}` lacks `vcpu`"), help);
        }
        let billing = Billing::ALL[block.choice("billing")];
        let memory = block.size_opt("memory").map(|bytes| bytes >> 20);
        let memory_mb = memory.or(known.map(|m| m.memory_mb)).unwrap_or(0);
        if memory_mb == 0 && billing == Billing::Task {
            let help = "tasks pay for it; add `memory: 1 GB`";
            cx.error(Code::MissingKey, block.span(), format!("`{name}` lacks `memory`"), help);
        }
        warn_without_slots(block);
        let scaling = read_scaling(block);
        let size = read_size(block);
        let least = scaling.map_or(1, |s| s.tracking.minimum);
        let most = scaling.map_or(u64::MAX, |s| s.tracking.maximum);
        Self {
            component: reading.component,
            name: name.to_owned(),
            count: block.count_opt("count").unwrap_or(least).clamp(least, most),
            size,
            scaling,
            vcpus: vcpus.unwrap_or(1.0),
            speed: block.number("speed"),
            memory_mb,
            baseline: known.and_then(|m| m.baseline),
            slots: block.count_opt("slots").map_or(u32::MAX, |n| fit(n)),
            queue: block.count_opt("queue").unwrap_or(u64::MAX),
            shedding: block.block("shedding").map(|block| SheddingPlan::read(&block)),
            dispatch: Dispatch::ALL[block.choice("dispatch")],
            boot: block.sampler("boot"),
            launches: block
                .block("launches")
                .map(|quota| (quota.count("burst"), quota.rate("refill"))),
            program,
            failure: block.share("failure"),
            zones: fit(block.count("zones")),
            billing,
            billing_minimum: block.duration("billing_minimum"),
            disk_mb: block
                .size("disk")
                .saturating_sub(block.size("disk_free"))
                .div_ceil(1 << 20),
            public_ipv4: block.flag("public_ipv4"),
            log_bytes: block.size("log_size"),
            transfer: TransferPlan::read(block),
        }
    }
}

/// What selects among the prices of a fleet.
pub fn attributes(block: &Block) -> Attributes {
    let mut attributes = Vec::new();
    let mut add = |name: &str, value: &str| attributes.push((name.to_owned(), value.to_owned()));
    if let Some(instance) = block.text_opt("instance") {
        add("instance_type", instance);
    }
    if let Some(architecture) = block.choice_opt("architecture") {
        add("architecture", ["x86", "arm"][architecture]);
    }
    let field = TABLE.field("commitment");
    if let Some(Kind::Choice(words)) = field.map(|f| f.kind) {
        add("commitment", words[block.choice("commitment")]);
    }
    if !block.has("architecture") {
        let listed = block.text_opt("instance").and_then(prices::instance_type);
        add("architecture", listed.map_or("x86", |machine| &machine.architecture));
    }
    attributes
}

/// Lines form only where instances have a number of slots.
fn warn_without_slots(block: &Block) {
    for field in ["queue", "shedding"] {
        if block.has(field) && !block.has("slots") {
            let message = format!("`{field}` has no effect without `slots`: no request ever waits");
            let help = "add `slots`, the number of requests that an instance works on at once";
            let problem = Diagnostic::new(Code::NoEffect, block.span_of(field), message).help(help);
            block.context().report(problem);
        }
    }
}

fn read_scaling(block: &Block) -> Option<ScalingPlan> {
    let scaling = block.block("scaling")?;
    let cx = block.context();
    let (minimum, maximum) = (scaling.count("minimum"), scaling.count("maximum"));
    if minimum > maximum {
        let message = format!("`minimum` {minimum} is above `maximum` {maximum}");
        cx.error(Code::Inconsistent, scaling.span_of("minimum"), message, "");
    }
    let requests = scaling.rate_opt("requests_per_instance");
    let cpu = scaling.share_opt("target");
    if requests.is_some() && cpu.is_some() {
        let message = "`target` and `requests_per_instance` exclude each other";
        let span = scaling.span_of("requests_per_instance");
        cx.error(Code::Conflict, span, message, "keep one of them");
    }
    let (metric, target) = match requests {
        Some(rate) => (Metric::Requests, rate),
        None => (Metric::Cpu, cpu.unwrap_or(0.6)),
    };
    let cooldowns = block.block("cooldowns");
    let cooldown = |field| cooldowns.map_or(Duration::ZERO, |block| block.duration(field));
    let periods = block.block("alarm_periods");
    let minutes = |field| periods.map_or(1, |block| fit(block.duration(field).0.div_ceil(PERIOD.0).max(1)));
    Some(ScalingPlan {
        metric,
        tracking: TrackingPlan {
            target,
            minimum,
            maximum: maximum.max(minimum),
            out_periods: minutes("out"),
            in_periods: minutes("in"),
            low_ratio: block.share("low_threshold_ratio"),
            out_cooldown: cooldown("out"),
            in_cooldown: cooldown("in"),
        },
    })
}

fn read_size(block: &Block) -> Option<SizeGoal> {
    let size = block.block("size")?;
    let cx = block.context();
    for other in ["count", "scaling"] {
        if block.has(other) {
            let message = format!("`size` and `{other}` exclude each other");
            cx.error(Code::Conflict, block.span_of("size"), message, "keep one of them");
        }
    }
    let goal = SizeGoal {
        p99: size.duration_opt("p99"),
        utilisation: size.share_opt("utilisation"),
        minimum: size.count("minimum"),
    };
    if goal.p99.is_none() && goal.utilisation.is_none() {
        let help = "add `p99`, `utilisation` or both";
        cx.error(Code::MissingKey, size.span(), "`size` has no goal", help);
    }
    Some(goal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::tree::Sources;
    use crate::scenario::{Catalog, Context, Diagnostics, Names, NoFiles, parse};

    /// Reads a fleet; gives the plan, the price attributes and the codes of all problems.
    fn read(text: &str) -> (FleetPlan, Vec<(String, String)>, Vec<Code>) {
        let mut sources = Sources::new();
        let diagnostics = Diagnostics::new();
        let file = sources.add("fleet.yaml", format!("handler: []\n{text}"));
        let node = parse(&sources, file, &diagnostics).expect("a tree");
        let cx = Context {
            diagnostics: &diagnostics,
            names: &Names::default(),
            files: &NoFiles,
            catalog: &Catalog::default(),
        };
        let block = Block::new(&cx, &node, &TABLE);
        let plan = FleetPlan::read(&block, &Reading::alone(4, "web"));
        let attributes = attributes(&block);
        let codes = diagnostics.sorted().iter().map(|d| d.code).collect();
        (plan, attributes, codes)
    }

    #[test]
    fn a_machine_type_gives_cpu_and_memory() {
        let (plan, attributes, codes) = read("instance: t3.large\ncommitment: savings_1y\ncount: 3\n");
        assert_eq!(codes, []);
        assert_eq!((plan.vcpus, plan.memory_mb, plan.baseline), (2.0, 8192, Some(0.3)));
        assert_eq!((plan.count, plan.slots, plan.queue), (3, u32::MAX, u64::MAX));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let expected = [
            pair("instance_type", "t3.large"),
            pair("commitment", "savings_1y"),
            pair("architecture", "x86"),
        ];
        assert_eq!(attributes, expected);
        let (plan, _, codes) = read("instance: t3.large\nvcpu: 1.5\nmemory: 3 GB\n");
        assert_eq!((codes, plan.vcpus, plan.memory_mb), (vec![], 1.5, 3072));
        assert_eq!(read("instance: t3.lrge\n").2, [Code::UnknownChoice]);
        assert_eq!(read("instance: own\nvcpu: 8\nmemory: 64 GB\n").2, []);
        assert_eq!(read("count: 2\n").2, [Code::MissingKey]);
    }

    #[test]
    fn tasks_scale_and_pay_beyond_the_free_disk() {
        let text = "vcpu: 0.5\nmemory: 1 GB\nbilling: task\ndisk: 30 GB\ndisk_free: 20 GB\nslots: 8\nqueue: 100\n\
            dispatch: least-outstanding\narchitecture: arm\nalarm_periods: { in: 10 min }\ncooldowns: { out: 60 s }\n\
            low_threshold_ratio: 70%\nscaling: { minimum: 2, maximum: 40, requests_per_instance: 600/min }\n";
        let (plan, attributes, codes) = read(text);
        assert_eq!(codes, []);
        assert_eq!((plan.billing, plan.disk_mb, plan.count), (Billing::Task, 10 << 10, 2));
        assert_eq!(
            (plan.slots, plan.queue, plan.dispatch),
            (8, 100, Dispatch::LeastOutstanding)
        );
        assert_eq!(plan.vcpu_milli(), 500);
        assert_eq!(attributes[0], ("architecture".to_owned(), "arm".to_owned()));
        let scaling = plan.scaling.expect("an autoscaler");
        assert_eq!(scaling.metric, Metric::Requests);
        let expected = TrackingPlan {
            target: 10.0,
            minimum: 2,
            maximum: 40,
            out_periods: 3,
            in_periods: 10,
            low_ratio: 0.7,
            out_cooldown: Duration::from_secs(60),
            in_cooldown: Duration::from_secs(300),
        };
        assert_eq!(scaling.tracking, expected);
    }

    #[test]
    fn what_contradicts_itself_is_reported() {
        let codes = |text: &str| read(&format!("instance: t3.large\n{text}")).2;
        assert_eq!(codes("size: { p99: 200 ms, utilisation: 60% }\n"), []);
        assert_eq!(codes("size: { p99: 200 ms }\ncount: 3\n"), [Code::Conflict]);
        assert_eq!(codes("size: {}\n"), [Code::MissingKey]);
        assert_eq!(codes("scaling: { minimum: 9, maximum: 3 }\n"), [Code::Inconsistent]);
        let both = "scaling: { maximum: 3, target: 50%, requests_per_instance: 5/s }\n";
        assert_eq!(codes(both), [Code::Conflict]);
        assert_eq!(read("vcpu: 1\nbilling: task\n").2, [Code::MissingKey]);
        let goal = read("instance: t3.large\nsize: { p99: 200 ms, utilisation: 60% }\n")
            .0
            .size;
        let expected = SizeGoal {
            minimum: 1,
            p99: Some(Duration::from_millis(200)),
            utilisation: Some(0.6),
        };
        assert_eq!(goal, Some(expected));
        assert_eq!(codes("queue: 5\n"), [Code::NoEffect], "without slots nothing waits");
    }
}
