//! Warnings about the design: what can be simulated, and is likely to hurt in production.

use super::registry::Plan;
use crate::kernel::Duration;
use crate::model::handler::run::Program;
use crate::model::request::id::Id;
use crate::model::request::kind::FUNCTION;
use crate::model::request::kind::{self, KINDS};
use crate::model::world::build::named;
use crate::scenario::{Code, Context, Node, Target, units};
use std::collections::BTreeSet;

/// Warns about a plan.
pub fn lint(plan: &Plan, cx: &Context, root: &Node) {
    gateway_timeouts(plan, cx);
    connection_limits(plan, cx, root);
    // Where values are missing, others stand in for them that mean nothing.
    if !cx.diagnostics.has_errors() {
        hopeless(plan, cx);
        multiplying(plan, cx);
    }
}

/// Gateways that give up before the function behind them: clients get errors while the work goes on and is billed.
fn gateway_timeouts(plan: &Plan, cx: &Context) {
    for (index, gateway) in plan.gateways.iter().enumerate() {
        let behind = gateway
            .routes
            .iter()
            .flatten()
            .filter(|route| route.1.kind == kind::FUNCTION);
        let slow = |target: &Target| {
            let function = plan.functions.get(target.index as usize);
            function.is_some_and(|function| function.timeout > gateway.timeout)
        };
        let Some(function) = behind.map(|route| route.1).find(slow) else {
            continue;
        };
        let target = Target::new(kind::GATEWAY, index);
        let message = format!(
            "`{}` gives up after {}, `{}` may run for {}",
            cx.names.name(target),
            units::show_duration(gateway.timeout),
            cx.names.name(function),
            units::show_duration(plan.functions[function.index as usize].timeout)
        );
        let help = "clients get errors while the work goes on and is billed; shorten the function's `timeout`";
        cx.warn(Code::GatewayTimeout, cx.names.span(function), message, help);
    }
}

/// Time limits below the least time that the work behind them takes: nothing ever succeeds.
fn hopeless(plan: &Plan, cx: &Context) {
    let least: Vec<Duration> = plan.functions.iter().map(|f| f.program.least(f.cpu_factor())).collect();
    let of = |target: &Target| (target.kind == kind::FUNCTION).then(|| least[target.index as usize]);
    let target = Target::new;
    let warn = |limited: Target, worker: Target, limit: Duration, what: &str, help: &str| {
        let message = format!(
            "`{}` takes at least {}, {what} {}",
            cx.names.name(worker),
            units::show_duration(of(&worker).unwrap_or_default()),
            units::show_duration(limit),
        );
        cx.warn(Code::Hopeless, cx.names.span(limited), message, help);
    };
    for (index, function) in plan.functions.iter().enumerate().filter(|(i, f)| least[*i] > f.timeout) {
        let it = target(kind::FUNCTION, index);
        let help = "every invocation is cut off, and what is tried again fails again; raise `timeout` or do less";
        warn(it, it, function.timeout, "and is cut off after", help);
    }
    for (index, queue) in plan.queues.iter().enumerate() {
        let Some(poller) = &queue.poller else { continue };
        let (worker, hidden) = (
            poller.to.target(),
            queue.effective_visibility(|to| plan.common.profile(to).timeout),
        );
        if least[usize::from(poller.to)] > hidden {
            let help = "every message comes back while it is being worked on; raise `visibility_timeout`";
            let what = "and its messages are hidden for";
            warn(target(kind::QUEUE, index), worker, hidden, what, help);
        }
    }
    for (index, client) in plan.clients.iter().enumerate() {
        if of(&client.to).is_some_and(|least| least > client.timeout) {
            let help = "every request times out; raise the client's `timeout`, or do less before the answer";
            warn(
                target(kind::CLIENT, index),
                client.to,
                client.timeout,
                "and its client gives up after",
                help,
            );
        }
    }
    for (index, function) in plan.functions.iter().enumerate() {
        for call in function.program.calls.iter() {
            if of(&call.to).is_some_and(|least| least > call.timeout) {
                let help = "every such call times out; raise its `timeout`, or do less before the answer";
                warn(
                    target(kind::FUNCTION, index),
                    call.to,
                    call.timeout,
                    "and its caller gives up after",
                    help,
                );
            }
        }
    }
}

/// Functions that always send more than one message to what feeds them: each message becomes several.
fn multiplying(plan: &Plan, cx: &Context) {
    for index in 0..plan.functions.len() {
        let function = Target::new(kind::FUNCTION, index);
        for (source, copies) in plan.loops(function.into()).filter(|(_, copies)| *copies > 1) {
            let message = format!(
                "each {} of `{}` leads to {copies} others: they multiply until something is at its limit",
                if source == function { "event" } else { "message" },
                cx.names.name(source),
            );
            let help =
                "let the handler stop at some time: a `cache` or `fail` step before the `send`, or another target";
            cx.warn(Code::Multiplies, cx.names.span(function), message, help);
        }
    }
}

/// Databases that allow fewer connections than the functions that call them directly may open.
fn connection_limits(plan: &Plan, cx: &Context, root: &Node) {
    let words = outside_queues(root);
    for (index, database) in plan.databases.iter().enumerate() {
        let target = Target::new(kind::DATABASE, index);
        let calls = |program: &Program| program.calls.iter().any(|call| call.to == target);
        let most = |function: &crate::model::mechanism::function::plan::FunctionPlan| {
            let account = function
                .account
                .map(|account| plan.accounts[usize::from(account)].concurrency);
            let most = function.reserved.or(function.maximum_instances).or(account);
            let only_polled = !words.contains(function.name.as_str());
            let polled = only_polled.then(|| polled_at_most(plan, &function.name)).flatten();
            most.into_iter().chain(polled).min().unwrap_or(0)
        };
        let callers = plan.functions.iter().filter(|function| calls(&function.program));
        let connections: u64 = callers.map(most).sum();
        if connections > database.connections {
            let message = format!(
                "functions may open {connections} connections with `{}`, which allows {}",
                cx.names.name(target),
                database.connections
            );
            let help = "put a proxy or a queue in between, or cap the functions with `reserved_concurrency`";
            cx.warn(Code::ConnectionLimit, cx.names.span(target), message, help);
        }
    }
}

/// What sections other than `queues` name: a function that is not among it is only reached through pollers.
fn outside_queues(root: &Node) -> BTreeSet<&str> {
    let mut words = BTreeSet::new();
    let others = KINDS.iter().filter(|section| **section != KINDS[kind::QUEUE as usize]);
    for section in others.filter_map(|section| root.get(section)) {
        section
            .entries()
            .iter()
            .for_each(|(_, component)| named(component, &mut words));
    }
    words
}

/// Invocations that the pollers of a function's queues make at once, at most; `None` if no queue leads to it.
fn polled_at_most(plan: &Plan, function: &str) -> Option<u64> {
    let pollers = plan.queues.iter().filter_map(|queue| queue.poller.as_ref());
    let its = |to: Id<FUNCTION>| plan.functions.get(usize::from(to)).is_some_and(|f| f.name == function);
    let ceilings = pollers.filter(|poller| its(poller.to)).map(|poller| poller.ceiling);
    ceilings.reduce(u64::saturating_add)
}
