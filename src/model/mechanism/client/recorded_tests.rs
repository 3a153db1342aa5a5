//! Recordings played by hand.

use super::*;
use crate::kernel::number::whole_usize;
use crate::kernel::{Instant, Stream, StreamKey};
use crate::model::mechanism::client::Load;
use crate::model::mechanism::client::arrivals::Arrivals;
use crate::scenario::{Catalog, Files, Sources, parse};

/// Data files by their names.
struct Table(&'static [(&'static str, &'static str)]);

impl Files for Table {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = self.0.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| format!("no {path}"))
    }
}

/// The seconds at which each of some clients sends in a minute, and what is said about them.
fn played(run: &str, files: &'static [(&'static str, &'static str)], clients: &[&str]) -> (Vec<Vec<f64>>, String) {
    let named = clients.iter().enumerate();
    let named: Vec<String> = named
        .map(|(i, arrivals)| format!("  c{i}: {{ to: f, arrivals: {{ {arrivals} }} }}\n"))
        .collect();
    let named = named.concat();
    let text =
        format!("run: {{ length: 1 min, warmup: 0 s{run} }}\nclients:\n{named}functions: {{ f: {{ handler: [] }} }}\n");
    let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
    let file = sources.add("test.yaml", text);
    let root = parse(&sources, file, &diagnostics).expect("YAML");
    let built = crate::model::world::build::build(&root, &Catalog::default(), &diagnostics, &Table(files));
    let said = diagnostics.render(&sources, false);
    let times = |plan: &ArrivalPlan| {
        let mut dice = Stream::new(5, 0, StreamKey::new("client", "arrivals"));
        let mut arrivals = Arrivals::new(plan, &mut dice);
        let mut next = || arrivals.next(plan, Instant::ZERO, &mut dice);
        let all = std::iter::from_fn(|| Some(next()).filter(|at| *at < Instant(60_000_000_000)));
        all.map(crate::kernel::Instant::as_secs_f64).collect()
    };
    let clients = built.map_or_else(Vec::new, |(plan, _)| plan.clients);
    let loads = clients.iter().map(|client| match &client.load {
        Load::Open { arrivals, .. } => times(arrivals),
        Load::Closed { .. } => Vec::new(),
    });
    (loads.collect(), said)
}

fn counts(times: &[f64], width: f64) -> Vec<usize> {
    let mut counts = vec![0; whole_usize(60.0 / width)];
    for at in times {
        counts[whole_usize(at / width)] += 1;
    }
    counts
}

#[test]
fn blank_counts_are_zero() {
    let files = &[("gaps.csv", "n,m,x\n100,1,\n-,2,\nNaN,,\nnull,-,\n,4,\n1,5,\n")];
    let (times, said) = played("", files, &["counts: { file: gaps.csv, column: n, interval: 10 s }"]);
    assert_eq!(counts(&times[0], 10.0), [100, 0, 0, 0, 0, 1]);
    assert_eq!(said.trim(), "");
    let (_, said) = played("", files, &["counts: { file: gaps.csv, column: x, interval: 10 s }"]);
    assert!(said.contains("has no request"), "{said}");
}

#[test]
fn a_table_with_intervals_as_columns_is_refused_or_read_across() {
    let files = &[(
        "2019.csv",
        "HashFunction,Trigger,1,2,3\na,http,1,2,3\nb,queue,10,20,30\na,timer,0,0,7\n",
    )];
    let (_, said) = played("", files, &["counts: { file: 2019.csv, column: 1, interval: 10 s }"]);
    assert!(said.contains("columns: [\"1\", \"3\"]"), "{said}");
    let across = "counts: { file: 2019.csv, columns: [1, 3], where: { HashFunction: a }, interval: 20 s }";
    let all = "counts: { file: 2019.csv, columns: [1, 3], interval: 20 s }";
    let (times, said) = played("", files, &[across, all]);
    assert_eq!(counts(&times[0], 20.0), [1, 2, 10], "{said}");
    assert_eq!(counts(&times[1], 20.0), [11, 22, 40]);
}

