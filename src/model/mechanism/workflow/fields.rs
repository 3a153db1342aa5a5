//! Workflows as scenarios write them.
//!
//! ```yaml
//! workflows:
//!   order:
//!     service: aws.step_functions.standard
//!     states:
//!       reserve: { task: stock, next: pay }
//!       pay: { task: payments, retry: [{ errors: [throttled], max_attempts: 5 }], catch: [{ next: release }], next: done }
//!       release: { task: stock, next: cancelled }
//!       done: succeed
//!       cancelled: fail
//! ```
//!
//! The first state is where an execution begins, unless `start` says otherwise. A state without `next` ends it.

use super::plan::{END, Metering, WorkflowPlan};
use super::states::{RuleOfSize, read_states};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::request::id::Id;
use crate::model::request::kind::ACCOUNT;
use crate::scenario::{Block, Code, Field, Kind, Table};

/// What a task can call.
pub const TASKS: &[&str] = &["gateways", "functions", "queues", "fleets", "workflows"];

/// The fields of a state.
pub const STATE: Table = Table {
    name: "state",
    doc: "A state of a workflow does one of these: `task`, `choice`, `parallel`, `map`, `wait`, `pass`, `succeed`, \
          `fail`. `done: succeed` is short for `done: { succeed: true }`.",
    fields: &[
        Field::optional(
            "task",
            Kind::Target(TASKS),
            "Calls a component and waits for its answer.",
        ),
        Field::optional(
            "choice",
            Kind::List(&Kind::Any),
            "Goes on where the first rule that holds leads.",
        )
        .sample("[{ probability: 90%, next: done }]"),
        Field::optional(
            "parallel",
            Kind::List(&Kind::Any),
            "Runs branches, each with `states` of its own, at once and waits for all of them.",
        )
        .sample("[{ states: { one: { pass: true } } }]"),
        Field::optional("map", Kind::Any, "Runs the same states for each of many items.")
            .sample("{ items: 10, states: { one: { pass: true } } }"),
        Field::optional("wait", Kind::Sampler, "Waits this long."),
        Field::optional("pass", Kind::Flag, "Does nothing."),
        Field::optional("succeed", Kind::Flag, "Ends the execution, branch or item well."),
        Field::optional("fail", Kind::Flag, "Ends it with a failure."),
        Field::optional(
            "next",
            Kind::Text,
            "The state that follows; without it the execution, branch or item ends well here.",
        ),
        Field::optional(
            "timeout",
            Kind::Duration,
            "Of a task: how long one try may take. What it called goes on all the same.",
        )
        .positive(),
        Field::optional(
            "retry",
            Kind::List(&Kind::Block(&RETRIER)),
            "Of a task, parallel or map: how it is tried again; the first entry that fits the error counts.",
        ),
        Field::optional(
            "catch",
            Kind::List(&Kind::Block(&CATCHER)),
            "Of a task, parallel or map: where failures lead that no retry cures.",
        ),
        Field::optional(
            "result",
            Kind::Size,
            "Size of the data that it hands on; of a parallel or map: of what is kept of all results together.",
        ),
    ],
};

/// The fields of a rule of a choice.
pub const RULE: Table = Table {
    name: "rule",
    doc: "A rule of a choice. The last one has neither `probability` nor `first`: it holds if no other does.",
    fields: &[
        Field::optional(
            "probability",
            Kind::Share,
            "How likely it is that the choice leads here.",
        ),
        Field::optional(
            "first",
            Kind::Count,
            "Holds on the first so many visits within one execution, branch or item: a loop that counts.",
        )
        .within(1.0, 1_000_000.0),
        Field::required("next", Kind::Text, "The state it leads to."),
    ],
};

/// The fields of a branch of a parallel state.
pub const BRANCH: Table = Table {
    name: "branch",
    doc: "A branch of a parallel state.",
    fields: &[
        Field::optional(
            "start",
            Kind::Text,
            "The state it begins with; the first one if absent.",
        ),
        Field::required("states", Kind::Map(&Kind::Any), "Its states, by name.")
            .sample("{ first: { task: checkout } }")
            .sample("{ first: { task: checkout } }")
            .sample("{ first: { task: checkout } }"),
    ],
};

