//! The command line: arguments in, exit code out. No logic lives here.
//!
//! Exit codes: 0 all is well, 1 an expectation failed, 2 bad input (nothing was run, or some cells were refused), 3 not
//! all of the results could be written.

mod display;
mod effort;
mod explain;
mod new;

use self::display::Display;
use crate::kernel::number::whole;
use crate::report;
use crate::run::summary::{Outcome, Summary};
use crate::run::{Loaded, Options, load_telling};
use crate::scenario::visible;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Simulates serverless systems, request by request, and answers in curves: p99 latency and monthly bill.
#[derive(Debug, Parser)]
#[command(name = "coldcurve", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a scenario: everything it declares, into tables, CSV and pictures.
    Run(RunArgs),
    /// Reads scenarios and says what is wrong with them, without running.
    Check {
        /// The scenario files.
        #[arg(required = true)]
        scenarios: Vec<PathBuf>,
        /// A folder with service files of your own (may be given several times).
        #[arg(long = "catalog", value_name = "FOLDER")]
        catalogs: Vec<PathBuf>,
    },
    /// Runs scenarios and checks what they expect.
    Test(TestArgs),
    /// Explains a field, a code, a metric or a service.
    Explain {
        /// The word, such as `functions.memory`, `C012`, `latency.p99` or `aws.lambda`; nothing lists the words.
        word: Option<String>,
        /// A folder with service files of your own.
        #[arg(long = "catalog", value_name = "FOLDER")]
        catalog: Option<PathBuf>,
        /// Prints the whole reference as Markdown, or the JSON Schema for editors.
        #[arg(long, value_enum)]
        all: Option<explain::Everything>,
    },
    /// Writes a commented scenario to start from.
    New {
        /// The file to write; it must not exist.
        path: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// Overrides a value before anything is read: `--set clients.web.arrivals.poisson=500/s`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// A folder with service files of your own (may be given several times); they come before all others.
    #[arg(long = "catalog", value_name = "FOLDER")]
    catalogs: Vec<PathBuf>,
    /// The master seed; the same seed gives the same bytes.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs per variant and sweep point.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    replications: Option<u64>,
    /// Worker threads; all cores if absent. Results do not depend on it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Exit with 1 as well where an expectation is not decided: its bound lies within the figure's interval.
    #[arg(long)]
    strict: bool,
    /// Memory for all that waits, in all runs together, such as `8GB`; a run may have half of it [default: 4GB].
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    memory: Option<u64>,
}

/// Reads a size of memory of at least 1 MB.
fn memory(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let shift = match text[number.len()..].trim() {
        "MB" | "MiB" => 20,
        "GB" | "GiB" => 30,
        "TB" | "TiB" => 40,
        _ => return Err("a size has a unit: `512MB`, `8GB`".to_owned()),
    };
    let size = number.parse::<f64>().ok().map(|size| size * (1_u64 << shift) as f64);
    match size {
        Some(size) if (1e6..1e18).contains(&size) => Ok(whole(size)),
        _ => Err("at least 1MB, such as `8GB`".to_owned()),
    }
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The scenario file.
    scenario: PathBuf,
    #[command(flatten)]
    common: Common,
    /// Only this variant (may be given several times).
    #[arg(long = "variant")]
    variants: Vec<String>,
    /// Where the results go; `output/<scenario>` if absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What to print: a table for people, or the summary as JSON and nothing else.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Records about so many units of work of each first run, step by step, in `units.csv` and `steps.csv`: each n-th,
    /// the slowest, those that did not end well.
    #[arg(long, value_name = "UNITS", num_args = 0..=1, default_missing_value = "100")]
    record: Option<u64>,
    /// Tries no other values of what the scenario does not say.
    #[arg(long)]
    no_assumptions: bool,
    /// Writes no files.
    #[arg(long)]
    no_files: bool,
    /// Writes no pictures: of large systems they take longer than the run.
    #[arg(long)]
    no_pictures: bool,
}

