//! The words of an answer.

use super::Found;
use super::along;
use super::choose::{self, Group, as_cheap};
use super::headline::{Kind, mean};
use super::judge::{Fault, NOT_KEEPING_UP, OWES, State, count};
use super::work;
use crate::run::format;
use crate::run::points::texts;
use crate::run::summary::{Cell, Difference, Estimate, PointValue, Summary, Unit, name};
use crate::run::verdict::Class;
use std::collections::{BTreeMap, BTreeSet};

/// So many cells are named in a sentence; the others are counted.
const NAMED: usize = 4;
/// So many groups of equal reasons are named.
const CLAUSES: usize = 5;
/// From so much less of the time on, it is worth a word that a dearer cell is faster.
const MUCH_FASTER: f64 = 0.67;

/// The answer, in one to three lines.
pub fn lines(found: &Found) -> Vec<String> {
    let lines = match (found.summary.cells.as_slice(), found.groups.as_slice()) {
        ([], _) | (_, []) => Vec::new(),
        ([cell], _) => alone(found, cell),
        (_, [group]) => chosen(found, group),
        (_, groups) => along::lines(found, groups),
    };
    let trimmed = lines.into_iter().map(|line| line.trim().to_owned());
    trimmed.filter(|line| !line.is_empty()).collect()
}

/// A text that begins a sentence.
pub fn capital(text: &str) -> String {
    // A component is called as it is written.
    if text.split(' ').next().is_some_and(|word| word.contains('.')) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A list in words: `a`, `a and b`, `a, b and c`.
pub fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The same of at most so many, with the number of the others.
pub fn capped(words: &[String], most: usize) -> String {
    if words.len() <= most + 1 {
        return listed(words);
    }
    format!("{} and {} more", words[..most].join(", "), words.len() - most)
}

/// A cell in as few words as tell it from the others.
pub fn label(summary: &Summary, cell: &Cell) -> String {
    label_of(summary, &cell.variant, &cell.point)
}

/// A variant at a point, or at a part of one, likewise.
pub fn label_of(summary: &Summary, variant: &str, point: &[PointValue]) -> String {
    // The cells of a variant stand together.
    let ends = (summary.cells.first(), summary.cells.last());
    let one = matches!(ends, (Some(first), Some(last)) if first.variant == last.variant);
    let points: Vec<&str> = texts(point).collect();
    if one && !points.is_empty() {
        return points.join(" ");
    }
    std::iter::once(variant).chain(points).collect::<Vec<_>>().join(" ")
}

/// Cells by name; a variant with all of its points is called by its own.
fn names(summary: &Summary, cells: &[usize]) -> Vec<String> {
    let count = |places: &mut dyn Iterator<Item = usize>| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        places.for_each(|place| *counts.entry(&summary.cells[place].variant).or_default() += 1);
        counts
    };
    let (own, all) = (count(&mut cells.iter().copied()), count(&mut (0..summary.cells.len())));
    let (mut named, mut seen) = (Vec::new(), BTreeSet::new());
    for place in cells {
        let cell = &summary.cells[*place];
        let variant = cell.variant.as_str();
        let whole = all.len() > 1 && own.get(variant) == all.get(variant);
        let name = if whole {
            variant.to_owned()
        } else {
            label(summary, cell)
        };
        if seen.insert(name.clone()) {
            named.push(name);
        }
    }
    named
}

