//! Functions as scenarios write them.

use super::asynchronous::{self, AsyncPlan};
use super::changes::{CHANGE, When, read_changes};
use super::plan::{FunctionPlan, ProvisionedPlan, Recycle};
use super::pool::Choice;
use super::scaled::plan::{AUTOSCALER, Billing, PENDING, Platform};
use crate::kernel::number::{fit, whole};
use crate::kernel::{Duration, Instant, Sampler};
use crate::model::handler::read::{HEEDS_DEADLINES, read_program};
use crate::model::mechanism::contract::{Attributes, Reading};
use crate::model::parts::initial::Initial;
use crate::model::parts::tracking::TrackingPlan;
use crate::model::parts::transfer::{self, TransferPlan};
use crate::model::request::id::Id;
use crate::model::request::{fault, payload};
use crate::scenario::{Block, Code, Field, Kind, Range, Table, cold_starts, nearest, prices};

/// The most instances of one function: more than any provider grants, and few enough to be held in memory.
pub(super) const INSTANCES_MAX: f64 = 1e6;
const TERABYTE: f64 = (1_u64 << 40) as f64;
const MB: f64 = 1_048_576.0;

const SCALING: Table = Table {
    name: "instance scaling",
    doc: "How fast new instances may be added: a token bucket.",
    fields: &[
        Field::required("burst", Kind::Count, "Instances that may be added at once.").within(1.0, INSTANCES_MAX),
        Field::required("refill", Kind::Rate, "Further instances per time.").positive(),
    ],
};

const RECYCLE: Table = Table {
    name: "recycle",
    doc: "A deploy, or the platform's maintenance: instances are replaced.",
    fields: &[
        Field::required("at", Kind::Duration, "When, since the start of the run."),
        Field::optional("every", Kind::Duration, "How often again.").at_least(1e9),
        Field::default(
            "spread",
            Kind::Duration,
            "0 s",
            "Time over which the instances' moments are spread.",
        ),
        Field::default("share", Kind::Share, "100%", "The share of instances that is replaced."),
        Field::optional(
            "per_month",
            Kind::Number,
            "Without `every`: how often it comes in a month, for the bill; once if absent.",
        )
        .within(0.0, 1e6),
    ],
};

/// The fields of target tracking of provisioned concurrency.
const TRACKING: Table = Table {
    name: "target tracking",
    doc: "Moves the number with its utilisation, as Application Auto Scaling does.",
    fields: &[
        Field::default("target", Kind::Share, "70%", "The utilisation to keep.")
            .within(0.01, 1.0)
            .source("assumed: a common choice"),
        Field::required("minimum", Kind::Count, "Fewest.").within(0.0, INSTANCES_MAX),
        Field::required("maximum", Kind::Count, "Most.").within(0.0, INSTANCES_MAX),
    ],
};

/// The fields of provisioned concurrency that is written out.
pub const PROVISIONED: Table = Table {
    name: "provisioned concurrency",
    doc: "Instances kept ready. `provisioned_concurrency: 400` is short for `{ count: 400 }`.",
    fields: &[
        Field::required("count", Kind::Count, "How many when the run begins.").within(0.0, INSTANCES_MAX),
        Field::optional(
            "schedule",
            Kind::List(&Kind::Block(&CHANGE)),
            "Changes: by time since the start, in the order of time, by date, or by `cron`.",
        ),
        Field::optional(
            "repeat",
            Kind::Duration,
            "After how long the schedule begins again, such as `24 h`.",
        )
        .at_least(1e9),
        Field::default(
            "time_zone",
            Kind::Text,
            "UTC",
            "The zone that dates and `cron` of the schedule are meant in; daylight saving is kept.",
        ),
        Field::optional("tracking", Kind::Block(&TRACKING), "Target tracking."),
    ],
};

