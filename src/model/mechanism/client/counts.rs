//! Recorded counts as scenarios write them: so many requests in each interval.
//!
//! Model: each row, or each of several columns, is the next interval; or each row says when its interval begins. Counts
//! that are fractions, or become fractions when scaled, are rounded so that their sum is kept.
//! Not modelled: what is not in [`super::recorded`].
//! Units: nanoseconds.
//! Validated by: hand-written recordings (unit tests of [`super::recorded`]), the published traces of `scenarios/`.

use super::arrivals::{ArrivalPlan, Spread};
use super::recorded::{Heard, Pace, Part, load, moment, zero};
use crate::kernel::Duration;
use crate::kernel::number::{self, fit};
use crate::model::parts::clock::Clock;
use crate::scenario::calendar::Zone;
use crate::scenario::data::keep;
use crate::scenario::dates::{Nanos, parse_date};
use crate::scenario::recording::{Fault, Wanted, read_numbers};
use crate::scenario::sheet::{Cell, Sheet};
use crate::scenario::{Block, Code, Node, units};
use std::sync::Arc;

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
    let interval_ns = number::whole((interval.0 as f64 / pace.speed).round()).max(1);
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
    Ok(whole(values, scale))
}

/// Whole counts: what rounding one leaves goes to the next, so that their sum is that of all, to the nearest.
fn whole(values: &[f64], scale: f64) -> Arc<[u32]> {
    let mut rest = 0.0;
    let next = |count: &f64| {
        rest += count * scale;
        let whole = (rest + 0.5_f64).floor().max(0.0);
        rest -= whole;
        number::whole_u32(whole)
    };
    values.iter().map(next).collect()
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
    let place = |field| moment(block, field, false).map(|at| fit(fit::<u64, _>(at).div_ceil(interval.0)));
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
    let part = Part::read(block, &trace, zero(clock, block, &trace));
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
            units::show_duration(Duration(fit(stray - first)))
        );
        return Err(Fault::new(
            "interval",
            message,
            "give the interval that the file was written with",
        ));
    }
    let length: u64 = fit((last - first) / width + 1);
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
        let mut sums = vec![0.0; fit(length)];
        for (at, value) in rows.iter().zip(&trace.values[0][low + early..high]) {
            sums[fit::<usize, _>((at - first) / width)] += value;
        }
        to_counts(block, &sums)
    });
    let counts = counts.as_ref().clone()?;
    Ok(Counts {
        begin: fit(first - part.zero),
        rows: counts.iter().map(|count| u64::from(*count)).sum(),
        each: counts,
        early: number::whole(trace.values[0][low..low + early].iter().sum::<f64>()),
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
    let (mut sums, mut numbers) = (vec![0.0; high - low + 1], sheet.numbers());
    sheet.rows(|line, record| {
        for (sum, text) in sums.iter_mut().zip(record.iter().skip(low)) {
            match numbers.number(line, text) {
                Cell::Blank => {}
                Cell::Value(v) => *sum += v,
                Cell::Bad => return Err(sheet.bad(line, text, "a number", "columns of intervals hold counts")),
            }
        }
        Ok(())
    })?;
    numbers.end()?;
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
