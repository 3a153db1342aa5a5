//! Whose units of work are followed: those of sources from which something asynchronous can be reached.

use super::registry::Plan;
use crate::model::request::kind;
use crate::scenario::Target;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Plan {
    /// Finds out whose units are followed, and which calls lead on: to what keeps things, or sends something on without
    /// waiting. What does neither ends with its answer.
    pub(super) fn follow(&mut self) {
        let targets: Vec<Target> = self
            .common
            .components
            .iter()
            .map(|component| component.target)
            .collect();
        let mut leads_on: Vec<bool> = targets.iter().map(|target| self.is_asynchronous(*target)).collect();
        let mut called: Vec<Vec<Target>> = targets.iter().map(|target| self.callees(*target)).collect();
        let places: BTreeMap<Target, usize> = targets.iter().copied().zip(0..).collect();
        let place = |of: Target| places.get(&of).copied();
        for (target, program) in self.handlers() {
            let Some(place) = place(target) else { continue };
            leads_on[place] |= !program.sent().is_empty();
            called[place].extend(program.called());
        }
        let called: Vec<Vec<usize>> = called
            .iter()
            .map(|targets| targets.iter().filter_map(|target| place(*target)).collect())
            .collect();
        // Back from what leads on to whoever calls it, until nobody new is found.
        let mut callers = vec![Vec::new(); targets.len()];
        for (caller, called) in called.iter().enumerate() {
            for &place in called {
                callers[place].push(caller);
            }
        }
        let mut found: Vec<usize> = (0..targets.len()).filter(|place| leads_on[*place]).collect();
        while let Some(next) = found.pop() {
            for &caller in &callers[next] {
                if !std::mem::replace(&mut leads_on[caller], true) {
                    found.push(caller);
                }
            }
        }
        let leads_on = |to: Target| place(to).is_some_and(|place| leads_on[place]);
        let mut followed = Vec::new();
        for client in &mut self.clients {
            if leads_on(client.to) {
                client.follows = true;
                client.careful = true;
                followed.push(client.component);
            }
        }
        followed.extend(self.schedules.iter().map(|schedule| schedule.component));
        let any = !followed.is_empty();
        for (_, program) in self.handlers() {
            for call in Arc::make_mut(&mut program.calls) {
                call.follows = any && leads_on(call.to);
            }
        }
        self.common.followed = followed;
    }

    /// Whether a component takes work that its caller hears nothing of.
    fn is_asynchronous(&self, of: Target) -> bool {
        if of.kind == kind::WORKFLOW {
            let workflow = self.workflows.get(usize::from(of.index));
            return workflow.is_some_and(|workflow| workflow.answers_at_start);
        }
        kind::abilities(of.kind).accepts
    }
}
