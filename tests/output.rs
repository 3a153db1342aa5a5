//! Nothing computed is lost: what the program does where it cannot write, and what it leaves alone.

use crate::support::{Scratch, coldcurve, contents};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// One cell; a run of it takes milliseconds.
const PLAIN: &str = "title: T\u{202e}x\nrun: { length: 1 min, warmup: 10 s, window: 10 s, replications: 2 }
clients:
  web: { to: hello, arrivals: { poisson: 5/s } }
functions:
  hello: { service: aws.lambda, memory: 512 MB, handler: [cpu: 5 ms] }
";

#[test]
fn a_place_that_cannot_be_written_is_refused_before_the_run() {
    let scratch = Scratch::new("refused");
    let plain = scratch.write("plain.yaml", PLAIN);
    scratch.write("file", "");
    fs::create_dir(scratch.path().join("foreign")).expect("a folder");
    fs::write(scratch.path().join("foreign/manifest.json"), "{\"name\": \"app\"}").expect("a file");
    let long = "x".repeat(300);
    for out in ["/proc/results", "file", "file/below", "foreign", &long] {
        let outcome = coldcurve(scratch.path(), &["run", plain, "--out", out]);
        assert_eq!(outcome.code, Some(2), "{out}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{out} was run");
        assert!(outcome.stderr.contains("error"), "{out}: {}", outcome.stderr);
    }
    assert_eq!(contents(&scratch.path().join("foreign")).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn links_pipes_and_permissions_of_the_folder_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new("links");
    let plain = scratch.write("plain.yaml", PLAIN);
    let out = scratch.path().join("out");
    assert_eq!(coldcurve(scratch.path(), &["run", plain, "--out", "out"]).code, Some(0));
    std::os::unix::fs::symlink("/nowhere", out.join("link")).expect("a link");
    let made = Command::new("mkfifo").arg(out.join("pipe")).status();
    assert!(made.expect("mkfifo").success());
    fs::set_permissions(&out, fs::Permissions::from_mode(0o2750)).expect("permissions");
    let killed = scratch.path().join(".out.new-4000001");
    fs::create_dir(&killed).expect("a folder");
    assert_eq!(coldcurve(scratch.path(), &["run", plain, "--out", "out"]).code, Some(0));
    assert_eq!(
        fs::read_link(out.join("link")).expect("the link"),
        Path::new("/nowhere")
    );
    assert!(fs::symlink_metadata(out.join("pipe")).is_ok());
    assert_eq!(
        fs::metadata(&out).expect("the folder").permissions().mode() & 0o7777,
        0o2750
    );
    assert!(!killed.exists(), "what a killed run left is still there");
}

#[cfg(target_os = "linux")]
#[test]
fn reading_a_device_or_a_pipe_ends() {
    let scratch = Scratch::new("devices");
    let made = Command::new("mkfifo").arg(scratch.path().join("pipe")).status();
    assert!(made.expect("mkfifo").success());
    for path in ["/dev/zero", "pipe"] {
        let outcome = coldcurve(scratch.path(), &["check", path]);
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains("a pipe or a device"), "{}", outcome.stderr);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error_and_titles_do_not_steer() {
    let scratch = Scratch::new("full");
    scratch.write("plain.yaml", PLAIN);
    let run = |line: &str, out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldcurve"));
        command
            .args(line.split(' '))
            .current_dir(scratch.path())
            .env("NO_COLOR", "1");
        command.stdout(out).output().expect("the program starts")
    };
    for line in [
        "run plain.yaml --no-files",
        "run plain.yaml --no-files --format json",
        "check plain.yaml",
        "test plain.yaml",
        "explain",
        "--help",
        "--version",
    ] {
        let device = fs::File::options().write(true).open("/dev/full").expect("a device");
        let full = run(line, device.into());
        assert_eq!(full.status.code(), Some(3), "{line}");
        let said = String::from_utf8_lossy(&full.stderr);
        assert!(said.contains("standard output: No space left"), "{line}: {said}");
    }
    let seen = run("run plain.yaml --no-files", Stdio::piped());
    assert!(!String::from_utf8_lossy(&seen.stdout).contains('\u{202e}'));
    let wrong = run("check --\u{1b}[2J", Stdio::piped());
    assert_eq!(wrong.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains('\u{1b}'));
}

#[cfg(target_os = "linux")]
#[test]
fn what_does_not_fit_is_named_and_the_rest_is_kept() {
    let scratch = Scratch::new("limited");
    scratch.write("plain.yaml", PLAIN);
    // A limit on the size of files stands for a disk that fills up: the signal that comes with it is ignored.
    let program = env!("CARGO_BIN_EXE_coldcurve");
    let limited = format!("trap '' XFSZ; ulimit -f 140; exec '{program}' run plain.yaml --out out");
    let mut shell = Command::new("sh");
    let output = shell
        .args(["-c", &limited])
        .current_dir(scratch.path())
        .output()
        .expect("a shell");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(3), "{stdout}{stderr}");
    assert!(
        stdout.contains("bill per") && stdout.contains("files in out"),
        "{stdout}"
    );
    assert!(
        stderr.contains("could not be written: File too large") && stderr.contains("overview.png"),
        "{stderr}"
    );
    let files = contents(&scratch.path().join("out"));
    for name in ["summary.json", "runs.csv", "overview.svg"] {
        assert!(files.contains_key(Path::new(name)), "{name} is lost, too: {stderr}");
    }
    assert!(!files.contains_key(Path::new("overview.png")));
    let manifest: serde_json::Value = serde_json::from_slice(&files[Path::new("manifest.json")]).expect("JSON");
    let listed = manifest["files"].as_array().expect("files").iter();
    let listed: Vec<&Path> = listed.map(|name| Path::new(name.as_str().expect("a name"))).collect();
    assert!(
        files
            .keys()
            .filter(|name| *name != Path::new("manifest.json"))
            .eq(listed),
        "the manifest lists what is there"
    );
    // Where not even the numbers fit, nothing is run.
    let tight = limited.replace("140", "20");
    let mut shell = Command::new("sh");
    let output = shell
        .args(["-c", &tight])
        .current_dir(scratch.path())
        .output()
        .expect("a shell");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(contents(&scratch.path().join("out")) == files);
}

