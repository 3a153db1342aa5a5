//! Names of components to ids: collected once from the root of the tree, before any field is read, so that components
//! can refer to one another in any order.

use super::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use super::table::list_words;
use super::tree::{Node, NodeKind, Span};
use crate::kernel::number::fit;
use crate::kernel::pack::Bits;
use std::collections::BTreeMap;

/// A component: its kind and its number within the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Index into [`Names::kinds`].
    pub kind: u8,
    /// Index within the kind, in the order of the file.
    pub index: u16,
}

impl Target {
    /// The component at `place` of the list of its kind.
    ///
    /// # Panics
    /// Beyond 65,535: [`Names::collect`] refuses scenarios with more.
    #[inline]
    pub const fn new(kind: u8, place: usize) -> Self {
        assert!(place <= MOST, "65536 is one component too many");
        #[expect(clippy::cast_possible_truncation, reason = "it has just been compared")]
        let index = place as u16;
        Self { kind, index }
    }
}

/// The last place that a list of components can have.
const MOST: usize = u16::MAX as usize;

impl Bits for Target {
    const WIDTH: u32 = 24;
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(self.index) << 8 | u64::from(self.kind)
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self {
            kind: u8::from_bits(bits),
            index: u16::from_bits(bits >> 8),
        }
    }
}

/// The names of all components by kind.
#[derive(Clone, Debug, Default)]
pub struct Names {
    kinds: Vec<&'static str>,
    by_kind: Vec<Vec<(String, Span)>>,
    /// Where each name is used, in the order of kinds and of the file.
    places: BTreeMap<String, Vec<Target>>,
}

impl Names {
    /// Collects the components under the sections `kinds` of a scenario. A name that is used twice, whatever the kind,
    /// is a problem, and so is a name that a path could not contain.
    pub fn collect(root: &Node, kinds: &[&'static str], diagnostics: &Diagnostics) -> Self {
        let mut names = Self {
            kinds: kinds.to_vec(),
            by_kind: vec![Vec::new(); kinds.len()],
            places: BTreeMap::new(),
        };
        for (kind, section) in kinds.iter().enumerate() {
            let node = root.get(section);
            if let Some(node) = node.filter(|node| !matches!(node.kind, NodeKind::Map(_) | NodeKind::Null)) {
                let message = format!("expected a map of names under `{section}`, found {}", node.describe());
                let help = format!("write `{section}: {{ name: {{ ... }} }}`, or a line `name:` with its fields below");
                diagnostics.push(Diagnostic::new(Code::WrongShape, node.span, message).help(help));
            }
            for (key, _) in node.map_or(&[][..], Node::entries) {
                names.check(&key.text, key.span, diagnostics);
                if names.by_kind[kind].len() > MOST {
                    let message = format!("more than 65,535 components under `{section}`");
                    diagnostics.push(Diagnostic::new(Code::TooMany, key.span, message));
                    break;
                }
                let target = Target::new(fit(kind), names.by_kind[kind].len());
                names.places.entry(key.text.clone()).or_default().push(target);
                names.by_kind[kind].push((key.text.clone(), key.span));
            }
        }
        names
    }

    fn check(&self, name: &str, span: Span, diagnostics: &Diagnostics) {
        let usable = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(usable) {
            let message = match name {
                "" => "a component needs a name".to_owned(),
                name => format!("`{name}` cannot name a component"),
            };
            let better: String = name.chars().map(|c| if usable(c) { c } else { '_' }).collect();
            let mut problem = Diagnostic::new(Code::BadName, span, message).help("use letters, digits, `_` and `-`");
            if !better.is_empty() {
                problem = problem.suggest(span, better);
            }
            diagnostics.push(problem);
        }
        if let Some(target) = self.find(name) {
            let message = format!("two components are called `{name}`");
            diagnostics.push(
                Diagnostic::new(Code::DuplicateName, span, message)
                    .label("again here")
                    .also(self.span(target), format!("first here, under `{}`", self.kind(target)))
                    .help("components refer to one another by name alone: rename one of them"),
            );
        }
    }

    /// The sections in which components are looked for.
    pub fn kinds(&self) -> &[&'static str] {
        &self.kinds
    }

    /// The section of a component, such as "functions".
    pub fn kind(&self, target: Target) -> &'static str {
        self.kinds[usize::from(target.kind)]
    }

    /// The name of a component.
    pub fn name(&self, target: Target) -> &str {
        &self.by_kind[usize::from(target.kind)][usize::from(target.index)].0
    }

    /// Where a component's name stands.
    pub fn span(&self, target: Target) -> Span {
        self.by_kind[usize::from(target.kind)][usize::from(target.index)].1
    }

    /// The component of a name.
    pub fn find(&self, name: &str) -> Option<Target> {
        self.places.get(name)?.first().copied()
    }

    /// All components, by kind and in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = (Target, &str)> {
        self.by_kind.iter().enumerate().flat_map(|(kind, names)| {
            names
                .iter()
                .enumerate()
                .map(move |(index, (name, _))| (Target::new(fit(kind), index), name.as_str()))
        })
    }

    /// The names under one section, in the order of the file.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &str> {
        let index = self.kinds.iter().position(|k| *k == kind);
        let names = index.map_or(&[][..], |i| &self.by_kind[i]);
        names.iter().map(|(name, _)| name.as_str())
    }

    /// The component that a scalar names, if it is of one of `kinds`; a problem otherwise.
    pub fn resolve(&self, name: &str, span: Span, kinds: &[&str]) -> Result<Target, Box<Diagnostic>> {
        // Two components of one name are a problem of their own; what is meant is the one that fits.
        let fits = |target: &&Target| kinds.contains(&self.kind(**target));
        let all = self.places.get(name).map_or(&[][..], Vec::as_slice);
        let Some(target) = all.iter().find(fits).or(all.first()).copied() else {
            return Err(Box::new(self.unknown(name, span, kinds)));
        };
        if kinds.contains(&self.kind(target)) {
            return Ok(target);
        }
        let message = format!("`{name}` is under `{}`, which cannot be used here", self.kind(target));
        Err(Box::new(
            Diagnostic::new(Code::WrongTarget, span, message)
                .also(self.span(target), "defined here")
                .help(format!("name a component under {}", list_words(kinds))),
        ))
    }

    fn unknown(&self, name: &str, span: Span, kinds: &[&str]) -> Diagnostic {
        let problem = Diagnostic::new(Code::UnknownName, span, format!("there is no component `{name}`"));
        let mut known: Vec<&str> = kinds.iter().flat_map(|k| self.of_kind(k)).collect();
        if let Some(near) = nearest(name, known.iter().copied()) {
            return problem.help(format!("did you mean `{near}`?")).suggest(span, near);
        }
        known.truncate(8);
        problem.help(if known.is_empty() {
            format!("define it under {}", list_words(kinds))
        } else {
            format!("known under {}: {}", list_words(kinds), known.join(", "))
        })
    }
}
