//! Clients as scenarios write them.

use super::arrivals::{ArrivalPlan, Piece, RateCurve, Spike};
use super::counts::read_counts;
use super::diurnal::{DIURNAL, read_diurnal};
use super::path::PathMetrics;
use super::recorded::{COUNTS, TIMES, read_times};
use super::{ClientPlan, Load};
use crate::kernel::number::fit;
use crate::kernel::{Duration, Sampler};
use crate::model::mechanism::contract::Reading;
use crate::model::parts::clock::Clock;
use crate::model::parts::shares::cumulative;
use crate::model::request::baggage::{self, Criticality};
use crate::model::request::guard::{self, Guarding, breaker};
use crate::model::request::kind::CALLABLE;
use crate::model::request::payload;
use crate::model::request::retry::RetryPolicy;
use crate::scenario::{Block, Code, Context, Field, Kind, Node, Range, Table, read_number};

const BURSTY: Table = Table {
    name: "bursty arrivals",
    doc: "On/off traffic: a Markov-modulated Poisson process with two states.",
    fields: &[
        Field::required("on", Kind::Rate, "Rate while on."),
        Field::default("off", Kind::Rate, "0/s", "Rate while off."),
        Field::required("on_for", Kind::Duration, "Mean length of an on period (exponential).").positive(),
        Field::required("off_for", Kind::Duration, "Mean length of an off period (exponential).").positive(),
    ],
};

const STATE: Table = Table {
    name: "traffic state",
    doc: "A state of a Markov-modulated Poisson process; states follow one another in turn.",
    fields: &[
        Field::required("rate", Kind::Rate, "Rate in this state."),
        Field::required("stay", Kind::Duration, "Mean stay (exponential).").positive(),
    ],
};

const POINT: Table = Table {
    name: "rate from an instant on",
    doc: "From this instant on the rate is this, until the next entry.",
    fields: &[
        Field::required("at", Kind::Duration, "When, since the start of the run."),
        Field::required("rate", Kind::Rate, "Arrivals per time from then on."),
        Field::default(
            "ramp",
            Kind::Flag,
            "false",
            "Whether the rate changes linearly from the entry before to this.",
        ),
    ],
};

const SPIKE: Table = Table {
    name: "spike",
    doc: "For a while the rate is this instead.",
    fields: &[
        Field::required("at", Kind::Duration, "When it begins, since the start of the run."),
        Field::required("for", Kind::Duration, "How long it lasts.").positive(),
        Field::required("rate", Kind::Rate, "The rate during it."),
        Field::optional(
            "per_month",
            Kind::Number,
            "How often it comes in a month, for the bill; once if absent.",
        )
        .within(0.0, 1e6),
    ],
};

/// The fields of an arrival process.
pub const ARRIVALS: Table = Table {
    name: "arrivals",
    doc: "When requests come: exactly one of the processes, and what is laid over it.",
    fields: &[
        Field::optional("constant", Kind::Rate, "Equally spaced."),
        Field::optional("poisson", Kind::Rate, "At random: a Poisson process."),
        Field::optional("bursty", Kind::Block(&BURSTY), "On/off traffic."),
        Field::optional(
            "modulated",
            Kind::List(&Kind::Block(&STATE)),
            "Several states, each a Poisson process.",
        ),
        Field::optional(
            "rates",
            Kind::List(&Kind::Block(&POINT)),
            "A Poisson process whose rate changes by steps or ramps.",
        ),
        Field::optional(
            "diurnal",
            Kind::Block(&DIURNAL),
            "A Poisson process by hour and weekday.",
        ),
        Field::optional(
            "gaps",
            Kind::Sampler,
            "Gaps of this distribution, each independent of the others: `{ gamma: { mean: 100 ms, cv: 2 } }`.",
        ),
        Field::optional("times", Kind::Block(&TIMES), "Replay of times."),
        Field::optional("counts", Kind::Block(&COUNTS), "Replay of counts per interval."),
        Field::optional(
            "repeat",
            Kind::Duration,
            "With `rates`: after how long they begin again.",
        )
        .positive(),
        Field::optional(
            "per_month",
            Kind::Number,
            "With `rates` that change for good: how often that comes in a month, for the bill; once if absent.",
        )
        .within(0.0, 1e6),
        Field::optional(
            "spikes",
            Kind::List(&Kind::Block(&SPIKE)),
            "Spikes over constant, poisson, rates or diurnal.",
        ),
        Field::optional(
            "batch",
            Kind::Any,
            "Requests per arrival: a number, or a distribution such as `{ mean: 5, cv: 1 }`.",
        )
        .sample("5"),
    ],
};

