//! `coldcurve explain`: what a field, a code, a metric or a service means.

use super::{BAD_INPUT, complain, say};
use crate::model::build::ROOT;
use crate::run::{billing, expect, load};
use crate::scenario::schema::{self, tables_below};
use crate::scenario::{CODES, Catalog, Diagnostics, Node, NodeKind, Service, Sources, Table, nearest};
use clap::ValueEnum;
use std::fmt::Write as _;

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
    tables_below(&[&ROOT, &billing::TABLE, &load::SWEEP, &expect::TABLE])
}

/// Explains `word`, or lists what can be explained.
pub fn explain(word: Option<&str>, all: Option<Everything>) -> Result<u8, String> {
    match (all, word) {
        (Some(Everything::Reference), _) => say(&schema::reference(&tables())),
        (Some(Everything::Schema), _) => {
            let text = serde_json::to_string_pretty(&schema::json_schema(&ROOT)).map_err(|error| error.to_string())?;
            say(&format!("{text}\n"));
        }
        (None, None) => say(&list()),
        (None, Some(word)) => match find(word) {
            Some(text) => say(&text),
            None => {
                let words = words();
                let help = nearest(word, words.iter().map(String::as_str));
                let help = help.map_or("`coldcurve explain` lists the words".to_owned(), |near| {
                    format!("did you mean `{near}`?")
                });
                complain(&format!("error: nothing is called `{word}`; {help}"));
                return Ok(BAD_INPUT);
            }
        },
    }
    Ok(0)
}

fn catalog() -> Catalog {
    Catalog::load(None, &mut Sources::new(), &Diagnostics::new())
}

fn words() -> Vec<String> {
    let mut words: Vec<String> = CODES.iter().map(|code| code.0.to_owned()).collect();
    words.extend(catalog().services().iter().map(|service| service.name.clone()));
    for table in tables() {
        words.push(table.name.to_owned());
        words.extend(table.fields.iter().map(|field| field.name.to_owned()));
    }
    words
}

fn list() -> String {
    let mut text = String::from("Blocks (and their fields: `coldcurve explain memory`):\n");
    for table in tables() {
        let _ = writeln!(
            text,
            "  {:<28} {}",
            table.name,
            table.doc.split(". ").next().unwrap_or_default()
        );
    }
    text.push_str("Services:\n");
    for service in catalog().services() {
        let _ = writeln!(text, "  {:<28} {}", service.name, service.title);
    }
    text.push_str("Codes of problems: C001 to C081, W001 on.\n");
    text
}

fn find(word: &str) -> Option<String> {
    if let Some((id, title, explanation)) = CODES.iter().find(|code| code.0.eq_ignore_ascii_case(word)) {
        return Some(format!("{id}: {title}\n\n{explanation}\n"));
    }
    if let Some(service) = catalog().get(word) {
        return Some(describe(service));
    }
    if let Some(table) = tables().into_iter().find(|table| table.name == word) {
        return Some(schema::explain_table(table));
    }
    let field = word.rsplit('.').next().unwrap_or(word);
    let about: Vec<String> = tables()
        .into_iter()
        .filter_map(|table| schema::explain(table, field))
        .collect();
    (!about.is_empty()).then(|| about.join("\n"))
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
