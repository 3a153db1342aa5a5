//! What comes into a system, as far as the plan knows it: whether it repeats itself, when it last changes for good, and
//! whether it ends. A level can only be judged against an input that stays what it is.

use crate::kernel::{Duration, Sampler};
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::{ArrivalPlan, Piece, RateCurve, Recording, Spike};
use crate::model::mechanism::schedule::{Recurrence, SchedulePlan, Times};
use crate::model::{KINDS, Plan};

/// The input of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Input {
    /// Who repeats itself, and how often; the longest period is last.
    pub periods: Vec<(String, Duration)>,
    /// The last change that does not repeat itself: the end of a spike, of a recording, of a fault.
    pub last_change: Duration,
    /// How often schedules repeat themselves. A month has as many of their firings as their expressions say, whatever
    /// was measured.
    scheduled: Vec<Duration>,
    /// Whether something goes on for ever.
    endless: bool,
    /// Whether something comes again, by its expression or because the scenario says so.
    again: bool,
    /// Who sends anything at all.
    any: bool,
}

/// The shape of one arrival process.
enum Shape {
    /// The same for ever, but for chance.
    Steady,
    /// The same again after so long, but for what comes once, until then.
    Repeats(Duration, Duration),
    /// Changes for the last time at that moment, and then goes on or not.
    Settles(Duration, bool),
}

/// When a curve changes for the last time, if it does so once and for all.
pub fn settles(curve: &RateCurve) -> Option<Duration> {
    match shape_of_curve(curve) {
        Shape::Settles(at, _) if at > Duration::ZERO => Some(at),
        _ => None,
    }
}

/// Whether the scenario says how often what a client does once comes in a month.
fn comes_again(load: &Load) -> bool {
    let Load::Open {
        arrivals, per_month, ..
    } = load
    else {
        return false;
    };
    let spikes = match arrivals {
        ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve) => curve.spikes(),
        _ => &[],
    };
    per_month.is_some() || spikes.iter().any(|spike| spike.per_month.is_some())
}

/// When the last spike of a curve ends.
fn last_spike(curve: &RateCurve) -> Duration {
    let ends = curve.spikes().iter().map(Spike::end);
    ends.max().unwrap_or(Duration::ZERO)
}

fn shape_of_curve(curve: &RateCurve) -> Shape {
    let pieces = curve.pieces();
    let before = |pieces: &[Piece]| {
        Duration(
            pieces
                .iter()
                .fold(0, |sum: u64, piece| sum.saturating_add(piece.length_ns)),
        )
    };
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs().max(b.abs());
    let rate = pieces[0].from;
    if pieces
        .iter()
        .all(|piece| same(piece.from, rate) && same(piece.to, rate))
    {
        return if rate > 0.0 {
            Shape::Steady
        } else {
            Shape::Settles(Duration::ZERO, false)
        };
    }
    // The last piece that differs from what is held in the end.
    let held = pieces[pieces.len() - 1].to;
    let changes = |piece: &Piece| !same(piece.from, held) || !same(piece.to, held);
    let last = pieces.iter().rposition(changes).unwrap_or(0);
    match curve.period().filter(|whole| whole.0 < u64::MAX) {
        Some(whole) => Shape::Repeats(whole, last_spike(curve)),
        None => Shape::Settles(before(&pieces[..=last]), held > 0.0),
    }
}

fn shape(arrivals: &ArrivalPlan, length: Duration) -> Shape {
    match arrivals {
        ArrivalPlan::Constant(curve) | ArrivalPlan::Poisson(curve) => shape_of_curve(curve),
        ArrivalPlan::Modulated(_) | ArrivalPlan::Gaps(_) => Shape::Steady,
        ArrivalPlan::Times(Recording { at: times, .. }) => {
            let within = times.partition_point(|time| *time < length.0);
            let end = within.checked_sub(1).map_or(0, |last| times[last]);
            // A recording that reaches the end is not over; what comes after it nobody knows.
            let mean = end / within.max(1) as u64;
            let over = within == times.len() && end.saturating_add(mean.saturating_mul(10)) < length.0;
            Shape::Settles(if over { Duration(end) } else { length }, !over)
        }
        ArrivalPlan::Counts {
            interval_ns,
            counts,
            repeats,
            begin_ns,
            ..
        } => {
            let whole = interval_ns.saturating_mul(counts.len() as u64);
            let whole = Duration(whole.saturating_add(if *repeats { 0 } else { *begin_ns }));
            match repeats {
                true if counts.iter().all(|n| *n == counts[0]) => Shape::Steady,
                true => Shape::Repeats(whole, Duration::ZERO),
                // One that ends with the run, but for a twentieth of it, was made for it.
                false if whole.0 < length.0 - length.0 / 20 => {
                    let last = counts.iter().rposition(|n| *n > 0).map_or(0, |last| last as u64 + 1);
                    let end = begin_ns.saturating_add(interval_ns.saturating_mul(last));
                    Shape::Settles(Duration(end), false)
                }
                false => Shape::Settles(length.min(whole), true),
            }
        }
    }
}

