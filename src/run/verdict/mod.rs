//! Whether a cell has an answer at all: is there traffic, one steady state, and does it cover what a month holds?
//!
//! The levels that show work waiting (queues, streams, events, connections, executions, busy instances) are judged
//! window by window, against an input that stays what it is: after the last spike, fault or change of rate, and in
//! whole periods of what repeats itself. The chance of a false alarm is one in `FALSE_ALARMS` for all cells of the
//! file and all their lines together.

mod input;
mod kinds;
mod words;

pub use input::{Input, label, settles};
pub use kinds::{Class, Loss, Regime, Verdict};
pub(in crate::run) use words::per_time as rate;

use super::aggregate::{aggregate, error_ratio};
use super::episodes::Month;
use super::progress::Progress;
use super::study::CellPlan;
use super::summary::{Cell, name};
use super::tally::{Line as Windows, Packed};
use crate::kernel::Duration;
use crate::kernel::number::{fit, place, whole};
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::{ArrivalPlan, RateCurve};
use crate::model::world::run::World;
use crate::model::{Plan, kind};
use crate::scenario::Target;
use crate::stats::stability::{Course, Gap, LEAST_WINDOWS, Trend, course, growth, settled_after, two_places};
use rayon::prelude::*;

/// One file in so many may have a false alarm.
const FALSE_ALARMS: f64 = 200.0;
/// Periods from which on a part of one more does not matter.
const MANY_PERIODS: f64 = 20.0;

/// A level that shows whether work piles up: kind, metric, what is counted, and whether it is a backlog, which is work
/// that waits.
const LINES: [(u8, &str, &str, bool); 11] = [
    (kind::QUEUE, "depth", "messages", true),
    (kind::STREAM, "depth", "records", true),
    (kind::FUNCTION, "async.depth", "events", true),
    (kind::FLEET, "queue", "requests", true),
    (kind::PROXY, "waiting", "requests", true),
    (kind::WORKFLOW, "open", "executions", true),
    (kind::DATABASE, "running", "queries", true),
    (kind::STORE, "waiting", "operations", true),
    (kind::FUNCTION, "instances.busy", "instances", false),
    (kind::FLEET, "slots.busy", "slots", false),
    (kind::EXTERNAL, "concurrency", "calls", false),
];

/// A line of a cell: its place among the series, its name, and what is counted.
struct Line {
    index: usize,
    name: String,
    things: &'static str,
    backlog: bool,
    /// At what age what waits there is lost, if the run is too short for any to become so old.
    kept: Option<Duration>,
}

/// The lines of a cell that can be judged.
fn lines(plan: &Plan, results: &[&Packed]) -> Vec<Line> {
    let Some(first) = results.first() else {
        return Vec::new();
    };
    let line = |(index, series): (usize, Windows)| {
        let component = series.component();
        let target = plan.components[component as usize].target;
        let known = LINES
            .iter()
            .find(|line| line.0 == target.kind && line.1 == series.metric())?;
        // Nobody works on what a queue without a reader holds, such as dead letters: that is loss, not backlog.
        let unread = |queue: &&crate::model::mechanism::queue::plan::QueuePlan| {
            queue.component == component && queue.poller.is_none()
        };
        if target.kind == kind::QUEUE && plan.queues.iter().any(|queue| unread(&queue)) {
            return None;
        }
        let is_used = |run: &&Packed| {
            let same = run.line_like(index, &series);
            same.is_some_and(|line| line.values().iter().any(|level| *level > 0.0))
        };
        let used = results.iter().any(is_used);
        used.then(|| Line {
            index,
            name: format!("{}.{}", label(plan, component), series.metric()),
            things: known.2,
            backlog: known.3,
            kept: kept(plan, target).filter(|age| known.3 && *age >= plan.length),
        })
    };
    first.series().enumerate().filter_map(line).collect()
}

/// At what age what waits at a component is lost.
fn kept(plan: &Plan, at: Target) -> Option<Duration> {
    let index = at.index as usize;
    match at.kind {
        kind::QUEUE => Some(plan.queues[index].retention),
        kind::STREAM => Some(plan.streams[index].retention),
        kind::FUNCTION => Some(plan.functions[index].asynchronous.maximum_age),
        _ => None,
    }
}

