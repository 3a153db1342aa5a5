//! What is not in the headline: how long the work of the other sources takes, a line for all of them.

use super::format;
use crate::run::answer::headline;
use crate::run::answer::words::{capped, label};
use crate::run::summary::{Cell, Summary, Unit};

/// Times that differ by less than this share are one.
const ALIKE: f64 = 0.1;
/// So many sources are told of.
const MOST: usize = 4;

/// A line of the sources that the table is not about, if there are any.
pub fn lines(summary: &Summary) -> Vec<String> {
    let main = headline::of(summary);
    let mut told: Vec<String> = Vec::new();
    for source in sources(summary) {
        let stem = |cell: &Cell| {
            let own = cell.sources.iter().find(|other| other.name == source)?;
            let headline = headline::of_source(cell, own);
            let stem = if headline.of.is_empty() {
                format!("{source}.latency")
            } else {
                headline.stem()
            };
            (headline != main || own.background && headline.kind == headline::Kind::Requests).then_some(stem)
        };
        told.extend(of_source(summary, &source, &stem));
    }
    if told.is_empty() {
        return Vec::new();
    }
    let more = told.len().saturating_sub(MOST);
    told.truncate(MOST);
    let more = if more > 0 {
        format!("; {more} more in summary.csv")
    } else {
        String::new()
    };
    vec![format!("Not in the headline (p99): {}{more}.", told.join("; "))]
}

/// The sources of all cells, in their order.
fn sources(summary: &Summary) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for source in summary.cells.iter().flat_map(|cell| &cell.sources) {
        if !names.contains(&source.name) {
            names.push(source.name.clone());
        }
    }
    names
}

/// How long the work of a source takes in all cells, those alike together.
fn of_source(summary: &Summary, source: &str, stem: &dyn Fn(&Cell) -> Option<String>) -> Option<String> {
    let mut groups: Vec<(f64, Vec<String>)> = Vec::new();
    for cell in &summary.cells {
        let Some(time) = stem(cell)
            .and_then(|stem| headline::mean(cell, &format!("{stem}.p99")))
            .filter(|t| *t > 0.0)
        else {
            continue;
        };
        let name = label(summary, cell);
        match groups
            .iter_mut()
            .find(|(other, _)| (time - *other).abs() <= ALIKE * *other)
        {
            Some((_, names)) => names.push(name),
            None => groups.push((time, vec![name])),
        }
    }
    groups.sort_by_key(|group| group.1.len());
    let (most, rest) = groups.split_last()?;
    let seconds = |time: f64| format::value(Unit::Seconds, time);
    let mut parts: Vec<String> = rest
        .iter()
        .take(3)
        .map(|(time, names)| format!("{} on {}", seconds(*time), capped(names, 3)))
        .collect();
    parts.push(if rest.is_empty() {
        seconds(most.0)
    } else {
        format!("{} elsewhere", seconds(most.0))
    });
    Some(format!("{source} {}", parts.join(", ")))
}
