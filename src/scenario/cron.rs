//! Cron expressions: the classic five fields, and the six of Amazon `EventBridge` with `?`, `L`, `W` and `#`.
//!
//! Sources: Amazon `EventBridge` User Guide, "Cron expressions reference" (fields, wildcards, one of the two day fields
//! is `?`); crontab(5) of Vixie cron (if both day fields are restricted, either of them fits; Sunday is 0 or 7).

use crate::kernel::number::fit;
use jiff::civil::{Date, Weekday};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When a job runs, in the time of its zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: u64,
    hours: u64,
    /// Whether it runs in every hour of the day.
    pub every_hour: bool,
    days: Days,
    months: u64,
    weekdays: Weekdays,
    years: Vec<(u16, u16)>,
    /// Whether a day has to fit only one of the two day fields (classic, both restricted).
    either: bool,
}

/// Days of the month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Days {
    mask: u64,
    last: bool,
    last_weekday: bool,
    /// The weekdays nearest to these days.
    nearest: u64,
}

/// Days of the week, Sunday first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Weekdays {
    mask: u64,
    /// The last such day of the month.
    last: u64,
    /// (day, which of the month).
    nth: Vec<(u8, u8)>,
}

impl Cron {
    /// Reads an expression of five or six fields, bare or as `cron(...)`. The error is a sentence about what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = text
            .strip_prefix("cron(")
            .and_then(|rest| rest.strip_suffix(')'))
            .unwrap_or(text);
        let fields: Vec<&str> = bare.split_whitespace().collect();
        match fields[..] {
            [minutes, hours, days, months, weekdays] => Self::classic(minutes, hours, days, months, weekdays),
            [minutes, hours, days, months, weekdays, years] => {
                Self::eventbridge([minutes, hours, days, months, weekdays, years])
            }
            _ => Err(format!(
                "a cron expression has five or six fields, this has {}",
                fields.len()
            )),
        }
    }

    fn classic(minutes: &str, hours: &str, days: &str, months: &str, weekdays: &str) -> Result<Self, String> {
        let week = set("day of the week", weekdays, 0, 7, &WEEKDAYS)?;
        let free = |field: &str| field.starts_with('*');
        Ok(Self {
            minutes: set("minute", minutes, 0, 59, &[])?,
            hours: set("hour", hours, 0, 23, &[])?,
            every_hour: hours == "*",
            days: Days {
                mask: set("day of the month", days, 1, 31, &[])?,
                ..Days::default()
            },
            months: set("month", months, 1, 12, &MONTHS)?,
            weekdays: Weekdays {
                mask: week | week >> 7,
                ..Weekdays::default()
            },
            years: Vec::new(),
            either: !free(days) && !free(weekdays),
        })
    }

    fn eventbridge([minutes, hours, days, months, weekdays, years]: [&str; 6]) -> Result<Self, String> {
        if (days == "?") == (weekdays == "?") {
            return Err("with six fields exactly one of day of the month and day of the week is `?`".to_owned());
        }
        Ok(Self {
            minutes: set("minute", minutes, 0, 59, &[])?,
            hours: set("hour", hours, 0, 23, &[])?,
            every_hour: hours == "*",
            days: Days::parse(days)?,
            months: set("month", months, 1, 12, &MONTHS)?,
            weekdays: Weekdays::parse(weekdays)?,
            years: parse_years(years)?,
            either: false,
        })
    }

    /// Whether it runs on this day at all.
    pub fn fits(&self, date: Date) -> bool {
        let year = fit(date.year());
        let in_years = self.years.is_empty() || self.years.iter().any(|(a, b)| (*a..=*b).contains(&year));
        if !in_years || self.months >> date.month() & 1 == 0 {
            return false;
        }
        let (by_day, by_weekday) = (self.days.fits(date), self.weekdays.fits(date));
        if self.either {
            by_day || by_weekday
        } else {
            by_day && by_weekday
        }
    }

    /// The times of a day at which it runs, ascending: (hour, minute).
    pub fn times(&self) -> impl Iterator<Item = (i8, i8)> + '_ {
        let hours = (0..24_i8).filter(|hour| self.hours >> hour & 1 == 1);
        hours.flat_map(|hour| {
            (0..60_i8)
                .filter(|minute| self.minutes >> minute & 1 == 1)
                .map(move |m| (hour, m))
        })
    }
}

impl Days {
    fn parse(text: &str) -> Result<Self, String> {
        let mut days = Self::default();
        for item in text.split(',') {
            match item {
                "?" => days.mask |= u64::MAX,
                "L" => days.last = true,
                "LW" => days.last_weekday = true,
                _ => match item.strip_suffix('W') {
                    Some(day) => days.nearest |= set("day of the month", day, 1, 31, &[])?,
                    None => days.mask |= set("day of the month", item, 1, 31, &[])?,
                },
            }
        }
        Ok(days)
    }

