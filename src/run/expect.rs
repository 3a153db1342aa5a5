//! Expectations: what must come out of a scenario, in its own file, checked by `coldcurve test`.

use super::aggregate::{Named, metrics_of, windows_of};
use super::figures;
use super::load::quantity;
use super::points::{filled, meet};
use super::study::CellPlan;
use super::summary::{Axis, Cell, Estimate, ExpectationResult, Metric, Outcome, PointValue, Unit, name};
use super::tally::Packed;
use crate::kernel::number::whole;
use crate::scenario::{Block, Code, Diagnostic, Diagnostics, Field, Kind, Node, Span, Table, nearest};
use crate::stats::figure::quotient;

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
        )
        .sample("{ functions.checkout.memory: 512 MB }"),
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
        Field::optional("within", Kind::List(&Kind::Any), "Lower and upper bound.").sample("[100 ms, 500 ms]"),
        Field::optional("below", Kind::Any, "Upper bound.").sample("500 ms"),
        Field::optional("above", Kind::Any, "Lower bound.").sample("99%"),
        Field::optional(
            "windows",
            Kind::Share,
            "The least share of the windows of a run in which the metric keeps the bounds, such as `99%`: judged is that \
             share.",
        ),
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
    /// The share of windows that must keep the bounds.
    windows: Option<f64>,
    unit: Option<Unit>,
    condition: String,
    metric_span: Span,
    bounds_span: Span,
    at_span: Span,
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
    let before = cx.diagnostics.pushed();
    let block = Block::new(cx, node, &TABLE);
    if cx.diagnostics.pushed() > before {
        // With a key that is unknown or missing, what follows would only repeat that in other words.
        return None;
    }
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
        let swept = |axis: &Axis| axis.parameter == key.text || axis.label == key.text;
        if let Some(axis) = axes.iter().position(swept) {
            at.push((axis, value.scalar().unwrap_or_default().to_owned()));
        } else {
            let message = format!("`{}` is not swept", key.text);
            let swept = || axes.iter().map(|axis| axis.parameter.as_str());
            let help = match (nearest(&key.text, swept()), axes.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "the scenario has no `sweep`: remove `at`".to_owned(),
                (None, false) => format!("swept are {}", swept().collect::<Vec<_>>().join(", ")),
            };
            cx.error(Code::BadExpectation, key.span, message, help);
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
        windows: block.share_opt("windows"),
        unit: bounds.low.or(bounds.high).map(|bound| bound.1),
        condition: bounds.condition,
        metric_span: block.span_of("metric"),
        bounds_span: bounds.span,
        at_span: block.span_of("at"),
        span: node.span,
    })
}

struct Bounds {
    low: Option<(f64, Unit)>,
    high: Option<(f64, Unit)>,
    condition: String,
    span: Span,
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
    let (low, high, condition, span) = match (block.list("within"), block.node("below"), block.node("above")) {
        ([low, high], None, None) => {
            let condition = format!("within [{}, {}]", words(low), words(high));
            (
                Some(bound(low)?),
                Some(bound(high)?),
                condition,
                block.span_of("within"),
            )
        }
        ([], Some(high), None) => (None, Some(bound(high)?), format!("below {}", words(high)), high.span),
        ([], None, Some(low)) => (Some(bound(low)?), None, format!("above {}", words(low)), low.span),
        _ => {
            let help = "write exactly one of `within: [low, high]`, `below: x`, `above: x`";
            let message = "an expectation says its bounds in one of three ways";
            cx.error(Code::BadExpectation, block.span(), message, help);
            return None;
        }
    };
    if let (Some(low), Some(high)) = (low, high)
        && (low.0 > high.0 || low.1 != high.1)
    {
        let message = "the lower bound has to be below the upper one, in the same unit";
        let help = "write `within: [low, high]`, such as `within: [150 ms, 260 ms]`";
        cx.error(Code::BadExpectation, span, message, help);
        return None;
    }
    Some(Bounds {
        low,
        high,
        condition,
        span,
    })
}

/// The metrics that there are, and those with a value for each window.
type Known = (Named, Named);