#[test]
fn recordings_of_one_scenario_share_their_zero() {
    let files = &[("a.csv", "t\n100\n101\n102\n"), ("b.csv", "t\n111\n110\n")];
    let (a, b) = ("times: { file: a.csv, column: t", "times: { file: b.csv, column: t");
    let play = |a: &str, b: &str| played("", files, &[a, b]);
    let (times, said) = play(&format!("{a} }}"), &format!("{b} }}"));
    assert_eq!(times, [vec![0.0, 1.0, 2.0], vec![10.0, 11.0]]);
    assert!(
        said.contains("the recording ends 11 s after the start, and the run lasts 1 min"),
        "{said}"
    );
    let (times, _) = play(
        &format!("{a}, from: 101 s, until: 102 s }}"),
        &format!("{b}, offset: 5 s }}"),
    );
    assert_eq!(times, [vec![0.0], vec![14.0, 15.0]]);
    let (times, said) = play(
        &format!("{a}, zero: 101 s }}"),
        &format!("{b}, zero: 90 s, speed: 2 }}"),
    );
    assert_eq!(times, [vec![0.0, 1.0], vec![10.0, 10.5]]);
    assert!(said.contains("1 requests come before the run begins"), "{said}");
}

#[test]
fn dates_are_instants_in_any_order_and_go_by_the_start_of_the_run() {
    let files = &[
        (
            "logs.csv",
            "\"@timestamp\";took\n2026-10-01 13:34:59.250;48,5\n2026-10-01 13:34:57.000;51,0\n2026-10-01 13:34:55.5;0,5\n",
        ),
        ("access.tsv", "time\tms\n01/Oct/2026:15:35:05 +0200\t1\n"),
        ("epoch.csv", "t\n1790861699000\n"),
    ];
    let logs = "times: { file: logs.csv, column: \"@timestamp\" }";
    let (times, _) = played("", files, &[logs, "times: { file: access.tsv, column: time }"]);
    assert_eq!(times, [vec![0.0, 1.5, 3.75], vec![9.5]]);
    let (times, _) = played(
        ", start: 2026-10-01T13:34:50Z",
        files,
        &[logs, "times: { file: epoch.csv, column: t }"],
    );
    assert_eq!(times, [vec![5.5, 7.0, 9.25], vec![9.0]]);
    // Berlin is two hours ahead in October.
    let berlin = "times: { file: logs.csv, column: \"@timestamp\", time_zone: Europe/Berlin }";
    let (times, _) = played(", start: 2026-10-01T11:34:50Z", files, &[berlin]);
    assert_eq!(times, [vec![5.5, 7.0, 9.25]]);
    let ends = "times: { file: logs.csv, column: \"@timestamp\", marks: end, duration: took, duration_unit: ms }";
    let (times, _) = played(", start: 2026-10-01T13:34:50Z", files, &[ends]);
    assert_eq!(times, [vec![5.4995, 6.949, 9.2015]]);
    let (times, said) = played(", start: 2026-10-02", files, &[logs]);
    assert!(times.is_empty() && said.contains("all 3 requests"), "{said}");
}

#[test]
fn counts_with_instants_find_their_intervals() {
    let files = &[(
        "cw.csv",
        "Label,when,n\nx,2026-10-01 00:00:40,4\nx,2026-10-01 00:00:00,1\ny,2026-10-01 00:00:40,30\nx,2026-10-01 00:00:20,-\n",
    )];
    let (_, said) = played("", files, &["counts: { file: cw.csv, column: n, interval: 20 s }"]);
    assert!(said.contains("add `at: when`"), "{said}");
    let all = "counts: { file: cw.csv, column: n, at: when, interval: 20 s }";
    let one =
        "counts: { file: cw.csv, column: n, at: when, interval: 20 s, where: { Label: x }, from: 2026-10-01 00:00:10 }";
    let (times, said) = played("", files, &[all, one]);
    assert_eq!(counts(&times[0], 20.0), [1, 0, 34], "{said}");
    assert_eq!(counts(&times[1], 20.0), [0, 0, 4]);
    let (_, said) = played(
        "",
        files,
        &["counts: { file: cw.csv, column: n, at: when, interval: 15 s }"],
    );
    assert!(said.contains("no whole number of intervals"), "{said}");
}

