//! Which cells can be chosen between, and which of them is the answer: the cheapest that keeps the promise; among those
//! within 1 % of it the one that loses least, then the fastest.

use super::headline::Headline;
use super::judge::{Judged, State};
use super::work;
use crate::run::figures::estimate_of;
use crate::run::points::ABSENT;
use crate::run::summary::{Axis, Cell, Difference, Estimate, Summary, name};
use crate::stats::figure::difference;
use std::collections::BTreeMap;

/// Bills, and times, that differ by less than this share count as equal.
const EQUAL: f64 = 0.01;

/// Cells that one can choose between: they have the same to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What comes to them: the values of the axes that nobody chooses.
    pub key: Vec<String>,
    /// Places in the summary's list of cells.
    pub members: Vec<usize>,
    /// Those that keep the promise, the cheapest first.
    pub keeps: Vec<usize>,
    /// The answer.
    pub winner: Option<usize>,
}

/// Whether the values of an axis can be chosen. What comes, how long it takes and what breaks cannot.
pub fn is_chosen(axis: &Axis) -> bool {
    let parameter = axis.parameter.split(", ").next().unwrap_or(&axis.parameter);
    let own = parameter
        .strip_prefix("variants.")
        .and_then(|path| path.split_once('.'));
    let path = own.map_or(parameter, |(_, rest)| rest);
    let mut parts = path.split('.');
    let (section, field) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    match section {
        "clients" => matches!(field, "timeout" | "retry" | "breaker" | "hedge"),
        "schedules" | "externals" | "faults" | "billing" | "prices" | "run" => false,
        _ => !matches!(
            field,
            "handler" | "handlers" | "poison" | "item_size" | "record_size" | "recycle"
        ),
    }
}

/// The values of a cell's point on the axes that nobody chooses.
pub fn key<'c>(axes: &[Axis], cell: &'c Cell) -> Vec<&'c str> {
    let pairs = axes.iter().zip(&cell.point);
    pairs
        .filter(|(axis, _)| !is_chosen(axis))
        .map(|(_, value)| value.text.as_str())
        .collect()
}

/// The cells in groups, in the order of the summary, each with its answer.
pub fn groups(summary: &Summary, judged: &[Judged], headline: &Headline) -> Vec<Group> {
    let mut order: Vec<Vec<&str>> = Vec::new();
    let mut members: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
    let keys: Vec<Vec<&str>> = summary.cells.iter().map(|cell| key(&summary.axes, cell)).collect();
    let nowhere_all = keys.iter().all(|key| key.contains(&ABSENT));
    for key in &keys {
        if (nowhere_all || !key.contains(&ABSENT)) && !members.contains_key(key) {
            order.push(key.clone());
            members.insert(key.clone(), Vec::new());
        }
    }
    for (place, key) in keys.iter().enumerate() {
        if let Some(list) = members.get_mut(key) {
            list.push(place);
            continue;
        }
        let meets = |other: &Vec<&str>| key.iter().zip(other).all(|(a, b)| a == b || *a == ABSENT);
        for (_, list) in members.iter_mut().filter(|(other, _)| meets(other)) {
            list.push(place);
        }
    }
    let group = |key: Vec<&str>| {
        let members = members[&key].clone();
        let mut keeps: Vec<usize> = members.clone();
        keeps.retain(|place| judged[*place].state() == State::Keeps);
        keeps.sort_by(|a, b| bill(&summary.cells[*a]).total_cmp(&bill(&summary.cells[*b])));
        Group {
            key: key.into_iter().map(str::to_owned).collect(),
            winner: best(summary, &keeps, headline),
            members,
            keeps,
        }
    };
    order.into_iter().map(group).collect()
}

/// The mean bill; what has none is dearer than anything.
pub fn bill(cell: &Cell) -> f64 {
    let mean = cell.bill.total.mean;
    if mean.is_finite() && is_priced(cell) {
        mean
    } else {
        f64::INFINITY
    }
}

/// Whether everything that a cell uses has a price.
pub fn is_priced(cell: &Cell) -> bool {
    let lacks = |note: &String| note.contains("price is not in this bill") || note.starts_with("no price for ");
    !cell.bill.notes.iter().any(lacks)
}

/// Those that cost as much as the cheapest, of cells by their bills.
pub fn as_cheap<'k>(summary: &Summary, keeps: &'k [usize]) -> &'k [usize] {
    let least = keeps.first().map_or(0.0, |first| bill(&summary.cells[*first]));
    let equal = |place: &usize| bill(&summary.cells[*place]) <= least * (1.0 + EQUAL) || least.is_infinite();
    &keeps[..keeps.partition_point(equal)]
}

/// How much a cell loses in a run that another one might not.
fn losses(cell: &Cell) -> f64 {
    let avoidable = work::lost(cell).into_iter().filter(|lost| !lost.unavoidable);
    avoidable.map(|lost| lost.per_run.mean).sum()
}

/// The answer among cells that keep the promise, by their bills.
fn best(summary: &Summary, keeps: &[usize], headline: &Headline) -> Option<usize> {
    let mut equal = as_cheap(summary, keeps).to_vec();
    let least = equal
        .iter()
        .map(|place| losses(&summary.cells[*place]))
        .fold(f64::INFINITY, f64::min);
    equal.retain(|place| losses(&summary.cells[*place]) <= least);
    let time = |place: &usize| headline.p99(&summary.cells[*place]).unwrap_or(f64::INFINITY);
    let fastest = equal.iter().map(time).fold(f64::INFINITY, f64::min);
    // The cheapest of those that are as fast.
    equal
        .into_iter()
        .find(|place| time(place) <= fastest * (1.0 + EQUAL) || fastest.is_infinite())
}

/// How much more a cell costs than another one, run by run; none if one of them has no bill.
pub fn dearer(cell: &Cell, than: &Cell) -> Option<Difference> {
    let (mine, its) = (cell.metric(name::BILL_MONTH)?, than.metric(name::BILL_MONTH)?);
    let found: Estimate = estimate_of(&difference(its.side(), mine.side()));
    found.mean.is_finite().then(|| Difference {
        variant: cell.variant.clone(),
        point: cell.point.clone(),
        minus_variant: than.variant.clone(),
        minus_point: than.point.clone(),
        metric: name::BILL_MONTH.to_owned(),
        unit: mine.unit,
        difference: found,
    })
}