#[derive(Debug, Args)]
struct TestArgs {
    /// The scenario files.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// The summary, as in `summary.json`.
    Json,
}

/// An expectation failed.
const FAILED: u8 = 1;
/// The input cannot be used.
const BAD_INPUT: u8 = 2;
/// Results were computed, but not all of them could be written.
const UNWRITTEN: u8 = 3;

/// Runs the command line and returns its exit code.
pub fn main() -> ExitCode {
    let code = match Cli::try_parse() {
        Ok(cli) => obey(&cli),
        Err(instead) => tell(&instead),
    };
    if let Some(why) = UNPRINTED.get() {
        complain(&format!("error: cannot write to standard output: {why}"));
        return ExitCode::from(if code == 0 { UNWRITTEN } else { code });
    }
    ExitCode::from(code)
}

/// Tells what is to be told instead of a command: the help, the version, what is wrong with the arguments.
fn tell(instead: &clap::Error) -> u8 {
    let plain = instead.to_string();
    if instead.use_stderr() {
        match visible(&plain) {
            Cow::Owned(text) => complain_rendered(text.trim_end()),
            // With its colours.
            Cow::Borrowed(_) => {
                let _ = instead.print();
            }
        }
        return BAD_INPUT;
    }
    note_unprinted(instead.print().and_then(|()| std::io::stdout().flush()));
    0
}

/// Does what a command says and returns its exit code.
fn obey(cli: &Cli) -> u8 {
    let code = match &cli.command {
        Command::Run(args) => run(args),
        Command::Check { scenarios, catalogs } => Ok(check(scenarios, catalogs)),
        Command::Test(args) => test(args),
        Command::Explain { word, catalog, all } => {
            explain::explain(word.as_deref(), catalog.as_deref(), *all).map_err(Refusal::from)
        }
        Command::New { path } => new::write(path).map_err(Refusal::from),
    };
    code.unwrap_or_else(|Refusal(text)| {
        complain_rendered(&text);
        BAD_INPUT
    })
}

/// Why there is nothing to go on with, in a text that is safe to show.
struct Refusal(String);

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self(visible(&text).into_owned())
    }
}

/// Why something could not be printed, if anything could not.
static UNPRINTED: OnceLock<String> = OnceLock::new();

/// Prints to standard output; names in it cannot steer the terminal.
fn say(text: &str) {
    print(&visible(text));
}

/// Prints to standard output what has been made safe to show.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    note_unprinted(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Notes why something could not be printed. A reader that went away (`| head`) is no error; a full disk is.
fn note_unprinted(result: std::io::Result<()>) {
    if let Err(error) = result
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        UNPRINTED.get_or_init(|| error.to_string());
    }
}

/// Complains in words of our own; names in them cannot steer the terminal.
fn complain(message: &str) {
    complain_rendered(&visible(message));
}

