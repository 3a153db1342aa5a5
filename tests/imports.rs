//! Which room of the code imports which. A room is a module of the crate, a layer of the model, or a mechanism.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The Rust files below a folder, sorted.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The text before the unit tests, without comments.
pub fn code(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or("");
    let uncommented = |line: &str| line.split("//").next().unwrap_or("").to_owned();
    code.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

/// The module that a file below `src` is, as parts of a path from the crate on.
pub fn module(below_src: &Path) -> Vec<String> {
    let parts = below_src.with_extension("");
    let mut module: Vec<String> = parts
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// The modules that code names, as parts of a path from the crate on; `here` is where the code stands.
pub fn named_modules(code: &str, here: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            let path = code[at..].split(|c| !word(c)).next().unwrap_or("");
            let mut path: Vec<String> = path.split("::").filter(|w| !w.is_empty()).map(str::to_owned).collect();
            if start == "crate::" {
                path.remove(0);
            } else {
                let up = path.iter().take_while(|word| *word == "super").count();
                let kept = here.len().saturating_sub(up);
                path = here[..kept].iter().cloned().chain(path[up..].iter().cloned()).collect();
            }
            found.push(path);
        }
    }
    found
}

/// The room that a module is in.
fn room(module: &[String]) -> Option<String> {
    let words: Vec<&str> = module.iter().map(String::as_str).collect();
    match words[..] {
        ["model", "mechanism", mechanism, ..] => Some(format!("model/mechanism/{mechanism}")),
        ["model", layer @ ("parts" | "request" | "handler" | "world"), ..] => Some(format!("model/{layer}")),
        // The first page, and the lists of the model's own modules, which only name.
        [] | ["lib" | "main" | "model", ..] => None,
        [module, ..] => Some(module.to_owned()),
    }
}

/// For each room the rooms that it imports from.
pub type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Reads them from the code below `src`; unit tests do not count.
pub fn arrows(src: &Path) -> io::Result<Arrows> {
    let mut arrows = Arrows::new();
    for file in files(src)? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let below = file.strip_prefix(src).unwrap_or(&file);
        let here = module(below);
        let Some(from) = room(&here).filter(|_| stem != "tests" && !stem.ends_with("_tests")) else {
            continue;
        };
        let used = named_modules(&code(&fs::read_to_string(&file)?), &here);
        let to = used.iter().filter_map(|module| room(module)).filter(|to| *to != from);
        arrows.entry(from.clone()).or_default().extend(to);
    }
    Ok(arrows)
}

/// The rooms by floors: each imports only from floors below it. What is left over goes round in a circle.
pub fn floors(arrows: &Arrows) -> (Vec<Vec<String>>, Vec<String>) {
    let mut left: BTreeSet<&String> = arrows.keys().collect();
    let mut floors = Vec::new();
    loop {
        let stands = |room: &&&String| arrows[**room].iter().all(|to| !left.contains(to));
        let floor: Vec<&String> = left.iter().filter(stands).copied().collect();
        if floor.is_empty() {
            return (floors, left.into_iter().cloned().collect());
        }
        for room in &floor {
            left.remove(*room);
        }
        floors.push(floor.into_iter().cloned().collect());
    }
}
