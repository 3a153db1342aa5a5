//! Why a study could not be carried out: what shows only when it runs.

use super::study::CellPlan;
use super::summary::{Cell, Summary};
use crate::kernel::Instant;
use crate::model::Plan;
use crate::model::parts::budget::{Crowd, Growth, Holder};
use crate::model::world::run::Halt;
use crate::scenario::{Code, Diagnostic, Diagnostics, Span};

/// Why a study could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The variant in which it happened.
    pub variant: String,
    /// The sweep point, as written; empty without a sweep.
    pub point: Vec<String>,
    /// What happened.
    pub cause: Cause,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A run was given up: why, and the names of the component that holds most and of the one that most is at.
    Halted(Box<Halt>, Box<[String; 2]>),
    /// No number of instances keeps the goals of a fleet's `size`.
    Unreachable {
        /// The fleet's name.
        fleet: String,
        /// Instances that were tried last.
        count: u64,
        /// The 99th percentile that these had, in ns.
        p99_ns: u64,
    },
}

fn seconds(at: Instant) -> f64 {
    at.since(Instant::ZERO).as_secs_f64()
}

/// A large number in words.
fn many(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{} thousand", n / 1_000),
        _ => format!("{:.1} million", n as f64 / 1e6),
    }
}

impl Cause {
    /// A run of this plan was given up.
    pub fn halted(plan: &Plan, halt: Halt) -> Self {
        let name = |component: Option<u32>| {
            let component = component.and_then(|component| plan.components.get(component as usize));
            component.map_or_else(String::new, |component| component.name.clone())
        };
        let names = match &halt {
            Halt::Crowded(crowd) => [
                name(crowd.most.component),
                name(crowd.place.or_else(|| feeder(plan, crowd))),
            ],
            _ => Default::default(),
        };
        Self::Halted(Box::new(halt), Box::new(names))
    }
}

/// The function that works on what there is too much of, if it always sends several more.
fn feeder(plan: &Plan, crowd: &Crowd) -> Option<u32> {
    let function = plan.multiplier(crowd.most.component?)?;
    Some(plan.functions[usize::from(function)].component)
}

/// What there is too much of, and what to write instead.
fn crowded(crowd: &Crowd, [owner, place]: &[String; 2]) -> (String, String) {
    let mine = |words: &str| format!("{words} `{owner}`");
    let (things, whose, help) = match crowd.most.holder {
        Holder::Requests if place.is_empty() => ("requests", "under way".to_owned(), REQUESTS),
        Holder::Requests => ("requests", format!("under way, most of them at `{place}`,"), REQUESTS),
        Holder::Events => ("events", "still to come".to_owned(), REQUESTS),
        Holder::Messages => ("messages", mine("in the queue"), MESSAGES),
        Holder::Asynchronous => ("events", mine("in the asynchronous queue of"), EVENTS),
        Holder::Records => ("records", mine("in the stream"), RECORDS),
        Holder::Executions => ("executions", mine("open in the workflow"), REQUESTS),
        Holder::Deliveries => ("deliveries", mine("pending at"), DELIVERIES),
        Holder::Keys => ("keys", "remembered by idempotent steps".to_owned(), KEYS),
    };
    let fed = !place.is_empty() && crowd.most.holder != Holder::Requests;
    let growth = match crowd.growth {
        Growth::AtOnce => "they came all at once".to_owned(),
        Growth::Steady(rate) => format!("grows by {} {things} a second", many(rate)),
        Growth::Doubling(every) => format!("doubles every {:.3} s", every.as_secs_f64()),
    };
    let (items, gigabytes) = (many(crowd.most.items), crowd.allowed as f64 / f64::from(1 << 30));
    let at = seconds(crowd.at);
    let need = if crowd.foreseen { "would come to need" } else { "need" };
    let message = format!(
        "{items} {things} {whose} {need} more than the {gigabytes:.1} GB that a run may have: {growth}; stopped at t = \
         {at:.3} s"
    );
    let why = if fed {
        format!("; `{place}`, which works on them, sends several more for each: they double until it is at its limit")
    } else {
        String::new()
    };
    let doubling = fed || matches!(crowd.growth, Growth::Doubling(_));
    let help = if doubling { DOUBLING } else { help };
    (message + &why, format!("{help}; or let it have more: `--memory 16GB`"))
}

const STALLED: &str = "something goes round without taking time: users who think for 0 s and are answered at once, a \
                       `visibility_timeout` of 0 s, a component that sends to itself; give it a time, such as `think: \
                       100 ms`";
const DOUBLING: &str = "each leads to more than one of its like: look for a handler that sends to itself, or to what \
                        feeds it, several times over, and bound that by a condition, a `retention` or a concurrency";
const REQUESTS: &str = "what arrives is never finished: is there a rate in the wrong unit, or a component that calls or \
                        sends to itself several times over? Limits and time-outs bound what can pile up";
const MESSAGES: &str = "more is sent than its workers get done: raise `poller.maximum_concurrency` or the function's \
                        concurrency, let the work take less time, see whether it can succeed within its time limit, \
                        or bound the backlog by `retention` or by a shorter run";
const EVENTS: &str = "more is sent than the function gets done: raise its concurrency, let the work take less time, see \
                      whether it can succeed within its `timeout`, or bound the backlog by `maximum_age`";
