//! The answer along what nobody chooses, such as traffic: up to where each system keeps the promise, and where the
//! order of the cheapest turns round.

use super::Found;
use super::choose::{Group, is_chosen};
use super::judge::{State, count};
use super::words::{capital, capped, does, label_of, sentence, wrong};
use crate::run::summary::Cell;

/// One system at all values of the axis: the places of its cells, in the order of the axis.
struct Series {
    name: String,
    cells: Vec<usize>,
}

/// The answer, in one to three lines.
pub fn lines(found: &Found, groups: &[Group]) -> Vec<String> {
    let mut axes = found
        .summary
        .axes
        .iter()
        .enumerate()
        .filter(|(_, axis)| !is_chosen(axis));
    let (Some((axis, _)), None) = (axes.next(), axes.next()) else {
        return over_points(found, groups);
    };
    let all = series(found, axis);
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for one in &all {
        let words = course(found, axis, &one.cells);
        match said.iter_mut().find(|(other, _)| *other == words) {
            Some((_, names)) => names.push(one.name.clone()),
            None => said.push((words, vec![one.name.clone()])),
        }
    }
    let alone = all.len() == 1;
    let clause = |(words, names): &(String, Vec<String>)| {
        if alone {
            capital(words)
        } else {
            let words = if names.len() > 1 { plural(words) } else { words.clone() };
            format!("{} {words}", capped(names, 6))
        }
    };
    let clauses: Vec<String> = said.iter().take(6).map(clause).collect();
    let mut lines = vec![sentence(&clauses)];
    if alone
        && all[0]
            .cells
            .iter()
            .all(|place| found.judged[*place].state() == State::Keeps)
    {
        let (first, last) = (all[0].cells[0], all[0].cells[all[0].cells.len() - 1]);
        let at = |place: usize| {
            format!(
                "at {}: {}",
                value(found, axis, place),
                does(found, &found.summary.cells[place])
            )
        };
        lines.push(format!("{}; {}.", capital(&at(first)), at(last)));
    } else if !alone {
        lines.push(cheapest(found, axis, groups));
    }
    lines
}

/// The verb of several systems.
fn plural(words: &str) -> String {
    words.replacen("keeps", "keep", 1)
}

fn value(found: &Found, axis: usize, place: usize) -> String {
    found.summary.cells[place].point[axis].text.clone()
}

/// The systems, in the order of the file, each with its cells by the axis.
fn series(found: &Found, axis: usize) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (place, cell) in found.summary.cells.iter().enumerate() {
        let name = name_without(found, axis, cell);
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.cells.push(place),
            None => all.push(Series {
                name,
                cells: vec![place],
            }),
        }
    }
    for series in &mut all {
        let number = |place: &usize| found.summary.cells[*place].point[axis].number;
        if series.cells.iter().all(|place| number(place).is_finite()) {
            series.cells.sort_by(|a, b| number(a).total_cmp(&number(b)));
        }
    }
    all
}

/// A cell's name without its value of the axis.
fn name_without(found: &Found, axis: usize, cell: &Cell) -> String {
    let mut point = cell.point.clone();
    point.remove(axis);
    label_of(found.summary, &cell.variant, &point)
}

/// Where along the axis a system keeps the promise, and what is wrong elsewhere.
fn course(found: &Found, axis: usize, cells: &[usize]) -> String {
    let keeps: Vec<bool> = cells
        .iter()
        .map(|place| found.judged[*place].state() == State::Keeps)
        .collect();
    let at = |index: usize| value(found, axis, cells[index]);
    let fault = |index: usize| {
        let open = found.judged[cells[index]].worst();
        open.map_or_else(String::new, super::judge::Fault::words)
    };
    if keeps.iter().all(|keep| *keep) {
        return match cells {
            [one] if found.summary.cells[*one].point[axis].is_absent() => "keeps the promise".to_owned(),
            _ => format!("keeps the promise at all values, {} to {}", at(0), at(cells.len() - 1)),
        };
    }
    let first = keeps.iter().position(|keep| *keep);
    let last = keeps.iter().rposition(|keep| *keep);
    let (Some(first), Some(last)) = (first, last) else {
        let end = cells.len() - 1;
        let also = if end > 0 && fault(end) != fault(0) {
            format!(", at {}: {}", at(end), fault(end))
        } else {
            String::new()
        };
        return format!("keeps the promise nowhere (at {}: {}{also})", at(0), fault(0));
    };
    let whole = keeps[first..=last].iter().all(|keep| *keep);
    if whole && first == 0 {
        return format!(
            "keeps the promise up to {} (at {}: {})",
            at(last),
            at(last + 1),
            fault(last + 1)
        );
    }
    if whole && last + 1 == cells.len() {
        return format!(
            "keeps the promise from {} on (at {}: {})",
            at(first),
            at(first - 1),
            fault(first - 1)
        );
    }
    let kept: Vec<String> = (0..cells.len()).filter(|index| keeps[*index]).map(at).collect();
    let broken = (0..cells.len()).find(|index| !keeps[*index] && *index > first);
    let broken = broken.or_else(|| keeps.iter().position(|keep| !keep));
    let why = broken.map_or(String::new(), |index| format!(" (at {}: {})", at(index), fault(index)));
    format!("keeps the promise at {}{why}", capped(&kept, 4))
}