/// What is wrong with these cells, equal reasons together, the most important first.
pub fn wrong(found: &Found, cells: &[usize]) -> Vec<String> {
    let mut grouped: Vec<(&Fault, Vec<usize>)> = Vec::new();
    for place in cells {
        let Some(fault) = found.judged[*place].worst() else {
            continue;
        };
        let same = |(other, _): &&mut (&Fault, Vec<usize>)| other.verbs == fault.verbs && other.rest == fault.rest;
        match grouped.iter_mut().find(same) {
            Some((_, places)) => places.push(*place),
            None => grouped.push((fault, vec![*place])),
        }
    }
    let more: usize = grouped.iter().skip(CLAUSES).map(|(_, places)| places.len()).sum();
    let clause = |(fault, places): &(&Fault, Vec<usize>)| {
        let faults: Vec<&Fault> = places.iter().filter_map(|place| found.judged[*place].worst()).collect();
        let mut numbers: Vec<String> = faults.iter().map(|fault| fault.number.clone()).collect();
        let one_number = numbers.windows(2).all(|pair| pair[0] == pair[1]);
        // Each number stands for a name, unless it is the same for all.
        let named = if one_number {
            names(found.summary, places)
        } else {
            places
                .iter()
                .map(|place| label(found.summary, &found.summary.cells[*place]))
                .collect()
        };
        numbers.truncate(match (one_number, named.len() > NAMED + 1) {
            (true, _) => 1,
            (_, true) => NAMED,
            _ => named.len(),
        });
        let one_aside = faults.windows(2).all(|pair| pair[0].aside == pair[1].aside);
        let aside = if one_aside { fault.aside.as_str() } else { "" };
        let verb = if named.len() > 1 {
            &fault.verbs.1
        } else {
            &fault.verbs.0
        };
        let numbers = listed(&numbers);
        let space = if numbers.is_empty() { "" } else { " " };
        format!("{} {verb}{space}{numbers}{}{aside}", capped(&named, NAMED), fault.rest)
    };
    let mut clauses: Vec<String> = grouped.iter().take(CLAUSES).map(clause).collect();
    if more > 0 {
        clauses.push(format!("{more} more do not keep the promise"));
    }
    clauses
}

/// A bill in words, with what it is the bill of.
pub fn bill(cell: &Cell) -> String {
    let (mean, half) = format::money_short(&cell.bill.total);
    if mean == format::MISSING {
        return "no bill".to_owned();
    }
    if !choose::is_priced(cell) {
        return "no whole bill, since not all that it uses has a price".to_owned();
    }
    let amount = if half.is_empty() {
        mean
    } else {
        format!("{mean} {half}")
    };
    if cell.is(Class::Episode) {
        format!("{amount} for the measured time")
    } else if cell.is(Class::Periodic) {
        format!("{amount} a month if all of it were like the measured part")
    } else {
        format!("{amount} a month")
    }
}

/// An amount of money without its sign.
fn money(estimate: &Estimate) -> String {
    let flipped = Estimate {
        mean: estimate.mean.abs(),
        interval: estimate.interval.map(|(low, high)| {
            if estimate.mean < 0.0 {
                (-high, -low)
            } else {
                (low, high)
            }
        }),
        ..*estimate
    };
    let (mean, half) = format::money_short(&flipped);
    if half.is_empty() {
        mean
    } else {
        format!("{mean} {half}")
    }
}

/// How the winner's bill stands to that of the next one.
fn distance(found: &Found, winner: &Cell, next: &Cell) -> String {
    let named = label(found.summary, next);
    if !choose::is_priced(next) || !choose::is_priced(winner) {
        return format!("; {named} has no whole bill to compare");
    }
    let Some(more) = choose::dearer(next, winner) else {
        return String::new();
    };
    if more.difference.interval.is_none() {
        let than = if more.difference.mean < 0.0 { "more" } else { "less" };
        return format!(
            ", {} {than} than {named} (too few runs for an interval)",
            money(&more.difference)
        );
    }
    if is_nothing(&more) {
        return format!(", as much as {named}");
    }
    if !more.is_told_apart() {
        let (mean, half) = format::money_short(&more.difference);
        return format!(", not distinguishable from {named} ({mean} {half})");
    }
    let than = if more.difference.mean < 0.0 { "more" } else { "less" };
    format!(", {} {than} than {named}", money(&more.difference))
}

/// Whether two bills are the same to the last digit, in every run.
fn is_nothing(more: &Difference) -> bool {
    let (low, high) = more.difference.interval.unwrap_or((f64::NAN, f64::NAN));
    more.difference.mean.abs() < 1e-9 && low.abs() < 1e-9 && high.abs() < 1e-9
}

/// The answer among cells that one can choose between.
fn chosen(found: &Found, group: &Group) -> Vec<String> {
    let summary = found.summary;
    let Some(winner) = group.winner else {
        return vec![nobody(found, &group.members)];
    };
    let rest: Vec<usize> = group
        .members
        .iter()
        .copied()
        .filter(|p| found.judged[*p].state() != State::Keeps)
        .collect();
    let wrong = sentence(&wrong(found, &rest));
    vec![
        best(found, group, winner),
        faster(found, group, winner) + &poison(summary, winner),
        wrong,
    ]
}

