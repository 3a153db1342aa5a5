//! Handlers: the short program that a function or a fleet runs for each request.
//!
//! Model: steps run one after the other: computing (which scales with the CPU share of whoever runs it), waiting (which
//! does not), calling another component and waiting for its answer, branches in parallel, sending without waiting, a
//! cache look-up that may skip steps, failing at a given point, effects that must happen once, and steps that are done
//! once for what is handled (idempotency keys) or once for a batch. Computing and waiting take as long as is drawn, or
//! as was recorded for the request. Loops are unrolled when the plan is made. Delays in a row become one event.
//! Not modelled: loops whose count is random; a branch that computes competes for CPU only where the host shares its
//! cores (fleets, functions that serve several requests at once), elsewhere it has a core of its own.
//! Units: durations of computing are at one full vCPU.
//! Validated by: hand-computed traces (tests/theory), fork-join and tandem formulas.

use crate::kernel::number::fit;
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, Purpose, Sampler};
use crate::model::request::call::CallPlan;
use crate::model::request::common::Profile;
use crate::model::request::desk::{Cx, Desk};
use crate::model::request::effects::Verdict;
use crate::model::request::entry::{BatchFate, Caller, Cause, Frame, Request, Status};
use crate::model::request::hits::Limit;
use crate::model::request::kind;
use crate::model::request::lineage::Lineage;
use crate::model::request::retry::Retrier;
use crate::scenario::Target;
use std::sync::Arc;

/// Most steps that a program may have after its loops are unrolled.
pub const STEPS_MAX: usize = 4096;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Compute for this long at one full vCPU.
    Cpu(Sampler),
    /// Wait without computing.
    Wait(Sampler),
    /// Compute or wait for as long as was recorded for the request.
    Recorded {
        /// Whether it computes.
        computes: bool,
    },
    /// Make this call and wait for its answer.
    Call(u16),
    /// Make this call and go on: nobody waits for the answer.
    Send(u16),
    /// Run these branches (steps at which they begin) and wait for all of them.
    Parallel(Vec<u16>),
    /// With this probability go to that step: a cache hit skips what a miss must do.
    Skip {
        /// Probability of a hit.
        hit: f64,
        /// The step after the ones skipped.
        to: u16,
    },
    /// Go to that step, unless this is the last message of its batch or there is no batch.
    Last {
        /// The step after what is done once for a batch.
        to: u16,
    },
    /// Fail here with this probability: what comes after is not done.
    Fail(f64),
    /// What must happen once happens, by its number.
    Effect(u16),
    /// Go on if what is handled was not done before; it has been looked up.
    Claim {
        /// The number of the idempotent step.
        claim: u16,
        /// The step after it.
        to: u16,
    },
    /// What an idempotent step guards is done.
    Settle {
        /// The number of the idempotent step.
        claim: u16,
        /// How long that is remembered.
        window: Duration,
    },
    /// The end of the program or of a branch.
    End,
}

/// A handler, compiled. The main program comes first, then the branches; each ends with [`Step::End`].
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The steps.
    pub steps: Vec<Step>,
    /// The calls that they name.
    pub calls: Arc<[CallPlan]>,
    /// The first step of each path's own handler, by path number; the main program begins at step 0.
    pub entries: Vec<u16>,
    /// Whether it knows until when its caller waits, and tells whom it calls.
    pub heeds_deadlines: bool,
}

impl Program {
    /// The least time that it takes, whatever path it is asked for, where computing takes `slower` times as long: what
    /// always takes the same time, on the shortest way through, without what it calls.
    pub fn least(&self, slower: f64) -> Duration {
        let mut least = vec![Duration::ZERO; self.steps.len() + 1];
        // Jumps only lead forward.
        for (at, step) in self.steps.iter().enumerate().rev() {
            let next = least[at + 1];
            least[at] = match step {
                Step::Cpu(time) => next + Duration::from_nanos_f64(time.least() * slower),
                Step::Wait(time) => next + Duration::from_nanos_f64(time.least()),
                Step::Skip { hit, to } if *hit > 0.0 => next.min(least[*to as usize]),
                Step::Last { to } | Step::Claim { to, .. } => next.min(least[*to as usize]),
                Step::Fail(share) if *share > 0.0 => Duration::ZERO,
                Step::End => Duration::ZERO,
                _ => next,
            };
        }
        let entries = self.entries.iter().map(|&entry| least[entry as usize]);
        entries.fold(least[0], Duration::min)
    }

