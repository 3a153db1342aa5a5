//! Who reaches handlers that take as long as was recorded: whoever comes there has to bring a duration.
//!
//! A recorded duration comes with the requests of a client whose recording has one. It goes through gateways, to
//! attempts, copies and branches, and to calls that handlers make and wait for. It does not go where work is handed
//! over: `send`, queues, streams, topics, schedules, workflows.

use super::registry::Plan;
use crate::model::handler::read::WORD;
use crate::model::handler::run::{Program, Step};
use crate::model::mechanism::client::ClientPlan;
use crate::model::request::kind::{self, KINDS};
use crate::scenario::{Code, Context, Node, NodeKind, Span, Target};
use std::collections::BTreeSet;

/// Where requests come from.
struct Source {
    /// Whose they are, in words.
    words: String,
    /// Where they go, and what they ask for.
    to: Vec<(Target, u16)>,
}

impl Plan {
    /// The mean of all recorded durations (ns); 0 without any.
    pub fn recorded_mean_ns(&self) -> f64 {
        let rows = self.clients.iter().filter_map(ClientPlan::rows);
        let (sum, count) = rows.fold((0.0, 0), |(sum, count), rows| {
            let mine: f64 = rows.durations.iter().map(|ns| *ns as f64).sum();
            (sum + mine, count + rows.durations.len())
        });
        sum / count.max(1) as f64
    }

    fn program(&self, of: Target) -> Option<&Program> {
        match of.kind {
            kind::FUNCTION => self
                .functions
                .get(usize::from(of.index))
                .map(|function| &function.program),
            kind::FLEET => self.fleets.get(usize::from(of.index)).map(|fleet| &fleet.program),
            _ => None,
        }
    }

    /// The handlers that take a recorded duration among those that a request comes to.
    fn takers(&self, (to, path): (Target, u16), seen: &mut BTreeSet<(Target, u16)>, found: &mut Vec<Target>) {
        if !seen.insert((to, path)) {
            return;
        }
        if to.kind == kind::GATEWAY {
            let gateway = self.gateways.get(usize::from(to.index));
            let routes = gateway.and_then(|gateway| gateway.routes.get(usize::from(path)));
            for route in routes.into_iter().flatten() {
                self.takers((route.1, path), seen, found);
            }
        }
        let Some(program) = self.program(to) else { return };
        for step in program.steps_for(path) {
            match step {
                Step::Recorded { .. } if !found.contains(&to) => found.push(to),
                Step::Call(call) => self.takers((program.calls[usize::from(*call)].to, 0), seen, found),
                _ => {}
            }
        }
    }

    /// All handlers that take a recorded duration and that requests of a source come to.
    fn takers_of(&self, source: &Source) -> Vec<Target> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        for to in &source.to {
            self.takers(*to, &mut seen, &mut found);
        }
        found
    }

    /// Everything but clients that makes requests, and those of handlers that nobody waits for.
    fn silent_sources(&self, cx: &Context) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        for component in &self.common.components {
            let mut words = "";
            for sent in self.sends(component.target) {
                if sent.what != words {
                    words = sent.what;
                    sources.push(Source {
                        words: format!("{words} `{}`", cx.names.name(component.target)),
                        to: Vec::new(),
                    });
                }
                if let Some(source) = sources.last_mut() {
                    source.to.push((sent.to, 0));
                }
            }
        }
        sources
    }
}

impl Program {
    /// The steps that a request of a path may come to.
    fn steps_for(&self, path: u16) -> Vec<&Step> {
        let (mut starts, mut steps) = (vec![self.entry(path)], Vec::new());
        while let Some(start) = starts.pop() {
            let strand = self.steps[usize::from(start)..].iter();
            for step in strand.take_while(|step| **step != Step::End) {
                steps.push(step);
                if let Step::Parallel(branches) = step {
                    starts.extend(branches);
                }
            }
        }
        steps
    }
}

fn source_of(client: &ClientPlan) -> Source {
    let paths = client.paths.iter().map(|path| (client.to, path.1));
    Source {
        words: format!("requests of `{}`", client.name),
        to: if client.paths.is_empty() {
            vec![(client.to, 0)]
        } else {
            paths.collect()
        },
    }
}

/// Complains about handlers that take a recorded duration where somebody comes without one, and warns about durations
/// that nobody takes.
pub fn check(plan: &Plan, cx: &Context, root: &Node) {
    let recorded = |program: &Program| program.steps.iter().any(|step| matches!(step, Step::Recorded { .. }));
    let takes = |of: Target| plan.program(of).is_some_and(recorded);
    if !plan.common.components.iter().any(|component| takes(component.target))
        && !plan.clients.iter().any(ClientPlan::records_durations)
    {
        return;
    }
    let mut sources = plan.silent_sources(cx);
    for client in &plan.clients {
        let source = source_of(client);
        if !client.records_durations() {
            sources.push(source);
        } else if plan.takers_of(&source).is_empty() {
            warn_unused(client, cx, root);
        }
    }
    let found: Vec<(Vec<Target>, String)> = sources
        .into_iter()
        .map(|source| (plan.takers_of(&source), source.words))
        .filter(|(takers, _)| !takers.is_empty())
        .collect();
    for component in &plan.components {
        let mine = found.iter().filter(|(takers, _)| takers.contains(&component.target));
        let without: Vec<&str> = mine.map(|(_, words)| words.as_str()).collect();
        if without.is_empty() {
            continue;
        }
        let section = root.get(KINDS[usize::from(component.target.kind)]);
        let node = section.and_then(|section| section.get(&component.name));
        let span = node.and_then(place).unwrap_or_else(|| cx.names.span(component.target));
        let message = format!(
            "the handler of `{}` takes as long as was recorded, and {} carry no recorded duration",
            component.name,
            without.join(" and ")
        );
        let help = "durations come with requests of `arrivals: { times: { ..., duration: took, duration_unit: ms } }` and \
                    with calls made for them, not through `send`, queues, streams, topics, schedules and workflows; \
                    give the others a path with a handler of its own, or a time here";
        cx.error(Code::Inconsistent, span, message, help);
    }
}

/// Where a handler says that it takes a recorded duration.
fn place(node: &Node) -> Option<Span> {
    if node.scalar() == Some(WORD) {
        return Some(node.span);
    }
    match &node.kind {
        NodeKind::Seq(items) => items.iter().find_map(place),
        _ => node.entries().iter().find_map(|(_, value)| place(value)),
    }
}

fn warn_unused(client: &ClientPlan, cx: &Context, root: &Node) {
    let times = root
        .get("clients")
        .and_then(|clients| clients.get(&client.name))
        .and_then(|client| client.get("arrivals"))
        .and_then(|arrivals| arrivals.get("times"));
    let Some(duration) = times.and_then(|times| times.get("duration")) else {
        return;
    };
    // There, they are needed to know when each began.
    if times.and_then(|times| times.get("marks")).and_then(Node::scalar) == Some("end") {
        return;
    }
    let message = format!("no handler that `{}` reaches takes the recorded durations", client.name);
    let help = "write `- wait: recorded` in the handler, or leave them out; if the column marks ends, add `marks: end`";
    cx.warn(Code::NoEffect, duration.span, message, help);
}
