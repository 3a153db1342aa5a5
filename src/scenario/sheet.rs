//! Sheets: tables of text (CSV and its kin) with a header, whose rows are read one after the other.
//!
//! The separator is found in the header, unless it is told. A decimal comma is read where the separator is a semicolon,
//! or where it is told. Beside a semicolon, a number that may be grouped by thousands as well is refused, unless other
//! numbers of its column leave no doubt. Of a file that many ask for parts of, by what stands in some of its columns,
//! an index is made once.

use super::calendar::Zone;
use super::data::{Files, PATHS, content, keep};
use super::dates::{Nanos, parse_date, parse_number_ns, unit_of};
use super::diagnostic::nearest;
use super::recording::{Fault, Wanted};
use super::tree::shorten;
use crate::kernel::number::fit;
use std::collections::BTreeMap;

/// What may stand between two columns.
pub const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A table that was read, with its header understood.
pub struct Sheet {
    name: String,
    bytes: Vec<u8>,
    separator: u8,
    decimal: Decimal,
    headers: Vec<String>,
    /// Where only some rows were asked for: the line of each in the file.
    lines: Option<Vec<u64>>,
}

/// How fractions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decimal {
    /// With a point.
    Point,
    /// With a comma, as is told.
    Comma,
    /// With a point or a comma: nobody says, and both are usual where semicolons separate columns.
    Open,
}

/// What stands in a field.
#[derive(Clone, Copy, Debug)]
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

/// Finds the lines on which rows begin, one after the other.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
}

impl<'b> Lines<'b> {
    const fn of(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, line: 1 }
    }

    /// The line of the row that is read from this place on: lines without anything and comments may come before it.
    fn find(&mut self, from: u64) -> u64 {
        let mut begin = usize::try_from(from).map_or(self.bytes.len(), |from| from.min(self.bytes.len()));
        while let Some(byte) = self.bytes.get(begin) {
            match byte {
                b'\n' | b'\r' => begin += 1,
                b'#' => {
                    let rest = self.bytes[begin..].iter();
                    begin += rest.take_while(|byte| **byte != b'\n').count();
                }
                _ => break,
            }
        }
        let passed = &self.bytes[self.at.min(begin)..begin];
        self.line += (passed.split(|byte| *byte == b'\n').count() - 1) as u64;
        self.at = begin;
        self.line
    }
}

/// A file with the places of its rows, by what stands in some of its columns.
struct Index {
    sheet: Sheet,
    /// Where the header ends.
    body: usize,
    /// Of each row: its line, and where it begins and ends.
    rows: BTreeMap<Vec<String>, Vec<(u64, usize, usize)>>,
}

impl Index {
    fn new(files: &dyn Files, wanted: &Wanted) -> Result<Self, Fault> {
        let sheet = Sheet::whole(files, wanted)?;
        let columns = wanted.filter.iter().map(|(column, _)| sheet.column(column, "where"));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let mut rows: BTreeMap<Vec<String>, Vec<_>> = BTreeMap::new();
        let mut reader = sheet.reader();
        reader.headers().map_err(|error| sheet.broken(&error, 0))?;
        let place = |reader: &csv::Reader<&[u8]>| fit(reader.position().byte());
        let body = place(&reader);
        let (mut record, mut begin, mut lines) = (csv::StringRecord::new(), body, Lines::of(&sheet.bytes));
        while reader
            .read_record(&mut record)
            .map_err(|error| sheet.broken(&error, 0))?
        {
            let end = place(&reader);
            let key = columns.iter().map(|i| record.get(*i).unwrap_or("").to_owned());
            let line = lines.find(begin as u64);
            rows.entry(key.collect()).or_default().push((line, begin, end));
            begin = end;
        }
        drop(reader);
        Ok(Self { sheet, body, rows })
    }

