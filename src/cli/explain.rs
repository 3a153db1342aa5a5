//! `coldcurve explain`: what a field, a code, a metric or a service means.

use super::{BAD_INPUT, complain, say};
use crate::cost::PriceLine;
use crate::cost::book::{self, Provenance};
use crate::model::handler::read::MEANINGS as STEPS;
use crate::model::world::build::{INNER, ROOT};
use crate::run::{billing, expect, limits, load, metrics};
use crate::scenario::catalog::RETRY;
use crate::scenario::prices::built_in;
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
                complain(&format!(
                    "error: nothing is called `{word}`; {}",
                    help_for(word, &catalog(own))
                ));
                return Ok(BAD_INPUT);
            }
        }
    }
    Ok(0)
}

/// What the user may have meant: the services of a provider, or the nearest word.
fn help_for(word: &str, catalog: &Catalog) -> String {
    let below = format!("{}.", word.trim_end_matches('.'));
    let services: Vec<&str> = catalog.services().iter().map(|service| service.name.as_str()).collect();
    let services: Vec<&str> = services.into_iter().filter(|name| name.starts_with(&below)).collect();
    if !services.is_empty() {
        return format!("its services are {}", services.join(", "));
    }
    let words = words(catalog);
    // Of what is equally near, products come first: who writes `lamda` has no field in mind.
    let all: Vec<&str> = parts(catalog).chain(words.iter().map(String::as_str)).collect();
    // It compares with only so many at once.
    let nearest_of_each = all.chunks(400).filter_map(|some| nearest(word, some.iter().copied()));
    let near = nearest(word, nearest_of_each);
    near.map_or("`coldcurve explain` lists the words".to_owned(), |near| {
        format!("did you mean `{near}`?")
    })
}

/// The embedded services, and those in a folder of one's own; what is wrong with those is the affair of `check`.
fn catalog(own: Option<&Path>) -> Catalog {
    Catalog::load(own, &mut Sources::new(), &Diagnostics::new())
}

fn words(catalog: &Catalog) -> Vec<String> {
    let mut words: Vec<String> = CODES.iter().map(|code| code.0.to_owned()).collect();
    words.extend(catalog.services().iter().map(|service| service.name.clone()));
    words.extend(["metrics", "limits", "services", "codes", "region"].map(str::to_owned));
    words.extend(STEPS.iter().map(|step| step.0.to_owned()));
    words.extend(limits::names().map(str::to_owned));
    words.extend(metrics::all().map(|metric| metric.1.trim_end_matches(".*").to_owned()));
    for table in tables() {
        words.push(table.name.to_owned());
        words.extend(table.fields.iter().map(|field| field.name.to_owned()));
    }
    words.sort();
    words.dedup();
    words
}

