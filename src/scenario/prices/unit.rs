//! The units of price lists ("GB-s", "1M requests", "vCPU-hour") as quanta of a meter.

use crate::cost::Dimension;

/// Milliseconds of the time words that a unit may end in.
fn time_ms(word: &str, hours_per_month: u32) -> Option<u128> {
    const HOUR: u128 = 3_600_000;
    Some(match word {
        "ms" => 1,
        "s" => 1000,
        "minute" => 60_000,
        "hour" => HOUR,
        "month" => HOUR * u128::from(hours_per_month),
        _ => return None,
    })
}

/// Splits "128 MB" or "1M requests" into the number and the rest; no number is one.
fn count(text: &str) -> Option<(u128, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Some((1, text));
    }
    let (number, rest) = text.split_at(digits);
    let number: u128 = number.parse().ok()?;
    let (scale, rest) = match rest.as_bytes().first() {
        Some(b'k') => (1000, &rest[1..]),
        Some(b'M') => (1_000_000, &rest[1..]),
        _ => (1, rest),
    };
    Some((number.checked_mul(scale)?, rest.strip_prefix(' ')?))
}

fn megabytes(word: &str) -> Option<u128> {
    match word {
        "MB" => Some(1),
        "GB" => Some(1024),
        _ => None,
    }
}

/// Meter quanta of dimension `of` in one `unit`. Things (requests, vCPU, instance) may have any name.
pub(super) fn quanta(unit: &str, of: Dimension, hours_per_month: u32) -> Result<u128, String> {
    let read = || -> Option<u128> {
        let (number, rest) = count(unit)?;
        let time = |word| time_ms(word, hours_per_month);
        let each = match of {
            Dimension::Count => (!rest.is_empty()).then_some(1),
            Dimension::Time => time(rest.rsplit('-').next()?),
            Dimension::MilliTime => rest.rsplit_once('-').and_then(|(_, t)| Some(1000 * time(t)?)),
            Dimension::SizeTime => rest.rsplit_once('-').and_then(|(s, t)| Some(megabytes(s)? * time(t)?)),
            Dimension::Bytes => megabytes(rest).map(|mb| mb << 20),
            Dimension::Megabytes => megabytes(rest),
            Dimension::Micros => time(rest).map(|ms| ms * 1000),
        };
        number.checked_mul(each?).filter(|&q| q > 0)
    };
    let example = match of {
        Dimension::Count => "1M requests",
        Dimension::Time => "instance-hour",
        Dimension::MilliTime => "vCPU-hour",
        Dimension::SizeTime => "GB-s",
        Dimension::Bytes | Dimension::Megabytes => "GB",
        Dimension::Micros => "1M ms",
    };
    read().ok_or_else(|| format!("the unit '{unit}' does not fit the meter; expected something like '{example}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_so_many_quanta() {
        let q = |unit, of| quanta(unit, of, 730).ok();
        assert_eq!(q("GB-s", Dimension::SizeTime), Some(1_024_000));
        assert_eq!(q("128 MB-s", Dimension::SizeTime), Some(128_000));
        assert_eq!(q("GB-month", Dimension::SizeTime), Some(1024 * 730 * 3_600_000));
        assert_eq!(q("1M requests", Dimension::Count), Some(1_000_000));
        assert_eq!(q("10k requests", Dimension::Count), Some(10_000));
        assert_eq!(q("operation", Dimension::Count), Some(1));
        assert_eq!(q("vCPU-hour", Dimension::MilliTime), Some(3_600_000_000));
        assert_eq!(q("instance-hour", Dimension::Time), Some(3_600_000));
        assert_eq!(q("1M connection-minute", Dimension::Time), Some(60_000_000_000));
        assert_eq!(q("hour", Dimension::Time), Some(3_600_000));
        assert_eq!(q("GB", Dimension::Bytes), Some(1 << 30));
        assert_eq!(q("GB", Dimension::Megabytes), Some(1024));
        assert_eq!(q("1M ms", Dimension::Micros), Some(1_000_000_000));
    }

    #[test]
    fn what_does_not_fit_the_meter_is_refused() {
        for (unit, of) in [
            ("GB", Dimension::SizeTime),
            ("GB-day", Dimension::SizeTime),
            ("vCPU", Dimension::MilliTime),
            ("1Mrequests", Dimension::Bytes),
            ("0 requests", Dimension::Count),
            ("", Dimension::Count),
        ] {
            assert!(quanta(unit, of, 730).is_err(), "{unit} {of:?}");
        }
    }
}
