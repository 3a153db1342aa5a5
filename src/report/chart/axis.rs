//! Axes: where a value stands between 0 and 1, and which round values get a label.

use crate::kernel::number::{whole_i64, whole_usize};
use libm::{floor, log10, pow};

use crate::report::format::{self, grouped, tick};
use crate::run::summary::{PointValue, Scale, Unit};

/// How values map to positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Equal distances for equal differences.
    Linear,
    /// Equal distances for equal ratios.
    Log,
    /// Shares on the scale of -log10(1 - share): each further nine takes the same room, so p99 and p99.9 are visible.
    Nines,
}

/// An axis of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Words beside the axis.
    pub label: String,
    /// How values map to positions.
    pub kind: Kind,
    /// Value at position 0.
    pub low: f64,
    /// Value at position 1.
    pub high: f64,
    /// Labelled values, ascending.
    pub ticks: Vec<(f64, String)>,
    /// What its values are.
    pub unit: Unit,
    /// The tick that is never left out, in bold: the swept value that is the answer.
    pub answer: Option<f64>,
}

/// The units of time, each from which value on, its size in seconds and its sign. A logarithmic axis has several.
const TIMES: [(f64, f64, &str); 7] = [
    (0.0, 1e-9, "ns"),
    (1e-6, 1e-6, "µs"),
    (1e-3, 1e-3, "ms"),
    (1.0, 1.0, "s"),
    (60.0, 60.0, "min"),
    (3600.0, 3600.0, "h"),
    (172_800.0, 86_400.0, "d"),
];

/// The unit for times around that value: size and sign.
fn time_unit(around: f64) -> (f64, &'static str) {
    let reached = |unit: &&(f64, f64, &str)| around.abs() >= unit.0 * 0.9995;
    let (_, size, sign) = TIMES.iter().rev().find(reached).unwrap_or(&TIMES[0]);
    (*size, sign)
}

/// The unit of a linear axis that ends there: none of its ticks is a fraction of a minute or of an hour.
fn linear_time_unit(high: f64) -> (f64, &'static str) {
    match high {
        high if (0.9995..179.0).contains(&high) => (1.0, "s"),
        high if (179.0..10_799.0).contains(&high) => (60.0, "min"),
        high => time_unit(high),
    }
}

/// A time in a unit, with as many digits as a person reads.
fn time_in((size, sign): (f64, &str), seconds: f64) -> String {
    let shown = seconds / size;
    let decimals = match shown.abs() {
        shown if shown >= 99.95 || (shown - shown.round()).abs() < 1e-9 => 0,
        shown if shown >= 9.995 => 1,
        shown if shown >= 0.9995 => 2,
        _ => 3,
    };
    format!("{} {sign}", grouped(shown, decimals))
}

impl Axis {
    /// Position of a value, 0 at the low and 1 at the high end, clamped to the axis; none for what has no position.
    pub fn place(&self, value: f64) -> Option<f64> {
        if value.is_nan() {
            return None;
        }
        let (low, high, value) = (self.project(self.low), self.project(self.high), self.project(value));
        let position = (value - low) / (high - low);
        (!position.is_nan()).then(|| position.clamp(0.0, 1.0))
    }

    /// Position of a value, if the axis reaches it.
    pub fn within(&self, value: f64) -> Option<f64> {
        let room = (self.high - self.low) * 1e-9;
        let there = value >= self.low - room && value <= self.high + room;
        self.place(value).filter(|_| there)
    }

    /// A value in words, in the unit of the axis' ticks.
    pub fn say(&self, value: f64) -> String {
        match self.unit {
            Unit::Seconds if value.is_finite() => {
                let unit = if self.is_log() {
                    time_unit(value)
                } else {
                    linear_time_unit(self.high)
                };
                // What is next to nothing on this axis has no place in its unit.
                let unit = if value < 0.1 * unit.0 { time_unit(value) } else { unit };
                if value == 0.0 {
                    "0 s".into()
                } else {
                    time_in(unit, value)
                }
            }
            Unit::Level if (0.9995..99.95).contains(&value) && value.fract() == 0.0 => grouped(value, 0),
            Unit::Dollars if value.abs() >= 99.995 => format!("${}", grouped(value, 0)),
            unit => format::value(unit, value),
        }
    }

