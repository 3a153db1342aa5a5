//! Numbers as a person reads them: three significant digits, a unit, thousands separators, and the half-width of the
//! confidence interval in the same unit (`182 ms ±4`). Sizes count in steps of 1024, as scenarios write them.

use super::summary::{Estimate, Unit};
use crate::kernel::number::{whole_i64, whole_usize};

/// What stands where there is no number.
pub const MISSING: &str = "–";

/// A unit of display: its name and how many base units it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Display {
    /// Divisor from base units.
    pub size: f64,
    /// What follows the number, the space included where there is one.
    pub suffix: &'static str,
    /// What precedes the number.
    pub prefix: &'static str,
}

/// The unit of display that suits numbers around `magnitude` (in base units of `unit`).
pub fn display_unit(unit: Unit, magnitude: f64) -> Display {
    let steps: &[(f64, &'static str)] = match unit {
        Unit::Seconds => &[
            (1e-9, " ns"),
            (1e-6, " µs"),
            (1e-3, " ms"),
            (1.0, " s"),
            (600.0, " min"),
            (36_000.0, " h"),
            (864e3, " d"),
        ],
        Unit::Bytes => &[
            (1.0, " B"),
            (1024.0, " kB"),
            (1_048_576.0, " MB"),
            (1_073_741_824.0, " GB"),
            (1_099_511_627_776.0, " TB"),
        ],
        Unit::Ratio => &[(0.01, " %")],
        Unit::PerSecond => &[(1.0, "/s")],
        Unit::Dollars | Unit::Count | Unit::Level | Unit::Plain => &[(1.0, "")],
    };
    // Rounding to three digits may carry 999.6 ms over to the next unit.
    let reached = |from: f64| magnitude.abs() >= from * 0.9995;
    let (_, suffix) = steps.iter().rev().find(|(from, _)| reached(*from)).unwrap_or(&steps[0]);
    let size = match *suffix {
        " min" => 60.0,
        " h" => 3600.0,
        " d" => 86_400.0,
        other => steps
            .iter()
            .find(|(_, name)| *name == other)
            .map_or(1.0, |(size, _)| *size),
    };
    Display {
        size,
        suffix,
        prefix: if unit == Unit::Dollars { "$" } else { "" },
    }
}

/// The number of decimals that gives `number` three significant digits.
fn decimals_of(number: f64) -> usize {
    let number = number.abs();
    if number == 0.0 || number >= 99.95 {
        0
    } else if number >= 9.995 {
        1
    } else if number >= 0.9995 {
        2
    } else {
        let leading = whole_usize((-libm::log10(number)).ceil().max(0.0));
        (leading + 2).min(12)
    }
}

/// `1234567.891` with two decimals as `1,234,567.89`.
pub fn grouped(number: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    if number < 0.0 && text.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
        out.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A whole number with thousands separators.
pub fn count(number: u64) -> String {
    grouped(number as f64, 0)
}

/// Per cent below which a ratio is not told from nothing.
const TINY: f64 = 1e-8;

/// Decimals for a number of `unit`, given in display units.
fn unit_decimals(unit: Unit, shown: f64) -> usize {
    match unit {
        Unit::Dollars if shown == 0.0 || shown.abs() >= 0.01 => 2,
        Unit::Dollars => decimals_of(shown).min(10),
        Unit::Count => usize::from(shown.fract() != 0.0 && shown.abs() < 100.0),
        // What was seen at all is not shown like what was not.
        Unit::Ratio if shown > 0.0 && shown < 0.0005 => whole_usize(1.0 - libm::log10(shown).floor()).min(8),
        Unit::Ratio => decimals_of(shown).min(3),
        _ => decimals_of(shown),
    }
}

/// One number of `unit` in words: `182 ms`, `$1,234.56`, `0.12 %`, `2,998/s`.
pub fn value(unit: Unit, number: f64) -> String {
    if !number.is_finite() {
        return MISSING.into();
    }
    let display = display_unit(if number == 0.0 { zero_unit(unit) } else { unit }, number);
    let shown = number / display.size;
    if unit == Unit::Ratio && number > 0.0 && shown < TINY {
        return format!("<{TINY:.8} %");
    }
    with_sign(
        &display,
        &grouped(shown, unit_decimals(unit, shown)),
        zero_suffix(unit, number),
    )
}

/// Zero seconds are `0 s`, not `0 ns`.
fn zero_suffix(unit: Unit, number: f64) -> Option<&'static str> {
    (number == 0.0 && unit == Unit::Seconds).then_some(" s")
}

/// A unit in which zero has no step to look for.
fn zero_unit(unit: Unit) -> Unit {
    if unit == Unit::Seconds { Unit::Plain } else { unit }
}

/// Puts prefix, sign and suffix around digits.
fn with_sign(display: &Display, digits: &str, suffix: Option<&str>) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    format!("{sign}{}{digits}{}", display.prefix, suffix.unwrap_or(display.suffix))
}