    /// A handler that only computes.
    pub fn compute(cpu: Sampler) -> Self {
        Self {
            steps: vec![Step::Cpu(cpu), Step::End],
            calls: Arc::default(),
            entries: Vec::new(),
            heeds_deadlines: false,
        }
    }

    /// The first step for a request of this path.
    #[inline]
    pub fn entry(&self, path: u16) -> u16 {
        self.entries.get(path as usize).copied().unwrap_or(0)
    }

    /// Whether a step is done once for a batch, not for each message.
    fn is_once(&self, step: u16) -> bool {
        let before = self.steps[..usize::from(step)].iter();
        before
            .rev()
            .any(|other| matches!(other, Step::Last { to } if *to > step))
    }

    /// Whether it ever waits for something whose length is not known when the wait begins.
    pub fn blocks(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::Call(_) | Step::Parallel(_)))
    }

    /// What it calls and waits for.
    pub fn called(&self) -> Vec<Target> {
        let call = |step: &Step| match step {
            Step::Call(call) => Some(self.calls[usize::from(*call)].to),
            _ => None,
        };
        self.steps.iter().filter_map(call).collect()
    }

    /// What it sends to without waiting.
    pub fn sent(&self) -> Vec<Target> {
        let send = |step: &Step| match step {
            Step::Send(call) => Some(self.calls[usize::from(*call)].to),
            _ => None,
        };
        self.steps.iter().filter_map(send).collect()
    }

    /// Whether all that it does is to take time, one delay after the other.
    pub fn only_delays(&self) -> bool {
        self.steps.iter().all(|step| {
            matches!(
                step,
                Step::Cpu(_) | Step::Wait(_) | Step::Skip { .. } | Step::Fail(_) | Step::End
            )
        })
    }

    /// What others may ask about whoever runs it.
    pub fn profile(&self) -> Profile {
        let has = |wanted: fn(&Step) -> bool| self.steps.iter().any(wanted);
        Profile {
            calls: Some(Arc::clone(&self.calls)),
            waits_for: self.called(),
            effects: has(|step| matches!(step, Step::Effect(_))),
            claims: has(|step| matches!(step, Step::Claim { .. })),
            heeds_deadlines: self.heeds_deadlines,
            takes_recorded: has(|step| matches!(step, Step::Recorded { .. })),
            ..Profile::default()
        }
    }

    /// Fresh budgets for its calls.
    pub fn retriers(&self) -> Vec<Retrier> {
        self.calls.iter().map(|call| Retrier::new(call.retry)).collect()
    }
}

/// How a host runs the computing steps.
#[derive(Clone, Copy, Debug)]
pub enum Cpu {
    /// Alone, this many times longer (at least once) than at one full vCPU.
    Alone(f64),
    /// On cores shared with others: the host is told and resumes the request when the computing is done.
    Shared,
}

/// What a request needs before its handler can go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// To be resumed then.
    At(Instant),
    /// This much computing on the host's shared cores.
    Compute(Duration),
    /// Answers, which will resume it.
    Answers,
    /// Nothing: it is done.
    Done(Status),
}

/// The step of a luck that branches and calls derive theirs from; far from step numbers.
const CHILD_STEP: u64 = Purpose::Child.step();
/// The part of a luck that each further message of a batch derives.
const BATCH_STEP: u64 = Purpose::NextMessage.step();

/// The step of a handler that is done as soon as the delays accounted to its request have passed.
const ENDED: u16 = u16::MAX;

