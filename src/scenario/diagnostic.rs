//! What is wrong with a scenario: problems with a stable code, a place, what was expected and the nearest name.
//!
//! Problems are collected, not thrown: a bad file gets all of them at once.

pub use super::codes::Code;
use super::tree::{Sources, Span};
use super::visible::visible;
use annotate_snippets::{Annotation, AnnotationKind, Level, Origin, Patch, Renderer, Snippet};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot run.
    Error,
    /// The scenario can run, but something about it is probably not meant.
    Warning,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// One sentence without a full stop.
    pub message: String,
    /// The place and what to write below it (may be empty).
    pub primary: (Span, String),
    /// Further places that explain the problem.
    pub secondary: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// Text that would repair it, and where it goes.
    pub suggestion: Option<(Span, String)>,
}

impl Diagnostic {
    /// A problem at a place; severity by its code.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: (span, String::new()),
            secondary: Vec::new(),
            help: None,
            suggestion: None,
        }
    }

    /// Says something below the primary place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.primary.1 = label.into();
        self
    }

    /// Whether its place is within a span.
    pub fn is_within(&self, span: Span) -> bool {
        let place = self.primary.0;
        place.file == span.file && place.start >= span.start && place.end <= span.end
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    /// Says what to do; an empty text says nothing.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into()).filter(|h| !h.is_empty());
        self
    }

    /// Proposes a replacement for the text of a span.
    #[must_use]
    pub fn suggest(mut self, span: Span, text: impl Into<String>) -> Self {
        self.suggestion = Some((span, text.into()));
        self
    }

    /// Renders this problem with its place in the source. Nothing in it steers a terminal but our own colours.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let plain = self.rendered(sources, false);
        match visible(&plain) {
            Cow::Owned(text) => text,
            Cow::Borrowed(_) if color => self.rendered(sources, true),
            Cow::Borrowed(_) => plain,
        }
    }

    fn rendered(&self, sources: &Sources, color: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(self.message.as_str()).id(self.code.id());
        let mut report = title.elements(self.snippets(sources));
        let name = sources.name(self.primary.0.file);
        if sources.text(self.primary.0.file).is_empty() && !name.is_empty() {
            report = report.element(Origin::path(name));
        }
        let mut repair = None;
        match (&self.suggestion, &self.help) {
            (Some((span, text)), help) if !sources.text(span.file).is_empty() => {
                let title = help.clone().unwrap_or_else(|| format!("did you mean `{text}`?"));
                let range = clamp(sources.text(span.file), *span);
                let part = Part::around(sources.text(span.file), range.clone());
                let patch = Patch::new(part.place(&range), text.as_str());
                let patch = part.snippet(sources.name(span.file)).patch(patch);
                repair = Some(Level::HELP.secondary_title(title).element(patch));
            }
            (_, Some(help)) => report = report.element(Level::HELP.message(help.as_str())),
            _ => {}
        }
        let groups: Vec<_> = std::iter::once(report).chain(repair).collect();
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&groups)
    }

    /// One snippet per file that this problem touches.
    fn snippets<'s>(&'s self, sources: &'s Sources) -> Vec<Snippet<'s, Annotation<'s>>> {
        let places = std::iter::once((&self.primary, AnnotationKind::Primary))
            .chain(self.secondary.iter().map(|s| (s, AnnotationKind::Context)));
        let mut files: Vec<(u32, Vec<Place<'s>>)> = Vec::new();
        for ((span, label), kind) in places {
            let source = sources.text(span.file);
            if source.is_empty() {
                continue;
            }
            let place = (kind, first_line(source, clamp(source, *span)), label.as_str());
            match files.iter_mut().find(|f| f.0 == span.file) {
                Some(file) => file.1.push(place),
                None => files.push((span.file, vec![place])),
            }
        }
        let snippets = files.into_iter().map(|(file, places)| {
            let start = places.iter().map(|place| place.1.start).min().unwrap_or(0);
            let end = places.iter().map(|place| place.1.end).max().unwrap_or(0);
            let part = Part::around(sources.text(file), start..end);
            let annotations = places.into_iter().map(|(kind, range, label)| {
                let annotation = kind.span(part.place(&range));
                if label.is_empty() {
                    annotation
                } else {
                    annotation.label(label)
                }
            });
            part.snippet(sources.name(file)).annotations(annotations)
        });
        snippets.collect()
    }
}

/// What kind of place, where it is in its file, and what to write below it.
type Place<'s> = (AnnotationKind, Range<usize>, &'s str);