/// The last place that a half-width lets be known, as a number of decimals (below nothing: tens, hundreds): that of its
/// first digit, or of the second where it begins with 1, since half of 0.1 is a large part of 0.1.
fn known_decimals(half: f64) -> i64 {
    let first = libm::floor(libm::log10(half));
    let begins = half / libm::pow(10.0, first);
    let second = if begins < 1.95 { 1.0 } else { 0.0 };
    whole_i64(second - first)
}

/// `number` with so many decimals; below nothing it is rounded to tens, hundreds and so on.
fn to_place(number: f64, decimals: i64) -> String {
    if let Ok(decimals) = usize::try_from(decimals) {
        return grouped(number, decimals);
    }
    let place = libm::pow(10.0, decimals.unsigned_abs() as f64);
    grouped((number / place).round() * place, 0)
}

/// A figure and its half-width, in the same unit and to the same place: that which the half-width lets be known, but
/// never finer than `finest` decimals. A figure keeps its first digit, however wide its interval is. Dollars have no
/// single decimal.
fn to_interval(unit: Unit, estimate: &Estimate, finest: impl Fn(f64) -> usize) -> (String, String) {
    let half = estimate.half_width().filter(|_| estimate.mean.is_finite());
    let Some(half) = half else {
        return (String::new(), String::new());
    };
    let magnitude = if estimate.mean == 0.0 { half } else { estimate.mean };
    let display = display_unit(unit, magnitude);
    let (mean, shown) = (estimate.mean / display.size, half / display.size);
    let finest = i64::try_from(finest(magnitude / display.size)).unwrap_or(0);
    let mut decimals = finest;
    if shown > 0.0 {
        decimals = decimals.min(known_decimals(shown));
        if mean != 0.0 {
            decimals = decimals.max(whole_i64(-libm::floor(libm::log10(mean.abs()))).min(finest));
        }
        if unit == Unit::Dollars && decimals == 1 {
            decimals = finest.min(2);
        }
    }
    let words = with_sign(&display, &to_place(mean, decimals), None);
    (words, spread(unit, estimate.mean, shown, decimals))
}

/// A half-width to so many decimals. One that is too small to be seen there is said to be that, and not nothing:
/// replications that agree to the last digit shown do so by chance. Only a bill can do so because nothing in it is left
/// to chance, and what was never seen has nothing to be unsure of.
fn spread(unit: Unit, mean: f64, half: f64, decimals: i64) -> String {
    if half == 0.0 && (mean == 0.0 || unit == Unit::Dollars) {
        return String::new();
    }
    let least = libm::pow(10.0, -(decimals as f64));
    if half < least / 2.0 {
        return format!("±<{}", to_place(least, decimals));
    }
    format!("±{}", to_place(half, decimals))
}

/// How many times longer one side of an interval is than the other where `±` would mislead.
const LOPSIDED: f64 = 3.0;
/// Half-widths below this share of their figure need no such care.
const NARROW: f64 = 0.1;

/// A figure whose interval has one end only: `>2.3 s` where the data give no upper limit, `<0.001 %` where nothing was
/// seen.
fn bound(unit: Unit, estimate: &Estimate) -> Option<String> {
    let (low, high) = estimate.interval?;
    if estimate.mean.is_finite() && high == f64::INFINITY {
        return Some(format!(">{}", value(unit, low)));
    }
    let nothing = estimate.mean == 0.0 && low == 0.0 && high > 0.0;
    nothing.then(|| {
        let words = value(unit, high);
        if words.starts_with('<') {
            words
        } else {
            format!("<{words}")
        }
    })
}

/// Both ends of an interval that lies much farther to one side of its figure: `[100 ms, 1.95 s]`.
fn lopsided(unit: Unit, estimate: &Estimate) -> Option<String> {
    let (low, high) = estimate
        .interval
        .filter(|(low, high)| low.is_finite() && high.is_finite())?;
    let (down, up) = (estimate.mean - low, high - estimate.mean);
    let skewed = up > LOPSIDED * down || down > LOPSIDED * up;
    (skewed && high - low > 2.0 * NARROW * estimate.mean.abs())
        .then(|| format!("[{}, {}]", value(unit, low), value(unit, high)))
}

