//! External services: anything that somebody else runs and that answers after a while, up to a quota, for a price.
//!
//! Model: a call takes a token from a bucket of calls and as many as it has items (tokens, images, messages) from a
//! bucket of items, and one of the calls at once that the service allows; without them it is refused at once (429). It
//! is answered after a latency of its own, one for each item and one for each call under way, well or badly. Bad
//! answers cost nothing.
//! Not modelled: what the service does inside; quotas that are shared with others or raised on request; retry-after;
//! prices by user or by month.
//! Units: calls and items a second; prices in US dollars per call and per item.
//! Sources: the quotas and prices of each service in its catalog file.
//! Validated by: M/D/1/K for its bucket, Erlang B for its calls at once (tests/theory/stores.rs), traces by hand; the
//! collapse of a service that slows down under load (tests/theory/overload.rs).

mod metrics;

use crate::cost::Meter;
use crate::kernel::number::whole;
use crate::kernel::stream::chance;
use crate::kernel::{Class, Duration, Instant, Key, Sampler};
use crate::model::mechanism::contract::{Harm, Mechanism, Reading, Report, Sent};
use crate::model::parts::budget::Holding;
use crate::model::parts::places::Places;
use crate::model::parts::token_bucket::TokenBucket;
use crate::model::request::common::Profile;
use crate::model::request::desk::Cx;
use crate::model::request::entry::{Cause, Status};
use crate::model::request::fault::{Change, Quota};
use crate::model::request::hits::Limit;
use crate::model::request::id::Id;
use crate::model::request::kind::EXTERNAL;
use crate::model::request::lineage::{End, Lineage};
use crate::model::request::meaning::Meaning;
use crate::scenario::{Block, Code, Field, Kind, Table, Target};
use crate::stats::{Gauge, Observation, Series, SeriesUnit, Value, WindowLatency, WindowStats};

/// How calls can fail.
const FAILURES: &[&str] = &["500", "503", "504"];
/// The same as statuses.
const FAILURE_STATUS: [Status; 3] = [Status::Failed, Status::Unavailable, Status::GatewayTimeout];

/// The fields of an external service.
pub const TABLE: Table = Table {
    name: "external",
    doc: "A managed or third-party service: a latency, quotas, a probability of failure and a price for each call.",
    fields: &[
        Field::optional(
            "service",
            Kind::Text,
            "The catalog entry that gives defaults and prices.",
        ),
        Field::default("latency", Kind::Sampler, "0 ms", "From a call to its answer."),
        Field::default(
            "latency_per_item",
            Kind::Sampler,
            "0 ms",
            "The same for each item of a call on top, drawn once for a call.",
        ),
        Field::default(
            "latency_per_call_under_way",
            Kind::Duration,
            "0 ms",
            "The same for each call under way when it comes, itself included: a service that slows down under load.",
        ),
        Field::optional("rate", Kind::Rate, "Quota: calls a second; any number if absent.").positive(),
        Field::optional(
            "burst",
            Kind::Count,
            "Calls that may come at once; those of one second if absent.",
        )
        .at_least(1.0),
        Field::optional("item_rate", Kind::Rate, "Quota: items a second; any number if absent.").positive(),
        Field::optional(
            "item_burst",
            Kind::Count,
            "Items that may come at once; those of one second if absent.",
        )
        .at_least(1.0),
        Field::optional(
            "maximum_concurrency",
            Kind::Count,
            "Quota: calls under way at the same time; any number if absent.",
        )
        .at_least(1.0),
        Field::default(
            "failure",
            Kind::Share,
            "0%",
            "Probability that a call is answered badly.",
        ),
        Field::default(
            "status_on_failure",
            Kind::Choice(FAILURES),
            "500",
            "What callers hear then.",
        ),
        Field::default(
            "minimum_items",
            Kind::Count,
            "1",
            "Items that a call is billed for at least.",
        ),
        Field::optional(
            "price",
            Kind::Money,
            "Dollars for each call that is answered well, instead of the price book's.",
        )
        .at_least(0.0),
        Field::optional(
            "price_per_item",
            Kind::Money,
            "Dollars for each of its items, instead of the price book's.",
        )
        .at_least(0.0),
    ],
};

