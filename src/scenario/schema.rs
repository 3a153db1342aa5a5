//! What the field tables say, for people and for editors: `explain`, the reference in Markdown, and a JSON Schema.

use super::table::{Field, Kind, Presence, Range, Table};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Explains a field in a few lines; `None` if the table has no such field.
pub fn explain(table: &Table, field: &str) -> Option<String> {
    table.field(field).map(|f| explain_field(table, f))
}

fn explain_field(table: &Table, field: &Field) -> String {
    let mut text = format!("{}.{}: {}\n", table.name, field.name, field.doc);
    let _ = writeln!(
        text,
        "  value:   {}, such as `{}`",
        field.kind.describe(),
        field.example()
    );
    let _ = writeln!(text, "  default: {}", default_words(field));
    let range = range_words(field);
    if !range.is_empty() {
        let _ = writeln!(text, "  range:   {range}");
    }
    if !field.source.is_empty() {
        let _ = writeln!(text, "  source:  {}", field.source);
    }
    text
}

/// Explains a block: what it is for, and a line for each field.
pub fn explain_table(table: &Table) -> String {
    let mut text = format!("{}: {}\n", table.name, table.doc);
    let width = table.names().map(str::len).max().unwrap_or(0);
    for field in table.fields {
        let mark = if field.default == Presence::Required { "*" } else { " " };
        let _ = writeln!(text, "  {mark} {:width$}  {}", field.name, field.doc);
    }
    text.push_str("  (* required)\n");
    text
}

fn default_words(field: &Field) -> String {
    match field.default {
        Presence::Required => "none, it is required".to_owned(),
        Presence::Optional => "none".to_owned(),
        Presence::Default(text) => format!("`{text}`"),
    }
}

fn range_words(field: &Field) -> String {
    match (field.range, field.kind) {
        (Range::Any, Kind::Share) => Range::Within(0.0, 1.0).describe(&field.kind),
        (range, kind) => range.describe(&kind),
    }
}

