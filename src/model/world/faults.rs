//! Faults as scenarios write them.

use super::registry::{Plan, harm};
use crate::kernel::number::fit;
use crate::kernel::{Duration, Instant, Sampler};
use crate::model::request::entry::Status;
use crate::model::request::fault::{Effect, FaultPlan, Quota, Zones};
use crate::model::request::kind::{self, BREAKABLE, KINDS};
use crate::scenario::{
    Block, Code, Context, Field, Key, Kind, Node, Range, Table, Target, read_count, read_rate, read_target,
};

/// What callers can hear from a component that fails.
const FAILURES: &[&str] = &["429", "500", "503", "504"];
/// The same as statuses.
const FAILURE_STATUS: [Status; 4] = [
    Status::Throttled,
    Status::Failed,
    Status::Unavailable,
    Status::GatewayTimeout,
];

/// The fields that say what a fault does, of which it has exactly one.
const EFFECTS: [&str; 8] = [
    "slow",
    "fail",
    "down",
    "unreachable",
    "zones_lost",
    "recycle",
    "neighbours",
    "lower",
];

/// Fields that go with one effect only.
const GOES_WITH: [(&str, &str); 5] = [
    ("status", "fail"),
    ("hang", "zones_lost"),
    ("detection", "zones_lost"),
    ("replace", "zones_lost"),
    ("spread", "recycle"),
];

/// The fields of a fault.
pub const TABLE: Table = Table {
    name: "fault",
    doc: "Something breaks for a while: what it hits, when, and exactly one of the things that it can do.",
    fields: &[
        Field::required(
            "on",
            Kind::List(&Kind::Target(BREAKABLE)),
            "The component or components that it hits.",
        ),
        Field::optional(
            "at",
            Kind::Duration,
            "When it begins, since the start of the run. Without it the first time comes as `again_after` says.",
        ),
        Field::optional(
            "for",
            Kind::Sampler,
            "How long it lasts, at least a millisecond; to the end of the run if absent.",
        )
        .positive(),
        Field::optional(
            "until",
            Kind::Duration,
            "When it ends, since the start of the run, instead of `for`.",
        ),
        Field::optional(
            "again_after",
            Kind::Sampler,
            "It begins again so long after its end, at least a millisecond; `{ exponential: 10 min }` is a mean time \
             between failures.",
        )
        .positive(),
        Field::optional(
            "per_month",
            Kind::Number,
            "Without `again_after`: how often it comes in a month, for the bill; once if absent.",
        )
        .within(0.0, 1e6),
        Field::optional(
            "slow",
            Kind::Number,
            "Work takes so many times longer: computing of functions and fleets, queries, operations, calls, overhead.",
        )
        .within(1.0, 1e6),
        Field::optional(
            "fail",
            Kind::Share,
            "This share of the requests is answered with an error.",
        ),
        Field::default(
            "status",
            Kind::Choice(FAILURES),
            "500",
            "With `fail`: what callers hear.",
        ),
        Field::optional("down", Kind::Flag, "All requests are refused (503)."),
        Field::optional(
            "unreachable",
            Kind::Flag,
            "Requests hang until their callers give up; those that still wait arrive when it ends.",
        ),
        Field::optional(
            "zones_lost",
            Kind::Count,
            "So many availability zones are gone, with the instances in them and the work on those.",
        )
        .within(1.0, 16.0),
        Field::default(
            "hang",
            Kind::Flag,
            "false",
            "With `zones_lost`: requests to a fleet's instances there hang, instead of failing (503).",
        ),
        Field::default(
            "detection",
            Kind::Duration,
            "60 s",
            "With `zones_lost`: how long a fleet's balancer goes on sending requests there.",
        )
        .source("Elastic Load Balancing user guide, health checks: two failed ones, 30 s apart"),
        Field::default(
            "replace",
            Kind::Flag,
            "true",
            "With `zones_lost`: whether a fleet then launches as many instances in its other zones.",
        ),
        Field::optional(
            "recycle",
            Kind::Share,
            "A deploy: this share of a function's instances is replaced, each as soon as it is idle.",
        ),
        Field::default(
            "spread",
            Kind::Duration,
            "0 s",
            "With `recycle`: over how long each instance's own moment is spread.",
        ),
        Field::optional(
            "neighbours",
            Kind::Count,
            "So much of an account's concurrency is taken by functions outside the scenario, on top of the usual.",
        )
        .within(0.0, 1e9),
        Field::optional(
            "lower",
            Kind::Map(&Kind::Any),
            "A quota is at most this: `concurrency` and `gateway_rate` of accounts, `rate` of gateways, externals and \
             topics, `reserved_concurrency`, `connections`, `read_capacity` and `write_capacity` of stores, \
             `maximum_concurrency` of externals.",
        )
        .sample("{ concurrency: 100 }"),
    ],
};

