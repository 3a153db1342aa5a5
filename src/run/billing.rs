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
use crate::scenario::month::CalendarMonth;
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
        Field::optional(
            "month",
            Kind::Text,
            "The month that is billed, such as `2026-10`: it has its own hours and its own weekdays. If absent, a twelfth \
             of a year, 730 h.",
        )
        .sample("2026-10"),
        Field::default(
            "time_zone",
            Kind::Text,
            "UTC",
            "With `month`: the zone on whose clocks it begins and ends, such as `Europe/Berlin`; daylight saving is kept.",
        ),
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
    /// The month that is billed; a twelfth of a year if there is none.
    pub month: Option<CalendarMonth>,
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
                month: None,
            };
        };
        let block = Block::new(root.context(), node, &TABLE);
        let month = read_month(&block);
        if let Some(month) = &month {
            by_this_month(Arc::make_mut(&mut book), month);
        }
        Self {
            book,
            month,
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
            month: Duration(hour),
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
            month: self.month_length(),
            active_hours: self.active_hours,
        }
    }

    /// How long the billed month is.
    pub fn month_length(&self) -> Duration {
        let mean = Duration::from_secs(u64::from(self.book.hours_per_month) * 3600);
        self.month.as_ref().map_or(mean, CalendarMonth::length)
    }

    /// How the bill's month was made from the measured time.
    pub fn month_in_words(&self, month: &Month, measured: Duration) -> Vec<String> {
        let span = in_words(measured);
        if month.once {
            return vec![format!(
                "everything comes once: this is the bill of the measured {span}, and not of a month (`per_month` or \
                 `billing.active_hours` make one)"
            )];
        }
        let seen = || month.episodes.iter().filter(|episode| episode.seen > 0);
        let (unsaid, said): (Vec<&Episode>, Vec<&Episode>) = seen().partition(|episode| episode.unsaid);
        let each = |of: &[&Episode]| -> Option<String> {
            let each: Vec<String> = of
                .iter()
                .map(|it| format!("{} \u{d7} {}", number(it.per_month), it.label))
                .collect();
            (!each.is_empty()).then(|| each.join(", "))
        };
        let unsaid = each(&unsaid).map(|unsaid| format!("{unsaid} (`per_month` says otherwise)"));
        let comes: Vec<String> = each(&said).into_iter().chain(unsaid).collect();
        let comes = (!comes.is_empty()).then(|| format!("a month has {}", comes.join(", ")));
        let unseen = month.episodes.iter().filter(|episode| episode.seen == 0);
        let unseen = unseen.filter(|episode| episode.per_month > 0.0).map(|episode| {
            let (label, often) = (&episode.label, times(episode.per_month));
            format!(
                "{label} fires {often} a month and never in the measured {span}: its work is not in the bill; measure \
                 longer, or set `run.start`"
            )
        });
        let traffic = self.traffic_in_words(month, &span);
        std::iter::once(traffic).chain(comes).chain(unseen).collect()
    }

    fn traffic_in_words(&self, has: &Month, measured: &str) -> String {
        let month = match &self.month {
            Some(month) => month.in_words(),
            None => format!("a month of {} h", self.book.hours_per_month),
        };
        if !has.episodes.is_empty() && !has.continuous {
            return format!("{month}: what stands there without traffic in all of it");
        }
        match self.active_hours {
            None => format!("{month}, all of it like the measured {measured}"),
            Some(hours) => format!(
                "{month}: {hours} h of traffic like that of the measured {measured}, and what stands there without \
                 traffic in all of it"
            ),
        }
    }

    /// Times that the measured traffic fits into a month.
    pub fn repeats(&self, measured: Duration) -> f64 {
        let month = self.month_length().as_secs_f64();
        self.active_hours.map_or(month, |hours| hours * 3600.0) / measured.as_secs_f64()
    }
}

/// Reads the month that is billed, and reports what does not go with it.
fn read_month(block: &Block) -> Option<CalendarMonth> {
    if block.has("month") && block.has("active_hours") {
        let message = "`active_hours` and `month` both say how much of the month is traffic";
        let help = "leave `active_hours` out, and say when traffic flows where it comes from, such as `arrivals: { diurnal: \
                    { mean: 5/s, hours: [...] } }` over a whole day";
        block.error(Code::Conflict, block.span_of("active_hours"), message, help);
    }
    if block.has("time_zone") && !block.has("month") {
        let message = "`time_zone` is that of a `month`, and there is none";
        let help = "leave it out, or name a month, such as `month: 2026-10`";
        block.error(Code::Conflict, block.span_of("time_zone"), message, help);
    }
    CalendarMonth::read(block)
}

/// What is priced by the month, such as a GB for a month, is priced by this month: it costs the same in a short one.
fn by_this_month(book: &mut PriceBook, month: &CalendarMonth) {
    let mean = u128::from(book.hours_per_month) * 3_600_000_000_000;
    for line in book.lines.iter_mut().filter(|line| line.unit.ends_with("-month")) {
        let quanta = line.quanta_per_unit * u128::from(month.length().0);
        line.quanta_per_unit = (quanta + mean / 2) / mean;
    }
}

/// A measured time.
fn in_words(measured: Duration) -> String {
    match measured.as_secs_f64() {
        s if s < 7_200.0 => format!("{} min", (s / 6.0).round() / 10.0),
        s => format!("{} h", (s / 360.0).round() / 10.0),
    }
}

/// How often, as a number with a digit after the point where that says something.
fn number(number: f64) -> String {
    match (number * 10.0).round() / 10.0 {
        n if n >= 100.0 => format!("{}", n.round()),
        n if n < 0.1 => format!("{number:.3}"),
        n => format!("{n}"),
    }
}

/// How often, in words.
fn times(often: f64) -> String {
    match &number(often)[..] {
        "1" => "once".to_owned(),
        "2" => "twice".to_owned(),
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
