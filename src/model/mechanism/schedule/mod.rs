//! Schedules: what invokes something at times of its own: cron and rate expressions with time zones, and one-off jobs.
//!
//! Model: the instants at which a schedule fires within a run are known when the plan is made. At each of them as many
//! jobs as the schedule has begin, each at its own moment within the flexible window; each hands its target an event
//! and is tried again as `delivery` says. Functions take the event into the queue of their asynchronous invocations.
//! Not modelled: that real schedulers are late by up to a minute without a flexible window; quotas on the rate of
//! invocations; schedules that are made or removed while the simulation runs.
//! Units: nanoseconds since the start of the run, whose date is the run's `start`.
//! Sources: Amazon `EventBridge` Scheduler User Guide ("Schedule types", "Flexible time windows", "Daylight savings
//! time");
//! Amazon `EventBridge` User Guide, "Cron expressions reference".
//! Validated by: hand-computed instants over daylight-saving changes (`scenario::calendar`); traces of jobs and windows
//! (docs/validation.md).

mod metrics;
mod recurrence;

pub use recurrence::{Expression, Recurrence};

use crate::cost::Meter;
use crate::kernel::number::fit;
use crate::kernel::stream::unit;
use crate::kernel::{Duration, Instant, Key, Luck, Purpose, SourceId, Stream, StreamKey};
use crate::model::mechanism::contract::{Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::{Holder, Holding};
use crate::model::request::common::Profile;
use crate::model::request::delivery::{self, ChannelPlan, Deliveries, Delivery, NO_MESSAGE, PolicyPlan, TARGETS};
use crate::model::request::desk::{self, Cx};
use crate::model::request::id::Id;
use crate::model::request::kind::SCHEDULE;
use crate::model::request::lineage::{End, Lineage, meanings};
use crate::model::request::meaning::Meaning;
use crate::scenario::calendar::{Beginning, Zone};
use crate::scenario::cron::Cron;
use crate::scenario::{Block, Code, Field, Kind, Node, Range, Table, Target, read_duration};
use crate::stats::{Observation, Series, SeriesUnit, Value};
use rand::Rng;

/// The fields of a schedule.
pub const TABLE: Table = Table {
    name: "schedule",
    doc: "Invokes its target at times of its own. Exactly one of `cron`, `rate` and `at` says when.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::required("to", Kind::Target(TARGETS), "What it invokes."),
        Field::optional(
            "cron",
            Kind::Text,
            "A cron expression: five classic fields, or the six of EventBridge, such as `0 3 * * *` or \
             `cron(0 3 ? * MON-FRI *)`.",
        ),
        Field::optional(
            "rate",
            Kind::Any,
            "An interval, such as `5 min` or `rate(5 minutes)`; the first time comes one interval after the start of \
             the run, or at `first`.",
        )
        .sample("5 min"),
        Field::optional(
            "at",
            Kind::List(&Kind::Any),
            "One-off jobs: dates with times, such as `2026-01-05T03:00`.",
        )
        .sample("[2026-01-05T03:00]"),
        Field::optional(
            "per_month",
            Kind::Number,
            "With `at`: how often in a month each of them comes, for the bill; once if absent.",
        )
        .within(0.0, 1e6),
        Field::default(
            "time_zone",
            Kind::Text,
            "UTC",
            "The zone that `cron` and `at` are meant in, such as `Europe/Berlin`; daylight saving is kept.",
        ),
        Field::optional(
            "first",
            Kind::Duration,
            "With `rate`: when it first fires, since the start of the run.",
        ),
        Field::default(
            "jobs",
            Kind::Count,
            "1",
            "How many schedules like this there are: each fires each time.",
        )
        .within(1.0, 1_000_000.0),
        Field::default(
            "flexible_window",
            Kind::Duration,
            "0 s",
            "Within this time after the instant each job begins at a moment of its own, all alike.",
        )
        .within(0.0, 86_400e9)
        .source("Amazon EventBridge Scheduler API reference: 1 to 1,440 minutes, or off"),
        Field::default(
            "delivery",
            Kind::Block(&delivery::TABLE),
            "{}",
            "What happens when the target refuses.",
        ),
        Field::optional(
            "dead_letter",
            Kind::Target(&["queues"]),
            "The queue for jobs that are given up.",
        ),
    ],
};