#[test]
fn what_is_doubtful_is_said() {
    let files = &[
        ("t.csv", "t\n-1\n5\n70\n"),
        ("c.csv", "t|n\n1|1,5\n"),
        ("d.csv", "t\n2026-10-01\n"),
    ];
    let said = |arrivals: &[&str]| played("", files, arrivals).1;
    assert!(said(&["times: { file: t.csv, column: t }"]).contains("times before zero"));
    let late = said(&["times: { file: t.csv, column: t, zero: 0 s }"]);
    assert!(late.contains("1 of 2 requests come after the end of the run"), "{late}");
    assert!(said(&["counts: { file: c.csv, column: n, interval: 1 min }"]).contains("decimal: comma"));
    assert!(said(&["times: { file: t.csv, column: t, where: { t: 9 } }"]).contains("no row with `9`"));
    let mixed = said(&[
        "times: { file: t.csv, column: t, from: 0 s }",
        "times: { file: d.csv, column: t }",
    ]);
    assert!(
        mixed.contains("no common clock") || mixed.contains("before zero"),
        "{mixed}"
    );
}

#[test]
fn thousands_are_not_fractions() {
    let files = &[
        ("open.csv", "t;n\n1;5\n2;1,234\n"),
        ("point.csv", "t;n\n1;5\n2;1.234\n"),
        ("comma.csv", "t;n\n1;0,5\n2;1,234\n3;0\n"),
        ("grouped.csv", "t;n\n1;5\n2;1,234,567\n"),
    ];
    let said = |more: &str| {
        let counts = format!("counts: {{ interval: 20 s, column: n, {more} }}");
        played("", files, &[&counts]).1
    };
    let open = said("file: open.csv");
    assert!(
        open.contains("line 3: `1,234` may be 1.234 or 1234") && open.contains("add `decimal: comma`"),
        "{open}"
    );
    let point = said("file: point.csv");
    assert!(
        point.contains("`1.234` may be 1.234 or 1234") && point.contains("add `decimal: point`"),
        "{point}"
    );
    assert_eq!(said("file: open.csv, decimal: comma").matches("error[").count(), 0);
    assert_eq!(said("file: point.csv, decimal: point").matches("error[").count(), 0);
    let told = said("file: point.csv, decimal: comma");
    assert!(
        told.contains("`1.234` is not a number") && told.contains("thousands have to go"),
        "{told}"
    );
    let pointed = said("file: open.csv, decimal: point");
    assert!(pointed.contains("`1,234` is not a number"), "{pointed}");
    assert_eq!(said("file: comma.csv").matches("error[").count(), 0);
    let grouped = said("file: grouped.csv");
    assert!(
        grouped.contains("`1,234,567` is not a number") && grouped.contains("thousands have to go"),
        "{grouped}"
    );
}

#[test]
fn lines_are_those_of_the_file() {
    let files = &[
        ("crlf.csv", "t\r\n1\r\n\r\n# 2\r\nx\r\n"),
        ("quoted.csv", "t,n\n1,\"a\nb\"\n\n#\n\nx,c"),
        ("short.csv", "t,n\n1,a\n\n2\n"),
    ];
    let said = |file: &str| played("", files, &[&format!("times: {{ file: {file}, column: t }}")]).1;
    assert!(said("crlf.csv").contains("line 5: `x`"), "{}", said("crlf.csv"));
    assert!(said("quoted.csv").contains("line 7: `x`"), "{}", said("quoted.csv"));
    assert!(said("short.csv").contains("line 4: 1 fields"), "{}", said("short.csv"));
}

#[test]
fn fractions_of_counts_are_carried_on() {
    let files = &[("f.csv", "n,m\n0.4,10\n0.4,0\n0.4,0\n0.4,0\n0.4,10\n0,0\n")];
    let plays = |column: &str| format!("counts: {{ file: f.csv, interval: 10 s, {column} }}");
    let (times, _) = played("", files, &[&plays("column: n"), &plays("column: m, scale: 0.25")]);
    // 0.4, 0.8, 1.2, 1.6 and 2.0 in all; 2.5 and 5.
    assert_eq!(counts(&times[0], 10.0), [0, 1, 0, 1, 0, 0]);
    assert_eq!(counts(&times[1], 10.0), [3, 0, 0, 0, 2, 0]);
}

