//! Overlays: variants, presets, sweeps and `--set` change a tree before it is read.
//!
//! Maps merge key by key, everything else is replaced, `null` removes a key. Two kinds of maps describe one choice
//! among several and are replaced as a whole when the overlay chooses differently, because the union of two choices
//! would mean nothing: distributions (`{ exponential: 5 ms }` over `{ median: 4 ms, p99: 9 ms }`), and the fields named
//! in [`CHOICES`]. An overlay that stays with the choice merges as usual: `{ p99: 20 ms }` keeps the median.

use super::diagnostic::{Code, Diagnostic, Diagnostics, distance, nearest};
use super::parse::parse_part;
use super::sampler::FORMS;
use super::table::{Kind, Table};
use super::tree::{Key, Node, NodeKind, Sources, Span};
use std::collections::BTreeMap;

/// Fields whose map describes one choice: an overlay that shares no key with it replaces it.
pub const CHOICES: &[&str] = &["arrivals"];

/// Parts of a distribution that only make sense as they were written: the points of two tables do not mix.
const WHOLE: &[&str] = &["quantiles", "gamma"];

/// Lays `over` on `base`. Spans are those of the side that wins. A section or component (the two outer levels) that
/// would turn from a map into something else, or the reverse, is a problem and stays as it was.
#[must_use]
pub fn merge(base: &Node, over: &Node, diagnostics: &Diagnostics) -> Node {
    merge_at(base, over, "", 0, diagnostics)
}

/// Lays the fields of a component on those of a preset. The shape of a field is the reader's business.
#[must_use]
pub fn merge_fields(preset: &Node, component: &Node, diagnostics: &Diagnostics) -> Node {
    merge_at(preset, component, "", COMPONENT_DEPTH + 1, diagnostics)
}

/// The root has depth 0, sections 1, components 2.
const COMPONENT_DEPTH: usize = 2;

fn merge_at(base: &Node, over: &Node, field: &str, depth: usize, diagnostics: &Diagnostics) -> Node {
    let (NodeKind::Map(old), NodeKind::Map(new)) = (&base.kind, &over.kind) else {
        let maps = [base, over].map(|n| matches!(n.kind, NodeKind::Map(_)));
        if depth == 0 && !over.is_null() {
            let message = format!("a variant has to be a map, found {}", over.describe());
            let help = "write what differs: `functions: { checkout: { memory: 1 GB } }`, or `{}` for nothing";
            diagnostics.push(Diagnostic::new(Code::WrongShape, over.span, message).help(help));
        }
        if depth == 0 {
            return base.clone();
        }
        if depth <= COMPONENT_DEPTH && maps[0] != maps[1] && !base.is_null() {
            conflict(base, over, diagnostics);
            return base.clone();
        }
        return over.clone();
    };
    if WHOLE.contains(&field) || other_choice(field, base, over) {
        return without_nulls(over);
    }
    let mut entries: Vec<(Key, Node)> = Vec::with_capacity(old.len() + new.len());
    for (key, value) in old {
        match over.entry(&key.text) {
            None => entries.push((key.clone(), value.clone())),
            Some((_, changed)) if changed.is_null() => {}
            Some((over_key, changed)) => {
                let merged = merge_at(value, changed, &key.text, depth + 1, diagnostics);
                entries.push((over_key.clone(), merged));
            }
        }
    }
    for (key, value) in new.iter().filter(|(k, v)| base.get(&k.text).is_none() && !v.is_null()) {
        entries.push((key.clone(), without_nulls(value)));
    }
    Node {
        span: over.span,
        kind: NodeKind::Map(entries),
    }
}

/// Takes what is one's own (`x-...`, which holds anchors) off a scenario and the overlays of its variants, and gives a
/// section whose name is misspelt its right one after reporting it, so that nothing else is said to be missing for
/// that.
pub fn repair(root: &mut Node, table: &'static Table, diagnostics: &Diagnostics) {
    let mut words = BTreeMap::new();
    count_words(root, &mut words);
    repair_sections(root, table, &words, diagnostics);
    let variants = root.entry_mut("variants").map(|variants| &mut variants.kind);
    if let Some(NodeKind::Map(variants)) = variants {
        for (_, overlay) in variants {
            repair_sections(overlay, table, &words, diagnostics);
        }
    }
}

