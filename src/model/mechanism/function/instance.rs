//! The instances of one function: who is alive, starting, busy, idle, and until when.

mod placed;

use super::plan::FunctionPlan;
use super::pool::Pool;
use crate::kernel::number::fit;
use crate::kernel::stream::unit;
use crate::kernel::{Duration, Instant, Key, Stream};
use crate::model::parts::station::{Speeds, Station};
use crate::model::request::session::Sessions;
use crate::stats::{Gauge, Value};

/// One instance. Its place may be used again when it is gone. It never lies across two lines of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Instance {
    /// The how-manieth instance of its function it is.
    created: u64,
    /// When it is reclaimed if it stays idle; means something only while it is.
    expires: Instant,
    /// When it is replaced in any case: as soon as it is idle after that.
    retires: Instant,
    /// Requests on it.
    used: u16,
    alive: bool,
    provisioned: bool,
    /// It must initialise before the next request: the last one was cut off.
    spoiled: bool,
}

/// An instance that a request has taken.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Which one.
    pub instance: u32,
    /// Whether it must initialise before it can serve: its last request was cut off.
    pub spoiled: bool,
}

/// Levels over the window that was closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Levels {
    /// Length of the window in nanoseconds.
    pub length_ns: u64,
    /// Instances alive x ns.
    pub alive: u128,
    /// Instances starting x ns.
    pub initialising: u128,
    /// Instances with at least one request x ns.
    pub busy: u128,
    /// Most alive at once.
    pub alive_peak: u64,
    /// Most busy at once.
    pub busy_peak: u64,
}

/// All instances of a function.
#[derive(Debug)]
pub struct Instances {
    list: Vec<Instance>,
    free: Vec<u32>,
    pool: Pool,
    stations: Vec<Station>,
    /// Requests that one instance serves at once.
    slots: u16,
    /// How many times longer computing takes now.
    slow: f64,
    created: u64,
    /// No idle instance is due before this.
    earliest: Instant,
    alive: Gauge,
    initialising: Gauge,
    busy: Gauge,
    window_began: Instant,
    /// How long an idle one is kept, if that is always the same.
    kept: Option<Duration>,
    keep_alive_dice: Stream,
    choice_dice: Stream,
}

impl Instances {
    /// None yet.
    pub fn new(spec: &FunctionPlan, keep_alive_dice: Stream, choice_dice: Stream) -> Self {
        Self {
            list: Vec::new(),
            free: Vec::new(),
            pool: Pool::new(spec.choice),
            stations: Vec::new(),
            slots: spec.concurrency_per_instance,
            slow: 1.0,
            created: 0,
            earliest: Instant::NEVER,
            alive: Gauge::new(),
            initialising: Gauge::new(),
            busy: Gauge::new(),
            window_began: Instant::ZERO,
            kept: spec.idle_timeout.as_constant(),
            keep_alive_dice,
            choice_dice,
        }
    }

    /// Instances alive; those whose time is up count until somebody looks at them.
    pub fn alive(&self) -> u64 {
        self.alive.level()
    }

    /// How long so many were busy.
    pub fn busy_levels(&self) -> Value {
        self.busy.levels()
    }

    /// Forgets how long so many were busy.
    pub fn forget_levels(&mut self) {
        self.busy.forget_levels();
    }

    /// The shared cores of an instance, if this function's instances share theirs among several requests.
    #[inline]
    pub fn station(&mut self, instance: u32) -> Option<&mut Station> {
        self.stations.get_mut(instance as usize)
    }

    /// Reads from an instance's line of the cache; the value means nothing.
    #[inline]
    pub fn read(&self, instance: u32) -> u64 {
        self.list
            .get(instance as usize)
            .map_or(0, |instance| instance.expires.0)
    }