/// When a schedule fires.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    /// At these instants, ascending.
    At(Vec<Duration>),
    /// At the first, and again after each interval.
    Every {
        /// The first.
        first: Duration,
        /// The interval.
        interval: Duration,
    },
}

/// A schedule, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulePlan {
    /// Its number among all components.
    pub component: u32,
    /// Its name's part of every stream key.
    pub name: String,
    /// When it fires.
    pub times: Times,
    /// How often a month has them.
    pub recurrence: Recurrence,
    /// Jobs each time.
    pub jobs: u32,
    /// Over how long their moments are spread.
    pub window: Duration,
    /// The way to its target.
    pub channel: ChannelPlan,
}

impl SchedulePlan {
    /// Reads a schedule of runs that begin then and last so long.
    pub fn read(block: &Block, reading: &Reading) -> Option<Self> {
        let times = read_times(block, reading.clock.start, reading.clock.horizon);
        if block.has("per_month") && !block.has("at") {
            let message = "`per_month` is for one-off jobs, `at`: others come by their expression";
            block.error(Code::Conflict, block.span_of("per_month"), message, "leave it out");
        }
        let policy = block.block("delivery").map(|policy| PolicyPlan::read(&policy))?;
        let to = block.target("to")?;
        Some(Self {
            component: reading.component,
            name: reading.name.to_owned(),
            recurrence: read_recurrence(block, times.as_ref()?, reading.clock.start),
            times: times?,
            jobs: fit(block.count("jobs")),
            window: block.duration("flexible_window"),
            channel: ChannelPlan {
                to,
                policy,
                dead_letter: block.target_opt("dead_letter"),
            },
        })
    }
}

fn read_times(block: &Block, start: Beginning, length: Duration) -> Option<Times> {
    let written: Vec<&str> = ["cron", "rate", "at"]
        .into_iter()
        .filter(|field| block.has(field))
        .collect();
    let zone = Zone::read(block, "time_zone");
    if block.has("first") && !block.has("rate") {
        let message = "`first` says when a rate begins, and there is none";
        block.error(
            Code::Conflict,
            block.span_of("first"),
            message,
            "leave it out, or give a `rate`",
        );
    }
    match written[..] {
        ["rate"] => {
            let interval = read_rate(block);
            let first = block.duration_opt("first").unwrap_or(interval);
            Some(Times::Every { first, interval })
        }
        ["at"] => {
            let instant = |node: &Node| start.read_instant(block.context(), node, &zone, length);
            let mut instants: Vec<Duration> = block.list("at").iter().filter_map(instant).collect();
            instants.sort_unstable();
            Some(Times::At(instants))
        }
        [] => {
            let message = "the schedule does not say when";
            let help = "add `cron: 0 3 * * *`, `rate: 5 min` or `at: 2026-01-05T03:00`";
            block.error(Code::MissingKey, block.span(), message, help);
            None
        }
        [_, second, ..] => {
            let message = format!("`{}` and `{second}` both say when", written[0]);
            block.error(
                Code::Conflict,
                block.span_of(second),
                message,
                "keep one of them, or make two schedules",
            );
            None
        }
        [_] => read_cron(block, start, &zone, length),
    }
}

/// What comes by itself once is said or comes once.
fn read_recurrence(block: &Block, times: &Times, start: Beginning) -> Recurrence {
    match (times, block.text_opt("cron").map(Cron::parse)) {
        (Times::Every { interval, .. }, _) => Recurrence::Always(Expression::Every(*interval)),
        (Times::At(_), Some(Ok(cron))) => {
            let zone = Zone::read(block, "time_zone");
            Recurrence::Always(Expression::cron(cron, zone, start))
        }
        (Times::At(_), _) => Recurrence::Once(block.number_opt("per_month")),
    }
}

