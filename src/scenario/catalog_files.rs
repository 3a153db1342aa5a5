//! The catalog files that the binary carries: one line each, checked against the folder by a test.

/// A list of files below `catalog/`, each with its text.
macro_rules! embed {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../catalog/", $path)))),*]
    };
}

/// Every embedded catalog file: its path below `catalog/`, and its text.
pub const EMBEDDED: &[(&str, &str)] = embed! {};