    /// Takes a place on an available instance, by the function's policy.
    #[inline(always)]
    pub fn take(&mut self, spec: &FunctionPlan, now: Instant, sessions: &mut Sessions) -> Option<Taken> {
        let index = self.pool.pop(&mut self.choice_dice)?;
        let instance = &mut self.list[index as usize];
        if instance.used == 0 && instance.expires.min(instance.retires) > now && self.slots == 1 {
            instance.used = 1;
            self.busy.add(now.0, 1);
            return Some(Taken {
                instance: index,
                spoiled: instance.spoiled,
            });
        }
        self.take_shared(spec, index, now, sessions)
    }

    /// The same where instances serve several requests at once, or where the one that was popped, `index`, is gone.
    #[inline(never)]
    fn take_shared(
        &mut self,
        spec: &FunctionPlan,
        mut index: u32,
        now: Instant,
        sessions: &mut Sessions,
    ) -> Option<Taken> {
        loop {
            let instance = &mut self.list[index as usize];
            let end = instance.expires.min(instance.retires);
            if instance.used == 0 && end <= now {
                self.die(spec, index, end, now, sessions);
            } else if instance.used == 0 || instance.retires > now {
                if instance.used == 0 {
                    self.busy.add(now.0, 1);
                }
                instance.used += 1;
                if instance.used < self.slots {
                    self.pool.push(index, instance.created);
                }
                return Some(Taken {
                    instance: index,
                    spoiled: instance.spoiled,
                });
            }
            // One that is busy and due takes no more requests, and goes when the last one is done.
            index = self.pool.pop(&mut self.choice_dice)?;
        }
    }

    /// An instance that was taken must initialise once more before it serves.
    pub fn initialise_again(&mut self, index: u32, now: Instant) {
        self.list[index as usize].spoiled = false;
        self.busy.add(now.0, -1);
        self.initialising.add(now.0, 1);
    }

