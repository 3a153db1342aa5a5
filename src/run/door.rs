//! The library's front door: a scenario is read, changed and run, and its results are asked by name.
//!
//! Everything here is named at the root of the crate, too, and keeps its meaning between versions; the rest of the
//! crate moves.

use super::failure::Refused;
use super::load::{Loaded, Options, load_text, named};
use super::progress::{Progress, Silent};
use super::summary::{BillSummary, Cell, Metric, PointValue, Summary, Unit};
use crate::scenario::{Diagnostics, Sources, parse};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Why there are no results. Each text is for people: it names every problem with its line and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The scenario cannot be read: all problems, as `coldcurve check` prints them.
    Scenario(String),
    /// No cell of it can be run: none ends, fits into memory, or has a size that keeps its goals.
    Refused(String),
    /// It was cancelled.
    Cancelled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Scenario(text) | Self::Refused(text) => f.write_str(text),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {}

fn rendered(diagnostics: &Diagnostics, sources: &Sources) -> String {
    diagnostics.render(sources, false).trim_end().to_owned()
}

/// A scenario: a text that describes a system, and what is to be changed about it before it runs.
///
/// What is changed is looked at when the scenario is checked or run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Empty if it never was a file.
    path: PathBuf,
    text: String,
    options: Options,
}

impl FromStr for Scenario {
    type Err = Error;

    /// A text in YAML or JSON. Data files that it names are looked for in the working folder.
    ///
    /// # Errors
    /// If the text is neither; whether it makes sense shows [`Scenario::check`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let sources = |sources: &mut Sources, diagnostics: &Diagnostics| {
            sources.load_bytes(&named(Path::new("")), text.as_bytes().to_vec(), diagnostics)
        };
        Self::read(PathBuf::new(), &sources)
    }
}

impl Scenario {
    /// The file at this path, which is read now. Data files that it names are looked for beside it.
    ///
    /// # Errors
    /// If it cannot be read, or is neither YAML nor JSON; whether it makes sense shows [`Scenario::check`].
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let sources = |sources: &mut Sources, diagnostics: &Diagnostics| sources.load(path, diagnostics);
        Self::read(path.to_path_buf(), &sources)
    }

    fn read(path: PathBuf, load: &dyn Fn(&mut Sources, &Diagnostics) -> Option<u32>) -> Result<Self, Error> {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = load(&mut sources, &diagnostics);
        let root = file.and_then(|file| parse(&sources, file, &diagnostics));
        match (file, root) {
            (Some(file), Some(_)) if !diagnostics.has_errors() => Ok(Self {
                path,
                text: sources.text(file).to_owned(),
                options: Options::default(),
            }),
            _ => Err(Error::Scenario(rendered(&diagnostics, &sources))),
        }
    }

    /// Sets a value by its dotted path, as `--set` does: `set("clients.web.arrivals.poisson", "50/s")`. Values are
    /// written as in a scenario, with their units; what is set later wins.
    #[must_use]
    pub fn set(mut self, path: &str, value: &str) -> Self {
        self.options.set.push(format!("{path}={value}"));
        self
    }

    /// Runs per cell, at least 1. Intervals take at least 2 of them.
    #[must_use]
    pub fn replications(mut self, replications: u64) -> Self {
        self.options.replications = Some(replications.max(1));
        self
    }

    /// The master seed: the same seed gives the same results on every machine, for any number of threads.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Tries plausible other values of what the scenario does not say, as the command line does: those that decide the
    /// answer are in [`Summary::assumptions`]. Takes at most about a fifth more runs, of small scenarios some more.
    #[must_use]
    pub fn assumptions(mut self) -> Self {
        self.options.assumptions = true;
        self
    }

    /// Only these of its variants; `base` is the scenario without any.
    #[must_use]
    pub fn variants<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.options.variants = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// A folder with service files of one's own, which come before all others.
    #[must_use]
    pub fn catalog(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.catalogs.push(folder.into());
        self
    }

    fn load(&self, progress: &dyn Progress) -> Loaded {
        load_text(&self.path, &self.text, &self.options, progress)
    }

    /// Reads the whole scenario without running it; the warnings about its design.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn check(&self) -> Result<Vec<String>, Error> {
        let loaded = self.load(&Silent);
        match loaded.study {
            Some(_) => Ok(warnings(&loaded)),
            None => Err(Error::Scenario(rendered(&loaded.diagnostics, &loaded.sources))),
        }
    }

    /// Runs all cells of the scenario, each many times, on the threads of the current rayon pool.
    ///
    /// `progress` is told how far the work has come, and asked whether it is still wanted: `&|| ()` asks and tells
    /// nothing, a closure is called after each run, [`Cancel`](super::Cancel) ends the work from another thread, and
    /// an own [`Progress`] does both. Cancelled work ends within a second, unless a single cell takes longer than that
    /// to be read, or its figures to be made.
    ///
    /// # Errors
    /// If the scenario cannot be read, none of its cells can be run to the end, or the work was cancelled.
    pub fn run(&self, progress: &dyn Progress) -> Result<Results, Error> {
        let mut loaded = self.load(progress);
        let study = loaded.study.take();
        let outcome = study.map(|study| study.run(progress));
        if progress.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let refused = |refused: Box<Refused>| Error::Refused(rendered(&refused.diagnostics(), &loaded.sources));
        match outcome {
            Some(Ok(summary)) => Ok(Results::new(summary, warnings(&loaded))),
            Some(Err(all)) => Err(refused(all)),
            None => Err(Error::Scenario(rendered(&loaded.diagnostics, &loaded.sources))),
        }
    }
}

