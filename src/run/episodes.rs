//! What a month has of what a run shows.
//!
//! Continuous traffic fills a month as it fills the measured time. What comes at times of its own does not: a schedule
//! fires as often as its expression says, and a spike, a change of rates, a deploy or a fault comes once, unless the
//! scenario says how often (`per_month`). These *episodes* are taken out of the plan and the cell is run again with the
//! same dice: what it used more with them is theirs, each episode's share is paid for as often as a month has it, and
//! only what is left fills the month.
//!
//! Episodes that a month has equally often, for each time that they are in the measured time, leave together; the
//! rarest leave first, so that what comes often is seen as it mostly is: without what comes seldom. Each such step is
//! one more run, a *twin* of the run before it.
//!
//! What touches all of the measured time, or only the warm-up, is no episode but the state that was measured. Where
//! everything comes once and nobody says how often, there is no month, and the bill is that of the measured time.

use super::verdict::{Input, label, settles};
use crate::kernel::{Duration, Sampler};
use crate::model::Plan;
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::{ArrivalPlan, RateCurve};
use crate::model::mechanism::schedule::{Recurrence, SchedulePlan, Times};
use crate::scenario::month::CalendarMonth;
use crate::scenario::units::show_duration;

/// What can be taken out of a plan; numbers are places in its lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Schedule(usize),
    Recycle { function: usize, place: usize },
    Rates { client: usize },
    Spike { client: usize, place: usize },
    Fault(usize),
    Redrive(usize),
}

/// Something that comes at times of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// What to take out, if there is anything of it in a run.
    part: Option<Part>,
    /// What it is, in words.
    pub label: String,
    /// From when to when it lasts, if it comes at one time.
    pub span: Option<(Duration, Duration)>,
    /// How often the billed month has it.
    pub per_month: f64,
    /// How often a mean month has it.
    mean: f64,
    /// What it has in common with others that any month has equally often, if a mean one has.
    by_month: [u64; 12],
    /// How often it began in the measured time.
    pub seen: u64,
    /// Whether it comes once only because nothing else was said.
    pub unsaid: bool,
    /// So many jobs that are left over at the end are no loss: as many came in from before the measured time.
    pub balanced: f64,
}

impl Episode {
    /// So many a month, for each time that the measured time has it; what was not seen has no share of it.
    fn weight(&self, per_month: f64) -> f64 {
        match self.seen {
            0 => 0.0,
            seen => per_month / seen as f64,
        }
    }
}

/// Episodes that leave together.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// How often a month has them for each time that the measured time has them.
    pub weight: f64,
    parts: Vec<Part>,
}

/// How the measured time of a plan's runs becomes a month.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Month {
    /// Whether everything comes once, so that there is no month.
    pub once: bool,
    /// Whether there is continuous traffic beside the episodes.
    pub continuous: bool,
    /// The episodes, schedules first.
    pub episodes: Vec<Episode>,
    /// In the order in which they are taken out.
    pub steps: Vec<Step>,
}

impl Month {
    /// The mean month of a plan whose warm-up and length are settled.
    pub fn of(plan: &Plan) -> Self {
        Self::billed(plan, None)
    }

    /// A month of the calendar, or the mean one. Its steps are the same in any month, but for what they weigh.
    pub fn billed(plan: &Plan, month: Option<&CalendarMonth>) -> Self {
        let input = Input::of(plan);
        // A recording is a sample of traffic that goes on, wherever it was cut.
        let recorded = plan.clients.iter().any(|client| is_recorded(&client.load));
        if input.is_over() && !recorded {
            return Self {
                once: true,
                ..Self::default()
            };
        }
        let episodes = episodes(plan, month);
        Self {
            once: false,
            continuous: input.continues() || recorded,
            steps: steps(&episodes),
            episodes,
        }
    }

    /// The plan without the episodes of the first step, of the first two, and so on.
    pub fn twins(&self, plan: &Plan) -> Vec<Plan> {
        let until = |last: usize| -> Vec<Part> {
            let gone = self.steps[..=last].iter();
            gone.flat_map(|step| &step.parts).copied().collect()
        };
        (0..self.steps.len()).map(|last| without(plan, &until(last))).collect()
    }
}

impl Month {
    /// The episodes of a step.
    pub fn of_step<'m>(&'m self, step: &'m Step) -> impl Iterator<Item = &'m Episode> {
        let leaves = |episode: &&Episode| episode.part.is_some_and(|part| step.parts.contains(&part));
        self.episodes.iter().filter(leaves)
    }
}

