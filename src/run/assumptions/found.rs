//! Finds in a scenario what it leaves open, and writes what else it may be.

use super::table::{OPEN, Open, Other};
use crate::kernel::Duration;
use crate::model::world::build::ROOT;
use crate::scenario::overlay::set;
use crate::scenario::{Catalog, Diagnostics, Field, Key, Kind, Node, NodeKind, Presence, Span, units};

/// Something that the scenario does not say, and what else it may be.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The field.
    pub open: &'static Open,
    /// The components that leave it open with the same value.
    pub components: Vec<String>,
    /// The value that holds; empty if none does.
    pub used: String,
    /// How sure that is: the catalog's word, `assumed` for a default of coldcurve, `as written`.
    pub confidence: String,
    /// What to try instead, in words.
    pub tried: String,
    /// What to write for each of the components.
    values: Vec<Node>,
}

/// What one component leaves open.
struct Left {
    used: String,
    confidence: String,
    tried: String,
    value: Node,
}

impl Candidate {
    /// The tree with the other value.
    pub fn put(&self, tree: &Node) -> Node {
        let mut tree = tree.clone();
        for (component, value) in self.components.iter().zip(&self.values) {
            // Names may have dots in them, so no path is made of them.
            let Some(section) = tree.entry_mut(self.open.section) else {
                continue;
            };
            let Some(component) = section.entry_mut(component) else {
                continue;
            };
            set(
                component,
                self.open.field,
                Span::NOWHERE,
                value.clone(),
                &Diagnostics::new(),
            );
        }
        tree
    }
}

/// All that a tree leaves open, in the order of the table.
pub fn all(tree: &Node, catalog: &Catalog) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for open in OPEN {
        let first = found.len();
        let components = tree.get(open.section).map_or(&[][..], Node::entries);
        for (name, component) in components {
            let Some(left) = left(open, component, catalog) else {
                continue;
            };
            let same = |one: &&mut Candidate| one.used == left.used && one.tried == left.tried;
            if let Some(one) = found[first..].iter_mut().find(same) {
                one.components.push(name.text.clone());
                one.values.push(left.value);
            } else {
                found.push(Candidate {
                    open,
                    components: vec![name.text.clone()],
                    used: left.used,
                    confidence: left.confidence,
                    tried: left.tried,
                    values: vec![left.value],
                });
            }
        }
    }
    found
}

fn left(open: &'static Open, component: &Node, catalog: &Catalog) -> Option<Left> {
    let written = |field: &str| component.get(field).filter(|node| !node.is_null());
    if open.said_by.iter().any(|field| written(field).is_some()) {
        return None;
    }
    match (open.other, written(open.field)) {
        (Other::Tail(times), Some(node)) => tail(node, times),
        (Other::Halves, Some(node)) => halves(node),
        (Other::Tail(_) | Other::Halves, None) | (_, Some(_)) => None,
        (other, None) => {
            let field = field_of(open)?;
            let service = component.get("service").and_then(Node::scalar);
            let preset = service.and_then(|name| catalog.get(name)).and_then(|service| {
                let mut defaults = service.defaults().into_iter();
                defaults.find(|default| default.path == open.field)
            });
            let (node, confidence) = match (&preset, field.default) {
                (Some(preset), _) if preset.confidence != "low" && !open.chosen => return None,
                (Some(preset), _) => (preset.value.clone(), preset.confidence),
                (None, Presence::Default(text)) => (scalar(text), "assumed"),
                (None, _) => (scalar(""), "assumed"),
            };
            let (value, tried) = instead(open.field, &field.kind, other, &node)?;
            Some(Left {
                used: used(&node),
                confidence: confidence.to_owned(),
                tried,
                value,
            })
        }
    }
}

/// The field in the table of its section.
fn field_of(open: &Open) -> Option<&'static Field> {
    match ROOT.field(open.section)?.kind {
        Kind::Map(Kind::Block(table)) => table.field(open.field),
        _ => None,
    }
}

fn scalar(text: &str) -> Node {
    Node {
        span: Span::NOWHERE,
        kind: NodeKind::Scalar(text.to_owned()),
    }
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
    let key = |text: &str| Key {
        text: text.to_owned(),
        span: Span::NOWHERE,
    };
    Node {
        span: Span::NOWHERE,
        kind: NodeKind::Map(entries.into_iter().map(|(name, node)| (key(name), node)).collect()),
    }
}