fn read_cron(block: &Block, start: Beginning, zone: &Zone, length: Duration) -> Option<Times> {
    let span = block.span_of("cron");
    let cron = match Cron::parse(block.text_opt("cron")?) {
        Ok(cron) => cron,
        Err(message) => {
            let help = "write `minute hour day month weekday`, or `cron(minute hour day month weekday year)`";
            block.error(Code::BadQuantity, span, message, help);
            return None;
        }
    };
    let Some(instants) = start.occurrences(&cron, zone, length) else {
        let help = "make the run shorter, or write it as a `rate`";
        block.error(
            Code::TooMany,
            span,
            "it fires more than a million times in this run",
            help,
        );
        return None;
    };
    if instants.is_empty() {
        let help = "set the run's `start` and `length` so that it does: `run: { start: 2026-01-31 }`";
        block.warn(Code::NoEffect, span, "it does not fire within the run", help);
    }
    Some(Times::At(instants))
}

/// An interval: a duration, or `rate(value unit)`.
fn read_rate(block: &Block) -> Duration {
    /// The least interval: schedulers go by the minute.
    const LEAST: Range = Range::Within(1e9, 31_622_400e9);
    let (cx, Some(node)) = (block.context(), block.node("rate")) else {
        return Duration::from_secs(1);
    };
    let text = node.scalar().unwrap_or("");
    let Some(inner) = text.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')) else {
        return read_duration(cx, node, LEAST);
    };
    let mut words = inner.split_whitespace();
    let value = words
        .next()
        .and_then(|word| word.parse::<u64>().ok())
        .filter(|value| *value > 0);
    let seconds = match words.next().map(|unit| unit.trim_end_matches('s')) {
        Some("minute") => Some(60),
        Some("hour") => Some(3_600),
        Some("day") => Some(86_400),
        _ => None,
    };
    let (Some(value), Some(seconds), None) = (value, seconds, words.next()) else {
        let message = format!("`{text}` is not a rate");
        cx.error(
            Code::BadQuantity,
            node.span,
            message,
            "write `rate(5 minutes)`, with minutes, hours or days",
        );
        return Duration::from_secs(1);
    };
    Duration::from_secs(value.saturating_mul(seconds).min(31_622_400))
}

/// What happens to a schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// It fires.
    Fire {
        /// The schedule.
        schedule: Id<SCHEDULE>,
    },
    /// A job that waits for another try has become too old.
    Expire {
        /// The schedule.
        schedule: Id<SCHEDULE>,
        /// The delivery.
        delivery: u32,
    },
}

crate::kernel::pack::packed!(Event {
    Fire { schedule },
    Expire { schedule, delivery },
});

/// The step of a job's luck that its moment within the flexible window is drawn from.
const WINDOW_STEP: u64 = Purpose::FlexibleWindow.step();

#[derive(Debug)]
struct Schedule {
    source: SourceId,
    /// Which of its plan's instants comes next.
    next: usize,
    dice: Stream,
    deliveries: Deliveries,
    firings: u64,
    jobs: u64,
    window: u64,
    lines: Vec<u64>,
}

/// All schedules.
#[derive(Debug)]
pub struct Schedules {
    state: Vec<Schedule>,
}

/// The event by which a delivery becomes too old.
fn expired(sender: Target, delivery: u32) -> desk::Event {
    let schedule = sender.into();
    Event::Expire { schedule, delivery }.into()
}

