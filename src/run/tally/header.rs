//! What decides a run: the scenario without what only prices or judges it, the data it reads, the cell, the seed, and
//! what pilot runs found before it.
//!
//! Prices, billing, expectations, titles and percentiles are made of tallies afterwards, so they are not part of it: a
//! tally can be priced again. The seed and the run number stand beside the digest, and the number of replications
//! decides nothing.

use super::TallyError;
use super::bytes::{In, Out};
use crate::kernel::Duration;
use crate::model::mechanism::external;
use crate::run::study::{CellPlan, Study};
use crate::run::summary::{InputRef, fnv1a};
use crate::run::warmup::Shown;
use crate::scenario::{Key, Node, NodeKind};

/// The version of coldcurve, whose engine gives the results: another one may give others.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sections that do not decide a run: what prices, judges or names it; those of other cells; a folder's name.
const ASIDE: [&str; 9] = [
    "title",
    "description",
    "billing",
    "prices",
    "expect",
    "promise",
    "variants",
    "sweep",
    "catalog",
];
/// Fields of `run` that do not decide what happens in a run of a given number; the seed is told by itself.
const ASIDE_IN_RUN: [&str; 3] = ["replications", "seed", "percentiles"];

/// What decides the runs of a cell, but for their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Version of coldcurve.
    pub version: String,
    /// Digest of the cell's scenario: see [`scenario_digest`].
    pub scenario: u64,
    /// The data files and services of one's own that were read, each with its digest.
    pub data: Vec<InputRef>,
    /// The variant.
    pub variant: String,
    /// The sweep point, as written.
    pub point: Vec<String>,
    /// The master seed.
    pub seed: u64,
    /// What pilot runs found.
    pub found: Found,
}

/// What is settled before the runs of a cell begin, by pilot runs where the scenario leaves it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Time that is not measured.
    pub warmup: Duration,
    /// Length of a run, the warm-up included.
    pub length: Duration,
    /// Instances of each fleet, in the order of the plan.
    pub fleets: Vec<u64>,
    /// Instances of each function that are warm at the start.
    pub functions: Vec<u64>,
    /// Connections of each proxy that are open at the start.
    pub proxies: Vec<u64>,
    /// What the pilots of the whole file showed.
    pub pilots: Shown,
}

impl Found {
    /// What was settled for a cell that is ready to run, after these pilots.
    pub(in crate::run) fn of(cell: &CellPlan, pilots: &Shown) -> Self {
        let plan = &cell.plan;
        Self {
            warmup: plan.warmup,
            length: plan.length,
            fleets: plan.fleets.iter().map(|fleet| fleet.count).collect(),
            functions: plan.functions.iter().map(|function| function.initial.count).collect(),
            proxies: plan.proxies.iter().map(|proxy| proxy.initial.count).collect(),
            pilots: pilots.clone(),
        }
    }

    /// Settles the same for a cell that was just read; false if it is not made of the same components.
    pub(in crate::run) fn settle(&self, cell: &mut CellPlan) -> bool {
        let plan = &mut cell.plan;
        let (fleets, functions, proxies) = (plan.fleets.len(), plan.functions.len(), plan.proxies.len());
        if (fleets, functions, proxies) != (self.fleets.len(), self.functions.len(), self.proxies.len()) {
            return false;
        }
        (plan.warmup, plan.length) = (self.warmup, self.length);
        let fleets = plan.fleets.iter_mut().map(|fleet| &mut fleet.count);
        fleets.zip(&self.fleets).for_each(|(mine, found)| *mine = *found);
        let functions = plan.functions.iter_mut().map(|function| &mut function.initial);
        let proxies = plan.proxies.iter_mut().map(|proxy| &mut proxy.initial);
        let starts = self.functions.iter().chain(&self.proxies);
        for (mine, found) in functions.chain(proxies).zip(starts) {
            (mine.count, mine.steady) = (*found, false);
        }
        plan.introduce();
        true
    }

    fn write(&self, out: &mut Out) {
        out.number(self.warmup.0);
        out.number(self.length.0);
        for counts in [&self.fleets, &self.functions, &self.proxies] {
            out.length(counts.len());
            for count in counts {
                out.number(*count);
            }
        }
        out.number(self.pilots.transient.0);
        out.number(u64::from(self.pilots.cells));
        out.length(self.pilots.drifting.len());
        self.pilots.drifting.iter().for_each(|name| out.text(name));
    }

    fn read(read: &mut In) -> Option<Self> {
        let counts = |read: &mut In| (0..read.length()?).map(|_| read.number()).collect::<Option<Vec<u64>>>();
        Some(Self {
            warmup: Duration(read.number()?),
            length: Duration(read.number()?),
            fleets: counts(read)?,
            functions: counts(read)?,
            proxies: counts(read)?,
            pilots: Shown {
                transient: Duration(read.number()?),
                cells: read.small()?,
                drifting: texts(read)?,
            },
        })
    }
}

impl Origin {
    /// Of the runs of a cell of `study` that is ready to run, after these pilots.
    pub(in crate::run) fn of(study: &Study, cell: &CellPlan, pilots: &Shown) -> Self {
        Self {
            version: VERSION.to_owned(),
            scenario: cell.digest,
            data: study.data.clone(),
            variant: cell.variant.clone(),
            point: cell.point.iter().map(|value| value.text.clone()).collect(),
            seed: cell.plan.seed,
            found: Found::of(cell, pilots),
        }
    }

    /// Whether it is of this cell.
    pub(in crate::run) fn is_of(&self, cell: &CellPlan) -> bool {
        self.variant == cell.variant && cell.point.iter().map(|value| &value.text).eq(&self.point)
    }