/// The fields of a map.
pub const MAP: Table = Table {
    name: "map",
    doc: "Runs the same states for each item.",
    fields: &[
        Field::required("items", Kind::Count, "How many items.").within(0.0, 1_000_000.0),
        Field::optional(
            "concurrency",
            Kind::Count,
            "How many at once; as many as the workflow's limit allows if absent.",
        )
        .within(1.0, 1_000_000.0),
        Field::default(
            "mode",
            Kind::Choice(&["inline", "distributed"]),
            "inline",
            "`distributed` runs every item as an execution of its own, with a history of its own.",
        )
        .source("AWS Step Functions Developer Guide, Map state processing modes"),
        Field::default(
            "tolerated_failures",
            Kind::Share,
            "0",
            "Of a distributed map: the share of items that may fail before it does.",
        )
        .source("Amazon States Language, ToleratedFailurePercentage"),
        Field::optional(
            "start",
            Kind::Text,
            "The state an item begins with; the first one if absent.",
        ),
        Field::required("states", Kind::Map(&Kind::Any), "The states of an item, by name."),
    ],
};

/// The fields of a retrier.
pub const RETRIER: Table = Table {
    name: "retrier",
    doc: "How a state is tried again. Errors are `all`, `task_failed` (all but time-outs), `failed`, `throttled`, \
          `unavailable` and `timed_out`.",
    fields: &[
        Field::default("errors", Kind::List(&Kind::Text), "[all]", "After which errors."),
        Field::default("interval", Kind::Duration, "1 s", "The wait before the first retry.")
            .source("Amazon States Language, Retry: IntervalSeconds"),
        Field::default(
            "max_attempts",
            Kind::Count,
            "3",
            "Retries at most; 0 is none. The first try is not counted.",
        )
        .within(0.0, 99_999_999.0)
        .source("Amazon States Language, Retry: MaxAttempts"),
        Field::default(
            "backoff_rate",
            Kind::Number,
            "2",
            "Growth of the wait from one retry to the next.",
        )
        .within(1.0, 1_000.0)
        .source("Amazon States Language, Retry: BackoffRate"),
        Field::optional("max_delay", Kind::Duration, "The longest wait.")
            .positive()
            .source("Amazon States Language, Retry: MaxDelaySeconds"),
        Field::default(
            "jitter",
            Kind::Choice(&["none", "full"]),
            "none",
            "`full` draws every wait between nothing and all of it.",
        )
        .source("Amazon States Language, Retry: JitterStrategy"),
    ],
};

/// The fields of a catcher.
pub const CATCHER: Table = Table {
    name: "catcher",
    doc: "Where a state's failure leads once its retries are used up.",
    fields: &[
        Field::default("errors", Kind::List(&Kind::Text), "[all]", "After which errors."),
        Field::required("next", Kind::Text, "The state it leads to."),
    ],
};