/// The steps in which episodes leave. A schedule that fires only outside the measured time leaves, too, and what it
/// left behind is nobody's.
fn steps(episodes: &[Episode]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let parts = episodes.iter().filter_map(|episode| {
        let (mean, weight) = (episode.weight(episode.mean), episode.weight(episode.per_month));
        Some((mean, episode.by_month, weight, episode.part?))
    });
    let mut sorted: Vec<(f64, [u64; 12], f64, Part)> = parts.collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut last = None;
    for (mean, by_month, weight, part) in sorted {
        let same = last.is_some_and(|(least, of): (f64, [u64; 12])| mean - least <= 1e-9 * mean && of == by_month);
        if let Some(step) = steps.last_mut().filter(|_| same) {
            step.parts.push(part);
        } else {
            last = Some((mean, by_month));
            steps.push(Step {
                weight,
                parts: vec![part],
            });
        }
    }
    steps
}

/// Whether something between these instants is an episode of the measured time; what has no length is one within it.
fn is_within(plan: &Plan, begin: Duration, end: Duration) -> bool {
    let measures_it = begin < plan.length && (end > plan.warmup || begin >= plan.warmup);
    measures_it && (begin > plan.warmup || end < plan.length)
}

fn once(part: Part, label: String, span: (Duration, Duration), per_month: Option<f64>) -> Episode {
    Episode {
        part: Some(part),
        label,
        span: Some(span),
        per_month: per_month.unwrap_or(1.0),
        mean: per_month.unwrap_or(1.0),
        by_month: [0; 12],
        seen: 1,
        unsaid: per_month.is_none(),
        balanced: 0.0,
    }
}

/// What a schedule is in a month.
fn scheduled(plan: &Plan, place: usize, month: Option<&CalendarMonth>) -> Option<Episode> {
    let schedule = &plan.schedules[place];
    let (before, within) = firings(&schedule.times, plan);
    let fires = before + within > 0;
    let (mean, per_month, by_month, unsaid) = match &schedule.recurrence {
        Recurrence::Always(by) => (by.firings(None), by.firings(month), by.by_month(), false),
        Recurrence::Once(_) if !fires => return None,
        Recurrence::Once(said) => {
            let often = said.unwrap_or(1.0) * within as f64;
            (often, often, [0; 12], said.is_none())
        }
    };
    Some(Episode {
        part: fires.then_some(Part::Schedule(place)),
        label: label(plan, schedule.component),
        span: None,
        per_month,
        mean,
        by_month,
        seen: within,
        unsaid,
        balanced: if is_regular(schedule, plan) {
            before as f64 * f64::from(schedule.jobs)
        } else {
            0.0
        },
    })
}

/// Whether a schedule fires at equal distances all run long, and the measured time is a whole number of them: what it
/// leaves over at the end then came in at the beginning.
fn is_regular(schedule: &SchedulePlan, plan: &Plan) -> bool {
    let interval = match &schedule.times {
        Times::Every { interval, .. } => *interval,
        Times::At(instants) => {
            let fired = &instants[..instants.partition_point(|at| *at < plan.length)];
            let mut gaps = fired.windows(2).map(|pair| pair[1] - pair[0]);
            match gaps.next() {
                Some(first) if gaps.all(|gap| gap == first) => first,
                _ => return false,
            }
        }
    };
    let always = matches!(schedule.recurrence, Recurrence::Always(_));
    always && (plan.length - plan.warmup).0.is_multiple_of(interval.0.max(1))
}

