//! A month of the calendar: how long it is, and how often something with an expression comes in it.
//!
//! Validated by: the unit tests below; `tests/month.rs`, against whole simulated months.

use super::calendar::{Beginning, Zone};
use super::cron::Cron;
use super::{Block, Code};
use crate::kernel::Duration;
use crate::kernel::number::fit;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

/// A month of the calendar, on the clocks of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarMonth {
    first: Date,
    begin: Beginning,
    length: Duration,
}

const NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl CalendarMonth {
    /// Reads `month` of a block, on the clocks of its `time_zone`; reports one that does not exist.
    pub fn read(block: &Block) -> Option<Self> {
        let text = block.text_opt("month")?;
        let zone = Zone::read(block, "time_zone");
        let month = Self::parse(text, &zone);
        if month.is_none() {
            let message = format!("`{text}` is not a month of the calendar");
            let help = "write its year and its number, such as `2026-10`";
            block.error(Code::BadQuantity, block.span_of("month"), message, help);
        }
        month
    }

    /// The month `2026-10`, on the clocks of a zone.
    pub fn parse(text: &str, zone: &Zone) -> Option<Self> {
        let (year, number) = text.split_once('-')?;
        if year.len() != 4 || number.len() != 2 {
            return None;
        }
        let first = Date::new(year.parse().ok()?, number.parse().ok()?, 1).ok()?;
        let next = first.checked_add(1.month()).ok()?;
        let at = |date: Date| zone.0.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible().ok();
        let (begin, end) = (Beginning(at(first)?), Beginning(at(next)?));
        Some(Self {
            first,
            begin,
            length: Duration(fit(end.nanos().checked_sub(begin.nanos())?)),
        })
    }

    /// How long it is, with the hour that clocks skip or repeat.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// When it begins.
    pub fn begin(&self) -> Beginning {
        self.begin
    }

    /// How often a cron expression, on the clocks of a zone of its own, means an instant of it.
    pub fn firings(&self, cron: &Cron, zone: &Zone) -> u64 {
        let instants = self.begin.occurrences(cron, zone, self.length);
        instants.map_or(0, |instants| fit(instants.len()))
    }

    /// What it is, in words: `October 2026 (744 h, 22 workdays)`.
    pub fn in_words(&self) -> String {
        let is_workday = |date: &Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let days = self
            .first
            .series(1.day())
            .take_while(|date| date.month() == self.first.month());
        let workdays = days.filter(is_workday).count();
        let name = NAMES[usize::from(self.first.month().unsigned_abs()) - 1];
        let hours = self.length.as_secs_f64() / 3600.0;
        format!("{name} {} ({hours} h, {workdays} workdays)", self.first.year())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZoneDatabase;

    fn month(text: &str, zone: &str) -> Option<CalendarMonth> {
        CalendarMonth::parse(text, &Zone(TimeZoneDatabase::bundled().get(zone).unwrap()))
    }

    #[test]
    fn months_have_their_own_lengths_and_workdays() {
        let words = |text, zone| month(text, zone).expect("a month").in_words();
        assert_eq!(words("2026-02", "UTC"), "February 2026 (672 h, 20 workdays)");
        assert_eq!(words("2028-02", "UTC"), "February 2028 (696 h, 21 workdays)");
        assert_eq!(words("2025-10", "UTC"), "October 2025 (744 h, 23 workdays)");
        // Clocks in Berlin go forward in March and back in October; on Lord Howe they move by half an hour.
        assert_eq!(words("2026-03", "Europe/Berlin"), "March 2026 (743 h, 22 workdays)");
        assert_eq!(words("2026-10", "Europe/Berlin"), "October 2026 (745 h, 22 workdays)");
        assert_eq!(
            words("2026-04", "Australia/Lord_Howe"),
            "April 2026 (720.5 h, 22 workdays)"
        );
        for bad in ["2026-13", "2026-00", "2026-1", "26-10", "2026-10-01", "october", "2026"] {
            assert_eq!(month(bad, "UTC"), None, "{bad}");
        }
    }

    #[test]
    fn a_month_has_the_firings_of_its_own_days() {
        let firings = |text: &str, zone: &str, cron: &str| {
            let own = Zone(TimeZoneDatabase::bundled().get(zone).unwrap());
            month(text, zone)
                .expect("a month")
                .firings(&Cron::parse(cron).unwrap(), &own)
        };
        assert_eq!(firings("2026-02", "UTC", "0 3 * * *"), 28);
        assert_eq!(firings("2025-10", "UTC", "0 7 * * MON-FRI"), 23);
        // Half past two does not exist on one day of March in Berlin, which has an hour less.
        assert_eq!(firings("2026-03", "Europe/Berlin", "30 2 * * *"), 30);
        assert_eq!(firings("2026-03", "Europe/Berlin", "0 * * * *"), 743);
        assert_eq!(firings("2026-10", "Europe/Berlin", "0 * * * *"), 745);
    }
}
