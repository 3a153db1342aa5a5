//! What a `coldcurve run` found out: plain data, filled by the run layer and printed by `report`.
//!
//! This is also the shape of `summary.json`. It is versioned by [`SCHEMA`]: fields may be added under the same
//! number, but a field that changes its name, unit or meaning raises it. Nothing here depends on the machine, the
//! number of threads or the time of day, so that equal inputs give equal bytes.
//!
//! Units: durations in seconds, money in dollars, sizes in bytes, shares between 0 and 1. A number that does not exist
//! (the p99 of a window in which nothing completed) is NaN here and `null` in JSON.

pub use super::expectation::{ExpectationResult, Outcome};
pub use super::inventory::{EpisodeSummary, SizedFleet, Source};

use super::answer::Answer;
use super::assumptions::Assumption;
use super::coarse::Coarser;
use super::happenings::Happening;
use super::json_numbers::{nan_as_null, nans_as_null, open_interval};
use super::ledger::Ledger;
use super::promise::Promise;
use super::services::ServiceRef;
use super::verdict::{Loss, Regime, Verdict};
use crate::stats::figure::Side;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the `summary.json` layout.
pub const SCHEMA: u32 = 1;

/// Names of the metrics, distributions and timelines that reports look for; a cell may carry any others beside them.
///
/// A metric of one component has the component's dotted path in front: `functions.checkout.cold_ratio`.
pub mod name {
    /// Requests that came from all clients, per second, retries not counted again ([`super::Unit::PerSecond`]).
    pub const OFFERED: &str = "offered";
    /// Requests that completed without error, per second ([`super::Unit::PerSecond`]).
    pub const THROUGHPUT: &str = "throughput";
    /// How long good answers took, as the clients see it: the distribution, and the stem of its quantiles
    /// ([`super::Unit::Seconds`]).
    pub const LATENCY: &str = "latency";
    /// The same of requests that failed or were refused.
    pub const LATENCY_FAILED: &str = "latency.failed";
    /// The same of both together.
    pub const LATENCY_ALL: &str = "latency.all";
    /// 99th percentile of the requests that failed ([`super::Unit::Seconds`]); as a timeline, per window.
    pub const LATENCY_FAILED_P99: &str = "latency.failed.p99";
    /// Median latency of good answers ([`super::Unit::Seconds`]); as a timeline, per window.
    pub const LATENCY_P50: &str = "latency.p50";
    /// 99th percentile of good answers ([`super::Unit::Seconds`]); as a timeline, per window.
    pub const LATENCY_P99: &str = "latency.p99";
    /// 99.9th percentile of good answers ([`super::Unit::Seconds`]).
    pub const LATENCY_P999: &str = "latency.p99.9";
    /// The largest p99 of good answers among the windows of a run ([`super::Unit::Seconds`]).
    pub const LATENCY_P99_WORST: &str = "latency.p99.worst_window";
    /// Failed requests over offered requests ([`super::Unit::Ratio`]).
    pub const ERROR_RATIO: &str = "error_ratio";
    /// Invocations that had to start an instance over all invocations ([`super::Unit::Ratio`]).
    pub const COLD_RATIO: &str = "cold_ratio";
    /// The bill scaled to a month ([`super::Unit::Dollars`]).
    pub const BILL_MONTH: &str = "bill.month";
    /// The bill per million offered requests ([`super::Unit::Dollars`]).
    pub const BILL_PER_MILLION: &str = "bill.per_million";
    /// Last part of a component's distribution of handler durations: `functions.checkout.duration`.
    pub const DURATION: &str = "duration";
    /// Ends of the instance timelines of a function or fleet, mean number over the window.
    pub const INSTANCES_BUSY: &str = "instances.busy";
    /// Warm instances that wait for work.
    pub const INSTANCES_IDLE: &str = "instances.idle";
    /// Instances that are being placed or initialised.
    pub const INSTANCES_STARTING: &str = "instances.starting";
    /// End of a queue's or stream's timeline of messages waiting, mean over the window.
    pub const QUEUE_DEPTH: &str = "depth";
    /// End of a queue's or stream's timeline of the age of its oldest message, maximum over the window, in seconds.
    pub const QUEUE_AGE: &str = "age_oldest";
    /// Beginning of the metrics that count how often a limit was run into: `limits.account_concurrency`.
    pub const LIMITS: &str = "limits.";
    /// Cause breakdown over all good answers.
    pub const CAUSES_ALL: &str = "all";
    /// Cause breakdown over the slowest hundredth of the good answers.
    pub const CAUSES_SLOWEST: &str = "slowest 1%";
    /// Cause breakdown over the requests that failed or were refused.
    pub const CAUSES_FAILED: &str = "failed";
}

