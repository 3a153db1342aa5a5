//! Reads a scenario file into a study: the base, its variants, its sweep, its expectations, each checked.

pub mod cell;

use super::billing;
use super::expect::{self, Expectation};
use super::progress::{Phase, Progress, Silent};
use super::promise::Promise;
use super::services;
use super::study::{CellPlan, Study};
use super::summary::{Axis, InputRef, Manifest, PointValue, PriceBookRef, Scale, Unit, digest};
use super::tally;
use super::warmup::Clock;
use crate::cost::PriceBook;
use crate::model::KINDS;
use crate::model::world::build::ROOT;
use crate::scenario::overlay::{self, merge, parse_set, set};
use crate::scenario::witness::Witness;
use crate::scenario::{
    Block, Catalog, Code, Context, Diagnostic, Diagnostics, Field, Files, Folder, Kind, Names, Node, NodeKind, Service,
    Shelf, Sources, Span, Table, nearest, parse, prices, read_entries, units,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cell::Reread;

/// What the command line may change about a scenario.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `path=value` overrides, laid over the scenario before its variants.
    pub set: Vec<String>,
    /// The master seed.
    pub seed: Option<u64>,
    /// Replications.
    pub replications: Option<u64>,
    /// About how many units of work of each cell's first run are recorded step by step, if any.
    pub record: Option<u64>,
    /// Only these variants, if any are named.
    pub variants: Vec<String>,
    /// Folders with service files that come before the scenario's own and the embedded ones.
    pub catalogs: Vec<PathBuf>,
    /// Whether it is found out what plausible other values of what is not said would do: [`super::assumptions`].
    pub assumptions: bool,
}

/// A scenario that was read: the study if there was no error, and everything there is to say about the text.
pub struct Loaded {
    /// The texts that spans refer to.
    pub sources: Sources,
    /// Errors and warnings.
    pub diagnostics: Diagnostics,
    /// What can be run.
    pub study: Option<Study>,
}

/// The fields of an entry of `sweep`.
pub const SWEEP: Table = Table {
    name: "sweep",
    doc: "A parameter and the values to try. Several entries are combined.",
    fields: &[
        Field::required(
            "parameter",
            Kind::List(&Kind::Text),
            "Dotted path, or several that take the same value.",
        ),
        Field::required(
            "values",
            Kind::List(&Kind::Any),
            "The values, as they would stand in the scenario.",
        )
        .sample("[512 MB, 1 GB]"),
        Field::optional("label", Kind::Text, "Words for the axis of charts; the path if absent."),
    ],
};

/// Reads the scenario at `path`.
pub fn load(path: &Path, options: &Options) -> Loaded {
    load_telling(path, options, &Silent)
}

/// Reads the scenario at `path` and tells how many of its cells have been read.
pub fn load_telling(path: &Path, options: &Options, progress: &dyn Progress) -> Loaded {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.load(path, &diagnostics);
    loaded(path, file, options, (sources, diagnostics), progress)
}

/// Reads a text as the scenario that lies at `path`, beside its data; with an empty path, as one without a file, with
/// its data in the working folder.
pub fn load_text(path: &Path, text: &str, options: &Options, progress: &dyn Progress) -> Loaded {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.load_bytes(&named(path), text.as_bytes().to_vec(), &diagnostics);
    loaded(path, file, options, (sources, diagnostics), progress)
}

/// What a scenario is called where its problems are told.
pub(super) fn named(path: &Path) -> String {
    let name = path.display().to_string();
    if name.is_empty() { "scenario".to_owned() } else { name }
}

fn loaded(
    path: &Path,
    file: Option<u32>,
    options: &Options,
    (mut sources, diagnostics): (Sources, Diagnostics),
    progress: &dyn Progress,
) -> Loaded {
    let study = file.and_then(|file| load_study((path, file), options, (&mut sources, &diagnostics), progress));
    Loaded {
        study: study.filter(|_| !diagnostics.has_errors()),
        sources,
        diagnostics,
    }
}

