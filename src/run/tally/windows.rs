//! The values of a metric by window as the integers that they were made of.
//!
//! A window's rate is a count over its length, its mean level an area over its length, its share a part of a whole: the
//! model hands over the quotient, which is what summaries are made of, so the integers are looked for and taken only if
//! they give the same quotient to the last bit. A share is told in lowest terms. What is no such quotient (the CPU
//! utilisation of a database, whose capacity is a sum of fractions) is kept as its 64 bits, which are an integer, too.
//!
//! Values that repeat are counted, and others are differences to the one before: most windows take a byte or two.

use super::bytes::{In, Out, folded, unfolded};
use crate::kernel::Duration;
use crate::kernel::number::{fit, whole, whole_u128};
use crate::stats::SeriesUnit;

/// What an integer is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Nothing: counts, times, highest levels.
    One,
    /// The window's length in seconds: rates.
    Seconds,
    /// Twice that: rates of what is counted in halves.
    HalfSeconds,
    /// The window's length in nanoseconds: mean levels.
    Nanoseconds,
    /// A whole of its own: shares.
    Whole,
}

const SCALES: [Scale; 5] = [
    Scale::One,
    Scale::Seconds,
    Scale::HalfSeconds,
    Scale::Nanoseconds,
    Scale::Whole,
];

/// Nothing was seen in the window; how many more such follow is next.
const NOTHING: u128 = 0;
/// The bits of a value that is no quotient are next.
const BITS: u128 = 1;
/// The same as before; how many more such follow is next.
const SAME: u128 = 2;
/// Greatest whole of a share that is looked for. Quotients of smaller numbers are all different.
const MOST: f64 = (1_u64 << 32) as f64;

/// A quotient; `whole` is 1 except for shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quotient {
    part: i128,
    whole: u64,
}

const ZERO: Quotient = Quotient { part: 0, whole: 1 };

impl Scale {
    /// The scales that values in this unit may have.
    fn candidates(unit: SeriesUnit) -> &'static [Self] {
        match unit {
            SeriesUnit::Nanoseconds | SeriesUnit::Count => &[Self::One],
            SeriesUnit::PerSecond => &[Self::Seconds, Self::HalfSeconds],
            SeriesUnit::Level => &[Self::One, Self::Nanoseconds],
            SeriesUnit::Ratio => &[Self::Whole],
        }
    }

    /// The value of a quotient; computed as the model does, so that the bits are the same.
    fn value(self, of: Quotient, window: Duration) -> f64 {
        let part = of.part as f64;
        match self {
            Self::One => part,
            Self::Seconds => part / window.as_secs_f64(),
            Self::HalfSeconds => part / 2.0 / window.as_secs_f64(),
            Self::Nanoseconds => part / (window.0 as f64).max(1.0),
            Self::Whole => part / of.whole as f64,
        }
    }

    /// The quotient that has this value, if there is one.
    fn quotient(self, value: f64, window: Duration) -> Option<Quotient> {
        let unit = match self {
            Self::One => 1.0,
            Self::Seconds => window.as_secs_f64(),
            Self::HalfSeconds => 2.0 * window.as_secs_f64(),
            Self::Nanoseconds => (window.0 as f64).max(1.0),
            Self::Whole => return share(value),
        };
        let about = value * unit;
        // Beyond 2^53 the product may be the neighbour of the integer that was divided.
        let near = [about.round(), about.next_down(), about.next_up()];
        let quotient = |part: &f64| Quotient {
            part: fit(whole_u128(*part)),
            whole: 1,
        };
        let fits = |found: &Quotient| self.value(*found, window).to_bits() == value.to_bits();
        let sound = near.iter().filter(|part| (0.0..1e30).contains(*part));
        sound.map(quotient).find(fits)
    }
}