impl Mechanism for Schedules {
    const TABLE: &'static Table = &TABLE;
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS, meanings::METRICS];
    type Id = Id<SCHEDULE>;
    type Plan = SchedulePlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<SchedulePlan> {
        SchedulePlan::read(block, reading)
    }

    fn profile(_: &SchedulePlan) -> Profile {
        Profile::default()
    }

    fn callees(_: &SchedulePlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(plan: &SchedulePlan) -> Vec<Sent> {
        vec![Sent::event("what is invoked by", plan.channel.to)]
    }

    fn offer(&mut self, _: &[SchedulePlan], _: Id<SCHEDULE>, _: Key, _: &mut Cx) {
        unreachable!("nobody calls a schedule")
    }

    fn holdings(&self, plan: &[SchedulePlan]) -> Vec<Holding> {
        let schedules = plan.iter().zip(&self.state);
        let holdings = schedules.map(|(spec, state)| {
            let pending = state.deliveries.tally.pending();
            Holding::of::<Delivery>(Holder::Deliveries, Some(spec.component), pending)
        });
        holdings.collect()
    }

    fn held(&self, plan: &[SchedulePlan], hold: &mut dyn FnMut(Lineage, End)) {
        for (spec, state) in plan.iter().zip(&self.state) {
            state.deliveries.held(spec.component, hold);
        }
    }

    fn new(plan: &[SchedulePlan], run: u64, cx: &mut Cx) -> Self {
        let state = |(index, spec): (usize, &SchedulePlan)| Schedule {
            source: cx.agenda.source(),
            next: 0,
            dice: Stream::new(cx.plan.seed, run, StreamKey::new(&spec.name, "jobs")),
            deliveries: Deliveries::new(Id::<SCHEDULE>::new(index).target()),
            firings: 0,
            jobs: 0,
            window: 0,
            lines: Vec::new(),
        };
        let state = plan.iter().enumerate().map(state).collect();
        let mut schedules = Self { state };
        for (index, spec) in plan.iter().enumerate() {
            schedules.state[index].wait(spec, Id::new(index), cx);
        }
        schedules
    }

    fn handle(&mut self, event: Event, plan: &[SchedulePlan], cx: &mut Cx) {
        match event {
            Event::Fire { schedule } => {
                let spec = &plan[usize::from(schedule)];
                let state = &mut self.state[usize::from(schedule)];
                state.wait(spec, schedule, cx);
                state.fire(spec, cx);
            }
            Event::Expire { schedule, delivery } => {
                let spec = &plan[usize::from(schedule)].channel;
                self.state[usize::from(schedule)].deliveries.expire(spec, delivery, cx);
            }
        }
    }

    fn delivered(&mut self, plan: &[SchedulePlan], schedule: Id<SCHEDULE>, delivery: u32, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(schedule)].channel;
        let state = &mut self.state[usize::from(schedule)];
        state.deliveries.answered(spec, delivery, key, expired, cx);
    }

    fn close_window(&mut self, _: &[SchedulePlan], cx: &mut Cx) {
        let now = cx.now();
        for state in &mut self.state {
            state.deliveries.tally.close_window(now);
            state.lines.push(std::mem::take(&mut state.window));
        }
    }

    fn reset(&mut self, plan: &[SchedulePlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.deliveries.tally.reset();
            (state.firings, state.jobs) = (0, 0);
            state.lines.clear();
        }
    }

    fn observe(self, plan: &[SchedulePlan], report: &mut Report) {
        let Report {
            observations: out,
            series,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            let component = spec.component;
            let mut push = |metric, value| {
                out.push(Observation {
                    component,
                    metric,
                    value,
                });
            };
            push("fired", Value::Count(state.firings));
            for (metric, value) in state.deliveries.tally.observe() {
                push(metric, value);
            }
            series.push(Series {
                component,
                metric: "jobs",
                unit: SeriesUnit::Count,
                values: state.lines.iter().map(|n| *n as f64).collect(),
            });
            meters[component as usize].add(Meter::Requests, state.jobs);
        }
    }
}

impl Schedule {
    /// Puts the next instant on the agenda, if there is one.
    fn wait(&mut self, spec: &SchedulePlan, schedule: Id<SCHEDULE>, cx: &mut Cx) {
        let since = match &spec.times {
            Times::At(instants) => instants.get(self.next).copied(),
            Times::Every { first, interval } => {
                let after = (self.next as u64)
                    .checked_mul(interval.0)
                    .and_then(|ns| ns.checked_add(first.0));
                after.map(Duration)
            }
        };
        self.next += 1;
        if let Some(since) = since.filter(|since| *since < Duration::FOREVER) {
            let event = Event::Fire { schedule };
            cx.agenda.next_arrival(self.source, Instant::ZERO + since, event.into());
        }
    }

    /// Begins the jobs of an instant.
    fn fire(&mut self, spec: &SchedulePlan, cx: &mut Cx) {
        let now = cx.now();
        self.firings += 1;
        self.jobs += u64::from(spec.jobs);
        self.window += u64::from(spec.jobs);
        for _ in 0..spec.jobs {
            let luck = Luck(self.dice.next_u64());
            let delay = Duration::from_nanos_f64(unit(&mut luck.dice(WINDOW_STEP)) * spec.window.0 as f64);
            let delivery = Delivery {
                published: now + delay,
                luck,
                message: NO_MESSAGE,
                of: cx.requests.lineages.arrive(spec.component, now),
                ..Delivery::default()
            };
            self.deliveries.begin(&spec.channel, delivery, delay, expired, cx);
        }
    }
}
