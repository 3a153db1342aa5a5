//! Who has most of an account's pool of concurrency when it is empty.

use super::{Function, Functions};
use crate::model::request::desk::Cx;
use crate::model::request::hits::{Hit, Limit};
use crate::model::request::id::Id;
use crate::model::request::kind::{ACCOUNT, FUNCTION};

/// What an account knows of a function's part of its pool.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// What it ran when that was counted last.
    pub(super) running: u64,
    /// Whether that has changed since.
    pub(super) outdated: bool,
}

impl Functions {
    /// A request found the account's pool empty: counts that, with who has most of the pool. Looks only at functions
    /// whose part has changed since the last time.
    #[cold]
    #[inline(never)]
    pub(super) fn name_holder(&mut self, account: Id<ACCOUNT>, function: Id<FUNCTION>, cx: &mut Cx) {
        let pool = &mut cx.accounts[usize::from(account)];
        for changed in pool.take_changed() {
            let state = &mut self.state[usize::from(changed)];
            let before = std::mem::replace(
                &mut state.known,
                Known {
                    running: state.on_demand,
                    outdated: false,
                },
            );
            pool.recount(changed, before.running, state.on_demand);
        }
        let outside = (pool.neighbours(), account.target());
        let inside = pool.most().map(|(function, running)| (running, function.target()));
        let most = inside.filter(|most| most.0 > outside.0).unwrap_or(outside);
        let hit = Hit {
            limit: Limit::AccountConcurrency,
            of: account.target(),
            by: Some(function.target()),
            held_by: Some(most.1),
        };
        cx.limits.count(hit, most.0, cx.agenda.now());
    }
}

impl Function {
    /// Its part of the account's pool is not what was counted last.
    #[cold]
    #[inline(never)]
    pub(super) fn note_change(&mut self, account: Id<ACCOUNT>, cx: &mut Cx) {
        self.known.outdated = true;
        cx.accounts[usize::from(account)].note_change(self.index);
    }
}
