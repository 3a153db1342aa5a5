//! Recorded traffic as scenarios write it: times and counts out of files, on one clock.
//!
//! Model: the recordings of all clients of a scenario share their zero: the date that `run.start` gives, else the
//! earliest instant of all (or of all `from`). A count belongs to the interval that begins at its row's instant, or to
//! the next interval where rows have none; what is blank, and an interval without a row, has no request. Rows of times
//! may say how long each request took and how large it was; the request brings that along
//! ([`crate::model::request::baggage`]). Runs begin where recordings with dates do, unless `run.start` says otherwise.
//! Not modelled: requests of a recording that depend on answers of earlier ones.
//! Units: nanoseconds; instants are since 1970, or since the recording's own beginning.
//! Validated by: hand-written recordings (unit tests), the published traces of `scenarios/`.

use super::arrivals::{ArrivalPlan, Recording, Rows};
use crate::kernel::Duration;
use crate::kernel::number::{fit, whole};
use crate::model::parts::clock::Clock;
use crate::scenario::calendar::{Beginning, Zone};
use crate::scenario::data::keep;
use crate::scenario::dates::{Nanos, parse_date};
use crate::scenario::recording::{
    DECIMAL, Fault, INSTANT_UNIT_NS, INSTANT_UNITS, Jump, Measure, SEPARATOR, Stamps, Trace, WHERE, Wanted,
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

/// What sizes may be in.
const SIZE_UNITS: [&str; 5] = ["B", "KB", "MB", "KiB", "MiB"];
/// See [`SIZE_UNITS`]: in bytes.
const SIZE_UNIT_BYTES: [f64; 5] = [1.0, 1e3, 1e6, 1024.0, 1024.0 * 1024.0];

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
        Field::optional(
            "duration",
            Kind::Text,
            "The column that says how long each took. Handlers take it: `- wait: recorded`, or `- cpu: recorded`.",
        ),
        Field::optional(
            "duration_unit",
            Kind::Choice(INSTANT_UNITS),
            "What the durations are in.",
        ),
        Field::optional(
            "size",
            Kind::Text,
            "The column that says how large each was: its payload, for components with a `payload_limit`.",
        ),
        Field::default("size_unit", Kind::Choice(&SIZE_UNITS), "B", "What the sizes are in."),
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

const SCALE: &str =
    "Multiplies every count. Fractions are carried from one interval to the next, so that the sum is kept.";

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
        Field::default("scale", Kind::Number, "1", SCALE).positive(),
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

/// Looks at the recordings of all clients for their earliest instant. What is wrong with them is reported when
/// they are read.
pub fn look(clock: &mut Clock, cx: &Context, clients: &[&Node]) {
    let silent = Diagnostics::new();
    let cx = Context {
        diagnostics: &silent,
        ..*cx
    };
    let mut told: Vec<Nanos> = Vec::new();
    for (kind, table) in [("times", &TIMES), ("counts", &COUNTS)] {
        for node in clients {
            let Some(node) = node.get("arrivals").and_then(|arrivals| arrivals.get(kind)) else {
                continue;
            };
            let before = silent.pushed();
            let block = Block::new(&cx, node, table);
            if silent.pushed() != before {
                continue;
            }
            if block.has("zero") {
                told.extend(moment(&block, "zero", true));
            } else {
                see(clock, &block, kind == "times");
            }
        }
    }
    if clock.told {
        return;
    }
    // Runs begin where their recordings do, so that schedules and daily courses see the same dates.
    if let Some(start) = clock.dated.or(told.into_iter().min()).and_then(Beginning::at) {
        clock.start = start;
    }
}

fn see(clock: &mut Clock, block: &Block, times: bool) {
    if !times && !block.has("at") {
        return;
    }
    let Ok(trace) = load(block, times) else { return };
    let from = moment(block, "from", trace.is_dated());
    let Some(first) = from.or(trace.at.first().copied()) else {
        return;
    };
    let zero = if trace.is_dated() {
        &mut clock.dated
    } else {
        &mut clock.plain
    };
    if !(trace.is_dated() && clock.told) {
        *zero = Some(zero.map_or(first, |zero| zero.min(first)));
    }
}

/// The zero of a recording.
pub(super) fn zero(clock: &Clock, block: &Block, trace: &Trace) -> Nanos {
    let dated = trace.is_dated();
    if let Some(told) = moment(block, "zero", dated) {
        return told;
    }
    let both = clock.dated.is_some() && clock.plain.is_some() && !clock.told;
    if both && !dated {
        let message = "another client's recording has dates and this one has not: they have no common clock";
        let help = "say which instant is the start of the run: `zero: 0 s`";
        block.error(Code::Inconsistent, block.span_of("file"), message, help);
    }
    let common = if dated { clock.dated } else { clock.plain };
    common.unwrap_or_else(|| trace.at.first().copied().unwrap_or(0))
}

/// An instant on a recording's clock: a date, or a time.
pub(super) fn moment(block: &Block, field: &str, dated: bool) -> Option<Nanos> {
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
pub(super) fn load(block: &Block, times: bool) -> Result<Arc<Trace>, Fault> {
    let wanted = Wanted::read(block);
    let field = if times { "column" } else { "at" };
    let stamps = Stamps {
        column: block.text_opt(field).unwrap_or("").to_owned(),
        field,
        zone: Zone::read(block, "time_zone"),
        unit: block.choice_opt("unit").map(|unit| INSTANT_UNIT_NS[unit]),
    };
    let measures = if times {
        duration(block)?.into_iter().chain(size(block)).collect()
    } else {
        vec![Measure {
            column: block.text_opt("column").unwrap_or("").to_owned(),
            field: "column",
            factor: 1.0,
            required: None,
        }]
    };
    let ends = times && block.choice("marks") == 1;
    let files = block.context().files;
    let question = format!("trace {wanted:?} {stamps:?} {measures:?} {ends}");
    let answer = keep(files, question, || {
        Trace::read(files, &wanted, &stamps, &measures, ends).map(Arc::new)
    });
    answer.as_ref().clone()
}

/// How long each row took, if that is recorded, in nanoseconds.
fn duration(block: &Block) -> Result<Option<Measure>, Fault> {
    let unit = block.choice_opt("duration_unit").map(|unit| INSTANT_UNIT_NS[unit]);
    let Some(column) = block.text_opt("duration") else {
        if block.choice("marks") == 1 {
            return Err(Fault::new(
                "marks",
                "the column marks ends, and nothing says how long each took",
                "name the column of durations: `duration: duration_ms, duration_unit: ms`",
            ));
        }
        return Ok(None);
    };
    let Some(unit) = unit else {
        return Err(Fault::new(
            "duration",
            "nothing says what the durations are in",
            "add `duration_unit: ms`, or what they are in",
        ));
    };
    Ok(Some(Measure {
        column: column.to_owned(),
        field: "duration",
        factor: unit as f64,
        required: Some("a duration"),
    }))
}

/// How large each row was, if that is recorded, in bytes.
fn size(block: &Block) -> Option<Measure> {
    Some(Measure {
        column: block.text_opt("size")?.to_owned(),
        field: "size",
        factor: SIZE_UNIT_BYTES[block.choice("size_unit")],
        required: Some("a size"),
    })
}

/// The part of a recording that is played: rows between `from` and `until`, and the zero.
pub(super) struct Part {
    pub(super) low: usize,
    pub(super) high: usize,
    pub(super) zero: Nanos,
    pub(super) until: Option<Nanos>,
}

impl Part {
    pub(super) fn read(block: &Block, trace: &Trace, zero: Nanos) -> Self {
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
pub(super) struct Pace {
    pub(super) speed: f64,
    pub(super) offset: u64,
}

impl Pace {
    pub(super) fn read(block: &Block) -> Self {
        Self {
            speed: block.number("speed"),
            offset: block.duration("offset").0,
        }
    }

    /// When something is played that was recorded so long after zero.
    pub(super) fn at(self, since: Nanos) -> u64 {
        let since = fit(since.max(0));
        let played = if self.speed - 1.0 == 0.0 {
            since
        } else {
            whole((since as f64 / self.speed).round())
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
    let part = Part::read(block, &trace, zero(clock, block, &trace));
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
    let files = block.context().files;
    let (has_duration, has_size) = (block.has("duration"), block.has("size"));
    let played = keep(files, question, || {
        let range = part.low + early..part.high;
        let whole = |values: &Vec<f64>| values[range.clone()].iter().map(|v| whole(v.round())).collect();
        let (durations, sizes) = match trace.values.as_slice() {
            [sizes] if !has_duration => (Vec::new(), whole(sizes)),
            [durations] => (whole(durations), Vec::new()),
            [durations, sizes] => (whole(durations), whole(sizes)),
            _ => (Vec::new(), Vec::new()),
        };
        Recording {
            at: trace.at[range.clone()]
                .iter()
                .map(|at| pace.at(at - part.zero))
                .collect(),
            rows: (has_duration || has_size).then(|| Arc::new(Rows { durations, sizes })),
        }
    });
    let times = &played.at;
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
    if let Some(jump) = trace.jump {
        say_jump(block, &trace, jump);
    }
    Some(ArrivalPlan::Times(played.as_ref().clone()))
}

/// Says that rows do not come in the order of their instants, by much: it may be several recordings.
fn say_jump(block: &Block, trace: &Trace, jump: Jump) {
    let shown = |span: Nanos| units::show_duration(Duration(fit::<u64, _>(span) / 1_000_000 * 1_000_000));
    let message = format!(
        "`{}`, line {}: the clock goes back by {} in a recording of {}",
        block.text("file"),
        jump.line,
        shown(jump.by),
        shown(trace.span()),
    );
    let help = "several recordings in one file are played at once: keep one with `where`, or play one later, from a file \
                of its own with `offset`; sort the file if it is one";
    block.warn(Code::NoEffect, block.span_of("file"), message, help);
}

/// What there is to say about a recording in a run.
pub(super) struct Heard {
    /// Requests before the start of the run.
    pub(super) early: u64,
    /// Rows without an instant.
    pub(super) blank: u64,
    /// Requests within the run.
    pub(super) played: u64,
    /// All requests that are not early.
    pub(super) rows: u64,
    /// When it ends, in the run's time.
    pub(super) end: u64,
    pub(super) repeats: bool,
    /// Whether the scenario says where it ends.
    pub(super) cut: bool,
}

impl Heard {
    /// Says it; `None` if there is nothing to play.
    pub(super) fn say(&self, block: &Block, clock: &Clock, times: bool) -> Option<()> {
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
                " (`times` do not begin again)"
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

#[cfg(test)]
#[path = "recorded_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rows_tests.rs"]
mod rows_tests;