/// Everything that one `coldcurve run` found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Layout version, [`SCHEMA`].
    pub schema: u32,
    /// File stem of the scenario; also the name of the output folder.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// Replications per cell.
    pub replications: u32,
    /// Root seed.
    pub seed: u64,
    /// Simulated time per replication, warm-up included, in nanoseconds.
    pub length_ns: u64,
    /// Simulated time discarded at the start of every replication, in nanoseconds.
    pub warmup_ns: u64,
    /// How the warm-up was found.
    #[serde(default)]
    pub warmup: WarmupSummary,
    /// Width of the windows of the run, in nanoseconds, and of those of every timeline unless these are coarser.
    pub window_ns: u64,
    /// How timelines are coarser, where the run has very many windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarser: Option<Coarser>,
    /// The swept parameters, in the order of the scenario; empty without a sweep.
    pub axes: Vec<Axis>,
    /// One cell per variant and sweep point: variants outermost, then the axes in order, the last one fastest.
    pub cells: Vec<Cell>,
    /// Paired differences to the cheapest cell: of the variants at each sweep point, or of all points of one variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What an answer must keep.
    #[serde(default)]
    pub promise: Promise,
    /// What comes of it, in words.
    #[serde(default)]
    pub answer: Answer,
    /// What the scenario does not say and what decides the answer, by what a plausible other value did; the most
    /// important first. Empty where nothing was tried, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<Assumption>,
    /// The scenario's `expect` list, judged.
    pub expectations: Vec<ExpectationResult>,
    /// What the reader of the results should know: lints of the design, too few samples, an overloaded system.
    pub warnings: Vec<String>,
    /// How to repeat this run.
    pub manifest: Manifest,
}

/// How the warm-up was found: from what the components remember, and from pilot runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WarmupSummary {
    /// Whether the scenario left it open.
    pub automatic: bool,
    /// How long the system remembers a start, read from its plan, in nanoseconds.
    pub floor_ns: u64,
    /// What remembers the longest, such as `functions.api.idle_timeout`.
    pub floor_of: Option<String>,
    /// The longest transient that the pilot runs showed, in nanoseconds.
    pub transient_ns: u64,
    /// Pilot runs of each cell that had some.
    pub pilots: u32,
    /// Cells that had pilot runs.
    pub pilot_cells: u32,
    /// Whether no level, latency or number of cold starts still moved in one direction when the pilot runs ended.
    pub settled: bool,
    /// What did: the variant and the metric.
    pub drifting: Vec<String>,
    /// Why more is measured than where nothing but traffic comes, if the scenario leaves the length open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer: Option<String>,
}

/// A swept parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Dotted path into the scenario, such as `clients.web.arrivals.poisson`.
    pub parameter: String,
    /// Words for a chart's axis, without unit, such as `arrivals of web`.
    pub label: String,
    /// Unit of every [`PointValue::number`] on this axis.
    pub unit: Unit,
    /// Scale that suits the values.
    pub scale: Scale,
}

/// How an axis should be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal distances for equal differences.
    Linear,
    /// Equal distances for equal ratios; every number is positive.
    Log,
    /// The values are words (a runtime, an architecture): equal distances in the order of the scenario.
    Category,
}

/// Unit of a number in a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Durations, in seconds.
    Seconds,
    /// Whole things counted: requests, instances, retries.
    Count,
    /// Things per second.
    PerSecond,
    /// A share between 0 and 1.
    Ratio,
    /// US dollars (the bill's lines and `bill.month` are per month).
    Dollars,
    /// A time average of a count: instances, messages, connections.
    Level,
    /// Bytes.
    Bytes,
    /// Dimensionless number that is none of the above.
    Plain,
}

