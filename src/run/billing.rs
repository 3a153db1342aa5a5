//! How the measured time of a cell becomes a month's bill.
//!
//! What traffic causes (requests, compute, bytes) grows with the hours of the month in which such traffic flows; what
//! stands there regardless (instances, provisioned capacity, balancers) grows with all hours of the month. A scenario
//! whose traffic flows only part of the month says so with `active_hours`. Tiers and free tiers apply to the month.

use super::study::CellPlan;
use crate::cost::{Bill, Extrapolation, MeterSet, Usage, bill};
use crate::kernel::Duration;
use crate::model::{KINDS, Plan};
use crate::scenario::{Block, Code, Diagnostic, Diagnostics, Field, Kind, Node, Table, prices};

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BillingPlan {
    /// Whether free tiers are taken off.
    pub free_tier: bool,
    /// Hours of the month in which the traffic flows.
    pub active_hours: Option<f64>,
}

impl BillingPlan {
    /// Reads `billing` of a scenario.
    pub fn read(root: &Block) -> Self {
        let Some(node) = root.node("billing") else {
            return Self {
                free_tier: false,
                active_hours: None,
            };
        };
        let block = Block::new(root.context(), node, &TABLE);
        Self {
            free_tier: block.flag("free_tier"),
            active_hours: block
                .duration_opt("active_hours")
                .map(|time| time.as_secs_f64() / 3600.0),
        }
    }

    /// The bill of one run's meters.
    pub fn bill(&self, plan: &Plan, meters: &[MeterSet], measured: Duration) -> Bill {
        let book = prices::built_in();
        let usages: Vec<Usage> = plan
            .components
            .iter()
            .zip(meters)
            .filter_map(|(component, meters)| {
                let service = component.service.clone()?;
                Some(Usage {
                    component: format!("{}.{}", KINDS[component.target.kind as usize], component.name),
                    service,
                    attributes: component.attributes.iter().cloned().collect(),
                    meters: meters.clone(),
                })
            })
            .collect();
        bill(book, &usages, &self.extrapolation(measured), self.free_tier)
    }

    fn extrapolation(&self, measured: Duration) -> Extrapolation {
        let hours_per_month = prices::built_in().hours_per_month;
        Extrapolation {
            measured,
            hours_per_month,
            active_hours: self.active_hours,
        }
    }

    /// Times that the measured traffic fits into a month.
    pub fn repeats(&self, measured: Duration) -> f64 {
        let hours = self
            .active_hours
            .unwrap_or(f64::from(prices::built_in().hours_per_month));
        hours * 3600.0 / measured.as_secs_f64()
    }
}

/// Warns about services for which the price book has nothing at all.
pub fn check_prices(cells: &[CellPlan], diagnostics: &Diagnostics, root: &Node) {
    let book = prices::built_in();
    for cell in cells {
        for component in &cell.plan.components {
            let Some(service) = &component.service else { continue };
            let free = service.ends_with(".account") || service.starts_with("generic.");
            if !free && !book.knows(service) {
                let message = format!("no prices for `{service}`: the bill leaves it out");
                diagnostics.push(Diagnostic::new(Code::MissingPrice, root.span, message));
            }
        }
    }
}