/// A fraction in lowest terms with this value: the convergents of its continued fraction are tried, among which are all
/// fractions that are so near.
fn share(value: f64) -> Option<Quotient> {
    if !(0.0..=1.0).contains(&value) || value.is_sign_negative() {
        return None;
    }
    let (mut rest, mut this, mut before) = (value, (value.floor(), 1.0), (1.0, 0.0));
    while this.1 <= MOST {
        let found = Quotient {
            part: fit(whole_u128(this.0)),
            whole: whole(this.1),
        };
        if Scale::Whole.value(found, Duration::ZERO).to_bits() == value.to_bits() {
            return Some(found);
        }
        rest = 1.0 / (rest - rest.floor());
        if !rest.is_finite() {
            return None;
        }
        let term = rest.floor();
        (this, before) = ((term * this.0 + before.0, term * this.1 + before.1), this);
    }
    None
}

/// Writes values in this unit over windows of this length.
pub(super) fn write(values: &[f64], unit: SeriesUnit, window: Duration, out: &mut Out) {
    let found = |scale: &Scale| -> Vec<Option<Quotient>> {
        values.iter().map(|value| scale.quotient(*value, window)).collect()
    };
    let missing = |found: &[Option<Quotient>]| found.iter().filter(|found| found.is_none()).count();
    let mut best: Option<(Scale, Vec<Option<Quotient>>)> = None;
    for scale in Scale::candidates(unit) {
        let found = found(scale);
        if best.as_ref().is_none_or(|(_, best)| missing(&found) < missing(best)) {
            best = Some((*scale, found));
        }
    }
    let Some((scale, found)) = best else { return };
    out.byte(scale as u8);
    out.length(values.len());
    let (mut at, mut before) = (0, ZERO);
    while at < values.len() {
        let rest = || values[at..].iter().zip(&found[at..]);
        if values[at].is_nan() {
            let same = rest().take_while(|(value, _)| value.is_nan()).count();
            out.wide(NOTHING);
            out.length(same - 1);
            at += same;
            continue;
        }
        match found[at] {
            None => {
                out.wide(BITS);
                out.0.extend_from_slice(&values[at].to_bits().to_le_bytes());
                at += 1;
            }
            Some(this) if this == before => {
                let same = rest().take_while(|(_, found)| **found == Some(before)).count();
                out.wide(SAME);
                out.length(same - 1);
                at += same;
            }
            Some(this) => {
                if scale == Scale::Whole {
                    out.wide(SAME + u128::from(this.whole));
                    out.wide(fit(this.part));
                } else {
                    out.wide(SAME + folded(this.part - before.part));
                }
                before = this;
                at += 1;
            }
        }
    }
}

