//! The catalog: services as data. A file per service gives defaults for one kind of component, each with its source.
//!
//! ```yaml
//! service: aws.lambda
//! kind: functions
//! title: AWS Lambda
//! defaults:
//!   timeout: { value: 3 s, source: "...", as_of: 2026-10, confidence: high }
//! ```
//!
//! A component that says `service: aws.lambda` gets the values below its own, and `retry: aws-sdk-standard` stands for
//! the values of a file of the kind `retry`. Other sections of the file, such as `prices`, are kept as they are for
//! whoever reads them.

use super::catalog_files::EMBEDDED;
use super::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use super::overlay::merge_fields;
use super::parse::parse;
use super::tree::{Node, NodeKind, Sources, Span};
use std::path::Path;

/// The kind of presets that are retry policies: callers name them under `retry`.
pub const RETRY: &str = "retry";

/// A service: a preset for one kind of component, or for a block that is named.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, such as "aws.lambda".
    pub name: String,
    /// The section that its components belong under, such as "functions", or [`RETRY`].
    pub kind: String,
    /// Its name for humans.
    pub title: String,
    /// The whole file.
    root: Node,
    /// The values of `defaults`, without their sources.
    values: Node,
}

/// A default of a service with what is known about it.
#[derive(Clone, Debug)]
pub struct DefaultValue<'a> {
    /// The field, dotted if it is inside a block.
    pub path: String,
    /// The value.
    pub value: &'a Node,
    /// Where it comes from.
    pub source: &'a str,
    /// When that was looked up, such as "2026-10"; empty if not said.
    pub as_of: &'a str,
    /// "high", "medium" or "low"; empty if not said.
    pub confidence: &'a str,
}

impl Service {
    /// A top-level section of the file, such as "prices".
    pub fn section(&self, name: &str) -> Option<&Node> {
        self.root.get(name).filter(|n| !n.is_null())
    }

    /// The values that a component of this service gets below its own.
    pub fn preset(&self) -> &Node {
        &self.values
    }

    /// The defaults with their sources, in the order of the file; those of nested blocks in their place.
    pub fn defaults(&self) -> Vec<DefaultValue<'_>> {
        let mut list = Vec::new();
        if let Some(defaults) = self.root.get("defaults") {
            collect(defaults, "", &mut list);
        }
        list
    }
}

fn collect<'a>(node: &'a Node, above: &str, list: &mut Vec<DefaultValue<'a>>) {
    for (key, entry) in node.entries() {
        let path = format!("{above}{}", key.text);
        let text = |name: &str| entry.get(name).and_then(Node::scalar).unwrap_or("");
        match entry.get("value") {
            Some(value) => list.push(DefaultValue {
                path,
                value,
                source: text("source"),
                as_of: text("as_of"),
                confidence: text("confidence"),
            }),
            None => collect(entry, &format!("{path}."), list),
        }
    }
}

/// All services that are known, the user's own before the embedded ones.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    services: Vec<Service>,
}

impl Catalog {
    /// The embedded catalog, and below `user_folder` (if there is one) every `.yaml` file at any depth; a user's file
    /// replaces the embedded one of the same service.
    pub fn load(user_folder: Option<&Path>, sources: &mut Sources, diagnostics: &Diagnostics) -> Self {
        Self::load_all(user_folder.as_slice(), sources, diagnostics)
    }

    /// The same with several folders, the first of which wins.
    pub fn load_all(folders: &[&Path], sources: &mut Sources, diagnostics: &Diagnostics) -> Self {
        let mut catalog = Self::default();
        let mut files = Vec::new();
        for folder in folders {
            if let Err(error) = std::fs::read_dir(folder) {
                let place = folder.display();
                let file = sources.add(place.to_string(), "");
                let span = Span { file, start: 0, end: 0 };
                let message = format!("cannot read the catalog `{place}`: {error}");
                let help = "`catalog` names a folder, relative to the scenario's folder";
                diagnostics.push(Diagnostic::new(Code::Unreadable, span, message).help(help));
            }
            for path in yaml_files(folder, 0) {
                files.extend(sources.load(&path, diagnostics));
            }
        }
        for (name, text) in EMBEDDED {
            files.push(sources.add(format!("catalog/{name}"), *text));
        }
        for file in files {
            catalog.add(file, sources, diagnostics);
        }
        catalog
    }

    /// Adds one of the sources to the catalog, unless it has the service already.
    pub fn add(&mut self, file: u32, sources: &Sources, diagnostics: &Diagnostics) {
        let Some(root) = parse(sources, file, diagnostics) else {
            return;
        };
        let text = |name: &str| {
            let text = root.get(name).and_then(Node::scalar);
            if text.is_none() {
                let message = format!("a catalog file needs `{name}`");
                diagnostics.push(Diagnostic::new(Code::BadCatalog, root.span, message));
            }
            text.map(str::to_owned)
        };
        let (name, kind, title) = (text("service"), text("kind"), text("title"));
        let (Some(name), Some(kind), Some(title)) = (name, kind, title) else {
            return;
        };
        let empty = Node::empty_map(root.span);
        let values = values_of(root.get("defaults").unwrap_or(&empty), 0, diagnostics);
        self.push(Service {
            name,
            kind,
            title,
            root,
            values,
        });
    }

