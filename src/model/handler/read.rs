//! Handlers as scenarios write them: a list of steps, read into a program with its loops unrolled.

use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::handler::run::{Program, STEPS_MAX, Step};
use crate::model::request::call::CallPlan;
use crate::model::request::guard::{Guarding, HEDGE, breaker};
use crate::model::request::kind::{self, CALLABLE, KINDS};
use crate::model::request::operation::{ACTIONS, CONSISTENCIES, Operation};
use crate::model::request::payload;
use crate::model::request::retry::RetryPolicy;
use crate::scenario::{
    Block, Code, Context, Diagnostic, Field, Kind, Node, Range, Table, Target, nearest, read_sampler, read_share,
    read_target, read_text, single_key,
};

/// The word for a recorded duration in scenarios.
pub const WORD: &str = "recorded";

/// Whether what runs a handler knows until when its callers wait.
pub const HEEDS_DEADLINES: Field = Field::default(
    "heeds_deadlines",
    Kind::Flag,
    "false",
    "Whether it knows until when its callers wait: it drops requests whose time is up instead of starting them, gives up \
     its own calls then, and tells those whom it calls.",
)
.source("gRPC documentation, Deadlines: opt-in propagation");

/// The steps, in the order of [`read_step`].
const STEPS: &[&str] = &[
    "cpu",
    "wait",
    "call",
    "send",
    "parallel",
    "loop",
    "cache",
    "batch",
    "fail",
    "effect",
    "idempotent",
];

/// What the steps mean, each with an example.
pub const MEANINGS: [(&str, &str, &str); 11] = [
    (
        "cpu",
        "cpu: 12 ms",
        "Works this long on one full processor; less of one makes it longer. `recorded` is as long as its request took.",
    ),
    (
        "wait",
        "wait: 30 ms",
        "Lets this much time pass without a processor. `recorded` is as long as its request took.",
    ),
    ("call", "call: orders", "Calls a component and waits for its answer."),
    (
        "send",
        "send: { to: events }",
        "Sends to a component and does not wait.",
    ),
    (
        "parallel",
        "parallel: [[call: a], [call: b]]",
        "Runs branches at once and waits for all of them.",
    ),
    (
        "loop",
        "loop: { times: 3, steps: [call: orders] }",
        "Does steps several times.",
    ),
    (
        "cache",
        "cache: { hit: 90%, miss: [call: orders] }",
        "Looks a value up; a miss does the steps.",
    ),
    (
        "batch",
        "batch: [cpu: 5 ms]",
        "Does steps once for a batch of messages.",
    ),
    ("fail", "fail: 1%", "Fails with this probability."),
    (
        "effect",
        "effect: charged",
        "Counts how often this was done, repetitions included.",
    ),
    (
        "idempotent",
        "idempotent: { store: keys, steps: [call: orders] }",
        "Does steps once for each message or request, however often that is delivered.",
    ),
];

/// The fields of a call.
pub const CALL: Table = Table {
    name: "call",
    doc: "Calls a component and waits for its answer. `- call: orders` is short for `- call: { to: orders }`. \
          `send` takes `to` only: it does not wait, and functions are invoked asynchronously.",
    fields: &[
        Field::required("to", Kind::Target(CALLABLE), "What is called."),
        Field::optional(
            "timeout",
            Kind::Duration,
            "How long an attempt waits for its answer; for ever if absent.",
        )
        .positive(),
        Field::default(
            "retry",
            Kind::Any,
            "none",
            "How it tries again: a policy's name, or a block.",
        ),
        Field::optional(
            "breaker",
            Kind::Block(&breaker::TABLE),
            "A circuit breaker in front of what is called.",
        ),
        Field::optional("hedge", Kind::Block(&HEDGE), "When an attempt is sent a second time."),
        Field::optional(
            "query",
            Kind::Sampler,
            "Of a database: CPU time of this query on one core, instead of the database's own; of a store: time on a \
             thread.",
        ),
        Field::default(
            "operation",
            Kind::Choice(&ACTIONS),
            "read",
            "Of a store: what is done. A query reads items together, so that their sizes add up before they are \
             rounded to units.",
        ),
        Field::default(
            "items",
            Kind::Count,
            "1",
            "Of a store: how many items; of an external service: how many units (tokens, images, messages).",
        )
        .within(1.0, 1e9),
        Field::optional(
            "item_size",
            Kind::Size,
            "Of a store: size of each item, instead of the store's own.",
        )
        .within(0.0, 1e12),
        Field::default(
            "consistency",
            Kind::Choice(&CONSISTENCIES),
            "eventual",
            "Of a store: a strong read takes twice the units of an eventual one, a transaction twice those of a \
             strong one.",
        ),
        payload::PAYLOAD,
        payload::PAYLOAD_P99,
        Field::default(
            "optional",
            Kind::Flag,
            "false",
            "Whether the handler goes on if the call fails in the end.",
        ),
    ],
};