/// Reads what [`write()`] wrote: `take` gets a value and how often it comes.
pub(super) fn read(bytes: &mut In, window: Duration, most: usize, mut take: impl FnMut(f64, usize)) -> Option<()> {
    let scale = *SCALES.get(usize::from(bytes.byte()?))?;
    let all = usize::try_from(bytes.number()?).ok().filter(|all| *all <= most)?;
    let (mut left, mut before) = (all, ZERO);
    while left > 0 {
        let token = bytes.wide()?;
        let (value, times) = match token {
            NOTHING | SAME => {
                let times = usize::try_from(bytes.number()?).ok()?.checked_add(1)?;
                let value = if token == NOTHING {
                    f64::NAN
                } else {
                    scale.value(before, window)
                };
                (value, times)
            }
            BITS => (f64::from_bits(u64::from_le_bytes(*bytes.take(8)?.first_chunk()?)), 1),
            _ => {
                before = if scale == Scale::Whole {
                    let whole = u64::try_from(token - SAME).ok()?;
                    let part = i128::from(bytes.number()?);
                    Quotient { part, whole }
                } else {
                    let part = before.part.checked_add(unfolded(token - SAME))?;
                    Quotient { part, whole: 1 }
                };
                (scale.value(before, window), 1)
            }
        };
        left = left.checked_sub(times)?;
        take(value, times);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// How many bytes the values take; they must come back to the bit.
    fn travels(values: &[f64], unit: SeriesUnit, window: Duration) -> usize {
        let mut out = Out::default();
        write(values, unit, window, &mut out);
        let mut back = Vec::new();
        let mut bytes = In::new(&out.0, 0);
        let took = |value, times| back.extend(std::iter::repeat_n(value, times));
        assert_eq!(read(&mut bytes, window, values.len(), took), Some(()));
        assert_eq!((bytes.left(), back.len()), (0, values.len()));
        for (value, back) in values.iter().zip(&back) {
            assert!(
                value.to_bits() == back.to_bits() || value.is_nan() && back.is_nan(),
                "{value} {back}"
            );
        }
        out.0.len()
    }

    #[test]
    fn counts_rates_levels_and_shares_come_back_to_the_bit_and_are_short() {
        let counts: Vec<f64> = (0..100_u32).map(|i| f64::from(i * 7919 % 50)).collect();
        assert!(travels(&counts, SeriesUnit::Count, MINUTE) <= 103);
        let rates: Vec<f64> = counts.iter().map(|n| (n + 6_000.0) / 60.0).collect();
        assert!(travels(&rates, SeriesUnit::PerSecond, MINUTE) <= 205);
        let halves: Vec<f64> = counts.iter().map(|n| (n + 0.0) / 2.0 / 60.0).collect();
        assert!(travels(&halves, SeriesUnit::PerSecond, MINUTE) <= 103);
        let areas = (0..100_u64).map(|i| i * 987_654_321_987 % 100_000_000_007);
        let levels: Vec<f64> = areas.map(|area| area as f64 / MINUTE.0 as f64).collect();
        assert!(travels(&levels, SeriesUnit::Level, MINUTE) <= 100 * 7, "no raw bits");
        let shares: Vec<f64> = (1..100_u32).map(|i| f64::from(i % 5) / f64::from(i * 997)).collect();
        assert!(travels(&shares, SeriesUnit::Ratio, MINUTE) <= 100 * 5, "no raw bits");
        assert!(travels(&[0.0; 2_000], SeriesUnit::Ratio, MINUTE) <= 8);
        assert!(travels(&[f64::NAN; 2_000], SeriesUnit::Nanoseconds, MINUTE) <= 8);
    }

    #[test]
    fn large_areas_and_what_is_no_quotient_come_back_to_the_bit() {
        let area = |i: u128| (i * 1_234_567_890_123_456_789 + 7) as f64 / MINUTE.0 as f64;
        let levels: Vec<f64> = (0..200).map(area).collect();
        assert!(travels(&levels, SeriesUnit::Level, MINUTE) <= 200 * 14);
        let odd = [
            0.1 + 0.2,
            std::f64::consts::PI,
            1e300,
            f64::INFINITY,
            -0.0,
            -3.5,
            5e-324,
            1.0,
        ];
        for unit in [
            SeriesUnit::Nanoseconds,
            SeriesUnit::Count,
            SeriesUnit::PerSecond,
            SeriesUnit::Level,
            SeriesUnit::Ratio,
        ] {
            for window in [MINUTE, Duration(1), Duration(7_777_777_777)] {
                travels(&odd, unit, window);
            }
        }
    }

    #[test]
    fn every_share_of_a_large_whole_is_found() {
        for (part, whole) in [
            (1_u32, 3_u32),
            (999_999, 1_000_000),
            (40_000_001, 50_000_017),
            (1, 67_108_859),
        ] {
            let found = share(f64::from(part) / f64::from(whole));
            assert_eq!(
                found.map(|found| (found.part, found.whole)),
                Some((i128::from(part), u64::from(whole)))
            );
        }
    }

    #[test]
    fn more_windows_than_there_can_be_are_not_read() {
        let mut out = Out::default();
        write(&[1.0; 9], SeriesUnit::Count, MINUTE, &mut out);
        assert_eq!(read(&mut In::new(&out.0, 0), MINUTE, 8, |_, _| ()), None);
    }
}
