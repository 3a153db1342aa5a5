//! Database sessions (connections) that instances hold, busy or idle, until the instance is gone.
//!
//! Model: a session belongs to one instance of one function or fleet; it serves one query at a time; an instance that
//! runs several handlers at once opens as many as it needs at the same time. Shared between whoever holds sessions and
//! the databases that count them, so it lives in [`super::Cx`].
//! Sources: AWS Lambda Developer Guide, "Using RDS with Lambda" (one connection per environment, kept between calls).

/// Sessions of one instance with one database.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    open: u16,
    busy: u16,
}

/// Who holds which sessions.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// Open sessions by database.
    open: Vec<u64>,
    /// By database, component of the holder, instance of the holder.
    held: Vec<Vec<Vec<Held>>>,
}

impl Sessions {
    /// No sessions, for so many databases (and proxies) and components.
    pub fn new(databases: usize, components: usize) -> Self {
        Self {
            open: vec![0; databases],
            held: vec![vec![Vec::new(); components]; databases],
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

    /// Takes an idle session that the instance already holds with `database`, if it has one.
    #[inline]
    pub fn borrow(&mut self, database: usize, component: u32, instance: u32) -> bool {
        let held = self.held(database, component, instance);
        let idle = held.open > held.busy;
        held.busy += u16::from(idle);
        idle
    }

    /// Opens a session for the instance; it is busy from the start.
    #[inline]
    pub fn open(&mut self, database: usize, component: u32, instance: u32) {
        let held = self.held(database, component, instance);
        held.open += 1;
        held.busy += 1;
        self.open[database] += 1;
    }

    /// A busy session becomes idle. Sessions that went away with their instance in the meantime are not there any more.
    #[inline]
    pub fn give_back(&mut self, database: usize, component: u32, instance: u32) {
        let held = self.held(database, component, instance);
        held.busy = held.busy.saturating_sub(1);
    }

    /// Closes one busy session of the instance (a set-up that failed, a server that hung up).
    pub fn close(&mut self, database: usize, component: u32, instance: u32) {
        let held = self.held(database, component, instance);
        if held.open > 0 {
            held.open -= 1;
            held.busy = held.busy.saturating_sub(1);
            self.open[database] -= 1;
        }
    }

    /// The instance is gone, and its sessions with it.
    pub fn close_all(&mut self, component: u32, instance: u32) {
        for (open, held) in self.open.iter_mut().zip(&mut self.held) {
            if let Some(held) = held[component as usize].get_mut(instance as usize) {
                *open -= u64::from(held.open);
                *held = Held::default();
            }
        }
    }

    /// Sessions open with `database`.
    #[inline]
    pub fn open_with(&self, database: usize) -> u64 {
        self.open[database]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_as_long_as_its_instance() {
        let mut sessions = Sessions::new(1, 2);
        assert!(!sessions.borrow(0, 1, 5));
        sessions.open(0, 1, 5);
        assert!(!sessions.borrow(0, 1, 5), "it is busy");
        sessions.give_back(0, 1, 5);
        assert!(sessions.borrow(0, 1, 5) && !sessions.borrow(0, 1, 4));
        sessions.open(0, 1, 4);
        assert_eq!(sessions.open_with(0), 2);
        sessions.close_all(1, 5);
        sessions.give_back(0, 1, 5);
        assert_eq!(sessions.open_with(0), 1);
        assert!(
            !sessions.borrow(0, 1, 5),
            "a new instance in the same place starts without"
        );
        sessions.close(0, 1, 4);
        assert_eq!(sessions.open_with(0), 0);
    }
}