fn load_study(
    (path, file): (&Path, u32),
    options: &Options,
    (sources, diagnostics): (&mut Sources, &Diagnostics),
    progress: &dyn Progress,
) -> Option<Study> {
    let mut root = parse(sources, file, diagnostics)?;
    let folder = Folder(path.parent().map(Path::to_path_buf).unwrap_or_default());
    overlay::repair(&mut root, &ROOT, diagnostics);
    let seen = Witness::new(&folder, digest);
    for argument in &options.set {
        let (path, place, value) = parse_set(argument, sources, diagnostics)?;
        set(&mut root, &path, place, value, diagnostics);
    }
    let own = root.get("catalog").and_then(Node::scalar).map(|own| folder.0.join(own));
    let folders: Vec<&Path> = options.catalogs.iter().chain(&own).map(PathBuf::as_path).collect();
    let catalog = Catalog::load_all(&folders, sources, diagnostics);
    let files = Shelf::new(&seen);
    let reader = Loader {
        catalog: &catalog,
        prices: billing::listed(&catalog, diagnostics),
        diagnostics,
        files: &files,
        options,
        progress,
    };
    let mut study = reader.study(&root)?;
    let prices = reader.prices.clone();
    let stem = path
        .file_stem()
        .map_or("scenario".into(), |stem| stem.to_string_lossy());
    study.name = stem.into_owned();
    study.data = deciding(&root, sources, &catalog, &seen);
    let inputs = inputs(&folder.0, sources, &seen);
    study.manifest = manifest(path, sources.text(file), options, &study, inputs);
    study.manifest.services = services::used(&root, &catalog, &|node| sources.slice(node.span).to_owned());
    study.places = study.expectations.iter().map(|e| place(sources, e)).collect();
    study.reread = options.assumptions.then(|| {
        let seed = options.seed;
        let (root, folder) = (root.clone(), folder.clone());
        Arc::new(Reread {
            root,
            catalog: catalog.clone(),
            folder,
            prices,
            seed,
        })
    });
    Some(study)
}

fn place(sources: &Sources, expectation: &Expectation) -> String {
    let (line, _) = sources.line_column(expectation.span.file, expectation.span.start);
    let name = Path::new(sources.name(expectation.span.file)).file_name();
    format!(
        "{}:{line}",
        name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    )
}

/// A word as a shell takes it: as it is where nothing in it means anything to a shell, else in quotes.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:,%+@=".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// How to name a file or folder from another folder, with `..` where it takes that: what a manifest says is meant for
/// the scenario's own folder, wherever it was run and wherever that lies.
pub(crate) fn seen_from(folder: &Path, path: &Path) -> PathBuf {
    let here = Path::new(".");
    let folder = if folder.as_os_str().is_empty() { here } else { folder };
    let (Ok(from), Ok(to)) = (folder.canonicalize(), path.canonicalize()) else {
        return path.to_path_buf();
    };
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    if shared == 0 {
        return to;
    }
    let up = from.components().skip(shared).map(|_| std::path::Component::ParentDir);
    let seen: PathBuf = up.chain(to.components().skip(shared)).collect();
    if seen.as_os_str().is_empty() {
        here.to_path_buf()
    } else {
        seen
    }
}

/// What was read beside the scenario itself: data, prices, and services of one's own.
fn inputs(folder: &Path, sources: &Sources, seen: &Witness) -> Vec<InputRef> {
    let data = seen.seen().into_iter().map(|(file, digest)| InputRef { file, digest });
    let services = sources.loaded().iter().skip(1).map(|&file| InputRef {
        file: seen_from(folder, Path::new(sources.name(file))).display().to_string(),
        digest: digest(sources.text(file).as_bytes()),
    });
    let mut inputs: Vec<InputRef> = data.chain(services).collect();
    inputs.sort();
    inputs.dedup();
    inputs
}

/// Those of the inputs that decide what happens in a run: data, but not prices, and what services of one's own preset.
fn deciding(root: &Node, sources: &Sources, catalog: &Catalog, seen: &Witness) -> Vec<InputRef> {
    let variants = root.get("variants").map_or(&[][..], Node::entries);
    let trees = || std::iter::once(root).chain(variants.iter().map(|(_, overlay)| overlay));
    let is_price = |file: &str| trees().any(|tree| tree.get("prices").and_then(Node::scalar) == Some(file));
    let data = seen.seen().into_iter().filter(|(file, _)| !is_price(file));
    let data = data.map(|(file, digest)| InputRef { file, digest });
    let own = |service: &&Service| sources.loaded().contains(&service.preset().span.file);
    let services = catalog.services().iter().filter(own).map(|service| InputRef {
        file: service.name.clone(),
        digest: tally::header::preset_digest(&service.kind, service.preset()),
    });
    data.chain(services).collect()
}

