//! Sessions and connections that are open when a run begins.

use super::{Cx, Databases, Plan, host_of_proxy, kind};
use crate::kernel::Instant;
use crate::model::parts::initial::warm_callers;
use crate::model::request::session::Lease;
use crate::scenario::Target;

impl Databases {
    /// Opens the sessions of warm instances and of warm pools, as far as the databases have connections for them.
    pub fn begin_warm(&mut self, plan: &Plan, cx: &mut Cx) {
        for (index, state) in self.state.iter_mut().enumerate() {
            let mut open = |component: u32, instance: u32, cx: &mut Cx| -> Option<Lease> {
                let free = state.record.connections.level() < state.connections;
                free.then(|| {
                    state.record.connections.add(Instant::ZERO.0, 1);
                    cx.sessions.open(index, component, instance)
                })
            };
            let mut leases = Vec::new();
            for (component, count) in warm_callers(plan, target(kind::DATABASE, index)) {
                leases.extend((0..count).filter_map(|instance| open(component, instance as u32, cx)));
            }
            for proxy in plan.proxies.iter().filter(|proxy| proxy.database as usize == index) {
                let count = proxy.initial.count.min(proxy.connections);
                leases.extend((0..count).filter_map(|_| open(proxy.component, 0, cx)));
            }
            // All are opened before the first is idle, so that no two are the same.
            for lease in leases {
                cx.sessions.give_back(index, lease);
            }
        }
        for index in 0..plan.proxies.len() {
            for (component, count) in warm_callers(plan, target(kind::PROXY, index)) {
                for instance in 0..count as u32 {
                    let host = host_of_proxy(plan, index);
                    let lease = cx.sessions.open(host, component, instance);
                    cx.sessions.give_back(host, lease);
                }
            }
        }
    }
}

fn target(kind: u8, index: usize) -> Target {
    Target {
        kind,
        index: index as u16,
    }
}