    /// Adds a service, unless there is one of its name.
    pub fn push(&mut self, service: Service) {
        if self.get(&service.name).is_none() {
            self.services.push(service);
        }
    }

    /// A service by its name.
    pub fn get(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.name == name)
    }

    /// All services.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The services of a kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Service> + Clone {
        self.services.iter().filter(move |service| service.kind == kind)
    }

    /// A component with the defaults of its `service` below what it says itself. A service that is unknown or meant for
    /// another section than `kind` is reported and the component returned as it is. The key `service` stays.
    #[must_use]
    pub fn apply(&self, kind: &str, component: &Node, diagnostics: &Diagnostics) -> Node {
        let Some((name, node)) = component.get("service").and_then(|n| n.scalar().map(|s| (s, n))) else {
            return component.clone();
        };
        let Some(service) = self.get(name) else {
            let problem = Diagnostic::new(Code::UnknownService, node.span, format!("there is no service `{name}`"));
            let fitting = || self.of_kind(kind).map(|s| s.name.as_str());
            let near = nearest(name, fitting());
            diagnostics.push(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")).suggest(node.span, near),
                None => problem.help(format!(
                    "services for {kind}: {}",
                    fitting().collect::<Vec<_>>().join(", ")
                )),
            });
            return component.clone();
        };
        if service.kind != kind {
            let message = format!("`{name}` is a service for `{}`, not for `{kind}`", service.kind);
            let fitting = self.of_kind(kind).map(|s| s.name.as_str());
            let help = match service.kind.as_str() {
                RETRY => format!("write `retry: {name}` where a client or a call says how it tries again"),
                other if fitting.clone().next().is_none() => format!("move the component to `{other}`"),
                other => format!(
                    "move the component to `{other}`, or name one of {}",
                    fitting.collect::<Vec<_>>().join(", ")
                ),
            };
            diagnostics.push(Diagnostic::new(Code::WrongService, node.span, message).help(help));
            return component.clone();
        }
        merge_fields(&service.values, component, diagnostics)
    }
}

/// The values of a block of defaults: entries with a `value` stand for it, others are blocks of their own.
fn values_of(defaults: &Node, depth: usize, diagnostics: &Diagnostics) -> Node {
    let mut entries = Vec::new();
    for (key, entry) in defaults.entries() {
        let value = match (entry.get("value"), &entry.kind) {
            (Some(value), _) => {
                if entry.get("source").and_then(Node::scalar).is_none_or(str::is_empty) {
                    let message = format!("the default `{}` has no `source`", key.text);
                    diagnostics.push(Diagnostic::new(Code::BadCatalog, key.span, message));
                }
                value.clone()
            }
            (None, NodeKind::Map(_)) if depth < 4 => values_of(entry, depth + 1, diagnostics),
            _ => {
                let message = format!("the default `{}` has no `value`", key.text);
                let help = "write `{ value: 3 s, source: \"...\", as_of: 2026-10, confidence: high }`";
                diagnostics.push(Diagnostic::new(Code::BadCatalog, key.span, message).help(help));
                continue;
            }
        };
        entries.push((key.clone(), value));
    }
    Node {
        span: defaults.span,
        kind: NodeKind::Map(entries),
    }
}

