//! Recorded traffic as scenarios write it: times and counts out of files, on one clock.
//!
//! Model: the recordings of all clients of a scenario share their zero: the date that `run.start` gives, else the
//! earliest instant of all (or of all `from`). A count belongs to the interval that begins at its row's instant, or to
//! the next interval where rows have none; what is blank, and an interval without a row, has no request.
//! Not modelled: requests of a recording that depend on answers of earlier ones.
//! Units: nanoseconds; instants are since 1970, or since the recording's own beginning.
//! Validated by: hand-written recordings (unit tests), the published traces of `scenarios/`.

use super::arrivals::{ArrivalPlan, Spread};
use crate::kernel::Duration;
use crate::scenario::calendar::{Beginning, Zone};
use crate::scenario::data::keep;
use crate::scenario::dates::{Nanos, parse_date};
use crate::scenario::recording::{
    Cell, DECIMAL, Fault, INSTANT_UNIT_NS, INSTANT_UNITS, SEPARATOR, Sheet, Stamps, Trace, WHERE, Wanted, read_numbers,
};
use crate::scenario::{Block, Code, Context, Diagnostics, Field, Kind, Node, Range, Table, read_duration, units};
use std::sync::Arc;

const TIME_ZONE: Field = Field::default(
    "time_zone",
    Kind::Text,
    "UTC",
    "The zone of dates that do not say theirs, such as `Europe/Berlin`.",
);
const UNIT: Field = Field::optional(
    "unit",
    Kind::Choice(INSTANT_UNITS),
    "What instants that are numbers are in; seconds if absent, or what makes very large ones dates.",
);
const FROM: Field = Field::optional(
    "from",
    Kind::Any,
    "Only what was recorded from then on: a date, or a time such as `100 s` on the recording's own clock.",
);
const UNTIL: Field = Field::optional("until", Kind::Any, "Only what was recorded before then.");
const ZERO: Field = Field::optional(
    "zero",
    Kind::Any,
    "The recorded instant at which the run begins. If absent, `run.start` for dates if that is given, else the \
     earliest instant (or `from`) of all recordings of the scenario.",
);
const OFFSET: Field = Field::default(
    "offset",
    Kind::Duration,
    "0 s",
    "How much later it is played than recorded.",
);
const SPEED: Field = Field::default("speed", Kind::Number, "1", "How many times faster than recorded.").positive();

/// The fields of a trace of times.
pub const TIMES: Table = Table {
    name: "trace of times",
    doc: "Arrivals at the times in a column of a CSV file (`.gz` too): dates or numbers, in any order.",
    fields: &[
        Field::required("file", Kind::Text, "The file, relative to the scenario."),
        Field::required("column", Kind::Text, "The column."),
        UNIT,
        Field::default(
            "marks",
            Kind::Choice(&["start", "end"]),
            "start",
            "What the column marks. The start is the end less the `duration`.",
        ),
        Field::optional("duration", Kind::Text, "The column that says how long each took."),
        Field::optional(
            "duration_unit",
            Kind::Choice(INSTANT_UNITS),
            "What the durations are in.",
        ),
        SPEED,
        WHERE,
        FROM,
        UNTIL,
        ZERO,
        OFFSET,
        TIME_ZONE,
        SEPARATOR,
        DECIMAL,
    ],
};

/// The fields of a trace of counts.
pub const COUNTS: Table = Table {
    name: "trace of counts",
    doc: "As many arrivals in each interval as a column of a CSV file says (`.gz` too); blank is none.",
    fields: &[
        Field::required("file", Kind::Text, "The file, relative to the scenario."),
        Field::optional("column", Kind::Text, "The column, where each row is an interval."),
        Field::optional(
            "columns",
            Kind::List(&Kind::Text),
            "Where each column is an interval: the first and the last of them, such as `[1, 1440]`. Rows are added up.",
        ),
        Field::optional(
            "at",
            Kind::Text,
            "The column that says when each row's interval begins. Rows may then come in any order and be missing; \
             those of one interval are added up. If absent, each row is the next interval.",
        ),
        UNIT,
        Field::required("interval", Kind::Duration, "Length of an interval.").positive(),
        Field::default(
            "spread",
            Kind::Choice(&["uniform", "even"]),
            "uniform",
            "Where in its interval an arrival is.",
        ),
        Field::default("scale", Kind::Number, "1", "Multiplies every count (rounded).").positive(),
        SPEED,
        Field::default("repeat", Kind::Flag, "false", "Whether it begins again at its end."),
        WHERE,
        FROM,
        UNTIL,
        ZERO,
        OFFSET,
        TIME_ZONE,
        SEPARATOR,
        DECIMAL,
    ],
};

