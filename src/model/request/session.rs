//! Database sessions (connections) that instances hold, busy or idle, until the instance is gone.
//!
//! Model: a session belongs to one instance of one function or fleet (a client that calls a database itself counts as
//! one instance); it serves one query at a time; an instance that runs several handlers at once opens as many as it
//! needs at the same time. Shared between whoever holds sessions and the databases and proxies that count them, so it
//! lives in [`super::desk::Cx`]. When an instance goes, its idle sessions go with it and the database hears of it; a
//! session that still runs a query stays with the database until that query is done.
//! Sources: AWS Lambda Developer Guide, "Using RDS with Lambda" (one connection per environment, kept between calls).

use super::common::Common;
use super::desk::Cx;
use super::entry::Caller;
use crate::kernel::number::fit;
use crate::kernel::{Instant, Key};
use crate::scenario::Target;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Sessions of one instance with one database.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    open: u32,
    busy: u32,
    /// Sessions that keep a proxy's connection for themselves, and how many of them are busy.
    pinned: u32,
    pinned_busy: u32,
    /// How often an instance in this place has gone away with sessions open.
    generation: u32,
}

impl Held {
    /// The instance has gone, or what it was connected to.
    fn vanish(&mut self) {
        *self = Self {
            generation: self.generation.wrapping_add(1),
            ..Self::default()
        };
    }
}

/// A busy session: who holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    component: u32,
    instance: u32,
    generation: u32,
    /// Whether it keeps a proxy's connection for itself.
    pub pinned: bool,
}

impl Lease {
    /// A number that stays the same for all sessions of one instance, and differs between instances.
    pub const fn holder(self) -> u64 {
        (self.component as u64) << 32 ^ (self.generation as u64) << 24 ^ self.instance as u64
    }
}

/// Idle sessions that went away with their instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vanished {
    /// When.
    pub at: Instant,
    /// How many were idle.
    pub idle: u32,
    /// How many of those kept a proxy's connection for themselves.
    pub idle_pinned: u32,
}

/// Sessions of the instances of one component with one database.
#[derive(Clone, Debug)]
struct Holder {
    database: u32,
    open: u32,
    instances: Vec<Held>,
}

/// What a database (or proxy) knows of its sessions.
#[derive(Clone, Debug, Default)]
struct Host {
    /// Open sessions.
    open: u64,
    /// Components that hold some, by how many, the one with the most last.
    holders: BTreeSet<(u32, Reverse<u32>)>,
    /// What went away, until it looks.
    vanished: Vec<Vanished>,
    /// Components that call it and can let idle instances go, with their places among all.
    callers: Vec<(Target, u32)>,
    /// None of these has an idle instance whose time is up before this.
    due: Instant,
}

impl Host {
    /// A component holds `after` sessions and no longer `before`.
    fn recount(&mut self, component: u32, before: u32, after: u32) {
        self.holders.remove(&(before, Reverse(component)));
        if after > 0 {
            self.holders.insert((after, Reverse(component)));
        }
    }
}

/// Who holds which sessions. Only pairs of a component and a database that have had sessions take room, and only those
/// that have some, or instances whose time is up, take time.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    hosts: Vec<Host>,
    /// By component, and of each by database.
    held: Vec<Vec<Holder>>,
    /// By component: the databases that it calls.
    called: Vec<Vec<u32>>,
    /// By component: none of its idle instances is due before this. Zero if that is not known.
    due: Vec<Instant>,
}

impl Sessions {
    /// No sessions yet with the components that count them.
    pub fn new(plan: &Common) -> Self {
        let mut sessions = Self::empty(plan.session_hosts(), plan.components.len());
        for (place, profile) in plan.workers().filter(|(_, profile)| profile.reaped) {
            let mut called = profile.waits_for.clone();
            called.sort_unstable_by_key(|to| (to.kind, to.index));
            called.dedup();
            let caller = plan.components[place as usize].target;
            for to in called.into_iter().filter(|to| plan.profile(*to).counts_sessions) {
                sessions.calls(caller, place, plan.host(to));
            }
        }
        sessions
    }