/// The windows of a series of all runs from `from` on.
fn windows(results: &[&Packed], index: usize, from: usize) -> Vec<Vec<f64>> {
    let Some(line) = results.first().and_then(|run| run.series().nth(index)) else {
        return vec![Vec::new(); results.len()];
    };
    let of = |run: &&Packed| {
        let mut values = run.line_like(index, &line).map_or_else(Vec::new, |line| line.values());
        values.split_off(from.min(values.len()))
    };
    let mut runs: Vec<Vec<f64>> = results.iter().map(of).collect();
    let shortest = runs.iter().map(Vec::len).min().unwrap_or(0);
    for values in &mut runs {
        values.truncate(shortest);
    }
    runs
}

/// Judges a cell of a file that has `cells` of them, and adds what was found to it.
pub fn classify(cell: &mut Cell, of: &CellPlan, results: &[&Packed], cells: usize, progress: &dyn Progress) {
    let plan = &of.plan;
    cell.losses = losses(plan, results);
    if results.is_empty() {
        return;
    }
    let mut found = Vec::new();
    if no_traffic(plan, results) {
        found.push(Verdict::new(Class::NoTraffic, words::no_traffic()));
    } else {
        let input = Input::of(plan);
        let lines = lines(plan, results);
        let split = split(plan, results, &lines);
        if let Some(upper) = &split {
            cell.regimes = regimes(of, results, upper);
            found.push(two_regimes(of, results, &cell.regimes, progress));
        }
        // Runs of two kinds have no common course: those that run well are judged, the others have been named.
        let well: Vec<&Packed> = match &split {
            Some(upper) => pick(results, upper, false),
            None => Vec::new(),
        };
        let judged = if split.is_some() { &well } else { results };
        courses(plan, judged, &lines, &input, cells, &mut found);
        found.extend(unfinished(plan, &input, results));
        found.extend(left_behind(judged, &lines, &found));
        of_input(of, &input, &mut found);
    }
    if found.is_empty() {
        found.push(Verdict::new(Class::Steady, words::steady(cell)));
    }
    found.sort_by_key(|verdict| verdict.class);
    cell.verdicts = found;
}

fn pick<'r>(results: &[&'r Packed], upper: &[bool], wanted: bool) -> Vec<&'r Packed> {
    let runs = results.iter().zip(upper).filter(|(_, upper)| **upper == wanted);
    runs.map(|(run, _)| *run).collect()
}

/// A count of one component's observation, of all runs.
fn count(results: &[&Packed], component: u32, metric: &str) -> u64 {
    let each = results.iter().filter_map(|run| run.find(component, metric)?.count());
    each.sum()
}

fn no_traffic(plan: &Plan, results: &[&Packed]) -> bool {
    let clients = plan
        .clients
        .iter()
        .map(|client| count(results, client.component, name::OFFERED));
    let schedules = plan
        .schedules
        .iter()
        .map(|schedule| count(results, schedule.component, "fired"));
    let functions = plan
        .functions
        .iter()
        .map(|function| count(results, function.component, "invocations"));
    let queues = plan
        .queues
        .iter()
        .map(|queue| count(results, queue.component, "received"));
    let under_way: u64 = results.iter().map(|run| run.in_flight()).sum();
    under_way + clients.chain(schedules).chain(functions).chain(queues).sum::<u64>() == 0
}

/// Which runs are in the upper of two places, if there are two: by errors first, then by the latency of good answers,
/// of which runs that fail have none, then by backlogs.
fn split(plan: &Plan, results: &[&Packed], lines: &[Line]) -> Option<Vec<bool>> {
    let of_clients = |metric: &'static str| {
        let is_client = |component: u32| plan.components[component as usize].target.kind == kind::CLIENT;
        let series = results[0].series().enumerate();
        series
            .filter(move |(_, line)| line.metric() == metric && is_client(line.component()))
            .map(|(index, _)| index)
    };
    for index in of_clients(name::ERROR_RATIO) {
        let runs = windows(results, index, 0);
        let found = two_places(&runs, Gap::Difference(0.5), true);
        if let Some(upper) = found.or_else(|| two_places(&runs, Gap::Difference(0.2), false)) {
            return Some(upper);
        }
    }
    let latency = Gap::Factor { times: 5.0, floor: 1e6 };
    let backlog = Gap::Factor {
        times: 20.0,
        floor: 5.0,
    };
    let medians = of_clients(name::LATENCY_P50).map(|index| (index, latency));
    let depths = lines
        .iter()
        .filter(|line| line.backlog)
        .map(|line| (line.index, backlog));
    medians
        .chain(depths)
        .find_map(|(index, gap)| two_places(&windows(results, index, 0), gap, false))
}