/// What runs and recordings agree on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// When runs begin.
    pub start: Beginning,
    /// Whether the scenario says so.
    pub told: bool,
    /// How long they last.
    pub length: Duration,
    /// How long they last at most: a warm-up that is found later may come on top.
    pub horizon: Duration,
    /// The zero of recordings with dates.
    dated: Option<Nanos>,
    /// The zero of recordings without.
    plain: Option<Nanos>,
}

impl Clock {
    /// Of runs that begin then and last so long, before any recording was looked at.
    pub fn new(start: Beginning, told: bool, length: Duration) -> Self {
        Self {
            start,
            told,
            length,
            horizon: length,
            dated: told.then(|| start.nanos()),
            plain: None,
        }
    }

    /// Looks at the recordings of all clients for their earliest instant. What is wrong with them is reported when
    /// they are read.
    pub fn look(&mut self, cx: &Context, clients: &[&Node]) {
        let silent = Diagnostics::new();
        let cx = Context {
            diagnostics: &silent,
            ..*cx
        };
        for (kind, table) in [("times", &TIMES), ("counts", &COUNTS)] {
            for node in clients {
                let Some(node) = node.get("arrivals").and_then(|arrivals| arrivals.get(kind)) else {
                    continue;
                };
                let before = silent.pushed();
                let block = Block::new(&cx, node, table);
                if silent.pushed() == before && !block.has("zero") {
                    self.see(&block, kind == "times");
                }
            }
        }
    }

    fn see(&mut self, block: &Block, times: bool) {
        if !times && !block.has("at") {
            return;
        }
        let Ok(trace) = load(block, times) else { return };
        let from = moment(block, "from", trace.is_dated());
        let Some(first) = from.or(trace.at.first().copied()) else {
            return;
        };
        let zero = if trace.is_dated() {
            &mut self.dated
        } else {
            &mut self.plain
        };
        if !(trace.is_dated() && self.told) {
            *zero = Some(zero.map_or(first, |zero| zero.min(first)));
        }
    }

    /// The zero of a recording.
    fn zero(&self, block: &Block, trace: &Trace) -> Nanos {
        let dated = trace.is_dated();
        if let Some(told) = moment(block, "zero", dated) {
            return told;
        }
        let both = self.dated.is_some() && self.plain.is_some() && !self.told;
        if both && !dated {
            let message = "another client's recording has dates and this one has not: they have no common clock";
            let help = "say which instant is the start of the run: `zero: 0 s`";
            block.error(Code::Inconsistent, block.span_of("file"), message, help);
        }
        let common = if dated { self.dated } else { self.plain };
        common.unwrap_or_else(|| trace.at.first().copied().unwrap_or(0))
    }
}

/// An instant on a recording's clock: a date, or a time.
fn moment(block: &Block, field: &str, dated: bool) -> Option<Nanos> {
    let (cx, node) = (block.context(), block.node(field)?);
    let text = node.scalar().unwrap_or("");
    let date = parse_date(text, &Zone::read(block, "time_zone"));
    match date {
        Some(at) if dated => Some(at),
        None if !dated => Some(read_duration(cx, node, Range::AtLeast(0.0)).0.cast_signed()),
        _ => {
            let (message, help) = if dated {
                (
                    format!("the recording has dates, and `{text}` is none"),
                    "write `2026-10-01 13:00`",
                )
            } else {
                let message = format!("`{text}` is a date, but the recording has times since its beginning");
                (message, "write a time such as `100 s`")
            };
            block.error(Code::BadQuantity, node.span, message, help);
            None
        }
    }
}

/// Rows with their instants, read once for all who ask.
fn load(block: &Block, times: bool) -> Result<Arc<Trace>, Fault> {
    let wanted = Wanted::read(block);
    let field = if times { "column" } else { "at" };
    let stamps = Stamps {
        column: block.text_opt(field).unwrap_or("").to_owned(),
        field,
        zone: Zone::read(block, "time_zone"),
        unit: block.choice_opt("unit").map(|unit| INSTANT_UNIT_NS[unit]),
    };
    let (name, lag) = if times {
        ("duration", lag(block)?)
    } else {
        ("column", None)
    };
    let values = block.text_opt(name).map(|column| (column, name));
    let values = values.filter(|_| !times || lag.is_some());
    let question = format!("trace {wanted:?} {stamps:?} {values:?} {lag:?}");
    let files = block.context().files;
    let answer = keep(files, question, || {
        let mut trace = Trace::read(files, &wanted, &stamps, values)?;
        if let Some(unit) = lag {
            for (at, value) in trace.at.iter_mut().zip(&trace.values) {
                *at -= (value * unit as f64).round() as Nanos;
            }
            trace.sort();
        }
        Ok(Arc::new(trace))
    });
    answer.as_ref().clone()
}