/// A figure and what is known of its uncertainty: `182 ms` and `±4`; `104 ms` and `[100 ms, 1.95 s]`; `>2.3 s` alone.
pub fn figure(unit: Unit, estimate: &Estimate) -> (String, String) {
    if let Some(bound) = bound(unit, estimate) {
        return (bound, String::new());
    }
    if let Some(ends) = lopsided(unit, estimate) {
        return (value(unit, estimate.mean), ends);
    }
    // Nothing is `0 s`, and what is tiny has words of its own.
    let plain = estimate.mean == 0.0 || unit == Unit::Ratio && (estimate.mean / 0.01).abs() < TINY;
    match to_interval(unit, estimate, |shown| unit_decimals(unit, shown)) {
        (_, half) if plain || half.is_empty() => (value(unit, estimate.mean), half),
        both => both,
    }
}

/// An estimate with its half-width: `182 ms ±4`.
pub fn estimate(unit: Unit, estimate: &Estimate) -> String {
    let (mean, half) = figure(unit, estimate);
    if half.is_empty() {
        mean
    } else {
        format!("{mean} {half}")
    }
}

/// An estimate of dollars without cents from a hundred on, as tables have it.
pub fn money_short(estimate: &Estimate) -> (String, String) {
    if !estimate.mean.is_finite() {
        return (MISSING.into(), String::new());
    }
    if estimate.mean.abs() < 99.995 || lopsided(Unit::Dollars, estimate).is_some() {
        return figure(Unit::Dollars, estimate);
    }
    match to_interval(Unit::Dollars, estimate, |_| 0) {
        (_, half) if half.is_empty() => {
            let display = display_unit(Unit::Dollars, estimate.mean);
            (with_sign(&display, &grouped(estimate.mean, 0), None), half)
        }
        both => both,
    }
}

/// The number of things in a unit that begins with one, and the things: 1,000,000 and `requests` of `1M requests`.
fn pack_of(unit: &str) -> (f64, &str) {
    let digits = unit.len() - unit.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let Ok(number) = unit[..digits].parse::<f64>() else {
        return (1.0, unit);
    };
    let rest = &unit[digits..];
    let (times, rest) = match rest.as_bytes().first() {
        Some(b'k') => (1e3, &rest[1..]),
        Some(b'M') => (1e6, &rest[1..]),
        _ => (1.0, rest),
    };
    match rest.strip_prefix(' ') {
        Some(things) if !things.is_empty() => (number * times, things),
        _ => (1.0, unit),
    }
}

/// So many priced units, in words: 315 of `1M requests` are `315 million requests`, 730 of `instance-hour` are
/// `730 instance-hours`.
pub fn quantity(number: f64, unit: &str) -> String {
    if !number.is_finite() {
        return MISSING.into();
    }
    let (each, things) = pack_of(unit);
    let all = number * each;
    let (size, word) = match all.abs() {
        all if all >= 0.9995e9 => (1e9, " billion"),
        all if all >= 0.9995e6 => (1e6, " million"),
        _ => (1.0, ""),
    };
    let one = ["hour", "minute", "month", "day", "unit"]
        .iter()
        .any(|end| things.ends_with(end));
    let plural = if one && all.total_cmp(&1.0).is_ne() { "s" } else { "" };
    let shown = all / size;
    let decimals = if size > 1.0 {
        decimals_of(shown)
    } else {
        unit_decimals(Unit::Level, shown)
    };
    // Whole things are not in parts.
    let whole = size.total_cmp(&1.0).is_eq() && shown.fract() == 0.0;
    format!(
        "{}{word} {things}{plural}",
        grouped(shown, if whole { 0 } else { decimals })
    )
}

/// The price of a unit, as the book has it: `$0.09 per GB`, `$1 to $0.9 per 1M requests`.
pub fn price(price: &str, unit: &str) -> String {
    let dollars = |number: &str| match number.strip_prefix('-') {
        Some(number) => format!("-${number}"),
        None => format!("${number}"),
    };
    if price.is_empty() {
        return MISSING.into();
    }
    let steps: Vec<String> = price.split(" to ").map(dollars).collect();
    format!("{} per {unit}", steps.join(" to "))
}

/// A factor: `1.00×`, `0.42×`, `12.3×`.
pub fn factor(number: f64) -> String {
    if number.is_finite() {
        format!("{}×", grouped(number, decimals_of(number).min(2)))
    } else {
        MISSING.into()
    }
}

