//! `coldcurve new`: a commented scenario to start from.

use super::say;
use std::io::Write;
use std::path::Path;

const STARTER: &str = include_str!("starter.yaml");

/// Writes the starter scenario to a file that does not exist yet.
pub fn write(path: &Path) -> Result<u8, String> {
    let place = path.display();
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => format!("error: {place} is there already; it is not overwritten"),
        _ => format!("error: cannot write {place}: {error}"),
    })?;
    file.write_all(STARTER.as_bytes()).map_err(|error| {
        // Half a scenario helps nobody, and it would be in the way of the next try.
        let _ = std::fs::remove_file(path);
        format!("error: cannot write {place}: {error}")
    })?;
    say(&format!("Wrote {place}. Next: coldcurve run {place}\n"));
    Ok(0)
}