/// What durations are in that are to be subtracted, if any are.
fn lag(block: &Block) -> Result<Option<i64>, Fault> {
    let unit = block.choice_opt("duration_unit").map(|unit| INSTANT_UNIT_NS[unit]);
    match (block.choice("marks") == 1, block.has("duration"), unit) {
        (true, true, Some(unit)) => Ok(Some(unit)),
        (true, false, _) => Err(Fault::new(
            "marks",
            "the column marks ends, and nothing says how long each took",
            "name the column of durations: `duration: duration_ms, duration_unit: ms`",
        )),
        (_, true, None) => Err(Fault::new(
            "duration",
            "nothing says what the durations are in",
            "add `duration_unit: ms`, or what they are in",
        )),
        (false, true, _) => Err(Fault::new(
            "duration",
            "durations are subtracted from ends, and the column marks starts",
            "add `marks: end` if it marks ends, or leave the duration out",
        )),
        (false, false, _) => Ok(None),
    }
}

/// The part of a recording that is played: rows between `from` and `until`, and the zero.
struct Part {
    low: usize,
    high: usize,
    zero: Nanos,
    until: Option<Nanos>,
}

impl Part {
    fn read(block: &Block, trace: &Trace, zero: Nanos) -> Self {
        let from = moment(block, "from", trace.is_dated());
        let until = moment(block, "until", trace.is_dated());
        let low = from.map_or(0, |from| trace.at.partition_point(|at| *at < from));
        let high = until.map_or(trace.at.len(), |until| trace.at.partition_point(|at| *at < until));
        Self {
            low,
            high: high.max(low),
            zero,
            until,
        }
    }
}

/// How recorded time becomes the run's.
#[derive(Clone, Copy, Debug)]
struct Pace {
    speed: f64,
    offset: u64,
}

impl Pace {
    fn read(block: &Block) -> Self {
        Self {
            speed: block.number("speed"),
            offset: block.duration("offset").0,
        }
    }

    /// When something is played that was recorded so long after zero.
    fn at(self, since: Nanos) -> u64 {
        let since = since.max(0) as u64;
        let played = if self.speed - 1.0 == 0.0 {
            since
        } else {
            (since as f64 / self.speed).round() as u64
        };
        played.saturating_add(self.offset)
    }
}

/// Reads a trace of times.
pub fn read_times(block: &Block, clock: &Clock) -> Option<ArrivalPlan> {
    let trace = load(block, true).map_err(|fault| fault.report(block)).ok()?;
    if trace.at[0] < 0 && !block.has("zero") {
        let message = format!(
            "`{}` has times before zero in column `{}`",
            block.text("file"),
            block.text("column")
        );
        let help = "say which instant is the start of the run (`zero: 0 s` leaves out what is before)";
        Fault::new("column", message, help).report(block);
        return None;
    }
    let part = Part::read(block, &trace, clock.zero(block, &trace));
    let pace = Pace::read(block);
    let early = trace.at[part.low..part.high].partition_point(|at| *at < part.zero);
    // One plan for all who play the same part, wherever the rows came from.
    let question = format!(
        "times {:?} {} {} {} {pace:?} {:?} {:?}",
        Wanted::read(block),
        block.text("column"),
        part.zero,
        part.low,
        part.high,
        Arc::as_ptr(&trace),
    );
    let times = keep(block.context().files, question, || -> Arc<[u64]> {
        let rows = &trace.at[part.low + early..part.high];
        rows.iter().map(|at| pace.at(at - part.zero)).collect()
    });
    let end = part.until.map(|until| pace.at(until - part.zero));
    let heard = Heard {
        early: early as u64,
        blank: trace.blank,
        played: times.partition_point(|at| *at < clock.length.0) as u64,
        rows: times.len() as u64,
        end: end.or(times.last().copied()).unwrap_or(0),
        repeats: false,
        cut: part.until.is_some(),
    };
    heard.say(block, clock, true)?;
    Some(ArrivalPlan::Times(times.as_ref().clone()))
}