/// The YAML files below a folder, sorted by path; folders that cannot be read hold none.
fn yaml_files(folder: &Path, depth: usize) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() && depth < 4 {
            files.extend(yaml_files(&path, depth + 1));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAMBDA: &str = "service: aws.lambda
kind: functions
title: AWS Lambda
defaults:
  timeout: { value: 3 s, source: quotas, as_of: 2026-10, confidence: high }
  placement: { value: { median: 120 ms, p99: 400 ms }, source: measured, confidence: low }
  scaling:
    burst: { value: 1000, source: quotas }
    every: { value: 10 s, source: quotas }
prices:
  request: $0.20
";

    fn catalog(texts: &[&str], diagnostics: &Diagnostics) -> (Catalog, Sources) {
        let (mut sources, mut catalog) = (Sources::new(), Catalog::default());
        for text in texts {
            let file = sources.add("catalog/x.yaml", *text);
            catalog.add(file, &sources, diagnostics);
        }
        (catalog, sources)
    }

    fn applied(kind: &str, component: &str) -> (Node, Diagnostics, Sources) {
        let diagnostics = Diagnostics::new();
        let (catalog, mut sources) = catalog(&[LAMBDA], &diagnostics);
        let file = sources.add("scenario.yaml", component);
        let node = parse(&sources, file, &diagnostics).unwrap_or(Node::empty_map(crate::scenario::Span::NOWHERE));
        (catalog.apply(kind, &node, &diagnostics), diagnostics, sources)
    }

    #[test]
    fn the_user_wins_and_the_preset_fills_in() {
        let component = "service: aws.lambda\ntimeout: 9 s\nscaling: {burst: 5}\nplacement: {exponential: 4 ms}\n";
        let (node, diagnostics, sources) = applied("functions", component);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(&sources, false));
        let value = |path| crate::scenario::overlay::get(&node, path).and_then(Node::scalar);
        assert_eq!(value("timeout"), Some("9 s"));
        assert_eq!(value("scaling.burst"), Some("5"));
        assert_eq!(value("scaling.every"), Some("10 s"));
        assert_eq!(value("placement.exponential"), Some("4 ms"));
        assert_eq!(value("placement.median"), None);
        assert_eq!(value("service"), Some("aws.lambda"));
        let (plain, ..) = applied("functions", "service: aws.lambda\ntimeout: null\n");
        assert_eq!(plain.get("timeout"), None, "null takes a default away");
        assert!(plain.get("placement").is_some_and(|p| p.get("p99").is_some()));
    }

    #[test]
    fn unknown_and_unfit_services_are_reported() {
        let (_, diagnostics, _) = applied("functions", "service: aws.lamda\n");
        let problem = &diagnostics.sorted()[0];
        assert_eq!(problem.code, Code::UnknownService);
        assert_eq!(problem.suggestion.as_ref().map(|s| s.1.as_str()), Some("aws.lambda"));
        let (_, diagnostics, _) = applied("databases", "service: aws.lambda\n");
        assert_eq!(diagnostics.sorted()[0].code, Code::WrongService);
        let diagnostics = Diagnostics::new();
        let policy = "service: ours\nkind: retry\ntitle: Ours\n";
        let (catalog, mut sources) = catalog(&[policy], &diagnostics);
        let file = sources.add("scenario.yaml", "service: ours\n");
        let node = parse(&sources, file, &diagnostics).unwrap();
        let _ = catalog.apply("functions", &node, &diagnostics);
        let help = diagnostics.sorted()[0].help.clone().unwrap();
        assert!(help.starts_with("write `retry: ours`"), "{help}");
    }

    #[test]
    fn sections_and_sources_stay_accessible() {
        let diagnostics = Diagnostics::new();
        let (catalog, _) = catalog(&[LAMBDA, LAMBDA], &diagnostics);
        assert_eq!(catalog.services().len(), 1, "the first file of a service wins");
        let service = catalog.get("aws.lambda").unwrap();
        assert_eq!(
            service
                .section("prices")
                .and_then(|p| p.get("request"))
                .and_then(Node::scalar),
            Some("$0.20")
        );
        assert!(service.section("limits").is_none());
        let defaults = service.defaults();
        let keys: Vec<&str> = defaults.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(keys, ["timeout", "placement", "scaling.burst", "scaling.every"]);
        assert_eq!(
            (defaults[0].source, defaults[0].as_of, defaults[0].confidence),
            ("quotas", "2026-10", "high")
        );
    }

    #[test]
    fn bad_files_are_reported() {
        let bad = |text: &str| {
            let diagnostics = Diagnostics::new();
            catalog(&[text], &diagnostics);
            diagnostics.sorted().into_iter().map(|d| d.message).collect::<Vec<_>>()
        };
        assert_eq!(bad("service: a\ntitle: b\n"), ["a catalog file needs `kind`"]);
        let head = "service: a\nkind: b\ntitle: c\ndefaults:\n";
        assert_eq!(bad(&format!("{head}  x: 3 s\n")), ["the default `x` has no `value`"]);
        assert_eq!(
            bad(&format!("{head}  x: {{ value: 3 s }}\n")),
            ["the default `x` has no `source`"]
        );
        assert_eq!(bad(LAMBDA), [""; 0]);
    }

    /// The list of embedded files and the folder agree, and every file is in order.
    #[test]
    fn the_embedded_list_is_the_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog");
        let found: Vec<String> = yaml_files(&root, 0)
            .iter()
            .filter_map(|p| p.strip_prefix(&root).ok())
            .map(|p| p.display().to_string())
            .filter(|p| !p.starts_with("prices"))
            .collect();
        let mut listed: Vec<&str> = EMBEDDED.iter().map(|e| e.0).collect();
        listed.sort_unstable();
        assert_eq!(found, listed, "edit src/scenario/catalog_files.rs");
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let catalog = Catalog::load(None, &mut sources, &diagnostics);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(&sources, false));
        assert_eq!(
            catalog.services().len(),
            EMBEDDED.len(),
            "two files describe one service"
        );
    }

    #[test]
    fn a_folder_of_ones_own_comes_first() {
        let folder = std::env::temp_dir().join(format!("coldcurve-catalog-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("own")).unwrap();
        std::fs::write(folder.join("own/lambda.yaml"), LAMBDA.replace("3 s", "4 s")).unwrap();
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let catalog = Catalog::load(Some(&folder), &mut sources, &diagnostics);
        std::fs::remove_dir_all(&folder).unwrap();
        let lambda = catalog.get("aws.lambda").unwrap();
        assert_eq!(lambda.defaults()[0].value.scalar(), Some("4 s"));
    }
}
