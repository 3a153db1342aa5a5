//! Paired differences between cells: all cells have the same dice, so what chance does to both alike falls away.

use super::figures::estimate_of;
use super::summary::{Cell, Difference};
use crate::stats::figure::difference;

/// The differences of every metric to the cheapest cell: among the variants at each sweep point, or among all points if
/// there is one variant. Where no bill tells, to the first. What grows, has two regimes or no traffic is compared with
/// nothing, and what fails or loses work is not what others are measured against unless all do.
pub fn of(cells: &[Cell]) -> Vec<Difference> {
    let one_variant = cells.windows(2).all(|pair| pair[0].variant == pair[1].variant);
    let together = |a: &Cell, b: &Cell| one_variant || a.is_at(&a.variant, &b.point);
    let mut differences = Vec::new();
    for cell in cells {
        let group = || {
            cells
                .iter()
                .filter(|other| together(cell, other) && other.is_comparable())
        };
        let cheapest = |with: &dyn Fn(&&Cell) -> bool| {
            let bill = |cell: &&Cell| cell.bill.total.mean;
            group().filter(with).min_by(|a, b| bill(a).total_cmp(&bill(b)))
        };
        let Some(base) = cheapest(&|cell| !cell.is_bad()).or_else(|| cheapest(&|_| true)) else {
            continue;
        };
        if !std::ptr::eq(base, cell) && cell.is_comparable() {
            against(cell, base, &mut differences);
        }
    }
    differences
}

/// Whether the difference of a metric means anything: the greatest value of all runs estimates nothing.
fn has_difference(metric: &str) -> bool {
    metric.rsplit('.').next() != Some("max")
}

fn against(cell: &Cell, base: &Cell, differences: &mut Vec<Difference>) {
    for metric in cell.metrics.iter().filter(|metric| has_difference(&metric.name)) {
        let Some(other) = base.metric(&metric.name) else {
            continue;
        };
        let (mine, its) = (metric.estimate.mean, other.estimate.mean);
        if !mine.is_finite() || !its.is_finite() {
            continue;
        }
        let found = difference(other.side(), metric.side());
        differences.push(Difference {
            variant: cell.variant.clone(),
            point: cell.point.clone(),
            minus_variant: base.variant.clone(),
            minus_point: base.point.clone(),
            metric: metric.name.clone(),
            unit: metric.unit,
            difference: estimate_of(&found),
        });
    }
}
