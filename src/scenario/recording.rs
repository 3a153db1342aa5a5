//! Recordings: tables of text (CSV and its kin) whose columns are numbers or instants.
//!
//! The separator is found in the header, unless it is told; a decimal comma is read where the separator is a semicolon,
//! or where it is told. What cannot be read is a [`Fault`], which whoever asked reports at a field of his own: so that
//! the same question of another cell has the same answer without reading the file again.

use super::calendar::Zone;
use super::data::{Files, PATHS, content};
use super::dates::{DATES_FROM, Nanos, parse_date, parse_number_ns, unit_of};
use super::diagnostic::{Code, nearest};
use super::reader::{Block, read_text};
use super::table::{Field, Kind};
use super::tree::shorten;
use std::sync::Arc;

/// Which rows are meant.
pub const WHERE: Field = Field::optional(
    "where",
    Kind::Map(&Kind::Text),
    "Only rows that have these values in these columns: `{ func: abc }`.",
);

/// What stands between two columns.
pub const SEPARATOR: Field = Field::optional(
    "separator",
    Kind::Choice(&["comma", "semicolon", "tab", "bar"]),
    "What stands between two columns; found in the header if absent.",
);

/// How fractions are written.
pub const DECIMAL: Field = Field::optional(
    "decimal",
    Kind::Choice(&["point", "comma"]),
    "How fractions are written; a comma is read without being told where semicolons separate columns.",
);

const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Why a recording cannot be used: at which field, what is wrong, and what to do.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The field that it is about.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Fault {
    /// A new one.
    pub fn new(field: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Reports it at its field of a block.
    pub fn report(&self, block: &Block) {
        let span = block.span_of(self.field);
        block.error(Code::BadData, span, self.message.as_str(), self.help.as_str());
    }
}

/// Which table is meant, as a block says.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The file, relative to the scenario.
    pub file: String,
    separator: Option<u8>,
    comma: Option<bool>,
    filter: Vec<(String, String)>,
}

impl Wanted {
    /// Reads it from a block that has [`WHERE`], [`SEPARATOR`], [`DECIMAL`] and a `file`.
    pub fn read(block: &Block) -> Self {
        let text = |node| read_text(block.context(), node).unwrap_or("").to_owned();
        let filter = block.entries("where").iter();
        Self {
            file: block.text("file").to_owned(),
            separator: block.choice_opt("separator").map(|choice| SEPARATORS[choice]),
            comma: block.choice_opt("decimal").map(|choice| choice == 1),
            filter: filter.map(|(key, node)| (key.text.clone(), text(node))).collect(),
        }
    }
}

/// A table that was read, with its header understood.
pub struct Sheet {
    name: String,
    bytes: Vec<u8>,
    separator: u8,
    comma: bool,
    headers: Vec<String>,
    filter: Vec<(usize, String)>,
}

/// What stands in a field.
pub enum Cell<T> {
    /// Nothing, in one of the ways in which programs write that.
    Blank,
    /// This.
    Value(T),
    /// Something else.
    Bad,
}

