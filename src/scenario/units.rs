//! Quantities as people write them, without quotes: `12 ms`, `512 MB`, `3000/s`, `1.5B/month`, `60%`, `$0.20`.
//!
//! White space between number and unit is optional; `_` may group digits. Units are case-sensitive because `m` and `M`
//! differ. Decimal fractions are read exactly (as an integer and a power of ten), so `0.1 s` is 100,000,000 ns. Sizes
//! are powers of two: MB and MiB both mean 2^20 bytes, as AWS uses them. A month has 730 hours, as in price lists.

use super::diagnostic::{Code, nearest};
use super::tree::shorten;
use crate::kernel::Duration;

/// Hours in a month, as the price calculators of the clouds count them (8760 / 12).
pub const HOURS_PER_MONTH: u64 = 730;

/// Why a text is not the quantity that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind of problem.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// How to write it.
    pub help: String,
    /// A text to write instead.
    pub suggestion: Option<String>,
}

impl Problem {
    fn new(code: Code, message: String, help: impl Into<String>) -> Self {
        Self {
            code,
            message,
            help: help.into(),
            suggestion: None,
        }
    }
}

/// A kind of quantity, for messages.
struct Shape {
    what: &'static str,
    example: &'static str,
    /// The largest value, in words.
    most: &'static str,
    units: &'static [(&'static str, u64)],
}

/// Units of time in nanoseconds. The first name of each length is the one that [`show_duration`] may use.
const TIME: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", US),
    ("µs", US),
    ("μs", US),
    ("ms", MS),
    ("s", S),
    ("sec", S),
    ("second", S),
    ("seconds", S),
    ("m", 60 * S),
    ("min", 60 * S),
    ("minute", 60 * S),
    ("minutes", 60 * S),
    ("h", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("d", 24 * HOUR),
    ("day", 24 * HOUR),
    ("days", 24 * HOUR),
    ("w", 168 * HOUR),
    ("week", 168 * HOUR),
    ("weeks", 168 * HOUR),
    ("month", HOURS_PER_MONTH * HOUR),
    ("months", HOURS_PER_MONTH * HOUR),
    ("year", 12 * HOURS_PER_MONTH * HOUR),
    ("years", 12 * HOURS_PER_MONTH * HOUR),
];
const US: u64 = 1_000;
const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * S;

/// Units of size in bytes.
const SIZE: &[(&str, u64)] = &[
    ("B", 1),
    ("byte", 1),
    ("bytes", 1),
    ("KB", 1 << 10),
    ("kB", 1 << 10),
    ("KiB", 1 << 10),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
    ("TB", 1 << 40),
    ("TiB", 1 << 40),
    ("PB", 1 << 50),
    ("PiB", 1 << 50),
];