/// What is said of the winner.
fn best(found: &Found, group: &Group, winner: usize) -> String {
    let summary = found.summary;
    let cell = &summary.cells[winner];
    let (named, bill) = (label(summary, cell), bill(cell));
    let next = group.keeps.iter().copied().find(|place| *place != winner);
    let Some(next) = next else {
        return format!("{named} alone keeps the promise: {bill}.");
    };
    let cheapest = group.keeps[0];
    let next_cell = &summary.cells[next];
    if winner != cheapest {
        let equal = as_cheap(summary, &group.keeps).len();
        let time = found
            .headline
            .p99(cell)
            .zip(found.headline.p99(&summary.cells[cheapest]));
        let time = time.map_or(String::new(), |(own, other)| {
            let seconds = |value| format::value(Unit::Seconds, value);
            format!(" (p99 {} against {})", seconds(own), seconds(other))
        });
        return format!(
            "{named} is the best of {equal} that keep the promise and cost the same within 1 %{time}: {bill}{}.",
            distance(found, cell, &summary.cells[cheapest])
        );
    }
    let close = choose::bill(next_cell) <= choose::bill(cell) * 1.01 && choose::bill(cell) > 0.0;
    let told =
        choose::dearer(next_cell, cell).is_some_and(|more| more.is_told_apart() || more.difference.interval.is_none());
    let keep = group.keeps.len();
    let all = if keep == group.members.len() {
        format!("all {keep} keep")
    } else {
        format!("{keep} keep")
    };
    if told && close {
        let next = label(summary, next_cell);
        format!("{named} is the cheapest that keeps the promise ({all} it): {bill}; {next} costs the same within 1 %.")
    } else if told {
        format!(
            "{named} is the cheapest that keeps the promise ({all} it): {bill}{}.",
            distance(found, cell, next_cell)
        )
    } else {
        format!(
            "{named} keeps the promise for {bill}{} ({all} it).",
            distance(found, cell, next_cell)
        )
    }
}

/// A dearer cell that is much faster.
fn faster(found: &Found, group: &Group, winner: usize) -> String {
    let summary = found.summary;
    let cell = &summary.cells[winner];
    let time = |place: &usize| found.headline.p99(&summary.cells[*place]).filter(|time| *time > 0.0);
    let Some(own) = time(&winner) else { return String::new() };
    // The cheapest of those that are about as fast as the fastest.
    let fastest = group.keeps.iter().filter_map(time).fold(own, f64::min);
    let Some(best) = group
        .keeps
        .iter()
        .find(|place| time(place).is_some_and(|time| time <= 1.1 * fastest))
    else {
        return String::new();
    };
    let (Some(its), true) = (time(best), fastest < MUCH_FASTER * own) else {
        return String::new();
    };
    let Some(more) = choose::dearer(&summary.cells[*best], cell).filter(Difference::is_told_apart) else {
        return String::new();
    };
    let seconds = |value| format::value(Unit::Seconds, value);
    format!(
        "{} is {} times as fast (p99 {} against {}) for {} more. ",
        label(summary, &summary.cells[*best]),
        format::grouped(own / its, usize::from(own / its < 10.0)),
        seconds(its),
        seconds(own),
        money(&more.difference)
    )
}

/// What the winner loses although it keeps the promise.
fn poison(summary: &Summary, winner: usize) -> String {
    let lost = work::lost(&summary.cells[winner]);
    let each: Vec<String> = lost
        .iter()
        .map(|lost| format!("{} of {} {}", per_run(lost), count(lost.of), lost.things))
        .collect();
    let why = if lost.iter().all(|lost| lost.unavoidable) {
        "always fail, whoever tries them"
    } else {
        "are lost, as in all others or as promised"
    };
    if each.is_empty() {
        String::new()
    } else {
        format!("{} {why}.", capital(&listed(&each)))
    }
}

/// How much is lost in a run, or in all of them if that is seldom.
fn per_run(lost: &work::Lost) -> String {
    if lost.units < 10 {
        format!("{} in all runs", lost.units)
    } else {
        count(lost.per_run.mean)
    }
}

/// Clauses as one sentence.
pub fn sentence(clauses: &[String]) -> String {
    if clauses.is_empty() {
        String::new()
    } else {
        format!("{}.", clauses.join("; "))
    }
}

/// Faults that leave no answer at all, if all have them.
const WHOLE: [&str; 5] = [
    NOT_KEEPING_UP,
    "two regimes",
    "not decided",
    "too short to say",
    "no traffic",
];