/// Finds metrics that no cell has, bounds in another unit than their metric's, and points that no cell is at, before
/// anything runs.
pub fn check(expectations: &[Expectation], cells: &[CellPlan], diagnostics: &Diagnostics) {
    let mut known: Vec<(&str, Known)> = Vec::new();
    for cell in cells {
        if !known.iter().any(|(variant, _)| *variant == cell.variant) {
            known.push((&cell.variant, metrics_of(&cell.plan)));
        }
    }
    for expectation in expectations {
        let concerned = |variant: &str| match &expectation.variant {
            Some(name) => name == variant,
            None => expectation.ratio_to.as_deref() != Some(variant),
        };
        let concerned = known.iter().filter(|(variant, _)| concerned(variant));
        let mut concerned = concerned;
        if let Some(problem) = concerned.find_map(|(_, metrics)| expectation.problem(metrics)) {
            diagnostics.push(problem);
        }
        let swept = |(axis, text): &(usize, String)| cells.iter().any(|cell| same(&cell.point[*axis].text, text));
        if !expectation.at.iter().all(swept) {
            let message = "the sweep has no such point";
            let help = "`at` takes values as they stand under `values`";
            diagnostics.push(Diagnostic::new(Code::BadExpectation, expectation.at_span, message).help(help));
        }
    }
}

impl Expectation {
    /// The variants that it names.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.variant.as_deref().into_iter().chain(self.ratio_to.as_deref())
    }

    /// Whether it is part of the promise, not a test of one variant or of one point.
    fn is_promised(&self) -> bool {
        self.variant.is_none() && self.ratio_to.is_none() && self.at.is_empty()
    }

    /// What is wrong with its metric and bounds, if these are the metrics that there are.
    fn problem(&self, (metrics, by_window): &Known) -> Option<Diagnostic> {
        let name = &self.metric;
        let metrics = if self.windows.is_some() { by_window } else { metrics };
        if let Some((_, unit)) = metrics.iter().find(|metric| metric.0 == *name) {
            let unit = if self.ratio_to.is_some() { Unit::Plain } else { *unit };
            let bound = self.unit.filter(|bound| !compatible(*bound, unit))?;
            let message = format!("`{name}` is {}, but the bound is {}", words(unit), words(bound));
            let problem = Diagnostic::new(Code::BadExpectation, self.bounds_span, message);
            return Some(problem.help(format!("write {}", example(unit))));
        }
        let problem = Diagnostic::new(
            Code::UnknownMetric,
            self.metric_span,
            format!("there is no metric `{name}`"),
        );
        if let Some(near) = nearest(name, metrics.iter().map(|metric| metric.0.as_str())) {
            let help = format!("did you mean `{near}`?");
            return Some(problem.help(help).suggest(self.metric_span, near));
        }
        let owner = name.rsplit_once('.').map(|(owner, _)| format!("{owner}."));
        let of_owner = |metric: &&str| owner.as_ref().is_some_and(|owner| metric.starts_with(owner));
        let mut list: Vec<&str> = metrics.iter().map(|m| m.0.as_str()).filter(of_owner).collect();
        if list.is_empty() {
            list = metrics.iter().map(|m| m.0.as_str()).take(8).collect();
        }
        let help = format!("such as {}; `coldcurve explain metrics` lists all", list.join(", "));
        Some(problem.help(help))
    }

    /// Whether it speaks of a sweep point; a variant that does not have a parameter stands at all of its values.
    fn is_at(&self, point: &[PointValue]) -> bool {
        let here = |(axis, text): &(usize, String)| point[*axis].is_absent() || same(&point[*axis].text, text);
        self.at.iter().all(here)
    }
}

/// A unit in words.
fn words(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "a duration",
        Unit::Count => "a count",
        Unit::PerSecond => "a rate",
        Unit::Ratio => "a share",
        Unit::Dollars => "an amount of money",
        Unit::Level => "a level",
        Unit::Bytes => "a size",
        Unit::Plain => "a plain number",
    }
}

