//! The spanned tree: YAML 1.2 (and so JSON) read into maps, lists and scalars that know their place.
//!
//! Scalars stay the text that was written, so `on`, `no`, `1e3` and `5m` surprise nobody: what a scalar means is
//! decided by the field that reads it. Anchors, aliases and merge keys (`<<`) are resolved; a value that came through
//! an alias points at its definition. Whatever is wrong with the text becomes a diagnostic, never a panic: size, depth
//! and alias expansion have budgets.

use super::diagnostic::{Code, Diagnostic, Diagnostics, floor_boundary};
use crate::kernel::number::fit;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::Path;

/// The largest scenario or catalog file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 8 << 20;
/// The deepest nesting of maps and lists.
pub const MAX_DEPTH: usize = 64;

/// A range of bytes in one of the [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Index into [`Sources`]; 0 is the scenario.
    pub file: u32,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span of something nobody wrote: a default out of a field table.
    pub const NOWHERE: Self = Self {
        file: u32::MAX,
        start: 0,
        end: 0,
    };

    /// Its first bytes, at most this many.
    #[must_use]
    pub fn first(self, bytes: usize) -> Self {
        Self {
            end: self.end.min(self.start + bytes),
            ..self
        }
    }

    /// From the start of this span to the end of `other` (of the same file).
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file == other.file && other.end > self.start {
            Self { end: other.end, ..self }
        } else {
            self
        }
    }
}

/// A key of a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key without quotes.
    pub text: String,
    /// Where it is.
    pub span: Span,
}

impl Key {
    /// How keys begin that mean nothing to us: they are the user's own, to hold anchors or notes.
    pub const OWN: &str = "x-";

    /// Whether it is such a key.
    pub fn is_own(&self) -> bool {
        self.text.starts_with(Self::OWN)
    }
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// What a [`Node`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Nothing: an empty value, `null` or `~`.
    Null,
    /// The text as written; without the quotes if it is quoted.
    Scalar(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order of the file; keys are unique.
    Map(Vec<(Key, Node)>),
}

impl Node {
    /// A map without entries at this place.
    pub fn empty_map(span: Span) -> Self {
        Self {
            span,
            kind: NodeKind::Map(Vec::new()),
        }
    }

    /// The entries, if this is a map (none otherwise).
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items: those of a list, nothing for null, and this node itself for everything else.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            NodeKind::Seq(items) => items,
            NodeKind::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.1)
    }

    /// The entry of a key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        self.entries().iter().find(|(k, _)| k.text == key)
    }

    /// The value of a key of a map, to be changed.
    pub fn entry_mut(&mut self, key: &str) -> Option<&mut Node> {
        let NodeKind::Map(entries) = &mut self.kind else {
            return None;
        };
        entries
            .iter_mut()
            .find(|(k, _)| k.text == key)
            .map(|entry| &mut entry.1)
    }

    /// The text, if this is a scalar.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        self.kind == NodeKind::Null
    }

    /// What to call this in a message.
    pub fn describe(&self) -> String {
        match &self.kind {
            NodeKind::Null => "nothing".to_owned(),
            NodeKind::Scalar(text) => format!("`{}`", shorten(text)),
            NodeKind::Seq(_) => "a list".to_owned(),
            NodeKind::Map(_) => "a map".to_owned(),
        }
    }
}

/// Cuts long text for a message.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() > 40 || line.len() < text.len() {
        let head: String = line.chars().take(37).collect();
        format!("{head}...")
    } else {
        line.to_owned()
    }
}

/// The texts that spans point into: the scenario first, then catalog files and command line arguments.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<(String, String)>,
    /// Those that were read from files.
    loaded: Vec<u32>,
}