    fn fits(&self, date: Date) -> bool {
        let last = date.days_in_month();
        let on_weekday = |day: i8| nearest_weekday(date, day.clamp(1, last));
        self.mask >> date.day() & 1 == 1
            || self.last && date.day() == last
            || self.last_weekday && last_weekday(date) == date.day()
            || (1..=31).any(|day| self.nearest >> day & 1 == 1 && day <= last && on_weekday(day) == date.day())
    }
}

impl Weekdays {
    fn parse(text: &str) -> Result<Self, String> {
        let what = "day of the week";
        // Sunday is 1; masks count from 0.
        let one = |text: &str| set(what, text, 1, 7, &WEEKDAYS).map(|mask| mask >> 1);
        let mut weekdays = Self::default();
        for item in text.split(',') {
            if item == "?" {
                weekdays.mask = u64::MAX;
            } else if item == "L" {
                weekdays.mask |= 1 << 6;
            } else if let Some((day, nth)) = item.split_once('#') {
                let n = nth.parse().ok().filter(|n| (1..=5).contains(n));
                let n: u8 = n.ok_or_else(|| format!("`{nth}` is not one of the weeks 1 to 5 of a month"))?;
                let days = one(day)?;
                if days.count_ones() != 1 {
                    return Err(format!(
                        "`{item}` is more than one day: list them, such as `2#{n},3#{n}`"
                    ));
                }
                weekdays.nth.push((fit(days.trailing_zeros()), n));
            } else if let Some(day) = item.strip_suffix('L') {
                weekdays.last |= one(day)?;
            } else {
                weekdays.mask |= one(item)?;
            }
        }
        Ok(weekdays)
    }

    fn fits(&self, date: Date) -> bool {
        let day = fit(date.weekday().to_sunday_zero_offset());
        let week = fit::<u8, _>(date.day()).div_ceil(7);
        self.mask >> day & 1 == 1
            || self.last >> day & 1 == 1 && date.day() + 7 > date.days_in_month()
            || self.nth.contains(&(day, week))
    }
}

/// The weekday nearest to a day of the month of `date`, within the month.
fn nearest_weekday(date: Date, day: i8) -> i8 {
    let at = |day: i8| Date::new(date.year(), date.month(), day).map_or(Weekday::Monday, Date::weekday);
    let last = date.days_in_month();
    match at(day) {
        Weekday::Saturday if day > 1 => day - 1,
        Weekday::Saturday => day + 2,
        Weekday::Sunday if day < last => day + 1,
        Weekday::Sunday => day - 2,
        _ => day,
    }
}

/// The last weekday of the month of `date`.
fn last_weekday(date: Date) -> i8 {
    match date.last_of_month().weekday() {
        Weekday::Saturday => date.days_in_month() - 1,
        Weekday::Sunday => date.days_in_month() - 2,
        _ => date.days_in_month(),
    }
}

/// A list of numbers, names, ranges and steps, as bits.
fn set(what: &str, text: &str, low: u32, high: u32, names: &[&str]) -> Result<u64, String> {
    let number = |word: &str| {
        // Names of months and of `EventBridge`'s weekdays count from 1, those of classic weekdays from 0.
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(word));
        let value = named.map_or_else(|| word.parse().ok(), |place| Some(fit::<u32, _>(place) + low));
        value
            .filter(|value| (low..=high).contains(value))
            .ok_or_else(|| format!("`{word}` is not a {what}: it goes from {low} to {high}"))
    };
    let mut mask = 0;
    for item in text.split(',') {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => {
                let step: Option<u32> = step.parse().ok().filter(|step| *step > 0);
                (
                    base,
                    Some(step.ok_or_else(|| format!("`{item}` has no step that is a number above zero"))?),
                )
            }
            None => (item, None),
        };
        let (from, to) = match base.split_once('-') {
            _ if base == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(base)?, if step.is_some() { high } else { number(base)? }),
        };
        if from > to {
            return Err(format!("`{base}` ends before it begins"));
        }
        for value in (from..=to).step_by(step.unwrap_or(1) as usize) {
            mask |= 1_u64 << value;
        }
    }
    Ok(mask)
}

/// The years that `EventBridge` knows.
const YEARS: (u16, u16) = (1970, 2199);