/// The fields of a function.
pub const TABLE: Table = Table {
    name: "function",
    doc: "A function: instances that serve requests, with a warm and cold life.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices, such as `aws.lambda`.",
        ),
        Field::optional(
            "account",
            Kind::Target(&["accounts"]),
            "The account whose concurrency it shares.",
        ),
        Field::default("memory", Kind::Size, "128 MB", "Memory of an instance.")
            .within(MB, TERABYTE)
            .source("AWS Lambda Developer Guide, function memory: 128 MB by default"),
        Field::optional(
            "cpu",
            Kind::Number,
            "vCPUs of an instance, instead of a share by memory.",
        )
        .within(0.001, 1024.0),
        Field::default(
            "cpu_full_memory",
            Kind::Size,
            "1769 MB",
            "Memory that comes with one vCPU.",
        )
        .positive()
        .source("AWS Lambda Developer Guide, \"Configuring function memory\""),
        Field::default("cpu_maximum", Kind::Number, "6", "vCPUs at most.")
            .positive()
            .source("AWS Lambda Developer Guide: up to six vCPUs, at 10,240 MB"),
        Field::default(
            "timeout",
            Kind::Duration,
            "15 min",
            "The longest that an invocation may take.",
        )
        .positive()
        .source("AWS Lambda quotas: 900 s at most (the console proposes 3 s)"),
        Field::optional("handler", Kind::Steps, "What an invocation does; nothing if absent."),
        Field::optional(
            "handlers",
            Kind::Map(&Kind::Steps),
            "Handlers of their own for some paths.",
        ),
        HEEDS_DEADLINES,
        Field::default(
            "failure",
            Kind::Share,
            "0%",
            "Probability that an invocation fails after doing its work.",
        ),
        Field::default(
            "architecture",
            Kind::Choice(&["x86", "arm"]),
            "x86",
            "Processor; prices and init times differ.",
        ),
        Field::default(
            "package",
            Kind::Choice(&["zip", "image"]),
            "zip",
            "How the code is packed; init times differ.",
        ),
        Field::optional(
            "runtime",
            Kind::Text,
            "Which measured init time applies, such as `python3.13` or `java21`.",
        ),
        Field::default("placement", Kind::Sampler, "0 ms", "Cold start: room, sandbox, code."),
        Field::optional(
            "init",
            Kind::Sampler,
            "Cold start: runtime and its start, instead of the measured time.",
        ),
        Field::default(
            "code_init",
            Kind::Sampler,
            "0 ms",
            "Cold start: your dependencies and your own start-up code.",
        ),
        Field::default(
            "init_scales_with_memory",
            Kind::Flag,
            "false",
            "Whether init takes longer with less than one vCPU.",
        ),
        Field::default(
            "init_limit",
            Kind::Duration,
            "10 s",
            "An init beyond this is done again inside the invocation.",
        )
        .source("AWS Lambda Developer Guide, \"Lambda execution environment\""),
        payload::PAYLOAD_LIMIT,
        fault::zones("3", "Availability zones that its instances are spread over."),
        Field::default(
            "idle_timeout",
            Kind::Sampler,
            "10 min",
            "How long an idle instance is kept.",
        )
        .source("assumed: measurements of platforms lie between 5 and 15 minutes; services say their own"),
        Field::optional(
            "initial_instances",
            Kind::Any,
            "Instances that are warm and idle when the run begins: a number, or `steady` for its own mean number.",
        ),
        Field::optional("maximum_age", Kind::Sampler, "Age at which an instance is replaced."),
        Field::default(
            "instance_choice",
            Kind::Choice(Choice::NAMES),
            "most-recent",
            "Which available instance serves.",
        ),
        Field::default(
            "concurrency_per_instance",
            Kind::Count,
            "1",
            "Requests that an instance serves at once.",
        )
        .within(1.0, 10000.0),
        Field::optional("maximum_instances", Kind::Count, "Instances at most.").within(1.0, INSTANCES_MAX),
        Field::optional(
            "reserved_concurrency",
            Kind::Count,
            "Concurrency set aside for it, which also caps it.",
        )
        .within(0.0, INSTANCES_MAX),
        Field::optional("scaling", Kind::Block(&SCALING), "How fast new instances may be added."),
        Field::optional(
            "requests_per_second_factor",
            Kind::Number,
            "Requests a second per unit of concurrency, at most.",
        )
        .positive()
        .source("AWS Lambda quotas: ten times the concurrency"),
        Field::optional(
            "provisioned_concurrency",
            Kind::Any,
            "Instances kept ready: a number, or a block.",
        )
        .sample("10"),
        Field::default(
            "provisioned_preparation",
            Kind::Sampler,
            "90 s",
            "From asking for provisioned instances to using them.",
        )
        .source("assumed: AWS documents a minute or two"),
        Field::optional(
            "recycle",
            Kind::List(&Kind::Block(&RECYCLE)),
            "Mass replacements: deploys, maintenance.",
        ),
        Field::default(
            "asynchronous",
            Kind::Block(&asynchronous::TABLE),
            "{}",
            "How events reach it: retries, age limit, destinations.",
        ),
        Field::default(
            "init_billed",
            Kind::Flag,
            "true",
            "Whether cold-start initialisation is billed.",
        )
        .source("AWS Compute Blog, April 2025: billed for all functions since August 2025"),
        Field::default(
            "billing_granularity",
            Kind::Duration,
            "1 ms",
            "Billed time is rounded up to this.",
        )
        .positive()
        .source("AWS Lambda pricing: by the millisecond"),
        Field::default(
            "minimum_billed",
            Kind::Duration,
            "0 ms",
            "Least billed time of an invocation.",
        ),
        Field::default(
            "ephemeral_storage",
            Kind::Size,
            "512 MB",
            "Scratch disk; what is above `ephemeral_storage_included` is billed.",
        )
        .within(0.0, TERABYTE)
        .source("AWS Lambda pricing: 512 MB are included"),
        Field::default(
            "ephemeral_storage_included",
            Kind::Size,
            "512 MB",
            "Scratch disk that comes free of charge.",
        )
        .within(0.0, TERABYTE)
        .source("AWS Lambda pricing: 512 MB are included"),
        Field::default(
            "transfer",
            Kind::Block(&transfer::TABLE),
            "{}",
            "What its requests move over lines that cost money: internet, zones, address translation.",
        ),
        Field::default("log_size", Kind::Size, "0 KB", "Log text that an invocation writes.").within(0.0, MB * 1024.0),
        Field::default(
            "minimum_instances",
            Kind::Count,
            "0",
            "Instances kept ready that serve like all others (Cloud Run, Azure's always ready ones).",
        )
        .within(0.0, INSTANCES_MAX),
        Field::optional(
            "pending",
            Kind::Block(&PENDING),
            "Requests wait for a free slot or a starting instance.",
        ),
        Field::optional(
            "autoscaler",
            Kind::Block(&AUTOSCALER),
            "Moves the number of instances with the requests in flight.",
        ),
        Field::default(
            "prewarmed",
            Kind::Count,
            "0",
            "Places prepared in advance, without code, where requests wait for instances: a start skips placement.",
        )
        .within(0.0, 10_000.0),
        Field::optional(
            "cpu_limit",
            Kind::Duration,
            "Processor time that an invocation may use; one that uses more fails.",
        )
        .positive(),
        Field::default(
            "startup_boost",
            Kind::Number,
            "1",
            "How many times the processors there are while an instance starts: init takes so many times less.",
        )
        .within(1.0, 64.0),
        Field::default(
            "snapstart",
            Kind::Flag,
            "false",
            "Whether instances start from a snapshot taken after init: `restore` takes the place of init.",
        ),
        Field::default(
            "restore",
            Kind::Sampler,
            "0 ms",
            "With `snapstart`: time to bring the snapshot back, and what the code does after it.",
        ),
        Field::optional(
            "billing",
            Kind::Choice(Billing::NAMES),
            "What is billed: each invocation, instances while they serve a request, or while they are alive.",
        ),
        Field::optional(
            "billed_memory",
            Kind::Size,
            "Memory that an invocation is billed for, where that is not the instance's.",
        )
        .within(MB, TERABYTE),
        Field::optional(
            "machine",
            Kind::Text,
            "The type of machine that its instances run on, where machines are billed, such as `m7g.xlarge`.",
        ),
        Field::optional(
            "commitment",
            Kind::Choice(COMMITMENTS),
            "Savings plan that its compute is bought under.",
        ),
    ],
};

