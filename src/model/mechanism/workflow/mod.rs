//! Workflows: state machines that call other components, wait, branch, repeat and retry, and outlive what they call.
//!
//! Model: an execution goes from state to state. Every transition takes time, may be delayed by a quota, and is billed.
//! A task calls a component and waits for its answer, for so long as one try may take; what it called goes on all the
//! same. A choice draws where to go, or counts its visits; branches and items run as threads of their own; a map keeps
//! so many items under way. What fails is tried again by the first retrier that fits the error, then goes where the
//! first catcher says, and else fails whatever it is in: the other branches are left to themselves. An execution that
//! takes too long, or leaves too many events in its history, fails. An item of a distributed map is an execution with
//! a history of its own. The caller hears when the execution has started, or when it has ended.
//! Not modelled: what flows as data (a choice draws, sizes are given), duplicates of express executions, heartbeats,
//! activities and task tokens (a `wait` stands for a person), versions and redriving, item batches and readers.
//! Units: nanoseconds; transitions as the service counts them: one for each try of each state, and one for the end of
//! an execution.
//! Sources: AWS Step Functions Developer Guide (standard and express workflows, error handling, Map state, quotas);
//! Amazon States Language specification; Lin and Khazaei, "Modeling and Optimization of Performance and Cost of
//! Serverless Applications" (2021), whose logs give the delays.
//! Validated by: hand-computed traces of each state, fork-join and geometric formulas, waves of a map, and three
//! measured workflows (docs/validation.md).

mod metrics;
pub mod fields;
pub mod plan;
mod record;
mod states;
mod thread;

