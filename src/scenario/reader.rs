//! Typed values out of a tree, by a table of fields.
//!
//! A bad value is reported once and a harmless one returned in its place, so that reading goes on and all problems
//! come at once. Asking for a field that the table does not have, or as another kind than the table says, is a
//! programmer's error and panics.

use super::catalog::Catalog;
use super::data::Files;
use super::diagnostic::{Code, Diagnostic, Diagnostics, nearest, part_of};
use super::names::{Names, Target};
use super::parse::parse_part;
use super::sampler;
use super::table::{Field, Kind, Presence, Range, Table, list_words};
use super::tree::{Key, Node, NodeKind, Span, shorten};
use super::units::{self, Problem};
use crate::kernel::number::whole;
use crate::kernel::{Duration, Sampler};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What reading needs besides the tree.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where problems go.
    pub diagnostics: &'a Diagnostics,
    /// The components that fields can point to.
    pub names: &'a Names,
    /// Data files beside the scenario.
    pub files: &'a dyn Files,
    /// The presets that fields can name.
    pub catalog: &'a Catalog,
}

/// A block of the scenario, read through its table.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    cx: &'a Context<'a>,
    node: &'a Node,
    table: &'static Table,
    /// What problems of the block as a whole point at: the key in front of it, if it has one.
    place: Span,
}

impl<'a> Block<'a> {
    /// Reads a node as a block: reports unknown keys, missing required ones and what is not a map.
    pub fn new(cx: &'a Context<'a>, node: &'a Node, table: &'static Table) -> Self {
        Self::at(cx, node.span, "", node, table)
    }

    /// The same for the value of a key: problems of the block as a whole point at the key.
    pub fn keyed(cx: &'a Context<'a>, key: &Key, node: &'a Node, table: &'static Table) -> Self {
        Self::at(cx, key.span, &key.text, node, table)
    }

    fn at(cx: &'a Context<'a>, place: Span, name: &str, node: &'a Node, table: &'static Table) -> Self {
        let block = Self { cx, node, table, place };
        match &node.kind {
            NodeKind::Map(entries) => {
                for (key, _) in entries
                    .iter()
                    .filter(|(k, _)| !k.is_own() && table.field(&k.text).is_none())
                {
                    block.unknown(key);
                }
                block.missing(name);
                block.check_written();
            }
            NodeKind::Null => block.missing(name),
            _ => {
                let message = format!("expected a map ({}), found {}", table.name, node.describe());
                let fields: Vec<&str> = table.names().take(8).collect();
                let help = match table.field(name) {
                    // The key of a component that is called like one of its fields.
                    Some(_) => format!("indent `{name}` further if it belongs to what stands above it"),
                    None => format!("write `key: value` lines; keys are {}", fields.join(", ")),
                };
                cx.report(Diagnostic::new(Code::WrongShape, node.span, message).help(help));
            }
        }
        block
    }

    /// Reports values of fields that nobody may ask for: a package type without a runtime, for example.
    fn check_written(&self) {
        for field in self.table.fields.iter().filter(|field| field.kind.is_plain()) {
            if let Some(node) = self.node(field.name) {
                read_kind(self.cx, node, &field.kind, field.range);
            }
        }
    }

    /// Whether it has keys that its table does not know (they have been reported).
    pub fn has_strange_keys(&self) -> bool {
        self.node
            .entries()
            .iter()
            .any(|(key, _)| !key.is_own() && self.table.field(&key.text).is_none())
    }

    fn unknown(&self, key: &Key) {
        let message = format!("`{}` is not a field of {}", key.text, self.table.called());
        let problem = Diagnostic::new(Code::UnknownKey, key.span, message);
        let near = nearest(&key.text, self.table.names());
        self.cx
            .report(match near.or_else(|| part_of(&key.text, self.table.names())) {
                Some(near) => problem.help(format!("did you mean `{near}`?")).suggest(key.span, near),
                None => problem.help(format!(
                    "fields are {}",
                    list_words(&self.table.names().collect::<Vec<_>>())
                )),
            });
    }

    fn missing(&self, name: &str) {
        let absent = |f: &&Field| f.default == Presence::Required && !self.has(f.name);
        for field in self.table.fields.iter().filter(absent) {
            let whose = if name.is_empty() { self.table.name } else { name };
            let message = format!("`{whose}` lacks `{}`", field.name);
            let help = format!("add `{}: {}` ({})", field.name, field.example(), field.doc);
            self.cx
                .report(Diagnostic::new(Code::MissingKey, self.place, message).help(help));
        }
    }

