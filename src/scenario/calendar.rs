//! Dates and time zones: which instants of a run a date, a time of day or a cron expression means.
//!
//! The zone data are those that the binary carries, so that the same scenario gives the same instants on every machine.
//! Where clocks go forward, a time that does not exist is left out; where they go back, a time that comes twice counts
//! once, the first time, but for expressions that run in every hour, which go on running. Sources: Amazon `EventBridge`
//! Scheduler User Guide, "Daylight savings time on `EventBridge` Scheduler" (from memory); cron(8) for every hour.

use super::cron::Cron;
use super::{Block, Code, Context, Node, Span, nearest, read_text};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

/// The most instants that one expression may mean within a run.
const INSTANTS_MAX: usize = 1_000_000;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(pub(super) TimeZone);

/// The instant at which runs begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning(pub(super) Timestamp);

impl Default for Beginning {
    fn default() -> Self {
        Self(Timestamp::UNIX_EPOCH)
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone that a field of a block names; reports one that does not exist.
    pub fn read(block: &Block, field: &str) -> Self {
        let name = block.text(field);
        let zones = TimeZoneDatabase::bundled();
        let Ok(zone) = zones.get(name) else {
            let names: Vec<String> = zones.available().map(|name| name.to_string()).collect();
            let help = match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "zones have names such as `UTC`, `Europe/Berlin` or `America/New_York`".to_owned(),
            };
            let message = format!("there is no time zone `{name}`");
            block.error(Code::UnknownChoice, block.span_of(field), message, help);
            return Self::UTC;
        };
        Self(zone)
    }

    /// The instant (ns since 1970) at which clocks show a time, given as ns since 1970 on them: the first if it comes
    /// twice, an hour later if it is left out.
    pub fn instant_of(&self, local: i64) -> Option<i64> {
        if self.0 == TimeZone::UTC {
            return Some(local);
        }
        let shown = TimeZone::UTC.to_datetime(Timestamp::from_nanosecond(i128::from(local)).ok()?);
        let instant = self.0.to_ambiguous_timestamp(shown).compatible().ok()?;
        i64::try_from(instant.as_nanosecond()).ok()
    }

    /// What clocks show at an instant (ns since 1970), as ns since 1970 on them, and the next instant at which they
    /// are changed.
    fn shown_at(&self, instant: i64) -> Option<(i64, Option<i64>)> {
        let at = Timestamp::from_nanosecond(i128::from(instant)).ok()?;
        let offset = i64::from(self.0.to_offset(at).seconds()) * 1_000_000_000;
        let change = self.0.following(at).next();
        let change = change.and_then(|change| i64::try_from(change.timestamp().as_nanosecond()).ok());
        Some((instant + offset, change))
    }
}

/// Reads a date, with a time or without, in a zone unless it says its own offset; `at(...)` around it is allowed.
/// Reports what is none.
fn read_timestamp(cx: &Context, node: &Node, zone: &Zone) -> Option<Timestamp> {
    let text = read_text(cx, node)?;
    let bare = text
        .strip_prefix("at(")
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(text);
    if let Some(instant) = timestamp(bare) {
        return Some(instant);
    }
    let Ok(local) = bare.parse::<DateTime>() else {
        complain(cx, node.span, text);
        return None;
    };
    let instants = instants_of(local, zone);
    if instants.is_empty() {
        let message = format!("`{text}` does not exist in this time zone: clocks go forward then");
        let help = "choose a time an hour earlier or later";
        cx.error(Code::OutOfRange, node.span, message, help);
    }
    instants.first().copied()
}

/// An instant that says its own offset from UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn complain(cx: &Context, span: Span, text: &str) {
    let message = format!("`{text}` is not a date and time");
    let help = "write `2026-01-31`, `2026-01-31T03:00` or `2026-01-31T03:00:00+01:00`";
    cx.error(Code::BadQuantity, span, message, help);
}

/// The instants at which clocks show a time: none, one or two.
pub(super) fn instants_of(local: DateTime, zone: &Zone) -> Vec<Timestamp> {
    let at = |offset: Offset| offset.to_timestamp(local).ok();
    let offsets = match zone.0.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => [at(offset), None],
        AmbiguousOffset::Gap { .. } => [None, None],
        AmbiguousOffset::Fold { before, after } => [at(before), at(after)],
    };
    offsets.into_iter().flatten().collect()
}

impl Beginning {
    /// Reads when runs begin from the field `start` of a block: a date, in UTC unless it says otherwise.
    pub fn read(block: &Block) -> Self {
        let text = block.text("start");
        Self::parse(text).unwrap_or_else(|| {
            complain(block.context(), block.span_of("start"), text);
            Self::default()
        })
    }