/// Multipliers of counts and rates.
const MULTIPLIERS: &[(&str, u64)] = &[
    ("", 1),
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("B", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

const DURATION: Shape = Shape {
    what: "a duration",
    example: "`12 ms`, `1.5 s`, `5 min` or `2 h`",
    most: "584 years",
    units: TIME,
};
const BYTES: Shape = Shape {
    what: "a size",
    example: "`512 MB`, `64 KB` or `1.5 GB`",
    most: "16383 PB",
    units: SIZE,
};
const RATE: Shape = Shape {
    what: "a rate",
    example: "`3000/s`, `10/min` or `50M/month`",
    most: "1000000000/s, one per nanosecond",
    units: &[],
};
const COUNT: Shape = Shape {
    what: "a whole number",
    example: "`1000`, `1_000`, `1k` or `30M`",
    most: "18446744073709551615",
    units: MULTIPLIERS,
};
const NUMBER: Shape = Shape {
    what: "a number",
    example: "`4`, `0.25` or `1e3`",
    most: "1.7e308",
    units: &[],
};
const SHARE: Shape = Shape {
    what: "a share",
    example: "`60%` or `0.6`",
    most: "1.7e308",
    units: &[],
};
const MONEY: Shape = Shape {
    what: "an amount of money",
    example: "`$0.20` or `0.0416 USD`",
    most: "1.7e308 USD",
    units: &[],
};

/// A decimal number as written: `digits x 10^exponent`, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    fn is_zero(self) -> bool {
        self.digits == 0
    }

    fn to_f64(self) -> f64 {
        // The standard parser rounds correctly, which multiplying by a power of ten would not.
        format!("{}e{}", self.digits, self.exponent)
            .parse()
            .unwrap_or(f64::INFINITY)
    }

    /// This number times a unit, rounded to the nearest integer (halves up); `None` if it does not fit.
    fn times(self, unit: u64) -> Option<u64> {
        let mut value = self.digits.checked_mul(u128::from(unit))?;
        if value == 0 {
            return Some(0);
        }
        if self.exponent >= 0 {
            let power = 10_u128.checked_pow(self.exponent.unsigned_abs())?;
            value = value.checked_mul(power)?;
        } else if let Some(power) = 10_u128.checked_pow(self.exponent.unsigned_abs()) {
            value = value.checked_add(power / 2)? / power;
        } else {
            value = 0;
        }
        u64::try_from(value).ok()
    }

    /// Whether [`Self::times`] is exact.
    fn is_whole(self, unit: u64) -> bool {
        if self.exponent >= 0 || self.is_zero() {
            return true;
        }
        let power = 10_u128.checked_pow(self.exponent.unsigned_abs());
        let value = self.digits.checked_mul(u128::from(unit));
        matches!((value, power), (Some(v), Some(p)) if v % p == 0)
    }
}

/// A text split into its number and what follows.
struct Parts<'t> {
    negative: bool,
    number: Decimal,
    rest: &'t str,
}

/// Splits `-1_000.5e3 rest`. `None` if the text does not start with a number.
fn split(text: &str) -> Option<Parts<'_>> {
    let text = text.trim();
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mut digits, mut exponent, mut seen, mut point) = (0_u128, 0_i32, false, false);
    let mut end = 0;
    for (i, c) in body.char_indices() {
        match c {
            '0'..='9' => {
                seen = true;
                // Beyond 30 digits nothing changes any more in a result of at most 64 bits.
                if digits < 10_u128.pow(30) {
                    digits = digits * 10 + u128::from(c as u8 - b'0');
                    exponent -= i32::from(point);
                } else {
                    exponent += i32::from(!point);
                }
            }
            '_' if seen => {}
            '.' if !point => point = true,
            _ => break,
        }
        end = i + c.len_utf8();
    }
    if !seen {
        return None;
    }
    let mut rest = &body[end..];
    if let Some(after) = rest.strip_prefix(['e', 'E']) {
        let sign_len = usize::from(after.starts_with(['+', '-']));
        let len = after[sign_len..].bytes().take_while(u8::is_ascii_digit).count();
        if len > 0 {
            let power: i32 =
                after[..sign_len + len]
                    .parse()
                    .unwrap_or(if after.starts_with('-') { -9999 } else { 9999 });
            exponent = exponent.saturating_add(power.clamp(-9999, 9999));
            rest = &after[sign_len + len..];
        }
    }
    while digits != 0 && digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    Some(Parts {
        negative: negative && digits != 0,
        number: Decimal { digits, exponent },
        rest: rest.trim(),
    })
}

fn find(units: &[(&str, u64)], name: &str) -> Option<u64> {
    units.iter().find(|u| u.0 == name).map(|u| u.1)
}

/// What kind of quantity a unit belongs to, for "this is a size".
fn kind_of(rest: &str) -> Option<&'static str> {
    if rest.contains('/') {
        Some("a rate")
    } else if find(TIME, rest).is_some() {
        Some("a duration")
    } else if find(SIZE, rest).is_some() && rest != "B" {
        Some("a size")
    } else if rest == "%" {
        Some("a share")
    } else if rest == "USD" || rest.starts_with('$') {
        Some("an amount of money")
    } else {
        None
    }
}

