//! Recordings: tables of text whose columns are numbers or instants.
//!
//! What cannot be read is a [`Fault`], which whoever asked reports at a field of his own: so that the same question of
//! another cell has the same answer without reading the file again.

use super::calendar::Zone;
use super::data::Files;
use super::dates::{DATES_FROM, Nanos};
use super::diagnostic::Code;
use super::reader::{Block, read_text};
use super::sheet::{Cell, SEPARATORS, Sheet};
use super::table::{Field, Kind};
use crate::kernel::number::whole_i64;
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
    /// What stands between two columns, if it is told.
    pub separator: Option<u8>,
    /// Whether fractions are written with a comma, if it is told.
    pub comma: Option<bool>,
    /// The values that rows must have in some columns.
    pub filter: Vec<(String, String)>,
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

/// A column of numbers beside the instants.
#[derive(Clone, Debug)]
pub struct Measure {
    /// The column.
    pub column: String,
    /// The field that names it.
    pub field: &'static str,
    /// What its numbers are multiplied by.
    pub factor: f64,
    /// Whether every row must have one, which is not negative: what it is called then.
    pub required: Option<&'static str>,
}

/// A step of the clock against the order of the rows.
#[derive(Clone, Copy, Debug)]
pub struct Jump {
    /// The line that it leads to.
    pub line: u64,
    /// How far.
    pub by: Nanos,
}

/// Rows with an instant, earliest first.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// When.
    pub at: Vec<Nanos>,
    /// The numbers that belong to each, for each measure that was asked for.
    pub values: Vec<Vec<f64>>,
    /// Rows that have no instant.
    pub blank: u64,
    /// The largest step against the order in which most rows are, if it is more than half of the whole.
    pub jump: Option<Jump>,
}

impl Trace {
    /// Whether its instants are dates.
    pub fn is_dated(&self) -> bool {
        self.at.first().is_some_and(|at| *at >= DATES_FROM)
    }

    /// From the first instant to the last.
    pub fn span(&self) -> Nanos {
        self.at
            .last()
            .zip(self.at.first())
            .map_or(0, |(last, first)| last - first)
    }

    /// Reads it: instants, and columns of numbers. The first of them is subtracted (ns) from instants that mark `ends`.
    pub fn read(
        files: &dyn Files,
        wanted: &Wanted,
        stamps: &Stamps,
        measures: &[Measure],
        ends: bool,
    ) -> Result<Self, Fault> {
        let sheet = Sheet::open(files, wanted)?;
        let at = sheet.column(&stamps.column, stamps.field)?;
        let columns = measures
            .iter()
            .map(|measure| sheet.column(&measure.column, measure.field));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let mut trace = Self::default();
        trace.values.resize(measures.len(), Vec::new());
        let (mut unit, mut order) = (stamps.unit, Order::default());
        let (mut instants, mut numbers) = (
            sheet.numbers(),
            columns.iter().map(|_| sheet.numbers()).collect::<Vec<_>>(),
        );
        let help = format!(
            "every row needs a number in column `{}`, or a date such as `2026-10-01 13:34:59`",
            stamps.column
        );
        sheet.rows(|line, record| {
            let text = record.get(at).unwrap_or("");
            let mut instant = match instants.instant(line, text, &stamps.zone, &mut unit) {
                Cell::Blank => {
                    trace.blank += 1;
                    return Ok(());
                }
                Cell::Bad => return Err(sheet.bad(line, text, "a number", help.as_str())),
                Cell::Value(instant) => instant,
            };
            for (i, measure) in measures.iter().enumerate() {
                let text = record.get(columns[i]).unwrap_or("");
                let value = measure.value(&sheet, line, text, numbers[i].number(line, text))?;
                trace.values[i].push(value);
                if ends && i == 0 {
                    instant -= whole_i64(value.round());
                }
            }
            order.next(line, instant);
            trace.at.push(instant);
            Ok(())
        })?;
        if trace.at.is_empty() {
            let message = format!("`{}` has no values in column `{}`", sheet.name(), stamps.column);
            return Err(Fault::new("file", message, help));
        }
        instants.end()?;
        numbers.into_iter().try_for_each(super::sheet::Numbers::end)?;
        trace.sort();
        trace.jump = order.jump().filter(|jump| jump.by > trace.span() / 2);
        Ok(trace)
    }

