//! What does not grow: systems of many components, or with far time-outs, written to the size that is asked for.
//!
//! `cargo run --release --example large -- KIND N` makes one run of it and prints how long that took and the most
//! memory that the process held; `--write` prints the scenario instead, for `coldcurve run` and other tools. Without a
//! kind it lists them.

use coldcurve::model::Plan;
use coldcurve::model::world::build::build;
use coldcurve::model::world::run::World;
use coldcurve::scenario::{Catalog, Diagnostics, Folder, Sources, parse};
use std::fmt::Write as _;
use std::time::Instant;

/// Writes a scenario of so many components.
type Writer = fn(usize) -> String;

const KINDS: &[(&str, &str, Writer)] = &[
    ("timeout", "2,000 calls a second that time out after N s", timeout),
    (
        "statement",
        "2,000 queries a second that are cancelled after N s",
        statement,
    ),
    (
        "refusals",
        "refusals at a database that N idle functions call, too",
        refusals,
    ),
    ("account", "refusals in an account with N idle functions", account),
    ("pairs", "N functions, each with a database of its own", pairs),
    ("functions", "N functions, each with a client of its own", functions),
    ("day", "the same, seldom used, over a day in windows of a minute", day),
    ("cells", "one function at N rates; with `--write`, for `run`", cells),
    ("minutes", "one function over N days in windows of a minute", minutes),
    (
        "chain",
        "N gateways in a row, two paths from each to the next; with `--write`, for `check`, which refuses more than 4",
        chain,
    ),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = arguments.get(1).and_then(|n| n.parse().ok());
    let kind = KINDS
        .iter()
        .find(|kind| Some(kind.0) == arguments.first().map(String::as_str));
    let (Some((_, _, writer)), Some(size)) = (kind, size) else {
        for (name, what, _) in KINDS {
            println!("{name:10} {what}");
        }
        return;
    };
    let text = writer(size);
    if arguments.iter().any(|argument| argument == "--write") {
        return print!("{text}");
    }
    let plan = plan(text);
    let before = held_mb();
    let start = Instant::now();
    let result = World::new(&plan, 0).run();
    let took = start.elapsed();
    println!(
        "{} requests, {} events, {:.2} s, {:.0} MB more than the plan's {before:.0} MB",
        result.requests,
        result.events,
        took.as_secs_f64(),
        held_mb() - before
    );
}

fn plan(text: String) -> Plan {
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("large.yaml", text);
    let root = parse(&sources, file, &diagnostics).expect("it is YAML");
    let built = build(&root, &Catalog::default(), &diagnostics, &Folder(".".into()));
    built
        .unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)))
        .0
}

/// The most memory that the process has held so far, in MB of 10^6 bytes; not a number where the system does not tell.
fn held_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0 / 1e6)
}

fn run(length: &str) -> String {
    format!("run: {{ length: {length}, warmup: 0 s, replications: 1, window: 1 min }}\n")
}

/// A line for each of so many components.
fn each(size: usize, line: impl Fn(usize) -> String) -> String {
    (0..size).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "  {}", line(i));
        text
    })
}

fn one_database(call: &str, database: &str) -> String {
    run("30 min")
        + "clients: { web: { to: f, arrivals: { poisson: 2000/s } } }\n"
        + &format!("functions: {{ f: {{ cpu: 1, handler: [ call: {{ to: d{call} }} ] }} }}\n")
        + &format!("databases: {{ d: {{ cores: 16, maximum_connections: 1000, query: 1 ms{database} }} }}\n")
}

fn timeout(seconds: usize) -> String {
    match seconds {
        0 => one_database("", ""),
        _ => one_database(&format!(", timeout: {seconds} s"), ""),
    }
}

fn statement(seconds: usize) -> String {
    match seconds {
        0 => one_database("", ""),
        _ => one_database("", &format!(", statement_timeout: {seconds} s")),
    }
}

fn refusals(size: usize) -> String {
    run("20 s")
        + "clients: { web: { to: busy, arrivals: { poisson: 2000/s } } }\n"
        + "functions:\n  busy: { cpu: 1, handler: [ call: d ] }\n"
        + &each(size, |i| format!("idle{i}: {{ cpu: 1, handler: [ call: d ] }}"))
        + "databases: { d: { cores: 1, maximum_connections: 10, query: 1 s } }\n"
}

fn account(size: usize) -> String {
    run("60 s")
        + "accounts: { a: { concurrency: 100 } }\n"
        + "clients: { web: { to: busy, arrivals: { poisson: 10000/s } } }\n"
        + "functions:\n  busy: { account: a, cpu: 1, handler: [ wait: 1 s ] }\n"
        + &each(size, |i| {
            format!("idle{i}: {{ account: a, cpu: 1, handler: [ cpu: 1 ms ] }}")
        })
}

fn systems(size: usize, length: &str, rate: &str, work: impl Fn(usize) -> String) -> String {
    run(length)
        + "clients:\n"
        + &each(size, |i| {
            format!("web{i}: {{ to: f{i}, arrivals: {{ poisson: {rate} }} }}")
        })
        + "functions:\n"
        + &each(size, |i| format!("f{i}: {{ cpu: 1, handler: [ {} ] }}", work(i)))
}

fn pairs(size: usize) -> String {
    systems(size, "60 s", "1/s", |i| format!("call: d{i}"))
        + "databases:\n"
        + &each(size, |i| {
            format!("d{i}: {{ cores: 1, maximum_connections: 100, query: 1 ms }}")
        })
}

fn functions(size: usize) -> String {
    systems(size, "60 s", "1/s", |_| "cpu: { median: 5 ms, p99: 20 ms }".to_owned())
}

fn cells(size: usize) -> String {
    let rates: Vec<String> = (1..=size).map(|n| format!("{}/s", n as f64 / 1e3)).collect();
    systems(1, "60 s", "1/s", |_| "cpu: 5 ms".to_owned())
        + &format!(
            "sweep: [ {{ parameter: clients.web0.arrivals.poisson, values: [{}] }} ]\n",
            rates.join(", ")
        )
}

fn minutes(days: usize) -> String {
    systems(1, &format!("{days} d"), "0.01/s", |_| "cpu: 5 ms".to_owned())
}

fn chain(size: usize) -> String {
    run("60 s")
        + "clients: { web: { to: g0, arrivals: { poisson: 1/s }, paths: { /a: 1, /b: 1 } } }\n"
        + "gateways:\n"
        + &each(size, |i| {
            let next = if i + 1 < size {
                format!("g{}", i + 1)
            } else {
                "f".to_owned()
            };
            format!("g{i}: {{ routes: [ {{ path: /a, to: {next} }}, {{ path: /b, to: {next} }} ] }}")
        })
        + "functions: { f: { cpu: 1, handler: [ cpu: 5 ms ] } }\n"
}

fn day(size: usize) -> String {
    systems(size, "24 h", "0.01/s", |_| {
        "cpu: { median: 5 ms, p99: 20 ms }".to_owned()
    })
}