    /// Reads a date, in UTC unless it says otherwise.
    pub fn parse(text: &str) -> Option<Self> {
        let local = || instants_of(text.parse().ok()?, &Zone::UTC).first().copied();
        timestamp(text).or_else(local).map(Self)
    }

    /// At an instant, in nanoseconds since 1970.
    pub fn at(nanos: i64) -> Option<Self> {
        Timestamp::from_nanosecond(i128::from(nanos)).ok().map(Self)
    }

    /// The instant, in nanoseconds since 1970.
    pub fn nanos(self) -> i64 {
        i64::try_from(self.0.as_nanosecond()).unwrap_or(i64::MAX)
    }

    /// What clocks in a zone show from the beginning on: (since the beginning, ns since Monday midnight on the clocks),
    /// once for the beginning and again at each instant within `length` at which they are changed.
    pub fn clocks(self, zone: &Zone, length: Duration) -> Vec<(Duration, u64)> {
        /// The first of January 1970 was a Thursday.
        const SINCE_MONDAY: i64 = 3 * 86_400_000_000_000;
        const WEEK: i64 = 7 * 86_400_000_000_000;
        let (mut found, mut at) = (Vec::new(), self.nanos());
        while let Some((shown, change)) = zone.shown_at(at) {
            let since = Duration(fit(at - self.nanos()));
            found.push((since, (shown + SINCE_MONDAY).rem_euclid(WEEK) as u64));
            match change {
                Some(next) if next > at && (next - self.nanos()).cast_unsigned() < length.0 => at = next,
                _ => break,
            }
        }
        found
    }

    /// How long after the beginning an instant is; `None` before it.
    fn until(self, instant: Timestamp) -> Option<Duration> {
        let ns = instant.as_nanosecond() - self.0.as_nanosecond();
        u64::try_from(ns).ok().map(Duration)
    }

    /// Reads a date and time of a run of this length as the time since its beginning. Reports one outside the run.
    pub fn read_instant(self, cx: &Context, node: &Node, zone: &Zone, length: Duration) -> Option<Duration> {
        let instant = read_timestamp(cx, node, zone)?;
        let since = self.until(instant).filter(|since| *since < length);
        if since.is_none() {
            let message = format!("this is outside the run, which begins at {}", self.0);
            let help = "set the run's `start` and `length` so that it lies within: `run: { start: 2026-01-31 }`";
            cx.warn(Code::NoEffect, node.span, message, help);
        }
        since
    }

    /// How often a cron expression means an instant in each of the twelve months from the beginning's day on.
    pub fn firings_by_month(self, cron: &Cron, zone: &Zone) -> [u64; 12] {
        let first = zone.0.to_datetime(self.0).date();
        let times: Vec<(i8, i8)> = cron.times().collect();
        let on = |date: Date| -> u64 {
            let at = |date: Date| zone.0.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible();
            let offset = |at: Timestamp| zone.0.to_offset(at);
            let next = date.tomorrow().ok().and_then(|next| at(next).ok());
            // Only days on which clocks are changed have times that do not exist, or come twice.
            if at(date).ok().map(offset) == next.map(offset) {
                return fit(times.len());
            }
            let both = if cron.every_hour { 2 } else { 1 };
            let instants = |time: &(i8, i8)| instants_of(date.at(time.0, time.1, 0, 0), zone).len().min(both);
            fit(times.iter().map(instants).sum::<usize>())
        };
        let of_month = |month: i64| -> u64 {
            let begin = |months: i64| first.checked_add(months.months());
            let (Ok(begin), Ok(end)) = (begin(month), begin(month + 1)) else {
                return 0;
            };
            let days = begin.series(1.day()).take_while(|date| *date < end);
            days.filter(|date| cron.fits(*date)).map(on).sum()
        };
        std::array::from_fn(|month| of_month(fit(month)))
    }