/// The fields of a workflow.
pub const TABLE: Table = Table {
    name: "workflow",
    doc: "A state machine that outlives the functions it calls: tasks, choices, branches, maps, waits, retries.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::optional(
            "account",
            Kind::Target(&["accounts"]),
            "The account: workflows of one account with the same quotas share them.",
        ),
        Field::optional(
            "start",
            Kind::Text,
            "The state it begins with; the first one if absent.",
        ),
        Field::required("states", Kind::Map(&Kind::Any), "Its states, by name."),
        Field::default(
            "answer",
            Kind::Choice(&["ended", "started"]),
            "ended",
            "When the caller hears: when the execution has ended, or as soon as it has started.",
        )
        .source("AWS Step Functions API reference, StartExecution and StartSyncExecution"),
        Field::default(
            "start_latency",
            Kind::Sampler,
            "0 ms",
            "Time from the call to the beginning of the execution.",
        ),
        Field::default(
            "transition",
            Kind::Sampler,
            "0 ms",
            "Time that every state transition takes.",
        ),
        Field::default(
            "task_overhead",
            Kind::Sampler,
            "0 ms",
            "Time that every try of a task takes beside what it calls.",
        ),
        Field::optional(
            "timeout",
            Kind::Duration,
            "How long an execution may take; for ever if absent.",
        )
        .positive(),
        Field::optional(
            "start_rate",
            Kind::Rate,
            "Executions that may be started per second, on average.",
        )
        .positive(),
        Field::default(
            "start_burst",
            Kind::Count,
            "1",
            "Executions that may be started at once.",
        )
        .within(1.0, 1_000_000.0),
        Field::optional(
            "transition_rate",
            Kind::Rate,
            "Transitions per second, on average; those above it are delayed.",
        )
        .positive(),
        Field::default("transition_burst", Kind::Count, "1", "Transitions at once.").within(1.0, 1_000_000.0),
        Field::optional(
            "maximum_open",
            Kind::Count,
            "Executions open at once; further ones are throttled.",
        )
        .within(1.0, 1_000_000_000.0),
        Field::optional(
            "history_limit",
            Kind::Count,
            "Events in the history of one execution, which fails beyond it.",
        )
        .within(10.0, 1_000_000_000.0),
        Field::optional(
            "payload_limit",
            Kind::Size,
            "The most data that a state may hand on, see the `result` of states; an execution with a larger input is refused \
             (413).",
        )
        .positive(),
        Field::default(
            "inline_concurrency",
            Kind::Count,
            "40",
            "The most items of an inline map at once.",
        )
        .within(1.0, 1_000_000.0)
        .source("AWS Step Functions Developer Guide, Map state: up to 40 concurrent iterations inline"),
        Field::default(
            "distributed_concurrency",
            Kind::Count,
            "10000",
            "The most items of a distributed map at once.",
        )
        .within(1.0, 1_000_000.0)
        .source("AWS Step Functions Developer Guide, distributed Map: up to 10,000 child executions"),
        Field::default(
            "metering",
            Kind::Choice(&["transitions", "duration"]),
            "transitions",
            "What is billed: state transitions, or executions with their duration and memory.",
        ),
        Field::default(
            "memory",
            Kind::Size,
            "64 MB",
            "Metered by duration: memory of an execution, billed in steps of `memory_step`.",
        )
        .positive()
        .source("AWS Step Functions pricing: 64 MB chunks"),
        Field::default(
            "memory_step",
            Kind::Size,
            "64 MB",
            "Metered by duration: billed memory is rounded up to a multiple of this; whole MB.",
        )
        .within(1_048_576.0, 1_099_511_627_776.0)
        .source("AWS Step Functions pricing: 64 MB chunks"),
        Field::default(
            "billing_step",
            Kind::Duration,
            "100 ms",
            "Metered by duration: billed time is rounded up to a multiple of this.",
        )
        .positive()
        .source("AWS Step Functions pricing: rounded up to 100 ms"),
    ],
};

impl WorkflowPlan {
    /// Reads a workflow; `account` is used if it names none.
    pub fn read(block: &Block, component: u32, account: Option<Id<ACCOUNT>>) -> Self {
        let size = RuleOfSize {
            inline: fit(block.count("inline_concurrency")),
            distributed: fit(block.count("distributed_concurrency")),
            payload: block.size_opt("payload_limit"),
        };
        let quota = |rate: &str, burst: &str| block.rate_opt(rate).map(|rate| (rate, block.count(burst)));
        for (rate, burst) in [("start_rate", "start_burst"), ("transition_rate", "transition_burst")] {
            if block.has(burst) && !block.has(rate) {
                let message = format!("`{burst}` without `{rate}` limits nothing");
                let help = format!("add `{rate}: 100/s`, or leave it out");
                block.warn(Code::NoEffect, block.span_of(burst), message, help);
            }
        }
        // Without states it has been reported, and nothing will run.
        let (states, start) = read_states(block, &size).unwrap_or((Vec::new(), END));
        let memory_mb = block.size("memory").div_ceil(1 << 20);
        Self {
            component,
            account: block.target_opt("account").map(Id::from).or(account),
            states,
            start,
            answers_at_start: block.choice("answer") == 1,
            start_latency: block.sampler("start_latency"),
            transition: block.sampler("transition"),
            task_overhead: block.sampler("task_overhead"),
            timeout: block.duration_opt("timeout").unwrap_or(Duration::FOREVER),
            starts: quota("start_rate", "start_burst"),
            transitions: quota("transition_rate", "transition_burst"),
            maximum_open: block.count_opt("maximum_open").unwrap_or(u64::MAX),
            history_limit: block.count_opt("history_limit").unwrap_or(u64::MAX),
            payload_limit: block.size_opt("payload_limit"),
            metering: [Metering::Transitions, Metering::Duration][block.choice("metering")],
            memory_mb: memory_mb.next_multiple_of(block.size("memory_step") >> 20),
            billing_step: block.duration("billing_step"),
        }
    }
}