/// Whether the handler of `request` is done now that the delays accounted to it have passed.
#[inline]
pub const fn is_over(request: &Request) -> bool {
    request.frame.step == ENDED
}

/// Runs a handler that only takes time, of a request that is not a batch, to its end; the instant at which that is.
#[inline(always)]
pub fn run_through(program: &Program, entry: &mut Request, cpu: Cpu) -> Instant {
    delays(program, entry, cpu);
    entry.frame.step = ENDED;
    entry.mark
}

/// Runs the handler of `request` until it needs something.
pub fn advance(cx: &mut Cx, program: &Program, request: Key, cpu: Cpu) -> Next {
    let now = cx.agenda.now();
    loop {
        let entry = &mut cx.requests[request];
        if entry.frame.step == ENDED {
            return Next::Done(entry.frame.worst);
        }
        // A call that failed in the end and was not optional has thrown: the rest is not done.
        let thrown = !entry.frame.worst.is_ok();
        let next = if thrown {
            &Step::End
        } else {
            delays(program, entry, cpu)
        };
        let ahead = entry.mark > now;
        match next {
            Step::Cpu(_) if ahead => return Next::At(entry.mark),
            Step::Cpu(sampler) => {
                let drawn = sampler.draw(&mut entry.luck.dice(u64::from(entry.frame.step)));
                entry.frame.step += 1;
                entry.frame.cpu += drawn;
                return Next::Compute(drawn);
            }
            Step::Recorded { computes } => match recorded(cx, request, *computes, cpu) {
                Some(next) => return next,
                None => continue,
            },
            Step::End if next_message(program, entry) => continue,
            Step::End if ahead => {
                entry.frame.step = ENDED;
                return Next::At(entry.mark);
            }
            _ if ahead => return Next::At(entry.mark),
            Step::End => return Next::Done(entry.frame.worst),
            Step::Send(call) => send(cx, program, request, *call),
            Step::Call(call) => {
                entry.frame.step += 1;
                entry.frame.pending = 1;
                start_call(cx, program, request, *call);
                return Next::Answers;
            }
            Step::Parallel(branches) => {
                entry.frame.step += 1;
                entry.frame.pending = fit(branches.len());
                for &branch in branches {
                    start_branch(cx, program, request, branch);
                }
                return Next::Answers;
            }
            Step::Effect(effect) => cx.happens(request, *effect),
            Step::Settle { claim, window } => cx.settle(request, *claim, *window),
            Step::Claim { claim, to } => {
                match cx.claim(request, *claim) {
                    Verdict::Run => cx.requests[request].frame.step += 1,
                    Verdict::Skip => cx.requests[request].frame.step = *to,
                    Verdict::Conflict => cx.requests[request].frame.worst = Status::Failed,
                }
                continue;
            }
            Step::Wait(_) | Step::Skip { .. } | Step::Last { .. } | Step::Fail(_) => unreachable!("delays go on"),
        }
        cx.requests[request].frame.step += 1;
    }
}

/// Takes the time that was recorded for the request; what the request needs for that, if it cannot go on.
#[cold]
#[inline(never)]
fn recorded(cx: &mut Cx, request: Key, computes: bool, cpu: Cpu) -> Option<Next> {
    // That whatever comes here has one was found out when the plan was made.
    let taken = cx.baggage.of(request).recorded.duration.unwrap_or_default();
    let now = cx.now();
    let entry = &mut cx.requests[request];
    let next = match cpu {
        _ if !computes => {
            entry.spend(Cause::Waiting, taken);
            None
        }
        Cpu::Alone(factor) => {
            let slowed = Duration::from_nanos_f64(taken.0 as f64 * factor);
            entry.spend(Cause::Compute, if factor > 1.0 { slowed } else { taken });
            None
        }
        Cpu::Shared if entry.mark > now => return Some(Next::At(entry.mark)),
        Cpu::Shared => Some(Next::Compute(taken)),
    };
    if computes {
        entry.frame.cpu += taken;
    }
    entry.frame.step += 1;
    next
}

