//! From meters to a monthly bill.
//!
//! # From the measured stretch to a month
//!
//! A run measures some hours of traffic; a bill is for a month. Two rules, by the kind of meter ([`Scaling`]):
//!
//! - **Work** (requests, compute, bytes) is caused by traffic. It grows by *active hours / measured hours*, where the
//!   active hours are the hours of the month in which traffic like the measured flows: all of them unless the user
//!   says less.
//! - **Standing** quantities (instances, provisioned concurrency, balancers, databases, storage) exist with or without
//!   traffic. They grow by *hours of the month / measured hours*.
//!
//! Where this misleads: a fleet that grows with the traffic is a standing meter, so that with fewer active hours than
//! the month has it is billed as if it stayed at its measured size in the idle hours too; and a peak hour extrapolated
//! to a month bills a month of peaks. Simulate a whole day with its quiet hours to avoid both. Storage that grows
//! through the month is billed at its measured mean.
//!
//! # Tiers and free tiers
//!
//! Both are monthly and account-wide, so that they apply after scaling and over pools of components. Free units lie at
//! the bottom of the price scale: a pool pays `price(all) - price(free part)`. A pool's amount is split over its
//! components by their paid quantity, and the parts sum to the pool's amount to the last picodollar.

use std::collections::BTreeMap;

use super::book::{COMMITMENT, Confidence, FreeTier, PriceBook, PriceLine, Tier, covers, meets};
use super::meters::{Meter, MeterSet, Scaling};
use super::money::{Money, apportion, mul_div_round};
use crate::kernel::time::Duration;

/// The component that fixed monthly fees are charged to, since they belong to no single one.
pub const ACCOUNT: &str = "(account)";

/// Nanoseconds in an hour.
const HOUR_NS: u64 = 3_600_000_000_000;

/// What one component used in the measured stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The component's name in the scenario.
    pub component: String,
    /// The service it is an instance of: "aws.lambda".
    pub service: String,
    /// What selects among prices: `architecture`, `instance_type`, `commitment` and so on.
    pub attributes: BTreeMap<String, String>,
    /// What it counted.
    pub meters: MeterSet,
}

/// How the measured stretch grows to a month, see the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extrapolation {
    /// The time in which the meters counted; over several replications, the sum of their times.
    pub measured: Duration,
    /// How long the month is.
    pub month: Duration,
    /// Hours of the month in which traffic like the measured flows; `None` for all of them.
    pub active_hours: Option<f64>,
}

impl Extrapolation {
    /// The meters already hold a month of so many hours: nothing grows.
    pub fn whole_month(hours: u32) -> Self {
        let month = Duration(u64::from(hours) * HOUR_NS);
        Self {
            measured: month,
            month,
            active_hours: None,
        }
    }

    /// A month's quanta for `quanta` measured, rounded to the nearest; zero if nothing was measured.
    pub fn scale(&self, scaling: Scaling, quanta: u128) -> u128 {
        let hours = match (scaling, self.active_hours) {
            (Scaling::Work, Some(hours)) => Duration::from_secs_f64(hours * 3600.0),
            _ => self.month,
        };
        match self.measured {
            Duration::ZERO => 0,
            measured => mul_div_round(quanta, u128::from(hours.0), u128::from(measured.0)),
        }
    }
}

/// One line of a bill: what one component pays for one meter by one price.
#[derive(Clone, Debug, PartialEq)]
pub struct BillLine {
    /// The component, or [`ACCOUNT`].
    pub component: String,
    /// Its service.
    pub service: String,
    /// What is paid for.
    pub line: String,
    /// The meter behind it; `None` for a fixed fee.
    pub meter: Option<Meter>,
    /// The priced unit in words.
    pub unit: String,
    /// Units used in the month.
    pub quantity: f64,
    /// Units of these that the free tier covers.
    pub free_quantity: f64,
    /// The price per unit, exactly; from the first tier that is paid to the last one ("3.5 to 2.8").
    pub price: String,
    /// What is due.
    pub amount: Money,
    /// How far the price can be trusted.
    pub confidence: Confidence,
    /// What a reader should know about the price; empty if nothing.
    pub note: String,
}

/// A quantity for which the book has no price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// The component.
    pub component: String,
    /// Its service.
    pub service: String,
    /// The meter that counted.
    pub meter: Meter,
    /// Its quanta in the month.
    pub quanta: u128,
}