fn repair_sections(root: &mut Node, table: &Table, words: &BTreeMap<String, usize>, diagnostics: &Diagnostics) {
    let NodeKind::Map(entries) = &mut root.kind else {
        return;
    };
    entries.retain(|(key, _)| !key.is_own());
    let known: Vec<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
    let is_section = |name: &str| {
        let field = table.field(name);
        field.is_some_and(|field| matches!(field.kind, Kind::Map(_)))
    };
    for (key, _) in entries.iter_mut().filter(|(key, _)| table.field(&key.text).is_none()) {
        let Some(near) = nearest(&key.text, table.names()) else {
            continue;
        };
        if is_section(near) && !known.iter().any(|other| other == near) {
            let message = format!("`{}` is not a field of {}", key.text, table.called());
            let problem = Diagnostic::new(Code::UnknownKey, key.span, message);
            diagnostics.push(problem.help(format!("did you mean `{near}`?")).suggest(key.span, near));
            near.clone_into(&mut key.text);
        }
    }
    // A component may have such a name, too: then something names it, or it says where it sends.
    let components = |section: &str| is_section(section) && section != "variants";
    for (_, section) in entries.iter_mut().filter(|(key, _)| components(&key.text)) {
        if let NodeKind::Map(entries) = &mut section.kind {
            let named = |name: &str| words.get(name).is_some_and(|count| *count > 1);
            entries.retain(|(key, node)| !key.is_own() || named(&key.text) || node.get("to").is_some());
        }
    }
}

/// Counts the single values and the keys below a node that begin like keys of one's own.
fn count_words(node: &Node, words: &mut BTreeMap<String, usize>) {
    match &node.kind {
        NodeKind::Scalar(text) if text.starts_with(Key::OWN) => *words.entry(text.clone()).or_default() += 1,
        NodeKind::Null | NodeKind::Scalar(_) => {}
        NodeKind::Seq(items) => items.iter().for_each(|item| count_words(item, words)),
        NodeKind::Map(entries) => {
            for (key, value) in entries {
                if key.is_own() {
                    *words.entry(key.text.clone()).or_default() += 1;
                }
                count_words(value, words);
            }
        }
    }
}

/// Reports components that a variant adds under names so near to one of the base that a slip is likely: nothing names
/// them, or they are clients and schedules without a target. They get the right name, so that nothing else is said
/// about them.
pub fn strange_names(base: &Node, over: &mut Node, diagnostics: &Diagnostics) {
    let mut slips: Vec<(String, String, String)> = Vec::new();
    for (section, node) in over.entries() {
        let known = base.get(&section.text).map_or(&[][..], Node::entries);
        let sends = ["clients", "schedules"].contains(&section.text.as_str());
        let added = |key: &&(Key, Node)| !key.1.is_null() && !known.iter().any(|old| old.0.text == key.0.text);
        for (key, component) in node.entries().iter().filter(added) {
            let length = key.text.chars().count();
            let allowed = if length < 6 { 1 } else { 2 };
            let near = known
                .iter()
                .map(|(old, _)| old.text.as_str())
                .find(|old| length > 2 && node.get(old).is_none() && distance(old, &key.text) <= allowed);
            let Some(near) = near else { continue };
            let meant = if sends {
                component.get("to").is_some()
            } else {
                names(base, &key.text) || names(over, &key.text)
            };
            if !meant {
                let message = format!("there is no `{}` under `{}` to change", key.text, section.text);
                let problem = Diagnostic::new(Code::UnknownName, key.span, message);
                diagnostics.push(problem.help(format!("did you mean `{near}`?")).suggest(key.span, near));
                slips.push((section.text.clone(), key.text.clone(), near.to_owned()));
            }
        }
    }
    for (section, slip, near) in slips {
        if let Some(NodeKind::Map(entries)) = over.entry_mut(&section).map(|node| &mut node.kind)
            && !entries.iter().any(|(key, _)| key.text == near)
            && let Some((key, _)) = entries.iter_mut().find(|(key, _)| key.text == slip)
        {
            key.text = near;
        }
    }
}