/// At the end of a message of a batch: counts it if it failed alone, and goes on to the next one if there is one.
#[inline]
fn next_message(program: &Program, entry: &mut Request) -> bool {
    let frame = &mut entry.frame;
    if frame.batch_left == 0 || matches!(entry.caller, Caller::Handler(_)) {
        return false;
    }
    if !frame.worst.is_ok() {
        if frame.batch_fate != BatchFate::Partial {
            return false;
        }
        frame.batch_failed += 1;
        frame.worst = Status::Ok;
        // The first end from here on is that of the main program: branches stand behind it.
        let rest = program.steps[frame.step as usize..].iter();
        frame.step += fit::<u16, _>(rest.take_while(|step| **step != Step::End).count());
    }
    if frame.batch_left == 1 {
        return false;
    }
    frame.batch_left -= 1;
    frame.step = program.entry(entry.path);
    entry.luck = entry.luck.derive(BATCH_STEP);
    true
}

/// Goes through steps that only take time, and accounts that, up to one that needs something else.
#[inline(always)]
fn delays<'p>(program: &'p Program, entry: &mut Request, cpu: Cpu) -> &'p Step {
    let mut step = entry.frame.step;
    loop {
        let dice = || entry.luck.dice(u64::from(step));
        let this = &program.steps[step as usize];
        match (this, cpu) {
            (Step::Cpu(sampler), Cpu::Alone(factor)) => {
                let drawn = sampler.value_inlined(&mut dice());
                let alone = Duration::from_nanos_f64(drawn);
                let taken = if factor > 1.0 {
                    Duration::from_nanos_f64(drawn * factor)
                } else {
                    alone
                };
                entry.frame.cpu += alone;
                entry.spend(Cause::Compute, taken);
            }
            (Step::Wait(sampler), _) => entry.spend(Cause::Waiting, sampler.draw(&mut dice())),
            (Step::Skip { hit, to }, _) if chance(&mut dice(), *hit) => {
                step = *to;
                continue;
            }
            (Step::Last { to }, _) if entry.frame.batch_left > 1 => {
                step = *to;
                continue;
            }
            (Step::Fail(probability), _) if chance(&mut dice(), *probability) => {
                entry.frame.step = step;
                entry.frame.worst = Status::Failed;
                return &Step::End;
            }
            (Step::Skip { .. } | Step::Last { .. } | Step::Fail(_), _) => {}
            _ => {
                entry.frame.step = step;
                return this;
            }
        }
        step += 1;
    }
}

/// Starts a branch: a request of its own on the same host.
fn start_branch(cx: &mut Cx, program: &Program, parent: Key, branch: u16) {
    let entry = cx.requests[parent];
    let luck = entry.luck.derive(CHILD_STEP + u64::from(branch));
    let mut strand = Request::new(Caller::Handler(parent), luck, cx.agenda.now());
    strand.taken_by(entry.worker());
    strand.call = u16::MAX;
    strand.frame = Frame {
        step: branch,
        pending: 0,
        ..entry.frame
    };
    if strand.frame.batch_left > 0 && program.is_once(entry.frame.step - 1) {
        // It works for all messages, not for the last one.
        strand.frame.batch_left = 0;
    }
    let key = cx.requests.insert(strand);
    cx.requests.descends(key, parent);
    if cx.baggage.on {
        cx.carry_over(parent, key);
    }
    cx.resume(key);
}

/// Makes call number `call` of `parent`'s handler.
fn start_call(cx: &mut Cx, program: &Program, parent: Key, call: u16) {
    let now = cx.agenda.now();
    // What is put somewhere is the same thing when it is put there again.
    let luck = if kind::abilities(program.calls[call as usize].to.kind).keeps {
        cx.luck_of_sent(parent)
    } else {
        cx.requests[parent].luck
    };
    let luck = luck.derive(CHILD_STEP + u64::from(cx.requests[parent].frame.step));
    let mut child = Request::new(Caller::Handler(parent), luck, now);
    child.call = call;
    let key = cx.requests.insert(child);
    if program.calls[call as usize].follows {
        let of = works_on(cx, program, parent, cx.requests[parent].frame.step - 1);
        cx.requests.descends_from(key, of);
    }
    attempt(cx, program, call, key);
}

