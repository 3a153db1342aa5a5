//! From the tree of a scenario to a plan: names become numbers, presets and defaults are filled in, and what cannot be
//! true together is found.

use crate::kernel::Duration;
use crate::model::handler::read as program_fields;
use crate::model::handler::read::read_program;
use crate::model::handler::run::Program;
use crate::model::mechanism::client::recorded::Clock;
use crate::model::mechanism::client::{self, ClientPlan};
use crate::model::mechanism::database::plan::DatabasePlan;
use crate::model::mechanism::database::proxy::ProxyPlan;
use crate::model::mechanism::external::{self, ExternalPlan};
use crate::model::mechanism::fleet::plan::{FleetPlan, Machine};
use crate::model::mechanism::function::plan::FunctionPlan;
use crate::model::mechanism::function::scaled::plan::Billing;
use crate::model::mechanism::gateway::{self, GatewayPlan};
use crate::model::mechanism::queue::plan::QueuePlan;
use crate::model::mechanism::schedule::{self, SchedulePlan};
use crate::model::mechanism::store::fields::StorePlan;
use crate::model::mechanism::stream::plan::StreamPlan;
use crate::model::mechanism::topic::{self, TopicPlan};
use crate::model::mechanism::workflow::plan::WorkflowPlan;
use crate::model::mechanism::{database, fleet, function, queue, store, stream, workflow};
use crate::model::request::account::{self, Account, AccountPlan};
use crate::model::request::entry::HOPS_MAX;
use crate::model::request::retry::TABLE as RETRY;
use crate::model::world::lint::lint;
use crate::model::world::reach;
use crate::model::{Component, KINDS, Plan, kind};
use crate::scenario::calendar::Beginning;
use crate::scenario::{
    Block, Catalog, Code, Context, Diagnostic, Diagnostics, Field, Files, Key, Kind, Names, Node, NodeKind, Shelf,
    Table, Target, prices, read_duration,
};
use std::collections::BTreeSet;

/// Blocks that fields of free form hold, for the reference.
pub const INNER: [&Table; 12] = [
    &RETRY,
    &function::fields::PROVISIONED,
    &program_fields::CALL,
    &program_fields::LOOP,
    &program_fields::CACHE,
    &program_fields::IDEMPOTENT,
    &client::fields::BATCH,
    &workflow::fields::STATE,
    &workflow::fields::RULE,
    &workflow::fields::BRANCH,
    &workflow::fields::MAP,
    &topic::fields::SUBSCRIPTION,
];

/// The fields of `run`.
pub const RUN: Table = Table {
    name: "run",
    doc: "How long, how often, from which seed.",
    fields: &[
        Field::default(
            "length",
            Kind::Duration,
            "1 h",
            "Simulated time of one run, the warm-up included. If absent, one hour is measured after the warm-up.",
        )
        .positive(),
        Field::default(
            "start",
            Kind::Text,
            "2026-01-05",
            "When it begins, in UTC unless it says otherwise: `2026-01-31T18:00`. Schedules, daily courses and recordings \
             with dates go by it. If absent, the zero of recordings with dates, or a Monday without any.",
        ),
        Field::default(
            "warmup",
            Kind::Any,
            "auto",
            "Time at the start that is not measured, or `auto`: as long as the system remembers its start.",
        )
        .sample("10 min"),
        Field::default(
            "window",
            Kind::Duration,
            "1 min",
            "Length of a window of the timelines.",
        )
        .at_least(1e6),
        Field::optional(
            "percentiles",
            Kind::List(&Kind::Number),
            "Percentiles to report of every distribution beside p50, p90, p95, p99, p99.9 and p99.99: `[75, 99.5]`.",
        )
        .within(0.0, 100.0),
        Field::default(
            "replications",
            Kind::Count,
            "16",
            "Runs with different dice; intervals come from them.",
        )
        .within(1.0, 100_000.0),
        Field::default(
            "seed",
            Kind::Count,
            "1",
            "Where the dice start; the same seed gives the same bytes.",
        ),
    ],
};