/// Whether a component names another one, as a value or as a key below the components' own keys.
fn names(root: &Node, name: &str) -> bool {
    fn within(node: &Node, name: &str) -> bool {
        match &node.kind {
            NodeKind::Scalar(text) => text == name,
            NodeKind::Seq(items) => items.iter().any(|item| within(item, name)),
            NodeKind::Map(entries) => entries
                .iter()
                .any(|(key, value)| key.text == name || within(value, name)),
            NodeKind::Null => false,
        }
    }
    let sections = root.entries().iter().filter(|(key, _)| key.text != "variants");
    let mut components = sections.flat_map(|(_, section)| section.entries());
    components.any(|(_, component)| within(component, name))
}

fn conflict(base: &Node, over: &Node, diagnostics: &Diagnostics) {
    let message = format!("{} cannot take the place of {}", over.describe(), base.describe());
    diagnostics.push(
        Diagnostic::new(Code::ShapeConflict, over.span, message)
            .also(base.span, "this is what it would replace")
            .help("give the keys that differ, or `null` to remove it"),
    );
}

/// Whether both maps describe one choice among several, and not the same one.
fn other_choice(field: &str, base: &Node, over: &Node) -> bool {
    let forms = |node: &Node| -> Vec<usize> {
        let described = |form: &&[&str]| form.iter().any(|f| node.get(f).is_some_and(|n| !n.is_null()));
        (0..FORMS.len()).filter(|i| described(&FORMS[*i])).collect()
    };
    let (old, new) = (forms(base), forms(over));
    if !old.is_empty() && !new.is_empty() {
        return old != new;
    }
    CHOICES.contains(&field)
        && over
            .entries()
            .iter()
            .all(|(k, v)| !v.is_null() && base.get(&k.text).is_none())
}

/// A tree without the keys that only say "remove me".
fn without_nulls(node: &Node) -> Node {
    let NodeKind::Map(entries) = &node.kind else {
        return node.clone();
    };
    let kept = entries.iter().filter(|(_, v)| !v.is_null());
    Node {
        span: node.span,
        kind: NodeKind::Map(kept.map(|(k, v)| (k.clone(), without_nulls(v))).collect()),
    }
}

/// The node at a dotted path: keys of maps, positions (from 0) in lists.
pub fn get<'n>(root: &'n Node, path: &str) -> Option<&'n Node> {
    path.split('.').try_fold(root, |node, segment| match &node.kind {
        NodeKind::Seq(items) => items.get(segment.parse::<usize>().ok()?),
        _ => node.get(segment),
    })
}

/// Puts a value at a dotted path; maps on the way are made where they are missing. A null removes what is there.
/// Whether a field's segments mean anything is found out by whoever reads the tree: the keys made here point at their
/// segment of the path. A path through a single value, beyond the end of a list, with an empty segment or to a
/// component that its section does not have is a problem at `place` (where the path is written). Returns whether it
/// went well.
pub fn set(root: &mut Node, path: &str, place: Span, value: Node, diagnostics: &Diagnostics) -> bool {
    let segments = segments(path, place);
    let result = if let Some(empty) = segments.iter().find(|s| s.text.is_empty()) {
        let message = format!("the path `{path}` has an empty segment");
        Err(Box::new(
            Diagnostic::new(Code::BadPath, empty.span, message).help("put one dot between two keys"),
        ))
    } else {
        strange_component(root, &segments).and_then(|()| put(root, &segments, value))
    };
    result.map_err(|problem| diagnostics.push(*problem)).is_ok()
}

