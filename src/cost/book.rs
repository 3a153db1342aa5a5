//! A price book: what a provider charges for which meter, as data.
//!
//! A book knows nothing of any service in code. A line applies to a component if the line's service is the component's
//! or a dotted prefix of it (a line of `aws` prices data transfer for `aws.lambda` and `aws.rds.postgres` alike), if
//! the component has every attribute that the line asks for (`when`), and if its meter counted something. Lines of one
//! bill label and meter are alternatives, of which the most particular applies: the longer service first, then the more
//! conditions, then the later in the book, so that a user's own lines appended to a published list replace its prices.
//! Lines of different labels add up.

use std::collections::BTreeMap;

use super::meters::Meter;
use super::money::Money;

/// The attribute by which a component says how far ahead its owner has committed: `savings_1y`, `savings_3y`,
/// `reserved_1y`, `reserved_3y` or `spot`. Absent, or `none`, means list price.
pub const COMMITMENT: &str = "commitment";

/// How far a price can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// From memory or a rule of thumb; check before relying on it.
    Low,
    /// A secondary copy, an older snapshot, or a typical figure in place of a listed one.
    Medium,
    /// The vendor's price list or page.
    High,
}

impl Confidence {
    /// The word for it in price files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One step of a graduated price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Where the step ends, in meter quanta of the pool per month, cumulative; `None` for the last step.
    pub upper: Option<u128>,
    /// The price per unit of what falls into this step.
    pub price: Money,
}

/// A monthly allowance that only counts when free tiers are switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeTier {
    /// Meter quanta per month.
    pub quanta: u128,
    /// Quantities of all lines with the same key share the allowance, in proportion to their size; `None` for a line
    /// that has it to itself.
    pub pool: Option<String>,
}

/// How a service rounds what it meters. The mechanism applies it before it counts; the book only carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metering {
    /// Every billed stretch of time is rounded up to a multiple of this. Unit: ms.
    pub round_up_ms: Option<u64>,
    /// The shortest billed stretch of time. Unit: ms.
    pub minimum_ms: Option<u64>,
    /// The smallest billed size, in MB or in thousandths of a vCPU or capacity unit.
    pub minimum_size: Option<u64>,
    /// Payload that counts as the first request or message, if it differs from `chunk_bytes`. Unit: bytes.
    pub first_chunk_bytes: Option<u64>,
    /// Payload that counts as one request or message more. Unit: bytes.
    pub chunk_bytes: Option<u64>,
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The source in words.
    pub source: String,
    /// The date of the figure: a year, a month or a day ("2026-09-19").
    pub as_of: String,
    /// How far to trust it.
    pub confidence: Confidence,
    /// What a reader of the bill should know about this figure; empty if nothing.
    pub note: String,
}

/// One price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceLine {
    /// The service, or the dotted prefix of several.
    pub service: String,
    /// What the bill calls it.
    pub line: String,
    /// The meter that is priced.
    pub meter: Meter,
    /// The priced unit in words ("GB-s", "1M requests").
    pub unit: String,
    /// Meter quanta in one priced unit: 1,024,000 MB·ms in a GB-s.
    pub quanta_per_unit: u128,
    /// The price, graduated or not; never empty, and the last step is open.
    pub tiers: Vec<Tier>,
    /// Quantities of all lines with the same key add up before tiers apply; `None` for a line whose tiers are its own.
    /// In either case the quantities of all components under a line add up.
    pub pool: Option<String>,
    /// The monthly allowance, if there is one.
    pub free: Option<FreeTier>,
    /// Attributes a component must have for this line to apply.
    pub when: BTreeMap<String, String>,
    /// How the service rounds.
    pub metering: Metering,
    /// Where the price comes from.
    pub provenance: Provenance,
}

impl PriceLine {
    /// Whether nothing is ever charged: the line says that a meter is priced at zero, and stays off the bill.
    pub fn is_free_of_charge(&self) -> bool {
        self.tiers.iter().all(|t| t.price == Money::ZERO)
    }

