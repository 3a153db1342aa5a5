//! Which data files a scenario was read with, and what was in them: for the manifest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::data::Files;

/// Files that remember which of them were read, and the digest of each.
pub struct Witness<'a> {
    files: &'a dyn Files,
    digest: fn(&[u8]) -> String,
    seen: Mutex<BTreeMap<String, String>>,
}

impl<'a> Witness<'a> {
    /// Nothing read yet.
    pub fn new(files: &'a dyn Files, digest: fn(&[u8]) -> String) -> Self {
        Self {
            files,
            digest,
            seen: Mutex::default(),
        }
    }

    /// The files that were read, as they were named, each with its digest.
    pub fn seen(&self) -> BTreeMap<String, String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Files for Witness<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let bytes = self.files.read(path)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains_key(path) {
            seen.insert(path.to_owned(), (self.digest)(&bytes));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;

    impl Files for One {
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            if path == "a.csv" {
                Ok(b"ab".to_vec())
            } else {
                Err("absent".to_owned())
            }
        }
    }

    #[test]
    fn what_was_read_is_known_and_what_was_not_there_is_not() {
        let witness = Witness::new(&One, |bytes| bytes.len().to_string());
        assert_eq!(
            (witness.read("a.csv"), witness.read("a.csv")),
            (Ok(b"ab".to_vec()), Ok(b"ab".to_vec()))
        );
        assert!(witness.read("b.csv").is_err());
        assert_eq!(witness.seen(), BTreeMap::from([("a.csv".to_owned(), "2".to_owned())]));
    }
}