/// A mean over replications, with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over replications; NaN if no replication had a value.
    #[serde(with = "nan_as_null")]
    pub mean: f64,
    /// 95 % confidence interval, lower and upper end; absent with fewer than two replications. An end that the data do
    /// not limit is infinite, and `null` in JSON.
    #[serde(with = "open_interval")]
    pub interval: Option<(f64, f64)>,
    /// Replications that had a value.
    pub replications: u32,
}

impl Metric {
    /// The figure as it is printed: that of what is at least so much has no upper end.
    pub fn bounded(&self) -> Estimate {
        let low = |(low, _): (f64, f64)| low.min(self.estimate.mean);
        let open = || (self.estimate.interval.map_or(self.estimate.mean, low), f64::INFINITY);
        Estimate {
            interval: if self.at_least {
                Some(open())
            } else {
                self.estimate.interval
            },
            ..self.estimate
        }
    }

    /// The metric as one side of a paired difference.
    pub fn side(&self) -> Side<'_> {
        Side {
            mean: self.estimate.mean,
            interval: self.estimate.interval,
            leave_one_out: &self.leave_one_out,
        }
    }
}

impl Estimate {
    /// A number without uncertainty (or whose uncertainty is unknown).
    pub fn exact(mean: f64) -> Self {
        Self {
            mean,
            interval: None,
            replications: 1,
        }
    }

    /// The interval as far as it can be drawn: an end without a limit is the figure itself.
    pub fn drawn_interval(&self) -> Option<(f64, f64)> {
        let finite = |end: f64| if end.is_finite() { end } else { self.mean };
        self.interval.map(|(low, high)| (finite(low), finite(high)))
    }

    /// Half the width of the interval, if there is one and it is finite.
    pub fn half_width(&self) -> Option<f64> {
        self.interval
            .map(|(low, high)| (high - low) / 2.0)
            .filter(|half| half.is_finite())
    }
}

/// Results of one variant at one sweep point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Name of the variant; `base` for the scenario as written.
    pub variant: String,
    /// One value per axis, in the order of [`Summary::axes`].
    pub point: Vec<PointValue>,
    /// Requests offered in all replications after warm-up.
    pub requests: u64,
    /// Events handled by the agenda in all replications, warm-up included.
    pub events: u64,
    /// Numbers, in a fixed order: whole system first, then component by component.
    pub metrics: Vec<Metric>,
    /// Pooled distributions over all replications.
    pub distributions: Vec<Distribution>,
    /// Values per window, averaged over replications.
    pub timelines: Vec<Timeline>,
    /// Where the time of a request went.
    pub causes: Vec<CauseBreakdown>,
    /// The monthly bill.
    pub bill: BillSummary,
    /// Limits that were run into, the one with the most hits first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitHit>,
    /// Who sends, and to whom.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The fleets whose number of instances `size` chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sized: Vec<SizedFleet>,
    /// What comes at times of its own and has an end: spikes, changes of rates, deploys, faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub episodes: Vec<EpisodeSummary>,
    /// The faults of the scenario, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSummary>,
    /// What happens at known times beside faults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub happenings: Vec<Happening>,
    /// Whether it has an answer: what was found about its course, the most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// The figures of each regime, if its runs end in two places: no mean over both is any run's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regimes: Vec<Regime>,
    /// Work that was lost where no client sees it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
    /// Where the units of work of each source ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ledger: Vec<Ledger>,
    /// What happened to single units of work in the first run, if that was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<super::units::Unit>,
    /// How long each level lasted, by component and level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<LevelShares>,
    /// Why the cell has no figures: a run of it had to be given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Cell {
    /// A cell of which nothing is known yet.
    pub fn empty(variant: &str, point: &[PointValue]) -> Self {
        Self {
            variant: variant.to_owned(),
            point: point.to_vec(),
            requests: 0,
            events: 0,
            metrics: Vec::new(),
            distributions: Vec::new(),
            timelines: Vec::new(),
            causes: Vec::new(),
            bill: BillSummary {
                lines: Vec::new(),
                total: Estimate {
                    mean: f64::NAN,
                    interval: None,
                    replications: 0,
                },
                per_million: None,
                notes: Vec::new(),
                missing: None,
            },
            limits: Vec::new(),
            sources: Vec::new(),
            sized: Vec::new(),
            episodes: Vec::new(),
            faults: Vec::new(),
            happenings: Vec::new(),
            verdicts: Vec::new(),
            regimes: Vec::new(),
            losses: Vec::new(),
            ledger: Vec::new(),
            units: Vec::new(),
            levels: Vec::new(),
            refused: None,
        }
    }
}

