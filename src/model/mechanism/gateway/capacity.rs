//! Capacity units: what a load balancer is billed by beside its hours.
//!
//! Model: each dimension of the load has an amount that makes one unit, and the largest of these shares is billed, over
//! the whole run instead of hour by hour. Which dimensions there are, and the amounts, are the provider's: a service of
//! the catalog sets them, and what it does not name is not counted.
//! Not modelled: active connections, evaluations of rules.
//! Units: thousandths of a unit times milliseconds.
//! Sources: Elastic Load Balancing user guide, "Load balancer capacity units".
//! Validated by: units by hand below, of a provider that exists and of one that does not.

use crate::kernel::number::whole;
use crate::scenario::{Block, Field, Kind, Table};

/// The fields of capacity units.
pub const TABLE: Table = Table {
    name: "capacity units",
    doc: "What makes one capacity unit of a load balancer; the largest share is billed. What is absent is not counted.",
    fields: &[
        Field::optional(
            "new_connections",
            Kind::Rate,
            "New client connections a second (see `requests_per_connection`) that make one unit.",
        )
        .positive(),
        Field::optional("requests", Kind::Rate, "Requests a second that make one unit.").positive(),
        Field::optional(
            "bytes_per_hour",
            Kind::Size,
            "Bytes of requests and answers in an hour that make one unit.",
        )
        .at_least(1.0),
        Field::default(
            "bytes_to_functions",
            Kind::Share,
            "100%",
            "The share of `bytes_per_hour` that makes one unit where the target is a function.",
        )
        .within(0.001, 1.0),
    ],
};

/// What makes one capacity unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CapacityUnits {
    /// New connections a second.
    new_connections: Option<f64>,
    /// Requests a second.
    requests: Option<f64>,
    /// Bytes an hour.
    bytes_per_hour: Option<u64>,
    /// The share of them that suffices where the target is a function.
    bytes_to_functions: f64,
}

/// What went through a load balancer in a run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Requests that came.
    pub requests: u64,
    /// Those of them that went on to functions.
    pub to_functions: u64,
    /// Requests over one client connection.
    pub requests_per_connection: u64,
    /// Bytes of a request and its answer.
    pub bytes: u64,
}

impl CapacityUnits {
    /// Reads them.
    pub fn read(block: &Block) -> Self {
        Self {
            new_connections: block.rate_opt("new_connections"),
            requests: block.rate_opt("requests"),
            bytes_per_hour: block.size_opt("bytes_per_hour"),
            bytes_to_functions: block.share("bytes_to_functions"),
        }
    }

    /// Thousandths of a unit times milliseconds that a run used: the largest of the shares.
    pub fn used_ms(&self, load: &Load) -> u64 {
        let requests = load.requests as f64;
        let connections = requests / load.requests_per_connection.max(1) as f64;
        let weighted = requests + load.to_functions as f64 * (1.0 / self.bytes_to_functions - 1.0);
        let bytes = weighted * load.bytes as f64;
        let by_bytes_s = |per_hour: u64| bytes / per_hour as f64 * 3600.0;
        let shares_s = [
            self.new_connections.map(|rate| connections / rate),
            self.requests.map(|rate| requests / rate),
            self.bytes_per_hour.map(by_bytes_s),
        ];
        let largest_s = shares_s.into_iter().flatten().fold(0.0, f64::max);
        whole((largest_s * 1e6).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Catalog, Context, Diagnostics, Names, NoFiles, Sources, parse};

    /// One unit for an hour.
    const UNIT_HOUR: u64 = 3_600_000_000;

    /// The units that a service of the catalog has, with the text of a file of one's own added to it.
    fn units(service: &str, own: &str) -> CapacityUnits {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let mut catalog = Catalog::load(None, &mut sources, &diagnostics);
        if !own.is_empty() {
            let file = sources.add("own.yaml", own);
            catalog.add(file, &sources, &diagnostics);
        }
        let file = sources.add("test.yaml", format!("{{ service: {service} }}"));
        let node = parse(&sources, file, &diagnostics).expect("YAML");
        let node = catalog.apply("gateways", &node, &diagnostics);
        let names = Names::default();
        let cx = Context {
            diagnostics: &diagnostics,
            names: &names,
            files: &NoFiles,
            catalog: &catalog,
        };
        let node = node.get("capacity_units").expect("the service has capacity units");
        let units = CapacityUnits::read(&Block::new(&cx, node, &TABLE));
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(&sources, false));
        units
    }

    fn load(requests: u64, requests_per_connection: u64, bytes: u64) -> Load {
        Load {
            requests,
            to_functions: 0,
            requests_per_connection,
            bytes,
        }
    }

    #[test]
    fn by_connections_and_by_bytes_to_machines_and_functions() {
        let units = units("aws.alb", "");
        // 90,000 connections are 25 a second for an hour: one unit for that hour.
        assert_eq!(units.used_ms(&load(90_000, 1, 0)), UNIT_HOUR);
        // 1,024 requests of a megabyte are a gigabyte: one unit for an hour, and two and a half to functions.
        let gigabyte = load(1_024, 1_000_000, 1 << 20);
        assert_eq!(units.used_ms(&gigabyte), UNIT_HOUR);
        let to_functions = Load {
            to_functions: 1_024,
            ..gigabyte
        };
        assert_eq!(units.used_ms(&to_functions), UNIT_HOUR / 2 * 5);
    }

    #[test]
    fn another_provider_has_other_shares() {
        let source = "source: \"a price list\"";
        let own = |lines: &str| {
            let lines = lines.replace("..", source);
            format!("service: acme.balancer\nkind: gateways\ntitle: Acme\ndefaults:\n  capacity_units:\n{lines}")
        };
        let busy = load(72_000, 2, 1 << 20);
        // 36,000 connections, 72,000 requests and 70.3125 GB in an hour, by what makes a unit.
        let one = |lines: &str| units("acme.balancer", &own(lines)).used_ms(&busy);
        assert_eq!(one("    new_connections: { value: 100/s, .. }\n"), UNIT_HOUR / 10);
        assert_eq!(one("    requests: { value: 10/s, .. }\n"), UNIT_HOUR * 2);
        assert_eq!(one("    bytes_per_hour: { value: 9 GB, .. }\n"), UNIT_HOUR * 125 / 16);
        assert_eq!(
            one("    new_connections: { value: 100/s, .. }\n    requests: { value: 10/s, .. }\n"),
            UNIT_HOUR * 2,
            "the largest counts"
        );
    }
}
