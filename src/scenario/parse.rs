//! Parser events to the spanned tree: anchors, merge keys, duplicate keys and budgets.
//!
//! The events come from the parser below serde-saphyr; walking them here instead of through serde keeps the text of
//! scalars as written, gives maps and lists their whole range and reports every duplicate key with both places.

use super::diagnostic::{Code, Diagnostic, Diagnostics, floor_boundary};
use super::tree::{Key, MAX_DEPTH, Node, NodeKind, Sources, Span};
use serde_saphyr::granit_parser::{
    ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span as Place, StrInput, Tag,
};
use std::collections::BTreeMap;

/// The most maps, lists and scalars in one text, aliases expanded.
const MAX_NODES: usize = 250_000;

/// Reads one of the sources. `None` after a problem that leaves nothing to go on with; the diagnostics say what it was.
pub fn parse(sources: &Sources, file: u32, diagnostics: &Diagnostics) -> Option<Node> {
    let text = sources.text(file);
    let root = parse_part(text, file, 0, diagnostics)?;
    if root.is_null() {
        let message = "this file is empty";
        let problem = Diagnostic::new(Code::EmptyFile, Span { file, start: 0, end: 0 }, message);
        diagnostics.push(problem.help("`coldcurve new FILE` writes a scenario to start from"));
        return None;
    }
    Some(root)
}

/// Reads a text that sits at byte `offset` of a source, such as the value in `--set path=value`. An empty text is null.
pub fn parse_part(text: &str, file: u32, offset: usize, diagnostics: &Diagnostics) -> Option<Node> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.emit_unresolved_aliases = true;
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, options),
        text,
        file,
        offset,
        diagnostics,
        anchors: BTreeMap::new(),
        lost_alias: None,
        nodes: 0,
    };
    builder.document()
}