/// Whether a text means that there is nothing.
fn is_blank(text: &str) -> bool {
    const WORDS: [&str; 7] = ["-", "nan", "null", "none", "n/a", "na", "nil"];
    text.is_empty() || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The separator that occurs most often in the first line that is no comment; a comma if none does.
fn find_separator(bytes: &[u8]) -> u8 {
    let mut lines = bytes.split(|b| *b == b'\n');
    let line = lines.find(|line| !line.is_empty() && line[0] != b'#').unwrap_or(b"");
    let mut counts = [0_usize; 4];
    let mut quoted = false;
    for b in line {
        quoted ^= *b == b'"';
        if let Some(i) = SEPARATORS.iter().position(|s| s == b).filter(|_| !quoted) {
            counts[i] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let first = counts.iter().position(|n| *n == most).unwrap_or(0);
    SEPARATORS[first]
}

impl Sheet {
    /// Opens the table.
    pub fn open(files: &dyn Files, wanted: &Wanted) -> Result<Self, Fault> {
        let name = wanted.file.clone();
        let mut bytes = content(files, &name).map_err(|message| Fault::new("file", message, PATHS))?;
        if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
            bytes.drain(..3);
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            let message = format!("`{name}` is written in UTF-16");
            return Err(Fault::new("file", message, "save it as UTF-8"));
        }
        let separator = wanted.separator.unwrap_or_else(|| find_separator(&bytes));
        let mut sheet = Self {
            name,
            comma: wanted.comma.unwrap_or(separator == b';'),
            bytes,
            separator,
            headers: Vec::new(),
            filter: Vec::new(),
        };
        let help = "the first line names the columns, separated by commas";
        let headers = sheet.reader().headers().cloned().map_err(|error| {
            let message = format!("`{}` has no readable header: {error}", sheet.name);
            Fault::new("file", message, help)
        })?;
        if headers.is_empty() {
            return Err(Fault::new("file", format!("`{}` is empty", sheet.name), help));
        }
        sheet.headers = headers.iter().map(str::to_owned).collect();
        for (column, value) in &wanted.filter {
            sheet.filter.push((sheet.column(column, "where")?, value.clone()));
        }
        Ok(sheet)
    }

    fn reader(&self) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .comment(Some(b'#'))
            .delimiter(self.separator)
            .from_reader(self.bytes.as_slice())
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the columns.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The place of a column that a field names.
    pub fn column(&self, name: &str, field: &'static str) -> Result<usize, Fault> {
        if let Some(index) = self.headers.iter().position(|header| header == name) {
            return Ok(index);
        }
        let known: Vec<String> = self.headers.iter().take(12).map(|header| shorten(header)).collect();
        let near = nearest(name, self.headers.iter().map(String::as_str));
        let near = near.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        let message = format!("`{}` has no column `{name}`", self.name);
        Err(Fault::new(
            field,
            message,
            format!("columns are {}{near}", known.join(", ")),
        ))
    }

    /// Goes over the rows that pass the filter, with their lines.
    pub fn rows(&self, mut visit: impl FnMut(u64, &csv::StringRecord) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut reader = self.reader();
        let mut record = csv::StringRecord::new();
        let mut any = false;
        loop {
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Ok(true) => {
                    if self.filter.iter().all(|(i, value)| record.get(*i) == Some(value)) {
                        any = true;
                        visit(record.position().map_or(0, csv::Position::line), &record)?;
                    }
                }
                Err(error) => return Err(self.broken(&error)),
            }
        }
        match self.filter.first() {
            Some((i, value)) if !any => {
                let message = format!("`{}` has no row with `{value}` in `{}`", self.name, self.headers[*i]);
                Err(Fault::new(
                    "where",
                    message,
                    "values are compared as they are written in the file",
                ))
            }
            _ => Ok(()),
        }
    }

    fn broken(&self, error: &csv::Error) -> Fault {
        let line = error.position().map_or(0, csv::Position::line);
        let what = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} fields, but the header has {expected_len}")
            }
            _ => error.to_string(),
        };
        let message = format!("`{}`, line {line}: {what}", self.name);
        Fault::new("file", message, "every row has as many fields as the header")
    }

    /// A complaint about what stands in a line.
    pub fn bad(&self, line: u64, text: &str, what: &str, help: impl Into<String>) -> Fault {
        let message = format!("`{}`, line {line}: `{}` is not {what}", self.name, shorten(text));
        let help = if text.contains(',') && what == "a number" && !self.comma {
            "with a decimal comma, add `decimal: comma`; separators of thousands have to go".to_owned()
        } else {
            help.into()
        };
        Fault::new("file", message, help)
    }

    /// A field as a number.
    pub fn number(&self, text: &str) -> Cell<f64> {
        let parsed = if self.comma && text.contains(',') {
            text.replacen(',', ".", 1).parse::<f64>()
        } else {
            text.parse::<f64>()
        };
        match parsed {
            Ok(v) if v.is_finite() => Cell::Value(v),
            _ if is_blank(text) => Cell::Blank,
            _ => Cell::Bad,
        }
    }

    /// A field as an instant: a date, or a number of units.
    fn instant(&self, text: &str, zone: &Zone, unit: &mut Option<i64>) -> Cell<Nanos> {
        if is_blank(text) {
            return Cell::Blank;
        }
        if let Some(at) = parse_date(text, zone) {
            return Cell::Value(at);
        }
        let comma = self.comma && text.contains(',');
        let pointed = if comma {
            text.replacen(',', ".", 1)
        } else {
            String::new()
        };
        let text = if comma { pointed.as_str() } else { text };
        // The first number says what all are in, unless it is told.
        let in_unit = match *unit {
            Some(known) => known,
            None => match text.parse::<f64>() {
                Ok(value) => *unit.insert(unit_of(value)),
                Err(_) => return Cell::Bad,
            },
        };
        parse_number_ns(text, in_unit).map_or(Cell::Bad, Cell::Value)
    }
}

/// What numbers of a column are in, in nanoseconds.
pub const INSTANT_UNITS: &[&str] = &["s", "ms", "us", "ns", "min", "h"];
/// See [`INSTANT_UNITS`].
pub const INSTANT_UNIT_NS: [i64; 6] = [1_000_000_000, 1_000_000, 1_000, 1, 60_000_000_000, 3_600_000_000_000];

/// How a column of instants is to be read.
#[derive(Clone, Debug)]
pub struct Stamps {
    /// The column.
    pub column: String,
    /// The field that names it.
    pub field: &'static str,
    /// The zone of dates that do not say theirs.
    pub zone: Zone,
    /// What numbers are in; found if `None`.
    pub unit: Option<i64>,
}

/// Rows with an instant, earliest first.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// When.
    pub at: Vec<Nanos>,
    /// The number that belongs to each; empty if none was asked for.
    pub values: Vec<f64>,
    /// Rows that have no instant.
    pub blank: u64,
}