    fn place(&mut self, spec: &FunctionPlan, instance: Instance) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| fit(self.list.len()));
        if index as usize == self.list.len() {
            self.list.push(instance);
            if self.slots > 1 {
                let speeds = Speeds::new(spec.vcpus, 0.0, 0.0).slowed(self.slow);
                self.stations.push(Station::new(speeds));
            }
        } else {
            self.list[index as usize] = instance;
        }
        index
    }

    /// Creates an instance for a request that waits for it.
    pub fn create(&mut self, spec: &FunctionPlan, now: Instant) -> u32 {
        self.created += 1;
        let age = spec.maximum_age.as_ref().map(|age| age.draw(&mut self.keep_alive_dice));
        let retires = age.map_or(Instant::NEVER, |age| now + age);
        self.alive.add(now.0, 1);
        self.initialising.add(now.0, 1);
        let created = self.created;
        let expires = Instant::NEVER;
        self.place(
            spec,
            Instance {
                created,
                expires,
                retires,
                used: 1,
                alive: true,
                provisioned: false,
                spoiled: false,
            },
        )
    }

    /// An instance has finished initialising.
    pub fn initialised(&mut self, index: u32, now: Instant) {
        self.initialising.add(now.0, -1);
        self.busy.add(now.0, 1);
        if self.slots > 1 {
            self.pool.push(index, self.list[index as usize].created);
        }
    }

    /// A request on an instance is done.
    #[inline(always)]
    pub fn give_back(&mut self, spec: &FunctionPlan, index: u32, now: Instant, sessions: &mut Sessions) {
        let instance = &mut self.list[index as usize];
        debug_assert!(instance.alive && instance.used > 0, "only what was taken is given back");
        if self.slots > 1 || instance.retires <= now {
            return self.give_back_shared(spec, index, now, sessions);
        }
        instance.used = 0;
        let kept = match self.kept {
            Some(always) => always,
            None => spec.idle_timeout.draw(&mut self.keep_alive_dice),
        };
        instance.expires = now + kept;
        let (due, created) = (instance.expires.min(instance.retires), instance.created);
        if due < self.earliest {
            self.due_at(spec, due, sessions);
        }
        self.busy.add(now.0, -1);
        self.pool.push(index, created);
    }

    /// The same where instances serve several requests at once, or where this one is due.
    #[inline(never)]
    fn give_back_shared(&mut self, spec: &FunctionPlan, index: u32, now: Instant, sessions: &mut Sessions) {
        let instance = &mut self.list[index as usize];
        let was_full = instance.used == self.slots;
        instance.used -= 1;
        if instance.used == 0 {
            self.busy.add(now.0, -1);
            if instance.retires <= now {
                // One that shares was left in the pool: it is dropped there when its turn comes, unless reused first.
                if !was_full {
                    self.pool.retain(|other| other != index);
                }
                return self.die(spec, index, now, now, sessions);
            }
            instance.expires = now + spec.idle_timeout.draw(&mut self.keep_alive_dice);
            let due = instance.expires.min(instance.retires);
            if due < self.earliest {
                self.due_at(spec, due, sessions);
            }
        }
        if was_full {
            self.pool.push(index, self.list[index as usize].created);
        }
    }

    /// No idle instance is due before `at`: whoever counts the sessions of instances must know.
    #[cold]
    #[inline(never)]
    fn due_at(&mut self, spec: &FunctionPlan, at: Instant, sessions: &mut Sessions) {
        self.earliest = at;
        if spec.holds_sessions {
            sessions.note_due(spec.component, at);
        }
    }

    /// `due_at` after changes to many at once.
    pub fn note_due(&mut self, spec: &FunctionPlan, sessions: &mut Sessions) {
        self.due_at(spec, self.earliest, sessions);
    }

    /// The request on an instance was cut off: the instance must initialise before the next one. Where several requests
    /// share an instance, only the one that was cut off stops.
    pub fn spoil(&mut self, index: u32, request: Key, now: Instant) {
        if let Some(station) = self.stations.get_mut(index as usize) {
            station.cancel(now, request);
        } else {
            self.list[index as usize].spoiled = true;
        }
    }

    #[cold]
    fn die(&mut self, spec: &FunctionPlan, index: u32, at: Instant, now: Instant, sessions: &mut Sessions) {
        self.list[index as usize].alive = false;
        self.alive.add(now.0, -1);
        self.alive.subtract_past(now.since(at).0);
        if spec.holds_sessions {
            sessions.close_all(spec.component, index, at);
        }
        self.free.push(index);
    }

    /// Finds the idle instances whose time is up.
    pub fn reap(&mut self, spec: &FunctionPlan, now: Instant, sessions: &mut Sessions) {
        if self.earliest > now {
            return;
        }
        let mut dead = Vec::new();
        let mut earliest = Instant::NEVER;
        let list = &self.list;
        self.pool.retain(|index| {
            let instance = &list[index as usize];
            let end = instance.expires.min(instance.retires);
            let gone = instance.used == 0 && end <= now;
            if gone {
                dead.push((index, end));
            } else if instance.used == 0 {
                earliest = earliest.min(end);
            }
            !gone
        });
        self.due_at(spec, earliest, sessions);
        for (index, end) in dead {
            self.die(spec, index, end, now, sessions);
        }
    }

    /// Sets the moment at which instances are replaced, for those to which `moment` gives one.
    pub fn retire(&mut self, mut moment: impl FnMut() -> Option<Instant>) {
        for instance in self
            .list
            .iter_mut()
            .filter(|instance| instance.alive && !instance.provisioned)
        {
            if let Some(at) = moment() {
                instance.retires = instance.retires.min(at);
                self.earliest = self.earliest.min(at);
            }
        }
    }

    /// From now on computing takes so many times longer. Says how many instances share their cores.
    pub fn slow_down(&mut self, now: Instant, factor: f64) -> u32 {
        self.slow = factor;
        self.stations
            .iter_mut()
            .for_each(|station| station.slow_down(now, factor));
        fit(self.stations.len())
    }

    /// The instances alive in the first `lost` of so many zones, provisioned ones left out unless `apart`. Those that
    /// serve one request each, or are shared, are replaced as soon as they are idle.
    pub fn in_zones(&mut self, lost: u16, zones: u16, apart: bool, now: Instant) -> Vec<(u32, u64)> {
        let mut found = Vec::new();
        let here = |created: u64| (created - 1) % u64::from(zones) < u64::from(lost);
        for (instance, index) in self.list.iter_mut().zip(0..) {
            if instance.alive && here(instance.created) && instance.provisioned == apart {
                instance.retires = instance.retires.min(now);
                found.push((index, instance.created));
            }
        }
        if !found.is_empty() {
            self.earliest = self.earliest.min(now);
        }
        found
    }

    /// Takes what a request computes off the cores of an instance.
    pub fn stop(&mut self, index: u32, request: Key, now: Instant) {
        if let Some(station) = self.stations.get_mut(index as usize) {
            station.cancel(now, request);
        }
    }

    /// Creates the instances that are warm when the run begins: idle, of all ages that they may have.
    pub fn begin_warm(&mut self, spec: &FunctionPlan) {
        let now = Instant::ZERO;
        for _ in 0..spec.initial.count {
            self.created += 1;
            self.alive.add(now.0, 1);
            let expires = now + spec.idle_timeout.draw(&mut self.keep_alive_dice);
            let left = spec.maximum_age.as_ref().map(|age| {
                let age = age.value(&mut self.keep_alive_dice);
                Duration::from_nanos_f64(age * unit(&mut self.keep_alive_dice))
            });
            let retires = left.map_or(Instant::NEVER, |left| now + left);
            self.earliest = self.earliest.min(expires.min(retires));
            let created = self.created;
            let index = self.place(
                spec,
                Instance {
                    created,
                    expires,
                    retires,
                    used: 0,
                    alive: true,
                    provisioned: false,
                    spoiled: false,
                },
            );
            self.pool.push(index, created);
        }
    }

    /// Creates an instance that is ready at once and never expires.
    pub fn create_provisioned(&mut self, spec: &FunctionPlan, now: Instant) -> u32 {
        self.created += 1;
        self.alive.add(now.0, 1);
        let (created, expires, retires) = (self.created, Instant::NEVER, Instant::NEVER);
        self.place(
            spec,
            Instance {
                created,
                expires,
                retires,
                used: 0,
                alive: true,
                provisioned: true,
                spoiled: false,
            },
        )
    }

    /// A request takes a provisioned instance.
    #[inline]
    pub fn occupy_provisioned(&mut self, index: u32, now: Instant) -> Taken {
        let instance = &mut self.list[index as usize];
        instance.used = 1;
        self.busy.add(now.0, 1);
        Taken {
            instance: index,
            spoiled: instance.spoiled,
        }
    }

    /// The request on a provisioned instance is done.
    #[inline]
    pub fn vacate_provisioned(&mut self, index: u32, now: Instant) {
        self.list[index as usize].used = 0;
        self.busy.add(now.0, -1);
    }

    /// A provisioned instance is not wanted any more.
    pub fn remove_provisioned(&mut self, spec: &FunctionPlan, index: u32, now: Instant, sessions: &mut Sessions) {
        self.die(spec, index, now, now, sessions);
    }

    /// Closes a window and gives its levels. Instances whose time is up must have been reaped.
    pub fn close_window(&mut self, now: Instant) -> Levels {
        let (alive, alive_peak) = self.alive.flush(now.0);
        let (initialising, _) = self.initialising.flush(now.0);
        let (busy, busy_peak) = self.busy.flush(now.0);
        let length_ns = now.since(self.window_began).0;
        self.window_began = now;
        Levels {
            length_ns,
            alive,
            initialising,
            busy,
            alive_peak,
            busy_peak,
        }
    }
}