/// For how much of the measured time a level was at least so high.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelShares {
    /// Dotted name, such as `functions.checkout.instances.busy`.
    pub name: String,
    /// (level, share of the time at or above it), levels ascending from the lowest seen; over all replications.
    pub points: Vec<(f64, f64)>,
}

/// A limit that was run into: whose it is, by whom, how often and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitHit {
    /// The limit, such as `account_concurrency`.
    pub limit: String,
    /// The component whose limit it is, such as `accounts.aws`.
    pub component: String,
    /// The component that ran into it, such as `functions.api`; empty if it was nobody in particular.
    pub caller: String,
    /// Who had most of what is shared at that moment, such as `functions.report`; empty where nothing is.
    pub held_by: String,
    /// How much of it that was, mean over the hits.
    #[serde(with = "nan_as_null")]
    pub held_mean: f64,
    /// Hits in a replication.
    pub hits: Estimate,
    /// The first hit in any replication, in seconds from the start of the run.
    pub first_s: f64,
    /// Where the window with the most hits begins, in seconds from the start of the run; NaN if no window is whole.
    #[serde(with = "nan_as_null")]
    pub worst_window_s: f64,
    /// Hits in that window, mean over replications.
    #[serde(with = "nan_as_null")]
    pub worst_window_hits: f64,
    /// Windows with hits over all windows of all replications.
    #[serde(with = "nan_as_null")]
    pub windows_ratio: f64,
}

/// A fault: what it was, when, and what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultSummary {
    /// Its name.
    pub name: String,
    /// The components that it hits.
    pub on: Vec<String>,
    /// What it does, such as `slow 5`.
    pub effect: String,
    /// Whether it comes at the same times in every replication.
    pub fixed: bool,
    /// When it began and ended in the first replication, in seconds from the start of the run.
    pub spans: Vec<(f64, f64)>,
    /// How often it came, in a replication.
    pub times: Estimate,
    /// How long it lasted in all, in seconds.
    pub active_s: Estimate,
    /// Requests that it answered with an error.
    pub refused: Estimate,
    /// Requests that it let hang.
    pub hung: Estimate,
}

/// One coordinate of a sweep point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointValue {
    /// As written in the scenario: `500/s`; `–` where the variant does not have the parameter.
    pub text: String,
    /// In the axis' unit; NaN for words.
    #[serde(with = "nan_as_null")]
    pub number: f64,
}

/// One number of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Dotted name; see [`name`].
    pub name: String,
    /// Unit of the estimate and of every replication's value.
    pub unit: Unit,
    /// The figure and its interval.
    pub estimate: Estimate,
    /// Whether it is at least so much: work that was cut off by the end of the run counts with the age that it had
    /// reached, and there is too much of that for the figure to be more than a lower bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// How many times as many runs (or as much time) it would take to see enough separate events; absent where there
    /// are enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thin: Option<f64>,
    /// The ends of a gap in the distribution on which a percentile sits: it is somewhere from the lower to the upper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<(f64, f64)>,
    /// The value of each replication, in order; NaN where a replication had none.
    #[serde(with = "nans_as_null")]
    pub per_replication: Vec<f64>,
    /// The figure of all replications but one, for each of them: what paired differences are made of.
    #[serde(skip)]
    pub leave_one_out: Vec<f64>,
}

/// A pooled distribution as points of its cumulative share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Dotted name, such as `latency` or `functions.checkout.duration`.
    pub name: String,
    /// Unit of the values.
    pub unit: Unit,
    /// Values seen in all replications after warm-up.
    pub count: u64,
    /// (value, share of values at or below it), both ascending; the last share is 1 unless empty.
    pub points: Vec<(f64, f64)>,
}

