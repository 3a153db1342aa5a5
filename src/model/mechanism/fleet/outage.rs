//! What faults do to a fleet: slower computing, and instances that go with their zone.

use super::{Event, Fleet, Fleets, State};
use crate::kernel::number::fit;
use crate::kernel::{Class, Instant, Key};
use crate::model::mechanism::fleet::plan::FleetPlan;
use crate::model::request::desk::Cx;
use crate::model::request::entry::{Cause, Status};
use crate::model::request::fault::{Change, Zones};
use crate::model::request::id::Id;
use crate::model::request::kind::FLEET;

/// What is wrong with a fleet now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    /// How many times longer computing takes.
    pub(super) slow: f64,
    /// The zones that are gone: the first ones.
    pub(super) zones: Zones,
    /// Instances that come back when the zones do.
    owed: u64,
}

impl Default for Trouble {
    fn default() -> Self {
        Self {
            slow: 1.0,
            zones: Zones::default(),
            owed: 0,
        }
    }
}

impl Trouble {
    /// The zone of a launch: one after the other among those that are there.
    pub(super) fn zone(&self, launch: u32, zones: u16) -> u16 {
        let turn = (launch - 1) % u32::from(u16::MAX);
        let lost = if self.zones.lost < zones { self.zones.lost } else { 0 };
        lost + fit::<u16, _>(turn) % (zones - lost)
    }
}

impl Fleets {
    /// A fault begins or ends.
    pub(super) fn suffer(&mut self, plan: &[FleetPlan], fleet: Id<FLEET>, change: Change, cx: &mut Cx) {
        let state = &mut self.state[usize::from(fleet)];
        match change {
            Change::Slow(factor) => state.slow_down(fleet, factor, cx),
            Change::Zones(zones) => {
                let before = state.trouble.zones.lost;
                state.trouble.zones = zones;
                if zones.lost > before {
                    state.go_dark(&plan[usize::from(fleet)], fleet, cx);
                } else if zones.lost < before {
                    state.come_back(&plan[usize::from(fleet)], fleet, cx);
                }
            }
            Change::Recycle(..) | Change::Neighbours(_) | Change::Lower(..) => {}
        }
    }
}

impl Fleet {
    fn slow_down(&mut self, fleet: Id<FLEET>, factor: f64, cx: &mut Cx) {
        self.trouble.slow = factor;
        for index in 0..fit(self.instances.len()) {
            self.instances[index as usize].station.slow_down(cx.now(), factor);
            self.look_at_cores(fleet, index, cx);
        }
    }

    /// The instances in the zones that are gone are, too, with all that they were doing.
    fn go_dark(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, cx: &mut Cx) {
        let now = cx.now();
        let zones = self.trouble.zones;
        let there = |state: State| matches!(state, State::Booting | State::InService | State::Draining);
        let gone = |index: u32, fleet: &Self| {
            let instance = &fleet.instances[index as usize];
            there(instance.state) && instance.zone < zones.lost
        };
        let dark: Vec<u32> = (0..fit(self.instances.len()))
            .filter(|&index| gone(index, self))
            .collect();
        for key in cx.requests.alive() {
            let entry = &cx.requests[key];
            let here = entry.worker() == fleet.target() && entry.frame.provisioned;
            if here && dark.binary_search(&entry.frame.instance).is_ok() {
                self.drop_request(fleet, key, cx);
            }
        }
        for &index in &dark {
            let instance = &mut self.instances[index as usize];
            instance.noticed_at = now + zones.detection;
            let (place, state) = (instance.place, instance.state);
            for key in std::mem::take(&mut instance.waiting) {
                self.levels.queued.add(now.0, -1);
                if state == State::InService {
                    self.balancer.less(place);
                }
                cx.requests[key].spend_until(Cause::Queued, now);
                self.fail(fleet, key, cx);
            }
            self.look_at_cores(fleet, index, cx);
            cx.sessions.close_all(spec.component, index, now);
            if state == State::InService {
                self.instances[index as usize].state = State::Dark;
                self.levels.running.add(now, -1);
            } else {
                self.booting.retain(|&other| other != index);
                self.remove(spec, index, cx);
            }
        }
        let event = Event::Noticed { fleet };
        cx.at(now + zones.detection, Class::Timer, event);
    }

    /// A request is lost with its instance.
    fn drop_request(&mut self, fleet: Id<FLEET>, key: Key, cx: &mut Cx) {
        let now = cx.now();
        let entry = &cx.requests[key];
        let frame = entry.frame;
        let instance = &mut self.instances[frame.instance as usize];
        instance.station.cancel(now, key);
        if entry.is_branch() {
            return cx.requests.remove(key);
        }
        instance.used -= 1;
        if instance.state == State::InService {
            self.balancer.less(instance.place);
        }
        self.levels.busy.add(now.0, -1);
        self.record.finished(frame.prelude, now.since(frame.started), false);
        self.fail(fleet, key, cx);
    }

    /// A request hears that its instance is gone, or nothing.
    fn fail(&self, fleet: Id<FLEET>, key: Key, cx: &mut Cx) {
        if self.trouble.zones.hang {
            return cx.lose(key, fleet.target());
        }
        let entry = &mut cx.requests[key];
        entry.cut_off_at(cx.agenda.now());
        // What it called may answer before all gateways have heard of its end.
        entry.let_go();
        cx.reply(key, Status::Unavailable);
    }

    /// A request goes to an instance that is gone, because the balancer has not noticed.
    #[cold]
    #[inline(never)]
    pub(super) fn meet_the_dark(&mut self, place: u32, key: Key, fleet: Id<FLEET>, cx: &mut Cx) {
        if self.trouble.zones.hang {
            // It stays outstanding.
            self.balancer.more(place);
            return cx.lose(key, fleet.target());
        }
        self.refuse(key, cx);
    }

    /// The balancer notices which instances are gone; others are launched in their place.
    pub(super) fn noticed(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, cx: &mut Cx) {
        let now = cx.now();
        for index in 0..fit(self.instances.len()) {
            let instance = &self.instances[index as usize];
            if instance.state != State::Dark || instance.noticed_at > now {
                continue;
            }
            self.withdraw(index);
            self.remove(spec, index, cx);
            if self.trouble.zones.replace && self.trouble.zones.lost < spec.zones {
                self.launch(spec, fleet, cx);
            } else {
                self.trouble.owed += 1;
            }
        }
    }

    /// Zones are back: instances that nobody missed serve again, and those that were not replaced boot.
    fn come_back(&mut self, spec: &FleetPlan, fleet: Id<FLEET>, cx: &mut Cx) {
        let now = cx.now();
        for index in 0..fit(self.instances.len()) {
            let instance = &self.instances[index as usize];
            if instance.state == State::Dark && instance.zone >= self.trouble.zones.lost {
                self.withdraw(index);
                self.instances[index as usize].noticed_at = Instant::NEVER;
                self.enter_service(index, now);
            }
        }
        for _ in 0..std::mem::take(&mut self.trouble.owed) {
            self.launch(spec, fleet, cx);
        }
    }

    /// Takes an instance from the balancer.
    fn withdraw(&mut self, index: u32) {
        self.balancer.leave(self.instances[index as usize].place as usize);
        for place in 0..self.balancer.len() {
            self.instances[self.balancer.member(place) as usize].place = fit(place);
        }
    }
}
