//! Terminal, CSV, JSON, HTML, SVG and PNG: everything that formats results for people and for other programs.
//!
//! [`write_all`] fills an output folder: `manifest.json`, `summary.json`, the CSV files of [`csv`], the pictures of
//! [`chart`] as SVG and PNG, and `report.html`; [`folder`] says how. What cannot be written is named and does not take
//! the rest with it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use self::folder::{Lost, check as check_target};
use self::folder::{Output, Staging};
pub use self::owner::{Chosen, choose as choose_folder};
use crate::run::Results;
pub use crate::run::format;
use crate::run::progress::{Phase, Progress, Silent};
use crate::run::summary::Summary;

mod assumptions;
pub mod chart;
pub mod columns;
pub mod csv;
mod ended;
pub mod folder;
mod grid;
pub mod html;
mod inputs;
pub mod json;
pub mod large;
pub mod later;
pub mod limits;
pub mod manifest;
pub mod marks;
mod offers;
mod others;
mod owner;
#[cfg(test)]
mod sample;
pub mod terminal;
pub mod verdicts;

/// Name of the manifest; a folder that holds one may be replaced.
pub const MANIFEST: &str = "manifest.json";
/// Name of the file with everything that was found out.
const SUMMARY: &str = "summary.json";
/// Name of the page to read and to send on.
const PAGE: &str = "report.html";

/// What to write beside numbers and `report.html`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Pictures as SVG, also within `report.html`.
    pub svg: bool,
    /// Pictures as PNG.
    pub png: bool,
}

impl Options {
    /// Everything but pictures, which take the longest of all.
    pub const NO_PICTURES: Self = Self { svg: false, png: false };
}

impl Default for Options {
    fn default() -> Self {
        Self { svg: true, png: true }
    }
}

/// What became of an output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The paths written, the manifest first, then by name.
    pub files: Vec<PathBuf>,
    /// What could not be written; empty if all went well.
    pub lost: Vec<Lost>,
    /// What the pictures leave out, in sentences.
    pub notes: Vec<String>,
}

/// Writes every report of a summary into a folder, in the place of those of an earlier run; files that earlier runs did
/// not write are kept. An error means that the folder is as it was; where only some files could not be written, the
/// others are there.
pub fn write_all(summary: &Summary, folder: &Path, options: Options) -> io::Result<Written> {
    write_telling(summary, folder, options, None, &Silent)
}

/// [`write_all`], telling how many files have been written. Where the folder was chosen by the scenario's name
/// ([`choose_folder`]), the manifest says which file that is, so that no other one of this name is taken for it.
pub fn write_telling(
    summary: &Summary,
    folder: &Path,
    options: Options,
    scenario: Option<&Path>,
    progress: &dyn Progress,
) -> io::Result<Written> {
    let output = Output::open(folder)?;
    let mut filled = Filled::new(output.staging(), progress);
    filled.scenario = scenario.and_then(|scenario| owner::path_from(folder, scenario));
    let notes = filled.fill(summary, options)?;
    let Filled { files, mut lost, .. } = filled;
    let unmoved = output.commit(&files);
    let arrived = |name: &&str| !unmoved.iter().any(|lost| lost.file == **name);
    let paths = std::iter::once(MANIFEST)
        .chain(files.iter().map(String::as_str))
        .filter(arrived);
    let files = paths.map(|name| folder.join(name)).collect();
    lost.extend(unmoved);
    Ok(Written { files, lost, notes })
}

impl Results {
    /// What `coldcurve run` prints: tables and warnings, without colour, for so many columns (at least 40).
    pub fn text(&self, columns: usize) -> String {
        let view = terminal::View {
            width: columns.max(40),
            colour: false,
        };
        terminal::text(self.summary(), view)
    }

    /// What `coldcurve run` writes into its output folder: see [`write_all`].
    ///
    /// # Errors
    /// If nothing could be written; the folder is as it was then.
    pub fn write(&self, folder: impl AsRef<Path>) -> io::Result<Written> {
        write_all(self.summary(), folder.as_ref(), Options::default())
    }
}

/// The files of a folder as they come to wait in its inner folder.
struct Filled<'a> {
    staging: &'a Staging,
    progress: &'a dyn Progress,
    /// The scenario as seen from the folder, where that is to be in the manifest.
    scenario: Option<String>,
    files: Vec<String>,
    lost: Vec<Lost>,
}

