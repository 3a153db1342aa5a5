//! The mutable state of one run, and the one loop that drives it.

use super::registry::{Part, Parts, Plan};
use crate::cost::MeterSet;
use crate::kernel::number::fit;
use crate::kernel::pack::Words;
use crate::kernel::{Agenda, Class, Duration, Instant, Key, Pack};
use crate::model::mechanism::contract::{Mechanism, Report};
use crate::model::parts::budget::{self, Crowd, Growth, History, Holder, Holding, Room, Share};
use crate::model::request::account::Account;
use crate::model::request::baggage::Baggage;
use crate::model::request::desk::{Cx, Desk, Event, FIRST_TAG};
use crate::model::request::effects::Effects;
use crate::model::request::entry::{Caller, Request};
use crate::model::request::fault::{self, FaultResult, Faults};
use crate::model::request::flow::FlowResult;
use crate::model::request::guard::Guards;
use crate::model::request::hits::{Hits, Limits};
use crate::model::request::kind;
use crate::model::request::lineage::journal::{Entry, Journal, What};
use crate::model::request::lineage::{End as LineageEnd, EndCount, Lineages, Why};
use crate::model::request::requests::Requests;
use crate::model::request::session::Sessions;
use crate::scenario::Target;
use crate::stats::{Observation, Series};
use std::collections::BTreeMap;

/// What one run ends in: integers that add up, in an order that the plan fixes.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// Metrics of components over the measured time.
    pub observations: Vec<Observation>,
    /// Metrics by window.
    pub series: Vec<Series>,
    /// Causes of latency, by client.
    pub flows: Vec<FlowResult>,
    /// Billable quantities, by component.
    pub meters: Vec<MeterSet>,
    /// Limits that were run into.
    pub limits: Vec<Hits>,
    /// What the faults did, in the order of the plan.
    pub faults: Vec<FaultResult>,
    /// The measured time: from the end of the warm-up to the end of the run.
    pub measured: Duration,
    /// Requests of clients that ended, warm-up included.
    pub requests: u64,
    /// Events handled.
    pub events: u64,
    /// Requests of clients still on their way at the end.
    pub in_flight: u64,
    /// What was under way or waited for somebody to work on it at the end, of all kinds.
    pub owed: u64,
    /// Where the units of work of the sources that are followed ended.
    pub ends: Vec<EndCount>,
    /// What happened to single units, if that was recorded.
    pub journal: Vec<Entry>,
    /// Why it ended before its time; what was counted is then worth nothing.
    pub halted: Option<Halt>,
}

/// Why a run was given up: it would never end, or not fit into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Time stands still: something goes round and round at this instant.
    Stalled(Instant),
    /// What waits would take more memory than a run may have.
    Crowded(Crowd),
    /// Others had the memory that it would have needed; it was to start over, alone.
    Outdone,
    /// Nobody wants its result any more.
    Unwanted,
}

/// Events between two looks at whether a run gets on.
const STRETCH: u32 = 1 << 16;
/// Stretches at one instant after which time is taken to stand still: 67 million events.
const STALLED_STRETCHES: u32 = 1 << 10;

/// Where the figures of the desk stand among those of the mechanisms.
const DESK_TOLD: usize = 12;

/// What doubles, and would go on until there is no room, is given up at this part of the room that a run has.
const FORESIGHT: u64 = 32;

/// The world.
#[derive(Debug)]
pub struct World<'p> {
    plan: &'p Plan,
    run: u64,
    cx: Cx<'p>,
    parts: Parts,
    warmed_up_at: Instant,
    /// Requests begun and ended before counting began.
    begun_before: u64,
    ended_before: u64,
    halted: Option<Halt>,
    /// Stretches of events at one instant after which time is taken to stand still.
    patience: u32,
    share: Share,
    history: History,
    /// Until when there must be room for what doubles.
    horizon: Instant,
}

impl<'p> World<'p> {
    /// The world at the start of replication `run`.
    pub fn new(plan: &'p Plan, run: u64) -> Self {
        Self::with_agenda(plan, run, Agenda::new())
    }