/// The fields of a scenario.
pub const ROOT: Table = Table {
    name: "scenario",
    doc: "A system, the traffic on it, and what is asked about it.",
    fields: &[
        Field::default("title", Kind::Text, "\"\"", "One line: what this is."),
        Field::optional("description", Kind::Text, "A paragraph or two."),
        Field::optional("run", Kind::Block(&RUN), "How long, how often, from which seed."),
        Field::optional("billing", Kind::Any, "How the measured time becomes a month's bill.")
            .sample("{ free_tier: true }"),
        Field::optional(
            "prices",
            Kind::Any,
            "Prices of your own: lists of lines by service, or a price file beside the scenario.",
        )
        .sample("prices.yaml"),
        Field::optional(
            "catalog",
            Kind::Text,
            "A folder with service files of your own, relative to the scenario.",
        ),
        Field::optional(
            "accounts",
            Kind::Map(&Kind::Block(&account::TABLE)),
            "What functions and gateways share.",
        ),
        Field::optional(
            "clients",
            Kind::Map(&Kind::Block(&client::fields::TABLE)),
            "Where requests come from.",
        ),
        Field::optional(
            "gateways",
            Kind::Map(&Kind::Block(&gateway::TABLE)),
            "Gateways and load balancers.",
        ),
        Field::optional(
            "functions",
            Kind::Map(&Kind::Block(&function::fields::TABLE)),
            "Functions.",
        ),
        Field::optional(
            "queues",
            Kind::Map(&Kind::Block(&queue::fields::TABLE)),
            "Queues and their pollers.",
        ),
        Field::optional(
            "databases",
            Kind::Map(&Kind::Block(&database::plan::TABLE)),
            "Databases.",
        ),
        Field::optional(
            "proxies",
            Kind::Map(&Kind::Block(&database::proxy::TABLE)),
            "Connection proxies.",
        ),
        Field::optional(
            "fleets",
            Kind::Map(&Kind::Block(&fleet::fields::TABLE)),
            "EC2, ECS and Fargate services.",
        ),
        Field::optional(
            "streams",
            Kind::Map(&Kind::Block(&stream::fields::TABLE)),
            "Streams of records and what reads them.",
        ),
        Field::optional(
            "workflows",
            Kind::Map(&Kind::Block(&workflow::fields::TABLE)),
            "State machines that call other components.",
        ),
        Field::optional(
            "stores",
            Kind::Map(&Kind::Block(&store::fields::TABLE)),
            "Tables, object stores, caches and search clusters.",
        ),
        Field::optional(
            "externals",
            Kind::Map(&Kind::Block(&external::TABLE)),
            "Managed and third-party services.",
        ),
        Field::optional(
            "topics",
            Kind::Map(&Kind::Block(&topic::fields::TABLE)),
            "Topics, event buses, notifications of buckets.",
        ),
        Field::optional(
            "schedules",
            Kind::Map(&Kind::Block(&schedule::TABLE)),
            "Cron and rate expressions, one-off jobs.",
        ),
        Field::optional(
            "faults",
            Kind::Map(&Kind::Block(&super::faults::TABLE)),
            "What breaks during the run, by name.",
        ),
        Field::optional(
            "variants",
            Kind::Map(&Kind::Any),
            "Overlays: the same system with these differences.",
        )
        .sample("{ more: { functions: { checkout: { memory: 1 GB } } } }"),
        Field::optional("sweep", Kind::List(&Kind::Any), "Parameters and the values to try.")
            .sample("[{ parameter: functions.checkout.memory, values: [512 MB, 1 GB] }]"),
        Field::optional(
            "expect",
            Kind::List(&Kind::Any),
            "What must come out; `coldcurve test` checks it.",
        )
        .sample("[{ metric: latency.p99, below: 500 ms }]"),
    ],
};

/// The most windows of a run: every metric keeps a number for each of them, in every replication.
const WINDOWS_MAX: u64 = 200_000;

/// What `run` says beside the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpec {
    /// Runs with different dice.
    pub replications: u64,
    /// Whether the warm-up is to be found from what the system remembers and by pilot runs.
    pub warmup_auto: bool,
    /// Whether no length is given: the measured time is then what the plan's length is without its warm-up.
    pub length_open: bool,
}