/// The lines of a file around a place: the renderer goes through all the text that it is given, and a file may be long
/// and have many problems.
struct Part<'s> {
    text: &'s str,
    /// Where it begins in the file, in bytes.
    start: usize,
    /// The number of its first line.
    line: usize,
}

impl<'s> Part<'s> {
    fn around(source: &'s str, range: Range<usize>) -> Self {
        let start = source[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = source[range.end..].find('\n').map_or(source.len(), |at| range.end + at);
        Self {
            text: &source[start..end],
            start,
            line: source[..start].bytes().filter(|byte| *byte == b'\n').count() + 1,
        }
    }

    /// A place of the file as one of this part.
    fn place(&self, range: &Range<usize>) -> Range<usize> {
        range.start - self.start..range.end - self.start
    }

    fn snippet<T: Clone>(&self, path: &'s str) -> Snippet<'s, T> {
        Snippet::source(self.text).line_start(self.line).path(path)
    }
}

/// A span as a range that is certain to lie within the text and on character boundaries.
fn clamp(source: &str, span: Span) -> Range<usize> {
    let start = floor_boundary(source, span.start);
    let mut end = span.end.clamp(start, source.len());
    while !source.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The nearest character boundary at or before a byte.
pub(super) fn floor_boundary(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Cuts a range at the end of its first line: carets below twenty lines of a map help nobody.
fn first_line(source: &str, range: Range<usize>) -> Range<usize> {
    let line = source[range.clone()].find(['\n', '\r']);
    range.start..line.map_or(range.end, |i| range.start + i)
}

/// Collects problems. Each variant re-reads the same tree, so a problem that is already there is not taken again.
#[derive(Debug, Default)]
pub struct Diagnostics {
    list: RefCell<Vec<Diagnostic>>,
    /// Numbers of the problems at each place.
    places: RefCell<BTreeMap<Span, Vec<usize>>>,
    pushed: Cell<usize>,
}

impl Diagnostics {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn push(&self, diagnostic: Diagnostic) {
        self.pushed.set(self.pushed.get() + 1);
        let (mut list, mut places) = (self.list.borrow_mut(), self.places.borrow_mut());
        let here = places.entry(diagnostic.primary.0).or_default();
        if !here.iter().any(|&other| list[other] == diagnostic) {
            here.push(list.len());
            list.push(diagnostic);
        }
    }

    /// How often [`Self::push`] was called: whether reading something went well shows in whether this stayed the same.
    pub fn pushed(&self) -> usize {
        self.pushed.get()
    }

    /// How many problems there are, warnings included.
    pub fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Whether the scenario cannot run.
    pub fn has_errors(&self) -> bool {
        self.list.borrow().iter().any(|d| d.severity == Severity::Error)
    }

    /// All problems in the order of their places.
    pub fn sorted(&self) -> Vec<Diagnostic> {
        let mut list = self.list.borrow().clone();
        list.sort_by_key(|d| (d.primary.0, d.severity, d.code));
        list
    }

    /// Renders all problems, at most 100 of them, and how many there are.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        const SHOWN: usize = 100;
        let list = self.sorted();
        let mut text = String::new();
        for diagnostic in list.iter().take(SHOWN) {
            text.push_str(&diagnostic.render(sources, color));
            text.push_str("\n\n");
        }
        let errors = list.iter().filter(|d| d.severity == Severity::Error).count();
        let warnings = list.len() - errors;
        if list.len() > SHOWN {
            let _ = writeln!(text, "... and {} more", list.len() - SHOWN);
        }
        if !list.is_empty() {
            let _ = writeln!(text, "{}, {}", plural(errors, "error"), plural(warnings, "warning"));
        }
        text
    }
}

fn plural(n: usize, word: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {word}{s}")
}

/// Candidates that are compared with a word at most: a file of thousands of wrong names is to be judged in no time.
const CANDIDATES_MAX: usize = 500;

/// The candidate nearest to a word, if any is near enough to be what was meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = word.chars().count();
    if length == 0 || length > 64 {
        return None;
    }
    let allowed = (length / 3).clamp(1, 3);
    let folded = word.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .filter(|c| c.chars().count().abs_diff(length) <= allowed)
        .take(CANDIDATES_MAX)
        .map(|c| (distance(&folded, &c.to_lowercase().replace('-', "_")), c))
        .filter(|(d, c)| *d <= allowed && *c != word)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// The candidate that the given word begins with, as `memory` is of `memorySize`; the longest if there are several.
pub fn part_of<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > 64 {
        return None;
    }
    let mut snake = String::from("_");
    for c in word.chars() {
        match c {
            '-' | ' ' => snake.push('_'),
            c if c.is_uppercase() => snake.extend(std::iter::once('_').chain(c.to_lowercase())),
            c => snake.push(c),
        }
    }
    snake.push('_');
    let within = |c: &&str| c.len() > 2 && *c != word && snake.starts_with(&format!("_{c}_"));
    candidates
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter(within)
        .max_by_key(|c| c.len())
}

/// The Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, replacements and swaps of
/// neighbours.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span { file: 0, start, end }
    }