/// A month's bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// The currency of all amounts.
    pub currency: String,
    /// The price book's name.
    pub book: String,
    /// The price book's date.
    pub as_of: String,
    /// Lines in the order of the components, then of the meters; fixed fees last. What is free of charge by the price
    /// list is left out.
    pub lines: Vec<BillLine>,
    /// What was counted and could not be priced: the total is too low by it.
    pub unpriced: Vec<Unpriced>,
    /// What else the reader should know, in sentences.
    pub notes: Vec<String>,
    /// The sum of all lines.
    pub total: Money,
}

impl Bill {
    /// The sums by component.
    pub fn by_component(&self) -> BTreeMap<&str, Money> {
        let mut sums = BTreeMap::new();
        for line in &self.lines {
            *sums.entry(line.component.as_str()).or_default() += line.amount;
        }
        sums
    }

    /// The sum of all lines that the bill calls `line`.
    pub fn amount_of(&self, line: &str) -> Money {
        self.lines.iter().filter(|l| l.line == line).map(|l| l.amount).sum()
    }
}

/// One quantity under one price, before and after pooling.
struct Item<'a> {
    usage: &'a Usage,
    price: &'a PriceLine,
    /// The price's number in the book.
    line: usize,
    quanta: u128,
    free: u128,
    amount: Money,
    tiers: (Money, Money),
}

/// Prices what `usages` counted, extrapolated to a month; `free_tier` switches the monthly allowances on.
///
/// # Panics
/// If the book has [`PriceBook::faults`]; readers refuse such books.
pub fn bill(book: &PriceBook, usages: &[Usage], extrapolation: &Extrapolation, free_tier: bool) -> Bill {
    let mut unpriced = Vec::new();
    let mut notes = Vec::new();
    let mut items = collect_items(book, usages, extrapolation, &mut unpriced);
    for usage in usages {
        note_unmet_commitment(usage, &items, &mut notes);
        note_free_of_charge(usage, &items, &mut notes);
    }
    if free_tier {
        share_free_units(&mut items);
    }
    price_pools(&mut items);
    let mut lines: Vec<BillLine> = items
        .iter()
        .filter(|i| !i.price.is_free_of_charge())
        .map(bill_line)
        .collect();
    lines.extend(fee_lines(book, usages));
    let total = lines.iter().map(|l| l.amount).sum();
    Bill {
        currency: book.currency.clone(),
        book: book.name.clone(),
        as_of: book.as_of.clone(),
        lines,
        unpriced,
        notes,
        total,
    }
}

fn collect_items<'a>(
    book: &'a PriceBook,
    usages: &'a [Usage],
    extrapolation: &Extrapolation,
    unpriced: &mut Vec<Unpriced>,
) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for usage in usages {
        for (meter, measured) in usage.meters.iter() {
            let quanta = extrapolation.scale(meter.scaling(), measured);
            let selected = book.select(&usage.service, &usage.attributes, meter);
            if selected.is_empty() && !meter.is_informative() && !measured_otherwise(book, usage, meter) {
                unpriced.push(Unpriced {
                    component: usage.component.clone(),
                    service: usage.service.clone(),
                    meter,
                    quanta,
                });
            }
            items.extend(selected.into_iter().map(|i| Item {
                usage,
                price: &book.lines[i],
                line: i,
                quanta,
                free: 0,
                amount: Money::ZERO,
                tiers: (Money::ZERO, Money::ZERO),
            }));
        }
    }
    items
}

/// Whether the book charges for the same use of machines by another meter.
fn measured_otherwise(book: &PriceBook, usage: &Usage, meter: Meter) -> bool {
    let others = || Meter::ALL.into_iter().filter(|other| other.measures_machines());
    meter.measures_machines() && others().any(|other| !book.select(&usage.service, &usage.attributes, other).is_empty())
}

/// A component for which nothing is charged at all: the bill says why, if the book does.
fn note_free_of_charge(usage: &Usage, items: &[Item], notes: &mut Vec<String>) {
    let own: Vec<&Item> = items.iter().filter(|i| std::ptr::eq(i.usage, usage)).collect();
    if own.iter().all(|i| i.price.is_free_of_charge())
        && let Some(item) = own.iter().find(|i| !i.price.provenance.note.is_empty())
    {
        notes.push(format!(
            "{} ({}) {}",
            usage.component, usage.service, item.price.provenance.note
        ));
    }
}

/// A commitment that no price of the component honours would otherwise pass silently at list price.
fn note_unmet_commitment(usage: &Usage, items: &[Item], notes: &mut Vec<String>) {
    let Some(commitment) = usage.attributes.get(COMMITMENT).filter(|c| *c != "none") else {
        return;
    };
    let mut own = items.iter().filter(|i| std::ptr::eq(i.usage, usage)).peekable();
    if own.peek().is_some() && !own.any(|i| i.price.when.contains_key(COMMITMENT)) {
        notes.push(format!(
            "{}: the price book has no '{commitment}' prices for {}; list prices are used",
            usage.component, usage.service
        ));
    }
}