/// Reads all faults of a scenario.
pub fn read_all(root: &Block, plan: &Plan) -> Vec<FaultPlan> {
    let entries = root.entries("faults").iter();
    entries
        .filter_map(|(key, node)| read_one(root.context(), key, node, plan))
        .collect()
}

fn read_one(cx: &Context, key: &Key, node: &Node, plan: &Plan) -> Option<FaultPlan> {
    let before = cx.diagnostics.pushed();
    let block = Block::keyed(cx, key, node, &TABLE);
    let targets = block.list("on").iter();
    let on: Vec<(Target, &Node)> = targets
        .filter_map(|node| Some((read_target(cx, node, BREAKABLE)?, node)))
        .collect();
    if cx.diagnostics.pushed() > before {
        return None;
    }
    for (i, (target, node)) in on.iter().enumerate() {
        if on[..i].iter().any(|other| other.0 == *target) {
            let message = format!("`{}` is hit twice by one fault", cx.names.name(*target));
            cx.error(Code::DuplicateName, node.span, message, "name it once");
        }
    }
    let word = effect_word(&block)?;
    let effect = read_effect(&block, word, &on, plan)?;
    let (at, lasts, again_after) = read_times(&block, effect, plan)?;
    if again_after.is_some() && block.has("per_month") {
        let message = "`again_after` and `per_month` both say how often";
        let help = "keep `again_after`: a month has as many of them as it has such times";
        block.error(Code::Conflict, block.span_of("per_month"), message, help);
    }
    let on: Vec<Target> = on.into_iter().map(|on| on.0).collect();
    Some(FaultPlan {
        name: key.text.clone(),
        fails_over: on.iter().map(|on| fails_over(plan, *on, effect)).collect(),
        on,
        effect,
        at,
        lasts,
        again_after,
        per_month: block.number_opt("per_month"),
    })
}

/// How long a component that a fault hits is down until it is back in another zone, if it fails over at all.
fn fails_over(plan: &Plan, on: Target, effect: Effect) -> Option<Duration> {
    let Effect::Zones(lost) = effect else { return None };
    let (zones, failover) = plan.zones(on)?;
    let elsewhere = lost.lost < zones;
    failover.map(|takes| if elsewhere { takes } else { Duration::FOREVER })
}

/// The one field that says what the fault does.
fn effect_word(block: &Block) -> Option<&'static str> {
    let off = |word: &str| matches!(word, "down" | "unreachable") && block.flag_opt(word) == Some(false);
    let given: Vec<&'static str> = EFFECTS
        .into_iter()
        .filter(|word| block.has(word) && !off(word))
        .collect();
    let list = EFFECTS.map(|word| format!("`{word}`")).join(", ");
    match given[..] {
        [word] => {
            let strange = GOES_WITH
                .iter()
                .filter(|(field, with)| block.has(field) && *with != word);
            for (field, with) in strange {
                let message = format!("`{field}` goes with `{with}`, and the fault has `{word}`");
                block.error(
                    Code::Conflict,
                    block.span_of(field),
                    message,
                    format!("remove `{field}`"),
                );
            }
            Some(word)
        }
        [] => {
            let message = "the fault does nothing";
            block.error(Code::MissingKey, block.span(), message, format!("add one of {list}"));
            None
        }
        [first, second, ..] => {
            let message = format!("`{first}` and `{second}` in one fault");
            let help = "a fault does one thing: write another fault with the same `on`, `at` and `for`";
            block.error(Code::Conflict, block.span_of(second), message, help);
            None
        }
    }
}