/// What stands in place of a command, and does nothing in a shell, where the scenario is gone after it was read.
const NOT_REPEATABLE: &str = "# no command repeats this run: the scenario came through a pipe; save it as a file";

/// The same where there never was a file.
const NO_FILE: &str = "# no command repeats this run: the scenario was a text in a program; save it as a file";

fn manifest(path: &Path, text: &str, options: &Options, study: &Study, inputs: Vec<InputRef>) -> Manifest {
    let file = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    // A name that begins with a dash would be taken for an option.
    let scenario = quoted(&if file.starts_with('-') {
        format!("./{file}")
    } else {
        file.clone()
    });
    let mut changes = String::new();
    for variant in &options.variants {
        let _ = write!(changes, " --variant={}", quoted(variant));
    }
    for set in &options.set {
        let _ = write!(changes, " --set={}", quoted(set));
    }
    for catalog in &options.catalogs {
        let catalog = seen_from(path.parent().unwrap_or(Path::new("")), catalog);
        let _ = write!(changes, " --catalog={}", quoted(&catalog.display().to_string()));
    }
    let (seed, replications) = (study.seed, study.replications);
    let book = prices::built_in();
    let command = if path.as_os_str().is_empty() {
        NO_FILE.to_owned()
    } else if path.is_file() {
        format!("coldcurve run {scenario} --seed {seed} --replications {replications}{changes}")
    } else {
        NOT_REPEATABLE.to_owned()
    };
    Manifest {
        coldcurve: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        scenario_file: file,
        scenario_digest: digest(text.as_bytes()),
        overrides: options.set.clone(),
        inputs,
        services: Vec::new(),
        price_books: vec![PriceBookRef {
            name: book.name.clone(),
            region: book.region.clone(),
            as_of: book.as_of.clone(),
        }],
    }
}

/// A variant: its name, the place of its overlay, and the scenario with that laid over it.
type Variant = (String, Span, Node);

/// Reports what was found in each variant, once; what only some variants suffer from is said to be theirs.
fn report_all(variants: &[Variant], heard: &[Vec<Diagnostic>], diagnostics: &Diagnostics) {
    /// Which variants have a problem.
    struct Having {
        first: usize,
        last: usize,
        count: usize,
    }
    let mut having: BTreeMap<&Diagnostic, Having> = BTreeMap::new();
    for (number, problem) in heard
        .iter()
        .enumerate()
        .flat_map(|(number, list)| list.iter().map(move |p| (number, p)))
    {
        let seen = having.entry(problem).or_insert(Having {
            first: number,
            last: number,
            count: 1,
        });
        seen.count += usize::from(seen.last != number);
        seen.last = number;
    }
    for (number, (list, (name, overlay, _))) in heard.iter().zip(variants).enumerate() {
        for problem in list {
            let everywhere = having[problem].count == heard.len();
            if everywhere || problem.is_within(*overlay) {
                diagnostics.push(problem.clone());
            } else if having[problem].first == number {
                let here = format!("with the variant `{name}`");
                diagnostics.push(problem.clone().also(overlay.first(name.len()), here));
            }
        }
    }
}

struct Loader<'a> {
    catalog: &'a Catalog,
    prices: Arc<PriceBook>,
    diagnostics: &'a Diagnostics,
    files: &'a dyn Files,
    options: &'a Options,
    progress: &'a dyn Progress,
}

/// The most cells (variants times sweep points) of a scenario: each of them is read, run and drawn.
const CELLS_MAX: usize = 10_000;

/// A swept parameter with its values.
struct SweepAxis {
    /// Where the parameter goes, and where that is written.
    paths: Vec<(String, Span)>,
    values: Vec<Node>,
    axis: Axis,
    points: Vec<PointValue>,
}

