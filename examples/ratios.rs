//! What a change does to the speed of the engine: one table of instructions and times per request, before and after.
//!
//! `cargo run --release --example ratios -- COMMIT` builds the example `speed` of that commit in a folder of its own,
//! and that of the working tree; `-- PROGRAM` takes one that was built and kept before. `--only NAME` takes the cases whose
//! name contains NAME, `--no-times` leaves the times out, which mean little on a busy machine. It ends with 1 if a case
//! takes more than 3 % more instructions than before.

#[path = "../benches/yardstick.rs"]
mod yardstick;
#[path = "../benches/counted.rs"]
mod counted;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;
use yardstick::Case;

/// More instructions than so many times those before are a loss.
const MOST: f64 = 1.03;
/// Requests of the two runs whose difference in time is taken.
const REQUESTS: [u32; 2] = [200_000, 1_200_000];
/// Times that each is run.
const ROUNDS: usize = 5;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().position(|argument| argument == "--only");
    let only = only.and_then(|place| arguments.get(place + 1)).cloned();
    let Some(before) = arguments.first().filter(|first| !first.starts_with("--")) else {
        return Err("which commit, or which built example `speed`, is to be compared with?".into());
    };
    let before = if Path::new(before).is_file() {
        PathBuf::from(before)
    } else {
        built_at(before)?
    };
    let after = build(Path::new(env!("CARGO_MANIFEST_DIR")), &target())?;
    let times = !arguments.iter().any(|argument| argument == "--no-times");
    let all = Case::all();
    let names = all.iter().map(|case| case.name).chain([yardstick::EVERYTHING]);
    let names = names.filter(|name| only.as_ref().is_none_or(|only| name.contains(only.as_str())));
    println!(
        "{:28} {:>32} {:>26}",
        "per request", "instructions before, after", "ns before, after"
    );
    let mut worst = 0.0_f64;
    for name in names {
        let counts = [&before, &after].map(|program| counted::per_request(program, name, "engine"));
        let found = if times { took(&before, &after, name) } else { [None; 2] };
        worst = worst.max(ratio(counts).unwrap_or(0.0));
        println!("{name:28} {} {}", words(counts), words(found));
    }
    if worst > MOST {
        println!("slower: up to {worst:.2} times the instructions");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// After over before.
fn ratio([before, after]: [Option<f64>; 2]) -> Option<f64> {
    Some(after? / before?)
}

fn words(found: [Option<f64>; 2]) -> String {
    let [before, after] = found.map(|value| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}")));
    let ratio = ratio(found).map_or_else(String::new, |ratio| format!("{ratio:.3}"));
    format!("{before:>9} {after:>9} {ratio:>6}")
}

/// Nanoseconds per request: medians of runs that take turns, so that both meet the same neighbours.
fn took(before: &Path, after: &Path, name: &str) -> [Option<f64>; 2] {
    let seconds = |program: &Path, requests: u32| {
        let start = Instant::now();
        let run = Command::new(program)
            .args(["--side", "engine", "--only", name, "--requests", &requests.to_string()])
            .stdout(Stdio::null())
            .status();
        run.is_ok_and(|status| status.success())
            .then(|| start.elapsed().as_secs_f64())
    };
    let [short, long] = REQUESTS;
    let each = |program: &Path| Some((seconds(program, long)? - seconds(program, short)?) / f64::from(long - short));
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        all[0].extend(each(before));
        all[1].extend(each(after));
    }
    all.map(|mut all| {
        all.sort_by(f64::total_cmp);
        // One that does not know the case takes no time, give or take.
        all.get(all.len() / 2).map(|s| s * 1e9).filter(|ns| *ns > 1.0)
    })
}

/// The folder that this program was built in.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors()
        .nth(3)
        .map_or_else(|| "target".into(), Path::to_path_buf)
}

/// Runs a command, whose output is shown.
fn done(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

/// Builds the example `speed` of the code in a folder.
fn build(folder: &Path, target: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(env!("CARGO"));
    let cargo = cargo.current_dir(folder).env("CARGO_TARGET_DIR", target);
    done(cargo.args(["build", "--quiet", "--release", "--example", "speed"]))?;
    let program = format!("speed{}", std::env::consts::EXE_SUFFIX);
    Ok(target.join("release/examples").join(program))
}

/// Builds the example `speed` of a commit, whose code is in a folder of its own for so long.
fn built_at(commit: &str) -> Result<PathBuf, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = target().join("ratios").join("code");
    let git = |arguments: &[&str]| done(Command::new("git").current_dir(root).args(arguments).arg(&folder));
    if folder.exists() {
        git(&["worktree", "remove", "--force"])?;
    }
    let mut add = Command::new("git");
    let add = add.current_dir(root).args(["worktree", "add", "--quiet", "--detach"]);
    done(add.arg(&folder).arg(commit))?;
    let built = build(&folder, &target().join("ratios"));
    git(&["worktree", "remove", "--force"])?;
    built
}