/// An external service, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalPlan {
    /// Its number among all components.
    pub component: u32,
    /// From a call to its answer.
    pub latency: Sampler,
    /// The same for each item on top.
    pub latency_per_item: Sampler,
    /// The same for each call under way.
    pub latency_per_call: Duration,
    /// Calls a second, and at once.
    pub calls: Option<(f64, f64)>,
    /// Items a second, and at once.
    pub items: Option<(f64, f64)>,
    /// Calls under way at the same time.
    pub concurrency: u64,
    /// Probability of a bad answer.
    pub failure: f64,
    /// What callers hear then.
    pub on_failure: Status,
    /// Items that a call is billed for at least.
    pub minimum_items: u64,
}

impl ExternalPlan {
    /// Reads an external service.
    pub fn read(block: &Block, component: u32) -> Self {
        let quota = |rate: &str, burst: &str| {
            let per_second = block.rate_opt(rate);
            if per_second.is_none() && block.has(burst) {
                let message = format!("`{burst}` without `{rate}` limits nothing");
                let help = format!("add `{rate}`, or leave `{burst}` out");
                block.error(Code::MissingKey, block.span_of(burst), message, help);
            }
            let at_once = block.count_opt(burst).map(|count| count as f64);
            per_second.map(|rate| (rate, at_once.unwrap_or(rate.max(1.0))))
        };
        Self {
            component,
            latency: block.sampler("latency"),
            latency_per_item: block.sampler("latency_per_item"),
            latency_per_call: block.duration("latency_per_call_under_way"),
            calls: quota("rate", "burst"),
            items: quota("item_rate", "item_burst"),
            concurrency: block.count_opt("maximum_concurrency").unwrap_or(u64::MAX),
            failure: block.share("failure"),
            on_failure: FAILURE_STATUS[block.choice("status_on_failure")],
            minimum_items: block.count("minimum_items"),
        }
    }
}

/// The attributes under which a scenario's own prices reach the bill.
pub const PRICES: [&str; 2] = ["price", "price_per_item"];

/// What selects among a service's prices, its own ones included.
pub fn attributes(block: &Block) -> Vec<(String, String)> {
    let own = |field: &str| {
        let dollars = block.money_opt(field)?;
        // The digits as written; prices have twelve decimals at most.
        let shortest = dollars.to_string();
        let decimals = shortest.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let text = if decimals > 12 {
            format!("{dollars:.12}")
        } else {
            shortest
        };
        Some((field.to_owned(), text))
    };
    PRICES.iter().filter_map(|field| own(field)).collect()
}

/// What happens to an external service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A call is answered.
    Done {
        /// The call.
        request: Key,
    },
}

crate::kernel::pack::packed!(Event {
    Done { request },
});

/// Steps of a luck, far from those of handlers and other mechanisms.
mod step {
    use crate::kernel::Purpose;

    pub const LATENCY: u64 = Purpose::ExternalLatency.step();
    pub const PER_ITEM: u64 = Purpose::ExternalPerItem.step();
    pub const FAILURE: u64 = Purpose::ExternalFailure.step();
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Call {
    arrived: Instant,
    items: u64,
}

/// What is counted per window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    done: u64,
    failed: u64,
    throttled_rate: u64,
    throttled_concurrency: u64,
    items_billed: u64,
    under_way: u128,
    under_way_peak: u64,
    length_ns: u64,
}

impl Window {
    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.failed += other.failed;
        self.throttled_rate += other.throttled_rate;
        self.throttled_concurrency += other.throttled_concurrency;
        self.items_billed += other.items_billed;
        self.under_way += other.under_way;
        self.under_way_peak = self.under_way_peak.max(other.under_way_peak);
        self.length_ns += other.length_ns;
    }

    fn throttled(&self) -> u64 {
        self.throttled_rate + self.throttled_concurrency
    }
}

/// One external service while the simulation runs.
#[derive(Debug)]
struct External {
    calls: Option<TokenBucket>,
    items: Option<TokenBucket>,
    item_burst: u64,
    /// Calls at once, at most, now.
    concurrency: u64,
    /// How many times longer a call takes now.
    slow: f64,
    under_way: Gauge,
    latency: WindowLatency,
    window: Window,
    total: Window,
    lines: Vec<Window>,
    window_began: Instant,
}

/// All external services.
#[derive(Debug)]
pub struct Externals {
    state: Vec<External>,
    under_way: Places<Call>,
}

