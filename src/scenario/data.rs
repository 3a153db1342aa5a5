//! Measured data beside the scenario: columns of CSV files, plain or compressed with gzip.

use super::diagnostic::{Code, nearest};
use super::reader::Context;
use super::tree::{Span, UNENDING, is_readable, shorten};
use std::io::Read;
use std::path::PathBuf;

/// The most bytes of a data file, after decompression.
pub const MAX_DATA_BYTES: u64 = 1 << 30;

/// Where data files come from. A trait so that tests need no disk.
pub trait Files {
    /// The whole content of a file, named relative to the scenario; the error says why not.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
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

/// Reads a data file, decompressed if it starts like gzip; `None` after reporting at `span`.
pub fn read_file(cx: &Context, span: Span, path: &str) -> Option<Vec<u8>> {
    let bytes = cx.files.read(path).and_then(|bytes| {
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let plain = read_limited(flate2::read::MultiGzDecoder::new(bytes.as_slice()));
            plain.map_err(|e| format!("cannot decompress `{path}`: {e}"))
        } else {
            Ok(bytes)
        }
    });
    if let Err(message) = &bytes {
        let help = "paths are relative to the scenario's folder";
        cx.error(Code::BadData, span, message.as_str(), help);
    }
    bytes.ok()
}

/// The place of a column in the header; `None` after reporting.
fn column_index(
    cx: &Context,
    reader: &mut csv::Reader<&[u8]>,
    file: (&str, Span),
    column: (&str, Span),
) -> Option<usize> {
    let bad = |span: Span, message: String, help: String| cx.error(Code::BadData, span, message, help);
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => {
            bad(
                file.1,
                format!("`{}` has no readable header: {error}", file.0),
                "the first line names the columns, separated by commas".to_owned(),
            );
            return None;
        }
    };
    let index = headers.iter().position(|h| h == column.0);
    if index.is_none() {
        if headers.is_empty() {
            let help = "the first line names the columns, separated by commas".to_owned();
            bad(file.1, format!("`{}` is empty", file.0), help);
            return None;
        }
        let known: Vec<String> = headers.iter().take(12).map(shorten).collect();
        let near = nearest(column.0, headers.iter());
        let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        let message = format!("`{}` has no column `{}`", file.0, column.0);
        bad(column.1, message, format!("columns are {}{near}", known.join(", ")));
    }
    index
}

/// Reads one column of numbers out of a CSV file with a header; `None` after reporting. Empty fields are skipped, any
/// other text that is not a finite number is a problem with its line.
pub fn read_column(cx: &Context, file: (&str, Span), column: (&str, Span)) -> Option<Vec<f64>> {
    let bytes = read_file(cx, file.1, file.0)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes.as_slice());
    let bad = |span: Span, message: String, help: String| cx.error(Code::BadData, span, message, help);
    let index = column_index(cx, &mut reader, file, column)?;
    let help = format!("every row needs a number in column `{}`", column.0);
    let mut values = Vec::new();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(0, csv::Position::line);
                match record.get(index).unwrap_or("") {
                    "" => {}
                    text => match text.parse::<f64>() {
                        Ok(v) if v.is_finite() => values.push(v),
                        _ => {
                            let message = format!("`{}`, line {line}: `{}` is not a number", file.0, shorten(text));
                            bad(file.1, message, help);
                            return None;
                        }
                    },
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let message = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!(
                            "`{}`, line {line}: {len} fields, but the header has {expected_len}",
                            file.0
                        )
                    }
                    _ => format!("`{}`, line {line}: {error}", file.0),
                };
                bad(file.1, message, "every row has as many fields as the header".to_owned());
                return None;
            }
        }
    }
    if values.is_empty() {
        bad(
            file.1,
            format!("`{}` has no values in column `{}`", file.0, column.0),
            help,
        );
        return None;
    }
    Some(values)
}
