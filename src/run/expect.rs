//! Expectations: what must come out of a scenario, in its own file, checked by `coldcurve test`.

use super::load::quantity;
use super::summary::{Axis, Cell, Estimate, ExpectationResult, Unit};
use crate::scenario::{Block, Code, Field, Kind, Node, Span, Table, nearest};

/// The fields of an entry of `expect`.
pub const TABLE: Table = Table {
    name: "expectation",
    doc: "A metric of a cell and the bounds it must keep, or its ratio to another variant's.",
    fields: &[
        Field::optional("variant", Kind::Text, "The variant; every variant if absent."),
        Field::optional(
            "at",
            Kind::Map(&Kind::Any),
            "The sweep point, as `parameter: value`; every point if absent.",
        ),
        Field::required(
            "metric",
            Kind::Text,
            "The metric, such as `latency.p99` or `bill.month`.",
        ),
        Field::optional(
            "ratio_to",
            Kind::Text,
            "A variant: what is judged is the ratio to its metric at the same point.",
        ),
        Field::optional("within", Kind::List(&Kind::Any), "Lower and upper bound."),
        Field::optional("below", Kind::Any, "Upper bound."),
        Field::optional("above", Kind::Any, "Lower bound."),
        Field::optional("because", Kind::Text, "Why it must be so, for the reader."),
    ],
};

/// An expectation, checked as far as it can be before anything has run.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    variant: Option<String>,
    at: Vec<(usize, String)>,
    metric: String,
    ratio_to: Option<String>,
    low: Option<f64>,
    high: Option<f64>,
    unit: Option<Unit>,
    condition: String,
    /// Where it stands.
    pub span: Span,
}

/// Reads the expectations of a scenario with these variants and axes.
pub fn read(root: &Block, variants: &[&str], axes: &[Axis]) -> Vec<Expectation> {
    root.list("expect")
        .iter()
        .filter_map(|node| read_one(root, node, variants, axes))
        .collect()
}

fn read_one(root: &Block, node: &Node, variants: &[&str], axes: &[Axis]) -> Option<Expectation> {
    let cx = root.context();
    let block = Block::new(cx, node, &TABLE);
    let variant = |field: &str| -> Option<String> {
        let name = block.text_opt(field)?;
        if !variants.contains(&name) {
            let help = match nearest(name, variants.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("variants are {}", variants.join(", ")),
            };
            let message = format!("there is no variant `{name}`");
            cx.error(Code::UnknownVariant, block.span_of(field), message, help);
        }
        Some(name.to_owned())
    };
    let mut at = Vec::new();
    for (key, value) in block.entries("at") {
        match axes
            .iter()
            .position(|axis| axis.parameter == key.text || axis.label == key.text)
        {
            Some(axis) => at.push((axis, value.scalar().unwrap_or_default().to_owned())),
            None => {
                let message = format!("`{}` is not swept", key.text);
                cx.error(Code::BadExpectation, key.span, message, "name a parameter of `sweep`");
            }
        }
    }
    let bounds = read_bounds(&block)?;
    Some(Expectation {
        variant: variant("variant"),
        at,
        metric: block.text("metric").to_owned(),
        ratio_to: variant("ratio_to"),
        low: bounds.low.map(|bound| bound.0),
        high: bounds.high.map(|bound| bound.0),
        unit: bounds.low.or(bounds.high).map(|bound| bound.1),
        condition: bounds.condition,
        span: node.span,
    })
}

struct Bounds {
    low: Option<(f64, Unit)>,
    high: Option<(f64, Unit)>,
    condition: String,
}

