//! What one function does with a request: finds it an instance, runs its handler, bills it, answers.

use super::event::Event;
use super::instance::Taken;
use super::plan::FunctionPlan;
use super::record::Throttle;
use super::{Function, draw_init, fails, is_over, step};
use crate::kernel::stream::{chance, unit};
use crate::kernel::{Class, Duration, Instant, Key};
use crate::model::handler::run as program;
use crate::model::handler::run::Next;
use crate::model::request::desk::Cx;
use crate::model::request::entry::{BatchFate, Cause, Status};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;

impl Function {
    /// Replaces this share of the instances, each at its own moment within a while.
    pub(super) fn replace(&mut self, share: f64, spread: Duration, now: Instant) {
        let dice = &mut self.recycle_dice;
        self.instances.retire(|| {
            let moment = now + Duration::from_nanos_f64(spread.0 as f64 * unit(dice));
            chance(dice, share).then_some(moment)
        });
    }

    /// Whoever counts sessions hears when instances are due, after changes to many at once.
    pub(super) fn note_due(&mut self, spec: &FunctionPlan, cx: &mut Cx) {
        if self.scaled.is_none() {
            self.instances.note_due(spec, &mut cx.sessions);
        }
    }

    /// Takes an available instance for a request on demand. Without one it starts a new one, where the limits allow it.
    #[inline(always)]
    pub(super) fn take_on_demand(
        &mut self,
        spec: &FunctionPlan,
        function: Id<FUNCTION>,
        key: Key,
        cx: &mut Cx,
    ) -> Option<Taken> {
        if !self.take_concurrency(spec, cx) {
            self.refuse_concurrency(spec, key, cx);
            return None;
        }
        let taken = self.instances.take(spec, cx.now(), &mut cx.sessions);
        if taken.is_none() {
            self.scale_out(spec, function, key, cx);
        }
        taken
    }

