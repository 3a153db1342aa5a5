//! What the scenario does not say and what decides its answer, in sentences.

use super::format::{self, span_ns};
use super::verdicts;
use crate::run::assumptions::{Assumption, Effect};
use crate::run::summary::{Estimate, Summary, Unit, name};

/// What stands above them, with what was run to find them out.
pub fn heading(summary: &Summary) -> Option<String> {
    let first = summary.assumptions.first()?;
    let several = summary.variants().len() > 1;
    let cell = summary
        .cells
        .iter()
        .find(|cell| cell.is_at(&first.variant, &first.point));
    let whose = cell
        .filter(|_| summary.cells.len() > 1)
        .map_or_else(String::new, |cell| {
            format!("{}: ", verdicts::short_label(cell, several))
        });
    let measured = span_ns(first.measured_ns);
    Some(format!(
        "Not said, and it decides ({whose}{} runs of {measured} each, the same dice)",
        first.runs
    ))
}

/// One sentence for each.
pub fn lines(summary: &Summary) -> Vec<String> {
    let line = |one: &Assumption| {
        let effects = joined(one.effects.iter().map(effect));
        format!("{}: with {}, {effects}. Say {}.", one.words, one.tried, say(one))
    };
    summary.assumptions.iter().map(line).collect()
}

/// What to write.
pub fn say(one: &Assumption) -> String {
    match one.components.as_slice() {
        [component] if one.field == "handler" => format!("both in `{component}.handler`"),
        [component] => format!("`{component}.{}`", one.field),
        _ => format!("the `{}` of each", one.field),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// What a figure becomes.
pub fn effect(effect: &Effect) -> String {
    let [from, to] = [effect.from, effect.to].map(|number| match effect.unit {
        Unit::Dollars => format::money_short(&Estimate::exact(number)).0,
        unit => format::value(unit, number),
    });
    match effect.metric.as_str() {
        name::BILL_MONTH => format!("the bill is {to} instead of {from} a month"),
        name::ERROR_RATIO => format!("{to} fail instead of {from}"),
        metric => match metric.strip_suffix(".p99") {
            Some(name::LATENCY) => format!("p99 is {to} instead of {from}"),
            _ => format!("{metric} is {to} instead of {from}"),
        },
    }
}
