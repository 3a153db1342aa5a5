//! The warm-up of a study: a floor from what its components remember, and pilot runs that look for more.
//!
//! It is a function of the scenario's text and seed alone: how many replications are asked for, which variants are
//! picked and on how many threads they run change nothing. All cells of a file have the same warm-up, so that what is
//! compared covers the same minutes.
//!
//! The floor ([`super::memory`]) is how long a start can show in the system's state. A pilot run has dice of its own
//! and sees what no plan says: queues that fill slowly, callers that wait for others. Each pilot cell has four of them.
//! Their mean median latencies, shares of errors, instances, queue depths and cold starts per window go through MSER-5:
//! latencies are those of good answers, so what fails at the start shows in the errors alone. A cut counts only if the
//! four agree that what lies between the floor and the cut differs from what comes after: a cut into noise
//! wastes time. Where MSER-5 finds no cut in the first half, and the four agree that the last quarter of the pilot lies
//! above or below the one before it, the pilots are run three times as long; what then still moves is reported as not
//! settled. It does not lengthen the warm-up: what grows for ever has none.

use super::failure::{Cause, Failure};
use super::firings;
use super::memory::{self, Memory};
use super::progress::{Progress, Quiet, Silent};
use super::study::{CellPlan, Study, side_by_side};
use super::summary::WarmupSummary;
use crate::kernel::number::{self, fit};
use crate::kernel::{Duration, Instant};
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::ArrivalPlan;
use crate::model::mechanism::schedule::Times;
use crate::model::world::build::WARMUP_MOST;
use crate::model::world::run::{Halt, RunResult};
use crate::model::{KINDS, Plan};
use crate::scenario::units::show_duration;
use crate::stats::{Observation, Series, Value, mser5};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a scenario leaves open about its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Whether the warm-up is to be found.
    pub auto: bool,
    /// Whether the length is: the measured time is given then, and the warm-up comes on top.
    pub open: bool,
}

/// A warm-up that was found, or that was given and looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Warmed {
    /// How long it is; `None` if it was given.
    pub time: Option<Duration>,
    /// Length of the runs; `None` if it was given.
    pub length: Option<Duration>,
    /// How it was found.
    pub summary: WarmupSummary,
    /// What the reader must know about it.
    pub warnings: Vec<String>,
    /// Cells of which a pilot run had to be given up: the others need not be tried.
    pub refused: Vec<Failure>,
    /// What the pilot runs showed.
    pub shown: Shown,
}

/// What the pilot runs of a file showed, from which its warm-up follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The longest transient.
    pub transient: Duration,
    /// Cells that had pilots.
    pub cells: u32,
    /// What had not settled when they ended.
    pub drifting: Vec<String>,
}

impl Warmed {
    /// Gives all cells this warm-up.
    pub fn apply(&self, cells: &mut [CellPlan]) {
        for plan in cells.iter_mut().map(|cell| &mut cell.plan) {
            plan.warmup = self.time.unwrap_or(plan.warmup);
            plan.length = self.length.unwrap_or(plan.length);
        }
    }
}

/// Run numbers of pilot runs begin here, far from those that are measured and from those that size fleets.
const PILOT: u64 = u64::MAX - 16;
/// Pilot runs of each cell that has some.
const PILOTS: u64 = 4;
/// Cells that have pilot runs, at most.
const PILOT_CELLS: usize = 8;
/// Windows of a pilot run, in which the end of the transient is looked for.
const PILOT_WINDOWS: u64 = 200;
/// The shortest pilot run of a scenario that leaves time for it.
const PILOT_LEAST: Duration = Duration::from_secs(600);
/// A pilot run is this part of a given length, unless what the system remembers asks for more.
const PILOT_PART: u64 = 16;
/// How many times longer pilots are run again that have not settled.
const LONGER: u64 = 3;
/// What is judged, window by window.
const JUDGED: [&str; 5] = ["latency.p50", "error_ratio", "instances", "depth", "cold_starts"];
/// Student's t with three degrees of freedom, beyond which one in a hundred lies: four pilots agree on a cut.
const AGREED: f64 = 5.841;
/// The same for one in a thousand: four pilots agree that something has not settled. Many series are asked.
const CERTAIN: f64 = 12.924;

