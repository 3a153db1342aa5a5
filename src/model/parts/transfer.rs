//! Data transfer: what a component's requests move over lines that providers charge for, beside the answers that
//! gateways send out.
//!
//! Model: so many bytes for each request that is worked on, over each of three lines, and gateways for address
//! translation that stand there all the time. It costs money and no time.
//! Not modelled: bandwidth; where components really are (a user says how much crosses a line); private links, peering,
//! content delivery networks.
//! Units: bytes for each request.
//! Sources: EC2 on-demand pricing, "Data transfer" (out to the internet in tiers; between zones in each direction);
//! Amazon VPC pricing, "NAT gateway" (by the hour and by the gigabyte, whatever the direction).
//! Validated by: bills by hand (tests below).

use crate::cost::{Meter, MeterSet};
use crate::kernel::Duration;
use crate::scenario::{Block, Field, Kind, Table};

const GIGABYTE: f64 = (1_u64 << 30) as f64;

/// The fields of a component's data transfer.
pub const TABLE: Table = Table {
    name: "data transfer",
    doc: "What each request moves over lines that cost money; gateways count their answers themselves.",
    fields: &[
        Field::default(
            "internet",
            Kind::Size,
            "0 KB",
            "Bytes that each request sends out to the internet, other than through a gateway of the scenario.",
        )
        .within(0.0, GIGABYTE)
        .source("Amazon EC2 pricing, data transfer: what comes in is free"),
        Field::default(
            "between_zones",
            Kind::Size,
            "0 KB",
            "Bytes that each request exchanges with other availability zones, both ways together; both sides pay.",
        )
        .within(0.0, GIGABYTE)
        .source("Amazon EC2 pricing, data transfer: charged out of one zone and into the other"),
        Field::default(
            "nat",
            Kind::Size,
            "0 KB",
            "Bytes that each request moves through a NAT gateway, both ways together.",
        )
        .within(0.0, GIGABYTE)
        .source("Amazon VPC pricing, NAT gateway: every gigabyte processed"),
        Field::default(
            "nat_gateways",
            Kind::Count,
            "0",
            "NAT gateways that are kept for it; count each at one component only.",
        )
        .within(0.0, 1000.0)
        .source("Amazon VPC pricing, NAT gateway: by the hour; usually one in each zone"),
    ],
};

/// Data transfer, checked. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferPlan {
    /// Bytes out to the internet for each request.
    pub internet: u64,
    /// Bytes between zones for each request.
    pub between_zones: u64,
    /// Bytes through address translation for each request.
    pub nat: u64,
    /// Gateways for address translation.
    pub nat_gateways: u64,
}

impl TransferPlan {
    /// Reads the field `transfer` of a component.
    pub fn read(component: &Block) -> Self {
        component.block("transfer").map_or(Self::default(), |block| Self {
            internet: block.size("internet"),
            between_zones: block.size("between_zones"),
            nat: block.size("nat"),
            nat_gateways: block.count("nat_gateways"),
        })
    }

    /// Counts what so many requests moved in so long a time.
    pub fn meter(&self, requests: u64, measured: Duration, meters: &mut MeterSet) {
        meters.add_product(Meter::BytesOut, self.internet, requests);
        // A byte that crosses is charged where it leaves and where it enters.
        meters.add_product(Meter::CrossZoneBytes, 2 * self.between_zones, requests);
        meters.add_product(Meter::NatBytes, self.nat, requests);
        meters.add_product(Meter::NatGatewayMs, self.nat_gateways, measured.millis_ceil());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Extrapolation, Usage, bill};
    use crate::scenario::prices;
    use std::collections::BTreeMap;

    #[test]
    fn a_month_of_data_transfer_by_hand() {
        let gib = 1 << 30;
        let transfer = TransferPlan {
            internet: gib,
            between_zones: gib / 2,
            nat: gib,
            nat_gateways: 2,
        };
        let mut meters = MeterSet::default();
        transfer.meter(1_000, Duration::from_secs(730 * 3600), &mut meters);
        let usage = Usage {
            component: "functions.f".into(),
            service: "aws.lambda".into(),
            attributes: BTreeMap::new(),
            meters,
        };
        let bill = bill(prices::built_in(), &[usage], &Extrapolation::whole_month(730), false);
        // 1,000 GB at $0.09; 500 GB at $0.01 on both sides; 1,000 GB at $0.045; two gateways for 730 h at $0.045.
        for (line, dollars) in [
            ("internet data out", "90"),
            ("data between zones", "10"),
            ("NAT data", "45"),
            ("NAT gateway", "65.7"),
        ] {
            assert_eq!(bill.amount_of(line), dollars.parse().unwrap(), "{line}");
        }
        assert_eq!(bill.total, "210.7".parse().unwrap());
        let mut nothing = MeterSet::default();
        TransferPlan::default().meter(1_000, Duration::from_secs(1), &mut nothing);
        assert_eq!(nothing, MeterSet::default());
    }
}
