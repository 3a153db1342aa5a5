//! Points of a sweep: where a variant does not have a swept parameter, it stands at all of its values at once.

use super::summary::PointValue;

/// The value of a parameter that a variant does not have.
pub const ABSENT: &str = "\u{2013}";

impl PointValue {
    /// The value of a parameter that the variant does not have.
    pub fn absent() -> Self {
        Self {
            text: ABSENT.to_owned(),
            number: f64::NAN,
        }
    }

    /// Whether the variant does not have the parameter.
    pub fn is_absent(&self) -> bool {
        self.text == ABSENT
    }
}

/// Whether two points are the same in all parameters that both have.
pub fn meet(one: &[PointValue], other: &[PointValue]) -> bool {
    let same = |(a, b): (&PointValue, &PointValue)| a.text == b.text || a.is_absent() || b.is_absent();
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// The values of a point that the variant has, as they are written.
pub fn texts(point: &[PointValue]) -> impl Iterator<Item = &str> {
    let there = point.iter().filter(|value| !value.is_absent());
    there.map(|value| value.text.as_str())
}

/// A point with the values of another one for the parameters that its own variant does not have.
pub fn filled(point: &[PointValue], other: &[PointValue]) -> Vec<PointValue> {
    let value = |(own, other): (&PointValue, &PointValue)| if own.is_absent() { other } else { own }.clone();
    point.iter().zip(other).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> PointValue {
        PointValue {
            text: text.to_owned(),
            number: 1.0,
        }
    }

    #[test]
    fn what_a_variant_does_not_have_is_the_same_everywhere() {
        let (two, four, none) = (value("2"), value("4"), PointValue::absent());
        let point = |a: &PointValue, b: &PointValue| vec![a.clone(), b.clone()];
        assert!(meet(&point(&two, &four), &point(&two, &none)));
        assert!(meet(&point(&none, &four), &point(&two, &none)));
        assert!(!meet(&point(&two, &four), &point(&four, &none)));
        assert!(!meet(&point(&two, &four), std::slice::from_ref(&two)));
        assert_eq!(filled(&point(&none, &four), &point(&two, &two)), point(&two, &four));
        assert!(texts(&point(&none, &four)).eq(["4"]));
    }
}