    /// Whether equal distances are equal ratios.
    pub fn is_log(&self) -> bool {
        self.kind == Kind::Log
    }

    /// The same axis without words at its ticks.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.ticks.iter_mut().for_each(|tick| tick.1.clear());
        self
    }

    fn project(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Linear => value,
            Kind::Log => log10(value.max(f64::MIN_POSITIVE)),
            Kind::Nines => -log10((1.0 - value).max(1e-15)),
        }
    }

    /// An axis from zero to a round value above the largest; shares stop at 1.
    pub fn from_zero(label: impl Into<String>, unit: Unit, values: impl Iterator<Item = f64>) -> Self {
        let largest = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let largest = if largest > 0.0 { largest } else { default_top(unit) };
        let step = round_step(unit, largest / 5.0);
        let mut count = libm::ceil(largest / step - 1e-9).max(1.0);
        if unit == Unit::Ratio && largest <= 1.0 {
            count = count.min(floor(1.0 / step + 1e-9));
        }
        let high = step * count;
        let ticks = (0..=whole_usize(count))
            .map(|index| step * index as f64)
            .map(|at| (at, linear_tick(unit, at, step, high)))
            .collect();
        Self {
            label: label.into(),
            kind: Kind::Linear,
            low: 0.0,
            high,
            ticks,
            unit,
            answer: None,
        }
    }

    /// Logarithmic if the values are positive and span more than a factor of 30, else from zero.
    pub fn suited(label: impl Into<String>, unit: Unit, values: &[f64]) -> Self {
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let least = finite().fold(f64::INFINITY, f64::min);
        let largest = finite().fold(0.0, f64::max);
        if least > 0.0 && largest / least > 30.0 {
            Self::log(label, unit, least, largest)
        } else {
            Self::from_zero(label, unit, finite())
        }
    }

    /// An axis for points: logarithmic like [`Self::suited`], else as tight around the values as round ticks allow.
    pub fn around(label: impl Into<String>, unit: Unit, values: &[f64]) -> Self {
        let axis = Self::suited(label, unit, values);
        let finite = || values.iter().copied().filter(|value| value.is_finite());
        let (least, most) = (finite().fold(f64::INFINITY, f64::min), finite().fold(0.0, f64::max));
        // What hardly differs is not to look as if it did.
        if axis.is_log() || least.is_infinite() || most - least < 0.02 * most {
            return axis;
        }
        let step = round_step(unit, (most - least) / 3.0);
        let low = (floor(least / step - 0.1) * step).max(0.0);
        let high = (floor(most / step + 0.1) + 1.0) * step;
        let count = whole_usize(((high - low) / step).round());
        let ticks = (0..=count).map(|index| low + step * index as f64);
        let ticks = ticks.map(|at| (at, linear_tick(unit, at, step, high))).collect();
        Self {
            low,
            high,
            ticks,
            ..axis
        }
    }

    /// A logarithmic axis that holds both values, both positive, with ticks at 1, 2 and 5 times each power of ten, or
    /// at round times.
    pub fn log(label: impl Into<String>, unit: Unit, least: f64, largest: f64) -> Self {
        let candidates = log_candidates(unit, least, largest);
        let below = candidates.iter().copied().filter(|at| *at <= least * 1.000_001);
        let low = below.fold(0.0, f64::max);
        let above = candidates.iter().copied().filter(|at| *at >= largest * 0.999_999);
        let high = above.fold(f64::INFINITY, f64::min);
        let low = if low > 0.0 { low } else { least };
        let high = if high.is_finite() { high } else { largest };
        let ticks = candidates
            .into_iter()
            .filter(|at| *at >= low * 0.999_999 && *at <= high * 1.000_001)
            .map(|at| (at, log_tick(unit, at)))
            .collect();
        Self {
            label: label.into(),
            kind: Kind::Log,
            low,
            high,
            ticks,
            unit,
            answer: None,
        }
    }

    /// The share axis of a distribution of `count` values: from 0 to the last nine that the sample can show.
    pub fn nines(label: impl Into<String>, count: u64) -> Self {
        let reach = log10((count.max(10)) as f64).min(6.0);
        let named = [
            (0.0, "0 %"),
            (0.5, "50 %"),
            (0.9, "90 %"),
            (0.99, "99 %"),
            (0.999, "99.9 %"),
            (0.9999, "99.99 %"),
            (0.99999, "99.999 %"),
            (0.999_999, "99.9999 %"),
        ];
        let ticks = named
            .into_iter()
            .filter(|(share, _)| -log10(1.0 - share) <= reach + 1e-6)
            .map(|(share, text)| (share, text.to_owned()))
            .collect();
        Self {
            label: label.into(),
            kind: Kind::Nines,
            low: 0.0,
            high: 1.0 - pow(10.0, -reach),
            ticks,
            unit: Unit::Ratio,
            answer: None,
        }
    }

    /// Simulated time from zero, in seconds, with ticks at round clock times.
    pub fn time(seconds: f64) -> Self {
        const STEPS: [f64; 24] = [
            1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
            7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
        ];
        let seconds = if seconds > 0.0 { seconds } else { 1.0 };
        let step = STEPS
            .iter()
            .copied()
            .find(|step| seconds / step <= 9.0)
            .unwrap_or(seconds / 8.0);
        let (size, name) = match step {
            s if s >= 86_400.0 => (86_400.0, "d"),
            s if s >= 3600.0 || (s >= 1800.0 && seconds > 7200.0) => (3600.0, "h"),
            s if s >= 60.0 => (60.0, "min"),
            s if s >= 0.5 => (1.0, "s"),
            _ => (1e-3, "ms"),
        };
        let count = whole_usize(floor(seconds / step + 1e-9));
        let ticks = (0..=count)
            .map(|index| step * index as f64)
            .map(|at| {
                let number = (at / size * 100.0).round() / 100.0;
                (
                    at,
                    if at > 0.0 {
                        format!("{number} {name}")
                    } else {
                        "0".to_owned()
                    },
                )
            })
            .collect();
        Self {
            label: String::new(),
            kind: Kind::Linear,
            low: 0.0,
            high: seconds,
            ticks,
            unit: Unit::Seconds,
            answer: None,
        }
    }

    /// The axis of a swept parameter: labelled at the swept values, as the scenario writes them.
    /// Words stand at 0, 1, 2...; see [`sweep_position`].
    pub fn sweep(label: impl Into<String>, scale: Scale, values: &[PointValue]) -> Self {
        let mut ticks: Vec<(f64, String)> = values
            .iter()
            .enumerate()
            .map(|(index, value)| (sweep_position(scale, values, index), value.text.clone()))
            .collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let least = ticks.first().map_or(0.0, |tick| tick.0);
        let most = ticks.last().map_or(1.0, |tick| tick.0);
        let (kind, low, high) = match effective(scale, values) {
            Scale::Log => {
                let room = pow(most / least, 0.04).max(1.02);
                (Kind::Log, least / room, most * room)
            }
            Scale::Linear if least >= 0.0 && least < most / 3.0 => (Kind::Linear, 0.0, most * 1.04),
            Scale::Linear if most > least => (
                Kind::Linear,
                least - (most - least) * 0.04,
                most + (most - least) * 0.04,
            ),
            _ => (Kind::Linear, least - 0.5, most + 0.5),
        };
        Self {
            label: label.into(),
            kind,
            low,
            high,
            ticks,
            unit: Unit::Plain,
            answer: None,
        }
    }
}