const RECORDS: &str = "more is put than its consumer gets done: add shards, raise `parallelization_factor` or the batch \
                       size, let the work take less time, or bound the backlog by `retention`";
const DELIVERIES: &str = "more is published than the targets take: raise the quota of deliveries or the targets' \
                          concurrency, or bound the backlog by the maximum age of the deliveries";
const KEYS: &str = "each is kept for the window of its step: shorten that, or the run";

/// The cell that has no figures, but words that say why.
pub fn refused(cell: &CellPlan, failure: &Failure) -> Cell {
    Cell {
        refused: Some(failure.words()),
        ..Cell::empty(&cell.variant, &cell.point)
    }
}

/// What there is to say about a study of which every cell was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why, cell by cell.
    pub failures: Vec<Failure>,
    /// The summary without figures: which cells there are, and the same in words.
    pub summary: Summary,
}

impl Refused {
    /// All reasons, for people.
    pub fn diagnostics(&self) -> Diagnostics {
        let all = Diagnostics::new();
        for failure in &self.failures {
            all.push(failure.diagnostic());
        }
        all
    }
}

impl Failure {
    /// Whether it is the failure of this cell.
    pub fn is_of(&self, cell: &CellPlan) -> bool {
        let point = cell.point.iter().map(|value| &value.text);
        self.variant == cell.variant && self.point.iter().eq(point)
    }

    /// The failure of a cell.
    pub fn of(cell: &CellPlan, cause: Cause) -> Self {
        Self {
            variant: cell.variant.clone(),
            point: cell.point.iter().map(|value| value.text.clone()).collect(),
            cause,
        }
    }

    /// The variant and the point, in brackets, where there are several.
    fn place(&self) -> String {
        let mut parts = Vec::new();
        if self.variant != "base" {
            parts.push(format!("variant `{}`", self.variant));
        }
        if !self.point.is_empty() {
            parts.push(format!("at {}", self.point.join(", ")));
        }
        if parts.is_empty() {
            return String::new();
        }
        format!(" ({})", parts.join(" "))
    }

    /// The failure in words, for people.
    pub fn diagnostic(&self) -> Diagnostic {
        let place = self.place();
        let (code, message, help) = match &self.cause {
            Cause::Halted(halt, names) => match &**halt {
                Halt::Crowded(crowd) => {
                    let (message, help) = crowded(crowd, names);
                    (Code::Crowded, format!("{message}{place}"), help)
                }
                Halt::Outdone => (Code::Crowded, format!("a run was given up{place}"), REQUESTS.to_owned()),
                Halt::Unwanted => (
                    Code::Crowded,
                    format!("cancelled before it was done{place}"),
                    String::new(),
                ),
                Halt::Stalled(at) => (
                    Code::Stalled,
                    format!("the simulated time stands still at {} s{place}", seconds(*at)),
                    STALLED.to_owned(),
                ),
            },
            Cause::Unreachable { fleet, count, p99_ns } => (
                Code::Unreachable,
                format!("no number of instances of `{fleet}` keeps the goals of its `size`{place}"),
                format!(
                    "{count} of them are idle nearly all the time, and yet the p99 is {} ms; ask for a p99 above what \
                     the handler itself takes, or give each instance more slots or a queue",
                    (p99_ns + 500_000) / 1_000_000
                ),
            ),
        };
        Diagnostic::new(code, Span::NOWHERE, message).help(help)
    }

    /// The same in one line.
    pub fn words(&self) -> String {
        let said = self.diagnostic();
        match &said.help {
            Some(help) => format!("{}; {help}", said.message),
            None => said.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Duration;
    use crate::model::parts::budget::Holding;

    #[test]
    fn failures_say_what_happened_and_what_to_do() {
        let words = |variant: &str, halt, names: [&str; 2]| {
            let failure = Failure {
                variant: variant.to_owned(),
                point: Vec::new(),
                cause: Cause::Halted(Box::new(halt), Box::new(names.map(str::to_owned))),
            };
            let diagnostic = failure.diagnostic();
            assert!(diagnostic.help.is_some_and(|help| help.len() > 40));
            diagnostic.message
        };
        let at = Instant(1_500_000_000);
        assert_eq!(
            words("base", Halt::Stalled(at), ["", ""]),
            "the simulated time stands still at 1.5 s"
        );
        let crowd = |holder, growth| {
            Halt::Crowded(Crowd {
                at,
                most: Holding::of::<[u64; 10]>(holder, None, 14_000_000),
                place: None,
                growth,
                allowed: 2 << 30,
                foreseen: false,
            })
        };
        assert_eq!(
            words(
                "large",
                crowd(Holder::Messages, Growth::Steady(1_000_000)),
                ["jobs", ""]
            ),
            "14.0 million messages in the queue `jobs` need more than the 2.0 GB that a run may have: grows by 1.0 \
             million messages a second; stopped at t = 1.500 s (variant `large`)"
        );
        let doubling = Growth::Doubling(Duration::from_millis(1_200));
        assert_eq!(
            words("base", crowd(Holder::Requests, doubling), ["", "f"]),
            "14.0 million requests under way, most of them at `f`, need more than the 2.0 GB that a run may have: \
             doubles every 1.200 s; stopped at t = 1.500 s"
        );
    }
}
