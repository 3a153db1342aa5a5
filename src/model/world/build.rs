//! From the tree of a scenario to a plan: names become numbers, presets and defaults are filled in, and what cannot be
//! true together is found.

use super::lint::lint;
use super::reach;
use super::registry::{Plan, SECTIONS};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use crate::model::handler::read as program_fields;
use crate::model::mechanism::client::recorded::look;
use crate::model::mechanism::client::{self, ClientPlan};
use crate::model::mechanism::contract::{Attributes, Reading};
use crate::model::mechanism::{function, stream, topic, workflow};
use crate::model::parts::clock::Clock;
use crate::model::request::account::{self, AccountPlan};
use crate::model::request::common::{Common, Component, Profile};
use crate::model::request::id::Id;
use crate::model::request::kind::ACCOUNT;
use crate::model::request::kind::{self, KINDS};
use crate::model::request::retry::TABLE as RETRY;
use crate::scenario::calendar::Beginning;
use crate::scenario::{
    Block, Catalog, Code, Context, Diagnostic, Diagnostics, Field, Files, Key, Kind, Names, Node, NodeKind, Shelf,
    Table, Target, read_duration,
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
            "Simulated time of one run, the warm-up included. If absent, one hour is measured after the warm-up, or up to a \
             day more until schedules have fired.",
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

/// Where the usual promise comes from.
const PROMISE_SOURCE: &str = "assumed: three nines of good answers; give your own";

/// What an answer must keep.
pub const PROMISE: Table = Table {
    name: "promise",
    doc: "What an answer must keep. Expectations that name no variant are part of it, and that nothing grows or is still \
          owed.",
    fields: &[
        Field::default(
            "failed",
            Kind::Share,
            "0.1%",
            "The most that may fail or be refused: of requests, executions and firings, each source by itself.",
        )
        .within(0.0, 1.0)
        .source(PROMISE_SOURCE),
        Field::default(
            "lost",
            Kind::Share,
            "0%",
            "The most that may be lost: of messages, records, events. What no design can work off does not count.",
        )
        .within(0.0, 1.0)
        .source(PROMISE_SOURCE),
    ],
};

const FIRST: [Field; 7] = [
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
];

const LAST: [Field; 5] = [
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
    Field::optional("promise", Kind::Block(&PROMISE), "What an answer must keep."),
    Field::optional(
        "expect",
        Kind::List(&Kind::Any),
        "What must come out; `coldcurve test` checks it.",
    )
    .sample("[{ metric: latency.p99, below: 500 ms }]"),
];

const fn root_fields() -> [Field; FIRST.len() + SECTIONS.len() + LAST.len()] {
    let mut fields = [FIRST[0]; FIRST.len() + SECTIONS.len() + LAST.len()];
    let mut place = 0;
    while place < fields.len() {
        fields[place] = if place < FIRST.len() {
            FIRST[place]
        } else if place < FIRST.len() + SECTIONS.len() {
            SECTIONS[place - FIRST.len()]
        } else {
            LAST[place - FIRST.len() - SECTIONS.len()]
        };
        place += 1;
    }
    fields
}

/// The fields of a scenario.
pub const ROOT: Table = Table {
    name: "scenario",
    doc: "A system, the traffic on it, and what is asked about it.",
    fields: &root_fields(),
};

/// The most windows of a run, two years of minutes: while it runs, every metric keeps a number for each of them.
const WINDOWS_MAX: u64 = 1_100_000;

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

/// The longest measured time of a run whose length is not given: a day, in which a schedule may fire, and an hour.
pub const FIRINGS_MOST: Duration = Duration::from_secs(25 * 3600);

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
        catalog,
    };
    let block = Block::new(&cx, root, &ROOT);
    let mut builder = Builder::new(&cx, catalog, root);
    let spec = builder.run(&block);
    builder.components(root);
    builder.account_shares();
    builder.plan.number_guards(&cx, root);
    builder.plan.follow();
    builder.plan.introduce();
    builder.plan.check_ways(&cx, root, &builder.paths);
    if !diagnostics.has_errors() {
        reach::check(&builder.plan, &cx, root);
    }
    stream::fields::further_consumers(&builder.plan.streams, &cx);
    builder.plan.common.faults = super::faults::read_all(&block, &builder.plan);
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
            clock: Clock::default(),
            root: root.span,
        }
    }

    fn run(&mut self, root: &Block) -> RunSpec {
        let empty = Node::empty_map(root.span());
        let block = root.block("run").unwrap_or(Block::new(self.cx, &empty, &RUN));
        let plan = &mut self.plan.common;
        let before = self.cx.diagnostics.pushed();
        plan.length = block.duration("length");
        plan.window = block.duration("window");
        plan.percentiles = crate::model::world::percentiles::read(&block);
        plan.seed = block.count("seed");
        self.clock = Clock::new(Beginning::read(&block), block.has("start"), plan.length);
        let warmup = block.node("warmup").filter(|node| node.scalar() != Some("auto"));
        plan.warmup = warmup.map_or(Duration::ZERO, |node| {
            let range = crate::scenario::Range::AtLeast(0.0);
            read_duration(self.cx, node, range)
        });
        let length_open = !block.has("length");
        if length_open {
            plan.length += plan.warmup;
        }
        (self.clock.length, self.clock.horizon) = (plan.length, plan.length);
        if length_open {
            self.clock.horizon = plan.warmup + FIRINGS_MOST;
            if warmup.is_none() {
                self.clock.horizon += WARMUP_MOST;
            }
        }
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
                "a run of {} windows: at most {WINDOWS_MAX} are kept",
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
        look(&mut self.clock, self.cx, &clients);
        for (number, section) in KINDS.iter().enumerate() {
            self.plan.common.first[number] = fit(self.plan.common.components.len());
            let entries = root.get(section).map_or(&[][..], Node::entries);
            for (index, (key, node)) in entries.iter().enumerate() {
                let node = self.catalog.apply(section, node, self.cx.diagnostics);
                let target = Target::new(fit(number), index);
                self.component(target, key, &node);
            }
        }
    }

    fn component(&mut self, target: Target, key: &Key, node: &Node) {
        let cx = self.cx;
        let service = node.get("service").and_then(Node::scalar).map(str::to_owned);
        let block = |table| Block::keyed(cx, key, node, table);
        let place = fit(self.plan.common.components.len());
        let mut attributes = Attributes::new();
        let profile = if target.kind == kind::ACCOUNT {
            let account = AccountPlan::read(&block(&account::TABLE));
            self.plan.common.accounts.push(account);
            Profile::default()
        } else {
            let account = self.default_account(service.as_deref());
            let profiles = std::mem::take(&mut self.plan.common.profiles);
            let first = self.plan.common.first;
            let mut reading = Reading {
                component: place,
                name: &key.text,
                paths: &self.paths,
                account,
                clock: self.clock,
                profiles: &profiles,
                first: &first,
                attributes,
            };
            let profile = self.plan.read(target.kind, block, &mut reading);
            attributes = reading.attributes;
            self.plan.common.profiles = profiles;
            profile
        };
        self.plan.common.profiles.push(profile);
        self.plan.common.components.push(Component {
            target,
            name: key.text.clone(),
            service,
            attributes,
        });
    }

    /// The account of a component that names none: the scenario's first, or one with the default quotas of the
    /// provider, if the catalog has an account of that.
    fn default_account(&mut self, service: Option<&str>) -> Option<Id<ACCOUNT>> {
        let provider = service?.split('.').next()?;
        let account = self.catalog.get(&format!("{provider}.account"))?;
        if self.plan.common.accounts.is_empty() {
            let named = Node {
                kind: NodeKind::Scalar(account.name.clone()),
                span: self.root,
            };
            let key = Key {
                text: "service".to_owned(),
                span: self.root,
            };
            let node = Node {
                kind: NodeKind::Map(vec![(key, named)]),
                span: self.root,
            };
            let section = KINDS[usize::from(kind::ACCOUNT)];
            let node = self.catalog.apply(section, &node, self.cx.diagnostics);
            let block = Block::new(self.cx, &node, &account::TABLE);
            self.plan.common.accounts.push(AccountPlan::read(&block));
        }
        Some(Id::new(0))
    }

    /// Adds up what functions set aside from their accounts' concurrency.
    fn account_shares(&mut self) {
        let Common { accounts, profiles, .. } = &mut self.plan.common;
        for (account, count) in profiles.iter().filter_map(|profile| profile.sets_aside) {
            accounts[usize::from(account)].reserved += count;
        }
        for (index, account) in self.plan.accounts.iter().enumerate() {
            let available = account.concurrency.saturating_sub(account.kept_unreserved);
            if account.reserved > available {
                let span = self.place_of_reservation(Id::new(index));
                let message = format!(
                    "reserved and provisioned concurrency add up to {}, but the account has {} and keeps {} free",
                    account.reserved, account.concurrency, account.kept_unreserved
                );
                let help = "raise the quota: `accounts: { aws: { concurrency: 5000 } }`, or reserve less";
                self.cx.error(Code::Inconsistent, span, message, help);
            }
        }
    }

    fn place_of_reservation(&self, account: Id<ACCOUNT>) -> crate::scenario::Span {
        let of = |profile: &Profile| profile.sets_aside.filter(|set| set.0 == account && set.1 > 0);
        let numbered = (0..).zip(&self.plan.common.profiles);
        let sets = numbered.filter_map(|(place, profile): (usize, _)| Some((place, of(profile)?.1)));
        sets.max_by_key(|(_, count)| *count).map_or(self.root, |(place, _)| {
            self.cx.names.span(self.plan.common.components[place].target)
        })
    }
}

