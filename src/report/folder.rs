//! The output folder: asked before a run whether it can be written, filled after it, cleaned of what killed runs left.
//!
//! New files are written into a folder of their own within the output folder and then renamed, each in one step, the
//! manifest last. So no reader finds half a file, the output folder may be a mount point or belong to somebody else,
//! keeps its permissions, and whatever others put into it (also links and pipes) is never touched. A run that is killed
//! leaves at most that inner folder behind, which the next run removes: its lock says whether anybody still writes it.
//! Nothing is forced onto the disk: what a power cut takes, the same command computes again, to the byte.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::MANIFEST;

/// How the names of inner folders begin; the number of the process follows.
const STAGING: &str = ".coldcurve-new-";
/// The file in an inner folder that is locked as long as its process lives.
const LOCK: &str = "lock";
/// Bytes written for a try: enough to see that the disk is full.
const TRIED_BYTES: usize = 64 << 10;
/// Bytes that are collected before they are written.
const BUFFER_BYTES: usize = 1 << 18;
/// The largest manifest that is read to find out whether it is one of ours.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// What kind of entry stands at a path, without following links; `None` if nothing does.
fn kind(path: &Path) -> Option<fs::FileType> {
    fs::symlink_metadata(path).ok().map(|meta| meta.file_type())
}

fn is_file(path: &Path) -> bool {
    kind(path).is_some_and(|kind| kind.is_file())
}

/// What to call an entry that is not a regular file.
fn describe(kind: fs::FileType) -> &'static str {
    if kind.is_symlink() {
        "a link"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_file() {
        "a file"
    } else {
        "a pipe or a device"
    }
}

fn refused(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

/// A file name that stays within its folder.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(parts.next(), Some(std::path::Component::Normal(part)) if part == name) && parts.next().is_none()
}

/// What manifests of all versions have in common.
#[derive(Deserialize)]
struct Earlier {
    /// The version that wrote it.
    #[serde(rename = "coldcurve")]
    _coldcurve: String,
    files: Vec<String>,
}

/// The files of the run whose manifest lies in the folder: none if there is no manifest. An error if the manifest is
/// not of ours.
fn earlier(folder: &Path) -> io::Result<Option<Vec<String>>> {
    let path = folder.join(MANIFEST);
    let Some(found) = kind(&path) else {
        return Ok(None);
    };
    let other = |what: &str| {
        let place = folder.display();
        refused(format!(
            "{MANIFEST} in {place} is {what}, not that of an earlier run: not replaced"
        ))
    };
    if !found.is_file() {
        return Err(other(describe(found)));
    }
    if fs::metadata(&path)?.len() > MANIFEST_BYTES_MAX {
        return Err(other("very long"));
    }
    let text = fs::read(&path)?;
    let manifest: Earlier = serde_json::from_slice(&text).map_err(|_| other("of another program"))?;
    // One that somebody has written by hand does not reach beyond the folder.
    Ok(Some(manifest.files.into_iter().filter(|name| is_plain(name)).collect()))
}

/// Whether results may be written to this folder: it is absent, empty, or holds the results of an earlier run. Removes
/// what killed runs left, and tries whether files can be written. Worth asking before a long run.
pub fn check(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name of the folder is empty",
        ));
    }
    clean_beside(folder);
    match fs::read_dir(folder) {
        Ok(_) => {
            clean(folder);
            check_entries(folder)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(named(folder, &error)),
    }
    try_to_write(folder).map_err(|error| named(folder, &error))
}

fn named(folder: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to {}: {error}", folder.display()))
}

fn check_entries(folder: &Path) -> io::Result<()> {
    let place = folder.display();
    let Some(files) = earlier(folder)? else {
        let foreign = |entry: &fs::DirEntry| {
            let name = entry.file_name();
            // A volume of its own may come with a folder of its file system.
            name != "lost+found" && !name.to_string_lossy().starts_with(STAGING)
        };
        return match fs::read_dir(folder)?.filter_map(Result::ok).find(foreign) {
            None => Ok(()),
            Some(_) => Err(refused(format!(
                "{place} has files in it, but no {MANIFEST} of an earlier run: not replaced"
            ))),
        };
    };
    let strange = |name: &String| kind(&folder.join(name)).filter(|kind| !kind.is_file());
    match files.iter().find_map(|name| strange(name).map(|kind| (name, kind))) {
        None => Ok(()),
        Some((name, kind)) => Err(refused(format!(
            "{name} in {place} is {} that was put in the place of a result: not replaced; move it away",
            describe(kind)
        ))),
    }
}

