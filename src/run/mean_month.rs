//! The bill of the mean month: the meters of all runs together make one month, which is billed once.
//!
//! A bill is no sum over runs: tiers, minimums and free tiers bend it, so the mean of the runs' bills is not the bill
//! of the mean month. Ten minutes that happen to lie above a free tier would be billed for it, and those below would
//! not pay less than nothing. Where a month has episodes ([`super::episodes`]), each run with its twins makes a month
//! of its own first. The interval is the jackknife's over runs; where the bill bends within what the
//! quantities may be, it also holds the bills of the lowest and of the highest quantities.

use super::aggregate::count;
use super::episodes::Month;
use super::figures::metric_of;
use super::study::CellPlan;
use super::summary::{BillLine, BillSummary, Estimate, Metric, Unit, name};
use super::tally::{Packed, Twin};
use super::verdict;
use crate::cost::{Bill, Meter, MeterSet};
use crate::kernel::Duration;
use crate::kernel::number::{fit, place, whole_u128};
use crate::model::Plan;
use crate::stats::figure::{self, CONFIDENCE, Figure};
use crate::stats::interval::student_t_quantile;

/// What a run used, in how much time; or in the month that was made of it.
struct Usage {
    meters: Vec<MeterSet>,
    measured: Duration,
    /// Requests of its clients.
    requests: f64,
}

impl Usage {
    fn of(run: &Packed, plan: &Plan) -> Self {
        Self {
            meters: run.meters(),
            measured: run.measured(),
            requests: count(run, plan, name::OFFERED) as f64,
        }
    }

    /// The month of a run: what is there without its episodes fills it, and each step has its share.
    fn month_of(run: &Packed, cell: &CellPlan, has: &Month) -> Self {
        let base = cell.billing.extrapolation(run.measured());
        let with = Twin {
            requests: count(run, &cell.plan, name::OFFERED),
            owed: run.owed(),
            meters: run.meters(),
        };
        let twins: Vec<Twin> = std::iter::once(with).chain(run.twins()).collect();
        let of_episodes = |used: &dyn Fn(&Twin) -> f64| -> f64 {
            let steps = has.steps.iter().zip(twins.windows(2));
            steps
                .map(|(step, pair)| step.weight * (used(&pair[0]) - used(&pair[1])))
                .sum()
        };
        let rest = &twins[twins.len() - 1];
        let by_calendar = kept_ready(cell);
        let quanta = |component: usize, meter: Meter| {
            let dated = by_calendar.iter().find(|kept| kept.component == component);
            let continuous = match dated.filter(|_| meter == Meter::ProvisionedMbMs) {
                Some(kept) => kept.mb_ms(cell),
                None => base.scale(meter.scaling(), rest.meters[component].get(meter)),
            };
            let more = of_episodes(&|twin| twin.meters[component].get(meter) as f64).round();
            // What an episode saves is subtracted; in whole numbers, so that what no episode touches stays exact.
            if more >= 0.0 {
                continuous.saturating_add(whole_u128(more))
            } else {
                continuous.saturating_sub(whole_u128(-more))
            }
        };
        let of = |component: usize| MeterSet::new().map(|meter, _| quanta(component, meter));
        let requests = rest.requests as f64 * cell.billing.repeats(run.measured());
        Self {
            meters: (0..cell.plan.components.len()).map(of).collect(),
            measured: run.measured(),
            requests: requests + of_episodes(&|twin| twin.requests as f64),
        }
    }
}

/// Instances of a function that are kept ready by the calendar: no run has to show how many a month has.
struct Kept {
    component: usize,
    memory_mb: u64,
    /// How many on average in the month.
    mean: f64,
}

impl Kept {
    fn mb_ms(&self, cell: &CellPlan) -> u128 {
        let month_ms = cell.billing.month_length().0 / 1_000_000;
        whole_u128((self.mean * self.memory_mb as f64 * month_ms as f64).round())
    }
}

fn kept_ready(cell: &CellPlan) -> Vec<Kept> {
    let kept = cell.plan.functions.iter().filter_map(|function| {
        let dated = function.provisioned.as_ref()?.dated.as_ref()?;
        Some(Kept {
            component: place(u64::from(function.component)),
            memory_mb: function.memory_mb,
            mean: dated.mean(cell.billing.month.as_ref()),
        })
    });
    kept.collect()
}

/// How what runs used becomes a bill.
struct Pricing<'a> {
    cell: &'a CellPlan,
    has: Month,
    /// Whether what each run used is that of a whole month.
    months: bool,
}