use crate::kernel::number::fit;
use crate::kernel::stream::unit;
use crate::kernel::{Class, Duration, Instant, Key, LaneId, Luck};
use crate::model::mechanism::contract::{Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::{Holder, Holding};
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::entry::{Caller, Cause, Request, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::{ACCOUNT, WORKFLOW};
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::scenario::{Block, Table, Target};
use plan::{Action, END, EXECUTION_EVENTS, ITEM_EVENTS, MapPlan, RETRY_EVENTS, StatePlan, When, WorkflowPlan};
use record::Record;
use thread::{Execution, Phase, Places, Thread};

/// What happens to a workflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A call to start an execution has taken effect.
    Started {
        /// The workflow.
        workflow: Id<WORKFLOW>,
        /// The call.
        request: Key,
    },
    /// An execution's time is up, if it still runs.
    TimeLimit {
        /// The workflow.
        workflow: Id<WORKFLOW>,
        /// The root of the execution.
        request: Key,
    },
}

crate::kernel::pack::packed!(Event {
    Started { workflow, request },
    TimeLimit { workflow, request },
});

/// Steps of a luck. Those below [`step::VISIT`] belong to a request or a thread, the small ones to one transition.
mod step {
    use crate::kernel::Purpose;

    /// The execution that a call starts.
    pub const EXECUTION: u64 = Purpose::Execution.step();
    /// How long starting takes.
    pub const START: u64 = Purpose::ExecutionStart.step();
    /// A branch or an item, plus its number.
    pub const CHILD: u64 = Purpose::WorkflowChild.step();
    /// A transition of a thread, plus its number.
    pub const VISIT: u64 = Purpose::WorkflowVisit.step();
    /// How long the transition takes.
    pub const TRANSITION: u64 = 1;
    /// What a task takes beside what it calls.
    pub const OVERHEAD: u64 = 2;
    /// Where a choice leads.
    pub const CHOICE: u64 = 3;
    /// How long a wait is.
    pub const WAIT: u64 = 4;
    /// The call of a task.
    pub const CALL: u64 = 5;
    /// The jitter of a wait before a retry.
    pub const JITTER: u64 = 6;
}

/// The `call` of a branch or an item among the children of a thread, of the root of an execution, and of a task.
const BRANCH: u16 = u16::MAX;
const ROOT: u16 = u16::MAX - 1;
const TASK: u16 = 0;

/// The `frame.step` of a root that has ended, until whoever waits for it has heard.
const CLOSED: u16 = u16::MAX;

/// Transitions of one execution at most, so that states that lead to one another for ever without taking time end.
const TRANSITIONS_MAX: u64 = 1_000_000;

/// One workflow while the simulation runs.
#[derive(Debug)]
struct Workflow {
    index: Id<WORKFLOW>,
    threads: Places<Thread>,
    executions: Places<Execution>,
    time_limit: LaneId,
    timed: bool,
    /// Which of the quotas it draws on.
    starts: Option<usize>,
    transitions: Option<usize>,
    record: Record,
}

/// All workflows.
#[derive(Debug)]
pub struct Workflows {
    state: Vec<Workflow>,
    quotas: Vec<TokenBucket>,
}

/// Quotas by whom they are shared: workflows of one account with the same figures share one.
#[derive(Default)]
struct Shared {
    keys: Vec<(Option<Id<ACCOUNT>>, bool, u64, u64)>,
    quotas: Vec<TokenBucket>,
}

impl Shared {
    fn place(&mut self, account: Option<Id<ACCOUNT>>, of_starts: bool, quota: Option<(f64, u64)>) -> Option<usize> {
        let (rate, burst) = quota?;
        let key = (account, of_starts, rate.to_bits(), burst);
        let known = self.keys.iter().position(|known| account.is_some() && *known == key);
        Some(known.unwrap_or_else(|| {
            self.keys.push(key);
            self.quotas.push(TokenBucket::new(rate, burst as f64));
            self.quotas.len() - 1
        }))
    }
}

impl Mechanism for Workflows {
    const TABLE: &'static Table = &fields::TABLE;
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<WORKFLOW>;
    type Plan = WorkflowPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<WorkflowPlan> {
        Some(WorkflowPlan::read(block, reading.component, reading.account))
    }

    fn profile(plan: &WorkflowPlan) -> Profile {
        Profile {
            payload_limit: plan.payload_limit,
            ..Profile::default()
        }
    }

    fn callees(plan: &WorkflowPlan) -> Vec<Target> {
        plan.callees()
    }

    fn sends(plan: &WorkflowPlan) -> Vec<Sent> {
        let tasks = plan.callees().into_iter();
        tasks.map(|to| Sent::awaited("tasks of", to)).collect()
    }

    fn holdings(&self, plan: &[WorkflowPlan]) -> Vec<Holding> {
        let workflows = plan.iter().zip(&self.state);
        let holdings = workflows.map(|(spec, state)| {
            Holding::of::<(Execution, Thread)>(Holder::Executions, Some(spec.component), state.record.open.level())
        });
        holdings.collect()
    }

    /// Executions are requests in flight.
    fn held(&self, _: &[WorkflowPlan], _: &mut dyn FnMut(Lineage, End)) {}

    fn new(plan: &[WorkflowPlan], _: u64, cx: &mut Cx) -> Self {
        let mut shared = Shared::default();
        let mut state = Vec::with_capacity(plan.len());
        for (index, spec) in plan.iter().enumerate() {
            state.push(Workflow {
                index: Id::new(index),
                threads: Places::new(),
                executions: Places::new(),
                time_limit: cx.agenda.lane(spec.timeout, Class::Timer),
                timed: spec.timeout < cx.plan.length,
                starts: shared.place(spec.account, true, spec.starts),
                transitions: shared.place(spec.account, false, spec.transitions),
                record: Record::new(spec.states.len()),
            });
        }
        Self {
            state,
            quotas: shared.quotas,
        }
    }

    fn offer(&mut self, plan: &[WorkflowPlan], workflow: Id<WORKFLOW>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(workflow)];
        let state = &mut self.state[usize::from(workflow)];
        state.record.counts.offered += 1;
        let full = state.record.open.level() >= spec.maximum_open;
        let now = cx.now();
        if full || !state.starts.is_none_or(|place| self.quotas[place].take(now, 1)) {
            state.record.counts.throttled += 1;
            let limit = if full { Limit::OpenExecutions } else { Limit::StartRate };
            cx.hit(limit, workflow.target(), key);
            return cx.reply(key, Status::Throttled);
        }
        state.record.started(now);
        let entry = &mut cx.requests[key];
        entry.taken_by(workflow.target());
        if spec.start_latency.is_zero() {
            return self.started(plan, workflow, key, cx);
        }
        let latency = spec.start_latency.draw(&mut entry.luck.dice(step::START));
        entry.spend(Cause::Gateway, latency);
        let event = Event::Started { workflow, request: key };
        let at = entry.mark;
        cx.at(at, Class::Release, event);
    }

    fn handle(&mut self, event: Event, plan: &[WorkflowPlan], cx: &mut Cx) {
        match event {
            Event::Started { workflow, request } => {
                if cx.requests.contains(request) {
                    self.started(plan, workflow, request, cx);
                } else {
                    // The caller was cut off while it called: nothing has begun.
                    let state = &mut self.state[usize::from(workflow)];
                    state.record.open.add(cx.agenda.now().0, -1);
                    state.record.counts.started -= 1;
                }
            }
            Event::TimeLimit { workflow, request } => {
                if cx.requests.contains(request) && cx.requests[request].frame.step != CLOSED {
                    let state = &mut self.state[usize::from(workflow)];
                    cx.hit_by(Limit::TimeLimit, workflow.target(), None);
                    state.stop(&plan[usize::from(workflow)], request, Status::TimedOut, cx);
                }
            }
        }
    }

    fn resume(&mut self, plan: &[WorkflowPlan], key: Key, cx: &mut Cx) {
        let workflow = usize::from(cx.requests[key].worker_id::<WORKFLOW>());
        self.state[workflow].go(&plan[workflow], key, &mut self.quotas, cx);
    }

    fn answered(&mut self, plan: &[WorkflowPlan], child: Key, parent: Key, cx: &mut Cx) {
        let now = cx.now();
        let mut entry = cx.requests[child];
        if entry.mark < now {
            entry.spend_until(Cause::Waiting, now);
        }
        if entry.call == ROOT {
            cx.requests.remove(child);
            cx.requests[parent].adopt(&entry);
            // To whoever called, an execution that ran out of time is one that failed.
            let status = if entry.status.is_ok() {
                Status::Ok
            } else {
                Status::Failed
            };
            return cx.reply(parent, status);
        }
        if cx.requests[parent].frame.step == CLOSED {
            return cx.requests.remove(child);
        }
        let workflow = usize::from(cx.requests[parent].worker_id::<WORKFLOW>());
        let (spec, state) = (&plan[workflow], &mut self.state[workflow]);
        let goes_on = if entry.call == BRANCH {
            state.branch_ended(spec, &entry, child, parent, cx)
        } else {
            cx.requests.remove(child);
            cx.requests[parent].adopt(&entry);
            state.settle(spec, parent, entry.status, cx)
        };
        if goes_on {
            state.go(spec, parent, &mut self.quotas, cx);
        }
    }

    fn close_window(&mut self, _: &[WorkflowPlan], cx: &mut Cx) {
        let now = cx.now();
        self.state.iter_mut().for_each(|state| state.record.close_window(now));
    }

    fn reset(&mut self, plan: &[WorkflowPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        self.state.iter_mut().for_each(|state| state.record.reset());
    }

    fn observe(self, plan: &[WorkflowPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            flows,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            let meters = &mut meters[spec.component as usize];
            let flow = state.record.observe(spec, *window, out, series, meters);
            flows.extend(spec.answers_at_start.then_some(flow));
        }
    }
}

impl Workflows {
    /// An execution begins. Its root is a request of its own: whoever called may give up, the execution goes on.
    fn started(&mut self, plan: &[WorkflowPlan], workflow: Id<WORKFLOW>, call: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(workflow)];
        let state = &mut self.state[usize::from(workflow)];
        let now = cx.now();
        let luck = cx.requests[call].luck.derive(step::EXECUTION);
        let caller = if spec.answers_at_start {
            cx.reply(call, Status::Ok);
            Caller::Nobody
        } else {
            Caller::Handler(call)
        };
        let execution = state.executions.insert(Execution {
            awaited: !spec.answers_at_start,
            begun: now,
            history: EXECUTION_EVENTS,
            ..Execution::default()
        });
        let root = state.thread(Request::new(caller, luck, now), ROOT, execution, spec.start, cx);
        cx.requests.descends(root, call);
        state.executions.at(execution).root = root;
        if state.timed {
            let event = Event::TimeLimit {
                workflow,
                request: root,
            };
            cx.after(state.time_limit, event);
        }
        state.go(spec, root, &mut self.quotas, cx);
    }
}