/// The pictures, their texts if they are wanted as SVG, and what they leave out.
#[derive(Default)]
struct Pictures {
    named: Vec<chart::Named>,
    documents: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Filled<'a> {
    fn new(staging: &'a Staging, progress: &'a dyn Progress) -> Self {
        Self {
            staging,
            progress,
            scenario: None,
            files: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// Notes how the writing of a file ended.
    fn note(&mut self, name: &str, result: io::Result<()>) {
        match result {
            Ok(()) => self.files.push(name.to_owned()),
            Err(error) => self.lost.push(Lost::new(name, &error)),
        }
    }

    fn put(&mut self, name: &str, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) {
        let result = self.staging.put_with(name, write);
        self.note(name, result);
        self.progress.step(Phase::Writing);
    }

    /// Writes all files, numbers before pictures, and returns what the pictures leave out. An error if no numbers could
    /// be written.
    fn fill(&mut self, summary: &Summary, options: Options) -> io::Result<Vec<String>> {
        self.progress.begin(Phase::Writing, 0);
        let Pictures {
            named: pictures,
            documents,
            notes,
        } = self.draw(summary, options);
        let names = names(summary, &pictures, options);
        self.progress.begin(Phase::Writing, names.len() as u64);
        // Without a manifest the folder would not be known as ours. Its room is taken before the disk fills up.
        self.staging.put(MANIFEST, self.manifest(summary, &names)?.as_bytes())?;
        self.put(SUMMARY, |out| json::write(summary, out));
        for (name, write) in csv::files(summary) {
            self.put(name, |out| write(summary, out));
        }
        if self.files.is_empty() {
            let why = self.lost.first().map_or("", |lost| lost.why.as_str());
            return Err(io::Error::other(why.to_owned()));
        }
        let page = html::text(summary, &pictures, &documents, &notes);
        self.put(PAGE, |out| out.write_all(page.as_bytes()));
        for (named, document) in pictures.iter().zip(&documents) {
            self.put(&format!("{}.svg", named.stem), |out| out.write_all(document.as_bytes()));
        }
        if options.png {
            self.paint(&pictures);
        }
        self.files.sort();
        self.staging
            .rewrite(MANIFEST, self.manifest(summary, &self.files)?.as_bytes())?;
        Ok(notes)
    }

    fn manifest(&self, summary: &Summary, files: &[String]) -> io::Result<String> {
        manifest::text(summary, self.scenario.as_deref(), files)
    }

    /// Draws what is asked for. A bug in a picture must not cost the numbers.
    fn draw(&mut self, summary: &Summary, options: Options) -> Pictures {
        let drawn = catch_unwind(AssertUnwindSafe(|| draw(summary, options)));
        let drawn = drawn.unwrap_or_else(|_| Err(io::Error::other("a bug: the pictures could not be drawn")));
        drawn.unwrap_or_else(|error| {
            self.lost.push(Lost::new("pictures", &error));
            Pictures::default()
        })
    }

    fn paint(&mut self, pictures: &[chart::Named]) {
        let (staging, progress) = (self.staging, self.progress);
        let paint = |named: &chart::Named| {
            let name = format!("{}.png", named.stem);
            let painted = catch_unwind(AssertUnwindSafe(|| named.picture.write_png(&staging.path(&name))));
            let painted = painted.unwrap_or_else(|_| Err(io::Error::other("a bug: it could not be drawn")));
            if painted.is_err() {
                staging.forget(&name);
            }
            progress.step(Phase::Writing);
            (name, painted)
        };
        let painted: Vec<_> = pictures.par_iter().map(paint).collect();
        for (name, result) in painted {
            self.note(&name, result);
        }
    }
}

/// The files that are to be written.
fn names(summary: &Summary, pictures: &[chart::Named], options: Options) -> Vec<String> {
    let data = csv::files(summary).map(|(name, _)| name);
    let mut names: Vec<String> = data.chain([SUMMARY, PAGE]).map(str::to_owned).collect();
    for (wanted, end) in [(options.svg, "svg"), (options.png, "png")] {
        let pictures = pictures.iter().filter(|_| wanted);
        names.extend(pictures.map(|named| format!("{}.{end}", named.stem)));
    }
    names
}

/// The pictures that are asked for.
fn draw(summary: &Summary, options: Options) -> io::Result<Pictures> {
    if !options.svg && !options.png {
        return Ok(Pictures::default());
    }
    let chart::Drawn { pictures, notes } = chart::drawn(summary);
    let texts = pictures.par_iter().filter(|_| options.svg);
    let documents = texts.map(|named| named.picture.svg()).collect::<io::Result<_>>()?;
    Ok(Pictures {
        named: pictures,
        documents,
        notes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    fn remove(folder: &Path) -> io::Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

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
        assert_eq!((a.len(), written.lost.len()), (written.files.len(), 0));
        assert!(written.files.iter().all(|path| path.is_file()));
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
        write_all(&sample::one(), &folder, Options::NO_PICTURES).unwrap();
        let after = contents(&folder);
        assert_eq!(after["notes.txt"], b"mine");
        assert!(!after.contains_key("overview.svg") && !after.contains_key("overview.png"));
        assert!(after.contains_key(PAGE));
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