/// Makes call number `call` without waiting for its answer.
fn send(cx: &mut Cx, program: &Program, parent: Key, call: u16) {
    let step = cx.requests[parent].frame.step;
    let luck = cx.luck_of_sent(parent).derive(CHILD_STEP + u64::from(step));
    let entry = &cx.requests[parent];
    let mut child = Request::new(Caller::Nobody, luck, cx.agenda.now());
    // Whoever takes it may ask which call it was, though nobody waits.
    child.taken_by(entry.worker());
    child.call = call;
    let key = cx.requests.insert(child);
    let to = program.calls[call as usize].to;
    let of = works_on(cx, program, parent, step);
    cx.sends(key, of, to, None);
    cx.offer_async(to, key);
}

/// What a step of a handler works on: one message of a batch, or all of them where it is done once.
fn works_on(cx: &Cx, program: &Program, request: Key, step: u16) -> Lineage {
    let of = cx.requests.lineages.tag(request).of;
    let left = cx.requests[request].frame.batch_left;
    if left == 0 || program.is_once(step) {
        return of;
    }
    cx.requests.lineages.message(of, left)
}

/// Sends one attempt of a call, which may begin after a backoff, and sets its deadline.
fn attempt(cx: &mut Cx, program: &Program, call: u16, key: Key) {
    let call = &program.calls[call as usize];
    if call.careful {
        return attempt_with_care(cx, program, call, key);
    }
    let start = cx.requests[key].mark;
    cx.within_from(start, call.timeout, Desk::Deadline { request: key });
    cx.offer_at_mark(call.to, key);
}

/// The same where the call has guards, or where deadlines travel.
#[cold]
fn attempt_with_care(cx: &mut Cx, program: &Program, call: &CallPlan, key: Key) {
    if cx.baggage.on
        && let Caller::Handler(parent) = cx.requests[key].caller
    {
        cx.inherit(parent, key, program.heeds_deadlines);
    }
    if let Some(guard) = call.guard {
        return cx.attempt_guarded(guard, key);
    }
    let start = cx.requests[key].mark;
    let own = start + call.timeout;
    let until = cx.waits_until(key, own);
    let deadline = Desk::Deadline { request: key };
    // Nobody waits any more: the call is not made.
    if until <= start {
        cx.hit(Limit::Deadline, call.to, key);
        return cx.at(start, Class::Timer, deadline);
    }
    if until == own {
        cx.within_from(start, call.timeout, deadline);
    } else {
        cx.until(until, deadline);
    }
    cx.offer_at_mark(call.to, key);
}

/// Takes the answer to a call or a branch of `parent`: retries it, or adds it to what the parent waits for. Says
/// whether the parent can go on.
pub fn answered(cx: &mut Cx, program: &Program, retriers: &mut [Retrier], child: Key, parent: Key) -> bool {
    let now = cx.agenda.now();
    let mut entry = cx.requests[child];
    let mut status = entry.status;
    if entry.mark < now {
        entry.spend_until(Cause::Waiting, now);
    }
    if entry.call != u16::MAX {
        let call = &program.calls[entry.call as usize];
        if let Some(guard) = call.guard {
            cx.guarded_ended(guard, child);
        }
        if let Some(wait) = retriers[entry.call as usize].after(&entry) {
            let again = cx.next_attempt(child, wait);
            attempt(cx, program, entry.call, again);
            return false;
        }
        if call.optional {
            status = Status::Ok;
        }
    }
    cx.requests.remove(child);
    let parent = &mut cx.requests[parent];
    if !status.is_ok() && parent.frame.worst.is_ok() {
        parent.frame.worst = status;
    }
    parent.frame.pending -= 1;
    if parent.frame.pending > 0 {
        return false;
    }
    parent.adopt(&entry);
    true
}
