//! Sessions and connections that are open when a run begins.

use super::Databases;
use crate::kernel::Instant;
use crate::kernel::number::fit;
use crate::model::request::desk::Cx;
use crate::model::request::id::Id;
use crate::model::request::kind::DATABASE;
use crate::model::request::session::Lease;

impl Databases {
    /// Opens the sessions of warm instances and of warm pools, as far as the databases have connections for them.
    pub(super) fn begin_warm(&mut self, cx: &mut Cx) {
        for (state, index) in self.state.iter_mut().zip(Id::<DATABASE>::all()) {
            let host = state.host;
            let mut open = |component: u32, instance: u32, cx: &mut Cx| -> Option<Lease> {
                let free = state.record.connections.level() < state.connections;
                free.then(|| {
                    state.record.connections.add(Instant::ZERO.0, 1);
                    cx.sessions.open(host, component, instance)
                })
            };
            let mut leases = Vec::new();
            for (component, count, pooled) in cx.plan.warm_callers(index.target()) {
                let instance = |n: u64| if pooled { 0 } else { fit(n) };
                leases.extend((0..count).filter_map(|n| open(component, instance(n), cx)));
            }
            // All are opened before the first is idle, so that no two are the same.
            for lease in leases {
                cx.sessions.give_back(host, lease);
            }
        }
    }
}