/// What there is to say about a scenario that can be run.
fn warnings(loaded: &Loaded) -> Vec<String> {
    let all = loaded.diagnostics.sorted();
    all.iter()
        .map(|warning| warning.render(&loaded.sources, false))
        .collect()
}

/// One figure of one cell: a row of [`Results::table`].
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    /// The variant; `base` for the scenario as written.
    pub variant: &'a str,
    /// One value per swept parameter, as written.
    pub point: Vec<&'a str>,
    /// The metric, such as `latency.p99`.
    pub metric: &'a str,
    /// Unit of the figures.
    pub unit: Unit,
    /// Mean over replications; NaN if no replication had a value.
    pub mean: f64,
    /// Its 95 % confidence interval, lower and upper end; absent with fewer than two replications.
    pub interval: Option<(f64, f64)>,
}

/// What a scenario's runs found out: a cell for each variant at each point of the sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    summary: Summary,
    warnings: Vec<String>,
}

impl Results {
    fn new(summary: Summary, mut warnings: Vec<String>) -> Self {
        warnings.extend(summary.warnings.iter().cloned());
        warnings.extend(summary.cells.iter().filter_map(|cell| cell.refused.clone()));
        Self { summary, warnings }
    }

    /// All cells: variants outermost, then the swept parameters, the last one fastest.
    pub fn cells(&self) -> &[Cell] {
        &self.summary.cells
    }

    /// The cell of a variant at a point of the sweep: a value for each swept parameter, as written, whatever it is
    /// where the variant does not have the parameter; none without a sweep.
    pub fn cell(&self, variant: &str, point: &[&str]) -> Option<&Cell> {
        let at = |cell: &&Cell| {
            let mut values = cell.point.iter();
            if point.is_empty() {
                return values.all(PointValue::is_absent);
            }
            let same = |(value, text): (&PointValue, &&str)| value.is_absent() || value.text == **text;
            cell.point.len() == point.len() && values.zip(point).all(same)
        };
        self.cells().iter().filter(|cell| cell.variant == variant).find(at)
    }

    /// A metric of a variant by its name, with its 95 % confidence interval; `coldcurve explain` tells the names.
    /// Nothing if the variant has no such metric, or is swept: [`Results::cell`] takes the point.
    pub fn metric(&self, variant: &str, name: &str) -> Option<&Metric> {
        self.cell(variant, &[])?.metric(name)
    }

    /// The monthly bill of a variant that is not swept, line by line.
    pub fn bill(&self, variant: &str) -> Option<&BillSummary> {
        Some(&self.cell(variant, &[])?.bill)
    }

    /// Every metric of every cell, to be printed or written.
    pub fn table(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        for cell in self.cells() {
            rows.extend(cell.metrics.iter().map(|metric| Row {
                variant: &cell.variant,
                point: cell.point.iter().map(|value| value.text.as_str()).collect(),
                metric: &metric.name,
                unit: metric.unit,
                mean: metric.estimate.mean,
                interval: metric.estimate.interval,
            }));
        }
        rows
    }