/// A value in words: a distribution is told by its median if it has one.
fn used(node: &Node) -> String {
    let median = || {
        node.get("median")
            .and_then(Node::scalar)
            .map(|median| format!("about {median}"))
    };
    let text = node.scalar().map(str::to_owned).or_else(median);
    text.unwrap_or_else(|| "what its service says".to_owned())
}

/// Another value, and how that is told; nothing if it is none.
fn instead(field: &str, kind: &Kind, other: Other, node: &Node) -> Option<(Node, String)> {
    let (by, of) = match other {
        Other::Value(text) => {
            let changes = node.scalar() != Some(text);
            return changes.then(|| (scalar(text), format!("`{field}: {text}`")));
        }
        Other::Times(times) => (u64::from(times), 1),
        Other::Half => (1, 2),
        Other::Tail(_) | Other::Halves => return None,
    };
    let value = scaled(node, kind, by, of)?;
    let words = match value.scalar() {
        Some(text) => format!("`{field}: {text}`"),
        None if by == 1 => "half of that".to_owned(),
        None => format!("{by} times that"),
    };
    (value != *node).then_some((value, words))
}

/// A size, a duration or a distribution of durations with all of its durations multiplied; nothing if not all of it is
/// understood.
fn scaled(node: &Node, kind: &Kind, by: u64, of: u64) -> Option<Node> {
    match &node.kind {
        NodeKind::Scalar(text) => {
            let times = |whole: u64| whole.saturating_mul(by) / of;
            if matches!(kind, Kind::Size) {
                return Some(scalar(&units::show_size(times(units::parse_size(text).ok()?))));
            }
            if let Ok(duration) = units::parse_duration(text) {
                return Some(scalar(&units::show_duration(Duration(times(duration.0)))));
            }
            // Shapes and weights stay.
            units::parse_number(text).ok().map(|_| node.clone())
        }
        NodeKind::Map(entries) => {
            let each = entries
                .iter()
                .map(|(key, node)| Some((key.text.as_str(), scaled(node, kind, by, of)?)));
            each.collect::<Option<Vec<_>>>().map(map)
        }
        NodeKind::Seq(items) => {
            let each = items.iter().map(|node| scaled(node, kind, by, of));
            let items = each.collect::<Option<Vec<_>>>()?;
            Some(Node {
                span: Span::NOWHERE,
                kind: NodeKind::Seq(items),
            })
        }
        NodeKind::Null => None,
    }
}

/// A constant that is given a tail.
fn tail(node: &Node, times: u32) -> Option<Left> {
    let text = node.scalar().or_else(|| node.get("constant").and_then(Node::scalar))?;
    let median = units::parse_duration(text).ok().filter(|duration| duration.0 > 0)?;
    let p99 = Duration(median.0.saturating_mul(u64::from(times)));
    let value = map([("median", scalar(text)), ("p99", scalar(&units::show_duration(p99)))]);
    Some(Left {
        used: text.to_owned(),
        confidence: "as written".to_owned(),
        tried: format!("a p99 of {times} times that"),
        value,
    })
}

/// A handler that only computes or only waits, with half of each such step the other way.
fn halves(handler: &Node) -> Option<Left> {
    let mut seen = [false; 2];
    let value = halved(handler, &mut seen)?;
    let (used, other) = match seen {
        [true, false] => ("cpu", "wait"),
        [false, true] => ("wait", "cpu"),
        _ => return None,
    };
    Some(Left {
        used: format!("`{used}` alone"),
        confidence: "as written".to_owned(),
        tried: format!("half of it `{other}`"),
        value,
    })
}

/// What a handler computes and waits with.
const TIMES: [&str; 2] = ["cpu", "wait"];
/// Steps that take no time of their own.
const PASSING: [&str; 3] = ["send", "fail", "effect"];

/// Steps with every one that computes or waits in two halves, one of each; notes which there are. Nothing if there are
/// steps that take time otherwise, such as calls: these say what is waited for.
fn halved(steps: &Node, seen: &mut [bool; 2]) -> Option<Node> {
    let mut out = Vec::new();
    for item in steps.items() {
        let [(key, time)] = item.entries() else { return None };
        match TIMES.iter().position(|name| key.text == *name) {
            Some(own) => {
                let half = scaled(time, &Kind::Sampler, 1, 2)?;
                seen[own] = true;
                out.push(map([(TIMES[own], half.clone())]));
                out.push(map([(TIMES[1 - own], half)]));
            }
            None if PASSING.contains(&key.text.as_str()) => out.push(item.clone()),
            None => return None,
        }
    }
    Some(Node {
        span: Span::NOWHERE,
        kind: NodeKind::Seq(out),
    })
}