fn unreadable(shape: &Shape, text: &str) -> Problem {
    let message = format!("`{}` is not {}", shorten(text), shape.what);
    if text.trim().starts_with('$') {
        return Problem::new(
            Code::WrongUnit,
            message,
            format!("write {}, such as {}", shape.what, shape.example),
        );
    }
    Problem::new(
        Code::BadQuantity,
        message,
        format!("write {}, such as {}", shape.what, shape.example),
    )
}

/// The problem of a comma: three digits after each make a group, anything else is meant as decimals.
fn comma(text: &str) -> Problem {
    let message = format!("`{}` has a comma", shorten(text));
    let help = "group digits with `_`, mark decimals with `.`";
    let mut problem = Problem::new(Code::BadQuantity, message, help);
    let digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
    let groups = text.split(',').skip(1).all(|part| digits(part) == 3);
    problem.suggestion = Some(text.trim().replace(',', if groups { "_" } else { "." }));
    problem
}

/// The problem of a unit that does not fit.
fn wrong_unit(shape: &Shape, text: &str, number: &str, rest: &str) -> Problem {
    let help = format!("write {}, such as {}", shape.what, shape.example);
    if rest.starts_with(',') {
        return comma(text);
    }
    match kind_of(rest) {
        Some(other) if other != shape.what => Problem::new(
            Code::WrongUnit,
            format!("expected {}, found {other}: `{}`", shape.what, shorten(text)),
            help,
        ),
        _ => {
            let message = format!("`{}` is not a unit of {}", shorten(rest), shape.what);
            let mut problem = Problem::new(Code::WrongUnit, message, help);
            let known = shape.units.iter().map(|u| u.0).filter(|u| !u.is_empty());
            if let Some(unit) = nearest(rest, known) {
                problem.suggestion = Some(format!("{number} {unit}"));
            }
            problem
        }
    }
}

fn missing_unit(shape: &Shape, text: &str, help: String) -> Problem {
    let message = format!("`{}` lacks its unit; {} is expected", shorten(text), shape.what);
    Problem::new(Code::MissingUnit, message, help)
}

fn negative(shape: &Shape, text: &str) -> Problem {
    let message = format!("`{}` is negative", shorten(text));
    Problem::new(
        Code::OutOfRange,
        message,
        format!("{} is never negative here", shape.what),
    )
}

fn too_large(shape: &Shape, text: &str) -> Problem {
    let message = format!("`{}` is too large for {}", shorten(text), shape.what);
    Problem::new(Code::OutOfRange, message, format!("at most {}", shape.most))
}

/// The text of the number in `text`, without what follows.
fn number_text<'t>(text: &'t str, rest: &str) -> &'t str {
    let text = text.trim();
    text[..text.len() - rest.len()].trim_end()
}

/// Reads a duration: `12 ms`, `1.5s`, `1 h 30 min`, `0`.
pub fn parse_duration(text: &str) -> Result<Duration, Problem> {
    let mut left = text.trim();
    let mut total: u64 = 0;
    loop {
        let parts = split(left).ok_or_else(|| unreadable(&DURATION, text))?;
        if parts.negative {
            return Err(negative(&DURATION, text));
        }
        let length = parts.rest.find(|c: char| c.is_ascii_digit() || c.is_whitespace());
        let (unit, rest) = parts.rest.split_at(length.unwrap_or(parts.rest.len()));
        if unit.is_empty() && rest.is_empty() {
            if parts.number.is_zero() && left == text.trim() {
                return Ok(Duration::ZERO);
            }
            let number = number_text(left, "");
            return Err(missing_unit(
                &DURATION,
                text,
                format!("write `{number} s` or `{number} ms`"),
            ));
        }
        let Some(scale) = find(TIME, unit) else {
            return Err(wrong_unit(&DURATION, text, number_text(left, parts.rest), parts.rest));
        };
        let value = parts.number.times(scale).and_then(|v| total.checked_add(v));
        total = value
            .filter(|v| *v < Duration::FOREVER.0)
            .ok_or_else(|| too_large(&DURATION, text))?;
        left = rest.trim_start();
        if left.is_empty() {
            return Ok(Duration(total));
        }
    }
}

