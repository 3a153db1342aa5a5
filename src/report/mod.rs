//! Terminal, CSV, JSON, HTML, SVG and PNG: everything that formats results for people and for other programs.
//!
//! [`write_all`] fills an output folder: `manifest.json`, `summary.json`, the CSV files of [`csv`], the pictures of
//! [`chart`] as SVG and PNG, and `report.html`. The new folder is written beside the old one and then takes its place,
//! so that a reader never finds half of either.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::run::summary::Summary;

pub mod chart;
pub mod csv;
pub mod format;
pub mod html;
pub mod json;
pub mod limits;
pub mod manifest;
pub mod marks;
#[cfg(test)]
mod sample;
pub mod terminal;
pub mod verdicts;

/// Name of the manifest; a folder that holds one may be replaced.
pub const MANIFEST: &str = "manifest.json";

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Pictures as SVG, and `report.html` with them.
    pub svg: bool,
    /// Pictures as PNG.
    pub png: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { svg: true, png: true }
    }
}

/// Whether results may be written to this folder: it is absent, empty, or holds the results of an earlier run.
/// Worth asking before a long run.
pub fn check_target(folder: &Path) -> io::Result<()> {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", folder.display()))),
    };
    if entries.next().is_none() || folder.join(MANIFEST).is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!(
            "{} has files in it, but no {MANIFEST} of an earlier run: not replaced; name another folder with --out",
            folder.display()
        ),
    ))
}

/// Writes every report of a summary into a folder, which it replaces as a whole; files that earlier runs did not write
/// are kept. Returns the paths written, the manifest first, then by name.
pub fn write_all(summary: &Summary, folder: &Path, options: Options) -> io::Result<Vec<PathBuf>> {
    check_target(folder)?;
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = folder
        .file_name()
        .ok_or_else(|| io::Error::other("the output folder has no name"))?
        .to_string_lossy();
    fs::create_dir_all(parent)?;
    let fresh = parent.join(format!(".{name}.new-{}", std::process::id()));
    let old = parent.join(format!(".{name}.old-{}", std::process::id()));
    for left_over in [&fresh, &old] {
        remove(left_over)?;
    }
    let written = fill(summary, &fresh, options).and_then(|files| {
        keep_foreign(&folder, &fresh)?;
        replace(&folder, &fresh, &old)?;
        Ok(files)
    });
    if written.is_err() {
        // The first error is the one to report; a left-over folder is removed by the next run.
        let _ = remove(&fresh);
    }
    Ok(written?.into_iter().map(|file| folder.join(file)).collect())
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes all files into a new folder; returns their names.
fn fill(summary: &Summary, folder: &Path, options: Options) -> io::Result<Vec<String>> {
    fs::create_dir(folder)?;
    let mut files: Vec<String> = Vec::new();
    let mut put = |name: &str, text: &str| -> io::Result<()> {
        fs::write(folder.join(name), text)?;
        files.push(name.into());
        Ok(())
    };
    put("summary.json", &json::text(summary)?)?;
    for (name, text) in csv::files(summary)? {
        put(name, &text)?;
    }
    let pictures = if options.svg || options.png {
        chart::pictures(summary)
    } else {
        Vec::new()
    };
    if options.svg {
        let documents: Vec<String> = pictures
            .iter()
            .map(|named| named.picture.svg())
            .collect::<io::Result<_>>()?;
        for (named, document) in pictures.iter().zip(&documents) {
            put(&format!("{}.svg", named.stem), document)?;
        }
        put("report.html", &html::text(summary, &pictures, &documents))?;
    }
    if options.png {
        let path = |named: &chart::Named| folder.join(format!("{}.png", named.stem));
        pictures
            .par_iter()
            .try_for_each(|named| named.picture.write_png(&path(named)))?;
        files.extend(pictures.iter().map(|named| format!("{}.png", named.stem)));
    }
    files.sort();
    fs::write(folder.join(MANIFEST), manifest::text(summary, &files)?)?;
    files.insert(0, MANIFEST.into());
    Ok(files)
}

/// Copies what somebody else put into the old folder.
fn keep_foreign(old: &Path, fresh: &Path) -> io::Result<()> {
    let Ok(text) = fs::read_to_string(old.join(MANIFEST)) else {
        return Ok(());
    };
    // A manifest that does not parse is of another version: then every file that has no successor is kept.
    let ours = serde_json::from_str::<manifest::ManifestFile>(&text).map_or_else(|_| Vec::new(), |file| file.files);
    for entry in fs::read_dir(old)? {
        let entry = entry?;
        let name = entry.file_name();
        let known = name == MANIFEST || ours.iter().any(|file| name == file.as_str());
        if !known && !fresh.join(&name).exists() {
            copy(&entry.path(), &fresh.join(&name))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Puts the fresh folder in the place of the old one, which comes back if that fails.
fn replace(folder: &Path, fresh: &Path, old: &Path) -> io::Result<()> {
    if !folder.exists() {
        return fs::rename(fresh, folder);
    }
    fs::rename(folder, old)?;
    if let Err(error) = fs::rename(fresh, folder) {
        fs::rename(old, folder)?;
        return Err(error);
    }
    remove(old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A folder of its own for each test, empty at its start.
    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("coldcurve-report-{name}-{}", std::process::id()));
        remove(&folder).unwrap();
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                (
                    entry.file_name().to_string_lossy().into_owned(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn equal_summaries_write_equal_folders() {
        let scratch = scratch("equal");
        let summary = sample::four();
        let written = write_all(&summary, &scratch.join("a"), Options::default()).unwrap();
        write_all(&summary, &scratch.join("b"), Options::default()).unwrap();
        let (a, b) = (contents(&scratch.join("a")), contents(&scratch.join("b")));
        assert!(a == b);
        assert_eq!(a.len(), written.len());
        assert!(written.iter().all(|path| path.is_file()));
        for file in [
            "manifest.json",
            "summary.json",
            "runs.csv",
            "overview.svg",
            "overview.png",
            "report.html",
        ] {
            assert!(a.contains_key(file), "{file}");
        }
        let listed: manifest::ManifestFile = serde_json::from_slice(&a[MANIFEST]).unwrap();
        assert!(listed.files.iter().eq(a.keys().filter(|name| *name != MANIFEST)));
        remove(&scratch).unwrap();
    }

    #[test]
    fn a_rerun_replaces_its_files_and_keeps_those_of_others() {
        let scratch = scratch("rerun");
        let folder = scratch.join("out");
        write_all(&sample::four(), &folder, Options::default()).unwrap();
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        write_all(&sample::one(), &folder, Options { svg: false, png: false }).unwrap();
        let after = contents(&folder);
        assert_eq!(after["notes.txt"], b"mine");
        assert!(!after.contains_key("overview.svg"));
        assert_eq!(
            fs::read_dir(&scratch).unwrap().count(),
            1,
            "nothing is left beside the folder"
        );
        remove(&scratch).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_replaced() {
        let scratch = scratch("foreign");
        fs::write(scratch.join("thesis.tex"), "years of work").unwrap();
        let error = write_all(&sample::one(), &scratch, Options::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(contents(&scratch).len(), 1);
        remove(&scratch).unwrap();
    }

    #[test]
    fn every_shape_of_summary_can_be_written() {
        let scratch = scratch("shapes");
        for (name, summary) in sample::all().into_iter().filter(|(name, _)| *name != "many") {
            write_all(&summary, &scratch.join(name), Options { svg: true, png: false }).unwrap();
        }
        remove(&scratch).unwrap();
    }
}