    /// The instants of a run of this length that a cron expression means, ascending, as times since its beginning;
    /// `None` if there are too many.
    pub fn occurrences(self, cron: &Cron, zone: &Zone, length: Duration) -> Option<Vec<Duration>> {
        let mut found = Vec::new();
        // Zones are at most a day away from UTC.
        let mut date = TimeZone::UTC.to_datetime(self.0).date().checked_sub(1.day()).ok()?;
        let days = length.0 / 86_400_000_000_000 + 3;
        for _ in 0..=days {
            for (hour, minute) in cron.times().filter(|_| cron.fits(date)) {
                let both = if cron.every_hour { 2 } else { 1 };
                let instants = instants_of(date.at(hour, minute, 0, 0), zone).into_iter().take(both);
                found.extend(instants.filter_map(|at| self.until(at)).filter(|since| *since < length));
            }
            if found.len() > INSTANTS_MAX {
                return None;
            }
            date = date.tomorrow().ok()?;
        }
        found.sort_unstable();
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hours of UTC since the start at which an expression runs in a zone.
    fn hours(start: &str, cron: &str, zone: &str, days: u64) -> Vec<f64> {
        let start = Beginning(start.parse().unwrap());
        let zone = Zone(TimeZoneDatabase::bundled().get(zone).unwrap());
        let cron = Cron::parse(cron).unwrap();
        let found = start
            .occurrences(&cron, &zone, Duration::from_secs(days * 86_400))
            .unwrap();
        found.iter().map(|since| since.as_secs_f64() / 3600.0).collect()
    }

    #[test]
    fn a_daily_job_keeps_its_time_of_day_over_the_changes() {
        // Berlin: 3:00 is 2:00 UTC in winter and 1:00 UTC in summer. Clocks change on 2026-03-29 and 2026-10-25.
        assert_eq!(
            hours("2026-03-27T00:00Z", "0 3 * * *", "Europe/Berlin", 4),
            [2.0, 26.0, 49.0, 73.0]
        );
        assert_eq!(
            hours("2026-10-24T00:00Z", "0 3 * * *", "Europe/Berlin", 3),
            [1.0, 26.0, 50.0]
        );
        assert_eq!(hours("2026-03-27T00:00Z", "0 3 * * *", "UTC", 2), [3.0, 27.0]);
    }

    #[test]
    fn a_year_has_as_many_firings_as_a_run_of_a_year() {
        // Twelve months from a Monday: 365 days, of which 261 are workdays; a leap year has a day more.
        let firings = |start: &str, cron: &str, zone: &str| {
            let beginning = Beginning(start.parse().unwrap());
            let shown = Zone(TimeZoneDatabase::bundled().get(zone).unwrap());
            let cron = Cron::parse(cron).unwrap();
            beginning.firings_by_month(&cron, &shown).iter().sum::<u64>()
        };
        assert_eq!(firings("2026-01-05T00:00Z", "0 7 * * *", "UTC"), 365);
        assert_eq!(firings("2026-01-05T09:00Z", "0 7 * * MON-FRI", "UTC"), 261);
        assert_eq!(firings("2028-01-01T00:00Z", "0 7 * * *", "UTC"), 366);
        assert_eq!(firings("2026-01-05T00:00Z", "cron(0 7 L * ? *)", "UTC"), 12);
        assert_eq!(firings("2026-01-05T00:00Z", "cron(0 7 * * ? 2030)", "UTC"), 0);
        // 2:30 does not exist on one day in Berlin and comes twice on another, where it counts once.
        for (cron, expected) in [
            ("30 2 * * *", 364),
            ("30 * * * *", 24 * 365),
            ("*/7 1-3 * * *", 365 * 27 - 9),
        ] {
            let of_a_run = hours("2026-01-05T00:00Z", cron, "Europe/Berlin", 365).len() as u64;
            assert_eq!(firings("2026-01-05T00:00Z", cron, "Europe/Berlin"), expected, "{cron}");
            assert_eq!(of_a_run, expected, "{cron}");
        }
    }

    #[test]
    fn a_time_that_does_not_exist_is_left_out_and_one_that_comes_twice_counts_once() {
        // 2:30 on 2026-03-29 does not exist in Berlin; on 2026-10-25 it comes at 0:30 and at 1:30 UTC.
        assert_eq!(
            hours("2026-03-28T00:00Z", "30 2 * * *", "Europe/Berlin", 3),
            [1.5, 48.5]
        );
        assert_eq!(hours("2026-10-25T00:00Z", "30 2 * * *", "Europe/Berlin", 1), [0.5]);
        // What runs every hour runs every hour.
        assert_eq!(hours("2026-10-25T00:00Z", "0 * * * *", "Europe/Berlin", 1).len(), 24);
        assert_eq!(hours("2026-03-29T00:00Z", "0 * * * *", "Europe/Berlin", 1).len(), 24);
        // Half-hour zones, and zones a day ahead.
        assert_eq!(hours("2026-01-05T00:00Z", "0 9 * * *", "Asia/Kolkata", 1), [3.5]);
        assert_eq!(hours("2026-01-05T00:00Z", "0 9 * * *", "Pacific/Kiritimati", 1), [19.0]);
    }
}