/// Finds the warm-up where a scenario leaves it open, and looks at the one that it gives.
pub fn find(study: &Study, progress: &dyn Progress) -> Warmed {
    with(study, None, progress)
}

/// The warm-up that [`find`] found where pilots showed this; no pilot runs.
pub fn after(study: &Study, shown: &Shown) -> Warmed {
    with(study, Some(shown), &Silent)
}

fn with(study: &Study, shown: Option<&Shown>, progress: &dyn Progress) -> Warmed {
    let Some(first) = study.cells.first() else {
        return Warmed::default();
    };
    let all = if study.file.is_empty() {
        &study.cells
    } else {
        &study.file
    };
    let mut warmed = if study.clock.auto {
        found(all, &first.plan, study.clock.open, (shown, progress))
    } else {
        given(&study.cells)
    };
    if study.clock.open {
        let length = warmed.length.unwrap_or(first.plan.length);
        let warmup = warmed.time.unwrap_or(first.plan.warmup);
        let longer = firings::longer(all, warmup, length);
        warmed.length = Some(longer.as_ref().map_or(length, |longer| longer.length));
        warmed.summary.longer = longer.map(|longer| longer.words);
    }
    too_short(study, &mut warmed);
    warmed
}

/// What remembers the longest in any of these cells.
fn longest(cells: &[CellPlan]) -> Option<Memory> {
    let all = cells.iter().flat_map(|cell| memory::memories(&cell.plan));
    all.reduce(|most, other| if other.settles > most.settles { other } else { most })
}

/// A given warm-up: what it is too short for.
fn given(cells: &[CellPlan]) -> Warmed {
    let plan = &cells[0].plan;
    let mut warmed = Warmed {
        summary: WarmupSummary {
            settled: true,
            ..WarmupSummary::default()
        },
        ..Warmed::default()
    };
    let Some(memory) = longest(cells) else {
        return warmed;
    };
    warmed.summary.floor_ns = memory.settles.0;
    warmed.summary.floor_of = Some(named(&memory));
    // Without any warm-up the start is what is looked at; a run in which nothing could be forgotten is told of below.
    if plan.warmup > Duration::ZERO && plan.warmup < memory.time && plan.length > memory.time {
        warmed.warnings.push(format!(
            "the warm-up of {} is shorter than {} remembers ({}, {}): the empty start still shows in cold starts, \
             instances and queues; write `warmup: {}`, or `warmup: auto` without `length`",
            show_duration(plan.warmup),
            memory.component,
            memory.what,
            rounded(memory.time),
            show_duration(whole(memory.settles, plan.window)),
        ));
    }
    warmed
}