    /// The same with a given agenda (tests compare the fast one with a plain heap).
    pub fn with_agenda(plan: &'p Plan, run: u64, agenda: Agenda<Event>) -> Self {
        debug_assert!(
            plan.is_introduced(),
            "a component was changed, and the others have not been told"
        );
        let common = &plan.common;
        let mut cx = Cx {
            plan: common,
            agenda,
            requests: Requests::new(&common.followed),
            accounts: common.accounts.iter().map(Account::new).collect(),
            sessions: Sessions::new(common),
            effects: Effects::new(common),
            guards: Guards::new(common),
            baggage: Baggage::new(plan.baggage),
            faults: Faults::new(common, run),
            limits: Limits::new(plan.window, plan.components.iter().map(|c| c.target).collect()),
        };
        // Before anything that happens at the same instant, windows close and counting begins or ends.
        if plan.warmup > Duration::ZERO {
            cx.at(Instant::ZERO + plan.warmup, Class::Release, Desk::WarmedUp);
        }
        cx.at(Instant::ZERO + plan.warmup + plan.window, Class::Release, Desk::Window);
        cx.at(Instant::ZERO + plan.length, Class::Arrival, Desk::Stop);
        let mut parts = Parts::new(plan, run, &mut cx);
        cx.schedule_faults();
        parts.begin(plan, &mut cx);
        Self {
            plan,
            run,
            cx,
            parts,
            warmed_up_at: Instant::ZERO,
            begun_before: 0,
            ended_before: 0,
            halted: None,
            patience: STALLED_STRETCHES,
            share: Share::default(),
            history: History::default(),
            horizon: Instant::ZERO + plan.length,
        }
    }

    /// Gives up what doubles if there will be no room for it before `end`, however short this run is: a pilot is there
    /// for longer runs.
    #[must_use]
    pub fn on_behalf_of(mut self, end: Duration) -> Self {
        self.horizon = Instant::ZERO + end;
        self
    }

    /// Records what happens to single units. The plan has to be one that follows all of them ([`Plan::follow_all`]).
    #[must_use]
    pub fn recording(mut self, journal: Journal) -> Self {
        self.cx.requests.lineages.record(journal);
        // Whatever is offered has to go where it is seen.
        self.cx.faults.watch_all();
        self
    }

    /// Runs to the end.
    pub fn run(self) -> RunResult {
        self.run_while(&|| true)
    }

    /// Runs to the end, as long as its result is `wanted`, which is asked now and then.
    pub fn run_while(mut self, wanted: &dyn Fn() -> bool) -> RunResult {
        self.run_to_end(wanted);
        if self.halted != Some(Halt::Outdone) {
            return self.finish();
        }
        let (plan, run, horizon) = (self.plan, self.run, self.horizon);
        self.share.forget();
        drop(self);
        let _turn = budget::alone();
        let mut again = Self::new(plan, run);
        again.share = Share::alone();
        again.horizon = horizon;
        again.run_to_end(wanted);
        again.finish()
    }

    /// Lets the run hold so many bytes, whatever the budget of the process.
    #[must_use]
    pub fn within(mut self, bytes: u64) -> Self {
        self.share = Share::of(bytes);
        self
    }

    fn run_to_end(&mut self, wanted: &dyn Fn() -> bool) {
        // The first looks come soon, so that there is something to see of what grows fast.
        let (mut stalled, mut stretch) = (0, STRETCH >> 6);
        while self.halted.is_none() {
            let before = self.cx.now();
            for _ in 0..stretch {
                let Some(event) = self.next_event() else {
                    return;
                };
                if self.dispatch(event) {
                    return;
                }
            }
            stretch = (2 * stretch).min(STRETCH);
            stalled = if self.cx.now() == before { stalled + 1 } else { 0 };
            self.halted = if wanted() {
                self.halt(stalled)
            } else {
                Some(Halt::Unwanted)
            };
        }
    }

    #[inline(always)]
    fn next_event(&mut self) -> Option<Words> {
        if let Some(handed) = self.cx.agenda.pop_handed() {
            return Some(handed);
        }
        self.parts.clients.set_next_arrival(&self.plan.clients, &mut self.cx);
        self.cx.agenda.pop_due()
    }

