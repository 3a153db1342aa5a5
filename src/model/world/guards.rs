//! Which calls have guards, and what each of them is called by.

use super::registry::Plan;
use crate::kernel::Sampler;
use crate::model::request::common::Profile;
use crate::model::request::guard::{GuardPlan, Guarding};
use crate::model::request::id::GuardId;
use crate::model::request::retry::RetryPolicy;
use crate::scenario::{Code, Context, Node};
use std::sync::Arc;

/// How many calls with guards there are numbers for.
const MOST: usize = 65_536;

impl Plan {
    /// Numbers the calls that have guards, and finds out whether anybody looks at what travels with requests.
    pub(super) fn number_guards(&mut self, cx: &Context, root: &Node) {
        let heeds = |profile: &Profile| profile.heeds_deadlines || profile.needs_baggage || profile.takes_recorded;
        let baggage = self.common.profiles.iter().any(heeds);
        self.common.baggage = baggage;
        // What is known of handlers changes with their calls.
        self.common.profiles.clear();
        let mut guards = Vec::new();
        let mut number = |component, to, timeout, retry: &RetryPolicy, guarding: Guarding, network: &Sampler| {
            let guarded = guarding != Guarding::default() || retry.adaptive;
            let place = guards.len();
            if guarded {
                guards.push(GuardPlan {
                    component,
                    to,
                    timeout,
                    network: network.clone(),
                    guarding,
                    adaptive: retry.adaptive,
                });
            }
            // Those that get no number are refused below.
            GuardId::checked(place).filter(|_| guarded)
        };
        for client in &mut self.clients {
            client.guard = number(
                client.component,
                client.to,
                client.timeout,
                &client.retry,
                client.guarding,
                &client.network,
            );
            client.careful = baggage || client.guard.is_some();
        }
        let none = Sampler::Constant(0.0);
        let first = self.common.first;
        for (target, program) in self.handlers() {
            let component = first[usize::from(target.kind)] + u32::from(target.index);
            for call in Arc::make_mut(&mut program.calls) {
                call.guard = number(component, call.to, call.timeout, &call.retry, call.guarding, &none);
                call.careful = baggage || call.guard.is_some();
            }
        }
        self.common.guards = guards;
        self.refuse_more_guards_than_numbers(cx, root);
    }

    fn refuse_more_guards_than_numbers(&self, cx: &Context, root: &Node) {
        if self.guards.len() > MOST {
            let message = format!(
                "{} calls have breakers, hedges or adaptive rates once loops are unrolled, more than {}",
                self.guards.len(),
                MOST
            );
            let help = "loops repeat the calls in them: repeat less, or leave these out of calls in loops";
            let place = root.get("functions").map_or(root.span, |functions| functions.span);
            cx.error(Code::TooMany, place, message, help);
        }
    }
}