    /// What whoever reads the figures must know: about the design of the system, about what they cover, and about cells
    /// that have none.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Everything there is, in the shape of `summary.json`.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Cancel, Phase};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    const SWEPT: &str = "run: { length: 2 min, warmup: 30 s }
clients: { web: { to: work, arrivals: { poisson: 4/s } } }
functions: { work: { service: aws.lambda, handler: [{ cpu: 5 ms }] } }
variants: { small: { functions: { work: { memory: 256 MB } } }, large: { functions: { work: { memory: 1 GB } } } }
sweep: [{ parameter: clients.web.arrivals.poisson, values: [4/s, 8/s] }]
";
    /// Everything that has pilot runs, and would take minutes.
    const LONG: &str = "run: { length: 60 d, warmup: auto, replications: 4 }
clients: { web: { to: host, arrivals: { poisson: 500/s } } }
fleets: { host: { service: aws.ec2, instance: m7g.large, size: { utilisation: 50% }, handler: [{ cpu: 5 ms }] } }
";

    fn scenario(text: &str) -> Scenario {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_sweep_is_asked_by_variant_and_point() {
        let results = scenario(SWEPT)
            .replications(2)
            .variants(["large"])
            .run(&Silent)
            .unwrap();
        assert_eq!(results.cells().len(), 2);
        assert!(results.cell("small", &["4/s"]).is_none() && results.cell("large", &["5/s"]).is_none());
        let offered = |rate| {
            results
                .cell("large", &[rate])
                .unwrap()
                .metric("offered")
                .unwrap()
                .estimate
                .mean
        };
        assert!((offered("8/s") / offered("4/s") - 2.0).abs() < 0.5);
        assert!(results.metric("large", "offered").is_none(), "which of the two?");
        let rows = results.table();
        let one = rows
            .iter()
            .find(|row| row.metric == "offered" && row.point == ["8/s"])
            .unwrap();
        assert_eq!((one.variant, one.unit), ("large", Unit::PerSecond));
        assert!((one.mean - offered("8/s")).abs() < 1e-12 && one.interval.is_some());
    }

    #[test]
    fn a_variant_without_a_swept_parameter_is_run_once_and_compared_everywhere() {
        let text = "run: { length: 1 min, warmup: 5 s, replications: 2 }
clients: { web: { to: work, arrivals: { poisson: 4/s } } }
functions: { work: { service: aws.lambda, handler: [{ cpu: 5 ms }] } }
variants:
  functions: {}
  machine:
    functions: null
    fleets: { work: { service: aws.ec2, instance: t3.medium, count: 1, handler: [{ cpu: 5 ms }] } }
sweep: [{ parameter: functions.work.memory, values: [256 MB, 512 MB, 1 GB], label: memory }]
expect:
  - { variant: machine, metric: bill.month, ratio_to: functions, above: 0 }
  - { variant: functions, metric: bill.month, ratio_to: machine, above: 0 }
  - { variant: machine, at: { memory: 512 MB }, metric: bill.month, ratio_to: functions, above: 0 }
  - { at: { memory: 512 MB }, metric: bill.month, above: $0 }
";
        let results = scenario(text).run(&Silent).unwrap();
        let points = |cell: &Cell| (cell.variant.clone(), cell.point[0].text.clone());
        let cells: Vec<(String, String)> = results.cells().iter().map(points).collect();
        let named = |variant: &str, text: &str| (variant.to_owned(), text.to_owned());
        let functions = ["256 MB", "512 MB", "1 GB"].map(|memory| named("functions", memory));
        assert_eq!(cells, [&functions[..], &[named("machine", "–")]].concat());
        // It is the same at all values, and what is not swept there.
        assert!(results.cell("machine", &["1 GB"]).is_some() && results.metric("machine", "offered").is_some());
        let expectations = results.summary().expectations.iter();
        let judged = expectations.map(|e| (e.variant.clone(), e.point[0].text.clone(), e.seen.is_some()));
        let expected = [
            ("machine", "256 MB"),
            ("machine", "512 MB"),
            ("machine", "1 GB"),
            ("functions", "256 MB"),
            ("functions", "512 MB"),
            ("functions", "1 GB"),
            ("machine", "512 MB"),
            ("functions", "512 MB"),
            ("machine", "–"),
        ];
        assert!(judged.eq(expected.map(|(variant, text)| (variant.to_owned(), text.to_owned(), true))));
        // Functions at four requests a second cost nearly nothing: the machine is dearer than the cheapest of them.
        let bills = results.summary().differences_of("bill.month");
        let found = bills.of(&results.cells()[3]).unwrap();
        assert_eq!(
            (found.minus_variant.as_str(), found.minus_point.len()),
            ("functions", 1)
        );
        // All of them can be chosen, so all are measured against the cheapest, which has no difference to itself.
        let measured = results.cells().iter().filter(|cell| bills.of(cell).is_some());
        assert!(found.difference.mean > 0.0 && measured.count() == 3);
        assert!(
            scenario(&text.replace("at: { memory: 512 MB }", "at: { memory: 3 GB }"))
                .run(&Silent)
                .is_err()
        );
    }

    #[test]
    fn a_text_gives_the_figures_of_the_file_that_holds_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/hello.yaml");
        let run = |scenario: Scenario| {
            scenario
                .set("run.length", "30 min")
                .replications(2)
                .run(&Silent)
                .unwrap()
        };
        let from_file = run(Scenario::from_path(&path).unwrap());
        let from_text = run(scenario(&std::fs::read_to_string(&path).unwrap()));
        // As words, in which a number that does not exist equals itself.
        let words = |results: &Results| format!("{:?}", results.cells());
        assert_eq!(words(&from_file), words(&from_text));
        assert!(from_text.summary().manifest.command.starts_with('#'));
        assert!(
            from_file
                .summary()
                .manifest
                .command
                .starts_with("coldcurve run hello.yaml")
        );
        let other = run(Scenario::from_path(&path).unwrap().seed(2));
        assert_ne!(words(&from_file), words(&other));
    }