/// Ranges of years; none for all.
fn parse_years(text: &str) -> Result<Vec<(u16, u16)>, String> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let year = |word: &str| {
        let year = word.parse().ok().filter(|year| (YEARS.0..=YEARS.1).contains(year));
        year.ok_or_else(|| format!("`{word}` is not a year from 1970 to 2199"))
    };
    let mut years = Vec::new();
    for item in text.split(',') {
        let (base, step) = item
            .split_once('/')
            .map_or((item, None), |(base, step)| (base, Some(step)));
        let (from, to) = match base.split_once('-') {
            _ if base == "*" => YEARS,
            Some((from, to)) => (year(from)?, year(to)?),
            None => (year(base)?, if step.is_some() { YEARS.1 } else { year(base)? }),
        };
        if from > to {
            return Err(format!("`{base}` ends before it begins"));
        }
        match step.map(|step| step.parse().ok().filter(|step: &usize| *step > 0)) {
            None => years.push((from, to)),
            Some(Some(step)) => years.extend((from..=to).step_by(step).map(|year| (year, year))),
            Some(None) => return Err(format!("`{item}` has no step that is a number above zero")),
        }
    }
    Ok(years)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days of a year on which an expression runs.
    fn days(text: &str, year: i16) -> Vec<(i8, i8)> {
        let cron = Cron::parse(text).unwrap();
        let first = Date::new(year, 1, 1).unwrap();
        let all = first
            .series(jiff::Span::new().days(1))
            .take_while(|date| date.year() == year);
        all.filter(|date| cron.fits(*date))
            .map(|date| (date.month(), date.day()))
            .collect()
    }

    fn times(text: &str) -> Vec<(i8, i8)> {
        Cron::parse(text).unwrap().times().collect()
    }

    #[test]
    fn both_notations_name_the_same_days() {
        // 2026 begins on a Thursday. Weekdays count from 0 in the classic notation and from 1 in `EventBridge`'s.
        assert_eq!(days("0 3 * * 1-5", 2026), days("cron(0 3 ? * 2-6 *)", 2026));
        assert_eq!(days("0 3 * * MON-FRI", 2026), days("cron(0 3 ? * MON-FRI *)", 2026));
        assert_eq!(days("0 3 * * 7", 2026), days("0 3 * * 0", 2026));
        assert_eq!(days("0 3 * * 0", 2026)[..2], [(1, 4), (1, 11)]);
        assert_eq!(days("0 0 1 JAN,jul *", 2026), [(1, 1), (7, 1)]);
        assert_eq!(days("cron(0 0 ? * * *)", 2024).len(), 366);
        assert_eq!(days("cron(0 0 1 1 ? 2027-2030)", 2026), []);
        let every_other = "cron(0 0 1 1 ? 2024/2)";
        assert_eq!((days(every_other, 2026).len(), days(every_other, 2027).len()), (1, 0));
        assert_eq!(times("15,45 */12 * * *"), [(0, 15), (0, 45), (12, 15), (12, 45)]);
        assert_eq!(
            times("cron(50/4 8-9 * * ? *)"),
            [(8, 50), (8, 54), (8, 58), (9, 50), (9, 54), (9, 58)]
        );
    }

    #[test]
    fn the_days_that_depend_on_the_month() {
        assert_eq!(days("cron(0 0 L 2 ? *)", 2024), [(2, 29)]);
        // The last Friday of January 2026 is the 30th, the second Tuesday the 13th.
        assert_eq!(days("cron(0 0 ? 1 6L *)", 2026), [(1, 30)]);
        assert_eq!(days("cron(0 0 ? 1 3#2 *)", 2026), [(1, 13)]);
        // 2026-08-01 is a Saturday and 2026-02-01 a Sunday; 2026-05-31 is a Sunday.
        assert_eq!(days("cron(0 0 1W 8 ? *)", 2026), [(8, 3)]);
        assert_eq!(days("cron(0 0 1W 2 ? *)", 2026), [(2, 2)]);
        assert_eq!(days("cron(0 0 31W 5 ? *)", 2026), [(5, 29)]);
        assert_eq!(days("cron(0 0 LW 5 ? *)", 2026), [(5, 29)]);
        // Classic: the 13th and every Friday.
        assert_eq!(days("0 0 13 2 5", 2026), [(2, 6), (2, 13), (2, 20), (2, 27)]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str| Cron::parse(text).unwrap_err();
        assert!(wrong("0 3 * *").contains("this has 4"));
        assert!(wrong("cron(0 3 * * * *)").contains("exactly one"));
        assert!(wrong("cron(0 3 ? * ? *)").contains("exactly one"));
        assert!(wrong("60 3 * * *").contains("`60` is not a minute"));
        assert!(wrong("0 3 * * FRY").contains("`FRY` is not a day of the week"));
        assert!(wrong("0 5-3 * * *").contains("ends before"));
        assert!(wrong("*/0 3 * * *").contains("no step"));
        assert!(wrong("cron(0 0 ? * 2#6 *)").contains("weeks 1 to 5"));
        assert!(wrong("cron(0 0 ? * MON-FRI#2 *)").contains("more than one day"));
        assert!(wrong("cron(0 0 1 1 ? 1066)").contains("not a year"));
        assert!(wrong("cron(0 0 1 1 ? 2030-2026)").contains("ends before"));
        assert!(wrong("cron(0 0 1 1 ? 2026/0)").contains("no step"));
    }
}