/// Reads a size in bytes: `512 MB`, `1.5 GiB`, `64KB`, `0`.
pub fn parse_size(text: &str) -> Result<u64, Problem> {
    let parts = split(text).ok_or_else(|| unreadable(&BYTES, text))?;
    if parts.negative {
        return Err(negative(&BYTES, text));
    }
    let number = number_text(text, parts.rest);
    if parts.rest.is_empty() {
        if parts.number.is_zero() {
            return Ok(0);
        }
        return Err(missing_unit(
            &BYTES,
            text,
            format!("write `{number} MB` or `{number} KB`"),
        ));
    }
    let unit = find(SIZE, parts.rest).ok_or_else(|| wrong_unit(&BYTES, text, number, parts.rest))?;
    parts.number.times(unit).ok_or_else(|| too_large(&BYTES, text))
}

/// Reads a rate per second: `3000/s`, `10/min`, `50M/day`, `1.5B/month`, `0`.
pub fn parse_rate(text: &str) -> Result<f64, Problem> {
    let parts = split(text).ok_or_else(|| unreadable(&RATE, text))?;
    if parts.negative {
        return Err(negative(&RATE, text));
    }
    let number = number_text(text, parts.rest);
    if parts.rest.starts_with(',') {
        return Err(comma(text));
    }
    let Some((multiplier, per)) = parts.rest.split_once('/') else {
        if parts.rest.is_empty() && parts.number.is_zero() {
            return Ok(0.0);
        }
        return Err(match parts.rest {
            rest if find(MULTIPLIERS, rest).is_some() => missing_unit(
                &RATE,
                text,
                format!("write `{0}/s`, `{0}/min` or `{0}/month`", text.trim()),
            ),
            "rps" | "RPS" | "qps" | "QPS" | "tps" | "TPS" | "Hz" | "req" => {
                let mut problem = wrong_unit(&RATE, text, number, parts.rest);
                problem.suggestion = Some(format!("{number}/s"));
                problem
            }
            rest => wrong_unit(&RATE, text, number, rest),
        });
    };
    let Some(factor) = find(MULTIPLIERS, multiplier.trim()) else {
        let message = format!("`{}` is not a multiplier of a rate", shorten(multiplier.trim()));
        let mut problem = Problem::new(
            Code::WrongUnit,
            message,
            "use `k`, `M` or `B` for thousands, millions, billions",
        );
        problem.suggestion = find(MULTIPLIERS, &multiplier.trim().to_uppercase())
            .map(|_| format!("{number}{}/{}", multiplier.trim().to_uppercase(), per.trim()));
        return Err(problem);
    };
    let Some(unit) = find(TIME, per.trim()) else {
        let message = format!("`{}` is not a unit of time", shorten(per.trim()));
        let mut problem = Problem::new(
            Code::WrongUnit,
            message,
            format!("write a rate, such as {}", RATE.example),
        );
        problem.suggestion =
            nearest(per.trim(), TIME.iter().map(|u| u.0)).map(|u| format!("{number}{}/{u}", multiplier.trim()));
        return Err(problem);
    };
    let rate = parts.number.to_f64() * factor as f64 / (unit as f64 / 1e9);
    // Time is counted in whole nanoseconds: nothing can come faster than one by one.
    if rate > 1e9 {
        return Err(too_large(&RATE, text));
    }
    Ok(rate)
}