/// How capacity is bought, as price books name it.
pub const COMMITMENTS: &[&str] = &["none", "savings_1y", "savings_3y", "reserved_1y", "reserved_3y", "spot"];

impl FunctionPlan {
    /// Reads a function.
    pub fn read(block: &Block, reading: &Reading) -> Self {
        let whole_mb = |field: &str| whole((block.size(field) as f64 / MB).round());
        let memory_mb = whole_mb("memory").max(1);
        let share = memory_mb as f64 * MB / block.size("cpu_full_memory") as f64;
        let vcpus = block
            .number_opt("cpu")
            .unwrap_or_else(|| share.min(block.number("cpu_maximum")));
        let by_memory = block.flag("init_scales_with_memory");
        let program = read_program(block, reading.paths);
        let snapstart = block.flag("snapstart");
        // More processors shorten the start as far as it computes, and it is taken to do nothing else.
        let init_factor = if by_memory { (1.0 / vcpus).max(1.0) } else { 1.0 } / block.number("startup_boost");
        let placement = block.sampler("placement");
        let (init, code_init) = if snapstart {
            (block.sampler("restore"), Sampler::Constant(0.0))
        } else {
            let code_init = block.sampler("code_init").scaled(init_factor);
            (read_init(block, memory_mb).scaled(init_factor), code_init)
        };
        let mut platform = Platform::read(block, vcpus, &[&placement, &init, &code_init]);
        platform.machine_vcpus = machine_vcpus(block);
        // Where instances start apart from requests, nothing is done again inside an invocation.
        let init_limit = match &platform.scaled {
            Some(_) => Duration::FOREVER,
            None => block.duration("init_limit"),
        };
        let most = block.count_opt("maximum_instances").unwrap_or(whole(INSTANCES_MAX));
        Self {
            component: reading.component,
            name: reading.name.to_owned(),
            account: block.target_opt("account").map(Id::from).or(reading.account),
            memory_mb,
            vcpus,
            timeout: block.duration("timeout"),
            program,
            concurrency_per_instance: fit(block.count("concurrency_per_instance")),
            placement,
            init,
            code_init,
            init_limit,
            idle_timeout: block.sampler("idle_timeout"),
            initial: Initial::read(block, "initial_instances", most),
            maximum_age: block.sampler_opt("maximum_age"),
            choice: Choice::ALL[block.choice("instance_choice")],
            reserved: block.count_opt("reserved_concurrency"),
            maximum_instances: block.count_opt("maximum_instances"),
            scaling: block.block("scaling").map(|s| (s.count("burst"), s.rate("refill"))),
            requests_per_second_factor: block.number_opt("requests_per_second_factor"),
            provisioned: read_provisioned(block, (reading.clock.start, reading.clock.horizon)),
            recycles: read_recycles(block),
            failure: block.share("failure"),
            init_billed: block.flag("init_billed"),
            billing_step: block.duration("billing_granularity"),
            billing_minimum: block.duration("minimum_billed"),
            ephemeral_mb: whole_mb("ephemeral_storage").saturating_sub(whole_mb("ephemeral_storage_included")),
            log_bytes: block.size("log_size"),
            transfer: TransferPlan::read(block),
            asynchronous: block
                .block("asynchronous")
                .map_or_else(AsyncPlan::default, |events| AsyncPlan::read(&events)),
            platform,
            payload_limit: block.size_opt("payload_limit"),
            zones: fit(block.count("zones")),
            holds_sessions: false,
        }
    }
}