/// Complains in a text that has been made safe to show.
fn complain_rendered(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn options(common: &Common, variants: &[String]) -> Options {
    Options {
        set: common.set.clone(),
        seed: common.seed,
        replications: common.replications,
        variants: variants.to_vec(),
        catalogs: common.catalogs.clone(),
        record: None,
        assumptions: false,
    }
}

/// Whether complaints may be coloured.
fn coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Reads a scenario and prints what is wrong with it.
fn read(path: &Path, options: &Options) -> Option<Loaded> {
    let display = Display::new();
    let loaded = load_telling(path, options, &display);
    display.end();
    let text = loaded.diagnostics.render(&loaded.sources, coloured());
    if !text.is_empty() {
        complain_rendered(text.trim_end());
    }
    loaded.study.is_some().then_some(loaded)
}

fn run(args: &RunArgs) -> Result<u8, Refusal> {
    let options = Options {
        record: args.record,
        assumptions: !args.no_assumptions,
        ..options(&args.common, &args.variants)
    };
    let Some(loaded) = read(&args.scenario, &options) else {
        return Ok(BAD_INPUT);
    };
    let folder = target(args, None);
    if !args.no_files {
        report::check_target(&folder).map_err(|error| {
            format!("error: {error}\nNothing was run. `--out FOLDER` writes elsewhere, `--no-files` nowhere.")
        })?;
    }
    let pool = pool(&args.common)?;
    let Simulated { summary, why } = simulate(loaded, &args.common, &pool);
    // Before anything is written: what was computed is on the screen then, whatever comes.
    match args.format {
        Format::Json => print(&report::json::text(&summary).map_err(|error| error.to_string())?),
        Format::Table => print(&report::terminal::text(&summary, report::terminal::View::detect())),
    }
    if let Some(why) = why {
        // There is nothing that the results of an earlier run should make way for.
        complain_rendered(&why);
        return Ok(BAD_INPUT);
    }
    let whole = args.no_files || pool.install(|| write(&summary, &folder, args));
    let of = |outcome| summary.expectations.iter().filter(|e| e.outcome == outcome).count();
    let (broken, open) = (of(Outcome::Fails), of(Outcome::Undecided));
    let code = if complain_of_refused(&summary) {
        BAD_INPUT
    } else {
        judgement(broken, open, args.common.strict)
    };
    Ok(if whole { code } else { UNWRITTEN })
}

/// Where the results go: as told, or by the name of the scenario's file; says so if another scenario of this name had
/// its results there first, unless that was said of this folder before.
fn target(args: &RunArgs, said: Option<&Path>) -> PathBuf {
    if let Some(out) = &args.out {
        return out.clone();
    }
    let chosen = report::choose_folder(Path::new("output"), &args.scenario);
    if let Some((own, whose)) = chosen.taken
        && !args.no_files
        && said != Some(&chosen.folder)
    {
        complain(&format!(
            "note: {} has the results of {whose}: those of {} go to {} (`--out FOLDER` takes another one)",
            own.display(),
            args.scenario.display(),
            chosen.folder.display()
        ));
    }
    chosen.folder
}

/// Writes the results and says where they are, and what could not be written; whether that was nothing.
fn write(summary: &Summary, folder: &Path, args: &RunArgs) -> bool {
    // Another scenario of this name may have been there in the meantime.
    let folder = &target(args, Some(folder));
    let place = folder.display();
    let options = if args.no_pictures {
        report::Options::NO_PICTURES
    } else {
        report::Options::default()
    };
    let display = Display::new();
    let scenario = args.out.is_none().then_some(args.scenario.as_path());
    let written = report::write_telling(summary, folder, options, scenario, &display);
    display.end();
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            complain(&format!("error: {error}\nNo files were written; {place} is as it was."));
            return false;
        }
    };
    if args.format == Format::Table {
        for note in &written.notes {
            say(&format!("{note}\n"));
        }
        let there = |name: &&str| written.files.contains(&folder.join(name));
        let picture = ["overview.svg", "overview.png"].into_iter().find(there);
        let first: Vec<String> = picture
            .map(|name| folder.join(name).display().to_string())
            .into_iter()
            .chain(["report.html"].into_iter().filter(there).map(str::to_owned))
            .collect();
        if let [.., last] = first.as_slice()
            && first.len() == 1
        {
            say(&format!("Look at {}\n", folder.join(last).display()));
        } else if !first.is_empty() {
            say(&format!("Look at {}\n", first.join(", then ")));
        }
        say(&format!("{} files in {place}\n", written.files.len()));
    }
    if let Some(first) = written.lost.first() {
        let names: Vec<&str> = written.lost.iter().map(|lost| lost.file.as_str()).collect();
        complain(&format!(
            "error: {} file{} could not be written: {}\n{} files are in {place}. Missing: {}.",
            names.len(),
            if names.len() == 1 { "" } else { "s" },
            first.why,
            written.files.len(),
            names.join(", ")
        ));
    }
    written.lost.is_empty()
}