/// The values at which a logarithmic axis from about one to about the other may have ticks.
fn log_candidates(unit: Unit, least: f64, largest: f64) -> Vec<f64> {
    /// Round times from a minute on, where powers of ten of seconds are not.
    const LONG: [f64; 14] = [
        60.0,
        120.0,
        300.0,
        600.0,
        1200.0,
        3600.0,
        7200.0,
        18_000.0,
        36_000.0,
        86_400.0,
        172_800.0,
        432_000.0,
        864_000.0,
        1_728_000.0,
    ];
    let spread = log10(largest / least);
    let mantissas: &[f64] = if spread > 3.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let first = whole_i64(floor(log10(least))) - 1;
    let last = whole_i64(floor(log10(largest))) + 1;
    let every = ((last - first) / 8).max(1);
    let times = unit == Unit::Seconds && largest > 20.0 && largest < 1e6 && spread <= 7.0;
    let mut candidates: Vec<f64> = Vec::new();
    for exponent in (first..=last).filter(|exponent| spread <= 3.5 || (exponent - first) % every == 0) {
        let round = mantissas.iter().map(|mantissa| mantissa * pow(10.0, exponent as f64));
        candidates.extend(round.filter(|at| !times || *at < 59.0));
    }
    if times {
        let each = if spread > 3.5 { 3 } else { 1 };
        candidates.extend(LONG.iter().step_by(each));
    }
    candidates
}