/// The longest warm-up that is found for a run whose length is not given.
pub const WARMUP_MOST: Duration = Duration::from_secs(48 * 3600);

/// Reads the plan of one variant. Problems go to the context's diagnostics; `None` if there is nothing to run then.
pub fn build(root: &Node, catalog: &Catalog, diagnostics: &Diagnostics, files: &dyn Files) -> Option<(Plan, RunSpec)> {
    let shelf = Shelf::new(files);
    // Who builds several plans keeps what was read himself.
    let files = if files.kept().is_some() { files } else { &shelf };
    let before = diagnostics.has_errors();
    let names = Names::collect(root, KINDS, diagnostics);
    let cx = Context {
        diagnostics,
        names: &names,
        files,
    };
    let block = Block::new(&cx, root, &ROOT);
    let mut builder = Builder::new(&cx, catalog, root);
    let spec = builder.run(&block);
    builder.components(root);
    builder.plan.number_guards(&cx, root);
    builder.sessions();
    builder.event_targets();
    builder.account_shares();
    builder.ways(root);
    if !diagnostics.has_errors() {
        reach::check(&builder.plan, &cx, root);
    }
    stream::fields::further_consumers(&builder.plan, &cx);
    builder.plan.faults = super::faults::read_all(&block, &builder.plan);
    // What stands in for a value that could not be read is not worth a warning.
    if !diagnostics.has_errors() {
        lint(&builder.plan, &cx, root);
    }
    if builder.plan.clients.is_empty() && builder.plan.schedules.is_empty() && !diagnostics.has_errors() {
        cx.error(
            Code::MissingKey,
            root.span,
            "nobody sends: the scenario has neither clients nor schedules",
            "add a section `clients`",
        );
    }
    if !diagnostics.has_errors() {
        unused(root, &cx);
    }
    (before || !diagnostics.has_errors()).then_some((builder.plan, spec))
}

/// Warns about components that are named nowhere else in the scenario: nothing can lead to them.
fn unused(root: &Node, cx: &Context) {
    let mut words = BTreeSet::new();
    let sections = root
        .entries()
        .iter()
        .filter(|(key, _)| KINDS.contains(&key.text.as_str()));
    for (_, component) in sections.flat_map(|(_, section)| section.entries()) {
        named(component, &mut words);
    }
    let leads = |target: &Target| ![kind::ACCOUNT, kind::CLIENT, kind::SCHEDULE].contains(&target.kind);
    for (target, name) in cx
        .names
        .all()
        .filter(|(target, name)| leads(target) && !words.contains(name))
    {
        let message = format!("nothing leads to `{name}`");
        let help = "name it as the target of a client, a gateway or a handler, or remove it";
        let problem = Diagnostic::new(Code::Unused, cx.names.span(target), message);
        cx.report(problem.help(help));
    }
}

/// Collects all single values and all keys below a node.
pub fn named<'n>(node: &'n Node, words: &mut BTreeSet<&'n str>) {
    match &node.kind {
        NodeKind::Null => {}
        NodeKind::Scalar(text) => _ = words.insert(text),
        NodeKind::Seq(items) => items.iter().for_each(|item| named(item, words)),
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                words.insert(&key.text);
                named(value, words);
            }
        }
    }
}

struct Builder<'a> {
    cx: &'a Context<'a>,
    catalog: &'a Catalog,
    plan: Plan,
    paths: Vec<String>,
    /// When runs begin.
    start: Beginning,
    /// When they end at the latest: a warm-up that is found later may come on top of their length.
    horizon: Duration,
    /// What recordings go by.
    clock: Clock,
    /// Where the scenario as a whole is.
    root: crate::scenario::Span,
}