/// What services are found by besides their names: `lambda` of `aws.lambda`.
fn parts(catalog: &Catalog) -> impl Iterator<Item = &str> {
    let names = catalog.services().iter().map(|service| service.name.as_str());
    names
        .filter_map(|name| name.split_once('.'))
        .flat_map(|name| name.1.split('.'))
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
    let (policies, services): (Vec<&Service>, _) = catalog.services().iter().partition(|s| s.kind == RETRY);
    let mut text = String::new();
    for (head, list) in [("Services", services), ("Retry policies", policies)] {
        let _ = writeln!(text, "{head}:");
        for service in list {
            let _ = writeln!(text, "  {:<28} {}", service.name, service.title);
        }
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
    // A word may have several meanings; the blocks with the most fields come first.
    let called = |table: &&Table| table.name == word || table.name.ends_with(&format!(" {word}"));
    let mut blocks: Vec<&Table> = tables().into_iter().filter(called).collect();
    blocks.sort_by_key(|table| std::cmp::Reverse(table.fields.len()));
    let mut meanings: Vec<String> = STEPS.iter().filter(|step| step.0 == word).map(step).collect();
    meanings.extend(blocks.into_iter().map(schema::explain_table));
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
    meanings.extend(found);
    if meanings.is_empty() {
        return by_part(word, catalog);
    }
    Some(meanings.join("\n"))
}

/// A step of a handler.
fn step((name, example, meaning): &(&str, &str, &str)) -> String {
    format!("{name} (step of a handler): {meaning}\n  such as `- {example}`\n")
}

/// The services that have a word in their names, such as `lambda`; the words about prices have no block either.
fn by_part(word: &str, catalog: &Catalog) -> Option<String> {
    let word = word.to_lowercase();
    if word == "region" {
        let book = built_in();
        return Some(format!(
            "A scenario has no region: the prices are those of {} ({}). Those of another one go under `prices`, and its \
             quotas under `accounts`.\n",
            book.region, book.as_of
        ));
    }
    let part = |service: &&Service| {
        service
            .name
            .split_once('.')
            .is_some_and(|(_, rest)| rest.split('.').any(|p| p == word))
    };
    let fitting: Vec<&Service> = catalog.services().iter().filter(part).collect();
    let first = fitting.iter().min_by_key(|service| service.name.len())?;
    let mut text = describe(first);
    for service in fitting.iter().filter(|service| service.name != first.name) {
        let _ = write!(text, "\nSee also {}: {}", service.name, service.title);
    }
    Some(text.trim_end().to_owned() + "\n")
}

fn describe(service: &Service) -> String {
    let mut text = format!("{}: {} (for `{}`)\n\n", service.name, service.title, service.kind);
    if let Some(summary) = service.section("summary").and_then(Node::scalar) {
        let _ = writeln!(text, "{summary}\n");
    }
    for default in service.defaults() {
        let _ = writeln!(text, "{}: {}", default.path, flow(default.value));
        let _ = writeln!(
            text,
            "    {} ({} confidence, {})",
            default.source, default.confidence, default.as_of
        );
    }
    text + &prices(service)
}

/// Prices that ask for this attribute are too many to list.
const BY_TYPE: &str = "instance_type";

/// What a service costs: by its own file, and by the price book that the binary carries.
fn prices(service: &Service) -> String {
    let mut text = String::new();
    let own = service.section("prices").map_or(&[] as &[Node], Node::items);
    for line in own {
        let _ = writeln!(text, "  {}", flow(line));
    }
    let book = built_in();
    let of_service = |of: &str| book::covers(of, &service.name);
    for fee in book.fees.iter().filter(|fee| of_service(&fee.service)) {
        let _ = write!(
            text,
            "  {}: ${} per month{}",
            fee.line,
            fee.price.exact(),
            conditions(&fee.when)
        );
        text.push_str(&known(&fee.provenance));
    }
    let (machines, lines): (Vec<&PriceLine>, Vec<&PriceLine>) = book
        .lines
        .iter()
        .filter(|line| of_service(&line.service))
        .partition(|line| line.when.contains_key(BY_TYPE));
    for line in lines {
        let tiers: Vec<String> = line.tiers.iter().map(|tier| tier.price.exact()).collect();
        let price = tiers.join(", then $");
        let _ = write!(
            text,
            "  {}: ${price} per {}{}",
            line.line,
            line.unit,
            conditions(&line.when)
        );
        text.push_str(&known(&line.provenance));
    }
    if !machines.is_empty() {
        let _ = writeln!(text, "  and {} prices by {BY_TYPE}", machines.len());
    }
    if text.is_empty() {
        return text;
    }
    if own.is_empty() {
        format!("\nPrices (list of {}):\n{text}", book.as_of)
    } else {
        format!("\nPrices:\n{text}")
    }
}

/// The attributes that a price asks for.
fn conditions(when: &std::collections::BTreeMap<String, String>) -> String {
    let words: Vec<String> = when.iter().map(|(key, value)| format!("{key} {value}")).collect();
    if words.is_empty() {
        return String::new();
    }
    format!(" ({})", words.join(", "))
}

fn known(provenance: &Provenance) -> String {
    let note = if provenance.note.is_empty() {
        String::new()
    } else {
        format!("{}; ", provenance.note)
    };
    let (source, confidence) = (&provenance.source, provenance.confidence.name());
    format!("\n    {note}{source} ({confidence} confidence, {})\n", provenance.as_of)
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
