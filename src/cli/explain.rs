//! `coldcurve explain`: what a field, a code, a metric or a service means.

use super::{BAD_INPUT, complain, say};
use crate::model::build::{INNER, ROOT};
use crate::run::{billing, expect, limits, load, metrics};
use crate::scenario::schema::{self, tables_below};
use crate::scenario::{CODES, Catalog, Diagnostics, Node, NodeKind, Service, Sources, Table, nearest};
use clap::ValueEnum;
use std::fmt::Write as _;
use std::path::Path;

/// What `--all` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Everything {
    /// Every field, as Markdown.
    Reference,
    /// A JSON Schema for editors.
    Schema,
}

/// All tables of fields.
fn tables() -> Vec<&'static Table> {
    let mut roots = vec![&ROOT, &billing::TABLE, &load::SWEEP, &expect::TABLE];
    roots.extend(INNER);
    tables_below(&roots)
}

/// Explains `word`, or lists what can be explained.
pub fn explain(word: Option<&str>, own: Option<&Path>, all: Option<Everything>) -> Result<u8, String> {
    match (all, word) {
        (Some(Everything::Reference), _) => say(&schema::reference(&tables())),
        (Some(Everything::Schema), _) => {
            let text = serde_json::to_string_pretty(&schema::json_schema(&ROOT)).map_err(|error| error.to_string())?;
            say(&format!("{text}\n"));
        }
        (None, None) => say(&list(&catalog(own))),
        (None, Some(word)) => {
            if let Some(text) = find(word, &catalog(own)) {
                say(&text);
            } else {
                let words = words(&catalog(own));
                let help = nearest(word, words.iter().map(String::as_str));
                let help = help.map_or("`coldcurve explain` lists the words".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                complain(&format!("error: nothing is called `{word}`; {help}"));
                return Ok(BAD_INPUT);
            }
        }
    }
    Ok(0)
}

/// The embedded services, and those in a folder of one's own; what is wrong with those is the affair of `check`.
fn catalog(own: Option<&Path>) -> Catalog {
    Catalog::load(own, &mut Sources::new(), &Diagnostics::new())
}

fn words(catalog: &Catalog) -> Vec<String> {
    let mut words: Vec<String> = CODES.iter().map(|code| code.0.to_owned()).collect();
    words.extend(catalog.services().iter().map(|service| service.name.clone()));
    words.extend(
        metrics::METRICS
            .iter()
            .map(|metric| metric.1.trim_end_matches(".*").to_owned()),
    );
    for table in tables() {
        words.push(table.name.to_owned());
        words.extend(table.fields.iter().map(|field| field.name.to_owned()));
    }
    words
}

fn list(catalog: &Catalog) -> String {
    let mut text = String::from("Blocks (and their fields: `coldcurve explain memory`):\n");
    for table in tables() {
        let _ = writeln!(
            text,
            "  {:<28} {}",
            table.name,
            table.doc.split(". ").next().unwrap_or_default()
        );
    }
    text.push_str(&services(catalog));
    text.push_str("Further: `coldcurve explain metrics`, `coldcurve explain limits`, `coldcurve explain codes`.\n");
    text
}

fn services(catalog: &Catalog) -> String {
    let mut text = String::from("Services:\n");
    for service in catalog.services() {
        let _ = writeln!(text, "  {:<28} {}", service.name, service.title);
    }
    text
}

fn codes() -> String {
    let mut text = String::from("Codes of errors (C) and warnings (W):\n");
    for (id, title, _) in CODES {
        let _ = writeln!(text, "  {id}  {title}");
    }
    text
}

fn find(word: &str, catalog: &Catalog) -> Option<String> {
    match word {
        "metrics" => return Some(metrics::list()),
        "limits" => return Some(limits::list()),
        "services" => return Some(services(catalog)),
        "codes" => return Some(codes()),
        _ => {}
    }
    if let Some((id, title, explanation)) = CODES.iter().find(|code| code.0.eq_ignore_ascii_case(word)) {
        return Some(format!("{id}: {title}\n\n{explanation}\n"));
    }
    if let Some(service) = catalog.get(word) {
        return Some(describe(service));
    }
    if let Some(table) = tables().into_iter().find(|table| table.name == word) {
        return Some(schema::explain_table(table));
    }
    if let Some(text) = metrics::explain(word).filter(|_| word.contains('.')) {
        return Some(text);
    }
    let (owner, field) = word.rsplit_once('.').unwrap_or(("", word));
    let owner = owner.split('.').next().unwrap_or("");
    // `functions.memory` is a field of the table "function".
    let of_owner = |table: &&Table| owner.is_empty() || owner.trim_end_matches('s') == table.name.trim_end_matches('s');
    let about = |tables: &mut dyn Iterator<Item = &'static Table>| -> Vec<String> {
        tables.filter_map(|table| schema::explain(table, field)).collect()
    };
    let mut found = about(&mut tables().into_iter().filter(of_owner));
    if found.is_empty() {
        found = about(&mut tables().into_iter());
    }
    found.extend(metrics::explain(word));
    found.extend(limits::explain(word));
    (!found.is_empty()).then(|| found.join("\n"))
}

fn describe(service: &Service) -> String {
    let mut text = format!("{}: {} (for `{}`)\n\n", service.name, service.title, service.kind);
    for default in service.defaults() {
        let _ = writeln!(text, "{}: {}", default.key.text, flow(default.value));
        let _ = writeln!(
            text,
            "    {} ({} confidence, {})",
            default.source, default.confidence, default.as_of
        );
    }
    text
}

/// A node on one line, as YAML would have it.
fn flow(node: &Node) -> String {
    match &node.kind {
        NodeKind::Null => "null".to_owned(),
        NodeKind::Scalar(text) => text.clone(),
        NodeKind::Seq(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        NodeKind::Map(entries) => {
            let entry = |(key, value): &(crate::scenario::Key, Node)| format!("{}: {}", key.text, flow(value));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