impl<'a> Builder<'a> {
    fn new(cx: &'a Context<'a>, catalog: &'a Catalog, root: &Node) -> Self {
        let mut paths = vec!["/".to_owned()];
        for (_, client) in root.get("clients").map_or(&[][..], Node::entries) {
            for (path, _) in client.get("paths").map_or(&[][..], Node::entries) {
                if !paths.contains(&path.text) {
                    paths.push(path.text.clone());
                }
            }
        }
        Self {
            cx,
            catalog,
            plan: Plan::default(),
            paths,
            start: Beginning::default(),
            horizon: Duration::ZERO,
            clock: Clock::default(),
            root: root.span,
        }
    }

    fn run(&mut self, root: &Block) -> RunSpec {
        let empty = Node::empty_map(root.span());
        let block = root.block("run").unwrap_or(Block::new(self.cx, &empty, &RUN));
        let plan = &mut self.plan;
        let before = self.cx.diagnostics.pushed();
        plan.length = block.duration("length");
        plan.window = block.duration("window");
        plan.percentiles = crate::model::world::percentiles::read(&block);
        plan.seed = block.count("seed");
        self.start = Beginning::read(&block);
        self.clock = Clock::new(self.start, block.has("start"), plan.length);
        let warmup = block.node("warmup").filter(|node| node.scalar() != Some("auto"));
        plan.warmup = warmup.map_or(Duration::ZERO, |node| {
            let range = crate::scenario::Range::AtLeast(0.0);
            read_duration(self.cx, node, range)
        });
        let length_open = !block.has("length");
        if length_open {
            plan.length += plan.warmup;
        }
        self.horizon = plan.length;
        if length_open && warmup.is_none() {
            self.horizon += WARMUP_MOST;
        }
        self.clock.length = plan.length;
        self.clock.horizon = self.horizon;
        let sound = self.cx.diagnostics.pushed() == before;
        if sound && plan.warmup >= plan.length {
            let message = "the warm-up leaves nothing to measure";
            self.cx.error(
                Code::Inconsistent,
                block.span_of("warmup"),
                message,
                "make `length` longer than `warmup`",
            );
        }
        if plan.length.0 / plan.window.0.max(1) > WINDOWS_MAX {
            let message = format!(
                "a run of {} windows: timelines keep at most {WINDOWS_MAX}",
                plan.length.0 / plan.window.0.max(1)
            );
            let help = "make `window` longer, such as `window: 1 h`";
            self.cx
                .error(Code::Inconsistent, block.span_of("window"), message, help);
        }
        RunSpec {
            replications: block.count("replications"),
            warmup_auto: warmup.is_none(),
            length_open,
        }
    }

    fn components(&mut self, root: &Node) {
        let clients = root.get("clients").map_or(&[][..], Node::entries);
        let clients: Vec<&Node> = clients.iter().map(|(_, node)| node).collect();
        self.clock.look(self.cx, &clients);
        self.start = self.clock.start;
        for (number, section) in KINDS.iter().enumerate() {
            let entries = root.get(section).map_or(&[][..], Node::entries);
            for (index, (key, node)) in entries.iter().enumerate() {
                let node = self.catalog.apply(section, node, self.cx.diagnostics);
                let target = Target {
                    kind: number as u8,
                    index: index as u16,
                };
                self.component(target, key, &node);
            }
        }
    }

