//! The house rules that a compiler does not know.

use crate::imports::{self, code};
use crate::support::{blessed, coldcurve, repository};
use coldcurve::model::KINDS;
use coldcurve::model::world::build::{ROOT, build};
use coldcurve::run::{billing, expect, load};
use coldcurve::scenario::catalog::RETRY;
use coldcurve::scenario::{Catalog, Diagnostics, NoFiles, Service, Severity, Sources, Table, check_table, parse};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first: a module imports only from itself and from those before it.
const LAYERS: [&str; 8] = ["kernel", "stats", "cost", "scenario", "model", "run", "report", "cli"];

/// The Rust files below a folder, sorted, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![repository().join(folder)]);
    if folders[0].is_file() {
        let text = fs::read_to_string(&folders[0]).expect("a source file");
        return vec![(PathBuf::from(folder), text)];
    }
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).expect("a source file");
                files.push((
                    entry.strip_prefix(repository()).expect("below the root").to_path_buf(),
                    text,
                ));
            }
        }
    }
    files.sort();
    files
}

fn is_test(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem == "tests" || stem.ends_with("_tests")
}

fn none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

#[test]
fn modules_import_only_from_lower_layers() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let layer = path
            .components()
            .nth(1)
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        let Some(mine) = LAYERS.iter().position(|name| layer.as_deref() == Some(*name)) else {
            continue;
        };
        for (number, line) in code(&text).lines().enumerate() {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let used = rest
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or("");
                if LAYERS
                    .iter()
                    .position(|name| *name == used)
                    .is_none_or(|other| other > mine)
                {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    none(&wrong, &format!("imports go down only: {}", LAYERS.join(" < ")));
}

/// The layers of the model, lowest first.
const INNER: [&str; 5] = ["parts", "request", "handler", "mechanism", "world"];

/// The module that a file is, as parts of a path from the crate on.
fn module(path: &Path) -> Vec<String> {
    imports::module(path.strip_prefix("src").unwrap_or(path))
}

#[test]
fn no_room_of_the_code_imports_in_a_circle() {
    let arrows = imports::arrows(&repository().join("src")).expect("the code");
    let (floors, circle) = imports::floors(&arrows);
    none(&circle, "rooms import from floors below them");
    let floor = |room: &str| floors.iter().position(|floor| floor.iter().any(|other| other == room));
    let order = [
        "kernel",
        "model/request",
        "model/handler",
        "model/mechanism/queue",
        "model/world",
        "run",
    ];
    assert!(
        order.map(floor).is_sorted_by(|below, above| below < above),
        "{floors:?}"
    );
    // A circle is found.
    let mut bent = arrows;
    bent.entry("kernel".to_owned()).or_default().insert("run".to_owned());
    assert!(imports::floors(&bent).1.contains(&"kernel".to_owned()));
}

#[test]
fn layers_of_the_model_and_siblings_keep_apart() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src/model").into_iter().filter(|(path, _)| !is_test(path)) {
        let here = module(&path);
        let Some(mine) = here
            .get(1)
            .and_then(|layer| INNER.iter().position(|name| name == layer))
        else {
            continue;
        };
        for (number, line) in code(&text).lines().enumerate() {
            for used in imports::named_modules(line, &here) {
                if used.first().is_none_or(|first| first != "model") {
                    continue;
                }
                let layer = used
                    .get(1)
                    .and_then(|layer| INNER.iter().position(|name| name == layer));
                let up = layer.is_none_or(|layer| layer > mine);
                let sibling = layer == Some(mine)
                    && INNER[mine] == "mechanism"
                    && here.len() > 2
                    && used
                        .get(2)
                        .is_some_and(|other| *other != here[2] && other != "contract");
                if up || sibling {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    none(
        &wrong,
        "in the model, imports go down (parts < request < handler < mechanism < world), and mechanisms know no other",
    );
    let here = ["model", "mechanism", "queue", "plan"].map(str::to_owned);
    assert_eq!(
        imports::named_modules("use super::super::stream::X;", &here)[0],
        ["model", "mechanism", "stream", "X"]
    );
    assert_eq!(
        imports::named_modules("    crate::model::world::run::World::new()", &here)[0][..2],
        ["model", "world"]
    );
}

#[test]
fn files_and_lines_stay_short() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        if text.lines().count() > 800 {
            wrong.push(format!("{} has {} lines", path.display(), text.lines().count()));
        }
        for (number, line) in text.lines().enumerate() {
            // What rustfmt cannot break: addresses and long texts.
            let example = ["//! |", "//!     "].iter().any(|start| line.starts_with(start));
            let exempt = example || line.contains("http") || line.contains('"');
            if line.chars().count() > 120 && !exempt {
                wrong.push(format!(
                    "{}:{} has {} characters",
                    path.display(),
                    number + 1,
                    line.chars().count()
                ));
            }
        }
    }
    none(&wrong, "files have at most 800 lines, lines at most 120 characters");
}

/// The functions of a file: name and number of lines. rustfmt ends each with a brace at the indentation of its start.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let bare = ["pub(crate) ", "pub(super) ", "pub ", "const "];
        let bare = bare
            .iter()
            .fold(trimmed, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        let Some(rest) = bare.strip_prefix("fn ") else { continue };
        let end = format!("{}}}", &line[..line.len() - trimmed.len()]);
        let length = lines[start..]
            .iter()
            .position(|line| *line == end || (line.ends_with('}') && line.contains("fn ")));
        let name = rest.split(['(', '<']).next().unwrap_or("").to_owned();
        found.push((name, length.map_or(0, |length| length + 1)));
    }
    found
}

