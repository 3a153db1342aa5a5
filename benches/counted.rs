//! Instructions per request of the example `speed`, of this version or of another one, counted by valgrind.

use std::path::Path;
use std::process::Command;

/// Requests of the two runs whose difference is taken, so that what happens once does not count.
const REQUESTS: [u32; 2] = [50_000, 150_000];

/// Instructions per request that a program takes for one side of a case; nothing if valgrind is not there, or if the
/// program has no such case.
pub fn per_request(program: &Path, name: &str, side: &str) -> Option<f64> {
    let [short, long] = REQUESTS;
    let more = instructions(program, name, side, long)? - instructions(program, name, side, short)?;
    let each = more / f64::from(long - short);
    // One that does not know the case does nothing, as often as it is told to.
    Some(each).filter(|each| *each > 1.0)
}

/// Instructions of a whole process that runs one side of a case.
fn instructions(program: &Path, name: &str, side: &str, requests: u32) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .args(["--side", side, "--only", name, "--requests", &requests.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text
        .lines()
        .find(|line| line.contains("I refs:") || line.contains("I   refs:"))?;
    line.rsplit(':').next()?.trim().replace(',', "").parse().ok()
}