    fn component(&mut self, target: Target, key: &Key, node: &Node) {
        let cx = self.cx;
        let id = self.plan.components.len() as u32;
        let service = node.get("service").and_then(Node::scalar).map(str::to_owned);
        let mut attributes = Attributes::new();
        let block = |table| Block::keyed(cx, key, node, table);
        match target.kind {
            kind::ACCOUNT => self.plan.accounts.push(AccountPlan::read(&block(&account::TABLE))),
            kind::CLIENT => {
                let block = block(&client::fields::TABLE);
                let client = ClientPlan::read(&block, id, &key.text, &self.paths, &self.clock);
                self.plan.clients.extend(client);
            }
            kind::GATEWAY => {
                let account = self.default_account(service.as_deref());
                let gateway = GatewayPlan::read(&block(&gateway::TABLE), id, &self.paths, account);
                self.plan.gateways.extend(gateway);
            }
            kind::FUNCTION => {
                let account = self.default_account(service.as_deref());
                let block = block(&function::fields::TABLE);
                let when = (self.start, self.plan.length);
                let mut plan = FunctionPlan::read(&block, id, &key.text, &self.paths, account, when);
                plan.platform.machine_vcpus = function_machine(&block);
                self.plan.functions.push(plan);
                attributes = function_attributes(&block);
            }
            kind::QUEUE => {
                let block = block(&queue::fields::TABLE);
                self.plan.queues.push(QueuePlan::read(&block, id, &self.plan.functions));
            }
            kind::DATABASE => {
                let block = block(&database::plan::TABLE);
                self.plan.databases.push(DatabasePlan::read(&block, id));
                attributes.extend(instance_type(&block));
            }
            kind::PROXY => {
                let block = block(&database::proxy::TABLE);
                let proxy = ProxyPlan::read(&block, id, &key.text, &self.plan.databases);
                self.plan.proxies.extend(proxy);
            }
            kind::FLEET => {
                let block = block(&fleet::fields::TABLE);
                let program = read_program(&block, &self.paths);
                self.plan
                    .fleets
                    .push(FleetPlan::read(&block, id, &key.text, program, machine));
                attributes = fleet_attributes(&block);
            }
            _ => attributes = self.managed(target.kind, id, service.as_deref(), (key, node)),
        }
        self.plan.components.push(Component {
            target,
            name: key.text.clone(),
            service,
            attributes,
        });
    }

    /// Streams, workflows, stores, external services, topics and schedules.
    fn managed(&mut self, kind: u8, id: u32, service: Option<&str>, (key, node): (&Key, &Node)) -> Attributes {
        let cx = self.cx;
        let block = |table| Block::keyed(cx, key, node, table);
        match kind {
            kind::STREAM => {
                let block = block(&stream::fields::TABLE);
                self.plan.streams.push(StreamPlan::read(&block, id, &key.text));
            }
            kind::WORKFLOW => {
                let account = self.default_account(service);
                let workflow = WorkflowPlan::read(&block(&workflow::fields::TABLE), id, account);
                self.plan.workflows.push(workflow);
            }
            kind::STORE => {
                let block = block(&store::fields::TABLE);
                self.plan.stores.push(StorePlan::read(&block, id));
                return instance_type(&block).into_iter().collect();
            }
            kind::EXTERNAL => {
                let block = block(&external::TABLE);
                self.plan.externals.push(ExternalPlan::read(&block, id));
                return external::attributes(&block);
            }
            kind::TOPIC => self
                .plan
                .topics
                .push(TopicPlan::read(&block(&topic::fields::TABLE), id)),
            kind::SCHEDULE => self.schedule(&block(&schedule::TABLE), id, &key.text),
            _ => {}
        }
        Attributes::new()
    }

    fn schedule(&mut self, block: &Block, id: u32, name: &str) {
        let schedule = SchedulePlan::read(block, id, name, self.start, self.horizon);
        self.plan.schedules.extend(schedule);
    }

    /// The account of a component that names none: the scenario's first, or one with the provider's default quotas.
    fn default_account(&mut self, service: Option<&str>) -> Option<u16> {
        if !service?.starts_with("aws.") {
            return None;
        }
        if self.plan.accounts.is_empty() {
            let node = Node::empty_map(self.root);
            self.plan
                .accounts
                .push(AccountPlan::read(&Block::new(self.cx, &node, &account::TABLE)));
        }
        Some(0)
    }

    /// Finds out which functions' instances hold database sessions.
    fn sessions(&mut self) {
        let stores = &self.plan.stores;
        let store = |target: Target| {
            matches!(target.kind, kind::DATABASE | kind::PROXY) || store::counts_connections(stores, target)
        };
        for function in &mut self.plan.functions {
            function.holds_sessions = function.program.calls.iter().any(|call| store(call.to));
        }
    }