    fn empty(databases: usize, components: usize) -> Self {
        let host = Host {
            due: Instant::NEVER,
            ..Host::default()
        };
        Self {
            hosts: vec![host; databases],
            held: vec![Vec::new(); components],
            called: vec![Vec::new(); components],
            due: vec![Instant::NEVER; components],
        }
    }

    /// A component calls a database: its instances will hold sessions there.
    fn calls(&mut self, caller: Target, component: u32, database: usize) {
        self.called[component as usize].push(fit(database));
        let host = &mut self.hosts[database];
        host.callers.push((caller, component));
        host.due = host.due.min(self.due[component as usize]);
    }

    /// Whether functions call a database.
    #[inline]
    pub fn has_callers(&self, database: usize) -> bool {
        !self.hosts[database].callers.is_empty()
    }

    /// No idle instance of a function is due before `at`; zero if it does not know.
    pub fn note_due(&mut self, component: u32, at: Instant) {
        self.due[component as usize] = at;
        for &database in &self.called[component as usize] {
            let host = &mut self.hosts[database as usize];
            host.due = host.due.min(at);
        }
    }

    /// The functions that call a database and may have idle instances whose time is up: they hold sessions until
    /// somebody looks. Each of them has to note anew when the next one is due.
    pub fn take_due(&mut self, database: usize, now: Instant) -> Vec<Target> {
        let host = &mut self.hosts[database];
        let mut found = Vec::new();
        if host.due > now {
            return found;
        }
        host.due = Instant::NEVER;
        for &(caller, component) in &host.callers {
            let due = self.due[component as usize];
            if due <= now {
                found.push(caller);
            }
            if due > now || due == Instant::ZERO {
                host.due = host.due.min(due);
            }
        }
        found
    }

    #[inline]
    fn held(&mut self, database: usize, component: u32, instance: u32) -> &mut Held {
        let instances = &mut self.holder(database, component).instances;
        if instances.len() <= instance as usize {
            instances.resize(instance as usize + 1, Held::default());
        }
        &mut instances[instance as usize]
    }

    #[inline]
    fn holder(&mut self, database: usize, component: u32) -> &mut Holder {
        let holders = &mut self.held[component as usize];
        let place = holders.partition_point(|holder| (holder.database as usize) < database);
        if holders
            .get(place)
            .is_none_or(|holder| holder.database as usize != database)
        {
            let holder = Holder {
                database: fit(database),
                open: 0,
                instances: Vec::new(),
            };
            holders.insert(place, holder);
        }
        &mut holders[place]
    }

    /// What a lease means, if its instance is still there.
    #[inline]
    fn leased(&mut self, database: usize, lease: Lease) -> Option<&mut Held> {
        let held = self.held(database, lease.component, lease.instance);
        (held.generation == lease.generation).then_some(held)
    }

    /// Takes an idle session that the instance already holds with `database`, if it has one; a pinned one first.
    #[inline]
    pub fn borrow(&mut self, database: usize, component: u32, instance: u32) -> Option<Lease> {
        let held = self.held(database, component, instance);
        if held.open == held.busy {
            return None;
        }
        let pinned = held.pinned > held.pinned_busy;
        held.busy += 1;
        held.pinned_busy += u32::from(pinned);
        Some(Lease {
            component,
            instance,
            generation: held.generation,
            pinned,
        })
    }

    /// Opens a session for the instance; it is busy from the start.
    #[inline]
    pub fn open(&mut self, database: usize, component: u32, instance: u32) -> Lease {
        let held = self.held(database, component, instance);
        held.open += 1;
        held.busy += 1;
        let generation = held.generation;
        let holder = self.holder(database, component);
        holder.open += 1;
        let open = holder.open;
        let host = &mut self.hosts[database];
        host.open += 1;
        host.recount(component, open - 1, open);
        Lease {
            component,
            instance,
            generation,
            pinned: false,
        }
    }