fn read_recycles(block: &Block) -> Vec<Recycle> {
    let read = |node| read_recycle(&Block::new(block.context(), node, &RECYCLE));
    block.list("recycle").iter().map(read).collect()
}

/// vCPUs of the machines that a function's instances run on, if it says on which.
fn machine_vcpus(block: &Block) -> Option<f64> {
    let name = block.text_opt("machine")?;
    let machine = prices::instance_type(name);
    if machine.is_none() {
        let message = format!("no machine type `{name}` is in the price book");
        let help = "types of EC2 are known, such as `m7g.xlarge`";
        block.error(Code::UnknownChoice, block.span_of("machine"), message, help);
    }
    machine.map(|machine| f64::from(machine.vcpu_milli) / 1000.0)
}

/// What selects among the prices of its service.
pub fn attributes(block: &Block) -> Attributes {
    let mut attributes = Attributes::new();
    let mut add = |name: &str, value: &str| attributes.push((name.to_owned(), value.to_owned()));
    add("architecture", architecture(block));
    block.text_opt("runtime").inspect(|runtime| add("runtime", runtime));
    block.text_opt("machine").inspect(|name| add("instance_type", name));
    let billing = block.choice_opt("billing").map(|choice| Billing::NAMES[choice]);
    billing.inspect(|word| add("billing", word));
    let commitment = block.choice_opt("commitment").map(|choice| COMMITMENTS[choice]);
    commitment.inspect(|word| add("commitment", word));
    attributes
}