/// A value per window, over the replications. Windows start at 0 (warm-up included) and are as wide as
/// [`Summary::timeline_window_ns`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Dotted name, such as `latency.p99` or `functions.checkout.instances.busy`.
    pub name: String,
    /// Unit of the values.
    pub unit: Unit,
    /// Mean over replications per window; NaN where nothing was seen.
    #[serde(with = "nans_as_null")]
    pub mean: Vec<f64>,
    /// Lower end of the 95 % interval per window; NaN or empty where there is none.
    #[serde(with = "nans_as_null")]
    pub low: Vec<f64>,
    /// Upper end of the 95 % interval per window; NaN or empty where there is none.
    #[serde(with = "nans_as_null")]
    pub high: Vec<f64>,
}

/// What a group of requests spent its time on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseBreakdown {
    /// Which requests: [`name::CAUSES_ALL`], [`name::CAUSES_SLOWEST`] or [`name::CAUSES_FAILED`].
    pub name: String,
    /// Largest first or in the order of the causes; shares sum to 1 unless empty.
    pub causes: Vec<CauseShare>,
}

/// The part of one cause in a [`CauseBreakdown`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseShare {
    /// The cause, such as `cold start: init`.
    pub cause: String,
    /// Mean time per request of the group, in seconds.
    pub mean_s: f64,
    /// Share of the group's total time.
    pub share: f64,
}

/// The monthly bill of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BillSummary {
    /// One line per component and thing billed, in the order of the components.
    pub lines: Vec<BillLine>,
    /// Sum of the lines, dollars per month.
    pub total: Estimate,
    /// Dollars per million offered requests, if any request was offered.
    pub per_million: Option<Estimate>,
    /// What the bill leaves out or assumes, in sentences.
    pub notes: Vec<String>,
    /// Why there is no bill: nothing that was measured says what a month is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl BillSummary {
    /// None, for this reason.
    pub fn missing(why: String) -> Self {
        Self {
            lines: Vec::new(),
            total: Estimate {
                mean: f64::NAN,
                interval: None,
                replications: 0,
            },
            per_million: None,
            notes: Vec::new(),
            missing: Some(why),
        }
    }
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BillLine {
    /// The component billed, such as `functions.checkout`.
    pub component: String,
    /// Its service, such as `aws.lambda`.
    pub service: String,
    /// What is billed, such as `duration`.
    pub line: String,
    /// Unit of the quantity, such as `GB-s`.
    pub unit: String,
    /// Quantity per month.
    pub quantity: Estimate,
    /// The price as a person reads it, such as `$0.0000166667 per GB-s`; tiers included.
    pub price: String,
    /// Dollars per month.
    pub amount: Estimate,
    /// Confidence in the price: `high`, `medium` or `low`.
    pub confidence: String,
}

/// How much larger a figure of a cell is than that of another one whose runs have the same dice: what chance does to
/// both alike falls away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The variant of the cell.
    pub variant: String,
    /// Its sweep point.
    pub point: Vec<PointValue>,
    /// The variant that it is measured against.
    pub minus_variant: String,
    /// Its sweep point.
    pub minus_point: Vec<PointValue>,
    /// The metric.
    pub metric: String,
    /// Unit of the difference.
    pub unit: Unit,
    /// The difference of the two printed figures, with the jackknife's interval over common run numbers.
    pub difference: Estimate,
}

impl Difference {
    /// Whether the two figures are told apart: the interval exists and does not hold zero.
    pub fn is_told_apart(&self) -> bool {
        self.difference
            .interval
            .is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

/// What it takes to repeat a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of coldcurve.
    pub coldcurve: String,
    /// The command that repeats the run, overrides included, output folder and threads left out.
    pub command: String,
    /// Scenario file name, without its folder.
    pub scenario_file: String,
    /// Digest of the scenario's bytes, with the name of the hash in front: `fnv1a64:85944171f73967e8`.
    pub scenario_digest: String,
    /// Overrides given on the command line, as `path=value`.
    pub overrides: Vec<String>,
    /// Data files, price files and service files that were read, sorted by name.
    #[serde(default)]
    pub inputs: Vec<InputRef>,
    /// The services that components are, with the confidence in their defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceRef>,
    /// Price books that the bill used.
    pub price_books: Vec<PriceBookRef>,
}

/// A file that a scenario was read with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputRef {
    /// Its name as seen from the scenario's folder.
    pub file: String,
    /// Digest of its bytes.
    pub digest: String,
}

