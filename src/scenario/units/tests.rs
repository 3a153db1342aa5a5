use super::*;
use proptest::prelude::*;

fn ns(text: &str) -> u64 {
    parse_duration(text).unwrap_or_else(|p| panic!("{text}: {p:?}")).0
}

#[test]
fn durations_are_exact() {
    for (text, expected) in [
        ("12 ms", 12_000_000),
        ("1.5s", 1_500_000_000),
        ("300us", 300_000),
        ("300 µs", 300_000),
        ("5m", 300_000_000_000),
        ("5 min", 300_000_000_000),
        ("1 h", 3_600_000_000_000),
        ("2 d", 172_800_000_000_000),
        ("1 week", 604_800_000_000_000),
        ("1 month", 2_628_000_000_000_000),
        ("1 h 30 min", 5_400_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("0", 0),
        ("0.1 s", 100_000_000),
        ("1e3 ms", 1_000_000_000),
        ("1_000 ms", 1_000_000_000),
        ("0.0000000004 s", 0),
        ("0.0000000005 s", 1),
        ("9007199254740993 ns", 9_007_199_254_740_993),
        ("0e99999 s", 0),
    ] {
        assert_eq!(ns(text), expected, "{text}");
    }
}

#[test]
fn sizes_rates_counts_shares_money_numbers_flags() {
    assert_eq!(parse_size("512 MB"), Ok(512 << 20));
    assert_eq!(parse_size("1.5GiB"), Ok(3 << 29));
    assert_eq!(parse_size("64KB"), Ok(64 << 10));
    assert_eq!(parse_rate("3000/s"), Ok(3000.0));
    assert_eq!(parse_rate("30/min"), Ok(0.5));
    assert_eq!(parse_rate("43.2M/day"), Ok(500.0));
    assert_eq!(parse_rate("2.628B/month"), Ok(1000.0));
    assert_eq!(parse_rate("1.5 k / s"), Ok(1500.0));
    assert_eq!(parse_count("1_000"), Ok(1000));
    assert_eq!(parse_count("1.5k"), Ok(1500));
    assert_eq!(parse_count("30M"), Ok(30_000_000));
    assert_eq!(parse_count("1e3"), Ok(1000));
    assert_eq!(parse_count("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(parse_share("60%"), Ok(0.6));
    assert_eq!(parse_share("0.07"), Ok(0.07));
    assert_eq!(parse_share("7 %"), Ok(0.07));
    assert_eq!(parse_money("$0.20"), Ok(0.2));
    assert_eq!(parse_money("0.0416 USD"), Ok(0.0416));
    assert_eq!(parse_money("$1.5M"), Ok(1_500_000.0));
    assert_eq!(parse_number("-1e-3"), Ok(-0.001));
    assert_eq!(parse_number("+.5"), Ok(0.5));
    for (text, flag) in [("true", true), ("on", true), ("No", false), ("off", false)] {
        assert_eq!(parse_flag(text), Ok(flag));
    }
}

/// (text, code, suggestion) of what must be refused.
fn refused<T: std::fmt::Debug>(parse: fn(&str) -> Result<T, Problem>, cases: &[(&str, Code, Option<&str>)]) {
    for (text, code, suggestion) in cases {
        let problem = parse(text).expect_err(text);
        assert_eq!(
            (problem.code, problem.suggestion.as_deref()),
            (*code, *suggestion),
            "{text}: {problem:?}"
        );
        assert!(!problem.message.is_empty());
    }
}

#[test]
fn what_is_wrong_with_durations_and_sizes_is_named() {
    use Code::{BadQuantity, MissingUnit, OutOfRange, WrongUnit};
    refused(
        parse_duration,
        &[
            ("5", MissingUnit, None),
            ("5 GB", WrongUnit, None),
            ("5 S", WrongUnit, Some("5 s")),
            ("12 msec", WrongUnit, Some("12 sec")),
            ("-5 s", OutOfRange, None),
            ("soon", BadQuantity, None),
            ("", BadQuantity, None),
            ("$3", WrongUnit, None),
            ("1e30 s", OutOfRange, None),
            ("1 h 30", MissingUnit, None),
            ("1,000 ms", BadQuantity, Some("1_000 ms")),
            (".nan", BadQuantity, None),
            ("5/s", WrongUnit, None),
        ],
    );
    refused(
        parse_size,
        &[
            ("512", MissingUnit, None),
            ("512 mb", WrongUnit, Some("512 MB")),
            ("5 s", WrongUnit, None),
            ("1e300 GB", OutOfRange, None),
        ],
    );
    let help = parse_duration("5").unwrap_err().help;
    assert_eq!(help, "write `5 s` or `5 ms`");
}

#[test]
fn what_is_wrong_with_rates_and_numbers_is_named() {
    use Code::{BadQuantity, MissingUnit, OutOfRange, WrongUnit};
    refused(
        parse_rate,
        &[
            ("3000", MissingUnit, None),
            ("3k", MissingUnit, None),
            ("300 rps", WrongUnit, Some("300/s")),
            ("300/sex", WrongUnit, Some("300/sec")),
            ("3m/s", WrongUnit, Some("3M/s")),
            ("-3/s", OutOfRange, None),
            ("5 s", WrongUnit, None),
        ],
    );
    refused(
        parse_count,
        &[
            ("1.5", BadQuantity, None),
            ("-1", OutOfRange, None),
            ("10 MB", WrongUnit, None),
            ("99999999999999999999", OutOfRange, None),
        ],
    );
    refused(
        parse_share,
        &[
            ("60", OutOfRange, Some("60%")),
            ("-0.1", OutOfRange, None),
            ("5 ms", WrongUnit, None),
        ],
    );
    refused(
        parse_money,
        &[
            ("0.2", MissingUnit, Some("$0.2")),
            ("$x", WrongUnit, None),
            ("-$1", OutOfRange, None),
        ],
    );
    refused(
        parse_number,
        &[
            ("4 ms", WrongUnit, None),
            ("1e999", OutOfRange, None),
            ("x", BadQuantity, None),
        ],
    );
}

#[test]
fn quantities_are_shown_in_their_shortest_exact_form() {
    let shown = [
        (0, "0"),
        (1, "1 ns"),
        (1_500_000, "1.5 ms"),
        (250_000_000, "250 ms"),
        (1_500_000_000, "1.5 s"),
        (900_000_000_000, "15 min"),
        (3_600_000_000_000, "1 h"),
        (1_000_000_001, "1000000001 ns"),
    ];
    for (value, text) in shown {
        assert_eq!(show_duration(Duration(value)), text);
    }
    assert_eq!(show_size(512 << 20), "512 MB");
    assert_eq!(show_size(3 << 29), "1.5 GB");
    assert_eq!(show_size(1000), "1000 B");
    assert_eq!(show_rate(3000.0), "3000/s");
    assert_eq!(show_rate(0.5), "30/min");
    assert_eq!(show_rate(10.0 / 60.0), "10/min");
    assert_eq!(show_count(30_000_000), "30M");
    assert_eq!(show_count(1234), "1234");
    assert_eq!(show_share(0.07), "7%");
    assert_eq!(show_share(1.0 / 3.0), "0.3333333333333333");
    assert_eq!(show_money(0.2), "$0.2");
    assert_eq!(show_number(1e-9), "1e-9");
}

proptest! {
    #[test]
    fn nothing_panics(text in "\\PC{0,24}") {
        let _ = (parse_duration(&text), parse_size(&text), parse_rate(&text), parse_count(&text));
        let _ = (parse_number(&text), parse_share(&text), parse_money(&text), parse_flag(&text));
    }

    #[test]
    fn nothing_near_a_quantity_panics(text in "[-+$]{0,2}[0-9_.,]{0,40}[eE+-]{0,2}[0-9]{0,6} ?[a-zA-Z%/µ]{0,6}[ 0-9]{0,5}[a-z]{0,3}") {
        let _ = (parse_duration(&text), parse_size(&text), parse_rate(&text), parse_count(&text));
        let _ = (parse_number(&text), parse_share(&text), parse_money(&text), parse_flag(&text));
    }

    #[test]
    fn what_is_shown_reads_back(value in 0..Duration::FOREVER.0, bytes: u64, v in 1e-12..1e18_f64) {
        prop_assert_eq!(parse_duration(&show_duration(Duration(value))), Ok(Duration(value)));
        prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
        prop_assert_eq!(parse_count(&show_count(bytes)), Ok(bytes));
        let rate = v % 1e9;
        prop_assert_eq!(parse_rate(&show_rate(rate)), Ok(rate));
        prop_assert_eq!(parse_number(&show_number(v)), Ok(v));
        prop_assert_eq!(parse_money(&show_money(v)), Ok(v));
    }
}