/// The exit code of expectations of which so many fail and so many are not decided.
fn judgement(broken: usize, open: usize, strict: bool) -> u8 {
    if broken > 0 || strict && open > 0 { FAILED } else { 0 }
}

/// Says which cells have no figures; says whether there are any.
fn complain_of_refused(summary: &Summary) -> bool {
    let refused = summary.cells.iter().filter_map(|cell| cell.refused.as_ref());
    refused.inspect(|words| complain(&format!("error: {words}"))).count() > 0
}

/// What came out of a study.
struct Simulated {
    summary: Summary,
    /// Why there are no figures at all, where that is so.
    why: Option<String>,
}

/// The worker threads, as many as are asked for.
fn pool(common: &Common) -> Result<rayon::ThreadPool, Refusal> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(common.threads.map_or(0, usize::from))
        .build();
    Ok(pool.map_err(|error| format!("error: cannot start the worker threads: {error}"))?)
}

/// Runs a study on these threads, and shows on a terminal how far it has come.
fn simulate(loaded: Loaded, common: &Common, pool: &rayon::ThreadPool) -> Simulated {
    let study = loaded.study.expect("a scenario that was read");
    if let Some(memory) = common.memory {
        crate::model::parts::budget::set(memory);
    }
    if let Some(words) = effort::words(&study, pool.current_num_threads()) {
        complain(&words);
    }
    let display = Display::new();
    let all = effort::simulated_s(&study);
    let summary = display.watch(all, || pool.install(|| study.run(&display)));
    display.end();
    match summary {
        Ok(summary) => Simulated { summary, why: None },
        Err(refused) => Simulated {
            why: Some(
                refused
                    .diagnostics()
                    .render(&loaded.sources, coloured())
                    .trim_end()
                    .to_owned(),
            ),
            summary: refused.summary,
        },
    }
}

fn check(scenarios: &[PathBuf], catalogs: &[PathBuf]) -> u8 {
    let options = Options {
        catalogs: catalogs.to_vec(),
        ..Options::default()
    };
    let mut code = 0;
    for path in scenarios {
        match read(path, &options).and_then(|loaded| loaded.study) {
            Some(study) => {
                let (cells, runs) = (study.cells.len(), study.runs());
                let plural = |one: bool| if one { "" } else { "s" };
                say(&format!(
                    "{}: fine ({cells} cell{}, {runs} run{})\n",
                    path.display(),
                    plural(cells == 1),
                    plural(runs == 1)
                ));
            }
            None => code = BAD_INPUT,
        }
    }
    code
}

fn test(args: &TestArgs) -> Result<u8, Refusal> {
    let (mut code, mut held, mut broken, mut open) = (0, 0, 0, 0);
    let pool = pool(&args.common)?;
    for path in &args.scenarios {
        let Some(loaded) = read(path, &options(&args.common, &[])) else {
            code = BAD_INPUT;
            continue;
        };
        let Simulated { summary, why } = simulate(loaded, &args.common, &pool);
        if let Some(why) = &why {
            complain_rendered(why);
        }
        if why.is_some() || complain_of_refused(&summary) {
            code = BAD_INPUT;
        }
        say(&format!("{}\n", path.display()));
        if summary.expectations.is_empty() {
            say("  nothing was checked: the scenario has no `expect`; it takes lines such as\n");
            say("    expect: [{ metric: latency.p99, below: 500 ms }]\n");
        }
        for expectation in &summary.expectations {
            say(&format!("  {}\n", report::terminal::judged(expectation)));
        }
        let of = |outcome| summary.expectations.iter().filter(|e| e.outcome == outcome).count();
        held += of(Outcome::Holds);
        broken += of(Outcome::Fails);
        open += of(Outcome::Undecided);
    }
    let undecided = if open == 0 {
        String::new()
    } else {
        format!(", {open} are not decided")
    };
    say(&format!("{held} expectations hold, {broken} do not{undecided}\n"));
    Ok(if code == 0 {
        judgement(broken, open, args.common.strict)
    } else {
        code
    })
}