#[test]
fn functions_stay_short() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let long = functions(&text)
            .into_iter()
            .filter(|(_, lines)| *lines > 70 && !is_test(&path));
        wrong.extend(long.map(|(name, lines)| format!("{}: {name} has {lines} lines", path.display())));
    }
    none(&wrong, "functions have at most 70 lines");
    assert_eq!(
        functions("    fn a(\n    ) {\n        b();\n    }\n"),
        [("a".to_owned(), 4)]
    );
}

#[test]
fn nothing_unfinished_is_left() {
    // In parts, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("dbg", "!("),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
    ];
    let mut wrong = Vec::new();
    for (path, text) in ["src", "tests", "benches", "examples"]
        .iter()
        .filter(|f| repository().join(f).exists())
        .flat_map(|f| sources(f))
    {
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        {
            wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
        }
    }
    none(&wrong, "nothing is left for later in the code");
}

#[test]
fn lower_layers_keep_to_their_business() {
    // The standard library's logarithms differ from platform to platform; `libm::` by name does not.
    let floating = &[
        ".ln()",
        ".exp()",
        ".powf(",
        ".powi(",
        ".log10()",
        ".exp_m1()",
        ".ln_1p()",
        ".sin()",
        ".cos()",
    ];
    let rules: [(&str, &[&str], &str); 9] = [
        (
            "src/kernel",
            &["String", "format!", "to_string"],
            "the kernel has no text",
        ),
        (
            "src/model",
            &["std::fs", "println!", "std::io", "std::env"],
            "the model does no I/O",
        ),
        ("src", &["HashMap", "HashSet"], "nothing depends on the order of hashes"),
        (
            "src",
            &["time::Instant::now", "std::time::Instant", "SystemTime"],
            "nothing depends on the day",
        ),
        ("src/kernel", floating, "the simulation path computes through `libm::`"),
        ("src/model", floating, "the simulation path computes through `libm::`"),
        ("src/stats", floating, "statistics are the same on every platform"),
        ("src/run", floating, "summaries are the same on every platform"),
        (
            "src/scenario/sampler.rs",
            floating,
            "the simulation path computes through `libm::`",
        ),
    ];
    for (folder, words, rule) in rules {
        let mut wrong = Vec::new();
        for (path, text) in sources(folder).into_iter().filter(|(path, _)| !is_test(path)) {
            for (number, line) in code(&text).lines().enumerate() {
                if words.iter().any(|word| line.contains(word)) {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
        none(&wrong, rule);
    }
}

#[test]
fn every_mechanism_says_what_it_models() {
    let headings = ["Model:", "Not modelled:", "Units:", "Sources:", "Validated by:"];
    let mut wrong = Vec::new();
    for (path, text) in sources("src/model") {
        if !text.contains("pub const TABLE: Table") {
            continue;
        }
        // The head of a mechanism is in its `mod.rs`, and that of faults where they happen.
        let head = if path.ends_with("world/faults.rs") {
            PathBuf::from("src/model/request/fault.rs")
        } else if path
            .file_name()
            .is_some_and(|name| name == "fields.rs" || name == "plan.rs")
        {
            path.with_file_name("mod.rs")
        } else {
            path.clone()
        };
        let text = fs::read_to_string(repository().join(&head)).expect("a source file");
        for heading in headings
            .iter()
            .filter(|h| !text.lines().any(|line| line.starts_with(&format!("//! {h}"))))
        {
            wrong.push(format!("{} lacks `{heading}`", head.display()));
        }
    }
    none(
        &wrong,
        "a mechanism opens with what it models, what not, units, sources and how it is validated",
    );
}

#[test]
fn every_table_of_fields_is_sound() {
    let roots: [&'static Table; 4] = [&ROOT, &billing::TABLE, &load::SWEEP, &expect::TABLE];
    let wrong: Vec<String> = roots.into_iter().flat_map(check_table).collect();
    none(
        &wrong,
        "defaults are readable and within range, names are unique, every field has its sentence",
    );
}

/// The generated pages under `docs`.
#[test]
fn generated_pages_are_what_the_program_prints() {
    for (what, file) in [("reference", "docs/reference.md"), ("schema", "docs/schema.json")] {
        let outcome = coldcurve(repository(), &["explain", "--all", what]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        blessed(&repository().join(file), &outcome.stdout).unwrap_or_else(|difference| panic!("{difference}"));
    }
}

/// A scenario in which this service is a component. What it lacks beside that is no matter here.
fn around(service: &Service) -> String {
    if service.kind == RETRY {
        let client = format!("to: target, retry: {}, arrivals: {{ poisson: 1/s }}", service.name);
        return format!("clients: {{ web: {{ {client} }} }}\nfunctions: {{ target: {{}} }}\n");
    }
    let functions = match service.kind.as_str() {
        "functions" => format!("functions: {{ target: {{ service: {} }} }}", service.name),
        kind => format!(
            "functions: {{ target: {{}} }}\n{kind}: {{ it: {{ service: {}, to: target }} }}",
            service.name
        ),
    };
    format!("clients: {{ web: {{ to: target, arrivals: {{ poisson: 1/s }} }} }}\n{functions}\n")
}

#[test]
fn every_service_of_the_catalog_is_a_component_of_its_kind() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let names = {
        let catalog = Catalog::load(None, &mut Sources::new(), &Diagnostics::new());
        catalog
            .services()
            .iter()
            .map(|service| service.name.clone())
            .collect::<Vec<_>>()
    };
    for name in names {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let catalog = Catalog::load(None, &mut sources, &diagnostics);
        let service = catalog.get(&name).expect("a service of the catalog");
        if service.kind != RETRY && !KINDS.contains(&service.kind.as_str()) {
            wrong.push(format!("{name} is of no kind that there is: {}", service.kind));
            continue;
        }
        seen += 1;
        let scenario = sources.add("scenario.yaml", around(service));
        let root = parse(&sources, scenario, &diagnostics).expect("a scenario");
        let _ = build(&root, &catalog, &diagnostics, &NoFiles);
        let of_catalog = diagnostics
            .sorted()
            .into_iter()
            .filter(|problem| problem.code.severity() == Severity::Error && problem.primary.0.file != scenario);
        wrong.extend(of_catalog.map(|problem| problem.render(&sources, false)));
    }
    none(
        &wrong,
        "the defaults of a service are good values of fields of its kind",
    );
    assert!(seen >= 20, "only {seen} services were looked at");
}