    /// Whether the run has to be given up, after so many stretches of events at one instant.
    fn halt(&mut self, stalled: u32) -> Option<Halt> {
        if stalled >= self.patience {
            return Some(Halt::Stalled(self.cx.now()));
        }
        let holdings = self.holdings();
        let doubled = self.history.note(self.cx.now(), &holdings);
        let bytes = holdings.iter().map(Holding::bytes).sum();
        // Nobody need wait for the end of what doubles all the time.
        if doubled
            && bytes > self.share.most() / FORESIGHT
            && let Some(crowd) = self.crowd(&holdings, true)
            && self.is_doomed(&crowd)
        {
            return Some(Halt::Crowded(crowd));
        }
        match self.share.hold(bytes, self.cx.now()) {
            Room::Enough => None,
            Room::TakenByOthers => Some(Halt::Outdone),
            Room::None => self.crowd(&holdings, false).map(Halt::Crowded),
        }
    }

    /// Everything that waits, and where.
    fn holdings(&self) -> Vec<Holding> {
        let requests = self.cx.requests.len() as u64;
        let events = self.cx.agenda.capacity() as u64;
        let mut holdings = vec![
            Holding::of::<Request>(Holder::Requests, None, requests),
            Holding::of::<Event>(Holder::Events, None, events),
            self.cx.effects.holding(),
        ];
        holdings.extend(self.parts.holdings(self.plan));
        holdings
    }

    /// What is under way or waits for somebody to work on it: not what lies in queues that nobody reads.
    #[cold]
    #[inline(never)]
    fn owed(&self) -> u64 {
        let unread = |component: Option<u32>| {
            let mut queues = self.plan.queues.iter();
            queues.any(|queue| Some(queue.component) == component && queue.poller.is_none())
        };
        let holdings = self.holdings().into_iter().filter(|holding| match holding.holder {
            Holder::Events | Holder::Keys => false,
            Holder::Messages => !unread(holding.component),
            _ => true,
        });
        holdings.map(|holding| holding.items).sum()
    }

    /// What took the room, and how it grew. Events stand for what else waits, so they are blamed only if nothing else
    /// is to blame.
    #[cold]
    fn crowd(&self, holdings: &[Holding], foreseen: bool) -> Option<Crowd> {
        let weight = |holding: &Holding| match holding.holder {
            Holder::Events => holding.bytes() / 16,
            _ => holding.bytes(),
        };
        let (place, most) = holdings.iter().enumerate().max_by_key(|(_, holding)| weight(holding))?;
        Some(Crowd {
            at: self.cx.now(),
            most: *most,
            place: (most.holder == Holder::Requests).then(|| self.busiest()).flatten(),
            growth: self.history.growth(place, self.cx.now(), most.items),
            allowed: self.share.most(),
            foreseen,
        })
    }

    /// Whether what doubles takes all the room before the horizon, if it goes on as it has: by its growth, or by the
    /// plan where its worker is at its limit and cannot double it any faster.
    fn is_doomed(&self, crowd: &Crowd) -> bool {
        let left = self.horizon.since(crowd.at);
        match (crowd.growth, crowd.most.component) {
            (Growth::Doubling(every), _) => {
                let room = crowd.allowed as f64 / crowd.most.bytes().max(1) as f64;
                left.as_secs_f64() / every.as_secs_f64() > libm::log2(room)
            }
            (Growth::Steady(rate), Some(component)) if self.plan.multiplier(component).is_some() => {
                let kept = self.plan.kept(component).map_or(left, |kept| kept.min(left));
                let more = rate as f64 * kept.as_secs_f64() * crowd.most.each as f64;
                more > crowd.allowed as f64 && self.plan.faults.is_empty()
            }
            _ => false,
        }
    }

    /// The component that works on most of the requests under way.
    fn busiest(&self) -> Option<u32> {
        let mut counts: BTreeMap<Target, u64> = BTreeMap::new();
        for key in self.cx.requests.alive() {
            let entry = &self.cx.requests[key];
            *counts.entry(entry.worker()).or_default() += 1;
        }
        let (&busiest, _) = counts.iter().max_by_key(|(_, count)| **count)?;
        (busiest.kind != kind::NOBODY).then(|| self.plan.common.place(busiest))
    }