fn episodes(plan: &Plan, month: Option<&CalendarMonth>) -> Vec<Episode> {
    let schedules = (0..plan.schedules.len()).filter_map(|place| scheduled(plan, place, month));
    let mut found: Vec<Episode> = schedules.collect();
    for (place, queue) in plan.queues.iter().enumerate() {
        if let Some(redrive) = queue.redrive.as_ref().filter(|it| is_within(plan, it.at, it.at)) {
            let words = format!(
                "the redrive of {} at {}",
                label(plan, queue.component),
                show_duration(redrive.at)
            );
            let span = (redrive.at, plan.length);
            found.push(once(Part::Redrive(place), words, span, redrive.per_month));
        }
    }
    for (client, spec) in plan.clients.iter().enumerate() {
        let (Some(curve), Load::Open { per_month, .. }) = (curve_of(&spec.load), &spec.load) else {
            continue;
        };
        let name = label(plan, spec.component);
        // A course that goes on until the end is the traffic that was measured.
        let last = settles(curve.calm()).filter(|last| *last > plan.warmup && *last < plan.length);
        if let Some(last) = last {
            let words = format!("what the rates of {name} do");
            found.push(once(Part::Rates { client }, words, (Duration::ZERO, last), *per_month));
        }
        for (place, spike) in curve.spikes().iter().enumerate() {
            if is_within(plan, spike.at, spike.end()) {
                let words = format!("the spike of {name} at {}", show_duration(spike.at));
                let span = (spike.at, spike.end());
                found.push(once(Part::Spike { client, place }, words, span, spike.per_month));
            }
        }
    }
    for (function, spec) in plan.functions.iter().enumerate() {
        for (place, recycle) in spec.recycles.iter().enumerate() {
            let at = Duration(recycle.at.0);
            if recycle.every.is_none() && is_within(plan, at, at + recycle.spread) {
                let name = label(plan, spec.component);
                let words = format!("the recycling of {name} at {}", show_duration(at));
                let span = (at, at + recycle.spread);
                found.push(once(Part::Recycle { function, place }, words, span, recycle.per_month));
            }
        }
    }
    for (place, fault) in plan.faults.iter().enumerate() {
        let Some(at) = fault.at.filter(|_| fault.again_after.is_none()) else {
            continue;
        };
        let at = Duration(at.0);
        let end = match &fault.lasts {
            None if fault.is_momentary() => at,
            Some(Sampler::Constant(lasts)) => at + Duration::from_nanos_f64(*lasts),
            _ => plan.length,
        };
        if is_within(plan, at, end) {
            found.push(once(
                Part::Fault(place),
                format!("the fault {}", fault.name),
                (at, end),
                fault.per_month,
            ));
        }
    }
    found
}

/// How often a schedule fires before an instant of a run.
pub(super) fn fired_until(times: &Times, end: Duration) -> u64 {
    match times {
        Times::At(instants) => instants.partition_point(|at| *at < end) as u64,
        Times::Every { first, interval } => end.0.saturating_sub(first.0).div_ceil(interval.0.max(1)),
    }
}

/// How often a schedule fires before the measured time and within it.
fn firings(times: &Times, plan: &Plan) -> (u64, u64) {
    let before = fired_until(times, plan.warmup);
    (before, fired_until(times, plan.length) - before)
}

fn is_recorded(load: &Load) -> bool {
    let Load::Open { arrivals, .. } = load else {
        return false;
    };
    matches!(arrivals, ArrivalPlan::Times(_) | ArrivalPlan::Counts { .. })
}

fn curve_of(load: &Load) -> Option<&RateCurve> {
    match load {
        Load::Open {
            arrivals: ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve),
            ..
        } => Some(curve),
        _ => None,
    }
}

/// The plan without these episodes. Everything else keeps its number, its name and so its dice.
fn without(plan: &Plan, gone: &[Part]) -> Plan {
    let mut rest = plan.clone();
    for (place, schedule) in rest.schedules.iter_mut().enumerate() {
        if gone.contains(&Part::Schedule(place)) {
            schedule.times = Times::At(Vec::new());
        }
    }
    for (place, queue) in rest.queues.iter_mut().enumerate() {
        if gone.contains(&Part::Redrive(place)) {
            queue.redrive = None;
        }
    }
    for (client, spec) in rest.clients.iter_mut().enumerate() {
        if let Load::Open {
            arrivals: ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve),
            ..
        } = &mut spec.load
        {
            let calm = curve.calm();
            let calm = if gone.contains(&Part::Rates { client }) {
                calm.held()
            } else {
                calm.clone()
            };
            let spikes = curve.spikes().iter().enumerate();
            let stay = spikes.filter(|(place, _)| !gone.contains(&Part::Spike { client, place: *place }));
            *curve = stay.fold(calm, |curve, (_, spike)| curve.with_spike(*spike, plan.length));
        }
    }
    for (function, spec) in rest.functions.iter_mut().enumerate() {
        let mut places = 0..;
        spec.recycles.retain(|_| {
            let place = places.next().unwrap_or_default();
            !gone.contains(&Part::Recycle { function, place })
        });
    }
    let mut places = 0..;
    rest.faults
        .retain(|_| !gone.contains(&Part::Fault(places.next().unwrap_or_default())));
    rest
}