#[test]
fn a_clock_that_goes_back_is_told() {
    let files = &[
        ("two.csv", "t\n0\n20\n59\n1\n21\n58\n"),
        ("newest.csv", "t\n59\n30\n0\n"),
        ("mixed.csv", "t\n0\n20\n10\n40\n30\n59\n"),
    ];
    let said = |file: &str| played("", files, &[&format!("times: {{ file: {file}, column: t }}")]).1;
    let two = said("two.csv");
    assert!(
        two.contains("line 5: the clock goes back by 58 s in a recording of 59 s"),
        "{two}"
    );
    assert_eq!(said("newest.csv").trim(), "");
    assert_eq!(said("mixed.csv").trim(), "");
}

/// Counts how often a file is read.
struct Counted(std::sync::atomic::AtomicUsize);

impl Files for Counted {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Lines that are no rows, quotes, and a last line without an end.
        Ok(b"f,t,d\na,1,5\n# nothing\nb,2,5\n\n\"a\",3,5\nb,4,x".to_vec())
    }
}

#[test]
fn a_file_is_read_once_for_all_who_take_rows_of_it() {
    let client = |name: &str| {
        format!("  {name}: {{ to: f, arrivals: {{ times: {{ file: f.csv, column: t, where: {{ f: {name} }} }} }} }}\n")
    };
    let text = format!(
        "run: {{ length: 5 s, warmup: 0 s }}\nclients:\n{}{}functions: {{ f: {{ handler: [] }} }}\n",
        client("a"),
        client("b")
    );
    let build = |text: &str| {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("test.yaml", text.to_owned());
        let root = parse(&sources, file, &diagnostics).expect("YAML");
        let files = Counted(0.into());
        let plan = crate::model::world::build::build(&root, &Catalog::default(), &diagnostics, &files);
        (plan, diagnostics.render(&sources, false), files.0.into_inner())
    };
    let (plan, said, reads) = build(&text);
    assert_eq!(reads, 1, "{said}");
    let at = |client: usize| match &plan.as_ref().expect("a plan").0.clients[client].load {
        Load::Open {
            arrivals: ArrivalPlan::Times(recording),
            ..
        } => recording.at.to_vec(),
        _ => Vec::new(),
    };
    assert_eq!(
        [at(0), at(1)],
        [vec![0, 2_000_000_000], vec![1_000_000_000, 3_000_000_000]]
    );
    // What is wrong with a row is told with its line in the file.
    let (_, said, _) = build(&text.replace("f: b }", "f: b }, duration: d, duration_unit: s"));
    assert!(said.contains("line 7: `x` is not a number"), "{said}");
}

#[test]
fn runs_begin_where_dated_recordings_do() {
    let text = |run: &str, times: &str| {
        format!(
            "run: {{ length: 2 h, warmup: 0 s{run} }}\nclients:\n  web: {{ to: f, arrivals: {{ times: {{ file: f, \
             column: t{times} }} }} }}\nschedules: {{ s: {{ to: f, cron: \"0 9 * * *\" }} }}\n\
             functions: {{ f: {{ handler: [] }} }}\n"
        )
    };
    let files: &[(&str, &str)] = &[("f", "t\n2026-10-01 08:30\n2026-10-01 10:20\n")];
    let clock = |text: String| {
        let (mut sources, diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("test.yaml", text);
        let root = parse(&sources, file, &diagnostics).expect("YAML");
        let built = crate::model::world::build::build(&root, &Catalog::default(), &diagnostics, &Table(files));
        let plan = built
            .unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)))
            .0;
        match &plan.schedules[0].times {
            crate::model::mechanism::schedule::Times::At(times) => times.first().map(|at| at.0),
            crate::model::mechanism::schedule::Times::Every { .. } => None,
        }
    };
    let minutes = |run: &str, times: &str| clock(text(run, times)).map(|ns| ns / 60_000_000_000);
    assert_eq!(minutes("", ""), Some(30));
    assert_eq!(minutes("", ", from: 2026-10-01 08:15"), Some(45));
    assert_eq!(minutes("", ", zero: 2026-10-01 08:00"), Some(60));
    assert_eq!(minutes(", start: 2026-10-01T08:29", ""), Some(31));
}