/// The words of the field `architecture`.
pub fn architecture(block: &Block) -> &'static str {
    ["x86", "arm"][block.choice("architecture")]
}

fn read_init(block: &Block, memory_mb: u64) -> Sampler {
    if let Some(init) = block.sampler_opt("init") {
        return init;
    }
    let Some(runtime) = block.text_opt("runtime") else {
        return Sampler::Constant(0.0);
    };
    let arch = architecture(block);
    let package = ["zip", "image"][block.choice("package")];
    if let Some(init) = cold_starts::init_time(runtime, memory_mb, arch, package) {
        return init;
    }
    let span = block.span_of("runtime");
    if cold_starts::is_runtime(runtime) {
        let message = format!("no cold starts of `{runtime}` were measured on {arch} as {package}");
        block.error(
            Code::Unsupported,
            span,
            message,
            "give the time as `init: { median: 300 ms, p99: 800 ms }`",
        );
    } else {
        let known = cold_starts::runtimes();
        let help = match nearest(runtime, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? Otherwise give the time as `init`"),
            None => "give the time as `init: { median: 300 ms, p99: 800 ms }`".to_owned(),
        };
        block.error(
            Code::UnknownChoice,
            span,
            format!("no cold starts were measured for `{runtime}`"),
            help,
        );
    }
    Sampler::Constant(0.0)
}

fn read_provisioned(block: &Block, when: When) -> Option<ProvisionedPlan> {
    let cx = block.context();
    let preparation = block.sampler("provisioned_preparation");
    let node = block.node("provisioned_concurrency")?;
    if node.scalar().is_some() {
        let count = crate::scenario::read_count(cx, node, Range::Within(0.0, INSTANCES_MAX));
        let plan = ProvisionedPlan {
            count,
            schedule: Vec::new(),
            dated: None,
            period: None,
            tracking: None,
            preparation,
        };
        return (count > 0).then_some(plan);
    }
    let provisioned = Block::new(cx, node, &PROVISIONED);
    let (schedule, dated) = read_changes(&provisioned, when);
    if let Some(tracking) = provisioned.block("tracking")
        && tracking.count("minimum") > tracking.count("maximum")
    {
        let message = "the minimum is above the maximum";
        cx.error(Code::Inconsistent, tracking.span_of("minimum"), message, "swap them");
    }
    Some(ProvisionedPlan {
        count: provisioned.count("count"),
        schedule,
        dated: dated.filter(|_| !provisioned.has("tracking")),
        period: provisioned.duration_opt("repeat"),
        tracking: provisioned.block("tracking").map(|tracking| TrackingPlan {
            target: tracking.share("target"),
            minimum: tracking.count("minimum"),
            maximum: tracking.count("maximum"),
            out_periods: 3,
            in_periods: 15,
            low_ratio: 0.9,
            out_cooldown: Duration::ZERO,
            in_cooldown: Duration::ZERO,
        }),
        preparation,
    })
}

fn read_recycle(block: &Block) -> Recycle {
    if block.has("every") && block.has("per_month") {
        let message = "`every` and `per_month` both say how often";
        let help = "keep `every`: a month has as many of them as it has such times";
        block.error(Code::Conflict, block.span_of("per_month"), message, help);
    }
    Recycle {
        per_month: block.number_opt("per_month"),
        at: Instant::ZERO + block.duration("at"),
        every: block.duration_opt("every"),
        spread: block.duration("spread"),
        share: block.share("share"),
    }
}