impl Input {
    /// What the plan says about the input of its system.
    pub fn of(plan: &Plan) -> Self {
        let mut input = Self::default();
        for client in &plan.clients {
            let name = || label(plan, client.component);
            match &client.load {
                Load::Closed { .. } => (input.any, input.endless) = (true, true),
                Load::Open { arrivals, .. } => match shape(arrivals, plan.length) {
                    Shape::Steady => (input.any, input.endless) = (true, true),
                    Shape::Repeats(period, once) => {
                        (input.any, input.endless) = (true, true);
                        input.last_change = input.last_change.max(once.min(plan.length));
                        input.periods.push((name(), period));
                    }
                    Shape::Settles(at, on) => {
                        input.any |= on || at > Duration::ZERO;
                        input.endless |= on;
                        input.again |= comes_again(&client.load);
                        input.last_change = input.last_change.max(at.min(plan.length));
                    }
                },
            }
        }
        for schedule in &plan.schedules {
            input.schedule(schedule, plan);
        }
        for fault in &plan.faults {
            let Some(at) = fault.at.filter(|_| fault.again_after.is_none()) else {
                continue;
            };
            let lasts = match &fault.lasts {
                None => Duration::ZERO,
                Some(Sampler::Constant(lasts)) => Duration::from_nanos_f64(*lasts),
                // It ends by chance; half of what is left of the run is as good a guess as any.
                Some(_) => Duration(plan.length.0.saturating_sub(at.0) / 2),
            };
            input.last_change = input
                .last_change
                .max(Duration(at.0.saturating_add(lasts.0)).min(plan.length));
        }
        for queue in &plan.queues {
            input.again |= queue
                .redrive
                .as_ref()
                .is_some_and(|redrive| redrive.per_month.is_some());
            let redrive = queue.redrive.as_ref().map_or(Duration::ZERO, |redrive| redrive.at);
            let until = queue.poison_until;
            let poison = if until < plan.length { until } else { Duration::ZERO };
            input.last_change = input.last_change.max(redrive.min(plan.length)).max(poison);
        }
        input.periods.sort_by_key(|period| period.1);
        input.scheduled.sort_unstable();
        input
    }

    fn schedule(&mut self, schedule: &SchedulePlan, plan: &Plan) {
        let within = |at: &Duration| *at >= plan.warmup && *at < plan.length;
        let again = !matches!(schedule.recurrence, Recurrence::Once(None));
        match &schedule.times {
            Times::Every { first, interval } => {
                self.any |= *first < plan.length;
                self.again |= *first < plan.length;
                self.scheduled.push(*interval);
            }
            Times::At(instants) => {
                let fired: Vec<Duration> = instants.iter().copied().filter(within).collect();
                self.any |= !fired.is_empty();
                self.again |= again && !fired.is_empty();
                match fired[..] {
                    [] => {}
                    [first, .., last] if fired.len() > 2 => {
                        self.scheduled
                            .push(Duration((last.0 - first.0) / (fired.len() as u64 - 1)));
                    }
                    _ => {
                        self.last_change = self.last_change.max(fired[fired.len() - 1]);
                    }
                }
            }
        }
    }

    /// Whether nothing comes any more after [`Self::last_change`], not even in another week.
    pub fn is_over(&self) -> bool {
        self.any && !self.endless && !self.again
    }

    /// Whether there is traffic that goes on for ever.
    pub fn continues(&self) -> bool {
        self.endless
    }

    /// After how long something comes again, schedules included, ascending.
    pub fn all_periods(&self) -> Vec<Duration> {
        let mut all: Vec<Duration> = self.periods.iter().map(|period| period.1).collect();
        all.extend(&self.scheduled);
        all.sort_unstable();
        all
    }

    /// Who repeats itself more seldom than once in that time: nobody knows its month.
    pub fn not_once_in(&self, measured: Duration) -> Option<&(String, Duration)> {
        /// Less than this of a period is not all of it.
        const WHOLE: f64 = 0.99;
        self.period()
            .filter(|(_, period)| (measured.0 as f64) < WHOLE * period.0 as f64)
    }

    /// The longest period, if there is any.
    pub fn period(&self) -> Option<&(String, Duration)> {
        self.periods.last()
    }
}

/// The dotted name of a component.
pub fn label(plan: &Plan, component: u32) -> String {
    let component = &plan.components[component as usize];
    format!("{}.{}", KINDS[component.target.kind as usize], component.name)
}