    fn is_alternative_to(&self, other: &Self) -> bool {
        self.meter == other.meter && self.line == other.line
    }

    /// Sorts the more particular of two alternatives last, if ties keep the order of the book.
    fn particularity(&self) -> (usize, usize) {
        (self.service.len(), self.when.len())
    }
}

/// A monthly charge that does not depend on any meter: a subscription's base price. It is charged once if any component
/// of the service exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedFee {
    /// The service, or the dotted prefix of several.
    pub service: String,
    /// What the bill calls it.
    pub line: String,
    /// The charge per month.
    pub price: Money,
    /// Attributes that a component must have for the fee to be due.
    pub when: BTreeMap<String, String>,
    /// Where the price comes from.
    pub provenance: Provenance,
}

/// A machine or database class for rent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineType {
    /// The table it is listed in: "aws.ec2", "aws.rds".
    pub table: String,
    /// The provider's name for it: "m5.large", "db.r6g.large".
    pub name: String,
    /// Processors as the guest sees them. Unit: thousandths of a vCPU.
    pub vcpu_milli: u32,
    /// Nominal memory. Unit: MB.
    pub memory_mb: u64,
    /// "x86" or "arm".
    pub architecture: String,
    /// For burstable machines, the share of each processor that earned credits sustain. Unit: thousandths.
    pub baseline_milli: Option<u32>,
    /// Prices per hour by name: `on_demand`, or a database engine.
    pub hourly: BTreeMap<String, Money>,
    /// Where the prices come from.
    pub provenance: Provenance,
}

/// A dated list of prices of one provider and region, or of several that do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceBook {
    /// What the manifest calls it.
    pub name: String,
    /// The currency of all prices: "USD".
    pub currency: String,
    /// The date of compilation; single lines may be older.
    pub as_of: String,
    /// The region.
    pub region: String,
    /// Hours in a billed month: 730 by convention of the providers. At least 1.
    pub hours_per_month: u32,
    /// Prices by meter.
    pub lines: Vec<PriceLine>,
    /// Charges without a meter.
    pub fees: Vec<FixedFee>,
    /// Machines and database classes for rent.
    pub machines: Vec<MachineType>,
}

