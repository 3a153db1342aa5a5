//! Files beside the scenario, plain or compressed with gzip, and what was made of them: read once for all cells.

use super::diagnostic::Code;
use super::reader::Context;
use super::tree::{Span, UNENDING, is_readable};
use std::any::Any;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The most bytes of a data file, after decompression.
pub const MAX_DATA_BYTES: u64 = 1 << 30;

/// Where data files come from. A trait so that tests need no disk.
pub trait Files {
    /// The whole content of a file, named relative to the scenario; the error says why not.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// Where what is made of files is kept, if it is.
    fn kept(&self) -> Option<&Kept> {
        None
    }
}

type Slot = Arc<OnceLock<Arc<dyn Any + Send + Sync>>>;

/// What was made of files, by the question: cells of one scenario ask the same questions.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<String, Slot>>);

impl Kept {
    /// The answer to a question, worked out by the first who asks; the others wait for it.
    pub fn get<T: Send + Sync + 'static>(&self, question: String, work_out: impl FnOnce() -> T) -> Arc<T> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(question).or_default().clone()
        };
        let answer = slot.get_or_init(|| Arc::new(work_out())).clone();
        answer.downcast().expect("each question has one kind of answer")
    }
}

/// Files, with what was made of them kept.
pub struct Shelf<'a> {
    files: &'a dyn Files,
    kept: Kept,
}

impl<'a> Shelf<'a> {
    /// An empty one over these files.
    pub fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            kept: Kept::default(),
        }
    }
}

impl Files for Shelf<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.files.read(path)
    }

    fn kept(&self) -> Option<&Kept> {
        Some(&self.kept)
    }
}

/// The answer to a question about files: kept if there is a place for it.
pub fn keep<T: Send + Sync + 'static>(files: &dyn Files, question: String, work_out: impl FnOnce() -> T) -> Arc<T> {
    match files.kept() {
        Some(kept) => kept.get(question, work_out),
        None => Arc::new(work_out()),
    }
}

/// Files in a folder: that of the scenario.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let full = self.0.join(path);
        if std::fs::metadata(&full).is_ok_and(|meta| !is_readable(&full, &meta)) {
            return Err(format!("cannot read `{}`: {UNENDING}", full.display()));
        }
        let file = std::fs::File::open(&full).map_err(|e| format!("cannot open `{}`: {e}", full.display()))?;
        read_limited(file).map_err(|e| format!("cannot read `{}`: {e}", full.display()))
    }
}

/// No files at all: for scenarios that come without a folder.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("cannot open `{path}`: this scenario has no folder"))
    }
}

fn read_limited(reader: impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let taken = reader.take(MAX_DATA_BYTES + 1).read_to_end(&mut bytes);
    taken.map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_DATA_BYTES {
        return Err(format!("more than {MAX_DATA_BYTES} bytes"));
    }
    Ok(bytes)
}

/// A file's content, decompressed if it starts like gzip; the error says why not.
pub fn content(files: &dyn Files, path: &str) -> Result<Vec<u8>, String> {
    let bytes = files.read(path)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let plain = read_limited(flate2::read::MultiGzDecoder::new(bytes.as_slice()));
        return plain.map_err(|e| format!("cannot decompress `{path}`: {e}"));
    }
    Ok(bytes)
}

/// What helps who names a file that is not there.
pub const PATHS: &str = "paths are relative to the scenario's folder";

/// The same; `None` after reporting at `span`.
pub fn read_file(cx: &Context, span: Span, path: &str) -> Option<Vec<u8>> {
    let bytes = content(cx.files, path);
    if let Err(message) = &bytes {
        cx.error(Code::BadData, span, message.as_str(), PATHS);
    }
    bytes.ok()
}
