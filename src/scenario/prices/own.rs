//! Prices of one's own: the `prices` section of a scenario or of a catalog file.
//!
//! A scenario lists lines by service, or names a price file beside it; a catalog file lists the lines of its service.
//! Where a line comes from may be left out there: it comes from whoever wrote it.

use super::{RawFile, RawHead, RawLine, compile, read};
use crate::cost::PriceBook;
use crate::scenario::data::read_file;
use crate::scenario::{Code, Context, Diagnostic, Diagnostics, Node, NodeKind, Service, Span};
use serde_json::Value;
use std::collections::BTreeMap;

const SHAPE: &str = "write lines such as `acme.functions: [{ line: requests, meter: requests, unit: 1M requests, \
                     price: 0.40 }]`";

/// Lays the prices of a scenario's `prices` over `book`; what is wrong is reported.
pub fn read_own(cx: &Context, node: &Node, book: &mut PriceBook) {
    match &node.kind {
        NodeKind::Null => {}
        NodeKind::Scalar(path) => {
            let Some(bytes) = read_file(cx, node.span, path) else {
                return;
            };
            let text = String::from_utf8_lossy(&bytes);
            match read(path, &text) {
                Ok(own) => lay(own, book, node.span, cx.diagnostics),
                Err(problems) => {
                    for problem in problems {
                        let help = "a price file has a `book`, `sources` and `services`, as in catalog/prices";
                        cx.error(Code::BadPrices, node.span, problem.to_string(), help);
                    }
                }
            }
        }
        NodeKind::Seq(_) => cx.error(Code::BadPrices, node.span, "a list of prices of no service", SHAPE),
        NodeKind::Map(services) => {
            for (service, lines) in services {
                read_lines(&service.text, lines, "given in the scenario", book, cx.diagnostics);
            }
        }
    }
}

/// Lays the prices in a service's own catalog file over `book`, if it has any; what is wrong is reported.
pub fn read_service(service: &Service, book: &mut PriceBook, diagnostics: &Diagnostics) {
    if let Some(lines) = service.section("prices") {
        let source = format!("the catalog file of {}", service.name);
        read_lines(&service.name, lines, &source, book, diagnostics);
    }
}

/// One service's lines.
fn read_lines(service: &str, lines: &Node, source: &str, book: &mut PriceBook, diagnostics: &Diagnostics) {
    let wrong = |span: Span, message: String| {
        diagnostics.push(Diagnostic::new(Code::BadPrices, span, message).help(SHAPE));
    };
    let NodeKind::Seq(items) = &lines.kind else {
        return wrong(lines.span, format!("the prices of `{service}` must be a list of lines"));
    };
    let mut read = Vec::new();
    for item in items {
        match serde_json::from_value::<RawLine>(plain(item)) {
            Ok(line) => read.push((line, item.span)),
            Err(error) => wrong(item.span, error.to_string()),
        }
    }
    // One line after the other, so that each problem is reported at its line.
    for (line, span) in read {
        let file = RawFile {
            book: RawHead {
                name: book.name.clone(),
                currency: book.currency.clone(),
                region: book.region.clone(),
                as_of: book.as_of.clone(),
                hours_per_month: Some(book.hours_per_month),
            },
            sources: BTreeMap::new(),
            machines: BTreeMap::new(),
            services: BTreeMap::from([(service.to_owned(), vec![line])]),
        };
        match compile(file, Some(source)) {
            Ok(own) => lay(own, book, span, diagnostics),
            Err(problems) => problems.into_iter().for_each(|problem| wrong(span, problem)),
        }
    }
}

/// Lays `own` over `book`, unless the two do not fit together.
fn lay(own: PriceBook, book: &mut PriceBook, span: Span, diagnostics: &Diagnostics) {
    let wrong = |message: String, help: &str| {
        diagnostics.push(Diagnostic::new(Code::BadPrices, span, message).help(help));
    };
    if own.currency != book.currency {
        let message = format!("prices in {} beside prices in {}", own.currency, book.currency);
        return wrong(message, "a bill has one currency: convert the prices");
    }
    let mut whole = book.clone();
    whole.extend(own);
    match whole.faults().first() {
        None => *book = whole,
        Some(fault) => wrong(fault.clone(), "replace all lines of a pool together"),
    }
}

/// A tree without its places. Scalars stay text: what they mean is the affair of their field.
fn plain(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Null => Value::Null,
        NodeKind::Scalar(text) => Value::String(text.clone()),
        NodeKind::Seq(items) => Value::Array(items.iter().map(plain).collect()),
        NodeKind::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| (key.text.clone(), plain(value)))
                .collect(),
        ),
    }
}
