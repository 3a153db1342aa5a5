//! How the measured time of a cell becomes a month's bill.
//!
//! What traffic causes (requests, compute, bytes) grows with the hours of the month in which such traffic flows; what
//! stands there regardless (instances, provisioned capacity, balancers) grows with all hours of the month. A scenario
//! whose traffic flows only part of the month says so with `active_hours`. Tiers and free tiers apply to the month.
//! Prices that a scenario gives itself (of external services) are attributes of the component in the plan, as the model
//! knows no prices; here they become lines of the book.

use super::episodes::{Episode, Month};
use super::study::CellPlan;
use crate::cost::{
    Bill, Confidence, Extrapolation, Meter, MeterSet, Metering, Money, PriceBook, PriceLine, Provenance, Tier, Usage,
    bill,
};
use crate::kernel::Duration;
use crate::model::mechanism::external;
use crate::model::{Component, KINDS, Plan};
use crate::scenario::{Block, Catalog, Code, Diagnostic, Diagnostics, Field, Kind, Node, Table, prices};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The fields of `billing`.
pub const TABLE: Table = Table {
    name: "billing",
    doc: "How the measured time becomes a month's bill.",
    fields: &[
        Field::default(
            "free_tier",
            Kind::Flag,
            "false",
            "Whether the providers' free tiers are taken off.",
        ),
        Field::optional(
            "active_hours",
            Kind::Duration,
            "Time of a month in which the simulated traffic flows; all of it if absent.",
        )
        .positive(),
    ],
};

/// Billing, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct BillingPlan {
    /// What things cost.
    pub book: Arc<PriceBook>,
    /// Whether free tiers are taken off.
    pub free_tier: bool,
    /// Hours of the month in which the traffic flows.
    pub active_hours: Option<f64>,
}

impl BillingPlan {
    /// Reads `billing` and `prices` of a scenario; the latter are laid over `listed`.
    pub fn read(root: &Block, listed: &Arc<PriceBook>) -> Self {
        let mut book = Arc::clone(listed);
        if let Some(node) = root.node("prices") {
            prices::read_own(root.context(), node, Arc::make_mut(&mut book));
        }
        let Some(node) = root.node("billing") else {
            return Self {
                book,
                free_tier: false,
                active_hours: None,
            };
        };
        let block = Block::new(root.context(), node, &TABLE);
        Self {
            book,
            free_tier: block.flag("free_tier"),
            active_hours: block
                .duration_opt("active_hours")
                .map(|time| time.as_secs_f64() / 3600.0),
        }
    }

    /// The bill of one run's meters, of which a month has as many as of such runs.
    pub fn bill(&self, plan: &Plan, meters: &[MeterSet], measured: Duration) -> Bill {
        self.bill_by(plan, meters, &self.extrapolation(measured))
    }

    /// The bill of the mean of so many whole months' meters.
    pub fn bill_of_months(&self, plan: &Plan, meters: &[MeterSet], months: u64) -> Bill {
        // The ratio is all that matters, and as many months of nanoseconds would not fit.
        let hour = 3_600_000_000_000;
        let mean = Extrapolation {
            measured: Duration(months * hour),
            hours_per_month: 1,
            active_hours: None,
        };
        self.bill_by(plan, meters, &mean)
    }

    fn bill_by(&self, plan: &Plan, meters: &[MeterSet], extrapolation: &Extrapolation) -> Bill {
        let usages: Vec<Usage> = plan
            .components
            .iter()
            .zip(meters)
            .filter_map(|(component, meters)| {
                Some(Usage {
                    component: format!("{}.{}", KINDS[component.target.kind as usize], component.name),
                    service: billed_as(component)?,
                    attributes: component.attributes.iter().cloned().collect(),
                    meters: meters.clone(),
                })
            })
            .collect();
        let own: Vec<PriceLine> = plan.components.iter().flat_map(own_prices).collect();
        if own.is_empty() {
            return bill(&self.book, &usages, extrapolation, self.free_tier);
        }
        let mut book = PriceBook::clone(&self.book);
        book.lines.extend(own);
        bill(&book, &usages, extrapolation, self.free_tier)
    }

    /// How continuous traffic becomes a month.
    pub fn extrapolation(&self, measured: Duration) -> Extrapolation {
        Extrapolation {
            measured,
            hours_per_month: self.book.hours_per_month,
            active_hours: self.active_hours,
        }
    }

