//! What travels through JSON, and what is found by name.

use super::*;

#[test]
fn missing_numbers_travel_through_json_as_null() {
    let timeline = Timeline {
        name: name::LATENCY_P99.into(),
        unit: Unit::Seconds,
        mean: vec![0.5, f64::NAN],
        low: vec![],
        high: vec![],
    };
    let text = serde_json::to_string(&timeline).unwrap();
    assert_eq!(
        text,
        r#"{"name":"latency.p99","unit":"seconds","mean":[0.5,null],"low":[],"high":[]}"#
    );
    let back: Timeline = serde_json::from_str(&text).unwrap();
    assert_eq!(back.mean[0].to_bits(), 0.5_f64.to_bits());
    assert!(back.mean[1].is_nan());
}

#[test]
fn an_infinite_half_width_is_none() {
    let estimate = Estimate {
        mean: 1.0,
        interval: Some((0.0, f64::INFINITY)),
        replications: 2,
    };
    assert_eq!(estimate.half_width(), None);
    assert_eq!(
        Estimate {
            interval: Some((0.5, 1.5)),
            ..estimate
        }
        .half_width(),
        Some(0.5)
    );
}

#[test]
fn digests_match_the_published_test_vectors() {
    assert_eq!(digest(b""), "fnv1a64:cbf29ce484222325");
    assert_eq!(digest(b"foobar"), "fnv1a64:85944171f73967e8");
}