/// A price book that a bill used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceBookRef {
    /// Name, such as `aws`.
    pub name: String,
    /// Region, such as `us-east-1`.
    pub region: String,
    /// Date of the prices, `YYYY-MM-DD`.
    pub as_of: String,
}

impl Summary {
    /// Width of the windows of every timeline, in nanoseconds.
    pub fn timeline_window_ns(&self) -> u64 {
        self.coarser
            .as_ref()
            .map_or(self.window_ns, |coarser| coarser.window_ns)
    }

    /// The variants in order of appearance.
    pub fn variants(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let names = self.cells.iter().map(|cell| cell.variant.as_str());
        names.filter(|name| seen.insert(*name)).collect()
    }
}

/// Where a cell stands, as a key: its variant and the texts of its sweep point.
pub type Place<'a> = Vec<&'a str>;

/// The place of a variant at a sweep point.
pub fn place<'a>(variant: &'a str, point: &'a [PointValue]) -> Place<'a> {
    let texts = point.iter().map(|value| value.text.as_str());
    std::iter::once(variant).chain(texts).collect()
}

/// The paired differences of one metric, by the place of the cell that they are about.
pub struct Differences<'a> {
    found: BTreeMap<Place<'a>, &'a Difference>,
    bases: BTreeSet<Place<'a>>,
}

impl Differences<'_> {
    /// How much larger the metric of a cell is than that of the cell it is measured against.
    pub fn of(&self, cell: &Cell) -> Option<&Difference> {
        self.found.get(&cell.place()).copied()
    }

    /// Whether others are measured against the cell.
    pub fn is_base(&self, cell: &Cell) -> bool {
        self.bases.contains(&cell.place())
    }
}

impl Summary {
    /// The cells by where they stand.
    pub fn by_place(&self) -> BTreeMap<Place<'_>, &Cell> {
        // The first of those that stand in one place, if a value is swept twice.
        self.cells.iter().rev().map(|cell| (cell.place(), cell)).collect()
    }

    /// The paired differences of a metric. What others are measured against counts whatever the metric.
    pub fn differences_of(&self, metric: &str) -> Differences<'_> {
        let all = self.differences.iter();
        let of_metric = all.clone().filter(|found| found.metric == metric);
        Differences {
            // The first of those of one place, if a value is swept twice.
            found: of_metric.rev().map(|d| (place(&d.variant, &d.point), d)).collect(),
            bases: all.map(|d| place(&d.minus_variant, &d.minus_point)).collect(),
        }
    }
}

impl Cell {
    /// Whether it is of this variant at this sweep point.
    pub fn is_at(&self, variant: &str, point: &[PointValue]) -> bool {
        self.place() == place(variant, point)
    }

    /// Where it stands.
    pub fn place(&self) -> Place<'_> {
        place(&self.variant, &self.point)
    }

    /// The metric of that name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The distribution of that name.
    pub fn distribution(&self, name: &str) -> Option<&Distribution> {
        self.distributions.iter().find(|distribution| distribution.name == name)
    }

    /// The timeline of that name.
    pub fn timeline(&self, name: &str) -> Option<&Timeline> {
        self.timelines.iter().find(|timeline| timeline.name == name)
    }

    /// The cause breakdown of that name.
    pub fn causes(&self, name: &str) -> Option<&CauseBreakdown> {
        self.causes.iter().find(|breakdown| breakdown.name == name)
    }
}

/// FNV-1a over 64 bits, for [`Manifest::scenario_digest`]: it tells two files apart, it does not resist an attacker.
/// Constants: <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>.
pub fn digest(bytes: &[u8]) -> String {
    format!("fnv1a64:{:016x}", fnv1a(bytes))
}

/// The hash of [`digest`] as a number.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
