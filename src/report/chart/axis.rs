//! Axes: where a value stands between 0 and 1, and which round values get a label.

use crate::kernel::number::{whole_i64, whole_usize};
use libm::{floor, log10, pow};

use crate::report::format::tick;
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
            .map(|at| (at, tick(unit, at, step, high)))
            .collect();
        Self {
            label: label.into(),
            kind: Kind::Linear,
            low: 0.0,
            high,
            ticks,
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

    /// A logarithmic axis that holds both values, both positive.
    pub fn log(label: impl Into<String>, unit: Unit, least: f64, largest: f64) -> Self {
        let spread = log10(largest / least);
        let mantissas: &[f64] = if spread > 3.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let first = whole_i64(floor(log10(least))) - 1;
        let last = whole_i64(floor(log10(largest))) + 1;
        let every = ((last - first) / 8).max(1);
        let mut candidates: Vec<f64> = Vec::new();
        for exponent in (first..=last).filter(|exponent| spread <= 3.5 || (exponent - first) % every == 0) {
            candidates.extend(mantissas.iter().map(|mantissa| mantissa * pow(10.0, exponent as f64)));
        }
        let low = candidates
            .iter()
            .copied()
            .filter(|at| *at <= least * 1.000_001)
            .fold(0.0, f64::max);
        let high = candidates
            .iter()
            .copied()
            .filter(|at| *at >= largest * 0.999_999)
            .fold(f64::INFINITY, f64::min);
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
            .map(|at| (at, format!("{} {name}", (at / size * 100.0).round() / 100.0)))
            .collect();
        Self {
            label: "simulated time".into(),
            kind: Kind::Linear,
            low: 0.0,
            high: seconds,
            ticks,
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
        }
    }
}

/// Powers of ten of seconds stay in seconds: minutes and hours would not be round.
fn log_tick(unit: Unit, at: f64) -> String {
    if unit == Unit::Seconds && at >= 99.0 {
        format!("{} s", tick(Unit::Plain, at, at, at))
    } else {
        tick(unit, at, at, at)
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
    if unit == Unit::Seconds && least >= 60.0 {
        let steps = [
            60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0,
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
        assert_eq!(labels(&axis), ["$0", "$10k", "$20k", "$30k", "$40k", "$50k"]);
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
            ["0 min", "10 min", "20 min", "30 min", "40 min", "50 min", "60 min"]
        );
        assert_eq!(labels(&Axis::time(86_400.0)).last(), Some(&"24 h"));
        assert_eq!(labels(&Axis::time(60.0)).last(), Some(&"60 s"));
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
