//! The section of `report.html` that says where the work ended: the ledger of each variant and source.

use maud::{Markup, html};

use super::format;
use super::later;
use super::verdicts;
use crate::run::ledger::{Ledger, LedgerEnd, UnitState};
use crate::run::summary::{Cell, Summary, Unit};

/// Ledgers that are shown at most: the rest is in `ledger.csv`.
const MOST: usize = 60;

/// The states as the key names them.
const STATES: [UnitState; 5] = [
    UnitState::Good,
    UnitState::Failed,
    UnitState::Refused,
    UnitState::Lost,
    UnitState::Unfinished,
];

/// Whether a ledger has something to tell: that something goes on after the answer, or that not all is good. A little
/// is always under way when a run ends.
fn tells(ledger: &Ledger) -> bool {
    let bad = [UnitState::Failed, UnitState::Refused, UnitState::Lost];
    ledger.goes_on
        || bad.iter().any(|state| ledger.units(*state) > 0)
        || ledger.share(UnitState::Unfinished) >= later::WORTH_TELLING
}

fn ledgers_of(cell: &Cell) -> impl Iterator<Item = (&Cell, &Ledger)> {
    cell.ledger.iter().map(move |ledger| (cell, ledger))
}

/// The table, if any source has something to tell.
pub fn content(summary: &Summary) -> Option<Markup> {
    let all: Vec<(&Cell, &Ledger)> = summary.cells.iter().flat_map(ledgers_of).collect();
    let told: Vec<&(&Cell, &Ledger)> = all.iter().filter(|(_, ledger)| tells(ledger)).collect();
    if told.is_empty() {
        return None;
    }
    let several = summary.variants().len() > 1;
    let one = summary.cells.len() == 1;
    let label = |cell: &Cell| {
        if one {
            String::new()
        } else {
            verdicts::short_label(cell, several)
        }
    };
    let later: Vec<String> = told
        .iter()
        .filter_map(|(cell, ledger)| in_words(&label(cell), cell, ledger))
        .collect();
    let quiet = all.len() - told.len();
    let partly = told
        .iter()
        .flat_map(|(_, ledger)| &ledger.ends)
        .any(|end| end.partly > 0);
    Some(html! {
        p.soft { "A unit is an arrival with all that it caused. The worst of that decides where it is counted." } "\n"
        @for line in later.iter().take(MOST) { p { (line) } "\n" }
        p.key { @for state in STATES.iter().filter(|state| seen(&told, **state)) {
            span { i class=(state.name()) {} " " (state.name()) } " "
        } } "\n"
        div.wide { table { "\n"
            tr {
                th { @if one { "source" } @else { "variant, source" } }
                th.words { "ended" } th.words { "where" } th.words { "why" }
                th { "units a run" } th { "share" } @if partly { th { "partly done" } }
            } "\n"
            @for (cell, ledger) in told.iter().take(MOST) { (rows(&label(cell), ledger, partly)) }
        } } "\n"
        @if told.len() > MOST { p.soft { (format::count((told.len() - MOST) as u64)) " more in ledger.csv." } "\n" }
        @if quiet > 0 {
            p.soft { "All else ended well, or was under way at the end, and nothing goes on after its answer." } "\n"
        }
    })
}

/// Whether a state occurs.
fn seen(told: &[&(&Cell, &Ledger)], state: UnitState) -> bool {
    told.iter().any(|(_, ledger)| ledger.units(state) > 0)
}

/// What was answered well and went wrong later.
fn in_words(label: &str, cell: &Cell, ledger: &Ledger) -> Option<String> {
    let words = later::words(cell, ledger)?;
    Some(if label.is_empty() {
        format!("{words}.")
    } else {
        format!("{label}: {words}.")
    })
}

/// The rows of one source: a bar of its states, then each end.
fn rows(label: &str, ledger: &Ledger, partly: bool) -> Markup {
    let arrived: f64 = ledger.ends.iter().map(|end| end.per_run.mean).sum();
    html! {
        tr.source {
            td { @if !label.is_empty() { strong { (label) } ", " } (ledger.source) }
            td.words colspan="3" { span.bar {
                @for state in STATES {
                    @let share = 100.0 * ledger.share(state);
                    @if share > 0.0 { i class=(state.name()) style=(format!("width:{share:.3}%")) {} }
                }
            } }
            td { (format::value(Unit::Count, arrived.round())) }
            td { "100 %" }
            @if partly { td {} }
        } "\n"
        @for end in &ledger.ends { (row(ledger, end, partly)) }
    }
}

fn row(ledger: &Ledger, end: &LedgerEnd, partly: bool) -> Markup {
    let share = end.units as f64 / ledger.arrived as f64;
    html! {
        tr {
            td {}
            td.words { (end.state.name()) }
            td.words { (end.place) }
            td.words { (end.why) }
            td { (format::estimate(Unit::Count, &end.per_run)) }
            td { (later::nearly_all(share)) }
            @if partly {
                td { @if end.partly > 0 { (format::value(Unit::Ratio, end.partly as f64 / end.units as f64)) } }
            }
        } "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn each_end_of_a_source_has_a_row_and_a_part_of_its_bar() {
        let page = content(&sample::asynchronous()).unwrap().into_string();
        assert_eq!(page.matches("style=\"width:").count(), 2, "{page}");
        assert!(page.contains("<i class=\"lost\" style=\"width:3.000%\">"), "{page}");
        assert!(page.contains("clients.web: answered 100 %, 3.00 % lost later (dead-lettered at queues.mail)."));
        // The head, the source with its bar, and two ends.
        assert_eq!(page.matches("<tr").count(), 4);
    }

    #[test]
    fn without_anything_to_tell_there_is_no_section() {
        let mut summary = sample::asynchronous();
        let ledger = &mut summary.cells[0].ledger[0];
        ledger.ends.remove(0);
        ledger.arrived = ledger.ends[0].units;
        ledger.goes_on = false;
        assert!(content(&summary).is_none());
    }
}