    /// The rows that have these values, as a sheet of their own.
    fn part(&self, wanted: &Wanted) -> Result<Sheet, Fault> {
        let values: Vec<String> = wanted.filter.iter().map(|(_, value)| value.clone()).collect();
        let Some(rows) = self.rows.get(&values) else {
            return Err(self.none(wanted));
        };
        let mut bytes = self.sheet.bytes[..self.body].to_vec();
        for (_, begin, end) in rows {
            bytes.extend_from_slice(&self.sheet.bytes[*begin..*end]);
            // The last line of a file may lack its end.
            if bytes.last() != Some(&b'\n') {
                bytes.push(b'\n');
            }
        }
        Ok(Sheet {
            name: self.sheet.name.clone(),
            bytes,
            headers: self.sheet.headers.clone(),
            lines: Some(rows.iter().map(|row| row.0).collect()),
            ..self.sheet
        })
    }

    fn none(&self, wanted: &Wanted) -> Fault {
        let has = |(at, value): (usize, &String)| self.rows.keys().any(|key| key[at] == *value);
        let values = wanted.filter.iter().map(|(_, value)| value);
        let strange = values.enumerate().find(|one| !has(*one));
        let (column, value) = &wanted.filter[strange.map_or(0, |one| one.0)];
        let file = &self.sheet.name;
        let message = match strange {
            Some(_) => format!("`{file}` has no row with `{value}` in `{column}`"),
            None => format!("`{file}` has no row with all of these values"),
        };
        Fault::new("where", message, "values are compared as they are written in the file")
    }
}

impl Sheet {
    /// Opens the table, or the part of it that is wanted.
    pub fn open(files: &dyn Files, wanted: &Wanted) -> Result<Self, Fault> {
        if wanted.filter.is_empty() {
            return Self::whole(files, wanted);
        }
        let columns: Vec<&String> = wanted.filter.iter().map(|(column, _)| column).collect();
        let question = format!(
            "index {:?} {:?} {:?} {columns:?}",
            wanted.file, wanted.separator, wanted.comma
        );
        let index = keep(files, question, || Index::new(files, wanted));
        index.as_ref().as_ref().map_err(Clone::clone)?.part(wanted)
    }

    fn whole(files: &dyn Files, wanted: &Wanted) -> Result<Self, Fault> {
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
        let decimal = match wanted.comma {
            Some(true) => Decimal::Comma,
            None if separator == b';' => Decimal::Open,
            _ => Decimal::Point,
        };
        let mut sheet = Self {
            name,
            decimal,
            bytes,
            separator,
            headers: Vec::new(),
            lines: None,
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

    /// Goes over the rows that are wanted, with their lines.
    pub fn rows(&self, mut visit: impl FnMut(u64, &csv::StringRecord) -> Result<(), Fault>) -> Result<(), Fault> {
        let (mut reader, mut lines) = (self.reader(), Lines::of(&self.bytes));
        let mut record = csv::StringRecord::new();
        for row in 0.. {
            if !reader
                .read_record(&mut record)
                .map_err(|error| self.broken(&error, row))?
            {
                break;
            }
            let line = match self.line_in_file(row) {
                Some(line) => line,
                None => lines.find(record.position().map_or(0, csv::Position::byte)),
            };
            visit(line, &record)?;
        }
        Ok(())
    }

    fn line_in_file(&self, row: usize) -> Option<u64> {
        self.lines.as_ref()?.get(row).copied()
    }

    /// A complaint about a row that is none.
    fn broken(&self, error: &csv::Error, row: usize) -> Fault {
        let place = error.position().map_or(0, csv::Position::byte);
        let line = self
            .line_in_file(row)
            .unwrap_or_else(|| Lines::of(&self.bytes).find(place));
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
        let help = match self.decimal {
            _ if what != "a number" => help.into(),
            Decimal::Point if text.contains(',') => {
                "with a decimal comma, add `decimal: comma`; separators of thousands have to go".to_owned()
            }
            Decimal::Open | Decimal::Comma if text.contains(',') || is_grouped(text, '.') => {
                "separators of thousands have to go".to_owned()
            }
            _ => help.into(),
        };
        Fault::new("file", message, help)
    }

    /// Whether there are lines without anything, which are no rows.
    pub fn has_empty_lines(&self) -> bool {
        let lines = self.bytes.trim_ascii_end().split(|b| *b == b'\n');
        lines.skip(1).any(|line| line.trim_ascii().is_empty())
    }

    /// Reads numbers of a column.
    pub fn numbers(&self) -> Numbers<'_> {
        Numbers {
            sheet: self,
            marks: [Mark::default(), Mark::default()],
        }
    }
}

/// Whether digits are in groups of three, as thousands are written: `1,234` and `12,345,678`, but not `0,123`.
fn is_grouped(text: &str, mark: char) -> bool {
    let mut groups = text.trim_start_matches(['-', '+']).split(mark);
    let digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next().unwrap_or("");
    let leads = (1..=3).contains(&first.len()) && digits(first) && !first.starts_with('0');
    let (mut any, mut all) = (false, leads);
    for group in groups {
        any = true;
        all &= group.len() == 3 && digits(group);
    }
    any && all
}

/// What is known of a character that may separate fractions, or thousands.
#[derive(Default)]
struct Mark {
    /// Whether a number has it that no separator of thousands could be.
    is_decimal: bool,
    /// The first number that may be either, and its line.
    doubt: Option<(u64, String)>,
}

/// The numbers of one column, or of several that are alike.
pub struct Numbers<'s> {
    sheet: &'s Sheet,
    /// Of a comma, and of a point.
    marks: [Mark; 2],
}