/// A tick of a logarithmic axis: each in the unit that suits it.
fn log_tick(unit: Unit, at: f64) -> String {
    match unit {
        Unit::Seconds => time_in(time_unit(at), at),
        Unit::Dollars if (1.0..1e6).contains(&at) => format!("${}", grouped(at, 0)),
        unit => tick(unit, at, at, at),
    }
}

/// A tick of a linear axis: all in the unit that suits the largest.
fn linear_tick(unit: Unit, at: f64, step: f64, high: f64) -> String {
    match unit {
        Unit::Seconds => {
            let (size, sign) = linear_time_unit(high);
            let decimals = (0..6).find(|decimals| {
                let scaled = step / size * pow(10.0, f64::from(*decimals));
                (scaled - scaled.round()).abs() < 1e-6 * scaled
            });
            let decimals = if at > 0.0 { decimals.unwrap_or(6) } else { 0 };
            format!("{} {sign}", grouped(at / size, whole_usize(f64::from(decimals))))
        }
        Unit::Dollars if step >= 1.0 && step.fract() == 0.0 && high < 1e6 => format!("${}", grouped(at, 0)),
        Unit::Count | Unit::Level | Unit::Plain if step.fract() == 0.0 && high < 1e6 => grouped(at, 0),
        unit => tick(unit, at, step, high),
    }
}

/// Where the value with that index stands on a sweep axis, in the axis' own numbers.
pub fn sweep_position(scale: Scale, values: &[PointValue], index: usize) -> f64 {
    if effective(scale, values) == Scale::Category {
        index as f64
    } else {
        values[index].number
    }
}

/// The scale that the values allow: words need categories, and zero has no logarithm.
fn effective(scale: Scale, values: &[PointValue]) -> Scale {
    let numbers = || values.iter().map(|value| value.number);
    if numbers().any(|number| !number.is_finite()) {
        Scale::Category
    } else if scale == Scale::Log && numbers().any(|number| number <= 0.0) {
        Scale::Linear
    } else {
        scale
    }
}