/// The warm-up of a scenario that leaves it open: by pilots, or by what they are known to show.
fn found(all: &[CellPlan], plan: &Plan, open: bool, (shown, progress): (Option<&Shown>, &dyn Progress)) -> Warmed {
    let (window, length) = (plan.window, plan.length);
    let memory = longest(all);
    let floor = memory.as_ref().map_or(Duration::ZERO, |memory| memory.settles);
    let most = if open { WARMUP_MOST } else { Duration(length.0 / 2) };
    let pilots = Pilots {
        floor,
        least: length,
        end: if open { length + floor + floor } else { length },
        progress: Quiet(progress),
    };
    // A warm-up that is cut short of what is remembered is not lengthened by anything that a pilot shows.
    let Outcome { shown, refused } = match shown {
        Some(shown) => Outcome {
            shown: shown.clone(),
            refused: Vec::new(),
        },
        None if floor < most => pilots.run(all),
        None => Outcome::default(),
    };
    // MSER-5 weighs what is left of a transient against the noise of a pilot; a study averages many runs and sees less
    // noise, so what goes beyond the floor is given twice its time.
    let beyond = if shown.transient > floor {
        shown.transient + shown.transient
    } else {
        floor
    };
    let wanted = whole(beyond, window);
    let mut time = wanted.min(if window <= most { down(most, window) } else { most });
    let mut warmed = Warmed::default();
    if floor > time
        && let Some(memory) = &memory
    {
        warmed.warnings.push(cut(memory, time, length, window));
    }
    let first = all
        .iter()
        .filter_map(|cell| memory::first_event(&cell.plan, time))
        .min();
    if let Some((at, words)) = first {
        warmed.warnings.push(before(at, &words, memory.as_ref(), time, window));
        time = down(at, window);
    }
    if !shown.drifting.is_empty() {
        warmed.warnings.push(format!(
            "not settled: {} still moved in one direction when the pilot runs ended; what is a mean over the run \
             depends on how long it is",
            list(&shown.drifting)
        ));
    }
    warmed.refused = refused;
    warmed.time = Some(time);
    warmed.length = open.then_some(length + time);
    warmed.summary = WarmupSummary {
        automatic: true,
        floor_ns: floor.0,
        floor_of: memory.as_ref().map(named),
        transient_ns: shown.transient.0,
        pilots: if shown.cells > 0 { fit(PILOTS) } else { 0 },
        pilot_cells: shown.cells,
        settled: shown.drifting.is_empty() && warmed.warnings.is_empty(),
        drifting: shown.drifting.clone(),
        longer: None,
    };
    warmed.shown = shown;
    warmed
}

fn cut(memory: &Memory, time: Duration, length: Duration, window: Duration) -> String {
    let whole = whole(memory.settles, window);
    format!(
        "the warm-up is cut to {}, as it may not exceed half of the run, but {} remembers its start for {} ({}): the empty \
         start still shows \
         in cold starts, instances and queues; write `length: {}`, or leave `length` out",
        show_duration(time),
        memory.component,
        about(memory.settles),
        memory.what,
        show_duration(length + whole),
    )
}

fn before(at: Duration, words: &str, memory: Option<&Memory>, time: Duration, window: Duration) -> String {
    let remembers = memory.map_or(String::new(), |memory| {
        format!(
            " ({} remembers its start for {})",
            memory.component,
            about(memory.settles)
        )
    });
    format!(
        "the warm-up ends after {}, before {words} at {}, although the system needs {}{remembers}: write a later `at`, \
         such as `{}`, or a `warmup` of your own",
        show_duration(down(at, window)),
        show_duration(at),
        show_duration(time),
        show_duration(time + window),
    )
}

/// What the runs are too short for, whatever their warm-up.
fn too_short(study: &Study, warmed: &mut Warmed) {
    let is_cut = warmed.time.is_some_and(|time| time.0 < warmed.summary.floor_ns);
    let mut missing: BTreeMap<(&str, Duration), Vec<String>> = BTreeMap::new();
    for cell in &study.cells {
        let mut plan = cell.plan.clone();
        plan.length = warmed.length.unwrap_or(plan.length);
        let mut add = |what, time, component| {
            let components: &mut Vec<String> = missing.entry((what, time)).or_default();
            if !components.contains(&component) {
                components.push(component);
            }
        };
        for (component, what, time) in memory::beyond(&plan) {
            add(what, time, component);
        }
        let idle = memory::memories(&plan).into_iter().filter(|m| m.what == "idle_timeout");
        // What the warm-up has been cut short of has been said.
        for memory in idle.filter(|memory| memory.time >= plan.length && !is_cut) {
            add(memory.what, memory.time, memory.component);
        }
        for (schedule, at) in never(&plan) {
            add("schedule", at, schedule);
        }
    }
    for ((what, time), components) in missing {
        warmed.warnings.push(absent(what, time, &components));
    }
}