/// Reads a whole number: `1000`, `1_000`, `1.5k`, `30M`.
pub fn parse_count(text: &str) -> Result<u64, Problem> {
    let parts = split(text).ok_or_else(|| unreadable(&COUNT, text))?;
    if parts.negative {
        return Err(negative(&COUNT, text));
    }
    let number = number_text(text, parts.rest);
    let unit = find(MULTIPLIERS, parts.rest).ok_or_else(|| wrong_unit(&COUNT, text, number, parts.rest))?;
    if !parts.number.is_whole(unit) {
        let message = format!("`{}` is not a whole number", shorten(text));
        return Err(Problem::new(
            Code::BadQuantity,
            message,
            "only whole numbers make sense here",
        ));
    }
    parts.number.times(unit).ok_or_else(|| too_large(&COUNT, text))
}

/// Reads a plain number, which may be negative: `4`, `-0.25`, `1e3`.
pub fn parse_number(text: &str) -> Result<f64, Problem> {
    let parts = split(text).ok_or_else(|| unreadable(&NUMBER, text))?;
    if !parts.rest.is_empty() {
        return Err(wrong_unit(&NUMBER, text, number_text(text, parts.rest), parts.rest));
    }
    let value = finite(parts.number.to_f64(), &NUMBER, text)?;
    Ok(if parts.negative { -value } else { value })
}

/// Reads a share: `60%` or `0.6`; the range is the field's business.
pub fn parse_share(text: &str) -> Result<f64, Problem> {
    let parts = split(text).ok_or_else(|| unreadable(&SHARE, text))?;
    if parts.negative {
        return Err(negative(&SHARE, text));
    }
    let mut number = parts.number;
    match parts.rest {
        "" => {}
        "%" => number.exponent -= 2,
        rest => return Err(wrong_unit(&SHARE, text, number_text(text, rest), rest)),
    }
    let value = finite(number.to_f64(), &SHARE, text)?;
    if value > 1.0 && parts.rest.is_empty() {
        let message = format!("`{}` is more than all", shorten(text));
        let mut problem = Problem::new(Code::OutOfRange, message, "write a percentage with `%`");
        problem.suggestion = Some(format!("{}%", number_text(text, "")));
        return Err(problem);
    }
    Ok(value)
}

/// Reads an amount in US dollars: `$0.20`, `0.0416 USD`, `$1.5k`, `0`.
pub fn parse_money(text: &str) -> Result<f64, Problem> {
    let trimmed = text.trim();
    let (minus, body) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, trimmed),
    };
    let dollar = body.strip_prefix('$');
    let parts = split(dollar.unwrap_or(body)).ok_or_else(|| unreadable(&MONEY, text))?;
    if minus || parts.negative {
        return Err(negative(&MONEY, text));
    }
    let (rest, marked) = match parts.rest.strip_suffix("USD") {
        Some(rest) if dollar.is_none() => (rest.trim_end(), true),
        _ => (parts.rest, dollar.is_some()),
    };
    let number = number_text(dollar.unwrap_or(body), parts.rest);
    let factor = find(MULTIPLIERS, rest).ok_or_else(|| wrong_unit(&MONEY, text, number, rest))?;
    if !marked && !parts.number.is_zero() {
        let mut problem = missing_unit(&MONEY, text, format!("write `${trimmed}` or `{trimmed} USD`"));
        problem.suggestion = Some(format!("${trimmed}"));
        return Err(problem);
    }
    finite(parts.number.to_f64() * factor as f64, &MONEY, text)
}

/// Reads a flag: `true` or `false`; `yes`, `no`, `on` and `off` are understood, too.
pub fn parse_flag(text: &str) -> Result<bool, Problem> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => {
            let message = format!("`{}` is neither `true` nor `false`", shorten(text));
            Err(Problem::new(Code::BadQuantity, message, "write `true` or `false`"))
        }
    }
}