/// Makes the folder and a file in it, and takes both away again.
fn try_to_write(folder: &Path) -> io::Result<()> {
    let absent = |path: &&Path| !path.as_os_str().is_empty() && kind(path).is_none();
    let made: Vec<&Path> = folder.ancestors().take_while(absent).collect();
    let tried = Staging::new(folder).and_then(|staging| {
        staging.put("try", &vec![b'.'; TRIED_BYTES])?;
        let within = staging.folder.join("try");
        let beside = folder.join(format!("{STAGING}{}-try", std::process::id()));
        fs::rename(&within, &beside)?;
        fs::remove_file(&beside)
    });
    for path in made {
        // Fails if another run has begun to use it, which is as well.
        let _ = fs::remove_dir(path);
    }
    tried
}

/// Removes what killed runs left in the output folder.
fn clean(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(STAGING) else {
            continue;
        };
        let process = rest.split('-').next().and_then(|number| number.parse().ok());
        let Some(process) = process.filter(|&process| is_abandoned(&entry.path(), process)) else {
            continue;
        };
        let _ = match kind(&entry.path()) {
            Some(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
            // The file of a try.
            Some(kind) if kind.is_file() && process != std::process::id() => fs::remove_file(entry.path()),
            _ => Ok(()),
        };
    }
}

/// Whether nobody writes into an inner folder any more. Its lock decides; where there is none, its process does.
fn is_abandoned(inner: &Path, process: u32) -> bool {
    let lock = inner.join(LOCK);
    if is_file(&lock)
        && let Ok(file) = File::open(&lock)
    {
        match file.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) => return false,
            // A file system without locks.
            Err(TryLockError::Error(_)) => {}
        }
    }
    !is_alive(process)
}