/// Schedules that do not fire before the run ends.
fn never(plan: &Plan) -> Vec<(String, Duration)> {
    let first = |schedule: &crate::model::mechanism::schedule::SchedulePlan| {
        let at = match &schedule.times {
            Times::At(instants) => *instants.first()?,
            Times::Every { first, .. } => *first,
        };
        let name = &plan.components[schedule.component as usize].name;
        (at >= plan.length).then(|| (format!("schedules.{name}"), at))
    };
    plan.schedules.iter().filter_map(first).collect()
}

fn absent(what: &str, time: Duration, components: &[String]) -> String {
    let (whose, time) = (list(components), rounded(time));
    match what {
        "maximum_age" => {
            format!("no instance of {whose} reached its maximum age ({time}): recycling is not in these figures")
        }
        "recycle" => {
            format!("{whose} would be recycled at {time}, after the end of the run: it is not in these figures")
        }
        "idempotent" => {
            format!(
                "no idempotency key of {whose} expired ({time}): duplicates that come later are not in these figures"
            )
        }
        "idle_timeout" => format!(
            "no instance of {whose} can have been idle for as long as its time-out ({time}): the run is shorter, so \
             that later cold starts are not in these figures"
        ),
        _ => format!("{whose} would first fire at {time}, after the end of the run: make `length` longer"),
    }
}

/// Some of these names, the rest as a number.
fn list(names: &[String]) -> String {
    match names {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        _ => names.join(", "),
    }
}

fn named(memory: &Memory) -> String {
    format!("{}.{}", memory.component, memory.what)
}

/// A time as it is written if that is short, else without digits that nobody needs.
fn rounded(time: Duration) -> String {
    const SHORT: usize = 6;
    let exact = show_duration(time);
    if exact.len() <= SHORT { exact } else { about(time) }
}

/// A time without digits that nobody needs.
fn about(time: Duration) -> String {
    let step = match time.0 {
        0..10_000_000_000 => 100_000_000,
        10_000_000_000..300_000_000_000 => 1_000_000_000,
        _ => 60_000_000_000,
    };
    show_duration(Duration((time.0 + step / 2) / step * step))
}

/// Up to whole windows.
fn whole(time: Duration, window: Duration) -> Duration {
    Duration(time.0.div_ceil(window.0.max(1)).saturating_mul(window.0))
}

/// Down to whole windows.
fn down(time: Duration, window: Duration) -> Duration {
    Duration(time.0 / window.0.max(1) * window.0)
}

/// What the pilot runs of a study showed.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcome {
    shown: Shown,
    refused: Vec<Failure>,
}

/// How long pilot runs are.
#[derive(Clone, Copy)]
struct Pilots<'a> {
    floor: Duration,
    /// The runs of the study are at least this long.
    least: Duration,
    /// No pilot run is longer.
    end: Duration,
    progress: Quiet<'a>,
}

