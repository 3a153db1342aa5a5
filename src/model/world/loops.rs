//! Loops that feed themselves: handlers that send to what feeds them.

use super::registry::Plan;
use crate::kernel::Duration;
use crate::model::handler::run::Step;
use crate::model::request::id::Id;
use crate::model::request::kind;
use crate::model::request::kind::FUNCTION;
use crate::scenario::Target;

impl Plan {
    /// What feeds a function and gets something from it, with how much it always gets for each: queues, and the
    /// function itself as an asynchronous one. Handlers with a way around some of their steps are left out.
    pub fn loops(&self, function: Id<FUNCTION>) -> impl Iterator<Item = (Target, usize)> + '_ {
        let program = &self.functions[usize::from(function)].program;
        let always = |step: &Step| matches!(step, Step::Cpu(_) | Step::Wait(_) | Step::Send(_) | Step::End);
        let straight = program.entries.is_empty() && program.steps.iter().all(always);
        let polled = self.queues.iter().enumerate().filter(move |(_, queue)| {
            let poller = queue.poller.as_ref();
            straight && poller.is_some_and(|poller| poller.to == function)
        });
        let itself = straight.then_some(function.target());
        let sources = polled
            .map(move |(index, _)| Target::new(kind::QUEUE, index))
            .chain(itself);
        let copies = |to: Target| {
            let sends = |step: &&Step| matches!(step, Step::Send(call) if program.calls[usize::from(*call)].to == to);
            program.steps.iter().filter(sends).count()
        };
        sources.map(move |source| (source, copies(source)))
    }

    /// The function that works on what a component holds and always sends that component several more for each.
    pub fn multiplier(&self, component: u32) -> Option<Id<FUNCTION>> {
        let held = self.components.get(component as usize)?.target;
        let multiplies = |function: &Id<FUNCTION>| {
            self.loops(*function)
                .any(|(source, copies)| source == held && copies > 1)
        };
        (0..self.functions.len()).map(Id::new).find(multiplies)
    }

    /// How long a component keeps what nobody works on, if it is a queue or a function that is invoked asynchronously.
    pub fn kept(&self, component: u32) -> Option<Duration> {
        let Target { kind, index } = self.components.get(component as usize)?.target;
        match kind {
            kind::QUEUE => Some(self.queues[usize::from(index)].retention),
            kind::FUNCTION => Some(self.functions[usize::from(index)].asynchronous.maximum_age),
            _ => None,
        }
    }
}