/// The figures of each of two groups of runs.
fn regimes(cell: &CellPlan, results: &[&Packed], upper: &[bool]) -> Vec<Regime> {
    let regime = |fails: bool| {
        let own = pick(results, upper, fails);
        let mut part = aggregate(cell, &own);
        part.losses = losses(&cell.plan, &own);
        let runs = upper.iter().enumerate().filter(|(_, upper)| **upper == fails);
        Regime {
            name: if fails { "collapse" } else { "run well" }.to_owned(),
            fails,
            runs: runs.map(|(run, _)| fit(run)).collect(),
            cell: part,
        }
    };
    vec![regime(false), regime(true)]
}

/// The verdict on a cell with two regimes; whether the empty start decides is tried with as many runs as it had.
fn two_regimes(cell: &CellPlan, results: &[&Packed], regimes: &[Regime], progress: &dyn Progress) -> Verdict {
    let all = results.len();
    let mut verdict = Verdict::new(Class::TwoRegimes, words::two_regimes(regimes, all));
    let Some((ramped, ramp)) = ramped(&cell.plan) else {
        return verdict;
    };
    let (low, high) = (regimes[0].mean(name::ERROR_RATIO), regimes[1].mean(name::ERROR_RATIO));
    if high.is_nan() || high - low < 0.1 {
        return verdict;
    }
    // A run has collapsed if it fails, or waits, like those that did.
    let border = f64::midpoint(low, high);
    let collapses = |run: u64| {
        let result = World::new(&ramped, run).run_while(&|| !progress.is_cancelled());
        let packed = Packed::of(&result, ramped.window);
        result.halted.is_none().then(|| error_ratio(&packed, &ramped) > border)
    };
    let collapsed: Option<Vec<bool>> = (0..all as u64).into_par_iter().map(collapses).collect();
    let Some(collapsed) = collapsed else {
        return verdict;
    };
    let collapsed = collapsed.into_iter().filter(|collapsed| *collapsed).count();
    verdict.hint = Some(words::start(collapsed, all, regimes[1].runs.len(), ramp));
    verdict
}

/// The same plan with traffic that ramps up from nothing over the warm-up, or over a fifth of the run.
fn ramped(plan: &Plan) -> Option<(Plan, Duration)> {
    let fifth = Duration(plan.length.0 / 5);
    let ramp = if plan.warmup > Duration::ZERO {
        plan.warmup.min(fifth)
    } else {
        fifth
    };
    let mut changed = false;
    let mut ramped = plan.clone();
    for client in &mut ramped.clients {
        let Load::Open { arrivals, .. } = &mut client.load else {
            continue;
        };
        if let ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve) = arrivals
            && let Some(slow) = curve.ramped(ramp)
        {
            *curve = slow;
            changed = true;
        }
    }
    changed.then_some((ramped, ramp))
}