/// Whether a process of this number runs, as far as can be told. This one does not write when it asks.
fn is_alive(process: u32) -> bool {
    if process == std::process::id() {
        return false;
    }
    let processes = Path::new("/proc");
    if processes.join("self").exists() {
        return processes.join(process.to_string()).exists();
    }
    let asked = std::process::Command::new("kill")
        .args(["-0", &process.to_string()])
        .stderr(std::process::Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Removes what killed runs of earlier versions left beside the output folder: a half-written new one, and the old one,
/// which comes back if it had been moved out of the way already.
fn clean_beside(folder: &Path) {
    let (Some(name), Some(parent)) = (folder.file_name(), folder.parent()) else {
        return;
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let name = name.to_string_lossy();
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let Some((is_old, process)) = path
            .file_name()
            .and_then(|other| left_over(&other.to_string_lossy(), &name))
        else {
            continue;
        };
        if !kind(&path).is_some_and(|kind| kind.is_dir()) || is_alive(process) {
            continue;
        }
        let ours = !is_old || matches!(earlier(&path), Ok(Some(_)));
        if is_old && ours && kind(folder).is_none() {
            let _ = fs::rename(&path, folder);
        } else if ours {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Takes `.name.old-12` or `.name.new-12` apart: whether it is the old one, and the process.
fn left_over(other: &str, name: &str) -> Option<(bool, u32)> {
    let rest = other.strip_prefix('.')?.strip_prefix(name)?;
    let (is_old, process) = match rest.strip_prefix(".old-") {
        Some(process) => (true, process),
        None => (false, rest.strip_prefix(".new-")?),
    };
    Some((is_old, process.parse().ok()?))
}

/// A folder within the output folder in which new files wait until all are there.
pub struct Staging {
    /// Where files are written first.
    folder: PathBuf,
    lock: Option<File>,
}

impl Staging {
    /// Makes one, and the output folder if it is absent.
    fn new(output: &Path) -> io::Result<Self> {
        let process = std::process::id();
        let mut tries = 0;
        loop {
            let folder = output.join(format!("{STAGING}{process}-{tries}"));
            tries += 1;
            match fs::create_dir_all(output).and_then(|()| fs::create_dir(&folder)) {
                Ok(()) => {
                    let mut staging = Self { folder, lock: None };
                    let lock = File::create(staging.folder.join(LOCK))?;
                    // Without locks the number of the process has to do.
                    let _ = lock.try_lock();
                    staging.lock = Some(lock);
                    return Ok(staging);
                }
                // Another container's process of the same number, or a run beside this one that tidied up.
                Err(error)
                    if tries < 100
                        && matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
                        && kind(output).is_none_or(|kind| kind.is_dir() || output.is_dir()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where a file of this name waits.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file, or leaves nothing.
    pub fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put_with(name, |file| file.write_all(bytes))
    }

    /// Writes a file piece by piece, or leaves nothing.
    pub fn put_with(&self, name: &str, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
        let whole = |file: File| {
            let mut buffered = io::BufWriter::with_capacity(BUFFER_BYTES, file);
            write(&mut buffered)?;
            buffered.flush()
        };
        let written = File::create(self.path(name)).and_then(whole);
        if written.is_err() {
            self.forget(name);
        }
        written
    }

    /// Writes a file again that may have become shorter, without asking for room.
    pub fn rewrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::options().write(true).open(self.path(name))?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)
    }

    /// Removes a file that did not come out whole.
    pub fn forget(&self, name: &str) {
        let _ = fs::remove_file(self.path(name));
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.lock = None;
        // What cannot be removed now is removed by the next run.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A file that is not there although it should be, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The file's name.
    pub file: String,
    /// Why it could not be written.
    pub why: String,
}

impl Lost {
    /// A file with the error that it met.
    pub fn new(file: &str, error: &io::Error) -> Self {
        Self {
            file: file.to_owned(),
            why: error.to_string(),
        }
    }
}

/// A folder being filled.
pub struct Output {
    folder: PathBuf,
    staging: Staging,
    /// What an earlier run left there.
    earlier: Vec<String>,
}

impl Output {
    /// Opens a folder for writing, after asking once more whether it may be.
    pub fn open(folder: &Path) -> io::Result<Self> {
        if fs::read_dir(folder).is_ok() {
            clean(folder);
            check_entries(folder)?;
        }
        let staging = Staging::new(folder).map_err(|error| named(folder, &error))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            staging,
            earlier: earlier(folder)?.unwrap_or_default(),
        })
    }

    /// Where files wait.
    pub fn staging(&self) -> &Staging {
        &self.staging
    }

    /// Puts the files of these names, the manifest last, into their place and takes away those of the earlier run that
    /// have no successor. Returns what could not be moved.
    pub fn commit(&self, files: &[String]) -> Vec<Lost> {
        let mut lost = Vec::new();
        for name in files.iter().map(String::as_str).chain([MANIFEST]) {
            let place = self.folder.join(name);
            let moved = match kind(&place).filter(|kind| !kind.is_file()) {
                Some(kind) => Err(refused(format!("{} stands in its place", describe(kind)))),
                None => fs::rename(self.staging.path(name), &place),
            };
            if let Err(error) = moved {
                lost.push(Lost::new(name, &error));
            }
        }
        let stale = |name: &&String| !files.contains(name) || lost.iter().any(|lost| lost.file == **name);
        for name in self.earlier.iter().filter(stale) {
            let path = self.folder.join(name);
            if is_file(&path) && name != MANIFEST {
                // It is out of date, and nothing worse.
                let _ = fs::remove_file(path);
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that no process has: the largest that Linux gives is four million.
    const DEAD: u32 = 4_194_305;

    /// A folder of its own for each test, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("coldcurve-folder-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let entries = fs::read_dir(self.0.join(folder)).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn manifest(files: &[&str]) -> String {
        format!("{{ \"coldcurve\": \"0.1.0\", \"files\": {files:?} }}")
    }

    /// Writes files with this text as a run would.
    fn write(folder: &Path, files: &[&str], text: &str) -> Vec<Lost> {
        let output = Output::open(folder).unwrap();
        output.staging().put(MANIFEST, manifest(files).as_bytes()).unwrap();
        for name in files {
            output.staging().put(name, text.as_bytes()).unwrap();
        }
        output.commit(&files.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_try_leaves_nothing_and_asks_for_each_kind_of_trouble() {
        let scratch = Scratch::new("try");
        check(&scratch.0.join("a/b/c")).unwrap();
        assert!(scratch.names("").is_empty(), "{:?}", scratch.names(""));
        fs::write(scratch.0.join("file"), "x").unwrap();
        let long = "n".repeat(300);
        for bad in ["file", "file/below", &long] {
            let error = check(&scratch.0.join(bad)).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
        check(Path::new("")).unwrap_err();
        // The longest name that there is leaves no room for names made from it.
        check(&scratch.0.join("n".repeat(255))).unwrap();
        assert_eq!(scratch.names(""), ["file"]);
    }

    #[test]
    fn a_second_run_takes_away_what_the_first_wrote_and_it_does_not() {
        let scratch = Scratch::new("stale");
        let out = scratch.0.join("out");
        assert!(write(&out, &["a.csv", "b.csv"], "one").is_empty());
        fs::write(out.join("mine.csv"), "mine").unwrap();
        assert!(write(&out, &["b.csv", "c.csv"], "two").is_empty());
        assert_eq!(scratch.names("out"), ["b.csv", "c.csv", MANIFEST, "mine.csv"]);
        assert_eq!(fs::read_to_string(out.join("b.csv")).unwrap(), "two");
        assert_eq!(fs::read_to_string(out.join("mine.csv")).unwrap(), "mine");
    }

    #[test]
    fn a_manifest_does_not_reach_beyond_its_folder() {
        let scratch = Scratch::new("beyond");
        let out = scratch.0.join("out");
        fs::create_dir(&out).unwrap();
        fs::write(scratch.0.join("thesis.tex"), "years").unwrap();
        let absolute = scratch.0.join("thesis.tex");
        let files = ["../thesis.tex", absolute.to_str().unwrap(), "..", ".", ""];
        fs::write(out.join(MANIFEST), manifest(&files)).unwrap();
        assert!(write(&out, &["a.csv"], "x").is_empty());
        assert_eq!(fs::read_to_string(absolute).unwrap(), "years");
    }

    #[test]
    fn what_is_not_ours_is_refused_and_stays() {
        let scratch = Scratch::new("foreign");
        let out = scratch.0.join("out");
        fs::create_dir(&out).unwrap();
        for text in ["{\"name\": \"app\"}", "{\"files\": []}", "[]", "no JSON", ""] {
            fs::write(out.join(MANIFEST), text).unwrap();
            let error = check(&out).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{text}");
            assert_eq!(fs::read_to_string(out.join(MANIFEST)).unwrap(), text);
        }
        // A folder of a volume is nobody's.
        fs::remove_file(out.join(MANIFEST)).unwrap();
        fs::create_dir(out.join("lost+found")).unwrap();
        check(&out).unwrap();
        fs::write(out.join("thesis.tex"), "years").unwrap();
        check(&out).unwrap_err();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_a_result_is_neither_followed_nor_replaced() {
        let scratch = Scratch::new("link");
        let out = scratch.0.join("out");
        assert!(write(&out, &["a.csv", "b.csv"], "one").is_empty());
        let target = scratch.0.join("target");
        fs::write(&target, "precious").unwrap();
        fs::remove_file(out.join("a.csv")).unwrap();
        std::os::unix::fs::symlink(&target, out.join("a.csv")).unwrap();
        let error = check(&out).unwrap_err();
        assert!(
            error.to_string().contains("a.csv") && error.to_string().contains("a link"),
            "{error}"
        );
        // One that nobody could know of before the run costs that file alone.
        std::os::unix::fs::symlink(&target, out.join("c.csv")).unwrap();
        fs::remove_file(out.join("a.csv")).unwrap();
        let lost = write(&out, &["b.csv", "c.csv"], "two");
        assert_eq!(
            lost.iter().map(|lost| lost.file.as_str()).collect::<Vec<_>>(),
            ["c.csv"]
        );
        assert_eq!(fs::read_to_string(out.join("b.csv")).unwrap(), "two");
        assert_eq!(fs::read_link(out.join("c.csv")).unwrap(), target);
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn what_killed_runs_left_goes_and_what_lives_stays() {
        let scratch = Scratch::new("killed");
        let out = scratch.0.join("out");
        assert!(write(&out, &["a.csv"], "one").is_empty());
        let dead = out.join(format!("{STAGING}{DEAD}-0"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("a.csv"), "half").unwrap();
        // In a container every run may have the same number: the lock tells the living from the dead.
        let own = out.join(format!("{STAGING}{}-7", std::process::id()));
        fs::create_dir(&own).unwrap();
        fs::write(own.join(LOCK), "").unwrap();
        let living = Staging::new(&out).unwrap();
        clean(&out);
        assert!(!dead.exists() && !own.exists() && living.folder.exists());
        let inner = living.folder.clone();
        drop(living);
        assert!(!inner.exists());
        assert_eq!(scratch.names("out"), ["a.csv", MANIFEST]);
    }

    #[test]
    fn an_old_folder_that_a_killed_run_moved_away_comes_back() {
        let scratch = Scratch::new("moved");
        let out = scratch.0.join("out");
        let old = scratch.0.join(format!(".out.old-{DEAD}"));
        let new = scratch.0.join(format!(".out.new-{DEAD}"));
        let other = scratch.0.join(format!(".outer.new-{DEAD}"));
        assert!(write(&old, &["a.csv"], "one").is_empty());
        for folder in [&new, &other] {
            fs::create_dir(folder).unwrap();
        }
        check(&out).unwrap();
        assert_eq!(fs::read_to_string(out.join("a.csv")).unwrap(), "one");
        assert!(!old.exists() && !new.exists() && other.exists());
        // Where the folder is there, what was moved away is only in the way; but not what is not ours.
        assert!(write(&old, &["a.csv"], "older").is_empty());
        let foreign = scratch.0.join(".out.old-4194306");
        fs::create_dir(&foreign).unwrap();
        check(&out).unwrap();
        assert!(!old.exists() && foreign.exists());
        assert_eq!(fs::read_to_string(out.join("a.csv")).unwrap(), "one");
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_of_the_folder_stays() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = Scratch::new("mode");
        let out = scratch.0.join("out");
        fs::create_dir(&out).unwrap();
        fs::set_permissions(&out, fs::Permissions::from_mode(0o2750)).unwrap();
        assert!(write(&out, &["a.csv"], "one").is_empty());
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o7777, 0o2750);
    }
}