    /// Finds out which functions are sent events.
    fn event_targets(&mut self) {
        let functions = self.plan.functions.iter();
        let programs = functions
            .map(|f| &f.program)
            .chain(self.plan.fleets.iter().map(|f| &f.program));
        let mut targets: Vec<Target> = programs.flat_map(Program::sent).collect();
        let topics = self.plan.topics.iter().flat_map(|topic| &topic.subscriptions);
        targets.extend(topics.map(|subscription| subscription.channel.to));
        targets.extend(self.plan.schedules.iter().map(|schedule| schedule.channel.to));
        targets.extend(self.plan.functions.iter().flat_map(|f| f.asynchronous.destinations()));
        for target in targets.into_iter().filter(|target| target.kind == kind::FUNCTION) {
            if let Some(function) = self.plan.functions.get_mut(target.index as usize) {
                function.asynchronous.used = true;
            }
        }
    }

    /// Adds up what functions set aside from their accounts' concurrency.
    fn account_shares(&mut self) {
        for function in &self.plan.functions {
            if let Some(account) = function.account {
                self.plan.accounts[account as usize].reserved += function.set_aside();
            }
        }
        for (index, account) in self.plan.accounts.iter().enumerate() {
            let available = account.concurrency.saturating_sub(Account::KEPT_UNRESERVED);
            if account.reserved > available {
                let span = self.place_of_reservation(index as u16);
                let message = format!(
                    "reserved and provisioned concurrency add up to {}, but the account has {} and keeps {} free",
                    account.reserved,
                    account.concurrency,
                    Account::KEPT_UNRESERVED
                );
                let help = "raise the quota: `accounts: { aws: { concurrency: 5000 } }`, or reserve less";
                self.cx.error(Code::Inconsistent, span, message, help);
            }
        }
    }

    fn place_of_reservation(&self, account: u16) -> crate::scenario::Span {
        let mine = |f: &&FunctionPlan| f.account == Some(account) && f.set_aside() > 0;
        let function = self.plan.functions.iter().filter(mine).max_by_key(|f| f.set_aside());
        function.map_or(self.root, |f| {
            self.cx.names.span(self.plan.components[f.component as usize].target)
        })
    }

    /// Checks that calls do not go round in circles and do not pass too many gateways.
    fn ways(&self, root: &Node) {
        let mut done = Vec::new();
        for component in &self.plan.components {
            let mut way = Vec::new();
            if self.walk(component.target, &mut way, &mut done) {
                let circle: Vec<&str> = way.iter().map(|target| self.cx.names.name(*target)).collect();
                let message = format!("these call one another for ever: {}", circle.join(" -> "));
                let span = way.first().map_or(root.span, |target| self.cx.names.span(*target));
                self.cx.error(
                    Code::Cycle,
                    span,
                    message,
                    "break the circle, for example with a queue in between",
                );
                return;
            }
        }
        for client in &self.plan.clients {
            self.paths_lead_somewhere(client);
        }
        for (index, _) in self.plan.gateways.iter().enumerate() {
            let target = Target {
                kind: kind::GATEWAY,
                index: index as u16,
            };
            if self.gateways_in_a_row(target) > HOPS_MAX {
                let message = format!("more than {HOPS_MAX} gateways in a row");
                self.cx
                    .error(Code::Unsupported, self.cx.names.span(target), message, "leave some out");
                return;
            }
        }
    }

    /// Checks that the gateway that a client talks to has a route for everything that the client asks for.
    fn paths_lead_somewhere(&self, client: &ClientPlan) {
        if client.to.kind != kind::GATEWAY {
            return;
        }
        let Some(gateway) = self.plan.gateways.get(client.to.index as usize) else {
            return;
        };
        let asked = if client.paths.is_empty() {
            vec![0]
        } else {
            client.paths.iter().map(|path| path.1).collect()
        };
        for path in asked
            .into_iter()
            .filter(|path| gateway.routes[*path as usize].is_empty())
        {
            let message = format!(
                "`{}` has no route for `{}`, which `{}` asks for",
                self.cx.names.name(client.to),
                self.paths[path as usize],
                client.name
            );
            let span = self.cx.names.span(client.to);
            self.cx.error(
                Code::MissingKey,
                span,
                message,
                "add `to: name`, or a route with `path: \"*\"`",
            );
        }
    }