/// The segments of a path with their places; a path in quotes, or one that stands elsewhere, is one place.
fn segments(path: &str, place: Span) -> Vec<Key> {
    let written = place.end.saturating_sub(place.start) == path.len();
    let mut start = place.start;
    let segment = |text: &str| {
        let (from, trimmed) = (start + text.len() - text.trim_start().len(), text.trim());
        start += text.len() + 1;
        let inside = Span {
            file: place.file,
            start: from,
            end: from + trimmed.len(),
        };
        Key {
            text: trimmed.to_owned(),
            span: if written { inside } else { place },
        }
    };
    path.split('.').map(segment).collect()
}

/// A path into a component that its section does not have, while it has others, is a slip, not a new component.
fn strange_component(root: &Node, segments: &[Key]) -> Result<(), Box<Diagnostic>> {
    let [section, name, _, ..] = segments else {
        return Ok(());
    };
    let known = root.get(&section.text).map_or(&[][..], Node::entries);
    if known.is_empty() || known.iter().any(|(key, _)| key.text == name.text) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(|(key, _)| key.text.as_str()).take(8).collect();
    let message = format!("there is no `{}` under `{}`", name.text, section.text);
    let problem = Diagnostic::new(Code::BadPath, name.span, message);
    let near = nearest(&name.text, known.iter().map(|(key, _)| key.text.as_str()));
    let problem = match near {
        Some(near) if name.span.end - name.span.start == name.text.len() => {
            problem.help(format!("did you mean `{near}`?")).suggest(name.span, near)
        }
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("known are {}", names.join(", "))),
    };
    Err(Box::new(problem))
}

fn nowhere(segment: &Key, message: String) -> Box<Diagnostic> {
    let help = "a path goes through maps by key and through lists by position, such as `clients.web.timeout`";
    Box::new(Diagnostic::new(Code::BadPath, segment.span, message).help(help))
}

fn put(node: &mut Node, segments: &[Key], value: Node) -> Result<(), Box<Diagnostic>> {
    let Some((segment, rest)) = segments.split_first() else {
        *node = value;
        return Ok(());
    };
    if node.is_null() {
        *node = Node::empty_map(segment.span);
    }
    match &mut node.kind {
        NodeKind::Map(entries) => {
            let position = entries.iter().position(|(k, _)| k.text == segment.text);
            if rest.is_empty() && value.is_null() {
                entries.retain(|(k, _)| k.text != segment.text);
                return Ok(());
            }
            let position = position.unwrap_or_else(|| {
                entries.push((segment.clone(), Node::empty_map(segment.span)));
                entries.len() - 1
            });
            // Setting one choice replaces the other: `arrivals.poisson` over `arrivals: { trace: ... }`.
            let child = &mut entries[position].1;
            if let [next, ..] = rest
                && other_choice(&segment.text, child, &single(next))
            {
                *child = Node::empty_map(segment.span);
            }
            put(&mut entries[position].1, rest, value)
        }
        NodeKind::Seq(items) => {
            let count = items.len();
            let item = segment.text.parse::<usize>().ok().and_then(|i| items.get_mut(i));
            let message = || format!("`{}` is no position in a list of {count}", segment.text);
            put(item.ok_or_else(|| nowhere(segment, message()))?, rest, value)
        }
        _ => {
            let message = format!("`{}` cannot be inside {}", segment.text, node.describe());
            Err(nowhere(segment, message))
        }
    }
}

/// A map with one key, whose value does not matter.
fn single(key: &Key) -> Node {
    Node {
        span: key.span,
        kind: NodeKind::Map(vec![(key.clone(), Node::empty_map(key.span))]),
    }
}