/// The answer where nothing keeps the promise.
fn nobody(found: &Found, members: &[usize]) -> String {
    let kinds: Vec<&str> = members
        .iter()
        .filter_map(|p| found.judged[*p].worst())
        .map(|fault| fault.kind)
        .collect();
    let open = members.iter().any(|place| found.judged[*place].state() == State::Open);
    let none = if open {
        "none is known to keep the promise"
    } else {
        "none keeps the promise"
    };
    let why = match kinds.split_first() {
        Some((first, rest)) if WHOLE.contains(first) && rest.iter().all(|kind| kind == first) => capital(first),
        _ => "No answer".to_owned(),
    };
    format!("{why}: {none}. {}", sentence(&wrong(found, members)))
}

/// The answer about a single system.
fn alone(found: &Found, cell: &Cell) -> Vec<String> {
    let Some(fault) = found.judged[0].worst() else {
        return vec![
            format!("Keeps the promise: {}.", does(found, cell)),
            poison(found.summary, 0),
        ];
    };
    let of_class = |class| cell.verdicts.iter().find(|verdict| verdict.class == class);
    let said = |class: Class| {
        of_class(class).map_or_else(String::new, |verdict| match &verdict.hint {
            Some(hint) => format!("{}; {hint}.", capital(&verdict.words)),
            None => format!("{}.", capital(&verdict.words)),
        })
    };
    let first = match fault.kind {
        "no traffic" => said(Class::NoTraffic),
        "two regimes" => said(Class::TwoRegimes),
        "too short to say" => said(Class::TooShort),
        NOT_KEEPING_UP => {
            let words = said(Class::Growing);
            format!("Does not keep up: {words}")
        }
        OWES => format!("Is not done at the end: it {}.", fault.words()),
        "could not be run" => format!("{}.", capital(&fault.words())),
        _ if fault.open => format!("Not decided: it {}.", fault.words().replace("is not decided: it ", "")),
        _ => format!("Does not keep the promise: it {}.", fault.words()),
    };
    let owed = work::owed(cell).filter(|_| fault.kind == NOT_KEEPING_UP);
    let owed = owed.map_or(String::new(), |owed| {
        format!(
            "{} of {} {} are not done at the end. ",
            count(owed.units),
            count(owed.of),
            owed.things
        )
    });
    let bill = format::money_short(&cell.bill.total).0;
    let no_bill = matches!(fault.kind, NOT_KEEPING_UP | OWES) && bill != format::MISSING;
    let no_bill = if no_bill {
        format!("No bill of a month: {bill} leaves out what is owed.")
    } else {
        String::new()
    };
    vec![first, format!("{owed}{no_bill}")]
}

/// What a system that keeps its promise does: how fast, what fails, and for how much.
pub fn does(found: &Found, cell: &Cell) -> String {
    let mut parts = Vec::new();
    let headline = &found.headline;
    let metric = |end: &str| {
        cell.metric(&format!("{}.{end}", headline.stem()))
            .filter(|m| m.estimate.mean.is_finite())
    };
    // A few executions have no p99.
    let (time, called) = match headline.kind {
        Kind::Workflow => (metric("mean"), "takes"),
        _ => (metric("p99"), "p99"),
    };
    if let Some(time) = time {
        parts.push(format!("{called} {}", format::estimate(Unit::Seconds, &time.estimate)));
    }
    let failed = work::failed(cell)
        .into_iter()
        .max_by(|a, b| a.share.mean.total_cmp(&b.share.mean));
    if let Some(failed) = failed.filter(|failed| failed.share.mean > 0.0) {
        parts.push(format!(
            "{} of its {} failed",
            format::estimate(Unit::Ratio, &failed.share),
            failed.things
        ));
    } else if mean(cell, name::ERROR_RATIO).is_some() || headline.kind != Kind::Requests {
        parts.push("nothing failed".to_owned());
    }
    parts.push(bill(cell));
    parts.join(", ")
}

/// How much more a cell costs than what it is measured against.
pub fn surcharge(summary: &Summary, cell: &Cell) -> Option<String> {
    let differences = summary.differences_of(name::BILL_MONTH);
    let found = differences.of(cell)?;
    let doubt = if found.is_told_apart() {
        ""
    } else {
        ", not distinguishable"
    };
    let more = if found.difference.mean < 0.0 { "less" } else { "more" };
    Some(format!("keeps the promise, {} {more}{doubt}", money(&found.difference)))
}