/// The fields of a loop.
pub const LOOP: Table = Table {
    name: "loop",
    doc: "Repeats steps a fixed number of times.",
    fields: &[
        Field::required("times", Kind::Count, "How often.").within(0.0, 4096.0),
        Field::required("steps", Kind::Steps, "What."),
    ],
};

/// The fields of a cache.
pub const CACHE: Table = Table {
    name: "cache",
    doc: "Looks a value up: a hit skips the steps under `miss`.",
    fields: &[
        Field::required("hit", Kind::Share, "The probability of a hit."),
        Field::default("lookup", Kind::Sampler, "0 ms", "Time that the look-up takes."),
        Field::required("miss", Kind::Steps, "What a miss must do."),
    ],
};

/// The fields of an idempotent step.
pub const IDEMPOTENT: Table = Table {
    name: "idempotent",
    doc: "Does its steps once for each message, record or request, however often that is delivered: looks its key up \
          in a store, skips the steps if they were done, fails if another invocation is at them, and notes in the \
          store when they are done.",
    fields: &[
        Field::required(
            "store",
            Kind::Target(CALLABLE),
            "What keeps the keys: it is called before the steps and after them.",
        ),
        Field::default(
            "window",
            Kind::Duration,
            "24 h",
            "How long a key is kept after the steps are done.",
        )
        .positive()
        .source("Stripe API reference, idempotent requests: 24 h; AWS Lambda Powertools keeps keys for 1 h"),
        Field::required("steps", Kind::Steps, "What is done once."),
    ],
};

struct Reader<'a> {
    cx: &'a Context<'a>,
    steps: Vec<Step>,
    calls: Vec<CallPlan>,
    effects: Vec<&'a str>,
    claims: u16,
    /// Branches still to be read: (step that names them, place among its branches, their nodes).
    branches: Vec<(usize, usize, &'a Node)>,
    overflow: bool,
}

/// Reads the handler of a block (the field `handler`; an absent one does nothing) and those of its own that `paths`
/// have (the field `handlers`). `paths` are all paths that clients of the scenario ask for.
pub fn read_program(block: &Block, paths: &[String]) -> Program {
    let cx = block.context();
    let mut reader = Reader {
        cx,
        steps: Vec::new(),
        calls: Vec::new(),
        effects: Vec::new(),
        claims: 0,
        branches: Vec::new(),
        overflow: false,
    };
    reader.sequence(block.list("handler"));
    reader.steps.push(Step::End);
    let mut entries = Vec::new();
    for (key, steps) in block.entries("handlers") {
        let Some(path) = paths.iter().position(|path| *path == key.text) else {
            let help = match nearest(&key.text, paths.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "paths are those that clients name under `paths`".to_owned(),
            };
            // Another variant may have the client that does.
            cx.warn(
                Code::Unused,
                key.span,
                format!("no client asks for `{}`", key.text),
                help,
            );
            continue;
        };
        entries.resize(entries.len().max(path + 1), 0);
        entries[path] = fit(reader.steps.len());
        reader.sequence(steps.items());
        reader.steps.push(Step::End);
    }
    // Branches follow the main program; a branch may have branches of its own.
    while let Some((step, place, node)) = reader.branches.pop() {
        let start = fit(reader.steps.len());
        if let Step::Parallel(starts) = &mut reader.steps[step] {
            starts[place] = start;
        }
        reader.sequence(node.items());
        reader.steps.push(Step::End);
    }
    if reader.overflow {
        let message = format!("the handler has more than {STEPS_MAX} steps once its loops are unrolled");
        cx.error(
            Code::TooMany,
            block.span_of("handler"),
            message,
            "repeat less, or make one step of several",
        );
        reader.steps = vec![Step::End];
        entries.clear();
    }
    Program {
        steps: reader.steps,
        calls: reader.calls.into(),
        entries,
        heeds_deadlines: block.flag("heeds_deadlines"),
    }
}