/// A diagnostic has been pushed and there is no going on.
struct Stop;

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    file: u32,
    offset: usize,
    diagnostics: &'t Diagnostics,
    anchors: BTreeMap<usize, Node>,
    /// Where the last alias without an anchor was reported.
    lost_alias: Option<usize>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Option<Node> {
        let mut root = None;
        loop {
            let Ok((event, span)) = self.next() else {
                return None;
            };
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event if root.is_none() => match self.node(event, span, 0) {
                    Ok(node) => root = Some(node),
                    Err(Stop) => return None,
                },
                _ => {
                    let message = "a second document starts here; one file holds one document";
                    self.problem(Code::Syntax, span, message, "remove the `---` or split the file");
                    return None;
                }
            }
        }
        Some(root.unwrap_or(Node {
            span: self.place(0, 0),
            kind: NodeKind::Null,
        }))
    }

    fn place(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: start + self.offset,
            end: end + self.offset,
        }
    }

    fn span(&self, place: &Place) -> Span {
        let range = place.byte_range().unwrap_or(0..0);
        let start = range.start.min(self.text.len());
        // The parser ends block collections and block scalars where the next token starts; what is white is left out.
        let inside = self.text.get(start..range.end.min(self.text.len())).unwrap_or("");
        self.place(start, start + inside.trim_end().len())
    }

    fn problem(&self, code: Code, span: Span, message: &str, help: &str) {
        self.diagnostics.push(Diagnostic::new(code, span, message).help(help));
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, place))) => {
                let span = self.span(&place);
                Ok((event, span))
            }
            Some(Err(error)) => {
                self.syntax(&error);
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, self.place(self.text.len(), self.text.len()))),
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
            let _ = self.count(0, usize::MAX, self.place(at, at));
            return;
        }
        let before = &self.text[..floor_boundary(self.text, at)];
        // A text that was meant by `*words like these` has been reported as an alias.
        if self
            .lost_alias
            .is_some_and(|alias| at_line(self.text, alias).contains(&at))
        {
            return;
        }
        let mut lines = before.rsplit('\n');
        let (line, previous) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        // `a:5` is a word, not a key and a value; the parser only stumbles in the next line.
        let glued = previous
            .split_once(':')
            .is_some_and(|(_, v)| v.starts_with(|c: char| c.is_alphanumeric()));
        let indent = |line: &str| line.len() - line.trim_start().len();
        let deeper = line.trim().len() < line.len() && indent(line) > indent(previous);
        let whole = &self.text[at_line(self.text, before.len())];
        let help = if let Some(tab) = tab_near(self.text, before.len()) {
            let message = "this is not valid YAML: a tab in the indentation";
            self.problem(Code::Syntax, self.place(tab, tab + 1), message, "indent with spaces");
            return;
        } else if line.contains('\t') {
            "indent with spaces; YAML does not allow tabs there"
        } else if self.text[at..].starts_with(NEED_QUOTES) || unquoted(whole) && !error.info().contains("flow") {
            "put the value in quotes: without them, `: ` within it and `*`, `&`, `%`, `@` at its start mean something else"
        } else if error.info().contains("flow mapping") || error.info().contains("flow sequence") {
            "a `{` or `[` above is not closed, or a comma is missing"
        } else if error.info().contains("quoted") {
            "a quote above is not closed"
        } else if deeper && previous.contains(": ") {
            "this line is indented further than the line above, which has a value already"
        } else if glued && !previous.contains(": ") {
            "the line above lacks a space after its `:`"
        } else {
            "check the indentation, the `:` after each key, and that quotes and brackets are closed"
        };
        let span = self.place(at, at);
        self.problem(
            Code::Syntax,
            span,
            &format!("this is not valid YAML: {}", error.info()),
            help,
        );
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Stop> {
        self.count(1, depth, span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                let forced = tag.as_ref().is_some_and(|t| t.is_yaml_core_schema_tag("str"));
                let null = matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let kind = if null && style == ScalarStyle::Plain && !forced {
                    NodeKind::Null
                } else {
                    NodeKind::Scalar(text.into_owned())
                };
                (Node { span, kind }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                (self.sequence(span, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), span);
                (self.mapping(span, depth)?, anchor)
            }
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    self.problem(
                        Code::Syntax,
                        span,
                        "this alias is inside what it stands for",
                        "remove it",
                    );
                    return Err(Stop);
                };
                let (size, height) = measure(&node);
                self.count(size, depth + height, span)?;
                (node, 0)
            }
            Event::UnresolvedAlias(name) => {
                self.lost_alias = Some(span.start - self.offset);
                let message = format!("there is no anchor `&{name}` above this alias");
                self.problem(
                    Code::Syntax,
                    span,
                    &message,
                    "quote the text if it is not meant as an alias",
                );
                (
                    Node {
                        span,
                        kind: NodeKind::Null,
                    },
                    0,
                )
            }
            _ => {
                self.problem(Code::Syntax, span, "a value was expected here", "write one, or `null`");
                return Err(Stop);
            }
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, depth: usize, span: Span) -> Result<(), Stop> {
        self.nodes += nodes;
        if depth > MAX_DEPTH {
            let message = format!("maps and lists are nested more than {MAX_DEPTH} deep");
            self.problem(
                Code::TooMuch,
                span,
                &message,
                "no scenario needs that: is a bracket not closed?",
            );
        } else if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, aliases expanded");
            self.problem(Code::TooMuch, span, &message, "put measured values into a CSV file");
        } else {
            return Ok(());
        }
        Err(Stop)
    }

    fn check_tag(&self, tag: Option<&Tag>, span: Span) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
            && !tag.original().is_empty()
            && tag.original() != "!"
        {
            let message = format!("the tag `{}` means nothing here", tag.original());
            self.problem(Code::Syntax, span, &message, "remove it");
        }
    }

    fn sequence(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let end = items.last().map_or(start, |n: &Node| n.span);
                return Ok(Node {
                    span: start.to(end).to(span),
                    kind: NodeKind::Seq(items),
                });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let end = entries.last().map_or(start, |e| e.1.span);
                merge_into(&mut entries, &merges);
                return Ok(Node {
                    span: start.to(end).to(span),
                    kind: NodeKind::Map(entries),
                });
            }
            let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let text = match key.kind {
                NodeKind::Scalar(text) => text,
                NodeKind::Null if key.span.end > key.span.start => "null".to_owned(),
                _ => {
                    self.problem(Code::Syntax, key.span, "a key has to be a word", "write `key: value`");
                    continue;
                }
            };
            let key = Key { text, span: key.span };
            if plain && key.text == "<<" {
                self.collect_merge(value, &mut merges);
            } else if let Some(&first) = places.get(&key.text) {
                let message = format!("the key `{}` appears twice in this map", key.text);
                self.diagnostics.push(
                    Diagnostic::new(Code::DuplicateKey, key.span, message)
                        .label("again here")
                        .also(entries[first].0.span, "first here")
                        .help("remove or rename one of them"),
                );
            } else {
                places.insert(key.text.clone(), entries.len());
                entries.push((key, value));
            }
        }
    }

    fn collect_merge(&self, value: Node, merges: &mut Vec<Node>) {
        match value.kind {
            NodeKind::Map(_) => merges.push(value),
            NodeKind::Seq(items) => items.into_iter().for_each(|item| self.collect_merge(item, merges)),
            // An alias without an anchor has been reported.
            NodeKind::Null => {}
            NodeKind::Scalar(_) => self.problem(
                Code::Syntax,
                value.span,
                "`<<` merges maps; this is none",
                "write `<<: *anchor`",
            ),
        }
    }
}