    /// Handles an event; says whether it was the end.
    #[inline(always)]
    fn dispatch(&mut self, event: Words) -> bool {
        let (plan, cx) = (self.plan, &mut self.cx);
        let event = event.unmarked();
        if event.tag() >= FIRST_TAG {
            self.parts.handle(plan, event, cx);
            return false;
        }
        match Desk::unpack(event) {
            // Where most requests go: the others would only be in the way here.
            Desk::Offer { to, request } if to.kind == kind::FUNCTION && !cx.faults.watched => {
                self.parts.functions.offer(&plan.functions, to.into(), request, cx);
            }
            Desk::Offer { to, request } => self.offer(to, request),
            Desk::Reply { request } => self.reply(request),
            Desk::Resume { request } => {
                if cx.requests.contains(request) {
                    self.parts.resume(plan, request, cx);
                }
            }
            Desk::Deadline { request } => cx.deadline(request),
            Desk::Accept { to, request } => self.parts.accept(plan, to, request, cx),
            Desk::Reap { of } => self.parts.reap(plan, of, cx),
            Desk::Guard(event) => cx.handle_guard(event),
            Desk::Fault(event) => self.fault(event),
            Desk::Window => self.close_window(),
            Desk::WarmedUp => self.warmed_up(),
            Desk::Stop => return true,
        }
        false
    }

    #[inline(never)]
    fn offer(&mut self, to: Target, request: Key) {
        if self.cx.requests.lineages.is_recorded() && self.cx.requests.contains(request) {
            let (now, place) = (self.cx.now(), self.plan.common.place(to));
            self.cx.requests.record(request, now, place, What::Reaches);
        }
        if self.cx.faults.armed && self.cx.stops(to, request) {
            return;
        }
        // A caller may have given up while the request was on its way; it arrives all the same.
        self.parts.offer(self.plan, to, request, &mut self.cx);
    }

    #[inline]
    fn reply(&mut self, request: Key) {
        let (plan, cx) = (self.plan, &mut self.cx);
        let entry = &cx.requests[request];
        if entry.depth > 0 {
            return self.parts.gateways.pass_back(&plan.gateways, request, cx);
        }
        if let Caller::Client(client) | Caller::User { client, .. } = entry.caller {
            return self.parts.clients.answered_client(&plan.clients, client, request, cx);
        }
        self.answered(request);
    }

    /// The answer reaches whoever waits for it, if that is not a client.
    #[inline(never)]
    fn answered(&mut self, request: Key) {
        let (plan, cx) = (self.plan, &mut self.cx);
        if cx.requests.lineages.is_recorded() {
            record_answer(plan, cx, request);
        }
        match cx.requests[request].caller {
            Caller::Client(_) | Caller::User { .. } => unreachable!("clients have heard"),
            Caller::Handler(parent) | Caller::Store(parent) if !cx.requests.contains(parent) => {
                cx.requests.remove(request);
            }
            Caller::Handler(parent) | Caller::Store(parent) => self.parts.answered(plan, request, parent, cx),
            Caller::Hedged { call, .. } => cx.copy_answered(request, call),
            Caller::Sender { from, ticket } => self.parts.delivered(plan, from, ticket, request, cx),
            Caller::Nobody => cx.requests.remove_unheard(request, cx.agenda.now()),
        }
    }

    /// A fault begins or ends: whatever it changes hears of it.
    #[cold]
    fn fault(&mut self, event: fault::Event) {
        for (on, change) in self.cx.fault(event) {
            self.parts.change(self.plan, on, change, &mut self.cx);
        }
    }

    fn close_window(&mut self) {
        self.parts.close_window(self.plan, &mut self.cx);
        let next = self.cx.now() + self.plan.window;
        self.cx.at(next, Class::Release, Desk::Window);
    }

    fn warmed_up(&mut self) {
        self.begun_before += self.parts.clients.started();
        self.ended_before += self.parts.clients.ended();
        self.parts.reset(self.plan, &mut self.cx);
        self.cx.requests.lineages.reset(self.cx.agenda.now());
        self.cx.effects.reset();
        self.cx.guards.reset();
        self.cx.limits.reset(self.cx.agenda.now());
        self.cx.faults.reset();
        self.warmed_up_at = self.cx.now();
    }

