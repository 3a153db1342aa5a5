//! Scheduled changes of a number of instances, by time since the start, by date, or by cron expressions.
//!
//! Sources: Application Auto Scaling User Guide, "Scheduled scaling" (`at`, `cron`, time zones).
//! Validated by: instants over a change of clocks (unit tests).

use super::fields::INSTANCES_MAX;
use crate::kernel::{Duration, Instant};
use crate::scenario::calendar::{Beginning, Zone};
use crate::scenario::cron::Cron;
use crate::scenario::month::CalendarMonth;
use crate::scenario::{Block, Code, Field, Kind, Range, Table, read_duration};

/// When runs begin, and how long they last.
pub type When = (Beginning, Duration);

/// The fields of a change.
pub const CHANGE: Table = Table {
    name: "scheduled change",
    doc: "From this instant on so many instances are provisioned. Exactly one of `at` and `cron` says when.",
    fields: &[
        Field::optional(
            "at",
            Kind::Any,
            "When it is asked for (preparation comes on top): a time since the start of the run, or a date such as \
             `2026-01-05T08:00`.",
        ),
        Field::optional(
            "cron",
            Kind::Text,
            "The same each time that a cron expression says, such as `45 8 * * MON-FRI`.",
        ),
        Field::required("count", Kind::Count, "How many from then on.").within(0.0, INSTANCES_MAX),
    ],
};

/// Changes of which all come by cron expressions: a month has as many hours of each number as its calendar says.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    changes: Vec<(Cron, u64)>,
    zone: Zone,
    /// How many there are before the first change.
    count: u64,
    start: Beginning,
}

impl Dated {
    /// How many there are on average in a month, or in the year from the start of the run.
    pub fn mean(&self, month: Option<&CalendarMonth>) -> f64 {
        /// What was changed before a month begins was changed within so long, or never.
        const BEFORE: Duration = Duration::from_secs(32 * 86_400);
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        let (begin, length) = month.map_or((self.start, YEAR), |month| (month.begin(), month.length()));
        let earlier = begin.nanos() - BEFORE.0.cast_signed();
        let Some(from) = Beginning::at(earlier) else {
            return 0.0;
        };
        let end = BEFORE + length;
        let instants = |(cron, count): &(Cron, u64)| {
            let found = from.occurrences(cron, &self.zone, end).unwrap_or_default();
            found.into_iter().map(|at| (at, *count)).collect::<Vec<_>>()
        };
        let mut changes: Vec<(Duration, u64)> = self.changes.iter().flat_map(instants).collect();
        changes.sort_by_key(|change| change.0);
        let (mut count, mut since, mut sum) = (self.count, BEFORE, 0.0);
        for (at, next) in changes.into_iter().chain([(end, 0)]) {
            sum += count as f64 * at.0.saturating_sub(since.0) as f64;
            (count, since) = (next, since.max(at));
        }
        sum / length.0 as f64
    }
}

/// Reads the changes under `schedule`, earliest first, in runs that begin then and last so long; and what they are by
/// the calendar, if all of them come by it.
pub fn read_changes(block: &Block, (start, length): When) -> (Vec<(Instant, u64)>, Option<Dated>) {
    let cx = block.context();
    let zone = Zone::read(block, "time_zone");
    let (mut changes, mut dated, mut crons) = (Vec::new(), false, Vec::new());
    let nodes = block.list("schedule");
    for node in nodes {
        let change = Block::new(cx, node, &CHANGE);
        let count = change.count("count");
        let instants = match (change.node("at"), change.text_opt("cron")) {
            (Some(at), None) if is_date(at.scalar().unwrap_or("")) => {
                dated = true;
                start.read_instant(cx, at, &zone, length).into_iter().collect()
            }
            (Some(at), None) => vec![read_duration(cx, at, Range::AtLeast(0.0))],
            (None, Some(text)) => {
                dated = true;
                let (cron, instants) = by_cron(&change, text, &zone, (start, length));
                crons.extend(cron.map(|cron| (cron, count)));
                instants
            }
            (at, _) => {
                let (code, message) = match at {
                    Some(_) => (Code::Conflict, "`at` and `cron` both say when"),
                    None => (Code::MissingKey, "the change does not say when"),
                };
                let help = "write one of `at: 8 h`, `at: 2026-01-05T08:00` and `cron: 0 8 * * MON-FRI`";
                change.error(code, change.span(), message, help);
                Vec::new()
            }
        };
        changes.extend(instants.into_iter().map(|at| (Instant::ZERO + at, count)));
    }
    if dated {
        // Those of cron expressions take turns. Of two at one instant the later written counts.
        changes.sort_by_key(|change| change.0);
        if block.has("repeat") {
            let message = "dates do not come again: `repeat` is for changes by time since the start";
            let help = "leave it out, or use `cron` for what comes again";
            block.error(Code::Conflict, block.span_of("repeat"), message, help);
        }
    } else if !changes.is_sorted_by(|a, b| a.0 < b.0) {
        let message = "the instants of the schedule must ascend";
        block.error(
            Code::OutOfRange,
            block.span_of("schedule"),
            message,
            "sort the entries by `at`",
        );
    }
    let by_calendar = !crons.is_empty() && crons.len() == nodes.len();
    let by_calendar = by_calendar.then(|| Dated {
        changes: crons,
        zone,
        count: block.count("count"),
        start,
    });
    (changes, by_calendar)
}

