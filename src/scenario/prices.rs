//! Price files: YAML under `catalog/prices/` to a [`PriceBook`].
//!
//! A file has sources, machine tables and services; adding a service or a provider is adding lines to a file. A price
//! is written as the vendor writes it ("0.0000166667" per "GB-s") and read digit by digit, never through floating
//! point. A price may be taken from a machine table (`per_machine`), which makes one line per machine.
//!
//! ```yaml
//! book: { name: acme.eu, currency: EUR, region: eu, as_of: 2026-11 }
//! sources: { list: Acme's price list }
//! services:
//!   acme.functions:
//!     - { line: requests, meter: requests, unit: 1M requests, price: 0.40, source: list, as_of: 2026-11, confidence:
//! high }
//! ```

mod own;
mod unit;

pub use own::{read_own, read_service};

use crate::kernel::number::fit;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::cost::{Confidence, FixedFee, FreeTier, MachineType, Meter, Metering, Money, PriceBook, PriceLine};
use crate::cost::{Provenance, Tier};

/// The price files of the built-in catalog: name and text. The first one names the book.
const BUILT_IN: [(&str, &str); 7] = [
    ("aws.yaml", include_str!("../../catalog/prices/aws.yaml")),
    (
        "aws.compute.yaml",
        include_str!("../../catalog/prices/aws.compute.yaml"),
    ),
    (
        "aws.database.yaml",
        include_str!("../../catalog/prices/aws.database.yaml"),
    ),
    ("google.yaml", include_str!("../../catalog/prices/google.yaml")),
    ("azure.yaml", include_str!("../../catalog/prices/azure.yaml")),
    ("edge.yaml", include_str!("../../catalog/prices/edge.yaml")),
    ("own.nodes.yaml", include_str!("../../catalog/prices/own.nodes.yaml")),
];

/// What is wrong with a price file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceFileError {
    /// The file's name.
    pub file: String,
    /// Line and column, counted from one, where the reader knows them.
    pub place: Option<(u32, u32)>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl std::fmt::Display for PriceFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

/// The built-in price book: all files of `catalog/prices/`.
///
/// # Panics
/// If an embedded file is faulty, which a test excludes.
pub fn built_in() -> &'static PriceBook {
    static BOOK: OnceLock<PriceBook> = OnceLock::new();
    BOOK.get_or_init(|| {
        let mut books = BUILT_IN.iter().map(|(name, text)| match read(name, text) {
            Ok(book) => book,
            Err(problems) => panic!("the built-in {name} is faulty: {}", problems[0]),
        });
        let mut whole = books.next().expect("there are built-in price files");
        books.for_each(|b| whole.extend(b));
        let faults = whole.faults();
        assert!(
            faults.is_empty(),
            "the built-in price files contradict one another: {}",
            faults[0]
        );
        whole
    })
}

/// The machine type of that name ("m5.large") in the built-in price book.
pub fn instance_type(name: &str) -> Option<&'static MachineType> {
    built_in().machine("aws.ec2", name)
}

/// The database class of that name ("db.r6g.large") in the built-in price book. Its `hourly` prices go by engine:
/// `mysql`, `postgres`, `aurora`.
pub fn database_class(name: &str) -> Option<&'static MachineType> {
    built_in().machine("aws.rds", name)
}

/// Reads one price file; `file` is only for messages. All problems are reported, not only the first, except that
/// nothing can follow a text that is no YAML of the right shape.
pub fn read(file: &str, text: &str) -> Result<PriceBook, Vec<PriceFileError>> {
    let raw: RawFile = serde_saphyr::from_str(text).map_err(|e| {
        let e = e.without_snippet();
        vec![PriceFileError {
            file: file.to_owned(),
            place: e.location().map(|l| (fit(l.line()), fit(l.column()))),
            message: e.to_string(),
        }]
    })?;
    let problem = |message| PriceFileError {
        file: file.to_owned(),
        place: None,
        message,
    };
    compile(raw, None).map_err(|problems| problems.into_iter().map(problem).collect())
}