/// What the lines did: grew, fell, or are not settled.
fn courses(plan: &Plan, results: &[&Packed], lines: &[Line], input: &Input, cells: usize, found: &mut Vec<Verdict>) {
    let alpha = 1.0 / (FALSE_ALARMS * cells.max(1) as f64 * lines.len().max(1) as f64);
    let window = plan.window.as_secs_f64();
    let from: usize = fit(input
        .last_change
        .0
        .saturating_sub(plan.warmup.0)
        .div_ceil(plan.window.0));
    let period = input.all_periods();
    let period = period.iter().rev().map(|period| place(period.0 / plan.window.0));
    let seen = results.first().map_or(0, |run| place(run.measured().0 / plan.window.0));
    let enough = seen.saturating_sub(from) >= LEAST_WINDOWS;
    let from = if enough { from } else { 0 };
    // The longest period of which there are two; a longer one has its own verdict.
    let period = period.into_iter().find(|p| *p > 1 && 2 * p <= seen - from).unwrap_or(1);
    let unseen = input
        .all_periods()
        .iter()
        .any(|p| place(p.0 / plan.window.0) * 2 > seen);
    for line in lines {
        let runs = windows(results, line.index, from);
        let add = |class, words: String, trend: Trend| Verdict {
            metric: Some(line.name.clone()),
            since_s: Some(plan.warmup.as_secs_f64() + (from as f64 + trend.since) * window),
            per_second: Some(trend.per_window / window),
            doubles_every_s: trend.doubles.map(|windows| windows * window),
            p_value: Some(trend.p_value),
            ..Verdict::new(class, words)
        };
        let evidence = |trend: &Trend| words::Evidence {
            line: &line.name,
            things: line.things,
            since_s: plan.warmup.as_secs_f64() + (from as f64 + trend.since) * window,
            or_before: from > 0 && trend.since <= 2.0,
            per_second: trend.per_window / window,
            doubles_s: trend.doubles.map(|windows| windows * window),
            last: trend.last,
            wanted_s: window * settled_after(&runs).map_or(4.0 * seen as f64, |all| all.max(2.0 * seen as f64)),
            kept_s: line.kept.map(Duration::as_secs_f64),
        };
        match course(&runs, period, alpha) {
            Course::Growing(trend) if enough && !unseen => {
                found.push(add(Class::Growing, words::growing(&evidence(&trend)), trend));
            }
            Course::Growing(trend) | Course::Rising(trend) => {
                // What an input that still changes does to the level is its own affair.
                let changes = !enough || unseen;
                if line.backlog || !changes {
                    found.push(add(Class::TooShort, words::rising(&evidence(&trend), changes), trend));
                }
            }
            Course::Falling(trend) if line.backlog && !unseen && is_owed(&trend, seen) => {
                found.push(add(Class::Draining, words::draining(&evidence(&trend)), trend));
            }
            Course::Falling(_) | Course::Level => {}
        }
    }
    if seen < LEAST_WINDOWS && found.is_empty() {
        found.extend(few_windows(plan, results, seen));
    }
}

/// A backlog that no trend tells of, since it grows by leaps (one shard stops after the other), and that is much of
/// what came: more than a tenth, and much more in the last tenth of the windows than in those in the middle.
fn left_behind(results: &[&Packed], lines: &[Line], found: &[Verdict]) -> Option<Verdict> {
    const MUCH: f64 = 0.1;
    const MORE: f64 = 1.5;
    let told = |line: &&Line| {
        found
            .iter()
            .any(|verdict| verdict.metric.as_deref() == Some(&line.name))
    };
    let runs = results.len() as f64;
    lines
        .iter()
        .filter(|line| line.backlog && !told(line))
        .find_map(|line| {
            let series = results.first()?.series().nth(line.index)?;
            let came = ["sent", "records"].map(|metric| count(results, series.component(), metric));
            let came = came.iter().sum::<u64>() as f64 / runs;
            let levels = windows(results, line.index, 0);
            let tenth = levels.first()?.len() / 10;
            let mean = |from: usize| {
                let all = levels.iter().flat_map(|run| &run[from..from + tenth]);
                all.sum::<f64>() / (tenth as f64 * runs)
            };
            let length = levels.first()?.len();
            let (middle, last) = (mean(length / 2 - tenth / 2), mean(length - tenth));
            (tenth > 0 && came > 0.0 && last > MUCH * came && last > MORE * middle).then(|| Verdict {
                metric: Some(line.name.clone()),
                ..Verdict::new(
                    Class::Unfinished,
                    words::left_behind(&line.name, line.things, last, came),
                )
            })
        })
}

/// Whether what is left of a backlog that falls is worth a word: work for a hundredth of the windows that were seen.
fn is_owed(trend: &Trend, seen: usize) -> bool {
    const WORTH_A_WORD: f64 = 0.01;
    trend.last >= 1.0 && trend.last >= -trend.per_window * seen as f64 * WORTH_A_WORD
}