impl Pilots<'_> {
    fn run(self, all: &[CellPlan]) -> Outcome {
        let chosen = choose(all);
        let outcomes: Vec<Outcome> = chosen.par_iter().map(|cell| self.cell(cell)).collect();
        let mut sum = Outcome::default();
        for outcome in outcomes {
            sum.shown.transient = sum.shown.transient.max(outcome.shown.transient);
            sum.shown.cells += outcome.shown.cells;
            sum.shown.drifting.extend(outcome.shown.drifting);
            sum.refused.extend(outcome.refused);
        }
        sum
    }

    fn cell(self, cell: &CellPlan) -> Outcome {
        let Some(end) = steady_until(&cell.plan, self.end) else {
            return Outcome::default();
        };
        let least = Duration(self.floor.0.saturating_mul(2));
        let mut length = least.max(PILOT_LEAST).max(Duration(end.0 / PILOT_PART)).min(end);
        loop {
            let seen = match self.watch(&cell.plan, length) {
                Ok(seen) => seen,
                Err(halt) => return self.given_up(cell, halt),
            };
            if seen.drifting.is_empty() || length >= end {
                let whose = |metric: String| format!("{metric} ({})", cell.variant);
                // What grows for ever has no warm-up; it is reported.
                let transient = if seen.drifting.is_empty() {
                    seen.transient
                } else {
                    Duration::ZERO
                };
                let shown = Shown {
                    transient,
                    cells: 1,
                    drifting: seen.drifting.into_iter().map(whose).collect(),
                };
                return Outcome {
                    shown,
                    refused: Vec::new(),
                };
            }
            length = Duration(length.0.saturating_mul(LONGER)).min(end);
        }
    }

    /// Runs the pilots of a plan; why, if one had to be given up.
    fn watch(self, plan: &Plan, length: Duration) -> Result<Seen, Halt> {
        let window = Duration((length.0 / PILOT_WINDOWS).max(1));
        let floor = fit(self.floor.0.div_ceil(window.0));
        let mut pilot = plan.clone();
        (pilot.warmup, pilot.length, pilot.window) = (Duration::ZERO, length, window);
        // What a fault does is no transient at the start.
        pilot.faults.clear();
        // Of a pilot's many histograms nothing is needed.
        let judged = |result: RunResult| -> Vec<Series> {
            let lines = result.series.into_iter();
            lines.filter(|line| JUDGED.contains(&line.metric)).collect()
        };
        let runs = side_by_side(&pilot, PILOT..PILOT + PILOTS, self.least, &self.progress, &judged)?;
        let mut seen = Seen::default();
        for (place, line) in runs[0].iter().enumerate() {
            let lines: Vec<&[f64]> = runs
                .iter()
                .filter_map(|run| run.get(place).filter(|l| l.metric == line.metric))
                .map(|line| &line.values[..])
                .collect();
            match judge(&lines, floor) {
                Verdict::Settled(cut) => seen.transient = seen.transient.max(Duration(cut as u64 * window.0)),
                Verdict::Drifts => {
                    let component = &plan.components[line.component as usize];
                    let kind = KINDS[component.target.kind as usize];
                    seen.drifting.push(format!("{kind}.{}.{}", component.name, line.metric));
                }
            }
        }
        Ok(seen)
    }

    /// A pilot run had to be given up, and so will the study's runs: that need not be tried again. What happens later
    /// than they last, or without the faults that they have, says nothing about them.
    fn given_up(self, cell: &CellPlan, halt: Halt) -> Outcome {
        let within = match &halt {
            Halt::Crowded(crowd) => crowd.at < Instant::ZERO + self.least,
            Halt::Stalled(at) => *at < Instant::ZERO + self.least,
            Halt::Outdone | Halt::Unwanted => false,
        };
        let same = within && cell.plan.faults.is_empty();
        let refused = same.then(|| Failure::of(cell, Cause::halted(&cell.plan, halt)));
        Outcome {
            refused: refused.into_iter().collect(),
            ..Outcome::default()
        }
    }
}

/// Cells that stand for all: all of them if they are few, else the first, the last, and others at equal distances in
/// between, so that the ends of a sweep are among them.
fn choose(all: &[CellPlan]) -> Vec<&CellPlan> {
    let last = all.len().saturating_sub(1);
    let wanted = all.len().min(PILOT_CELLS);
    let place = |i: usize| if wanted > 1 { i * last / (wanted - 1) } else { 0 };
    (0..wanted).map(|i| &all[place(i)]).collect()
}

/// Until when the traffic is the same all along, at most `end`; `None` if it never is: a daily course and a recording
/// have no steady state that a pilot could look for.
fn steady_until(plan: &Plan, end: Duration) -> Option<Duration> {
    let varies = |load: &Load| match load {
        Load::Open { arrivals, .. } => match arrivals {
            ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve) => {
                curve.period().is_some() && curve.pieces().len() > 1
            }
            ArrivalPlan::Modulated(_) => false,
            _ => true,
        },
        Load::Closed { .. } => false,
    };
    if plan.clients.iter().any(|client| varies(&client.load)) {
        return None;
    }
    let mut calm = plan.clone();
    calm.faults.clear();
    let until = memory::first_event(&calm, end).map_or(end, |event| event.0);
    (until >= Duration(end.0 / PILOT_PART)).then_some(until)
}