/// Prices as written to a book; `own` says where a line comes from that does not say so itself.
fn compile(raw: RawFile, own: Option<&str>) -> Result<PriceBook, Vec<String>> {
    let mut reader = Reader {
        sources: raw.sources,
        hours_per_month: raw.book.hours_per_month.unwrap_or(730),
        own: own.map(str::to_owned),
        problems: Vec::new(),
    };
    let mut book = PriceBook {
        name: raw.book.name,
        currency: raw.book.currency,
        as_of: raw.book.as_of,
        region: raw.book.region,
        hours_per_month: reader.hours_per_month,
        lines: Vec::new(),
        fees: Vec::new(),
        machines: Vec::new(),
    };
    for (table, raw) in raw.machines {
        reader.machines(&table, raw, &mut book.machines);
    }
    for (service, lines) in raw.services {
        for raw in lines {
            reader.service_line(&service, raw, &mut book);
        }
    }
    reader.problems.extend(book.faults());
    if reader.problems.is_empty() {
        Ok(book)
    } else {
        Err(reader.problems)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    book: RawHead,
    #[serde(default)]
    sources: BTreeMap<String, String>,
    #[serde(default)]
    machines: BTreeMap<String, RawMachines>,
    #[serde(default)]
    services: BTreeMap<String, Vec<RawLine>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    name: String,
    currency: String,
    region: String,
    as_of: String,
    hours_per_month: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMachines {
    source: OneOrMany,
    as_of: String,
    confidence: RawConfidence,
    types: BTreeMap<String, RawMachine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMachine {
    vcpu: String,
    memory_gb: String,
    architecture: String,
    baseline: Option<String>,
    /// Price per hour by name.
    hour: BTreeMap<String, String>,
    confidence: Option<RawConfidence>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine {
    line: String,
    /// Absent for a fixed monthly fee.
    meter: Option<String>,
    unit: Option<String>,
    price: Option<String>,
    tiers: Option<Vec<RawTier>>,
    per_machine: Option<RawPerMachine>,
    pool: Option<String>,
    free: Option<RawFree>,
    #[serde(default)]
    when: BTreeMap<String, String>,
    #[serde(default)]
    metering: RawMetering,
    source: Option<OneOrMany>,
    as_of: Option<String>,
    confidence: Option<RawConfidence>,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTier {
    /// In units, cumulative; absent in the last tier.
    up_to: Option<String>,
    price: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerMachine {
    table: String,
    /// The attribute of a component that names the machine.
    attribute: String,
    /// The name of the hourly price.
    price: String,
    #[serde(default)]
    times: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFree {
    units: String,
    pool: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawMetering {
    round_up_ms: Option<String>,
    minimum_ms: Option<String>,
    minimum_size: Option<String>,
    first_chunk_kb: Option<String>,
    chunk_kb: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RawConfidence {
    Low,
    Medium,
    High,
}

impl From<RawConfidence> for Confidence {
    fn from(raw: RawConfidence) -> Self {
        match raw {
            RawConfidence::Low => Self::Low,
            RawConfidence::Medium => Self::Medium,
            RawConfidence::High => Self::High,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Turns raw lines into prices and collects what is wrong with them.
struct Reader {
    sources: BTreeMap<String, String>,
    hours_per_month: u32,
    /// Where lines come from that do not say so; `None` where every line must.
    own: Option<String>,
    problems: Vec<String>,
}

impl Reader {
    /// Notes a problem, with the words of where it is.
    fn problem(&mut self, at: &str, message: &str) {
        self.problems.push(format!("{at}: {message}"));
    }

    fn money(&mut self, at: &str, text: &str) -> Option<Money> {
        text.parse()
            .map_err(|e| self.problem(at, &format!("'{text}' is no price: {e}")))
            .ok()
    }

    /// A decimal number of units as a whole number of quanta.
    fn quanta(&mut self, at: &str, text: &str, quanta_per_unit: u128) -> Option<u128> {
        let units = self.money(at, text)?;
        let quanta = u128::try_from(units.0).ok()?.checked_mul(quanta_per_unit)?;
        if quanta % Money::UNIT.unsigned_abs() != 0 {
            self.problem(at, &format!("'{text}' units are no whole number of meter quanta"));
            return None;
        }
        Some(quanta / Money::UNIT.unsigned_abs())
    }

    /// Source keys to words.
    fn provenance(&mut self, at: &str, source: &OneOrMany, as_of: &str, confidence: Confidence) -> Provenance {
        let keys: &[String] = match source {
            OneOrMany::One(key) => std::slice::from_ref(key),
            OneOrMany::Many(keys) => keys,
        };
        let mut words = Vec::new();
        for key in keys {
            match self.sources.get(key) {
                Some(text) => words.push(text.clone()),
                None if self.own.is_some() => words.push(key.clone()),
                None => self.problem(at, &format!("the source '{key}' is not among the file's sources")),
            }
        }
        Provenance {
            source: words.join("; "),
            as_of: as_of.to_owned(),
            confidence,
            note: String::new(),
        }
    }

    fn machines(&mut self, table: &str, raw: RawMachines, machines: &mut Vec<MachineType>) {
        for (name, m) in raw.types {
            let at = format!("machines.{table}.{name}");
            let confidence = m.confidence.unwrap_or(raw.confidence).into();
            let provenance = self.provenance(&at, &raw.source, &raw.as_of, confidence);
            let vcpu = self.quanta(&at, &m.vcpu, 1000);
            let memory = self.quanta(&at, &m.memory_gb, 1024);
            let baseline = m.baseline.and_then(|b| self.quanta(&at, &b, 1000));
            let mut hourly = BTreeMap::new();
            for (price, text) in &m.hour {
                hourly.extend(self.money(&at, text).map(|money| (price.clone(), money)));
            }
            machines.push(MachineType {
                table: table.to_owned(),
                name,
                vcpu_milli: fit(vcpu.unwrap_or_default()),
                memory_mb: fit(memory.unwrap_or_default()),
                architecture: m.architecture,
                baseline_milli: baseline.map(|b| fit(b)),
                hourly,
                provenance,
            });
        }
    }

    fn service_line(&mut self, service: &str, raw: RawLine, book: &mut PriceBook) {
        let at = format!("services.{service}, line '{}'", raw.line);
        let mut provenance = self.line_provenance(&at, &raw);
        provenance.note.clone_from(&raw.note);
        match &raw.meter {
            None => book.fees.extend(self.fee(&at, service, raw, provenance)),
            Some(name) => match Meter::from_name(name) {
                None => self.problem(&at, &format!("there is no meter '{name}'")),
                Some(meter) => {
                    if let Some(line) = self.metered(&at, service, meter, &raw, provenance) {
                        self.expand(&at, line, &raw, book);
                    }
                }
            },
        }
    }

    /// Where a line comes from: its own words, or those for all lines of prices of one's own.
    fn line_provenance(&mut self, at: &str, raw: &RawLine) -> Provenance {
        if self.own.is_none() {
            for (name, there) in [
                ("source", raw.source.is_some()),
                ("as_of", raw.as_of.is_some()),
                ("confidence", raw.confidence.is_some()),
            ] {
                if !there {
                    self.problem(at, &format!("missing field `{name}`"));
                }
            }
        }
        let own = OneOrMany::One(self.own.clone().unwrap_or_default());
        let (source, as_of) = (raw.source.as_ref(), raw.as_of.as_deref().unwrap_or_default());
        let confidence = raw.confidence.map_or(Confidence::High, Confidence::from);
        match source {
            None if self.own.is_none() => Provenance {
                source: String::new(),
                as_of: as_of.to_owned(),
                confidence,
                note: String::new(),
            },
            source => self.provenance(at, source.unwrap_or(&own), as_of, confidence),
        }
    }

    /// A whole number of a metering rule.
    fn whole(&mut self, at: &str, text: Option<&String>) -> Option<u64> {
        let text = text?;
        let number = text.parse().ok();
        if number.is_none() {
            self.problem(at, &format!("'{text}' is no whole number"));
        }
        number
    }

    fn fee(&mut self, at: &str, service: &str, raw: RawLine, provenance: Provenance) -> Option<FixedFee> {
        let Some(price) = &raw.price else {
            self.problem(at, "a line without a meter is a monthly fee and needs a 'price'");
            return None;
        };
        Some(FixedFee {
            service: service.to_owned(),
            price: self.money(at, price)?,
            line: raw.line,
            when: raw.when,
            provenance,
        })
    }

    /// The line as written; one that takes its price from a machine table has no tiers yet.
    fn metered(&mut self, at: &str, service: &str, meter: Meter, raw: &RawLine, p: Provenance) -> Option<PriceLine> {
        let Some(unit) = &raw.unit else {
            self.problem(at, "a 'unit' is missing");
            return None;
        };
        let quanta_per_unit = match unit::quanta(unit, meter.dimension(), self.hours_per_month) {
            Ok(quanta) => quanta,
            Err(message) => {
                self.problem(at, &message);
                return None;
            }
        };
        let free = match &raw.free {
            Some(free) => Some(FreeTier {
                quanta: self.quanta(at, &free.units, quanta_per_unit)?,
                pool: free.pool.clone().or_else(|| raw.pool.clone()),
            }),
            None => None,
        };
        let rule = &raw.metering;
        let metering = Metering {
            round_up_ms: self.whole(at, rule.round_up_ms.as_ref()),
            minimum_ms: self.whole(at, rule.minimum_ms.as_ref()),
            minimum_size: self.whole(at, rule.minimum_size.as_ref()),
            first_chunk_bytes: self.whole(at, rule.first_chunk_kb.as_ref()).map(|kb| kb * 1024),
            chunk_bytes: self.whole(at, rule.chunk_kb.as_ref()).map(|kb| kb * 1024),
        };
        Some(PriceLine {
            service: service.to_owned(),
            line: raw.line.clone(),
            meter,
            unit: unit.clone(),
            quanta_per_unit,
            tiers: self.tiers(at, raw, quanta_per_unit)?,
            pool: raw.pool.clone(),
            free,
            when: raw.when.clone(),
            metering,
            provenance: p,
        })
    }

    fn tiers(&mut self, at: &str, raw: &RawLine, quanta_per_unit: u128) -> Option<Vec<Tier>> {
        match (&raw.price, &raw.tiers, &raw.per_machine) {
            (Some(price), None, None) => Some(vec![Tier {
                upper: None,
                price: self.money(at, price)?,
            }]),
            (None, Some(tiers), None) => {
                let mut read = Vec::new();
                for tier in tiers {
                    let upper = match &tier.up_to {
                        Some(units) => Some(self.quanta(at, units, quanta_per_unit)?),
                        None => None,
                    };
                    let price = self.money(at, &tier.price)?;
                    read.push(Tier { upper, price });
                }
                Some(read)
            }
            (None, None, Some(_)) => Some(Vec::new()),
            _ => {
                self.problem(at, "exactly one of 'price', 'tiers' and 'per_machine' is expected");
                None
            }
        }
    }

    /// One line per machine of the table that has the price; or the line as it is.
    fn expand(&mut self, at: &str, line: PriceLine, raw: &RawLine, book: &mut PriceBook) {
        let Some(per) = &raw.per_machine else {
            book.lines.push(line);
            return;
        };
        let times = match &per.times {
            Some(text) => self.money(at, text),
            None => Some(Money(Money::UNIT)),
        };
        let Some(times) = times else { return };
        let before = book.lines.len();
        for machine in book.machines.iter().filter(|m| m.table == per.table) {
            let Some(hourly) = machine.hourly.get(&per.price) else {
                continue;
            };
            let Some(price) = hourly.times(times) else {
                self.problems
                    .push(format!("{at}: the price of {} has too many decimals", machine.name));
                continue;
            };
            let mut one = line.clone();
            one.tiers = vec![Tier { upper: None, price }];
            one.when.insert(per.attribute.clone(), machine.name.clone());
            one.provenance.confidence = one.provenance.confidence.min(machine.provenance.confidence);
            book.lines.push(one);
        }
        if book.lines.len() == before {
            let (table, price) = (&per.table, &per.price);
            self.problem(
                at,
                &format!("no machine of a table '{table}' in this file has a price '{price}'"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
