//! The section of `report.html` that says how sure the inputs are: services with the date of their defaults and
//! prices, and by name those of which nobody is sure.

use maud::{Markup, html};
use std::collections::BTreeSet;

use super::format;
use crate::run::services::ServiceRef;
use crate::run::summary::{BillLine, PriceBookRef, Summary, Unit};

/// Names in a field; the others are counted.
const MOST: usize = 6;

/// The table, if any service is known or anything has a price.
pub fn content(summary: &Summary) -> Option<Markup> {
    let manifest = &summary.manifest;
    let lines: Vec<&BillLine> = summary.cells.iter().flat_map(|cell| &cell.bill.lines).collect();
    if manifest.services.is_empty() && lines.is_empty() {
        return None;
    }
    let books: Vec<String> = manifest.price_books.iter().map(dated).collect();
    let doubtful = doubtful_share(summary);
    Some(html! {
        p {
            "Prices: " (books.join("; ")) ". "
            @if let Some((share, whose)) = doubtful {
                "Prices of low confidence make up to " (format::value(Unit::Ratio, share)) " of a bill (" (whose) ")."
            } @else { "None of low confidence is in a bill." }
        } "\n"
        @if !manifest.services.is_empty() {
            div.wide { table.prose { "\n"
                tr {
                    th { "service" } th.words { "used by" } th.words { "defaults as of" }
                    th.words { "of high, medium, low confidence" } th.words { "low, and left as they are" }
                    th.words { "prices that are not sure" }
                } "\n"
                @for service in &manifest.services { (row(service, &lines)) }
            } } "\n"
        }
    })
}

/// A price book with its region, where its name does not say that, and its date.
pub fn dated(book: &PriceBookRef) -> String {
    let region = if book.name.ends_with(&book.region) {
        String::new()
    } else {
        format!(" {}", book.region)
    };
    format!("{}{region} as of {}", book.name, book.as_of)
}

fn row(service: &ServiceRef, lines: &[&BillLine]) -> Markup {
    let [high, medium, low] = service.confidence;
    let unsure = |line: &&&BillLine| line.service == service.service && line.confidence != "high";
    let prices: BTreeSet<String> = lines
        .iter()
        .filter(unsure)
        .map(|line| format!("{} ({})", line.line, line.confidence))
        .collect();
    let prices: Vec<String> = prices.into_iter().collect();
    html! {
        tr {
            td { (service.title) " (" (service.service) ")" }
            td.words { (some(&service.components)) }
            td.words { (service.as_of) }
            td.words { (high) ", " (medium) ", " (low) }
            td.words { (some(&service.unsure)) }
            td.words { (some(&prices)) }
        } "\n"
    }
}

fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST);
    let shown = names[..names.len() - more].join(", ");
    match (names.len(), more) {
        (0, _) => format::MISSING.to_owned(),
        (_, 0) => shown,
        _ => format!("{shown} and {more} more"),
    }
}

/// The largest share of a bill that rests on prices of low confidence, and what they are for.
fn doubtful_share(summary: &Summary) -> Option<(f64, String)> {
    let share = |lines: &[BillLine]| {
        let is_low = |line: &&BillLine| line.confidence == "low" && line.amount.mean > 0.0;
        let sum = |amounts: &mut dyn Iterator<Item = f64>| amounts.sum::<f64>();
        let all = sum(&mut lines.iter().map(|line| line.amount.mean));
        let low = sum(&mut lines.iter().filter(is_low).map(|line| line.amount.mean));
        let names: BTreeSet<String> = lines
            .iter()
            .filter(is_low)
            .map(|line| format!("{} of {}", line.line, line.service))
            .collect();
        (low > 0.0).then(|| (low / all, some(&names.into_iter().collect::<Vec<_>>())))
    };
    let shares = summary.cells.iter().filter_map(|cell| share(&cell.bill.lines));
    shares.max_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_nobody_is_sure_of_is_named() {
        let mut summary = sample::one();
        assert!(
            content(&summary)
                .unwrap()
                .into_string()
                .contains("None of low confidence")
        );
        let line = &mut summary.cells[0].bill.lines[0];
        line.confidence = "low".into();
        let (service, what) = (line.service.clone(), line.line.clone());
        summary.manifest.services = vec![ServiceRef {
            service: service.clone(),
            title: "The service".into(),
            components: vec!["functions.checkout".into()],
            as_of: "2026-10".into(),
            confidence: [3, 1, 2],
            unsure: vec!["placement 120 ms".into()],
        }];
        let page = content(&summary).unwrap().into_string();
        for words in [
            "2026-10",
            "3, 1, 2",
            "placement 120 ms",
            &format!("{what} (low)"),
            &format!("{what} of {service}"),
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}