fn read_bounds(block: &Block) -> Option<Bounds> {
    let cx = block.context();
    let bound = |node: &Node| {
        let read = node.scalar().and_then(quantity);
        if read.is_none() {
            let message = format!("expected a bound, found {}", node.describe());
            cx.error(
                Code::BadExpectation,
                node.span,
                message,
                "such as `200 ms`, `5%`, `$100` or `3`",
            );
        }
        read
    };
    let words = |node: &Node| node.scalar().unwrap_or_default().to_owned();
    match (block.list("within"), block.node("below"), block.node("above")) {
        ([low, high], None, None) => {
            let condition = format!("within [{}, {}]", words(low), words(high));
            Some(Bounds {
                low: Some(bound(low)?),
                high: Some(bound(high)?),
                condition,
            })
        }
        ([], Some(high), None) => Some(Bounds {
            low: None,
            high: Some(bound(high)?),
            condition: format!("below {}", words(high)),
        }),
        ([], None, Some(low)) => Some(Bounds {
            low: Some(bound(low)?),
            high: None,
            condition: format!("above {}", words(low)),
        }),
        _ => {
            let help = "write exactly one of `within: [low, high]`, `below: x`, `above: x`";
            cx.error(Code::BadExpectation, block.span(), "an expectation needs bounds", help);
            None
        }
    }
}

impl Expectation {
    /// Judges it in every cell that it speaks of.
    pub fn judge(&self, cells: &[Cell], place: &str) -> Vec<ExpectationResult> {
        let speaks_of = |cell: &&Cell| {
            self.variant.as_ref().is_none_or(|variant| *variant == cell.variant)
                && self.ratio_to.as_ref().is_none_or(|other| *other != cell.variant)
                && self.at.iter().all(|(axis, text)| same(&cell.point[*axis].text, text))
        };
        let mut results: Vec<ExpectationResult> = cells
            .iter()
            .filter(speaks_of)
            .map(|cell| self.judge_cell(cell, cells, place))
            .collect();
        if results.is_empty() {
            results.push(self.result(
                self.variant.clone().unwrap_or_default(),
                Vec::new(),
                None,
                Unit::Plain,
                place,
            ));
        }
        results
    }

    fn judge_cell(&self, cell: &Cell, cells: &[Cell], place: &str) -> ExpectationResult {
        let metric = cell.metric(&self.metric);
        let unit = if self.ratio_to.is_some() {
            Unit::Plain
        } else {
            metric.map_or(Unit::Plain, |m| m.unit)
        };
        let seen = match &self.ratio_to {
            None => metric.map(|metric| metric.estimate),
            Some(other) => {
                let point = |other_cell: &&Cell| {
                    let texts = other_cell.point.iter().zip(&cell.point).all(|(a, b)| a.text == b.text);
                    other_cell.variant == *other && texts
                };
                let base = cells.iter().find(point).and_then(|cell| cell.metric(&self.metric));
                metric
                    .zip(base)
                    .map(|(mine, base)| Estimate::exact(mine.estimate.mean / base.estimate.mean))
            }
        };
        self.result(cell.variant.clone(), cell.point.clone(), seen, unit, place)
    }

    fn result(
        &self,
        variant: String,
        point: Vec<super::summary::PointValue>,
        seen: Option<Estimate>,
        unit: Unit,
        place: &str,
    ) -> ExpectationResult {
        let keeps = |seen: f64| self.low.is_none_or(|low| seen >= low) && self.high.is_none_or(|high| seen <= high);
        let comparable = self.unit.is_none_or(|mine| compatible(mine, unit));
        let metric = match &self.ratio_to {
            Some(other) => format!("{} / {other}", self.metric),
            None => self.metric.clone(),
        };
        let condition = if comparable {
            self.condition.clone()
        } else {
            format!("{} (another unit)", self.condition)
        };
        ExpectationResult {
            passed: comparable && seen.is_some_and(|seen| keeps(seen.mean)),
            variant,
            point,
            metric,
            unit,
            condition,
            seen,
            place: place.to_owned(),
        }
    }
}

/// Whether two texts are the same value.
fn same(a: &str, b: &str) -> bool {
    a == b || quantity(a).zip(quantity(b)).is_some_and(|(a, b)| a == b)
}

/// Whether a bound written in one unit can judge a metric in another: plain numbers judge whatever has no unit.
fn compatible(bound: Unit, metric: Unit) -> bool {
    let bare = |unit| matches!(unit, Unit::Plain | Unit::Count | Unit::Level | Unit::Ratio);
    bound == metric || bare(bound) && (bare(metric) || metric == Unit::PerSecond)
}