/// What there is to say about a recording in a run.
struct Heard {
    /// Requests before the start of the run.
    early: u64,
    /// Rows without an instant.
    blank: u64,
    /// Requests within the run.
    played: u64,
    /// All requests that are not early.
    rows: u64,
    /// When it ends, in the run's time.
    end: u64,
    repeats: bool,
    /// Whether the scenario says where it ends.
    cut: bool,
}

impl Heard {
    /// Says it; `None` if there is nothing to play.
    fn say(&self, block: &Block, clock: &Clock, times: bool) -> Option<()> {
        let length = clock.length;
        let shown = units::show_duration(length);
        let span = block.span_of("file");
        let warn = |message: String, help: String| block.warn(Code::NoEffect, span, message, help);
        if self.played == 0 {
            let file = block.text("file");
            let message = match (self.rows, self.early) {
                (0, 0) => format!("`{file}` has no request in what is asked for"),
                (0, n) => format!("all {n} requests of `{file}` come before the run begins"),
                (n, _) => format!("all {n} requests of `{file}` come after the end of the run of {shown}"),
            };
            let help = "set `from`, `until` and `zero`, or the run's `start` and `length`, so that some lie within";
            Fault::new("file", message, help).report(block);
            return None;
        }
        if self.early > 0 {
            let message = format!("{} requests come before the run begins and are left out", self.early);
            let help = "say so with `from`, or move the start of the run with `zero` or `run.start`";
            warn(message, help.to_owned());
        }
        if self.blank > 0 {
            let message = format!("{} rows have no instant and are left out", self.blank);
            warn(message, "remove them, or give them one".to_owned());
        }
        let after = self.rows - self.played;
        if after > 0 && !self.cut && !self.repeats {
            let message = format!(
                "{after} of {} requests come after the end of the run of {shown}",
                self.rows
            );
            let help = "make the run's `length` longer, or say where the recording ends: `until: ...`";
            warn(message, help.to_owned());
        }
        // The last request of a recording is a little before its end: what counts is a long silence.
        let silent = length.0.saturating_sub(self.end);
        if !self.repeats && silent > length.0 / 20 {
            let end = units::show_duration(Duration(self.end / 1_000_000_000 * 1_000_000_000));
            let message = format!("the recording ends {end} after the start, and the run lasts {shown}");
            let again = if times {
                ""
            } else {
                ", or let it begin again with `repeat: true`"
            };
            let help =
                format!("make the run's `length` shorter{again}: means, ratios and bills cover the silence, too");
            warn(message, help);
        }
        Some(())
    }
}

/// The most arrivals in one interval of a trace.
const COUNT_MAX: f64 = 1e9;
/// The most intervals of a trace.
const INTERVALS_MAX: u64 = 100_000_000;

/// Counts, interval by interval, and when the first begins.
#[derive(Clone, Debug)]
struct Counts {
    begin: u64,
    each: Arc<[u32]>,
    early: u64,
    blank: u64,
    rows: u64,
}

/// Reads a trace of counts.
pub fn read_counts(block: &Block, clock: &Clock) -> Option<ArrivalPlan> {
    let pace = Pace::read(block);
    let interval = block.duration("interval");
    let interval_ns = ((interval.0 as f64 / pace.speed).round() as u64).max(1);
    let counted = if block.has("at") {
        placed(block, clock, interval)
    } else {
        in_turn(block, interval)
    };
    let counted = counted.map_err(|fault| fault.report(block)).ok()?;
    let begin_ns = pace.at(counted.begin.cast_signed());
    let repeats = block.flag("repeat");
    let (end, length) = (begin_ns + counted.each.len() as u64 * interval_ns, clock.length.0);
    let within = if repeats {
        u64::MAX
    } else {
        length.saturating_sub(begin_ns).div_ceil(interval_ns)
    };
    let within = counted.each.len().min(usize::try_from(within).unwrap_or(usize::MAX));
    let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
    let heard = Heard {
        early: counted.early,
        blank: counted.blank,
        played: if begin_ns < length {
            sum(&counted.each[..within])
        } else {
            0
        },
        rows: counted.rows,
        end,
        repeats,
        cut: block.has("until"),
    };
    heard.say(block, clock, false)?;
    Some(ArrivalPlan::Counts {
        begin_ns,
        interval_ns,
        counts: counted.each,
        spread: [Spread::Uniform, Spread::Even][block.choice("spread")],
        repeats,
    })
}