fn read_effect(block: &Block, word: &str, on: &[(Target, &Node)], plan: &Plan) -> Option<Effect> {
    if word == "lower" {
        let quota = read_quota(block, on, plan)?;
        return Some(Effect::Lower(quota.0, quota.1));
    }
    let can = |kind: &u8| match word {
        "slow" => harm(*kind).slow,
        "zones_lost" => harm(*kind).zones,
        "recycle" => harm(*kind).recycle,
        "neighbours" => *kind == kind::ACCOUNT,
        _ => kind::abilities(*kind).called,
    };
    let kinds = (0..fit(KINDS.len())).filter(can);
    let sections: Vec<&str> = kinds.map(|kind| KINDS[usize::from(kind)]).collect();
    if !fits(block, word, on, &sections) {
        return None;
    }
    Some(match word {
        "slow" => Effect::Slow(block.number_opt("slow")?),
        "fail" => Effect::Fail(block.share_opt("fail")?, FAILURE_STATUS[block.choice("status")]),
        "down" => Effect::Down,
        "unreachable" => Effect::Unreachable,
        "zones_lost" => Effect::Zones(read_zones(block, on, plan)?),
        "recycle" => Effect::Recycle(block.share_opt("recycle")?, block.duration("spread")),
        _ => Effect::Neighbours(block.count_opt("neighbours")?),
    })
}

/// Whether all components of a fault can have what it does.
fn fits(block: &Block, word: &str, on: &[(Target, &Node)], sections: &[&str]) -> bool {
    let names = block.context().names;
    let strange = on.iter().find(|(target, _)| !sections.contains(&names.kind(*target)));
    let Some((target, node)) = strange else { return true };
    let message = format!(
        "`{word}` cannot happen to `{}`, which is under `{}`",
        names.name(*target),
        names.kind(*target)
    );
    let help = format!("it can happen to components under {}", sections.join(", "));
    block.error(Code::WrongTarget, node.span, message, help);
    false
}

fn read_zones(block: &Block, on: &[(Target, &Node)], plan: &Plan) -> Option<Zones> {
    let lost = block.count_opt("zones_lost")?;
    for (target, _) in on {
        // What fails over is down if it has no zone to go to.
        let zones = plan.zones(*target).filter(|(_, failover)| failover.is_none());
        if let Some((zones, _)) = zones.filter(|(zones, _)| u64::from(*zones) < lost) {
            let name = block.context().names.name(*target);
            let message = format!("{lost} zones are lost, but `{name}` has {zones}");
            let help = format!("lose {zones} at most, or give `{name}` more `zones`");
            block.error(Code::Inconsistent, block.span_of("zones_lost"), message, help);
        }
    }
    Some(Zones {
        lost: fit(lost),
        hang: block.flag("hang"),
        detection: block.duration("detection"),
        replace: block.flag("replace"),
    })
}

/// The words of `lower` for accounts, and what they lower.
const OF_ACCOUNTS: &[(&str, Quota)] = &[
    ("concurrency", Quota::Concurrency),
    ("gateway_rate", Quota::GatewayRate),
];

/// The quotas of a kind of components that can be lowered.
fn quotas(of: u8) -> &'static [(&'static str, Quota)] {
    if of == kind::ACCOUNT {
        OF_ACCOUNTS
    } else {
        harm(of).quotas
    }
}

fn read_quota(block: &Block, on: &[(Target, &Node)], plan: &Plan) -> Option<(Quota, f64)> {
    let cx = block.context();
    let [(key, value)] = block.entries("lower") else {
        let message = "a fault lowers one quota";
        let help = "write `lower: { rate: 10/s }`, and another fault for another quota";
        block.error(Code::NotOneKey, block.span_of("lower"), message, help);
        return None;
    };
    let mut found = None;
    for (target, node) in on {
        let of_kind = quotas(target.kind);
        let Some((_, quota)) = of_kind.iter().find(|quota| quota.0 == key.text) else {
            let name = cx.names.name(*target);
            let message = format!("`{name}` has no quota `{}` that could be lowered", key.text);
            let words: Vec<&str> = of_kind.iter().map(|quota| quota.0).collect();
            let help = if words.is_empty() {
                let section = cx.names.kind(*target);
                format!("nothing can be lowered of components under `{section}`")
            } else {
                format!("of `{name}` these can be lowered: {}", words.join(", "))
            };
            cx.error(Code::UnknownKey, key.span, message, help);
            return None;
        };
        let to = match quota {
            Quota::GatewayRate | Quota::Rate => read_rate(cx, value, Range::Positive),
            Quota::ReadCapacity | Quota::WriteCapacity => read_count(cx, value, Range::Within(1.0, 1e9)) as f64,
            _ => read_count(cx, value, Range::Within(0.0, 1e9)) as f64,
        };
        match usual(*quota, *target, plan) {
            None => {
                let message = format!(
                    "`{}` has no `{}`: there is nothing to lower",
                    cx.names.name(*target),
                    key.text
                );
                let help = "give the component that quota, or leave the fault out";
                cx.error(Code::Inconsistent, node.span, message, help);
                return None;
            }
            Some(usual) if to >= usual => {
                let message = format!("`{}` of `{}` is not lowered by this", key.text, cx.names.name(*target));
                cx.warn(Code::NoEffect, value.span, message, "write less than it usually is");
            }
            Some(_) => {}
        }
        found = Some((*quota, to));
    }
    found
}

