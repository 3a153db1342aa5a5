//! Paired differences between cells: all cells have the same dice, so what chance does to both alike falls away.

use super::figures::estimate_of;
use super::points::ABSENT;
use super::summary::{Cell, Difference, Place};
use crate::stats::figure::difference;
use std::collections::BTreeMap;

/// The differences of every metric to the cheapest cell: among the variants at each sweep point, or among all points if
/// there is one variant. A variant that does not have a swept parameter is compared at each point, and itself with the
/// cheapest of all of them. Where no bill tells, to the first. What grows, has two regimes or no traffic is compared
/// with nothing, and what fails or loses work is not what others are measured against unless all do.
pub fn of(cells: &[Cell]) -> Vec<Difference> {
    let one_variant = cells.windows(2).all(|pair| pair[0].variant == pair[1].variant);
    let mut bases: BTreeMap<Place, &Cell> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.is_comparable()) {
        let base = bases.entry(group(cell, one_variant)).or_insert(cell);
        if is_cheaper(cell, base) {
            *base = cell;
        }
    }
    let bases = across_points(&bases);
    let mut differences = Vec::new();
    for cell in cells.iter().filter(|cell| cell.is_comparable()) {
        if let Some(base) = bases
            .get(&group(cell, one_variant))
            .filter(|base| !std::ptr::eq(**base, cell))
        {
            against(cell, base, &mut differences);
        }
    }
    differences
}

/// The cheapest cell for each point, those of variants that do not have a swept parameter among them.
fn across_points<'c>(bases: &BTreeMap<Place<'c>, &'c Cell>) -> BTreeMap<Place<'c>, &'c Cell> {
    let everywhere: Vec<(&Place, &&Cell)> = bases.iter().filter(|(point, _)| point.contains(&ABSENT)).collect();
    let mut all = bases.clone();
    let better = |base: &mut &'c Cell, other: &'c Cell| {
        if is_cheaper(other, base) {
            *base = other;
        }
    };
    for (point, own) in everywhere {
        let meets = |other: &&Place| {
            let mut pairs = point.iter().zip(*other);
            pairs.all(|(a, b)| a == b || *a == ABSENT || *b == ABSENT)
        };
        for other in bases.keys().filter(meets) {
            all.entry(other.clone()).and_modify(|base| better(base, own));
            all.entry(point.clone()).and_modify(|base| better(base, bases[other]));
        }
    }
    all
}

/// What the cells that are compared have in common: nothing, or their sweep point.
fn group(cell: &Cell, one_variant: bool) -> Place<'_> {
    if one_variant {
        return Place::new();
    }
    cell.place().split_off(1)
}

/// Whether others are rather measured against a cell than against one before it.
fn is_cheaper(cell: &Cell, other: &Cell) -> bool {
    let rank = |cell: &Cell| (cell.is_bad(), cell.bill.total.mean);
    let ((bad, bill), (other_bad, other_bill)) = (rank(cell), rank(other));
    bad.cmp(&other_bad).then(bill.total_cmp(&other_bill)).is_lt()
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