/// Every table that a table leads to, itself first, each once.
pub fn tables_below(roots: &[&'static Table]) -> Vec<&'static Table> {
    fn kind(of: &Kind, list: &mut Vec<&'static Table>) {
        match of {
            Kind::Block(table) => visit(table, list),
            Kind::List(inner) | Kind::Map(inner) => kind(inner, list),
            Kind::Sampler => visit(&super::sampler::SAMPLER, list),
            _ => {}
        }
    }
    fn visit(table: &'static Table, list: &mut Vec<&'static Table>) {
        if !list.iter().any(|t| t.name == table.name) {
            list.push(table);
            table.fields.iter().for_each(|f| kind(&f.kind, list));
        }
    }
    let mut list = Vec::new();
    for table in roots {
        visit(table, &mut list);
    }
    list
}

/// The reference in Markdown: a section for each table.
pub fn reference(tables: &[&'static Table]) -> String {
    let mut text = String::new();
    for table in tables {
        let _ = write!(text, "## {}\n\n{}\n\n", table.name, table.doc);
        text.push_str("| field | value | default | range | meaning | source |\n|---|---|---|---|---|---|\n");
        for field in table.fields {
            let cells = [
                format!("`{}`", field.name),
                kind_cell(&field.kind),
                match field.default {
                    Presence::Required => "required".to_owned(),
                    Presence::Optional => String::new(),
                    Presence::Default(text) => format!("`{text}`"),
                },
                range_words(field),
                field.doc.to_owned(),
                field.source.to_owned(),
            ];
            let cells = cells.map(|c| c.replace('|', "\\|").replace('\n', " "));
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        text.push('\n');
    }
    text
}

/// The kind of a field with links to the tables it leads to.
fn kind_cell(kind: &Kind) -> String {
    let link = |table: &Table| format!("[{0}](#{1})", table.name, table.name.to_lowercase().replace(' ', "-"));
    match kind {
        Kind::Block(table) => link(table),
        Kind::List(of) => format!("list: {}", kind_cell(of)),
        Kind::Map(of) => format!("map: {}", kind_cell(of)),
        Kind::Sampler => format!("duration or {}", link(&super::sampler::SAMPLER)),
        other => other.describe(),
    }
}

/// A JSON Schema (draft 2020-12) of a scenario whose outermost block is `root`, for editors.
pub fn json_schema(root: &'static Table) -> Value {
    let mut definitions: BTreeMap<String, Value> = tables_below(&[root])
        .into_iter()
        .map(|table| (table.name.to_owned(), table_schema(table)))
        .collect();
    // Keys of one's own hold anchors.
    if let Some(Value::Object(outermost)) = definitions.get_mut(root.name) {
        outermost.insert("patternProperties".to_owned(), json!({ "^x-": {} }));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": root.name,
        "$ref": format!("#/$defs/{}", root.name),
        "$defs": definitions,
    })
}

fn table_schema(table: &Table) -> Value {
    let mut properties = Map::new();
    for field in table.fields {
        let mut schema = kind_schema(&field.kind);
        if let Value::Object(schema) = &mut schema {
            let mut doc = field.doc.to_owned();
            if let Presence::Default(text) = field.default {
                let _ = write!(doc, " Default: {text}.");
            }
            let range = range_words(field);
            if !range.is_empty() {
                let _ = write!(doc, " Range: {range}.");
            }
            schema.insert("description".to_owned(), json!(doc));
            schema.insert("examples".to_owned(), json!([field.example()]));
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let required = |f: &&Field| f.default == Presence::Required;
    let required: Vec<&str> = table.fields.iter().filter(required).map(|f| f.name).collect();
    json!({
        "type": ["object", "null"],
        "description": table.doc,
        "properties": properties,
        "required": required,
        "patternProperties": { format!("^{}", super::tree::Key::OWN): {} },
        "additionalProperties": false,
    })
}

fn kind_schema(kind: &Kind) -> Value {
    match kind {
        // A number without a unit is right only for zero, which YAML hands over as a number.
        Kind::Duration | Kind::Size | Kind::Rate | Kind::Money => json!({ "type": ["string", "number", "null"] }),
        Kind::Count | Kind::Number | Kind::Share => json!({ "type": ["number", "string", "null"] }),
        Kind::Flag => json!({ "type": ["boolean", "string", "null"] }),
        Kind::Text | Kind::Target(_) => json!({ "type": ["string", "number", "boolean", "null"] }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Sampler => json!({
            "anyOf": [
                { "type": ["string", "number", "null"] },
                { "$ref": format!("#/$defs/{}", super::sampler::SAMPLER.name) },
            ]
        }),
        Kind::List(of) => json!({ "anyOf": [{ "type": "array", "items": kind_schema(of) }, kind_schema(of)] }),
        Kind::Block(table) => json!({ "$ref": format!("#/$defs/{}", table.name) }),
        Kind::Map(of) => json!({ "type": ["object", "null"], "additionalProperties": kind_schema(of) }),
        Kind::Steps => json!({ "type": ["array", "object", "null"] }),
        Kind::Any => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::sampler::SAMPLER;

    static LEAF: Table = Table {
        name: "leaf",
        doc: "A leaf.",
        fields: &[Field::required("size", Kind::Size, "How large.").at_least(1024.0)],
    };
    static ROOT: Table = Table {
        name: "root",
        doc: "The root.",
        fields: &[
            Field::required("leaves", Kind::Map(&Kind::Block(&LEAF)), "Its leaves."),
            Field::default("wait", Kind::Duration, "3 s", "How long.")
                .within(0.0, 9e11)
                .source("a page"),
            Field::optional("mode", Kind::Choice(&["a", "b"]), "Which | way."),
            Field::optional("share", Kind::Share, "How much."),
            Field::optional("time", Kind::Sampler, "How long it takes."),
        ],
    };

    #[test]
    fn a_field_is_explained_with_all_that_is_known() {
        assert_eq!(
            explain(&ROOT, "wait").unwrap(),
            "root.wait: How long.\n  value:   a duration, such as `250 ms`\n  default: `3 s`\n  range:   from 0 to 15 \
            min\n  \
             source:  a page\n"
        );
        assert!(explain(&ROOT, "share").unwrap().contains("range:   from 0% to 100%"));
        assert!(explain(&ROOT, "nothing").is_none());
        assert!(explain_table(&ROOT).contains("* leaves  Its leaves.\n"));
    }

    #[test]
    fn the_reference_has_a_row_for_each_field() {
        let text = reference(&tables_below(&[&ROOT]));
        assert!(
            text.contains("| `size` | a size | required | at least 1 KB | How large. |  |"),
            "{text}"
        );
        assert!(text.contains("map: [leaf](#leaf)"));
        assert!(text.contains("Which \\| way."));
        assert_eq!(text.matches("\n## ").count() + 1, tables_below(&[&ROOT]).len());
    }

    #[test]
    fn the_schema_knows_every_table_and_forbids_other_keys() {
        let schema = json_schema(&ROOT);
        assert_eq!(schema["$ref"], "#/$defs/root");
        assert_eq!(schema["$defs"]["root"]["required"], json!(["leaves"]));
        assert_eq!(schema["$defs"]["root"]["additionalProperties"], json!(false));
        assert_eq!(schema["$defs"]["root"]["properties"]["mode"]["enum"], json!(["a", "b"]));
        let leaves = &schema["$defs"]["root"]["properties"]["leaves"];
        assert_eq!(leaves["additionalProperties"]["$ref"], "#/$defs/leaf");
        for table in tables_below(&[&ROOT, &SAMPLER]) {
            assert!(schema["$defs"][table.name].is_object(), "{}", table.name);
        }
    }
}
