//! `manifest.json`: what it takes to repeat a run and to trust its files. It holds no time stamp and no fact about the
//! machine, so that equal runs write equal folders. Digests are FNV-1a over 64 bits ([`crate::run::summary::digest`]).

use std::io;

use serde::{Deserialize, Serialize};

use super::json::written;
use crate::run::summary::{InputRef, PriceBookRef, Summary};

/// Contents of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Version of coldcurve.
    pub coldcurve: String,
    /// The command that repeats the run in the scenario's folder, quoted for a shell.
    pub command: String,
    /// Scenario file name.
    pub scenario_file: String,
    /// The scenario's file as seen from the folder, where the folder was chosen by the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario_path: Option<String>,
    /// Digest of the scenario's bytes.
    pub scenario_digest: String,
    /// Overrides given on the command line, as `path=value`.
    pub overrides: Vec<String>,
    /// Root seed.
    pub seed: u64,
    /// Replications per cell.
    pub replications: u32,
    /// Data files, price files and service files that were read: names as seen from the scenario's folder, and digests.
    pub inputs: Vec<InputRef>,
    /// Price books that the bill used, with their dates.
    pub price_books: Vec<PriceBookRef>,
    /// Every file of the folder but this one, sorted by name.
    pub files: Vec<String>,
}

/// The manifest of a folder that holds these files, and from which the scenario is seen there, if that is to be said.
pub fn text(summary: &Summary, scenario: Option<&str>, files: &[String]) -> io::Result<String> {
    let manifest = &summary.manifest;
    let mut files = files.to_vec();
    files.sort();
    let file = ManifestFile {
        coldcurve: manifest.coldcurve.clone(),
        command: manifest.command.clone(),
        scenario_file: manifest.scenario_file.clone(),
        scenario_path: scenario.map(str::to_owned),
        scenario_digest: manifest.scenario_digest.clone(),
        overrides: manifest.overrides.clone(),
        seed: summary.seed,
        replications: summary.replications,
        inputs: manifest.inputs.clone(),
        price_books: manifest.price_books.clone(),
        files,
    };
    written(&file)
}