/// Top of an axis on which every value is zero.
fn default_top(unit: Unit) -> f64 {
    match unit {
        Unit::Ratio => 0.01,
        Unit::Seconds => 0.001,
        _ => 1.0,
    }
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten (minutes and hours for long durations) that is at least `least`.
fn round_step(unit: Unit, least: f64) -> f64 {
    if unit == Unit::Seconds && least > 10.0 {
        let steps = [
            15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0,
        ];
        if let Some(step) = steps.into_iter().find(|step| *step >= least) {
            return step;
        }
    }
    let power = pow(10.0, floor(log10(least)));
    let whole = unit == Unit::Count && power > 0.5;
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|mantissa| mantissa * power)
        .filter(|step| !whole || step.fract() < 1e-9)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(power * 10.0);
    if unit == Unit::Count { step.max(1.0) } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn linear_axes_end_on_a_round_value() {
        let axis = Axis::from_zero("", Unit::Seconds, [0.183, f64::NAN].into_iter());
        assert_eq!(labels(&axis), ["0 ms", "50 ms", "100 ms", "150 ms", "200 ms"]);
        let axis = Axis::from_zero("", Unit::Dollars, [43_210.0].into_iter());
        assert_eq!(
            labels(&axis),
            ["$0", "$10,000", "$20,000", "$30,000", "$40,000", "$50,000"]
        );
        let axis = Axis::from_zero("", Unit::Ratio, [1.0].into_iter());
        assert_eq!(axis.high.to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn an_axis_without_values_still_has_ends() {
        for unit in [Unit::Seconds, Unit::Dollars, Unit::Ratio, Unit::Count, Unit::Bytes] {
            let axis = Axis::from_zero("", unit, std::iter::empty());
            assert!(axis.high > 0.0 && axis.ticks.len() >= 2, "{unit:?}");
        }
        assert!(Axis::time(0.0).high > 0.0);
        assert!(Axis::nines("", 0).high > 0.0);
    }

    #[test]
    fn log_axes_hold_their_values() {
        for (least, largest) in [(0.003, 0.4), (1e-6, 1e5), (0.11, 0.12), (5.0, 5.0), (1e-300, 1e300)] {
            let axis = Axis::log("", Unit::Seconds, least, largest);
            assert!(axis.low <= least * 1.001 && axis.high >= largest * 0.999, "{axis:?}");
            assert!(axis.ticks.len() <= 14, "{:?}", labels(&axis));
        }
    }

    #[test]
    fn every_nine_takes_the_same_room() {
        let axis = Axis::nines("", 1_000_000);
        let at = |share| axis.place(share).unwrap();
        assert!((at(0.999) - at(0.99) - (at(0.99) - at(0.9))).abs() < 1e-9);
        assert_eq!(labels(&axis).last(), Some(&"99.9999 %"));
        assert_eq!(labels(&Axis::nines("", 1000)).last(), Some(&"99.9 %"));
        assert_eq!(axis.place(1.0), Some(1.0));
    }

    #[test]
    fn time_ticks_fall_on_clock_times() {
        assert_eq!(
            labels(&Axis::time(3600.0)),
            ["0", "10 min", "20 min", "30 min", "40 min", "50 min", "60 min"]
        );
        assert_eq!(labels(&Axis::time(86_400.0)).last(), Some(&"24 h"));
        assert_eq!(labels(&Axis::time(60.0)).last(), Some(&"60 s"));
    }

    #[test]
    fn units_within_an_axis_agree() {
        for largest in [11.0, 59.0, 62.0, 119.0, 290.0, 376.0, 599.0, 4000.0, 11_000.0, 90_000.0] {
            let axis = Axis::from_zero("", Unit::Seconds, [largest].into_iter());
            let unit = |text: &str| text.rsplit(' ').next().map(str::to_owned);
            let said = axis.say(largest * 0.4);
            for label in labels(&axis) {
                assert_eq!(unit(label), unit(&said), "{:?} and {said}", labels(&axis));
                assert!(label.len() <= 7, "{label}");
            }
        }
        let axis = Axis::log("", Unit::Seconds, 4.0, 1500.0);
        assert_eq!(axis.say(376.0), "6.27 min");
        assert!(labels(&axis).contains(&"2 min"), "{:?}", labels(&axis));
    }

    #[test]
    fn an_axis_is_logarithmic_from_thirty_times_on_and_never_where_something_is_zero() {
        let kind = |values: &[f64]| Axis::suited("", Unit::Seconds, values).kind;
        assert_eq!(kind(&[0.1, 3.1]), Kind::Log);
        assert_eq!(kind(&[0.1, 2.9]), Kind::Linear);
        assert_eq!(kind(&[0.0, 0.1, 31.0]), Kind::Linear);
    }

    #[test]
    fn points_have_an_axis_around_them_unless_they_hardly_differ() {
        let axis = Axis::around("", Unit::Seconds, &[0.171, 0.194]);
        assert!(axis.low > 0.1 && axis.low < 0.171 && axis.high > 0.194, "{axis:?}");
        assert!(Axis::around("", Unit::Dollars, &[1103.7, 1104.0]).low.abs() < 1e-9);
    }

    #[test]
    fn words_stand_at_equal_distances() {
        let values: Vec<PointValue> = ["java21", "node22"]
            .map(|text| PointValue {
                text: text.into(),
                number: f64::NAN,
            })
            .into();
        let axis = Axis::sweep("runtime", Scale::Log, &values);
        assert_eq!(axis.place(0.0), Some(0.25));
        assert_eq!(axis.place(1.0), Some(0.75));
    }
}
