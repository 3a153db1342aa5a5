//! Traffic that follows the hours of the day and the days of the week, on the clocks of a time zone.
//!
//! Model: a Poisson process whose rate is constant within each hour that clocks show; the run's `start` says where in
//! the week it begins. Where clocks go forward an hour is left out, where they go back one comes twice.
//! Units: nanoseconds since Monday midnight.
//! Validated by: rates of hours over changes of clocks (unit tests).

use super::arrivals::{Piece, RateCurve};
use crate::kernel::Duration;
use crate::model::parts::clock::Clock;
use crate::scenario::calendar::Zone;
use crate::scenario::{Block, Code, Field, Kind, Range, Table, read_number};

const HOUR: u64 = 3_600_000_000_000;
const WEEK: u64 = 168 * HOUR;

/// The fields of diurnal arrivals.
pub const DIURNAL: Table = Table {
    name: "diurnal arrivals",
    doc: "Poisson traffic that follows the hours of the day and the days of the week.",
    fields: &[
        Field::required("mean", Kind::Rate, "Mean rate over a whole week."),
        Field::optional(
            "hours",
            Kind::List(&Kind::Number),
            "24 weights, from midnight on; a work-day shape if absent.",
        ),
        Field::optional(
            "weekdays",
            Kind::List(&Kind::Number),
            "Seven weights, from Monday on; all alike if absent.",
        ),
        Field::default(
            "time_zone",
            Kind::Text,
            "UTC",
            "The zone whose clocks the hours are on, such as `Europe/Berlin`; daylight saving is kept.",
        ),
        Field::optional(
            "start",
            Kind::Duration,
            "Time since Monday midnight at which the run starts; as the run's `start` says if absent.",
        ),
    ],
};

/// A work day: quiet at night, a peak before noon and a second one after it (shape of the public ELB and Azure traces:
/// about a factor of two around a base of half the mean).
const WORK_DAY: [f64; 24] = [
    0.55, 0.5, 0.48, 0.47, 0.48, 0.52, 0.62, 0.8, 1.05, 1.3, 1.42, 1.45, 1.4, 1.42, 1.45, 1.42, 1.35, 1.25, 1.15, 1.1,
    1.05, 0.95, 0.8, 0.66,
];

/// Reads diurnal arrivals.
pub fn read_diurnal(block: &Block, clock: &Clock) -> RateCurve {
    let cx = block.context();
    let weights = |field: &str, default: &[f64]| {
        let nodes = block.list(field);
        if nodes.is_empty() {
            return default.to_vec();
        }
        if nodes.len() != default.len() {
            let message = format!("`{field}` needs {} weights, found {}", default.len(), nodes.len());
            cx.error(
                Code::OutOfRange,
                block.span_of(field),
                message,
                "one for each, in order",
            );
            return default.to_vec();
        }
        nodes
            .iter()
            .map(|node| read_number(cx, node, Range::AtLeast(0.0)))
            .collect()
    };
    let (hours, days) = (weights("hours", &WORK_DAY), weights("weekdays", &[1.0; 7]));
    let total: f64 = hours.iter().sum::<f64>() * days.iter().sum::<f64>();
    if total <= 0.0 {
        let message = "the weights add up to nothing";
        let help = "at least one hour and one weekday need a weight above zero";
        block.error(Code::OutOfRange, block.span(), message, help);
    }
    let unit = block.rate("mean") / 1e9 * 168.0 / total.max(f64::MIN_POSITIVE);
    let pieces: Vec<Piece> = (0..168)
        .map(|hour| {
            let rate = unit * hours[hour % 24] * days[hour / 24];
            Piece {
                length_ns: HOUR,
                from: rate,
                to: rate,
            }
        })
        .collect();
    if let Some(start) = block.duration_opt("start") {
        return from(&pieces, start.0 % WEEK);
    }
    let zone = Zone::read(block, "time_zone");
    // Pilots and warm-ups may make a run longer than it is written.
    let horizon = Duration(clock.horizon.0.saturating_mul(2).saturating_add(WEEK));
    match clock.start.clocks(&zone, horizon).as_slice() {
        [(_, shown)] => from(&pieces, *shown),
        clocks => over_changes(&pieces, clocks, horizon),
    }
}

/// The week over and over, from so long after Monday midnight on.
fn from(week: &[Piece], start: u64) -> RateCurve {
    let (mut pieces, period) = (week.to_vec(), period(week));
    pieces.rotate_left((start / HOUR) as usize);
    if !start.is_multiple_of(HOUR) {
        let first = pieces[0];
        pieces[0].length_ns = HOUR - start % HOUR;
        pieces.push(Piece {
            length_ns: start % HOUR,
            ..first
        });
    }
    RateCurve::new(pieces, true).with_period(period)
}

/// After how long a week comes again: one of equal days after a day.
fn period(week: &[Piece]) -> Duration {
    let is_every_day = week.iter().zip(week.iter().cycle().skip(24)).all(|(a, b)| a == b);
    Duration(if is_every_day { 24 * HOUR } else { WEEK })
}

/// The same written out up to an end, where clocks are changed on the way: (when, what they show from then on).
fn over_changes(week: &[Piece], clocks: &[(Duration, u64)], end: Duration) -> RateCurve {
    let mut pieces = Vec::new();
    for (i, (since, shown)) in clocks.iter().enumerate() {
        let until = clocks.get(i + 1).map_or(end, |next| next.0);
        let (mut at, mut shown) = (since.0, *shown);
        while at < until.0 {
            let length_ns = (HOUR - shown % HOUR).min(until.0 - at);
            let piece = week[(shown / HOUR) as usize];
            pieces.push(Piece { length_ns, ..piece });
            at += length_ns;
            shown = (shown + length_ns) % WEEK;
        }
    }
    RateCurve::new(pieces, false).with_period(period(week))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_left_out_where_clocks_go_forward() {
        // A week whose rate in hour h is h (per ns); clocks go from 1:59 to 3:00 after two hours, or back to midnight.
        let piece = |hour: u64| Piece {
            length_ns: HOUR,
            from: hour as f64,
            to: hour as f64,
        };
        let week: Vec<Piece> = (0..168).map(piece).collect();
        let rates = |clocks: &[(u64, u64)], hours: u64| -> Vec<(u64, f64)> {
            let clocks: Vec<_> = clocks.iter().map(|(at, shown)| (Duration(*at), *shown)).collect();
            let curve = over_changes(&week, &clocks, Duration(hours * HOUR));
            let pieces = &curve.pieces()[..curve.pieces().len() - 1];
            pieces
                .iter()
                .map(|piece| (piece.length_ns * 2 / HOUR, piece.from))
                .collect()
        };
        let forward = rates(&[(0, 0), (2 * HOUR, 3 * HOUR)], 4);
        assert_eq!(forward, [(2, 0.0), (2, 1.0), (2, 3.0), (2, 4.0)]);
        let back = rates(&[(0, 167 * HOUR + HOUR / 2), (HOUR, 0)], 2);
        assert_eq!(back, [(1, 167.0), (1, 0.0), (2, 0.0)]);
    }
}
