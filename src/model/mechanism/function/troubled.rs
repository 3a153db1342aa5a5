//! What faults do to a function: slower computing, less concurrency of its own, instances that are replaced or go with
//! their zone.

use super::{Cpu, Function, Functions};
use crate::kernel::number::whole;
use crate::kernel::{Instant, Key};
use crate::model::mechanism::function::plan::FunctionPlan;
use crate::model::request::desk::Cx;
use crate::model::request::entry::Status;
use crate::model::request::fault::Change;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;

impl Functions {
    /// A fault begins or ends.
    pub(super) fn suffer(&mut self, plan: &[FunctionPlan], function: Id<FUNCTION>, change: Change, cx: &mut Cx) {
        let now = cx.now();
        let spec = &plan[usize::from(function)];
        let state = &mut self.state[usize::from(function)];
        match change {
            Change::Slow(factor) => state.slow_down(spec, function, factor, cx),
            Change::Lower(_, to) => {
                let usual = spec.reserved.unwrap_or(0);
                let reserved = to.map_or(usual, |to| usual.min(whole(to)));
                state.reserved_free += reserved.cast_signed() - state.reserved.cast_signed();
                state.reserved = reserved;
            }
            Change::Recycle(share, spread) => {
                state.replace(share, spread, now);
                state.note_due(spec, cx);
            }
            Change::Zones(zones) if zones.lost > 0 => state.lose_zones(spec, function, zones.lost, cx),
            Change::Zones(_) | Change::Neighbours(_) => {}
        }
    }
}

impl Function {
    fn slow_down(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, factor: f64, cx: &mut Cx) {
        if let Cpu::Alone(_) = self.cpu {
            self.cpu = Cpu::Alone(spec.cpu_factor() * factor);
        }
        for instance in 0..self.instances.slow_down(cx.now(), factor) {
            self.schedule_cores(function, instance, cx);
        }
    }

    /// The instances in these zones are gone, and what they were doing with them. What waits for one that was starting
    /// starts elsewhere.
    fn lose_zones(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, lost: u16, cx: &mut Cx) {
        let now = cx.now();
        let apart = self.scaled.is_some();
        let gone = self.instances.in_zones(lost, spec.zones, apart, now);
        self.note_due(spec, cx);
        let on_them = |instance: u32| gone.binary_search_by_key(&instance, |gone| gone.0).is_ok();
        let mut running: Vec<Key> = Vec::new();
        for key in cx.requests.alive() {
            let entry = &cx.requests[key];
            let here = entry.worker() == function.target();
            let began = Instant::ZERO < entry.frame.started && entry.frame.started <= now;
            if here && began && !entry.frame.provisioned && on_them(entry.frame.instance) {
                running.push(key);
            }
        }
        for key in running {
            self.go_down(spec, function, key, cx);
        }
        if apart {
            self.drop_idle(spec, function, &gone, cx);
        }
    }

    /// A request is lost with its instance.
    fn go_down(&mut self, spec: &FunctionPlan, function: Id<FUNCTION>, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &mut cx.requests[key];
        let instance = entry.frame.instance;
        self.instances.stop(instance, key, now);
        if entry.is_branch() {
            return cx.requests.remove(key);
        }
        entry.cut_off_at(now);
        self.record.finished(spec, entry, now, Status::Failed);
        cx.sessions.close_all(spec.component, instance, now);
        if self.scaled.is_some() {
            self.leave(spec, function, instance, true, cx);
        } else {
            self.release(spec, instance, false, now, cx);
        }
        // What it called may answer before all gateways have heard of its end.
        cx.requests[key].let_go();
        cx.reply(key, Status::Failed);
    }
}