impl Workflow {
    /// A new thread, about to enter `state`.
    fn thread(&mut self, mut request: Request, call: u16, execution: u32, state: u16, cx: &mut Cx) -> Key {
        let mut thread = Thread {
            execution,
            ..Thread::default()
        };
        thread.enter(state, cx.now());
        request.taken_by(self.index.target());
        request.call = call;
        request.frame.instance = self.threads.insert(thread);
        cx.requests.insert(request)
    }

    fn at(&mut self, key: Key, cx: &Cx) -> &mut Thread {
        self.threads.at(cx.requests[key].frame.instance)
    }

    /// Goes through states until the thread has to wait for something.
    fn go(&mut self, spec: &WorkflowPlan, key: Key, quotas: &mut [TokenBucket], cx: &mut Cx) {
        let now = cx.now();
        loop {
            let entry = &mut cx.requests[key];
            let thread = self.threads.at(entry.frame.instance);
            let goes_on = match thread.phase {
                Phase::Entering => self.transition(spec, key, quotas, cx),
                Phase::Delayed => {
                    entry.spend_until(Cause::Throttled, now);
                    self.delay(spec, key, cx)
                }
                Phase::BackingOff(cause) => {
                    entry.spend_until(cause, now);
                    thread.phase = Phase::Entering;
                    true
                }
                Phase::Acting => self.act(spec, key, cx),
                Phase::Waiting => self.leave(spec, key, cx),
                Phase::Closing(status) => {
                    self.close(spec, key, status, cx);
                    false
                }
                Phase::Calling | Phase::Forked | Phase::Ended => {
                    unreachable!("answers come by `answered`, and what has ended is not resumed")
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Counts a transition into the thread's state and delays it by the quota; says whether it can go on at once.
    fn transition(&mut self, spec: &WorkflowPlan, key: Key, quotas: &mut [TokenBucket], cx: &mut Cx) -> bool {
        let now = cx.now();
        let thread = self.threads.at(cx.requests[key].frame.instance);
        let again = thread.retries.iter().any(|&retries| retries > 0);
        let place = thread.state as usize;
        let action = &spec.states[place].action;
        thread.visits += 1;
        let execution = self.executions.at(thread.execution);
        execution.transitions += 1;
        execution.history += match (again, action) {
            (true, Action::Task(_)) => RETRY_EVENTS,
            _ => action.history_events(),
        };
        let root = execution.root;
        let too_many = execution.history > spec.history_limit || execution.transitions > TRANSITIONS_MAX;
        self.record.counts.transitions += 1;
        self.record.states[place].visits += u64::from(!again);
        if too_many {
            self.record.counts.history_exceeded += 1;
            cx.hit_by(Limit::History, self.index.target(), None);
            self.stop(spec, root, Status::Failed, cx);
            return false;
        }
        let wait = self
            .transitions
            .map_or(Duration::ZERO, |quota| quotas[quota].reserve(now));
        if wait > Duration::ZERO {
            self.record.counts.transitions_delayed += 1;
            cx.hit_by(Limit::TransitionRate, self.index.target(), None);
            self.at(key, cx).phase = Phase::Delayed;
            resume_at(cx, key, now + wait);
            return false;
        }
        self.delay(spec, key, cx)
    }

    /// Spends what a transition takes; says whether the state can act at once.
    fn delay(&mut self, spec: &WorkflowPlan, key: Key, cx: &mut Cx) -> bool {
        let now = cx.now();
        let luck = self.luck(key, cx);
        let thread = self.at(key, cx);
        thread.phase = Phase::Acting;
        let is_task = matches!(spec.states[thread.state as usize].action, Action::Task(_));
        let entry = &mut cx.requests[key];
        entry.spend(Cause::Gateway, spec.transition.draw(&mut luck.dice(step::TRANSITION)));
        if is_task {
            entry.spend(Cause::Gateway, spec.task_overhead.draw(&mut luck.dice(step::OVERHEAD)));
        }
        passed_or_wait(cx, key, now)
    }

    /// The luck of the thread's last transition.
    fn luck(&mut self, key: Key, cx: &Cx) -> Luck {
        let visits = self.at(key, cx).visits;
        cx.requests[key].luck.derive(step::VISIT + visits)
    }

    /// The state does what it does; says whether the thread can go on at once.
    fn act(&mut self, spec: &WorkflowPlan, key: Key, cx: &mut Cx) -> bool {
        let now = cx.now();
        let luck = self.luck(key, cx);
        let thread = self.at(key, cx);
        let place = thread.state;
        let state = &spec.states[place as usize];
        match &state.action {
            Action::Task(to) => {
                thread.phase = Phase::Calling;
                let mut call = Request::new(Caller::Handler(key), luck.derive(step::CALL), now);
                call.call = TASK;
                let call = cx.requests.insert(call);
                cx.requests.descends(call, key);
                let deadline = Desk::Deadline { request: call };
                cx.within(state.timeout, deadline);
                cx.offer(*to, call);
                false
            }
            Action::Choice(rules) => {
                let u = unit(&mut luck.dice(step::CHOICE));
                let counts = rules.iter().any(|rule| matches!(rule.when, When::First(_)));
                let visits = if counts { thread.visit(place) } else { 0 };
                let holds = |when: When| match when {
                    When::First(n) => visits <= n,
                    When::Below(sum) => u < sum,
                    When::Otherwise => true,
                };
                let rule = rules.iter().find(|rule| holds(rule.when)).or(rules.last());
                let next = rule.map_or(END, |rule| rule.next);
                self.lead(spec, key, next, Status::Ok, cx)
            }
            Action::Parallel(starts) => {
                thread.fork(now);
                thread.started = fit(starts.len());
                for (number, &start) in starts.iter().enumerate() {
                    self.child(key, fit(number), start, false, cx);
                }
                false
            }
            Action::Map(map) if map.items == 0 => self.leave(spec, key, cx),
            Action::Map(map) => {
                thread.fork(now);
                for _ in 0..map.concurrency.min(map.items) {
                    self.next_item(*map, key, cx);
                }
                false
            }
            Action::Wait(time) => {
                thread.phase = Phase::Waiting;
                cx.requests[key].spend(Cause::Waiting, time.draw(&mut luck.dice(step::WAIT)));
                passed_or_wait(cx, key, now)
            }
            Action::Pass => self.leave(spec, key, cx),
            Action::Succeed => self.lead(spec, key, END, Status::Ok, cx),
            Action::Fail => self.lead(spec, key, END, Status::Failed, cx),
        }
    }

    /// The state is done and leads on.
    fn leave(&mut self, spec: &WorkflowPlan, key: Key, cx: &mut Cx) -> bool {
        let next = spec.states[self.at(key, cx).state as usize].next;
        self.lead(spec, key, next, Status::Ok, cx)
    }

    /// Leads on from a state: to the next one, or to the end with `status`. Says whether the thread can go on at once.
    fn lead(&mut self, spec: &WorkflowPlan, key: Key, next: u16, status: Status, cx: &mut Cx) -> bool {
        let now = cx.now();
        let thread = self.threads.at(cx.requests[key].frame.instance);
        self.record.states[thread.state as usize]
            .time
            .record(now.since(thread.entered).0);
        if next != END {
            thread.enter(next, now);
            return true;
        }
        let execution = self.executions.at(thread.execution);
        if execution.root != key {
            thread.phase = Phase::Ended;
            cx.reply(key, status);
            return false;
        }
        // The transition that leads out.
        thread.phase = Phase::Closing(status);
        thread.visits += 1;
        execution.transitions += 1;
        self.record.counts.transitions += 1;
        let luck = self.luck(key, cx);
        let delay = spec.transition.draw(&mut luck.dice(step::TRANSITION));
        cx.requests[key].spend(Cause::Gateway, delay);
        passed_or_wait(cx, key, now)
    }

    /// An execution has ended: of the workflow, or of an item.
    fn close(&mut self, spec: &WorkflowPlan, key: Key, status: Status, cx: &mut Cx) {
        let now = cx.now();
        let thread = self.at(key, cx);
        let place = thread.execution;
        if self.executions.at(place).item {
            self.at(key, cx).phase = Phase::Ended;
            let execution = self.executions.take(place);
            self.record.bill(spec, now.since(execution.begun));
            return cx.reply(key, status);
        }
        let execution = self.executions.take(place);
        self.threads.take(cx.requests[key].frame.instance);
        let entry = &mut cx.requests[key];
        entry.frame.step = CLOSED;
        self.record.ended(entry, execution.transitions, status, now);
        self.record.bill(spec, now.since(execution.begun));
        if execution.awaited {
            cx.reply(key, status);
        } else {
            cx.requests
                .note(key, now, End::of(status, cx.plan.place(self.index.target())));
            cx.requests.remove(key);
        }
    }

    /// Ends an execution at once, whatever it does.
    fn stop(&mut self, spec: &WorkflowPlan, root: Key, status: Status, cx: &mut Cx) {
        let now = cx.now();
        self.leave_children(root, cx);
        cx.requests[root].cut_off_at(now);
        self.close(spec, root, status, cx);
    }

    /// Ends all branches and items of a thread, and theirs. What their tasks called goes on, and nobody hears of it.
    fn leave_children(&mut self, key: Key, cx: &mut Cx) {
        let children = std::mem::take(&mut self.at(key, cx).children);
        for child in children {
            self.leave_children(child, cx);
            let thread = self.threads.take(cx.requests[child].frame.instance);
            if thread.phase == Phase::Ended {
                // Its answer is on the way to a thread that waits no longer.
                cx.requests[child].caller = Caller::Nobody;
                continue;
            }
            if self.executions.at(thread.execution).root == child {
                self.executions.take(thread.execution);
            }
            cx.requests.remove(child);
        }
    }

    /// Starts the next item of a map.
    fn next_item(&mut self, map: MapPlan, parent: Key, cx: &mut Cx) {
        self.record.counts.items += 1;
        let thread = self.at(parent, cx);
        let number = thread.started;
        thread.started += 1;
        if !map.distributed {
            let execution = thread.execution;
            self.executions.at(execution).history += ITEM_EVENTS;
        }
        self.child(parent, number, map.start, map.distributed, cx);
    }

    /// Starts a branch or an item of a fork. Items that had to wait for others were queued since the fork.
    fn child(&mut self, parent: Key, number: u32, start: u16, item: bool, cx: &mut Cx) {
        let now = cx.now();
        let luck = self.luck(parent, cx).derive(step::CHILD + u64::from(number));
        let thread = self.at(parent, cx);
        let (forked, mut execution, place) = (thread.forked, thread.execution, fit(thread.children.len()));
        if item {
            execution = self.executions.insert(Execution {
                item: true,
                begun: now,
                history: EXECUTION_EVENTS,
                ..Execution::default()
            });
        }
        let mut request = Request::new(Caller::Handler(parent), luck, forked);
        request.spend_until(Cause::Queued, now);
        let key = self.thread(request, BRANCH, execution, start, cx);
        cx.requests.descends(key, parent);
        self.at(key, cx).place = place;
        if item {
            self.executions.at(execution).root = key;
        }
        self.at(parent, cx).children.push(key);
        cx.resume(key);
    }

    /// A branch or an item has ended; says whether the thread that forked it can go on.
    fn branch_ended(&mut self, spec: &WorkflowPlan, child: &Request, key: Key, parent: Key, cx: &mut Cx) -> bool {
        let place = self.threads.take(child.frame.instance).place;
        cx.requests.remove(key);
        let thread = self.at(parent, cx);
        thread.children.swap_remove(place as usize);
        if let Some(&moved) = thread.children.get(place as usize) {
            self.at(moved, cx).place = place;
        }
        let thread = self.threads.at(cx.requests[parent].frame.instance);
        let state = &spec.states[thread.state as usize];
        let (total, tolerated) = match &state.action {
            Action::Map(map) => (map.items, map.tolerated),
            _ => (thread.started, 0),
        };
        thread.done += 1;
        thread.failed += u32::from(!child.status.is_ok());
        if thread.failed > tolerated {
            self.leave_children(parent, cx);
            cx.requests[parent].adopt(child);
            return self.settle(spec, parent, child.status, cx);
        }
        if let Action::Map(map) = &state.action
            && thread.started < total
        {
            self.next_item(*map, parent, cx);
            return false;
        }
        if thread.done < total {
            return false;
        }
        cx.requests[parent].adopt(child);
        self.settle(spec, parent, Status::Ok, cx)
    }

    /// A task, parallel or map has ended: on it goes, or again, or to where failures lead. Says whether it can go on
    /// at once.
    fn settle(&mut self, spec: &WorkflowPlan, key: Key, status: Status, cx: &mut Cx) -> bool {
        if status.is_ok() {
            return self.leave(spec, key, cx);
        }
        let now = cx.now();
        let luck = self.luck(key, cx);
        let thread = self.threads.at(cx.requests[key].frame.instance);
        let place = thread.state as usize;
        let state: &StatePlan = &spec.states[place];
        self.record.states[place].errors += 1;
        let fits = state.retry.iter().position(|retrier| retrier.errors.contains(status));
        if let Some(number) = fits
            && thread.retries[number] < state.retry[number].attempts
        {
            let wait = state.retry[number].wait(thread.retries[number], luck, step::JITTER);
            thread.retries[number] += 1;
            thread.phase = Phase::BackingOff(if status == Status::Throttled {
                Cause::Throttled
            } else {
                Cause::Backoff
            });
            self.record.counts.retries += 1;
            resume_at(cx, key, now + wait);
            return false;
        }
        if let Some(&(_, next)) = state.catch.iter().find(|catcher| catcher.0.contains(status)) {
            self.record.counts.caught += 1;
            return self.lead(spec, key, next, Status::Ok, cx);
        }
        self.lead(spec, key, END, Status::Failed, cx)
    }
}

/// Resumes a thread at an instant.
fn resume_at(cx: &mut Cx, key: Key, at: Instant) {
    cx.at(at, Class::Release, Desk::Resume { request: key });
}

/// Whether the delays that are accounted to a thread have passed; if not, it is resumed when they have.
fn passed_or_wait(cx: &mut Cx, key: Key, now: Instant) -> bool {
    let mark = cx.requests[key].mark;
    if mark > now {
        resume_at(cx, key, mark);
    }
    mark <= now
}