/// The processes among the fields of [`ARRIVALS`].
const PROCESSES: [&str; 9] = [
    "constant",
    "poisson",
    "bursty",
    "modulated",
    "rates",
    "diurnal",
    "gaps",
    "times",
    "counts",
];

const USERS: Table = Table {
    name: "users",
    doc: "A closed client: users who send, wait for the answer, think, and send again.",
    fields: &[
        Field::required("count", Kind::Count, "How many.").within(1.0, 10_000_000.0),
        Field::default("think", Kind::Sampler, "1 s", "How long they think after an answer.")
            .source("assumed; give your own"),
    ],
};

/// The fields of a client.
pub const TABLE: Table = Table {
    name: "client",
    doc: "Where requests come from.",
    fields: &[
        Field::required("to", Kind::Target(CALLABLE), "Where they go."),
        Field::optional(
            "arrivals",
            Kind::Block(&ARRIVALS),
            "Open traffic: requests come whatever happens to the others.",
        ),
        Field::optional(
            "users",
            Kind::Block(&USERS),
            "Closed traffic: a number of users who wait for each answer.",
        ),
        Field::optional(
            "timeout",
            Kind::Duration,
            "When it gives up on an attempt; never if absent.",
        )
        .positive(),
        Field::default(
            "retry",
            Kind::Any,
            "none",
            "How it tries again: a policy's name, or a block.",
        ),
        Field::optional(
            "breaker",
            Kind::Block(&breaker::TABLE),
            "A circuit breaker in front of what it calls.",
        ),
        Field::optional(
            "hedge",
            Kind::Block(&guard::HEDGE),
            "When it sends an attempt a second time.",
        ),
        baggage::FIELD,
        Field::default(
            "network",
            Kind::Sampler,
            "0 ms",
            "Round-trip time between client and system.",
        ),
        payload::PAYLOAD,
        payload::PAYLOAD_P99,
        Field::default(
            "background",
            Kind::Flag,
            "false",
            "Whether nobody waits for its answers: they are left out of the latency of the whole system.",
        ),
        Field::optional(
            "paths",
            Kind::Map(&Kind::Number),
            "What it asks for: weights by path, for gateways that route.",
        ),
    ],
};

impl ClientPlan {
    /// Reads a client. `paths` numbers the paths that gateways route by.
    pub fn read(block: &Block, reading: &Reading) -> Option<Self> {
        let cx = block.context();
        let load = match (block.block("arrivals"), block.block("users")) {
            (Some(arrivals), None) => read_arrivals(&arrivals, &reading.clock),
            (None, Some(users)) => Some(Load::Closed {
                users: fit(users.count("count")),
                think: users.sampler("think"),
            }),
            (both, _) => {
                let message = if both.is_some() {
                    "a client is open or closed, not both"
                } else {
                    "nobody sends"
                };
                let help = "write either `arrivals: { poisson: 100/s }` (open) or `users: { count: 100 }` (closed)";
                block.error(Code::NotOneKey, block.span(), message, help);
                None
            }
        };
        let to = block.target("to")?;
        let recorded = block.node("arrivals").and_then(|arrivals| arrivals.get("times"));
        if block.has("payload") && recorded.is_some_and(|times| times.get("size").is_some()) {
            let message = "the sizes of its requests are recorded, and given here as well";
            block.error(Code::Conflict, block.span_of("payload"), message, "keep one of them");
        }
        let tireless = matches!(&load, Some(Load::Closed { think, .. }) if think.is_zero());
        if tireless && block.has("breaker") {
            let message =
                "users who do not think would call again at the same instant for ever while the breaker is open";
            let help = "give them time: `users: { count: 100, think: 1 s }`";
            block.error(Code::Inconsistent, block.span_of("breaker"), message, help);
        }
        Some(Self {
            component: reading.component,
            name: reading.name.to_owned(),
            to,
            load: load?,
            timeout: block.duration_opt("timeout").unwrap_or(Duration::FOREVER),
            retry: block
                .node("retry")
                .map_or(RetryPolicy::NONE, |node| RetryPolicy::read(cx, node)),
            guarding: Guarding::read(block, to),
            guard: None,
            careful: false,
            follows: false,
            criticality: Criticality::ALL[block.choice("criticality")],
            network: block.sampler("network"),
            payload: payload::read(block),
            background: block.flag("background"),
            paths: read_paths(block, reading.paths),
            path_metrics: block
                .entries("paths")
                .iter()
                .map(|(key, _)| PathMetrics::of(&key.text))
                .collect(),
        })
    }
}

