//! Reads one cell of a scenario: a variant at a point of the sweep, or the same again with something in it changed.

use super::{Loader, Options, SweepAxis, combinations};
use crate::cost::PriceBook;
use crate::model::Plan;
use crate::model::world::build::{ROOT, RunSpec, build};
use crate::run::billing::BillingPlan;
use crate::run::progress::Silent;
use crate::run::study::CellPlan;
use crate::run::summary::PointValue;
use crate::run::tally;
use crate::scenario::overlay::set;
use crate::scenario::{Block, Catalog, Context, Diagnostics, Folder, Names, Node, Shelf};
use std::sync::Arc;

impl Loader<'_> {
    /// The tree of a variant at a point of the sweep.
    fn tree(
        variant: &str,
        tree: &Node,
        axes: &[SweepAxis],
        point: &[Option<usize>],
        diagnostics: &Diagnostics,
    ) -> Node {
        let mut tree = tree.clone();
        let axes = axes.iter().filter(|axis| !axis.values.is_empty()).zip(point);
        for (axis, value) in axes.filter_map(|(axis, value)| Some((axis, (*value)?))) {
            for (path, place) in &axis.paths {
                if let Some(path) = Self::path_in(path, variant, &tree) {
                    set(&mut tree, path, *place, axis.values[value].clone(), diagnostics);
                }
            }
        }
        tree
    }

    /// What a point of the sweep is called.
    fn values(axes: &[SweepAxis], point: &[Option<usize>]) -> Vec<PointValue> {
        let axes = axes.iter().filter(|axis| !axis.values.is_empty()).zip(point);
        axes.map(|(axis, value)| value.map_or_else(PointValue::absent, |value| axis.points[value].clone()))
            .collect()
    }

    /// What a tree says; what is wrong goes to `diagnostics`.
    fn read(&self, tree: &Node, diagnostics: &Diagnostics) -> Option<(Plan, BillingPlan, RunSpec)> {
        let names = Names::default();
        let cx = Context {
            diagnostics,
            ..self.reading(&names)
        };
        let billing = BillingPlan::read(&Block::new(&cx, tree, &ROOT), &self.prices);
        let (mut plan, run) = build(tree, self.catalog, diagnostics, self.files)?;
        plan.seed = self.options.seed.unwrap_or(plan.seed);
        Some((plan, billing, run))
    }

    /// A variant at a point of the sweep, and how it is run; what is wrong goes to `diagnostics`.
    pub(super) fn cell(
        &self,
        variant: &str,
        tree: &Node,
        axes: &[SweepAxis],
        point: &[Option<usize>],
        diagnostics: &Diagnostics,
    ) -> Option<(CellPlan, RunSpec)> {
        let tree = Self::tree(variant, tree, axes, point, diagnostics);
        let (plan, billing, run) = self.read(&tree, diagnostics)?;
        let cell = CellPlan {
            variant: variant.to_owned(),
            point: Self::values(axes, point),
            plan,
            billing,
            digest: tally::scenario_digest(&tree),
        };
        Some((cell, run))
    }
}

/// What a scenario was read from: the same tree, services and prices, to read a cell of it again. Nothing is said about
/// the changed text.
#[derive(Clone, Debug)]
pub struct Reread {
    /// The whole scenario, with what the command line changed.
    pub(super) root: Node,
    /// The services that it can name.
    pub(super) catalog: Catalog,
    /// Where its data lies.
    pub(super) folder: Folder,
    /// What it is billed by.
    pub(super) prices: Arc<PriceBook>,
    /// The master seed, if the command line says it.
    pub(super) seed: Option<u64>,
}

impl Reread {
    /// The services that the scenario can name.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The tree of a cell, if the scenario still has it.
    pub fn tree(&self, cell: &CellPlan) -> Option<Node> {
        self.with_loader(cell, |loader| {
            let names = Names::default();
            let axes = loader.axes(&Block::new(&loader.reading(&names), &self.root, &ROOT));
            let (_, _, tree) = loader.variants(&self.root).into_iter().next()?;
            let points = combinations(&Loader::axes_of(&axes, &cell.variant, &tree));
            let texts =
                |values: &[PointValue]| -> Vec<String> { values.iter().map(|value| value.text.clone()).collect() };
            let here = |point: &Vec<Option<usize>>| texts(&Loader::values(&axes, point)) == texts(&cell.point);
            let point = points.into_iter().find(here)?;
            Some(Loader::tree(&cell.variant, &tree, &axes, &point, loader.diagnostics))
        })
    }

    /// A cell with each of these trees in place of its own; nothing for those that cannot be read.
    pub fn read(&self, cell: &CellPlan, trees: &[Node]) -> Vec<Option<CellPlan>> {
        self.with_loader(cell, |loader| {
            let read = |tree: &Node| {
                let quiet = Diagnostics::new();
                let read = loader.read(tree, &quiet).filter(|_| !quiet.has_errors());
                read.map(|(plan, billing, _)| CellPlan {
                    plan,
                    billing,
                    ..cell.clone()
                })
            };
            trees.iter().map(read).collect()
        })
    }

    /// Does something with a loader of the cell's variant that tells nobody what is wrong.
    fn with_loader<T>(&self, cell: &CellPlan, work: impl FnOnce(&Loader) -> T) -> T {
        let options = Options {
            seed: self.seed,
            variants: vec![cell.variant.clone()],
            ..Options::default()
        };
        work(&Loader {
            catalog: &self.catalog,
            prices: self.prices.clone(),
            diagnostics: &Diagnostics::new(),
            files: &Shelf::new(&self.folder),
            options: &options,
            progress: &Silent,
        })
    }
}