    #[test]
    fn a_problem_is_shown_with_carets_and_repair() {
        let mut sources = Sources::new();
        sources.add("shop.yaml", "functions:\n  checkout:\n    memroy: 1 GB\n");
        let diagnostic = Diagnostic::new(Code::UnknownKey, span(27, 33), "`memroy` is not a field of a function")
            .label("here")
            .also(span(13, 21), "in this component")
            .help("did you mean `memory`?")
            .suggest(span(27, 33), "memory");
        let expected = "\
error[C012]: `memroy` is not a field of a function
 --> shop.yaml:3:5
  |
2 |   checkout:
  |   -------- in this component
3 |     memroy: 1 GB
  |     ^^^^^^ here
  |
help: did you mean `memory`?
  |
3 -     memroy: 1 GB
3 +     memory: 1 GB
  |";
        assert_eq!(diagnostic.render(&sources, false), expected);
        assert!(diagnostic.render(&sources, true).contains("\u{1b}["));
    }

    #[test]
    fn places_in_two_files_nowhere_and_beyond_the_end_are_shown() {
        let mut sources = Sources::new();
        sources.add("shop.yaml", "a: ü");
        sources.add("catalog/x.yaml", "value: 5");
        sources.add("empty.yaml", "");
        let catalog = Span {
            file: 1,
            start: 7,
            end: 8,
        };
        let two = Diagnostic::new(Code::Inconsistent, span(3, 4), "x").also(catalog, "from here");
        let text = two.render(&sources, false);
        assert!(
            text.contains("shop.yaml:1:4") && text.contains("catalog/x.yaml:1:8"),
            "{text}"
        );
        for odd in [
            Span::NOWHERE,
            span(900, 1000),
            span(4, 2),
            Span {
                file: 2,
                start: 0,
                end: 0,
            },
        ] {
            let text = Diagnostic::new(Code::Syntax, odd, "message")
                .suggest(odd, "x")
                .help("help")
                .render(&sources, true);
            assert!(text.contains("message") && text.contains("help"), "{text}");
        }
        let empty = Diagnostic::new(
            Code::EmptyFile,
            Span {
                file: 2,
                start: 0,
                end: 0,
            },
            "empty",
        );
        assert!(empty.render(&sources, false).contains("--> empty.yaml"));
    }

    #[test]
    fn problems_are_kept_once_and_sorted() {
        let (diagnostics, mut sources) = (Diagnostics::new(), Sources::new());
        sources.add("x", "abcdef");
        let problem = |code, at| Diagnostic::new(code, span(at, at + 1), "m");
        diagnostics.push(problem(Code::Unused, 4));
        assert!(!diagnostics.has_errors());
        for _ in 0..2 {
            diagnostics.push(problem(Code::Syntax, 2));
            diagnostics.push(problem(Code::Unused, 2));
        }
        assert_eq!(
            (diagnostics.len(), diagnostics.pushed(), diagnostics.has_errors()),
            (3, 5, true)
        );
        let codes: Vec<Code> = diagnostics.sorted().iter().map(|d| d.code).collect();
        assert_eq!(codes, [Code::Syntax, Code::Unused, Code::Unused]);
        assert!(diagnostics.render(&sources, false).ends_with("1 error, 2 warnings\n"));
        assert_eq!(Diagnostics::new().render(&sources, false), "");
    }

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["memory", "timeout", "keep_alive", "cv"];
        for (word, expected) in [
            ("memroy", Some("memory")),
            ("Memory", Some("memory")),
            ("keep-alive", Some("keep_alive")),
            ("keepalive", Some("keep_alive")),
            ("tiemout", Some("timeout")),
            ("cw", Some("cv")),
            ("colour", None),
            ("xy", None),
            ("", None),
            ("memory", None),
        ] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
        for (word, expected) in [
            ("memorySize", Some("memory")),
            ("timeout-seconds", Some("timeout")),
            ("keep_alive_time", Some("keep_alive")),
            ("memoryless", None),
            ("memory", None),
        ] {
            assert_eq!(part_of(word, words), expected, "{word}");
        }
        assert_eq!(distance("ca", "abc"), 3);
        assert_eq!(distance("abcd", "acbd"), 1);
    }
}
