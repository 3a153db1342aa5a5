//! The summary as JSON: `summary.json` and `--format json` are the same bytes. Its fields are those of
//! [`crate::run::summary`], its version is [`crate::run::summary::SCHEMA`]; missing numbers are `null`.

use std::io;

use crate::run::summary::Summary;

/// The summary as indented JSON with a newline at its end.
pub fn text(summary: &Summary) -> io::Result<String> {
    let mut text = serde_json::to_string_pretty(summary)?;
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