impl Mechanism for Externals {
    const TABLE: &'static Table = &TABLE;
    const HARM: Harm = Harm {
        slow: true,
        quotas: &[
            ("rate", Quota::Rate),
            ("maximum_concurrency", Quota::MaximumConcurrency),
        ],
        ..Harm::NONE
    };
    const METRICS: &'static [&'static [Meaning]] = &[metrics::METRICS];
    type Id = Id<EXTERNAL>;
    type Plan = ExternalPlan;
    type Event = Event;

    fn read(block: &Block, reading: &mut Reading) -> Option<ExternalPlan> {
        reading.attributes.extend(attributes(block));
        Some(ExternalPlan::read(block, reading.component))
    }

    fn profile(_: &ExternalPlan) -> Profile {
        Profile::default()
    }

    fn callees(_: &ExternalPlan) -> Vec<Target> {
        Vec::new()
    }

    fn sends(_: &ExternalPlan) -> Vec<Sent> {
        Vec::new()
    }

    fn usual(plan: &ExternalPlan, quota: Quota) -> Option<f64> {
        if quota == Quota::Rate {
            return plan.calls.map(|calls| calls.0);
        }
        (plan.concurrency < u64::MAX).then_some(plan.concurrency as f64)
    }

    fn holdings(&self, _: &[ExternalPlan]) -> Vec<Holding> {
        Vec::new()
    }

    /// All that they have is requests in flight.
    fn held(&self, _: &[ExternalPlan], _: &mut dyn FnMut(Lineage, End)) {}

    fn new(plan: &[ExternalPlan], _: u64, _: &mut Cx) -> Self {
        let bucket = |quota: Option<(f64, f64)>| quota.map(|(rate, burst)| TokenBucket::new(rate, burst));
        let state = |spec: &ExternalPlan| External {
            calls: bucket(spec.calls),
            items: bucket(spec.items),
            item_burst: spec.items.map_or(u64::MAX, |(_, burst)| whole(burst)),
            concurrency: spec.concurrency,
            slow: 1.0,
            under_way: Gauge::new(),
            latency: WindowLatency::new(),
            window: Window::default(),
            total: Window::default(),
            lines: Vec::new(),
            window_began: Instant::ZERO,
        };
        Self {
            state: plan.iter().map(state).collect(),
            under_way: Places::new(),
        }
    }

    #[inline]
    fn offer(&mut self, plan: &[ExternalPlan], external: Id<EXTERNAL>, key: Key, cx: &mut Cx) {
        let spec = &plan[usize::from(external)];
        let state = &mut self.state[usize::from(external)];
        let now = cx.now();
        let items = cx.plan.call(key, &cx.requests).map_or(1, |call| call.operation.items);
        if state.under_way.level() >= state.concurrency {
            state.window.throttled_concurrency += 1;
            cx.hit(Limit::ExternalConcurrency, external.target(), key);
            return cx.reply(key, Status::Throttled);
        }
        // A call with more items than there ever are takes all of them.
        let tokens = items.min(state.item_burst);
        let holds = |bucket: &Option<TokenBucket>, n| bucket.as_ref().is_none_or(|bucket| bucket.holds(now, n));
        if !holds(&state.calls, 1) || !holds(&state.items, tokens) {
            state.window.throttled_rate += 1;
            cx.hit(Limit::ExternalRate, external.target(), key);
            return cx.reply(key, Status::Throttled);
        }
        for (bucket, n) in [(&mut state.calls, 1), (&mut state.items, tokens)] {
            if let Some(bucket) = bucket {
                bucket.take(now, n);
            }
        }
        state.under_way.add(now.0, 1);
        let entry = &mut cx.requests[key];
        entry.taken_by(external.target());
        entry.frame.instance = self.under_way.insert(Call { arrived: now, items });
        let mut takes = spec.latency.value(&mut entry.luck.dice(step::LATENCY));
        if !spec.latency_per_item.is_zero() {
            takes += items as f64 * spec.latency_per_item.value(&mut entry.luck.dice(step::PER_ITEM));
        }
        takes += state.under_way.level() as f64 * spec.latency_per_call.0 as f64;
        let event = Event::Done { request: key };
        cx.at(
            now + Duration::from_nanos_f64(takes * state.slow),
            Class::Release,
            event,
        );
    }

    fn change(&mut self, plan: &[ExternalPlan], external: Id<EXTERNAL>, change: Change, cx: &mut Cx) {
        let spec = &plan[usize::from(external)];
        let state = &mut self.state[usize::from(external)];
        match (change, &mut state.calls, spec.calls) {
            (Change::Slow(factor), ..) => state.slow = factor,
            (Change::Lower(Quota::MaximumConcurrency, to), ..) => {
                state.concurrency = to.map_or(spec.concurrency, |to| spec.concurrency.min(whole(to)));
            }
            (Change::Lower(_, to), Some(bucket), Some((rate, burst))) => {
                bucket.change(cx.now(), to.map_or(rate, |to| rate.min(to)), burst);
            }
            _ => {}
        }
    }

    fn handle(&mut self, event: Event, plan: &[ExternalPlan], cx: &mut Cx) {
        let Event::Done { request } = event;
        let now = cx.now();
        let entry = &mut cx.requests[request];
        entry.spend_until(Cause::Waiting, now);
        let external = usize::from(entry.worker_id::<EXTERNAL>());
        let spec = &plan[external];
        let call = self.under_way.take(entry.frame.instance);
        let state = &mut self.state[external];
        state.under_way.add(now.0, -1);
        state.latency.record(now.since(call.arrived).0);
        state.window.done += 1;
        if chance(&mut entry.luck.dice(step::FAILURE), spec.failure) {
            state.window.failed += 1;
            return cx.reply(request, spec.on_failure);
        }
        state.window.items_billed += call.items.max(spec.minimum_items);
        cx.reply(request, Status::Ok);
    }

    fn close_window(&mut self, _: &[ExternalPlan], cx: &mut Cx) {
        let now = cx.now();
        for state in &mut self.state {
            let window = &mut state.window;
            window.length_ns = now.since(state.window_began).0;
            (window.under_way, window.under_way_peak) = state.under_way.flush(now.0);
            state.window_began = now;
            state.total.add(window);
            state.latency.close_window();
            state.lines.push(std::mem::take(window));
        }
    }

    fn reset(&mut self, plan: &[ExternalPlan], cx: &mut Cx) {
        self.close_window(plan, cx);
        for state in &mut self.state {
            state.total = Window::default();
            state.lines.clear();
            state.latency.reset();
            state.under_way.forget_levels();
        }
    }

    fn observe(self, plan: &[ExternalPlan], report: &mut Report) {
        let Report {
            window,
            observations: out,
            series,
            meters,
            ..
        } = report;
        for (spec, state) in plan.iter().zip(self.state) {
            let total = state.total;
            let meters = &mut meters[spec.component as usize];
            meters.add(Meter::Requests, total.done - total.failed);
            meters.add(Meter::Items, total.items_billed);
            observe_whole(spec.component, &total, out);
            out.push(Observation {
                component: spec.component,
                metric: "concurrency",
                value: state.under_way.levels(),
            });
            state.observe_windows(spec.component, *window, out, series);
        }
    }
}

