//! The services that a scenario uses: how sure their defaults are, and which of the unsure ones it leaves as they are.

use crate::scenario::{Catalog, Node};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service of the catalog that components of a scenario or of its variants are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRef {
    /// Its name, such as `aws.lambda`.
    pub service: String,
    /// Its name for humans.
    pub title: String,
    /// The components that are it, such as `functions.api`, in the order of the scenario.
    pub components: Vec<String>,
    /// When the latest of its defaults was looked up, such as `2026-10`; empty if that is not said.
    pub as_of: String,
    /// Its defaults of high, of medium and of low confidence.
    pub confidence: [u64; 3],
    /// Those of low confidence that a component leaves as they are, with their values.
    pub unsure: Vec<String>,
}

/// The words for confidence, in the order of [`ServiceRef::confidence`].
const CONFIDENCE: [&str; 3] = ["high", "medium", "low"];

/// The services of a scenario as written, in the order of their names.
pub fn used(root: &Node, catalog: &Catalog, slice: &dyn Fn(&Node) -> String) -> Vec<ServiceRef> {
    let mut found: BTreeMap<String, ServiceRef> = BTreeMap::new();
    let variants = root.get("variants").map_or(&[][..], Node::entries);
    let trees = || std::iter::once(root).chain(variants.iter().map(|(_, overlay)| overlay));
    for (section, components) in trees().flat_map(Node::entries) {
        for (name, component) in components.entries() {
            let Some(service) = component.get("service").and_then(Node::scalar) else {
                continue;
            };
            let Some(known) = catalog.get(service).filter(|known| known.kind == section.text) else {
                continue;
            };
            let label = format!("{}.{}", section.text, name.text);
            let entry = found.entry(service.to_owned()).or_insert_with(|| ServiceRef {
                service: service.to_owned(),
                title: known.title.clone(),
                components: Vec::new(),
                as_of: String::new(),
                confidence: [0; 3],
                unsure: Vec::new(),
            });
            let first = entry.components.is_empty();
            for default in known.defaults() {
                let level = CONFIDENCE.iter().position(|level| *level == default.confidence);
                if first && let Some(level) = level {
                    entry.confidence[level] += 1;
                }
                if default.as_of > entry.as_of.as_str() {
                    default.as_of.clone_into(&mut entry.as_of);
                }
                // What any tree says of the component is said.
                let said = trees().any(|tree| {
                    let component = tree.get(&section.text).and_then(|all| all.get(&name.text));
                    component.is_some_and(|component| says(component, &default.path))
                });
                let words = format!("{} {}", default.path, slice(default.value));
                if level == Some(2) && !said && !entry.unsure.contains(&words) {
                    entry.unsure.push(words);
                }
            }
            if !entry.components.contains(&label) {
                entry.components.push(label);
            }
        }
    }
    found.into_values().collect()
}

/// Whether a component has a value at that dotted path, or a whole of its own above it.
fn says(component: &Node, path: &str) -> bool {
    let mut at = component;
    for part in path.split('.') {
        match at.get(part) {
            Some(below) if below.entries().is_empty() => return true,
            Some(below) => at = below,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Diagnostics, Sources, parse};

    const SERVICE: &str = "service: a.b\nkind: functions\ntitle: A B\ndefaults:\n\
        \x20 sure: { value: 1 s, source: x, as_of: 2026-10, confidence: high }\n\
        \x20 guess: { value: 2 s, source: x, as_of: 2026-11, confidence: low }\n\
        \x20 other: { value: 3 s, source: x, confidence: low }\n";

    #[test]
    fn unsure_defaults_are_named_unless_the_scenario_says_them() {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let mut catalog = Catalog::default();
        let file = sources.add("a.b.yaml", SERVICE);
        catalog.add(file, &sources, &diagnostics);
        let text = "functions:\n  f: { service: a.b, other: 9 s }\n\
            variants:\n  v: { functions: { g: { service: a.b, guess: 4 s, other: 4 s } } }\n";
        let file = sources.add("s.yaml", text);
        let root = parse(&sources, file, &diagnostics).unwrap();
        let found = used(&root, &catalog, &|node| sources.slice(node.span).to_owned());
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(one.components, ["functions.f", "functions.g"]);
        assert_eq!((one.as_of.as_str(), one.confidence), ("2026-11", [1, 0, 2]));
        assert_eq!(one.unsure, ["guess 2 s"]);
    }
}