    /// There is no concurrency left for a request.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse_concurrency(&mut self, spec: &FunctionPlan, key: Key, cx: &mut Cx) {
        match spec.account.filter(|_| spec.reserved.is_none()) {
            // Who has it is known to all functions together.
            Some(account) => {
                cx.limits.ask(account);
                self.refuse(Throttle::Concurrency, key, cx);
            }
            None => self.throttle(Throttle::Concurrency, Limit::ReservedConcurrency, key, cx),
        }
    }

    /// Serves a request on a new instance, where the limits allow it.
    #[cold]
    pub(super) fn scale_out(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let full = spec
            .maximum_instances
            .is_some_and(|most| self.instances.alive() >= most);
        if full || !self.scaling.as_mut().is_none_or(|bucket| bucket.take(now, 1)) {
            self.give_concurrency(spec, cx);
            let (why, limit) = if full {
                (Throttle::Concurrency, Limit::MaximumInstances)
            } else {
                (Throttle::Scaling, Limit::ScalingRate)
            };
            return self.throttle(why, limit, key, cx);
        }
        let instance = self.instances.create(spec, now);
        self.start_cold(spec, function, key, instance, true, cx);
    }

    #[inline]
    pub(super) fn take_concurrency(&mut self, spec: &FunctionPlan, cx: &mut Cx) -> bool {
        let taken = match (spec.reserved, spec.account) {
            (Some(_), _) => {
                let some = self.reserved_free > 0;
                self.reserved_free -= i64::from(some);
                some
            }
            (None, Some(account)) => {
                let taken = cx.accounts[usize::from(account)].take_concurrency();
                if taken && !self.known.outdated {
                    self.note_change(account, cx);
                }
                taken
            }
            (None, None) => true,
        };
        self.on_demand += u64::from(taken);
        taken
    }

    #[inline]
    pub(super) fn give_concurrency(&mut self, spec: &FunctionPlan, cx: &mut Cx) {
        self.on_demand -= 1;
        match (spec.reserved, spec.account) {
            (Some(_), _) => self.reserved_free += 1,
            (None, Some(account)) => {
                cx.accounts[usize::from(account)].give_concurrency();
                if !self.known.outdated {
                    self.note_change(account, cx);
                }
            }
            (None, None) => {}
        }
    }

    #[cold]
    pub(super) fn throttle(&mut self, why: Throttle, limit: Limit, key: Key, cx: &mut Cx) {
        cx.hit(limit, cx.requests[key].worker(), key);
        self.refuse(why, key, cx);
    }

    #[cold]
    pub(super) fn refuse(&mut self, why: Throttle, key: Key, cx: &mut Cx) {
        self.record.throttled(why);
        cx.reply(key, Status::Throttled);
    }

    /// A request is not served: nobody waits for it any more.
    #[cold]
    pub(super) fn drop_expired(&mut self, key: Key, cx: &mut Cx) {
        self.record.dropped += 1;
        cx.hit(Limit::Deadline, cx.requests[key].worker(), key);
        cx.reply(key, Status::TimedOut);
    }

    /// A new instance, or one that must initialise again: the request waits for it.
    pub(super) fn start_cold(
        &mut self,
        spec: &FunctionPlan,
        function: Id<FUNCTION>,
        key: Key,
        instance: u32,
        place: bool,
        cx: &mut Cx,
    ) {
        let entry = &mut cx.requests[key];
        entry.frame.instance = instance;
        entry.frame.cold = true;
        let start = entry.mark;
        if place {
            entry.spend(
                Cause::Placement,
                spec.placement.draw(&mut entry.luck.dice(step::PLACEMENT)),
            );
        }
        let placed = entry.mark;
        let init = draw_init(spec, entry.luck);
        if init > spec.init_limit {
            entry.spend(Cause::Init, spec.init_limit);
            cx.hit(Limit::InitLimit, function.target(), key);
        } else {
            entry.spend(Cause::Init, init);
        }
        let entry = &mut cx.requests[key];
        entry.frame.prelude = entry.mark.since(placed);
        self.record.cold_started(entry.mark.since(start), entry.frame.prelude);
        let at = entry.mark;
        cx.at(at, Class::Release, Event::Ready { function, request: key });
    }

    /// Starts a request on a provisioned instance.
    #[inline(never)]
    pub(super) fn start_provisioned(
        &mut self,
        spec: &FunctionPlan,
        function: Id<FUNCTION>,
        key: Key,
        taken: Taken,
        cx: &mut Cx,
    ) {
        self.start(spec, function, key, taken, cx);
    }

    /// Starts a request on an instance that was available.
    #[inline(always)]
    pub(super) fn start(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, taken: Taken, cx: &mut Cx) {
        let (now, instance) = (cx.now(), taken.instance);
        if taken.spoiled {
            self.instances.initialise_again(instance, now);
            return self.start_cold(spec, function, key, instance, false, cx);
        }
        let entry = &mut cx.requests[key];
        entry.frame.instance = instance;
        entry.frame.started = now;
        entry.frame.step = spec.program.entry(entry.path);
        if !self.straight || entry.frame.batch_left > 0 {
            return self.start_timed(spec, function, key, cx);
        }
        // What most handlers do: they compute, and that is all.
        let at = program::run_through(&spec.program, entry, self.cpu);
        if at > now {
            self.wait_until(at, now + spec.timeout, function, instance, key, cx);
        } else {
            let status = entry.frame.worst;
            self.finish_early(spec, key, status, cx);
        }
    }

    /// The handler begins on an instance that has just been initialised.
    pub(super) fn begin(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        entry.frame.started = now;
        entry.frame.step = spec.program.entry(entry.path);
        if entry.frame.cold {
            // An init that was cut off at its limit is done again as a part of this invocation.
            let init = draw_init(spec, entry.luck);
            if init > spec.init_limit {
                entry.spend(Cause::Init, init);
            }
        }
        self.start_timed(spec, function, key, cx);
    }

    /// The handler begins; how long it takes is not known yet as a rule.
    #[inline(never)]
    pub(super) fn start_timed(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        if self.timed {
            cx.after(self.time_limit, Event::TimeLimit { function, request: key });
        }
        self.go_on(spec, function, key, cx);
    }

    /// Runs the handler until it needs something.
    pub(super) fn go_on(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        match program::advance(cx, &spec.program, key, self.cpu) {
            Next::At(at) => {
                let frame = &cx.requests[key].frame;
                let (instance, limit) = (frame.instance, frame.started + spec.timeout);
                self.wait_until(at, limit, function, instance, key, cx);
            }
            Next::Compute(demand) => {
                let instance = cx.requests[key].frame.instance;
                if let Some(station) = self.instances.station(instance) {
                    station.add(cx.agenda.now(), demand, key);
                    self.schedule_cores(function, instance, cx);
                }
            }
            Next::Answers => {}
            Next::Done(status) if cx.requests[key].is_branch() => cx.reply(key, status),
            Next::Done(status) => self.finish_early(spec, key, status, cx),
        }
    }

    /// The handler goes on at `at`, unless its time is up before that.
    #[inline(always)]
    pub(super) fn wait_until(
        &self,
        at: Instant,
        limit: Instant,
        function: Id<FUNCTION>,
        instance: u32,
        request: Key,
        cx: &mut Cx,
    ) {
        if at > limit && !self.timed {
            let event = Event::TimeLimit { function, request };
            cx.at(limit, Class::Timer, event);
        } else {
            let event = Event::Invocation {
                function,
                instance,
                request,
            };
            cx.agenda.at_often(at, Class::Release, event.into());
        }
    }

    pub(super) fn schedule_cores(&mut self, function: Id<FUNCTION>, instance: u32, cx: &mut Cx) {
        let now = cx.now();
        if let Some(wake) = self.instances.station(instance).and_then(|station| station.wake(now)) {
            let event = Event::Cores {
                function,
                instance,
                epoch: wake.epoch,
            };
            cx.at(wake.at, Class::Release, event);
        }
    }

    /// The handler is done without having waited.
    #[inline(never)]
    pub(super) fn finish_early(&mut self, spec: &FunctionPlan, key: Key, status: Status, cx: &mut Cx) {
        self.finish(spec, cx.requests[key].frame.instance, key, status, cx);
    }

    /// The handler is done: bills it, frees the instance, answers.
    #[inline(always)]
    pub(super) fn finish(&mut self, spec: &FunctionPlan, instance: u32, key: Key, status: Status, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        let provisioned = entry.frame.provisioned;
        let in_doubt = self.may_fail || entry.frame.batch_fate == BatchFate::Doomed;
        let status = if status.is_ok() && !(in_doubt && fails(spec, entry)) {
            Status::Ok
        } else {
            Status::Failed
        };
        entry.status = status;
        self.record.finished(spec, entry, now, status);
        if self.scaled.is_some() {
            let function = entry.worker_id();
            self.leave(spec, function, instance, false, cx);
        } else {
            self.release(spec, instance, provisioned, now, cx);
        }
        if self.may_fail && is_over(spec, &cx.requests[key]) {
            cx.hit(Limit::CpuLimit, cx.requests[key].worker(), key);
        }
        cx.replied(key);
    }

    /// Finds the idle instances whose time is up.
    pub(super) fn reap(&mut self, spec: &FunctionPlan, cx: &mut Cx) {
        if self.scaled.is_some() {
            self.reap_scaled(spec, cx.now(), cx);
        } else {
            self.instances.reap(spec, cx.now(), &mut cx.sessions);
        }
    }

    /// An invocation ran out of time: it is cut off, and its instance must initialise again.
    pub(super) fn cut_off(&mut self, spec: &FunctionPlan, key: Key, cx: &mut Cx) {
        let now = cx.now();
        cx.hit(Limit::TimeLimit, cx.requests[key].worker(), key);
        let entry = &mut cx.requests[key];
        let (instance, provisioned) = (entry.frame.instance, entry.frame.provisioned);
        entry.cut_off_at(now);
        self.record.finished(spec, entry, now, Status::TimedOut);
        self.instances.spoil(instance, key, now);
        cx.sessions.close_all(spec.component, instance, now);
        if self.scaled.is_some() {
            // An instance that serves one request at a time is given up with it.
            let (function, alone) = (cx.requests[key].worker_id(), spec.concurrency_per_instance == 1);
            self.leave(spec, function, instance, alone, cx);
        } else {
            self.release(spec, instance, provisioned, now, cx);
        }
        cx.reply(key, Status::Failed);
    }

    #[inline(always)]
    pub(super) fn release(&mut self, spec: &FunctionPlan, instance: u32, provisioned: bool, now: Instant, cx: &mut Cx) {
        if provisioned {
            self.instances.vacate_provisioned(instance, now);
            if let Some(pool) = &mut self.provisioned
                && !pool.give_back(instance, now)
            {
                self.instances.remove_provisioned(spec, instance, now, &mut cx.sessions);
            }
        } else {
            self.give_concurrency(spec, cx);
            self.instances.give_back(spec, instance, now, &mut cx.sessions);
        }
    }
}