    /// Puts the earliest first.
    fn sort(&mut self) {
        if self.at.is_sorted() {
            return;
        }
        if self.values.is_empty() {
            self.at.sort_unstable();
            return;
        }
        let mut rows: Vec<usize> = (0..self.at.len()).collect();
        rows.sort_by_key(|row| self.at[*row]);
        self.at = rows.iter().map(|row| self.at[*row]).collect();
        for values in &mut self.values {
            *values = rows.iter().map(|row| values[*row]).collect();
        }
    }
}

impl Measure {
    /// The number of a row, or what is wrong with it.
    fn value(&self, sheet: &Sheet, line: u64, text: &str, cell: Cell<f64>) -> Result<f64, Fault> {
        let Some(what) = self.required else {
            return match cell {
                Cell::Blank => Ok(0.0),
                Cell::Value(value) => Ok(value * self.factor),
                Cell::Bad => Err(sheet.bad(line, text, "a number", "numbers, or nothing")),
            };
        };
        let help = format!(
            "every row needs {what} in column `{}`: write a number from 0 on, or remove the row",
            self.column
        );
        let fault = match cell {
            Cell::Value(value) if value >= 0.0 => return Ok(value * self.factor),
            Cell::Value(_) => sheet.bad(line, text, what, help),
            Cell::Bad => sheet.bad(line, text, "a number", help),
            Cell::Blank => {
                let message = format!("`{}`, line {line}: nothing in column `{}`", sheet.name(), self.column);
                Fault::new(self.field, message, help)
            }
        };
        Err(Fault {
            field: self.field,
            ..fault
        })
    }
}

/// In which order rows come.
#[derive(Default)]
struct Order {
    before: Option<Nanos>,
    /// Steps forwards: how many, and the largest.
    forwards: (u64, Option<Jump>),
    /// Steps backwards.
    backwards: (u64, Option<Jump>),
}

impl Order {
    fn next(&mut self, line: u64, at: Nanos) {
        let Some(before) = self.before.replace(at).filter(|before| *before != at) else {
            return;
        };
        let (count, largest) = if at > before {
            &mut self.forwards
        } else {
            &mut self.backwards
        };
        *count += 1;
        let by = (at - before).abs();
        if largest.is_none_or(|jump| jump.by < by) {
            *largest = Some(Jump { line, by });
        }
    }

    /// The largest step against the order of most rows: logs are written newest first, too.
    fn jump(&self) -> Option<Jump> {
        if self.backwards.0 > self.forwards.0 {
            self.forwards.1
        } else {
            self.backwards.1
        }
    }
}

/// Reads one column of numbers; blank fields are skipped, or are zero. Text that is not a finite number is a problem.
pub fn read_numbers(files: &dyn Files, wanted: &Wanted, column: &str, blank: Option<f64>) -> Result<Vec<f64>, Fault> {
    let sheet = Sheet::open(files, wanted)?;
    let index = sheet.column(column, "column")?;
    let help = format!("every row needs a number in column `{column}`");
    let (mut values, mut numbers) = (Vec::new(), sheet.numbers());
    sheet.rows(|line, record| {
        let text = record.get(index).unwrap_or("");
        match numbers.number(line, text) {
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
    numbers.end()?;
    // A line without anything is no row: in a table of one column nobody can say whether it was meant as one.
    if blank.is_some() && sheet.headers().len() == 1 && sheet.has_empty_lines() {
        let message = format!(
            "`{}` has empty lines: are they intervals without anything?",
            sheet.name()
        );
        return Err(Fault::new("file", message, "write 0 in them, or remove them"));
    }
    if values.is_empty() {
        let message = format!("`{}` has no values in column `{column}`", sheet.name());
        return Err(Fault::new("file", message, help));
    }
    Ok(values)
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