    /// The run ends: whatever is there of units of work is as it is.
    fn cut_off(&mut self, end: Instant) -> Lineages {
        let mut lineages = std::mem::take(&mut self.cx.requests.lineages);
        if !lineages.on {
            return lineages;
        }
        for key in self.cx.requests.alive() {
            let tag = lineages.take(key);
            let worker = self.cx.requests[key].worker();
            let place = if worker.kind == kind::NOBODY {
                tag.to
            } else {
                Some(self.plan.common.place(worker))
            };
            let place = place.unwrap_or_else(|| lineages.source(tag.of));
            lineages.end(tag.of, end, LineageEnd::unfinished(place, Why::UnderWay));
        }
        self.parts.held(self.plan, &mut |of, what| lineages.end(of, end, what));
        lineages
    }

    fn finish(mut self) -> RunResult {
        let plan = self.plan;
        let end = Instant::ZERO + plan.length;
        let measured = end.since(self.warmed_up_at);
        // A last window that is not full would show rates that are not there; its levels still belong to the whole.
        self.parts.close_last_window(plan, &mut self.cx);
        let owed = self.owed();
        let mut lineages = self.cut_off(end);
        let requests = self.ended_before + self.parts.clients.ended();
        let in_flight = self.begun_before + self.parts.clients.started() - requests;
        let mut meters = vec![MeterSet::default(); plan.components.len()];
        let mut report = Report {
            window: plan.window,
            measured,
            end,
            observations: Vec::new(),
            series: Vec::new(),
            flows: Vec::new(),
            meters: &mut meters,
        };
        let mut told = self.parts.observe(plan, &mut report);
        let journal = lineages.take_journal();
        let ends = lineages.observe(&mut report.observations);
        self.cx.effects.observe(&plan.common, &mut report.observations);
        self.cx.guards.observe(&mut report.observations);
        told.push((DESK_TOLD, Part::cut(&mut report)));
        told.sort_by_key(|part| part.0);
        let windows = fit(measured.0 / plan.window.0);
        let all = |of: fn(&Part) -> usize| told.iter().map(|(_, part)| of(part)).sum();
        let mut result = RunResult {
            observations: Vec::with_capacity(all(|part| part.observations.len())),
            series: Vec::with_capacity(all(|part| part.series.len())),
            flows: Vec::with_capacity(all(|part| part.flows.len())),
            meters,
            limits: self.cx.limits.finish(windows),
            faults: self.cx.faults.finish(end),
            measured,
            requests,
            events: self.cx.agenda.popped(),
            in_flight,
            owed,
            ends,
            journal,
            halted: self.halted,
        };
        for (_, part) in told {
            result.observations.extend(part.observations);
            result.series.extend(part.series);
            result.flows.extend(part.flows);
        }
        for line in &mut result.series {
            assert!(
                line.values.len() >= windows || self.halted.is_some(),
                "{} is reported by window, and not every window was closed",
                line.metric
            );
            line.values.truncate(windows);
        }
        result
    }
}