/// A simulated time span in nanoseconds: `1 h`, `90 s`, `250 ms`.
pub fn span_ns(nanoseconds: u64) -> String {
    const STEPS: [(u64, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "µs"),
        (1, "ns"),
    ];
    if nanoseconds == 0 {
        return "0 s".into();
    }
    let exact = STEPS
        .iter()
        .find(|(size, _)| nanoseconds.is_multiple_of(*size) && nanoseconds / size < 1000);
    exact.map_or_else(
        || value(Unit::Seconds, nanoseconds as f64 / 1e9),
        |(size, name)| format!("{} {name}", nanoseconds / size),
    )
}

/// A tick of an axis: as few digits as tell it from its neighbours `step` away. Large dollars and counts get k, M, G.
pub fn tick(unit: Unit, number: f64, step: f64, magnitude: f64) -> String {
    let mut display = display_unit(unit, magnitude);
    if unit == Unit::Seconds && (0.9995..299.0).contains(&magnitude) {
        display = Display {
            size: 1.0,
            suffix: " s",
            prefix: "",
        };
    } else if unit == Unit::Seconds && (299.0..10_800.0).contains(&magnitude) {
        display = Display {
            size: 60.0,
            suffix: " min",
            prefix: "",
        };
    }
    let plain = matches!(
        unit,
        Unit::Dollars | Unit::Count | Unit::Level | Unit::PerSecond | Unit::Plain
    );
    let (size, letter) = match magnitude.abs() {
        m if plain && m >= 1e9 => (1e9, "G"),
        m if plain && m >= 1e6 => (1e6, "M"),
        m if plain && m >= 1e4 => (1e3, "k"),
        _ => (display.size, ""),
    };
    if number == 0.0 {
        return format!("{}0{}", display.prefix, display.suffix);
    }
    let step = (step / size).abs();
    let mut decimals = 0;
    let mut scaled = step;
    while decimals < 9 && step > 0.0 && (scaled - scaled.round()).abs() > 1e-6 * scaled.max(1e-12) {
        scaled *= 10.0;
        decimals += 1;
    }
    if unit == Unit::Dollars && decimals == 1 && letter.is_empty() {
        decimals = 2;
    }
    let digits = grouped(number / size, decimals);
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits.as_str()), |rest| ("-", rest));
    format!("{sign}{}{digits}{letter}{}", display.prefix, display.suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimated(mean: f64, half: f64) -> Estimate {
        Estimate {
            mean,
            interval: Some((mean - half, mean + half)),
            replications: 16,
        }
    }

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (3e-9, "3.00 ns"),
            (9.5e-7, "950 ns"),
            (1.234e-5, "12.3 µs"),
            (0.18249, "182 ms"),
            (0.9996, "1.00 s"),
            (1.234, "1.23 s"),
            (90.0, "90.0 s"),
            (599.0, "599 s"),
            (720.0, "12.0 min"),
            (1e5, "27.8 h"),
            (1e6, "11.6 d"),
            (f64::NAN, MISSING),
            (f64::INFINITY, MISSING),
            (-0.002, "-2.00 ms"),
        ] {
            assert_eq!(value(Unit::Seconds, seconds), text);
        }
    }

    #[test]
    fn money_has_cents_and_separators() {
        for (dollars, text) in [
            (0.0, "$0.00"),
            (1234.56, "$1,234.56"),
            (0.2, "$0.20"),
            (0.000_016_666_7, "$0.0000167"),
            (-5.0, "-$5.00"),
            (1e12, "$1,000,000,000,000.00"),
        ] {
            assert_eq!(value(Unit::Dollars, dollars), text);
        }
        assert_eq!(
            money_short(&estimated(12_345.6, 78.9)),
            ("$12,350".into(), "±80".into())
        );
        assert_eq!(
            money_short(&estimated(15_569.3, 156.0)),
            ("$15,570".into(), "±160".into())
        );
        assert_eq!(money_short(&estimated(15_569.3, 0.2)), ("$15,569".into(), "±<1".into()));
        assert_eq!(
            money_short(&estimated(15_569.3, 0.0)),
            ("$15,569".into(), String::new())
        );
        assert_eq!(money_short(&estimated(12.3, 0.456)), ("$12.30".into(), "±0.46".into()));
    }

    #[test]
    fn shares_rates_and_sizes() {
        assert_eq!(value(Unit::Ratio, 0.0), "0 %");
        assert_eq!(value(Unit::Ratio, 0.00123), "0.123 %");
        assert_eq!(value(Unit::Ratio, 1.0), "100 %");
        assert_eq!(value(Unit::Ratio, 1e-7), "0.000010 %");
        assert_eq!(value(Unit::PerSecond, 2998.4), "2,998/s");
        assert_eq!(value(Unit::Bytes, 1_073_741_824.0), "1.00 GB");
        assert_eq!(value(Unit::Level, 12.34), "12.3");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(0), "0");
    }

    #[test]
    fn figures_are_rounded_as_their_intervals_allow() {
        for (unit, mean, half, words) in [
            (Unit::Seconds, 0.1824, 0.0041, "182 ms ±4"),
            (Unit::Seconds, 0.0123, 0.00041, "12.3 ms ±0.4"),
            (Unit::Seconds, 0.4444, 0.0342, "440 ms ±30"),
            (Unit::Seconds, 0.4444, 0.0142, "444 ms ±14"),
            // It begins with 1 only before it is rounded.
            (Unit::Seconds, 0.4444, 0.0196, "440 ms ±20"),
            // An interval does not make an instrument finer than it is, and one that is not seen is not nothing.
            (Unit::Seconds, 0.0123, 1e-9, "12.3 ms ±<0.1"),
            (Unit::Seconds, 0.0123, 0.0, "12.3 ms ±<0.1"),
            (Unit::Seconds, 0.186, 0.0, "186 ms ±<1"),
            // The first digit is kept, whatever is known of it.
            (Unit::Seconds, 0.003, 0.003, "3 ms ±3"),
            (Unit::Ratio, 0.003_54, 0.000_02, "0.354 % ±0.002"),
            (Unit::Ratio, 0.375, 0.266, "40 % ±30"),
            (Unit::PerSecond, 4047.3, 8.2, "4,047/s ±8"),
            (Unit::PerSecond, 4047.3, 156.0, "4,050/s ±160"),
            (Unit::Count, 36_819.2, 1234.0, "36,800 ±1,200"),
            (Unit::Dollars, 76.4, 0.17, "$76.40 ±0.17"),
            (Unit::Dollars, -76.4, 2.7, "-$76 ±3"),
            (Unit::Dollars, 30.37, 0.0, "$30.37"),
            (Unit::Ratio, 0.0, 0.0, "0 %"),
            (Unit::Seconds, f64::NAN, 1.0, MISSING),
        ] {
            assert_eq!(estimate(unit, &estimated(mean, half)), words);
        }
        assert_eq!(estimate(Unit::Seconds, &Estimate::exact(0.0123)), "12.3 ms");
    }

    #[test]
    fn quantities_of_a_bill_read_as_words() {
        for (number, unit, words) in [
            (315.0, "1M requests", "315 million requests"),
            (5334.43, "1M requests", "5.33 billion requests"),
            (0.0125, "1M requests", "12,500 requests"),
            (2.0, "1k mails", "2,000 mails"),
            (10.0, "128 MB-s", "1,280 MB-s"),
            (730.0, "instance-hour", "730 instance-hours"),
            (1.0, "month", "1 month"),
            (5087.29, "GB", "5,087 GB"),
            (0.4567, "GB-month", "0.457 GB-months"),
            (3.0, "4 x", "12 x"),
            (f64::NAN, "GB", MISSING),
        ] {
            assert_eq!(quantity(number, unit), words);
        }
        assert_eq!(price("1 to 0.9", "1M requests"), "$1 to $0.9 per 1M requests");
        assert_eq!(price("0.09", "GB"), "$0.09 per GB");
    }

    #[test]
    fn spans_keep_the_unit_they_were_written_in() {
        assert_eq!(span_ns(3_600_000_000_000), "1 h");
        assert_eq!(span_ns(90_000_000_000), "90 s");
        assert_eq!(span_ns(1_500_000), "1.50 ms");
        assert_eq!(span_ns(0), "0 s");
    }

    #[test]
    fn ticks_have_only_the_digits_they_need() {
        assert_eq!(tick(Unit::Seconds, 0.2, 0.05, 0.4), "200 ms");
        assert_eq!(tick(Unit::Seconds, 0.0, 0.05, 0.4), "0 ms");
        assert_eq!(tick(Unit::Seconds, 2.5, 0.5, 3.0), "2.5 s");
        assert_eq!(tick(Unit::Dollars, 20_000.0, 5000.0, 40_000.0), "$20k");
        assert_eq!(tick(Unit::Dollars, 0.5, 0.5, 2.0), "$0.50");
        assert_eq!(tick(Unit::PerSecond, 500.0, 500.0, 3000.0), "500/s");
        assert_eq!(tick(Unit::PerSecond, 2.5e6, 5e5, 3e6), "2.5M/s");
        assert_eq!(tick(Unit::Ratio, 0.005, 0.005, 0.02), "0.5 %");
    }
}
