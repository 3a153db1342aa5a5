//! Exact money: whole numbers of 10^-12 of a currency unit.
//!
//! List prices have up to eleven decimals (0.00000625125 per 128 MB-s), so that a picodollar holds each of them
//! exactly, a tenth or a percentage of it included. 128 bits of it reach 10^26 dollars.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

/// Decimals that are kept.
const DECIMALS: u32 = 12;

/// An amount or a price in 10^-12 of the book's currency unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One currency unit (a dollar) in quanta.
    pub const UNIT: i128 = 10_i128.pow(DECIMALS);

    /// Rounded to whole cents, halves away from zero.
    pub const fn cents(self) -> i128 {
        let cent = Self::UNIT / 100;
        let half = if self.0 < 0 { -cent / 2 } else { cent / 2 };
        (self.0 + half) / cent
    }

    /// The nearest floating-point number of currency units, for curves and plots.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::UNIT as f64
    }

    /// All decimals that are not zero, and no rounding: how a price list writes a price ("0.0000166667").
    pub fn exact(self) -> String {
        let digits = self.0.unsigned_abs();
        let unit = Self::UNIT.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let fraction = format!("{:012}", digits % unit);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{fraction}", digits / unit)
    }

    /// This price times an exact decimal factor; `None` if the product has more decimals than are kept.
    pub fn times(self, factor: Self) -> Option<Self> {
        let product = self.0.checked_mul(factor.0)?;
        (product % Self::UNIT == 0).then_some(Self(product / Self::UNIT))
    }
}

impl fmt::Display for Money {
    /// To the cent, without a currency sign: "249.49".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        let sign = if cents < 0 { "-" } else { "" };
        f.pad(&format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100))
    }
}

/// Why a text is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Not a plain decimal number such as 0.0000166667.
    NotADecimal,
    /// More than twelve decimals, or more than about 10^26.
    OutOfRange,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADecimal => "expected a plain decimal number such as 0.0000166667",
            Self::OutOfRange => "a price has at most twelve decimals",
        })
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads a plain decimal number, exactly; no exponent, no sign but a leading minus.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || (rest.contains('.') && fraction.is_empty()) {
            return Err(MoneyError::NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS as usize || whole.len() > 26 {
            return Err(MoneyError::OutOfRange);
        }
        let padded = format!("{whole}{fraction:0<12}");
        let quanta: i128 = padded.parse().map_err(|_| MoneyError::OutOfRange)?;
        Ok(Self(if negative { -quanta } else { quanta }))
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

/// `a * b / d` and the remainder, without overflow for any `a` and `b` whose quotient fits.
///
/// # Panics
/// If `d` is zero or above 2^127: divisors are units and lengths of time, never that large.
pub fn mul_div(a: u128, b: u128, d: u128) -> (u128, u128) {
    assert!(d > 0 && d <= 1 << 127, "divisor out of range");
    if let Some(product) = a.checked_mul(b) {
        return (product / d, product % d);
    }
    // Schoolbook: run through the bits of `b` from the top, doubling quotient and remainder of what is done so far.
    let (a_quotient, a_remainder) = (a / d, a % d);
    let (mut quotient, mut remainder) = (0_u128, 0_u128);
    for bit in (0..128).rev() {
        quotient *= 2;
        remainder *= 2;
        if remainder >= d {
            remainder -= d;
            quotient += 1;
        }
        if b >> bit & 1 == 1 {
            quotient += a_quotient;
            remainder += a_remainder;
            if remainder >= d {
                remainder -= d;
                quotient += 1;
            }
        }
    }
    (quotient, remainder)
}

/// `a * b / d`, rounded to the nearest whole number, halves up.
///
/// # Panics
/// As [`mul_div`].
pub fn mul_div_round(a: u128, b: u128, d: u128) -> u128 {
    let (quotient, remainder) = mul_div(a, b, d);
    quotient + u128::from(remainder >= d - remainder)
}

/// Splits `total` in proportion to `weights` so that the parts sum to `total` exactly: rounded down first, the units
/// left over go to the largest remainders (the earlier one among equals). All weights zero: all parts zero.
pub fn apportion(total: u128, weights: &[u128]) -> Vec<u128> {
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let shares: Vec<(u128, u128)> = weights.iter().map(|&w| mul_div(total, w, sum)).collect();
    let mut parts: Vec<u128> = shares.iter().map(|s| s.0).collect();
    let left = total - parts.iter().sum::<u128>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(shares[i].1));
    for &i in order.iter().take(left as usize) {
        parts[i] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().expect("a decimal")
    }

    #[test]
    fn every_decimal_of_a_price_survives() {
        for text in ["0.0000000309", "0.00000625125", "3538", "-0.5", "0", "0.000000000001"] {
            assert_eq!(money(text).exact(), text);
        }
        assert_eq!(money("0.20").exact(), "0.2");
        assert_eq!(money("0.1632").times(money("0.15")), Some(money("0.02448")));
        assert_eq!(money("0.0000000309").times(money("0.00001")), None);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in ["", ".", "1.", ".5", "1e-6", "+1", "--1", "1_000", "$1"] {
            assert_eq!(text.parse::<Money>(), Err(MoneyError::NotADecimal), "{text}");
        }
        assert_eq!("0.0000000000001".parse::<Money>(), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn cents_round_half_away_from_zero() {
        assert_eq!(money("6.625125").to_string(), "6.63");
        assert_eq!(money("0.005").to_string(), "0.01");
        assert_eq!(money("-0.005").to_string(), "-0.01");
        assert_eq!(money("-0.004").to_string(), "0.00");
        assert_eq!(format!("{:>8}", money("1234.5")), " 1234.50");
    }

    #[test]
    fn wide_products_agree_with_narrow_ones() {
        // (2^127 - 1) * 6 / 3 needs 130 bits in between.
        let big = (1 << 127) - 1;
        assert_eq!(mul_div(big, 6, 3), (2 * big, 0));
        assert_eq!(
            mul_div(u128::MAX, u128::from(u64::MAX), u128::from(u64::MAX)),
            (u128::MAX, 0)
        );
        assert_eq!(mul_div_round(5, 1, 2), 3);
        assert_eq!(mul_div_round(4, 1, 3), 1);
    }

    proptest! {
        #[test]
        fn apportioning_preserves_the_sum(
            total in 0_u128..1 << 100,
            weights in prop::collection::vec(0_u128..1 << 90, 1..8),
        ) {
            let parts = apportion(total, &weights);
            let sum: u128 = weights.iter().sum();
            prop_assert_eq!(parts.iter().sum::<u128>(), if sum == 0 { 0 } else { total });
            for (part, weight) in parts.iter().zip(&weights) {
                let (floor, rest) = if sum == 0 { (0, 0) } else { mul_div(total, *weight, sum) };
                prop_assert!(*part == floor || (*part == floor + 1 && rest > 0));
            }
        }

        #[test]
        fn long_division_divides(a in any::<u128>(), b in 1_u128..1 << 60, d in 1_u128..1 << 120) {
            let (quotient, remainder) = mul_div(a / b, b, d);
            prop_assert_eq!(quotient * d + remainder, a / b * b);
            // The same through the wide path: a product too large for 128 bits, divided by its own factor.
            prop_assert_eq!(mul_div(a, b, b), (a, 0));
        }
    }
}