fn to_counts(block: &Block, values: &[f64]) -> Result<Arc<[u32]>, Fault> {
    let scale = block.number("scale");
    if let Some(bad) = values
        .iter()
        .find(|&&count| !(0.0..=COUNT_MAX).contains(&(count * scale)))
    {
        let column = block.text_opt("column").unwrap_or("columns");
        let message = format!("`{}` has the count {bad} in column `{column}`", block.text("file"));
        let help = format!("counts are numbers of arrivals, from 0 to {COUNT_MAX} once scaled");
        return Err(Fault::new("column", message, help));
    }
    Ok(values.iter().map(|count| (count * scale).round() as u32).collect())
}

/// Each row, or each of several columns, is the next interval.
fn in_turn(block: &Block, interval: Duration) -> Result<Counts, Fault> {
    if let Some(field) = ["zero", "unit"].into_iter().find(|field| block.has(field)) {
        let message = format!("`{field}` is about instants, and nothing says when the rows are");
        return Err(Fault::new(
            field,
            message,
            "name the column with their instants: `at: timestamp`",
        ));
    }
    let wanted = Wanted::read(block);
    let column = block.text_opt("column");
    let names: Vec<&str> = block.list("columns").iter().filter_map(Node::scalar).collect();
    let files = block.context().files;
    let question = format!("counts {wanted:?} {column:?} {names:?} {interval:?}");
    let values = keep(files, question, || match (column, names.as_slice()) {
        (Some(column), []) => {
            let sheet = Sheet::open(files, &wanted)?;
            guard_layout(&sheet, column)?;
            let gaps = guard_order(&sheet, column, interval)?;
            read_numbers(files, &wanted, column, Some(0.0)).map(|values| (values, gaps))
        }
        (None, [first, last]) => across(&Sheet::open(files, &wanted)?, first, last).map(|values| (values, None)),
        (None, []) => Err(Fault::new(
            "file",
            "nothing says which column holds the counts",
            "add `column: requests` where each row is an interval, or `columns: [1, 1440]` where each column is",
        )),
        (None, _) => Err(Fault::new(
            "columns",
            "`columns` names two: the first and the last",
            "such as `[1, 1440]`",
        )),
        (Some(_), _) => Err(Fault::new(
            "columns",
            "`column` and `columns` both name counts",
            "keep one of them",
        )),
    });
    let (values, gaps) = values.as_ref().as_ref().map_err(Clone::clone)?;
    if let Some(gaps) = gaps {
        block.warn(
            Code::NoEffect,
            block.span_of("file"),
            gaps.message.as_str(),
            gaps.help.as_str(),
        );
    }
    let place = |field| moment(block, field, false).map(|at| (at as u64).div_ceil(interval.0) as usize);
    let high = place("until").unwrap_or(values.len()).min(values.len());
    let low = place("from").unwrap_or(0).min(high);
    let question = format!("played {:p} {low} {high} {}", values.as_ptr(), block.number("scale"));
    let counts = keep(files, question, || to_counts(block, &values[low..high]));
    let counts = counts.as_ref().clone()?;
    Ok(Counts {
        begin: 0,
        rows: counts.iter().map(|count| u64::from(*count)).sum(),
        each: counts,
        early: 0,
        blank: 0,
    })
}

/// Each row says when its interval begins.
fn placed(block: &Block, clock: &Clock, interval: Duration) -> Result<Counts, Fault> {
    if !block.has("column") || block.has("columns") {
        let help = "write `column: requests` beside `at`";
        return Err(Fault::new("at", "with `at`, one column holds the counts", help));
    }
    let trace = load(block, false)?;
    let part = Part::read(block, &trace, clock.zero(block, &trace));
    let (low, high) = (part.low, part.high);
    let early = trace.at[low..high].partition_point(|at| *at < part.zero);
    let rows = &trace.at[low + early..high];
    let Some((first, last)) = rows.first().zip(rows.last()) else {
        return Err(Fault::new(
            "file",
            "no row lies in what is asked for",
            "set `from`, `until` or `zero` otherwise",
        ));
    };
    let width = interval.0.cast_signed();
    if let Some(stray) = rows.iter().find(|at| (**at - first) % width != 0) {
        let message = format!(
            "a row is {} after the first: that is no whole number of intervals",
            units::show_duration(Duration((stray - first) as u64))
        );
        return Err(Fault::new(
            "interval",
            message,
            "give the interval that the file was written with",
        ));
    }
    let length = ((last - first) / width + 1) as u64;
    if length > INTERVALS_MAX {
        let help = "give a longer `interval`, or `from` and `until`";
        return Err(Fault::new("interval", format!("{length} intervals are too many"), help));
    }
    let question = format!(
        "placed {:?} {low} {high} {early} {interval:?} {}",
        Arc::as_ptr(&trace),
        block.number("scale")
    );
    let counts = keep(block.context().files, question, || {
        let mut sums = vec![0.0; length as usize];
        for (at, value) in rows.iter().zip(&trace.values[low + early..high]) {
            sums[((at - first) / width) as usize] += value;
        }
        to_counts(block, &sums)
    });
    let counts = counts.as_ref().clone()?;
    Ok(Counts {
        begin: (first - part.zero) as u64,
        rows: counts.iter().map(|count| u64::from(*count)).sum(),
        each: counts,
        early: trace.values[low..low + early].iter().sum::<f64>() as u64,
        blank: trace.blank,
    })
}