/// A bound in a unit, by example.
fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "a duration, such as `200 ms`",
        Unit::PerSecond => "a rate, such as `500/s`",
        Unit::Ratio => "a share, such as `5%`",
        Unit::Dollars => "an amount of money, such as `$100`",
        Unit::Bytes => "a size, such as `1 GB`",
        Unit::Count | Unit::Level | Unit::Plain => "a number, such as `3`",
    }
}

impl Expectation {
    /// Judges it in every cell that it speaks of.
    pub fn judge(&self, cells: &[Cell], place: &str) -> Vec<ExpectationResult> {
        let speaks_of = |cell: &&Cell| {
            self.variant.as_ref().is_none_or(|variant| *variant == cell.variant)
                && self.ratio_to.as_ref().is_none_or(|other| *other != cell.variant)
                && self.is_at(&cell.point)
        };
        let mut results: Vec<ExpectationResult> = cells
            .iter()
            .filter(speaks_of)
            .flat_map(|cell| self.judge_cell(cell, cells, place))
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

    /// Judges it in a cell: against the cell of the other variant at the same point, or against each of them where only
    /// the other variant has a swept parameter.
    fn judge_cell(&self, cell: &Cell, cells: &[Cell], place: &str) -> Vec<ExpectationResult> {
        let Some(other) = &self.ratio_to else {
            return vec![self.judge_against(cell, None, place)];
        };
        let mut bases: Vec<&Cell> = Vec::new();
        for base in cells.iter().filter(|base| base.variant == *other) {
            let known = bases.iter().any(|known| known.is_at(other, &base.point));
            if !known && meet(&base.point, &cell.point) && self.is_at(&base.point) {
                bases.push(base);
            }
        }
        if bases.is_empty() {
            return vec![self.judge_against(cell, None, place)];
        }
        let judge = |base: &&Cell| self.judge_against(cell, Some(base), place);
        bases.iter().map(judge).collect()
    }

    fn judge_against(&self, cell: &Cell, base: Option<&Cell>, place: &str) -> ExpectationResult {
        let metric = self.metric_in(cell);
        let unit = match (&self.ratio_to, &metric) {
            (Some(_), _) | (_, None) => Unit::Plain,
            (None, Some(metric)) => metric.unit,
        };
        let seen = if self.ratio_to.is_none() {
            metric.map(|metric| (metric.estimate, metric.thin))
        } else {
            let base = base.and_then(|base| self.metric_in(base));
            let over = |(mine, base): (Metric, Metric)| figures::estimate_of(&quotient(base.side(), mine.side()));
            metric.zip(base).map(|pair| (over(pair), None))
        };
        let point = base.map_or_else(|| cell.point.clone(), |base| filled(&cell.point, &base.point));
        let mut result = self.result(cell.variant.clone(), point, seen, unit, place);
        let missing = std::iter::once(cell)
            .chain(base)
            .find_map(|cell| cell.bill.missing.as_ref());
        if let Some(why) = missing.filter(|_| seen.is_none() && self.metric.starts_with("bill.")) {
            result.condition = format!("{} ({why})", self.condition);
        }
        result
    }

    /// The metric in a cell. A limit that was not run into is not among those of a cell: it was, no times.
    fn metric_in(&self, cell: &Cell) -> Option<Metric> {
        let never = || {
            let runs = cell.metrics.first().map_or(1, |metric| metric.per_replication.len());
            figures::count(self.metric.clone(), &vec![0; runs])
        };
        let name = self.judged_metric();
        let found = cell.metric(&name).cloned();
        found.or_else(|| self.metric.starts_with(name::LIMITS).then(never))
    }

    /// The name of what is judged: the metric, or the share of windows in which it keeps the bounds.
    fn judged_metric(&self) -> String {
        match self.windows {
            None => self.metric.clone(),
            Some(_) => format!("{}.windows {}", self.metric, self.condition),
        }
    }

    /// The share of windows that keep the bounds, if that is what is judged.
    fn share_of_windows(&self, cell: &CellPlan, results: &[&Packed]) -> Option<Metric> {
        self.windows?;
        let of_run = |result: &&Packed| -> Option<(u64, u64)> {
            let values = windows_of(&cell.plan, result, &self.metric)?;
            let seen = || values.iter().filter(|value| !value.is_nan());
            let kept = seen().filter(|value| self.keeps(**value)).count();
            Some((kept as u64, seen().count() as u64))
        };
        let shares: Vec<(u64, u64)> = results.iter().map(of_run).collect::<Option<_>>()?;
        let (parts, wholes): (Vec<u64>, Vec<u64>) = shares.into_iter().unzip();
        Some(figures::share(self.judged_metric(), &parts, &wholes))
    }

    fn keeps(&self, seen: f64) -> bool {
        self.low.is_none_or(|low| seen >= low) && self.high.is_none_or(|high| seen <= high)
    }

    fn result(
        &self,
        variant: String,
        point: Vec<super::summary::PointValue>,
        seen: Option<(Estimate, Option<f64>)>,
        unit: Unit,
        place: &str,
    ) -> ExpectationResult {
        let comparable = self.windows.is_some() || self.unit.is_none_or(|mine| compatible(mine, unit));
        let metric = match (&self.ratio_to, self.windows) {
            (Some(other), _) => format!("{} / {other}", self.metric),
            (None, Some(_)) => format!("windows with {} {}", self.metric, self.condition),
            (None, None) => self.metric.clone(),
        };
        let condition = match self.windows {
            Some(share) => format!("at least {} %", share * 100.0),
            None if comparable => self.condition.clone(),
            None => format!("{} (another unit)", self.condition),
        };
        let bounds = match self.windows {
            Some(share) => (Some(share), None),
            None => (self.low, self.high),
        };
        let decided = seen
            .filter(|_| comparable)
            .map(|(seen, thin)| decide(&seen, thin, bounds));
        let (outcome, more_runs) = decided.unwrap_or((Outcome::Fails, None));
        ExpectationResult {
            promised: self.is_promised(),
            outcome,
            more_runs,
            variant,
            point,
            metric,
            unit,
            condition,
            seen: seen.map(|(seen, _)| seen),
            place: place.to_owned(),
        }
    }
}

/// Whether a figure keeps its bounds, as far as its interval tells, and about how many more runs would tell. A figure
/// without an interval is taken as it is; one that does not exist fails.
fn decide(seen: &Estimate, thin: Option<f64>, bounds: (Option<f64>, Option<f64>)) -> (Outcome, Option<u64>) {
    let (least, most) = (bounds.0.unwrap_or(f64::NEG_INFINITY), bounds.1.unwrap_or(f64::INFINITY));
    let mean = seen.mean;
    if mean.is_nan() {
        return (Outcome::Fails, None);
    }
    let (mut low, mut high) = seen.interval.unwrap_or((mean, mean));
    if mean == 0.0 && most == 0.0 {
        // That nothing happened is all that can be seen of it.
        (low, high) = (0.0, 0.0);
    }
    if low >= least && high <= most {
        return (Outcome::Holds, None);
    }
    if high < least || low > most {
        return (Outcome::Fails, None);
    }
    // Half-widths shrink with the root of the number of runs.
    let runs = f64::from(seen.replications);
    let need = |half: f64, distance: f64| {
        if half.is_finite() {
            (half / distance) * (half / distance)
        } else {
            thin.unwrap_or(2.0)
        }
    };
    let to_low = if low < least {
        need(
            if mean < least { high - mean } else { mean - low },
            (mean - least).abs(),
        )
    } else {
        1.0
    };
    let to_high = if high > most {
        need(if mean > most { mean - low } else { high - mean }, (most - mean).abs())
    } else {
        1.0
    };
    let more = (to_low.max(to_high) - 1.0) * runs;
    let more = (more.is_finite() && more < 1e6).then(|| whole(more.ceil().max(1.0)));
    (Outcome::Undecided, more)
}

/// The shares of windows that expectations speak of, as metrics of a cell.
pub fn shares_of_windows(
    expectations: &[Expectation],
    cell: &CellPlan,
    results: &[&Packed],
    metrics: &mut Vec<Metric>,
) {
    for expectation in expectations {
        let known = |metric: &Metric| metrics.iter().any(|other| other.name == metric.name);
        if let Some(metric) = expectation
            .share_of_windows(cell, results)
            .filter(|metric| !known(metric))
        {
            metrics.push(metric);
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