    /// What this block is read with.
    pub fn context(&self) -> &'a Context<'a> {
        self.cx
    }

    /// The tree below this block.
    pub fn whole(&self) -> &'a Node {
        self.node
    }

    /// Where the block is: its key if it has one, else the block itself.
    pub fn span(&self) -> Span {
        self.place
    }

    /// Where the value of a field is; the block if the field is not written.
    pub fn span_of(&self, field: &str) -> Span {
        self.node(field).map_or(self.place, |n| n.span)
    }

    /// Whether the field is written and not null.
    pub fn has(&self, field: &str) -> bool {
        self.node(field).is_some()
    }

    /// The value of a field as it is written; `None` if it is absent or null. Defaults do not show here.
    pub fn node(&self, field: &str) -> Option<&'a Node> {
        self.field(field);
        self.node.get(field).filter(|n| !n.is_null())
    }

    fn field(&self, name: &str) -> &'static Field {
        let field = self.table.field(name);
        field.unwrap_or_else(|| panic!("the table {} has no field {name}", self.table.name))
    }

    /// The written value, else the default.
    fn value(&self, field: &'static Field) -> Option<&'a Node> {
        match field.default {
            Presence::Default(text) => Some(self.node(field.name).unwrap_or_else(|| default_node(text))),
            _ => self.node(field.name),
        }
    }

    /// Reads a field that has a value or a default.
    fn read<T>(
        &self,
        name: &str,
        kinds: fn(&Kind) -> bool,
        read: impl Fn(&'static Field, &'a Node) -> Option<T>,
    ) -> Option<T> {
        let field = self.field(name);
        assert!(
            kinds(&field.kind),
            "{}.{name} is {}",
            self.table.name,
            field.kind.describe()
        );
        self.value(field).and_then(|node| read(field, node))
    }

    /// Panics for a field that may be absent: it needs the getter that says so.
    fn certain(&self, name: &str) -> &'static Field {
        let field = self.field(name);
        let certain = field.default != Presence::Optional;
        assert!(
            certain,
            "{}.{name} is optional: use the getter that ends in _opt",
            self.table.name
        );
        field
    }

    /// Reports an error; an empty help says nothing.
    pub fn error(&self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.cx.report(Diagnostic::new(code, span, message).help(help));
    }

    /// Reports a warning; an empty help says nothing.
    pub fn warn(&self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.cx.report(Diagnostic::new(code, span, message).help(help));
    }
}

macro_rules! getters {
    ($($what:literal $kind:ident $get:ident $get_opt:ident $type:ty, $read:ident, |$v:ident| $harmless:expr;)*) => {
        impl Block<'_> {
            $(
                #[doc = concat!("The ", $what, " of a required field or one with a default.")]
                pub fn $get(&self, field: &str) -> $type {
                    let range = self.certain(field).range;
                    self.$get_opt(field).unwrap_or_else(|| {
                        let $v = range.harmless();
                        $harmless
                    })
                }

                #[doc = concat!("The ", $what, " of a field, if it is written or has a default.")]
                pub fn $get_opt(&self, field: &str) -> Option<$type> {
                    self.read(field, |k| matches!(k, Kind::$kind), |f, n| Some($read(self.cx, n, f.range)))
                }
            )*
        }
    };
}

getters! {
    "duration" Duration duration duration_opt Duration, read_duration, |v| Duration::from_nanos_f64(v);
    "size in bytes" Size size size_opt u64, read_size, |v| whole(v);
    "rate per second" Rate rate rate_opt f64, read_rate, |v| v;
    "whole number" Count count count_opt u64, read_count, |v| whole(v);
    "number" Number number number_opt f64, read_number, |v| v;
    "share of one" Share share share_opt f64, read_share, |v| v;
    "amount in US dollars" Money money money_opt f64, read_money, |v| v;
}

impl<'a> Block<'a> {
    /// The flag of a required field or one with a default.
    pub fn flag(&self, field: &str) -> bool {
        self.certain(field);
        self.flag_opt(field).unwrap_or(false)
    }

    /// The flag of a field, if it is written or has a default.
    pub fn flag_opt(&self, field: &str) -> Option<bool> {
        self.read(field, |k| matches!(k, Kind::Flag), |_, n| Some(read_flag(self.cx, n)))
    }