impl Plan {
    /// Whether the components know one another as they are.
    pub(super) fn is_introduced(&self) -> bool {
        let mut again = self.clone();
        again.introduce();
        again.common == self.common
    }

    /// Tells the components of one another; to be done again when one of them was changed.
    pub fn introduce(&mut self) {
        let kinds = self.common.components.iter().map(|component| component.target.kind);
        debug_assert!(
            kinds.is_sorted(),
            "components of one kind are together, in the order of kinds"
        );
        for (kind, first) in self.common.first.iter_mut().enumerate() {
            let before = |component: &Component| usize::from(component.target.kind) < kind;
            *first = fit(self.common.components.partition_point(before));
        }
        let components = self.common.components.iter();
        self.common.profiles = components.map(|c| self.profile_now(c.target)).collect();
        let profiles = self.common.profiles.iter_mut();
        for (profile, host) in profiles.filter(|profile| profile.counts_sessions).zip(0..) {
            profile.host = host;
        }
        let targets = self.common.components.iter().map(|component| component.target);
        let sent = targets.flat_map(|target| self.sends(target));
        let events = sent.filter(|sent| !sent.awaited && kind::abilities(sent.to.kind).invoked);
        for to in events.map(|sent| sent.to).collect::<Vec<_>>() {
            let place = self.common.place(to) as usize;
            if let Some(profile) = self.common.profiles.get_mut(place) {
                profile.gets_events = true;
            }
        }
        self.common.sizes_recorded = self.clients.iter().any(ClientPlan::records_sizes);
        self.link();
    }
}