impl Loader<'_> {
    /// What reading needs, with these components.
    fn reading<'c>(&'c self, names: &'c Names) -> Context<'c> {
        Context {
            diagnostics: self.diagnostics,
            names,
            files: self.files,
            catalog: self.catalog,
        }
    }

    fn study(&self, root: &Node) -> Option<Study> {
        let names = Names::default();
        let cx = self.reading(&names);
        let block = Block::new(&cx, root, &ROOT);
        let axes = self.axes(&block);
        let variants = self.variants(root);
        let count = variants.iter().fold(0_usize, |sum, (name, _, tree)| {
            let own = Self::axes_of(&axes, name, tree);
            let cells = own.iter().filter(|(_, there)| *there);
            sum.saturating_add(cells.fold(1, |n, (axis, _)| n.saturating_mul(axis.values.len())))
        });
        if count > CELLS_MAX {
            let message = format!("{count} cells: at most {CELLS_MAX} are run");
            let help = "try fewer values, or split the sweep into several scenarios";
            cx.error(Code::BadSweep, block.span_of("sweep"), message, help);
            return None;
        }
        self.report_lost_paths(&axes, &variants);
        self.progress.begin(Phase::Reading, count as u64);
        let (mut cells, mut spec, mut heard) = (Vec::new(), None, Vec::new());
        for (variant, _, tree) in &variants {
            let own = Diagnostics::new();
            for point in combinations(&Self::axes_of(&axes, variant, tree)) {
                if self.progress.is_cancelled() {
                    return None;
                }
                if let Some((cell, run)) = self.cell(variant, tree, &axes, &point, &own) {
                    spec.get_or_insert((run, cell.plan.seed));
                    cells.push(cell);
                }
                self.progress.step(Phase::Reading);
            }
            heard.push(own.sorted());
        }
        let file = self.whole_file(root, &axes, &cells);
        report_all(&variants, &heard, self.diagnostics);
        let cells_of_file = self.cells_of_file(root, &axes, &variants);
        let axes: Vec<Axis> = axes.into_iter().map(|axis| axis.axis).collect();
        let expectations = self.expectations(&block, &variants, &axes);
        if !self.diagnostics.has_errors() {
            expect::check(&expectations, &cells, self.diagnostics);
        }
        let (run, seed) = spec?;
        billing::check_prices(&cells, self.diagnostics, root);
        Some(Study {
            name: String::new(),
            // One line, whatever it was written as.
            title: block.text("title").split_whitespace().collect::<Vec<_>>().join(" "),
            seed,
            replications: self.options.replications.unwrap_or(run.replications),
            record: self.options.record,
            axes,
            cells,
            file,
            clock: Clock {
                auto: run.warmup_auto,
                open: run.length_open,
            },
            cells_of_file,
            promise: Promise::read(&block),
            expectations,
            places: Vec::new(),
            manifest: Manifest::default(),
            data: Vec::new(),
            reread: None,
        })
    }

    /// The cells of all variants, where only some of them run: `cells` are those. What cannot be read has no say, and
    /// is reported when it is to run.
    fn whole_file(&self, root: &Node, axes: &[SweepAxis], cells: &[CellPlan]) -> Vec<CellPlan> {
        let entries = root.get("variants").map_or(&[][..], Node::entries);
        if self.options.variants.is_empty() || entries.is_empty() {
            return Vec::new();
        }
        let mut all = Vec::new();
        for (key, overlay) in entries {
            let picked = cells.iter().filter(|cell| cell.variant == key.text);
            let before = all.len();
            all.extend(picked.cloned());
            if all.len() == before {
                let quiet = Diagnostics::new();
                let tree = merge(root, overlay, &quiet);
                let read = |point: Vec<Option<usize>>| self.cell(&key.text, &tree, axes, &point, &quiet);
                let points = combinations(&Self::axes_of(axes, &key.text, &tree));
                let others: Vec<CellPlan> = points.into_iter().filter_map(read).map(|c| c.0).collect();
                if !quiet.has_errors() {
                    all.extend(others);
                }
            }
        }
        all
    }

    /// How many cells all variants have, those that do not run included.
    fn cells_of_file(&self, root: &Node, axes: &[SweepAxis], variants: &[Variant]) -> usize {
        let cells = |name: &str, tree: &Node| combinations(&Self::axes_of(axes, name, tree)).len();
        let running = variants.iter().map(|(name, _, tree)| cells(name, tree)).sum();
        if self.options.variants.is_empty() {
            return running;
        }
        let quiet = Diagnostics::new();
        let entries = root.get("variants").map_or(&[][..], Node::entries);
        let declared = entries
            .iter()
            .map(|(key, overlay)| cells(&key.text, &merge(root, overlay, &quiet)));
        declared.sum::<usize>().max(running)
    }

    /// The swept parameters that have values, each with whether a variant has it. What a variant does not have makes
    /// no difference to it, and is not tried value by value.
    fn axes_of<'x>(axes: &'x [SweepAxis], variant: &str, tree: &Node) -> Vec<(&'x SweepAxis, bool)> {
        let there = |axis: &SweepAxis| {
            let mut paths = axis.paths.iter();
            paths.any(|(path, _)| Self::path_in(path, variant, tree).is_some())
        };
        // A sweep without values has been reported; the rest of the scenario is still worth reading.
        let valued = axes.iter().filter(|axis| !axis.values.is_empty());
        valued.map(|axis| (axis, there(axis))).collect()
    }

    /// Reports `run` and `promise` in a variant: what is compared must cover the same time, as often, with the same
    /// dice, and is held to the same.
    fn report_run(&self, name: &str, overlay: &Node) {
        if let Some((key, _)) = overlay.entries().iter().find(|(key, _)| key.text == "promise") {
            let message = format!("`promise` in the variant `{name}`: all variants are held to the same");
            let help = "move it to the scenario itself";
            self.diagnostics
                .push(Diagnostic::new(Code::Conflict, key.span, message).help(help));
        }
        let Some((key, run)) = overlay.entries().iter().find(|(key, _)| key.text == "run") else {
            return;
        };
        if matches!(&run.kind, NodeKind::Map(fields) if fields.is_empty()) {
            return;
        }
        let message = format!("`run` in the variant `{name}`: all variants of a scenario run alike");
        let help = "move it to the scenario's own `run`; what must run longer or otherwise is a scenario of its own, \
                    or one run with `--set run.length=2h`";
        self.diagnostics
            .push(Diagnostic::new(Code::Conflict, key.span.to(run.span).first(3), message).help(help));
    }

    /// Reports swept paths that mean something in no variant.
    fn report_lost_paths(&self, axes: &[SweepAxis], variants: &[Variant]) {
        for (path, place) in axes.iter().flat_map(|axis| &axis.paths) {
            let swept = |variant: &Variant| Self::path_in(path, &variant.0, &variant.2).is_some();
            let Some((_, _, tree)) = variants.first().filter(|_| !variants.iter().any(swept)) else {
                continue;
            };
            // Setting it says what is wrong with it, in the place where it is written.
            let within = path.strip_prefix("variants.").and_then(|path| path.split_once('.'));
            let rest = within.map_or(path.as_str(), |(_, rest)| rest);
            let place = Span {
                start: place.start + (path.len() - rest.len()),
                ..*place
            };
            set(&mut tree.clone(), rest, place, Node::empty_map(place), self.diagnostics);
        }
    }

    /// What must come out of the variants that run.
    fn expectations(&self, root: &Block, variants: &[Variant], axes: &[Axis]) -> Vec<Expectation> {
        let declared = root.whole().get("variants").map_or(&[][..], Node::entries);
        let picked = self.options.variants.iter().any(|name| name == "base");
        let base = (declared.is_empty() || picked).then_some("base");
        let known: Vec<&str> = declared.iter().map(|(key, _)| key.text.as_str()).chain(base).collect();
        let mut expectations = expect::read(root, &known, axes);
        // What is asked about variants that were not picked cannot be judged.
        expectations.retain(|expectation| expectation.variants().all(|name| variants.iter().any(|v| v.0 == name)));
        expectations
    }

    /// The trees of the base and its variants, by name, each with the place of its overlay.
    fn variants(&self, root: &Node) -> Vec<Variant> {
        let names = Names::default();
        let cx = self.reading(&names);
        let entries = root.get("variants").map_or(&[][..], |node| read_entries(&cx, node));
        let wanted = |name: &str| self.options.variants.is_empty() || self.options.variants.iter().any(|v| v == name);
        for name in &self.options.variants {
            let known = || entries.iter().map(|(key, _)| key.text.as_str());
            if name != "base" && !known().any(|other| other == name) {
                let span = root.get("variants").map_or(root.span, |node| node.span);
                let help = match nearest(name, known()) {
                    Some(near) => format!("did you mean `--variant {near}`?"),
                    None => format!("variants are base, {}", known().collect::<Vec<_>>().join(", ")),
                };
                cx.error(
                    Code::UnknownVariant,
                    span,
                    format!("there is no variant `{name}`"),
                    help,
                );
            }
        }
        let mut list = Vec::new();
        // A scenario whose variants all have names of their own is not run without them, unless one is called `base`.
        if entries.is_empty() || self.options.variants.iter().any(|v| v == "base") {
            list.push(("base".to_owned(), root.span, root.clone()));
        }
        for (key, overlay) in entries.iter().filter(|(key, _)| wanted(&key.text)) {
            let place = key.span.to(overlay.span);
            self.report_run(&key.text, overlay);
            let mut overlay = overlay.clone();
            overlay::strange_names(root, &mut overlay, self.diagnostics);
            list.push((key.text.clone(), place, merge(root, &overlay, self.diagnostics)));
        }
        list
    }

    fn axes(&self, root: &Block) -> Vec<SweepAxis> {
        let cx = root.context();
        let read = |node: &Node| {
            let block = Block::new(cx, node, &SWEEP);
            let path = |node: &Node| node.scalar().map(|path| (path.to_owned(), node.span));
            let paths: Vec<(String, Span)> = block.list("parameter").iter().filter_map(path).collect();
            let values = block.list("values").to_vec();
            if block.has("values") && values.is_empty() {
                let help = "list what to try, such as `values: [1, 2, 3]`";
                cx.error(Code::BadSweep, block.span_of("values"), "a sweep without values", help);
            }
            let points: Vec<(PointValue, Unit)> = values.iter().map(|node| self.point(node)).collect();
            let unit = points.first().map_or(Unit::Plain, |point| point.1);
            let numbers: Vec<f64> = points.iter().map(|point| point.0.number).collect();
            let words = numbers.iter().any(|number| number.is_nan());
            let mut points: Vec<PointValue> = points.into_iter().map(|point| point.0).collect();
            if words {
                for point in &mut points {
                    point.number = f64::NAN;
                }
            }
            let parameter = paths.first().map_or(String::new(), |path| path.0.clone());
            let label = block.text_opt("label").unwrap_or(&parameter).to_owned();
            let axis = Axis {
                label,
                parameter,
                unit,
                scale: scale(&numbers),
            };
            SweepAxis {
                paths,
                values,
                axis,
                points,
            }
        };
        let axes: Vec<SweepAxis> = root.list("sweep").iter().map(read).collect();
        let paths: Vec<&(String, Span)> = axes.iter().flat_map(|axis| &axis.paths).collect();
        for (i, (path, span)) in paths.iter().enumerate() {
            let own = path.strip_prefix("variants.").and_then(|path| path.split_once('.'));
            if own.map_or(path.as_str(), |(_, rest)| rest).split('.').next() == Some("run") {
                let message = "all cells of a scenario run alike: `run` cannot be swept";
                let help = "compare separate runs, each with `--set run.length=2h`";
                cx.error(Code::BadSweep, *span, message, help);
            }
            if let Some((_, first)) = paths[..i].iter().find(|other| other.0 == *path) {
                let problem = Diagnostic::new(Code::BadSweep, *span, format!("`{path}` is swept twice"));
                let help = "list all its values in one entry";
                cx.report(problem.also(*first, "first here").help(help));
            }
        }
        axes
    }

    /// The path of a swept parameter within the tree of a variant. One that begins with `variants.name` is swept in
    /// that variant alone, and one of a component that a variant does not have means nothing there.
    fn path_in<'p>(path: &'p str, variant: &str, tree: &Node) -> Option<&'p str> {
        if let Some(rest) = path.strip_prefix("variants.") {
            let (name, rest) = rest.split_once('.')?;
            return (name == variant).then_some(rest);
        }
        let mut parts = path.split('.');
        let (section, component) = (parts.next()?, parts.next());
        let there = |component: &str| tree.get(section).and_then(|section| section.get(component)).is_some();
        (!KINDS.contains(&section) || component.is_some_and(there)).then_some(path)
    }

    /// A swept value: its text and, where that is a quantity of any kind, the number in its base unit.
    fn point(&self, node: &Node) -> (PointValue, Unit) {
        let Some(text) = node.scalar() else {
            let names = Names::default();
            let cx = self.reading(&names);
            let help = "sweep over single values; for whole blocks write variants";
            cx.error(Code::BadSweep, node.span, "a swept value must be a single value", help);
            return (
                PointValue {
                    text: String::new(),
                    number: f64::NAN,
                },
                Unit::Plain,
            );
        };
        let (number, unit) = quantity(text).unwrap_or((f64::NAN, Unit::Plain));
        (
            PointValue {
                text: text.to_owned(),
                number,
            },
            unit,
        )
    }
}

