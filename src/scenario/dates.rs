//! Instants as recordings write them: dates of the usual forms, and numbers.
//!
//! Understood are `2026-10-01 13:34:59.212`, with `T` or a space, `-` or `/`, with or without seconds and their
//! fraction, `Z`, `UTC`, `GMT` or an offset such as `+02:00`; and the form of access logs,
//! `10/Oct/2026:13:55:36 +0000`. `03/04/2026` is not: nobody knows which of the two is the month.

use super::calendar::Zone;
use crate::kernel::number::whole_i64;

/// Nanoseconds since 1970.
pub type Nanos = i64;

const SECOND: i64 = 1_000_000_000;

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Whether a date says how far its clocks are from UTC.
enum Shift {
    /// It does not.
    Absent,
    /// So many nanoseconds ahead.
    By(i64),
}

/// Reads a text from its beginning.
struct Scan<'t>(&'t [u8]);

impl Scan<'_> {
    /// A number of `low` to `high` digits.
    fn digits(&mut self, low: usize, high: usize) -> Option<i64> {
        let n = self.0.iter().take(high).take_while(|b| b.is_ascii_digit()).count();
        if n < low {
            return None;
        }
        let value = self.0[..n].iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'));
        self.0 = &self.0[n..];
        Some(value)
    }

    /// One of these characters.
    fn one_of(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Hours, minutes, and perhaps seconds with a fraction, as nanoseconds.
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(1, 2).filter(|h| *h < 24)?;
        self.one_of(b":")?;
        let minute = self.digits(2, 2).filter(|m| *m < 60)?;
        let mut ns = (hour * 60 + minute) * 60 * SECOND;
        if self.one_of(b":").is_some() {
            // A leap second counts as the second after it.
            ns += self.digits(2, 2).filter(|s| *s <= 60)? * SECOND;
            if self.one_of(b".,").is_some() {
                let n = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
                let mut unit = SECOND / 10;
                for b in &self.0[..n] {
                    ns += i64::from(b - b'0') * unit;
                    unit /= 10;
                }
                self.0 = &self.0[n..];
            }
        }
        Some(ns)
    }

    /// What follows the time: nothing, or an offset from UTC.
    fn offset(&mut self) -> Option<Shift> {
        let _ = self.one_of(b" ");
        if self.0.is_empty() {
            return Some(Shift::Absent);
        }
        if matches!(self.0, b"Z" | b"z" | b"UTC" | b"GMT") {
            return Some(Shift::By(0));
        }
        let sign = if self.one_of(b"+-")? == b'+' { 1 } else { -1 };
        let hours = self.digits(2, 2)?;
        let _ = self.one_of(b":");
        let minutes = self.digits(2, 2).unwrap_or(0);
        self.0
            .is_empty()
            .then_some(Shift::By(sign * (hours * 60 + minutes) * 60 * SECOND))
    }
}

/// Days from 1970 to a date; `None` for one that does not exist.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let most = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1700..=2250).contains(&year) || !(1..=most).contains(&day) {
        return None;
    }
    // Counted from March of year 0, so that the leap day is the last of its year.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    Some(365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468)
}

/// Reads a date, which is meant in `zone` unless it says its offset; `None` if it is none.
pub fn parse_date(text: &str, zone: &Zone) -> Option<Nanos> {
    let mut scan = Scan(text.as_bytes());
    let first = scan.digits(1, 4)?;
    let (date, time) = if scan.0.first() == Some(&b'/') && scan.0.get(1).is_some_and(u8::is_ascii_alphabetic) {
        let name = scan.0.get(1..4)?;
        let month = 1 + MONTHS.iter().position(|month| *month == name)?.cast_signed() as i64;
        scan.0 = &scan.0[4..];
        scan.one_of(b"/")?;
        let date = days(scan.digits(4, 4)?, month, first)?;
        scan.one_of(b": ")?;
        (date, scan.time()?)
    } else {
        if first < 1000 {
            return None;
        }
        let between = [scan.one_of(b"-/")?];
        let month = scan.digits(1, 2)?;
        scan.one_of(&between)?;
        let date = days(first, month, scan.digits(1, 2)?)?;
        let time = if scan.0.is_empty() {
            0
        } else {
            scan.one_of(b"T t")?;
            scan.time()?
        };
        (date, time)
    };
    let local = (date * 86_400 * SECOND).checked_add(time)?;
    match scan.offset()? {
        Shift::By(offset) => local.checked_sub(offset),
        Shift::Absent => zone.instant_of(local),
    }
}