/// The whole line around a byte.
fn at_line(text: &str, at: usize) -> std::ops::Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    start..text[at..].find('\n').map_or(text.len(), |end| at + end)
}

/// The first tab in the indentation of the line around a byte, the one above or the one below: the parser stumbles
/// over tabs wherever it notices them.
fn tab_near(text: &str, at: usize) -> Option<usize> {
    let here = at_line(text, at);
    let above = at_line(text, here.start.saturating_sub(1));
    let below = at_line(text, (here.end + 1).min(text.len()));
    [above, here, below].into_iter().find_map(|line| {
        let written = &text[line.clone()];
        let indentation = &written[..written.len() - written.trim_start().len()];
        indentation.find('\t').map(|tab| line.start + tab)
    })
}

/// A value that begins with one of these needs quotes.
const NEED_QUOTES: [char; 5] = ['*', '&', '%', '@', '`'];

/// Whether the value in a line needs quotes that it does not have.
fn unquoted(line: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ");
    let value = line.split_once(": ").map_or(line, |(_, value)| value.trim());
    let value = value.split(" #").next().unwrap_or("").trim_end();
    match value.chars().next() {
        Some(first) if NEED_QUOTES.contains(&first) => true,
        Some('"' | '\'' | '{' | '[') | None => false,
        _ => line.contains(": ") && (value.contains(": ") || value.ends_with(':')),
    }
}

/// Adds the entries of merged maps that the map itself does not have; the first map that has a key wins.
fn merge_into(entries: &mut Vec<(Key, Node)>, merges: &[Node]) {
    for (key, value) in merges.iter().flat_map(Node::entries) {
        if !entries.iter().any(|(k, _)| k.text == key.text) {
            entries.push((key.clone(), value.clone()));
        }
    }
}

/// How many nodes a tree has and how deep it goes.
fn measure(node: &Node) -> (usize, usize) {
    let children = match &node.kind {
        NodeKind::Seq(items) => items.iter().map(measure).collect::<Vec<_>>(),
        NodeKind::Map(entries) => entries.iter().map(|e| measure(&e.1)).collect(),
        _ => Vec::new(),
    };
    let size = 1 + children.iter().map(|c| c.0).sum::<usize>();
    (size, 1 + children.iter().map(|c| c.1).max().unwrap_or(0))
}