/// What the pilot runs of one cell showed.
#[derive(Debug, Default)]
struct Seen {
    transient: Duration,
    drifting: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// So many windows belong to the start.
    Settled(usize),
    /// It moves in one direction to the end.
    Drifts,
}

/// Judges the same series of several pilot runs together; `floor` windows are left out of what is measured anyway.
fn judge(lines: &[&[f64]], floor: usize) -> Verdict {
    let windows = lines.iter().map(|line| line.len()).min().unwrap_or(0);
    let seen = |window: usize| mean(lines.iter().map(|line| line[window]));
    let mut series: Vec<f64> = (0..windows).map(seen).collect();
    // A window in which nothing was seen says nothing.
    let all = mean(series.iter().copied());
    if !all.is_finite() {
        return Verdict::Settled(0);
    }
    series
        .iter_mut()
        .filter(|value| !value.is_finite())
        .for_each(|value| *value = all);
    let half = windows / 2;
    if let Some(cut) = mser5(&series) {
        let begins = if cut > floor { floor } else { 0 };
        return Verdict::Settled(if differ(lines, begins..cut, cut..windows, AGREED) {
            cut
        } else {
            begins
        });
    }
    let last = half + windows / 4;
    if differ(lines, half..last, last..windows, CERTAIN) {
        return Verdict::Drifts;
    }
    // Noise at the end drew the cut beyond the middle: the first eighth from which on the first half is like the
    // second.
    let like = |begin: &usize| !differ(lines, *begin..half, half..windows, AGREED);
    Verdict::Settled(
        (0..EIGHTHS / 2)
            .map(|i| i * windows / EIGHTHS)
            .find(like)
            .unwrap_or(half),
    )
}

/// Steps in which a start is looked for where MSER-5 finds none.
const EIGHTHS: usize = 8;

/// The mean of what is there; NaN if nothing is.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values
        .filter(|value| value.is_finite())
        .fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// Whether the runs agree, beyond `most` standard errors, that their means over these two parts are not the same.
fn differ(lines: &[&[f64]], one: Range<usize>, other: Range<usize>, most: f64) -> bool {
    let part = |line: &[f64], range: &Range<usize>| mean(line[range.clone()].iter().copied());
    let differences: Vec<f64> = lines
        .iter()
        .map(|line| part(line, &one) - part(line, &other))
        .filter(|difference| difference.is_finite())
        .collect();
    let n = differences.len() as f64;
    if n < 2.0 {
        return false;
    }
    let centre = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - centre) * (d - centre)).sum();
    let error = (squares / (n * (n - 1.0))).sqrt();
    // Means of a series that hardly varies differ by rounding.
    let level = mean(lines.iter().map(|line| part(line, &other))).abs();
    centre.abs() > most * error && centre.abs() > 1e-9 * level
}