fn read_paths(block: &Block, paths: &[String]) -> Vec<(f64, u16)> {
    let cx = block.context();
    let weights: Vec<(f64, u16)> = block
        .entries("paths")
        .iter()
        .map(|(key, node)| {
            let number = paths.iter().position(|path| *path == key.text).unwrap_or(0);
            (read_number(cx, node, Range::AtLeast(0.0)), fit(number))
        })
        .collect();
    cumulative(&weights)
}

fn read_arrivals(block: &Block, clock: &Clock) -> Option<Load> {
    let cx = block.context();
    let written: Vec<&str> = PROCESSES.into_iter().filter(|name| block.has(name)).collect();
    if written.is_empty() && block.has_strange_keys() {
        // What is unknown has been reported, and is probably what was meant.
        return None;
    }
    if written.len() != 1 {
        let message = match written.as_slice() {
            [] => "no arrival process".to_owned(),
            several => format!("several arrival processes: {}", several.join(", ")),
        };
        let help = "write exactly one, such as `poisson: 100/s`; a variant removes another with `constant: null`";
        block.error(Code::NotOneKey, block.span(), message, help);
        return None;
    }
    let plan = match written[0] {
        "constant" => ArrivalPlan::Constant(RateCurve::constant(block.rate_opt("constant")?)),
        "poisson" => ArrivalPlan::Poisson(RateCurve::constant(block.rate_opt("poisson")?)),
        "bursty" => {
            let bursty = block.block("bursty")?;
            let state = |rate: &str, stay: &str| (bursty.rate(rate) / 1e9, bursty.duration(stay).0 as f64);
            ArrivalPlan::Modulated(vec![state("on", "on_for"), state("off", "off_for")])
        }
        "modulated" => {
            let state = |node: &Node| {
                let state = Block::new(cx, node, &STATE);
                (state.rate("rate") / 1e9, state.duration("stay").0 as f64)
            };
            let states: Vec<_> = block.list("modulated").iter().map(state).collect();
            (!states.is_empty()).then_some(ArrivalPlan::Modulated(states))?
        }
        "rates" => ArrivalPlan::Poisson(read_rates(block)?),
        "diurnal" => ArrivalPlan::Poisson(read_diurnal(&block.block("diurnal")?, clock)),
        "gaps" => ArrivalPlan::Gaps(read_gaps(block)?),
        "times" => read_times(&block.block("times")?, clock)?,
        _ => read_counts(&block.block("counts")?, clock)?,
    };
    if block.has("per_month") && (written[0] != "rates" || block.has("repeat")) {
        let message = "`per_month` says how often `rates` come that do not repeat";
        let help = "leave it out; a spike has its own: `spikes: [{ at: 5 min, for: 1 min, rate: 9/s, per_month: 4 }]`";
        block.error(Code::Conflict, block.span_of("per_month"), message, help);
    }
    let plan = lay_spikes(block, plan, clock.horizon);
    Some(Load::Open {
        arrivals: plan,
        batch: block.node("batch").map(|node| read_batch(cx, node)),
        per_month: block.number_opt("per_month"),
    })
}

/// The shortest mean gap: shorter ones are batches.
const GAP_MIN_NS: f64 = 10.0;

fn read_gaps(block: &Block) -> Option<Sampler> {
    let gaps = block.sampler_opt("gaps")?;
    if gaps.mean() >= GAP_MIN_NS {
        return Some(gaps);
    }
    let message = "the mean gap is less than 10 ns: arrivals would come without end";
    let help = "give a longer one, or bring several requests at once with `batch`";
    block.error(Code::OutOfRange, block.span_of("gaps"), message, help);
    None
}

