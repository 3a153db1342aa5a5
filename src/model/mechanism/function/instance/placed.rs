//! What a platform that scales its instances apart from requests does with them: several requests may wait for one
//! instance, and which instance serves is decided by that platform (see `scaled`).

use super::{Instance, Instances};
use crate::kernel::Instant;
use crate::model::mechanism::function::plan::FunctionPlan;
use crate::model::request::session::Sessions;

impl Instances {
    /// Creates an instance that nobody waits for in particular; it is starting.
    pub fn create_apart(&mut self, spec: &FunctionPlan, now: Instant) -> u32 {
        self.created += 1;
        self.alive.add(now.0, 1);
        self.initialising.add(now.0, 1);
        let created = self.created;
        self.place(
            spec,
            Instance {
                created,
                expires: Instant::NEVER,
                retires: Instant::NEVER,
                used: 0,
                alive: true,
                provisioned: true,
                spoiled: false,
            },
        )
    }

    /// Such an instance has started; it is idle until a request takes it.
    pub fn started_apart(&mut self, spec: &FunctionPlan, index: u32, now: Instant) {
        self.initialising.add(now.0, -1);
        self.list[index as usize].expires = now + spec.idle_timeout.draw(&mut self.keep_alive_dice);
    }

    /// Puts one more request on an instance.
    pub fn occupy_apart(&mut self, index: u32, now: Instant) {
        let instance = &mut self.list[index as usize];
        instance.used += 1;
        if instance.used == 1 {
            self.busy.add(now.0, 1);
        }
    }

    /// A request on an instance is done.
    pub fn vacate_apart(&mut self, spec: &FunctionPlan, index: u32, now: Instant) {
        let instance = &mut self.list[index as usize];
        debug_assert!(instance.used > 0, "only what was taken is given back");
        instance.used -= 1;
        if instance.used == 0 {
            self.busy.add(now.0, -1);
            self.list[index as usize].expires = now + spec.idle_timeout.draw(&mut self.keep_alive_dice);
        }
    }

    /// Requests on an instance, the how-manieth it is, and when it expires if it stays idle.
    pub fn state_apart(&self, index: u32) -> (u16, u64, Instant) {
        let instance = &self.list[index as usize];
        (instance.used, instance.created, instance.expires)
    }

    /// Cores in use x ns so far, over all instances that there ever were, where instances share theirs among requests.
    pub fn cores_ns(&mut self, now: Instant) -> f64 {
        self.stations.iter_mut().map(|station| station.used_ns(now)).sum()
    }

    /// Instances with at least one request.
    pub fn busy(&self) -> u64 {
        self.busy.level()
    }

    /// An idle instance is gone since `at`.
    pub fn remove_apart(
        &mut self,
        spec: &FunctionPlan,
        index: u32,
        at: Instant,
        now: Instant,
        sessions: &mut Sessions,
    ) {
        self.die(spec, index, at, now, sessions);
    }
}