    /// The text of a required field or one with a default.
    pub fn text(&self, field: &str) -> &'a str {
        self.certain(field);
        self.text_opt(field).unwrap_or("")
    }

    /// The text of a field, if it is written or has a default.
    pub fn text_opt(&self, field: &str) -> Option<&'a str> {
        self.read(field, |k| matches!(k, Kind::Text), |_, n| read_text(self.cx, n))
    }

    /// The index of the chosen word of a required field or one with a default.
    pub fn choice(&self, field: &str) -> usize {
        self.certain(field);
        self.choice_opt(field).unwrap_or(0)
    }

    /// The index of the chosen word, if the field is written or has a default.
    pub fn choice_opt(&self, field: &str) -> Option<usize> {
        let read = |f: &Field, n| match f.kind {
            Kind::Choice(words) => Some(read_choice(self.cx, n, words)),
            _ => None,
        };
        self.read(field, |k| matches!(k, Kind::Choice(_)), read)
    }

    /// The distribution (in nanoseconds) of a required field or one with a default.
    pub fn sampler(&self, field: &str) -> Sampler {
        let range = self.certain(field).range;
        self.sampler_opt(field).unwrap_or(Sampler::Constant(range.harmless()))
    }

    /// The distribution (in nanoseconds) of a field, if it is written or has a default.
    pub fn sampler_opt(&self, field: &str) -> Option<Sampler> {
        self.read(
            field,
            |k| matches!(k, Kind::Sampler),
            |f, n| Some(read_sampler_in(self.cx, n, f.range)),
        )
    }

    /// The component that a required field points to; `None` after reporting why there is none.
    pub fn target(&self, field: &str) -> Option<Target> {
        self.certain(field);
        self.target_opt(field)
    }

    /// The component that a field points to, if it is written; `None`, too, after reporting a bad name.
    pub fn target_opt(&self, field: &str) -> Option<Target> {
        let read = |f: &Field, n| match f.kind {
            Kind::Target(kinds) => read_target(self.cx, n, kinds),
            _ => None,
        };
        self.read(field, |k| matches!(k, Kind::Target(_)), read)
    }

    /// The block of a field, if it is written or has a default.
    pub fn block(&self, field: &str) -> Option<Block<'a>> {
        let read = |f: &Field, n| match f.kind {
            Kind::Block(table) => Some(match self.node.entry(f.name) {
                Some((key, value)) if !value.is_null() => Block::keyed(self.cx, key, n, table),
                _ => Block::new(self.cx, n, table),
            }),
            _ => None,
        };
        self.read(field, |k| matches!(k, Kind::Block(_)), read)
    }

    /// The items of a list or of steps. A single value counts as a list of one; absent and null are empty.
    pub fn list(&self, field: &str) -> &'a [Node] {
        let read = |_: &_, n: &'a Node| Some(n.items());
        self.read(field, |k| matches!(k, Kind::List(_) | Kind::Steps | Kind::Any), read)
            .unwrap_or(&[])
    }

    /// The entries of a map with free keys; absent and null are empty.
    pub fn entries(&self, field: &str) -> &'a [(Key, Node)] {
        let read = |_: &_, n: &'a Node| Some(read_entries(self.cx, n));
        self.read(field, |k| matches!(k, Kind::Map(_) | Kind::Any), read)
            .unwrap_or(&[])
    }
}

impl Context<'_> {
    /// Reports a problem.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a warning; an empty help says nothing.
    pub fn warn(&self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.report(Diagnostic::new(code, span, message).help(help));
    }

    /// Reports an error; an empty help says nothing.
    pub fn error(&self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.report(Diagnostic::new(code, span, message).help(help));
    }

    fn problem(&self, span: Span, problem: Problem) {
        let diagnostic = Diagnostic::new(problem.code, span, problem.message).help(problem.help);
        self.report(match problem.suggestion {
            Some(text) => diagnostic.suggest(span, text),
            None => diagnostic,
        });
    }

    /// Reads a scalar with one of the parsers of [`units`]; `None` after reporting.
    fn quantity<T>(&self, node: &Node, kind: &Kind, parse: fn(&str) -> Result<T, Problem>) -> Option<T> {
        match node.scalar().map(parse) {
            Some(Ok(value)) => Some(value),
            Some(Err(problem)) => {
                self.problem(node.span, problem);
                None
            }
            None => {
                let message = format!("expected {}, found {}", kind.describe(), node.describe());
                let help = format!("such as `{}`", kind.example());
                self.error(Code::WrongShape, node.span, message, help);
                None
            }
        }
    }

    /// Checks a value in its base unit against a range.
    fn check(&self, node: &Node, kind: &Kind, range: Range, value: f64) -> bool {
        let within = range.contains(value);
        if !within {
            let text = shorten(node.scalar().unwrap_or_default());
            let message = format!("`{text}` is out of range");
            let help = format!("it has to be {}", range.describe(kind));
            self.error(Code::OutOfRange, node.span, message, help);
        }
        within
    }
}