/// Records that a request was answered that is not a client's.
#[cold]
fn record_answer(plan: &Plan, cx: &mut Cx, request: Key) {
    let (now, entry) = (cx.now(), &cx.requests[request]);
    let (worker, status) = (entry.worker(), entry.status);
    // What nobody worked on was turned away or taken by what only keeps it: that it was reached says where.
    if worker.kind != kind::NOBODY && !entry.is_branch() {
        let place = plan.common.place(worker);
        cx.requests.record(request, now, place, What::Answered(status));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::world::build::build;
    use crate::scenario::{Catalog, Diagnostics, Folder, Sources, parse};
    use crate::stats::Value;

    /// Systems with 200 requests a second and time-outs of about an hour that are never met: every kind that there is.
    const FAR: &[(&str, &str)] = &[
        (
            "clients, gateways",
            "clients: { web: { to: door, timeout: 1 h, arrivals: { poisson: 200/s } } }
gateways: { door: { to: work, timeout: 50 min, overhead: 2 ms } }
functions: { work: { cpu: 1, init: 300 ms, handler: [ cpu: { exponential: 100 ms } ] } }",
        ),
        (
            "calls, statements, borrowing",
            "clients: { web: { to: work, arrivals: { poisson: 200/s } } }
functions: { work: { cpu: 1, timeout: 55 min, handler: [ call: { to: pool, timeout: 1 h } ] } }
proxies: { pool: { to: data, borrow_timeout: 45 min, maximum_connections_percent: 5% } }
databases: { data: { cores: 4, query: { exponential: 10 ms }, maximum_connections: 100, statement_timeout: 50 min } }",
        ),
        (
            "calls again after a while, which have no lane",
            "clients: { web: { to: work, arrivals: { poisson: 200/s } } }
functions: { work: { cpu: 1, handler: [ call: { to: other, timeout: 1 h, retry: aws-sdk-standard, optional: true } ] } }
externals: { other: { latency: 20 ms, failure: 50% } }",
        ),
        (
            "calls with guards, copies of them",
            "clients: { web: { to: work, arrivals: { poisson: 200/s } } }
functions: { work: { cpu: 1, handler: [ call: { to: other, timeout: 1 h, breaker: {}, hedge: { after: 50 min } } ] } }
externals: { other: { latency: { exponential: 20 ms } } }",
        ),
        (
            "deadlines that travel",
            "clients: { web: { to: work, timeout: 1 h, arrivals: { poisson: 200/s } } }
functions: { work: { cpu: 1, heeds_deadlines: true, handler: [ cpu: 1 ms, call: { to: other, timeout: 2 h } ] } }
externals: { other: { latency: { exponential: 20 ms } } }",
        ),
        (
            "requests that share cores",
            "clients: { web: { to: work, arrivals: { poisson: 200/s } } }
functions: { work: { cpu: 1, timeout: 1 h, concurrency_per_instance: 80, handler: [ cpu: 2 ms ] } }",
        ),
        (
            "tasks and executions",
            "clients: { web: { to: flow, arrivals: { poisson: 200/s } } }
workflows: { flow: { timeout: 50 min, states: { do: { task: work, timeout: 1 h, next: done }, done: succeed } } }
functions: { work: { cpu: 1, handler: [ cpu: 1 ms ] } }",
        ),
        (
            "deliveries",
            "clients: { web: { to: news, arrivals: { poisson: 200/s } } }
topics: { news: { delivery: { timeout: 1 h }, subscriptions: [ door ] } }
gateways: { door: { to: work, timeout: 50 min } }
functions: { work: { cpu: 1, handler: [ cpu: 1 ms ] } }",
        ),
        (
            "batches of records that are full before their time",
            "clients: { web: { to: clicks, arrivals: { poisson: 200/s } } }
streams: { clicks: { shards: 40, to: work, mapping: { batch_size: 5, batch_window: 5 min } } }
functions: { work: { cpu: 1, handler: [ cpu: 1 ms ] } }",
        ),
    ];

    fn read(text: String) -> Plan {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("memory.yaml", text);
        let root = parse(&sources, file, &diagnostics).unwrap();
        let catalog = Catalog::load(None, &mut sources, &diagnostics);
        let built = build(&root, &catalog, &diagnostics, &Folder(".".into()));
        built
            .unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)))
            .0
    }

    #[test]
    fn memory_follows_what_is_alive_and_not_what_was_served() {
        let room = |system: &str, seconds: u32| {
            let plan = read(format!("run: {{ length: {seconds} s, warmup: 0 s }}\n{system}"));
            let mut world = World::new(&plan, 0);
            world.run_to_end(&|| true);
            let ended = world.parts.clients.ended();
            (ended, world.cx.requests.capacity(), world.cx.agenda.capacity())
        };
        for (name, system) in FAR {
            let (short, requests, events) = room(system, 100);
            let (long, requests_10, events_10) = room(system, 1_000);
            assert!(
                short > 15_000 && long > 9 * short,
                "{name}: {short} and {long} requests"
            );
            // About 20 requests are in flight; capacities double, and the heap keeps a buffer for each of 64 buckets.
            let most = requests.max(requests_10);
            assert!(most <= 256, "{name}: room for {requests} then {requests_10} requests");
            let most = events.max(events_10);
            assert!(most <= 2_048, "{name}: room for {events} then {events_10} events");
        }
    }

    /// Bytes of all that a run found out.
    fn bytes(result: &RunResult) -> usize {
        let value = |seen: &Observation| match &seen.value {
            Value::Latency(histogram) => size_of_val(&**histogram) + histogram.held(),
            Value::Levels(levels) => size_of_val(&**levels) + levels.held(),
            _ => 0,
        };
        let values: usize = result.observations.iter().map(value).sum();
        let lines: usize = result.series.iter().map(|line| 8 * line.values.capacity()).sum();
        let failed = |flow: &FlowResult| flow.failed.as_ref().map_or(0, |f| size_of_val(&**f) + f.held());
        let causes: usize = result.flows.iter().map(|flow| flow.causes.held() + failed(flow)).sum();
        let meters: usize = result.meters.iter().map(MeterSet::held).sum();
        let lists = size_of::<Observation>() * result.observations.capacity()
            + size_of::<Series>() * result.series.capacity()
            + size_of::<FlowResult>() * result.flows.capacity()
            + size_of::<MeterSet>() * result.meters.capacity();
        values + lines + causes + meters + lists
    }

    #[test]
    fn a_function_and_its_client_take_room_for_what_fell_into_them() {
        let each = |rate: &str, minutes: usize| {
            let lines = |line: &dyn Fn(usize) -> String| (0..20).map(line).collect::<Vec<_>>().concat();
            let text = format!("run: {{ length: {minutes} min, warmup: 0 s, window: 1 min }}\nclients:\n")
                + &lines(&|i| format!("  web{i}: {{ to: f{i}, arrivals: {{ poisson: {rate} }} }}\n"))
                + "functions:\n"
                + &lines(&|i| format!("  f{i}: {{ cpu: 1, handler: [ cpu: {{ median: 5 ms, p99: 20 ms }} ] }}\n"));
            let result = World::new(&read(text), 0).run();
            (result.requests, bytes(&result) / 20)
        };
        // About 60 requests each, in 45 buckets of the histograms and 20 of the causes; 1 request; 60 in 100 windows.
        for (rate, minutes, least, most) in [
            ("1/s", 1, 1_000, 7_500),
            ("1/min", 1, 10, 4_500),
            ("0.6/min", 100, 1_000, 19_500),
        ] {
            let (requests, bytes) = each(rate, minutes);
            assert!(requests >= least, "{requests} requests");
            assert!(bytes <= most, "{bytes} bytes for {rate} over {minutes} min");
        }
    }

    #[test]
    fn what_waits_in_a_lane_with_deadlines_is_not_swept_with_them() {
        // The window of a batch is as long as the time-out of many requests.
        let plan = read(
            "run: { length: 100 s, warmup: 0 s }
clients:
  web: { to: quick, timeout: 5 s, arrivals: { poisson: 200/s } }
  slow: { to: jobs, arrivals: { poisson: 10/s } }
queues: { jobs: { to: work, poller: { batch_size: 1000, batch_window: 5 s } } }
functions: { quick: { cpu: 1, handler: [ cpu: 1 ms ] }, work: { cpu: 1, handler: [ cpu: 1 ms ] } }"
                .to_owned(),
        );
        let result = World::new(&plan, 0).run();
        let work = plan.functions[1].component;
        let invocations = result
            .observations
            .iter()
            .find(|seen| (seen.component, seen.metric) == (work, "invocations"));
        let batches = invocations.and_then(|seen| seen.value.number());
        assert!(batches.is_some_and(|batches| batches >= 15.0), "{batches:?} batches");
    }

    #[test]
    fn what_goes_round_without_taking_time_is_given_up() {
        let plan = read(
            "run: { length: 10 s, warmup: 0 s }
clients: { web: { to: work, users: { count: 3, think: 0 s } } }
functions: { work: { reserved_concurrency: 2, handler: [ wait: 1 s ] } }"
                .to_owned(),
        );
        let mut world = World::new(&plan, 0);
        world.patience = 3;
        // The third user is refused for as long as the other two are served, which takes no time.
        assert_eq!(world.run().halted, Some(Halt::Stalled(Instant::ZERO)));
        // With a moment to think it gets on.
        let mut plan = plan;
        let crate::model::mechanism::client::Load::Closed { think, .. } = &mut plan.clients[0].load else {
            panic!("a closed client");
        };
        *think = crate::kernel::Sampler::Constant(1e6);
        let mut world = World::new(&plan, 0);
        world.patience = 3;
        assert_eq!(world.run().halted, None);
    }
}