    /// The cell in words: its variant, and its point if it has one.
    pub(in crate::run) fn cell(&self) -> String {
        if self.point.is_empty() {
            self.variant.clone()
        } else {
            format!("{} at {}", self.variant, self.point.join(", "))
        }
    }

    /// Whether runs from here and from `other` are runs of the same cell.
    ///
    /// # Errors
    /// Why not.
    pub(in crate::run) fn same_as(&self, other: &Self) -> Result<(), TallyError> {
        self.same_study_as(other)?;
        if (&self.variant, &self.point) != (&other.variant, &other.point) {
            return Err(TallyError::Cell(self.cell(), other.cell()));
        }
        if self.scenario != other.scenario {
            return Err(TallyError::Scenario(self.cell()));
        }
        if self.found != other.found {
            return Err(TallyError::Found(self.cell()));
        }
        Ok(())
    }

    /// Whether runs from here and from `other` are of one version, one seed, the same data and the same pilots.
    pub(super) fn same_study_as(&self, other: &Self) -> Result<(), TallyError> {
        if self.version != other.version {
            return Err(TallyError::Version(self.version.clone(), other.version.clone()));
        }
        if self.seed != other.seed {
            return Err(TallyError::Seed(self.seed, other.seed));
        }
        if self.data != other.data {
            let differs = |file: &&InputRef| !self.data.contains(file) || !other.data.contains(file);
            let file = self.data.iter().chain(&other.data).find(differs);
            return Err(TallyError::Data(
                file.map_or_else(String::new, |file| file.file.clone()),
            ));
        }
        Ok(())
    }

    pub(super) fn write(&self, out: &mut Out) {
        out.text(&self.version);
        out.number(self.scenario);
        out.length(self.data.len());
        for data in &self.data {
            out.text(&data.file);
            out.text(&data.digest);
        }
        out.text(&self.variant);
        out.length(self.point.len());
        self.point.iter().for_each(|text| out.text(text));
        out.number(self.seed);
        self.found.write(out);
    }

    pub(super) fn read(read: &mut In) -> Option<Self> {
        let data = |read: &mut In| {
            Some(InputRef {
                file: read.text()?.to_owned(),
                digest: read.text()?.to_owned(),
            })
        };
        Some(Self {
            version: read.text()?.to_owned(),
            scenario: read.number()?,
            data: (0..read.length()?).map(|_| data(read)).collect::<Option<_>>()?,
            variant: read.text()?.to_owned(),
            point: texts(read)?,
            seed: read.number()?,
            found: Found::read(read)?,
        })
    }
}

fn texts(read: &mut In) -> Option<Vec<String>> {
    (0..read.length()?).map(|_| read.text().map(str::to_owned)).collect()
}

/// Digest of a cell's scenario: of its tree, overlays, sweep point and changes included, without what does not decide a
/// run. How it is laid out and commented has no part in it; the order of its keys has.
pub fn scenario_digest(tree: &Node) -> u64 {
    let mut out = Out::default();
    put(tree, &[], &mut out);
    fnv1a(&out.0)
}

/// Digest of what a service presets for components of a kind.
pub(in crate::run) fn preset_digest(kind: &str, preset: &Node) -> String {
    let mut out = Out::default();
    out.text(kind);
    // What is left aside of a component of that kind is left aside of its preset.
    put(preset, &[kind, ""], &mut out);
    crate::run::summary::digest(&out.0)
}

/// Whether the value of a key below these has no part in what a run does.
fn is_aside(path: &[&str], key: &Key) -> bool {
    let aside: &[&str] = match path {
        [] => &ASIDE,
        ["run"] => &ASIDE_IN_RUN,
        ["externals", _] => &external::PRICES,
        _ => &[],
    };
    aside.contains(&key.text.as_str()) || path.is_empty() && key.is_own()
}

fn put(node: &Node, path: &[&str], out: &mut Out) {
    match &node.kind {
        NodeKind::Null => out.byte(0),
        NodeKind::Scalar(text) => {
            out.byte(1);
            out.text(text);
        }
        NodeKind::Seq(items) => {
            out.byte(2);
            out.length(items.len());
            for item in items {
                put(item, &["", ""], out);
            }
        }
        NodeKind::Map(entries) => {
            out.byte(3);
            for (key, value) in entries.iter().filter(|(key, _)| !is_aside(path, key)) {
                out.byte(1);
                out.text(&key.text);
                let below: Vec<&str> = path.iter().copied().chain([key.text.as_str()]).collect();
                put(value, &below, out);
            }
            out.byte(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Diagnostics, Sources, parse};

    fn digest(text: &str) -> u64 {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("shop.yaml", text);
        scenario_digest(&parse(&sources, file, &diagnostics).unwrap())
    }

    #[test]
    fn what_only_prices_or_names_a_run_does_not_decide_it() {
        let shop = "title: a
run: { length: 1 h, replications: 4, seed: 1 }
externals: { mail: { price: $1, latency: 10 ms } }
";
        let same = "# The same.
title: another
description: b
x-note: c
run: { length: 1 h,   replications: 8, seed: 2, percentiles: [75] }
externals: { mail: { price: $2, latency: 10 ms, price_per_item: $3 } }
billing: { free_tier: true }
prices: prices.yaml
expect: [ { metric: latency.p99, below: 1 s } ]
";
        assert_eq!(digest(shop), digest(same));
        for (from, to) in [
            ("1 h", "2 h"),
            ("10 ms", "11 ms"),
            ("mail", "post"),
            ("price: $1,", "title: a,"),
            ("latency: 10 ms", "latency: [10 ms]"),
            ("externals: {", "externals: { other: {},"),
        ] {
            assert_ne!(digest(shop), digest(&shop.replace(from, to)), "{to}");
        }
    }
}