macro_rules! readers {
    ($(
        $what:literal $name:ident $kind:ident $parse:ident $type:ty, |$v:ident| $base:expr, |$h:ident| $back:expr;
    )*) => {
        $(
            #[doc = concat!("Reads a node as ", $what, " within a range; reports what is wrong.")]
            pub fn $name(cx: &Context, node: &Node, range: Range) -> $type {
                let read = cx.quantity(node, &Kind::$kind, units::$parse);
                read.filter(|&$v| cx.check(node, &Kind::$kind, range, $base)).unwrap_or_else(|| {
                    let $h = range.harmless();
                    $back
                })
            }
        )*
    };
}

readers! {
    "a duration" read_duration Duration parse_duration Duration, |v| v.0 as f64, |h| Duration::from_nanos_f64(h);
    "a size in bytes" read_size Size parse_size u64, |v| v as f64, |h| whole(h);
    "a rate per second" read_rate Rate parse_rate f64, |v| v, |h| h;
    "a whole number" read_count Count parse_count u64, |v| v as f64, |h| whole(h);
    "a number" read_number Number parse_number f64, |v| v, |h| h;
    "an amount in US dollars" read_money Money parse_money f64, |v| v, |h| h;
}

/// Reads a node as a share of one, within 0 and 1 unless the range says otherwise; reports what is wrong.
pub fn read_share(cx: &Context, node: &Node, range: Range) -> f64 {
    let range = if range == Range::Any {
        Range::Within(0.0, 1.0)
    } else {
        range
    };
    let read = cx.quantity(node, &Kind::Share, units::parse_share);
    read.filter(|&v| cx.check(node, &Kind::Share, range, v))
        .unwrap_or(range.harmless())
}

/// Reads a node as a flag; reports what is wrong and takes it for false.
pub fn read_flag(cx: &Context, node: &Node) -> bool {
    cx.quantity(node, &Kind::Flag, units::parse_flag).unwrap_or(false)
}

/// Reads a node as a text; reports what is not one.
pub fn read_text<'n>(cx: &Context, node: &'n Node) -> Option<&'n str> {
    cx.quantity(node, &Kind::Text, |_| Ok(()))?;
    node.scalar()
}

/// Reads a node as one of a few words and returns its index; reports what is none and takes it for the first.
pub fn read_choice(cx: &Context, node: &Node, words: &'static [&'static str]) -> usize {
    let Some(text) = read_text(cx, node) else { return 0 };
    words.iter().position(|w| *w == text).unwrap_or_else(|| {
        let message = format!("`{}` is not one of the choices", shorten(text));
        let problem =
            Diagnostic::new(Code::UnknownChoice, node.span, message).help(format!("write {}", list_words(words)));
        cx.report(match nearest(text, words.iter().copied()) {
            Some(near) => problem.suggest(node.span, near),
            None => problem,
        });
        0
    })
}

/// Reads a node as the name of a component of one of `kinds`; `None` after reporting.
pub fn read_target(cx: &Context, node: &Node, kinds: &[&str]) -> Option<Target> {
    let name = read_text(cx, node)?;
    cx.names
        .resolve(name, node.span, kinds)
        .map_err(|problem| cx.report(*problem))
        .ok()
}

/// Reads a node as a distribution of durations (in nanoseconds); reports what is wrong.
pub fn read_sampler(cx: &Context, node: &Node) -> Sampler {
    read_sampler_in(cx, node, Range::Any)
}

/// The same with a range for what is a plain duration.
fn read_sampler_in(cx: &Context, node: &Node, range: Range) -> Sampler {
    sampler::read(cx, node, range).unwrap_or(Sampler::Constant(range.harmless()))
}

/// The entries of a map with free keys; reports what is no map. Null is empty.
pub fn read_entries<'n>(cx: &Context, node: &'n Node) -> &'n [(Key, Node)] {
    if !matches!(node.kind, NodeKind::Map(_) | NodeKind::Null) {
        let message = format!("expected a map, found {}", node.describe());
        cx.error(Code::WrongShape, node.span, message, "write `name: value` lines");
    }
    node.entries()
}

