//! Database sessions (connections) that instances hold, busy or idle, until the instance is gone.
//!
//! Model: a session belongs to one instance of one function or fleet (a client that calls a database itself counts as
//! one instance); it serves one query at a time; an instance that runs several handlers at once opens as many as it
//! needs at the same time. Shared between whoever holds sessions and the databases and proxies that count them, so it
//! lives in [`super::desk::Cx`]. When an instance goes, its idle sessions go with it and the database hears of it; a
//! session that still runs a query stays with the database until that query is done.
//! Sources: AWS Lambda Developer Guide, "Using RDS with Lambda" (one connection per environment, kept between calls).

use super::desk::Cx;
use super::entry::Caller;
use super::kind;
use crate::kernel::{Instant, Key};
use crate::scenario::Target;

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

/// Who holds which sessions.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Open sessions by database.
    open: Vec<u64>,
    /// The same by database and component of the holder.
    by_component: Vec<Vec<u32>>,
    /// By database, component of the holder, instance of the holder.
    held: Vec<Vec<Vec<Held>>>,
    /// What went away by database, until it looks.
    vanished: Vec<Vec<Vanished>>,
}

impl Sessions {
    /// No sessions, for so many databases (and proxies) and components.
    pub fn new(databases: usize, components: usize) -> Self {
        Self {
            open: vec![0; databases],
            by_component: vec![vec![0; components]; databases],
            held: vec![vec![Vec::new(); components]; databases],
            vanished: vec![Vec::new(); databases],
        }
    }

    #[inline]
    fn held(&mut self, database: usize, component: u32, instance: u32) -> &mut Held {
        let instances = &mut self.held[database][component as usize];
        if instances.len() <= instance as usize {
            instances.resize(instance as usize + 1, Held::default());
        }
        &mut instances[instance as usize]
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
        self.open[database] += 1;
        self.by_component[database][component as usize] += 1;
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
        for (database, held) in self.held.iter_mut().enumerate() {
            let Some(held) = held[component as usize].get_mut(instance as usize) else {
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
            if gone.idle > 0 {
                self.vanished[database].push(gone);
            }
            self.open[database] -= u64::from(held.open);
            self.by_component[database][component as usize] -= held.open;
            *held = Held {
                generation: held.generation.wrapping_add(1),
                ..Held::default()
            };
        }
    }

    /// The server has gone: nobody holds a session with `database` any more. The database knows it itself.
    pub fn forget(&mut self, database: usize) {
        for held in self.held[database].iter_mut().flatten().filter(|held| held.open > 0) {
            *held = Held {
                generation: held.generation.wrapping_add(1),
                ..Held::default()
            };
        }
        self.open[database] = 0;
        self.by_component[database].fill(0);
        self.vanished[database].clear();
    }

    /// The next of the sessions with `database` that went away since it last looked.
    #[inline]
    pub fn take_vanished(&mut self, database: usize) -> Option<Vanished> {
        self.vanished[database].pop()
    }

    /// The component whose instances hold the most sessions with `database`, and how many.
    pub fn most_open(&self, database: usize) -> Option<(u32, u32)> {
        let holders = self.by_component[database].iter().zip(0..);
        let most = holders.max_by_key(|(open, component)| (**open, std::cmp::Reverse(*component)))?;
        (*most.0 > 0).then_some((most.1, *most.0))
    }

    /// Sessions that instances hold with `database`.
    #[inline]
    pub fn open_with(&self, database: usize) -> u64 {
        self.open[database]
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
        Caller::Client(index) | Caller::User { client: index, .. } => {
            let kind = kind::CLIENT;
            Some((cx.plan.place(Target { kind, index }), 0))
        }
        Caller::Hedged { call, .. } if cx.requests.contains(call) => holder(call, cx),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_as_long_as_its_instance() {
        let mut sessions = Sessions::new(1, 2);
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
    fn pinned_sessions_are_used_first_and_counted_when_they_go() {
        let mut sessions = Sessions::new(1, 1);
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