    fn gateways_in_a_row(&self, target: Target) -> usize {
        if target.kind != kind::GATEWAY {
            return 0;
        }
        1 + self
            .callees(target)
            .into_iter()
            .map(|next| self.gateways_in_a_row(next))
            .max()
            .unwrap_or(0)
    }

    /// Follows calls depth first; says whether they come back to where they have been, and leaves the circle in `way`.
    fn walk(&self, target: Target, way: &mut Vec<Target>, done: &mut Vec<Target>) -> bool {
        if done.contains(&target) {
            return false;
        }
        if let Some(start) = way.iter().position(|seen| *seen == target) {
            way.drain(..start);
            way.push(target);
            return true;
        }
        way.push(target);
        for next in self.callees(target) {
            if self.walk(next, way, done) {
                return true;
            }
        }
        way.pop();
        done.push(target);
        false
    }

    /// What a component calls and waits for.
    fn callees(&self, target: Target) -> Vec<Target> {
        let index = target.index as usize;
        match target.kind {
            kind::GATEWAY => {
                let routes = self
                    .plan
                    .gateways
                    .get(index)
                    .map_or(&[][..], |gateway| &gateway.routes[..]);
                routes.iter().flatten().map(|route| route.1).collect()
            }
            kind::FUNCTION => self
                .plan
                .functions
                .get(index)
                .map_or(Vec::new(), |f| f.program.called()),
            kind::FLEET => self.plan.fleets.get(index).map_or(Vec::new(), |f| f.program.called()),
            kind::WORKFLOW => self.plan.workflows.get(index).map_or(Vec::new(), WorkflowPlan::callees),
            kind::STORE => {
                let store = self.plan.stores.get(index);
                store.and_then(|store| store.behind).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A type of machine in the price book.
fn machine(name: &str) -> Option<Machine> {
    prices::instance_type(name).map(|machine| Machine {
        vcpus: f64::from(machine.vcpu_milli) / 1000.0,
        memory_mb: machine.memory_mb,
        baseline: machine.baseline_milli.map(|milli| f64::from(milli) / 1000.0),
    })
}

/// vCPUs of the machines that a function's instances run on, if it says on which.
fn function_machine(block: &Block) -> Option<f64> {
    let name = block.text_opt("machine")?;
    let machine = machine(name);
    if machine.is_none() {
        let message = format!("no machine type `{name}` is in the price book");
        let help = "types of EC2 are known, such as `m7g.xlarge`";
        block.error(Code::UnknownChoice, block.span_of("machine"), message, help);
    }
    machine.map(|machine| machine.vcpus)
}

/// What selects among a service's prices.
type Attributes = Vec<(String, String)>;

fn attribute(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The class of machine that a component names.
fn instance_type(block: &Block) -> Option<(String, String)> {
    block
        .text_opt("instance")
        .map(|class| attribute("instance_type", class))
}

fn function_attributes(block: &Block) -> Attributes {
    let mut attributes = vec![attribute("architecture", function::fields::architecture(block))];
    attributes.extend(block.text_opt("runtime").map(|runtime| attribute("runtime", runtime)));
    attributes.extend(block.text_opt("machine").map(|name| attribute("instance_type", name)));
    let billing = block.choice_opt("billing").map(|choice| Billing::NAMES[choice]);
    attributes.extend(billing.map(|word| attribute("billing", word)));
    let commitment = block
        .choice_opt("commitment")
        .map(|choice| function::fields::COMMITMENTS[choice]);
    attributes.extend(commitment.map(|word| attribute("commitment", word)));
    attributes
}

/// Those that the fleet names, and the architecture of its machines where it does not say.
fn fleet_attributes(block: &Block) -> Attributes {
    let mut attributes = fleet::fields::attributes(block);
    if !attributes.iter().any(|attribute| attribute.0 == "architecture") {
        let listed = block.text_opt("instance").and_then(prices::instance_type);
        attributes.push(attribute(
            "architecture",
            listed.map_or("x86", |machine| &machine.architecture),
        ));
    }
    attributes
}