impl<'a> Reader<'a> {
    fn sequence(&mut self, nodes: &'a [Node]) {
        for node in nodes {
            if self.steps.len() >= STEPS_MAX {
                self.overflow = true;
                return;
            }
            self.step(node);
        }
    }

    fn step(&mut self, node: &'a Node) {
        let cx = self.cx;
        let Some((key, value)) = single_key(cx, node) else {
            return;
        };
        match key.text.as_str() {
            "cpu" if value.scalar() == Some(WORD) => self.steps.push(Step::Recorded { computes: true }),
            "wait" if value.scalar() == Some(WORD) => self.steps.push(Step::Recorded { computes: false }),
            "cpu" | "wait" if is_almost_recorded(value) => report_almost_recorded(cx, value),
            "cpu" => self.steps.push(Step::Cpu(read_sampler(cx, value))),
            "wait" => self.steps.push(Step::Wait(read_sampler(cx, value))),
            "call" => {
                if let Some(call) = self.call(value) {
                    self.steps.push(Step::Call(call));
                }
            }
            "send" => {
                self.refuse_answers(value);
                if let Some(call) = self.call(value) {
                    self.steps.push(Step::Send(call));
                }
            }
            "parallel" => self.parallel(value),
            "loop" => {
                let block = Block::keyed(cx, key, value, &LOOP);
                for _ in 0..block.count("times") {
                    let before = self.steps.len();
                    self.sequence(block.list("steps"));
                    // A body without a step, because it is empty or wrong, has none the next time either.
                    if self.overflow || self.steps.len() == before {
                        break;
                    }
                }
            }
            "cache" => {
                let block = Block::keyed(cx, key, value, &CACHE);
                let lookup = block.sampler("lookup");
                if !lookup.is_zero() {
                    self.steps.push(Step::Wait(lookup));
                }
                let skip = self.steps.len();
                self.steps.push(Step::Skip {
                    hit: block.share("hit"),
                    to: 0,
                });
                self.sequence(block.list("miss"));
                let after = fit(self.steps.len());
                if let Some(Step::Skip { to, .. }) = self.steps.get_mut(skip) {
                    *to = after;
                }
            }
            "batch" => self.once_for_a_batch(value),
            "fail" => self.steps.push(Step::Fail(read_share(cx, value, Range::Any))),
            "effect" => self.effect(value),
            "idempotent" => self.idempotent(&Block::keyed(cx, key, value, &IDEMPOTENT)),
            other => {
                let help = match nearest(other, STEPS.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("steps are {}", STEPS.join(", ")),
                };
                cx.error(
                    Code::UnknownKey,
                    key.span,
                    format!("`{other}` is not a step of a handler"),
                    help,
                );
            }
        }
    }

    /// A `send` waits for nothing, so what concerns the answer to a call has no meaning for it.
    fn refuse_answers(&self, value: &Node) {
        // What it asks for has one: a write that nobody waits for.
        let has = ["to", "payload", "payload_p99"];
        let asks = |name: &str| has.contains(&name) || Operation::FIELDS.contains(&name);
        for (key, _) in value.entries().iter().filter(|(key, _)| !asks(&key.text)) {
            if CALL.field(&key.text).is_some() {
                let message = format!(
                    "`{}` has no meaning for `send`, which does not wait for an answer",
                    key.text
                );
                let help = "use `call`, or leave it out; how a function repeats what it was sent is its `asynchronous`";
                self.cx.error(Code::Conflict, key.span, message, help);
            }
        }
    }

    /// Steps that only the last message of a batch does.
    fn once_for_a_batch(&mut self, value: &'a Node) {
        let last = self.steps.len();
        self.steps.push(Step::Last { to: 0 });
        self.sequence(value.items());
        let after = fit(self.steps.len());
        if let Some(Step::Last { to }) = self.steps.get_mut(last) {
            *to = after;
        }
    }

    /// Effects of one name are one effect.
    fn effect(&mut self, value: &'a Node) {
        let Some(name) = read_text(self.cx, value) else { return };
        let number = self.effects.iter().position(|effect| *effect == name);
        let number = number.unwrap_or_else(|| {
            self.effects.push(name);
            self.effects.len() - 1
        });
        self.steps.push(Step::Effect(fit(number)));
    }

