//! Moving the messages of a queue, usually of dead letters, to another one.

use super::plan::QueuePlan;
use super::{Event, Queues, step};
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration};
use crate::model::request::desk::Cx;
use crate::model::request::id::Id;
use crate::model::request::kind::QUEUE;

impl Queues {
    /// Moves a message back, and comes again until none is left.
    pub(super) fn redrive(&mut self, plan: &[QueuePlan], queue: Id<QUEUE>, cx: &mut Cx) {
        let Some(task) = &plan[usize::from(queue)].redrive else {
            return;
        };
        let (now, spec) = (cx.now(), &plan[usize::from(task.to)]);
        let state = &mut self.state[usize::from(queue)];
        // What a poller of its own has in hand stays with it.
        let Some(key) = state.store.next() else { return };
        let mut message = state.store.remove(key);
        state.store.end_receive();
        state.record.leaves(message.enqueued, now);
        state.record.counts.redriven += 1;
        // Received and deleted here, sent there.
        state.record.counts.metered += 2 * plan[usize::from(queue)].metered(1);
        message.enqueued = now;
        message.receives = 0;
        message.dead = None;
        message.group %= spec.groups.max(1);
        message.poison &= !chance(&mut message.luck.dice(step::MENDED), task.mended);
        let target = &mut self.state[usize::from(task.to)];
        target.record.counts.moved_in += 1;
        target.record.counts.metered += spec.metered(1);
        target.enqueue(message, spec.delay, cx);
        self.pull(plan, task.to, cx);
        let next = now + Duration::from_nanos_f64(1e9 / task.rate);
        let event = Event::Redrive { queue };
        cx.at(next, Class::Timer, event);
    }
}