impl<'a> Pricing<'a> {
    fn of(cell: &'a CellPlan, results: &[&Packed]) -> Self {
        let mut has = Month::billed(&cell.plan, cell.billing.month.as_ref());
        // Who says how much of a month is like this says that it comes again.
        has.once &= cell.billing.active_hours.is_none();
        if !results.iter().all(|run| run.has_twins(&cell.plan, &has)) {
            // Runs that were made without twins, such as those of tests, are scaled as a whole.
            has = Month::default();
        }
        Self {
            cell,
            months: has.once || !has.steps.is_empty() || !kept_ready(cell).is_empty(),
            has,
        }
    }

    fn usage(&self, run: &Packed) -> Usage {
        if self.has.once || !self.months {
            Usage::of(run, &self.cell.plan)
        } else {
            Usage::month_of(run, self.cell, &self.has)
        }
    }

    /// The bill of what so many runs used together.
    fn bill(&self, meters: &[MeterSet], runs: u64, measured: u64) -> Bill {
        let Self { cell, .. } = self;
        if self.months {
            cell.billing.bill_of_months(&cell.plan, meters, runs)
        } else {
            cell.billing.bill(&cell.plan, meters, Duration(measured))
        }
    }

    /// Times that what a run used fits into a month.
    fn repeats(&self, measured: Duration) -> f64 {
        if self.months {
            1.0
        } else {
            self.cell.billing.repeats(measured)
        }
    }
}

/// What the runs of a cell used together, and its bills.
struct MeanMonth {
    all: Bill,
    /// Without run 0, without run 1, ...
    without: Vec<Bill>,
    /// The bills of the lowest and of the highest quantities, where the bill is no straight line between them.
    bent: Option<(Bill, Bill)>,
}

/// How far a bill may be from a straight line by the rounding of amounts alone.
const STRAIGHT: f64 = 1e-6;

impl MeanMonth {
    fn of(pricing: &Pricing, results: &[Usage]) -> Self {
        let runs = results.len() as u64;
        let measured: u64 = results.iter().map(|result| result.measured.0).sum();
        let components = pricing.cell.plan.components.len();
        let mut pooled = vec![MeterSet::new(); components];
        for result in results {
            pooled
                .iter_mut()
                .zip(&result.meters)
                .for_each(|(all, own)| all.merge(own));
        }
        let rest = |result: &Usage| {
            let others = pooled.iter().zip(&result.meters).map(|(all, own)| all.without(own));
            pricing.bill(&others.collect::<Vec<_>>(), runs - 1, measured - result.measured.0)
        };
        let all = pricing.bill(&pooled, runs, measured);
        if results.len() < 2 {
            return Self {
                all,
                without: Vec::new(),
                bent: None,
            };
        }
        let without = results.iter().map(rest).collect();
        let shifted = |direction: f64| {
            let shift = |component: usize| shifted(results, component, &pooled[component], direction);
            pricing.bill(&(0..components).map(shift).collect::<Vec<_>>(), runs, measured)
        };
        let (low, high) = (shifted(-1.0), shifted(1.0));
        let (least, most, middle) = (low.total.as_f64(), high.total.as_f64(), all.total.as_f64());
        let straight = (least + most - 2.0 * middle).abs() <= STRAIGHT * (most + 0.01);
        Self {
            all,
            without,
            bent: (!straight).then_some((low, high)),
        }
    }

    /// An amount of the bills with its interval, which holds those of the extreme quantities where the bill bends.
    fn figure(&self, of: &dyn Fn(&Bill) -> f64) -> Figure {
        let leave_one_out: Vec<f64> = self.without.iter().map(of).collect();
        let mut estimate = figure::jackknife(of(&self.all), &leave_one_out);
        if let Some((low, high)) = &self.bent {
            estimate.low = estimate.low.map(|end| end.min(of(low)));
            estimate.high = estimate.high.map(|end| end.max(of(high)));
        }
        estimate.low = estimate.low.map(|low| low.max(0.0));
        Figure {
            estimate,
            leave_one_out,
            events: None,
            jump: None,
        }
    }
}

/// What a component used in all runs, moved by the half-widths of the intervals of its quantities.
fn shifted(results: &[Usage], component: usize, pooled: &MeterSet, direction: f64) -> MeterSet {
    let n = results.len() as f64;
    let t = student_t_quantile(0.5 + CONFIDENCE / 2.0, n - 1.0);
    pooled.map(|meter, all| {
        let mean = all as f64 / n;
        let off = |result: &Usage| result.meters[component].get(meter) as f64 - mean;
        let squares: f64 = results.iter().map(|result| off(result) * off(result)).sum();
        let half = t * (squares * n / (n - 1.0)).sqrt();
        whole_u128((all as f64 + direction * half).max(0.0).round())
    })
}

