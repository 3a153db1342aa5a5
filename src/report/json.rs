//! The summary as JSON: `summary.json` and `--format json` are the same bytes. Its fields are those of
//! [`crate::run::summary`], its version is [`crate::run::summary::SCHEMA`]; missing numbers are `null`. Of a study with
//! very many cells, what has CSV files of its own is left out, which `left_out` says ([`large`]).

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::large;
use crate::run::summary::Summary;
use crate::scenario::visible::is_hidden;

/// Writes the summary as JSON with a newline at its end: indented, unless it is of very many cells.
pub fn write(summary: &Summary, out: &mut dyn io::Write) -> io::Result<()> {
    match large::slim(summary) {
        Some(slim) => write_with(&slim, out, CompactFormatter),
        None => write_with(summary, out, PrettyFormatter::new()),
    }
}

/// The summary as JSON, as [`write()`] writes it.
pub fn text(summary: &Summary) -> io::Result<String> {
    let mut bytes = Vec::new();
    write(summary, &mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Anything as indented JSON with a newline at its end. What would steer a terminal is escaped, as JSON allows.
pub fn written(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    write_with(value, &mut bytes, PrettyFormatter::new())?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn write_with(value: &impl Serialize, out: &mut dyn io::Write, inner: impl Formatter) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Visible(inner)))?;
    out.write_all(b"\n")
}

/// Writes like another formatter, but no text that would steer a terminal.
struct Visible<F>(F);

impl<F: Formatter> Formatter for Visible<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_hidden(*c)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
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

    #[test]
    fn what_would_steer_a_terminal_is_escaped_wherever_it_stands() {
        let text = written(&["\u{1b}[31m", "a\u{202e}b\u{e0001}", "\u{9b}", "line\nline", "plain"]).unwrap();
        let plain = "[\n  \"\\u001b[31m\",\n  \"a\\u202eb\\udb40\\udc01\",\n  \"\\u009b\",\n  \"line\\nline\",\n  \"plain\"\n]\n";
        assert_eq!(text, plain);
        let back: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back[1], "a\u{202e}b\u{e0001}");
    }
}