/// Reads the argument of `--set path=value` (the value is YAML) into a path, its place and the value. `None` after
/// reporting.
pub fn parse_set(argument: &str, sources: &mut Sources, diagnostics: &Diagnostics) -> Option<(String, Span, Node)> {
    let file = sources.add("--set", argument);
    let whole = Span {
        file,
        start: 0,
        end: argument.len(),
    };
    let Some((path, value)) = argument.split_once('=') else {
        let problem = Diagnostic::new(Code::BadPath, whole, "`--set` needs a path, `=` and a value");
        diagnostics.push(problem.help("such as `--set clients.web.timeout=2s`"));
        return None;
    };
    let trimmed = path.trim();
    let start = path.len() - path.trim_start().len();
    let place = Span {
        start,
        end: start + trimmed.len(),
        ..whole
    };
    let node = parse_part(value, file, path.len() + 1, diagnostics)?;
    Some((trimmed.to_owned(), place, node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse;

    fn tree(text: &str, sources: &mut Sources, diagnostics: &Diagnostics) -> Node {
        let file = sources.add("x.yaml", text);
        parse(sources, file, diagnostics).unwrap_or(Node::empty_map(Span::NOWHERE))
    }

    /// A tree as compact text, to compare with.
    fn show(node: &Node) -> String {
        match &node.kind {
            NodeKind::Null => "~".to_owned(),
            NodeKind::Scalar(text) => text.clone(),
            NodeKind::Seq(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
            NodeKind::Map(entries) => {
                let entries: Vec<String> = entries.iter().map(|(k, v)| format!("{}:{}", k.text, show(v))).collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    }

    fn merged(base: &str, over: &str) -> (String, usize) {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let base = tree(base, &mut sources, &diagnostics);
        let over = tree(over, &mut sources, &diagnostics);
        (show(&merge(&base, &over, &diagnostics)), diagnostics.len())
    }

    fn assigned(base: &str, argument: &str) -> Result<String, String> {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let mut root = tree(base, &mut sources, &diagnostics);
        let (path, place, value) = parse_set(argument, &mut sources, &diagnostics).ok_or("unreadable")?;
        if set(&mut root, &path, place, value, &diagnostics) {
            Ok(show(&root))
        } else {
            Err(diagnostics.sorted()[0].message.clone())
        }
    }

    #[test]
    fn maps_merge_lists_and_scalars_are_replaced_null_removes() {
        let base = "a: {b: {c: 1, d: 2, e: [1, 2]}, x: {y: 1}}";
        let over = "a: {b: {d: 3, e: [4], f: {g: 5, h: ~}}, x: ~}";
        assert_eq!(merged(base, over), ("{a:{b:{c:1,d:3,e:[4],f:{g:5}}}}".to_owned(), 0));
    }

    #[test]
    fn the_winner_keeps_its_place() {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let base = tree("f: {g: {timeout: 3 s, memory: 1 GB}}", &mut sources, &diagnostics);
        let over = tree("f: {g: {timeout: 9 s}}", &mut sources, &diagnostics);
        let both = merge(&base, &over, &diagnostics);
        let places = ["f.g.timeout", "f.g.memory"].map(|p| get(&both, p).map(|n| (n.span.file, sources.slice(n.span))));
        assert_eq!(places, [Some((1, "9 s")), Some((0, "1 GB"))]);
    }

    #[test]
    fn another_choice_replaces_the_first() {
        let base = "f: {g: {t: {median: 4 ms, p99: 9 ms, offset: 1 ms}}}";
        let same = merged(base, "f: {g: {t: {p99: 20 ms}}}").0;
        assert_eq!(same, "{f:{g:{t:{median:4 ms,p99:20 ms,offset:1 ms}}}}");
        let other = merged(base, "f: {g: {t: {exponential: 5 ms}}}").0;
        assert_eq!(other, "{f:{g:{t:{exponential:5 ms}}}}");
        let scalar = merged(base, "f: {g: {t: 5 ms}}");
        assert_eq!(scalar, ("{f:{g:{t:5 ms}}}".to_owned(), 0));
        let table = merged(
            "f: {g: {t: {quantiles: {min: 1, p50: 2, max: 3}}}}",
            "f: {g: {t: {quantiles: {min: 0, max: 9}}}}",
        )
        .0;
        assert_eq!(table, "{f:{g:{t:{quantiles:{min:0,max:9}}}}}");
        let arrivals = merged(
            "c: {w: {arrivals: {poisson: 5/s}}}",
            "c: {w: {arrivals: {trace: x.csv}}}",
        )
        .0;
        assert_eq!(arrivals, "{c:{w:{arrivals:{trace:x.csv}}}}");
    }

    #[test]
    fn sections_and_components_keep_their_shape() {
        for over in ["functions: 5", "functions: {checkout: 400}", "functions: [a]", "[1]"] {
            let (text, problems) = merged("functions: {checkout: {memory: 1 GB}}", over);
            assert_eq!(
                (text.as_str(), problems),
                ("{functions:{checkout:{memory:1 GB}}}", 1),
                "{over}"
            );
        }
        assert_eq!(merged("title: x", "title: {a: 1}").1, 1);
    }

    #[test]
    fn paths_set_values_and_make_maps() {
        let base = "clients: {web: {arrivals: {poisson: 5/s}, timeout: 5 s}}\nlist: [a: 1, b: 2]";
        let set = |argument| assigned(base, argument);
        assert_eq!(
            set("clients.web.arrivals.poisson=9/s").as_deref(),
            Ok("{clients:{web:{arrivals:{poisson:9/s},timeout:5 s}},list:[{a:1},{b:2}]}")
        );
        assert_eq!(
            set("clients.web.arrivals.constant = 9/s").as_deref(),
            Ok("{clients:{web:{arrivals:{constant:9/s},timeout:5 s}},list:[{a:1},{b:2}]}")
        );
        assert_eq!(
            set("list.1.b={c: [3]}").as_deref(),
            Ok("{clients:{web:{arrivals:{poisson:5/s},timeout:5 s}},list:[{a:1},{b:{c:[3]}}]}")
        );
        assert_eq!(
            set("clients.web=null").as_deref(),
            Ok("{clients:{},list:[{a:1},{b:2}]}")
        );
        assert_eq!(
            set("run.seed=7").as_deref(),
            Ok("{clients:{web:{arrivals:{poisson:5/s},timeout:5 s}},list:[{a:1},{b:2}],run:{seed:7}}")
        );
    }

    #[test]
    fn setting_another_choice_replaces_the_first() {
        let base = "f: {g: {t: {median: 4 ms, p99: 9 ms}}}";
        assert_eq!(
            assigned(base, "f.g.t.p99=20 ms").as_deref(),
            Ok("{f:{g:{t:{median:4 ms,p99:20 ms}}}}")
        );
        assert_eq!(
            assigned(base, "f.g.t.exponential=5 ms").as_deref(),
            Ok("{f:{g:{t:{exponential:5 ms}}}}")
        );
        assert_eq!(assigned(base, "f.g.t=5 ms").as_deref(), Ok("{f:{g:{t:5 ms}}}"));
    }

    #[test]
    fn keys_made_by_a_path_point_at_their_segments() {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let mut root = tree("f: {g: {t: 5 ms}}", &mut sources, &diagnostics);
        let (path, place, value) = parse_set("f.g.memroy = 1 GB", &mut sources, &diagnostics).unwrap();
        assert!(set(&mut root, &path, place, value, &diagnostics));
        let (key, _) = get(&root, "f.g").and_then(|n| n.entry("memroy")).unwrap();
        assert_eq!((key.span.file, sources.slice(key.span)), (1, "memroy"));
    }

    #[test]
    fn paths_that_lead_nowhere() {
        let base = "clients: {web: {timeout: 5 s}}\nlist: [1]";
        let wrong = |argument| assigned(base, argument).unwrap_err();
        assert_eq!(wrong("clients.web.timeout.x=1"), "`x` cannot be inside `5 s`");
        assert_eq!(wrong("list.1=4"), "`1` is no position in a list of 1");
        assert_eq!(wrong("list.x=4"), "`x` is no position in a list of 1");
        assert_eq!(wrong("clients..web=4"), "the path `clients..web` has an empty segment");
        assert_eq!(wrong("clients.wob.timeout=4"), "there is no `wob` under `clients`");
        assert_eq!(wrong("clients"), "unreadable");
        assert_eq!(wrong("clients=[1"), "unreadable");
    }
}