#[test]
fn pictures_can_be_left_out_and_are_of_the_worst_of_very_many_parts() {
    let scratch = Scratch::new("pictures");
    let names: Vec<String> = (0..70).map(|number| format!("f{number}")).collect();
    let each = |line: &dyn Fn(&str) -> String| names.iter().map(|name| line(name)).collect::<String>();
    let many = format!(
        "run: {{ length: 20 s, warmup: 0 s, window: 10 s, replications: 1 }}\nclients:\n{}functions:\n{}",
        each(&|name| {
            // Each request of this one meets a cold start.
            let rate = if name == "f66" { "3/s" } else { "0.5/s" };
            format!("  c{name}: {{ to: {name}, arrivals: {{ poisson: {rate} }} }}\n")
        }),
        each(&|name| {
            let warm = if name == "f66" { "idle_timeout: 1 ms, " } else { "" };
            format!("  {name}: {{ service: aws.lambda, memory: 128 MB, {warm}handler: [cpu: 5 ms] }}\n")
        })
    );
    let many = scratch.write("many.yaml", &many);
    let outcome = coldcurve(scratch.path(), &["run", many, "--out", "out"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome
            .stdout
            .contains("Pictures of 8 of 70 functions and fleets: those with"),
        "{}",
        outcome.stdout
    );
    let files = contents(&scratch.path().join("out"));
    let instances = files
        .keys()
        .filter(|name| name.to_string_lossy().starts_with("instances-f"));
    assert_eq!(instances.count(), 2 * 8);
    assert!(files.contains_key(Path::new("instances-f66.png")));
    let page = String::from_utf8_lossy(&files[Path::new("report.html")]);
    assert!(page.contains("Pictures of 8 of 70 functions and fleets") && page.contains("<figure>"));

    let without = coldcurve(scratch.path(), &["run", many, "--out", "out", "--no-pictures"]);
    assert_eq!(without.code, Some(0), "{}", without.stderr);
    let numbers = contents(&scratch.path().join("out"));
    assert!(
        numbers
            .keys()
            .all(|name| name.extension().is_some_and(|end| end != "svg" && end != "png"))
    );
    assert!(numbers.contains_key(Path::new("report.html")));
    assert!(numbers[Path::new("summary.json")] == files[Path::new("summary.json")]);
}

#[test]
fn what_killed_runs_leave_goes_with_the_next() {
    let scratch = Scratch::new("kills");
    scratch.write("plain.yaml", PLAIN);
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldcurve"));
        command
            .args(["run", "plain.yaml", "--out", "out"])
            .current_dir(scratch.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(run().status().expect("a run").success());
    let whole = contents(scratch.path());
    for pause in [40, 120, 200, 280, 360] {
        let mut child = run().spawn().expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        assert!(
            scratch.path().join("out/manifest.json").is_file(),
            "results are there at any time"
        );
    }
    assert!(run().status().expect("a run").success());
    assert!(contents(scratch.path()) == whole);
}

#[test]
fn names_steer_neither_a_terminal_nor_a_page_nor_a_spreadsheet() {
    let scratch = Scratch::new("names");
    let steering = [
        '\u{1b}', '\u{9b}', '\u{7}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{2028}',
    ];
    let text = "title: \"Shop \\e[2J \\u009b31m \\u202Eevil\\u2028x\"
run: { length: 30 s, warmup: 5 s, window: 10 s, replications: 2 }
clients: { web: { to: hello, arrivals: { poisson: 5/s } } }
functions: { hello: { service: aws.lambda, memory: 512 MB, handler: [cpu: 5 ms] } }
variants:
  \"=HYPERLINK(1)\\e[31m\": {}
  \"+a\\u2066\\a\": {}
sweep: [{ parameter: functions.hello.memory, label: \"-\\u200Fsize\", values: [512 MB, 1 GB] }]
expect: [{ metric: latency.p99, below: 1 ms }]
";
    let scenario = scratch.write("shop.yaml", text);
    let run = coldcurve(scratch.path(), &["run", scenario, "--out", "out"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let tested = coldcurve(scratch.path(), &["test", scenario]);
    let as_json = coldcurve(scratch.path(), &["run", scenario, "--no-files", "--format", "json"]);
    let broken = text
        .replace("hello: {", "\"a\\e[1m\\u202E\": {")
        .replace("512 MB,", "\"\\e[5m1\",");
    let complaint = coldcurve(scratch.path(), &["check", scratch.write("broken.yaml", &broken)]);
    assert_eq!(complaint.code, Some(2));
    let odd = coldcurve(scratch.path(), &["check", "no\u{1b}[2J.yaml"]);
    let mut texts: Vec<(String, String)> = [run, tested, as_json, complaint, odd]
        .into_iter()
        .enumerate()
        .map(|(number, outcome)| (format!("screen {number}"), outcome.stdout + &outcome.stderr))
        .collect();
    for (name, bytes) in contents(&scratch.path().join("out")) {
        if let Ok(text) = String::from_utf8(bytes) {
            texts.push((name.display().to_string(), text));
        }
    }
    assert!(texts.len() > 15, "only {} texts", texts.len());
    for (name, text) in &texts {
        assert!(!text.contains(steering), "{name}: {text:?}");
    }
    let csv = |name: &str| &texts.iter().find(|(other, _)| other == name).expect(name).1;
    for row in csv("summary.csv").lines().skip(1) {
        assert!(row.starts_with("'=HYPERLINK(1)") || row.starts_with("'+a"), "{row}");
    }
    // What the escapes stand for is still there to be read.
    assert!(csv("report.html").contains("\\u{202e}evil"));
    let summary: serde_json::Value = serde_json::from_str(csv("summary.json")).expect("JSON");
    assert!(summary["title"].as_str().expect("a title").contains('\u{202e}'));
}

#[test]
fn the_manifest_knows_every_file_that_was_read() {
    let scratch = Scratch::new("inputs");
    for folder in ["shops", "own"] {
        fs::create_dir(scratch.path().join(folder)).expect("a folder");
    }
    scratch.write(
        "own/acme.yaml",
        "service: acme.functions\nkind: functions\ntitle: Acme\ndefaults: {}\n",
    );
    scratch.write("shops/times.csv", "ms\n1\n2\n");
    let text = PLAIN.replace("aws.lambda", "acme.functions").replace(
        "cpu: 5 ms",
        "cpu: 5 ms, wait: { empirical: { file: times.csv, column: ms } }",
    );
    scratch.write("shops/plain.yaml", &text);
    let run = |out: &str| {
        let arguments = ["run", "shops/plain.yaml", "--catalog", "own", "--out", out];
        let outcome = coldcurve(scratch.path(), &arguments);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let text = fs::read_to_string(scratch.path().join(out).join("manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        manifest
    };
    let first = run("first");
    let names = |manifest: &serde_json::Value| -> Vec<String> {
        let inputs = manifest["inputs"].as_array().expect("inputs").iter();
        inputs
            .map(|input| input["file"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&first), ["../own/acme.yaml", "times.csv"]);
    scratch.write("shops/times.csv", "ms\n1\n3\n");
    let second = run("second");
    assert_eq!(first["inputs"][0], second["inputs"][0]);
    assert_ne!(first["inputs"][1]["digest"], second["inputs"][1]["digest"]);
    // The command is for the scenario's folder.
    let command = second["command"].as_str().expect("a command");
    let command = command.replacen("coldcurve", env!("CARGO_BIN_EXE_coldcurve"), 1) + " --out ../again";
    let mut shell = Command::new("sh");
    let status = shell
        .args(["-c", &command])
        .current_dir(scratch.path().join("shops"))
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("a shell").success(), "{command}");
    assert!(contents(&scratch.path().join("second")) == contents(&scratch.path().join("again")));
}

#[cfg(target_os = "linux")]
#[test]
fn what_came_through_a_pipe_has_no_command_that_repeats_it() {
    let scratch = Scratch::new("piped");
    scratch.write("plain.yaml", PLAIN);
    let program = env!("CARGO_BIN_EXE_coldcurve");
    let line = format!("cat plain.yaml | '{program}' run /dev/stdin --out out");
    let mut shell = Command::new("sh");
    let shell = shell
        .args(["-c", &line])
        .current_dir(scratch.path())
        .stdout(Stdio::null());
    assert!(shell.status().expect("a shell").success());
    let text = fs::read_to_string(scratch.path().join("out/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let command = manifest["command"].as_str().expect("words");
    assert!(
        command.starts_with("# ") && command.contains("through a pipe"),
        "{command}"
    );
    let page = fs::read_to_string(scratch.path().join("out/report.html")).expect("a report");
    assert!(page.contains("through a pipe") && !page.contains("coldcurve run stdin"));
}

#[test]
fn the_command_of_the_manifest_repeats_the_run() {
    let scratch = Scratch::new("command");
    scratch.write("-it's a shop.yaml", PLAIN);
    let first = coldcurve(
        scratch.path(),
        &[
            "run",
            "./-it's a shop.yaml",
            "--set",
            "title=a 'b' $HOME",
            "--out",
            "first",
        ],
    );
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let text = fs::read_to_string(scratch.path().join("first/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let command = manifest["command"].as_str().expect("a command").to_owned();
    let command = command.replacen("coldcurve", env!("CARGO_BIN_EXE_coldcurve"), 1) + " --out again";
    let mut shell = Command::new("sh");
    let status = shell
        .args(["-c", &command])
        .current_dir(scratch.path())
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("a shell").success(), "{command}");
    assert!(contents(&scratch.path().join("first")) == contents(&scratch.path().join("again")));
}