/// Where there are too few windows to see a trend, what is under way at the end tells whether the system kept up.
fn few_windows(plan: &Plan, results: &[&Packed], seen: usize) -> Option<Verdict> {
    let mut left: u64 = results.iter().map(|run| run.in_flight()).sum();
    let mut came: u64 = results.iter().map(|run| run.requests()).sum();
    for queue in plan.queues.iter().filter(|queue| queue.poller.is_some()) {
        left += count(results, queue.component, "remaining");
        came += count(results, queue.component, "received");
    }
    let many = left >= 10 && left * 10 >= came;
    many.then(|| Verdict::new(Class::TooShort, words::few_windows(seen, left, left + came)))
}

/// The chance that a steady system shows as much growth as the line of a cell that shows most, times its lines: what
/// the study of false alarms looks at.
pub fn least_p_value(plan: &Plan, results: &[&Packed]) -> f64 {
    let lines = lines(plan, results);
    let least = lines.iter().map(|line| growth(&windows(results, line.index, 0)));
    (least.fold(1.0, f64::min) * lines.len() as f64).min(1.0)
}

/// What grows, falls or is not settled in the runs of one cell of a file that has `cells` of them.
pub fn moving(plan: &Plan, results: &[&Packed], cells: usize) -> Vec<Verdict> {
    let mut found = Vec::new();
    courses(
        plan,
        results,
        &lines(plan, results),
        &Input::of(plan),
        cells,
        &mut found,
    );
    found
}

/// Whether the runs of one cell end in two places.
pub fn has_two_regimes(plan: &Plan, results: &[&Packed]) -> bool {
    split(plan, results, &lines(plan, results)).is_some()
}

/// Whether what comes at times of its own was still being worked on when the measured time ended: its bill then lacks
/// the rest. That is what is owed with it and not without it, by the same dice; where everything is over, all of it.
fn unfinished(plan: &Plan, input: &Input, results: &[&Packed]) -> Option<Verdict> {
    /// Less than this, of what is owed without it and of what came with it, is chance or does not matter.
    const SMALL: f64 = 0.01;
    let runs = results.len() as f64;
    let mean = |of: &dyn Fn(&Packed) -> u64| results.iter().map(|run| of(run)).sum::<u64>() as f64 / runs;
    let mut late = Vec::new();
    if input.is_over() {
        let came = mean(&|run| super::aggregate::count(run, plan, name::OFFERED));
        let owed = mean(&Packed::owed);
        late.extend((owed >= (SMALL * came).max(0.5)).then(|| "what came".to_owned()));
    } else {
        let month = Month::of(plan);
        let whole = results.iter().all(|run| run.has_twins(plan, &month));
        // Of the run itself, and of its twins.
        let owed = |step: usize| {
            mean(&|run| match step {
                0 => run.owed(),
                step => run.twins()[step - 1].owed,
            })
        };
        let came = |step: usize| {
            mean(&|run| match step {
                0 => super::aggregate::count(run, plan, name::OFFERED),
                step => run.twins()[step - 1].requests,
            })
        };
        for (step, of) in month.steps.iter().enumerate().filter(|_| whole) {
            let (more, rest) = (owed(step) - owed(step + 1), owed(step + 1));
            let came_with = came(step) - came(step + 1);
            let balanced: f64 = month.of_step(of).map(|episode| episode.balanced).sum();
            if more >= (SMALL * rest).max(SMALL * came_with).max(0.5) && more > balanced {
                late.extend(month.of_step(of).map(|episode| episode.label.clone()));
            }
        }
    }
    (!late.is_empty()).then(|| Verdict::new(Class::Unfinished, words::unfinished(&late.join(", "))))
}

/// Why nothing that was measured says what a month costs: some traffic comes again only after longer than that, and
/// the scenario does not say how many hours of a month are like it.
pub fn no_month(cell: &CellPlan) -> Option<String> {
    let (input, measured) = (Input::of(&cell.plan), cell.plan.length - cell.plan.warmup);
    if input.is_over() || cell.billing.active_hours.is_some() {
        return None;
    }
    let (who, period) = input.not_once_in(measured)?;
    let warmup = cell.plan.warmup.as_secs_f64();
    Some(words::no_month(
        who,
        period.as_secs_f64(),
        measured.as_secs_f64(),
        warmup,
    ))
}