    /// Look-up, claim, steps, and the note that they are done.
    fn idempotent(&mut self, block: &Block<'a>) {
        let (window, claim) = (block.duration("window"), self.claims);
        let Some(store) = block.target("store") else {
            return self.sequence(block.list("steps"));
        };
        self.claims += 1;
        let look_up = CallPlan {
            to: store,
            timeout: Duration::FOREVER,
            retry: RetryPolicy::NONE,
            guarding: Guarding::default(),
            guard: None,
            careful: false,
            follows: false,
            optional: false,
            demand: None,
            // A conditional write claims the key, another one settles it.
            operation: Operation::WRITE,
            payload: None,
        };
        self.calls.extend([look_up.clone(), look_up]);
        let calls: u16 = fit(self.calls.len());
        self.steps.push(Step::Call(calls - 2));
        let start = self.steps.len();
        self.steps.push(Step::Claim { claim, to: 0 });
        self.sequence(block.list("steps"));
        self.steps
            .extend([Step::Call(calls - 1), Step::Settle { claim, window }]);
        let after = fit(self.steps.len());
        if let Some(Step::Claim { to, .. }) = self.steps.get_mut(start) {
            *to = after;
        }
    }

    /// Leaves the branches for later: they follow the main program.
    fn parallel(&mut self, value: &'a Node) {
        let branches = value.items();
        if branches.is_empty() || value.scalar().is_some() {
            let message = format!("`parallel` needs branches, found {}", value.describe());
            let help = "give each branch a list of steps: `parallel: [[call: a], [call: b, cpu: 1 ms]]`";
            self.cx.error(Code::WrongShape, value.span, message, help);
            return;
        }
        // Each branch ends in a step of its own, so that these are too many, whatever they do.
        if self.branches.len() + branches.len() > STEPS_MAX {
            self.overflow = true;
            return;
        }
        let step = self.steps.len();
        self.steps.push(Step::Parallel(vec![0; branches.len()]));
        let branches = branches.iter().enumerate();
        self.branches.extend(branches.map(|(i, branch)| (step, i, branch)));
    }

    /// Reads a call and returns its number; the same call twice is two calls (each has its own retry budget).
    fn call(&mut self, node: &Node) -> Option<u16> {
        let cx = self.cx;
        let call = if node.scalar().is_some() {
            let to = read_target(cx, node, CALLABLE)?;
            CallPlan {
                to,
                timeout: Duration::FOREVER,
                retry: RetryPolicy::NONE,
                guarding: Guarding::default(),
                guard: None,
                careful: false,
                follows: false,
                optional: false,
                demand: None,
                operation: Operation::default(),
                payload: None,
            }
        } else {
            let block = Block::new(cx, node, &CALL);
            let retry = block
                .node("retry")
                .map_or(RetryPolicy::NONE, |node| RetryPolicy::read(cx, node));
            let to = block.target("to")?;
            only_for_stores(&block, to);
            CallPlan {
                to,
                timeout: block.duration_opt("timeout").unwrap_or(Duration::FOREVER),
                retry,
                guarding: Guarding::read(&block, to),
                guard: None,
                careful: false,
                follows: false,
                optional: block.flag("optional"),
                demand: block.sampler_opt("query"),
                operation: Operation::read(&block),
                payload: payload::read(&block),
            }
        };
        self.calls.push(call);
        Some(fit(self.calls.len() - 1))
    }
}

/// Reports fields of a call that only a store or an external service understands, on a call of something else.
fn only_for_stores(call: &Block, to: Target) {
    let can = kind::abilities(to.kind);
    let understood: &[&str] = match (can.operates, can.takes_items) {
        (true, _) => &Operation::FIELDS,
        (_, true) => &["items"],
        _ => &[],
    };
    let strange = Operation::FIELDS
        .iter()
        .find(|field| call.has(field) && !understood.contains(field));
    if let Some(field) = strange {
        let message = format!(
            "`{field}` means nothing to a component under `{}`",
            KINDS[to.kind as usize]
        );
        let help = "leave it out; the fields `operation`, `item_size` and `consistency` are for stores, `items` for \
                    stores and externals";
        call.error(Code::Inconsistent, call.span_of(field), message, help);
    }
}

fn is_almost_recorded(time: &Node) -> bool {
    time.scalar().and_then(|text| nearest(text, [WORD])).is_some()
}

fn report_almost_recorded(cx: &Context, time: &Node) {
    let text = time.scalar().unwrap_or_default();
    let problem = Diagnostic::new(Code::BadQuantity, time.span, format!("`{text}` is not a duration"));
    let help = "write a time such as `12 ms`, or `recorded` for that of the request";
    cx.report(problem.help(help).suggest(time.span, WORD));
}