    #[test]
    fn errors_name_all_problems_in_their_places() {
        let no_yaml = "clients: [".parse::<Scenario>().unwrap_err().to_string();
        assert!(no_yaml.contains("scenario:1"), "{no_yaml}");
        let wrong = scenario(SWEPT)
            .set("functions.work.memry", "1 GB")
            .set("clients.web.to", "shop");
        let Err(Error::Scenario(text)) = wrong.check() else {
            panic!("an error");
        };
        assert!(
            text.contains("memry") && text.contains("shop") && text.contains('^'),
            "{text}"
        );
        assert_eq!(wrong.run(&Silent), Err(Error::Scenario(text)));
        assert!(matches!(Scenario::from_path("no/such.yaml"), Err(Error::Scenario(text)) if text.contains("no/such")));
        let unreachable = scenario(LONG).set("run", "{ length: 1 min, warmup: 10 s }");
        let unreachable = unreachable.set("fleets.host.size", "{ p99: 1 ms }").run(&Silent);
        assert!(matches!(unreachable, Err(Error::Refused(text)) if text.contains("`host`")));
    }

    /// Cancels when a phase begins.
    struct At(Phase, Cancel);

    impl Progress for At {
        fn begin(&self, phase: Phase, _: u64) {
            if phase == self.0 {
                self.1.cancel();
            }
        }

        fn step(&self, _: Phase) {}

        fn is_cancelled(&self) -> bool {
            self.1.is_cancelled()
        }
    }

    #[test]
    fn work_is_cancelled_in_every_phase() {
        let long = || scenario(LONG);
        // Each would take minutes in its phase, and next to nothing before it.
        let cases = [
            (Phase::Reading, long()),
            (Phase::WarmingUp, long()),
            (Phase::Sizing, long().set("run.warmup", "30 d")),
            (
                Phase::Running,
                long()
                    .set("run.warmup", "10 min")
                    .set("clients.web.arrivals.poisson", "20/s"),
            ),
            (Phase::Judging, scenario(SWEPT)),
        ];
        for (phase, scenario) in cases {
            let start = Instant::now();
            let outcome = scenario.replications(2).run(&At(phase, Cancel::new()));
            assert_eq!(outcome, Err(Error::Cancelled), "{phase:?}");
            // What comes before takes the most of it; the limit leaves room for a busy machine.
            assert!(start.elapsed().as_secs() < 20, "{phase:?}: {:?}", start.elapsed());
        }
    }

    #[test]
    fn work_is_cancelled_from_another_thread() {
        let (cancel, long) = (Cancel::new(), scenario(LONG));
        let start = Instant::now();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| long.run(&cancel));
            std::thread::sleep(Duration::from_millis(300));
            cancel.cancel();
            assert_eq!(running.join().unwrap(), Err(Error::Cancelled));
        });
        // It would take minutes; the limit leaves room for a busy machine.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn a_closure_is_called_after_each_run() {
        let runs = AtomicU64::new(0);
        let count = || {
            runs.fetch_add(1, Ordering::Relaxed);
        };
        scenario(SWEPT).replications(3).run(&count).unwrap();
        assert_eq!(runs.into_inner(), 12);
    }
}