fn observe_whole(component: u32, total: &Window, out: &mut Vec<Observation>) {
    let mut push = |metric, value| {
        out.push(Observation {
            component,
            metric,
            value,
        });
    };
    push("calls", Value::Count(total.done));
    push("failed", Value::Count(total.failed));
    push("items", Value::Count(total.items_billed));
    push("throttled", Value::Count(total.throttled()));
    push("throttled_rate", Value::Count(total.throttled_rate));
    push("throttled_concurrency", Value::Count(total.throttled_concurrency));
    push(
        "throttle_ratio",
        Value::Ratio {
            part: total.throttled(),
            whole: total.throttled() + total.done,
        },
    );
    push(
        "concurrency",
        Value::TimeMean {
            area: total.under_way,
            over_ns: total.length_ns,
        },
    );
    push("concurrency.peak", Value::Peak(total.under_way_peak));
}

impl External {
    fn observe_windows(self, component: u32, window: Duration, out: &mut Vec<Observation>, series: &mut Vec<Series>) {
        let (latency, lines, worst) = self.latency.finish();
        for (metric, histogram) in [("latency", latency), ("latency.p99.worst_window", worst)] {
            out.push(Observation {
                component,
                metric,
                value: Value::Latency(Box::new(histogram)),
            });
        }
        let mut line = |metric, unit, values: Vec<f64>| {
            series.push(Series {
                component,
                metric,
                unit,
                values,
            });
        };
        let ns = SeriesUnit::Nanoseconds;
        line("latency.p50", ns, WindowStats::line(&lines, |w| w.p50_ns));
        line("latency.p99", ns, WindowStats::line(&lines, |w| w.p99_ns));
        let seconds = window.as_secs_f64();
        let mut each = |metric, unit, value: &dyn Fn(&Window) -> f64| {
            line(metric, unit, self.lines.iter().map(value).collect());
        };
        each("calls", SeriesUnit::PerSecond, &|w| w.done as f64 / seconds);
        each("failed", SeriesUnit::Count, &|w| w.failed as f64);
        each("throttled", SeriesUnit::Count, &|w| w.throttled() as f64);
        each("concurrency", SeriesUnit::Level, &|w| {
            w.under_way as f64 / (w.length_ns as f64).max(1.0)
        });
    }
}