/// Whether a line of service `of` is about a component of `service`.
pub fn covers(of: &str, service: &str) -> bool {
    service
        .strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether a component with `attributes` meets all conditions of `when`.
pub fn meets(when: &BTreeMap<String, String>, attributes: &BTreeMap<String, String>) -> bool {
    when.iter().all(|(key, value)| attributes.get(key) == Some(value))
}

impl PriceBook {
    /// The indices of the lines by which a component of `service` with `attributes` pays for `meter`: one per bill
    /// label, in the order of the book.
    pub fn select(&self, service: &str, attributes: &BTreeMap<String, String>, meter: Meter) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        for (i, line) in self.lines.iter().enumerate() {
            if line.meter != meter || !covers(&line.service, service) || !meets(&line.when, attributes) {
                continue;
            }
            match chosen.iter_mut().find(|c| self.lines[**c].is_alternative_to(line)) {
                Some(c) if self.lines[*c].particularity() <= line.particularity() => *c = i,
                Some(_) => {}
                None => chosen.push(i),
            }
        }
        chosen.sort_unstable();
        chosen
    }

    /// How `meter` is rounded for a component of `service`: by the first line that says so.
    pub fn metering(&self, service: &str, attributes: &BTreeMap<String, String>, meter: Meter) -> Metering {
        self.select(service, attributes, meter)
            .into_iter()
            .map(|i| self.lines[i].metering)
            .find(|m| *m != Metering::default())
            .unwrap_or_default()
    }

    /// Whether any line or fee is about `service`.
    pub fn knows(&self, service: &str) -> bool {
        self.lines.iter().any(|l| covers(&l.service, service)) || self.fees.iter().any(|f| covers(&f.service, service))
    }

    /// The machine of that name in a table such as "aws.ec2"; the later entry wins.
    pub fn machine(&self, table: &str, name: &str) -> Option<&MachineType> {
        self.machines.iter().rev().find(|m| m.table == table && m.name == name)
    }

    /// Appends all of `other`: a line or a fee of it replaces those of this book with the same service, label, meter
    /// and conditions. The result can have [`Self::faults`] even if neither book has: a line can replace a part of a
    /// pool.
    pub fn extend(&mut self, other: Self) {
        self.lines.retain(|mine| {
            let same = |l: &PriceLine| mine.is_alternative_to(l) && mine.service == l.service && mine.when == l.when;
            !other.lines.iter().any(same)
        });
        self.fees.retain(|mine| {
            let same = |f: &FixedFee| mine.line == f.line && mine.service == f.service && mine.when == f.when;
            !other.fees.iter().any(same)
        });
        self.lines.extend(other.lines);
        self.fees.extend(other.fees);
        self.machines.extend(other.machines);
    }

    /// What contradicts itself in this book, one sentence each; a bill is only defined for a book without faults.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.hours_per_month == 0 {
            faults.push("a month has at least one hour".to_owned());
        }
        for fee in &self.fees {
            if fee.price < Money::ZERO {
                faults.push(format!("the fee '{}' of {} is negative", fee.line, fee.service));
            }
        }
        let mut pools: BTreeMap<&str, &PriceLine> = BTreeMap::new();
        let mut free_pools: BTreeMap<&str, &PriceLine> = BTreeMap::new();
        for line in &self.lines {
            let named = format!("'{}' of {}", line.line, line.service);
            if let Some(fault) = fault_of_tiers(line) {
                faults.push(format!("{named}: {fault}"));
            }
            faults.extend(fault_of_pool(line, &mut pools).map(|fault| format!("{named} {fault}")));
            faults.extend(fault_of_free_pool(line, &mut free_pools).map(|fault| format!("{named} {fault}")));
        }
        faults
    }
}

fn fault_of_pool<'a>(line: &'a PriceLine, pools: &mut BTreeMap<&'a str, &'a PriceLine>) -> Option<String> {
    let pool = line.pool.as_deref()?;
    let first = *pools.entry(pool).or_insert(line);
    let terms = |l: &'a PriceLine| (l.meter.dimension(), l.quanta_per_unit, &l.tiers, &l.free);
    (terms(first) != terms(line)).then(|| {
        format!(
            "shares pool '{pool}' with '{}' of {} but differs in unit, price or free tier",
            first.line, first.service
        )
    })
}

fn fault_of_free_pool<'a>(line: &'a PriceLine, pools: &mut BTreeMap<&'a str, &'a PriceLine>) -> Option<String> {
    let pool = line.free.as_ref()?.pool.as_deref()?;
    let first = *pools.entry(pool).or_insert(line);
    let terms = |l: &'a PriceLine| (l.meter.dimension(), l.free.as_ref().map(|f| f.quanta));
    (terms(first) != terms(line)).then(|| {
        format!(
            "shares the free tier '{pool}' with '{}' of {} but differs in its size",
            first.line, first.service
        )
    })
}

fn fault_of_tiers(line: &PriceLine) -> Option<&'static str> {
    if line.quanta_per_unit == 0 {
        return Some("the unit is empty");
    }
    if line.tiers.iter().any(|t| t.price < Money::ZERO) {
        return Some("a price is negative");
    }
    let Some((last, others)) = line.tiers.split_last() else {
        return Some("there is no price");
    };
    if last.upper.is_some() {
        return Some("the last tier must be open");
    }
    let bounds: Option<Vec<u128>> = others.iter().map(|t| t.upper).collect();
    match bounds {
        Some(b) if b.windows(2).all(|w| w[0] < w[1]) => None,
        _ => Some("the bounds of the tiers must rise"),
    }
}