/// What a quota usually is; `None` where there is none.
fn usual(quota: Quota, of: Target, plan: &Plan) -> Option<f64> {
    let account = || plan.common.accounts.get(usize::from(of.index));
    match quota {
        Quota::Concurrency => account().map(|account| account.concurrency as f64),
        Quota::GatewayRate => account().map(|account| account.gateway_rate),
        _ => plan.usual(of, quota),
    }
}

type Times = (Option<Instant>, Option<Sampler>, Option<Sampler>);

fn read_times(block: &Block, effect: Effect, plan: &Plan) -> Option<Times> {
    let at = block.duration_opt("at").map(|at| Instant::ZERO + at);
    let (lasts, again_after) = (block.sampler_opt("for"), block.sampler_opt("again_after"));
    let until = block.duration_opt("until").map(|until| Instant::ZERO + until);
    let conflict = |field: &str, message: &str, help: &str| {
        block.error(Code::Conflict, block.span_of(field), message, help);
    };
    if at.is_none() && again_after.is_none() {
        let message = "nothing says when the fault begins";
        let help = "add `at: 10 min`, or `again_after: { exponential: 30 min }` for times at random";
        block.error(Code::MissingKey, block.span(), message, help);
        return None;
    }
    if let (Some(_), None) = (until, at) {
        let message = "`until` needs an `at`: without it the fault comes at random";
        block.error(
            Code::MissingKey,
            block.span_of("until"),
            message,
            "add `at: 10 min`, or write `for`",
        );
        return None;
    }
    if let Effect::Recycle(..) = effect {
        for field in ["for", "until"].into_iter().filter(|field| block.has(field)) {
            conflict(field, "a deploy has no length", "spread it with `spread: 5 min`");
        }
        warn_outside(block, at, None, plan);
        return Some((at, None, again_after));
    }
    if again_after.is_some() && lasts.is_none() {
        let message = "the fault never ends, so that it cannot begin again";
        block.error(
            Code::MissingKey,
            block.span_of("again_after"),
            message,
            "add `for: 30 s`",
        );
        return None;
    }
    let lasts = match (lasts, until, at) {
        (Some(_), Some(_), _) => {
            conflict("until", "`for` and `until` both say when it ends", "keep one of them");
            return None;
        }
        (None, Some(until), Some(at)) if until > at => Some(Sampler::Constant(until.since(at).0 as f64)),
        (None, Some(_), _) => {
            let message = "the fault ends before it begins";
            block.error(
                Code::Inconsistent,
                block.span_of("until"),
                message,
                "make `until` later than `at`",
            );
            return None;
        }
        (lasts, None, _) => lasts,
    };
    warn_outside(block, at, lasts.as_ref().filter(|_| again_after.is_none()), plan);
    Some((at, lasts, again_after))
}

/// Warns about a fault that nobody will see.
fn warn_outside(block: &Block, at: Option<Instant>, lasts: Option<&Sampler>, plan: &Plan) {
    let Some(at) = at else { return };
    let ends = lasts.and_then(Sampler::as_constant).map(|lasts| at + lasts);
    if at >= Instant::ZERO + plan.length {
        let message = "the fault begins after the end of the run";
        block.warn(
            Code::NoEffect,
            block.span_of("at"),
            message,
            "make `at` smaller, or `run.length` longer",
        );
    } else if ends.is_some_and(|ends| ends <= Instant::ZERO + plan.warmup) && plan.warmup > Duration::ZERO {
        let message = "the fault is over before the warm-up is, and nothing of it is measured";
        block.warn(
            Code::NoEffect,
            block.span_of("at"),
            message,
            "make `at` larger, or `run.warmup` shorter",
        );
    }
}
