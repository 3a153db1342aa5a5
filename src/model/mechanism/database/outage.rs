//! What faults do to a database: slower work, fewer connections, a zone that goes.

use super::plan::DatabasePlan;
use super::{Databases, Phase, proxy};
use crate::kernel::number::whole;
use crate::kernel::{Instant, Key};
use crate::model::request::desk::Cx;
use crate::model::request::entry::{Cause, Status};
use crate::model::request::fault::{Change, Verdict};
use crate::model::request::id::Id;
use crate::model::request::kind::{DATABASE, PROXY};

/// Whether a fault keeps out a query that a proxy hands over; the proxy hears of it.
#[cold]
#[inline(never)]
pub(super) fn keeps_out(database: Id<DATABASE>, (proxy, job): (Id<PROXY>, u32), query: Key, cx: &mut Cx) -> bool {
    match cx.verdict(database.target(), query) {
        Verdict::Enter => return false,
        // The server answered, though badly: the connection is free.
        Verdict::Refused(status) if status != Status::Unavailable => {
            let event = proxy::Event::Released { proxy, job };
            cx.hand_over(event);
            cx.reply(query, status);
        }
        // There is no server to talk to: the query waits in the proxy, which tries again.
        Verdict::Refused(_) | Verdict::Hangs => {
            let event = proxy::Event::Refused { proxy, job };
            cx.hand_over(event);
        }
    }
    true
}

impl Databases {
    /// A fault begins or ends.
    pub(super) fn suffer(&mut self, plan: &[DatabasePlan], database: Id<DATABASE>, change: Change, cx: &mut Cx) {
        let now = cx.now();
        let spec = &plan[usize::from(database)];
        let state = &mut self.state[usize::from(database)];
        match change {
            Change::Slow(factor) => {
                state.slow = factor;
                state.station.slow_down(now, factor);
                state.schedule_cores(database, cx);
            }
            Change::Lower(_, to) => {
                state.connections = to.map_or(spec.connections, |to| spec.connections.min(whole(to)));
            }
            Change::Zones(zones) if zones.lost > 0 => self.lose_zone(database, now, cx),
            Change::Zones(_) | Change::Recycle(..) | Change::Neighbours(_) => {}
        }
    }

    /// The server is gone, with all its connections and whatever ran on them.
    fn lose_zone(&mut self, database: Id<DATABASE>, now: Instant, cx: &mut Cx) {
        let host = self.state[usize::from(database)].host;
        let here = |place: u32, request: Key| {
            let entry = cx.requests.get(request);
            entry.is_some_and(|entry| entry.worker() == database.target() && entry.frame.instance == place)
        };
        let queries = self.queries.all().filter(|(place, query)| here(*place, query.request));
        let lost: Vec<(Key, Phase)> = queries.map(|(_, query)| (query.request, query.phase)).collect();
        for (key, phase) in lost {
            let cause = match phase {
                Phase::Connecting | Phase::LoggingOn => Cause::Connection,
                Phase::Waiting | Phase::Computing => Cause::Store,
            };
            cx.requests[key].spend_until(cause, now);
            self.state[usize::from(database)].station.cancel(now, key);
            if matches!(phase, Phase::Waiting | Phase::Computing) {
                self.end(key, Status::Unavailable, cx);
                continue;
            }
            let query = self.queries.take(cx.requests[key].frame.instance);
            if !query.lease.is_some_and(|lease| cx.sessions.give_back(host, lease)) {
                self.state[usize::from(database)].record.connections.add(now.0, -1);
            }
            if let Some((proxy, job)) = query.via {
                let event = proxy::Event::Released { proxy, job };
                cx.hand_over(event);
            }
            cx.reply(key, Status::Unavailable);
        }
        cx.sessions.forget(host);
        let state = &mut self.state[usize::from(database)];
        state.lingering.clear();
        state.record.connections.set(now.0, 0);
        state.deserted(now);
        state.accepts_at = now;
        state.schedule_cores(database, cx);
    }
}