    /// How the bill's month was made from the measured time.
    pub fn month_in_words(&self, month: &Month, measured: Duration) -> Vec<String> {
        let span = in_words(measured);
        if month.once {
            return vec![format!(
                "everything comes once: this is the bill of the measured {span}, and not of a month; say how often a \
                 month has it with `per_month` or `billing.active_hours`"
            )];
        }
        let seen = || month.episodes.iter().filter(|episode| episode.seen > 0);
        let (unsaid, said): (Vec<&Episode>, Vec<&Episode>) = seen().partition(|episode| episode.unsaid);
        let said = said.iter().map(|it| format!("{} {}", it.label, times(it.per_month)));
        let mut comes: Vec<String> = said.collect();
        let labels: Vec<&str> = unsaid.iter().map(|episode| &episode.label[..]).collect();
        match labels.len() {
            0 => {}
            1 => comes.push(format!("{} once (say `per_month` if it comes more often)", labels[0])),
            _ => comes.push(format!(
                "once each (say `per_month` of what comes more often) {}",
                labels.join(", ")
            )),
        }
        let mut words = self.traffic_in_words(month, &span);
        if !comes.is_empty() {
            words.push_str(if month.continuous { ", but for " } else { ", and " });
            words.push_str(&comes.join(", "));
        }
        let unseen = month.episodes.iter().filter(|episode| episode.seen == 0);
        let unseen = unseen.map(|episode| {
            let (label, often) = (&episode.label, times(episode.per_month));
            format!(
                "{label} fires {often} a month and never in the measured {span}: its work is not in the bill; measure \
                 longer, or set `run.start` so that it fires"
            )
        });
        std::iter::once(words).chain(unseen).collect()
    }

    fn traffic_in_words(&self, has: &Month, measured: &str) -> String {
        let month = self.book.hours_per_month;
        if !has.episodes.is_empty() && !has.continuous {
            return format!("a month of {month} h is billed: what stands there without traffic in all of it");
        }
        match self.active_hours {
            None => format!("a month of {month} h is billed, all of it like the measured {measured}"),
            Some(hours) => format!(
                "a month of {month} h is billed: traffic like that of the measured {measured} in {hours} h of it, and \
                 what stands there without traffic in all of it"
            ),
        }
    }

    /// Times that the measured traffic fits into a month.
    pub fn repeats(&self, measured: Duration) -> f64 {
        let hours = self.active_hours.unwrap_or(f64::from(self.book.hours_per_month));
        hours * 3600.0 / measured.as_secs_f64()
    }
}

/// A measured time.
fn in_words(measured: Duration) -> String {
    match measured.as_secs_f64() {
        s if s < 7_200.0 => format!("{} min", (s / 6.0).round() / 10.0),
        s => format!("{} h", (s / 360.0).round() / 10.0),
    }
}

/// How often.
fn times(number: f64) -> String {
    match (number * 10.0).round() / 10.0 {
        1.0 => "once".to_owned(),
        2.0 => "twice".to_owned(),
        n if n >= 100.0 => format!("{} times", n.round()),
        n if n < 0.1 => format!("{number:.3} times"),
        n => format!("{n} times"),
    }
}

/// The built-in prices, and over them those in the catalog files of a user's own services.
pub fn listed(catalog: &Catalog, diagnostics: &Diagnostics) -> Arc<PriceBook> {
    let mut book = prices::built_in().clone();
    for service in catalog.services() {
        prices::read_service(service, &mut book, diagnostics);
    }
    Arc::new(book)
}

/// Whether the scenario itself gives a component's prices.
fn has_own_prices(component: &Component) -> bool {
    let own = |attribute: &(String, String)| external::PRICES.contains(&attribute.0.as_str());
    component.attributes.iter().any(own)
}

/// The service whose lines a component pays: its own one below its service if it has prices of its own.
fn billed_as(component: &Component) -> Option<String> {
    if has_own_prices(component) {
        let service = component.service.as_deref().unwrap_or("scenario");
        return Some(format!("{service}.{}", component.name));
    }
    component.service.clone()
}

/// The price lines that the scenario gives for a component: they replace those of its service.
fn own_prices(component: &Component) -> Vec<PriceLine> {
    let (true, Some(service)) = (has_own_prices(component), billed_as(component)) else {
        return Vec::new();
    };
    let line = |(attribute, (line, meter)): (&str, (&str, Meter))| {
        let text = component.attributes.iter().find(|own| own.0 == attribute);
        // What is not priced by the scenario is free if its service has no price for it.
        if text.is_none() && component.service.is_some() {
            return None;
        }
        let price = text.and_then(|own| own.1.parse().ok()).unwrap_or(Money::ZERO);
        Some(PriceLine {
            service: service.clone(),
            line: line.to_owned(),
            meter,
            unit: line.trim_end_matches('s').to_owned(),
            quanta_per_unit: 1,
            tiers: vec![Tier { upper: None, price }],
            pool: None,
            free: None,
            when: BTreeMap::new(),
            metering: Metering::default(),
            provenance: Provenance {
                source: "the scenario".to_owned(),
                as_of: String::new(),
                confidence: Confidence::High,
                note: String::new(),
            },
        })
    };
    let lines = [("calls", Meter::Requests), ("items", Meter::Items)];
    external::PRICES.into_iter().zip(lines).filter_map(line).collect()
}

/// Warns about services for which the price book has nothing at all.
pub fn check_prices(cells: &[CellPlan], diagnostics: &Diagnostics, root: &Node) {
    for cell in cells {
        let book = &cell.billing.book;
        for component in &cell.plan.components {
            let Some(service) = &component.service else { continue };
            let free = service.ends_with(".account") || service.starts_with("generic.");
            if !free && !book.knows(service) && !has_own_prices(component) {
                let message = format!("no prices for `{service}`: the bill leaves it out");
                let help = "give them in the scenario, such as `prices: { acme.functions: [ ... ] }`";
                diagnostics.push(Diagnostic::new(Code::MissingPrice, root.span, message).help(help));
            }
        }
    }
}