/// The bill of a cell, and the metrics of its total.
pub fn bill_summary(cell: &CellPlan, results: &[&Packed], metrics: &mut Vec<Metric>) -> BillSummary {
    if let Some(missing) = verdict::no_month(cell) {
        return BillSummary::missing(missing);
    }
    let pricing = Pricing::of(cell, results);
    let results: Vec<Usage> = results.iter().map(|run| pricing.usage(run)).collect();
    let results = &results[..];
    let month = MeanMonth::of(&pricing, results);
    let each: Vec<f64> = results
        .iter()
        .map(|result| {
            let own = pricing.bill(&result.meters, 1, result.measured.0);
            own.total.as_f64()
        })
        .collect();
    let total = month.figure(&|bill| bill.total.as_f64());
    let (per_million, of_each) = per_million(&pricing, results, &month, &each);
    metrics.push(metric_of(name::BILL_MONTH, Unit::Dollars, total, each));
    let total = metrics
        .last()
        .map_or_else(|| Estimate::exact(0.0), |metric| metric.estimate);
    metrics.push(metric_of(name::BILL_PER_MILLION, Unit::Dollars, per_million, of_each));
    let per_million = metrics
        .last()
        .map(|metric| metric.estimate)
        .filter(|e| e.mean.is_finite());
    let mut notes: Vec<String> = month.all.notes.clone();
    for unpriced in &month.all.unpriced {
        let (meter, component, service) = (unpriced.meter.name(), &unpriced.component, &unpriced.service);
        notes.push(format!("no price for {meter} of {component} ({service})"));
    }
    let measured = results.first().map_or(Duration::ZERO, |result| result.measured);
    notes.extend(cell.billing.month_in_words(&pricing.has, measured));
    if !pricing.has.once {
        notes.extend(kept_ready(cell).iter().map(|kept| {
            let name = verdict::label(&cell.plan, fit(kept.component));
            let mean = (kept.mean * 100.0).round() / 100.0;
            format!("{name} keeps {mean} instances ready on average, by its schedule")
        }));
    }
    BillSummary {
        lines: lines(&month),
        total,
        per_million,
        notes,
        missing: None,
    }
}

/// Dollars per million requests of the mean month, as a ratio of sums, and those of each run.
fn per_million(pricing: &Pricing, results: &[Usage], month: &MeanMonth, each: &[f64]) -> (Figure, Vec<f64>) {
    let requests: Vec<f64> = results.iter().map(|run| run.requests).collect();
    let (all, n) = (requests.iter().sum::<f64>(), results.len() as f64);
    let measured = results.first().map_or(Duration::ZERO, |result| result.measured);
    let repeats = pricing.repeats(measured);
    let a_month = |requests: f64, runs: f64| requests / runs * repeats / 1e6;
    let of_each = each
        .iter()
        .zip(&requests)
        .map(|(bill, own)| bill / a_month(*own, 1.0))
        .collect();
    let centre = month.all.total.as_f64() / a_month(all, n);
    let without = month.without.iter().zip(&requests);
    let leave_one_out: Vec<f64> = without
        .map(|(bill, own)| bill.total.as_f64() / a_month(all - own, n - 1.0))
        .collect();
    let mut estimate = figure::jackknife(centre, &leave_one_out);
    estimate.low = estimate.low.map(|low| low.max(0.0));
    let figure = Figure {
        estimate,
        leave_one_out,
        events: None,
        jump: None,
    };
    (figure, of_each)
}

fn lines(month: &MeanMonth) -> Vec<BillLine> {
    let line = |line: &crate::cost::BillLine| {
        let same = |bill: &Bill| -> (f64, f64) {
            let own = bill.lines.iter().find(|other| {
                other.component == line.component && other.line == line.line && other.service == line.service
            });
            own.map_or((0.0, 0.0), |own| (own.quantity, own.amount.as_f64()))
        };
        BillLine {
            component: line.component.clone(),
            service: line.service.clone(),
            line: line.line.clone(),
            unit: line.unit.clone(),
            quantity: super::figures::estimate_of(&month.figure(&|bill| same(bill).0).estimate),
            price: line.price.clone(),
            amount: super::figures::estimate_of(&month.figure(&|bill| same(bill).1).estimate),
            confidence: line.confidence.name().to_owned(),
        }
    };
    month.all.lines.iter().map(line).collect()
}