/// Requests of one arrival at most; larger draws are cut off to it.
pub const BATCH_MAX: u64 = 1_000_000;

/// A size of batches: numbers are read as if they were nanoseconds, so that every distribution can be written.
fn read_batch(cx: &Context, node: &Node) -> Sampler {
    if node.scalar().is_some() {
        return Sampler::Constant(read_number(cx, node, Range::Within(0.0, BATCH_MAX as f64)));
    }
    let table = Block::new(cx, node, &BATCH);
    let mean = table.number("mean");
    match table.number("cv") {
        cv if cv > 0.0 => Sampler::lognormal_mean_cv(mean.max(f64::MIN_POSITIVE), cv),
        _ => Sampler::Constant(mean),
    }
}

/// The fields of a size of batches that is written out.
pub const BATCH: Table = Table {
    name: "batch",
    doc: "How many requests an arrival brings: log-normal, rounded to the nearest.",
    fields: &[
        Field::required("mean", Kind::Number, "The mean.").within(0.001, BATCH_MAX as f64),
        Field::default("cv", Kind::Number, "0", "Coefficient of variation.").within(0.0, 1000.0),
    ],
};

fn read_rates(block: &Block) -> Option<RateCurve> {
    let cx = block.context();
    let mut points = Vec::new();
    for node in block.list("rates") {
        let point = Block::new(cx, node, &POINT);
        let (at, rate) = (point.duration("at"), point.rate("rate") / 1e9);
        if points.last().is_some_and(|&(before, _, _)| at <= before) {
            let message = "the instants of `rates` must ascend";
            cx.error(
                Code::OutOfRange,
                point.span_of("at"),
                message,
                "sort the entries by `at`",
            );
            return None;
        }
        points.push((at, rate, point.flag("ramp")));
    }
    let end = block.duration_opt("repeat");
    let mut pieces = Vec::new();
    let (mut at, mut rate) = (Duration::ZERO, 0.0);
    for (next, next_rate, ramp) in points {
        pieces.push(Piece {
            length_ns: (next - at).0,
            from: rate,
            to: if ramp { next_rate } else { rate },
        });
        (at, rate) = (next, next_rate);
    }
    match end {
        Some(end) if end <= at => {
            let message = "`repeat` must come after the last of `rates`";
            cx.error(
                Code::OutOfRange,
                block.span_of("repeat"),
                message,
                "make it longer, or leave it out",
            );
            return None;
        }
        Some(end) => pieces.push(Piece {
            length_ns: (end - at).0,
            from: rate,
            to: rate,
        }),
        None => pieces.push(Piece {
            length_ns: 1,
            from: rate,
            to: rate,
        }),
    }
    Some(RateCurve::new(pieces, end.is_some()))
}

fn lay_spikes(block: &Block, plan: ArrivalPlan, length: Duration) -> ArrivalPlan {
    let cx = block.context();
    let spikes = block.list("spikes");
    if spikes.is_empty() {
        return plan;
    }
    let lay = |curve: RateCurve| {
        spikes.iter().fold(curve, |curve, node| {
            let block = Block::new(cx, node, &SPIKE);
            let spike = Spike {
                at: block.duration("at"),
                during: block.duration("for"),
                per_second: block.rate("rate"),
                per_month: block.number_opt("per_month"),
            };
            curve.with_spike(spike, length)
        })
    };
    match plan {
        ArrivalPlan::Constant(curve) => ArrivalPlan::Constant(lay(curve)),
        ArrivalPlan::Poisson(curve) => ArrivalPlan::Poisson(lay(curve)),
        other => {
            let message = "spikes go over `constant`, `poisson`, `rates` or `diurnal` only";
            cx.error(
                Code::Conflict,
                block.span_of("spikes"),
                message,
                "add a second client for the spike",
            );
            other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_batch_sizes_come_as_they_are_written() {
        assert_eq!(cumulative(&[(1.0, 'a'), (3.0, 'b')]), [(0.25, 'a'), (1.0, 'b')]);
    }
}