/// Which is the cheapest where.
fn cheapest(found: &Found, axis: usize, groups: &[Group]) -> String {
    let mut order: Vec<&Group> = groups.iter().collect();
    let number = |group: &&Group| {
        let own = group
            .members
            .iter()
            .map(|place| found.summary.cells[*place].point[axis].number);
        own.filter(|number| number.is_finite()).fold(f64::NAN, f64::max)
    };
    if order.iter().all(|group| number(group).is_finite()) {
        order.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    let mut runs: Vec<(Option<String>, String, String)> = Vec::new();
    for group in order {
        let text = group.key.join(", ");
        let name = group
            .winner
            .map(|place| name_without(found, axis, &found.summary.cells[place]));
        match runs.last_mut().filter(|run| run.0 == name) {
            Some(run) => run.2 = text,
            None => runs.push((name, text.clone(), text)),
        }
    }
    let named: Vec<&(Option<String>, String, String)> = runs.iter().filter(|run| run.0.is_some()).collect();
    if let ([only], 1) = (named.as_slice(), runs.len()) {
        return format!(
            "{} is the cheapest at all of them.",
            only.0.as_deref().unwrap_or_default()
        );
    }
    if named.is_empty() {
        return String::new();
    }
    let last = runs.len() - 1;
    let part = |(index, (name, from, to)): (usize, &(Option<String>, String, String))| {
        let name = name.as_deref().unwrap_or("none");
        match () {
            () if from == to => format!("{name} at {to}"),
            () if index == 0 => format!("{name} up to {to}"),
            () if index == last => format!("{name} from {from} on"),
            () => format!("{name} from {from} to {to}"),
        }
    };
    let parts: Vec<String> = runs.iter().enumerate().map(part).collect();
    format!("The cheapest that keeps it: {}.", parts.join(", "))
}

/// The answer over several axes that nobody chooses.
fn over_points(found: &Found, groups: &[Group]) -> Vec<String> {
    let cells = &found.summary.cells;
    let mut kept: Vec<(&str, usize, usize)> = Vec::new();
    for (place, cell) in cells.iter().enumerate() {
        let keeps = usize::from(found.judged[place].state() == State::Keeps);
        match kept.iter_mut().find(|(name, ..)| *name == cell.variant) {
            Some((_, good, all)) => (*good, *all) = (*good + keeps, *all + 1),
            None => kept.push((&cell.variant, keeps, 1)),
        }
    }
    let one = kept.len() == 1;
    let part = |(name, good, all): &(&str, usize, usize)| {
        let numbers = format!(
            "keeps the promise at {} of {} points",
            count(*good as f64),
            count(*all as f64)
        );
        if one {
            capital(&numbers)
        } else {
            format!("{name} {numbers}")
        }
    };
    let parts: Vec<String> = kept.iter().map(part).collect();
    let broken: Vec<usize> = (0..cells.len())
        .filter(|place| found.judged[*place].state() != State::Keeps)
        .collect();
    let answered = groups
        .iter()
        .filter(|group| group.winner.is_some() && group.members.len() > 1)
        .count();
    let marked = if answered > 0 {
        " The cheapest at each point is marked.".to_owned()
    } else {
        String::new()
    };
    vec![
        format!("{}.{marked}", capped(&parts, 6)),
        sentence(&wrong(found, &broken)),
    ]
}