    /// A busy session keeps its proxy's connection for itself from now on.
    pub fn pin(&mut self, database: usize, lease: Lease) -> Lease {
        debug_assert!(!lease.pinned, "a session is pinned once");
        let Some(held) = self.leased(database, lease) else {
            return lease;
        };
        held.pinned += 1;
        held.pinned_busy += 1;
        Lease { pinned: true, ..lease }
    }

    /// A busy session becomes idle; says whether there is still an instance that holds it.
    #[inline]
    pub fn give_back(&mut self, database: usize, lease: Lease) -> bool {
        let Some(held) = self.leased(database, lease) else {
            return false;
        };
        held.busy -= 1;
        held.pinned_busy -= u32::from(lease.pinned);
        true
    }

    /// The instance has gone at `at`, and its sessions with it.
    pub fn close_all(&mut self, component: u32, instance: u32, at: Instant) {
        for holder in &mut self.held[component as usize] {
            let Some(held) = holder.instances.get_mut(instance as usize) else {
                continue;
            };
            if held.open == 0 {
                continue;
            }
            let gone = Vanished {
                at,
                idle: held.open - held.busy,
                idle_pinned: held.pinned - held.pinned_busy,
            };
            let host = &mut self.hosts[holder.database as usize];
            if gone.idle > 0 {
                host.vanished.push(gone);
            }
            host.open -= u64::from(held.open);
            host.recount(component, holder.open, holder.open - held.open);
            holder.open -= held.open;
            held.vanish();
        }
    }

    /// The server has gone: nobody holds a session with `database` any more. The database knows it itself.
    pub fn forget(&mut self, database: usize) {
        let host = &mut self.hosts[database];
        host.open = 0;
        host.vanished.clear();
        for (_, Reverse(component)) in std::mem::take(&mut host.holders) {
            let holder = self.holder(database, component);
            holder.open = 0;
            let instances = holder.instances.iter_mut().filter(|held| held.open > 0);
            instances.for_each(Held::vanish);
        }
    }

    /// The next of the sessions with `database` that went away since it last looked.
    #[inline]
    pub fn take_vanished(&mut self, database: usize) -> Option<Vanished> {
        self.hosts[database].vanished.pop()
    }

    /// The component whose instances hold the most sessions with `database`, and how many.
    pub fn most_open(&self, database: usize) -> Option<(u32, u32)> {
        let most = self.hosts[database].holders.last();
        most.map(|&(open, Reverse(component))| (component, open))
    }

    /// Sessions that instances hold with `database`.
    #[inline]
    pub fn open_with(&self, database: usize) -> u64 {
        self.hosts[database].open
    }
}

