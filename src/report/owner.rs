//! Whose results lie in an output folder: two scenarios whose files have one name do not get one another's folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::MANIFEST;
use crate::run::load::seen_from;
use crate::run::summary::digest;

/// The most names that are tried for a folder.
const MOST_TRIES: usize = 1000;

/// What a manifest says of its scenario.
#[derive(Deserialize)]
struct Owner {
    #[serde(rename = "scenario_file")]
    file: String,
    #[serde(rename = "scenario_digest")]
    digest: String,
    /// Absent where the folder was named by the user, or by an earlier version.
    #[serde(rename = "scenario_path", default)]
    path: Option<String>,
}

/// A folder for results, and whose results lie in that of the scenario's own name, if they are another scenario's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Where the results go.
    pub folder: PathBuf,
    /// The folder that has the name of the scenario, and the scenario whose results it has.
    pub taken: Option<(PathBuf, String)>,
}

/// The folder within `output` for the results of a scenario: that with the name of its file, or, if this has the
/// results of another scenario, the first one that has not of those that are named after its folder, too.
pub fn choose(output: &Path, scenario: &Path) -> Chosen {
    let stem = scenario
        .file_stem()
        .map_or("scenario".into(), |stem| stem.to_string_lossy());
    let own = output.join(&*stem);
    let Some(whose) = other_owner(&own, scenario) else {
        return Chosen {
            folder: own,
            taken: None,
        };
    };
    let within = fs::canonicalize(scenario).ok();
    let within = within.as_deref().and_then(Path::parent).and_then(Path::file_name);
    let long = within.map_or_else(|| stem.to_string(), |name| format!("{}-{stem}", name.to_string_lossy()));
    let numbered = (2..MOST_TRIES).map(|number| format!("{long}-{number}"));
    let names = std::iter::once(long.clone()).chain(numbered);
    let mut folders = names.map(|name| output.join(name)).filter(|folder| *folder != own);
    Chosen {
        folder: folders
            .find(|folder| other_owner(folder, scenario).is_none())
            .unwrap_or_else(|| own.clone()),
        taken: Some((own, whose)),
    }
}

/// The scenario whose results lie in a folder, if it is another one than this. What has been edited since is the same;
/// what has been moved is, if it has not been edited, too.
fn other_owner(folder: &Path, scenario: &Path) -> Option<String> {
    let text = fs::read(folder.join(MANIFEST)).ok()?;
    let owner: Owner = serde_json::from_slice(&text).ok()?;
    let Some(path) = &owner.path else {
        let same = scenario
            .file_name()
            .is_some_and(|name| *name.to_string_lossy() == owner.file);
        return (!same).then_some(owner.file);
    };
    let theirs = folder.join(path);
    let same = match (fs::canonicalize(&theirs), fs::canonicalize(scenario)) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        (Err(_), _) => fs::read(scenario).is_ok_and(|text| digest(&text) == owner.digest),
        (Ok(_), Err(_)) => false,
    };
    let shown = || fs::canonicalize(&theirs).unwrap_or(theirs.clone());
    (!same).then(|| seen_from(Path::new("."), &shown()).display().to_string())
}

/// How the manifest in a folder names its scenario, where that is a file.
pub fn path_from(folder: &Path, scenario: &Path) -> Option<String> {
    scenario
        .is_file()
        .then(|| seen_from(folder, scenario).display().to_string())
}