/// Reads a decimal number of units of `unit` nanoseconds, exactly; `None` if it is none or too large.
pub fn parse_number_ns(text: &str, unit: i64) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || digits.len() > 30 || whole.len() + fraction.len() == 0 {
        let value: f64 = text.parse().ok()?;
        let ns = value * unit as f64;
        return (ns.abs() < 9e18).then(|| whole_i64(ns.round()));
    }
    let (mut value, mut scale) = (0_i128, 1_i128);
    for b in whole.bytes() {
        value = value * 10 + i128::from(b - b'0');
    }
    for b in fraction.bytes().take(12) {
        value = value * 10 + i128::from(b - b'0');
        scale *= 10;
    }
    let ns = value.checked_mul(i128::from(unit))?;
    i64::try_from((ns + scale / 2) / scale).ok().map(|ns| sign * ns)
}

/// What an instant that is a bare number is probably in, in nanoseconds: seconds, or whatever makes it a date of this
/// age if it is so large.
pub fn unit_of(value: f64) -> i64 {
    match value.abs() {
        v if v < 1e11 => SECOND,
        v if v < 1e14 => 1_000_000,
        v if v < 1e17 => 1_000,
        _ => 1,
    }
}

/// From here on an instant is a date: before, it is a time since some beginning.
pub const DATES_FROM: Nanos = 100_000_000 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<Nanos> {
        parse_date(text, &Zone::UTC)
    }

    #[test]
    fn dates_of_the_usual_forms_are_instants() {
        // 2026-10-01T13:34:59Z is 1,790,861,699 s after 1970 (date -u -d ... +%s).
        let at = 1_790_861_699 * SECOND;
        assert_eq!(utc("2026-10-01 13:34:59.212"), Some(at + 212_000_000));
        assert_eq!(utc("2026-10-01T13:34:59Z"), Some(at));
        assert_eq!(utc("2026-10-01T15:34:59+02:00"), Some(at));
        assert_eq!(utc("2026-10-01 08:04:59.000000001 -0530"), Some(at + 1));
        assert_eq!(utc("2026/10/01 13:34:59"), Some(at));
        assert_eq!(utc("2026-10-01 13:34:59,5 UTC"), Some(at + 500_000_000));
        assert_eq!(utc("01/Oct/2026:15:34:59 +0200"), Some(at));
        assert_eq!(utc("2026-10-01"), Some(1_790_812_800 * SECOND));
        assert_eq!(utc("2024-02-29"), Some(1_709_164_800 * SECOND));
        assert_eq!(utc("1970-01-01 00:00"), Some(0));
        for wrong in [
            "2026-02-29",
            "10/01/2026 13:00",
            "2026-10/01",
            "2026-10-01 25:00",
            "2026-10-01T",
            "12:00",
            "7",
        ] {
            assert_eq!(utc(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_exact_to_the_nanosecond() {
        assert_eq!(
            parse_number_ns("1790861699.212345678", SECOND),
            Some(1_790_861_699_212_345_678)
        );
        assert_eq!(parse_number_ns("-0.5", SECOND), Some(-500_000_000));
        assert_eq!(parse_number_ns("5.12E8", 1), Some(512_000_000));
        assert_eq!(parse_number_ns("0.0015", 1_000_000), Some(1_500));
        assert_eq!(parse_number_ns("1e30", SECOND), None);
        assert_eq!(parse_number_ns("", SECOND), None);
        assert_eq!(unit_of(1_790_861_699_212.0), 1_000_000);
        assert_eq!(unit_of(1_790_861_699.0), SECOND);
    }
}