/// Whose sessions a request uses: those of the instance whose handler asks, or of the client, by their place among all
/// components. `None` if nobody waits.
pub fn holder(key: Key, cx: &Cx) -> Option<(u32, u32)> {
    match cx.requests[key].caller {
        Caller::Handler(parent) if cx.requests.contains(parent) => {
            let parent = &cx.requests[parent];
            let worker = parent.worker();
            let runs_a_handler = cx.plan.calls(worker).is_some();
            runs_a_handler.then(|| (cx.plan.place(worker), parent.frame.instance))
        }
        Caller::Client(client) | Caller::User { client, .. } => Some((cx.plan.place(client.target()), 0)),
        Caller::Hedged { call, .. } if cx.requests.contains(call) => holder(call, cx),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::fit;
    use crate::model::request::id::Id;
    use crate::model::request::kind::FUNCTION;

    #[test]
    fn a_session_lives_as_long_as_its_instance() {
        let mut sessions = Sessions::empty(1, 2);
        assert!(sessions.borrow(0, 1, 5).is_none());
        let first = sessions.open(0, 1, 5);
        assert!(sessions.borrow(0, 1, 5).is_none(), "it is busy");
        assert!(sessions.give_back(0, first));
        let again = sessions.borrow(0, 1, 5);
        assert!(again == Some(first) && sessions.borrow(0, 1, 4).is_none());
        let _other = sessions.open(0, 1, 4);
        assert_eq!((sessions.open_with(0), sessions.most_open(0)), (2, Some((1, 2))));
        let idle = sessions.open(0, 1, 5);
        assert!(sessions.give_back(0, idle));
        sessions.close_all(1, 5, Instant(7));
        let gone = Vanished {
            at: Instant(7),
            idle: 1,
            idle_pinned: 0,
        };
        assert_eq!(
            (sessions.take_vanished(0), sessions.take_vanished(0)),
            (Some(gone), None),
            "the busy one is still at work"
        );
        assert_eq!(sessions.open_with(0), 1);
        let new = sessions.open(0, 1, 5);
        assert!(
            !sessions.give_back(0, first) && sessions.borrow(0, 1, 5).is_none(),
            "what the old instance's query gives back is not the new one's"
        );
        assert!(sessions.give_back(0, new) && sessions.borrow(0, 1, 5) == Some(new));
    }

    #[test]
    fn whoever_holds_most_is_known_after_each_change() {
        let mut sessions = Sessions::empty(2, 9);
        let mut open = [0_u32; 9];
        for turn in 0..2_000_u32 {
            let component = turn * 7 % 9;
            if turn % 5 == 3 {
                sessions.close_all(component, 0, Instant(u64::from(turn)));
                open[component as usize] = 0;
            } else {
                let _busy = sessions.open(1, component, 0);
                open[component as usize] += 1;
            }
            if turn % 500 == 499 {
                sessions.forget(1);
                open = [0; 9];
            }
            let most = open.iter().zip(0..).max_by_key(|(open, c)| (**open, Reverse(*c)));
            let expected = most.filter(|(open, _)| **open > 0).map(|(open, c)| (c, *open));
            assert_eq!(sessions.most_open(1), expected);
            assert_eq!(sessions.open_with(1), open.iter().map(|n| u64::from(*n)).sum::<u64>());
        }
        assert_eq!(
            (sessions.most_open(0), sessions.held[0].len()),
            (None, 1),
            "no room for what never met"
        );
    }

    #[test]
    fn only_functions_with_instances_whose_time_is_up_are_asked() {
        let mut sessions = Sessions::empty(2, 4);
        sessions.note_due(3, Instant::ZERO);
        let function = |index| Id::<FUNCTION>::new(index).target();
        (0..3).for_each(|index| sessions.calls(function(index), fit(index), 0));
        assert!(sessions.has_callers(0) && !sessions.has_callers(1));
        let take = |sessions: &mut Sessions, at| -> Vec<u16> {
            let due = sessions.take_due(0, Instant(at)).into_iter();
            due.map(|target| target.index).collect()
        };
        assert_eq!(take(&mut sessions, 90), [0; 0]);
        sessions.note_due(2, Instant(50));
        sessions.note_due(0, Instant(70));
        assert_eq!(take(&mut sessions, 49), [0; 0]);
        assert_eq!(take(&mut sessions, 50), [2]);
        sessions.note_due(2, Instant(60));
        assert_eq!(take(&mut sessions, 59), [0; 0]);
        assert_eq!(take(&mut sessions, 80), [0, 2]);
        assert_eq!(take(&mut sessions, 90), [0; 0], "they are asked once");
        // Those that do not know are asked each time.
        sessions.calls(function(3), 3, 0);
        assert_eq!((take(&mut sessions, 1), take(&mut sessions, 2)), (vec![3], vec![3]));
    }

    #[test]
    fn pinned_sessions_are_used_first_and_counted_when_they_go() {
        let mut sessions = Sessions::empty(1, 1);
        let (plain, pinned) = (sessions.open(0, 0, 0), sessions.open(0, 0, 0));
        let pinned = sessions.pin(0, pinned);
        assert!(sessions.give_back(0, plain) && sessions.give_back(0, pinned));
        assert_eq!(sessions.borrow(0, 0, 0).map(|lease| lease.pinned), Some(true));
        assert_eq!(sessions.borrow(0, 0, 0).map(|lease| lease.pinned), Some(false));
        assert!(sessions.give_back(0, pinned));
        sessions.close_all(0, 0, Instant(1));
        let gone = sessions.take_vanished(0).map(|gone| (gone.idle, gone.idle_pinned));
        assert_eq!(gone, Some((1, 1)));
    }
}