impl Sources {
    /// No texts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text and returns its index.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u32 {
        self.files.push((name.into(), text.into()));
        fit(self.files.len() - 1)
    }

    /// The name of a text.
    pub fn name(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("", |f| &f.0)
    }

    /// The text itself.
    pub fn text(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("", |f| &f.1)
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start..span.end).unwrap_or("")
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn line_column(&self, file: u32, byte: usize) -> (usize, usize) {
        let text = self.text(file);
        let before = &text[..floor_boundary(text, byte)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    /// The texts that were read from files, in that order: the scenario first.
    pub fn loaded(&self) -> &[u32] {
        &self.loaded
    }

    /// Reads a file into the sources; what is wrong with it becomes a diagnostic.
    pub fn load(&mut self, path: &Path, diagnostics: &Diagnostics) -> Option<u32> {
        let name = path.display().to_string();
        match std::fs::metadata(path) {
            Ok(meta) if !is_readable(path, &meta) => {
                let file = self.add(name.clone(), "");
                let message = format!("cannot read `{name}`: {UNENDING}");
                let span = Span { file, start: 0, end: 0 };
                diagnostics.push(Diagnostic::new(Code::Unreadable, span, message).help("write it into a file first"));
                return None;
            }
            Ok(meta) if meta.len() > MAX_FILE_BYTES as u64 => {
                let file = self.add(name, "");
                diagnostics.push(too_large(file, meta.len()));
                return None;
            }
            _ => {}
        }
        // What tells no length, such as standard input, ends at the limit, too.
        let read = File::open(path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(MAX_FILE_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        });
        match read {
            Ok(bytes) if bytes.len() > MAX_FILE_BYTES => {
                let file = self.add(name.clone(), "");
                let message = format!("`{name}` has more than {MAX_FILE_BYTES} bytes, which is the limit");
                diagnostics.push(Diagnostic::new(
                    Code::Unreadable,
                    Span { file, start: 0, end: 0 },
                    message,
                ));
                None
            }
            Ok(bytes) => self.load_bytes(&name, bytes, diagnostics),
            Err(error) => {
                let file = self.add(name.clone(), "");
                let message = format!("cannot read `{name}`: {error}");
                diagnostics.push(Diagnostic::new(
                    Code::Unreadable,
                    Span { file, start: 0, end: 0 },
                    message,
                ));
                None
            }
        }
    }

    /// [`Sources::load`] of bytes that were read before, or that never were a file.
    pub fn load_bytes(&mut self, name: &str, bytes: Vec<u8>, diagnostics: &Diagnostics) -> Option<u32> {
        let file = self.add_bytes(name, bytes, diagnostics);
        self.loaded.extend(file);
        file
    }

    /// Adds bytes that should be text.
    pub fn add_bytes(&mut self, name: &str, bytes: Vec<u8>, diagnostics: &Diagnostics) -> Option<u32> {
        if bytes.len() > MAX_FILE_BYTES {
            let file = self.add(name, "");
            diagnostics.push(too_large(file, bytes.len() as u64));
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(self.add(name, text)),
            Err(error) => {
                let start = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                let byte = bytes[start];
                bytes.truncate(start);
                let file = self.add(name, String::from_utf8(bytes).unwrap_or_default());
                let message = format!("this is not UTF-8 text: byte {byte:#04x} at offset {start}");
                diagnostics.push(
                    Diagnostic::new(
                        Code::Unreadable,
                        Span {
                            file,
                            start,
                            end: start,
                        },
                        message,
                    )
                    .help("a scenario is a text file in YAML or JSON"),
                );
                None
            }
        }
    }
}

/// Why a path is not read that [`is_readable`] refuses.
pub(super) const UNENDING: &str = "it is a pipe or a device, not a file";

/// Whether reading from a path comes to an end: a pipe without a writer and some devices never do. Standard input and
/// what a shell hands over (`<(...)`) has a writer.
pub(super) fn is_readable(path: &Path, meta: &Metadata) -> bool {
    let is_handed_over = path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc");
    meta.is_file() || meta.is_dir() || is_handed_over
}

fn too_large(file: u32, bytes: u64) -> Diagnostic {
    let message = format!("this file has {bytes} bytes; at most {MAX_FILE_BYTES} are read");
    Diagnostic::new(Code::Unreadable, Span { file, start: 0, end: 0 }, message)
        .help("put measured values into a CSV file and name it with `file:`")
}

#[cfg(test)]
mod tests;