/// Replaces what a plan says about its own steady numbers of instances and connections by these numbers, from pilot
/// runs of that plan alone.
///
/// # Errors
/// If a pilot run had to be given up.
pub fn start_steady(plan: &mut Plan, progress: &dyn Progress) -> Result<(), Cause> {
    let asks = plan.functions.iter().any(|f| f.initial.steady) || plan.proxies.iter().any(|p| p.initial.steady);
    if !asks {
        return Ok(());
    }
    let memories = memory::memories(plan);
    let floor = memories.iter().map(|memory| memory.settles).max().unwrap_or_default();
    let warmup = floor.min(WARMUP_MOST).max(PILOT_LEAST);
    let mut pilot = plan.clone();
    (pilot.warmup, pilot.length, pilot.window) = (warmup, warmup + warmup, warmup);
    pilot.faults.clear();
    let levels = |result: RunResult| -> Vec<Observation> {
        let all = result.observations.into_iter();
        all.filter(|o| ["instances", "connections"].contains(&o.metric))
            .collect()
    };
    let runs = side_by_side(&pilot, PILOT..PILOT + PILOTS, pilot.length, &Quiet(progress), &levels);
    let runs = runs.map_err(|halt| Cause::halted(plan, halt))?;
    let steady = |component: u32, metric: &str| {
        let found = |run: &Vec<Observation>| {
            let mut all = run.iter();
            all.find(|o| o.component == component && o.metric == metric)
                .map(|o| o.value.clone())
        };
        let level = mean(runs.iter().filter_map(found).filter_map(|value| Value::number(&value)));
        if level.is_finite() {
            number::whole(level.round())
        } else {
            0
        }
    };
    for function in plan.functions.iter_mut().filter(|function| function.initial.steady) {
        function.initial.count = steady(function.component, "instances");
        function.initial.steady = false;
    }
    for proxy in plan.proxies.iter_mut().filter(|proxy| proxy.initial.steady) {
        let database = plan.databases[usize::from(proxy.database)].component;
        proxy.initial.count = steady(database, "connections").min(proxy.connections);
        proxy.initial.steady = false;
    }
    plan.introduce();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::sample::normal;
    use crate::kernel::stream::{Stream, StreamKey};

    fn noise(run: u64) -> Vec<f64> {
        let mut rng = Stream::new(5, run, StreamKey::new("warmup", "pilots"));
        (0..200).map(|_| 10.0 + normal(&mut rng)).collect()
    }

    fn verdict(study: u64, shape: impl Fn(f64) -> f64) -> Verdict {
        let line = |run: u64| {
            let mut line = noise(4 * study + run);
            line.iter_mut()
                .zip(0_u32..)
                .for_each(|(v, i)| *v += shape(f64::from(i)));
            line
        };
        let lines: Vec<Vec<f64>> = (0..4).map(line).collect();
        judge(&lines.iter().map(|line| &line[..]).collect::<Vec<_>>(), 0)
    }

    #[test]
    fn noise_has_no_transient_and_does_not_drift() {
        let cut = (0..200)
            .filter(|study| verdict(*study, |_| 0.0) != Verdict::Settled(0))
            .count();
        assert!(cut <= 10, "{cut} of 200 studies of pure noise were cut");
    }

    #[test]
    fn a_transient_is_cut_and_a_ramp_drifts() {
        for study in 0..50 {
            let cut = verdict(study, |i| 20.0 * (-i / 8.0).exp());
            assert!(matches!(cut, Verdict::Settled(15..=100)), "{study}: {cut:?}");
            assert_eq!(verdict(study, |i| i / 10.0), Verdict::Drifts, "{study}");
        }
    }

    #[test]
    fn what_saw_nothing_says_nothing() {
        let nothing = vec![f64::NAN; 200];
        assert_eq!(judge(&[&nothing, &nothing], 5), Verdict::Settled(0));
        let mut holes = noise(0);
        holes.iter_mut().step_by(3).for_each(|value| *value = f64::NAN);
        assert_eq!(judge(&[&holes, &holes], 0), Verdict::Settled(0));
        // No good answer from the middle on, where all begins to fail: the latency of those before is no transient.
        let ends = |run| {
            noise(run)
                .into_iter()
                .zip(0..)
                .map(|(v, i)| if i < 100 { v } else { f64::NAN })
        };
        let ends: Vec<Vec<f64>> = (0..4).map(|run| ends(run).collect()).collect();
        let ends: Vec<&[f64]> = ends.iter().map(|line| &line[..]).collect();
        assert_eq!(judge(&ends, 0), Verdict::Settled(0));
        assert_eq!(judge(&[], 0), Verdict::Settled(0));
    }

    #[test]
    fn times_are_rounded_to_windows_and_for_people() {
        let (minute, time) = (Duration::from_secs(60), Duration::from_secs(611));
        assert_eq!(
            (whole(time, minute), down(time, minute)),
            (Duration::from_secs(660), Duration::from_secs(600))
        );
        assert_eq!(about(Duration::from_secs(606)), "10 min");
        assert_eq!(rounded(Duration::from_secs(635)), "635 s", "as it is written");
        assert_eq!(rounded(Duration::from_millis(1_234)), "1.2 s");
    }
}