/// Whether a text is meant as a date: durations have no dash, and dates no unit.
fn is_date(text: &str) -> bool {
    text.starts_with("at(")
        || text
            .get(1..)
            .is_some_and(|rest| rest.contains('-') && !rest.contains(' '))
}

fn by_cron(change: &Block, text: &str, zone: &Zone, when: When) -> (Option<Cron>, Vec<Duration>) {
    let span = change.span_of("cron");
    match Cron::parse(text) {
        Err(message) => {
            let help = "write `minute hour day month weekday`, or `cron(minute hour day month weekday year)`";
            change.error(Code::BadQuantity, span, message, help);
            (None, Vec::new())
        }
        Ok(cron) => {
            let instants = when.0.occurrences(&cron, zone, when.1).unwrap_or_else(|| {
                let message = "it changes the number more than a million times in this run";
                change.error(Code::TooMany, span, message, "make the run shorter");
                Vec::new()
            });
            (Some(cron), instants)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mechanism::function::fields::PROVISIONED;
    use crate::scenario::{Catalog, Context, Diagnostics, Names, NoFiles, Node, Sources, parse};

    fn hours(start: &str, text: &str) -> (Vec<(u64, u64)>, String) {
        let (mut sources, diagnostics, names) = (Sources::new(), Diagnostics::new(), Names::default());
        let file = sources.add("test.yaml", text);
        let root: Node = parse(&sources, file, &diagnostics).expect("YAML");
        let cx = Context {
            diagnostics: &diagnostics,
            names: &names,
            files: &NoFiles,
            catalog: &Catalog::default(),
        };
        let start = Beginning::parse(start).expect("a date");
        let block = Block::new(&cx, &root, &PROVISIONED);
        let (changes, _) = read_changes(&block, (start, Duration::from_secs(3 * 86_400)));
        let changes = changes.iter().map(|(at, count)| (at.0 / 3_600_000_000_000, *count));
        (changes.collect(), diagnostics.render(&sources, false))
    }

    #[test]
    fn changes_go_by_the_clocks_of_their_zone() {
        // Clocks in Berlin go forward on 2026-03-29 at 1:00 UTC: 8:00 is 7:00 UTC before, 6:00 UTC after.
        let text = "count: 0\ntime_zone: Europe/Berlin\nschedule:\n- { cron: 0 8 * * *, count: 9 }\n\
                    - { cron: 0 20 * * *, count: 1 }\n- { at: 2026-03-30T00:00, count: 4 }\n";
        let (changes, said) = hours("2026-03-28", text);
        assert_eq!(said.trim(), "");
        assert_eq!(changes, [(7, 9), (19, 1), (30, 9), (42, 1), (46, 4), (54, 9), (66, 1)]);
        let (changes, _) = hours(
            "2026-03-28",
            "count: 0\nschedule:\n- { at: 2 h, count: 9 }\n- { at: 3 h, count: 1 }\n",
        );
        assert_eq!(changes, [(2, 9), (3, 1)]);
    }

    #[test]
    fn what_does_not_say_when_is_an_error() {
        let said = |schedule: &str| hours("2026-03-28", &format!("count: 0\n{schedule}")).1;
        assert!(said("schedule: [{ count: 1 }]").contains("does not say when"));
        assert!(said("schedule: [{ count: 1, at: 3 h }, { count: 1, at: 2 h }]").contains("must ascend"));
        assert!(said("repeat: 24 h\nschedule: [{ count: 1, cron: 0 8 * * * }]").contains("dates do not come again"));
        assert!(said("schedule: [{ count: 1, cron: 0 25 * * * }]").contains("error"));
    }
}