/// A text as a quantity of whatever kind it is written as.
pub fn quantity(text: &str) -> Option<(f64, Unit)> {
    if let Ok(number) = units::parse_number(text) {
        return Some((number, Unit::Plain));
    }
    if let Ok(duration) = units::parse_duration(text) {
        return Some((duration.as_secs_f64(), Unit::Seconds));
    }
    if let Ok(rate) = units::parse_rate(text) {
        return Some((rate, Unit::PerSecond));
    }
    if let Ok(share) = units::parse_share(text) {
        return Some((share, Unit::Ratio));
    }
    if let Ok(size) = units::parse_size(text) {
        return Some((size as f64, Unit::Bytes));
    }
    if let Ok(count) = units::parse_count(text) {
        return Some((count as f64, Unit::Count));
    }
    units::parse_money(text).ok().map(|money| (money, Unit::Dollars))
}

/// Logarithmic where the values span more than a factor of ten.
fn scale(numbers: &[f64]) -> Scale {
    if numbers.iter().any(|number| number.is_nan()) {
        return Scale::Category;
    }
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(0.0, f64::max);
    if low > 0.0 && high / low > 10.0 {
        Scale::Log
    } else {
        Scale::Linear
    }
}

/// All combinations of value numbers, the last axis fastest; none of an axis that is not there.
fn combinations(axes: &[(&SweepAxis, bool)]) -> Vec<Vec<Option<usize>>> {
    axes.iter().fold(vec![Vec::new()], |before, (axis, there)| {
        let numbers: Vec<Option<usize>> = if *there {
            (0..axis.values.len()).map(Some).collect()
        } else {
            vec![None]
        };
        let extend = |point: Vec<Option<usize>>| {
            numbers.clone().into_iter().map(move |value| {
                let mut longer = point.clone();
                longer.push(value);
                longer
            })
        };
        before.into_iter().flat_map(extend).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_where_they_have_to_be() {
        for (word, expected) in [
            ("shop.yaml", "shop.yaml"),
            ("clients.web.timeout=2s", "clients.web.timeout=2s"),
            ("my shop.yaml", "'my shop.yaml'"),
            ("it's", "'it'\\''s'"),
            ("a=$HOME;`x`\n\"*", "'a=$HOME;`x`\n\"*'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn a_file_is_named_from_another_folder() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let from = |folder: &str, path: &str| seen_from(&root.join(folder), &root.join(path));
        assert_eq!(from("src", "src/cli/mod.rs"), Path::new("cli/mod.rs"));
        assert_eq!(from("src/cli", "tests/data"), Path::new("../../tests/data"));
        assert_eq!(from("src/../tests", "src/cli"), Path::new("../src/cli"));
        assert_eq!(from("src", "src"), Path::new("."));
        assert_eq!(from("src", "no/such"), root.join("no/such"));
    }
}