impl Trace {
    /// Whether its instants are dates.
    pub fn is_dated(&self) -> bool {
        self.at.first().is_some_and(|at| *at >= DATES_FROM)
    }

    /// Reads it: instants, and a column of numbers if one is named (by a field of this name).
    pub fn read(
        files: &dyn Files,
        wanted: &Wanted,
        stamps: &Stamps,
        values: Option<(&str, &'static str)>,
    ) -> Result<Self, Fault> {
        let sheet = Sheet::open(files, wanted)?;
        let at = sheet.column(&stamps.column, stamps.field)?;
        let number = values.map(|(name, field)| sheet.column(name, field)).transpose()?;
        let (mut rows, mut unit) = (Self::default(), stamps.unit);
        let help = format!(
            "every row needs a number in column `{}`, or a date such as `2026-10-01 13:34:59`",
            stamps.column
        );
        sheet.rows(|line, record| {
            let text = record.get(at).unwrap_or("");
            match sheet.instant(text, &stamps.zone, &mut unit) {
                Cell::Blank => rows.blank += 1,
                Cell::Bad => return Err(sheet.bad(line, text, "a number", help.as_str())),
                Cell::Value(instant) => {
                    rows.at.push(instant);
                    if let Some(index) = number {
                        let text = record.get(index).unwrap_or("");
                        match sheet.number(text) {
                            Cell::Blank => rows.values.push(0.0),
                            Cell::Value(v) => rows.values.push(v),
                            Cell::Bad => return Err(sheet.bad(line, text, "a number", "numbers, or nothing")),
                        }
                    }
                }
            }
            Ok(())
        })?;
        if rows.at.is_empty() {
            let message = format!("`{}` has no values in column `{}`", sheet.name, stamps.column);
            return Err(Fault::new("file", message, help));
        }
        rows.sort();
        Ok(rows)
    }

    /// Puts the earliest first.
    pub fn sort(&mut self) {
        if self.at.is_sorted() {
            return;
        }
        if self.values.is_empty() {
            self.at.sort_unstable();
            return;
        }
        let mut rows: Vec<(Nanos, f64)> = self.at.drain(..).zip(self.values.drain(..)).collect();
        rows.sort_by_key(|row| row.0);
        (self.at, self.values) = rows.into_iter().unzip();
    }
}

/// Reads one column of numbers; blank fields are skipped, or are zero. Text that is not a finite number is a problem.
pub fn read_numbers(files: &dyn Files, wanted: &Wanted, column: &str, blank: Option<f64>) -> Result<Vec<f64>, Fault> {
    let sheet = Sheet::open(files, wanted)?;
    let index = sheet.column(column, "column")?;
    let help = format!("every row needs a number in column `{column}`");
    let mut values = Vec::new();
    sheet.rows(|line, record| {
        let text = record.get(index).unwrap_or("");
        match sheet.number(text) {
            // Among durations, a word for what is no number is no gap of a metric: something went wrong.
            Cell::Blank if blank.is_none() && !matches!(text, "" | "-" | "null") => {
                return Err(sheet.bad(line, text, "a number", help.as_str()));
            }
            Cell::Blank => values.extend(blank),
            Cell::Value(v) => values.push(v),
            Cell::Bad => return Err(sheet.bad(line, text, "a number", help.as_str())),
        }
        Ok(())
    })?;
    // A line without anything is no row: in a table of one column nobody can say whether it was meant as one.
    if blank.is_some() && sheet.headers.len() == 1 && has_empty_lines(&sheet.bytes) {
        let message = format!("`{}` has empty lines: are they intervals without anything?", sheet.name);
        return Err(Fault::new("file", message, "write 0 in them, or remove them"));
    }
    if values.is_empty() {
        let message = format!("`{}` has no values in column `{column}`", sheet.name);
        return Err(Fault::new("file", message, help));
    }
    Ok(values)
}

fn has_empty_lines(bytes: &[u8]) -> bool {
    let lines = bytes.trim_ascii_end().split(|b| *b == b'\n');
    lines.skip(1).any(|line| line.trim_ascii().is_empty())
}

/// The numbers of a column that a block with `file` and `column` names, multiplied: read once for all who ask.
pub fn column_of(block: &Block, factor: f64) -> Option<Arc<[f64]>> {
    let (wanted, column) = (Wanted::read(block), block.text("column"));
    let files = block.context().files;
    let question = format!("column {wanted:?} {column} {factor}");
    let answer = super::data::keep(files, question, || {
        let values = read_numbers(files, &wanted, column, None)?;
        if let Some(bad) = values.iter().find(|v| **v < 0.0) {
            let message = format!("`{column}` has the negative value {bad}");
            return Err(Fault::new("column", message, "durations are never negative"));
        }
        Ok(values.into_iter().map(|v| v * factor).collect::<Arc<[f64]>>())
    });
    answer
        .as_ref()
        .as_ref()
        .map_err(|fault| fault.report(block))
        .ok()
        .cloned()
}