/// What the input says about a month made of this run.
fn of_input(cell: &CellPlan, input: &Input, found: &mut Vec<Verdict>) {
    let plan = &cell.plan;
    let measured = plan.length.0.saturating_sub(plan.warmup.0) as f64;
    if input.is_over() {
        let end = input.last_change.as_secs_f64();
        found.push(Verdict::new(
            Class::Episode,
            words::episode(end, plan.length.as_secs_f64()),
        ));
        return;
    }
    if let Some(words) = no_month(cell) {
        let metric = input.period().map(|period| period.0.clone());
        found.push(Verdict {
            metric,
            ..Verdict::new(Class::Periodic, words)
        });
    } else if let Some((who, period)) = input.period() {
        let periods = measured / period.0 as f64;
        let whole = periods.round() >= 1.0 && (periods - periods.round()).abs() <= 0.01 * periods.max(1.0);
        if periods < MANY_PERIODS && !whole {
            let words = words::periodic(who, period.as_secs_f64(), measured / 1e9, plan.warmup.as_secs_f64());
            found.push(Verdict {
                metric: Some(who.clone()),
                ..Verdict::new(Class::Periodic, words)
            });
        }
    }
}

/// Work that was lost where no client sees it: metrics, out of which others, and what happened to it.
const LOSSES: [(u8, &str, &str, &str); 11] = [
    (kind::QUEUE, "dead_lettered", "sent", "end as dead letters"),
    (kind::QUEUE, "expired", "sent", "expire unread"),
    (
        kind::STREAM,
        "discarded",
        "records",
        "are discarded after their last try",
    ),
    (kind::STREAM, "expired", "records", "expire unread"),
    (kind::STREAM, "skipped", "records", "are skipped"),
    (kind::FUNCTION, "async.lost", "async.received", "are lost"),
    (kind::TOPIC, "lost", "deliveries", "are lost"),
    (kind::SCHEDULE, "lost", "deliveries", "are lost"),
    (kind::WORKFLOW, "failed", "started", "fail"),
    (kind::WORKFLOW, "timed_out", "started", "time out"),
    (kind::WORKFLOW, "throttled", "offered", "are refused"),
];

/// What was lost in a cell.
fn losses(plan: &Plan, results: &[&Packed]) -> Vec<Loss> {
    let mut found = Vec::new();
    for (at, component) in (0..).zip(&plan.components) {
        for (_, metric, whole, what) in LOSSES.iter().filter(|loss| loss.0 == component.target.kind) {
            let lost = count(results, at, metric);
            if lost == 0 {
                continue;
            }
            // A message that was moved in from elsewhere, or sent before the measured time, counts as well.
            let of = count(results, at, whole).max(lost);
            found.push(Loss {
                metric: format!("{}.{metric}", label(plan, at)),
                words: words::loss(&label(plan, at), component.target.kind, lost, of, what),
                lost,
                of,
                unavoidable: poisoned(plan, component.target, of),
            });
        }
    }
    found
}

/// How many of so many units always fail, at most: four standard deviations more than the mean are no chance.
fn poisoned(plan: &Plan, at: Target, of: u64) -> u64 {
    let share = match at.kind {
        kind::QUEUE => plan.queues[at.index as usize].poison,
        kind::STREAM => plan.streams[at.index as usize].poison,
        _ => 0.0,
    };
    let mean = share * of as f64;
    whole((mean + 4.0 * mean.sqrt()).ceil())
}

impl RateCurve {
    /// The same rate, reached over `ramp` from nothing; none if it changes anyway.
    fn ramped(&self, ramp: Duration) -> Option<Self> {
        let [only] = self.pieces() else { return None };
        let piece = crate::model::mechanism::client::arrivals::Piece {
            length_ns: ramp.0,
            from: 0.0,
            to: only.to,
        };
        Some(Self::new(vec![piece], false))
    }
}
