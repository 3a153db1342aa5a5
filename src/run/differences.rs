//! Paired differences between cells: all cells have the same dice, so what chance does to both alike falls away.

use super::answer::choose::key;
use super::figures::estimate_of;
use super::points::ABSENT;
use super::summary::{Axis, Cell, Difference, Place};
use crate::stats::figure::difference;
use std::collections::{BTreeMap, BTreeSet};

/// The differences of every metric to the answer, or to the cheapest cell where there is none: among the cells that one
/// can choose between, which have the same to do. A variant that does not have a swept parameter is compared at each
/// point, and itself with the cheapest of all of them. Where no bill tells, to the first. What grows, has two regimes
/// or no traffic is compared with nothing, and what fails or loses work is not what others are measured against unless
/// all do. `winners` are the places of the answers.
pub fn of(cells: &[Cell], axes: &[Axis], winners: &[usize]) -> Vec<Difference> {
    let winners: BTreeSet<Place> = winners.iter().map(|place| cells[*place].place()).collect();
    let is_better = |cell: &Cell, other: &Cell| {
        let rank = |cell: &Cell| (!winners.contains(&cell.place()), cell.is_bad());
        let bills = cell.bill.total.mean.total_cmp(&other.bill.total.mean);
        rank(cell).cmp(&rank(other)).then(bills).is_lt()
    };
    let mut bases: BTreeMap<Place, &Cell> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.is_comparable()) {
        let base = bases.entry(key(axes, cell)).or_insert(cell);
        if is_better(cell, base) {
            *base = cell;
        }
    }
    let bases = across_points(&bases, &is_better);
    let mut differences = Vec::new();
    for cell in cells.iter().filter(|cell| cell.is_comparable()) {
        if let Some(base) = bases.get(&key(axes, cell)).filter(|base| !std::ptr::eq(**base, cell)) {
            against(cell, base, &mut differences);
        }
    }
    differences
}

/// The cheapest cell for each point, those of variants that do not have a swept parameter among them.
fn across_points<'c>(
    bases: &BTreeMap<Place<'c>, &'c Cell>,
    is_better: &dyn Fn(&Cell, &Cell) -> bool,
) -> BTreeMap<Place<'c>, &'c Cell> {
    let everywhere: Vec<(&Place, &&Cell)> = bases.iter().filter(|(point, _)| point.contains(&ABSENT)).collect();
    let mut all = bases.clone();
    let better = |base: &mut &'c Cell, other: &'c Cell| {
        if is_better(other, base) {
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