/// Indices of items that share a pool, by `pool` of their price; without one, those of one price line.
fn group<'a>(items: &[Item<'a>], pool: impl Fn(&'a PriceLine) -> Option<&'a str>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(Option<&str>, usize), Vec<usize>> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        let pool = pool(item.price);
        let line = if pool.is_some() { 0 } else { item.line };
        groups.entry((pool, line)).or_default().push(i);
    }
    groups.into_values().collect()
}

fn share_free_units(items: &mut [Item]) {
    for members in group(items, |p| p.free.as_ref()?.pool.as_deref()) {
        let allowance = items[members[0]].price.free.as_ref().map_or(0, |f: &FreeTier| f.quanta);
        let weights: Vec<u128> = members.iter().map(|&i| items[i].quanta).collect();
        let used = allowance.min(weights.iter().sum());
        for (&i, share) in members.iter().zip(apportion(used, &weights)) {
            items[i].free = share;
        }
    }
}

fn price_pools(items: &mut [Item]) {
    for members in group(items, |p| p.pool.as_deref()) {
        let price = items[members[0]].price;
        let total: u128 = members.iter().map(|&i| items[i].quanta).sum();
        let free: u128 = members.iter().map(|&i| items[i].free).sum();
        let due =
            tiered(&price.tiers, price.quanta_per_unit, total) - tiered(&price.tiers, price.quanta_per_unit, free);
        let paid: Vec<u128> = members.iter().map(|&i| items[i].quanta - items[i].free).collect();
        let tiers = (
            tier_at(&price.tiers, free + 1).price,
            tier_at(&price.tiers, total.max(free + 1)).price,
        );
        for (&i, part) in members.iter().zip(apportion(due.0.unsigned_abs(), &paid)) {
            items[i].amount = Money(part.cast_signed());
            items[i].tiers = tiers;
        }
    }
}

/// The price of `quanta` on a graduated scale.
pub fn tiered(tiers: &[Tier], quanta_per_unit: u128, quanta: u128) -> Money {
    let mut amount = Money::ZERO;
    let mut lower = 0;
    for tier in tiers {
        let upper = tier.upper.unwrap_or(u128::MAX).min(quanta);
        if upper > lower {
            let price = tier.price.0.unsigned_abs();
            amount += Money(mul_div_round(upper - lower, price, quanta_per_unit).cast_signed());
            lower = upper;
        }
    }
    amount
}

/// The step of the scale that the `n`th quantum falls into, counted from one.
fn tier_at(tiers: &[Tier], n: u128) -> Tier {
    let reaches = |t: &&Tier| t.upper.is_none_or(|upper| n <= upper);
    *tiers.iter().find(reaches).expect("the last tier is open")
}

fn bill_line(item: &Item) -> BillLine {
    let Item { usage, price, .. } = item;
    let (first, last) = item.tiers;
    let units = |quanta: u128| quanta as f64 / price.quanta_per_unit as f64;
    BillLine {
        component: usage.component.clone(),
        service: usage.service.clone(),
        line: price.line.clone(),
        meter: Some(price.meter),
        unit: price.unit.clone(),
        quantity: units(item.quanta),
        free_quantity: units(item.free),
        price: if first == last {
            first.exact()
        } else {
            format!("{} to {}", first.exact(), last.exact())
        },
        amount: item.amount,
        confidence: price.provenance.confidence,
        note: price.provenance.note.clone(),
    }
}

/// Each fixed fee once, if any component makes it due.
fn fee_lines<'a>(book: &'a PriceBook, usages: &'a [Usage]) -> impl Iterator<Item = BillLine> + 'a {
    let due = |service: &str, when: &BTreeMap<String, String>| {
        usages
            .iter()
            .any(|u| covers(service, &u.service) && meets(when, &u.attributes))
    };
    book.fees
        .iter()
        .filter(move |f| due(&f.service, &f.when))
        .map(|fee| BillLine {
            component: ACCOUNT.to_owned(),
            service: fee.service.clone(),
            line: fee.line.clone(),
            meter: None,
            unit: "month".to_owned(),
            quantity: 1.0,
            free_quantity: 0.0,
            price: fee.price.exact(),
            amount: fee.price,
            confidence: fee.provenance.confidence,
            note: fee.provenance.note.clone(),
        })
}

#[cfg(test)]
#[path = "bill_tests.rs"]
mod tests;
