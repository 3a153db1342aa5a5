//! The summary as JSON: `summary.json` and `--format json` are the same bytes. Its fields are those of
//! [`crate::run::summary`], its version is [`crate::run::summary::SCHEMA`]; missing numbers are `null`.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;

use crate::run::summary::Summary;
use crate::scenario::visible::is_hidden;

/// The summary as indented JSON with a newline at its end.
pub fn text(summary: &Summary) -> io::Result<String> {
    written(summary)
}

/// Anything as indented JSON with a newline at its end. What would steer a terminal is escaped, as JSON allows.
pub fn written(value: &impl Serialize) -> io::Result<String> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut text = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        if c != '\n' && is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_shape_of_summary_is_json_that_reads_back() {
        for (name, summary) in sample::all() {
            let first = text(&summary).unwrap();
            let back: Summary = serde_json::from_str(&first).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(back.cells.len(), summary.cells.len(), "{name}");
            assert_eq!(back.manifest, summary.manifest, "{name}");
            for (read, written) in back.cells.iter().zip(&summary.cells) {
                assert_eq!(read.metrics.len(), written.metrics.len(), "{name}");
                for (read, written) in read.metrics.iter().zip(&written.metrics) {
                    // Reading may round to a neighbouring number.
                    let (read, written) = (read.estimate.mean, written.estimate.mean);
                    let same = (read - written).abs() <= 1e-14 * written.abs() || (read.is_nan() && written.is_nan());
                    assert!(same, "{name}: {read} for {written}");
                }
            }
            assert!(!first.contains("NaN") && first.ends_with("}\n"), "{name}");
        }
    }
}
