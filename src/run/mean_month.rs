//! The bill of the mean month: the meters of all runs together make one month, which is billed once.
//!
//! A bill is no sum over runs: tiers, minimums and free tiers bend it, so the mean of the runs' bills is not the bill
//! of the mean month. Ten minutes that happen to lie above a free tier would be billed for it, and those below would
//! not pay less than nothing. The interval is the jackknife's over runs; where the bill bends within what the
//! quantities may be, it also holds the bills of the lowest and of the highest quantities.

use super::aggregate::count;
use super::figures::metric_of;
use super::study::CellPlan;
use super::summary::{BillLine, BillSummary, Estimate, Metric, Unit, name};
use super::tally::Packed;
use crate::cost::{Bill, MeterSet};
use crate::kernel::Duration;
use crate::kernel::number::whole_u128;
use crate::model::Plan;
use crate::stats::figure::{self, CONFIDENCE, Figure};
use crate::stats::interval::student_t_quantile;

/// What a run used, in how much time.
struct Usage {
    meters: Vec<MeterSet>,
    measured: Duration,
    /// Requests of its clients.
    requests: u64,
}

impl Usage {
    fn of(run: &Packed, plan: &Plan) -> Self {
        Self {
            meters: run.meters(),
            measured: run.measured(),
            requests: count(run, plan, name::OFFERED),
        }
    }
}

/// What the runs of a cell used together, and its bills.
struct Month {
    all: Bill,
    /// Without run 0, without run 1, ...
    without: Vec<Bill>,
    /// The bills of the lowest and of the highest quantities, where the bill is no straight line between them.
    bent: Option<(Bill, Bill)>,
}

/// How far a bill may be from a straight line by the rounding of amounts alone.
const STRAIGHT: f64 = 1e-6;

impl Month {
    fn of(cell: &CellPlan, results: &[Usage]) -> Self {
        let bill = |meters: &[MeterSet], measured: u64| cell.billing.bill(&cell.plan, meters, Duration(measured));
        let measured: u64 = results.iter().map(|result| result.measured.0).sum();
        let components = cell.plan.components.len();
        let mut pooled = vec![MeterSet::new(); components];
        for result in results {
            pooled
                .iter_mut()
                .zip(&result.meters)
                .for_each(|(all, own)| all.merge(own));
        }
        let rest = |result: &Usage| {
            let others = pooled.iter().zip(&result.meters).map(|(all, own)| all.without(own));
            bill(&others.collect::<Vec<_>>(), measured - result.measured.0)
        };
        let all = bill(&pooled, measured);
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
            bill(&(0..components).map(shift).collect::<Vec<_>>(), measured)
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
    let results: Vec<Usage> = results.iter().map(|run| Usage::of(run, &cell.plan)).collect();
    let results = &results[..];
    let month = Month::of(cell, results);
    let each: Vec<f64> = results
        .iter()
        .map(|result| {
            let own = cell.billing.bill(&cell.plan, &result.meters, result.measured);
            own.total.as_f64()
        })
        .collect();
    let total = month.figure(&|bill| bill.total.as_f64());
    let (per_million, of_each) = per_million(cell, results, &month, &each);
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
    notes.push(cell.billing.month_in_words(measured));
    BillSummary {
        lines: lines(&month),
        total,
        per_million,
        notes,
    }
}

/// Dollars per million requests of the mean month, as a ratio of sums, and those of each run.
fn per_million(cell: &CellPlan, results: &[Usage], month: &Month, each: &[f64]) -> (Figure, Vec<f64>) {
    let requests: Vec<f64> = results.iter().map(|run| run.requests as f64).collect();
    let (all, n) = (requests.iter().sum::<f64>(), results.len() as f64);
    let measured = results.first().map_or(Duration::ZERO, |result| result.measured);
    let repeats = cell.billing.repeats(measured);
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

fn lines(month: &Month) -> Vec<BillLine> {
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
