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
    let run = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coldcurve"));
        command
            .args(["run", "plain.yaml", "--no-files"])
            .current_dir(scratch.path());
        command.stdout(out).output().expect("the program starts")
    };
    let full = run(fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device")
        .into());
    assert_ne!(full.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&full.stderr).contains("standard output"));
    assert!(!String::from_utf8_lossy(&run(Stdio::piped()).stdout).contains('\u{202e}'));
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