fn finite(value: f64, shape: &Shape, text: &str) -> Result<f64, Problem> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(too_large(shape, text))
    }
}

/// Prints a duration in the shortest form that reads back as the same number of nanoseconds.
pub fn show_duration(d: Duration) -> String {
    const UNITS: &[(&str, u64)] = &[
        ("week", 168 * HOUR),
        ("d", 24 * HOUR),
        ("h", HOUR),
        ("min", 60 * S),
        ("s", S),
        ("ms", MS),
        ("us", US),
        ("ns", 1),
    ];
    shortest(d.0, UNITS)
}

/// Prints a size in the shortest exact form.
pub fn show_size(bytes: u64) -> String {
    const UNITS: &[(&str, u64)] = &[
        ("TB", 1 << 40),
        ("GB", 1 << 30),
        ("MB", 1 << 20),
        ("KB", 1 << 10),
        ("B", 1),
    ];
    shortest(bytes, UNITS)
}

/// The exact `number unit` with the shortest number; of equally short ones the first in the list.
fn shortest(value: u64, units: &[(&str, u64)]) -> String {
    if value == 0 {
        return "0".to_owned();
    }
    let forms = units
        .iter()
        .filter_map(|(name, unit)| Some((exact_decimal(value, *unit)?, name)));
    let best = forms.min_by_key(|(number, _)| number.len());
    best.map_or_else(String::new, |(number, name)| format!("{number} {name}"))
}

/// `value / unit` as a decimal with at most three places, if that is exact.
fn exact_decimal(value: u64, unit: u64) -> Option<String> {
    let (whole, part) = (value / unit, value % unit);
    if part == 0 {
        return Some(whole.to_string());
    }
    let thousandths = u128::from(part) * 1000;
    if whole == 0 || thousandths % u128::from(unit) != 0 {
        return None;
    }
    let decimals = format!("{:03}", thousandths / u128::from(unit));
    Some(format!("{whole}.{}", decimals.trim_end_matches('0')))
}

/// Prints a rate in the unit of time that makes its number shortest and still reads back as the same rate.
pub fn show_rate(per_second: f64) -> String {
    let units = [
        ("s", 1.0),
        ("min", 60.0),
        ("h", 3600.0),
        ("day", 86_400.0),
        ("month", HOURS_PER_MONTH as f64 * 3600.0),
    ];
    let forms = units.map(|(name, seconds)| (show_number(per_second * seconds), name));
    let exact = forms
        .iter()
        .map(|(number, name)| (number.len(), format!("{number}/{name}")));
    let best = exact
        .filter(|(_, text)| parse_rate(text) == Ok(per_second))
        .min_by_key(|f| f.0);
    best.map_or_else(|| format!("{per_second}/s"), |f| f.1)
}

/// Prints a count in the shortest exact form.
pub fn show_count(n: u64) -> String {
    let forms = [("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)];
    let form = forms.iter().find(|(_, unit)| n >= *unit && n.is_multiple_of(*unit));
    form.map_or_else(|| n.to_string(), |(name, unit)| format!("{}{name}", n / unit))
}

/// Prints a number in a form that reads back as the same number; with an exponent if that saves many zeros.
pub fn show_number(v: f64) -> String {
    let plain = format!("{v}");
    let scientific = format!("{v:e}");
    if scientific.len() + 4 < plain.len() {
        scientific
    } else {
        plain
    }
}

/// Prints a share as a percentage if that reads back as the same number.
pub fn show_share(v: f64) -> String {
    // Rounding undoes the noise of the multiplication (0.07 x 100 is not quite 7).
    let percent = format!("{}%", (v * 1e10).round() / 1e8);
    if parse_share(&percent) == Ok(v) {
        percent
    } else {
        show_number(v)
    }
}

/// Prints an amount in US dollars.
pub fn show_money(v: f64) -> String {
    format!("${v}")
}

#[cfg(test)]
mod tests;