/// The one entry of a map such as the step `- cpu: 12 ms`; reports anything else.
pub fn single_key<'n>(cx: &Context, node: &'n Node) -> Option<(&'n Key, &'n Node)> {
    match node.entries() {
        [(key, value)] => Some((key, value)),
        entries => {
            let (message, span) = match entries.get(1) {
                Some((key, _)) => ("this has more than one key".to_owned(), key.span),
                None => (
                    format!("expected a map with one key, found {}", node.describe()),
                    node.span,
                ),
            };
            let problem = Diagnostic::new(Code::NotOneKey, span, message);
            // `- cpu 5 ms` and `- cpu:5 ms` are texts.
            let halves = node.scalar().and_then(|text| text.split_once([' ', ':']));
            cx.report(
                match halves.map(|(key, value)| (key.trim(), value.trim_start_matches([' ', ':']))) {
                    Some((key, value)) if !key.is_empty() && !value.is_empty() && !value.contains('\n') => problem
                        .help("a key needs a `:` and a space after it")
                        .suggest(node.span, format!("{key}: {value}")),
                    _ => problem.help("write one `- key: value` for each"),
                },
            );
            None
        }
    }
}

/// Checks a table and all that it leads to, for the tests of whoever writes one: every default has to be readable,
/// within its range and of the right kind; names have to be unique; every field needs a meaning.
pub fn check_table(table: &'static Table) -> Vec<String> {
    let mut wrong = Vec::new();
    for table in super::schema::tables_below(&[table]) {
        for (i, field) in table.fields.iter().enumerate() {
            let place = format!("{}.{}", table.name, field.name);
            if table.fields[..i].iter().any(|f| f.name == field.name) {
                wrong.push(format!("{place} is there twice"));
            }
            if !field.doc.ends_with('.') {
                wrong.push(format!("{place} needs a sentence of meaning"));
            }
            if let Presence::Default(text) = field.default {
                let problems = check_default(field, text).into_iter();
                wrong.extend(problems.map(|problem| format!("{place}: {problem}")));
            }
        }
    }
    wrong
}

/// What is wrong with the default of a field. Names of components cannot be checked without a scenario.
fn check_default(field: &'static Field, text: &'static str) -> Vec<String> {
    let (diagnostics, names) = (Diagnostics::new(), Names::default());
    let cx = Context {
        diagnostics: &diagnostics,
        names: &names,
        files: &super::data::NoFiles,
        catalog: &Catalog::default(),
    };
    read_kind(&cx, default_node(text), &field.kind, field.range);
    diagnostics.sorted().into_iter().map(|d| d.message).collect()
}

/// Reads a node as a kind, for the problems that this reports. Targets, steps and free values are left out.
fn read_kind(cx: &Context, node: &Node, kind: &Kind, range: Range) {
    match kind {
        Kind::Duration => _ = read_duration(cx, node, range),
        Kind::Size => _ = read_size(cx, node, range),
        Kind::Rate => _ = read_rate(cx, node, range),
        Kind::Count => _ = read_count(cx, node, range),
        Kind::Number => _ = read_number(cx, node, range),
        Kind::Share => _ = read_share(cx, node, range),
        Kind::Money => _ = read_money(cx, node, range),
        Kind::Flag => _ = read_flag(cx, node),
        Kind::Text => _ = read_text(cx, node),
        Kind::Choice(words) => _ = read_choice(cx, node, words),
        Kind::Sampler => _ = read_sampler_in(cx, node, range),
        Kind::List(of) => node.items().iter().for_each(|n| read_kind(cx, n, of, range)),
        Kind::Map(of) => read_entries(cx, node)
            .iter()
            .for_each(|e| read_kind(cx, &e.1, of, range)),
        Kind::Block(table) => {
            let block = Block::new(cx, node, table);
            let fields = table.fields.iter().filter_map(|f| Some((f, block.node(f.name)?)));
            fields.for_each(|(f, n)| read_kind(cx, n, &f.kind, f.range));
        }
        Kind::Target(_) | Kind::Steps | Kind::Any => {}
    }
}

/// The tree of a default. Defaults come from tables in the program, so the number of trees kept is bounded, and they
/// live as long as the program does, like the tables themselves.
fn default_node(text: &'static str) -> &'static Node {
    static TREES: Mutex<BTreeMap<&'static str, &'static Node>> = Mutex::new(BTreeMap::new());
    let mut trees = TREES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    trees.entry(text).or_insert_with(|| {
        let diagnostics = Diagnostics::new();
        let node = parse_part(text, Span::NOWHERE.file, 0, &diagnostics);
        let node = node.unwrap_or_else(|| panic!("the default `{text}` is not valid YAML"));
        Box::leak(Box::new(node))
    })
}

#[cfg(test)]
mod tests;
