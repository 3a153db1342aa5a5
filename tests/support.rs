//! What several integration tests need: the program as a process, scratch folders, and files that can be blessed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a process ended in.
pub struct Outcome {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs `coldcurve` in a folder, without colours and without a terminal.
pub fn coldcurve(folder: &Path, arguments: &[&str]) -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_coldcurve"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
    Outcome {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The repository's own folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of its own for each test, empty at its start and removed at its end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A folder for the test of this name.
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("coldcurve-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it and returns the file's name, for arguments of a program that runs in this folder.
    pub fn write<'n>(&self, name: &'n str, text: &str) -> &'n str {
        fs::write(self.0.join(name), text).expect("a file in the folder for temporary files");
        name
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// All files below a folder, by their paths relative to it.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let name = entry.strip_prefix(folder).expect("below the folder").to_path_buf();
                files.insert(name, fs::read(&entry).expect("a file"));
            }
        }
    }
    files
}

/// Compares a text with the file that holds it, or writes that file if `COLDCURVE_BLESS` is set. Says what differs.
pub fn blessed(file: &Path, text: &str) -> Result<(), String> {
    if std::env::var_os("COLDCURVE_BLESS").is_some() {
        return fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()));
    }
    let name = file.strip_prefix(repository()).unwrap_or(file).display();
    let expected = fs::read_to_string(file).map_err(|error| format!("{name}: {error}; COLDCURVE_BLESS=1 writes it"))?;
    let differs = expected.lines().zip(text.lines()).position(|(a, b)| a != b);
    let at = differs.unwrap_or_else(|| expected.lines().count().min(text.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(nothing)").to_owned();
    if expected == text {
        return Ok(());
    }
    let (old, new) = (line(&expected), line(text));
    Err(format!(
        "{name}, line {}: expected\n  {old}\nfound\n  {new}\nCOLDCURVE_BLESS=1 rewrites it",
        at + 1
    ))
}