impl Numbers<'_> {
    /// A field as a number.
    pub fn number(&mut self, line: u64, text: &str) -> Cell<f64> {
        let parsed = match self.pointed(line, text) {
            Some(pointed) => pointed.parse::<f64>(),
            None => return Cell::Bad,
        };
        match parsed {
            Ok(v) if v.is_finite() => Cell::Value(v),
            _ if is_blank(text) => Cell::Blank,
            _ => Cell::Bad,
        }
    }

    /// A field as an instant: a date, or a number of units.
    pub fn instant(&mut self, line: u64, text: &str, zone: &Zone, unit: &mut Option<i64>) -> Cell<Nanos> {
        if is_blank(text) {
            return Cell::Blank;
        }
        if let Some(at) = parse_date(text, zone) {
            return Cell::Value(at);
        }
        let Some(text) = self.pointed(line, text) else {
            return Cell::Bad;
        };
        // The first number says what all are in, unless it is told.
        let in_unit = match *unit {
            Some(known) => known,
            None => match text.parse::<f64>() {
                Ok(value) => *unit.insert(unit_of(value)),
                Err(_) => return Cell::Bad,
            },
        };
        parse_number_ns(&text, in_unit).map_or(Cell::Bad, Cell::Value)
    }

    /// The number with a decimal point; `None` if it is certainly grouped by thousands.
    fn pointed<'t>(&mut self, line: u64, text: &'t str) -> Option<std::borrow::Cow<'t, str>> {
        let decimal = self.sheet.decimal;
        let comma = decimal != Decimal::Point && text.contains(',');
        if decimal == Decimal::Open && (comma || text.contains('.')) {
            let (mark, character) = if comma {
                (&mut self.marks[0], ',')
            } else {
                (&mut self.marks[1], '.')
            };
            if is_grouped(text, character) {
                mark.doubt.get_or_insert_with(|| (line, text.to_owned()));
            } else {
                mark.is_decimal = true;
            }
        }
        if decimal == Decimal::Comma && !comma && is_grouped(text, '.') {
            return None;
        }
        Some(if comma {
            text.replacen(',', ".", 1).into()
        } else {
            text.into()
        })
    }

    /// After the last one: complains about the first that may mean two things.
    pub fn end(self) -> Result<(), Fault> {
        let doubtful = |(mark, word): (Mark, &'static str)| {
            let (line, text) = mark.doubt.filter(|_| !mark.is_decimal)?;
            Some((line, text, word))
        };
        let Some((line, text, word)) = self.marks.into_iter().zip(["comma", "point"]).find_map(doubtful) else {
            return Ok(());
        };
        let plain = text.replace([',', '.'], "");
        let fraction = text.replace(',', ".");
        let message = format!(
            "`{}`, line {line}: `{text}` may be {fraction} or {plain}",
            self.sheet.name
        );
        let help =
            format!("add `decimal: {word}` if it is {fraction}; if it is {plain}, separators of thousands have to go");
        Err(Fault::new("file", message, help))
    }
}
