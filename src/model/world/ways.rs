//! Where calls lead: not round in circles, not through too many gateways, and always to a route.

use super::registry::Plan;
use crate::model::request::entry::HOPS_MAX;
use crate::model::request::kind;
use crate::scenario::{Code, Context, Node, Target};

/// How far a component has been followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    #[default]
    Never,
    /// It is on the way at hand.
    OnTheWay,
    /// All that it calls has been followed: so many gateways in a row begin with it.
    Done(usize),
}

/// Follows calls depth first, each once.
struct Walk<'a> {
    plan: &'a Plan,
    seen: Vec<Seen>,
}

/// A component on the way, and whom of those it calls it has still to be followed to.
struct Stop {
    target: Target,
    left: Vec<Target>,
    /// Gateways in a row behind it, as far as it has been followed.
    behind: usize,
}

impl Walk<'_> {
    fn place(&self, of: Target) -> usize {
        self.plan.common.place(of) as usize
    }

    fn stop(&mut self, target: Target) -> Stop {
        let place = self.place(target);
        self.seen[place] = Seen::OnTheWay;
        let mut left = self.plan.waits_for(target);
        left.reverse();
        Stop {
            target,
            left,
            behind: 0,
        }
    }

    /// Follows a component to everything that it calls; the circle, if calls come back to where they have been.
    fn follow(&mut self, from: Target) -> Result<(), Vec<Target>> {
        if self.seen[self.place(from)] != Seen::Never {
            return Ok(());
        }
        let mut way = vec![self.stop(from)];
        while let Some(last) = way.last_mut() {
            let Some(next) = last.left.pop() else {
                let in_a_row = if last.target.kind == kind::GATEWAY {
                    last.behind + 1
                } else {
                    0
                };
                let place = self.place(last.target);
                self.seen[place] = Seen::Done(in_a_row);
                way.pop();
                if let Some(caller) = way.last_mut() {
                    caller.behind = caller.behind.max(in_a_row);
                }
                continue;
            };
            match self.seen.get(self.place(next)).copied() {
                Some(Seen::Never) => {
                    let stop = self.stop(next);
                    way.push(stop);
                }
                Some(Seen::Done(in_a_row)) => last.behind = last.behind.max(in_a_row),
                Some(Seen::OnTheWay) => {
                    let circle = way.iter().map(|stop| stop.target).skip_while(|target| *target != next);
                    return Err(circle.chain([next]).collect());
                }
                // What is called could not be read, which has been reported.
                None => {}
            }
        }
        Ok(())
    }
}

impl Plan {
    /// Whom a component calls and waits for.
    fn waits_for(&self, of: Target) -> Vec<Target> {
        let mut targets = self.callees(of);
        if kind::abilities(of.kind).called {
            targets.extend_from_slice(self.common.handler_waits_for(of));
        }
        targets
    }

    /// Checks that calls do not go round in circles and do not pass too many gateways.
    pub(super) fn check_ways(&self, cx: &Context, root: &Node, paths: &[String]) {
        let mut walk = Walk {
            plan: self,
            seen: vec![Seen::default(); self.common.components.len()],
        };
        for component in &self.common.components {
            if let Err(circle) = walk.follow(component.target) {
                let names: Vec<&str> = circle.iter().map(|target| cx.names.name(*target)).collect();
                let message = format!("these call one another for ever: {}", names.join(" -> "));
                let span = circle.first().map_or(root.span, |target| cx.names.span(*target));
                let help = "break the circle, for example with a queue in between";
                cx.error(Code::Cycle, span, message, help);
                return;
            }
        }
        self.check_routes(cx, paths);
        for (component, seen) in self.common.components.iter().zip(walk.seen) {
            let Seen::Done(in_a_row) = seen else { continue };
            if in_a_row > HOPS_MAX {
                let message = format!("more than {HOPS_MAX} gateways in a row");
                cx.error(
                    Code::Unsupported,
                    cx.names.span(component.target),
                    message,
                    "leave some out",
                );
                return;
            }
        }
    }

    /// Checks that the gateways that clients talk to have a route for everything that is asked for.
    fn check_routes(&self, cx: &Context, paths: &[String]) {
        for client in &self.clients {
            let Some(gateway) = self.gateway(client.to) else {
                continue;
            };
            let asked = match &client.paths[..] {
                [] => vec![0],
                paths => paths.iter().map(|path| path.1).collect(),
            };
            let has_no_route = |path: &u16| gateway.routes[usize::from(*path)].is_empty();
            for path in asked.into_iter().filter(has_no_route) {
                let message = format!(
                    "`{}` has no route for `{}`, which `{}` asks for",
                    cx.names.name(client.to),
                    paths[usize::from(path)],
                    client.name
                );
                let help = "add `to: name`, or a route with `path: \"*\"`";
                cx.error(Code::MissingKey, cx.names.span(client.to), message, help);
            }
        }
    }

    /// The gateway that a target is, if it is one.
    fn gateway(&self, of: Target) -> Option<&crate::model::mechanism::gateway::GatewayPlan> {
        let gateways = (of.kind == kind::GATEWAY).then_some(&self.gateways)?;
        gateways.get(usize::from(of.index))
    }
}