/// Adds up rows whose columns, from the first to the last, are intervals.
fn across(sheet: &Sheet, first: &str, last: &str) -> Result<Vec<f64>, Fault> {
    let (low, high) = (sheet.column(first, "columns")?, sheet.column(last, "columns")?);
    if high < low {
        return Err(Fault::new(
            "columns",
            format!("`{last}` stands before `{first}`"),
            "swap them",
        ));
    }
    let mut sums = vec![0.0; high - low + 1];
    sheet.rows(|line, record| {
        for (sum, text) in sums.iter_mut().zip(record.iter().skip(low)) {
            match sheet.number(text) {
                Cell::Blank => {}
                Cell::Value(v) => *sum += v,
                Cell::Bad => return Err(sheet.bad(line, text, "a number", "columns of intervals hold counts")),
            }
        }
        Ok(())
    })?;
    Ok(sums)
}

/// Refuses a column that is one interval among many: the rows of such a table are functions, not minutes.
fn guard_layout(sheet: &Sheet, column: &str) -> Result<(), Fault> {
    let interval = |name: &String| {
        name.parse::<f64>().is_ok() || parse_date(name, &Zone::UTC).is_some() || name.split(':').all(is_number)
    };
    let many: Vec<&String> = sheet.headers().iter().filter(|name| interval(name)).collect();
    if many.len() < 3 || !many.iter().any(|name| *name == column) {
        return Ok(());
    }
    let (first, last) = (many[0], many[many.len() - 1]);
    let message = format!("`{}` has an interval in each column, not in each row", sheet.name());
    let other = sheet.headers().iter().find(|name| !interval(name));
    let rows = other.map_or_else(String::new, |name| {
        format!(", and say which rows: `where: {{ {name}: ... }}`")
    });
    Err(Fault::new(
        "column",
        message,
        format!("write `columns: [\"{first}\", \"{last}\"]`{rows}"),
    ))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Refuses rows in another order than one interval after the other, where a column of dates says so; says where
/// intervals are missing.
fn guard_order(sheet: &Sheet, column: &str, interval: Duration) -> Result<Option<Fault>, Fault> {
    let (mut dates, mut before): (Option<usize>, Option<Nanos>) = (None, None);
    let (mut missing, mut any) = (None, false);
    sheet.rows(|line, record| {
        if !std::mem::replace(&mut any, true) {
            dates = record.iter().position(|text| parse_date(text, &Zone::UTC).is_some());
        }
        let Some(index) = dates else { return Ok(()) };
        let now = parse_date(record.get(index).unwrap_or(""), &Zone::UTC);
        let step = now.zip(before).map(|(now, before)| now - before);
        before = now;
        let Some(step) = step.filter(|step| *step != interval.0.cast_signed()) else {
            return Ok(());
        };
        let name = &sheet.headers()[index];
        let what = if step > 0 {
            "not one interval after"
        } else {
            "not after"
        };
        let message = format!(
            "`{}`, line {line}: by its column `{name}` this row is {what} the row before",
            sheet.name()
        );
        let help = format!("add `at: {name}`, and `where` if the rows of `{column}` are of several things");
        let fault = Fault::new("file", message, help);
        // Intervals that are missing move up what comes later; rows in any other order mean something else altogether.
        if step > 0 {
            missing.get_or_insert(fault);
            return Ok(());
        }
        Err(fault)
    })?;
    Ok(missing)
}

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod tests;
